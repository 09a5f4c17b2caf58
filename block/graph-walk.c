/*
 * SPDX-License-Identifier: MIT
 *
 * Walking the graph: filters and backing chains, freezing of chains, taking
 * nodes out of a chain, looking for nodes in it.
 *
 * A chain leads from an overlay over COW links to its backing node, and over
 * filters to what they filter.  Nothing here changes an edge by itself.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

/* ---- One step ---- */

BdrvChild *bdrv_filter_child(BlockDriverState *bs)
{
    if (!bs || !bs->drv || !bs->drv->is_filter) {
        return NULL;
    }
    return bs->drv->filtered_child_is_backing ? bs->backing : bs->file;
}

BdrvChild *bdrv_cow_child(BlockDriverState *bs)
{
    if (!bs || !bs->drv || bs->drv->is_filter) {
        return NULL;
    }
    return bs->backing;
}

BdrvChild *bdrv_filter_or_cow_child(BlockDriverState *bs)
{
    BdrvChild *c = bdrv_filter_child(bs);

    return c ? c : bdrv_cow_child(bs);
}

BdrvChild *bdrv_primary_child(BlockDriverState *bs)
{
    BdrvChild *c = bdrv_filter_child(bs);

    return c || !bs ? c : bs->file;
}

static BlockDriverState *node_below(BdrvChild *c)
{
    return c ? c->bs : NULL;
}

BlockDriverState *bdrv_cow_bs(BlockDriverState *bs)
{
    return node_below(bdrv_cow_child(bs));
}

BlockDriverState *bdrv_filter_bs(BlockDriverState *bs)
{
    return node_below(bdrv_filter_child(bs));
}

BlockDriverState *bdrv_filter_or_cow_bs(BlockDriverState *bs)
{
    return node_below(bdrv_filter_or_cow_child(bs));
}

BlockDriverState *bdrv_primary_bs(BlockDriverState *bs)
{
    return node_below(bdrv_primary_child(bs));
}

/* ---- Chains ---- */

BlockDriverState *bdrv_skip_filters(BlockDriverState *bs)
{
    BlockDriverState *below;

    while ((below = bdrv_filter_bs(bs))) {
        bs = below;
    }
    return bs;
}

BlockDriverState *bdrv_skip_implicit_filters(BlockDriverState *bs)
{
    BlockDriverState *below;

    while (bs && bs->implicit && (below = bdrv_filter_bs(bs))) {
        bs = below;
    }
    return bs;
}

BlockDriverState *bdrv_backing_chain_next(BlockDriverState *bs)
{
    return bdrv_skip_filters(bdrv_cow_bs(bdrv_skip_filters(bs)));
}

bool bdrv_chain_contains(BlockDriverState *top, BlockDriverState *base)
{
    while (top && top != base) {
        top = bdrv_filter_or_cow_bs(top);
    }
    return top != NULL;
}

BlockDriverState *bdrv_find_overlay(BlockDriverState *active,
                                    BlockDriverState *bs)
{
    bs = bdrv_skip_filters(bs);
    active = bdrv_skip_filters(active);
    while (active) {
        BlockDriverState *next = bdrv_backing_chain_next(active);

        if (next == bs) {
            return active;
        }
        active = next;
    }
    return NULL;
}

int64_t bdrv_overlay_length(BlockDriverState *bs)
{
    int64_t longest = 0;
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        BlockDriverState *parent = bdrv_child_parent_bs(c);
        int64_t length = 0;

        if (parent && c == bdrv_cow_child(parent)) {
            length = bdrv_getlength(parent);
        } else if (parent && c == bdrv_filter_child(parent)) {
            length = bdrv_overlay_length(parent);
        }
        if (length < 0) {
            return length;
        }
        longest = MAX(longest, length);
    }
    return longest;
}

BlockDriverState *bdrv_find_base(BlockDriverState *bs)
{
    BlockDriverState *next;

    bs = bdrv_skip_filters(bs);
    while ((next = bdrv_backing_chain_next(bs))) {
        bs = next;
    }
    return bs;
}

int bdrv_get_backing_file_depth(BlockDriverState *bs)
{
    int depth = 0;

    /* Filters count, although they have no backing file. */
    while ((bs = bdrv_filter_or_cow_bs(bs))) {
        depth++;
    }
    return depth;
}

bool bdrv_is_root_node(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (c->role->parent_is_bds) {
            return false;
        }
    }
    return true;
}

/* ---- Looking for a backing image by file name ---- */

/* The path that @path is after links are resolved, or a copy. */
static char *resolved_path(const char *path)
{
    char *resolved = realpath(path, NULL);
    char *copy = g_strdup(resolved ? resolved : path);

    free(resolved);
    return copy;
}

/* Does @wanted, as a user gives it with respect to @overlay, name @below? */
static bool names_backing_node(BlockDriverState *overlay,
                               BlockDriverState *below, const char *wanted)
{
    g_autofree char *wanted_full = NULL;
    g_autofree char *wanted_real = NULL;
    g_autofree char *have_full = NULL;
    g_autofree char *have_real = NULL;

    bdrv_refresh_filename(below);
    if (!strcmp(wanted, overlay->backing_file) ||
        !strcmp(wanted, below->filename)) {
        return true;
    }
    if (path_has_protocol(wanted) || path_has_protocol(below->filename)) {
        have_full = bdrv_get_full_backing_filename(overlay, NULL);
        return have_full && !strcmp(wanted, have_full);
    }

    wanted_full = bdrv_get_full_backing_filename_from_filename(
        overlay->filename, wanted, NULL);
    if (!wanted_full) {
        return false;
    }
    wanted_real = resolved_path(wanted_full);
    have_real = resolved_path(below->filename);
    if (!strcmp(wanted_real, have_real)) {
        return true;
    }
    g_free(have_real);
    have_full = bdrv_get_full_backing_filename(overlay, NULL);
    have_real = have_full ? resolved_path(have_full) : g_strdup("");
    return !strcmp(wanted_real, have_real);
}

BlockDriverState *bdrv_find_backing_image(BlockDriverState *bs,
                                          const char *backing_file)
{
    BlockDriverState *below;

    if (!bs || !bs->drv || !backing_file) {
        return NULL;
    }
    bdrv_refresh_filename(bs);
    bs = bdrv_skip_filters(bs);
    while ((below = bdrv_backing_chain_next(bs))) {
        if (names_backing_node(bs, below, backing_file)) {
            return below;
        }
        bs = below;
    }
    return NULL;
}

/* ---- Freezing ---- */

bool bdrv_is_backing_chain_frozen(BlockDriverState *bs, BlockDriverState *base,
                                  Error **errp)
{
    BdrvChild *c;

    for (; bs != base; bs = c->bs) {
        c = bdrv_filter_or_cow_child(bs);
        if (!c) {
            return false;
        }
        if (c->frozen) {
            error_setg(errp,
                       "Cannot change frozen '%s' link from '%s' to '%s'",
                       c->name, bs->node_name, c->bs->node_name);
            return true;
        }
    }
    return false;
}

int bdrv_freeze_backing_chain(BlockDriverState *bs, BlockDriverState *base,
                              Error **errp)
{
    BlockDriverState *i;
    BdrvChild *c;

    if (bdrv_is_backing_chain_frozen(bs, base, errp)) {
        return -EPERM;
    }
    for (i = bs; i != base && (c = bdrv_filter_or_cow_child(i)); i = c->bs) {
        if (c->bs->never_freeze) {
            error_setg(errp, "Cannot freeze '%s' link to '%s'",
                       c->name, c->bs->node_name);
            return -EPERM;
        }
    }
    for (i = bs; i != base && (c = bdrv_filter_or_cow_child(i)); i = c->bs) {
        c->frozen++;
    }
    return 0;
}

void bdrv_unfreeze_backing_chain(BlockDriverState *bs, BlockDriverState *base)
{
    BdrvChild *c;

    for (; bs != base && (c = bdrv_filter_or_cow_child(bs)); bs = c->bs) {
        assert(c->frozen > 0);
        c->frozen--;
    }
}

/* ---- Image headers and chains ---- */

int bdrv_change_backing_file(BlockDriverState *bs, const char *backing_file,
                             const char *backing_fmt, bool require)
{
    BlockDriver *drv = bs->drv;
    int ret;

    if (!drv) {
        return -ENOMEDIUM;
    }
    if (backing_fmt && *backing_fmt && !backing_file) {
        return -EINVAL;
    }
    if (require && backing_file && *backing_file &&
        !(backing_fmt && *backing_fmt)) {
        return -EINVAL;
    }
    if (!drv->bdrv_change_backing_file) {
        return -ENOTSUP;
    }
    ret = drv->bdrv_change_backing_file(bs, backing_file, backing_fmt);
    if (ret < 0) {
        return ret;
    }
    bdrv_set_string(&bs->backing_file, backing_file);
    bdrv_set_string(&bs->backing_format, backing_fmt);
    bdrv_set_string(&bs->auto_backing_file, backing_file);
    return 0;
}

/* What was in the header of an overlay before it was changed. */
typedef struct HeaderUndo {
    BdrvChild *c;
    char *backing_file;
    char *backing_format;
} HeaderUndo;

static void header_undo_free(gpointer data)
{
    HeaderUndo *u = data;

    g_free(u->backing_file);
    g_free(u->backing_format);
    g_free(u);
}

/* As far as that is possible. */
static void headers_restore(GPtrArray *changed)
{
    guint i;

    for (i = changed->len; i-- > 0; ) {
        HeaderUndo *u = g_ptr_array_index(changed, i);
        BlockDriverState *overlay = bdrv_child_parent_bs(u->c);

        if (overlay) {
            bdrv_change_backing_file(overlay, u->backing_file,
                                     u->backing_format, false);
        }
    }
}

/* Write @filename into every overlay of @top: all, or none with -errno. */
static int headers_update(BlockDriverState *top, BlockDriverState *base,
                          const char *filename, GPtrArray *changed)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &top->parents, next_parent) {
        BlockDriverState *overlay = bdrv_child_parent_bs(c);
        Error *local_err = NULL;
        HeaderUndo *u;
        int ret;

        if (!c->role->update_filename) {
            continue;
        }
        u = g_new0(HeaderUndo, 1);
        u->c = c;
        if (overlay) {
            u->backing_file = g_strdup(overlay->backing_file);
            u->backing_format = g_strdup(overlay->backing_format);
        }
        ret = c->role->update_filename(c, base, filename, &local_err);
        if (ret < 0) {
            header_undo_free(u);
            error_report_err(local_err);
            headers_restore(changed);
            return ret;
        }
        g_ptr_array_add(changed, u);
    }
    return 0;
}

/* Does @base inherit its options from @top in the end? */
static bool chain_is_inherited(BlockDriverState *top, BlockDriverState *base)
{
    while (base && base != top) {
        base = base->inherits_from;
    }
    return base != NULL;
}

/* bdrv_drop_intermediate() with everything drained and checked. */
static int drop_intermediate_drained(BlockDriverState *top,
                                     BlockDriverState *base,
                                     const char *filename)
{
    g_autoptr(GPtrArray) changed =
        g_ptr_array_new_with_free_func(header_undo_free);
    GSList nodes[2] = { { top, &nodes[1] }, { base, NULL } };
    bool inherits = chain_is_inherited(top, base);
    Error *local_err = NULL;
    Transaction *tran;
    int ret;

    ret = headers_update(top, base, filename, changed);
    if (ret < 0) {
        return ret;
    }
    tran = tran_new();
    ret = bdrv_replace_node_tran(top, base, false, tran, &local_err);
    if (ret == 0) {
        if (inherits) {
            bdrv_tran_set_pointer((void **)&base->inherits_from,
                                  top->inherits_from, tran);
        }
        ret = bdrv_list_refresh_perms(nodes, NULL, tran, &local_err);
    }
    tran_finalize(tran, ret);
    if (ret < 0) {
        error_report_err(local_err);
        headers_restore(changed);
    }
    return ret;
}

int bdrv_drop_intermediate(BlockDriverState *top, BlockDriverState *base,
                           const char *backing_file_str)
{
    g_autofree char *filename = NULL;
    int ret = -EIO;

    bdrv_ref(top);
    bdrv_ref(base);
    bdrv_drained_begin(base);
    bdrv_drained_begin(top);
    if (top->drv && base->drv && top != base &&
        bdrv_chain_contains(top, base) &&
        !bdrv_is_backing_chain_frozen(top, base, NULL)) {
        if (backing_file_str) {
            filename = g_strdup(backing_file_str);
        } else {
            /* Headers name images; filters are no part of them. */
            BlockDriverState *image = bdrv_skip_filters(base);

            bdrv_refresh_filename(image);
            filename = g_strdup(image->filename);
        }
        ret = drop_intermediate_drained(top, base, filename);
    }
    bdrv_drained_end(top);
    bdrv_drained_end(base);
    bdrv_unref(base);
    bdrv_unref(top);
    return ret;
}

/* ---- May one node stand in for another? ---- */

bool bdrv_recurse_can_replace(BlockDriverState *bs,
                              BlockDriverState *to_replace)
{
    for (;;) {
        BlockDriverState *below;

        if (!bs || !bs->drv) {
            return false;
        }
        if (bs == to_replace) {
            return true;
        }
        if (bs->drv->bdrv_recurse_can_replace) {
            return bs->drv->bdrv_recurse_can_replace(bs, to_replace);
        }
        below = bdrv_filter_bs(bs);
        if (!below) {
            return false;
        }
        bs = below;
    }
}

BlockDriverState *check_to_replace_node(BlockDriverState *parent_bs,
                                        const char *node_name, Error **errp)
{
    BlockDriverState *bs = bdrv_find_node(node_name);

    if (!bs) {
        error_setg(errp, "Failed to find node with node-name='%s'", node_name);
        return NULL;
    }
    if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_REPLACE, errp)) {
        return NULL;
    }
    if (!bdrv_recurse_can_replace(parent_bs, bs)) {
        error_setg(errp, "Cannot replace '%s' by a node mirrored from '%s', "
                   "because it cannot be guaranteed that doing so would not "
                   "lead to an abrupt change of visible data",
                   node_name, parent_bs->node_name);
        return NULL;
    }
    return bs;
}
