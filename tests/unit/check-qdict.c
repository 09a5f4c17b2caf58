/*
 * SPDX-License-Identifier: MIT
 *
 * Objects: access, and the order in which members appear on the wire
 * (invariants in qobject/qdict.c).
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"

static void test_access(void)
{
    g_autoptr(QDict) d = qdict_new();

    qdict_put_int(d, "int", -7);
    qdict_put_bool(d, "bool", true);
    qdict_put_str(d, "str", "text");
    qdict_put_null(d, "null");
    qdict_put(d, "dict", qdict_new());
    qdict_put(d, "list", qlist_new());
    qdict_put(d, "double", qnum_from_double(2.5));
    g_assert_cmpint(qdict_size(d), ==, 7);
    g_assert_cmpint(qdict_get_int(d, "int"), ==, -7);
    g_assert_true(qdict_get_bool(d, "bool"));
    g_assert_cmpstr(qdict_get_str(d, "str"), ==, "text");
    g_assert_cmpint(qobject_type(qdict_get(d, "null")), ==, QTYPE_QNULL);
    g_assert_nonnull(qdict_get_qdict(d, "dict"));
    g_assert_nonnull(qdict_get_qlist(d, "list"));
    g_assert_cmpfloat(qdict_get_double(d, "double"), ==, 2.5);
    g_assert_cmpfloat(qdict_get_double(d, "int"), ==, -7);
    g_assert_null(qdict_get(d, "none"));
    g_assert_true(qdict_haskey(d, "null"));
    g_assert_false(qdict_haskey(d, "nul"));
}

static void test_try(void)
{
    g_autoptr(QDict) d = qdict_new();

    qdict_put_int(d, "int", 5);
    qdict_put_str(d, "str", "text");
    qdict_put_bool(d, "bool", false);
    g_assert_cmpint(qdict_get_try_int(d, "int", 1), ==, 5);
    g_assert_cmpint(qdict_get_try_int(d, "none", 1), ==, 1);
    g_assert_cmpint(qdict_get_try_int(d, "str", 1), ==, 1);
    g_assert_false(qdict_get_try_bool(d, "bool", true));
    g_assert_true(qdict_get_try_bool(d, "int", true));
    g_assert_cmpstr(qdict_get_try_str(d, "str"), ==, "text");
    g_assert_null(qdict_get_try_str(d, "int"));
    g_assert_null(qdict_get_qdict(d, "str"));
}

static void check_order(const QDict *d, const char *expected)
{
    g_autoptr(GString) keys = g_string_new(NULL);
    const QDictEntry *e;

    for (e = qdict_first(d); e; e = qdict_next(d, e)) {
        g_string_append_printf(keys, "%s%s", keys->len ? " " : "",
                               qdict_entry_key(e));
    }
    g_assert_cmpstr(keys->str, ==, expected);
}

/* Members in the order in which clients have always seen them. */
static void test_wire_order(void)
{
    QDict *d;

    d = qdict_from_jsonf_nofail("{'id': 1, 'error': 2}");
    check_order(d, "id error");
    qobject_unref(d);
    d = qdict_from_jsonf_nofail("{'id': 1, 'return': 2}");
    check_order(d, "return id");
    qobject_unref(d);
    d = qdict_from_jsonf_nofail("{'event': 1, 'data': 2, 'timestamp': 3}");
    check_order(d, "timestamp event data");
    qobject_unref(d);
    d = qdict_from_jsonf_nofail("{'major': 7, 'minor': 2, 'micro': 22}");
    check_order(d, "micro minor major");
    qobject_unref(d);
    d = qdict_from_jsonf_nofail(
        "{'type': 1, 'device': 2, 'len': 3, 'offset': 4, 'busy': 5,"
        " 'paused': 6, 'speed': 7, 'io-status': 8, 'ready': 9, 'status': 10,"
        " 'auto-finalize': 11, 'auto-dismiss': 12 }");
    check_order(d, "auto-finalize io-status device auto-dismiss busy len "
                   "offset status paused speed ready type");
    qobject_unref(d);
}

/* Two keys of the same bucket, found by search */
static void find_collision(char *a, char *b, size_t size)
{
    int i, j;

    for (i = 0; i < 200; i++) {
        for (j = i + 1; j < 200; j++) {
            g_autoptr(QDict) d = qdict_new();
            const QDictEntry *e, *f;

            snprintf(a, size, "key%d", i);
            snprintf(b, size, "key%d", j);
            qdict_put_null(d, a);
            qdict_put_null(d, b);
            e = qdict_first(d);
            f = qdict_next(d, e);
            if (e->bucket == f->bucket) {
                return;
            }
        }
    }
    g_assert_not_reached();
}

static void test_same_bucket(void)
{
    QDict *d = qdict_new();
    g_autoptr(QDict) copy = NULL;
    g_autofree char *order = NULL;
    char a[16], b[16];

    find_collision(a, b, sizeof(a));
    order = g_strdup_printf("%s %s", b, a);
    qdict_put_int(d, a, 1);
    qdict_put_int(d, b, 2);
    check_order(d, order);
    /* Another value does not move the key. */
    qdict_put_int(d, a, 3);
    check_order(d, order);
    copy = qdict_clone_shallow(d);
    qobject_unref(d);
    check_order(copy, order);
    g_assert_cmpint(qdict_get_int(copy, a), ==, 3);
    qdict_del(copy, b);
    check_order(copy, a);
}

static void test_delete(void)
{
    g_autoptr(QDict) d = qdict_new();
    char key[16];
    int i;

    for (i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        qdict_put_int(d, key, i);
    }
    g_assert_cmpint(qdict_size(d), ==, 1000);
    for (i = 0; i < 1000; i += 2) {
        snprintf(key, sizeof(key), "%d", i);
        qdict_del(d, key);
        qdict_del(d, key);
    }
    g_assert_cmpint(qdict_size(d), ==, 500);
    for (i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        g_assert_cmpint(qdict_get_try_int(d, key, -1), ==, i % 2 ? i : -1);
    }
}

/* The entry after one that is deleted stays where it can be gone on from. */
static void test_delete_while_iterating(void)
{
    g_autoptr(QDict) d = qdict_from_jsonf_nofail(
        "{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5}");
    const QDictEntry *e, *next;
    int seen = 0;

    for (e = qdict_first(d); e; e = next) {
        next = qdict_next(d, e);
        seen |= 1 << qnum_get_int(qobject_to(QNum, qdict_entry_value(e)));
        qdict_del(d, qdict_entry_key(e));
    }
    g_assert_cmphex(seen, ==, 0x3e);
    g_assert_cmpint(qdict_size(d), ==, 0);
    g_assert_null(qdict_first(d));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qdict/access", test_access);
    g_test_add_func("/qdict/try", test_try);
    g_test_add_func("/qdict/order/wire", test_wire_order);
    g_test_add_func("/qdict/order/same-bucket", test_same_bucket);
    g_test_add_func("/qdict/delete", test_delete);
    g_test_add_func("/qdict/delete-while-iterating",
                    test_delete_while_iterating);
    return g_test_run();
}
