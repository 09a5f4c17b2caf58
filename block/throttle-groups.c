/*
 * SPDX-License-Identifier: MIT
 *
 * Throttle groups: one set of limits for the requests of several members.
 *
 * A request that is over the limits waits in its member's queue.  For each
 * direction at most one timer of the group is armed; when it fires, one
 * request of the member that holds the token passes, and the token goes to
 * the next member that has requests waiting.
 *
 * Invariants, all under group->lock
 *   1. tokens[d] is a member of the group, or NULL if it has none.
 *   2. timer_armed[d]: exactly one member's timer for d is pending, or its
 *      callback is about to run.
 *   3. Every pending request of direction d is served eventually: either
 *      timer_armed[d], or a restart of its member's queue is under way.
 *
 * Locks: group->lock is a leaf but for timers; throttled_reqs_lock of a
 * member is taken before it.
 */
#include "qemu/osdep.h"
#include "block/throttle-groups.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"

typedef struct ThrottleGroup {
    /* Immutable */
    char *name;
    QEMUClockType clock_type;

    /* Main thread */
    unsigned refcount;
    QTAILQ_ENTRY(ThrottleGroup) list;

    QemuMutex lock;
    /* Under lock */
    ThrottleState ts;
    QLIST_HEAD(, ThrottleGroupMember) members;
    ThrottleGroupMember *tokens[2];
    bool timer_armed[2];
} ThrottleGroup;

static QTAILQ_HEAD(, ThrottleGroup) throttle_groups =
    QTAILQ_HEAD_INITIALIZER(throttle_groups);
static QEMUClockType throttle_clock = QEMU_CLOCK_REALTIME;

void throttle_groups_set_clock(QEMUClockType type)
{
    throttle_clock = type;
}

static ThrottleGroup *group_of(ThrottleGroupMember *tgm)
{
    return container_of(tgm->throttle_state, ThrottleGroup, ts);
}

static ThrottleGroup *group_by_name(const char *name)
{
    ThrottleGroup *tg;

    QTAILQ_FOREACH(tg, &throttle_groups, list) {
        if (!strcmp(name, tg->name)) {
            return tg;
        }
    }
    return NULL;
}

bool throttle_group_exists(const char *name)
{
    return group_by_name(name) != NULL;
}

ThrottleState *throttle_group_incref(const char *name)
{
    ThrottleGroup *tg = group_by_name(name);

    if (!tg) {
        tg = g_new0(ThrottleGroup, 1);
        tg->name = g_strdup(name);
        tg->clock_type = throttle_clock;
        qemu_mutex_init(&tg->lock);
        throttle_init(&tg->ts);
        QLIST_INIT(&tg->members);
        QTAILQ_INSERT_TAIL(&throttle_groups, tg, list);
    }
    tg->refcount++;
    return &tg->ts;
}

void throttle_group_unref(ThrottleState *ts)
{
    ThrottleGroup *tg = container_of(ts, ThrottleGroup, ts);

    if (--tg->refcount == 0) {
        QTAILQ_REMOVE(&throttle_groups, tg, list);
        qemu_mutex_destroy(&tg->lock);
        g_free(tg->name);
        g_free(tg);
    }
}

bool throttle_group_is_shared(ThrottleState *ts)
{
    return container_of(ts, ThrottleGroup, ts)->refcount > 1;
}

const char *throttle_group_name(ThrottleState *ts)
{
    return container_of(ts, ThrottleGroup, ts)->name;
}

const char *throttle_group_get_name(ThrottleGroupMember *tgm)
{
    return throttle_group_name(tgm->throttle_state);
}

/* ---- Whose turn it is; group->lock held ---- */

static ThrottleGroupMember *next_member(ThrottleGroup *tg,
                                        ThrottleGroupMember *tgm)
{
    ThrottleGroupMember *next = QLIST_NEXT(tgm, round_robin);

    return next ? next : QLIST_FIRST(&tg->members);
}

/* The member after the token's that has requests waiting; @tgm if none. */
static ThrottleGroupMember *next_token(ThrottleGroup *tg,
                                       ThrottleGroupMember *tgm, bool is_write)
{
    ThrottleGroupMember *start = tg->tokens[is_write];
    ThrottleGroupMember *m = start;

    /* Drained members leave the round first. */
    if (tgm->pending_reqs[is_write] &&
        atomic_read(&tgm->io_limits_disabled)) {
        return tgm;
    }
    do {
        m = next_member(tg, m);
        if (m->pending_reqs[is_write]) {
            return m;
        }
    } while (m != start);
    return tgm;
}

/* Must a request of @tgm wait?  Then a timer is armed. */
static bool must_wait(ThrottleGroup *tg, ThrottleGroupMember *tgm,
                      bool is_write)
{
    if (atomic_read(&tgm->io_limits_disabled)) {
        return false;
    }
    if (tg->timer_armed[is_write]) {
        return true;
    }
    if (throttle_schedule_timer(&tg->ts, &tgm->throttle_timers, is_write)) {
        tg->tokens[is_write] = tgm;
        tg->timer_armed[is_write] = true;
        return true;
    }
    return false;
}

/* Let the next waiting request of the group pass, now or by a timer. */
static void schedule_next(ThrottleGroup *tg, ThrottleGroupMember *tgm,
                          bool is_write)
{
    ThrottleGroupMember *token = next_token(tg, tgm, is_write);

    if (!token->pending_reqs[is_write] || must_wait(tg, token, is_write)) {
        return;
    }
    /* Nothing holds it back: pass it at once, from its own context. */
    tg->tokens[is_write] = token;
    tg->timer_armed[is_write] = true;
    timer_mod(token->throttle_timers.timers[is_write],
              qemu_clock_get_ns(tg->clock_type));
}

/* ---- Requests ---- */

void coroutine_fn throttle_group_co_io_limits_intercept(
    ThrottleGroupMember *tgm, int64_t bytes, bool is_write)
{
    ThrottleGroup *tg = group_of(tgm);

    assert(bytes >= 0);
    qemu_mutex_lock(&tg->lock);
    /* First come, first served within the member. */
    if (must_wait(tg, tgm, is_write) || tgm->pending_reqs[is_write]) {
        /* Under the lock; atomic for those who only look. */
        atomic_inc(&tgm->pending_reqs[is_write]);
        qemu_mutex_unlock(&tg->lock);
        qemu_co_mutex_lock(&tgm->throttled_reqs_lock);
        qemu_co_queue_wait(&tgm->throttled_reqs[is_write],
                           &tgm->throttled_reqs_lock);
        qemu_co_mutex_unlock(&tgm->throttled_reqs_lock);
        qemu_mutex_lock(&tg->lock);
        atomic_dec(&tgm->pending_reqs[is_write]);
    }
    throttle_account(&tg->ts, is_write, bytes);
    schedule_next(tg, tgm, is_write);
    qemu_mutex_unlock(&tg->lock);
}

typedef struct RestartData {
    ThrottleGroupMember *tgm;
    bool is_write;
} RestartData;

/* Wake one request of the member, or hand on if there is none. */
static void coroutine_fn restart_queue_entry(void *opaque)
{
    g_autofree RestartData *data = opaque;
    ThrottleGroupMember *tgm = data->tgm;
    ThrottleGroup *tg = group_of(tgm);
    bool empty;

    qemu_co_mutex_lock(&tgm->throttled_reqs_lock);
    empty = !qemu_co_queue_next(&tgm->throttled_reqs[data->is_write]);
    qemu_co_mutex_unlock(&tgm->throttled_reqs_lock);
    if (empty) {
        qemu_mutex_lock(&tg->lock);
        schedule_next(tg, tgm, data->is_write);
        qemu_mutex_unlock(&tg->lock);
    }
    atomic_dec(&tgm->restart_pending);
    aio_wait_kick();
}

static void restart_queue(ThrottleGroupMember *tgm, bool is_write)
{
    RestartData *data = g_new(RestartData, 1);

    *data = (RestartData) { tgm, is_write };
    atomic_inc(&tgm->restart_pending);
    aio_co_enter(tgm->aio_context,
                 qemu_coroutine_create(restart_queue_entry, data));
}

static void timer_cb(ThrottleGroupMember *tgm, bool is_write)
{
    ThrottleGroup *tg = group_of(tgm);

    qemu_mutex_lock(&tg->lock);
    tg->timer_armed[is_write] = false;
    qemu_mutex_unlock(&tg->lock);
    restart_queue(tgm, is_write);
}

static void read_timer_cb(void *opaque)
{
    timer_cb(opaque, false);
}

static void write_timer_cb(void *opaque)
{
    timer_cb(opaque, true);
}

/* Don't wait for the timers any longer: limits were lifted or changed. */
void throttle_group_restart_tgm(ThrottleGroupMember *tgm)
{
    int d;

    if (!tgm->throttle_state) {
        return;
    }
    for (d = 0; d < 2; d++) {
        QEMUTimer *t = tgm->throttle_timers.timers[d];

        if (t && timer_pending(t)) {
            timer_del(t);
            timer_cb(tgm, d);
        } else {
            restart_queue(tgm, d);
        }
    }
}

/* ---- Members; main thread ---- */

void throttle_group_set_limits(ThrottleState *ts, ThrottleConfig *cfg)
{
    ThrottleGroup *tg = container_of(ts, ThrottleGroup, ts);
    ThrottleGroupMember *tgm;

    qemu_mutex_lock(&tg->lock);
    throttle_config(ts, tg->clock_type, cfg);
    qemu_mutex_unlock(&tg->lock);
    /* The list changes in this thread only. */
    QLIST_FOREACH(tgm, &tg->members, round_robin) {
        AioContext *ctx = tgm->aio_context;

        aio_context_acquire(ctx);
        throttle_group_restart_tgm(tgm);
        aio_context_release(ctx);
    }
}

void throttle_group_get_limits(ThrottleState *ts, ThrottleConfig *cfg)
{
    ThrottleGroup *tg = container_of(ts, ThrottleGroup, ts);

    qemu_mutex_lock(&tg->lock);
    throttle_get_config(ts, cfg);
    qemu_mutex_unlock(&tg->lock);
}

void throttle_group_config(ThrottleGroupMember *tgm, ThrottleConfig *cfg)
{
    throttle_group_set_limits(tgm->throttle_state, cfg);
}

void throttle_group_get_config(ThrottleGroupMember *tgm, ThrottleConfig *cfg)
{
    throttle_group_get_limits(tgm->throttle_state, cfg);
}

void throttle_group_register_tgm(ThrottleGroupMember *tgm,
                                 const char *groupname, AioContext *ctx)
{
    ThrottleState *ts = throttle_group_incref(groupname);
    ThrottleGroup *tg = container_of(ts, ThrottleGroup, ts);
    int d;

    tgm->throttle_state = ts;
    tgm->aio_context = ctx;
    atomic_set(&tgm->restart_pending, 0);
    qemu_co_mutex_init(&tgm->throttled_reqs_lock);
    throttle_timers_init(&tgm->throttle_timers, ctx, tg->clock_type,
                         read_timer_cb, write_timer_cb, tgm);
    qemu_mutex_lock(&tg->lock);
    QLIST_INSERT_HEAD(&tg->members, tgm, round_robin);
    for (d = 0; d < 2; d++) {
        qemu_co_queue_init(&tgm->throttled_reqs[d]);
        tgm->pending_reqs[d] = 0;
        if (!tg->tokens[d]) {
            tg->tokens[d] = tgm;
        }
    }
    qemu_mutex_unlock(&tg->lock);
}

void throttle_group_unregister_tgm(ThrottleGroupMember *tgm)
{
    ThrottleState *ts = tgm->throttle_state;
    ThrottleGroup *tg;
    int d;

    if (!ts) {
        return;
    }
    tg = container_of(ts, ThrottleGroup, ts);
    AIO_WAIT_WHILE(tgm->aio_context, atomic_read(&tgm->restart_pending) > 0);

    qemu_mutex_lock(&tg->lock);
    for (d = 0; d < 2; d++) {
        assert(tgm->pending_reqs[d] == 0);
        assert(qemu_co_queue_empty(&tgm->throttled_reqs[d]));
        assert(!timer_pending(tgm->throttle_timers.timers[d]));
        if (tg->tokens[d] == tgm) {
            ThrottleGroupMember *next = next_member(tg, tgm);

            tg->tokens[d] = next == tgm ? NULL : next;
        }
    }
    QLIST_REMOVE(tgm, round_robin);
    throttle_timers_destroy(&tgm->throttle_timers);
    qemu_mutex_unlock(&tg->lock);
    throttle_group_unref(ts);
    tgm->throttle_state = NULL;
}

void throttle_group_attach_aio_context(ThrottleGroupMember *tgm,
                                       AioContext *new_context)
{
    throttle_timers_attach_aio_context(&tgm->throttle_timers, new_context);
    tgm->aio_context = new_context;
}

void throttle_group_detach_aio_context(ThrottleGroupMember *tgm)
{
    ThrottleGroup *tg = group_of(tgm);
    int d;

    /* The caller has drained the member. */
    assert(tgm->pending_reqs[0] == 0 && tgm->pending_reqs[1] == 0);

    qemu_mutex_lock(&tg->lock);
    for (d = 0; d < 2; d++) {
        QEMUTimer *t = tgm->throttle_timers.timers[d];

        if (t && timer_pending(t)) {
            /* It was armed for somebody else's turn. */
            timer_del(t);
            tg->timer_armed[d] = false;
            schedule_next(tg, tgm, d);
        }
    }
    qemu_mutex_unlock(&tg->lock);
    throttle_timers_detach_aio_context(&tgm->throttle_timers);
}
