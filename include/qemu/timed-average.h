/*
 * SPDX-License-Identifier: MIT
 *
 * Least, greatest and average of values over about the latest @period.  Two
 * windows of that length overlap by half; the older one is asked, so that the
 * answer is about the latest half to whole period.  No locking inside.
 */
#ifndef QEMU_TIMED_AVERAGE_H
#define QEMU_TIMED_AVERAGE_H

#include "qemu/timer.h"

typedef struct TimedAverageWindow {
    uint64_t min;           /* UINT64_MAX: no value */
    uint64_t max;
    uint64_t sum;
    uint64_t count;
    int64_t end;            /* ns; it begins one period earlier */
} TimedAverageWindow;

typedef struct TimedAverage {
    QEMUClockType clock_type;
    uint64_t period;        /* ns, > 1 */
    TimedAverageWindow windows[2];  /* [0]: the older one */
} TimedAverage;

void timed_average_init(TimedAverage *ta, QEMUClockType clock_type,
                        uint64_t period);
void timed_average_account(TimedAverage *ta, uint64_t value);
/* 0 if there was no value. */
uint64_t timed_average_min(TimedAverage *ta);
uint64_t timed_average_avg(TimedAverage *ta);
uint64_t timed_average_max(TimedAverage *ta);
/* @elapsed, if not NULL: how long the window lasts so far, in ns. */
uint64_t timed_average_sum(TimedAverage *ta, uint64_t *elapsed);

#endif
