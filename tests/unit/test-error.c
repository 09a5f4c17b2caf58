/*
 * SPDX-License-Identifier: MIT
 *
 * Errors as objects, and how they are reported.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

static void assert_text(Error *err, const char *text)
{
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_set(void)
{
    Error *err = NULL;

    error_setg(&err, "%s %d", "a", 1);
    g_assert_cmpint(error_get_class(err), ==, ERROR_CLASS_GENERIC_ERROR);
    assert_text(err, "a 1");
    err = NULL;
    error_set(&err, ERROR_CLASS_DEVICE_NOT_FOUND, "b");
    g_assert_cmpstr(ErrorClass_str(error_get_class(err)), ==,
                    "DeviceNotFound");
    assert_text(err, "b");
    error_setg(NULL, "nobody asks");
}

static void test_errno(void)
{
    Error *err = NULL;

    errno = EBUSY;
    error_setg_errno(&err, ENOENT, "x");
    g_assert_cmpint(errno, ==, EBUSY);
    assert_text(err, "x: No such file or directory");
    err = NULL;
    error_setg_errno(&err, 0, "x");
    assert_text(err, "x");
    err = NULL;
    error_setg_file_open(&err, EACCES, "f");
    assert_text(err, "Could not open 'f': Permission denied");
    errno = EBUSY;
    error_setg(NULL, "x");
    error_free(NULL);
    g_assert_cmpint(errno, ==, EBUSY);
}

static void test_change(void)
{
    Error *err = NULL, *copy;

    error_prepend(&err, "nothing");
    error_append_hint(&err, "nothing");
    error_prepend(NULL, "nothing");
    g_assert_null(err);
    error_set(&err, ERROR_CLASS_COMMAND_NOT_FOUND, "c");
    error_prepend(&err, "%s: ", "b");
    error_prepend(&err, "a: ");
    copy = error_copy(err);
    assert_text(err, "a: b: c");
    g_assert_cmpint(error_get_class(copy), ==, ERROR_CLASS_COMMAND_NOT_FOUND);
    assert_text(copy, "a: b: c");
}

static void test_propagate(void)
{
    Error *first = NULL, *second = NULL, *err = NULL;

    error_setg(&first, "1");
    error_setg(&second, "2");
    error_propagate(&err, NULL);
    g_assert_null(err);
    error_propagate_prepend(&err, first, "%d: ", 0);
    /* The one that is there stays. */
    error_propagate(&err, second);
    second = NULL;
    error_setg(&second, "3");
    error_propagate(NULL, second);
    assert_text(err, "0: 1");
}

static bool inner(Error **errp)
{
    error_setg(errp, "inner");
    return false;
}

/* *errp can be looked at, whatever the caller passes. */
static void guarded(Error **errp)
{
    ERRP_GUARD();

    inner(errp);
    g_assert_nonnull(*errp);
    error_prepend(errp, "guarded: ");
}

static void test_guard(void)
{
    Error *err = NULL;

    guarded(NULL);
    guarded(&err);
    g_assert_cmpstr(error_get_pretty(err), ==, "guarded: inner");
    error_free_or_abort(&err);
    g_assert_null(err);
}

/* ---- Deadly ones, in a process of their own ---- */

static void test_abort_child(void)
{
    inner(&error_abort);
}

static void test_fatal_child(void)
{
    Error *err = NULL;

    inner(&err);
    error_append_hint(&err, "Try this.\n");
    error_propagate(&error_fatal, err);
}

static void test_guarded_fatal_child(void)
{
    guarded(&error_fatal);
}

static void assert_dies(const char *path, const char *message)
{
    g_test_trap_subprocess(path, 0, 0);
    g_assert_false(g_test_trap_has_passed());
    g_test_trap_assert_stderr(message);
}

static void test_deadly(void)
{
    assert_dies("/error/child/subprocess/abort",
                "*Unexpected error in inner() at *test-error.c:*: inner\n*");
    assert_dies("/error/child/subprocess/fatal", "*: inner\nTry this.\n*");
    assert_dies("/error/child/subprocess/guarded-fatal",
                "*: guarded: inner\n*");
}

/* ---- Reports ---- */

static GString *printed;

static bool take(const char *fmt, va_list ap)
{
    g_string_append_vprintf(printed, fmt, ap);
    return true;
}

static void begin(void)
{
    printed = g_string_new(NULL);
    error_set_vprintf_hook(take);
}

/* "NAME: " at the start of each message is left out of @expected. */
static void end(const char *expected)
{
    g_autofree char *name = g_path_get_basename(error_get_progname());
    g_autofree char *prefix = g_strdup_printf("%s: ", name);
    g_auto(GStrv) parts = g_strsplit(printed->str, prefix, -1);
    g_autofree char *rest = g_strjoinv("", parts);

    error_set_vprintf_hook(NULL);
    g_assert_cmpstr(rest, ==, expected);
    g_string_free(printed, true);
}

static void test_reports(void)
{
    Error *err = NULL;
    bool once = false;

    begin();
    error_report("e %d", 1);
    warn_report("w %d", 2);
    info_report("i %d", 3);
    g_assert_true(warn_report_once_cond(&once, "once"));
    g_assert_false(warn_report_once_cond(&once, "once"));
    error_setg(&err, "err");
    error_append_hint(&err, "Hint.\n");
    error_reportf_err(err, "%s: ", "p");
    err = NULL;
    error_setg(&err, "err");
    warn_report_err(err);
    end("e 1\nwarning: w 2\ninfo: i 3\nwarning: once\np: err\nHint.\n"
        "warning: err\n");
}

static void test_locations(void)
{
    static char *argv[] = { (char *)"prog", (char *)"-x", (char *)"y z" };
    Location line, file;

    begin();
    loc_push_none(&line);
    loc_set_cmdline(argv, 1, 2);
    error_report("bad");
    loc_push_none(&file);
    loc_set_file("conf", 3);
    error_report("bad");
    loc_set_file("conf", 0);
    error_report("bad");
    loc_pop(&file);
    error_report("again");
    loc_pop(&line);
    error_report("none");
    end("-x y z: bad\nconf:3: bad\nconf: bad\n-x y z: again\nnone\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    error_init(argv[0]);
    g_test_add_func("/error/set", test_set);
    g_test_add_func("/error/errno", test_errno);
    g_test_add_func("/error/change", test_change);
    g_test_add_func("/error/propagate", test_propagate);
    g_test_add_func("/error/guard", test_guard);
    g_test_add_func("/error/deadly", test_deadly);
    g_test_add_func("/error/child/subprocess/abort", test_abort_child);
    g_test_add_func("/error/child/subprocess/fatal", test_fatal_child);
    g_test_add_func("/error/child/subprocess/guarded-fatal",
                    test_guarded_fatal_child);
    g_test_add_func("/error-report/reports", test_reports);
    g_test_add_func("/error-report/locations", test_locations);
    return g_test_run();
}
