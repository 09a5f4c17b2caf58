/*
 * SPDX-License-Identifier: MIT
 *
 * Options that all nodes take: modes of command lines, inheritance, checks.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"

static void check_cache(const char *mode, int flags, bool writethrough)
{
    int f = BDRV_O_RDWR | BDRV_O_NOCACHE | BDRV_O_NO_FLUSH;
    bool wt = !writethrough;

    g_assert_cmpint(bdrv_parse_cache_mode(mode, &f, &wt), ==, 0);
    g_assert_cmphex(f, ==, BDRV_O_RDWR | flags);
    g_assert_true(wt == writethrough);
}

static void test_cache_modes(void)
{
    int f = 0;
    bool wt;

    check_cache("none", BDRV_O_NOCACHE, false);
    check_cache("off", BDRV_O_NOCACHE, false);
    check_cache("directsync", BDRV_O_NOCACHE, true);
    check_cache("writeback", 0, false);
    check_cache("unsafe", BDRV_O_NO_FLUSH, false);
    check_cache("writethrough", 0, true);
    g_assert_cmpint(bdrv_parse_cache_mode("foo", &f, &wt), <, 0);
}

static void test_discard_modes(void)
{
    int f = 0;

    g_assert_cmpint(bdrv_parse_discard_flags("unmap", &f), ==, 0);
    g_assert_cmphex(f, ==, BDRV_O_UNMAP);
    g_assert_cmpint(bdrv_parse_discard_flags("ignore", &f), ==, 0);
    g_assert_cmphex(f, ==, 0);
    g_assert_cmpint(bdrv_parse_discard_flags("on", &f), ==, 0);
    g_assert_cmphex(f, ==, BDRV_O_UNMAP);
    g_assert_cmpint(bdrv_parse_discard_flags("off", &f), ==, 0);
    g_assert_cmpint(bdrv_parse_discard_flags("x", &f), <, 0);
}

static void test_aio_modes(void)
{
    int f = 0;

    g_assert_cmpint(bdrv_parse_aio("threads", &f), ==, 0);
    g_assert_cmphex(f, ==, 0);
    g_assert_cmpint(bdrv_parse_aio("native", &f), ==, 0);
    g_assert_cmphex(f, ==, BDRV_O_NATIVE_AIO);
    g_assert_cmpint(bdrv_parse_aio("x", &f), <, 0);
}

static void test_flags_become_options(void)
{
    QDict *options = qdict_new();
    BlockDriverState *bs;

    qdict_put_str(options, "driver", "raw");
    bs = bdrv_open("null-co://", NULL, options, BDRV_O_RDWR | BDRV_O_NOCACHE,
                   &error_abort);
    g_assert_cmpstr(qdict_get_str(bs->options, "cache.direct"), ==, "on");
    g_assert_cmpstr(qdict_get_str(bs->options, "cache.no-flush"), ==, "off");
    g_assert_cmpstr(qdict_get_str(bs->options, "read-only"), ==, "off");
    g_assert_false(bdrv_is_read_only(bs));
    bdrv_unref(bs);

    bs = bdrv_open("null-co://", NULL, NULL, 0, &error_abort);
    g_assert_true(bdrv_is_read_only(bs));
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static QDict *raw_over_null(void)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "raw");
    qdict_put_str(options, "node-name", "r");
    qdict_put_str(options, "file.driver", "null-co");
    qdict_put_str(options, "file.node-name", "n");
    return options;
}

static void test_children_inherit(void)
{
    QDict *options = raw_over_null();
    BlockDriverState *bs, *file;

    qdict_put_str(options, "cache.direct", "on");
    qdict_put_str(options, "cache.no-flush", "on");
    qdict_put_str(options, "read-only", "on");
    bs = bdrv_open(NULL, NULL, options, 0, &error_abort);
    file = bdrv_find_node("n");
    g_assert_true(bs->file->bs == file && file->inherits_from == bs);
    g_assert_true(file->open_flags & BDRV_O_NOCACHE);
    g_assert_true(file->open_flags & BDRV_O_NO_FLUSH);
    g_assert_true(bdrv_is_read_only(file));
    /* parents decide about discards */
    g_assert_true(file->open_flags & BDRV_O_UNMAP);
    g_assert_false(bs->open_flags & BDRV_O_UNMAP);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_child_overrides(void)
{
    QDict *options = raw_over_null();
    BlockDriverState *bs;

    qdict_put_str(options, "cache.direct", "on");
    qdict_put_str(options, "file.cache.direct", "off");
    bs = bdrv_open(NULL, NULL, options, 0, &error_abort);
    g_assert_true(bs->open_flags & BDRV_O_NOCACHE);
    g_assert_false(bs->file->bs->open_flags & BDRV_O_NOCACHE);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void check_refused(const char *name, const char *value,
                          const char *text)
{
    QDict *options = raw_over_null();
    Error *err = NULL;

    qdict_put_str(options, name, value);
    g_assert_null(bdrv_open(NULL, NULL, options, BDRV_O_RDWR, &err));
    test_expect_error(&err, text);
    test_expect_no_nodes();
}

static void test_refused(void)
{
    check_refused("discard", "x", "Invalid discard option");
    check_refused("detect-zeroes", "x", "invalid parameter value: x");
    check_refused("detect-zeroes", "unmap", "setting detect-zeroes to unmap "
                  "is not allowed without setting discard operation to unmap");
    check_refused("read-only", "x",
                  "Parameter 'read-only' expects 'on' or 'off'");
    check_refused("force-share", "on",
                  "force-share=on can only be used with read-only images");
    check_refused("bogus", "1",
                  "Block format 'raw' does not support the option 'bogus'");
    check_refused("file.bogus", "1",
                  "Block protocol 'null-co' doesn't support the option "
                  "'bogus'");
    check_refused("backing.driver", "raw",
                  "Driver doesn't support backing files");
}

static void test_detect_zeroes_unmap(void)
{
    QDict *options = raw_over_null();
    BlockDriverState *bs;

    qdict_put_str(options, "detect-zeroes", "unmap");
    qdict_put_str(options, "discard", "unmap");
    bs = bdrv_open(NULL, NULL, options, BDRV_O_RDWR, &error_abort);
    g_assert_cmpint(bs->detect_zeroes, ==,
                    BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP);
    bdrv_unref(bs);
}

static void test_copy_on_read_needs_writing(void)
{
    Error *err = NULL;

    g_assert_null(bdrv_open(NULL, NULL, raw_over_null(), BDRV_O_COPY_ON_READ,
                            &err));
    test_expect_error(&err, "Can't use copy-on-read on read-only device");
    test_expect_no_nodes();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    qemu_init_main_loop(&error_abort);

    g_test_add_func("/block-options/cache-modes", test_cache_modes);
    g_test_add_func("/block-options/discard-modes", test_discard_modes);
    g_test_add_func("/block-options/aio-modes", test_aio_modes);
    g_test_add_func("/block-options/from-flags", test_flags_become_options);
    g_test_add_func("/block-options/inherit", test_children_inherit);
    g_test_add_func("/block-options/override", test_child_overrides);
    g_test_add_func("/block-options/refused", test_refused);
    g_test_add_func("/block-options/detect-zeroes", test_detect_zeroes_unmap);
    g_test_add_func("/block-options/copy-on-read",
                    test_copy_on_read_needs_writing);
    return g_test_run();
}
