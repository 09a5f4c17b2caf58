/*
 * SPDX-License-Identifier: MIT
 *
 * From C to JSON.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/qobject-output-visitor.h"
#include "test-qapi-visit-test-schema.h"

/* Visiting @value as a @type gives @json. */
#define check_output(type, value, json) do {                            \
        QObject *ret_;                                                  \
        g_autoptr(Visitor) v_ = qobject_output_visitor_new(&ret_);      \
                                                                        \
        g_assert_true(visit_type_##type(v_, NULL, value, &error_abort)); \
        visit_complete(v_, &ret_);                                      \
        check_json(ret_, json);                                         \
    } while (0)

static void test_scalars(void)
{
    char *null_str = NULL, *str = (char *)"x";
    g_autoptr(QObject) any = qobject_from_json("[1]", &error_abort);

    check_output(int, &(int64_t) { INT64_MIN }, "-9223372036854775808");
    check_output(uint64, &(uint64_t) { UINT64_MAX }, "18446744073709551615");
    check_output(uint8, &(uint8_t) { 255 }, "255");
    check_output(int8, &(int8_t) { -1 }, "-1");
    check_output(size, &(uint64_t) { 4096 }, "4096");
    check_output(bool, &(bool) { true }, "true");
    check_output(number, &(double) { 0.5 }, "0.5");
    check_output(str, &str, "'x'");
    check_output(str, &null_str, "''");
    check_output(Color, &(Color) { COLOR_LIGHT_GREEN }, "'light-green'");
    check_output(any, &any, "[1]");
    check_output(null, &(QNull *) { NULL }, "null");
}

static void test_struct(void)
{
    Options sub = { .has_str = true, .str = (char *)"s" };
    intList two = { NULL, 2 }, one = { &two, 1 };
    Options *o = &(Options) {
        .has_q_int = true, .q_int = 1,
        .has_sub = true, .sub = &sub,
        .has_ints = true, .ints = &one,
        .str = (char *)"not there",
    };

    check_output(Options, &o, "{'int': 1, 'sub': {'str': 's'},"
                              " 'ints': [1, 2]}");
}

static void test_empty(void)
{
    Empty *e = &(Empty) { 0 };
    PointList *none = NULL;

    check_output(Empty, &e, "{}");
    check_output(PointList, &none, "[]");
}

static void test_union(void)
{
    Shape *s = &(Shape) {
        .color = COLOR_BLUE,
        .u.blue = { .x = 1, .y = 2, .name = (char *)"n" },
    };

    check_output(Shape, &s, "{'color': 'blue', 'x': 1, 'y': 2,"
                            " 'name': 'n'}");
    s->color = COLOR_LIGHT_GREEN;
    check_output(Shape, &s, "{'color': 'light-green'}");
}

static void test_alternate(void)
{
    Either *e = &(Either) { .type = QTYPE_QNUM, .u.i = 3 };

    check_output(Either, &e, "3");
    *e = (Either) { .type = QTYPE_QDICT, .u.p = { 1, 2 } };
    check_output(Either, &e, "{'x': 1, 'y': 2}");
}

/* The result may be thrown away. */
static void test_incomplete(void)
{
    QObject *ret;
    Visitor *v = qobject_output_visitor_new(&ret);

    visit_start_struct(v, NULL, NULL, 0, &error_abort);
    visit_type_int(v, "a", &(int64_t) { 1 }, &error_abort);
    visit_free(v);
    g_assert_null(ret);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/output/scalars", test_scalars);
    g_test_add_func("/output/struct", test_struct);
    g_test_add_func("/output/empty", test_empty);
    g_test_add_func("/output/union", test_union);
    g_test_add_func("/output/alternate", test_alternate);
    g_test_add_func("/output/incomplete", test_incomplete);
    return g_test_run();
}
