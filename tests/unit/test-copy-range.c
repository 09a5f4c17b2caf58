/*
 * SPDX-License-Identifier: MIT
 *
 * Copies that the drivers make among themselves.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"

typedef struct Pair {
    BlockDriverState *src_bs, *dst_bs;
    BlockBackend *src_blk, *dst_blk;
    BdrvChild *src, *dst;
} Pair;

static Pair pair_new(void)
{
    Pair p = { .src_bs = mem_node("source"), .dst_bs = mem_node("target") };

    p.src_blk = mem_blk(p.src_bs);
    p.dst_blk = mem_blk(p.dst_bs);
    p.src = blk_root(p.src_blk);
    p.dst = blk_root(p.dst_blk);
    mem_fill(p.src_bs, 4096, 1024, 6);
    return p;
}

static void pair_free(Pair *p)
{
    blk_unref(p->src_blk);
    blk_unref(p->dst_blk);
    bdrv_unref(p->src_bs);
    bdrv_unref(p->dst_bs);
    g_assert_null(bdrv_next_all_states(NULL));
}

typedef struct Copy {
    BdrvChild *src, *dst;
    int64_t src_offset, dst_offset, bytes;
    BdrvRequestFlags write_flags;
    int ret;
} Copy;

static void coroutine_fn copy_entry(void *opaque)
{
    Copy *c = opaque;

    c->ret = bdrv_co_copy_range(c->src, c->src_offset, c->dst, c->dst_offset,
                                c->bytes, 0, c->write_flags);
}

static int copy(Pair *p, int64_t src_offset, int64_t dst_offset,
                int64_t bytes, BdrvRequestFlags write_flags)
{
    Copy c = { p->src, p->dst, src_offset, dst_offset, bytes, write_flags };

    mem_run_co(copy_entry, &c);
    return c.ret;
}

static void test_copy(void)
{
    Pair p = pair_new();
    BdrvDirtyBitmap *bitmap = bdrv_create_dirty_bitmap(p.dst_bs, 512, "b",
                                                       &error_abort);

    g_assert_cmpint(copy(&p, 4096, 8192, 1024, 0), ==, 0);
    mem_expect_log(p.src_bs, "r4096+1024");
    mem_expect_log(p.dst_bs, "w8192+1024");
    mem_check(p.dst_blk, 8192, 1024, 6);
    mem_check(p.dst_blk, 9216, 1024, 0);
    /* It is a write like others. */
    g_assert_cmpint(bdrv_get_dirty_count(bitmap), ==, 1024);
    g_assert_true(bdrv_dirty_bitmap_get(bitmap, 8192));
    g_assert_cmpint(p.dst_bs->wr_highest_offset, ==, 9216);
    g_assert_cmpint(p.src_bs->wr_highest_offset, ==, 0);
    bdrv_release_dirty_bitmap(bitmap);
    pair_free(&p);
}

static void test_zeroes(void)
{
    Pair p = pair_new();

    g_assert_cmpint(copy(&p, 4096, 8192, 1024, BDRV_REQ_ZERO_WRITE), ==, 0);
    mem_expect_log(p.src_bs, "");
    mem_expect_log(p.dst_bs, "z8192+1024");
    pair_free(&p);
}

/* What can't be done this way is left to the caller, untouched. */
static void test_unsupported(void)
{
    Pair p = pair_new();

    g_assert_cmpint(copy(&p, 1, 0, 512, 0), ==, 0);
    mem_state(p.src_bs)->limits.request_alignment = 512;
    bdrv_refresh_limits(p.src_bs, NULL, &error_abort);
    g_free(mem_log(p.src_bs));
    g_free(mem_log(p.dst_bs));
    g_assert_cmpint(copy(&p, 1, 0, 512, 0), ==, -ENOTSUP);

    p.src_bs->encrypted = true;
    g_assert_cmpint(copy(&p, 0, 0, 512, 0), ==, -ENOTSUP);
    p.src_bs->encrypted = false;
    p.dst_bs->encrypted = true;
    g_assert_cmpint(copy(&p, 0, 0, 512, 0), ==, -ENOTSUP);
    p.dst_bs->encrypted = false;
    mem_expect_log(p.src_bs, "");
    mem_expect_log(p.dst_bs, "");
    pair_free(&p);
}

static void test_no_hooks(void)
{
    Pair p = pair_new();
    BlockDriverState *filter = mem_filter_node("filter", p.src_bs);
    BlockBackend *blk = mem_blk(filter);

    p.src = blk_root(blk);
    g_assert_cmpint(copy(&p, 0, 0, 512, 0), ==, -ENOTSUP);
    mem_expect_log(p.dst_bs, "");
    blk_unref(blk);
    bdrv_unref(filter);
    pair_free(&p);
}

static void test_errors(void)
{
    Pair p = pair_new();

    g_assert_cmpint(copy(&p, -512, 0, 512, 0), ==, -EIO);
    g_assert_cmpint(copy(&p, 0, -512, 512, 0), ==, -EIO);
    g_assert_cmpint(copy(&p, BDRV_MAX_LENGTH, 0, 512, 0), ==, -EIO);
    mem_state(p.src_bs)->fail = "r";
    g_assert_cmpint(copy(&p, 0, 0, 512, 0), ==, -EIO);
    mem_expect_log(p.dst_bs, "");
    mem_state(p.src_bs)->fail = "";
    mem_state(p.dst_bs)->fail = "w";
    g_assert_cmpint(copy(&p, 0, 0, 512, 0), ==, -EIO);
    g_assert_cmpint(p.src_bs->in_flight, ==, 0);
    g_assert_cmpint(p.dst_bs->in_flight, ==, 0);
    pair_free(&p);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/copy-range/copy", test_copy);
    g_test_add_func("/copy-range/zeroes", test_zeroes);
    g_test_add_func("/copy-range/unsupported", test_unsupported);
    g_test_add_func("/copy-range/no-hooks", test_no_hooks);
    g_test_add_func("/copy-range/errors", test_errors);
    return g_test_run();
}
