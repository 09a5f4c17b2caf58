/*
 * SPDX-License-Identifier: MIT
 *
 * I/O limits as leaky buckets.
 */
#include "qemu/osdep.h"
#include "qemu/throttle.h"
#include "block/aio.h"
#include "qapi/error.h"

/* The buckets that a request of each direction fills. */
static const BucketType buckets_of[2][4] = {
    { THROTTLE_BPS_TOTAL, THROTTLE_OPS_TOTAL,
      THROTTLE_BPS_READ, THROTTLE_OPS_READ },
    { THROTTLE_BPS_TOTAL, THROTTLE_OPS_TOTAL,
      THROTTLE_BPS_WRITE, THROTTLE_OPS_WRITE },
};

static bool counts_ops(BucketType b)
{
    return b >= THROTTLE_OPS_TOTAL;
}

/* ---- Buckets ---- */

void throttle_leak_bucket(LeakyBucket *bkt, int64_t delta_ns)
{
    double seconds = (double)delta_ns / NANOSECONDS_PER_SECOND;

    bkt->level = MAX(bkt->level - bkt->avg * seconds, 0);
    if (bkt->burst_length > 1) {
        bkt->burst_level = MAX(bkt->burst_level - bkt->max * seconds, 0);
    }
}

/* How long @excess units take at @rate. */
static int64_t wait_for(double rate, double excess)
{
    return excess / rate * NANOSECONDS_PER_SECOND;
}

int64_t throttle_compute_wait(LeakyBucket *bkt)
{
    double capacity, excess;

    if (!bkt->avg) {
        return 0;
    }
    capacity = bkt->max ? (double)bkt->max * bkt->burst_length
                        : (double)bkt->avg / 10;
    excess = bkt->level - capacity;
    if (excess > 0) {
        return wait_for(bkt->avg, excess);
    }
    if (bkt->burst_length > 1) {
        excess = bkt->burst_level - (double)bkt->max / 10;
        if (excess > 0) {
            return wait_for(bkt->max, excess);
        }
    }
    return 0;
}

static void leak_all(ThrottleState *ts, int64_t now)
{
    int64_t delta = now - ts->previous_leak;
    int i;

    ts->previous_leak = now;
    if (delta <= 0) {
        return;
    }
    for (i = 0; i < BUCKETS_COUNT; i++) {
        throttle_leak_bucket(&ts->cfg.buckets[i], delta);
    }
}

bool throttle_schedule_timer(ThrottleState *ts, ThrottleTimers *tt,
                             bool is_write)
{
    int64_t now = qemu_clock_get_ns(tt->clock_type);
    int64_t wait = 0;
    int i;

    leak_all(ts, now);
    for (i = 0; i < ARRAY_SIZE(buckets_of[is_write]); i++) {
        LeakyBucket *bkt = &ts->cfg.buckets[buckets_of[is_write][i]];

        wait = MAX(wait, throttle_compute_wait(bkt));
    }
    if (!wait) {
        return false;
    }
    if (!timer_pending(tt->timers[is_write])) {
        timer_mod(tt->timers[is_write], now + wait);
    }
    return true;
}

void throttle_account(ThrottleState *ts, bool is_write, uint64_t size)
{
    double ops = 1.0;
    int i;

    if (ts->cfg.op_size && size > ts->cfg.op_size) {
        ops = (double)size / ts->cfg.op_size;
    }
    for (i = 0; i < ARRAY_SIZE(buckets_of[is_write]); i++) {
        BucketType b = buckets_of[is_write][i];
        LeakyBucket *bkt = &ts->cfg.buckets[b];
        double units = counts_ops(b) ? ops : size;

        bkt->level += units;
        if (bkt->burst_length > 1) {
            bkt->burst_level += units;
        }
    }
}

/* ---- Configuration ---- */

void throttle_config_init(ThrottleConfig *cfg)
{
    int i;

    *cfg = (ThrottleConfig) { .op_size = 0 };
    for (i = 0; i < BUCKETS_COUNT; i++) {
        cfg->buckets[i].burst_length = 1;
    }
}

void throttle_init(ThrottleState *ts)
{
    *ts = (ThrottleState) { .previous_leak = 0 };
    throttle_config_init(&ts->cfg);
}

bool throttle_enabled(ThrottleConfig *cfg)
{
    int i;

    for (i = 0; i < BUCKETS_COUNT; i++) {
        if (cfg->buckets[i].avg > 0) {
            return true;
        }
    }
    return false;
}

static bool total_conflicts(ThrottleConfig *cfg, BucketType total)
{
    const LeakyBucket *t = &cfg->buckets[total], *r = t + 1, *w = t + 2;

    return (t->avg && (r->avg || w->avg)) || (t->max && (r->max || w->max));
}

static bool bucket_is_valid(const LeakyBucket *bkt, Error **errp)
{
    if (bkt->avg > THROTTLE_VALUE_MAX || bkt->max > THROTTLE_VALUE_MAX) {
        error_setg(errp, "bps/iops/max values must be within [0, %lld]",
                   THROTTLE_VALUE_MAX);
        return false;
    }
    if (!bkt->burst_length) {
        error_setg(errp, "the burst length cannot be 0");
        return false;
    }
    if (bkt->burst_length > 1 && !bkt->max) {
        error_setg(errp, "burst length set without burst rate");
        return false;
    }
    if (bkt->max && bkt->burst_length > THROTTLE_VALUE_MAX / bkt->max) {
        error_setg(errp, "burst length too high for this burst rate");
        return false;
    }
    if (bkt->max && !bkt->avg) {
        error_setg(errp, "bps_max/iops_max require corresponding bps/iops "
                   "values");
        return false;
    }
    if (bkt->max && bkt->max < bkt->avg) {
        error_setg(errp, "bps_max/iops_max cannot be lower than bps/iops");
        return false;
    }
    return true;
}

bool throttle_is_valid(ThrottleConfig *cfg, Error **errp)
{
    int i;

    if (total_conflicts(cfg, THROTTLE_BPS_TOTAL) ||
        total_conflicts(cfg, THROTTLE_OPS_TOTAL)) {
        error_setg(errp, "bps/iops/max total values and read/write values "
                   "cannot be used at the same time");
        return false;
    }
    if (cfg->op_size && !cfg->buckets[THROTTLE_OPS_TOTAL].avg &&
        !cfg->buckets[THROTTLE_OPS_READ].avg &&
        !cfg->buckets[THROTTLE_OPS_WRITE].avg) {
        error_setg(errp, "iops size requires an iops value to be set");
        return false;
    }
    for (i = 0; i < BUCKETS_COUNT; i++) {
        if (!bucket_is_valid(&cfg->buckets[i], errp)) {
            return false;
        }
    }
    return true;
}

void throttle_config(ThrottleState *ts, QEMUClockType clock_type,
                     ThrottleConfig *cfg)
{
    int i;

    ts->cfg = *cfg;
    for (i = 0; i < BUCKETS_COUNT; i++) {
        ts->cfg.buckets[i].level = 0;
        ts->cfg.buckets[i].burst_level = 0;
    }
    ts->previous_leak = qemu_clock_get_ns(clock_type);
}

void throttle_get_config(ThrottleState *ts, ThrottleConfig *cfg)
{
    *cfg = ts->cfg;
}

/* ---- Timers ---- */

void throttle_timers_attach_aio_context(ThrottleTimers *tt,
                                        AioContext *new_context)
{
    tt->timers[0] = aio_timer_new(new_context, tt->clock_type, SCALE_NS,
                                  tt->read_timer_cb, tt->timer_opaque);
    tt->timers[1] = aio_timer_new(new_context, tt->clock_type, SCALE_NS,
                                  tt->write_timer_cb, tt->timer_opaque);
}

void throttle_timers_init(ThrottleTimers *tt, AioContext *aio_context,
                          QEMUClockType clock_type,
                          QEMUTimerCB *read_timer_cb,
                          QEMUTimerCB *write_timer_cb, void *timer_opaque)
{
    *tt = (ThrottleTimers) {
        .clock_type = clock_type,
        .read_timer_cb = read_timer_cb,
        .write_timer_cb = write_timer_cb,
        .timer_opaque = timer_opaque,
    };
    throttle_timers_attach_aio_context(tt, aio_context);
}

void throttle_timers_detach_aio_context(ThrottleTimers *tt)
{
    int i;

    for (i = 0; i < 2; i++) {
        if (tt->timers[i]) {
            timer_free(tt->timers[i]);
            tt->timers[i] = NULL;
        }
    }
}

void throttle_timers_destroy(ThrottleTimers *tt)
{
    throttle_timers_detach_aio_context(tt);
}

bool throttle_timers_are_initialized(ThrottleTimers *tt)
{
    return tt->timers[0] != NULL;
}
