/*
 * SPDX-License-Identifier: MIT
 *
 * The job core: creation, IDs, the walk through the states, verbs, pauses,
 * errors.  Numbers in comments are those of the invariants in blockjob.c.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"

typedef struct TestJob {
    BlockJob common;
    bool ready;             /* announce it */
    bool complete;          /* end */
    int started;
    int paused;
    int resumed;
    int committed;
    int aborted;
    int cleaned;
    int result;             /* of the work */
} TestJob;

static void test_job_deferred(BlockJob *job, void *opaque)
{
    block_job_completed(job, container_of(job, TestJob, common)->result);
}

static void coroutine_fn test_job_run(void *opaque)
{
    TestJob *s = opaque;

    s->started++;
    while (!s->complete && !block_job_is_cancelled(&s->common)) {
        if (s->ready && !s->common.ready) {
            block_job_event_ready(&s->common);
        }
        block_job_sleep_ns(&s->common, 1000000000);
    }
    block_job_defer_to_main_loop(&s->common, test_job_deferred, NULL);
}

static void test_job_complete(BlockJob *job, Error **errp)
{
    container_of(job, TestJob, common)->complete = true;
}

static void coroutine_fn test_job_pause(BlockJob *job)
{
    container_of(job, TestJob, common)->paused++;
}

static void coroutine_fn test_job_resume(BlockJob *job)
{
    container_of(job, TestJob, common)->resumed++;
}

static void test_job_commit(BlockJob *job)
{
    container_of(job, TestJob, common)->committed++;
}

static void test_job_abort(BlockJob *job)
{
    container_of(job, TestJob, common)->aborted++;
}

static void test_job_clean(BlockJob *job)
{
    container_of(job, TestJob, common)->cleaned++;
}

static const BlockJobDriver test_job_driver = {
    .instance_size = sizeof(TestJob),
    .job_type = BLOCK_JOB_TYPE_MIRROR,
    .start = test_job_run,
    .complete = test_job_complete,
    .pause = test_job_pause,
    .resume = test_job_resume,
    .commit = test_job_commit,
    .abort = test_job_abort,
    .clean = test_job_clean,
};

#define MANUAL (BLOCK_JOB_MANUAL_FINALIZE | BLOCK_JOB_MANUAL_DISMISS)

static BlockBackend *make_blk(const char *name)
{
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);
    BlockDriverState *bs = bdrv_open("null-co://", NULL, NULL, 0,
                                     &error_abort);

    blk_insert_bs(blk, bs, &error_abort);
    bdrv_unref(bs);
    if (name) {
        monitor_add_blk(blk, name, &error_abort);
    }
    return blk;
}

static void free_blk(BlockBackend *blk)
{
    monitor_remove_blk(blk);
    blk_unref(blk);
}

static TestJob *make_job(BlockBackend *blk, const char *id, int flags,
                         Error **errp)
{
    return block_job_create(id, &test_job_driver, NULL, blk_bs(blk), 0,
                            BLK_PERM_ALL, 0, flags, NULL, NULL, errp);
}

static void expect_refused(BlockBackend *blk, const char *id, int flags,
                           const char *msg)
{
    Error *err = NULL;

    g_assert_null(make_job(blk, id, flags, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, msg);
    error_free(err);
    g_assert_null(blk_bs(blk)->job);
}

/* Invariant 6, and what makes an ID */
static void test_ids(void)
{
    BlockBackend *blk = make_blk("drive0"), *other = make_blk(NULL);
    TestJob *job;

    expect_refused(blk, "", 0, "Invalid job ID ''");
    expect_refused(blk, "1job", 0, "Invalid job ID '1job'");
    expect_refused(blk, "-job", 0, "Invalid job ID '-job'");
    expect_refused(blk, "a job", 0, "Invalid job ID 'a job'");
    expect_refused(blk, "id", BLOCK_JOB_INTERNAL,
                   "Cannot specify job ID for internal block job");
    expect_refused(other, NULL, 0,
                   "An explicit job ID is required for this node");

    job = make_job(blk, NULL, 0, &error_abort);
    g_assert_cmpstr(job->common.id, ==, "drive0");
    g_assert_true(blk_bs(blk)->job == &job->common);
    g_assert_true(block_job_get("drive0") == &job->common);
    expect_refused(other, "drive0", 0, "Job ID 'drive0' already in use");
    block_job_early_fail(&job->common);
    g_assert_null(block_job_get("drive0"));
    g_assert_null(blk_bs(blk)->job);

    job = make_job(other, "drive0", 0, &error_abort);
    block_job_early_fail(&job->common);
    job = make_job(other, NULL, BLOCK_JOB_INTERNAL, &error_abort);
    g_assert_true(block_job_is_internal(&job->common));
    g_assert_true(block_job_next(NULL) == &job->common);
    block_job_early_fail(&job->common);
    free_blk(other);
    free_blk(blk);
}

static void test_one_job_a_node(void)
{
    BlockBackend *blk = make_blk("drive0");
    TestJob *job = make_job(blk, "a", 0, &error_abort);
    Error *err = NULL;

    g_assert_null(make_job(blk, "b", 0, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "Device 'drive0' is in use");
    error_free(err);
    err = NULL;
    g_assert_true(bdrv_op_is_blocked(blk_bs(blk), BLOCK_OP_TYPE_RESIZE,
                                     &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Node 'drive0' is busy: block device is in use by block "
                    "job: mirror");
    error_free(err);
    g_assert_false(bdrv_op_is_blocked(blk_bs(blk), BLOCK_OP_TYPE_DATAPLANE,
                                      NULL));
    block_job_early_fail(&job->common);
    free_blk(blk);
}

/* Takes a job to a state; an extra reference keeps it readable. */
static TestJob *job_in_state(BlockBackend *blk, BlockJobStatus status)
{
    TestJob *s = make_job(blk, "job0", MANUAL, &error_abort);
    BlockJob *job = &s->common;

    block_job_ref(job);
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_CREATED);
    if (status == BLOCK_JOB_STATUS_CREATED) {
        return s;
    }
    block_job_start(job);
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_RUNNING);
    if (status == BLOCK_JOB_STATUS_RUNNING) {
        return s;
    }
    if (status == BLOCK_JOB_STATUS_PAUSED) {
        block_job_user_pause(job, &error_abort);
        block_job_enter(job);
        g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_PAUSED);
        return s;
    }
    s->ready = true;
    block_job_enter(job);
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_READY);
    if (status == BLOCK_JOB_STATUS_READY) {
        return s;
    }
    if (status == BLOCK_JOB_STATUS_STANDBY) {
        block_job_user_pause(job, &error_abort);
        block_job_enter(job);
        g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_STANDBY);
        return s;
    }
    block_job_complete(job, &error_abort);
    block_job_enter(job);
    while (!job->completed) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_PENDING);
    if (status == BLOCK_JOB_STATUS_PENDING) {
        return s;
    }
    block_job_finalize(job, &error_abort);
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_CONCLUDED);
    return s;
}

static void test_cancel_in_state(gconstpointer opaque)
{
    BlockJobStatus status = GPOINTER_TO_INT(opaque);
    BlockBackend *blk = make_blk("drive0");
    TestJob *s = job_in_state(blk, status);
    BlockJob *job = &s->common;
    bool was_over = status == BLOCK_JOB_STATUS_CONCLUDED;
    int ret = block_job_cancel_sync(job);

    g_assert_cmpint(ret, ==, was_over ? 0 : -ECANCELED);
    if (status == BLOCK_JOB_STATUS_CREATED || was_over) {
        g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_NULL);
    } else {
        g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_CONCLUDED);
        block_job_ref(job);
        {
            BlockJob *dismissed = job;

            block_job_dismiss(&dismissed, &error_abort);
            g_assert_null(dismissed);
        }
        g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_NULL);
        block_job_unref(job);
    }
    g_assert_cmpint(s->committed, ==, was_over);
    g_assert_cmpint(s->aborted, ==, !was_over);
    g_assert_cmpint(s->cleaned, ==, 1);
    block_job_unref(job);
    free_blk(blk);
}

static void test_verbs(void)
{
    BlockBackend *blk = make_blk("drive0");
    TestJob *s = job_in_state(blk, BLOCK_JOB_STATUS_RUNNING);
    BlockJob *job = &s->common;
    Error *err = NULL;

    block_job_complete(job, &err);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Job 'job0' in state 'running' cannot accept command verb "
                    "'complete'");
    error_free(err);
    err = NULL;
    block_job_set_speed(job, -1, &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "Invalid parameter 'speed'");
    g_assert_cmpint(job->speed, ==, 0);
    error_free(err);
    err = NULL;
    block_job_user_resume(job, &err);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Can't resume a job that was not paused");
    error_free(err);
    err = NULL;
    block_job_user_pause(job, &error_abort);
    block_job_user_pause(job, &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "Job is already paused");
    error_free(err);
    block_job_enter(job);
    g_assert_true(job->paused);
    g_assert_cmpint(s->paused, ==, 1);
    /* A request of its own that ends does not make it go on. */
    block_job_enter(job);
    g_assert_true(job->paused);
    g_assert_cmpint(s->paused, ==, 1);
    g_assert_cmpint(s->resumed, ==, 0);
    block_job_user_resume(job, &error_abort);
    g_assert_false(job->paused);
    g_assert_cmpint(s->resumed, ==, 1);
    block_job_cancel_sync(job);
    block_job_dismiss(&job, &error_abort);
    block_job_unref(&s->common);
    free_blk(blk);
}

static void test_error_stops(void)
{
    BlockBackend *blk = make_blk("drive0");
    TestJob *s = job_in_state(blk, BLOCK_JOB_STATUS_RUNNING);
    BlockJob *job = &s->common;

    g_assert_cmpint(block_job_error_action(job, BLOCKDEV_ON_ERROR_ENOSPC,
                                           false, EIO), ==,
                    BLOCK_ERROR_ACTION_REPORT);
    g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_OK);
    g_assert_cmpint(block_job_error_action(job, BLOCKDEV_ON_ERROR_ENOSPC,
                                           false, ENOSPC), ==,
                    BLOCK_ERROR_ACTION_STOP);
    g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_NOSPACE);
    g_assert_true(job->user_paused);
    /* The first error wins, and one reason to pause is enough. */
    block_job_error_action(job, BLOCKDEV_ON_ERROR_STOP, true, EIO);
    g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_NOSPACE);
    g_assert_cmpint(job->pause_count, ==, 1);
    block_job_enter(job);
    g_assert_true(job->paused);
    block_job_user_resume(job, &error_abort);
    g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_OK);
    g_assert_cmpint(job->pause_count, ==, 0);
    block_job_cancel_sync(job);
    block_job_dismiss(&job, &error_abort);
    block_job_unref(&s->common);
    free_blk(blk);
}

static void test_drain_pauses(void)
{
    BlockBackend *blk = make_blk("drive0"), *other = make_blk(NULL);
    TestJob *s = job_in_state(blk, BLOCK_JOB_STATUS_READY);
    BlockJob *job = &s->common;

    block_job_add_bdrv(job, "target", blk_bs(other), 0, BLK_PERM_ALL,
                       &error_abort);
    g_assert_cmpint(job->pause_count, ==, 0);
    bdrv_drained_begin(blk_bs(blk));
    bdrv_subtree_drained_begin(blk_bs(other));
    g_assert_cmpint(job->pause_count, ==, 2);
    bdrv_drain_all_begin();
    g_assert_cmpint(job->pause_count, ==, 4);
    g_assert_cmpstr(bdrv_drained_by(blk_bs(other)), ==, __func__);
    bdrv_drain_all_end();
    bdrv_subtree_drained_end(blk_bs(other));
    g_assert_null(bdrv_drained_by(blk_bs(other)));
    g_assert_cmpstr(bdrv_drained_by(blk_bs(blk)), ==, __func__);
    bdrv_drained_end(blk_bs(blk));
    g_assert_cmpint(job->pause_count, ==, 0);
    g_assert_false(job->paused);
    g_assert_false(job->busy);
    g_assert_cmpint(block_job_complete_sync(job, &error_abort), ==, 0);
    block_job_finalize(job, &error_abort);
    block_job_dismiss(&job, &error_abort);
    block_job_unref(&s->common);
    free_blk(other);
    free_blk(blk);
}

static void test_query(void)
{
    BlockBackend *blk = make_blk("drive0");
    TestJob *s = job_in_state(blk, BLOCK_JOB_STATUS_PAUSED);
    g_autoptr(BlockJobInfo) info = NULL;
    BlockJob *job = &s->common;

    block_job_progress_update(job, 100);
    block_job_progress_set_remaining(job, 50);
    block_job_set_speed(job, 4096, &error_abort);
    info = block_job_query(job, &error_abort);
    g_assert_cmpstr(info->device, ==, "job0");
    g_assert_cmpstr(info->type, ==, "mirror");
    g_assert_cmpint(info->offset, ==, 100);
    g_assert_cmpint(info->len, ==, 150);
    g_assert_cmpint(info->speed, ==, 4096);
    g_assert_true(info->paused);
    g_assert_false(info->has_error);
    g_assert_cmpint(info->status, ==, BLOCK_JOB_STATUS_PAUSED);
    block_job_cancel_sync(job);
    block_job_dismiss(&job, &error_abort);
    block_job_unref(&s->common);
    free_blk(blk);
}

static TestJob *make_nodeless(const char *id, Error **errp)
{
    return block_job_create(id, &test_job_driver, NULL, NULL, 0, BLK_PERM_ALL,
                            0, BLOCK_JOB_MANUAL_DISMISS, NULL, NULL, errp);
}

/* Jobs without a node run, are drained by nobody, and end like others. */
static void test_no_node(void)
{
    Error *err = NULL;
    BlockJob *job;
    TestJob *s;

    g_assert_null(make_nodeless(NULL, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "An explicit job ID is required for this node");
    error_free(err);

    s = make_nodeless("job0", &error_abort);
    block_job_early_fail(&s->common);
    g_assert_null(block_job_get("job0"));

    s = make_nodeless("job0", &error_abort);
    job = &s->common;
    block_job_start(job);
    g_assert_cmpint(s->started, ==, 1);
    bdrv_drain_all_begin();
    g_assert_cmpint(job->pause_count, ==, 0);
    bdrv_drain_all_end();
    s->complete = true;
    block_job_enter(job);
    while (!job->completed) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(job->status, ==, BLOCK_JOB_STATUS_CONCLUDED);
    g_assert_cmpint(s->committed, ==, 1);
    block_job_dismiss(&job, &error_abort);

    /* Two at a time */
    make_nodeless("job1", &error_abort);
    block_job_start(&make_nodeless("job0", &error_abort)->common);
    block_job_cancel_sync_all();
    g_assert_null(block_job_next(NULL));
}

/* What went wrong, in the words of the class. */
static void test_error_text(void)
{
    g_autoptr(BlockJobInfo) info = NULL;
    TestJob *s = make_nodeless("job0", &error_abort);
    BlockJob *job = &s->common;
    Error *err = NULL;

    block_job_start(job);
    error_setg(&err, "no such luck");
    block_job_take_error(job, err);
    s->result = -EIO;
    s->complete = true;
    block_job_enter(job);
    while (!job->completed) {
        aio_poll(qemu_get_aio_context(), true);
    }
    info = block_job_query(job, &error_abort);
    g_assert_cmpstr(info->error, ==, "no such luck");
    g_assert_cmpint(s->aborted, ==, 1);
    block_job_dismiss(&job, &error_abort);
}

int main(int argc, char **argv)
{
    static const BlockJobStatus states[] = {
        BLOCK_JOB_STATUS_CREATED, BLOCK_JOB_STATUS_RUNNING,
        BLOCK_JOB_STATUS_PAUSED, BLOCK_JOB_STATUS_READY,
        BLOCK_JOB_STATUS_STANDBY, BLOCK_JOB_STATUS_PENDING,
        BLOCK_JOB_STATUS_CONCLUDED,
    };
    int i;

    qemu_init_main_loop(&error_abort);
    bdrv_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blockjob/ids", test_ids);
    g_test_add_func("/blockjob/one-job-a-node", test_one_job_a_node);
    for (i = 0; i < ARRAY_SIZE(states); i++) {
        g_autofree char *path = g_strdup_printf(
            "/blockjob/cancel/%s", BlockJobStatus_str(states[i]));

        g_test_add_data_func(path, GINT_TO_POINTER(states[i]),
                             test_cancel_in_state);
    }
    g_test_add_func("/blockjob/verbs", test_verbs);
    g_test_add_func("/blockjob/error-stops", test_error_stops);
    g_test_add_func("/blockjob/drain-pauses", test_drain_pauses);
    g_test_add_func("/blockjob/query", test_query);
    g_test_add_func("/blockjob/no-node", test_no_node);
    g_test_add_func("/blockjob/error-text", test_error_text);
    return g_test_run();
}
