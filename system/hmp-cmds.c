/*
 * SPDX-License-Identifier: MIT
 *
 * Commands for people that are not about disks.
 */
#include "qemu/osdep.h"
#include "block/block-hmp-cmds.h"
#include "chardev/char.h"
#include "monitor/hmp.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-char.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qapi-commands-qdev.h"
#include "qapi/qapi-commands-qom.h"
#include "qapi/qapi-commands-run-state.h"
#include "qapi/qmp/qjson.h"
#include "qapi/string-input-visitor.h"
#include "qemu/option.h"
#include "qom/object_interfaces.h"
#include "sysemu/devices.h"
#include "sysemu/savevm.h"
#include "sysemu/sysemu.h"

/* ---- What the machine does ---- */

static void hmp_quit(Monitor *mon, const QDict *qdict)
{
    monitor_suspend(mon);
    qmp_quit(NULL);
}

static void hmp_stop(Monitor *mon, const QDict *qdict)
{
    qmp_stop(NULL);
}

static void hmp_cont(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_cont(&err);
    hmp_handle_error(mon, err);
}

static void hmp_system_powerdown(Monitor *mon, const QDict *qdict)
{
    qmp_system_powerdown(NULL);
}

static void hmp_system_reset(Monitor *mon, const QDict *qdict)
{
    qmp_system_reset(NULL);
}

/* ---- Objects and character devices ---- */

static void hmp_object_add(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    user_creatable_add_from_str(qdict_get_str(qdict, "object"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_object_del(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    user_creatable_del(qdict_get_str(qdict, "id"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_chardev_add(Monitor *mon, const QDict *qdict)
{
    const char *args = qdict_get_str(qdict, "args");
    Error *err = NULL;
    QemuOpts *opts = qemu_opts_parse(&qemu_chardev_opts, args, true, &err);

    if (opts) {
        qemu_chr_new_from_opts(opts, &err);
        qemu_opts_del(opts);
    }
    hmp_handle_error(mon, err);
}

static void hmp_chardev_remove(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_chardev_remove(qdict_get_str(qdict, "id"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_ringbuf_write(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_ringbuf_write(qdict_get_str(qdict, "device"),
                      qdict_get_str(qdict, "data"), false, 0, &err);
    hmp_handle_error(mon, err);
}

static void hmp_ringbuf_read(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autofree char *data = qmp_ringbuf_read(qdict_get_str(qdict, "device"),
                                             qdict_get_int(qdict, "size"),
                                             false, 0, &err);

    if (!hmp_handle_error(mon, err)) {
        monitor_printf(mon, "%s\n", data);
    }
}

static void hmp_getfd(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_getfd(qdict_get_str(qdict, "fdname"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_closefd(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_closefd(qdict_get_str(qdict, "fdname"), &err);
    hmp_handle_error(mon, err);
}

/* ---- Properties of objects ---- */

static void hmp_qom_list(Monitor *mon, const QDict *qdict)
{
    const char *path = qdict_get_try_str(qdict, "path");
    ObjectPropertyInfoList *list;
    Error *err = NULL;

    if (!path) {
        monitor_printf(mon, "/\n");
        return;
    }
    list = qmp_qom_list(path, &err);
    for (ObjectPropertyInfoList *e = list; e; e = e->next) {
        monitor_printf(mon, "%s (%s)\n", e->value->name, e->value->type);
    }
    qapi_free_ObjectPropertyInfoList(list);
    hmp_handle_error(mon, err);
}

static void hmp_qom_get(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    QObject *value = qmp_qom_get(qdict_get_str(qdict, "path"),
                                 qdict_get_str(qdict, "property"), &err);

    if (value) {
        g_autoptr(GString) text = qobject_to_json_pretty(value, true);

        monitor_printf(mon, "%s\n", text->str);
        qobject_unref(value);
    }
    hmp_handle_error(mon, err);
}

/* As JSON, or as text, which a string visitor reads as the property needs. */
static void hmp_qom_set(Monitor *mon, const QDict *qdict)
{
    const char *path = qdict_get_str(qdict, "path");
    const char *property = qdict_get_str(qdict, "property");
    const char *value = qdict_get_str(qdict, "value");
    Error *err = NULL;

    if (qdict_get_try_bool(qdict, "json", false)) {
        QObject *obj = qobject_from_json(value, &err);

        if (obj) {
            qmp_qom_set(path, property, obj, &err);
            qobject_unref(obj);
        }
    } else {
        Object *obj = object_resolve_path(path, &err);

        if (obj) {
            Visitor *v = string_input_visitor_new(value);

            object_property_set(obj, property, v, &err);
            visit_free(v);
        }
    }
    hmp_handle_error(mon, err);
}

/* ---- Devices ---- */

static void hmp_device_add(Monitor *mon, const QDict *qdict)
{
    const char *args = qdict_get_try_str(qdict, "device") ?: "";
    Error *err = NULL;
    QDict *props;

    if (!strcmp(args, "help") || !strcmp(args, "?")) {
        devices_print_types();
        return;
    }
    props = keyval_parse(args, "driver", NULL, &err);
    if (props) {
        device_create(props, true, &err);
        qobject_unref(props);
    }
    hmp_handle_error(mon, err);
}

static void hmp_device_del(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_device_del(qdict_get_str(qdict, "id"), &err);
    hmp_handle_error(mon, err);
}

/* ---- info ---- */

static void hmp_info_version(Monitor *mon, const QDict *qdict)
{
    VersionInfo *info = qmp_query_version(NULL);

    monitor_printf(mon, "%" PRId64 ".%" PRId64 ".%" PRId64 "%s\n",
                   info->qemu->major, info->qemu->minor, info->qemu->micro,
                   info->package);
    qapi_free_VersionInfo(info);
}

static void hmp_info_name(Monitor *mon, const QDict *qdict)
{
    if (qemu_name) {
        monitor_printf(mon, "%s\n", qemu_name);
    }
}

static void hmp_info_uuid(Monitor *mon, const QDict *qdict)
{
    monitor_printf(mon, "%s\n", qemu_uuid_text);
}

static void hmp_info_status(Monitor *mon, const QDict *qdict)
{
    StatusInfo *info = qmp_query_status(NULL);

    monitor_printf(mon, "VM status: %s",
                   info->running ? "running" : "paused");
    if (!info->running && info->status != RUN_STATE_PAUSED) {
        monitor_printf(mon, " (%s)", RunState_str(info->status));
    }
    monitor_printf(mon, "\n");
    qapi_free_StatusInfo(info);
}

static void hmp_info_chardev(Monitor *mon, const QDict *qdict)
{
    ChardevInfoList *list = qmp_query_chardev(NULL);

    for (ChardevInfoList *e = list; e; e = e->next) {
        monitor_printf(mon, "%s: filename=%s\n", e->value->label,
                       e->value->filename);
    }
    qapi_free_ChardevInfoList(list);
}

static void hmp_info_iothreads(Monitor *mon, const QDict *qdict)
{
    IOThreadInfoList *list = qmp_query_iothreads(NULL);

    for (IOThreadInfoList *e = list; e; e = e->next) {
        IOThreadInfo *info = e->value;

        monitor_printf(mon, "%s:\n", info->id);
        monitor_printf(mon, "  thread_id=%" PRId64 "\n", info->thread_id);
        monitor_printf(mon, "  poll-max-ns=%" PRId64 "\n",
                       info->poll_max_ns);
        monitor_printf(mon, "  poll-grow=%" PRId64 "\n", info->poll_grow);
        monitor_printf(mon, "  poll-shrink=%" PRId64 "\n",
                       info->poll_shrink);
        monitor_printf(mon, "  aio-max-batch=%" PRId64 "\n",
                       info->aio_max_batch);
    }
    qapi_free_IOThreadInfoList(list);
}

static const HMPCommand commands[] = {
    { "quit|q", "", "", "quit the emulator", hmp_quit },
    { "stop|s", "", "", "stop the machine", hmp_stop },
    { "cont|c", "", "", "let the machine run", hmp_cont },
    { "system_reset", "", "", "reset the machine", hmp_system_reset },
    { "object_add", "object:S", "TYPE,id=ID[,PROPERTY=VALUE...]",
      "make an object", hmp_object_add },
    { "object_del", "id:s", "ID", "remove an object", hmp_object_del },
    { "chardev-add", "args:s", "BACKEND,id=ID[,OPTION=VALUE...]",
      "make a character device", hmp_chardev_add },
    { "closefd", "fdname:s", "NAME", "close a passed file descriptor",
      hmp_closefd },
    { "device_add", "device:S?", "DRIVER[,PROPERTY=VALUE...]",
      "plug in a device", hmp_device_add },
    { "device_del", "id:s", "ID", "unplug a device", hmp_device_del },
    { "getfd", "fdname:s", "NAME", "give the file descriptor that came along "
      "a name", hmp_getfd },
    { "qom-get", "path:s,property:s", "PATH PROPERTY",
      "show the value of an object's property", hmp_qom_get },
    { "qom-list", "path:s?", "PATH", "show the properties of an object",
      hmp_qom_list },
    { "qom-set", "json:-j,path:s,property:s,value:S",
      "[-j] PATH PROPERTY VALUE", "set an object's property (-j: VALUE is "
      "JSON)", hmp_qom_set },
    { "ringbuf_read", "device:s,size:i", "ID SIZE",
      "take text out of a ring buffer", hmp_ringbuf_read },
    { "ringbuf_write", "device:s,data:s", "ID TEXT",
      "put text into a ring buffer", hmp_ringbuf_write },
    { "system_powerdown", "", "", "ask the guest to power down",
      hmp_system_powerdown },
    { "chardev-remove", "id:s", "ID", "remove a character device",
      hmp_chardev_remove },
    { 0 },
};

static const HMPCommand info_commands[] = {
    { "version", "", "", "show the version", hmp_info_version },
    { "name", "", "", "show the name of the machine", hmp_info_name },
    { "uuid", "", "", "show the identifier of the machine", hmp_info_uuid },
    { "status", "", "", "show whether the machine runs", hmp_info_status },
    { "chardev", "", "", "show the character devices", hmp_info_chardev },
    { "iothreads", "", "", "show the iothreads", hmp_info_iothreads },
    { 0 },
};

void hmp_system_init(void)
{
    block_hmp_init();
    savevm_hmp_init();
    hmp_register_commands(commands);
    hmp_register_info_commands(info_commands);
}
