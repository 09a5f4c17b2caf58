/*
 * SPDX-License-Identifier: MIT
 *
 * Threads that run an event loop of their own.  What they are made of is the
 * program's: the programs make them as objects, unit tests in their own way.
 */
#ifndef SYSEMU_IOTHREAD_H
#define SYSEMU_IOTHREAD_H

#include "block/aio.h"

typedef struct IOThread IOThread;

/* Its event loop; no reference for the caller. */
AioContext *iothread_get_aio_context(IOThread *iothread);

/* Its object's ID; the caller frees it. */
char *iothread_get_id(IOThread *iothread);

/* The one with this ID, or NULL. */
IOThread *iothread_by_id(const char *id);

#endif /* SYSEMU_IOTHREAD_H */
