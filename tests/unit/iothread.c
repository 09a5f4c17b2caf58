/*
 * SPDX-License-Identifier: MIT
 *
 * For unit tests: threads with an AioContext, and the program's own idea of
 * which context is the calling thread's.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "iothread.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

struct IOThread {
    AioContext *ctx;            /* immutable once running is set */
    QemuThread thread;
    QemuEvent running;
    bool stopping;              /* atomic */
};

static __thread IOThread *this_iothread;

AioContext *qemu_get_current_aio_context(void)
{
    return this_iothread ? this_iothread->ctx : qemu_get_aio_context();
}

static void *iothread_main(void *opaque)
{
    IOThread *iothread = opaque;

    rcu_register_thread();
    this_iothread = iothread;
    iothread->ctx = aio_context_new(&error_abort);
    qemu_event_set(&iothread->running);
    while (!atomic_read(&iothread->stopping)) {
        aio_poll(iothread->ctx, true);
    }
    rcu_unregister_thread();
    return NULL;
}

IOThread *iothread_new(void)
{
    IOThread *iothread = g_new0(IOThread, 1);

    qemu_event_init(&iothread->running, false);
    qemu_thread_create(&iothread->thread, "iothread", iothread_main, iothread,
                       QEMU_THREAD_JOINABLE);
    qemu_event_wait(&iothread->running);
    return iothread;
}

void iothread_join(IOThread *iothread)
{
    atomic_set(&iothread->stopping, true);
    aio_notify(iothread->ctx);
    qemu_thread_join(&iothread->thread);
    aio_context_unref(iothread->ctx);
    qemu_event_destroy(&iothread->running);
    g_free(iothread);
}

AioContext *iothread_get_aio_context(IOThread *iothread)
{
    return iothread->ctx;
}
