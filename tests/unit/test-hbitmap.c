/*
 * SPDX-License-Identifier: MIT
 *
 * Hierarchical bitmaps, next to a model that is one byte for each group.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/hbitmap.h"

typedef struct Pair {
    HBitmap *hb;
    int granularity;
    int64_t size;           /* items */
    int64_t groups;
    uint8_t *model;
} Pair;

static int64_t groups_of(int64_t size, int granularity)
{
    return (size + (1LL << granularity) - 1) >> granularity;
}

static void pair_init(Pair *p, int64_t size, int granularity)
{
    *p = (Pair) {
        .hb = hbitmap_alloc(size, granularity),
        .granularity = granularity,
        .size = size,
        .groups = groups_of(size, granularity),
    };
    p->model = g_new0(uint8_t, p->groups + 1);
}

static void pair_destroy(Pair *p)
{
    hbitmap_free(p->hb);
    g_free(p->model);
}

static void model_fill(Pair *p, int64_t start, int64_t count, uint8_t value)
{
    int64_t g;

    if (count > 0) {
        for (g = start >> p->granularity;
             g <= (start + count - 1) >> p->granularity; g++) {
            p->model[g] = value;
        }
    }
}

static void pair_set(Pair *p, int64_t start, int64_t count)
{
    hbitmap_set(p->hb, start, count);
    model_fill(p, start, count, 1);
}

/* Resets are of whole groups, but for the end. */
static void pair_reset(Pair *p, int64_t start, int64_t count)
{
    int64_t unit = 1LL << p->granularity;
    int64_t end = MIN(QEMU_ALIGN_UP(start + count, unit), p->size);

    start = QEMU_ALIGN_DOWN(start, unit);
    hbitmap_reset(p->hb, start, end - start);
    model_fill(p, start, end - start, 0);
}

static bool model_get(const Pair *p, int64_t item)
{
    return p->model[item >> p->granularity];
}

/* The first item from @start on that is @value, @end if there is none. */
static int64_t model_find(const Pair *p, int64_t start, int64_t end, bool value)
{
    while (start < end && model_get(p, start) != value) {
        start = MIN(((start >> p->granularity) + 1) << p->granularity, end);
    }
    return start;
}

static int64_t or_none(int64_t found, int64_t end)
{
    return found < end ? found : -1;
}

static void check_searches(const Pair *p, int64_t start, int64_t count)
{
    int64_t end = start + count;
    int64_t set = model_find(p, start, end, true);
    int64_t clear = model_find(p, set, end, false);
    int64_t max = g_test_rand_int_range(1, 2000);
    int64_t pos, n;
    bool found;

    g_assert_cmpint(hbitmap_next_zero(p->hb, start), ==,
                    or_none(model_find(p, start, p->size, false), p->size));
    g_assert_cmpint(hbitmap_next_dirty(p->hb, start, count), ==,
                    or_none(set, end));
    found = hbitmap_next_dirty_area(p->hb, start, end, max, &pos, &n);
    g_assert_cmpint(found, ==, set < end);
    if (found) {
        g_assert_cmpint(pos, ==, set);
        g_assert_cmpint(n, ==, MIN(clear - set, max));
    }
    if (count) {
        found = hbitmap_status(p->hb, start, count, &n);
        g_assert_cmpint(found, ==, model_get(p, start));
        g_assert_cmpint(n, ==, model_find(p, start, end, !found) - start);
    }
}

static void check_iteration(const Pair *p, int64_t first)
{
    int64_t g = first >> p->granularity;
    HBitmapIter it;
    int64_t item;

    hbitmap_iter_init(&it, p->hb, first);
    do {
        while (g < p->groups && !p->model[g]) {
            g++;
        }
        item = hbitmap_iter_next(&it);
        g_assert_cmpint(item, ==,
                        g < p->groups ? g << p->granularity : -1);
        g++;
    } while (item >= 0);
}

static void check_all(const Pair *p)
{
    int64_t g, n = 0;

    for (g = 0; g < p->groups; g++) {
        n += p->model[g];
        g_assert_cmpint(hbitmap_get(p->hb, g << p->granularity), ==,
                        p->model[g]);
    }
    g_assert_cmpint(hbitmap_count(p->hb), ==, n << p->granularity);
    g_assert_cmpint(hbitmap_empty(p->hb), ==, n == 0);
    check_iteration(p, 0);
}

static int64_t rand_below(int64_t n)
{
    return n > 0 ? g_test_rand_double_range(0, n) : 0;
}

/* Mostly short ones, sometimes to the end. */
static void rand_range(const Pair *p, int64_t *start, int64_t *count)
{
    int64_t most = g_test_rand_int_range(0, 4) ? 300 : p->size;

    *start = rand_below(p->size);
    *count = MIN(rand_below(most) + 1, p->size - *start);
}

static void rand_change(Pair *p)
{
    int64_t start, count;

    rand_range(p, &start, &count);
    if (g_test_rand_int_range(0, 2)) {
        pair_set(p, start, count);
    } else {
        pair_reset(p, start, count);
    }
}

static const int64_t sizes[] = { 1, 63, 64, 65, 4095, 4096, 4097, 20000,
                                 262144, 300001 };

static void for_all_shapes(void (*func)(Pair *p))
{
    Pair p;
    size_t i;
    int g;

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (g = 0; g <= 8; g += 4) {
            pair_init(&p, sizes[i], g);
            func(&p);
            pair_destroy(&p);
        }
    }
}

static void walk(Pair *p)
{
    int64_t start, count;
    int i;

    check_all(p);
    for (i = 0; i < 60; i++) {
        rand_change(p);
        rand_range(p, &start, &count);
        check_searches(p, start, count);
        check_iteration(p, start);
    }
    check_searches(p, p->size - 1, 1);
    check_all(p);
    hbitmap_reset_all(p->hb);
    memset(p->model, 0, p->groups);
    check_all(p);
}

static void test_random(void)
{
    for_all_shapes(walk);
}

static void test_empty(void)
{
    HBitmap *hb = hbitmap_alloc(0, 3);
    HBitmapIter it;

    g_assert_true(hbitmap_empty(hb));
    g_assert_cmpint(hbitmap_granularity(hb), ==, 3);
    g_assert_cmpint(hbitmap_next_zero(hb, 0), ==, -1);
    g_assert_cmpint(hbitmap_next_dirty(hb, 0, 0), ==, -1);
    hbitmap_iter_init(&it, hb, 0);
    g_assert_cmpint(hbitmap_iter_next(&it), ==, -1);
    hbitmap_set(hb, 0, 0);
    g_assert_cmpint(hbitmap_count(hb), ==, 0);
    hbitmap_free(hb);
}

/* Far apart, so that all levels take part; and beyond 2^32. */
static void test_huge(void)
{
    const int64_t at[] = { 0, 1LL << 20, (1LL << 33) + 5, (1LL << 36) - 1 };
    HBitmap *hb = hbitmap_alloc(1LL << 36, 0);
    HBitmapIter it;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(at); i++) {
        hbitmap_set(hb, at[i], 1);
    }
    hbitmap_iter_init(&it, hb, 0);
    for (i = 0; i < ARRAY_SIZE(at); i++) {
        g_assert_cmpint(hbitmap_iter_next(&it), ==, at[i]);
        g_assert_cmpint(hbitmap_next_zero(hb, at[i]), ==,
                        at[i] + 1 < 1LL << 36 ? at[i] + 1 : -1);
    }
    g_assert_cmpint(hbitmap_iter_next(&it), ==, -1);
    g_assert_cmpint(hbitmap_next_dirty(hb, 1, (1LL << 36) - 1), ==, at[1]);
    hbitmap_free(hb);
}

static void test_iterate_and_change(void)
{
    HBitmap *hb = hbitmap_alloc(100000, 0);
    HBitmapIter it;

    hbitmap_set(hb, 10, 3);
    hbitmap_set(hb, 70000, 1);
    hbitmap_set(hb, 90000, 1);
    hbitmap_iter_init(&it, hb, 5);
    g_assert_cmpint(hbitmap_iter_next(&it), ==, 10);
    hbitmap_reset(hb, 11, 1);
    g_assert_cmpint(hbitmap_iter_next(&it), ==, 12);
    hbitmap_reset(hb, 70000, 1);
    g_assert_cmpint(hbitmap_iter_next(&it), ==, 90000);
    hbitmap_reset_all(hb);
    g_assert_cmpint(hbitmap_iter_next(&it), ==, -1);
    hbitmap_free(hb);
}

static void change_size(Pair *p)
{
    int64_t size, groups;
    int i;

    for (i = 0; i < 8; i++) {
        rand_change(p);
        size = MAX(p->size + g_test_rand_int_range(-5000, 5000), 1);
        groups = groups_of(size, p->granularity);
        p->model = g_renew(uint8_t, p->model, groups + 1);
        if (groups > p->groups) {
            memset(p->model + p->groups, 0, groups - p->groups);
        }
        hbitmap_truncate(p->hb, size);
        p->size = size;
        p->groups = groups;
        check_all(p);
        check_searches(p, 0, size);
    }
}

static void test_truncate(void)
{
    for_all_shapes(change_size);
}

/* What was cut off does not come back. */
static void test_truncate_forgets(void)
{
    HBitmap *hb = hbitmap_alloc(1000, 2);

    hbitmap_set(hb, 0, 1000);
    hbitmap_truncate(hb, 500);
    hbitmap_truncate(hb, 1000);
    g_assert_cmpint(hbitmap_count(hb), ==, 500);
    g_assert_cmpint(hbitmap_next_zero(hb, 0), ==, 500);
    hbitmap_free(hb);
}

static void move_in_parts(Pair *p)
{
    HBitmap *copy = hbitmap_alloc(p->size, p->granularity);
    int64_t align = hbitmap_serialization_align(p->hb);
    int64_t start, count, i;
    uint8_t *buf;

    g_assert_cmpint(align, ==, 64LL << p->granularity);
    for (i = 0; i < 20; i++) {
        rand_change(p);
    }
    for (start = 0; start < p->size; start += count) {
        count = MIN(align * g_test_rand_int_range(1, 5), p->size - start);
        buf = g_malloc(hbitmap_serialization_size(p->hb, start, count));
        hbitmap_serialize_part(p->hb, buf, start, count);
        hbitmap_deserialize_part(copy, buf, start, count, false);
        g_free(buf);
    }
    hbitmap_deserialize_finish(copy);
    hbitmap_free(p->hb);
    p->hb = copy;
    check_all(p);
}

static void test_serialize(void)
{
    for_all_shapes(move_in_parts);
}

static void test_serial_form(void)
{
    HBitmap *hb = hbitmap_alloc(128 * 2, 1);
    uint64_t words[2];

    g_assert_true(hbitmap_is_serializable(hb));
    hbitmap_set(hb, 6, 2);
    hbitmap_set(hb, 254, 1);
    g_assert_cmpint(hbitmap_serialization_size(hb, 0, 256), ==, 16);
    hbitmap_serialize_part(hb, (uint8_t *)words, 0, 256);
    g_assert_cmphex(le64_to_cpu(words[0]), ==, 1 << 3);
    g_assert_cmphex(le64_to_cpu(words[1]), ==, 1ULL << 63);
    hbitmap_deserialize_zeroes(hb, 0, 128, true);
    g_assert_cmpint(hbitmap_next_dirty(hb, 0, 256), ==, 254);
    hbitmap_deserialize_ones(hb, 0, 128, true);
    g_assert_cmpint(hbitmap_count(hb), ==, 128 + 2);
    hbitmap_free(hb);
}

static void test_merge(void)
{
    HBitmap *fine = hbitmap_alloc(1000, 0), *coarse = hbitmap_alloc(1000, 6);
    HBitmap *other = hbitmap_alloc(1001, 0);

    hbitmap_set(fine, 130, 1);
    hbitmap_set(fine, 999, 1);
    hbitmap_set(coarse, 0, 1);
    g_assert_false(hbitmap_merge(fine, other, fine));
    g_assert_cmpint(hbitmap_count(fine), ==, 2);
    g_assert_true(hbitmap_merge(coarse, fine, coarse));
    g_assert_cmpint(hbitmap_next_dirty(coarse, 64, 936), ==, 128);
    g_assert_true(hbitmap_get(coarse, 998));
    g_assert_true(hbitmap_merge(fine, coarse, fine));
    g_assert_cmpint(hbitmap_next_zero(fine, 128), ==, 192);
    g_assert_cmpint(hbitmap_count(fine), ==, 64 + 64 + (1000 - 960));
    hbitmap_free(fine);
    hbitmap_free(coarse);
    hbitmap_free(other);
}

/* The sum tells what is stored. */
static void test_sha256(void)
{
    HBitmap *a = hbitmap_alloc(1000, 2), *b = hbitmap_alloc(1000, 2);
    g_autofree char *empty = hbitmap_sha256(a, &error_abort);
    g_autofree char *one = NULL, *other = NULL;

    g_assert_cmpint(strlen(empty), ==, 64);
    hbitmap_set(a, 8, 1);
    hbitmap_set(b, 11, 1);
    one = hbitmap_sha256(a, &error_abort);
    other = hbitmap_sha256(b, &error_abort);
    g_assert_cmpstr(one, ==, other);
    g_assert_cmpstr(one, !=, empty);
    hbitmap_free(a);
    hbitmap_free(b);
}

/* Only changes of bits count, each for its chunk. */
static void test_meta(void)
{
    HBitmap *hb = hbitmap_alloc(1 << 16, 1), *meta;
    int64_t chunk = 64 << 1;        /* in items */

    hbitmap_set(hb, 0, 2);
    meta = hbitmap_create_meta(hb, 64);
    hbitmap_set(hb, 0, 2);
    hbitmap_reset(hb, 2, 2);
    g_assert_true(hbitmap_empty(meta));
    hbitmap_set(hb, chunk - 2, 4);
    g_assert_true(hbitmap_get(meta, 0));
    g_assert_true(hbitmap_get(meta, chunk));
    g_assert_cmpint(hbitmap_next_zero(meta, 0), ==, 2 * chunk);
    hbitmap_reset_all(meta);
    hbitmap_reset(hb, chunk, 2);
    g_assert_cmpint(hbitmap_count(meta), ==, chunk);
    g_assert_true(hbitmap_get(meta, chunk));
    hbitmap_free_meta(hb);
    hbitmap_free(hb);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hbitmap/empty", test_empty);
    g_test_add_func("/hbitmap/random", test_random);
    g_test_add_func("/hbitmap/huge", test_huge);
    g_test_add_func("/hbitmap/iterate-and-change", test_iterate_and_change);
    g_test_add_func("/hbitmap/truncate", test_truncate);
    g_test_add_func("/hbitmap/truncate-forgets", test_truncate_forgets);
    g_test_add_func("/hbitmap/serialize", test_serialize);
    g_test_add_func("/hbitmap/serial-form", test_serial_form);
    g_test_add_func("/hbitmap/merge", test_merge);
    g_test_add_func("/hbitmap/sha256", test_sha256);
    g_test_add_func("/hbitmap/meta", test_meta);
    return g_test_run();
}
