/*
 * SPDX-License-Identifier: MIT
 *
 * Offloaded copies, and changing a node's length.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"
#include "qapi/error.h"

/* ---- Copies ---- */

/* Down on the source's side (@from), or on the target's. */
static int coroutine_fn copy_range(BdrvChild *src, int64_t src_offset,
                                   BdrvChild *dst, int64_t dst_offset,
                                   int64_t bytes, BdrvRequestFlags read_flags,
                                   BdrvRequestFlags write_flags, bool from)
{
    BlockDriverState *bs = from ? src->bs : dst->bs;
    int64_t offset = from ? src_offset : dst_offset;
    BdrvTrackedRequest req;
    int ret;

    if (!dst->bs->drv || !src->bs->drv) {
        return -ENOMEDIUM;
    }
    ret = bdrv_check_request32(src_offset, bytes, NULL, 0);
    if (ret == 0) {
        ret = bdrv_check_write(dst, dst_offset, bytes);
    }
    if (ret < 0) {
        return ret;
    }
    if (!src->bs->drv->bdrv_co_copy_range_from ||
        !dst->bs->drv->bdrv_co_copy_range_to || src->bs->encrypted ||
        dst->bs->encrypted ||
        ((src_offset | bytes) & (src->bs->bl.request_alignment - 1)) ||
        ((dst_offset | bytes) & (dst->bs->bl.request_alignment - 1))) {
        return -ENOTSUP;
    }
    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset, bytes,
                               from ? BDRV_TRACKED_READ : BDRV_TRACKED_WRITE);
    if (from) {
        bdrv_wait_serialising_requests(&req);
        ret = bs->drv->bdrv_co_copy_range_from(bs, src, src_offset, dst,
                                               dst_offset, bytes, read_flags,
                                               write_flags);
    } else {
        ret = bdrv_co_write_req_prepare(dst, dst_offset, bytes, &req,
                                        write_flags);
        if (ret >= 0) {
            ret = bs->drv->bdrv_co_copy_range_to(bs, src, src_offset, dst,
                                                 dst_offset, bytes,
                                                 read_flags, write_flags);
            bdrv_co_write_req_finish(dst, dst_offset, bytes, &req, ret);
        }
    }
    bdrv_tracked_request_end(&req);
    bdrv_dec_in_flight(bs);
    return ret;
}

int coroutine_fn bdrv_co_copy_range_from(BdrvChild *src, int64_t src_offset,
                                         BdrvChild *dst, int64_t dst_offset,
                                         int64_t bytes,
                                         BdrvRequestFlags read_flags,
                                         BdrvRequestFlags write_flags)
{
    return copy_range(src, src_offset, dst, dst_offset, bytes, read_flags,
                      write_flags, true);
}

int coroutine_fn bdrv_co_copy_range_to(BdrvChild *src, int64_t src_offset,
                                       BdrvChild *dst, int64_t dst_offset,
                                       int64_t bytes,
                                       BdrvRequestFlags read_flags,
                                       BdrvRequestFlags write_flags)
{
    return copy_range(src, src_offset, dst, dst_offset, bytes, read_flags,
                      write_flags, false);
}

int coroutine_fn bdrv_co_copy_range(BdrvChild *src, int64_t src_offset,
                                    BdrvChild *dst, int64_t dst_offset,
                                    int64_t bytes, BdrvRequestFlags read_flags,
                                    BdrvRequestFlags write_flags)
{
    return bdrv_co_copy_range_from(src, src_offset, dst, dst_offset, bytes,
                                   read_flags, write_flags);
}

/* ---- Length ---- */

void bdrv_parent_cb_resize(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (c->role->resize) {
            c->role->resize(c);
        }
    }
}

/* What comes to light behind a shorter image must not be what the backing
 * file has there. */
static bool backing_shows(BlockDriverState *bs, int64_t old_size)
{
    BlockDriverState *backing = bdrv_cow_bs(bs);
    int64_t len = backing ? bdrv_getlength(backing) : 0;

    return len < 0 || len > old_size;
}

static int coroutine_fn do_truncate(BdrvChild *child, int64_t offset,
                                    bool exact, PreallocMode prealloc,
                                    BdrvRequestFlags flags,
                                    int64_t old_size, Error **errp)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    int64_t new_bytes = MAX(offset - old_size, 0);
    int ret;

    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset - new_bytes, new_bytes,
                               BDRV_TRACKED_TRUNCATE);
    /* Writes beyond the old end wait until it is clear what is there. */
    if (new_bytes) {
        bdrv_make_request_serialising(&req, 1);
    }
    ret = bdrv_co_write_req_prepare(child, offset - new_bytes, new_bytes,
                                    &req, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to prepare request for "
                         "truncation");
        goto out;
    }
    if (new_bytes && backing_shows(bs, old_size)) {
        flags |= BDRV_REQ_ZERO_WRITE;
    }
    if (flags & ~bs->supported_truncate_flags) {
        error_setg(errp, "Block driver does not support requested flags");
        ret = -ENOTSUP;
        goto out;
    }
    ret = bs->drv->bdrv_co_truncate(bs, offset, exact, prealloc, flags, errp);
    if (ret < 0) {
        goto out;
    }
    ret = bdrv_refresh_total_sectors(bs, offset >> BDRV_SECTOR_BITS);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not refresh total sector count");
    } else {
        offset = bs->total_sectors * BDRV_SECTOR_SIZE;
    }
    bdrv_co_write_req_finish(child, offset - new_bytes, new_bytes, &req, 0);
out:
    bdrv_tracked_request_end(&req);
    bdrv_dec_in_flight(bs);
    return ret;
}

int coroutine_fn bdrv_co_truncate(BdrvChild *child, int64_t offset, bool exact,
                                  PreallocMode prealloc,
                                  BdrvRequestFlags flags, Error **errp)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *filtered = bdrv_filter_child(bs);
    int64_t old_size;

    if (!bs->drv) {
        error_setg(errp, "No medium inserted");
        return -ENOMEDIUM;
    }
    if (offset < 0) {
        error_setg(errp, "Image size cannot be negative");
        return -EINVAL;
    }
    if (bdrv_check_request(offset, 0, errp) < 0) {
        return -EFBIG;
    }
    if (bdrv_is_read_only(bs)) {
        error_setg(errp, "Image is read-only");
        return -EACCES;
    }
    old_size = bdrv_getlength(bs);
    if (old_size < 0) {
        error_setg_errno(errp, -old_size, "Failed to get old image size");
        return old_size;
    }
    if (!bs->drv->bdrv_co_truncate) {
        int ret;

        if (!filtered) {
            error_setg(errp, "Image format driver does not support resize");
            return -ENOTSUP;
        }
        ret = bdrv_co_truncate(filtered, offset, exact, prealloc, flags, errp);
        if (ret >= 0) {
            bdrv_refresh_total_sectors(bs, offset >> BDRV_SECTOR_BITS);
            bdrv_parent_cb_resize(bs);
            bdrv_dirty_bitmap_truncate(bs, bs->total_sectors *
                                           BDRV_SECTOR_SIZE);
        }
        return ret;
    }
    return do_truncate(child, offset, exact, prealloc, flags, old_size, errp);
}
