/*
 * SPDX-License-Identifier: MIT
 *
 * Nodes as QAPI objects, and these as text for people.  Main thread.
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
int bdrv_query_snapshot_info_list(BlockDriverState *bs,
                                  SnapshotInfoList **p_list, Error **errp);
void bdrv_query_image_info(BlockDriverState *bs, ImageInfo **p_info,
                           Error **errp);
/* Printed with error_printf/monitor output or stdout: through qemu_printf. */
void bdrv_snapshot_dump(QEMUSnapshotInfo *sn);
void bdrv_image_info_specific_dump(ImageInfoSpecific *info_spec,
                                   const char *prefix);
void bdrv_image_info_dump(ImageInfo *info);
BlockStatsList *bdrv_query_blockstats(bool query_nodes, Error **errp);

#endif
