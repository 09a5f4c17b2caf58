/*
 * SPDX-License-Identifier: MIT
 *
 * Changes that happen wholly or not at all.  Each step changes something,
 * and adds to the transaction how to keep (commit) or undo (abort) it.
 * Steps are aborted in reverse order, committed and cleaned up likewise.
 */
#ifndef QEMU_TRANSACTIONS_H
#define QEMU_TRANSACTIONS_H

/* Each hook is optional; clean runs after all commits or aborts. */
typedef struct TransactionActionDrv {
    void (*abort)(void *opaque);
    void (*commit)(void *opaque);
    void (*clean)(void *opaque);
} TransactionActionDrv;

typedef struct Transaction Transaction;

Transaction *tran_new(void);
void tran_add(Transaction *tran, const TransactionActionDrv *drv, void *opaque);
/* Both free @tran. */
void tran_abort(Transaction *tran);
void tran_commit(Transaction *tran);

/* Abort if @ret < 0, else commit. */
static inline void tran_finalize(Transaction *tran, int ret)
{
    if (ret < 0) {
        tran_abort(tran);
    } else {
        tran_commit(tran);
    }
}

#endif
