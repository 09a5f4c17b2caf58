/*
 * SPDX-License-Identifier: MIT
 *
 * Drained sections: docs/devel/drain.rst, rule by rule.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "iothread.h"
#include "block/blockjob_int.h"
#include "qemu/main-loop.h"

enum { NODE, SUBTREE, ALL, KINDS };
static const char *const kind_names[] = { "node", "subtree", "all" };

static void begin(int kind, BlockDriverState *bs)
{
    switch (kind) {
    case NODE:
        bdrv_drained_begin(bs);
        break;
    case SUBTREE:
        bdrv_subtree_drained_begin(bs);
        break;
    default:
        bdrv_drain_all_begin();
        break;
    }
}

static void end(int kind, BlockDriverState *bs)
{
    switch (kind) {
    case NODE:
        bdrv_drained_end(bs);
        break;
    case SUBTREE:
        bdrv_subtree_drained_end(bs);
        break;
    default:
        bdrv_drain_all_end();
        break;
    }
}

/* Drain-all sections do not count in quiesce_counter. */
static void expect(BlockDriverState *bs, int sections, int all_sections)
{
    g_assert_cmpint(bs->quiesce_counter, ==, sections);
    g_assert_cmpint(mem_state(bs)->drained, ==, sections + all_sections);
}

/* blk over top over base */
typedef struct Chain {
    BlockBackend *blk;
    BlockDriverState *top;
    BlockDriverState *base;
} Chain;

static Chain chain_new(void)
{
    Chain c = { .top = mem_node("top"), .base = mem_node("base") };

    bdrv_set_backing_hd(c.top, c.base, &error_abort);
    c.blk = mem_blk(c.top);
    return c;
}

static void chain_free(Chain *c)
{
    AioContext *ctx = bdrv_get_aio_context(c->top);

    aio_context_acquire(ctx);
    blk_unref(c->blk);
    bdrv_unref(c->top);
    bdrv_unref(c->base);
    aio_context_release(ctx);
    g_assert_null(bdrv_next_all_states(NULL));
}

/* ---- Hooks and counters ---- */

static void test_hooks(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    int all = kind == ALL, below = kind == SUBTREE;

    begin(kind, c.top);
    expect(c.top, !all, all);
    expect(c.base, below, all);
    end(kind, c.top);
    expect(c.top, 0, 0);
    expect(c.base, 0, 0);
    chain_free(&c);
}

static void test_hooks_that_yield(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    int all = kind == ALL;

    mem_state(c.top)->slow_drain = true;
    begin(kind, c.top);
    expect(c.top, !all, all);
    end(kind, c.top);
    expect(c.top, 0, 0);
    chain_free(&c);
}

/* A section on a node reaches all nodes above. */
static void test_parents(void)
{
    Chain c = chain_new();

    bdrv_drained_begin(c.base);
    expect(c.base, 1, 0);
    expect(c.top, 1, 0);
    bdrv_drained_end(c.base);
    expect(c.top, 0, 0);
    chain_free(&c);
}

static void test_nested(void)
{
    int outer, inner;

    for (outer = 0; outer < KINDS; outer++) {
        for (inner = 0; inner < KINDS; inner++) {
            Chain c = chain_new();
            int all = (outer == ALL) + (inner == ALL);
            int below = (outer == SUBTREE) + (inner == SUBTREE);

            begin(outer, c.top);
            begin(inner, c.top);
            expect(c.top, 2 - all, all);
            expect(c.base, below, all);
            end(inner, c.top);
            expect(c.top, outer != ALL, outer == ALL);
            expect(c.base, outer == SUBTREE, outer == ALL);
            end(outer, c.top);
            expect(c.top, 0, 0);
            expect(c.base, 0, 0);
            chain_free(&c);
        }
    }
}

/* Sections need not end in the reverse order of their beginning. */
static void test_crossed(void)
{
    Chain c = chain_new();

    bdrv_subtree_drained_begin(c.top);
    bdrv_drained_begin(c.base);
    bdrv_drain_all_begin();
    expect(c.top, 2, 1);
    expect(c.base, 2, 1);
    bdrv_subtree_drained_end(c.top);
    expect(c.top, 1, 1);
    expect(c.base, 1, 1);
    bdrv_drain_all_end();
    expect(c.top, 1, 0);
    bdrv_drained_end(c.base);
    expect(c.top, 0, 0);
    expect(c.base, 0, 0);
    chain_free(&c);
}

static void test_two_parents(void)
{
    Chain c = chain_new();
    BlockDriverState *other = mem_node("other");

    bdrv_set_backing_hd(other, c.base, &error_abort);
    bdrv_subtree_drained_begin(c.top);
    expect(c.top, 1, 0);
    expect(other, 1, 0);
    expect(c.base, 1, 0);
    bdrv_subtree_drained_begin(other);
    expect(c.top, 2, 0);
    expect(other, 2, 0);
    expect(c.base, 2, 0);
    bdrv_subtree_drained_end(c.top);
    bdrv_subtree_drained_end(other);
    expect(c.top, 0, 0);
    expect(other, 0, 0);
    expect(c.base, 0, 0);
    bdrv_unref(other);
    chain_free(&c);
}

/* ---- Changes of the graph ---- */

static void test_attach_detach(void)
{
    Chain c = chain_new();
    BlockDriverState *other = mem_node("other");
    const int m = 2, n = 3;
    int i;

    for (i = 0; i < m; i++) {
        bdrv_subtree_drained_begin(c.top);
    }
    for (i = 0; i < n; i++) {
        bdrv_subtree_drained_begin(other);
    }
    expect(c.top, m, 0);
    expect(c.base, m, 0);
    expect(other, n, 0);

    bdrv_set_backing_hd(other, c.base, &error_abort);
    expect(c.top, m + n, 0);
    expect(c.base, m + n, 0);
    expect(other, m + n, 0);

    bdrv_set_backing_hd(other, NULL, &error_abort);
    expect(c.top, m, 0);
    expect(c.base, m, 0);
    expect(other, n, 0);

    bdrv_set_backing_hd(other, c.base, &error_abort);
    for (i = 0; i < n; i++) {
        bdrv_subtree_drained_end(other);
    }
    expect(c.top, m, 0);
    expect(other, m, 0);
    for (i = 0; i < m; i++) {
        bdrv_subtree_drained_end(c.top);
    }
    expect(c.top, 0, 0);
    expect(c.base, 0, 0);
    expect(other, 0, 0);
    bdrv_unref(other);
    chain_free(&c);
}

/* A parent that joins a drained node sends nothing. */
static void test_attach_blk(void)
{
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        BlockDriverState *bs = mem_node("node");
        BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);
        MemRequest *req;

        begin(kind, bs);
        blk_insert_bs(blk, bs, &error_abort);
        req = mem_start(blk, 'r', 0, 512, 0, 0);
        while (aio_poll(qemu_get_aio_context(), false)) {
            /* all there is to do */
        }
        g_assert_false(mem_done(req));
        mem_expect_log(bs, "");
        end(kind, bs);
        g_assert_cmpint(mem_finish(req), ==, 0);
        mem_expect_log(bs, "r0+512");
        blk_unref(blk);
        bdrv_unref(bs);
    }
}

static void test_node_in_drain_all(void)
{
    BlockDriverState *bs;

    bdrv_drain_all_begin();
    bdrv_drain_all_begin();
    bs = mem_node("new");
    expect(bs, 0, 2);
    bdrv_drain_all_end();
    expect(bs, 0, 1);
    bdrv_drain_all_end();
    expect(bs, 0, 0);
    bdrv_unref(bs);

    bs = mem_node("old");
    bdrv_drain_all_begin();
    bdrv_unref(bs);
    bdrv_drain_all_end();
    g_assert_null(bdrv_next_all_states(NULL));
}

static int drained_at_close;
static void (*real_close)(BlockDriverState *bs);

static void watch_close(BlockDriverState *bs)
{
    drained_at_close = mem_state(bs)->drained;
    real_close(bs);
}

static void test_close(void)
{
    BlockDriverState *bs = mem_node("node");

    real_close = mem_format.bdrv_close;
    mem_format.bdrv_close = watch_close;
    bdrv_unref(bs);
    mem_format.bdrv_close = real_close;
    g_assert_cmpint(drained_at_close, >, 0);
}

/* ---- Requests in flight ---- */

static void release_bh(void *opaque)
{
    mem_release(opaque);
}

typedef struct Completion {
    int ret;
    bool called;
    void (*fn)(void);   /* what to do then */
} Completion;

static void complete(void *opaque, int ret)
{
    Completion *c = opaque;

    c->ret = ret;
    c->called = true;
    if (c->fn) {
        c->fn();
    }
}

static uint8_t one_sector[512];
static QEMUIOVector sector_qiov =
    QEMU_IOVEC_INIT_BUF(sector_qiov, one_sector, sizeof(one_sector));

static void test_wait(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    bool fails;

    for (fails = false; ; fails = true) {
        Chain c = chain_new();
        Completion done = { 0 };
        int all = kind == ALL;

        mem_state(c.top)->hold = "r";
        mem_state(c.top)->fail = fails ? "r" : "";
        blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
        aio_poll(qemu_get_aio_context(), false);
        g_assert_cmpint(mem_state(c.top)->held, ==, 1);
        aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.top);

        begin(kind, c.top);
        g_assert_true(done.called);
        g_assert_cmpint(done.ret, ==, fails ? -EIO : 0);
        expect(c.top, !all, all);
        end(kind, c.top);
        expect(c.top, 0, 0);
        chain_free(&c);
        if (fails) {
            break;
        }
    }
}

/* The request of a parent node, here one that reads from the backing node. */
static void test_wait_for_parent(void)
{
    Chain c = chain_new();
    Completion done = { 0 };

    mem_state(c.base)->hold = "r";
    blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
    aio_poll(qemu_get_aio_context(), false);
    g_assert_cmpint(mem_state(c.base)->held, ==, 1);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.base);
    bdrv_drained_begin(c.base);
    g_assert_true(done.called);
    g_assert_cmpint(c.top->in_flight, ==, 0);
    bdrv_drained_end(c.base);
    chain_free(&c);
}

/* A callback may drain the node of its request and change the graph; it is not
 * waited for by its own section, but by those of others. */
static Chain *own_chain;
static int own_kind;

static void drain_own(void)
{
    begin(own_kind, own_chain->top);
    bdrv_set_backing_hd(own_chain->top, NULL, &error_abort);
    end(own_kind, own_chain->top);
}

static void test_by_callback(const void *opaque)
{
    bool later;

    own_kind = GPOINTER_TO_INT(opaque);
    for (later = false; ; later = true) {
        Chain c = chain_new();
        Completion done = { .fn = drain_own };

        own_chain = &c;
        if (later) {
            mem_state(c.top)->hold = "r";
        }
        blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
        if (later) {
            aio_poll(qemu_get_aio_context(), false);
            aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.top);
        }
        bdrv_drained_begin(c.top);
        g_assert_true(done.called);
        g_assert_null(c.top->backing);
        bdrv_drained_end(c.top);
        expect(c.top, 0, 0);
        expect(c.base, 0, 0);
        chain_free(&c);
        if (later) {
            break;
        }
    }
}

/* What a completion starts is waited for as well. */
static BlockBackend *next_blk;
static Completion next_done;

static void start_next(void)
{
    blk_set_disable_request_queuing(next_blk, true);
    blk_aio_preadv(next_blk, 0, &sector_qiov, 0, complete, &next_done);
}

static void test_wait_for_more(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    Completion done = { .fn = start_next };

    next_blk = c.blk;
    next_done = (Completion) { 0 };
    mem_state(c.top)->hold = "r";
    blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
    aio_poll(qemu_get_aio_context(), false);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.top);
    begin(kind, c.top);
    g_assert_true(done.called);
    g_assert_true(next_done.called);
    end(kind, c.top);
    chain_free(&c);
}

/* New requests wait until the end. */
static void test_queue(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    MemRequest *req;

    begin(kind, c.top);
    req = mem_start(c.blk, 'w', 0, 512, 1, 0);
    while (aio_poll(qemu_get_aio_context(), false)) {
        /* all there is to do */
    }
    g_assert_false(mem_done(req));
    mem_expect_log(c.top, "");
    end(kind, c.top);
    g_assert_cmpint(mem_finish(req), ==, 0);
    mem_expect_log(c.top, "w0+512");
    chain_free(&c);
}

/* ---- The graph changes while a section waits ---- */

static void detach_backing(void *opaque)
{
    bdrv_set_backing_hd(opaque, NULL, &error_abort);
}

static void test_detach_meanwhile(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    Completion done = { 0 };
    int all = kind == ALL;

    mem_state(c.top)->hold = "r";
    blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
    aio_poll(qemu_get_aio_context(), false);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), detach_backing, c.top);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.top);
    begin(kind, c.top);
    g_assert_true(done.called);
    g_assert_null(c.top->backing);
    expect(c.top, !all, all);
    expect(c.base, 0, all);
    end(kind, c.top);
    expect(c.top, 0, 0);
    expect(c.base, 0, 0);
    chain_free(&c);
}

typedef struct Parent {
    BlockBackend *blk;
    BlockDriverState *bs;
} Parent;

static void delete_parent(void *opaque)
{
    Parent *p = opaque;

    blk_unref(p->blk);
    bdrv_unref(p->bs);
}

/* The parent of the drained node goes away with its requests in flight. */
static void test_delete_meanwhile(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    Parent parent = { .bs = mem_node("parent") };
    Completion done = { 0 };
    int all = kind == ALL;

    bdrv_set_backing_hd(parent.bs, c.base, &error_abort);
    parent.blk = mem_blk(parent.bs);
    mem_state(c.base)->hold = "r";
    blk_aio_preadv(parent.blk, 0, &sector_qiov, 0, complete, &done);
    aio_poll(qemu_get_aio_context(), false);
    g_assert_cmpint(mem_state(c.base)->held, ==, 1);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), delete_parent, &parent);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), release_bh, c.base);
    begin(kind, c.base);
    g_assert_true(done.called);
    g_assert_null(bdrv_find_node("parent"));
    expect(c.base, !all, all);
    end(kind, c.base);
    expect(c.base, 0, 0);
    chain_free(&c);
}

/* ---- Coroutines ---- */

typedef struct CoSection {
    int kind;
    Chain c;
} CoSection;

static void coroutine_fn section_in_coroutine(void *opaque)
{
    CoSection *s = opaque;
    int all = s->kind == ALL;

    begin(s->kind, s->c.top);
    expect(s->c.top, !all, all);
    begin(s->kind, s->c.top);
    expect(s->c.top, 2 * !all, 2 * all);
    end(s->kind, s->c.top);
    end(s->kind, s->c.top);
    expect(s->c.top, 0, 0);
    bdrv_co_drain(s->c.top);
}

static void test_coroutine(const void *opaque)
{
    CoSection s = { .kind = GPOINTER_TO_INT(opaque), .c = chain_new() };

    mem_run_co(section_in_coroutine, &s);
    chain_free(&s.c);
}

/* ---- Nodes in other threads ---- */

static void test_iothread(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    IOThread *thread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(thread);
    Chain c = chain_new();
    int all = kind == ALL, i;

    blk_set_aio_context(c.blk, ctx, &error_abort);
    for (i = 0; i < 20; i++) {
        Completion done = { 0 };

        mem_state(c.top)->hold = "r";
        mem_state(c.top)->slow_drain = i % 3 == 0;
        aio_context_acquire(ctx);
        blk_aio_preadv(c.blk, 0, &sector_qiov, 0, complete, &done);
        aio_context_release(ctx);
        while (!atomic_read(&mem_state(c.top)->held)) {
            g_thread_yield();
        }
        aio_bh_schedule_oneshot(ctx, release_bh, c.top);
        if (!all) {
            aio_context_acquire(ctx);
        }
        begin(kind, c.top);
        g_assert_true(done.called);
        expect(c.top, !all, all);
        expect(c.base, kind == SUBTREE, all);
        end(kind, c.top);
        expect(c.top, 0, 0);
        if (!all) {
            aio_context_release(ctx);
        }
    }
    aio_context_acquire(ctx);
    blk_set_aio_context(c.blk, qemu_get_aio_context(), &error_abort);
    aio_context_release(ctx);
    chain_free(&c);
    iothread_join(thread);
}

/* A section moves with its nodes. */
static void test_move_inside(void)
{
    IOThread *thread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(thread);
    Chain c = chain_new();
    MemRequest *req;

    bdrv_drain_all_begin();
    bdrv_drained_begin(c.top);
    blk_set_aio_context(c.blk, ctx, &error_abort);
    aio_context_acquire(ctx);
    expect(c.top, 1, 1);
    bdrv_drained_end(c.top);
    aio_context_release(ctx);
    bdrv_drain_all_end();
    g_assert_cmpint(ctx->external_disable_cnt, ==, 0);
    g_assert_cmpint(qemu_get_aio_context()->external_disable_cnt, ==, 0);

    req = mem_start(c.blk, 'r', 0, 512, 0, 0);
    aio_context_acquire(ctx);
    g_assert_cmpint(mem_finish(req), ==, 0);
    blk_set_aio_context(c.blk, qemu_get_aio_context(), &error_abort);
    aio_context_release(ctx);
    chain_free(&c);
    iothread_join(thread);
}

/* ---- External handlers ---- */

typedef struct External {
    EventNotifier e;
    int calls;
} External;

static void external_handler(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    container_of(e, External, e)->calls++;
}

static void test_external(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    External ext = { .calls = 0 };
    AioContext *ctx = qemu_get_aio_context();
    Chain c = chain_new();

    event_notifier_init(&ext.e, false);
    aio_set_event_notifier(ctx, &ext.e, true, external_handler, NULL);
    begin(kind, c.top);
    event_notifier_set(&ext.e);
    while (aio_poll(ctx, false)) {
        /* all there is to do */
    }
    g_assert_cmpint(ext.calls, ==, 0);
    end(kind, c.top);
    while (!ext.calls) {
        aio_poll(ctx, true);
    }
    aio_set_event_notifier(ctx, &ext.e, true, NULL, NULL);
    event_notifier_cleanup(&ext.e);
    chain_free(&c);
}

/* ---- Other parents ---- */

typedef struct DevUser {
    int begun;
    int polls;          /* busy for so many polls yet */
} DevUser;

static void dev_begin(void *opaque)
{
    ((DevUser *)opaque)->begun++;
}

static void dev_end(void *opaque)
{
    ((DevUser *)opaque)->begun--;
}

static void poll_bh(void *opaque)
{
    DevUser *user = opaque;

    if (--user->polls > 0) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), poll_bh, user);
    }
}

static bool dev_poll(void *opaque)
{
    return ((DevUser *)opaque)->polls > 0;
}

static const BlockDevOps dev_ops = {
    .drained_begin = dev_begin,
    .drained_end = dev_end,
    .drained_poll = dev_poll,
};

/* Users are told once and asked until they are idle. */
static void test_user(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    DevUser user = { .polls = 5 };

    blk_set_dev_ops(c.blk, &dev_ops, &user);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), poll_bh, &user);
    begin(kind, c.top);
    g_assert_cmpint(user.polls, ==, 0);
    g_assert_cmpint(user.begun, ==, 1);
    begin(kind, c.top);
    end(kind, c.top);
    g_assert_cmpint(user.begun, ==, 1);
    end(kind, c.top);
    g_assert_cmpint(user.begun, ==, 0);
    blk_set_dev_ops(c.blk, NULL, NULL);
    chain_free(&c);
}

/* ---- Jobs ---- */

typedef struct TestJob {
    BlockJob common;
    bool stop;
    int rounds;
    const int *drain;       /* how to drain its node, or NULL */
    bool drained;
} TestJob;

static void test_job_exit(BlockJob *job, void *opaque)
{
    block_job_completed(job, 0);
}

static void coroutine_fn test_job_start(void *opaque)
{
    TestJob *job = opaque;

    if (job->drain) {
        begin(*job->drain, blk_bs(job->common.blk));
        g_assert_cmpint(job->common.pause_count, ==, 1);
        end(*job->drain, blk_bs(job->common.blk));
        job->drained = true;
    }
    while (!job->stop) {
        job->rounds++;
        block_job_yield(&job->common);
    }
    block_job_defer_to_main_loop(&job->common, test_job_exit, NULL);
}

static void test_job_complete(BlockJob *job, Error **errp)
{
    container_of(job, TestJob, common)->stop = true;
    block_job_enter(job);
}

static const BlockJobDriver test_job_driver = {
    .instance_size = sizeof(TestJob),
    .job_type = BLOCK_JOB_TYPE_MIRROR,
    .start = test_job_start,
    .complete = test_job_complete,
};

/* A section holds a job once for each of the job's nodes it reaches. */
static void test_job(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque), i;
    Chain c = chain_new();
    BlockDriverState *target = mem_node("target");
    BlockDriverState *const nodes[] = { c.top, target };
    TestJob *job = block_job_create("job0", &test_job_driver, NULL, c.top, 0,
                                    BLK_PERM_ALL, 0, BLOCK_JOB_DEFAULT, NULL,
                                    NULL, &error_abort);

    block_job_add_bdrv(&job->common, "target", target, 0, BLK_PERM_ALL,
                       &error_abort);
    block_job_start(&job->common);
    g_assert_cmpint(job->rounds, ==, 1);
    for (i = 0; i < 2; i++) {
        int rounds = job->rounds;

        begin(kind, nodes[i]);
        g_assert_cmpint(job->common.pause_count, ==, kind == ALL ? 2 : 1);
        block_job_enter(&job->common);
        g_assert_cmpint(job->rounds, ==, rounds);
        end(kind, nodes[i]);
        g_assert_cmpint(job->common.pause_count, ==, 0);
        g_assert_false(job->common.paused);
        block_job_enter(&job->common);
        g_assert_cmpint(job->rounds, >, rounds);
    }
    block_job_event_ready(&job->common);
    g_assert_cmpint(block_job_complete_sync(&job->common, &error_abort), ==,
                    0);
    bdrv_unref(target);
    chain_free(&c);
}

/* The coroutine of a job may drain the job's node. */
static void test_job_drains(const void *opaque)
{
    int kind = GPOINTER_TO_INT(opaque);
    Chain c = chain_new();
    TestJob *job = block_job_create("job0", &test_job_driver, NULL, c.top, 0,
                                    BLK_PERM_ALL, 0, BLOCK_JOB_DEFAULT, NULL,
                                    NULL, &error_abort);

    job->drain = &kind;
    block_job_start(&job->common);
    while (!job->drained) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(job->common.pause_count, ==, 0);
    g_assert_false(job->common.busy);
    block_job_event_ready(&job->common);
    g_assert_cmpint(block_job_complete_sync(&job->common, &error_abort), ==,
                    0);
    chain_free(&c);
}

/* Long chains take no time in proportion to their square. */
static void test_long_chain(void)
{
    BlockDriverState *bs[200];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        bs[i] = mem_node(NULL);
        if (i) {
            bdrv_set_backing_hd(bs[i], bs[i - 1], &error_abort);
        }
    }
    bdrv_subtree_drained_begin(bs[ARRAY_SIZE(bs) - 1]);
    bdrv_drained_begin(bs[0]);
    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        expect(bs[i], 2, 0);
    }
    bdrv_drained_end(bs[0]);
    bdrv_subtree_drained_end(bs[ARRAY_SIZE(bs) - 1]);
    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        expect(bs[i], 0, 0);
        bdrv_unref(bs[i]);
    }
}

static void add_for_kinds(const char *name, GTestDataFunc fn)
{
    int kind;

    for (kind = 0; kind < KINDS; kind++) {
        g_autofree char *path = g_strdup_printf("/bdrv-drain/%s/%s", name,
                                                kind_names[kind]);

        g_test_add_data_func(path, GINT_TO_POINTER(kind), fn);
    }
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    add_for_kinds("hooks", test_hooks);
    add_for_kinds("hooks-that-yield", test_hooks_that_yield);
    g_test_add_func("/bdrv-drain/parents", test_parents);
    g_test_add_func("/bdrv-drain/nested", test_nested);
    g_test_add_func("/bdrv-drain/crossed", test_crossed);
    g_test_add_func("/bdrv-drain/two-parents", test_two_parents);
    g_test_add_func("/bdrv-drain/attach-detach", test_attach_detach);
    g_test_add_func("/bdrv-drain/attach-blk", test_attach_blk);
    g_test_add_func("/bdrv-drain/node-in-drain-all", test_node_in_drain_all);
    g_test_add_func("/bdrv-drain/close", test_close);
    add_for_kinds("wait", test_wait);
    g_test_add_func("/bdrv-drain/wait-for-parent", test_wait_for_parent);
    add_for_kinds("by-callback", test_by_callback);
    add_for_kinds("wait-for-more", test_wait_for_more);
    add_for_kinds("queue", test_queue);
    add_for_kinds("detach-meanwhile", test_detach_meanwhile);
    add_for_kinds("delete-meanwhile", test_delete_meanwhile);
    add_for_kinds("coroutine", test_coroutine);
    add_for_kinds("iothread", test_iothread);
    g_test_add_func("/bdrv-drain/move-inside", test_move_inside);
    add_for_kinds("external", test_external);
    add_for_kinds("user", test_user);
    add_for_kinds("job", test_job);
    add_for_kinds("job-drains", test_job_drains);
    g_test_add_func("/bdrv-drain/long-chain", test_long_chain);
    return g_test_run();
}
