/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: caches of metadata.  One has slices of L2 tables, the other refcount
 * blocks.  Memory is taken as slices are used, up to a limit.
 *
 * Invariants
 *   1. Every slice in memory is in exactly one bucket and in ->lru, least
 *      recently used first.
 *   2. A slice is dirty if dirty_from < dirty_to; ->ndirty counts these.
 *   3. Pinned or dirty slices are never dropped, but by qcow2_cache_forget().
 *   4. Dirty slices are written in the order of their offsets, neighbours in
 *      one request.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"

/* How far to look for a clean slice before dirty ones are written. */
#define CLEAN_SEARCH    64
/* There must be room for the slices that one operation pins. */
#define MIN_SLICES      8
/* Slices that are read at once when a table is read from its start on. */
#define MAX_AHEAD       16

struct Qcow2Cache {
    BlockDriverState *bs;
    bool is_l2;
    size_t slice_size;
    uint64_t max_slices;
    uint64_t nslices;
    uint64_t ndirty;
    uint64_t next_miss;         /* where a sequential reader goes on */
    unsigned tick;              /* for qcow2_cache_clean() */
    unsigned bucket_bits;
    QLIST_HEAD(, Qcow2Slice) *buckets;
    QTAILQ_HEAD(, Qcow2Slice) lru;
};

Qcow2Cache *qcow2_cache_new(BlockDriverState *bs, bool is_l2,
                            uint64_t max_slices, size_t slice_size)
{
    Qcow2Cache *c = g_new0(Qcow2Cache, 1);

    c->bs = bs;
    c->is_l2 = is_l2;
    c->slice_size = slice_size;
    c->max_slices = MAX(max_slices, MIN_SLICES);
    c->bucket_bits = 4;
    while (c->bucket_bits < 16 && (1ULL << c->bucket_bits) < c->max_slices) {
        c->bucket_bits++;
    }
    c->buckets = g_malloc0(sizeof(*c->buckets) << c->bucket_bits);
    QTAILQ_INIT(&c->lru);
    return c;
}

static inline size_t bucket_of(const Qcow2Cache *c, uint64_t offset)
{
    return (offset / QCOW2_SECTOR * 0x9e3779b97f4a7c15ULL) >>
           (64 - c->bucket_bits);
}

static inline bool is_dirty(const Qcow2Slice *slice)
{
    return slice->dirty_from < slice->dirty_to;
}

static Qcow2Slice *find(Qcow2Cache *c, uint64_t offset)
{
    Qcow2Slice *slice;

    QLIST_FOREACH(slice, &c->buckets[bucket_of(c, offset)], bucket) {
        if (slice->offset == offset) {
            return slice;
        }
    }
    return NULL;
}

static void set_clean(Qcow2Cache *c, Qcow2Slice *slice)
{
    if (is_dirty(slice)) {
        c->ndirty--;
    }
    slice->dirty_from = slice->dirty_to = 0;
}

/* Take it out of the cache; its memory stays. */
static void detach(Qcow2Cache *c, Qcow2Slice *slice)
{
    assert(slice->pins == 0);
    set_clean(c, slice);
    QLIST_REMOVE(slice, bucket);
    QTAILQ_REMOVE(&c->lru, slice, lru);
    c->nslices--;
}

static void slice_free(Qcow2Slice *slice)
{
    qemu_vfree(slice->data);
    g_free(slice);
}

static void drop(Qcow2Cache *c, Qcow2Slice *slice)
{
    detach(c, slice);
    slice_free(slice);
}

void qcow2_cache_clear(Qcow2Cache *c)
{
    Qcow2Slice *slice, *next;

    QTAILQ_FOREACH_SAFE(slice, &c->lru, lru, next) {
        drop(c, slice);
    }
}

void qcow2_cache_free(Qcow2Cache *c)
{
    if (c) {
        qcow2_cache_clear(c);
        g_free(c->buckets);
        g_free(c);
    }
}

/* ---- Writing ---- */

void qcow2_cache_dirty(Qcow2Cache *c, Qcow2Slice *slice, size_t from,
                       size_t bytes)
{
    assert(slice->pins > 0 && bytes > 0 && from + bytes <= c->slice_size);
    if (!is_dirty(slice)) {
        c->ndirty++;
        slice->dirty_from = from;
        slice->dirty_to = from + bytes;
    } else {
        slice->dirty_from = MIN(slice->dirty_from, from);
        slice->dirty_to = MAX(slice->dirty_to, from + bytes);
    }
}

bool qcow2_cache_is_dirty(const Qcow2Cache *c)
{
    return c->ndirty > 0;
}

static int compare_offsets(const void *a, const void *b)
{
    const Qcow2Slice *const *x = a, *const *y = b;

    return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

/* Write @n slices that follow each other, as far as they are dirty. */
static int coroutine_fn write_run(Qcow2Cache *c, Qcow2Slice **run, unsigned n)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    size_t align = MIN(MAX(QCOW2_SECTOR, bs->file->bs->bl.request_alignment),
                       c->slice_size);
    size_t from = QEMU_ALIGN_DOWN(run[0]->dirty_from, align);
    size_t to = QEMU_ALIGN_UP(run[n - 1]->dirty_to, align);
    uint64_t offset = run[0]->offset + from;
    QEMUIOVector qiov;
    unsigned i;
    int ret;

    qemu_iovec_init(&qiov, n);
    for (i = 0; i < n; i++) {
        size_t start = i == 0 ? from : 0;
        size_t end = i == n - 1 ? to : c->slice_size;

        qemu_iovec_add(&qiov, (uint8_t *)run[i]->data + start, end - start);
    }
    ret = qcow2_overlap_check(bs, c->is_l2 ? QCOW2_SECTION_ACTIVE_L2
                                           : QCOW2_SECTION_REFBLOCK,
                              offset, qiov.size);
    if (ret == 0) {
        qcow2_host_written(s, offset + qiov.size);
        BLKDBG_EVENT(bs->file, c->is_l2 ? BLKDBG_L2_UPDATE
                                        : BLKDBG_REFBLOCK_UPDATE_PART);
        ret = bdrv_co_pwritev(bs->file, offset, qiov.size, &qiov, 0);
    }
    if (ret >= 0) {
        for (i = 0; i < n; i++) {
            set_clean(c, run[i]);
        }
    }
    qemu_iovec_destroy(&qiov);
    return ret < 0 ? ret : 0;
}

int coroutine_fn qcow2_cache_write(Qcow2Cache *c)
{
    g_autofree Qcow2Slice **list = NULL;
    uint64_t n = 0, i, end;
    Qcow2Slice *slice;
    int ret;

    if (!c->ndirty) {
        return 0;
    }
    list = g_new(Qcow2Slice *, c->ndirty);
    QTAILQ_FOREACH(slice, &c->lru, lru) {
        if (is_dirty(slice)) {
            list[n++] = slice;
        }
    }
    assert(n == c->ndirty);
    qsort(list, n, sizeof(*list), compare_offsets);
    for (i = 0; i < n; i = end) {
        end = i + 1;
        while (end < n && end - i < IOV_MAX &&
               list[end]->offset == list[end - 1]->offset + c->slice_size) {
            end++;
        }
        ret = write_run(c, list + i, end - i);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* ---- Getting slices ---- */

/* One that can be reused, or NULL. */
static Qcow2Slice *find_victim(Qcow2Cache *c, unsigned search)
{
    Qcow2Slice *slice;

    QTAILQ_FOREACH(slice, &c->lru, lru) {
        if (!slice->pins && !is_dirty(slice)) {
            return slice;
        }
        if (search && !--search) {
            break;
        }
    }
    return NULL;
}

/* A slice that is in no list, with memory. */
static int coroutine_fn new_slice(Qcow2Cache *c, Qcow2Slice **out)
{
    Qcow2Slice *slice;
    int ret;

    if (c->nslices < c->max_slices) {
        void *data = qemu_try_blockalign(c->bs->file->bs, c->slice_size);

        if (!data) {
            return -ENOMEM;
        }
        slice = g_new0(Qcow2Slice, 1);
        slice->data = data;
        *out = slice;
        return 0;
    }
    slice = find_victim(c, CLEAN_SEARCH);
    if (!slice) {
        /* Many at once are not dearer than one. */
        ret = c->is_l2 ? qcow2_write_l2(c->bs) : qcow2_write_refs(c->bs);
        if (ret < 0) {
            return ret;
        }
        slice = find_victim(c, 0);
        assert(slice);
    }
    detach(c, slice);
    *out = slice;
    return 0;
}

static void insert(Qcow2Cache *c, Qcow2Slice *slice, uint64_t offset)
{
    slice->offset = offset;
    slice->pins = 1;
    slice->last_tick = c->tick;
    QLIST_INSERT_HEAD(&c->buckets[bucket_of(c, offset)], slice, bucket);
    QTAILQ_INSERT_TAIL(&c->lru, slice, lru);
    c->nslices++;
}

static Qcow2Slice *get_cached(Qcow2Cache *c, uint64_t offset)
{
    Qcow2Slice *slice = find(c, offset);

    if (slice) {
        slice->pins++;
        slice->last_tick = c->tick;
        if (QTAILQ_NEXT(slice, lru)) {
            QTAILQ_REMOVE(&c->lru, slice, lru);
            QTAILQ_INSERT_TAIL(&c->lru, slice, lru);
        }
    }
    return slice;
}

/*
 * How many slices from @offset on to read at once: more than one if somebody
 * goes through a table, up to its end or to what is here already, and only
 * while there is memory that nobody else uses.
 */
static unsigned slices_ahead(Qcow2Cache *c, uint64_t offset)
{
    Qcow2State *s = c->bs->opaque;
    uint64_t end = QEMU_ALIGN_UP(offset + 1, s->cluster_size);
    uint64_t n = 1;

    if (!c->is_l2 || offset != c->next_miss) {
        return 1;
    }
    while (n < MAX_AHEAD && c->nslices + n < c->max_slices &&
           offset + (n + 1) * c->slice_size <= end &&
           !find(c, offset + n * c->slice_size)) {
        n++;
    }
    return n;
}

/* Read slices that were not here.  The first one is pinned for the caller. */
static int coroutine_fn read_slices(Qcow2Cache *c, uint64_t offset,
                                    unsigned n, Qcow2Slice **first)
{
    Qcow2Slice *fresh[MAX_AHEAD];
    QEMUIOVector qiov;
    unsigned i, got;
    int ret = 0;

    qemu_iovec_init(&qiov, n);
    for (got = 0; got < n; got++) {
        ret = new_slice(c, &fresh[got]);
        if (ret < 0) {
            break;
        }
        qemu_iovec_add(&qiov, fresh[got]->data, c->slice_size);
    }
    if (got) {
        BLKDBG_EVENT(c->bs->file, c->is_l2 ? BLKDBG_L2_LOAD
                                           : BLKDBG_REFBLOCK_LOAD);
        ret = bdrv_co_preadv(c->bs->file, offset, qiov.size, &qiov, 0);
    }
    qemu_iovec_destroy(&qiov);
    for (i = 0; i < got; i++) {
        if (ret < 0) {
            slice_free(fresh[i]);
            continue;
        }
        insert(c, fresh[i], offset + i * c->slice_size);
        fresh[i]->pins = i == 0;
    }
    *first = ret < 0 ? NULL : fresh[0];
    return MIN(ret, 0);
}

int coroutine_fn qcow2_cache_get(Qcow2Cache *c, uint64_t offset,
                                 Qcow2Slice **slice)
{
    unsigned n;
    int ret;

    assert(offset && QEMU_IS_ALIGNED(offset, c->slice_size));
    *slice = get_cached(c, offset);
    if (*slice) {
        return 0;
    }
    n = slices_ahead(c, offset);
    ret = read_slices(c, offset, n, slice);
    if (ret < 0 && n > 1) {
        /* Only what is needed counts. */
        n = 1;
        ret = read_slices(c, offset, n, slice);
    }
    if (ret >= 0) {
        c->next_miss = offset + n * c->slice_size;
    }
    return ret;
}

int coroutine_fn qcow2_cache_get_new(Qcow2Cache *c, uint64_t offset,
                                     Qcow2Slice **slice)
{
    int ret;

    assert(offset && QEMU_IS_ALIGNED(offset, c->slice_size));
    *slice = get_cached(c, offset);
    if (!*slice) {
        ret = new_slice(c, slice);
        if (ret < 0) {
            return ret;
        }
        insert(c, *slice, offset);
    }
    memset((*slice)->data, 0, c->slice_size);
    return 0;
}

/* ---- Dropping ---- */

void qcow2_cache_forget(Qcow2Cache *c, uint64_t offset, uint64_t bytes)
{
    Qcow2Slice *slice, *next;
    uint64_t pos;

    if (bytes / c->slice_size > c->nslices) {
        QTAILQ_FOREACH_SAFE(slice, &c->lru, lru, next) {
            if (slice->offset >= offset && slice->offset - offset < bytes) {
                drop(c, slice);
            }
        }
        return;
    }
    for (pos = 0; pos < bytes; pos += c->slice_size) {
        slice = find(c, offset + pos);
        if (slice) {
            drop(c, slice);
        }
    }
}

void qcow2_cache_clean(Qcow2Cache *c)
{
    Qcow2Slice *slice, *next;

    QTAILQ_FOREACH_SAFE(slice, &c->lru, lru, next) {
        if (!slice->pins && !is_dirty(slice) && slice->last_tick != c->tick) {
            drop(c, slice);
        }
    }
    c->tick++;
}
