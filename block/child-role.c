/*
 * SPDX-License-Identifier: MIT
 *
 * The roles of edges whose parents are nodes: child_file (a protocol below a
 * format or filter), child_format (an image with a format of its own),
 * child_backing (what an overlay shows where it has no data).
 *
 * Invariant: while a node is the COW backing node of another one, it is
 * blocked for what would change it behind the overlay's back; the reason,
 * parent->backing_blocker, exists as long as the edge.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

static char *node_parent_desc(BdrvChild *c)
{
    BlockDriverState *parent = c->opaque;

    return g_strdup_printf("node '%s'", bdrv_get_node_name(parent));
}

static void node_drained_begin(BdrvChild *c)
{
    bdrv_quiesce_from_child(c->opaque, c);
}

static bool node_drained_poll(BdrvChild *c)
{
    return bdrv_busy_from_child(c->opaque, c);
}

static void node_drained_end(BdrvChild *c)
{
    bdrv_unquiesce_from_child(c->opaque, c);
}

static int node_inactivate(BdrvChild *c)
{
    BlockDriverState *parent = c->opaque;

    /* Parents are put to rest before their children. */
    assert(parent->open_flags & BDRV_O_INACTIVE);
    return 0;
}

static AioContext *node_get_aio_context(BdrvChild *c)
{
    return bdrv_get_aio_context(c->opaque);
}

static void node_attach(BdrvChild *c)
{
    bdrv_apply_subtree_drain(c, c->opaque);
}

static void node_detach(BdrvChild *c)
{
    bdrv_unapply_subtree_drain(c, c->opaque);
}

/* ---- Options that children inherit ---- */

static void inherit_option(QDict *child, QDict *parent, const char *name)
{
    qdict_copy_default(child, parent, name);
}

static void inherit_cache_mode(QDict *child, QDict *parent)
{
    inherit_option(child, parent, BDRV_OPT_CACHE_DIRECT);
    inherit_option(child, parent, BDRV_OPT_CACHE_NO_FLUSH);
    inherit_option(child, parent, BDRV_OPT_FORCE_SHARE);
}

/* The part of an image that holds its data or metadata. */
static void file_inherit(int *child_flags, QDict *child_options,
                         int parent_flags, QDict *parent_options)
{
    inherit_cache_mode(child_options, parent_options);
    inherit_option(child_options, parent_options, BDRV_OPT_READ_ONLY);
    inherit_option(child_options, parent_options, BDRV_OPT_AUTO_READ_ONLY);
    /* Parents send discards as their own option tells. */
    qdict_set_default_str(child_options, BDRV_OPT_DISCARD, "unmap");

    *child_flags = parent_flags & ~(BDRV_O_SNAPSHOT | BDRV_O_NO_BACKING |
                                    BDRV_O_COPY_ON_READ | BDRV_O_NO_IO);
    *child_flags |= BDRV_O_PROTOCOL;
}

static void format_inherit(int *child_flags, QDict *child_options,
                           int parent_flags, QDict *parent_options)
{
    file_inherit(child_flags, child_options, parent_flags, parent_options);
    *child_flags &= ~BDRV_O_PROTOCOL;
}

static void backing_inherit(int *child_flags, QDict *child_options,
                            int parent_flags, QDict *parent_options)
{
    inherit_cache_mode(child_options, parent_options);
    qdict_set_default_str(child_options, BDRV_OPT_READ_ONLY, "on");
    qdict_set_default_str(child_options, BDRV_OPT_AUTO_READ_ONLY, "off");

    *child_flags = parent_flags & ~(BDRV_O_SNAPSHOT | BDRV_O_TEMPORARY |
                                    BDRV_O_COPY_ON_READ | BDRV_O_PROTOCOL);
}

/* ---- Backing nodes ---- */

/* What may be done to a backing node all the same: it does not change what
 * the overlay shows. */
static const BlockOpType allowed_on_backing[] = {
    BLOCK_OP_TYPE_COMMIT_TARGET,
    BLOCK_OP_TYPE_STREAM,
    BLOCK_OP_TYPE_BACKUP_SOURCE,
    BLOCK_OP_TYPE_BACKUP_TARGET,
    BLOCK_OP_TYPE_CHANGE,
};

/* A node can have more children of this role; one is what it covers. */
static bool is_cow_link(const BdrvChild *c)
{
    const BlockDriverState *parent = c->opaque;

    return !strcmp(c->name, "backing") &&
           !(parent->drv && parent->drv->is_filter);
}

static void backing_attach(BdrvChild *c)
{
    BlockDriverState *parent = c->opaque;
    size_t i;

    if (is_cow_link(c)) {
        assert(!parent->backing_blocker);
        error_setg(&parent->backing_blocker,
                   "node is used as backing hd of '%s'",
                   bdrv_get_device_or_node_name(parent));
        bdrv_op_block_all(c->bs, parent->backing_blocker);
        for (i = 0; i < ARRAY_SIZE(allowed_on_backing); i++) {
            bdrv_op_unblock(c->bs, allowed_on_backing[i],
                            parent->backing_blocker);
        }
    }
    node_attach(c);
}

static void backing_detach(BdrvChild *c)
{
    BlockDriverState *parent = c->opaque;

    node_detach(c);
    if (is_cow_link(c) && parent->backing_blocker) {
        bdrv_op_unblock_all(c->bs, parent->backing_blocker);
        error_free(parent->backing_blocker);
        parent->backing_blocker = NULL;
    }
}

static int backing_update_filename(BdrvChild *c, BlockDriverState *new_base,
                                   const char *filename, Error **errp)
{
    BlockDriverState *parent = c->opaque;
    const char *fmt = bdrv_get_format_name(bdrv_skip_filters(new_base));
    bool read_only = bdrv_is_read_only(parent);
    int ret;

    /* A filter has no header: the images above it refer to its child. */
    if (parent->drv && parent->drv->is_filter) {
        BdrvChild *up;

        QLIST_FOREACH(up, &parent->parents, next_parent) {
            if (up->role->update_filename) {
                ret = up->role->update_filename(up, new_base, filename, errp);
                if (ret < 0) {
                    return ret;
                }
            }
        }
        return 0;
    }

    if (read_only) {
        ret = bdrv_reopen_set_read_only(parent, false, errp);
        if (ret < 0) {
            return ret;
        }
    }
    ret = bdrv_change_backing_file(parent, filename, fmt ? fmt : "", false);
    if (ret < 0) {
        error_setg_errno(errp, -ret,
                         "Could not update backing file link of '%s'",
                         parent->node_name);
    }
    if (read_only) {
        bdrv_reopen_set_read_only(parent, true, NULL);
    }
    return ret;
}

#define NODE_ROLE                                      \
    .parent_is_bds          = true,                    \
    .get_parent_desc        = node_parent_desc,        \
    .drained_begin          = node_drained_begin,      \
    .drained_poll           = node_drained_poll,       \
    .drained_end            = node_drained_end,        \
    .inactivate             = node_inactivate,         \
    .get_parent_aio_context = node_get_aio_context

const BdrvChildRole child_file = {
    NODE_ROLE,
    .inherit_options = file_inherit,
    .attach          = node_attach,
    .detach          = node_detach,
};

const BdrvChildRole child_format = {
    NODE_ROLE,
    .inherit_options = format_inherit,
    .attach          = node_attach,
    .detach          = node_detach,
};

const BdrvChildRole child_backing = {
    NODE_ROLE,
    .inherit_options = backing_inherit,
    .attach          = backing_attach,
    .detach          = backing_detach,
    .update_filename = backing_update_filename,
};
