/*
 * SPDX-License-Identifier: MIT
 *
 * The kind socket: one end of a stream socket, local or TCP.
 *
 * 1. Connections come and go in the main thread only, whichever thread reads.
 * 2. At most one of these is there: a connection, a listening source, an
 *    attempt to connect, a timer for the next attempt.
 * 3. @fd changes under write_lock.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-sockets.h"
#include "qemu/error-report.h"
#include "qemu/sockets.h"
#include <glib-unix.h>

typedef struct SocketChardev SocketChardev;

/* An attempt to connect, in a thread of its own. */
typedef struct ConnectTask {
    SocketChardev *s;           /* main thread; NULL: nobody waits for it */
    SocketAddress *addr;
    int fd;
    Error *err;
} ConnectTask;

struct SocketChardev {
    Chardev parent;
    ChardevInput input;
    /* Constant. */
    SocketAddress *addr;
    bool is_server;
    bool nodelay;
    int64_t reconnect;          /* seconds; 0: never */
    int listen_fd;              /* -1: none */
    /* See 2. */
    int fd;                     /* -1: none */
    guint listen_source;
    ConnectTask *task;
    guint reconnect_timer;
    bool error_reported;        /* since the last connection */
};

static void start_connecting(SocketChardev *s);
static void start_listening(SocketChardev *s);

/* ---- What query-chardev shows ---- */

static char *describe_inet(const InetSocketAddress *inet)
{
    bool v6 = strchr(inet->host, ':');

    return g_strdup_printf("%s%s%s:%s", v6 ? "[" : "", inet->host,
                           v6 ? "]" : "", inet->port);
}

static char *describe_address(SocketAddress *addr)
{
    UnixSocketAddress *un = &addr->u.q_unix;
    g_autofree char *inet = NULL;

    switch (addr->type) {
    case SOCKET_ADDRESS_TYPE_INET:
        inet = describe_inet(&addr->u.inet);
        return g_strdup_printf("tcp:%s", inet);
    case SOCKET_ADDRESS_TYPE_UNIX:
        return g_strdup_printf("unix:%s%s%s", un->path,
                               un->has_abstract && un->abstract
                               ? ",abstract=on" : "",
                               un->has_abstract && un->abstract
                               ? !un->has_tight || un->tight
                               ? ",tight=on" : ",tight=off" : "");
    case SOCKET_ADDRESS_TYPE_FD:
        return g_strdup_printf("fd:%s", addr->u.fd.str);
    default:
        return g_strdup("unknown");
    }
}

static void update_filename(SocketChardev *s)
{
    g_autoptr(SocketAddress) local = NULL;
    g_autoptr(SocketAddress) remote = NULL;
    g_autofree char *address = NULL;
    g_autofree char *peer = NULL;

    if (s->fd >= 0) {
        local = socket_local_address(s->fd, NULL);
        remote = socket_remote_address(s->fd, NULL);
    }
    address = describe_address(local ?: s->addr);
    if (local && remote && remote->type == SOCKET_ADDRESS_TYPE_INET) {
        peer = describe_inet(&remote->u.inet);
    }
    g_free(s->parent.filename);
    s->parent.filename =
        g_strdup_printf("%s%s%s%s%s", s->fd < 0 ? "disconnected:" : "",
                        address, s->is_server ? ",server=on" : "",
                        peer ? " <-> " : "", peer ?: "");
}

/* ---- Connections ---- */

/* Takes over a connected socket; the caller tells the user. */
static void set_connection(SocketChardev *s, int fd)
{
    if (s->nodelay) {
        socket_set_nodelay(fd);
    }
    qemu_mutex_lock(&s->parent.write_lock);
    s->fd = fd;
    qemu_mutex_unlock(&s->parent.write_lock);
    s->error_reported = false;
    update_filename(s);
}

static void connected(SocketChardev *s, int fd)
{
    set_connection(s, fd);
    /* The user's reaction to the news comes before any input. */
    qemu_chr_be_event(&s->parent, CHR_EVENT_OPENED);
    chardev_input_start(&s->input, fd, true);
}

static void drop_connection(SocketChardev *s)
{
    chardev_input_stop(&s->input);
    qemu_mutex_lock(&s->parent.write_lock);
    close(s->fd);
    s->fd = -1;
    qemu_mutex_unlock(&s->parent.write_lock);
    update_filename(s);
}

static gboolean reconnect_timeout(gpointer opaque)
{
    SocketChardev *s = opaque;

    s->reconnect_timer = 0;
    start_connecting(s);
    return G_SOURCE_REMOVE;
}

static void socket_eof(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;

    drop_connection(s);
    qemu_chr_be_event(chr, CHR_EVENT_CLOSED);
    if (s->listen_fd >= 0) {
        start_listening(s);
    } else if (s->reconnect > 0) {
        s->reconnect_timer = g_timeout_add_seconds(s->reconnect,
                                                   reconnect_timeout, s);
    }
}

static gboolean accept_ready(gint fd, GIOCondition cond, gpointer opaque)
{
    SocketChardev *s = opaque;
    int conn = qemu_accept(fd, NULL, NULL);

    if (conn < 0) {
        return G_SOURCE_CONTINUE;
    }
    s->listen_source = 0;
    connected(s, conn);
    return G_SOURCE_REMOVE;
}

static void start_listening(SocketChardev *s)
{
    s->listen_source = g_unix_fd_add(s->listen_fd, G_IO_IN, accept_ready, s);
}

/* ---- Connecting, again and again ---- */

static void connect_failed(SocketChardev *s, Error *err)
{
    if (!s->error_reported) {
        error_report("Unable to connect character device %s: %s",
                     s->parent.label, error_get_pretty(err));
        s->error_reported = true;
    }
    error_free(err);
    s->reconnect_timer = g_timeout_add_seconds(s->reconnect,
                                               reconnect_timeout, s);
}

static void connect_task_free(ConnectTask *task)
{
    qapi_free_SocketAddress(task->addr);
    g_free(task);
}

static gboolean connect_task_done(gpointer opaque)
{
    ConnectTask *task = opaque;
    SocketChardev *s = task->s;

    if (!s) {
        if (task->fd >= 0) {
            close(task->fd);
        }
        error_free(task->err);
    } else {
        s->task = NULL;
        if (task->fd >= 0) {
            connected(s, task->fd);
        } else {
            connect_failed(s, task->err);
        }
    }
    connect_task_free(task);
    return G_SOURCE_REMOVE;
}

static gpointer connect_task_run(gpointer opaque)
{
    ConnectTask *task = opaque;

    task->fd = socket_connect(task->addr, &task->err);
    g_idle_add_full(G_PRIORITY_DEFAULT, connect_task_done, task, NULL);
    return NULL;
}

static void start_connecting(SocketChardev *s)
{
    Error *err = NULL;
    int fd;

    if (s->addr->type == SOCKET_ADDRESS_TYPE_INET) {
        /* Name servers and distant hosts may take their time. */
        s->task = g_new0(ConnectTask, 1);
        s->task->s = s;
        s->task->addr = QAPI_CLONE(SocketAddress, s->addr);
        g_thread_unref(g_thread_new("chr-connect", connect_task_run,
                                    s->task));
        return;
    }
    fd = socket_connect_nowait(s->addr, &err);
    if (fd >= 0) {
        connected(s, fd);
    } else {
        connect_failed(s, err);
    }
}

/* ---- The class ---- */

static bool check_options(ChardevSocket *sock, Error **errp)
{
    bool is_server = !sock->has_server || sock->server;

    if (is_server && sock->has_reconnect) {
        error_setg(errp, "'reconnect' option is incompatible with socket in "
                   "server listen mode");
        return false;
    }
    if (!is_server && sock->has_wait) {
        error_setg(errp, "'wait' option is incompatible with socket in "
                   "client connect mode");
        return false;
    }
    return true;
}

static bool open_server(SocketChardev *s, bool wait, bool *be_opened,
                        Error **errp)
{
    int fd;

    s->listen_fd = socket_listen(s->addr, 1, errp);
    if (s->listen_fd < 0) {
        return false;
    }
    if (s->addr->type == SOCKET_ADDRESS_TYPE_INET) {
        SocketAddress *real = socket_local_address(s->listen_fd, NULL);

        if (real) {
            /* The port may have been 0, or one of several. */
            g_free(s->addr->u.inet.port);
            s->addr->u.inet.port = g_strdup(real->u.inet.port);
            qapi_free_SocketAddress(real);
        }
    }
    update_filename(s);
    if (!wait) {
        start_listening(s);
        *be_opened = false;
        return true;
    }
    info_report("QEMU waiting for connection on: %s", s->parent.filename);
    fd = qemu_accept(s->listen_fd, NULL, NULL);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Unable to accept connection");
        return false;
    }
    set_connection(s, fd);
    chardev_input_start(&s->input, fd, true);
    return true;
}

static bool socket_chr_open(Chardev *chr, ChardevBackend *backend,
                            bool *be_opened, Error **errp)
{
    SocketChardev *s = (SocketChardev *)chr;
    ChardevSocket *sock = backend->u.socket.data;
    int fd;

    s->fd = s->listen_fd = -1;
    chardev_input_init(&s->input, chr, socket_eof);
    s->is_server = !sock->has_server || sock->server;
    s->nodelay = sock->has_nodelay && sock->nodelay;
    s->addr = socket_address_flatten(sock->addr);
    if (!check_options(sock, errp)) {
        return false;
    }
    s->nodelay &= s->addr->type == SOCKET_ADDRESS_TYPE_INET;
    update_filename(s);
    if (s->is_server) {
        return open_server(s, sock->has_wait && sock->wait, be_opened, errp);
    }
    if (sock->has_reconnect && sock->reconnect > 0) {
        s->reconnect = sock->reconnect;
        s->reconnect_timer = g_idle_add(reconnect_timeout, s);
        *be_opened = false;
        return true;
    }
    fd = socket_connect(s->addr, errp);
    if (fd < 0) {
        return false;
    }
    set_connection(s, fd);
    chardev_input_start(&s->input, fd, true);
    return true;
}

static int socket_chr_write(Chardev *chr, const uint8_t *buf, int len)
{
    SocketChardev *s = (SocketChardev *)chr;
    ssize_t n;

    if (s->fd < 0) {
        return len;
    }
    do {
        n = send(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

static int socket_chr_write_fd(Chardev *chr)
{
    return ((SocketChardev *)chr)->fd;
}

static void socket_chr_update_read_handler(Chardev *chr)
{
    chardev_input_update(&((SocketChardev *)chr)->input);
}

/* The end of input follows. */
static void socket_chr_disconnect(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;

    if (s->fd >= 0) {
        shutdown(s->fd, SHUT_RDWR);
    }
}

static int socket_chr_get_msgfd(Chardev *chr)
{
    return chardev_input_take_msgfd(&((SocketChardev *)chr)->input);
}

static void socket_chr_finalize(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;

    if (!s->input.chr) {
        return;
    }
    chardev_input_destroy(&s->input);
    if (s->listen_source) {
        g_source_remove(s->listen_source);
    }
    if (s->reconnect_timer) {
        g_source_remove(s->reconnect_timer);
    }
    if (s->task) {
        s->task->s = NULL;
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        socket_listen_cleanup(s->addr);
    }
    qapi_free_SocketAddress(s->addr);
}

/* ---- Options ---- */

static bool parse_inet(QemuOpts *opts, InetSocketAddress *inet, Error **errp)
{
    const char *port = qemu_opt_get(opts, "port");
    uint64_t to = qemu_opt_get_number(opts, "to", 0);

    if (!port) {
        error_setg(errp, "chardev: socket: no port given");
        return false;
    }
    if (to > 65535) {
        error_setg(errp, "Parameter 'to' must be at most 65535, not %" PRIu64,
                   to);
        return false;
    }
    inet->host = g_strdup(qemu_opt_get(opts, "host"));
    inet->port = g_strdup(port);
    inet->has_to = to != 0;
    inet->to = to;
    inet->has_ipv4 = qemu_opt_get(opts, "ipv4");
    inet->ipv4 = qemu_opt_get_bool(opts, "ipv4", false);
    inet->has_ipv6 = qemu_opt_get(opts, "ipv6");
    inet->ipv6 = qemu_opt_get_bool(opts, "ipv6", false);
    return true;
}

static bool parse_address(QemuOpts *opts, SocketAddressLegacy *addr,
                          Error **errp)
{
    const char *path = qemu_opt_get(opts, "path");
    const char *host = qemu_opt_get(opts, "host");
    const char *fd = qemu_opt_get(opts, "fd");
    UnixSocketAddress *un;

    if (fd && (path || host)) {
        error_setg(errp, "None or one of 'path', 'fd' or 'host' option "
                   "required.");
        return false;
    }
    if (path) {
        un = g_new0(UnixSocketAddress, 1);
        addr->type = SOCKET_ADDRESS_TYPE_UNIX;
        addr->u.q_unix.data = un;
        un->path = g_strdup(path);
        un->has_abstract = un->has_tight = true;
        un->abstract = qemu_opt_get_bool(opts, "abstract", false);
        un->tight = qemu_opt_get_bool(opts, "tight", true);
        return true;
    }
    if (host) {
        addr->type = SOCKET_ADDRESS_TYPE_INET;
        addr->u.inet.data = g_new0(InetSocketAddress, 1);
        return parse_inet(opts, addr->u.inet.data, errp);
    }
    addr->type = SOCKET_ADDRESS_TYPE_FD;
    addr->u.fd.data = g_new0(String, 1);
    addr->u.fd.data->str = g_strdup(fd ?: "");
    return true;
}

static bool socket_chr_parse(QemuOpts *opts, ChardevBackend *backend,
                             Error **errp)
{
    ChardevSocket *sock = backend->u.socket.data = g_new0(ChardevSocket, 1);

    qemu_chr_parse_common(opts, qapi_ChardevSocket_base(sock));
    sock->addr = g_new0(SocketAddressLegacy, 1);
    sock->has_server = true;
    sock->server = qemu_opt_get_bool(opts, "server", false);
    /* Here a server waits unless told otherwise. */
    sock->has_wait = qemu_opt_get(opts, "wait") || sock->server;
    sock->wait = qemu_opt_get_bool(opts, "wait", true);
    sock->has_reconnect = qemu_opt_get(opts, "reconnect");
    sock->reconnect = qemu_opt_get_number(opts, "reconnect", 0);
    sock->has_nodelay = true;
    sock->nodelay = qemu_opt_get_bool(opts, "nodelay", false) ||
                    !qemu_opt_get_bool(opts, "delay", true);
    return parse_address(opts, sock->addr, errp);
}

const ChardevClass char_socket_class = {
    .name = "socket",
    .size = sizeof(SocketChardev),
    .parse = socket_chr_parse,
    .open = socket_chr_open,
    .write = socket_chr_write,
    .write_fd = socket_chr_write_fd,
    .update_read_handler = socket_chr_update_read_handler,
    .disconnect = socket_chr_disconnect,
    .get_msgfd = socket_chr_get_msgfd,
    .finalize = socket_chr_finalize,
};
