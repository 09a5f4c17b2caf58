/*
 * SPDX-License-Identifier: MIT
 *
 * The filter throttle.  The groups' clock stands still: what is over the
 * limits waits until the clock is moved, the node is drained or its group
 * changes.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "block/throttle-groups.h"
#include "iothread.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"

#define SIZE    ((int64_t)MiB)
#define PIECE   4096

typedef struct Request {
    uint8_t buf[PIECE];
    QEMUIOVector qiov;
    int ret;
} Request;

typedef struct Fixture {
    ThrottleState *slow;
    ThrottleState *fast;
    BlockBackend *blk;
    BlockDriverState *bs;
    char *path;
} Fixture;

/* @ops operations a second; a tenth of that may come at once. */
static ThrottleState *new_group(const char *name, uint64_t ops)
{
    ThrottleState *ts = throttle_group_incref(name);
    ThrottleConfig cfg;

    throttle_config_init(&cfg);
    cfg.buckets[THROTTLE_OPS_TOTAL].avg = ops;
    throttle_group_set_limits(ts, &cfg);
    return ts;
}

static void setup(Fixture *f)
{
    f->slow = new_group("slow", 1);
    f->fast = new_group("fast", 0);
    f->path = test_new_file(SIZE);
    f->blk = test_open(BDRV_O_RDWR | BDRV_O_UNMAP, &error_abort,
                       "driver", "throttle",
                       "throttle-group", "slow", "node-name", "throttle",
                       "file.driver", "file", "file.filename", f->path,
                       "file.node-name", "file", NULL);
    f->bs = blk_bs(f->blk);
}

static void teardown(Fixture *f)
{
    blk_unref(f->blk);
    /* The node is no member any more. */
    g_assert_false(throttle_group_is_shared(f->slow));
    g_assert_false(throttle_group_is_shared(f->fast));
    throttle_group_unref(f->slow);
    throttle_group_unref(f->fast);
    test_remove_file(f->path);
}

static void request_done(void *opaque, int ret)
{
    ((Request *)opaque)->ret = ret;
}

static void start_write(Fixture *f, Request *r, int64_t offset, int pattern)
{
    memset(r->buf, pattern, PIECE);
    qemu_iovec_init_buf(&r->qiov, r->buf, PIECE);
    r->ret = -EINPROGRESS;
    blk_aio_pwritev(f->blk, offset, &r->qiov, 0, request_done, r);
}

static void start_writes(Fixture *f, Request *r, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        start_write(f, &r[i], i * PIECE, i + 1);
    }
}

static void wait_for(Request *r)
{
    while (r->ret == -EINPROGRESS) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(r->ret, ==, 0);
}

static void assert_waiting(Fixture *f, int n)
{
    ThrottleGroupMember *tgm = f->bs->opaque;

    while (aio_poll(qemu_get_aio_context(), false)) {
    }
    g_assert_cmpint(tgm->pending_reqs[1], ==, n);
}

/* The first goes through, all others wait. */
static void assert_held_back(Fixture *f, Request *r, int n)
{
    wait_for(&r[0]);
    assert_waiting(f, n - 1);
}

static void assert_written(Fixture *f, Request *r, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        wait_for(&r[i]);
    }
    /* Reads would be held back, too. */
    blk_set_disable_request_queuing(f->blk, true);
    bdrv_drained_begin(f->bs);
    for (i = 0; i < n; i++) {
        test_check(f->blk, i * PIECE, PIECE, i + 1);
    }
    bdrv_drained_end(f->bs);
    blk_set_disable_request_queuing(f->blk, false);
}

static void clock_moves(void)
{
    Request r[3];
    Fixture f;

    setup(&f);
    start_writes(&f, r, 3);
    assert_held_back(&f, r, 3);
    qemu_clock_virtual_step(NANOSECONDS_PER_SECOND);
    wait_for(&r[1]);
    g_assert_cmpint(r[2].ret, ==, -EINPROGRESS);
    qemu_clock_virtual_step(NANOSECONDS_PER_SECOND);
    assert_written(&f, r, 3);
    teardown(&f);
}

static void drain(void)
{
    Request r[4];
    Fixture f;

    setup(&f);
    start_writes(&f, r, 4);
    assert_held_back(&f, r, 4);
    /* What drains what is below drains it, too. */
    bdrv_drained_begin(f.bs->file->bs);
    g_assert_cmpint(r[1].ret + r[2].ret + r[3].ret, ==, 0);
    bdrv_drained_end(f.bs->file->bs);
    start_writes(&f, r, 4);
    bdrv_drain_all();
    assert_written(&f, r, 4);
    /* Limits are in force again. */
    qemu_clock_virtual_step(100 * NANOSECONDS_PER_SECOND);
    start_writes(&f, r, 2);
    assert_held_back(&f, r, 2);
    teardown(&f);
}

/* All kinds of requests count. */
static void kinds(void)
{
    Fixture f;
    Request r;
    int i;

    for (i = 0; i < 3; i++) {
        setup(&f);
        if (i == 0) {
            test_check(f.blk, 0, PIECE, 0);
        } else if (i == 1) {
            g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, PIECE, 0), ==, 0);
        } else {
            g_assert_cmpint(blk_pdiscard(f.blk, 0, PIECE), ==, 0);
        }
        start_write(&f, &r, 0, 1);
        assert_waiting(&f, 1);
        /* These do not. */
        g_assert_cmpint(blk_getlength(f.blk), ==, SIZE);
        bdrv_drain(f.bs);
        assert_written(&f, &r, 1);
        teardown(&f);
    }
}

static void reopen(void)
{
    ThrottleGroupMember *tgm;
    Request r[3];
    Fixture f;

    setup(&f);
    tgm = f.bs->opaque;
    start_writes(&f, r, 3);
    assert_held_back(&f, r, 3);
    g_assert_cmpint(bdrv_reopen(f.bs, test_options("throttle-group", "fast",
                                                   NULL),
                                true, &error_abort), ==, 0);
    g_assert_cmpstr(throttle_group_get_name(tgm), ==, "fast");
    g_assert_false(throttle_group_is_shared(f.slow));
    assert_written(&f, r, 3);
    start_writes(&f, r, 3);
    assert_written(&f, r, 3);
    /* Back, and a reopen that changes nothing. */
    g_assert_cmpint(bdrv_reopen(f.bs, test_options("throttle-group", "slow",
                                                   NULL),
                                true, &error_abort), ==, 0);
    g_assert_cmpint(bdrv_reopen_set_read_only(f.bs, false, &error_abort), ==,
                    0);
    g_assert_cmpstr(throttle_group_get_name(tgm), ==, "slow");
    qemu_clock_virtual_step(100 * NANOSECONDS_PER_SECOND);
    start_writes(&f, r, 2);
    assert_held_back(&f, r, 2);
    teardown(&f);
}

static void refused_reopen(void)
{
    Error *err = NULL;
    Fixture f;

    setup(&f);
    g_assert_cmpint(bdrv_reopen(f.bs, test_options("throttle-group", "none",
                                                   NULL),
                                true, &err), <, 0);
    test_assert_error(err, "Throttle group 'none' does not exist");
    /* What comes after the driver's part fails. */
    err = NULL;
    g_assert_cmpint(bdrv_reopen(f.bs, test_options("throttle-group", "fast",
                                                   "file", "nowhere", NULL),
                                true, &err), <, 0);
    error_free(err);
    g_assert_cmpstr(throttle_group_get_name(f.bs->opaque), ==, "slow");
    g_assert_false(throttle_group_exists("none"));
    teardown(&f);
}

static void refused_open(void)
{
    Error *err = NULL;

    g_assert_null(test_open(0, &err, "driver", "throttle",
                            "throttle-group", "none",
                            "file.driver", "null-co", NULL));
    test_assert_error(err, "Throttle group 'none' does not exist");
    g_assert_false(throttle_group_exists("none"));
}

/* A device and a node in one group wait for each other. */
static void with_device(void)
{
    ThrottleConfig of_node, of_device;
    ThrottleGroupMember *device;
    BlockBackend *other;
    Fixture f;
    Request r;

    setup(&f);
    other = test_open(BDRV_O_RDWR, &error_abort, "driver", "null-co",
                      "read-zeroes", "on", NULL);
    blk_io_limits_enable(other, "slow");
    test_check(other, 0, PIECE, 0);
    start_write(&f, &r, 0, 1);
    assert_waiting(&f, 1);
    /* Limits that are changed for one are changed for both. */
    device = &blk_get_public(other)->throttle_group_member;
    throttle_config_init(&of_device);
    of_device.buckets[THROTTLE_OPS_TOTAL].avg = 1000;
    throttle_group_config(device, &of_device);
    throttle_group_get_config(f.bs->opaque, &of_node);
    g_assert_cmpint(of_node.buckets[THROTTLE_OPS_TOTAL].avg, ==, 1000);
    wait_for(&r);
    blk_io_limits_disable(other);
    blk_unref(other);
    assert_written(&f, &r, 1);
    teardown(&f);
}

static void set_context(Fixture *f, AioContext *ctx)
{
    AioContext *old = blk_get_aio_context(f->blk);

    aio_context_acquire(old);
    g_assert_cmpint(blk_set_aio_context(f->blk, ctx, &error_abort), ==, 0);
    aio_context_release(old);
}

/* What waits is let through, and limits are in force in the new context. */
static void context(void)
{
    IOThread *thread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(thread);
    ThrottleGroupMember *tgm;
    Request r[3];
    Fixture f;

    setup(&f);
    tgm = f.bs->opaque;
    start_writes(&f, r, 3);
    assert_held_back(&f, r, 3);
    set_context(&f, ctx);
    g_assert_cmpint(r[1].ret + r[2].ret, ==, 0);

    qemu_clock_virtual_step(100 * NANOSECONDS_PER_SECOND);
    aio_context_acquire(ctx);
    g_assert_cmpint(test_write(f.blk, 0, PIECE, 1), ==, 0);
    start_write(&f, &r[1], PIECE, 2);
    aio_context_release(ctx);
    while (atomic_read(&tgm->pending_reqs[1]) == 0) {
        g_thread_yield();
    }
    set_context(&f, qemu_get_aio_context());
    g_assert_cmpint(r[1].ret, ==, 0);
    assert_written(&f, r, 3);
    teardown(&f);
    iothread_join(thread);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    throttle_groups_set_clock(QEMU_CLOCK_VIRTUAL);
    qemu_clock_virtual_freeze();
    g_test_add_func("/throttle/clock", clock_moves);
    g_test_add_func("/throttle/drain", drain);
    g_test_add_func("/throttle/kinds", kinds);
    g_test_add_func("/throttle/reopen", reopen);
    g_test_add_func("/throttle/refused-reopen", refused_reopen);
    g_test_add_func("/throttle/refused-open", refused_open);
    g_test_add_func("/throttle/with-device", with_device);
    g_test_add_func("/throttle/context", context);
    return g_test_run();
}
