/*
 * SPDX-License-Identifier: MIT
 *
 * Deep copies, and freeing of what is complete or not.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/clone-visitor.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "test-qapi-visit-test-schema.h"

#define EXAMPLE "{'int': 1, 'str': 's', 'sub': {'str': 't', 'color': 'blue'}," \
    " 'list': [{'u8': 3}, {}], 'ints': [4, 5], 'either': {'x': 6, 'y': 7}," \
    " 'null': null}"

static Options *example(void)
{
    g_autoptr(QObject) obj = qobject_from_json(EXAMPLE, &error_abort);
    g_autoptr(Visitor) v = qobject_input_visitor_new(obj);
    Options *o;

    visit_type_Options(v, NULL, &o, &error_abort);
    return o;
}

static void check_example(Options *o)
{
    QObject *ret;
    g_autoptr(Visitor) v = qobject_output_visitor_new(&ret);

    visit_type_Options(v, NULL, &o, &error_abort);
    visit_complete(v, &ret);
    check_json(ret, EXAMPLE);
}

static void test_clone(void)
{
    Options *src = example();
    g_autoptr(Options) copy = QAPI_CLONE(Options, src);

    g_assert_true(copy != src && copy->str != src->str);
    g_assert_true(copy->list != src->list && copy->either != src->either);
    qapi_free_Options(src);
    check_example(copy);
}

static void test_clone_list(void)
{
    intList *src = NULL;
    g_autoptr(intList) copy = NULL;

    QAPI_LIST_PREPEND(src, 2);
    QAPI_LIST_PREPEND(src, 1);
    copy = QAPI_CLONE(intList, src);
    qapi_free_intList(src);
    g_assert_cmpint(copy->value, ==, 1);
    g_assert_cmpint(copy->next->value, ==, 2);
    g_assert_null(copy->next->next);
}

static void test_clone_alternate(void)
{
    Either *src = g_new0(Either, 1);
    g_autoptr(Either) copy = NULL;

    src->type = QTYPE_QSTRING;
    src->u.s = g_strdup("x");
    copy = QAPI_CLONE(Either, src);
    qapi_free_Either(src);
    g_assert_cmpstr(copy->u.s, ==, "x");
}

static void test_clone_members(void)
{
    Options *src = example();
    g_autoptr(Options) dst = g_new(Options, 1);

    QAPI_CLONE_MEMBERS(Options, dst, src);
    qapi_free_Options(src);
    check_example(dst);
}

static void test_append(void)
{
    g_autoptr(strList) list = NULL;
    strList **tail = &list;

    g_assert_cmpint(QAPI_LIST_LENGTH(list), ==, 0);
    QAPI_LIST_APPEND(tail, g_strdup("a"));
    QAPI_LIST_APPEND(tail, g_strdup("b"));
    g_assert_cmpint(QAPI_LIST_LENGTH(list), ==, 2);
    g_assert_cmpstr(list->value, ==, "a");
    g_assert_cmpstr(list->next->value, ==, "b");
}

/* What a program has built so far */
static void test_free_partial(void)
{
    Options *o = g_new0(Options, 1);

    qapi_free_Options(NULL);
    o->has_sub = true;
    o->has_list = true;
    o->list = g_new0(OptionsList, 1);
    o->has_either = true;
    o->either = g_new0(Either, 1);
    qapi_free_Options(o);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clone/struct", test_clone);
    g_test_add_func("/clone/list", test_clone_list);
    g_test_add_func("/clone/alternate", test_clone_alternate);
    g_test_add_func("/clone/members", test_clone_members);
    g_test_add_func("/list/append", test_append);
    g_test_add_func("/dealloc/partial", test_free_partial);
    return g_test_run();
}
