/*
 * SPDX-License-Identifier: MIT
 *
 * Options "key=value,...", their schemas, and configuration files.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qstring.h"
#include "qemu/config-file.h"
#include "qemu/option.h"
#include "qemu/units.h"

static QemuOptsList typed = {
    .name = "typed",
    .implied_opt_name = "text",
    .head = QTAILQ_HEAD_INITIALIZER(typed.head),
    .desc = {
        { .name = "text", .type = QEMU_OPT_STRING, .help = "any words" },
        { .name = "flag", .type = QEMU_OPT_BOOL },
        { .name = "number", .type = QEMU_OPT_NUMBER, .def_value_str = "7" },
        { .name = "size", .type = QEMU_OPT_SIZE, .def_value_str = "2k" },
        { .name = "shy", .type = QEMU_OPT_BOOL, .def_value_str = "on" },
        { NULL }
    },
};

static QemuOptsList any = {
    .name = "any",
    .implied_opt_name = "first",
    .head = QTAILQ_HEAD_INITIALIZER(any.head),
    .desc = { { NULL } },
};

static QemuOptsList merged = {
    .name = "merged",
    .merge_lists = true,
    .head = QTAILQ_HEAD_INITIALIZER(merged.head),
    .desc = { { NULL } },
};

static QemuOptsList *lists[] = { &typed, &any, &merged, NULL };

static int append_opt(void *opaque, const char *name, const char *value,
                      Error **errp)
{
    g_string_append_printf(opaque, "%s=%s;", name, value);
    return 0;
}

/* All options in their order, "name=value;". */
static void assert_opts(QemuOpts *opts, const char *expected)
{
    GString *s = g_string_new(NULL);

    qemu_opt_foreach(opts, append_opt, s, &error_abort);
    g_assert_cmpstr(s->str, ==, expected);
    g_string_free(s, true);
}

static void assert_any(const char *params, const char *id,
                       const char *expected)
{
    QemuOpts *opts = qemu_opts_parse(&any, params, true, &error_abort);

    g_assert_cmpstr(qemu_opts_id(opts), ==, id);
    assert_opts(opts, expected);
    qemu_opts_del(opts);
}

static void assert_error(Error *err, const char *text)
{
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_syntax(void)
{
    assert_any("", NULL, "");
    assert_any("a=1,b=2", NULL, "a=1;b=2;");
    assert_any("x", NULL, "first=x;");
    assert_any("x=y", NULL, "x=y;");
    assert_any("a,,b,c=d,,e", NULL, "first=a,b;c=d,e;");
    assert_any("a=,b==,c=x=y", NULL, "a=;b==;c=x=y;");
    assert_any("v,flag,noother", NULL, "first=v;flag=on;other=off;");
    assert_any("v,no", NULL, "first=v;no=on;");
    assert_any("a=1,a=2", NULL, "a=1;a=2;");
    assert_any("a=1,id=x-1,b=2", "x-1", "a=1;b=2;");
    assert_any("a=1,", NULL, "a=1;");
}

static void test_no_abbreviation(void)
{
    QemuOpts *opts = qemu_opts_parse(&any, "x,noy", false, &error_abort);

    assert_opts(opts, "x=on;y=off;");
    qemu_opts_del(opts);
}

static void test_last_counts(void)
{
    QemuOpts *opts = qemu_opts_parse(&any, "a=1,b=2,a=3", true, &error_abort);
    g_autofree char *taken = NULL;

    g_assert_cmpstr(qemu_opt_get(opts, "a"), ==, "3");
    g_assert_cmpint(qemu_opt_unset(opts, "a"), ==, 1);
    g_assert_cmpstr(qemu_opt_get(opts, "a"), ==, "1");
    qemu_opt_set(opts, "a", "4", &error_abort);
    taken = qemu_opt_get_del(opts, "a");
    g_assert_cmpstr(taken, ==, "4");
    g_assert_null(qemu_opt_get(opts, "a"));
    g_assert_cmpint(qemu_opt_unset(opts, "a"), ==, 0);
    assert_opts(opts, "b=2;");
    qemu_opts_del(opts);
}

static void test_types(void)
{
    QemuOpts *opts = qemu_opts_parse(&typed, "words,flag=yes,number=0x10,"
                                     "size=1.5M,noshy", true, &error_abort);

    g_assert_cmpstr(qemu_opt_get(opts, "text"), ==, "words");
    g_assert_true(qemu_opt_get_bool(opts, "flag", false));
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 1), ==, 16);
    g_assert_cmpuint(qemu_opt_get_size(opts, "size", 1), ==, 1536 * KiB);
    g_assert_false(qemu_opt_get_bool_del(opts, "shy", true));
    g_assert_true(qemu_opt_get_bool(opts, "shy", false));
    g_assert_cmpuint(qemu_opt_get_size_del(opts, "size", 1), ==, 1536 * KiB);
    g_assert_cmpuint(qemu_opt_get_size(opts, "size", 1), ==, 2 * KiB);
    g_assert_cmpuint(qemu_opt_get_number_del(opts, "number", 1), ==, 16);
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 1), ==, 7);
    qemu_opt_set_bool(opts, "flag", false, &error_abort);
    g_assert_false(qemu_opt_get_bool(opts, "flag", true));
    qemu_opt_set_number(opts, "number", 99, &error_abort);
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 1), ==, 99);
    qemu_opts_del(opts);
}

/* The schema's default comes before the caller's; no object, no schema. */
static void test_defaults(void)
{
    QemuOpts *opts = qemu_opts_create(&typed, NULL, 0, &error_abort);

    g_assert_null(qemu_opt_get(opts, "text"));
    g_assert_cmpstr(qemu_opt_get(opts, "number"), ==, "7");
    g_assert_cmpuint(qemu_opt_get_size(opts, "size", 1), ==, 2 * KiB);
    g_assert_true(qemu_opt_get_bool(opts, "flag", true));
    g_assert_null(qemu_opt_find(opts, "number"));
    qemu_opts_del(opts);
    g_assert_null(qemu_opt_get(NULL, "number"));
    g_assert_cmpuint(qemu_opt_get_number(NULL, "number", 5), ==, 5);
    g_assert_true(qemu_opt_get_bool(NULL, "shy", true));
}

static void assert_refused(const char *params, const char *text)
{
    Error *err = NULL;

    g_assert_null(qemu_opts_parse(&typed, params, true, &err));
    assert_error(err, text);
    g_assert_true(QTAILQ_EMPTY(&typed.head));
}

static void test_refused(void)
{
    assert_refused("flag=maybe",
                   "Parameter 'flag' expects 'on' or 'off'");
    assert_refused("flag=ON", "Parameter 'flag' expects 'on' or 'off'");
    assert_refused("number=x", "Parameter 'number' expects a number");
    assert_refused("number=", "Parameter 'number' expects a number");
    assert_refused("number=18446744073709551616",
                   "Value '18446744073709551616' is too large for parameter "
                   "'number'");
    assert_refused("size=-1", "Parameter 'size' expects a non-negative number "
                   "below 2^64");
    assert_refused("size=16E",
                   "Value '16E' is out of range for parameter 'size'");
    assert_refused("what=1", "Invalid parameter 'what'");
    assert_refused("text=x,nowhat", "Invalid parameter 'what'");
    assert_refused("id=1x", "Parameter 'id' expects an identifier");
    assert_refused("id=", "Parameter 'id' expects an identifier");
}

static void test_ids(void)
{
    QemuOpts *one = qemu_opts_parse(&any, "id=one,a=1", true, &error_abort);
    QemuOpts *two = qemu_opts_create(&any, "two", 1, &error_abort);
    Error *err = NULL;

    g_assert_true(qemu_opts_find(&any, "one") == one);
    g_assert_true(qemu_opts_find(&any, "two") == two);
    g_assert_null(qemu_opts_find(&any, NULL));
    g_assert_null(qemu_opts_parse(&any, "id=one", true, &err));
    assert_error(err, "Duplicate ID 'one' for any");
    g_assert_true(qemu_opts_create(&any, "one", 0, &error_abort) == one);
    qemu_opts_set_id(two, g_strdup("three"));
    g_assert_true(qemu_opts_find(&any, "three") == two);
    qemu_opts_reset(&any);
    g_assert_null(qemu_opts_find(&any, "one"));
}

static void test_merged(void)
{
    QemuOpts *opts = qemu_opts_parse(&merged, "a=1", true, &error_abort);

    g_assert_true(qemu_opts_parse(&merged, "b=2,a=3", true, &error_abort) ==
                  opts);
    assert_opts(opts, "a=1;b=2;a=3;");
    g_assert_true(qemu_opts_parse(&merged, "id=x", true, &error_abort) !=
                  opts);
    qemu_opts_reset(&merged);
}

static void test_validate(void)
{
    QemuOpts *opts = qemu_opts_parse(&any, "number=3,shy=off", true,
                                     &error_abort);
    Error *err = NULL;

    g_assert_true(qemu_opts_validate(opts, typed.desc, &error_abort));
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 0), ==, 3);
    qemu_opt_set(opts, "else", "1", &error_abort);
    g_assert_false(qemu_opts_validate(opts, typed.desc, &err));
    assert_error(err, "Invalid parameter 'else'");
    qemu_opts_del(opts);
}

static void test_help(void)
{
    QemuOpts *opts = qemu_opts_parse(&any, "a=1,help", true, &error_abort);

    g_assert_true(qemu_opt_has_help_opt(opts));
    qemu_opts_del(opts);
    g_assert_true(has_help_option("help"));
    g_assert_true(has_help_option("a=1,?"));
    g_assert_false(has_help_option("a=help,helping,b=?"));
    g_assert_false(has_help_option("a,,help"));
    g_assert_true(is_valid_option_list("a=1,b"));
    g_assert_false(is_valid_option_list(""));
    g_assert_false(is_valid_option_list(",a"));
    g_assert_false(is_valid_option_list("a,"));
    g_assert_true(is_valid_option_list("a,,"));
    g_assert_false(is_valid_option_list("a,,,"));
    g_assert_true(is_valid_option_list("a,,,,"));
}

static void test_append(void)
{
    QemuOptsList *sum = qemu_opts_append(NULL, &typed);
    static QemuOptsList more = {
        .head = QTAILQ_HEAD_INITIALIZER(more.head),
        .desc = {
            { .name = "number", .type = QEMU_OPT_STRING },
            { .name = "extra", .type = QEMU_OPT_BOOL },
            { NULL }
        },
    };
    QemuOpts *opts;

    sum = qemu_opts_append(sum, &more);
    opts = qemu_opts_create(sum, NULL, 0, &error_abort);
    /* The first description of a name stays. */
    qemu_opts_do_parse(opts, "extra,number=5", NULL, &error_abort);
    g_assert_true(qemu_opt_get_bool(opts, "extra", false));
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 0), ==, 5);
    qemu_opts_del(opts);
    g_free(sum);
}

/* ---- QDicts ---- */

static void test_absorb(void)
{
    QDict *qdict = qdict_new();
    QemuOpts *opts = qemu_opts_create(&typed, NULL, 0, &error_abort);
    Error *err = NULL;

    qdict_put_str(qdict, "text", "x");
    qdict_put_int(qdict, "number", 12);
    qdict_put_bool(qdict, "flag", true);
    qdict_put_str(qdict, "else", "stays");
    g_assert_true(qemu_opts_absorb_qdict(opts, qdict, &error_abort));
    g_assert_cmpuint(qdict_size(qdict), ==, 1);
    g_assert_cmpstr(qemu_opt_get(opts, "text"), ==, "x");
    g_assert_cmpuint(qemu_opt_get_number(opts, "number", 0), ==, 12);
    g_assert_true(qemu_opt_get_bool(opts, "flag", false));
    qdict_put_str(qdict, "size", "huge");
    g_assert_false(qemu_opts_absorb_qdict(opts, qdict, &err));
    assert_error(err, "Parameter 'size' expects a non-negative number below "
                 "2^64");
    qobject_unref(qdict);
    qemu_opts_del(opts);
}

static void test_to_qdict(void)
{
    QemuOpts *opts = qemu_opts_parse(&any, "id=o,number=1,else=2,number=3",
                                     true, &error_abort);
    QDict *all = qemu_opts_to_qdict(opts, NULL);
    QDict *some = qemu_opts_to_qdict_filtered(opts, NULL, &typed, true);

    g_assert_cmpuint(qdict_size(all), ==, 3);
    g_assert_cmpstr(qdict_get_str(all, "id"), ==, "o");
    g_assert_cmpstr(qdict_get_str(all, "number"), ==, "3");
    g_assert_cmpstr(qdict_get_str(some, "number"), ==, "3");
    g_assert_false(qdict_haskey(some, "else"));
    assert_opts(opts, "else=2;");
    qobject_unref(all);
    qobject_unref(some);
    qemu_opts_del(opts);
}

static void test_from_qdict(void)
{
    QDict *qdict = qdict_new();
    QemuOpts *opts;
    Error *err = NULL;

    qdict_put_str(qdict, "id", "o");
    qdict_put_int(qdict, "size", 4096);
    opts = qemu_opts_from_qdict(&typed, qdict, &error_abort);
    g_assert_cmpstr(qemu_opts_id(opts), ==, "o");
    g_assert_cmpuint(qemu_opt_get_size(opts, "size", 0), ==, 4096);
    qemu_opts_del(opts);
    qdict_put_str(qdict, "else", "x");
    g_assert_null(qemu_opts_from_qdict(&typed, qdict, &err));
    assert_error(err, "Invalid parameter 'else'");
    g_assert_true(QTAILQ_EMPTY(&typed.head));
    qobject_unref(qdict);
}

/* ---- Groups, files ---- */

static void test_groups(void)
{
    Error *err = NULL;

    qemu_add_opts(&typed);
    qemu_add_opts(&any);
    qemu_add_opts(&typed);
    g_assert_true(qemu_find_opts("any") == &any);
    g_assert_null(qemu_find_opts("none"));
    g_assert_null(qemu_find_opts_err("none", &err));
    assert_error(err, "There is no option group 'none'");
}

static int parse_file(const char *text, Error **errp)
{
    FILE *fp = fmemopen((void *)text, strlen(text), "r");
    int ret = qemu_config_parse(fp, lists, "file", errp);

    fclose(fp);
    return ret;
}

static void test_file(void)
{
    g_assert_cmpint(parse_file("# a comment\n\n[typed \"t1\"]\n"
                               "  number = \"3\"\n  text=\"a, b = c\"\n"
                               "[any]\nx = y\n", &error_abort), ==, 2);
    assert_opts(qemu_opts_find(&typed, "t1"), "number=3;text=a, b = c;");
    assert_opts(qemu_opts_find(&any, NULL), "x=y;");
    qemu_opts_reset(&typed);
    qemu_opts_reset(&any);
}

static void assert_bad_file(const char *text, const char *error)
{
    Error *err = NULL;

    g_assert_cmpint(parse_file(text, &err), <, 0);
    assert_error(err, error);
    qemu_opts_reset(&typed);
    qemu_opts_reset(&any);
}

static void test_bad_files(void)
{
    assert_bad_file("[none]\n", "file:1: There is no option group 'none'");
    assert_bad_file("[any]\n\nwords\n", "file:3: parse error");
    assert_bad_file("[any\n", "file:1: parse error");
    assert_bad_file("x = \"1\"\n", "file:1: no group defined");
    assert_bad_file("[typed]\nflag = \"2\"\n",
                    "file:2: Parameter 'flag' expects 'on' or 'off'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu-opts/syntax", test_syntax);
    g_test_add_func("/qemu-opts/no-abbreviation", test_no_abbreviation);
    g_test_add_func("/qemu-opts/last-counts", test_last_counts);
    g_test_add_func("/qemu-opts/types", test_types);
    g_test_add_func("/qemu-opts/defaults", test_defaults);
    g_test_add_func("/qemu-opts/refused", test_refused);
    g_test_add_func("/qemu-opts/ids", test_ids);
    g_test_add_func("/qemu-opts/merged", test_merged);
    g_test_add_func("/qemu-opts/validate", test_validate);
    g_test_add_func("/qemu-opts/help", test_help);
    g_test_add_func("/qemu-opts/append", test_append);
    g_test_add_func("/qemu-opts/absorb", test_absorb);
    g_test_add_func("/qemu-opts/to-qdict", test_to_qdict);
    g_test_add_func("/qemu-opts/from-qdict", test_from_qdict);
    g_test_add_func("/qemu-opts/groups", test_groups);
    g_test_add_func("/config-file/file", test_file);
    g_test_add_func("/config-file/bad-files", test_bad_files);
    return g_test_run();
}
