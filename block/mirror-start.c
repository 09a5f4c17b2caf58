/*
 * SPDX-License-Identifier: MIT
 *
 * How mirror jobs begin and end: checks, the filter node, permissions, the
 * switch to the target.
 *
 * At the end mirror_exit() runs once, from prepare or, if the job fails
 * before, from abort.  Between the end of the coroutine and mirror_exit() the
 * filter writes through, so that a job that waits in PENDING neither stops
 * the guest nor falls behind.
 */
#include "qemu/osdep.h"
#include "block/mirror-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"

#define MIRROR_DEFAULT_BUF_SIZE (16 * MiB)
/* Writers to one file take turns in the page cache: more only wait. */
#define MIRROR_CACHED_BUF_SIZE  (8 * MiB)
#define MIRROR_MAX_CHUNK        (1 * MiB)
#define MIRROR_MAX_PIECES       128

/* ---- End ---- */

/* Give the target the backing chain that it is to have. */
static int mirror_set_backing(MirrorJob *s, BlockDriverState *src,
                              BlockDriverState *target_bs, Error **errp)
{
    BlockDriverState *target = bdrv_skip_filters(target_bs);
    BlockDriverState *backing;

    if (s->backing_mode != MIRROR_SOURCE_BACKING_CHAIN) {
        return 0;
    }
    /* What is below the source now: other jobs may have changed it. */
    backing = s->sync_mode == MIRROR_SYNC_MODE_NONE ? src
            : s->sync_mode == MIRROR_SYNC_MODE_TOP ? bdrv_backing_chain_next(src)
            : NULL;
    if (bdrv_cow_bs(target) == backing) {
        return 0;
    }
    return bdrv_set_backing_hd_check(target, backing, errp);
}

/* Put the target into the place of the source. */
static int mirror_pivot(MirrorJob *s, BlockDriverState *src,
                        BlockDriverState *target_bs, Error **errp)
{
    BlockDriverState *old = s->to_replace ? s->to_replace : src;
    bool ro = bdrv_is_read_only(old);
    int ret;

    if (bdrv_is_read_only(target_bs) != ro) {
        ret = bdrv_reopen_set_read_only(target_bs, ro, errp);
        if (ret < 0) {
            return ret;
        }
    }
    if (s->to_replace && !bdrv_recurse_can_replace(src, s->to_replace)) {
        error_setg(errp, "Can no longer replace '%s' by '%s', because it can "
                   "no longer be guaranteed that doing so would not lead to "
                   "an abrupt change of visible data",
                   s->to_replace->node_name, target_bs->node_name);
        return -EPERM;
    }
    bdrv_drained_begin(target_bs);
    ret = bdrv_replace_node(old, target_bs, errp);
    bdrv_drained_end(target_bs);
    return ret;
}

static void mirror_finish_sync_bitmap(MirrorJob *s, int ret)
{
    if (!s->sync_bitmap) {
        return;
    }
    if (ret >= 0 && s->bitmap_mode != BITMAP_SYNC_MODE_NEVER) {
        /* The target has all that was written until now. */
        bdrv_clear_dirty_bitmap(s->sync_bitmap, NULL);
    } else if (ret < 0 && s->bitmap_mode == BITMAP_SYNC_MODE_ALWAYS) {
        int64_t offset = 0, count;

        bdrv_clear_dirty_bitmap(s->sync_bitmap, NULL);
        while (bdrv_dirty_bitmap_next_dirty_area(s->dirty_bitmap, offset,
                                                 s->length, INT64_MAX,
                                                 &offset, &count)) {
            bdrv_set_dirty_bitmap(s->sync_bitmap, offset, count);
            offset += count;
        }
    }
    bdrv_dirty_bitmap_set_busy(s->sync_bitmap, false);
}

/* Forget the node that was to be replaced. */
static void mirror_release_to_replace(MirrorJob *s)
{
    if (s->to_replace) {
        bdrv_op_unblock_all(s->to_replace, s->replace_blocker);
        error_free(s->replace_blocker);
        s->replace_blocker = NULL;
        bdrv_unref(s->to_replace);
        s->to_replace = NULL;
    }
}

static int mirror_exit(MirrorJob *s, bool abort)
{
    BlockJob *job = &s->common;
    MirrorFilter *f = s->filter->opaque;
    BlockDriverState *filter = s->filter;
    BlockDriverState *src, *target_bs;
    Error *local_err = NULL;
    int ret = 0;

    if (s->exited) {
        return 0;
    }
    s->exited = true;
    src = filter->backing->bs;
    target_bs = blk_bs(s->target->blk);
    bdrv_ref(filter);
    bdrv_ref(src);
    bdrv_ref(target_bs);

    /* The guest's requests are over, on both sides. */
    bdrv_drained_begin(src);
    if (abort) {
        ret = job->ret < 0 ? job->ret : -ECANCELED;
    } else if (s->ret < 0) {
        ret = s->ret;
    } else if (bdrv_get_dirty_count(s->dirty_bitmap)) {
        ret = -EIO;
    }
    f->job = NULL;
    mirror_finish_sync_bitmap(s, ret);
    bdrv_release_dirty_bitmap(s->dirty_bitmap);
    s->dirty_bitmap = NULL;

    /* Permissions that would stand in the way of the new graph */
    if (s->is_commit) {
        bdrv_unfreeze_backing_chain(filter, target_bs);
    }
    mirror_target_drop(s->target);
    s->target = NULL;
    block_job_remove_all_bdrv(job);
    f->stop = true;
    bdrv_child_refresh_perms(filter, filter->backing, &error_abort);

    if (ret >= 0) {
        ret = mirror_set_backing(s, src, target_bs, &local_err);
    }
    if (ret >= 0 && s->should_complete) {
        ret = mirror_pivot(s, src, target_bs, &local_err);
    }
    if (local_err) {
        error_report_err(local_err);
    }
    mirror_release_to_replace(s);

    block_job_leave_main_node(job);
    bdrv_replace_node(filter, filter->backing->bs, &error_abort);
    bdrv_set_backing_hd(filter, NULL, &error_abort);

    bdrv_drained_end(src);
    if (s->base_read_only && (ret < 0 || !s->should_complete)) {
        bdrv_reopen_set_read_only(target_bs, true, NULL);
    }
    bdrv_unref(target_bs);
    bdrv_unref(src);
    bdrv_unref(filter);
    return ret;
}

static int mirror_prepare(BlockJob *job)
{
    return mirror_exit(container_of(job, MirrorJob, common), false);
}

static void mirror_abort(BlockJob *job)
{
    mirror_exit(container_of(job, MirrorJob, common), true);
}

static void mirror_clean(BlockJob *job)
{
    g_free(container_of(job, MirrorJob, common)->replaces);
}

/* ---- Requests to a running job ---- */

static void mirror_complete(BlockJob *job, Error **errp)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    if (s->should_complete) {
        return;
    }
    if (s->backing_mode == MIRROR_OPEN_BACKING_CHAIN) {
        BlockDriverState *target = bdrv_skip_filters(blk_bs(s->target->blk));

        if (!target->backing &&
            bdrv_open_backing_file(target, NULL, "backing", errp) < 0) {
            return;
        }
    }
    if (s->replaces) {
        s->to_replace = bdrv_find_node(s->replaces);
        if (!s->to_replace) {
            error_setg(errp, "Node name '%s' not found", s->replaces);
            return;
        }
        error_setg(&s->replace_blocker,
                   "block device is in use by block-job-complete");
        bdrv_op_block_all(s->to_replace, s->replace_blocker);
        bdrv_ref(s->to_replace);
    }
    atomic_set(&s->should_complete, true);
    /* Who is paused sees it when it is resumed. */
    block_job_kick(job);
}

static void mirror_attached_aio_context(BlockJob *job, AioContext *new_context)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    if (s->target) {
        blk_set_aio_context(s->target->blk, new_context, &error_abort);
    }
}

static void mirror_drain(BlockJob *job)
{
    MirrorJob *s = container_of(job, MirrorJob, common);

    if (s->target && !s->target->abandoned) {
        BlockBackend *target = s->target->blk;

        /* The job may end while we wait. */
        blk_ref(target);
        blk_drain(target);
        blk_unref(target);
    }
}

/* What the target has been given is worth nothing any more. */
static void mirror_cancel(BlockJob *job)
{
    MirrorJob *s = container_of(job, MirrorJob, common);
    BlockCopyClaim *claim = NULL;

    while ((claim = block_copy_next_claim(s->target->copy, claim))) {
        bdrv_set_dirty_bitmap(s->dirty_bitmap, claim->offset, claim->bytes);
    }
    mirror_target_abandon(s->target);
}

static const BlockJobDriver mirror_job_driver = {
    .instance_size          = sizeof(MirrorJob),
    .job_type               = BLOCK_JOB_TYPE_MIRROR,
    .start                  = mirror_run,
    .complete               = mirror_complete,
    .prepare                = mirror_prepare,
    .abort                  = mirror_abort,
    .clean                  = mirror_clean,
    .cancel                 = mirror_cancel,
    .pause                  = mirror_pause,
    .attached_aio_context   = mirror_attached_aio_context,
    .drain                  = mirror_drain,
    .dirty_bytes            = mirror_dirty_bytes,
    .copied_bytes           = mirror_copied_bytes,
};

static const BlockJobDriver commit_active_job_driver = {
    .instance_size          = sizeof(MirrorJob),
    .job_type               = BLOCK_JOB_TYPE_COMMIT,
    .start                  = mirror_run,
    .complete               = mirror_complete,
    .prepare                = mirror_prepare,
    .abort                  = mirror_abort,
    .clean                  = mirror_clean,
    .pause                  = mirror_pause,
    .attached_aio_context   = mirror_attached_aio_context,
    .drain                  = mirror_drain,
    .dirty_bytes            = mirror_dirty_bytes,
    .copied_bytes           = mirror_copied_bytes,
};

/* ---- Start ---- */

static bool mirror_check(const MirrorJobConfig *cfg, Error **errp)
{
    int64_t length, target_length;

    if ((cfg->sync_mode == MIRROR_SYNC_MODE_INCREMENTAL ||
         cfg->sync_mode == MIRROR_SYNC_MODE_BITMAP) && !cfg->sync_bitmap) {
        error_setg(errp, "Sync mode '%s' not supported",
                   MirrorSyncMode_str(cfg->sync_mode));
        return false;
    }
    if (cfg->buf_size < 0) {
        error_setg(errp, "Invalid parameter 'buf-size'");
        return false;
    }
    if (bdrv_skip_filters(cfg->bs) == bdrv_skip_filters(cfg->target)) {
        error_setg(errp, "Can't mirror node into itself");
        return false;
    }
    length = bdrv_getlength(cfg->bs);
    target_length = bdrv_getlength(cfg->target);
    if (length < 0 || target_length < 0) {
        BlockDriverState *bad = length < 0 ? cfg->bs : cfg->target;

        error_setg_errno(errp, -MIN(length, target_length),
                         "Unable to determine the length of '%s'",
                         bdrv_get_device_or_node_name(bad));
        return false;
    }
    return true;
}

/* Put the filter above the source. */
static BlockDriverState *mirror_insert_filter(const MirrorJobConfig *cfg,
                                              Error **errp)
{
    BlockDriverState *bs = cfg->bs;
    BlockDriverState *filter;
    int ret;

    filter = bdrv_new_open_driver(&bdrv_mirror_top, cfg->filter_node_name,
                                  BDRV_O_RDWR, errp);
    if (!filter) {
        return NULL;
    }
    ((MirrorFilter *)filter->opaque)->is_commit = cfg->is_commit;
    filter->implicit = !cfg->filter_node_name;
    filter->total_sectors = bs->total_sectors;
    filter->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED;
    filter->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
                                   BDRV_REQ_NO_FALLBACK |
                                   BDRV_REQ_MAY_UNMAP;
    bdrv_drained_begin(bs);
    ret = bdrv_append(filter, bs, errp);
    bdrv_drained_end(bs);
    if (ret < 0) {
        bdrv_unref(filter);
        return NULL;
    }
    return filter;
}

/* In what units the target is written: where its backing file is not open
 * yet, whole clusters. */
static int64_t mirror_target_align(MirrorJob *s)
{
    BlockDriverState *target = bdrv_skip_filters(blk_bs(s->target->blk));
    BlockDriverInfo bdi;

    if (*target->backing_file && !target->backing &&
        bdrv_get_info(target, &bdi) >= 0) {
        return MAX(s->granularity, bdi.cluster_size);
    }
    return s->granularity;
}

/* Active commit: what is between source and target is not consistent any
 * more, and must stay where it is. */
static bool mirror_attach_chain(MirrorJob *s, const MirrorJobConfig *cfg,
                                Error **errp)
{
    uint64_t shared = BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE;
    BlockDriverState *bs = bdrv_filter_or_cow_bs(cfg->bs);

    for (; bs != cfg->target; bs = bdrv_filter_or_cow_bs(bs)) {
        if (bdrv_skip_filters(bs) == bdrv_skip_filters(cfg->target)) {
            /* A filter of the target shows what the target does. */
            shared |= BLK_PERM_CONSISTENT_READ;
        }
        if (block_job_add_bdrv(&s->common, "intermediate node", bs, 0, shared,
                               errp) < 0) {
            return false;
        }
    }
    if (bdrv_freeze_backing_chain(s->filter, cfg->target, errp) < 0) {
        return false;
    }
    s->is_commit = true;
    s->base_read_only = cfg->base_read_only;
    return true;
}

/* Active commit: the base must be able to hold all that the source shows. */
static bool mirror_grow_base(MirrorJob *s, const MirrorJobConfig *cfg,
                             Error **errp)
{
    int64_t length = bdrv_getlength(cfg->bs);

    return bdrv_getlength(cfg->target) >= length ||
           bdrv_truncate(blk_root(s->target->blk), length, false,
                         PREALLOC_MODE_OFF, 0, errp) >= 0;
}

static bool mirror_attach_target(MirrorJob *s, const MirrorJobConfig *cfg,
                                 Error **errp)
{
    AioContext *ctx = bdrv_get_aio_context(cfg->bs);
    uint64_t perm = BLK_PERM_WRITE;
    BlockBackend *blk;

    if (bdrv_getlength(cfg->target) < bdrv_getlength(cfg->bs)) {
        perm |= BLK_PERM_RESIZE;
    }
    blk = blk_new(perm, cfg->is_commit
                  ? BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE |
                    BLK_PERM_CONSISTENT_READ | BLK_PERM_GRAPH_MOD
                  : BLK_PERM_WRITE_UNCHANGED);
    s->target = mirror_target_new(s, blk);
    blk_set_force_allow_inactivate(blk);
    blk_set_allow_aio_context_change(blk, true);
    blk_set_disable_request_queuing(blk, true);
    if (bdrv_try_change_aio_context(cfg->target, ctx, NULL, errp) < 0 ||
        blk_insert_bs(blk, cfg->target, errp) < 0) {
        return false;
    }
    return block_job_add_bdrv(&s->common, "source", cfg->bs, 0,
                              BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE |
                              BLK_PERM_CONSISTENT_READ | BLK_PERM_GRAPH_MOD,
                              errp) == 0 &&
           block_job_add_bdrv(&s->common, "target", cfg->target, 0,
                              BLK_PERM_ALL, errp) == 0 &&
           (!cfg->is_commit || (mirror_attach_chain(s, cfg, errp) &&
                                mirror_grow_base(s, cfg, errp)));
}

static void mirror_init(MirrorJob *s, const MirrorJobConfig *cfg)
{
    bool direct = cfg->bs->open_flags & BDRV_O_NOCACHE;
    int64_t buf_size = cfg->buf_size ? cfg->buf_size
                     : direct ? MIRROR_DEFAULT_BUF_SIZE
                     : MIRROR_CACHED_BUF_SIZE;
    BlockCopyConfig copy;

    s->replaces = g_strdup(cfg->replaces);
    s->sync_mode = cfg->sync_mode;
    s->backing_mode = cfg->backing_mode;
    s->copy_mode = cfg->copy_mode;
    s->on_source_error = cfg->on_source_error;
    s->on_target_error = cfg->on_target_error;
    s->sync_bitmap = cfg->sync_bitmap;
    s->bitmap_mode = cfg->bitmap_mode;
    s->length = bdrv_getlength(cfg->bs);
    if (s->sync_mode == MIRROR_SYNC_MODE_TOP) {
        s->lowest = cfg->is_commit ? bdrv_find_overlay(cfg->bs, cfg->target)
                                   : bdrv_skip_filters(cfg->bs);
    }
    s->align = mirror_target_align(s);
    s->max_chunk = QEMU_ALIGN_UP(MIN(MIRROR_MAX_CHUNK, buf_size / 4),
                                 s->align);
    s->max_chunk = MAX(s->max_chunk, s->align);
    qemu_co_queue_init(&s->plain_done);
    copy = (BlockCopyConfig) {
        .source = s->filter->backing,
        .target = blk_root(s->target->blk),
        .length = s->length,
        .align = s->align,
        .max_chunk = s->max_chunk,
        .max_bytes = buf_size,
        .max_pieces = MIRROR_MAX_PIECES,
        .unmap = cfg->unmap,
        .done = mirror_piece_done,
        .opaque = s->target,
    };
    s->target->copy = block_copy_state_new(&copy);
}

/* Take the filter, and all that was made, away again. */
static void mirror_undo_start(MirrorJob *s, BlockDriverState *filter)
{
    MirrorFilter *f = filter->opaque;

    f->job = NULL;
    f->stop = true;
    if (s) {
        bdrv_ref(filter);
        if (s->is_commit) {
            bdrv_unfreeze_backing_chain(filter, blk_bs(s->target->blk));
        }
        if (s->dirty_bitmap) {
            bdrv_release_dirty_bitmap(s->dirty_bitmap);
        }
        g_free(s->replaces);
        mirror_target_drop(s->target);
        block_job_early_fail(&s->common);
    }
    bdrv_child_refresh_perms(filter, filter->backing, &error_abort);
    bdrv_replace_node(filter, filter->backing->bs, &error_abort);
    if (s) {
        bdrv_unref(filter);
    }
    bdrv_unref(filter);
}

bool mirror_start_job(const MirrorJobConfig *cfg, Error **errp)
{
    BlockDriverState *filter;
    MirrorFilter *f;
    MirrorJob *s;

    if (!mirror_check(cfg, errp)) {
        return false;
    }
    filter = mirror_insert_filter(cfg, errp);
    if (!filter) {
        return false;
    }
    s = block_job_create(cfg->job_id,
                         cfg->is_commit ? &commit_active_job_driver
                                        : &mirror_job_driver, NULL, filter,
                         BLK_PERM_CONSISTENT_READ,
                         BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED |
                         BLK_PERM_WRITE | BLK_PERM_GRAPH_MOD, cfg->speed,
                         cfg->creation_flags, cfg->cb, cfg->opaque, errp);
    if (!s) {
        mirror_undo_start(NULL, filter);
        return false;
    }
    s->filter = filter;
    if (!mirror_attach_target(s, cfg, errp)) {
        mirror_undo_start(s, filter);
        return false;
    }
    s->granularity = cfg->granularity
        ? cfg->granularity : bdrv_get_default_bitmap_granularity(cfg->target);
    mirror_init(s, cfg);
    s->dirty_bitmap = bdrv_create_dirty_bitmap(cfg->bs, s->granularity, NULL,
                                               errp);
    if (!s->dirty_bitmap) {
        mirror_undo_start(s, filter);
        return false;
    }
    if (s->copy_mode == MIRROR_COPY_MODE_WRITE_BLOCKING) {
        s->write_through = true;
        bdrv_disable_dirty_bitmap(s->dirty_bitmap);
    }
    if (s->sync_bitmap) {
        bdrv_dirty_bitmap_set_busy(s->sync_bitmap, true);
    }

    /* From here on the filter works for the job. */
    bdrv_drained_begin(cfg->bs);
    f = filter->opaque;
    f->job = s;
    s->should_complete = cfg->auto_complete;
    bdrv_drained_end(cfg->bs);
    bdrv_unref(filter);
    block_job_start(&s->common);
    return true;
}

void mirror_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *target, const char *replaces,
                  int64_t speed, uint32_t granularity, int64_t buf_size,
                  MirrorSyncMode mode, BlockMirrorBackingMode backing_mode,
                  BlockdevOnError on_source_error,
                  BlockdevOnError on_target_error, bool unmap,
                  const char *filter_node_name, Error **errp)
{
    MirrorJobConfig cfg = {
        .job_id = job_id,
        .bs = bs,
        .target = target,
        .replaces = replaces,
        .speed = speed,
        .granularity = granularity,
        .buf_size = buf_size,
        .sync_mode = mode,
        .backing_mode = backing_mode,
        .on_source_error = on_source_error,
        .on_target_error = on_target_error,
        .unmap = unmap,
        .filter_node_name = filter_node_name,
        .copy_mode = MIRROR_COPY_MODE_BACKGROUND,
    };

    mirror_start_job(&cfg, errp);
}

/* ---- Active commit ---- */

bool commit_active_start_job(const CommitJobConfig *cfg, Error **errp)
{
    MirrorJobConfig mirror = {
        .job_id = cfg->job_id,
        .bs = cfg->bs,
        .target = cfg->base,
        .creation_flags = cfg->creation_flags,
        .speed = cfg->speed,
        .sync_mode = MIRROR_SYNC_MODE_TOP,
        .backing_mode = MIRROR_LEAVE_BACKING_CHAIN,
        .on_source_error = cfg->on_error,
        .on_target_error = cfg->on_error,
        .unmap = true,
        .filter_node_name = cfg->filter_node_name,
        .copy_mode = MIRROR_COPY_MODE_BACKGROUND,
        .is_commit = true,
        .base_read_only = bdrv_is_read_only(cfg->base),
        .auto_complete = cfg->auto_complete,
        .cb = cfg->cb,
        .opaque = cfg->opaque,
    };

    if (mirror.base_read_only &&
        bdrv_reopen_set_read_only(cfg->base, false, errp) < 0) {
        return false;
    }
    if (mirror_start_job(&mirror, errp)) {
        return true;
    }
    if (mirror.base_read_only) {
        bdrv_reopen_set_read_only(cfg->base, true, NULL);
    }
    return false;
}

void commit_active_start(const char *job_id, BlockDriverState *bs,
                         BlockDriverState *base, int creation_flags,
                         int64_t speed, BlockdevOnError on_error,
                         const char *filter_node_name,
                         BlockCompletionFunc *cb, void *opaque,
                         bool auto_complete, Error **errp)
{
    CommitJobConfig cfg = {
        .job_id = job_id,
        .bs = bs,
        .base = base,
        .creation_flags = creation_flags,
        .speed = speed,
        .on_error = on_error,
        .filter_node_name = filter_node_name,
        .auto_complete = auto_complete,
        .cb = cb,
        .opaque = opaque,
    };

    commit_active_start_job(&cfg, errp);
}
