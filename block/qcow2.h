/*
 * SPDX-License-Identifier: MIT
 *
 * The format qcow2, versions 2 and 3: what the files of the driver share.
 *
 * Terms.  "maps" are what leads from guest offsets to host clusters: the L1
 * table and L2 tables.  "refs" are what counts the users of host clusters: the
 * refcount table and refcount blocks.  Both are written back late, in an order
 * that makes a crash leak clusters at worst (qcow2-order.c).  A "slice" is the
 * part of an L2 table, or a whole refcount block, that a cache keeps.
 *
 * Locking.  ->lock is held wherever maps or refs are looked at or changed,
 * also while they are read from and written to the disk, and never while data
 * are.  What is called "coroutine_fn" here expects it held unless it says
 * otherwise.
 */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include "block/block_int.h"
#include "crypto/block.h"
#include "qemu/bswap.h"
#include "qemu/coroutine.h"
#include "qemu/host-utils.h"
#include "qemu/units.h"

/* ---- The format ---- */

#define QCOW2_MAGIC             0x514649fbU     /* "QFI\xfb" */
#define QCOW2_V2_HEADER_LENGTH  72
#define QCOW2_V3_HEADER_MIN     104
#define QCOW2_HEADER_LENGTH     112

#define QCOW2_MIN_CLUSTER_BITS  9
#define QCOW2_MAX_CLUSTER_BITS  21
#define QCOW2_SUBCLUSTERS       32
#define QCOW2_MIN_SUBCLUSTER    512

#define QCOW2_MAX_L1_BYTES      (32 * MiB)
#define QCOW2_MAX_REFTABLE      (8 * MiB)
#define QCOW2_MAX_SNAPSHOTS     65536
#define QCOW2_MAX_SNAPTABLE     (1024LL * QCOW2_MAX_SNAPSHOTS)
#define QCOW2_MAX_SNAP_EXTRA    1024
#define QCOW2_MAX_BACKING_NAME  1023
#define QCOW2_MAX_BITMAPS       65535
#define QCOW2_MAX_CRYPTO        (64 * MiB)  /* header with keys */

/* crypt_method of the header */
#define QCOW2_CRYPT_AES         1
#define QCOW2_CRYPT_LUKS        2

#define QCOW2_ENTRY_OFFSET      0x00fffffffffffe00ULL
#define QCOW2_COPIED            (1ULL << 63)    /* refcount is exactly 1 */
#define QCOW2_COMPRESSED_FLAG   (1ULL << 62)
#define QCOW2_ZERO_FLAG         1ULL
#define QCOW2_REFTABLE_OFFSET   0xfffffffffffffe00ULL
#define QCOW2_L1_RESERVED       0x7f000000000001ffULL
#define QCOW2_L2_RESERVED       0x3f000000000001feULL
#define QCOW2_SECTOR            512

#define QCOW2_INCOMPAT_DIRTY        (1ULL << 0)
#define QCOW2_INCOMPAT_CORRUPT      (1ULL << 1)
#define QCOW2_INCOMPAT_DATA_FILE    (1ULL << 2)
#define QCOW2_INCOMPAT_COMPRESSION  (1ULL << 3)
#define QCOW2_INCOMPAT_EXTL2        (1ULL << 4)
#define QCOW2_INCOMPAT_KNOWN        0x1fULL
#define QCOW2_COMPAT_LAZY_REFCOUNTS (1ULL << 0)
#define QCOW2_AUTOCLEAR_BITMAPS     (1ULL << 0)
#define QCOW2_AUTOCLEAR_DATA_RAW    (1ULL << 1)
#define QCOW2_AUTOCLEAR_KNOWN       0x3ULL

#define QCOW2_EXT_END               0x00000000U
#define QCOW2_EXT_BACKING_FORMAT    0xe2792acaU
#define QCOW2_EXT_FEATURE_TABLE     0x6803f857U
#define QCOW2_EXT_CRYPTO            0x0537be77U
#define QCOW2_EXT_BITMAPS           0x23852875U
#define QCOW2_EXT_DATA_FILE         0x44415441U

/* The header in the host's byte order. */
typedef struct Qcow2Header {
    uint32_t version;
    uint32_t cluster_bits;
    uint64_t backing_offset;
    uint32_t backing_length;
    uint32_t crypt_method;
    uint64_t size;
    uint64_t l1_offset;
    uint32_t l1_size;
    uint32_t reftable_clusters;
    uint64_t reftable_offset;
    uint64_t snapshots_offset;
    uint32_t nb_snapshots;
    uint32_t refcount_order;
    uint64_t incompatible;
    uint64_t compatible;
    uint64_t autoclear;
    uint32_t header_length;
    uint8_t compression;
} Qcow2Header;

/* A header extension that we don't know: kept as it is. */
typedef struct Qcow2Extension {
    uint32_t magic;
    uint32_t length;
    uint8_t *data;
    QLIST_ENTRY(Qcow2Extension) next;
} Qcow2Extension;

/* Where the bitmaps are: the header extension. */
typedef struct Qcow2BitmapsExt {
    uint32_t nb_bitmaps;        /* 0: no extension */
    uint64_t directory_size;
    uint64_t directory_offset;
} Qcow2BitmapsExt;

typedef struct Qcow2Snapshot {
    uint64_t l1_offset;
    uint32_t l1_size;           /* entries */
    uint32_t date_sec;
    uint32_t date_nsec;
    uint64_t vm_clock_nsec;
    uint64_t vm_state_size;
    uint64_t disk_size;
    uint64_t icount;            /* -1ULL: none */
    char *id;
    char *name;
    uint32_t extra_size;        /* as in the image */
    uint8_t *unknown_extra;     /* extra_size - 24 bytes, if that is > 0 */
} Qcow2Snapshot;

/* ---- What a guest cluster, or a part of it, is ---- */

typedef enum Qcow2Kind {
    QCOW2_UNALLOCATED,          /* what the backing file has, or zeroes */
    QCOW2_UNALLOCATED_HOST,     /* the same, but there is a host cluster */
    QCOW2_ZERO,                 /* zeroes */
    QCOW2_ZERO_HOST,            /* zeroes, and there is a host cluster */
    QCOW2_DATA,
    QCOW2_COMPRESSED,
    QCOW2_INVALID,
} Qcow2Kind;

/* An L2 entry; ->bitmap only with extended entries. */
typedef struct Qcow2Entry {
    uint64_t e;
    uint64_t bitmap;            /* low half allocated, high half zero */
} Qcow2Entry;

/* An extent of one kind whose host offsets, if any, are consecutive. */
typedef struct Qcow2Run {
    Qcow2Kind kind;
    uint64_t bytes;
    uint64_t host;              /* of the first byte; DATA and *_HOST */
    uint64_t entry;             /* COMPRESSED: the L2 entry */
} Qcow2Run;

/*
 * Clusters on their way into the L2 table: space was found, the data are being
 * written.  Others who want to change these guest clusters wait.  It lives on
 * the stack of the request.
 */
typedef struct Qcow2Alloc {
    uint64_t guest;             /* start of the first cluster */
    uint64_t host;
    unsigned nclusters;         /* 0: nothing is allocated */
    bool reuse_host;            /* the clusters were reserved already */
    bool host_is_zero;          /* nothing was ever written there */
    /* Written: [from, to) from ->guest on; [data_from, data_to) of it has new
     * data, the rest is copied. */
    uint64_t from;
    uint64_t data_from;
    uint64_t data_to;
    uint64_t to;
    bool head_is_zero;          /* what is to be copied is zero */
    bool tail_is_zero;
    bool no_data;               /* preallocation: linked without a write */
    CoQueue waiters;
    QLIST_ENTRY(Qcow2Alloc) next;
} Qcow2Alloc;

/* ---- Caches (qcow2-cache.c) ---- */

typedef struct Qcow2Cache Qcow2Cache;

typedef struct Qcow2Slice {
    uint64_t offset;            /* in the file, bytes */
    void *data;                 /* as on the disk */
    unsigned pins;              /* > 0: stays in memory */
    uint32_t dirty_from;        /* [from, to) is not on the disk yet */
    uint32_t dirty_to;
    unsigned last_tick;
    QTAILQ_ENTRY(Qcow2Slice) lru;
    QLIST_ENTRY(Qcow2Slice) bucket;
} Qcow2Slice;

/* ---- Options of an open image (qcow2-options.c) ---- */

typedef enum Qcow2FreeType {
    QCOW2_FREE_NEVER,           /* keep the space in the file */
    QCOW2_FREE_ALWAYS,
    QCOW2_FREE_REQUEST,         /* discarded by the guest */
    QCOW2_FREE_SNAPSHOT,
    QCOW2_FREE_OTHER,
    QCOW2_FREE_MAX,
} Qcow2FreeType;

/* Kinds of metadata that a write must not hit (qcow2-overlap.c). */
typedef enum Qcow2Section {
    QCOW2_SECTION_HEADER            = 1 << 0,
    QCOW2_SECTION_ACTIVE_L1         = 1 << 1,
    QCOW2_SECTION_ACTIVE_L2         = 1 << 2,
    QCOW2_SECTION_REFBLOCK          = 1 << 3,
    QCOW2_SECTION_REFTABLE          = 1 << 4,
    QCOW2_SECTION_SNAPSHOT_TABLE    = 1 << 5,
    QCOW2_SECTION_INACTIVE_L1       = 1 << 6,
    QCOW2_SECTION_INACTIVE_L2       = 1 << 7,
    QCOW2_SECTION_BITMAP_DIRECTORY  = 1 << 8,
} Qcow2Section;

#define QCOW2_CHECK_CONSTANT \
    (QCOW2_SECTION_HEADER | QCOW2_SECTION_ACTIVE_L1 | \
     QCOW2_SECTION_REFTABLE | QCOW2_SECTION_SNAPSHOT_TABLE | \
     QCOW2_SECTION_BITMAP_DIRECTORY)
#define QCOW2_CHECK_CACHED \
    (QCOW2_CHECK_CONSTANT | QCOW2_SECTION_ACTIVE_L2 | \
     QCOW2_SECTION_REFBLOCK | QCOW2_SECTION_INACTIVE_L1)
#define QCOW2_CHECK_ALL (QCOW2_CHECK_CACHED | QCOW2_SECTION_INACTIVE_L2)

typedef struct Qcow2Options {
    uint64_t l2_cache_size;     /* bytes */
    uint64_t refcount_cache_size;
    uint32_t slice_size;        /* bytes of an L2 slice */
    unsigned clean_interval;    /* seconds; 0: never */
    unsigned overlap_checks;    /* Qcow2Section */
    bool lazy_refcounts;
    bool pass_discard[QCOW2_FREE_MAX];
} Qcow2Options;

/* ---- An open image ---- */

/* Clusters that lose a reference as soon as no map on the disk has it. */
typedef struct Qcow2Free {
    uint64_t first;             /* cluster number */
    uint64_t count;
    Qcow2FreeType type;
} Qcow2Free;

typedef struct Qcow2State {
    /* Immutable after open */
    unsigned cluster_bits;
    uint64_t cluster_size;
    unsigned subclusters;       /* of a cluster: 1 or 32 */
    unsigned subcluster_bits;
    uint64_t subcluster_size;
    unsigned entry_words;       /* of an L2 entry: 1 or 2 */
    unsigned l2_bits;           /* log2 of the entries of an L2 table */
    unsigned refblock_bits;     /* log2 of the entries of a block */
    uint64_t refcount_max;
    BdrvChild *data_file;       /* external one, or NULL */

    /* Options; changed while drained */
    Qcow2Options opt;
    unsigned slice_bits;        /* log2 of the entries of an L2 slice */
    bool cache_sizes_given;

    CoMutex lock;               /* all below */

    Qcow2Header hdr;            /* as on the disk */
    bool header_unsure;         /* unless a write of it has failed */
    uint8_t *unknown_fields;    /* of the header, behind what we know */
    uint32_t unknown_fields_size;
    QLIST_HEAD(, Qcow2Extension) unknown_exts;
    Qcow2BitmapsExt bitmaps;
    char *data_file_name;       /* as in the header; NULL: none */
    char *backing_name;         /* as in the header; NULL: none */
    char *backing_format;
    bool broken;                /* marked as corrupt: no more requests */
    bool corruption_told;

    Qcow2Cache *l2_cache;
    Qcow2Cache *ref_cache;
    QEMUTimer *clean_timer;

    uint64_t *l1;               /* hdr.l1_size entries */
    uint32_t l1_vm_state;       /* index of the first behind the disk */
    uint32_t l1_dirty_from;     /* [from, to) is not on the disk yet */
    uint32_t l1_dirty_to;

    uint64_t *reftable;
    uint64_t reftable_size;     /* entries */
    uint64_t reftable_dirty_from;
    uint64_t reftable_dirty_to;

    /* qcow2-order.c */
    bool refs_unstable;         /* refs or copied data since last flush */
    bool data_unstable;         /* part of that is in an external file */
    bool maps_unstable;
    GArray *frees;              /* Qcow2Free */
    uint64_t frees_clusters;

    /* qcow2-refcount.c */
    uint64_t free_hint;         /* no free cluster below */
    uint64_t pack_pos;          /* compressed data go here; 0: nowhere */
    uint64_t file_end;          /* nothing was written from here on */
    bool file_grows_zeroed;
    uint64_t file_ahead;        /* the file ends here for now; 0: it does not
                                 * reach over what was written */

    QLIST_HEAD(, Qcow2Alloc) in_flight;
    GHashTable *meta_clusters;  /* of L2 tables and refcount blocks */
    void *zeroes;               /* a cluster of them, on demand */

    unsigned nb_snapshots;
    Qcow2Snapshot *snapshots;
    uint64_t snapshots_bytes;   /* of their table in the file */

    bool sparse_checked;        /* is the file? then ->sparse tells */
    bool sparse;

    QCryptoBlock *crypto;       /* immutable after open; NULL: no encryption */
    uint64_t crypto_offset;     /* of the header with keys; 0: none */
    uint64_t crypto_length;
    CoMutex crypto_lock;        /* held while that header changes */

    unsigned comp_threads;      /* compressing or decompressing now */
    CoQueue comp_queue;

    GPtrArray *bitmap_list;     /* Qcow2Bitmap; as in the image */
} Qcow2State;

static inline bool qcow2_has_subclusters(const Qcow2State *s)
{
    return s->subclusters > 1;
}

static inline bool qcow2_has_data_file(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    return s->data_file != NULL;
}

/* Where guest data are. */
static inline BdrvChild *qcow2_data(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    return s->data_file ?: bs->file;
}

static inline bool qcow2_data_file_is_raw(const Qcow2State *s)
{
    return s->hdr.autoclear & QCOW2_AUTOCLEAR_DATA_RAW;
}

static inline uint64_t qcow2_in_cluster(const Qcow2State *s, uint64_t offset)
{
    return offset & (s->cluster_size - 1);
}

static inline uint64_t qcow2_cluster_down(const Qcow2State *s, uint64_t offset)
{
    return offset & ~(s->cluster_size - 1);
}

static inline uint64_t qcow2_cluster_up(const Qcow2State *s, uint64_t offset)
{
    return (offset + s->cluster_size - 1) & ~(s->cluster_size - 1);
}

/* Number of clusters that hold @bytes. */
static inline uint64_t qcow2_clusters(const Qcow2State *s, uint64_t bytes)
{
    return (bytes >> s->cluster_bits) + !!qcow2_in_cluster(s, bytes);
}

/* Guest bytes that an L2 table describes. */
static inline unsigned qcow2_l1_shift(const Qcow2State *s)
{
    return s->cluster_bits + s->l2_bits;
}

/* L1 entries for a disk of @size bytes. */
static inline uint64_t qcow2_l1_entries(const Qcow2State *s, uint64_t size)
{
    unsigned shift = qcow2_l1_shift(s);

    return (size >> shift) + !!(size & ((1ULL << shift) - 1));
}

static inline uint64_t qcow2_vm_state_offset(const Qcow2State *s)
{
    return (uint64_t)s->l1_vm_state << qcow2_l1_shift(s);
}

static inline bool qcow2_is_open_rw(BlockDriverState *bs)
{
    return (bs->open_flags & (BDRV_O_RDWR | BDRV_O_INACTIVE)) == BDRV_O_RDWR;
}

/* ---- qcow2-header.c ---- */

/* Parse and check what does not depend on anything else. */
int coroutine_fn qcow2_header_read(BlockDriverState *bs, Error **errp);
/* The extensions and the name of the backing file. */
int coroutine_fn qcow2_header_read_extensions(BlockDriverState *bs,
                                              Error **errp);
/* Write all of it, as ->hdr, names and extensions are now. -ENOSPC: it does
 * not fit into a cluster. */
int coroutine_fn qcow2_header_write(BlockDriverState *bs);
/*
 * For when that, or the flush after it, has failed and ->hdr is again what it
 * was before: nobody knows which of the two headers is on the disk, so this
 * one is written once more.  False: it is still not known (->header_unsure),
 * and what either of them refers to must stay allocated.
 */
bool coroutine_fn qcow2_header_restore(BlockDriverState *bs);
/* Write the feature bits only, and flush. */
int coroutine_fn qcow2_header_write_features(BlockDriverState *bs);
void qcow2_header_free(Qcow2State *s);
/* Derived values of ->hdr: cluster size and the like. */
void qcow2_set_geometry(Qcow2State *s);
/* The fixed part of the header as bytes; @buf has QCOW2_HEADER_LENGTH. */
void qcow2_header_encode(const Qcow2Header *hdr, uint8_t *buf);
/* 0 if a table of @entries entries of @entry_len bytes at @offset is legal;
 * NAME too large / offset invalid otherwise. */
int qcow2_check_table(BlockDriverState *bs, uint64_t offset, uint64_t entries,
                      size_t entry_len, int64_t max_bytes, const char *name,
                      Error **errp);

/* ---- qcow2-options.c ---- */

#define QCOW2_OPT_KEY_SECRET    "encrypt.key-secret"

extern QemuOptsList qcow2_runtime_opts;
extern const char *const qcow2_mutable_opts[];
/* Take our options out of @options. */
int qcow2_options_parse(BlockDriverState *bs, QDict *options, int flags,
                        Qcow2Options *opt, Error **errp);
/* New caches as @opt says; the old ones are clean. */
void qcow2_options_apply(BlockDriverState *bs, const Qcow2Options *opt);
void qcow2_clean_timer_start(BlockDriverState *bs, AioContext *ctx);
void qcow2_clean_timer_stop(BlockDriverState *bs);

/* ---- qcow2-cache.c ---- */

Qcow2Cache *qcow2_cache_new(BlockDriverState *bs, bool is_l2,
                            uint64_t max_slices, size_t slice_size);
void qcow2_cache_free(Qcow2Cache *c);
/* A pinned slice, read if need be. */
int coroutine_fn qcow2_cache_get(Qcow2Cache *c, uint64_t offset,
                                 Qcow2Slice **slice);
/* The same, full of zeroes; nothing is read. */
int coroutine_fn qcow2_cache_get_new(Qcow2Cache *c, uint64_t offset,
                                     Qcow2Slice **slice);
static inline void qcow2_cache_put(Qcow2Slice *slice)
{
    assert(slice->pins > 0);
    slice->pins--;
}
void qcow2_cache_dirty(Qcow2Cache *c, Qcow2Slice *slice, size_t from,
                       size_t bytes);
bool qcow2_cache_is_dirty(const Qcow2Cache *c);
/* Write what is dirty, in ascending order; qcow2-order.c decides when. */
int coroutine_fn qcow2_cache_write(Qcow2Cache *c);
/* Forget what is cached of this range, dirty or not. */
void qcow2_cache_forget(Qcow2Cache *c, uint64_t offset, uint64_t bytes);
/* Forget everything; nothing may be pinned. */
void qcow2_cache_clear(Qcow2Cache *c);
/* Free what was not used since the last call. */
void qcow2_cache_clean(Qcow2Cache *c);

/* ---- qcow2-order.c: write-back ---- */

/* Wait until all that was written to the file is on stable storage. */
int coroutine_fn qcow2_barrier(BlockDriverState *bs);
/* Reference counts. */
int coroutine_fn qcow2_write_refs(BlockDriverState *bs);
/* L2 tables, after the reference counts that they rely on. */
int coroutine_fn qcow2_write_l2(BlockDriverState *bs);
/* All maps and refs; then references that are not needed any more go. */
int coroutine_fn qcow2_write_back(BlockDriverState *bs);
/* The same without what lazy refcounts allow to leave out. */
int coroutine_fn qcow2_flush_to_os(BlockDriverState *bs);
/* Everything, and flush the file. */
int coroutine_fn qcow2_sync(BlockDriverState *bs);
void qcow2_l1_dirty(Qcow2State *s, uint32_t index);
void qcow2_reftable_dirty(Qcow2State *s, uint64_t first, uint64_t end);
/* Clusters lose a reference when the maps on the disk don't have it. */
void qcow2_free_later(BlockDriverState *bs, uint64_t offset,
                                   uint64_t bytes, Qcow2FreeType type);
/* Keep the list of these short: before an operation that adds to it. */
int coroutine_fn qcow2_limit_frees(BlockDriverState *bs);
/* The data that L2 entry @e of guest offset @guest refers to. */
void coroutine_fn qcow2_free_entry_later(BlockDriverState *bs,
                                         uint64_t guest, uint64_t e,
                                         Qcow2FreeType type);
/* Before the first change in lazy mode. */
int coroutine_fn qcow2_mark_dirty(BlockDriverState *bs);
int coroutine_fn qcow2_mark_clean(BlockDriverState *bs);
/* The image is damaged: say so and, if @fatal, mark it and stop all requests.
 * @offset and @size: -1 if unknown. */
void qcow2_corrupt(BlockDriverState *bs, bool fatal, int64_t offset,
                   int64_t size, const char *fmt, ...) GCC_FMT_ATTR(5, 6);

/* ---- qcow2-overlap.c ---- */

/* 0 if a write of the range hits no metadata but those of @ignore; else -EIO,
 * and the image is marked. */
int coroutine_fn qcow2_overlap_check(BlockDriverState *bs, unsigned ignore,
                                     uint64_t offset, uint64_t bytes);
void qcow2_overlap_add(Qcow2State *s, uint64_t offset, Qcow2Section section);
void qcow2_overlap_remove(Qcow2State *s, uint64_t offset);
/* Rebuild what is known about L2 tables and refcount blocks. */
void qcow2_overlap_rebuild(Qcow2State *s);

/* ---- qcow2-refcount.c ---- */

int coroutine_fn qcow2_refs_load(BlockDriverState *bs, Error **errp);
uint64_t qcow2_refcount_get_raw(const void *block, unsigned order,
                                uint64_t index);
void qcow2_refcount_set_raw(void *block, unsigned order, uint64_t index,
                            uint64_t value);
int coroutine_fn qcow2_refcount(BlockDriverState *bs, uint64_t cluster,
                                uint64_t *count);
/* For repairs; -ENOENT if there is no block for it. */
int coroutine_fn qcow2_refcount_set(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t count);
/* Add @delta (1 or -1) at once. */
int coroutine_fn qcow2_refcount_add(BlockDriverState *bs, uint64_t first,
                                    uint64_t count, int delta,
                                    Qcow2FreeType type);
/* @min to @want consecutive clusters; number or -errno, offset in @host. */
int64_t coroutine_fn qcow2_alloc_run(BlockDriverState *bs, uint64_t min,
                                     uint64_t want, uint64_t *host);
/* Exactly @bytes, rounded up; offset or -errno. */
int64_t coroutine_fn qcow2_alloc_bytes(BlockDriverState *bs, uint64_t bytes);
/* Up to @want clusters from @host on, as far as they are free. */
int64_t coroutine_fn qcow2_alloc_at(BlockDriverState *bs, uint64_t host,
                                    uint64_t want);
/* @bytes, less than a cluster, next to other compressed data. */
int64_t coroutine_fn qcow2_alloc_packed(BlockDriverState *bs, unsigned bytes);
/* Clusters that were allocated and never linked. */
void coroutine_fn qcow2_free_unused(BlockDriverState *bs, uint64_t host,
                                    uint64_t nclusters);
/* The last cluster that is in use; -errno if there is none. */
int64_t coroutine_fn qcow2_last_used(BlockDriverState *bs);
/* [.., @end) is going to be written: let the file be long enough, if that is
 * of use. */
void coroutine_fn qcow2_grow_ahead(BlockDriverState *bs, uint64_t end);
/* The file is to end where what was written ends. */
int coroutine_fn qcow2_end_grow_ahead(BlockDriverState *bs);
/* Is what lies behind @host known to be zero because nobody wrote there? */
bool qcow2_host_is_fresh(Qcow2State *s, uint64_t host);
/* Something is going to be written up to @end. */
static inline void qcow2_host_written(Qcow2State *s, uint64_t end)
{
    s->file_end = MAX(s->file_end, end);
}
int coroutine_fn qcow2_refs_shrink(BlockDriverState *bs);

/* ---- qcow2-map.c: from guest offsets to host offsets ---- */

int coroutine_fn qcow2_l1_load(BlockDriverState *bs, Error **errp);
/* L1 table with at least @entries entries. */
int coroutine_fn qcow2_l1_grow(BlockDriverState *bs, uint64_t entries,
                               bool exact);
/* The L2 tables behind @entries, which refer to nothing, go. */
void qcow2_l1_shrink(BlockDriverState *bs, uint64_t entries);
/* Write @entries in the disk's byte order, and zeroes up to the end of their
 * last cluster's block, at @offset. */
int coroutine_fn qcow2_write_l1(BlockDriverState *bs, uint64_t offset,
                                const uint64_t *l1, uint32_t entries);
static inline Qcow2Entry qcow2_entry_get(const Qcow2State *s,
                                         const Qcow2Slice *l2, unsigned i)
{
    const uint64_t *p = (const uint64_t *)l2->data + (size_t)i * s->entry_words;
    Qcow2Entry entry = { .e = be64_to_cpu(p[0]) };

    if (s->entry_words == 2) {
        entry.bitmap = be64_to_cpu(p[1]);
    }
    return entry;
}
void qcow2_entry_set(Qcow2State *s, Qcow2Slice *l2, unsigned i,
                     Qcow2Entry entry);
/* Kind of subcluster @sc. */
Qcow2Kind qcow2_kind(BlockDriverState *bs, Qcow2Entry entry, unsigned sc);
/* Number of subclusters from @sc on that are of the same kind. */
unsigned qcow2_kind_run(BlockDriverState *bs, Qcow2Entry entry, unsigned sc);
/* Has it a host cluster of its own? */
static inline bool qcow2_kind_has_host(Qcow2Kind kind)
{
    return kind == QCOW2_DATA || kind == QCOW2_ZERO_HOST ||
           kind == QCOW2_UNALLOCATED_HOST;
}
/* Host offset and length of compressed data. */
void qcow2_compressed_place(const Qcow2State *s, uint64_t e, uint64_t *host,
                            uint64_t *bytes);
/* The slice that describes @offset, pinned, and the index in it; *l2 is NULL
 * if there is no L2 table. */
int coroutine_fn qcow2_l2_get(BlockDriverState *bs, uint64_t offset,
                              Qcow2Slice **l2, unsigned *index);
/* The same for changes: there will be a table that is ours alone. */
int coroutine_fn qcow2_l2_get_rw(BlockDriverState *bs, uint64_t offset,
                                 Qcow2Slice **l2, unsigned *index);
/* The extent at @offset, at most @max bytes. */
int coroutine_fn qcow2_map(BlockDriverState *bs, uint64_t offset, uint64_t max,
                           Qcow2Run *run);
/* The entry at index @i of @l2 is damaged (qcow2_corrupt).  @guest: offset of
 * a write, or -1. */
void qcow2_corrupt_entry(BlockDriverState *bs, const Qcow2Slice *l2,
                         unsigned i, Qcow2Entry entry, int64_t guest);

/* ---- qcow2-alloc.c ---- */

/*
 * Where up to @bytes from @offset on are to be written: *run is their extent
 * on the host.  If a->nclusters is not 0, qcow2_alloc_done() or _abort() must
 * follow the write.  May wait, with ->lock released, for others.
 */
int coroutine_fn qcow2_map_write(BlockDriverState *bs, uint64_t offset,
                                 uint64_t bytes, Qcow2Alloc *a, Qcow2Run *run);
int coroutine_fn qcow2_alloc_done(BlockDriverState *bs, Qcow2Alloc *a);
void coroutine_fn qcow2_alloc_abort(BlockDriverState *bs, Qcow2Alloc *a);
/* Wait until nothing is in flight in the range (->lock is released
 * meanwhile). True if it waited. */
bool coroutine_fn qcow2_wait_in_flight(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes);
/* Keep others out of the clusters of @a from now on. */
void qcow2_alloc_begin(Qcow2State *s, Qcow2Alloc *a);
void qcow2_alloc_end(Qcow2State *s, Qcow2Alloc *a);

/* ---- qcow2-zero.c ---- */

/* Whole clusters, except at the end of the disk. @full: not even zeroes are
 * left, the backing file shows. */
int coroutine_fn qcow2_discard_range(BlockDriverState *bs, uint64_t offset,
                                     uint64_t bytes, Qcow2FreeType type,
                                     bool full);
/* Whole subclusters. */
int coroutine_fn qcow2_zero_range(BlockDriverState *bs, uint64_t offset,
                                  uint64_t bytes, BdrvRequestFlags flags);
int coroutine_fn qcow2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, BdrvRequestFlags flags);
int coroutine_fn qcow2_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes);

/* ---- qcow2-io.c ---- */

int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags);
int coroutine_fn qcow2_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, QEMUIOVector *qiov,
                                       size_t qiov_offset,
                                       BdrvRequestFlags flags);
int coroutine_fn qcow2_co_pwritev_compressed_part(BlockDriverState *bs,
                                                  int64_t offset,
                                                  int64_t bytes,
                                                  QEMUIOVector *qiov,
                                                  size_t qiov_offset);
int coroutine_fn qcow2_co_block_status(BlockDriverState *bs, bool want_zero,
                                       int64_t offset, int64_t bytes,
                                       int64_t *pnum, int64_t *map,
                                       BlockDriverState **file);
int coroutine_fn qcow2_co_copy_range_from(BlockDriverState *bs, BdrvChild *src,
                                          int64_t src_offset, BdrvChild *dst,
                                          int64_t dst_offset, int64_t bytes,
                                          BdrvRequestFlags read_flags,
                                          BdrvRequestFlags write_flags);
int coroutine_fn qcow2_co_copy_range_to(BlockDriverState *bs, BdrvChild *src,
                                        int64_t src_offset, BdrvChild *dst,
                                        int64_t dst_offset, int64_t bytes,
                                        BdrvRequestFlags read_flags,
                                        BdrvRequestFlags write_flags);
int qcow2_save_vmstate(BlockDriverState *bs, QEMUIOVector *qiov, int64_t pos);
int qcow2_load_vmstate(BlockDriverState *bs, QEMUIOVector *qiov, int64_t pos);
/* Allocate [offset, offset+bytes) without data (preallocation); ->lock not
 * held. */
int coroutine_fn qcow2_preallocate(BlockDriverState *bs, uint64_t offset,
                                   uint64_t bytes, PreallocMode mode,
                                   Error **errp);

/* ---- qcow2-compress.c ---- */

/* @e is the L2 entry; ->lock not held. */
int coroutine_fn qcow2_read_compressed(BlockDriverState *bs, uint64_t e,
                                       uint64_t offset, uint64_t bytes,
                                       QEMUIOVector *qiov, size_t qiov_offset);
/* Up to a cluster at its start; ->lock not held. */
int coroutine_fn qcow2_write_compressed(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        size_t qiov_offset);

/* ---- qcow2-crypto.c ---- */

/* The header extension; false with @errp. */
bool qcow2_crypto_parse_ext(BlockDriverState *bs, const uint8_t *data,
                            uint32_t length, Error **errp);
/* 16 bytes. */
void qcow2_crypto_encode_ext(const Qcow2State *s, uint8_t *data);
/* Is @format, which may be NULL, what the header says? */
bool qcow2_crypto_check_format(BlockDriverState *bs, const char *format,
                               Error **errp);
/* The header of the image was read.  @no_io: no data are looked at, and so no
 * key is needed. */
int coroutine_fn qcow2_crypto_open(BlockDriverState *bs,
                                   const char *key_secret, bool no_io,
                                   Error **errp);
typedef struct Qcow2CryptoCreate {
    const QCryptoBlockCreateOptions *options;
    Error **errp;
} Qcow2CryptoCreate;
/* A new image without data becomes an encrypted one; @opaque is a
 * Qcow2CryptoCreate. */
int coroutine_fn qcow2_crypto_create(BlockDriverState *bs, void *opaque);
void qcow2_crypto_close(Qcow2State *s);
/* Options of a new image: *@out is NULL if there shall be no encryption. */
bool qcow2_crypto_parse_create(QemuOpts *opts, QCryptoBlockCreateOptions **out,
                               Error **errp);
/*
 * Data of the guest, encrypted or not, at @guest and @host; ->lock not held.
 * In encrypted images all of it is in whole sectors.
 */
int coroutine_fn qcow2_data_preadv(BlockDriverState *bs, uint64_t guest,
                                   uint64_t host, uint64_t bytes,
                                   QEMUIOVector *qiov, size_t qiov_offset);
int coroutine_fn qcow2_data_pwritev(BlockDriverState *bs, uint64_t guest,
                                    uint64_t host, uint64_t bytes,
                                    QEMUIOVector *qiov, size_t qiov_offset);
/* Are there any options of encryption in @opts? */
bool qcow2_crypto_has_options(QemuOpts *opts);
/* Main thread: those of them that change keys; NULL with @errp. */
QCryptoBlockAmendOptions *
qcow2_crypto_parse_amend(BlockDriverState *bs, QemuOpts *opts, Error **errp);
int qcow2_crypto_amend(BlockDriverState *bs,
                       const QCryptoBlockAmendOptions *options, bool force,
                       Error **errp);
/* NULL: no encryption. */
ImageInfoSpecificQCow2Encryption *qcow2_crypto_info(Qcow2State *s);

/* ---- qcow2-snapshot.c, qcow2-snaptable.c ---- */

int coroutine_fn qcow2_snapshots_load(BlockDriverState *bs, Error **errp);
/* Write a new table and make the header point to it. */
int coroutine_fn qcow2_snapshots_store(BlockDriverState *bs);
void qcow2_snapshots_free(Qcow2State *s);
void qcow2_snapshot_clear(Qcow2Snapshot *sn);
int qcow2_snapshot_create(BlockDriverState *bs,
                          struct QEMUSnapshotInfo *sn_info);
int qcow2_snapshot_goto(BlockDriverState *bs, const char *snapshot_id);
int qcow2_snapshot_delete(BlockDriverState *bs, const char *snapshot_id,
                          const char *name, Error **errp);
int qcow2_snapshot_load_tmp(BlockDriverState *bs, const char *snapshot_id,
                            const char *name, Error **errp);
int qcow2_snapshot_list(BlockDriverState *bs, struct QEMUSnapshotInfo **psn);
/* Bytes of the L1 table of a snapshot at @offset, converted. */
int coroutine_fn qcow2_read_l1(BlockDriverState *bs, uint64_t offset,
                               uint32_t entries, uint64_t **l1);

/* ---- qcow2-check.c ---- */

int coroutine_fn qcow2_co_check(BlockDriverState *bs, BdrvCheckResult *result,
                                BdrvCheckMode fix);
/* ->lock held. */
int coroutine_fn qcow2_check_locked(BlockDriverState *bs, BdrvCheckResult *res,
                                    BdrvCheckMode fix);

/* New reference counts of 1 << @order bits; the image becomes one of version 3.
 * ->lock held; nothing is in flight. */
int coroutine_fn qcow2_set_refcount_order(BlockDriverState *bs, unsigned order,
                                          Error **errp);

/* ---- qcow2-downgrade.c ---- */

/* Could this be an image of version 2? */
bool qcow2_can_downgrade(BlockDriverState *bs, Error **errp);
/* Replace zero clusters, which version 2 does not know, in all maps.  ->lock
 * held; nothing is in flight. */
int coroutine_fn qcow2_expand_zero_clusters(BlockDriverState *bs,
                                            Error **errp);

/* ---- qcow2-amend.c ---- */

extern QemuOptsList qcow2_amend_opts;
int qcow2_amend_options(BlockDriverState *bs, QemuOpts *opts, bool force,
                        Error **errp);
int coroutine_fn qcow2_co_amend(BlockDriverState *bs,
                                BlockdevAmendOptions *opts, bool force,
                                Error **errp);

/* ---- qcow2-create.c ---- */

extern QemuOptsList qcow2_create_opts;
int coroutine_fn qcow2_co_create(BlockdevCreateOptions *opts, Error **errp);
int coroutine_fn qcow2_co_create_opts(BlockDriver *drv, const char *filename,
                                      QemuOpts *opts, Error **errp);
/* ---- qcow2-measure.c ---- */

BlockMeasureInfo *qcow2_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                Error **errp);

/* ---- qcow2-resize.c ---- */

int coroutine_fn qcow2_co_truncate(BlockDriverState *bs, int64_t offset,
                                   bool exact, PreallocMode prealloc,
                                   BdrvRequestFlags flags, Error **errp);
int qcow2_make_empty(BlockDriverState *bs);

/* ---- qcow2-bitmap.c ---- */

/* An entry of the directory of bitmaps. */
typedef struct Qcow2Bitmap {
    uint64_t table_offset;
    uint32_t table_size;        /* entries */
    uint32_t flags;             /* QCOW2_BITMAP_* */
    uint8_t granularity_bits;
    char *name;
    uint8_t *extra;             /* kept as it is */
    uint32_t extra_size;
} Qcow2Bitmap;

#define QCOW2_BITMAP_IN_USE     (1U << 0)
#define QCOW2_BITMAP_AUTO       (1U << 1)
#define QCOW2_BITMAP_EXTRA_OK   (1U << 2)

/* ->bitmap_list from the image. */
int coroutine_fn qcow2_bitmaps_read_directory(BlockDriverState *bs,
                                              Error **errp);
void qcow2_bitmaps_free(Qcow2State *s);
/* Make bitmaps of the node from it. */
int coroutine_fn qcow2_bitmaps_load(BlockDriverState *bs, Error **errp);
/* The image can be written to from now on: nobody may believe the bitmaps that
 * are in it, and those of the node can change. */
int coroutine_fn qcow2_bitmaps_mark_in_use(BlockDriverState *bs);
/* Write all persistent bitmaps of the node to the image. */
int coroutine_fn qcow2_bitmaps_store(BlockDriverState *bs, Error **errp);
/* Are there bitmaps that should be stored?  Main thread. */
bool qcow2_bitmaps_pending(BlockDriverState *bs);
bool qcow2_bitmaps_can_resize(BlockDriverState *bs, Error **errp);
/* For get_specific_info; NULL without bitmaps. */
Qcow2BitmapInfoList *qcow2_bitmaps_info(BlockDriverState *bs);
/* Bytes for the bitmaps of @bs in an image with clusters of that size. */
uint64_t qcow2_bitmaps_measure(BlockDriverState *bs, uint64_t cluster_size);
bool qcow2_supports_persistent_dirty_bitmap(BlockDriverState *bs);
bool coroutine_fn qcow2_co_can_store_new_dirty_bitmap(BlockDriverState *bs,
                                                      const char *name,
                                                      uint32_t granularity,
                                                      Error **errp);
int coroutine_fn qcow2_co_remove_persistent_dirty_bitmap(BlockDriverState *bs,
                                                         const char *name,
                                                         Error **errp);
/* Tell @count of each host range that bitmaps use. */
typedef int coroutine_fn Qcow2CountFn(void *opaque, uint64_t offset,
                                      uint64_t bytes);
int coroutine_fn qcow2_bitmaps_count(BlockDriverState *bs,
                                     BdrvCheckResult *res, Qcow2CountFn *count,
                                     void *opaque);

/* ---- qcow2.c ---- */

/* Run @fn in a coroutine with ->lock held; waits for it. */
int qcow2_run_locked(BlockDriverState *bs,
                     int coroutine_fn (*fn)(BlockDriverState *bs,
                                            void *opaque),
                     void *opaque);

#endif
