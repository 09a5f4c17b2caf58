/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines that wait for file descriptors.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/coroutine.h"

typedef struct FDWait {
    AioContext *ctx;
    Coroutine *co;
    int fd;
} FDWait;

static void fd_wait_readable(void *opaque)
{
    FDWait *wait = opaque;

    aio_set_fd_handler(wait->ctx, wait->fd, false, NULL, NULL, NULL, NULL);
    aio_co_wake(wait->co);
}

void coroutine_fn yield_until_fd_readable(int fd)
{
    FDWait wait = {
        .ctx = qemu_get_current_aio_context(),
        .co = qemu_coroutine_self(),
        .fd = fd,
    };

    aio_set_fd_handler(wait.ctx, fd, false, fd_wait_readable, NULL, NULL,
                       &wait);
    qemu_coroutine_yield();
}
