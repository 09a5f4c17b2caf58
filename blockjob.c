/*
 * SPDX-License-Identifier: MIT
 *
 * The job core: states and verbs, the coroutine's yields, pauses, rate limit
 * and errors.  How jobs end, alone and in transactions, is in
 * blockjob-txn.c.
 *
 * Invariants (block_job_assert_state() checks them)
 *   1. A change of ->status is an entry of job_transitions; only
 *      block_job_set_status() writes the field.
 *   2. user_paused implies pause_count > 0.
 *   3. paused implies not busy, save from a wake-up by another thread until
 *      the coroutine goes on.
 *   4. busy is false only in CREATED, after the end of the coroutine, or while
 *      the coroutine sits in block_job_do_yield().
 *   5. A job has a transaction from creation until it concludes.
 *   6. job->id is unique among the jobs in the list.
 *
 * Locks: block_job_mutex, a leaf, protects busy and sleep_timer, which the
 * main thread and the job's AioContext race for.  All else is under the
 * AioContext lock of the job's node.
 */
#include "qemu/osdep.h"
#include "block/blockjob_int.h"
#include "block/block_int.h"
#include "block/aio-wait.h"
#include "blockjob-internal.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qapi-events-block-core.h"
#include "qemu/coroutine.h"
#include "qemu/id.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "trace.h"

#define S(x) (1u << BLOCK_JOB_STATUS_##x)

/* From each state: where to. */
static const uint32_t job_transitions[BLOCK_JOB_STATUS__MAX] = {
    [BLOCK_JOB_STATUS_UNDEFINED] = S(CREATED),
    [BLOCK_JOB_STATUS_CREATED]   = S(RUNNING) | S(ABORTING) | S(NULL),
    [BLOCK_JOB_STATUS_RUNNING]   = S(PAUSED) | S(READY) | S(WAITING) |
                                   S(ABORTING),
    [BLOCK_JOB_STATUS_PAUSED]    = S(RUNNING),
    [BLOCK_JOB_STATUS_READY]     = S(STANDBY) | S(WAITING) | S(ABORTING),
    [BLOCK_JOB_STATUS_STANDBY]   = S(READY),
    [BLOCK_JOB_STATUS_WAITING]   = S(PENDING) | S(ABORTING),
    [BLOCK_JOB_STATUS_PENDING]   = S(ABORTING) | S(CONCLUDED),
    [BLOCK_JOB_STATUS_ABORTING]  = S(ABORTING) | S(CONCLUDED),
    [BLOCK_JOB_STATUS_CONCLUDED] = S(NULL),
    [BLOCK_JOB_STATUS_NULL]      = 0,
};

#define S_LIVE (S(CREATED) | S(RUNNING) | S(PAUSED) | S(READY) | S(STANDBY))

/* Each verb: the states that accept it. */
static const uint32_t job_verbs[BLOCK_JOB_VERB__MAX] = {
    [BLOCK_JOB_VERB_CANCEL]    = S_LIVE | S(WAITING) | S(PENDING),
    [BLOCK_JOB_VERB_PAUSE]     = S_LIVE,
    [BLOCK_JOB_VERB_RESUME]    = S_LIVE,
    [BLOCK_JOB_VERB_SET_SPEED] = S_LIVE,
    [BLOCK_JOB_VERB_COMPLETE]  = S(READY) | S(STANDBY),
    [BLOCK_JOB_VERB_DISMISS]   = S(CONCLUDED),
    [BLOCK_JOB_VERB_FINALIZE]  = S(PENDING),
};

static QLIST_HEAD(, BlockJob) block_jobs = QLIST_HEAD_INITIALIZER(block_jobs);
static NotifierList status_listeners =
    NOTIFIER_LIST_INITIALIZER(status_listeners);
static QemuMutex block_job_mutex;

static void __attribute__((constructor)) block_job_init(void)
{
    qemu_mutex_init(&block_job_mutex);
    bdrv_register_close_all_hook(block_job_cancel_sync_all);
}

static void block_job_assert_state(BlockJob *job)
{
#ifdef CONFIG_DEBUG_GRAPH
    assert(job->status < BLOCK_JOB_STATUS__MAX);
    assert(job->pause_count >= 0);
    assert(!job->user_paused || job->pause_count > 0);
    assert(!job->paused || !job->busy || block_job_started(job));
    assert(!job->ready || job->co);
    assert(!job->completed || job->deferred_to_main_loop || !job->co);
#endif
}

/* ---- State ---- */

void block_job_set_status(BlockJob *job, BlockJobStatus to)
{
    BlockJobStatus from = job->status;
    bool legal = job_transitions[from] & (1u << to);

    trace_block_job_state_transition(job, job->ret,
                                     legal ? "allowed" : "disallowed",
                                     BlockJobStatus_str(from),
                                     BlockJobStatus_str(to));
    assert(legal);
    job->status = to;
    if (from != to) {
        notifier_list_notify(&status_listeners, job);
    }
}

void block_job_add_status_listener(Notifier *notifier)
{
    notifier_list_add(&status_listeners, notifier);
}

int block_job_apply_verb(BlockJob *job, BlockJobVerb verb, Error **errp)
{
    bool legal = job_verbs[verb] & (1u << job->status);

    trace_block_job_apply_verb(job, BlockJobStatus_str(job->status),
                               BlockJobVerb_str(verb),
                               legal ? "allowed" : "prohibited");
    if (!legal) {
        error_setg(errp,
                   "Job '%s' in state '%s' cannot accept command verb '%s'",
                   job->id, BlockJobStatus_str(job->status),
                   BlockJobVerb_str(verb));
        return -EPERM;
    }
    return 0;
}

bool block_job_started(BlockJob *job)
{
    return job->co;
}

bool block_job_is_internal(BlockJob *job)
{
    return !job->id;
}

bool block_job_sends_events(BlockJob *job)
{
    return !block_job_is_internal(job) && !job->driver->job_commands_only;
}

bool block_job_is_cancelled(BlockJob *job)
{
    return job->cancelled;
}

bool block_job_user_paused(BlockJob *job)
{
    return job->user_paused;
}

/* ---- List and references ---- */

BlockJob *block_job_next(BlockJob *job)
{
    return job ? QLIST_NEXT(job, job_list) : QLIST_FIRST(&block_jobs);
}

BlockJob *block_job_get(const char *id)
{
    BlockJob *job;

    QLIST_FOREACH(job, &block_jobs, job_list) {
        if (job->id && !strcmp(job->id, id)) {
            return job;
        }
    }
    return NULL;
}

void block_job_ref(BlockJob *job)
{
    job->refcnt++;
}

static void block_job_attached_aio_context(AioContext *new_context,
                                           void *opaque);
static void block_job_detach_aio_context(void *opaque);

void block_job_unref(BlockJob *job)
{
    BlockDriverState *bs;

    assert(job->refcnt > 0);
    if (--job->refcnt > 0) {
        return;
    }

    assert(job->status == BLOCK_JOB_STATUS_NULL);
    assert(!job->txn);
    bs = blk_bs(job->blk);
    if (bs && bs->job == job) {
        bs->job = NULL;
    }
    timer_del(&job->sleep_timer);
    block_job_remove_all_bdrv(job);
    blk_remove_aio_context_notifier(job->blk, block_job_attached_aio_context,
                                    block_job_detach_aio_context, job);
    blk_unref(job->blk);
    error_free(job->blocker);
    error_free(job->err);
    g_free(job->id);
    QLIST_REMOVE(job, job_list);
    g_free(job);
}

/* ---- Entering and yielding ---- */

/* Enter the coroutine if it waits in block_job_do_yield(), and, with @only_if,
 * if that says so under the lock. */
static void block_job_enter_if(BlockJob *job, bool (*only_if)(BlockJob *job))
{
    bool go;

    qemu_mutex_lock(&block_job_mutex);
    go = block_job_started(job) && !job->deferred_to_main_loop &&
         !job->busy && (!only_if || only_if(job));
    if (go) {
        timer_del(&job->sleep_timer);
        job->busy = true;
    }
    qemu_mutex_unlock(&block_job_mutex);

    if (go) {
        /* Not where it ran last: the node may have moved since. */
        aio_co_enter(blk_get_aio_context(job->blk), job->co);
    }
}

void block_job_enter(BlockJob *job)
{
    block_job_enter_if(job, NULL);
}

static bool block_job_not_parked(BlockJob *job)
{
    return !job->paused;
}

void block_job_kick(BlockJob *job)
{
    block_job_enter_if(job, block_job_not_parked);
}

static bool block_job_timer_pending(BlockJob *job)
{
    return timer_pending(&job->sleep_timer);
}

bool block_job_throttled(BlockJob *job)
{
    return job->speed && block_job_timer_pending(job);
}

static void block_job_sleep_timer_cb(void *opaque)
{
    block_job_enter(opaque);
}

/* Until block_job_enter() or, if @ns is not negative, that time. */
static void coroutine_fn block_job_do_yield(BlockJob *job, int64_t ns)
{
    qemu_mutex_lock(&block_job_mutex);
    if (ns >= 0) {
        timer_mod(&job->sleep_timer,
                  qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns);
    }
    job->busy = false;
    qemu_mutex_unlock(&block_job_mutex);
    /* A drain in the main thread may wait for it. */
    aio_wait_kick();
    qemu_coroutine_yield();

    /* Whoever entered us has set it. */
    assert(job->busy);
}

static bool block_job_should_pause(BlockJob *job)
{
    return job->pause_count > 0 && !job->cancelled;
}

void coroutine_fn block_job_pause_point(BlockJob *job)
{
    BlockJobStatus status = job->status;

    assert(job && block_job_started(job));
    if (!block_job_should_pause(job)) {
        return;
    }
    if (job->driver->pause) {
        job->driver->pause(job);
    }
    /* The hook may have yielded. */
    if (block_job_should_pause(job)) {
        block_job_set_status(job, status == BLOCK_JOB_STATUS_READY
                                  ? BLOCK_JOB_STATUS_STANDBY
                                  : BLOCK_JOB_STATUS_PAUSED);
        job->paused = true;
        do {
            block_job_do_yield(job, -1);
            /* It may have been entered because a request has ended. */
        } while (block_job_should_pause(job));
        job->paused = false;
        block_job_set_status(job, status);
    }
    if (job->driver->resume) {
        job->driver->resume(job);
    }
}

void block_job_sleep_ns(BlockJob *job, int64_t ns)
{
    assert(job->busy);
    if (job->cancelled) {
        return;
    }
    if (!block_job_should_pause(job)) {
        block_job_do_yield(job, MAX(ns, 0));
    }
    block_job_pause_point(job);
}

void block_job_yield(BlockJob *job)
{
    assert(job->busy);
    if (job->cancelled) {
        return;
    }
    if (!block_job_should_pause(job)) {
        block_job_do_yield(job, -1);
    }
    block_job_pause_point(job);
}

/* ---- Pausing ---- */

static void block_job_pause(BlockJob *job)
{
    job->pause_count++;
}

static void block_job_resume(BlockJob *job)
{
    assert(job->pause_count > 0);
    if (--job->pause_count == 0) {
        block_job_enter(job);
    }
}

void block_job_user_pause(BlockJob *job, Error **errp)
{
    if (block_job_apply_verb(job, BLOCK_JOB_VERB_PAUSE, errp)) {
        return;
    }
    if (job->user_paused) {
        error_setg(errp, "Job is already paused");
        return;
    }
    job->user_paused = true;
    block_job_pause(job);
    block_job_assert_state(job);
}

void block_job_user_resume(BlockJob *job, Error **errp)
{
    if (!job->user_paused || job->pause_count <= 0) {
        error_setg(errp, "Can't resume a job that was not paused");
        return;
    }
    if (block_job_apply_verb(job, BLOCK_JOB_VERB_RESUME, errp)) {
        return;
    }
    block_job_iostatus_reset(job);
    job->user_paused = false;
    /* Clients see it go on at once, whatever its speed is. */
    ratelimit_forgive(&job->limit);
    block_job_resume(job);
}

void block_job_drop_user_pause(BlockJob *job)
{
    if (job->user_paused) {
        block_job_iostatus_reset(job);
        job->user_paused = false;
        assert(job->pause_count > 0);
        job->pause_count--;
    }
}

void block_job_drain(BlockJob *job)
{
    block_job_enter(job);
    blk_drain(job->blk);
    if (job->driver->drain) {
        job->driver->drain(job);
    }
}

/* ---- Nodes ---- */

static char *child_job_get_parent_desc(BdrvChild *c)
{
    BlockJob *job = c->opaque;

    return g_strdup_printf("%s job '%s'",
                           BlockJobType_str(job->driver->job_type),
                           job->id ? job->id : "");
}

static void child_job_drained_begin(BdrvChild *c)
{
    block_job_pause(c->opaque);
    /* One that sleeps parks now; clients see it pause and go on. */
    block_job_kick(c->opaque);
}

static bool is_coroutine_of_job(Coroutine *co, void *opaque)
{
    BlockJob *job = opaque;

    return job->co == co;
}

static bool child_job_drained_poll(BdrvChild *c)
{
    BlockJob *job = c->opaque;

    /* One that has handed over or ended, or drains the node itself, sends no
     * requests. */
    return block_job_started(job) && job->busy && !job->completed &&
           !job->deferred_to_main_loop &&
           !bdrv_drain_serves(is_coroutine_of_job, job);
}

static void child_job_drained_end(BdrvChild *c)
{
    block_job_resume(c->opaque);
}

static bool child_job_can_set_aio_ctx(BdrvChild *c, AioContext *ctx,
                                      Error **errp)
{
    /* job->blk's notifiers do the work. */
    return true;
}

static BlockDriverState *child_job_moves_with(BdrvChild *c)
{
    BlockJob *job = c->opaque;

    return blk_bs(job->blk);
}

static AioContext *child_job_get_parent_aio_context(BdrvChild *c)
{
    BlockJob *job = c->opaque;

    return blk_get_aio_context(job->blk);
}

static const BdrvChildRole child_job = {
    .stay_at_node           = true,
    .get_parent_desc        = child_job_get_parent_desc,
    .drained_begin          = child_job_drained_begin,
    .drained_poll           = child_job_drained_poll,
    .drained_end            = child_job_drained_end,
    .can_set_aio_ctx        = child_job_can_set_aio_ctx,
    .moves_with             = child_job_moves_with,
    .get_parent_aio_context = child_job_get_parent_aio_context,
};

int block_job_add_bdrv(BlockJob *job, const char *name, BlockDriverState *bs,
                       uint64_t perm, uint64_t shared_perm, Error **errp)
{
    BdrvChild *c;

    bdrv_ref(bs);
    c = bdrv_root_attach_child(bs, name, &child_job, perm, shared_perm, job,
                               errp);
    if (!c) {
        return -EPERM;
    }
    job->nodes = g_slist_prepend(job->nodes, c);
    bdrv_op_block_all(bs, job->blocker);
    return 0;
}

void block_job_leave_main_node(BlockJob *job)
{
    BlockDriverState *bs = blk_bs(job->blk);

    if (bs && bs->job == job) {
        bs->job = NULL;
    }
    blk_set_perm(job->blk, 0, BLK_PERM_ALL, &error_abort);
    blk_remove_bs(job->blk);
}

void block_job_remove_all_bdrv(BlockJob *job)
{
    /* Detaching may poll: take each off the list first. */
    while (job->nodes) {
        BdrvChild *c = job->nodes->data;

        job->nodes = g_slist_delete_link(job->nodes, job->nodes);
        bdrv_op_unblock_all(c->bs, job->blocker);
        bdrv_root_unref_child(c);
    }
}

static void block_job_attached_aio_context(AioContext *new_context,
                                           void *opaque)
{
    BlockJob *job = opaque;

    if (job->driver->attached_aio_context) {
        job->driver->attached_aio_context(job, new_context);
    }
    block_job_resume(job);
}

static void block_job_detach_aio_context(void *opaque)
{
    BlockJob *job = opaque;

    /* It may end while we wait for it to park. */
    block_job_ref(job);
    block_job_pause(job);
    while (block_job_started(job) && !job->paused && !job->completed &&
           !job->deferred_to_main_loop) {
        block_job_drain(job);
    }
    block_job_unref(job);
}

/* ---- Rate ---- */

/* Marks are at least so far apart, in nanoseconds. */
#define RATE_STEP_NS    (2 * NANOSECONDS_PER_SECOND)

/* What the rate is about. */
static int64_t work_done(BlockJob *job)
{
    return job->driver->copied_bytes ? job->driver->copied_bytes(job)
                                     : job->offset;
}

static void rate_start(BlockJobRate *rate)
{
    rate->older_ns = rate->newer_ns = get_clock_coarse();
}

static void rate_mark(BlockJob *job)
{
    BlockJobRate *rate = &job->rate;
    int64_t now = get_clock_coarse();

    if (now - rate->newer_ns >= RATE_STEP_NS) {
        rate->older_ns = rate->newer_ns;
        rate->older = rate->newer;
        rate->newer_ns = now;
        rate->newer = work_done(job);
    }
}

int64_t block_job_rate(BlockJob *job)
{
    BlockJobRate *rate = &job->rate;
    int64_t ns = get_clock_coarse() - rate->older_ns;

    if (!rate->newer_ns || ns <= 0 || job->paused || job->completed) {
        return 0;
    }
    return (double)(work_done(job) - rate->older) * NANOSECONDS_PER_SECOND /
           ns;
}

/* ---- Creation and start ---- */

/* The ID of a new job, or NULL with @errp; *id is NULL for internal jobs. */
static bool block_job_choose_id(const char *job_id, BlockDriverState *bs,
                                int flags, const char **id, Error **errp)
{
    *id = job_id;
    if (flags & BLOCK_JOB_INTERNAL) {
        if (job_id) {
            error_setg(errp, "Cannot specify job ID for internal block job");
            return false;
        }
        return true;
    }
    if (!job_id) {
        *id = bs ? bdrv_get_device_name(bs) : "";
        if (!**id) {
            error_setg(errp,
                       "An explicit job ID is required for this node");
            return false;
        }
    }
    if (!id_wellformed(*id)) {
        error_setg(errp, "Invalid job ID '%s'", *id);
        return false;
    }
    if (block_job_get(*id)) {
        error_setg(errp, "Job ID '%s' already in use", *id);
        return false;
    }
    return true;
}

/* The backend of a new job on @bs, or NULL with @errp. */
static BlockBackend *block_job_new_backend(BlockDriverState *bs, uint64_t perm,
                                           uint64_t shared_perm, Error **errp)
{
    BlockBackend *blk = blk_new(perm, shared_perm);

    if (bs && blk_insert_bs(blk, bs, errp) < 0) {
        blk_unref(blk);
        return NULL;
    }
    /* A job parks by itself under drain; until it does, its requests must
     * get through. */
    blk_set_disable_request_queuing(blk, true);
    blk_set_allow_aio_context_change(blk, true);
    return blk;
}

static void block_job_add_main_node(BlockJob *job, BlockDriverState *bs)
{
    block_job_add_bdrv(job, "main node", bs, 0, BLK_PERM_ALL, &error_abort);
    bdrv_op_unblock(bs, BLOCK_OP_TYPE_DATAPLANE, job->blocker);
    bs->job = job;
}

void *block_job_create(const char *job_id, const BlockJobDriver *driver,
                       BlockJobTxn *txn, BlockDriverState *bs, uint64_t perm,
                       uint64_t shared_perm, int64_t speed, int flags,
                       BlockCompletionFunc *cb, void *opaque, Error **errp)
{
    BlockBackend *blk;
    BlockJob *job;
    const char *id;

    if (bs && bs->job) {
        error_setg(errp, QERR_DEVICE_IN_USE,
                   bdrv_get_device_or_node_name(bs));
        return NULL;
    }
    if (!block_job_choose_id(job_id, bs, flags, &id, errp)) {
        return NULL;
    }
    blk = block_job_new_backend(bs, perm, shared_perm, errp);
    if (!blk) {
        return NULL;
    }
    job = g_malloc0(driver->instance_size);
    job->driver = driver;
    job->id = g_strdup(id);
    job->blk = blk;
    job->cb = cb;
    job->opaque = opaque;
    job->paused = true;
    job->pause_count = 1;
    job->refcnt = 1;
    job->auto_finalize = !(flags & BLOCK_JOB_MANUAL_FINALIZE);
    job->auto_dismiss = !(flags & BLOCK_JOB_MANUAL_DISMISS);
    aio_timer_init(qemu_get_aio_context(), &job->sleep_timer,
                   QEMU_CLOCK_REALTIME, SCALE_NS, block_job_sleep_timer_cb,
                   job);
    error_setg(&job->blocker, "block device is in use by block job: %s",
               BlockJobType_str(driver->job_type));
    if (bs) {
        block_job_add_main_node(job, bs);
    }
    QLIST_INSERT_HEAD(&block_jobs, job, job_list);
    blk_add_aio_context_notifier(blk, block_job_attached_aio_context,
                                 block_job_detach_aio_context, job);
    block_job_set_status(job, BLOCK_JOB_STATUS_CREATED);

    if (speed < 0) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "speed",
                   "a non-negative value");
        block_job_early_fail(job);
        return NULL;
    }
    if (speed) {
        block_job_set_speed(job, speed, &error_abort);
    }
    block_job_txn_join_or_make(txn, job);
    block_job_assert_state(job);
    return job;
}

static void coroutine_fn block_job_co_entry(void *opaque)
{
    BlockJob *job = opaque;

    assert(job->driver && job->driver->start);
    block_job_pause_point(job);
    job->driver->start(job);
}

void block_job_start(BlockJob *job)
{
    assert(job && !block_job_started(job) && job->paused &&
           job->driver && job->driver->start);
    job->co = qemu_coroutine_create(block_job_co_entry, job);
    rate_start(&job->rate);
    job->pause_count--;
    job->busy = true;
    job->paused = false;
    block_job_set_status(job, BLOCK_JOB_STATUS_RUNNING);
    aio_co_enter(blk_get_aio_context(job->blk), job->co);
}

/* ---- Speed, progress, query ---- */

void block_job_take_error(BlockJob *job, Error *err)
{
    assert(!job->err && !job->completed);
    job->err = err;
}

const char *block_job_error_text(BlockJob *job)
{
    if (!job->ret) {
        return NULL;
    }
    return job->err ? error_get_pretty(job->err) : strerror(-job->ret);
}

void block_job_set_speed(BlockJob *job, int64_t speed, Error **errp)
{
    int64_t old_speed = job->speed;

    if (block_job_apply_verb(job, BLOCK_JOB_VERB_SET_SPEED, errp)) {
        return;
    }
    if (speed < 0) {
        error_setg(errp, QERR_INVALID_PARAMETER, "speed");
        return;
    }
    ratelimit_set_speed(&job->limit, speed, BLOCK_JOB_SLICE_TIME);
    job->speed = speed;
    if (speed && speed <= old_speed) {
        return;
    }
    ratelimit_forgive(&job->limit);
    /* It may be sleeping off a limit that is no more. */
    block_job_enter_if(job, block_job_timer_pending);
}

int64_t block_job_ratelimit_get_delay(BlockJob *job, uint64_t n)
{
    return job->speed ? ratelimit_calculate_delay(&job->limit, n) : 0;
}

void block_job_progress_update(BlockJob *job, uint64_t done)
{
    rate_mark(job);
    job->offset += done;
}

void block_job_progress_set_remaining(BlockJob *job, uint64_t remaining)
{
    job->len = job->offset + remaining;
}

BlockJobInfo *block_job_query(BlockJob *job, Error **errp)
{
    BlockJobInfo *info;

    if (block_job_is_internal(job)) {
        error_setg(errp, "Cannot query QEMU internal jobs");
        return NULL;
    }
    info = g_new0(BlockJobInfo, 1);
    info->type = g_strdup(BlockJobType_str(job->driver->job_type));
    info->device = g_strdup(job->id);
    info->len = job->len;
    info->offset = job->offset;
    info->busy = atomic_read(&job->busy) && !job->completed;
    info->paused = job->pause_count > 0;
    info->speed = job->speed;
    info->io_status = job->iostatus;
    info->ready = job->status == BLOCK_JOB_STATUS_READY ||
                  job->status == BLOCK_JOB_STATUS_STANDBY;
    info->status = job->status;
    info->auto_finalize = job->auto_finalize;
    info->auto_dismiss = job->auto_dismiss;
    info->error = g_strdup(block_job_error_text(job));
    info->has_error = info->error != NULL;
    return info;
}

/* ---- Ready, errors ---- */

void block_job_event_ready(BlockJob *job)
{
    block_job_set_status(job, BLOCK_JOB_STATUS_READY);
    job->ready = true;
    if (block_job_sends_events(job)) {
        qapi_event_send_block_job_ready(job->driver->job_type, job->id,
                                        job->len, job->offset, job->speed,
                                        &error_abort);
    }
}

void block_job_iostatus_reset(BlockJob *job)
{
    if (job->iostatus == BLOCK_DEVICE_IO_STATUS_OK) {
        return;
    }
    assert(job->user_paused && job->pause_count > 0);
    job->iostatus = BLOCK_DEVICE_IO_STATUS_OK;
}

static BlockErrorAction block_job_policy(BlockdevOnError on_err, int error)
{
    switch (on_err) {
    case BLOCKDEV_ON_ERROR_ENOSPC:
    case BLOCKDEV_ON_ERROR_AUTO:
        return error == ENOSPC ? BLOCK_ERROR_ACTION_STOP
                               : BLOCK_ERROR_ACTION_REPORT;
    case BLOCKDEV_ON_ERROR_STOP:
        return BLOCK_ERROR_ACTION_STOP;
    case BLOCKDEV_ON_ERROR_REPORT:
        return BLOCK_ERROR_ACTION_REPORT;
    case BLOCKDEV_ON_ERROR_IGNORE:
        return BLOCK_ERROR_ACTION_IGNORE;
    default:
        g_assert_not_reached();
    }
}

BlockErrorAction block_job_error_action(BlockJob *job, BlockdevOnError on_err,
                                        int is_read, int error)
{
    BlockErrorAction action = block_job_policy(on_err, error);
    /* Other requests that were in flight fail, too: clients resume once. */
    bool again = action == BLOCK_ERROR_ACTION_STOP && job->user_paused &&
                 job->iostatus != BLOCK_DEVICE_IO_STATUS_OK;

    if (block_job_sends_events(job) && !again) {
        qapi_event_send_block_job_error(job->id,
                                        is_read ? IO_OPERATION_TYPE_READ
                                                : IO_OPERATION_TYPE_WRITE,
                                        action, &error_abort);
    }
    if (action == BLOCK_ERROR_ACTION_STOP) {
        if (!job->user_paused) {
            job->user_paused = true;
            block_job_pause(job);
        }
        if (job->iostatus == BLOCK_DEVICE_IO_STATUS_OK) {
            job->iostatus = error == ENOSPC ? BLOCK_DEVICE_IO_STATUS_NOSPACE
                                            : BLOCK_DEVICE_IO_STATUS_FAILED;
        }
    }
    return action;
}

/* ---- Hand-over to the main loop ---- */

typedef struct DeferToMainLoop {
    BlockJob *job;
    BlockJobDeferToMainLoopFn *fn;
    void *opaque;
} DeferToMainLoop;

static void block_job_deferred_bh(void *opaque)
{
    g_autofree DeferToMainLoop *data = opaque;
    AioContext *ctx = blk_get_aio_context(data->job->blk);

    aio_context_acquire(ctx);
    data->fn(data->job, data->opaque);
    aio_context_release(ctx);
}

void block_job_defer_to_main_loop(BlockJob *job,
                                  BlockJobDeferToMainLoopFn *fn, void *opaque)
{
    DeferToMainLoop *data = g_new(DeferToMainLoop, 1);

    *data = (DeferToMainLoop) { .job = job, .fn = fn, .opaque = opaque };
    job->deferred_to_main_loop = true;
    aio_bh_schedule_oneshot(qemu_get_aio_context(), block_job_deferred_bh,
                            data);
}
