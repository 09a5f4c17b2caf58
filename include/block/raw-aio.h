/*
 * SPDX-License-Identifier: MIT
 *
 * The asynchronous I/O engines of the kernel, for raw files: Linux AIO and
 * io_uring; and the kinds of requests that they and the thread pool share.
 *
 * An engine belongs to one AioContext (aio_setup_linux_aio(),
 * aio_setup_linux_io_uring()).  Requests that coroutines make in one iteration
 * of the loop go to the kernel together.
 */
#ifndef QEMU_RAW_AIO_H
#define QEMU_RAW_AIO_H

#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"

/* Kinds of requests. */
#define QEMU_AIO_READ         0x0001
#define QEMU_AIO_WRITE        0x0002
#define QEMU_AIO_IOCTL        0x0004
#define QEMU_AIO_FLUSH        0x0008
#define QEMU_AIO_DISCARD      0x0010
#define QEMU_AIO_WRITE_ZEROES 0x0020
#define QEMU_AIO_COPY_RANGE   0x0040
#define QEMU_AIO_TRUNCATE     0x0080
#define QEMU_AIO_TYPE_MASK \
    (QEMU_AIO_READ | QEMU_AIO_WRITE | QEMU_AIO_IOCTL | QEMU_AIO_FLUSH | \
     QEMU_AIO_DISCARD | QEMU_AIO_WRITE_ZEROES | QEMU_AIO_COPY_RANGE | \
     QEMU_AIO_TRUNCATE)

/* Flags with them. */
#define QEMU_AIO_MISALIGNED   0x1000
#define QEMU_AIO_BLKDEV       0x2000
#define QEMU_AIO_NO_FALLBACK  0x4000

/*
 * What is done of a read or write, for engines whose requests may end short.
 * Starts out with @qiov and @type set and the rest zero.
 */
typedef struct RawAIOProgress {
    QEMUIOVector *qiov;
    int type;
    size_t done;
    QEMUIOVector rest;
} RawAIOProgress;

/*
 * Takes the kernel's result @ret.  True if the request is over, with 0 or
 * -errno in *@result; else what is left, raw_aio_qiov() at @done bytes from
 * the start, is to be submitted.
 */
bool raw_aio_advance(RawAIOProgress *p, ssize_t ret, int *result);

/* The vector for what is left. */
static inline QEMUIOVector *raw_aio_qiov(RawAIOProgress *p)
{
    return p->done ? &p->rest : p->qiov;
}

#ifdef CONFIG_LINUX_AIO
typedef struct LinuxAioState LinuxAioState;

/* NULL and @errp if the kernel gives no context. */
LinuxAioState *laio_init(Error **errp);
/* After the detach; no request in flight. */
void laio_cleanup(LinuxAioState *s);
void laio_attach_aio_context(LinuxAioState *s, AioContext *ctx);
void laio_detach_aio_context(LinuxAioState *s, AioContext *ctx);

/*
 * True if the kernel can flush (fdatasync) asynchronously; asked with the
 * first @fd, remembered after that.
 */
bool laio_has_fdsync(int fd);

/*
 * Reads, writes or flushes (@type: QEMU_AIO_READ, _WRITE, _FLUSH) in the
 * engine of the current AioContext; yields.  @offset in bytes; @qiov NULL for
 * a flush.  Reads beyond the end of the file give zeroes.  @dev_max_batch:
 * most requests in one submission, 0 for the default.  0 or -errno.
 */
int coroutine_fn laio_co_submit(int fd, uint64_t offset, QEMUIOVector *qiov,
                                int type, uint64_t dev_max_batch);
#endif

#ifdef CONFIG_LINUX_IO_URING
typedef struct LuringState LuringState;

/* NULL and @errp if the kernel gives no ring. */
LuringState *luring_init(Error **errp);
/* After the detach; no request in flight. */
void luring_cleanup(LuringState *s);
void luring_attach_aio_context(LuringState *s, AioContext *ctx);
void luring_detach_aio_context(LuringState *s, AioContext *ctx);

/* As laio_co_submit(). */
int coroutine_fn luring_co_submit(int fd, uint64_t offset, QEMUIOVector *qiov,
                                  int type);
#endif

#endif /* QEMU_RAW_AIO_H */
