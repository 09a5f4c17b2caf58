/*
 * SPDX-License-Identifier: MIT
 *
 * Objects as trees of options.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"

static void check(const QObject *obj, const char *expected)
{
    g_autoptr(QObject) want = qobject_from_json(expected, &error_abort);
    g_autoptr(GString) got = qobject_to_json(obj);

    if (!qobject_is_equal(obj, want)) {
        g_error("expected %s, got %s", expected, got->str);
    }
}

static void check_dict(QDict *d, const char *expected)
{
    check(QOBJECT(d), expected);
    qobject_unref(d);
}

static QDict *dict(const char *json)
{
    return qobject_to(QDict, qobject_from_json(json, &error_abort));
}

static void test_defaults(void)
{
    QDict *src = dict("{'a': 1, 'b': 2}");
    QDict *dst = dict("{'a': 3}");

    qdict_copy_default(dst, src, "a");
    qdict_copy_default(dst, src, "b");
    qdict_copy_default(dst, src, "c");
    qdict_set_default_str(dst, "a", "x");
    qdict_set_default_str(dst, "d", "y");
    check_dict(dst, "{'a': 3, 'b': 2, 'd': 'y'}");
    check_dict(src, "{'a': 1, 'b': 2}");
}

static void test_join(void)
{
    QDict *src = dict("{'a': 1, 'b': 2}");
    QDict *dst = dict("{'a': 3}");

    qdict_join(dst, src, false);
    check(QOBJECT(dst), "{'a': 3, 'b': 2}");
    check(QOBJECT(src), "{'a': 1}");
    qdict_join(dst, src, true);
    check_dict(dst, "{'a': 1, 'b': 2}");
    check_dict(src, "{}");
}

static void test_flatten(void)
{
    QDict *d = dict("{'a': {'b': 1, 'c': {'d': 2}}, 'e': [3, [4], {'f': 5}],"
                    " 'g': {}, 'h': [], 'i': 6}");

    qdict_flatten(d);
    check_dict(d, "{'a.b': 1, 'a.c.d': 2, 'e.0': 3, 'e.1.0': 4, 'e.2.f': 5,"
                  " 'g': {}, 'h': [], 'i': 6}");
}

static void test_extract(void)
{
    QDict *d = dict("{'a.b': 1, 'a.c.d': 2, 'ab': 3, 'a': 4}");
    QDict *sub;

    qdict_extract_subqdict(d, &sub, "a.");
    check_dict(sub, "{'b': 1, 'c.d': 2}");
    check(QOBJECT(d), "{'ab': 3, 'a': 4}");
    qdict_extract_subqdict(d, NULL, "ab");
    check(QOBJECT(d), "{'a': 4}");
    qdict_extract_subqdict(d, &sub, "x.");
    check_dict(sub, "{}");
    qobject_unref(d);
}

static void test_array_split(void)
{
    QDict *d = dict("{'0': 'a', '1.x': 1, '1.y': 2, '2': 'b', '4': 'c',"
                    " 'o': 3}");
    QList *l;

    qdict_array_split(d, &l);
    check(QOBJECT(l), "['a', {'x': 1, 'y': 2}, 'b']");
    check_dict(d, "{'4': 'c', 'o': 3}");
    qobject_unref(l);

    /* Neither scalar nor object: the array ends before it. */
    d = dict("{'0': 1, '1': 2, '1.x': 3}");
    qdict_array_split(d, &l);
    check(QOBJECT(l), "[1]");
    check_dict(d, "{'1': 2, '1.x': 3}");
    qobject_unref(l);
}

static int entries(const char *json, const char *prefix)
{
    g_autoptr(QDict) d = dict(json);

    return qdict_array_entries(d, prefix);
}

static void test_array_entries(void)
{
    g_assert_cmpint(entries("{}", "a."), ==, 0);
    g_assert_cmpint(entries("{'a.0': 1, 'a.1.x': 2, 'b': 3}", "a."), ==, 2);
    g_assert_cmpint(entries("{'a.0': 1, 'a.2': 2}", "a."), ==, -EINVAL);
    g_assert_cmpint(entries("{'a.0': 1, 'a.x': 2}", "a."), ==, -EINVAL);
    g_assert_cmpint(entries("{'0': 1, '1.x': 2}", ""), ==, 2);
}

static void check_crumple(const char *json, const char *expected)
{
    g_autoptr(QDict) d = dict(json);
    g_autoptr(QObject) obj = qdict_crumple(d, &error_abort);

    check(obj, expected);
}

static void test_crumple(void)
{
    check_crumple("{}", "{}");
    check_crumple("{'a.b': 1, 'a.c.d': 2, 'e.0': 3, 'e.1.f': 4}",
                  "{'a': {'b': 1, 'c': {'d': 2}}, 'e': [3, {'f': 4}]}");
    check_crumple("{'0': 1, '1': 2}", "[1, 2]");
    check_crumple("{'a..b': 1, 'c..d.e': 2}", "{'a.b': 1, 'c.d': {'e': 2}}");
    check_crumple("{'a': {}, 'b.c': []}", "{'a': {}, 'b': {'c': []}}");
}

static void check_crumple_error(const char *json, const char *expected)
{
    g_autoptr(QDict) d = dict(json);
    Error *err = NULL;

    g_assert_null(qdict_crumple(d, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, expected);
    error_free(err);
}

static void test_crumple_errors(void)
{
    check_crumple_error("{'a': 1, 'a.b': 2}",
                        "Cannot mix scalar and non-scalar keys");
    check_crumple_error("{'a.0': 1, 'a.b': 2}",
                        "Cannot mix list and non-list keys");
    check_crumple_error("{'a.0': 1, 'a.2': 2}",
                        "Key '1' of the list is missing");
    check_crumple_error("{'a': {'b': 1}}", "Value a is not flat");
}

static void test_rename(void)
{
    const QDictRenames renames[] = {
        { "old", "new" }, { "x", "y" }, { NULL, NULL }
    };
    QDict *d = dict("{'old': 1, 'z': 2}");
    Error *err = NULL;

    g_assert_true(qdict_rename_keys(d, renames, &error_abort));
    check_dict(d, "{'new': 1, 'z': 2}");

    d = dict("{'x': 1, 'y': 2}");
    g_assert_false(qdict_rename_keys(d, renames, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "'y' and its alias 'x' can't "
                    "be used at the same time");
    error_free(err);
    qobject_unref(d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block-qdict/defaults", test_defaults);
    g_test_add_func("/block-qdict/join", test_join);
    g_test_add_func("/block-qdict/flatten", test_flatten);
    g_test_add_func("/block-qdict/extract", test_extract);
    g_test_add_func("/block-qdict/array-split", test_array_split);
    g_test_add_func("/block-qdict/array-entries", test_array_entries);
    g_test_add_func("/block-qdict/crumple", test_crumple);
    g_test_add_func("/block-qdict/crumple/errors", test_crumple_errors);
    g_test_add_func("/block-qdict/rename", test_rename);
    return g_test_run();
}
