/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: drive-mirror and blockdev-mirror.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"

#define MIN_GRANULARITY 512
#define MAX_GRANULARITY (64 * MiB)

/* May the mirror take the place of node @name?  NULL is fine: the source. */
static bool check_replaces(BlockDriverState *bs, const char *name,
                           Error **errp)
{
    BlockDriverState *old;

    if (!name) {
        return true;
    }
    old = check_to_replace_node(bs, name, errp);
    if (!old) {
        return false;
    }
    if (bdrv_getlength(old) != bdrv_getlength(bs)) {
        error_setg(errp, "cannot replace image with a mirror image of "
                   "different size");
        return false;
    }
    return true;
}

static bool check_granularity(uint32_t granularity, Error **errp)
{
    if (granularity &&
        (granularity < MIN_GRANULARITY || granularity > MAX_GRANULARITY)) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "granularity",
                   "a value in range [512B, 64MB]");
        return false;
    }
    if (granularity & (granularity - 1)) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "granularity",
                   "a power of 2");
        return false;
    }
    return true;
}

/* The bitmap of @cfg's source that @name means, if any. */
static bool take_bitmap(MirrorJobConfig *cfg, const char *name,
                        bool has_mode, Error **errp)
{
    if (!name) {
        if (has_mode) {
            error_setg(errp, "Cannot specify bitmap sync mode without a "
                       "bitmap");
            return false;
        }
        return true;
    }
    if (cfg->sync_mode != MIRROR_SYNC_MODE_INCREMENTAL &&
        cfg->sync_mode != MIRROR_SYNC_MODE_BITMAP) {
        error_setg(errp, "sync mode '%s' does not take a bitmap",
                   MirrorSyncMode_str(cfg->sync_mode));
        return false;
    }
    if (cfg->sync_mode == MIRROR_SYNC_MODE_BITMAP && !has_mode) {
        error_setg(errp, "Bitmap sync mode must be given when providing a "
                   "bitmap");
        return false;
    }
    if (cfg->sync_mode == MIRROR_SYNC_MODE_INCREMENTAL) {
        if (has_mode && cfg->bitmap_mode != BITMAP_SYNC_MODE_ON_SUCCESS) {
            error_setg(errp, "Bitmap sync mode must be '%s' when using sync "
                       "mode '%s'",
                       BitmapSyncMode_str(BITMAP_SYNC_MODE_ON_SUCCESS),
                       MirrorSyncMode_str(cfg->sync_mode));
            return false;
        }
        cfg->bitmap_mode = BITMAP_SYNC_MODE_ON_SUCCESS;
    }
    cfg->sync_bitmap = bdrv_find_dirty_bitmap(cfg->bs, name);
    if (!cfg->sync_bitmap) {
        error_setg(errp, "Bitmap '%s' could not be found", name);
        return false;
    }
    return bdrv_dirty_bitmap_check(cfg->sync_bitmap,
                                   cfg->bitmap_mode == BITMAP_SYNC_MODE_NEVER
                                   ? BDRV_BITMAP_ALLOW_RO
                                   : BDRV_BITMAP_DEFAULT, errp) == 0;
}

/* Checks that both commands share, then the start. */
static void mirror_common(MirrorJobConfig *cfg, bool auto_finalize,
                          bool auto_dismiss, Error **errp)
{
    BlockDriverState *unfiltered = bdrv_skip_implicit_filters(cfg->bs);

    if (!check_granularity(cfg->granularity, errp) ||
        bdrv_op_is_blocked(cfg->bs, BLOCK_OP_TYPE_MIRROR_SOURCE, errp) ||
        bdrv_op_is_blocked(cfg->target, BLOCK_OP_TYPE_MIRROR_TARGET, errp)) {
        return;
    }
    if (cfg->sync_mode == MIRROR_SYNC_MODE_TOP &&
        !bdrv_backing_chain_next(cfg->bs)) {
        cfg->sync_mode = MIRROR_SYNC_MODE_FULL;
    }
    if (!check_replaces(cfg->bs, cfg->replaces, errp)) {
        return;
    }
    if (!cfg->replaces && unfiltered != cfg->bs) {
        /* Filters that other jobs made must not go with the source. */
        cfg->replaces = unfiltered->node_name;
    }
    if (!auto_finalize) {
        cfg->creation_flags |= BLOCK_JOB_MANUAL_FINALIZE;
    }
    if (!auto_dismiss) {
        cfg->creation_flags |= BLOCK_JOB_MANUAL_DISMISS;
    }
    mirror_start_job(cfg, errp);
}

void qmp_blockdev_mirror(BlockdevMirror *arg, Error **errp)
{
    MirrorJobConfig cfg = {
        .job_id = arg->has_job_id ? arg->job_id : NULL,
        .replaces = arg->has_replaces ? arg->replaces : NULL,
        .sync_mode = arg->sync,
        .backing_mode = MIRROR_LEAVE_BACKING_CHAIN,
        .speed = arg->has_speed ? arg->speed : 0,
        .granularity = arg->has_granularity ? arg->granularity : 0,
        .buf_size = arg->has_buf_size ? arg->buf_size : 0,
        .on_source_error = arg->has_on_source_error
            ? arg->on_source_error : BLOCKDEV_ON_ERROR_REPORT,
        .on_target_error = arg->has_on_target_error
            ? arg->on_target_error : BLOCKDEV_ON_ERROR_REPORT,
        .unmap = true,
        .filter_node_name = arg->has_filter_node_name
            ? arg->filter_node_name : NULL,
        .copy_mode = arg->has_copy_mode
            ? arg->copy_mode : MIRROR_COPY_MODE_BACKGROUND,
        .bitmap_mode = arg->bitmap_mode,
    };
    AioContext *ctx;

    cfg.bs = qmp_get_root_bs(arg->device, errp);
    if (!cfg.bs) {
        return;
    }
    cfg.target = bdrv_lookup_bs(arg->target, arg->target, errp);
    if (!cfg.target) {
        return;
    }
    ctx = bdrv_get_aio_context(cfg.bs);
    aio_context_acquire(ctx);
    if (take_bitmap(&cfg, arg->has_bitmap ? arg->bitmap : NULL,
                    arg->has_bitmap_mode, errp)) {
        mirror_common(&cfg, !arg->has_auto_finalize || arg->auto_finalize,
                      !arg->has_auto_dismiss || arg->auto_dismiss, errp);
    }
    aio_context_release(ctx);
}

/* Create drive-mirror's target unless it exists. */
static bool create_target(const DriveMirror *arg, BlockDriverState *bs,
                          MirrorSyncMode sync, const char *format,
                          BlockDriverState *backing, Error **errp)
{
    int64_t size = bdrv_getlength(bs);
    int flags = bs->open_flags | BDRV_O_RDWR | BDRV_O_NO_BACKING;
    Error *local_err = NULL;

    if (size < 0) {
        error_setg_errno(errp, -size, "bdrv_getlength failed");
        return false;
    }
    if (arg->has_mode && arg->mode == NEW_IMAGE_MODE_EXISTING) {
        return true;
    }
    if (sync == MIRROR_SYNC_MODE_FULL || !backing) {
        bdrv_img_create(arg->target, format, NULL, NULL, NULL, size, flags,
                        false, &local_err);
    } else {
        backing = bdrv_skip_filters(backing);
        bdrv_refresh_filename(backing);
        bdrv_img_create(arg->target, format, backing->filename,
                        backing->drv->format_name, NULL, size, flags, false,
                        &local_err);
    }
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    return true;
}

static BlockDriverState *open_target(const DriveMirror *arg,
                                     BlockDriverState *bs, const char *format,
                                     Error **errp)
{
    QDict *options = qdict_new();

    if (arg->has_node_name) {
        qdict_put_str(options, "node-name", arg->node_name);
    }
    if (format) {
        qdict_put_str(options, "driver", format);
    }
    /* The source's backing file serves until the job completes. */
    return bdrv_open(arg->target, NULL, options,
                     bs->open_flags | BDRV_O_RDWR | BDRV_O_NO_BACKING, errp);
}

static void drive_mirror(const DriveMirror *arg, MirrorJobConfig *cfg,
                         Error **errp)
{
    BlockDriverState *bs = cfg->bs;
    BlockDriverState *backing;
    const char *format = arg->has_format ? arg->format : NULL;
    bool existing = arg->has_mode && arg->mode == NEW_IMAGE_MODE_EXISTING;

    if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_MIRROR_SOURCE, errp) ||
        !check_granularity(cfg->granularity, errp) ||
        !take_bitmap(cfg, arg->has_bitmap ? arg->bitmap : NULL,
                     arg->has_bitmap_mode, errp)) {
        return;
    }
    if (!format && !existing) {
        format = bdrv_skip_filters(bs)->drv->format_name;
    }
    backing = bdrv_cow_bs(bdrv_skip_filters(bs));
    if (!backing && cfg->sync_mode == MIRROR_SYNC_MODE_TOP) {
        cfg->sync_mode = MIRROR_SYNC_MODE_FULL;
    }
    if (cfg->sync_mode == MIRROR_SYNC_MODE_NONE) {
        backing = bs;
    }
    if (cfg->replaces) {
        if (!arg->has_node_name) {
            error_setg(errp, "a node-name must be provided when replacing a "
                       "named node of the graph");
            return;
        }
        if (!check_replaces(bs, cfg->replaces, errp)) {
            return;
        }
    }
    cfg->backing_mode = existing ? MIRROR_OPEN_BACKING_CHAIN
                                 : MIRROR_SOURCE_BACKING_CHAIN;
    if (!create_target(arg, bs, cfg->sync_mode, format, backing, errp)) {
        return;
    }
    cfg->target = open_target(arg, bs, format, errp);
    if (!cfg->target) {
        return;
    }
    mirror_common(cfg, !arg->has_auto_finalize || arg->auto_finalize,
                  !arg->has_auto_dismiss || arg->auto_dismiss, errp);
    bdrv_unref(cfg->target);
}

void qmp_drive_mirror(DriveMirror *arg, Error **errp)
{
    MirrorJobConfig cfg = {
        .job_id = arg->has_job_id ? arg->job_id : NULL,
        .replaces = arg->has_replaces ? arg->replaces : NULL,
        .sync_mode = arg->sync,
        .speed = arg->has_speed ? arg->speed : 0,
        .granularity = arg->has_granularity ? arg->granularity : 0,
        .buf_size = arg->has_buf_size ? arg->buf_size : 0,
        .on_source_error = arg->has_on_source_error
            ? arg->on_source_error : BLOCKDEV_ON_ERROR_REPORT,
        .on_target_error = arg->has_on_target_error
            ? arg->on_target_error : BLOCKDEV_ON_ERROR_REPORT,
        .unmap = !arg->has_unmap || arg->unmap,
        .copy_mode = arg->has_copy_mode
            ? arg->copy_mode : MIRROR_COPY_MODE_BACKGROUND,
        .bitmap_mode = arg->bitmap_mode,
    };
    AioContext *ctx;

    cfg.bs = qmp_get_root_bs(arg->device, errp);
    if (!cfg.bs) {
        return;
    }
    ctx = bdrv_get_aio_context(cfg.bs);
    aio_context_acquire(ctx);
    drive_mirror(arg, &cfg, errp);
    aio_context_release(ctx);
}
