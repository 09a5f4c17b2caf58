/*
 * SPDX-License-Identifier: MIT
 *
 * One run of the command transaction, as its actions see it.  Main thread.
 */
#ifndef BLOCKDEV_TRANSACTION_H
#define BLOCKDEV_TRANSACTION_H

#include "block/blockjob.h"
#include "qapi/qapi-types-transaction.h"
#include "qemu/transactions.h"

typedef struct TransactionRun {
    Transaction *tran;          /* how to keep or undo what was done so far */
    BlockJobTxn *txn;           /* of grouped jobs, or NULL */
    GPtrArray *jobs;            /* to be started at the end */
    GPtrArray *resting;         /* nodes, references */
} TransactionRun;

/* Nobody uses @bs, whose AioContext is held, until the end of the run. */
void transaction_rest(TransactionRun *run, BlockDriverState *bs);

/* Do one action by itself. */
void transaction_single(TransactionAction *action, Error **errp);

/*
 * Snapshots.  False with @errp and nothing done, or true, and it is undone
 * if the run fails.
 */
bool blockdev_snapshot_prepare(TransactionRun *run, const BlockdevSnapshot *arg,
                               Error **errp);
bool blockdev_snapshot_sync_prepare(TransactionRun *run,
                                    const BlockdevSnapshotSync *arg,
                                    Error **errp);
bool blockdev_snapshot_internal_prepare(TransactionRun *run,
                                        const BlockdevSnapshotInternal *arg,
                                        Error **errp);

#endif
