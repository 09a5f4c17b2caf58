/*
 * SPDX-License-Identifier: MIT
 *
 * The emulator's block front ends: they own a BlockBackend, and have names and
 * properties like the devices of a machine; of buses there is no more than
 * where a device may be, and there is no guest.
 * Main thread.
 */
#ifndef SYSEMU_DEVICES_H
#define SYSEMU_DEVICES_H

#include "qapi/qmp/qdict.h"

/* Text of "-device help". */
void devices_print_types(void);
/* A device as @args, strings or other scalars, say; "driver" names its type.
 * False with @errp if that can't be; @args stays the caller's. */
bool device_create(QDict *args, bool hotplug, Error **errp);
void devices_init(void);
/* The machine's buses; before any device is made. */
void devices_set_machine(const char *name);
/* Front ends for drives with an interface of their own (if=virtio, ide,
 * floppy). */
bool devices_create_for_drives(Error **errp);
/* All devices go, without a word. */
void devices_cleanup(void);

#endif
