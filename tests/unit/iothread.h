/*
 * SPDX-License-Identifier: MIT
 *
 * For unit tests: a thread that runs an AioContext until it is joined.
 */
#ifndef TESTS_UNIT_IOTHREAD_H
#define TESTS_UNIT_IOTHREAD_H

#include "block/aio.h"
#include "qemu/thread.h"

typedef struct IOThread IOThread;

/* Returns once the context exists. */
IOThread *iothread_new(void);
/* Lets the thread end and drops the context. */
void iothread_join(IOThread *iothread);
AioContext *iothread_get_aio_context(IOThread *iothread);

#endif /* TESTS_UNIT_IOTHREAD_H */
