/*
 * SPDX-License-Identifier: MIT
 *
 * Threads, mutexes, condition variables and events on pthreads.
 *
 * A QemuEvent on Linux is one word: EVENT_SET, EVENT_CLEAR, or EVENT_AWAITED
 * when somebody may sleep on it; only a change from AWAITED to SET costs a
 * system call.
 */
#include "qemu/osdep.h"
#include <signal.h>
#include <sys/syscall.h>
#include "qemu/thread.h"
#ifdef CONFIG_LINUX
#include "qemu/futex.h"
#endif

static void G_GNUC_NORETURN thread_fatal(int err, const char *what,
                                         const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(err));
    abort();
}

#define CHECK_AT(call, what, file, line)                \
    do {                                                \
        int err_ = (call);                              \
        if (G_UNLIKELY(err_)) {                         \
            thread_fatal(err_, what, file, line);       \
        }                                               \
    } while (0)

#define CHECK(call) CHECK_AT(call, __func__, __FILE__, __LINE__)

/* ---- Mutexes ---- */

void qemu_mutex_init(QemuMutex *mutex)
{
    CHECK(pthread_mutex_init(&mutex->lock, NULL));
    mutex->initialized = true;
}

void qemu_mutex_destroy(QemuMutex *mutex)
{
    assert(mutex->initialized);
    mutex->initialized = false;
    CHECK(pthread_mutex_destroy(&mutex->lock));
}

void qemu_mutex_lock_impl(QemuMutex *mutex, const char *file, int line)
{
    assert(mutex->initialized);
    CHECK_AT(pthread_mutex_lock(&mutex->lock), "qemu_mutex_lock", file, line);
}

int qemu_mutex_trylock_impl(QemuMutex *mutex, const char *file, int line)
{
    int err;

    assert(mutex->initialized);
    err = pthread_mutex_trylock(&mutex->lock);
    if (err == EBUSY) {
        return -EBUSY;
    }
    CHECK_AT(err, "qemu_mutex_trylock", file, line);
    return 0;
}

void qemu_mutex_unlock_impl(QemuMutex *mutex, const char *file, int line)
{
    assert(mutex->initialized);
    CHECK_AT(pthread_mutex_unlock(&mutex->lock), "qemu_mutex_unlock",
             file, line);
}

void qemu_rec_mutex_init(QemuRecMutex *mutex)
{
    pthread_mutexattr_t attr;

    CHECK(pthread_mutexattr_init(&attr));
    CHECK(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE));
    CHECK(pthread_mutex_init(&mutex->m.lock, &attr));
    CHECK(pthread_mutexattr_destroy(&attr));
    mutex->m.initialized = true;
}

void qemu_rec_mutex_destroy(QemuRecMutex *mutex)
{
    qemu_mutex_destroy(&mutex->m);
}

void qemu_rec_mutex_lock_impl(QemuRecMutex *mutex, const char *file, int line)
{
    qemu_mutex_lock_impl(&mutex->m, file, line);
}

void qemu_rec_mutex_unlock_impl(QemuRecMutex *mutex, const char *file,
                                int line)
{
    qemu_mutex_unlock_impl(&mutex->m, file, line);
}

/* ---- Condition variables ---- */

void qemu_cond_init(QemuCond *cond)
{
    pthread_condattr_t attr;

    CHECK(pthread_condattr_init(&attr));
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    CHECK(pthread_cond_init(&cond->cond, &attr));
    CHECK(pthread_condattr_destroy(&attr));
    cond->initialized = true;
}

void qemu_cond_destroy(QemuCond *cond)
{
    assert(cond->initialized);
    cond->initialized = false;
    CHECK(pthread_cond_destroy(&cond->cond));
}

void qemu_cond_signal(QemuCond *cond)
{
    assert(cond->initialized);
    CHECK(pthread_cond_signal(&cond->cond));
}

void qemu_cond_broadcast(QemuCond *cond)
{
    assert(cond->initialized);
    CHECK(pthread_cond_broadcast(&cond->cond));
}

void qemu_cond_wait_impl(QemuCond *cond, QemuMutex *mutex, const char *file,
                         int line)
{
    assert(cond->initialized);
    CHECK_AT(pthread_cond_wait(&cond->cond, &mutex->lock), "qemu_cond_wait",
             file, line);
}

bool qemu_cond_timedwait_impl(QemuCond *cond, QemuMutex *mutex, int ms,
                              const char *file, int line)
{
    struct timespec ts;
    int err;

    assert(cond->initialized);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += (ms % 1000) * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    err = pthread_cond_timedwait(&cond->cond, &mutex->lock, &ts);
    if (err == ETIMEDOUT) {
        return false;
    }
    CHECK_AT(err, "qemu_cond_timedwait", file, line);
    return true;
}

/* ---- Events ---- */

enum {
    EVENT_SET = 0,
    EVENT_CLEAR = 1,
    EVENT_AWAITED = 2,
};

#ifdef CONFIG_LINUX

void qemu_event_init(QemuEvent *ev, bool init)
{
    __atomic_store_n(&ev->value, init ? EVENT_SET : EVENT_CLEAR,
                     __ATOMIC_RELEASE);
    ev->initialized = true;
}

void qemu_event_destroy(QemuEvent *ev)
{
    assert(ev->initialized);
    ev->initialized = false;
}

void qemu_event_set(QemuEvent *ev)
{
    assert(ev->initialized);
    if (__atomic_exchange_n(&ev->value, EVENT_SET, __ATOMIC_SEQ_CST) ==
        EVENT_AWAITED) {
        qemu_futex_wake(&ev->value, INT_MAX);
    }
}

void qemu_event_reset(QemuEvent *ev)
{
    unsigned set = EVENT_SET;

    assert(ev->initialized);
    /* AWAITED stays: the sleepers need their wake-up. */
    __atomic_compare_exchange_n(&ev->value, &set, EVENT_CLEAR, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void qemu_event_wait(QemuEvent *ev)
{
    assert(ev->initialized);
    for (;;) {
        unsigned value = __atomic_load_n(&ev->value, __ATOMIC_ACQUIRE);

        if (value == EVENT_CLEAR &&
            __atomic_compare_exchange_n(&ev->value, &value, EVENT_AWAITED,
                                        false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_ACQUIRE)) {
            value = EVENT_AWAITED;
        }
        if (value == EVENT_SET) {
            return;
        }
        if (value == EVENT_AWAITED) {
            qemu_futex_wait(&ev->value, EVENT_AWAITED);
            /*
             * After a set and a reset the word says CLEAR; the event was set
             * meanwhile, which is what the caller waits for.
             */
            if (__atomic_load_n(&ev->value, __ATOMIC_ACQUIRE) !=
                EVENT_AWAITED) {
                return;
            }
        }
    }
}

#else

void qemu_event_init(QemuEvent *ev, bool init)
{
    CHECK(pthread_mutex_init(&ev->lock, NULL));
    CHECK(pthread_cond_init(&ev->cond, NULL));
    ev->value = init ? EVENT_SET : EVENT_CLEAR;
    ev->initialized = true;
}

void qemu_event_destroy(QemuEvent *ev)
{
    assert(ev->initialized);
    ev->initialized = false;
    CHECK(pthread_mutex_destroy(&ev->lock));
    CHECK(pthread_cond_destroy(&ev->cond));
}

void qemu_event_set(QemuEvent *ev)
{
    assert(ev->initialized);
    CHECK(pthread_mutex_lock(&ev->lock));
    ev->value = EVENT_SET;
    CHECK(pthread_cond_broadcast(&ev->cond));
    CHECK(pthread_mutex_unlock(&ev->lock));
}

void qemu_event_reset(QemuEvent *ev)
{
    assert(ev->initialized);
    CHECK(pthread_mutex_lock(&ev->lock));
    ev->value = EVENT_CLEAR;
    CHECK(pthread_mutex_unlock(&ev->lock));
}

void qemu_event_wait(QemuEvent *ev)
{
    assert(ev->initialized);
    CHECK(pthread_mutex_lock(&ev->lock));
    while (ev->value != EVENT_SET) {
        CHECK(pthread_cond_wait(&ev->cond, &ev->lock));
    }
    CHECK(pthread_mutex_unlock(&ev->lock));
}

#endif

/* ---- Threads ---- */

typedef struct ThreadStart {
    void *(*routine)(void *);
    void *arg;
    char *name;
} ThreadStart;

static void *thread_main(void *opaque)
{
    ThreadStart start = *(ThreadStart *)opaque;

    g_free(opaque);
    if (start.name) {
#ifdef CONFIG_LINUX
        char name[16];

        /* The kernel keeps 15 characters. */
        g_strlcpy(name, start.name, sizeof(name));
        pthread_setname_np(pthread_self(), name);
#endif
        g_free(start.name);
    }
    return start.routine(start.arg);
}

void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start_routine)(void *), void *arg, int mode)
{
    ThreadStart *start = g_new(ThreadStart, 1);
    sigset_t all, old;
    pthread_attr_t attr;

    *start = (ThreadStart) {
        .routine = start_routine,
        .arg = arg,
        .name = g_strdup(name),
    };
    CHECK(pthread_attr_init(&attr));
    if (mode == QEMU_THREAD_DETACHED) {
        CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
    }

    /* Signals are the main thread's; faults are everybody's own. */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    CHECK(pthread_create(&thread->thread, &attr, thread_main, start));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CHECK(pthread_attr_destroy(&attr));
}

void *qemu_thread_join(QemuThread *thread)
{
    void *ret;

    CHECK(pthread_join(thread->thread, &ret));
    return ret;
}

void qemu_thread_get_self(QemuThread *thread)
{
    thread->thread = pthread_self();
}

bool qemu_thread_is_self(QemuThread *thread)
{
    return pthread_equal(pthread_self(), thread->thread);
}

void qemu_thread_exit(void *retval)
{
    pthread_exit(retval);
}

int qemu_get_thread_id(void)
{
#ifdef CONFIG_LINUX
    return syscall(SYS_gettid);
#else
    return getpid();
#endif
}
