/*
 * SPDX-License-Identifier: MIT
 *
 * What the parts of the request path share: io.c, io-zero.c, io-copy.c,
 * tracked-request.c, drain.c.
 */
#ifndef BLOCK_IO_INTERNAL_H
#define BLOCK_IO_INTERNAL_H

#include "block/block_int.h"

/* tracked-request.c */
void bdrv_tracked_request_begin(BdrvTrackedRequest *req, BlockDriverState *bs,
                                int64_t offset, int64_t bytes,
                                enum BdrvTrackedRequestType type);
void coroutine_fn bdrv_tracked_request_end(BdrvTrackedRequest *req);
/* Wait for serialising requests in the way. Did it wait? */
bool coroutine_fn bdrv_wait_serialising_requests(BdrvTrackedRequest *self);

/* io.c: the driver's hooks, without tracking */
int coroutine_fn bdrv_driver_preadv(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset,
                                    BdrvRequestFlags flags);
int coroutine_fn bdrv_driver_pwritev(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags);
/* May @child be written; is the range legal? 0 or -errno. */
int bdrv_check_write(BdrvChild *child, int64_t offset, int64_t bytes);
int coroutine_fn bdrv_co_write_req_prepare(BdrvChild *child, int64_t offset,
                                           int64_t bytes,
                                           BdrvTrackedRequest *req,
                                           BdrvRequestFlags flags);

/* io-copy.c: the node's length changed */
void bdrv_parent_cb_resize(BlockDriverState *bs);

/* io-zero.c; @offset and @bytes need no alignment to pwrite_zeroes_alignment,
 * but to request_alignment */
int coroutine_fn bdrv_driver_pwrite_zeroes(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           BdrvRequestFlags flags);

#endif
