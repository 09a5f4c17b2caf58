/*
 * SPDX-License-Identifier: MIT
 *
 * The stream job: moves what backing files have into an overlay, which then
 * needs them no more.
 *
 * A copy-on-read filter is put above the overlay, so that what its users read
 * meanwhile is kept, too.  The job itself looks which layer has an extent and
 * lets the copy engine take it from there; the overlay's own data always win.
 * At the end the overlay gets the base as its backing file.
 *
 * Invariants
 *   1. ->offset is a multiple of ->unit, or the end.
 *   2. The links from the filter down to ->bottom are frozen by the filter.
 *      The one below ->bottom is not: what is there at the end is the base.
 *   3. ->error is the first error of a range that was given up; such a job
 *      goes on or not, but fails, and the chain stays.
 */
#include "qemu/osdep.h"
#include "block/block-copy.h"
#include "block/blockjob_int.h"
#include "block/chain-map.h"
#include "block/copy-on-read.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qemu/timer.h"

/* The steps in which users see the progress. */
#define STREAM_CHUNK         (512 * KiB)
#define STREAM_MAX_ZERO      (64 * MiB)
#define STREAM_BUF_SIZE      (16 * MiB)
#define STREAM_MAX_PIECES    64

typedef struct StreamRange {
    int64_t offset;
    int64_t bytes;
} StreamRange;

typedef struct StreamJob {
    BlockJob common;

    /* Immutable once started */
    BlockDriverState *filter;
    BlockDriverState *top;      /* the overlay */
    BlockDriverState *bottom;   /* last node that is copied */
    char *backing_file_str;
    BlockdevOnError on_error;
    bool was_read_only;

    /* The job's AioContext */
    int64_t length;
    int64_t unit;               /* clusters of the overlay */
    int64_t offset;             /* what is below has been looked at */
    ChainMap *map;
    BlockCopyState *copy;
    GArray *retry;              /* of StreamRange: failed, and stopped for */
    int error;
    bool give_up;               /* policy: end with ->error */

    /* Main thread */
    bool exited;                /* filter and nodes are gone */
} StreamJob;

/* ---- Copying ---- */

/* A range could not be read or written. */
static void stream_failed(StreamJob *s, int64_t offset, int64_t bytes, int ret)
{
    BlockErrorAction action;

    if (s->give_up) {
        return;
    }
    action = block_job_error_action(&s->common, s->on_error, true, -ret);
    if (action == BLOCK_ERROR_ACTION_STOP) {
        StreamRange again = { offset, bytes };

        g_array_append_val(s->retry, again);
        return;
    }
    if (s->error == 0) {
        s->error = ret;
    }
    if (action == BLOCK_ERROR_ACTION_REPORT) {
        s->give_up = true;
    } else {
        block_job_progress_update(&s->common, bytes);
    }
}

static void stream_piece_done(void *opaque, int64_t offset, int64_t bytes,
                              int ret, bool is_read)
{
    StreamJob *s = opaque;

    if (ret < 0) {
        stream_failed(s, offset, bytes, ret);
    } else {
        block_job_progress_update(&s->common, bytes);
    }
}

static void coroutine_fn stream_pause(BlockJob *job)
{
    StreamJob *s = container_of(job, StreamJob, common);

    if (s->copy) {
        block_copy_wait_all(s->copy);
    }
}

/* The longest piece of @bytes that may be copied at once, whole units. */
static int64_t stream_piece_length(StreamJob *s, int64_t bytes, bool zero)
{
    int64_t max = zero && !s->common.speed ? STREAM_MAX_ZERO : STREAM_CHUNK;

    bytes = MIN(bytes, MAX(max, s->unit));
    if (s->offset + bytes == s->length &&
        QEMU_IS_ALIGNED(bytes, bdrv_get_request_alignment(s->top))) {
        return bytes;
    }
    return QEMU_ALIGN_DOWN(bytes, s->unit);
}

/* Take the extent at ->offset in hand.  Returns its cost. */
static int64_t coroutine_fn stream_start_piece(StreamJob *s)
{
    int64_t left = s->length - s->offset, n, cost;
    int64_t whole_unit = MIN(left, s->unit);
    ChainExtent e;
    int ret;

    if (s->retry->len) {
        StreamRange r = g_array_index(s->retry, StreamRange, 0);

        g_array_remove_index(s->retry, 0);
        return block_copy_start_known(s->copy, NULL, BLOCK_COPY_ON_READ,
                                      r.offset, r.bytes);
    }
    ret = chain_map_find(s->map, s->offset, left, &e);
    if (ret < 0) {
        stream_failed(s, s->offset, whole_unit, ret);
        s->offset += whole_unit;
        return 0;
    }
    if (e.layer <= 0) {
        /* The overlay has it, or nobody. */
        n = e.bytes == left ? left : QEMU_ALIGN_DOWN(e.bytes, s->unit);
        if (n > 0) {
            s->offset += n;
            block_job_progress_update(&s->common, n);
            return 0;
        }
    }
    n = e.layer > 0 ? stream_piece_length(s, e.bytes, e.zero) : 0;
    if (n > 0) {
        cost = block_copy_start_known(s->copy, e.source,
                                      e.zero ? BLOCK_COPY_ZERO
                                             : BLOCK_COPY_DATA, s->offset, n);
        /* For users, zeroes are a part of the work as well. */
        cost = MAX(cost, s->common.speed ? n : 0);
    } else {
        /* One unit, with several kinds in it. */
        n = whole_unit;
        cost = block_copy_start_known(s->copy, NULL, BLOCK_COPY_ON_READ,
                                      s->offset, n);
    }
    s->offset += n;
    return cost;
}

static void coroutine_fn stream_loop(StreamJob *s)
{
    BlockJob *job = &s->common;
    int64_t last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    while (!s->give_up) {
        int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
        int64_t delay;

        if (now - last_ns > BLOCK_JOB_SLICE_TIME) {
            last_ns = now;
            block_job_sleep_ns(job, 0);
        } else {
            block_job_pause_point(job);
        }
        if (block_job_is_cancelled(job) || s->give_up) {
            return;
        }
        if (s->offset >= s->length && !s->retry->len) {
            if (!block_copy_busy(s->copy)) {
                return;
            }
            block_copy_wait_one(s->copy);
            continue;
        }
        if (block_copy_full(s->copy)) {
            block_copy_wait_one(s->copy);
            continue;
        }
        delay = block_job_ratelimit_get_delay(job, stream_start_piece(s));
        while (delay > 0 && !block_job_is_cancelled(job) && !s->give_up) {
            /* Woken by the end of a drained section, it goes on sleeping. */
            block_job_sleep_ns(job, delay);
            delay = block_job_ratelimit_get_delay(job, 0);
        }
    }
}

static void stream_deferred(BlockJob *job, void *opaque)
{
    StreamJob *s = container_of(job, StreamJob, common);

    block_job_completed(job, s->error);
}

static void coroutine_fn stream_run(void *opaque)
{
    StreamJob *s = opaque;
    int ret;

    if (s->top != s->bottom) {
        s->length = bdrv_getlength(s->filter);
        if (s->length < 0) {
            s->error = s->length;
        } else {
            block_job_progress_set_remaining(&s->common, s->length);
            stream_loop(s);
        }
        block_copy_wait_all(s->copy);
    }
    if (!s->error && !block_job_is_cancelled(&s->common)) {
        /* The data first; then the header may say that they are there. */
        ret = bdrv_co_flush(s->top);
        s->error = MIN(ret, 0);
    }
    block_job_defer_to_main_loop(&s->common, stream_deferred, NULL);
}

/* ---- End ---- */

/* Take filter and nodes away from the job. */
static void stream_exit(StreamJob *s)
{
    BlockJob *job = &s->common;

    if (s->exited) {
        return;
    }
    s->exited = true;
    bdrv_drained_begin(s->top);
    chain_map_free(s->map);
    s->map = NULL;
    block_copy_state_free(s->copy);
    s->copy = NULL;
    block_job_remove_all_bdrv(job);
    block_job_leave_main_node(job);
    bdrv_cor_filter_drop(s->filter);
    s->filter = NULL;
    bdrv_drained_end(s->top);
}

/* Give the overlay what is below ->bottom now as its backing file. */
static int stream_prepare(BlockJob *job)
{
    StreamJob *s = container_of(job, StreamJob, common);
    BlockDriverState *base, *unfiltered;
    const char *name = NULL, *format = NULL;
    Error *local_err = NULL;
    int ret;

    stream_exit(s);
    if (!bdrv_cow_child(s->top)) {
        return 0;
    }
    base = bdrv_filter_or_cow_bs(s->bottom);
    if (base) {
        bdrv_ref(base);
    }
    bdrv_drained_begin(s->top);
    unfiltered = bdrv_skip_filters(base);
    if (unfiltered) {
        bdrv_refresh_filename(unfiltered);
        name = s->backing_file_str ? s->backing_file_str
                                   : unfiltered->filename;
        format = bdrv_get_format_name(unfiltered);
    }
    ret = bdrv_set_backing_hd_check(s->top, base, &local_err);
    if (ret >= 0) {
        ret = bdrv_change_backing_file(s->top, name, format, false);
    } else {
        error_report_err(local_err);
    }
    bdrv_drained_end(s->top);
    bdrv_unref(base);
    return MIN(ret, 0);
}

static void stream_abort(BlockJob *job)
{
    stream_exit(container_of(job, StreamJob, common));
}

static void stream_clean(BlockJob *job)
{
    StreamJob *s = container_of(job, StreamJob, common);

    stream_exit(s);
    if (s->was_read_only) {
        bdrv_reopen_set_read_only(s->top, true, NULL);
    }
    g_array_free(s->retry, true);
    g_free(s->backing_file_str);
    bdrv_unref(s->bottom);
    bdrv_unref(s->top);
}

static int64_t stream_copied_bytes(BlockJob *job)
{
    return block_copy_copied(container_of(job, StreamJob, common)->copy);
}

static const BlockJobDriver stream_job_driver = {
    .instance_size  = sizeof(StreamJob),
    .job_type       = BLOCK_JOB_TYPE_STREAM,
    .start          = stream_run,
    .pause          = stream_pause,
    .copied_bytes   = stream_copied_bytes,
    .prepare        = stream_prepare,
    .abort          = stream_abort,
    .clean          = stream_clean,
};

/* ---- Start ---- */

/* Nodes between the overlay and the base; nobody may write to them. */
static bool stream_add_nodes(StreamJob *s, Error **errp)
{
    const uint64_t shared = BLK_PERM_CONSISTENT_READ |
                            BLK_PERM_WRITE_UNCHANGED;
    BlockDriverState *bs;

    if (block_job_add_bdrv(&s->common, "active node", s->top, 0,
                           shared | BLK_PERM_WRITE, errp) < 0) {
        return false;
    }
    for (bs = s->top; bs != s->bottom; ) {
        bs = bdrv_filter_or_cow_bs(bs);
        if (block_job_add_bdrv(&s->common, "intermediate node", bs, 0, shared,
                               errp) < 0) {
            return false;
        }
    }
    return true;
}

static void stream_init(StreamJob *s, const StreamJobConfig *cfg,
                        BlockDriverState *lowest)
{
    BlockCopyConfig copy = {
        .source = s->filter->file,
        .target = s->filter->file,
        .length = bdrv_getlength(s->top),
        .align = 1,
        .max_chunk = STREAM_CHUNK,
        .max_bytes = STREAM_BUF_SIZE,
        .max_pieces = STREAM_MAX_PIECES,
        .copy_up = true,
        .done = stream_piece_done,
        .opaque = s,
    };

    s->unit = bdrv_cluster_size_or(s->top, bdrv_get_request_alignment(s->top));
    s->backing_file_str = g_strdup(cfg->backing_file_str);
    s->on_error = cfg->on_error;
    s->retry = g_array_new(false, false, sizeof(StreamRange));
    s->copy = block_copy_state_new(&copy);
    s->map = chain_map_new(s->filter->file, lowest);
}

/* The last node that is copied: above the base, whatever that is. */
static BlockDriverState *stream_find_bottom(const StreamJobConfig *cfg)
{
    BlockDriverState *bs = bdrv_skip_filters(cfg->bs);
    BlockDriverState *next;

    if (cfg->bottom) {
        return cfg->bottom;
    }
    while ((next = bdrv_backing_chain_next(bs)) &&
           next != bdrv_skip_filters(cfg->base)) {
        bs = next;
    }
    /* Filters between the two go with the part that is copied, if the base
     * is below them. */
    while (cfg->base && (next = bdrv_filter_or_cow_bs(bs)) &&
           next != cfg->base && next->drv && next->drv->is_filter) {
        bs = next;
    }
    return bs;
}

bool stream_start_job(const StreamJobConfig *cfg, Error **errp)
{
    BlockDriverState *top = bdrv_skip_filters(cfg->bs);
    BlockDriverState *bottom = stream_find_bottom(cfg);
    BlockDriverState *overlay = bdrv_skip_filters(bottom);
    BlockDriverState *filter;
    bool read_only = bdrv_is_read_only(top);
    StreamJob *s;

    if (bottom->drv->is_filter) {
        overlay = bdrv_find_overlay(cfg->bs, bdrv_skip_filters(bottom));
    }
    if (read_only && bdrv_reopen_set_read_only(top, false, errp) < 0) {
        return false;
    }
    filter = bdrv_cor_filter_append(cfg->bs, overlay->node_name,
                                    cfg->filter_node_name, errp);
    if (!filter) {
        goto fail;
    }
    s = block_job_create(cfg->job_id, &stream_job_driver, NULL, filter,
                         BLK_PERM_CONSISTENT_READ,
                         BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED |
                         BLK_PERM_WRITE, cfg->speed, cfg->creation_flags,
                         NULL, NULL, errp);
    if (!s) {
        bdrv_cor_filter_drop(filter);
        goto fail;
    }
    s->filter = filter;
    s->top = top;
    s->bottom = bottom;
    s->was_read_only = read_only;
    if (!stream_add_nodes(s, errp)) {
        block_job_remove_all_bdrv(&s->common);
        block_job_early_fail(&s->common);
        bdrv_cor_filter_drop(filter);
        goto fail;
    }
    bdrv_ref(s->top);
    bdrv_ref(s->bottom);
    stream_init(s, cfg, overlay);
    block_job_start(&s->common);
    return true;

fail:
    if (read_only) {
        bdrv_reopen_set_read_only(top, true, NULL);
    }
    return false;
}

void stream_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *base, const char *backing_file_str,
                  int64_t speed, BlockdevOnError on_error, Error **errp)
{
    StreamJobConfig cfg = {
        .job_id = job_id,
        .bs = bs,
        .base = base,
        .backing_file_str = backing_file_str,
        .speed = speed,
        .on_error = on_error,
    };

    stream_start_job(&cfg, errp);
}
