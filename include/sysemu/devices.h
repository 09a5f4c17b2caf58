/*
 * SPDX-License-Identifier: MIT
 *
 * The emulator's block front ends: they own a BlockBackend, and have names and
 * properties like the devices of a machine; there are no buses and no guest.
 * Main thread.
 */
#ifndef SYSEMU_DEVICES_H
#define SYSEMU_DEVICES_H

#include "qapi/qmp/qdict.h"

/* Text of "-device help". */
void devices_print_types(void);
/* A device as @props, all strings, say; "driver" names its type.  False with
 * @errp if that can't be; @props stays the caller's. */
bool device_create(QDict *props, bool hotplug, Error **errp);
/* Front ends for drives with an interface of their own (if=virtio). */
bool devices_create_for_drives(Error **errp);
/* All devices go, without a word. */
void devices_cleanup(void);

#endif
