/*
 * SPDX-License-Identifier: MIT
 *
 * Command lines of the monitor for people: arguments, messages, editing.
 */
#include "qemu/osdep.h"
#include "monitor/hmp.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qmp/qjson.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "../../monitor/readline.h"

void qmp_quit(Error **errp)
{
}

/* Prints its arguments as JSON. */
static void show(Monitor *mon, const QDict *qdict)
{
    GString *json = qobject_to_json(QOBJECT(qdict));

    g_assert_true(monitor_cur() == mon);
    monitor_printf(mon, "%s\n", json->str);
    g_string_free(json, true);
}

static void complain(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    g_assert_false(hmp_handle_error(mon, NULL));
    error_setg(&err, "no such thing");
    g_assert_true(hmp_handle_error(mon, err));
}

static const HMPCommand commands[] = {
    { "resize|r", "device:B,size:o", "device size", "change it", show },
    { "cancel", "force:-f,quiet:-q,device:B", "[-f] [-q] device", "end it",
      show },
    { "speed", "device:B,speed:o", "device speed", "limit it", show },
    { "num", "n:i,m:l?", "n [m]", "numbers", show },
    { "rest", "what:s,rest:S?", "what [rest]", "all that follows", show },
    { "turn", "on:b", "on|off", "switch it", show },
    { "complain", "", "", "fail", complain },
    { 0 },
};

static const HMPCommand info_commands[] = {
    { "thing", "verbose:-v,name:s?", "[-v] [name]", "show it", show },
    { 0 },
};

static void expect(const char *line, const char *text)
{
    g_autofree char *got = hmp_run_captured(line);

    g_assert_cmpstr(got, ==, text);
}

#define TRY(name) "Try \"help " name "\" for more information\r\n"

static void test_arguments(void)
{
    expect("resize d 5", "{\"device\": \"d\", \"size\": 5242880}\r\n");
    expect("r  \"a b\\\"c\"   1k", "{\"device\": \"a b\\\"c\", \"size\": 1024}\r\n");
    expect("cancel d", "{\"device\": \"d\"}\r\n");
    expect("cancel -f d", "{\"device\": \"d\", \"force\": true}\r\n");
    expect("num 0x10", "{\"n\": 16}\r\n");
    expect("rest a  b c ", "{\"rest\": \"b c \", \"what\": \"a\"}\r\n");
    expect("rest a", "{\"what\": \"a\"}\r\n");
    expect("turn on", "{\"on\": true}\r\n");
    expect("info thing", "{}\r\n");
    expect("  info   thing -v x ", "{\"name\": \"x\", \"verbose\": true}\r\n");
    expect("", "");
}

static void test_mistakes(void)
{
    expect("nope x", "unknown command: 'nope'\r\n");
    expect("info nope", "unknown command: 'info nope'\r\n");
    expect("resize", "resize: block device name expected\r\n" TRY("resize"));
    expect("resize d", "invalid size\r\n" TRY("resize"));
    expect("resize d x", "invalid size\r\n" TRY("resize"));
    expect("cancel d e",
           "cancel: extraneous characters at the end of line\r\n"
           TRY("cancel"));
    expect("cancel -x d", "cancel: unsupported option -x\r\n" TRY("cancel"));
    expect("num x", "invalid char 'x' in expression\r\n" TRY("num"));
    expect("turn maybe", "Expected 'on' or 'off'\r\n" TRY("turn"));
    expect("cancel \"d", "unterminated string\r\n"
           "cancel: block device name expected\r\n" TRY("cancel"));
    expect("complain", "Error: no such thing\r\n");
}

static void test_help(void)
{
    g_autofree char *all = hmp_run_captured("help");

    expect("help cancel", "cancel [-f] [-q] device -- end it\r\n");
    expect("help r", "resize|r device size -- change it\r\n");
    expect("help info thing", "info thing [-v] [name] -- show it\r\n");
    expect("help nope", "unknown command: 'nope'\r\n");
    g_assert_nonnull(strstr(all, "resize|r device size -- change it\r\n"));
    g_assert_nonnull(strstr(all, "help|? [cmd] -- show the help\r\n"));
}

/* ---- Editing ---- */

typedef struct Terminal {
    ReadLineState *rs;
    GString *out;
    GString *lines;
} Terminal;

static void term_puts(void *opaque, const char *str)
{
    g_string_append(((Terminal *)opaque)->out, str);
}

static void term_flush(void *opaque)
{
}

static void term_line(void *opaque, const char *line)
{
    Terminal *t = opaque;

    g_string_append_printf(t->lines, "[%s]", line);
    readline_start(t->rs);
}

static void term_complete(void *opaque, const char *line)
{
    Terminal *t = opaque;

    if (g_str_has_prefix("quit", line)) {
        readline_add_completion(t->rs, "quit");
    }
    if (g_str_has_prefix("query", line)) {
        readline_add_completion(t->rs, "query");
    }
}

static const ReadLineOps term_ops = {
    .puts = term_puts, .flush = term_flush, .line = term_line,
    .complete = term_complete,
};

/* Types @keys; which lines come out, and what is seen. */
static void type(const char *keys, const char *lines, const char *out)
{
    Terminal t = { .out = g_string_new(NULL), .lines = g_string_new(NULL) };

    t.rs = readline_new("> ", &term_ops, &t);
    readline_start(t.rs);
    for (; *keys; keys++) {
        readline_handle_byte(t.rs, (uint8_t)*keys);
    }
    g_assert_cmpstr(t.lines->str, ==, lines);
    if (out) {
        g_assert_cmpstr(t.out->str, ==, out);
    }
    readline_free(t.rs);
    g_string_free(t.out, true);
    g_string_free(t.lines, true);
}

static void test_editing(void)
{
    type("ab\r", "[ab]", "> a\033[K\033[Dab\033[K\r\n> ");
    type("ab\033[Dc\n", "[acb]", "> a\033[K\033[Dab\033[K\033[D"
         "\033[Dacb\033[K\033[D\r\n> ");
    type("abc\x7f\x7fx\n", "[ax]", NULL);
    type("abc\001x\005y\n", "[xabcy]", NULL);
    type("one two\027x\n", "[one x]", NULL);
    type("abc\033[D\033[D\013\n", "[a]", NULL);
    type("abc\033[D\033[D\004\n", "[ac]", NULL);
    type("abc\033[H\033[3~\n", "[bc]", NULL);
    type("\x7f\033[D\033[C\n", "[]", "> \r\n> ");
}

static void test_history(void)
{
    type("one\ntwo\n\033[A\n", "[one][two][two]", NULL);
    type("one\ntwo\n\033[A\033[A\n", "[one][two][one]", NULL);
    type("one\nx\033[A\033[By\n", "[one][xy]", NULL);
    type("one\n\033[A\033[A\033[A\n", "[one][one]", NULL);
}

static void test_completion(void)
{
    type("qui\t\n", "[quit ]", NULL);
    type("q\t\n", "[qu]", NULL);
    type("x\t\n", "[x]", NULL);
    type("qu\t\n", "[qu]", "> q\033[K\033[Dqu\033[K\r\nquery  quit   \r\n"
         "> qu\033[K\r\n> ");
}

static void no_commands(QmpCommandList *cmds)
{
}

static const MonitorProgram program = {
    .register_commands = no_commands,
    .schema_json = "[]",
    .allow_hmp = true,
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    monitor_init_globals(&program);
    hmp_register_commands(commands);
    hmp_register_info_commands(info_commands);
    g_test_add_func("/monitor-hmp/arguments", test_arguments);
    g_test_add_func("/monitor-hmp/mistakes", test_mistakes);
    g_test_add_func("/monitor-hmp/help", test_help);
    g_test_add_func("/monitor-hmp/editing", test_editing);
    g_test_add_func("/monitor-hmp/history", test_history);
    g_test_add_func("/monitor-hmp/completion", test_completion);
    return g_test_run();
}
