/*
 * SPDX-License-Identifier: MIT
 *
 * The event loop in one thread: bottom halves, notifiers, descriptors, timers,
 * through aio_poll() and through the GSource.
 */
#include "qemu/osdep.h"
#include <signal.h>
#include "qapi/error.h"
#include "block/aio.h"
#include "block/aio-wait.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"

static AioContext *ctx;

static void settle(void)
{
    while (aio_poll(ctx, false)) {
        /* until nothing is left */
    }
}

/* ---- Bottom halves ---- */

typedef struct Counter {
    QEMUBH *bh;
    int n;
    /* schedules itself until n is max */
    int max;
    bool delete;
} Counter;

static void count_cb(void *opaque)
{
    Counter *c = opaque;

    c->n++;
    if (c->n < c->max) {
        qemu_bh_schedule(c->bh);
    } else if (c->delete) {
        qemu_bh_delete(c->bh);
        c->bh = NULL;
    }
}

static Counter counter_new(int max)
{
    return (Counter) { .max = max };
}

static void counter_arm(Counter *c)
{
    c->bh = aio_bh_new(ctx, count_cb, c);
    qemu_bh_schedule(c->bh);
}

static void test_bh_runs_once(void)
{
    Counter c = counter_new(1);

    counter_arm(&c);
    qemu_bh_schedule(c.bh);
    g_assert_cmpint(c.n, ==, 0);
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(c.n, ==, 1);
    g_assert_false(aio_poll(ctx, false));
    qemu_bh_delete(c.bh);
}

static void test_bh_one_round_a_poll(void)
{
    Counter c = counter_new(20);

    counter_arm(&c);
    for (int i = 1; i <= 20; i++) {
        g_assert_true(aio_poll(ctx, true));
        g_assert_cmpint(c.n, ==, i);
    }
    g_assert_false(aio_poll(ctx, false));
    qemu_bh_delete(c.bh);
}

static void test_bh_cancel(void)
{
    Counter c = counter_new(1);

    counter_arm(&c);
    qemu_bh_cancel(c.bh);
    g_assert_false(aio_poll(ctx, false));
    g_assert_cmpint(c.n, ==, 0);
    qemu_bh_schedule(c.bh);
    g_assert_true(aio_poll(ctx, false));
    g_assert_cmpint(c.n, ==, 1);
    qemu_bh_delete(c.bh);
}

static void test_bh_delete_scheduled(void)
{
    Counter c = counter_new(1);

    counter_arm(&c);
    qemu_bh_delete(c.bh);
    g_assert_false(aio_poll(ctx, false));
    g_assert_cmpint(c.n, ==, 0);
}

static void test_bh_delete_in_callback(void)
{
    Counter a = counter_new(1), b = counter_new(5), c = counter_new(3);

    a.delete = b.delete = c.delete = true;
    counter_arm(&a);
    counter_arm(&b);
    counter_arm(&c);
    settle();
    g_assert_cmpint(a.n, ==, 1);
    g_assert_cmpint(b.n, ==, 5);
    g_assert_cmpint(c.n, ==, 3);
    g_assert_null(a.bh);
    g_assert_null(b.bh);
    g_assert_null(c.bh);
}

static GString *order;

static void append_cb(void *opaque)
{
    g_string_append(order, opaque);
}

static void test_bh_order(void)
{
    order = g_string_new(NULL);
    aio_bh_schedule_oneshot(ctx, append_cb, (void *)"a");
    aio_bh_schedule_oneshot(ctx, append_cb, (void *)"b");
    aio_bh_schedule_oneshot(ctx, append_cb, (void *)"c");
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpstr(order->str, ==, "abc");
    g_string_free(order, true);
}

static void nested_poll_cb(void *opaque)
{
    g_string_append(order, "(");
    g_assert_true(aio_poll(ctx, false));
    g_string_append(order, ")");
}

/* A nested poll runs what the outer one has not reached yet. */
static void test_bh_nested(void)
{
    order = g_string_new(NULL);
    aio_bh_schedule_oneshot(ctx, nested_poll_cb, NULL);
    aio_bh_schedule_oneshot(ctx, append_cb, (void *)"a");
    aio_bh_schedule_oneshot(ctx, append_cb, (void *)"b");
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpstr(order->str, ==, "(ab)");
    g_assert_false(aio_poll(ctx, false));
    g_string_free(order, true);
}

/* ---- Notification ---- */

static void test_notify_is_no_progress(void)
{
    g_assert_false(aio_poll(ctx, false));
    aio_notify(ctx);
    g_assert_false(aio_poll(ctx, true));
    g_assert_false(aio_poll(ctx, false));
}

/* ---- Event notifiers ---- */

typedef struct Watched {
    EventNotifier e;
    int n;
    /* sets itself again until n is max */
    int max;
} Watched;

static void watched_cb(EventNotifier *e)
{
    Watched *w = container_of(e, Watched, e);

    g_assert_true(event_notifier_test_and_clear(e));
    w->n++;
    if (w->n < w->max) {
        event_notifier_set(e);
    }
}

static void watch(Watched *w, bool is_external, int max)
{
    *w = (Watched) { .max = max };
    g_assert_cmpint(event_notifier_init(&w->e, false), ==, 0);
    aio_set_event_notifier(ctx, &w->e, is_external, watched_cb, NULL);
}

static void unwatch(Watched *w)
{
    aio_set_event_notifier(ctx, &w->e, false, NULL, NULL);
    settle();
    event_notifier_cleanup(&w->e);
}

static void test_notifier_calls_handler(void)
{
    Watched w;

    watch(&w, false, 1);
    settle();
    g_assert_cmpint(w.n, ==, 0);
    event_notifier_set(&w.e);
    event_notifier_set(&w.e);
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(w.n, ==, 1);
    g_assert_false(aio_poll(ctx, false));
    g_assert_cmpint(w.n, ==, 1);
    unwatch(&w);
}

static void test_notifier_many_times(void)
{
    Watched w;

    watch(&w, false, 10);
    event_notifier_set(&w.e);
    for (int i = 1; i <= 10; i++) {
        g_assert_true(aio_poll(ctx, true));
        g_assert_cmpint(w.n, ==, i);
    }
    g_assert_false(aio_poll(ctx, false));
    unwatch(&w);
}

static void test_notifier_removed(void)
{
    Watched w, other;

    watch(&w, false, 1);
    watch(&other, false, 1);
    event_notifier_set(&w.e);
    aio_set_event_notifier(ctx, &w.e, false, NULL, NULL);
    g_assert_false(aio_poll(ctx, false));
    g_assert_cmpint(w.n, ==, 0);
    event_notifier_set(&other.e);
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(other.n, ==, 1);
    event_notifier_cleanup(&w.e);
    unwatch(&other);
}

static void test_notifier_init_active(void)
{
    EventNotifier e;

    g_assert_cmpint(event_notifier_init(&e, true), ==, 0);
    g_assert_true(event_notifier_test_and_clear(&e));
    g_assert_false(event_notifier_test_and_clear(&e));
    event_notifier_cleanup(&e);
    g_assert_cmpint(event_notifier_set(&e), <, 0);
}

static void test_external_rests(void)
{
    Watched ext, in;

    watch(&ext, true, 1);
    watch(&in, false, 1);
    for (int levels = 1; levels <= 3; levels++) {
        ext.n = in.n = 0;
        event_notifier_set(&ext.e);
        for (int i = 0; i < levels; i++) {
            aio_disable_external(ctx);
        }
        for (int i = 0; i < levels; i++) {
            g_assert_false(aio_poll(ctx, false));
            g_assert_cmpint(ext.n, ==, 0);
            aio_enable_external(ctx);
        }
        g_assert_true(aio_poll(ctx, false));
        g_assert_cmpint(ext.n, ==, 1);

        /* Internal ones run all the time. */
        aio_disable_external(ctx);
        event_notifier_set(&in.e);
        g_assert_true(aio_poll(ctx, true));
        g_assert_cmpint(in.n, ==, 1);
        aio_enable_external(ctx);
        settle();
    }
    unwatch(&ext);
    unwatch(&in);
}

/* ---- File descriptors ---- */

typedef struct Pipe {
    int fd[2];
    int reads;
    int writes;
    bool remove_both;
    struct Pipe *other;
} Pipe;

static void pipe_open(Pipe *p)
{
    *p = (Pipe) { .reads = 0 };
    g_assert_cmpint(pipe(p->fd), ==, 0);
}

static void pipe_close(Pipe *p)
{
    close(p->fd[0]);
    close(p->fd[1]);
}

static void pipe_read_cb(void *opaque)
{
    Pipe *p = opaque;
    char c;

    g_assert_cmpint(read(p->fd[0], &c, 1), ==, 1);
    p->reads++;
    if (p->remove_both) {
        aio_set_fd_handler(ctx, p->fd[0], false, NULL, NULL, NULL, NULL);
        aio_set_fd_handler(ctx, p->other->fd[0], false, NULL, NULL, NULL,
                           NULL);
    }
}

static void pipe_write_cb(void *opaque)
{
    Pipe *p = opaque;

    p->writes++;
    aio_set_fd_handler(ctx, p->fd[1], false, NULL, NULL, NULL, NULL);
}

static void test_fd_read_write(void)
{
    Pipe p;

    pipe_open(&p);
    aio_set_fd_handler(ctx, p.fd[0], false, pipe_read_cb, NULL, NULL, &p);
    settle();
    g_assert_cmpint(p.reads, ==, 0);
    g_assert_cmpint(write(p.fd[1], "xy", 2), ==, 2);
    g_assert_true(aio_poll(ctx, true));
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(p.reads, ==, 2);

    aio_set_fd_handler(ctx, p.fd[1], false, NULL, pipe_write_cb, NULL, &p);
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(p.writes, ==, 1);
    g_assert_false(aio_poll(ctx, false));
    aio_set_fd_handler(ctx, p.fd[0], false, NULL, NULL, NULL, NULL);
    pipe_close(&p);
}

/* The first handler removes itself and the second, which is ready, too. */
static void test_fd_removed_by_handler(void)
{
    Pipe p[2];

    for (int i = 0; i < 2; i++) {
        pipe_open(&p[i]);
        p[i].remove_both = true;
        p[i].other = &p[1 - i];
        aio_set_fd_handler(ctx, p[i].fd[0], false, pipe_read_cb, NULL, NULL,
                           &p[i]);
        g_assert_cmpint(write(p[i].fd[1], "x", 1), ==, 1);
    }
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(p[0].reads + p[1].reads, ==, 1);
    g_assert_false(aio_poll(ctx, false));
    pipe_close(&p[0]);
    pipe_close(&p[1]);
}

static void nested_reader_cb(void *opaque)
{
    Pipe *p = opaque;
    char c;

    g_assert_cmpint(read(p->fd[0], &c, 1), ==, 1);
    p->reads++;
    /* Handles the other one, which the outer iteration has seen as ready. */
    while (aio_poll(ctx, false)) {
        /* until nothing is left */
    }
}

/* A handler is not called for data that a nested iteration has taken. */
static void test_fd_nested(void)
{
    Pipe p[4];

    for (int i = 0; i < 4; i++) {
        pipe_open(&p[i]);
        aio_set_fd_handler(ctx, p[i].fd[0], false, nested_reader_cb, NULL,
                           NULL, &p[i]);
        g_assert_cmpint(write(p[i].fd[1], "x", 1), ==, 1);
    }
    g_assert_true(aio_poll(ctx, true));
    for (int i = 0; i < 4; i++) {
        g_assert_cmpint(p[i].reads, ==, 1);
        aio_set_fd_handler(ctx, p[i].fd[0], false, NULL, NULL, NULL, NULL);
        pipe_close(&p[i]);
    }
}

static void file_read_cb(void *opaque)
{
    ++*(int *)opaque;
}

/* epoll refuses regular files; for poll(2) they are always ready. */
static void test_fd_regular_file(void)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("test-aio-XXXXXX", &name, NULL);
    int n = 0;

    g_assert_cmpint(fd, >=, 0);
    aio_set_fd_handler(ctx, fd, false, file_read_cb, NULL, NULL, &n);
    g_assert_true(aio_poll(ctx, true));
    g_assert_true(aio_poll(ctx, true));
    g_assert_cmpint(n, ==, 2);
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, NULL, NULL);
    g_assert_false(aio_poll(ctx, false));
    close(fd);
    unlink(name);
}

static bool poll_fn(void *opaque)
{
    EventNotifier *e = opaque;

    if (event_notifier_test_and_clear(e)) {
        container_of(e, Watched, e)->n++;
        return true;
    }
    return false;
}

static void set_cb(void *opaque)
{
    event_notifier_set(opaque);
}

/* With busy polling each event is seen once, by whichever way. */
static void test_busy_poll(void)
{
    Watched w;

    watch(&w, false, 1);
    aio_set_event_notifier(ctx, &w.e, false, watched_cb, poll_fn);
    aio_context_set_poll_params(ctx, 1000000, 4, 2, &error_abort);
    for (int i = 1; i <= 100; i++) {
        aio_bh_schedule_oneshot(ctx, set_cb, &w.e);
        while (w.n < i) {
            aio_poll(ctx, true);
        }
        g_assert_cmpint(w.n, ==, i);
    }
    aio_context_set_poll_params(ctx, 0, 0, 0, &error_abort);
    unwatch(&w);
}

static void test_poll_params_errors(void)
{
    Error *err = NULL;

    aio_context_set_poll_params(ctx, -1, 0, 0, &err);
    error_free_or_abort(&err);
    aio_context_set_thread_pool_params(ctx, 0, 0, &err);
    error_free_or_abort(&err);
    aio_context_set_thread_pool_params(ctx, 5, 4, &err);
    error_free_or_abort(&err);
    aio_context_set_thread_pool_params(ctx, 0, 64, &error_abort);
}

/* ---- Timers ---- */

typedef struct Ticker {
    QEMUTimer timer;
    int n;
    int max;
    int64_t ns;
    int64_t due;
} Ticker;

static void ticker_cb(void *opaque)
{
    Ticker *t = opaque;

    g_assert_cmpint(qemu_clock_get_ns(QEMU_CLOCK_REALTIME), >=, t->due);
    t->n++;
    if (t->n < t->max) {
        t->due = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + t->ns;
        timer_mod(&t->timer, t->due);
    }
}

static void ticker_start(Ticker *t, int64_t ns, int max)
{
    *t = (Ticker) {
        .ns = ns,
        .max = max,
        .due = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns,
    };
    aio_timer_init(ctx, &t->timer, QEMU_CLOCK_REALTIME, SCALE_NS, ticker_cb,
                   t);
    timer_mod(&t->timer, t->due);
}

static void test_timer_ends_blocking_poll(void)
{
    Ticker t;

    Watched w;

    settle();
    watch(&w, false, 1);
    aio_disable_external(ctx);
    aio_enable_external(ctx);
    ticker_start(&t, 3 * SCALE_MS, 3);
    while (t.n < 3) {
        int n = t.n;

        g_assert_true(timer_pending(&t.timer));
        /* Nothing that this thread has done cuts the wait short. */
        g_assert_true(aio_poll(ctx, true));
        g_assert_cmpint(t.n, ==, n + 1);
    }
    g_assert_false(timer_pending(&t.timer));
    g_assert_false(aio_poll(ctx, false));
    unwatch(&w);
}

static void test_timer_del(void)
{
    Ticker t;

    ticker_start(&t, 0, 1);
    timer_del(&t.timer);
    timer_del(&t.timer);
    g_assert_false(aio_poll(ctx, false));
    g_assert_cmpint(t.n, ==, 0);
}

/* ---- GSource ---- */

static void test_source_one_round(void)
{
    Counter c = counter_new(5);

    counter_arm(&c);
    for (int i = 1; i <= 5; i++) {
        g_assert_true(g_main_context_iteration(NULL, true));
        g_assert_cmpint(c.n, ==, i);
    }
    while (g_main_context_iteration(NULL, false)) {
        /* until nothing is left */
    }
    g_assert_cmpint(c.n, ==, 5);
    qemu_bh_delete(c.bh);
}

static void test_source_notifier(void)
{
    Watched w, ext;

    watch(&w, false, 2);
    watch(&ext, true, 1);
    event_notifier_set(&w.e);
    event_notifier_set(&ext.e);
    aio_disable_external(ctx);
    while (w.n < 2) {
        g_main_context_iteration(NULL, true);
    }
    g_assert_cmpint(ext.n, ==, 0);
    aio_enable_external(ctx);
    while (ext.n < 1) {
        g_main_context_iteration(NULL, true);
    }
    unwatch(&w);
    unwatch(&ext);
}

static void test_source_timer(void)
{
    Ticker t;

    ticker_start(&t, 2 * SCALE_MS, 3);
    while (t.n < 3) {
        g_main_context_iteration(NULL, true);
    }
}

static void main_ticker_cb(void *opaque)
{
    ++*(int *)opaque;
}

/* main_loop_wait() serves GLib's sources, AioContext and main loop timers. */
static gboolean glib_cb(gpointer opaque)
{
    ++*(int *)opaque;
    return G_SOURCE_REMOVE;
}

static void test_main_loop_wait(void)
{
    int glib = 0, main_timer = 0;
    Counter c = counter_new(3);
    QEMUTimer *timer;
    Ticker t;

    timer = timer_new_ms(QEMU_CLOCK_REALTIME, main_ticker_cb, &main_timer);
    timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 2);
    ticker_start(&t, 3 * SCALE_MS, 2);
    g_timeout_add(2, glib_cb, &glib);
    counter_arm(&c);
    while (!glib || !main_timer || t.n < 2 || c.n < 3) {
        main_loop_wait(false);
    }
    main_loop_wait(true);
    g_assert_cmpint(glib, ==, 1);
    g_assert_cmpint(main_timer, ==, 1);
    g_assert_cmpint(c.n, ==, 3);
    timer_free(timer);
    qemu_bh_delete(c.bh);
}

static void signal_cb(void *opaque)
{
    ++*(int *)opaque;
}

static void test_signal(void)
{
    int n = 0;

    qemu_set_signal_handler(SIGUSR1, signal_cb, &n);
    raise(SIGUSR1);
    while (!n) {
        main_loop_wait(false);
    }
    g_assert_cmpint(n, ==, 1);
    qemu_set_signal_handler(SIGUSR1, NULL, NULL);
}

/* ---- Waiting ---- */

static void clear_cb(void *opaque)
{
    *(bool *)opaque = false;
}

static void test_wait_while(void)
{
    bool busy = true;

    g_assert_false(AIO_WAIT_WHILE(ctx, false));
    aio_bh_schedule_oneshot(ctx, clear_cb, &busy);
    g_assert_true(AIO_WAIT_WHILE(ctx, busy));
    busy = true;
    aio_bh_schedule_oneshot(ctx, clear_cb, &busy);
    g_assert_true(AIO_WAIT_WHILE(NULL, busy));
    busy = true;
    aio_wait_bh_oneshot(ctx, clear_cb, &busy);
    g_assert_false(busy);
}

static void test_second_context(void)
{
    AioContext *other = aio_context_new(&error_abort);
    Counter c = counter_new(1);

    c.bh = aio_bh_new(other, count_cb, &c);
    qemu_bh_schedule(c.bh);
    g_assert_false(aio_poll(ctx, false));
    g_assert_true(aio_poll(other, true));
    g_assert_cmpint(c.n, ==, 1);
    qemu_bh_delete(c.bh);
    aio_context_ref(other);
    aio_context_unref(other);
    aio_context_unref(other);
}

static void test_lock_recursive(void)
{
    aio_context_acquire(ctx);
    aio_context_acquire(ctx);
    g_assert_cmpint(aio_context_release_all(ctx), ==, 2);
    g_assert_cmpint(aio_context_release_all(ctx), ==, 0);
    aio_context_acquire_levels(ctx, 2);
    aio_context_release(ctx);
    aio_context_release(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    ctx = qemu_get_aio_context();
    while (g_main_context_iteration(NULL, false)) {
        /* until nothing is left */
    }

    g_test_add_func("/aio/bh/once", test_bh_runs_once);
    g_test_add_func("/aio/bh/one-round-a-poll", test_bh_one_round_a_poll);
    g_test_add_func("/aio/bh/cancel", test_bh_cancel);
    g_test_add_func("/aio/bh/delete-scheduled", test_bh_delete_scheduled);
    g_test_add_func("/aio/bh/delete-in-callback", test_bh_delete_in_callback);
    g_test_add_func("/aio/bh/order", test_bh_order);
    g_test_add_func("/aio/bh/nested", test_bh_nested);
    g_test_add_func("/aio/notify", test_notify_is_no_progress);
    g_test_add_func("/aio/notifier/handler", test_notifier_calls_handler);
    g_test_add_func("/aio/notifier/many", test_notifier_many_times);
    g_test_add_func("/aio/notifier/removed", test_notifier_removed);
    g_test_add_func("/aio/notifier/active", test_notifier_init_active);
    g_test_add_func("/aio/external", test_external_rests);
    g_test_add_func("/aio/fd/read-write", test_fd_read_write);
    g_test_add_func("/aio/fd/removed-by-handler", test_fd_removed_by_handler);
    g_test_add_func("/aio/fd/nested", test_fd_nested);
    g_test_add_func("/aio/fd/regular-file", test_fd_regular_file);
    g_test_add_func("/aio/busy-poll/finds-work", test_busy_poll);
    g_test_add_func("/aio/busy-poll/params", test_poll_params_errors);
    g_test_add_func("/aio/timer/blocking", test_timer_ends_blocking_poll);
    g_test_add_func("/aio/timer/del", test_timer_del);
    g_test_add_func("/aio/source/one-round", test_source_one_round);
    g_test_add_func("/aio/source/notifier", test_source_notifier);
    g_test_add_func("/aio/source/timer", test_source_timer);
    g_test_add_func("/aio/main-loop/wait", test_main_loop_wait);
    g_test_add_func("/aio/main-loop/signal", test_signal);
    g_test_add_func("/aio/wait-while", test_wait_while);
    g_test_add_func("/aio/second-context", test_second_context);
    g_test_add_func("/aio/lock-recursive", test_lock_recursive);
    return g_test_run();
}
