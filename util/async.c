/*
 * SPDX-License-Identifier: MIT
 *
 * AioContext without its file descriptors: notification, bottom halves,
 * scheduled coroutines, the GSource, and what a context owns.
 *
 * Notification.  wake_state says whether the home thread may sleep.  Who wants
 * its attention sets NOTIFIED and writes to the notifier only if it found
 * SLEEPING; so a loop that is awake costs its callers no system call.  The
 * notifier is watched for edges and never read.
 *
 * Bottom halves.  Any thread pushes onto bh_incoming; the home thread moves
 * all of it to bh_queue, stamped with the number of the round.  A call of
 * aio_bh_poll() runs its own and earlier rounds, so that a nested call takes
 * over what an outer one has not reached, and a BH that schedules itself waits
 * for the next call.
 *
 * Invariants
 *   1. A BH is in bh_incoming or bh_queue exactly while BH_QUEUED is set.
 *   2. A BH is freed by the home thread only, after it was taken off the
 *      queue.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "block/raw-aio.h"
#include "block/thread-pool.h"
#include "qemu/coroutine_int.h"
#include "qemu/main-loop.h"

enum {
    WAKE_AWAKE,
    WAKE_SLEEPING,
    WAKE_NOTIFIED,
};

enum {
    BH_QUEUED    = 0x1,
    BH_SCHEDULED = 0x2,
    BH_DELETED   = 0x4,
    BH_ONESHOT   = 0x8,
};

struct QEMUBH {
    /* immutable */
    AioContext *ctx;
    QEMUBHFunc *cb;
    void *opaque;

    /* atomic */
    unsigned flags;

    QEMUBH *next_incoming;              /* owned by who pushes it */
    QSIMPLEQ_ENTRY(QEMUBH) next;        /* home thread */
    uint64_t round;                     /* home thread */
};

/* ---- Notification ---- */

void aio_notify(AioContext *ctx)
{
    if (__atomic_exchange_n(&ctx->wake_state, WAKE_NOTIFIED,
                            __ATOMIC_SEQ_CST) == WAKE_SLEEPING) {
        event_notifier_set(&ctx->notifier);
    }
}

void aio_changed(AioContext *ctx)
{
    /* Only the home thread itself goes to sleep. */
    if (__atomic_load_n(&ctx->wake_state, __ATOMIC_RELAXED) != WAKE_AWAKE ||
        !in_aio_context_home_thread(ctx)) {
        aio_notify(ctx);
    }
}

bool aio_notify_prepare_sleep(AioContext *ctx)
{
    int state = WAKE_AWAKE;

    __atomic_compare_exchange_n(&ctx->wake_state, &state, WAKE_SLEEPING,
                                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return state != WAKE_NOTIFIED;
}

bool aio_notify_accept(AioContext *ctx)
{
    if (__atomic_load_n(&ctx->wake_state, __ATOMIC_RELAXED) == WAKE_AWAKE) {
        return false;
    }
    return __atomic_exchange_n(&ctx->wake_state, WAKE_AWAKE,
                               __ATOMIC_SEQ_CST) == WAKE_NOTIFIED;
}

static void aio_timerlist_notify(void *opaque, QEMUClockType type)
{
    aio_changed(opaque);
}

/* ---- Bottom halves ---- */

static void bh_push(QEMUBH *bh)
{
    AioContext *ctx = bh->ctx;
    QEMUBH *head = __atomic_load_n(&ctx->bh_incoming, __ATOMIC_RELAXED);

    do {
        bh->next_incoming = head;
    } while (!__atomic_compare_exchange_n(&ctx->bh_incoming, &head, bh, true,
                                          __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

/*
 * Sets @flags and queues @bh if it is not queued.  The home thread may free it
 * any time after.  True if it was not scheduled before.
 */
static bool bh_set(QEMUBH *bh, unsigned flags)
{
    unsigned old = __atomic_fetch_or(&bh->flags, flags | BH_QUEUED,
                                     __ATOMIC_SEQ_CST);

    if (!(old & BH_QUEUED)) {
        bh_push(bh);
    }
    return !(old & BH_SCHEDULED);
}

QEMUBH *aio_bh_new(AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
    QEMUBH *bh = g_new(QEMUBH, 1);

    *bh = (QEMUBH) {
        .ctx = ctx,
        .cb = cb,
        .opaque = opaque,
    };
    return bh;
}

void aio_bh_schedule_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
    QEMUBH *bh = aio_bh_new(ctx, cb, opaque);

    bh_set(bh, BH_SCHEDULED | BH_ONESHOT);
    aio_changed(ctx);
}

void qemu_bh_schedule(QEMUBH *bh)
{
    AioContext *ctx = bh->ctx;

    if (bh_set(bh, BH_SCHEDULED)) {
        aio_changed(ctx);
    }
}

void qemu_bh_cancel(QEMUBH *bh)
{
    __atomic_fetch_and(&bh->flags, ~BH_SCHEDULED, __ATOMIC_SEQ_CST);
}

void qemu_bh_delete(QEMUBH *bh)
{
    qemu_bh_cancel(bh);
    bh_set(bh, BH_DELETED);
}

/* Moves what has come in to the queue, in order, as a new round. */
static void bh_collect(AioContext *ctx)
{
    QEMUBH *bh, *next, *ordered = NULL;

    if (!__atomic_load_n(&ctx->bh_incoming, __ATOMIC_RELAXED)) {
        return;
    }
    bh = __atomic_exchange_n(&ctx->bh_incoming, NULL, __ATOMIC_ACQUIRE);
    for (; bh; bh = next) {
        next = bh->next_incoming;
        bh->next_incoming = ordered;
        ordered = bh;
    }
    ctx->bh_round++;
    for (bh = ordered; bh; bh = bh->next_incoming) {
        bh->round = ctx->bh_round;
        QSIMPLEQ_INSERT_TAIL(&ctx->bh_queue, bh, next);
    }
}

bool aio_bh_pending(AioContext *ctx)
{
    QEMUBH *bh;

    bh_collect(ctx);
    QSIMPLEQ_FOREACH(bh, &ctx->bh_queue, next) {
        if (__atomic_load_n(&bh->flags, __ATOMIC_RELAXED) & BH_SCHEDULED) {
            return true;
        }
    }
    return false;
}

bool aio_bh_poll(AioContext *ctx)
{
    bool progress = false;
    uint64_t round;
    QEMUBH *bh;

    bh_collect(ctx);
    round = ctx->bh_round;
    while ((bh = QSIMPLEQ_FIRST(&ctx->bh_queue)) && bh->round <= round) {
        unsigned flags;

        QSIMPLEQ_REMOVE_HEAD(&ctx->bh_queue, next);
        flags = __atomic_fetch_and(&bh->flags, ~(BH_QUEUED | BH_SCHEDULED),
                                   __ATOMIC_SEQ_CST);
        if (flags & BH_DELETED) {
            g_free(bh);
        } else if (flags & BH_SCHEDULED) {
            QEMUBHFunc *cb = bh->cb;
            void *opaque = bh->opaque;

            if (flags & BH_ONESHOT) {
                g_free(bh);
            }
            cb(opaque);
            progress = true;
        }
    }
    return progress;
}

/* ---- Coroutines ---- */

/* Waits until a coroutine that another thread is leaving has been left. */
static void co_wait_until_left(AioContext *ctx, Coroutine *co)
{
    if (__atomic_load_n(&co->ctx, __ATOMIC_RELAXED) != ctx) {
        while (__atomic_load_n(&co->caller, __ATOMIC_ACQUIRE)) {
            cpu_relax();
        }
    }
}

static void co_collect(AioContext *ctx)
{
    Coroutine *co, *next, *ordered = NULL;

    co = __atomic_exchange_n(&ctx->co_incoming, NULL, __ATOMIC_ACQUIRE);
    for (; co; co = next) {
        next = co->co_scheduled_next;
        co->co_scheduled_next = ordered;
        ordered = co;
    }
    for (co = ordered; co; co = co->co_scheduled_next) {
        QSIMPLEQ_INSERT_TAIL(&ctx->co_ready, co, co_queue_next);
    }
}

static void co_schedule_bh_cb(void *opaque)
{
    AioContext *ctx = opaque;
    Coroutine *co;

again:
    co_collect(ctx);
    while ((co = QSIMPLEQ_FIRST(&ctx->co_ready))) {
        QSIMPLEQ_REMOVE_HEAD(&ctx->co_ready, co_queue_next);
        if (!QSIMPLEQ_EMPTY(&ctx->co_ready)) {
            /* The rest must not wait if this one polls the context. */
            qemu_bh_schedule(ctx->co_schedule_bh);
        }
        co_wait_until_left(ctx, co);
        aio_context_acquire(ctx);
        __atomic_store_n(&co->scheduled, NULL, __ATOMIC_SEQ_CST);
        qemu_aio_coroutine_enter(ctx, co);
        aio_context_release(ctx);
    }

    /* Who pushes after this look schedules the BH after the cancellation. */
    qemu_bh_cancel(ctx->co_schedule_bh);
    if (__atomic_load_n(&ctx->co_incoming, __ATOMIC_SEQ_CST)) {
        goto again;
    }
}

void aio_co_schedule(AioContext *ctx, Coroutine *co)
{
    const char *scheduled = NULL;
    Coroutine *head;
    bool foreign = !in_aio_context_home_thread(ctx);

    if (!__atomic_compare_exchange_n(&co->scheduled, &scheduled, __func__,
                                     false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        fprintf(stderr, "%s: coroutine was already scheduled in '%s'\n",
                __func__, scheduled);
        abort();
    }
    if (foreign) {
        /* The coroutine may run and end, and with it the context's life. */
        aio_context_ref(ctx);
    }
    head = __atomic_load_n(&ctx->co_incoming, __ATOMIC_RELAXED);
    do {
        co->co_scheduled_next = head;
    } while (!__atomic_compare_exchange_n(&ctx->co_incoming, &head, co, true,
                                          __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    qemu_bh_schedule(ctx->co_schedule_bh);
    if (foreign) {
        aio_context_unref(ctx);
    }
}

typedef struct CoReschedule {
    Coroutine *co;
    AioContext *new_ctx;
} CoReschedule;

static void co_reschedule_bh(void *opaque)
{
    CoReschedule *data = opaque;

    aio_co_schedule(data->new_ctx, data->co);
}

void coroutine_fn aio_co_reschedule_self(AioContext *new_ctx)
{
    AioContext *old_ctx = qemu_coroutine_get_aio_context(qemu_coroutine_self());

    if (old_ctx != new_ctx) {
        CoReschedule data = {
            .co = qemu_coroutine_self(),
            .new_ctx = new_ctx,
        };

        /* Runs after the yield, so that nobody enters it before. */
        aio_bh_schedule_oneshot(old_ctx, co_reschedule_bh, &data);
        qemu_coroutine_yield();
    }
}

void aio_co_wake(Coroutine *co)
{
    AioContext *ctx = qemu_coroutine_get_aio_context(co);

    aio_co_enter(ctx ?: qemu_get_aio_context(), co);
}

void aio_co_enter(AioContext *ctx, Coroutine *co)
{
    if (!in_aio_context_home_thread(ctx)) {
        aio_co_schedule(ctx, co);
        return;
    }
    if (qemu_in_coroutine()) {
        Coroutine *self = qemu_coroutine_self();

        assert(self != co);
        QSIMPLEQ_INSERT_TAIL(&self->co_queue_wakeup, co, co_queue_next);
        return;
    }
    if (ctx) {
        aio_context_acquire(ctx);
    }
    qemu_aio_coroutine_enter(ctx, co);
    if (ctx) {
        aio_context_release(ctx);
    }
}

/* ---- Whose loop ---- */

static __thread AioContext *thread_aio_context;

__attribute__((weak)) AioContext *qemu_get_current_aio_context(void)
{
    return thread_aio_context ?: qemu_get_aio_context();
}

void qemu_set_current_aio_context(AioContext *ctx)
{
    assert(!ctx || !thread_aio_context);
    thread_aio_context = ctx;
}

bool in_aio_context_home_thread(AioContext *ctx)
{
    /* Threads without a loop of their own get the main one, but it is not
     * theirs. */
    return ctx == qemu_get_current_aio_context() &&
           (ctx != qemu_get_aio_context() || qemu_in_main_thread());
}

/* ---- GSource ---- */

int64_t aio_compute_timeout(AioContext *ctx)
{
    if (aio_bh_pending(ctx) ||
        __atomic_load_n(&ctx->always_ready_cnt, __ATOMIC_RELAXED)) {
        return 0;
    }
    return timerlistgroup_deadline_ns(&ctx->tlg);
}

static gboolean aio_source_prepare(GSource *source, gint *timeout)
{
    AioContext *ctx = container_of(source, AioContext, source);
    int64_t ns = aio_prepare(ctx);

    *timeout = qemu_timeout_ns_to_ms(ns);
    if (ns != 0 && !aio_notify_prepare_sleep(ctx)) {
        /* Nothing to dispatch, but whoever iterates wants to look around. */
        aio_notify_accept(ctx);
        *timeout = 0;
    }
    return ns == 0;
}

static gboolean aio_source_check(GSource *source)
{
    AioContext *ctx = container_of(source, AioContext, source);

    aio_notify_accept(ctx);
    return ctx->gpollfd.revents || aio_compute_timeout(ctx) == 0;
}

static gboolean aio_source_dispatch(GSource *source, GSourceFunc callback,
                                    gpointer user_data)
{
    aio_dispatch(container_of(source, AioContext, source));
    return TRUE;
}

static void aio_source_finalize(GSource *source)
{
    AioContext *ctx = container_of(source, AioContext, source);
    QEMUBH *bh;

    if (ctx->epoll_fd < 0) {
        return;
    }
    thread_pool_free(ctx->thread_pool);
#ifdef CONFIG_LINUX_AIO
    if (ctx->linux_aio) {
        laio_detach_aio_context(ctx->linux_aio, ctx);
        laio_cleanup(ctx->linux_aio);
    }
#endif
#ifdef CONFIG_LINUX_IO_URING
    if (ctx->linux_io_uring) {
        luring_detach_aio_context(ctx->linux_io_uring, ctx);
        luring_cleanup(ctx->linux_io_uring);
    }
#endif
    assert(!ctx->co_incoming && QSIMPLEQ_EMPTY(&ctx->co_ready));
    qemu_bh_delete(ctx->co_schedule_bh);

    bh_collect(ctx);
    while ((bh = QSIMPLEQ_FIRST(&ctx->bh_queue))) {
        /* What is still scheduled would be lost. */
        assert(!(bh->flags & BH_SCHEDULED));
        QSIMPLEQ_REMOVE_HEAD(&ctx->bh_queue, next);
        bh->flags &= ~BH_QUEUED;
        if (bh->flags & BH_DELETED) {
            g_free(bh);
        }
    }
    timerlistgroup_deinit(&ctx->tlg);
    aio_context_destroy(ctx);
    event_notifier_cleanup(&ctx->notifier);
    aio_lock_destroy(&ctx->lock);
}

static GSourceFuncs aio_source_funcs = {
    .prepare = aio_source_prepare,
    .check = aio_source_check,
    .dispatch = aio_source_dispatch,
    .finalize = aio_source_finalize,
};

GSource *aio_get_g_source(AioContext *ctx)
{
    return g_source_ref(&ctx->source);
}

/* ---- Life ---- */

AioContext *aio_context_new(Error **errp)
{
    AioContext *ctx;
    int ret;

    ctx = (AioContext *)g_source_new(&aio_source_funcs, sizeof(AioContext));
    ctx->epoll_fd = -1;
    g_source_set_name(&ctx->source, "aio-context");
    g_source_set_can_recurse(&ctx->source, TRUE);

    ret = event_notifier_init(&ctx->notifier, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to initialize event notifier");
        g_source_unref(&ctx->source);
        return NULL;
    }
    ret = aio_context_setup(ctx);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to initialize event loop");
        event_notifier_cleanup(&ctx->notifier);
        g_source_unref(&ctx->source);
        return NULL;
    }

    aio_lock_init(&ctx->lock);
    QSIMPLEQ_INIT(&ctx->bh_queue);
    QSIMPLEQ_INIT(&ctx->co_ready);
    timerlistgroup_init(&ctx->tlg, aio_timerlist_notify, ctx);
    ctx->co_schedule_bh = aio_bh_new(ctx, co_schedule_bh_cb, ctx);
    ctx->thread_pool_max = 64;
    return ctx;
}

void aio_context_ref(AioContext *ctx)
{
    g_source_ref(&ctx->source);
}

void aio_context_unref(AioContext *ctx)
{
    g_source_unref(&ctx->source);
}

/* ---- What a context owns ---- */

ThreadPool *aio_get_thread_pool(AioContext *ctx)
{
    if (!ctx->thread_pool) {
        ctx->thread_pool = thread_pool_new(ctx);
    }
    return ctx->thread_pool;
}

void aio_context_set_thread_pool_params(AioContext *ctx, int64_t min,
                                        int64_t max, Error **errp)
{
    if (min < 0 || max < 1 || min > max || max > INT_MAX) {
        error_setg(errp, "bad thread-pool-min/thread-pool-max values");
        return;
    }
    ctx->thread_pool_min = min;
    ctx->thread_pool_max = max;
    if (ctx->thread_pool) {
        thread_pool_set_limits(ctx->thread_pool, min, max);
    }
}

void aio_context_set_aio_params(AioContext *ctx, int64_t max_batch)
{
    __atomic_store_n(&ctx->aio_max_batch, max_batch, __ATOMIC_RELAXED);
}

LinuxAioState *aio_setup_linux_aio(AioContext *ctx, Error **errp)
{
#ifdef CONFIG_LINUX_AIO
    if (!ctx->linux_aio) {
        LinuxAioState *s = laio_init(errp);

        if (s) {
            laio_attach_aio_context(s, ctx);
            ctx->linux_aio = s;
        }
    }
    return ctx->linux_aio;
#else
    error_setg(errp, "Linux AIO is not supported by this build");
    return NULL;
#endif
}

LinuxAioState *aio_get_linux_aio(AioContext *ctx)
{
    assert(ctx->linux_aio);
    return ctx->linux_aio;
}

LuringState *aio_setup_linux_io_uring(AioContext *ctx, Error **errp)
{
#ifdef CONFIG_LINUX_IO_URING
    if (!ctx->linux_io_uring) {
        LuringState *s = luring_init(errp);

        if (s) {
            luring_attach_aio_context(s, ctx);
            ctx->linux_io_uring = s;
        }
    }
    return ctx->linux_io_uring;
#else
    error_setg(errp, "io_uring is not supported by this build");
    return NULL;
#endif
}

LuringState *aio_get_linux_io_uring(AioContext *ctx)
{
    assert(ctx->linux_io_uring);
    return ctx->linux_io_uring;
}
