/*
 * SPDX-License-Identifier: MIT
 *
 * A limited resource that coroutines share.
 *
 * First come, first served: what is given back goes to the first waiter, and
 * nobody overtakes one that needs more than is left just now.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/co-shared-resource.h"

typedef struct ShresWaiter {
    Coroutine *co;
    uint64_t n;
    QSIMPLEQ_ENTRY(ShresWaiter) next;
} ShresWaiter;

struct SharedResource {
    uint64_t total;             /* immutable */

    QemuMutex lock;
    /* under lock */
    uint64_t available;
    QSIMPLEQ_HEAD(, ShresWaiter) waiters;
};

SharedResource *shres_create(uint64_t total)
{
    SharedResource *s = g_new0(SharedResource, 1);

    s->total = s->available = total;
    qemu_mutex_init(&s->lock);
    QSIMPLEQ_INIT(&s->waiters);
    return s;
}

void shres_destroy(SharedResource *s)
{
    if (s) {
        assert(s->available == s->total);
        qemu_mutex_destroy(&s->lock);
        g_free(s);
    }
}

/* Called with the lock held. */
static bool shres_take(SharedResource *s, uint64_t n)
{
    assert(n <= s->total);
    if (!QSIMPLEQ_EMPTY(&s->waiters) || s->available < n) {
        return false;
    }
    s->available -= n;
    return true;
}

bool co_try_get_from_shres(SharedResource *s, uint64_t n)
{
    bool taken;

    qemu_mutex_lock(&s->lock);
    taken = shres_take(s, n);
    qemu_mutex_unlock(&s->lock);
    return taken;
}

void coroutine_fn co_get_from_shres(SharedResource *s, uint64_t n)
{
    ShresWaiter w = { .co = qemu_coroutine_self(), .n = n };

    qemu_mutex_lock(&s->lock);
    if (shres_take(s, n)) {
        qemu_mutex_unlock(&s->lock);
        return;
    }
    QSIMPLEQ_INSERT_TAIL(&s->waiters, &w, next);
    qemu_mutex_unlock(&s->lock);
    /* Who wakes us has taken our part. */
    qemu_coroutine_yield();
}

void coroutine_fn co_put_to_shres(SharedResource *s, uint64_t n)
{
    QSIMPLEQ_HEAD(, ShresWaiter) served = QSIMPLEQ_HEAD_INITIALIZER(served);
    ShresWaiter *w;

    qemu_mutex_lock(&s->lock);
    assert(n <= s->total - s->available);
    s->available += n;
    while ((w = QSIMPLEQ_FIRST(&s->waiters)) && w->n <= s->available) {
        s->available -= w->n;
        QSIMPLEQ_REMOVE_HEAD(&s->waiters, next);
        QSIMPLEQ_INSERT_TAIL(&served, w, next);
    }
    qemu_mutex_unlock(&s->lock);

    while ((w = QSIMPLEQ_FIRST(&served))) {
        QSIMPLEQ_REMOVE_HEAD(&served, next);
        aio_co_wake(w->co);
    }
}
