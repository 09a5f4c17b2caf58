/*
 * SPDX-License-Identifier: MIT
 *
 * The coroutine object, and the interface between what all hosts share
 * (qemu-coroutine.c), the management of stacks (coroutine-stack.c) and the
 * switch between two stacks (coroutine-switch-*.c).
 *
 * Invariants
 *   1. An object whose coroutine has ended belongs to the pool; nothing reads
 *      or writes it until the pool hands it out again.
 *   2. caller is set exactly from enter to yield or end.  Who entered clears
 *      it, as the last access: from then on another thread may enter it.
 *   3. scheduled names who called aio_co_schedule() and is set until the
 *      coroutine is taken off its context's list.
 */
#ifndef QEMU_COROUTINE_INT_H
#define QEMU_COROUTINE_INT_H

#include "qemu/queue.h"
#include "qemu/coroutine.h"

/* Why a coroutine gave control back. */
typedef enum {
    COROUTINE_YIELD = 1,
    COROUTINE_TERMINATE = 2,
    COROUTINE_ENTER = 3,
} CoroutineAction;

typedef struct CoroutineList CoroutineList;
QSIMPLEQ_HEAD(CoroutineList, Coroutine);

struct Coroutine {
    /* set by qemu_coroutine_create() */
    CoroutineEntry *entry;
    void *entry_arg;

    /* who entered it; atomic */
    Coroutine *caller;

    /* kept for users that copy the object; the pool is an array */
    Coroutine *pool_next;

    /* number of CoMutexes it holds */
    size_t locks_held;

    /* where it was entered last; atomic */
    AioContext *ctx;

    /* name of the function that scheduled it, or NULL; atomic */
    const char *scheduled;

    /* link in a CoQueue or in co_queue_wakeup of another coroutine */
    QSIMPLEQ_ENTRY(Coroutine) co_queue_next;

    /* who runs when this one yields or ends */
    CoroutineList co_queue_wakeup;

    /* link in AioContext.co_incoming */
    Coroutine *co_scheduled_next;
};

/* A coroutine with a stack, not started; aborts when there is no memory. */
Coroutine *qemu_coroutine_new(void);
/* The reverse; @co is not running. */
void qemu_coroutine_delete(Coroutine *co);
/*
 * Switches from @from, the caller's, to @to.  @action is what the other side's
 * pending call returns; so is the result.  With COROUTINE_TERMINATE @from
 * never continues.
 */
CoroutineAction qemu_coroutine_switch(Coroutine *from, Coroutine *to,
                                      CoroutineAction action);

#endif /* QEMU_COROUTINE_INT_H */
