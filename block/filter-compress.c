/*
 * SPDX-License-Identifier: MIT
 *
 * compress: a filter that has all data compressed that is written through it.
 *
 * Formats compress whole clusters only: the filter's requests are aligned to
 * those of the node below it, so that what is written in part is read first.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

static int compress_open(BlockDriverState *bs, QDict *options, int flags,
                         Error **errp)
{
    BlockDriverState *below;
    int ret = bdrv_open_file_child(NULL, options, "file", bs, errp);

    if (ret < 0) {
        return ret;
    }
    below = bs->file->bs;
    if (!below->drv || !below->drv->bdrv_co_pwritev_compressed_part) {
        error_setg(errp, "Compression is not supported for underlying format: "
                   "%s", bdrv_get_format_name(below) ?: "(no format)");
        return -ENOTSUP;
    }
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & below->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         below->supported_zero_flags);
    return 0;
}

static void compress_refresh_limits(BlockDriverState *bs, Error **errp)
{
    BlockDriverInfo bdi;

    if (bs->file && bdrv_get_info(bs->file->bs, &bdi) == 0 &&
        bdi.cluster_size > 0) {
        bs->bl.request_alignment = bdi.cluster_size;
    }
}

static int64_t compress_getlength(BlockDriverState *bs)
{
    return bdrv_getlength(bs->file->bs);
}

static int coroutine_fn compress_preadv(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, QEMUIOVector *qiov,
                                        size_t qiov_offset,
                                        BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn compress_pwritev(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags | BDRV_REQ_WRITE_COMPRESSED);
}

static int coroutine_fn compress_pwritev_compressed(BlockDriverState *bs,
                                                    int64_t offset,
                                                    int64_t bytes,
                                                    QEMUIOVector *qiov,
                                                    size_t qiov_offset)
{
    return compress_pwritev(bs, offset, bytes, qiov, qiov_offset, 0);
}

static int coroutine_fn compress_pwrite_zeroes(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               BdrvRequestFlags flags)
{
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn compress_pdiscard(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes)
{
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

BlockDriver bdrv_compress = {
    .format_name = "compress",
    .is_filter = true,
    .bdrv_open = compress_open,
    .bdrv_refresh_limits = compress_refresh_limits,
    .bdrv_getlength = compress_getlength,
    .bdrv_co_preadv_part = compress_preadv,
    .bdrv_co_pwritev_part = compress_pwritev,
    .bdrv_co_pwritev_compressed_part = compress_pwritev_compressed,
    .bdrv_co_pwrite_zeroes = compress_pwrite_zeroes,
    .bdrv_co_pdiscard = compress_pdiscard,
};
