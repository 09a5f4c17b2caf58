/*
 * SPDX-License-Identifier: MIT
 *
 * The backup job: copies what a disk has at the moment when the job is made,
 * while its users go on writing.
 *
 * A copy-before-write filter above the source holds back writes to what has
 * not been copied yet; the job copies the rest in the background, through the
 * same engine.
 *
 * Invariants
 *   1. The filter's map says what is to be copied; whoever copies a cluster
 *      clears its bit.  The job is done when there are none and nothing is in
 *      flight.
 *   2. While the job exists, its bitmap has a successor that records writes;
 *      at the end the successor takes its place (success) or is merged back.
 *   3. ->error is the first error that ends the job.
 */
#include "qemu/osdep.h"
#include "block/blockjob_int.h"
#include "block/copy-before-write.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qemu/timer.h"

#define BACKUP_SCAN_STEP    (64 * MiB)

typedef struct BackupJob {
    BlockJob common;

    /* Immutable once started */
    BlockDriverState *source;
    BlockDriverState *target;
    MirrorSyncMode sync_mode;
    BdrvDirtyBitmap *sync_bitmap;
    BitmapSyncMode bitmap_mode;
    BlockdevOnError on_source_error;
    BlockdevOnError on_target_error;
    int64_t length;

    /* The job's AioContext */
    BlockDriverState *filter;   /* main thread: NULL once the job has ended */
    int error;
    bool retry_later;           /* an error was ignored */
} BackupJob;

static bool backup_goes_on(BackupJob *s)
{
    return !s->error && !block_job_is_cancelled(&s->common);
}

/* ---- Copying ---- */

static void backup_piece_done(void *opaque, int64_t offset, int64_t bytes,
                              int ret, bool is_read)
{
    BackupJob *s = opaque;

    if (ret >= 0) {
        block_job_progress_update(&s->common, bytes);
        block_job_enter(&s->common);
        return;
    }
    if (s->error) {
        return;
    }
    switch (block_job_error_action(&s->common,
                                   is_read ? s->on_source_error
                                           : s->on_target_error,
                                   is_read, -ret)) {
    case BLOCK_ERROR_ACTION_REPORT:
        s->error = ret;
        break;
    case BLOCK_ERROR_ACTION_IGNORE:
        s->retry_later = true;
        break;
    default:
        break;
    }
}

static void coroutine_fn backup_pause(BlockJob *job)
{
    BackupJob *s = container_of(job, BackupJob, common);

    if (s->filter) {
        block_copy_wait_all(bdrv_cbw_copy_state(s->filter));
    }
}

/* Pieces that are done don't cut it short; another speed limit does. */
static void coroutine_fn backup_sleep(BackupJob *s, int64_t ns)
{
    int64_t speed = s->common.speed;

    while (ns > 0 && backup_goes_on(s) && s->common.speed == speed) {
        int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

        block_job_sleep_ns(&s->common, ns);
        ns -= qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start;
    }
}

/* sync=top: what the source does not have itself is no part of the work. */
static void coroutine_fn backup_skip_unallocated(BackupJob *s)
{
    HBitmap *todo = bdrv_cbw_todo(s->filter);
    int64_t cluster = bdrv_cbw_granularity(s->filter);
    BlockDriverState *bs = bdrv_skip_filters(s->source);
    int64_t offset = 0, n, end;

    while (offset < s->length && backup_goes_on(s)) {
        int ret;

        block_job_pause_point(&s->common);
        n = MIN(s->length - offset, BACKUP_SCAN_STEP);
        end = offset + n;
        ret = bdrv_co_is_allocated(bs, offset, n, &n);
        if (ret < 0 || n == 0) {
            /* Copying it will tell. */
            n = MIN(cluster, s->length - offset);
        } else if (ret) {
            n = MIN(QEMU_ALIGN_UP(offset + n, cluster), end) - offset;
        } else {
            n = offset + n < end ? QEMU_ALIGN_DOWN(n, cluster) : n;
            if (n) {
                hbitmap_reset(todo, offset, n);
            } else {
                n = MIN(cluster, s->length - offset);
            }
        }
        offset += n;
    }
    bdrv_cbw_set_skip_unallocated(s->filter, false);
}

/* Start the first piece at or behind @offset.  Returns where to go on, the
 * disk's length if there is nothing left that could be started. */
static int64_t coroutine_fn backup_start_piece(BackupJob *s, int64_t offset,
                                               int64_t *cost)
{
    BlockCopyState *copy = bdrv_cbw_copy_state(s->filter);
    HBitmap *todo = bdrv_cbw_todo(s->filter);
    int64_t max = s->common.speed ? bdrv_cbw_granularity(s->filter)
                                  : s->length;
    int64_t start, bytes, free_start, free_bytes;

    *cost = 0;
    if (!hbitmap_next_dirty_area(todo, offset, s->length, max, &start,
                                 &bytes)) {
        return s->length;
    }
    free_start = block_copy_next_free(copy, start, start + bytes, &free_bytes);
    if (!free_bytes) {
        return start + bytes;
    }
    bytes = block_copy_start(copy, free_start, free_bytes, cost);
    *cost = s->common.speed ? bytes : *cost;
    return free_start + bytes;
}

static void coroutine_fn backup_loop(BackupJob *s)
{
    BlockJob *job = &s->common;
    BlockCopyState *copy = bdrv_cbw_copy_state(s->filter);
    HBitmap *todo = bdrv_cbw_todo(s->filter);
    int64_t last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int64_t offset = 0, cost;

    while (backup_goes_on(s)) {
        int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

        if (now - last_ns > BLOCK_JOB_SLICE_TIME) {
            last_ns = now;
            block_job_sleep_ns(job, 0);
        } else {
            block_job_pause_point(job);
        }
        if (!backup_goes_on(s)) {
            break;
        }
        s->error = MIN(s->error, bdrv_cbw_snapshot_error(s->filter));
        if (s->retry_later) {
            s->retry_later = false;
            backup_sleep(s, BLOCK_JOB_SLICE_TIME);
        } else if (offset >= s->length && hbitmap_empty(todo) &&
                   !block_copy_busy(copy)) {
            break;
        } else if (block_copy_full(copy)) {
            block_copy_wait_one(copy);
        } else if (offset >= s->length) {
            /* What failed or was in flight: once more from the start. */
            if (block_copy_busy(copy)) {
                block_copy_wait_one(copy);
            }
            offset = hbitmap_empty(todo) ? offset : 0;
        } else {
            offset = backup_start_piece(s, offset, &cost);
            backup_sleep(s, block_job_ratelimit_get_delay(job, cost));
        }
    }
    block_copy_wait_all(copy);
}

static void backup_deferred(BlockJob *job, void *opaque)
{
    block_job_completed(job, container_of(job, BackupJob, common)->error);
}

/* Bytes that are to be copied; the last cluster may reach over the end. */
static int64_t backup_bytes_to_do(BackupJob *s)
{
    HBitmap *todo = bdrv_cbw_todo(s->filter);
    int64_t tail = s->length % bdrv_cbw_granularity(s->filter);
    int64_t bytes = hbitmap_count(todo);

    if (tail && hbitmap_get(todo, s->length - 1)) {
        bytes -= bdrv_cbw_granularity(s->filter) - tail;
    }
    return bytes;
}

static void coroutine_fn backup_run(void *opaque)
{
    BackupJob *s = opaque;
    BlockJob *job = &s->common;

    if (s->sync_mode == MIRROR_SYNC_MODE_TOP) {
        backup_skip_unallocated(s);
    }
    block_job_progress_set_remaining(job, backup_bytes_to_do(s));
    if (s->sync_mode == MIRROR_SYNC_MODE_NONE) {
        /* Only what users overwrite, as long as somebody wants it. */
        while (backup_goes_on(s)) {
            s->error = MIN(0, bdrv_cbw_snapshot_error(s->filter));
            if (!s->error) {
                block_job_yield(job);
            }
        }
    } else {
        backup_loop(s);
    }
    if (!s->error) {
        s->error = MIN(0, bdrv_cbw_snapshot_error(s->filter));
    }
    if (backup_goes_on(s)) {
        s->error = MIN(0, bdrv_co_flush(s->target));
    }
    block_job_defer_to_main_loop(job, backup_deferred, NULL);
}

/* ---- End ---- */

/* What becomes of the bitmap. */
static void backup_end_bitmap(BackupJob *s, bool success)
{
    BdrvDirtyBitmap *bitmap = s->sync_bitmap;
    int64_t offset = 0, n;

    if (!bitmap) {
        return;
    }
    s->sync_bitmap = NULL;
    if (s->bitmap_mode == BITMAP_SYNC_MODE_NEVER ||
        (!success && s->bitmap_mode != BITMAP_SYNC_MODE_ALWAYS)) {
        bdrv_reclaim_dirty_bitmap(bitmap, &error_abort);
        return;
    }
    bitmap = bdrv_dirty_bitmap_abdicate(bitmap, &error_abort);
    while (!success &&
           hbitmap_next_dirty_area(bdrv_cbw_todo(s->filter), offset, s->length,
                                   s->length, &offset, &n)) {
        bdrv_set_dirty_bitmap(bitmap, offset, n);
        offset += n;
    }
}

static void backup_commit(BlockJob *job)
{
    backup_end_bitmap(container_of(job, BackupJob, common), true);
}

static void backup_abort(BlockJob *job)
{
    backup_end_bitmap(container_of(job, BackupJob, common), false);
}

static void backup_clean(BlockJob *job)
{
    BackupJob *s = container_of(job, BackupJob, common);
    BlockDriverState *filter = s->filter;

    if (!filter) {
        return;
    }
    /* A job that was never started has not been aborted. */
    backup_end_bitmap(s, false);
    bdrv_drained_begin(s->source);
    s->filter = NULL;
    block_job_remove_all_bdrv(job);
    block_job_leave_main_node(job);
    bdrv_cbw_drop(filter);
    bdrv_drained_end(s->source);
    bdrv_unref(s->target);
    bdrv_unref(s->source);
}

/* The copy is worth nothing any more: who waits for it goes on. */
static void backup_cancel(BlockJob *job)
{
    bdrv_cbw_abandon(container_of(job, BackupJob, common)->filter);
}

static int64_t backup_dirty_bytes(BlockJob *job)
{
    return job->len - job->offset;
}

static int64_t backup_copied_bytes(BlockJob *job)
{
    BackupJob *s = container_of(job, BackupJob, common);

    return s->filter ? block_copy_copied(bdrv_cbw_copy_state(s->filter)) : 0;
}

static const BlockJobDriver backup_job_driver = {
    .instance_size  = sizeof(BackupJob),
    .job_type       = BLOCK_JOB_TYPE_BACKUP,
    .start          = backup_run,
    .pause          = backup_pause,
    .commit         = backup_commit,
    .abort          = backup_abort,
    .clean          = backup_clean,
    .cancel         = backup_cancel,
    .dirty_bytes    = backup_dirty_bytes,
    .copied_bytes   = backup_copied_bytes,
};

/* ---- Start ---- */

static bool backup_check_lengths(const BackupJobConfig *cfg, Error **errp)
{
    int64_t length = bdrv_getlength(cfg->bs);
    int64_t target_length = bdrv_getlength(cfg->target);

    if (length < 0 || target_length < 0) {
        error_setg_errno(errp, -MIN(length, target_length),
                         "Unable to get length for '%s'",
                         bdrv_get_device_or_node_name(length < 0 ? cfg->bs
                                                      : cfg->target));
        return false;
    }
    if (length != target_length) {
        error_setg(errp, "Source and target image have different sizes");
        return false;
    }
    return true;
}

/* Can a request be of a cluster at least? */
static bool backup_check_chunk(const BackupJobConfig *cfg, Error **errp)
{
    int64_t cluster = bdrv_cbw_cluster_size(cfg->target, errp);

    if (cluster < 0) {
        return false;
    }
    if (cfg->max_chunk && cfg->max_chunk < cluster) {
        error_setg(errp, "Required max-chunk (%" PRId64 ") is less than "
                   "backup cluster size (%" PRId64 ")", cfg->max_chunk,
                   cluster);
        return false;
    }
    return true;
}

static bool backup_check(const BackupJobConfig *cfg, Error **errp)
{
    if (cfg->bs == cfg->target) {
        error_setg(errp, "Source and target cannot be the same");
        return false;
    }
    if (cfg->compress &&
        !bdrv_skip_filters(cfg->target)->drv->
            bdrv_co_pwritev_compressed_part) {
        error_setg(errp, "Compression is not supported for this drive %s",
                   bdrv_get_device_name(cfg->target));
        return false;
    }
    if (bdrv_op_is_blocked(cfg->bs, BLOCK_OP_TYPE_BACKUP_SOURCE, errp) ||
        bdrv_op_is_blocked(cfg->target, BLOCK_OP_TYPE_BACKUP_TARGET, errp)) {
        return false;
    }
    if (cfg->max_workers < 1 || cfg->max_workers > INT_MAX) {
        error_setg(errp, "max-workers must be between 1 and %d", INT_MAX);
        return false;
    }
    if (cfg->max_chunk < 0) {
        error_setg(errp, "max-chunk must be zero (which means no limit) or "
                   "positive");
        return false;
    }
    return backup_check_lengths(cfg, errp) && backup_check_chunk(cfg, errp);
}

/* Filter and job; the source is drained. */
static BackupJob *backup_make(const BackupJobConfig *cfg, Error **errp)
{
    CbwConfig cbw = {
        .filter_node_name = cfg->filter_node_name,
        .compress = cfg->compress,
        .use_copy_range = cfg->use_copy_range,
        .max_chunk = cfg->max_chunk,
        .max_workers = cfg->max_workers,
        .done = backup_piece_done,
    };
    BlockDriverState *filter = bdrv_cbw_append(cfg->bs, cfg->target, &cbw,
                                               errp);
    BackupJob *s;

    if (!filter) {
        return NULL;
    }
    s = block_job_create(cfg->job_id, &backup_job_driver, cfg->txn, filter, 0,
                         BLK_PERM_ALL, cfg->speed, cfg->creation_flags,
                         cfg->cb, cfg->opaque, errp);
    if (!s) {
        bdrv_cbw_drop(filter);
        return NULL;
    }
    bdrv_cbw_set_opaque(filter, s);
    if (block_job_add_bdrv(&s->common, "target", cfg->target, 0, BLK_PERM_ALL,
                           errp) < 0) {
        block_job_early_fail(&s->common);
        bdrv_cbw_drop(filter);
        return NULL;
    }
    s->filter = filter;
    return s;
}

BlockJob *backup_job_create(const BackupJobConfig *cfg, Error **errp)
{
    BackupJob *s = NULL;

    if (!backup_check(cfg, errp)) {
        return NULL;
    }
    if (cfg->sync_bitmap &&
        bdrv_dirty_bitmap_create_successor(cfg->sync_bitmap, errp) < 0) {
        return NULL;
    }
    bdrv_drained_begin(cfg->bs);
    s = backup_make(cfg, errp);
    if (!s) {
        if (cfg->sync_bitmap) {
            bdrv_reclaim_dirty_bitmap(cfg->sync_bitmap, NULL);
        }
        bdrv_drained_end(cfg->bs);
        return NULL;
    }
    bdrv_ref(cfg->bs);
    bdrv_ref(cfg->target);
    s->source = cfg->bs;
    s->target = cfg->target;
    s->sync_mode = cfg->sync_mode;
    s->sync_bitmap = cfg->sync_bitmap;
    s->bitmap_mode = cfg->bitmap_mode;
    s->on_source_error = cfg->on_source_error;
    s->on_target_error = cfg->on_target_error;
    s->length = bdrv_getlength(cfg->bs);
    if (s->sync_mode == MIRROR_SYNC_MODE_BITMAP) {
        bdrv_cbw_restrict(s->filter, s->sync_bitmap);
    }
    bdrv_cbw_set_skip_unallocated(s->filter,
                                  s->sync_mode == MIRROR_SYNC_MODE_TOP);
    block_job_progress_set_remaining(&s->common, s->length);
    bdrv_drained_end(cfg->bs);
    return &s->common;
}
