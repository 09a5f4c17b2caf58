/*
 * SPDX-License-Identifier: MIT
 *
 * The kind pty: a new pseudo terminal.
 *
 * 1. As long as nobody has the other side open, which shows as a hang-up, it
 *    is looked at once a second; input is read only in between.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"
#include <glib-unix.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>

enum { POLL_MS = 1000 };

typedef struct PtyChardev {
    Chardev parent;
    ChardevInput input;
    int fd;
    guint timer;                /* 0: connected */
} PtyChardev;

static bool pty_has_peer(PtyChardev *s)
{
    struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

    return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP);
}

static void pty_connected(PtyChardev *s)
{
    if (s->timer) {
        g_source_remove(s->timer);
        s->timer = 0;
    }
    chardev_input_start(&s->input, s->fd, false);
    qemu_chr_be_event(&s->parent, CHR_EVENT_OPENED);
}

static gboolean pty_look(gpointer opaque)
{
    PtyChardev *s = opaque;

    if (pty_has_peer(s)) {
        pty_connected(s);
    }
    return s->timer ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void pty_eof(Chardev *chr)
{
    PtyChardev *s = (PtyChardev *)chr;

    chardev_input_stop(&s->input);
    s->timer = g_timeout_add(POLL_MS, pty_look, s);
    qemu_chr_be_event(chr, CHR_EVENT_CLOSED);
}

static bool pty_open(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                     Error **errp)
{
    PtyChardev *s = (PtyChardev *)chr;
    struct termios tty;
    char name[PATH_MAX];
    int slave;

    s->fd = -1;
    if (openpty(&s->fd, &slave, name, NULL, NULL) < 0) {
        error_setg_errno(errp, errno, "Failed to create PTY");
        s->fd = -1;
        return false;
    }
    if (tcgetattr(slave, &tty) == 0) {
        cfmakeraw(&tty);
        tcsetattr(slave, TCSAFLUSH, &tty);
    }
    close(slave);
    fcntl(s->fd, F_SETFD, FD_CLOEXEC);
    g_unix_set_fd_nonblocking(s->fd, true, NULL);
    chr->filename = g_strdup_printf("pty:%s", name);
    chardev_input_init(&s->input, chr, pty_eof);
    s->timer = g_timeout_add(POLL_MS, pty_look, s);
    *be_opened = false;
    return true;
}

static int pty_write(Chardev *chr, const uint8_t *buf, int len)
{
    PtyChardev *s = (PtyChardev *)chr;

    return s->timer ? len : chardev_fd_write(s->fd, buf, len);
}

static int pty_write_fd(Chardev *chr)
{
    return ((PtyChardev *)chr)->fd;
}

static void pty_update_read_handler(Chardev *chr)
{
    chardev_input_update(&((PtyChardev *)chr)->input);
}

static void pty_finalize(Chardev *chr)
{
    PtyChardev *s = (PtyChardev *)chr;

    if (s->fd < 0) {
        return;
    }
    if (s->timer) {
        g_source_remove(s->timer);
    }
    chardev_input_destroy(&s->input);
    close(s->fd);
}

const ChardevClass char_pty_class = {
    .name = "pty",
    .size = sizeof(PtyChardev),
    .open = pty_open,
    .write = pty_write,
    .write_fd = pty_write_fd,
    .update_read_handler = pty_update_read_handler,
    .finalize = pty_finalize,
};
