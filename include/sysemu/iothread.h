/*
 * SPDX-License-Identifier: MIT
 *
 * Threads that run an event loop of their own.  What they are made of is the
 * program's: the programs make them as objects, unit tests in their own way.
 */
#ifndef SYSEMU_IOTHREAD_H
#define SYSEMU_IOTHREAD_H

#include "block/aio.h"
#include "qom/object.h"


/* Its event loop; no reference for the caller. */
AioContext *iothread_get_aio_context(IOThread *iothread);

/* Its object's ID; the caller frees it. */
char *iothread_get_id(IOThread *iothread);

/* The one with this ID, or NULL. */
IOThread *iothread_by_id(const char *id);

/* ---- Those that are objects ---- */

#define TYPE_IOTHREAD "iothread"
#define IOTHREAD_POLL_MAX_NS 32768

extern const TypeInfo iothread_info;

/*
 * A thread for the program's own use, which no user sees.  NULL with @errp.
 * iothread_destroy() stops it and waits for that.
 */
IOThread *iothread_create(const char *name, Error **errp);
void iothread_destroy(IOThread *iothread);

/*
 * A GMainContext that the thread runs, along with its AioContext, from now
 * on.  No reference for the caller.  Main thread.
 */
GMainContext *iothread_get_g_main_context(IOThread *iothread);

/* Settings and number of the thread. */
typedef struct IOThreadParams {
    int thread_id;
    int64_t poll_max_ns;
    int64_t poll_grow;
    int64_t poll_shrink;
    int64_t aio_max_batch;
} IOThreadParams;

void iothread_get_params(IOThread *iothread, IOThreadParams *params);

#endif /* SYSEMU_IOTHREAD_H */
