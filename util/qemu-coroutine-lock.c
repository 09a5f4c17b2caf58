/*
 * SPDX-License-Identifier: MIT
 *
 * Mutexes, readers-writer locks and queues for coroutines.
 *
 * A lock with waiters is never free: who releases it makes the first waiter
 * its owner and wakes it.  So arrival decides the order, and a woken coroutine
 * need not look again.
 *
 * CoMutex.locked
 *   0  free
 *   1  held, nobody waits: release needs no guard
 *   2  held, and there are waiters
 *
 * Invariants
 *   1. waiters changes under guard only, and is empty exactly if locked < 2.
 *   2. locked changes from and to 2 under guard only.
 *   3. A record lies on its waiter's stack, and is gone once that is woken.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/coroutine_int.h"
#include "qemu/processor.h"

/* How often to look for a holder in another thread to finish. */
#define MAX_SPINS 1000

struct CoWaitRecord {
    Coroutine *co;
    bool write;
    QSIMPLEQ_ENTRY(CoWaitRecord) next;
};

/* ---- CoMutex ---- */

void qemu_co_mutex_init(CoMutex *mutex)
{
    memset(mutex, 0, sizeof(*mutex));
    qemu_spin_init(&mutex->guard);
    QSIMPLEQ_INIT(&mutex->waiters);
}

static bool mutex_change(CoMutex *mutex, unsigned from, unsigned to)
{
    return __atomic_compare_exchange_n(&mutex->locked, &from, to, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void mutex_set_holder(CoMutex *mutex, Coroutine *co)
{
    __atomic_store_n(&mutex->holder, co, __ATOMIC_RELAXED);
    __atomic_store_n(&mutex->ctx,
                     co ? qemu_coroutine_get_aio_context(co) : NULL,
                     __ATOMIC_RELAXED);
}

/* Takes it without waiting, or after a moment if its holder runs elsewhere. */
static bool mutex_try(CoMutex *mutex, AioContext *my_ctx)
{
    for (int i = 0; i < MAX_SPINS; i++) {
        unsigned locked = __atomic_load_n(&mutex->locked, __ATOMIC_RELAXED);
        AioContext *ctx;

        if (locked == 0) {
            if (mutex_change(mutex, 0, 1)) {
                return true;
            }
            continue;
        }
        ctx = __atomic_load_n(&mutex->ctx, __ATOMIC_RELAXED);
        if (locked == 2 || !ctx || ctx == my_ctx) {
            return false;
        }
        cpu_relax();
    }
    return false;
}

/* Queues @w; or, false, takes the mutex, which was released meanwhile. */
static bool mutex_enqueue(CoMutex *mutex, CoWaitRecord *w)
{
    bool queued = true;

    qemu_spin_lock(&mutex->guard);
    for (;;) {
        unsigned locked = __atomic_load_n(&mutex->locked, __ATOMIC_RELAXED);

        if (locked == 2 || (locked == 1 && mutex_change(mutex, 1, 2))) {
            QSIMPLEQ_INSERT_TAIL(&mutex->waiters, w, next);
            break;
        }
        if (locked == 0 && mutex_change(mutex, 0, 1)) {
            queued = false;
            break;
        }
    }
    qemu_spin_unlock(&mutex->guard);
    return queued;
}

void coroutine_fn qemu_co_mutex_lock(CoMutex *mutex)
{
    Coroutine *self = qemu_coroutine_self();
    CoWaitRecord w = { .co = self };

    if (mutex_try(mutex, qemu_coroutine_get_aio_context(self)) ||
        !mutex_enqueue(mutex, &w)) {
        mutex_set_holder(mutex, self);
    } else {
        /* Whoever releases the mutex makes us its holder. */
        qemu_coroutine_yield();
    }
    self->locks_held++;
}

void coroutine_fn qemu_co_mutex_unlock(CoMutex *mutex)
{
    Coroutine *self = qemu_coroutine_self();
    CoWaitRecord *w;
    Coroutine *next;

    qemu_co_mutex_assert_locked(mutex);
    assert(self->locks_held);
    self->locks_held--;
    mutex_set_holder(mutex, NULL);
    if (mutex_change(mutex, 1, 0)) {
        return;
    }

    qemu_spin_lock(&mutex->guard);
    w = QSIMPLEQ_FIRST(&mutex->waiters);
    QSIMPLEQ_REMOVE_HEAD(&mutex->waiters, next);
    next = w->co;
    mutex_set_holder(mutex, next);
    if (QSIMPLEQ_EMPTY(&mutex->waiters)) {
        __atomic_store_n(&mutex->locked, 1, __ATOMIC_RELEASE);
    }
    qemu_spin_unlock(&mutex->guard);
    aio_co_wake(next);
}

/* ---- CoRwlock ---- */

void qemu_co_rwlock_init(CoRwlock *lock)
{
    qemu_spin_init(&lock->guard);
    lock->owners = 0;
    QSIMPLEQ_INIT(&lock->waiters);
}

/*
 * Makes those at the head of the queue owners whom the lock has room for.
 * Called with the guard held; releases it.
 */
static void rwlock_grant_and_unlock(CoRwlock *lock)
{
    QSIMPLEQ_HEAD(, CoWaitRecord) granted =
        QSIMPLEQ_HEAD_INITIALIZER(granted);
    CoWaitRecord *w;

    while ((w = QSIMPLEQ_FIRST(&lock->waiters))) {
        if (w->write ? lock->owners != 0 : lock->owners < 0) {
            break;
        }
        lock->owners = w->write ? -1 : lock->owners + 1;
        QSIMPLEQ_REMOVE_HEAD(&lock->waiters, next);
        QSIMPLEQ_INSERT_TAIL(&granted, w, next);
    }
    qemu_spin_unlock(&lock->guard);

    while ((w = QSIMPLEQ_FIRST(&granted))) {
        QSIMPLEQ_REMOVE_HEAD(&granted, next);
        aio_co_wake(w->co);
    }
}

static void coroutine_fn rwlock_lock(CoRwlock *lock, bool write)
{
    CoWaitRecord w = { .co = qemu_coroutine_self(), .write = write };

    qemu_spin_lock(&lock->guard);
    if (QSIMPLEQ_EMPTY(&lock->waiters) &&
        (write ? lock->owners == 0 : lock->owners >= 0)) {
        lock->owners = write ? -1 : lock->owners + 1;
        qemu_spin_unlock(&lock->guard);
    } else {
        QSIMPLEQ_INSERT_TAIL(&lock->waiters, &w, next);
        qemu_spin_unlock(&lock->guard);
        qemu_coroutine_yield();
    }
    w.co->locks_held++;
}

void coroutine_fn qemu_co_rwlock_rdlock(CoRwlock *lock)
{
    rwlock_lock(lock, false);
}

void coroutine_fn qemu_co_rwlock_wrlock(CoRwlock *lock)
{
    rwlock_lock(lock, true);
}

void coroutine_fn qemu_co_rwlock_unlock(CoRwlock *lock)
{
    qemu_coroutine_self()->locks_held--;
    qemu_spin_lock(&lock->guard);
    assert(lock->owners != 0);
    lock->owners = lock->owners < 0 ? 0 : lock->owners - 1;
    rwlock_grant_and_unlock(lock);
}

void coroutine_fn qemu_co_rwlock_downgrade(CoRwlock *lock)
{
    qemu_spin_lock(&lock->guard);
    assert(lock->owners == -1);
    lock->owners = 1;
    rwlock_grant_and_unlock(lock);
}

void coroutine_fn qemu_co_rwlock_upgrade(CoRwlock *lock)
{
    CoWaitRecord w = { .co = qemu_coroutine_self(), .write = true };

    qemu_spin_lock(&lock->guard);
    assert(lock->owners > 0);
    if (lock->owners == 1 && QSIMPLEQ_EMPTY(&lock->waiters)) {
        lock->owners = -1;
        qemu_spin_unlock(&lock->guard);
        return;
    }
    /* Another reader or an earlier waiter is there, so it is not granted to
     * us at once. */
    lock->owners--;
    QSIMPLEQ_INSERT_TAIL(&lock->waiters, &w, next);
    rwlock_grant_and_unlock(lock);
    qemu_coroutine_yield();
}

/* ---- CoQueue ---- */

void qemu_co_queue_init(CoQueue *queue)
{
    QSIMPLEQ_INIT(&queue->entries);
}

void coroutine_fn qemu_co_queue_wait_impl(CoQueue *queue, QemuLockable *lock,
                                          CoQueueWaitFlags flags)
{
    Coroutine *self = qemu_coroutine_self();

    if (flags & CO_QUEUE_WAIT_FRONT) {
        QSIMPLEQ_INSERT_HEAD(&queue->entries, self, co_queue_next);
    } else {
        QSIMPLEQ_INSERT_TAIL(&queue->entries, self, co_queue_next);
    }
    if (lock) {
        qemu_lockable_unlock(lock);
    }
    qemu_coroutine_yield();
    if (lock) {
        qemu_lockable_lock(lock);
    }
}

static Coroutine *queue_take(CoQueue *queue)
{
    Coroutine *co = QSIMPLEQ_FIRST(&queue->entries);

    if (co) {
        QSIMPLEQ_REMOVE_HEAD(&queue->entries, co_queue_next);
    }
    return co;
}

bool qemu_co_enter_next_impl(CoQueue *queue, QemuLockable *lock)
{
    Coroutine *co = queue_take(queue);

    if (!co) {
        return false;
    }
    if (lock) {
        qemu_lockable_unlock(lock);
    }
    aio_co_wake(co);
    if (lock) {
        qemu_lockable_lock(lock);
    }
    return true;
}

void qemu_co_enter_all_impl(CoQueue *queue, QemuLockable *lock)
{
    while (qemu_co_enter_next_impl(queue, lock)) {
        /* just the waking */
    }
}

bool qemu_co_queue_next(CoQueue *queue)
{
    return qemu_co_enter_next_impl(queue, NULL);
}

void qemu_co_queue_restart_all(CoQueue *queue)
{
    qemu_co_enter_all_impl(queue, NULL);
}

bool qemu_co_queue_empty(CoQueue *queue)
{
    return QSIMPLEQ_EMPTY(&queue->entries);
}
