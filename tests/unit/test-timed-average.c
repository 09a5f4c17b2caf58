/*
 * SPDX-License-Identifier: MIT
 *
 * Averages over the latest period, on a clock that is moved by hand.
 */
#include "qemu/osdep.h"
#include "qemu/timed-average.h"

#define PERIOD 10000

static void assert_values(TimedAverage *ta, uint64_t min, uint64_t avg,
                          uint64_t max)
{
    g_assert_cmpuint(timed_average_min(ta), ==, min);
    g_assert_cmpuint(timed_average_avg(ta), ==, avg);
    g_assert_cmpuint(timed_average_max(ta), ==, max);
}

static void test_values(void)
{
    TimedAverage ta;

    timed_average_init(&ta, QEMU_CLOCK_VIRTUAL, PERIOD);
    assert_values(&ta, 0, 0, 0);
    timed_average_account(&ta, 7);
    assert_values(&ta, 7, 7, 7);
    timed_average_account(&ta, 3);
    timed_average_account(&ta, 14);
    assert_values(&ta, 3, 8, 14);
    timed_average_account(&ta, 0);
    assert_values(&ta, 0, 6, 14);
    g_assert_cmpuint(timed_average_sum(&ta, NULL), ==, 24);
}

/* A value counts for half a period at least, and for one at most. */
static void test_ageing(void)
{
    TimedAverage ta;
    int start, age;

    for (start = 0; start < 3 * PERIOD; start += PERIOD / 8) {
        timed_average_init(&ta, QEMU_CLOCK_VIRTUAL, PERIOD);
        qemu_clock_virtual_step(start);
        timed_average_account(&ta, 5);
        for (age = 0; age <= PERIOD; age += PERIOD / 16) {
            uint64_t max = timed_average_max(&ta);

            if (age < PERIOD / 2) {
                g_assert_cmpuint(max, ==, 5);
            } else if (age == PERIOD) {
                g_assert_cmpuint(max, ==, 0);
            }
            qemu_clock_virtual_step(PERIOD / 16);
        }
        assert_values(&ta, 0, 0, 0);
    }
}

/* Newer values stay when older ones go. */
static void test_overlap(void)
{
    TimedAverage ta;

    timed_average_init(&ta, QEMU_CLOCK_VIRTUAL, PERIOD);
    timed_average_account(&ta, 100);
    qemu_clock_virtual_step(PERIOD / 2);
    timed_average_account(&ta, 10);
    assert_values(&ta, 10, 55, 100);
    qemu_clock_virtual_step(PERIOD / 2);
    assert_values(&ta, 10, 10, 10);
    qemu_clock_virtual_step(PERIOD / 2);
    assert_values(&ta, 0, 0, 0);
}

static void test_elapsed(void)
{
    TimedAverage ta;
    uint64_t elapsed;
    int i;

    timed_average_init(&ta, QEMU_CLOCK_VIRTUAL, PERIOD);
    timed_average_sum(&ta, &elapsed);
    g_assert_cmpuint(elapsed, ==, PERIOD / 2);
    for (i = 0; i < 100; i++) {
        qemu_clock_virtual_step(g_test_rand_int_range(1, PERIOD * 2));
        timed_average_sum(&ta, &elapsed);
        g_assert_cmpuint(elapsed, >=, PERIOD / 2);
        g_assert_cmpuint(elapsed, <, PERIOD);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_clock_virtual_freeze();
    g_test_add_func("/timed-average/values", test_values);
    g_test_add_func("/timed-average/ageing", test_ageing);
    g_test_add_func("/timed-average/overlap", test_overlap);
    g_test_add_func("/timed-average/elapsed", test_elapsed);
    return g_test_run();
}
