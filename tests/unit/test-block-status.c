/*
 * SPDX-License-Identifier: MIT
 *
 * Block status of nodes and chains.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"

#define D BDRV_BLOCK_DATA
#define Z BDRV_BLOCK_ZERO
#define O BDRV_BLOCK_OFFSET_VALID
#define A BDRV_BLOCK_ALLOCATED
#define E BDRV_BLOCK_EOF

static void expect_status(BlockDriverState *bs, int64_t offset, int64_t bytes,
                          int status, int64_t count)
{
    BlockDriverState *file = NULL;
    int64_t pnum = -1, map = -1;

    g_assert_cmphex(bdrv_block_status(bs, offset, bytes, &pnum, &map, &file),
                    ==, status);
    g_assert_cmpint(pnum, ==, count);
    if (status & BDRV_BLOCK_OFFSET_VALID) {
        g_assert_cmpint(map, ==, offset);
        g_assert_nonnull(file);
    }
}

static void expect_above(BlockDriverState *bs, BlockDriverState *base,
                         int64_t offset, int64_t bytes, int status,
                         int64_t count)
{
    int64_t pnum = -1;

    g_assert_cmphex(bdrv_block_status_above(bs, base, offset, bytes, &pnum,
                                            NULL, NULL), ==, status);
    g_assert_cmpint(pnum, ==, count);
}

static void expect_depth(BlockDriverState *top, BlockDriverState *base,
                         bool include_base, int64_t offset, int64_t bytes,
                         int depth, int64_t count)
{
    int64_t pnum = -1;

    g_assert_cmpint(bdrv_is_allocated_above(top, base, include_base, offset,
                                            bytes, &pnum), ==, depth);
    g_assert_cmpint(pnum, ==, count);
}

static void test_one_node(void)
{
    BlockDriverState *bs = mem_node("node");

    mem_fill(bs, 4096, 4096, 1);
    expect_status(bs, 0, MEM_LENGTH, Z, 4096);
    expect_status(bs, 4096, MEM_LENGTH, D | O | A, 4096);
    expect_status(bs, 5000, 100, D | O | A, 100);
    expect_status(bs, 8192, 2 * MEM_LENGTH, Z | E, MEM_LENGTH - 8192);
    expect_status(bs, MEM_LENGTH, 512, E, 0);
    expect_status(bs, 3 * MEM_LENGTH, 512, E, 0);
    expect_status(bs, 0, 0, 0, 0);
    g_assert_cmpint(bdrv_is_allocated(bs, 0, 512, NULL), ==, 0);
    g_assert_cmpint(bdrv_is_allocated(bs, 4096, 512, NULL), ==, 1);
    bdrv_unref(bs);
}

/* The driver is asked about whole blocks only. */
static void test_alignment(void)
{
    BlockDriverState *bs = mem_node("node");

    mem_state(bs)->limits.request_alignment = 4096;
    bdrv_refresh_limits(bs, NULL, &error_abort);
    mem_fill(bs, 4096, 8192, 1);
    g_free(mem_log(bs));
    expect_status(bs, 5000, 100, D | O | A, 100);
    g_assert_cmpint(bdrv_is_allocated(bs, 5000, 5000, NULL), ==, 1);
    mem_expect_log(bs, "s4096+1044480 s4096+8192");
    bdrv_unref(bs);
}

static void test_error(void)
{
    BlockDriverState *bs = mem_node("node");
    int64_t pnum;

    mem_state(bs)->fail = "s";
    g_assert_cmpint(bdrv_block_status(bs, 0, 512, &pnum, NULL, NULL), ==,
                    -EIO);
    g_assert_cmpint(bdrv_is_allocated(bs, 0, 512, &pnum), ==, -EIO);
    g_assert_cmpint(bs->in_flight, ==, 0);
    bdrv_unref(bs);
}

/* ---- Chains ---- */

/* top over mid over base */
typedef struct Chain {
    BlockDriverState *top, *mid, *base;
} Chain;

static Chain chain_new(void)
{
    Chain c = { mem_node("top"), mem_node("mid"), mem_node("base") };

    bdrv_set_backing_hd(c.mid, c.base, &error_abort);
    bdrv_set_backing_hd(c.top, c.mid, &error_abort);
    return c;
}

static void chain_free(Chain *c)
{
    bdrv_unref(c->top);
    bdrv_unref(c->mid);
    bdrv_unref(c->base);
    g_assert_null(bdrv_next_all_states(NULL));
}

static void test_chain(void)
{
    Chain c = chain_new();
    BlockDriverState *file;
    int64_t pnum, map;

    mem_fill(c.base, 0, 65536, 1);
    mem_fill(c.mid, 8192, 8192, 2);
    mem_fill(c.top, 4096, 8192, 3);
    expect_status(c.top, 0, 4096, 0, 4096);
    expect_above(c.top, NULL, 0, MEM_LENGTH, D | O | A, 4096);
    expect_above(c.top, NULL, 4096, MEM_LENGTH, D | O | A, 8192);
    expect_above(c.top, NULL, 12288, MEM_LENGTH, D | O | A, 4096);
    expect_above(c.top, NULL, 16384, MEM_LENGTH, D | O | A, 65536 - 16384);
    expect_above(c.top, NULL, 65536, MEM_LENGTH, Z | E, MEM_LENGTH - 65536);
    expect_above(c.top, c.base, 16384, 4096, 0, 4096);
    expect_above(c.top, c.top, 0, 4096, 0, 4096);
    expect_above(c.top, c.mid, 4096, 512, D | O | A, 512);

    g_assert_cmpint(bdrv_block_status_above(c.top, NULL, 12800, 512, &pnum,
                                            &map, &file), >, 0);
    g_assert_true(file == c.mid);
    g_assert_cmpint(map, ==, 12800);

    expect_depth(c.top, NULL, false, 0, 4096, 3, 4096);
    expect_depth(c.top, NULL, false, 4096, 65536, 1, 8192);
    expect_depth(c.top, NULL, false, 12288, 65536, 2, 4096);
    expect_depth(c.top, c.base, false, 0, 65536, 0, 4096);
    expect_depth(c.top, c.base, true, 0, 65536, 3, 4096);
    expect_depth(c.top, c.base, true, 65536, 65536, 0, 65536);
    expect_depth(c.top, c.top, false, 4096, 512, 0, 512);
    expect_depth(c.top, c.top, true, 4096, 512, 1, 512);
    chain_free(&c);
}

/* Where a node below is too short there are zeroes, and they hide what is
 * below it. */
static void test_short_backing(void)
{
    Chain c = chain_new();

    mem_set_length(c.mid, 16384);
    mem_fill(c.base, 0, MEM_LENGTH, 1);
    expect_above(c.top, NULL, 8192, 65536, D | O | A, 8192);
    expect_above(c.top, NULL, 16384, 65536, Z | A, 65536);
    expect_above(c.top, NULL, 16384, MEM_LENGTH, Z | A | E,
                 MEM_LENGTH - 16384);
    /* Seen from above this is the layer that decides. */
    expect_depth(c.top, NULL, false, 16384, 65536, 2, 65536);
    /* The end of a node below is not the end. */
    expect_above(c.top, c.base, 0, MEM_LENGTH, 0, 16384);
    chain_free(&c);
}

static void zero_fast(void *opaque)
{
    Chain *c = opaque;

    g_assert_cmpint(bdrv_co_is_zero_fast(c->top, 0, 4096), ==, 0);
    g_assert_cmpint(bdrv_co_is_zero_fast(c->top, 4096, 8192), ==, 1);
    g_assert_cmpint(bdrv_co_is_zero_fast(c->top, 0, 0), ==, 1);
}

static void test_zero_fast(void)
{
    Chain c = chain_new();

    mem_fill(c.base, 0, 4096, 1);
    mem_run_co(zero_fast, &c);
    chain_free(&c);
}

/* One question goes down a long chain once. */
static void test_long_chain(void)
{
    BlockDriverState *bs[100];
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        bs[i] = mem_node(NULL);
        if (i) {
            bdrv_set_backing_hd(bs[i], bs[i - 1], &error_abort);
        }
    }
    mem_fill(bs[0], 4096, 4096, 1);
    expect_depth(bs[99], NULL, false, 4096, MEM_LENGTH, 100, 4096);
    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        mem_expect_log(bs[i], "s4096+1044480");
    }
    for (i = 0; i < ARRAY_SIZE(bs); i++) {
        bdrv_unref(bs[i]);
    }
}

/* ---- Filters ---- */

static void test_filter(void)
{
    Chain c = chain_new();
    BlockDriverState *filter = mem_filter_node("filter", c.top);

    mem_fill(c.base, 0, MEM_LENGTH, 1);
    mem_fill(c.top, 4096, 4096, 1);
    expect_above(filter, NULL, 0, MEM_LENGTH, D | O | A, 4096);
    expect_above(filter, NULL, 4096, MEM_LENGTH, D | O | A, 4096);
    expect_above(filter, c.mid, 0, MEM_LENGTH, 0, 4096);
    expect_depth(filter, c.mid, false, 0, 512, 0, 512);
    g_assert_cmpint(bdrv_is_allocated(filter, 4096, 512, NULL), ==, 1);
    g_assert_cmpint(bdrv_is_allocated(filter, 0, 512, NULL), ==, 0);
    bdrv_unref(filter);
    chain_free(&c);
}

/* ---- A format whose file knows of zeroes ---- */

static int coroutine_fn recurse_block_status(BlockDriverState *bs,
                                             bool want_zero, int64_t offset,
                                             int64_t bytes, int64_t *pnum,
                                             int64_t *map,
                                             BlockDriverState **file)
{
    *pnum = bytes;
    *map = offset;
    *file = bs->file->bs;
    return D | O | BDRV_BLOCK_RECURSE;
}

static int64_t recurse_getlength(BlockDriverState *bs)
{
    return MEM_LENGTH;
}

static BlockDriver recurse_format = {
    .format_name = "test-recurse",
    .is_format = true,
    .bdrv_child_perm = bdrv_default_perms,
    .bdrv_getlength = recurse_getlength,
    .bdrv_co_block_status = recurse_block_status,
};

static void test_recurse(void)
{
    BlockDriverState *file = mem_node("file");
    BlockDriverState *bs = bdrv_new_open_driver(&recurse_format, "format",
                                                BDRV_O_RDWR, &error_abort);
    int64_t pnum;
    int ret;

    mem_set_length(file, 65536);
    mem_state(file)->raw_status = true;
    mem_fill(file, 0, 4096, 1);
    mem_fill(file, 16384, 4096, 1);
    bdrv_set_file_or_backing_check(bs, file, false, &error_abort);
    ret = bdrv_block_status(bs, 0, MEM_LENGTH, &pnum, NULL, NULL);
    g_assert_cmphex(ret & (D | Z | A), ==, D | A);
    g_assert_cmpint(pnum, ==, 4096);
    ret = bdrv_block_status(bs, 4096, MEM_LENGTH, &pnum, NULL, NULL);
    g_assert_cmphex(ret & (D | Z | A), ==, D | Z | A);
    g_assert_cmpint(pnum, ==, 12288);
    /* A hole at the end of the file goes on behind it. */
    ret = bdrv_block_status(bs, 20480, MEM_LENGTH, &pnum, NULL, NULL);
    g_assert_cmphex(ret & (D | Z | A | E), ==, D | Z | A | E);
    g_assert_cmpint(pnum, ==, MEM_LENGTH - 20480);
    ret = bdrv_block_status(bs, 65536, 4096, &pnum, NULL, NULL);
    g_assert_cmphex(ret & (D | Z | A), ==, D | Z | A);
    g_assert_cmpint(pnum, ==, 4096);
    /* Who asks for allocation only does not bother the file. */
    g_free(mem_log(file));
    g_assert_cmpint(bdrv_is_allocated(bs, 0, 4096, &pnum), ==, 1);
    mem_expect_log(file, "");
    bdrv_unref(bs);
    bdrv_unref(file);
}

/* ---- The last run of data is remembered ---- */

static void test_cache(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    mem_fill(bs, 0, 65536, 1);
    g_free(mem_log(bs));
    expect_status(bs, 0, 512, D | O | A, 512);
    expect_status(bs, 512, 512, D | O | A, 512);
    expect_status(bs, 4096, MEM_LENGTH, D | O | A, 61440);
    mem_expect_log(bs, "s0+1048576");
    expect_status(bs, 65536, 512, Z, 512);
    mem_expect_log(bs, "s65536+983040");

    /* Until something takes data away there */
    mem_do(blk, 'w', 0, 512, 1, 0);
    expect_status(bs, 4096, 512, D | O | A, 512);
    mem_expect_log(bs, "w0+512");
    mem_do(blk, 'd', 65536, 512, 0, 0);
    expect_status(bs, 4096, 512, D | O | A, 512);
    mem_expect_log(bs, "d65536+512");
    mem_do(blk, 'd', 4096, 512, 0, 0);
    expect_status(bs, 4096, 4096, Z, 512);
    expect_status(bs, 8192, 512, D | O | A, 512);
    mem_do(blk, 'z', 8192, 512, 0, 0);
    g_free(mem_log(bs));
    expect_status(bs, 8192, 512, D | O | A, 512);
    mem_expect_log(bs, "s8192+1040384");
    bdrv_truncate(blk_root(blk), 12288, false, PREALLOC_MODE_OFF, 0,
                  &error_abort);
    expect_status(bs, 8192, 65536, D | O | A | E, 4096);
    blk_unref(blk);
    bdrv_unref(bs);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/block-status/one-node", test_one_node);
    g_test_add_func("/block-status/alignment", test_alignment);
    g_test_add_func("/block-status/error", test_error);
    g_test_add_func("/block-status/chain", test_chain);
    g_test_add_func("/block-status/short-backing", test_short_backing);
    g_test_add_func("/block-status/zero-fast", test_zero_fast);
    g_test_add_func("/block-status/long-chain", test_long_chain);
    g_test_add_func("/block-status/filter", test_filter);
    g_test_add_func("/block-status/recurse", test_recurse);
    g_test_add_func("/block-status/cache", test_cache);
    return g_test_run();
}
