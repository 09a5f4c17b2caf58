/*
 * SPDX-License-Identifier: MIT
 *
 * How block jobs end: completion, cancellation, transactions, dismissal.
 *
 *   completed --- ret == 0 ---> WAITING --- all others too ---> PENDING
 *       |                                                          |
 *       | ret < 0                    prepare of each, finalize <---+
 *       v                                  |            |
 *   ABORTING (whole transaction) <--fails--+            v
 *       |                                           commit of each
 *       +--> abort of each --> clean, callback, event --> CONCLUDED --> NULL
 *
 * Invariants
 *   1. A job leaves its transaction exactly when it concludes.
 *   2. Exactly one of commit and abort is called for each job, in the main
 *      thread, and then clean, the callback and the final event, in this
 *      order.
 *   3. Once txn->aborting is set, every job of the transaction ends with a
 *      failure.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "blockjob-internal.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qapi-events-block-core.h"
#include "qemu/main-loop.h"
#include "trace.h"

struct BlockJobTxn {
    bool aborting;
    QLIST_HEAD(, BlockJob) jobs;
    int refcnt;
};

/* ---- Membership ---- */

BlockJobTxn *block_job_txn_new(void)
{
    BlockJobTxn *txn = g_new0(BlockJobTxn, 1);

    QLIST_INIT(&txn->jobs);
    txn->refcnt = 1;
    return txn;
}

static void block_job_txn_ref(BlockJobTxn *txn)
{
    txn->refcnt++;
}

void block_job_txn_unref(BlockJobTxn *txn)
{
    if (txn && --txn->refcnt == 0) {
        g_free(txn);
    }
}

void block_job_txn_add_job(BlockJobTxn *txn, BlockJob *job)
{
    if (!txn) {
        return;
    }
    assert(!job->txn);
    job->txn = txn;
    QLIST_INSERT_HEAD(&txn->jobs, job, txn_list);
    block_job_txn_ref(txn);
}

void block_job_txn_join_or_make(BlockJobTxn *txn, BlockJob *job)
{
    if (txn) {
        block_job_txn_add_job(txn, job);
    } else {
        txn = block_job_txn_new();
        block_job_txn_add_job(txn, job);
        block_job_txn_unref(txn);
    }
}

static void block_job_txn_del_job(BlockJob *job)
{
    BlockJobTxn *txn = job->txn;

    if (txn) {
        QLIST_REMOVE(job, txn_list);
        job->txn = NULL;
        block_job_txn_unref(txn);
    }
}

/* Call @fn for each job until one returns non-zero, which is returned.  The
 * job, and what follows it, may leave the transaction in @fn. */
static int block_job_txn_apply(BlockJobTxn *txn, int (*fn)(BlockJob *job))
{
    g_autoptr(GSList) jobs = NULL;
    BlockJob *job;
    GSList *l;
    int ret = 0;

    QLIST_FOREACH(job, &txn->jobs, txn_list) {
        block_job_ref(job);
        jobs = g_slist_append(jobs, job);
    }
    block_job_txn_ref(txn);
    for (l = jobs; l; l = l->next) {
        job = l->data;
        if (!ret && job->txn == txn) {
            AioContext *ctx = blk_get_aio_context(job->blk);

            aio_context_acquire(ctx);
            ret = fn(job);
            aio_context_release(ctx);
        }
        block_job_unref(job);
    }
    block_job_txn_unref(txn);
    return ret;
}

/* ---- The end of one job ---- */

static void block_job_do_dismiss(BlockJob *job)
{
    assert(job);
    job->busy = false;
    job->paused = false;
    job->deferred_to_main_loop = true;
    block_job_txn_del_job(job);
    block_job_set_status(job, BLOCK_JOB_STATUS_NULL);
    block_job_unref(job);
}

void block_job_early_fail(BlockJob *job)
{
    assert(job->status == BLOCK_JOB_STATUS_CREATED);
    block_job_do_dismiss(job);
}

void block_job_dismiss(BlockJob **jobptr, Error **errp)
{
    BlockJob *job = *jobptr;

    if (block_job_apply_verb(job, BLOCK_JOB_VERB_DISMISS, errp)) {
        return;
    }
    block_job_do_dismiss(job);
    *jobptr = NULL;
}

static void block_job_update_ret(BlockJob *job)
{
    if (!job->ret && job->cancelled) {
        job->ret = -ECANCELED;
    }
    if (job->ret) {
        block_job_set_status(job, BLOCK_JOB_STATUS_ABORTING);
    }
}

static void block_job_send_final_event(BlockJob *job)
{
    if (!block_job_sends_events(job) || !block_job_started(job)) {
        return;
    }
    if (job->cancelled) {
        qapi_event_send_block_job_cancelled(job->driver->job_type, job->id,
                                            job->len, job->offset, job->speed,
                                            &error_abort);
    } else {
        qapi_event_send_block_job_completed(job->driver->job_type, job->id,
                                            job->len, job->offset, job->speed,
                                            job->ret < 0,
                                            block_job_error_text(job),
                                            &error_abort);
    }
}

/* Commit or abort, tell everybody, conclude. May free the job. */
static int block_job_conclude(BlockJob *job)
{
    const BlockJobDriver *drv = job->driver;

    assert(job->completed);
    block_job_update_ret(job);
    if (!job->ret) {
        if (drv->commit) {
            drv->commit(job);
        }
    } else if (drv->abort) {
        drv->abort(job);
    }
    if (drv->clean) {
        drv->clean(job);
    }
    if (job->cb) {
        job->cb(job->opaque, job->ret);
    }
    block_job_send_final_event(job);
    block_job_txn_del_job(job);
    block_job_set_status(job, BLOCK_JOB_STATUS_CONCLUDED);
    if (job->auto_dismiss || !block_job_started(job)) {
        block_job_do_dismiss(job);
    }
    return 0;
}

/* ---- The end of a transaction ---- */

static void block_job_mark_cancelled(BlockJob *job, bool force)
{
    block_job_drop_user_pause(job);
    job->cancelled = true;
    job->force |= force;
    if (force && job->driver->cancel && block_job_started(job) &&
        !job->deferred_to_main_loop && !job->completed) {
        job->driver->cancel(job);
    }
}

/* One step towards the end; is there another one? */
static bool block_job_still_runs(BlockJob *job)
{
    if (!job->completed && !job->deferred_to_main_loop) {
        block_job_drain(job);
    }
    return !job->completed;
}

static void block_job_wait_completed(BlockJob *job)
{
    AIO_WAIT_WHILE(blk_get_aio_context(job->blk), block_job_still_runs(job));
}

/* @job failed or was cancelled: so do all others. */
static void block_job_txn_abort(BlockJob *job)
{
    BlockJobTxn *txn = job->txn;
    BlockJob *other;

    /* Further failures while we wait for the jobs below. */
    if (txn->aborting) {
        return;
    }
    txn->aborting = true;
    block_job_txn_ref(txn);

    /* The caller holds the context of @job. */
    QLIST_FOREACH(other, &txn->jobs, txn_list) {
        if (other != job) {
            aio_context_acquire(blk_get_aio_context(other->blk));
            /* Its result is lost: no point in waiting for it to be in sync. */
            block_job_mark_cancelled(other, true);
        }
    }
    while (!QLIST_EMPTY(&txn->jobs)) {
        AioContext *ctx;
        bool is_caller;

        other = QLIST_FIRST(&txn->jobs);
        ctx = blk_get_aio_context(other->blk);
        if (!other->completed) {
            assert(other->cancelled);
            block_job_ref(other);
            if (block_job_started(other)) {
                block_job_wait_completed(other);
            } else {
                block_job_completed(other, -ECANCELED);
            }
            block_job_unref(other);
        }
        is_caller = other == job;
        block_job_conclude(other);
        if (!is_caller) {
            aio_context_release(ctx);
        }
    }
    block_job_txn_unref(txn);
}

static int block_job_do_prepare(BlockJob *job)
{
    if (!job->ret && job->driver->prepare) {
        job->ret = job->driver->prepare(job);
    }
    return job->ret;
}

static BlockJob *block_job_txn_first_failed(BlockJobTxn *txn)
{
    BlockJob *job;

    QLIST_FOREACH(job, &txn->jobs, txn_list) {
        if (job->ret) {
            return job;
        }
    }
    return NULL;
}

static void block_job_do_finalize(BlockJob *job)
{
    AioContext *ctx;

    assert(job->txn);
    if (!block_job_txn_apply(job->txn, block_job_do_prepare)) {
        block_job_txn_apply(job->txn, block_job_conclude);
        return;
    }
    /* Not @job fails the others, which may have succeeded. */
    job = block_job_txn_first_failed(job->txn);
    ctx = blk_get_aio_context(job->blk);
    aio_context_acquire(ctx);
    block_job_txn_abort(job);
    aio_context_release(ctx);
}

static int block_job_become_pending(BlockJob *job)
{
    block_job_set_status(job, BLOCK_JOB_STATUS_PENDING);
    if (!job->auto_finalize && block_job_sends_events(job)) {
        qapi_event_send_block_job_pending(job->driver->job_type, job->id,
                                          &error_abort);
    }
    return 0;
}

static int block_job_needs_finalize(BlockJob *job)
{
    return !job->auto_finalize;
}

static void block_job_txn_success(BlockJob *job)
{
    BlockJobTxn *txn = job->txn;
    BlockJob *other;

    block_job_set_status(job, BLOCK_JOB_STATUS_WAITING);
    QLIST_FOREACH(other, &txn->jobs, txn_list) {
        if (!other->completed) {
            return;
        }
        assert(other->ret == 0);
    }
    block_job_txn_apply(txn, block_job_become_pending);
    if (!block_job_txn_apply(txn, block_job_needs_finalize)) {
        block_job_do_finalize(job);
    }
}

void block_job_completed(BlockJob *job, int ret)
{
    assert(job && job->txn && !job->completed);
    job->completed = true;
    job->ret = ret;
    block_job_update_ret(job);
    trace_block_job_completed(job, ret, job->ret);
    if (job->ret) {
        block_job_txn_abort(job);
    } else {
        block_job_txn_success(job);
    }
}

void block_job_finalize(BlockJob *job, Error **errp)
{
    assert(job && job->id);
    if (!block_job_apply_verb(job, BLOCK_JOB_VERB_FINALIZE, errp)) {
        block_job_do_finalize(job);
    }
}

/* ---- Cancel and complete ---- */

void block_job_cancel(BlockJob *job, bool force)
{
    if (job->status == BLOCK_JOB_STATUS_CONCLUDED) {
        block_job_do_dismiss(job);
        return;
    }
    block_job_mark_cancelled(job, force);
    if (!block_job_started(job)) {
        block_job_completed(job, -ECANCELED);
    } else if (job->deferred_to_main_loop) {
        /* About to complete, or waits for its transaction or for the user. */
        block_job_txn_abort(job);
    } else {
        block_job_enter(job);
    }
}

void block_job_user_cancel(BlockJob *job, bool force, Error **errp)
{
    if (!block_job_apply_verb(job, BLOCK_JOB_VERB_CANCEL, errp)) {
        block_job_cancel(job, force);
    }
}

static void block_job_try_complete(BlockJob *job, bool running, Error **errp)
{
    assert(job->id);
    if (block_job_apply_verb(job, BLOCK_JOB_VERB_COMPLETE, errp)) {
        return;
    }
    if (!running || job->cancelled || !job->driver->complete) {
        error_setg(errp, "The active block job '%s' cannot be completed",
                   job->id);
        return;
    }
    job->driver->complete(job, errp);
}

void block_job_complete(BlockJob *job, Error **errp)
{
    block_job_try_complete(job, job->pause_count == 0, errp);
}

void block_job_user_complete(BlockJob *job, Error **errp)
{
    block_job_try_complete(job, true, errp);
}

static int block_job_sync_result(BlockJob *job)
{
    return job->cancelled && job->ret == 0 ? -ECANCELED : job->ret;
}

int block_job_cancel_sync(BlockJob *job)
{
    int ret;

    block_job_ref(job);
    block_job_cancel(job, false);
    block_job_wait_completed(job);
    ret = block_job_sync_result(job);
    block_job_unref(job);
    return ret;
}

int block_job_complete_sync(BlockJob *job, Error **errp)
{
    Error *local_err = NULL;
    int ret;

    block_job_ref(job);
    block_job_complete(job, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        ret = -EBUSY;
    } else {
        block_job_wait_completed(job);
        ret = block_job_sync_result(job);
    }
    block_job_unref(job);
    return ret;
}

static void block_job_lock_and_cancel(BlockJob *job)
{
    AioContext *ctx = blk_get_aio_context(job->blk);

    aio_context_acquire(ctx);
    block_job_cancel_sync(job);
    aio_context_release(ctx);
}

/* Jobs of this type have no node by which a drained section could pause them;
 * their requests would wait for its end. */
static BlockJob *block_job_first_create(void)
{
    BlockJob *job;

    for (job = block_job_next(NULL); job; job = block_job_next(job)) {
        if (job->driver->job_type == BLOCK_JOB_TYPE_CREATE) {
            break;
        }
    }
    return job;
}

void block_job_cancel_sync_all(void)
{
    BlockJob *job;

    while ((job = block_job_first_create())) {
        block_job_lock_and_cancel(job);
    }
    if (!block_job_next(NULL)) {
        return;
    }
    /* What the jobs wait for may be throttled, by a clock that stands still:
     * in a drained section there are no limits. */
    bdrv_drain_all_begin();
    while ((job = block_job_next(NULL))) {
        block_job_lock_and_cancel(job);
    }
    bdrv_drain_all_end();
}
