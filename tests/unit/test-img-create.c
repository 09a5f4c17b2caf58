/*
 * SPDX-License-Identifier: MIT
 *
 * bdrv_img_create(): checks, in their order and with their texts, the size
 * that comes from the backing image, and the line that is printed.
 *
 * The format stands in for one with backing files: its images hold their
 * options as text.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"
#include <glib/gstdio.h>

static char *dir;

/* ---- The format ---- */

static QemuOptsList memo_create_opts = {
    .name = "memo-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(memo_create_opts.head),
    .desc = {
        { .name = BLOCK_OPT_SIZE, .type = QEMU_OPT_SIZE },
        { .name = BLOCK_OPT_BACKING_FILE, .type = QEMU_OPT_STRING },
        { .name = BLOCK_OPT_BACKING_FMT, .type = QEMU_OPT_STRING },
        { /* end */ }
    },
};

static int coroutine_fn memo_co_create_opts(BlockDriver *drv,
                                            const char *filename,
                                            QemuOpts *opts, Error **errp)
{
    uint64_t size = qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0);
    const char *backing = qemu_opt_get(opts, BLOCK_OPT_BACKING_FILE);
    g_autofree char *text = NULL;

    if (size > 1024 * 1024 * 1024) {
        return -EFBIG;
    }
    text = g_strdup_printf("memo %" PRIu64 "\n%s\n%-500s", size,
                           backing ? backing : "", "");
    return g_file_set_contents(filename, text, -1, NULL) ? 0 : -EIO;
}

static int memo_probe(const uint8_t *buf, int size, const char *filename)
{
    return memcmp(buf, "memo ", 5) ? 0 : 100;
}

static int memo_open(BlockDriverState *bs, QDict *options, int flags,
                     Error **errp)
{
    char buf[64] = "";

    if (bdrv_open_file_child(NULL, options, "file", bs, errp) < 0) {
        return -EINVAL;
    }
    if (bdrv_pread(bs->file, 0, sizeof(buf) - 1, buf, 0) < 0 ||
        sscanf(buf, "memo %" SCNd64, (int64_t *)bs->opaque) != 1) {
        return -EINVAL;
    }
    return 0;
}

static int64_t memo_getlength(BlockDriverState *bs)
{
    return *(int64_t *)bs->opaque;
}

static BlockDriver bdrv_memo = {
    .format_name         = "memo",
    .instance_size       = sizeof(int64_t),
    .is_format           = true,
    .supports_backing    = true,
    .create_opts         = &memo_create_opts,
    .bdrv_probe          = memo_probe,
    .bdrv_open           = memo_open,
    .bdrv_getlength      = memo_getlength,
    .bdrv_co_create_opts = memo_co_create_opts,
};

/* ---- Helpers ---- */

static char *image(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static void create(const char *name, const char *fmt, const char *base,
                   const char *base_fmt, const char *options, int64_t size,
                   int flags, Error **errp)
{
    g_autofree char *path = image(name);
    g_autofree char *opts = g_strdup(options);

    bdrv_img_create(path, fmt, base, base_fmt, opts, size, flags, true, errp);
    test_expect_no_nodes();
}

static int64_t size_of(const char *name)
{
    g_autofree char *path = image(name);
    BlockDriverState *bs = bdrv_open(path, NULL, NULL, 0, &error_abort);
    int64_t size = bdrv_getlength(bs);

    bdrv_unref(bs);
    return size;
}

static void remove_image(const char *name)
{
    g_autofree char *path = image(name);

    g_unlink(path);
}

/* Fails with @text, in which %s is the folder; creates nothing. */
static void refuse(const char *name, const char *fmt, const char *base,
                   const char *base_fmt, const char *options, int64_t size,
                   const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "%s", -1);
    g_autofree char *expected = g_strjoinv(dir, parts);
    g_autofree char *path = image(name);
    Error *err = NULL;

    create(name, fmt, base, base_fmt, options, size, 0, &err);
    test_expect_error(&err, expected);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* ---- Tests ---- */

static void test_size(void)
{
    create("a", "memo", NULL, NULL, NULL, 4096, 0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 4096);
    create("a", "memo", NULL, NULL, "size=1M", -1, 0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 1024 * 1024);
    remove_image("a");
}

static void test_size_of_backing(void)
{
    g_autofree char *base = image("base");

    create("base", "memo", NULL, NULL, NULL, 65536, 0, &error_abort);
    create("a", "memo", base, "memo", NULL, -1, 0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 65536);
    /* relative to the image, not to where we are */
    create("a", "memo", "base", "memo", NULL, -1, 0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 65536);
    create("a", "memo", NULL, NULL, "backing_file=base,backing_fmt=memo", -1,
           0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 65536);
    create("a", "memo", "base", "memo", NULL, 4096, 0, &error_abort);
    g_assert_cmpint(size_of("a"), ==, 4096);
    remove_image("a");
    remove_image("base");
}

static void test_drivers(void)
{
    refuse("a", "none", NULL, NULL, NULL, 1, "Unknown file format 'none'");
    refuse("a", "blkdebug", NULL, NULL, NULL, 1,
           "Format driver 'blkdebug' does not support image creation");
}

static void test_protocols(void)
{
    Error *err = NULL;

    bdrv_img_create("none:x", "memo", NULL, NULL, NULL, 1, 0, true, &err);
    test_expect_error(&err, "Unknown protocol 'none'");
    bdrv_img_create("null-co://", "memo", NULL, NULL, NULL, 1, 0, true, &err);
    test_expect_error(&err, "Protocol driver 'null-co' does not support image "
                      "creation");
}

static void test_options(void)
{
    refuse("a", "memo", NULL, NULL, NULL, -1,
           "Image creation needs a size parameter");
    refuse("a", "memo", NULL, NULL, "size=1", 1,
           "The image size must be specified only once");
    refuse("a", "memo", NULL, NULL, "x=1", 1, "Invalid parameter 'x'");
    refuse("a", "memo", "", NULL, NULL, 1,
           "Expected backing file name, got empty string");
    refuse("a", "raw", "b", NULL, NULL, 1,
           "Backing file not supported for file format 'raw'");
    refuse("a", "raw", NULL, "raw", NULL, 1,
           "Backing file format not supported for file format 'raw'");
}

static void test_too_big(void)
{
    refuse("a", "memo", NULL, NULL, NULL, 1LL << 40,
           "The image size is too large for file format 'memo'");
}

static void test_backing(void)
{
    g_autofree char *path = image("a");

    refuse("a", "memo", path, "memo", NULL, 1, "Error: Trying to create an "
           "image with the same filename as the backing file");
    refuse("a", "memo", "none", "memo", NULL, 1,
           "Could not open '%s/none': No such file or directory");
    refuse("a", "memo", "none", "x", NULL, 1, "Unknown driver 'x'");

    create("base", "memo", NULL, NULL, NULL, 65536, 0, &error_abort);
    refuse("a", "memo", "base", NULL, NULL, 1,
           "Backing file specified without backing format");
    remove_image("base");
}

static void test_backing_unsafe(void)
{
    Error *err = NULL;

    create("a", "memo", "none", "memo", NULL, 512, BDRV_O_NO_BACKING,
           &error_abort);
    remove_image("a");
    create("a", "memo", "none", "memo", NULL, -1, BDRV_O_NO_BACKING, &err);
    test_expect_error(&err, "Image creation needs a size parameter");
    create("a", "memo", "none", NULL, NULL, 512, BDRV_O_NO_BACKING, &err);
    test_expect_error(&err, "Backing file specified without backing format");
}

static void test_line(void)
{
    if (g_test_subprocess()) {
        g_autofree char *path = image("a");

        bdrv_img_create(path, "memo", NULL, NULL, NULL, 512, 0, false,
                        &error_abort);
        remove_image("a");
        g_rmdir(dir);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout("*Formatting '*/a', fmt=memo size=512\n*");
}

static void test_existing_target(void)
{
    g_autofree char *path = image("blob");
    g_autofree char *junk = g_strnfill(4096, 'x');
    g_autofree char *now = NULL;
    BlockDriver drv = {
        .format_name         = "file",
        .bdrv_co_create_opts = bdrv_co_create_opts_simple,
    };
    QemuOpts *opts = qemu_opts_create(&bdrv_create_opts_simple, NULL, 0,
                                      &error_abort);
    gsize len;

    g_assert_true(g_file_set_contents(path, junk, 4096, NULL));
    qemu_opt_set_number(opts, BLOCK_OPT_SIZE, 8192, &error_abort);
    g_assert_cmpint(bdrv_create(&drv, path, opts, &error_abort), ==, 0);
    g_assert_true(g_file_get_contents(path, &now, &len, NULL));
    g_assert_cmpint(len, ==, 8192);
    g_assert_cmpint(now[0], ==, 0);
    g_assert_cmpint(now[511], ==, 0);
    g_assert_cmpint(now[512], ==, 'x');
    qemu_opts_del(opts);
    remove_image("blob");
    test_expect_no_nodes();
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    bdrv_register(&bdrv_memo);
    qemu_init_main_loop(&error_abort);
    dir = g_dir_make_tmp("img-create-XXXXXX", NULL);
    g_assert_nonnull(dir);

    g_test_add_func("/img-create/size", test_size);
    g_test_add_func("/img-create/size-of-backing", test_size_of_backing);
    g_test_add_func("/img-create/drivers", test_drivers);
    g_test_add_func("/img-create/protocols", test_protocols);
    g_test_add_func("/img-create/options", test_options);
    g_test_add_func("/img-create/too-big", test_too_big);
    g_test_add_func("/img-create/backing", test_backing);
    g_test_add_func("/img-create/backing-unsafe", test_backing_unsafe);
    g_test_add_func("/img-create/line", test_line);
    g_test_add_func("/img-create/existing-target", test_existing_target);
    ret = g_test_run();
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
