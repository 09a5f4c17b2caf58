/*
 * SPDX-License-Identifier: MIT
 *
 * The job amend: options of an image are changed by its driver's
 * bdrv_co_amend().  The job runs in the context of the image's node, beside
 * other jobs on it: job->blk is on the node, but asks for nothing.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "sysemu/block-backend.h"

typedef struct AmendJob {
    BlockJob common;
    BlockdevAmendOptions *opts;
    bool force;
    int ret;
} AmendJob;

static void amend_completed(BlockJob *job, void *opaque)
{
    block_job_completed(job, ((AmendJob *)job)->ret);
}

static void coroutine_fn amend_run(void *opaque)
{
    AmendJob *s = opaque;
    BlockDriverState *bs = blk_bs(s->common.blk);
    Error *local_err = NULL;

    block_job_progress_set_remaining(&s->common, 1);
    bdrv_inc_in_flight(bs);
    s->ret = bs->drv->bdrv_co_amend(bs, s->opts, s->force, &local_err);
    bdrv_dec_in_flight(bs);
    block_job_progress_update(&s->common, 1);
    if (local_err) {
        block_job_take_error(&s->common, local_err);
    }
    block_job_defer_to_main_loop(&s->common, amend_completed, NULL);
}

static void amend_clean(BlockJob *job)
{
    /* It may wait long to be dismissed. */
    blk_remove_bs(job->blk);
    qapi_free_BlockdevAmendOptions(((AmendJob *)job)->opts);
}

static const BlockJobDriver amend_job_driver = {
    .instance_size = sizeof(AmendJob),
    .job_type = BLOCK_JOB_TYPE_AMEND,
    .job_commands_only = true,
    .start = amend_run,
    .clean = amend_clean,
};

bool amend_start_job(const char *job_id, BlockDriverState *bs,
                     BlockdevAmendOptions *opts, bool force, Error **errp)
{
    BlockDriver *drv = bdrv_find_format(BlockdevDriver_str(opts->driver));
    AmendJob *s;

    if (drv != bs->drv) {
        error_setg(errp, "x-blockdev-amend doesn't support changing the block "
                   "driver");
        return false;
    }
    if (!drv || !drv->bdrv_co_amend) {
        error_setg(errp, "Driver does not support x-blockdev-amend");
        return false;
    }
    s = block_job_create(job_id, &amend_job_driver, NULL, NULL, 0,
                         BLK_PERM_ALL, 0, BLOCK_JOB_MANUAL_DISMISS, NULL, NULL,
                         errp);
    if (!s) {
        return false;
    }
    if (blk_insert_bs(s->common.blk, bs, errp) < 0) {
        block_job_early_fail(&s->common);
        return false;
    }
    s->opts = QAPI_CLONE(BlockdevAmendOptions, opts);
    s->force = force;
    block_job_start(&s->common);
    return true;
}
