/*
 * SPDX-License-Identifier: MIT
 *
 * Nodes, images and statistics as QAPI objects.  Main thread.
 */
#ifndef BLOCK_QAPI_H
#define BLOCK_QAPI_H

#include "block/block.h"
#include "block/snapshot.h"
#include "qapi/qapi-types-block-core.h"

BlockDeviceInfo *bdrv_block_device_info(BlockBackend *blk,
                                        BlockDriverState *bs, bool flat,
                                        Error **errp);
BlockDeviceInfoList *bdrv_named_nodes_list(bool flat, Error **errp);
SnapshotInfo *bdrv_snapshot_info(const QEMUSnapshotInfo *sn);
/* A line of a table for people, or its head if @sn is NULL; g_free(). */
char *bdrv_snapshot_row(const QEMUSnapshotInfo *sn);
int bdrv_query_snapshot_info_list(BlockDriverState *bs,
                                  SnapshotInfoList **p_list, Error **errp);
void bdrv_query_image_info(BlockDriverState *bs, ImageInfo **p_info,
                           Error **errp);
/* To stdout, under a heading; nothing if there is nothing to tell. */
void bdrv_image_info_specific_dump(ImageInfoSpecific *specific);

/* All of @info, as text for people; the caller frees it. */
char *bdrv_image_info_text(ImageInfo *info);

#endif
