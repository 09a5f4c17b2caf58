/*
 * SPDX-License-Identifier: MIT
 *
 * The thread pool of an AioContext.
 *
 * Items wait in a queue; workers are started when items wait and nobody is
 * idle, up to a limit, and end after a while without work.  Results come back
 * through a list that any worker pushes onto and one BH that empties it, so
 * that a burst of completions is one wake-up.
 *
 * Invariants
 *   1. An item is in queue exactly while its state is ITEM_QUEUED.
 *   2. A worker does not touch an item after it has pushed it onto done.
 *   3. queued is the length of queue.
 */
#include "qemu/osdep.h"
#include "block/thread-pool.h"
#include "qemu/coroutine.h"
#include "qemu/queue.h"
#include "qemu/thread.h"

/* How long a worker waits for work before it ends. */
#define IDLE_MS 10000

typedef enum {
    ITEM_QUEUED,
    ITEM_RUNNING,
    ITEM_DONE,
} ItemState;

typedef struct ThreadPoolItem ThreadPoolItem;
struct ThreadPoolItem {
    BlockAIOCB common;

    /* immutable */
    ThreadPool *pool;
    ThreadPoolFunc *func;
    void *arg;

    /* under the pool's lock */
    ItemState state;
    QTAILQ_ENTRY(ThreadPoolItem) next_queued;

    /* set by the worker; read after the item has come back */
    int ret;
    ThreadPoolItem *next_done;

    /* home thread */
    QSIMPLEQ_ENTRY(ThreadPoolItem) next_finished;
};

struct ThreadPool {
    /* immutable */
    AioContext *ctx;
    QEMUBH *bh;

    QemuMutex lock;
    QemuCond work;              /* queue, stopping or limits changed */
    QemuCond ended;             /* a worker is gone */
    /* under lock */
    QTAILQ_HEAD(, ThreadPoolItem) queue;
    unsigned queued;
    int threads;
    int idle;
    int min_threads;
    int max_threads;
    bool stopping;
    bool waking;                /* an idle worker was called, is not here yet */

    /* pushed by workers, atomic */
    ThreadPoolItem *done;

    /* home thread */
    QSIMPLEQ_HEAD(, ThreadPoolItem) finished;
    unsigned in_flight;
};

/* ---- Workers ---- */

/* Any thread. */
static void item_done(ThreadPoolItem *item, int ret)
{
    ThreadPool *pool = item->pool;
    ThreadPoolItem *head = __atomic_load_n(&pool->done, __ATOMIC_RELAXED);

    item->ret = ret;
    do {
        item->next_done = head;
    } while (!__atomic_compare_exchange_n(&pool->done, &head, item, true,
                                          __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    qemu_bh_schedule(pool->bh);
}

static void *worker_main(void *opaque);

static void start_worker(ThreadPool *pool)
{
    QemuThread thread;

    qemu_thread_create(&thread, "worker", worker_main, pool,
                       QEMU_THREAD_DETACHED);
}

typedef enum {
    HELP_NONE,
    HELP_WAKE,
    HELP_START,
} Help;

/*
 * Who else is to look at the queue?  At most one idle worker is on its way at
 * a time; it calls the next one if there is still work for it.  So short items
 * are done by the workers that are awake already.  With the lock held;
 * call_help() without.
 */
static Help need_help(ThreadPool *pool)
{
    if (!pool->queued || pool->waking) {
        return HELP_NONE;
    }
    if (pool->idle) {
        pool->waking = true;
        return HELP_WAKE;
    }
    if (pool->threads < pool->max_threads) {
        pool->threads++;
        return HELP_START;
    }
    return HELP_NONE;
}

static void call_help(ThreadPool *pool, Help help)
{
    if (help == HELP_WAKE) {
        qemu_cond_signal(&pool->work);
    } else if (help == HELP_START) {
        start_worker(pool);
    }
}

/* The next item, or NULL if the worker is to end.  With the lock held. */
static ThreadPoolItem *worker_next(ThreadPool *pool)
{
    ThreadPoolItem *item;

    while (!pool->queued) {
        bool signalled;

        if (pool->stopping || pool->threads > pool->max_threads) {
            return NULL;
        }
        pool->idle++;
        signalled = qemu_cond_timedwait(&pool->work, &pool->lock, IDLE_MS);
        pool->idle--;
        pool->waking = false;
        if (!signalled && !pool->queued && pool->threads > pool->min_threads) {
            return NULL;
        }
    }
    item = QTAILQ_FIRST(&pool->queue);
    QTAILQ_REMOVE(&pool->queue, item, next_queued);
    pool->queued--;
    item->state = ITEM_RUNNING;
    return item;
}

static void *worker_main(void *opaque)
{
    ThreadPool *pool = opaque;
    ThreadPoolItem *item;

    qemu_mutex_lock(&pool->lock);
    while ((item = worker_next(pool))) {
        Help help = need_help(pool);

        qemu_mutex_unlock(&pool->lock);
        call_help(pool, help);
        item_done(item, item->func(item->arg));
        qemu_mutex_lock(&pool->lock);
    }
    pool->threads--;
    qemu_cond_signal(&pool->ended);
    qemu_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- Completion ---- */

static void collect_done(ThreadPool *pool)
{
    ThreadPoolItem *item, *next, *ordered = NULL;

    item = __atomic_exchange_n(&pool->done, NULL, __ATOMIC_ACQUIRE);
    for (; item; item = next) {
        next = item->next_done;
        item->next_done = ordered;
        ordered = item;
    }
    for (item = ordered; item; item = item->next_done) {
        QSIMPLEQ_INSERT_TAIL(&pool->finished, item, next_finished);
    }
}

static void completion_bh(void *opaque)
{
    ThreadPool *pool = opaque;
    AioContext *ctx = pool->ctx;
    ThreadPoolItem *item;

again:
    collect_done(pool);
    while ((item = QSIMPLEQ_FIRST(&pool->finished))) {
        QSIMPLEQ_REMOVE_HEAD(&pool->finished, next_finished);
        pool->in_flight--;
        if (item->common.cb) {
            if (!QSIMPLEQ_EMPTY(&pool->finished)) {
                /* The rest must not wait if this one polls the context. */
                qemu_bh_schedule(pool->bh);
            }
            aio_context_acquire(ctx);
            item->common.cb(item->common.opaque, item->ret);
            aio_context_release(ctx);
        }
        qemu_aio_unref(item);
    }

    /* Who pushes after this look schedules the BH after the cancellation. */
    qemu_bh_cancel(pool->bh);
    if (__atomic_load_n(&pool->done, __ATOMIC_SEQ_CST)) {
        goto again;
    }
}

/* ---- Submission ---- */

static void item_cancel_async(BlockAIOCB *acb)
{
    ThreadPoolItem *item = container_of(acb, ThreadPoolItem, common);
    ThreadPool *pool = item->pool;
    bool cancelled = false;

    qemu_mutex_lock(&pool->lock);
    if (item->state == ITEM_QUEUED) {
        QTAILQ_REMOVE(&pool->queue, item, next_queued);
        pool->queued--;
        item->state = ITEM_DONE;
        cancelled = true;
    }
    qemu_mutex_unlock(&pool->lock);
    if (cancelled) {
        item_done(item, -ECANCELED);
    }
}

static AioContext *item_get_aio_context(BlockAIOCB *acb)
{
    return container_of(acb, ThreadPoolItem, common)->pool->ctx;
}

static const AIOCBInfo thread_pool_aiocb_info = {
    .aiocb_size = sizeof(ThreadPoolItem),
    .cancel_async = item_cancel_async,
    .get_aio_context = item_get_aio_context,
};

BlockAIOCB *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                   void *arg, BlockCompletionFunc *cb,
                                   void *opaque)
{
    ThreadPoolItem *item;
    Help help;

    item = qemu_aio_get(&thread_pool_aiocb_info, NULL, cb, opaque);
    item->pool = pool;
    item->func = func;
    item->arg = arg;
    item->state = ITEM_QUEUED;
    pool->in_flight++;

    qemu_mutex_lock(&pool->lock);
    QTAILQ_INSERT_TAIL(&pool->queue, item, next_queued);
    pool->queued++;
    help = need_help(pool);
    qemu_mutex_unlock(&pool->lock);
    call_help(pool, help);
    return &item->common;
}

typedef struct ThreadPoolCo {
    Coroutine *co;
    int ret;
} ThreadPoolCo;

static void co_item_done(void *opaque, int ret)
{
    ThreadPoolCo *data = opaque;

    data->ret = ret;
    aio_co_wake(data->co);
}

int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg)
{
    ThreadPoolCo data = { .co = qemu_coroutine_self() };

    assert(qemu_in_coroutine());
    thread_pool_submit_aio(pool, func, arg, co_item_done, &data);
    qemu_coroutine_yield();
    return data.ret;
}

void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg)
{
    thread_pool_submit_aio(pool, func, arg, NULL, NULL);
}

/* ---- Life ---- */

void thread_pool_set_limits(ThreadPool *pool, int min, int max)
{
    int missing;

    qemu_mutex_lock(&pool->lock);
    pool->min_threads = min;
    pool->max_threads = max;
    missing = MAX(min - pool->threads, 0);
    pool->threads += missing;
    /* Those beyond the limit end. */
    qemu_cond_broadcast(&pool->work);
    qemu_mutex_unlock(&pool->lock);
    for (; missing; missing--) {
        start_worker(pool);
    }
}

ThreadPool *thread_pool_new(AioContext *ctx)
{
    ThreadPool *pool = g_new0(ThreadPool, 1);

    pool->ctx = ctx;
    pool->bh = aio_bh_new(ctx, completion_bh, pool);
    qemu_mutex_init(&pool->lock);
    qemu_cond_init(&pool->work);
    qemu_cond_init(&pool->ended);
    QTAILQ_INIT(&pool->queue);
    QSIMPLEQ_INIT(&pool->finished);
    thread_pool_set_limits(pool, ctx->thread_pool_min, ctx->thread_pool_max);
    return pool;
}

void thread_pool_free(ThreadPool *pool)
{
    if (!pool) {
        return;
    }
    assert(!pool->in_flight);
    qemu_mutex_lock(&pool->lock);
    pool->stopping = true;
    qemu_cond_broadcast(&pool->work);
    while (pool->threads) {
        qemu_cond_wait(&pool->ended, &pool->lock);
    }
    qemu_mutex_unlock(&pool->lock);

    qemu_bh_delete(pool->bh);
    qemu_cond_destroy(&pool->ended);
    qemu_cond_destroy(&pool->work);
    qemu_mutex_destroy(&pool->lock);
    g_free(pool);
}
