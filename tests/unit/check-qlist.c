/*
 * SPDX-License-Identifier: MIT
 *
 * Arrays.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"

static void test_order(void)
{
    g_autoptr(QList) l = qlist_new();
    const QListEntry *e;
    int i;

    for (i = 0; i < 5; i++) {
        qlist_append_int(l, i);
    }
    g_assert_cmpint(qlist_size(l), ==, 5);
    i = 0;
    for (e = qlist_first(l); e; e = qlist_next(e)) {
        QNum *n = qobject_to(QNum, qlist_entry_obj(e));

        g_assert_cmpint(qnum_get_int(n), ==, i++);
    }
    g_assert_cmpint(i, ==, 5);
}

static void test_pop(void)
{
    g_autoptr(QList) l = qlist_new();
    QObject *obj;

    g_assert_null(qlist_pop(l));
    g_assert_null(qlist_peek(l));
    qlist_append_str(l, "first");
    qlist_append_null(l);
    g_assert_cmpint(qobject_type(qlist_peek(l)), ==, QTYPE_QSTRING);
    obj = qlist_pop(l);
    g_assert_cmpstr(qstring_get_str(qobject_to(QString, obj)), ==, "first");
    qobject_unref(obj);
    g_assert_false(qlist_empty(l));
    obj = qlist_pop(l);
    g_assert_cmpint(qobject_type(obj), ==, QTYPE_QNULL);
    qobject_unref(obj);
    g_assert_true(qlist_empty(l));
}

static void test_copy(void)
{
    QList *l = qlist_new();
    g_autoptr(QList) copy = NULL;

    qlist_append_bool(l, true);
    copy = qlist_copy(l);
    qlist_append_bool(l, false);
    g_assert_cmpint(qlist_size(copy), ==, 1);
    g_assert_true(qlist_peek(copy) == qlist_peek(l));
    qobject_unref(l);
    g_assert_cmpint(qobject_type(qlist_peek(copy)), ==, QTYPE_QBOOL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qlist/order", test_order);
    g_test_add_func("/qlist/pop", test_pop);
    g_test_add_func("/qlist/copy", test_copy);
    return g_test_run();
}
