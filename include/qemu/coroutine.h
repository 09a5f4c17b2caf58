/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines: functions with a stack of their own that give control back in
 * the middle (yield) and go on from there when they are entered again; and
 * locks, queues and sleeps for them.
 *
 * A function marked coroutine_fn may yield and is called in coroutines only.
 * A coroutine belongs to the AioContext in which it was entered last; who
 * wants to continue it from elsewhere uses aio_co_wake() (block/aio.h).
 */
#ifndef QEMU_COROUTINE_H
#define QEMU_COROUTINE_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

#ifndef coroutine_fn
#define coroutine_fn
#endif

typedef struct CoMutex CoMutex;

typedef void coroutine_fn CoroutineEntry(void *opaque);

/*
 * A new coroutine that will run @entry(@opaque) when it is entered first.
 * It frees itself when @entry returns.  Any thread.
 */
Coroutine *qemu_coroutine_create(CoroutineEntry *entry, void *opaque);

/*
 * Transfers control to @coroutine and returns when it yields or ends.  It must
 * not be running already.  Coroutines that it wakes meanwhile (unlocked
 * mutexes, queues, aio_co_wake()) run before this returns.
 */
void qemu_coroutine_enter(Coroutine *coroutine);

/* The same, and the coroutine belongs to @ctx from now on. */
void qemu_aio_coroutine_enter(AioContext *ctx, Coroutine *co);

/* The same if @co is not running; else it runs already: nothing to do. */
void qemu_coroutine_enter_if_inactive(Coroutine *co);

/* Back to whoever entered the calling coroutine. */
void coroutine_fn qemu_coroutine_yield(void);

/* The running coroutine; outside any, an object that stands for the thread. */
Coroutine *coroutine_fn qemu_coroutine_self(void);

bool qemu_in_coroutine(void);

/*
 * True from the time @co is entered to its yield or end, also while it has
 * itself entered another one.
 */
bool qemu_coroutine_entered(Coroutine *co);

/* The AioContext in which @co was entered last. */
AioContext *qemu_coroutine_get_aio_context(Coroutine *co);

/* ---- Mutex ---- */

typedef struct CoWaitRecord CoWaitRecord;

/*
 * First come, first served; works between coroutines of different threads.
 * The fields are the implementation's (qemu-coroutine-lock.c).
 */
struct CoMutex {
    unsigned locked;
    AioContext *ctx;
    Coroutine *holder;
    QemuSpin guard;
    QSIMPLEQ_HEAD(, CoWaitRecord) waiters;
};

void qemu_co_mutex_init(CoMutex *mutex);
/* Yields while another coroutine holds the mutex. */
void coroutine_fn qemu_co_mutex_lock(CoMutex *mutex);
/*
 * The next waiter owns the mutex at once; in the same AioContext it starts
 * when the caller yields or ends.
 */
void coroutine_fn qemu_co_mutex_unlock(CoMutex *mutex);

static inline void coroutine_fn qemu_co_mutex_assert_locked(CoMutex *mutex)
{
    assert(__atomic_load_n(&mutex->locked, __ATOMIC_RELAXED) &&
           __atomic_load_n(&mutex->holder, __ATOMIC_RELAXED) ==
           qemu_coroutine_self());
}

#include "qemu/lockable.h"

/* ---- Queue: coroutines that wait for something, in order of arrival ---- */

typedef struct CoQueue {
    QSIMPLEQ_HEAD(, Coroutine) entries;
} CoQueue;

void qemu_co_queue_init(CoQueue *queue);

/* Where a waiter goes: see qemu_co_queue_wait_flags(). */
typedef enum {
    /* In front of those that wait already. */
    CO_QUEUE_WAIT_FRONT = 0x1,
} CoQueueWaitFlags;

/*
 * Waits in @queue; @lock (a CoMutex *, a QemuMutex *, ... or NULL) protects
 * the queue, is released while the coroutine waits, and held again after.
 */
#define qemu_co_queue_wait(queue, lock) \
    qemu_co_queue_wait_impl(queue, QEMU_MAKE_LOCKABLE(lock), 0)
#define qemu_co_queue_wait_flags(queue, lock, flags) \
    qemu_co_queue_wait_impl(queue, QEMU_MAKE_LOCKABLE(lock), (flags))
void coroutine_fn qemu_co_queue_wait_impl(CoQueue *queue, QemuLockable *lock,
                                          CoQueueWaitFlags flags);

/*
 * Takes the first waiter out and wakes it; from within a coroutine of the same
 * context it starts when that yields or ends.  False if nobody waits.
 */
bool qemu_co_queue_next(CoQueue *queue);

/* The same for all that wait. */
void qemu_co_queue_restart_all(CoQueue *queue);

/*
 * Like qemu_co_queue_next(), but may be called with a lock that a waiter needs
 * at once: @lock is released around the wake-up.
 */
#define qemu_co_enter_next(queue, lock) \
    qemu_co_enter_next_impl(queue, QEMU_MAKE_LOCKABLE(lock))
bool qemu_co_enter_next_impl(CoQueue *queue, QemuLockable *lock);

#define qemu_co_enter_all(queue, lock) \
    qemu_co_enter_all_impl(queue, QEMU_MAKE_LOCKABLE(lock))
void qemu_co_enter_all_impl(CoQueue *queue, QemuLockable *lock);

bool qemu_co_queue_empty(CoQueue *queue);

/* ---- Readers and one writer ---- */

/*
 * Fair: a reader that comes after a waiting writer waits behind it.  Works
 * between threads.
 */
typedef struct CoRwlock {
    QemuSpin guard;
    /* > 0: number of readers; -1: a writer; 0: free */
    int owners;
    QSIMPLEQ_HEAD(, CoWaitRecord) waiters;
} CoRwlock;

void qemu_co_rwlock_init(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_rdlock(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_wrlock(CoRwlock *lock);
/*
 * From reader to writer.  If others read or wait, the caller gives its read
 * lock up and queues as a writer: writers may run before it gets the lock.
 */
void coroutine_fn qemu_co_rwlock_upgrade(CoRwlock *lock);
/* From writer to reader; nobody writes in between. */
void coroutine_fn qemu_co_rwlock_downgrade(CoRwlock *lock);
void coroutine_fn qemu_co_rwlock_unlock(CoRwlock *lock);

/* ---- Time ---- */

/* A sleep that another one can end. */
typedef struct QemuCoSleep {
    Coroutine *to_wake;
} QemuCoSleep;

/* Yields until qemu_co_sleep_wake(@w). */
void coroutine_fn qemu_co_sleep(QemuCoSleep *w);

/* The same, but at most for @ns nanoseconds of the clock @type. */
void coroutine_fn qemu_co_sleep_ns_wakeable(QemuCoSleep *w,
                                            QEMUClockType type, int64_t ns);

/* Ends the sleep of @w, if it sleeps.  Any thread, while @w exists. */
void qemu_co_sleep_wake(QemuCoSleep *w);

/* Yields for @ns nanoseconds of the clock @type, in the current AioContext. */
void coroutine_fn qemu_co_sleep_ns(QEMUClockType type, int64_t ns);

typedef void CleanupFunc(void *opaque);

/*
 * Runs @entry(@opaque) in a coroutine of its own for at most @timeout_ns of
 * QEMU_CLOCK_REALTIME; 0 means no limit.  Returns 0 when it ended in time.
 * Else returns -ETIMEDOUT and @entry runs on in the background: then @opaque
 * must outlive the call, and @clean(@opaque) is called when it ends.
 */
int coroutine_fn qemu_co_timeout(CoroutineEntry *entry, void *opaque,
                                 uint64_t timeout_ns, CleanupFunc *clean);

/*
 * Runs @fn on each of the @n elements, of @size bytes each, of @args, all at
 * the same time: each in a coroutine of its own in the caller's context.
 * Returns when all of them have.
 */
void coroutine_fn qemu_co_run_all(CoroutineEntry *fn, void *args, size_t size,
                                  int n);

/* Yields until @fd, which nobody else watches in this context, has data. */
void coroutine_fn yield_until_fd_readable(int fd);

#endif /* QEMU_COROUTINE_H */
