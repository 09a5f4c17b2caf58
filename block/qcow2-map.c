/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: from guest offsets to host offsets: the L1 table, L2 tables, their
 * entries.
 *
 * The L1 table is in memory as a whole; its changes go to the disk with the
 * other write-back.  Of an L2 table there are slices in the cache.
 *
 * Invariant: an L1 entry has the COPIED flag, and only then, if its L2 table
 * belongs to no snapshot; only such tables are changed.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"

/* Slices that one qcow2_map() looks at, at most. */
#define MAX_MAP_SLICES 256

/* ---- Entries ---- */

void qcow2_entry_set(Qcow2State *s, Qcow2Slice *l2, unsigned i,
                     Qcow2Entry entry)
{
    uint64_t *p = (uint64_t *)l2->data + (size_t)i * s->entry_words;

    p[0] = cpu_to_be64(entry.e);
    if (s->entry_words == 2) {
        p[1] = cpu_to_be64(entry.bitmap);
    }
    qcow2_cache_dirty(s->l2_cache, l2,
                      (size_t)i * s->entry_words * sizeof(uint64_t),
                      s->entry_words * sizeof(uint64_t));
}

/* The kind but for subclusters; only the bits of one decide then. */
static Qcow2Kind cluster_kind(BlockDriverState *bs, Qcow2Entry entry)
{
    Qcow2State *s = bs->opaque;
    uint64_t host = entry.e & QCOW2_ENTRY_OFFSET;

    if (entry.e & QCOW2_COMPRESSED_FLAG) {
        return qcow2_has_data_file(bs) || entry.bitmap ? QCOW2_INVALID
                                                       : QCOW2_COMPRESSED;
    }
    if (unlikely(qcow2_in_cluster(s, host))) {
        return QCOW2_INVALID;
    }
    if (!qcow2_has_subclusters(s) && (entry.e & QCOW2_ZERO_FLAG)) {
        if (s->hdr.version < 3) {
            return QCOW2_INVALID;
        }
        return host || (qcow2_has_data_file(bs) && (entry.e & QCOW2_COPIED))
               ? QCOW2_ZERO_HOST : QCOW2_ZERO;
    }
    /* In an external file the first cluster is at 0. */
    if (host || (qcow2_has_data_file(bs) && (entry.e & QCOW2_COPIED))) {
        return QCOW2_DATA;
    }
    return QCOW2_UNALLOCATED;
}

Qcow2Kind qcow2_kind(BlockDriverState *bs, Qcow2Entry entry, unsigned sc)
{
    Qcow2State *s = bs->opaque;
    Qcow2Kind kind = cluster_kind(bs, entry);
    bool allocated, zero;

    if (!qcow2_has_subclusters(s) || kind == QCOW2_COMPRESSED ||
        kind == QCOW2_INVALID) {
        return kind;
    }
    allocated = entry.bitmap & (1ULL << sc);
    zero = entry.bitmap & (1ULL << (sc + 32));
    if (allocated) {
        return zero || kind == QCOW2_UNALLOCATED ? QCOW2_INVALID : QCOW2_DATA;
    }
    if (zero) {
        return kind == QCOW2_DATA ? QCOW2_ZERO_HOST : QCOW2_ZERO;
    }
    return kind == QCOW2_DATA ? QCOW2_UNALLOCATED_HOST : QCOW2_UNALLOCATED;
}

unsigned qcow2_kind_run(BlockDriverState *bs, Qcow2Entry entry, unsigned sc)
{
    Qcow2State *s = bs->opaque;
    uint32_t allocated, zero, differ;

    if (!qcow2_has_subclusters(s) || (entry.e & QCOW2_COMPRESSED_FLAG)) {
        return s->subclusters - sc;
    }
    /* Bits of those that are not as the first one. */
    allocated = (uint32_t)entry.bitmap >> sc;
    zero = (uint32_t)(entry.bitmap >> 32) >> sc;
    differ = ((allocated & 1) ? ~allocated : allocated) |
             ((zero & 1) ? ~zero : zero);
    return MIN(differ ? ctz32(differ) : 32, (int)(s->subclusters - sc));
}

void qcow2_compressed_place(const Qcow2State *s, uint64_t e, uint64_t *host,
                            uint64_t *bytes)
{
    unsigned offset_bits = 62 - (s->cluster_bits - 8);
    uint64_t sectors = (e & ~QCOW2_COMPRESSED_FLAG & ~QCOW2_COPIED) >>
                       offset_bits;

    *host = e & ((1ULL << offset_bits) - 1);
    *bytes = (sectors + 1) * QCOW2_SECTOR - *host % QCOW2_SECTOR;
}

void qcow2_corrupt_entry(BlockDriverState *bs, const Qcow2Slice *l2,
                         unsigned i, Qcow2Entry entry, int64_t guest)
{
    Qcow2State *s = bs->opaque;
    uint64_t table = qcow2_cluster_down(s, l2->offset);
    uint64_t index = (l2->offset - table) / s->entry_words / sizeof(uint64_t) +
                     i;
    uint64_t host = entry.e & QCOW2_ENTRY_OFFSET;

    if (entry.e & QCOW2_COMPRESSED_FLAG) {
        qcow2_corrupt(bs, true, -1, -1, qcow2_has_data_file(bs)
                      ? "Compressed cluster entry found in image with "
                        "external data file (L2 offset: %#" PRIx64
                        ", L2 index: %#" PRIx64 ")"
                      : "Invalid cluster entry found (L2 offset: %#" PRIx64
                        ", L2 index: %#" PRIx64 ")", table, index);
    } else if ((entry.e & QCOW2_ZERO_FLAG) && s->hdr.version < 3) {
        qcow2_corrupt(bs, true, -1, -1, "Zero cluster entry found in pre-v3 "
                      "image (L2 offset: %#" PRIx64 ", L2 index: %#" PRIx64
                      ")", table, index);
    } else if (qcow2_in_cluster(s, host) && guest >= 0) {
        qcow2_corrupt(bs, true, -1, -1, "%s cluster offset %#" PRIx64
                      " unaligned (guest offset: %#" PRIx64 ")",
                      !qcow2_has_subclusters(s) && (entry.e & QCOW2_ZERO_FLAG)
                      ? "Preallocated zero" : "Data", host, guest);
    } else if (qcow2_in_cluster(s, host)) {
        qcow2_corrupt(bs, true, -1, -1, "Cluster allocation offset %#" PRIx64
                      " unaligned (L2 offset: %#" PRIx64 ", L2 index: %#"
                      PRIx64 ")", host, table, index);
    } else {
        qcow2_corrupt(bs, true, -1, -1, "Invalid cluster entry found "
                      "(L2 offset: %#" PRIx64 ", L2 index: %#" PRIx64 ")",
                      table, index);
    }
}

/* ---- The L1 table ---- */

int coroutine_fn qcow2_read_l1(BlockDriverState *bs, uint64_t offset,
                               uint32_t entries, uint64_t **l1)
{
    uint64_t bytes = entries * sizeof(uint64_t);
    uint32_t i;
    int ret;

    *l1 = g_try_malloc0(MAX(bytes, sizeof(uint64_t)));
    if (!*l1) {
        return -ENOMEM;
    }
    ret = bytes ? bdrv_co_pread(bs->file, offset, bytes, *l1, 0) : 0;
    if (ret < 0) {
        g_clear_pointer(l1, g_free);
        return ret;
    }
    for (i = 0; i < entries; i++) {
        be64_to_cpus(&(*l1)[i]);
    }
    return 0;
}

int coroutine_fn qcow2_l1_load(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    ret = qcow2_read_l1(bs, s->hdr.l1_offset, s->hdr.l1_size, &s->l1);
    if (ret == -ENOMEM) {
        error_setg(errp, "Could not allocate L1 table");
    } else if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read L1 table");
    }
    s->l1_dirty_from = s->l1_dirty_to = 0;
    return ret;
}

int coroutine_fn qcow2_write_l1(BlockDriverState *bs, uint64_t offset,
                                const uint64_t *l1, uint32_t entries)
{
    Qcow2State *s = bs->opaque;
    uint64_t bytes = QEMU_ALIGN_UP(entries * sizeof(uint64_t), QCOW2_SECTOR);
    g_autofree uint64_t *buf = NULL;
    uint32_t i;
    int ret;

    if (!entries) {
        return 0;
    }
    buf = g_try_malloc0(bytes);
    if (!buf) {
        return -ENOMEM;
    }
    for (i = 0; i < entries; i++) {
        buf[i] = cpu_to_be64(l1[i]);
    }
    ret = qcow2_overlap_check(bs, 0, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    qcow2_host_written(s, offset + bytes);
    return bdrv_co_pwrite(bs->file, offset, bytes, buf, 0);
}

/* A table of @entries at @offset becomes the active one. */
static int coroutine_fn activate_l1(BlockDriverState *bs, uint64_t offset,
                                    uint32_t entries)
{
    Qcow2State *s = bs->opaque;
    uint64_t old_offset = s->hdr.l1_offset;
    uint32_t old_size = s->hdr.l1_size;
    int ret;

    s->hdr.l1_offset = offset;
    s->hdr.l1_size = entries;
    BLKDBG_EVENT(bs->file, BLKDBG_L1_GROW_ACTIVATE_TABLE);
    s->maps_unstable = true;
    ret = qcow2_header_write(bs);
    if (ret < 0) {
        s->hdr.l1_offset = old_offset;
        s->hdr.l1_size = old_size;
        qcow2_header_restore(bs);
        return ret;
    }
    if (old_size) {
        qcow2_free_later(bs, old_offset, old_size * sizeof(uint64_t),
                         QCOW2_FREE_OTHER);
    }
    return 0;
}

int coroutine_fn qcow2_l1_grow(BlockDriverState *bs, uint64_t entries,
                               bool exact)
{
    Qcow2State *s = bs->opaque;
    uint64_t max = QCOW2_MAX_L1_BYTES / sizeof(uint64_t), size = entries;
    uint64_t *l1;
    int64_t offset;
    int ret;

    if (entries <= s->hdr.l1_size) {
        return 0;
    }
    if (!exact) {
        size = MAX(entries, s->hdr.l1_size + s->hdr.l1_size / 2);
        size = MAX(entries, MIN(size, max));
    }
    if (size > max) {
        return -EFBIG;
    }
    /* What the old table on the disk says is complete from here on. */
    ret = qcow2_write_back(bs);
    if (ret < 0) {
        return ret;
    }
    l1 = g_try_renew(uint64_t, s->l1, size);
    if (!l1) {
        return -ENOMEM;
    }
    s->l1 = l1;
    memset(l1 + s->hdr.l1_size, 0,
           (size - s->hdr.l1_size) * sizeof(uint64_t));

    BLKDBG_EVENT(bs->file, BLKDBG_L1_GROW_ALLOC_TABLE);
    offset = qcow2_alloc_bytes(bs, size * sizeof(uint64_t));
    if (offset < 0) {
        return offset;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_L1_GROW_WRITE_TABLE);
    ret = qcow2_write_l1(bs, offset, l1, size);
    if (ret == 0) {
        ret = qcow2_write_refs(bs);
    }
    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret == 0) {
        ret = activate_l1(bs, offset, size);
    }
    if (ret < 0 && !s->header_unsure) {
        qcow2_free_unused(bs, offset,
                          qcow2_clusters(s, size * sizeof(uint64_t)));
    }
    return ret;
}

void qcow2_l1_shrink(BlockDriverState *bs, uint64_t entries)
{
    Qcow2State *s = bs->opaque;
    uint64_t i;

    BLKDBG_EVENT(bs->file, BLKDBG_L1_SHRINK_WRITE_TABLE);
    for (i = entries; i < s->hdr.l1_size; i++) {
        uint64_t table = s->l1[i] & QCOW2_ENTRY_OFFSET;

        if (s->l1[i]) {
            s->l1[i] = 0;
            qcow2_l1_dirty(s, i);
        }
        if (table) {
            qcow2_overlap_remove(s, table);
            qcow2_free_later(bs, table, s->cluster_size, QCOW2_FREE_OTHER);
        }
    }
}

/* ---- L2 tables ---- */

static inline uint64_t slice_bytes(const Qcow2State *s)
{
    return s->opt.slice_size;
}

/* The slice of the table at @table that describes @offset. */
static int coroutine_fn get_slice(BlockDriverState *bs, uint64_t table,
                                  uint64_t offset, Qcow2Slice **l2,
                                  unsigned *index)
{
    Qcow2State *s = bs->opaque;
    uint64_t entry = (offset >> s->cluster_bits) &
                     ((1ULL << s->l2_bits) - 1);

    *index = entry & ((1U << s->slice_bits) - 1);
    return qcow2_cache_get(s->l2_cache, table +
                           (entry >> s->slice_bits) * slice_bytes(s), l2);
}

static bool table_ok(BlockDriverState *bs, uint64_t table, uint64_t l1_index)
{
    Qcow2State *s = bs->opaque;

    if (likely(!qcow2_in_cluster(s, table))) {
        return true;
    }
    qcow2_corrupt(bs, true, -1, -1, "L2 table offset %#" PRIx64 " unaligned "
                  "(L1 index: %#" PRIx64 ")", table, l1_index);
    return false;
}

int coroutine_fn qcow2_l2_get(BlockDriverState *bs, uint64_t offset,
                              Qcow2Slice **l2, unsigned *index)
{
    Qcow2State *s = bs->opaque;
    uint64_t l1_index = offset >> qcow2_l1_shift(s);
    uint64_t table;

    *l2 = NULL;
    if (l1_index >= s->hdr.l1_size) {
        return 0;
    }
    table = s->l1[l1_index] & QCOW2_ENTRY_OFFSET;
    if (!table) {
        return 0;
    }
    if (!table_ok(bs, table, l1_index)) {
        return -EIO;
    }
    return get_slice(bs, table, offset, l2, index);
}

/* The new table at @new gets what the one at @old has. */
static int coroutine_fn copy_table(BlockDriverState *bs, uint64_t old,
                                   uint64_t new)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos;

    for (pos = 0; pos < s->cluster_size; pos += slice_bytes(s)) {
        Qcow2Slice *from, *to;
        int ret;

        ret = qcow2_cache_get(s->l2_cache, old + pos, &from);
        if (ret < 0) {
            return ret;
        }
        ret = qcow2_cache_get_new(s->l2_cache, new + pos, &to);
        if (ret == 0) {
            memcpy(to->data, from->data, slice_bytes(s));
            qcow2_cache_dirty(s->l2_cache, to, 0, slice_bytes(s));
            qcow2_cache_put(to);
        }
        qcow2_cache_put(from);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* A table that is ours alone for L1 entry @l1_index. */
static int coroutine_fn new_table(BlockDriverState *bs, uint64_t l1_index)
{
    Qcow2State *s = bs->opaque;
    uint64_t old = s->l1[l1_index] & QCOW2_ENTRY_OFFSET;
    int64_t new;
    bool fresh;
    int ret;

    new = qcow2_alloc_bytes(bs, s->cluster_size);
    if (new < 0) {
        return new;
    }
    if (new == 0) {
        qcow2_corrupt(bs, true, -1, -1,
                      "Preventing invalid allocation of L2 table at offset 0");
        return -EIO;
    }
    ret = qcow2_overlap_check(bs, 0, new, s->cluster_size);
    if (ret < 0) {
        return ret;
    }
    fresh = qcow2_host_is_fresh(s, new);
    qcow2_host_written(s, new + s->cluster_size);
    if (old) {
        ret = copy_table(bs, old, new);
    } else if (!fresh) {
        s->maps_unstable = true;
        ret = bdrv_co_pwrite_zeroes(bs->file, new, s->cluster_size, 0);
    }
    if (ret < 0) {
        qcow2_cache_forget(s->l2_cache, new, s->cluster_size);
        qcow2_free_unused(bs, new, 1);
        return ret;
    }
    s->l1[l1_index] = new | QCOW2_COPIED;
    qcow2_l1_dirty(s, l1_index);
    if (old) {
        qcow2_overlap_remove(s, old);
        qcow2_free_later(bs, old, s->cluster_size, QCOW2_FREE_OTHER);
    }
    qcow2_overlap_add(s, new, QCOW2_SECTION_ACTIVE_L2);
    return 0;
}

int coroutine_fn qcow2_l2_get_rw(BlockDriverState *bs, uint64_t offset,
                                 Qcow2Slice **l2, unsigned *index)
{
    Qcow2State *s = bs->opaque;
    uint64_t l1_index = offset >> qcow2_l1_shift(s);
    uint64_t table;
    int ret;

    if (l1_index >= s->hdr.l1_size) {
        ret = qcow2_l1_grow(bs, l1_index + 1, false);
        if (ret < 0) {
            return ret;
        }
    }
    table = s->l1[l1_index] & QCOW2_ENTRY_OFFSET;
    if (!table_ok(bs, table, l1_index)) {
        return -EIO;
    }
    if (!table || !(s->l1[l1_index] & QCOW2_COPIED)) {
        ret = new_table(bs, l1_index);
        if (ret < 0) {
            return ret;
        }
        table = s->l1[l1_index] & QCOW2_ENTRY_OFFSET;
    }
    return get_slice(bs, table, offset, l2, index);
}

/* ---- Extents ---- */

/* Append @n bytes to @run; false if they don't fit to it. */
static bool run_extend(Qcow2Run *run, Qcow2Kind kind, uint64_t host,
                       uint64_t entry, uint64_t n)
{
    if (!run->bytes) {
        run->kind = kind;
        run->host = host;
        run->entry = entry;
    } else if (run->kind != kind || kind == QCOW2_COMPRESSED ||
               (qcow2_kind_has_host(kind) && host != run->host + run->bytes)) {
        return false;
    }
    run->bytes += n;
    return true;
}

/* Can the host offset be right?  Raw data files have each byte at its place. */
static bool data_file_place_ok(BlockDriverState *bs, uint64_t guest,
                               uint64_t host)
{
    if (!qcow2_has_data_file(bs) || guest == host) {
        return true;
    }
    qcow2_corrupt(bs, true, -1, -1, "External data file host cluster offset %#"
                  PRIx64 " does not match guest cluster offset: %#" PRIx64,
                  host, guest);
    return false;
}

/*
 * Go on with the entries of slice @l2 from @index on, as far as @max.  1: the
 * run may continue behind the slice, 0: it ends here, or -errno.
 */
static int map_slice(BlockDriverState *bs, Qcow2Slice *l2, unsigned index,
                     uint64_t offset, uint64_t max, Qcow2Run *run)
{
    Qcow2State *s = bs->opaque;

    for (; index < 1U << s->slice_bits && run->bytes < max; index++) {
        uint64_t in = qcow2_in_cluster(s, offset + run->bytes);
        Qcow2Entry entry = qcow2_entry_get(s, l2, index);
        uint64_t host = entry.e & QCOW2_ENTRY_OFFSET;

        while (in < s->cluster_size) {
            unsigned sc = in >> s->subcluster_bits;
            Qcow2Kind kind = qcow2_kind(bs, entry, sc);
            uint64_t end;

            if (unlikely(kind == QCOW2_INVALID)) {
                if (run->bytes) {
                    return 0;
                }
                qcow2_corrupt_entry(bs, l2, index, entry, -1);
                return -EIO;
            }
            end = (uint64_t)(sc + qcow2_kind_run(bs, entry, sc)) <<
                  s->subcluster_bits;
            if (qcow2_kind_has_host(kind) && !run->bytes &&
                !data_file_place_ok(bs, offset, host + in)) {
                return -EIO;
            }
            if (!run_extend(run, kind, host + in, entry.e, end - in)) {
                return 0;
            }
            in = end;
        }
    }
    return 1;
}

int coroutine_fn qcow2_map(BlockDriverState *bs, uint64_t offset, uint64_t max,
                           Qcow2Run *run)
{
    Qcow2State *s = bs->opaque;
    unsigned shift = qcow2_l1_shift(s), slices = 0;
    int ret;

    assert(max > 0);
    run->bytes = 0;
    while (run->bytes < max) {
        uint64_t pos = offset + run->bytes;
        uint64_t l1_index = pos >> shift;
        Qcow2Slice *l2;
        unsigned index;

        if (l1_index >= s->hdr.l1_size ||
            !(s->l1[l1_index] & QCOW2_ENTRY_OFFSET)) {
            /* Nothing up to the end of what this L1 entry stands for. */
            uint64_t n = ((l1_index + 1) << shift) - pos;

            if (l1_index >= s->hdr.l1_size) {
                n = max - run->bytes;
            }
            if (!run_extend(run, QCOW2_UNALLOCATED, 0, 0, n)) {
                break;
            }
            continue;
        }
        if (slices++ == MAX_MAP_SLICES) {
            break;
        }
        ret = qcow2_l2_get(bs, pos, &l2, &index);
        if (ret < 0) {
            if (run->bytes) {
                break;
            }
            return ret;
        }
        ret = map_slice(bs, l2, index, offset, max, run);
        qcow2_cache_put(l2);
        if (ret < 0) {
            return ret;
        }
        if (ret == 0) {
            break;
        }
    }
    run->bytes = MIN(run->bytes, max);
    return 0;
}
