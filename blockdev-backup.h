/*
 * SPDX-License-Identifier: MIT
 *
 * Backups, for commands and transactions: jobs that were not started yet.
 */
#ifndef BLOCKDEV_BACKUP_H
#define BLOCKDEV_BACKUP_H

#include "block/blockjob.h"
#include "qapi/qapi-types-block-core.h"

/* Main thread; the AioContext of the source is held. NULL with @errp. */
BlockJob *blockdev_backup_prepare(const BlockdevBackup *arg, BlockJobTxn *txn,
                                  Error **errp);
BlockJob *drive_backup_prepare(const DriveBackup *arg, BlockJobTxn *txn,
                               Error **errp);

#endif
