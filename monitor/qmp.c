/*
 * SPDX-License-Identifier: MIT
 *
 * QMP monitors: from bytes to requests, from requests to responses.
 *
 * 1. Requests of one monitor are run in the order in which they came, one
 *    request of all monitors at a time, in the main thread and never from
 *    inside of aio_poll(): the dispatcher is a GSource of its own.
 * 2. Out-of-band requests are run at once by the thread that reads, which is
 *    another than the main thread as soon as a client negotiated them.
 * 3. A response goes to the connection that asked, or nowhere.
 */
#include "qemu/osdep.h"
#include "monitor-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "sysemu/iothread.h"

/* Requests that may wait with out-of-band execution; without, it is one. */
enum { QUEUE_LEN_OOB = 8 };

QmpCommandList qmp_commands;
QmpCommandList qmp_cap_negotiation_commands;

/* Reads for monitors with out-of-band execution; made for the first one. */
static IOThread *reader_thread;

/* Under monitor_lock: the dispatcher's source exists. */
static bool dispatcher_scheduled;
/* Main thread: a coroutine command has not ended yet. */
static bool dispatcher_busy;
/* Main thread: whom the next request is taken from first. */
static MonitorQMP *next_monitor;

/* ---- Output ---- */

/* Serialises @obj as @mon wants it, with the end of the line. */
static GString *to_wire(MonitorQMP *mon, const QObject *obj)
{
    GString *json = qobject_to_json_pretty(obj, mon->pretty);
    GString *wire;

    if (!mon->pretty) {
        return g_string_append(json, "\r\n");
    }
    /* Every line ends like that. */
    wire = g_string_sized_new(json->len + json->len / 16);
    for (char *p = json->str; *p; p++) {
        if (*p == '\n') {
            g_string_append_c(wire, '\r');
        }
        g_string_append_c(wire, *p);
    }
    g_string_free(json, true);
    return g_string_append(wire, "\r\n");
}

static void send_response(MonitorQMP *mon, unsigned session,
                          const QDict *response)
{
    GString *wire = to_wire(mon, QOBJECT(response));

    qemu_mutex_lock(&mon->common.lock);
    if (mon->session == session) {
        monitor_puts_locked(&mon->common, wire->str, wire->len);
    }
    qemu_mutex_unlock(&mon->common.lock);
    g_string_free(wire, true);
}

void monitor_qmp_send_event(MonitorQMP *mon, const QDict *event)
{
    GString *wire;

    /* Clients do not expect anything before they have negotiated. */
    if (atomic_read(&mon->commands) != &qmp_commands) {
        return;
    }
    wire = to_wire(mon, QOBJECT(event));
    qemu_mutex_lock(&mon->common.lock);
    if (mon->common.out->len < MONITOR_OUT_MAX) {
        monitor_puts_locked(&mon->common, wire->str, wire->len);
    }
    qemu_mutex_unlock(&mon->common.lock);
    g_string_free(wire, true);
}

/* ---- Running requests ---- */

static void request_free(QmpRequest *r)
{
    qobject_unref(r->req);
    error_free(r->err);
    g_free(r);
}

/* Before negotiation, unknown commands have a special explanation. */
static void explain_negotiation(MonitorQMP *mon, QDict *response)
{
    QDict *error = qdict_get_qdict(response, "error");

    if (mon->commands == &qmp_cap_negotiation_commands && error &&
        !g_strcmp0(qdict_get_try_str(error, "class"), "CommandNotFound")) {
        qdict_put_str(error, "desc", "Expecting capabilities negotiation "
                      "with 'qmp_capabilities'");
    }
}

static void run_request(MonitorQMP *mon, QmpRequest *r)
{
    bool was_negotiating = mon->commands == &qmp_cap_negotiation_commands;
    QDict *response;

    if (r->req) {
        response = qmp_dispatch(mon->commands, r->req, mon->oob,
                                &mon->common);
        if (response && was_negotiating) {
            explain_negotiation(mon, response);
        }
    } else {
        response = qmp_error_response(r->err);
        r->err = NULL;
    }
    if (response) {
        send_response(mon, r->session, response);
        qobject_unref(response);
    }
    request_free(r);
}

/* Whether @r has to run in a coroutine. */
static bool wants_coroutine(MonitorQMP *mon, QmpRequest *r)
{
    const QDict *dict = r->req ? qobject_to(QDict, r->req) : NULL;
    const char *name = dict ? qdict_get_try_str(dict, "execute") : NULL;
    const QmpCommand *cmd = name ? qmp_find_command(mon->commands, name)
                                 : NULL;

    return cmd && (cmd->options & QCO_COROUTINE);
}

/* There may be room for further requests. */
static void after_request(MonitorQMP *mon)
{
    unsigned limit = mon->oob ? QUEUE_LEN_OOB : 1;
    bool resume = false;

    qemu_mutex_lock(&monitor_lock);
    if (mon->queue_full && mon->requests.length < limit) {
        mon->queue_full = false;
        resume = true;
    }
    qemu_mutex_unlock(&monitor_lock);
    if (resume) {
        monitor_resume(&mon->common);
    }
}

typedef struct CoroutineRequest {
    MonitorQMP *mon;
    QmpRequest *r;
} CoroutineRequest;

static void coroutine_fn request_entry(void *opaque)
{
    CoroutineRequest *cr = opaque;
    MonitorQMP *mon = cr->mon;

    run_request(mon, cr->r);
    g_free(cr);
    dispatcher_busy = false;
    after_request(mon);
    monitor_qmp_kick();
}

/* The next request of a monitor whose output is not blocked; lock held. */
static QmpRequest *take_request(MonitorQMP **pmon)
{
    Monitor *first = next_monitor ? &next_monitor->common
                                  : QTAILQ_FIRST(&monitor_list);
    Monitor *m = first;

    while (m) {
        MonitorQMP *mon = (MonitorQMP *)m;
        Monitor *next = QTAILQ_NEXT(m, entry) ?: QTAILQ_FIRST(&monitor_list);

        if (m->is_qmp && mon->requests.length &&
            !atomic_read(&m->out_blocked)) {
            next_monitor = next->is_qmp ? (MonitorQMP *)next : NULL;
            *pmon = mon;
            return g_queue_pop_head(&mon->requests);
        }
        m = next == first ? NULL : next;
    }
    return NULL;
}

static gboolean dispatch_one(gpointer opaque)
{
    MonitorQMP *mon = NULL;
    QmpRequest *r = NULL;

    qemu_mutex_lock(&monitor_lock);
    if (!dispatcher_busy) {
        r = take_request(&mon);
    }
    if (!r) {
        dispatcher_scheduled = false;
    }
    qemu_mutex_unlock(&monitor_lock);
    if (!r) {
        return G_SOURCE_REMOVE;
    }
    if (wants_coroutine(mon, r)) {
        CoroutineRequest *cr = g_new(CoroutineRequest, 1);

        *cr = (CoroutineRequest) { .mon = mon, .r = r };
        dispatcher_busy = true;
        qemu_coroutine_enter(qemu_coroutine_create(request_entry, cr));
    } else {
        run_request(mon, r);
        after_request(mon);
    }
    return G_SOURCE_CONTINUE;
}

/* Lock held. */
static void schedule_dispatcher(void)
{
    if (!dispatcher_scheduled) {
        dispatcher_scheduled = true;
        g_idle_add_full(G_PRIORITY_DEFAULT, dispatch_one, NULL, NULL);
    }
}

void monitor_qmp_kick(void)
{
    qemu_mutex_lock(&monitor_lock);
    schedule_dispatcher();
    qemu_mutex_unlock(&monitor_lock);
}

/* ---- Input; the thread that reads ---- */

static void handle_message(void *opaque, QObject *req, Error *err)
{
    MonitorQMP *mon = opaque;
    QDict *dict = req ? qobject_to(QDict, req) : NULL;
    QmpRequest *r = g_new(QmpRequest, 1);
    bool suspend = false;

    *r = (QmpRequest) { .req = req, .err = err, .session = mon->session };
    if (dict && mon->in_iothread && mon->oob && qmp_is_oob(dict)) {
        run_request(mon, r);
        return;
    }
    qemu_mutex_lock(&monitor_lock);
    g_queue_push_tail(&mon->requests, r);
    if (!mon->queue_full &&
        mon->requests.length >= (mon->oob ? QUEUE_LEN_OOB : 1)) {
        mon->queue_full = suspend = true;
    }
    schedule_dispatcher();
    qemu_mutex_unlock(&monitor_lock);
    if (suspend) {
        monitor_suspend(&mon->common);
    }
}

static int qmp_can_read(void *opaque)
{
    Monitor *mon = opaque;

    return monitor_accepts_input(mon) ? 4096 : 0;
}

static void qmp_read(void *opaque, const uint8_t *buf, int size)
{
    MonitorQMP *mon = opaque;

    json_message_parser_feed(&mon->parser, (const char *)buf, size);
}

/* ---- Connections; main thread ---- */

static void send_greeting(MonitorQMP *mon)
{
    QList *capabilities = qlist_new();
    VersionInfo *version = qmp_query_version(NULL);
    QDict *qemu = qdict_new(), *ver = qdict_new(), *qmp = qdict_new();
    QDict *greeting = qdict_new();

    qdict_put_int(qemu, "major", version->qemu->major);
    qdict_put_int(qemu, "minor", version->qemu->minor);
    qdict_put_int(qemu, "micro", version->qemu->micro);
    qdict_put(ver, "qemu", qemu);
    qdict_put_str(ver, "package", version->package);
    qapi_free_VersionInfo(version);
    for (int i = 0; i < QMP_CAPABILITY__MAX; i++) {
        qlist_append_str(capabilities, QMPCapability_str(i));
    }
    qdict_put(qmp, "version", ver);
    qdict_put(qmp, "capabilities", capabilities);
    qdict_put(greeting, "QMP", qmp);
    send_response(mon, mon->session, greeting);
    qobject_unref(greeting);
}

static void qmp_event(void *opaque, QEMUChrEvent event)
{
    MonitorQMP *mon = opaque;

    switch (event) {
    case CHR_EVENT_OPENED:
        qemu_mutex_lock(&mon->common.lock);
        mon->session++;
        mon->oob = false;
        qemu_mutex_unlock(&mon->common.lock);
        atomic_set(&mon->commands, &qmp_cap_negotiation_commands);
        json_message_parser_destroy(&mon->parser);
        json_message_parser_init(&mon->parser, handle_message, mon, NULL);
        send_greeting(mon);
        break;
    case CHR_EVENT_CLOSED:
        /* What was asked before is done; answers may find no reader. */
        monitor_peer_gone(&mon->common);
        break;
    default:
        break;
    }
}

/* ---- Life ---- */

void monitor_qmp_globals_init(void)
{
    QTAILQ_INIT(&qmp_cap_negotiation_commands);
    qmp_register_command(&qmp_cap_negotiation_commands, "qmp_capabilities",
                         qmp_marshal_qmp_capabilities,
                         QCO_ALLOW_PRECONFIG, 0);
}

bool monitor_init_qmp(Chardev *chr, const char *id, bool pretty, Error **errp)
{
    MonitorQMP *mon = g_new0(MonitorQMP, 1);

    if (!monitor_data_init(&mon->common, true, id, chr, errp)) {
        g_free(mon);
        return false;
    }
    mon->pretty = pretty;
    mon->commands = &qmp_cap_negotiation_commands;
    g_queue_init(&mon->requests);
    json_message_parser_init(&mon->parser, handle_message, mon, NULL);
    qemu_chr_fe_set_echo(&mon->common.chr, true);
    monitor_list_append(&mon->common);
    qemu_chr_fe_set_handlers(&mon->common.chr, qmp_can_read, qmp_read,
                             qmp_event, mon, NULL);
    return true;
}

void monitor_qmp_destroy(MonitorQMP *mon)
{
    QmpRequest *r;

    qemu_chr_fe_set_handlers(&mon->common.chr, NULL, NULL, NULL, NULL, NULL);
    while ((r = g_queue_pop_head(&mon->requests))) {
        request_free(r);
    }
    json_message_parser_destroy(&mon->parser);
}

void monitor_qmp_cleanup(void)
{
    Monitor *m;

    if (reader_thread) {
        /* No source may be left to a context that goes away. */
        QTAILQ_FOREACH(m, &monitor_list, entry) {
            if (m->is_qmp && m->chr.chr) {
                qemu_chr_fe_set_context(&m->chr, NULL);
            }
        }
        iothread_destroy(reader_thread);
        reader_thread = NULL;
    }
    next_monitor = NULL;
}

/* ---- Commands on the monitor itself ---- */

/* Moves the reader of @mon to a thread that the main loop cannot hold up. */
static bool use_reader_thread(MonitorQMP *mon, Error **errp)
{
    if (mon->in_iothread) {
        return true;
    }
    if (!reader_thread) {
        reader_thread = iothread_create("mon_iothread", errp);
        if (!reader_thread) {
            return false;
        }
    }
    mon->in_iothread = true;
    qemu_chr_fe_set_context(&mon->common.chr,
                            iothread_get_g_main_context(reader_thread));
    return true;
}

void qmp_qmp_capabilities(bool has_enable, QMPCapabilityList *enable,
                          Error **errp)
{
    MonitorQMP *mon = (MonitorQMP *)monitor_cur();
    bool oob = false;

    if (mon->commands == &qmp_commands) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND,
                  "Capabilities negotiation is already complete, command "
                  "ignored");
        return;
    }
    for (; has_enable && enable; enable = enable->next) {
        oob |= enable->value == QMP_CAPABILITY_OOB;
    }
    if (oob && !use_reader_thread(mon, errp)) {
        return;
    }
    mon->oob = oob;
    atomic_set(&mon->commands, &qmp_commands);
}

VersionInfo *qmp_query_version(Error **errp)
{
    VersionInfo *info = g_new0(VersionInfo, 1);

    info->qemu = g_new0(VersionTriple, 1);
    info->qemu->major = QEMU_VERSION_MAJOR;
    info->qemu->minor = QEMU_VERSION_MINOR;
    info->qemu->micro = QEMU_VERSION_MICRO;
    info->package = g_strdup("");
    return info;
}

static void list_command(const QmpCommand *cmd, void *opaque)
{
    CommandInfoList **list = opaque;
    CommandInfo *info;

    if (qmp_command_is_enabled(cmd)) {
        info = g_new0(CommandInfo, 1);
        info->name = g_strdup(qmp_command_name(cmd));
        QAPI_LIST_PREPEND(*list, info);
    }
}

CommandInfoList *qmp_query_commands(Error **errp)
{
    CommandInfoList *list = NULL;

    qmp_for_each_command(((MonitorQMP *)monitor_cur())->commands,
                         list_command, &list);
    return list;
}
