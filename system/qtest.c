/*
 * SPDX-License-Identifier: MIT
 *
 * Virtual time under the control of a test.
 *
 * Each line is a command; the answer is a line that begins with OK or FAIL.
 */
#include "qemu/osdep.h"
#include "block/accounting.h"
#include "block/throttle-groups.h"
#include "chardev/char-fe.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "sysemu/qtest.h"

static bool enabled;
static CharBackend qtest_chr;
static GString *input;
static FILE *log_file;

bool qtest_enabled(void)
{
    return enabled;
}

void qtest_enable(void)
{
    if (!enabled) {
        enabled = true;
        qemu_clock_virtual_freeze();
        block_acct_set_clock(QEMU_CLOCK_VIRTUAL);
        throttle_groups_set_clock(QEMU_CLOCK_VIRTUAL);
        monitor_set_event_clock(QEMU_CLOCK_VIRTUAL);
    }
}

static void log_line(char direction, const char *line)
{
    if (log_file) {
        fprintf(log_file, "[%c] %s\n", direction, line);
        fflush(log_file);
    }
}

static void G_GNUC_PRINTF(1, 2) reply(const char *fmt, ...)
{
    g_autofree char *line = NULL;
    g_autofree char *wire = NULL;
    va_list ap;

    va_start(ap, fmt);
    line = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    log_line('S', line);
    wire = g_strdup_printf("%s\n", line);
    qemu_chr_fe_write_all(&qtest_chr, (uint8_t *)wire, strlen(wire));
}

/* Moves virtual time to @target and runs what becomes due on the way. */
static void step_to(int64_t target)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (target > now) {
        qemu_clock_virtual_step(target - now);
    }
    reply("OK %" PRId64, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
}

/* The number in @word, which must be one and not negative. */
static bool parse_ns(const char *word, int64_t *ns)
{
    return word && qemu_strtoi64(word, NULL, 0, ns) == 0 && *ns >= 0;
}

static void clock_step(char **words)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    int64_t ns;

    if (words[1]) {
        if (!parse_ns(words[1], &ns) || now > INT64_MAX - ns) {
            reply("FAIL invalid time '%s'", words[1]);
            return;
        }
    } else {
        /* Up to the next timer, wherever that is. */
        ns = qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL);
        ns = MAX(ns, 0);
    }
    step_to(now + ns);
}

static void clock_set(char **words)
{
    int64_t ns;

    if (!parse_ns(words[1], &ns)) {
        reply("FAIL invalid time '%s'", words[1] ?: "");
        return;
    }
    step_to(ns);
}

static void run_command(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    log_line('R', line);
    if (!words[0]) {
        return;
    }
    if (!enabled) {
        reply("FAIL virtual time is not under control without -accel qtest");
    } else if (!strcmp(words[0], "clock_step")) {
        clock_step(words);
    } else if (!strcmp(words[0], "clock_set")) {
        clock_set(words);
    } else if (!strcmp(words[0], "endianness")) {
        reply("OK little");
    } else {
        reply("FAIL Unknown command '%s'", words[0]);
    }
}

static int qtest_can_read(void *opaque)
{
    return 1024;
}

static void qtest_read(void *opaque, const uint8_t *buf, int size)
{
    char *end;

    g_string_append_len(input, (const char *)buf, size);
    while ((end = strchr(input->str, '\n'))) {
        g_autofree char *line = g_strndup(input->str, end - input->str);

        g_string_erase(input, 0, end - input->str + 1);
        run_command(line);
    }
}

static void qtest_event(void *opaque, QEMUChrEvent event)
{
    if (event == CHR_EVENT_OPENED) {
        g_string_truncate(input, 0);
        log_line('I', "OPENED");
    } else if (event == CHR_EVENT_CLOSED) {
        log_line('I', "CLOSED");
    }
}

bool qtest_server_init(const char *chrdev, const char *log, Error **errp)
{
    Chardev *chr;

    if (log && strcmp(log, "none")) {
        log_file = fopen(log, "w");
        if (!log_file) {
            error_setg_errno(errp, errno, "Could not open '%s'", log);
            return false;
        }
    }
    chr = qemu_chr_new("qtest", chrdev, errp);
    if (!chr) {
        error_prepend(errp, "Failed to initialize device for qtest \"%s\": ",
                      chrdev);
        return false;
    }
    input = g_string_new(NULL);
    if (!qemu_chr_fe_init(&qtest_chr, chr, errp)) {
        return false;
    }
    qemu_chr_fe_set_handlers(&qtest_chr, qtest_can_read, qtest_read,
                             qtest_event, NULL, NULL);
    return true;
}

void qtest_server_cleanup(void)
{
    qemu_chr_fe_deinit(&qtest_chr, true);
    if (input) {
        g_string_free(input, true);
        input = NULL;
    }
    if (log_file) {
        fclose(log_file);
        log_file = NULL;
    }
}
