/*
 * SPDX-License-Identifier: MIT
 *
 * The mirror job on real files: content, writes during the job in both copy
 * modes, errors by policy, cancellation, limits of the target.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"

#define SIZE (8 * MiB)

typedef struct Mirror {
    char *source_path;
    char *target_path;
    BlockBackend *guest;        /* of the source */
    BlockDriverState *target;
} Mirror;

static char *make_file(int64_t size)
{
    char *path;
    int fd = g_file_open_tmp("mirror-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    close(fd);
    return path;
}

/* @file_driver: blkdebug, whose first write fails, or NULL. */
static BlockDriverState *open_raw(const char *path, const char *name,
                                  const char *file_driver)
{
    QDict *opts = qdict_new();
    const char *key = file_driver ? "file.image.filename" : "file.filename";

    qdict_put_str(opts, "driver", "raw");
    qdict_put_str(opts, "node-name", name);
    qdict_put_str(opts, "file.driver", file_driver ? file_driver : "file");
    qdict_put_str(opts, key, path);
    if (file_driver) {
        qdict_put_str(opts, "file.image.driver", "file");
        qdict_put_str(opts, "file.inject-error.0.event", "pwritev");
        qdict_put_str(opts, "file.inject-error.0.once", "on");
        qdict_put_str(opts, "file.inject-error.0.immediately", "off");
    }
    qdict_put_str(opts, "discard", "unmap");
    return bdrv_open(NULL, NULL, opts, BDRV_O_RDWR | BDRV_O_UNMAP,
                     &error_abort);
}

static void write_pattern(BlockBackend *blk, int64_t offset, int64_t bytes,
                          int pattern)
{
    g_autofree void *buf = g_malloc(bytes);

    memset(buf, pattern, bytes);
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, buf, 0), ==, 0);
}

static void setup(Mirror *m, int64_t target_size, const char *target_driver)
{
    BlockDriverState *bs;

    m->source_path = make_file(SIZE);
    m->target_path = make_file(target_size);
    bs = open_raw(m->source_path, "source", NULL);
    m->guest = blk_new(BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                       BLK_PERM_ALL);
    blk_insert_bs(m->guest, bs, &error_abort);
    bdrv_unref(bs);
    m->target = open_raw(m->target_path, "target", target_driver);
    write_pattern(m->guest, 0, 1 * MiB, 0x11);
    write_pattern(m->guest, 3 * MiB + 12345, 54321, 0x22);
    write_pattern(m->guest, SIZE - 1000, 1000, 0x33);
}

static void teardown(Mirror *m)
{
    g_assert_null(block_job_next(NULL));
    blk_unref(m->guest);
    bdrv_unref(m->target);
    g_assert_null(bdrv_next_node(NULL));
    unlink(m->source_path);
    unlink(m->target_path);
    g_free(m->source_path);
    g_free(m->target_path);
}

static MirrorJobConfig config(Mirror *m, MirrorCopyMode mode)
{
    return (MirrorJobConfig) {
        .job_id = "job0",
        .bs = blk_bs(m->guest),
        .target = m->target,
        .sync_mode = MIRROR_SYNC_MODE_FULL,
        .backing_mode = MIRROR_LEAVE_BACKING_CHAIN,
        .copy_mode = mode,
        .unmap = true,
    };
}

static BlockJob *wait_ready(void)
{
    BlockJob *job = block_job_get("job0");

    while (!job->ready) {
        aio_poll(qemu_get_aio_context(), true);
    }
    return job;
}

static void wait_gone(void)
{
    while (block_job_get("job0")) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

static void expect_same_files(Mirror *m)
{
    g_autofree char *a = NULL, *b = NULL;
    gsize alen, blen;

    bdrv_flush_all();
    g_assert_true(g_file_get_contents(m->source_path, &a, &alen, NULL));
    g_assert_true(g_file_get_contents(m->target_path, &b, &blen, NULL));
    g_assert_cmpint(alen, ==, blen);
    g_assert_cmpint(memcmp(a, b, alen), ==, 0);
}

/* Writes of many shapes while the job follows; both files end up equal. */
static void guest_writes(Mirror *m)
{
    write_pattern(m->guest, 2 * MiB, 64 * KiB, 0x44);
    write_pattern(m->guest, 5 * MiB + 7, 4096, 0x55);
    write_pattern(m->guest, 100, 10, 0x66);
    g_assert_cmpint(blk_pwrite_zeroes(m->guest, 512 * KiB, 300000, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(m->guest, 6 * MiB, 1 * MiB,
                                      BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_cmpint(blk_pdiscard(m->guest, 64 * KiB, 128 * KiB), ==, 0);
    write_pattern(m->guest, 64 * KiB + 1, 1, 0x77);
}

static void test_pivot(gconstpointer opaque)
{
    MirrorCopyMode mode = GPOINTER_TO_INT(opaque);
    Mirror m;
    MirrorJobConfig cfg;

    setup(&m, SIZE, NULL);
    cfg = config(&m, mode);
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    guest_writes(&m);
    wait_ready();
    guest_writes(&m);
    g_assert_cmpint(block_job_complete_sync(block_job_get("job0"),
                                            &error_abort), ==, 0);
    g_assert_true(blk_bs(m.guest) == m.target);
    expect_same_files(&m);
    /* What the guest writes now goes to the target only. */
    write_pattern(m.guest, 0, 512, 0x99);
    bdrv_ref(m.target);
    bdrv_unref(m.target);
    teardown(&m);
}

static void test_soft_cancel_completes(void)
{
    BlockDriverState *source;
    Mirror m;
    MirrorJobConfig cfg;

    setup(&m, SIZE, NULL);
    source = blk_bs(m.guest);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    wait_ready();
    guest_writes(&m);
    block_job_cancel(block_job_get("job0"), false);
    wait_gone();
    g_assert_true(blk_bs(m.guest) == source);
    expect_same_files(&m);
    teardown(&m);
}

static void test_forced_cancel(void)
{
    BlockDriverState *source;
    Mirror m;
    MirrorJobConfig cfg;

    setup(&m, SIZE, NULL);
    source = blk_bs(m.guest);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    cfg.speed = 1;
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    block_job_cancel(block_job_get("job0"), true);
    wait_gone();
    g_assert_true(blk_bs(m.guest) == source);
    teardown(&m);
}

/* While it waits to be finalized, the job keeps the target up to date. */
static void test_pending_follows(void)
{
    Mirror m;
    MirrorJobConfig cfg;
    BlockJob *job;

    setup(&m, SIZE, NULL);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    cfg.creation_flags = BLOCK_JOB_MANUAL_FINALIZE;
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    job = wait_ready();
    block_job_complete(job, &error_abort);
    while (job->status != BLOCK_JOB_STATUS_PENDING) {
        aio_poll(qemu_get_aio_context(), true);
    }
    guest_writes(&m);
    block_job_finalize(job, &error_abort);
    wait_gone();
    g_assert_true(blk_bs(m.guest) == m.target);
    expect_same_files(&m);
    teardown(&m);
}

static void test_target_error(gconstpointer opaque)
{
    BlockdevOnError policy = GPOINTER_TO_INT(opaque);
    BlockDriverState *source;
    Mirror m;
    MirrorJobConfig cfg;
    BlockJob *job;

    setup(&m, SIZE, "blkdebug");
    source = blk_bs(m.guest);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    cfg.on_target_error = policy;
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    job = block_job_get("job0");
    if (policy == BLOCKDEV_ON_ERROR_REPORT) {
        wait_gone();
        g_assert_true(blk_bs(m.guest) == source);
        teardown(&m);
        return;
    }
    if (policy == BLOCKDEV_ON_ERROR_STOP) {
        while (!job->paused) {
            aio_poll(qemu_get_aio_context(), true);
        }
        g_assert_cmpint(job->iostatus, ==, BLOCK_DEVICE_IO_STATUS_FAILED);
        block_job_user_resume(job, &error_abort);
    }
    wait_ready();
    g_assert_cmpint(job->offset, ==, job->len);
    g_assert_cmpint(block_job_complete_sync(job, &error_abort), ==, 0);
    expect_same_files(&m);
    teardown(&m);
}

static void expect_refused(const MirrorJobConfig *cfg, const char *msg)
{
    Error *err = NULL;

    g_assert_false(mirror_start_job(cfg, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, msg);
    error_free(err);
    g_assert_null(block_job_get("job0"));
}

static void test_bad_targets(void)
{
    BlockDriverState *source;
    Mirror m;
    MirrorJobConfig cfg;

    setup(&m, SIZE / 2, NULL);
    source = blk_bs(m.guest);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    cfg.target = source;
    expect_refused(&cfg, "Can't mirror node into itself");
    cfg.target = m.target;
    cfg.sync_mode = MIRROR_SYNC_MODE_INCREMENTAL;
    expect_refused(&cfg, "Sync mode 'incremental' not supported");
    g_assert_true(blk_bs(m.guest) == source);
    teardown(&m);
}

static void test_incremental(void)
{
    BdrvDirtyBitmap *bitmap;
    Mirror m;
    MirrorJobConfig cfg;

    setup(&m, SIZE, NULL);
    bitmap = bdrv_create_dirty_bitmap(blk_bs(m.guest), 64 * KiB, "b",
                                      &error_abort);
    write_pattern(m.guest, 1 * MiB, 64 * KiB, 0xaa);
    cfg = config(&m, MIRROR_COPY_MODE_BACKGROUND);
    cfg.sync_mode = MIRROR_SYNC_MODE_INCREMENTAL;
    cfg.sync_bitmap = bitmap;
    cfg.bitmap_mode = BITMAP_SYNC_MODE_ON_SUCCESS;
    g_assert_true(mirror_start_job(&cfg, &error_abort));
    wait_ready();
    /* Only what was set in it */
    g_assert_cmpint(block_job_get("job0")->len, ==, 64 * KiB);
    block_job_cancel(block_job_get("job0"), false);
    wait_gone();
    g_assert_cmpint(bdrv_get_dirty_count(bitmap), ==, 0);
    bdrv_release_dirty_bitmap(bitmap);
    teardown(&m);
}

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_abort);
    bdrv_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/mirror/pivot/background",
                         GINT_TO_POINTER(MIRROR_COPY_MODE_BACKGROUND),
                         test_pivot);
    g_test_add_data_func("/mirror/pivot/write-blocking",
                         GINT_TO_POINTER(MIRROR_COPY_MODE_WRITE_BLOCKING),
                         test_pivot);
    g_test_add_func("/mirror/cancel/soft", test_soft_cancel_completes);
    g_test_add_func("/mirror/cancel/forced", test_forced_cancel);
    g_test_add_func("/mirror/pending-follows", test_pending_follows);
    g_test_add_data_func("/mirror/target-error/report",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_REPORT),
                         test_target_error);
    g_test_add_data_func("/mirror/target-error/ignore",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_IGNORE),
                         test_target_error);
    g_test_add_data_func("/mirror/target-error/stop",
                         GINT_TO_POINTER(BLOCKDEV_ON_ERROR_STOP),
                         test_target_error);
    g_test_add_func("/mirror/bad-targets", test_bad_targets);
    g_test_add_func("/mirror/incremental", test_incremental);
    return g_test_run();
}
