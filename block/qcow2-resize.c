/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: changing the size of the disk, and making an overlay empty.
 *
 * The size in the header changes last: until then what is new is not part of
 * the disk, and what goes is still known to belong to it.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"

/* ---- The end of the file ---- */

/* Cut off what no cluster is in; an error only wastes space. */
static void coroutine_fn trim_file(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int64_t last = qcow2_last_used(bs), length;

    if (last < 0) {
        return;
    }
    qcow2_end_grow_ahead(bs);
    length = bdrv_getlength(bs->file->bs);
    if (length > (last + 1) << s->cluster_bits &&
        bdrv_co_truncate(bs->file, (last + 1) << s->cluster_bits, false,
                         PREALLOC_MODE_OFF, 0, NULL) == 0) {
        s->file_end = (last + 1) << s->cluster_bits;
    }
}

/* Give back [offset, end of the L1 table) and what follows from it. */
static int coroutine_fn drop_clusters(BlockDriverState *bs, uint64_t offset)
{
    Qcow2State *s = bs->opaque;
    uint64_t end = (uint64_t)s->hdr.l1_size << qcow2_l1_shift(s);
    uint32_t i;
    int ret;

    /* No need to look at what has no tables at the end. */
    for (i = s->hdr.l1_size; i > 0 && !s->l1[i - 1]; i--) {
        end -= 1ULL << qcow2_l1_shift(s);
    }
    if (offset >= end) {
        return 0;
    }
    ret = qcow2_discard_range(bs, offset, end - offset, QCOW2_FREE_ALWAYS,
                              true);
    if (ret == 0) {
        qcow2_l1_shrink(bs, qcow2_l1_entries(s, offset));
        ret = qcow2_sync(bs);
    }
    return ret;
}

/* ---- Smaller ---- */

static int coroutine_fn shrink(BlockDriverState *bs, uint64_t size,
                               PreallocMode prealloc, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (prealloc != PREALLOC_MODE_OFF) {
        error_setg(errp, "Preallocation can't be used for shrinking an image");
        return -EINVAL;
    }
    qcow2_wait_in_flight(bs, size, s->hdr.size - size);
    ret = drop_clusters(bs, qcow2_cluster_up(s, size));
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to discard cropped clusters");
        return ret;
    }
    if (qcow2_has_data_file(bs)) {
        /* What others may have put behind the end of our disk is theirs. */
        ret = bdrv_co_truncate(qcow2_data(bs), size, false, PREALLOC_MODE_OFF,
                               0, errp);
        if (ret < 0) {
            return ret;
        }
    }
    ret = qcow2_refs_shrink(bs);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to shrink the refcount table");
    } else {
        trim_file(bs);
    }
    return ret;
}

/* ---- Larger ---- */

/* The rest of the last cluster, behind the old end, reads as zeroes. */
static int coroutine_fn zero_tail(BlockDriverState *bs, uint64_t from,
                                  uint64_t to)
{
    g_autofree void *buf = NULL;
    QEMUIOVector qiov;

    if (from == to) {
        return 0;
    }
    buf = g_try_malloc0(to - from);
    if (!buf) {
        return -ENOMEM;
    }
    qemu_iovec_init_buf(&qiov, buf, to - from);
    return qcow2_co_pwritev_part(bs, from, to - from, &qiov, 0, 0);
}

/* [from, to) is new and hides what the backing file has there. */
static int coroutine_fn zero_new_area(BlockDriverState *bs, uint64_t from,
                                      uint64_t to, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t aligned = MIN(qcow2_cluster_up(s, from), to);
    uint64_t end = qcow2_cluster_up(s, to), step;
    int ret = 0;

    qemu_co_mutex_unlock(&s->lock);
    ret = zero_tail(bs, from, aligned);
    qemu_co_mutex_lock(&s->lock);
    /* Version 2 has no mark for zeroes. */
    for (; ret == 0 && aligned < to && (s->hdr.version >= 3 || bs->backing);
         aligned += step) {
        step = MIN(end - aligned, 1ULL << qcow2_l1_shift(s));
        if (s->hdr.version >= 3) {
            ret = qcow2_zero_range(bs, aligned, step, 0);
        } else {
            step = MIN(step, s->cluster_size);
            qemu_co_mutex_unlock(&s->lock);
            ret = zero_tail(bs, aligned, aligned + step);
            qemu_co_mutex_lock(&s->lock);
        }
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to zero out new area");
    }
    return ret;
}

/* The file of the data must be as long as the disk. */
static int coroutine_fn grow_data_file(BlockDriverState *bs, uint64_t size,
                                       PreallocMode prealloc, Error **errp)
{
    int64_t length = bdrv_getlength(qcow2_data(bs)->bs);

    if (length < 0) {
        error_setg_errno(errp, -length, "Could not get the size of the data "
                         "file");
        return length;
    }
    if (prealloc == PREALLOC_MODE_METADATA) {
        prealloc = PREALLOC_MODE_OFF;
    }
    return (uint64_t)length >= size ? 0
        : bdrv_co_truncate(qcow2_data(bs), size, false, prealloc, 0, errp);
}

static int coroutine_fn grow(BlockDriverState *bs, uint64_t size,
                             PreallocMode prealloc, BdrvRequestFlags flags,
                             Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t old_size = s->hdr.size;
    int ret;

    if (prealloc != PREALLOC_MODE_OFF && bs->backing &&
        !qcow2_has_subclusters(s) &&
        old_size < (uint64_t)bs->backing->bs->total_sectors *
                   BDRV_SECTOR_SIZE) {
        /* The new clusters hide the backing file: as they must be zero then,
         * that is what they are. */
        flags |= BDRV_REQ_ZERO_WRITE;
    }
    /* A VM state that no snapshot has would become a part of the disk. */
    ret = drop_clusters(bs, qcow2_vm_state_offset(s));
    if (ret == 0) {
        ret = qcow2_l1_grow(bs, qcow2_l1_entries(s, size), true);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to grow the L1 table");
        return ret;
    }
    if (qcow2_has_data_file(bs)) {
        ret = grow_data_file(bs, size, prealloc, errp);
        if (ret < 0) {
            return ret;
        }
    }
    if (flags & BDRV_REQ_ZERO_WRITE) {
        ret = zero_new_area(bs, old_size, size, errp);
    }
    if (ret == 0 && prealloc != PREALLOC_MODE_OFF) {
        qemu_co_mutex_unlock(&s->lock);
        ret = qcow2_preallocate(bs, old_size, size - old_size, prealloc, errp);
        qemu_co_mutex_lock(&s->lock);
    }
    return ret;
}

/* ---- Both ---- */

static int coroutine_fn store_size(BlockDriverState *bs, uint64_t size,
                                   Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t old = s->hdr.size;
    int ret;

    ret = qcow2_sync(bs);
    if (ret == 0) {
        s->hdr.size = size;
        ret = qcow2_header_write(bs);
        if (ret < 0) {
            s->hdr.size = old;
            qcow2_header_restore(bs);
        }
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to update the image size");
        return ret;
    }
    s->maps_unstable = true;
    s->l1_vm_state = qcow2_l1_entries(s, size);
    bs->total_sectors = size / BDRV_SECTOR_SIZE;
    return 0;
}

static int coroutine_fn truncate_locked(BlockDriverState *bs, uint64_t size,
                                        PreallocMode prealloc,
                                        BdrvRequestFlags flags, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret = 0;

    if (s->nb_snapshots && s->hdr.version < 3) {
        error_setg(errp, "Can't resize a v2 image which has snapshots");
        return -ENOTSUP;
    }
    if (!qcow2_bitmaps_can_resize(bs, errp)) {
        return -ENOTSUP;
    }
    if (size < s->hdr.size) {
        ret = shrink(bs, size, prealloc, errp);
    } else if (size > s->hdr.size) {
        ret = grow(bs, size, prealloc, flags, errp);
    }
    return ret < 0 ? ret : store_size(bs, size, errp);
}

int coroutine_fn qcow2_co_truncate(BlockDriverState *bs, int64_t offset,
                                   bool exact, PreallocMode prealloc,
                                   BdrvRequestFlags flags, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->broken) {
        error_setg(errp, "Image '%s' is corrupt", bs->filename);
        return -ENOMEDIUM;
    }
    if (offset % BDRV_SECTOR_SIZE) {
        error_setg(errp, "The new size must be a multiple of %llu",
                   BDRV_SECTOR_SIZE);
        return -EINVAL;
    }
    qemu_co_mutex_lock(&s->lock);
    ret = truncate_locked(bs, offset, prealloc, flags, errp);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

/* ---- Empty ---- */

static int coroutine_fn empty_locked(BlockDriverState *bs, void *opaque)
{
    int ret = drop_clusters(bs, 0);

    if (ret == 0 && !qcow2_has_data_file(bs)) {
        ret = qcow2_refs_shrink(bs);
        if (ret == 0) {
            trim_file(bs);
        }
    }
    return ret;
}

int qcow2_make_empty(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    return s->broken ? -ENOMEDIUM : qcow2_run_locked(bs, empty_locked, NULL);
}
