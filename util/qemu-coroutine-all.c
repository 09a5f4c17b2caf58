/*
 * SPDX-License-Identifier: MIT
 *
 * A function that runs on several things at once.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/coroutine.h"

typedef struct RunAll {
    CoroutineEntry *fn;
    Coroutine *waiter;          /* NULL unless it waits */
    int running;
} RunAll;

typedef struct RunOne {
    RunAll *all;
    void *arg;
} RunOne;

static void coroutine_fn run_one(void *opaque)
{
    RunOne one = *(RunOne *)opaque;

    one.all->fn(one.arg);
    if (--one.all->running == 0 && one.all->waiter) {
        aio_co_wake(one.all->waiter);
    }
}

void coroutine_fn qemu_co_run_all(CoroutineEntry *fn, void *args, size_t size,
                                  int n)
{
    RunAll all = { .fn = fn, .running = n };
    int i;

    for (i = 0; i < n; i++) {
        RunOne one = { &all, (char *)args + i * size };

        qemu_coroutine_enter(qemu_coroutine_create(run_one, &one));
    }
    if (all.running > 0) {
        all.waiter = qemu_coroutine_self();
        qemu_coroutine_yield();
        assert(all.running == 0);
    }
}
