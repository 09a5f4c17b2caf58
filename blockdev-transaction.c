/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: transaction.
 *
 * Each action is prepared in turn and adds to a Transaction how to keep or
 * undo it.  A disk that is backed up or gets a snapshot rests from its action
 * on until all actions are done and all jobs have started, so that all of them
 * are of one moment: no disk changes any more when the last one is taken.  A
 * disk whose bitmap loses bits or stops recording rests as well: what is
 * written until the end would be missing if that were undone.
 *
 * Invariant: until all actions are prepared, none has an effect that its
 * abort hook does not take back: jobs are made but not started, bitmaps that
 * go are only hidden, bits that are cleared are kept.
 */
#include "qemu/osdep.h"
#include "blockdev-backup.h"
#include "blockdev-transaction.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-commands-transaction.h"

/* What an action needs to be kept or undone. */
typedef struct ActionState {
    BlockDriverState *bs;       /* a reference, or NULL */
    BdrvDirtyBitmap *bitmap;
    HBitmap *former;            /* bits of ->bitmap */
    BlockJob *job;
    AioContext *ctx;
} ActionState;

static void action_clean(void *opaque)
{
    ActionState *a = opaque;

    bdrv_unref(a->bs);
    g_free(a);
}

void transaction_rest(TransactionRun *run, BlockDriverState *bs)
{
    bdrv_ref(bs);
    bdrv_drained_begin(bs);
    g_ptr_array_add(run->resting, bs);
}

static BlockDriverState *find_node(const char *name, Error **errp)
{
    BlockDriverState *bs = bdrv_lookup_bs(name, name, NULL);

    if (!bs) {
        error_setg(errp, "Node '%s' not found", name);
    }
    return bs;
}

static BdrvDirtyBitmap *find_bitmap(const char *node, const char *name,
                                    BlockDriverState **pbs, Error **errp)
{
    BdrvDirtyBitmap *bitmap;

    *pbs = find_node(node, errp);
    if (!*pbs) {
        return NULL;
    }
    bitmap = bdrv_find_dirty_bitmap(*pbs, name);
    if (!bitmap) {
        error_setg(errp, "Dirty bitmap '%s' not found", name);
    }
    return bitmap;
}

/* The same, of a node that rests from now on. */
static BdrvDirtyBitmap *find_resting_bitmap(TransactionRun *run,
                                            const char *node, const char *name,
                                            BlockDriverState **pbs,
                                            Error **errp)
{
    AioContext *ctx;

    *pbs = find_node(node, errp);
    if (!*pbs) {
        return NULL;
    }
    ctx = bdrv_get_aio_context(*pbs);
    aio_context_acquire(ctx);
    transaction_rest(run, *pbs);
    aio_context_release(ctx);
    return find_bitmap(node, name, pbs, errp);
}

static ActionState *action_new(Transaction *tran,
                               const TransactionActionDrv *drv,
                               BlockDriverState *bs, BdrvDirtyBitmap *bitmap)
{
    ActionState *a = g_new0(ActionState, 1);

    a->bs = bs;
    a->bitmap = bitmap;
    bdrv_ref(bs);
    tran_add(tran, drv, a);
    return a;
}

/* ---- Bitmaps ---- */

static void bitmap_release(void *opaque)
{
    bdrv_release_dirty_bitmap(((ActionState *)opaque)->bitmap);
}

static const TransactionActionDrv bitmap_add_drv = {
    .abort = bitmap_release,
    .clean = action_clean,
};

static bool prepare_bitmap_add(Transaction *tran, BlockDirtyBitmapAdd *arg,
                               Error **errp)
{
    Error *local_err = NULL;
    BlockDriverState *bs;

    qmp_block_dirty_bitmap_add(arg->node, arg->name, arg->has_granularity,
                               arg->granularity, arg->has_persistent,
                               arg->persistent, arg->has_disabled,
                               arg->disabled, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    bs = bdrv_lookup_bs(arg->node, arg->node, &error_abort);
    action_new(tran, &bitmap_add_drv, bs,
               bdrv_find_dirty_bitmap(bs, arg->name));
    return true;
}

static void bitmap_remove_abort(void *opaque)
{
    ActionState *a = opaque;

    bdrv_dirty_bitmap_skip_store(a->bitmap, false);
    bdrv_dirty_bitmap_set_busy(a->bitmap, false);
}

static void bitmap_remove_commit(void *opaque)
{
    ActionState *a = opaque;

    bdrv_dirty_bitmap_set_busy(a->bitmap, false);
    bdrv_release_dirty_bitmap(a->bitmap);
}

static const TransactionActionDrv bitmap_remove_drv = {
    .abort = bitmap_remove_abort,
    .commit = bitmap_remove_commit,
    .clean = action_clean,
};

/* Forget what the image has stored of @bitmap: the bits are here.  If the
 * bitmap stays they are stored when the image is closed. */
static bool forget_stored(BlockDriverState *bs, BdrvDirtyBitmap *bitmap,
                          Error **errp)
{
    AioContext *ctx = bdrv_get_aio_context(bs);
    int ret = 0;

    if (bdrv_dirty_bitmap_get_persistence(bitmap)) {
        aio_context_acquire(ctx);
        ret = bdrv_remove_persistent_dirty_bitmap(
            bs, bdrv_dirty_bitmap_name(bitmap), errp);
        aio_context_release(ctx);
    }
    return ret >= 0;
}

/* It goes at the end. */
static bool prepare_bitmap_remove(Transaction *tran, BlockDirtyBitmap *arg,
                                  Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap = find_bitmap(arg->node, arg->name, &bs, errp);

    if (!bitmap ||
        bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_BUSY | BDRV_BITMAP_RO,
                                errp) ||
        !forget_stored(bs, bitmap, errp)) {
        return false;
    }
    bdrv_dirty_bitmap_skip_store(bitmap, true);
    bdrv_dirty_bitmap_set_busy(bitmap, true);
    action_new(tran, &bitmap_remove_drv, bs, bitmap);
    return true;
}

static void bitmap_restore(void *opaque)
{
    ActionState *a = opaque;

    if (a->former) {
        bdrv_restore_dirty_bitmap(a->bitmap, a->former);
    }
}

static void bitmap_forget(void *opaque)
{
    ActionState *a = opaque;

    if (a->former) {
        hbitmap_free(a->former);
    }
}

static const TransactionActionDrv bitmap_bits_drv = {
    .abort = bitmap_restore,
    .commit = bitmap_forget,
    .clean = action_clean,
};

static bool prepare_bitmap_clear(TransactionRun *run, BlockDirtyBitmap *arg,
                                 Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap = find_resting_bitmap(run, arg->node, arg->name,
                                                  &bs, errp);
    ActionState *a;

    if (!bitmap ||
        bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_DEFAULT, errp)) {
        return false;
    }
    a = action_new(run->tran, &bitmap_bits_drv, bs, bitmap);
    bdrv_clear_dirty_bitmap(bitmap, &a->former);
    return true;
}

static bool prepare_bitmap_merge(TransactionRun *run,
                                 BlockDirtyBitmapMerge *arg, Error **errp)
{
    Error *local_err = NULL;
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap = find_resting_bitmap(run, arg->node, arg->target,
                                                  &bs, errp);
    BdrvDirtyBitmap *empty;
    ActionState *a;

    if (!bitmap) {
        return false;
    }
    /* Merging nothing is how to get a copy of the bits. */
    empty = bdrv_create_dirty_bitmap(bs, bdrv_dirty_bitmap_granularity(bitmap),
                                     NULL, errp);
    if (!empty) {
        return false;
    }
    a = action_new(run->tran, &bitmap_bits_drv, bs, bitmap);
    bdrv_merge_dirty_bitmap(bitmap, empty, &a->former, &local_err);
    bdrv_release_dirty_bitmap(empty);
    if (!local_err) {
        qmp_block_dirty_bitmap_merge(arg->node, arg->target, arg->bitmaps,
                                     &local_err);
    }
    error_propagate(errp, local_err);
    return !local_err;
}

static void bitmap_disable(void *opaque)
{
    bdrv_disable_dirty_bitmap(((ActionState *)opaque)->bitmap);
}

static void bitmap_enable(void *opaque)
{
    bdrv_enable_dirty_bitmap(((ActionState *)opaque)->bitmap);
}

static const TransactionActionDrv bitmap_enable_drv = {
    .abort = bitmap_disable,
    .clean = action_clean,
};

static const TransactionActionDrv bitmap_disable_drv = {
    .abort = bitmap_enable,
    .clean = action_clean,
};

static bool prepare_bitmap_switch(TransactionRun *run, BlockDirtyBitmap *arg,
                                  bool enable, Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap = find_resting_bitmap(run, arg->node, arg->name,
                                                  &bs, errp);

    if (!bitmap ||
        bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_ALLOW_RO, errp)) {
        return false;
    }
    if (bdrv_dirty_bitmap_enabled(bitmap) == enable) {
        return true;
    }
    if (enable) {
        bdrv_enable_dirty_bitmap(bitmap);
        action_new(run->tran, &bitmap_enable_drv, bs, bitmap);
    } else {
        bdrv_disable_dirty_bitmap(bitmap);
        action_new(run->tran, &bitmap_disable_drv, bs, bitmap);
    }
    return true;
}

/* ---- Jobs ---- */

/* One that is cancelled takes the others of its group with it. */
static void job_throw_away(void *opaque)
{
    ActionState *a = opaque;

    aio_context_acquire(a->ctx);
    if (a->job->status == BLOCK_JOB_STATUS_CREATED) {
        block_job_cancel_sync(a->job);
    }
    aio_context_release(a->ctx);
}

static void job_clean(void *opaque)
{
    ActionState *a = opaque;

    aio_context_acquire(a->ctx);
    block_job_unref(a->job);
    aio_context_release(a->ctx);
    action_clean(a);
}

static const TransactionActionDrv job_drv = {
    .abort = job_throw_away,
    .clean = job_clean,
};

static bool prepare_backup(TransactionRun *run, TransactionAction *action,
                           Error **errp)
{
    bool drive = action->type == TRANSACTION_ACTION_KIND_DRIVE_BACKUP;
    const char *device = drive ? action->u.drive_backup.data->device
                               : action->u.blockdev_backup.data->device;
    BlockDriverState *bs = bdrv_lookup_bs(device, device, errp);
    AioContext *ctx;
    BlockJob *job;

    if (!bs) {
        return false;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    transaction_rest(run, bs);
    job = drive ? drive_backup_prepare(action->u.drive_backup.data, run->txn,
                                       errp)
                : blockdev_backup_prepare(action->u.blockdev_backup.data,
                                          run->txn, errp);
    aio_context_release(ctx);
    if (job) {
        ActionState *a = action_new(run->tran, &job_drv, bs, NULL);

        a->job = job;
        block_job_ref(job);
        a->ctx = ctx;
        g_ptr_array_add(run->jobs, job);
    }
    return job;
}

static void job_start(BlockJob *job)
{
    AioContext *ctx = blk_get_aio_context(job->blk);

    aio_context_acquire(ctx);
    block_job_start(job);
    aio_context_release(ctx);
}

static void wake_up(BlockDriverState *bs)
{
    AioContext *ctx = bdrv_get_aio_context(bs);

    aio_context_acquire(ctx);
    bdrv_drained_end(bs);
    bdrv_unref(bs);
    aio_context_release(ctx);
}

/* ---- The command ---- */

static bool prepare(TransactionRun *run, TransactionAction *action,
                    Error **errp)
{
    Transaction *tran = run->tran;

    switch (action->type) {
    case TRANSACTION_ACTION_KIND_ABORT:
        error_setg(errp, "Transaction aborted using Abort action");
        return false;
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_ADD:
        return prepare_bitmap_add(tran, action->u.block_dirty_bitmap_add.data,
                                  errp);
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_REMOVE:
        return prepare_bitmap_remove(
            tran, action->u.block_dirty_bitmap_remove.data, errp);
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_CLEAR:
        return prepare_bitmap_clear(
            run, action->u.block_dirty_bitmap_clear.data, errp);
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_ENABLE:
        return prepare_bitmap_switch(
            run, action->u.block_dirty_bitmap_enable.data, true, errp);
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_DISABLE:
        return prepare_bitmap_switch(
            run, action->u.block_dirty_bitmap_disable.data, false, errp);
    case TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_MERGE:
        return prepare_bitmap_merge(
            run, action->u.block_dirty_bitmap_merge.data, errp);
    case TRANSACTION_ACTION_KIND_BLOCKDEV_BACKUP:
    case TRANSACTION_ACTION_KIND_DRIVE_BACKUP:
        return prepare_backup(run, action, errp);
    case TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT:
        return blockdev_snapshot_prepare(
            run, action->u.blockdev_snapshot.data, errp);
    case TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_SYNC:
        return blockdev_snapshot_sync_prepare(
            run, action->u.blockdev_snapshot_sync.data, errp);
    case TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_INTERNAL_SYNC:
        return blockdev_snapshot_internal_prepare(
            run, action->u.blockdev_snapshot_internal_sync.data, errp);
    default:
        g_assert_not_reached();
    }
}

/* Can the jobs of a transaction with this action end together? */
static bool check_grouped(TransactionActionKind kind, Error **errp)
{
    if (kind == TRANSACTION_ACTION_KIND_BLOCKDEV_BACKUP ||
        kind == TRANSACTION_ACTION_KIND_DRIVE_BACKUP ||
        kind == TRANSACTION_ACTION_KIND_ABORT) {
        return true;
    }
    error_setg(errp, "Action '%s' does not support Transaction property "
               "completion-mode = %s", TransactionActionKind_str(kind),
               ActionCompletionMode_str(ACTION_COMPLETION_MODE_GROUPED));
    return false;
}

void qmp_transaction(TransactionActionList *actions, bool has_properties,
                     TransactionProperties *properties, Error **errp)
{
    bool grouped = has_properties && properties->has_completion_mode &&
        properties->completion_mode == ACTION_COMPLETION_MODE_GROUPED;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new();
    g_autoptr(GPtrArray) resting = g_ptr_array_new();
    TransactionRun run = {
        .tran = tran_new(),
        .txn = grouped ? block_job_txn_new() : NULL,
        .jobs = jobs,
        .resting = resting,
    };
    bool ok = true;
    guint i;

    bdrv_drain_all();
    for (; actions && ok; actions = actions->next) {
        ok = (!grouped || check_grouped(actions->value->type, errp)) &&
             prepare(&run, actions->value, errp);
    }
    tran_finalize(run.tran, ok ? 0 : -ECANCELED);
    /* In the order of the actions, which a Transaction does not keep. */
    for (i = 0; ok && i < jobs->len; i++) {
        job_start(g_ptr_array_index(jobs, i));
    }
    for (i = 0; i < resting->len; i++) {
        wake_up(g_ptr_array_index(resting, i));
    }
    block_job_txn_unref(run.txn);
}

void transaction_single(TransactionAction *action, Error **errp)
{
    TransactionActionList list = { .value = action };

    qmp_transaction(&list, false, NULL, errp);
}
