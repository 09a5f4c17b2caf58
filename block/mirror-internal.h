/*
 * SPDX-License-Identifier: MIT
 *
 * What the mirror job (mirror.c), its filter node (mirror-filter.c) and its
 * start and end (mirror-start.c) share.
 */
#ifndef BLOCK_MIRROR_INTERNAL_H
#define BLOCK_MIRROR_INTERNAL_H

#include "block/block-copy.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"

typedef struct MirrorTargetCall MirrorTargetCall;

/* What the job writes to: mirror-target.c. */
typedef struct MirrorTarget {
    struct MirrorJob *job;      /* not to be touched once abandoned */
    BlockBackend *blk;
    BlockCopyState *copy;       /* NULL until the job is set up */
    bool abandoned;             /* nobody waits for it any more */
    bool dropped;               /* ... and the job has gone */
    int refs;
    QLIST_HEAD(, MirrorTargetCall) calls;
} MirrorTarget;

typedef struct MirrorJob {
    BlockJob common;

    /* Immutable once started */
    MirrorTarget *target;       /* NULL after the end */
    BlockDriverState *filter;   /* mirror_top, above the source */
    BlockDriverState *lowest;   /* last layer that is copied; NULL: all are */
    char *replaces;
    MirrorSyncMode sync_mode;
    BlockMirrorBackingMode backing_mode;
    MirrorCopyMode copy_mode;
    BlockdevOnError on_source_error;
    BlockdevOnError on_target_error;
    int64_t length;             /* of the source */
    int64_t granularity;        /* of dirty_bitmap */
    int64_t align;              /* of what is written to the target */
    int64_t max_chunk;          /* of one piece with data */
    BdrvDirtyBitmap *sync_bitmap;
    BitmapSyncMode bitmap_mode;
    bool is_commit;             /* the target is a backing node */
    bool base_read_only;        /* ... that was so before */

    /* The job's AioContext */
    BdrvDirtyBitmap *dirty_bitmap; /* what the target lacks */
    bool scanning;              /* dirty_bitmap is being set up */
    int64_t cursor;             /* where to look for dirty ranges */
    int64_t bytes_started;      /* pieces in flight, of any kind */
    bool backoff;               /* an ignored error: don't spin */
    int ret;                    /* first error that ends the job */
    bool synced;                /* READY was reached */

    /* The filter's writes: to both sides once write_through is set */
    bool write_through;
    unsigned plain_writes;      /* in flight, to the source only */
    CoQueue plain_done;

    /* Main thread */
    bool should_complete;
    BlockDriverState *to_replace;
    Error *replace_blocker;
    bool exited;                /* mirror_exit() has run */
} MirrorJob;

/* State of the filter node. */
typedef struct MirrorFilter {
    MirrorJob *job;             /* NULL before start and after the end */
    bool stop;                  /* needs no permissions any more */
    bool is_commit;             /* what is below changes, in its sum not */
} MirrorFilter;

extern BlockDriver bdrv_mirror_top;

/* An error in the range: to be copied again; maybe the job's end. */
void mirror_range_failed(MirrorJob *s, int64_t offset, int64_t bytes, int ret,
                         bool is_read);
/* The job's hooks, for mirror-start.c. */
void coroutine_fn mirror_run(void *opaque);
void mirror_piece_done(void *opaque, int64_t offset, int64_t bytes, int ret,
                       bool is_read);
void coroutine_fn mirror_pause(BlockJob *job);
int64_t mirror_dirty_bytes(BlockJob *job);
int64_t mirror_copied_bytes(BlockJob *job);

/* ---- mirror-target.c ---- */

/* In a coroutine; 0 or -errno. */
typedef int coroutine_fn MirrorTargetFunc(MirrorTarget *t, void *arg);

/* Main thread. Takes over the reference to @blk. */
MirrorTarget *mirror_target_new(MirrorJob *job, BlockBackend *blk);
/* Main thread: the job has no more to do with it. Requests are in flight only
 * if it was abandoned. */
void mirror_target_drop(MirrorTarget *t);
/*
 * Call @func, which sends requests to the target, and wait for its value, or
 * until the target is abandoned: -ECANCELED.  In that case @func goes on by
 * itself; @arg_unref is called for @arg when it has ended.
 */
int coroutine_fn mirror_target_call(MirrorTarget *t, MirrorTargetFunc *func,
                                    void *arg, GDestroyNotify arg_unref);
/* A request has ended, maybe one of an abandoned target. */
void mirror_target_request_done(MirrorTarget *t);
/* What the target gets is worth nothing any more: who waits for it goes on.
 * Any thread that holds the AioContext. */
void mirror_target_abandon(MirrorTarget *t);

/* ---- mirror-filter.c ---- */

/* From now on guest writes go to both sides; returns when the last one that
 * does not is over and dirty bits are no longer set by writes. */
void coroutine_fn mirror_begin_write_through(MirrorJob *s);

#endif
