/*
 * SPDX-License-Identifier: MIT
 *
 * The main thread's event loop: GLib's default GMainContext, with the main
 * AioContext as one of its sources.
 */
#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

#include "block/aio.h"

/*
 * Creates clocks, signal handling and the main AioContext, and attaches it to
 * the default GMainContext.  The calling thread becomes the main thread.
 * 0, or -errno and @errp.  Later calls do nothing.
 */
int qemu_init_main_loop(Error **errp);

/* One iteration; waits for something to happen unless @nonblocking. */
void main_loop_wait(int nonblocking);

/* The main AioContext, NULL before qemu_init_main_loop(). */
AioContext *qemu_get_aio_context(void);

/* Wakes the main loop from any thread. */
void qemu_notify_event(void);

/* True in the main thread. */
bool qemu_in_main_thread(void);

/* A BH of the main AioContext. */
QEMUBH *qemu_bh_new(QEMUBHFunc *cb, void *opaque);

/* aio_set_fd_handler() in the main AioContext. */
void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque);

/*
 * Calls @handler(@opaque) from the main loop after the signal @signum came.
 * Replaces what was set for it; @handler NULL restores the default action.
 * Main thread.
 */
void qemu_set_signal_handler(int signum, IOHandler *handler, void *opaque);
/* The process that sent @signum when it came last; 0: it was none. */
pid_t qemu_signal_sender(int signum);

/*
 * Where a function may run.  GLOBAL_STATE_CODE: main thread only.  IO_CODE:
 * the home thread of the AioContext it works on, or under its lock.
 * IO_OR_GS_CODE: either.
 */
#define GLOBAL_STATE_CODE() assert(qemu_in_main_thread())
#define IO_CODE() do { } while (0)
#define IO_OR_GS_CODE() do { } while (0)

#endif /* QEMU_MAIN_LOOP_H */
