/*
 * SPDX-License-Identifier: MIT
 *
 * The kind stdio: standard input and output, and the terminal behind them.
 *
 * 1. There is one at most.
 * 2. The settings of the terminal are those of before when the program ends
 *    or is stopped.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include <termios.h>

static bool forbidden;
static Chardev *the_stdio;
static bool allow_signal;
static bool echo_on = true;
static bool is_terminal;
static struct termios old_settings;

void qemu_chr_forbid_stdio(void)
{
    forbidden = true;
}

static void restore_terminal(void)
{
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &old_settings);
    }
}

static void apply_settings(void)
{
    struct termios tty = old_settings;

    if (!is_terminal) {
        return;
    }
    if (!echo_on) {
        tty.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR |
                         ICRNL | IXON);
        tty.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
        tty.c_cflag &= ~(CSIZE | PARENB);
        tty.c_cflag |= CS8;
        tty.c_cc[VMIN] = 1;
        tty.c_cc[VTIME] = 0;
    }
    if (!allow_signal) {
        tty.c_lflag &= ~ISIG;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &tty);
}

/* Continued after a stop: the shell had its own settings meanwhile. */
static void continued(void *opaque)
{
    apply_settings();
}

static bool stdio_parse(QemuOpts *opts, ChardevBackend *backend, Error **errp)
{
    ChardevStdio *stdio_ = backend->u.stdio.data = g_new0(ChardevStdio, 1);

    qemu_chr_parse_common(opts, qapi_ChardevStdio_base(stdio_));
    stdio_->has_signal = true;
    stdio_->signal = qemu_opt_get_bool(opts, "signal", true);
    return true;
}

static bool stdio_open(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                       Error **errp)
{
    static bool registered;
    ChardevStdio *opts = backend->u.stdio.data;

    if (forbidden) {
        error_setg(errp, "cannot use stdio with -daemonize");
        return false;
    }
    if (the_stdio) {
        error_setg(errp, "cannot use stdio by multiple character devices");
        return false;
    }
    the_stdio = chr;
    allow_signal = !opts->has_signal || opts->signal;
    is_terminal = tcgetattr(STDIN_FILENO, &old_settings) == 0;
    if (is_terminal && !registered) {
        registered = true;
        atexit(restore_terminal);
        qemu_set_signal_handler(SIGCONT, continued, NULL);
    }
    apply_settings();
    qemu_chr_open_fd(chr, STDIN_FILENO, STDOUT_FILENO);
    return true;
}

static int stdio_write(Chardev *chr, const uint8_t *buf, int len)
{
    /* What the program itself printed comes first. */
    fflush(stdout);
    return fd_chr_write(chr, buf, len);
}

static void stdio_set_echo(Chardev *chr, bool echo)
{
    echo_on = echo;
    apply_settings();
}

static void stdio_finalize(Chardev *chr)
{
    FDChardev *s = (FDChardev *)chr;

    if (the_stdio != chr) {
        return;
    }
    the_stdio = NULL;
    echo_on = true;
    restore_terminal();
    is_terminal = false;
    /* The descriptors belong to the program. */
    s->fd_in = s->fd_out = -1;
    fd_chr_finalize(chr);
}

const ChardevClass char_stdio_class = {
    .name = "stdio",
    .size = sizeof(FDChardev),
    .parse = stdio_parse,
    .open = stdio_open,
    .write = stdio_write,
    .write_fd = fd_chr_write_fd,
    .update_read_handler = fd_chr_update_read_handler,
    .set_echo = stdio_set_echo,
    .finalize = stdio_finalize,
};
