/*
 * SPDX-License-Identifier: MIT
 *
 * Counts of bits next to a bit by bit model, wide arithmetic, powers of 2.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"

static uint64_t rand64(void)
{
    uint64_t v = (uint64_t)(uint32_t)g_test_rand_int() << 32 |
                 (uint32_t)g_test_rand_int();

    /* As many small numbers as large ones. */
    return v >> g_test_rand_int_range(0, 64);
}

static int model_count(uint64_t v)
{
    int n = 0;

    for (int i = 0; i < 64; i++) {
        n += v >> i & 1;
    }
    return n;
}

static int model_leading(uint64_t v, int width)
{
    int n = 0;

    while (n < width && !(v >> (width - 1 - n) & 1)) {
        n++;
    }
    return n;
}

static int model_trailing(uint64_t v, int width)
{
    int n = 0;

    while (n < width && !(v >> n & 1)) {
        n++;
    }
    return n;
}

static void check_counts(uint64_t v)
{
    uint32_t low = v;

    g_assert_cmpint(clz64(v), ==, model_leading(v, 64));
    g_assert_cmpint(ctz64(v), ==, model_trailing(v, 64));
    g_assert_cmpint(ctpop64(v), ==, model_count(v));
    g_assert_cmpint(ctpopl(v), ==, model_count((unsigned long)v));
    g_assert_cmpint(clz32(low), ==, model_leading(low, 32));
    g_assert_cmpint(ctz32(low), ==, model_trailing(low, 32));
    g_assert_cmpint(ctpop32(low), ==, model_count(low));
}

static void test_counts(void)
{
    check_counts(0);
    check_counts(UINT64_MAX);
    for (int i = 0; i < 64; i++) {
        check_counts(1ULL << i);
        check_counts(UINT64_MAX << i);
    }
    for (int i = 0; i < 10000; i++) {
        check_counts(rand64());
    }
}

static void test_muldiv(void)
{
    g_assert_cmphex(muldiv64(0, 5, 7), ==, 0);
    g_assert_cmphex(muldiv64(7, 3, 2), ==, 10);
    g_assert_cmphex(muldiv64(UINT64_MAX, UINT32_MAX, UINT32_MAX), ==,
                    UINT64_MAX);
    g_assert_cmphex(muldiv64(1ULL << 63, 6, 4), ==, 3ULL << 62);
    for (int i = 0; i < 10000; i++) {
        uint64_t a = rand64();
        uint32_t b = MAX((uint32_t)rand64(), 1);
        uint32_t c = g_test_rand_int_range(1, 1000);

        g_assert_cmphex(muldiv64(a, b, b), ==, a);
        g_assert_cmphex(muldiv64(a / c, c, 1), ==, a - a % c);
    }
}

static void check_floor_and_ceil(uint64_t v, uint64_t below, uint64_t above)
{
    g_assert_cmphex(pow2floor(v), ==, below);
    g_assert_cmphex(pow2ceil(v), ==, above);
}

/* There is no power of 2 below 1, and none above 2^63 that fits. */
static void test_powers(void)
{
    check_floor_and_ceil(0, 0, 1);
    check_floor_and_ceil(1, 1, 1);
    check_floor_and_ceil(2, 2, 2);
    for (int i = 2; i < 64; i++) {
        uint64_t power = 1ULL << i;

        check_floor_and_ceil(power - 1, power / 2, power);
        check_floor_and_ceil(power, power, power);
        check_floor_and_ceil(power + 1, power, i < 63 ? power * 2 : 0);
    }
    check_floor_and_ceil(UINT64_MAX, 1ULL << 63, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-utils/counts", test_counts);
    g_test_add_func("/host-utils/muldiv", test_muldiv);
    g_test_add_func("/host-utils/powers", test_powers);
    return g_test_run();
}
