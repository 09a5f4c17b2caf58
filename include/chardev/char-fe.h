/*
 * SPDX-License-Identifier: MIT
 *
 * The user's end of a character device.
 */
#ifndef QEMU_CHAR_FE_H
#define QEMU_CHAR_FE_H

#include "chardev/char.h"

struct CharBackend {
    Chardev *chr;               /* NULL: not attached */
    IOCanReadHandler *chr_can_read;
    IOReadHandler *chr_read;
    IOEventHandler *chr_event;
    void *opaque;
    bool fe_open;
};

/* Return false to be forgotten. */
typedef gboolean (*FEWatchFunc)(void *do_not_use, GIOCondition condition,
                                void *data);

/* Attaches @b to @chr; false with @errp if that has a user. */
bool qemu_chr_fe_init(CharBackend *b, Chardev *chr, Error **errp);

/* Detaches; removes the device as well if @del. */
void qemu_chr_fe_deinit(CharBackend *b, bool del);

/*
 * Who gets input and events.  All NULL: nobody reads any more.  @context is
 * where input is read, NULL for the main thread.  If the device has a peer
 * already, OPENED comes before this returns.  Main thread.
 */
void qemu_chr_fe_set_handlers(CharBackend *b, IOCanReadHandler *can_read,
                              IOReadHandler *read, IOEventHandler *event,
                              void *opaque, GMainContext *context);

/* Changes where input is read, and nothing else.  Main thread. */
void qemu_chr_fe_set_context(CharBackend *b, GMainContext *context);

/* Whether there is a peer. */
bool qemu_chr_fe_backend_open(CharBackend *b);

/*
 * Writes what can be written without waiting: the number of bytes, or -1 with
 * errno (EAGAIN: nothing now).  Without a peer all is taken and dropped.
 */
int qemu_chr_fe_write(CharBackend *b, const uint8_t *buf, int len);

/* Waits until all is written, or -1 with errno. */
int qemu_chr_fe_write_all(CharBackend *b, const uint8_t *buf, int len);

/* Waits until it makes sense to write again; false after @timeout_ms. */
bool qemu_chr_fe_wait(CharBackend *b, int timeout_ms);

/*
 * Calls @func in the main thread when it makes sense to write again.  An ID
 * for g_source_remove(), 0 if the device never waits.
 */
guint qemu_chr_fe_add_watch(CharBackend *b, GIOCondition cond,
                            FEWatchFunc func, void *user_data);

/* can_read would not return 0 any more. */
void qemu_chr_fe_accept_input(CharBackend *b);

/* Ends the connection. */
void qemu_chr_fe_disconnect(CharBackend *b);

/* A file descriptor that the peer has sent with what was read last: the
 * caller's to close.  -1: there is none. */
int qemu_chr_fe_get_msgfd(CharBackend *b);

/* A terminal shows what is typed, and gives whole lines, or neither. */
void qemu_chr_fe_set_echo(CharBackend *b, bool echo);

#endif /* QEMU_CHAR_FE_H */
