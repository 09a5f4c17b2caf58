/*
 * SPDX-License-Identifier: MIT
 *
 * Internal snapshots of a node.
 */
#ifndef BLOCK_SNAPSHOT_H
#define BLOCK_SNAPSHOT_H

#include "block/block.h"

#define SNAPSHOT_OPT_ID   "snapshot.id"
#define SNAPSHOT_OPT_NAME "snapshot.name"

typedef struct QEMUSnapshotInfo {
    char id_str[128];           /* unique */
    char name[256];             /* chosen by the user */
    uint64_t vm_state_size;     /* bytes */
    uint32_t date_sec;          /* UTC */
    uint32_t date_nsec;
    uint64_t vm_clock_nsec;     /* guest time since boot */
    uint64_t icount;            /* -1ULL: none */
} QEMUSnapshotInfo;

int bdrv_snapshot_find(BlockDriverState *bs, QEMUSnapshotInfo *sn_info,
                       const char *name);
bool bdrv_snapshot_find_by_id_and_name(BlockDriverState *bs, const char *id,
                                       const char *name,
                                       QEMUSnapshotInfo *sn_info, Error **errp);
int bdrv_can_snapshot(BlockDriverState *bs);
int bdrv_snapshot_create(BlockDriverState *bs, QEMUSnapshotInfo *sn_info);
int bdrv_snapshot_goto(BlockDriverState *bs, const char *snapshot_id,
                       Error **errp);
int bdrv_snapshot_delete(BlockDriverState *bs, const char *snapshot_id,
                         const char *name, Error **errp);
/* Number of snapshots, *psn_info g_free()d by the caller; or -errno. */
int bdrv_snapshot_list(BlockDriverState *bs, QEMUSnapshotInfo **psn_info);
/*
 * Let a read-only node show a snapshot until it is closed; it has the size that
 * the disk had then.  @snapshot_id or @name may be NULL.
 */
int bdrv_snapshot_load_tmp(BlockDriverState *bs, const char *snapshot_id,
                           const char *name, Error **errp);
/* The snapshot with this ID, or else with this name. */
int bdrv_snapshot_load_tmp_by_id_or_name(BlockDriverState *bs,
                                         const char *id_or_name,
                                         Error **errp);

#endif
