/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: block-stream.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qerror.h"

static bool check_arguments(const BlockStream *arg, Error **errp)
{
    const char *first = NULL, *second = NULL;

    if (arg->has_base && arg->has_base_node) {
        first = "base";
        second = "base-node";
    } else if (arg->has_base && arg->has_bottom) {
        first = "base";
        second = "bottom";
    } else if (arg->has_bottom && arg->has_base_node) {
        first = "bottom";
        second = "base-node";
    }
    if (first) {
        error_setg(errp, "'%s' and '%s' cannot be specified at the same time",
                   first, second);
        return false;
    }
    return true;
}

/* The node that the part to be copied ends above; NULL without error if none
 * is given. */
static bool find_base(const BlockStream *arg, StreamJobConfig *cfg,
                      Error **errp)
{
    if (arg->has_base) {
        cfg->base = bdrv_find_backing_image(cfg->bs, arg->base);
        if (!cfg->base) {
            error_setg(errp, "Can't find '%s' in the backing chain",
                       arg->base);
            return false;
        }
    }
    if (arg->has_base_node) {
        cfg->base = bdrv_lookup_bs(NULL, arg->base_node, errp);
        if (!cfg->base) {
            return false;
        }
        if (cfg->base == cfg->bs || !bdrv_chain_contains(cfg->bs, cfg->base)) {
            error_setg(errp, "Node '%s' is not a backing image of '%s'",
                       arg->base_node, arg->device);
            return false;
        }
        bdrv_refresh_filename(cfg->base);
    }
    return true;
}

static bool find_bottom(const BlockStream *arg, StreamJobConfig *cfg,
                        Error **errp)
{
    if (!arg->has_bottom) {
        return true;
    }
    cfg->bottom = bdrv_lookup_bs(NULL, arg->bottom, errp);
    if (!cfg->bottom) {
        return false;
    }
    if (!cfg->bottom->drv) {
        error_setg(errp, "Node '%s' is not open", arg->bottom);
        return false;
    }
    if (cfg->bottom->drv->is_filter) {
        error_setg(errp, "Node '%s' is a filter, use a non-filter node as "
                   "'bottom'", arg->bottom);
        return false;
    }
    if (!bdrv_chain_contains(cfg->bs, cfg->bottom)) {
        error_setg(errp, "Node '%s' is not in a chain starting from '%s'",
                   arg->bottom, arg->device);
        return false;
    }
    return true;
}

static void block_stream(const BlockStream *arg, StreamJobConfig *cfg,
                         Error **errp)
{
    BlockDriverState *bs, *end;

    if (!find_base(arg, cfg, errp) || !find_bottom(arg, cfg, errp)) {
        return;
    }
    end = cfg->bottom ? bdrv_filter_or_cow_bs(cfg->bottom) : cfg->base;
    for (bs = cfg->bs; bs && bs != end; bs = bdrv_filter_or_cow_bs(bs)) {
        if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_STREAM, errp)) {
            return;
        }
    }
    if (!cfg->base && arg->has_backing_file) {
        error_setg(errp, "backing file specified, but streaming the entire "
                   "chain");
        return;
    }
    if (!cfg->job_id) {
        cfg->job_id = bdrv_get_device_name(cfg->bs);
    }
    stream_start_job(cfg, errp);
}

void qmp_block_stream(BlockStream *arg, Error **errp)
{
    StreamJobConfig cfg = {
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
    if (!check_arguments(arg, errp)) {
        return;
    }
    cfg.bs = bdrv_lookup_bs(arg->device, arg->device, errp);
    if (!cfg.bs) {
        return;
    }
    ctx = bdrv_get_aio_context(cfg.bs);
    aio_context_acquire(ctx);
    block_stream(arg, &cfg, errp);
    aio_context_release(ctx);
}
