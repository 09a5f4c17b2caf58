/*
 * SPDX-License-Identifier: MIT
 *
 * The driver file: data with each engine, holes, lengths, creation, reopen.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"

#define RW (BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_UNMAP)

static BlockBackend *open_file(const char *path, Error **errp)
{
    return test_open(RW, errp, "driver", "file", "filename", path, NULL);
}

static int64_t allocated(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (int64_t)st.st_blocks * 512;
}

static int64_t length_of(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_size;
}

/* ---- Data ---- */

/* What an engine must be able to do; odd offsets and memory included. */
static void check_data(BlockBackend *blk)
{
    g_autofree uint8_t *mem = g_malloc(2 * MiB + 64);
    int64_t i;

    g_assert_cmpint(test_write(blk, 0, 1 * MiB, 0x21), ==, 0);
    g_assert_cmpint(test_write(blk, 4097, 3001, 0x42), ==, 0);
    test_check(blk, 0, 4097, 0x21);
    test_check(blk, 4097, 3001, 0x42);
    test_check(blk, 7098, 100000, 0x21);
    g_assert_cmpint(blk_flush(blk), ==, 0);

    /* Misaligned in memory, in different ways */
    for (i = 0; i < 64 * KiB; i++) {
        mem[i + 3] = i * 7;
    }
    g_assert_cmpint(blk_pwrite(blk, 256 * KiB, 64 * KiB, mem + 3, 0), ==, 0);
    memset(mem, 0, 65 * KiB);
    g_assert_cmpint(bdrv_pread(blk_root(blk), 256 * KiB, 64 * KiB, mem + 1,
                               0), ==, 0);
    for (i = 0; i < 64 * KiB; i++) {
        g_assert_cmpint(mem[i + 1], ==, (uint8_t)(i * 7));
    }

    /* The bounce buffer is smaller than this. */
    memset(mem, 0x77, 2 * MiB + 64);
    g_assert_cmpint(blk_pwrite(blk, 1 * MiB, 2 * MiB, mem + 5, 0), ==, 0);
    test_check(blk, 1 * MiB, 2 * MiB, 0x77);
}

static void test_engine(gconstpointer data)
{
    const char *engine = data;
    char *path = test_new_file(4 * MiB);
    Error *err = NULL;
    BlockBackend *blk;

    blk = test_open(RW, &err, "driver", "file", "filename", path, "aio",
                    engine, "cache.direct", "on", NULL);
    if (!blk) {
        g_test_skip(error_get_pretty(err));
        error_free(err);
    } else {
        check_data(blk);
        blk_unref(blk);
    }
    test_remove_file(path);
}

static void test_buffered(void)
{
    char *path = test_new_file(4 * MiB);
    BlockBackend *blk = open_file(path, &error_abort);

    check_data(blk);
    blk_unref(blk);
    test_remove_file(path);
}

/* A file that ends within a sector: zeroes up to the end of the sector. */
static void test_odd_length(gconstpointer direct)
{
    char *path = test_new_file(0);
    g_autofree char *text = g_strnfill(1000, 'a');
    BlockBackend *blk;
    Error *err = NULL;

    g_assert_true(g_file_set_contents(path, text, 1000, NULL));
    blk = test_open(RW, &err, "driver", "file", "filename", path,
                    "cache.direct", direct, NULL);
    if (!blk) {
        g_test_skip(error_get_pretty(err));
        error_free(err);
    } else {
        g_assert_cmpint(blk_getlength(blk), ==, 1024);
        test_check(blk, 0, 1000, 'a');
        test_check(blk, 1000, 24, 0);
        blk_unref(blk);
    }
    test_remove_file(path);
}

typedef struct Storm {
    BlockBackend *blk;
    int left;
    uint8_t *buf;
} Storm;

static void storm_done(void *opaque, int ret)
{
    Storm *s = opaque;

    g_assert_cmpint(ret, ==, 0);
    s->left--;
}

static void test_many_in_flight(gconstpointer data)
{
    const char *engine = data;
    char *path = test_new_file(4 * MiB);
    QEMUIOVector qiov[64];
    Error *err = NULL;
    Storm s = { .left = 64 };
    int i;

    s.blk = test_open(RW, &err, "driver", "file", "filename", path, "aio",
                      engine, "cache.direct", "on", NULL);
    if (!s.blk) {
        g_test_skip(error_get_pretty(err));
        error_free(err);
        test_remove_file(path);
        return;
    }
    s.buf = blk_blockalign(s.blk, 64 * 4096);
    for (i = 0; i < 64; i++) {
        memset(s.buf + i * 4096, i, 4096);
        qemu_iovec_init_buf(&qiov[i], s.buf + i * 4096, 4096);
        blk_aio_pwritev(s.blk, i * 8192, &qiov[i], 0, storm_done, &s);
    }
    while (s.left) {
        aio_poll(qemu_get_aio_context(), true);
    }
    for (i = 0; i < 64; i++) {
        test_check(s.blk, i * 8192, 4096, i);
    }
    qemu_vfree(s.buf);
    blk_unref(s.blk);
    test_remove_file(path);
}

/* ---- Holes ---- */

static void test_zeroes(void)
{
    char *path = test_new_file(1 * MiB);
    BlockBackend *blk = open_file(path, &error_abort);

    g_assert_cmpint(test_write(blk, 0, 1 * MiB, 0x33), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 256 * KiB, 256 * KiB, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 700 * KiB + 1, 1000, 0), ==, 0);
    test_check(blk, 0, 256 * KiB, 0x33);
    test_check(blk, 256 * KiB, 256 * KiB, 0);
    test_check(blk, 512 * KiB, 188 * KiB + 1, 0x33);
    test_check(blk, 700 * KiB + 1, 1000, 0);
    test_check(blk, 700 * KiB + 1001, 23, 0x33);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(allocated(path), >=, 1 * MiB);

    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 1 * MiB, BDRV_REQ_MAY_UNMAP),
                    ==, 0);
    test_check(blk, 0, 1 * MiB, 0);
    g_assert_cmpint(allocated(path), <, 64 * KiB);
    g_assert_cmpint(length_of(path), ==, 1 * MiB);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_discard(void)
{
    char *path = test_new_file(1 * MiB);
    BlockBackend *blk = open_file(path, &error_abort);
    BlockStatsSpecific *stats;

    g_assert_cmpint(test_write(blk, 0, 1 * MiB, 0x33), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 0, 512 * KiB), ==, 0);
    test_check(blk, 0, 512 * KiB, 0);
    test_check(blk, 512 * KiB, 512 * KiB, 0x33);
    stats = bdrv_get_specific_stats(blk_bs(blk));
    g_assert_cmpint(stats->driver, ==, BLOCKDEV_DRIVER_FILE);
    g_assert_cmpint(stats->u.file.discard_nb_ok, ==, 1);
    g_assert_cmpint(stats->u.file.discard_nb_failed, ==, 0);
    g_assert_cmpint(stats->u.file.discard_bytes_ok, ==, 512 * KiB);
    qapi_free_BlockStatsSpecific(stats);
    blk_unref(blk);
    test_remove_file(path);
}

static void check_status(BlockBackend *blk, int64_t offset, int64_t length,
                         int flag)
{
    BlockDriverState *file = NULL;
    int64_t pnum, map = -1;
    int ret = bdrv_block_status(blk_bs(blk), offset,
                                blk_getlength(blk) - offset, &pnum, &map,
                                &file);

    g_assert_cmphex(ret & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO), ==, flag);
    g_assert_cmpint(pnum, ==, length);
    g_assert_cmphex(ret & BDRV_BLOCK_OFFSET_VALID, !=, 0);
    g_assert_cmpint(map, ==, offset);
    g_assert_true(file == blk_bs(blk));
}

static void test_block_status(void)
{
    char *path = test_new_file(64 * MiB);
    BlockBackend *blk = open_file(path, &error_abort);

    g_assert_cmpint(test_write(blk, 8 * MiB, 1 * MiB, 1), ==, 0);
    g_assert_cmpint(test_write(blk, 16 * MiB, 64 * KiB, 1), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    check_status(blk, 0, 8 * MiB, BDRV_BLOCK_ZERO);
    check_status(blk, 8 * MiB, 1 * MiB, BDRV_BLOCK_DATA);
    check_status(blk, 8 * MiB + 64 * KiB, 1 * MiB - 64 * KiB,
                 BDRV_BLOCK_DATA);
    check_status(blk, 9 * MiB, 7 * MiB, BDRV_BLOCK_ZERO);
    check_status(blk, 16 * MiB, 64 * KiB, BDRV_BLOCK_DATA);
    check_status(blk, 16 * MiB + 64 * KiB, 48 * MiB - 64 * KiB,
                 BDRV_BLOCK_ZERO);
    blk_unref(blk);
    test_remove_file(path);
}

/* ---- Copies ---- */

typedef struct Copy {
    BlockBackend *from;
    BlockBackend *to;
    int ret;
} Copy;

static void coroutine_fn do_copy(void *opaque)
{
    Copy *c = opaque;

    c->ret = bdrv_co_copy_range(blk_root(c->from), 64 * KiB, blk_root(c->to),
                                128 * KiB, 256 * KiB, 0, 0);
}

static void test_copy_range(void)
{
    char *from = test_new_file(1 * MiB), *to = test_new_file(1 * MiB);
    Copy copy = {
        .from = open_file(from, &error_abort),
        .to = open_file(to, &error_abort),
    };

    g_assert_cmpint(test_write(copy.from, 0, 1 * MiB, 0x66), ==, 0);
    test_run_co(do_copy, &copy);
    if (copy.ret == -ENOTSUP) {
        g_test_skip("no copy_file_range() here");
    } else {
        g_assert_cmpint(copy.ret, ==, 0);
        test_check(copy.to, 0, 128 * KiB, 0);
        test_check(copy.to, 128 * KiB, 256 * KiB, 0x66);
        test_check(copy.to, 384 * KiB, 128 * KiB, 0);
    }
    blk_unref(copy.from);
    blk_unref(copy.to);
    test_remove_file(from);
    test_remove_file(to);
}

/* ---- Length, creation, deletion ---- */

static void test_truncate(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *blk = open_file(path, &error_abort);
    Error *err = NULL;

    g_assert_cmpint(blk_truncate(blk, 1 * MiB, true, PREALLOC_MODE_OFF, 0,
                                 &error_abort), ==, 0);
    g_assert_cmpint(length_of(path), ==, 1 * MiB);
    g_assert_cmpint(allocated(path), <, 64 * KiB);
    g_assert_cmpint(blk_truncate(blk, 2 * MiB, true, PREALLOC_MODE_FALLOC, 0,
                                 &error_abort), ==, 0);
    g_assert_cmpint(allocated(path), >=, 1 * MiB);
    g_assert_cmpint(blk_truncate(blk, 3 * MiB, true, PREALLOC_MODE_FULL, 0,
                                 &error_abort), ==, 0);
    g_assert_cmpint(allocated(path), >=, 2 * MiB);
    g_assert_cmpint(blk_truncate(blk, 1 * MiB, true, PREALLOC_MODE_FULL, 0,
                                 &err), <, 0);
    test_assert_error(err, "Preallocation can't be used for shrinking files");
    err = NULL;
    g_assert_cmpint(blk_truncate(blk, 4 * MiB, true, PREALLOC_MODE_METADATA,
                                 0, &err), ==, -ENOTSUP);
    test_assert_error(err, "Unsupported preallocation mode: metadata");
    g_assert_cmpint(length_of(path), ==, 3 * MiB);
    g_assert_cmpint(blk_truncate(blk, 4096, true, PREALLOC_MODE_OFF, 0,
                                 &error_abort), ==, 0);
    g_assert_cmpint(blk_getlength(blk), ==, 4096);
    blk_unref(blk);
    test_remove_file(path);
}

static int create(const char *path, const char *size, const char *key,
                  const char *value, Error **errp)
{
    BlockDriver *drv = bdrv_find_format("file");
    QemuOpts *opts = qemu_opts_create(drv->create_opts, NULL, 0,
                                      &error_abort);
    int ret;

    qemu_opt_set(opts, "size", size, &error_abort);
    if (key) {
        qemu_opt_set(opts, key, value, &error_abort);
    }
    ret = bdrv_create(drv, path, opts, errp);
    qemu_opts_del(opts);
    return ret;
}

static void test_create(void)
{
    char *path = test_new_file(12345);
    Error *err = NULL;

    g_assert_cmpint(create(path, "1000", NULL, NULL, &error_abort), ==, 0);
    g_assert_cmpint(length_of(path), ==, 1024);
    g_assert_cmpint(create(path, "1M", "preallocation", "falloc",
                           &error_abort), ==, 0);
    g_assert_cmpint(allocated(path), >=, 1 * MiB);
    g_assert_cmpint(create(path, "1M", "preallocation", "x", &err), <, 0);
    test_assert_error(err, "invalid parameter value: x");
    err = NULL;
    g_assert_cmpint(create(path, "1M", "preallocation", "metadata", &err), <,
                    0);
    test_assert_error(err, "Unsupported preallocation mode: metadata");
    err = NULL;
    g_assert_cmpint(create(path, "1M", "extent_size_hint", "8G", &err), <, 0);
    test_assert_error(err, "Extent size hint is too large");
    err = NULL;
    g_assert_cmpint(create("/nonexistent/x", "1M", NULL, NULL, &err), ==,
                    -ENOENT);
    test_assert_error(err, "Could not create '/nonexistent/x': No such file "
                      "or directory");
    test_remove_file(path);
}

static void coroutine_fn do_delete(void *opaque)
{
    g_assert_cmpint(bdrv_co_delete_file(opaque, &error_abort), ==, 0);
}

static void test_delete(void)
{
    char *path = test_new_file(512);
    BlockBackend *blk = open_file(path, &error_abort);

    test_run_co(do_delete, blk_bs(blk));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    blk_unref(blk);
    test_remove_file(path);
}

/* ---- Open and reopen ---- */

static void check_open_error(const char *text, QDict *options)
{
    Error *err = NULL;

    g_assert_null(blk_new_open(NULL, NULL, options, 0, &err));
    test_assert_error(err, text);
}

static void test_open_errors(void)
{
    char *path = test_new_file(512);
    g_autofree char *text = NULL;

    check_open_error("Could not open '/nonexistent': No such file or "
                     "directory",
                     test_options("driver", "file", "filename",
                                  "/nonexistent", NULL));
    check_open_error("'file' driver requires '/dev/null' to be a regular "
                     "file",
                     test_options("driver", "file", "filename", "/dev/null",
                                  NULL));
    text = g_strdup_printf("'host_device' driver requires '%s' to be either "
                           "a character or block device", path);
    check_open_error(text, test_options("driver", "host_device", "filename",
                                        path, NULL));
    check_open_error("The 'file' block driver requires a file name",
                     test_options("driver", "file", NULL));
    check_open_error("aio=native was specified, but it requires "
                     "cache.direct=on, which was not specified.",
                     test_options("driver", "file", "filename", path, "aio",
                                  "native", NULL));
    check_open_error("invalid parameter value: x",
                     test_options("driver", "file", "filename", path,
                                  "locking", "x", NULL));
    check_open_error("No persistent reservation manager with id 'x'",
                     test_options("driver", "file", "filename", path,
                                  "pr-manager", "x", NULL));
    test_remove_file(path);
}

static void test_reopen(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *blk = open_file(path, &error_abort);
    BlockDriverState *bs = blk_bs(blk);
    char *moved = g_strconcat(path, "-moved", NULL);
    Error *err = NULL;

    g_assert_cmpint(test_write(blk, 0, 512, 5), ==, 0);
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, &error_abort);
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, true, &error_abort), ==, 0);
    g_assert_true(bdrv_is_read_only(bs));

    /* The node keeps its file, whatever happens to the name. */
    g_assert_cmpint(rename(path, moved), ==, 0);
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, false, &error_abort), ==,
                    0);
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE, BLK_PERM_ALL,
                 &error_abort);
    g_assert_cmpint(test_write(blk, 512, 512, 6), ==, 0);
    test_check(blk, 0, 512, 5);
    test_check(blk, 512, 512, 6);

    g_assert_cmpint(bdrv_reopen(bs, test_options("locking", "off", NULL),
                                true, &err), <, 0);
    test_assert_error(err, "Cannot change the option 'locking'");
    blk_unref(blk);
    test_remove_file(moved);
    g_free(path);
}

static void test_reopen_direct(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *blk = open_file(path, &error_abort);
    Error *err = NULL;

    if (bdrv_reopen(blk_bs(blk), test_options("cache.direct", "on", NULL),
                    true, &err) < 0) {
        g_test_skip(error_get_pretty(err));
        error_free(err);
    } else {
        g_assert_cmpint(blk_bs(blk)->bl.request_alignment, >=, 512);
        g_assert_cmpint(test_write(blk, 1, 5000, 5), ==, 0);
        test_check(blk, 1, 5000, 5);
        g_assert_cmpint(bdrv_reopen(blk_bs(blk),
                                    test_options("cache.direct", "off", NULL),
                                    true, &error_abort), ==, 0);
        g_assert_cmpint(blk_bs(blk)->bl.request_alignment, ==, 1);
        test_check(blk, 1, 5000, 5);
    }
    blk_unref(blk);
    test_remove_file(path);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    g_test_add_func("/file/data/buffered", test_buffered);
    g_test_add_data_func("/file/data/threads", "threads", test_engine);
    g_test_add_data_func("/file/data/native", "native", test_engine);
    g_test_add_data_func("/file/data/io_uring", "io_uring", test_engine);
    g_test_add_data_func("/file/odd-length/buffered", "off", test_odd_length);
    g_test_add_data_func("/file/odd-length/direct", "on", test_odd_length);
    g_test_add_data_func("/file/many/threads", "threads",
                         test_many_in_flight);
    g_test_add_data_func("/file/many/native", "native", test_many_in_flight);
    g_test_add_data_func("/file/many/io_uring", "io_uring",
                         test_many_in_flight);
    g_test_add_func("/file/zeroes", test_zeroes);
    g_test_add_func("/file/discard", test_discard);
    g_test_add_func("/file/block-status", test_block_status);
    g_test_add_func("/file/copy-range", test_copy_range);
    g_test_add_func("/file/truncate", test_truncate);
    g_test_add_func("/file/create", test_create);
    g_test_add_func("/file/delete", test_delete);
    g_test_add_func("/file/open-errors", test_open_errors);
    g_test_add_func("/file/reopen", test_reopen);
    g_test_add_func("/file/reopen-direct", test_reopen_direct);
    return g_test_run();
}
