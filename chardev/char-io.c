/*
 * SPDX-License-Identifier: MIT
 *
 * Input and output of descriptors.
 *
 * 1. A ChardevInput has a source exactly while its user wants input.  Who
 *    finds that this changed, the source's thread or another, says so under
 *    the lock; no wish gets lost.
 * 2. The end of input is reported once for each start, in the main thread.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>

/* ---- Input ---- */

typedef struct EofReport {
    ChardevInput *in;
    unsigned generation;
} EofReport;

static gboolean report_eof(gpointer opaque)
{
    EofReport *report = opaque;
    ChardevInput *in = report->in;

    if (report->generation == in->generation && in->at_eof && in->eof) {
        in->eof(in->chr);
    }
    return G_SOURCE_REMOVE;
}

/* The device may be gone when the report's turn comes: see _destroy(). */
static void schedule_eof(ChardevInput *in)
{
    EofReport *report = g_new(EofReport, 1);

    *report = (EofReport) { .in = in, .generation = in->generation };
    g_source_unref(in->eof_source);
    in->eof_source = g_idle_source_new();
    g_source_set_priority(in->eof_source, G_PRIORITY_DEFAULT);
    g_source_set_callback(in->eof_source, report_eof, report, g_free);
    g_source_attach(in->eof_source, NULL);
}

/* Most descriptors that may come with one message; the kernel takes no more. */
enum { MAX_MSGFDS = 253 };

/* Keep the first descriptor of a message, in the place of an older one. */
static void keep_msgfd(ChardevInput *in, struct msghdr *msg)
{
    struct cmsghdr *c;

    for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t i, n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int fds[MAX_MSGFDS];

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
            n == 0 || n > MAX_MSGFDS) {
            continue;
        }
        memcpy(fds, CMSG_DATA(c), n * sizeof(int));
        if (in->msgfd >= 0) {
            close(in->msgfd);
        }
        in->msgfd = fds[0];
        for (i = 1; i < n; i++) {
            close(fds[i]);
        }
    }
}

static ssize_t receive(ChardevInput *in, uint8_t *buf, size_t len)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(MAX_MSGFDS * sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(in->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n > 0) {
        keep_msgfd(in, &msg);
    }
    return n;
}

/* What there is, without waiting; -errno. */
static ssize_t read_some(ChardevInput *in, uint8_t *buf, size_t len)
{
    ssize_t n;

    do {
        n = in->is_socket ? receive(in, buf, len) : read(in->fd, buf, len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int chardev_input_take_msgfd(ChardevInput *in)
{
    int fd;

    qemu_mutex_lock(&in->lock);
    fd = in->msgfd;
    in->msgfd = -1;
    qemu_mutex_unlock(&in->lock);
    return fd;
}

static gboolean input_ready(gint fd, GIOCondition cond, gpointer opaque)
{
    ChardevInput *in = opaque;
    uint8_t buf[CHR_READ_BUF_LEN];
    ssize_t n;
    int want;

    qemu_mutex_lock(&in->lock);
    if (in->source != g_main_current_source()) {
        qemu_mutex_unlock(&in->lock);
        return G_SOURCE_REMOVE;
    }
    want = MIN(qemu_chr_be_can_write(in->chr), sizeof(buf));
    n = want > 0 ? read_some(in, buf, want) : 0;
    if (want > 0 && n <= 0 && n != -EAGAIN && n != -EWOULDBLOCK) {
        in->at_eof = true;
        schedule_eof(in);
    }
    if (want <= 0 || in->at_eof) {
        g_clear_pointer(&in->source, g_source_unref);
        qemu_mutex_unlock(&in->lock);
        return G_SOURCE_REMOVE;
    }
    qemu_mutex_unlock(&in->lock);
    if (n > 0) {
        qemu_chr_be_write(in->chr, buf, n);
    }
    return G_SOURCE_CONTINUE;
}

void chardev_input_init(ChardevInput *in, Chardev *chr,
                        void (*eof)(Chardev *chr))
{
    in->chr = chr;
    in->fd = -1;
    in->msgfd = -1;
    in->eof = eof;
    in->eof_source = g_idle_source_new();
    qemu_mutex_init(&in->lock);
}

static void drop_source(ChardevInput *in)
{
    if (in->source) {
        g_source_destroy(in->source);
        g_clear_pointer(&in->source, g_source_unref);
    }
}

void chardev_input_update(ChardevInput *in)
{
    GMainContext *context = in->chr->gcontext ?: g_main_context_default();

    qemu_mutex_lock(&in->lock);
    if (in->source && (g_source_get_context(in->source) != context ||
                       !qemu_chr_be_has_reader(in->chr))) {
        drop_source(in);
    }
    if (!in->source && in->fd >= 0 && !in->at_eof &&
        qemu_chr_be_can_write(in->chr) > 0) {
        in->source = g_unix_fd_source_new(in->fd, G_IO_IN | G_IO_HUP |
                                          G_IO_ERR);
        g_source_set_callback(in->source,
                              (GSourceFunc)(void (*)(void))input_ready, in,
                              NULL);
        g_source_attach(in->source, context);
    }
    qemu_mutex_unlock(&in->lock);
}

void chardev_input_start(ChardevInput *in, int fd, bool is_socket)
{
    qemu_mutex_lock(&in->lock);
    in->fd = fd;
    in->is_socket = is_socket;
    in->at_eof = false;
    in->generation++;
    qemu_mutex_unlock(&in->lock);
    chardev_input_update(in);
}

void chardev_input_stop(ChardevInput *in)
{
    qemu_mutex_lock(&in->lock);
    drop_source(in);
    in->fd = -1;
    if (in->msgfd >= 0) {
        close(in->msgfd);
        in->msgfd = -1;
    }
    in->generation++;
    qemu_mutex_unlock(&in->lock);
}

void chardev_input_destroy(ChardevInput *in)
{
    chardev_input_stop(in);
    g_source_destroy(in->eof_source);
    g_source_unref(in->eof_source);
    qemu_mutex_destroy(&in->lock);
}

/* ---- Output ---- */

int chardev_fd_write(int fd, const uint8_t *buf, int len)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    int done = 0;

    /*
     * The descriptor may be shared with other processes and with stdio, so
     * it is not made non-blocking.  A pipe that is ready takes PIPE_BUF bytes.
     */
    while (done < len) {
        ssize_t n;

        if (poll(&pfd, 1, 0) <= 0) {
            break;
        }
        n = write(fd, buf + done, MIN(len - done, PIPE_BUF));
        if (n > 0) {
            done += n;
        } else if (n < 0 && errno != EINTR) {
            return done ?: -1;
        }
    }
    if (!done && len) {
        errno = EAGAIN;
        return -1;
    }
    return done;
}

/* ---- Devices that are two descriptors ---- */

static void fd_chr_eof(Chardev *chr)
{
    qemu_chr_be_event(chr, CHR_EVENT_CLOSED);
}

void qemu_chr_open_fd(Chardev *chr, int fd_in, int fd_out)
{
    FDChardev *s = (FDChardev *)chr;

    s->fd_in = fd_in;
    s->fd_out = fd_out;
    chardev_input_init(&s->input, chr, fd_chr_eof);
    chardev_input_start(&s->input, fd_in, false);
}

int fd_chr_write(Chardev *chr, const uint8_t *buf, int len)
{
    return chardev_fd_write(((FDChardev *)chr)->fd_out, buf, len);
}

int fd_chr_write_fd(Chardev *chr)
{
    return ((FDChardev *)chr)->fd_out;
}

void fd_chr_update_read_handler(Chardev *chr)
{
    chardev_input_update(&((FDChardev *)chr)->input);
}

void fd_chr_finalize(Chardev *chr)
{
    FDChardev *s = (FDChardev *)chr;

    if (!s->input.chr) {
        return;                 /* never opened */
    }
    chardev_input_destroy(&s->input);
    if (s->fd_in >= 0) {
        close(s->fd_in);
    }
    if (s->fd_out >= 0 && s->fd_out != s->fd_in) {
        close(s->fd_out);
    }
}
