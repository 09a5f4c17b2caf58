/*
 * SPDX-License-Identifier: MIT
 *
 * Clocks, timer lists and timers.
 *
 * Invariants
 *   1. The timers of a list are sorted by expiry; equal ones by arrival.
 *   2. QEMUTimerList.first is the expiry of the first one, or NEVER.
 *   3. A timer is in its list exactly while its expire_time is not -1.
 *
 * Lock order: clocks_lock before QEMUTimerList.lock.  Neither is held while a
 * callback or a notification runs, except clocks_lock during the notifications
 * of qemu_clock_notify().
 */
#include "qemu/osdep.h"
#include <poll.h>
#include <time.h>
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

#define NEVER INT64_MAX

struct QEMUTimerList {
    /* immutable */
    QEMUClockType type;
    QEMUTimerListNotifyCB *notify_cb;
    void *notify_opaque;

    QemuMutex lock;
    QEMUTimer *timers;          /* under lock */
    int64_t first;              /* atomic, written under lock */

    QLIST_ENTRY(QEMUTimerList) next;    /* under clocks_lock */
};

QEMUTimerListGroup main_loop_tlg;

static QemuMutex clocks_lock;
static QLIST_HEAD(, QEMUTimerList) clock_lists[QEMU_CLOCK_MAX];

static QEMUTimerListNotifyCB *main_notify_cb;   /* atomic */

/* QEMU_CLOCK_VIRTUAL; atomic, written by the main thread */
static int64_t virtual_offset;          /* host time minus virtual time */
static int64_t virtual_frozen_at = -1;  /* the time at which it stands */

/* ---- Clocks ---- */

static int64_t host_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

int64_t get_clock(void)
{
    return host_clock(CLOCK_MONOTONIC);
}

int64_t get_clock_coarse(void)
{
    return host_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t get_clock_realtime(void)
{
    return host_clock(CLOCK_REALTIME);
}

static void __attribute__((constructor)) clocks_constructor(void)
{
    qemu_mutex_init(&clocks_lock);
    virtual_offset = get_clock();
}

static bool clock_is_virtual(QEMUClockType type)
{
    return type == QEMU_CLOCK_VIRTUAL || type == QEMU_CLOCK_VIRTUAL_RT;
}

/* True if the clock goes on by itself. */
static bool clock_runs(QEMUClockType type)
{
    return !clock_is_virtual(type) ||
           __atomic_load_n(&virtual_frozen_at, __ATOMIC_ACQUIRE) < 0;
}

int64_t qemu_clock_get_ns(QEMUClockType type)
{
    int64_t frozen;

    if (type == QEMU_CLOCK_HOST) {
        return get_clock_realtime();
    }
    if (!clock_is_virtual(type)) {
        return get_clock();
    }
    frozen = __atomic_load_n(&virtual_frozen_at, __ATOMIC_ACQUIRE);
    if (frozen >= 0) {
        return frozen;
    }
    return get_clock() - __atomic_load_n(&virtual_offset, __ATOMIC_ACQUIRE);
}

static void virtual_clock_changed(void)
{
    qemu_clock_notify(QEMU_CLOCK_VIRTUAL);
    qemu_clock_notify(QEMU_CLOCK_VIRTUAL_RT);
}

void qemu_clock_virtual_freeze(void)
{
    if (clock_runs(QEMU_CLOCK_VIRTUAL)) {
        __atomic_store_n(&virtual_frozen_at,
                         qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL),
                         __ATOMIC_RELEASE);
        virtual_clock_changed();
    }
}

void qemu_clock_virtual_thaw(void)
{
    if (!clock_runs(QEMU_CLOCK_VIRTUAL)) {
        int64_t frozen = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

        __atomic_store_n(&virtual_offset, get_clock() - frozen,
                         __ATOMIC_RELEASE);
        __atomic_store_n(&virtual_frozen_at, -1, __ATOMIC_RELEASE);
        virtual_clock_changed();
    }
}

void qemu_clock_virtual_step(int64_t ns)
{
    assert(ns >= 0 && !clock_runs(QEMU_CLOCK_VIRTUAL));
    __atomic_fetch_add(&virtual_frozen_at, ns, __ATOMIC_ACQ_REL);
    virtual_clock_changed();
}

void qemu_clock_notify(QEMUClockType type)
{
    QEMUTimerList *tl;

    qemu_mutex_lock(&clocks_lock);
    QLIST_FOREACH(tl, &clock_lists[type], next) {
        timerlist_notify(tl);
    }
    qemu_mutex_unlock(&clocks_lock);
}

int64_t qemu_clock_deadline_ns_all(QEMUClockType type)
{
    int64_t first = NEVER;
    QEMUTimerList *tl;

    qemu_mutex_lock(&clocks_lock);
    QLIST_FOREACH(tl, &clock_lists[type], next) {
        first = MIN(first, __atomic_load_n(&tl->first, __ATOMIC_SEQ_CST));
    }
    qemu_mutex_unlock(&clocks_lock);
    return first == NEVER ? -1 : MAX(first - qemu_clock_get_ns(type), 0);
}

static void main_lists_notify(void *opaque, QEMUClockType type)
{
    QEMUTimerListNotifyCB *cb = __atomic_load_n(&main_notify_cb,
                                                __ATOMIC_ACQUIRE);

    if (cb) {
        cb(NULL, type);
    }
}

void init_clocks(QEMUTimerListNotifyCB *notify_cb)
{
    __atomic_store_n(&main_notify_cb, notify_cb, __ATOMIC_RELEASE);
    if (!main_loop_tlg.tl[0]) {
        timerlistgroup_init(&main_loop_tlg, main_lists_notify, NULL);
    }
}

bool qemu_clock_run_timers(QEMUClockType type)
{
    return timerlist_run_timers(main_loop_tlg.tl[type]);
}

bool qemu_clock_run_all_timers(void)
{
    return timerlistgroup_run_timers(&main_loop_tlg);
}

/* ---- Lists ---- */

QEMUTimerList *timerlist_new(QEMUClockType type, QEMUTimerListNotifyCB *cb,
                             void *opaque)
{
    QEMUTimerList *tl = g_new0(QEMUTimerList, 1);

    tl->type = type;
    tl->notify_cb = cb;
    tl->notify_opaque = opaque;
    tl->first = NEVER;
    qemu_mutex_init(&tl->lock);
    qemu_mutex_lock(&clocks_lock);
    QLIST_INSERT_HEAD(&clock_lists[type], tl, next);
    qemu_mutex_unlock(&clocks_lock);
    return tl;
}

void timerlist_free(QEMUTimerList *tl)
{
    assert(!timerlist_has_timers(tl));
    qemu_mutex_lock(&clocks_lock);
    QLIST_REMOVE(tl, next);
    qemu_mutex_unlock(&clocks_lock);
    qemu_mutex_destroy(&tl->lock);
    g_free(tl);
}

bool timerlist_has_timers(QEMUTimerList *tl)
{
    return __atomic_load_n(&tl->first, __ATOMIC_SEQ_CST) != NEVER;
}

bool timerlist_expired(QEMUTimerList *tl)
{
    int64_t first = __atomic_load_n(&tl->first, __ATOMIC_SEQ_CST);

    return first != NEVER && first <= qemu_clock_get_ns(tl->type);
}

int64_t timerlist_deadline_ns(QEMUTimerList *tl)
{
    int64_t first = __atomic_load_n(&tl->first, __ATOMIC_SEQ_CST);
    int64_t left;

    if (first == NEVER) {
        return -1;
    }
    left = first - qemu_clock_get_ns(tl->type);
    if (left <= 0) {
        return 0;
    }
    /* Of a clock that stands, a notification tells when it is moved. */
    return clock_runs(tl->type) ? left : -1;
}

QEMUClockType timerlist_get_clock(QEMUTimerList *tl)
{
    return tl->type;
}

void timerlist_notify(QEMUTimerList *tl)
{
    if (tl->notify_cb) {
        tl->notify_cb(tl->notify_opaque, tl->type);
    }
}

/* Called with the lock held. */
static void timerlist_update_first(QEMUTimerList *tl)
{
    __atomic_store_n(&tl->first,
                     tl->timers ? tl->timers->expire_time : NEVER,
                     __ATOMIC_SEQ_CST);
}

/* Called with the lock held; @ts is in the list. */
static void timerlist_unlink(QEMUTimerList *tl, QEMUTimer *ts)
{
    QEMUTimer **p = &tl->timers;

    while (*p != ts) {
        p = &(*p)->next;
    }
    *p = ts->next;
    ts->next = NULL;
    __atomic_store_n(&ts->expire_time, -1, __ATOMIC_RELAXED);
    timerlist_update_first(tl);
}

/* Called with the lock held; @ts is in no list.  True if it is the first. */
static bool timerlist_link(QEMUTimerList *tl, QEMUTimer *ts, int64_t expire)
{
    QEMUTimer **p = &tl->timers;

    while (*p && (*p)->expire_time <= expire) {
        p = &(*p)->next;
    }
    ts->next = *p;
    *p = ts;
    __atomic_store_n(&ts->expire_time, expire, __ATOMIC_RELAXED);
    if (tl->timers != ts) {
        return false;
    }
    timerlist_update_first(tl);
    return true;
}

bool timerlist_run_timers(QEMUTimerList *tl)
{
    bool progress = false;
    int64_t now;
    unsigned due = 0;
    QEMUTimer *ts;

    if (!timerlist_has_timers(tl)) {
        return false;
    }
    now = qemu_clock_get_ns(tl->type);
    qemu_mutex_lock(&tl->lock);
    for (ts = tl->timers; ts && ts->expire_time <= now; ts = ts->next) {
        due++;
    }
    for (; due; due--) {
        QEMUTimerCB *cb;
        void *opaque;

        ts = tl->timers;
        if (!ts || ts->expire_time > now) {
            break;
        }
        timerlist_unlink(tl, ts);
        /* The callback may free the timer. */
        cb = ts->cb;
        opaque = ts->opaque;
        qemu_mutex_unlock(&tl->lock);
        cb(opaque);
        progress = true;
        qemu_mutex_lock(&tl->lock);
    }
    qemu_mutex_unlock(&tl->lock);
    return progress;
}

void timerlistgroup_init(QEMUTimerListGroup *tlg, QEMUTimerListNotifyCB *cb,
                         void *opaque)
{
    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        tlg->tl[type] = timerlist_new(type, cb, opaque);
    }
}

void timerlistgroup_deinit(QEMUTimerListGroup *tlg)
{
    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        timerlist_free(tlg->tl[type]);
        tlg->tl[type] = NULL;
    }
}

bool timerlistgroup_run_timers(QEMUTimerListGroup *tlg)
{
    bool progress = false;

    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        progress |= timerlist_run_timers(tlg->tl[type]);
    }
    return progress;
}

int64_t timerlistgroup_deadline_ns(QEMUTimerListGroup *tlg)
{
    int64_t deadline = -1;

    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        deadline = qemu_soonest_timeout(deadline,
                                        timerlist_deadline_ns(tlg->tl[type]));
    }
    return deadline;
}

/* ---- Timers ---- */

void timer_init_tl(QEMUTimer *ts, QEMUTimerList *timer_list, int scale,
                   QEMUTimerCB *cb, void *opaque)
{
    *ts = (QEMUTimer) {
        .expire_time = -1,
        .timer_list = timer_list,
        .cb = cb,
        .opaque = opaque,
        .scale = scale,
    };
}

void timer_deinit(QEMUTimer *ts)
{
    timer_del(ts);
    ts->timer_list = NULL;
}

/* Arms @ts, with @anticipate only if that makes it fire earlier. */
static void timer_arm(QEMUTimer *ts, int64_t expire, bool anticipate)
{
    QEMUTimerList *tl = ts->timer_list;
    bool first;

    expire = MAX(expire, 0);
    qemu_mutex_lock(&tl->lock);
    if (ts->expire_time != -1) {
        if (anticipate && ts->expire_time <= expire) {
            qemu_mutex_unlock(&tl->lock);
            return;
        }
        timerlist_unlink(tl, ts);
    }
    first = timerlist_link(tl, ts, expire);
    qemu_mutex_unlock(&tl->lock);
    if (first) {
        timerlist_notify(tl);
    }
}

/* An absolute time in units of @scale as nanoseconds, without overflow. */
static int64_t scale_to_ns(int64_t time, int scale)
{
    int64_t ns;

    if (__builtin_mul_overflow(time, scale, &ns)) {
        return time < 0 ? 0 : NEVER - 1;
    }
    return ns;
}

void timer_mod_ns(QEMUTimer *ts, int64_t expire_time)
{
    timer_arm(ts, expire_time, false);
}

void timer_mod(QEMUTimer *ts, int64_t expire_timer)
{
    timer_arm(ts, scale_to_ns(expire_timer, ts->scale), false);
}

void timer_mod_anticipate_ns(QEMUTimer *ts, int64_t expire_time)
{
    timer_arm(ts, expire_time, true);
}

void timer_mod_anticipate(QEMUTimer *ts, int64_t expire_timer)
{
    timer_arm(ts, scale_to_ns(expire_timer, ts->scale), true);
}

void timer_del(QEMUTimer *ts)
{
    QEMUTimerList *tl = ts->timer_list;

    if (!tl) {
        return;
    }
    qemu_mutex_lock(&tl->lock);
    if (ts->expire_time != -1) {
        timerlist_unlink(tl, ts);
    }
    qemu_mutex_unlock(&tl->lock);
}

bool timer_pending(QEMUTimer *ts)
{
    return __atomic_load_n(&ts->expire_time, __ATOMIC_RELAXED) != -1;
}

uint64_t timer_expire_time_ns(QEMUTimer *ts)
{
    return __atomic_load_n(&ts->expire_time, __ATOMIC_RELAXED);
}

bool timer_expired(QEMUTimer *ts, int64_t current_time)
{
    int64_t expire = __atomic_load_n(&ts->expire_time, __ATOMIC_RELAXED);

    return expire != -1 && expire <= scale_to_ns(current_time, ts->scale);
}

/* ---- Timeouts ---- */

int qemu_timeout_ns_to_ms(int64_t ns)
{
    if (ns < 0) {
        return -1;
    }
    return MIN(ns / SCALE_MS + (ns % SCALE_MS != 0), INT_MAX);
}

int qemu_poll_ns(GPollFD *fds, unsigned nfds, int64_t timeout)
{
    struct timespec ts;

    QEMU_BUILD_BUG_ON(sizeof(GPollFD) != sizeof(struct pollfd));
    if (timeout >= 0) {
        ts.tv_sec = timeout / NANOSECONDS_PER_SECOND;
        ts.tv_nsec = timeout % NANOSECONDS_PER_SECOND;
    }
    return ppoll((struct pollfd *)fds, nfds, timeout < 0 ? NULL : &ts, NULL);
}
