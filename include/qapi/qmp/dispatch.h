/*
 * SPDX-License-Identifier: MIT
 *
 * Tables of QMP commands, and running one of them.
 */
#ifndef QAPI_QMP_DISPATCH_H
#define QAPI_QMP_DISPATCH_H

#include "qapi/util.h"
#include "qemu/queue.h"

struct Coroutine;

/* @args: not yet checked; *ret gets a new reference or stays NULL. */
typedef void QmpCommandFunc(QDict *args, QObject **ret, Error **errp);

typedef enum QmpCommandOptions {
    QCO_NO_OPTIONS         = 0,
    QCO_NO_SUCCESS_RESP    = 1 << 0,    /* no reply unless it fails */
    QCO_ALLOW_OOB          = 1 << 1,
    QCO_ALLOW_PRECONFIG    = 1 << 2,
    QCO_COROUTINE          = 1 << 3,    /* runs in a coroutine */
} QmpCommandOptions;

typedef struct QmpCommand {
    const char *name;
    QmpCommandFunc *fn;
    QmpCommandOptions options;
    unsigned special_features;          /* bits by QapiSpecialFeature */
    bool enabled;
    const char *disable_reason;         /* or NULL */
    QTAILQ_ENTRY(QmpCommand) node;
} QmpCommand;

/* In the order of registration; starts zeroed or with QTAILQ_INIT(). */
typedef QTAILQ_HEAD(QmpCommandList, QmpCommand) QmpCommandList;

/* @name is not copied and must not be there yet. */
void qmp_register_command(QmpCommandList *cmds, const char *name,
                          QmpCommandFunc *fn, QmpCommandOptions options,
                          unsigned special_features);
void qmp_unregister_command(QmpCommandList *cmds, const char *name);
const QmpCommand *qmp_find_command(const QmpCommandList *cmds,
                                   const char *name);
void qmp_disable_command(QmpCommandList *cmds, const char *name,
                         const char *reason);
void qmp_enable_command(QmpCommandList *cmds, const char *name);
bool qmp_command_is_enabled(const QmpCommand *cmd);
const char *qmp_command_name(const QmpCommand *cmd);
bool qmp_has_success_response(const QmpCommand *cmd);

typedef void (*qmp_cmd_callback_fn)(const QmpCommand *cmd, void *opaque);
void qmp_for_each_command(const QmpCommandList *cmds, qmp_cmd_callback_fn fn,
                          void *opaque);

/* { "error": { "class", "desc" } } of @err, which is freed. */
QDict *qmp_error_response(Error *err);

/*
 * Run @request, a parsed message.
 *
 * @allow_oob: "exec-oob" was negotiated.
 * @cur_mon: the monitor that asks, what monitor_cur() of the thread or
 * coroutine is to be during the command; see qmp_dispatch_set_current().
 *
 * Returns the response, with the request's "id"; NULL if there is none.
 *
 * Context: in a coroutine a command that is no coroutine command is run in the
 * main loop, outside of it; else at once.  Out-of-band requests must not
 * come in a coroutine.
 */
QDict *qmp_dispatch(const QmpCommandList *cmds, QObject *request,
                    bool allow_oob, Monitor *cur_mon);
/* Does @dict ask to be run out of band? */
bool qmp_is_oob(const QDict *dict);

/* How the monitor layer is told of the current monitor: @set makes @mon that
 * of coroutine or thread @co (NULL: this thread) and returns the former one. */
void qmp_dispatch_set_current(Monitor *(*set)(struct Coroutine *co,
                                              Monitor *mon));

#endif
