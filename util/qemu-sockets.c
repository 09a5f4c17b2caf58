/*
 * SPDX-License-Identifier: MIT
 *
 * Stream sockets by QAPI address.
 */
#include "qemu/osdep.h"
#include <poll.h>
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-sockets.h"
#include "qemu/cutils.h"
#include "qemu/sockets.h"
#include <poll.h>

/* ---- Descriptors ---- */

int qemu_accept(int s, struct sockaddr *addr, socklen_t *addrlen)
{
    int fd;

    do {
        fd = accept4(s, addr, addrlen, SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

int socket_set_nodelay(int fd)
{
    return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void set_flag(int fd, int flag, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, on ? flags | flag : flags & ~flag);
}

void qemu_socket_set_nonblock(int fd)
{
    set_flag(fd, O_NONBLOCK, true);
}

void qemu_socket_set_block(int fd)
{
    set_flag(fd, O_NONBLOCK, false);
}

/* connect() that is not cut short by signals; 0 or -errno. */
static int connect_whole(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };
    socklen_t errlen = sizeof(int);
    int err = 0;

    if (connect(fd, sa, len) == 0) {
        return 0;
    }
    if (errno != EINTR) {
        return -errno;
    }
    /* It goes on in the background. */
    while (poll(&pfd, 1, -1) < 0 && errno == EINTR) {
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &errlen);
    return -err;
}

/* ---- Local sockets ---- */

static bool unix_sockaddr(UnixSocketAddress *addr, struct sockaddr_un *un,
                          socklen_t *len, Error **errp)
{
    bool abstract = addr->has_abstract && addr->abstract;
    bool tight = !addr->has_tight || addr->tight;
    size_t n = strlen(addr->path);
    size_t max = sizeof(un->sun_path) - (abstract ? 1 : 0);

    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    *len = sizeof(*un);
    if (n > max) {
        error_setg(errp, "UNIX socket path '%s' is too long", addr->path);
        error_append_hint(errp, "Path must be less than %zu bytes\n", max);
        return false;
    }
    if (abstract) {
        memcpy(un->sun_path + 1, addr->path, n);
        if (tight) {
            *len = offsetof(struct sockaddr_un, sun_path) + 1 + n;
        }
    } else {
        memcpy(un->sun_path, addr->path, n);
    }
    return true;
}

static int unix_connect_address(UnixSocketAddress *addr, bool wait,
                                Error **errp)
{
    struct sockaddr_un un;
    socklen_t len;
    int fd, ret;

    if (!unix_sockaddr(addr, &un, &len, errp)) {
        return -1;
    }
    fd = qemu_socket(AF_UNIX, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to create a local socket");
        return -1;
    }
    ret = connect_whole(fd, (struct sockaddr *)&un, len);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to connect to '%s'", addr->path);
        close(fd);
        return -1;
    }
    return fd;
}

/* A path of its own for a socket whose address has none. */
static char *make_path(Error **errp)
{
    char *path = g_strdup_printf("%s/qemu-socket-XXXXXX", g_get_tmp_dir());
    int fd = g_mkstemp(path);

    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to make a temporary socket %s",
                         path);
        g_free(path);
        return NULL;
    }
    close(fd);
    return path;
}

static int unix_listen_address(UnixSocketAddress *addr, int num, Error **errp)
{
    bool abstract = addr->has_abstract && addr->abstract;
    struct sockaddr_un un;
    socklen_t len;
    int fd;

    if (!addr->path[0] && !abstract) {
        char *path = make_path(errp);

        if (!path) {
            return -1;
        }
        g_free(addr->path);
        addr->path = path;
    }
    if (!unix_sockaddr(addr, &un, &len, errp)) {
        return -1;
    }
    if (!abstract && unlink(addr->path) < 0 && errno != ENOENT) {
        error_setg_errno(errp, errno, "Failed to unlink socket %s",
                         addr->path);
        return -1;
    }
    fd = qemu_socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Failed to create a local socket");
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&un, len) < 0) {
        error_setg_errno(errp, errno, "Failed to bind socket to %s",
                         addr->path);
    } else if (listen(fd, num) < 0) {
        error_setg_errno(errp, errno, "Failed to listen on socket %s",
                         addr->path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

/* ---- TCP ---- */

static int inet_family(InetSocketAddress *addr, Error **errp)
{
    bool v4 = !addr->has_ipv4 || addr->ipv4;
    bool v6 = !addr->has_ipv6 || addr->ipv6;

    if (!v4 && !v6) {
        error_setg(errp, "Cannot disable IPv4 and IPv6 at same time");
        return -1;
    }
    /* Asking for one family leaves the other one out. */
    if (addr->has_ipv4 && addr->ipv4 && !addr->has_ipv6) {
        v6 = false;
    } else if (addr->has_ipv6 && addr->ipv6 && !addr->has_ipv4) {
        v4 = false;
    }
    return v4 && v6 ? AF_UNSPEC : v4 ? AF_INET : AF_INET6;
}

static struct addrinfo *inet_resolve(InetSocketAddress *addr, bool passive,
                                     const char *port, Error **errp)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *res = NULL;
    int family = inet_family(addr, errp);
    int rc;

    if (family < 0) {
        return NULL;
    }
    hints.ai_family = family;
    hints.ai_flags = passive ? AI_PASSIVE : AI_ADDRCONFIG;
    if (addr->has_numeric && addr->numeric) {
        hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    }
    rc = getaddrinfo(addr->host[0] ? addr->host : NULL, port, &hints, &res);
    if (rc == EAI_BADFLAGS || (rc == EAI_NONAME && !passive)) {
        /* Hosts with nothing but a loopback interface. */
        hints.ai_flags &= ~AI_ADDRCONFIG;
        rc = getaddrinfo(addr->host[0] ? addr->host : NULL, port, &hints,
                         &res);
    }
    if (rc) {
        error_setg(errp, "address resolution failed for %s:%s: %s",
                   addr->host, port, gai_strerror(rc));
        return NULL;
    }
    return res;
}

static int inet_connect_address(InetSocketAddress *addr, Error **errp)
{
    struct addrinfo *res, *e;
    int fd = -1;
    int ret = -EADDRNOTAVAIL;

    res = inet_resolve(addr, false, addr->port, errp);
    if (!res) {
        return -1;
    }
    for (e = res; e && ret < 0; e = e->ai_next) {
        fd = qemu_socket(e->ai_family, e->ai_socktype, e->ai_protocol);
        if (fd < 0) {
            ret = -errno;
            continue;
        }
        ret = connect_whole(fd, e->ai_addr, e->ai_addrlen);
        if (ret < 0) {
            close(fd);
        }
    }
    freeaddrinfo(res);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to connect to '%s:%s'",
                         addr->host, addr->port);
        return -1;
    }
    if (addr->has_keep_alive && addr->keep_alive) {
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
    return fd;
}

/* A socket bound to and listening on one resolved address; or -errno. */
static int inet_listen_on(struct addrinfo *e, int num, bool v6only)
{
    int fd = qemu_socket(e->ai_family, e->ai_socktype, e->ai_protocol);
    int err;

    if (fd < 0) {
        return -errno;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (e->ai_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
    }
    if (bind(fd, e->ai_addr, e->ai_addrlen) < 0 || listen(fd, num) < 0) {
        err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

static int inet_listen_address(InetSocketAddress *addr, int num, Error **errp)
{
    bool v6only = addr->has_ipv4 && !addr->ipv4;
    unsigned long long first, last, port;
    struct addrinfo *res, *e;
    int fd = -EADDRNOTAVAIL;

    if (addr->port[0] == '\0') {
        error_setg(errp, "port not specified");
        return -1;
    }
    if (parse_uint_full(addr->port, &first, 10) < 0 || first > 65535) {
        error_setg(errp, "port '%s' out of range", addr->port);
        return -1;
    }
    last = addr->has_to ? addr->to : first;
    for (port = first; port <= last && fd < 0; port++) {
        g_autofree char *str = g_strdup_printf("%llu", port);

        res = inet_resolve(addr, true, str, errp);
        if (!res) {
            return -1;
        }
        /* IPv6 first: its sockets serve IPv4 as well. */
        for (int pass = 0; pass < 2; pass++) {
            for (e = res; e && fd < 0; e = e->ai_next) {
                if ((e->ai_family == AF_INET6) == (pass == 0)) {
                    fd = inet_listen_on(e, num, v6only);
                }
            }
        }
        freeaddrinfo(res);
    }
    if (fd < 0) {
        error_setg_errno(errp, -fd, "Failed to find an available port");
        return -1;
    }
    return fd;
}

static bool parse_flag(const char *opt, const char *name, bool *has,
                       bool *value)
{
    const char *v;

    if (!strstart(opt, name, &v)) {
        return false;
    }
    *has = true;
    *value = !*v || !strcmp(v, "=on");
    return *value || !strcmp(v, "=off");
}

InetSocketAddress *inet_parse(const char *str, Error **errp)
{
    g_autoptr(InetSocketAddress) addr = g_new0(InetSocketAddress, 1);
    g_auto(GStrv) parts = g_strsplit(str, ",", -1);
    const char *hostport = parts[0] ?: "";
    const char *colon = strrchr(hostport, ':');
    const char *v;
    unsigned int to;

    if (!colon || !colon[1]) {
        error_setg(errp, "error parsing address '%s'", str);
        return NULL;
    }
    if (hostport[0] == '[' && colon[-1] == ']') {
        addr->host = g_strndup(hostport + 1, colon - hostport - 2);
    } else {
        addr->host = g_strndup(hostport, colon - hostport);
    }
    addr->port = g_strdup(colon + 1);
    for (char **p = parts + 1; *parts && *p; p++) {
        if (strstart(*p, "to=", &v)) {
            if (qemu_strtoui(v, NULL, 10, &to) < 0 || to > 65535) {
                error_setg(errp, "error parsing to= argument");
                return NULL;
            }
            addr->has_to = true;
            addr->to = to;
        } else if (!parse_flag(*p, "ipv4", &addr->has_ipv4, &addr->ipv4) &&
                   !parse_flag(*p, "ipv6", &addr->has_ipv6, &addr->ipv6)) {
            error_setg(errp, "error parsing address '%s'", str);
            return NULL;
        }
    }
    return g_steal_pointer(&addr);
}

/* ---- All kinds ---- */

static int (*take_named_fd)(const char *name, Error **errp);

void socket_set_named_fd_hook(int (*take)(const char *name, Error **errp))
{
    take_named_fd = take;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

static int fd_address(String *name, Error **errp)
{
    ERRP_GUARD();
    int fd = take_named_fd ? take_named_fd(name->str, errp) : -1;

    if (fd >= 0 && !is_socket(fd)) {
        error_setg(errp, "File descriptor '%s' is not a socket", name->str);
        close(fd);
        return -1;
    }
    if (fd >= 0 || *errp) {
        return fd;
    }
    if (qemu_strtoi(name->str, NULL, 10, &fd) < 0 || fd < 0) {
        error_setg(errp, "Unable to parse FD number %s", name->str);
        return -1;
    }
    if (fcntl(fd, F_GETFD) < 0) {
        error_setg_errno(errp, errno, "Cannot use file descriptor %d", fd);
        return -1;
    }
    return fd;
}

static int connect_address(SocketAddress *addr, bool wait, Error **errp)
{
    switch (addr->type) {
    case SOCKET_ADDRESS_TYPE_INET:
        return inet_connect_address(&addr->u.inet, errp);
    case SOCKET_ADDRESS_TYPE_UNIX:
        return unix_connect_address(&addr->u.q_unix, wait, errp);
    case SOCKET_ADDRESS_TYPE_FD:
        return fd_address(&addr->u.fd, errp);
    default:
        error_setg(errp, "socket family %s is not supported",
                   SocketAddressType_str(addr->type));
        return -1;
    }
}

int socket_connect(SocketAddress *addr, Error **errp)
{
    return connect_address(addr, true, errp);
}

int socket_connect_nowait(SocketAddress *addr, Error **errp)
{
    return connect_address(addr, false, errp);
}

int socket_listen(SocketAddress *addr, int num, Error **errp)
{
    int fd;

    switch (addr->type) {
    case SOCKET_ADDRESS_TYPE_INET:
        return inet_listen_address(&addr->u.inet, num, errp);
    case SOCKET_ADDRESS_TYPE_UNIX:
        return unix_listen_address(&addr->u.q_unix, num, errp);
    case SOCKET_ADDRESS_TYPE_FD:
        fd = fd_address(&addr->u.fd, errp);
        if (fd >= 0 && listen(fd, num) < 0) {
            error_setg_errno(errp, errno, "Failed to listen on fd socket %d",
                             fd);
            return -1;
        }
        return fd;
    default:
        error_setg(errp, "socket family %s is not supported",
                   SocketAddressType_str(addr->type));
        return -1;
    }
}

void socket_listen_cleanup(SocketAddress *addr)
{
    if (addr->type == SOCKET_ADDRESS_TYPE_UNIX && addr->u.q_unix.path[0] &&
        !(addr->u.q_unix.has_abstract && addr->u.q_unix.abstract)) {
        unlink(addr->u.q_unix.path);
    }
}

static SocketAddress *address_of(struct sockaddr_storage *ss, socklen_t len,
                                 Error **errp)
{
    SocketAddress *addr = g_new0(SocketAddress, 1);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct sockaddr_un *un = (struct sockaddr_un *)ss;
    size_t n;
    int rc;

    if (ss->ss_family == AF_UNIX) {
        addr->type = SOCKET_ADDRESS_TYPE_UNIX;
        n = len > offsetof(struct sockaddr_un, sun_path)
            ? len - offsetof(struct sockaddr_un, sun_path) : 0;
        if (n && !un->sun_path[0]) {
            addr->u.q_unix.has_abstract = addr->u.q_unix.abstract = true;
            addr->u.q_unix.path = g_strndup(un->sun_path + 1, n - 1);
        } else {
            addr->u.q_unix.path = g_strndup(un->sun_path, n);
        }
        return addr;
    }
    rc = getnameinfo((struct sockaddr *)ss, len, host, sizeof(host), port,
                     sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    if (rc) {
        error_setg(errp, "Cannot format numeric socket address: %s",
                   gai_strerror(rc));
        g_free(addr);
        return NULL;
    }
    addr->type = SOCKET_ADDRESS_TYPE_INET;
    addr->u.inet.host = g_strdup(host);
    addr->u.inet.port = g_strdup(port);
    return addr;
}

SocketAddress *socket_local_address(int fd, Error **errp)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof(ss);

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0) {
        error_setg_errno(errp, errno, "Unable to query local socket address");
        return NULL;
    }
    return address_of(&ss, len, errp);
}

SocketAddress *socket_remote_address(int fd, Error **errp)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof(ss);

    if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0) {
        error_setg_errno(errp, errno, "Unable to query remote socket address");
        return NULL;
    }
    return address_of(&ss, len, errp);
}

SocketAddress *socket_address_flatten(SocketAddressLegacy *legacy)
{
    SocketAddress *addr = g_new0(SocketAddress, 1);

    addr->type = legacy->type;
    switch (legacy->type) {
    case SOCKET_ADDRESS_TYPE_INET:
        QAPI_CLONE_MEMBERS(InetSocketAddress, &addr->u.inet,
                           legacy->u.inet.data);
        break;
    case SOCKET_ADDRESS_TYPE_UNIX:
        QAPI_CLONE_MEMBERS(UnixSocketAddress, &addr->u.q_unix,
                           legacy->u.q_unix.data);
        break;
    case SOCKET_ADDRESS_TYPE_VSOCK:
        QAPI_CLONE_MEMBERS(VsockSocketAddress, &addr->u.vsock,
                           legacy->u.vsock.data);
        break;
    case SOCKET_ADDRESS_TYPE_FD:
        QAPI_CLONE_MEMBERS(String, &addr->u.fd, legacy->u.fd.data);
        break;
    default:
        abort();
    }
    return addr;
}
