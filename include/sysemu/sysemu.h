/*
 * SPDX-License-Identifier: MIT
 *
 * What the files of the emulator share.  Main thread.
 */
#ifndef SYSEMU_SYSEMU_H
#define SYSEMU_SYSEMU_H

#include "qemu/option.h"

/* The machine runs as soon as it can: not after -S. */
extern bool autostart;
/* -name; NULL if there is none. */
extern const char *qemu_name;
/* -uuid, as text. */
extern char qemu_uuid_text[37];

/* Parses the command line and sets everything up; exits if that fails. */
void qemu_init(int argc, char **argv);
/* Ends jobs, closes everything. */
void qemu_cleanup(void);

/* Disks must be usable before the machine runs; false with @errp. */
bool machine_prepare_start(Error **errp);

/* Accelerators: the one that counts is that of qtest. */
bool configure_accelerator(const char *name, Error **errp);

/* -help, -machine help, -device help, and the formats of -drive. */
void print_help(void);
void print_machines(void);
void print_drive_formats(void);

/* Is there a machine of this name? */
bool machine_exists(const char *name);

/* Commands for people that are not about disks. */
void hmp_system_init(void);

#endif /* SYSEMU_SYSEMU_H */
