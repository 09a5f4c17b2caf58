/*
 * SPDX-License-Identifier: MIT
 *
 * Backup jobs on images in memory: content as of the start although the guest
 * writes, which part is copied, bitmaps, errors by policy, cancellation.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "block/blockjob_int.h"
#include "qemu/main-loop.h"

#define CLUSTER 65536

typedef struct Setup {
    BlockDriverState *source;
    BlockDriverState *target;
    BlockBackend *guest;
    int result;
} Setup;

static void job_done(void *opaque, int ret)
{
    ((Setup *)opaque)->result = ret;
}

static void setup(Setup *t)
{
    int64_t i;

    t->source = mem_node("source");
    t->target = mem_node("target");
    for (i = 0; i < MEM_LENGTH; i += CLUSTER) {
        mem_fill(t->source, i, CLUSTER, 1 + i / CLUSTER);
    }
    t->guest = blk_new_with_bs(t->source,
                               BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                               BLK_PERM_ALL, &error_abort);
    t->result = -EINPROGRESS;
}

static void teardown(Setup *t)
{
    g_assert_null(block_job_next(NULL));
    g_assert_true(blk_bs(t->guest) == t->source);
    blk_unref(t->guest);
    bdrv_unref(t->source);
    bdrv_unref(t->target);
    g_assert_null(bdrv_next_all_states(NULL));
}

static BackupJobConfig config(Setup *t)
{
    return (BackupJobConfig) {
        .job_id = "job0", .bs = t->source, .target = t->target,
        .sync_mode = MIRROR_SYNC_MODE_FULL, .max_workers = 8,
        .cb = job_done, .opaque = t,
    };
}

static void start(const BackupJobConfig *cfg)
{
    block_job_start(backup_job_create(cfg, &error_abort));
}

static void wait_gone(void)
{
    while (block_job_get("job0")) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

static void wait_held(BlockDriverState *bs)
{
    while (!mem_state(bs)->held) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

/* @bs has the content that the source had in the beginning. */
static void check_all(BlockDriverState *bs)
{
    BlockBackend *blk = mem_blk(bs);
    int64_t i;

    for (i = 0; i < MEM_LENGTH; i += CLUSTER) {
        mem_check(blk, i, CLUSTER, 1 + i / CLUSTER);
    }
    blk_unref(blk);
}

static void test_full(void)
{
    Setup t;
    BackupJobConfig cfg;

    setup(&t);
    cfg = config(&t);
    start(&cfg);
    g_assert_true(blk_bs(t.guest) != t.source);
    wait_gone();
    g_assert_cmpint(t.result, ==, 0);
    check_all(t.target);
    teardown(&t);
}

/* Writes, zeroes and discards of any alignment, while nothing has been copied
 * yet. */
static void test_guest_writes(void)
{
    MemRequest *r[4];
    Setup t;
    BackupJobConfig cfg;
    int i;

    setup(&t);
    cfg = config(&t);
    block_job_start(backup_job_create(&cfg, &error_abort));
    r[0] = mem_start(t.guest, 'w', 5 * CLUSTER + 777, 2 * CLUSTER, 0xee, 0);
    r[1] = mem_start(t.guest, 'z', 8 * CLUSTER - 99, 300, 0, 0);
    r[2] = mem_start(t.guest, 'd', 10 * CLUSTER, 2 * CLUSTER, 0, 0);
    r[3] = mem_start(t.guest, 'w', MEM_LENGTH - 3, 3, 0xed, 0);
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(mem_finish(r[i]), ==, 0);
    }
    wait_gone();
    g_assert_cmpint(t.result, ==, 0);
    check_all(t.target);
    mem_check(t.guest, 5 * CLUSTER + 777, 2 * CLUSTER, 0xee);
    mem_check(t.guest, 8 * CLUSTER - 99, 300, 0);
    mem_check(t.guest, MEM_LENGTH - 3, 3, 0xed);
    teardown(&t);
}

/* A write waits for a copy of its cluster that is on its way already. */
static void test_write_waits(void)
{
    MemRequest *w;
    Setup t;
    BackupJobConfig cfg;

    setup(&t);
    cfg = config(&t);
    mem_state(t.source)->hold = "r";
    start(&cfg);
    wait_held(t.source);
    w = mem_start(t.guest, 'w', 512, 1024, 0x77, 0);
    g_assert_false(mem_done(w));
    mem_state(t.source)->hold = "";
    mem_release(t.source);
    g_assert_cmpint(mem_finish(w), ==, 0);
    wait_gone();
    check_all(t.target);
    mem_check(t.guest, 512, 1024, 0x77);
    teardown(&t);
}

/* sync=none: what is overwritten, and nothing else. */
static void test_none(void)
{
    Setup t;
    BackupJobConfig cfg;
    BlockBackend *blk;

    setup(&t);
    cfg = config(&t);
    cfg.sync_mode = MIRROR_SYNC_MODE_NONE;
    start(&cfg);
    g_assert_cmpint(mem_do(t.guest, 'w', 3 * CLUSTER + 5, 7, 0x44, 0), ==, 0);
    g_assert_false(mem_is_allocated(t.target, 2 * CLUSTER));
    g_assert_true(mem_is_allocated(t.target, 3 * CLUSTER));
    g_assert_false(mem_is_allocated(t.target, 4 * CLUSTER));
    block_job_cancel(block_job_get("job0"), false);
    wait_gone();
    g_assert_cmpint(t.result, ==, -ECANCELED);
    blk = mem_blk(t.target);
    mem_check(blk, 3 * CLUSTER, CLUSTER, 4);
    blk_unref(blk);
    teardown(&t);
}

/* The host copies if it is told to, one piece a cluster, and until it fails;
 * writes of the guest make no difference. */
static void test_copy_range(void)
{
    static const struct {
        bool use, fails;
        int copies;
    } cases[] = {
        { false, false, 0 },
        { true, false, MEM_LENGTH / CLUSTER },
        { true, true, 1 },
    };
    Setup t;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        BackupJobConfig cfg;

        setup(&t);
        cfg = config(&t);
        cfg.use_copy_range = cases[i].use;
        cfg.max_chunk = CLUSTER;
        mem_state(t.target)->no_copies = cases[i].fails;
        block_job_start(backup_job_create(&cfg, &error_abort));
        g_assert_cmpint(mem_do(t.guest, 'w', 5 * CLUSTER, 512, 0xee, 0), ==,
                        0);
        wait_gone();
        g_assert_cmpint(t.result, ==, 0);
        g_assert_cmpint(mem_state(t.target)->copies, ==, cases[i].copies);
        check_all(t.target);
        teardown(&t);
    }
}

/* Only what the bitmap has; a bitmap of what was written since remains. */
static void test_bitmap(gconstpointer opaque)
{
    bool fail = GPOINTER_TO_INT(opaque);
    BdrvDirtyBitmap *bitmap;
    Setup t;
    BackupJobConfig cfg;

    setup(&t);
    cfg = config(&t);
    bitmap = bdrv_create_dirty_bitmap(t.source, CLUSTER, "b", &error_abort);
    bdrv_set_dirty_bitmap(bitmap, 2 * CLUSTER, 1);
    cfg.sync_mode = MIRROR_SYNC_MODE_BITMAP;
    cfg.sync_bitmap = bitmap;
    cfg.bitmap_mode = BITMAP_SYNC_MODE_ON_SUCCESS;
    mem_state(t.target)->fail = fail ? "w" : "";
    start(&cfg);
    g_assert_cmpint(mem_do(t.guest, 'w', 9 * CLUSTER, 512, 0x44, 0), ==, 0);
    wait_gone();
    g_assert_cmpint(t.result, ==, fail ? -EIO : 0);
    bitmap = bdrv_find_dirty_bitmap(t.source, "b");
    g_assert_true(bdrv_dirty_bitmap_get(bitmap, 9 * CLUSTER));
    g_assert_cmpint(bdrv_dirty_bitmap_get(bitmap, 2 * CLUSTER), ==, fail);
    g_assert_cmpint(mem_is_allocated(t.target, 2 * CLUSTER), ==, !fail);
    g_assert_false(mem_is_allocated(t.target, 9 * CLUSTER));
    bdrv_release_dirty_bitmap(bitmap);
    teardown(&t);
}

/* The snapshot counts more than the write, unless nobody wants it. */
static void test_error_of_write(void)
{
    Setup t;
    BackupJobConfig cfg;

    setup(&t);
    cfg = config(&t);
    cfg.sync_mode = MIRROR_SYNC_MODE_NONE;
    start(&cfg);
    mem_state(t.target)->fail = "w";
    g_assert_cmpint(mem_do(t.guest, 'w', 512, 512, 0x44, 0), ==, -EIO);
    mem_state(t.target)->fail = "";
    mem_check(t.guest, 0, CLUSTER, 1);
    g_assert_cmpint(mem_do(t.guest, 'w', 512, 512, 0x44, 0), ==, 0);
    block_job_cancel(block_job_get("job0"), true);
    wait_gone();
    teardown(&t);
}

static void test_refused(void)
{
    Error *err = NULL;
    Setup t;
    BackupJobConfig cfg;

    setup(&t);
    cfg = config(&t);
    mem_set_length(t.target, MEM_LENGTH / 2);
    g_assert_null(backup_job_create(&cfg, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Source and target image have different sizes");
    error_free(err);
    teardown(&t);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/backup/full", test_full);
    g_test_add_func("/backup/guest-writes", test_guest_writes);
    g_test_add_func("/backup/write-waits", test_write_waits);
    g_test_add_func("/backup/copy-range", test_copy_range);
    g_test_add_func("/backup/none", test_none);
    g_test_add_data_func("/backup/bitmap", GINT_TO_POINTER(false),
                         test_bitmap);
    g_test_add_data_func("/backup/bitmap-fails", GINT_TO_POINTER(true),
                         test_bitmap);
    g_test_add_func("/backup/error-of-write", test_error_of_write);
    g_test_add_func("/backup/refused", test_refused);
    return g_test_run();
}
