/*
 * SPDX-License-Identifier: MIT
 *
 * io_uring for an AioContext.
 *
 * A request that finds the engine idle goes to the kernel at once; others
 * gather in pending until the loop's next iteration or a completion, and go
 * together.
 *
 * Everything belongs to the home thread of the context.
 *
 * Invariants
 *   1. A request is in pending, in the ring (counted by in_ring until the
 *      kernel has taken it, then by in_flight) or in finished, and its
 *      coroutine sleeps meanwhile.
 *   2. If pending or in_ring is not empty, either submit_bh is scheduled or
 *      in_flight is not 0.
 */
#include "qemu/osdep.h"
#include <liburing.h>
/* <stdatomic.h>, which comes with it, has macros of the same names. */
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_and
#undef atomic_fetch_or
#include "qapi/error.h"
#include "block/aio.h"
#include "block/raw-aio.h"
#include "qemu/coroutine.h"
#include "qemu/queue.h"

/* Entries of the submission ring; the completion ring has twice as many. */
#define RING_ENTRIES 128
/* Requests in the kernel, so that the completion ring never overflows. */
#define MAX_IN_FLIGHT (2 * RING_ENTRIES)

typedef struct LuringRequest {
    Coroutine *co;
    RawAIOProgress progress;
    int fd;
    uint64_t offset;
    int ret;
    QSIMPLEQ_ENTRY(LuringRequest) next;
} LuringRequest;

typedef QSIMPLEQ_HEAD(, LuringRequest) LuringRequestList;

struct LuringState {
    AioContext *ctx;
    struct io_uring ring;
    QEMUBH *submit_bh;
    QEMUBH *completion_bh;

    LuringRequestList pending;
    LuringRequestList finished;
    unsigned num_pending;
    unsigned in_ring;
    unsigned in_flight;
};

/* ---- Submission ---- */

static void luring_prepare(struct io_uring_sqe *sqe, LuringRequest *req)
{
    RawAIOProgress *p = &req->progress;
    QEMUIOVector *qiov;

    switch (p->type & QEMU_AIO_TYPE_MASK) {
    case QEMU_AIO_READ:
        qiov = raw_aio_qiov(p);
        io_uring_prep_readv(sqe, req->fd, qiov->iov, qiov->niov,
                            req->offset + p->done);
        break;
    case QEMU_AIO_WRITE:
        qiov = raw_aio_qiov(p);
        io_uring_prep_writev(sqe, req->fd, qiov->iov, qiov->niov,
                             req->offset + p->done);
        break;
    case QEMU_AIO_FLUSH:
        io_uring_prep_fsync(sqe, req->fd, IORING_FSYNC_DATASYNC);
        break;
    default:
        g_assert_not_reached();
    }
    io_uring_sqe_set_data(sqe, req);
}

/* Moves what fits from pending into the ring. */
static void luring_fill(LuringState *s)
{
    LuringRequest *req;

    while ((req = QSIMPLEQ_FIRST(&s->pending)) &&
           s->in_ring + s->in_flight < MAX_IN_FLIGHT) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

        if (!sqe) {
            break;
        }
        QSIMPLEQ_REMOVE_HEAD(&s->pending, next);
        s->num_pending--;
        luring_prepare(sqe, req);
        s->in_ring++;
    }
}

static void luring_submit(LuringState *s)
{
    for (;;) {
        int ret;

        luring_fill(s);
        if (!s->in_ring) {
            return;
        }
        ret = io_uring_submit(&s->ring);
        if (ret <= 0) {
            if (ret != -EINTR && !s->in_flight) {
                /* No completion will come to try again: do so soon. */
                qemu_bh_schedule(s->submit_bh);
            }
            if (ret != -EINTR) {
                return;
            }
        } else {
            s->in_ring -= ret;
            s->in_flight += ret;
        }
    }
}

static void luring_submit_bh(void *opaque)
{
    luring_submit(opaque);
}

static void luring_enqueue(LuringState *s, LuringRequest *req)
{
    bool idle = !s->in_flight && !s->in_ring && !s->num_pending;

    QSIMPLEQ_INSERT_TAIL(&s->pending, req, next);
    s->num_pending++;
    if (idle || s->num_pending >= RING_ENTRIES) {
        luring_submit(s);
    } else {
        qemu_bh_schedule(s->submit_bh);
    }
}

/* ---- Completion ---- */

static void luring_collect(LuringState *s)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    io_uring_for_each_cqe(&s->ring, head, cqe) {
        LuringRequest *req = io_uring_cqe_get_data(cqe);

        n++;
        if (cqe->res == -EAGAIN || cqe->res == -EINTR) {
            /* The kernel lacked something for a moment. */
            QSIMPLEQ_INSERT_TAIL(&s->pending, req, next);
            s->num_pending++;
        } else {
            req->ret = cqe->res;
            QSIMPLEQ_INSERT_TAIL(&s->finished, req, next);
        }
    }
    io_uring_cq_advance(&s->ring, n);
    s->in_flight -= n;
}

static void luring_process(LuringState *s)
{
    LuringRequest *req;

    luring_collect(s);
    /* What is pending need not wait for the coroutines below. */
    luring_submit(s);
    while ((req = QSIMPLEQ_FIRST(&s->finished))) {
        QSIMPLEQ_REMOVE_HEAD(&s->finished, next);
        if (!QSIMPLEQ_EMPTY(&s->finished)) {
            /* The rest must not wait if this one polls the context. */
            qemu_bh_schedule(s->completion_bh);
        }
        aio_co_wake(req->co);
    }
    qemu_bh_cancel(s->completion_bh);
}

static void luring_ready(void *opaque)
{
    luring_process(opaque);
}

static bool luring_poll(void *opaque)
{
    LuringState *s = opaque;

    if (!io_uring_cq_ready(&s->ring)) {
        return false;
    }
    luring_process(s);
    return true;
}

int coroutine_fn luring_co_submit(int fd, uint64_t offset, QEMUIOVector *qiov,
                                  int type)
{
    LuringState *s;
    LuringRequest req = {
        .co = qemu_coroutine_self(),
        .progress = { .qiov = qiov, .type = type },
        .fd = fd,
        .offset = offset,
    };
    int result;

    s = aio_get_linux_io_uring(qemu_get_current_aio_context());
    do {
        luring_enqueue(s, &req);
        qemu_coroutine_yield();
    } while (!raw_aio_advance(&req.progress, req.ret, &result));
    return result;
}

/* ---- Life ---- */

void luring_attach_aio_context(LuringState *s, AioContext *ctx)
{
    s->ctx = ctx;
    s->submit_bh = aio_bh_new(ctx, luring_submit_bh, s);
    s->completion_bh = aio_bh_new(ctx, luring_ready, s);
    aio_set_fd_handler(ctx, s->ring.ring_fd, false, luring_ready, NULL,
                       luring_poll, s);
}

void luring_detach_aio_context(LuringState *s, AioContext *ctx)
{
    aio_set_fd_handler(ctx, s->ring.ring_fd, false, NULL, NULL, NULL, NULL);
    qemu_bh_delete(s->submit_bh);
    qemu_bh_delete(s->completion_bh);
    s->ctx = NULL;
}

LuringState *luring_init(Error **errp)
{
    LuringState *s = g_new0(LuringState, 1);
    int ret;

    ret = io_uring_queue_init(RING_ENTRIES, &s->ring, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "failed to init linux io_uring ring");
        g_free(s);
        return NULL;
    }
    QSIMPLEQ_INIT(&s->pending);
    QSIMPLEQ_INIT(&s->finished);
    return s;
}

void luring_cleanup(LuringState *s)
{
    assert(!s->in_flight && !s->in_ring && !s->num_pending);
    io_uring_queue_exit(&s->ring);
    g_free(s);
}
