/*
 * SPDX-License-Identifier: MIT
 *
 * Arrays of bits and words of bits, next to a model that is one byte a bit.
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"

#define BITS 300

typedef struct Pair {
    DECLARE_BITMAP(map, BITS);
    bool model[BITS];
} Pair;

static void rand_range(long *start, long *nr)
{
    *start = g_test_rand_int_range(0, BITS);
    *nr = g_test_rand_int_range(0, BITS - *start + 1);
}

static void pair_fill(Pair *p, long start, long nr, bool value)
{
    long i;

    (value ? bitmap_set : bitmap_clear)(p->map, start, nr);
    for (i = start; i < start + nr; i++) {
        p->model[i] = value;
    }
}

static unsigned long model_next(const Pair *p, unsigned long size,
                                unsigned long offset, bool value)
{
    while (offset < size && p->model[offset] != value) {
        offset++;
    }
    return MIN(offset, size);
}

static void assert_equal(const Pair *p)
{
    long n = 0, i;

    for (i = 0; i < BITS; i++) {
        g_assert_cmpint(test_bit(i, p->map), ==, p->model[i]);
        n += p->model[i];
    }
    g_assert_cmpint(bitmap_count_one(p->map, BITS), ==, n);
    g_assert_cmpint(bitmap_empty(p->map, BITS), ==, n == 0);
}

/* The bits behind @size are there to mislead. */
static void check_searches(const Pair *p)
{
    unsigned long size = g_test_rand_int_range(1, BITS + 1);
    unsigned long offset = g_test_rand_int_range(0, size + 1);

    g_assert_cmpuint(find_next_bit(p->map, size, offset), ==,
                     model_next(p, size, offset, true));
    g_assert_cmpuint(find_next_zero_bit(p->map, size, offset), ==,
                     model_next(p, size, offset, false));
    g_assert_cmpuint(find_first_bit(p->map, size), ==,
                     model_next(p, size, 0, true));
    g_assert_cmpuint(find_first_zero_bit(p->map, size), ==,
                     model_next(p, size, 0, false));
}

static void check_zero_area(const Pair *p)
{
    unsigned long nr = g_test_rand_int_range(1, 40);
    unsigned long mask = (1UL << g_test_rand_int_range(0, 5)) - 1;
    unsigned long start = g_test_rand_int_range(0, BITS);
    unsigned long at = (start + mask) & ~mask;

    while (at + nr <= BITS && model_next(p, at + nr, at, true) < at + nr) {
        at += mask + 1;
    }
    if (at + nr <= BITS) {
        g_assert_cmpuint(bitmap_find_next_zero_area(p->map, BITS, start, nr,
                                                    mask), ==, at);
    } else {
        g_assert_cmpuint(bitmap_find_next_zero_area(p->map, BITS, start, nr,
                                                    mask), >=, BITS);
    }
}

static void test_random(void)
{
    Pair p = { { 0 } };
    long start, nr;
    int i;

    for (i = 0; i < 3000; i++) {
        rand_range(&start, &nr);
        pair_fill(&p, start, g_test_rand_int_range(0, 4) ? MIN(nr, 20) : nr,
                  g_test_rand_int_range(0, 2));
        assert_equal(&p);
        check_searches(&p);
        check_zero_area(&p);
    }
    bitmap_zero(p.map, BITS);
    g_assert_true(bitmap_empty(p.map, BITS));
}

static void test_alloc(void)
{
    g_autofree unsigned long *map = bitmap_new(BITS);
    g_autofree unsigned long *other = bitmap_try_new(1);

    g_assert_true(bitmap_empty(map, BITS));
    g_assert_true(bitmap_empty(other, 1));
}

static void test_single_bits(void)
{
    unsigned long map[2] = { 0 };

    set_bit(64, map);
    g_assert_cmphex(map[0], ==, 0);
    g_assert_cmphex(map[1], ==, 1);
    change_bit(63, map);
    g_assert_cmphex(map[0], ==, 1UL << 63);
    g_assert_true(test_and_clear_bit(63, map));
    g_assert_false(test_and_clear_bit(63, map));
    g_assert_false(test_and_set_bit(5, map));
    g_assert_true(test_and_set_bit(5, map));
    clear_bit(5, map);
    g_assert_cmphex(map[0], ==, 0);
}

static void test_words(void)
{
    g_assert_cmphex(BIT(40), ==, 0x10000000000UL);
    g_assert_cmphex(BIT_MASK(65), ==, 2);
    g_assert_cmpuint(BIT_WORD(129), ==, 2);
    g_assert_cmpuint(BITS_TO_LONGS(65), ==, 2);
    g_assert_cmphex(MAKE_64BIT_MASK(0, 64), ==, UINT64_MAX);
    g_assert_cmphex(MAKE_64BIT_MASK(8, 4), ==, 0xf00);
    g_assert_cmphex(extract32(0x12345678, 8, 12), ==, 0x456);
    g_assert_cmphex(extract32(0x92345678, 0, 32), ==, 0x92345678);
    g_assert_cmphex(extract64(0x8123456789abcdefULL, 60, 4), ==, 8);
    g_assert_cmphex(extract64(0x8123456789abcdefULL, 0, 64), ==,
                    0x8123456789abcdefULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bitmap/random", test_random);
    g_test_add_func("/bitmap/alloc", test_alloc);
    g_test_add_func("/bitops/single-bits", test_single_bits);
    g_test_add_func("/bitops/words", test_words);
    return g_test_run();
}
