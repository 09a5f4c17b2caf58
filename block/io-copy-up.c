/*
 * SPDX-License-Identifier: MIT
 *
 * Copies from a backing chain into its overlay, while the overlay is in use.
 *
 * Invariant: between the look at what the overlay has and the write, the
 * range is serialising, so that no write of a user is lost.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"

/* The overlay has nothing of its own in this range. */
static int coroutine_fn copy_up_extent(BlockDriverState *bs, BdrvChild *from,
                                       int64_t offset, int64_t bytes,
                                       void *buf, bool *is_read)
{
    int ret;

    if (!buf) {
        bdrv_debug_event(bs, BLKDBG_COR_WRITE);
        ret = bdrv_driver_pwrite_zeroes(bs, offset, bytes,
                                        BDRV_REQ_WRITE_UNCHANGED);
        atomic_inc(&bs->write_gen);
        return ret;
    }
    ret = bdrv_co_pread(from, offset, bytes, buf, 0);
    if (ret < 0) {
        *is_read = true;
        return ret;
    }
    return bdrv_store_copy(bs, offset, bytes, buf);
}

int coroutine_fn bdrv_co_copy_up(BdrvChild *child, BdrvChild *from,
                                 int64_t offset, int64_t bytes, void *buf,
                                 bool *is_read)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    int64_t done = 0;
    int ret = 0;

    *is_read = false;
    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    assert(child->perm & (BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE));
    assert(QEMU_IS_ALIGNED(offset | bytes, bs->bl.request_alignment));
    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_READ);
    bdrv_make_request_serialising(&req, bs->bl.request_alignment);
    while (done < bytes && ret >= 0) {
        int64_t n;

        ret = bdrv_co_is_allocated(bs, offset + done, bytes - done, &n);
        if (ret < 0) {
            break;
        }
        assert(n > 0);
        if (!ret) {
            ret = copy_up_extent(bs, from, offset + done, n,
                                 buf ? (uint8_t *)buf + done : NULL, is_read);
        }
        done += n;
    }
    bdrv_tracked_request_end(&req);
    bdrv_dec_in_flight(bs);
    return MIN(ret, 0);
}
