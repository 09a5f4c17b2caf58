/*
 * SPDX-License-Identifier: MIT
 *
 * Transactions of jobs: all succeed, or the first failure cancels the others.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"

typedef struct TxnJob {
    BlockJob common;
    int yields;             /* before the end */
    bool sleeps;            /* rather than waits for block_job_enter() */
    int result;
    int *seen;              /* what the callback was told */
    bool fail_prepare;
} TxnJob;

/* The hooks that were called at the end, of all jobs, in their order. */
static GString *hooks;

static void txn_job_deferred(BlockJob *job, void *opaque)
{
    TxnJob *s = container_of(job, TxnJob, common);
    BlockDriverState *bs = blk_bs(job->blk);

    block_job_completed(job, block_job_is_cancelled(job) ? -ECANCELED
                                                         : s->result);
    bdrv_unref(bs);
}

static void coroutine_fn txn_job_run(void *opaque)
{
    TxnJob *s = opaque;

    while (s->yields-- > 0) {
        if (s->sleeps) {
            block_job_sleep_ns(&s->common, 0);
        } else {
            block_job_yield(&s->common);
        }
        if (block_job_is_cancelled(&s->common)) {
            break;
        }
    }
    block_job_defer_to_main_loop(&s->common, txn_job_deferred, NULL);
}

static int txn_job_prepare(BlockJob *job)
{
    return container_of(job, TxnJob, common)->fail_prepare ? -ENOSPC : 0;
}

static void txn_job_commit(BlockJob *job)
{
    g_assert_cmpint(job->ret, ==, 0);
    g_string_append(hooks, "commit ");
}

static void txn_job_abort(BlockJob *job)
{
    g_assert_cmpint(job->ret, !=, 0);
    g_string_append(hooks, "abort ");
}

static void txn_job_clean(BlockJob *job)
{
    g_string_append(hooks, "clean ");
}

static const BlockJobDriver txn_job_driver = {
    .instance_size = sizeof(TxnJob),
    .start = txn_job_run,
    .prepare = txn_job_prepare,
    .commit = txn_job_commit,
    .abort = txn_job_abort,
    .clean = txn_job_clean,
};

static void txn_job_cb(void *opaque, int ret)
{
    TxnJob *s = opaque;

    if (ret == 0 && block_job_is_cancelled(&s->common)) {
        ret = -ECANCELED;
    }
    *s->seen = ret;
}

static TxnJob *txn_job(const char *id, int yields, bool sleeps, int result,
                       int *seen, BlockJobTxn *txn)
{
    BlockDriverState *bs = bdrv_open("null-co://", NULL, NULL, 0,
                                     &error_abort);
    TxnJob *s = block_job_create(id, &txn_job_driver, txn, bs, 0, BLK_PERM_ALL,
                                 0, BLOCK_JOB_DEFAULT, NULL, NULL,
                                 &error_abort);

    s->common.cb = txn_job_cb;
    s->common.opaque = s;
    s->yields = yields;
    s->sleeps = sleeps;
    s->result = result;
    s->seen = seen;
    *seen = -EINPROGRESS;
    return s;
}

static void wait_for(int *a, int *b)
{
    while (*a == -EINPROGRESS || *b == -EINPROGRESS) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

static void single(int result, int expected)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen, done = 0;
    TxnJob *s = txn_job("job0", 1, true, result, &seen, txn);

    block_job_start(&s->common);
    if (expected == -ECANCELED) {
        block_job_cancel(&s->common, false);
    }
    wait_for(&seen, &done);
    g_assert_cmpint(seen, ==, expected);
    block_job_txn_unref(txn);
}

static void test_single_success(void)
{
    single(0, 0);
}

static void test_single_failure(void)
{
    single(-EIO, -EIO);
}

static void test_single_cancel(void)
{
    single(0, -ECANCELED);
}

static void pair(int result1, int result2, int expected1, int expected2)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen1, seen2;
    TxnJob *a = txn_job("job0", 1, true, result1, &seen1, txn);
    TxnJob *b = txn_job("job1", 2, true, result2, &seen2, txn);

    block_job_start(&a->common);
    block_job_start(&b->common);
    /* The jobs keep it. */
    block_job_txn_unref(txn);
    if (expected1 == -ECANCELED && result1 == -ECANCELED) {
        block_job_cancel(&a->common, false);
    }
    if (expected2 == -ECANCELED && result2 == -ECANCELED) {
        block_job_cancel(&b->common, false);
    }
    wait_for(&seen1, &seen2);
    g_assert_cmpint(seen1, ==, expected1);
    g_assert_cmpint(seen2, ==, expected2);
}

static void test_pair_success(void)
{
    pair(0, 0, 0, 0);
}

static void test_pair_failure(void)
{
    pair(-EIO, 0, -EIO, -ECANCELED);
    pair(0, -EIO, -ECANCELED, -EIO);
}

static void test_pair_cancel(void)
{
    pair(-ECANCELED, 0, -ECANCELED, -ECANCELED);
    pair(0, -ECANCELED, -ECANCELED, -ECANCELED);
}

/* One job is cancelled, the other ends before the main loop knows. */
static void test_pair_race(void)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen1, seen2;
    TxnJob *a = txn_job("job0", 1, true, -ECANCELED, &seen1, txn);
    TxnJob *b = txn_job("job1", 2, false, 0, &seen2, txn);

    block_job_start(&a->common);
    block_job_start(&b->common);
    block_job_cancel(&a->common, false);
    block_job_enter(&b->common);
    block_job_enter(&b->common);
    wait_for(&seen1, &seen2);
    g_assert_cmpint(seen1, ==, -ECANCELED);
    g_assert_cmpint(seen2, ==, -ECANCELED);
    block_job_txn_unref(txn);
}

/* Nothing is committed, whichever job fails and whichever ends last. */
static void prepare_failure(int yields_a, int yields_b, bool a_fails)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen_a, seen_b;
    TxnJob *a = txn_job("job0", yields_a, true, 0, &seen_a, txn);
    TxnJob *b = txn_job("job1", yields_b, true, 0, &seen_b, txn);

    a->fail_prepare = a_fails;
    b->fail_prepare = !a_fails;
    block_job_start(&a->common);
    block_job_start(&b->common);
    block_job_txn_unref(txn);
    g_string_truncate(hooks, 0);
    wait_for(&seen_a, &seen_b);
    g_assert_cmpint(seen_a, ==, a_fails ? -ENOSPC : -ECANCELED);
    g_assert_cmpint(seen_b, ==, a_fails ? -ECANCELED : -ENOSPC);
    g_assert_cmpstr(hooks->str, ==, "abort clean abort clean ");
}

static void test_prepare_failure(void)
{
    prepare_failure(1, 2, true);
    prepare_failure(1, 2, false);
    prepare_failure(2, 1, true);
    prepare_failure(2, 1, false);
}

/* A job that has handed over to the main loop takes its transaction along
 * before the cancel returns. */
static void test_cancel_handed_over(void)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen_a, seen_b;
    TxnJob *a = txn_job("job0", 0, true, 0, &seen_a, txn);
    TxnJob *b = txn_job("job1", INT_MAX, false, 0, &seen_b, txn);

    block_job_txn_unref(txn);
    block_job_start(&b->common);
    block_job_start(&a->common);
    g_assert_true(a->common.deferred_to_main_loop);
    g_assert_false(a->common.completed);
    g_string_truncate(hooks, 0);
    block_job_cancel(&a->common, false);
    g_assert_cmpint(seen_a, ==, -ECANCELED);
    g_assert_cmpint(seen_b, ==, -ECANCELED);
    g_assert_cmpstr(hooks->str, ==, "abort clean abort clean ");
    g_assert_null(block_job_next(NULL));
}

int main(int argc, char **argv)
{
    int ret;

    qemu_init_main_loop(&error_abort);
    bdrv_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/txn/single/success", test_single_success);
    g_test_add_func("/txn/single/failure", test_single_failure);
    g_test_add_func("/txn/single/cancel", test_single_cancel);
    g_test_add_func("/txn/pair/success", test_pair_success);
    g_test_add_func("/txn/pair/failure", test_pair_failure);
    g_test_add_func("/txn/pair/cancel", test_pair_cancel);
    g_test_add_func("/txn/pair/race", test_pair_race);
    g_test_add_func("/txn/prepare-failure", test_prepare_failure);
    g_test_add_func("/txn/cancel-handed-over", test_cancel_handed_over);
    hooks = g_string_new(NULL);
    ret = g_test_run();
    g_string_free(hooks, true);
    return ret;
}
