/*
 * SPDX-License-Identifier: MIT
 *
 * Requests of BlockBackends.
 *
 * Invariants
 *   1. in_flight counts every request from its start until its callback has
 *      returned, except while it waits for the end of a drain.
 *   2. While blk->quiesce_counter > 0 no request goes down, unless request
 *      queuing is disabled.
 */
#include "qemu/osdep.h"
#include "block/block-backend-internal.h"
#include "qapi/error.h"
#include "qemu/coroutine_int.h"
#include "qemu/main-loop.h"

void blk_inc_in_flight(BlockBackend *blk)
{
    atomic_inc(&blk->in_flight);
}

void blk_dec_in_flight(BlockBackend *blk)
{
    atomic_dec(&blk->in_flight);
    aio_wait_kick();
}

/* ---- Checks before a request ---- */

static int blk_check_byte_request(BlockBackend *blk, int64_t offset,
                                  int64_t bytes)
{
    int64_t len;

    if (bytes < 0) {
        return -EIO;
    }
    if (!blk_is_available(blk)) {
        return -ENOMEDIUM;
    }
    if (offset < 0) {
        return -EIO;
    }
    if (!blk->allow_write_beyond_eof) {
        len = blk_getlength(blk);
        if (len < 0) {
            return len;
        }
        if (offset > len || len - offset < bytes) {
            return -EIO;
        }
    }
    return 0;
}

/* Hold the request back while the backend is drained. */
static void coroutine_fn blk_wait_while_drained(BlockBackend *blk)
{
    assert(blk->in_flight > 0);
    if (likely(!atomic_read(&blk->quiesce_counter)) ||
        blk->disable_request_queuing) {
        return;
    }
    qemu_mutex_lock(&blk->queue_lock);
    while (atomic_read(&blk->quiesce_counter)) {
        blk_dec_in_flight(blk);
        qemu_co_queue_wait(&blk->queued_requests, &blk->queue_lock);
        blk_inc_in_flight(blk);
    }
    qemu_mutex_unlock(&blk->queue_lock);
}

/* Wait for the request's turn and check it. */
static int coroutine_fn blk_co_begin(BlockBackend *blk, int64_t offset,
                                     int64_t bytes, bool is_write,
                                     bool throttled)
{
    int ret;

    blk_wait_while_drained(blk);
    ret = blk_check_byte_request(blk, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    if (throttled && blk->public.throttle_group_member.throttle_state) {
        throttle_group_co_io_limits_intercept(
            &blk->public.throttle_group_member, bytes, is_write);
    }
    return 0;
}

/* ---- Coroutine requests; the caller has raised in_flight ---- */

static int coroutine_fn blk_do_preadv(BlockBackend *blk, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    int ret = blk_co_begin(blk, offset, bytes, false, true);

    return ret < 0 ? ret : bdrv_co_preadv_part(blk->root, offset, bytes, qiov,
                                               qiov_offset, flags);
}

static int coroutine_fn blk_do_pwritev(BlockBackend *blk, int64_t offset,
                                       int64_t bytes, QEMUIOVector *qiov,
                                       size_t qiov_offset,
                                       BdrvRequestFlags flags)
{
    int ret = blk_co_begin(blk, offset, bytes, true, true);

    if (ret < 0) {
        return ret;
    }
    if (!blk->enable_write_cache) {
        flags |= BDRV_REQ_FUA;
    }
    return bdrv_co_pwritev_part(blk->root, offset, bytes, qiov, qiov_offset,
                                flags);
}

static int coroutine_fn blk_do_pdiscard(BlockBackend *blk, int64_t offset,
                                        int64_t bytes)
{
    int ret = blk_co_begin(blk, offset, bytes, true, false);

    return ret < 0 ? ret : bdrv_co_pdiscard(blk->root, offset, bytes);
}

static int coroutine_fn blk_do_flush(BlockBackend *blk)
{
    blk_wait_while_drained(blk);
    return blk_is_available(blk) ? bdrv_co_flush(blk_bs(blk)) : -ENOMEDIUM;
}

int coroutine_fn blk_co_preadv_part(BlockBackend *blk, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    int ret;

    blk_inc_in_flight(blk);
    ret = blk_do_preadv(blk, offset, bytes, qiov, qiov_offset, flags);
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset,
                               int64_t bytes, QEMUIOVector *qiov,
                               BdrvRequestFlags flags)
{
    return blk_co_preadv_part(blk, offset, bytes, qiov, 0, flags);
}

int coroutine_fn blk_co_pwritev_part(BlockBackend *blk, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    int ret;

    blk_inc_in_flight(blk);
    ret = blk_do_pwritev(blk, offset, bytes, qiov, qiov_offset, flags);
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_pwritev(BlockBackend *blk, int64_t offset,
                                int64_t bytes, QEMUIOVector *qiov,
                                BdrvRequestFlags flags)
{
    return blk_co_pwritev_part(blk, offset, bytes, qiov, 0, flags);
}

int coroutine_fn blk_co_pread(BlockBackend *blk, int64_t offset, int64_t bytes,
                              void *buf, BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);

    return blk_co_preadv(blk, offset, bytes, &qiov, flags);
}

int coroutine_fn blk_co_pwrite(BlockBackend *blk, int64_t offset,
                               int64_t bytes, const void *buf,
                               BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);

    return blk_co_pwritev(blk, offset, bytes, &qiov, flags);
}

int coroutine_fn blk_co_pwrite_zeroes(BlockBackend *blk, int64_t offset,
                                      int64_t bytes, BdrvRequestFlags flags)
{
    return blk_co_pwritev(blk, offset, bytes, NULL,
                          flags | BDRV_REQ_ZERO_WRITE);
}

int coroutine_fn blk_co_pdiscard(BlockBackend *blk, int64_t offset,
                                 int64_t bytes)
{
    int ret;

    blk_inc_in_flight(blk);
    ret = blk_do_pdiscard(blk, offset, bytes);
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_flush(BlockBackend *blk)
{
    int ret;

    blk_inc_in_flight(blk);
    ret = blk_do_flush(blk);
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_ioctl(BlockBackend *blk, unsigned long req, void *buf)
{
    int ret = -ENOMEDIUM;

    blk_inc_in_flight(blk);
    blk_wait_while_drained(blk);
    if (blk_is_available(blk)) {
        ret = bdrv_co_ioctl(blk_bs(blk), req, buf);
    }
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_truncate(BlockBackend *blk, int64_t offset, bool exact,
                                 PreallocMode prealloc, BdrvRequestFlags flags,
                                 Error **errp)
{
    if (!blk_is_available(blk)) {
        error_setg(errp, "No medium inserted");
        return -ENOMEDIUM;
    }
    return bdrv_co_truncate(blk->root, offset, exact, prealloc, flags, errp);
}

int coroutine_fn blk_co_copy_range(BlockBackend *blk_in, int64_t off_in,
                                   BlockBackend *blk_out, int64_t off_out,
                                   int64_t bytes, BdrvRequestFlags read_flags,
                                   BdrvRequestFlags write_flags)
{
    int ret;

    blk_inc_in_flight(blk_in);
    blk_inc_in_flight(blk_out);
    ret = blk_co_begin(blk_in, off_in, bytes, false, true);
    if (ret == 0) {
        ret = blk_co_begin(blk_out, off_out, bytes, true, true);
    }
    if (ret == 0) {
        ret = bdrv_co_copy_range(blk_in->root, off_in, blk_out->root, off_out,
                                 bytes, read_flags, write_flags);
    }
    blk_dec_in_flight(blk_out);
    blk_dec_in_flight(blk_in);
    return ret;
}

/* ---- A request as data: for synchronous and for AIO callers ---- */

typedef enum BlkReqType {
    BLK_REQ_READ,
    BLK_REQ_WRITE,
    BLK_REQ_DISCARD,
    BLK_REQ_FLUSH,
} BlkReqType;

typedef struct BlkRequest {
    BlockBackend *blk;
    BlkReqType type;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;
    BdrvRequestFlags flags;
    int ret;
} BlkRequest;

static int coroutine_fn blk_do_request(BlkRequest *req)
{
    switch (req->type) {
    case BLK_REQ_READ:
        return blk_do_preadv(req->blk, req->offset, req->bytes, req->qiov, 0,
                             req->flags);
    case BLK_REQ_WRITE:
        return blk_do_pwritev(req->blk, req->offset, req->bytes, req->qiov, 0,
                              req->flags);
    case BLK_REQ_DISCARD:
        return blk_do_pdiscard(req->blk, req->offset, req->bytes);
    case BLK_REQ_FLUSH:
        return blk_do_flush(req->blk);
    }
    g_assert_not_reached();
}

static void coroutine_fn blk_sync_entry(void *opaque)
{
    BlkRequest *req = opaque;
    int ret = blk_do_request(req);

    /* Not left to the waiting function: a drain may run in its loop. */
    blk_dec_in_flight(req->blk);
    req->ret = ret;
    aio_wait_kick();
}

/* Run @req to its end, in and out of coroutines. */
static int blk_request_sync(BlkRequest *req)
{
    BlockBackend *blk = req->blk;

    blk_inc_in_flight(blk);
    if (qemu_in_coroutine()) {
        req->ret = blk_do_request(req);
        blk_dec_in_flight(blk);
    } else {
        AioContext *ctx = blk_get_aio_context(blk);

        req->ret = -EINPROGRESS;
        aio_co_enter(ctx, qemu_coroutine_create(blk_sync_entry, req));
        AIO_WAIT_WHILE(ctx, req->ret == -EINPROGRESS);
    }
    return req->ret;
}

int blk_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf,
              BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);
    BlkRequest req = { blk, BLK_REQ_READ, offset, bytes, &qiov, flags, 0 };

    return blk_request_sync(&req);
}

int blk_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes,
               const void *buf, BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);
    BlkRequest req = { blk, BLK_REQ_WRITE, offset, bytes, &qiov, flags, 0 };

    return blk_request_sync(&req);
}

int blk_pwrite_compressed(BlockBackend *blk, int64_t offset, int64_t bytes,
                          const void *buf)
{
    return blk_pwrite(blk, offset, bytes, buf, BDRV_REQ_WRITE_COMPRESSED);
}

int blk_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                      BdrvRequestFlags flags)
{
    BlkRequest req = { blk, BLK_REQ_WRITE, offset, bytes, NULL,
                       flags | BDRV_REQ_ZERO_WRITE, 0 };

    return blk_request_sync(&req);
}

int blk_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    BlkRequest req = { blk, BLK_REQ_DISCARD, offset, bytes, NULL, 0, 0 };

    return blk_request_sync(&req);
}

int blk_flush(BlockBackend *blk)
{
    BlkRequest req = { blk, BLK_REQ_FLUSH, 0, 0, NULL, 0, 0 };

    return blk_request_sync(&req);
}

int blk_make_zero(BlockBackend *blk, BdrvRequestFlags flags)
{
    return bdrv_make_zero(blk->root, flags);
}

int blk_make_empty(BlockBackend *blk, Error **errp)
{
    if (!blk_is_available(blk)) {
        error_setg(errp, "No medium inserted");
        return -ENOMEDIUM;
    }
    return bdrv_make_empty(blk->root, errp);
}

int blk_truncate(BlockBackend *blk, int64_t offset, bool exact,
                 PreallocMode prealloc, BdrvRequestFlags flags, Error **errp)
{
    if (!blk_is_available(blk)) {
        error_setg(errp, "No medium inserted");
        return -ENOMEDIUM;
    }
    return bdrv_truncate(blk->root, offset, exact, prealloc, flags, errp);
}

int blk_save_vmstate(BlockBackend *blk, const uint8_t *buf, int64_t pos,
                     int size)
{
    int ret;

    if (!blk_is_available(blk)) {
        return -ENOMEDIUM;
    }
    ret = bdrv_save_vmstate(blk_bs(blk), buf, pos, size);
    if (ret >= 0 && !blk->enable_write_cache) {
        int flushed = bdrv_flush(blk_bs(blk));

        ret = flushed < 0 ? flushed : ret;
    }
    return ret;
}

int blk_load_vmstate(BlockBackend *blk, uint8_t *buf, int64_t pos, int size)
{
    return blk_is_available(blk) ? bdrv_load_vmstate(blk_bs(blk), buf, pos,
                                                     size)
                                 : -ENOMEDIUM;
}

/* ---- AIO ---- */

typedef struct BlkAIOCB BlkAIOCB;
struct BlkAIOCB {
    BlockAIOCB common;
    BlkRequest req;
    bool submitted;     /* blk_aio_start() has returned */
    BlkAIOCB *outer;
};

/* Requests whose callbacks this thread runs outside of coroutines, innermost
 * first. */
static __thread BlkAIOCB *in_callback;

static const AIOCBInfo blk_aiocb_info = {
    .aiocb_size = sizeof(BlkAIOCB),
};

static void blk_aio_complete(BlkAIOCB *acb)
{
    BlockBackend *blk = acb->req.blk;

    acb->common.cb(acb->common.opaque, acb->req.ret);
    blk_dec_in_flight(blk);
    qemu_aio_unref(acb);
}

static void blk_aio_complete_bh(void *opaque)
{
    BlkAIOCB *acb = opaque, *outer = in_callback;

    /* The submitter returned long ago, or we would not run. */
    assert(acb->submitted);
    acb->outer = in_callback;
    in_callback = acb;
    blk_aio_complete(acb);
    in_callback = outer;
}

static void coroutine_fn blk_aio_entry(void *opaque)
{
    BlkAIOCB *acb = opaque;

    acb->req.ret = blk_do_request(&acb->req);
    if (acb->submitted) {
        blk_aio_complete(acb);
    }
}

static bool is_coroutine_of_blk(Coroutine *co, void *opaque)
{
    const BlkAIOCB *acb = co->entry_arg;

    return co->entry == blk_aio_entry && acb->req.blk == opaque;
}

bool blk_is_busy(BlockBackend *blk)
{
    unsigned n = atomic_read(&blk->in_flight), own;
    BlkAIOCB *acb;

    if (!n) {
        return false;
    }
    own = bdrv_drain_serves(is_coroutine_of_blk, blk) +
          is_coroutine_of_blk(qemu_coroutine_self(), blk);
    for (acb = in_callback; acb; acb = acb->outer) {
        own += acb->req.blk == blk;
    }
    return n > own;
}

static BlockAIOCB *blk_aio_start(const BlkRequest *req,
                                 BlockCompletionFunc *cb, void *opaque)
{
    BlockBackend *blk = req->blk;
    BlkAIOCB *acb = qemu_aio_get(&blk_aiocb_info, blk_bs(blk), cb, opaque);

    blk_inc_in_flight(blk);
    acb->req = *req;
    acb->req.ret = -EINPROGRESS;
    acb->submitted = false;
    aio_co_enter(blk_get_aio_context(blk),
                 qemu_coroutine_create(blk_aio_entry, acb));
    acb->submitted = true;
    if (acb->req.ret != -EINPROGRESS) {
        aio_bh_schedule_oneshot(blk_get_aio_context(blk),
                                blk_aio_complete_bh, acb);
    }
    return &acb->common;
}

BlockAIOCB *blk_aio_preadv(BlockBackend *blk, int64_t offset,
                           QEMUIOVector *qiov, BdrvRequestFlags flags,
                           BlockCompletionFunc *cb, void *opaque)
{
    BlkRequest req = { blk, BLK_REQ_READ, offset, qiov->size, qiov, flags, 0 };

    return blk_aio_start(&req, cb, opaque);
}

BlockAIOCB *blk_aio_pwritev(BlockBackend *blk, int64_t offset,
                            QEMUIOVector *qiov, BdrvRequestFlags flags,
                            BlockCompletionFunc *cb, void *opaque)
{
    BlkRequest req = { blk, BLK_REQ_WRITE, offset, qiov->size, qiov, flags,
                       0 };

    return blk_aio_start(&req, cb, opaque);
}

BlockAIOCB *blk_aio_pwrite_zeroes(BlockBackend *blk, int64_t offset,
                                  int64_t bytes, BdrvRequestFlags flags,
                                  BlockCompletionFunc *cb, void *opaque)
{
    BlkRequest req = { blk, BLK_REQ_WRITE, offset, bytes, NULL,
                       flags | BDRV_REQ_ZERO_WRITE, 0 };

    return blk_aio_start(&req, cb, opaque);
}

BlockAIOCB *blk_aio_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes,
                             BlockCompletionFunc *cb, void *opaque)
{
    BlkRequest req = { blk, BLK_REQ_DISCARD, offset, bytes, NULL, 0, 0 };

    return blk_aio_start(&req, cb, opaque);
}

BlockAIOCB *blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb,
                          void *opaque)
{
    BlkRequest req = { blk, BLK_REQ_FLUSH, 0, 0, NULL, 0, 0 };

    return blk_aio_start(&req, cb, opaque);
}

typedef struct BlkAbortAIOCB {
    BlockAIOCB common;
    BlockBackend *blk;
    int ret;
} BlkAbortAIOCB;

static const AIOCBInfo blk_abort_aiocb_info = {
    .aiocb_size = sizeof(BlkAbortAIOCB),
};

static void blk_abort_bh(void *opaque)
{
    BlkAbortAIOCB *acb = opaque;

    acb->common.cb(acb->common.opaque, acb->ret);
    blk_dec_in_flight(acb->blk);
    qemu_aio_unref(acb);
}

BlockAIOCB *blk_abort_aio_request(BlockBackend *blk, BlockCompletionFunc *cb,
                                  void *opaque, int ret)
{
    BlkAbortAIOCB *acb = qemu_aio_get(&blk_abort_aiocb_info, blk_bs(blk), cb,
                                      opaque);

    blk_inc_in_flight(blk);
    acb->blk = blk;
    acb->ret = ret;
    aio_bh_schedule_oneshot(blk_get_aio_context(blk), blk_abort_bh, acb);
    return &acb->common;
}

void blk_aio_cancel(BlockAIOCB *acb)
{
    bdrv_aio_cancel(acb);
}

void blk_aio_cancel_async(BlockAIOCB *acb)
{
    bdrv_aio_cancel_async(acb);
}

/* ---- Drain ---- */

void blk_drain(BlockBackend *blk)
{
    BlockDriverState *bs = blk_bs(blk);

    if (bs) {
        bdrv_ref(bs);
        bdrv_drained_begin(bs);
    }
    /* Requests of a backend without a node too. */
    AIO_WAIT_WHILE(blk_get_aio_context(blk), blk_is_busy(blk));
    if (bs) {
        bdrv_drained_end(bs);
        bdrv_unref(bs);
    }
}

void blk_drain_all(void)
{
    BlockBackend *blk = NULL;

    bdrv_drain_all_begin();
    while ((blk = blk_all_next(blk))) {
        AioContext *ctx = blk_get_aio_context(blk);

        aio_context_acquire(ctx);
        AIO_WAIT_WHILE(ctx, blk_is_busy(blk));
        aio_context_release(ctx);
    }
    bdrv_drain_all_end();
}

void blk_io_plug(BlockBackend *blk)
{
    if (blk->root) {
        bdrv_io_plug(blk_bs(blk));
    }
}

void blk_io_unplug(BlockBackend *blk)
{
    if (blk->root) {
        bdrv_io_unplug(blk_bs(blk));
    }
}
