/*
 * SPDX-License-Identifier: MIT
 *
 * What both kinds of monitors share: the list of them, output that never
 * waits for a slow peer, the current monitor.
 *
 * 1. Output is appended under the monitor's lock, and goes out in that order.
 * 2. A monitor whose peer does not read takes no commands; what was answered
 *    already is kept for it.
 */
#include "qemu/osdep.h"
#include "monitor-internal.h"
#include "qapi/error.h"
#include "qapi/qmp-event.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qjson.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"

MonitorList monitor_list = QTAILQ_HEAD_INITIALIZER(monitor_list);
QemuMutex monitor_lock;

static const MonitorProgram *program;

/* ---- The current monitor ---- */

static __thread Monitor *thread_cur;
/* The coroutine that runs a command, one at most; main thread. */
static Coroutine *command_co;
static Monitor *command_mon;

Monitor *monitor_cur(void)
{
    if (qemu_in_coroutine() && qemu_coroutine_self() == command_co) {
        return command_mon;
    }
    return thread_cur;
}

int monitor_take_msgfd(Monitor *mon)
{
    return mon ? qemu_chr_fe_get_msgfd(&mon->chr) : -1;
}

bool monitor_cur_is_qmp(void)
{
    Monitor *mon = monitor_cur();

    return mon && mon->is_qmp;
}

Monitor *monitor_set_cur(Coroutine *co, Monitor *mon)
{
    Monitor *old;

    if (co && qemu_in_coroutine()) {
        old = co == command_co ? command_mon : NULL;
        command_co = mon ? co : NULL;
        command_mon = mon;
    } else {
        old = thread_cur;
        thread_cur = mon;
    }
    return old;
}

/* ---- Output ---- */

static gboolean out_ready(void *do_not_use, GIOCondition cond, void *opaque);

/* Lock held. */
static void flush_locked(Monitor *mon)
{
    while (mon->out->len && mon->chr.chr) {
        int n = qemu_chr_fe_write(&mon->chr, (uint8_t *)mon->out->str,
                                  mon->out->len);

        if (n > 0) {
            g_string_erase(mon->out, 0, n);
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            /* Nobody will ever read it. */
            g_string_truncate(mon->out, 0);
        }
    }
    if (mon->out->len && mon->chr.chr && !mon->out_watch) {
        mon->out_watch = qemu_chr_fe_add_watch(&mon->chr, G_IO_OUT | G_IO_HUP,
                                               out_ready, mon);
        if (!mon->out_watch) {
            g_string_truncate(mon->out, 0);
        }
    }
    atomic_set(&mon->out_blocked,
               mon->chr.chr && mon->out->len > MONITOR_OUT_HIGH);
}

static gboolean out_ready(void *do_not_use, GIOCondition cond, void *opaque)
{
    Monitor *mon = opaque;
    bool more, was_blocked;

    qemu_mutex_lock(&mon->lock);
    was_blocked = mon->out_blocked;
    /* Another watch is only made for another connection's descriptor. */
    mon->out_watch = 0;
    flush_locked(mon);
    more = mon->out_blocked;
    qemu_mutex_unlock(&mon->lock);
    if (was_blocked && !more) {
        monitor_unblocked(mon);
    }
    return G_SOURCE_REMOVE;
}

void monitor_unblocked(Monitor *mon)
{
    qemu_chr_fe_accept_input(&mon->chr);
    if (mon->is_qmp) {
        monitor_qmp_kick();
    }
}

void monitor_peer_gone(Monitor *mon)
{
    qemu_mutex_lock(&mon->lock);
    if (mon->out_watch) {
        g_source_remove(mon->out_watch);
        mon->out_watch = 0;
    }
    flush_locked(mon);
    qemu_mutex_unlock(&mon->lock);
}

void monitor_puts_locked(Monitor *mon, const char *str, size_t len)
{
    g_string_append_len(mon->out, str, len);
    flush_locked(mon);
}

/* Waits for a peer that reads, but not for one that does not. */
static void flush_finally(Monitor *mon)
{
    enum { PATIENCE_MS = 1000 };

    qemu_mutex_lock(&mon->lock);
    if (mon->out_watch) {
        g_source_remove(mon->out_watch);
        mon->out_watch = 0;
    }
    while (mon->out->len && mon->chr.chr) {
        int n = qemu_chr_fe_write(&mon->chr, (uint8_t *)mon->out->str,
                                  mon->out->len);

        if (n > 0) {
            g_string_erase(mon->out, 0, n);
        } else if (n == 0 || errno != EAGAIN) {
            break;
        } else if (!qemu_chr_fe_wait(&mon->chr, PATIENCE_MS)) {
            break;
        }
    }
    g_string_truncate(mon->out, 0);
    qemu_mutex_unlock(&mon->lock);
}

int monitor_puts(Monitor *mon, const char *str)
{
    const char *p, *end;

    if (!mon || mon->is_qmp) {
        return -1;
    }
    qemu_mutex_lock(&mon->lock);
    for (p = str; *p; p = end) {
        end = strchrnul(p, '\n');
        g_string_append_len(mon->out, p, end - p);
        if (*end) {
            g_string_append(mon->out, "\r\n");
            end++;
        }
    }
    flush_locked(mon);
    qemu_mutex_unlock(&mon->lock);
    return 0;
}

int monitor_vprintf(Monitor *mon, const char *fmt, va_list ap)
{
    g_autofree char *text = NULL;

    if (!mon || mon->is_qmp) {
        return -1;
    }
    text = g_strdup_vprintf(fmt, ap);
    monitor_puts(mon, text);
    return strlen(text);
}

int monitor_printf(Monitor *mon, const char *fmt, ...)
{
    va_list ap;
    int ret;

    va_start(ap, fmt);
    ret = monitor_vprintf(mon, fmt, ap);
    va_end(ap);
    return ret;
}

int qemu_vprintf(const char *fmt, va_list ap)
{
    Monitor *mon = monitor_cur();

    return mon && !mon->is_qmp ? monitor_vprintf(mon, fmt, ap)
                               : vprintf(fmt, ap);
}

int qemu_printf(const char *fmt, ...)
{
    va_list ap;
    int ret;

    va_start(ap, fmt);
    ret = qemu_vprintf(fmt, ap);
    va_end(ap);
    return ret;
}

/* Messages of a command for people are part of its output. */
static bool take_message(const char *fmt, va_list ap)
{
    Monitor *mon = monitor_cur();

    if (!mon || mon->is_qmp) {
        return false;
    }
    monitor_vprintf(mon, fmt, ap);
    return true;
}

/* ---- Input ---- */

bool monitor_accepts_input(Monitor *mon)
{
    return !atomic_read(&mon->suspend_cnt) && !atomic_read(&mon->out_blocked);
}

void monitor_suspend(Monitor *mon)
{
    atomic_inc(&mon->suspend_cnt);
}

void monitor_resume(Monitor *mon)
{
    if (atomic_fetch_dec(&mon->suspend_cnt) == 1) {
        if (!mon->is_qmp) {
            monitor_hmp_resumed((MonitorHMP *)mon);
        }
        qemu_chr_fe_accept_input(&mon->chr);
    }
}

/* ---- Making and removing ---- */

bool monitor_data_init(Monitor *mon, bool is_qmp, const char *id,
                       Chardev *chr, Error **errp)
{
    mon->is_qmp = is_qmp;
    if (chr && !qemu_chr_fe_init(&mon->chr, chr, errp)) {
        return false;
    }
    mon->id = g_strdup(id);
    mon->out = g_string_new(NULL);
    qemu_mutex_init(&mon->lock);
    return true;
}

void monitor_data_destroy(Monitor *mon)
{
    qemu_chr_fe_deinit(&mon->chr, false);
    g_string_free(mon->out, true);
    qemu_mutex_destroy(&mon->lock);
    g_free(mon->id);
}

void monitor_list_append(Monitor *mon)
{
    qemu_mutex_lock(&monitor_lock);
    QTAILQ_INSERT_TAIL(&monitor_list, mon, entry);
    qemu_mutex_unlock(&monitor_lock);
    qapi_event_set_emitter(monitor_emit_event);
}

void monitor_init_globals(const MonitorProgram *p)
{
    program = p;
    qemu_mutex_init(&monitor_lock);
    QTAILQ_INIT(&qmp_commands);
    monitor_events_init();
    program->register_commands(&qmp_commands);
    monitor_qmp_globals_init();
    if (program->allow_hmp) {
        monitor_hmp_globals_init();
    }
    qmp_dispatch_set_current(monitor_set_cur);
    error_set_vprintf_hook(take_message);
}

QObject *monitor_get_schema(void)
{
    static QObject *schema;

    if (!schema) {
        /* Generated lists may end with a comma; names contain none. */
        g_auto(GStrv) parts = g_strsplit(program->schema_json, ", ]", -1);
        g_autofree char *json = g_strjoinv("]", parts);

        schema = qobject_from_json(json, &error_abort);
    }
    return qobject_ref(schema);
}

QemuOptsList qemu_mon_opts = {
    .name = "mon",
    .implied_opt_name = "chardev",
    .head = QTAILQ_HEAD_INITIALIZER(qemu_mon_opts.head),
    .desc = {
        { .name = "mode", .type = QEMU_OPT_STRING },
        { .name = "chardev", .type = QEMU_OPT_STRING },
        { .name = "pretty", .type = QEMU_OPT_BOOL },
        { /* end */ },
    },
};

bool monitor_init_opts(QemuOpts *opts, Error **errp)
{
    const char *mode = qemu_opt_get(opts, "mode");
    const char *chardev = qemu_opt_get(opts, "chardev");
    MonitorOptions options = {
        .has_id = qemu_opts_id(opts) != NULL,
        .id = (char *)qemu_opts_id(opts),
        .has_mode = mode != NULL,
        .has_pretty = qemu_opt_get(opts, "pretty") != NULL,
        .pretty = qemu_opt_get_bool(opts, "pretty", false),
        .chardev = (char *)chardev,
    };

    if (!chardev) {
        error_setg(errp, QERR_MISSING_PARAMETER, "chardev");
        return false;
    }
    if (mode) {
        int value = qapi_enum_parse(&MonitorMode_lookup, mode, -1, NULL);

        if (value < 0) {
            error_setg(errp, "Parameter 'mode' does not accept value '%s'",
                       mode);
            return false;
        }
        options.mode = value;
    }
    return monitor_init(&options, errp);
}

bool monitor_init(MonitorOptions *opts, Error **errp)
{
    Chardev *chr = qemu_chr_find(opts->chardev);
    const char *id = opts->has_id ? opts->id : NULL;

    if (!chr) {
        error_setg(errp, "chardev \"%s\" not found", opts->chardev);
        return false;
    }
    if (!opts->has_mode) {
        opts->mode = program->allow_hmp ? MONITOR_MODE_READLINE
                                        : MONITOR_MODE_CONTROL;
    }
    if (opts->mode == MONITOR_MODE_CONTROL) {
        return monitor_init_qmp(chr, id, opts->has_pretty && opts->pretty,
                                errp);
    }
    if (!program->allow_hmp) {
        error_setg(errp, "Only QMP is supported");
        return false;
    }
    if (opts->has_pretty && opts->pretty) {
        error_setg(errp, "'pretty' is not compatible with HMP monitors");
        return false;
    }
    return monitor_init_hmp(chr, id, errp);
}

void monitor_cleanup(void)
{
    Monitor *mon;

    qapi_event_set_emitter(NULL);
    monitor_events_cleanup();
    monitor_qmp_cleanup();
    while ((mon = QTAILQ_FIRST(&monitor_list))) {
        QTAILQ_REMOVE(&monitor_list, mon, entry);
        flush_finally(mon);
        if (mon->is_qmp) {
            monitor_qmp_destroy((MonitorQMP *)mon);
        } else {
            monitor_hmp_destroy((MonitorHMP *)mon);
        }
        monitor_data_destroy(mon);
        g_free(mon);
    }
}
