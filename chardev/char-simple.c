/*
 * SPDX-License-Identifier: MIT
 *
 * The kinds null, file and pipe.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"

/* ---- null: everything is written, nothing is read ---- */

static bool null_open(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                      Error **errp)
{
    *be_opened = false;
    return true;
}

const ChardevClass char_null_class = {
    .name = "null",
    .size = sizeof(Chardev),
    .open = null_open,
};

/* ---- file ---- */

static bool file_parse(QemuOpts *opts, ChardevBackend *backend, Error **errp)
{
    const char *path = qemu_opt_get(opts, "path");
    const char *in = qemu_opt_get(opts, "input-path");
    ChardevFile *file = backend->u.file.data = g_new0(ChardevFile, 1);

    if (!path) {
        error_setg(errp, "chardev: file: no filename given");
        return false;
    }
    qemu_chr_parse_common(opts, qapi_ChardevFile_base(file));
    file->out = g_strdup(path);
    file->has_in = in != NULL;
    file->in = g_strdup(in);
    file->has_append = true;
    file->append = qemu_opt_get_bool(opts, "append", false);
    return true;
}

static int open_or_error(const char *path, int flags, Error **errp)
{
    int fd;

    do {
        fd = qemu_open_old(path, flags, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Could not open '%s'", path);
    }
    return fd;
}

static bool file_open(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                      Error **errp)
{
    ChardevFile *file = backend->u.file.data;
    int flags = O_WRONLY | O_CREAT;
    int in = -1, out;

    flags |= file->has_append && file->append ? O_APPEND : O_TRUNC;
    out = open_or_error(file->out, flags, errp);
    if (out < 0) {
        return false;
    }
    if (file->has_in) {
        in = open_or_error(file->in, O_RDONLY, errp);
        if (in < 0) {
            close(out);
            return false;
        }
    }
    qemu_chr_open_fd(chr, in, out);
    return true;
}

const ChardevClass char_file_class = {
    .name = "file",
    .size = sizeof(FDChardev),
    .parse = file_parse,
    .open = file_open,
    .write = fd_chr_write,
    .write_fd = fd_chr_write_fd,
    .update_read_handler = fd_chr_update_read_handler,
    .finalize = fd_chr_finalize,
};

/* ---- pipe: PATH.in and PATH.out, or one for both ---- */

static bool pipe_parse(QemuOpts *opts, ChardevBackend *backend, Error **errp)
{
    const char *device = qemu_opt_get(opts, "path");
    ChardevHostdev *dev = backend->u.pipe.data = g_new0(ChardevHostdev, 1);

    if (!device) {
        error_setg(errp, "chardev: pipe: no device path given");
        return false;
    }
    qemu_chr_parse_common(opts, qapi_ChardevHostdev_base(dev));
    dev->device = g_strdup(device);
    return true;
}

static bool pipe_open(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                      Error **errp)
{
    const char *path = backend->u.pipe.data->device;
    g_autofree char *path_in = g_strdup_printf("%s.in", path);
    g_autofree char *path_out = g_strdup_printf("%s.out", path);
    int in = qemu_open_old(path_in, O_RDWR);
    int out = qemu_open_old(path_out, O_RDWR);

    /* Opened for both directions they do not wait for the other end. */
    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = open_or_error(path, O_RDWR, errp);
        if (in < 0) {
            return false;
        }
    }
    qemu_chr_open_fd(chr, in, out);
    return true;
}

const ChardevClass char_pipe_class = {
    .name = "pipe",
    .size = sizeof(FDChardev),
    .parse = pipe_parse,
    .open = pipe_open,
    .write = fd_chr_write,
    .write_fd = fd_chr_write_fd,
    .update_read_handler = fd_chr_update_read_handler,
    .finalize = fd_chr_finalize,
};
