/*
 * SPDX-License-Identifier: MIT
 *
 * The job create: an image is made by its driver's bdrv_co_create().  It has no
 * node; what the driver opens while it works is the driver's.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"

typedef struct CreateJob {
    BlockJob common;
    BlockDriver *drv;
    BlockdevCreateOptions *opts;
    int ret;
} CreateJob;

static void create_completed(BlockJob *job, void *opaque)
{
    block_job_completed(job, ((CreateJob *)job)->ret);
}

static void coroutine_fn create_run(void *opaque)
{
    CreateJob *s = opaque;
    Error *local_err = NULL;

    block_job_progress_set_remaining(&s->common, 1);
    s->ret = s->drv->bdrv_co_create(s->opts, &local_err);
    block_job_progress_update(&s->common, 1);
    if (local_err) {
        block_job_take_error(&s->common, local_err);
    }
    block_job_defer_to_main_loop(&s->common, create_completed, NULL);
}

static void create_clean(BlockJob *job)
{
    qapi_free_BlockdevCreateOptions(((CreateJob *)job)->opts);
}

static const BlockJobDriver create_job_driver = {
    .instance_size = sizeof(CreateJob),
    .job_type = BLOCK_JOB_TYPE_CREATE,
    .job_commands_only = true,
    .start = create_run,
    .clean = create_clean,
};

bool create_start_job(const char *job_id, BlockdevCreateOptions *opts,
                      Error **errp)
{
    BlockDriver *drv = bdrv_find_format(BlockdevDriver_str(opts->driver));
    CreateJob *s;

    if (!drv || !drv->bdrv_co_create) {
        error_setg(errp, "Driver does not support blockdev-create");
        return false;
    }
    s = block_job_create(job_id, &create_job_driver, NULL, NULL, 0,
                         BLK_PERM_ALL, 0, BLOCK_JOB_MANUAL_DISMISS, NULL, NULL,
                         errp);
    if (!s) {
        return false;
    }
    s->drv = drv;
    s->opts = QAPI_CLONE(BlockdevCreateOptions, opts);
    block_job_start(&s->common);
    return true;
}
