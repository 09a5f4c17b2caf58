/*
 * SPDX-License-Identifier: MIT
 *
 * Leaky buckets, their configuration and their timers; rate limits.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/ratelimit.h"
#include "qemu/throttle.h"
#include "qemu/units.h"

#define SECOND NANOSECONDS_PER_SECOND

/* ---- One bucket ---- */

static void test_leak(void)
{
    LeakyBucket b = { .avg = 150, .max = 1000, .level = 400,
                      .burst_level = 5000, .burst_length = 1 };

    throttle_leak_bucket(&b, SECOND / 10);
    g_assert_cmpfloat_with_epsilon(b.level, 385, 1e-6);
    g_assert_cmpfloat(b.burst_level, ==, 5000);
    b.burst_length = 2;
    throttle_leak_bucket(&b, 2 * SECOND);
    g_assert_cmpfloat_with_epsilon(b.level, 85, 1e-6);
    g_assert_cmpfloat_with_epsilon(b.burst_level, 3000, 1e-6);
    throttle_leak_bucket(&b, 100 * SECOND);
    g_assert_cmpfloat(b.level, ==, 0);
    g_assert_cmpfloat(b.burst_level, ==, 0);
}

static void test_wait(void)
{
    static const struct {
        LeakyBucket bkt;
        int64_t ns;
    } cases[] = {
        /* no limit */
        { { .level = 1e9, .burst_length = 1 }, 0 },
        /* without bursts a tenth of a second's worth passes at once */
        { { .avg = 100, .level = 10, .burst_length = 1 }, 0 },
        { { .avg = 100, .level = 15, .burst_length = 1 }, SECOND / 20 },
        /* bursts of a second, and of five */
        { { .avg = 100, .max = 200, .level = 200, .burst_length = 1 }, 0 },
        { { .avg = 100, .max = 200, .level = 300, .burst_length = 1 },
          SECOND },
        { { .avg = 100, .max = 200, .level = 1000, .burst_length = 5 }, 0 },
        { { .avg = 100, .max = 200, .level = 1050, .burst_length = 5 },
          SECOND / 2 },
        /* the rate within a burst */
        { { .avg = 100, .max = 200, .burst_level = 20, .burst_length = 5 },
          0 },
        { { .avg = 100, .max = 200, .burst_level = 40, .burst_length = 5 },
          SECOND / 10 },
        { { .avg = 100, .max = 200, .burst_level = 40, .burst_length = 1 },
          0 },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        LeakyBucket b = cases[i].bkt;

        g_assert_cmpint(ABS(throttle_compute_wait(&b) - cases[i].ns), <=, 1);
    }
}

/* ---- Configuration ---- */

static void test_defaults(void)
{
    ThrottleConfig cfg;
    int i;

    memset(&cfg, 0xff, sizeof(cfg));
    throttle_config_init(&cfg);
    g_assert_cmpuint(cfg.op_size, ==, 0);
    for (i = 0; i < BUCKETS_COUNT; i++) {
        g_assert_cmpuint(cfg.buckets[i].avg, ==, 0);
        g_assert_cmpuint(cfg.buckets[i].max, ==, 0);
        g_assert_cmpuint(cfg.buckets[i].burst_length, ==, 1);
    }
    g_assert_false(throttle_enabled(&cfg));
    g_assert_true(throttle_is_valid(&cfg, &error_abort));
}

static void test_enabled(void)
{
    ThrottleConfig cfg;
    int i;

    for (i = 0; i < BUCKETS_COUNT; i++) {
        throttle_config_init(&cfg);
        cfg.buckets[i].avg = 1;
        g_assert_true(throttle_enabled(&cfg));
    }
}

static void assert_invalid(ThrottleConfig *cfg, const char *text)
{
    Error *err = NULL;

    g_assert_false(throttle_is_valid(cfg, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
    g_assert_false(throttle_is_valid(cfg, NULL));
    throttle_config_init(cfg);
}

static void test_totals(void)
{
    static const char text[] = "bps/iops/max total values and read/write "
                               "values cannot be used at the same time";
    ThrottleConfig cfg;
    int kind, dir;

    throttle_config_init(&cfg);
    for (kind = THROTTLE_BPS_TOTAL; kind <= THROTTLE_OPS_TOTAL; kind += 3) {
        for (dir = 1; dir <= 2; dir++) {
            cfg.buckets[kind].avg = cfg.buckets[kind + dir].avg = 10;
            assert_invalid(&cfg, text);
            cfg.buckets[kind].avg = cfg.buckets[kind].max = 10;
            cfg.buckets[kind + dir].max = 10;
            assert_invalid(&cfg, text);
            /* of different kinds they get on */
            cfg.buckets[kind].avg = 10;
            cfg.buckets[3 - kind + dir].avg = 10;
            g_assert_true(throttle_is_valid(&cfg, &error_abort));
            throttle_config_init(&cfg);
        }
    }
}

static void test_values(void)
{
    static const char range[] =
        "bps/iops/max values must be within [0, 1000000000000000]";
    ThrottleConfig cfg;
    LeakyBucket *b = &cfg.buckets[THROTTLE_OPS_WRITE];

    throttle_config_init(&cfg);
    b->avg = b->max = THROTTLE_VALUE_MAX;
    g_assert_true(throttle_is_valid(&cfg, &error_abort));
    b->avg = THROTTLE_VALUE_MAX + 1;
    assert_invalid(&cfg, range);
    b->avg = -1;
    assert_invalid(&cfg, range);
    b->avg = 1;
    b->max = THROTTLE_VALUE_MAX + 1;
    assert_invalid(&cfg, range);
    b->avg = 1;
    b->burst_length = 0;
    assert_invalid(&cfg, "the burst length cannot be 0");
    b->avg = 1;
    b->burst_length = 2;
    assert_invalid(&cfg, "burst length set without burst rate");
    b->max = 1;
    assert_invalid(&cfg, "bps_max/iops_max require corresponding bps/iops "
                   "values");
    b->avg = 2;
    b->max = 1;
    assert_invalid(&cfg, "bps_max/iops_max cannot be lower than bps/iops");
    b->avg = 1;
    b->max = THROTTLE_VALUE_MAX / 2;
    b->burst_length = 3;
    assert_invalid(&cfg, "burst length too high for this burst rate");
    cfg.op_size = 1;
    assert_invalid(&cfg, "iops size requires an iops value to be set");
    cfg.op_size = 1;
    b->avg = 1;
    g_assert_true(throttle_is_valid(&cfg, &error_abort));
}

/* ---- Requests ---- */

static void test_account(void)
{
    static const double expected[2][BUCKETS_COUNT] = {
        { 6144, 6144, 0, 1.5, 1.5, 0 },
        { 6144, 0, 6144, 1.5, 0, 1.5 },
    };
    ThrottleConfig cfg;
    ThrottleState ts;
    int w, i;

    for (w = 0; w < 2; w++) {
        throttle_init(&ts);
        throttle_config_init(&cfg);
        cfg.op_size = 4096;
        for (i = 0; i < BUCKETS_COUNT; i++) {
            cfg.buckets[i].avg = 1;
            cfg.buckets[i].level = 77;      /* not taken over */
        }
        cfg.buckets[THROTTLE_BPS_TOTAL].max = 1;
        cfg.buckets[THROTTLE_BPS_TOTAL].burst_length = 2;
        throttle_config(&ts, QEMU_CLOCK_VIRTUAL, &cfg);
        throttle_account(&ts, w, 6144);
        for (i = 0; i < BUCKETS_COUNT; i++) {
            g_assert_cmpfloat(ts.cfg.buckets[i].level, ==, expected[w][i]);
        }
        g_assert_cmpfloat(ts.cfg.buckets[0].burst_level, ==, 6144);
        g_assert_cmpfloat(ts.cfg.buckets[1].burst_level, ==, 0);
        throttle_account(&ts, w, 1);
        g_assert_cmpfloat(ts.cfg.buckets[THROTTLE_OPS_TOTAL].level, ==, 2.5);
    }
}

static int fired[2];

static void read_cb(void *opaque)
{
    fired[0]++;
}

static void write_cb(void *opaque)
{
    fired[1]++;
}

static void poll_all(void)
{
    while (aio_poll(qemu_get_aio_context(), false)) {
    }
}

/* The virtual clock stands still unless it is moved. */
static void test_schedule(void)
{
    ThrottleConfig cfg;
    ThrottleState ts;
    ThrottleTimers tt;

    memset(fired, 0, sizeof(fired));
    throttle_init(&ts);
    throttle_config_init(&cfg);
    cfg.buckets[THROTTLE_OPS_WRITE].avg = 10;
    throttle_config(&ts, QEMU_CLOCK_VIRTUAL, &cfg);
    throttle_timers_init(&tt, qemu_get_aio_context(), QEMU_CLOCK_VIRTUAL,
                         read_cb, write_cb, NULL);
    g_assert_true(throttle_timers_are_initialized(&tt));

    throttle_account(&ts, true, 512);
    g_assert_false(throttle_schedule_timer(&ts, &tt, true));
    throttle_account(&ts, true, 512);
    g_assert_true(throttle_schedule_timer(&ts, &tt, true));
    g_assert_true(throttle_schedule_timer(&ts, &tt, true));
    g_assert_false(throttle_schedule_timer(&ts, &tt, false));

    qemu_clock_virtual_step(SECOND / 10 - 1000);
    poll_all();
    g_assert_cmpint(fired[1], ==, 0);
    qemu_clock_virtual_step(1001);
    poll_all();
    g_assert_cmpint(fired[0], ==, 0);
    g_assert_cmpint(fired[1], ==, 1);
    g_assert_false(throttle_schedule_timer(&ts, &tt, true));
    throttle_timers_destroy(&tt);
    g_assert_false(throttle_timers_are_initialized(&tt));
}

static void test_move_timers(void)
{
    AioContext *other = aio_context_new(&error_abort);
    ThrottleTimers tt;
    int i;

    memset(fired, 0, sizeof(fired));
    throttle_timers_init(&tt, qemu_get_aio_context(), QEMU_CLOCK_REALTIME,
                         read_cb, write_cb, NULL);
    throttle_timers_detach_aio_context(&tt);
    for (i = 0; i < 2; i++) {
        g_assert_null(tt.timers[i]);
    }
    throttle_timers_attach_aio_context(&tt, other);
    timer_mod(tt.timers[0], 0);
    poll_all();
    g_assert_cmpint(fired[0], ==, 0);
    aio_poll(other, false);
    g_assert_cmpint(fired[0], ==, 1);
    throttle_timers_destroy(&tt);
    aio_context_unref(other);
}

/* ---- RateLimit ---- */

static void test_ratelimit(void)
{
    RateLimit limit = { 0 };

    g_assert_cmpint(ratelimit_calculate_delay(&limit, 1 * GiB), ==, 0);
    /* Slices of a minute: no new one begins in this test. */
    ratelimit_set_speed(&limit, 1000, 60 * SECOND);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 59999), ==, 0);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 60001), >, 60 * SECOND);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 0), <=, 120 * SECOND);
    ratelimit_set_speed(&limit, 0, 60 * SECOND);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 1), ==, 0);
}

/* However slow, something passes. */
static void test_slow_ratelimit(void)
{
    RateLimit limit = { 0 };

    ratelimit_set_speed(&limit, 1, SECOND / 10);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 0), ==, 0);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 600), >, SECOND);
}

/* A wait of more years than ns can count is cut; it does not wrap around into
 * the past, which would lift the limit. */
static void test_endless_ratelimit(void)
{
    RateLimit limit = { 0 };

    ratelimit_set_speed(&limit, 1, SECOND / 10);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 1ULL << 50), ==,
                    RATELIMIT_MAX_NS);
    g_assert_cmpint(ratelimit_calculate_delay(&limit, 1), >,
                    RATELIMIT_MAX_NS / 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    qemu_clock_virtual_freeze();
    g_test_add_func("/throttle/leak", test_leak);
    g_test_add_func("/throttle/wait", test_wait);
    g_test_add_func("/throttle/defaults", test_defaults);
    g_test_add_func("/throttle/enabled", test_enabled);
    g_test_add_func("/throttle/totals", test_totals);
    g_test_add_func("/throttle/values", test_values);
    g_test_add_func("/throttle/account", test_account);
    g_test_add_func("/throttle/schedule", test_schedule);
    g_test_add_func("/throttle/move-timers", test_move_timers);
    g_test_add_func("/ratelimit/quota", test_ratelimit);
    g_test_add_func("/ratelimit/slow", test_slow_ratelimit);
    g_test_add_func("/ratelimit/endless", test_endless_ratelimit);
    return g_test_run();
}
