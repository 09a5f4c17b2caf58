/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines with an event loop: sleeping, waiting for descriptors, time
 * limits, shared resources.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "qemu/co-shared-resource.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"

static AioContext *ctx;

static Coroutine *start(CoroutineEntry *entry, void *opaque)
{
    Coroutine *co = qemu_coroutine_create(entry, opaque);

    qemu_coroutine_enter(co);
    return co;
}

/* ---- Sleep ---- */

typedef struct Sleep {
    QemuCoSleep w;
    int64_t ns;
    bool done;
} Sleep;

static void coroutine_fn sleep_fn(void *opaque)
{
    Sleep *s = opaque;
    int64_t end = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + s->ns;

    qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, s->ns);
    g_assert_cmpint(qemu_clock_get_ns(QEMU_CLOCK_REALTIME), >=, end);
    s->done = true;
}

static void test_sleep(void)
{
    Sleep s[3] = {
        { .ns = 3 * SCALE_MS }, { .ns = 0 }, { .ns = 100 * SCALE_US },
    };

    for (int i = 0; i < 3; i++) {
        start(sleep_fn, &s[i]);
        g_assert_false(s[i].done);
    }
    while (!s[0].done || !s[1].done || !s[2].done) {
        aio_poll(ctx, true);
    }
}

static void coroutine_fn sleep_long_fn(void *opaque)
{
    Sleep *s = opaque;

    qemu_co_sleep_ns_wakeable(&s->w, QEMU_CLOCK_REALTIME,
                              1000 * NANOSECONDS_PER_SECOND);
    qemu_co_sleep(&s->w);
    s->done = true;
}

static void test_sleep_wake(void)
{
    Sleep s = { .done = false };

    start(sleep_long_fn, &s);
    g_assert_nonnull(s.w.to_wake);
    qemu_co_sleep_wake(&s.w);
    g_assert_nonnull(s.w.to_wake);
    g_assert_false(s.done);
    qemu_co_sleep_wake(&s.w);
    g_assert_true(s.done);
    qemu_co_sleep_wake(&s.w);
}

/* ---- Descriptors ---- */

typedef struct Reader {
    int fd;
    char got;
} Reader;

static void coroutine_fn reader_fn(void *opaque)
{
    Reader *r = opaque;

    yield_until_fd_readable(r->fd);
    g_assert_cmpint(read(r->fd, &r->got, 1), ==, 1);
}

static void test_fd_readable(void)
{
    int fd[2];
    Reader r = { .got = 0 };

    g_assert_cmpint(pipe(fd), ==, 0);
    r.fd = fd[0];
    start(reader_fn, &r);
    while (aio_poll(ctx, false)) {
        /* until nothing is left */
    }
    g_assert_cmpint(r.got, ==, 0);
    g_assert_cmpint(write(fd[1], "x", 1), ==, 1);
    while (!r.got) {
        aio_poll(ctx, true);
    }
    g_assert_cmpint(r.got, ==, 'x');
    close(fd[0]);
    close(fd[1]);
}

/* ---- Limited time ---- */

typedef struct Limited {
    QemuCoSleep w;
    bool block;
    bool ended;
    bool cleaned;
    uint64_t timeout_ns;
    int ret;
} Limited;

static void coroutine_fn limited_entry(void *opaque)
{
    Limited *l = opaque;

    if (l->block) {
        qemu_co_sleep(&l->w);
    }
    l->ended = true;
}

static void limited_clean(void *opaque)
{
    Limited *l = opaque;

    g_assert_true(l->ended);
    l->cleaned = true;
}

static void coroutine_fn limited_fn(void *opaque)
{
    Limited *l = opaque;

    l->ret = qemu_co_timeout(limited_entry, l, l->timeout_ns, limited_clean);
}

static void limited_run(Limited *l)
{
    l->ret = 1;
    start(limited_fn, l);
    while (l->ret == 1) {
        aio_poll(ctx, true);
    }
}

static void test_timeout(void)
{
    Limited in_time = { .timeout_ns = 1000 * NANOSECONDS_PER_SECOND };
    Limited no_limit = { .timeout_ns = 0 };
    Limited late = { .timeout_ns = SCALE_MS, .block = true };

    limited_run(&in_time);
    g_assert_cmpint(in_time.ret, ==, 0);
    g_assert_true(in_time.ended && !in_time.cleaned);

    limited_run(&no_limit);
    g_assert_cmpint(no_limit.ret, ==, 0);
    g_assert_true(no_limit.ended);

    limited_run(&late);
    g_assert_cmpint(late.ret, ==, -ETIMEDOUT);
    g_assert_false(late.ended);
    qemu_co_sleep_wake(&late.w);
    g_assert_true(late.ended && late.cleaned);
}

/* ---- Shared resource ---- */

typedef struct Taker {
    SharedResource *s;
    uint64_t n;
    bool has;
    QemuCoSleep w;
} Taker;

static void coroutine_fn taker_fn(void *opaque)
{
    Taker *t = opaque;

    co_get_from_shres(t->s, t->n);
    t->has = true;
    qemu_co_sleep(&t->w);
    t->has = false;
    co_put_to_shres(t->s, t->n);
}

static void test_shared_resource(void)
{
    SharedResource *s = shres_create(10);
    Taker a = { s, 6 }, big = { s, 8 }, small = { s, 2 };

    start(taker_fn, &a);
    g_assert_true(a.has);
    g_assert_false(co_try_get_from_shres(s, 5));
    start(taker_fn, &big);
    g_assert_false(big.has);
    /* There is enough for it, but it must not overtake. */
    g_assert_false(co_try_get_from_shres(s, 2));
    start(taker_fn, &small);
    g_assert_false(small.has);

    qemu_co_sleep_wake(&a.w);
    g_assert_true(big.has && small.has);
    qemu_co_sleep_wake(&big.w);
    g_assert_true(co_try_get_from_shres(s, 8));
    g_assert_false(co_try_get_from_shres(s, 1));
    co_put_to_shres(s, 8);
    qemu_co_sleep_wake(&small.w);
    shres_destroy(s);
    shres_destroy(NULL);
}

/* ---- Scheduling ---- */

static void coroutine_fn two_turns(void *opaque)
{
    int *n = opaque;

    ++*n;
    qemu_coroutine_yield();
    ++*n;
}

static void test_schedule(void)
{
    int n = 0;
    Coroutine *co = qemu_coroutine_create(two_turns, &n);

    aio_co_schedule(ctx, co);
    g_assert_cmpint(n, ==, 0);
    while (n < 1) {
        aio_poll(ctx, true);
    }
    aio_co_wake(co);
    g_assert_cmpint(n, ==, 2);
}

static void test_schedule_twice_subprocess(void)
{
    int n = 0;
    Coroutine *co = qemu_coroutine_create(two_turns, &n);

    aio_co_schedule(ctx, co);
    aio_co_schedule(ctx, co);
}

static void test_schedule_twice(void)
{
    g_test_trap_subprocess("/coroutine-loop/schedule-twice/subprocess", 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*already scheduled*");
}

static void coroutine_fn enter_self(void *opaque)
{
    qemu_coroutine_enter(qemu_coroutine_self());
}

static void test_enter_active_subprocess(void)
{
    start(enter_self, NULL);
}

static void test_enter_active(void)
{
    g_test_trap_subprocess("/coroutine-loop/enter-active/subprocess", 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*while it runs*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    ctx = qemu_get_aio_context();
    g_test_add_func("/coroutine-loop/sleep", test_sleep);
    g_test_add_func("/coroutine-loop/sleep-wake", test_sleep_wake);
    g_test_add_func("/coroutine-loop/fd-readable", test_fd_readable);
    g_test_add_func("/coroutine-loop/timeout", test_timeout);
    g_test_add_func("/coroutine-loop/shared-resource", test_shared_resource);
    g_test_add_func("/coroutine-loop/schedule", test_schedule);
    g_test_add_func("/coroutine-loop/schedule-twice", test_schedule_twice);
    g_test_add_func("/coroutine-loop/schedule-twice/subprocess",
                    test_schedule_twice_subprocess);
    g_test_add_func("/coroutine-loop/enter-active", test_enter_active);
    g_test_add_func("/coroutine-loop/enter-active/subprocess",
                    test_enter_active_subprocess);
    return g_test_run();
}
