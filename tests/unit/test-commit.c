/*
 * SPDX-License-Identifier: MIT
 *
 * Commit jobs on chains of images in memory: what moves where, header and
 * graph at the end, a base that is shorter or read-only, errors by policy,
 * cancellation; commits of the active image under writes.
 */
#include "qemu/osdep.h"
#include "mem-chain.h"
#include "qemu/main-loop.h"

/* From layer 1 down to layer 3. */
static CommitJobConfig config(Chain *c)
{
    return (CommitJobConfig) {
        .job_id = "job0",
        .bs = c->layer[0],
        .top = c->layer[1],
        .base = c->layer[3],
    };
}

static BlockJob *wait_ready(void)
{
    BlockJob *job = block_job_get("job0");

    while (!job->ready) {
        aio_poll(qemu_get_aio_context(), true);
    }
    return job;
}

static void test_intermediate(void)
{
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    cfg.backing_file_str = "its name";
    cfg.filter_node_name = "filter";
    g_assert_true(commit_start_job(&cfg, &error_abort));
    g_assert_nonnull(bdrv_find_node("filter"));
    mem_check(c.guest, 2 * PART, PART, 0x12);
    wait_job_gone("job0");
    g_assert_null(bdrv_find_node("filter"));
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[3]);
    g_assert_cmpstr(mem_state(c.layer[0])->header, ==,
                    "its name (test-mem)");
    g_assert_true(mem_is_allocated(c.layer[3], 1 * PART));
    g_assert_true(mem_is_allocated(c.layer[3], 2 * PART));
    g_assert_false(mem_is_allocated(c.layer[3], 0));
    g_assert_false(mem_is_allocated(c.layer[3], 4 * PART));
    chain_check_content(&c);
    chain_teardown(&c);
}

static void test_cancel(void)
{
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    cfg.speed = 1;
    g_assert_true(commit_start_job(&cfg, &error_abort));
    block_job_cancel(block_job_get("job0"), false);
    wait_job_gone("job0");
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[1]);
    g_assert_null(mem_state(c.layer[0])->header);
    chain_check_content(&c);
    chain_teardown(&c);
}

static void test_short_base(gconstpointer opaque)
{
    bool active = GPOINTER_TO_INT(opaque);
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    mem_set_length(c.layer[3], MEM_LENGTH / 2);
    mem_fill(c.layer[1], MEM_LENGTH - 512, 512, 0x66);
    cfg = config(&c);
    if (active) {
        cfg.top = c.layer[0];
        cfg.auto_complete = true;
        g_assert_true(commit_active_start_job(&cfg, &error_abort));
    } else {
        g_assert_true(commit_start_job(&cfg, &error_abort));
    }
    wait_job_gone("job0");
    g_assert_cmpint(bdrv_getlength(c.layer[3]), ==, MEM_LENGTH);
    mem_check(c.guest, 2 * PART, PART, 0x12);
    mem_check(c.guest, MEM_LENGTH - 512, 512, 0x66);
    chain_teardown(&c);
}

static int result;

static void note_result(Notifier *n, void *job)
{
    result = ((BlockJob *)job)->ret;
}

/* @opaque: the policy; the base fails. */
static void test_error(gconstpointer opaque)
{
    BlockdevOnError policy = GPOINTER_TO_INT(opaque);
    bool reported = policy == BLOCKDEV_ON_ERROR_REPORT;
    Notifier listener = { .notify = note_result };
    Chain c;
    CommitJobConfig cfg;
    BlockJob *job;

    chain_setup(&c);
    block_job_add_status_listener(&listener);
    cfg = config(&c);
    cfg.on_error = policy;
    mem_state(c.layer[3])->fail = "w";
    g_assert_true(commit_start_job(&cfg, &error_abort));
    job = block_job_get("job0");
    if (policy == BLOCKDEV_ON_ERROR_STOP) {
        while (!job->paused) {
            aio_poll(qemu_get_aio_context(), true);
        }
        g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_FAILED);
        mem_state(c.layer[3])->fail = "";
        block_job_user_resume(job, &error_abort);
    } else if (policy == BLOCKDEV_ON_ERROR_IGNORE) {
        while (job->iostatus == BLOCK_DEVICE_IO_STATUS_OK && !job->offset) {
            aio_poll(qemu_get_aio_context(), true);
        }
        mem_state(c.layer[3])->fail = "";
    }
    wait_job_gone("job0");
    notifier_remove(&listener);
    mem_state(c.layer[3])->fail = "";
    g_assert_cmpint(result, ==, reported ? -EIO : 0);
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[reported ? 1 : 3]);
    chain_check_content(&c);
    chain_teardown(&c);
}

/* Writes of the guest follow into the base, which becomes the disk. */
static void test_active(void)
{
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    cfg.top = c.layer[0];
    g_assert_true(commit_active_start_job(&cfg, &error_abort));
    g_assert_cmpint(block_job_get("job0")->driver->job_type, ==,
                    BLOCK_JOB_TYPE_COMMIT);
    wait_ready();
    g_assert_cmpint(mem_do(c.guest, 'w', PART + 512, 1024, 0x77, 0), ==, 0);
    block_job_complete(block_job_get("job0"), &error_abort);
    wait_job_gone("job0");
    g_assert_true(blk_bs(c.guest) == c.layer[3]);
    mem_check(c.guest, 0, PART, 0x10);
    mem_check(c.guest, PART, 512, 0x11);
    mem_check(c.guest, PART + 512, 1024, 0x77);
    mem_check(c.guest, 2 * PART, PART, 0x12);
    mem_check(c.guest, 3 * PART, PART, 0x13);
    mem_check(c.guest, 4 * PART, PART, 0x14);
    chain_teardown(&c);
}

static void test_active_cancel(void)
{
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    cfg.top = c.layer[0];
    g_assert_true(commit_active_start_job(&cfg, &error_abort));
    wait_ready();
    block_job_cancel(block_job_get("job0"), false);
    wait_job_gone("job0");
    g_assert_true(blk_bs(c.guest) == c.layer[0]);
    chain_check_content(&c);
    chain_teardown(&c);
}

/* While a job runs its part of the chain stays as it is. */
static void test_frozen(gconstpointer opaque)
{
    bool active = GPOINTER_TO_INT(opaque);
    Chain c;
    CommitJobConfig cfg;
    Error *err = NULL;

    chain_setup(&c);
    cfg = config(&c);
    cfg.speed = 1;
    if (active) {
        cfg.top = c.layer[0];
        g_assert_true(commit_active_start_job(&cfg, &error_abort));
    } else {
        g_assert_true(commit_start_job(&cfg, &error_abort));
    }
    g_assert_cmpint(bdrv_set_backing_hd_check(c.layer[1], NULL, &err), <, 0);
    error_free(err);
    g_assert_true(bdrv_op_is_blocked(c.layer[2], BLOCK_OP_TYPE_STREAM, NULL));
    block_job_cancel(block_job_get("job0"), true);
    wait_job_gone("job0");
    g_assert_false(bdrv_is_backing_chain_frozen(c.layer[0], c.layer[4],
                                                NULL));
    chain_check_content(&c);
    chain_teardown(&c);
}

/* Without a job; the chain stays. */
static void test_synchronous(void)
{
    Chain c;
    CommitJobConfig cfg;

    chain_setup(&c);
    mem_set_length(c.layer[1], MEM_LENGTH / 2);
    mem_fill(c.layer[1], PART, PART, 0x11);
    g_assert_cmpint(bdrv_commit(c.layer[0]), ==, 0);
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[1]);
    g_assert_true(mem_is_allocated(c.layer[1], 0));
    g_assert_cmpint(bdrv_getlength(c.layer[1]), ==, MEM_LENGTH);
    mem_check(c.guest, 0, PART, 0x10);
    mem_check(c.guest, PART, PART, 0x11);
    g_assert_cmpint(bdrv_commit(c.layer[4]), ==, -ENOTSUP);

    cfg = config(&c);
    cfg.speed = 1;
    g_assert_true(commit_start_job(&cfg, &error_abort));
    g_assert_cmpint(bdrv_commit(c.layer[0]), ==, -EBUSY);
    block_job_cancel(block_job_get("job0"), true);
    wait_job_gone("job0");
    mem_state(c.layer[1])->fail = "w";
    g_assert_cmpint(bdrv_commit(c.layer[0]), ==, -EIO);
    mem_state(c.layer[1])->fail = "";
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[1]);
    chain_teardown(&c);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/commit/intermediate", test_intermediate);
    g_test_add_func("/commit/cancel", test_cancel);
    g_test_add_data_func("/commit/short-base", GINT_TO_POINTER(false),
                         test_short_base);
    g_test_add_data_func("/commit/frozen", GINT_TO_POINTER(false),
                         test_frozen);
    g_test_add_data_func("/commit/error/report",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_REPORT),
                         test_error);
    g_test_add_data_func("/commit/error/ignore",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_IGNORE),
                         test_error);
    g_test_add_data_func("/commit/error/stop",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_STOP), test_error);
    g_test_add_func("/commit-active/pivot", test_active);
    g_test_add_func("/commit-active/cancel", test_active_cancel);
    g_test_add_data_func("/commit-active/short-base", GINT_TO_POINTER(true),
                         test_short_base);
    g_test_add_data_func("/commit-active/frozen", GINT_TO_POINTER(true),
                         test_frozen);
    g_test_add_func("/commit/synchronous", test_synchronous);
    return g_test_run();
}
