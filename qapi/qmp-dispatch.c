/*
 * SPDX-License-Identifier: MIT
 *
 * From a request of a client to its reply.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/dispatch.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"

static Monitor *(*set_current)(Coroutine *co, Monitor *mon);

void qmp_dispatch_set_current(Monitor *(*set)(Coroutine *co, Monitor *mon))
{
    set_current = set;
}

QDict *qmp_error_response(Error *err)
{
    QDict *error = qdict_new(), *rsp = qdict_new();

    qdict_put_str(error, "class", ErrorClass_str(error_get_class(err)));
    qdict_put_str(error, "desc", error_get_pretty(err));
    qdict_put(rsp, "error", error);
    error_free(err);
    return rsp;
}

bool qmp_is_oob(const QDict *dict)
{
    return qdict_haskey(dict, "exec-oob") && !qdict_haskey(dict, "execute");
}

/* Is the request well-formed?  Its command, and whether it is out of band. */
static const char *check_request(const QDict *dict, bool allow_oob, bool *oob,
                                 Error **errp)
{
    const char *command = NULL;
    const QDictEntry *e;

    *oob = false;
    for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        const char *key = qdict_entry_key(e);
        QObject *value = qdict_entry_value(e);

        if (!strcmp(key, "execute") ||
            (!strcmp(key, "exec-oob") && allow_oob)) {
            if (qobject_type(value) != QTYPE_QSTRING) {
                error_setg(errp, "QMP input member '%s' must be a string",
                           key);
                return NULL;
            }
            if (command) {
                error_setg(errp, "QMP input member '%s' clashes with '%s'",
                           key, *oob ? "exec-oob" : "execute");
                return NULL;
            }
            command = qstring_get_str(qobject_to(QString, value));
            *oob = !strcmp(key, "exec-oob");
        } else if (!strcmp(key, "arguments")) {
            if (qobject_type(value) != QTYPE_QDICT) {
                error_setg(errp, "QMP input member 'arguments' must be an "
                           "object");
                return NULL;
            }
        } else if (strcmp(key, "id")) {
            error_setg(errp, "QMP input member '%s' is unexpected", key);
            return NULL;
        }
    }
    if (!command) {
        error_setg(errp, "QMP input lacks member 'execute'");
    }
    return command;
}

static const QmpCommand *find_command(const QmpCommandList *cmds,
                                      const char *name, bool oob, Error **errp)
{
    const QmpCommand *cmd = qmp_find_command(cmds, name);

    if (!cmd) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND,
                  "The command %s has not been found", name);
        return NULL;
    }
    if (!cmd->enabled) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND,
                  "Command %s has been disabled%s%s", name,
                  cmd->disable_reason ? ": " : "",
                  cmd->disable_reason ? cmd->disable_reason : "");
        return NULL;
    }
    if (oob && !(cmd->options & QCO_ALLOW_OOB)) {
        error_setg(errp, "The command %s does not support OOB", name);
        return NULL;
    }
    return cmd;
}

/* ---- Running the handler ---- */

typedef struct DispatchCall {
    const QmpCommand *cmd;
    Monitor *cur_mon;
    QDict *args;
    QObject **ret;
    Error **errp;
    Coroutine *waiting;
} DispatchCall;

static Monitor *switch_monitor(Monitor *mon)
{
    return set_current ? set_current(qemu_coroutine_self(), mon) : NULL;
}

static void call_handler(DispatchCall *call)
{
    Monitor *old = switch_monitor(call->cur_mon);

    call->cmd->fn(call->args, call->ret, call->errp);
    switch_monitor(old);
}

static void call_handler_bh(void *opaque)
{
    DispatchCall *call = opaque;

    call_handler(call);
    aio_co_wake(call->waiting);
}

/* Most handlers expect to be outside coroutines. */
static void run_handler(DispatchCall *call)
{
    if (qemu_in_coroutine() && !(call->cmd->options & QCO_COROUTINE)) {
        call->waiting = qemu_coroutine_self();
        aio_bh_schedule_oneshot(qemu_get_aio_context(), call_handler_bh,
                                call);
        qemu_coroutine_yield();
    } else {
        call_handler(call);
    }
}

/* The reply's "return"; NULL without error if there is to be none. */
static QObject *do_dispatch(const QmpCommandList *cmds, QDict *dict,
                            bool allow_oob, Monitor *cur_mon, Error **errp)
{
    g_autoptr(QDict) args = NULL;
    const QmpCommand *cmd;
    const char *name;
    QObject *ret = NULL;
    Error *err = NULL;
    bool oob;

    name = check_request(dict, allow_oob, &oob, errp);
    cmd = name ? find_command(cmds, name, oob, errp) : NULL;
    if (!cmd) {
        return NULL;
    }
    args = qdict_haskey(dict, "arguments")
           ? qobject_ref(qdict_get_qdict(dict, "arguments")) : qdict_new();
    run_handler(&(DispatchCall) {
        .cmd = cmd,
        .cur_mon = cur_mon,
        .args = args,
        .ret = &ret,
        .errp = &err,
    });
    if (err) {
        qobject_unref(ret);
        error_propagate(errp, err);
        return NULL;
    }
    if (!qmp_has_success_response(cmd)) {
        qobject_unref(ret);
        return NULL;
    }
    return ret ? ret : QOBJECT(qdict_new());
}

QDict *qmp_dispatch(const QmpCommandList *cmds, QObject *request,
                    bool allow_oob, Monitor *cur_mon)
{
    QDict *dict = qobject_to(QDict, request);
    QObject *id = dict ? qdict_get(dict, "id") : NULL;
    QObject *ret = NULL;
    Error *err = NULL;
    QDict *rsp;

    if (!dict) {
        error_setg(&err, "QMP input must be a JSON object");
    } else {
        ret = do_dispatch(cmds, dict, allow_oob, cur_mon, &err);
    }
    if (err) {
        rsp = qmp_error_response(err);
    } else if (ret) {
        rsp = qdict_new();
        qdict_put_obj(rsp, "return", ret);
    } else {
        return NULL;
    }
    if (id) {
        qdict_put_obj(rsp, "id", qobject_ref(id));
    }
    return rsp;
}
