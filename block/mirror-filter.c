/*
 * SPDX-License-Identifier: MIT
 *
 * mirror_top: the filter that a mirror job puts above its source, so that the
 * job sees the writes of all users.
 *
 * Normally it passes everything through, and the source's dirty bitmap tells
 * the job what to copy.  In write-through mode (copy-mode=write-blocking, and
 * always at the end of a job) each write goes to source and target before it
 * completes.
 *
 * Invariants in write-through mode
 *   1. The dirty bitmap does not record by itself.  A clear bit means that
 *      source and target are equal there; a write keeps it clear by doing the
 *      same to both, or sets it.
 *   2. Writes, and the pieces of the copy engine, on one unit of job->align
 *      exclude each other by claims.
 *   3. The result of a guest's write is the source's.  A failing target is
 *      the job's affair.
 */
#include "qemu/osdep.h"
#include "block/mirror-internal.h"
#include "qapi/error.h"

/* A write of the guest, of any kind. */
typedef struct MirrorWrite {
    enum { MIRROR_WRITE, MIRROR_ZERO, MIRROR_DISCARD } kind;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;
    size_t qiov_offset;
    BdrvRequestFlags flags;
} MirrorWrite;

/*
 * One that goes to both sides.  It may outlive the guest's request, whose
 * buffer the guest could change between the two writes besides: both are made
 * from a copy.  Counted by g_rc_box.
 */
typedef struct ThroughWrite {
    MirrorWrite w;              /* w.qiov: &copy, or NULL */
    QEMUIOVector copy;
    void *buf;
    int64_t start;              /* the units of job->align that it touches */
    int64_t len;
    bool is_read;               /* the source failed */
} ThroughWrite;

static void through_write_clear(void *opaque)
{
    ThroughWrite *tw = opaque;

    qemu_vfree(tw->buf);
}

static void through_write_unref(void *opaque)
{
    g_rc_box_release_full(opaque, through_write_clear);
}

/* NULL: no memory. */
static ThroughWrite *through_write_new(MirrorJob *s, const MirrorWrite *w)
{
    ThroughWrite *tw = g_rc_box_new0(ThroughWrite);
    int64_t end = MIN(QEMU_ALIGN_UP(w->offset + w->bytes, s->align),
                      s->length);

    tw->w = *w;
    tw->start = QEMU_ALIGN_DOWN(w->offset, s->align);
    tw->len = end - tw->start;
    if (w->qiov) {
        tw->buf = qemu_try_blockalign(s->filter, w->bytes);
        if (!tw->buf) {
            through_write_unref(tw);
            return NULL;
        }
        qemu_iovec_to_buf(w->qiov, w->qiov_offset, tw->buf, w->bytes);
        qemu_iovec_init_buf(&tw->copy, tw->buf, w->bytes);
        tw->w.qiov = &tw->copy;
        tw->w.qiov_offset = 0;
    }
    return tw;
}

static int coroutine_fn source_request(BlockDriverState *bs,
                                       const MirrorWrite *w)
{
    switch (w->kind) {
    case MIRROR_WRITE:
        return bdrv_co_pwritev_part(bs->backing, w->offset, w->bytes, w->qiov,
                                    w->qiov_offset, w->flags);
    case MIRROR_ZERO:
        return bdrv_co_pwrite_zeroes(bs->backing, w->offset, w->bytes,
                                     w->flags);
    case MIRROR_DISCARD:
        return bdrv_co_pdiscard(bs->backing, w->offset, w->bytes);
    }
    g_assert_not_reached();
}

static int coroutine_fn source_write(BlockDriverState *bs,
                                     const MirrorWrite *w)
{
    MirrorFilter *f = bs->opaque;
    int ret = source_request(bs, w);

    if (f->job && w->kind != MIRROR_WRITE) {
        block_copy_forget_data(f->job->target->copy, w->offset, w->bytes);
    }
    return ret;
}

/* Copy what the source has now: for ranges that the guest's data does not
 * fill, as the target can't fetch the rest of a unit from a backing file that
 * is not open yet. */
static int coroutine_fn target_copy_units(MirrorTarget *t, int64_t offset,
                                          int64_t bytes, bool *is_read)
{
    void *buf = qemu_try_blockalign(blk_bs(t->blk), bytes);
    int ret;

    if (!buf) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(t->job->filter->backing, offset, bytes, buf, 0);
    *is_read = ret < 0;
    if (t->abandoned) {
        ret = -ECANCELED;
    }
    if (ret >= 0) {
        ret = bdrv_co_pwrite(blk_root(t->blk), offset, bytes, buf, 0);
    }
    qemu_vfree(buf);
    return ret;
}

static int coroutine_fn target_discard(MirrorTarget *t, const MirrorWrite *w)
{
    int64_t pnum;
    int ret = bdrv_co_block_status_above(t->job->filter->backing->bs, NULL,
                                         w->offset, w->bytes, &pnum, NULL,
                                         NULL);

    if (t->abandoned) {
        return -ECANCELED;
    }
    /* What reads as zeroes now must do so in the target as well. */
    if (ret >= 0 && (ret & BDRV_BLOCK_ZERO) && pnum >= w->bytes) {
        return bdrv_co_pwrite_zeroes(blk_root(t->blk), w->offset, w->bytes,
                                     BDRV_REQ_MAY_UNMAP);
    }
    if (ret >= 0 && !(ret & BDRV_BLOCK_DATA) && pnum >= w->bytes) {
        return bdrv_co_pdiscard(blk_root(t->blk), w->offset, w->bytes);
    }
    return -EAGAIN;
}

/* Of a range that can't be written like the source. */
static int coroutine_fn target_catch_up(MirrorTarget *t, ThroughWrite *tw)
{
    MirrorJob *s = t->job;
    int64_t done, n;
    int ret = 0;

    /* Leave it to the job's background copy while there is one, else copy. */
    if (!s->common.deferred_to_main_loop) {
        bdrv_set_dirty_bitmap(s->dirty_bitmap, tw->w.offset, tw->w.bytes);
        return 0;
    }
    for (done = 0; done < tw->len && ret >= 0 && !t->abandoned; done += n) {
        n = MIN(tw->len - done, 1 * MiB);
        ret = target_copy_units(t, tw->start + done, n, &tw->is_read);
    }
    return ret;
}

/* The same to the target. */
static int coroutine_fn target_write(MirrorTarget *t, void *opaque)
{
    ThroughWrite *tw = opaque;
    MirrorWrite *w = &tw->w;
    MirrorJob *s = t->job;
    bool whole = s->align <= s->granularity ||
                 (tw->start == w->offset && tw->len == w->bytes);
    int ret;

    switch (w->kind) {
    case MIRROR_WRITE:
        if (!whole) {
            return target_copy_units(t, tw->start, tw->len, &tw->is_read);
        }
        return bdrv_co_pwritev(blk_root(t->blk), w->offset, w->bytes, w->qiov,
                               w->flags & BDRV_REQ_FUA);
    case MIRROR_ZERO:
        if (whole) {
            return bdrv_co_pwrite_zeroes(blk_root(t->blk), w->offset, w->bytes,
                                         w->flags & (BDRV_REQ_FUA |
                                                     BDRV_REQ_MAY_UNMAP));
        }
        break;
    case MIRROR_DISCARD:
        ret = target_discard(t, w);
        if (ret != -EAGAIN) {
            return ret;
        }
        break;
    }
    return target_catch_up(t, tw);
}

/* Units of the bitmap that lie in the range wholly are equal now. */
static void clear_dirty_inside(MirrorJob *s, int64_t offset, int64_t bytes)
{
    int64_t start = QEMU_ALIGN_UP(offset, s->granularity);
    int64_t end = offset + bytes == s->length
                  ? QEMU_ALIGN_UP(s->length, s->granularity)
                  : QEMU_ALIGN_DOWN(offset + bytes, s->granularity);

    if (start < end) {
        bdrv_reset_dirty_bitmap(s->dirty_bitmap, start,
                                MIN(end, s->length) - start);
    }
}

/* The source has it; now the target. */
static void coroutine_fn write_target_too(MirrorJob *s, ThroughWrite *tw)
{
    MirrorTarget *t = s->target;
    int ret;

    if (tw->w.kind == MIRROR_WRITE) {
        clear_dirty_inside(s, tw->w.offset, tw->w.bytes);
    }
    ret = mirror_target_call(t, target_write, g_rc_box_acquire(tw),
                             through_write_unref);
    if (t->abandoned) {
        bdrv_set_dirty_bitmap(s->dirty_bitmap, tw->w.offset, tw->w.bytes);
    } else if (ret < 0) {
        mirror_range_failed(s, tw->w.offset, tw->w.bytes, ret, tw->is_read);
    }
}

static int coroutine_fn write_through(MirrorJob *s, BlockDriverState *bs,
                                      ThroughWrite *tw)
{
    BlockCopyClaim claim;
    bool claimed = block_copy_claim_begin(s->target->copy, &claim, tw->start,
                                          tw->len);
    int ret = source_write(bs, &tw->w);

    if (ret < 0 || s->common.iostatus != BLOCK_DEVICE_IO_STATUS_OK ||
        s->ret < 0 || s->target->abandoned) {
        /* Unknown content, or a target that is known to fail. */
        bdrv_set_dirty_bitmap(s->dirty_bitmap, tw->w.offset, tw->w.bytes);
    } else {
        write_target_too(s, tw);
    }
    if (claimed) {
        block_copy_claim_end(s->target->copy, &claim);
    }
    return ret;
}

static int coroutine_fn plain_write(MirrorJob *s, BlockDriverState *bs,
                                    const MirrorWrite *w)
{
    int ret;

    s->plain_writes++;
    ret = source_write(bs, w);
    if (--s->plain_writes == 0) {
        qemu_co_queue_restart_all(&s->plain_done);
    }
    return ret;
}

static int coroutine_fn mirror_top_write(BlockDriverState *bs,
                                         const MirrorWrite *w)
{
    MirrorFilter *f = bs->opaque;
    ThroughWrite *tw;
    int ret;

    if (!f->job) {
        return source_write(bs, w);
    }
    if (!f->job->write_through) {
        return plain_write(f->job, bs, w);
    }
    tw = through_write_new(f->job, w);
    if (!tw) {
        return -ENOMEM;
    }
    ret = write_through(f->job, bs, tw);
    through_write_unref(tw);
    return ret;
}

void coroutine_fn mirror_begin_write_through(MirrorJob *s)
{
    s->write_through = true;
    while (s->plain_writes) {
        qemu_co_queue_wait(&s->plain_done, NULL);
    }
    bdrv_disable_dirty_bitmap(s->dirty_bitmap);
}

/* ---- Driver ---- */

static int coroutine_fn mirror_top_preadv(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset,
                                          BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->backing, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn mirror_top_pwritev(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           QEMUIOVector *qiov,
                                           size_t qiov_offset,
                                           BdrvRequestFlags flags)
{
    MirrorWrite w = { MIRROR_WRITE, offset, bytes, qiov, qiov_offset, flags };

    return mirror_top_write(bs, &w);
}

static int coroutine_fn mirror_top_pwrite_zeroes(BlockDriverState *bs,
                                                 int64_t offset,
                                                 int64_t bytes,
                                                 BdrvRequestFlags flags)
{
    MirrorWrite w = { MIRROR_ZERO, offset, bytes, NULL, 0, flags };

    return mirror_top_write(bs, &w);
}

static int coroutine_fn mirror_top_pdiscard(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes)
{
    MirrorWrite w = { MIRROR_DISCARD, offset, bytes, NULL, 0, 0 };

    return mirror_top_write(bs, &w);
}

static int coroutine_fn mirror_top_flush(BlockDriverState *bs)
{
    /* The job may just have gone. */
    return bs->backing ? bdrv_co_flush(bs->backing->bs) : 0;
}

static void mirror_top_refresh_filename(BlockDriverState *bs)
{
    if (bs->backing) {
        bdrv_set_string(&bs->exact_filename, bs->backing->bs->filename);
        bdrv_set_string(&bs->filename, bs->backing->bs->filename);
    }
}

static void mirror_top_child_perm(BlockDriverState *bs, BdrvChild *c,
                                  const BdrvChildRole *role,
                                  BlockReopenQueue *reopen_queue,
                                  uint64_t perm, uint64_t shared,
                                  uint64_t *nperm, uint64_t *nshared)
{
    MirrorFilter *f = bs->opaque;

    if (f->stop) {
        *nperm = 0;
        *nshared = BLK_PERM_ALL;
        return;
    }
    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    if (f->is_commit) {
        /* The job writes to a node below, whose users it keeps from reading
         * what is not consistent there. */
        *nperm &= ~(uint64_t)BLK_PERM_CONSISTENT_READ;
        *nshared |= BLK_PERM_WRITE;
    }
}

static int64_t mirror_top_getlength(BlockDriverState *bs)
{
    return bs->backing ? bdrv_getlength(bs->backing->bs)
                       : bs->total_sectors * BDRV_SECTOR_SIZE;
}

BlockDriver bdrv_mirror_top = {
    .format_name = "mirror_top",
    .instance_size = sizeof(MirrorFilter),
    .is_filter = true,
    .filtered_child_is_backing = true,
    .bdrv_co_preadv_part = mirror_top_preadv,
    .bdrv_co_pwritev_part = mirror_top_pwritev,
    .bdrv_co_pwrite_zeroes = mirror_top_pwrite_zeroes,
    .bdrv_co_pdiscard = mirror_top_pdiscard,
    .bdrv_co_flush = mirror_top_flush,
    .bdrv_getlength = mirror_top_getlength,
    .bdrv_refresh_filename = mirror_top_refresh_filename,
    .bdrv_child_perm = mirror_top_child_perm,
};
