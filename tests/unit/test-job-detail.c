/*
 * SPDX-License-Identifier: MIT
 *
 * What queries tell about the speed of a job: the rate is that of data, to
 * which holes that are skipped don't add, and the time that is left goes by
 * it.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "block/blockjob_int.h"
#include "qapi/qapi-commands-block-core.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"

#define CLUSTER 65536
/* Holes come first. */
#define HOLE    (MEM_LENGTH / 2)
#define DATA    (MEM_LENGTH - HOLE)

/* A chain of three, of which the middle one has data, and a node besides. */
typedef struct Setup {
    BlockDriverState *top, *middle, *base, *other;
} Setup;

static BlockDriverState *make_node(const char *name, BlockDriverState *backing)
{
    BlockDriverState *bs = mem_node(name);

    mem_state(bs)->cluster_size = CLUSTER;
    if (backing) {
        bdrv_set_backing_hd(bs, backing, &error_abort);
    }
    return bs;
}

static void setup(Setup *t)
{
    t->base = make_node("base", NULL);
    t->middle = make_node("middle", t->base);
    t->top = make_node("top", t->middle);
    t->other = make_node("other", NULL);
    mem_fill(t->middle, HOLE, DATA, 0x55);
}

static void teardown(Setup *t)
{
    g_assert_null(block_job_next(NULL));
    bdrv_unref(t->top);
    bdrv_unref(t->middle);
    bdrv_unref(t->base);
    bdrv_unref(t->other);
    g_assert_null(bdrv_next_all_states(NULL));
}

/* ---- Jobs that move the data; they return the node that gets them ---- */

static BlockDriverState *start_backup(Setup *t)
{
    BackupJobConfig cfg = {
        .job_id = "job0", .bs = t->top, .target = t->other,
        .sync_mode = MIRROR_SYNC_MODE_FULL, .max_workers = 1,
        .max_chunk = CLUSTER, .creation_flags = BLOCK_JOB_MANUAL_FINALIZE,
    };

    block_job_start(backup_job_create(&cfg, &error_abort));
    return t->other;
}

static BlockDriverState *start_mirror(Setup *t)
{
    MirrorJobConfig cfg = {
        .job_id = "job0", .bs = t->top, .target = t->other,
        .sync_mode = MIRROR_SYNC_MODE_FULL, .granularity = CLUSTER,
        .buf_size = CLUSTER, .backing_mode = MIRROR_LEAVE_BACKING_CHAIN,
        .auto_complete = true, .creation_flags = BLOCK_JOB_MANUAL_FINALIZE,
    };

    g_assert_true(mirror_start_job(&cfg, &error_abort));
    return t->other;
}

static BlockDriverState *start_commit(Setup *t)
{
    CommitJobConfig cfg = {
        .job_id = "job0", .bs = t->top, .top = t->middle, .base = t->base,
        .creation_flags = BLOCK_JOB_MANUAL_FINALIZE,
    };

    g_assert_true(commit_start_job(&cfg, &error_abort));
    return t->base;
}

static BlockDriverState *start_stream(Setup *t)
{
    StreamJobConfig cfg = {
        .job_id = "job0", .bs = t->top,
        .creation_flags = BLOCK_JOB_MANUAL_FINALIZE,
    };

    g_assert_true(stream_start_job(&cfg, &error_abort));
    return t->top;
}

typedef BlockDriverState *StartFunc(Setup *t);

/* ---- Helpers ---- */

static BlockJobInfo *query(void)
{
    BlockJobInfoList *list = qmp_query_block_jobs(true, true, &error_abort);
    BlockJobInfo *info = list->value;

    g_assert_null(list->next);
    list->value = NULL;
    g_free(list);
    return info;
}

/* No rate is told for a span of no time. */
static void let_time_pass(void)
{
    int64_t now = get_clock_coarse();

    while (get_clock_coarse() == now) {
        aio_poll(qemu_get_aio_context(), false);
    }
}

static void wait_held(BlockDriverState *bs)
{
    while (!mem_state(bs)->held) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

static int64_t copied(void)
{
    BlockJob *job = block_job_get("job0");

    return job->driver->copied_bytes(job);
}

static void finalize(void)
{
    BlockJob *job = block_job_get("job0");

    while (job->status != BLOCK_JOB_STATUS_PENDING) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(copied(), ==, DATA);
    g_assert_cmpint(job->offset, ==, job->len);
    block_job_finalize(job, &error_abort);
    while (block_job_get("job0")) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

/* ---- Tests ---- */

/* All holes are behind it, no data are copied yet: nothing can be said. */
static void test_holes(gconstpointer opaque)
{
    StartFunc *start = (StartFunc *)opaque;
    BlockDriverState *target;
    BlockJobInfo *info;
    Setup t;

    setup(&t);
    mem_state(t.other)->hold = mem_state(t.base)->hold =
        mem_state(t.top)->hold = "w";
    target = start(&t);
    wait_held(target);
    let_time_pass();
    info = query();
    g_assert_cmpint(info->len - info->offset, ==, DATA);
    g_assert_true(info->has_rate && !info->has_eta);
    g_assert_cmpint(info->rate, ==, 0);
    g_assert_cmpint(copied(), ==, 0);
    qapi_free_BlockJobInfo(info);

    mem_release(target);
    finalize();
    teardown(&t);
}

/* One cluster is copied, and all that is left may be data. */
static void test_eta(void)
{
    BlockDriverState *target;
    BlockJobInfo *info;
    Setup t;

    setup(&t);
    mem_state(t.other)->hold = "w";
    target = start_backup(&t);
    wait_held(target);
    /* The first one ends, the second one does not begin. */
    mem_state(t.middle)->hold = "r";
    mem_release(target);
    wait_held(t.middle);
    let_time_pass();
    info = query();
    g_assert_cmpint(copied(), ==, CLUSTER);
    g_assert_cmpint(info->rate, >, 0);
    g_assert_true(info->has_eta);
    g_assert_cmpint(info->eta, ==,
                    DIV_ROUND_UP(DATA - CLUSTER, info->rate));
    qapi_free_BlockJobInfo(info);

    mem_release(t.middle);
    finalize();
    teardown(&t);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_data_func("/job-detail/holes/backup", start_backup, test_holes);
    g_test_add_data_func("/job-detail/holes/mirror", start_mirror, test_holes);
    g_test_add_data_func("/job-detail/holes/commit", start_commit, test_holes);
    g_test_add_data_func("/job-detail/holes/stream", start_stream, test_holes);
    g_test_add_func("/job-detail/eta", test_eta);
    return g_test_run();
}
