/*
 * SPDX-License-Identifier: MIT
 *
 * QMP commands about the emulator as a whole.
 */
#include "qemu/osdep.h"
#include "monitor/hmp.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qmp/qerror.h"
#include "sysemu/blockdev.h"
#include "sysemu/iothread.h"
#include "sysemu/sysemu.h"

NameInfo *qmp_query_name(Error **errp)
{
    NameInfo *info = g_new0(NameInfo, 1);

    info->has_name = qemu_name != NULL;
    info->name = g_strdup(qemu_name);
    return info;
}

UuidInfo *qmp_query_uuid(Error **errp)
{
    UuidInfo *info = g_new0(UuidInfo, 1);

    info->UUID = g_strdup(qemu_uuid_text);
    return info;
}

IOThreadInfoList *qmp_query_iothreads(Error **errp)
{
    GPtrArray *objects = object_get_objects_root()->children;
    IOThreadInfoList *list = NULL, **tail = &list;

    for (guint i = 0; i < objects->len; i++) {
        Object *obj = g_ptr_array_index(objects, i);
        IOThreadInfo *info;
        IOThreadParams params;

        if (!object_dynamic_cast(obj, TYPE_IOTHREAD)) {
            continue;
        }
        iothread_get_params((IOThread *)obj, &params);
        info = g_new0(IOThreadInfo, 1);
        info->id = g_strdup(obj->id);
        info->thread_id = params.thread_id;
        info->poll_max_ns = params.poll_max_ns;
        info->poll_grow = params.poll_grow;
        info->poll_shrink = params.poll_shrink;
        info->aio_max_batch = params.aio_max_batch;
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}

char *qmp_human_monitor_command(const char *command_line, bool has_cpu_index,
                                int64_t cpu_index, Error **errp)
{
    if (has_cpu_index) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "cpu-index",
                   "a CPU number");
        return NULL;
    }
    return hmp_run_captured(command_line);
}

/* ---- query-command-line-options ---- */

static CommandLineParameterType parameter_type(enum QemuOptType type)
{
    switch (type) {
    case QEMU_OPT_BOOL:
        return COMMAND_LINE_PARAMETER_TYPE_BOOLEAN;
    case QEMU_OPT_NUMBER:
        return COMMAND_LINE_PARAMETER_TYPE_NUMBER;
    case QEMU_OPT_SIZE:
        return COMMAND_LINE_PARAMETER_TYPE_SIZE;
    default:
        return COMMAND_LINE_PARAMETER_TYPE_STRING;
    }
}

static void add_parameters(CommandLineOptionInfo *info,
                           const QemuOptDesc *desc)
{
    for (; desc->name; desc++) {
        CommandLineParameterInfo *param = g_new0(CommandLineParameterInfo, 1);

        param->name = g_strdup(desc->name);
        param->type = parameter_type(desc->type);
        param->has_help = desc->help != NULL;
        param->help = g_strdup(desc->help);
        param->has_q_default = desc->def_value_str != NULL;
        param->q_default = g_strdup(desc->def_value_str);
        QAPI_LIST_PREPEND(info->parameters, param);
    }
}

typedef struct OptionQuery {
    CommandLineOptionInfoList *list;
    const char *only;           /* NULL: all */
} OptionQuery;

static void add_option(QemuOptsList *opts, void *opaque)
{
    OptionQuery *query = opaque;
    CommandLineOptionInfo *info;

    if (query->only && strcmp(query->only, opts->name)) {
        return;
    }
    info = g_new0(CommandLineOptionInfo, 1);
    info->option = g_strdup(opts->name);
    add_parameters(info, opts->desc);
    if (opts == &qemu_drive_opts) {
        add_parameters(info, qemu_common_drive_opts.desc);
    }
    QAPI_LIST_PREPEND(query->list, info);
}

CommandLineOptionInfoList *
qmp_query_command_line_options(bool has_option, const char *option,
                               Error **errp)
{
    OptionQuery query = { .only = has_option ? option : NULL };

    qemu_opts_lists_foreach(add_option, &query);
    if (has_option && !query.list) {
        error_setg(errp, "invalid option name: %s", option);
    }
    return query.list;
}
