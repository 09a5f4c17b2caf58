/*
 * SPDX-License-Identifier: MIT
 *
 * Threads, mutexes, condition variables, events and spin locks.
 *
 * A failure of the underlying primitive (a mutex that was never initialised,
 * a thread that cannot be created) is a fatal error: it is reported with the
 * caller's position, and the process aborts.
 */
#ifndef QEMU_THREAD_H
#define QEMU_THREAD_H

#include "qemu/atomic.h"
#include "qemu/processor.h"

typedef struct QemuRecMutex QemuRecMutex;
typedef struct QemuCond QemuCond;
typedef struct QemuEvent QemuEvent;
typedef struct QemuThread QemuThread;
typedef struct QemuSpin QemuSpin;

#include "qemu/thread-posix.h"

#define QEMU_THREAD_JOINABLE 0
#define QEMU_THREAD_DETACHED 1

/* ---- Mutexes ---- */

void qemu_mutex_init(QemuMutex *mutex);
/* The mutex must be unlocked. */
void qemu_mutex_destroy(QemuMutex *mutex);
/* 0 if the mutex was taken, -EBUSY if another one holds it. */
int qemu_mutex_trylock_impl(QemuMutex *mutex, const char *file, int line);
void qemu_mutex_lock_impl(QemuMutex *mutex, const char *file, int line);
void qemu_mutex_unlock_impl(QemuMutex *mutex, const char *file, int line);

#define qemu_mutex_lock(mutex) \
    qemu_mutex_lock_impl(mutex, __FILE__, __LINE__)
#define qemu_mutex_trylock(mutex) \
    qemu_mutex_trylock_impl(mutex, __FILE__, __LINE__)
#define qemu_mutex_unlock(mutex) \
    qemu_mutex_unlock_impl(mutex, __FILE__, __LINE__)

/* The functions behind the macros of the same names, for their addresses. */
static inline void (qemu_mutex_lock)(QemuMutex *mutex)
{
    qemu_mutex_lock_impl(mutex, __FILE__, __LINE__);
}

static inline int (qemu_mutex_trylock)(QemuMutex *mutex)
{
    return qemu_mutex_trylock_impl(mutex, __FILE__, __LINE__);
}

static inline void (qemu_mutex_unlock)(QemuMutex *mutex)
{
    qemu_mutex_unlock_impl(mutex, __FILE__, __LINE__);
}

/* Each lock by the owner needs an unlock. */
void qemu_rec_mutex_init(QemuRecMutex *mutex);
void qemu_rec_mutex_destroy(QemuRecMutex *mutex);
void qemu_rec_mutex_lock_impl(QemuRecMutex *mutex, const char *file, int line);
void qemu_rec_mutex_unlock_impl(QemuRecMutex *mutex,
                                const char *file, int line);

#define qemu_rec_mutex_lock(mutex) \
    qemu_rec_mutex_lock_impl(mutex, __FILE__, __LINE__)
#define qemu_rec_mutex_unlock(mutex) \
    qemu_rec_mutex_unlock_impl(mutex, __FILE__, __LINE__)

static inline void (qemu_rec_mutex_lock)(QemuRecMutex *mutex)
{
    qemu_rec_mutex_lock_impl(mutex, __FILE__, __LINE__);
}

static inline void (qemu_rec_mutex_unlock)(QemuRecMutex *mutex)
{
    qemu_rec_mutex_unlock_impl(mutex, __FILE__, __LINE__);
}

/* ---- Condition variables; the caller holds the mutex ---- */

void qemu_cond_init(QemuCond *cond);
void qemu_cond_destroy(QemuCond *cond);
/* Wakes one waiter. */
void qemu_cond_signal(QemuCond *cond);
/* Wakes all waiters. */
void qemu_cond_broadcast(QemuCond *cond);
/* Gives the mutex up while it waits.  May return without a signal. */
void qemu_cond_wait_impl(QemuCond *cond, QemuMutex *mutex,
                         const char *file, int line);
/* The same for at most @ms milliseconds; false if these went by. */
bool qemu_cond_timedwait_impl(QemuCond *cond, QemuMutex *mutex, int ms,
                              const char *file, int line);

#define qemu_cond_wait(cond, mutex) \
    qemu_cond_wait_impl(cond, mutex, __FILE__, __LINE__)
#define qemu_cond_timedwait(cond, mutex, ms) \
    qemu_cond_timedwait_impl(cond, mutex, ms, __FILE__, __LINE__)

static inline void (qemu_cond_wait)(QemuCond *cond, QemuMutex *mutex)
{
    qemu_cond_wait_impl(cond, mutex, __FILE__, __LINE__);
}

static inline bool (qemu_cond_timedwait)(QemuCond *cond, QemuMutex *mutex,
                                         int ms)
{
    return qemu_cond_timedwait_impl(cond, mutex, ms, __FILE__, __LINE__);
}

/* ---- Events: stay set until reset ---- */

void qemu_event_init(QemuEvent *ev, bool init);
/* Wakes all waiters.  What was written before is visible to them. */
void qemu_event_set(QemuEvent *ev);
void qemu_event_reset(QemuEvent *ev);
/* Returns once the event is set. */
void qemu_event_wait(QemuEvent *ev);
void qemu_event_destroy(QemuEvent *ev);

/* ---- Threads ---- */

/*
 * Starts @start_routine(@arg).  @name, cut to what the host allows, may be
 * NULL.  @mode: QEMU_THREAD_JOINABLE or QEMU_THREAD_DETACHED.  Signals are
 * blocked in the new thread.
 */
void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start_routine)(void *), void *arg, int mode);
/* The value that the thread's routine returned. */
void *qemu_thread_join(QemuThread *thread);
void qemu_thread_get_self(QemuThread *thread);
bool qemu_thread_is_self(QemuThread *thread);
void qemu_thread_exit(void *retval) __attribute__((__noreturn__));
/* The kernel's number of the calling thread. */
int qemu_get_thread_id(void);

/* ---- Spin locks: for a few instructions, never across a call ---- */

struct QemuSpin {
    int value;
};

static inline void qemu_spin_init(QemuSpin *spin)
{
    __atomic_store_n(&spin->value, 0, __ATOMIC_RELAXED);
}

static inline void qemu_spin_destroy(QemuSpin *spin)
{
    (void)spin;
}

static inline bool qemu_spin_locked(QemuSpin *spin)
{
    return __atomic_load_n(&spin->value, __ATOMIC_RELAXED) != 0;
}

/* True if the lock was busy, false if it is the caller's now. */
static inline bool qemu_spin_trylock(QemuSpin *spin)
{
    return __atomic_exchange_n(&spin->value, 1, __ATOMIC_ACQUIRE) != 0;
}

static inline void qemu_spin_lock(QemuSpin *spin)
{
    while (qemu_spin_trylock(spin)) {
        while (qemu_spin_locked(spin)) {
            cpu_relax();
        }
    }
}

static inline void qemu_spin_unlock(QemuSpin *spin)
{
    __atomic_store_n(&spin->value, 0, __ATOMIC_RELEASE);
}

#endif /* QEMU_THREAD_H */
