/*
 * SPDX-License-Identifier: MIT
 *
 * Opening: how drivers are found, json: names, children, backing chains and
 * the names of nodes; what a failed open leaves behind, which is nothing.
 *
 * The images are of a format that exists only here: a line with a magic word,
 * one with the backing file and one with its format, either may be empty.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qnull.h"
#include "qemu/cutils.h"
#include "qemu/main-loop.h"
#include "sysemu/block-backend.h"
#include <glib/gstdio.h>

#define MAGIC "lines\n"

static char *dir;

/* ---- The format ---- */

static int lines_probe(const uint8_t *buf, int size, const char *filename)
{
    return size >= strlen(MAGIC) && !memcmp(buf, MAGIC, strlen(MAGIC)) ? 100
                                                                       : 0;
}

static int lines_open(BlockDriverState *bs, QDict *options, int flags,
                      Error **errp)
{
    char buf[BDRV_SECTOR_SIZE] = "";
    g_auto(GStrv) lines = NULL;

    if (bdrv_open_file_child(NULL, options, "file", bs, errp) < 0) {
        return -EINVAL;
    }
    if (bdrv_pread(bs->file, 0, sizeof(buf), buf, 0) < 0) {
        return -EIO;
    }
    buf[sizeof(buf) - 1] = '\0';
    lines = g_strsplit(buf, "\n", 4);
    if (g_strv_length(lines) < 3 || strcmp(lines[0], "lines")) {
        error_setg(errp, "no image of lines");
        return -EINVAL;
    }
    bdrv_set_string(&bs->backing_file, lines[1]);
    bdrv_set_string(&bs->backing_format, lines[2]);
    qdict_del(options, "tune");
    qdict_del(options, "view");
    return 0;
}

static int64_t lines_getlength(BlockDriverState *bs)
{
    return 65536;
}

static int coroutine_fn lines_co_preadv(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        int flags)
{
    return bdrv_co_preadv(bs->file, offset, bytes, qiov, flags);
}

static const char *const lines_strong_opts[] = { "view", NULL };

static BlockDriver bdrv_lines = {
    .format_name         = "lines",
    .is_format           = true,
    .supports_backing    = true,
    .strong_runtime_opts = lines_strong_opts,
    .bdrv_probe          = lines_probe,
    .bdrv_open           = lines_open,
    .bdrv_getlength      = lines_getlength,
    .bdrv_child_perm     = bdrv_default_perms,
    .bdrv_co_preadv      = lines_co_preadv,
};

/* ---- Images ---- */

static char *image(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static void make_image(const char *name, const char *backing, const char *fmt)
{
    g_autofree char *path = image(name);
    char buf[4096] = "";

    snprintf(buf, sizeof(buf), MAGIC "%s\n%s\n", backing, fmt);
    g_assert_true(g_file_set_contents(path, buf, sizeof(buf), NULL));
}

static void make_raw(const char *name)
{
    g_autofree char *path = image(name);
    char buf[4096] = "";

    g_assert_true(g_file_set_contents(path, buf, sizeof(buf), NULL));
}

static void remove_image(const char *name)
{
    g_autofree char *path = image(name);

    g_unlink(path);
}

static BlockDriverState *open_image(const char *name, QDict *options,
                                    Error **errp)
{
    g_autofree char *path = image(name);

    return bdrv_open(path, NULL, options, 0, errp);
}

/* @err reads @expected, in which %s stands for the folder. */
static void expect_error_in_dir(Error **err, const char *expected)
{
    g_auto(GStrv) parts = g_strsplit(expected, "%s", -1);
    g_autofree char *text = g_strjoinv(dir, parts);

    test_expect_error(err, text);
    test_expect_no_nodes();
}

/* ---- Which driver ---- */

static void test_probe(void)
{
    BlockDriverState *bs;

    make_image("a", "", "");
    bs = open_image("a", NULL, &error_abort);
    g_assert_cmpstr(bs->drv->format_name, ==, "lines");
    g_assert_true(bs->probed);
    g_assert_cmpstr(bs->file->bs->drv->format_name, ==, "file");
    g_assert_true(bs->file->bs->inherits_from == bs);
    bdrv_unref(bs);

    make_raw("r");
    bs = open_image("r", NULL, &error_abort);
    g_assert_cmpstr(bs->drv->format_name, ==, "raw");
    bdrv_unref(bs);
    remove_image("a");
    remove_image("r");
    test_expect_no_nodes();
}

static void refuse_open(const char *filename, const char *text)
{
    Error *err = NULL;

    g_assert_null(bdrv_open(filename, NULL, NULL, 0, &err));
    test_expect_error(&err, text);
    test_expect_no_nodes();
}

static void test_bad_names(void)
{
    refuse_open("nowhere:x", "Unknown protocol 'nowhere'");
    refuse_open("", "The 'file' block driver requires a file name");
    refuse_open("/does/not/exist",
                "Could not open '/does/not/exist': No such file or directory");
    refuse_open("json:{}", "Must specify either driver or file");
    refuse_open("json:[1]", "Invalid JSON object given");
    refuse_open("json:{'driver':'nowhere'}", "Unknown driver 'nowhere'");
    refuse_open("json:{'driver':'raw'}",
                "A block device must be specified for \"file\"");
    refuse_open("json:{'driver':'raw','file':'n'}",
                "Cannot find device='n' nor node-name='n'");
    refuse_open(NULL, "Must specify either driver or file");
}

static void test_json_nested(void)
{
    BlockDriverState *bs;

    bs = bdrv_open("json:{'driver':'raw', 'node-name':'r', "
                   "'file':{'driver':'null-co', 'node-name':'n', "
                   "'size':65536}}", NULL, NULL, 0, &error_abort);
    g_assert_true(bdrv_find_node("r") == bs);
    g_assert_true(bdrv_find_node("n") == bs->file->bs);
    g_assert_cmpint(bdrv_getlength(bs), ==, 65536);
    bdrv_unref(bs);

    /* dotted keys are the same; options beside the name win */
    bs = bdrv_open("json:{'driver':'raw', 'file.driver':'null-co', "
                   "'file.size':65536}", NULL,
                   qdict_from_jsonf_nofail("{'file.size': '4096'}"), 0,
                   &error_abort);
    g_assert_cmpint(bdrv_getlength(bs), ==, 4096);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

/* JSON can nest deeper than nodes may. */
static void test_nesting_limit(void)
{
    GString *s = g_string_new("json:");
    Error *err = NULL;
    int i;

    for (i = 0; i < 300; i++) {
        g_string_append(s, "{'driver':'raw','file':");
    }
    g_string_append(s, "{'driver':'null-co'}");
    for (i = 0; i < 300; i++) {
        g_string_append(s, "}");
    }
    g_assert_null(bdrv_open(s->str, NULL, NULL, 0, &err));
    test_expect_error(&err, "Block nodes are nested too deeply (limit is "
                      "200)");
    test_expect_no_nodes();
    g_string_free(s, true);
}

static void test_references(void)
{
    BlockDriverState *n = bdrv_open("json:{'driver':'null-co',"
                                    "'node-name':'n'}", NULL, NULL, 0,
                                    &error_abort);
    BlockDriverState *bs;
    Error *err = NULL;

    bs = bdrv_open(NULL, "n", NULL, 0, &error_abort);
    g_assert_true(bs == n);
    bdrv_unref(bs);
    bs = bdrv_open("json:{'driver':'raw', 'file':'n'}", NULL, NULL, 0,
                   &error_abort);
    g_assert_true(bs->file->bs == n);
    g_assert_null(n->inherits_from);
    bdrv_unref(bs);
    g_assert_cmpint(n->refcnt, ==, 1);
    g_assert_null(bdrv_open("x", "n", NULL, 0, &err));
    test_expect_error(&err, "Cannot reference an existing block device with "
                      "additional options or a new filename");
    bdrv_unref(n);
    test_expect_no_nodes();
}

static void test_unknown_options(void)
{
    Error *err = NULL;

    make_image("a", "", "");
    g_assert_null(open_image("a", qdict_from_jsonf_nofail("{'x': '1'}"),
                             &err));
    expect_error_in_dir(&err, "Block format 'lines' does not support the "
                        "option 'x'");
    g_assert_null(open_image("a", qdict_from_jsonf_nofail("{'file.x': '1'}"),
                             &err));
    expect_error_in_dir(&err, "Block protocol 'file' doesn't support the "
                        "option 'x'");
    remove_image("a");
}

/* ---- Chains ---- */

static void test_backing_from_header(void)
{
    BlockDriverState *bs, *mid, *base;

    make_image("base", "", "");
    make_image("mid", "base", "lines");
    make_image("top", "mid", "");
    bs = open_image("top", NULL, &error_abort);
    mid = bdrv_cow_bs(bs);
    base = bdrv_cow_bs(mid);
    g_assert_null(bdrv_cow_bs(base));
    g_assert_true(mid->inherits_from == bs && base->inherits_from == mid);
    /* a format from the header is not a guess */
    g_assert_true(mid->probed);
    g_assert_false(base->probed);
    g_assert_true(bdrv_is_read_only(mid));
    g_assert_false(bdrv_is_backing_overridden(bs));
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_backing_options(void)
{
    g_autofree char *base = image("base");
    BlockDriverState *bs;
    QDict *options;

    /* none */
    options = qdict_new();
    qdict_put_null(options, "backing");
    bs = open_image("top", options, &error_abort);
    g_assert_null(bs->backing);
    g_assert_true(bdrv_is_backing_overridden(bs));
    bdrv_unref(bs);

    /* another one, as options */
    options = qdict_from_jsonf_nofail("{'backing.driver': 'raw', "
                                      "'backing.file.driver': 'file', "
                                      "'backing.file.filename': %s}", base);
    bs = open_image("top", options, &error_abort);
    g_assert_cmpstr(bs->backing->bs->drv->format_name, ==, "raw");
    g_assert_true(bdrv_is_backing_overridden(bs));
    bdrv_unref(bs);

    /* options for the one in the header, and for the one below */
    options = qdict_from_jsonf_nofail("{'backing.node-name': 'm', "
                                      "'backing.backing.node-name': 'b'}");
    bs = open_image("top", options, &error_abort);
    g_assert_true(bdrv_find_node("m") == bdrv_cow_bs(bs));
    g_assert_true(bdrv_find_node("b") == bdrv_cow_bs(bdrv_cow_bs(bs)));
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_backing_by_reference(void)
{
    BlockDriverState *n = bdrv_open("json:{'driver':'null-co',"
                                    "'node-name':'n'}", NULL, NULL, 0,
                                    &error_abort);
    BlockDriverState *bs;

    bs = open_image("top", qdict_from_jsonf_nofail("{'backing': 'n'}"),
                    &error_abort);
    g_assert_true(bdrv_cow_bs(bs) == n);
    g_assert_false(qdict_haskey(bs->options, "backing"));
    bdrv_unref(bs);
    bdrv_unref(n);
    test_expect_no_nodes();
}

static void test_backing_missing(void)
{
    Error *err = NULL;

    remove_image("base");
    g_assert_null(open_image("top", NULL, &err));
    expect_error_in_dir(&err, "Could not open backing file: Could not open "
                        "backing file: Could not open '%s/base': No such file "
                        "or directory");
    remove_image("mid");
    g_assert_null(open_image("top", NULL, &err));
    expect_error_in_dir(&err, "Could not open backing file: Could not open "
                        "'%s/mid': No such file or directory");
    remove_image("top");
}

static void test_backing_loop(void)
{
    Error *err = NULL;

    make_image("a", "b", "lines");
    make_image("b", "a", "lines");
    g_assert_null(open_image("a", NULL, &err));
    expect_error_in_dir(&err, "Could not open backing file: Could not open "
                        "backing file: Backing file '%s/a' occurs twice in "
                        "one backing chain");
    make_image("a", "a", "lines");
    g_assert_null(open_image("a", NULL, &err));
    expect_error_in_dir(&err, "Could not open backing file: Backing file "
                        "'%s/a' occurs twice in one backing chain");
    remove_image("a");
    remove_image("b");
}

static void test_long_chain(void)
{
    const int length = 300;
    BlockDriverState *bs;
    char name[16], below[16];
    int i;

    make_image("c0", "", "");
    for (i = 1; i <= length; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        snprintf(below, sizeof(below), "c%d", i - 1);
        make_image(name, below, "lines");
    }
    bs = open_image(name, NULL, &error_abort);
    g_assert_cmpint(bdrv_get_backing_file_depth(bs), ==, length);
    bdrv_unref(bs);
    test_expect_no_nodes();
    for (i = 0; i <= length; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        remove_image(name);
    }
}

/* ---- Names of nodes ---- */

static void expect_name(BlockDriverState *bs, const char *expected)
{
    g_auto(GStrv) parts = g_strsplit(expected, "%s", -1);
    g_autofree char *text = g_strjoinv(dir, parts);

    bdrv_refresh_filename(bs);
    g_assert_cmpstr(bs->filename, ==, text);
}

static void test_filename(void)
{
    BlockDriverState *bs;

    make_image("base", "", "");
    make_image("top", "base", "lines");
    bs = open_image("top", NULL, &error_abort);
    expect_name(bs, "%s/top");
    bdrv_unref(bs);

    /* weak options don't show, strong ones do */
    bs = open_image("top", qdict_from_jsonf_nofail("{'tune': '1'}"),
                    &error_abort);
    expect_name(bs, "%s/top");
    bdrv_unref(bs);
    bs = open_image("top", qdict_from_jsonf_nofail("{'view': '1'}"),
                    &error_abort);
    expect_name(bs, "json:{\"view\": \"1\", \"driver\": \"lines\", "
                "\"file\": {\"driver\": \"file\", \"filename\": "
                "\"%s/top\"}}");
    bdrv_unref(bs);

    bs = open_image("top", qdict_from_jsonf_nofail("{'backing': null}"),
                    &error_abort);
    expect_name(bs, "json:{\"backing\": null, \"driver\": \"lines\", "
                "\"file\": {\"driver\": \"file\", \"filename\": "
                "\"%s/top\"}}");
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_find_backing_image(void)
{
    g_autofree char *full = image("base");
    g_autofree char *twisted = image("./../");
    BlockDriverState *bs = open_image("top", NULL, &error_abort);
    BlockDriverState *base = bdrv_cow_bs(bs);

    g_assert_true(bdrv_find_backing_image(bs, "base") == base);
    g_assert_true(bdrv_find_backing_image(bs, full) == base);
    g_assert_null(bdrv_find_backing_image(bs, "top"));
    g_assert_null(bdrv_find_backing_image(bs, twisted));
    bdrv_unref(bs);
    remove_image("base");
    remove_image("top");
    test_expect_no_nodes();
}

static void test_relative_needs_folder(void)
{
    BlockDriverState *bs = bdrv_open("json:{'driver':'null-co', "
                                     "'size':65536}", NULL, NULL, 0,
                                     &error_abort);
    Error *err = NULL;

    bdrv_set_string(&bs->backing_file, "base");
    g_assert_null(bdrv_get_full_backing_filename(bs, &err));
    g_assert_nonnull(err);
    error_free(err);
    bdrv_set_string(&bs->backing_file, "/base");
    g_free(bdrv_get_full_backing_filename(bs, &error_abort));
    bdrv_unref(bs);
}

/* ---- Order of nodes ---- */

static void test_file_is_named_first(void)
{
    BlockDriverState *bs = bdrv_open("json:{'driver':'raw', "
                                     "'file':{'driver':'null-co'}}", NULL,
                                     NULL, 0, &error_abort);

    g_assert_true(bdrv_next_node(NULL) == bs->file->bs);
    g_assert_true(bdrv_next_node(bs->file->bs) == bs);
    bdrv_unref(bs);
}

static void add_chain_tests(void)
{
    g_test_add_func("/block-open/backing/header", test_backing_from_header);
    g_test_add_func("/block-open/backing/options", test_backing_options);
    g_test_add_func("/block-open/backing/reference",
                    test_backing_by_reference);
    g_test_add_func("/block-open/backing/missing", test_backing_missing);
    g_test_add_func("/block-open/backing/loop", test_backing_loop);
    g_test_add_func("/block-open/backing/long", test_long_chain);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    bdrv_register(&bdrv_lines);
    qemu_init_main_loop(&error_abort);
    dir = g_dir_make_tmp("block-open-XXXXXX", NULL);
    g_assert_nonnull(dir);

    g_test_add_func("/block-open/probe", test_probe);
    g_test_add_func("/block-open/bad-names", test_bad_names);
    g_test_add_func("/block-open/json", test_json_nested);
    g_test_add_func("/block-open/nesting", test_nesting_limit);
    g_test_add_func("/block-open/references", test_references);
    g_test_add_func("/block-open/unknown-options", test_unknown_options);
    add_chain_tests();
    g_test_add_func("/block-open/filename", test_filename);
    g_test_add_func("/block-open/find-backing", test_find_backing_image);
    g_test_add_func("/block-open/relative", test_relative_needs_folder);
    g_test_add_func("/block-open/order", test_file_is_named_first);
    ret = g_test_run();
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
