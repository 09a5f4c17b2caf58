/*
 * SPDX-License-Identifier: MIT
 *
 * Waiting for event loops: see block/aio-wait.h.
 *
 * Invariant: aio_waiters is raised before a waiter evaluates its condition, so
 * who changes what a condition depends on and then finds 0 was seen by the
 * evaluation.
 */
#include "qemu/osdep.h"
#include "block/aio-wait.h"
#include "qemu/main-loop.h"

/* Number of AIO_WAIT_WHILE() that are under way; atomic. */
static unsigned aio_waiters;

void aio_wait_begin(void)
{
    __atomic_fetch_add(&aio_waiters, 1, __ATOMIC_SEQ_CST);
}

void aio_wait_end(void)
{
    __atomic_fetch_sub(&aio_waiters, 1, __ATOMIC_SEQ_CST);
}

void aio_wait_once(AioContext *ctx)
{
    AioContext *main_ctx = qemu_get_aio_context();
    unsigned levels;

    if (ctx && in_aio_context_home_thread(ctx)) {
        aio_poll(ctx, true);
        return;
    }
    assert(in_aio_context_home_thread(main_ctx));
    levels = ctx ? aio_context_release_all(ctx) : 0;
    aio_poll(main_ctx, true);
    if (levels) {
        aio_context_acquire_levels(ctx, levels);
    }
}

void aio_wait_kick(void)
{
    /* The exchange orders what the caller wrote before the look. */
    if (__atomic_fetch_add(&aio_waiters, 0, __ATOMIC_SEQ_CST)) {
        aio_notify(qemu_get_aio_context());
    }
}

typedef struct AioWaitBH {
    QEMUBHFunc *cb;
    void *opaque;
    /* atomic */
    bool done;
} AioWaitBH;

static void aio_wait_bh(void *opaque)
{
    AioWaitBH *data = opaque;

    data->cb(data->opaque);
    /* *data is the waiter's again after this. */
    __atomic_store_n(&data->done, true, __ATOMIC_SEQ_CST);
    aio_wait_kick();
}

void aio_wait_bh_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque)
{
    AioWaitBH data = { .cb = cb, .opaque = opaque };

    aio_bh_schedule_oneshot(ctx, aio_wait_bh, &data);
    AIO_WAIT_WHILE(ctx, !__atomic_load_n(&data.done, __ATOMIC_SEQ_CST));
}
