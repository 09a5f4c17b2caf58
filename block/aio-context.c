/*
 * SPDX-License-Identifier: MIT
 *
 * Event loops of nodes.
 *
 * All nodes that are connected run in one AioContext, so a node moves together
 * with all that can be reached from it over edges in either direction.  Users
 * outside the graph are asked first; nothing has changed when one refuses.
 *
 * Order of a move, with everything drained: detach hooks (users, notifiers,
 * drivers; parents before children), the new context is set, attach hooks in
 * reverse order.  Main thread.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

AioContext *bdrv_get_aio_context(BlockDriverState *bs)
{
    return bs->aio_context;
}

AioContext *bdrv_child_get_parent_aio_context(BdrvChild *c)
{
    return c->role->get_parent_aio_context
        ? c->role->get_parent_aio_context(c) : bdrv_get_aio_context(c->bs);
}

void bdrv_coroutine_enter(BlockDriverState *bs, Coroutine *co)
{
    aio_co_enter(bdrv_get_aio_context(bs), co);
}

/* ---- Notifiers ---- */

void bdrv_add_aio_context_notifier(BlockDriverState *bs,
        void (*attached_aio_context)(AioContext *new_context, void *opaque),
        void (*detach_aio_context)(void *opaque), void *opaque)
{
    BdrvAioNotifier *n = g_new0(BdrvAioNotifier, 1);

    n->attached_aio_context = attached_aio_context;
    n->detach_aio_context = detach_aio_context;
    n->opaque = opaque;
    QLIST_INSERT_HEAD(&bs->aio_notifiers, n, list);
}

void bdrv_remove_aio_context_notifier(BlockDriverState *bs,
        void (*attached_aio_context)(AioContext *, void *),
        void (*detach_aio_context)(void *), void *opaque)
{
    BdrvAioNotifier *n;

    QLIST_FOREACH(n, &bs->aio_notifiers, list) {
        if (n->attached_aio_context == attached_aio_context &&
            n->detach_aio_context == detach_aio_context &&
            n->opaque == opaque) {
            QLIST_REMOVE(n, list);
            g_free(n);
            return;
        }
    }
    abort();
}

/* ---- What moves ---- */

typedef struct Component {
    GPtrArray *nodes;           /* BlockDriverState, with references */
    GPtrArray *users;           /* BdrvChild of parents outside the graph */
} Component;

static void component_add(Component *m, GHashTable *seen, BlockDriverState *bs)
{
    if (g_hash_table_add(seen, bs)) {
        bdrv_ref(bs);
        g_ptr_array_add(m->nodes, bs);
    }
}

static void component_collect(Component *m, BlockDriverState *bs,
                              BdrvChild *ignore)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    guint i;

    m->nodes = g_ptr_array_new();
    m->users = g_ptr_array_new();
    component_add(m, seen, bs);
    for (i = 0; i < m->nodes->len; i++) {
        BlockDriverState *n = g_ptr_array_index(m->nodes, i);
        BdrvChild *c;

        QLIST_FOREACH(c, &n->parents, next_parent) {
            if (c == ignore) {
                continue;
            }
            if (c->role->parent_is_bds) {
                component_add(m, seen, c->opaque);
            } else {
                g_ptr_array_add(m->users, c);
            }
        }
        QLIST_FOREACH(c, &n->children, next) {
            if (c != ignore) {
                component_add(m, seen, c->bs);
            }
        }
    }
}

static void component_release(Component *m)
{
    guint i;

    for (i = 0; i < m->nodes->len; i++) {
        bdrv_unref(g_ptr_array_index(m->nodes, i));
    }
    g_ptr_array_free(m->nodes, true);
    g_ptr_array_free(m->users, true);
}

/* Would @c's parent and one of its nodes be parted? */
static bool parts_user(const Component *m, BdrvChild *c, AioContext *ctx)
{
    BlockDriverState *bs = c->role->moves_with ? c->role->moves_with(c) : NULL;

    return bs && bdrv_get_aio_context(bs) != ctx &&
           !g_ptr_array_find(m->nodes, bs, NULL);
}

static bool users_agree(Component *m, AioContext *ctx, Error **errp)
{
    guint i;

    for (i = 0; i < m->users->len; i++) {
        BdrvChild *c = g_ptr_array_index(m->users, i);

        if (!c->role->can_set_aio_ctx) {
            g_autofree char *user = c->role->get_parent_desc(c);

            error_setg(errp, "Changing iothreads is not supported by %s",
                       user);
            return false;
        }
        if (!c->role->can_set_aio_ctx(c, ctx, errp)) {
            return false;
        }
        if (parts_user(m, c, ctx)) {
            error_setg(errp, "Cannot change iothread of active block backend");
            return false;
        }
    }
    return true;
}

/* ---- The move ---- */

void bdrv_aio_context_hold_external(BlockDriverState *bs, AioContext *ctx,
                                    bool hold)
{
    int holds = (bs->quiesce_counter > 0) + (bs->quiesce_all_counter > 0);

    while (holds--) {
        if (hold) {
            aio_disable_external(ctx);
        } else {
            aio_enable_external(ctx);
        }
    }
}

static void node_detach_context(BlockDriverState *bs)
{
    BdrvAioNotifier *n, *next;

    QLIST_FOREACH_SAFE(n, &bs->aio_notifiers, list, next) {
        n->detach_aio_context(n->opaque);
    }
    if (bs->drv && bs->drv->bdrv_detach_aio_context) {
        bs->drv->bdrv_detach_aio_context(bs);
    }
    bdrv_aio_context_hold_external(bs, bs->aio_context, false);
}

static void node_attach_context(BlockDriverState *bs, AioContext *ctx)
{
    BdrvAioNotifier *n, *next;

    bdrv_aio_context_hold_external(bs, ctx, true);
    if (bs->drv && bs->drv->bdrv_attach_aio_context) {
        bs->drv->bdrv_attach_aio_context(bs, ctx);
    }
    QLIST_FOREACH_SAFE(n, &bs->aio_notifiers, list, next) {
        n->attached_aio_context(ctx, n->opaque);
    }
}

static void component_move(Component *m, AioContext *ctx)
{
    guint i;

    for (i = 0; i < m->users->len; i++) {
        BdrvChild *c = g_ptr_array_index(m->users, i);

        if (c->role->detach_aio_ctx) {
            c->role->detach_aio_ctx(c);
        }
    }
    for (i = 0; i < m->nodes->len; i++) {
        node_detach_context(g_ptr_array_index(m->nodes, i));
    }
    for (i = 0; i < m->nodes->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(m->nodes, i);

        bs->aio_context = ctx;
    }
    for (i = m->nodes->len; i-- > 0; ) {
        node_attach_context(g_ptr_array_index(m->nodes, i), ctx);
    }
    for (i = m->users->len; i-- > 0; ) {
        BdrvChild *c = g_ptr_array_index(m->users, i);

        if (c->role->attach_aio_ctx) {
            c->role->attach_aio_ctx(c, ctx);
        }
    }
}

int bdrv_try_change_aio_context(BlockDriverState *bs, AioContext *ctx,
                                BdrvChild *ignore_child, Error **errp)
{
    AioContext *old = bdrv_get_aio_context(bs);
    Component m;
    guint i;

    if (old == ctx) {
        return 0;
    }
    component_collect(&m, bs, ignore_child);
    if (!users_agree(&m, ctx, errp)) {
        component_release(&m);
        return -EPERM;
    }

    /* Neither home thread may see halves. */
    aio_context_acquire(old);
    for (i = 0; i < m.nodes->len; i++) {
        bdrv_drained_begin(g_ptr_array_index(m.nodes, i));
    }
    aio_context_acquire(ctx);
    component_move(&m, ctx);
    for (i = m.nodes->len; i-- > 0; ) {
        bdrv_drained_end(g_ptr_array_index(m.nodes, i));
    }
    component_release(&m);
    aio_context_release(ctx);
    aio_context_release(old);
    return 0;
}

/* ---- New edges ---- */

/* To undo a move: the node that moved, and from where. */
typedef struct ContextUndo {
    BlockDriverState *bs;
    AioContext *old;
} ContextUndo;

static void context_undo_abort(void *opaque)
{
    ContextUndo *u = opaque;

    bdrv_try_change_aio_context(u->bs, u->old, NULL, &error_abort);
}

static const TransactionActionDrv context_undo_drv = {
    .abort = context_undo_abort,
    .clean = g_free,
};

int bdrv_join_aio_contexts(BlockDriverState *parent, BlockDriverState *child,
                           Transaction *tran, Error **errp)
{
    AioContext *parent_ctx = bdrv_get_aio_context(parent);
    AioContext *child_ctx = bdrv_get_aio_context(child);
    Error *local_err = NULL;
    ContextUndo *u;

    if (parent_ctx == child_ctx) {
        return 0;
    }
    u = g_new0(ContextUndo, 1);
    if (bdrv_try_change_aio_context(child, parent_ctx, NULL,
                                    &local_err) == 0) {
        *u = (ContextUndo) { child, child_ctx };
    } else if (bdrv_try_change_aio_context(parent, child_ctx, NULL,
                                           NULL) == 0) {
        error_free(local_err);
        *u = (ContextUndo) { parent, parent_ctx };
    } else {
        g_free(u);
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    tran_add(tran, &context_undo_drv, u);
    return 0;
}
