/*
 * SPDX-License-Identifier: MIT
 *
 * Creating, entering and leaving coroutines, and the pool of ended ones.
 *
 * Who enters a coroutine from outside runs, after its yield or end, those that
 * it woke, then those that these woke, and so on: a loop on one stack, however
 * long the chain.
 *
 * The pool keeps ended coroutines with their stacks: a cache for each thread,
 * and a stock that the threads share, exchanged in batches.  Both are arrays
 * of pointers, because nothing may look into an object in the pool.
 */
#include "qemu/osdep.h"
#include "qemu/coroutine_int.h"
#include "block/aio.h"

/* ---- Pool ---- */

enum {
    POOL_BATCH = 64,
    POOL_CACHE = 2 * POOL_BATCH,
    POOL_STOCK = 16 * POOL_BATCH,
};

typedef struct CoroutinePool {
    unsigned count;
    bool registered;
    Coroutine *items[POOL_CACHE];
} CoroutinePool;

static __thread CoroutinePool pool_cache;

static QemuMutex pool_lock;
static unsigned pool_stock_count;               /* under pool_lock */
static Coroutine *pool_stock[POOL_STOCK];       /* under pool_lock */

/* Its destructor runs at the end of each thread with a cache. */
static pthread_key_t pool_key;

/* Moves up to @n from the cache to the stock; what does not fit is freed. */
static void pool_give_away(CoroutinePool *pool, unsigned n)
{
    qemu_mutex_lock(&pool_lock);
    for (; n && pool_stock_count < POOL_STOCK; n--) {
        pool_stock[pool_stock_count++] = pool->items[--pool->count];
    }
    qemu_mutex_unlock(&pool_lock);
    for (; n; n--) {
        qemu_coroutine_delete(pool->items[--pool->count]);
    }
}

static void pool_thread_exit(void *opaque)
{
    CoroutinePool *pool = opaque;

    pool_give_away(pool, pool->count);
}

static void __attribute__((constructor)) pool_init(void)
{
    qemu_mutex_init(&pool_lock);
    if (pthread_key_create(&pool_key, pool_thread_exit)) {
        abort();
    }
}

static Coroutine *pool_get(void)
{
    CoroutinePool *pool = &pool_cache;

    if (!CONFIG_COROUTINE_POOL) {
        return NULL;
    }
    if (!pool->count) {
        qemu_mutex_lock(&pool_lock);
        while (pool->count < POOL_BATCH && pool_stock_count) {
            pool->items[pool->count++] = pool_stock[--pool_stock_count];
        }
        qemu_mutex_unlock(&pool_lock);
    }
    return pool->count ? pool->items[--pool->count] : NULL;
}

static void pool_put(Coroutine *co)
{
    CoroutinePool *pool = &pool_cache;

    if (!CONFIG_COROUTINE_POOL) {
        qemu_coroutine_delete(co);
        return;
    }
    if (!pool->registered) {
        pool->registered = true;
        pthread_setspecific(pool_key, pool);
    }
    if (pool->count == POOL_CACHE) {
        pool_give_away(pool, POOL_BATCH);
    }
    pool->items[pool->count++] = co;
}

/* ---- Life ---- */

Coroutine *qemu_coroutine_create(CoroutineEntry *entry, void *opaque)
{
    Coroutine *co = pool_get() ?: qemu_coroutine_new();

    co->entry = entry;
    co->entry_arg = opaque;
    co->locks_held = 0;
    __atomic_store_n(&co->ctx, NULL, __ATOMIC_RELAXED);
    QSIMPLEQ_INIT(&co->co_queue_wakeup);
    return co;
}

static void coroutine_end(Coroutine *co)
{
    if (co->locks_held) {
        fprintf(stderr, "coroutine ends with %zu locks held\n",
                co->locks_held);
        abort();
    }
    __atomic_store_n(&co->caller, NULL, __ATOMIC_RELAXED);
    pool_put(co);
}

/* Runs @co until it gives control back; those it woke go to @ready's end. */
static void coroutine_run(Coroutine *self, AioContext *ctx, Coroutine *co,
                          CoroutineList *ready)
{
    const char *scheduled = __atomic_load_n(&co->scheduled, __ATOMIC_ACQUIRE);
    CoroutineAction action;

    if (scheduled) {
        fprintf(stderr, "coroutine is entered while it is scheduled in '%s'\n",
                scheduled);
        abort();
    }
    if (__atomic_load_n(&co->caller, __ATOMIC_ACQUIRE)) {
        fprintf(stderr, "coroutine is entered while it runs\n");
        abort();
    }
    __atomic_store_n(&co->caller, self, __ATOMIC_RELAXED);
    __atomic_store_n(&co->ctx, ctx, __ATOMIC_RELEASE);

    action = qemu_coroutine_switch(self, co, COROUTINE_ENTER);

    QSIMPLEQ_CONCAT(ready, &co->co_queue_wakeup);
    if (action == COROUTINE_TERMINATE) {
        coroutine_end(co);
    } else {
        /* From here on it may run in another thread. */
        __atomic_store_n(&co->caller, NULL, __ATOMIC_RELEASE);
    }
}

void qemu_aio_coroutine_enter(AioContext *ctx, Coroutine *co)
{
    Coroutine *self = qemu_coroutine_self();
    CoroutineList ready = QSIMPLEQ_HEAD_INITIALIZER(ready);

    QSIMPLEQ_INSERT_TAIL(&ready, co, co_queue_next);
    while ((co = QSIMPLEQ_FIRST(&ready))) {
        QSIMPLEQ_REMOVE_HEAD(&ready, co_queue_next);
        coroutine_run(self, ctx, co, &ready);
    }
}

void qemu_coroutine_enter(Coroutine *co)
{
    qemu_aio_coroutine_enter(qemu_get_current_aio_context(), co);
}

void qemu_coroutine_enter_if_inactive(Coroutine *co)
{
    if (!qemu_coroutine_entered(co)) {
        qemu_coroutine_enter(co);
    }
}

void coroutine_fn qemu_coroutine_yield(void)
{
    Coroutine *self = qemu_coroutine_self();
    Coroutine *caller = self->caller;

    if (!caller) {
        fprintf(stderr, "yield outside of a coroutine\n");
        abort();
    }
    qemu_coroutine_switch(self, caller, COROUTINE_YIELD);
}

bool qemu_coroutine_entered(Coroutine *co)
{
    return __atomic_load_n(&co->caller, __ATOMIC_ACQUIRE) != NULL;
}

AioContext *qemu_coroutine_get_aio_context(Coroutine *co)
{
    return __atomic_load_n(&co->ctx, __ATOMIC_ACQUIRE);
}
