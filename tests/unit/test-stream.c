/*
 * SPDX-License-Identifier: MIT
 *
 * The stream job on chains of images in memory: content, which part is
 * copied, header and graph at the end, writes during the job, errors by
 * policy, cancellation, several jobs on one chain.
 */
#include "qemu/osdep.h"
#include "mem-chain.h"
#include "qemu/main-loop.h"

static StreamJobConfig config(Chain *c)
{
    return (StreamJobConfig) { .job_id = "job0", .bs = c->layer[0] };
}

static void test_whole_chain(void)
{
    Chain c;
    StreamJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    g_assert_true(stream_start_job(&cfg, &error_abort));
    g_assert_true(blk_bs(c.guest) != c.layer[0]);
    wait_job_gone("job0");
    g_assert_true(blk_bs(c.guest) == c.layer[0]);
    g_assert_null(c.layer[0]->backing);
    g_assert_cmpstr(mem_state(c.layer[0])->header, ==, "- (-)");
    chain_check_content(&c);
    g_assert_false(mem_is_allocated(c.layer[0], DEPTH * PART));
    chain_teardown(&c);
}

static void test_base(gconstpointer opaque)
{
    bool by_bottom = GPOINTER_TO_INT(opaque);
    Chain c;
    StreamJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    if (by_bottom) {
        cfg.bottom = c.layer[2];
    } else {
        cfg.base = c.layer[3];
    }
    cfg.backing_file_str = "its name";
    g_assert_true(stream_start_job(&cfg, &error_abort));
    wait_job_gone("job0");
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[3]);
    g_assert_cmpstr(mem_state(c.layer[0])->header, ==,
                    "its name (test-mem)");
    g_assert_true(mem_is_allocated(c.layer[0], 2 * PART));
    g_assert_false(mem_is_allocated(c.layer[0], 3 * PART));
    chain_check_content(&c);
    chain_teardown(&c);
}

/* What is written while the job has read and not yet stored wins. */
static void test_write_meanwhile(void)
{
    MemRequest *w;
    Chain c;
    StreamJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    mem_state(c.layer[2])->hold = "r";
    g_assert_true(stream_start_job(&cfg, &error_abort));
    while (!mem_state(c.layer[2])->held) {
        aio_poll(qemu_get_aio_context(), true);
    }
    w = mem_start(c.guest, 'w', 2 * PART + 512, 1024, 0x77, 0);
    g_assert_false(mem_done(w));
    mem_release(c.layer[2]);
    g_assert_cmpint(mem_finish(w), ==, 0);
    wait_job_gone("job0");
    mem_check(c.guest, 2 * PART, 512, 0x12);
    mem_check(c.guest, 2 * PART + 512, 1024, 0x77);
    mem_check(c.guest, 2 * PART + 1536, PART - 1536, 0x12);
    chain_teardown(&c);
}

/* What users read is kept. */
static void test_read_meanwhile(void)
{
    Chain c;
    StreamJobConfig cfg;

    chain_setup(&c);
    cfg = config(&c);
    cfg.speed = 1;
    cfg.bottom = c.layer[2];
    mem_state(c.layer[1])->hold = "s";
    g_assert_true(stream_start_job(&cfg, &error_abort));
    mem_release(c.layer[1]);
    mem_check(c.guest, 2 * PART, 65536, 0x12);
    g_assert_true(mem_is_allocated(c.layer[0], 2 * PART));
    mem_check(c.guest, 3 * PART, 65536, 0x13);
    g_assert_false(mem_is_allocated(c.layer[0], 3 * PART));
    block_job_cancel(block_job_get("job0"), false);
    wait_job_gone("job0");
    chain_check_content(&c);
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[1]);
    g_assert_null(mem_state(c.layer[0])->header);
    chain_teardown(&c);
}

static int result;

static void note_result(Notifier *n, void *job)
{
    result = ((BlockJob *)job)->ret;
}

static void test_error(gconstpointer opaque)
{
    BlockdevOnError policy = GPOINTER_TO_INT(opaque);
    bool stops = policy == BLOCKDEV_ON_ERROR_STOP;
    Notifier listener = { .notify = note_result };
    Chain c;
    StreamJobConfig cfg;
    BlockJob *job;

    chain_setup(&c);
    block_job_add_status_listener(&listener);
    cfg = config(&c);
    cfg.on_error = policy;
    mem_state(c.layer[3])->fail = "r";
    g_assert_true(stream_start_job(&cfg, &error_abort));
    if (stops) {
        job = block_job_get("job0");
        while (!job->paused) {
            aio_poll(qemu_get_aio_context(), true);
        }
        g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_FAILED);
        mem_state(c.layer[3])->fail = "";
        block_job_user_resume(job, &error_abort);
    }
    wait_job_gone("job0");
    notifier_remove(&listener);
    mem_state(c.layer[3])->fail = "";
    g_assert_cmpint(result, ==, stops ? 0 : -EIO);
    g_assert_true(!c.layer[0]->backing == stops);
    /* An error that is ignored does not keep the rest from being copied. */
    if (policy == BLOCKDEV_ON_ERROR_IGNORE) {
        g_assert_true(mem_is_allocated(c.layer[0], 4 * PART));
    }
    chain_check_content(&c);
    chain_teardown(&c);
}

static void test_disjoint_jobs(void)
{
    Chain c;
    StreamJobConfig upper, lower;
    Error *err = NULL;

    chain_setup(&c);
    upper = config(&c);
    upper.base = c.layer[2];
    upper.speed = 1;
    lower = upper;
    lower.job_id = "job1";
    lower.bs = c.layer[1];
    lower.base = NULL;
    lower.speed = 0;
    g_assert_true(stream_start_job(&upper, &error_abort));
    /* Layer 1 is being read by the first. */
    g_assert_false(stream_start_job(&lower, &err));
    error_free(err);
    lower.bs = c.layer[2];
    g_assert_true(stream_start_job(&lower, &error_abort));
    wait_job_gone("job1");
    g_assert_null(c.layer[2]->backing);
    block_job_set_speed(block_job_get("job0"), 0, &error_abort);
    wait_job_gone("job0");
    g_assert_true(bdrv_cow_bs(c.layer[0]) == c.layer[2]);
    chain_check_content(&c);
    chain_teardown(&c);
}

/* Layers of other lengths, and ends that are no whole clusters. */
static void test_odd_lengths(void)
{
    Chain c;
    StreamJobConfig cfg;

    chain_setup(&c);
    mem_set_length(c.layer[0], MEM_LENGTH + 1536);
    mem_set_length(c.layer[1], MEM_LENGTH / 2 + 512);
    mem_fill(c.layer[1], MEM_LENGTH / 2, 512, 0x55);
    mem_fill(c.layer[4], MEM_LENGTH - 512, 512, 0x66);
    cfg = config(&c);
    g_assert_true(stream_start_job(&cfg, &error_abort));
    wait_job_gone("job0");
    mem_check(c.guest, MEM_LENGTH / 2, 512, 0x55);
    /* Layer 1 is shorter than the ones below: zeroes hide them. */
    mem_check(c.guest, MEM_LENGTH / 2 + 512,
              MEM_LENGTH + 1536 - MEM_LENGTH / 2 - 512, 0);
    mem_check(c.guest, 2 * PART, PART / 2, 0x12);
    chain_teardown(&c);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/stream/whole-chain", test_whole_chain);
    g_test_add_data_func("/stream/base", GINT_TO_POINTER(false), test_base);
    g_test_add_data_func("/stream/bottom", GINT_TO_POINTER(true), test_base);
    g_test_add_func("/stream/write-meanwhile", test_write_meanwhile);
    g_test_add_func("/stream/read-meanwhile", test_read_meanwhile);
    g_test_add_data_func("/stream/error/report",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_REPORT),
                         test_error);
    g_test_add_data_func("/stream/error/ignore",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_IGNORE),
                         test_error);
    g_test_add_data_func("/stream/error/stop",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_STOP), test_error);
    g_test_add_func("/stream/disjoint-jobs", test_disjoint_jobs);
    g_test_add_func("/stream/odd-lengths", test_odd_lengths);
    return g_test_run();
}
