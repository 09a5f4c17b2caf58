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
/* bdrv_make_request_serialising() where nothing has to be waited for; false,
 * with @req as before, where it would have to. */
bool bdrv_try_make_request_serialising(BdrvTrackedRequest *req,
                                       uint64_t align);

/* io.c: the driver's hooks, without tracking */
int coroutine_fn bdrv_driver_preadv(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset,
                                    BdrvRequestFlags flags);
int coroutine_fn bdrv_driver_pwritev(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags);
/* Write @bytes of @buf, which the node shows there already, into the node
 * itself; the range is aligned, and its user has made it serialising. */
int coroutine_fn bdrv_store_copy(BlockDriverState *bs, int64_t offset,
                                 int64_t bytes, void *buf);
/* May @child be written; is the range legal? 0 or -errno. */
int bdrv_check_write(BdrvChild *child, int64_t offset, int64_t bytes);
/*
 * Before a write of any kind: checks permissions, waits for others, tells who
 * watches.  If it fails nothing must be written, else
 * bdrv_co_write_req_finish() has to follow.
 */
int coroutine_fn bdrv_co_write_req_begin(BdrvChild *child, int64_t offset,
                                         int64_t bytes,
                                         BdrvTrackedRequest *req,
                                         BdrvRequestFlags flags);
/* bs->total_sectors is new: bitmaps and parents follow. */
void bdrv_length_changed(BlockDriverState *bs);

/* block-status.c: the range may have lost its data */
void bdrv_status_cache_drop(BlockDriverState *bs, int64_t offset,
                            int64_t bytes);

/* io-zero.c; @offset and @bytes need no alignment to pwrite_zeroes_alignment,
 * but to request_alignment */
int coroutine_fn bdrv_driver_pwrite_zeroes(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           BdrvRequestFlags flags);

#endif
