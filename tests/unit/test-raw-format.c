/*
 * SPDX-License-Identifier: MIT
 *
 * The format raw: its window onto the file, and its guard against guests that
 * change the guessed format.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"

#define FILE_SIZE (1 * MiB)

static BlockBackend *open_raw(const char *path, Error **errp)
{
    return test_open(BDRV_O_RDWR | BDRV_O_RESIZE, errp, "driver", "raw",
                     "file.driver", "file", "file.filename", path, NULL);
}

static BlockBackend *open_window(const char *path, const char *offset,
                                 const char *size, Error **errp)
{
    QDict *options = test_options("driver", "raw", "file.driver", "file",
                                  "file.filename", path, "offset", offset,
                                  NULL);

    if (size) {
        qdict_put_str(options, "size", size);
    }
    return blk_new_open(NULL, NULL, options, BDRV_O_RDWR | BDRV_O_RESIZE,
                        errp);
}

static void test_passthrough(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_raw(path, &error_abort);

    g_assert_cmpint(blk_getlength(blk), ==, FILE_SIZE);
    g_assert_cmpint(test_write(blk, 1000, 5000, 0xab), ==, 0);
    test_check(blk, 0, 1000, 0);
    test_check(blk, 1000, 5000, 0xab);
    test_check(blk, 6000, 1000, 0);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_window_maps(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_window(path, "64k", "128k", &error_abort);

    g_assert_cmpint(blk_getlength(blk), ==, 128 * KiB);
    g_assert_cmpint(test_write(blk, 0, 4096, 0x12), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 1024, 512, 0), ==, 0);
    blk_unref(blk);

    blk = open_raw(path, &error_abort);
    test_check(blk, 60 * KiB, 4096, 0);
    test_check(blk, 64 * KiB, 1024, 0x12);
    test_check(blk, 65 * KiB, 512, 0);
    test_check(blk, 65 * KiB + 512, 2560, 0x12);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_window_status(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_raw(path, &error_abort);
    BlockDriverState *file;
    int64_t pnum, map;
    int ret;

    g_assert_cmpint(test_write(blk, 128 * KiB, 64 * KiB, 1), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    blk_unref(blk);

    blk = open_window(path, "64k", NULL, &error_abort);
    ret = bdrv_block_status(blk_bs(blk), 0, FILE_SIZE, &pnum, &map, &file);
    g_assert_cmpint(ret & BDRV_BLOCK_ZERO, !=, 0);
    g_assert_cmpint(pnum, ==, 64 * KiB);
    ret = bdrv_block_status(blk_bs(blk), 64 * KiB, FILE_SIZE, &pnum, &map,
                            &file);
    g_assert_cmpint(ret & BDRV_BLOCK_DATA, !=, 0);
    g_assert_cmpint(ret & BDRV_BLOCK_OFFSET_VALID, !=, 0);
    g_assert_cmpint(map, ==, 128 * KiB);
    g_assert_true(file == blk_bs(blk)->file->bs);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_window_errors(void)
{
    char *path = test_new_file(FILE_SIZE);
    Error *err = NULL;

    g_assert_null(open_window(path, "2M", NULL, &err));
    test_assert_error(err, "Offset (2097152) cannot be greater than size of "
                      "the containing file (1048576)");
    err = NULL;
    g_assert_null(open_window(path, "512k", "1M", &err));
    test_assert_error(err, "The sum of offset (524288) and size (1048576) "
                      "has to be smaller or equal to the  actual size of the "
                      "containing file (1048576)");
    err = NULL;
    g_assert_null(open_window(path, "0", "1000", &err));
    test_assert_error(err, "Specified size is not multiple of 512");
    test_remove_file(path);
}

static void test_resize(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_window(path, "512k", NULL, &error_abort);
    Error *err = NULL;
    struct stat st;

    g_assert_cmpint(blk_truncate(blk, 1 * MiB, false, PREALLOC_MODE_OFF, 0,
                                 &error_abort), ==, 0);
    g_assert_cmpint(blk_getlength(blk), ==, 1 * MiB);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 1536 * KiB);
    blk_unref(blk);

    blk = open_window(path, "0", "64k", &error_abort);
    g_assert_cmpint(blk_truncate(blk, 1 * MiB, false, PREALLOC_MODE_OFF, 0,
                                 &err), <, 0);
    test_assert_error(err, "Cannot resize fixed-size raw disks");
    blk_unref(blk);
    test_remove_file(path);
}

static void test_reopen_window(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_window(path, "0", "64k", &error_abort);
    QDict *options = test_options("driver", "raw", "offset", "64k",
                                  "size", "32k", NULL);
    Error *err = NULL;

    g_assert_cmpint(bdrv_reopen(blk_bs(blk), options, true, &error_abort),
                    ==, 0);
    g_assert_cmpint(blk_getlength(blk), ==, 32 * KiB);

    options = test_options("driver", "raw", "offset", "2M", NULL);
    g_assert_cmpint(bdrv_reopen(blk_bs(blk), options, true, &err), <, 0);
    g_assert_nonnull(err);
    error_free(err);
    g_assert_cmpint(blk_getlength(blk), ==, 32 * KiB);
    blk_unref(blk);
    test_remove_file(path);
}

/* A format that is recognised by its first bytes */
#define OTHER_MAGIC "another format"

static int other_probe(const uint8_t *buf, int buf_size, const char *filename)
{
    return memcmp(buf, OTHER_MAGIC, strlen(OTHER_MAGIC)) ? 0 : 100;
}

static BlockDriver other_format = {
    .format_name    = "test-other",
    .is_format      = true,
    .bdrv_probe     = other_probe,
};

/* A raw disk whose format was guessed can't be turned into another one. */
static void test_probed_guard(void)
{
    char *path = test_new_file(FILE_SIZE);
    uint8_t sector[1024] = { 0 };
    BlockBackend *blk = blk_new_open(path, NULL, NULL, BDRV_O_RDWR,
                                     &error_abort);

    g_assert_cmpstr(bdrv_get_format_name(blk_bs(blk)), ==, "raw");
    g_assert_true(blk_bs(blk)->probed);
    memcpy(sector, OTHER_MAGIC, strlen(OTHER_MAGIC));
    g_assert_cmpint(blk_pwrite(blk, 0, 1024, sector, 0), ==, -EPERM);
    g_assert_cmpint(blk_pwrite(blk, 0, strlen(OTHER_MAGIC), sector, 0), ==,
                    -EPERM);
    test_check(blk, 0, 4096, 0);
    /* Elsewhere, or with other contents, it is data like any other. */
    g_assert_cmpint(blk_pwrite(blk, 512, 1024, sector, 0), ==, 0);
    g_assert_cmpint(test_write(blk, 0, 4096, 'x'), ==, 0);
    test_check(blk, 0, 4096, 'x');
    g_assert_cmpint(test_write(blk, 3, 5, 'y'), ==, 0);
    test_check(blk, 3, 5, 'y');
    test_check(blk, 8, 4088, 'x');
    blk_unref(blk);

    blk = open_raw(path, &error_abort);
    g_assert_cmpint(blk_pwrite(blk, 0, 1024, sector, 0), ==, 0);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_permissions(void)
{
    char *path = test_new_file(FILE_SIZE);
    BlockBackend *blk = open_raw(path, &error_abort);
    BdrvChild *file = blk_bs(blk)->file;

    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, &error_abort);
    g_assert_cmphex(file->perm & (BLK_PERM_WRITE | BLK_PERM_RESIZE), ==, 0);
    g_assert_cmphex(file->shared_perm & BLK_PERM_WRITE, ==, BLK_PERM_WRITE);
    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL & ~BLK_PERM_WRITE,
                 &error_abort);
    g_assert_cmphex(file->perm & BLK_PERM_WRITE, ==, BLK_PERM_WRITE);
    g_assert_cmphex(file->perm & BLK_PERM_RESIZE, ==, 0);
    g_assert_cmphex(file->shared_perm & BLK_PERM_WRITE, ==, 0);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_measure(void)
{
    BlockDriver *drv = bdrv_find_format("raw");
    QemuOpts *opts = qemu_opts_create(drv->create_opts, NULL, 0,
                                      &error_abort);
    BlockMeasureInfo *info;

    qemu_opt_set(opts, "size", "1000", &error_abort);
    info = bdrv_measure(drv, opts, NULL, &error_abort);
    g_assert_cmpint(info->required, ==, 1024);
    g_assert_cmpint(info->fully_allocated, ==, 1024);
    g_assert_false(info->has_bitmaps);
    g_free(info);
    qemu_opts_del(opts);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    bdrv_register(&other_format);
    g_test_add_func("/raw/passthrough", test_passthrough);
    g_test_add_func("/raw/window/maps", test_window_maps);
    g_test_add_func("/raw/window/status", test_window_status);
    g_test_add_func("/raw/window/errors", test_window_errors);
    g_test_add_func("/raw/resize", test_resize);
    g_test_add_func("/raw/reopen-window", test_reopen_window);
    g_test_add_func("/raw/probed-guard", test_probed_guard);
    g_test_add_func("/raw/permissions", test_permissions);
    g_test_add_func("/raw/measure", test_measure);
    return g_test_run();
}
