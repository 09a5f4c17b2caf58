/*
 * SPDX-License-Identifier: MIT
 *
 * Offloaded copies, and changing a node's length.
 *
 * A copy goes down twice: first on the source's side, by the drivers' _from
 * hooks, to the node that has the data; that one's hook hands over to the
 * target's side, where the _to hooks go down.
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
    if ((write_flags & BDRV_REQ_ZERO_WRITE) && from) {
        return bdrv_co_pwrite_zeroes(dst, dst_offset, bytes, write_flags);
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
        ret = bdrv_co_write_req_begin(dst, dst_offset, bytes, &req,
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
    return MIN(ret, 0);
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

/* Must what comes to light behind @old_size be zeroed, because the backing
 * file has something there? */
static bool backing_would_show(BlockDriverState *bs, int64_t old_size)
{
    BlockDriverState *backing = bdrv_cow_bs(bs);
    int64_t len = backing ? bdrv_getlength(backing) : 0;

    /* If it can't tell it may have. */
    return len < 0 || len > old_size;
}

typedef struct TruncateArgs {
    int64_t old_size;
    int64_t new_size;
    bool exact;
    PreallocMode prealloc;
    BdrvRequestFlags flags;
} TruncateArgs;

/* By the driver, or by the node that is filtered. */
static int coroutine_fn truncate_node(BlockDriverState *bs,
                                      const TruncateArgs *a, Error **errp)
{
    BdrvChild *filtered = bdrv_filter_child(bs);
    BdrvRequestFlags flags = a->flags;

    if (!bs->drv->bdrv_co_truncate && !filtered) {
        error_setg(errp, "Image format driver does not support resize");
        return -ENOTSUP;
    }
    if (!bs->drv->bdrv_co_truncate) {
        return bdrv_co_truncate(filtered, a->new_size, a->exact, a->prealloc,
                                flags, errp);
    }
    if (a->new_size > a->old_size && backing_would_show(bs, a->old_size)) {
        flags |= BDRV_REQ_ZERO_WRITE;
    }
    if (flags & ~bs->supported_truncate_flags) {
        error_setg(errp, "Block driver does not support requested flags");
        return -ENOTSUP;
    }
    return bs->drv->bdrv_co_truncate(bs, a->new_size, a->exact, a->prealloc,
                                     flags, errp);
}

/* With all checks done. */
static int coroutine_fn truncate_tracked(BdrvChild *child,
                                         const TruncateArgs *a, Error **errp)
{
    BlockDriverState *bs = child->bs;
    int64_t grows = MAX(a->new_size - a->old_size, 0);
    int64_t start = a->new_size - grows, end = a->new_size;
    BdrvTrackedRequest req;
    int ret;

    bdrv_tracked_request_begin(&req, bs, start, grows, BDRV_TRACKED_TRUNCATE);
    /* Writes beyond the old end wait until it is clear what is there. */
    if (grows) {
        bdrv_make_request_serialising(&req, 1);
    }
    ret = bdrv_co_write_req_begin(child, start, grows, &req, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret,
                         "Failed to prepare request for truncation");
        bdrv_tracked_request_end(&req);
        return ret;
    }
    ret = truncate_node(bs, a, errp);
    bdrv_status_cache_drop(bs, start, BDRV_MAX_LENGTH - start);
    if (ret >= 0) {
        ret = bdrv_refresh_total_sectors(bs, DIV_ROUND_UP(end,
                                                          BDRV_SECTOR_SIZE));
        if (ret < 0) {
            error_setg_errno(errp, -ret,
                             "Could not refresh total sector count");
        } else {
            end = bs->total_sectors * BDRV_SECTOR_SIZE;
        }
        /* The length is new in any case. */
        bdrv_co_write_req_finish(child, end, 0, &req, 0);
    } else {
        bdrv_co_write_req_finish(child, start, grows, &req, ret);
    }
    bdrv_tracked_request_end(&req);
    return ret;
}

int coroutine_fn bdrv_co_truncate(BdrvChild *child, int64_t offset, bool exact,
                                  PreallocMode prealloc,
                                  BdrvRequestFlags flags, Error **errp)
{
    BlockDriverState *bs = child->bs;
    TruncateArgs args = {
        .new_size = offset,
        .exact = exact,
        .prealloc = prealloc,
        .flags = flags,
    };
    int ret;

    if (!bs->drv) {
        error_setg(errp, "No medium inserted");
        return -ENOMEDIUM;
    }
    if (offset < 0) {
        error_setg(errp, "Image size cannot be negative");
        return -EINVAL;
    }
    ret = bdrv_check_request(offset, 0, errp);
    if (ret < 0) {
        return ret;
    }
    args.old_size = bdrv_getlength(bs);
    if (args.old_size < 0) {
        error_setg_errno(errp, -args.old_size, "Failed to get old image size");
        return args.old_size;
    }
    if (bdrv_is_read_only(bs)) {
        error_setg(errp, "Image is read-only");
        return -EACCES;
    }
    bdrv_inc_in_flight(bs);
    ret = truncate_tracked(child, &args, errp);
    bdrv_dec_in_flight(bs);
    return ret;
}
