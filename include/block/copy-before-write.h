/*
 * SPDX-License-Identifier: MIT
 *
 * The filter copy-before-write, for the backup job that puts one above its
 * source: what a write is about to change goes to the target first.
 */
#ifndef BLOCK_COPY_BEFORE_WRITE_H
#define BLOCK_COPY_BEFORE_WRITE_H

#include "block/block-copy.h"
#include "qemu/hbitmap.h"

typedef struct CbwFilter CbwFilter;

/* What a user of the filter sets between bdrv_cbw_append() and the end of the
 * drained section that it is in. */
typedef struct CbwConfig {
    const char *filter_node_name;   /* NULL: invisible to users */
    bool compress;
    bool use_copy_range;            /* the host copies, until that fails */
    int64_t max_chunk;              /* bytes; 0: default */
    int max_workers;                /* 0: default */
    /* As for BlockCopyConfig, for pieces that the user starts; bits of what
     * was copied are clear already.  Copies for writes come with ret 0. */
    BlockCopyDone *done;
} CbwConfig;

/* The granularity in which @target is copied to, or -errno. */
int64_t bdrv_cbw_cluster_size(BlockDriverState *target, Error **errp);

/* Main thread, @source drained: put a filter above @source.  Returns it with
 * a reference, or NULL with @errp. */
BlockDriverState *bdrv_cbw_append(BlockDriverState *source,
                                  BlockDriverState *target,
                                  const CbwConfig *cfg, Error **errp);
/* Main thread: the snapshot has become worthless.  Writes that wait for it go
 * on, done() is not called any more, and nobody waits for the target; the node
 * lives until the last request to it has ended. */
void bdrv_cbw_abandon(BlockDriverState *filter);
/* Main thread: take it away and drop the reference.  Nothing of the user is
 * in flight, unless the snapshot was abandoned. */
void bdrv_cbw_drop(BlockDriverState *filter);

/* For done(). */
void bdrv_cbw_set_opaque(BlockDriverState *filter, void *opaque);

/* No request was made yet: only what @bitmap, of the same size, has is to be
 * copied, and part of the snapshot. */
void bdrv_cbw_restrict(BlockDriverState *filter, BdrvDirtyBitmap *bitmap);
/* Bytes that are still to be copied; users clear what they don't want. */
HBitmap *bdrv_cbw_todo(BlockDriverState *filter);
BlockCopyState *bdrv_cbw_copy_state(BlockDriverState *filter);
int64_t bdrv_cbw_granularity(BlockDriverState *filter);
/* From now on, what @filter's node itself does not have allocated need not be
 * copied. */
void bdrv_cbw_set_skip_unallocated(BlockDriverState *filter, bool skip);
/* 0, or -errno: the snapshot was given up for a write. */
int bdrv_cbw_snapshot_error(BlockDriverState *filter);

#endif
