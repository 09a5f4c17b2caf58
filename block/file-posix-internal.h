/*
 * SPDX-License-Identifier: MIT
 *
 * What the files of the drivers file and host_device share: the state of a
 * node and the calls between file-posix.c (open, reopen, permissions),
 * file-posix-{lock,aio,sparse,create}.c and host-device.c.
 *
 * Invariants
 *   1. The number of the node's descriptor is the same from open to close:
 *      another open file takes its place with dup3(), so that a request that
 *      runs in a worker never sees a closed descriptor.
 *   2. ->locks tells which bytes the open file behind ->fd has locked.
 */
#ifndef BLOCK_FILE_POSIX_INTERNAL_H
#define BLOCK_FILE_POSIX_INTERNAL_H

#include "block/block_int.h"
#include "block/thread-pool.h"

/* Whether the kernel does an operation on this file; learnt from answers. */
typedef enum FileFeature {
    FILE_CAN_PUNCH_HOLE  = 0x01,
    FILE_CAN_ZERO_RANGE  = 0x02,
    FILE_CAN_ALLOCATE    = 0x04,
    FILE_CAN_DISCARD     = 0x08,    /* devices */
    FILE_CAN_ZEROOUT     = 0x10,    /* devices */
    FILE_CAN_SEEK_DATA   = 0x20,
    FILE_CAN_COPY_RANGE  = 0x40,
    FILE_CAN_ALL         = 0x7f,
} FileFeature;

typedef enum FileEngine {
    FILE_ENGINE_THREADS,
    FILE_ENGINE_NATIVE,
    FILE_ENGINE_IO_URING,
} FileEngine;

/* Bytes locked in an image file, as permission bits: file-posix-lock.c. */
typedef struct FileLocks {
    uint64_t used;          /* permissions that the node has */
    uint64_t unshared;      /* permissions that others must not have */
} FileLocks;

/* A reopen between prepare and commit or abort. */
typedef struct FileReopen {
    int bdrv_flags;
    int fd;                 /* -1: the present one stays */
    int open_flags;
    bool drop_cache;
    bool check_cache_dropped;
} FileReopen;

/* Large writes that are in the page cache only: file-posix-aio.c. */
typedef struct FileBehind {
    int64_t start;
    int64_t end;
    int64_t bytes;
} FileBehind;

typedef struct FilePosixState {
    /* Immutable after open */
    char *filename;
    int fd;
    mode_t type;            /* S_IFREG, S_IFBLK or S_IFCHR */
    bool use_lock;
    uint64_t aio_max_batch;

    /* Main thread, drained */
    int open_flags;         /* O_* */
    FileEngine engine;
    bool needs_alignment;   /* of the memory of requests, too */
    bool drop_cache;
    bool check_cache_dropped;
    FileReopen *reopen;

    /* Main thread: permissions, and those in preparation */
    uint64_t perm;
    uint64_t shared;
    FileLocks locks;
    int next_fd;            /* -1: ->fd stays */
    int next_open_flags;

    /* The node's AioContext */
    FileBehind behind;

    /* atomic */
    unsigned features;      /* FileFeature */
    int flush_error;        /* a failed flush may have lost data: sticky */
    uint64_t discards_ok;
    uint64_t discards_failed;
    uint64_t discarded_bytes;
} FilePosixState;

static inline bool file_can(FilePosixState *s, FileFeature what)
{
    return atomic_read(&s->features) & what;
}

static inline void file_cannot(FilePosixState *s, FileFeature what)
{
    __atomic_and_fetch(&s->features, ~(unsigned)what, __ATOMIC_RELAXED);
}

/* Is the file open so that the page cache is bypassed? */
static inline bool file_is_direct(FilePosixState *s)
{
    return s->open_flags & O_DIRECT;
}

/* Run @func(@arg) in a worker of the current AioContext: its value. */
static inline int coroutine_fn file_co_run(ThreadPoolFunc *func, void *arg)
{
    return thread_pool_submit_co(
        aio_get_thread_pool(qemu_get_current_aio_context()), func, arg);
}

/* ---- file-posix.c ---- */
int file_open_common(BlockDriverState *bs, QDict *options, int bdrv_flags,
                     bool device, Error **errp);
void file_close(BlockDriverState *bs);
int file_reopen_prepare(BDRVReopenState *state, BlockReopenQueue *queue,
                        Error **errp);
void file_reopen_commit(BDRVReopenState *state);
void file_reopen_abort(BDRVReopenState *state);
int file_check_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                    Error **errp);
void file_set_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared);
void file_abort_perm_update(BlockDriverState *bs);
void file_refresh_limits(BlockDriverState *bs, Error **errp);
void file_attach_aio_context(BlockDriverState *bs, AioContext *new_context);
int64_t file_getlength(BlockDriverState *bs);
int file_get_info(BlockDriverState *bs, BlockDriverInfo *bdi);
int64_t file_get_allocated_file_size(BlockDriverState *bs);
BlockStatsSpecific *file_get_specific_stats(BlockDriverState *bs);
int coroutine_fn file_co_invalidate_cache(BlockDriverState *bs, Error **errp);
extern const char *const file_mutable_opts[];
extern const char *const file_strong_opts[];

/* ---- file-posix-limits.c ---- */

/* Alignments for @fd opened with O_DIRECT; powers of two. */
void file_probe_alignment(int fd, mode_t type, uint32_t *request,
                          size_t *memory);

/* ---- file-posix-lock.c ---- */

/*
 * Lock the bytes that stand for @used and @unshared in addition to those in
 * @held.  Never conflicts: all these locks are shared.
 */
int file_locks_take(int fd, FileLocks *held, uint64_t used, uint64_t unshared,
                    Error **errp);
/* Unlock what is locked beyond @used and @unshared. */
void file_locks_trim(int fd, FileLocks *held, uint64_t used,
                     uint64_t unshared);
/* Do other open files of the image allow this?  -EAGAIN with @errp if not;
 * the hint names @filename. */
int file_locks_check(int fd, const char *filename, uint64_t used,
                     uint64_t unshared, Error **errp);

/* ---- file-posix-aio.c ---- */
int coroutine_fn file_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags);
int coroutine_fn file_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags);
int coroutine_fn file_co_flush_to_disk(BlockDriverState *bs);
int coroutine_fn file_co_copy_range_from(BlockDriverState *bs, BdrvChild *src,
                                         int64_t src_offset, BdrvChild *dst,
                                         int64_t dst_offset, int64_t bytes,
                                         BdrvRequestFlags read_flags,
                                         BdrvRequestFlags write_flags);
int coroutine_fn file_co_copy_range_to(BlockDriverState *bs, BdrvChild *src,
                                       int64_t src_offset, BdrvChild *dst,
                                       int64_t dst_offset, int64_t bytes,
                                       BdrvRequestFlags read_flags,
                                       BdrvRequestFlags write_flags);

/* ---- file-posix-sparse.c ---- */
int coroutine_fn file_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags);
int coroutine_fn file_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                  int64_t bytes);
int coroutine_fn file_co_block_status(BlockDriverState *bs, bool want_zero,
                                      int64_t offset, int64_t bytes,
                                      int64_t *pnum, int64_t *map,
                                      BlockDriverState **file);

/* ---- file-posix-create.c ---- */
extern QemuOptsList file_create_opts;
int coroutine_fn file_co_create(BlockdevCreateOptions *opts, Error **errp);
int coroutine_fn file_co_create_opts(BlockDriver *drv, const char *filename,
                                     QemuOpts *opts, Error **errp);
int coroutine_fn file_co_delete(BlockDriverState *bs, Error **errp);
int coroutine_fn file_co_truncate(BlockDriverState *bs, int64_t offset,
                                  bool exact, PreallocMode prealloc,
                                  BdrvRequestFlags flags, Error **errp);

#endif
