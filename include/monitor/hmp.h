/*
 * SPDX-License-Identifier: MIT
 *
 * Commands of the monitor for people.
 */
#ifndef MONITOR_HMP_H
#define MONITOR_HMP_H

#include "monitor/monitor.h"

/*
 * A command.
 *
 * @name: "NAME" or "NAME|OTHER".
 * @args_type: "KEY:TYPE,..." where the QDict of @cmd gets each argument as
 * KEY.  Types, each optional if followed by "?":
 *   s  a word or quoted string        F  the same, a file name
 *   B  the same, a block device       S  the rest of the line
 *   i  a number of 32 bits            l  a number
 *   o  bytes, in MiB without suffix   T  seconds, to nanoseconds
 *   b  on or off                      -X the option -X, a bool
 * @params: the arguments as help shows them.
 */
typedef struct HMPCommand {
    const char *name;
    const char *args_type;
    const char *params;
    const char *help;
    void (*cmd)(Monitor *mon, const QDict *qdict);
} HMPCommand;

/*
 * Adds commands, or subcommands of "info", up to one without name.  The table
 * stays valid for good.
 */
void hmp_register_commands(const HMPCommand *table);
void hmp_register_info_commands(const HMPCommand *table);

/* Prints and frees @err, if there is one; returns whether there was. */
bool hmp_handle_error(Monitor *mon, Error *err);

/* Runs one line on @mon. */
void handle_hmp_command(Monitor *mon, const char *cmdline);

/* What one line prints; the caller frees it. */
char *hmp_run_captured(const char *cmdline);

#endif /* MONITOR_HMP_H */
