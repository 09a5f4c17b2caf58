/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: the order in which metadata are written back.
 *
 * Invariants, at every moment, for what is on stable storage
 *   1. A map never refers to a cluster whose refcount does not include this
 *      reference: refs go to the disk before L2 tables, these before the L1
 *      table.  (Not while the image is marked dirty: lazy refcounts.)
 *   2. A refcount goes down only after the map that referred to the cluster
 *      has changed.  Until then the cluster is not reused either.
 *   3. A map never refers to a cluster before the data copied into it are
 *      there.
 *   4. A refcount table entry never refers to a block that is not there.
 *   5. While it is not known which of two headers is on the disk, what either
 *      refers to stays allocated, and no flush succeeds (->header_unsure).
 * So a crash leaks clusters at worst, with two exceptions that a check calls
 * errors, and that cost no data: a snapshot that was being made may leave
 * entries that claim to be the only ones; and a write that failed behind a new
 * L2 table at the end of the file may leave that table outside of it.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"
#include "qapi/qapi-events-block-core.h"

/* More than this and they are freed although nobody flushes. */
#define MAX_FREES           1024
#define MAX_FREES_BYTES     (1 * GiB)

int coroutine_fn qcow2_barrier(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    bool unsafe = bs->open_flags & BDRV_O_NO_FLUSH;
    int ret = 0;

    if (s->data_unstable && !unsafe) {
        ret = bdrv_co_flush(qcow2_data(bs)->bs);
        if (ret < 0) {
            return ret;
        }
        s->data_unstable = false;
    }
    ret = unsafe ? 0 : bdrv_co_flush(bs->file->bs);
    if (ret < 0) {
        return ret;
    }
    s->refs_unstable = false;
    s->maps_unstable = false;
    return 0;
}

/* Write entries [from, to) of a table of 64-bit values, as whole blocks. */
static int coroutine_fn write_entries(BlockDriverState *bs,
                                      const uint64_t *table, uint64_t size,
                                      uint64_t from, uint64_t to,
                                      uint64_t table_offset,
                                      Qcow2Section section)
{
    Qcow2State *s = bs->opaque;
    uint64_t align = MIN(MAX(QCOW2_SECTOR, bs->file->bs->bl.request_alignment),
                         s->cluster_size) / sizeof(uint64_t);
    g_autofree uint64_t *buf = NULL;
    uint64_t i;
    int ret;

    from = QEMU_ALIGN_DOWN(from, align);
    to = QEMU_ALIGN_UP(to, align);
    buf = g_try_new0(uint64_t, to - from);
    if (!buf) {
        return -ENOMEM;
    }
    for (i = from; i < MIN(to, size); i++) {
        buf[i - from] = cpu_to_be64(table[i]);
    }
    table_offset += from * sizeof(uint64_t);
    ret = qcow2_overlap_check(bs, section, table_offset,
                              (to - from) * sizeof(uint64_t));
    if (ret < 0) {
        return ret;
    }
    qcow2_host_written(s, table_offset + (to - from) * sizeof(uint64_t));
    BLKDBG_EVENT(bs->file, section == QCOW2_SECTION_ACTIVE_L1
                           ? BLKDBG_L1_UPDATE : BLKDBG_REFBLOCK_ALLOC_HOOKUP);
    return bdrv_co_pwrite(bs->file, table_offset,
                          (to - from) * sizeof(uint64_t), buf, 0);
}

/* ---- Refs ---- */

void qcow2_reftable_dirty(Qcow2State *s, uint64_t first, uint64_t end)
{
    if (s->reftable_dirty_from >= s->reftable_dirty_to) {
        s->reftable_dirty_from = first;
        s->reftable_dirty_to = end;
    } else {
        s->reftable_dirty_from = MIN(s->reftable_dirty_from, first);
        s->reftable_dirty_to = MAX(s->reftable_dirty_to, end);
    }
}

int coroutine_fn qcow2_write_refs(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (qcow2_cache_is_dirty(s->ref_cache)) {
        s->refs_unstable = true;
        ret = qcow2_cache_write(s->ref_cache);
        if (ret < 0) {
            return ret;
        }
    }
    if (s->reftable_dirty_from < s->reftable_dirty_to) {
        ret = qcow2_barrier(bs);
        if (ret < 0) {
            return ret;
        }
        s->refs_unstable = true;
        ret = write_entries(bs, s->reftable, s->reftable_size,
                            s->reftable_dirty_from, s->reftable_dirty_to,
                            s->hdr.reftable_offset, QCOW2_SECTION_REFTABLE);
        if (ret < 0) {
            return ret;
        }
        s->reftable_dirty_from = s->reftable_dirty_to = 0;
    }
    return 0;
}

/* What maps on the disk may rely on. */
static int coroutine_fn stabilize_refs(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (!(s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        ret = qcow2_write_refs(bs);
        if (ret < 0) {
            return ret;
        }
    }
    return s->refs_unstable ? qcow2_barrier(bs) : 0;
}

/* ---- Maps ---- */

int coroutine_fn qcow2_write_l2(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (!qcow2_cache_is_dirty(s->l2_cache)) {
        return 0;
    }
    ret = stabilize_refs(bs);
    if (ret < 0) {
        return ret;
    }
    s->maps_unstable = true;
    return qcow2_cache_write(s->l2_cache);
}

void qcow2_l1_dirty(Qcow2State *s, uint32_t index)
{
    if (s->l1_dirty_from >= s->l1_dirty_to) {
        s->l1_dirty_from = index;
        s->l1_dirty_to = index + 1;
    } else {
        s->l1_dirty_from = MIN(s->l1_dirty_from, index);
        s->l1_dirty_to = MAX(s->l1_dirty_to, index + 1);
    }
}

static int coroutine_fn write_l1(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->l1_dirty_from >= s->l1_dirty_to) {
        return 0;
    }
    ret = stabilize_refs(bs);
    if (ret == 0 && s->maps_unstable) {
        ret = qcow2_barrier(bs);
    }
    if (ret < 0) {
        return ret;
    }
    s->maps_unstable = true;
    ret = write_entries(bs, s->l1, s->hdr.l1_size, s->l1_dirty_from,
                        s->l1_dirty_to, s->hdr.l1_offset,
                        QCOW2_SECTION_ACTIVE_L1);
    if (ret == 0) {
        s->l1_dirty_from = s->l1_dirty_to = 0;
    }
    return ret;
}

/* ---- What is not referred to any more ---- */

void qcow2_free_later(BlockDriverState *bs, uint64_t offset, uint64_t bytes,
                      Qcow2FreeType type)
{
    Qcow2State *s = bs->opaque;
    Qcow2Free f = {
        .first = offset >> s->cluster_bits,
        .type = type,
    };

    f.count = qcow2_clusters(s, offset + bytes) - f.first;
    s->frees_clusters += f.count;
    if (s->frees->len) {
        Qcow2Free *last = &g_array_index(s->frees, Qcow2Free,
                                         s->frees->len - 1);

        if (last->type == type && last->first + last->count == f.first) {
            last->count += f.count;
            return;
        }
    }
    g_array_append_val(s->frees, f);
}

void coroutine_fn qcow2_free_entry_later(BlockDriverState *bs, uint64_t guest,
                                         uint64_t e, Qcow2FreeType type)
{
    Qcow2State *s = bs->opaque;
    uint64_t host = e & QCOW2_ENTRY_OFFSET, bytes;

    if (e & QCOW2_COMPRESSED_FLAG) {
        qcow2_compressed_place(s, e, &host, &bytes);
        host = QEMU_ALIGN_DOWN(host, QCOW2_SECTOR);
        qcow2_free_later(bs, host, bytes, type);
    } else if (qcow2_has_data_file(bs)) {
        /* New data would go to the same place: now or never. */
        if ((host || (e & QCOW2_COPIED)) && s->opt.pass_discard[type]) {
            bdrv_co_pdiscard(qcow2_data(bs), host, s->cluster_size);
        }
    } else if (host && qcow2_in_cluster(s, host)) {
        qcow2_corrupt(bs, true, host, s->cluster_size,
                      "Cannot free unaligned cluster %#llx",
                      (unsigned long long)host);
    } else if (host) {
        qcow2_free_later(bs, host, s->cluster_size, type);
    }
}

/* The maps on the disk are up to date. */
static int coroutine_fn apply_frees(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    GArray *list = s->frees;
    int ret = 0;
    guint i;

    s->frees = g_array_new(false, false, sizeof(Qcow2Free));
    s->frees_clusters = 0;
    for (i = 0; i < list->len && ret == 0; i++) {
        Qcow2Free *f = &g_array_index(list, Qcow2Free, i);

        ret = qcow2_refcount_add(bs, f->first, f->count, -1, f->type);
    }
    if (ret < 0 && ret != -EINVAL) {
        /* This one and the rest: the next time. */
        g_array_append_vals(s->frees, &g_array_index(list, Qcow2Free, i - 1),
                            list->len - (i - 1));
    }
    g_array_free(list, true);
    return ret;
}

int coroutine_fn qcow2_limit_frees(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    if (s->frees->len > MAX_FREES ||
        s->frees_clusters > MAX_FREES_BYTES >> s->cluster_bits) {
        return qcow2_write_back(bs);
    }
    return 0;
}

/* ---- All together ---- */

static int coroutine_fn write_maps_and_free(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret = 0;

    if (s->header_unsure) {
        ret = qcow2_header_write(bs);
    }
    if (ret == 0) {
        ret = qcow2_write_l2(bs);
    }
    if (ret == 0) {
        ret = write_l1(bs);
    }
    if (ret < 0 || !s->frees->len) {
        return ret;
    }
    if (s->maps_unstable) {
        ret = qcow2_barrier(bs);
        if (ret < 0) {
            return ret;
        }
    }
    return apply_frees(bs);
}

int coroutine_fn qcow2_write_back(BlockDriverState *bs)
{
    int ret;

    ret = write_maps_and_free(bs);
    return ret < 0 ? ret : qcow2_write_refs(bs);
}

int coroutine_fn qcow2_flush_to_os(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret = write_maps_and_free(bs);

    if (ret == 0 && !(s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        ret = qcow2_write_refs(bs);
    }
    return ret;
}

int coroutine_fn qcow2_sync(BlockDriverState *bs)
{
    int ret = qcow2_write_back(bs);

    return ret < 0 ? ret : qcow2_barrier(bs);
}

/* ---- Marks in the header ---- */

int coroutine_fn qcow2_mark_dirty(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY) {
        return 0;
    }
    s->hdr.incompatible |= QCOW2_INCOMPAT_DIRTY;
    ret = qcow2_header_write_features(bs);
    if (ret < 0) {
        s->hdr.incompatible &= ~QCOW2_INCOMPAT_DIRTY;
    }
    return ret;
}

int coroutine_fn qcow2_mark_clean(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (!(s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        return 0;
    }
    ret = qcow2_sync(bs);
    if (ret < 0) {
        return ret;
    }
    s->hdr.incompatible &= ~QCOW2_INCOMPAT_DIRTY;
    ret = qcow2_header_write_features(bs);
    if (ret < 0) {
        s->hdr.incompatible |= QCOW2_INCOMPAT_DIRTY;
    }
    return ret;
}

void qcow2_corrupt(BlockDriverState *bs, bool fatal, int64_t offset,
                   int64_t size, const char *fmt, ...)
{
    Qcow2State *s = bs->opaque;
    const char *node_name = bdrv_get_node_name(bs);
    g_autofree char *message = NULL;
    va_list ap;

    fatal = fatal && bdrv_is_writable(bs);
    if (s->broken || (s->corruption_told && !fatal)) {
        return;
    }
    va_start(ap, fmt);
    message = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (fatal) {
        fprintf(stderr, "qcow2: Marking image as corrupt: %s; further "
                "corruption events will be suppressed\n", message);
    } else {
        fprintf(stderr, "qcow2: Image is corrupt: %s; further non-fatal "
                "corruption events will be suppressed\n", message);
    }
    qapi_event_send_block_image_corrupted(bdrv_get_device_name(bs),
                                          *node_name != '\0', node_name,
                                          message, offset >= 0, offset,
                                          size >= 0, size, fatal, NULL);
    s->corruption_told = true;
    if (fatal) {
        s->broken = true;
        s->hdr.incompatible |= QCOW2_INCOMPAT_CORRUPT;
        qcow2_header_write_features(bs);
    }
}
