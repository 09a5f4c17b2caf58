/*
 * SPDX-License-Identifier: MIT
 *
 * Least, greatest and average of values over about the latest period.
 *
 * Invariant: windows[1].end is half a period after windows[0].end, which is
 * not in the past once forget_old() has run.
 */
#include "qemu/osdep.h"
#include "qemu/timed-average.h"

static void window_init(TimedAverageWindow *w, int64_t end)
{
    *w = (TimedAverageWindow) { .min = UINT64_MAX, .end = end };
}

void timed_average_init(TimedAverage *ta, QEMUClockType clock_type,
                        uint64_t period)
{
    int64_t now = qemu_clock_get_ns(clock_type);

    assert(period > 1);
    *ta = (TimedAverage) { .clock_type = clock_type, .period = period };
    window_init(&ta->windows[0], now + period / 2);
    window_init(&ta->windows[1], now + period);
}

/* Returns the time. */
static int64_t forget_old(TimedAverage *ta)
{
    int64_t now = qemu_clock_get_ns(ta->clock_type);
    TimedAverageWindow *w = ta->windows;
    int64_t missed;

    if (now >= w[1].end) {
        /* Both are over: go on in whole periods. */
        missed = (now - w[0].end) / ta->period * ta->period;
        window_init(&w[0], w[0].end + missed);
        window_init(&w[1], w[1].end + missed);
    }
    while (now >= w[0].end) {
        int64_t next = w[0].end + ta->period;

        w[0] = w[1];
        window_init(&w[1], next);
    }
    return now;
}

void timed_average_account(TimedAverage *ta, uint64_t value)
{
    int i;

    forget_old(ta);
    for (i = 0; i < 2; i++) {
        TimedAverageWindow *w = &ta->windows[i];

        w->min = MIN(w->min, value);
        w->max = MAX(w->max, value);
        w->sum += value;
        w->count++;
    }
}

uint64_t timed_average_min(TimedAverage *ta)
{
    forget_old(ta);
    return ta->windows[0].count ? ta->windows[0].min : 0;
}

uint64_t timed_average_max(TimedAverage *ta)
{
    forget_old(ta);
    return ta->windows[0].max;
}

uint64_t timed_average_avg(TimedAverage *ta)
{
    TimedAverageWindow *w = &ta->windows[0];

    forget_old(ta);
    return w->count ? w->sum / w->count : 0;
}

uint64_t timed_average_sum(TimedAverage *ta, uint64_t *elapsed)
{
    int64_t now = forget_old(ta);

    if (elapsed) {
        *elapsed = ta->period - (ta->windows[0].end - now);
    }
    return ta->windows[0].sum;
}
