/*
 * SPDX-License-Identifier: MIT
 *
 * QMP commands for jobs: block-job-* and job-*, two families of names for the
 * same verbs; query-block-jobs and query-jobs; JOB_STATUS_CHANGE.
 *
 * Each handler holds the AioContext of the job's node around the call.
 */
#include "qemu/osdep.h"
#include "blockjob-internal.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-commands-job.h"
#include "qapi/qapi-events-job.h"
#include "qapi/qmp/qerror.h"

static void job_status_changed(Notifier *notifier, void *data)
{
    BlockJob *job = data;

    if (!block_job_is_internal(job)) {
        qapi_event_send_job_status_change(job->id, job->status, &error_abort);
    }
}

static Notifier job_status_listener = { .notify = job_status_changed };

static void __attribute__((constructor)) job_qmp_init(void)
{
    block_job_add_status_listener(&job_status_listener);
}

/* ---- Look-up; the AioContext is held when a job is returned ---- */

static BlockJob *job_acquire(BlockJob *job, AioContext **ctx)
{
    *ctx = blk_get_aio_context(job->blk);
    aio_context_acquire(*ctx);
    return job;
}

static BlockJob *find_block_job(const char *id, AioContext **ctx, Error **errp)
{
    BlockJob *job = block_job_get(id);

    if (!job || job->driver->job_commands_only) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE,
                  "Block job '%s' not found", id);
        return NULL;
    }
    return job_acquire(job, ctx);
}

static BlockJob *find_job(const char *id, AioContext **ctx, Error **errp)
{
    BlockJob *job = block_job_get(id);

    if (!job) {
        error_setg(errp, "Job not found");
        return NULL;
    }
    return job_acquire(job, ctx);
}

/* ---- Verbs ---- */

static void verb_cancel(BlockJob *job, Error **errp)
{
    block_job_user_cancel(job, true, errp);
}

static void verb_pause(BlockJob *job, Error **errp)
{
    Error *err = NULL;

    block_job_user_pause(job, &err);
    if (err) {
        error_propagate(errp, err);
        return;
    }
    /* A job that sleeps parks now; clients expect the change of state before
     * the reply. */
    block_job_kick(job);
}

static void verb_dismiss(BlockJob *job, Error **errp)
{
    block_job_dismiss(&job, errp);
}

typedef void JobVerbFn(BlockJob *job, Error **errp);
typedef BlockJob *JobFindFn(const char *id, AioContext **ctx, Error **errp);

static void apply(JobFindFn *find, JobVerbFn *verb, const char *id,
                  Error **errp)
{
    AioContext *ctx;
    BlockJob *job = find(id, &ctx, errp);

    if (job) {
        verb(job, errp);
        aio_context_release(ctx);
    }
}

void qmp_block_job_set_speed(const char *device, int64_t speed, Error **errp)
{
    AioContext *ctx;
    BlockJob *job = find_block_job(device, &ctx, errp);

    if (!job) {
        return;
    }
    if (speed >= 0) {
        block_job_set_speed(job, speed, errp);
    } else if (block_job_apply_verb(job, BLOCK_JOB_VERB_SET_SPEED,
                                    errp) == 0) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "speed",
                   "a non-negative value");
    }
    aio_context_release(ctx);
}

void qmp_block_job_cancel(const char *device, bool has_force, bool force,
                          Error **errp)
{
    AioContext *ctx;
    BlockJob *job = find_block_job(device, &ctx, errp);

    if (!job) {
        return;
    }
    if (block_job_user_paused(job) && !(has_force && force)) {
        error_setg(errp, "The block job for device '%s' is currently paused",
                   device);
    } else {
        block_job_user_cancel(job, has_force && force, errp);
    }
    aio_context_release(ctx);
}

void qmp_block_job_pause(const char *device, Error **errp)
{
    apply(find_block_job, verb_pause, device, errp);
}

void qmp_block_job_resume(const char *device, Error **errp)
{
    apply(find_block_job, block_job_user_resume, device, errp);
}

void qmp_block_job_complete(const char *device, Error **errp)
{
    apply(find_block_job, block_job_user_complete, device, errp);
}

void qmp_block_job_finalize(const char *id, Error **errp)
{
    apply(find_block_job, block_job_finalize, id, errp);
}

void qmp_block_job_dismiss(const char *id, Error **errp)
{
    apply(find_block_job, verb_dismiss, id, errp);
}

void qmp_job_cancel(const char *id, Error **errp)
{
    apply(find_job, verb_cancel, id, errp);
}

void qmp_job_pause(const char *id, Error **errp)
{
    apply(find_job, verb_pause, id, errp);
}

void qmp_job_resume(const char *id, Error **errp)
{
    apply(find_job, block_job_user_resume, id, errp);
}

void qmp_job_complete(const char *id, Error **errp)
{
    apply(find_job, block_job_user_complete, id, errp);
}

void qmp_job_finalize(const char *id, Error **errp)
{
    apply(find_job, block_job_finalize, id, errp);
}

void qmp_job_dismiss(const char *id, Error **errp)
{
    apply(find_job, verb_dismiss, id, errp);
}

/* ---- Queries: oldest job last, as they have always been listed ---- */

static JobPhase job_phase(BlockJob *job, int64_t dirty)
{
    switch (job->status) {
    case BLOCK_JOB_STATUS_UNDEFINED:
    case BLOCK_JOB_STATUS_CREATED:
        return JOB_PHASE_CREATED;
    case BLOCK_JOB_STATUS_RUNNING:
    case BLOCK_JOB_STATUS_PAUSED:
        return dirty < 0 ? JOB_PHASE_SCAN : JOB_PHASE_COPY;
    case BLOCK_JOB_STATUS_READY:
    case BLOCK_JOB_STATUS_STANDBY:
        return JOB_PHASE_SYNC;
    case BLOCK_JOB_STATUS_WAITING:
    case BLOCK_JOB_STATUS_PENDING:
    case BLOCK_JOB_STATUS_ABORTING:
        return JOB_PHASE_FINISH;
    default:
        return JOB_PHASE_OVER;
    }
}

static void job_add_detail(BlockJob *job, JobDetail *detail)
{
    bool counts = job->driver->dirty_bytes && !job->completed;
    int64_t dirty = counts ? job->driver->dirty_bytes(job) : 0;

    detail->has_phase = true;
    detail->phase = job_phase(job, dirty);
    detail->has_dirty_bytes = counts && dirty >= 0;
    detail->dirty_bytes = dirty;
    detail->has_rate = true;
    detail->rate = block_job_rate(job);
    detail->has_eta = detail->phase == JOB_PHASE_COPY && detail->rate > 0;
    if (detail->has_eta) {
        int64_t left = counts ? dirty : job->len - job->offset;

        detail->eta = DIV_ROUND_UP(left, detail->rate);
    }
}

BlockJobInfoList *qmp_query_block_jobs(bool has_detail, bool detail,
                                       Error **errp)
{
    BlockJobInfoList *head = NULL, **tail = &head;
    BlockJob *job = NULL;

    while ((job = block_job_next(job))) {
        AioContext *ctx;
        BlockJobInfo *info;

        if (block_job_is_internal(job) || job->driver->job_commands_only) {
            continue;
        }
        job_acquire(job, &ctx);
        info = block_job_query(job, &error_abort);
        if (has_detail && detail) {
            job_add_detail(job, qapi_BlockJobInfo_base(info));
        }
        aio_context_release(ctx);
        QAPI_LIST_APPEND(tail, info);
    }
    return head;
}

static JobInfo *job_info(BlockJob *job)
{
    JobInfo *info = g_new0(JobInfo, 1);

    info->id = g_strdup(job->id);
    info->type = job->driver->job_type;
    info->status = job->status;
    info->current_progress = job->offset;
    info->total_progress = job->len;
    info->error = g_strdup(block_job_error_text(job));
    info->has_error = info->error != NULL;
    return info;
}

JobInfoList *qmp_query_jobs(bool has_detail, bool detail, Error **errp)
{
    JobInfoList *head = NULL, **tail = &head;
    BlockJob *job = NULL;

    while ((job = block_job_next(job))) {
        AioContext *ctx;
        JobInfo *info;

        if (block_job_is_internal(job)) {
            continue;
        }
        job_acquire(job, &ctx);
        info = job_info(job);
        if (has_detail && detail) {
            job_add_detail(job, qapi_JobInfo_base(info));
        }
        aio_context_release(ctx);
        QAPI_LIST_APPEND(tail, info);
    }
    return head;
}
