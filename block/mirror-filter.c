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

static int coroutine_fn source_write(BlockDriverState *bs,
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

/* Copy what the source has now: for ranges that the guest's data does not
 * fill, as the target can't fetch the rest of a unit from a backing file that
 * is not open yet. */
static int coroutine_fn target_copy_units(MirrorJob *s, int64_t offset,
                                          int64_t bytes, bool *is_read)
{
    void *buf = qemu_try_blockalign(s->filter, bytes);
    int ret;

    if (!buf) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(s->filter->backing, offset, bytes, buf, 0);
    *is_read = ret < 0;
    if (ret >= 0) {
        ret = bdrv_co_pwrite(blk_root(s->target), offset, bytes, buf, 0);
    }
    qemu_vfree(buf);
    return ret;
}

static int coroutine_fn target_discard(MirrorJob *s, const MirrorWrite *w)
{
    int64_t pnum;
    int ret = bdrv_co_block_status_above(s->filter->backing->bs, NULL,
                                         w->offset, w->bytes, &pnum, NULL,
                                         NULL);

    /* What reads as zeroes now must do so in the target as well. */
    if (ret >= 0 && (ret & BDRV_BLOCK_ZERO) && pnum >= w->bytes) {
        return bdrv_co_pwrite_zeroes(blk_root(s->target), w->offset, w->bytes,
                                     BDRV_REQ_MAY_UNMAP);
    }
    if (ret >= 0 && !(ret & BDRV_BLOCK_DATA) && pnum >= w->bytes) {
        return bdrv_co_pdiscard(blk_root(s->target), w->offset, w->bytes);
    }
    return -EAGAIN;
}

/* The same to the target; offset and bytes of the units are @start, @len. */
static int coroutine_fn target_write(MirrorJob *s, const MirrorWrite *w,
                                     int64_t start, int64_t len, bool *is_read)
{
    int ret;

    *is_read = false;
    switch (w->kind) {
    case MIRROR_WRITE:
        if (s->align > s->granularity &&
            (start != w->offset || len != w->bytes)) {
            return target_copy_units(s, start, len, is_read);
        }
        return bdrv_co_pwritev(blk_root(s->target), w->offset, w->bytes,
                               w->qiov, w->flags & BDRV_REQ_FUA);
    case MIRROR_ZERO:
        if (s->align > s->granularity &&
            (start != w->offset || len != w->bytes)) {
            break;
        }
        return bdrv_co_pwrite_zeroes(blk_root(s->target), w->offset, w->bytes,
                                     w->flags & (BDRV_REQ_FUA |
                                                 BDRV_REQ_MAY_UNMAP));
    case MIRROR_DISCARD:
        ret = target_discard(s, w);
        if (ret != -EAGAIN) {
            return ret;
        }
        break;
    }
    /* Leave it to the job's background copy while there is one, else copy. */
    if (!s->common.deferred_to_main_loop) {
        bdrv_set_dirty_bitmap(s->dirty_bitmap, w->offset, w->bytes);
        return 0;
    }
    for (int64_t done = 0; done < len; ) {
        int64_t n = MIN(len - done, 1 * MiB);

        ret = target_copy_units(s, start + done, n, is_read);
        if (ret < 0) {
            return ret;
        }
        done += n;
    }
    return 0;
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

static int coroutine_fn write_through(MirrorJob *s, BlockDriverState *bs,
                                      const MirrorWrite *w)
{
    int64_t start = QEMU_ALIGN_DOWN(w->offset, s->align);
    int64_t end = MIN(QEMU_ALIGN_UP(w->offset + w->bytes, s->align),
                      s->length);
    BlockCopyClaim claim;
    bool is_read = false;
    int ret, target_ret;

    block_copy_claim_begin(s->copy, &claim, start, end - start);
    ret = source_write(bs, w);
    if (ret < 0 || s->common.iostatus != BLOCK_DEVICE_IO_STATUS_OK ||
        s->ret < 0) {
        /* Unknown content, or a target that is known to fail. */
        bdrv_set_dirty_bitmap(s->dirty_bitmap, w->offset, w->bytes);
    } else {
        if (w->kind == MIRROR_WRITE) {
            clear_dirty_inside(s, w->offset, w->bytes);
        }
        target_ret = target_write(s, w, start, end - start, &is_read);
        if (target_ret < 0) {
            mirror_range_failed(s, w->offset, w->bytes, target_ret, is_read);
        }
    }
    block_copy_claim_end(s->copy, &claim);
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

    if (!f->job) {
        return source_write(bs, w);
    }
    if (!f->job->write_through) {
        return plain_write(f->job, bs, w);
    }
    return write_through(f->job, bs, w);
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

/*
 * In write-through mode the guest could change its buffer between the two
 * writes: they are made from a copy.
 */
static int coroutine_fn mirror_top_pwritev(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           QEMUIOVector *qiov,
                                           size_t qiov_offset,
                                           BdrvRequestFlags flags)
{
    MirrorFilter *f = bs->opaque;
    MirrorWrite w = { MIRROR_WRITE, offset, bytes, qiov, qiov_offset, flags };
    QEMUIOVector part;
    void *copy;
    int ret;

    if (!f->job || !f->job->write_through) {
        return mirror_top_write(bs, &w);
    }
    copy = qemu_try_blockalign(bs, bytes);
    if (!copy) {
        return -ENOMEM;
    }
    qemu_iovec_to_buf(qiov, qiov_offset, copy, bytes);
    qemu_iovec_init_buf(&part, copy, bytes);
    w.qiov = &part;
    w.qiov_offset = 0;
    ret = mirror_top_write(bs, &w);
    qemu_vfree(copy);
    return ret;
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
