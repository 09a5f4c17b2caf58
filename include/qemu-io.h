/*
 * SPDX-License-Identifier: MIT
 *
 * The commands of qemu-io, for the program and for the monitor.
 */
#ifndef QEMU_IO_H
#define QEMU_IO_H

#include "sysemu/block-backend.h"

typedef struct QemuIOCommand QemuIOCommand;

/* 0, or -errno or another negative value if the command failed. */
typedef int QemuIOFunc(BlockBackend *blk, int argc, char **argv);

struct QemuIOCommand {
    const char *name;
    const char *altname;    /* or NULL */
    QemuIOFunc *fn;
    int argmin;
    int argmax;             /* -1: any number */
    const char *args;       /* as help shows them */
    const char *oneline;
    const char *help;       /* the rest of "help NAME", or NULL */
    bool nofile;            /* works without an image */
    bool no_monitor;        /* not for the monitor */
    uint64_t perm;          /* needed on the image */
};

/* Parse @cmd and run it on @blk, which may be NULL. 0 or negative. */
int qemuio_command(BlockBackend *blk, const char *cmd);
/* Commands of the program itself; ended by a NULL name; kept. */
void qemuio_add_commands(const QemuIOCommand *table);
/* Buffers at odd addresses, so that O_DIRECT has to bounce them. */
extern bool qemuio_misalign;

/* ---- For the files that implement commands ---- */
extern const QemuIOCommand qemuio_rw_commands[];
extern const QemuIOCommand qemuio_image_commands[];
/* A size or offset; -EINVAL with a message on stdout. */
int64_t qemuio_parse_size(const char *s);
int qemuio_usage(const char *name);
/* "64 KiB" */
char *qemuio_size_str(double value);

#endif
