/*
 * SPDX-License-Identifier: MIT
 *
 * copy-before-write: a filter that lets a target keep what its node had at
 * the moment when the filter came.  Before a write, the old content of the
 * clusters that it touches is copied, unless that was done before.
 *
 * Invariants
 *   1. A bit of ->todo is set as long as the target does not have the old
 *      content of its cluster.  No write reaches such a cluster, unless the
 *      snapshot was given up (->snapshot_error).
 *   2. Who copies a cluster has claimed it in ->copy, and clears the bit
 *      before the claim ends.
 *   3. A bit of ->copied is set if the target has the old content; that of
 *      ->todo is clear then.  What has neither is not part of the snapshot.
 *   4. A bit of ->todo that was set before the source was read, and still is
 *      afterwards, proves that the old content was read.
 *   5. ->copy outlives all requests: each copy for a write counts as in
 *      flight until it has ended, even if the write did not wait for it.
 *      Once the snapshot is abandoned, a reference to the node takes the place
 *      of these counts, and nothing new is read or written.
 *
 * Context: requests run in the AioContext of the node, as the job does.
 */
#include "qemu/osdep.h"
#include "block/copy-before-write.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"

#define CBW_MIN_CLUSTER     (64 * KiB)
#define CBW_MAX_CHUNK       (1 * MiB)
#define CBW_MAX_BYTES       (16 * MiB)
#define CBW_MAX_WORKERS     64

typedef struct CbwCall CbwCall;

struct CbwFilter {
    /* Immutable once open */
    BdrvChild *target;
    int64_t cluster;
    int64_t length;
    OnCbwError on_error;
    uint64_t timeout_ns;        /* 0: none */
    BlockCopyState *copy;
    BlockDriverState *bs;       /* this node */

    /* Set in drained sections */
    BlockCopyDone *done;        /* may be NULL */
    void *opaque;

    /* The AioContext of the node */
    HBitmap *todo;
    HBitmap *copied;
    bool skip_unallocated;
    int snapshot_error;
    QLIST_HEAD(, CbwCall) calls;
    bool abandoned;             /* nobody waits for copies any more */
    bool held;                  /* by what was in flight when that came */
};

/* ---- Copying ---- */

/* Where the cluster ends that @end is in. */
static int64_t cbw_round_up(CbwFilter *s, int64_t end)
{
    return MIN(QEMU_ALIGN_UP(end, s->cluster), s->length);
}

static void cbw_clear(CbwFilter *s, int64_t offset, int64_t bytes)
{
    hbitmap_reset(s->todo, offset, cbw_round_up(s, offset + bytes) - offset);
}

static void cbw_set_copied(CbwFilter *s, int64_t offset, int64_t bytes)
{
    cbw_clear(s, offset, bytes);
    hbitmap_set(s->copied, offset, bytes);
}

struct CbwCall {
    BlockDriverState *bs;
    int64_t offset;
    int64_t bytes;
    int ret;
    int refs;                   /* who copies, and who waits for it */
    bool ended;
    CoQueue waiters;
    QLIST_ENTRY(CbwCall) entry;
};

static void cbw_call_unref(void *opaque)
{
    CbwCall *call = opaque;

    if (--call->refs == 0) {
        g_free(call);
    }
}

/* Main thread: does anything use an abandoned filter still? */
static void cbw_release_bh(void *opaque)
{
    BlockDriverState *bs = opaque;
    CbwFilter *s = bs->opaque;
    AioContext *ctx = bdrv_get_aio_context(bs);

    aio_context_acquire(ctx);
    if (s->held && QLIST_EMPTY(&s->calls) && !block_copy_busy(s->copy)) {
        s->held = false;
        bdrv_unref(bs);
    }
    bdrv_unref(bs);
    aio_context_release(ctx);
}

/* A piece or a call has ended. */
static void cbw_release(BlockDriverState *bs)
{
    CbwFilter *s = bs->opaque;

    if (s->held) {
        bdrv_ref(bs);
        aio_bh_schedule_oneshot(qemu_get_aio_context(), cbw_release_bh, bs);
    }
}

/* A piece of the user's. */
static void cbw_piece_done(void *opaque, int64_t offset, int64_t bytes,
                           int ret, bool is_read)
{
    CbwFilter *s = opaque;

    if (ret >= 0) {
        cbw_set_copied(s, offset, bytes);
    }
    if (s->done) {
        s->done(s->opaque, offset, bytes, ret, is_read);
    }
    cbw_release(s->bs);
}

/* Copy one claimed run of clusters. */
static int coroutine_fn cbw_copy_run(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes)
{
    CbwFilter *s = bs->opaque;
    bool is_read = false;
    int ret;

    if (s->skip_unallocated) {
        int64_t n = bytes;

        ret = bdrv_co_is_allocated(bdrv_skip_filters(bs->file->bs), offset,
                                   bytes, &n);
        if (ret == 0 && n == bytes) {
            cbw_clear(s, offset, bytes);
            return 0;
        }
    }
    ret = block_copy_claimed(s->copy, offset, bytes, &is_read);
    if (ret >= 0) {
        cbw_set_copied(s, offset, bytes);
        if (s->done) {
            s->done(s->opaque, offset, bytes, 0, false);
        }
    }
    return ret;
}

static void coroutine_fn cbw_call_copy(void *opaque)
{
    CbwCall *call = opaque;
    CbwFilter *s = call->bs->opaque;
    int64_t end = call->offset + call->bytes;
    int64_t start, n;
    BlockCopyClaim claim;
    bool claimed;

    /* Nobody else copies a part of this range meanwhile; what others have
     * copied when we get it has no bits any more. */
    claimed = block_copy_claim_begin(s->copy, &claim, call->offset,
                                     call->bytes);
    while (claimed && call->ret >= 0 && !s->abandoned &&
           hbitmap_next_dirty_area(s->todo, call->offset, end, CBW_MAX_CHUNK,
                                   &start, &n)) {
        call->ret = cbw_copy_run(call->bs, start, n);
    }
    if (claimed) {
        block_copy_claim_end(s->copy, &claim);
    }
    QLIST_REMOVE(call, entry);
    call->ended = true;
    qemu_co_queue_restart_all(&call->waiters);
    if (s->abandoned) {
        cbw_release(call->bs);
    } else {
        bdrv_dec_in_flight(call->bs);
    }
    cbw_call_unref(call);
}

/* A call that has not ended, with somebody who waits for it. */
static CbwCall *cbw_next_waited_for(CbwFilter *s)
{
    CbwCall *call;

    QLIST_FOREACH(call, &s->calls, entry) {
        if (!qemu_co_queue_empty(&call->waiters)) {
            return call;
        }
    }
    return NULL;
}

static void coroutine_fn cbw_call_wait(void *opaque)
{
    CbwCall *call = opaque;
    CbwFilter *s = call->bs->opaque;

    if (!call->ended && !s->abandoned) {
        qemu_co_queue_wait(&call->waiters, NULL);
    }
}

/* [@offset, @offset + @bytes) is about to change. */
static int coroutine_fn cbw_before_write(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes)
{
    CbwFilter *s = bs->opaque;
    int64_t start = QEMU_ALIGN_DOWN(offset, s->cluster);
    int64_t end = cbw_round_up(s, offset + bytes);
    CbwCall *call;
    int ret;

    if (s->snapshot_error || start >= end ||
        hbitmap_next_dirty(s->todo, start, end - start) < 0) {
        return 0;
    }
    call = g_new0(CbwCall, 1);
    call->bs = bs;
    call->offset = start;
    call->bytes = end - start;
    call->refs = 2;
    qemu_co_queue_init(&call->waiters);
    QLIST_INSERT_HEAD(&s->calls, call, entry);
    bdrv_inc_in_flight(bs);
    qemu_coroutine_enter(qemu_coroutine_create(cbw_call_copy, call));
    ret = qemu_co_timeout(cbw_call_wait, call, s->timeout_ns, cbw_call_unref);
    if (ret >= 0) {
        ret = call->ret;
        cbw_call_unref(call);
    }
    if (s->abandoned) {
        return 0;
    }
    if (ret < 0 && s->on_error == ON_CBW_ERROR_BREAK_SNAPSHOT) {
        if (!s->snapshot_error) {
            s->snapshot_error = ret;
        }
        ret = 0;
    }
    return ret;
}

/* ---- Requests ---- */

static int coroutine_fn cbw_preadv(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, QEMUIOVector *qiov,
                                   size_t qiov_offset, BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn cbw_pwritev(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    int ret = 0;

    if (!(flags & BDRV_REQ_WRITE_UNCHANGED)) {
        ret = cbw_before_write(bs, offset, bytes);
    }
    return ret < 0 ? ret : bdrv_co_pwritev_part(bs->file, offset, bytes, qiov,
                                                qiov_offset, flags);
}

static int coroutine_fn cbw_pwrite_zeroes(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          BdrvRequestFlags flags)
{
    int ret = 0;

    if (!(flags & BDRV_REQ_WRITE_UNCHANGED)) {
        ret = cbw_before_write(bs, offset, bytes);
    }
    return ret < 0 ? ret : bdrv_co_pwrite_zeroes(bs->file, offset, bytes,
                                                 flags);
}

static int coroutine_fn cbw_pdiscard(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes)
{
    int ret = cbw_before_write(bs, offset, bytes);

    return ret < 0 ? ret : bdrv_co_pdiscard(bs->file, offset, bytes);
}

static int coroutine_fn cbw_flush(BlockDriverState *bs)
{
    return bs->file ? bdrv_co_flush(bs->file->bs) : 0;
}

/* ---- The snapshot ---- */

/* Where the old content of [@offset, @end) is, and for how many bytes.  NULL:
 * nowhere. */
static BdrvChild *cbw_place(BlockDriverState *bs, int64_t offset, int64_t end,
                            int64_t *n)
{
    CbwFilter *s = bs->opaque;

    if (hbitmap_status(s->todo, offset, end - offset, n)) {
        return bs->file;
    }
    return hbitmap_status(s->copied, offset, *n, n) ? s->target : NULL;
}

/* How much of [@offset, @offset + @n), which was just read from @place, is what
 * it was (invariant 4); -EACCES if that can't be told any more. */
static int64_t cbw_still_valid(BlockDriverState *bs, BdrvChild *place,
                               int64_t offset, int64_t n)
{
    CbwFilter *s = bs->opaque;

    if (s->snapshot_error) {
        return -EACCES;
    }
    if (place == bs->file && !hbitmap_status(s->todo, offset, n, &n)) {
        return 0;
    }
    return n;
}

static int coroutine_fn cbw_preadv_snapshot(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset)
{
    int64_t end = offset + bytes;

    while (offset < end) {
        int64_t n;
        BdrvChild *place = cbw_place(bs, offset, end, &n);
        int ret = -EACCES;

        if (place) {
            ret = bdrv_co_preadv_part(place, offset, n, qiov, qiov_offset, 0);
        }
        if (ret < 0) {
            return ret;
        }
        n = cbw_still_valid(bs, place, offset, n);
        if (n < 0) {
            return n;
        }
        offset += n;
        qiov_offset += n;
    }
    return 0;
}

static int coroutine_fn cbw_snapshot_block_status(BlockDriverState *bs,
                                                  int64_t offset,
                                                  int64_t bytes, int64_t *pnum)
{
    int64_t n;
    int ret;

    do {
        BdrvChild *place = cbw_place(bs, offset, offset + bytes, &n);

        if (!place) {
            return -EACCES;
        }
        ret = bdrv_co_block_status_above(place->bs, NULL, offset, n, pnum,
                                         NULL, NULL);
        if (ret < 0) {
            return ret;
        }
        if (*pnum == 0) {
            /* It ends there, and goes on with zeroes. */
            *pnum = n;
            ret = BDRV_BLOCK_ZERO;
        }
        n = cbw_still_valid(bs, place, offset, *pnum);
    } while (n == 0);
    if (n < 0) {
        return n;
    }
    *pnum = n;
    return BDRV_BLOCK_ALLOCATED |
           (ret & BDRV_BLOCK_ZERO ? BDRV_BLOCK_ZERO : BDRV_BLOCK_DATA);
}

static int coroutine_fn cbw_pdiscard_snapshot(BlockDriverState *bs,
                                              int64_t offset, int64_t bytes)
{
    CbwFilter *s = bs->opaque;
    int64_t start = QEMU_ALIGN_UP(offset, s->cluster);
    int64_t end = offset + bytes;
    BlockCopyClaim claim;
    int ret;

    if (end < s->length) {
        end = QEMU_ALIGN_DOWN(end, s->cluster);
    }
    if (start >= end) {
        return 0;
    }
    if (!block_copy_claim_begin(s->copy, &claim, start, end - start)) {
        return -ECANCELED;
    }
    hbitmap_reset(s->todo, start, end - start);
    hbitmap_reset(s->copied, start, end - start);
    ret = bdrv_co_pdiscard(s->target, start, end - start);
    block_copy_claim_end(s->copy, &claim);
    return ret;
}

/* ---- Open and close ---- */

static int64_t cbw_getlength(BlockDriverState *bs)
{
    return bs->file ? bdrv_getlength(bs->file->bs) : 0;
}

static void cbw_child_perm(BlockDriverState *bs, BdrvChild *c,
                           const BdrvChildRole *role,
                           BlockReopenQueue *reopen_queue,
                           uint64_t perm, uint64_t shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    if (role != &child_file) {
        /* The source may be in the target's chain, and be written to. */
        *nperm = BLK_PERM_WRITE;
        *nshared = BLK_PERM_ALL & ~BLK_PERM_RESIZE;
        return;
    }
    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    if (!QLIST_EMPTY(&bs->parents)) {
        if (perm & BLK_PERM_WRITE) {
            *nperm |= BLK_PERM_CONSISTENT_READ;
        }
        /* Writes that go around the filter would not be seen. */
        *nshared &= ~(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    }
}

int64_t bdrv_cbw_cluster_size(BlockDriverState *target, Error **errp)
{
    bool has_chain = bdrv_backing_chain_next(target);
    BlockDriverInfo bdi;
    int ret = bdrv_get_info(target, &bdi);

    if (ret < 0 && ret != -ENOTSUP && !has_chain) {
        error_setg_errno(errp, -ret, "Couldn't determine the cluster size of "
                         "the target image '%s', which has no backing file",
                         bdrv_get_device_or_node_name(target));
        return ret;
    }
    return MAX(CBW_MIN_CLUSTER, ret < 0 ? 0 : bdi.cluster_size);
}

/* The engine for the pair of edges. */
static void cbw_make_copy_state(BlockDriverState *bs, const CbwConfig *cfg)
{
    CbwFilter *s = bs->opaque;
    bool overlap = bdrv_chain_contains(s->target->bs,
                                       bdrv_skip_filters(bs->file->bs));
    int64_t chunk = cfg && cfg->max_chunk ? cfg->max_chunk : CBW_MAX_CHUNK;
    BlockCopyConfig copy = {
        .source = bs->file,
        .target = s->target,
        .length = s->length,
        .align = s->cluster,
        .max_chunk = MAX(QEMU_ALIGN_DOWN(chunk, s->cluster), s->cluster),
        .max_bytes = CBW_MAX_BYTES,
        .max_pieces = cfg && cfg->max_workers ? cfg->max_workers
                                              : CBW_MAX_WORKERS,
        .unmap = true,
        .offload = cfg && cfg->use_copy_range ? BLOCK_COPY_OFFLOAD_ALWAYS
                                              : BLOCK_COPY_OFFLOAD_NEVER,
        .done = cbw_piece_done,
        .opaque = s,
    };

    if (overlap) {
        /* Who reads the target, and with it the source, must be done before
         * the source changes. */
        copy.write_flags |= BDRV_REQ_SERIALISING;
    }
    if (cfg && cfg->compress) {
        copy.write_flags |= BDRV_REQ_WRITE_COMPRESSED;
        /* A compressed write is one cluster. */
        copy.max_chunk = s->cluster;
    }
    block_copy_state_free(s->copy);
    s->copy = block_copy_state_new(&copy);
}

/* Options that are not children. */
static bool cbw_parse_options(CbwFilter *s, QDict *options, Error **errp)
{
    const char *on_error = qdict_get_try_str(options, "on-cbw-error");
    const char *timeout = qdict_get_try_str(options, "cbw-timeout");
    uint64_t seconds = qdict_get_try_int(options, "cbw-timeout", 0);
    int i;

    if (timeout && qemu_strtou64(timeout, NULL, 10, &seconds) < 0) {
        error_setg(errp, "Parameter 'cbw-timeout' expects a number");
        return false;
    }
    if (seconds > UINT32_MAX) {
        error_setg(errp, "Parameter 'cbw-timeout' is out of range");
        return false;
    }
    s->timeout_ns = seconds * NANOSECONDS_PER_SECOND;
    i = on_error ? qapi_enum_parse(&OnCbwError_lookup, on_error, -1, errp)
                 : ON_CBW_ERROR_BREAK_GUEST_WRITE;
    if (i < 0) {
        return false;
    }
    s->on_error = i;
    qdict_del(options, "cbw-timeout");
    qdict_del(options, "on-cbw-error");
    return true;
}

static int cbw_open_children(BlockDriverState *bs, QDict *options,
                             Error **errp)
{
    CbwFilter *s = bs->opaque;
    int ret = bdrv_open_file_child(NULL, options, "file", bs, errp);

    if (ret < 0) {
        return ret;
    }
    s->target = bdrv_open_child(NULL, options, "target", bs, &child_format,
                                false, errp);
    if (!s->target) {
        return -EINVAL;
    }
    s->cluster = bdrv_cbw_cluster_size(s->target->bs, errp);
    if (s->cluster < 0) {
        return s->cluster;
    }
    s->length = bdrv_getlength(bs->file->bs);
    if (s->length < 0) {
        error_setg_errno(errp, -s->length, "Can't get the length of '%s'",
                         bs->file->bs->node_name);
        return s->length;
    }
    bs->total_sectors = DIV_ROUND_UP(s->length, BDRV_SECTOR_SIZE);
    return 0;
}

/* The options bitmap.node and bitmap.name; *@bitmap is NULL without them. */
static bool cbw_find_bitmap(QDict *options, BdrvDirtyBitmap **bitmap,
                            Error **errp)
{
    const char *node = qdict_get_try_str(options, "bitmap.node");
    const char *name = qdict_get_try_str(options, "bitmap.name");
    BlockDriverState *bs;

    *bitmap = NULL;
    if (!node && !name) {
        return true;
    }
    if (!node || !name) {
        error_setg(errp, "Parameter 'bitmap.%s' is missing",
                   node ? "name" : "node");
        return false;
    }
    bs = bdrv_lookup_bs(node, node, NULL);
    if (!bs) {
        error_setg(errp, "Node '%s' not found", node);
        return false;
    }
    *bitmap = bdrv_find_dirty_bitmap(bs, name);
    if (!*bitmap) {
        error_setg(errp, "Dirty bitmap '%s' not found", name);
        return false;
    }
    if (bdrv_dirty_bitmap_check(*bitmap, BDRV_BITMAP_ALLOW_RO, errp) < 0) {
        return false;
    }
    qdict_del(options, "bitmap.node");
    qdict_del(options, "bitmap.name");
    return true;
}

static int cbw_open(BlockDriverState *bs, QDict *options, int flags,
                    Error **errp)
{
    CbwFilter *s = bs->opaque;
    BdrvDirtyBitmap *bitmap;
    int ret;

    s->bs = bs;
    QLIST_INIT(&s->calls);
    if (!cbw_parse_options(s, options, errp)) {
        return -EINVAL;
    }
    ret = cbw_open_children(bs, options, errp);
    if (ret < 0) {
        return ret;
    }
    if (!cbw_find_bitmap(options, &bitmap, errp)) {
        return -EINVAL;
    }
    if (bitmap && bdrv_dirty_bitmap_size(bitmap) != s->length) {
        error_setg(errp, "Cannot create block-copy-state: Failed to merge "
                   "bitmap '%s' to internal copy-bitmap: Bitmaps are of "
                   "different sizes (destination size is %" PRId64 ", source "
                   "size is %" PRId64 ") and can't be merged",
                   bdrv_dirty_bitmap_name(bitmap), s->length,
                   bdrv_dirty_bitmap_size(bitmap));
        return -EINVAL;
    }
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & bs->file->bs->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         bs->file->bs->supported_zero_flags);
    s->todo = hbitmap_alloc(s->length, ctz64(s->cluster));
    s->copied = hbitmap_alloc(s->length, ctz64(s->cluster));
    if (bitmap) {
        bdrv_cbw_restrict(bs, bitmap);
    } else if (s->length) {
        hbitmap_set(s->todo, 0, s->length);
    }
    cbw_make_copy_state(bs, NULL);
    return 0;
}

static void cbw_close(BlockDriverState *bs)
{
    CbwFilter *s = bs->opaque;

    block_copy_state_free(s->copy);
    s->copy = NULL;
    if (s->todo) {
        hbitmap_free(s->todo);
        hbitmap_free(s->copied);
        s->todo = s->copied = NULL;
    }
}

/* Users see the disk, and not where its past goes. */
static void cbw_refresh_filename(BlockDriverState *bs)
{
    if (bs->file) {
        bdrv_set_string(&bs->exact_filename, bs->file->bs->filename);
    }
}

BlockDriver bdrv_copy_before_write = {
    .format_name = "copy-before-write",
    .instance_size = sizeof(CbwFilter),
    .is_filter = true,
    .bdrv_refresh_filename = cbw_refresh_filename,
    .bdrv_open = cbw_open,
    .bdrv_close = cbw_close,
    .bdrv_child_perm = cbw_child_perm,
    .bdrv_getlength = cbw_getlength,
    .bdrv_co_preadv_part = cbw_preadv,
    .bdrv_co_pwritev_part = cbw_pwritev,
    .bdrv_co_pwrite_zeroes = cbw_pwrite_zeroes,
    .bdrv_co_pdiscard = cbw_pdiscard,
    .bdrv_co_flush = cbw_flush,
    .bdrv_co_preadv_snapshot = cbw_preadv_snapshot,
    .bdrv_co_snapshot_block_status = cbw_snapshot_block_status,
    .bdrv_co_pdiscard_snapshot = cbw_pdiscard_snapshot,
};

/* ---- For jobs ---- */

BlockDriverState *bdrv_cbw_append(BlockDriverState *source,
                                  BlockDriverState *target,
                                  const CbwConfig *cfg, Error **errp)
{
    QDict *opts = qdict_new();
    BlockDriverState *filter;
    CbwFilter *s;

    qdict_put_str(opts, "driver", "copy-before-write");
    qdict_put_str(opts, "file", source->node_name);
    qdict_put_str(opts, "target", target->node_name);
    if (cfg->filter_node_name) {
        qdict_put_str(opts, "node-name", cfg->filter_node_name);
    }
    filter = bdrv_insert_node(source, opts, BDRV_O_RDWR, errp);
    if (!filter) {
        return NULL;
    }
    filter->implicit = !cfg->filter_node_name;
    s = filter->opaque;
    s->done = cfg->done;
    cbw_make_copy_state(filter, cfg);
    return filter;
}

void bdrv_cbw_drop(BlockDriverState *filter)
{
    bdrv_drop_filter(filter, &error_abort);
    bdrv_unref(filter);
}

void bdrv_cbw_abandon(BlockDriverState *filter)
{
    CbwFilter *s = filter->opaque;
    CbwCall *call;

    if (s->abandoned) {
        return;
    }
    s->abandoned = true;
    s->done = NULL;
    if (!s->snapshot_error) {
        s->snapshot_error = -ECANCELED;
    }
    s->held = block_copy_busy(s->copy) || !QLIST_EMPTY(&s->calls);
    if (s->held) {
        bdrv_ref(filter);
    }
    QLIST_FOREACH(call, &s->calls, entry) {
        bdrv_dec_in_flight(filter);
    }
    /* Their coroutines may be on the way to their end. */
    bdrv_inc_in_flight(filter);
    while ((call = cbw_next_waited_for(s))) {
        qemu_co_enter_all(&call->waiters, NULL);
    }
    block_copy_abandon(s->copy);
    bdrv_dec_in_flight(filter);
}

void bdrv_cbw_set_opaque(BlockDriverState *filter, void *opaque)
{
    ((CbwFilter *)filter->opaque)->opaque = opaque;
}

void bdrv_cbw_restrict(BlockDriverState *filter, BdrvDirtyBitmap *bitmap)
{
    CbwFilter *s = filter->opaque;
    int64_t offset = 0, n;

    hbitmap_reset_all(s->todo);
    while (bdrv_dirty_bitmap_next_dirty_area(bitmap, offset, s->length,
                                             s->length, &offset, &n)) {
        hbitmap_set(s->todo, offset, n);
        offset += n;
    }
}

HBitmap *bdrv_cbw_todo(BlockDriverState *filter)
{
    return ((CbwFilter *)filter->opaque)->todo;
}

BlockCopyState *bdrv_cbw_copy_state(BlockDriverState *filter)
{
    return ((CbwFilter *)filter->opaque)->copy;
}

int64_t bdrv_cbw_granularity(BlockDriverState *filter)
{
    return ((CbwFilter *)filter->opaque)->cluster;
}

void bdrv_cbw_set_skip_unallocated(BlockDriverState *filter, bool skip)
{
    ((CbwFilter *)filter->opaque)->skip_unallocated = skip;
}

int bdrv_cbw_snapshot_error(BlockDriverState *filter)
{
    return ((CbwFilter *)filter->opaque)->snapshot_error;
}
