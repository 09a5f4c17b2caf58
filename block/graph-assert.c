/*
 * SPDX-License-Identifier: MIT
 *
 * bdrv_assert_graph(): checks the invariants of the graph, which stand in
 * block_int.h, in debug builds.  The numbers below are theirs.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"

#ifdef CONFIG_DEBUG_GRAPH
static bool edge_is_in_list_of_parent(BdrvChild *c, BlockDriverState *parent)
{
    BdrvChild *i;

    QLIST_FOREACH(i, &parent->children, next) {
        if (i == c) {
            return true;
        }
    }
    return false;
}

static void assert_edges_above(BlockDriverState *bs)
{
    BdrvChild *c, *other;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        BlockDriverState *parent = bdrv_child_parent_bs(c);

        assert(c->bs == bs);                                        /* 1 */
        if (parent) {
            assert(edge_is_in_list_of_parent(c, parent));           /* 1 */
            assert(parent->aio_context == bs->aio_context);         /* 5 */
        }
        assert(c->quiesced_parent >= 0);                            /* 6 */
        QLIST_FOREACH(other, &bs->parents, next_parent) {
            assert(other == c || !(c->perm & ~other->shared_perm)); /* 3 */
        }
    }
}

static void assert_edges_below(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->children, next) {
        assert(c->role->parent_is_bds && c->opaque == bs);          /* 1 */
        assert(c->bs && c->bs->refcnt > 0);
    }
    assert(!bs->file || edge_is_in_list_of_parent(bs->file, bs));   /* 2 */
    assert(!bs->backing || edge_is_in_list_of_parent(bs->backing, bs));
}

/* Nodes that are being visited are grey (in the table with value 1), those
 * that are done are black (2). */
static void assert_no_cycle(BlockDriverState *bs, GHashTable *colours)
{
    BdrvChild *c;

    g_hash_table_insert(colours, bs, GINT_TO_POINTER(1));
    QLIST_FOREACH(c, &bs->children, next) {
        int colour = GPOINTER_TO_INT(g_hash_table_lookup(colours, c->bs));

        assert(colour != 1);                                        /* 4 */
        if (!colour) {
            assert_no_cycle(c->bs, colours);
        }
    }
    g_hash_table_insert(colours, bs, GINT_TO_POINTER(2));
}

void bdrv_assert_graph(void)
{
    g_autoptr(GHashTable) colours = g_hash_table_new(NULL, NULL);
    BlockDriverState *bs = NULL;

    while ((bs = bdrv_next_all_states(bs))) {
        assert(bs->refcnt > 0);
        assert_edges_above(bs);
        assert_edges_below(bs);
        if (!g_hash_table_lookup(colours, bs)) {
            assert_no_cycle(bs, colours);
        }
    }
}
#endif
