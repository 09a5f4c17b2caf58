/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: compressed clusters.  Their data are packed without gaps; the L2
 * entry tells the first byte and the number of 512-byte sectors.  Compression
 * and decompression run in worker threads.
 *
 * zlib: raw deflate with a window of 4 KiB.  zstd: one frame.
 */
#include "qemu/osdep.h"
#include <zlib.h>
#ifdef CONFIG_ZSTD
#include <zstd.h>
#endif
#include "block/qcow2.h"
#include "block/thread-pool.h"

/* Threads that one image keeps busy. */
#define MAX_COMP_THREADS    4
#define DEFLATE_WINDOW      (-12)

/* ---- In a worker ---- */

typedef struct CompJob {
    Qcow2CompressionType type;
    const void *src;
    size_t src_size;
    void *dst;
    size_t dst_size;
} CompJob;

/* Length of the result; -ENOSPC if it does not get shorter. */
static int deflate_job(const CompJob *job)
{
    z_stream z = { 0 };
    int ret;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return -EIO;
    }
    z.next_in = (void *)job->src;
    z.avail_in = job->src_size;
    z.next_out = job->dst;
    z.avail_out = job->dst_size;
    ret = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    if (ret == Z_STREAM_END) {
        return job->dst_size - z.avail_out;
    }
    return ret == Z_OK || ret == Z_BUF_ERROR ? -ENOSPC : -EIO;
}

/* 0 if dst_size bytes came out; what follows in the source is padding. */
static int inflate_job(const CompJob *job)
{
    z_stream z = { 0 };
    int ret;

    if (inflateInit2(&z, DEFLATE_WINDOW) != Z_OK) {
        return -EIO;
    }
    z.next_in = (void *)job->src;
    z.avail_in = job->src_size;
    z.next_out = job->dst;
    z.avail_out = job->dst_size;
    ret = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if ((ret == Z_STREAM_END || ret == Z_BUF_ERROR) && z.avail_out == 0) {
        return 0;
    }
    return -EIO;
}

#ifdef CONFIG_ZSTD
static int zstd_compress_job(const CompJob *job)
{
    ZSTD_outBuffer out = { job->dst, job->dst_size, 0 };
    ZSTD_inBuffer in = { job->src, job->src_size, 0 };
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    size_t left;

    if (!ctx) {
        return -ENOMEM;
    }
    left = ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end);
    ZSTD_freeCCtx(ctx);
    if (ZSTD_isError(left)) {
        return -EIO;
    }
    return left ? -ENOSPC : (int)out.pos;
}

static int zstd_decompress_job(const CompJob *job)
{
    ZSTD_outBuffer out = { job->dst, job->dst_size, 0 };
    ZSTD_inBuffer in = { job->src, job->src_size, 0 };
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    int ret = ctx ? 0 : -ENOMEM;

    while (ret == 0 && out.pos < out.size) {
        size_t before_in = in.pos, before_out = out.pos;
        size_t left = ZSTD_decompressStream(ctx, &out, &in);

        if (ZSTD_isError(left) ||
            (in.pos == before_in && out.pos == before_out) ||
            (left == 0 && out.pos < out.size)) {
            ret = -EIO;
        }
    }
    ZSTD_freeDCtx(ctx);
    return ret;
}
#endif

static int compress_worker(void *opaque)
{
    CompJob *job = opaque;

    switch (job->type) {
    case QCOW2_COMPRESSION_TYPE_ZLIB:
        return deflate_job(job);
#ifdef CONFIG_ZSTD
    case QCOW2_COMPRESSION_TYPE_ZSTD:
        return zstd_compress_job(job);
#endif
    default:
        return -ENOTSUP;
    }
}

static int decompress_worker(void *opaque)
{
    CompJob *job = opaque;

    switch (job->type) {
    case QCOW2_COMPRESSION_TYPE_ZLIB:
        return inflate_job(job);
#ifdef CONFIG_ZSTD
    case QCOW2_COMPRESSION_TYPE_ZSTD:
        return zstd_decompress_job(job);
#endif
    default:
        return -ENOTSUP;
    }
}

static int coroutine_fn run_job(BlockDriverState *bs, ThreadPoolFunc *fn,
                                CompJob *job)
{
    Qcow2State *s = bs->opaque;
    ThreadPool *pool = aio_get_thread_pool(bdrv_get_aio_context(bs));
    int ret;

    while (s->comp_threads >= MAX_COMP_THREADS) {
        qemu_co_queue_wait(&s->comp_queue, NULL);
    }
    s->comp_threads++;
    job->type = s->hdr.compression;
    ret = thread_pool_submit_co(pool, fn, job);
    s->comp_threads--;
    qemu_co_queue_next(&s->comp_queue);
    return ret;
}

/* ---- Reads ---- */

int coroutine_fn qcow2_read_compressed(BlockDriverState *bs, uint64_t e,
                                       uint64_t offset, uint64_t bytes,
                                       QEMUIOVector *qiov, size_t qiov_offset)
{
    Qcow2State *s = bs->opaque;
    g_autofree void *plain = NULL;
    g_autofree void *packed = NULL;
    uint64_t host, packed_bytes;
    CompJob job;
    int ret;

    qcow2_compressed_place(s, e, &host, &packed_bytes);
    plain = g_try_malloc(s->cluster_size);
    packed = g_try_malloc(packed_bytes);
    if (!plain || !packed) {
        return -ENOMEM;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_READ_COMPRESSED);
    ret = bdrv_co_pread(bs->file, host, packed_bytes, packed, 0);
    if (ret < 0) {
        return ret;
    }
    job = (CompJob) {
        .src = packed,
        .src_size = packed_bytes,
        .dst = plain,
        .dst_size = s->cluster_size,
    };
    ret = run_job(bs, decompress_worker, &job);
    if (ret < 0) {
        return ret == -ENOMEM ? ret : -EIO;
    }
    qemu_iovec_from_buf(qiov, qiov_offset,
                        (uint8_t *)plain + qcow2_in_cluster(s, offset), bytes);
    return 0;
}

/* ---- Writes ---- */

/* Space for @size bytes of cluster @a->guest; nobody else touches it now. */
static int coroutine_fn begin_cluster(BlockDriverState *bs, Qcow2Alloc *a,
                                      size_t size)
{
    Qcow2State *s = bs->opaque;
    int64_t host;
    int ret;

    ret = qcow2_limit_frees(bs);
    if (ret < 0) {
        return ret;
    }
    qcow2_wait_in_flight(bs, a->guest, s->cluster_size);
    host = qcow2_alloc_packed(bs, size);
    if (host < 0) {
        return host;
    }
    ret = qcow2_overlap_check(bs, 0, host, size);
    if (ret < 0) {
        return ret;
    }
    qcow2_host_written(s, host + size);
    a->host = host;
    a->nclusters = 1;
    qcow2_alloc_begin(s, a);
    return 0;
}

static int coroutine_fn link_cluster(BlockDriverState *bs, Qcow2Alloc *a,
                                     size_t size)
{
    Qcow2State *s = bs->opaque;
    uint64_t sectors = (a->host + size - 1) / QCOW2_SECTOR -
                       a->host / QCOW2_SECTOR;
    Qcow2Entry old, new = {
        .e = QCOW2_COMPRESSED_FLAG | a->host |
             (sectors << (62 - (s->cluster_bits - 8))),
    };
    Qcow2Slice *l2;
    unsigned index;
    int ret;

    ret = s->broken ? -EIO : qcow2_l2_get_rw(bs, a->guest, &l2, &index);
    if (ret < 0) {
        return ret;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_L2_UPDATE_COMPRESSED);
    old = qcow2_entry_get(s, l2, index);
    qcow2_entry_set(s, l2, index, new);
    qcow2_free_entry_later(bs, a->guest, old.e, QCOW2_FREE_OTHER);
    qcow2_cache_put(l2);
    return 0;
}

static int coroutine_fn store_cluster(BlockDriverState *bs, uint64_t offset,
                                      const void *packed, size_t size)
{
    Qcow2State *s = bs->opaque;
    Qcow2Alloc a = { .guest = offset };
    int ret;

    qemu_co_mutex_lock(&s->lock);
    ret = begin_cluster(bs, &a, size);
    if (ret < 0) {
        goto out;
    }
    qemu_co_mutex_unlock(&s->lock);
    BLKDBG_EVENT(bs->file, BLKDBG_WRITE_COMPRESSED);
    ret = bdrv_co_pwrite(bs->file, a.host, size, packed, 0);
    qemu_co_mutex_lock(&s->lock);
    if (ret >= 0) {
        ret = link_cluster(bs, &a, size);
    }
    if (ret < 0 && !s->broken) {
        uint64_t first = a.host >> s->cluster_bits;

        qcow2_free_unused(bs, qcow2_cluster_down(s, a.host),
                          ((a.host + size - 1) >> s->cluster_bits) - first +
                          1);
    }
    qcow2_alloc_end(s, &a);
out:
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

int coroutine_fn qcow2_write_compressed(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        size_t qiov_offset)
{
    Qcow2State *s = bs->opaque;
    g_autofree void *plain = g_try_malloc0(s->cluster_size);
    g_autofree void *packed = g_try_malloc(s->cluster_size);
    CompJob job = {
        .src = plain,
        .src_size = s->cluster_size,
        .dst = packed,
        /* It must get shorter, or it is of no use. */
        .dst_size = s->cluster_size - 1,
    };
    int size;

    if (!plain || !packed) {
        return -ENOMEM;
    }
    qemu_iovec_to_buf(qiov, qiov_offset, plain, bytes);
    size = run_job(bs, compress_worker, &job);
    if (size == -ENOSPC) {
        return qcow2_co_pwritev_part(bs, offset, bytes, qiov, qiov_offset, 0);
    }
    return size < 0 ? size : store_cluster(bs, offset, packed, size);
}
