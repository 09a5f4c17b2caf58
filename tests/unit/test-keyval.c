/*
 * SPDX-License-Identifier: MIT
 *
 * Command lines as trees: what goes in as "a.b=x,c.0=y" comes out as JSON.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qemu/option.h"

static void assert_json(QDict *got, const char *expected)
{
    QObject *want = qobject_from_json(expected, &error_abort);

    g_assert_true(qobject_is_equal(QOBJECT(got), want));
    qobject_unref(want);
}

static void assert_tree(const char *params, const char *expected)
{
    QDict *got = keyval_parse(params, "i", NULL, &error_abort);

    assert_json(got, expected);
    qobject_unref(got);
}

static void test_trees(void)
{
    assert_tree("", "{}");
    assert_tree("a=1", "{'a': '1'}");
    assert_tree("a=1,", "{'a': '1'}");
    assert_tree("a=1,b=,a=2", "{'a': '2', 'b': ''}");
    assert_tree("a=x=y,b=1,,2", "{'a': 'x=y', 'b': '1,2'}");
    assert_tree("v", "{'i': 'v'}");
    assert_tree("v,,w,a=1", "{'i': 'v,w', 'a': '1'}");
    assert_tree("a.b=1,a.c.d=2", "{'a': {'b': '1', 'c': {'d': '2'}}}");
    assert_tree("a.0=x,a.1=y", "{'a': ['x', 'y']}");
    assert_tree("a.1.k=y,a.0.k=x", "{'a': [{'k': 'x'}, {'k': 'y'}]}");
    assert_tree("a.0.0=x", "{'a': [['x']]}");
    assert_tree("a-b_c=1,__org.x_y=2",
                "{'a-b_c': '1', '__org': {'x_y': '2'}}");
}

static void assert_refused(const char *params, const char *implied,
                           const char *text)
{
    Error *err = NULL;

    g_assert_null(keyval_parse(params, implied, NULL, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_long_keys(void)
{
    g_autofree char *longest = g_strdup_printf("%0128d=1", 0);
    g_autofree char *text = NULL;

    longest[0] = 'a';
    text = g_strdup_printf("Invalid parameter '%.128s'", longest);
    assert_refused(longest, NULL, text);
}

static void test_bad_keys(void)
{
    assert_refused("=1", NULL, "Invalid parameter ''");
    assert_refused("a..b=1", NULL, "Invalid parameter 'a..b'");
    assert_refused(".a=1", NULL, "Invalid parameter '.a'");
    assert_refused("a.=1", NULL, "Invalid parameter 'a.'");
    assert_refused("0=1", NULL, "Invalid parameter '0'");
    assert_refused("a.0x=1", NULL, "Invalid parameter 'a.0x'");
    assert_refused("a b=1", NULL, "Invalid parameter 'a b'");
    assert_refused("v", NULL, "No implicit parameter name for value 'v'");
    assert_refused("a=1,v", "i", "No implicit parameter name for value 'v'");
}

static void test_inconsistent(void)
{
    assert_refused("a=1,a.b=2", NULL,
                   "Parameters 'a.*' used inconsistently");
    assert_refused("a.b=2,a=1", NULL,
                   "Parameters 'a.*' used inconsistently");
    assert_refused("a.0=1,a.b=2", NULL,
                   "Parameters 'a.*' used inconsistently");
    assert_refused("a.1=1", NULL, "Parameter 'a.0' missing");
    assert_refused("a.0=1,a.2=1", NULL, "Parameter 'a.1' missing");
    assert_refused("a.b.1=1", NULL, "Parameter 'a.b.0' missing");
}

static void test_help(void)
{
    bool help = true;
    QDict *got = keyval_parse("a=1", NULL, &help, &error_abort);

    g_assert_false(help);
    qobject_unref(got);
    got = keyval_parse("a=1,help", NULL, &help, &error_abort);
    g_assert_true(help);
    assert_json(got, "{'a': '1'}");
    qobject_unref(got);
    got = keyval_parse("?", "i", &help, &error_abort);
    g_assert_true(help);
    qobject_unref(got);
    assert_refused("help", "i", "Help is not available for this option");
}

/* Into a tree that has something. */
static void test_into(void)
{
    QDict *qdict = keyval_parse("a=1,b.c=2", NULL, NULL, &error_abort);

    g_assert_true(keyval_parse_into(qdict, "a=3,b.d=4", NULL, NULL,
                                    &error_abort) == qdict);
    assert_json(qdict, "{'a': '3', 'b': {'c': '2', 'd': '4'}}");
    qobject_unref(qdict);
}

static void merge(const char *old_params, const char *new_params,
                  const char *expected, const char *error)
{
    QDict *old = keyval_parse(old_params, NULL, NULL, &error_abort);
    QDict *new = keyval_parse(new_params, NULL, NULL, &error_abort);
    Error *err = NULL;

    keyval_merge(old, new, &err);
    if (error) {
        g_assert_cmpstr(error_get_pretty(err), ==, error);
        error_free(err);
    } else {
        g_assert_null(err);
        assert_json(old, expected);
    }
    qobject_unref(old);
    qobject_unref(new);
}

static void test_merge(void)
{
    merge("a=1,b=2", "b=3,c=4", "{'a': '1', 'b': '3', 'c': '4'}", NULL);
    merge("a.b=1", "a.c=2", "{'a': {'b': '1', 'c': '2'}}", NULL);
    merge("a.0=1", "a.0=2,a.1=3", "{'a': ['1', '2', '3']}", NULL);
    merge("a=1", "a.b=2", NULL, "Parameter 'a.*' used inconsistently");
    merge("a=1", "a.0=2", NULL, "Parameter 'a.0' used inconsistently");
    merge("a.b=1", "a=2", NULL, "Parameter 'a' used inconsistently");
    merge("a.0=1", "a.b=2", NULL, "Parameter 'a' used inconsistently");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keyval/trees", test_trees);
    g_test_add_func("/keyval/long-keys", test_long_keys);
    g_test_add_func("/keyval/bad-keys", test_bad_keys);
    g_test_add_func("/keyval/inconsistent", test_inconsistent);
    g_test_add_func("/keyval/help", test_help);
    g_test_add_func("/keyval/into", test_into);
    g_test_add_func("/keyval/merge", test_merge);
    return g_test_run();
}
