/*
 * SPDX-License-Identifier: MIT
 *
 * The block layer as its users see it: nodes, their graph, requests on them.
 *
 * This is the umbrella header of the C API: programs written against the API
 * include it and get the event loop, coroutines, I/O vectors, dirty bitmaps,
 * accounting and the job core with it.
 *
 * Contexts.  "Main thread" functions change or walk the graph and run in the
 * main thread outside coroutines, with the AioContext of the nodes they touch
 * held where it is not the main one.  "I/O" functions run in the node's
 * AioContext.  Functions whose names contain _co_ run in coroutines only; the
 * same name without _co_ can be called from inside and outside coroutines and
 * then waits by polling the node's AioContext.
 *
 * Units.  Offsets and lengths are bytes.  Lengths of nodes are multiples of
 * BDRV_SECTOR_SIZE.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include "block/aio.h"
#include "qapi/qapi-types-block-core.h"
#include "block/aio-wait.h"
#include "qemu/iov.h"
#include "qemu/coroutine.h"
#include "qemu/option.h"
#include "qemu/transactions.h"
#include "block/accounting.h"
#include "block/dirty-bitmap.h"
#include "block/blockjob.h"
#include "qemu/hbitmap.h"

typedef struct BlockDriver BlockDriver;
typedef struct BdrvChildRole BdrvChildRole;
typedef struct BdrvTrackedRequest BdrvTrackedRequest;

#define BDRV_SECTOR_BITS   9
#define BDRV_SECTOR_SIZE   (1ULL << BDRV_SECTOR_BITS)

/* Largest length of a node and largest end of a request. */
#define BDRV_MAX_ALIGNMENT (1L << 30)
#define BDRV_MAX_LENGTH    (QEMU_ALIGN_DOWN(INT64_MAX, BDRV_MAX_ALIGNMENT))
/* Largest request that carries data. */
#define BDRV_REQUEST_MAX_SECTORS \
    MIN(SIZE_MAX >> BDRV_SECTOR_BITS, INT_MAX >> BDRV_SECTOR_BITS)
#define BDRV_REQUEST_MAX_BYTES (BDRV_REQUEST_MAX_SECTORS << BDRV_SECTOR_BITS)

/* Flags of bdrv_open(), kept in BlockDriverState.open_flags. */
#define BDRV_O_NO_SHARE     0x0001 /* share no permission */
#define BDRV_O_RDWR         0x0002
#define BDRV_O_RESIZE       0x0004 /* request permission to resize the node */
#define BDRV_O_SNAPSHOT     0x0008 /* open the file read only, save in overlay */
#define BDRV_O_TEMPORARY    0x0010 /* delete the file after use */
#define BDRV_O_NOCACHE      0x0020 /* bypass the host's page cache */
#define BDRV_O_NATIVE_AIO   0x0080 /* Linux AIO instead of the thread pool */
#define BDRV_O_NO_BACKING   0x0100 /* don't open the backing file */
#define BDRV_O_NO_FLUSH     0x0200 /* turn flushes of this node into no-ops */
#define BDRV_O_COPY_ON_READ 0x0400 /* copy read data into the overlay */
#define BDRV_O_INACTIVE     0x0800 /* the image is owned by somebody else */
#define BDRV_O_CHECK        0x1000 /* open solely for a consistency check */
#define BDRV_O_ALLOW_RDWR   0x2000 /* allow a reopen from r/o to r/w */
#define BDRV_O_UNMAP        0x4000 /* execute guest discards */
#define BDRV_O_PROTOCOL     0x8000 /* a protocol: no format probing */
#define BDRV_O_NO_IO        0x10000 /* opened for metadata: no requests */
#define BDRV_O_AUTO_RDONLY  0x20000 /* fall back to read-only */
#define BDRV_O_IO_URING     0x40000 /* io_uring instead of the thread pool */
#define BDRV_O_CACHE_MASK   (BDRV_O_NOCACHE | BDRV_O_NO_FLUSH)

/* Options that every node takes. */
#define BDRV_OPT_CACHE_WB       "cache.writeback"
#define BDRV_OPT_CACHE_DIRECT   "cache.direct"
#define BDRV_OPT_CACHE_NO_FLUSH "cache.no-flush"
#define BDRV_OPT_READ_ONLY      "read-only"
#define BDRV_OPT_AUTO_READ_ONLY "auto-read-only"
#define BDRV_OPT_DISCARD        "discard"
#define BDRV_OPT_FORCE_SHARE    "force-share"

/* Flags of requests. */
typedef enum BdrvRequestFlags {
    /* Store what is read from the backing file into this node. */
    BDRV_REQ_COPY_ON_READ     = 0x1,
    /* The request writes zeroes and has no data. */
    BDRV_REQ_ZERO_WRITE       = 0x2,
    /* Zeroes may be written by unmapping, if that makes them read zero. */
    BDRV_REQ_MAY_UNMAP        = 0x4,
    /* Data is on stable storage when the write completes. */
    BDRV_REQ_FUA              = 0x10,
    /* Write compressed; whole clusters only. */
    BDRV_REQ_WRITE_COMPRESSED = 0x20,
    /* The data written equals what reads return already: needs only
     * BLK_PERM_WRITE_UNCHANGED. */
    BDRV_REQ_WRITE_UNCHANGED  = 0x40,
    /* Wait for overlapping requests, and make them wait for this one. */
    BDRV_REQ_SERIALISING      = 0x80,
    /* Zeroes: -ENOTSUP rather than writing buffers of zeroes. */
    BDRV_REQ_NO_FALLBACK      = 0x100,
    /* Read for its side effect (copy on read) only; no vector needed. */
    BDRV_REQ_PREFETCH         = 0x200,
    /* With SERIALISING: -EBUSY rather than waiting. */
    BDRV_REQ_NO_WAIT          = 0x400,
    BDRV_REQ_MASK             = 0x7ff,
} BdrvRequestFlags;

/*
 * Results of block status queries, or -errno.
 *
 * DATA            the range has data that must be read
 * ZERO            reads return zeroes
 * OFFSET_VALID    *map is the offset of the data in *file
 * RAW             only between driver and io: ask *file at *map instead
 * ALLOCATED       the layer itself determines the content (or, for drivers
 *                 without backing files, always)
 * EOF             the range ends at the end of the node
 * RECURSE         driver to io: *file may know of zeroes in the range
 * COMPRESSED      data is compressed
 */
#define BDRV_BLOCK_DATA         0x01
#define BDRV_BLOCK_ZERO         0x02
#define BDRV_BLOCK_OFFSET_VALID 0x04
#define BDRV_BLOCK_RAW          0x08
#define BDRV_BLOCK_ALLOCATED    0x10
#define BDRV_BLOCK_EOF          0x20
#define BDRV_BLOCK_RECURSE      0x40
#define BDRV_BLOCK_COMPRESSED   0x80

/* What a user of a node may do with it, and lets others do. */
enum {
    /* Reads return the same data whatever other users do in between, as far
     * as these are allowed to write. */
    BLK_PERM_CONSISTENT_READ = 0x01,
    BLK_PERM_WRITE           = 0x02,
    /* Writes that leave the visible content as it is. */
    BLK_PERM_WRITE_UNCHANGED = 0x04,
    BLK_PERM_RESIZE          = 0x08,
    BLK_PERM_GRAPH_MOD       = 0x10,
    BLK_PERM_ALL             = 0x1f,

    DEFAULT_PERM_PASSTHROUGH = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE |
                               BLK_PERM_WRITE_UNCHANGED | BLK_PERM_RESIZE,
    DEFAULT_PERM_UNCHANGED   = BLK_PERM_ALL & ~DEFAULT_PERM_PASSTHROUGH,
};

/* Comma-separated names of the bits of @perm ("write, resize"); g_free(). */
char *bdrv_perm_names(uint64_t perm);
/* BLK_PERM_* of a QAPI BlockPermission. */
uint64_t bdrv_qapi_perm_to_blk_perm(BlockPermission qapi_perm);

typedef enum BlockOpType {
    BLOCK_OP_TYPE_BACKUP_SOURCE,
    BLOCK_OP_TYPE_BACKUP_TARGET,
    BLOCK_OP_TYPE_CHANGE,
    BLOCK_OP_TYPE_COMMIT_SOURCE,
    BLOCK_OP_TYPE_COMMIT_TARGET,
    BLOCK_OP_TYPE_DATAPLANE,
    BLOCK_OP_TYPE_DRIVE_DEL,
    BLOCK_OP_TYPE_EJECT,
    BLOCK_OP_TYPE_EXTERNAL_SNAPSHOT,
    BLOCK_OP_TYPE_INTERNAL_SNAPSHOT,
    BLOCK_OP_TYPE_INTERNAL_SNAPSHOT_DELETE,
    BLOCK_OP_TYPE_MIRROR_SOURCE,
    BLOCK_OP_TYPE_MIRROR_TARGET,
    BLOCK_OP_TYPE_RESIZE,
    BLOCK_OP_TYPE_STREAM,
    BLOCK_OP_TYPE_REPLACE,
    BLOCK_OP_TYPE_MAX,
} BlockOpType;

typedef struct BlockDriverInfo {
    int cluster_size;           /* bytes; 0 if the driver has none */
    int subcluster_size;
    int64_t vm_state_offset;
    bool is_dirty;
    bool needs_compressed_writes;
} BlockDriverInfo;

typedef struct BlockFragInfo {
    uint64_t allocated_clusters;
    uint64_t total_clusters;
    uint64_t fragmented_clusters;
    uint64_t compressed_clusters;
} BlockFragInfo;

typedef enum {
    BDRV_FIX_LEAKS  = 1,
    BDRV_FIX_ERRORS = 2,
} BdrvCheckMode;

typedef struct BdrvCheckResult {
    int corruptions;
    int leaks;
    int check_errors;
    int corruptions_fixed;
    int leaks_fixed;
    int64_t image_end_offset;
    BlockFragInfo bfi;
} BdrvCheckResult;

typedef struct BDRVReopenState {
    BlockDriverState *bs;
    int flags;
    BlockdevDetectZeroesOptions detect_zeroes;
    bool backing_missing;       /* @options removed an explicit backing */
    BlockDriverState *old_backing_bs; /* kept alive until the end */
    BlockDriverState *old_file_bs;
    QDict *options;             /* all options in force after the reopen */
    QDict *explicit_options;
    void *opaque;               /* the driver's, from prepare to commit/abort */
} BDRVReopenState;

typedef QTAILQ_HEAD(, BlockReopenQueueEntry) BlockReopenQueue;

/* ---- Set-up ---- */

/* Register all block drivers; idempotent. Main thread. */
void bdrv_init(void);
void bdrv_register(BlockDriver *bdrv);
BlockDriver *bdrv_find_format(const char *format_name);
BlockDriver *bdrv_find_protocol(const char *filename, bool allow_protocol_prefix,
                                Error **errp);
/* Calls @it with each driver name, sorted; @read_only selects the read-only
 * whitelist. */
void bdrv_iterate_format(void (*it)(void *opaque, const char *name),
                         void *opaque, bool read_only);
bool bdrv_uses_whitelist(void);
int bdrv_is_whitelisted(BlockDriver *drv, bool read_only);

/* ---- Nodes: open, close, look up (main thread) ---- */

/*
 * Open a node.  Exactly as for -drive: @filename may be a path, PROTO:..., or
 * json:{...}; @reference names an existing node (which gets a reference) and
 * excludes the others.  @options is consumed in every case.  Returns a node
 * with one reference, or NULL with @errp set and the graph unchanged.
 */
BlockDriverState *bdrv_open(const char *filename, const char *reference,
                            QDict *options, int flags, Error **errp);
/* Open a child node for @parent from @options["@bdref_key.*"] and attach it.
 * NULL without error if @allow_none and nothing is given. */
BdrvChild *bdrv_open_child(const char *filename, QDict *options,
                           const char *bdref_key, BlockDriverState *parent,
                           const BdrvChildRole *child_role, bool allow_none,
                           Error **errp);
/* Open and attach bs->file from @options. 0 or -errno. */
int bdrv_open_file_child(const char *filename, QDict *options,
                         const char *bdref_key, BlockDriverState *parent,
                         Error **errp);
/* Open a node from a BlockdevRef; its own reference is returned. */
BlockDriverState *bdrv_open_blockdev_ref(BlockdevRef *ref, Error **errp);
int bdrv_open_backing_file(BlockDriverState *bs, QDict *parent_options,
                           const char *bdref_key, Error **errp);
BlockDriverState *bdrv_new(void);
/* Nodes that jobs make for themselves.  A filter passes discards on, whatever
 * @flags tell: the node below, which the user has made, knows what to do about
 * them. */
BlockDriverState *bdrv_new_open_driver(BlockDriver *drv, const char *node_name,
                                       int flags, Error **errp);
BlockDriverState *bdrv_new_open_driver_opts(BlockDriver *drv,
                                            const char *node_name,
                                            QDict *options, int flags,
                                            Error **errp);
void bdrv_ref(BlockDriverState *bs);
/* Drop a reference; closes the node at 0. NULL is allowed. */
void bdrv_unref(BlockDriverState *bs);
void bdrv_close_all(void);
/* @hook runs first of all in bdrv_close_all(); one can be set. */
void bdrv_register_close_all_hook(void (*hook)(void));

/* What the core asks of the layer that owns devices; one can be set, without
 * it there are no devices. */
typedef struct BdrvDeviceHooks {
    /* Is there a device @name?  Its root node, or NULL, goes to @bs. */
    bool (*find)(const char *name, BlockDriverState **bs);
    /* Take the root nodes from all devices: bdrv_close_all(). */
    void (*remove_all_roots)(void);
} BdrvDeviceHooks;
void bdrv_register_device_hooks(const BdrvDeviceHooks *hooks);
BlockDriverState *bdrv_find_node(const char *node_name);
/* By device name, then by node name. NULL with "Cannot find device='D' nor
 * node-name='N'". */
BlockDriverState *bdrv_lookup_bs(const char *device, const char *node_name,
                                 Error **errp);
/* Every node, in creation order: NULL starts. */
BlockDriverState *bdrv_next_node(BlockDriverState *bs);
/* Every node of the graph, named or not: NULL starts. */
BlockDriverState *bdrv_next_all_states(BlockDriverState *bs);
/* Every node with a user that is no node (root nodes) or owned by the
 * monitor. */
typedef struct BdrvNextIterator {
    enum { BDRV_NEXT_BACKEND_ROOTS, BDRV_NEXT_MONITOR_OWNED } phase;
    BlockBackend *blk;
    BlockDriverState *bs;
} BdrvNextIterator;
BlockDriverState *bdrv_first(BdrvNextIterator *it);
BlockDriverState *bdrv_next(BdrvNextIterator *it);
void bdrv_next_cleanup(BdrvNextIterator *it);

const char *bdrv_get_format_name(BlockDriverState *bs);
const char *bdrv_get_node_name(const BlockDriverState *bs);
/* Name of the BlockBackend above, or "". */
const char *bdrv_get_device_name(const BlockDriverState *bs);
/* The same, or else the node name. */
const char *bdrv_get_device_or_node_name(const BlockDriverState *bs);
int bdrv_get_flags(BlockDriverState *bs);
bool bdrv_is_read_only(BlockDriverState *bs);
bool bdrv_is_writable(BlockDriverState *bs);
bool bdrv_is_sg(BlockDriverState *bs);
bool bdrv_is_inserted(BlockDriverState *bs);
bool bdrv_is_encrypted(BlockDriverState *bs);
bool bdrv_supports_persistent_dirty_bitmap(BlockDriverState *bs);
int bdrv_has_zero_init(BlockDriverState *bs);
int bdrv_has_zero_init_1(BlockDriverState *bs);
bool bdrv_can_write_zeroes_with_unmap(BlockDriverState *bs);
int bdrv_can_set_read_only(BlockDriverState *bs, bool read_only,
                           bool ignore_allow_rdw, Error **errp);
int bdrv_apply_auto_read_only(BlockDriverState *bs, const char *errmsg,
                              Error **errp);
int bdrv_get_info(BlockDriverState *bs, BlockDriverInfo *bdi);
ImageInfoSpecific *bdrv_get_specific_info(BlockDriverState *bs, Error **errp);
BlockStatsSpecific *bdrv_get_specific_stats(BlockDriverState *bs);
int64_t bdrv_getlength(BlockDriverState *bs);
int64_t bdrv_nb_sectors(BlockDriverState *bs);
/* Bytes that the node and its metadata/data children occupy, or -errno. */
int64_t bdrv_get_allocated_file_size(BlockDriverState *bs);
BlockMeasureInfo *bdrv_measure(BlockDriver *drv, QemuOpts *opts,
                               BlockDriverState *in_bs, Error **errp);
int bdrv_check(BlockDriverState *bs, BdrvCheckResult *res, BdrvCheckMode fix);
int bdrv_get_backing_file_depth(BlockDriverState *bs);
int bdrv_inactivate_all(void);
void bdrv_invalidate_cache_all(Error **errp);
int bdrv_activate(BlockDriverState *bs, Error **errp);

/* ---- Cache and discard modes of command lines ---- */
int bdrv_parse_cache_mode(const char *mode, int *flags, bool *writethrough);
int bdrv_parse_discard_flags(const char *mode, int *flags);
int bdrv_parse_aio(const char *mode, int *flags);

/* ---- Graph (main thread) ---- */

void bdrv_set_backing_hd(BlockDriverState *bs, BlockDriverState *backing_hd,
                         Error **errp);
/* Same, with a result. */
int bdrv_set_backing_hd_check(BlockDriverState *bs,
                              BlockDriverState *backing_hd, Error **errp);
int bdrv_set_file_or_backing_check(BlockDriverState *bs,
                                   BlockDriverState *child_bs,
                                   bool is_backing, Error **errp);
/* Make @bs_new the overlay of @bs_top and move @bs_top's parents to it. */
int bdrv_append(BlockDriverState *bs_new, BlockDriverState *bs_top,
                Error **errp);
/* Move all parents that are allowed to move from @from to @to. */
int bdrv_replace_node(BlockDriverState *from, BlockDriverState *to,
                      Error **errp);
/* Open a filter from @node_options (with driver) above @bs; returns it. */
BlockDriverState *bdrv_insert_node(BlockDriverState *bs, QDict *node_options,
                                   int flags, Error **errp);
/* Take filter @bs out of the graph: its parents go to its child. */
int bdrv_drop_filter(BlockDriverState *bs, Error **errp);
/* The reverse of bdrv_append(): like bdrv_drop_filter() for an overlay, whose
 * edges in @stay (of BdrvChild) keep to it. */
int bdrv_drop_overlay(BlockDriverState *bs, GSList *stay, Error **errp);
int bdrv_replace_child_bs(BdrvChild *child, BlockDriverState *new_bs,
                          Error **errp);
BdrvChild *bdrv_attach_child(BlockDriverState *parent_bs,
                             BlockDriverState *child_bs,
                             const char *child_name,
                             const BdrvChildRole *child_role, Error **errp);
void bdrv_unref_child(BlockDriverState *parent, BdrvChild *child);
/* Is @bs at or below @top, following every kind of edge? */
bool bdrv_is_below(BlockDriverState *top, BlockDriverState *bs);

/* Filters and chains.  A chain consists of COW links; filters are skipped by
 * the _or_ and skip_ functions. NULL where there is none. */
BdrvChild *bdrv_cow_child(BlockDriverState *bs);
BdrvChild *bdrv_filter_child(BlockDriverState *bs);
BdrvChild *bdrv_filter_or_cow_child(BlockDriverState *bs);
BdrvChild *bdrv_primary_child(BlockDriverState *bs);
BlockDriverState *bdrv_cow_bs(BlockDriverState *bs);
BlockDriverState *bdrv_filter_bs(BlockDriverState *bs);
BlockDriverState *bdrv_filter_or_cow_bs(BlockDriverState *bs);
BlockDriverState *bdrv_primary_bs(BlockDriverState *bs);
BlockDriverState *bdrv_skip_filters(BlockDriverState *bs);
BlockDriverState *bdrv_skip_implicit_filters(BlockDriverState *bs);
BlockDriverState *bdrv_backing_chain_next(BlockDriverState *bs);
bool bdrv_chain_contains(BlockDriverState *top, BlockDriverState *base);
/* Bytes of the longest overlay of @bs, also of those above its filters; 0 if
 * there is none, or -errno. */
int64_t bdrv_overlay_length(BlockDriverState *bs);
/* The direct overlay of @bs below @active, filters included. */
BlockDriverState *bdrv_find_overlay(BlockDriverState *active,
                                    BlockDriverState *bs);
BlockDriverState *bdrv_find_base(BlockDriverState *bs);
BlockDriverState *bdrv_find_backing_image(BlockDriverState *bs,
                                          const char *backing_file);
/* Frozen links cannot be changed or removed; counted. -EPERM with errp. */
int bdrv_freeze_backing_chain(BlockDriverState *bs, BlockDriverState *base,
                              Error **errp);
void bdrv_unfreeze_backing_chain(BlockDriverState *bs, BlockDriverState *base);
bool bdrv_is_backing_chain_frozen(BlockDriverState *bs, BlockDriverState *base,
                                  Error **errp);
/* Remove the nodes from @top down to (excluding) @base from the chain: every
 * overlay of @top gets @base as its backing node and @backing_file_str in its
 * header. */
int bdrv_drop_intermediate(BlockDriverState *top, BlockDriverState *base,
                           const char *backing_file_str);
int bdrv_change_backing_file(BlockDriverState *bs, const char *backing_file,
                             const char *backing_fmt, bool require);
bool bdrv_is_root_node(BlockDriverState *bs);
/* Can @node take the place of @to_replace below @bs without a visible
 * change? */
bool bdrv_recurse_can_replace(BlockDriverState *bs,
                              BlockDriverState *to_replace);
BlockDriverState *check_to_replace_node(BlockDriverState *parent_bs,
                                        const char *node_name, Error **errp);
XDbgBlockGraph *bdrv_get_xdbg_block_graph(Error **errp);

/* ---- Reopen (main thread) ---- */
BlockReopenQueue *bdrv_reopen_queue(BlockReopenQueue *bs_queue,
                                    BlockDriverState *bs, QDict *options,
                                    bool keep_old_opts);
void bdrv_reopen_queue_free(BlockReopenQueue *bs_queue);
/* Consumes @bs_queue.  All or nothing. */
int bdrv_reopen_multiple(BlockReopenQueue *bs_queue, Error **errp);
int bdrv_reopen(BlockDriverState *bs, QDict *opts, bool keep_old_opts,
                Error **errp);
int bdrv_reopen_set_read_only(BlockDriverState *bs, bool read_only,
                              Error **errp);

/* ---- Creation (main thread or coroutine) ---- */
/* Create an image as `qemu-img create` does; prints "Formatting ..." unless
 * @quiet. @img_size is -1 if not given. */
void bdrv_img_create(const char *filename, const char *fmt,
                     const char *base_filename, const char *base_fmt,
                     char *options, uint64_t img_size, int flags, bool quiet,
                     Error **errp);
int bdrv_create(BlockDriver *drv, const char *filename, QemuOpts *opts,
                Error **errp);
int bdrv_create_file(const char *filename, QemuOpts *opts, Error **errp);
int coroutine_fn bdrv_co_delete_file(BlockDriverState *bs, Error **errp);

/* ---- File names ---- */
int path_has_protocol(const char *path);
int path_is_absolute(const char *path);
/* @filename as seen from the folder of @base_path; g_free(). */
char *path_combine(const char *base_path, const char *filename);
void bdrv_refresh_filename(BlockDriverState *bs);
char *bdrv_get_full_backing_filename(BlockDriverState *bs, Error **errp);
char *bdrv_get_full_backing_filename_from_filename(const char *backed,
                                                   const char *backing,
                                                   Error **errp);
char *bdrv_dirname(BlockDriverState *bs, Error **errp);
const char *bdrv_get_backing_filename(BlockDriverState *bs);
void bdrv_get_backing_filename_copy(BlockDriverState *bs, char *filename,
                                    int filename_size);

/* ---- Op blockers (main thread) ---- */
bool bdrv_op_is_blocked(BlockDriverState *bs, BlockOpType op, Error **errp);
void bdrv_op_block(BlockDriverState *bs, BlockOpType op, Error *reason);
void bdrv_op_unblock(BlockDriverState *bs, BlockOpType op, Error *reason);
void bdrv_op_block_all(BlockDriverState *bs, Error *reason);
void bdrv_op_unblock_all(BlockDriverState *bs, Error *reason);
bool bdrv_op_blocker_is_empty(BlockDriverState *bs);

/* ---- Requests (I/O) ---- */
int bdrv_pread(BdrvChild *child, int64_t offset, int64_t bytes, void *buf,
               BdrvRequestFlags flags);
int bdrv_pwrite(BdrvChild *child, int64_t offset, int64_t bytes,
                const void *buf, BdrvRequestFlags flags);
/* Write and flush. */
int bdrv_pwrite_sync(BdrvChild *child, int64_t offset, int64_t bytes,
                     const void *buf, BdrvRequestFlags flags);
int bdrv_pwrite_zeroes(BdrvChild *child, int64_t offset, int64_t bytes,
                       BdrvRequestFlags flags);
int bdrv_pdiscard(BdrvChild *child, int64_t offset, int64_t bytes);
int bdrv_flush(BlockDriverState *bs);
int bdrv_flush_all(void);
/* Zero the whole node, skipping what is zero already. */
int bdrv_make_zero(BdrvChild *child, BdrvRequestFlags flags);
int bdrv_truncate(BdrvChild *child, int64_t offset, bool exact,
                  PreallocMode prealloc, BdrvRequestFlags flags, Error **errp);
int bdrv_make_empty(BdrvChild *c, Error **errp);

int coroutine_fn bdrv_co_preadv(BdrvChild *child, int64_t offset,
                                int64_t bytes, QEMUIOVector *qiov,
                                BdrvRequestFlags flags);
int coroutine_fn bdrv_co_preadv_part(BdrvChild *child, int64_t offset,
                                     int64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset,
                                     BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pwritev(BdrvChild *child, int64_t offset,
                                 int64_t bytes, QEMUIOVector *qiov,
                                 BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pwritev_part(BdrvChild *child, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pread(BdrvChild *child, int64_t offset, int64_t bytes,
                               void *buf, BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pwrite(BdrvChild *child, int64_t offset,
                                int64_t bytes, const void *buf,
                                BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pwrite_sync(BdrvChild *child, int64_t offset,
                                     int64_t bytes, const void *buf,
                                     BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pwrite_zeroes(BdrvChild *child, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags);
int coroutine_fn bdrv_co_pdiscard(BdrvChild *child, int64_t offset,
                                  int64_t bytes);
int coroutine_fn bdrv_co_flush(BlockDriverState *bs);
int coroutine_fn bdrv_co_truncate(BdrvChild *child, int64_t offset, bool exact,
                                  PreallocMode prealloc,
                                  BdrvRequestFlags flags, Error **errp);
/* Offloaded copy; -ENOTSUP where the two nodes can't do it. */
int coroutine_fn bdrv_co_copy_range(BdrvChild *src, int64_t src_offset,
                                    BdrvChild *dst, int64_t dst_offset,
                                    int64_t bytes, BdrvRequestFlags read_flags,
                                    BdrvRequestFlags write_flags);
int coroutine_fn bdrv_co_ioctl(BlockDriverState *bs, int req, void *buf);
int bdrv_save_vmstate(BlockDriverState *bs, const uint8_t *buf, int64_t pos,
                      int size);
int bdrv_load_vmstate(BlockDriverState *bs, uint8_t *buf, int64_t pos,
                      int size);

/*
 * Block status of the longest extent from @offset that can be told cheaply:
 * BDRV_BLOCK_* or -errno; *pnum (0 only at or after the end) is its length,
 * which is at most @bytes.  @map and @file may be NULL.
 */
int bdrv_block_status(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      int64_t *pnum, int64_t *map, BlockDriverState **file);
/* The same for the content visible at @bs, looking down to (excluding)
 * @base. */
int bdrv_block_status_above(BlockDriverState *bs, BlockDriverState *base,
                            int64_t offset, int64_t bytes, int64_t *pnum,
                            int64_t *map, BlockDriverState **file);
int coroutine_fn bdrv_co_block_status(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *pnum,
                                      int64_t *map, BlockDriverState **file);
int coroutine_fn bdrv_co_block_status_above(BlockDriverState *bs,
                                            BlockDriverState *base,
                                            int64_t offset, int64_t bytes,
                                            int64_t *pnum, int64_t *map,
                                            BlockDriverState **file);
/* 1, 0 or -errno. */
int bdrv_is_allocated(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      int64_t *pnum);
/* Depth (1 = @top itself) of the layer between @top and @base that has the
 * data, 0 if none, or -errno. */
int bdrv_is_allocated_above(BlockDriverState *top, BlockDriverState *base,
                            bool include_base, int64_t offset, int64_t bytes,
                            int64_t *pnum);
int coroutine_fn bdrv_co_is_allocated(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *pnum);
int coroutine_fn bdrv_co_is_allocated_above(BlockDriverState *top,
                                            BlockDriverState *base,
                                            bool include_base, int64_t offset,
                                            int64_t bytes, int64_t *pnum);
/* 1 if the range is known to read as zeroes without reading it. */
int coroutine_fn bdrv_co_is_zero_fast(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes);

/* ---- Buffers for requests of a node ---- */
size_t bdrv_min_mem_align(BlockDriverState *bs);
size_t bdrv_opt_mem_align(BlockDriverState *bs);
void *qemu_blockalign(BlockDriverState *bs, size_t size);
void *qemu_blockalign0(BlockDriverState *bs, size_t size);
void *qemu_try_blockalign(BlockDriverState *bs, size_t size);
void *qemu_try_blockalign0(BlockDriverState *bs, size_t size);
bool bdrv_qiov_is_aligned(BlockDriverState *bs, QEMUIOVector *qiov);
uint32_t bdrv_get_request_alignment(BlockDriverState *bs);
int64_t bdrv_cluster_size_or(BlockDriverState *bs, int64_t fallback);

/* ---- Drain ---- */
void bdrv_drained_begin(BlockDriverState *bs);
void bdrv_drained_end(BlockDriverState *bs);
void bdrv_subtree_drained_begin(BlockDriverState *bs);
void bdrv_subtree_drained_end(BlockDriverState *bs);
void bdrv_drain_all_begin(void);
void bdrv_drain_all_end(void);
void bdrv_drain(BlockDriverState *bs);
void coroutine_fn bdrv_co_drain(BlockDriverState *bs);
void bdrv_drain_all(void);
/* Who began the latest section that reached @bs: a function's name; NULL if
 * @bs is not drained, or if it is not known. */
const char *bdrv_drained_by(BlockDriverState *bs);
BlockDriverState *bdrv_drain_note(BlockDriverState *bs, const char *who);
void bdrv_drain_note_all(const char *who);
#define bdrv_drained_begin(bs) \
    bdrv_drained_begin(bdrv_drain_note((bs), __func__))
#define bdrv_subtree_drained_begin(bs) \
    bdrv_subtree_drained_begin(bdrv_drain_note((bs), __func__))
#define bdrv_drain_all_begin() \
    (bdrv_drain_note_all(__func__), bdrv_drain_all_begin())
/* For edges: quiesce the parent only. */
void bdrv_parent_drained_begin_single(BdrvChild *c, bool poll);
void bdrv_parent_drained_end_single(BdrvChild *c);

/* ---- Event loop ---- */
AioContext *bdrv_get_aio_context(BlockDriverState *bs);
AioContext *bdrv_child_get_parent_aio_context(BdrvChild *c);
/* Move @bs and all that is connected to it.  @ignore_child's parent is not
 * asked.  0 or -EPERM/-EBUSY with errp and nothing changed. */
int bdrv_try_change_aio_context(BlockDriverState *bs, AioContext *ctx,
                                BdrvChild *ignore_child, Error **errp);
void bdrv_coroutine_enter(BlockDriverState *bs, Coroutine *co);
/* Wait in the main thread or the node's home thread while @cond holds. */
#define BDRV_POLL_WHILE(bs, cond) ({                       \
    BlockDriverState *bs_ = (bs);                          \
    AIO_WAIT_WHILE(bdrv_get_aio_context(bs_),              \
                   cond); })
void bdrv_inc_in_flight(BlockDriverState *bs);
void bdrv_dec_in_flight(BlockDriverState *bs);
void bdrv_wakeup(BlockDriverState *bs);

/* ---- AIO control blocks ---- */
void bdrv_aio_cancel(BlockAIOCB *acb);
void bdrv_aio_cancel_async(BlockAIOCB *acb);

/* ---- blkdebug hooks ---- */
/* Say on stdout when a request is suspended or resumed? (at first: yes) */
extern bool bdrv_debug_verbose;
void bdrv_debug_event(BlockDriverState *bs, BlkdebugEvent event);
#define BLKDBG_EVENT(child, evt) \
    do { if (child) { bdrv_debug_event((child)->bs, (evt)); } } while (0)
int bdrv_debug_breakpoint(BlockDriverState *bs, const char *event,
                          const char *tag);
int bdrv_debug_remove_breakpoint(BlockDriverState *bs, const char *tag);
int bdrv_debug_resume(BlockDriverState *bs, const char *tag);
bool bdrv_debug_is_suspended(BlockDriverState *bs, const char *tag);

void bdrv_io_plug(BlockDriverState *bs);
void bdrv_io_unplug(BlockDriverState *bs);
void bdrv_enable_copy_on_read(BlockDriverState *bs);
void bdrv_disable_copy_on_read(BlockDriverState *bs);
void bdrv_eject(BlockDriverState *bs, bool eject_flag);
void bdrv_lock_medium(BlockDriverState *bs, bool locked);

#endif
