/*
 * SPDX-License-Identifier: MIT
 *
 * Properties of devices.  Most say how a guest sees the device, and there is
 * no guest; their values are checked all the same, as a program that gets one
 * wrong here gets it wrong elsewhere.
 */
#include "qemu/osdep.h"
#include "device-props.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qapi-visit-common.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qobject-input-visitor.h"
#include "qemu/cutils.h"
#include "qemu/units.h"

typedef enum PropertyKind {
    KIND_TEXT,
    KIND_BOOL,
    KIND_AUTO,
    KIND_INT32,
    KIND_UINT16,
    KIND_UINT32,
    KIND_UINT64,
    KIND_SIZE,                  /* of 32 bits */
    KIND_BLOCK_SIZE,
    KIND_ERROR,
    KIND_PCI_ADDRESS,
    KIND_FLOPPY,
} PropertyKind;

typedef struct Property {
    const char *name;
    PropertyKind kind;
    unsigned sets;
} Property;

#define DRIVE  DEVICE_PROPS_DRIVE
#define ERROR  DEVICE_PROPS_ERROR
#define DISK   DEVICE_PROPS_DISK
#define PCI    DEVICE_PROPS_PCI
#define VBLK   DEVICE_PROPS_VBLK
#define VSCSI  DEVICE_PROPS_VSCSI
#define SCSI   DEVICE_PROPS_SCSI
#define UNIT   DEVICE_PROPS_UNIT
#define FLOPPY DEVICE_PROPS_FLOPPY

static const Property properties[] = {
    { "account-failed", KIND_AUTO, DRIVE },
    { "account-invalid", KIND_AUTO, DRIVE },
    { "backend_defaults", KIND_AUTO, DRIVE },
    { "discard_granularity", KIND_SIZE, DRIVE },
    { "drive", KIND_TEXT, DRIVE },
    { "logical_block_size", KIND_BLOCK_SIZE, DRIVE },
    { "min_io_size", KIND_SIZE, DRIVE },
    { "opt_io_size", KIND_SIZE, DRIVE },
    { "physical_block_size", KIND_BLOCK_SIZE, DRIVE },
    { "share-rw", KIND_BOOL, DRIVE },
    { "write-cache", KIND_AUTO, DRIVE },
    { "bootindex", KIND_INT32, ERROR },
    { "rerror", KIND_ERROR, ERROR },
    { "werror", KIND_ERROR, ERROR },
    { "cyls", KIND_UINT32, DISK },
    { "heads", KIND_UINT32, DISK },
    { "lcyls", KIND_UINT32, DISK },
    { "lheads", KIND_UINT32, DISK },
    { "lsecs", KIND_UINT32, DISK },
    { "rotation_rate", KIND_UINT16, SCSI | UNIT },
    { "secs", KIND_UINT32, DISK },
    { "acpi-index", KIND_UINT32, PCI },
    { "addr", KIND_PCI_ADDRESS, PCI },
    { "disable-legacy", KIND_AUTO, PCI },
    { "disable-modern", KIND_BOOL, PCI },
    { "event_idx", KIND_BOOL, PCI },
    { "indirect_desc", KIND_BOOL, PCI },
    { "ioeventfd", KIND_BOOL, PCI },
    { "iommu_platform", KIND_BOOL, PCI },
    { "iothread", KIND_TEXT, PCI },
    { "multifunction", KIND_BOOL, PCI },
    { "packed", KIND_BOOL, PCI },
    { "rombar", KIND_UINT32, PCI },
    { "romfile", KIND_TEXT, PCI },
    { "vectors", KIND_UINT32, PCI },
    { "config-wce", KIND_BOOL, VBLK },
    { "discard", KIND_BOOL, VBLK },
    { "max-discard-sectors", KIND_UINT32, VBLK },
    { "max-write-zeroes-sectors", KIND_UINT32, VBLK },
    { "num-queues", KIND_UINT16, VBLK },
    { "queue-size", KIND_UINT16, VBLK },
    { "report-discard-granularity", KIND_BOOL, VBLK },
    { "request-merging", KIND_BOOL, VBLK },
    { "scsi", KIND_BOOL, VBLK },
    { "seg-max-adjust", KIND_BOOL, VBLK },
    { "write-zeroes", KIND_BOOL, VBLK },
    { "cmd_per_lun", KIND_UINT32, VSCSI },
    { "hotplug", KIND_BOOL, VSCSI },
    { "max_sectors", KIND_UINT32, VSCSI },
    { "num_queues", KIND_UINT32, VSCSI },
    { "param_change", KIND_BOOL, VSCSI },
    { "seg_max_adjust", KIND_BOOL, VSCSI },
    { "virtqueue_size", KIND_UINT32, VSCSI },
    { "channel", KIND_UINT32, SCSI },
    { "device_id", KIND_TEXT, SCSI },
    { "dpofua", KIND_BOOL, SCSI },
    { "lun", KIND_UINT32, SCSI },
    { "max_io_size", KIND_UINT64, SCSI },
    { "max_unmap_size", KIND_UINT64, SCSI },
    { "port_index", KIND_UINT16, SCSI },
    { "port_wwn", KIND_UINT64, SCSI },
    { "product", KIND_TEXT, SCSI },
    { "removable", KIND_BOOL, SCSI },
    { "scsi-id", KIND_UINT32, SCSI },
    { "scsi_version", KIND_INT32, SCSI },
    { "vendor", KIND_TEXT, SCSI },
    { "model", KIND_TEXT, UNIT },
    { "serial", KIND_TEXT, VBLK | SCSI | UNIT },
    { "ver", KIND_TEXT, SCSI | UNIT },
    { "wwn", KIND_UINT64, SCSI | UNIT },
    { "unit", KIND_UINT32, UNIT | FLOPPY },
    { "drive-type", KIND_FLOPPY, FLOPPY },
};

static const Property *find_property(const char *name, unsigned sets)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(properties); i++) {
        if ((properties[i].sets & sets) &&
            !strcmp(properties[i].name, name)) {
            return &properties[i];
        }
    }
    return NULL;
}

/* ---- Values ---- */

static bool check_pci_address(const char *type, const char *text, Error **errp)
{
    unsigned long slot, function = 0;
    const char *end;

    if (qemu_strtoul(text, &end, 16, &slot) < 0 || !g_ascii_isxdigit(*text) ||
        (*end == '.' &&
         qemu_strtoul(end + 1, &end, 16, &function) < 0) ||
        *end || slot > 31 || function > 7) {
        error_setg(errp, "Property '%s.addr' doesn't take value '%s'", type,
                   text);
        return false;
    }
    return true;
}

static bool check_floppy_type(const char *text, Error **errp)
{
    static const char *const known[] = { "144", "288", "120", "none", "auto" };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(known); i++) {
        if (!strcmp(text, known[i])) {
            return true;
        }
    }
    error_setg(errp, "Parameter 'drive-type' does not accept value '%s'",
               text);
    return false;
}

static bool read_block_size(Visitor *v, const char *name, Error **errp)
{
    const uint64_t min = 512, max = 2 * MiB;
    uint64_t value;

    if (!visit_type_size(v, name, &value, errp)) {
        return false;
    }
    if (value < min || value > max) {
        error_setg(errp, "Property .%s doesn't take value %" PRIu64
                   " (minimum: %" PRIu64 ", maximum: %" PRIu64 ")", name,
                   value, min, max);
        return false;
    }
    if (value & (value - 1)) {
        error_setg(errp, "Property .%s doesn't take value '%" PRIu64 "', "
                   "it's not a power of 2", name, value);
        return false;
    }
    return true;
}

static bool read_size(Visitor *v, const char *type, const char *name,
                      Error **errp)
{
    uint64_t value;

    if (!visit_type_size(v, name, &value, errp)) {
        return false;
    }
    if (value > UINT32_MAX) {
        error_setg(errp, "Property %s.%s doesn't take value %" PRIu64
                   " (maximum: %" PRIu32 ")", type, name, value, UINT32_MAX);
        return false;
    }
    return true;
}

static bool read_number(Visitor *v, const Property *p, Error **errp)
{
    int32_t i32;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (p->kind) {
    case KIND_INT32:
        return visit_type_int32(v, p->name, &i32, errp);
    case KIND_UINT16:
        return visit_type_uint16(v, p->name, &u16, errp);
    case KIND_UINT32:
        return visit_type_uint32(v, p->name, &u32, errp);
    default:
        return visit_type_uint64(v, p->name, &u64, errp);
    }
}

static bool read_value(Visitor *v, const char *type, const Property *p,
                       const char *text, Error **errp)
{
    bool b;
    OnOffAuto a;
    BlockdevOnError e;

    switch (p->kind) {
    case KIND_TEXT:
        return true;
    case KIND_BOOL:
        return visit_type_bool(v, p->name, &b, errp);
    case KIND_AUTO:
        return visit_type_OnOffAuto(v, p->name, &a, errp);
    case KIND_ERROR:
        return visit_type_BlockdevOnError(v, p->name, &e, errp);
    case KIND_SIZE:
        return read_size(v, type, p->name, errp);
    case KIND_BLOCK_SIZE:
        return read_block_size(v, p->name, errp);
    case KIND_PCI_ADDRESS:
        return check_pci_address(type, text, errp);
    case KIND_FLOPPY:
        return check_floppy_type(text, errp);
    default:
        return read_number(v, p, errp);
    }
}

/* ---- What they mean together ---- */

static uint64_t size_of(Visitor *v, QDict *props, const char *name,
                        uint64_t def)
{
    if (qdict_haskey(props, name)) {
        visit_type_size(v, name, &def, &error_abort);
    }
    return def;
}

static bool check_sizes(Visitor *v, QDict *props, Error **errp)
{
    static const char *const multiples[] = {
        "discard_granularity", "min_io_size", "opt_io_size",
    };
    uint64_t logical = size_of(v, props, "logical_block_size", 512);
    size_t i;

    if (logical > size_of(v, props, "physical_block_size", 512)) {
        error_setg(errp, "logical_block_size > physical_block_size not "
                   "supported");
        return false;
    }
    for (i = 0; i < ARRAY_SIZE(multiples); i++) {
        if (size_of(v, props, multiples[i], 0) % logical) {
            error_setg(errp, "%s must be a multiple of logical_block_size",
                       multiples[i]);
            return false;
        }
    }
    if (size_of(v, props, "min_io_size", 0) / logical > UINT16_MAX) {
        error_setg(errp, "min_io_size must not exceed %u logical blocks",
                   UINT16_MAX);
        return false;
    }
    return true;
}

static bool check_queues(Visitor *v, QDict *props, Error **errp)
{
    uint16_t n = 128;

    if (qdict_haskey(props, "num-queues")) {
        visit_type_uint16(v, "num-queues", &n, &error_abort);
        if (!n) {
            error_setg(errp, "num-queues property must be larger than 0");
            return false;
        }
    }
    n = 128;
    if (qdict_haskey(props, "queue-size")) {
        visit_type_uint16(v, "queue-size", &n, &error_abort);
    }
    if (n <= 2) {
        error_setg(errp, "invalid queue-size property (%u), must be > 2", n);
        return false;
    }
    if (n > 1024 || (n & (n - 1))) {
        error_setg(errp, "invalid queue-size property (%u), must be a power "
                   "of 2 (max 1024)", n);
        return false;
    }
    return true;
}

static void read_settings(Visitor *v, QDict *props, DeviceSettings *s)
{
    *s = (DeviceSettings) {
        .unit = -1,
        .on_read_error = BLOCKDEV_ON_ERROR_AUTO,
        .on_write_error = BLOCKDEV_ON_ERROR_AUTO,
        .write_cache = ON_OFF_AUTO_AUTO,
    };
    if (qdict_haskey(props, "share-rw")) {
        visit_type_bool(v, "share-rw", &s->share_rw, &error_abort);
    }
    if (qdict_haskey(props, "unit")) {
        uint32_t unit;

        visit_type_uint32(v, "unit", &unit, &error_abort);
        s->unit = unit;
    }
    if (qdict_haskey(props, "rerror")) {
        visit_type_BlockdevOnError(v, "rerror", &s->on_read_error,
                                   &error_abort);
    }
    if (qdict_haskey(props, "werror")) {
        visit_type_BlockdevOnError(v, "werror", &s->on_write_error,
                                   &error_abort);
    }
    if (qdict_haskey(props, "write-cache")) {
        visit_type_OnOffAuto(v, "write-cache", &s->write_cache, &error_abort);
    }
}

static bool read_all(Visitor *v, const char *type, unsigned sets, QDict *props,
                     Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(props); e; e = qdict_next(props, e)) {
        const char *key = qdict_entry_key(e);
        const Property *p = find_property(key, sets);

        /* Those of whatever there is. */
        if (!strcmp(key, "driver") || !strcmp(key, "id") ||
            !strcmp(key, "bus")) {
            continue;
        }
        if (!p) {
            error_setg(errp, "Property '%s.%s' not found", type, key);
            return false;
        }
        if (!read_value(v, type, p, qdict_get_str(props, key), errp)) {
            return false;
        }
    }
    return true;
}

bool device_read_properties(const char *type, unsigned sets, QDict *props,
                            DeviceSettings *settings, Error **errp)
{
    Visitor *v = qobject_input_visitor_new_keyval(QOBJECT(props));
    bool ok;

    visit_start_struct(v, NULL, NULL, 0, &error_abort);
    ok = read_all(v, type, sets, props, errp);
    if (ok) {
        read_settings(v, props, settings);
        ok = (!(sets & DRIVE) || check_sizes(v, props, errp)) &&
             (!(sets & VBLK) || check_queues(v, props, errp));
    }
    visit_end_struct(v, NULL);
    visit_free(v);
    return ok;
}
