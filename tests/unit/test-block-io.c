/*
 * SPDX-License-Identifier: MIT
 *
 * Requests: what the driver gets for what the user asks.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "block/io-internal.h"
#include "qemu/cutils.h"

typedef struct Node {
    BlockDriverState *bs;
    MemState *s;
    BlockBackend *blk;
} Node;

static Node node_new(const char *name)
{
    Node n = { .bs = mem_node(name) };

    n.s = mem_state(n.bs);
    n.blk = mem_blk(n.bs);
    return n;
}

static void node_limits(Node *n, BlockLimits limits)
{
    n->s->limits = limits;
    bdrv_refresh_limits(n->bs, NULL, &error_abort);
}

static void node_free(Node *n)
{
    blk_unref(n->blk);
    bdrv_unref(n->bs);
    g_assert_null(bdrv_next_all_states(NULL));
}

/* ---- Bounds ---- */

static void test_bounds(void)
{
    Node n = node_new("node");
    BdrvChild *c = blk_root(n.blk);
    char b[512];

    g_assert_cmpint(bdrv_pread(c, -1, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pread(c, 0, -1, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite(c, -512, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite(c, INT64_MAX - 5, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pread(c, BDRV_MAX_LENGTH, 1, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite_zeroes(c, BDRV_MAX_LENGTH, 512, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pdiscard(c, 0, -512), ==, -EIO);
    mem_expect_log(n.bs, "");
    /* Nothing is fine. */
    g_assert_cmpint(bdrv_pread(c, 7, 0, b, 0), ==, 0);
    g_assert_cmpint(bdrv_pwrite(c, 7, 0, b, 0), ==, 0);
    g_assert_cmpint(bdrv_pwrite_zeroes(c, 512, 0, 0), ==, 0);
    g_assert_cmpint(bdrv_pdiscard(c, 7, 0), ==, 0);
    g_assert_cmpint(n.bs->in_flight, ==, 0);
    node_free(&n);
}

static void test_read_only(void)
{
    BlockDriverState *bs = bdrv_new_open_driver(&mem_format, "ro", 0,
                                                &error_abort);
    BlockBackend *blk = blk_new_with_bs(bs, BLK_PERM_CONSISTENT_READ,
                                        BLK_PERM_ALL, &error_abort);
    BdrvChild *c = blk_root(blk);
    Error *err = NULL;
    char b[512];

    g_assert_cmpint(bdrv_pwrite(c, 0, 512, b, 0), ==, -EPERM);
    g_assert_cmpint(bdrv_pwrite_zeroes(c, 0, 512, 0), ==, -EPERM);
    g_assert_cmpint(bdrv_pdiscard(c, 0, 512), ==, -EPERM);
    g_assert_cmpint(bdrv_truncate(c, 512, false, PREALLOC_MODE_OFF, 0, &err),
                    ==, -EACCES);
    g_assert_cmpstr(error_get_pretty(err), ==, "Image is read-only");
    error_free(err);
    g_assert_cmpint(bdrv_flush(bs), ==, 0);
    mem_expect_log(bs, "");
    blk_unref(blk);
    bdrv_unref(bs);
}

/* Behind the last block there are zeroes; the driver is not asked. */
static void test_read_behind_end(void)
{
    Node n = node_new("node");
    uint8_t b[4096];
    int i;

    node_limits(&n, (BlockLimits) { .request_alignment = 1024 });
    mem_set_length(n.bs, 2560);
    mem_fill(n.bs, 0, 2560, 0x55);
    memset(b, 1, sizeof(b));
    g_assert_cmpint(bdrv_pread(blk_root(n.blk), 1024, 4096, b, 0), ==, 0);
    for (i = 0; i < 4096; i++) {
        g_assert_cmpint(b[i], ==, i < 1536 ? 0x55 : 0);
    }
    mem_expect_log(n.bs, "r1024+2048");
    g_assert_cmpint(bdrv_pread(blk_root(n.blk), 8192, 512, b, 0), ==, 0);
    g_assert_cmpint(b[0], ==, 0);
    mem_expect_log(n.bs, "");
    node_free(&n);
}

/* ---- Alignment ---- */

static void test_padding(void)
{
    Node n = node_new("node");

    node_limits(&n, (BlockLimits) { .request_alignment = 4096 });
    mem_fill(n.bs, 0, 65536, 0x11);
    mem_check(n.blk, 100, 50, 0x11);
    mem_expect_log(n.bs, "r0+4096");
    mem_check(n.blk, 4000, 9000, 0x11);
    mem_expect_log(n.bs, "r0+16384");
    mem_check(n.blk, 4096, 4096, 0x11);
    mem_expect_log(n.bs, "r4096+4096");

    /* Inside a block, at both ends of one, over three */
    g_assert_cmpint(mem_do(n.blk, 'w', 10, 20, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r0+4096 w0+4096");
    g_assert_cmpint(mem_do(n.blk, 'w', 4096, 20, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r4096+4096 w4096+4096");
    g_assert_cmpint(mem_do(n.blk, 'w', 8191, 1, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r4096+4096 w4096+4096");
    g_assert_cmpint(mem_do(n.blk, 'w', 12000, 9000, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r8192+4096 r20480+4096 w8192+16384");
    g_assert_cmpint(mem_do(n.blk, 'w', 28672, 8192, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "w28672+8192");
    g_assert_cmpint(mem_do(n.blk, 'w', 40000, 960, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r36864+4096 w36864+4096");
    /* Two blocks, both in part */
    g_assert_cmpint(mem_do(n.blk, 'w', 45000, 100, 0x22, 0), ==, 0);
    mem_expect_log(n.bs, "r40960+4096 r45056+4096 w40960+8192");

    mem_check(n.blk, 0, 10, 0x11);
    mem_check(n.blk, 10, 20, 0x22);
    mem_check(n.blk, 30, 4066, 0x11);
    mem_check(n.blk, 4096, 20, 0x22);
    mem_check(n.blk, 4116, 4075, 0x11);
    mem_check(n.blk, 8191, 1, 0x22);
    mem_check(n.blk, 8192, 3808, 0x11);
    mem_check(n.blk, 12000, 9000, 0x22);
    mem_check(n.blk, 21000, 7672, 0x11);
    mem_check(n.blk, 45000, 100, 0x22);
    mem_check(n.blk, 45100, 956, 0x11);
    node_free(&n);
}

/* Any request gives what a plain array would, with few or many elements. */
static void test_random(void)
{
    static const int aligns[] = { 1, 512, 4096 };
    g_autofree uint8_t *model = g_malloc0(65536);
    g_autofree uint8_t *buf = g_malloc(65536);
    size_t a;
    int i;

    for (a = 0; a < ARRAY_SIZE(aligns); a++) {
        Node n = node_new("node");
        BdrvChild *c = blk_root(n.blk);

        mem_set_length(n.bs, 65536);
        node_limits(&n, (BlockLimits) {
            .request_alignment = aligns[a],
            .max_transfer = 8192,
            .max_iov = 16,
        });
        memset(model, 0, 65536);
        for (i = 0; i < 2000; i++) {
            int64_t off = g_test_rand_int_range(0, 65536);
            int64_t len = g_test_rand_int_range(0, MIN(65537 - off, 20000));
            int op = g_test_rand_int_range(0, 3), step, pos;
            QEMUIOVector qiov;

            if (op == 0) {
                g_assert_cmpint(bdrv_pwrite_zeroes(c, off, len, 0), ==, 0);
                memset(model + off, 0, len);
                continue;
            }
            memset(buf, op == 1 ? i : 0xee, len);
            step = g_test_rand_int_range(1, 5000);
            qemu_iovec_init(&qiov, 1);
            for (pos = 0; pos < len; pos += step) {
                qemu_iovec_add(&qiov, buf + pos, MIN(step, len - pos));
            }
            if (op == 1) {
                g_assert_cmpint(mem_do_vector(n.blk, 'w', off, &qiov), ==, 0);
                memset(model + off, i, len);
            } else {
                g_assert_cmpint(mem_do_vector(n.blk, 'r', off, &qiov), ==, 0);
                g_assert_cmpmem(buf, len, model + off, len);
            }
            qemu_iovec_destroy(&qiov);
        }
        node_free(&n);
    }
}

static void test_split(void)
{
    Node n = node_new("node");

    node_limits(&n, (BlockLimits) { .request_alignment = 512,
                                    .max_transfer = 1536 });
    g_assert_cmpint(mem_do(n.blk, 'w', 512, 4096, 1, 0), ==, 0);
    mem_expect_log(n.bs, "w512+1536 w2048+1536 w3584+1024");
    mem_check(n.blk, 512, 4096, 1);
    mem_expect_log(n.bs, "r512+1536 r2048+1536 r3584+1024");
    /* The first that fails is the last. */
    n.s->fail = "w";
    g_assert_cmpint(mem_do(n.blk, 'w', 512, 4096, 1, 0), ==, -EIO);
    mem_expect_log(n.bs, "w512+1536");
    node_free(&n);
}

/* More elements than the driver takes */
static void test_many_elements(void)
{
    Node n = node_new("node");
    const int count = 3000;
    uint8_t *buf = g_malloc(count * 512);
    QEMUIOVector qiov;
    int i;

    mem_set_length(n.bs, 4 * MEM_LENGTH);
    qemu_iovec_init(&qiov, count);
    for (i = 0; i < count; i++) {
        memset(buf + i * 512, i, 512);
        qemu_iovec_add(&qiov, buf + i * 512, 512);
    }
    g_assert_cmpint(mem_do_vector(n.blk, 'w', 0, &qiov), ==, 0);
    mem_expect_log(n.bs, "w0+1048576 w1048576+487424");
    memset(buf, 0, count * 512);
    g_assert_cmpint(mem_do_vector(n.blk, 'r', 0, &qiov), ==, 0);
    for (i = 0; i < count; i++) {
        g_assert_cmpint(buf[i * 512 + 511], ==, i & 0xff);
    }
    qemu_iovec_destroy(&qiov);
    g_free(buf);
    node_free(&n);
}

/* ---- Zeroes ---- */

static void test_zeroes(void)
{
    Node n = node_new("node");

    node_limits(&n, (BlockLimits) { .request_alignment = 512,
                                    .max_pwrite_zeroes = 8192,
                                    .pwrite_zeroes_alignment = 4096 });
    mem_fill(n.bs, 0, 65536, 0x33);
    /* Up to a whole unit, as many units as possible, the rest: as data
     * where the driver can't. */
    g_assert_cmpint(mem_do(n.blk, 'z', 3584, 13824, 0, BDRV_REQ_MAY_UNMAP),
                    ==, 0);
    mem_expect_log(n.bs, "z3584+512u w3584+512 z4096+8192u z12288+4096u "
                         "z16384+1024u w16384+1024");
    mem_check(n.blk, 3072, 512, 0x33);
    mem_check(n.blk, 3584, 13824, 0);
    mem_check(n.blk, 17408, 512, 0x33);
    g_free(mem_log(n.bs));
    /* Bytes: the blocks at the ends are read and written. */
    g_assert_cmpint(mem_do(n.blk, 'z', 20000, 2000, 0, 0), ==, 0);
    mem_expect_log(n.bs, "r19968+512 w19968+512 z20480+1024 w20480+1024 "
                         "r21504+512 w21504+512");
    g_assert_cmpint(mem_do(n.blk, 'z', 30000, 10, 0, 0), ==, 0);
    mem_expect_log(n.bs, "r29696+512 w29696+512");
    mem_check(n.blk, 19968, 32, 0x33);
    mem_check(n.blk, 20000, 2000, 0);
    mem_check(n.blk, 22000, 100, 0x33);
    mem_check(n.blk, 30000, 10, 0);
    mem_check(n.blk, 30010, 10, 0x33);
    node_free(&n);
}

static void test_zeroes_fallback(void)
{
    Node n = node_new("node");

    n.s->no_zeroes = true;
    mem_set_length(n.bs, 4 * MEM_LENGTH);
    mem_fill(n.bs, 0, 4 * MEM_LENGTH, 0x33);
    g_assert_cmpint(mem_do(n.blk, 'z', 0, MEM_LENGTH, 0,
                           BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    mem_expect_log(n.bs, "z0+1048576n");
    g_assert_cmpint(mem_do(n.blk, 'z', 0, MEM_LENGTH + 4096, 0, 0), ==, 0);
    mem_expect_log(n.bs, "z0+1052672 w0+1048576 z1048576+4096 w1048576+4096");
    mem_check(n.blk, 0, MEM_LENGTH + 4096, 0);
    /* What the driver has not heard of it does not get. */
    n.bs->supported_zero_flags &= ~BDRV_REQ_NO_FALLBACK;
    g_free(mem_log(n.bs));
    g_assert_cmpint(mem_do(n.blk, 'z', 0, 512, 0, BDRV_REQ_NO_FALLBACK), ==,
                    -ENOTSUP);
    mem_expect_log(n.bs, "");
    node_free(&n);
}

static void test_may_unmap(void)
{
    Node n = node_new("node");

    n.bs->open_flags &= ~BDRV_O_UNMAP;
    g_assert_cmpint(mem_do(n.blk, 'z', 0, 512, 0, BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_cmpint(mem_do(n.blk, 'd', 0, 512, 0, 0), ==, 0);
    mem_expect_log(n.bs, "z0+512");
    node_free(&n);
}

static void test_detect_zeroes(void)
{
    Node n = node_new("node");

    g_assert_cmpint(mem_do(n.blk, 'w', 0, 512, 0, 0), ==, 0);
    n.bs->detect_zeroes = BLOCKDEV_DETECT_ZEROES_OPTIONS_ON;
    g_assert_cmpint(mem_do(n.blk, 'w', 512, 512, 0, 0), ==, 0);
    g_assert_cmpint(mem_do(n.blk, 'w', 1024, 512, 1, 0), ==, 0);
    n.bs->detect_zeroes = BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP;
    g_assert_cmpint(mem_do(n.blk, 'w', 1536, 512, 0, 0), ==, 0);
    mem_expect_log(n.bs, "w0+512 z512+512 w1024+512 z1536+512u");
    node_free(&n);
}

/* ---- Discards ---- */

static void test_discard(void)
{
    Node n = node_new("node");

    node_limits(&n, (BlockLimits) { .request_alignment = 512,
                                    .max_pdiscard = 8192,
                                    .pdiscard_alignment = 4096 });
    mem_fill(n.bs, 0, 65536, 0x33);
    g_assert_cmpint(mem_do(n.blk, 'd', 100, 20380, 0, 0), ==, 0);
    mem_expect_log(n.bs, "d4096+8192 d12288+8192");
    mem_check(n.blk, 100, 3996, 0x33);
    mem_check(n.blk, 4096, 16384, 0);
    g_free(mem_log(n.bs));
    n.s->fail = "d";
    g_assert_cmpint(mem_do(n.blk, 'd', 4096, 16384, 0, 0), ==, -EIO);
    mem_expect_log(n.bs, "d4096+8192");
    node_free(&n);
}

/* ---- Stable storage ---- */

static void test_flush(void)
{
    Node n = node_new("node");

    /* Nothing was written. */
    g_assert_cmpint(bdrv_flush(n.bs), ==, 0);
    mem_expect_log(n.bs, "o");
    mem_do(n.blk, 'w', 0, 512, 1, 0);
    g_assert_cmpint(bdrv_flush(n.bs), ==, 0);
    g_assert_cmpint(bdrv_flush(n.bs), ==, 0);
    mem_expect_log(n.bs, "w0+512 o f o");
    /* A flush that failed is none. */
    mem_do(n.blk, 'd', 0, 512, 1, 0);
    n.s->fail = "f";
    g_assert_cmpint(bdrv_flush(n.bs), ==, -EIO);
    n.s->fail = "";
    g_assert_cmpint(bdrv_flush(n.bs), ==, 0);
    mem_expect_log(n.bs, "d0+512 o f o f");
    n.bs->open_flags |= BDRV_O_NO_FLUSH;
    mem_do(n.blk, 'w', 0, 512, 1, 0);
    g_assert_cmpint(bdrv_flush(n.bs), ==, 0);
    mem_expect_log(n.bs, "w0+512 o");
    node_free(&n);
}

/* One flush to disk serves all that were asked for before it began. */
static void test_flush_shared(void)
{
    Node n = node_new("node");
    MemRequest *req[5];
    size_t i;

    mem_do(n.blk, 'w', 0, 512, 1, 0);
    n.s->hold = "f";
    for (i = 0; i < ARRAY_SIZE(req); i++) {
        req[i] = mem_start(n.blk, 'f', 0, 0, 0, 0);
    }
    mem_expect_log(n.bs, "w0+512 o f");
    mem_release(n.bs);
    for (i = 0; i < ARRAY_SIZE(req); i++) {
        g_assert_cmpint(mem_finish(req[i]), ==, 0);
    }
    mem_expect_log(n.bs, "o o o o");
    node_free(&n);
}

/* ... but not a write that ended after it had begun. */
static void test_flush_later(void)
{
    Node n = node_new("node");
    MemRequest *first, *second;

    mem_do(n.blk, 'w', 0, 512, 1, 0);
    n.s->hold = "f";
    first = mem_start(n.blk, 'f', 0, 0, 0, 0);
    mem_do(n.blk, 'w', 512, 512, 1, 0);
    second = mem_start(n.blk, 'f', 0, 0, 0, 0);
    mem_release(n.bs);
    g_assert_cmpint(mem_finish(first), ==, 0);
    g_assert_cmpint(mem_finish(second), ==, 0);
    mem_expect_log(n.bs, "w0+512 o f w512+512 o f");
    node_free(&n);
}

/* Children are flushed, whoever has written to them. */
static void test_flush_children(void)
{
    Node n = node_new("base");
    BlockDriverState *filter = mem_filter_node("filter", n.bs);
    char b[512] = "";

    blk_unref(n.blk);
    n.blk = mem_blk(filter);
    g_assert_cmpint(bdrv_pwrite(filter->file, 0, 512, b, 0), ==, 0);
    g_assert_cmpint(bdrv_flush(filter), ==, 0);
    mem_expect_log(n.bs, "w0+512 o f");
    blk_unref(n.blk);
    bdrv_unref(filter);
    bdrv_unref(n.bs);
    g_assert_null(bdrv_next_all_states(NULL));
}

static void test_fua(void)
{
    Node n = node_new("node");

    node_limits(&n, (BlockLimits) { .max_transfer = 1024 });
    /* In place of what the driver can't: a flush, one */
    mem_do(n.blk, 'w', 0, 2048, 1, BDRV_REQ_FUA);
    mem_expect_log(n.bs, "w0+1024 w1024+1024 o");
    mem_do(n.blk, 'z', 0, 2048, 1, BDRV_REQ_FUA);
    mem_expect_log(n.bs, "z0+2048 o f");
    /* What it can it does, for each part. */
    n.bs->supported_write_flags |= BDRV_REQ_FUA;
    n.bs->supported_zero_flags |= BDRV_REQ_FUA;
    mem_do(n.blk, 'w', 0, 2048, 1, BDRV_REQ_FUA);
    mem_do(n.blk, 'z', 0, 2048, 1, BDRV_REQ_FUA);
    n.s->no_zeroes = true;
    mem_do(n.blk, 'z', 0, 1024, 1, BDRV_REQ_FUA);
    mem_expect_log(n.bs, "w0+1024f w1024+1024f z0+2048f z0+1024f w0+1024f");
    node_free(&n);
}

/* ---- Copy on read ---- */

typedef struct Overlay {
    Node top;
    Node base;
} Overlay;

static Overlay overlay_new(void)
{
    Overlay o = { .top = node_new("top"), .base = node_new("base") };

    bdrv_set_backing_hd(o.top.bs, o.base.bs, &error_abort);
    return o;
}

static void overlay_free(Overlay *o)
{
    blk_unref(o->top.blk);
    bdrv_unref(o->top.bs);
    node_free(&o->base);
}

static void test_copy_on_read(void)
{
    Overlay o = overlay_new();

    o.top.s->cluster_size = 4096;
    mem_fill(o.base.bs, 0, 65536, 0x44);
    mem_fill(o.top.bs, 8192, 4096, 0x55);
    bdrv_enable_copy_on_read(o.top.bs);
    mem_check(o.top.blk, 5000, 100, 0x44);
    mem_expect_log(o.top.bs, "s5000+100 r4096+4096 w4096+4096=");
    g_assert_true(mem_is_allocated(o.top.bs, 4096));
    g_assert_true(mem_is_allocated(o.top.bs, 8191));
    g_assert_false(mem_is_allocated(o.top.bs, 12288));
    mem_check(o.top.blk, 5000, 100, 0x44);
    mem_expect_log(o.top.bs, "s5000+100 r5000+100");
    /* Zeroes stay zeroes. */
    mem_check(o.top.blk, 100000, 4000, 0);
    mem_expect_log(o.top.bs, "s100000+4000 r98304+8192 z98304+8192=");
    /* The reader gets its data though the copy fails. */
    o.top.s->fail = "w";
    mem_check(o.top.blk, 16384, 512, 0x44);
    o.top.s->fail = "";
    bdrv_disable_copy_on_read(o.top.bs);
    g_free(mem_log(o.top.bs));
    mem_check(o.top.blk, 20480, 512, 0x44);
    mem_expect_log(o.top.bs, "r20480+512");
    overlay_free(&o);
}

/* At the end of the node, and with clusters larger than any buffer */
static void test_copy_on_read_ends(void)
{
    Overlay o = overlay_new();
    uint8_t *buf = g_malloc(MEM_LENGTH);

    mem_set_length(o.top.bs, 3 * MEM_LENGTH + 512);
    mem_set_length(o.base.bs, 3 * MEM_LENGTH + 512);
    mem_fill(o.base.bs, 0, 3 * MEM_LENGTH + 512, 0x44);
    o.top.s->cluster_size = 2 * MEM_LENGTH;
    bdrv_enable_copy_on_read(o.top.bs);
    mem_check(o.top.blk, MEM_LENGTH + 4096, 2 * MEM_LENGTH - 4096 + 512, 0x44);
    mem_check(o.top.blk, 0, 3 * MEM_LENGTH + 512, 0x44);
    g_assert_true(mem_is_allocated(o.top.bs, 3 * MEM_LENGTH));
    memset(buf, 1, MEM_LENGTH);
    g_assert_cmpint(bdrv_pread(blk_root(o.top.blk), 3 * MEM_LENGTH, MEM_LENGTH,
                               buf, 0), ==, 0);
    g_assert_cmpint(buf[511], ==, 0x44);
    g_assert_true(buffer_is_zero(buf + 512, MEM_LENGTH - 512));
    g_assert_cmpint(bdrv_pread(blk_root(o.top.blk), 4 * MEM_LENGTH, 512, buf,
                               0), ==, 0);
    g_assert_true(buffer_is_zero(buf, 512));
    bdrv_disable_copy_on_read(o.top.bs);
    g_free(buf);
    overlay_free(&o);
}

typedef struct Prefetch {
    BdrvChild *c;
    int64_t offset;
    int64_t bytes;
    int ret;
} Prefetch;

static void coroutine_fn prefetch_co(void *opaque)
{
    Prefetch *p = opaque;

    p->ret = bdrv_co_preadv(p->c, p->offset, p->bytes, NULL,
                            BDRV_REQ_COPY_ON_READ | BDRV_REQ_PREFETCH);
}

static void test_prefetch(void)
{
    Overlay o = overlay_new();
    Prefetch p = { blk_root(o.top.blk), 0, 65536, -1 };

    mem_fill(o.base.bs, 0, 65536, 0x44);
    mem_fill(o.top.bs, 4096, 4096, 0x55);
    mem_run_co(prefetch_co, &p);
    g_assert_cmpint(p.ret, ==, 0);
    mem_expect_log(o.top.bs, "s0+65536 r0+4096 w0+4096= s4096+61440 "
                             "s8192+57344 r8192+57344 w8192+57344=");
    /* Here the copy is all that counts. */
    o.top.s->fail = "z";
    p.offset = 65536;
    mem_run_co(prefetch_co, &p);
    g_assert_cmpint(p.ret, ==, -EIO);
    overlay_free(&o);
}

/* ---- Length ---- */

static int resized;

static void count_resize(void *opaque)
{
    resized++;
}

static const BlockDevOps resize_ops = { .resize_cb = count_resize };

static void test_grow_by_write(void)
{
    Node n = node_new("node");
    BdrvDirtyBitmap *bitmap = bdrv_create_dirty_bitmap(n.bs, 512, "b",
                                                       &error_abort);

    blk_set_dev_ops(n.blk, &resize_ops, NULL);
    blk_set_allow_write_beyond_eof(n.blk, true);
    resized = 0;
    g_assert_cmpint(mem_do(n.blk, 'w', MEM_LENGTH, 512, 1, 0), ==, 0);
    g_assert_cmpint(bdrv_getlength(n.bs), ==, MEM_LENGTH + 512);
    g_assert_cmpint(resized, ==, 1);
    g_assert_cmpint(bdrv_dirty_bitmap_size(bitmap), ==, MEM_LENGTH + 512);
    g_assert_true(bdrv_dirty_bitmap_get(bitmap, MEM_LENGTH));
    g_assert_cmpint(n.bs->wr_highest_offset, ==, MEM_LENGTH + 512);
    g_assert_cmpint(mem_do(n.blk, 'w', 0, 512, 1, 0), ==, 0);
    g_assert_cmpint(n.bs->wr_highest_offset, ==, MEM_LENGTH + 512);
    /* What failed has not made it longer. */
    n.s->fail = "w";
    g_assert_cmpint(mem_do(n.blk, 'w', 2 * MEM_LENGTH, 512, 1, 0), ==, -EIO);
    g_assert_cmpint(bdrv_getlength(n.bs), ==, MEM_LENGTH + 512);
    bdrv_release_dirty_bitmap(bitmap);
    blk_set_dev_ops(n.blk, NULL, NULL);
    node_free(&n);
}

static int truncate_to(BlockBackend *blk, int64_t size, char **text)
{
    Error *err = NULL;
    int ret = bdrv_truncate(blk_root(blk), size, false, PREALLOC_MODE_OFF, 0,
                            &err);

    if (text) {
        *text = g_strdup(err ? error_get_pretty(err) : NULL);
    }
    g_assert_cmpint(ret < 0, ==, err != NULL);
    error_free(err);
    return ret;
}

static void test_truncate(void)
{
    Overlay o = overlay_new();
    BdrvDirtyBitmap *bitmap = bdrv_create_dirty_bitmap(o.top.bs, 512, "b",
                                                       &error_abort);
    char *text;

    blk_set_dev_ops(o.top.blk, &resize_ops, NULL);
    resized = 0;
    mem_fill(o.base.bs, 0, MEM_LENGTH, 0x44);
    g_assert_cmpint(truncate_to(o.top.blk, 4096, NULL), ==, 0);
    g_assert_cmpint(bdrv_getlength(o.top.bs), ==, 4096);
    g_assert_cmpint(bdrv_dirty_bitmap_size(bitmap), ==, 4096);
    g_assert_cmpint(resized, ==, 1);
    mem_expect_log(o.top.bs, "t4096+0");
    /* The backing file does not come to light again. */
    g_assert_cmpint(truncate_to(o.top.blk, 8192, NULL), ==, 0);
    mem_check(o.top.blk, 0, 4096, 0x44);
    mem_check(o.top.blk, 4096, 4096, 0);

    g_assert_cmpint(truncate_to(o.top.blk, -1, &text), ==, -EINVAL);
    g_assert_cmpstr(text, ==, "Image size cannot be negative");
    g_free(text);
    o.top.s->fail = "t";
    g_assert_cmpint(truncate_to(o.top.blk, 4096, &text), ==, -EIO);
    g_assert_cmpstr(text, ==, "truncation fails");
    g_free(text);
    g_assert_cmpint(bdrv_getlength(o.top.bs), ==, 8192);
    o.top.s->fail = "";
    /* Shorter than the backing file, and the driver can't zero */
    o.top.bs->supported_truncate_flags = 0;
    g_assert_cmpint(truncate_to(o.top.blk, 16384, &text), ==, -ENOTSUP);
    g_assert_cmpstr(text, ==, "Block driver does not support requested flags");
    g_free(text);
    /* Longer than it: nothing to hide */
    g_assert_cmpint(truncate_to(o.base.blk, 4096, NULL), ==, 0);
    g_assert_cmpint(truncate_to(o.top.blk, 16384, NULL), ==, 0);
    bdrv_release_dirty_bitmap(bitmap);
    blk_set_dev_ops(o.top.blk, NULL, NULL);
    overlay_free(&o);
}

static void test_truncate_filter(void)
{
    Node n = node_new("base");
    BlockDriverState *filter = mem_filter_node("filter", n.bs);

    blk_unref(n.blk);
    n.blk = mem_blk(filter);
    g_assert_cmpint(truncate_to(n.blk, 4096, NULL), ==, 0);
    g_assert_cmpint(bdrv_getlength(filter), ==, 4096);
    g_assert_cmpint(bdrv_getlength(n.bs), ==, 4096);
    blk_unref(n.blk);
    bdrv_unref(filter);
    bdrv_unref(n.bs);
}

/* ---- Limits ---- */

static void test_limits(void)
{
    Overlay o = overlay_new();
    Transaction *tran = tran_new();
    Error *err = NULL;
    BlockLimits old;

    o.base.bs->bl.min_mem_alignment = 2048;
    o.base.bs->bl.max_iov = 7;
    old = o.top.bs->bl;
    bdrv_refresh_limits(o.top.bs, tran, &error_abort);
    g_assert_cmpint(bdrv_min_mem_align(o.top.bs), ==, 2048);
    g_assert_cmpint(o.top.bs->bl.max_iov, ==, 7);
    tran_abort(tran);
    g_assert_cmpmem(&old, sizeof(old), &o.top.bs->bl, sizeof(old));

    o.top.s->limits.request_alignment = 2u << 30;
    bdrv_refresh_limits(o.top.bs, NULL, &err);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Driver requires too large request alignment");
    error_free(err);
    o.top.s->limits.request_alignment = 1;
    bdrv_refresh_limits(o.top.bs, NULL, &error_abort);
    overlay_free(&o);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/block-io/bounds", test_bounds);
    g_test_add_func("/block-io/read-only", test_read_only);
    g_test_add_func("/block-io/read-behind-end", test_read_behind_end);
    g_test_add_func("/block-io/padding", test_padding);
    g_test_add_func("/block-io/random", test_random);
    g_test_add_func("/block-io/split", test_split);
    g_test_add_func("/block-io/many-elements", test_many_elements);
    g_test_add_func("/block-io/zeroes", test_zeroes);
    g_test_add_func("/block-io/zeroes-fallback", test_zeroes_fallback);
    g_test_add_func("/block-io/may-unmap", test_may_unmap);
    g_test_add_func("/block-io/detect-zeroes", test_detect_zeroes);
    g_test_add_func("/block-io/discard", test_discard);
    g_test_add_func("/block-io/flush", test_flush);
    g_test_add_func("/block-io/flush-shared", test_flush_shared);
    g_test_add_func("/block-io/flush-later", test_flush_later);
    g_test_add_func("/block-io/flush-children", test_flush_children);
    g_test_add_func("/block-io/fua", test_fua);
    g_test_add_func("/block-io/copy-on-read", test_copy_on_read);
    g_test_add_func("/block-io/copy-on-read-ends", test_copy_on_read_ends);
    g_test_add_func("/block-io/prefetch", test_prefetch);
    g_test_add_func("/block-io/grow-by-write", test_grow_by_write);
    g_test_add_func("/block-io/truncate", test_truncate);
    g_test_add_func("/block-io/truncate-filter", test_truncate_filter);
    g_test_add_func("/block-io/limits", test_limits);
    return g_test_run();
}
