/*
 * SPDX-License-Identifier: MIT
 *
 * preallocate: a filter between a format and its file that makes the file
 * longer in big steps, so that not every write behind its end has the file
 * system find space.  What was reserved and not used is given back.
 *
 * Invariants
 *   1. ->file_end < 0: nothing is reserved, and the file is as long as it
 *      says.  Else data_end <= zero_start <= file_end, and users see data_end
 *      as the length.
 *   2. From ->zero_start up to ->zero_end the file is there and reads as
 *      zeroes: no write has begun there since that was reserved.
 *   3. As long as more than ->data_end is reserved the filter may write and
 *      resize the file, and nobody else may.
 *   4. ->file_end grows under ->lock only.  Who writes behind it waits for
 *      that first.
 *
 * Context: requests run in the AioContext of the node; what gives back space
 * otherwise runs in the main thread with the node drained.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "qemu/units.h"

#define PREALLOC_ALIGN  "prealloc-align"
#define PREALLOC_SIZE   "prealloc-size"

typedef struct PreallocOptions {
    uint64_t align;             /* of the end of the file; bytes, 0: none */
    uint64_t size;              /* bytes behind a write that extends it */
} PreallocOptions;

typedef struct PreallocState {
    /* Main thread, drained */
    PreallocOptions opts;
    QEMUBH *give_back_bh;

    /* The node's AioContext */
    CoMutex lock;
    int64_t data_end;
    int64_t zero_start;
    int64_t zero_end;
    int64_t file_end;
    bool refused;               /* the file can't reserve: don't ask again */
} PreallocState;

static QemuOptsList prealloc_runtime_opts = {
    .name = "preallocate",
    .head = QTAILQ_HEAD_INITIALIZER(prealloc_runtime_opts.head),
    .desc = {
        {
            .name = PREALLOC_ALIGN,
            .type = QEMU_OPT_SIZE,
            .help = "the end of the file is aligned to this (default: 1M)",
        }, {
            .name = PREALLOC_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "how much to reserve (default: 128M)",
        },
        { /* end of list */ }
    },
};

static bool prealloc_parse(QDict *options, PreallocOptions *out, Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&prealloc_runtime_opts, NULL, 0,
                                      &error_abort);
    bool ok = qemu_opts_absorb_qdict(opts, options, errp);

    if (ok) {
        out->align = qemu_opt_get_size(opts, PREALLOC_ALIGN, 1 * MiB);
        out->size = qemu_opt_get_size(opts, PREALLOC_SIZE, 128 * MiB);
        if (!QEMU_IS_ALIGNED(out->align, BDRV_SECTOR_SIZE)) {
            error_setg(errp, "prealloc-align parameter of preallocate filter "
                       "is not aligned to %llu", BDRV_SECTOR_SIZE);
            ok = false;
        }
    }
    qemu_opts_del(opts);
    return ok;
}

/* ---- Giving back ---- */

static bool has_spare(const PreallocState *s)
{
    return s->file_end > s->data_end;
}

static void forget(PreallocState *s)
{
    s->file_end = s->data_end = s->zero_start = s->zero_end = -1;
}

/* Cut the file to what is used; no requests are in flight. */
static int give_back(BlockDriverState *bs, Error **errp)
{
    PreallocState *s = bs->opaque;
    int ret;

    if (has_spare(s)) {
        ret = bdrv_truncate(bs->file, s->data_end, true, PREALLOC_MODE_OFF, 0,
                            errp);
        if (ret < 0) {
            error_prepend(errp, "Could not cut '%s' to its used length: ",
                          bs->file->bs->filename);
            return ret;
        }
    }
    forget(s);
    return 0;
}

static bool may_grow(uint64_t perm)
{
    return (perm & BLK_PERM_WRITE) && (perm & BLK_PERM_RESIZE);
}

static void give_back_bh(void *opaque)
{
    BlockDriverState *bs = opaque;
    PreallocState *s = bs->opaque;
    Error *local_err = NULL;

    bdrv_ref(bs);
    bdrv_drained_begin(bs);
    if (!may_grow(bs->cumulative_perm) && has_spare(s)) {
        if (give_back(bs, &local_err) < 0) {
            warn_report_err(local_err);
        } else {
            bdrv_child_refresh_perms(bs, bs->file, NULL);
        }
    }
    bdrv_drained_end(bs);
    bdrv_unref(bs);
}

/* ---- Permissions ---- */

static void prealloc_child_perm(BlockDriverState *bs, BdrvChild *c,
                                const BdrvChildRole *role,
                                BlockReopenQueue *reopen_queue,
                                uint64_t perm, uint64_t shared,
                                uint64_t *nperm, uint64_t *nshared)
{
    const uint64_t grow = BLK_PERM_WRITE | BLK_PERM_RESIZE;
    PreallocState *s = bs->opaque;

    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    if (may_grow(perm) || has_spare(s)) {
        *nperm |= grow;
        *nshared &= ~grow;
    }
}

/*
 * Give back while there is still the right to: who uses the file without the
 * filter from now on may need it.  In coroutines that would let others run in
 * the middle of the change.
 */
static int prealloc_check_perm(BlockDriverState *bs, uint64_t perm,
                               uint64_t shared, Error **errp)
{
    if (!may_grow(perm) && !qemu_in_coroutine()) {
        /* If it fails it is tried again, and told, later. */
        give_back(bs, NULL);
    }
    return 0;
}

static void prealloc_set_perm(BlockDriverState *bs, uint64_t perm,
                              uint64_t shared)
{
    PreallocState *s = bs->opaque;

    if (may_grow(perm)) {
        return;
    }
    if (has_spare(s)) {
        qemu_bh_schedule(s->give_back_bh);
    } else {
        forget(s);
    }
}

/* ---- Open and close ---- */

static int prealloc_open(BlockDriverState *bs, QDict *options, int flags,
                         Error **errp)
{
    PreallocState *s = bs->opaque;
    BlockDriverState *below;
    int ret;

    forget(s);
    qemu_co_mutex_init(&s->lock);
    if (!prealloc_parse(options, &s->opts, errp)) {
        return -EINVAL;
    }
    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    below = bs->file->bs;
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & below->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         below->supported_zero_flags);
    bs->supported_truncate_flags = below->supported_truncate_flags &
                                   BDRV_REQ_ZERO_WRITE;
    s->give_back_bh = qemu_bh_new(give_back_bh, bs);
    return 0;
}

static void prealloc_close(BlockDriverState *bs)
{
    PreallocState *s = bs->opaque;
    Error *local_err = NULL;

    qemu_bh_delete(s->give_back_bh);
    if (give_back(bs, &local_err) < 0) {
        warn_report_err(local_err);
    }
}

static int prealloc_reopen_prepare(BDRVReopenState *state,
                                   BlockReopenQueue *queue, Error **errp)
{
    PreallocOptions *opts = g_new0(PreallocOptions, 1);
    int ret = -EINVAL;

    if (prealloc_parse(state->options, opts, errp)) {
        /* Without the right to write it could not do it later. */
        ret = state->flags & BDRV_O_RDWR ? 0 : give_back(state->bs, errp);
    }
    if (ret < 0) {
        g_free(opts);
        return ret;
    }
    state->opaque = opts;
    return 0;
}

static void prealloc_reopen_commit(BDRVReopenState *state)
{
    PreallocState *s = state->bs->opaque;

    s->opts = *(PreallocOptions *)state->opaque;
    s->refused = false;
    g_free(g_steal_pointer(&state->opaque));
}

static void prealloc_reopen_abort(BDRVReopenState *state)
{
    g_free(g_steal_pointer(&state->opaque));
}

static int prealloc_inactivate(BlockDriverState *bs)
{
    Error *local_err = NULL;
    int ret = give_back(bs, &local_err);

    if (ret < 0) {
        error_report_err(local_err);
    }
    return ret;
}

static int64_t prealloc_getlength(BlockDriverState *bs)
{
    PreallocState *s = bs->opaque;

    return s->file_end >= 0 ? s->data_end : bdrv_getlength(bs->file->bs);
}

/* ---- Reserving ---- */

/* Where the file is to end after a write up to @end; -1: nowhere else than
 * the write makes it end. */
static int64_t wanted_end(BlockDriverState *bs, int64_t end)
{
    PreallocState *s = bs->opaque;
    const uint64_t max = BDRV_MAX_LENGTH;
    uint64_t align = MAX(s->opts.align, bs->file->bs->bl.request_alignment);
    uint64_t wanted;

    if (s->refused || align > max || s->opts.size > max - end) {
        return -1;
    }
    wanted = DIV_ROUND_UP(end + s->opts.size, align) * align;
    return wanted > max ? -1 : (int64_t)wanted;
}

/* For a write up to @end.  Returns where the file ends then. */
static int64_t coroutine_fn extend_file(BlockDriverState *bs, int64_t end)
{
    PreallocState *s = bs->opaque;
    int64_t wanted = wanted_end(bs, end);

    if (wanted < 0) {
        return end;
    }
    if (bdrv_co_pwrite_zeroes(bs->file, s->file_end, wanted - s->file_end,
                              BDRV_REQ_NO_FALLBACK) < 0) {
        /* The write itself tells if there is no space left. */
        s->refused = true;
        return MAX(end, bdrv_getlength(bs->file->bs));
    }
    s->zero_end = wanted;
    return wanted;
}

/* Make sure that the file goes up to @end, and reserve more with it. */
static void coroutine_fn reserve(BlockDriverState *bs, int64_t end)
{
    PreallocState *s = bs->opaque;
    int64_t length;

    if (!may_grow(bs->file->perm) || end <= s->file_end) {
        return;
    }
    qemu_co_mutex_lock(&s->lock);
    if (s->file_end < 0) {
        length = bdrv_getlength(bs->file->bs);
        if (length < 0) {
            goto out;
        }
        s->data_end = s->zero_start = s->file_end = length;
    }
    if (end > s->file_end) {
        s->file_end = extend_file(bs, end);
    }
out:
    qemu_co_mutex_unlock(&s->lock);
}

/* ---- Requests ---- */

static int coroutine_fn prealloc_preadv(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, QEMUIOVector *qiov,
                                        size_t qiov_offset,
                                        BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

/* A write begins.  True if the range is zero and part of the file. */
static bool coroutine_fn write_begin(BlockDriverState *bs, int64_t offset,
                                     int64_t end)
{
    PreallocState *s = bs->opaque;
    bool is_zero;

    reserve(bs, end);
    if (s->file_end < 0) {
        return false;
    }
    is_zero = offset >= s->zero_start && end <= s->zero_end;
    s->zero_start = MAX(s->zero_start, end);
    return is_zero;
}

static int write_end(BlockDriverState *bs, int64_t end, int ret)
{
    PreallocState *s = bs->opaque;

    if (ret >= 0 && s->file_end >= 0) {
        s->data_end = MAX(s->data_end, end);
    }
    return ret;
}

static int coroutine_fn prealloc_pwritev(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    int ret;

    write_begin(bs, offset, offset + bytes);
    ret = bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
    return write_end(bs, offset + bytes, ret);
}

static int coroutine_fn prealloc_pwrite_zeroes(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               BdrvRequestFlags flags)
{
    int64_t end = offset + bytes;
    int ret = 0;

    if (!write_begin(bs, offset, end) || (flags & BDRV_REQ_FUA)) {
        ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
    }
    return write_end(bs, end, ret);
}

static int coroutine_fn prealloc_pdiscard(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes)
{
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

static int coroutine_fn truncate_file(BlockDriverState *bs, int64_t offset,
                                      bool exact, PreallocMode prealloc,
                                      BdrvRequestFlags flags, Error **errp)
{
    PreallocState *s = bs->opaque;
    bool plain = prealloc == PREALLOC_MODE_OFF ||
                 prealloc == PREALLOC_MODE_FALLOC;
    int ret;

    if (s->file_end >= 0 && offset > s->data_end) {
        if (plain && offset <= s->zero_end && s->zero_start == s->data_end) {
            s->data_end = s->zero_start = offset;
            return 0;
        }
        /* What is between them need not be zeroes. */
        if (has_spare(s)) {
            ret = bdrv_co_truncate(bs->file, s->data_end, true,
                                   PREALLOC_MODE_OFF, 0, errp);
            if (ret < 0) {
                return ret;
            }
        }
    }
    ret = bdrv_co_truncate(bs->file, offset, exact, prealloc, flags, errp);
    forget(s);
    return ret;
}

static int coroutine_fn prealloc_truncate(BlockDriverState *bs, int64_t offset,
                                          bool exact, PreallocMode prealloc,
                                          BdrvRequestFlags flags, Error **errp)
{
    PreallocState *s = bs->opaque;
    int ret;

    qemu_co_mutex_lock(&s->lock);
    ret = truncate_file(bs, offset, exact, prealloc, flags, errp);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

BlockDriver bdrv_preallocate = {
    .format_name = "preallocate",
    .instance_size = sizeof(PreallocState),
    .is_filter = true,
    .bdrv_open = prealloc_open,
    .bdrv_close = prealloc_close,
    .bdrv_reopen_prepare = prealloc_reopen_prepare,
    .bdrv_reopen_commit = prealloc_reopen_commit,
    .bdrv_reopen_abort = prealloc_reopen_abort,
    .bdrv_inactivate = prealloc_inactivate,
    .bdrv_child_perm = prealloc_child_perm,
    .bdrv_check_perm = prealloc_check_perm,
    .bdrv_set_perm = prealloc_set_perm,
    .bdrv_getlength = prealloc_getlength,
    .bdrv_co_preadv_part = prealloc_preadv,
    .bdrv_co_pwritev_part = prealloc_pwritev,
    .bdrv_co_pwrite_zeroes = prealloc_pwrite_zeroes,
    .bdrv_co_pdiscard = prealloc_pdiscard,
    .bdrv_co_truncate = prealloc_truncate,
};
