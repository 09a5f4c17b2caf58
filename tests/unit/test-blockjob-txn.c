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

static const BlockJobDriver txn_job_driver = {
    .instance_size = sizeof(TxnJob),
    .start = txn_job_run,
    .prepare = txn_job_prepare,
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

static void test_prepare_failure(void)
{
    BlockJobTxn *txn = block_job_txn_new();
    int seen1, seen2;
    TxnJob *a = txn_job("job0", 1, true, 0, &seen1, txn);
    TxnJob *b = txn_job("job1", 1, true, 0, &seen2, txn);

    b->fail_prepare = true;
    block_job_start(&a->common);
    block_job_start(&b->common);
    wait_for(&seen1, &seen2);
    g_assert_cmpint(seen1, <, 0);
    g_assert_cmpint(seen2, ==, -ENOSPC);
    block_job_txn_unref(txn);
}

int main(int argc, char **argv)
{
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
    return g_test_run();
}
