/*
 * SPDX-License-Identifier: MIT
 *
 * Character devices: streams of bytes from and to the world outside, with
 * one user inside (see chardev/char-fe.h) each.
 */
#ifndef QEMU_CHAR_H
#define QEMU_CHAR_H

#include "qapi/qapi-types-char.h"
#include "qemu/queue.h"
#include "qemu/thread.h"

typedef struct CharBackend CharBackend;

typedef enum {
    CHR_EVENT_OPENED,       /* a peer is there */
    CHR_EVENT_CLOSED,       /* it has gone, or nothing more will come */
    CHR_EVENT_BREAK,
} QEMUChrEvent;

/* Before anything else is done with the device; 0 means not now. */
typedef int IOCanReadHandler(void *opaque);
typedef void IOReadHandler(void *opaque, const uint8_t *buf, int size);
/* Always in the main thread. */
typedef void IOEventHandler(void *opaque, QEMUChrEvent event);

typedef struct ChardevClass ChardevClass;

/*
 * Devices are made, changed and removed in the main thread, which also sees
 * all events.  Input is read in the thread that runs @gcontext.  Any thread
 * may write.
 */
struct Chardev {
    const ChardevClass *klass;
    char *label;
    char *filename;             /* what query-chardev shows */
    CharBackend *be;            /* the user, or NULL */
    GMainContext *gcontext;     /* NULL: the default one */
    int logfd;                  /* -1: none */
    bool be_open;               /* last event was OPENED */
    QTAILQ_ENTRY(Chardev) next;
    /* Held while bytes are written. */
    QemuMutex write_lock;
};

extern QemuOptsList qemu_chardev_opts;

/* The device with this label, or NULL. */
Chardev *qemu_chr_find(const char *label);

/* Makes a device; NULL with @errp. */
Chardev *qemu_chardev_new(const char *label, ChardevBackend *backend,
                          Error **errp);

/* The same from options; with "help" it prints them and returns NULL. */
Chardev *qemu_chr_new_from_opts(QemuOpts *opts, Error **errp);

/*
 * The same from the short form of -monitor, -serial and others: "stdio",
 * "null", "pty", "file:PATH", "pipe:PATH", "unix:PATH[,OPTIONS]",
 * "tcp:HOST:PORT[,OPTIONS]", "chardev:LABEL".
 */
Chardev *qemu_chr_new(const char *label, const char *filename, Error **errp);

/* -chardev and --chardev: NULL with @errp; help exits. */
Chardev *qemu_chardev_cmdline(const char *optarg, Error **errp);

/* Path of the pseudo terminal that @chr is; NULL if it is something else. */
const char *qemu_chr_get_pty(Chardev *chr);

/* Removes a device, whoever uses it. */
void qemu_chr_delete(Chardev *chr);

/* At the end of the program. */
void qemu_chr_cleanup(void);

/* stdio is not to be had: the program leaves the terminal. */
void qemu_chr_forbid_stdio(void);

#endif /* QEMU_CHAR_H */
