/*
 * SPDX-License-Identifier: MIT
 *
 * I/O limits as leaky buckets: bytes and operations a second, in total and
 * for each direction, with bursts.
 */
#ifndef QEMU_THROTTLE_H
#define QEMU_THROTTLE_H

#include "qemu/timer.h"

#define THROTTLE_VALUE_MAX 1000000000000000LL

typedef enum {
    THROTTLE_BPS_TOTAL,
    THROTTLE_BPS_READ,
    THROTTLE_BPS_WRITE,
    THROTTLE_OPS_TOTAL,
    THROTTLE_OPS_READ,
    THROTTLE_OPS_WRITE,
    BUCKETS_COUNT,
} BucketType;

/*
 * A bucket leaks @avg units a second.  It may be filled to @max times
 * @burst_length, or to a tenth of a second's worth if there is no @max; a
 * second bucket, burst_level, which leaks @max a second, limits the rate
 * within bursts longer than a second.
 */
typedef struct LeakyBucket {
    uint64_t avg;           /* units/s, 0 = no limit */
    uint64_t max;           /* units/s in bursts, 0 = no bursts */
    double level;           /* units */
    double burst_level;     /* units */
    uint64_t burst_length;  /* s, >= 1 */
} LeakyBucket;

typedef struct ThrottleConfig {
    LeakyBucket buckets[BUCKETS_COUNT];
    uint64_t op_size;       /* bytes that count as one operation, 0 = any */
} ThrottleConfig;

typedef struct ThrottleState {
    ThrottleConfig cfg;
    int64_t previous_leak;  /* ns */
} ThrottleState;

typedef struct ThrottleTimers {
    QEMUTimer *timers[2];   /* [0] reads, [1] writes */
    QEMUClockType clock_type;
    QEMUTimerCB *read_timer_cb;
    QEMUTimerCB *write_timer_cb;
    void *timer_opaque;
} ThrottleTimers;

void throttle_leak_bucket(LeakyBucket *bkt, int64_t delta_ns);
int64_t throttle_compute_wait(LeakyBucket *bkt);

void throttle_init(ThrottleState *ts);
void throttle_timers_init(ThrottleTimers *tt, AioContext *aio_context,
                          QEMUClockType clock_type,
                          QEMUTimerCB *read_timer_cb,
                          QEMUTimerCB *write_timer_cb, void *timer_opaque);
void throttle_timers_destroy(ThrottleTimers *tt);
void throttle_timers_detach_aio_context(ThrottleTimers *tt);
void throttle_timers_attach_aio_context(ThrottleTimers *tt,
                                        AioContext *new_context);
bool throttle_timers_are_initialized(ThrottleTimers *tt);

bool throttle_enabled(ThrottleConfig *cfg);
bool throttle_is_valid(ThrottleConfig *cfg, Error **errp);
void throttle_config(ThrottleState *ts, QEMUClockType clock_type,
                     ThrottleConfig *cfg);
void throttle_get_config(ThrottleState *ts, ThrottleConfig *cfg);
void throttle_config_init(ThrottleConfig *cfg);

/* Must a request wait now?  Then the timer of its direction is armed. */
bool throttle_schedule_timer(ThrottleState *ts, ThrottleTimers *tt,
                             bool is_write);
void throttle_account(ThrottleState *ts, bool is_write, uint64_t size);

#endif
