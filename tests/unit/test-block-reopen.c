/*
 * SPDX-License-Identifier: MIT
 *
 * Reopening: options that may change, children that are exchanged, and that a
 * queue of which one entry fails changes nothing.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qemu/main-loop.h"
#include "sysemu/block-backend.h"

/* What the driver's hooks have seen. */
static GString *calls;
static bool fail_prepare;

static int knob_prepare(BDRVReopenState *state, BlockReopenQueue *q,
                        Error **errp)
{
    g_string_append_printf(calls, "prepare-%s ", state->bs->node_name);
    if (fail_prepare) {
        error_setg(errp, "knob is stuck");
        return -EINVAL;
    }
    qdict_del(state->options, "knob");
    return 0;
}

static void knob_commit(BDRVReopenState *state)
{
    g_string_append_printf(calls, "commit-%s ", state->bs->node_name);
}

static void knob_abort(BDRVReopenState *state)
{
    g_string_append_printf(calls, "abort-%s ", state->bs->node_name);
}

static int knob_open(BlockDriverState *bs, QDict *options, int flags,
                     Error **errp)
{
    qdict_del(options, "knob");
    qdict_del(options, "fixed");
    bs->file = bdrv_open_child(NULL, options, "file", bs, &child_file, true,
                               errp);
    return 0;
}

static int64_t knob_getlength(BlockDriverState *bs)
{
    return 65536;
}

static const char *const knob_mutable[] = { "knob", NULL };

static BlockDriver bdrv_knob = {
    .format_name         = "knob",
    .is_format           = true,
    .supports_backing    = true,
    .mutable_opts        = knob_mutable,
    .bdrv_open           = knob_open,
    .bdrv_getlength      = knob_getlength,
    .bdrv_reopen_prepare = knob_prepare,
    .bdrv_reopen_commit  = knob_commit,
    .bdrv_reopen_abort   = knob_abort,
};

static BlockDriverState *open_json(const char *json)
{
    QObject *obj = qobject_from_json(json, &error_abort);
    QDict *options = qobject_to(QDict, obj);

    qdict_flatten(options);
    return bdrv_open(NULL, NULL, options, BDRV_O_RDWR, &error_abort);
}

static int reopen_json(BlockDriverState *bs, const char *json, Error **errp)
{
    QObject *obj = qobject_from_json(json, &error_abort);
    QDict *options = qobject_to(QDict, obj);

    qdict_flatten(options);
    g_string_truncate(calls, 0);
    return bdrv_reopen(bs, options, false, errp);
}

static void refuse_reopen(BlockDriverState *bs, const char *json,
                          const char *text)
{
    g_autofree char *before = test_graph_text();
    g_autofree char *after = NULL;
    QDict *options = qobject_ref(bs->options);
    int flags = bs->open_flags;
    Error *err = NULL;

    g_assert_cmpint(reopen_json(bs, json, &err), <, 0);
    test_expect_error(&err, text);
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    g_assert_true(bs->options == options);
    g_assert_cmphex(bs->open_flags, ==, flags);
    g_assert_cmpint(bs->quiesce_counter, ==, 0);
    qobject_unref(options);
}

static void test_read_only(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k'}");

    g_assert_cmpint(bdrv_reopen_set_read_only(bs, true, &error_abort), ==, 0);
    g_assert_true(bdrv_is_read_only(bs));
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, false, &error_abort), ==, 0);
    g_assert_false(bdrv_is_read_only(bs));
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_read_only_with_writer(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k'}");
    BlockBackend *blk = blk_new(BLK_PERM_WRITE, BLK_PERM_ALL);

    blk_insert_bs(blk, bs, &error_abort);
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':null,"
                  "'read-only':true}", "Read-only block node 'k' cannot "
                  "support read-write users");
    g_assert_cmpstr(calls->str, ==, "prepare-k abort-k ");
    blk_unref(blk);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_options(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k',"
                                     "'fixed':'1','knob':'1'}");

    reopen_json(bs, "{'driver':'knob','node-name':'k','fixed':'1','knob':'2',"
                "'backing':null,'cache':{'direct':true},"
                "'discard':'unmap','detect-zeroes':'unmap'}", &error_abort);
    g_assert_cmpstr(calls->str, ==, "prepare-k commit-k ");
    g_assert_cmpstr(qdict_get_str(bs->options, "knob"), ==, "2");
    g_assert_true(bs->open_flags & BDRV_O_NOCACHE);
    g_assert_true(bs->open_flags & BDRV_O_UNMAP);
    g_assert_cmpint(bs->detect_zeroes, ==,
                    BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP);

    /* what is left out gets its default again */
    reopen_json(bs, "{'driver':'knob','node-name':'k','fixed':'1',"
                "'backing':null}", &error_abort);
    g_assert_false(qdict_haskey(bs->options, "knob"));
    g_assert_false(bs->open_flags & (BDRV_O_NOCACHE | BDRV_O_UNMAP));
    bdrv_unref(bs);
}

static void test_options_refused(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k',"
                                     "'fixed':'1'}");

    refuse_reopen(bs, "{'driver':'knob','node-name':'k','fixed':'2',"
                  "'backing':null}", "Cannot change the option 'fixed'");
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':null}",
                  "Option 'fixed' cannot be reset to its default value");
    refuse_reopen(bs, "{'driver':'raw','node-name':'k','fixed':'1',"
                  "'backing':null}", "Cannot change the option 'driver'");
    refuse_reopen(bs, "{'driver':'knob','node-name':'x','fixed':'1',"
                  "'backing':null}", "Cannot change the option 'node-name'");
    bdrv_set_string(&bs->backing_file, "base");
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','fixed':'1'}",
                  "backing is missing for 'k'");
    bdrv_set_string(&bs->backing_file, "");
    reopen_json(bs, "{'driver':'knob','node-name':'k','fixed':'1'}",
                &error_abort);
    fail_prepare = true;
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','fixed':'1',"
                  "'backing':null}", "knob is stuck");
    fail_prepare = false;
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_driver_without_reopen(void)
{
    BlockDriverState *bs = test_node(&test_plain, "p");

    refuse_reopen(bs, "{'driver':'test-plain','node-name':'p','backing':null}",
                  "Block format 'test-plain' used by node 'p' does not "
                  "support reopening files");
    bdrv_unref(bs);
}

static void test_backing_changes(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k'}");
    BlockDriverState *a = test_node(&test_plain, "a");
    BlockDriverState *b = test_node(&test_plain, "b");

    reopen_json(bs, "{'driver':'knob','node-name':'k','backing':'a'}",
                &error_abort);
    g_assert_true(bdrv_cow_bs(bs) == a);
    reopen_json(bs, "{'driver':'knob','node-name':'k','backing':'b'}",
                &error_abort);
    g_assert_true(bdrv_cow_bs(bs) == b);
    g_assert_cmpint(a->refcnt, ==, 1);
    reopen_json(bs, "{'driver':'knob','node-name':'k','backing':null}",
                &error_abort);
    g_assert_null(bs->backing);
    bdrv_unref(a);
    bdrv_unref(b);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_backing_refused(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k'}");
    BlockDriverState *a = test_node(&test_plain, "a");
    BlockDriverState *b = test_node(&test_plain, "b");
    BlockDriverState *top = test_node(&test_plain, "top");
    BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);

    blk_insert_bs(blk, bs, &error_abort);
    bdrv_set_backing_hd(bs, a, &error_abort);
    bdrv_set_backing_hd(top, bs, &error_abort);
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':'none'}",
                  "Cannot find device='' nor node-name='none'");
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':'top'}",
                  "Making 'top' a backing child of 'k' would create a cycle");
    bdrv_freeze_backing_chain(bs, a, &error_abort);
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':'b'}",
                  "Cannot change frozen 'backing' link from 'k' to 'a'");
    bdrv_unfreeze_backing_chain(bs, a);
    test_refuse_perm_of = "b";
    refuse_reopen(bs, "{'driver':'knob','node-name':'k','backing':'b'}",
                  "refused by 'b'");
    test_refuse_perm_of = NULL;
    g_assert_true(bdrv_cow_bs(bs) == a);
    blk_unref(blk);
    bdrv_unref(top);
    bdrv_unref(bs);
    bdrv_unref(a);
    bdrv_unref(b);
    test_expect_no_nodes();
}

static void test_file_changes(void)
{
    BlockDriverState *n = open_json("{'driver':'knob','node-name':'n'}");
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k',"
                                     "'file':{'driver':'knob',"
                                     "'node-name':'f'}}");

    g_assert_cmpstr(bs->file->bs->node_name, ==, "f");
    reopen_json(bs, "{'driver':'knob','node-name':'k','file':'n',"
                "'backing':null}", &error_abort);
    g_assert_true(bs->file->bs == n);
    g_assert_null(bdrv_find_node("f"));
    bdrv_unref(bs);
    bdrv_unref(n);
    test_expect_no_nodes();
}

/* Children that inherit are reopened with their parent, and get its options
 * where they have none. */
static void test_children(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k',"
                                     "'file':{'driver':'knob',"
                                     "'node-name':'f'}}");
    QDict *options = qdict_new();

    g_string_truncate(calls, 0);
    qdict_put_bool(options, "cache.direct", true);
    g_assert_cmpint(bdrv_reopen(bs, options, true, &error_abort), ==, 0);
    g_assert_cmpstr(calls->str, ==,
                    "prepare-k prepare-f commit-f commit-k ");
    g_assert_true(bs->open_flags & BDRV_O_NOCACHE);
    g_assert_true(bs->file->bs->open_flags & BDRV_O_NOCACHE);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

/* Two nodes at once: the second fails, the first stays what it was. */
static void test_all_or_nothing(void)
{
    BlockDriverState *one = open_json("{'driver':'knob','node-name':'one'}");
    BlockDriverState *two = open_json("{'driver':'knob','node-name':'two'}");
    BlockBackend *blk = blk_new(BLK_PERM_WRITE, BLK_PERM_ALL);
    BlockReopenQueue *q = NULL;
    Error *err = NULL;
    QDict *options;

    blk_insert_bs(blk, two, &error_abort);
    options = qdict_new();
    qdict_put_bool(options, "read-only", true);
    q = bdrv_reopen_queue(q, one, options, true);
    options = qdict_new();
    qdict_put_bool(options, "read-only", true);
    q = bdrv_reopen_queue(q, two, options, true);
    g_assert_cmpint(one->quiesce_counter, ==, 1);
    g_string_truncate(calls, 0);
    g_assert_cmpint(bdrv_reopen_multiple(q, &err), <, 0);
    test_expect_error(&err, "Read-only block node 'two' cannot support "
                      "read-write users");
    g_assert_cmpstr(calls->str, ==,
                    "prepare-one prepare-two abort-two abort-one ");
    g_assert_false(bdrv_is_read_only(one));
    g_assert_cmpint(one->quiesce_counter, ==, 0);
    blk_unref(blk);
    bdrv_unref(one);
    bdrv_unref(two);
    test_expect_no_nodes();
}

static void detach_file(void *opaque, int ret)
{
    BlockDriverState *bs = opaque;

    bdrv_unref_child(bs, bs->file);
}

/* A request that is waited for takes a child away. */
static void test_child_leaves(void)
{
    BlockDriverState *bs = open_json("{'driver':'knob','node-name':'k',"
                                     "'file':{'driver':'null-co',"
                                     "'node-name':'f',"
                                     "'latency-ns':1000000}}");
    BlockDriverState *child = bs->file->bs;
    BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);
    uint8_t buf[512];
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, sizeof(buf));
    BlockReopenQueue *queue;

    blk_insert_bs(blk, child, &error_abort);
    blk_aio_preadv(blk, 0, &qiov, 0, detach_file, bs);
    queue = bdrv_reopen_queue(NULL, bs, qdict_new(), true);
    g_assert_null(bs->file);
    g_assert_cmpint(bs->quiesce_counter, ==, 1);
    g_assert_cmpint(child->quiesce_counter, ==, 0);
    g_assert_cmpint(bdrv_reopen_multiple(queue, &error_abort), ==, 0);
    blk_unref(blk);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    bdrv_register(&bdrv_knob);
    qemu_init_main_loop(&error_abort);
    calls = g_string_new(NULL);

    g_test_add_func("/block-reopen/read-only", test_read_only);
    g_test_add_func("/block-reopen/read-only-writer",
                    test_read_only_with_writer);
    g_test_add_func("/block-reopen/options", test_options);
    g_test_add_func("/block-reopen/options-refused", test_options_refused);
    g_test_add_func("/block-reopen/no-hook", test_driver_without_reopen);
    g_test_add_func("/block-reopen/backing", test_backing_changes);
    g_test_add_func("/block-reopen/backing-refused", test_backing_refused);
    g_test_add_func("/block-reopen/file", test_file_changes);
    g_test_add_func("/block-reopen/children", test_children);
    g_test_add_func("/block-reopen/all-or-nothing", test_all_or_nothing);
    g_test_add_func("/block-reopen/child-leaves", test_child_leaves);
    ret = g_test_run();
    g_string_free(calls, true);
    return ret;
}
