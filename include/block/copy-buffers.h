/*
 * SPDX-License-Identifier: MIT
 *
 * Buffers for data that is being copied, out of one budget that all copies of
 * the process share.
 *
 * Context: any thread, except that getting and putting is for coroutines.
 */
#ifndef COPY_BUFFERS_H
#define COPY_BUFFERS_H

#include "qemu/coroutine.h"

/* One who copies; all zeroes at first, and again when it has put everything. */
typedef struct CopyBufferUser {
    int64_t used;           /* bytes; under the lock of copy-buffers.c */
} CopyBufferUser;

/* Somebody is going to copy, or is no longer: without any all memory goes
 * back to the host. */
void copy_buffers_ref(void);
void copy_buffers_unref(void);

/*
 * @bytes bytes aligned to @align (a power of two); never fails.  Waits while
 * the budget is exhausted, unless @user has nothing yet.  To be given back by
 * copy_buffer_put() with the same @user and @bytes.
 */
void *coroutine_fn copy_buffer_get(CopyBufferUser *user, size_t align,
                                   int64_t bytes);
void coroutine_fn copy_buffer_put(CopyBufferUser *user, void *buf,
                                  int64_t bytes);

#endif
