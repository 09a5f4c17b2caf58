/*
 * SPDX-License-Identifier: MIT
 *
 * A block driver for tests of the request path: images in memory that keep a
 * log of requests and hold them back if told so.
 */
#ifndef MEM_DRIVER_H
#define MEM_DRIVER_H

#include "block/block_int.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"

#define MEM_LENGTH (1024 * 1024)
#define MEM_UNIT   512

/* Takes a backing node; all is unallocated at first. */
extern BlockDriver mem_format;
/* A filter over "file" that passes everything on. */
extern BlockDriver mem_filter;

/* bs->opaque of mem_format.  Tests set what is not private. */
typedef struct MemState {
    BlockLimits limits;         /* then call bdrv_refresh_limits() */
    int cluster_size;           /* 0: none */
    bool no_zeroes;             /* zeroing: -ENOTSUP */
    bool no_copies;             /* offloaded copies to it: -ENOTSUP */
    bool raw_status;            /* status: data and holes of a file */
    /* Requests of these kinds wait for mem_release(): see mem_log(). */
    const char *hold;
    /* ... and these fail with -EIO. */
    const char *fail;
    int held;                   /* waiting now */
    int copies;                 /* offloaded ones to it that were asked for */
    int drained;                /* drain_begin calls minus drain_end calls */
    bool slow_drain;            /* both hooks wait for a bottom half */
    char *header;               /* "FILE (FORMAT)" of the backing file; NULL:
                                 * never changed */

    /* private */
    uint8_t *data;
    uint8_t *allocated;         /* by MEM_UNIT */
    int64_t length;
    GString *log;
    CoQueue queue;
} MemState;

/* Main loop and drivers; then g_test_init(). */
void mem_test_init(int *argc, char ***argv);
/* A read-write node that discards. */
BlockDriverState *mem_node(const char *name);
/* A filter over @below, which keeps its reference. */
BlockDriverState *mem_filter_node(const char *name, BlockDriverState *below);
MemState *mem_state(BlockDriverState *bs);
/* Change the length (bytes), all as new. */
void mem_set_length(BlockDriverState *bs, int64_t length);
/* Give the node data; no request. */
void mem_fill(BlockDriverState *bs, int64_t offset, int64_t bytes, int byte);
bool mem_is_allocated(BlockDriverState *bs, int64_t offset);

/*
 * The requests since the last call, such as "r0+512 w4096+512f": r(ead),
 * w(rite), z(ero), d(iscard), o (flush to OS), f(lush to disk), t(runcate),
 * s(tatus); flags f (FUA), u (may unmap), = (unchanged), n (no fallback),
 * c(ompressed).  g_free().
 */
char *mem_log(BlockDriverState *bs);
void mem_expect_log(BlockDriverState *bs, const char *expected);
/* Let those that wait go on; returns once they had their chance. */
void mem_release(BlockDriverState *bs);

/* A backend on @bs, which keeps its reference; everything is allowed and
 * shared. */
BlockBackend *mem_blk(BlockDriverState *bs);

/* A request in the background, of one letter as above (r, w, z, d, f). */
typedef struct MemRequest {
    BlockBackend *blk;
    char op;
    int64_t offset;
    int64_t bytes;
    int byte;                   /* to be written, or expected */
    BdrvRequestFlags flags;
    uint8_t *buf;
    QEMUIOVector *qiov;         /* in place of buf */
    int ret;                    /* -EINPROGRESS until it is done */
} MemRequest;
/* Runs until it has to wait, in the backend's context. */
MemRequest *mem_start(BlockBackend *blk, char op, int64_t offset,
                      int64_t bytes, int byte, BdrvRequestFlags flags);
bool mem_done(const MemRequest *req);
/* Waits, checks what was read, frees; returns the result. */
int mem_finish(MemRequest *req);
/* Both; 0 or -errno. */
int mem_do(BlockBackend *blk, char op, int64_t offset, int64_t bytes,
           int byte, BdrvRequestFlags flags);
int mem_do_vector(BlockBackend *blk, char op, int64_t offset,
                  QEMUIOVector *qiov);
/* Read and compare. */
void mem_check(BlockBackend *blk, int64_t offset, int64_t bytes, int byte);
/* Runs @fn(@opaque) in a coroutine of the main thread and polls until it has
 * returned. */
void mem_run_co(void (*fn)(void *opaque), void *opaque);

#endif
