/*
 * SPDX-License-Identifier: MIT
 *
 * Changes of the block graph: what they do, and that a change that is refused
 * leaves everything as it was, down to the order of lists.
 *
 * Numbers refer to the invariants of block/graph.c and block/perm.c.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "sysemu/block-backend.h"

/* top (backing) -> base, with a backend on top that writes */
typedef struct Chain {
    BlockDriverState *top, *base;
    BlockBackend *blk;
} Chain;

static Chain chain_new(void)
{
    Chain c;

    c.top = test_node(&test_plain, "top");
    c.base = test_node(&test_plain, "base");
    bdrv_set_backing_hd(c.top, c.base, &error_abort);
    c.blk = blk_new(BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE, BLK_PERM_ALL);
    blk_insert_bs(c.blk, c.top, &error_abort);
    return c;
}

static void chain_free(Chain *c)
{
    blk_unref(c->blk);
    bdrv_unref(c->top);
    bdrv_unref(c->base);
    test_expect_no_nodes();
}

static void test_set_backing(void)
{
    Chain c = chain_new();

    g_assert_true(bdrv_cow_bs(c.top) == c.base);
    g_assert_cmpint(c.base->refcnt, ==, 2);
    g_assert_cmpstr(c.top->backing->name, ==, "backing");
    g_assert_true(bdrv_op_is_blocked(c.base, BLOCK_OP_TYPE_MIRROR_SOURCE,
                                     NULL));
    g_assert_false(bdrv_op_is_blocked(c.base, BLOCK_OP_TYPE_COMMIT_TARGET,
                                      NULL));
    bdrv_set_backing_hd(c.top, NULL, &error_abort);
    g_assert_null(c.top->backing);
    g_assert_cmpint(c.base->refcnt, ==, 1);
    g_assert_true(bdrv_op_blocker_is_empty(c.base));
    chain_free(&c);
}

static void test_backing_blocker_text(void)
{
    Chain c = chain_new();
    Error *err = NULL;

    g_assert_true(bdrv_op_is_blocked(c.base, BLOCK_OP_TYPE_RESIZE, &err));
    test_expect_error(&err, "Node 'base' is busy: node is used as backing hd "
                      "of 'top'");
    chain_free(&c);
}

static void test_cycle_refused(void)
{
    Chain c = chain_new();
    g_autofree char *before = test_graph_text();
    g_autofree char *after = NULL;
    Error *err = NULL;

    g_assert_cmpint(bdrv_set_backing_hd_check(c.base, c.top, &err), <, 0);
    test_expect_error(&err, "Making 'top' a backing child of 'base' would "
                      "create a cycle");
    g_assert_cmpint(bdrv_set_backing_hd_check(c.top, c.top, &err), <, 0);
    test_expect_error(&err, "Making 'top' a backing child of 'top' would "
                      "create a cycle");
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    chain_free(&c);
}

static void test_frozen_link(void)
{
    Chain c = chain_new();
    Error *err = NULL;

    bdrv_freeze_backing_chain(c.top, c.base, &error_abort);
    g_assert_cmpint(bdrv_set_backing_hd_check(c.top, NULL, &err), ==, -EPERM);
    test_expect_error(&err, "Cannot change frozen 'backing' link from 'top' "
                      "to 'base'");
    g_assert_cmpint(bdrv_freeze_backing_chain(c.top, c.base, &err), ==,
                    -EPERM);
    test_expect_error(&err, "Cannot change frozen 'backing' link from 'top' "
                      "to 'base'");
    g_assert_true(bdrv_is_backing_chain_frozen(c.top, c.base, NULL));
    bdrv_unfreeze_backing_chain(c.top, c.base);
    g_assert_false(bdrv_is_backing_chain_frozen(c.top, c.base, NULL));
    bdrv_set_backing_hd(c.top, NULL, &error_abort);
    chain_free(&c);
}

static void test_never_freeze(void)
{
    Chain c = chain_new();
    Error *err = NULL;

    c.base->never_freeze = true;
    g_assert_cmpint(bdrv_freeze_backing_chain(c.top, NULL, &err), ==, -EPERM);
    test_expect_error(&err, "Cannot freeze 'backing' link to 'base'");
    g_assert_cmpint(c.top->backing->frozen, ==, 0);
    chain_free(&c);
}

/* perm.c 1: a conflict deep in the graph undoes all of the change */
static void test_append_conflict(void)
{
    BlockDriverState *file = test_node(&test_plain, "file");
    BlockDriverState *bs = test_node(&test_filter, "bs");
    BlockDriverState *greedy = test_node(&test_exclusive, "greedy");
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    BlockBackend *blk;
    Error *err = NULL;

    bdrv_set_file_or_backing_check(bs, file, false, &error_abort);
    blk = blk_new(BLK_PERM_WRITE, BLK_PERM_ALL);
    blk_insert_bs(blk, file, &error_abort);
    before = test_graph_text();

    g_assert_cmpint(bdrv_append(greedy, bs, &err), ==, -EPERM);
    test_expect_error(&err, "Permission conflict on node 'file': permissions "
                      "'write' are both required by an unnamed block device "
                      "(uses node 'file' as 'root' child) and unshared by "
                      "node 'bs' (uses node 'file' as 'file' child).");
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);

    blk_unref(blk);
    bdrv_unref(greedy);
    bdrv_unref(bs);
    bdrv_unref(file);
    test_expect_no_nodes();
}

static void test_append_moves_parents(void)
{
    Chain c = chain_new();
    BlockDriverState *snap = test_node(&test_plain, "snap");

    bdrv_append(snap, c.top, &error_abort);
    g_assert_true(blk_bs(c.blk) == snap);
    g_assert_true(bdrv_cow_bs(snap) == c.top);
    g_assert_true(bdrv_cow_bs(c.top) == c.base);
    g_assert_cmpint(bdrv_get_backing_file_depth(snap), ==, 2);
    bdrv_unref(snap);
    chain_free(&c);
}

static void test_replace_refused(void)
{
    BlockDriverState *a = test_node(&test_plain, "a");
    BlockDriverState *b = bdrv_new_open_driver(&test_plain, "b", 0,
                                               &error_abort);
    BlockBackend *blk[3];
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    Error *err = NULL;
    int i;

    for (i = 0; i < 3; i++) {
        blk[i] = blk_new(i == 1 ? BLK_PERM_WRITE : 0, BLK_PERM_ALL);
        blk_insert_bs(blk[i], a, &error_abort);
    }
    before = test_graph_text();
    g_assert_cmpint(bdrv_replace_node(a, b, &err), ==, -EPERM);
    test_expect_error(&err, "Block node is read-only");
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    for (i = 0; i < 3; i++) {
        g_assert_true(blk_bs(blk[i]) == a);
        blk_unref(blk[i]);
    }
    bdrv_unref(a);
    bdrv_unref(b);
    test_expect_no_nodes();
}

/* perm.c 1, 3: the driver refuses after others have agreed */
static void test_driver_refuses(void)
{
    Chain c = chain_new();
    BlockDriverState *other = test_node(&test_plain, "other");
    g_autofree char *before = test_graph_text();
    g_autofree char *after = NULL;
    Error *err = NULL;

    test_refuse_perm_of = "other";
    memset(&test_hooks, 0, sizeof(test_hooks));
    g_assert_cmpint(bdrv_set_backing_hd_check(c.top, other, &err), ==, -EPERM);
    test_expect_error(&err, "refused by 'other'");
    test_refuse_perm_of = NULL;
    /* all that agreed, and only they, were told that nothing comes of it */
    g_assert_cmpint(test_hooks.abort_perm, ==, test_hooks.check_perm - 1);
    g_assert_cmpint(test_hooks.set_perm, ==, 0);
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    bdrv_unref(other);
    chain_free(&c);
}

/* Each node of a diamond is looked at once, after all of its parents. */
static void test_diamond_once(void)
{
    BlockDriverState *top = test_node(&test_plain, "top");
    BlockDriverState *l = test_node(&test_plain, "l");
    BlockDriverState *r = test_node(&test_plain, "r");
    BlockDriverState *bottom = test_node(&test_plain, "bottom");
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);

    bdrv_set_backing_hd(l, bottom, &error_abort);
    bdrv_set_backing_hd(r, bottom, &error_abort);
    bdrv_set_backing_hd(top, l, &error_abort);
    bdrv_ref(r);
    bdrv_attach_child(top, r, "second", &child_backing, &error_abort);
    blk_insert_bs(blk, top, &error_abort);

    memset(&test_hooks, 0, sizeof(test_hooks));
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, &error_abort);
    g_assert_cmpint(test_hooks.check_perm, ==, 4);
    g_assert_cmpint(test_hooks.set_perm, ==, 4);
    g_assert_cmphex(bottom->cumulative_perm, ==, BLK_PERM_CONSISTENT_READ);

    /* nothing changes: nothing but the node itself is asked */
    memset(&test_hooks, 0, sizeof(test_hooks));
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, &error_abort);
    g_assert_cmpint(test_hooks.check_perm, ==, 1);

    blk_unref(blk);
    bdrv_unref(top);
    bdrv_unref(l);
    bdrv_unref(r);
    bdrv_unref(bottom);
    test_expect_no_nodes();
}

/* Conflicts that are none any more after all parents were visited. */
static void test_exchange_in_one_pass(void)
{
    BlockDriverState *base = test_node(&test_plain, "base");
    BlockDriverState *fl1 = test_node(&test_filter, "fl1");
    BlockDriverState *fl2 = test_node(&test_filter, "fl2");
    Transaction *tran;
    g_autoptr(GSList) list = NULL;
    BlockBackend *blk;

    bdrv_set_file_or_backing_check(fl1, base, false, &error_abort);
    bdrv_set_file_or_backing_check(fl2, base, false, &error_abort);
    /* a writer that does not share, above fl1 */
    blk = blk_new(BLK_PERM_WRITE, BLK_PERM_CONSISTENT_READ);
    blk_insert_bs(blk, fl1, &error_abort);

    tran = tran_new();
    bdrv_replace_child_tran(blk_root(blk), fl2, tran);
    list = g_slist_prepend(list, fl1);
    list = g_slist_prepend(list, fl2);
    g_assert_cmpint(bdrv_list_refresh_perms(list, NULL, tran, &error_abort),
                    ==, 0);
    tran_commit(tran);
    g_assert_cmphex(fl1->file->perm, ==, 0);
    g_assert_cmphex(fl2->file->perm, ==, BLK_PERM_WRITE);

    blk_unref(blk);
    bdrv_unref(fl1);
    bdrv_unref(fl2);
    bdrv_unref(base);
    test_expect_no_nodes();
}

static void test_filter_insert_and_drop(void)
{
    Chain c = chain_new();
    BlockDriverState *f = test_node(&test_filter, "f");
    g_autofree char *before = test_graph_text();
    g_autofree char *after = NULL;

    bdrv_append(f, c.top, &error_abort);
    g_assert_true(blk_bs(c.blk) == f);
    g_assert_true(bdrv_filter_bs(f) == c.top);
    g_assert_true(bdrv_skip_filters(f) == c.top);
    g_assert_true(bdrv_chain_contains(f, c.base));
    g_assert_null(bdrv_cow_child(f));

    bdrv_drop_filter(f, &error_abort);
    g_assert_true(blk_bs(c.blk) == c.top);
    g_assert_null(f->file);
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    bdrv_unref(f);
    chain_free(&c);
}

static void test_filter_over_backing(void)
{
    Chain c = chain_new();
    BlockDriverState *f = test_node(&test_backing_filter, "f");

    bdrv_append(f, c.top, &error_abort);
    g_assert_true(f->backing && f->backing->bs == c.top);
    g_assert_true(bdrv_filter_bs(f) == c.top);
    g_assert_null(bdrv_cow_bs(f));
    /* a filter is no overlay: nothing is blocked */
    g_assert_true(bdrv_op_blocker_is_empty(c.top));
    bdrv_drop_filter(f, &error_abort);
    bdrv_unref(f);
    chain_free(&c);
}

static void test_parallel_use_of_one_node(void)
{
    BlockDriverState *base = test_node(&test_plain, "base");
    BlockDriverState *a = test_node(&test_exclusive, "a");
    BlockDriverState *b = test_node(&test_exclusive, "b");
    Error *err = NULL;

    bdrv_ref(base);
    bdrv_attach_child(a, base, "x", &child_file, &error_abort);
    bdrv_ref(base);
    g_assert_null(bdrv_attach_child(b, base, "y", &child_file, &err));
    test_expect_error(&err, "Permission conflict on node 'base': permissions "
                      "'write' are both required by node 'a' (uses node "
                      "'base' as 'x' child) and unshared by node 'b' (uses "
                      "node 'base' as 'y' child).");
    g_assert_cmpint(base->refcnt, ==, 2);
    bdrv_unref(a);
    bdrv_unref(b);
    bdrv_unref(base);
    test_expect_no_nodes();
}

/* graph.c 2: an edge to a drained node drains its new parent */
static void test_drain_follows_edges(void)
{
    BlockDriverState *a = test_node(&test_plain, "a");
    BlockDriverState *b = test_node(&test_plain, "b");
    BlockDriverState *base = test_node(&test_plain, "base");
    int i;

    for (i = 0; i < 3; i++) {
        bdrv_subtree_drained_begin(b);
    }
    bdrv_set_backing_hd(a, base, &error_abort);
    for (i = 0; i < 2; i++) {
        bdrv_subtree_drained_begin(a);
    }
    g_assert_cmpint(a->quiesce_counter, ==, 2);
    g_assert_cmpint(b->quiesce_counter, ==, 3);
    g_assert_cmpint(base->quiesce_counter, ==, 2);

    bdrv_set_backing_hd(b, base, &error_abort);
    g_assert_cmpint(a->quiesce_counter, ==, 5);
    g_assert_cmpint(b->quiesce_counter, ==, 5);
    g_assert_cmpint(base->quiesce_counter, ==, 5);

    bdrv_set_backing_hd(b, NULL, &error_abort);
    g_assert_cmpint(a->quiesce_counter, ==, 2);
    g_assert_cmpint(b->quiesce_counter, ==, 3);
    g_assert_cmpint(base->quiesce_counter, ==, 2);

    for (i = 0; i < 2; i++) {
        bdrv_subtree_drained_end(a);
    }
    for (i = 0; i < 3; i++) {
        bdrv_subtree_drained_end(b);
    }
    bdrv_unref(a);
    bdrv_unref(b);
    bdrv_unref(base);
    test_expect_no_nodes();
}

static void test_abort_keeps_drain(void)
{
    Chain c = chain_new();
    BlockDriverState *other = test_node(&test_plain, "other");
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    bdrv_drained_begin(c.base);
    bdrv_drained_begin(other);
    before = test_graph_text();
    test_refuse_perm_of = "other";
    g_assert_cmpint(bdrv_set_backing_hd_check(c.top, other, NULL), ==, -EPERM);
    test_refuse_perm_of = NULL;
    after = test_graph_text();
    g_assert_cmpstr(before, ==, after);
    bdrv_drained_end(other);
    bdrv_drained_end(c.base);
    g_assert_cmpint(c.top->quiesce_counter, ==, 0);
    bdrv_unref(other);
    chain_free(&c);
}

/* ---- Random changes ---- */

#define RANDOM_NODES 8
#define RANDOM_USERS 3

typedef struct RandomGraph {
    BlockDriverState *bs[RANDOM_NODES];
    BlockBackend *blk[RANDOM_USERS];
} RandomGraph;

/* One change of any kind; 0 or -errno. */
static int random_change(RandomGraph *g)
{
    static const uint64_t shared[] = {
        BLK_PERM_ALL, BLK_PERM_ALL & ~(uint64_t)BLK_PERM_WRITE,
        BLK_PERM_CONSISTENT_READ,
    };
    BlockDriverState *a = g->bs[g_test_rand_int_range(0, RANDOM_NODES)];
    BlockDriverState *b = g->bs[g_test_rand_int_range(0, RANDOM_NODES)];
    BlockBackend *blk = g->blk[g_test_rand_int_range(0, RANDOM_USERS)];

    switch (g_test_rand_int_range(0, 6)) {
    case 0:
        return bdrv_set_file_or_backing_check(a, b, false, NULL);
    case 1:
        return bdrv_set_backing_hd_check(a, b, NULL);
    case 2:
        return a == b ? 0 : bdrv_replace_node(a, b, NULL);
    case 3:
        return a->backing || a == b ? 0 : bdrv_append(a, b, NULL);
    case 4:
        return bdrv_set_backing_hd_check(a, NULL, NULL);
    default:
        if (!blk_root(blk)) {
            return blk_insert_bs(blk, a, NULL);
        }
        return blk_set_perm(blk, g_test_rand_int_range(0, BLK_PERM_ALL + 1),
                            shared[g_test_rand_int_range(0, 3)], NULL);
    }
}

/* Whatever is tried: it works, or the graph is as it was. */
static void test_random_changes(void)
{
    static const char *const names[RANDOM_NODES] = {
        "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7",
    };
    RandomGraph g;
    int refused = 0;
    int i;

    for (i = 0; i < RANDOM_NODES; i++) {
        g.bs[i] = bdrv_new_open_driver(&test_plain, names[i],
                                       i ? BDRV_O_RDWR : 0, &error_abort);
    }
    for (i = 0; i < RANDOM_USERS; i++) {
        g.blk[i] = blk_new(0, BLK_PERM_ALL);
    }
    for (i = 0; i < 3000; i++) {
        g_autofree char *before = test_graph_text();

        test_refuse_perm_of = g_test_rand_int_range(0, 4) ? NULL : "n3";
        if (random_change(&g) < 0) {
            g_autofree char *after = test_graph_text();

            g_assert_cmpstr(before, ==, after);
            refused++;
        }
        test_refuse_perm_of = NULL;
        bdrv_assert_graph();
    }
    g_assert_cmpint(refused, >, 100);
    g_assert_cmpint(refused, <, 2900);

    for (i = 0; i < RANDOM_USERS; i++) {
        blk_unref(g.blk[i]);
    }
    for (i = 0; i < RANDOM_NODES; i++) {
        bdrv_unref(g.bs[i]);
    }
    test_expect_no_nodes();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bdrv_init();
    qemu_init_main_loop(&error_abort);

    g_test_add_func("/graph-mod/set-backing", test_set_backing);
    g_test_add_func("/graph-mod/backing-blocker", test_backing_blocker_text);
    g_test_add_func("/graph-mod/cycle", test_cycle_refused);
    g_test_add_func("/graph-mod/frozen", test_frozen_link);
    g_test_add_func("/graph-mod/never-freeze", test_never_freeze);
    g_test_add_func("/graph-mod/append-conflict", test_append_conflict);
    g_test_add_func("/graph-mod/append", test_append_moves_parents);
    g_test_add_func("/graph-mod/replace-refused", test_replace_refused);
    g_test_add_func("/graph-mod/driver-refuses", test_driver_refuses);
    g_test_add_func("/graph-mod/diamond", test_diamond_once);
    g_test_add_func("/graph-mod/exchange", test_exchange_in_one_pass);
    g_test_add_func("/graph-mod/filter", test_filter_insert_and_drop);
    g_test_add_func("/graph-mod/backing-filter", test_filter_over_backing);
    g_test_add_func("/graph-mod/exclusive", test_parallel_use_of_one_node);
    g_test_add_func("/graph-mod/drain", test_drain_follows_edges);
    g_test_add_func("/graph-mod/drain-abort", test_abort_keeps_drain);
    g_test_add_func("/graph-mod/random", test_random_changes);
    return g_test_run();
}
