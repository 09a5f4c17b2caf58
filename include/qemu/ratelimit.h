/*
 * SPDX-License-Identifier: MIT
 *
 * A limit of so many units a second, kept in time slices.  What exceeds the
 * quota of a slice passes at once and is paid for by waiting afterwards.
 * QEMU_CLOCK_REALTIME.  No locking inside.
 */
#ifndef QEMU_RATELIMIT_H
#define QEMU_RATELIMIT_H

#include "qemu/timer.h"

/* 146 years, which may be added to any clock's time. */
#define RATELIMIT_MAX_NS (1LL << 62)

typedef struct {
    int64_t slice_start_time;   /* ns */
    int64_t slice_end_time;     /* ns; later than one slice if overdrawn */
    uint64_t slice_quota;       /* units of a slice; 0 = no limit */
    uint64_t slice_ns;
    uint64_t dispatched;        /* units since slice_start_time */
} RateLimit;

/* @n units were done: how many ns to wait before the next ones. */
static inline int64_t ratelimit_calculate_delay(RateLimit *limit, uint64_t n)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    double wait_ns;

    if (!limit->slice_quota) {
        return 0;
    }
    if (limit->slice_end_time < now) {
        /* The past is paid for. */
        limit->slice_start_time = now;
        limit->slice_end_time = now + limit->slice_ns;
        limit->dispatched = 0;
    }
    limit->dispatched += n;
    if (limit->dispatched < limit->slice_quota) {
        return 0;
    }
    /* It takes that many slices, but no longer than clocks can count. */
    wait_ns = (double)limit->dispatched / limit->slice_quota * limit->slice_ns;
    limit->slice_end_time = limit->slice_start_time +
        (int64_t)MIN(wait_ns, RATELIMIT_MAX_NS);
    return MAX(limit->slice_end_time - now, 0);
}

/* What was done is paid for: the next units need not wait for it. */
static inline void ratelimit_forgive(RateLimit *limit)
{
    limit->slice_end_time = 0;
}

/* @speed units a second, 0 = no limit; slices of @slice_ns. */
static inline void ratelimit_set_speed(RateLimit *limit, uint64_t speed,
                                       uint64_t slice_ns)
{
    limit->slice_ns = slice_ns;
    limit->slice_quota = speed == 0
        ? 0 : MAX((uint64_t)((double)speed * slice_ns / 1e9), 1);
}

#endif
