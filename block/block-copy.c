/*
 * SPDX-License-Identifier: MIT
 *
 * The copy engine of all block jobs and of qemu-img.
 *
 * Invariants
 *   1. Claims of one state do not overlap.
 *   2. A piece's block status is asked for after its range was claimed, so
 *      that a write that makes the answer stale is one that its user knows
 *      of (a dirty bitmap) and copies again.  Only "data" is remembered
 *      beyond the piece: acting on it is right whatever was written since,
 *      but block_copy_forget_data() keeps holes from being filled.
 *
 * Contexts: a state belongs to the AioContext of its nodes.  Memory comes from
 * copy-buffers.c, which all states share.
 */
#include "qemu/osdep.h"
#include "block/block-copy.h"
#include "block/copy-buffers.h"
#include "qemu/coroutine.h"
#include "qemu/timer.h"

/* Zeroes and discards cost no memory, but should be interruptible. */
#define BLOCK_COPY_MAX_ZERO (1 * GiB)
/* Pieces that each way of copying is tried with before one is chosen. */
#define BLOCK_COPY_TRIALS   8

/* Offloading to the host: tried, then used only if it is faster. */
typedef struct OffloadStats {
    int started;            /* pieces of either kind that were begun */
    int done[2];            /* [1]: offloaded */
    int64_t ns[2];
    int64_t bytes[2];
    bool decided;
    bool use;
} OffloadStats;

struct BlockCopyState {
    BlockCopyConfig cfg;    /* immutable */
    size_t mem_align;

    QTAILQ_HEAD(, BlockCopyClaim) claims; /* in order of their start */
    int pieces;
    bool abandoned;         /* nothing new is to be begun */
    int64_t bytes_in_flight;
    int64_t copied;
    CopyBufferUser buffers;
    CoQueue piece_done;
    int64_t data_start;     /* known to be data (invariant 2) */
    int64_t data_end;
    OffloadStats offload;
};

typedef struct BlockCopyPiece {
    BlockCopyClaim claim;
    BlockCopyState *s;
    BdrvChild *source;
    BlockCopyMethod method;
} BlockCopyPiece;

/* ---- Life ---- */

static BlockDriverState *protocol_node(BlockDriverState *bs)
{
    while (bdrv_primary_bs(bs)) {
        bs = bdrv_primary_bs(bs);
    }
    return bs;
}

static bool offload_is_possible(const BlockCopyConfig *cfg)
{
    return !(cfg->write_flags & BDRV_REQ_WRITE_COMPRESSED) && !cfg->copy_up;
}

/* Only where both sides go through the page cache: the host would bounce
 * O_DIRECT files through it. */
static bool offload_is_promising(const BlockCopyConfig *cfg)
{
    BlockDriverState *source = protocol_node(cfg->source->bs);
    BlockDriverState *target = protocol_node(cfg->target->bs);

    return !(source->open_flags & BDRV_O_NOCACHE) &&
           !(target->open_flags & BDRV_O_NOCACHE) &&
           source->bl.shares_extents && target->bl.shares_extents;
}

static void offload_init(OffloadStats *o, const BlockCopyConfig *cfg)
{
    bool possible = offload_is_possible(cfg);

    switch (cfg->offload) {
    case BLOCK_COPY_OFFLOAD_MEASURED:
        o->decided = !possible || !offload_is_promising(cfg);
        break;
    case BLOCK_COPY_OFFLOAD_NEVER:
        o->decided = true;
        break;
    case BLOCK_COPY_OFFLOAD_ALWAYS:
        o->decided = true;
        o->use = possible;
        break;
    }
}

BlockCopyState *block_copy_state_new(const BlockCopyConfig *cfg)
{
    BlockCopyState *s = g_new0(BlockCopyState, 1);

    assert(is_power_of_2(cfg->align) && cfg->max_pieces > 0);
    s->cfg = *cfg;
    s->cfg.max_chunk = QEMU_ALIGN_UP(MAX(cfg->max_chunk, cfg->align),
                                     cfg->align);
    s->mem_align = MAX(bdrv_opt_mem_align(cfg->source->bs),
                       bdrv_opt_mem_align(cfg->target->bs));
    offload_init(&s->offload, cfg);
    QTAILQ_INIT(&s->claims);
    qemu_co_queue_init(&s->piece_done);
    copy_buffers_ref();
    return s;
}

void block_copy_state_free(BlockCopyState *s)
{
    if (!s) {
        return;
    }
    assert(QTAILQ_EMPTY(&s->claims) && s->pieces == 0 && !s->buffers.used);
    copy_buffers_unref();
    g_free(s);
}

/* ---- Claims ---- */

static BlockCopyClaim *find_overlap(BlockCopyState *s, int64_t offset,
                                    int64_t bytes)
{
    BlockCopyClaim *c;

    QTAILQ_FOREACH(c, &s->claims, entry) {
        if (offset < c->offset + c->bytes && c->offset < offset + bytes) {
            return c;
        }
    }
    return NULL;
}

static void claim_insert(BlockCopyState *s, BlockCopyClaim *claim,
                         int64_t offset, int64_t bytes)
{
    claim->offset = offset;
    claim->bytes = bytes;
    qemu_co_queue_init(&claim->waiters);
    QTAILQ_INSERT_TAIL(&s->claims, claim, entry);
}

bool coroutine_fn block_copy_claim_begin(BlockCopyState *s,
                                         BlockCopyClaim *claim,
                                         int64_t offset, int64_t bytes)
{
    BlockCopyClaim *c;

    while (!s->abandoned && (c = find_overlap(s, offset, bytes))) {
        qemu_co_queue_wait(&c->waiters, NULL);
    }
    if (s->abandoned) {
        return false;
    }
    claim_insert(s, claim, offset, bytes);
    return true;
}

void coroutine_fn block_copy_claim_end(BlockCopyState *s,
                                       BlockCopyClaim *claim)
{
    QTAILQ_REMOVE(&s->claims, claim, entry);
    qemu_co_queue_restart_all(&claim->waiters);
    qemu_co_queue_restart_all(&s->piece_done);
}

BlockCopyClaim *block_copy_next_claim(BlockCopyState *s, BlockCopyClaim *claim)
{
    return claim ? QTAILQ_NEXT(claim, entry) : QTAILQ_FIRST(&s->claims);
}

/* A claim that somebody waits for. */
static BlockCopyClaim *find_waited_for(BlockCopyState *s)
{
    BlockCopyClaim *c;

    QTAILQ_FOREACH(c, &s->claims, entry) {
        if (!qemu_co_queue_empty(&c->waiters)) {
            return c;
        }
    }
    return NULL;
}

int64_t block_copy_next_free(BlockCopyState *s, int64_t offset, int64_t end,
                             int64_t *free_bytes)
{
    BlockCopyClaim *c;

    while (offset < end && (c = find_overlap(s, offset, 1))) {
        offset = c->offset + c->bytes;
    }
    offset = MIN(offset, end);
    QTAILQ_FOREACH(c, &s->claims, entry) {
        if (c->offset > offset) {
            end = MIN(end, c->offset);
        }
    }
    *free_bytes = end - offset;
    return offset;
}

/* ---- Pieces ---- */

static int coroutine_fn copy_through_buffer(BlockCopyPiece *p, bool *is_read)
{
    BlockCopyState *s = p->s;
    int64_t bytes = p->claim.bytes;
    void *buf = copy_buffer_get(&s->buffers, s->mem_align, bytes);
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);
    int ret;

    if (s->cfg.copy_up) {
        ret = bdrv_co_copy_up(s->cfg.target, p->source, p->claim.offset, bytes,
                              buf, is_read);
        copy_buffer_put(&s->buffers, buf, bytes);
        return ret;
    }
    /* Waiting for the buffer or the data may have taken long. */
    ret = s->abandoned ? -ECANCELED
        : bdrv_co_preadv(p->source, p->claim.offset, bytes, &qiov, 0);
    *is_read = ret < 0;
    if (ret >= 0 && s->abandoned) {
        ret = -ECANCELED;
    }
    if (ret >= 0) {
        ret = bdrv_co_pwritev(s->cfg.target, p->claim.offset, bytes, &qiov,
                              s->cfg.write_flags);
    }
    copy_buffer_put(&s->buffers, buf, bytes);
    return ret;
}

/* Shall this piece be offloaded?  Pieces alternate until there is enough to
 * compare. */
static bool offload_choose(OffloadStats *o)
{
    if (o->decided) {
        return o->use;
    }
    return o->started++ & 1;
}

static void offload_account(OffloadStats *o, bool offloaded, int64_t ns,
                            int64_t bytes)
{
    if (o->decided) {
        return;
    }
    o->done[offloaded]++;
    o->ns[offloaded] += ns;
    o->bytes[offloaded] += bytes;
    if (o->done[0] >= BLOCK_COPY_TRIALS && o->done[1] >= BLOCK_COPY_TRIALS) {
        o->decided = true;
        o->use = (double)o->ns[1] * o->bytes[0] <
                 (double)o->ns[0] * o->bytes[1];
    }
}

static int coroutine_fn copy_data(BlockCopyPiece *p, bool *is_read)
{
    BlockCopyState *s = p->s;
    OffloadStats *o = &s->offload;
    bool offload = !s->abandoned && offload_choose(o);
    int64_t start = o->decided ? 0 : qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int ret = -ENOTSUP;

    if (offload) {
        ret = bdrv_co_copy_range(p->source, p->claim.offset,
                                 s->cfg.target, p->claim.offset,
                                 p->claim.bytes, 0, s->cfg.write_flags);
        if (ret < 0) {
            /* Whatever it was: the plain way tells which side failed. */
            o->decided = true;
            o->use = false;
            offload = false;
        }
    }
    if (ret < 0) {
        ret = copy_through_buffer(p, is_read);
    }
    if (ret >= 0 && !o->decided) {
        offload_account(o, offload,
                        qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start,
                        p->claim.bytes);
    }
    return ret;
}

static int coroutine_fn copy_by_method(BlockCopyPiece *p, bool *is_read)
{
    BlockCopyState *s = p->s;
    BdrvRequestFlags unmap = s->cfg.unmap ? BDRV_REQ_MAY_UNMAP : 0;

    switch (p->method) {
    case BLOCK_COPY_DATA:
        return copy_data(p, is_read);
    case BLOCK_COPY_ZERO:
        if (s->cfg.copy_up) {
            return bdrv_co_copy_up(s->cfg.target, p->source, p->claim.offset,
                                   p->claim.bytes, NULL, is_read);
        }
        return bdrv_co_pwrite_zeroes(s->cfg.target, p->claim.offset,
                                     p->claim.bytes,
                                     (s->cfg.write_flags &
                                      ~BDRV_REQ_WRITE_COMPRESSED) | unmap);
    case BLOCK_COPY_DISCARD:
        return bdrv_co_pdiscard(s->cfg.target, p->claim.offset,
                                p->claim.bytes);
    case BLOCK_COPY_ON_READ:
        *is_read = true;
        return bdrv_co_preadv(s->cfg.target, p->claim.offset, p->claim.bytes,
                              NULL, BDRV_REQ_COPY_ON_READ | BDRV_REQ_PREFETCH);
    }
    g_assert_not_reached();
}

static int64_t piece_cost(BlockCopyPiece *p)
{
    return p->method == BLOCK_COPY_DATA || p->method == BLOCK_COPY_ON_READ
           ? p->claim.bytes : 0;
}

static int coroutine_fn copy_piece(BlockCopyPiece *p, bool *is_read)
{
    int ret = copy_by_method(p, is_read);

    if (ret >= 0) {
        p->s->copied += piece_cost(p);
    }
    return ret;
}

static void coroutine_fn block_copy_entry(void *opaque)
{
    BlockCopyPiece *p = opaque;
    BlockCopyState *s = p->s;
    bool is_read = false;
    int ret = copy_piece(p, &is_read);

    s->cfg.done(s->cfg.opaque, p->claim.offset, p->claim.bytes, ret, is_read);
    s->bytes_in_flight -= piece_cost(p);
    s->pieces--;
    block_copy_claim_end(s, &p->claim);
    g_free(p);
}

/* What the piece is, and how long: claim.bytes shrinks to one kind. */
static void coroutine_fn piece_classify(BlockCopyPiece *p)
{
    BlockCopyState *s = p->s;
    BlockCopyClaim *c = &p->claim;
    int64_t pnum = 0;
    int ret;

    p->method = BLOCK_COPY_DATA;
    pnum = block_copy_known_data(s, c->offset);
    if (!pnum) {
        ret = bdrv_co_block_status_above(s->cfg.source->bs, NULL, c->offset,
                                         c->bytes, &pnum, NULL, NULL);
        if (ret < 0 || pnum == 0) {
            /* Reading will tell. */
            pnum = s->cfg.max_chunk;
        } else if (ret & BDRV_BLOCK_ZERO) {
            p->method = BLOCK_COPY_ZERO;
        } else if (!(ret & BDRV_BLOCK_DATA)) {
            p->method = BLOCK_COPY_DISCARD;
        } else {
            s->data_start = c->offset;
            s->data_end = c->offset + pnum;
        }
    }
    if (p->method != BLOCK_COPY_DATA && pnum < c->bytes) {
        /* Only whole units; one with several kinds in it is data. */
        pnum = QEMU_ALIGN_DOWN(pnum, s->cfg.align);
        if (!pnum) {
            p->method = BLOCK_COPY_DATA;
        }
    }
    if (p->method == BLOCK_COPY_DATA) {
        pnum = MIN(QEMU_ALIGN_UP(MAX(pnum, 1), s->cfg.align),
                   s->cfg.max_chunk);
    }
    c->bytes = MIN(c->bytes, MIN(pnum, BLOCK_COPY_MAX_ZERO));
}

int64_t coroutine_fn block_copy_start(BlockCopyState *s, int64_t offset,
                                      int64_t bytes, int64_t *cost)
{
    BlockCopyPiece *p = g_new0(BlockCopyPiece, 1);
    int64_t started;

    assert(bytes > 0 && !find_overlap(s, offset, bytes));
    p->s = s;
    p->source = s->cfg.source;
    claim_insert(s, &p->claim, offset, bytes);
    s->pieces++;
    piece_classify(p);
    started = p->claim.bytes;
    *cost = piece_cost(p);
    s->bytes_in_flight += *cost;
    /* Those who wait for the part that was given up look again. */
    if (started < bytes) {
        qemu_co_queue_restart_all(&p->claim.waiters);
    }
    qemu_coroutine_enter(qemu_coroutine_create(block_copy_entry, p));
    return started;
}

int64_t coroutine_fn block_copy_start_known(BlockCopyState *s,
                                            BdrvChild *source,
                                            BlockCopyMethod method,
                                            int64_t offset, int64_t bytes)
{
    BlockCopyPiece *p = g_new0(BlockCopyPiece, 1);
    int64_t cost;

    assert(bytes > 0 && !find_overlap(s, offset, bytes));
    p->s = s;
    p->source = source;
    p->method = method;
    claim_insert(s, &p->claim, offset, bytes);
    s->pieces++;
    cost = piece_cost(p);
    s->bytes_in_flight += cost;
    qemu_coroutine_enter(qemu_coroutine_create(block_copy_entry, p));
    return cost;
}

int coroutine_fn block_copy_claimed(BlockCopyState *s, int64_t offset,
                                    int64_t bytes, bool *is_read)
{
    int64_t end = offset + bytes;
    int ret = 0;

    while (offset < end && ret >= 0) {
        BlockCopyPiece p = {
            .s = s,
            .source = s->cfg.source,
            .claim = { .offset = offset, .bytes = end - offset },
        };

        if (s->abandoned) {
            return -ECANCELED;
        }
        piece_classify(&p);
        ret = copy_piece(&p, is_read);
        offset += p.claim.bytes;
    }
    return MIN(ret, 0);
}

int64_t block_copy_known_data(BlockCopyState *s, int64_t offset)
{
    return offset >= s->data_start && offset < s->data_end
           ? s->data_end - offset : 0;
}

void block_copy_forget_data(BlockCopyState *s, int64_t offset, int64_t bytes)
{
    if (offset < s->data_end && offset + bytes > s->data_start) {
        s->data_start = s->data_end = 0;
    }
}

int64_t block_copy_copied(BlockCopyState *s)
{
    return s ? s->copied : 0;
}

bool block_copy_full(BlockCopyState *s)
{
    return s->pieces >= s->cfg.max_pieces ||
           (s->pieces > 0 &&
            s->bytes_in_flight + s->cfg.max_chunk > s->cfg.max_bytes);
}

bool block_copy_busy(BlockCopyState *s)
{
    return !QTAILQ_EMPTY(&s->claims);
}

void coroutine_fn block_copy_wait_one(BlockCopyState *s)
{
    if (!QTAILQ_EMPTY(&s->claims) && !s->abandoned) {
        qemu_co_queue_wait(&s->piece_done, NULL);
    }
}

void coroutine_fn block_copy_wait_all(BlockCopyState *s)
{
    while (s->pieces && !s->abandoned) {
        qemu_co_queue_wait(&s->piece_done, NULL);
    }
}

void block_copy_abandon(BlockCopyState *s)
{
    BlockCopyClaim *c;

    s->abandoned = true;
    qemu_co_enter_all(&s->piece_done, NULL);
    while ((c = find_waited_for(s))) {
        qemu_co_enter_all(&c->waiters, NULL);
    }
}
