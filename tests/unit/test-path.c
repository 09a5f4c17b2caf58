/*
 * SPDX-License-Identifier: MIT
 *
 * File names: protocol prefixes, absolute and combined paths, names of backing
 * files as seen from the image.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"

static void test_has_protocol(void)
{
    g_assert_true(path_has_protocol("nbd:localhost"));
    g_assert_true(path_has_protocol("a:"));
    g_assert_true(path_has_protocol(":"));
    g_assert_false(path_has_protocol("./a:b"));
    g_assert_false(path_has_protocol("/a:b"));
    g_assert_false(path_has_protocol("dir/a:b"));
    g_assert_false(path_has_protocol("plain"));
    g_assert_false(path_has_protocol(""));
}

static void test_is_absolute(void)
{
    g_assert_true(path_is_absolute("/"));
    g_assert_true(path_is_absolute("/a"));
    g_assert_false(path_is_absolute("a/b"));
    g_assert_false(path_is_absolute(""));
}

static void check_combine(const char *base, const char *name,
                          const char *expected)
{
    g_autofree char *path = path_combine(base, name);

    g_assert_cmpstr(path, ==, expected);
}

static void test_combine(void)
{
    check_combine("/a/b/top", "base", "/a/b/base");
    check_combine("/a/b/top", "../base", "/a/b/../base");
    check_combine("/a/b/top", "/x", "/x");
    check_combine("top", "base", "base");
    check_combine("dir/top", "base", "dir/base");
    check_combine("/a/b/", "base", "/a/b/base");
    check_combine("nbd:top", "base", "nbd:base");
    check_combine("http://h/d/top", "base", "http://h/d/base");
    check_combine("/a/b/top", "", "/a/b/");
}

static void check_backing(const char *image, const char *backing,
                          const char *expected)
{
    g_autofree char *full =
        bdrv_get_full_backing_filename_from_filename(image, backing,
                                                     &error_abort);

    g_assert_cmpstr(full, ==, expected);
}

static void test_backing_name(void)
{
    check_backing("/a/top", "", NULL);
    check_backing("/a/top", "base", "/a/base");
    check_backing("/a/top", "/b/base", "/b/base");
    check_backing("/a/top", "nbd:base", "nbd:base");
    check_backing("top", "base", "base");
    check_backing("json:{}", "/b/base", "/b/base");
    check_backing("json:{}", "json:{}", "json:{}");
}

static void test_backing_name_needs_dir(void)
{
    Error *err = NULL;

    g_assert_null(bdrv_get_full_backing_filename_from_filename("json:{}",
                                                               "base", &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Cannot use relative backing file names for 'json:{}'");
    error_free(err);
    err = NULL;
    g_assert_null(bdrv_get_full_backing_filename_from_filename("", "base",
                                                               &err));
    g_assert_nonnull(err);
    error_free(err);
}

static void test_strip_prefix(void)
{
    QDict *options = qdict_new();

    bdrv_parse_filename_strip_prefix("file:a/b", "file:", options);
    g_assert_cmpstr(qdict_get_str(options, "filename"), ==, "a/b");
    bdrv_parse_filename_strip_prefix("file:a:b", "file:", options);
    g_assert_cmpstr(qdict_get_str(options, "filename"), ==, "./a:b");
    qdict_del(options, "filename");
    bdrv_parse_filename_strip_prefix("a", "file:", options);
    g_assert_false(qdict_haskey(options, "filename"));
    qobject_unref(options);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/path/has-protocol", test_has_protocol);
    g_test_add_func("/path/is-absolute", test_is_absolute);
    g_test_add_func("/path/combine", test_combine);
    g_test_add_func("/path/backing-name", test_backing_name);
    g_test_add_func("/path/backing-name-needs-dir",
                    test_backing_name_needs_dir);
    g_test_add_func("/path/strip-prefix", test_strip_prefix);
    return g_test_run();
}
