/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: snapshots of disks, into a new overlay (external) or inside of the
 * image (internal).  Those that change a disk are actions of transactions; a
 * command is a transaction with one action.
 *
 * Invariants:
 *   1. From its preparation to the end of the transaction a disk rests.  Its
 *      overlay does, too: who uses it waits for the node below it.
 *   2. Undoing puts every user back to where it was, and the overlay back to
 *      its thread; a file that was created stays.
 */
#include "qemu/osdep.h"
#include "blockdev-transaction.h"
#include "block/block_int.h"
#include "block/qapi.h"
#include "block/snapshot.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"

/* ---- External snapshots ---- */

typedef struct ExternalSnapshot {
    BlockDriverState *disk;     /* references */
    BlockDriverState *overlay;
    AioContext *home;           /* of the overlay before */
    GSList *users;              /* edges to the overlay from before */
} ExternalSnapshot;

static void external_abort(void *opaque)
{
    ExternalSnapshot *s = opaque;
    AioContext *ctx = bdrv_get_aio_context(s->disk);

    aio_context_acquire(ctx);
    /* What this leads to was allowed before. */
    bdrv_drop_overlay(s->overlay, s->users, &error_abort);
    bdrv_try_change_aio_context(s->overlay, s->home, NULL, NULL);
    aio_context_release(ctx);
}

/* Nothing writes to it through the overlay.  Who else does keeps it as it
 * is. */
static void external_commit(void *opaque)
{
    ExternalSnapshot *s = opaque;
    AioContext *ctx = bdrv_get_aio_context(s->disk);

    aio_context_acquire(ctx);
    if (!atomic_read(&s->disk->copy_on_read)) {
        bdrv_reopen_set_read_only(s->disk, true, NULL);
    }
    aio_context_release(ctx);
}

static void external_clean(void *opaque)
{
    ExternalSnapshot *s = opaque;

    bdrv_unref(s->overlay);
    bdrv_unref(s->disk);
    g_slist_free(s->users);
    g_free(s);
}

static const TransactionActionDrv external_drv = {
    .abort = external_abort,
    .commit = external_commit,
    .clean = external_clean,
};

/* Can @disk get an overlay?  What is in flight is on disk afterwards. */
static bool check_disk(BlockDriverState *disk, Error **errp)
{
    if (!bdrv_is_inserted(disk)) {
        error_setg(errp, QERR_DEVICE_HAS_NO_MEDIUM,
                   bdrv_get_device_or_node_name(disk));
        return false;
    }
    if (bdrv_op_is_blocked(disk, BLOCK_OP_TYPE_EXTERNAL_SNAPSHOT, errp)) {
        return false;
    }
    if (!bdrv_is_read_only(disk) && bdrv_flush(disk) < 0) {
        error_setg(errp, QERR_IO_ERROR);
        return false;
    }
    return true;
}

/* Its users, if any, must not read from it. */
static bool check_overlay(BlockDriverState *overlay, Error **errp)
{
    uint64_t perm, shared;

    bdrv_get_cumulative_perm(overlay, &perm, &shared);
    if (perm & BLK_PERM_CONSISTENT_READ) {
        error_setg(errp, "The overlay is already in use");
        return false;
    }
    if (bdrv_cow_child(overlay)) {
        error_setg(errp, "The overlay already has a backing image");
        return false;
    }
    if (overlay->drv->is_filter) {
        error_setg(errp, "Filters cannot be used as overlays");
        return false;
    }
    if (!overlay->drv->supports_backing) {
        error_setg(errp, "The overlay does not support backing images");
        return false;
    }
    return true;
}

/* Put @overlay, which may be moved to @disk's AioContext, above @disk. */
static bool put_above(TransactionRun *run, BlockDriverState *disk,
                      BlockDriverState *overlay, Error **errp)
{
    AioContext *ctx = bdrv_get_aio_context(disk);
    AioContext *home = bdrv_get_aio_context(overlay);
    GSList *users = NULL;
    ExternalSnapshot *s;
    BdrvChild *c;

    if (!check_overlay(overlay, errp) ||
        bdrv_try_change_aio_context(overlay, ctx, NULL, errp) < 0) {
        return false;
    }
    QLIST_FOREACH(c, &overlay->parents, next_parent) {
        users = g_slist_prepend(users, c);
    }
    if (bdrv_append(overlay, disk, errp) < 0) {
        bdrv_try_change_aio_context(overlay, home, NULL, NULL);
        g_slist_free(users);
        return false;
    }
    s = g_new(ExternalSnapshot, 1);
    *s = (ExternalSnapshot) {
        .disk = disk, .overlay = overlay, .home = home, .users = users,
    };
    bdrv_ref(disk);
    bdrv_ref(overlay);
    tran_add(run->tran, &external_drv, s);
    return true;
}

static bool snapshot_into_node(TransactionRun *run, BlockDriverState *disk,
                               const BlockdevSnapshot *arg, Error **errp)
{
    BlockDriverState *overlay;

    if (!check_disk(disk, errp)) {
        return false;
    }
    overlay = bdrv_lookup_bs(arg->overlay, arg->overlay, errp);
    if (!overlay) {
        return false;
    }
    transaction_rest(run, overlay);
    return put_above(run, disk, overlay, errp);
}

bool blockdev_snapshot_prepare(TransactionRun *run, const BlockdevSnapshot *arg,
                               Error **errp)
{
    BlockDriverState *disk = bdrv_lookup_bs(arg->node, arg->node, errp);
    AioContext *ctx;
    bool ok;

    if (!disk) {
        return false;
    }
    ctx = bdrv_get_aio_context(disk);
    aio_context_acquire(ctx);
    transaction_rest(run, disk);
    ok = snapshot_into_node(run, disk, arg, errp);
    aio_context_release(ctx);
    return ok;
}

static bool check_overlay_name(const BlockdevSnapshotSync *arg, Error **errp)
{
    if (arg->has_node_name && !arg->has_snapshot_node_name) {
        error_setg(errp, "New overlay node-name missing");
        return false;
    }
    if (arg->has_snapshot_node_name &&
        bdrv_lookup_bs(arg->snapshot_node_name, arg->snapshot_node_name,
                       NULL)) {
        error_setg(errp, "New overlay node-name already in use");
        return false;
    }
    return true;
}

static bool create_overlay(BlockDriverState *disk, const char *file,
                           const char *format, int flags, Error **errp)
{
    BlockDriverState *image = bdrv_skip_filters(disk);
    int64_t size = bdrv_getlength(disk);
    Error *local_err = NULL;

    if (size < 0) {
        error_setg_errno(errp, -size, "bdrv_getlength failed");
        return false;
    }
    bdrv_refresh_filename(image);
    bdrv_img_create(file, format, image->filename, image->drv->format_name,
                    NULL, size, flags, false, &local_err);
    error_propagate(errp, local_err);
    return !local_err;
}

static bool snapshot_into_file(TransactionRun *run, BlockDriverState *disk,
                               const BlockdevSnapshotSync *arg, Error **errp)
{
    const char *format = arg->has_format ? arg->format : "qcow2";
    int flags = disk->open_flags;
    BlockDriverState *overlay;
    QDict *options;
    bool ok;

    if (!check_disk(disk, errp) || !check_overlay_name(arg, errp)) {
        return false;
    }
    flags &= ~(BDRV_O_SNAPSHOT | BDRV_O_TEMPORARY | BDRV_O_COPY_ON_READ);
    flags |= BDRV_O_NO_BACKING;
    if (!(arg->has_mode && arg->mode == NEW_IMAGE_MODE_EXISTING) &&
        !create_overlay(disk, arg->snapshot_file, format, flags, errp)) {
        return false;
    }
    options = qdict_new();
    if (arg->has_snapshot_node_name) {
        qdict_put_str(options, "node-name", arg->snapshot_node_name);
    }
    qdict_put_str(options, "driver", format);
    overlay = bdrv_open(arg->snapshot_file, NULL, options, flags, errp);
    if (!overlay) {
        return false;
    }
    ok = put_above(run, disk, overlay, errp);
    /* Its users hold it now, if the disk has any. */
    bdrv_unref(overlay);
    return ok;
}

bool blockdev_snapshot_sync_prepare(TransactionRun *run,
                                    const BlockdevSnapshotSync *arg,
                                    Error **errp)
{
    BlockDriverState *disk =
        bdrv_lookup_bs(arg->has_device ? arg->device : NULL,
                       arg->has_node_name ? arg->node_name : NULL, errp);
    AioContext *ctx;
    bool ok;

    if (!disk) {
        return false;
    }
    ctx = bdrv_get_aio_context(disk);
    aio_context_acquire(ctx);
    transaction_rest(run, disk);
    ok = snapshot_into_file(run, disk, arg, errp);
    aio_context_release(ctx);
    return ok;
}

void qmp_blockdev_snapshot(BlockdevSnapshot *arg, Error **errp)
{
    TransactionAction action = {
        .type = TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT,
        .u.blockdev_snapshot.data = arg,
    };

    transaction_single(&action, errp);
}

void qmp_blockdev_snapshot_sync(BlockdevSnapshotSync *arg, Error **errp)
{
    TransactionAction action = {
        .type = TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_SYNC,
        .u.blockdev_snapshot_sync.data = arg,
    };

    transaction_single(&action, errp);
}

/* ---- Internal snapshots ---- */

typedef struct InternalSnapshot {
    BlockDriverState *disk;     /* a reference */
    QEMUSnapshotInfo sn;
} InternalSnapshot;

static void internal_abort(void *opaque)
{
    InternalSnapshot *s = opaque;
    AioContext *ctx = bdrv_get_aio_context(s->disk);
    Error *err = NULL;

    aio_context_acquire(ctx);
    if (bdrv_snapshot_delete(s->disk, s->sn.id_str, s->sn.name, &err) < 0) {
        error_reportf_err(err, "Failed to delete snapshot with id '%s' and "
                          "name '%s' on device '%s' in abort: ",
                          s->sn.id_str, s->sn.name,
                          bdrv_get_device_or_node_name(s->disk));
    }
    aio_context_release(ctx);
}

static void internal_clean(void *opaque)
{
    InternalSnapshot *s = opaque;

    bdrv_unref(s->disk);
    g_free(s);
}

static const TransactionActionDrv internal_drv = {
    .abort = internal_abort,
    .clean = internal_clean,
};

static bool check_internal(BlockDriverState *disk,
                           const BlockdevSnapshotInternal *arg, Error **errp)
{
    QEMUSnapshotInfo old;
    Error *local_err = NULL;

    if (bdrv_op_is_blocked(disk, BLOCK_OP_TYPE_INTERNAL_SNAPSHOT, errp)) {
        return false;
    }
    if (bdrv_is_read_only(disk)) {
        error_setg(errp, "Device '%s' is read only", arg->device);
        return false;
    }
    if (!bdrv_can_snapshot(disk)) {
        error_setg(errp, "Block format '%s' used by device '%s' does not "
                   "support internal snapshots", disk->drv->format_name,
                   arg->device);
        return false;
    }
    if (!*arg->name) {
        error_setg(errp, "Name is empty");
        return false;
    }
    if (bdrv_snapshot_find_by_id_and_name(disk, NULL, arg->name, &old,
                                          &local_err)) {
        error_setg(errp, "Snapshot with name '%s' already exists on device "
                   "'%s'", arg->name, arg->device);
        return false;
    }
    error_propagate(errp, local_err);
    return !local_err;
}

static bool snapshot_inside(TransactionRun *run, BlockDriverState *disk,
                            const BlockdevSnapshotInternal *arg, Error **errp)
{
    int64_t now = g_get_real_time();
    InternalSnapshot *s;
    int ret;

    if (!check_internal(disk, arg, errp)) {
        return false;
    }
    s = g_new0(InternalSnapshot, 1);
    pstrcpy(s->sn.name, sizeof(s->sn.name), arg->name);
    s->sn.date_sec = now / G_USEC_PER_SEC;
    s->sn.date_nsec = now % G_USEC_PER_SEC * 1000;
    s->sn.vm_clock_nsec = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    s->sn.icount = -1ULL;
    ret = bdrv_snapshot_create(disk, &s->sn);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to create snapshot '%s' on device "
                         "'%s'", arg->name, arg->device);
        g_free(s);
        return false;
    }
    s->disk = disk;
    bdrv_ref(disk);
    tran_add(run->tran, &internal_drv, s);
    return true;
}

bool blockdev_snapshot_internal_prepare(TransactionRun *run,
                                        const BlockdevSnapshotInternal *arg,
                                        Error **errp)
{
    BlockDriverState *disk = qmp_get_root_bs(arg->device, errp);
    AioContext *ctx;
    bool ok;

    if (!disk) {
        return false;
    }
    ctx = bdrv_get_aio_context(disk);
    aio_context_acquire(ctx);
    transaction_rest(run, disk);
    ok = snapshot_inside(run, disk, arg, errp);
    aio_context_release(ctx);
    return ok;
}

void qmp_blockdev_snapshot_internal_sync(BlockdevSnapshotInternal *arg,
                                         Error **errp)
{
    TransactionAction action = {
        .type = TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_INTERNAL_SYNC,
        .u.blockdev_snapshot_internal_sync.data = arg,
    };

    transaction_single(&action, errp);
}

static SnapshotInfo *delete_inside(BlockDriverState *disk, const char *device,
                                   const char *id, const char *name,
                                   Error **errp)
{
    Error *local_err = NULL;
    QEMUSnapshotInfo sn;

    if (bdrv_op_is_blocked(disk, BLOCK_OP_TYPE_INTERNAL_SNAPSHOT_DELETE,
                           errp)) {
        return NULL;
    }
    if (!id && !name) {
        error_setg(errp, "Name or id must be provided");
        return NULL;
    }
    if (!bdrv_snapshot_find_by_id_and_name(disk, id, name, &sn, &local_err)) {
        if (local_err) {
            error_propagate(errp, local_err);
        } else {
            error_setg(errp, "Snapshot with id '%s' and name '%s' does not "
                       "exist on device '%s'", id ? id : "null",
                       name ? name : "null", device);
        }
        return NULL;
    }
    if (bdrv_snapshot_delete(disk, id, name, errp) < 0) {
        return NULL;
    }
    return bdrv_snapshot_info(&sn);
}

SnapshotInfo *qmp_blockdev_snapshot_delete_internal_sync(
    const char *device, bool has_id, const char *id, bool has_name,
    const char *name, Error **errp)
{
    BlockDriverState *disk = qmp_get_root_bs(device, errp);
    SnapshotInfo *info;
    AioContext *ctx;

    if (!disk) {
        return NULL;
    }
    ctx = bdrv_get_aio_context(disk);
    aio_context_acquire(ctx);
    info = delete_inside(disk, device, has_id ? id : NULL,
                         has_name ? name : NULL, errp);
    aio_context_release(ctx);
    return info;
}
