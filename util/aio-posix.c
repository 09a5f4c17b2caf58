/*
 * SPDX-License-Identifier: MIT
 *
 * The file descriptors of an AioContext, and its iteration.
 *
 * One epoll set watches the internal descriptors and the notifier; a second,
 * itself watched by the first, the external ones: to let these rest it is taken
 * out, whatever their number.  What epoll refuses to watch (regular files) is
 * always ready, as poll(2) has it.  A GMainContext watches the first set only.
 *
 * Invariants
 *   1. A handler that was removed is freed only when nobody walks the
 *      handlers, and its callbacks are not called any more by the home thread.
 *   2. Events of a wait are dropped once a nested iteration has waited:
 *      epoll reports them again if they still hold.
 *
 * Lock order: handlers_lock is taken last, and no callback runs under it.
 */
#include "qemu/osdep.h"
#include <poll.h>
#include <sys/epoll.h>
#include "qapi/error.h"
#include "block/aio.h"

/* Events taken in one wait. */
#define MAX_EVENTS 64
/* Iterations with BHs that may pass without a look at the descriptors. */
#define MAX_SKIPPED_CHECKS 8
/* The first length of a busy wait. */
#define POLL_START_NS 4000

struct AioHandler {
    /* immutable */
    int fd;
    AioContext *ctx;

    /* under handlers_lock */
    bool is_external;
    bool deleted;
    bool always_ready;
    IOHandler *io_read;
    IOHandler *io_write;
    AioPollFn *io_poll;
    void *opaque;
    QLIST_ENTRY(AioHandler) node;
    QLIST_ENTRY(AioHandler) node_poll;
    QLIST_ENTRY(AioHandler) node_ready;
    QLIST_ENTRY(AioHandler) node_deleted;
};

/* ---- Registration ---- */

static int handler_epoll_set(AioHandler *h)
{
    return h->is_external ? h->ctx->epoll_external_fd : h->ctx->epoll_fd;
}

/* Called with handlers_lock held. */
static void always_ready_set(AioHandler *h, bool ready)
{
    if (h->always_ready == ready) {
        return;
    }
    h->always_ready = ready;
    if (ready) {
        QLIST_INSERT_HEAD(&h->ctx->always_ready, h, node_ready);
    } else {
        QLIST_REMOVE(h, node_ready);
    }
    __atomic_fetch_add(&h->ctx->always_ready_cnt, ready ? 1 : -1,
                       __ATOMIC_RELAXED);
}

/* Called with handlers_lock held. */
static void handler_watch(AioHandler *h, bool known)
{
    struct epoll_event ev = {
        .events = (h->io_read ? EPOLLIN : 0) | (h->io_write ? EPOLLOUT : 0),
        .data.ptr = h,
    };
    int set = handler_epoll_set(h);
    int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int ret;

    if (h->always_ready) {
        return;
    }
    ret = epoll_ctl(set, op, h->fd, &ev);
    if (ret < 0 && errno == ENOENT) {
        /* Closed and opened again without our knowing. */
        ret = epoll_ctl(set, EPOLL_CTL_ADD, h->fd, &ev);
    } else if (ret < 0 && errno == EEXIST) {
        ret = epoll_ctl(set, EPOLL_CTL_MOD, h->fd, &ev);
    }
    if (ret < 0 && errno == EPERM) {
        always_ready_set(h, true);
    } else if (ret < 0) {
        fprintf(stderr, "cannot watch file descriptor %d: %s\n", h->fd,
                strerror(errno));
        abort();
    }
}

/* Called with handlers_lock held. */
static void handler_unwatch(AioHandler *h)
{
    if (h->always_ready) {
        always_ready_set(h, false);
    } else {
        /* A closed descriptor has left the set by itself. */
        epoll_ctl(handler_epoll_set(h), EPOLL_CTL_DEL, h->fd, NULL);
    }
}

/* Called with handlers_lock held. */
static void handler_set_poll(AioHandler *h, AioPollFn *io_poll)
{
    int delta = (io_poll ? 1 : 0) - (h->io_poll ? 1 : 0);

    if (delta > 0) {
        QLIST_INSERT_HEAD(&h->ctx->poll_handlers, h, node_poll);
    } else if (delta < 0) {
        QLIST_REMOVE(h, node_poll);
    }
    h->io_poll = io_poll;
    __atomic_fetch_add(&h->ctx->poll_handlers_cnt, delta, __ATOMIC_RELAXED);
}

/* Called with handlers_lock held. */
static void handler_remove(AioHandler *h)
{
    AioContext *ctx = h->ctx;

    handler_unwatch(h);
    g_hash_table_remove(ctx->handlers_by_fd, GINT_TO_POINTER(h->fd));
    QLIST_REMOVE(h, node);
    h->deleted = true;
    h->io_read = h->io_write = NULL;
    if (ctx->walking_handlers) {
        /* Somebody may stand on it: keep its links. */
        QLIST_INSERT_HEAD(&ctx->deleted_handlers, h, node_deleted);
    } else {
        handler_set_poll(h, NULL);
        g_free(h);
    }
}

static void walk_begin(AioContext *ctx)
{
    qemu_mutex_lock(&ctx->handlers_lock);
    ctx->walking_handlers++;
    qemu_mutex_unlock(&ctx->handlers_lock);
}

static void walk_end(AioContext *ctx)
{
    AioHandler *h, *next;

    qemu_mutex_lock(&ctx->handlers_lock);
    if (--ctx->walking_handlers == 0) {
        QLIST_FOREACH_SAFE(h, &ctx->deleted_handlers, node_deleted, next) {
            QLIST_REMOVE(h, node_deleted);
            handler_set_poll(h, NULL);
            g_free(h);
        }
    }
    qemu_mutex_unlock(&ctx->handlers_lock);
}

void aio_set_fd_handler(AioContext *ctx, int fd, bool is_external,
                        IOHandler *io_read, IOHandler *io_write,
                        AioPollFn *io_poll, void *opaque)
{
    AioHandler *h;
    bool known, rewatch;

    qemu_mutex_lock(&ctx->handlers_lock);
    h = g_hash_table_lookup(ctx->handlers_by_fd, GINT_TO_POINTER(fd));
    known = h != NULL;
    if (!io_read && !io_write) {
        if (known) {
            handler_remove(h);
        }
        goto out;
    }
    if (!known) {
        h = g_new0(AioHandler, 1);
        h->fd = fd;
        h->ctx = ctx;
        h->is_external = is_external;
        QLIST_INSERT_HEAD(&ctx->handlers, h, node);
        g_hash_table_insert(ctx->handlers_by_fd, GINT_TO_POINTER(fd), h);
    } else if (h->is_external != is_external) {
        handler_unwatch(h);
        h->is_external = is_external;
        known = false;
    }
    rewatch = !known || !h->io_read != !io_read || !h->io_write != !io_write;
    h->io_read = io_read;
    h->io_write = io_write;
    h->opaque = opaque;
    handler_set_poll(h, io_poll);
    if (rewatch) {
        handler_watch(h, known);
    }
out:
    qemu_mutex_unlock(&ctx->handlers_lock);
    aio_changed(ctx);
}

void aio_set_event_notifier(AioContext *ctx, EventNotifier *notifier,
                            bool is_external, EventNotifierHandler *io_read,
                            AioPollFn *io_poll)
{
    aio_set_fd_handler(ctx, event_notifier_get_fd(notifier), is_external,
                       (IOHandler *)io_read, NULL, io_poll, notifier);
}

/* ---- Wait and dispatch ---- */

/* Takes the set of external descriptors in or out. */
static void update_external(AioContext *ctx)
{
    bool armed = !aio_external_disabled(ctx);
    struct epoll_event ev = {
        .events = EPOLLIN,
        .data.ptr = &ctx->epoll_external_fd,
    };

    if (armed != ctx->external_armed) {
        epoll_ctl(ctx->epoll_fd, armed ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  ctx->epoll_external_fd, &ev);
        ctx->external_armed = armed;
    }
}

static int epoll_wait_retry(int fd, struct epoll_event *ev, int max,
                            int timeout)
{
    int n;

    do {
        n = epoll_wait(fd, ev, max, timeout);
    } while (n < 0 && errno == EINTR && timeout == 0);
    return MAX(n, 0);
}

/*
 * Waits up to @timeout ns (-1: for ever) and stores the handlers with events.
 * Called within walk_begin() and walk_end().
 */
static int wait_events(AioContext *ctx, struct epoll_event *ev,
                       int64_t timeout)
{
    bool external = false;
    int n, m = 0;

    ctx->wait_count++;
    ctx->skipped_checks = 0;
    update_external(ctx);
    if (__atomic_load_n(&ctx->always_ready_cnt, __ATOMIC_RELAXED)) {
        timeout = 0;
    }
    if (timeout > 0) {
        GPollFD pfd = { .fd = ctx->epoll_fd, .events = G_IO_IN };

        qemu_poll_ns(&pfd, 1, timeout);
        timeout = 0;
    }
    n = epoll_wait_retry(ctx->epoll_fd, ev, MAX_EVENTS, timeout ? -1 : 0);
    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr == &ctx->epoll_external_fd) {
            external = true;
        } else if (ev[i].data.ptr != &ctx->notifier) {
            ev[m++] = ev[i];
        }
    }
    if (external && m < MAX_EVENTS) {
        m += epoll_wait_retry(ctx->epoll_external_fd, ev + m, MAX_EVENTS - m,
                              0);
    }
    return m;
}

/* Calls what @h has for @events; true if there was something. */
static bool dispatch_handler(AioContext *ctx, AioHandler *h, uint32_t events)
{
    IOHandler *io_read, *io_write;
    void *opaque;

    qemu_mutex_lock(&ctx->handlers_lock);
    io_read = h->io_read;
    io_write = h->io_write;
    opaque = h->opaque;
    if (h->is_external && aio_external_disabled(ctx)) {
        io_read = io_write = NULL;
    }
    qemu_mutex_unlock(&ctx->handlers_lock);

    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
        io_read = NULL;
    }
    if (!(events & (EPOLLOUT | EPOLLERR)) &&
        !(events & EPOLLHUP && !io_read)) {
        io_write = NULL;
    }
    if (io_read) {
        io_read(opaque);
    }
    if (io_write && io_read) {
        /* The first one may have changed the second. */
        qemu_mutex_lock(&ctx->handlers_lock);
        if (h->io_write != io_write || h->opaque != opaque) {
            io_write = NULL;
        }
        qemu_mutex_unlock(&ctx->handlers_lock);
    }
    if (io_write) {
        io_write(opaque);
    }
    return io_read || io_write;
}

/* The handlers that are always ready; the list may change meanwhile. */
static bool dispatch_always_ready(AioContext *ctx, uint64_t wait_count)
{
    AioHandler *ready[MAX_EVENTS];
    AioHandler *h;
    bool progress = false;
    int n = 0;

    qemu_mutex_lock(&ctx->handlers_lock);
    QLIST_FOREACH(h, &ctx->always_ready, node_ready) {
        if (n < MAX_EVENTS) {
            ready[n++] = h;
        }
    }
    qemu_mutex_unlock(&ctx->handlers_lock);
    for (int i = 0; i < n && ctx->wait_count == wait_count; i++) {
        progress |= dispatch_handler(ctx, ready[i], EPOLLIN | EPOLLOUT);
    }
    return progress;
}

static bool dispatch_events(AioContext *ctx, struct epoll_event *ev, int n)
{
    uint64_t wait_count = ctx->wait_count;
    bool progress = false;

    for (int i = 0; i < n && ctx->wait_count == wait_count; i++) {
        progress |= dispatch_handler(ctx, ev[i].data.ptr, ev[i].events);
    }
    if (__atomic_load_n(&ctx->always_ready_cnt, __ATOMIC_RELAXED)) {
        progress |= dispatch_always_ready(ctx, wait_count);
    }
    return progress;
}

/* ---- Busy polling ---- */

static bool run_poll_handlers_once(AioContext *ctx)
{
    bool progress = false;
    AioHandler *h;

    if (!__atomic_load_n(&ctx->poll_handlers_cnt, __ATOMIC_RELAXED)) {
        return false;
    }
    qemu_mutex_lock(&ctx->handlers_lock);
    QLIST_FOREACH(h, &ctx->poll_handlers, node_poll) {
        AioPollFn *io_poll = h->io_poll;
        void *opaque = h->opaque;

        if (h->deleted || (h->is_external && aio_external_disabled(ctx))) {
            continue;
        }
        qemu_mutex_unlock(&ctx->handlers_lock);
        progress |= io_poll(opaque);
        qemu_mutex_lock(&ctx->handlers_lock);
    }
    qemu_mutex_unlock(&ctx->handlers_lock);
    return progress;
}

/*
 * Looks for work for as long as experience says it pays.  True if a handler
 * made progress; a BH that came in ends it as well.  Called within
 * walk_begin() and walk_end().
 */
static bool busy_poll(AioContext *ctx, int64_t timeout, bool *found)
{
    int64_t end;

    *found = false;
    if (!ctx->poll_ns) {
        return false;
    }
    end = get_clock() + (timeout < 0 ? ctx->poll_ns
                                     : MIN(ctx->poll_ns, timeout));
    do {
        if (run_poll_handlers_once(ctx)) {
            *found = true;
            return true;
        }
        if (__atomic_load_n(&ctx->bh_incoming, __ATOMIC_RELAXED)) {
            *found = true;
            return false;
        }
        cpu_relax();
    } while (get_clock() < end);
    return false;
}

/* Adapts the time to how long the loop had to wait altogether. */
static void busy_poll_adapt(AioContext *ctx, int64_t max_ns, int64_t waited)
{
    int64_t grow = __atomic_load_n(&ctx->poll_grow, __ATOMIC_RELAXED);
    int64_t shrink = __atomic_load_n(&ctx->poll_shrink, __ATOMIC_RELAXED);

    if (waited <= ctx->poll_ns) {
        return;
    }
    if (waited > max_ns) {
        /* No busy wait would have been long enough. */
        ctx->poll_ns = shrink ? ctx->poll_ns / shrink : 0;
    } else {
        if (!ctx->poll_ns) {
            ctx->poll_ns = POLL_START_NS;
        } else if (__builtin_mul_overflow(ctx->poll_ns, grow ?: 2,
                                          &ctx->poll_ns)) {
            ctx->poll_ns = max_ns;
        }
        ctx->poll_ns = MIN(ctx->poll_ns, max_ns);
    }
}

void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns,
                                 int64_t grow, int64_t shrink, Error **errp)
{
    if (max_ns < 0 || grow < 0 || shrink < 0) {
        error_setg(errp, "polling parameters must not be negative: max %"
                   PRId64 " ns, grow %" PRId64 ", shrink %" PRId64,
                   max_ns, grow, shrink);
        return;
    }
    __atomic_store_n(&ctx->poll_max_ns, max_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&ctx->poll_grow, grow, __ATOMIC_RELAXED);
    __atomic_store_n(&ctx->poll_shrink, shrink, __ATOMIC_RELAXED);
    aio_changed(ctx);
}

/* ---- Iteration ---- */

/* Sleeps until there may be work; true if a handler did some already. */
static bool wait_blocking(AioContext *ctx, struct epoll_event *ev, int *n)
{
    int64_t max_ns = __atomic_load_n(&ctx->poll_max_ns, __ATOMIC_RELAXED);
    int64_t timeout = aio_compute_timeout(ctx);
    int64_t start = 0;
    bool progress = false;
    bool found = false;

    if (max_ns && timeout) {
        start = get_clock();
        ctx->poll_ns = MIN(ctx->poll_ns, max_ns);
        progress = busy_poll(ctx, timeout, &found);
    }
    if (found || !aio_notify_prepare_sleep(ctx)) {
        timeout = 0;
    } else {
        timeout = aio_compute_timeout(ctx);
    }
    *n = wait_events(ctx, ev, timeout);
    aio_notify_accept(ctx);
    if (start) {
        busy_poll_adapt(ctx, max_ns, get_clock() - start);
    }
    return progress;
}

bool aio_poll(AioContext *ctx, bool blocking)
{
    struct epoll_event ev[MAX_EVENTS];
    bool progress, contended, ran_bhs;
    int n;

    if (aio_notify_accept(ctx)) {
        blocking = false;
    }
    progress = ran_bhs = aio_bh_poll(ctx);
    if (ran_bhs && ++ctx->skipped_checks < MAX_SKIPPED_CHECKS) {
        return progress | timerlistgroup_run_timers(&ctx->tlg);
    }
    contended = blocking && aio_lock_contended(ctx);

    walk_begin(ctx);
    if (blocking && !progress && !contended) {
        progress |= wait_blocking(ctx, ev, &n);
    } else {
        n = wait_events(ctx, ev, 0);
    }
    if (!ran_bhs) {
        uint64_t wait_count = ctx->wait_count;

        progress |= aio_bh_poll(ctx);
        if (ctx->wait_count != wait_count) {
            n = 0;
        }
    }
    progress |= dispatch_events(ctx, ev, n);
    walk_end(ctx);

    progress |= timerlistgroup_run_timers(&ctx->tlg);
    if (blocking && !progress && aio_lock_contended(ctx)) {
        aio_lock_let_through(ctx);
    }
    return progress;
}

int64_t aio_prepare(AioContext *ctx)
{
    update_external(ctx);
    return aio_compute_timeout(ctx);
}

void aio_dispatch(AioContext *ctx)
{
    struct epoll_event ev[MAX_EVENTS];
    int n = 0;

    aio_bh_poll(ctx);
    walk_begin(ctx);
    if (ctx->gpollfd.revents) {
        ctx->gpollfd.revents = 0;
        n = wait_events(ctx, ev, 0);
    }
    dispatch_events(ctx, ev, n);
    walk_end(ctx);
    timerlistgroup_run_timers(&ctx->tlg);
}

/* ---- Life ---- */

int aio_context_setup(AioContext *ctx)
{
    struct epoll_event ev = {
        /* Edges, so that the notifier need not be read. */
        .events = EPOLLIN | EPOLLET,
        .data.ptr = &ctx->notifier,
    };
    int external = -1;
    int ret;

    ctx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ctx->epoll_fd < 0) {
        return -errno;
    }
    external = epoll_create1(EPOLL_CLOEXEC);
    if (external < 0 ||
        epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD,
                  event_notifier_get_fd(&ctx->notifier), &ev) < 0) {
        ret = -errno;
        goto fail;
    }
    ctx->epoll_external_fd = external;
    qemu_mutex_init(&ctx->handlers_lock);
    ctx->handlers_by_fd = g_hash_table_new(NULL, NULL);
    QLIST_INIT(&ctx->handlers);
    QLIST_INIT(&ctx->poll_handlers);
    QLIST_INIT(&ctx->always_ready);
    QLIST_INIT(&ctx->deleted_handlers);

    ctx->gpollfd.fd = ctx->epoll_fd;
    ctx->gpollfd.events = G_IO_IN;
    g_source_add_poll(&ctx->source, &ctx->gpollfd);
    return 0;

fail:
    if (external >= 0) {
        close(external);
    }
    close(ctx->epoll_fd);
    ctx->epoll_fd = -1;
    return ret;
}

void aio_context_destroy(AioContext *ctx)
{
    /* A handler that is left would be called for a context that is gone. */
    assert(QLIST_EMPTY(&ctx->handlers));
    g_hash_table_destroy(ctx->handlers_by_fd);
    qemu_mutex_destroy(&ctx->handlers_lock);
    close(ctx->epoll_external_fd);
    close(ctx->epoll_fd);
}
