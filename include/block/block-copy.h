/*
 * SPDX-License-Identifier: MIT
 *
 * The copy engine: moves pieces of a source to a target, many at a time.
 *
 * A user (a block job, qemu-img) makes a BlockCopyState for one pair of edges
 * and says what to copy and in what order; the engine knows how: it asks for
 * the block status, writes zeroes without data, discards, lets the host copy
 * where that is faster, and otherwise reads and writes through buffers that
 * all users in the process share a budget for.
 *
 * Context: coroutines in the AioContext of the two nodes.  Offsets and sizes
 * are bytes; pieces are multiples of cfg.align, except at the end of the
 * source.
 */
#ifndef BLOCK_COPY_H
#define BLOCK_COPY_H

#include "block/block_int.h"

typedef struct BlockCopyState BlockCopyState;

/* What to do with a piece. */
typedef enum BlockCopyMethod {
    BLOCK_COPY_DATA,        /* read and write */
    BLOCK_COPY_ZERO,        /* the source reads as zeroes */
    BLOCK_COPY_DISCARD,     /* the source has no defined content */
    BLOCK_COPY_ON_READ,     /* the target takes it from its own chain */
} BlockCopyMethod;

/* Does the host copy?  Where it can't, data go through a buffer. */
typedef enum BlockCopyOffload {
    BLOCK_COPY_OFFLOAD_MEASURED,    /* where files may share extents, and it is
                                     * faster */
    BLOCK_COPY_OFFLOAD_NEVER,
    BLOCK_COPY_OFFLOAD_ALWAYS,      /* until it fails */
} BlockCopyOffload;

/*
 * A piece is done; runs in the piece's coroutine, which still counts as in
 * flight.  @ret: 0 or -errno; @is_read: the source failed, not the target.
 */
typedef void BlockCopyDone(void *opaque, int64_t offset, int64_t bytes,
                           int ret, bool is_read);

typedef struct BlockCopyConfig {
    BdrvChild *source;
    BdrvChild *target;
    int64_t length;         /* of the source */
    int64_t align;          /* power of two */
    int64_t max_chunk;      /* most bytes of one piece with data */
    int64_t max_bytes;      /* most bytes of data in flight */
    int max_pieces;         /* most pieces in flight */
    bool unmap;             /* zeroes may be unmapped in the target */
    /* Sources are in the target's backing chain; what the target has itself
     * stays, and its users may write meanwhile. */
    bool copy_up;
    BdrvRequestFlags write_flags;
    BlockCopyOffload offload;
    BlockCopyDone *done;
    void *opaque;
} BlockCopyConfig;

/* Main thread. Never fails. */
BlockCopyState *block_copy_state_new(const BlockCopyConfig *cfg);
/* Nothing may be in flight. NULL is allowed. */
void block_copy_state_free(BlockCopyState *s);

/*
 * Take the next piece of [@offset, @offset + @bytes) in hand: find out what
 * it is, start it, and return its length (> 0), which is less than @bytes if
 * the kind changes or the piece is big.  It may wait for block status, and
 * must not be called when block_copy_full().  The range must not be claimed.
 * *@cost is how many bytes of data the piece moves, for rate limits; 0 for
 * zeroes.  Errors come through done(), which may run before this returns.
 */
int64_t coroutine_fn block_copy_start(BlockCopyState *s, int64_t offset,
                                      int64_t bytes, int64_t *cost);

/* The same for a piece whose kind and source are known: all of it is started,
 * so it should be no longer than a buffer may be.  Returns its cost. */
int64_t coroutine_fn block_copy_start_known(BlockCopyState *s,
                                            BdrvChild *source,
                                            BlockCopyMethod method,
                                            int64_t offset, int64_t bytes);

/* How many bytes from @offset on are known to be data, so that
 * block_copy_start() need not ask; 0 if nothing is known. */
int64_t block_copy_known_data(BlockCopyState *s, int64_t offset);
/* The source's users have changed the kind of a range that may be copied yet:
 * it is no longer known to be data. */
void block_copy_forget_data(BlockCopyState *s, int64_t offset, int64_t bytes);

/* How many bytes of data have been moved, by pieces or in claims.  NULL: 0. */
int64_t block_copy_copied(BlockCopyState *s);

/* No further piece can be started now. */
bool block_copy_full(BlockCopyState *s);
/* There are pieces or claims. */
bool block_copy_busy(BlockCopyState *s);

/*
 * A range that somebody else works on (a write that goes to both sides):
 * pieces and other claims wait for it.  _begin() waits for what overlaps, and
 * claims nothing, which it says by false, when the copy is abandoned.
 */
typedef struct BlockCopyClaim {
    int64_t offset;
    int64_t bytes;
    CoQueue waiters;
    QTAILQ_ENTRY(BlockCopyClaim) entry;
} BlockCopyClaim;
bool coroutine_fn block_copy_claim_begin(BlockCopyState *s,
                                         BlockCopyClaim *claim,
                                         int64_t offset, int64_t bytes);
void coroutine_fn block_copy_claim_end(BlockCopyState *s,
                                       BlockCopyClaim *claim);

/* All claims and pieces, in no order: the one after @claim, or the first if that
 * is NULL; NULL after the last. */
BlockCopyClaim *block_copy_next_claim(BlockCopyState *s, BlockCopyClaim *claim);

/* Copy a range that the caller has claimed, in the caller's coroutine: done()
 * is not called.  0 or -errno; *@is_read is set if the source failed. */
int coroutine_fn block_copy_claimed(BlockCopyState *s, int64_t offset,
                                    int64_t bytes, bool *is_read);

/* The first byte from @offset on, below @end, that nobody claims; @end if
 * there is none. *free_bytes is how many follow it. */
int64_t block_copy_next_free(BlockCopyState *s, int64_t offset, int64_t end,
                             int64_t *free_bytes);

/* Wait until one piece more has ended (returns at once if there is none). */
void coroutine_fn block_copy_wait_one(BlockCopyState *s);
void coroutine_fn block_copy_wait_all(BlockCopyState *s);

/* The copy has become worthless: from now on nobody waits, and pieces begin no
 * request more.  Those in flight end as they may; the state must live until
 * block_copy_busy() is false.  Any thread that holds the AioContext. */
void block_copy_abandon(BlockCopyState *s);

#endif
