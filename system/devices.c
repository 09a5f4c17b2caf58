/*
 * SPDX-License-Identifier: MIT
 *
 * Block front ends: virtio-blk, virtio-scsi with its disks and CD-ROMs.
 *
 * 1. Device IDs are unique.
 * 2. A backend has one front end at most; the front end holds a reference and
 *    the permissions that a guest needs.
 * 3. A device on a bus goes before, or with, the device that has the bus.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "monitor/hmp.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-qdev.h"
#include "qapi/qapi-events-qdev.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qemu/id.h"
#include "qemu/option.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "sysemu/devices.h"
#include "sysemu/iothread.h"
#include "sysemu/runstate.h"

/* ---- Types ---- */

typedef struct DeviceType {
    const char *name;
    const char *alias;
    const char *bus;            /* kind of bus that it is on */
    const char *desc;
    const char *backend;        /* part of its path that has the drive */
    bool has_drive;
    bool removable;             /* the medium; there may be none */
    bool provides_scsi;
    bool needs_scsi;
    bool slow_unplug;           /* the guest, or a reset, completes it */
} DeviceType;

static const DeviceType types[] = {
    { .name = "scsi-cd", .bus = "SCSI", .desc = "virtual SCSI CD-ROM",
      .has_drive = true, .removable = true, .needs_scsi = true },
    { .name = "scsi-hd", .bus = "SCSI", .desc = "virtual SCSI disk",
      .has_drive = true, .needs_scsi = true },
    { .name = "virtio-blk-pci", .alias = "virtio-blk", .bus = "PCI",
      .has_drive = true, .backend = "/virtio-backend", .slow_unplug = true },
    { .name = "virtio-scsi-pci", .alias = "virtio-scsi", .bus = "PCI",
      .backend = "/virtio-backend", .provides_scsi = true,
      .slow_unplug = true },
};

/* Properties that say how a guest sees the device, and so nothing here. */
static const char *const ignored_properties[] = {
    "addr", "bootindex", "bus", "channel", "config-wce", "device_id",
    "discard_granularity", "disable-legacy", "disable-modern",
    "logical_block_size", "lun", "max_sectors", "min_io_size", "num-queues",
    "num_queues", "opt_io_size", "physical_block_size", "product",
    "queue-size", "rerror", "scsi-id", "serial", "ver", "vendor", "werror",
    "write-cache", "wwn",
};

typedef struct Device {
    const DeviceType *type;
    char *id;                   /* NULL: anonymous */
    char *path;
    BlockBackend *blk;          /* NULL: none */
    struct Device *bus;         /* that has the bus it is on */
    bool tray_open;
    bool unplug_pending;
    QTAILQ_ENTRY(Device) next;
} Device;

static QTAILQ_HEAD(, Device) devices = QTAILQ_HEAD_INITIALIZER(devices);
static unsigned nr_anonymous;

static const DeviceType *find_type(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        if (!strcmp(name, types[i].name) ||
            (types[i].alias && !strcmp(name, types[i].alias))) {
            return &types[i];
        }
    }
    return NULL;
}

void devices_print_types(void)
{
    size_t i;

    printf("Storage devices:\n");
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        printf("name \"%s\", bus %s", types[i].name, types[i].bus);
        if (types[i].alias) {
            printf(", alias \"%s\"", types[i].alias);
        }
        if (types[i].desc) {
            printf(", desc \"%s\"", types[i].desc);
        }
        printf("\n");
    }
}

/* ---- Looking up ---- */

/* By ID or path; a path may begin at the ID and name the part of the device
 * that has the drive. */
static Device *find_device(const char *id)
{
    Device *d;

    QTAILQ_FOREACH(d, &devices, next) {
        g_autofree char *part = g_strconcat(d->id ?: "", d->type->backend,
                                            NULL);
        g_autofree char *full = g_strconcat(d->path, d->type->backend, NULL);

        if ((d->id && (!strcmp(id, d->id) || !strcmp(id, part))) ||
            !strcmp(id, d->path) || !strcmp(id, full)) {
            return d;
        }
    }
    return NULL;
}

/* The device with bus @name ("ID.0"), or any with a SCSI bus. */
static Device *find_bus(const char *name)
{
    Device *d;

    QTAILQ_FOREACH(d, &devices, next) {
        g_autofree char *bus = g_strconcat(d->id ?: "", ".0", NULL);

        if (d->type->provides_scsi && (!name || !strcmp(name, bus))) {
            return d;
        }
    }
    return NULL;
}

/* ---- Trays ---- */

static bool cd_is_tray_open(void *opaque)
{
    return ((Device *)opaque)->tray_open;
}

static bool cd_is_medium_locked(void *opaque)
{
    return false;
}

static void cd_change_media(void *opaque, bool load, Error **errp)
{
    ((Device *)opaque)->tray_open = !load;
}

static void cd_eject_request(void *opaque, bool force)
{
    ((Device *)opaque)->tray_open = true;
}

static const BlockDevOps disk_ops = { 0 };

static const BlockDevOps cd_ops = {
    .change_media_cb  = cd_change_media,
    .eject_request_cb = cd_eject_request,
    .is_tray_open     = cd_is_tray_open,
    .is_medium_locked = cd_is_medium_locked,
};

/* ---- Drives ---- */

/* The backend that "drive" names; a node gets one of its own. */
static BlockBackend *drive_backend(const DeviceType *type, const char *name,
                                   Error **errp)
{
    BlockBackend *blk = blk_by_name(name);
    BlockDriverState *bs;

    if (blk) {
        blk_ref(blk);
        return blk;
    }
    bs = bdrv_lookup_bs(NULL, name, NULL);
    if (!bs) {
        error_setg(errp, "Property '%s.drive' can't find value '%s'",
                   type->backend ? "virtio-blk-device" : type->name, name);
        return NULL;
    }
    blk = blk_new(0, BLK_PERM_ALL);
    if (blk_insert_bs(blk, bs, errp) < 0) {
        blk_unref(blk);
        return NULL;
    }
    return blk;
}

static bool set_permissions(Device *d, bool share_rw, Error **errp)
{
    BlockDriverState *bs = blk_bs(d->blk);
    uint64_t perm = BLK_PERM_CONSISTENT_READ;
    uint64_t shared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED |
                      BLK_PERM_GRAPH_MOD | BLK_PERM_RESIZE;

    if (bs && !bdrv_is_read_only(bs) && !d->type->removable) {
        perm |= BLK_PERM_WRITE;
    }
    if (share_rw) {
        shared |= BLK_PERM_WRITE;
    }
    return blk_set_perm(d->blk, perm, shared, errp) == 0;
}

static bool move_to_iothread(Device *d, const char *name, Error **errp)
{
    IOThread *iothread = name ? iothread_by_id(name) : NULL;

    if (!name) {
        return true;
    }
    if (!iothread) {
        error_setg(errp, "Device '%s' not found", name);
        return false;
    }
    return blk_set_aio_context(d->blk, iothread_get_aio_context(iothread),
                               errp) == 0;
}

static bool attach_drive(Device *d, QDict *props, Error **errp)
{
    const char *name = qdict_get_try_str(props, "drive");
    const char *share = qdict_get_try_str(props, "share-rw");
    g_autofree char *id = NULL;
    bool share_rw = false;

    if (share && !parse_option_bool("share-rw", share, &share_rw, errp)) {
        return false;
    }
    if (!name && !d->type->removable) {
        error_setg(errp, "drive property not set");
        return false;
    }
    d->blk = name ? drive_backend(d->type, name, errp)
                  : blk_new(0, BLK_PERM_ALL);
    if (!d->blk) {
        return false;
    }
    if (!blk_bs(d->blk) && !d->type->removable) {
        error_setg(errp, "Device needs media, but drive is empty");
        goto fail;
    }
    if (blk_attach_dev(d->blk, d) < 0) {
        error_setg(errp, "Drive '%s' is already in use by another device",
                   name);
        goto fail;
    }
    blk_unref(d->blk);          /* the device's reference is another one */
    id = d->type->backend ? g_strconcat(d->path, d->type->backend, NULL)
                          : g_strdup(d->id ?: d->path);
    blk_set_dev_id(d->blk, id);
    blk_set_dev_ops(d->blk, d->type->removable ? &cd_ops : &disk_ops, d);
    blk_iostatus_enable(d->blk);
    if (set_permissions(d, share_rw, errp) &&
        move_to_iothread(d, qdict_get_try_str(props, "iothread"), errp)) {
        return true;
    }
    blk_detach_dev(d->blk, d);
    d->blk = NULL;
    return false;
fail:
    blk_unref(d->blk);
    d->blk = NULL;
    return false;
}

/* ---- Creation ---- */

static bool check_properties(const DeviceType *type, QDict *props,
                             Error **errp)
{
    const QDictEntry *e;
    size_t i;

    for (e = qdict_first(props); e; e = qdict_next(props, e)) {
        const char *key = qdict_entry_key(e);

        if (!strcmp(key, "driver") || !strcmp(key, "id") ||
            !strcmp(key, "iothread") ||
            (type->has_drive && (!strcmp(key, "drive") ||
                                 !strcmp(key, "share-rw")))) {
            continue;
        }
        for (i = 0; i < ARRAY_SIZE(ignored_properties); i++) {
            if (!strcmp(key, ignored_properties[i])) {
                break;
            }
        }
        if (i == ARRAY_SIZE(ignored_properties)) {
            error_setg(errp, "Property '%s.%s' not found", type->name, key);
            return false;
        }
    }
    return true;
}

static bool check_place(const DeviceType *type, QDict *props, Device **bus,
                        Error **errp)
{
    const char *name = qdict_get_try_str(props, "bus");

    *bus = NULL;
    if (!type->needs_scsi) {
        return true;
    }
    *bus = find_bus(name);
    if (!*bus && name) {
        error_setg(errp, "Bus '%s' not found", name);
    } else if (!*bus) {
        error_setg(errp, "No 'SCSI' bus found for device '%s'", type->name);
    }
    return *bus != NULL;
}

static void device_free(Device *d)
{
    if (d->blk) {
        AioContext *ctx = blk_get_aio_context(d->blk);

        aio_context_acquire(ctx);
        blk_drain(d->blk);
        blk_set_aio_context(d->blk, qemu_get_aio_context(), NULL);
        blk_detach_dev(d->blk, d);
        aio_context_release(ctx);
    }
    g_free(d->id);
    g_free(d->path);
    g_free(d);
}

bool device_create(QDict *props, bool hotplug, Error **errp)
{
    const char *driver = qdict_get_try_str(props, "driver");
    const char *id = qdict_get_try_str(props, "id");
    const DeviceType *type;
    Device *bus, *d;

    if (!driver) {
        error_setg(errp, QERR_MISSING_PARAMETER, "driver");
        return false;
    }
    type = find_type(driver);
    if (!type) {
        error_setg(errp, "'%s' is not a valid device model name", driver);
        return false;
    }
    if (id && !id_wellformed(id)) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "id", "an identifier");
        error_append_hint(errp, "Identifiers consist of letters, digits, "
                          "'-', '.', '_', starting with a letter.\n");
        return false;
    }
    if (id && find_device(id)) {
        error_setg(errp, "Duplicate ID '%s' for device", id);
        return false;
    }
    if (!check_place(type, props, &bus, errp) ||
        !check_properties(type, props, errp)) {
        return false;
    }
    d = g_new0(Device, 1);
    d->type = type;
    d->id = g_strdup(id);
    d->bus = bus;
    d->path = id ? g_strdup_printf("/machine/peripheral/%s", id)
        : g_strdup_printf("/machine/peripheral-anon/device[%u]",
                          nr_anonymous);
    if (type->has_drive && !attach_drive(d, props, errp)) {
        device_free(d);
        return false;
    }
    nr_anonymous += !id;
    QTAILQ_INSERT_TAIL(&devices, d, next);
    return true;
}

bool devices_create_for_drives(Error **errp)
{
    DriveInfo *dinfo;

    for (dinfo = drive_next(NULL); dinfo; dinfo = drive_next(dinfo)) {
        QDict *props;
        bool ok;

        if (dinfo->type != IF_VIRTIO || !blk_bs(dinfo->blk) ||
            blk_get_attached_dev(dinfo->blk)) {
            continue;
        }
        props = qdict_new();
        qdict_put_str(props, "driver", "virtio-blk-pci");
        qdict_put_str(props, "drive", blk_name(dinfo->blk));
        ok = device_create(props, false, errp);
        qobject_unref(props);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- Removal ---- */

static void remove_device(Device *d)
{
    g_autofree char *id = g_strdup(d->id);
    g_autofree char *path = g_strdup(d->path);
    g_autofree char *backend = d->type->backend
        ? g_strconcat(path, d->type->backend, NULL) : NULL;
    Device *child, *next;

    QTAILQ_FOREACH_SAFE(child, &devices, next, next) {
        if (child->bus == d) {
            remove_device(child);
        }
    }
    QTAILQ_REMOVE(&devices, d, next);
    device_free(d);
    if (backend) {
        qapi_event_send_device_deleted(false, NULL, backend, NULL);
    }
    qapi_event_send_device_deleted(id != NULL, id, path, NULL);
}

/* What waits for the guest goes with a reset. */
static void devices_reset(void *opaque)
{
    Device *d;

restart:
    QTAILQ_FOREACH(d, &devices, next) {
        if (d->unplug_pending) {
            remove_device(d);
            goto restart;
        }
    }
}

void qmp_device_del(const char *id, Error **errp)
{
    static bool registered;
    Device *d = find_device(id);

    if (!d) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  id);
        return;
    }
    if (!registered) {
        registered = true;
        qemu_register_reset(devices_reset, NULL);
    }
    if (!d->type->slow_unplug) {
        remove_device(d);
    } else if (d->unplug_pending) {
        error_setg(errp, "Device %s is already in the process of unplug", id);
    } else {
        d->unplug_pending = true;
    }
}

void devices_cleanup(void)
{
    Device *d;

    while ((d = QTAILQ_FIRST(&devices))) {
        QTAILQ_REMOVE(&devices, d, next);
        device_free(d);
    }
}

/* ---- Commands ---- */

/* Properties come as any JSON type. */
static QDict *as_strings(QDict *args)
{
    QDict *props = qdict_new();
    const QDictEntry *e;

    for (e = qdict_first(args); e; e = qdict_next(args, e)) {
        QObject *value = qdict_entry_value(e);
        const char *key = qdict_entry_key(e);
        char *number;

        switch (qobject_type(value)) {
        case QTYPE_QSTRING:
            qdict_put_str(props, key,
                          qstring_get_str(qobject_to(QString, value)));
            break;
        case QTYPE_QBOOL:
            qdict_put_str(props, key,
                          qbool_get_bool(qobject_to(QBool, value)) ? "on"
                                                                   : "off");
            break;
        case QTYPE_QNUM:
            number = qnum_to_string(qobject_to(QNum, value));
            qdict_put_str(props, key, number);
            g_free(number);
            break;
        default:
            qdict_put_str(props, key, "");
            break;
        }
    }
    return props;
}

void qmp_marshal_device_add(QDict *args, QObject **ret, Error **errp)
{
    QDict *props = as_strings(args);

    if (device_create(props, true, errp)) {
        *ret = QOBJECT(qdict_new());
    }
    qobject_unref(props);
}
