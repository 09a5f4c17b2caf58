/*
 * SPDX-License-Identifier: MIT
 *
 * Events on their way to QMP monitors.
 *
 * Some kinds would be a flood, one for each request to a broken disk.  Of
 * those that are about the same thing the first one goes at once.  Of the ones
 * that come in the second after it, the last one is kept; it goes when the
 * second is over, which is the beginning of another one.
 *
 * 1. A thing is in the table while its second runs: the timer is armed.
 * 2. What is kept when the monitors are removed is dropped.
 *
 * All state is under monitor_lock; entries of the table are freed in the main
 * thread.
 */
#include "qemu/osdep.h"
#include "monitor-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-emit-events.h"
#include "qapi/qmp/qjson.h"
#include "qemu/timer.h"

#define EVENT_PERIOD_NS NANOSECONDS_PER_SECOND

/* Kinds that are limited, and the member that says what they are about; ""
 * if all of the kind are about the same. */
static const char *const limited_kinds[QAPI_EVENT__MAX] = {
    [QAPI_EVENT_QUORUM_FAILURE]     = "",
    [QAPI_EVENT_QUORUM_REPORT_BAD]  = "node-name",
};

typedef struct LimitedThing {
    char *name;                 /* key in the table */
    QEMUTimer *timer;
    QDict *latest;              /* waits for the timer; or NULL */
} LimitedThing;

static GHashTable *limited_things;
static QEMUClockType event_clock = QEMU_CLOCK_REALTIME;

void monitor_set_event_clock(QEMUClockType type)
{
    event_clock = type;
}

/* Lock held. */
static void send_to_all(const QDict *event)
{
    Monitor *mon;

    QTAILQ_FOREACH(mon, &monitor_list, entry) {
        if (mon->is_qmp) {
            monitor_qmp_send_event((MonitorQMP *)mon, event);
        }
    }
}

static char *name_of_thing(unsigned kind, const QDict *event)
{
    const char *member = limited_kinds[kind];
    const QDict *data = qdict_get_qdict(event, "data");

    return g_strdup_printf("%u %s", kind,
                           *member ? qdict_get_str(data, member) : "");
}

static void thing_free(void *opaque)
{
    LimitedThing *t = opaque;

    timer_free(t->timer);
    qobject_unref(t->latest);
    g_free(t->name);
    g_free(t);
}

static void thing_begin_period(LimitedThing *t)
{
    timer_mod(t->timer, qemu_clock_get_ns(event_clock) + EVENT_PERIOD_NS);
}

static void period_over(void *opaque)
{
    LimitedThing *t = opaque;

    qemu_mutex_lock(&monitor_lock);
    if (t->latest) {
        send_to_all(t->latest);
        qobject_unref(t->latest);
        t->latest = NULL;
        thing_begin_period(t);
    } else {
        g_hash_table_remove(limited_things, t->name);
    }
    qemu_mutex_unlock(&monitor_lock);
}

/* Lock held.  False: it was kept instead. */
static bool may_go_now(unsigned kind, const QDict *event)
{
    g_autofree char *name = name_of_thing(kind, event);
    LimitedThing *t = g_hash_table_lookup(limited_things, name);

    if (t) {
        /* A copy: references are not for several threads. */
        g_autoptr(GString) json = qobject_to_json(QOBJECT(event));

        qobject_unref(t->latest);
        t->latest = qobject_to(QDict,
                               qobject_from_json(json->str, &error_abort));
        return false;
    }
    t = g_new0(LimitedThing, 1);
    t->name = g_steal_pointer(&name);
    t->timer = timer_new_ns(event_clock, period_over, t);
    g_hash_table_insert(limited_things, t->name, t);
    thing_begin_period(t);
    return true;
}

void monitor_emit_event(unsigned kind, QDict *event)
{
    qemu_mutex_lock(&monitor_lock);
    if (!limited_kinds[kind] || may_go_now(kind, event)) {
        send_to_all(event);
    }
    qemu_mutex_unlock(&monitor_lock);
}

void monitor_events_init(void)
{
    limited_things = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                           thing_free);
}

void monitor_events_cleanup(void)
{
    qemu_mutex_lock(&monitor_lock);
    g_hash_table_remove_all(limited_things);
    qemu_mutex_unlock(&monitor_lock);
}
