/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: blockdev-create, x-blockdev-amend.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"

void qmp_blockdev_create(const char *job_id, BlockdevCreateOptions *options,
                         Error **errp)
{
    create_start_job(job_id, options, errp);
}

void qmp_x_blockdev_amend(const char *job_id, const char *node_name,
                          BlockdevAmendOptions *options, bool has_force,
                          bool force, Error **errp)
{
    BlockDriverState *bs = bdrv_find_node(node_name);
    AioContext *ctx;

    if (!bs) {
        error_setg(errp, "Cannot find device='' nor node-name='%s'",
                   node_name);
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    amend_start_job(job_id, bs, options, has_force && force, errp);
    aio_context_release(ctx);
}
