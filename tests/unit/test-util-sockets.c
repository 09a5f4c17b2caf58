/*
 * SPDX-License-Identifier: MIT
 *
 * Addresses of sockets; listening and connecting, by each kind of them.
 */
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qapi/error.h"
#include "qapi/qapi-visit-sockets.h"
#include "qemu/sockets.h"

/* ---- Addresses ---- */

static InetSocketAddress *parse(const char *text)
{
    return inet_parse(text, &error_abort);
}

static void test_parse(void)
{
    g_autoptr(InetSocketAddress) a = parse("host:80");
    g_autoptr(InetSocketAddress) b = parse("[::1]:x,to=99,ipv6=on,ipv4=off");
    g_autoptr(InetSocketAddress) c = parse(":0,ipv4");

    g_assert_cmpstr(a->host, ==, "host");
    g_assert_cmpstr(a->port, ==, "80");
    g_assert_false(a->has_to || a->has_ipv4 || a->has_ipv6);
    g_assert_cmpstr(b->host, ==, "::1");
    g_assert_cmpstr(b->port, ==, "x");
    g_assert_true(b->has_to && b->has_ipv4 && b->has_ipv6);
    g_assert_cmpuint(b->to, ==, 99);
    g_assert_true(b->ipv6 && !b->ipv4);
    g_assert_cmpstr(c->host, ==, "");
    g_assert_true(c->ipv4 && !c->has_ipv6);
}

static void test_parse_errors(void)
{
    static const char *const bad[] = { "", "host", "host:", "h:1,what",
                                       "h:1,ipv4=maybe", "h:1,to=x",
                                       "h:1,to=65536" };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        Error *err = NULL;

        g_assert_null(inet_parse(bad[i], &err));
        g_assert_true(g_str_has_prefix(error_get_pretty(err),
                                       "error parsing "));
        error_free(err);
    }
}

static void test_flatten(void)
{
    InetSocketAddress inet = { .host = (char *)"h", .port = (char *)"1" };
    InetSocketAddressWrapper wrapper = { &inet };
    SocketAddressLegacy old = { .type = SOCKET_ADDRESS_TYPE_INET };
    g_autoptr(SocketAddress) flat = NULL;

    old.u.inet = wrapper;
    flat = socket_address_flatten(&old);
    g_assert_cmpint(flat->type, ==, SOCKET_ADDRESS_TYPE_INET);
    g_assert_cmpstr(flat->u.inet.host, ==, "h");
    g_assert_cmpstr(flat->u.inet.port, ==, "1");
}

/* ---- Connections ---- */

/* @client and what @server accepts are two ends of one connection. */
static void assert_connected(int server, int client)
{
    int accepted = qemu_accept(server, NULL, NULL);
    char c = 0;

    g_assert_cmpint(accepted, >=, 0);
    g_assert_cmpint(fcntl(accepted, F_GETFD) & FD_CLOEXEC, !=, 0);
    g_assert_cmpint(fcntl(client, F_GETFD) & FD_CLOEXEC, !=, 0);
    g_assert_cmpint(write(client, "x", 1), ==, 1);
    g_assert_cmpint(read(accepted, &c, 1), ==, 1);
    g_assert_cmpint(c, ==, 'x');
    close(accepted);
}

static void connect_and_close(int server, SocketAddress *addr)
{
    int client = socket_connect(addr, &error_abort);

    assert_connected(server, client);
    close(client);
}

static SocketAddress *unix_address(const char *path)
{
    SocketAddress *addr = g_new0(SocketAddress, 1);

    addr->type = SOCKET_ADDRESS_TYPE_UNIX;
    addr->u.q_unix.path = g_strdup(path);
    return addr;
}

static void assert_connect_fails(SocketAddress *addr, const char *text)
{
    Error *err = NULL;

    g_assert_cmpint(socket_connect(addr, &err), ==, -1);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_unix(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-sockets-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "s", NULL);
    g_autofree char *none = g_strdup_printf("Failed to connect to '%s': "
                                            "No such file or directory", path);
    g_autoptr(SocketAddress) addr = unix_address(path);
    g_autoptr(SocketAddress) local = NULL;
    int server;

    assert_connect_fails(addr, none);
    server = socket_listen(addr, 1, &error_abort);
    connect_and_close(server, addr);
    local = socket_local_address(server, &error_abort);
    g_assert_cmpint(local->type, ==, SOCKET_ADDRESS_TYPE_UNIX);
    g_assert_cmpstr(local->u.q_unix.path, ==, path);
    close(server);
    /* A file that nobody listens on any more is in nobody's way. */
    server = socket_listen(addr, 1, &error_abort);
    connect_and_close(server, addr);
    close(server);
    socket_listen_cleanup(addr);
    assert_connect_fails(addr, none);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void test_long_path(void)
{
    g_autofree char *path = g_strdup_printf("/%0200d", 0);
    g_autofree char *text = g_strdup_printf("UNIX socket path '%s' is too "
                                            "long", path);
    g_autoptr(SocketAddress) addr = unix_address(path);
    Error *err = NULL;

    assert_connect_fails(addr, text);
    g_assert_cmpint(socket_listen(addr, 1, &err), ==, -1);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

/* No file: the name goes with the socket. */
static void test_abstract(void)
{
    g_autofree char *name = g_strdup_printf("test-util-sockets-%d",
                                            (int)getpid());
    g_autoptr(SocketAddress) addr = unix_address(name);
    int server;

    addr->u.q_unix.has_abstract = addr->u.q_unix.abstract = true;
    server = socket_listen(addr, 1, &error_abort);
    g_assert_false(g_file_test(name, G_FILE_TEST_EXISTS));
    connect_and_close(server, addr);
    close(server);
}

static void test_inet(void)
{
    g_autoptr(SocketAddress) addr = g_new0(SocketAddress, 1);
    g_autoptr(SocketAddress) local = NULL, remote = NULL;
    int server, client;

    addr->type = SOCKET_ADDRESS_TYPE_INET;
    addr->u.inet.host = g_strdup("127.0.0.1");
    addr->u.inet.port = g_strdup("0");
    server = socket_listen(addr, 1, &error_abort);
    local = socket_local_address(server, &error_abort);
    g_assert_cmpstr(local->u.inet.host, ==, "127.0.0.1");
    g_assert_cmpstr(local->u.inet.port, !=, "0");
    client = socket_connect(local, &error_abort);
    remote = socket_remote_address(client, &error_abort);
    g_assert_cmpstr(remote->u.inet.port, ==, local->u.inet.port);
    g_assert_cmpint(socket_set_nodelay(client), ==, 0);
    assert_connected(server, client);
    close(client);
    close(server);
}

static void test_inet_range(void)
{
    g_autoptr(SocketAddress) addr = g_new0(SocketAddress, 1);
    g_autoptr(SocketAddress) first = NULL, second = NULL;
    Error *err = NULL;
    int a, b;

    addr->type = SOCKET_ADDRESS_TYPE_INET;
    addr->u.inet.host = g_strdup("127.0.0.1");
    addr->u.inet.port = g_strdup("0");
    a = socket_listen(addr, 1, &error_abort);
    first = socket_local_address(a, &error_abort);
    g_assert_cmpint(socket_listen(first, 1, &err), ==, -1);
    error_free_or_abort(&err);
    first->u.inet.has_to = true;
    first->u.inet.to = 65535;
    b = socket_listen(first, 1, &error_abort);
    second = socket_local_address(b, &error_abort);
    g_assert_cmpint(atoi(second->u.inet.port), >, atoi(first->u.inet.port));
    close(a);
    close(b);
}

static void test_inet_errors(void)
{
    g_autoptr(SocketAddress) addr = g_new0(SocketAddress, 1);

    addr->type = SOCKET_ADDRESS_TYPE_INET;
    addr->u.inet.host = g_strdup("127.0.0.1");
    addr->u.inet.port = g_strdup("1");
    addr->u.inet.has_ipv4 = addr->u.inet.has_ipv6 = true;
    assert_connect_fails(addr, "Cannot disable IPv4 and IPv6 at same time");
}

/* A descriptor by its number. */
static void test_fd(void)
{
    g_autoptr(SocketAddress) addr = g_new0(SocketAddress, 1);
    int pair[2];
    Error *err = NULL;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    addr->type = SOCKET_ADDRESS_TYPE_FD;
    addr->u.fd.str = g_strdup_printf("%d", pair[0]);
    g_assert_cmpint(socket_connect(addr, &error_abort), ==, pair[0]);
    close(pair[0]);
    g_assert_cmpint(socket_connect(addr, &err), ==, -1);
    error_free_or_abort(&err);
    g_free(addr->u.fd.str);
    addr->u.fd.str = g_strdup("x1");
    g_assert_cmpint(socket_connect(addr, &err), ==, -1);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Unable to parse FD number x1");
    error_free(err);
    close(pair[1]);
}

static void test_blocking(void)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    qemu_socket_set_nonblock(pair[0]);
    g_assert_cmpint(fcntl(pair[0], F_GETFL) & O_NONBLOCK, !=, 0);
    qemu_socket_set_block(pair[0]);
    g_assert_cmpint(fcntl(pair[0], F_GETFL) & O_NONBLOCK, ==, 0);
    close(pair[0]);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sockets/parse", test_parse);
    g_test_add_func("/sockets/parse-errors", test_parse_errors);
    g_test_add_func("/sockets/flatten", test_flatten);
    g_test_add_func("/sockets/unix", test_unix);
    g_test_add_func("/sockets/long-path", test_long_path);
    g_test_add_func("/sockets/abstract", test_abstract);
    g_test_add_func("/sockets/inet", test_inet);
    g_test_add_func("/sockets/inet-range", test_inet_range);
    g_test_add_func("/sockets/inet-errors", test_inet_errors);
    g_test_add_func("/sockets/fd", test_fd);
    g_test_add_func("/sockets/blocking", test_blocking);
    return g_test_run();
}
