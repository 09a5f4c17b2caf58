/*
 * SPDX-License-Identifier: MIT
 *
 * AioContext: an event loop.  It watches file descriptors and event notifiers,
 * runs bottom halves (BHs), timers and scheduled coroutines, and owns a thread
 * pool and the asynchronous I/O engines of its thread.
 *
 * The thread that calls aio_poll(), or iterates the GMainContext to which the
 * loop is attached as a GSource, is its home thread.  All callbacks run there.
 * Unless a function says otherwise it belongs to the home thread, or is called
 * under aio_context_acquire().
 */
#ifndef QEMU_AIO_H
#define QEMU_AIO_H

#include "qemu/queue.h"
#include "qemu/event_notifier.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

typedef struct AioHandler AioHandler;
typedef struct BlockAIOCB BlockAIOCB;
struct Coroutine;
struct ThreadPool;
struct LinuxAioState;
struct LuringState;

typedef void BlockCompletionFunc(void *opaque, int ret);
typedef void QEMUBHFunc(void *opaque);
/* True if it made progress. */
typedef bool AioPollFn(void *opaque);
typedef void IOHandler(void *opaque);

/* ---- Control blocks of asynchronous requests ---- */

typedef struct AIOCBInfo {
    /* Optional: asks for an early end; the callback still comes. */
    void (*cancel_async)(BlockAIOCB *acb);
    /* The loop in which the callback comes, if the block has no node. */
    AioContext *(*get_aio_context)(BlockAIOCB *acb);
    /* Size of the structure that begins with the BlockAIOCB. */
    size_t aiocb_size;
} AIOCBInfo;

struct BlockAIOCB {
    const AIOCBInfo *aiocb_info;
    BlockDriverState *bs;
    BlockCompletionFunc *cb;
    void *opaque;
    int refcnt;
};

/* A control block with one reference; what follows the head is not set. */
void *qemu_aio_get(const AIOCBInfo *aiocb_info, BlockDriverState *bs,
                   BlockCompletionFunc *cb, void *opaque);
void qemu_aio_ref(void *p);
/* Frees the block with the last reference. */
void qemu_aio_unref(void *p);

/* ---- The loop ---- */

/* The recursive lock of a loop (aio-lock.c). */
typedef struct AioContextLock {
    /* atomic: tag of the thread that holds it, or NULL */
    const void *owner;
    /* the owner's */
    unsigned depth;
    /* atomic */
    unsigned waiters;
    /* under mutex: number of times a waiter got the lock */
    unsigned passes;
    QemuMutex mutex;
    QemuCond cond;
} AioContextLock;

/* Opaque but for what the inline functions below touch. */
struct AioContext {
    GSource source;

    /* atomic: if not 0, external handlers rest */
    int external_disable_cnt;

    QEMUTimerListGroup tlg;

    AioContextLock lock;

    /* atomic, see aio_notify() */
    int wake_state;
    EventNotifier notifier;

    /* BHs: pushed by any thread, atomic; then in order, home thread */
    QEMUBH *bh_incoming;
    QSIMPLEQ_HEAD(, QEMUBH) bh_queue;
    uint64_t bh_round;

    /* coroutines to enter, pushed by any thread, atomic */
    struct Coroutine *co_incoming;
    /* the same in order, home thread */
    QSIMPLEQ_HEAD(, Coroutine) co_ready;
    QEMUBH *co_schedule_bh;

    /* File descriptors (aio-posix.c) */
    QemuMutex handlers_lock;
    /* under handlers_lock */
    QLIST_HEAD(, AioHandler) handlers;
    GHashTable *handlers_by_fd;
    QLIST_HEAD(, AioHandler) poll_handlers;
    QLIST_HEAD(, AioHandler) always_ready;
    QLIST_HEAD(, AioHandler) deleted_handlers;
    int walking_handlers;
    /* atomic: sizes of poll_handlers and always_ready */
    int poll_handlers_cnt;
    int always_ready_cnt;
    /* immutable after creation */
    int epoll_fd;
    int epoll_external_fd;
    /* home thread */
    bool external_armed;
    unsigned skipped_checks;
    /* counts waits, so that events of an earlier one are known as stale */
    uint64_t wait_count;
    GPollFD gpollfd;

    /* busy polling before sleeping; parameters atomic, rest home thread */
    int64_t poll_max_ns;
    int64_t poll_grow;
    int64_t poll_shrink;
    int64_t poll_ns;

    /* main thread, before use */
    int64_t aio_max_batch;
    int64_t thread_pool_min;
    int64_t thread_pool_max;

    /* created on demand, under the lock of the loop */
    struct ThreadPool *thread_pool;
    struct LinuxAioState *linux_aio;
    struct LuringState *linux_io_uring;
};

/* A new loop with one reference; NULL and @errp if descriptors run out. */
AioContext *aio_context_new(Error **errp);

/* Any thread. */
void aio_context_ref(AioContext *ctx);

/*
 * Any thread.  With the last reference, which must not be dropped while
 * somebody polls the loop, it is destroyed: no handler may be left in it.
 */
void aio_context_unref(AioContext *ctx);

/*
 * A recursive lock that keeps the loop's coroutines and request completions
 * from running in another thread.  Any thread.  While the owner has nothing to
 * do but block in aio_poll(), a waiting thread is let through.
 */
void aio_context_acquire(AioContext *ctx);
void aio_context_release(AioContext *ctx);

/*
 * Gives up all levels that the calling thread holds, and takes as many again.
 * The number passes from one to the other.
 */
unsigned aio_context_release_all(AioContext *ctx);
void aio_context_acquire_levels(AioContext *ctx, unsigned levels);

/* The loop as a GSource, with a reference of its own. */
GSource *aio_get_g_source(AioContext *ctx);

/*
 * One iteration: runs what is ready; with @blocking waits for something to
 * become ready first.  True if a handler, BH or timer ran.  May return false
 * from a wait after aio_notify().  Home thread.
 */
bool aio_poll(AioContext *ctx, bool blocking);

/* Makes a blocking iteration, the current or else the next, return; any
 * thread. */
void aio_notify(AioContext *ctx);

/*
 * What the loop waits for has changed.  As aio_notify(), but nothing to do for
 * the home thread, which looks at everything before it sleeps.
 */
void aio_changed(AioContext *ctx);

/* ---- Bottom halves ---- */

/* Runs @cb(@opaque) once in @ctx; any thread. */
void aio_bh_schedule_oneshot(AioContext *ctx, QEMUBHFunc *cb, void *opaque);

/* A new BH, not scheduled; any thread. */
QEMUBH *aio_bh_new(AioContext *ctx, QEMUBHFunc *cb, void *opaque);

/*
 * Runs it once in the next iteration, from its own callback in the one after.
 * Scheduled several times before it runs, it runs once.  Any thread; memory
 * written before is visible to the callback.
 */
void qemu_bh_schedule(QEMUBH *bh);

/* Takes a schedule back; in other threads than home it may still run. */
void qemu_bh_cancel(QEMUBH *bh);

/* It never runs again; legal while scheduled and from its own callback. */
void qemu_bh_delete(QEMUBH *bh);

/* One round of the BHs that are scheduled; true if one ran.  Home thread. */
bool aio_bh_poll(AioContext *ctx);

/* True if aio_bh_poll() would run one.  Home thread. */
bool aio_bh_pending(AioContext *ctx);

/* ---- File descriptors ---- */

/*
 * Watches @fd: @io_read(@opaque) when it is readable, @io_write(@opaque) when
 * writable; both NULL removes it.  @is_external handlers rest between
 * aio_disable_external() and aio_enable_external().  @io_poll, optional, looks
 * without a system call if there is work, does it and says so.  One set of
 * handlers for a descriptor; they may be changed and removed from within any
 * handler.  Remove them before the descriptor is closed.
 */
void aio_set_fd_handler(AioContext *ctx, int fd, bool is_external,
                        IOHandler *io_read, IOHandler *io_write,
                        AioPollFn *io_poll, void *opaque);

/* The same for a notifier, which the handler must clear. */
void aio_set_event_notifier(AioContext *ctx, EventNotifier *notifier,
                            bool is_external, EventNotifierHandler *io_read,
                            AioPollFn *io_poll);

/* External handlers of @ctx rest; nests; any thread. */
static inline void aio_disable_external(AioContext *ctx)
{
    __atomic_fetch_add(&ctx->external_disable_cnt, 1, __ATOMIC_SEQ_CST);
}

static inline void aio_enable_external(AioContext *ctx)
{
    int old;

    old = __atomic_fetch_sub(&ctx->external_disable_cnt, 1, __ATOMIC_SEQ_CST);
    assert(old > 0);
    if (old == 1) {
        aio_changed(ctx);
    }
}

static inline bool aio_external_disabled(AioContext *ctx)
{
    return __atomic_load_n(&ctx->external_disable_cnt, __ATOMIC_SEQ_CST) != 0;
}

/* ---- Timers that fire in @ctx ---- */

static inline void aio_timer_init(AioContext *ctx, QEMUTimer *ts,
                                  QEMUClockType type, int scale,
                                  QEMUTimerCB *cb, void *opaque)
{
    timer_init_tl(ts, ctx->tlg.tl[type], scale, cb, opaque);
}

static inline QEMUTimer *aio_timer_new(AioContext *ctx, QEMUClockType type,
                                       int scale, QEMUTimerCB *cb,
                                       void *opaque)
{
    return timer_new_tl(ctx->tlg.tl[type], scale, cb, opaque);
}

/* Nanoseconds that the loop may sleep: 0, or -1 for ever.  Home thread. */
int64_t aio_compute_timeout(AioContext *ctx);

/* ---- Coroutines ---- */

/*
 * Enters @co from @ctx's loop.  @co yields or is about to.  A second schedule
 * before it runs is a fatal error.  Any thread.
 */
void aio_co_schedule(AioContext *ctx, struct Coroutine *co);

/* Moves the calling coroutine to @new_ctx, where it goes on. */
void aio_co_reschedule_self(AioContext *new_ctx);

/*
 * Enters @co in the loop in which it ran last; as aio_co_enter() otherwise.
 * From another thread @co may be about to yield still.
 */
void aio_co_wake(struct Coroutine *co);

/*
 * Enters @co in @ctx.  In the home thread: at once from outside coroutines;
 * within one, when that yields or ends.  Elsewhere: through aio_co_schedule().
 */
void aio_co_enter(AioContext *ctx, struct Coroutine *co);

/*
 * The loop of the calling thread: an iothread's own, else the main one.  A
 * program may define this function itself.
 */
AioContext *qemu_get_current_aio_context(void);

/* Says which loop is the calling thread's; NULL: the main one. */
void qemu_set_current_aio_context(AioContext *ctx);

/* True if the calling thread is @ctx's home thread. */
bool in_aio_context_home_thread(AioContext *ctx);

/* ---- Engines ---- */

/* The loop's thread pool, created on demand. */
struct ThreadPool *aio_get_thread_pool(AioContext *ctx);

/* The loop's engine, created on demand; NULL and @errp if that fails. */
struct LinuxAioState *aio_setup_linux_aio(AioContext *ctx, Error **errp);
/* The same after a successful set-up. */
struct LinuxAioState *aio_get_linux_aio(AioContext *ctx);

struct LuringState *aio_setup_linux_io_uring(AioContext *ctx, Error **errp);
struct LuringState *aio_get_linux_io_uring(AioContext *ctx);

/*
 * Before it sleeps, the loop looks for up to @max_ns nanoseconds whether there
 * is work: 0 switches that off.  The time adapts itself: it is multiplied by
 * @grow (0: 2) and divided by @shrink (0: back to 0).  Errors: negative
 * values.
 */
void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns,
                                 int64_t grow, int64_t shrink, Error **errp);

/* Most requests that an engine submits at once; 0: the engine's choice. */
void aio_context_set_aio_params(AioContext *ctx, int64_t max_batch);

/*
 * Threads of the pool: @min stay when idle, @max is the limit (64 at first).
 * Errors: @min < 0, @max < 1 or @min > @max.
 */
void aio_context_set_thread_pool_params(AioContext *ctx, int64_t min,
                                        int64_t max, Error **errp);

/* ---- Between the files of the loop ---- */

/* What @ctx needs for descriptors; 0 or -errno. */
int aio_context_setup(AioContext *ctx);
void aio_context_destroy(AioContext *ctx);
/* The part of an iteration that follows the wait of a GMainContext. */
void aio_dispatch(AioContext *ctx);
/* Before a GMainContext waits; what aio_compute_timeout() says. */
int64_t aio_prepare(AioContext *ctx);
/* Announces a sleep; false if a notification came that forbids it. */
bool aio_notify_prepare_sleep(AioContext *ctx);
/* The loop looks at everything from here on; true if it was notified. */
bool aio_notify_accept(AioContext *ctx);

/* The lock of a loop. */
void aio_lock_init(AioContextLock *lock);
void aio_lock_destroy(AioContextLock *lock);
/* True if the caller is the owner and others wait. */
bool aio_lock_contended(AioContext *ctx);
/* Then: lets one through, and takes the lock again. */
void aio_lock_let_through(AioContext *ctx);

#endif /* QEMU_AIO_H */
