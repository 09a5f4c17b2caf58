/*
 * SPDX-License-Identifier: MIT
 *
 * Requests that wait for each other, and those that don't.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qemu/main-loop.h"

typedef struct Node {
    BlockDriverState *bs;
    MemState *s;
    BlockBackend *blk;
} Node;

static Node node_new(void)
{
    Node n = { .bs = mem_node("node") };

    n.s = mem_state(n.bs);
    n.s->limits.request_alignment = 4096;
    bdrv_refresh_limits(n.bs, NULL, &error_abort);
    n.blk = mem_blk(n.bs);
    return n;
}

static void node_free(Node *n)
{
    g_assert_true(QLIST_EMPTY(&n->bs->tracked_requests));
    g_assert_cmpint(n->bs->serialising_in_flight, ==, 0);
    g_assert_cmpint(n->bs->in_flight, ==, 0);
    blk_unref(n->blk);
    bdrv_unref(n->bs);
}

/* Aligned requests never wait, overlapping or not. */
static void test_aligned(void)
{
    Node n = node_new();
    MemRequest *a, *b, *c;

    n.s->hold = "rw";
    a = mem_start(n.blk, 'w', 0, 8192, 1, 0);
    b = mem_start(n.blk, 'w', 4096, 8192, 1, 0);
    c = mem_start(n.blk, 'r', 4096, 4096, 1, 0);
    g_assert_cmpint(n.s->held, ==, 3);
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(a), ==, 0);
    g_assert_cmpint(mem_finish(b), ==, 0);
    g_assert_cmpint(mem_finish(c), ==, 0);
    node_free(&n);
}

/* Two writes of parts of one block: both are there at the end. */
static void test_same_block(void)
{
    Node n = node_new();
    MemRequest *a, *b;

    mem_fill(n.bs, 0, 4096, 0x11);
    n.s->hold = "r";
    a = mem_start(n.blk, 'w', 0, 512, 0x22, 0);
    b = mem_start(n.blk, 'w', 1024, 512, 0x33, 0);
    g_assert_cmpint(n.s->held, ==, 1);
    mem_expect_log(n.bs, "r0+4096");
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(a), ==, 0);
    g_assert_cmpint(mem_finish(b), ==, 0);
    mem_expect_log(n.bs, "w0+4096 r0+4096 w0+4096");
    mem_check(n.blk, 0, 512, 0x22);
    mem_check(n.blk, 512, 512, 0x11);
    mem_check(n.blk, 1024, 512, 0x33);
    mem_check(n.blk, 1536, 2560, 0x11);
    node_free(&n);
}

/* An aligned write waits for one that reads the block first, and the other
 * way round. */
static void test_mixed(void)
{
    Node n = node_new();
    MemRequest *part, *whole, *read;

    n.s->hold = "r";
    part = mem_start(n.blk, 'w', 0, 512, 0x22, 0);
    whole = mem_start(n.blk, 'w', 0, 4096, 0x33, 0);
    read = mem_start(n.blk, 'r', 0, 512, 0x33, 0);
    g_assert_cmpint(n.s->held, ==, 1);
    mem_expect_log(n.bs, "r0+4096");
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(part), ==, 0);
    g_assert_cmpint(mem_finish(whole), ==, 0);
    g_assert_cmpint(mem_finish(read), ==, 0);
    mem_check(n.blk, 0, 4096, 0x33);
    g_free(mem_log(n.bs));

    n.s->hold = "w";
    whole = mem_start(n.blk, 'w', 0, 4096, 0x44, 0);
    part = mem_start(n.blk, 'w', 0, 512, 0x22, 0);
    mem_expect_log(n.bs, "w0+4096");
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(whole), ==, 0);
    g_assert_cmpint(mem_finish(part), ==, 0);
    mem_expect_log(n.bs, "r0+4096 w0+4096");
    mem_check(n.blk, 0, 512, 0x22);
    mem_check(n.blk, 512, 3584, 0x44);
    node_free(&n);
}

static void test_other_blocks(void)
{
    Node n = node_new();
    MemRequest *a, *b, *c;

    n.s->hold = "r";
    a = mem_start(n.blk, 'w', 0, 512, 0x22, 0);
    b = mem_start(n.blk, 'w', 4096, 512, 0x33, 0);
    c = mem_start(n.blk, 'w', 8192, 4096, 0x33, 0);
    g_assert_cmpint(n.s->held, ==, 2);
    g_assert_cmpint(mem_finish(c), ==, 0);
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(a), ==, 0);
    g_assert_cmpint(mem_finish(b), ==, 0);
    node_free(&n);
}

/* Whoever asks for it waits for all in its clusters and keeps others out. */
static void test_serialising_flag(void)
{
    Node n = node_new();
    MemRequest *first, *alone, *last, *elsewhere;

    n.s->cluster_size = 65536;
    n.s->hold = "w";
    first = mem_start(n.blk, 'w', 0, 4096, 1, 0);
    alone = mem_start(n.blk, 'w', 8192, 4096, 2, BDRV_REQ_SERIALISING);
    last = mem_start(n.blk, 'w', 16384, 4096, 3, 0);
    elsewhere = mem_start(n.blk, 'w', 65536, 4096, 4, 0);
    mem_expect_log(n.bs, "w0+4096 w65536+4096");
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(first), ==, 0);
    g_assert_cmpint(mem_finish(alone), ==, 0);
    g_assert_cmpint(mem_finish(last), ==, 0);
    g_assert_cmpint(mem_finish(elsewhere), ==, 0);
    mem_expect_log(n.bs, "w8192+4096 w16384+4096");
    node_free(&n);
}

static void test_no_wait(void)
{
    const BdrvRequestFlags flags = BDRV_REQ_SERIALISING | BDRV_REQ_NO_WAIT;
    Node n = node_new();
    BdrvDirtyBitmap *bitmap = bdrv_create_dirty_bitmap(n.bs, 512, "b",
                                                       &error_abort);
    MemRequest *first, *alone;

    n.s->hold = "w";
    first = mem_start(n.blk, 'w', 0, 4096, 1, 0);
    g_assert_cmpint(mem_do(n.blk, 'z', 0, 4096, 0, flags), ==, -EBUSY);
    g_assert_cmpint(mem_do(n.blk, 'z', 4096, 4096, 0, flags), ==, 0);
    alone = mem_start(n.blk, 'w', 8192, 4096, 1, flags);
    g_assert_cmpint(mem_do(n.blk, 'z', 8192, 4096, 0, flags), ==, -EBUSY);
    g_assert_cmpint(mem_do(n.blk, 'z', 4096, 4096, 0, flags), ==, 0);
    /* What was refused has changed nothing. */
    g_assert_cmpint(bdrv_get_dirty_count(bitmap), ==, 4096);
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(first), ==, 0);
    g_assert_cmpint(mem_finish(alone), ==, 0);
    g_assert_cmpint(bdrv_get_dirty_count(bitmap), ==, 12288);
    bdrv_release_dirty_bitmap(bitmap);
    node_free(&n);
}

/* Many that overlap in many ways: none waits forever, none is lost. */
static void test_many(void)
{
    Node n = node_new();
    MemRequest *reqs[200];
    int round;
    size_t i;

    for (round = 0; round < 10; round++) {
        n.s->hold = "rw";
        for (i = 0; i < ARRAY_SIZE(reqs); i++) {
            int offset = g_test_rand_int_range(0, 30000);
            int bytes = g_test_rand_int_range(1, 10000);

            reqs[i] = mem_start(n.blk, i % 5 == 4 ? 'z' : 'w', offset, bytes,
                                i, i % 7 == 6 ? BDRV_REQ_SERIALISING : 0);
        }
        mem_release(n.bs);
        for (i = 0; i < ARRAY_SIZE(reqs); i++) {
            g_assert_cmpint(mem_finish(reqs[i]), ==, 0);
        }
    }
    node_free(&n);
}

/* While the node grows, writes to the new area wait. */
typedef struct Truncate {
    BlockBackend *blk;
    int64_t size;
} Truncate;

static void coroutine_fn truncate_co(void *opaque)
{
    Truncate *t = opaque;

    g_assert_cmpint(bdrv_co_truncate(blk_root(t->blk), t->size, false,
                                     PREALLOC_MODE_OFF, 0, &error_abort),
                    ==, 0);
    t->size = -1;
}

static void test_truncate(void)
{
    Node n = node_new();
    Truncate t = { n.blk, 2 * MEM_LENGTH };
    MemRequest *behind, *before;

    blk_set_allow_write_beyond_eof(n.blk, true);
    n.s->hold = "t";
    qemu_coroutine_enter(qemu_coroutine_create(truncate_co, &t));
    behind = mem_start(n.blk, 'w', MEM_LENGTH, 4096, 1, 0);
    before = mem_start(n.blk, 'w', 0, 4096, 1, 0);
    g_assert_true(mem_done(before));
    g_assert_false(mem_done(behind));
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(behind), ==, 0);
    g_assert_cmpint(mem_finish(before), ==, 0);
    g_assert_cmpint(t.size, ==, -1);
    g_assert_cmpint(bdrv_getlength(n.bs), ==, 2 * MEM_LENGTH);
    node_free(&n);
}

/* A copy on read and a write of the same cluster */
static void test_copy_on_read(void)
{
    BlockDriverState *base = mem_node("base");
    Node n = node_new();
    MemRequest *read, *write;

    n.s->limits.request_alignment = 512;
    bdrv_refresh_limits(n.bs, NULL, &error_abort);
    n.s->cluster_size = 4096;
    mem_fill(base, 0, 65536, 0x44);
    bdrv_set_backing_hd(n.bs, base, &error_abort);
    bdrv_enable_copy_on_read(n.bs);
    n.s->hold = "w";
    read = mem_start(n.blk, 'r', 0, 512, 0x44, 0);
    write = mem_start(n.blk, 'w', 512, 512, 0x55, 0);
    mem_expect_log(n.bs, "s0+512 r0+4096 w0+4096=");
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(read), ==, 0);
    g_assert_cmpint(mem_finish(write), ==, 0);
    mem_check(n.blk, 512, 512, 0x55);
    bdrv_disable_copy_on_read(n.bs);
    node_free(&n);
    bdrv_unref(base);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/tracked-requests/aligned", test_aligned);
    g_test_add_func("/tracked-requests/same-block", test_same_block);
    g_test_add_func("/tracked-requests/mixed", test_mixed);
    g_test_add_func("/tracked-requests/other-blocks", test_other_blocks);
    g_test_add_func("/tracked-requests/serialising-flag",
                    test_serialising_flag);
    g_test_add_func("/tracked-requests/no-wait", test_no_wait);
    g_test_add_func("/tracked-requests/many", test_many);
    g_test_add_func("/tracked-requests/truncate", test_truncate);
    g_test_add_func("/tracked-requests/copy-on-read", test_copy_on_read);
    return g_test_run();
}
