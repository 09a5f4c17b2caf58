/*
 * SPDX-License-Identifier: MIT
 *
 * BlockBackends: life, names, root node, permissions, devices, properties.
 * Requests are in block-backend-io.c.
 *
 * Invariants
 *   1. blk->root, if not NULL, is an edge of role child_root whose opaque is
 *      the backend.
 *   2. A named backend is in monitor_block_backends, every one in
 *      block_backends.
 *   3. No node has the name of a backend.
 */
#include "qemu/osdep.h"
#include "block/block-backend-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-events-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qemu/id.h"
#include "qemu/main-loop.h"

static QTAILQ_HEAD(, BlockBackend) block_backends =
    QTAILQ_HEAD_INITIALIZER(block_backends);
static QTAILQ_HEAD(, BlockBackend) monitor_block_backends =
    QTAILQ_HEAD_INITIALIZER(monitor_block_backends);

/* ---- The edge to the root node ---- */

static char *blk_root_get_parent_desc(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;

    if (blk->name) {
        return g_strdup_printf("block device '%s'", blk->name);
    }
    if (blk->dev_id && *blk->dev_id) {
        return g_strdup_printf("block device '%s'", blk->dev_id);
    }
    return g_strdup("an unnamed block device");
}

static const char *blk_root_get_name(BdrvChild *child)
{
    return blk_name(child->opaque);
}

static void blk_root_drained_begin(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;

    if (atomic_fetch_inc(&blk->quiesce_counter) == 0 &&
        blk->dev_ops && blk->dev_ops->drained_begin) {
        blk->dev_ops->drained_begin(blk->dev_opaque);
    }
    /* Throttled requests pass, else we would wait for a clock that may stand
     * still. */
    if (atomic_fetch_inc(&tgm->io_limits_disabled) == 0) {
        throttle_group_restart_tgm(tgm);
    }
}

static bool blk_root_drained_poll(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;

    return blk_is_busy(blk) ||
           (blk->dev_ops && blk->dev_ops->drained_poll &&
            blk->dev_ops->drained_poll(blk->dev_opaque));
}

static void blk_root_drained_end(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;

    assert(blk->public.throttle_group_member.io_limits_disabled);
    atomic_dec(&blk->public.throttle_group_member.io_limits_disabled);
    assert(blk->quiesce_counter);
    atomic_dec(&blk->quiesce_counter);
    if (blk->quiesce_counter == 0) {
        if (blk->dev_ops && blk->dev_ops->drained_end) {
            blk->dev_ops->drained_end(blk->dev_opaque);
        }
        qemu_mutex_lock(&blk->queue_lock);
        while (qemu_co_enter_next(&blk->queued_requests, &blk->queue_lock)) {
            /* each of them runs or is scheduled in its context */
        }
        qemu_mutex_unlock(&blk->queue_lock);
    }
}

static void blk_root_change_media(BdrvChild *child, bool load)
{
    blk_dev_change_media_cb(child->opaque, load, NULL);
}

static void blk_root_resize(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;

    if (blk->dev_ops && blk->dev_ops->resize_cb) {
        blk->dev_ops->resize_cb(blk->dev_opaque);
    }
}

static int blk_root_activate(BdrvChild *child, Error **errp)
{
    BlockBackend *blk = child->opaque;
    int ret;

    if (!blk->disable_perm) {
        return 0;
    }
    blk->disable_perm = false;
    ret = blk_set_perm(blk, blk->perm, blk->shared_perm, errp);
    if (ret < 0) {
        blk->disable_perm = true;
    }
    return ret;
}

static int blk_root_inactivate(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;

    if (blk->disable_perm) {
        return 0;
    }
    /* A user without a device, a job or an export, can't be told to stop
     * writing. */
    if (!blk->dev && !blk->name && !blk->force_allow_inactivate &&
        (blk->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED))) {
        return -EPERM;
    }
    blk->disable_perm = true;
    bdrv_child_try_set_perm(blk->root, 0, BLK_PERM_ALL, &error_abort);
    return 0;
}

static bool blk_root_can_set_aio_ctx(BdrvChild *child, AioContext *ctx,
                                     Error **errp)
{
    BlockBackend *blk = child->opaque;

    if (blk->moving || blk->allow_aio_context_change ||
        (blk->name && !blk->dev)) {
        return true;
    }
    error_setg(errp, "Cannot change iothread of active block backend");
    return false;
}

static void blk_root_detach_aio_ctx(BdrvChild *child)
{
    BlockBackend *blk = child->opaque;
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;
    BlkAioNotifier *n, *next;

    QLIST_FOREACH_SAFE(n, &blk->aio_notifiers, list, next) {
        n->detach_aio_context(n->opaque);
    }
    if (tgm->throttle_state) {
        throttle_group_detach_aio_context(tgm);
    }
}

static void blk_root_attach_aio_ctx(BdrvChild *child, AioContext *ctx)
{
    BlockBackend *blk = child->opaque;
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;
    BlkAioNotifier *n, *next;

    blk->ctx = ctx;
    if (tgm->throttle_state) {
        throttle_group_attach_aio_context(tgm, ctx);
    }
    QLIST_FOREACH_SAFE(n, &blk->aio_notifiers, list, next) {
        n->attached_aio_context(ctx, n->opaque);
    }
}

static AioContext *blk_root_get_parent_aio_context(BdrvChild *child)
{
    return blk_get_aio_context(child->opaque);
}

static const BdrvChildRole child_root = {
    .get_name               = blk_root_get_name,
    .get_parent_desc        = blk_root_get_parent_desc,
    .drained_begin          = blk_root_drained_begin,
    .drained_poll           = blk_root_drained_poll,
    .drained_end            = blk_root_drained_end,
    .change_media           = blk_root_change_media,
    .resize                 = blk_root_resize,
    .activate               = blk_root_activate,
    .inactivate             = blk_root_inactivate,
    .can_set_aio_ctx        = blk_root_can_set_aio_ctx,
    .detach_aio_ctx         = blk_root_detach_aio_ctx,
    .attach_aio_ctx         = blk_root_attach_aio_ctx,
    .get_parent_aio_context = blk_root_get_parent_aio_context,
};

/* ---- Life ---- */

BlockBackend *blk_new(uint64_t perm, uint64_t shared_perm)
{
    BlockBackend *blk = g_new0(BlockBackend, 1);

    blk->refcnt = 1;
    blk->ctx = qemu_get_aio_context();
    blk->perm = perm;
    blk->shared_perm = shared_perm;
    blk->enable_write_cache = true;
    blk->on_read_error = BLOCKDEV_ON_ERROR_REPORT;
    blk->on_write_error = BLOCKDEV_ON_ERROR_ENOSPC;
    block_acct_init(&blk->stats);
    qemu_mutex_init(&blk->queue_lock);
    qemu_co_queue_init(&blk->queued_requests);
    notifier_list_init(&blk->remove_bs_notifiers);
    notifier_list_init(&blk->insert_bs_notifiers);
    QLIST_INIT(&blk->aio_notifiers);
    QTAILQ_INSERT_TAIL(&block_backends, blk, link);
    return blk;
}

BlockBackend *blk_new_with_bs(BlockDriverState *bs, uint64_t perm,
                              uint64_t shared_perm, Error **errp)
{
    BlockBackend *blk = blk_new(perm, shared_perm);

    if (blk_insert_bs(blk, bs, errp) < 0) {
        blk_unref(blk);
        return NULL;
    }
    return blk;
}

/* What a user who opens with these flags needs and shares. */
static void blk_perm_of_flags(int flags, uint64_t *perm, uint64_t *shared)
{
    *perm = 0;
    *shared = BLK_PERM_ALL;
    if (!(flags & BDRV_O_NO_IO)) {
        *perm |= BLK_PERM_CONSISTENT_READ;
        if (flags & BDRV_O_RDWR) {
            *perm |= BLK_PERM_WRITE;
        }
    }
    if (flags & BDRV_O_RESIZE) {
        *perm |= BLK_PERM_RESIZE;
    }
    if (flags & BDRV_O_NO_SHARE) {
        *shared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED;
    }
}

BlockBackend *blk_new_open(const char *filename, const char *reference,
                           QDict *options, int flags, Error **errp)
{
    BlockBackend *blk;
    BlockDriverState *bs;
    uint64_t perm, shared;

    blk_perm_of_flags(flags, &perm, &shared);
    bs = bdrv_open(filename, reference, options, flags, errp);
    if (!bs) {
        return NULL;
    }
    blk = blk_new_with_bs(bs, perm, shared, errp);
    bdrv_unref(bs);
    return blk;
}

static void blk_delete(BlockBackend *blk)
{
    assert(!blk->name);
    assert(!blk->dev);
    if (blk->public.throttle_group_member.throttle_state) {
        blk_io_limits_disable(blk);
    }
    if (blk->root) {
        blk_remove_bs(blk);
    }
    assert(!blk->in_flight);
    assert(QLIST_EMPTY(&blk->remove_bs_notifiers.notifiers));
    assert(QLIST_EMPTY(&blk->insert_bs_notifiers.notifiers));
    assert(QLIST_EMPTY(&blk->aio_notifiers));
    assert(qemu_co_queue_empty(&blk->queued_requests));
    QTAILQ_REMOVE(&block_backends, blk, link);
    qemu_mutex_destroy(&blk->queue_lock);
    block_acct_cleanup(&blk->stats);
    g_free(blk->dev_id);
    g_free(blk);
}

int blk_get_refcnt(BlockBackend *blk)
{
    return blk ? blk->refcnt : 0;
}

void blk_ref(BlockBackend *blk)
{
    assert(blk->refcnt > 0);
    blk->refcnt++;
}

void blk_unref(BlockBackend *blk)
{
    if (!blk) {
        return;
    }
    assert(blk->refcnt > 0);
    if (blk->refcnt > 1) {
        blk->refcnt--;
        return;
    }
    /* Callbacks of requests may still use it: they must be over before the
     * count drops. */
    blk_drain(blk);
    if (--blk->refcnt == 0) {
        blk_delete(blk);
    }
}

BlockBackend *blk_all_next(BlockBackend *blk)
{
    return blk ? QTAILQ_NEXT(blk, link) : QTAILQ_FIRST(&block_backends);
}

BlockBackend *blk_next(BlockBackend *blk)
{
    return blk ? QTAILQ_NEXT(blk, monitor_link)
               : QTAILQ_FIRST(&monitor_block_backends);
}

void blk_remove_all_bs(void)
{
    BlockBackend *blk = NULL;

    while ((blk = blk_all_next(blk))) {
        AioContext *ctx = blk_get_aio_context(blk);

        aio_context_acquire(ctx);
        if (blk->root) {
            blk_remove_bs(blk);
        }
        aio_context_release(ctx);
    }
}

const char *blk_name(const BlockBackend *blk)
{
    return blk->name ? blk->name : "";
}

BlockBackend *blk_by_name(const char *name)
{
    BlockBackend *blk = NULL;

    while ((blk = blk_next(blk))) {
        if (!strcmp(name, blk->name)) {
            return blk;
        }
    }
    return NULL;
}

bool monitor_add_blk(BlockBackend *blk, const char *name, Error **errp)
{
    assert(!blk->name);
    assert(name && *name);
    if (!id_wellformed(name)) {
        error_setg(errp, "Invalid device name");
        return false;
    }
    if (blk_by_name(name)) {
        error_setg(errp, "Device with id '%s' already exists", name);
        return false;
    }
    if (bdrv_find_node(name)) {
        error_setg(errp,
                   "Device name '%s' conflicts with an existing node name",
                   name);
        return false;
    }
    blk->name = g_strdup(name);
    QTAILQ_INSERT_TAIL(&monitor_block_backends, blk, monitor_link);
    return true;
}

void monitor_remove_blk(BlockBackend *blk)
{
    if (blk->name) {
        QTAILQ_REMOVE(&monitor_block_backends, blk, monitor_link);
        g_clear_pointer(&blk->name, g_free);
    }
}

void monitor_remove_all_blk(void)
{
    BlockBackend *blk;

    while ((blk = blk_next(NULL))) {
        monitor_remove_blk(blk);
        blk_unref(blk);
    }
}

BlockBackendPublic *blk_get_public(BlockBackend *blk)
{
    return &blk->public;
}

BlockBackend *blk_by_public(BlockBackendPublic *public)
{
    return container_of(public, BlockBackend, public);
}

BlockBackend *bdrv_first_blk(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (c->role == &child_root) {
            return c->opaque;
        }
    }
    return NULL;
}

bool bdrv_has_blk(BlockDriverState *bs)
{
    return bdrv_first_blk(bs) != NULL;
}

/* ---- Root node ---- */

BlockDriverState *blk_bs(BlockBackend *blk)
{
    return blk->root ? blk->root->bs : NULL;
}

BdrvChild *blk_root(BlockBackend *blk)
{
    return blk->root;
}

void blk_update_root_state(BlockBackend *blk)
{
    assert(blk->root);
    blk->root_state.open_flags = blk_bs(blk)->open_flags;
    blk->root_state.detect_zeroes = blk_bs(blk)->detect_zeroes;
}

BlockBackendRootState *blk_get_root_state(BlockBackend *blk)
{
    return &blk->root_state;
}

void blk_remove_bs(BlockBackend *blk)
{
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;
    BlockDriverState *bs = blk_bs(blk);
    BdrvChild *root;

    notifier_list_notify(&blk->remove_bs_notifiers, blk);
    if (tgm->throttle_state && bs) {
        /* Nothing may be throttled while the timers move. */
        bdrv_ref(bs);
        bdrv_drained_begin(bs);
        throttle_group_detach_aio_context(tgm);
        throttle_group_attach_aio_context(tgm, qemu_get_aio_context());
        bdrv_drained_end(bs);
        bdrv_unref(bs);
    }
    blk_update_root_state(blk);

    /* Requests without an edge below them would have nowhere to go. */
    blk_drain(blk);
    root = blk->root;
    blk->root = NULL;
    blk->ctx = qemu_get_aio_context();
    bdrv_root_unref_child(root);
}

int blk_insert_bs(BlockBackend *blk, BlockDriverState *bs, Error **errp)
{
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;

    assert(!blk->root);
    bdrv_ref(bs);
    blk->root = bdrv_root_attach_child(bs, "root", &child_root, blk->perm,
                                       blk->shared_perm, blk, errp);
    if (!blk->root) {
        return -EPERM;
    }
    blk->ctx = bdrv_get_aio_context(bs);
    notifier_list_notify(&blk->insert_bs_notifiers, blk);
    if (tgm->throttle_state) {
        throttle_group_detach_aio_context(tgm);
        throttle_group_attach_aio_context(tgm, blk->ctx);
    }
    return 0;
}

int blk_replace_bs(BlockBackend *blk, BlockDriverState *new_bs, Error **errp)
{
    return bdrv_replace_child_bs(blk->root, new_bs, errp);
}

int blk_set_perm(BlockBackend *blk, uint64_t perm, uint64_t shared_perm,
                 Error **errp)
{
    if (blk->root && !blk->disable_perm) {
        int ret = bdrv_child_try_set_perm(blk->root, perm, shared_perm, errp);

        if (ret < 0) {
            return ret;
        }
    }
    blk->perm = perm;
    blk->shared_perm = shared_perm;
    return 0;
}

void blk_get_perm(BlockBackend *blk, uint64_t *perm, uint64_t *shared_perm)
{
    *perm = blk->perm;
    *shared_perm = blk->shared_perm;
}

/* ---- What the core asks ---- */

static bool blk_find_root(const char *name, BlockDriverState **bs)
{
    BlockBackend *blk = blk_by_name(name);

    *bs = blk ? blk_bs(blk) : NULL;
    return blk != NULL;
}

static const BdrvDeviceHooks blk_device_hooks = {
    .find             = blk_find_root,
    .remove_all_roots = blk_remove_all_bs,
};

static void __attribute__((constructor)) blk_register_hooks(void)
{
    bdrv_register_device_hooks(&blk_device_hooks);
}

/* ---- Device ---- */

int blk_attach_dev(BlockBackend *blk, void *dev)
{
    if (blk->dev) {
        return -EBUSY;
    }
    /* The device brings its own permissions; the image may be live now. */
    if (blk->root && bdrv_activate(blk_bs(blk), NULL) < 0) {
        return -EPERM;
    }
    blk_ref(blk);
    blk->dev = dev;
    blk_iostatus_reset(blk);
    return 0;
}

void blk_detach_dev(BlockBackend *blk, void *dev)
{
    assert(blk->dev == dev);
    blk->dev = NULL;
    blk->dev_ops = NULL;
    blk->dev_opaque = NULL;
    g_clear_pointer(&blk->dev_id, g_free);
    blk_set_perm(blk, 0, BLK_PERM_ALL, &error_abort);
    blk_unref(blk);
}

void *blk_get_attached_dev(BlockBackend *blk)
{
    return blk->dev;
}

char *blk_get_attached_dev_id(BlockBackend *blk)
{
    return g_strdup(blk->dev_id ? blk->dev_id : "");
}

void blk_set_dev_id(BlockBackend *blk, const char *id)
{
    g_free(blk->dev_id);
    blk->dev_id = g_strdup(id);
}

/* The whole path of the device, also if it is known by its ID; or NULL. */
static char *device_path(BlockBackend *blk)
{
    if (!blk->dev_id || *blk->dev_id == '/') {
        return g_strdup(blk->dev_id);
    }
    return g_strconcat("/machine/peripheral/", blk->dev_id, NULL);
}

BlockBackend *blk_by_qdev_id(const char *id, Error **errp)
{
    g_autofree char *tail = g_strconcat("/", id, NULL);
    g_autofree char *part = g_strconcat(tail, "/virtio-backend", NULL);
    BlockBackend *blk = NULL;

    while ((blk = blk_all_next(blk))) {
        g_autofree char *path = device_path(blk);

        if (path && (!strcmp(path, id) || g_str_has_suffix(path, tail) ||
                     g_str_has_suffix(path, part))) {
            return blk;
        }
    }
    error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    return NULL;
}

void blk_set_dev_ops(BlockBackend *blk, const BlockDevOps *ops, void *opaque)
{
    blk->dev_ops = ops;
    blk->dev_opaque = opaque;
    if (blk->quiesce_counter && ops && ops->drained_begin) {
        ops->drained_begin(opaque);
    }
}

bool blk_dev_has_removable_media(BlockBackend *blk)
{
    return !blk->dev || (blk->dev_ops && blk->dev_ops->change_media_cb);
}

bool blk_dev_has_tray(BlockBackend *blk)
{
    return blk->dev_ops && blk->dev_ops->is_tray_open;
}

bool blk_dev_is_tray_open(BlockBackend *blk)
{
    return blk_dev_has_tray(blk) && blk->dev_ops->is_tray_open(blk->dev_opaque);
}

bool blk_dev_is_medium_locked(BlockBackend *blk)
{
    return blk->dev_ops && blk->dev_ops->is_medium_locked &&
           blk->dev_ops->is_medium_locked(blk->dev_opaque);
}

void blk_dev_eject_request(BlockBackend *blk, bool force)
{
    if (blk->dev_ops && blk->dev_ops->eject_request_cb) {
        blk->dev_ops->eject_request_cb(blk->dev_opaque, force);
    }
}

void blk_dev_change_media_cb(BlockBackend *blk, bool load, Error **errp)
{
    if (blk->dev_ops && blk->dev_ops->change_media_cb) {
        blk->dev_ops->change_media_cb(blk->dev_opaque, load, errp);
    }
}

/* ---- I/O status and error policy ---- */

void blk_iostatus_enable(BlockBackend *blk)
{
    blk->iostatus_enabled = true;
    blk->iostatus = BLOCK_DEVICE_IO_STATUS_OK;
}

bool blk_iostatus_is_enabled(const BlockBackend *blk)
{
    return blk->iostatus_enabled &&
           (blk->on_write_error == BLOCKDEV_ON_ERROR_ENOSPC ||
            blk->on_write_error == BLOCKDEV_ON_ERROR_STOP ||
            blk->on_read_error == BLOCKDEV_ON_ERROR_STOP);
}

BlockDeviceIoStatus blk_iostatus(const BlockBackend *blk)
{
    return blk->iostatus;
}

void blk_iostatus_disable(BlockBackend *blk)
{
    blk->iostatus_enabled = false;
}

void blk_iostatus_reset(BlockBackend *blk)
{
    blk->iostatus = BLOCK_DEVICE_IO_STATUS_OK;
}

void blk_iostatus_set_err(BlockBackend *blk, int error)
{
    if (blk_iostatus_is_enabled(blk) &&
        blk->iostatus == BLOCK_DEVICE_IO_STATUS_OK) {
        blk->iostatus = error == ENOSPC ? BLOCK_DEVICE_IO_STATUS_NOSPACE
                                        : BLOCK_DEVICE_IO_STATUS_FAILED;
    }
}

void blk_set_on_error(BlockBackend *blk, BlockdevOnError on_read_error,
                      BlockdevOnError on_write_error)
{
    blk->on_read_error = on_read_error;
    blk->on_write_error = on_write_error;
}

BlockdevOnError blk_get_on_error(BlockBackend *blk, bool is_read)
{
    return is_read ? blk->on_read_error : blk->on_write_error;
}

BlockErrorAction blk_get_error_action(BlockBackend *blk, bool is_read,
                                      int error)
{
    switch (blk_get_on_error(blk, is_read)) {
    case BLOCKDEV_ON_ERROR_ENOSPC:
        return error == ENOSPC ? BLOCK_ERROR_ACTION_STOP
                               : BLOCK_ERROR_ACTION_REPORT;
    case BLOCKDEV_ON_ERROR_STOP:
        return BLOCK_ERROR_ACTION_STOP;
    case BLOCKDEV_ON_ERROR_IGNORE:
        return BLOCK_ERROR_ACTION_IGNORE;
    default:
        return BLOCK_ERROR_ACTION_REPORT;
    }
}

static void (*stop_handler)(void);

void blk_set_stop_handler(void (*stop)(void))
{
    stop_handler = stop;
}

void blk_error_action(BlockBackend *blk, BlockErrorAction action,
                      bool is_read, int error)
{
    BlockDriverState *bs = blk_bs(blk);
    bool stop = action == BLOCK_ERROR_ACTION_STOP;

    assert(error >= 0);
    if (stop) {
        blk_iostatus_set_err(blk, error);
    }
    qapi_event_send_block_io_error(blk_name(blk), bs != NULL,
                                   bs ? bdrv_get_node_name(bs) : NULL,
                                   is_read ? IO_OPERATION_TYPE_READ
                                           : IO_OPERATION_TYPE_WRITE,
                                   action, blk_iostatus_is_enabled(blk),
                                   error == ENOSPC, strerror(error),
                                   &error_abort);
    if (stop && stop_handler) {
        stop_handler();
    }
}

/* ---- Properties ---- */

bool blk_supports_write_perm(BlockBackend *blk)
{
    BlockDriverState *bs = blk_bs(blk);

    return bs ? !bdrv_is_read_only(bs)
              : blk->root_state.open_flags & BDRV_O_RDWR;
}

bool blk_is_writable(BlockBackend *blk)
{
    return blk->perm & BLK_PERM_WRITE;
}

bool blk_is_sg(BlockBackend *blk)
{
    return blk->root && bdrv_is_sg(blk_bs(blk));
}

bool blk_enable_write_cache(BlockBackend *blk)
{
    return blk->enable_write_cache;
}

void blk_set_enable_write_cache(BlockBackend *blk, bool wce)
{
    blk->enable_write_cache = wce;
}

void blk_set_allow_write_beyond_eof(BlockBackend *blk, bool allow)
{
    blk->allow_write_beyond_eof = allow;
}

void blk_set_allow_aio_context_change(BlockBackend *blk, bool allow)
{
    blk->allow_aio_context_change = allow;
}

void blk_set_disable_request_queuing(BlockBackend *blk, bool disable)
{
    blk->disable_request_queuing = disable;
}

void blk_set_force_allow_inactivate(BlockBackend *blk)
{
    blk->force_allow_inactivate = true;
}

bool blk_is_inserted(BlockBackend *blk)
{
    return blk->root && bdrv_is_inserted(blk_bs(blk));
}

bool blk_is_available(BlockBackend *blk)
{
    return blk_is_inserted(blk) && !blk_dev_is_tray_open(blk);
}

void blk_lock_medium(BlockBackend *blk, bool locked)
{
    if (blk->root) {
        bdrv_lock_medium(blk_bs(blk), locked);
    }
}

void blk_eject(BlockBackend *blk, bool eject_flag)
{
    if (blk->root) {
        bdrv_eject(blk_bs(blk), eject_flag);
    }
}

int64_t blk_getlength(BlockBackend *blk)
{
    return blk_is_available(blk) ? bdrv_getlength(blk_bs(blk)) : -ENOMEDIUM;
}

int64_t blk_nb_sectors(BlockBackend *blk)
{
    return blk_is_available(blk) ? bdrv_nb_sectors(blk_bs(blk)) : -ENOMEDIUM;
}

void blk_get_geometry(BlockBackend *blk, uint64_t *nb_sectors_ptr)
{
    *nb_sectors_ptr = MAX(blk_nb_sectors(blk), 0);
}

uint32_t blk_get_request_alignment(BlockBackend *blk)
{
    return blk->root ? blk_bs(blk)->bl.request_alignment : BDRV_SECTOR_SIZE;
}

uint64_t blk_get_max_transfer(BlockBackend *blk)
{
    uint64_t max = blk->root ? blk_bs(blk)->bl.max_transfer : 0;

    return ROUND_DOWN(max ? MIN(max, INT_MAX) : INT_MAX,
                      blk_get_request_alignment(blk));
}

int blk_get_max_iov(BlockBackend *blk)
{
    return blk->root ? blk_bs(blk)->bl.max_iov : IOV_MAX;
}

int blk_get_flags(BlockBackend *blk)
{
    return blk->root ? bdrv_get_flags(blk_bs(blk))
                     : blk->root_state.open_flags;
}

void *blk_try_blockalign(BlockBackend *blk, size_t size)
{
    return qemu_try_blockalign(blk_bs(blk), size);
}

void *blk_blockalign(BlockBackend *blk, size_t size)
{
    return qemu_blockalign(blk_bs(blk), size);
}

bool blk_op_is_blocked(BlockBackend *blk, BlockOpType op, Error **errp)
{
    return blk->root && bdrv_op_is_blocked(blk_bs(blk), op, errp);
}

void blk_op_unblock(BlockBackend *blk, BlockOpType op, Error *reason)
{
    if (blk->root) {
        bdrv_op_unblock(blk_bs(blk), op, reason);
    }
}

void blk_op_block_all(BlockBackend *blk, Error *reason)
{
    if (blk->root) {
        bdrv_op_block_all(blk_bs(blk), reason);
    }
}

void blk_op_unblock_all(BlockBackend *blk, Error *reason)
{
    if (blk->root) {
        bdrv_op_unblock_all(blk_bs(blk), reason);
    }
}

BlockAcctStats *blk_get_stats(BlockBackend *blk)
{
    return &blk->stats;
}

int blk_probe_blocksizes(BlockBackend *blk, uint32_t *log, uint32_t *phys)
{
    BlockDriverState *bs = blk_bs(blk);

    if (bs && bs->drv && bs->drv->bdrv_probe_blocksizes) {
        return bs->drv->bdrv_probe_blocksizes(bs, log, phys);
    }
    return -ENOTSUP;
}

/* ---- Event loop ---- */

AioContext *blk_get_aio_context(BlockBackend *blk)
{
    return blk->root ? bdrv_get_aio_context(blk_bs(blk)) : blk->ctx;
}

int blk_set_aio_context(BlockBackend *blk, AioContext *new_context,
                        Error **errp)
{
    int ret = 0;

    if (blk->root) {
        blk->moving = true;
        ret = bdrv_try_change_aio_context(blk_bs(blk), new_context, NULL,
                                          errp);
        blk->moving = false;
    } else {
        blk->ctx = new_context;
    }
    return ret;
}

void blk_add_aio_context_notifier(BlockBackend *blk,
        void (*attached_aio_context)(AioContext *new_context, void *opaque),
        void (*detach_aio_context)(void *opaque), void *opaque)
{
    BlkAioNotifier *n = g_new0(BlkAioNotifier, 1);

    n->attached_aio_context = attached_aio_context;
    n->detach_aio_context = detach_aio_context;
    n->opaque = opaque;
    QLIST_INSERT_HEAD(&blk->aio_notifiers, n, list);
}

void blk_remove_aio_context_notifier(BlockBackend *blk,
        void (*attached_aio_context)(AioContext *new_context, void *opaque),
        void (*detach_aio_context)(void *opaque), void *opaque)
{
    BlkAioNotifier *n;

    QLIST_FOREACH(n, &blk->aio_notifiers, list) {
        if (n->attached_aio_context == attached_aio_context &&
            n->detach_aio_context == detach_aio_context &&
            n->opaque == opaque) {
            QLIST_REMOVE(n, list);
            g_free(n);
            return;
        }
    }
    g_assert_not_reached();
}

void blk_add_remove_bs_notifier(BlockBackend *blk, Notifier *notify)
{
    notifier_list_add(&blk->remove_bs_notifiers, notify);
}

void blk_add_insert_bs_notifier(BlockBackend *blk, Notifier *notify)
{
    notifier_list_add(&blk->insert_bs_notifiers, notify);
}

/* ---- Throttling ---- */

void blk_set_io_limits(BlockBackend *blk, ThrottleConfig *cfg)
{
    throttle_group_config(&blk->public.throttle_group_member, cfg);
}

void blk_io_limits_enable(BlockBackend *blk, const char *group)
{
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;

    assert(!tgm->throttle_state);
    throttle_group_register_tgm(tgm, group, blk_get_aio_context(blk));
}

void blk_io_limits_disable(BlockBackend *blk)
{
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;
    BlockDriverState *bs = blk_bs(blk);

    assert(tgm->throttle_state);
    if (bs) {
        bdrv_ref(bs);
        bdrv_drained_begin(bs);
    }
    throttle_group_unregister_tgm(tgm);
    if (bs) {
        bdrv_drained_end(bs);
        bdrv_unref(bs);
    }
}

void blk_io_limits_update_group(BlockBackend *blk, const char *group)
{
    ThrottleGroupMember *tgm = &blk->public.throttle_group_member;

    if (!tgm->throttle_state ||
        !strcmp(throttle_group_get_name(tgm), group)) {
        return;
    }
    blk_io_limits_disable(blk);
    blk_io_limits_enable(blk, group);
}
