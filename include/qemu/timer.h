/*
 * SPDX-License-Identifier: MIT
 *
 * Clocks and timers.
 *
 * Each clock has lists of timers; each AioContext has one list for each clock
 * (a timer list group), and so has the main loop.  A timer's callback runs in
 * the thread that runs its list, never before its time.  Times are
 * nanoseconds; a timer's own unit is its scale.
 */
#ifndef QEMU_TIMER_H
#define QEMU_TIMER_H

#define NANOSECONDS_PER_SECOND 1000000000LL

#define SCALE_MS 1000000
#define SCALE_US 1000
#define SCALE_NS 1

/*
 * REALTIME     monotonic, runs always
 * VIRTUAL      monotonic, can be stopped and warped (qtest, stopped machine)
 * HOST         wall-clock time, may jump
 * VIRTUAL_RT   like VIRTUAL
 */
typedef enum {
    QEMU_CLOCK_REALTIME = 0,
    QEMU_CLOCK_VIRTUAL = 1,
    QEMU_CLOCK_HOST = 2,
    QEMU_CLOCK_VIRTUAL_RT = 3,
    QEMU_CLOCK_MAX
} QEMUClockType;

typedef struct QEMUTimerList QEMUTimerList;

typedef void QEMUTimerCB(void *opaque);
typedef void QEMUTimerListNotifyCB(void *opaque, QEMUClockType type);

/* Allocated by the user or by timer_new(). */
struct QEMUTimer {
    int64_t expire_time;        /* nanoseconds; -1: not armed; atomic */
    QEMUTimerList *timer_list;
    QEMUTimerCB *cb;
    void *opaque;
    QEMUTimer *next;            /* under the lock of timer_list */
    int scale;
};

struct QEMUTimerListGroup {
    QEMUTimerList *tl[QEMU_CLOCK_MAX];
};

/* The main loop's lists. */
extern QEMUTimerListGroup main_loop_tlg;

/* ---- Clocks ---- */

/*
 * Sets the main loop's lists up.  @notify_cb, NULL allowed, is called when the
 * first deadline of one of them moves.  Later calls only replace @notify_cb.
 */
void init_clocks(QEMUTimerListNotifyCB *notify_cb);

/* The time of clock @type. */
int64_t qemu_clock_get_ns(QEMUClockType type);

static inline int64_t qemu_clock_get_ms(QEMUClockType type)
{
    return qemu_clock_get_ns(type) / SCALE_MS;
}

static inline int64_t qemu_clock_get_us(QEMUClockType type)
{
    return qemu_clock_get_ns(type) / SCALE_US;
}

/* Monotonic host time. */
int64_t get_clock(void);
/* The same, a few milliseconds behind, for less than a tenth of the price. */
int64_t get_clock_coarse(void);
/* Wall-clock time since the epoch. */
int64_t get_clock_realtime(void);

/*
 * Nanoseconds to the first timer of clock @type in any list, 0 if one is due,
 * -1 if there is none.
 */
int64_t qemu_clock_deadline_ns_all(QEMUClockType type);

/* Tells all lists of clock @type that their deadlines moved. */
void qemu_clock_notify(QEMUClockType type);

/* Runs the main loop's due timers; true if one ran. */
bool qemu_clock_run_timers(QEMUClockType type);
bool qemu_clock_run_all_timers(void);

/*
 * Stops and continues QEMU_CLOCK_VIRTUAL.  Its timers keep their distance.
 * Each is harmless when it is so already.
 */
void qemu_clock_virtual_freeze(void);
void qemu_clock_virtual_thaw(void);

/*
 * Moves the frozen QEMU_CLOCK_VIRTUAL ahead by @ns >= 0 and wakes the contexts
 * with timers that are due then.
 */
void qemu_clock_virtual_step(int64_t ns);

/* ---- Timer lists ---- */

QEMUTimerList *timerlist_new(QEMUClockType type, QEMUTimerListNotifyCB *cb,
                             void *opaque);
/* No timer may be armed in it. */
void timerlist_free(QEMUTimerList *timer_list);
bool timerlist_has_timers(QEMUTimerList *timer_list);
/* True if a timer is due. */
bool timerlist_expired(QEMUTimerList *timer_list);
/* Nanoseconds to the first timer, 0 if it is due, -1 if there is none. */
int64_t timerlist_deadline_ns(QEMUTimerList *timer_list);
QEMUClockType timerlist_get_clock(QEMUTimerList *timer_list);
/*
 * Runs what was due at the time of the call, in order; a timer that a callback
 * arms anew runs in the next call.  True if one ran.
 */
bool timerlist_run_timers(QEMUTimerList *timer_list);
void timerlist_notify(QEMUTimerList *timer_list);

void timerlistgroup_init(QEMUTimerListGroup *tlg, QEMUTimerListNotifyCB *cb,
                         void *opaque);
void timerlistgroup_deinit(QEMUTimerListGroup *tlg);
bool timerlistgroup_run_timers(QEMUTimerListGroup *tlg);
int64_t timerlistgroup_deadline_ns(QEMUTimerListGroup *tlg);

/* ---- Timers ---- */

void timer_init_tl(QEMUTimer *ts, QEMUTimerList *timer_list, int scale,
                   QEMUTimerCB *cb, void *opaque);

/* @tlg NULL: the main loop's. */
static inline void timer_init_full(QEMUTimer *ts, QEMUTimerListGroup *tlg,
                                   QEMUClockType type, int scale,
                                   QEMUTimerCB *cb, void *opaque)
{
    timer_init_tl(ts, (tlg ? tlg : &main_loop_tlg)->tl[type], scale, cb,
                  opaque);
}

static inline void timer_init(QEMUTimer *ts, QEMUClockType type, int scale,
                              QEMUTimerCB *cb, void *opaque)
{
    timer_init_full(ts, NULL, type, scale, cb, opaque);
}

static inline void timer_init_ns(QEMUTimer *ts, QEMUClockType type,
                                 QEMUTimerCB *cb, void *opaque)
{
    timer_init(ts, type, SCALE_NS, cb, opaque);
}

static inline void timer_init_us(QEMUTimer *ts, QEMUClockType type,
                                 QEMUTimerCB *cb, void *opaque)
{
    timer_init(ts, type, SCALE_US, cb, opaque);
}

static inline void timer_init_ms(QEMUTimer *ts, QEMUClockType type,
                                 QEMUTimerCB *cb, void *opaque)
{
    timer_init(ts, type, SCALE_MS, cb, opaque);
}

static inline QEMUTimer *timer_new_tl(QEMUTimerList *timer_list, int scale,
                                      QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = g_new0(QEMUTimer, 1);

    timer_init_tl(ts, timer_list, scale, cb, opaque);
    return ts;
}

static inline QEMUTimer *timer_new_full(QEMUTimerListGroup *tlg,
                                        QEMUClockType type, int scale,
                                        QEMUTimerCB *cb, void *opaque)
{
    return timer_new_tl((tlg ? tlg : &main_loop_tlg)->tl[type], scale, cb,
                        opaque);
}

static inline QEMUTimer *timer_new(QEMUClockType type, int scale,
                                   QEMUTimerCB *cb, void *opaque)
{
    return timer_new_full(NULL, type, scale, cb, opaque);
}

static inline QEMUTimer *timer_new_ns(QEMUClockType type, QEMUTimerCB *cb,
                                      void *opaque)
{
    return timer_new(type, SCALE_NS, cb, opaque);
}

static inline QEMUTimer *timer_new_us(QEMUClockType type, QEMUTimerCB *cb,
                                      void *opaque)
{
    return timer_new(type, SCALE_US, cb, opaque);
}

static inline QEMUTimer *timer_new_ms(QEMUClockType type, QEMUTimerCB *cb,
                                      void *opaque)
{
    return timer_new(type, SCALE_MS, cb, opaque);
}

/* Arms at the absolute time @expire_timer in units of the timer's scale. */
void timer_mod(QEMUTimer *ts, int64_t expire_timer);
/* The same in nanoseconds. */
void timer_mod_ns(QEMUTimer *ts, int64_t expire_time);
/* The same, unless it is armed for an earlier time. */
void timer_mod_anticipate(QEMUTimer *ts, int64_t expire_timer);
void timer_mod_anticipate_ns(QEMUTimer *ts, int64_t expire_time);
/* Disarms; harmless if it is not armed. */
void timer_del(QEMUTimer *ts);
bool timer_pending(QEMUTimer *ts);
/* True if it is armed for @current_time, in units of its scale, or before. */
bool timer_expired(QEMUTimer *timer_head, int64_t current_time);
/* When it fires, or -1. */
uint64_t timer_expire_time_ns(QEMUTimer *ts);

/* Disarms and takes it off its list; it must be initialised anew after. */
void timer_deinit(QEMUTimer *ts);

/* Disarms and frees what timer_new() gave; NULL is fine. */
static inline void timer_free(QEMUTimer *ts)
{
    if (ts) {
        timer_del(ts);
        g_free(ts);
    }
}

/* ---- Timeouts ---- */

/* The shorter of two timeouts, where -1 means for ever. */
static inline int64_t qemu_soonest_timeout(int64_t timeout1, int64_t timeout2)
{
    return (uint64_t)timeout1 < (uint64_t)timeout2 ? timeout1 : timeout2;
}

/* Nanoseconds to milliseconds for poll(2): never shorter, -1 stays. */
int qemu_timeout_ns_to_ms(int64_t ns);

/* poll(2) with nanoseconds; -1: for ever. */
int qemu_poll_ns(GPollFD *fds, unsigned nfds, int64_t timeout);

#endif /* QEMU_TIMER_H */
