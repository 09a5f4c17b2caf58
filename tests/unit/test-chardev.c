/*
 * SPDX-License-Identifier: MIT
 *
 * Character devices: kinds, options, connections, input that waits.
 */
#include "qemu/osdep.h"
#include "chardev/char-fe.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-char.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"
#include "qemu/sockets.h"
#include <glib/gstdio.h>

static char *tmpdir;

/* What a user of a device saw. */
typedef struct User {
    CharBackend be;
    GString *input;
    int opened, closed;
    int may_read;
} User;

static int can_read(void *opaque)
{
    return ((User *)opaque)->may_read;
}

static void do_read(void *opaque, const uint8_t *buf, int size)
{
    User *u = opaque;

    g_assert_cmpint(size, <=, u->may_read);
    g_string_append_len(u->input, (const char *)buf, size);
}

static void do_event(void *opaque, QEMUChrEvent event)
{
    User *u = opaque;

    u->opened += event == CHR_EVENT_OPENED;
    u->closed += event == CHR_EVENT_CLOSED;
}

static User *user_new(Chardev *chr)
{
    User *u = g_new0(User, 1);

    u->input = g_string_new(NULL);
    u->may_read = 4096;
    g_assert_true(qemu_chr_fe_init(&u->be, chr, &error_abort));
    qemu_chr_fe_set_handlers(&u->be, can_read, do_read, do_event, u, NULL);
    return u;
}

static void user_free(User *u, bool del)
{
    qemu_chr_fe_deinit(&u->be, del);
    g_string_free(u->input, true);
    g_free(u);
}

static Chardev *chr_new(const char *options, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&qemu_chardev_opts, options, true, errp);
    Chardev *chr;

    if (!opts) {
        return NULL;
    }
    chr = qemu_chr_new_from_opts(opts, errp);
    qemu_opts_del(opts);
    return chr;
}

static void expect_error(const char *options, const char *text)
{
    Error *err = NULL;

    g_assert_null(chr_new(options, &err));
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

#define run_until(cond)                 \
    do {                                \
        while (!(cond)) {               \
            main_loop_wait(false);      \
        }                               \
    } while (0)

/* ---- Options ---- */

static void test_options(void)
{
    expect_error("null", "chardev: no id specified");
    expect_error("nonsense,id=x", "'nonsense' is not a valid char driver name");
    expect_error("null,id=x,nope=1", "Invalid parameter 'nope'");
    expect_error("file,id=x", "chardev: file: no filename given");
    expect_error("file,id=x,path=/nonexistent/a",
                 "Could not open '/nonexistent/a': No such file or directory");
    expect_error("ringbuf,id=x,size=5",
                 "size of ringbuf chardev must be power of two");
    expect_error("socket,id=x", "Unable to parse FD number ");
    expect_error("socket,id=x,host=localhost",
                 "chardev: socket: no port given");
    expect_error("socket,id=x,path=/a,server=on,reconnect=1",
                 "'reconnect' option is incompatible with socket in server "
                 "listen mode");
    expect_error("socket,id=x,path=/a,wait=on",
                 "'wait' option is incompatible with socket in client "
                 "connect mode");
    expect_error("socket,id=x,path=/nonexistent/a",
                 "Failed to connect to '/nonexistent/a': No such file or "
                 "directory");
    g_assert_null(qemu_chr_find("x"));
}

static void test_labels(void)
{
    Chardev *chr = chr_new("null,id=one", &error_abort);
    CharBackend a = { 0 }, b = { 0 };
    Error *err = NULL;

    g_assert_true(qemu_chr_find("one") == chr);
    expect_error("null,id=one", "Chardev with id 'one' already exists");
    g_assert_true(qemu_chr_fe_init(&a, chr, &error_abort));
    g_assert_false(qemu_chr_fe_init(&b, chr, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "Device 'one' is in use");
    error_free(err);
    err = NULL;
    qmp_chardev_remove("one", &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "Chardev 'one' is busy");
    error_free(err);
    qemu_chr_fe_deinit(&a, false);
    qmp_chardev_remove("one", &error_abort);
    g_assert_null(qemu_chr_find("one"));
}

/* ---- Kinds ---- */

static void test_ringbuf(void)
{
    g_autofree char *text = NULL, *text2 = NULL, *base64 = NULL;
    Chardev *chr = chr_new("ringbuf,id=r,size=8", &error_abort);

    qmp_ringbuf_write("r", "hello", false, 0, &error_abort);
    qmp_ringbuf_write("r", "d29ybGQ=", true, DATA_FORMAT_BASE64,
                      &error_abort);
    /* The two oldest of "helloworld" gave way. */
    text = qmp_ringbuf_read("r", 4, false, 0, &error_abort);
    g_assert_cmpstr(text, ==, "llow");
    base64 = qmp_ringbuf_read("r", 2, true, DATA_FORMAT_BASE64, &error_abort);
    g_assert_cmpstr(base64, ==, "b3I=");
    text2 = qmp_ringbuf_read("r", 100, false, 0, &error_abort);
    g_assert_cmpstr(text2, ==, "ld");
    qemu_chr_delete(chr);
}

static void test_file(void)
{
    g_autofree char *path = g_strdup_printf("%s/out", tmpdir);
    g_autofree char *log = g_strdup_printf("%s/log", tmpdir);
    g_autofree char *options = g_strdup_printf(
        "file,id=f,path=%s,logfile=%s", path, log);
    g_autofree char *got = NULL, *logged = NULL;
    User *u = user_new(chr_new(options, &error_abort));

    g_assert_cmpint(u->opened, ==, 1);
    g_assert_cmpint(qemu_chr_fe_write_all(&u->be, (uint8_t *)"text", 4), ==,
                    4);
    user_free(u, true);
    g_assert_true(g_file_get_contents(path, &got, NULL, NULL));
    g_assert_true(g_file_get_contents(log, &logged, NULL, NULL));
    g_assert_cmpstr(got, ==, "text");
    g_assert_cmpstr(logged, ==, "text");
    g_unlink(path);
    g_unlink(log);
}

/* ---- Sockets ---- */

static int connect_to(const char *path)
{
    SocketAddress addr = {
        .type = SOCKET_ADDRESS_TYPE_UNIX,
        .u.q_unix.path = (char *)path,
    };

    return socket_connect(&addr, &error_abort);
}

static void test_server(void)
{
    g_autofree char *path = g_strdup_printf("%s/sock", tmpdir);
    g_autofree char *options = g_strdup_printf(
        "socket,id=s,path=%s,server=on,wait=off", path);
    g_autofree char *name = g_strdup_printf("unix:%s,server=on", path);
    Chardev *chr = chr_new(options, &error_abort);
    User *u = user_new(chr);
    char buf[8] = "";

    g_assert_cmpint(u->opened, ==, 0);
    for (int i = 1; i <= 3; i++) {
        int fd = connect_to(path);

        run_until(u->opened == i);
        g_assert_cmpstr(chr->filename, ==, name);
        g_assert_cmpint(send(fd, "ab", 2, 0), ==, 2);
        run_until(u->input->len == 2);
        g_assert_cmpstr(u->input->str, ==, "ab");
        g_string_truncate(u->input, 0);
        qemu_chr_fe_write_all(&u->be, (uint8_t *)"cd", 2);
        g_assert_cmpint(recv(fd, buf, sizeof(buf), 0), ==, 2);
        g_assert_cmpmem(buf, 2, "cd", 2);
        close(fd);
        run_until(u->closed == i);
        g_assert_true(g_str_has_prefix(chr->filename, "disconnected:"));
        /* Without a peer everything is taken. */
        g_assert_cmpint(qemu_chr_fe_write(&u->be, (uint8_t *)"x", 1), ==, 1);
    }
    user_free(u, true);
    g_assert_cmpint(access(path, F_OK), ==, -1);
}

static void test_disconnect(void)
{
    g_autofree char *path = g_strdup_printf("%s/sock", tmpdir);
    g_autofree char *options = g_strdup_printf(
        "socket,id=s,path=%s,server=on,wait=off", path);
    User *u = user_new(chr_new(options, &error_abort));
    int fd = connect_to(path);
    char c;

    run_until(u->opened == 1);
    qemu_chr_fe_disconnect(&u->be);
    run_until(u->closed == 1);
    g_assert_cmpint(recv(fd, &c, 1, 0), ==, 0);
    close(fd);
    user_free(u, true);
}

static void test_reconnect(void)
{
    g_autofree char *path = g_strdup_printf("%s/late", tmpdir);
    g_autofree char *options = g_strdup_printf(
        "socket,id=s,path=%s,reconnect=1", path);
    SocketAddress addr = {
        .type = SOCKET_ADDRESS_TYPE_UNIX, .u.q_unix.path = path,
    };
    int listener = socket_listen(&addr, 1, &error_abort);
    User *u = user_new(chr_new(options, &error_abort));
    int fd;

    run_until(u->opened == 1);
    fd = qemu_accept(listener, NULL, NULL);
    close(fd);
    run_until(u->closed == 1);
    run_until(u->opened == 2);
    user_free(u, true);
    close(listener);
    socket_listen_cleanup(&addr);
}

static void test_tcp(void)
{
    Chardev *chr = chr_new("socket,id=t,host=127.0.0.1,port=0,server=on,"
                           "wait=off,ipv4=on", &error_abort);
    User *u = user_new(chr);
    const char *address = chr->filename + strlen("disconnected:tcp:");
    g_autofree char *hostport = g_strndup(address, strcspn(address, ","));
    SocketAddress addr = { .type = SOCKET_ADDRESS_TYPE_INET };
    InetSocketAddress *inet = inet_parse(hostport, &error_abort);
    int fd;

    addr.u.inet = *inet;
    fd = socket_connect(&addr, &error_abort);
    run_until(u->opened == 1);
    g_assert_nonnull(strstr(chr->filename, " <-> 127.0.0.1:"));
    close(fd);
    run_until(u->closed == 1);
    qapi_free_InetSocketAddress(inet);
    user_free(u, true);
}

static Chardev *chr_on_socketpair(int *peer)
{
    g_autofree char *options = NULL;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    *peer = fds[1];
    options = g_strdup_printf("socket,id=p,fd=%d", fds[0]);
    return chr_new(options, &error_abort);
}

/* Input stays with the device as long as the user does not take it. */
static void test_suspended_input(void)
{
    int peer;
    User *u = user_new(chr_on_socketpair(&peer));

    u->may_read = 0;
    g_assert_cmpint(send(peer, "abcdef", 6, 0), ==, 6);
    for (int i = 0; i < 10; i++) {
        main_loop_wait(true);
    }
    g_assert_cmpint(u->input->len, ==, 0);
    u->may_read = 2;
    qemu_chr_fe_accept_input(&u->be);
    run_until(u->input->len == 6);
    g_assert_cmpstr(u->input->str, ==, "abcdef");
    close(peer);
    run_until(u->closed);
    user_free(u, true);
}

static gboolean set_flag(void *do_not_use, GIOCondition cond, void *data)
{
    *(bool *)data = true;
    return G_SOURCE_REMOVE;
}

/* A peer that does not read never blocks the writer. */
static void test_slow_peer(void)
{
    enum { CHUNK = 65536 };
    g_autofree uint8_t *buf = g_malloc0(CHUNK);
    bool writable = false;
    size_t sent = 0, received = 0;
    int peer, n;
    User *u = user_new(chr_on_socketpair(&peer));

    while ((n = qemu_chr_fe_write(&u->be, buf, CHUNK)) > 0) {
        sent += n;
    }
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_cmpuint(qemu_chr_fe_add_watch(&u->be, G_IO_OUT, set_flag,
                                           &writable), !=, 0);
    while (received < sent) {
        n = recv(peer, buf, CHUNK, 0);
        g_assert_cmpint(n, >, 0);
        received += n;
    }
    run_until(writable);
    g_assert_cmpint(qemu_chr_fe_write(&u->be, buf, 1), ==, 1);
    close(peer);
    user_free(u, true);
}

static void test_pty(void)
{
    g_autoptr(ChardevReturn) ret = NULL;
    ChardevCommon common = { 0 };
    ChardevBackend backend = {
        .type = CHARDEV_BACKEND_KIND_PTY, .u.pty.data = &common,
    };
    User *u;
    int fd;

    ret = qmp_chardev_add("y", &backend, &error_abort);
    g_assert_true(ret->has_pty);
    u = user_new(qemu_chr_find("y"));
    fd = open(ret->pty, O_RDWR | O_NOCTTY);
    g_assert_cmpint(fd, >=, 0);
    run_until(u->opened == 1);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    run_until(u->input->len == 1);
    close(fd);
    run_until(u->closed == 1);
    user_free(u, true);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    tmpdir = g_dir_make_tmp("test-chardev-XXXXXX", NULL);
    g_test_add_func("/chardev/options", test_options);
    g_test_add_func("/chardev/labels", test_labels);
    g_test_add_func("/chardev/ringbuf", test_ringbuf);
    g_test_add_func("/chardev/file", test_file);
    g_test_add_func("/chardev/socket/server", test_server);
    g_test_add_func("/chardev/socket/disconnect", test_disconnect);
    g_test_add_func("/chardev/socket/reconnect", test_reconnect);
    g_test_add_func("/chardev/socket/tcp", test_tcp);
    g_test_add_func("/chardev/suspended-input", test_suspended_input);
    g_test_add_func("/chardev/slow-peer", test_slow_peer);
    g_test_add_func("/chardev/pty", test_pty);
    ret = g_test_run();
    g_rmdir(tmpdir);
    g_free(tmpdir);
    return ret;
}
