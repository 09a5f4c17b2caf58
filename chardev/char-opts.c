/*
 * SPDX-License-Identifier: MIT
 *
 * Options of -chardev, and the short forms that -monitor and others take.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

QemuOptsList qemu_chardev_opts = {
    .name = "chardev",
    .implied_opt_name = "backend",
    .head = QTAILQ_HEAD_INITIALIZER(qemu_chardev_opts.head),
    .desc = {
        { .name = "backend", .type = QEMU_OPT_STRING },
        { .name = "path", .type = QEMU_OPT_STRING },
        { .name = "input-path", .type = QEMU_OPT_STRING },
        { .name = "host", .type = QEMU_OPT_STRING },
        { .name = "port", .type = QEMU_OPT_STRING },
        { .name = "fd", .type = QEMU_OPT_STRING },
        { .name = "to", .type = QEMU_OPT_NUMBER },
        { .name = "ipv4", .type = QEMU_OPT_BOOL },
        { .name = "ipv6", .type = QEMU_OPT_BOOL },
        { .name = "wait", .type = QEMU_OPT_BOOL },
        { .name = "server", .type = QEMU_OPT_BOOL },
        { .name = "delay", .type = QEMU_OPT_BOOL },
        { .name = "nodelay", .type = QEMU_OPT_BOOL },
        { .name = "reconnect", .type = QEMU_OPT_NUMBER },
        { .name = "abstract", .type = QEMU_OPT_BOOL },
        { .name = "tight", .type = QEMU_OPT_BOOL },
        { .name = "signal", .type = QEMU_OPT_BOOL },
        { .name = "size", .type = QEMU_OPT_SIZE },
        { .name = "append", .type = QEMU_OPT_BOOL },
        { .name = "logfile", .type = QEMU_OPT_STRING },
        { .name = "logappend", .type = QEMU_OPT_BOOL },
        { /* end */ },
    },
};

/* "HOST:PORT[,OPTIONS]" into @opts. */
static bool parse_tcp(QemuOpts *opts, const char *str, Error **errp)
{
    const char *comma = strchrnul(str, ',');
    g_autofree char *hostport = g_strndup(str, comma - str);
    char *colon = strrchr(hostport, ':');

    if (!colon) {
        error_setg(errp, "'%s' is not of the form HOST:PORT", hostport);
        return false;
    }
    *colon = '\0';
    return qemu_opt_set(opts, "host", hostport, errp) &&
           qemu_opt_set(opts, "port", colon + 1, errp) &&
           (!*comma || qemu_opts_do_parse(opts, comma + 1, NULL, errp));
}

static bool parse_short(QemuOpts *opts, const char *str, Error **errp)
{
    const char *p;

    strstart(str, "mon:", &str);
    if (strstart(str, "unix:", &p)) {
        return qemu_opt_set(opts, "backend", "socket", errp) &&
               qemu_opts_do_parse(opts, p, "path", errp);
    }
    if (strstart(str, "tcp:", &p)) {
        return qemu_opt_set(opts, "backend", "socket", errp) &&
               parse_tcp(opts, p, errp);
    }
    if (strstart(str, "file:", &p)) {
        return qemu_opt_set(opts, "backend", "file", errp) &&
               qemu_opt_set(opts, "path", p, errp);
    }
    if (strstart(str, "pipe:", &p)) {
        return qemu_opt_set(opts, "backend", "pipe", errp) &&
               qemu_opt_set(opts, "path", p, errp);
    }
    return qemu_opts_do_parse(opts, str, "backend", errp);
}

Chardev *qemu_chr_new(const char *label, const char *filename, Error **errp)
{
    Chardev *chr = NULL;
    QemuOpts *opts;
    const char *p;

    if (strstart(filename, "chardev:", &p)) {
        chr = qemu_chr_find(p);
        if (!chr) {
            error_setg(errp, "chardev \"%s\" not found", p);
        }
        return chr;
    }
    opts = qemu_opts_create(&qemu_chardev_opts, label, 1, errp);
    if (!opts) {
        return NULL;
    }
    if (parse_short(opts, filename, errp)) {
        chr = qemu_chr_new_from_opts(opts, errp);
    }
    qemu_opts_del(opts);
    return chr;
}
