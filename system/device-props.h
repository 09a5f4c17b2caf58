/*
 * SPDX-License-Identifier: MIT
 *
 * Properties of devices: which there are, and what values they take.
 */
#ifndef SYSTEM_DEVICE_PROPS_H
#define SYSTEM_DEVICE_PROPS_H

#include "qapi/qapi-types-block-core.h"
#include "qapi/qapi-types-common.h"
#include "qapi/qmp/qdict.h"

/* Sets of properties; a device has some of them. */
enum {
    DEVICE_PROPS_DRIVE  = 1 << 0,   /* of whatever has a drive */
    DEVICE_PROPS_ERROR  = 1 << 1,   /* policies and order of booting */
    DEVICE_PROPS_DISK   = 1 << 2,   /* what disks tell about themselves */
    DEVICE_PROPS_PCI    = 1 << 3,
    DEVICE_PROPS_VBLK   = 1 << 4,
    DEVICE_PROPS_VSCSI  = 1 << 5,
    DEVICE_PROPS_SCSI   = 1 << 6,
    DEVICE_PROPS_UNIT   = 1 << 7,   /* slot on a bus of the machine */
    DEVICE_PROPS_FLOPPY = 1 << 8,
};

/* What has an effect here; the rest is how a guest sees the device. */
typedef struct DeviceSettings {
    bool share_rw;
    int64_t unit;                   /* -1: any */
    BlockdevOnError on_read_error;
    BlockdevOnError on_write_error;
    OnOffAuto write_cache;
} DeviceSettings;

/* Reads @props, all strings, of a device of type @type with the sets @sets.
 * False with @errp if one is unknown or has a wrong value. */
bool device_read_properties(const char *type, unsigned sets, QDict *props,
                            DeviceSettings *settings, Error **errp);

#endif
