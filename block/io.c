/*
 * SPDX-License-Identifier: MIT
 *
 * Reads, writes and flushes: from any offset and length to what a driver can
 * take.
 *
 * A request that is aligned to the node's request_alignment goes straight to
 * the driver.  Others are padded: a read gets throw-away buffers at its ends,
 * a write reads what is there first, while nobody else writes it.
 *
 * Invariants
 *   1. Every request counts in bs->in_flight and is tracked while the driver
 *      works on it.
 *   2. bdrv_co_write_req_finish() follows each write, zeroing, discard or
 *      truncation, failed or not.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

/* Largest buffer of copy on read. */
#define MAX_BOUNCE_BUFFER (1 * MiB)

/* ---- Checks ---- */

int bdrv_check_request(int64_t offset, int64_t bytes, Error **errp)
{
    if (offset < 0) {
        error_setg(errp, "offset is negative: %" PRId64, offset);
        return -EIO;
    }
    if (bytes < 0) {
        error_setg(errp, "bytes is negative: %" PRId64, bytes);
        return -EIO;
    }
    if (bytes > BDRV_MAX_LENGTH || offset > BDRV_MAX_LENGTH ||
        offset > BDRV_MAX_LENGTH - bytes) {
        error_setg(errp, "request at %" PRId64 " of %" PRId64
                   " bytes ends beyond the maximum (%" PRId64 ")", offset,
                   bytes, (int64_t)BDRV_MAX_LENGTH);
        return -EIO;
    }
    return 0;
}

int bdrv_check_qiov_request(int64_t offset, int64_t bytes, QEMUIOVector *qiov,
                            size_t qiov_offset, Error **errp)
{
    int ret = bdrv_check_request(offset, bytes, errp);

    if (ret < 0) {
        return ret;
    }
    if (qiov && (qiov_offset > qiov->size ||
                 bytes > qiov->size - qiov_offset)) {
        error_setg(errp, "vector of %zu bytes is too short for %" PRId64
                   " from %zu", qiov->size, bytes, qiov_offset);
        return -EIO;
    }
    return 0;
}

int bdrv_check_request32(int64_t offset, int64_t bytes, QEMUIOVector *qiov,
                         size_t qiov_offset)
{
    int ret = bdrv_check_qiov_request(offset, bytes, qiov, qiov_offset, NULL);

    if (ret == 0 && bytes > BDRV_REQUEST_MAX_BYTES) {
        ret = -EIO;
    }
    return ret;
}

int bdrv_check_write(BdrvChild *child, int64_t offset, int64_t bytes)
{
    BlockDriverState *bs = child->bs;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (bdrv_is_read_only(bs)) {
        return -EPERM;
    }
    return bdrv_check_request(offset, bytes, NULL);
}

/* ---- The driver's hooks ---- */

int coroutine_fn bdrv_driver_preadv(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    BlockDriver *drv = bs->drv;
    QEMUIOVector local;
    int ret;

    if (!drv) {
        return -ENOMEDIUM;
    }
    flags &= bs->supported_read_flags;
    if (drv->bdrv_co_preadv_part) {
        return drv->bdrv_co_preadv_part(bs, offset, bytes, qiov, qiov_offset,
                                        flags);
    }
    if (!drv->bdrv_co_preadv) {
        return -ENOTSUP;
    }
    if (qiov_offset == 0 && qiov->size == bytes) {
        return drv->bdrv_co_preadv(bs, offset, bytes, qiov, flags);
    }
    qemu_iovec_init_slice(&local, qiov, qiov_offset, bytes);
    ret = drv->bdrv_co_preadv(bs, offset, bytes, &local, flags);
    qemu_iovec_destroy(&local);
    return ret;
}

static int coroutine_fn driver_write(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriver *drv = bs->drv;
    QEMUIOVector local;
    int ret;

    if (drv->bdrv_co_pwritev_part) {
        return drv->bdrv_co_pwritev_part(bs, offset, bytes, qiov, qiov_offset,
                                         flags);
    }
    if (!drv->bdrv_co_pwritev) {
        return -ENOTSUP;
    }
    if (qiov_offset == 0 && qiov->size == bytes) {
        return drv->bdrv_co_pwritev(bs, offset, bytes, qiov, flags);
    }
    qemu_iovec_init_slice(&local, qiov, qiov_offset, bytes);
    ret = drv->bdrv_co_pwritev(bs, offset, bytes, &local, flags);
    qemu_iovec_destroy(&local);
    return ret;
}

int coroutine_fn bdrv_driver_pwritev(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    bool flush = (flags & BDRV_REQ_FUA) &&
                 !(bs->supported_write_flags & BDRV_REQ_FUA);
    int ret;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (flags & BDRV_REQ_WRITE_COMPRESSED) {
        ret = bs->drv->bdrv_co_pwritev_compressed_part
              ? bs->drv->bdrv_co_pwritev_compressed_part(bs, offset, bytes,
                                                         qiov, qiov_offset)
              : -ENOTSUP;
    } else {
        ret = driver_write(bs, offset, bytes, qiov, qiov_offset,
                           flags & bs->supported_write_flags);
    }
    if (ret >= 0 && flush) {
        ret = bdrv_co_flush(bs);
    }
    return ret;
}

/* The most that fits into one request to the driver. */
static int64_t max_transfer(BlockDriverState *bs, int64_t align)
{
    return QEMU_ALIGN_DOWN(MIN_NON_ZERO(bs->bl.max_transfer, INT_MAX), align);
}

/* ---- Padding ---- */

typedef struct BdrvPadding {
    int64_t head;           /* bytes before and after the request */
    int64_t tail;
    uint8_t *buf;           /* head, then tail */
    QEMUIOVector qiov;      /* buf, the request's, buf */
} BdrvPadding;

/* Widen the request to @align; false if that is not needed. */
static bool pad_init(BdrvPadding *pad, BlockDriverState *bs, int64_t *offset,
                     int64_t *bytes, QEMUIOVector *qiov, size_t qiov_offset)
{
    int64_t align = bs->bl.request_alignment;
    int niov;

    pad->head = *offset & (align - 1);
    pad->tail = -(*offset + *bytes) & (align - 1);
    if (!pad->head && !pad->tail) {
        return false;
    }
    pad->buf = qemu_blockalign(bs, pad->head + pad->tail);
    niov = qiov ? qemu_iovec_subvec_niov(qiov, qiov_offset, *bytes) : 0;
    qemu_iovec_init(&pad->qiov, niov + 2);
    if (pad->head) {
        qemu_iovec_add(&pad->qiov, pad->buf, pad->head);
    }
    if (qiov) {
        qemu_iovec_concat(&pad->qiov, qiov, qiov_offset, *bytes);
    }
    if (pad->tail) {
        qemu_iovec_add(&pad->qiov, pad->buf + pad->head, pad->tail);
    }
    *offset -= pad->head;
    *bytes += pad->head + pad->tail;
    return true;
}

static void pad_destroy(BdrvPadding *pad)
{
    qemu_iovec_destroy(&pad->qiov);
    qemu_vfree(pad->buf);
}

/* ---- Reads ---- */

/* Read unallocated clusters of the range and write them back, unchanged. */
static int coroutine_fn copy_on_read(BdrvChild *child, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t start, end, done = 0;
    void *buf;
    int ret = 0;

    bdrv_round_to_clusters(bs, offset, bytes, &start, &end);
    end += start;
    buf = qemu_try_blockalign(bs, MIN(MAX_BOUNCE_BUFFER, end - start));
    if (!buf) {
        return -ENOMEM;
    }
    while (done < bytes) {
        int64_t pos = offset + done, pnum, skip, n;

        ret = bdrv_co_is_allocated(bs, pos, bytes - done, &pnum);
        if (ret < 0) {
            /* Reading will tell what is wrong. */
            pnum = bytes - done;
            ret = 1;
        }
        if (ret) {
            n = MIN(pnum, max_transfer(bs, bs->bl.request_alignment));
            ret = flags & BDRV_REQ_PREFETCH ? 0
                : bdrv_driver_preadv(bs, pos, n, qiov, qiov_offset + done, 0);
        } else {
            QEMUIOVector local;
            int64_t cstart, cbytes;

            bdrv_round_to_clusters(bs, pos, 1, &cstart, &cbytes);
            skip = pos - cstart;
            n = MIN(pnum + skip, MAX(cbytes, MAX_BOUNCE_BUFFER));
            bdrv_round_to_clusters(bs, cstart, n, &cstart, &cbytes);
            cbytes = MIN(cbytes, MAX_BOUNCE_BUFFER);
            cbytes = MIN(cbytes, bs->total_sectors * BDRV_SECTOR_SIZE -
                                 cstart);
            qemu_iovec_init_buf(&local, buf, cbytes);
            ret = bdrv_driver_preadv(bs, cstart, cbytes, &local, 0, 0);
            if (ret < 0) {
                break;
            }
            bdrv_debug_event(bs, BLKDBG_COR_WRITE);
            if (buffer_is_zero(buf, cbytes)) {
                ret = bdrv_driver_pwrite_zeroes(bs, cstart, cbytes,
                                                BDRV_REQ_WRITE_UNCHANGED);
            } else {
                ret = bdrv_driver_pwritev(bs, cstart, cbytes, &local, 0,
                                          BDRV_REQ_WRITE_UNCHANGED);
            }
            if (ret < 0) {
                /* Only the copy failed; the guest gets its data. */
                ret = flags & BDRV_REQ_PREFETCH ? ret : 0;
            }
            n = MIN(cbytes - skip, bytes - done);
            if (!(flags & BDRV_REQ_PREFETCH)) {
                qemu_iovec_from_buf(qiov, qiov_offset + done,
                                    (uint8_t *)buf + skip, n);
            }
        }
        if (ret < 0) {
            break;
        }
        done += n;
    }
    qemu_vfree(buf);
    return ret < 0 ? ret : 0;
}

/* Aligned; beyond the end there are zeroes. */
static int coroutine_fn aligned_preadv(BdrvChild *child,
                                       BdrvTrackedRequest *req,
                                       int64_t offset, int64_t bytes,
                                       QEMUIOVector *qiov, size_t qiov_offset,
                                       BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t align = bs->bl.request_alignment;
    int64_t total, avail, done = 0, max = max_transfer(bs, align);
    int ret;

    if (flags & BDRV_REQ_COPY_ON_READ) {
        /* Nobody may write between our read and our write. */
        bdrv_make_request_serialising(req, bdrv_cluster_size_or(bs, align));
        return copy_on_read(child, offset, bytes, qiov, qiov_offset, flags);
    }
    bdrv_wait_serialising_requests(req);
    total = bdrv_getlength(bs);
    if (total < 0) {
        return total;
    }
    avail = MAX(0, QEMU_ALIGN_UP(total - offset, align));
    if (likely(bytes <= avail && bytes <= max)) {
        return bdrv_driver_preadv(bs, offset, bytes, qiov, qiov_offset, flags);
    }
    avail = offset >= total ? 0 : MIN(avail, bytes);
    while (done < avail) {
        int64_t n = MIN(avail - done, max);

        ret = bdrv_driver_preadv(bs, offset + done, n, qiov,
                                 qiov_offset + done, flags);
        if (ret < 0) {
            return ret;
        }
        done += n;
    }
    qemu_iovec_memset(qiov, qiov_offset + done, 0, bytes - done);
    return 0;
}

int coroutine_fn bdrv_co_preadv_part(BdrvChild *child, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    BdrvPadding pad;
    bool padded = false;
    int ret;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    ret = bdrv_check_request32(offset, bytes, qiov, qiov_offset);
    if (ret < 0) {
        return ret;
    }
    if (bytes == 0 && !QEMU_IS_ALIGNED(offset, bs->bl.request_alignment)) {
        return 0;
    }
    bdrv_inc_in_flight(bs);
    if (atomic_read(&bs->copy_on_read)) {
        flags |= BDRV_REQ_COPY_ON_READ;
    }
    if (!(flags & BDRV_REQ_PREFETCH)) {
        padded = pad_init(&pad, bs, &offset, &bytes, qiov, qiov_offset);
    }
    if (padded) {
        qiov = &pad.qiov;
        qiov_offset = 0;
    }
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_READ);
    ret = aligned_preadv(child, &req, offset, bytes, qiov, qiov_offset, flags);
    bdrv_tracked_request_end(&req);
    if (padded) {
        pad_destroy(&pad);
    }
    bdrv_dec_in_flight(bs);
    return ret < 0 ? ret : 0;
}

int coroutine_fn bdrv_co_preadv(BdrvChild *child, int64_t offset,
                                int64_t bytes, QEMUIOVector *qiov,
                                BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(child, offset, bytes, qiov, 0, flags);
}

int coroutine_fn bdrv_co_pread(BdrvChild *child, int64_t offset, int64_t bytes,
                               void *buf, BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);

    return bdrv_co_preadv(child, offset, bytes, &qiov, flags);
}

/* ---- Writes ---- */

int coroutine_fn bdrv_co_write_req_prepare(BdrvChild *child, int64_t offset,
                                           int64_t bytes,
                                           BdrvTrackedRequest *req,
                                           BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t end = offset + bytes;

    assert(!(bs->open_flags & BDRV_O_INACTIVE));
    if (flags & BDRV_REQ_SERIALISING) {
        if ((flags & BDRV_REQ_NO_WAIT) &&
            atomic_read(&bs->serialising_in_flight)) {
            return -EBUSY;
        }
        bdrv_make_request_serialising(req,
                                      bdrv_cluster_size_or(
                                          bs, bs->bl.request_alignment));
    } else {
        bdrv_wait_serialising_requests(req);
    }
    switch (req->type) {
    case BDRV_TRACKED_WRITE:
    case BDRV_TRACKED_DISCARD:
        if (flags & BDRV_REQ_WRITE_UNCHANGED) {
            assert(child->perm & (BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE));
        } else {
            assert(child->perm & BLK_PERM_WRITE);
        }
        assert(end <= bs->total_sectors * BDRV_SECTOR_SIZE ||
               child->perm & BLK_PERM_RESIZE);
        bdrv_write_threshold_check_write(bs, offset, bytes);
        return 0;
    case BDRV_TRACKED_TRUNCATE:
        assert(child->perm & BLK_PERM_RESIZE);
        return 0;
    default:
        g_assert_not_reached();
    }
}

static void raise_highest_offset(BlockDriverState *bs, uint64_t end)
{
    uint64_t old = atomic_read(&bs->wr_highest_offset);

    while (old < end) {
        uint64_t seen = atomic_cmpxchg(&bs->wr_highest_offset, old, end);

        if (seen == old) {
            break;
        }
        old = seen;
    }
}

void bdrv_co_write_req_finish(BdrvChild *child, int64_t offset, int64_t bytes,
                              BdrvTrackedRequest *req, int ret)
{
    BlockDriverState *bs = child->bs;
    int64_t end_sector = DIV_ROUND_UP(offset + bytes, BDRV_SECTOR_SIZE);

    atomic_inc(&bs->write_gen);
    if (ret == 0 && (req->type == BDRV_TRACKED_TRUNCATE ||
                     end_sector > bs->total_sectors) &&
        req->type != BDRV_TRACKED_DISCARD) {
        bs->total_sectors = end_sector;
        bdrv_parent_cb_resize(bs);
        bdrv_dirty_bitmap_truncate(bs, end_sector << BDRV_SECTOR_BITS);
    }
    if (req->type == BDRV_TRACKED_WRITE) {
        raise_highest_offset(bs, offset + bytes);
    }
    if (req->type != BDRV_TRACKED_TRUNCATE) {
        bdrv_set_dirty(bs, offset, bytes);
    }
}

/* Aligned. */
static int coroutine_fn aligned_pwritev(BdrvChild *child,
                                        BdrvTrackedRequest *req,
                                        int64_t offset, int64_t bytes,
                                        QEMUIOVector *qiov,
                                        size_t qiov_offset,
                                        BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t max = max_transfer(bs, bs->bl.request_alignment);
    int64_t done = 0;
    int ret = bdrv_co_write_req_prepare(child, offset, bytes, req, flags);

    if (ret == 0 && bs->detect_zeroes != BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF &&
        !(flags & (BDRV_REQ_ZERO_WRITE | BDRV_REQ_WRITE_COMPRESSED)) &&
        bs->drv->bdrv_co_pwrite_zeroes &&
        qemu_iovec_is_zero(qiov, qiov_offset, bytes)) {
        flags |= BDRV_REQ_ZERO_WRITE;
        if (bs->detect_zeroes == BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP) {
            flags |= BDRV_REQ_MAY_UNMAP;
        }
    }
    if (ret < 0) {
        /* nothing was done */
    } else if (flags & BDRV_REQ_ZERO_WRITE) {
        bdrv_debug_event(bs, BLKDBG_PWRITEV_ZERO);
        ret = bdrv_driver_pwrite_zeroes(bs, offset, bytes, flags);
    } else if (likely(bytes <= max) || (flags & BDRV_REQ_WRITE_COMPRESSED)) {
        bdrv_debug_event(bs, BLKDBG_PWRITEV);
        ret = bdrv_driver_pwritev(bs, offset, bytes, qiov, qiov_offset, flags);
    } else {
        bdrv_debug_event(bs, BLKDBG_PWRITEV);
        while (done < bytes && ret >= 0) {
            int64_t n = MIN(bytes - done, max);

            ret = bdrv_driver_pwritev(bs, offset + done, n, qiov,
                                      qiov_offset + done,
                                      done + n < bytes
                                      ? flags & ~BDRV_REQ_FUA : flags);
            done += n;
        }
    }
    bdrv_debug_event(bs, BLKDBG_PWRITEV_DONE);
    ret = ret < 0 ? ret : 0;
    bdrv_co_write_req_finish(child, offset, bytes, req, ret);
    return ret;
}

/* Read the block at @pos and take @n bytes from @skip on. */
static int coroutine_fn rmw_read(BdrvChild *child, BdrvTrackedRequest *req,
                                 int64_t pos, int64_t skip, uint8_t *dst,
                                 int64_t n)
{
    BlockDriverState *bs = child->bs;
    int64_t align = bs->bl.request_alignment;
    uint8_t *block = qemu_blockalign(bs, align);
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, block, align);
    int ret = aligned_preadv(child, req, pos, align, &qiov, 0, 0);

    if (ret >= 0) {
        memcpy(dst, block + skip, n);
    }
    qemu_vfree(block);
    return ret;
}

/* Fill the padding of a write with what is there. */
static int coroutine_fn pad_fill(BdrvChild *child, BdrvTrackedRequest *req,
                                 BdrvPadding *pad, int64_t offset,
                                 int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    int64_t align = bs->bl.request_alignment;
    int ret = 0;

    if (pad->head) {
        bdrv_debug_event(bs, BLKDBG_PWRITEV_RMW_HEAD);
        ret = rmw_read(child, req, offset, 0, pad->buf, pad->head);
        if (ret < 0) {
            return ret;
        }
        bdrv_debug_event(bs, BLKDBG_PWRITEV_RMW_AFTER_HEAD);
    }
    if (pad->tail) {
        bdrv_debug_event(bs, BLKDBG_PWRITEV_RMW_TAIL);
        ret = rmw_read(child, req, offset + bytes - align, align - pad->tail,
                       pad->buf + pad->head, pad->tail);
        if (ret < 0) {
            return ret;
        }
        bdrv_debug_event(bs, BLKDBG_PWRITEV_RMW_AFTER_TAIL);
    }
    return ret;
}

/* A padded write of data. */
static int coroutine_fn padded_pwritev(BdrvChild *child,
                                       BdrvTrackedRequest *req,
                                       BdrvPadding *pad, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags)
{
    int ret;

    bdrv_make_request_serialising(req, child->bs->bl.request_alignment);
    ret = pad_fill(child, req, pad, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    return aligned_pwritev(child, req, offset, bytes, &pad->qiov, 0,
                           flags & ~BDRV_REQ_ZERO_WRITE);
}

/* Zeroes: blocks that are touched in part are written as data, the middle as
 * zeroes. */
static int coroutine_fn unaligned_zeroes(BdrvChild *child,
                                         BdrvTrackedRequest *req,
                                         int64_t offset, int64_t bytes,
                                         BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t align = bs->bl.request_alignment;
    int64_t end = offset + bytes;
    int ret = 0;

    bdrv_make_request_serialising(req, align);
    while (offset < end && ret >= 0) {
        int64_t start = QEMU_ALIGN_DOWN(offset, align);
        int64_t middle_end = QEMU_ALIGN_DOWN(end, align);

        if (start == offset && middle_end > offset) {
            ret = aligned_pwritev(child, req, offset, middle_end - offset,
                                  NULL, 0, flags);
            offset = middle_end;
        } else {
            int64_t n = MIN(start + align, end) - offset;
            uint8_t *block = qemu_blockalign(bs, align);
            QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, block, align);

            ret = aligned_preadv(child, req, start, align, &qiov, 0, 0);
            if (ret >= 0) {
                memset(block + (offset - start), 0, n);
                ret = aligned_pwritev(child, req, start, align, &qiov, 0,
                                      flags & ~(BDRV_REQ_ZERO_WRITE |
                                                BDRV_REQ_MAY_UNMAP |
                                                BDRV_REQ_NO_FALLBACK));
            }
            qemu_vfree(block);
            offset += n;
        }
    }
    return ret;
}

int coroutine_fn bdrv_co_pwritev_part(BdrvChild *child, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    bool zeroes = flags & BDRV_REQ_ZERO_WRITE;
    int64_t align;
    BdrvTrackedRequest req;
    BdrvPadding pad;
    int ret;

    ret = bdrv_check_write(child, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    if (!zeroes) {
        ret = bdrv_check_request32(offset, bytes, qiov, qiov_offset);
        if (ret < 0) {
            return ret;
        }
    }
    align = bs->bl.request_alignment;
    if (bytes == 0 && !QEMU_IS_ALIGNED(offset, align)) {
        return 0;
    }
    if (!(bs->open_flags & BDRV_O_UNMAP)) {
        flags &= ~BDRV_REQ_MAY_UNMAP;
    }
    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_WRITE);
    if (zeroes && ((offset | bytes) & (align - 1))) {
        ret = unaligned_zeroes(child, &req, offset, bytes, flags);
    } else if (!zeroes && pad_init(&pad, bs, &offset, &bytes, qiov,
                                   qiov_offset)) {
        ret = padded_pwritev(child, &req, &pad, offset, bytes, flags);
        pad_destroy(&pad);
    } else {
        ret = aligned_pwritev(child, &req, offset, bytes, qiov, qiov_offset,
                              flags);
    }
    bdrv_tracked_request_end(&req);
    bdrv_dec_in_flight(bs);
    return ret;
}

int coroutine_fn bdrv_co_pwritev(BdrvChild *child, int64_t offset,
                                 int64_t bytes, QEMUIOVector *qiov,
                                 BdrvRequestFlags flags)
{
    return bdrv_co_pwritev_part(child, offset, bytes, qiov, 0, flags);
}

int coroutine_fn bdrv_co_pwrite(BdrvChild *child, int64_t offset,
                                int64_t bytes, const void *buf,
                                BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);

    return bdrv_co_pwritev(child, offset, bytes, &qiov, flags);
}

int coroutine_fn bdrv_co_pwrite_sync(BdrvChild *child, int64_t offset,
                                     int64_t bytes, const void *buf,
                                     BdrvRequestFlags flags)
{
    int ret = bdrv_co_pwrite(child, offset, bytes, buf, flags);

    return ret < 0 ? ret : bdrv_co_flush(child->bs);
}

/* ---- Flush ---- */

/* The node itself, to the host and then to the disk. */
static int coroutine_fn flush_node(BlockDriverState *bs)
{
    BlockDriver *drv = bs->drv;
    int ret;

    if (drv->bdrv_co_flush) {
        return drv->bdrv_co_flush(bs);
    }
    bdrv_debug_event(bs, BLKDBG_FLUSH_TO_OS);
    if (drv->bdrv_co_flush_to_os) {
        ret = drv->bdrv_co_flush_to_os(bs);
        if (ret < 0) {
            return ret;
        }
    }
    if (bs->open_flags & BDRV_O_NO_FLUSH) {
        return 0;
    }
    bdrv_debug_event(bs, BLKDBG_FLUSH_TO_DISK);
    return drv->bdrv_co_flush_to_disk ? drv->bdrv_co_flush_to_disk(bs) : 0;
}

static int coroutine_fn flush_children(BlockDriverState *bs)
{
    BdrvChild *c;
    int ret = 0;

    QLIST_FOREACH(c, &bs->children, next) {
        if (c->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)) {
            int r = bdrv_co_flush(c->bs);

            ret = ret < 0 ? ret : r;
        }
    }
    return ret;
}

int coroutine_fn bdrv_co_flush(BlockDriverState *bs)
{
    unsigned gen;
    int ret = 0;

    if (!bs->drv || !bdrv_is_inserted(bs) || bdrv_is_read_only(bs) ||
        bdrv_is_sg(bs)) {
        return 0;
    }
    bdrv_inc_in_flight(bs);
    gen = atomic_read(&bs->write_gen);
    /* One flush serves all who asked before it started. */
    while (bs->active_flush_req) {
        qemu_co_queue_wait(&bs->flush_queue, NULL);
    }
    if (bs->flushed_gen != gen || bs->drv->bdrv_co_flush) {
        bool needed = bs->flushed_gen != gen;

        bs->active_flush_req = true;
        ret = flush_node(bs);
        if (ret >= 0 && needed && !bs->drv->bdrv_co_flush) {
            ret = flush_children(bs);
        }
        if (ret >= 0) {
            bs->flushed_gen = gen;
        }
        bs->active_flush_req = false;
        qemu_co_queue_next(&bs->flush_queue);
    } else {
        qemu_co_queue_next(&bs->flush_queue);
    }
    bdrv_dec_in_flight(bs);
    return ret < 0 ? ret : 0;
}

/* ---- Others ---- */

int coroutine_fn bdrv_co_ioctl(BlockDriverState *bs, int req, void *buf)
{
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(bs);
    if (bs->drv && bs->drv->bdrv_co_ioctl) {
        ret = bs->drv->bdrv_co_ioctl(bs, req, buf);
    }
    bdrv_dec_in_flight(bs);
    return ret;
}

void bdrv_inc_in_flight(BlockDriverState *bs)
{
    atomic_inc(&bs->in_flight);
}

void bdrv_wakeup(BlockDriverState *bs)
{
    aio_wait_kick();
}

void bdrv_dec_in_flight(BlockDriverState *bs)
{
    atomic_dec(&bs->in_flight);
    bdrv_wakeup(bs);
}

void bdrv_io_plug(BlockDriverState *bs)
{
    /* The engines batch what one iteration of the event loop submits. */
}

void bdrv_io_unplug(BlockDriverState *bs)
{
}
