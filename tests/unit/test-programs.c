/*
 * SPDX-License-Identifier: MIT
 *
 * The storage daemon and the emulator from outside: command lines, order of
 * output, signals, virtual time.  Skipped (77) where they were not built.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/sockets.h"
#include <glib/gstdio.h>
#include <sys/wait.h>

static char *qsd, *qemu;

/* ---- Running them ---- */

typedef struct Program {
    GPid pid;
    int in;
    FILE *out;              /* stdout and stderr */
} Program;

static void merge_output(gpointer opaque)
{
    dup2(STDOUT_FILENO, STDERR_FILENO);
}

/* @args: blanks between them. */
static void program_start(Program *p, const char *path, const char *args)
{
    g_autofree char *line = g_strdup_printf("%s %s", path, args);
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);
    int out;

    g_assert_true(g_spawn_async_with_pipes(NULL, argv, NULL,
                                           G_SPAWN_DO_NOT_REAP_CHILD,
                                           merge_output, NULL, &p->pid,
                                           &p->in, &out, NULL, NULL));
    p->out = fdopen(out, "r");
}

static void program_write(Program *p, const char *text)
{
    g_assert_cmpint(write(p->in, text, strlen(text)), ==, strlen(text));
}

/* The next line without its end; NULL at the end of output. */
static char *program_line(Program *p)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n = getline(&line, &size, p->out);

    if (n < 0) {
        free(line);
        return NULL;
    }
    return g_strchomp(line);
}

static void program_expect(Program *p, const char *pattern)
{
    char *line = program_line(p);

    g_assert_nonnull(line);
    if (!g_pattern_match_simple(pattern, line)) {
        g_error("'%s' instead of '%s'", line, pattern);
    }
    free(line);
}

/* Reads to the end and returns the exit status. */
static int program_end(Program *p)
{
    char *line;
    int status;

    if (p->in >= 0) {
        close(p->in);
    }
    while ((line = program_line(p))) {
        g_test_message("left: %s", line);
        free(line);
    }
    fclose(p->out);
    g_assert_cmpint(waitpid(p->pid, &status, 0), ==, p->pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* It prints what matches the patterns and exits with @status. */
static void check_run(const char *path, const char *args, int status,
                      const char *const *patterns)
{
    Program p;

    program_start(&p, path, args);
    for (; *patterns; patterns++) {
        program_expect(&p, *patterns);
    }
    g_assert_cmpint(program_end(&p), ==, status);
}

#define CHECK_RUN(path, args, status, ...) \
    check_run(path, args, status, (const char *const[]) { __VA_ARGS__, NULL })

/* Ends a program that has no reason to end. */
static void program_kill(Program *p)
{
    kill(p->pid, SIGTERM);
    g_assert_cmpint(program_end(p), ==, 0);
}

#define QMP_STDIO_DAEMON "--chardev stdio,id=s --monitor s"
#define QMP_STDIO_EMULATOR "-nodefaults -display none -qmp stdio"
#define CAPABILITIES "{'execute': 'qmp_capabilities'}"

/* ---- Command lines ---- */

static void test_daemon_options(void)
{
    CHECK_RUN(qsd, "--version", 0, "qemu-storage-daemon version *");
    CHECK_RUN(qsd, "--nope", 1, "*: unrecognized option '--nope'");
    CHECK_RUN(qsd, "stray", 1,
              "qemu-storage-daemon: stray: Unexpected argument");
    /* In the order in which they are given */
    CHECK_RUN(qsd, "--monitor a --chardev null,id=a", 1,
              "qemu-storage-daemon: --monitor a: chardev \"a\" not found");
    CHECK_RUN(qsd, "--chardev null,id=a --monitor a --monitor a", 1,
              "qemu-storage-daemon: --monitor a: Device 'a' is in use");
    CHECK_RUN(qsd, "--chardev null,id=a --monitor a,mode=readline", 1,
              "qemu-storage-daemon: --monitor a,mode=readline: Only QMP is "
              "supported");
    CHECK_RUN(qsd, "--object iothread,id=1", 1,
              "qemu-storage-daemon: --object iothread,id=1: Parameter 'id' "
              "expects an identifier",
              "Identifiers consist of letters, *");
    CHECK_RUN(qsd, "--daemonize --chardev stdio,id=s", 1,
              "qemu-storage-daemon: --chardev stdio,id=s: cannot use stdio "
              "with -daemonize");
    CHECK_RUN(qsd, "--object iothread,help", 0, "iothread options:",
              "  aio-max-batch=<int>");
}

static void test_emulator_options(void)
{
    CHECK_RUN(qemu, "-version", 0, "QEMU emulator version *");
    CHECK_RUN(qemu, "-nope", 1, "qemu-system-e2k: -nope: invalid option");
    CHECK_RUN(qemu, "-drive", 1,
              "qemu-system-e2k: -drive: requires an argument");
    CHECK_RUN(qemu, "-machine help", 0, "Supported machines are:",
              "none * (default)");
    CHECK_RUN(qemu, "-drive format=help", 0, "Supported formats: * raw*",
              "Supported formats (read-only): * raw*");
    CHECK_RUN(qemu, "-accel nope", 1,
              "qemu-system-e2k: -accel nope: invalid accelerator nope");
    CHECK_RUN(qemu, "-device nope,id=x", 1,
              "qemu-system-e2k: -device nope,id=x: 'nope' is not a valid "
              "device model name");
    CHECK_RUN(qemu, "/nonexistent/image", 1,
              "qemu-system-e2k: /nonexistent/image: Could not open "
              "'/nonexistent/image': No such file or directory");
    CHECK_RUN(qemu, "-incoming nope", 1,
              "qemu-system-e2k: -incoming nope: unknown migration protocol: "
              "nope");
}

/* Things may be named before they are described. */
static void test_emulator_phases(void)
{
    Program p;

    program_start(&p, qemu, "-nodefaults -display none "
                  "-mon chardev=s,mode=control "
                  "-drive if=none,id=d,driver=null-co,size=1048576 "
                  "-chardev stdio,id=s");
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'query-block'}"
                  "{'execute': 'quit'}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "*\"device\": \"d\"*");
    g_assert_cmpint(program_end(&p), ==, 0);
}

/* ---- Order of output ---- */

static void test_daemon_quit(void)
{
    Program p;

    program_start(&p, qsd, QMP_STDIO_DAEMON);
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'quit', 'id': 1}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "{\"return\": {}, \"id\": 1}");
    g_assert_null(program_line(&p));
    g_assert_cmpint(program_end(&p), ==, 0);
}

/* The end of input loses nothing, and is not the end of the program. */
static void test_daemon_end_of_input(void)
{
    Program p;

    program_start(&p, qsd, QMP_STDIO_DAEMON);
    program_write(&p, CAPABILITIES "{'execute': 'query-version'}"
                  "{'execute': 'query-chardev'}");
    close(p.in);
    p.in = -1;
    program_expect(&p, "{\"QMP\": *");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "{\"return\": {\"qemu\": *");
    program_expect(&p, "{\"return\": [*\"label\": \"s\"*");
    program_kill(&p);
}

static void test_emulator_run_state(void)
{
    Program p;

    program_start(&p, qemu, QMP_STDIO_EMULATOR);
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'stop'}{'execute': 'stop'}"
                  "{'execute': 'query-status'}{'execute': 'cont'}"
                  "{'execute': 'system_reset'}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "*\"event\": \"STOP\"}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "{\"return\": {\"status\": \"paused\", "
                   "\"singlestep\": false, \"running\": false}}");
    program_expect(&p, "*\"event\": \"RESUME\"}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "*\"event\": \"RESET\", \"data\": {\"guest\": false, "
                   "\"reason\": \"host-qmp-system-reset\"}}");
    program_write(&p, "{'execute': 'quit'}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "*\"event\": \"SHUTDOWN\", \"data\": {\"guest\": "
                   "false, \"reason\": \"host-qmp-quit\"}}");
    g_assert_cmpint(program_end(&p), ==, 0);
}

static void test_emulator_stopped(void)
{
    Program p;

    program_start(&p, qemu, QMP_STDIO_EMULATOR " -S");
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'query-status'}"
                  "{'execute': 'quit'}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "*\"status\": \"prelaunch\"*");
    g_assert_cmpint(program_end(&p), ==, 0);
}

static void test_emulator_signal(void)
{
    Program p;

    program_start(&p, qemu, QMP_STDIO_EMULATOR);
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES);
    program_expect(&p, "{\"return\": {}}");
    kill(p.pid, SIGTERM);
    program_expect(&p, "qemu-system-e2k: terminating on signal 15*");
    program_expect(&p, "*\"event\": \"SHUTDOWN\", \"data\": {\"guest\": "
                   "false, \"reason\": \"host-signal\"}}");
    g_assert_cmpint(program_end(&p), ==, 0);
}

/* Text of a command comes before the reply to it. */
static void test_emulator_text(void)
{
    Program p;

    program_start(&p, qemu, QMP_STDIO_EMULATOR
                  " -drive if=none,id=d,driver=null-co,size=65536,"
                  "read-zeroes=on");
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'human-monitor-command', "
                  "'arguments': {'command-line': 'qemu-io d \"read 0 512\"'}}"
                  "{'execute': 'quit'}");
    program_expect(&p, "{\"return\": {}}");
    program_expect(&p, "read 512/512 bytes at offset 0");
    program_expect(&p, "512 bytes, 1 ops; *");
    program_expect(&p, "{\"return\": \"\"}");
    g_assert_cmpint(program_end(&p), ==, 0);
}

static void test_emulator_hmp(void)
{
    Program p;

    program_start(&p, qemu, "-nographic -name box");
    program_expect(&p, "QEMU * monitor - type 'help' for more information");
    program_write(&p, "info name\nquit\nnot seen\n");
    program_expect(&p, "(qemu) i*info name\033*");
    program_expect(&p, "box");
    program_expect(&p, "(qemu) q*quit\033*");
    g_assert_null(program_line(&p));
    g_assert_cmpint(program_end(&p), ==, 0);
}

/* ---- Virtual time ---- */

static int64_t qtest_time(FILE *f, const char *command)
{
    char line[100];
    int64_t ns;

    fprintf(f, "%s\n", command);
    fflush(f);
    g_assert_nonnull(fgets(line, sizeof(line), f));
    g_assert_true(g_str_has_prefix(line, "OK "));
    ns = g_ascii_strtoll(line + 3, NULL, 10);
    return ns;
}

static void test_emulator_qtest(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-programs-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/qtest", dir);
    g_autofree char *args = g_strdup_printf(
        QMP_STDIO_EMULATOR " -accel qtest -accel qtest -qtest unix:path=%s",
        path);
    SocketAddress addr = {
        .type = SOCKET_ADDRESS_TYPE_UNIX, .u.q_unix.path = path,
    };
    int listener = socket_listen(&addr, 1, &error_abort);
    char line[100];
    Program p;
    FILE *f;
    int64_t t;

    program_start(&p, qemu, args);
    f = fdopen(qemu_accept(listener, NULL, NULL), "r+");
    t = qtest_time(f, "clock_step 1000");
    g_assert_cmpint(qtest_time(f, "clock_step 500"), ==, t + 500);
    /* It stands still meanwhile, and there are no timers. */
    g_assert_cmpint(qtest_time(f, "clock_step"), ==, t + 500);
    fprintf(f, "nope\n");
    fflush(f);
    g_assert_nonnull(fgets(line, sizeof(line), f));
    g_assert_cmpstr(line, ==, "FAIL Unknown command 'nope'\n");
    program_expect(&p, "{\"QMP\": *");
    program_write(&p, CAPABILITIES "{'execute': 'quit'}");
    g_assert_cmpint(program_end(&p), ==, 0);
    fclose(f);
    close(listener);
    socket_listen_cleanup(&addr);
    g_rmdir(dir);
}

/* ---- In the background ---- */

static void test_daemonize(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-programs-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/qmp", dir);
    g_autofree char *pid_file = g_strdup_printf("%s/pid", dir);
    g_autofree char *args = g_strdup_printf(
        "--daemonize --pidfile %s --chardev socket,id=a,path=%s,server=on,"
        "wait=off --monitor a", pid_file, path);
    SocketAddress addr = {
        .type = SOCKET_ADDRESS_TYPE_UNIX, .u.q_unix.path = path,
    };
    g_autofree char *pid = NULL;
    char line[4096];
    Program p;
    FILE *f;
    int fd;

    /* When the parent has ended, everything is ready. */
    program_start(&p, qsd, args);
    g_assert_cmpint(program_end(&p), ==, 0);
    g_assert_true(g_file_get_contents(pid_file, &pid, NULL, NULL));
    g_assert_cmpint(atoi(pid), >, 0);
    g_assert_cmpint(atoi(pid), !=, p.pid);
    fd = socket_connect(&addr, &error_abort);
    f = fdopen(fd, "r+");
    fprintf(f, CAPABILITIES "{'execute': 'quit'}");
    fflush(f);
    while (fgets(line, sizeof(line), f)) {
    }
    fclose(f);
    g_unlink(pid_file);
    g_unlink(path);
    g_rmdir(dir);

    CHECK_RUN(qsd, "--daemonize --chardev socket,id=a,path=/nonexistent/s", 1,
              "qemu-storage-daemon: --chardev *: Failed to connect to "
              "'/nonexistent/s': No such file or directory");
}

int main(int argc, char **argv)
{
    const char *dir = g_getenv("G_TEST_BUILDDIR") ?: ".";

    qsd = g_strdup_printf("%s/../../storage-daemon/qemu-storage-daemon", dir);
    qemu = g_strdup_printf("%s/../../qemu-system-e2k", dir);
    if (access(qsd, X_OK) < 0 || access(qemu, X_OK) < 0) {
        return 77;
    }
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/options", test_daemon_options);
    g_test_add_func("/daemon/quit", test_daemon_quit);
    g_test_add_func("/daemon/end-of-input", test_daemon_end_of_input);
    g_test_add_func("/daemon/daemonize", test_daemonize);
    g_test_add_func("/emulator/options", test_emulator_options);
    g_test_add_func("/emulator/phases", test_emulator_phases);
    g_test_add_func("/emulator/run-state", test_emulator_run_state);
    g_test_add_func("/emulator/stopped", test_emulator_stopped);
    g_test_add_func("/emulator/signal", test_emulator_signal);
    g_test_add_func("/emulator/text", test_emulator_text);
    g_test_add_func("/emulator/hmp", test_emulator_hmp);
    g_test_add_func("/emulator/qtest", test_emulator_qtest);
    return g_test_run();
}
