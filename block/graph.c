/*
 * SPDX-License-Identifier: MIT
 *
 * The only code that creates, moves and removes edges of the block graph.
 *
 * Every change is an entry of a Transaction: it takes effect at once, and abort
 * takes the entries back in reverse order, so that edges are where they were,
 * also in the lists, whose order users see.  Objects that an entry has put
 * aside live until the transaction is over.
 *
 * Invariants (besides those of block_int.h)
 *   1. An edge owns one reference on its node.
 *   2. edge_link() is the only place that assigns BdrvChild.bs.  The parent
 *      has been told drained_begin once for each section that reaches it
 *      through the edge (quiesced_parent) before it can see the new node.
 *   3. A frozen edge is neither moved nor removed.
 *   4. Permissions are not looked at here: whoever ends a change calls
 *      bdrv_list_refresh_perms() in the same transaction.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"

/* ---- Places in lists ---- */

static void insert_child_before(BlockDriverState *parent, BdrvChild *c,
                                BdrvChild *follower)
{
    BdrvChild *i, *last = NULL;

    QLIST_FOREACH(i, &parent->children, next) {
        if (i == follower) {
            QLIST_INSERT_BEFORE(follower, c, next);
            return;
        }
        last = i;
    }
    if (last && !follower) {
        QLIST_INSERT_AFTER(last, c, next);
    } else {
        QLIST_INSERT_HEAD(&parent->children, c, next);
    }
}

static void insert_parent_before(BlockDriverState *bs, BdrvChild *c,
                                 BdrvChild *follower)
{
    BdrvChild *i, *last = NULL;

    QLIST_FOREACH(i, &bs->parents, next_parent) {
        if (i == follower) {
            QLIST_INSERT_BEFORE(follower, c, next_parent);
            return;
        }
        last = i;
    }
    if (last && !follower) {
        QLIST_INSERT_AFTER(last, c, next_parent);
    } else {
        QLIST_INSERT_HEAD(&bs->parents, c, next_parent);
    }
}

/* ---- Edges ---- */

static BdrvChild *edge_new(const char *name, const BdrvChildRole *role,
                           void *opaque)
{
    BdrvChild *c = g_new0(BdrvChild, 1);

    c->name = g_strdup(name);
    c->role = role;
    c->opaque = opaque;
    c->shared_perm = BLK_PERM_ALL;
    return c;
}

static void edge_free(BdrvChild *c)
{
    assert(!c->bs && !c->quiesced_parent);
    g_free(c->name);
    g_free(c);
}

/* How many sections of @bs reach the parent through the edge.  Drain-all tells
 * nodes by itself. */
static int edge_sections(const BdrvChild *c, const BlockDriverState *bs)
{
    if (!bs) {
        return 0;
    }
    return bs->quiesce_counter +
           (c->role->parent_is_bds ? 0 : bs->quiesce_all_counter);
}

/* Let the edge lead to @bs, which may be NULL; references are not touched. */
static void edge_link(BdrvChild *c, BlockDriverState *bs)
{
    int sections;

    assert(!c->frozen);
    if (c->bs == bs) {
        return;
    }
    if (c->bs && c->role->detach) {
        c->role->detach(c);
    }
    sections = edge_sections(c, bs);
    while (c->quiesced_parent < sections) {
        bdrv_parent_drained_begin_single(c, false);
    }

    if (c->bs) {
        QLIST_REMOVE(c, next_parent);
    }
    c->bs = bs;
    if (bs) {
        QLIST_INSERT_HEAD(&bs->parents, c, next_parent);
        if (c->role->attach) {
            c->role->attach(c);
        }
    }

    /* Only now may the parent go on. */
    while (c->quiesced_parent > sections) {
        bdrv_parent_drained_end_single(c);
    }
}

static BdrvChild **edge_slot(BlockDriverState *parent, const BdrvChild *c)
{
    if (parent->file == c) {
        return &parent->file;
    }
    return parent->backing == c ? &parent->backing : NULL;
}

/* Take the edge out of its parent. */
static void edge_leave_parent(BdrvChild *c)
{
    BlockDriverState *parent = bdrv_child_parent_bs(c);

    if (parent) {
        BdrvChild **slot = edge_slot(parent, c);

        if (slot) {
            *slot = NULL;
        }
        QLIST_REMOVE(c, next);
    }
}

/* ---- Entries of transactions ---- */

/* A pointer of a node */
typedef struct PointerEntry {
    void **field;
    void *old;
} PointerEntry;

static void pointer_abort(void *opaque)
{
    PointerEntry *e = opaque;

    *e->field = e->old;
}

static const TransactionActionDrv pointer_drv = {
    .abort = pointer_abort,
    .clean = g_free,
};

void bdrv_tran_set_pointer(void **field, void *value, Transaction *tran)
{
    PointerEntry *e = g_new0(PointerEntry, 1);

    e->field = field;
    e->old = *field;
    *field = value;
    tran_add(tran, &pointer_drv, e);
}

/* A new edge */
static void attach_abort(void *opaque)
{
    BdrvChild *c = opaque;
    BlockDriverState *bs = c->bs;

    edge_link(c, NULL);
    edge_leave_parent(c);
    edge_free(c);
    bdrv_unref(bs);
}

static const TransactionActionDrv attach_drv = {
    .abort = attach_abort,
};

/* Takes over the caller's reference on @bs. */
static BdrvChild *edge_attach(BlockDriverState *bs, const char *name,
                              const BdrvChildRole *role, void *opaque,
                              Transaction *tran)
{
    BdrvChild *c = edge_new(name, role, opaque);

    assert(role->get_parent_desc);
    if (role->parent_is_bds) {
        BlockDriverState *parent = opaque;

        QLIST_INSERT_HEAD(&parent->children, c, next);
    }
    edge_link(c, bs);
    tran_add(tran, &attach_drv, c);
    return c;
}

/* An edge that leads elsewhere */
typedef struct MoveEntry {
    BdrvChild *c;
    BlockDriverState *old_bs;   /* with the reference that the edge had */
    BdrvChild *follower;        /* in old_bs->parents */
} MoveEntry;

static void move_abort(void *opaque)
{
    MoveEntry *e = opaque;
    BlockDriverState *new_bs = e->c->bs;

    edge_link(e->c, e->old_bs);
    QLIST_REMOVE(e->c, next_parent);
    insert_parent_before(e->old_bs, e->c, e->follower);
    e->old_bs = NULL;
    bdrv_unref(new_bs);
}

static void move_clean(void *opaque)
{
    MoveEntry *e = opaque;

    bdrv_unref(e->old_bs);
    g_free(e);
}

static const TransactionActionDrv move_drv = {
    .abort = move_abort,
    .clean = move_clean,
};

void bdrv_replace_child_tran(BdrvChild *child, BlockDriverState *new_bs,
                             Transaction *tran)
{
    MoveEntry *e = g_new0(MoveEntry, 1);

    e->c = child;
    e->old_bs = child->bs;
    e->follower = QLIST_NEXT(child, next_parent);
    bdrv_ref(new_bs);
    edge_link(child, new_bs);
    tran_add(tran, &move_drv, e);
}

/* An edge that is gone */
typedef struct RemoveEntry {
    BdrvChild *c;
    BlockDriverState *bs;       /* with the reference that the edge had */
    BdrvChild **slot;           /* of the parent, or NULL */
    BdrvChild *next_child;      /* followers in the two lists */
    BdrvChild *next_parent;
    BlockDriverState *heir_of;  /* bs->inherits_from, if that was the parent */
} RemoveEntry;

static void remove_abort(void *opaque)
{
    RemoveEntry *e = opaque;
    BdrvChild *c = e->c;
    BlockDriverState *parent = bdrv_child_parent_bs(c);

    if (parent) {
        insert_child_before(parent, c, e->next_child);
        if (e->slot) {
            *e->slot = c;
        }
    }
    if (e->heir_of) {
        e->bs->inherits_from = e->heir_of;
    }
    edge_link(c, e->bs);
    QLIST_REMOVE(c, next_parent);
    insert_parent_before(e->bs, c, e->next_parent);
    e->c = NULL;
    e->bs = NULL;
}

static void remove_clean(void *opaque)
{
    RemoveEntry *e = opaque;

    if (e->c) {
        edge_free(e->c);
    }
    bdrv_unref(e->bs);
    g_free(e);
}

static const TransactionActionDrv remove_drv = {
    .abort = remove_abort,
    .clean = remove_clean,
};

/* A child that leaves its parent inherits options no more, unless it is the
 * parent's child in another way as well. */
static bool stops_inheriting(const BdrvChild *c)
{
    BlockDriverState *parent = bdrv_child_parent_bs(c);
    BdrvChild *other;

    if (!parent || c->bs->inherits_from != parent) {
        return false;
    }
    QLIST_FOREACH(other, &parent->children, next) {
        if (other != c && other->bs == c->bs) {
            return false;
        }
    }
    return true;
}

void bdrv_remove_child_tran(BdrvChild *child, Transaction *tran)
{
    BlockDriverState *parent = bdrv_child_parent_bs(child);
    RemoveEntry *e = g_new0(RemoveEntry, 1);

    e->c = child;
    e->bs = child->bs;
    e->next_parent = QLIST_NEXT(child, next_parent);
    if (parent) {
        e->next_child = QLIST_NEXT(child, next);
        e->slot = edge_slot(parent, child);
        if (stops_inheriting(child)) {
            e->heir_of = parent;
            child->bs->inherits_from = NULL;
        }
    }
    edge_link(child, NULL);
    edge_leave_parent(child);
    tran_add(tran, &remove_drv, e);
}

/* ---- Users outside the graph ---- */

BdrvChild *bdrv_root_attach_child(BlockDriverState *child_bs,
                                  const char *child_name,
                                  const BdrvChildRole *child_role,
                                  uint64_t perm, uint64_t shared_perm,
                                  void *opaque, Error **errp)
{
    Transaction *tran = tran_new();
    BdrvChild *c;
    int ret;

    bdrv_assert_graph();
    c = edge_attach(child_bs, child_name, child_role, opaque, tran);
    bdrv_child_set_perm_tran(c, perm, shared_perm, tran);
    ret = bdrv_refresh_perms(child_bs, tran, errp);
    tran_finalize(tran, ret);
    bdrv_assert_graph();
    return ret < 0 ? NULL : c;
}

void bdrv_root_unref_child(BdrvChild *child)
{
    BlockDriverState *bs = child->bs;

    edge_link(child, NULL);
    edge_leave_parent(child);
    edge_free(child);
    bdrv_refresh_perms_loosened(bs);
    bdrv_unref(bs);
    bdrv_assert_graph();
}

/* ---- Children of nodes ---- */

GHashTable *bdrv_collect_subtree(BlockDriverState *bs)
{
    GHashTable *seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) todo = g_ptr_array_new();

    g_hash_table_add(seen, bs);
    g_ptr_array_add(todo, bs);
    while (todo->len) {
        BlockDriverState *n = g_ptr_array_remove_index_fast(todo,
                                                            todo->len - 1);
        BdrvChild *c;

        QLIST_FOREACH(c, &n->children, next) {
            if (g_hash_table_add(seen, c->bs)) {
                g_ptr_array_add(todo, c->bs);
            }
        }
    }
    return seen;
}

bool bdrv_is_below(BlockDriverState *top, BlockDriverState *bs)
{
    g_autoptr(GHashTable) subtree = NULL;

    if (top == bs) {
        return true;
    }
    if (QLIST_EMPTY(&top->children) || QLIST_EMPTY(&bs->parents)) {
        return false;
    }
    subtree = bdrv_collect_subtree(top);
    return g_hash_table_contains(subtree, bs);
}

BdrvChild *bdrv_attach_child_tran(BlockDriverState *parent_bs,
                                  BlockDriverState *child_bs,
                                  const char *child_name,
                                  const BdrvChildRole *child_role,
                                  Transaction *tran, Error **errp)
{
    BdrvChild *c;

    if (bdrv_is_below(child_bs, parent_bs)) {
        error_setg(errp, "Making '%s' a %s child of '%s' would create a cycle",
                   child_bs->node_name, child_name, parent_bs->node_name);
        return NULL;
    }
    if (bdrv_join_aio_contexts(parent_bs, child_bs, tran, errp) < 0) {
        return NULL;
    }
    bdrv_ref(child_bs);
    c = edge_attach(child_bs, child_name, child_role, parent_bs, tran);
    return c;
}

BdrvChild *bdrv_attach_child(BlockDriverState *parent_bs,
                             BlockDriverState *child_bs,
                             const char *child_name,
                             const BdrvChildRole *child_role, Error **errp)
{
    Transaction *tran = tran_new();
    BdrvChild *c;
    int ret = -EINVAL;

    bdrv_assert_graph();
    c = bdrv_attach_child_tran(parent_bs, child_bs, child_name, child_role,
                               tran, errp);
    if (c) {
        ret = bdrv_refresh_perms(parent_bs, tran, errp);
    }
    tran_finalize(tran, ret);
    /* The caller's reference is the edge's now. */
    bdrv_unref(child_bs);
    bdrv_assert_graph();
    return ret < 0 ? NULL : c;
}

void bdrv_unref_child(BlockDriverState *parent, BdrvChild *child)
{
    if (!child) {
        return;
    }
    assert(bdrv_child_parent_bs(child) == parent);
    if (stops_inheriting(child)) {
        child->bs->inherits_from = NULL;
    }
    bdrv_root_unref_child(child);
}

GSList *bdrv_detach_all_children(BlockDriverState *bs, GSList *list)
{
    BdrvChild *c;
    GSList *nodes = NULL;

    while ((c = QLIST_FIRST(&bs->children))) {
        BlockDriverState *child_bs = c->bs;

        if (child_bs->inherits_from == bs) {
            child_bs->inherits_from = NULL;
        }
        edge_link(c, NULL);
        edge_leave_parent(c);
        edge_free(c);
        bdrv_refresh_perms_loosened(child_bs);
        nodes = g_slist_prepend(nodes, child_bs);
    }
    return g_slist_concat(nodes, list);
}

/* ---- bs->file and bs->backing ---- */

static bool edge_may_change(BlockDriverState *parent, BdrvChild *c,
                            Error **errp)
{
    if (c && c->frozen) {
        error_setg(errp, "Cannot change frozen '%s' link from '%s' to '%s'",
                   c->name, parent->node_name, c->bs->node_name);
        return false;
    }
    return true;
}

/* Does @bs inherit from @ancestor, directly or through others? */
static bool inherits_from_recursive(BlockDriverState *bs,
                                    BlockDriverState *ancestor)
{
    while (bs && bs != ancestor) {
        bs = bs->inherits_from;
    }
    return bs != NULL;
}

int bdrv_set_file_or_backing_tran(BlockDriverState *parent_bs,
                                  BlockDriverState *child_bs, bool is_backing,
                                  Transaction *tran, Error **errp)
{
    BdrvChild **slot = is_backing ? &parent_bs->backing : &parent_bs->file;
    const BdrvChildRole *role = is_backing ? &child_backing : &child_file;
    g_autofree char *name = NULL;
    BlockDriverState *inherits_from = NULL;
    BdrvChild *c;

    if (!edge_may_change(parent_bs, *slot, errp)) {
        return -EPERM;
    }
    name = g_strdup(is_backing ? "backing" : "file");
    if (*slot) {
        role = (*slot)->role;
        g_free(name);
        name = g_strdup((*slot)->name);
    }
    /* If links between the two vanish, what was inherited over them stays. */
    if (is_backing && child_bs && bdrv_chain_contains(parent_bs, child_bs) &&
        inherits_from_recursive(child_bs, parent_bs)) {
        inherits_from = parent_bs;
    }

    if (*slot) {
        bdrv_remove_child_tran(*slot, tran);
    }
    if (child_bs) {
        c = bdrv_attach_child_tran(parent_bs, child_bs, name, role, tran,
                                   errp);
        if (!c) {
            return -EINVAL;
        }
        bdrv_tran_set_pointer((void **)slot, c, tran);
        if (inherits_from) {
            bdrv_tran_set_pointer((void **)&child_bs->inherits_from,
                                  inherits_from, tran);
        }
    }
    bdrv_refresh_limits(parent_bs, tran, NULL);
    return 0;
}

int bdrv_set_file_or_backing_check(BlockDriverState *bs,
                                   BlockDriverState *child_bs,
                                   bool is_backing, Error **errp)
{
    BdrvChild *old;
    BlockDriverState *old_bs = NULL;
    Transaction *tran = tran_new();
    GSList nodes[2] = { { bs, NULL }, { NULL, NULL } };
    int ret;

    bdrv_assert_graph();
    bdrv_drained_begin(bs);
    old = is_backing ? bs->backing : bs->file;
    if (old) {
        old_bs = old->bs;
        bdrv_ref(old_bs);
        nodes[1].data = old_bs;
        nodes[0].next = &nodes[1];
    }
    ret = bdrv_set_file_or_backing_tran(bs, child_bs, is_backing, tran, errp);
    if (ret == 0) {
        ret = bdrv_list_refresh_perms(nodes, NULL, tran, errp);
    }
    tran_finalize(tran, ret);
    bdrv_drained_end(bs);
    bdrv_unref(old_bs);
    bdrv_assert_graph();
    return ret;
}

int bdrv_set_backing_hd_check(BlockDriverState *bs,
                              BlockDriverState *backing_hd, Error **errp)
{
    return bdrv_set_file_or_backing_check(bs, backing_hd, true, errp);
}

void bdrv_set_backing_hd(BlockDriverState *bs, BlockDriverState *backing_hd,
                         Error **errp)
{
    bdrv_set_backing_hd_check(bs, backing_hd, errp);
}

/* ---- Replacing nodes ---- */

/* @stay: edges that are left alone. */
static int move_users(BlockDriverState *from, BlockDriverState *to,
                      bool auto_skip, GSList *stay, Transaction *tran,
                      Error **errp)
{
    g_autoptr(GHashTable) below_to = bdrv_collect_subtree(to);
    BdrvChild *c, *next;

    QLIST_FOREACH_SAFE(c, &from->parents, next_parent, next) {
        BlockDriverState *parent = bdrv_child_parent_bs(c);
        bool may_move = !c->role->stay_at_node && !g_slist_find(stay, c) &&
                        !(parent && g_hash_table_contains(below_to, parent));

        if (!may_move && auto_skip) {
            continue;
        }
        if (!may_move) {
            error_setg(errp, "Should not change '%s' link to '%s'",
                       c->name, from->node_name);
            return -EINVAL;
        }
        if (c->frozen) {
            error_setg(errp, "Cannot change '%s' link to '%s'",
                       c->name, from->node_name);
            return -EPERM;
        }
        bdrv_replace_child_tran(c, to, tran);
    }
    return 0;
}

int bdrv_replace_node_tran(BlockDriverState *from, BlockDriverState *to,
                           bool auto_skip, Transaction *tran, Error **errp)
{
    return move_users(from, to, auto_skip, NULL, tran, errp);
}

int bdrv_replace_node(BlockDriverState *from, BlockDriverState *to,
                      Error **errp)
{
    GSList nodes[2] = { { from, &nodes[1] }, { to, NULL } };
    Transaction *tran = tran_new();
    int ret;

    assert(bdrv_get_aio_context(from) == bdrv_get_aio_context(to));
    bdrv_assert_graph();
    bdrv_ref(from);
    bdrv_ref(to);
    bdrv_drained_begin(from);
    bdrv_drained_begin(to);
    ret = bdrv_replace_node_tran(from, to, true, tran, errp);
    if (ret == 0) {
        ret = bdrv_list_refresh_perms(nodes, NULL, tran, errp);
    }
    tran_finalize(tran, ret);
    bdrv_drained_end(to);
    bdrv_drained_end(from);
    bdrv_unref(to);
    bdrv_unref(from);
    bdrv_assert_graph();
    return ret;
}

int bdrv_replace_child_bs(BdrvChild *child, BlockDriverState *new_bs,
                          Error **errp)
{
    BlockDriverState *old_bs = child->bs;
    GSList nodes[2] = { { old_bs, &nodes[1] }, { new_bs, NULL } };
    Transaction *tran = tran_new();
    int ret;

    bdrv_assert_graph();
    bdrv_ref(old_bs);
    bdrv_ref(new_bs);
    bdrv_drained_begin(old_bs);
    bdrv_drained_begin(new_bs);
    bdrv_replace_child_tran(child, new_bs, tran);
    ret = bdrv_list_refresh_perms(nodes, NULL, tran, errp);
    tran_finalize(tran, ret);
    bdrv_drained_end(new_bs);
    bdrv_drained_end(old_bs);
    bdrv_unref(new_bs);
    bdrv_unref(old_bs);
    bdrv_assert_graph();
    return ret;
}

int bdrv_append(BlockDriverState *bs_new, BlockDriverState *bs_top,
                Error **errp)
{
    GSList nodes[2] = { { bs_new, &nodes[1] }, { bs_top, NULL } };
    bool as_file = bs_new->drv && bs_new->drv->is_filter &&
                   !bs_new->drv->filtered_child_is_backing;
    Transaction *tran = tran_new();
    int ret;

    assert(as_file ? !bs_new->file : !bs_new->backing);
    bdrv_assert_graph();
    bdrv_ref(bs_top);
    bdrv_drained_begin(bs_top);
    bdrv_drained_begin(bs_new);
    ret = bdrv_set_file_or_backing_tran(bs_new, bs_top, !as_file, tran, errp);
    if (ret == 0) {
        ret = bdrv_replace_node_tran(bs_top, bs_new, true, tran, errp);
    }
    if (ret == 0) {
        ret = bdrv_list_refresh_perms(nodes, NULL, tran, errp);
    }
    tran_finalize(tran, ret);
    bdrv_drained_end(bs_new);
    bdrv_drained_end(bs_top);
    bdrv_unref(bs_top);
    if (ret == 0) {
        bdrv_refresh_limits(bs_new, NULL, NULL);
    }
    bdrv_assert_graph();
    return ret;
}

BlockDriverState *bdrv_insert_node(BlockDriverState *bs, QDict *node_options,
                                   int flags, Error **errp)
{
    g_autofree char *driver = g_strdup(qdict_get_try_str(node_options,
                                                         "driver"));
    g_autofree char *name = g_strdup(qdict_get_try_str(node_options,
                                                       "node-name"));
    BlockDriver *drv = driver ? bdrv_find_format(driver) : NULL;
    BlockDriverState *filter;

    if (!drv) {
        if (driver) {
            error_setg(errp, "Unknown driver '%s'", driver);
        } else {
            error_setg(errp, "driver is not specified");
        }
        qobject_unref(node_options);
        return NULL;
    }
    qdict_del(node_options, "driver");
    qdict_del(node_options, "node-name");
    filter = bdrv_new_open_driver_opts(drv, name, node_options, flags, errp);
    if (!filter) {
        error_prepend(errp, "Could not create node: ");
        return NULL;
    }
    if (bdrv_replace_node(bs, filter, errp) < 0) {
        error_prepend(errp, "Could not replace node: ");
        bdrv_unref(filter);
        return NULL;
    }
    return filter;
}

int bdrv_drop_overlay(BlockDriverState *bs, GSList *stay, Error **errp)
{
    BdrvChild *c = bdrv_filter_or_cow_child(bs);
    BlockDriverState *child_bs = c->bs;
    GSList nodes[2] = { { bs, &nodes[1] }, { child_bs, NULL } };
    Transaction *tran = tran_new();
    int ret = 0;

    bdrv_assert_graph();
    bdrv_ref(bs);
    bdrv_ref(child_bs);
    bdrv_drained_begin(bs);
    bdrv_drained_begin(child_bs);
    if (edge_may_change(bs, c, errp)) {
        bdrv_remove_child_tran(c, tran);
        ret = move_users(bs, child_bs, true, stay, tran, errp);
    } else {
        ret = -EPERM;
    }
    if (ret == 0) {
        ret = bdrv_list_refresh_perms(nodes, NULL, tran, errp);
    }
    tran_finalize(tran, ret);
    bdrv_drained_end(child_bs);
    bdrv_drained_end(bs);
    bdrv_unref(child_bs);
    bdrv_unref(bs);
    bdrv_assert_graph();
    return ret;
}

int bdrv_drop_filter(BlockDriverState *bs, Error **errp)
{
    return bdrv_drop_overlay(bs, NULL, errp);
}
