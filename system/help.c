/*
 * SPDX-License-Identifier: MIT
 *
 * What the emulator tells about itself: options, machines, formats.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "options.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/util.h"
#include "qemu/error-report.h"
#include "sysemu/sysemu.h"

typedef struct MachineClass {
    const char *name;
    const char *desc;
    bool is_default;
    int max_cpus;
} MachineClass;

static const MachineClass machines[] = {
    { .name = "none", .desc = "empty machine", .is_default = true,
      .max_cpus = 1 },
    { .name = "pc", .desc = "no processors; IDE and floppy buses",
      .max_cpus = 1 },
};

void print_help(void)
{
    printf("usage: %s [options] [disk_image]\n\n",
           error_get_progname());
    for (const OptionDef *def = option_table; def->name; def++) {
        printf("-%s%s%s\n", def->name, def->params ? " " : "",
               def->params ?: "");
        if (def->help && (!def[1].name || def[1].help)) {
            printf("                %s\n", def->help);
        } else if (!def->help) {
            /* After the last name of an option, what all of them mean. */
            const OptionDef *first = def;

            while (!first->help) {
                first--;
            }
            if (!def[1].name || def[1].help) {
                printf("                %s\n", first->help);
            }
        }
    }
}

bool machine_exists(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        if (!strcmp(machines[i].name, name)) {
            return true;
        }
    }
    return false;
}

void print_machines(void)
{
    printf("Supported machines are:\n");
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        printf("%-20s %s%s\n", machines[i].name, machines[i].desc,
               machines[i].is_default ? " (default)" : "");
    }
}

static void print_format(void *opaque, const char *name)
{
    printf(" %s", name);
}

void print_drive_formats(void)
{
    printf("Supported formats:");
    bdrv_iterate_format(print_format, NULL, false);
    printf("\nSupported formats (read-only):");
    bdrv_iterate_format(print_format, NULL, true);
    printf("\n");
}

MachineInfoList *qmp_query_machines(Error **errp)
{
    MachineInfoList *list = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        MachineInfo *info = g_new0(MachineInfo, 1);

        info->name = g_strdup(machines[i].name);
        info->has_is_default = info->is_default = machines[i].is_default;
        info->cpu_max = machines[i].max_cpus;
        QAPI_LIST_PREPEND(list, info);
    }
    return list;
}
