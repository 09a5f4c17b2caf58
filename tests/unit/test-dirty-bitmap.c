/*
 * SPDX-License-Identifier: MIT
 *
 * Dirty bitmaps of nodes.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"

#define GRANULE 4096

static BdrvDirtyBitmap *new_bitmap(BlockDriverState *bs, const char *name)
{
    return bdrv_create_dirty_bitmap(bs, GRANULE, name, &error_abort);
}

static void expect_error(Error **err, const char *text)
{
    g_assert_nonnull(*err);
    g_assert_cmpstr(error_get_pretty(*err), ==, text);
    error_free(*err);
    *err = NULL;
}

static void test_life(void)
{
    BlockDriverState *bs = mem_node("node");
    g_autofree char *long_name = g_strnfill(1024, 'x');
    BdrvDirtyBitmap *a = new_bitmap(bs, "a"), *anonymous, *b;
    Error *err = NULL;

    anonymous = new_bitmap(bs, NULL);
    b = new_bitmap(bs, "b");
    g_assert_true(bdrv_find_dirty_bitmap(bs, "a") == a);
    g_assert_true(bdrv_find_dirty_bitmap(bs, "b") == b);
    g_assert_null(bdrv_find_dirty_bitmap(bs, "c"));
    g_assert_cmpstr(bdrv_dirty_bitmap_name(a), ==, "a");
    g_assert_null(bdrv_dirty_bitmap_name(anonymous));
    g_assert_cmpint(bdrv_dirty_bitmap_granularity(a), ==, GRANULE);
    g_assert_cmpint(bdrv_dirty_bitmap_size(a), ==, MEM_LENGTH);
    g_assert_true(bdrv_has_named_bitmaps(bs));
    g_assert_null(bdrv_create_dirty_bitmap(bs, GRANULE, "a", &err));
    expect_error(&err, "Bitmap already exists: a");
    g_assert_null(bdrv_create_dirty_bitmap(bs, GRANULE, long_name, &err));
    g_assert_true(g_str_has_prefix(error_get_pretty(err),
                                   "Bitmap name too long: x"));
    error_free(err);

    bdrv_release_named_dirty_bitmaps(bs);
    g_assert_false(bdrv_has_named_bitmaps(bs));
    g_assert_true(bdrv_dirty_bitmap_first(bs) == anonymous);
    g_assert_null(bdrv_dirty_bitmap_next(anonymous));
    bdrv_release_dirty_bitmap(anonymous);
    bdrv_unref(bs);
}

static void test_default_granularity(void)
{
    BlockDriverState *bs = mem_node("node");

    g_assert_cmpint(bdrv_get_default_bitmap_granularity(bs), ==, 65536);
    mem_state(bs)->cluster_size = 512;
    g_assert_cmpint(bdrv_get_default_bitmap_granularity(bs), ==, 4096);
    mem_state(bs)->cluster_size = 131072;
    g_assert_cmpint(bdrv_get_default_bitmap_granularity(bs), ==, 131072);
    bdrv_unref(bs);
}

/* All that changes data marks, after the fact, in all enabled bitmaps. */
static void test_marks(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    BdrvDirtyBitmap *on = new_bitmap(bs, "on"), *off = new_bitmap(bs, "off");
    MemRequest *req;

    bdrv_disable_dirty_bitmap(off);
    g_assert_false(bdrv_dirty_bitmap_enabled(off));
    mem_do(blk, 'r', 0, 512, 0, 0);
    g_assert_cmpint(bdrv_get_dirty_count(on), ==, 0);
    mem_state(bs)->hold = "w";
    req = mem_start(blk, 'w', 100, 10, 1, 0);
    g_assert_cmpint(bdrv_get_dirty_count(on), ==, 0);
    mem_release(bs);
    g_assert_cmpint(mem_finish(req), ==, 0);
    g_assert_cmpint(bdrv_get_dirty_count(on), ==, GRANULE);
    mem_do(blk, 'z', 8192, 4097, 1, 0);
    mem_do(blk, 'd', 65536, 4096, 1, 0);
    mem_state(bs)->fail = "w";
    mem_do(blk, 'w', 131072, 512, 1, 0);
    g_assert_cmpint(bdrv_get_dirty_count(on), ==, 5 * GRANULE);
    g_assert_true(bdrv_dirty_bitmap_get(on, 0));
    g_assert_false(bdrv_dirty_bitmap_get(on, 4096));
    g_assert_true(bdrv_dirty_bitmap_get(on, 12288));
    g_assert_true(bdrv_dirty_bitmap_get(on, 65536 + 4095));
    g_assert_true(bdrv_dirty_bitmap_get(on, 131072));
    g_assert_cmpint(bdrv_get_dirty_count(off), ==, 0);
    mem_state(bs)->fail = "";
    bdrv_enable_dirty_bitmap(off);
    mem_do(blk, 'w', 0, 512, 1, 0);
    g_assert_cmpint(bdrv_get_dirty_count(off), ==, GRANULE);
    blk_unref(blk);
    bdrv_unref(bs);
}

static void test_bits(void)
{
    BlockDriverState *bs = mem_node("node");
    BdrvDirtyBitmap *b = new_bitmap(bs, "b");
    BdrvDirtyBitmapIter *it;
    int64_t start, count;

    bdrv_set_dirty_bitmap(b, 8192, 4096);
    bdrv_set_dirty_bitmap(b, 16384, 8192);
    g_assert_cmpint(bdrv_dirty_bitmap_next_dirty(b, 0, MEM_LENGTH), ==, 8192);
    g_assert_cmpint(bdrv_dirty_bitmap_next_dirty(b, 0, 8192), ==, -1);
    g_assert_cmpint(bdrv_dirty_bitmap_next_zero(b, 8192, MEM_LENGTH), ==,
                    12288);
    g_assert_cmpint(bdrv_dirty_bitmap_next_zero(b, 8192, 4096), ==, -1);
    g_assert_true(bdrv_dirty_bitmap_next_dirty_area(b, 9000, MEM_LENGTH,
                                                    MEM_LENGTH, &start,
                                                    &count));
    g_assert_cmpint(start, ==, 9000);
    g_assert_cmpint(count, ==, 12288 - 9000);
    g_assert_true(bdrv_dirty_bitmap_next_dirty_area(b, 12288, MEM_LENGTH,
                                                    4096, &start, &count));
    g_assert_cmpint(start, ==, 16384);
    g_assert_cmpint(count, ==, 4096);
    g_assert_false(bdrv_dirty_bitmap_next_dirty_area(b, 24576, MEM_LENGTH,
                                                     4096, &start, &count));
    g_assert_false(bdrv_dirty_bitmap_status(b, 0, MEM_LENGTH, &count));
    g_assert_cmpint(count, ==, 8192);
    g_assert_true(bdrv_dirty_bitmap_status(b, 16384, 512, &count));
    g_assert_cmpint(count, ==, 512);

    it = bdrv_dirty_iter_new(b);
    g_assert_cmpint(bdrv_dirty_iter_next(it), ==, 8192);
    g_assert_cmpint(bdrv_dirty_iter_next(it), ==, 16384);
    bdrv_set_dirty_iter(it, 20480);
    g_assert_cmpint(bdrv_dirty_iter_next(it), ==, 20480);
    g_assert_cmpint(bdrv_dirty_iter_next(it), ==, -1);
    bdrv_dirty_iter_free(it);
    bdrv_reset_dirty_bitmap(b, 16384, 4096);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 8192);
    bdrv_unref(bs);
}

static void test_clear_and_restore(void)
{
    BlockDriverState *bs = mem_node("node");
    BdrvDirtyBitmap *b = new_bitmap(bs, "b");
    HBitmap *backup;

    bdrv_set_dirty_bitmap(b, 0, 8192);
    bdrv_clear_dirty_bitmap(b, &backup);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 0);
    bdrv_set_dirty_bitmap(b, 65536, 4096);
    bdrv_restore_dirty_bitmap(b, backup);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 8192);
    bdrv_clear_dirty_bitmap(b, NULL);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 0);
    bdrv_unref(bs);
}

static void test_states(void)
{
    BlockDriverState *bs = mem_node("node");
    BdrvDirtyBitmap *b = new_bitmap(bs, "b");
    Error *err = NULL;

    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_DEFAULT, &err), ==,
                    0);
    bdrv_dirty_bitmap_set_busy(b, true);
    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_BUSY, &err), <, 0);
    expect_error(&err, "Bitmap 'b' is currently in use by another operation "
                       "and cannot be used");
    bdrv_dirty_bitmap_set_busy(b, false);
    bdrv_dirty_bitmap_set_readonly(b, true);
    g_assert_true(bdrv_has_readonly_bitmaps(bs));
    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_ALLOW_RO, &err),
                    ==, 0);
    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_DEFAULT, &err), <,
                    0);
    expect_error(&err, "Bitmap 'b' is readonly and cannot be modified");
    bdrv_dirty_bitmap_set_readonly(b, false);
    bdrv_dirty_bitmap_set_persistence(b, true);
    g_assert_true(bdrv_dirty_bitmap_get_persistence(b));
    bdrv_dirty_bitmap_skip_store(b, true);
    g_assert_false(bdrv_dirty_bitmap_get_persistence(b));
    bdrv_dirty_bitmap_set_inconsistent(b);
    g_assert_false(bdrv_dirty_bitmap_recording(b));
    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_DEFAULT, &err), <,
                    0);
    expect_error(&err, "Bitmap 'b' is inconsistent and cannot be used");
    bdrv_unref(bs);
}

static void test_query(void)
{
    BlockDriverState *bs = mem_node("node");
    BdrvDirtyBitmap *b = new_bitmap(bs, "b"), *anonymous = new_bitmap(bs,
                                                                      NULL);
    BlockDirtyInfoList *list;

    bdrv_set_dirty_bitmap(b, 0, 1);
    bdrv_dirty_bitmap_set_busy(b, true);
    bdrv_disable_dirty_bitmap(anonymous);
    list = bdrv_query_dirty_bitmaps(bs);
    g_assert_false(list->value->has_name);
    g_assert_false(list->value->recording);
    g_assert_cmpstr(list->next->value->name, ==, "b");
    g_assert_cmpint(list->next->value->count, ==, GRANULE);
    g_assert_cmpint(list->next->value->granularity, ==, GRANULE);
    g_assert_true(list->next->value->recording);
    g_assert_true(list->next->value->busy);
    g_assert_null(list->next->next);
    qapi_free_BlockDirtyInfoList(list);
    bdrv_dirty_bitmap_set_busy(b, false);
    bdrv_release_dirty_bitmap(anonymous);
    bdrv_unref(bs);
}

/* ---- Successors ---- */

static void test_abdicate(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    BdrvDirtyBitmap *b = new_bitmap(bs, "b"), *heir;
    Error *err = NULL;

    g_assert_null(bdrv_dirty_bitmap_abdicate(b, &err));
    expect_error(&err, "Cannot relinquish control if there's no successor "
                       "present");
    bdrv_dirty_bitmap_set_persistence(b, true);
    bdrv_set_dirty_bitmap(b, 0, 1);
    bdrv_dirty_bitmap_create_successor(b, &error_abort);
    g_assert_true(bdrv_dirty_bitmap_has_successor(b));
    g_assert_true(bdrv_dirty_bitmap_recording(b));
    g_assert_false(bdrv_dirty_bitmap_enabled(b));
    g_assert_cmpint(bdrv_dirty_bitmap_create_successor(b, &err), <, 0);
    expect_error(&err, "Bitmap 'b' is currently in use by another operation "
                       "and cannot be used");
    mem_do(blk, 'w', 65536, 512, 1, 0);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, GRANULE);
    g_assert_false(bdrv_dirty_bitmap_get(b, 65536));

    heir = bdrv_dirty_bitmap_abdicate(b, &error_abort);
    g_assert_true(bdrv_find_dirty_bitmap(bs, "b") == heir);
    g_assert_true(bdrv_dirty_bitmap_get_persistence(heir));
    g_assert_true(bdrv_dirty_bitmap_enabled(heir));
    g_assert_cmpint(bdrv_dirty_bitmap_check(heir, BDRV_BITMAP_DEFAULT, NULL),
                    ==, 0);
    g_assert_cmpint(bdrv_get_dirty_count(heir), ==, GRANULE);
    g_assert_true(bdrv_dirty_bitmap_get(heir, 65536));
    g_assert_null(bdrv_dirty_bitmap_next(heir));
    blk_unref(blk);
    bdrv_unref(bs);
}

static void test_reclaim(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    BdrvDirtyBitmap *b = new_bitmap(bs, "b");
    Error *err = NULL;

    g_assert_null(bdrv_reclaim_dirty_bitmap(b, &err));
    expect_error(&err, "Cannot reclaim a successor when none is present");
    bdrv_set_dirty_bitmap(b, 0, 1);
    bdrv_dirty_bitmap_create_successor(b, &error_abort);
    mem_do(blk, 'w', 65536, 512, 1, 0);
    g_assert_true(bdrv_reclaim_dirty_bitmap(b, &error_abort) == b);
    g_assert_true(bdrv_dirty_bitmap_enabled(b));
    g_assert_cmpint(bdrv_dirty_bitmap_check(b, BDRV_BITMAP_DEFAULT, NULL), ==,
                    0);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 2 * GRANULE);

    /* One that was off stays off. */
    bdrv_disable_dirty_bitmap(b);
    bdrv_dirty_bitmap_create_successor(b, &error_abort);
    g_assert_false(bdrv_dirty_bitmap_recording(b));
    bdrv_reclaim_dirty_bitmap(b, &error_abort);
    g_assert_false(bdrv_dirty_bitmap_enabled(b));
    bdrv_unref(bs);
    blk_unref(blk);
}

/* ---- Merging ---- */

static void test_merge(void)
{
    BlockDriverState *bs = mem_node("node"), *other = mem_node("other");
    BdrvDirtyBitmap *dest = new_bitmap(bs, "dest"), *src, *coarse;
    HBitmap *backup;
    Error *err = NULL;

    src = new_bitmap(other, "src");
    coarse = bdrv_create_dirty_bitmap(bs, 65536, "coarse", &error_abort);
    bdrv_set_dirty_bitmap(dest, 0, 1);
    bdrv_set_dirty_bitmap(src, 8192, 1);
    bdrv_dirty_bitmap_set_readonly(src, true);
    bdrv_merge_dirty_bitmap(dest, src, &backup, &error_abort);
    g_assert_cmpint(bdrv_get_dirty_count(dest), ==, 2 * GRANULE);
    bdrv_restore_dirty_bitmap(dest, backup);
    g_assert_cmpint(bdrv_get_dirty_count(dest), ==, GRANULE);
    bdrv_merge_dirty_bitmap(coarse, dest, NULL, &error_abort);
    g_assert_cmpint(bdrv_get_dirty_count(coarse), ==, 65536);
    bdrv_merge_dirty_bitmap(dest, dest, NULL, &error_abort);
    g_assert_cmpint(bdrv_get_dirty_count(dest), ==, GRANULE);

    g_assert_false(bdrv_merge_dirty_bitmap(src, dest, NULL, &err));
    expect_error(&err, "Bitmap 'src' is readonly and cannot be modified");
    bdrv_release_dirty_bitmap(src);
    mem_set_length(other, 65536);
    src = new_bitmap(other, "src");
    g_assert_false(bdrv_merge_dirty_bitmap(dest, src, NULL, &err));
    expect_error(&err, "Bitmaps are of different sizes (destination size is "
                       "1048576, source size is 65536) and can't be merged");
    bdrv_unref(bs);
    bdrv_unref(other);
}

/* ---- Serialisation ---- */

static void test_serialize(void)
{
    BlockDriverState *bs = mem_node("node");
    BdrvDirtyBitmap *a = new_bitmap(bs, "a"), *b = new_bitmap(bs, "b");
    uint64_t size = bdrv_dirty_bitmap_serialization_size(a, 0, MEM_LENGTH);
    g_autofree uint8_t *buf = g_malloc(size);
    g_autofree char *sum_a = NULL, *sum_b = NULL;

    g_assert_cmpint(bdrv_dirty_bitmap_serialization_align(a), ==,
                    64 * GRANULE);
    g_assert_cmpint(bdrv_dirty_bitmap_serialization_coverage(32, a), ==,
                    256 * GRANULE);
    bdrv_set_dirty_bitmap(a, 0, 1);
    bdrv_set_dirty_bitmap(a, 524288, 65536);
    bdrv_dirty_bitmap_serialize_part(a, buf, 0, MEM_LENGTH);
    bdrv_dirty_bitmap_deserialize_part(b, buf, 0, MEM_LENGTH, true);
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, bdrv_get_dirty_count(a));
    sum_a = bdrv_dirty_bitmap_sha256(a, &error_abort);
    sum_b = bdrv_dirty_bitmap_sha256(b, &error_abort);
    g_assert_cmpstr(sum_a, ==, sum_b);
    bdrv_dirty_bitmap_deserialize_zeroes(b, 0, 262144, false);
    bdrv_dirty_bitmap_deserialize_ones(b, 262144, 262144, false);
    bdrv_dirty_bitmap_deserialize_finish(b);
    g_assert_false(bdrv_dirty_bitmap_get(b, 0));
    g_assert_true(bdrv_dirty_bitmap_get(b, 262144));
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 262144 + 65536);
    bdrv_unref(bs);
}

/* ---- Persistence ---- */

static bool asked_in_coroutine;

static bool coroutine_fn can_store(BlockDriverState *bs, const char *name,
                                   uint32_t granularity, Error **errp)
{
    asked_in_coroutine = qemu_in_coroutine();
    if (granularity < 65536) {
        error_setg(errp, "'%s' is too fine", name);
        return false;
    }
    return true;
}

static int coroutine_fn remove_stored(BlockDriverState *bs, const char *name,
                                      Error **errp)
{
    g_assert_true(qemu_in_coroutine());
    error_setg(errp, "'%s' is not there", name);
    return -ENOENT;
}

static void test_persistence(void)
{
    BlockDriverState *bs = mem_node("node");
    Error *err = NULL;

    g_assert_false(bdrv_can_store_new_dirty_bitmap(bs, "b", 512, &err));
    expect_error(&err, "Can't store persistent bitmaps to node: "
                       "Operation not supported");
    g_assert_cmpint(bdrv_remove_persistent_dirty_bitmap(bs, "b", &err), ==, 0);
    mem_format.bdrv_co_can_store_new_dirty_bitmap = can_store;
    mem_format.bdrv_co_remove_persistent_dirty_bitmap = remove_stored;
    g_assert_false(bdrv_can_store_new_dirty_bitmap(bs, "b", 512, &err));
    expect_error(&err, "'b' is too fine");
    g_assert_true(asked_in_coroutine);
    g_assert_true(bdrv_can_store_new_dirty_bitmap(bs, "b", 65536, &err));
    g_assert_cmpint(bdrv_remove_persistent_dirty_bitmap(bs, "b", &err), ==,
                    -ENOENT);
    expect_error(&err, "'b' is not there");
    mem_format.bdrv_co_can_store_new_dirty_bitmap = NULL;
    mem_format.bdrv_co_remove_persistent_dirty_bitmap = NULL;
    bdrv_unref(bs);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/dirty-bitmap/life", test_life);
    g_test_add_func("/dirty-bitmap/default-granularity",
                    test_default_granularity);
    g_test_add_func("/dirty-bitmap/marks", test_marks);
    g_test_add_func("/dirty-bitmap/bits", test_bits);
    g_test_add_func("/dirty-bitmap/clear-and-restore",
                    test_clear_and_restore);
    g_test_add_func("/dirty-bitmap/states", test_states);
    g_test_add_func("/dirty-bitmap/query", test_query);
    g_test_add_func("/dirty-bitmap/abdicate", test_abdicate);
    g_test_add_func("/dirty-bitmap/reclaim", test_reclaim);
    g_test_add_func("/dirty-bitmap/merge", test_merge);
    g_test_add_func("/dirty-bitmap/serialize", test_serialize);
    g_test_add_func("/dirty-bitmap/persistence", test_persistence);
    return g_test_run();
}
