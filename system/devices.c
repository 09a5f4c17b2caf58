/*
 * SPDX-License-Identifier: MIT
 *
 * Block front ends: virtio-blk, virtio-scsi with its disks and CD-ROMs, IDE
 * disks and CD-ROMs, floppies.
 *
 * 1. Device IDs are unique.
 * 2. A backend has one front end at most; the front end holds a reference and
 *    the permissions that a guest needs.
 * 3. A device on a bus goes before, or with, the device that has the bus.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "monitor/hmp.h"
#include "qapi/qapi-events-block.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-qdev.h"
#include "qapi/qapi-events-qdev.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qemu/cutils.h"
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
    const char *needs;          /* machine's bus with a slot for it */
    bool has_drive;
    bool removable;             /* the medium; there may be none */
    bool has_tray;
    bool provides_scsi;
    bool needs_scsi;
    bool slow_unplug;           /* the guest, or a reset, completes it */
} DeviceType;

static const DeviceType types[] = {
    { .name = "floppy", .bus = "floppy-bus", .desc = "virtual floppy drive",
      .needs = "floppy", .has_drive = true, .removable = true },
    { .name = "ide-cd", .bus = "IDE", .desc = "virtual IDE CD-ROM",
      .needs = "IDE", .has_drive = true, .removable = true,
      .has_tray = true },
    { .name = "ide-hd", .bus = "IDE", .desc = "virtual IDE disk",
      .needs = "IDE", .has_drive = true },
    { .name = "scsi-cd", .bus = "SCSI", .desc = "virtual SCSI CD-ROM",
      .has_drive = true, .removable = true, .has_tray = true,
      .needs_scsi = true },
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
    "write-cache", "wwn", "model", "drive-type", "check_media_rate",
};

/* Buses of a machine that have slots for drives, in the order in which they are
 * filled. */
typedef struct MachineBus {
    const char *name;
    const char *kind;
    int units;
} MachineBus;

static const MachineBus pc_buses[] = {
    { "ide.1", "IDE", 2 },
    { "ide.0", "IDE", 2 },
    { "floppy-bus.0", "floppy", 2 },
};

static const MachineBus *machine_buses;
static size_t nr_machine_buses;

typedef struct Device {
    const DeviceType *type;
    char *id;                   /* NULL: anonymous */
    char *path;
    BlockBackend *blk;          /* NULL: none */
    struct Device *bus;         /* that has the bus it is on */
    const MachineBus *slot_bus; /* or the machine's bus and the slot there */
    int unit;
    bool share_rw;
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

/* ---- Media and trays ---- */

static bool set_permissions(Device *d, Error **errp)
{
    BlockDriverState *bs = blk_bs(d->blk);
    uint64_t perm = BLK_PERM_CONSISTENT_READ;
    uint64_t shared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED |
                      BLK_PERM_GRAPH_MOD | BLK_PERM_RESIZE;

    if (bs && !bdrv_is_read_only(bs) && !d->type->has_tray) {
        perm |= BLK_PERM_WRITE;
    }
    if (d->share_rw) {
        shared |= BLK_PERM_WRITE;
    }
    return blk_set_perm(d->blk, perm, shared, errp) == 0;
}

static bool cd_is_tray_open(void *opaque)
{
    return ((Device *)opaque)->tray_open;
}

/* A guest locks it, and there is none. */
static bool cd_is_medium_locked(void *opaque)
{
    return false;
}

static void cd_change_media(void *opaque, bool load, Error **errp)
{
    g_autofree char *id = NULL;
    Device *d = opaque;

    if (d->tray_open == !load) {
        return;
    }
    d->tray_open = !load;
    id = blk_get_attached_dev_id(d->blk);
    qapi_event_send_device_tray_moved(blk_name(d->blk), id, d->tray_open,
                                      &error_abort);
}

static void cd_eject_request(void *opaque, bool force)
{
    cd_change_media(opaque, false, NULL);
}

/* It takes the permissions for the medium that it has. */
static void floppy_change_media(void *opaque, bool load, Error **errp)
{
    Device *d = opaque;

    if (load) {
        set_permissions(d, errp);
    } else {
        blk_set_perm(d->blk, 0, BLK_PERM_ALL, &error_abort);
    }
}

static const BlockDevOps disk_ops = { 0 };

static const BlockDevOps cd_ops = {
    .change_media_cb  = cd_change_media,
    .eject_request_cb = cd_eject_request,
    .is_tray_open     = cd_is_tray_open,
    .is_medium_locked = cd_is_medium_locked,
};

static const BlockDevOps floppy_ops = {
    .change_media_cb  = floppy_change_media,
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

    if (share && !parse_option_bool("share-rw", share, &d->share_rw, errp)) {
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
    blk_set_dev_ops(d->blk, d->type->has_tray ? &cd_ops
                            : d->type->removable ? &floppy_ops : &disk_ops,
                    d);
    if (!d->type->removable || d->type->has_tray) {
        blk_iostatus_enable(d->blk);
    }
    if (set_permissions(d, errp) &&
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
            (type->needs && !strcmp(key, "unit")) ||
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

static bool slot_taken(const MachineBus *bus, int unit)
{
    Device *d;

    QTAILQ_FOREACH(d, &devices, next) {
        if (d->slot_bus == bus && d->unit == unit) {
            return true;
        }
    }
    return false;
}

static bool take_slot(Device *d, const MachineBus *bus, int64_t unit,
                      Error **errp)
{
    const char *kind = d->type->needs;

    if (unit < 0 || unit >= bus->units) {
        error_setg(errp, "Can't create %s unit %" PRId64 ", bus supports only "
                   "%d units", kind, unit, bus->units);
        return false;
    }
    if (slot_taken(bus, unit)) {
        error_setg(errp, "%s unit %" PRId64 " is in use",
                   strcmp(kind, "IDE") ? "Floppy" : kind, unit);
        return false;
    }
    d->slot_bus = bus;
    d->unit = unit;
    return true;
}

/* A slot on a bus of the machine: as the properties say, or the first that is
 * free. */
static bool find_slot(Device *d, const char *name, bool hotplug,
                      const char *unit, Error **errp)
{
    const MachineBus *bus = NULL;
    int64_t n = 0;
    size_t i;

    if (unit && qemu_strtoi64(unit, NULL, 0, &n) < 0) {
        error_setg(errp, "Parameter 'unit' expects int64");
        return false;
    }
    for (i = 0; i < nr_machine_buses; i++) {
        const MachineBus *b = &machine_buses[i];

        if (name ? strcmp(b->name, name) : strcmp(b->kind, d->type->needs)) {
            continue;
        }
        bus = b;
        if (unit) {
            break;
        }
        for (n = 0; n < b->units && slot_taken(b, n); n++) {
            /* the next one */
        }
        if (n < b->units) {
            break;
        }
    }
    if (!bus && name) {
        error_setg(errp, "Bus '%s' not found", name);
    } else if (!bus) {
        error_setg(errp, "No '%s' bus found for device '%s'", d->type->bus,
                   d->type->name);
    }
    if (bus && hotplug) {
        error_setg(errp, QERR_BUS_NO_HOTPLUG, bus->name);
        return false;
    }
    return bus && take_slot(d, bus, n, errp);
}

static bool find_place(Device *d, QDict *props, bool hotplug, Error **errp)
{
    const char *name = qdict_get_try_str(props, "bus");

    if (d->type->needs) {
        return find_slot(d, name, hotplug, qdict_get_try_str(props, "unit"),
                         errp);
    }
    if (!d->type->needs_scsi) {
        return true;
    }
    d->bus = find_bus(name);
    if (!d->bus && name) {
        error_setg(errp, "Bus '%s' not found", name);
    } else if (!d->bus) {
        error_setg(errp, "No 'SCSI' bus found for device '%s'",
                   d->type->name);
    }
    return d->bus != NULL;
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
    Device *d;

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
        error_setg(errp, hotplug ? "Duplicate device ID '%s'"
                                 : "Duplicate ID '%s' for device", id);
        return false;
    }
    if (!check_properties(type, props, errp)) {
        return false;
    }
    d = g_new0(Device, 1);
    d->type = type;
    d->id = g_strdup(id);
    d->path = id ? g_strdup_printf("/machine/peripheral/%s", id)
        : g_strdup_printf("/machine/peripheral-anon/device[%u]",
                          nr_anonymous);
    if (!find_place(d, props, hotplug, errp) ||
        (type->has_drive && !attach_drive(d, props, errp))) {
        device_free(d);
        return false;
    }
    nr_anonymous += !id;
    QTAILQ_INSERT_TAIL(&devices, d, next);
    return true;
}

void devices_set_machine(const char *name)
{
    if (!strcmp(name, "pc")) {
        machine_buses = pc_buses;
        nr_machine_buses = ARRAY_SIZE(pc_buses);
    }
}

/* The type of the front end that -drive's interface means, or NULL. */
static const char *type_for_drive(const DriveInfo *dinfo)
{
    switch (dinfo->type) {
    case IF_VIRTIO:
        return blk_bs(dinfo->blk) ? "virtio-blk-pci" : NULL;
    case IF_IDE:
        return !nr_machine_buses ? NULL : dinfo->media_cd ? "ide-cd"
                                                          : "ide-hd";
    case IF_FLOPPY:
        return nr_machine_buses ? "floppy" : NULL;
    default:
        return NULL;
    }
}

static QDict *props_for_drive(const DriveInfo *dinfo, const char *type)
{
    QDict *props = qdict_new();

    qdict_put_str(props, "driver", type);
    qdict_put_str(props, "drive", blk_name(dinfo->blk));
    if (dinfo->type == IF_IDE) {
        g_autofree char *bus = g_strdup_printf("ide.%d", dinfo->bus);

        qdict_put_str(props, "bus", bus);
    }
    if (dinfo->type != IF_VIRTIO) {
        g_autofree char *unit = g_strdup_printf("%d", dinfo->unit);

        qdict_put_str(props, "unit", unit);
    }
    return props;
}

bool devices_create_for_drives(Error **errp)
{
    DriveInfo *dinfo;

    for (dinfo = drive_next(NULL); dinfo; dinfo = drive_next(dinfo)) {
        const char *type = type_for_drive(dinfo);
        QDict *props;
        bool ok;

        if (!type || blk_get_attached_dev(dinfo->blk)) {
            continue;
        }
        props = props_for_drive(dinfo, type);
        ok = device_create(props, false, errp);
        qobject_unref(props);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- Removal ---- */

/* Of a device that is gone. */
typedef struct DeletedEvent {
    char *id;                   /* NULL: anonymous */
    char *path;
    char *backend;              /* path of the part with the drive, or NULL */
} DeletedEvent;

/* Clients expect the reply to device_del first. */
static void send_deleted(void *opaque)
{
    DeletedEvent *e = opaque;

    if (e->backend) {
        qapi_event_send_device_deleted(false, NULL, e->backend, &error_abort);
    }
    qapi_event_send_device_deleted(e->id != NULL, e->id, e->path,
                                   &error_abort);
    g_free(e->id);
    g_free(e->path);
    g_free(e->backend);
    g_free(e);
}

/* With the drive that was made for it by -drive. */
static void remove_device(Device *d)
{
    DeletedEvent *e = g_new(DeletedEvent, 1);
    BlockBackend *blk = d->blk;
    Device *child, *next;

    QTAILQ_FOREACH_SAFE(child, &devices, next, next) {
        if (child->bus == d) {
            remove_device(child);
        }
    }
    QTAILQ_REMOVE(&devices, d, next);
    *e = (DeletedEvent) {
        .id = g_strdup(d->id),
        .path = g_strdup(d->path),
        .backend = d->type->backend
            ? g_strconcat(d->path, d->type->backend, NULL) : NULL,
    };
    if (blk) {
        blk_ref(blk);
    }
    device_free(d);
    if (blk) {
        drive_auto_del(blk);
        blk_unref(blk);
    }
    aio_bh_schedule_oneshot(qemu_get_aio_context(), send_deleted, e);
}

/* What waits for the guest goes with a reset, and trays close. */
static void devices_reset(void *opaque)
{
    Device *d;

    QTAILQ_FOREACH(d, &devices, next) {
        d->tray_open = false;
    }
restart:
    QTAILQ_FOREACH(d, &devices, next) {
        if (d->unplug_pending) {
            remove_device(d);
            goto restart;
        }
    }
}

void devices_init(void)
{
    qemu_register_reset(devices_reset, NULL);
}

void qmp_device_del(const char *id, Error **errp)
{
    Device *d = find_device(id);

    if (!d) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  id);
        return;
    }
    if (d->slot_bus) {
        error_setg(errp, QERR_BUS_NO_HOTPLUG, d->slot_bus->name);
        return;
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
