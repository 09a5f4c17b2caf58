/*
 * SPDX-License-Identifier: MIT
 *
 * What the kernel's asynchronous engines share: requests that end short.
 */
#include "qemu/osdep.h"
#include "block/raw-aio.h"

/* Offsets and lengths of direct I/O are multiples of this at least. */
#define DIRECT_ALIGNMENT 512

static bool raw_aio_finish(RawAIOProgress *p, int ret, int *result)
{
    if (p->rest.iov) {
        qemu_iovec_destroy(&p->rest);
        p->rest.iov = NULL;
    }
    *result = ret;
    return true;
}

bool raw_aio_advance(RawAIOProgress *p, ssize_t ret, int *result)
{
    size_t size = p->type & (QEMU_AIO_READ | QEMU_AIO_WRITE) ? p->qiov->size
                                                             : 0;
    bool read = p->type & QEMU_AIO_READ;

    if (ret == -EINVAL && read && p->done % DIRECT_ALIGNMENT) {
        /*
         * A direct read ends between sectors only at the end of the file, and
         * cannot go on from there.
         */
        ret = 0;
    }
    if (ret < 0) {
        return raw_aio_finish(p, ret, result);
    }
    p->done += MIN(ret, size - p->done);
    if (p->done == size) {
        return raw_aio_finish(p, 0, result);
    }
    if (ret == 0) {
        if (!read) {
            return raw_aio_finish(p, -ENOSPC, result);
        }
        qemu_iovec_memset(p->qiov, p->done, 0, size - p->done);
        return raw_aio_finish(p, 0, result);
    }

    if (p->rest.iov) {
        qemu_iovec_reset(&p->rest);
    } else {
        qemu_iovec_init(&p->rest, p->qiov->niov);
    }
    qemu_iovec_concat(&p->rest, p->qiov, p->done, size - p->done);
    return false;
}
