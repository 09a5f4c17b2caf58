/*
 * SPDX-License-Identifier: MIT
 *
 * Block jobs: long-running operations on nodes of the block graph, as their
 * users see them.  blockjob_int.h has what job classes need.
 *
 * Unless said otherwise, functions are called in the main thread, outside
 * coroutines, with the AioContext of the job's node held.  Errors are given
 * through @errp; a refused verb leaves the job as it was.
 *
 * The life of a job, its states and verbs: docs/devel/job-lifecycle.rst.
 */
#ifndef BLOCKJOB_H
#define BLOCKJOB_H

#include "block/block.h"
#include "qemu/ratelimit.h"

/* Length of a slice of the rate limit, in nanoseconds. */
#define BLOCK_JOB_SLICE_TIME 100000000ULL

typedef struct BlockJobDriver BlockJobDriver;
typedef struct BlockJobTxn BlockJobTxn;

/*
 * How fast a job was lately: what it had copied at two moments, some seconds
 * apart, the first of which is its start.  Times by get_clock_coarse(); 0
 * before the start.
 */
typedef struct BlockJobRate {
    int64_t older_ns;
    int64_t older;
    int64_t newer_ns;
    int64_t newer;
} BlockJobRate;

/*
 * A job.  Job classes embed it as the first member of their own struct.
 * Fields are read by users; only blockjob.c writes them, save the exceptions
 * that are named.
 */
typedef struct BlockJob {
    /* Immutable: the class. */
    const BlockJobDriver *driver;

    /* Immutable: backend for the job's I/O on its main node. It may sit on
     * another node at the end than at creation; jobs without a node have an
     * empty one. */
    BlockBackend *blk;

    /* Immutable: name for users, unique; NULL for internal jobs. */
    char *id;

    /* The coroutine that does the work; NULL before block_job_start(). */
    Coroutine *co;

    /* Cancellation was requested.  A class may take it back, to turn a
     * cancel into a completion. */
    bool cancelled;

    /* The cancellation must not wait until source and target are in sync.
     * Sticky. */
    bool force;

    /* Reasons to be paused that are in force: the user or an error (one),
     * each drained section of each node, not yet started. */
    int pause_count;

    /* One of the reasons is the user, or an error that stopped the job. */
    bool user_paused;

    /* The coroutine runs or is about to be entered.  False only while it sits
     * in a yield from which block_job_enter() may take it.  Under
     * block_job_mutex. */
    bool busy;

    /* The job is parked: no requests, no timers. */
    bool paused;

    /* block_job_event_ready() was called. */
    bool ready;

    /* Work was handed over to the main loop; the coroutine is over or about
     * to end and must not be entered. */
    bool deferred_to_main_loop;

    /* In the list of all jobs. */
    QLIST_ENTRY(BlockJob) job_list;

    /* First error since the last reset, for query-block-jobs. */
    BlockDeviceIoStatus iostatus;

    /* Progress: done, and where it will end. In units of the class, mostly
     * bytes. */
    int64_t offset;
    int64_t len;
    BlockJobRate rate;

    /* Limit set last, in units of progress per second; 0 = none. */
    int64_t speed;

    /* State of the limit. */
    RateLimit limit;

    /* Called once with the result; may be NULL. */
    BlockCompletionFunc *cb;

    /* Reason of the op blockers on the job's nodes. */
    Error *blocker;

    /* BdrvChild of each node of the job. */
    GSList *nodes;

    /* Argument of @cb. */
    void *opaque;

    int refcnt;

    /* block_job_completed() was called. */
    bool completed;

    /* Result: 0 or -errno. */
    int ret;

    /* What went wrong, in words; NULL: what ret says. */
    Error *err;

    /* For block_job_sleep_ns(); REALTIME, main loop. Under
     * block_job_mutex. */
    QEMUTimer sleep_timer;

    /* Position in the state machine; one function writes it. */
    BlockJobStatus status;

    /* Immutable: what happens by itself at the end. */
    bool auto_finalize;
    bool auto_dismiss;

    /* The transaction; NULL once the job has left it. */
    BlockJobTxn *txn;
    QLIST_ENTRY(BlockJob) txn_list;
} BlockJob;

typedef enum BlockJobCreateFlags {
    BLOCK_JOB_DEFAULT = 0x00,
    /* No ID, no events, invisible to management. */
    BLOCK_JOB_INTERNAL = 0x01,
    /* Wait in PENDING for block_job_finalize(). */
    BLOCK_JOB_MANUAL_FINALIZE = 0x02,
    /* Wait in CONCLUDED for block_job_dismiss(). */
    BLOCK_JOB_MANUAL_DISMISS = 0x04,
} BlockJobCreateFlags;

/* Iterate over all jobs, internal ones included, newest first. NULL starts;
 * NULL at the end. */
BlockJob *block_job_next(BlockJob *job);

/* The job with this ID (not NULL), or NULL. */
BlockJob *block_job_get(const char *id);

/*
 * Make @bs one of the job's nodes: a child edge called @name with these
 * permissions, a reference, and all operations on it blocked.  Draining it
 * pauses the job.  0, or -EPERM with @errp.
 */
int block_job_add_bdrv(BlockJob *job, const char *name, BlockDriverState *bs,
                       uint64_t perm, uint64_t shared_perm, Error **errp);

/* Undo all block_job_add_bdrv() calls; may be done before completion. */
void block_job_remove_all_bdrv(BlockJob *job);

/* Verb set-speed. @speed >= 0; 0 lifts the limit. Wakes a job that sleeps off
 * a limit which is raised. */
void block_job_set_speed(BlockJob *job, int64_t speed, Error **errp);

/* Let a created job run; returns at its first yield.  Consumes one
 * reference. */
void block_job_start(BlockJob *job);

/*
 * Ask the job to end.  Asynchronous, except that a job that was never started
 * is completed at once and a concluded one dismissed.  With @force the job
 * does not wait for anything.
 */
void block_job_cancel(BlockJob *job, bool force);

/* Verb complete: ask a ready job to end with success. Asynchronous. */
void block_job_complete(BlockJob *job, Error **errp);

/* The same for a client; a job that is paused ends after it is resumed. */
void block_job_user_complete(BlockJob *job, Error **errp);

/* Verb finalize: commit (or abort) the whole transaction of a pending job.
 * Graph changes have happened when this returns. */
void block_job_finalize(BlockJob *job, Error **errp);

/* Verb dismiss: forget a concluded job. *@job becomes NULL on success. */
void block_job_dismiss(BlockJob **job, Error **errp);

/* Any context of the job: @done more units are done. */
void block_job_progress_update(BlockJob *job, uint64_t done);

/* Any context of the job: @remaining units are still to be done. */
void block_job_progress_set_remaining(BlockJob *job, uint64_t remaining);

/* A newly allocated description, or NULL for internal jobs. */
BlockJobInfo *block_job_query(BlockJob *job, Error **errp);

/* Verb pause; the job parks at its next pause point. */
void block_job_user_pause(BlockJob *job, Error **errp);

/* Is the job paused by the user or by an error? */
bool block_job_user_paused(BlockJob *job);

/* Verb resume, after block_job_user_pause() or an error. */
void block_job_user_resume(BlockJob *job, Error **errp);

/* Verb cancel. */
void block_job_user_cancel(BlockJob *job, bool force, Error **errp);

/* Cancel without force and wait until the job is completed.  Returns its
 * result, -ECANCELED if it was cancelled before it had one. */
int block_job_cancel_sync(BlockJob *job);

/* The same for every job. Takes the AioContexts itself. */
void block_job_cancel_sync_all(void);

/* Complete and wait. The job's result, or -EBUSY with @errp if it can't be
 * completed now. */
int block_job_complete_sync(BlockJob *job, Error **errp);

/* Forget errors of the past. If there were any, the job must be paused by
 * user or error. */
void block_job_iostatus_reset(BlockJob *job);

/*
 * A transaction: its jobs wait for each other at the end; all succeed, or the
 * first failure cancels the others.  The caller owns a reference; each job
 * another one.
 */
BlockJobTxn *block_job_txn_new(void);

void block_job_ref(BlockJob *job);

/* Drop a reference; at 0 the job, which must be dismissed, is freed. */
void block_job_unref(BlockJob *job);

/* NULL is allowed. */
void block_job_txn_unref(BlockJobTxn *txn);

/* @txn NULL: nothing happens. @job must not have a transaction. */
void block_job_txn_add_job(BlockJobTxn *txn, BlockJob *job);

/* Is it invisible to users? */
bool block_job_is_internal(BlockJob *job);

#endif
