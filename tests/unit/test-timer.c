/*
 * SPDX-License-Identifier: MIT
 *
 * Clocks and timer lists without an event loop.
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"

/* Tests use the virtual clock, which stands still unless it is moved. */
static QEMUTimerListGroup tlg;
static int notified;

static void notify_cb(void *opaque, QEMUClockType type)
{
    notified++;
}

static int64_t now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static GString *fired;

typedef struct Named {
    QEMUTimer t;
    const char *name;
    /* arms itself again after this time; -1: not */
    int64_t again;
    /* deleted by the callback */
    QEMUTimer *del;
} Named;

static void named_cb(void *opaque)
{
    Named *n = opaque;

    g_string_append(fired, n->name);
    if (n->again >= 0) {
        timer_mod_ns(&n->t, now() + n->again);
    }
    if (n->del) {
        timer_del(n->del);
    }
}

static void named_init(Named *n, const char *name)
{
    *n = (Named) { .name = name, .again = -1 };
    timer_init_full(&n->t, &tlg, QEMU_CLOCK_VIRTUAL, SCALE_NS, named_cb, n);
}

static void begin(void)
{
    fired = g_string_new(NULL);
    notified = 0;
}

static void end(const char *expected)
{
    g_assert_cmpstr(fired->str, ==, expected);
    g_string_free(fired, true);
}

static bool run(void)
{
    return timerlistgroup_run_timers(&tlg);
}

static void test_clocks(void)
{
    int64_t a = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int64_t b = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    g_assert_cmpint(a, <=, b);
    g_assert_cmpint(qemu_clock_get_ms(QEMU_CLOCK_HOST) / 1000, >=,
                    1500000000);
    g_assert_cmpint(qemu_clock_get_us(QEMU_CLOCK_REALTIME), >=, a / 1000);
}

static void test_virtual_clock(void)
{
    int64_t t = now();

    g_assert_cmpint(now(), ==, t);
    qemu_clock_virtual_step(12345);
    g_assert_cmpint(now(), ==, t + 12345);
    g_assert_cmpint(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL_RT), ==, t + 12345);
    qemu_clock_virtual_thaw();
    g_assert_cmpint(now(), >=, t + 12345);
    while (now() == t + 12345) {
        /* it goes on */
    }
    qemu_clock_virtual_freeze();
    t = now();
    g_assert_cmpint(now(), ==, t);
}

static void test_order(void)
{
    Named a, b, c;

    begin();
    named_init(&a, "a");
    named_init(&b, "b");
    named_init(&c, "c");
    timer_mod(&b.t, now() + 20);
    timer_mod(&c.t, now() + 20);
    timer_mod(&a.t, now() + 10);
    g_assert_false(run());
    qemu_clock_virtual_step(9);
    g_assert_false(run());
    g_assert_true(timer_pending(&a.t));
    qemu_clock_virtual_step(1);
    g_assert_true(run());
    g_assert_false(timer_pending(&a.t));
    qemu_clock_virtual_step(1000);
    g_assert_true(run());
    g_assert_false(run());
    end("abc");
}

static void test_notify_when_first(void)
{
    Named a, b, c;

    begin();
    named_init(&a, "a");
    named_init(&b, "b");
    named_init(&c, "c");
    timer_mod(&a.t, now() + 20);
    g_assert_cmpint(notified, ==, 1);
    timer_mod(&b.t, now() + 30);
    g_assert_cmpint(notified, ==, 1);
    timer_mod(&c.t, now() + 10);
    g_assert_cmpint(notified, ==, 2);
    timer_del(&a.t);
    timer_del(&b.t);
    timer_del(&c.t);
    end("");
}

static void test_rearm(void)
{
    Named a;

    begin();
    named_init(&a, "a");
    a.again = 0;
    timer_mod(&a.t, now());
    /* Due again at once, but that is the next round's. */
    g_assert_true(run());
    g_assert_true(run());
    g_assert_cmpstr(fired->str, ==, "aa");
    timer_del(&a.t);
    g_assert_false(run());
    end("aa");
}

static void test_del_by_other(void)
{
    Named a, b;

    begin();
    named_init(&a, "a");
    named_init(&b, "b");
    a.del = &b.t;
    timer_mod(&a.t, now());
    timer_mod(&b.t, now());
    g_assert_true(run());
    g_assert_false(run());
    end("a");
}

static void test_anticipate(void)
{
    Named a;
    int64_t t = now();

    begin();
    named_init(&a, "a");
    timer_mod_anticipate(&a.t, t + 100);
    g_assert_cmpint(timer_expire_time_ns(&a.t), ==, t + 100);
    timer_mod_anticipate(&a.t, t + 200);
    g_assert_cmpint(timer_expire_time_ns(&a.t), ==, t + 100);
    timer_mod_anticipate(&a.t, t + 50);
    g_assert_cmpint(timer_expire_time_ns(&a.t), ==, t + 50);
    timer_mod(&a.t, t + 200);
    g_assert_cmpint(timer_expire_time_ns(&a.t), ==, t + 200);
    timer_deinit(&a.t);
    g_assert_null(a.t.timer_list);
    end("");
}

static void test_deadline(void)
{
    Named a;

    begin();
    named_init(&a, "a");
    g_assert_cmpint(timerlistgroup_deadline_ns(&tlg), ==, -1);
    g_assert_cmpint(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL), ==, -1);
    timer_mod(&a.t, now() + 1000);
    /* A clock that stands never gets there by itself. */
    g_assert_cmpint(timerlistgroup_deadline_ns(&tlg), ==, -1);
    g_assert_cmpint(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL), ==, 1000);
    notified = 0;
    qemu_clock_virtual_step(1500);
    g_assert_cmpint(notified, >, 0);
    g_assert_cmpint(timerlistgroup_deadline_ns(&tlg), ==, 0);
    g_assert_cmpint(qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL), ==, 0);
    g_assert_true(timerlist_expired(tlg.tl[QEMU_CLOCK_VIRTUAL]));
    g_assert_true(run());
    end("a");
}

static void test_scale(void)
{
    QEMUTimer t;
    QEMUTimer *heap;

    begin();
    timer_init_full(&t, &tlg, QEMU_CLOCK_VIRTUAL, SCALE_MS, named_cb, NULL);
    timer_mod(&t, 7);
    g_assert_cmpint(timer_expire_time_ns(&t), ==, 7000000);
    g_assert_true(timer_expired(&t, 7));
    g_assert_false(timer_expired(&t, 6));
    /* Too far away for nanoseconds, but not in the past. */
    timer_mod(&t, INT64_MAX / 1000);
    g_assert_false(timer_expired(&t, INT64_MAX / SCALE_MS));
    timer_mod(&t, -5);
    g_assert_cmpint(timer_expire_time_ns(&t), ==, 0);
    timer_del(&t);
    g_assert_false(timer_expired(&t, INT64_MAX));

    heap = timer_new_full(&tlg, QEMU_CLOCK_VIRTUAL, SCALE_US, named_cb, NULL);
    timer_mod(heap, 3);
    timer_free(heap);
    timer_free(NULL);
    g_assert_false(timerlist_has_timers(tlg.tl[QEMU_CLOCK_VIRTUAL]));
    end("");
}

static void test_timeouts(void)
{
    g_assert_cmpint(qemu_soonest_timeout(-1, -1), ==, -1);
    g_assert_cmpint(qemu_soonest_timeout(-1, 5), ==, 5);
    g_assert_cmpint(qemu_soonest_timeout(0, -1), ==, 0);
    g_assert_cmpint(qemu_soonest_timeout(7, 5), ==, 5);
    g_assert_cmpint(qemu_timeout_ns_to_ms(-1), ==, -1);
    g_assert_cmpint(qemu_timeout_ns_to_ms(0), ==, 0);
    g_assert_cmpint(qemu_timeout_ns_to_ms(1), ==, 1);
    g_assert_cmpint(qemu_timeout_ns_to_ms(SCALE_MS), ==, 1);
    g_assert_cmpint(qemu_timeout_ns_to_ms(INT64_MAX), ==, INT_MAX);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    init_clocks(NULL);
    qemu_clock_virtual_freeze();
    timerlistgroup_init(&tlg, notify_cb, NULL);
    g_test_add_func("/timer/clocks", test_clocks);
    g_test_add_func("/timer/virtual-clock", test_virtual_clock);
    g_test_add_func("/timer/order", test_order);
    g_test_add_func("/timer/notify-when-first", test_notify_when_first);
    g_test_add_func("/timer/rearm", test_rearm);
    g_test_add_func("/timer/del-by-other", test_del_by_other);
    g_test_add_func("/timer/anticipate", test_anticipate);
    g_test_add_func("/timer/deadline", test_deadline);
    g_test_add_func("/timer/scale", test_scale);
    g_test_add_func("/timer/timeouts", test_timeouts);
    ret = g_test_run();
    timerlistgroup_deinit(&tlg);
    return ret;
}
