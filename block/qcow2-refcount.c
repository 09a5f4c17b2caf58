/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: reference counts of host clusters, and finding free ones.
 *
 * The refcount table has an entry for each refcount block, the block a count
 * for each of a "region" of consecutive clusters.  An entry of 0 says that the
 * whole region is free.
 *
 * New blocks stand directly before the clusters for which they were needed;
 * they may count themselves.  A table that gets too small is replaced by one
 * that stands, with the blocks for its own place, where the old one's reach
 * ends: there everything is free.
 *
 * Invariants
 *   1. No cluster below ->free_hint is free.
 *   2. Nothing was written to the file at or behind ->file_end.
 *   3. If ->file_ahead is not 0 the file is that long, although it need only
 *      be ->file_end bytes long.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"

/* ---- Counts ---- */

uint64_t qcow2_refcount_get_raw(const void *block, unsigned order,
                                uint64_t index)
{
    switch (order) {
    case 0: case 1: case 2: {
        unsigned per_byte = 8 >> order;
        unsigned shift = (index % per_byte) << order;

        return (((const uint8_t *)block)[index / per_byte] >> shift) &
               ((1U << (1U << order)) - 1);
    }
    case 3:
        return ((const uint8_t *)block)[index];
    case 4:
        return lduw_be_p((const uint16_t *)block + index) & 0xffff;
    case 5:
        return (uint32_t)ldl_be_p((const uint32_t *)block + index);
    default:
        return ldq_be_p((const uint64_t *)block + index);
    }
}

void qcow2_refcount_set_raw(void *block, unsigned order, uint64_t index,
                            uint64_t value)
{
    assert(order == 6 || !(value >> (1U << order)));
    switch (order) {
    case 0: case 1: case 2: {
        unsigned per_byte = 8 >> order;
        unsigned shift = (index % per_byte) << order;
        uint8_t *byte = (uint8_t *)block + index / per_byte;
        uint8_t mask = ((1U << (1U << order)) - 1) << shift;

        *byte = (*byte & ~mask) | (value << shift);
        break;
    }
    case 3:
        ((uint8_t *)block)[index] = value;
        break;
    case 4:
        stw_be_p((uint16_t *)block + index, value);
        break;
    case 5:
        stl_be_p((uint32_t *)block + index, value);
        break;
    default:
        stq_be_p((uint64_t *)block + index, value);
        break;
    }
}

int coroutine_fn qcow2_refs_load(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t i, entries;
    int64_t length;
    int ret;

    entries = ((uint64_t)s->hdr.reftable_clusters << s->cluster_bits) /
              sizeof(uint64_t);
    s->reftable = g_try_new0(uint64_t, MAX(entries, 1));
    if (!s->reftable) {
        error_setg(errp, "Could not allocate the refcount table of %" PRIu64
                   " entries", entries);
        return -ENOMEM;
    }
    s->reftable_size = entries;
    BLKDBG_EVENT(bs->file, BLKDBG_REFTABLE_LOAD);
    ret = bdrv_co_pread(bs->file, s->hdr.reftable_offset,
                        entries * sizeof(uint64_t), s->reftable, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not initialize refcount handling");
        return ret;
    }
    for (i = 0; i < entries; i++) {
        be64_to_cpus(&s->reftable[i]);
    }
    length = bdrv_getlength(bs->file->bs);
    if (length < 0) {
        error_setg_errno(errp, -length, "Could not get file size");
        return length;
    }
    s->file_end = length;
    s->file_grows_zeroed = bdrv_has_zero_init(bs->file->bs) == 1;
    s->free_hint = 0;
    return 0;
}

bool qcow2_host_is_fresh(Qcow2State *s, uint64_t host)
{
    return s->file_grows_zeroed && host >= s->file_end;
}

/* The block of @region, pinned; NULL if there is none. */
static int coroutine_fn get_block(BlockDriverState *bs, uint64_t region,
                                  Qcow2Slice **block)
{
    Qcow2State *s = bs->opaque;
    uint64_t offset;

    *block = NULL;
    if (region >= s->reftable_size) {
        return 0;
    }
    offset = s->reftable[region] & QCOW2_REFTABLE_OFFSET;
    if (!offset) {
        return 0;
    }
    if (qcow2_in_cluster(s, offset)) {
        qcow2_corrupt(bs, true, -1, -1, "Refblock offset %#" PRIx64
                      " unaligned (reftable index: %#" PRIx64 ")", offset,
                      region);
        return -EIO;
    }
    return qcow2_cache_get(s->ref_cache, offset, block);
}

int coroutine_fn qcow2_refcount(BlockDriverState *bs, uint64_t cluster,
                                uint64_t *count)
{
    Qcow2State *s = bs->opaque;
    Qcow2Slice *block;
    int ret;

    ret = get_block(bs, cluster >> s->refblock_bits, &block);
    if (ret < 0) {
        return ret;
    }
    *count = 0;
    if (block) {
        *count = qcow2_refcount_get_raw(block->data, s->hdr.refcount_order,
                                        cluster &
                                        ((1ULL << s->refblock_bits) - 1));
        qcow2_cache_put(block);
    }
    return 0;
}

/* Counts [from, to) of a block changed. */
static void dirty_counts(Qcow2State *s, Qcow2Slice *block, uint64_t from,
                         uint64_t to)
{
    uint64_t first = (from << s->hdr.refcount_order) / 8;
    uint64_t end = DIV_ROUND_UP(to << s->hdr.refcount_order, 8);

    qcow2_cache_dirty(s->ref_cache, block, first, end - first);
}

int coroutine_fn qcow2_refcount_set(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t count)
{
    Qcow2State *s = bs->opaque;
    uint64_t index = cluster & ((1ULL << s->refblock_bits) - 1);
    Qcow2Slice *block;
    int ret;

    if (count > s->refcount_max) {
        return -EINVAL;
    }
    ret = get_block(bs, cluster >> s->refblock_bits, &block);
    if (ret < 0) {
        return ret;
    }
    if (!block) {
        return -ENOENT;
    }
    qcow2_refcount_set_raw(block->data, s->hdr.refcount_order, index, count);
    dirty_counts(s, block, index, index + 1);
    qcow2_cache_put(block);
    return 0;
}

/* ---- Clusters that became free ---- */

static void coroutine_fn clusters_freed(BlockDriverState *bs, uint64_t first,
                                        uint64_t count, Qcow2FreeType type)
{
    Qcow2State *s = bs->opaque;
    uint64_t offset = first << s->cluster_bits;
    uint64_t bytes = count << s->cluster_bits, i;

    s->free_hint = MIN(s->free_hint, first);
    if (s->pack_pos >= offset && s->pack_pos - offset < bytes) {
        s->pack_pos = 0;
    }
    qcow2_cache_forget(s->ref_cache, offset, bytes);
    qcow2_cache_forget(s->l2_cache, offset, bytes);
    if (g_hash_table_size(s->meta_clusters)) {
        for (i = 0; i < count; i++) {
            qcow2_overlap_remove(s, offset + (i << s->cluster_bits));
        }
    }
    if (s->opt.pass_discard[type]) {
        bdrv_co_pdiscard(bs->file, offset, bytes);
    }
}

/* Add @delta to counts [from, to) of one region: all or none. */
static int coroutine_fn add_in_region(BlockDriverState *bs, uint64_t region,
                                      uint64_t from, uint64_t to, int delta,
                                      Qcow2FreeType type)
{
    Qcow2State *s = bs->opaque;
    uint64_t base = region << s->refblock_bits;
    unsigned order = s->hdr.refcount_order;
    uint64_t i, value, run = 0;
    Qcow2Slice *block;
    int ret;

    ret = s->opt.lazy_refcounts ? qcow2_mark_dirty(bs) : 0;
    if (ret == 0) {
        ret = get_block(bs, region, &block);
    }
    if (ret < 0) {
        return ret;
    }
    if (!block) {
        return delta < 0 ? -EINVAL : -EIO;
    }
    for (i = from; i < to; i++) {
        value = qcow2_refcount_get_raw(block->data, order, i);
        if (value == (delta < 0 ? 0 : s->refcount_max)) {
            qcow2_cache_put(block);
            return -EINVAL;
        }
        if (delta < 0 && value == 1 &&
            (base + i) << s->cluster_bits == block->offset) {
            qcow2_corrupt(bs, true, block->offset, s->cluster_size,
                          "Preventing the freeing of the refcount block at "
                          "offset %#" PRIx64, block->offset);
            qcow2_cache_put(block);
            return -EIO;
        }
    }
    for (i = from; i < to; i++) {
        value = qcow2_refcount_get_raw(block->data, order, i) + delta;
        qcow2_refcount_set_raw(block->data, order, i, value);
    }
    dirty_counts(s, block, from, to);
    for (i = from; delta < 0 && i <= to; i++) {
        if (i < to &&
            qcow2_refcount_get_raw(block->data, order, i) == 0) {
            run++;
        } else if (run) {
            /* Not the block itself: see above. */
            clusters_freed(bs, base + i - run, run, type);
            run = 0;
        }
    }
    qcow2_cache_put(block);
    return 0;
}

int coroutine_fn qcow2_refcount_add(BlockDriverState *bs, uint64_t first,
                                    uint64_t count, int delta,
                                    Qcow2FreeType type)
{
    Qcow2State *s = bs->opaque;
    uint64_t done = 0;
    int ret = 0;

    assert(delta == 1 || delta == -1);
    while (done < count) {
        uint64_t pos = first + done;
        uint64_t region = pos >> s->refblock_bits;
        uint64_t from = pos - (region << s->refblock_bits);
        uint64_t n = MIN(count - done, (1ULL << s->refblock_bits) - from);

        ret = add_in_region(bs, region, from, from + n, delta, type);
        if (ret < 0) {
            break;
        }
        done += n;
    }
    if (ret < 0 && done && delta > 0) {
        /* Nobody is going to use what was counted. */
        qcow2_refcount_add(bs, first, done, -1, QCOW2_FREE_NEVER);
    }
    return ret;
}

/* ---- Searching ---- */

/* Number of free clusters at index @from of @block, at most @max. */
static uint64_t count_free(Qcow2State *s, const Qcow2Slice *block,
                           uint64_t from, uint64_t max)
{
    uint64_t n = 0;

    while (n < max && qcow2_refcount_get_raw(block->data,
                                             s->hdr.refcount_order,
                                             from + n) == 0) {
        n++;
    }
    return n;
}

/* Free clusters from @pos on, at most @max. */
static int64_t coroutine_fn free_at(BlockDriverState *bs, uint64_t pos,
                                    uint64_t max)
{
    Qcow2State *s = bs->opaque;
    uint64_t region_size = 1ULL << s->refblock_bits;
    uint64_t n = 0;

    while (n < max) {
        uint64_t region = (pos + n) >> s->refblock_bits;
        uint64_t from = (pos + n) & (region_size - 1);
        uint64_t k = MIN(region_size - from, max - n);
        Qcow2Slice *block;
        int ret;

        if (region >= s->reftable_size) {
            return max;
        }
        ret = get_block(bs, region, &block);
        if (ret < 0) {
            return ret;
        }
        if (block) {
            uint64_t got = count_free(s, block, from, k);

            qcow2_cache_put(block);
            if (got < k) {
                return n + got;
            }
        }
        n += k;
    }
    return n;
}

/* The first free cluster at or after @pos. */
static int64_t coroutine_fn next_free(BlockDriverState *bs, uint64_t pos)
{
    Qcow2State *s = bs->opaque;
    uint64_t region_size = 1ULL << s->refblock_bits;

    for (;;) {
        uint64_t region = pos >> s->refblock_bits;
        uint64_t i = pos & (region_size - 1);
        Qcow2Slice *block;
        int ret;

        ret = get_block(bs, region, &block);
        if (ret < 0) {
            return ret;
        }
        if (!block) {
            return pos;
        }
        while (i < region_size &&
               qcow2_refcount_get_raw(block->data, s->hdr.refcount_order,
                                      i) != 0) {
            i++;
        }
        qcow2_cache_put(block);
        pos = (region << s->refblock_bits) + i;
        if (i < region_size) {
            return pos;
        }
    }
}

/* A run of @min to @want free clusters; its length, or -errno. */
static int64_t coroutine_fn find_run(BlockDriverState *bs, uint64_t min,
                                     uint64_t want, uint64_t *start)
{
    Qcow2State *s = bs->opaque;
    uint64_t limit = (QCOW2_ENTRY_OFFSET >> s->cluster_bits) - want;
    int64_t pos = s->free_hint, n;
    bool first = true;

    for (;; pos += n) {
        pos = next_free(bs, pos);
        if (pos < 0) {
            return pos;
        }
        if (first) {
            s->free_hint = pos;
            first = false;
        }
        if (pos > limit) {
            return -EFBIG;
        }
        n = free_at(bs, pos, want);
        if (n < 0) {
            return n;
        }
        if (n >= min) {
            *start = pos;
            return n;
        }
    }
}

/* ---- Blocks and the table ---- */

/* Number of regions of [first, first + count) that have no block. */
static uint64_t missing_blocks(Qcow2State *s, uint64_t first, uint64_t count)
{
    uint64_t r = first >> s->refblock_bits;
    uint64_t last = (first + count - 1) >> s->refblock_bits;
    uint64_t n = 0;

    for (; r <= last; r++) {
        n += r >= s->reftable_size ||
             !(s->reftable[r] & QCOW2_REFTABLE_OFFSET);
    }
    return n;
}

/* An empty block for @region at cluster @place. */
static int coroutine_fn create_block(BlockDriverState *bs, uint64_t region,
                                     uint64_t place)
{
    Qcow2State *s = bs->opaque;
    uint64_t offset = place << s->cluster_bits;
    Qcow2Slice *block;
    int ret;

    if (!offset) {
        qcow2_corrupt(bs, true, -1, -1, "Preventing invalid allocation of "
                      "refcount block at offset 0");
        return -EIO;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_REFBLOCK_ALLOC);
    ret = qcow2_overlap_check(bs, 0, offset, s->cluster_size);
    if (ret == 0) {
        ret = qcow2_cache_get_new(s->ref_cache, offset, &block);
    }
    if (ret < 0) {
        return ret;
    }
    qcow2_cache_dirty(s->ref_cache, block, 0, s->cluster_size);
    qcow2_cache_put(block);
    s->reftable[region] = offset;
    qcow2_reftable_dirty(s, region, region + 1);
    qcow2_overlap_add(s, offset, QCOW2_SECTION_REFBLOCK);
    return 0;
}

/*
 * Blocks for the regions of [place, place + count) that have none, one after
 * the other from cluster @place on, where there is room for them.  They count
 * themselves.
 */
static int coroutine_fn create_blocks(BlockDriverState *bs, uint64_t place,
                                      uint64_t count)
{
    Qcow2State *s = bs->opaque;
    uint64_t r = place >> s->refblock_bits;
    uint64_t last = (place + count - 1) >> s->refblock_bits;
    uint64_t made = 0;
    int ret = 0;

    for (; r <= last; r++) {
        if (s->reftable[r] & QCOW2_REFTABLE_OFFSET) {
            continue;
        }
        ret = create_block(bs, r, place + made);
        if (ret < 0) {
            break;
        }
        made++;
    }
    if (ret == 0 && made) {
        ret = qcow2_refcount_add(bs, place, made, 1, QCOW2_FREE_NEVER);
    }
    if (ret == 0) {
        return 0;
    }
    /* A region without counts is what it was before. */
    while (made > 0) {
        uint64_t offset = (place + --made) << s->cluster_bits;

        while (s->reftable[--r] != offset) {
            /* had a block already */
        }
        s->reftable[r] = 0;
        qcow2_overlap_remove(s, offset);
        qcow2_cache_forget(s->ref_cache, offset, s->cluster_size);
    }
    return ret;
}

/* Make the file refer to the new table; the old one is free later. */
static int coroutine_fn switch_table(BlockDriverState *bs, uint64_t offset,
                                     uint64_t clusters)
{
    Qcow2State *s = bs->opaque;
    uint64_t old_offset = s->hdr.reftable_offset;
    uint32_t old_clusters = s->hdr.reftable_clusters;
    int ret;

    s->hdr.reftable_offset = offset;
    s->hdr.reftable_clusters = clusters;
    qcow2_reftable_dirty(s, 0, s->reftable_size);
    BLKDBG_EVENT(bs->file, BLKDBG_REFBLOCK_ALLOC_WRITE_TABLE);
    ret = qcow2_write_refs(bs);
    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret == 0) {
        BLKDBG_EVENT(bs->file, BLKDBG_REFBLOCK_ALLOC_SWITCH_TABLE);
        ret = qcow2_header_write(bs);
    }
    if (ret == 0) {
        ret = bdrv_co_flush(bs->file->bs);
    }
    if (ret < 0) {
        s->hdr.reftable_offset = old_offset;
        s->hdr.reftable_clusters = old_clusters;
        qcow2_header_restore(bs);
        return ret;
    }
    qcow2_free_later(bs, old_offset, (uint64_t)old_clusters << s->cluster_bits,
                     QCOW2_FREE_OTHER);
    return 0;
}

/* A table that covers cluster @upto. */
static int coroutine_fn grow_table(BlockDriverState *bs, uint64_t upto)
{
    Qcow2State *s = bs->opaque;
    uint64_t per_cluster = s->cluster_size / sizeof(uint64_t);
    uint64_t place = s->reftable_size << s->refblock_bits;
    uint64_t old_size = s->reftable_size;
    uint64_t max_size = QCOW2_MAX_REFTABLE / sizeof(uint64_t);
    uint64_t regions, clusters, blocks = 1;
    uint64_t *table;
    int ret;

    BLKDBG_EVENT(bs->file, BLKDBG_REFTABLE_GROW);
    if (upto >> s->refblock_bits >= max_size) {
        return -EFBIG;
    }
    regions = MAX((upto >> s->refblock_bits) + 1,
                  MIN(old_size + old_size / 2 + 1, max_size));
    for (;;) {
        uint64_t last;

        clusters = DIV_ROUND_UP(regions, per_cluster);
        last = (place + blocks + clusters - 1) >> s->refblock_bits;
        if (last + 1 > clusters * per_cluster) {
            regions = last + 1;
        } else if (last + 1 - old_size > blocks) {
            blocks = last + 1 - old_size;
        } else {
            break;
        }
    }
    if (clusters * per_cluster > max_size) {
        return -EFBIG;
    }
    table = g_try_renew(uint64_t, s->reftable, clusters * per_cluster);
    if (!table) {
        return -ENOMEM;
    }
    s->reftable = table;
    s->reftable_size = clusters * per_cluster;
    memset(table + old_size, 0,
           (s->reftable_size - old_size) * sizeof(uint64_t));

    /* [blocks][table], all in what was out of reach. */
    ret = create_blocks(bs, place, blocks + clusters);
    if (ret == 0) {
        ret = qcow2_refcount_add(bs, place + blocks, clusters, 1,
                                 QCOW2_FREE_NEVER);
    }
    if (ret == 0) {
        ret = switch_table(bs, (place + blocks) << s->cluster_bits, clusters);
    }
    if (ret < 0) {
        /* As if there were no entries behind the old end. */
        s->reftable_size = old_size;
        s->reftable_dirty_to = MIN(s->reftable_dirty_to, old_size);
        qcow2_cache_forget(s->ref_cache, place << s->cluster_bits,
                           blocks << s->cluster_bits);
        while (blocks-- > 0) {
            qcow2_overlap_remove(s, (place + blocks) << s->cluster_bits);
        }
    }
    return ret;
}

/* ---- Allocation ---- */

int64_t coroutine_fn qcow2_alloc_run(BlockDriverState *bs, uint64_t min,
                                     uint64_t want, uint64_t *host)
{
    Qcow2State *s = bs->opaque;
    uint64_t blocks = 0, start, m;
    int64_t n;
    int ret;

    BLKDBG_EVENT(bs->file, BLKDBG_CLUSTER_ALLOC);
    for (;;) {
        n = find_run(bs, min + blocks, want + blocks, &start);
        if (n < 0) {
            return n;
        }
        /* Only what exists is covered for free. */
        m = missing_blocks(s, start, min + blocks);
        if (m > blocks) {
            blocks = m;
            continue;
        }
        blocks = m;
        n = MIN(n - blocks, want);
        while (n > min && missing_blocks(s, start, n + blocks) > blocks) {
            /* Up to the end of the region. */
            uint64_t end = QEMU_ALIGN_DOWN(start + n + blocks - 1,
                                           1ULL << s->refblock_bits);

            n = MAX((int64_t)(end - start) - (int64_t)blocks, (int64_t)min);
        }
        if ((start + n + blocks - 1) >> s->refblock_bits < s->reftable_size) {
            break;
        }
        ret = grow_table(bs, start + n + blocks - 1);
        if (ret < 0) {
            return ret;
        }
    }
    if (blocks) {
        ret = create_blocks(bs, start, n + blocks);
        if (ret < 0) {
            return ret;
        }
        start += blocks;
    }
    ret = qcow2_refcount_add(bs, start, n, 1, QCOW2_FREE_NEVER);
    if (ret < 0) {
        return ret;
    }
    if (start <= s->free_hint + blocks) {
        s->free_hint = start + n;
    }
    *host = start << s->cluster_bits;
    return n;
}

int64_t coroutine_fn qcow2_alloc_bytes(BlockDriverState *bs, uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    uint64_t n = MAX(qcow2_clusters(s, bytes), 1), host;
    int64_t ret = qcow2_alloc_run(bs, n, n, &host);

    return ret < 0 ? ret : host;
}

int64_t coroutine_fn qcow2_alloc_at(BlockDriverState *bs, uint64_t host,
                                    uint64_t want)
{
    Qcow2State *s = bs->opaque;
    uint64_t first = host >> s->cluster_bits;
    int64_t n = free_at(bs, first, want);
    int ret;

    /* A missing block would have to go somewhere. */
    while (n > 0 && missing_blocks(s, first, n)) {
        n = QEMU_ALIGN_DOWN(first + n - 1, 1ULL << s->refblock_bits) -
            (int64_t)first;
    }
    if (n <= 0) {
        return MIN(n, 0);
    }
    ret = qcow2_refcount_add(bs, first, n, 1, QCOW2_FREE_NEVER);
    return ret < 0 ? ret : n;
}

int64_t coroutine_fn qcow2_alloc_packed(BlockDriverState *bs, unsigned bytes)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos = s->pack_pos, cluster = pos >> s->cluster_bits, count, host;
    int64_t ret;

    BLKDBG_EVENT(bs->file, BLKDBG_CLUSTER_ALLOC_BYTES);
    assert(bytes > 0 && bytes <= s->cluster_size);
    if (pos) {
        uint64_t room = s->cluster_size - qcow2_in_cluster(s, pos);

        ret = qcow2_refcount(bs, cluster, &count);
        if (ret < 0) {
            return ret;
        }
        if (count == 0 || count == s->refcount_max) {
            pos = 0;
        } else if (bytes > room) {
            /* Go on in the next cluster, if we can have it. */
            ret = qcow2_alloc_at(bs, (cluster + 1) << s->cluster_bits, 1);
            if (ret < 0) {
                return ret;
            }
            pos = ret == 1 ? pos : 0;
        }
        if (pos) {
            ret = qcow2_refcount_add(bs, cluster, 1, 1, QCOW2_FREE_NEVER);
            if (ret < 0) {
                return ret;
            }
        }
    }
    if (!pos) {
        ret = qcow2_alloc_run(bs, 1, 1, &host);
        if (ret < 0) {
            return ret;
        }
        pos = host;
    }
    if (!pos) {
        qcow2_corrupt(bs, true, -1, -1, "Preventing invalid allocation of "
                      "compressed cluster at offset 0");
        return -EIO;
    }
    s->pack_pos = pos + bytes;
    if (!qcow2_in_cluster(s, s->pack_pos)) {
        s->pack_pos = 0;
    }
    return pos;
}

void coroutine_fn qcow2_free_unused(BlockDriverState *bs, uint64_t host,
                                    uint64_t nclusters)
{
    Qcow2State *s = bs->opaque;

    /* What fails leaks. */
    qcow2_refcount_add(bs, host >> s->cluster_bits, nclusters, -1,
                       QCOW2_FREE_NEVER);
}

/* ---- The end of the file ---- */

/* The file gets longer in steps of this size. */
#define AHEAD_BYTES (128 * MiB)

/*
 * A direct write that makes a file longer keeps its submitter waiting until it
 * is done, which is the main loop with Linux AIO, and all others as well.
 */
void coroutine_fn qcow2_grow_ahead(BlockDriverState *bs, uint64_t end)
{
    Qcow2State *s = bs->opaque;
    uint64_t length = end + AHEAD_BYTES;

    if (!(bs->file->bs->open_flags & BDRV_O_NOCACHE) || end <= s->file_ahead ||
        (int64_t)end <= bdrv_getlength(bs->file->bs)) {
        return;
    }
    if (bdrv_co_truncate(bs->file, length, false, PREALLOC_MODE_OFF, 0,
                         NULL) < 0) {
        /* It works without; don't try each time. */
        length = end;
    }
    s->file_ahead = length;
}

int coroutine_fn qcow2_end_grow_ahead(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret = 0;

    if (s->file_ahead > s->file_end) {
        ret = bdrv_co_truncate(bs->file, s->file_end, false, PREALLOC_MODE_OFF,
                               0, NULL);
    }
    if (ret == 0) {
        s->file_ahead = 0;
    }
    return ret;
}

int64_t coroutine_fn qcow2_last_used(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint64_t region_size = 1ULL << s->refblock_bits;
    uint64_t r = s->reftable_size, i;

    while (r-- > 0) {
        Qcow2Slice *block;
        int ret = get_block(bs, r, &block);

        if (ret < 0) {
            return ret;
        }
        if (!block) {
            continue;
        }
        for (i = region_size; i > 0; i--) {
            if (qcow2_refcount_get_raw(block->data, s->hdr.refcount_order,
                                       i - 1)) {
                qcow2_cache_put(block);
                return (r << s->refblock_bits) + i - 1;
            }
        }
        qcow2_cache_put(block);
    }
    qcow2_corrupt(bs, true, -1, -1,
                  "There are no references in the refcount table.");
    return -EIO;
}

/* Does @block count nothing, or nothing but the cluster it is in? */
static bool counts_nothing_else(Qcow2State *s, const Qcow2Slice *block,
                                uint64_t region)
{
    uint64_t own = (block->offset >> s->cluster_bits) -
                   (region << s->refblock_bits);
    uint64_t i;

    for (i = 0; i < 1ULL << s->refblock_bits; i++) {
        if (i != own && qcow2_refcount_get_raw(block->data,
                                               s->hdr.refcount_order, i)) {
            return false;
        }
    }
    return true;
}

int coroutine_fn qcow2_refs_shrink(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint64_t r, offset;
    Qcow2Slice *block;
    bool empty;
    int ret;

    /* From the end on, as long as blocks are empty. */
    for (r = s->reftable_size; r-- > 0; ) {
        ret = get_block(bs, r, &block);
        if (ret < 0) {
            return ret;
        }
        if (!block) {
            continue;
        }
        empty = counts_nothing_else(s, block, r);
        qcow2_cache_put(block);
        if (!empty) {
            break;
        }
        offset = s->reftable[r] & QCOW2_REFTABLE_OFFSET;
        s->reftable[r] = 0;
        qcow2_reftable_dirty(s, r, r + 1);
        ret = qcow2_write_refs(bs);
        if (ret == 0) {
            ret = qcow2_barrier(bs);
        }
        if (ret < 0) {
            return ret;
        }
        qcow2_overlap_remove(s, offset);
        if (offset >> s->cluster_bits >> s->refblock_bits == r) {
            /* It counted itself: gone with it. */
            qcow2_cache_forget(s->ref_cache, offset, s->cluster_size);
            s->free_hint = MIN(s->free_hint, offset >> s->cluster_bits);
        } else {
            ret = qcow2_refcount_add(bs, offset >> s->cluster_bits, 1, -1,
                                     QCOW2_FREE_OTHER);
            if (ret < 0) {
                return ret;
            }
        }
    }
    return 0;
}
