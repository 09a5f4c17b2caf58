/*
 * SPDX-License-Identifier: MIT
 *
 * What both kinds of monitors share.
 */
#ifndef MONITOR_INTERNAL_H
#define MONITOR_INTERNAL_H

#include "chardev/char-fe.h"
#include "monitor/monitor.h"
#include "qapi/qmp/json-parser.h"
#include "qemu/thread.h"
#include "readline.h"

/* Output that waits; beyond this, no more commands are taken. */
#define MONITOR_OUT_HIGH (64 * 1024)
/* Beyond this, events are dropped: the peer does not read at all. */
#define MONITOR_OUT_MAX (16 * 1024 * 1024)

/*
 * Lock order: the list's lock, a monitor's lock, locks of character devices.
 */
struct Monitor {
    /* Constant. */
    bool is_qmp;
    char *id;                   /* or NULL */
    CharBackend chr;            /* without device if output is captured */
    QTAILQ_ENTRY(Monitor) entry;
    /* Atomic. */
    int suspend_cnt;
    bool out_blocked;           /* more than MONITOR_OUT_HIGH wait */
    /* Under @lock. */
    QemuMutex lock;
    GString *out;
    guint out_watch;            /* 0: none */
};

/* A request to a QMP monitor, or what was wrong with it. */
typedef struct QmpRequest {
    QObject *req;               /* NULL: see @err */
    Error *err;
    unsigned session;
} QmpRequest;

typedef struct MonitorQMP {
    Monitor common;
    bool pretty;
    /* Main thread; under the lock where another one sees it. */
    QmpCommandList *commands;   /* those of negotiation at first */
    unsigned session;           /* counts connections */
    bool oob;                   /* negotiated */
    bool in_iothread;           /* where input is read */
    /* The thread that reads. */
    JSONMessageParser parser;
    /* Under the lock of the list of monitors. */
    GQueue requests;
    bool queue_full;            /* thus suspended */
} MonitorQMP;

typedef struct MonitorHMP {
    Monitor common;
    ReadLineState *rs;
} MonitorHMP;

extern QmpCommandList qmp_commands;
extern QmpCommandList qmp_cap_negotiation_commands;

typedef QTAILQ_HEAD(MonitorList, Monitor) MonitorList;
extern MonitorList monitor_list;
extern QemuMutex monitor_lock;

/* Sets up the common part and attaches @chr (NULL: none). */
bool monitor_data_init(Monitor *mon, bool is_qmp, const char *id,
                       Chardev *chr, Error **errp);
void monitor_data_destroy(Monitor *mon);
/* From here on it gets events. */
void monitor_list_append(Monitor *mon);

/* For can_read handlers. */
bool monitor_accepts_input(Monitor *mon);

/* Appends and sends what goes now; lock held. */
void monitor_puts_locked(Monitor *mon, const char *str, size_t len);

/*
 * The connection ended: output that nobody can read is dropped.  Some devices
 * still take output after the end of their input.
 */
void monitor_peer_gone(Monitor *mon);

/* What the program says to query-qmp-schema. */
QObject *monitor_get_schema(void);

/* Called in the main thread when blocked output has gone. */
void monitor_unblocked(Monitor *mon);

bool monitor_init_qmp(Chardev *chr, const char *id, bool pretty,
                      Error **errp);
bool monitor_init_hmp(Chardev *chr, const char *id, Error **errp);
void monitor_qmp_globals_init(void);
void monitor_hmp_globals_init(void);
void monitor_qmp_cleanup(void);
/* Frees what is particular to the kind. */
void monitor_qmp_destroy(MonitorQMP *mon);
void monitor_hmp_destroy(MonitorHMP *mon);

/* To all QMP monitors, now or, if its kind is limited, later; any thread. */
void monitor_emit_event(unsigned kind, QDict *event);
void monitor_events_init(void);
/* Main thread: drops what waits. */
void monitor_events_cleanup(void);

/* Makes the dispatcher look for requests; any thread. */
void monitor_qmp_kick(void);
/* One event to one monitor; the list's lock held. */
void monitor_qmp_send_event(MonitorQMP *mon, const QDict *event);

/* After monitor_resume(); main thread. */
void monitor_hmp_resumed(MonitorHMP *mon);

/* Lists of commands for completion; NULL at the end. */
const char *hmp_command_name(bool info, unsigned index);

#endif /* MONITOR_INTERNAL_H */
