/*
 * SPDX-License-Identifier: MIT
 *
 * QMP monitors on sockets: negotiation, order, out-of-band execution, events
 * that are limited, peers that do not read or go away.
 */
#include "qemu/osdep.h"
#include "chardev/char.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-events-block-core.h"
#include "qapi/qapi-events-job.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include <sys/socket.h>

/* ---- Commands of this program ---- */

static int slow_started, slow_ended;
static Coroutine *slow_co;
static GString *order;

void qmp_quit(Error **errp)
{
}

/* Returns its argument "n" and notes that it ran. */
static void cmd_echo(QDict *args, QObject **ret, Error **errp)
{
    int64_t n = qdict_get_try_int(args, "n", -1);

    g_assert_true(monitor_cur_is_qmp());
    g_assert_true(qemu_in_main_thread());
    g_string_append_printf(order, "%" PRId64 " ", n);
    *ret = QOBJECT(qnum_from_int(n));
}

static void cmd_fail(QDict *args, QObject **ret, Error **errp)
{
    error_setg(errp, "it failed");
}

static void cmd_big(QDict *args, QObject **ret, Error **errp)
{
    g_autofree char *text = g_strnfill(100000, 'x');

    *ret = QOBJECT(qstring_from_str(text));
}

static void cmd_event(QDict *args, QObject **ret, Error **errp)
{
    qapi_event_send_job_status_change("j", BLOCK_JOB_STATUS_RUNNING,
                                      &error_abort);
    *ret = QOBJECT(qdict_new());
}

static void coroutine_fn cmd_slow(QDict *args, QObject **ret, Error **errp)
{
    Monitor *mon = monitor_cur();

    slow_started++;
    slow_co = qemu_coroutine_self();
    qemu_coroutine_yield();
    g_assert_true(monitor_cur() == mon);
    slow_ended++;
    *ret = QOBJECT(qdict_new());
}

static void cmd_oob(QDict *args, QObject **ret, Error **errp)
{
    g_assert_false(qemu_in_main_thread());
    *ret = QOBJECT(qstring_from_str("at once"));
}

static void register_commands(QmpCommandList *cmds)
{
    qmp_register_command(cmds, "qmp_capabilities",
                         qmp_marshal_qmp_capabilities, 0, 0);
    qmp_register_command(cmds, "echo", cmd_echo, 0, 0);
    qmp_register_command(cmds, "fail", cmd_fail, 0, 0);
    qmp_register_command(cmds, "big", cmd_big, 0, 0);
    qmp_register_command(cmds, "event", cmd_event, 0, 0);
    qmp_register_command(cmds, "slow", cmd_slow, QCO_COROUTINE, 0);
    qmp_register_command(cmds, "oob", cmd_oob, QCO_ALLOW_OOB, 0);
}

/* ---- The other end ---- */

typedef struct Client {
    int fd;
    GString *in;
} Client;

static void client_init(Client *c, const char *label, bool pretty)
{
    g_autofree char *fdname = NULL;
    MonitorOptions opts = {
        .chardev = (char *)label,
        .has_mode = true, .mode = MONITOR_MODE_CONTROL,
        .has_pretty = true, .pretty = pretty,
    };
    String str;
    SocketAddressLegacy addr = {
        .type = SOCKET_ADDRESS_TYPE_FD, .u.fd.data = &str,
    };
    ChardevSocket sock = { .addr = &addr, .has_server = true };
    ChardevBackend backend = {
        .type = CHARDEV_BACKEND_KIND_SOCKET, .u.socket.data = &sock,
    };
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    fdname = g_strdup_printf("%d", fds[0]);
    str.str = fdname;
    qemu_chardev_new(label, &backend, &error_abort);
    monitor_init(&opts, &error_abort);
    c->fd = fds[1];
    c->in = g_string_new(NULL);
}

static void client_free(Client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    g_string_free(c->in, true);
}

static void client_send(Client *c, const char *text)
{
    size_t len = strlen(text);

    g_assert_cmpint(send(c->fd, text, len, 0), ==, len);
}

/* Takes a line if there is a whole one. */
static char *client_take(Client *c)
{
    char *end = strstr(c->in->str, "\r\n");
    char *line;

    if (!end) {
        return NULL;
    }
    line = g_strndup(c->in->str, end - c->in->str);
    g_string_erase(c->in, 0, end - c->in->str + 2);
    return line;
}

/* The next line, running the main loop until it is there. */
static char *client_line(Client *c)
{
    char buf[65536];
    char *line;

    while (!(line = client_take(c))) {
        ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n > 0) {
            g_string_append_len(c->in, buf, n);
        } else {
            main_loop_wait(false);
        }
    }
    return line;
}

/* The same while the main loop stands still. */
static char *client_line_blocking(Client *c)
{
    char buf[65536];
    char *line;

    while (!(line = client_take(c))) {
        ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

        g_assert_cmpint(n, >, 0);
        g_string_append_len(c->in, buf, n);
    }
    return line;
}

static void client_expect(Client *c, const char *text)
{
    g_autofree char *line = client_line(c);

    g_assert_cmpstr(line, ==, text);
}

static void client_negotiate(Client *c, const char *arguments)
{
    g_autofree char *greeting = client_line(c);
    g_autofree char *request = g_strdup_printf(
        "{\"execute\": \"qmp_capabilities\"%s}", arguments);

    g_assert_true(g_str_has_prefix(greeting, "{\"QMP\": {\"version\": "));
    client_send(c, request);
    client_expect(c, "{\"return\": {}}");
}

static void setup(Client *c, const char *arguments)
{
    order = g_string_new(NULL);
    client_init(c, "a", false);
    client_negotiate(c, arguments);
}

static void teardown(Client *c)
{
    client_free(c);
    monitor_cleanup();
    qemu_chr_cleanup();
    g_string_free(order, true);
    order = NULL;
}

static const MonitorProgram program = {
    .register_commands = register_commands,
    .schema_json = "[\"x\", ]",
};

/* ---- Tests ---- */

static void test_negotiation(void)
{
    Client c;
    g_autofree char *greeting = NULL;

    order = g_string_new(NULL);
    client_init(&c, "a", false);
    greeting = client_line(&c);
    g_assert_nonnull(strstr(greeting, "\"capabilities\": [\"oob\"]"));
    client_send(&c, "{'execute': 'echo'}");
    client_expect(&c, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                  "\"Expecting capabilities negotiation with "
                  "'qmp_capabilities'\"}}");
    client_send(&c, "{'execute': 'qmp_capabilities', 'id': 7}");
    client_expect(&c, "{\"return\": {}, \"id\": 7}");
    client_send(&c, "{'execute': 'qmp_capabilities'}");
    client_expect(&c, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                  "\"Capabilities negotiation is already complete, command "
                  "ignored\"}}");
    teardown(&c);
}

static void test_errors(void)
{
    Client c;

    setup(&c, "");
    client_send(&c, "{'execute': 'fail', 'id': [1]}");
    client_expect(&c, "{\"id\": [1], \"error\": {\"class\": \"GenericError\", "
                  "\"desc\": \"it failed\"}}");
    client_send(&c, "{'execute': 'nope'}");
    client_expect(&c, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                  "\"The command nope has not been found\"}}");
    client_send(&c, "[]");
    client_expect(&c, "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                  "\"QMP input must be a JSON object\"}}");
    /* After nonsense the next message is understood. */
    client_send(&c, "{]{'execute': 'echo', 'arguments': {'n': 1}}");
    g_free(client_line(&c));
    client_expect(&c, "{\"return\": 1}");
    teardown(&c);
}

/* Commands may come in pieces, several at once, without ends of lines. */
static void test_pieces(void)
{
    static const char text[] =
        "{'execute': 'echo', 'arguments': {'n': 1}}"
        "{'execute': 'echo', 'arguments': {'n': 2}}\n";
    Client c;

    setup(&c, "");
    for (const char *p = text; *p; p++) {
        g_assert_cmpint(send(c.fd, p, 1, 0), ==, 1);
        main_loop_wait(true);
    }
    client_expect(&c, "{\"return\": 1}");
    client_expect(&c, "{\"return\": 2}");
    g_assert_cmpstr(order->str, ==, "1 2 ");
    teardown(&c);
}

static void test_event_order(void)
{
    Client c, early;
    g_autofree char *event = NULL;
    char dummy;

    setup(&c, "");
    client_init(&early, "b", false);
    g_free(client_line(&early));
    client_send(&c, "{'execute': 'event'}");
    event = client_line(&c);
    g_assert_true(g_str_has_prefix(event, "{\"timestamp\": {\"seconds\": "));
    g_assert_true(g_str_has_suffix(event, "\"event\": \"JOB_STATUS_CHANGE\", "
                                   "\"data\": {\"status\": \"running\", "
                                   "\"id\": \"j\"}}"));
    client_expect(&c, "{\"return\": {}}");
    /* Who has not negotiated does not see it. */
    g_assert_cmpint(recv(early.fd, &dummy, 1, MSG_DONTWAIT), ==, -1);
    client_free(&early);
    teardown(&c);
}

/* ---- Limited events ---- */

static void send_bad(QuorumOpType type, const char *node, int sector)
{
    qapi_event_send_quorum_report_bad(type, false, NULL, node, sector, 1,
                                      &error_abort);
}

/* Lets @ns of virtual time pass. */
static void pass_time(int64_t ns)
{
    qemu_clock_virtual_step(ns);
    qemu_clock_run_timers(QEMU_CLOCK_VIRTUAL);
}

/* What has come are events with these data, and nothing else. */
static void expect_events(Client *c, const char *first, ...)
{
    va_list ap;
    const char *data;

    va_start(ap, first);
    for (data = first; data; data = va_arg(ap, const char *)) {
        g_autofree char *line = client_line(c);
        g_autofree char *end = g_strdup_printf("\"data\": {%s}}", data);

        g_assert_true(g_str_has_suffix(line, end));
    }
    va_end(ap);
    client_send(c, "{'execute': 'fail'}");
    client_expect(c, "{\"error\": {\"class\": \"GenericError\", "
                  "\"desc\": \"it failed\"}}");
}

#define BAD(node, sector, type) \
    "\"node-name\": \"" node "\", \"sectors-count\": 1, " \
    "\"sector-num\": " #sector ", \"type\": \"" type "\""
#define FAILURE(reference) \
    "\"reference\": \"" reference "\", \"sectors-count\": 1, " \
    "\"sector-num\": 0"

/* The first one at once, the last one a second later, for each node. */
static void test_limited(void)
{
    Client c;

    setup(&c, "");
    send_bad(QUORUM_OP_TYPE_READ, "n", 0);
    send_bad(QUORUM_OP_TYPE_READ, "n", 1);
    send_bad(QUORUM_OP_TYPE_READ, "m", 2);
    send_bad(QUORUM_OP_TYPE_WRITE, "n", 3);
    expect_events(&c, BAD("n", 0, "read"), BAD("m", 2, "read"), NULL);
    pass_time(NANOSECONDS_PER_SECOND - 1);
    expect_events(&c, NULL);
    pass_time(1);
    expect_events(&c, BAD("n", 3, "write"), NULL);
    /* That was the beginning of another second for "n". */
    send_bad(QUORUM_OP_TYPE_READ, "m", 4);
    send_bad(QUORUM_OP_TYPE_READ, "n", 5);
    expect_events(&c, BAD("m", 4, "read"), NULL);
    pass_time(NANOSECONDS_PER_SECOND);
    expect_events(&c, BAD("n", 5, "read"), NULL);
    /* One without any. */
    pass_time(NANOSECONDS_PER_SECOND);
    expect_events(&c, NULL);
    send_bad(QUORUM_OP_TYPE_READ, "n", 6);
    expect_events(&c, BAD("n", 6, "read"), NULL);
    teardown(&c);
}

/* All of a kind that is not about something particular. */
static void test_limited_kind(void)
{
    Client c;

    setup(&c, "");
    qapi_event_send_quorum_failure("q", 0, 1, &error_abort);
    qapi_event_send_quorum_failure("r", 0, 1, &error_abort);
    send_bad(QUORUM_OP_TYPE_READ, "n", 0);
    expect_events(&c, FAILURE("q"), BAD("n", 0, "read"), NULL);
    pass_time(NANOSECONDS_PER_SECOND);
    expect_events(&c, FAILURE("r"), NULL);
    teardown(&c);
}

/* Of monitors that are gone, nothing is left. */
static void test_limited_at_end(void)
{
    Client c;

    setup(&c, "");
    send_bad(QUORUM_OP_TYPE_READ, "n", 0);
    send_bad(QUORUM_OP_TYPE_READ, "n", 1);
    teardown(&c);
    setup(&c, "");
    pass_time(NANOSECONDS_PER_SECOND);
    expect_events(&c, NULL);
    send_bad(QUORUM_OP_TYPE_READ, "n", 2);
    expect_events(&c, BAD("n", 2, "read"), NULL);
    teardown(&c);
}

static void test_pretty(void)
{
    Client c;
    g_autofree char *text = NULL;

    order = g_string_new(NULL);
    client_init(&c, "a", true);
    client_expect(&c, "{");
    client_expect(&c, "    \"QMP\": {");
    do {
        g_free(text);
        text = client_line(&c);
    } while (strcmp(text, "}"));
    client_send(&c, "{'execute': 'qmp_capabilities'}");
    client_expect(&c, "{");
    client_expect(&c, "    \"return\": {");
    client_expect(&c, "    }");
    client_expect(&c, "}");
    teardown(&c);
}

/* While a coroutine command waits, nobody else's command runs. */
static void test_coroutine_command(void)
{
    Client a, b;

    setup(&a, "");
    client_init(&b, "b", false);
    client_negotiate(&b, "");
    slow_started = slow_ended = 0;
    client_send(&a, "{'execute': 'slow'}");
    while (!slow_started) {
        main_loop_wait(false);
    }
    client_send(&b, "{'execute': 'echo', 'arguments': {'n': 3}}");
    for (int i = 0; i < 20; i++) {
        main_loop_wait(true);
    }
    g_assert_cmpstr(order->str, ==, "");
    aio_co_wake(slow_co);
    client_expect(&a, "{\"return\": {}}");
    client_expect(&b, "{\"return\": 3}");
    g_assert_cmpint(slow_ended, ==, 1);
    client_free(&b);
    teardown(&a);
}

static void test_oob(void)
{
    Client c;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    setup(&c, ", \"arguments\": {\"enable\": [\"oob\"]}");
    /* The main loop does not run, and yet there is an answer. */
    client_send(&c, "{'execute': 'echo', 'arguments': {'n': 1}}"
                "{'exec-oob': 'oob', 'id': 2}");
    first = client_line_blocking(&c);
    g_assert_cmpstr(first, ==, "{\"return\": \"at once\", \"id\": 2}");
    client_expect(&c, "{\"return\": 1}");
    client_send(&c, "{'exec-oob': 'echo', 'id': 3}");
    second = client_line_blocking(&c);
    g_assert_cmpstr(second, ==, "{\"id\": 3, \"error\": {\"class\": "
                    "\"GenericError\", \"desc\": \"The command echo does not "
                    "support OOB\"}}");
    teardown(&c);
}

/* More requests than the queue holds: all are answered, in order. */
static void test_oob_queue(void)
{
    enum { N = 100 };
    GString *expected = g_string_new(NULL);
    Client c;

    setup(&c, ", \"arguments\": {\"enable\": [\"oob\"]}");
    for (int i = 0; i < N; i++) {
        g_autofree char *request = g_strdup_printf(
            "{'execute': 'echo', 'arguments': {'n': %d}}", i);

        client_send(&c, request);
        g_string_append_printf(expected, "%d ", i);
    }
    for (int i = 0; i < N; i++) {
        g_autofree char *reply = g_strdup_printf("{\"return\": %d}", i);

        client_expect(&c, reply);
    }
    g_assert_cmpstr(order->str, ==, expected->str);
    g_string_free(expected, true);
    teardown(&c);
}

/*
 * A client that does not read holds up nobody, and gets everything when it
 * does at last.
 */
static void test_slow_peer(void)
{
    enum { N = 40 };
    Client slow, other;

    setup(&slow, "");
    client_init(&other, "b", false);
    client_negotiate(&other, "");
    for (int i = 0; i < N; i++) {
        client_send(&slow, "{'execute': 'big'}");
    }
    client_send(&slow, "{'execute': 'echo', 'arguments': {'n': 5}}");
    for (int i = 0; i < 100; i++) {
        main_loop_wait(true);
    }
    client_send(&other, "{'execute': 'echo', 'arguments': {'n': 6}}");
    client_expect(&other, "{\"return\": 6}");
    /* Its own last command has not had its turn. */
    g_assert_cmpstr(order->str, ==, "6 ");
    for (int i = 0; i < N; i++) {
        g_autofree char *line = client_line(&slow);

        g_assert_cmpint(strlen(line), ==, 100000 + strlen("{\"return\": "
                                                          "\"\"}"));
    }
    client_expect(&slow, "{\"return\": 5}");
    client_free(&other);
    teardown(&slow);
}

/* What was asked before the end of input is done and answered. */
static void test_end_of_input(void)
{
    Client c;

    setup(&c, "");
    client_send(&c, "{'execute': 'echo', 'arguments': {'n': 1}}"
                "{'execute': 'echo', 'arguments': {'n': 2}}"
                "{'execute': 'echo', 'arguments': {'n': 3}}");
    close(c.fd);
    c.fd = -1;
    while (strcmp(order->str, "1 2 3 ")) {
        main_loop_wait(false);
    }
    teardown(&c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    monitor_init_globals(&program);
    qemu_clock_virtual_freeze();
    monitor_set_event_clock(QEMU_CLOCK_VIRTUAL);
    g_test_add_func("/monitor-qmp/negotiation", test_negotiation);
    g_test_add_func("/monitor-qmp/errors", test_errors);
    g_test_add_func("/monitor-qmp/pieces", test_pieces);
    g_test_add_func("/monitor-qmp/event-order", test_event_order);
    g_test_add_func("/monitor-qmp/limited-events", test_limited);
    g_test_add_func("/monitor-qmp/limited-kind", test_limited_kind);
    g_test_add_func("/monitor-qmp/limited-at-end", test_limited_at_end);
    g_test_add_func("/monitor-qmp/pretty", test_pretty);
    g_test_add_func("/monitor-qmp/coroutine-command", test_coroutine_command);
    g_test_add_func("/monitor-qmp/oob", test_oob);
    g_test_add_func("/monitor-qmp/oob-queue", test_oob_queue);
    g_test_add_func("/monitor-qmp/slow-peer", test_slow_peer);
    g_test_add_func("/monitor-qmp/end-of-input", test_end_of_input);
    return g_test_run();
}
