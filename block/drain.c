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
 *      reach the node, its own, from above and from below;
 *      quiesce_all_counter that of drain-all sections.  While either is not
 *      zero it holds the context's external handlers once.
 *   2. The driver's drain_begin hook has been started once for each of both,
 *      and drain_end once for each that is over.
 *   3. c->quiesced_parent is how often drained_begin was called for the edge.
 *      The edge through which a subtree section came down is left out: its
 *      parent is drained anyway.
 *   4. Nothing polls between the first and the last change of a counter of
 *      one section.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qemu/main-loop.h"

/* Drain-all sections that are open; main thread. */
static int drain_all_count;
/* Who began the latest of them. */
static const char *drain_all_by;

/* End hooks of the section that ends in this thread now: how many run yet. */
static __thread unsigned *end_hooks;

/* ---- Who it was ---- */

BlockDriverState *bdrv_drain_note(BlockDriverState *bs, const char *who)
{
    atomic_set(&bs->drained_by, who);
    return bs;
}

void bdrv_drain_note_all(const char *who)
{
    drain_all_by = who;
}

const char *bdrv_drained_by(BlockDriverState *bs)
{
    if (bs->quiesce_counter > 0) {
        return atomic_read(&bs->drained_by);
    }
    return bs->quiesce_all_counter > 0 ? drain_all_by : NULL;
}

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
    void coroutine_fn (*fn)(BlockDriverState *bs);
    unsigned *pending;      /* to be lowered, or NULL */
} DrainHook;

static void coroutine_fn drain_hook_entry(void *opaque)
{
    DrainHook *h = opaque;

    h->fn(h->bs);
    bdrv_dec_in_flight(h->bs);
    if (h->pending) {
        /* Who waits for it may free the node now. */
        atomic_dec(h->pending);
        aio_wait_kick();
    }
    g_free(h);
}

/* Hooks may yield.  As they count as requests, who begins a section waits for
 * them without knowing; who ends one counts them. */
static void start_hook(BlockDriverState *bs, bool begin)
{
    DrainHook hook = { .bs = bs, .pending = begin ? NULL : end_hooks };

    if (bs->drv) {
        hook.fn = begin ? bs->drv->bdrv_co_drain_begin
                        : bs->drv->bdrv_co_drain_end;
    }
    if (!hook.fn) {
        return;
    }
    bdrv_inc_in_flight(bs);
    if (hook.pending) {
        atomic_inc(hook.pending);
    }
    bdrv_coroutine_enter(bs, qemu_coroutine_create(drain_hook_entry,
                                                   g_memdup2(&hook,
                                                             sizeof(hook))));
}

/* ---- One node ---- */

/* One of the node's counters goes up or down; external handlers stand still
 * while it is not zero. */
static void counter_up(BlockDriverState *bs, int *counter)
{
    if ((*counter)++ == 0) {
        aio_disable_external(bdrv_get_aio_context(bs));
    }
}

static void counter_down(BlockDriverState *bs, int *counter)
{
    assert(*counter > 0);
    if (--*counter == 0) {
        aio_enable_external(bdrv_get_aio_context(bs));
    }
}

static void node_quiesce(BlockDriverState *bs, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    counter_up(bs, &bs->quiesce_counter);
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c != ignore) {
            bdrv_parent_drained_begin_single(c, false);
        }
    }
    start_hook(bs, true);
}

static void node_unquiesce(BlockDriverState *bs, BdrvChild *ignore)
{
    BdrvChild *c, *next;

    start_hook(bs, false);
    counter_down(bs, &bs->quiesce_counter);
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c != ignore) {
            bdrv_parent_drained_end_single(c);
        }
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

typedef enum DrainKind {
    DRAIN_NODE,
    DRAIN_SUBTREE,
    DRAIN_ALL,
} DrainKind;

static void section_begin(BlockDriverState *bs, DrainKind kind);
static void section_end(BlockDriverState *bs, DrainKind kind);

/* A section that a coroutine begins or ends */
typedef struct DrainHop DrainHop;
struct DrainHop {
    BlockDriverState *bs;       /* NULL: all */
    DrainKind kind;
    bool begin;
    Coroutine *co;
    DrainHop *outer;
};

/* The sections that this thread begins now for coroutines, innermost first. */
static __thread DrainHop *serving;

unsigned bdrv_drain_serves(bool (*is)(Coroutine *co, void *opaque),
                           void *opaque)
{
    DrainHop *hop;
    unsigned n = 0;

    for (hop = serving; hop; hop = hop->outer) {
        n += is(hop->co, opaque);
    }
    return n;
}

static void hop_bh(void *opaque)
{
    DrainHop *hop = opaque;
    AioContext *ctx = hop->bs ? bdrv_get_aio_context(hop->bs) : NULL;

    if (ctx) {
        aio_context_acquire(ctx);
        bdrv_dec_in_flight(hop->bs);
    }
    if (hop->begin) {
        hop->outer = serving;
        serving = hop;
        section_begin(hop->bs, hop->kind);
        serving = hop->outer;
    } else {
        section_end(hop->bs, hop->kind);
    }
    if (ctx) {
        aio_context_release(ctx);
    }
    aio_co_wake(hop->co);
}

/* Coroutines can't poll: a bottom half of the same thread does it, or one of
 * the main thread where all nodes are concerned. */
static void coroutine_fn hop_out(BlockDriverState *bs, DrainKind kind,
                                 bool begin)
{
    DrainHop hop = {
        .bs = bs,
        .kind = kind,
        .begin = begin,
        .co = qemu_coroutine_self(),
    };

    if (bs) {
        /* It keeps its context until then. */
        bdrv_inc_in_flight(bs);
    }
    aio_bh_schedule_oneshot(bs ? qemu_get_current_aio_context()
                               : qemu_get_aio_context(), hop_bh, &hop);
    qemu_coroutine_yield();
}

static void all_begin(void);
static void all_end(void);

static void section_begin(BlockDriverState *bs, DrainKind kind)
{
    bool recursive = kind == DRAIN_SUBTREE;

    if (qemu_in_coroutine()) {
        hop_out(bs, kind, true);
    } else if (kind == DRAIN_ALL) {
        all_begin();
    } else {
        quiesce(bs, recursive, NULL);
        BDRV_POLL_WHILE(bs, subtree_busy(bs, recursive, NULL));
    }
}

static void section_end(BlockDriverState *bs, DrainKind kind)
{
    unsigned *outer = end_hooks, pending = 0;

    if (qemu_in_coroutine()) {
        hop_out(bs, kind, false);
        return;
    }
    if (kind == DRAIN_ALL) {
        all_end();
        return;
    }
    end_hooks = &pending;
    unquiesce(bs, kind == DRAIN_SUBTREE, NULL);
    end_hooks = outer;
    BDRV_POLL_WHILE(bs, atomic_read(&pending) > 0);
}

void (bdrv_drained_begin)(BlockDriverState *bs)
{
    section_begin(bs, DRAIN_NODE);
}

void bdrv_drained_end(BlockDriverState *bs)
{
    section_end(bs, DRAIN_NODE);
}

void (bdrv_subtree_drained_begin)(BlockDriverState *bs)
{
    section_begin(bs, DRAIN_SUBTREE);
}

void bdrv_subtree_drained_end(BlockDriverState *bs)
{
    section_end(bs, DRAIN_SUBTREE);
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

/* ---- Changes of the graph during sections ---- */

void bdrv_apply_subtree_drain(BdrvChild *child, BlockDriverState *new_parent)
{
    int i, sections = new_parent->recursive_quiesce_counter;

    for (i = 0; i < sections; i++) {
        quiesce(child->bs, true, child);
    }
    if (sections) {
        BDRV_POLL_WHILE(child->bs, subtree_busy(child->bs, true, child));
    }
}

void bdrv_unapply_subtree_drain(BdrvChild *child,
                                BlockDriverState *old_parent)
{
    int i, sections = old_parent->recursive_quiesce_counter;

    for (i = 0; i < sections; i++) {
        unquiesce(child->bs, true, child);
    }
}

void bdrv_drain_driver_opened(BlockDriverState *bs)
{
    int i;

    for (i = 0; i < bs->quiesce_counter + bs->quiesce_all_counter; i++) {
        start_hook(bs, true);
    }
}

/* ---- All nodes ---- */

/* Nodes above are visited themselves, so only other parents are told. */

static void node_quiesce_all(BlockDriverState *bs)
{
    BdrvChild *c, *next;

    counter_up(bs, &bs->quiesce_all_counter);
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (!c->role->parent_is_bds) {
            bdrv_parent_drained_begin_single(c, false);
        }
    }
    start_hook(bs, true);
}

static void node_unquiesce_all(BlockDriverState *bs)
{
    BdrvChild *c, *next;

    start_hook(bs, false);
    counter_down(bs, &bs->quiesce_all_counter);
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (!c->role->parent_is_bds) {
            bdrv_parent_drained_end_single(c);
        }
    }
}

static bool busy_alone(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (!c->role->parent_is_bds && parent_busy(c)) {
            return true;
        }
    }
    return atomic_read(&bs->in_flight) > 0;
}

void bdrv_drain_node_created(BlockDriverState *bs)
{
    while (bs->quiesce_all_counter < drain_all_count) {
        node_quiesce_all(bs);
    }
}

static bool join_sections(BlockDriverState *bs)
{
    bdrv_drain_node_created(bs);
    return false;
}

static bool leave_sections(BlockDriverState *bs)
{
    while (bs->quiesce_all_counter > drain_all_count) {
        node_unquiesce_all(bs);
    }
    return false;
}

static bool wait_until_idle(BlockDriverState *bs)
{
    return BDRV_POLL_WHILE(bs, busy_alone(bs));
}

static BlockDriverState *next_node(BlockDriverState *bs)
{
    bs = bdrv_next_all_states(bs);
    if (bs) {
        bdrv_ref(bs);
    }
    return bs;
}

/* @fn may run anything, also what drops nodes.  Did one return true? */
static bool for_each_node(bool (*fn)(BlockDriverState *bs))
{
    BlockDriverState *bs = next_node(NULL), *next;
    bool result = false;

    while (bs) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        result |= fn(bs);
        next = next_node(bs);
        bdrv_unref(bs);
        aio_context_release(ctx);
        bs = next;
    }
    return result;
}

static void all_begin(void)
{
    drain_all_count++;
    for_each_node(join_sections);
    /* While one node is waited for, another one may get busy with what its
     * requests, or the node's users, entail. */
    while (for_each_node(wait_until_idle)) {
        /* again */
    }
}

static void all_end(void)
{
    unsigned *outer = end_hooks, pending = 0;

    assert(drain_all_count > 0);
    drain_all_count--;
    end_hooks = &pending;
    for_each_node(leave_sections);
    end_hooks = outer;
    AIO_WAIT_WHILE(NULL, atomic_read(&pending) > 0);
}

void (bdrv_drain_all_begin)(void)
{
    section_begin(NULL, DRAIN_ALL);
}

void bdrv_drain_all_end(void)
{
    section_end(NULL, DRAIN_ALL);
}

void bdrv_drain_all(void)
{
    bdrv_drain_all_begin();
    bdrv_drain_all_end();
}
