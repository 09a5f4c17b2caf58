/*
 * SPDX-License-Identifier: MIT
 *
 * Internal snapshots: the driver's, or those of the node that has all of the
 * data.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/snapshot.h"
#include "qapi/error.h"

/* The node that has all of @bs's data, or NULL if there is none such. */
static BlockDriverState *only_child(BlockDriverState *bs)
{
    BdrvChild *c = QLIST_FIRST(&bs->children);

    return c && !QLIST_NEXT(c, next) ? c->bs : NULL;
}

/* The node whose driver has snapshots: @bs or one below it. */
static BlockDriverState *snapshot_node(BlockDriverState *bs)
{
    while (bs && bs->drv && !bs->drv->bdrv_snapshot_list) {
        bs = bs->drv->is_filter ? bdrv_filter_bs(bs) : only_child(bs);
    }
    return bs && bs->drv ? bs : NULL;
}

int bdrv_snapshot_list(BlockDriverState *bs, QEMUSnapshotInfo **psn_info)
{
    BlockDriverState *node = snapshot_node(bs);

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    return node ? node->drv->bdrv_snapshot_list(node, psn_info) : -ENOTSUP;
}

bool bdrv_snapshot_find_by_id_and_name(BlockDriverState *bs, const char *id,
                                       const char *name,
                                       QEMUSnapshotInfo *sn_info, Error **errp)
{
    g_autofree QEMUSnapshotInfo *tab = NULL;
    int i, n;

    assert(id || name);
    n = bdrv_snapshot_list(bs, &tab);
    if (n < 0) {
        error_setg_errno(errp, -n, "Failed to get a snapshot list");
        return false;
    }
    for (i = 0; i < n; i++) {
        if ((!id || !strcmp(tab[i].id_str, id)) &&
            (!name || !strcmp(tab[i].name, name))) {
            *sn_info = tab[i];
            return true;
        }
    }
    return false;
}

int bdrv_snapshot_find(BlockDriverState *bs, QEMUSnapshotInfo *sn_info,
                       const char *name)
{
    return bdrv_snapshot_find_by_id_and_name(bs, NULL, name, sn_info, NULL)
           ? 0 : -ENOENT;
}

int bdrv_can_snapshot(BlockDriverState *bs)
{
    BlockDriverState *node = snapshot_node(bs);

    return node && bdrv_is_inserted(bs) && !bdrv_is_read_only(bs) &&
           node->drv->bdrv_snapshot_create;
}

int bdrv_snapshot_create(BlockDriverState *bs, QEMUSnapshotInfo *sn_info)
{
    BlockDriverState *node = snapshot_node(bs);

    return node && node->drv->bdrv_snapshot_create
           ? node->drv->bdrv_snapshot_create(node, sn_info) : -ENOTSUP;
}

int bdrv_snapshot_goto(BlockDriverState *bs, const char *snapshot_id,
                       Error **errp)
{
    BlockDriverState *node = snapshot_node(bs);
    int ret;

    if (!bs->drv) {
        error_setg(errp, "Block driver is closed");
        return -ENOMEDIUM;
    }
    /* Their bits would say nothing about the content any more. */
    if (bdrv_dirty_bitmap_first(bs)) {
        error_setg(errp, "Device has active dirty bitmaps");
        return -EBUSY;
    }
    if (!node || !node->drv->bdrv_snapshot_goto) {
        error_setg(errp, "Block driver does not support snapshots");
        return -ENOTSUP;
    }
    bdrv_drained_begin(bs);
    ret = node->drv->bdrv_snapshot_goto(node, snapshot_id);
    bdrv_drained_end(bs);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to load snapshot");
    }
    return ret;
}

int bdrv_snapshot_delete(BlockDriverState *bs, const char *snapshot_id,
                         const char *name, Error **errp)
{
    BlockDriverState *node = snapshot_node(bs);
    int ret;

    if (!node || !node->drv->bdrv_snapshot_delete) {
        error_setg(errp, "Block format '%s' used by device '%s' does not "
                   "support internal snapshot deletion",
                   bs->drv ? bs->drv->format_name : "",
                   bdrv_get_device_name(bs));
        return -ENOTSUP;
    }
    bdrv_drained_begin(bs);
    ret = node->drv->bdrv_snapshot_delete(node, snapshot_id, name, errp);
    bdrv_drained_end(bs);
    return ret;
}

int bdrv_snapshot_load_tmp(BlockDriverState *bs, const char *snapshot_id,
                           const char *name, Error **errp)
{
    BlockDriverState *node = snapshot_node(bs);

    if (!bs->drv) {
        error_setg(errp, "Block driver is closed");
        return -ENOMEDIUM;
    }
    if (!snapshot_id && !name) {
        error_setg(errp, "snapshot_id and name are both NULL");
        return -EINVAL;
    }
    if (!bdrv_is_read_only(bs)) {
        error_setg(errp, "Device is not readonly");
        return -EINVAL;
    }
    if (!node || !node->drv->bdrv_snapshot_load_tmp) {
        error_setg(errp, "Block format '%s' used by device '%s' does not "
                   "support temporarily loading internal snapshots",
                   bs->drv->format_name, bdrv_get_device_name(bs));
        return -ENOTSUP;
    }
    return node->drv->bdrv_snapshot_load_tmp(node, snapshot_id, name, errp);
}

int bdrv_snapshot_load_tmp_by_id_or_name(BlockDriverState *bs,
                                         const char *id_or_name,
                                         Error **errp)
{
    QEMUSnapshotInfo sn;
    bool is_id = bdrv_snapshot_find_by_id_and_name(bs, id_or_name, NULL, &sn,
                                                   NULL);

    return bdrv_snapshot_load_tmp(bs, is_id ? id_or_name : NULL,
                                  is_id ? NULL : id_or_name, errp);
}
