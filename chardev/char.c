/*
 * SPDX-License-Identifier: MIT
 *
 * Character devices: the list of them, their kinds, and what passes between
 * a device and its user.
 *
 * 1. Labels are unique.
 * 2. A device has one user at most, which knows the device as well:
 *    chr->be->chr == chr.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-char.h"
#include "qemu/error-report.h"
#include <glib-unix.h>
#include <poll.h>

static QTAILQ_HEAD(, Chardev) chardevs = QTAILQ_HEAD_INITIALIZER(chardevs);

/* By kind; @memory is the former name of ringbuf. */
static const ChardevClass *const classes[CHARDEV_BACKEND_KIND__MAX] = {
    [CHARDEV_BACKEND_KIND_FILE] = &char_file_class,
    [CHARDEV_BACKEND_KIND_PIPE] = &char_pipe_class,
    [CHARDEV_BACKEND_KIND_SOCKET] = &char_socket_class,
    [CHARDEV_BACKEND_KIND_PTY] = &char_pty_class,
    [CHARDEV_BACKEND_KIND_NULL] = &char_null_class,
    [CHARDEV_BACKEND_KIND_STDIO] = &char_stdio_class,
    [CHARDEV_BACKEND_KIND_RINGBUF] = &char_ringbuf_class,
    [CHARDEV_BACKEND_KIND_MEMORY] = &char_ringbuf_class,
};

/* ---- Between device and user ---- */

bool qemu_chr_be_has_reader(Chardev *chr)
{
    return chr->be && chr->be->chr_read;
}

int qemu_chr_be_can_write(Chardev *chr)
{
    CharBackend *be = chr->be;

    if (!be || !be->chr_read) {
        return 0;
    }
    return be->chr_can_read ? be->chr_can_read(be->opaque) : CHR_READ_BUF_LEN;
}

void qemu_chr_be_write(Chardev *chr, const uint8_t *buf, int len)
{
    CharBackend *be = chr->be;

    if (be && be->chr_read) {
        be->chr_read(be->opaque, buf, len);
    }
}

void qemu_chr_be_event(Chardev *chr, QEMUChrEvent event)
{
    CharBackend *be = chr->be;

    if (event == CHR_EVENT_OPENED) {
        chr->be_open = true;
    } else if (event == CHR_EVENT_CLOSED) {
        chr->be_open = false;
    }
    if (be && be->chr_event) {
        be->chr_event(be->opaque, event);
    }
}

static void write_log(Chardev *chr, const uint8_t *buf, int len)
{
    while (chr->logfd >= 0 && len > 0) {
        ssize_t n = write(chr->logfd, buf, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;             /* a log that fails stops nothing */
        }
        buf += n;
        len -= n;
    }
}

/* ---- Making and removing ---- */

Chardev *qemu_chr_find(const char *label)
{
    Chardev *chr;

    QTAILQ_FOREACH(chr, &chardevs, next) {
        if (!strcmp(chr->label, label)) {
            return chr;
        }
    }
    return NULL;
}

/* What all kinds have, wherever it is in the union. */
static ChardevCommon *backend_common(ChardevBackend *backend)
{
    switch (backend->type) {
    case CHARDEV_BACKEND_KIND_FILE:
        return qapi_ChardevFile_base(backend->u.file.data);
    case CHARDEV_BACKEND_KIND_PIPE:
        return qapi_ChardevHostdev_base(backend->u.pipe.data);
    case CHARDEV_BACKEND_KIND_SOCKET:
        return qapi_ChardevSocket_base(backend->u.socket.data);
    case CHARDEV_BACKEND_KIND_PTY:
        return backend->u.pty.data;
    case CHARDEV_BACKEND_KIND_NULL:
        return backend->u.null.data;
    case CHARDEV_BACKEND_KIND_STDIO:
        return qapi_ChardevStdio_base(backend->u.stdio.data);
    case CHARDEV_BACKEND_KIND_RINGBUF:
    case CHARDEV_BACKEND_KIND_MEMORY:
        return qapi_ChardevRingbuf_base(backend->u.ringbuf.data);
    default:
        abort();
    }
}

static bool open_log(Chardev *chr, ChardevCommon *common, Error **errp)
{
    int flags = O_WRONLY | O_CREAT;

    if (!common->has_logfile) {
        return true;
    }
    flags |= common->has_logappend && common->logappend ? O_APPEND : O_TRUNC;
    chr->logfd = qemu_open_old(common->logfile, flags, 0666);
    if (chr->logfd < 0) {
        error_setg_errno(errp, errno, "Could not create '%s'",
                         common->logfile);
        return false;
    }
    return true;
}

static void chardev_free(Chardev *chr)
{
    if (chr->klass->finalize) {
        chr->klass->finalize(chr);
    }
    if (chr->logfd >= 0) {
        close(chr->logfd);
    }
    qemu_mutex_destroy(&chr->write_lock);
    g_free(chr->filename);
    g_free(chr->label);
    g_free(chr);
}

Chardev *qemu_chardev_new(const char *label, ChardevBackend *backend,
                          Error **errp)
{
    const ChardevClass *klass = classes[backend->type];
    bool be_opened = true;
    Chardev *chr;

    if (qemu_chr_find(label)) {
        error_setg(errp, "Chardev with id '%s' already exists", label);
        return NULL;
    }
    chr = g_malloc0(klass->size);
    chr->klass = klass;
    chr->label = g_strdup(label);
    chr->logfd = -1;
    qemu_mutex_init(&chr->write_lock);
    if (!open_log(chr, backend_common(backend), errp) ||
        (klass->open && !klass->open(chr, backend, &be_opened, errp))) {
        chardev_free(chr);
        return NULL;
    }
    if (!chr->filename) {
        chr->filename = g_strdup(ChardevBackendKind_str(backend->type));
    }
    QTAILQ_INSERT_TAIL(&chardevs, chr, next);
    if (be_opened) {
        qemu_chr_be_event(chr, CHR_EVENT_OPENED);
    }
    return chr;
}

void qemu_chr_delete(Chardev *chr)
{
    if (chr->be) {
        chr->be->chr = NULL;
        chr->be = NULL;
    }
    QTAILQ_REMOVE(&chardevs, chr, next);
    chardev_free(chr);
}

void qemu_chr_cleanup(void)
{
    Chardev *chr, *next;

    QTAILQ_FOREACH_SAFE(chr, &chardevs, next, next) {
        qemu_chr_delete(chr);
    }
}

/* ---- The user's end ---- */

bool qemu_chr_fe_init(CharBackend *b, Chardev *chr, Error **errp)
{
    if (chr->be) {
        error_setg(errp, "Device '%s' is in use", chr->label);
        return false;
    }
    *b = (CharBackend) { .chr = chr };
    chr->be = b;
    return true;
}

void qemu_chr_fe_deinit(CharBackend *b, bool del)
{
    Chardev *chr = b->chr;

    if (!chr) {
        return;
    }
    qemu_chr_fe_set_handlers(b, NULL, NULL, NULL, NULL, NULL);
    chr->be = NULL;
    b->chr = NULL;
    if (del) {
        qemu_chr_delete(chr);
    }
}

void qemu_chr_fe_set_handlers(CharBackend *b, IOCanReadHandler *can_read,
                              IOReadHandler *read, IOEventHandler *event,
                              void *opaque, GMainContext *context)
{
    Chardev *chr = b->chr;

    if (!chr) {
        return;
    }
    b->chr_can_read = can_read;
    b->chr_read = read;
    b->chr_event = event;
    b->opaque = opaque;
    b->fe_open = can_read || read || event;
    chr->gcontext = context;
    if (chr->klass->update_read_handler) {
        chr->klass->update_read_handler(chr);
    }
    if (b->fe_open && chr->be_open) {
        qemu_chr_be_event(chr, CHR_EVENT_OPENED);
    }
}

void qemu_chr_fe_set_context(CharBackend *b, GMainContext *context)
{
    b->chr->gcontext = context;
    qemu_chr_fe_accept_input(b);
}

bool qemu_chr_fe_backend_open(CharBackend *b)
{
    return b->chr && b->chr->be_open;
}

int qemu_chr_fe_write(CharBackend *b, const uint8_t *buf, int len)
{
    Chardev *chr = b->chr;
    int n;

    if (!chr || !chr->klass->write) {
        return len;
    }
    qemu_mutex_lock(&chr->write_lock);
    n = chr->klass->write(chr, buf, len);
    if (n > 0) {
        write_log(chr, buf, n);
    }
    qemu_mutex_unlock(&chr->write_lock);
    return n;
}

bool qemu_chr_fe_wait(CharBackend *b, int timeout_ms)
{
    Chardev *chr = b->chr;
    struct pollfd pfd = { .events = POLLOUT };

    if (!chr || !chr->klass->write_fd) {
        return true;
    }
    pfd.fd = chr->klass->write_fd(chr);
    return poll(&pfd, 1, timeout_ms) != 0;
}

int qemu_chr_fe_write_all(CharBackend *b, const uint8_t *buf, int len)
{
    int done = 0;

    while (done < len) {
        int n = qemu_chr_fe_write(b, buf + done, len - done);

        if (n > 0) {
            done += n;
        } else if (n < 0 && errno == EAGAIN) {
            qemu_chr_fe_wait(b, -1);
        } else if (n < 0 && errno != EINTR) {
            return -1;
        }
    }
    return done;
}

guint qemu_chr_fe_add_watch(CharBackend *b, GIOCondition cond,
                            FEWatchFunc func, void *user_data)
{
    Chardev *chr = b->chr;
    GSource *source;
    guint tag;
    int fd;

    if (!chr || !chr->klass->write_fd) {
        return 0;
    }
    fd = chr->klass->write_fd(chr);
    if (fd < 0) {
        return 0;
    }
    source = g_unix_fd_source_new(fd, cond);
    g_source_set_callback(source, (GSourceFunc)(void (*)(void))func,
                          user_data, NULL);
    tag = g_source_attach(source, NULL);
    g_source_unref(source);
    return tag;
}

void qemu_chr_fe_accept_input(CharBackend *b)
{
    Chardev *chr = b->chr;

    if (chr && chr->klass->update_read_handler) {
        chr->klass->update_read_handler(chr);
    }
}

void qemu_chr_fe_disconnect(CharBackend *b)
{
    if (b->chr && b->chr->klass->disconnect) {
        b->chr->klass->disconnect(b->chr);
    }
}

int qemu_chr_fe_get_msgfd(CharBackend *b)
{
    return b->chr && b->chr->klass->get_msgfd
           ? b->chr->klass->get_msgfd(b->chr) : -1;
}

void qemu_chr_fe_set_echo(CharBackend *b, bool echo)
{
    if (b->chr && b->chr->klass->set_echo) {
        b->chr->klass->set_echo(b->chr, echo);
    }
}

/* ---- QMP ---- */

ChardevInfoList *qmp_query_chardev(Error **errp)
{
    ChardevInfoList *list = NULL, **tail = &list;
    Chardev *chr;

    QTAILQ_FOREACH(chr, &chardevs, next) {
        ChardevInfo *info = g_new0(ChardevInfo, 1);

        info->label = g_strdup(chr->label);
        info->filename = g_strdup(chr->filename);
        info->frontend_open = chr->be && chr->be->fe_open;
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}

ChardevBackendInfoList *qmp_query_chardev_backends(Error **errp)
{
    ChardevBackendInfoList *list = NULL, **tail = &list;

    for (int i = 0; i < CHARDEV_BACKEND_KIND__MAX; i++) {
        ChardevBackendInfo *info = g_new0(ChardevBackendInfo, 1);

        info->name = g_strdup(ChardevBackendKind_str(i));
        QAPI_LIST_APPEND(tail, info);
    }
    return list;
}

const char *qemu_chr_get_pty(Chardev *chr)
{
    return chr->klass == &char_pty_class ? chr->filename + strlen("pty:")
                                         : NULL;
}

ChardevReturn *qmp_chardev_add(const char *id, ChardevBackend *backend,
                               Error **errp)
{
    ERRP_GUARD();
    ChardevReturn *ret;
    Chardev *chr;
    const char *path;

    if (qemu_chr_find(id)) {
        error_setg(errp, "Chardev with id '%s' already exists", id);
        return NULL;
    }
    chr = qemu_chardev_new(id, backend, errp);
    if (!chr) {
        error_prepend(errp, "Failed to add chardev '%s': ", id);
        return NULL;
    }
    ret = g_new0(ChardevReturn, 1);
    path = qemu_chr_get_pty(chr);
    if (path) {
        ret->has_pty = true;
        ret->pty = g_strdup(path);
    }
    return ret;
}

void qmp_chardev_remove(const char *id, Error **errp)
{
    Chardev *chr = qemu_chr_find(id);

    if (!chr) {
        error_setg(errp, "Chardev '%s' not found", id);
    } else if (chr->be) {
        error_setg(errp, "Chardev '%s' is busy", id);
    } else {
        qemu_chr_delete(chr);
    }
}

/* ---- From options ---- */

static bool is_help_option(const char *s)
{
    return !strcmp(s, "help") || !strcmp(s, "?");
}

static void print_backends(void)
{
    printf("Available chardev backend types: \n");
    for (int i = 0; i < CHARDEV_BACKEND_KIND__MAX; i++) {
        printf("  %s\n", ChardevBackendKind_str(i));
    }
}

void qemu_chr_parse_common(QemuOpts *opts, ChardevCommon *common)
{
    const char *logfile = qemu_opt_get(opts, "logfile");

    common->has_logfile = logfile != NULL;
    common->logfile = g_strdup(logfile);
    common->has_logappend = true;
    common->logappend = qemu_opt_get_bool(opts, "logappend", false);
}

static ChardevBackend *parse_backend(QemuOpts *opts, Error **errp)
{
    const char *name = qemu_opt_get(opts, "backend");
    g_autoptr(ChardevBackend) backend = NULL;
    int kind;

    if (!name) {
        error_setg(errp, "chardev: \"%s\" missing backend",
                   qemu_opts_id(opts));
        return NULL;
    }
    kind = qapi_enum_parse(&ChardevBackendKind_lookup, name, -1, NULL);
    if (kind < 0) {
        error_setg(errp, "'%s' is not a valid char driver name", name);
        return NULL;
    }
    backend = g_new0(ChardevBackend, 1);
    backend->type = kind;
    if (classes[kind]->parse) {
        if (!classes[kind]->parse(opts, backend, errp)) {
            return NULL;
        }
    } else {
        /* Those without options of their own are all alike. */
        backend->u.null.data = g_new0(ChardevCommon, 1);
        qemu_chr_parse_common(opts, backend->u.null.data);
    }
    return g_steal_pointer(&backend);
}

Chardev *qemu_chr_new_from_opts(QemuOpts *opts, Error **errp)
{
    const char *name = qemu_opt_get(opts, "backend");
    const char *id = qemu_opts_id(opts);
    g_autoptr(ChardevBackend) backend = NULL;

    if (name && is_help_option(name)) {
        print_backends();
        return NULL;
    }
    if (!id) {
        error_setg(errp, "chardev: no id specified");
        return NULL;
    }
    backend = parse_backend(opts, errp);
    return backend ? qemu_chardev_new(id, backend, errp) : NULL;
}

Chardev *qemu_chardev_cmdline(const char *optarg, Error **errp)
{
    QemuOpts *opts;
    Chardev *chr;

    if (is_help_option(optarg)) {
        print_backends();
        exit(0);
    }
    if (has_help_option(optarg)) {
        qemu_opts_print_help(&qemu_chardev_opts, true);
        exit(0);
    }
    opts = qemu_opts_parse(&qemu_chardev_opts, optarg, true, errp);
    if (!opts) {
        return NULL;
    }
    chr = qemu_chr_new_from_opts(opts, errp);
    qemu_opts_del(opts);
    return chr;
}
