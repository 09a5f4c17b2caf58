/*
 * SPDX-License-Identifier: MIT
 *
 * Configuration files: "[group]" or "[group "id"]", then "key = "value"" or
 * "key = value", a line each; "#" starts a comment.
 */
#ifndef QEMU_CONFIG_FILE_H
#define QEMU_CONFIG_FILE_H

#include "qemu/option.h"

/*
 * Each section becomes an object of the list of its name among @lists (ended
 * by NULL).  @fname is for messages.  Returns the number of sections, or
 * -errno with @errp.
 */
int qemu_config_parse(FILE *fp, QemuOptsList **lists, const char *fname,
                      Error **errp);

#endif
