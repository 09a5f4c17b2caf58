/*
 * SPDX-License-Identifier: MIT
 *
 * The recursive lock of an AioContext.
 *
 * Who finds it taken wakes the context, so that an owner that sleeps in
 * aio_poll() notices and lets the waiter through, although it never calls
 * aio_context_release().
 *
 * Invariants
 *   1. owner is the tag of the thread that holds the lock; depth, its number
 *      of levels, is then at least 1.
 *   2. waiters is raised before a waiter looks at owner for the last time, and
 *      a releasing owner looks at waiters after it has cleared owner: one of
 *      the two sees the other.
 */
#include "qemu/osdep.h"
#include "block/aio.h"

/* Its address is the thread's tag. */
static __thread char thread_tag;

void aio_lock_init(AioContextLock *lock)
{
    *lock = (AioContextLock) { .owner = NULL };
    qemu_mutex_init(&lock->mutex);
    qemu_cond_init(&lock->cond);
}

void aio_lock_destroy(AioContextLock *lock)
{
    assert(!lock->owner && !lock->waiters);
    qemu_cond_destroy(&lock->cond);
    qemu_mutex_destroy(&lock->mutex);
}

static bool lock_is_mine(AioContextLock *lock)
{
    return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == &thread_tag;
}

static bool lock_try(AioContextLock *lock)
{
    const void *nobody = NULL;

    return __atomic_compare_exchange_n(&lock->owner, &nobody,
                                       (const void *)&thread_tag, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void lock_wait(AioContext *ctx)
{
    AioContextLock *lock = &ctx->lock;

    qemu_mutex_lock(&lock->mutex);
    __atomic_fetch_add(&lock->waiters, 1, __ATOMIC_SEQ_CST);
    while (!lock_try(lock)) {
        aio_notify(ctx);
        qemu_cond_wait(&lock->cond, &lock->mutex);
    }
    __atomic_fetch_sub(&lock->waiters, 1, __ATOMIC_SEQ_CST);
    lock->passes++;
    /* An owner that let us through waits for this. */
    qemu_cond_broadcast(&lock->cond);
    qemu_mutex_unlock(&lock->mutex);
}

static void lock_release(AioContextLock *lock)
{
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&lock->waiters, __ATOMIC_SEQ_CST)) {
        qemu_mutex_lock(&lock->mutex);
        qemu_cond_broadcast(&lock->cond);
        qemu_mutex_unlock(&lock->mutex);
    }
}

void aio_context_acquire_levels(AioContext *ctx, unsigned levels)
{
    AioContextLock *lock = &ctx->lock;

    if (!levels) {
        return;
    }
    if (lock_is_mine(lock)) {
        lock->depth += levels;
        return;
    }
    if (!lock_try(lock)) {
        lock_wait(ctx);
    }
    lock->depth = levels;
}

unsigned aio_context_release_all(AioContext *ctx)
{
    AioContextLock *lock = &ctx->lock;
    unsigned levels = 0;

    if (lock_is_mine(lock)) {
        levels = lock->depth;
        lock->depth = 0;
        lock_release(lock);
    }
    return levels;
}

void aio_context_acquire(AioContext *ctx)
{
    aio_context_acquire_levels(ctx, 1);
}

void aio_context_release(AioContext *ctx)
{
    AioContextLock *lock = &ctx->lock;

    assert(lock_is_mine(lock));
    if (--lock->depth == 0) {
        lock_release(lock);
    }
}

bool aio_lock_contended(AioContext *ctx)
{
    return __atomic_load_n(&ctx->lock.waiters, __ATOMIC_SEQ_CST) &&
           lock_is_mine(&ctx->lock);
}

void aio_lock_let_through(AioContext *ctx)
{
    AioContextLock *lock = &ctx->lock;
    unsigned levels, passes;

    qemu_mutex_lock(&lock->mutex);
    passes = lock->passes;
    qemu_mutex_unlock(&lock->mutex);

    levels = aio_context_release_all(ctx);

    qemu_mutex_lock(&lock->mutex);
    while (lock->passes == passes &&
           __atomic_load_n(&lock->waiters, __ATOMIC_SEQ_CST)) {
        qemu_cond_wait(&lock->cond, &lock->mutex);
    }
    qemu_mutex_unlock(&lock->mutex);
    aio_context_acquire_levels(ctx, levels);
}
