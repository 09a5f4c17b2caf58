/*
 * SPDX-License-Identifier: MIT
 *
 * Buffers for data that is being copied.
 *
 * They lie in one arena of huge pages: a piece of 1 MiB is then contiguous in
 * the host's memory, so that a request with O_DIRECT is one segment rather than
 * 256, and pinning it is one step.  That halves the time of a copy between fast
 * disks, see docs/devel/performance.rst.  Where the host has no huge pages to
 * give, the arena consists of ordinary ones.
 *
 * Invariants
 *   1. budget.used is the sum of all users' used, at most COPY_BUDGET unless
 *      a user who has nothing takes its first buffer: nobody starves.
 *      Others get theirs in the order in which they came.
 *   2. The lowest free units are taken, so that few of them are ever touched;
 *      budget.touched is the end of those that may have memory, budget.peak
 *      of those that were taken since all were free.
 */
#include "qemu/osdep.h"
#include <sys/mman.h>
#include "block/copy-buffers.h"
#include "block/aio.h"
#include "qemu/bitmap.h"
#include "qemu/queue.h"
#include "qemu/thread.h"

/* What the arena is handed out in. */
#define ARENA_UNIT      (64 * KiB)
#define HUGE_PAGE       (2 * MiB)
/* Bytes of buffers in the whole process. */
#define COPY_BUDGET     (64 * MiB)
#define NR_UNITS        (COPY_BUDGET / ARENA_UNIT)
/* Bytes of the arena that stay in any case while there are users. */
#define ARENA_KEEP      (2 * HUGE_PAGE)

typedef struct BudgetWaiter {
    Coroutine *co;
    CopyBufferUser *user;
    int64_t bytes;
    QSIMPLEQ_ENTRY(BudgetWaiter) entry;
} BudgetWaiter;

typedef QSIMPLEQ_HEAD(, BudgetWaiter) BudgetWaiters;

static struct {
    QemuMutex lock;
    int64_t used;
    int refs;
    void *mapping;          /* with room to align the arena; NULL: none */
    char *arena;
    size_t touched;         /* bytes of the arena (invariant 2) */
    size_t peak;
    DECLARE_BITMAP(taken, NR_UNITS);
    BudgetWaiters waiters;
} budget;

static void __attribute__((constructor)) copy_buffers_init(void)
{
    qemu_mutex_init(&budget.lock);
    QSIMPLEQ_INIT(&budget.waiters);
}

/* ---- The arena; budget.lock is held ---- */

static void arena_map(void)
{
    void *p = mmap(NULL, COPY_BUDGET + HUGE_PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        return;
    }
    budget.mapping = p;
    budget.arena = QEMU_ALIGN_PTR_UP(p, HUGE_PAGE);
    /* A wish: without it only the speed differs. */
    madvise(budget.arena, COPY_BUDGET, MADV_HUGEPAGE);
}

static void arena_unmap(void)
{
    if (budget.mapping) {
        munmap(budget.mapping, COPY_BUDGET + HUGE_PAGE);
    }
    budget.mapping = NULL;
    budget.arena = NULL;
    budget.touched = 0;
    budget.peak = 0;
}

/* All units are free: give back what those who copied last did not need.
 * Those who copy next will need as much, as a rule. */
static void arena_trim(void)
{
    size_t keep = MAX(ROUND_UP(budget.peak, HUGE_PAGE), ARENA_KEEP);

    if (budget.touched > keep &&
        madvise(budget.arena + keep, budget.touched - keep,
                MADV_DONTNEED) == 0) {
        budget.touched = keep;
    }
    budget.peak = 0;
}

/* NULL: there is no room in one piece. */
static void *arena_get(size_t align, int64_t bytes)
{
    unsigned long nr = bytes / ARENA_UNIT, start;

    if (!budget.arena || align > HUGE_PAGE) {
        return NULL;
    }
    start = bitmap_find_next_zero_area(budget.taken, NR_UNITS, 0, nr,
                                       align > ARENA_UNIT
                                       ? align / ARENA_UNIT - 1 : 0);
    if (start == NR_UNITS) {
        return NULL;
    }
    bitmap_set(budget.taken, start, nr);
    budget.peak = MAX(budget.peak, (start + nr) * ARENA_UNIT);
    budget.touched = MAX(budget.touched, budget.peak);
    return budget.arena + start * ARENA_UNIT;
}

/* False: @buf is not in the arena. */
static bool arena_put(void *buf, int64_t bytes)
{
    uintptr_t offset = (uintptr_t)buf - (uintptr_t)budget.arena;

    if (!budget.arena || offset >= COPY_BUDGET) {
        return false;
    }
    bitmap_clear(budget.taken, offset / ARENA_UNIT, bytes / ARENA_UNIT);
    return true;
}

/* ---- Buffers ---- */

void copy_buffers_ref(void)
{
    qemu_mutex_lock(&budget.lock);
    if (budget.refs++ == 0) {
        arena_map();
    }
    qemu_mutex_unlock(&budget.lock);
}

void copy_buffers_unref(void)
{
    qemu_mutex_lock(&budget.lock);
    if (--budget.refs == 0) {
        assert(budget.used == 0);
        arena_unmap();
    }
    qemu_mutex_unlock(&budget.lock);
}

static bool budget_allows(CopyBufferUser *user, int64_t bytes)
{
    return !user->used || budget.used + bytes <= COPY_BUDGET;
}

static void budget_take(CopyBufferUser *user, int64_t bytes)
{
    budget.used += bytes;
    user->used += bytes;
}

/* Those who may go on now are moved to @granted. */
static void budget_grant(BudgetWaiters *granted)
{
    BudgetWaiter *w, *next;
    bool turn = true;

    QSIMPLEQ_FOREACH_SAFE(w, &budget.waiters, entry, next) {
        turn = turn && budget_allows(w->user, w->bytes);
        if (turn || !w->user->used) {
            QSIMPLEQ_REMOVE(&budget.waiters, w, BudgetWaiter, entry);
            QSIMPLEQ_INSERT_TAIL(granted, w, entry);
            budget_take(w->user, w->bytes);
        }
    }
}

void *coroutine_fn copy_buffer_get(CopyBufferUser *user, size_t align,
                                   int64_t bytes)
{
    void *buf;

    bytes = ROUND_UP(bytes, ARENA_UNIT);
    align = MAX(align, qemu_real_host_page_size());
    qemu_mutex_lock(&budget.lock);
    if (budget_allows(user, bytes) &&
        (QSIMPLEQ_EMPTY(&budget.waiters) || !user->used)) {
        budget_take(user, bytes);
    } else {
        BudgetWaiter w = {
            .co = qemu_coroutine_self(),
            .user = user,
            .bytes = bytes,
        };

        QSIMPLEQ_INSERT_TAIL(&budget.waiters, &w, entry);
        qemu_mutex_unlock(&budget.lock);
        qemu_coroutine_yield();
        qemu_mutex_lock(&budget.lock);
    }
    buf = arena_get(align, bytes);
    qemu_mutex_unlock(&budget.lock);
    return buf ? buf : qemu_memalign(align, bytes);
}

void coroutine_fn copy_buffer_put(CopyBufferUser *user, void *buf,
                                  int64_t bytes)
{
    BudgetWaiters granted = QSIMPLEQ_HEAD_INITIALIZER(granted);
    BudgetWaiter *w;

    bytes = ROUND_UP(bytes, ARENA_UNIT);
    qemu_mutex_lock(&budget.lock);
    budget.used -= bytes;
    user->used -= bytes;
    if (arena_put(buf, bytes)) {
        buf = NULL;
    }
    budget_grant(&granted);
    if (!budget.used) {
        arena_trim();
    }
    qemu_mutex_unlock(&budget.lock);
    qemu_vfree(buf);
    while ((w = QSIMPLEQ_FIRST(&granted))) {
        Coroutine *co = w->co;

        /* @w lies on the stack of @co. */
        QSIMPLEQ_REMOVE_HEAD(&granted, entry);
        aio_co_wake(co);
    }
}
