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
 *   2. Each write, zeroing, discard or truncation is between
 *      bdrv_co_write_req_begin() and bdrv_co_write_req_finish(); the latter
 *      comes unless begin failed.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"
#include "block/dirty-bitmap.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

/* Largest buffer through which data goes that can't go directly. */
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
    if (bytes > BDRV_MAX_LENGTH) {
        error_setg(errp, "bytes(%" PRId64 ") exceeds maximum(%" PRId64 ")",
                   bytes, (int64_t)BDRV_MAX_LENGTH);
        return -EIO;
    }
    if (offset > BDRV_MAX_LENGTH) {
        error_setg(errp, "offset(%" PRId64 ") exceeds maximum(%" PRId64 ")",
                   offset, (int64_t)BDRV_MAX_LENGTH);
        return -EIO;
    }
    if (offset > BDRV_MAX_LENGTH - bytes) {
        error_setg(errp, "sum of offset(%" PRId64 ") and bytes(%" PRId64
                   ") exceeds maximum(%" PRId64 ")", offset, bytes,
                   (int64_t)BDRV_MAX_LENGTH);
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

/* Has the range more elements than one request may have? */
static bool too_many_elements(BlockDriverState *bs, QEMUIOVector *qiov,
                              size_t qiov_offset, int64_t bytes)
{
    int max = MIN_NON_ZERO(bs->bl.max_iov, IOV_MAX);

    return unlikely(qiov->niov > max) &&
           qemu_iovec_subvec_niov(qiov, qiov_offset, bytes) > max;
}

static int coroutine_fn driver_read_once(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    BlockDriver *drv = bs->drv;
    QEMUIOVector part;
    int ret;

    if (drv->bdrv_co_preadv_part) {
        return drv->bdrv_co_preadv_part(bs, offset, bytes, qiov, qiov_offset,
                                        flags);
    }
    if (!drv->bdrv_co_preadv) {
        return -ENOTSUP;
    }
    if (!qiov || (qiov_offset == 0 && qiov->size == bytes)) {
        return drv->bdrv_co_preadv(bs, offset, bytes, qiov, flags);
    }
    qemu_iovec_init_slice(&part, qiov, qiov_offset, bytes);
    ret = drv->bdrv_co_preadv(bs, offset, bytes, &part, flags);
    qemu_iovec_destroy(&part);
    return ret;
}

static int coroutine_fn driver_write_once(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset,
                                          BdrvRequestFlags flags)
{
    BlockDriver *drv = bs->drv;
    QEMUIOVector part;
    int ret;

    if (flags & BDRV_REQ_WRITE_COMPRESSED) {
        return drv->bdrv_co_pwritev_compressed_part
            ? drv->bdrv_co_pwritev_compressed_part(bs, offset, bytes, qiov,
                                                   qiov_offset)
            : -ENOTSUP;
    }
    flags &= bs->supported_write_flags;
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
    qemu_iovec_init_slice(&part, qiov, qiov_offset, bytes);
    ret = drv->bdrv_co_pwritev(bs, offset, bytes, &part, flags);
    qemu_iovec_destroy(&part);
    return ret;
}

/* A vector with too many elements goes through one buffer.  Compressed data
 * can't be cut. */
static int coroutine_fn driver_rw_bounced(BlockDriverState *bs, bool write,
                                          int64_t offset, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset,
                                          BdrvRequestFlags flags)
{
    int64_t step = flags & BDRV_REQ_WRITE_COMPRESSED ? bytes
        : MAX(MAX_BOUNCE_BUFFER, bs->bl.request_alignment);
    void *buf = qemu_try_blockalign(bs, MIN(step, bytes));
    int ret = 0;

    if (!buf) {
        return -ENOMEM;
    }
    while (bytes > 0 && ret >= 0) {
        int64_t n = MIN(step, bytes);
        QEMUIOVector flat = QEMU_IOVEC_INIT_BUF(flat, buf, n);

        if (write) {
            qemu_iovec_to_buf(qiov, qiov_offset, buf, n);
            ret = driver_write_once(bs, offset, n, &flat, 0, flags);
        } else {
            ret = driver_read_once(bs, offset, n, &flat, 0, flags);
            if (ret >= 0) {
                qemu_iovec_from_buf(qiov, qiov_offset, buf, n);
            }
        }
        offset += n;
        qiov_offset += n;
        bytes -= n;
    }
    qemu_vfree(buf);
    return ret;
}

int coroutine_fn bdrv_driver_preadv(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    flags &= bs->supported_read_flags;
    if (qiov && too_many_elements(bs, qiov, qiov_offset, bytes)) {
        return driver_rw_bounced(bs, false, offset, bytes, qiov, qiov_offset,
                                 flags);
    }
    return driver_read_once(bs, offset, bytes, qiov, qiov_offset, flags);
}

int coroutine_fn bdrv_driver_pwritev(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    int ret;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (too_many_elements(bs, qiov, qiov_offset, bytes)) {
        ret = driver_rw_bounced(bs, true, offset, bytes, qiov, qiov_offset,
                                flags);
    } else {
        ret = driver_write_once(bs, offset, bytes, qiov, qiov_offset, flags);
    }
    if (ret >= 0 && (flags & BDRV_REQ_FUA) &&
        ((flags & BDRV_REQ_WRITE_COMPRESSED) ||
         !(bs->supported_write_flags & BDRV_REQ_FUA))) {
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

/* A request of up to this many elements is padded without allocations for
 * the vector. */
#define PAD_FEW_ELEMENTS 6

typedef struct BdrvPadding {
    int64_t align;
    int64_t head;           /* bytes before and after the request */
    int64_t tail;
    /* The first block, then the last one, if that is another one. */
    uint8_t *buf;
    int64_t buf_size;
    QEMUIOVector qiov;      /* start of buf, the request's, end of buf */
    struct iovec few[PAD_FEW_ELEMENTS + 2];
} BdrvPadding;

/* Widen the request to whole blocks; false if it is that already. */
static bool pad_init(BdrvPadding *pad, BlockDriverState *bs, int64_t *offset,
                     int64_t *bytes, QEMUIOVector *qiov, size_t qiov_offset)
{
    int64_t align = bs->bl.request_alignment;
    struct iovec *iov = pad->few;
    int n = 0, niov;

    pad->head = *offset & (align - 1);
    pad->tail = -(*offset + *bytes) & (align - 1);
    if (!pad->head && !pad->tail) {
        return false;
    }
    pad->align = align;
    *offset -= pad->head;
    *bytes += pad->head + pad->tail;
    pad->buf_size = pad->head && pad->tail && *bytes > align ? 2 * align
                                                             : align;
    pad->buf = qemu_blockalign(bs, pad->buf_size);

    niov = qemu_iovec_subvec_niov(qiov, qiov_offset,
                                  *bytes - pad->head - pad->tail);
    if (niov > PAD_FEW_ELEMENTS) {
        iov = g_new(struct iovec, niov + 2);
    }
    if (pad->head) {
        iov[n++] = (struct iovec) { pad->buf, pad->head };
    }
    n += iov_copy(iov + n, niov, qiov->iov, qiov->niov, qiov_offset,
                  *bytes - pad->head - pad->tail);
    if (pad->tail) {
        iov[n++] = (struct iovec) { pad->buf + pad->buf_size - pad->tail,
                                    pad->tail };
    }
    qemu_iovec_init_external(&pad->qiov, iov, n);
    return true;
}

static void pad_destroy(BdrvPadding *pad)
{
    if (pad->qiov.iov != pad->few) {
        g_free(pad->qiov.iov);
    }
    qemu_vfree(pad->buf);
}

/* ---- Reads ---- */

/* Read what the node has of the range; behind its last block there are
 * zeroes. */
static int coroutine_fn read_clamped(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    int64_t align = bs->bl.request_alignment;
    int64_t max = max_transfer(bs, align);
    int64_t length = bdrv_getlength(bs), done = 0, present;

    if (length < 0) {
        return length;
    }
    present = offset < length
        ? MIN(bytes, QEMU_ALIGN_UP(length, align) - offset) : 0;
    while (done < present) {
        int64_t n = MIN(present - done, max);
        int ret = bdrv_driver_preadv(bs, offset + done, n, qiov,
                                     qiov_offset + done, flags);

        if (ret < 0) {
            return ret;
        }
        done += n;
    }
    if (done < bytes && qiov) {
        qemu_iovec_memset(qiov, qiov_offset + done, 0, bytes - done);
    }
    return 0;
}

int coroutine_fn bdrv_store_copy(BlockDriverState *bs, int64_t offset,
                                 int64_t bytes, void *buf)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);
    int ret;

    bdrv_debug_event(bs, BLKDBG_COR_WRITE);
    if (bs->drv->bdrv_co_pwrite_zeroes && buffer_is_zero(buf, bytes)) {
        ret = bdrv_driver_pwrite_zeroes(bs, offset, bytes,
                                        BDRV_REQ_WRITE_UNCHANGED);
    } else {
        ret = bdrv_driver_pwritev(bs, offset, bytes, &qiov, 0,
                                  BDRV_REQ_WRITE_UNCHANGED);
    }
    atomic_inc(&bs->write_gen);
    return ret;
}

/* Copy on read: read [offset, offset + bytes), which the node does not have,
 * widened to clusters, and store it.  Returns where the copy ended. */
static int64_t coroutine_fn copy_piece(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, QEMUIOVector *qiov,
                                       size_t qiov_offset, bool prefetch,
                                       void **buf)
{
    int64_t align = bs->bl.request_alignment;
    int64_t unit = bdrv_cluster_size_or(bs, align);
    int64_t size = MAX(QEMU_ALIGN_DOWN(MIN(MAX_BOUNCE_BUFFER,
                                           max_transfer(bs, align)), align),
                       align);
    int64_t start, end;
    QEMUIOVector local;
    int ret;

    if (unit <= size) {
        size = QEMU_ALIGN_DOWN(size, unit);
    } else {
        /* The driver fills up the cluster that gets a part. */
        unit = align;
    }
    start = QEMU_ALIGN_DOWN(offset, unit);
    end = MIN(QEMU_ALIGN_UP(offset + bytes, unit), start + size);
    end = MIN(end, QEMU_ALIGN_UP(bs->total_sectors * BDRV_SECTOR_SIZE,
                                 align));
    if (!*buf) {
        *buf = qemu_try_blockalign(bs, size);
        if (!*buf) {
            return -ENOMEM;
        }
    }
    qemu_iovec_init_buf(&local, *buf, end - start);
    ret = bdrv_driver_preadv(bs, start, end - start, &local, 0, 0);
    if (ret < 0) {
        return ret;
    }
    ret = bdrv_store_copy(bs, start, end - start, *buf);
    end = MIN(end, offset + bytes);
    if (prefetch) {
        return ret < 0 ? ret : end;
    }
    /* If only the copy failed, the reader gets its data. */
    qemu_iovec_from_buf(qiov, qiov_offset, (uint8_t *)*buf + (offset - start),
                        end - offset);
    return end;
}

/* Read, and let the node have what it took from its backing node. */
static int coroutine_fn copy_on_read(BdrvChild *child, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    bool prefetch = flags & BDRV_REQ_PREFETCH;
    int64_t length = bdrv_getlength(bs), end, pos = offset;
    void *buf = NULL;
    int ret = 0;

    if (length < 0) {
        return length;
    }
    assert(child->perm & (BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE));
    flags &= ~(BDRV_REQ_COPY_ON_READ | BDRV_REQ_PREFETCH);
    end = MIN(offset + bytes, length);
    while (pos < end && ret >= 0) {
        size_t at = qiov_offset + (pos - offset);
        int64_t n;

        ret = bdrv_co_is_allocated(bs, pos, end - pos, &n);
        if (ret < 0) {
            /* Reading tells what is wrong. */
            n = end - pos;
        }
        if (ret) {
            ret = prefetch ? MIN(ret, 0)
                           : read_clamped(bs, pos, n, qiov, at, flags);
            pos += n;
        } else {
            int64_t stop = copy_piece(bs, pos, n, qiov, at, prefetch, &buf);

            ret = MIN(stop, 0);
            pos = stop;
        }
    }
    qemu_vfree(buf);
    if (ret >= 0 && !prefetch && pos < offset + bytes) {
        size_t done = MAX(pos, offset) - offset;

        qemu_iovec_memset(qiov, qiov_offset + done, 0, bytes - done);
    }
    return ret;
}

/* Aligned, and tracked by @req. */
static int coroutine_fn read_aligned(BdrvChild *child, BdrvTrackedRequest *req,
                                     int64_t offset, int64_t bytes,
                                     QEMUIOVector *qiov, size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;

    if (unlikely(flags & BDRV_REQ_COPY_ON_READ)) {
        /* Nobody may write between our read and our write. */
        bdrv_make_request_serialising(req, bdrv_cluster_size_or(
                                               bs, bs->bl.request_alignment));
        return copy_on_read(child, offset, bytes, qiov, qiov_offset, flags);
    }
    bdrv_wait_serialising_requests(req);
    return read_clamped(bs, offset, bytes, qiov, qiov_offset, flags);
}

/* The flags of a read with what the node adds to them. */
static BdrvRequestFlags read_flags(BlockDriverState *bs,
                                   BdrvRequestFlags flags)
{
    if (unlikely(atomic_read(&bs->copy_on_read))) {
        flags |= BDRV_REQ_COPY_ON_READ;
    }
    if (unlikely(bs->open_flags & BDRV_O_INACTIVE)) {
        /* The image is another process's to write. */
        flags &= ~BDRV_REQ_COPY_ON_READ;
    }
    return flags;
}

int coroutine_fn bdrv_co_preadv_part(BdrvChild *child, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    BdrvPadding pad;
    bool padded;
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
    flags = read_flags(bs, flags);
    /* Without a vector (prefetching) there is nothing to pad. */
    padded = qiov && pad_init(&pad, bs, &offset, &bytes, qiov, qiov_offset);
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_READ);
    ret = read_aligned(child, &req, offset, bytes, padded ? &pad.qiov : qiov,
                       padded ? 0 : qiov_offset, flags);
    bdrv_tracked_request_end(&req);
    if (padded) {
        pad_destroy(&pad);
    }
    bdrv_dec_in_flight(bs);
    return ret;
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

/* ---- Before and after writes of any kind ---- */

int coroutine_fn bdrv_co_write_req_begin(BdrvChild *child, int64_t offset,
                                         int64_t bytes,
                                         BdrvTrackedRequest *req,
                                         BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    uint64_t needed = flags & BDRV_REQ_WRITE_UNCHANGED
        ? BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE : BLK_PERM_WRITE;
    bool grows = offset + bytes > bs->total_sectors * BDRV_SECTOR_SIZE;

    assert(!(bs->open_flags & BDRV_O_INACTIVE));
    if (req->type == BDRV_TRACKED_TRUNCATE) {
        needed = BLK_PERM_RESIZE;
    } else {
        assert(!grows || (child->perm & BLK_PERM_RESIZE));
    }
    assert(child->perm & needed);
    if (unlikely(bdrv_has_readonly_bitmaps(bs))) {
        /* They could not record what changes. */
        return -EPERM;
    }

    if (flags & BDRV_REQ_SERIALISING) {
        uint64_t align = bdrv_cluster_size_or(bs, bs->bl.request_alignment);

        if (!(flags & BDRV_REQ_NO_WAIT)) {
            bdrv_make_request_serialising(req, align);
        } else if (!bdrv_try_make_request_serialising(req, align)) {
            return -EBUSY;
        }
    } else {
        bdrv_wait_serialising_requests(req);
    }
    if (req->type != BDRV_TRACKED_TRUNCATE) {
        bdrv_write_threshold_check_write(bs, offset, bytes);
    }
    return 0;
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

void bdrv_length_changed(BlockDriverState *bs)
{
    BdrvChild *c;

    bdrv_dirty_bitmap_truncate(bs, bs->total_sectors * BDRV_SECTOR_SIZE);
    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (c->role->resize) {
            c->role->resize(c);
        }
    }
}

void bdrv_co_write_req_finish(BdrvChild *child, int64_t offset, int64_t bytes,
                              BdrvTrackedRequest *req, int ret)
{
    BlockDriverState *bs = child->bs;
    int64_t sectors = DIV_ROUND_UP(offset + bytes, BDRV_SECTOR_SIZE);

    atomic_inc(&bs->write_gen);
    switch (req->type) {
    case BDRV_TRACKED_TRUNCATE:
        if (ret >= 0) {
            bs->total_sectors = sectors;
            bdrv_length_changed(bs);
        }
        return;
    case BDRV_TRACKED_WRITE:
        raise_highest_offset(bs, offset + bytes);
        if (ret >= 0 && unlikely(sectors > bs->total_sectors)) {
            bs->total_sectors = sectors;
            bdrv_length_changed(bs);
        }
        break;
    default:
        break;
    }
    /* A request that failed may have written a part. */
    bdrv_set_dirty(bs, offset, bytes);
}

/* ---- Writes ---- */

/* Zeroes that come as data, if they are to be found: the flags to add. */
static BdrvRequestFlags detect_zeroes(BlockDriverState *bs, QEMUIOVector *qiov,
                                      size_t qiov_offset, int64_t bytes,
                                      BdrvRequestFlags flags)
{
    if (likely(bs->detect_zeroes == BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF) ||
        (flags & (BDRV_REQ_ZERO_WRITE | BDRV_REQ_WRITE_COMPRESSED)) ||
        !bs->drv->bdrv_co_pwrite_zeroes ||
        !qemu_iovec_is_zero(qiov, qiov_offset, bytes)) {
        return 0;
    }
    return bs->detect_zeroes == BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP
        ? BDRV_REQ_ZERO_WRITE | BDRV_REQ_MAY_UNMAP : BDRV_REQ_ZERO_WRITE;
}

/* Data in pieces that the driver can take. */
static int coroutine_fn write_pieces(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    int64_t max = flags & BDRV_REQ_WRITE_COMPRESSED
        ? bytes : max_transfer(bs, bs->bl.request_alignment);
    int ret;

    do {
        int64_t n = MIN(bytes, max);
        BdrvRequestFlags f = flags;

        /* A flush in place of FUA is needed at the end only. */
        if (n < bytes && !(bs->supported_write_flags & BDRV_REQ_FUA)) {
            f &= ~BDRV_REQ_FUA;
        }
        ret = bdrv_driver_pwritev(bs, offset, n, qiov, qiov_offset, f);
        offset += n;
        qiov_offset += n;
        bytes -= n;
    } while (bytes > 0 && ret >= 0);
    return ret;
}

/* Aligned, and tracked by @req. */
static int coroutine_fn write_aligned(BdrvChild *child,
                                      BdrvTrackedRequest *req,
                                      int64_t offset, int64_t bytes,
                                      QEMUIOVector *qiov, size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int ret = bdrv_co_write_req_begin(child, offset, bytes, req, flags);

    if (ret < 0) {
        return ret;
    }
    flags |= detect_zeroes(bs, qiov, qiov_offset, bytes, flags);
    if (flags & BDRV_REQ_ZERO_WRITE) {
        bdrv_debug_event(bs, BLKDBG_PWRITEV_ZERO);
        ret = bdrv_driver_pwrite_zeroes(bs, offset, bytes, flags);
    } else {
        bdrv_debug_event(bs, BLKDBG_PWRITEV);
        ret = write_pieces(bs, offset, bytes, qiov, qiov_offset, flags);
    }
    bdrv_debug_event(bs, BLKDBG_PWRITEV_DONE);
    ret = MIN(ret, 0);
    bdrv_co_write_req_finish(child, offset, bytes, req, ret);
    return ret;
}

/* Read the block at @pos, of which a part will be overwritten. */
static int coroutine_fn read_block(BdrvChild *child, BdrvTrackedRequest *req,
                                   int64_t pos, uint8_t *buf, bool head)
{
    BlockDriverState *bs = child->bs;
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf,
                                            bs->bl.request_alignment);
    int ret;

    bdrv_debug_event(bs, head ? BLKDBG_PWRITEV_RMW_HEAD
                              : BLKDBG_PWRITEV_RMW_TAIL);
    ret = read_aligned(child, req, pos, qiov.size, &qiov, 0, 0);
    if (ret >= 0) {
        bdrv_debug_event(bs, head ? BLKDBG_PWRITEV_RMW_AFTER_HEAD
                                  : BLKDBG_PWRITEV_RMW_AFTER_TAIL);
    }
    return ret;
}

/* Data with padding. */
static int coroutine_fn write_padded(BdrvChild *child, BdrvTrackedRequest *req,
                                     BdrvPadding *pad, int64_t offset,
                                     int64_t bytes, BdrvRequestFlags flags)
{
    bool one_block = bytes == pad->align;
    int ret = 0;

    bdrv_make_request_serialising(req, pad->align);
    if (pad->head || one_block) {
        ret = read_block(child, req, offset, pad->buf, pad->head);
    }
    if (ret >= 0 && pad->tail && !one_block) {
        ret = read_block(child, req, offset + bytes - pad->align,
                         pad->buf + pad->buf_size - pad->align, false);
    }
    return ret < 0 ? ret : write_aligned(child, req, offset, bytes, &pad->qiov,
                                         0, flags);
}

/* Zero a part of one block. */
static int coroutine_fn zero_in_block(BdrvChild *child,
                                      BdrvTrackedRequest *req, int64_t offset,
                                      int64_t bytes, bool head,
                                      BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t align = bs->bl.request_alignment;
    int64_t start = QEMU_ALIGN_DOWN(offset, align);
    uint8_t *buf = qemu_blockalign(bs, align);
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, align);
    int ret = read_block(child, req, start, buf, head);

    if (ret >= 0) {
        memset(buf + (offset - start), 0, bytes);
        ret = write_aligned(child, req, start, align, &qiov, 0,
                            flags & ~(BDRV_REQ_ZERO_WRITE |
                                      BDRV_REQ_MAY_UNMAP |
                                      BDRV_REQ_NO_FALLBACK));
    }
    qemu_vfree(buf);
    return ret;
}

/* Zeroes: only the first and the last block, if they are touched in part, are
 * written as data. */
static int coroutine_fn write_zeroes(BdrvChild *child, BdrvTrackedRequest *req,
                                     int64_t offset, int64_t bytes,
                                     BdrvRequestFlags flags)
{
    int64_t align = child->bs->bl.request_alignment;
    int64_t end = offset + bytes;
    int64_t head = MIN(-offset & (align - 1), bytes);
    int64_t tail = head < bytes ? end & (align - 1) : 0;
    int ret = 0;

    if (head || tail) {
        bdrv_make_request_serialising(req, align);
    }
    if (head) {
        ret = zero_in_block(child, req, offset, head, true, flags);
    }
    if (ret >= 0 && bytes - head - tail > 0) {
        ret = write_aligned(child, req, offset + head, bytes - head - tail,
                            NULL, 0, flags);
    }
    if (ret >= 0 && tail) {
        ret = zero_in_block(child, req, end - tail, tail, false, flags);
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
    int ret = bdrv_check_write(child, offset, bytes);
    BdrvTrackedRequest req;
    BdrvPadding pad;

    if (ret == 0 && !zeroes) {
        ret = bdrv_check_request32(offset, bytes, qiov, qiov_offset);
    }
    if (ret < 0) {
        return ret;
    }
    if (bytes == 0 && !QEMU_IS_ALIGNED(offset, bs->bl.request_alignment)) {
        return 0;
    }
    if (!(bs->open_flags & BDRV_O_UNMAP)) {
        flags &= ~BDRV_REQ_MAY_UNMAP;
    }
    bdrv_inc_in_flight(bs);
    bdrv_tracked_request_begin(&req, bs, offset, bytes, BDRV_TRACKED_WRITE);
    if (zeroes) {
        ret = write_zeroes(child, &req, offset, bytes, flags);
    } else if (pad_init(&pad, bs, &offset, &bytes, qiov, qiov_offset)) {
        ret = write_padded(child, &req, &pad, offset, bytes, flags);
        pad_destroy(&pad);
    } else {
        ret = write_aligned(child, &req, offset, bytes, qiov, qiov_offset,
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

/* The node's caches to its children and on to the disk; @gen is what has been
 * written so far. */
static int coroutine_fn flush_node(BlockDriverState *bs, unsigned gen)
{
    BlockDriver *drv = bs->drv;
    BdrvChild *c;
    int ret = 0;

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
    /* What another one has flushed meanwhile needs no second time. */
    if (!(bs->open_flags & BDRV_O_NO_FLUSH) &&
        (int)(gen - bs->flushed_gen) > 0) {
        bdrv_debug_event(bs, BLKDBG_FLUSH_TO_DISK);
        if (drv->bdrv_co_flush_to_disk) {
            ret = drv->bdrv_co_flush_to_disk(bs);
        }
    }
    /* Metadata was written there without a request of ours: the children
     * know best what there is to do. */
    QLIST_FOREACH(c, &bs->children, next) {
        if (ret >= 0 &&
            (c->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED))) {
            ret = bdrv_co_flush(c->bs);
        }
    }
    return ret;
}

int coroutine_fn bdrv_co_flush(BlockDriverState *bs)
{
    unsigned gen;
    int ret;

    if (!bs->drv || !bdrv_is_inserted(bs) || bdrv_is_read_only(bs) ||
        bdrv_is_sg(bs)) {
        return 0;
    }
    bdrv_inc_in_flight(bs);
    gen = atomic_read(&bs->write_gen);
    while (bs->active_flush_req) {
        qemu_co_queue_wait(&bs->flush_queue, NULL);
    }
    bs->active_flush_req = true;
    bs->flush_start_ns = get_clock_coarse();
    ret = flush_node(bs, gen);
    if (ret >= 0 && (int)(gen - bs->flushed_gen) > 0) {
        bs->flushed_gen = gen;
    }
    bs->active_flush_req = false;
    qemu_co_queue_next(&bs->flush_queue);
    bdrv_dec_in_flight(bs);
    return MIN(ret, 0);
}

/* ---- States of the past ---- */

int coroutine_fn bdrv_co_preadv_snapshot(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset)
{
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(bs);
    if (bs->drv && bs->drv->bdrv_co_preadv_snapshot) {
        ret = bs->drv->bdrv_co_preadv_snapshot(bs, offset, bytes, qiov,
                                               qiov_offset);
    }
    bdrv_dec_in_flight(bs);
    return ret;
}

int coroutine_fn bdrv_co_snapshot_block_status(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               int64_t *pnum)
{
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(bs);
    if (bs->drv && bs->drv->bdrv_co_snapshot_block_status) {
        ret = bs->drv->bdrv_co_snapshot_block_status(bs, offset, bytes, pnum);
    }
    bdrv_dec_in_flight(bs);
    return ret;
}

int coroutine_fn bdrv_co_pdiscard_snapshot(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes)
{
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(bs);
    if (bs->drv && bs->drv->bdrv_co_pdiscard_snapshot) {
        ret = bs->drv->bdrv_co_pdiscard_snapshot(bs, offset, bytes);
    }
    bdrv_dec_in_flight(bs);
    return ret;
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
