/*
 * SPDX-License-Identifier: MIT
 *
 * Zeroes without data, and discards.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"

/* Largest buffer of zeroes for drivers that can't write them otherwise. */
#define MAX_ZERO_BUFFER (1 * MiB)

/* ---- Zeroes ---- */

/* One request to the driver. -ENOTSUP: as data. */
static int coroutine_fn zero_by_driver(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags)
{
    if (!bs->drv->bdrv_co_pwrite_zeroes) {
        return -ENOTSUP;
    }
    if ((flags & BDRV_REQ_NO_FALLBACK) &&
        !(bs->supported_zero_flags & BDRV_REQ_NO_FALLBACK)) {
        return -ENOTSUP;
    }
    return bs->drv->bdrv_co_pwrite_zeroes(bs, offset, bytes,
                                          flags & bs->supported_zero_flags);
}

static int coroutine_fn zero_by_data(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, void **buf,
                                     int64_t buf_size, BdrvRequestFlags flags)
{
    QEMUIOVector qiov;

    if (!*buf) {
        *buf = qemu_try_blockalign0(bs, buf_size);
        if (!*buf) {
            return -ENOMEM;
        }
    }
    qemu_iovec_init_buf(&qiov, *buf, bytes);
    return bdrv_driver_pwritev(bs, offset, bytes, &qiov, 0,
                               flags & (BDRV_REQ_WRITE_UNCHANGED |
                                        BDRV_REQ_FUA));
}

/* The length of the next request: up to an aligned place first, then whole
 * aligned units, then the rest. */
static int64_t zero_step(int64_t offset, int64_t bytes, int64_t align,
                         int64_t max)
{
    int64_t head = offset % align;

    if (head) {
        return MIN(bytes, align - head);
    }
    bytes = MIN(bytes, max);
    return bytes > align ? QEMU_ALIGN_DOWN(bytes, align) : bytes;
}

int coroutine_fn bdrv_driver_pwrite_zeroes(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           BdrvRequestFlags flags)
{
    int64_t align = MAX(bs->bl.pwrite_zeroes_alignment,
                        bs->bl.request_alignment);
    int64_t max = QEMU_ALIGN_DOWN(MIN_NON_ZERO(bs->bl.max_pwrite_zeroes,
                                               INT64_MAX), align);
    int64_t buf_size = QEMU_ALIGN_DOWN(
        MIN(MAX_ZERO_BUFFER, MIN_NON_ZERO(bs->bl.max_transfer, INT_MAX)),
        bs->bl.request_alignment);
    bool flush = (flags & BDRV_REQ_FUA) &&
                 !(bs->supported_zero_flags & BDRV_REQ_FUA);
    int64_t start = offset;
    void *buf = NULL;
    int ret = 0;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (flush) {
        flags &= ~BDRV_REQ_FUA;
    }
    max = MAX(max, align);
    buf_size = MAX(buf_size, bs->bl.request_alignment);
    while (bytes > 0 && ret >= 0) {
        int64_t n = zero_step(offset, bytes, align, max);

        ret = zero_by_driver(bs, offset, n, flags);
        if (ret == -ENOTSUP && !(flags & BDRV_REQ_NO_FALLBACK)) {
            n = MIN(n, buf_size);
            ret = zero_by_data(bs, offset, n, &buf, buf_size, flags);
        }
        offset += n;
        bytes -= n;
    }
    qemu_vfree(buf);
    bdrv_status_cache_drop(bs, start, offset - start);
    if (ret >= 0 && flush) {
        ret = bdrv_co_flush(bs);
    }
    return ret < 0 ? ret : 0;
}

int coroutine_fn bdrv_co_pwrite_zeroes(BdrvChild *child, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags)
{
    return bdrv_co_pwritev(child, offset, bytes, NULL,
                           BDRV_REQ_ZERO_WRITE | flags);
}

/* ---- Discard ---- */

/* Units that are discarded in part only are left alone where the driver says
 * it can't. */
static int coroutine_fn driver_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    int64_t align = MAX(bs->bl.pdiscard_alignment, bs->bl.request_alignment);
    int64_t max = QEMU_ALIGN_DOWN(MIN_NON_ZERO(bs->bl.max_pdiscard,
                                               INT64_MAX), align);

    max = MAX(max, align);
    while (bytes > 0) {
        int64_t n = zero_step(offset, bytes, align, max);
        int ret = -ENOTSUP;

        if (!((offset | n) & (bs->bl.request_alignment - 1))) {
            ret = bs->drv->bdrv_co_pdiscard(bs, offset, n);
        }
        if (ret < 0 && ret != -ENOTSUP) {
            return ret;
        }
        offset += n;
        bytes -= n;
    }
    return 0;
}

int coroutine_fn bdrv_co_pdiscard(BdrvChild *child, int64_t offset,
                                  int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    int ret = bdrv_check_write(child, offset, bytes);

    if (ret < 0 || bytes == 0) {
        return ret;
    }
    if (!(bs->open_flags & BDRV_O_UNMAP) || !bs->drv->bdrv_co_pdiscard) {
        return 0;
    }
    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_DISCARD);
    ret = bdrv_co_write_req_begin(child, offset, bytes, &req, 0);
    if (ret >= 0) {
        ret = driver_pdiscard(bs, offset, bytes);
        bdrv_status_cache_drop(bs, offset, bytes);
        bdrv_co_write_req_finish(child, offset, bytes, &req, ret);
    }
    bdrv_tracked_request_end(&req);
    bdrv_dec_in_flight(bs);
    return ret;
}
