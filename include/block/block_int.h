/*
 * SPDX-License-Identifier: MIT
 *
 * The block layer as drivers, the job core and the core itself see it: the
 * driver vtable, nodes, edges between them, limits, tracked requests.
 *
 * Invariants
 *   1. A BdrvChild is in exactly one parents list (of ->bs), and, if its
 *      parent is a node, in exactly one children list.
 *   2. bs->file and bs->backing, if not NULL, are elements of bs->children.
 *   3. The permissions of all edges to a node are compatible: what one needs,
 *      every other one shares.
 *   4. Edges form no cycle.
 *   5. All nodes that are connected have the same AioContext.
 *   6. For each edge with ->quiesced_parent > 0 its parent got as many
 *      drained_begin calls.
 * bdrv_assert_graph() checks them in debug builds.
 */
#ifndef BLOCK_INT_H
#define BLOCK_INT_H

#include "block/block.h"
#include "block/aio.h"
#include "block/aio-wait.h"
#include "block/dirty-bitmap.h"
#include "block/accounting.h"
#include "block/blockjob.h"
#include "qemu/coroutine.h"
#include "qemu/hbitmap.h"
#include "qemu/iov.h"
#include "qemu/notify.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/transactions.h"

/* Options of image creation */
#define BLOCK_OPT_ENCRYPT           "encryption"
#define BLOCK_OPT_ENCRYPT_FORMAT    "encrypt.format"
#define BLOCK_OPT_COMPAT6           "compat6"
#define BLOCK_OPT_SIZE              "size"
#define BLOCK_OPT_BACKING_FILE      "backing_file"
#define BLOCK_OPT_BACKING_FMT       "backing_fmt"
#define BLOCK_OPT_CLUSTER_SIZE      "cluster_size"
#define BLOCK_OPT_PREALLOC          "preallocation"
#define BLOCK_OPT_COMPAT_LEVEL      "compat"
#define BLOCK_OPT_LAZY_REFCOUNTS    "lazy_refcounts"
#define BLOCK_OPT_NOCOW             "nocow"
#define BLOCK_OPT_EXTENT_SIZE_HINT  "extent_size_hint"
#define BLOCK_OPT_OBJECT_SIZE       "object_size"
#define BLOCK_OPT_REFCOUNT_BITS     "refcount_bits"
#define BLOCK_OPT_DATA_FILE         "data_file"
#define BLOCK_OPT_DATA_FILE_RAW     "data_file_raw"
#define BLOCK_OPT_COMPRESSION_TYPE  "compression_type"
#define BLOCK_OPT_EXTL2             "extended_l2"

#define BLOCK_PROBE_BUF_SIZE 512

struct QEMUSnapshotInfo;

/*
 * What a driver tells about requests it can take; 0 = no limit.  All in
 * bytes.  Merged over the children by bdrv_refresh_limits().
 */
typedef struct BlockLimits {
    uint32_t request_alignment;     /* power of two, 1..2^30; never 0 */
    int64_t max_pdiscard;
    uint32_t pdiscard_alignment;
    int64_t max_pwrite_zeroes;
    uint32_t pwrite_zeroes_alignment;
    uint32_t opt_transfer;
    uint32_t max_transfer;
    uint32_t max_hw_transfer;
    int max_hw_iov;
    size_t min_mem_alignment;
    size_t opt_mem_alignment;
    int max_iov;
    bool has_variable_length;       /* the length may change by itself */
    bool shares_extents;            /* offloaded copies may cost no I/O */
} BlockLimits;

/*
 * The vtable of a block driver.  Every hook is optional unless said
 * otherwise.  Main thread: open .. parse_filename, the reopen hooks, limits
 * and permissions.  The _co_ hooks run in coroutines in the node's AioContext
 * and may yield; they are called with the node's in_flight count raised.
 */
struct BlockDriver {
    const char *format_name;        /* mandatory, unique */
    const char *protocol_name;      /* "file", ...: NULL for formats */
    int instance_size;              /* bytes of bs->opaque, zeroed */
    bool is_filter;     /* one child (file or backing) with the same content */
    bool filtered_child_is_backing; /* filters: it is bs->backing */
    bool is_format;     /* has metadata in bs->file */
    bool supports_backing;
    bool bdrv_needs_filename;
    bool has_variable_length;
    const char *const *mutable_opts; /* reopen may change these; NULL-ended */
    const char *const *strong_runtime_opts; /* part of the json: file name */
    QemuOptsList *create_opts;
    QemuOptsList *amend_opts;
    QLIST_ENTRY(BlockDriver) list;

    /* Score 0..100 for "this is my format", from the first bytes. */
    int (*bdrv_probe)(const uint8_t *buf, int buf_size, const char *filename);
    int (*bdrv_probe_device)(const char *filename);
    /* Turn PROTO:... into options. */
    void (*bdrv_parse_filename)(const char *filename, QDict *options,
                                Error **errp);
    /* Takes the options it knows out of @options. 0 or -errno. */
    int (*bdrv_open)(BlockDriverState *bs, QDict *options, int flags,
                     Error **errp);
    /* Called drained. May do I/O on its children. */
    void (*bdrv_close)(BlockDriverState *bs);
    int (*bdrv_reopen_prepare)(BDRVReopenState *reopen_state,
                               BlockReopenQueue *queue, Error **errp);
    void (*bdrv_reopen_commit)(BDRVReopenState *reopen_state);
    void (*bdrv_reopen_commit_post)(BDRVReopenState *reopen_state);
    void (*bdrv_reopen_abort)(BDRVReopenState *reopen_state);
    void (*bdrv_join_options)(QDict *options, QDict *old_options);

    /* Main context, as all that opens nodes. */
    int coroutine_fn (*bdrv_co_create)(BlockdevCreateOptions *opts,
                                       Error **errp);
    int coroutine_fn (*bdrv_co_create_opts)(BlockDriver *drv,
                                            const char *filename,
                                            QemuOpts *opts, Error **errp);
    int coroutine_fn (*bdrv_co_delete_file)(BlockDriverState *bs,
                                            Error **errp);
    BlockMeasureInfo *(*bdrv_measure)(QemuOpts *opts, BlockDriverState *in_bs,
                                      Error **errp);

    void (*bdrv_refresh_filename)(BlockDriverState *bs);
    void (*bdrv_gather_child_options)(BlockDriverState *bs, QDict *target,
                                      bool backing_overridden);
    char *(*bdrv_dirname)(BlockDriverState *bs, Error **errp);
    void (*bdrv_refresh_limits)(BlockDriverState *bs, Error **errp);
    int (*bdrv_probe_blocksizes)(BlockDriverState *bs, uint32_t *log,
                                 uint32_t *phys);

    /* Permissions: what @c needs and shares, given what bs's parents do.
     * Without it: bdrv_default_perms(). */
    void (*bdrv_child_perm)(BlockDriverState *bs, BdrvChild *c,
                            const BdrvChildRole *role,
                            BlockReopenQueue *reopen_queue,
                            uint64_t parent_perm, uint64_t parent_shared,
                            uint64_t *nperm, uint64_t *nshared);
    int (*bdrv_check_perm)(BlockDriverState *bs, uint64_t perm,
                           uint64_t shared, Error **errp);
    void (*bdrv_set_perm)(BlockDriverState *bs, uint64_t perm,
                          uint64_t shared);
    void (*bdrv_abort_perm_update)(BlockDriverState *bs);
    bool (*bdrv_recurse_can_replace)(BlockDriverState *bs,
                                     BlockDriverState *to_replace);

    /* Requests.  Aligned to bl.request_alignment and within bl's limits.
     * One of preadv/preadv_part is mandatory for nodes that are read; the
     * _part form is the one that new drivers implement. */
    int coroutine_fn (*bdrv_co_preadv)(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes, QEMUIOVector *qiov,
                                       int flags);
    int coroutine_fn (*bdrv_co_preadv_part)(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags);
    int coroutine_fn (*bdrv_co_pwritev)(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        int flags);
    int coroutine_fn (*bdrv_co_pwritev_part)(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             QEMUIOVector *qiov,
                                             size_t qiov_offset,
                                             BdrvRequestFlags flags);
    /* -ENOTSUP: the caller writes zeroes as data (unless NO_FALLBACK). */
    int coroutine_fn (*bdrv_co_pwrite_zeroes)(BlockDriverState *bs,
                                              int64_t offset, int64_t bytes,
                                              BdrvRequestFlags flags);
    int coroutine_fn (*bdrv_co_pdiscard)(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes);
    int coroutine_fn (*bdrv_co_pwritev_compressed_part)(BlockDriverState *bs,
                                                        int64_t offset,
                                                        int64_t bytes,
                                                        QEMUIOVector *qiov,
                                                        size_t qiov_offset);
    /* Two-sided offload: first _from on the source side, which recurses to
     * its child or, at a protocol, calls bdrv_co_copy_range_to(dst...). */
    int coroutine_fn (*bdrv_co_copy_range_from)(BlockDriverState *bs,
                                                BdrvChild *src, int64_t offset,
                                                BdrvChild *dst,
                                                int64_t dst_offset,
                                                int64_t bytes,
                                                BdrvRequestFlags read_flags,
                                                BdrvRequestFlags write_flags);
    int coroutine_fn (*bdrv_co_copy_range_to)(BlockDriverState *bs,
                                              BdrvChild *src,
                                              int64_t src_offset,
                                              BdrvChild *dst,
                                              int64_t dst_offset,
                                              int64_t bytes,
                                              BdrvRequestFlags read_flags,
                                              BdrvRequestFlags write_flags);
    /* @offset and @bytes aligned to request_alignment; *pnum > 0 on success,
     * the longest extent the driver can tell cheaply. @want_zero false: only
     * ALLOCATED matters. */
    int coroutine_fn (*bdrv_co_block_status)(BlockDriverState *bs,
                                             bool want_zero, int64_t offset,
                                             int64_t bytes, int64_t *pnum,
                                             int64_t *map,
                                             BlockDriverState **file);
    /* To stable storage, data and metadata.  Default: to_os, then to_disk. */
    int coroutine_fn (*bdrv_co_flush)(BlockDriverState *bs);
    int coroutine_fn (*bdrv_co_flush_to_os)(BlockDriverState *bs);
    int coroutine_fn (*bdrv_co_flush_to_disk)(BlockDriverState *bs);
    int coroutine_fn (*bdrv_co_truncate)(BlockDriverState *bs, int64_t offset,
                                         bool exact, PreallocMode prealloc,
                                         BdrvRequestFlags flags,
                                         Error **errp);
    int coroutine_fn (*bdrv_co_ioctl)(BlockDriverState *bs, int req,
                                      void *buf);
    int coroutine_fn (*bdrv_save_vmstate)(BlockDriverState *bs,
                                          QEMUIOVector *qiov, int64_t pos);
    int coroutine_fn (*bdrv_load_vmstate)(BlockDriverState *bs,
                                          QEMUIOVector *qiov, int64_t pos);
    int coroutine_fn (*bdrv_co_check)(BlockDriverState *bs,
                                      BdrvCheckResult *result,
                                      BdrvCheckMode fix);
    int coroutine_fn (*bdrv_co_invalidate_cache)(BlockDriverState *bs,
                                                 Error **errp);
    int (*bdrv_inactivate)(BlockDriverState *bs);

    /* Bytes, or -errno; asked again after requests if has_variable_length. */
    int64_t (*bdrv_getlength)(BlockDriverState *bs);
    int64_t (*bdrv_get_allocated_file_size)(BlockDriverState *bs);
    int (*bdrv_get_info)(BlockDriverState *bs, BlockDriverInfo *bdi);
    ImageInfoSpecific *(*bdrv_get_specific_info)(BlockDriverState *bs,
                                                 Error **errp);
    BlockStatsSpecific *(*bdrv_get_specific_stats)(BlockDriverState *bs);
    int (*bdrv_has_zero_init)(BlockDriverState *bs);
    int (*bdrv_change_backing_file)(BlockDriverState *bs,
                                    const char *backing_file,
                                    const char *backing_fmt);
    int (*bdrv_make_empty)(BlockDriverState *bs);
    /* Optional; main thread: take over what @opts, after ->amend_opts, says,
     * except the size.  @force: also if it makes data inaccessible. */
    int (*bdrv_amend_options)(BlockDriverState *bs, QemuOpts *opts,
                              bool force, Error **errp);
    /* Optional: the same with typed options; @opts->driver is this driver.
     * @force: also if it makes data inaccessible. */
    int coroutine_fn (*bdrv_co_amend)(BlockDriverState *bs,
                                      BlockdevAmendOptions *opts, bool force,
                                      Error **errp);

    /* Internal snapshots */
    int (*bdrv_snapshot_create)(BlockDriverState *bs,
                                struct QEMUSnapshotInfo *sn_info);
    int (*bdrv_snapshot_goto)(BlockDriverState *bs, const char *snapshot_id);
    int (*bdrv_snapshot_delete)(BlockDriverState *bs, const char *snapshot_id,
                                const char *name, Error **errp);
    int (*bdrv_snapshot_list)(BlockDriverState *bs,
                              struct QEMUSnapshotInfo **psn_info);
    /* Optional; main thread, read-only node: show the snapshot from now on. */
    int (*bdrv_snapshot_load_tmp)(BlockDriverState *bs,
                                  const char *snapshot_id, const char *name,
                                  Error **errp);

    /* A filter that keeps a state of the past of its node: what that was.
     * Optional, all or none.  -EACCES: what is not part of it, or after it
     * was given up. */
    int coroutine_fn (*bdrv_co_preadv_snapshot)(BlockDriverState *bs,
                                                int64_t offset, int64_t bytes,
                                                QEMUIOVector *qiov,
                                                size_t qiov_offset);
    /* Always BDRV_BLOCK_DATA or _ZERO, and _ALLOCATED; no offsets. */
    int coroutine_fn (*bdrv_co_snapshot_block_status)(BlockDriverState *bs,
                                                      int64_t offset,
                                                      int64_t bytes,
                                                      int64_t *pnum);
    /* The whole clusters in the range are not needed any more. */
    int coroutine_fn (*bdrv_co_pdiscard_snapshot)(BlockDriverState *bs,
                                                  int64_t offset,
                                                  int64_t bytes);

    /* blkdebug */
    void (*bdrv_debug_event)(BlockDriverState *bs, BlkdebugEvent event);
    int (*bdrv_debug_breakpoint)(BlockDriverState *bs, const char *event,
                                 const char *tag);
    int (*bdrv_debug_remove_breakpoint)(BlockDriverState *bs, const char *tag);
    int (*bdrv_debug_resume)(BlockDriverState *bs, const char *tag);
    bool (*bdrv_debug_is_suspended)(BlockDriverState *bs, const char *tag);

    /* Event loop.  Called with the node quiescent. */
    void (*bdrv_detach_aio_context)(BlockDriverState *bs);
    void (*bdrv_attach_aio_context)(BlockDriverState *bs,
                                    AioContext *new_context);
    /* Drain: begin stops the driver's own activity, end resumes it. Run in
     * coroutines in the node's context; exactly one end for each begin. */
    void coroutine_fn (*bdrv_co_drain_begin)(BlockDriverState *bs);
    void coroutine_fn (*bdrv_co_drain_end)(BlockDriverState *bs);

    /* Persistent dirty bitmaps */
    bool (*bdrv_supports_persistent_dirty_bitmap)(BlockDriverState *bs);
    bool coroutine_fn (*bdrv_co_can_store_new_dirty_bitmap)(
        BlockDriverState *bs, const char *name, uint32_t granularity,
        Error **errp);
    int coroutine_fn (*bdrv_co_remove_persistent_dirty_bitmap)(
        BlockDriverState *bs, const char *name, Error **errp);

    /* x-blockdev-change */
    void (*bdrv_add_child)(BlockDriverState *parent, BlockDriverState *child,
                           Error **errp);
    void (*bdrv_del_child)(BlockDriverState *parent, BdrvChild *child,
                           Error **errp);
    void (*bdrv_cancel_in_flight)(BlockDriverState *bs);
};

/*
 * Kind of an edge: how its parent, a node, a backend or a job, is reached
 * from below.  All hooks run in the main thread; all are optional but
 * get_parent_desc.
 */
struct BdrvChildRole {
    bool stay_at_node;      /* bdrv_replace_node() leaves this edge alone */
    bool parent_is_bds;     /* ->opaque is a BlockDriverState */
    /* Options and flags that a child inherits if it does not have its own. */
    void (*inherit_options)(int *child_flags, QDict *child_options,
                            int parent_flags, QDict *parent_options);
    void (*change_media)(BdrvChild *child, bool load);
    void (*resize)(BdrvChild *child);
    const char *(*get_name)(BdrvChild *child);
    /* For messages: "node 'x'", "block device 'x'"; g_free(). */
    char *(*get_parent_desc)(BdrvChild *child);
    /* Stop (go on) sending requests; nests. */
    void (*drained_begin)(BdrvChild *child);
    void (*drained_end)(BdrvChild *child);
    /* Is the parent still busy with requests of its own? */
    bool (*drained_poll)(BdrvChild *child);
    int (*activate)(BdrvChild *child, Error **errp);
    int (*inactivate)(BdrvChild *child);
    void (*attach)(BdrvChild *child);
    void (*detach)(BdrvChild *child);
    /* The node below changed its name: write @filename into the parent. */
    int (*update_filename)(BdrvChild *child, BlockDriverState *new_base,
                           const char *filename, Error **errp);
    /* May the parent move to @ctx?  Not called for node parents. */
    bool (*can_set_aio_ctx)(BdrvChild *child, AioContext *ctx, Error **errp);
    /* The node whose context the parent has; another one can't move without
     * it.  Optional, may return NULL. */
    BlockDriverState *(*moves_with)(BdrvChild *child);
    /* Before and after the move, drained. */
    void (*detach_aio_ctx)(BdrvChild *child);
    void (*attach_aio_ctx)(BdrvChild *child, AioContext *ctx);
    AioContext *(*get_parent_aio_context)(BdrvChild *child);
};

extern const BdrvChildRole child_file;    /* protocol below a format */
extern const BdrvChildRole child_format;  /* format below a filter or raw */
extern const BdrvChildRole child_backing; /* COW backing node */

struct BdrvChild {
    BlockDriverState *bs;
    char *name;
    const BdrvChildRole *role;
    void *opaque;               /* the parent */
    uint64_t perm;              /* granted; changed by perm.c only */
    uint64_t shared_perm;
    int frozen;                 /* > 0: the link must not change */
    int quiesced_parent;        /* drained_begin calls made for this edge */
    QLIST_ENTRY(BdrvChild) next;        /* in the parent's children */
    QLIST_ENTRY(BdrvChild) next_parent; /* in bs->parents */
};

/* Pending waiters and serialising ranges: tracked-request.c */
enum BdrvTrackedRequestType {
    BDRV_TRACKED_READ,
    BDRV_TRACKED_WRITE,
    BDRV_TRACKED_DISCARD,
    BDRV_TRACKED_TRUNCATE,
};

struct BdrvTrackedRequest {
    BlockDriverState *bs;
    int64_t offset;
    int64_t bytes;
    enum BdrvTrackedRequestType type;
    bool serialising;
    int64_t overlap_offset;     /* the range widened to alignment */
    int64_t overlap_bytes;
    int64_t start_ns;           /* get_clock_coarse(), for explanations */
    QLIST_ENTRY(BdrvTrackedRequest) list;
    Coroutine *co;
    CoQueue wait_queue;         /* requests that wait for this one */
    BdrvTrackedRequest *waiting_for;
};

struct BlockDriverState {
    /* Immutable after open (reopen: main thread, drained) */
    BlockDriver *drv;           /* NULL: no medium */
    void *opaque;               /* driver's state */
    int open_flags;
    bool encrypted;
    bool sg;
    bool probed;                /* format was guessed */
    bool force_share;
    bool implicit;              /* filter inserted by a job without a name */
    bool never_freeze;          /* a link to this node can't be frozen */
    char node_name[32];
    char *filename;             /* as users see it; "" if none */
    char *exact_filename;       /* "" if only options can describe it */
    char *backing_file;         /* as in the image header; "" if none */
    char *auto_backing_file;    /* what opens the same without options */
    char *backing_format;
    QDict *full_open_options;
    QDict *options;             /* all options in force */
    QDict *explicit_options;    /* those given by the user */
    BlockdevDetectZeroesOptions detect_zeroes;

    /* Main thread only */
    int refcnt;
    BdrvChild *file;
    BdrvChild *backing;
    QLIST_HEAD(, BdrvChild) children;
    QLIST_HEAD(, BdrvChild) parents;
    BlockDriverState *inherits_from; /* parent whose options it inherits */
    QTAILQ_ENTRY(BlockDriverState) node_list;    /* named nodes */
    QTAILQ_ENTRY(BlockDriverState) bs_list;      /* all nodes */
    QTAILQ_ENTRY(BlockDriverState) monitor_list; /* owned by the monitor */
    bool monitor_owned;
    struct BdrvOpBlocker *op_blockers;           /* op-blocker.c */
    Error *backing_blocker;
    BlockJob *job;
    uint64_t cumulative_perm;   /* of all parents; perm.c */
    uint64_t cumulative_shared;

    /* Written in the main thread while drained, read everywhere */
    BlockLimits bl;
    unsigned supported_read_flags;
    unsigned supported_write_flags;
    unsigned supported_zero_flags;
    unsigned supported_truncate_flags;
    AioContext *aio_context;
    QLIST_HEAD(, BdrvAioNotifier) aio_notifiers;

    /* Drain (drain.c) */
    int quiesce_counter;            /* drained and subtree sections */
    int recursive_quiesce_counter;  /* subtree sections of this node */
    int quiesce_all_counter;        /* drain-all sections seen */
    const char *drained_by;         /* who began its latest section; atomic */

    /* Requests; the node's AioContext, atomics where marked */
    unsigned in_flight;             /* atomic */
    unsigned serialising_in_flight; /* atomic */
    int64_t total_sectors;          /* cached length */
    QLIST_HEAD(, BdrvTrackedRequest) tracked_requests;
    CoQueue flush_queue;
    bool active_flush_req;
    int64_t flush_start_ns;     /* of that one; get_clock_coarse() */
    unsigned write_gen;             /* atomic; completed writes */
    unsigned flushed_gen;
    uint64_t wr_highest_offset;     /* atomic */
    int copy_on_read;               /* atomic; users of copy on read */
    int enable_write_cache;
    uint64_t write_threshold_offset; /* 0 = none */
    bool wakeup;

    /* Dirty bitmaps: lists in the main thread, bits under the mutex */
    QemuMutex dirty_bitmap_mutex;
    QLIST_HEAD(, BdrvDirtyBitmap) dirty_bitmaps;
    unsigned io_plugged;

    /* Block status cache of protocol nodes (block-status.c) */
    struct BdrvStatusCache *status_cache;
};

typedef struct BdrvAioNotifier {
    void (*attached_aio_context)(AioContext *new_context, void *opaque);
    void (*detach_aio_context)(void *opaque);
    void *opaque;
    QLIST_ENTRY(BdrvAioNotifier) list;
} BdrvAioNotifier;
void bdrv_add_aio_context_notifier(BlockDriverState *bs,
        void (*attached_aio_context)(AioContext *new_context, void *opaque),
        void (*detach_aio_context)(void *opaque), void *opaque);
void bdrv_remove_aio_context_notifier(BlockDriverState *bs,
        void (*attached_aio_context)(AioContext *, void *),
        void (*detach_aio_context)(void *), void *opaque);

typedef struct BlockReopenQueueEntry {
    bool prepared;
    BDRVReopenState state;
    QTAILQ_ENTRY(BlockReopenQueueEntry) entry;
} BlockReopenQueueEntry;

/* ---- Edges (graph.c; main thread) ---- */

/* The parent gets an edge to @child_bs; takes over the caller's reference,
 * also when it fails. NULL on conflict. */
BdrvChild *bdrv_root_attach_child(BlockDriverState *child_bs,
                                  const char *child_name,
                                  const BdrvChildRole *child_role,
                                  uint64_t perm, uint64_t shared_perm,
                                  void *opaque, Error **errp);
/* Remove the edge and drop its reference. */
void bdrv_root_unref_child(BdrvChild *child);
/* Inside a transaction: nothing is visible to others before commit, all is
 * undone by abort. */
BdrvChild *bdrv_attach_child_tran(BlockDriverState *parent_bs,
                                  BlockDriverState *child_bs,
                                  const char *child_name,
                                  const BdrvChildRole *child_role,
                                  Transaction *tran, Error **errp);
void bdrv_remove_child_tran(BdrvChild *child, Transaction *tran);
void bdrv_replace_child_tran(BdrvChild *child, BlockDriverState *new_bs,
                             Transaction *tran);
int bdrv_set_file_or_backing_tran(BlockDriverState *parent_bs,
                                  BlockDriverState *child_bs, bool is_backing,
                                  Transaction *tran, Error **errp);
/* bdrv_replace_node() that may skip edges that refuse. */
int bdrv_replace_node_tran(BlockDriverState *from, BlockDriverState *to,
                           bool auto_skip, Transaction *tran, Error **errp);
bool bdrv_is_backing_overridden(BlockDriverState *bs);
/* Checks the invariants above; no-op without debug checks. */
#ifdef CONFIG_DEBUG_GRAPH
void bdrv_assert_graph(void);
#else
static inline void bdrv_assert_graph(void) { }
#endif

/* ---- Permissions (perm.c; main thread) ---- */
int bdrv_child_try_set_perm(BdrvChild *c, uint64_t perm, uint64_t shared,
                            Error **errp);
int bdrv_child_refresh_perms(BlockDriverState *bs, BdrvChild *c, Error **errp);
int bdrv_refresh_perms(BlockDriverState *bs, Transaction *tran, Error **errp);
/* All of @list (of BlockDriverState) and what is below them. */
int bdrv_list_refresh_perms(GSList *list, BlockReopenQueue *q,
                            Transaction *tran, Error **errp);
void bdrv_get_cumulative_perm(BlockDriverState *bs, uint64_t *perm,
                              uint64_t *shared_perm);
void bdrv_format_default_perms(BlockDriverState *bs, BdrvChild *c,
                               const BdrvChildRole *role,
                               BlockReopenQueue *reopen_queue,
                               uint64_t perm, uint64_t shared,
                               uint64_t *nperm, uint64_t *nshared);
void bdrv_filter_default_perms(BlockDriverState *bs, BdrvChild *c,
                               const BdrvChildRole *role,
                               BlockReopenQueue *reopen_queue,
                               uint64_t perm, uint64_t shared,
                               uint64_t *nperm, uint64_t *nshared);
/* A child that holds a part or piece of the data and no metadata. */
void bdrv_data_default_perms(BlockDriverState *bs, BdrvChild *c,
                             const BdrvChildRole *role,
                             BlockReopenQueue *reopen_queue,
                             uint64_t perm, uint64_t shared,
                             uint64_t *nperm, uint64_t *nshared);
/* Filter, format or data, as the driver says. */
void bdrv_default_perms(BlockDriverState *bs, BdrvChild *c,
                        const BdrvChildRole *role,
                        BlockReopenQueue *reopen_queue,
                        uint64_t perm, uint64_t shared,
                        uint64_t *nperm, uint64_t *nshared);

/* ---- Lists of nodes (block.c) ---- */
bool bdrv_is_monitor_owned(BlockDriverState *bs);
void bdrv_set_monitor_owned(BlockDriverState *bs);
void bdrv_unset_monitor_owned(BlockDriverState *bs);
/* Monitor-owned nodes: NULL starts. */
BlockDriverState *bdrv_next_monitor_owned(BlockDriverState *bs);
void bdrv_gather_child_options_default(BlockDriverState *bs, QDict *target,
                                       bool backing_overridden);
void bdrv_parse_filename_strip_prefix(const char *filename, const char *prefix,
                                      QDict *options);
/* The filename fields: a copy of @value is kept. */
void bdrv_set_string(char **field, const char *value);
int bdrv_refresh_total_sectors(BlockDriverState *bs, int64_t hint);
void bdrv_refresh_limits(BlockDriverState *bs, Transaction *tran, Error **errp);

/* ---- Options that all nodes share (options.c) ---- */
extern QemuOptsList bdrv_runtime_opts;
/* bdrv_co_create_opts and create_opts for protocols that can't create: an
 * existing "file" is resized, as far as possible, and its start zeroed. */
int coroutine_fn bdrv_co_create_opts_simple(BlockDriver *drv,
                                            const char *filename,
                                            QemuOpts *opts, Error **errp);
extern QemuOptsList bdrv_create_opts_simple;

/* ---- Requests (io.c and siblings) ---- */
/* Run @fn(@opaque) in a coroutine of @ctx and wait for its end; inside a
 * coroutine just call it. */
int bdrv_run_co(AioContext *ctx, int coroutine_fn (*fn)(void *opaque),
                void *opaque);
int coroutine_fn bdrv_co_create(BlockDriver *drv, const char *filename,
                                QemuOpts *opts, Error **errp);
int coroutine_fn bdrv_co_copy_range_from(BdrvChild *src, int64_t src_offset,
                                         BdrvChild *dst, int64_t dst_offset,
                                         int64_t bytes,
                                         BdrvRequestFlags read_flags,
                                         BdrvRequestFlags write_flags);
int coroutine_fn bdrv_co_copy_range_to(BdrvChild *src, int64_t src_offset,
                                       BdrvChild *dst, int64_t dst_offset,
                                       int64_t bytes,
                                       BdrvRequestFlags read_flags,
                                       BdrvRequestFlags write_flags);
/* The state of the past that the driver of @bs keeps; -ENOTSUP if it does not.
 * See the hooks of the same names. */
int coroutine_fn bdrv_co_preadv_snapshot(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset);
int coroutine_fn bdrv_co_snapshot_block_status(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               int64_t *pnum);
int coroutine_fn bdrv_co_pdiscard_snapshot(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes);
/* Drivers whose requests pass through: block status of bs->file, bs->backing
 * or nothing known. */
int coroutine_fn bdrv_co_default_block_status(BlockDriverState *bs,
        bool want_zero, int64_t offset, int64_t bytes, int64_t *pnum,
        int64_t *map, BlockDriverState **file);
/* Make all requests that overlap @req wait; waits for those that do now. */
void coroutine_fn bdrv_make_request_serialising(BdrvTrackedRequest *req,
                                                uint64_t align);
/* The tracked request of the running coroutine on @bs, or NULL. */
BdrvTrackedRequest *coroutine_fn
bdrv_co_get_self_request(BlockDriverState *bs);
/* For drivers, in a request: until it ends no other one overlaps it. */
void coroutine_fn bdrv_co_serialise_self(BlockDriverState *bs);
/*
 * Let overlay @child->bs have what @from, a node of its backing chain that
 * determines what it shows in the range, has there; what it has itself stays.
 * @buf of @bytes is used on the way; NULL: @from reads as zeroes.  The range
 * consists of whole clusters of the overlay, or ends at its end.  *is_read:
 * it was @from that failed.
 */
int coroutine_fn bdrv_co_copy_up(BdrvChild *child, BdrvChild *from,
                                 int64_t offset, int64_t bytes, void *buf,
                                 bool *is_read);
int bdrv_check_request(int64_t offset, int64_t bytes, Error **errp);
int bdrv_check_qiov_request(int64_t offset, int64_t bytes, QEMUIOVector *qiov,
                            size_t qiov_offset, Error **errp);
int bdrv_check_request32(int64_t offset, int64_t bytes, QEMUIOVector *qiov,
                         size_t qiov_offset);
/* After a write of any kind: dirty bitmaps, thresholds, length. */
void bdrv_co_write_req_finish(BdrvChild *child, int64_t offset, int64_t bytes,
                              BdrvTrackedRequest *req, int ret);
void bdrv_set_dirty(BlockDriverState *bs, int64_t offset, int64_t bytes);
void bdrv_clear_dirty_bitmap(BdrvDirtyBitmap *bitmap, HBitmap **out);
void bdrv_round_to_clusters(BlockDriverState *bs, int64_t offset,
                            int64_t bytes, int64_t *cluster_offset,
                            int64_t *cluster_bytes);
void bdrv_write_threshold_check_write(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes);

/* ---- Drain hooks for the graph (drain.c) ---- */
/*
 * Bodies of the drain hooks of child_file, child_format and child_backing:
 * the node below @c is being drained, so its parent @bs and the parents of
 * that stop (go on); nothing polls here.  _busy_: has @bs, or one of its
 * parents, requests in flight?
 */
void bdrv_quiesce_from_child(BlockDriverState *bs, BdrvChild *c);
void bdrv_unquiesce_from_child(BlockDriverState *bs, BdrvChild *c);
bool bdrv_busy_from_child(BlockDriverState *bs, BdrvChild *c);
/*
 * For drained_poll: for how many of the coroutines that @is(co, @opaque) does
 * the calling thread begin a section now?  They wait for it, so that it must
 * not wait for them.
 */
unsigned bdrv_drain_serves(bool (*is)(Coroutine *co, void *opaque),
                           void *opaque);
/* bdrv_new() calls it: the node joins the drain-all sections that are open. */
void bdrv_drain_node_created(BlockDriverState *bs);
/* The driver of @bs was just opened: its drain_begin hook runs once for each
 * section that is open on the node. */
void bdrv_drain_driver_opened(BlockDriverState *bs);
/* @child was linked to (is about to be unlinked from) child->bs: the subtree
 * sections of the parent reach (leave) it. */
void bdrv_apply_subtree_drain(BdrvChild *child, BlockDriverState *new_parent);
void bdrv_unapply_subtree_drain(BdrvChild *child,
                                BlockDriverState *old_parent);

/* ---- Job factories (mirror.c and siblings; main thread) ---- */
typedef enum BlockMirrorBackingMode {
    /* The target keeps its own backing chain (it was given as a node). */
    MIRROR_SOURCE_BACKING_CHAIN,
    /* Open the target's backing chain when the job completes. */
    MIRROR_OPEN_BACKING_CHAIN,
    MIRROR_LEAVE_BACKING_CHAIN,
} BlockMirrorBackingMode;

/* A job of the mirror driver as a command asks for it. */
typedef struct MirrorJobConfig {
    const char *job_id;         /* NULL: the device's name */
    BlockDriverState *bs;
    BlockDriverState *target;
    const char *replaces;       /* NULL: the source */
    int creation_flags;         /* BLOCK_JOB_* */
    int64_t speed;              /* bytes/s, 0 = unlimited */
    uint32_t granularity;       /* bytes, power of two; 0 = default */
    int64_t buf_size;           /* bytes; 0 = default */
    MirrorSyncMode sync_mode;
    BlockMirrorBackingMode backing_mode;
    /* INCREMENTAL: copy what is set in it; else NULL. */
    BdrvDirtyBitmap *sync_bitmap;
    BitmapSyncMode bitmap_mode;
    BlockdevOnError on_source_error;
    BlockdevOnError on_target_error;
    bool unmap;                 /* target blocks may be unmapped for zeroes */
    const char *filter_node_name;
    MirrorCopyMode copy_mode;
    /* Active commit: @target is a backing node of @bs. */
    bool is_commit;
    bool base_read_only;        /* reopen it so if it does not become active */
    bool auto_complete;         /* complete as soon as it is ready */
    BlockCompletionFunc *cb;    /* may be NULL */
    void *opaque;
} MirrorJobConfig;

/* Create and start; false with errp, nothing changed. */
bool mirror_start_job(const MirrorJobConfig *cfg, Error **errp);
void mirror_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *target, const char *replaces,
                  int64_t speed, uint32_t granularity, int64_t buf_size,
                  MirrorSyncMode mode, BlockMirrorBackingMode backing_mode,
                  BlockdevOnError on_source_error,
                  BlockdevOnError on_target_error, bool unmap,
                  const char *filter_node_name, Error **errp);
/* A stream job as a command asks for it. */
typedef struct StreamJobConfig {
    const char *job_id;         /* NULL: the device's name */
    BlockDriverState *bs;       /* the overlay that gets the data */
    BlockDriverState *base;     /* first node that stays; NULL: none. Or: */
    BlockDriverState *bottom;   /* last node that is copied */
    const char *backing_file_str; /* for the header; NULL: base's name */
    int creation_flags;         /* BLOCK_JOB_* */
    int64_t speed;              /* bytes/s, 0 = unlimited */
    BlockdevOnError on_error;
    const char *filter_node_name;
} StreamJobConfig;

/* Create and start; false with errp, nothing changed. */
bool stream_start_job(const StreamJobConfig *cfg, Error **errp);
void stream_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *base, const char *backing_file_str,
                  int64_t speed, BlockdevOnError on_error, Error **errp);

/* A backup job as a command asks for it. */
typedef struct BackupJobConfig {
    const char *job_id;         /* NULL: the device's name */
    BlockDriverState *bs;
    BlockDriverState *target;   /* as long as @bs */
    int creation_flags;         /* BLOCK_JOB_* */
    int64_t speed;              /* bytes/s, 0 = unlimited */
    /* BITMAP instead of INCREMENTAL. */
    MirrorSyncMode sync_mode;
    BdrvDirtyBitmap *sync_bitmap; /* may be NULL unless BITMAP */
    BitmapSyncMode bitmap_mode;
    bool compress;
    bool use_copy_range;        /* the host copies where it can */
    int64_t max_workers;        /* > 0 */
    int64_t max_chunk;          /* bytes, 0: default */
    BlockdevOnError on_source_error;
    BlockdevOnError on_target_error;
    const char *filter_node_name;
    struct BlockJobTxn *txn;    /* may be NULL */
    BlockCompletionFunc *cb;    /* may be NULL */
    void *opaque;
} BackupJobConfig;

/* Main thread: make the job, which has to be started; from now on the source
 * is held as it is.  NULL with @errp, nothing changed. */
struct BlockJob *backup_job_create(const BackupJobConfig *cfg, Error **errp);

/* Main thread: create and start the job of blockdev-create (x-blockdev-amend),
 * which keeps a copy of @opts.  False with errp, nothing changed. */
bool create_start_job(const char *job_id, BlockdevCreateOptions *opts,
                      Error **errp);
bool amend_start_job(const char *job_id, BlockDriverState *bs,
                     BlockdevAmendOptions *opts, bool force, Error **errp);

/* A commit job as a command asks for it. */
typedef struct CommitJobConfig {
    const char *job_id;         /* NULL: the device's name */
    BlockDriverState *bs;       /* active image of the chain */
    BlockDriverState *top;      /* uppermost one whose data move */
    BlockDriverState *base;     /* gets the data */
    const char *backing_file_str; /* for the header; NULL: base's name */
    int creation_flags;         /* BLOCK_JOB_* */
    int64_t speed;              /* bytes/s, 0 = unlimited */
    BlockdevOnError on_error;
    const char *filter_node_name;
    /* Only commit_active_start_job() */
    bool auto_complete;         /* complete as soon as it is ready */
    BlockCompletionFunc *cb;    /* may be NULL */
    void *opaque;
} CommitJobConfig;

/* Create and start; false with errp, nothing changed. @top is not the active
 * image. */
bool commit_start_job(const CommitJobConfig *cfg, Error **errp);
void commit_start(const char *job_id, BlockDriverState *bs,
                  BlockDriverState *base, BlockDriverState *top,
                  int64_t speed, BlockdevOnError on_error,
                  const char *backing_file_str, const char *filter_node_name,
                  Error **errp);
/* The same where @top is the active image: a mirror into the base. */
bool commit_active_start_job(const CommitJobConfig *cfg, Error **errp);
void commit_active_start(const char *job_id, BlockDriverState *bs,
                         BlockDriverState *base, int creation_flags,
                         int64_t speed, BlockdevOnError on_error,
                         const char *filter_node_name,
                         BlockCompletionFunc *cb, void *opaque,
                         bool auto_complete, Error **errp);
/* Without a job: move what @bs has itself into its backing file, and empty it
 * if it can be. Main thread; 0 or -errno. */
int bdrv_commit(BlockDriverState *bs);

static inline bool bdrv_is_quiesced(BlockDriverState *bs)
{
    return bs->quiesce_counter > 0 || bs->quiesce_all_counter > 0;
}

#endif
