/*
 * SPDX-License-Identifier: MIT
 *
 * Permissions: what every user of a node may do and lets others do.
 *
 * An edge asks for bits (perm) and leaves bits to others (shared_perm).  The
 * users of a node determine what the node in turn needs of its children.  So a
 * change spreads downwards: a "pass" visits the nodes that are affected in
 * topological order, each once, after all of its parents.
 *
 * Invariants
 *   1. Edges change in passes and through bdrv_child_set_perm_tran() only, in
 *      a transaction: abort puts everything back.
 *   2. After a pass that succeeded no user of a visited node needs what
 *      another one does not share, and bs->cumulative_* are the union of what
 *      its users need and the intersection of what they share.
 *   3. A driver sees check_perm before the commit of a pass, then exactly one
 *      of set_perm and abort_perm_update.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

static const struct {
    uint64_t bit;
    const char *name;
} perm_names[] = {
    { BLK_PERM_CONSISTENT_READ, "consistent read" },
    { BLK_PERM_WRITE,           "write" },
    { BLK_PERM_WRITE_UNCHANGED, "write unchanged" },
    { BLK_PERM_RESIZE,          "resize" },
    { BLK_PERM_GRAPH_MOD,       "change children" },
};

char *bdrv_perm_names(uint64_t perm)
{
    GString *s = g_string_new(NULL);
    size_t i;

    for (i = 0; i < ARRAY_SIZE(perm_names); i++) {
        if (perm & perm_names[i].bit) {
            g_string_append_printf(s, "%s%s", s->len ? ", " : "",
                                   perm_names[i].name);
        }
    }
    return g_string_free(s, false);
}

uint64_t bdrv_qapi_perm_to_blk_perm(BlockPermission qapi_perm)
{
    switch (qapi_perm) {
    case BLOCK_PERMISSION_CONSISTENT_READ:
        return BLK_PERM_CONSISTENT_READ;
    case BLOCK_PERMISSION_WRITE:
        return BLK_PERM_WRITE;
    case BLOCK_PERMISSION_WRITE_UNCHANGED:
        return BLK_PERM_WRITE_UNCHANGED;
    case BLOCK_PERMISSION_RESIZE:
        return BLK_PERM_RESIZE;
    default:
        return 0;
    }
}

/* ---- What drivers need of their children ---- */

static bool writable_after(BlockReopenQueue *q, BlockDriverState *bs)
{
    int flags = bdrv_reopen_flags(q, bs);

    return (flags & (BDRV_O_RDWR | BDRV_O_INACTIVE)) == BDRV_O_RDWR;
}

void bdrv_filter_default_perms(BlockDriverState *bs, BdrvChild *c,
                               const BdrvChildRole *role,
                               BlockReopenQueue *reopen_queue,
                               uint64_t perm, uint64_t shared,
                               uint64_t *nperm, uint64_t *nshared)
{
    *nperm = perm & DEFAULT_PERM_PASSTHROUGH;
    *nshared = (shared & DEFAULT_PERM_PASSTHROUGH) | DEFAULT_PERM_UNCHANGED;
}

/* The COW node of an overlay: read only, and what is written to it by others
 * is visible to our users, so that they decide. */
static void backing_perms(uint64_t perm, uint64_t shared,
                          uint64_t *nperm, uint64_t *nshared)
{
    *nperm = perm & BLK_PERM_CONSISTENT_READ;
    *nshared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED |
               BLK_PERM_GRAPH_MOD;
    if (shared & BLK_PERM_WRITE) {
        *nshared |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
    }
}

void bdrv_format_default_perms(BlockDriverState *bs, BdrvChild *c,
                               const BdrvChildRole *role,
                               BlockReopenQueue *reopen_queue,
                               uint64_t perm, uint64_t shared,
                               uint64_t *nperm, uint64_t *nshared)
{
    int flags = bdrv_reopen_flags(reopen_queue, bs);

    if (role == &child_backing) {
        backing_perms(perm, shared, nperm, nshared);
    } else {
        bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
        /* Metadata may be written and the file grow although no guest
         * writes. */
        if (writable_after(reopen_queue, bs)) {
            *nperm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
        }
        if (!(flags & BDRV_O_NO_IO)) {
            *nperm |= BLK_PERM_CONSISTENT_READ;
        }
        /* Nobody else may touch metadata. */
        *nshared &= ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    }
    if (flags & BDRV_O_INACTIVE) {
        /* The image is another process's for now. */
        *nshared |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
    }
}

void bdrv_data_default_perms(BlockDriverState *bs, BdrvChild *c,
                             const BdrvChildRole *role,
                             BlockReopenQueue *reopen_queue,
                             uint64_t perm, uint64_t shared,
                             uint64_t *nperm, uint64_t *nshared)
{
    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    /* Writes at the end make the file grow; others may not cut it. */
    if (*nperm & BLK_PERM_WRITE) {
        *nperm |= BLK_PERM_RESIZE;
    }
    *nshared &= ~(uint64_t)BLK_PERM_RESIZE;
}

void bdrv_default_perms(BlockDriverState *bs, BdrvChild *c,
                        const BdrvChildRole *role,
                        BlockReopenQueue *reopen_queue,
                        uint64_t perm, uint64_t shared,
                        uint64_t *nperm, uint64_t *nshared)
{
    if (bs->drv->is_filter) {
        bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
    } else if (bs->drv->is_format || role == &child_backing) {
        bdrv_format_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
    } else {
        bdrv_data_default_perms(bs, c, role, reopen_queue, perm, shared,
                                nperm, nshared);
    }
}

static void child_needs(BlockDriverState *bs, BdrvChild *c,
                        BlockReopenQueue *q, uint64_t perm, uint64_t shared,
                        uint64_t *nperm, uint64_t *nshared)
{
    if (bs->drv && bs->drv->bdrv_child_perm) {
        bs->drv->bdrv_child_perm(bs, c, c->role, q, perm, shared, nperm,
                                 nshared);
    } else if (bs->drv) {
        bdrv_default_perms(bs, c, c->role, q, perm, shared, nperm, nshared);
    } else {
        *nperm = 0;
        *nshared = BLK_PERM_ALL;
    }
    if (c->bs->force_share) {
        *nshared = BLK_PERM_ALL;
    }
}

/* ---- Users of one node ---- */

void bdrv_get_cumulative_perm(BlockDriverState *bs, uint64_t *perm,
                              uint64_t *shared_perm)
{
    BdrvChild *c;

    *perm = 0;
    *shared_perm = BLK_PERM_ALL;
    QLIST_FOREACH(c, &bs->parents, next_parent) {
        *perm |= c->perm;
        *shared_perm &= c->shared_perm;
    }
}

static bool users_conflict(const BdrvChild *needs, const BdrvChild *shares)
{
    return needs != shares && (needs->perm & ~shares->shared_perm);
}

static void explain_conflict(BlockDriverState *bs, BdrvChild *needs,
                             BdrvChild *shares, Error **errp)
{
    g_autofree char *needs_desc = needs->role->get_parent_desc(needs);
    g_autofree char *shares_desc = shares->role->get_parent_desc(shares);
    g_autofree char *names =
        bdrv_perm_names(needs->perm & ~shares->shared_perm);

    error_setg(errp, "Permission conflict on node '%s': permissions '%s' are "
               "both required by %s (uses node '%s' as '%s' child) and "
               "unshared by %s (uses node '%s' as '%s' child).",
               bs->node_name, names,
               needs_desc, bs->node_name, needs->name,
               shares_desc, bs->node_name, shares->name);
}

/* Is there a pair of users that can't live together?  Linear unless so. */
static bool users_are_compatible(BlockDriverState *bs, Error **errp)
{
    BdrvChild *a, *b;
    uint64_t needed = 0, needed_twice = 0;
    uint64_t unshared = 0, unshared_twice = 0, by_one = 0;

    QLIST_FOREACH(a, &bs->parents, next_parent) {
        uint64_t lacks = BLK_PERM_ALL & ~a->shared_perm;

        needed_twice |= needed & a->perm;
        needed |= a->perm;
        unshared_twice |= unshared & lacks;
        unshared |= lacks;
        by_one |= a->perm & lacks;
    }
    /* A bit that a single user both needs and does not share is its own. */
    if (!(needed & unshared & ~(by_one & ~needed_twice & ~unshared_twice))) {
        return true;
    }

    QLIST_FOREACH(a, &bs->parents, next_parent) {
        QLIST_FOREACH(b, &bs->parents, next_parent) {
            if (users_conflict(b, a)) {
                explain_conflict(bs, b, a, errp);
                return false;
            }
        }
    }
    return true;
}

/* Can the node give its users @perm at all? */
static int node_can_grant(BlockDriverState *bs, BlockReopenQueue *q,
                          uint64_t perm, Error **errp)
{
    if ((perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)) &&
        !writable_after(q, bs)) {
        if (!writable_after(NULL, bs)) {
            error_setg(errp, "Block node is read-only");
        } else {
            error_setg(errp, "Read-only block node '%s' cannot support "
                       "read-write users", bs->node_name);
        }
        return -EPERM;
    }
    /* The last block would be written beyond the end. */
    if ((perm & BLK_PERM_WRITE) && !(perm & BLK_PERM_RESIZE) &&
        !QEMU_IS_ALIGNED(bs->total_sectors * BDRV_SECTOR_SIZE,
                         bs->bl.request_alignment)) {
        error_setg(errp, "Cannot get 'write' permission without 'resize': "
                   "Image size is not a multiple of request alignment");
        return -EPERM;
    }
    return 0;
}

/* ---- A pass ---- */

typedef struct SavedEdge {
    BdrvChild *c;
    uint64_t perm;
    uint64_t shared_perm;
} SavedEdge;

typedef struct SavedNode {
    BlockDriverState *bs;       /* with a reference */
    uint64_t perm;
    uint64_t shared_perm;
    bool checked;               /* the driver's check_perm succeeded */
} SavedNode;

typedef struct PermPass {
    GArray *edges;
    GArray *nodes;
} PermPass;

static PermPass *pass_new(void)
{
    PermPass *p = g_new0(PermPass, 1);

    p->edges = g_array_new(false, false, sizeof(SavedEdge));
    p->nodes = g_array_new(false, false, sizeof(SavedNode));
    return p;
}

static void pass_abort(void *opaque)
{
    PermPass *p = opaque;
    guint i;

    for (i = p->edges->len; i-- > 0; ) {
        SavedEdge *e = &g_array_index(p->edges, SavedEdge, i);

        e->c->perm = e->perm;
        e->c->shared_perm = e->shared_perm;
    }
    for (i = p->nodes->len; i-- > 0; ) {
        SavedNode *n = &g_array_index(p->nodes, SavedNode, i);

        n->bs->cumulative_perm = n->perm;
        n->bs->cumulative_shared = n->shared_perm;
        if (n->checked && n->bs->drv && n->bs->drv->bdrv_abort_perm_update) {
            n->bs->drv->bdrv_abort_perm_update(n->bs);
        }
    }
}

static void pass_commit(void *opaque)
{
    PermPass *p = opaque;
    guint i;

    for (i = 0; i < p->nodes->len; i++) {
        SavedNode *n = &g_array_index(p->nodes, SavedNode, i);

        if (n->checked && n->bs->drv && n->bs->drv->bdrv_set_perm) {
            n->bs->drv->bdrv_set_perm(n->bs, n->bs->cumulative_perm,
                                      n->bs->cumulative_shared);
        }
    }
}

static void pass_clean(void *opaque)
{
    PermPass *p = opaque;
    guint i;

    for (i = 0; i < p->nodes->len; i++) {
        bdrv_unref(g_array_index(p->nodes, SavedNode, i).bs);
    }
    g_array_free(p->edges, true);
    g_array_free(p->nodes, true);
    g_free(p);
}

static const TransactionActionDrv pass_drv = {
    .abort  = pass_abort,
    .commit = pass_commit,
    .clean  = pass_clean,
};

/* False if nothing changes. */
static bool pass_set_edge(PermPass *p, BdrvChild *c, uint64_t perm,
                          uint64_t shared)
{
    SavedEdge saved = { c, c->perm, c->shared_perm };

    if (c->perm == perm && c->shared_perm == shared) {
        return false;
    }
    g_array_append_val(p->edges, saved);
    c->perm = perm;
    c->shared_perm = shared;
    return true;
}

/* One node; children whose edges change are added to @affected. */
static int pass_visit(PermPass *p, BlockDriverState *bs, BlockReopenQueue *q,
                      GHashTable *affected, Error **errp)
{
    SavedNode saved = { bs, bs->cumulative_perm, bs->cumulative_shared };
    uint64_t perm, shared;
    BdrvChild *c;
    int ret;

    if (!users_are_compatible(bs, errp)) {
        return -EPERM;
    }
    bdrv_get_cumulative_perm(bs, &perm, &shared);
    ret = node_can_grant(bs, q, perm, errp);
    if (ret < 0) {
        return ret;
    }
    if (bs->drv && bs->drv->bdrv_check_perm) {
        ret = bs->drv->bdrv_check_perm(bs, perm, shared, errp);
        if (ret < 0) {
            return ret;
        }
    }
    saved.checked = true;
    bdrv_ref(bs);
    g_array_append_val(p->nodes, saved);
    bs->cumulative_perm = perm;
    bs->cumulative_shared = shared;

    QLIST_FOREACH(c, &bs->children, next) {
        uint64_t nperm, nshared;

        child_needs(bs, c, q, perm, shared, &nperm, &nshared);
        if (pass_set_edge(p, c, nperm, nshared)) {
            g_hash_table_add(affected, c->bs);
        }
    }
    return 0;
}

/* A node on the way down, and the next edge to follow. */
typedef struct WalkStep {
    BlockDriverState *bs;
    BdrvChild *next;
} WalkStep;

/* The nodes of @roots and below, every node after all of its parents among
 * them. */
static GSList *topological_order(GSList *roots)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GArray) path = g_array_new(false, false, sizeof(WalkStep));
    GSList *order = NULL;

    for (; roots; roots = roots->next) {
        BlockDriverState *bs = roots->data;

        if (!g_hash_table_add(seen, bs)) {
            continue;
        }
        g_array_append_vals(path,
                            &(WalkStep) { bs, QLIST_FIRST(&bs->children) }, 1);
        while (path->len) {
            WalkStep *top = &g_array_index(path, WalkStep, path->len - 1);
            BdrvChild *c = top->next;

            if (!c) {
                order = g_slist_prepend(order, top->bs);
                g_array_set_size(path, path->len - 1);
                continue;
            }
            top->next = QLIST_NEXT(c, next);
            if (g_hash_table_add(seen, c->bs)) {
                WalkStep step = { c->bs, QLIST_FIRST(&c->bs->children) };

                g_array_append_val(path, step);
            }
        }
    }
    return order;
}

int bdrv_list_refresh_perms(GSList *list, BlockReopenQueue *q,
                            Transaction *tran, Error **errp)
{
    g_autoptr(GHashTable) affected = g_hash_table_new(NULL, NULL);
    g_autoptr(GSList) order = topological_order(list);
    PermPass *pass = pass_new();
    GSList *l;

    tran_add(tran, &pass_drv, pass);
    for (l = list; l; l = l->next) {
        g_hash_table_add(affected, l->data);
    }
    for (l = order; l; l = l->next) {
        int ret;

        if (!g_hash_table_contains(affected, l->data)) {
            continue;
        }
        ret = pass_visit(pass, l->data, q, affected, errp);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int bdrv_refresh_perms(BlockDriverState *bs, Transaction *tran, Error **errp)
{
    GSList list = { .data = bs };
    Transaction *own = tran ? NULL : tran_new();
    int ret;

    ret = bdrv_list_refresh_perms(&list, NULL, tran ? tran : own, errp);
    if (own) {
        tran_finalize(own, ret);
    }
    return ret;
}

void bdrv_refresh_perms_loosened(BlockDriverState *bs)
{
    Error *local_err = NULL;

    /* A driver can fail all the same: it keeps the stricter permissions. */
    if (bdrv_refresh_perms(bs, NULL, &local_err) < 0) {
        error_free(local_err);
    }
}

/* ---- Users ---- */

void bdrv_child_set_perm_tran(BdrvChild *c, uint64_t perm, uint64_t shared,
                              Transaction *tran)
{
    PermPass *pass = pass_new();

    pass_set_edge(pass, c, perm, shared);
    tran_add(tran, &pass_drv, pass);
}

int bdrv_child_try_set_perm(BdrvChild *c, uint64_t perm, uint64_t shared,
                            Error **errp)
{
    bool tightens = (perm & ~c->perm) || (c->shared_perm & ~shared);
    Transaction *tran = tran_new();
    Error *local_err = NULL;
    int ret;

    bdrv_child_set_perm_tran(c, perm, shared, tran);
    ret = bdrv_refresh_perms(c->bs, tran, &local_err);
    tran_finalize(tran, ret);
    if (ret < 0) {
        if (tightens) {
            error_propagate(errp, local_err);
            return ret;
        }
        /* Giving something back can't fail for the user; what could not be
         * given back below stays reserved. */
        error_free(local_err);
        c->perm = perm;
        c->shared_perm = shared;
    }
    return 0;
}

int bdrv_child_refresh_perms(BlockDriverState *bs, BdrvChild *c, Error **errp)
{
    uint64_t perm, shared;

    bdrv_get_cumulative_perm(bs, &perm, &shared);
    child_needs(bs, c, NULL, perm, shared, &perm, &shared);
    return bdrv_child_try_set_perm(c, perm, shared, errp);
}
