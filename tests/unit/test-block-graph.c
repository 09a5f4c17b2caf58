/*
 * SPDX-License-Identifier: MIT
 *
 * Nodes and how they are found: names, lists, devices, chains, op blockers,
 * event loops.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "sysemu/block-backend.h"

/* ---- Names and lists ---- */

static void refuse_name(const char *name, const char *text)
{
    Error *err = NULL;

    g_assert_null(bdrv_new_open_driver(&test_plain, name, 0, &err));
    test_expect_error(&err, text);
}

static void test_node_names(void)
{
    BlockDriverState *bs = test_node(&test_plain, "node0");
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);

    monitor_add_blk(blk, "dev0", &error_abort);
    refuse_name("node0", "Duplicate nodes with node-name='node0'");
    refuse_name("dev0", "node-name=dev0 is conflicting with a device id");
    refuse_name("1x", "Invalid node-name: '1x'");
    refuse_name("", "Invalid node-name: ''");
    refuse_name("a b", "Invalid node-name: 'a b'");
    refuse_name("a23456789012345678901234567890123", "Node name too long");
    g_assert_true(bdrv_find_node("node0") == bs);
    g_assert_null(bdrv_find_node("none"));
    monitor_remove_blk(blk);
    blk_unref(blk);
    bdrv_unref(bs);
    g_assert_null(bdrv_find_node("node0"));
}

static void test_generated_names(void)
{
    BlockDriverState *a = test_node(&test_plain, NULL);
    BlockDriverState *b = test_node(&test_plain, NULL);

    g_assert_true(g_str_has_prefix(a->node_name, "#block"));
    g_assert_true(g_str_has_prefix(b->node_name, "#block"));
    g_assert_cmpint(strlen(a->node_name), >=, strlen("#block000"));
    g_assert_cmpstr(a->node_name, !=, b->node_name);
    g_assert_true(bdrv_find_node(a->node_name) == a);
    bdrv_unref(a);
    bdrv_unref(b);
}

static void test_lookup(void)
{
    BlockDriverState *bs = test_node(&test_plain, "node0");
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);
    Error *err = NULL;

    monitor_add_blk(blk, "dev0", &error_abort);
    g_assert_null(bdrv_lookup_bs("dev0", NULL, &err));
    test_expect_error(&err, "Device 'dev0' has no medium");
    g_assert_null(bdrv_lookup_bs("d", "n", &err));
    test_expect_error(&err, "Cannot find device='d' nor node-name='n'");
    g_assert_null(bdrv_lookup_bs(NULL, "n", &err));
    test_expect_error(&err, "Cannot find device='' nor node-name='n'");

    blk_insert_bs(blk, bs, &error_abort);
    g_assert_true(bdrv_lookup_bs("dev0", NULL, &error_abort) == bs);
    g_assert_true(bdrv_lookup_bs("dev0", "dev0", &error_abort) == bs);
    g_assert_true(bdrv_lookup_bs(NULL, "node0", &error_abort) == bs);
    g_assert_true(bdrv_lookup_bs("node0", "node0", &error_abort) == bs);
    g_assert_cmpstr(bdrv_get_device_name(bs), ==, "dev0");
    g_assert_cmpstr(bdrv_get_device_or_node_name(bs), ==, "dev0");
    blk_remove_bs(blk);
    g_assert_cmpstr(bdrv_get_device_name(bs), ==, "");
    g_assert_cmpstr(bdrv_get_device_or_node_name(bs), ==, "node0");

    monitor_remove_blk(blk);
    blk_unref(blk);
    bdrv_unref(bs);
    test_expect_no_nodes();
}

static void test_lists_keep_order(void)
{
    static const char *const names[] = { "c", "a", "b" };
    BlockDriverState *bs[3], *it = NULL;
    int i;

    for (i = 0; i < 3; i++) {
        bs[i] = test_node(&test_plain, names[i]);
    }
    for (i = 0; i < 3; i++) {
        it = bdrv_next_node(it);
        g_assert_true(it == bs[i]);
    }
    g_assert_null(bdrv_next_node(it));

    bdrv_set_monitor_owned(bs[2]);
    bdrv_set_monitor_owned(bs[0]);
    g_assert_true(bdrv_next_monitor_owned(NULL) == bs[2]);
    g_assert_true(bdrv_next_monitor_owned(bs[2]) == bs[0]);
    for (i = 0; i < 3; i++) {
        bdrv_unref(bs[i]);
    }
    g_assert_null(bdrv_next_monitor_owned(NULL));
    test_expect_no_nodes();
}

/* The iterator survives the end of the node that it is at. */
static void test_iterator(void)
{
    BlockDriverState *child = test_node(&test_plain, "child");
    BlockDriverState *root = test_node(&test_plain, "root");
    BlockDriverState *owned = test_node(&test_plain, "owned");
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);
    BdrvNextIterator it;
    BlockDriverState *bs;

    bdrv_set_backing_hd(root, child, &error_abort);
    blk_insert_bs(blk, root, &error_abort);
    bdrv_set_monitor_owned(owned);

    bs = bdrv_first(&it);
    g_assert_true(bs == root);
    blk_unref(blk);
    bdrv_unref(root);
    bs = bdrv_next(&it);
    g_assert_true(bs == owned);
    g_assert_null(bdrv_find_node("root"));
    g_assert_null(bdrv_next(&it));

    bdrv_first(&it);
    bdrv_next_cleanup(&it);
    bdrv_unref(owned);
    bdrv_unref(child);
    test_expect_no_nodes();
}

static void test_close_all(void)
{
    BlockDriverState *bs = test_node(&test_plain, "bs");
    BlockDriverState *owned = test_node(&test_plain, "owned");
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);

    blk_insert_bs(blk, bs, &error_abort);
    bdrv_unref(bs);
    bdrv_set_monitor_owned(owned);
    bdrv_close_all();
    g_assert_null(blk_bs(blk));
    test_expect_no_nodes();
    blk_unref(blk);
}

/* A chain of any length is closed without recursion, from the top. */
static void test_close_long_chain(void)
{
    const int length = 2000;
    BlockDriverState *top = test_node(&test_plain, NULL);
    int i;

    for (i = 0; i < length; i++) {
        BlockDriverState *overlay = test_node(&test_plain, NULL);

        bdrv_set_backing_hd(overlay, top, &error_abort);
        bdrv_unref(top);
        top = overlay;
    }
    g_assert_cmpint(bdrv_get_backing_file_depth(top), ==, length);
    memset(&test_hooks, 0, sizeof(test_hooks));
    bdrv_unref(top);
    g_assert_cmpint(test_hooks.close, ==, length + 1);
    test_expect_no_nodes();
}

/* ---- Op blockers ---- */

static void test_op_blockers(void)
{
    BlockDriverState *bs = test_node(&test_plain, "bs");
    Error *first = NULL, *second = NULL, *err = NULL;

    error_setg(&first, "first reason");
    error_setg(&second, "second reason");
    bdrv_op_block_all(bs, first);
    bdrv_op_unblock(bs, BLOCK_OP_TYPE_RESIZE, first);
    g_assert_false(bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_RESIZE, &err));
    g_assert_null(err);
    g_assert_true(bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_EJECT, &err));
    test_expect_error(&err, "Node 'bs' is busy: first reason");

    bdrv_op_block(bs, BLOCK_OP_TYPE_EJECT, second);
    bdrv_op_unblock_all(bs, first);
    g_assert_true(bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_EJECT, &err));
    test_expect_error(&err, "Node 'bs' is busy: second reason");
    g_assert_false(bdrv_op_blocker_is_empty(bs));
    bdrv_op_unblock_all(bs, second);
    g_assert_true(bdrv_op_blocker_is_empty(bs));

    error_free(first);
    error_free(second);
    bdrv_unref(bs);
}

/* ---- Chains ---- */

typedef struct FourNodes {
    BlockDriverState *top, *mid, *filter, *base;
} FourNodes;

/* top -> mid -> filter -> base */
static FourNodes four_nodes(void)
{
    FourNodes n;

    n.base = test_node(&test_plain, "base");
    n.filter = test_node(&test_filter, "filter");
    n.mid = test_node(&test_plain, "mid");
    n.top = test_node(&test_plain, "top");
    bdrv_set_file_or_backing_check(n.filter, n.base, false, &error_abort);
    bdrv_set_backing_hd(n.mid, n.filter, &error_abort);
    bdrv_set_backing_hd(n.top, n.mid, &error_abort);
    return n;
}

static void four_nodes_free(FourNodes *n)
{
    bdrv_unref(n->top);
    bdrv_unref(n->mid);
    bdrv_unref(n->filter);
    bdrv_unref(n->base);
    test_expect_no_nodes();
}

static void test_chain_walk(void)
{
    FourNodes n = four_nodes();

    g_assert_true(bdrv_backing_chain_next(n.top) == n.mid);
    g_assert_true(bdrv_backing_chain_next(n.mid) == n.base);
    g_assert_true(bdrv_cow_bs(n.mid) == n.filter);
    g_assert_true(bdrv_find_base(n.top) == n.base);
    g_assert_true(bdrv_find_overlay(n.top, n.base) == n.mid);
    g_assert_true(bdrv_find_overlay(n.top, n.filter) == n.mid);
    g_assert_null(bdrv_find_overlay(n.top, n.top));
    g_assert_true(bdrv_chain_contains(n.top, n.filter));
    g_assert_false(bdrv_chain_contains(n.mid, n.top));
    g_assert_true(bdrv_skip_filters(n.filter) == n.base);
    g_assert_true(bdrv_skip_implicit_filters(n.filter) == n.filter);
    n.filter->implicit = true;
    g_assert_true(bdrv_skip_implicit_filters(n.filter) == n.base);
    g_assert_cmpint(bdrv_get_backing_file_depth(n.top), ==, 3);
    g_assert_cmpint(bdrv_get_backing_file_depth(n.filter), ==, 1);
    g_assert_true(bdrv_is_root_node(n.top));
    g_assert_false(bdrv_is_root_node(n.base));
    g_assert_true(bdrv_is_below(n.top, n.base));
    g_assert_false(bdrv_is_below(n.base, n.top));
    four_nodes_free(&n);
}

static void test_drop_intermediate(void)
{
    FourNodes n = four_nodes();

    g_assert_cmpint(bdrv_drop_intermediate(n.mid, n.base, "base.img"), ==, 0);
    g_assert_true(bdrv_cow_bs(n.top) == n.base);
    g_assert_cmpstr(n.top->backing_file, ==, "base.img");
    g_assert_cmpstr(n.top->backing_format, ==, "test-plain");
    g_assert_true(bdrv_cow_bs(n.mid) == n.filter);
    four_nodes_free(&n);
}

static void test_drop_intermediate_frozen(void)
{
    FourNodes n = four_nodes();
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    bdrv_freeze_backing_chain(n.mid, n.filter, &error_abort);
    before = test_graph_text();
    g_assert_cmpint(bdrv_drop_intermediate(n.mid, n.base, "base.img"), <, 0);
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpstr(n.top->backing_file, ==, "");
    bdrv_unfreeze_backing_chain(n.mid, n.filter);
    four_nodes_free(&n);
}

static void test_can_replace(void)
{
    FourNodes n = four_nodes();
    Error *err = NULL;

    g_assert_true(bdrv_recurse_can_replace(n.filter, n.base));
    g_assert_false(bdrv_recurse_can_replace(n.top, n.base));
    g_assert_null(check_to_replace_node(n.top, "none", &err));
    test_expect_error(&err, "Failed to find node with node-name='none'");
    g_assert_null(check_to_replace_node(n.top, "base", &err));
    test_expect_error(&err, "Cannot replace 'base' by a node mirrored from "
                      "'top', because it cannot be guaranteed that doing so "
                      "would not lead to an abrupt change of visible data");
    g_assert_true(check_to_replace_node(n.top, "top", &error_abort) == n.top);
    four_nodes_free(&n);
}

/* ---- Event loops ---- */

static void test_context_moves_component(void)
{
    AioContext *ctx = aio_context_new(&error_abort);
    FourNodes n = four_nodes();

    memset(&test_hooks, 0, sizeof(test_hooks));
    bdrv_try_change_aio_context(n.mid, ctx, NULL, &error_abort);
    g_assert_true(bdrv_get_aio_context(n.top) == ctx);
    g_assert_true(bdrv_get_aio_context(n.mid) == ctx);
    g_assert_true(bdrv_get_aio_context(n.filter) == ctx);
    g_assert_true(bdrv_get_aio_context(n.base) == ctx);
    g_assert_cmpint(test_hooks.detach_ctx, ==, 3);
    g_assert_cmpint(test_hooks.attach_ctx, ==, 3);
    bdrv_try_change_aio_context(n.base, qemu_get_aio_context(), NULL,
                                &error_abort);
    g_assert_true(bdrv_get_aio_context(n.top) == qemu_get_aio_context());
    four_nodes_free(&n);
    aio_context_unref(ctx);
}

static void test_context_refused(void)
{
    AioContext *ctx = aio_context_new(&error_abort);
    FourNodes n = four_nodes();
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);
    Error *err = NULL;

    blk_insert_bs(blk, n.base, &error_abort);
    memset(&test_hooks, 0, sizeof(test_hooks));
    g_assert_cmpint(bdrv_try_change_aio_context(n.top, ctx, NULL, &err), <, 0);
    test_expect_error(&err, "Cannot change iothread of active block backend");
    g_assert_true(bdrv_get_aio_context(n.top) == qemu_get_aio_context());
    g_assert_cmpint(test_hooks.detach_ctx, ==, 0);
    blk_unref(blk);
    four_nodes_free(&n);
    aio_context_unref(ctx);
}

static GString *calls;

static void notify_attached(AioContext *ctx, void *opaque)
{
    g_string_append_printf(calls, "attached%s ", (const char *)opaque);
}

static void notify_detach(void *opaque)
{
    g_string_append_printf(calls, "detach%s ", (const char *)opaque);
}

static void test_context_notifiers(void)
{
    AioContext *ctx = aio_context_new(&error_abort);
    BlockDriverState *bs = test_node(&test_plain, "bs");
    char one[] = "1", two[] = "2";

    calls = g_string_new(NULL);
    bdrv_add_aio_context_notifier(bs, notify_attached, notify_detach, one);
    bdrv_add_aio_context_notifier(bs, notify_attached, notify_detach, two);
    bdrv_remove_aio_context_notifier(bs, notify_attached, notify_detach, two);
    bdrv_try_change_aio_context(bs, ctx, NULL, &error_abort);
    g_assert_cmpstr(calls->str, ==, "detach1 attached1 ");
    bdrv_try_change_aio_context(bs, qemu_get_aio_context(), NULL,
                                &error_abort);
    g_string_free(calls, true);
    bdrv_unref(bs);
    aio_context_unref(ctx);
}

/* A new edge makes the two sides share a context; if the edge is refused, they
 * part again. */
static void test_context_of_new_edge(void)
{
    AioContext *ctx = aio_context_new(&error_abort);
    BlockDriverState *top = test_node(&test_plain, "top");
    BlockDriverState *base = test_node(&test_plain, "base");
    BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);

    bdrv_try_change_aio_context(top, ctx, NULL, &error_abort);
    blk_insert_bs(blk, top, &error_abort);
    test_refuse_perm_of = "base";
    g_assert_cmpint(bdrv_set_backing_hd_check(top, base, NULL), <, 0);
    test_refuse_perm_of = NULL;
    g_assert_true(bdrv_get_aio_context(base) == qemu_get_aio_context());

    bdrv_set_backing_hd(top, base, &error_abort);
    g_assert_true(bdrv_get_aio_context(base) == ctx);
    blk_unref(blk);
    bdrv_try_change_aio_context(top, qemu_get_aio_context(), NULL,
                                &error_abort);
    bdrv_unref(top);
    bdrv_unref(base);
    test_expect_no_nodes();
    aio_context_unref(ctx);
}

/* ---- The graph for people ---- */

static void test_dump(void)
{
    BlockDriverState *base = test_node(&test_plain, "base");
    BlockDriverState *top = test_node(&test_plain, "top");
    BlockBackend *blk = blk_new(BLK_PERM_WRITE, BLK_PERM_ALL);
    XDbgBlockGraph *g;
    XDbgBlockGraphEdge *e;

    bdrv_set_backing_hd(top, base, &error_abort);
    blk_insert_bs(blk, top, &error_abort);
    g = bdrv_get_xdbg_block_graph(&error_abort);

    /* newest first; numbers in the order in which they are met */
    g_assert_cmpstr(g->nodes->value->name, ==, "top");
    g_assert_cmpint(g->nodes->value->id, ==, 2);
    g_assert_cmpstr(g->nodes->next->value->name, ==, "base");
    g_assert_cmpint(g->nodes->next->value->id, ==, 3);
    g_assert_cmpint(g->nodes->next->next->value->id, ==, 1);
    g_assert_cmpint(g->nodes->next->next->value->type, ==,
                    X_DBG_BLOCK_GRAPH_NODE_TYPE_BLOCK_BACKEND);
    e = g->edges->value;
    g_assert_cmpstr(e->name, ==, "backing");
    g_assert_cmpint(e->parent, ==, 2);
    g_assert_cmpint(e->child, ==, 3);
    e = g->edges->next->value;
    g_assert_cmpstr(e->name, ==, "root");
    g_assert_cmpint(e->perm->value, ==, BLOCK_PERMISSION_WRITE);
    g_assert_null(e->perm->next);
    qapi_free_XDbgBlockGraph(g);

    blk_unref(blk);
    bdrv_unref(top);
    bdrv_unref(base);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    qemu_init_main_loop(&error_abort);

    g_test_add_func("/block-graph/node-names", test_node_names);
    g_test_add_func("/block-graph/generated-names", test_generated_names);
    g_test_add_func("/block-graph/lookup", test_lookup);
    g_test_add_func("/block-graph/lists", test_lists_keep_order);
    g_test_add_func("/block-graph/iterator", test_iterator);
    g_test_add_func("/block-graph/close-all", test_close_all);
    g_test_add_func("/block-graph/close-long-chain", test_close_long_chain);
    g_test_add_func("/block-graph/op-blockers", test_op_blockers);
    g_test_add_func("/block-graph/chain-walk", test_chain_walk);
    g_test_add_func("/block-graph/drop-intermediate", test_drop_intermediate);
    g_test_add_func("/block-graph/drop-intermediate-frozen",
                    test_drop_intermediate_frozen);
    g_test_add_func("/block-graph/can-replace", test_can_replace);
    g_test_add_func("/block-graph/context/component",
                    test_context_moves_component);
    g_test_add_func("/block-graph/context/refused", test_context_refused);
    g_test_add_func("/block-graph/context/notifiers", test_context_notifiers);
    g_test_add_func("/block-graph/context/new-edge", test_context_of_new_edge);
    g_test_add_func("/block-graph/dump", test_dump);
    return g_test_run();
}
