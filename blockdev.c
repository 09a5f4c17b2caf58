/*
 * SPDX-License-Identifier: MIT
 *
 * QMP commands that make, change and remove nodes: blockdev-add, -del,
 * -reopen, block_resize, and others on single nodes.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/write-threshold.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "sysemu/iothread.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/main-loop.h"

/* ---- Look-up ---- */

BlockDriverState *qmp_get_root_bs(const char *name, Error **errp)
{
    BlockDriverState *bs = bdrv_lookup_bs(name, name, errp);

    if (!bs) {
        return NULL;
    }
    if (!bdrv_is_root_node(bs)) {
        error_setg(errp, "Need a root block node");
        return NULL;
    }
    if (!bdrv_is_inserted(bs)) {
        error_setg(errp, "Device has no medium");
        return NULL;
    }
    return bs;
}

/* ---- Add, delete, reopen ---- */

/* @options as the flat QDict that bdrv_open() takes. */
static QDict *blockdev_flat_options(BlockdevOptions *options)
{
    Visitor *v;
    QObject *obj;
    QDict *qdict;

    v = qobject_output_visitor_new(&obj);
    visit_type_BlockdevOptions(v, NULL, &options, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    qdict = qobject_to(QDict, obj);
    qdict_flatten(qdict);
    return qdict;
}

BlockDriverState *blockdev_open_for_monitor(QDict *qdict, Error **errp)
{
    BlockDriverState *bs;
    int flags = 0;

    /* Without these options, cache and read-only have the defaults of
     * blockdev-add, not those of a parent. */
    qdict_set_default_str(qdict, BDRV_OPT_CACHE_DIRECT, "off");
    qdict_set_default_str(qdict, BDRV_OPT_CACHE_NO_FLUSH, "off");
    qdict_set_default_str(qdict, BDRV_OPT_READ_ONLY, "off");
    if (!qdict_haskey(qdict, BDRV_OPT_DISCARD)) {
        qdict_put_str(qdict, BDRV_OPT_DISCARD, "ignore");
    }
    flags |= BDRV_O_RDWR;
    bs = bdrv_open(NULL, NULL, qdict, flags, errp);
    if (bs) {
        bdrv_set_monitor_owned(bs);
    }
    return bs;
}

void qmp_blockdev_add(BlockdevOptions *options, Error **errp)
{
    QDict *qdict = blockdev_flat_options(options);

    if (!qdict_get_try_str(qdict, "node-name")) {
        error_setg(errp, "'node-name' must be specified for the root node");
        qobject_unref(qdict);
        return;
    }
    blockdev_open_for_monitor(qdict, errp);
}

BlockBackend *qmp_get_blk(const char *blk_name, const char *qdev_id,
                          Error **errp)
{
    BlockBackend *blk;

    if (!blk_name == !qdev_id) {
        error_setg(errp, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    if (qdev_id) {
        return blk_by_qdev_id(qdev_id, errp);
    }
    blk = blk_by_name(blk_name);
    if (!blk) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  blk_name);
    }
    return blk;
}

void qmp_blockdev_del(const char *node_name, Error **errp)
{
    AioContext *ctx;
    BlockDriverState *bs = bdrv_find_node(node_name);

    if (!bs) {
        error_setg(errp, "Failed to find node with node-name='%s'", node_name);
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_DRIVE_DEL, errp)) {
        goto out;
    }
    if (bdrv_has_blk(bs)) {
        error_setg(errp, "Node %s is in use", node_name);
        goto out;
    }
    if (!bdrv_is_monitor_owned(bs)) {
        error_setg(errp, "Node %s is not owned by the monitor",
                   bs->node_name);
        goto out;
    }
    if (bs->refcnt > 1) {
        error_setg(errp, "Block device %s is in use",
                   bdrv_get_device_or_node_name(bs));
        goto out;
    }
    bdrv_unset_monitor_owned(bs);
    bdrv_unref(bs);
out:
    aio_context_release(ctx);
}

void blockdev_close_all_bdrv_states(void)
{
    BlockDriverState *bs;

    while ((bs = bdrv_next_monitor_owned(NULL))) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        bdrv_unset_monitor_owned(bs);
        bdrv_unref(bs);
        aio_context_release(ctx);
    }
}

void qmp_blockdev_reopen(BlockdevOptionsList *reopen_list, Error **errp)
{
    BlockReopenQueue *queue = NULL;

    for (; reopen_list; reopen_list = reopen_list->next) {
        BlockdevOptions *options = reopen_list->value;
        BlockDriverState *bs;
        AioContext *ctx;
        QDict *qdict;

        if (!options->has_node_name) {
            error_setg(errp, "node-name not specified");
            goto fail;
        }
        bs = bdrv_find_node(options->node_name);
        if (!bs) {
            error_setg(errp, "Failed to find node with node-name='%s'",
                       options->node_name);
            goto fail;
        }
        qdict = blockdev_flat_options(options);
        ctx = bdrv_get_aio_context(bs);
        aio_context_acquire(ctx);
        queue = bdrv_reopen_queue(queue, bs, qdict, false);
        aio_context_release(ctx);
    }
    if (queue) {
        bdrv_reopen_multiple(queue, errp);
    }
    return;
fail:
    bdrv_reopen_queue_free(queue);
}

/* ---- Children ---- */

static BdrvChild *find_child(BlockDriverState *parent, const char *name)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &parent->children, next) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

static void remove_child(BlockDriverState *parent, const char *name,
                         Error **errp)
{
    BdrvChild *child = find_child(parent, name);

    if (!child) {
        error_setg(errp, "Node '%s' does not have child '%s'",
                   bdrv_get_device_or_node_name(parent), name);
    } else if (!parent->drv || !parent->drv->bdrv_del_child) {
        error_setg(errp, "The node %s does not support removing a child",
                   bdrv_get_device_or_node_name(parent));
    } else {
        parent->drv->bdrv_del_child(parent, child, errp);
    }
}

static void add_child(BlockDriverState *parent, const char *node,
                      Error **errp)
{
    BlockDriverState *child = bdrv_find_node(node);

    if (!child) {
        error_setg(errp, "Node '%s' not found", node);
    } else if (!parent->drv || !parent->drv->bdrv_add_child) {
        error_setg(errp, "The node %s does not support adding a child",
                   bdrv_get_device_or_node_name(parent));
    } else if (!QLIST_EMPTY(&child->parents)) {
        error_setg(errp, "The node %s already has a parent",
                   child->node_name);
    } else {
        parent->drv->bdrv_add_child(parent, child, errp);
    }
}

void qmp_x_blockdev_change(const char *parent, bool has_child,
                           const char *child, bool has_node,
                           const char *node, Error **errp)
{
    BlockDriverState *bs = bdrv_lookup_bs(parent, parent, errp);
    AioContext *ctx;

    if (!bs) {
        return;
    }
    if (has_child == has_node) {
        error_setg(errp, "%s", has_child
                   ? "The parameters child and node are in conflict"
                   : "Either child or node must be specified");
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (has_child) {
        remove_child(bs, child, errp);
    } else {
        add_child(bs, node, errp);
    }
    aio_context_release(ctx);
}

/* ---- Single nodes ---- */

void qmp_block_resize(bool has_device, const char *device,
                      bool has_node_name, const char *node_name,
                      int64_t size, Error **errp)
{
    BlockDriverState *bs;
    BlockBackend *blk;
    AioContext *ctx;

    bs = bdrv_lookup_bs(has_device ? device : NULL,
                        has_node_name ? node_name : NULL, errp);
    if (!bs) {
        return;
    }
    if (size < 0) {
        error_setg(errp, "Parameter 'size' expects a >0 size");
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (has_device && bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_RESIZE, NULL)) {
        error_setg(errp, QERR_DEVICE_IN_USE, device);
        goto out;
    }
    if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_RESIZE, errp)) {
        goto out;
    }
    blk = blk_new_with_bs(bs, BLK_PERM_RESIZE, BLK_PERM_ALL, errp);
    if (blk) {
        bdrv_drained_begin(bs);
        blk_truncate(blk, size, false, PREALLOC_MODE_OFF, 0, errp);
        bdrv_drained_end(bs);
        blk_unref(blk);
    }
out:
    aio_context_release(ctx);
}

void qmp_change_backing_file(const char *device, const char *image_node_name,
                             const char *backing_file, Error **errp)
{
    BlockDriverState *bs, *image_bs;
    AioContext *ctx;
    bool ro;
    int ret;

    bs = qmp_get_root_bs(device, errp);
    if (!bs) {
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    image_bs = bdrv_lookup_bs(NULL, image_node_name, errp);
    if (!image_bs) {
        goto out;
    }
    if (bdrv_find_base(image_bs) == image_bs) {
        error_setg(errp, "not allowing backing file change on an image "
                   "without a backing file");
        goto out;
    }
    if (bdrv_op_is_blocked(image_bs, BLOCK_OP_TYPE_CHANGE, errp)) {
        goto out;
    }
    if (!bdrv_chain_contains(bs, image_bs)) {
        error_setg(errp, "'%s' and image file are not in the same chain",
                   device);
        goto out;
    }
    ro = bdrv_is_read_only(image_bs);
    if (ro && bdrv_reopen_set_read_only(image_bs, false, errp) < 0) {
        goto out;
    }
    ret = bdrv_change_backing_file(image_bs, backing_file,
                                   image_bs->drv->format_name, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not change backing file to '%s'",
                         backing_file);
    }
    if (ro) {
        bdrv_reopen_set_read_only(image_bs, true, errp && *errp ? NULL : errp);
    }
out:
    aio_context_release(ctx);
}

void qmp_x_blockdev_set_iothread(const char *node_name, StrOrNull *iothread,
                                 bool has_force, bool force, Error **errp)
{
    BlockDriverState *bs = bdrv_find_node(node_name);
    AioContext *old_ctx, *new_ctx;

    if (!bs) {
        error_setg(errp, "Failed to find node with node-name='%s'",
                   node_name);
        return;
    }
    /* Without a guest nothing is protected from the move. */
    if (!(has_force && force) && bdrv_has_blk(bs)) {
        error_setg(errp, "Node %s is associated with a BlockBackend and "
                   "could be in use (use force=true to override this check)",
                   node_name);
        return;
    }
    if (iothread->type == QTYPE_QSTRING) {
        IOThread *obj = iothread_by_id(iothread->u.s);

        if (!obj) {
            error_setg(errp, "Cannot find iothread %s", iothread->u.s);
            return;
        }
        new_ctx = iothread_get_aio_context(obj);
    } else {
        new_ctx = qemu_get_aio_context();
    }
    old_ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(old_ctx);
    bdrv_try_change_aio_context(bs, new_ctx, NULL, errp);
    aio_context_release(old_ctx);
}

void qmp_block_set_write_threshold(const char *node_name,
                                   uint64_t threshold_bytes, Error **errp)
{
    BlockDriverState *bs = bdrv_find_node(node_name);
    AioContext *ctx;

    if (!bs) {
        error_setg(errp, "Device '%s' not found", node_name);
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    bdrv_write_threshold_set(bs, threshold_bytes);
    aio_context_release(ctx);
}

XDbgBlockGraph *qmp_x_debug_query_block_graph(Error **errp)
{
    return bdrv_get_xdbg_block_graph(errp);
}
