/*
 * SPDX-License-Identifier: MIT
 *
 * Monitors: QMP for programs, command lines for people.  There may be any
 * number of them at once.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "qapi/qapi-types-control.h"
#include "qapi/qmp/dispatch.h"
#include "qapi/qmp/qdict.h"
#include "qemu/timer.h"

/* What a program offers to its monitors; stays valid for good. */
typedef struct MonitorProgram {
    /* Fills the table of commands. */
    void (*register_commands)(QmpCommandList *cmds);
    /* The answer to query-qmp-schema, in JSON. */
    const char *schema_json;
    /* Monitors for people may be made. */
    bool allow_hmp;
} MonitorProgram;

/* Before the first monitor is made. */
void monitor_init_globals(const MonitorProgram *program);

/* Makes a monitor; false with @errp. */
bool monitor_init(MonitorOptions *opts, Error **errp);

/* The same from -mon. */
extern QemuOptsList qemu_mon_opts;
bool monitor_init_opts(QemuOpts *opts, Error **errp);

/* Sends what is waiting to be sent, and removes all monitors. */
void monitor_cleanup(void);

/* Clock of the limits of events, before there are any (qtest: VIRTUAL). */
void monitor_set_event_clock(QEMUClockType type);

/* Whose command is being run by this thread or coroutine; NULL: none. */
Monitor *monitor_cur(void);
/* A file descriptor that came with @mon's latest input, which may be NULL; the
 * caller's to close.  -1: there is none. */
int monitor_take_msgfd(Monitor *mon);
bool monitor_cur_is_qmp(void);
/* Sets it for the running coroutine @co, or for this thread outside of any;
 * returns the former one. */
Monitor *monitor_set_cur(Coroutine *co, Monitor *mon);

/*
 * Output to a monitor for people, "\n" being the end of a line.  For others,
 * and NULL, it is dropped and -1 is returned.  Any thread.
 */
int monitor_vprintf(Monitor *mon, const char *fmt, va_list ap)
    G_GNUC_PRINTF(2, 0);
int monitor_printf(Monitor *mon, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
int monitor_puts(Monitor *mon, const char *str);

/* To the current monitor for people if there is one, else to stdout. */
int qemu_vprintf(const char *fmt, va_list ap) G_GNUC_PRINTF(1, 0);
int qemu_printf(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

/*
 * No more input is taken until monitor_resume(); nests.  Any thread for QMP,
 * the main thread for people.
 */
void monitor_suspend(Monitor *mon);
void monitor_resume(Monitor *mon);

#endif /* MONITOR_H */
