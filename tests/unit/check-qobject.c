/*
 * SPDX-License-Identifier: MIT
 *
 * References, types and equality of values.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"

static void test_references(void)
{
    QString *s = qstring_from_str("x");
    QList *l = qlist_new();

    g_assert_true(qobject_ref(s) == s);
    qlist_append(l, s);
    qobject_unref(l);
    /* Ours is left */
    g_assert_cmpint(s->base.refcnt, ==, 1);
    g_assert_cmpstr(qstring_get_str(s), ==, "x");
    qobject_unref(s);

    g_assert_null(qobject_ref((QString *)NULL));
    qobject_unref((QDict *)NULL);
}

static void test_null_is_one(void)
{
    QNull *a = qnull(), *b = qnull();

    g_assert_true(a == b);
    qobject_unref(a);
    qobject_unref(b);
    g_assert_cmpint(qobject_type(QOBJECT(&qnull_)), ==, QTYPE_QNULL);
}

static void test_to(void)
{
    g_autoptr(QNum) n = qnum_from_int(1);
    QObject *obj = QOBJECT(n);

    g_assert_true(qobject_to(QNum, obj) == n);
    g_assert_null(qobject_to(QString, obj));
    g_assert_null(qobject_to(QDict, obj));
    g_assert_null(qobject_to(QNum, NULL));
    g_assert_null(QOBJECT((QNum *)NULL));
}

static bool equal(const char *a, const char *b)
{
    g_autoptr(QObject) x = qobject_from_json(a, &error_abort);
    g_autoptr(QObject) y = qobject_from_json(b, &error_abort);
    bool eq = qobject_is_equal(x, y);

    g_assert_cmpint(qobject_is_equal(y, x), ==, eq);
    return eq;
}

static void test_equality(void)
{
    g_assert_true(qobject_is_equal(NULL, NULL));
    g_assert_false(qobject_is_equal(NULL, QOBJECT(&qnull_)));
    g_assert_true(equal("null", "null"));
    g_assert_true(equal("true", "true"));
    g_assert_false(equal("true", "false"));
    g_assert_false(equal("true", "1"));
    g_assert_true(equal("'a'", "\"a\""));
    g_assert_false(equal("'a'", "'A'"));
    g_assert_false(equal("'1'", "1"));
    g_assert_true(equal("18446744073709551615", "18446744073709551615"));
    g_assert_false(equal("18446744073709551615", "-1"));
    /* Numbers of different kinds are different. */
    g_assert_false(equal("1", "1.0"));
    g_assert_true(equal("1.5", "1.5"));
    g_assert_true(equal("[1, [2]]", "[1, [2]]"));
    g_assert_false(equal("[1, 2]", "[2, 1]"));
    g_assert_false(equal("[1]", "[1, 2]"));
    g_assert_true(equal("{'a': 1, 'b': {}}", "{'b': {}, 'a': 1}"));
    g_assert_false(equal("{'a': 1}", "{'a': 2}"));
    g_assert_false(equal("{'a': 1}", "{'b': 1}"));
    g_assert_false(equal("{'a': 1}", "{'a': 1, 'b': 1}"));
    g_assert_false(equal("{}", "[]"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qobject/references", test_references);
    g_test_add_func("/qobject/null", test_null_is_one);
    g_test_add_func("/qobject/to", test_to);
    g_test_add_func("/qobject/equality", test_equality);
    return g_test_run();
}
