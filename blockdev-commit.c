/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: block-commit.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "sysemu/blockdev.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qerror.h"

/* The chain's root.  Clients find out about missing devices by the class of
 * the error. */
static BlockDriverState *find_chain(const char *device, Error **errp)
{
    Error *local_err = NULL;
    BlockDriverState *bs = qmp_get_root_bs(device, &local_err);

    if (!bs && !bdrv_lookup_bs(device, device, NULL) &&
        !blk_by_name(device)) {
        error_free(local_err);
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  device);
    } else if (!bs) {
        error_propagate(errp, local_err);
    }
    return bs;
}

static bool find_top(const BlockCommit *arg, CommitJobConfig *cfg,
                     Error **errp)
{
    cfg->top = cfg->bs;
    if (arg->has_top_node && arg->has_top) {
        error_setg(errp, "'top-node' and 'top' are mutually exclusive");
        return false;
    }
    if (arg->has_top_node) {
        cfg->top = bdrv_lookup_bs(NULL, arg->top_node, errp);
        if (cfg->top && !bdrv_chain_contains(cfg->bs, cfg->top)) {
            error_setg(errp, "'%s' is not in this backing file chain",
                       arg->top_node);
            return false;
        }
    } else if (arg->has_top) {
        /* Names of the active image are fine, too. */
        bdrv_refresh_filename(cfg->bs);
        if (strcmp(cfg->bs->filename, arg->top)) {
            cfg->top = bdrv_find_backing_image(cfg->bs, arg->top);
        }
        if (!cfg->top) {
            error_setg(errp, "Top image file %s not found", arg->top);
        }
    }
    return cfg->top;
}

static bool find_base(const BlockCommit *arg, CommitJobConfig *cfg,
                      Error **errp)
{
    if (arg->has_base_node && arg->has_base) {
        error_setg(errp, "'base-node' and 'base' are mutually exclusive");
        return false;
    }
    if (arg->has_base_node) {
        cfg->base = bdrv_lookup_bs(NULL, arg->base_node, errp);
        if (!cfg->base) {
            return false;
        }
        if (!bdrv_chain_contains(cfg->top, cfg->base)) {
            error_setg(errp, "'%s' is not in this backing file chain",
                       arg->base_node);
            return false;
        }
    } else if (arg->has_base) {
        cfg->base = bdrv_find_backing_image(cfg->top, arg->base);
        if (!cfg->base) {
            error_setg(errp, "Can't find '%s' in the backing chain",
                       arg->base);
            return false;
        }
    } else {
        cfg->base = bdrv_find_base(cfg->top);
    }
    return true;
}

static bool chain_is_blocked(const CommitJobConfig *cfg, Error **errp)
{
    BlockDriverState *bs, *end = bdrv_filter_or_cow_bs(cfg->base);

    for (bs = cfg->top; bs && bs != end; bs = bdrv_filter_or_cow_bs(bs)) {
        if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_COMMIT_TARGET, errp)) {
            return true;
        }
    }
    return false;
}

static void block_commit(const BlockCommit *arg, CommitJobConfig *cfg,
                         Error **errp)
{
    BlockDriverState *overlay;

    if (bdrv_op_is_blocked(cfg->bs, BLOCK_OP_TYPE_COMMIT_SOURCE, errp) ||
        !find_top(arg, cfg, errp) || !find_base(arg, cfg, errp) ||
        chain_is_blocked(cfg, errp)) {
        return;
    }
    if (cfg->top == cfg->base) {
        error_setg(errp, "cannot commit an image into itself");
        return;
    }
    if (!cfg->job_id) {
        cfg->job_id = bdrv_get_device_name(cfg->bs);
    }
    if (bdrv_skip_filters(cfg->top) == bdrv_skip_filters(cfg->bs)) {
        if (cfg->backing_file_str) {
            error_setg(errp, "'backing-file' specified, but 'top' is the "
                       "active layer");
            return;
        }
        commit_active_start_job(cfg, errp);
        return;
    }
    overlay = bdrv_find_overlay(cfg->bs, cfg->top);
    if (overlay &&
        bdrv_op_is_blocked(overlay, BLOCK_OP_TYPE_COMMIT_TARGET, errp)) {
        return;
    }
    commit_start_job(cfg, errp);
}

void qmp_block_commit(BlockCommit *arg, Error **errp)
{
    CommitJobConfig cfg = {
        .job_id = arg->has_job_id ? arg->job_id : NULL,
        .backing_file_str = arg->has_backing_file ? arg->backing_file : NULL,
        .speed = arg->has_speed ? arg->speed : 0,
        .on_error = arg->has_on_error ? arg->on_error
                                      : BLOCKDEV_ON_ERROR_REPORT,
        .filter_node_name = arg->has_filter_node_name
            ? arg->filter_node_name : NULL,
    };
    AioContext *ctx;

    if (arg->has_auto_finalize && !arg->auto_finalize) {
        cfg.creation_flags |= BLOCK_JOB_MANUAL_FINALIZE;
    }
    if (arg->has_auto_dismiss && !arg->auto_dismiss) {
        cfg.creation_flags |= BLOCK_JOB_MANUAL_DISMISS;
    }
    cfg.bs = find_chain(arg->device, errp);
    if (!cfg.bs) {
        return;
    }
    ctx = bdrv_get_aio_context(cfg.bs);
    aio_context_acquire(ctx);
    block_commit(arg, &cfg, errp);
    aio_context_release(ctx);
}
