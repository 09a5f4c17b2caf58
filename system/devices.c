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
#include "device-props.h"
#include "monitor/monitor.h"
#include "qapi/qapi-events-block.h"
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
    const char *needs;          /* machine's bus with a slot for it */
    bool has_drive;
    bool removable;             /* the medium; there may be none */
    bool has_tray;
    bool provides_scsi;
    bool needs_scsi;
    bool slow_unplug;           /* the guest, or a reset, completes it */
    bool must_write;            /* no use of a medium that is read-only */
    unsigned props;             /* sets of them */
} DeviceType;

#define PROPS_BLOCK (DEVICE_PROPS_DRIVE | DEVICE_PROPS_ERROR)

static const DeviceType types[] = {
    { .name = "floppy", .bus = "floppy-bus", .desc = "virtual floppy drive",
      .needs = "floppy", .has_drive = true, .removable = true,
      .props = DEVICE_PROPS_DRIVE | DEVICE_PROPS_FLOPPY },
    { .name = "ide-cd", .bus = "IDE", .desc = "virtual IDE CD-ROM",
      .needs = "IDE", .has_drive = true, .removable = true,
      .has_tray = true, .props = PROPS_BLOCK | DEVICE_PROPS_UNIT },
    { .name = "ide-hd", .bus = "IDE", .desc = "virtual IDE disk",
      .needs = "IDE", .has_drive = true, .must_write = true,
      .props = PROPS_BLOCK | DEVICE_PROPS_DISK | DEVICE_PROPS_UNIT },
    { .name = "scsi-cd", .bus = "SCSI", .desc = "virtual SCSI CD-ROM",
      .has_drive = true, .removable = true, .has_tray = true,
      .needs_scsi = true, .props = PROPS_BLOCK | DEVICE_PROPS_SCSI },
    { .name = "scsi-hd", .bus = "SCSI", .desc = "virtual SCSI disk",
      .has_drive = true, .needs_scsi = true,
      .props = PROPS_BLOCK | DEVICE_PROPS_DISK | DEVICE_PROPS_SCSI },
    { .name = "virtio-blk-pci", .alias = "virtio-blk", .bus = "PCI",
      .has_drive = true, .backend = "/virtio-backend", .slow_unplug = true,
      .props = PROPS_BLOCK | DEVICE_PROPS_DISK | DEVICE_PROPS_PCI |
               DEVICE_PROPS_VBLK },
    { .name = "virtio-scsi-pci", .alias = "virtio-scsi", .bus = "PCI",
      .backend = "/virtio-backend", .provides_scsi = true,
      .slow_unplug = true, .props = DEVICE_PROPS_PCI | DEVICE_PROPS_VSCSI },
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
    { "floppy-bus.0", "floppy-bus", 2 },
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
    IOThread *iothread;         /* a reference, or NULL: the main thread */
    DeviceSettings settings;
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

    qemu_printf("Storage devices:\n");
    for (i = 0; i < ARRAY_SIZE(types); i++) {
        qemu_printf("name \"%s\", bus %s", types[i].name, types[i].bus);
        if (types[i].alias) {
            qemu_printf(", alias \"%s\"", types[i].alias);
        }
        if (types[i].desc) {
            qemu_printf(", desc \"%s\"", types[i].desc);
        }
        qemu_printf("\n");
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
    if (d->settings.share_rw) {
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

/* The thread of its bus, or else its own. */
static bool move_to_iothread(Device *d, Error **errp)
{
    IOThread *iothread = d->bus ? d->bus->iothread : d->iothread;

    if (!iothread && !d->bus) {
        return true;
    }
    return blk_set_aio_context(d->blk,
                               iothread ? iothread_get_aio_context(iothread)
                                        : qemu_get_aio_context(),
                               errp) == 0;
}

/* What the properties say about requests. */
static void apply_settings(Device *d)
{
    const DeviceSettings *s = &d->settings;
    BlockdevOnError on_read = s->on_read_error, on_write = s->on_write_error;

    /* Otherwise, what the drive says holds. */
    if (on_read == BLOCKDEV_ON_ERROR_AUTO) {
        on_read = blk_get_on_error(d->blk, true);
    }
    if (on_write == BLOCKDEV_ON_ERROR_AUTO) {
        on_write = blk_get_on_error(d->blk, false);
    }
    blk_set_on_error(d->blk, on_read, on_write);
    if (s->write_cache != ON_OFF_AUTO_AUTO) {
        blk_set_enable_write_cache(d->blk, s->write_cache == ON_OFF_AUTO_ON);
    }
}

static bool attach_drive(Device *d, QDict *props, Error **errp)
{
    const char *name = qdict_get_try_str(props, "drive");
    g_autofree char *id = NULL;

    if (!name && !d->type->removable) {
        error_setg(errp, d->type->needs ? "No drive specified"
                                        : "drive property not set");
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
    if (d->type->must_write && bdrv_is_read_only(blk_bs(d->blk))) {
        error_setg(errp, "Block node is read-only");
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
    if (set_permissions(d, errp) && move_to_iothread(d, errp)) {
        apply_settings(d);
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

/* A slot on @d's bus: as the properties say, or the first that is free. */
static bool take_slot(Device *d, Error **errp)
{
    const MachineBus *bus = d->slot_bus;
    const char *kind = d->type->needs;
    int64_t unit = d->settings.unit;

    if (unit < 0) {
        for (unit = 0; unit < bus->units - 1 && slot_taken(bus, unit);
             unit++) {
            /* the next one */
        }
    }
    if (unit >= bus->units) {
        error_setg(errp, "Can't create %s unit %" PRId64 ", bus supports only "
                   "%d units", kind, unit, bus->units);
        return false;
    }
    if (slot_taken(bus, unit)) {
        error_setg(errp, "%s unit %" PRId64 " is in use",
                   strcmp(kind, "IDE") ? "Floppy" : kind, unit);
        return false;
    }
    d->unit = unit;
    return true;
}

/* The kind of the bus with this name; NULL: there is none. */
static const char *bus_kind(const char *name)
{
    size_t i;

    for (i = 0; i < nr_machine_buses; i++) {
        if (!strcmp(machine_buses[i].name, name)) {
            return machine_buses[i].kind;
        }
    }
    return !strcmp(name, "pci.0") ? "PCI" : find_bus(name) ? "SCSI" : NULL;
}

static const MachineBus *find_machine_bus(const char *kind, const char *name)
{
    size_t i;

    for (i = 0; i < nr_machine_buses; i++) {
        if (name ? !strcmp(machine_buses[i].name, name)
                 : !strcmp(machine_buses[i].kind, kind)) {
            return &machine_buses[i];
        }
    }
    return NULL;
}

/* The bus for @d: @name, or the first of the right kind. */
static bool choose_bus(Device *d, const char *name, bool hotplug,
                       Error **errp)
{
    const char *kind = name ? bus_kind(name) : d->type->bus;

    if (!kind) {
        error_setg(errp, "Bus '%s' not found", name);
        return false;
    }
    if (strcmp(kind, d->type->bus)) {
        error_setg(errp, "Device '%s' can't go on %s bus", d->type->name,
                   kind);
        return false;
    }
    if (d->type->needs) {
        d->slot_bus = find_machine_bus(kind, name);
    } else if (d->type->needs_scsi) {
        d->bus = find_bus(name);
    } else {
        return true;
    }
    if (!d->slot_bus && !d->bus) {
        error_setg(errp, "No '%s' bus found for device '%s'", kind,
                   d->type->name);
        return false;
    }
    if (d->slot_bus && hotplug) {
        error_setg(errp, QERR_BUS_NO_HOTPLUG, d->slot_bus->name);
        return false;
    }
    return true;
}

static bool find_iothread(Device *d, const char *name, Error **errp)
{
    if (!name || !*name) {
        return true;
    }
    d->iothread = iothread_by_id(name);
    if (!d->iothread) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  name);
        return false;
    }
    object_ref((Object *)d->iothread);
    return true;
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
    if (d->iothread) {
        object_unref((Object *)d->iothread);
    }
    g_free(d->id);
    g_free(d->path);
    g_free(d);
}

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
            /* None that a property takes: as if it was not there. */
            break;
        }
    }
    return props;
}

static const DeviceType *check_type_and_id(QDict *props, Error **errp)
{
    const char *driver = qdict_get_try_str(props, "driver");
    const char *id = qdict_get_try_str(props, "id");
    const DeviceType *type;

    if (!driver) {
        error_setg(errp, QERR_MISSING_PARAMETER, "driver");
        return NULL;
    }
    type = find_type(driver);
    if (!type) {
        error_setg(errp, "'%s' is not a valid device model name", driver);
        return NULL;
    }
    if (id && !id_wellformed(id)) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "id", "an identifier");
        error_append_hint(errp, "Identifiers consist of letters, digits, "
                          "'-', '.', '_', starting with a letter.\n");
        return NULL;
    }
    return type;
}

static bool set_up_device(Device *d, QDict *props, bool hotplug, Error **errp)
{
    const char *id = qdict_get_try_str(props, "id");

    if (!choose_bus(d, qdict_get_try_str(props, "bus"), hotplug, errp)) {
        return false;
    }
    if (id && find_device(id)) {
        error_setg(errp, hotplug ? "Duplicate device ID '%s'"
                                 : "Duplicate ID '%s' for device", id);
        return false;
    }
    d->id = g_strdup(id);
    /* Numbers are not used twice, whatever becomes of the device. */
    d->path = id ? g_strdup_printf("/machine/peripheral/%s", id)
        : g_strdup_printf("/machine/peripheral-anon/device[%u]",
                          nr_anonymous++);
    return device_read_properties(d->type->name, d->type->props, props,
                                  &d->settings, errp) &&
           (!d->slot_bus || take_slot(d, errp)) &&
           find_iothread(d, qdict_get_try_str(props, "iothread"), errp) &&
           (!d->type->has_drive || attach_drive(d, props, errp));
}

bool device_create(QDict *args, bool hotplug, Error **errp)
{
    g_autoptr(QDict) props = as_strings(args);
    const DeviceType *type = check_type_and_id(props, errp);
    Device *d;

    if (!type) {
        return false;
    }
    d = g_new0(Device, 1);
    d->type = type;
    if (!set_up_device(d, props, hotplug, errp)) {
        device_free(d);
        return false;
    }
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
    Device *child, *prev;

    QTAILQ_FOREACH_REVERSE_SAFE(child, &devices, next, prev) {
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
    if (d->type->backend && g_str_has_suffix(id, d->type->backend)) {
        error_setg(errp, QERR_BUS_NO_HOTPLUG, "virtio-bus");
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

void qmp_marshal_device_add(QDict *args, QObject **ret, Error **errp)
{
    if (device_create(args, true, errp)) {
        *ret = QOBJECT(qdict_new());
    }
}
