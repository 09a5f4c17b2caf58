/*
 * SPDX-License-Identifier: MIT
 *
 * The mirror job: copies a node to another one while it is being written to.
 *
 * The source's dirty bitmap says what the target lacks.  The coroutine finds
 * out what is dirty to begin with, then keeps the copy engine busy with dirty
 * ranges; once none is left the job is READY and follows the guest's writes
 * until it is told to complete.  To complete, the filter switches to
 * write-through (if it does not do so all the time): from then on the set of
 * dirty ranges only shrinks, and when it is empty and the target flushed,
 * both sides are equal and stay so until the job is finalized.  The guest is
 * never stopped for it.
 *
 * Invariants
 *   1. A range is either equal on both sides, or dirty, or covered by a claim
 *      of the engine.  Bits are cleared after the claim is made and before
 *      the source is read.
 *   2. bytes_started is the sum of the pieces in flight.
 *   3. s->ret < 0: the job ends with this error.
 */
#include "qemu/osdep.h"
#include "block/mirror-internal.h"
#include "qapi/error.h"
#include "qemu/timer.h"

/* Dirty ranges are taken in hand up to this size at a time, which matters for
 * zeroes only: data is copied in smaller pieces. */
#define MIRROR_MAX_RANGE    (1 * GiB)
/* Pause after an error that is to be ignored. */
#define MIRROR_BACKOFF_NS   (10 * SCALE_MS)

/* Bytes that are dirty; the last unit may reach over the end. */
static int64_t bytes_dirty(MirrorJob *s)
{
    int64_t dirty = bdrv_get_dirty_count(s->dirty_bitmap);
    int64_t tail = s->length % s->granularity;

    if (dirty && tail && bdrv_dirty_bitmap_get(s->dirty_bitmap,
                                               s->length - 1)) {
        dirty -= s->granularity - tail;
    }
    return dirty;
}

int64_t mirror_dirty_bytes(BlockJob *job)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    if (s->scanning) {
        return -1;
    }
    return s->dirty_bitmap ? s->bytes_started + bytes_dirty(s) : 0;
}

int64_t mirror_copied_bytes(BlockJob *job)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    return s->target ? block_copy_copied(s->target->copy) : 0;
}

static void mirror_set_dirty(MirrorJob *s, int64_t offset, int64_t bytes)
{
    bdrv_set_dirty_bitmap(s->dirty_bitmap, offset,
                          MIN(bytes, s->length - offset));
}

void mirror_range_failed(MirrorJob *s, int64_t offset, int64_t bytes, int ret,
                         bool is_read)
{
    BlockErrorAction action = BLOCK_ERROR_ACTION_REPORT;

    mirror_set_dirty(s, offset, bytes);
    if (!s->common.deferred_to_main_loop) {
        action = block_job_error_action(&s->common,
                                        is_read ? s->on_source_error
                                                : s->on_target_error,
                                        is_read, -ret);
    }
    if (action == BLOCK_ERROR_ACTION_REPORT && s->ret >= 0) {
        s->ret = ret;
    }
    s->backoff = true;
}

void mirror_piece_done(void *opaque, int64_t offset, int64_t bytes, int ret,
                       bool is_read)
{
    MirrorTarget *t = opaque;
    MirrorJob *s = t->job;

    if (t->abandoned) {
        mirror_target_request_done(t);
        return;
    }
    s->bytes_started -= bytes;
    if (ret < 0) {
        mirror_range_failed(s, offset, bytes, ret, is_read);
    } else {
        block_job_progress_update(&s->common, bytes);
    }
}

void coroutine_fn mirror_pause(BlockJob *job)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    block_copy_wait_all(s->target->copy);
}

static bool mirror_must_stop(MirrorJob *s)
{
    return s->ret < 0 ||
           (s->common.cancelled && (!s->synced || s->common.force));
}

/* Let others run now and then; also a pause point. */
static void coroutine_fn mirror_breathe(MirrorJob *s, int64_t *last_ns)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    if (now - *last_ns > BLOCK_JOB_SLICE_TIME) {
        *last_ns = now;
        block_job_sleep_ns(&s->common, 0);
    } else {
        block_job_pause_point(&s->common);
    }
}

/* ---- What is dirty to begin with ---- */

/*
 * Users count what need not be copied as a part of the work: in a new target
 * what has space in the source, in another one, which would have to be zeroed
 * first, everything.
 */
static bool mirror_counts_holes(MirrorJob *s)
{
    return s->backing_mode != MIRROR_SOURCE_BACKING_CHAIN &&
           !bdrv_can_write_zeroes_with_unmap(blk_bs(s->target->blk));
}

typedef struct StatusQuery {
    int64_t offset;
    int64_t bytes;
    int64_t pnum;
} StatusQuery;

static int coroutine_fn target_status(MirrorTarget *t, void *opaque)
{
    StatusQuery *q = opaque;
    int ret = bdrv_co_block_status_above(blk_bs(t->blk), NULL, q->offset,
                                         q->bytes, &q->pnum, NULL, NULL);

    return ret < 0 ? ret : !!(ret & BDRV_BLOCK_ZERO);
}

/* 1 or 0 for the first *@pnum bytes, or -errno. */
static int coroutine_fn target_reads_zeroes(MirrorJob *s, int64_t offset,
                                            int64_t bytes, int64_t *pnum)
{
    StatusQuery *q = g_rc_box_new0(StatusQuery);
    int ret;

    q->offset = offset;
    q->bytes = bytes;
    ret = mirror_target_call(s->target, target_status, g_rc_box_acquire(q),
                             g_rc_box_release);
    *pnum = ret < 0 ? 0 : q->pnum;
    g_rc_box_release(q);
    return ret;
}

/*
 * Must [offset, offset + *pnum) be copied?  A whole extent at a time.  What
 * reads as zeroes on both sides is equal already; *done says that it counts
 * as a part of the work all the same.
 */
static bool coroutine_fn extent_is_dirty(MirrorJob *s, int64_t offset,
                                         int64_t bytes, int64_t *pnum,
                                         bool *done)
{
    BlockDriverState *bs = s->filter->backing->bs;
    int64_t target_num;
    int ret;

    *done = false;
    *pnum = bytes;
    if (s->lowest) {
        ret = bdrv_co_is_allocated_above(bs, s->lowest, true, offset, bytes,
                                         pnum);
        if (ret < 0 || *pnum == 0) {
            /* To copy more than what differs does no harm. */
            *pnum = bytes;
            return true;
        }
        return ret;
    }
    ret = bdrv_co_block_status_above(bs, NULL, offset, bytes, pnum, NULL,
                                     NULL);
    if (ret < 0 || *pnum == 0) {
        *pnum = bytes;
        return true;
    }
    if (!(ret & BDRV_BLOCK_ZERO)) {
        return true;
    }
    *done = true;
    if (!mirror_counts_holes(s)) {
        ret = bdrv_co_is_allocated_above(bs, NULL, false, offset, *pnum, pnum);
        if (ret < 0) {
            return true;
        }
        *done = ret;
    }
    ret = target_reads_zeroes(s, offset, *pnum, &target_num);
    if (ret < 0 || target_num == 0) {
        return true;
    }
    *pnum = target_num;
    return !ret;
}

/* [start, end) is done, but for granules that are dirty by a neighbour. */
static void mirror_count_done(MirrorJob *s, int64_t start, int64_t end)
{
    start = QEMU_ALIGN_UP(start, s->granularity);
    if (end < s->length) {
        end = QEMU_ALIGN_DOWN(end, s->granularity);
    }
    if (start < end) {
        block_job_progress_update(&s->common, end - start);
    }
}

static void coroutine_fn mirror_find_extents(MirrorJob *s)
{
    int64_t last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int64_t offset = 0, done_from = -1;

    while (offset < s->length && !mirror_must_stop(s)) {
        int64_t pnum;
        bool done;

        mirror_breathe(s, &last_ns);
        if (mirror_must_stop(s)) {
            return;
        }
        if (extent_is_dirty(s, offset, s->length - offset, &pnum, &done)) {
            mirror_set_dirty(s, offset, pnum);
            done = false;
        }
        if (!done && done_from >= 0) {
            mirror_count_done(s, done_from, offset);
            done_from = -1;
        } else if (done && done_from < 0) {
            done_from = offset;
        }
        offset += pnum;
    }
    if (done_from >= 0) {
        mirror_count_done(s, done_from, s->length);
    }
}

/* Take over what is set in the user's bitmap. */
static void mirror_take_bitmap(MirrorJob *s)
{
    int64_t offset = 0, count;

    while (bdrv_dirty_bitmap_next_dirty_area(s->sync_bitmap, offset, s->length,
                                             INT64_MAX, &offset, &count)) {
        mirror_set_dirty(s, offset, count);
        offset += count;
    }
}

static void coroutine_fn mirror_init_dirty(MirrorJob *s)
{
    switch (s->sync_mode) {
    case MIRROR_SYNC_MODE_NONE:
        break;
    case MIRROR_SYNC_MODE_INCREMENTAL:
    case MIRROR_SYNC_MODE_BITMAP:
        mirror_take_bitmap(s);
        break;
    default:
        mirror_find_extents(s);
        break;
    }
}

/* ---- Copying ---- */

/* The next dirty range that nobody works on, in units of s->align; false if
 * there is none. */
static bool mirror_next_range(MirrorJob *s, int64_t *offset, int64_t *bytes)
{
    int64_t pos = s->cursor, dirty, n, start, end, free_bytes;
    bool wrapped = pos == 0;

    for (;;) {
        if (!bdrv_dirty_bitmap_next_dirty_area(s->dirty_bitmap, pos, s->length,
                                               MIRROR_MAX_RANGE, &dirty, &n)) {
            if (wrapped) {
                return false;
            }
            wrapped = true;
            pos = 0;
            continue;
        }
        start = QEMU_ALIGN_DOWN(dirty, s->align);
        end = MIN(QEMU_ALIGN_UP(dirty + n, s->align), s->length);
        *offset = block_copy_next_free(s->target->copy, start, end, &free_bytes);
        if (free_bytes > 0) {
            *bytes = free_bytes;
            return true;
        }
        pos = end;
    }
}

/* Start one piece; false if nothing can be started now. */
static bool coroutine_fn mirror_start_piece(MirrorJob *s, int64_t *cost)
{
    int64_t offset, bytes, known, started;

    if (block_copy_full(s->target->copy) || !mirror_next_range(s, &offset, &bytes)) {
        return false;
    }
    known = block_copy_known_data(s->target->copy, offset);
    if (known) {
        bytes = MIN(bytes, QEMU_ALIGN_UP(MIN(known, s->max_chunk), s->align));
    }
    bdrv_reset_dirty_bitmap(s->dirty_bitmap, offset, bytes);
    s->bytes_started += bytes;
    started = block_copy_start(s->target->copy, offset, bytes, cost);
    if (started < bytes) {
        s->bytes_started -= bytes - started;
        mirror_set_dirty(s, offset + started, bytes - started);
    }
    s->cursor = offset + started < s->length ? offset + started : 0;
    return true;
}

/* Copy for one time slice at most. Returns how long to sleep, ns. */
static int64_t coroutine_fn mirror_copy_some(MirrorJob *s, bool *progress)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int64_t end = now + BLOCK_JOB_SLICE_TIME;
    int64_t delay = 0, cost = 0;

    *progress = false;
    while (delay <= 0 && s->ret >= 0 &&
           s->common.iostatus == BLOCK_DEVICE_IO_STATUS_OK &&
           mirror_start_piece(s, &cost)) {
        *progress = true;
        delay = block_job_ratelimit_get_delay(&s->common, cost);
        if (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) > end) {
            break;
        }
    }
    return delay;
}

static int coroutine_fn target_flush(MirrorTarget *t, void *opaque)
{
    return blk_co_flush(t->blk);
}

/* The target is in sync: to stable storage with it. 0, or -errno if the
 * caller has to look again. */
static int coroutine_fn mirror_flush_target(MirrorJob *s)
{
    int ret = mirror_target_call(s->target, target_flush, NULL, NULL);

    if (ret < 0 && !s->target->abandoned &&
        block_job_error_action(&s->common, s->on_target_error, false, -ret) ==
        BLOCK_ERROR_ACTION_REPORT && s->ret >= 0) {
        s->ret = ret;
    }
    s->backoff |= ret < 0;
    return ret;
}

static bool mirror_is_idle(MirrorJob *s)
{
    return !block_copy_busy(s->target->copy) &&
           bdrv_get_dirty_count(s->dirty_bitmap) == 0;
}

static bool mirror_wants_to_end(MirrorJob *s)
{
    return s->synced && (atomic_read(&s->should_complete) ||
                         s->common.cancelled);
}

/* Nothing to copy at the moment.  True if the job has come to its end. */
static bool coroutine_fn mirror_in_sync(MirrorJob *s)
{
    if (!s->synced) {
        if (mirror_flush_target(s) == 0 && s->ret >= 0) {
            block_job_event_ready(&s->common);
            s->synced = true;
        }
        return false;
    }
    if (!mirror_wants_to_end(s)) {
        block_job_sleep_ns(&s->common, BLOCK_JOB_SLICE_TIME);
        return false;
    }
    if (!s->write_through) {
        mirror_begin_write_through(s);
        return false;
    }
    /* Writes during the flush go to both sides: it stays in sync. */
    return mirror_flush_target(s) == 0 && mirror_is_idle(s);
}

static void coroutine_fn mirror_loop(MirrorJob *s)
{
    BlockJob *job = &s->common;
    int64_t last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    for (;;) {
        bool progress;
        int64_t delay;

        if (s->backoff) {
            s->backoff = false;
            block_job_sleep_ns(job, MIRROR_BACKOFF_NS);
        }
        mirror_breathe(s, &last_ns);
        if (mirror_must_stop(s)) {
            return;
        }
        block_job_progress_set_remaining(job, mirror_dirty_bytes(job));
        if (mirror_is_idle(s)) {
            if (mirror_in_sync(s)) {
                /* A soft cancel has become a normal end. */
                job->cancelled = false;
                return;
            }
            continue;
        }
        delay = mirror_copy_some(s, &progress);
        if (delay > 0) {
            last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
            block_job_sleep_ns(job, delay);
        } else if (!progress && s->ret >= 0) {
            block_copy_wait_one(s->target->copy);
        }
    }
}

static void mirror_deferred(BlockJob *job, void *opaque)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    block_job_completed(job, s->ret);
}

/* Clients expect the job to fail, not the command. */
static void mirror_check_target_length(MirrorJob *s)
{
    int64_t length = blk_getlength(s->target->blk);
    Error *err = NULL;

    if (length < 0) {
        s->ret = length;
    } else if (length < s->length) {
        error_setg(&err, "Source and target image have different sizes");
        block_job_take_error(&s->common, err);
        s->ret = -EINVAL;
    }
}

void coroutine_fn mirror_run(void *opaque)
{
    MirrorJob *s = opaque;

    block_job_progress_set_remaining(&s->common, 0);
    mirror_check_target_length(s);
    /* In any case: what is in a bitmap goes back to it. */
    s->scanning = true;
    mirror_init_dirty(s);
    s->scanning = false;
    if (!mirror_must_stop(s)) {
        mirror_loop(s);
    }
    block_copy_wait_all(s->target->copy);
    if (s->common.cancelled && s->ret >= 0) {
        s->ret = -ECANCELED;
    }
    block_job_defer_to_main_loop(&s->common, mirror_deferred, NULL);
}
