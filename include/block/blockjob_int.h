/*
 * SPDX-License-Identifier: MIT
 *
 * Block jobs as job classes see them.  A class is a BlockJobDriver; its jobs
 * are made by block_job_create(), run in a coroutine in the AioContext of
 * their main node, and end by block_job_defer_to_main_loop() and, from there,
 * block_job_completed().
 */
#ifndef BLOCKJOB_INT_H
#define BLOCKJOB_INT_H

#include "block/blockjob.h"
#include "block/block.h"
#include "qemu/notify.h"

/*
 * A class of jobs.  "Main" hooks run in the main thread with the AioContext
 * of the job held; they must not yield.  "Job" hooks run in the job's
 * coroutine and may yield.  Order at the end: prepare, then commit or abort,
 * then clean.
 */
struct BlockJobDriver {
    /* Bytes to allocate, zeroed, for a job. */
    size_t instance_size;

    /* What the job is reported as. */
    BlockJobType job_type;

    /* Not a job on a disk for clients: only the job-* commands and query-jobs
     * know it, and it sends no event but JOB_STATUS_CHANGE. */
    bool job_commands_only;

    /* Job; mandatory if the job is started: does the work. The last thing it
     * does is block_job_defer_to_main_loop(). */
    CoroutineEntry *start;

    /* Main, optional: the user asked a ready job to complete. */
    void (*complete)(BlockJob *job, Error **errp);

    /* Main, optional: all jobs of the transaction are done; failing here
     * aborts it. Not called for a job that has failed. 0 or -errno. */
    int (*prepare)(BlockJob *job);

    /* Main, optional: the transaction succeeds. */
    void (*commit)(BlockJob *job);

    /* Main, optional: job or transaction failed or were cancelled. */
    void (*abort)(BlockJob *job);

    /* Main, optional: after commit or abort, also of a job that was never
     * started. */
    void (*clean)(BlockJob *job);

    /* Main, optional: it is cancelled by force, and must end even if requests
     * of its own never do. */
    void (*cancel)(BlockJob *job);

    /* Job, optional: about to park; no request of the job may be in flight
     * when it returns. */
    void coroutine_fn (*pause)(BlockJob *job);

    /* Job, optional: the job goes on. */
    void coroutine_fn (*resume)(BlockJob *job);

    /* Main, optional: job->blk is in @new_context now; the class moves what
     * else it has. The job is parked. */
    void (*attached_aio_context)(BlockJob *job, AioContext *new_context);

    /* Main, optional: drain nodes other than the main one, so that the job
     * can get on. Called repeatedly while somebody waits for the job. */
    void (*drain)(BlockJob *job);

    /* Main, optional: bytes that are known to lack on the target; -1 while
     * the job finds out what there is to copy. */
    int64_t (*dirty_bytes)(BlockJob *job);

    /* Main or job, optional: bytes of data that were copied since the start;
     * not what is skipped, zeroed or discarded.  Without it, progress is what
     * the rate is about. */
    int64_t (*copied_bytes)(BlockJob *job);
};

/*
 * Make a job in state CREATED; main thread, AioContext of @bs held.
 *
 * @job_id: NULL: the device name of @bs, unless internal
 * @bs:     NULL: the job has no node; it runs in the main context
 * @txn:    NULL: a transaction of its own
 * @perm, @shared_perm: of job->blk on @bs
 * @speed:  units of progress per second, 0 = no limit
 * @flags:  BlockJobCreateFlags
 * @cb:     called with the result in the main thread; may be NULL
 *
 * Returns a job of @driver->instance_size bytes with one reference, or NULL
 * with @errp and nothing changed.
 */
void *block_job_create(const char *job_id, const BlockJobDriver *driver,
                       BlockJobTxn *txn, BlockDriverState *bs, uint64_t perm,
                       uint64_t shared_perm, int64_t speed, int flags,
                       BlockCompletionFunc *cb, void *opaque, Error **errp);

/* Coroutine: sleep, REALTIME clock. Returns early when entered, at once when
 * cancelled. Contains a pause point. */
void block_job_sleep_ns(BlockJob *job, int64_t ns);

/* Coroutine: wait for block_job_enter(); returns at once when cancelled.
 * Contains a pause point. */
void block_job_yield(BlockJob *job);

/* Account @n units; how many nanoseconds to wait before the next ones. */
int64_t block_job_ratelimit_get_delay(BlockJob *job, uint64_t n);

/* Throw away a job that was not started: no callback, no event but the one of
 * the state. */
void block_job_early_fail(BlockJob *job);

/* Main thread, from the deferred function: the work is over. May free the
 * job. */
void block_job_completed(BlockJob *job, int ret);

/* Any context of the job, before block_job_completed(): say in words why it
 * failed.  Takes over @err. */
void block_job_take_error(BlockJob *job, Error *err);

/* Any context of the job. */
bool block_job_is_cancelled(BlockJob *job);

/* Coroutine: park here while there is a reason to be paused. */
void coroutine_fn block_job_pause_point(BlockJob *job);

/* Wake the job if it yields in one of the functions above; otherwise nothing.
 * Any thread. */
void block_job_enter(BlockJob *job);

/* The same, but a job that is parked in a pause point stays there. */
void block_job_kick(BlockJob *job);

/* Main thread: take job->blk off the main node, so that a job that waits to be
 * dismissed keeps no node. */
void block_job_leave_main_node(BlockJob *job);

/* The job can be completed now; it goes on in the meantime. */
void block_job_event_ready(BlockJob *job);

/*
 * An I/O error (@error > 0) happened: what to do by policy @on_err?  STOP has
 * been carried out already: the job is paused as if by the user.  Sends
 * BLOCK_JOB_ERROR, but for a job that stands on an error already.
 */
BlockErrorAction block_job_error_action(BlockJob *job, BlockdevOnError on_err,
                                        int is_read, int error);

typedef void BlockJobDeferToMainLoopFn(BlockJob *job, void *opaque);

/* Coroutine: run @fn in the main thread, AioContext of the job held; the
 * coroutine must return at once. */
void block_job_defer_to_main_loop(BlockJob *job,
                                  BlockJobDeferToMainLoopFn *fn, void *opaque);

/*
 * Listeners of state changes: @notifier->notify gets the BlockJob, whose
 * ->status is the new one. Main thread or the job's coroutine.
 */
void block_job_add_status_listener(Notifier *notifier);

#endif
