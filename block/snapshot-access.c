/*
 * SPDX-License-Identifier: MIT
 *
 * snapshot-access: a node to read what the filter below it, such as
 * copy-before-write, keeps of the past of its disk.  What is discarded here is
 * not kept any longer.
 *
 * Its data are not those of its child: it is no filter, and it neither needs
 * nor withholds permissions, as those do not tell anything about the past.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

/* The node stays as long as it is now: the past does not grow. */
static int snapshot_access_open(BlockDriverState *bs, QDict *options,
                                int flags, Error **errp)
{
    int ret = bdrv_open_file_child(NULL, options, "file", bs, errp);

    if (ret < 0) {
        return ret;
    }
    /* It must know of a user that its permissions don't tell of. */
    ret = bdrv_refresh_perms(bs->file->bs, NULL, errp);
    if (ret < 0) {
        return ret;
    }
    bs->total_sectors = bdrv_nb_sectors(bs->file->bs);
    return MIN(bs->total_sectors, 0);
}

static void snapshot_access_child_perm(BlockDriverState *bs, BdrvChild *c,
                                       const BdrvChildRole *role,
                                       BlockReopenQueue *reopen_queue,
                                       uint64_t perm, uint64_t shared,
                                       uint64_t *nperm, uint64_t *nshared)
{
    *nperm = 0;
    *nshared = BLK_PERM_ALL;
}

static void snapshot_access_refresh_filename(BlockDriverState *bs)
{
    bdrv_set_string(&bs->exact_filename, bs->file->bs->filename);
}

static int coroutine_fn snapshot_access_preadv(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               QEMUIOVector *qiov,
                                               size_t qiov_offset,
                                               BdrvRequestFlags flags)
{
    return bdrv_co_preadv_snapshot(bs->file->bs, offset, bytes, qiov,
                                   qiov_offset);
}

static int coroutine_fn snapshot_access_block_status(BlockDriverState *bs,
        bool want_zero, int64_t offset, int64_t bytes, int64_t *pnum,
        int64_t *map, BlockDriverState **file)
{
    return bdrv_co_snapshot_block_status(bs->file->bs, offset, bytes, pnum);
}

static int coroutine_fn snapshot_access_pdiscard(BlockDriverState *bs,
                                                 int64_t offset, int64_t bytes)
{
    return bdrv_co_pdiscard_snapshot(bs->file->bs, offset, bytes);
}

BlockDriver bdrv_snapshot_access = {
    .format_name = "snapshot-access",
    .bdrv_open = snapshot_access_open,
    .bdrv_refresh_filename = snapshot_access_refresh_filename,
    .bdrv_child_perm = snapshot_access_child_perm,
    .bdrv_co_preadv_part = snapshot_access_preadv,
    .bdrv_co_block_status = snapshot_access_block_status,
    .bdrv_co_pdiscard = snapshot_access_pdiscard,
};
