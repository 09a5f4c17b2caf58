/*
 * SPDX-License-Identifier: MIT
 *
 * snapshot-access above copy-before-write: what was there when the filter came,
 * wherever it is now; what is not part of the snapshot, or not any more.
 * Numbers are those of the invariants in block/copy-before-write.c.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"

#define CLUSTER 65536

typedef struct Setup {
    BlockDriverState *source;
    BlockDriverState *target;
    BlockDriverState *cbw;
    BlockDriverState *access;
    BlockBackend *guest;        /* above the filter */
    BlockBackend *reader;       /* of the snapshot */
} Setup;

static QDict *options(const char *driver, const char *file)
{
    QDict *opts = qdict_new();

    qdict_put_str(opts, "driver", driver);
    qdict_put_str(opts, "node-name", driver);
    qdict_put_str(opts, "file", file);
    return opts;
}

static int pattern(int64_t offset)
{
    return 1 + offset / CLUSTER;
}

static void make_disks(Setup *t)
{
    int64_t i;

    t->source = mem_node("source");
    t->target = mem_node("target");
    for (i = 0; i < MEM_LENGTH; i += CLUSTER) {
        mem_fill(t->source, i, CLUSTER, pattern(i));
    }
}

static void make_snapshot(Setup *t, const char *on_error, const char *bitmap)
{
    QDict *opts = options("copy-before-write", "source");

    qdict_put_str(opts, "target", "target");
    qdict_put_str(opts, "on-cbw-error", on_error);
    if (bitmap) {
        qdict_put_str(opts, "bitmap.node", "source");
        qdict_put_str(opts, "bitmap.name", bitmap);
    }
    t->cbw = bdrv_open(NULL, NULL, opts, BDRV_O_RDWR, &error_abort);
    t->access = bdrv_open(NULL, NULL,
                          options("snapshot-access", "copy-before-write"),
                          BDRV_O_RDWR | BDRV_O_UNMAP, &error_abort);
    t->guest = blk_new_with_bs(t->cbw,
                               BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                               BLK_PERM_ALL, &error_abort);
    t->reader = mem_blk(t->access);
}

static void setup(Setup *t)
{
    make_disks(t);
    make_snapshot(t, "break-guest-write", NULL);
}

static void teardown(Setup *t)
{
    blk_unref(t->reader);
    blk_unref(t->guest);
    bdrv_unref(t->access);
    bdrv_unref(t->cbw);
    bdrv_unref(t->source);
    bdrv_unref(t->target);
    g_assert_null(bdrv_next_all_states(NULL));
}

static void check_all(Setup *t)
{
    int64_t i;

    for (i = 0; i < MEM_LENGTH; i += CLUSTER) {
        mem_check(t->reader, i, CLUSTER, pattern(i));
    }
}

static void test_reads(void)
{
    g_autofree uint8_t *buf = g_malloc(4 * CLUSTER);
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, 4 * CLUSTER);
    Setup t;
    int i;

    setup(&t);
    check_all(&t);
    g_assert_cmpint(mem_do(t.guest, 'w', CLUSTER + 512, 512, 0xee, 0), ==, 0);
    g_assert_cmpint(mem_do(t.guest, 'z', 4 * CLUSTER, CLUSTER, 0, 0), ==, 0);
    g_assert_cmpint(mem_do(t.guest, 'd', 6 * CLUSTER, CLUSTER, 0, 0), ==, 0);
    g_assert_cmpint(mem_do(t.guest, 'w', MEM_LENGTH - 5, 5, 0xee, 0), ==, 0);
    check_all(&t);
    mem_check(t.guest, CLUSTER + 512, 512, 0xee);
    /* One read of parts from both sides. */
    g_assert_cmpint(mem_do_vector(t.reader, 'r', 512, &qiov), ==, 0);
    for (i = 0; i < 4 * CLUSTER; i++) {
        g_assert_cmpint(buf[i], ==, pattern(512 + i));
    }
    teardown(&t);
}

/* 4: what the guest changed while it was read is read again, from the
 * target. */
static void test_write_meanwhile(void)
{
    MemRequest *r;
    Setup t;

    setup(&t);
    mem_state(t.source)->hold = "r";
    r = mem_start(t.reader, 'r', 2 * CLUSTER, CLUSTER, pattern(2 * CLUSTER),
                  0);
    g_assert_false(mem_done(r));
    mem_state(t.source)->hold = "";
    g_assert_cmpint(mem_do(t.guest, 'w', 2 * CLUSTER, CLUSTER, 0xee, 0), ==,
                    0);
    mem_release(t.source);
    g_assert_cmpint(mem_finish(r), ==, 0);
    mem_check(t.guest, 2 * CLUSTER, CLUSTER, 0xee);
    teardown(&t);
}

static int status(Setup *t, int64_t offset, int64_t bytes, int64_t *pnum)
{
    return bdrv_block_status(t->access, offset, bytes, pnum, NULL, NULL);
}

static void expect_status(Setup *t, int64_t offset, int64_t bytes, int flag)
{
    int64_t pnum;
    int ret = status(t, offset, MEM_LENGTH - offset, &pnum);

    g_assert_cmpint(ret & ~BDRV_BLOCK_EOF, ==, flag | BDRV_BLOCK_ALLOCATED);
    g_assert_cmpint(pnum, ==, bytes);
}

/* The whole chain of the source counts. */
static void test_status(void)
{
    BlockDriverState *base;
    Setup t;

    t.source = mem_node("source");
    t.target = mem_node("target");
    base = mem_node("base");
    mem_fill(base, 0, 2 * CLUSTER, 1);
    mem_fill(t.source, 2 * CLUSTER, CLUSTER, 3);
    bdrv_set_backing_hd(t.source, base, &error_abort);
    make_snapshot(&t, "break-guest-write", NULL);

    expect_status(&t, 0, 2 * CLUSTER, BDRV_BLOCK_DATA);
    expect_status(&t, 512, 2 * CLUSTER - 512, BDRV_BLOCK_DATA);
    expect_status(&t, 3 * CLUSTER, MEM_LENGTH - 3 * CLUSTER, BDRV_BLOCK_ZERO);
    g_assert_cmpint(mem_do(t.guest, 'w', 8 * CLUSTER, CLUSTER, 1, 0), ==, 0);
    g_assert_cmpint(mem_do(t.guest, 'z', CLUSTER, CLUSTER, 0, 0), ==, 0);
    expect_status(&t, 0, CLUSTER, BDRV_BLOCK_DATA);
    expect_status(&t, CLUSTER, CLUSTER, BDRV_BLOCK_DATA);
    expect_status(&t, 3 * CLUSTER, 5 * CLUSTER, BDRV_BLOCK_ZERO);
    mem_check(t.reader, CLUSTER, CLUSTER, 1);
    mem_check(t.reader, 8 * CLUSTER, CLUSTER, 0);
    bdrv_unref(base);
    teardown(&t);
}

static void expect_no_access(Setup *t, int64_t offset)
{
    int64_t pnum;

    g_assert_cmpint(mem_do(t->reader, 'r', offset, 512, 0, 0), ==, -EACCES);
    g_assert_cmpint(status(t, offset, 512, &pnum), ==, -EACCES);
}

/* 3 */
static void test_bitmap(void)
{
    BdrvDirtyBitmap *bitmap;
    Setup t;

    make_disks(&t);
    bitmap = bdrv_create_dirty_bitmap(t.source, 512, "b", &error_abort);
    bdrv_set_dirty_bitmap(bitmap, CLUSTER - 512, 1024);
    make_snapshot(&t, "break-guest-write", "b");
    bdrv_release_dirty_bitmap(bitmap);

    mem_check(t.reader, 0, CLUSTER, 1);
    mem_check(t.reader, CLUSTER, CLUSTER, 2);
    expect_no_access(&t, 2 * CLUSTER);
    g_assert_cmpint(mem_do(t.reader, 'r', CLUSTER, 2 * CLUSTER, 2, 0), ==,
                    -EACCES);
    g_assert_cmpint(mem_do(t.guest, 'w', 0, 4 * CLUSTER, 0xee, 0), ==, 0);
    mem_check(t.reader, 0, CLUSTER, 1);
    mem_check(t.reader, CLUSTER, CLUSTER, 2);
    expect_no_access(&t, 2 * CLUSTER);
    g_assert_true(mem_is_allocated(t.target, CLUSTER));
    g_assert_false(mem_is_allocated(t.target, 2 * CLUSTER));
    teardown(&t);
}

static void test_discard(void)
{
    Setup t;

    setup(&t);
    g_assert_cmpint(mem_do(t.guest, 'w', CLUSTER, CLUSTER, 0xee, 0), ==, 0);
    g_free(mem_log(t.target));
    /* Parts of clusters stay. */
    g_assert_cmpint(mem_do(t.reader, 'd', 512, 3 * CLUSTER, 0, 0), ==, 0);
    mem_expect_log(t.target, "d65536+131072");
    mem_check(t.reader, 0, CLUSTER, 1);
    expect_no_access(&t, CLUSTER);
    expect_no_access(&t, 2 * CLUSTER);
    mem_check(t.reader, 3 * CLUSTER, CLUSTER, pattern(3 * CLUSTER));
    /* It is not copied any more. */
    g_assert_cmpint(mem_do(t.guest, 'w', 2 * CLUSTER, CLUSTER, 0xee, 0), ==,
                    0);
    mem_expect_log(t.target, "");
    /* Up to the end. */
    g_assert_cmpint(mem_do(t.reader, 'd', MEM_LENGTH - CLUSTER, CLUSTER, 0, 0),
                    ==, 0);
    expect_no_access(&t, MEM_LENGTH - 512);
    teardown(&t);
}

/* 1: the guest's write was made, so there is no snapshot any more. */
static void test_given_up(void)
{
    MemRequest *r;
    Setup t;

    make_disks(&t);
    make_snapshot(&t, "break-snapshot", NULL);
    g_assert_cmpint(mem_do(t.guest, 'w', 0, 512, 0xee, 0), ==, 0);
    check_all(&t);
    mem_state(t.target)->fail = "w";
    mem_state(t.source)->hold = "r";
    r = mem_start(t.reader, 'r', 5 * CLUSTER, 512, 0, 0);
    mem_state(t.source)->hold = "";
    g_assert_cmpint(mem_do(t.guest, 'w', 2 * CLUSTER, 512, 0xee, 0), ==, 0);
    mem_release(t.source);
    g_assert_cmpint(mem_finish(r), ==, -EACCES);
    expect_no_access(&t, 0);
    expect_no_access(&t, 5 * CLUSTER);
    teardown(&t);
}

static void test_errors(void)
{
    Setup t;

    setup(&t);
    mem_state(t.source)->fail = "r";
    g_assert_cmpint(mem_do(t.reader, 'r', 0, 512, 0, 0), ==, -EIO);
    mem_state(t.source)->fail = "";
    check_all(&t);
    g_assert_cmpint(mem_do(t.reader, 'w', 0, 512, 1, 0), ==, -ENOTSUP);
    g_assert_cmpint(mem_do(t.reader, 'z', 0, 512, 0, 0), ==, -ENOTSUP);
    check_all(&t);
    teardown(&t);
}

static void test_no_snapshot_below(void)
{
    BlockDriverState *bs = mem_node("plain"), *access;
    BlockBackend *blk;
    int64_t pnum;

    access = bdrv_open(NULL, NULL, options("snapshot-access", "plain"),
                       BDRV_O_RDWR | BDRV_O_UNMAP, &error_abort);
    g_assert_cmpint(bdrv_getlength(access), ==, MEM_LENGTH);
    blk = mem_blk(access);
    g_assert_cmpint(mem_do(blk, 'r', 0, 512, 0, 0), ==, -ENOTSUP);
    g_assert_cmpint(bdrv_block_status(access, 0, 512, &pnum, NULL, NULL), ==,
                    -ENOTSUP);
    blk_unref(blk);
    bdrv_unref(access);
    bdrv_unref(bs);
}

/* Nobody may write around the filter while the snapshot can be read, though
 * who reads it asks for no permissions. */
static void test_permissions(void)
{
    BlockBackend *blk;
    Error *err = NULL;
    Setup t;

    setup(&t);
    blk_unref(t.guest);
    blk_unref(t.reader);
    blk = blk_new_with_bs(t.source, BLK_PERM_WRITE, BLK_PERM_ALL, &err);
    g_assert_null(blk);
    g_assert_nonnull(err);
    error_free(err);
    bdrv_unref(t.access);
    bdrv_unref(t.cbw);
    blk = blk_new_with_bs(t.source, BLK_PERM_WRITE, BLK_PERM_ALL,
                          &error_abort);
    blk_unref(blk);
    bdrv_unref(t.source);
    bdrv_unref(t.target);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/snapshot-access/reads", test_reads);
    g_test_add_func("/snapshot-access/write-meanwhile", test_write_meanwhile);
    g_test_add_func("/snapshot-access/status", test_status);
    g_test_add_func("/snapshot-access/bitmap", test_bitmap);
    g_test_add_func("/snapshot-access/discard", test_discard);
    g_test_add_func("/snapshot-access/given-up", test_given_up);
    g_test_add_func("/snapshot-access/errors", test_errors);
    g_test_add_func("/snapshot-access/no-snapshot-below",
                    test_no_snapshot_below);
    g_test_add_func("/snapshot-access/permissions", test_permissions);
    return g_test_run();
}
