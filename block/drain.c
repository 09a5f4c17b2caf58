/*
 * SPDX-License-Identifier: MIT
 *
 * Drained sections: no requests, until the end of the section.
 *
 * To begin, parents are told to send no more requests, then everything in
 * flight is waited for; drivers stop their own activity by a hook.  The rules
 * are in docs/devel/drain.rst.
 *
 * Invariants
 *   1. quiesce_counter is the number of drained and subtree sections that
 *      reach the node, from below or through its children;
 *      quiesce_all_counter that of drain-all sections.
 *   2. The driver's drain_begin hook has run once for each of both.
 *   3. c->quiesced_parent is how often drained_begin was called for the edge.
 *      The edge through which a subtree section came down is left out: its
 *      parent is drained anyway.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qemu/main-loop.h"

static int drain_all_count;

/* ---- Parents ---- */

static bool parent_busy(BdrvChild *c)
{
    return c->role->drained_poll && c->role->drained_poll(c);
}

void bdrv_parent_drained_begin_single(BdrvChild *c, bool poll)
{
    c->quiesced_parent++;
    if (c->role->drained_begin) {
        c->role->drained_begin(c);
    }
    if (poll) {
        BDRV_POLL_WHILE(c->bs, parent_busy(c));
    }
}

void bdrv_parent_drained_end_single(BdrvChild *c)
{
    assert(c->quiesced_parent > 0);
    c->quiesced_parent--;
    if (c->role->drained_end) {
        c->role->drained_end(c);
    }
}

static bool parents_busy(BlockDriverState *bs, BdrvChild *ignore)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (c != ignore && parent_busy(c)) {
            return true;
        }
    }
    return false;
}

static bool node_busy(BlockDriverState *bs, BdrvChild *ignore)
{
    return atomic_read(&bs->in_flight) > 0 || parents_busy(bs, ignore);
}

bool bdrv_busy_from_child(BlockDriverState *bs, BdrvChild *c)
{
    return node_busy(bs, NULL);
}

/* ---- The driver's hooks ---- */

typedef struct DrainHook {
    BlockDriverState *bs;
    bool begin;
    bool done;
} DrainHook;

static void coroutine_fn drain_hook_entry(void *opaque)
{
    DrainHook *h = opaque;
    BlockDriverState *bs = h->bs;

    if (h->begin) {
        bs->drv->bdrv_co_drain_begin(bs);
    } else {
        bs->drv->bdrv_co_drain_end(bs);
    }
    atomic_mb_set(&h->done, true);
    bdrv_dec_in_flight(bs);
    if (h->begin) {
        g_free(h);
    }
}

/* A begin hook that yields is waited for with the requests, an end hook
 * here. */
static void run_hook(BlockDriverState *bs, bool begin)
{
    DrainHook *h, end = { .bs = bs };

    if (!bs->drv || !(begin ? bs->drv->bdrv_co_drain_begin
                            : bs->drv->bdrv_co_drain_end)) {
        return;
    }
    h = &end;
    if (begin) {
        h = g_new0(DrainHook, 1);
        h->bs = bs;
        h->begin = true;
    }
    bdrv_inc_in_flight(bs);
    bdrv_coroutine_enter(bs, qemu_coroutine_create(drain_hook_entry, h));
    if (!begin) {
        BDRV_POLL_WHILE(bs, !atomic_mb_read(&end.done));
    }
}

/* ---- One node ---- */

/* Nothing polls here. */
static void node_quiesce(BlockDriverState *bs, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    if (!bdrv_is_quiesced(bs)) {
        aio_disable_external(bdrv_get_aio_context(bs));
    }
    bs->quiesce_counter++;
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c != ignore) {
            bdrv_parent_drained_begin_single(c, false);
        }
    }
    run_hook(bs, true);
}

static void node_unquiesce(BlockDriverState *bs, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    assert(bs->quiesce_counter > 0);
    run_hook(bs, false);
    bs->quiesce_counter--;
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c != ignore && c->quiesced_parent > 0) {
            bdrv_parent_drained_end_single(c);
        }
    }
    if (!bdrv_is_quiesced(bs)) {
        aio_enable_external(bdrv_get_aio_context(bs));
    }
}

void bdrv_quiesce_from_child(BlockDriverState *bs, BdrvChild *c)
{
    node_quiesce(bs, NULL);
}

void bdrv_unquiesce_from_child(BlockDriverState *bs, BdrvChild *c)
{
    node_unquiesce(bs, NULL);
}

/* ---- A node and what is below it ---- */

static void quiesce(BlockDriverState *bs, bool recursive, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    node_quiesce(bs, ignore);
    if (recursive) {
        bs->recursive_quiesce_counter++;
        QLIST_FOREACH_SAFE(c, &bs->children, next, next) {
            quiesce(c->bs, true, c);
        }
    }
}

static void unquiesce(BlockDriverState *bs, bool recursive, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    if (recursive) {
        assert(bs->recursive_quiesce_counter > 0);
        bs->recursive_quiesce_counter--;
        QLIST_FOREACH_SAFE(c, &bs->children, next, next) {
            unquiesce(c->bs, true, c);
        }
    }
    node_unquiesce(bs, ignore);
}

static bool subtree_busy(BlockDriverState *bs, bool recursive,
                         BdrvChild *ignore)
{
    BdrvChild *c;

    if (node_busy(bs, ignore)) {
        return true;
    }
    if (recursive) {
        QLIST_FOREACH(c, &bs->children, next) {
            if (subtree_busy(c->bs, true, c)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Sections ---- */

typedef struct DrainRequest {
    BlockDriverState *bs;
    bool begin;
    bool recursive;
    Coroutine *co;
} DrainRequest;

static void do_begin(BlockDriverState *bs, bool recursive);
static void do_end(BlockDriverState *bs, bool recursive);

static void drain_bh(void *opaque)
{
    DrainRequest *r = opaque;
    AioContext *ctx = bdrv_get_aio_context(r->bs);

    aio_context_acquire(ctx);
    if (r->begin) {
        do_begin(r->bs, r->recursive);
    } else {
        do_end(r->bs, r->recursive);
    }
    aio_context_release(ctx);
    aio_co_wake(r->co);
}

/* Polling is for code outside coroutines. */
static void coroutine_fn drain_outside(BlockDriverState *bs, bool begin,
                                       bool recursive)
{
    DrainRequest r = {
        .bs = bs,
        .begin = begin,
        .recursive = recursive,
        .co = qemu_coroutine_self(),
    };

    aio_bh_schedule_oneshot(bdrv_get_aio_context(bs), drain_bh, &r);
    qemu_coroutine_yield();
}

static void do_begin(BlockDriverState *bs, bool recursive)
{
    if (qemu_in_coroutine()) {
        drain_outside(bs, true, recursive);
        return;
    }
    quiesce(bs, recursive, NULL);
    BDRV_POLL_WHILE(bs, subtree_busy(bs, recursive, NULL));
}

static void do_end(BlockDriverState *bs, bool recursive)
{
    if (qemu_in_coroutine()) {
        drain_outside(bs, false, recursive);
        return;
    }
    unquiesce(bs, recursive, NULL);
}

void bdrv_drained_begin(BlockDriverState *bs)
{
    do_begin(bs, false);
}

void bdrv_drained_end(BlockDriverState *bs)
{
    do_end(bs, false);
}

void bdrv_subtree_drained_begin(BlockDriverState *bs)
{
    do_begin(bs, true);
}

void bdrv_subtree_drained_end(BlockDriverState *bs)
{
    do_end(bs, true);
}

void bdrv_drain(BlockDriverState *bs)
{
    bdrv_drained_begin(bs);
    bdrv_drained_end(bs);
}

void coroutine_fn bdrv_co_drain(BlockDriverState *bs)
{
    assert(qemu_in_coroutine());
    bdrv_drain(bs);
}

/* ---- Changes of the graph during subtree sections ---- */

void bdrv_apply_subtree_drain(BdrvChild *child, BlockDriverState *new_parent)
{
    int i;

    for (i = 0; i < new_parent->recursive_quiesce_counter; i++) {
        quiesce(child->bs, true, child);
    }
    if (i) {
        BDRV_POLL_WHILE(child->bs, subtree_busy(child->bs, true, child));
    }
}

void bdrv_unapply_subtree_drain(BdrvChild *child,
                                BlockDriverState *old_parent)
{
    int i;

    for (i = 0; i < old_parent->recursive_quiesce_counter; i++) {
        unquiesce(child->bs, true, child);
    }
}

void bdrv_drain_driver_opened(BlockDriverState *bs)
{
    int i;

    for (i = 0; i < bs->quiesce_counter + bs->quiesce_all_counter; i++) {
        run_hook(bs, true);
    }
}

/* ---- All nodes ---- */

static void all_quiesce(BlockDriverState *bs, bool begin)
{
    BdrvChild *c, *next;

    if (begin) {
        if (!bdrv_is_quiesced(bs)) {
            aio_disable_external(bdrv_get_aio_context(bs));
        }
        bs->quiesce_all_counter++;
    } else {
        assert(bs->quiesce_all_counter > 0);
        run_hook(bs, false);
        bs->quiesce_all_counter--;
    }
    /* Nodes above are visited themselves. */
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c->role->parent_is_bds) {
            continue;
        }
        if (begin) {
            bdrv_parent_drained_begin_single(c, false);
        } else if (c->quiesced_parent > 0) {
            bdrv_parent_drained_end_single(c);
        }
    }
    if (begin) {
        run_hook(bs, true);
    } else if (!bdrv_is_quiesced(bs)) {
        aio_enable_external(bdrv_get_aio_context(bs));
    }
}

void bdrv_drain_node_created(BlockDriverState *bs)
{
    int i;

    for (i = 0; i < drain_all_count; i++) {
        all_quiesce(bs, true);
    }
}

void bdrv_drain_all_begin(void)
{
    BlockDriverState *bs = NULL;
    bool busy;

    assert(!qemu_in_coroutine());
    drain_all_count++;
    while ((bs = bdrv_next_all_states(bs))) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        all_quiesce(bs, true);
        aio_context_release(ctx);
    }
    /* What one node waits for may be another one's. */
    do {
        busy = false;
        bs = NULL;
        while ((bs = bdrv_next_all_states(bs))) {
            AioContext *ctx = bdrv_get_aio_context(bs);

            bdrv_ref(bs);
            aio_context_acquire(ctx);
            busy |= AIO_WAIT_WHILE(ctx, node_busy(bs, NULL));
            aio_context_release(ctx);
            if (bs->refcnt == 1) {
                /* It was closed meanwhile: begin again. */
                bdrv_unref(bs);
                busy = true;
                break;
            }
            bdrv_unref(bs);
        }
    } while (busy);
}

void bdrv_drain_all_end(void)
{
    BlockDriverState *bs = NULL;

    while ((bs = bdrv_next_all_states(bs))) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        all_quiesce(bs, false);
        aio_context_release(ctx);
    }
    assert(drain_all_count > 0);
    drain_all_count--;
}

void bdrv_drain_all(void)
{
    bdrv_drain_all_begin();
    bdrv_drain_all_end();
}
