/*
 * SPDX-License-Identifier: MIT
 *
 * Configuration files.
 */
#include "qemu/osdep.h"
#include "qemu/config-file.h"
#include "qemu/error-report.h"
#include "qapi/error.h"

static QemuOptsList *find_list(QemuOptsList **lists, const char *group)
{
    for (; *lists; lists++) {
        if (!strcmp((*lists)->name, group)) {
            return *lists;
        }
    }
    return NULL;
}

/* [group] or [group "id"]: a new object, or NULL with @errp. */
static QemuOpts *parse_section(char *line, QemuOptsList **lists, Error **errp)
{
    char *end = strchr(line, ']');
    g_autofree char *id = NULL;
    char *quote;
    QemuOptsList *list;

    if (!end || *g_strstrip(end + 1)) {
        error_setg(errp, "parse error");
        return NULL;
    }
    *end = '\0';
    quote = strchr(line, '"');
    if (quote) {
        char *close = strchr(quote + 1, '"');

        if (!close) {
            error_setg(errp, "parse error");
            return NULL;
        }
        id = g_strndup(quote + 1, close - quote - 1);
        *quote = '\0';
    }
    line = g_strstrip(line + 1);
    list = find_list(lists, line);
    if (!list) {
        error_setg(errp, "There is no option group '%s'", line);
        return NULL;
    }
    return qemu_opts_create(list, id, 1, errp);
}

/* key = value, which may be quoted. */
static bool parse_setting(char *line, QemuOpts *opts, Error **errp)
{
    char *eq = strchr(line, '=');
    char *key, *value;
    size_t len;

    if (!eq) {
        error_setg(errp, "parse error");
        return false;
    }
    *eq = '\0';
    key = g_strstrip(line);
    value = g_strstrip(eq + 1);
    len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value[len - 1] = '\0';
        value++;
    }
    if (!opts) {
        error_setg(errp, "no group defined");
        return false;
    }
    return qemu_opt_set(opts, key, value, errp);
}

int qemu_config_parse(FILE *fp, QemuOptsList **lists, const char *fname,
                      Error **errp)
{
    g_autofree char *buf = NULL;
    size_t size = 0;
    int line_number = 0, sections = 0;
    QemuOpts *opts = NULL;
    Error *local_err = NULL;

    while (getline(&buf, &size, fp) >= 0) {
        char *line = g_strstrip(buf);

        line_number++;
        if (!*line || *line == '#') {
            continue;
        }
        if (*line == '[') {
            opts = parse_section(line, lists, &local_err);
            sections++;
        } else {
            parse_setting(line, opts, &local_err);
        }
        if (local_err) {
            error_propagate_prepend(errp, local_err, "%s:%d: ", fname,
                                    line_number);
            return -EINVAL;
        }
    }
    if (ferror(fp)) {
        error_setg_errno(errp, errno, "Cannot read config file %s", fname);
        return -EIO;
    }
    return sections;
}
