/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: where writes go.  A write to clusters that are ours alone goes in
 * place.  Others get new clusters, as many as possible in one piece; these are
 * linked into the L2 table after the data have been written.
 *
 * Invariant: the guest clusters of all elements of ->in_flight are disjoint.
 * Their L2 entries are changed by nobody but the owner of the element.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"

/* ---- In flight ---- */

void qcow2_alloc_begin(Qcow2State *s, Qcow2Alloc *a)
{
    qemu_co_queue_init(&a->waiters);
    QLIST_INSERT_HEAD(&s->in_flight, a, next);
}

void qcow2_alloc_end(Qcow2State *s, Qcow2Alloc *a)
{
    QLIST_REMOVE(a, next);
    qemu_co_queue_restart_all(&a->waiters);
}

/* The first one in the way of clusters that [offset, offset + bytes)
 * touches. */
static Qcow2Alloc *find_conflict(Qcow2State *s, uint64_t offset,
                                 uint64_t bytes)
{
    uint64_t start = qcow2_cluster_down(s, offset);
    uint64_t end = qcow2_cluster_up(s, offset + bytes);
    Qcow2Alloc *a, *first = NULL;

    QLIST_FOREACH(a, &s->in_flight, next) {
        uint64_t a_end = a->guest + ((uint64_t)a->nclusters <<
                                     s->cluster_bits);

        if (a->guest < end && start < a_end &&
            (!first || a->guest < first->guest)) {
            first = a;
        }
    }
    return first;
}

bool coroutine_fn qcow2_wait_in_flight(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    Qcow2Alloc *a;
    bool waited = false;

    while ((a = find_conflict(s, offset, bytes))) {
        qemu_co_queue_wait(&a->waiters, &s->lock);
        waited = true;
    }
    return waited;
}

/* ---- What to do with a range ---- */

typedef struct WritePlan {
    uint64_t offset;
    uint64_t bytes;
    Qcow2Slice *l2;
    unsigned index;
} WritePlan;

/* May the host cluster of @entry be written without asking anybody? */
static inline bool is_ours(BlockDriverState *bs, Qcow2Entry entry)
{
    return (entry.e & QCOW2_COPIED) ||
           (qcow2_has_data_file(bs) && (entry.e & QCOW2_ENTRY_OFFSET));
}

/* Bytes from the start of the plan on that can be written in place. */
static uint64_t in_place_bytes(BlockDriverState *bs, WritePlan *p,
                               uint64_t *host)
{
    Qcow2State *s = bs->opaque;
    unsigned i = p->index;
    uint64_t n = 0;

    for (; n < p->bytes && i < 1U << s->slice_bits; i++) {
        Qcow2Entry entry = qcow2_entry_get(s, p->l2, i);
        uint64_t in = qcow2_in_cluster(s, p->offset + n);
        unsigned sc = in >> s->subcluster_bits, end;
        uint64_t here = (entry.e & QCOW2_ENTRY_OFFSET) + in;

        if (qcow2_kind(bs, entry, sc) != QCOW2_DATA || !is_ours(bs, entry) ||
            (n && here != *host + n)) {
            break;
        }
        if (!n) {
            *host = here;
        }
        end = sc + qcow2_kind_run(bs, entry, sc);
        n += ((uint64_t)end << s->subcluster_bits) - in;
        if (end < s->subclusters) {
            break;
        }
    }
    return MIN(n, p->bytes);
}

/*
 * Number of clusters that can be treated like the first one: either they all
 * need new space, or they all have reserved space in one piece.
 */
static int count_clusters(BlockDriverState *bs, WritePlan *p, bool *reuse,
                          uint64_t *host, unsigned *count)
{
    Qcow2State *s = bs->opaque;
    uint64_t start = qcow2_cluster_down(s, p->offset);
    unsigned max = qcow2_clusters(s, p->offset + p->bytes - start);
    unsigned n;

    max = MIN(max, (1U << s->slice_bits) - p->index);
    for (n = 0; n < max; n++) {
        Qcow2Entry entry = qcow2_entry_get(s, p->l2, p->index + n);
        unsigned sc = n ? 0
            : qcow2_in_cluster(s, p->offset) >> s->subcluster_bits;
        Qcow2Kind kind = qcow2_kind(bs, entry, sc);
        uint64_t here = entry.e & QCOW2_ENTRY_OFFSET;
        bool own = qcow2_kind_has_host(kind) && is_ours(bs, entry);

        if (kind == QCOW2_INVALID) {
            if (n) {
                break;
            }
            qcow2_corrupt_entry(bs, p->l2, p->index, entry, p->offset);
            return -EIO;
        }
        if (n && kind == QCOW2_DATA && own) {
            break;              /* in place, the next time */
        }
        if (!n) {
            *reuse = own;
            *host = here;
        } else if (own != *reuse ||
                   (own && here != *host + ((uint64_t)n << s->cluster_bits))) {
            break;
        }
    }
    *count = n;
    return 0;
}

/* ---- Copy on write ---- */

/* Does what is in (sub)clusters of @kind at @guest read as zeroes? */
static bool reads_zero(BlockDriverState *bs, Qcow2Kind kind, uint64_t guest)
{
    switch (kind) {
    case QCOW2_ZERO:
    case QCOW2_ZERO_HOST:
        return true;
    case QCOW2_UNALLOCATED:
    case QCOW2_UNALLOCATED_HOST:
        if (!bs->backing) {
            return true;
        }
        return guest >= (uint64_t)bs->backing->bs->total_sectors *
                        BDRV_SECTOR_SIZE;
    default:
        return false;
    }
}

/*
 * The host cluster of @entry, if it had one, is left: its subclusters with
 * data must be copied.  Widens [*from, *to), which is in the cluster.
 */
static void cover_data(Qcow2State *s, Qcow2Entry entry, uint64_t *from,
                       uint64_t *to)
{
    uint32_t allocated = entry.bitmap;

    if (entry.e & QCOW2_COMPRESSED_FLAG) {
        *from = 0;
        *to = s->cluster_size;
    } else if (allocated) {
        *from = MIN(*from, (uint64_t)ctz32(allocated) << s->subcluster_bits);
        *to = MAX(*to, (uint64_t)(32 - clz32(allocated)) <<
                       s->subcluster_bits);
    }
}

/* What has to be copied before the new data in the first cluster. */
static void plan_head(BlockDriverState *bs, WritePlan *p, Qcow2Alloc *a)
{
    Qcow2State *s = bs->opaque;
    Qcow2Entry entry = qcow2_entry_get(s, p->l2, p->index);
    unsigned sc = a->data_from >> s->subcluster_bits;
    Qcow2Kind kind = qcow2_kind(bs, entry, sc);
    uint64_t start = (uint64_t)sc << s->subcluster_bits, dummy = 0;

    a->from = start;
    if (a->reuse_host && kind == QCOW2_DATA) {
        a->from = a->data_from; /* the data are there */
    } else if (!a->reuse_host && qcow2_has_subclusters(s)) {
        cover_data(s, entry, &a->from, &dummy);
    }
    a->head_is_zero = a->from == start &&
                      reads_zero(bs, kind, a->guest + a->from);
}

/* What has to be copied behind the new data in the last cluster. */
static void plan_tail(BlockDriverState *bs, WritePlan *p, Qcow2Alloc *a)
{
    Qcow2State *s = bs->opaque;
    unsigned last = a->nclusters - 1;
    uint64_t base = (uint64_t)last << s->cluster_bits;
    Qcow2Entry entry = qcow2_entry_get(s, p->l2, p->index + last);
    unsigned sc = (a->data_to - 1 - base) >> s->subcluster_bits;
    Qcow2Kind kind = qcow2_kind(bs, entry, sc);
    uint64_t end = (uint64_t)(sc + 1) << s->subcluster_bits, dummy = 0;

    a->to = base + end;
    if (a->reuse_host && kind == QCOW2_DATA) {
        a->to = a->data_to;
    } else if (!a->reuse_host && qcow2_has_subclusters(s)) {
        uint64_t to = end;

        cover_data(s, entry, &dummy, &to);
        a->to = base + to;
    }
    a->tail_is_zero = a->to == base + end &&
                      reads_zero(bs, kind, a->guest + a->data_to);
}

/* In one cluster of which data are left elsewhere, both ends may move. */
static void plan_copies(BlockDriverState *bs, WritePlan *p, Qcow2Alloc *a)
{
    plan_head(bs, p, a);
    plan_tail(bs, p, a);
    if (a->from == a->data_from) {
        a->head_is_zero = true;
    }
    if (a->to == a->data_to) {
        a->tail_is_zero = true;
    }
}

/* ---- Mapping a write ---- */

/* Space for the clusters of @a, of which there are @want at most. */
static int coroutine_fn find_space(BlockDriverState *bs, Qcow2Alloc *a,
                                   unsigned want)
{
    Qcow2State *s = bs->opaque;
    uint64_t end;
    int64_t n;
    int ret;

    if (qcow2_has_data_file(bs)) {
        a->host = a->guest;
        a->nclusters = want;
        return 0;
    }
    if (a->reuse_host) {
        a->nclusters = want;
    } else {
        n = qcow2_alloc_run(bs, 1, want, &a->host);
        if (n < 0) {
            return n;
        }
        a->nclusters = n;
        a->host_is_zero = !s->crypto && qcow2_host_is_fresh(s, a->host);
    }
    ret = qcow2_overlap_check(bs, 0, a->host,
                              (uint64_t)a->nclusters << s->cluster_bits);
    if (ret < 0) {
        a->nclusters = 0;
        return ret;
    }
    end = a->host + ((uint64_t)a->nclusters << s->cluster_bits);
    qcow2_grow_ahead(bs, end);
    qcow2_host_written(s, end);
    return 0;
}

/* The part that needs new entries. */
static int coroutine_fn plan_alloc(BlockDriverState *bs, WritePlan *p,
                                   Qcow2Alloc *a, Qcow2Run *run)
{
    Qcow2State *s = bs->opaque;
    uint64_t in = qcow2_in_cluster(s, p->offset);
    unsigned n;
    int ret;

    a->guest = p->offset - in;
    ret = count_clusters(bs, p, &a->reuse_host, &a->host, &n);
    if (ret == 0) {
        ret = find_space(bs, a, n);
    }
    if (ret < 0) {
        return ret;
    }
    a->data_from = in;
    a->data_to = MIN(in + p->bytes, (uint64_t)a->nclusters << s->cluster_bits);
    plan_copies(bs, p, a);
    run->host = a->host + in;
    run->bytes = a->data_to - in;
    qcow2_alloc_begin(s, a);
    return 0;
}

/* Cut @bytes to what is not in flight, or wait until there is something. */
static int coroutine_fn avoid_conflicts(BlockDriverState *bs, uint64_t offset,
                                        uint64_t *bytes)
{
    Qcow2State *s = bs->opaque;
    Qcow2Alloc *conflict;
    int ret;

    for (;;) {
        if (s->broken) {
            return -EIO;
        }
        ret = qcow2_limit_frees(bs);
        if (ret < 0) {
            return ret;
        }
        conflict = find_conflict(s, offset, *bytes);
        if (!conflict) {
            return 0;
        }
        if (conflict->guest > offset) {
            *bytes = conflict->guest - offset;
            return 0;
        }
        qemu_co_queue_wait(&conflict->waiters, &s->lock);
    }
}

int coroutine_fn qcow2_map_write(BlockDriverState *bs, uint64_t offset,
                                 uint64_t bytes, Qcow2Alloc *a, Qcow2Run *run)
{
    Qcow2State *s = bs->opaque;
    WritePlan p = { .offset = offset, .bytes = bytes };
    int ret;

    memset(a, 0, sizeof(*a));
    ret = avoid_conflicts(bs, offset, &p.bytes);
    if (ret == 0) {
        ret = qcow2_l2_get_rw(bs, offset, &p.l2, &p.index);
    }
    if (ret < 0) {
        return ret;
    }
    run->kind = QCOW2_DATA;
    run->bytes = in_place_bytes(bs, &p, &run->host);
    if (!run->bytes) {
        ret = plan_alloc(bs, &p, a, run);
    } else if (!qcow2_has_data_file(bs)) {
        ret = qcow2_overlap_check(bs, 0, run->host, run->bytes);
        qcow2_host_written(s, run->host + run->bytes);
    }
    qcow2_cache_put(p.l2);
    return ret;
}

/* ---- After the write ---- */

/* The entry of cluster @i of @a. */
static Qcow2Entry linked_entry(Qcow2State *s, const Qcow2Alloc *a, unsigned i,
                               Qcow2Entry old)
{
    uint64_t base = (uint64_t)i << s->cluster_bits;
    Qcow2Entry new = { .e = (a->host + base) | QCOW2_COPIED };
    uint64_t from, to;
    uint32_t bits;

    if (!qcow2_has_subclusters(s)) {
        return new;
    }
    new.bitmap = old.e & QCOW2_COMPRESSED_FLAG ? 0 : old.bitmap;
    if (a->no_data) {
        return new;
    }
    /* Subclusters that the write touches. */
    from = a->from > base ? (a->from - base) >> s->subcluster_bits : 0;
    to = MIN(a->to - base, s->cluster_size);
    to = DIV_ROUND_UP(to, s->subcluster_size);
    bits = (uint32_t)((1ULL << to) - (1ULL << from));
    new.bitmap = (new.bitmap & ~((uint64_t)bits << 32)) | bits;
    return new;
}

int coroutine_fn qcow2_alloc_done(BlockDriverState *bs, Qcow2Alloc *a)
{
    Qcow2State *s = bs->opaque;
    Qcow2Slice *l2;
    unsigned index, i;
    int ret;

    ret = s->broken ? -EIO : qcow2_l2_get_rw(bs, a->guest, &l2, &index);
    if (ret < 0) {
        qcow2_alloc_abort(bs, a);
        return ret;
    }
    if ((a->from < a->data_from && !a->head_is_zero) ||
        (a->to > a->data_to && !a->tail_is_zero)) {
        /* Old data in a new place. */
        s->refs_unstable = true;
        s->data_unstable |= qcow2_has_data_file(bs);
    }
    for (i = 0; i < a->nclusters; i++) {
        Qcow2Entry old = qcow2_entry_get(s, l2, index + i);
        uint64_t host = old.e & QCOW2_ENTRY_OFFSET;

        qcow2_entry_set(s, l2, index + i, linked_entry(s, a, i, old));
        if ((old.e & QCOW2_COMPRESSED_FLAG) ||
            (host && !a->reuse_host && !qcow2_has_data_file(bs))) {
            qcow2_free_entry_later(bs, a->guest +
                                   ((uint64_t)i << s->cluster_bits), old.e,
                                   QCOW2_FREE_NEVER);
        }
    }
    qcow2_cache_put(l2);
    qcow2_alloc_end(s, a);
    return 0;
}

void coroutine_fn qcow2_alloc_abort(BlockDriverState *bs, Qcow2Alloc *a)
{
    Qcow2State *s = bs->opaque;

    if (!a->reuse_host && !qcow2_has_data_file(bs) && !s->broken) {
        qcow2_free_unused(bs, a->host, a->nclusters);
    }
    qcow2_alloc_end(s, a);
}
