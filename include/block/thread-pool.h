/*
 * SPDX-License-Identifier: MIT
 *
 * Blocking functions in worker threads, with their results brought back into
 * an event loop.
 */
#ifndef QEMU_THREAD_POOL_H
#define QEMU_THREAD_POOL_H

#include "block/aio.h"
#include "qemu/coroutine.h"

typedef int ThreadPoolFunc(void *opaque);
typedef struct ThreadPool ThreadPool;

/* A pool whose results arrive in @ctx; see aio_get_thread_pool(). */
ThreadPool *thread_pool_new(AioContext *ctx);

/* Waits for the workers.  Nothing may be queued or running; NULL is fine. */
void thread_pool_free(ThreadPool *pool);

/* Limits: see aio_context_set_thread_pool_params(). */
void thread_pool_set_limits(ThreadPool *pool, int min, int max);

/*
 * Runs @func(@arg) in a worker, then @cb(@opaque, its value) in the pool's
 * context, not before the next poll.  An item that has not started can be
 * cancelled through the control block: it ends with -ECANCELED.  Home thread
 * of the pool's context.
 */
BlockAIOCB *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                   void *arg, BlockCompletionFunc *cb,
                                   void *opaque);

/* The same, yielding the caller; the value of @func. */
int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg);

/* The same, and nobody wants to know. */
void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg);

#endif /* QEMU_THREAD_POOL_H */
