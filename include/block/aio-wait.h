/*
 * SPDX-License-Identifier: MIT
 *
 * Waiting, outside coroutines, for something that an event loop brings about.
 */
#ifndef QEMU_AIO_WAIT_H
#define QEMU_AIO_WAIT_H

#include "block/aio.h"
#include "qemu/main-loop.h"

/* Parts of AIO_WAIT_WHILE(). */
void aio_wait_begin(void);
void aio_wait_once(AioContext *ctx);
void aio_wait_end(void);

/*
 * Runs event loops while @cond holds; true if it had to.
 *
 * In the home thread of @ctx: polls @ctx.  Else the caller is the main thread,
 * polls the main loop, and all levels of @ctx's lock that it holds are
 * released meanwhile; who makes @cond false calls aio_wait_kick().  @ctx may
 * be NULL: the main loop's.
 *
 * @cond is evaluated with the same locks held as on entry.  It may be changed
 * by other threads: atomically then.
 */
#define AIO_WAIT_WHILE(ctx, cond) ({                    \
    bool aio_waited_ = false;                           \
    AioContext *aio_wait_ctx_ = (ctx);                  \
    aio_wait_begin();                                   \
    while ((cond)) {                                    \
        aio_wait_once(aio_wait_ctx_);                   \
        aio_waited_ = true;                             \
    }                                                   \
    aio_wait_end();                                     \
    aio_waited_; })

/*
 * Makes a thread in AIO_WAIT_WHILE() look at its condition again.  Any thread;
 * costs next to nothing while nobody waits.
 */
void aio_wait_kick(void);

/*
 * Runs @cb(@opaque) in @ctx's home thread and waits for its end.  Main thread,
 * or @ctx's home thread.
 */
void aio_wait_bh_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque);

#endif /* QEMU_AIO_WAIT_H */
