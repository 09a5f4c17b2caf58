/*
 * SPDX-License-Identifier: MIT
 *
 * The thread pool: results, order of events, limits, cancelling.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "block/thread-pool.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"

static AioContext *ctx;
static ThreadPool *pool;

typedef struct Job {
    int ran;                    /* atomic */
    int ret;
    bool done;
    BlockAIOCB *acb;
    QemuEvent *gate;
} Job;

static int *active;             /* atomic, jobs that have begun */

static int increment(void *opaque)
{
    Job *job = opaque;

    atomic_inc(&job->ran);
    return 42;
}

static int wait_at_gate(void *opaque)
{
    Job *job = opaque;

    atomic_inc(active);
    qemu_event_wait(job->gate);
    atomic_inc(&job->ran);
    return 1;
}

static int jobs_left;

static void job_done(void *opaque, int ret)
{
    Job *job = opaque;

    g_assert_false(job->done);
    job->done = true;
    job->ret = ret;
    jobs_left--;
}

static void wait_for_jobs(void)
{
    while (jobs_left) {
        aio_poll(ctx, true);
    }
}

static void test_submit(void)
{
    Job job = { .ran = 0 };

    thread_pool_submit(pool, increment, &job);
    while (atomic_mb_read(&job.ran) == 0) {
        aio_poll(ctx, true);
    }
    while (aio_poll(ctx, false)) {
        /* until nothing is left */
    }
    g_assert_cmpint(job.ran, ==, 1);
}

static void test_submit_aio(void)
{
    Job job = { .ret = -EINPROGRESS };

    jobs_left = 1;
    job.acb = thread_pool_submit_aio(pool, increment, &job, job_done, &job);
    /* Never before the next poll. */
    while (atomic_mb_read(&job.ran) == 0) {
        g_usleep(100);
    }
    g_assert_false(job.done);
    wait_for_jobs();
    g_assert_cmpint(job.ret, ==, 42);
}

static void coroutine_fn co_fn(void *opaque)
{
    Job *job = opaque;

    job->ret = thread_pool_submit_co(pool, increment, job);
    jobs_left--;
}

static void test_submit_co(void)
{
    Job job = { .ret = 0 };

    jobs_left = 1;
    qemu_coroutine_enter(qemu_coroutine_create(co_fn, &job));
    g_assert_cmpint(job.ret, ==, 0);
    wait_for_jobs();
    g_assert_cmpint(job.ret, ==, 42);
}

static void test_many(void)
{
    enum { N = 1000 };
    Job *jobs = g_new0(Job, N);

    jobs_left = N;
    for (int i = 0; i < N; i++) {
        thread_pool_submit_aio(pool, increment, &jobs[i], job_done, &jobs[i]);
    }
    wait_for_jobs();
    for (int i = 0; i < N; i++) {
        g_assert_cmpint(jobs[i].ran, ==, 1);
        g_assert_cmpint(jobs[i].ret, ==, 42);
    }
    g_free(jobs);
}

/* Of more long items than workers some run, the others can be cancelled. */
static void test_cancel(void)
{
    enum { N = 100, MAX_WORKERS = 64 };
    Job jobs[N] = { { 0 } };
    QemuEvent gate;
    int begun = 0, cancelled = 0;

    active = &begun;
    qemu_event_init(&gate, false);
    jobs_left = N;
    for (int i = 0; i < N; i++) {
        jobs[i].gate = &gate;
        jobs[i].acb = thread_pool_submit_aio(pool, wait_at_gate, &jobs[i],
                                             job_done, &jobs[i]);
    }
    while (atomic_mb_read(&begun) < MAX_WORKERS) {
        g_usleep(100);
    }
    g_assert_cmpint(jobs_left, ==, N);
    for (int i = 0; i < N; i++) {
        jobs[i].acb->aiocb_info->cancel_async(jobs[i].acb);
    }
    /* No callback from within the cancellation. */
    g_assert_cmpint(jobs_left, ==, N);
    while (jobs_left > MAX_WORKERS) {
        aio_poll(ctx, true);
    }
    g_assert_cmpint(atomic_mb_read(&begun), ==, MAX_WORKERS);
    qemu_event_set(&gate);
    wait_for_jobs();
    for (int i = 0; i < N; i++) {
        if (jobs[i].ret == -ECANCELED) {
            g_assert_cmpint(jobs[i].ran, ==, 0);
            cancelled++;
        } else {
            g_assert_cmpint(jobs[i].ret, ==, 1);
            g_assert_cmpint(jobs[i].ran, ==, 1);
        }
    }
    g_assert_cmpint(cancelled, ==, N - MAX_WORKERS);
    qemu_event_destroy(&gate);
}

static void nested_done(void *opaque, int ret)
{
    job_done(opaque, ret);
    /* The others come through although this one has not returned. */
    wait_for_jobs();
}

static void test_nested_poll(void)
{
    enum { N = 8 };
    Job jobs[N] = { { 0 } };

    jobs_left = N;
    for (int i = 0; i < N; i++) {
        thread_pool_submit_aio(pool, increment, &jobs[i], nested_done,
                               &jobs[i]);
    }
    for (int i = 0; i < N; i++) {
        while (atomic_mb_read(&jobs[i].ran) == 0) {
            g_usleep(100);
        }
    }
    wait_for_jobs();
}

/* With one worker items run one after the other, in order. */
static int sequence;

static int take_number(void *opaque)
{
    return atomic_fetch_inc(&sequence);
}

static void test_limits(void)
{
    AioContext *other = aio_context_new(&error_abort);
    Job jobs[50] = { { 0 } };
    ThreadPool *p;

    aio_context_set_thread_pool_params(other, 1, 1, &error_abort);
    p = aio_get_thread_pool(other);
    g_assert_true(p == aio_get_thread_pool(other));
    jobs_left = ARRAY_SIZE(jobs);
    for (int i = 0; i < ARRAY_SIZE(jobs); i++) {
        thread_pool_submit_aio(p, take_number, NULL, job_done, &jobs[i]);
    }
    while (jobs_left) {
        aio_poll(other, true);
    }
    for (int i = 0; i < ARRAY_SIZE(jobs); i++) {
        g_assert_cmpint(jobs[i].ret, ==, i);
    }
    /* Ends the workers. */
    aio_context_unref(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    ctx = qemu_get_aio_context();
    pool = aio_get_thread_pool(ctx);
    g_test_add_func("/thread-pool/submit", test_submit);
    g_test_add_func("/thread-pool/submit-aio", test_submit_aio);
    g_test_add_func("/thread-pool/submit-co", test_submit_co);
    g_test_add_func("/thread-pool/many", test_many);
    g_test_add_func("/thread-pool/cancel", test_cancel);
    g_test_add_func("/thread-pool/nested-poll", test_nested_poll);
    g_test_add_func("/thread-pool/limits", test_limits);
    return g_test_run();
}
