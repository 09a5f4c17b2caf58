/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: drive-backup and blockdev-backup.
 */
#include "qemu/osdep.h"
#include "blockdev-backup.h"
#include "block/block_int.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"

#define DEFAULT_WORKERS 64

/* sync=incremental is a name for a mode of sync=bitmap. */
static bool check_incremental(const BackupCommon *arg, Error **errp)
{
    if (arg->sync == MIRROR_SYNC_MODE_INCREMENTAL && arg->has_bitmap_mode &&
        arg->bitmap_mode != BITMAP_SYNC_MODE_ON_SUCCESS) {
        error_setg(errp, "Bitmap sync mode must be '%s' when using sync "
                   "mode '%s'",
                   BitmapSyncMode_str(BITMAP_SYNC_MODE_ON_SUCCESS),
                   MirrorSyncMode_str(arg->sync));
        return false;
    }
    return true;
}

/* Does the mode make sense for the bitmap that was given? */
static bool check_bitmap_mode(const BackupCommon *arg, BackupJobConfig *cfg,
                              Error **errp)
{
    if (arg->sync == MIRROR_SYNC_MODE_INCREMENTAL) {
        cfg->bitmap_mode = BITMAP_SYNC_MODE_ON_SUCCESS;
        return true;
    }
    if (!arg->has_bitmap_mode) {
        error_setg(errp, "Bitmap sync mode must be given when providing a "
                   "bitmap");
        return false;
    }
    cfg->bitmap_mode = arg->bitmap_mode;
    if (arg->sync == MIRROR_SYNC_MODE_NONE) {
        error_setg(errp, "sync mode '%s' does not produce meaningful bitmap "
                   "outputs", MirrorSyncMode_str(arg->sync));
        return false;
    }
    if (arg->sync != MIRROR_SYNC_MODE_BITMAP &&
        arg->bitmap_mode == BITMAP_SYNC_MODE_NEVER) {
        error_setg(errp, "Bitmap sync mode '%s' has no meaningful effect when "
                   "combined with sync mode '%s'",
                   BitmapSyncMode_str(arg->bitmap_mode),
                   MirrorSyncMode_str(arg->sync));
        return false;
    }
    return true;
}

static bool take_bitmap(const BackupCommon *arg, BackupJobConfig *cfg,
                        Error **errp)
{
    bool needed = arg->sync == MIRROR_SYNC_MODE_BITMAP ||
                  arg->sync == MIRROR_SYNC_MODE_INCREMENTAL;

    if (!arg->has_bitmap) {
        if (needed) {
            error_setg(errp, "must provide a valid bitmap name for '%s' sync "
                       "mode", MirrorSyncMode_str(arg->sync));
            return false;
        }
        if (arg->has_bitmap_mode) {
            error_setg(errp, "Cannot specify bitmap sync mode without a "
                       "bitmap");
            return false;
        }
        return true;
    }
    if (!check_incremental(arg, errp)) {
        return false;
    }
    cfg->sync_bitmap = bdrv_find_dirty_bitmap(cfg->bs, arg->bitmap);
    if (!cfg->sync_bitmap) {
        error_setg(errp, "Bitmap '%s' could not be found", arg->bitmap);
        return false;
    }
    if (!check_bitmap_mode(arg, cfg, errp)) {
        return false;
    }
    if (needed) {
        cfg->sync_mode = MIRROR_SYNC_MODE_BITMAP;
    }
    return bdrv_dirty_bitmap_check(cfg->sync_bitmap,
                                   cfg->bitmap_mode == BITMAP_SYNC_MODE_NEVER
                                   ? BDRV_BITMAP_ALLOW_RO
                                   : BDRV_BITMAP_DEFAULT, errp) == 0;
}

/* What both commands have in common, with the target open. */
static BlockJob *backup_common(const BackupCommon *arg, BackupJobConfig *cfg,
                               Error **errp)
{
    const BackupPerf *perf = arg->has_x_perf ? arg->x_perf : NULL;

    cfg->job_id = arg->has_job_id ? arg->job_id
                                  : bdrv_get_device_name(cfg->bs);
    cfg->speed = arg->has_speed ? arg->speed : 0;
    cfg->compress = arg->has_compress && arg->compress;
    cfg->use_copy_range = perf && perf->has_use_copy_range &&
                          perf->use_copy_range;
    cfg->max_workers = perf && perf->has_max_workers ? perf->max_workers
                                                     : DEFAULT_WORKERS;
    cfg->max_chunk = perf && perf->has_max_chunk ? perf->max_chunk : 0;
    cfg->on_source_error = arg->has_on_source_error
        ? arg->on_source_error : BLOCKDEV_ON_ERROR_REPORT;
    cfg->on_target_error = arg->has_on_target_error
        ? arg->on_target_error : BLOCKDEV_ON_ERROR_REPORT;
    cfg->filter_node_name = arg->has_filter_node_name
        ? arg->filter_node_name : NULL;
    if (arg->has_auto_finalize && !arg->auto_finalize) {
        cfg->creation_flags |= BLOCK_JOB_MANUAL_FINALIZE;
    }
    if (arg->has_auto_dismiss && !arg->auto_dismiss) {
        cfg->creation_flags |= BLOCK_JOB_MANUAL_DISMISS;
    }
    if (!take_bitmap(arg, cfg, errp) ||
        bdrv_try_change_aio_context(cfg->target,
                                    bdrv_get_aio_context(cfg->bs), NULL,
                                    errp) < 0) {
        return NULL;
    }
    return backup_job_create(cfg, errp);
}

/* The backing file for the target of @arg, and what is to be copied; both
 * depend on whether the source has one. */
static BlockDriverState *target_backing(const DriveBackup *arg,
                                        BackupJobConfig *cfg)
{
    BlockDriverState *backing = NULL;

    if (cfg->sync_mode == MIRROR_SYNC_MODE_TOP) {
        backing = bdrv_skip_filters(bdrv_cow_bs(bdrv_skip_filters(cfg->bs)));
        if (!backing) {
            cfg->sync_mode = MIRROR_SYNC_MODE_FULL;
        }
    } else if (cfg->sync_mode == MIRROR_SYNC_MODE_NONE) {
        backing = bdrv_skip_filters(cfg->bs);
    }
    return backing;
}

static bool create_target(const DriveBackup *arg, BackupJobConfig *cfg,
                          const char *format, BlockDriverState *backing,
                          Error **errp)
{
    int64_t size = bdrv_getlength(cfg->bs);
    int flags = cfg->bs->open_flags | BDRV_O_RDWR;
    Error *local_err = NULL;

    if (size < 0) {
        error_setg_errno(errp, -size, "bdrv_getlength failed");
        return false;
    }
    if (backing) {
        bdrv_refresh_filename(backing);
    }
    if (cfg->sync_mode == MIRROR_SYNC_MODE_NONE) {
        flags |= BDRV_O_NO_BACKING;     /* the disk itself, which is open */
    }
    bdrv_img_create(arg->target, format, backing ? backing->filename : NULL,
                    backing ? backing->drv->format_name : NULL, NULL, size,
                    flags, false, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    return true;
}

BlockJob *drive_backup_prepare(const DriveBackup *arg, BlockJobTxn *txn,
                               Error **errp)
{
    BackupJobConfig cfg = { .txn = txn, .sync_mode = arg->sync };
    bool existing = arg->has_mode && arg->mode == NEW_IMAGE_MODE_EXISTING;
    const char *format = arg->has_format ? arg->format : NULL;
    BlockDriverState *backing;
    QDict *options;
    BlockJob *job = NULL;
    int flags;

    cfg.bs = bdrv_lookup_bs(arg->device, arg->device, errp);
    if (!cfg.bs ||
        bdrv_op_is_blocked(cfg.bs, BLOCK_OP_TYPE_BACKUP_SOURCE, errp)) {
        return NULL;
    }
    if (!format && !existing) {
        format = bdrv_skip_filters(cfg.bs)->drv->format_name;
    }
    flags = cfg.bs->open_flags | BDRV_O_RDWR;
    backing = target_backing(arg, &cfg);
    if (!existing && !create_target(arg, &cfg, format, backing, errp)) {
        return NULL;
    }
    options = qdict_new();
    qdict_put_str(options, "discard", "unmap");
    qdict_put_str(options, "detect-zeroes", "unmap");
    if (format) {
        qdict_put_str(options, "driver", format);
    }
    if (cfg.sync_mode == MIRROR_SYNC_MODE_NONE && !existing) {
        /* The source itself, which is open already. */
        flags |= BDRV_O_NO_BACKING;
    }
    cfg.target = bdrv_open(arg->target, NULL, options, flags, errp);
    if (!cfg.target) {
        return NULL;
    }
    if (!(flags & BDRV_O_NO_BACKING) || existing ||
        bdrv_set_backing_hd_check(cfg.target, cfg.bs, errp) >= 0) {
        job = backup_common(qapi_DriveBackup_base((DriveBackup *)arg), &cfg,
                            errp);
    }
    bdrv_unref(cfg.target);
    return job;
}

BlockJob *blockdev_backup_prepare(const BlockdevBackup *arg, BlockJobTxn *txn,
                                  Error **errp)
{
    BackupJobConfig cfg = { .txn = txn, .sync_mode = arg->sync };

    cfg.bs = bdrv_lookup_bs(arg->device, arg->device, errp);
    if (!cfg.bs) {
        return NULL;
    }
    cfg.target = bdrv_lookup_bs(arg->target, arg->target, errp);
    if (!cfg.target) {
        return NULL;
    }
    return backup_common(qapi_BlockdevBackup_base((BlockdevBackup *)arg),
                         &cfg, errp);
}

/* Make the job of one of the commands and start it before @device's users go
 * on: one command is an action like those of a transaction. */
static void backup_and_start(const char *device, const BlockdevBackup *node,
                             const DriveBackup *drive, Error **errp)
{
    BlockDriverState *bs = bdrv_lookup_bs(device, device, errp);
    AioContext *ctx;
    BlockJob *job;

    if (!bs) {
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    bdrv_ref(bs);
    bdrv_drained_begin(bs);
    job = drive ? drive_backup_prepare(drive, NULL, errp)
                : blockdev_backup_prepare(node, NULL, errp);
    if (job) {
        block_job_start(job);
    }
    bdrv_drained_end(bs);
    bdrv_unref(bs);
    aio_context_release(ctx);
}

void qmp_blockdev_backup(BlockdevBackup *arg, Error **errp)
{
    backup_and_start(arg->device, arg, NULL, errp);
}

void qmp_drive_backup(DriveBackup *arg, Error **errp)
{
    backup_and_start(arg->device, NULL, arg, errp);
}
