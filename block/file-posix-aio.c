/*
 * SPDX-License-Identifier: MIT
 *
 * Data requests on files: in the workers of the thread pool, or in one of the
 * kernel's asynchronous engines.  Requests for which the engine can't be used
 * (memory that O_DIRECT refuses) take the workers with a bounce buffer.
 *
 * A read beyond the end of the file gives zeroes.
 */
#include "qemu/osdep.h"
#include <sys/uio.h>
#include "block/file-posix-internal.h"
#include "block/raw-aio.h"

/* Bounce buffers are not larger than this. */
#define BOUNCE_MAX (1024 * 1024)

/* Writes of at least this size are taken for those of a copy ... */
#define BEHIND_MIN  (512 * KiB)
/* ... of which the disk gets as much as this at a time. */
#define BEHIND_STEP (64 * MiB)

typedef struct FileData {
    FilePosixState *s;
    BlockDriverState *bs;
    bool write;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;     /* exactly @bytes */
} FileData;

/* One system call; the number of bytes or -errno. */
static ssize_t file_vector_once(FileData *d, const struct iovec *iov, int niov,
                                int64_t offset)
{
    ssize_t ret;

    do {
        ret = d->write ? pwritev(d->s->fd, iov, niov, offset)
                       : preadv(d->s->fd, iov, niov, offset);
    } while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : ret;
}

/* Is a transfer that stopped after @done bytes at the end of the file? */
static bool file_short_is_eof(FileData *d, int64_t done)
{
    return !d->write && file_is_direct(d->s) &&
           !QEMU_IS_ALIGNED(done, d->bs->bl.request_alignment);
}

/*
 * The rest of a transfer of which the first @done bytes, fewer than all, are
 * done.
 */
static int file_vector_rest(FileData *d, int64_t done)
{
    int ret = 0;

    while (done < d->bytes && !file_short_is_eof(d, done)) {
        QEMUIOVector rest;
        ssize_t n;

        qemu_iovec_init_slice(&rest, d->qiov, done, d->bytes - done);
        n = file_vector_once(d, rest.iov, rest.niov, d->offset + done);
        qemu_iovec_destroy(&rest);
        if (n < 0) {
            /* Misaligned after the last, partial, block. */
            ret = n == -EINVAL && !d->write && done ? 0 : n;
            break;
        }
        if (n == 0) {
            ret = d->write ? -EIO : 0;
            break;
        }
        done += n;
    }
    if (ret == 0 && done < d->bytes) {
        qemu_iovec_memset(d->qiov, done, 0, d->bytes - done);
    }
    return ret;
}

static int file_data_worker(void *opaque)
{
    FileData *d = opaque;
    ssize_t n = file_vector_once(d, d->qiov->iov, d->qiov->niov, d->offset);

    if (n < 0) {
        return n;
    }
    return n == d->bytes ? 0 : file_vector_rest(d, n);
}

/* The same through an aligned buffer. */
static int file_bounce_worker(void *opaque)
{
    FileData *d = opaque;
    size_t chunk = MIN(d->bytes,
                       ROUND_UP(BOUNCE_MAX, d->bs->bl.request_alignment));
    void *buf = qemu_try_blockalign(d->bs, chunk);
    int64_t done;
    int ret = 0;

    if (!buf) {
        return -ENOMEM;
    }
    for (done = 0; done < d->bytes && ret == 0; done += chunk) {
        size_t n = MIN(chunk, d->bytes - done);
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, n);
        FileData part = *d;

        part.offset = d->offset + done;
        part.bytes = n;
        part.qiov = &qiov;
        if (d->write) {
            qemu_iovec_to_buf(d->qiov, done, buf, n);
        }
        ret = file_data_worker(&part);
        if (ret == 0 && !d->write) {
            qemu_iovec_from_buf(d->qiov, done, buf, n);
        }
    }
    qemu_vfree(buf);
    return ret;
}

static int coroutine_fn file_co_data_whole(FileData *d)
{
    FilePosixState *s = d->s;

    if (s->needs_alignment && !bdrv_qiov_is_aligned(d->bs, d->qiov)) {
        return file_co_run(file_bounce_worker, d);
    }
    switch (s->engine) {
#ifdef CONFIG_LINUX_IO_URING
    case FILE_ENGINE_IO_URING:
        return luring_co_submit(s->fd, d->offset, d->qiov,
                                d->write ? QEMU_AIO_WRITE : QEMU_AIO_READ);
#endif
#ifdef CONFIG_LINUX_AIO
    case FILE_ENGINE_NATIVE:
        return laio_co_submit(s->fd, d->offset, d->qiov,
                              d->write ? QEMU_AIO_WRITE : QEMU_AIO_READ,
                              s->aio_max_batch);
#endif
    default:
        return file_co_run(file_data_worker, d);
    }
}

static int coroutine_fn file_co_data(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset, bool write)
{
    FileData d = {
        .s = bs->opaque,
        .bs = bs,
        .write = write,
        .offset = offset,
        .bytes = bytes,
        .qiov = qiov,
    };
    QEMUIOVector slice;
    int ret;

    if (qiov_offset == 0 && qiov->size == bytes) {
        return file_co_data_whole(&d);
    }
    qemu_iovec_init_slice(&slice, qiov, qiov_offset, bytes);
    d.qiov = &slice;
    ret = file_co_data_whole(&d);
    qemu_iovec_destroy(&slice);
    return ret;
}

int coroutine_fn file_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags)
{
    return file_co_data(bs, offset, bytes, qiov, qiov_offset, false);
}

static int file_behind_worker(void *opaque)
{
    FilePosixState *s = opaque;

    /* Only begins to write: errors are for the next flush to tell. */
    sync_file_range(s->fd, s->behind.start, s->behind.end - s->behind.start,
                    SYNC_FILE_RANGE_WRITE);
    return 0;
}

static void coroutine_fn file_behind_entry(void *opaque)
{
    BlockDriverState *bs = opaque;
    FilePosixState *s = bs->opaque;

    file_co_run(file_behind_worker, s);
    s->behind = (FileBehind) { 0 };
    bdrv_dec_in_flight(bs);
}

/*
 * A copy through the page cache: let the disk write while the copy goes on,
 * so that the flush at its end, which others' flushes wait for, is short.
 */
static void coroutine_fn file_write_behind(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes)
{
    FilePosixState *s = bs->opaque;
    FileBehind *b = &s->behind;

    if (bytes < BEHIND_MIN || file_is_direct(s) ||
        (bs->open_flags & BDRV_O_NO_FLUSH) || b->bytes >= BEHIND_STEP) {
        return;
    }
    if (!b->bytes || MAX(b->end, offset + bytes) - MIN(b->start, offset) >
                     2 * BEHIND_STEP) {
        *b = (FileBehind) { .start = offset, .end = offset };
    }
    b->start = MIN(b->start, offset);
    b->end = MAX(b->end, offset + bytes);
    b->bytes += bytes;
    if (b->bytes >= BEHIND_STEP) {
        bdrv_inc_in_flight(bs);
        qemu_coroutine_enter(qemu_coroutine_create(file_behind_entry, bs));
    }
}

int coroutine_fn file_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    int ret = file_co_data(bs, offset, bytes, qiov, qiov_offset, true);

    if (ret == 0) {
        file_write_behind(bs, offset, bytes);
    }
    return ret;
}

static int file_flush_worker(void *opaque)
{
    FilePosixState *s = opaque;

    return qemu_fdatasync(s->fd) < 0 ? -errno : 0;
}

static int coroutine_fn file_co_flush_engine(FilePosixState *s)
{
#ifdef CONFIG_LINUX_IO_URING
    if (s->engine == FILE_ENGINE_IO_URING) {
        return luring_co_submit(s->fd, 0, NULL, QEMU_AIO_FLUSH);
    }
#endif
#ifdef CONFIG_LINUX_AIO
    if (s->engine == FILE_ENGINE_NATIVE && laio_has_fdsync(s->fd)) {
        return laio_co_submit(s->fd, 0, NULL, QEMU_AIO_FLUSH,
                              s->aio_max_batch);
    }
#endif
    return file_co_run(file_flush_worker, s);
}

int coroutine_fn file_co_flush_to_disk(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;
    int ret = atomic_read(&s->flush_error);

    if (ret < 0) {
        return ret;
    }
    ret = file_co_flush_engine(s);
    if (ret < 0 && !file_is_direct(s)) {
        /*
         * The kernel may have dropped the pages that it could not write and
         * would report success next time, though the data are lost.
         */
        atomic_set(&s->flush_error, ret);
    }
    return ret;
}

/* ---- Copies within the kernel ---- */

typedef struct FileCopy {
    FilePosixState *s;      /* of the target */
    int from_fd;
    int64_t from_offset;
    int64_t to_offset;
    int64_t bytes;
} FileCopy;

static int file_copy_worker(void *opaque)
{
    FileCopy *c = opaque;
    off64_t from = c->from_offset;
    off64_t to = c->to_offset;
    int64_t left = c->bytes;

    while (left) {
        ssize_t n = copy_file_range(c->from_fd, &from, c->s->fd, &to, left, 0);

        if (n > 0) {
            left -= n;
            continue;
        }
        if (n == 0) {
            /* The source ends here; what reads beyond it is for the caller. */
            return -ENOTSUP;
        }
        switch (errno) {
        case EINTR:
            continue;
        case ENOSYS:
        case EOPNOTSUPP:
            file_cannot(c->s, FILE_CAN_COPY_RANGE);
            return -ENOTSUP;
        case EXDEV:
        case EINVAL:
        case EBADF:
        case ETXTBSY:
            return -ENOTSUP;
        default:
            return -errno;
        }
    }
    return 0;
}

int coroutine_fn file_co_copy_range_from(BlockDriverState *bs, BdrvChild *src,
                                         int64_t src_offset, BdrvChild *dst,
                                         int64_t dst_offset, int64_t bytes,
                                         BdrvRequestFlags read_flags,
                                         BdrvRequestFlags write_flags)
{
    return bdrv_co_copy_range_to(src, src_offset, dst, dst_offset, bytes,
                                 read_flags, write_flags);
}

int coroutine_fn file_co_copy_range_to(BlockDriverState *bs, BdrvChild *src,
                                       int64_t src_offset, BdrvChild *dst,
                                       int64_t dst_offset, int64_t bytes,
                                       BdrvRequestFlags read_flags,
                                       BdrvRequestFlags write_flags)
{
    FilePosixState *s = bs->opaque;
    FilePosixState *from = src->bs->opaque;
    FileCopy copy;

    if (src->bs->drv->bdrv_co_copy_range_to != file_co_copy_range_to ||
        !file_can(s, FILE_CAN_COPY_RANGE) ||
        !S_ISREG(s->type) || !S_ISREG(from->type)) {
        return -ENOTSUP;
    }
    copy = (FileCopy) {
        .s = s,
        .from_fd = from->fd,
        .from_offset = src_offset,
        .to_offset = dst_offset,
        .bytes = bytes,
    };
    return file_co_run(file_copy_worker, &copy);
}
