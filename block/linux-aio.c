/*
 * SPDX-License-Identifier: MIT
 *
 * Linux AIO (io_submit) for an AioContext.
 *
 * A request that finds the engine idle goes to the kernel at once; others
 * gather in pending until the loop's next iteration, a full batch, or a
 * completion, and go together.
 *
 * Everything belongs to the home thread of the context.
 *
 * Invariants
 *   1. A request is in pending, in the kernel (counted by in_flight) or in
 *      finished, and its coroutine sleeps meanwhile.
 *   2. If pending is not empty, either submit_bh is scheduled or in_flight is
 *      not 0.
 */
#include "qemu/osdep.h"
#include <libaio.h>
#include "qapi/error.h"
#include "block/aio.h"
#include "block/raw-aio.h"
#include "qemu/coroutine.h"
#include "qemu/event_notifier.h"
#include "qemu/queue.h"

/* Requests in the kernel. */
#define MAX_IN_FLIGHT 1024
/* Requests in one submission, unless the context or the device says less. */
#define MAX_BATCH 128
#define DEFAULT_BATCH 32
/* Completions taken at once. */
#define MAX_EVENTS 128

typedef struct LaioRequest {
    struct iocb iocb;
    LinuxAioState *s;
    Coroutine *co;
    ssize_t ret;
    QSIMPLEQ_ENTRY(LaioRequest) next;
} LaioRequest;

typedef QSIMPLEQ_HEAD(, LaioRequest) LaioRequestList;

struct LinuxAioState {
    AioContext *ctx;
    io_context_t kernel;
    EventNotifier notifier;
    QEMUBH *submit_bh;
    QEMUBH *completion_bh;

    LaioRequestList pending;
    LaioRequestList finished;
    unsigned num_pending;
    unsigned in_flight;
};

/* The ring that the kernel maps at the address that is an io_context_t. */
typedef struct LaioRing {
    unsigned id;
    unsigned nr;
    unsigned head;
    unsigned tail;
} LaioRing;

/* ---- Completion ---- */

static void laio_submit(LinuxAioState *s);

static void laio_finish(LinuxAioState *s, LaioRequest *req, ssize_t ret)
{
    req->ret = ret;
    QSIMPLEQ_INSERT_TAIL(&s->finished, req, next);
}

static void laio_collect(LinuxAioState *s)
{
    struct io_event events[MAX_EVENTS];
    struct timespec zero = { 0 };
    int n;

    do {
        n = io_getevents(s->kernel, 0, MAX_EVENTS, events, &zero);
        for (int i = 0; i < n; i++) {
            LaioRequest *req = container_of(events[i].obj, LaioRequest, iocb);

            laio_finish(s, req, (ssize_t)events[i].res);
        }
        s->in_flight -= MAX(n, 0);
    } while (n == MAX_EVENTS);
}

static void laio_process(LinuxAioState *s)
{
    LaioRequest *req;

    laio_collect(s);
    /* What is pending need not wait for the coroutines below. */
    laio_submit(s);
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

static void laio_completion_bh(void *opaque)
{
    laio_process(opaque);
}

static void laio_notified(EventNotifier *e)
{
    LinuxAioState *s = container_of(e, LinuxAioState, notifier);

    if (event_notifier_test_and_clear(e)) {
        laio_process(s);
    }
}

static bool laio_poll(void *opaque)
{
    LinuxAioState *s = container_of((EventNotifier *)opaque, LinuxAioState,
                                    notifier);
    LaioRing *ring = (LaioRing *)s->kernel;

    if (!s->in_flight ||
        __atomic_load_n(&ring->head, __ATOMIC_RELAXED) ==
        __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
        return false;
    }
    laio_process(s);
    return true;
}

/* ---- Submission ---- */

/* Takes what io_submit() took, @n requests, off pending. */
static void laio_submitted(LinuxAioState *s, int n)
{
    s->num_pending -= n;
    s->in_flight += n;
    for (; n; n--) {
        QSIMPLEQ_REMOVE_HEAD(&s->pending, next);
    }
}

static void laio_submit(LinuxAioState *s)
{
    struct iocb *iocbs[MAX_BATCH];

    while (!QSIMPLEQ_EMPTY(&s->pending) && s->in_flight < MAX_IN_FLIGHT) {
        int max = MIN(MAX_BATCH, MAX_IN_FLIGHT - s->in_flight);
        LaioRequest *req;
        int n = 0;
        int ret;

        QSIMPLEQ_FOREACH(req, &s->pending, next) {
            iocbs[n++] = &req->iocb;
            if (n == max) {
                break;
            }
        }
        ret = io_submit(s->kernel, n, iocbs);
        if (ret > 0) {
            laio_submitted(s, ret);
        } else if (ret == -EAGAIN || ret == -EINTR || ret == 0) {
            if (!s->in_flight) {
                /* No completion will come to try again: do so soon. */
                qemu_bh_schedule(s->submit_bh);
            }
            return;
        } else {
            /* It is the first one that the kernel does not like. */
            req = QSIMPLEQ_FIRST(&s->pending);
            QSIMPLEQ_REMOVE_HEAD(&s->pending, next);
            s->num_pending--;
            laio_finish(s, req, ret);
            qemu_bh_schedule(s->completion_bh);
        }
    }
}

static void laio_submit_bh(void *opaque)
{
    laio_submit(opaque);
}

static unsigned laio_max_batch(LinuxAioState *s, uint64_t dev_max_batch)
{
    uint64_t max = __atomic_load_n(&s->ctx->aio_max_batch, __ATOMIC_RELAXED);

    max = max ?: DEFAULT_BATCH;
    if (dev_max_batch) {
        max = MIN(max, dev_max_batch);
    }
    return MIN(max, MAX_BATCH);
}

static void laio_enqueue(LinuxAioState *s, LaioRequest *req,
                         uint64_t dev_max_batch)
{
    bool idle = !s->in_flight && !s->num_pending;

    QSIMPLEQ_INSERT_TAIL(&s->pending, req, next);
    s->num_pending++;
    if (idle || s->num_pending >= laio_max_batch(s, dev_max_batch)) {
        laio_submit(s);
    } else {
        qemu_bh_schedule(s->submit_bh);
    }
}

static void laio_prepare(LaioRequest *req, int fd, uint64_t offset,
                         RawAIOProgress *p)
{
    QEMUIOVector *qiov;

    switch (p->type & QEMU_AIO_TYPE_MASK) {
    case QEMU_AIO_READ:
        qiov = raw_aio_qiov(p);
        io_prep_preadv(&req->iocb, fd, qiov->iov, qiov->niov,
                       offset + p->done);
        break;
    case QEMU_AIO_WRITE:
        qiov = raw_aio_qiov(p);
        io_prep_pwritev(&req->iocb, fd, qiov->iov, qiov->niov,
                        offset + p->done);
        break;
    case QEMU_AIO_FLUSH:
        io_prep_fdsync(&req->iocb, fd);
        break;
    default:
        g_assert_not_reached();
    }
    io_set_eventfd(&req->iocb, event_notifier_get_fd(&req->s->notifier));
}

int coroutine_fn laio_co_submit(int fd, uint64_t offset, QEMUIOVector *qiov,
                                int type, uint64_t dev_max_batch)
{
    LinuxAioState *s = aio_get_linux_aio(qemu_get_current_aio_context());
    RawAIOProgress progress = { .qiov = qiov, .type = type };
    LaioRequest req = { .s = s, .co = qemu_coroutine_self() };
    int result;

    do {
        laio_prepare(&req, fd, offset, &progress);
        laio_enqueue(s, &req, dev_max_batch);
        qemu_coroutine_yield();
    } while (!raw_aio_advance(&progress, req.ret, &result));
    return result;
}

static bool laio_probe_fdsync(int fd)
{
    struct iocb cb;
    struct iocb *cbs[] = { &cb };
    struct io_event event;
    io_context_t kernel = NULL;
    bool ok = false;

    if (io_setup(1, &kernel) < 0) {
        return false;
    }
    io_prep_fdsync(&cb, fd);
    if (io_submit(kernel, 1, cbs) == 1) {
        ok = io_getevents(kernel, 1, 1, &event, NULL) == 1;
    }
    io_destroy(kernel);
    return ok;
}

bool laio_has_fdsync(int fd)
{
    enum { UNKNOWN, YES, NO };
    static int known = UNKNOWN;     /* atomic */
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (answer == UNKNOWN) {
        answer = laio_probe_fdsync(fd) ? YES : NO;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer == YES;
}

/* ---- Life ---- */

void laio_attach_aio_context(LinuxAioState *s, AioContext *ctx)
{
    s->ctx = ctx;
    s->submit_bh = aio_bh_new(ctx, laio_submit_bh, s);
    s->completion_bh = aio_bh_new(ctx, laio_completion_bh, s);
    aio_set_event_notifier(ctx, &s->notifier, false, laio_notified,
                           laio_poll);
}

void laio_detach_aio_context(LinuxAioState *s, AioContext *ctx)
{
    aio_set_event_notifier(ctx, &s->notifier, false, NULL, NULL);
    qemu_bh_delete(s->submit_bh);
    qemu_bh_delete(s->completion_bh);
    s->ctx = NULL;
}

LinuxAioState *laio_init(Error **errp)
{
    LinuxAioState *s = g_new0(LinuxAioState, 1);
    int ret;

    ret = event_notifier_init(&s->notifier, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "failed to initialize event notifier");
        g_free(s);
        return NULL;
    }
    ret = io_setup(MAX_IN_FLIGHT, &s->kernel);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "failed to create linux AIO context");
        event_notifier_cleanup(&s->notifier);
        g_free(s);
        return NULL;
    }
    QSIMPLEQ_INIT(&s->pending);
    QSIMPLEQ_INIT(&s->finished);
    return s;
}

void laio_cleanup(LinuxAioState *s)
{
    assert(!s->in_flight && !s->num_pending);
    io_destroy(s->kernel);
    event_notifier_cleanup(&s->notifier);
    g_free(s);
}
