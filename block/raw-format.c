/*
 * SPDX-License-Identifier: MIT
 *
 * The format raw: the disk is what its file is, or, with the options offset
 * and size, a part of it.  Requests go on to the file with the offset added.
 *
 * A disk whose format was guessed could get another one through the guest:
 * what it writes to the first block could look like a header the next time.
 * Such writes are refused (bs->probed).
 *
 * Invariant: ->offset + ->size never exceeds INT64_MAX.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"

typedef struct RawWindow {
    uint64_t offset;        /* in the file, bytes */
    uint64_t size;          /* bytes; only with has_size */
    bool has_size;          /* else up to the end of the file */
} RawWindow;

static QemuOptsList raw_runtime_opts = {
    .name = "raw",
    .head = QTAILQ_HEAD_INITIALIZER(raw_runtime_opts.head),
    .desc = {
        {
            .name = "offset",
            .type = QEMU_OPT_SIZE,
            .help = "where the disk begins in the file",
        }, {
            .name = "size",
            .type = QEMU_OPT_SIZE,
            .help = "length of the disk",
        },
        { /* end of list */ }
    },
};

static QemuOptsList raw_create_opts = {
    .name = "raw-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(raw_create_opts.head),
    .desc = {
        {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size",
        },
        { /* end of list */ }
    },
};

static const char *const raw_window_opts[] = { "offset", "size", NULL };

/* ---- Open ---- */

static int raw_parse_options(QDict *options, RawWindow *w, Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&raw_runtime_opts, NULL, 0,
                                      &error_abort);
    int ret = -EINVAL;

    if (qemu_opts_absorb_qdict(opts, options, errp)) {
        w->offset = qemu_opt_get_size(opts, "offset", 0);
        w->has_size = qemu_opt_find(opts, "size");
        w->size = qemu_opt_get_size(opts, "size", 0);
        ret = 0;
    }
    qemu_opts_del(opts);
    return ret;
}

static int raw_check_window(BlockDriverState *bs, const RawWindow *w,
                            Error **errp)
{
    int64_t length = bdrv_getlength(bs->file->bs);

    if (length < 0) {
        error_setg_errno(errp, -length, "Could not get image size");
        return length;
    }
    if (w->offset > length) {
        error_setg(errp, "Offset (%" PRIu64 ") cannot be greater than size "
                   "of the containing file (%" PRId64 ")", w->offset, length);
        return -EINVAL;
    }
    if (w->has_size && w->size > length - w->offset) {
        error_setg(errp, "The sum of offset (%" PRIu64 ") and size (%" PRIu64
                   ") has to be smaller or equal to the  actual size of the "
                   "containing file (%" PRId64 ")",
                   w->offset, w->size, length);
        return -EINVAL;
    }
    if (w->has_size && !QEMU_IS_ALIGNED(w->size, BDRV_SECTOR_SIZE)) {
        error_setg(errp, "Specified size is not multiple of %llu",
                   BDRV_SECTOR_SIZE);
        return -EINVAL;
    }
    return 0;
}

static int raw_open(BlockDriverState *bs, QDict *options, int flags,
                    Error **errp)
{
    RawWindow *w = bs->opaque;
    int ret;

    ret = raw_parse_options(options, w, errp);
    if (ret < 0) {
        return ret;
    }
    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    ret = raw_check_window(bs, w, errp);
    if (ret < 0) {
        return ret;
    }
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & bs->file->bs->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         bs->file->bs->supported_zero_flags);
    bs->supported_truncate_flags = bs->file->bs->supported_truncate_flags &
                                   BDRV_REQ_ZERO_WRITE;
    return 0;
}

static int raw_reopen_prepare(BDRVReopenState *state, BlockReopenQueue *queue,
                              Error **errp)
{
    RawWindow *w = g_new0(RawWindow, 1);
    int ret = raw_parse_options(state->options, w, errp);

    if (ret == 0) {
        ret = raw_check_window(state->bs, w, errp);
    }
    if (ret < 0) {
        g_free(w);
        return ret;
    }
    state->opaque = w;
    return 0;
}

static void raw_reopen_commit(BDRVReopenState *state)
{
    RawWindow *w = state->bs->opaque;

    *w = *(RawWindow *)state->opaque;
    g_free(state->opaque);
    state->opaque = NULL;
}

static void raw_reopen_abort(BDRVReopenState *state)
{
    g_free(state->opaque);
    state->opaque = NULL;
}

/* Anything may be a raw image, but everything else is more probable. */
static int raw_probe(const uint8_t *buf, int buf_size, const char *filename)
{
    return 1;
}

/* ---- Requests ---- */

/* Is a request within the disk?  *@offset becomes that in the file. */
static inline int raw_translate(const RawWindow *w, int64_t *offset,
                                int64_t bytes, bool write)
{
    if (w->has_size && (*offset > w->size || bytes > w->size - *offset)) {
        /* The file goes on, but belongs to somebody else. */
        return write ? -ENOSPC : -EINVAL;
    }
    if (*offset > INT64_MAX - (int64_t)w->offset) {
        return -EINVAL;
    }
    *offset += w->offset;
    return 0;
}

static int coroutine_fn raw_co_preadv_part(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           QEMUIOVector *qiov,
                                           size_t qiov_offset,
                                           BdrvRequestFlags flags)
{
    int ret = raw_translate(bs->opaque, &offset, bytes, false);

    if (ret < 0) {
        return ret;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_READ_AIO);
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

/*
 * Write to a disk with a guessed format, beginning at its first block.  The
 * block is checked and written from a copy: the guest can change its memory
 * while we look at it.
 */
static int coroutine_fn raw_co_write_probed(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags)
{
    QEMUIOVector copy;
    uint8_t *head;
    int ret;

    /* raw_refresh_limits() sees to that. */
    assert(offset == 0 && bytes >= BLOCK_PROBE_BUF_SIZE);

    head = qemu_try_blockalign(bs->file->bs, BLOCK_PROBE_BUF_SIZE);
    if (!head) {
        return -ENOMEM;
    }
    qemu_iovec_to_buf(qiov, qiov_offset, head, BLOCK_PROBE_BUF_SIZE);
    if (bdrv_probe_all(head, BLOCK_PROBE_BUF_SIZE, NULL) != bs->drv) {
        qemu_vfree(head);
        return -EPERM;
    }
    qemu_iovec_init(&copy, qiov->niov + 1);
    qemu_iovec_add(&copy, head, BLOCK_PROBE_BUF_SIZE);
    if (bytes > BLOCK_PROBE_BUF_SIZE) {
        qemu_iovec_concat(&copy, qiov, qiov_offset + BLOCK_PROBE_BUF_SIZE,
                          bytes - BLOCK_PROBE_BUF_SIZE);
    }
    ret = raw_translate(bs->opaque, &offset, bytes, true);
    if (ret == 0) {
        ret = bdrv_co_pwritev(bs->file, offset, bytes, &copy, flags);
    }
    qemu_iovec_destroy(&copy);
    qemu_vfree(head);
    return ret;
}

static int coroutine_fn raw_co_pwritev_part(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags)
{
    int ret;

    BLKDBG_EVENT(bs->file, BLKDBG_WRITE_AIO);
    if (unlikely(bs->probed) && offset < BLOCK_PROBE_BUF_SIZE && bytes) {
        return raw_co_write_probed(bs, offset, bytes, qiov, qiov_offset,
                                   flags);
    }
    ret = raw_translate(bs->opaque, &offset, bytes, true);
    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags);
}

static int coroutine_fn raw_co_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             BdrvRequestFlags flags)
{
    int ret = raw_translate(bs->opaque, &offset, bytes, true);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn raw_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    int ret = raw_translate(bs->opaque, &offset, bytes, true);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

static int coroutine_fn raw_co_block_status(BlockDriverState *bs,
                                            bool want_zero, int64_t offset,
                                            int64_t bytes, int64_t *pnum,
                                            int64_t *map,
                                            BlockDriverState **file)
{
    RawWindow *w = bs->opaque;

    *pnum = bytes;
    *file = bs->file->bs;
    *map = offset + w->offset;
    return BDRV_BLOCK_OFFSET_VALID | BDRV_BLOCK_RAW;
}

static int coroutine_fn raw_co_copy_range_from(BlockDriverState *bs,
                                               BdrvChild *src,
                                               int64_t src_offset,
                                               BdrvChild *dst,
                                               int64_t dst_offset,
                                               int64_t bytes,
                                               BdrvRequestFlags read_flags,
                                               BdrvRequestFlags write_flags)
{
    int ret = raw_translate(bs->opaque, &src_offset, bytes, false);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_copy_range_from(bs->file, src_offset, dst, dst_offset,
                                   bytes, read_flags, write_flags);
}

static int coroutine_fn raw_co_copy_range_to(BlockDriverState *bs,
                                             BdrvChild *src,
                                             int64_t src_offset,
                                             BdrvChild *dst,
                                             int64_t dst_offset,
                                             int64_t bytes,
                                             BdrvRequestFlags read_flags,
                                             BdrvRequestFlags write_flags)
{
    int ret;

    if (bs->probed && dst_offset < BLOCK_PROBE_BUF_SIZE) {
        return -ENOTSUP;        /* the data have to be looked at */
    }
    ret = raw_translate(bs->opaque, &dst_offset, bytes, true);
    if (ret < 0) {
        return ret;
    }
    return bdrv_co_copy_range_to(src, src_offset, bs->file, dst_offset, bytes,
                                 read_flags, write_flags);
}

static int coroutine_fn raw_co_ioctl(BlockDriverState *bs, int req, void *buf)
{
    RawWindow *w = bs->opaque;

    if (w->offset || w->has_size) {
        return -ENOTSUP;
    }
    return bdrv_co_ioctl(bs->file->bs, req, buf);
}

/* ---- Length ---- */

static int64_t raw_getlength(BlockDriverState *bs)
{
    RawWindow *w = bs->opaque;
    int64_t length;

    if (w->has_size) {
        return w->size;
    }
    length = bdrv_getlength(bs->file->bs);
    return length < 0 ? length : MAX(0, length - (int64_t)w->offset);
}

static int coroutine_fn raw_co_truncate(BlockDriverState *bs, int64_t offset,
                                        bool exact, PreallocMode prealloc,
                                        BdrvRequestFlags flags, Error **errp)
{
    RawWindow *w = bs->opaque;

    if (w->has_size) {
        error_setg(errp, "Cannot resize fixed-size raw disks");
        return -ENOTSUP;
    }
    if (offset > INT64_MAX - (int64_t)w->offset) {
        error_setg(errp, "Disk size too large for the chosen offset");
        return -EINVAL;
    }
    return bdrv_co_truncate(bs->file, offset + w->offset, exact, prealloc,
                            flags, errp);
}

/* ---- What the disk is like: as its file ---- */

static void raw_child_perm(BlockDriverState *bs, BdrvChild *c,
                           const BdrvChildRole *role,
                           BlockReopenQueue *reopen_queue,
                           uint64_t parent_perm, uint64_t parent_shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    RawWindow *w = bs->opaque;

    /* There are no metadata.  A part of a file needs the file to stay long
     * enough. */
    if (w->has_size || w->offset) {
        bdrv_data_default_perms(bs, c, role, reopen_queue, parent_perm,
                                parent_shared, nperm, nshared);
    } else {
        bdrv_filter_default_perms(bs, c, role, reopen_queue, parent_perm,
                                  parent_shared, nperm, nshared);
    }
}

static void raw_refresh_limits(BlockDriverState *bs, Error **errp)
{
    if (bs->probed) {
        /* Whole blocks only, see raw_co_write_probed(). */
        bs->bl.request_alignment = MAX(bs->bl.request_alignment,
                                       BLOCK_PROBE_BUF_SIZE);
    }
}

static int raw_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    return bdrv_get_info(bs->file->bs, bdi);
}

static int raw_has_zero_init(BlockDriverState *bs)
{
    return bdrv_has_zero_init(bs->file->bs);
}

static int raw_probe_blocksizes(BlockDriverState *bs, uint32_t *log,
                                uint32_t *phys)
{
    BlockDriver *drv = bs->file->bs->drv;
    RawWindow *w = bs->opaque;
    int ret;

    if (!drv || !drv->bdrv_probe_blocksizes) {
        return -ENOTSUP;
    }
    ret = drv->bdrv_probe_blocksizes(bs->file->bs, log, phys);
    if (ret < 0) {
        return ret;
    }
    return QEMU_IS_ALIGNED(w->offset, MAX(*log, *phys)) ? 0 : -ENOTSUP;
}

static void raw_cancel_in_flight(BlockDriverState *bs)
{
    BlockDriver *drv = bs->file->bs->drv;

    if (drv && drv->bdrv_cancel_in_flight) {
        drv->bdrv_cancel_in_flight(bs->file->bs);
    }
}

/* ---- Images ---- */

static BlockMeasureInfo *raw_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                     Error **errp)
{
    BlockMeasureInfo *info;
    int64_t length;

    if (in_bs) {
        length = bdrv_getlength(in_bs);
        if (length < 0) {
            error_setg_errno(errp, -length, "Unable to get image size");
            return NULL;
        }
    } else {
        length = ROUND_UP(qemu_opt_get_size_del(opts, BLOCK_OPT_SIZE, 0),
                          BDRV_SECTOR_SIZE);
    }
    info = g_new0(BlockMeasureInfo, 1);
    info->required = length;
    info->fully_allocated = length;
    return info;
}

static int coroutine_fn raw_co_create_opts(BlockDriver *drv,
                                           const char *filename,
                                           QemuOpts *opts, Error **errp)
{
    return bdrv_create_file(filename, opts, errp);
}

BlockDriver bdrv_raw = {
    .format_name            = "raw",
    .instance_size          = sizeof(RawWindow),
    .is_format              = true,
    .has_variable_length    = true,
    .mutable_opts           = raw_window_opts,
    .strong_runtime_opts    = raw_window_opts,
    .create_opts            = &raw_create_opts,
    .bdrv_probe             = raw_probe,
    .bdrv_open              = raw_open,
    .bdrv_reopen_prepare    = raw_reopen_prepare,
    .bdrv_reopen_commit     = raw_reopen_commit,
    .bdrv_reopen_abort      = raw_reopen_abort,
    .bdrv_co_create_opts    = raw_co_create_opts,
    .bdrv_measure           = raw_measure,
    .bdrv_refresh_limits    = raw_refresh_limits,
    .bdrv_probe_blocksizes  = raw_probe_blocksizes,
    .bdrv_child_perm        = raw_child_perm,
    .bdrv_co_preadv_part    = raw_co_preadv_part,
    .bdrv_co_pwritev_part   = raw_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = raw_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = raw_co_pdiscard,
    .bdrv_co_copy_range_from = raw_co_copy_range_from,
    .bdrv_co_copy_range_to  = raw_co_copy_range_to,
    .bdrv_co_block_status   = raw_co_block_status,
    .bdrv_co_truncate       = raw_co_truncate,
    .bdrv_co_ioctl          = raw_co_ioctl,
    .bdrv_getlength         = raw_getlength,
    .bdrv_get_info          = raw_get_info,
    .bdrv_has_zero_init     = raw_has_zero_init,
    .bdrv_cancel_in_flight  = raw_cancel_in_flight,
};
