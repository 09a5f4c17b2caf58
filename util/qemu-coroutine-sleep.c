/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines that sleep, and limits on how long one runs.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/coroutine_int.h"
#include "qemu/timer.h"

void qemu_co_sleep_wake(QemuCoSleep *w)
{
    Coroutine *co = __atomic_exchange_n(&w->to_wake, NULL, __ATOMIC_ACQ_REL);

    if (co) {
        aio_co_wake(co);
    }
}

static void co_sleep_timer_cb(void *opaque)
{
    qemu_co_sleep_wake(opaque);
}

void coroutine_fn qemu_co_sleep(QemuCoSleep *w)
{
    __atomic_store_n(&w->to_wake, qemu_coroutine_self(), __ATOMIC_RELEASE);
    qemu_coroutine_yield();
    /* Only qemu_co_sleep_wake() may enter a sleeping coroutine. */
    assert(!__atomic_load_n(&w->to_wake, __ATOMIC_ACQUIRE));
}

void coroutine_fn qemu_co_sleep_ns_wakeable(QemuCoSleep *w,
                                            QEMUClockType type, int64_t ns)
{
    AioContext *ctx = qemu_get_current_aio_context();
    QEMUTimer timer;

    aio_timer_init(ctx, &timer, type, SCALE_NS, co_sleep_timer_cb, w);
    timer_mod(&timer, qemu_clock_get_ns(type) + ns);
    qemu_co_sleep(w);
    timer_del(&timer);
}

void coroutine_fn qemu_co_sleep_ns(QEMUClockType type, int64_t ns)
{
    QemuCoSleep w = { .to_wake = NULL };

    qemu_co_sleep_ns_wakeable(&w, type, ns);
}

/* ---- Limited run time ---- */

typedef struct CoTimeout {
    CoroutineEntry *entry;
    void *opaque;
    CleanupFunc *clean;
    QemuCoSleep sleep;
    bool done;
    /* the caller is gone: who comes last frees this */
    bool abandoned;
} CoTimeout;

static void coroutine_fn co_timeout_entry(void *opaque)
{
    CoTimeout *t = opaque;

    t->entry(t->opaque);
    t->done = true;
    if (!t->abandoned) {
        qemu_co_sleep_wake(&t->sleep);
        return;
    }
    if (t->clean) {
        t->clean(t->opaque);
    }
    g_free(t);
}

int coroutine_fn qemu_co_timeout(CoroutineEntry *entry, void *opaque,
                                 uint64_t timeout_ns, CleanupFunc *clean)
{
    CoTimeout *t;

    if (!timeout_ns) {
        entry(opaque);
        return 0;
    }
    t = g_new(CoTimeout, 1);
    *t = (CoTimeout) {
        .entry = entry,
        .opaque = opaque,
        .clean = clean,
    };
    /* It starts when we go to sleep. */
    aio_co_enter(qemu_get_current_aio_context(),
                 qemu_coroutine_create(co_timeout_entry, t));
    qemu_co_sleep_ns_wakeable(&t->sleep, QEMU_CLOCK_REALTIME,
                              MIN(timeout_ns, INT64_MAX / 2));
    if (!t->done) {
        t->abandoned = true;
        return -ETIMEDOUT;
    }
    g_free(t);
    return 0;
}
