/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: changes of the maps without data: zeroes and discards.
 *
 * All of it happens under ->lock.  Space that gets free goes back after the
 * maps have reached the disk (qcow2-order.c).
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"

#define ALL_ZERO (0xffffffffULL << 32)

/* ---- One pass over L2 slices ---- */

typedef struct Pass Pass;

/* Change the entries of @n clusters; *l2 and *index may be got anew. */
typedef int coroutine_fn PassFn(BlockDriverState *bs, const Pass *pass,
                                uint64_t offset, Qcow2Slice *l2,
                                unsigned index, unsigned n);

struct Pass {
    PassFn *fn;
    /* What there is if there is no L2 table needs no change. */
    bool skip_holes;
    bool full;
    Qcow2FreeType type;
    bool unmap;
};

/* The range is made of whole clusters. */
static int coroutine_fn run_pass(BlockDriverState *bs, const Pass *pass,
                                 uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    uint64_t end = offset + bytes;
    unsigned shift = qcow2_l1_shift(s);
    int ret;

    while (offset < end) {
        Qcow2Slice *l2;
        unsigned index, n;

        ret = qcow2_limit_frees(bs);
        if (ret < 0) {
            return ret;
        }
        ret = qcow2_l2_get(bs, offset, &l2, &index);
        if (ret < 0) {
            return ret;
        }
        if (!l2 && pass->skip_holes) {
            uint64_t next = ((offset >> shift) + 1) << shift;

            if ((offset >> shift) + 1 >= s->hdr.l1_size || next >= end) {
                return 0;
            }
            offset = next;
            continue;
        }
        if (l2) {
            qcow2_cache_put(l2);
        }
        ret = qcow2_l2_get_rw(bs, offset, &l2, &index);
        if (ret < 0) {
            return ret;
        }
        n = MIN((end - offset) >> s->cluster_bits,
                (1U << s->slice_bits) - index);
        ret = pass->fn(bs, pass, offset, l2, index, n);
        qcow2_cache_put(l2);
        if (ret < 0) {
            return ret;
        }
        offset += (uint64_t)n << s->cluster_bits;
    }
    return 0;
}

/* ---- Discard ---- */

static int coroutine_fn discard_entries(BlockDriverState *bs, const Pass *pass,
                                        uint64_t offset, Qcow2Slice *l2,
                                        unsigned index, unsigned n)
{
    Qcow2State *s = bs->opaque;
    unsigned i;

    for (i = 0; i < n; i++) {
        Qcow2Entry old = qcow2_entry_get(s, l2, index + i);
        Qcow2Entry new = { 0 };
        bool is_empty = !old.e && !old.bitmap;

        if (!pass->full && (bs->backing || !is_empty)) {
            /* It must not show what the backing file has. */
            if (qcow2_has_subclusters(s)) {
                new.bitmap = ALL_ZERO;
            } else if (s->hdr.version >= 3) {
                new.e = QCOW2_ZERO_FLAG;
            }
        }
        if (old.e == new.e && old.bitmap == new.bitmap) {
            continue;
        }
        qcow2_entry_set(s, l2, index + i, new);
        qcow2_free_entry_later(bs, offset + ((uint64_t)i << s->cluster_bits),
                               old.e, pass->type);
    }
    return 0;
}

int coroutine_fn qcow2_discard_range(BlockDriverState *bs, uint64_t offset,
                                     uint64_t bytes, Qcow2FreeType type,
                                     bool full)
{
    Qcow2State *s = bs->opaque;
    const Pass pass = {
        .fn = discard_entries,
        .skip_holes = full || !bs->backing,
        .full = full,
        .type = type,
    };

    return run_pass(bs, &pass, offset, qcow2_cluster_up(s, bytes));
}

int coroutine_fn qcow2_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes)
{
    Qcow2State *s = bs->opaque;
    uint64_t end = offset + bytes;
    int ret = 0;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    /* Without zero clusters the backing file would show again; raw data files
     * must read as zeroes, too. */
    if ((s->hdr.version < 3 && bs->backing) ||
        (qcow2_has_data_file(bs) && qcow2_data_file_is_raw(s))) {
        return -ENOTSUP;
    }
    if (qcow2_in_cluster(s, offset) ||
        (qcow2_in_cluster(s, end) &&
         end < (uint64_t)bs->total_sectors * BDRV_SECTOR_SIZE)) {
        return -ENOTSUP;
    }
    qemu_co_mutex_lock(&s->lock);
    qcow2_wait_in_flight(bs, offset, bytes);
    ret = qcow2_discard_range(bs, offset, bytes, QCOW2_FREE_REQUEST, false);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

/* ---- Zeroes ---- */

static int coroutine_fn zero_entries(BlockDriverState *bs, const Pass *pass,
                                     uint64_t offset, Qcow2Slice *l2,
                                     unsigned index, unsigned n)
{
    Qcow2State *s = bs->opaque;
    unsigned i;

    for (i = 0; i < n; i++) {
        Qcow2Entry old = qcow2_entry_get(s, l2, index + i), new = old;
        Qcow2Kind kind = qcow2_kind(bs, old, 0);
        /* The place is kept, unless that is not wanted or it is not ours. */
        bool keep = !pass->unmap && qcow2_kind_has_host(kind) &&
                    (old.e & QCOW2_COPIED);

        if (kind == QCOW2_INVALID) {
            qcow2_corrupt_entry(bs, l2, index + i, old, offset);
            return -EIO;
        }
        if (!keep) {
            new.e = 0;
        }
        if (qcow2_has_subclusters(s)) {
            new.bitmap = ALL_ZERO;
        } else {
            new.e |= QCOW2_ZERO_FLAG;
        }
        if (old.e == new.e && old.bitmap == new.bitmap) {
            continue;
        }
        qcow2_entry_set(s, l2, index + i, new);
        if (!keep) {
            qcow2_free_entry_later(bs, offset +
                                   ((uint64_t)i << s->cluster_bits), old.e,
                                   QCOW2_FREE_REQUEST);
        }
    }
    return 0;
}

/* Whole clusters. */
static int coroutine_fn zero_clusters(BlockDriverState *bs, uint64_t offset,
                                      uint64_t bytes, BdrvRequestFlags flags)
{
    Qcow2State *s = bs->opaque;
    const Pass pass = {
        .fn = zero_entries,
        /* A backing file that is not open now may be later. */
        .skip_holes = !bs->backing && !s->backing_name,
        .type = QCOW2_FREE_REQUEST,
        .unmap = flags & BDRV_REQ_MAY_UNMAP,
    };

    if (!bytes) {
        return 0;
    }
    /* Without backing file what is not there is zero. */
    if (s->hdr.version < 3) {
        if (!bs->backing && pass.unmap) {
            return qcow2_discard_range(bs, offset, bytes, QCOW2_FREE_REQUEST,
                                       false);
        }
        return -ENOTSUP;
    }
    return run_pass(bs, &pass, offset, bytes);
}

/* Subclusters [offset, offset + bytes) of one cluster. */
static int coroutine_fn zero_subclusters(BlockDriverState *bs, uint64_t offset,
                                         uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    unsigned first = qcow2_in_cluster(s, offset) >> s->subcluster_bits;
    unsigned n = bytes >> s->subcluster_bits, index;
    uint64_t mask = ((1ULL << n) - 1) << first;
    Qcow2Entry entry;
    Qcow2Slice *l2;
    Qcow2Kind kind;
    int ret;

    if (!n) {
        return 0;
    }
    ret = qcow2_l2_get_rw(bs, offset, &l2, &index);
    if (ret < 0) {
        return ret;
    }
    entry = qcow2_entry_get(s, l2, index);
    kind = qcow2_kind(bs, entry, first);
    if (kind == QCOW2_INVALID) {
        qcow2_corrupt_entry(bs, l2, index, entry, offset);
        ret = -EIO;
    } else if (kind == QCOW2_COMPRESSED) {
        ret = -ENOTSUP;
    } else {
        entry.bitmap = (entry.bitmap & ~mask) | mask << 32;
        qcow2_entry_set(s, l2, index, entry);
    }
    qcow2_cache_put(l2);
    return ret;
}

int coroutine_fn qcow2_zero_range(BlockDriverState *bs, uint64_t offset,
                                  uint64_t bytes, BdrvRequestFlags flags)
{
    Qcow2State *s = bs->opaque;
    uint64_t end = offset + bytes, n;
    int ret;

    if (qcow2_has_data_file(bs) && qcow2_data_file_is_raw(s)) {
        ret = bdrv_co_pwrite_zeroes(qcow2_data(bs), offset, bytes, flags);
        if (ret < 0) {
            return ret;
        }
    }
    if (end >= (uint64_t)bs->total_sectors * BDRV_SECTOR_SIZE) {
        /* What is behind the end of the disk is of no interest. */
        end = qcow2_cluster_up(s, end);
    }
    if (qcow2_in_cluster(s, offset)) {
        n = MIN(s->cluster_size - qcow2_in_cluster(s, offset), end - offset);
        ret = zero_subclusters(bs, offset, n);
        if (ret < 0) {
            return ret;
        }
        offset += n;
    }
    n = qcow2_cluster_down(s, end);
    if (offset < n) {
        ret = zero_clusters(bs, offset, n - offset, flags);
        if (ret < 0) {
            return ret;
        }
        offset = n;
    }
    return offset < end ? zero_subclusters(bs, offset, end - offset) : 0;
}

/* Does the part of the disk in [from, to) read as zeroes for sure? */
static bool coroutine_fn known_zero(BlockDriverState *bs, int64_t from,
                                    int64_t to)
{
    to = MIN(to, bs->total_sectors * (int64_t)BDRV_SECTOR_SIZE);
    return to <= from || bdrv_co_is_zero_fast(bs, from, to - from) > 0;
}

/*
 * A part of one subcluster: all of it can get zero if the rest reads as zeroes
 * already.  Then the range is widened; else -ENOTSUP.
 */
static int coroutine_fn widen_to_subcluster(BlockDriverState *bs,
                                            int64_t *offset, int64_t *bytes)
{
    Qcow2State *s = bs->opaque;
    int64_t start = QEMU_ALIGN_DOWN(*offset, (int64_t)s->subcluster_size);
    int64_t end = QEMU_ALIGN_UP(*offset + *bytes, (int64_t)s->subcluster_size);
    Qcow2Run run = { 0 };
    int ret;

    assert(end - start <= s->subcluster_size);
    if (!known_zero(bs, start, *offset) ||
        !known_zero(bs, *offset + *bytes, end)) {
        return -ENOTSUP;
    }
    qemu_co_mutex_lock(&s->lock);
    qcow2_wait_in_flight(bs, start, end - start);
    /* Somebody may have written to it meanwhile. */
    ret = qcow2_map(bs, start, end - start, &run);
    if (ret == 0 && run.kind != QCOW2_UNALLOCATED &&
        run.kind != QCOW2_UNALLOCATED_HOST && run.kind != QCOW2_ZERO &&
        run.kind != QCOW2_ZERO_HOST) {
        ret = -ENOTSUP;
    }
    if (ret < 0) {
        qemu_co_mutex_unlock(&s->lock);
        return ret;
    }
    *offset = start;
    *bytes = end - start;
    return 0;
}

int coroutine_fn qcow2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, BdrvRequestFlags flags)
{
    Qcow2State *s = bs->opaque;
    int64_t end = offset + bytes;
    bool whole = QEMU_IS_ALIGNED(offset, (int64_t)s->subcluster_size) &&
                 (QEMU_IS_ALIGNED(end, (int64_t)s->subcluster_size) ||
                  end >= bs->total_sectors * (int64_t)BDRV_SECTOR_SIZE);
    int ret;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    if (whole) {
        qemu_co_mutex_lock(&s->lock);
        qcow2_wait_in_flight(bs, offset, bytes);
    } else {
        ret = widen_to_subcluster(bs, &offset, &bytes);
        if (ret < 0) {
            return ret;
        }
    }
    ret = qcow2_zero_range(bs, offset, bytes, flags);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}
