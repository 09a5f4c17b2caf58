/*
 * SPDX-License-Identifier: MIT
 *
 * The commit job: moves what images of a chain have down into their base, so
 * that the image above them can use the base directly.  (Where the active
 * image is one of them, the mirror job does it: mirror-start.c.)
 *
 * A filter, commit_top, stands above the uppermost image meanwhile: below it
 * nothing is consistent any more but the sum of all, which nobody writes to
 * but the job.  The job finds out which layer has an extent and lets the copy
 * engine take it from there.
 *
 * Invariants
 *   1. The links from the filter down to the base are frozen until
 *      commit_exit().
 *   2. An extent counts as done only when the base has it.
 */
#include "qemu/osdep.h"
#include "block/block-copy.h"
#include "block/blockjob_int.h"
#include "block/chain-map.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qemu/timer.h"

/* The steps in which users see the progress. */
#define COMMIT_CHUNK      (512 * KiB)
#define COMMIT_MAX_ZERO   (256 * MiB)
#define COMMIT_BUF_SIZE   (16 * MiB)
#define COMMIT_MAX_PIECES 64
/* Pause after an error that is to be ignored. */
#define COMMIT_BACKOFF_NS (10 * SCALE_MS)

typedef struct CommitRange {
    int64_t offset;
    int64_t bytes;
} CommitRange;

typedef struct CommitJob {
    BlockJob common;

    /* Immutable once started */
    BlockDriverState *filter;
    BlockDriverState *top;
    BlockDriverState *base_bs;
    BlockBackend *base;         /* NULL after the end */
    char *backing_file_str;
    BlockdevOnError on_error;
    bool base_was_read_only;

    /* The job's AioContext */
    int64_t length;             /* of what the base must show, or -errno */
    int64_t offset;             /* what is below has been looked at */
    ChainMap *map;
    BlockCopyState *copy;
    GArray *retry;              /* of CommitRange: to be done again */
    bool backoff;
    int ret;                    /* the error that ends the job */

    /* Main thread */
    bool exited;
} CommitJob;

/* ---- The filter ---- */

static int coroutine_fn commit_top_preadv(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset,
                                          BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->backing, offset, bytes, qiov, qiov_offset,
                               flags);
}

static void commit_top_refresh_filename(BlockDriverState *bs)
{
    const char *name = bs->backing ? bs->backing->bs->filename : "";

    bdrv_set_string(&bs->exact_filename, name);
    bdrv_set_string(&bs->filename, name);
}

/* The job allows, and does, what would be a conflict for others. */
static void commit_top_child_perm(BlockDriverState *bs, BdrvChild *c,
                                  const BdrvChildRole *role,
                                  BlockReopenQueue *reopen_queue,
                                  uint64_t perm, uint64_t shared,
                                  uint64_t *nperm, uint64_t *nshared)
{
    *nperm = 0;
    *nshared = BLK_PERM_ALL;
}

static int64_t commit_top_getlength(BlockDriverState *bs)
{
    return bs->backing ? bdrv_getlength(bs->backing->bs)
                       : bs->total_sectors * BDRV_SECTOR_SIZE;
}

static BlockDriver bdrv_commit_top = {
    .format_name = "commit_top",
    .is_filter = true,
    .filtered_child_is_backing = true,
    .bdrv_co_preadv_part = commit_top_preadv,
    .bdrv_getlength = commit_top_getlength,
    .bdrv_refresh_filename = commit_top_refresh_filename,
    .bdrv_child_perm = commit_top_child_perm,
};

/* ---- Copying ---- */

static void commit_failed(CommitJob *s, int64_t offset, int64_t bytes,
                          int ret, bool is_read)
{
    CommitRange again = { offset, bytes };
    BlockErrorAction action;

    if (s->ret < 0) {
        return;
    }
    action = block_job_error_action(&s->common, s->on_error, is_read, -ret);
    if (action == BLOCK_ERROR_ACTION_REPORT) {
        s->ret = ret;
    } else {
        g_array_append_val(s->retry, again);
        s->backoff |= action == BLOCK_ERROR_ACTION_IGNORE;
    }
}

static void commit_piece_done(void *opaque, int64_t offset, int64_t bytes,
                              int ret, bool is_read)
{
    CommitJob *s = opaque;

    if (ret < 0) {
        commit_failed(s, offset, bytes, ret, is_read);
    } else {
        block_job_progress_update(&s->common, bytes);
    }
}

static void coroutine_fn commit_pause(BlockJob *job)
{
    CommitJob *s = container_of(job, CommitJob, common);

    block_copy_wait_all(s->copy);
}

/* Take the next extent in hand.  Returns its cost. */
static int64_t coroutine_fn commit_start_piece(CommitJob *s)
{
    int64_t offset = s->offset, left = s->length - offset, n, cost;
    bool again = s->retry->len > 0;
    ChainExtent e;
    int ret;

    if (again) {
        CommitRange r = g_array_index(s->retry, CommitRange, 0);

        g_array_remove_index(s->retry, 0);
        offset = r.offset;
        left = r.bytes;
    }
    ret = chain_map_find(s->map, offset, left, &e);
    if (ret < 0) {
        n = MIN(left, COMMIT_CHUNK);
        commit_failed(s, offset, n, ret, true);
        cost = 0;
    } else if (e.layer < 0) {
        n = e.bytes;
        block_job_progress_update(&s->common, n);
        cost = 0;
    } else {
        n = MIN(e.bytes, e.zero && !s->common.speed ? COMMIT_MAX_ZERO
                                                    : COMMIT_CHUNK);
        cost = block_copy_start_known(s->copy, e.source,
                                      e.zero ? BLOCK_COPY_ZERO
                                             : BLOCK_COPY_DATA, offset, n);
        /* For users, zeroes are a part of the work as well. */
        cost = MAX(cost, s->common.speed ? n : 0);
    }
    if (!again) {
        s->offset += n;
    } else if (n < left) {
        CommitRange rest = { offset + n, left - n };

        g_array_append_val(s->retry, rest);
    }
    return cost;
}

/* Let others run, and sleep after errors that are ignored. */
static void coroutine_fn commit_breathe(CommitJob *s, int64_t *last_ns)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    if (s->backoff) {
        s->backoff = false;
        block_job_sleep_ns(&s->common, COMMIT_BACKOFF_NS);
    } else if (now - *last_ns > BLOCK_JOB_SLICE_TIME) {
        *last_ns = now;
        block_job_sleep_ns(&s->common, 0);
    } else {
        block_job_pause_point(&s->common);
    }
}

static void coroutine_fn commit_loop(CommitJob *s)
{
    BlockJob *job = &s->common;
    int64_t last_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    for (;;) {
        int64_t delay;

        commit_breathe(s, &last_ns);
        if (block_job_is_cancelled(job) || s->ret < 0) {
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
        delay = block_job_ratelimit_get_delay(job, commit_start_piece(s));
        while (delay > 0 && !block_job_is_cancelled(job) && s->ret >= 0) {
            /* Woken by the end of a drained section, it goes on sleeping. */
            block_job_sleep_ns(job, delay);
            delay = block_job_ratelimit_get_delay(job, 0);
        }
    }
}

static void commit_deferred(BlockJob *job, void *opaque)
{
    CommitJob *s = container_of(job, CommitJob, common);

    block_job_completed(job, s->ret);
}

/* The base must hold all that the images above it show. */
static int coroutine_fn commit_grow_base(CommitJob *s)
{
    int64_t base_length = bdrv_getlength(s->base_bs);

    if (base_length < 0 || base_length >= s->length) {
        return MIN(base_length, 0);
    }
    return bdrv_co_truncate(blk_root(s->base), s->length, false,
                            PREALLOC_MODE_OFF, 0, NULL);
}

static void coroutine_fn commit_run(void *opaque)
{
    CommitJob *s = opaque;

    s->ret = MIN(s->length, 0);
    if (s->ret >= 0) {
        block_job_progress_set_remaining(&s->common, s->length);
        s->ret = commit_grow_base(s);
    }
    if (s->ret >= 0) {
        commit_loop(s);
    }
    block_copy_wait_all(s->copy);
    if (s->ret >= 0 && !block_job_is_cancelled(&s->common)) {
        /* Before a header says that the images above are not needed. */
        s->ret = MIN(blk_co_flush(s->base), 0);
    }
    block_job_defer_to_main_loop(&s->common, commit_deferred, NULL);
}

/* ---- End ---- */

/* Take the filter's links from below it, and from the job. */
static void commit_detach_filter(CommitJob *s)
{
    bdrv_set_backing_hd(s->filter, NULL, &error_abort);
    bdrv_unref(s->filter);
    s->filter = NULL;
}

/* Give back what the job holds; the filter stays. */
static void commit_release(CommitJob *s)
{
    bdrv_unfreeze_backing_chain(s->filter, s->base_bs);
    chain_map_free(s->map);
    block_copy_state_free(s->copy);
    s->copy = NULL;
    blk_unref(s->base);
    s->base = NULL;
    block_job_remove_all_bdrv(&s->common);
}

static int commit_exit(CommitJob *s, bool success)
{
    int ret = 0;

    if (s->exited) {
        return 0;
    }
    s->exited = true;
    bdrv_drained_begin(s->top);
    commit_release(s);
    if (success) {
        ret = bdrv_drop_intermediate(s->filter, s->base_bs,
                                     s->backing_file_str);
    }
    if (!success || ret < 0) {
        bdrv_replace_node(s->filter, s->top, &error_abort);
    }
    commit_detach_filter(s);
    bdrv_drained_end(s->top);
    return ret;
}

static int commit_prepare(BlockJob *job)
{
    return commit_exit(container_of(job, CommitJob, common), true);
}

static void commit_abort(BlockJob *job)
{
    commit_exit(container_of(job, CommitJob, common), false);
}

static void commit_clean(BlockJob *job)
{
    CommitJob *s = container_of(job, CommitJob, common);

    commit_exit(s, false);
    if (s->base_was_read_only) {
        bdrv_reopen_set_read_only(s->base_bs, true, NULL);
    }
    g_array_free(s->retry, true);
    g_free(s->backing_file_str);
    bdrv_unref(s->base_bs);
    bdrv_unref(s->top);
}

static int64_t commit_copied_bytes(BlockJob *job)
{
    return block_copy_copied(container_of(job, CommitJob, common)->copy);
}

static const BlockJobDriver commit_job_driver = {
    .instance_size  = sizeof(CommitJob),
    .job_type       = BLOCK_JOB_TYPE_COMMIT,
    .start          = commit_run,
    .pause          = commit_pause,
    .copied_bytes   = commit_copied_bytes,
    .prepare        = commit_prepare,
    .abort          = commit_abort,
    .clean          = commit_clean,
};

/* ---- Start ---- */

static bool commit_add_nodes(CommitJob *s, Error **errp)
{
    BlockDriverState *bs;
    uint64_t shared = BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE;
    uint64_t perm = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE;

    for (bs = s->top; bs != s->base_bs; bs = bdrv_filter_or_cow_bs(bs)) {
        if (bdrv_skip_filters(bs) == bdrv_skip_filters(s->base_bs)) {
            /* A filter of the base shows what the base does. */
            shared |= BLK_PERM_CONSISTENT_READ;
        }
        if (block_job_add_bdrv(&s->common, "intermediate node", bs, 0, shared,
                               errp) < 0) {
            return false;
        }
    }
    if (block_job_add_bdrv(&s->common, "base", s->base_bs, 0, BLK_PERM_ALL,
                           errp) < 0) {
        return false;
    }
    /* Filters of the base do not let others resize it. */
    if (bdrv_getlength(s->base_bs) < bdrv_getlength(s->top)) {
        perm |= BLK_PERM_RESIZE;
    }
    s->base = blk_new(perm, BLK_PERM_CONSISTENT_READ | BLK_PERM_GRAPH_MOD |
                            BLK_PERM_WRITE_UNCHANGED);
    blk_set_disable_request_queuing(s->base, true);
    return blk_insert_bs(s->base, s->base_bs, errp) == 0 &&
           bdrv_freeze_backing_chain(s->filter, s->base_bs, errp) == 0;
}

static BlockDriverState *commit_insert_filter(const CommitJobConfig *cfg,
                                              Error **errp)
{
    BlockDriverState *filter;

    filter = bdrv_new_open_driver(&bdrv_commit_top, cfg->filter_node_name, 0,
                                  errp);
    if (!filter) {
        return NULL;
    }
    filter->implicit = !cfg->filter_node_name;
    /* It can always be taken away. */
    filter->never_freeze = true;
    filter->total_sectors = cfg->top->total_sectors;
    if (bdrv_append(filter, cfg->top, errp) < 0) {
        bdrv_unref(filter);
        return NULL;
    }
    return filter;
}

/*
 * Behind the end of the top image its overlay shows zeroes.  What a longer base
 * has there must not come to light.
 */
static int64_t commit_length(CommitJob *s)
{
    int64_t top = bdrv_getlength(s->top);
    int64_t base = bdrv_getlength(s->base_bs);
    int64_t overlay = bdrv_overlay_length(s->filter);

    if (top < 0 || base < 0 || overlay < 0) {
        return MIN(top, MIN(base, overlay));
    }
    return MAX(top, MIN(base, overlay));
}

static void commit_init(CommitJob *s, const CommitJobConfig *cfg)
{
    int64_t length = commit_length(s);
    BlockCopyConfig copy = {
        .source = s->filter->backing,
        .target = blk_root(s->base),
        .length = MAX(length, 0),
        .align = 1,
        .max_chunk = COMMIT_CHUNK,
        .max_bytes = COMMIT_BUF_SIZE,
        .max_pieces = COMMIT_MAX_PIECES,
        .done = commit_piece_done,
        .opaque = s,
    };

    s->length = length;
    s->backing_file_str = g_strdup(cfg->backing_file_str);
    s->on_error = cfg->on_error;
    s->retry = g_array_new(false, false, sizeof(CommitRange));
    s->copy = block_copy_state_new(&copy);
    s->map = chain_map_new(s->filter->backing,
                           bdrv_find_overlay(s->top, s->base_bs));
    bdrv_ref(s->top);
    bdrv_ref(s->base_bs);
}

/* Nothing but the job itself was made. */
static void commit_undo_start(CommitJob *s)
{
    BlockDriverState *filter = s->filter, *top = s->top;

    blk_unref(s->base);
    block_job_remove_all_bdrv(&s->common);
    block_job_early_fail(&s->common);
    bdrv_replace_node(filter, top, &error_abort);
    bdrv_set_backing_hd(filter, NULL, &error_abort);
    bdrv_unref(filter);
}

bool commit_start_job(const CommitJobConfig *cfg, Error **errp)
{
    bool read_only = bdrv_is_read_only(cfg->base);
    CommitJob *s;

    if (bdrv_skip_filters(cfg->top) == bdrv_skip_filters(cfg->base)) {
        error_setg(errp, "Invalid files for merge: top and base are the same");
        return false;
    }
    s = block_job_create(cfg->job_id, &commit_job_driver, NULL, cfg->bs, 0,
                         BLK_PERM_ALL, cfg->speed, cfg->creation_flags, NULL,
                         NULL, errp);
    if (!s) {
        return false;
    }
    if (read_only && bdrv_reopen_set_read_only(cfg->base, false, errp) < 0) {
        block_job_early_fail(&s->common);
        return false;
    }
    s->top = cfg->top;
    s->base_bs = cfg->base;
    s->base_was_read_only = read_only;
    s->filter = commit_insert_filter(cfg, errp);
    if (!s->filter) {
        block_job_early_fail(&s->common);
        goto fail;
    }
    if (!commit_add_nodes(s, errp)) {
        commit_undo_start(s);
        goto fail;
    }
    commit_init(s, cfg);
    block_job_start(&s->common);
    return true;

fail:
    if (read_only) {
        bdrv_reopen_set_read_only(cfg->base, true, NULL);
    }
    return false;
}

void commit_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *base, BlockDriverState *top,
                  int64_t speed, BlockdevOnError on_error,
                  const char *backing_file_str, const char *filter_node_name,
                  Error **errp)
{
    CommitJobConfig cfg = {
        .job_id = job_id,
        .bs = bs,
        .base = base,
        .top = top,
        .backing_file_str = backing_file_str,
        .speed = speed,
        .on_error = on_error,
        .filter_node_name = filter_node_name,
    };

    commit_start_job(&cfg, errp);
}

/* ---- Without a job ---- */

/* Copy what @bs has itself. */
static int commit_copy_layer(BlockDriverState *bs, BlockBackend *src,
                             BlockBackend *dst)
{
    int64_t length = blk_getlength(src), offset = 0, n;
    int64_t dst_length = blk_getlength(dst);
    void *buf;
    int ret = MIN(MIN(length, dst_length), 0);

    if (ret == 0 && dst_length < length) {
        ret = bdrv_truncate(blk_root(dst), length, false, PREALLOC_MODE_OFF, 0,
                            NULL);
    }
    buf = qemu_blockalign(bs, COMMIT_CHUNK);
    while (ret >= 0 && offset < length) {
        ret = bdrv_is_allocated(bs, offset, MIN(length - offset, COMMIT_CHUNK),
                                &n);
        if (ret > 0) {
            ret = blk_pread(src, offset, n, buf, 0);
            if (ret >= 0) {
                ret = blk_pwrite(dst, offset, n, buf, 0);
            }
        }
        offset += n;
    }
    qemu_vfree(buf);
    return MIN(ret, 0);
}

/* With the filter between the two nodes. */
static int commit_layer(BlockDriverState *bs, BlockDriverState *backing)
{
    BlockBackend *src = blk_new_with_bs(bs, BLK_PERM_CONSISTENT_READ |
                                        BLK_PERM_WRITE_UNCHANGED,
                                        BLK_PERM_ALL, NULL);
    BlockBackend *dst = src ? blk_new_with_bs(backing, BLK_PERM_WRITE |
                                              BLK_PERM_RESIZE, BLK_PERM_ALL,
                                              NULL) : NULL;
    int ret = -EPERM;

    if (dst) {
        ret = commit_copy_layer(bs, src, dst);
    }
    if (ret >= 0) {
        /* Before what is above it goes. */
        ret = bdrv_flush(backing);
    }
    if (ret >= 0 && bs->drv->bdrv_make_empty) {
        ret = bdrv_make_empty(blk_root(src), NULL);
        ret = ret < 0 ? ret : bdrv_flush(bs);
    }
    blk_unref(dst);
    blk_unref(src);
    return ret;
}

int bdrv_commit(BlockDriverState *bs)
{
    BlockDriverState *backing = bs->drv ? bdrv_cow_bs(bs) : NULL;
    BlockDriverState *filter;
    bool read_only;
    int ret = -EPERM;

    if (!backing) {
        return bs->drv ? -ENOTSUP : -ENOMEDIUM;
    }
    if (bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_COMMIT_SOURCE, NULL) ||
        bdrv_op_is_blocked(backing, BLOCK_OP_TYPE_COMMIT_TARGET, NULL)) {
        return -EBUSY;
    }
    read_only = bdrv_is_read_only(backing);
    if (read_only && bdrv_reopen_set_read_only(backing, false, NULL) < 0) {
        return -EACCES;
    }
    bdrv_ref(backing);
    filter = bdrv_new_open_driver(&bdrv_commit_top, NULL, BDRV_O_RDWR, NULL);
    if (filter) {
        filter->implicit = true;
        if (bdrv_set_backing_hd_check(filter, backing, NULL) >= 0 &&
            bdrv_set_backing_hd_check(bs, filter, NULL) >= 0) {
            ret = commit_layer(bs, backing);
        }
        bdrv_set_backing_hd(bs, backing, &error_abort);
        bdrv_unref(filter);
    }
    if (read_only) {
        bdrv_reopen_set_read_only(backing, true, NULL);
    }
    bdrv_unref(backing);
    return ret;
}
