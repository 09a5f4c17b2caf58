/*
 * SPDX-License-Identifier: MIT
 *
 * Scalars and lists of integers from and to text.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/string-input-visitor.h"
#include "qapi/string-output-visitor.h"
#include "test-qapi-visit-test-schema.h"

#define check_in(type, ctype, text, value) do {                         \
        g_autoptr(Visitor) v_ = string_input_visitor_new(text);         \
        ctype got_ = 0;                                                 \
                                                                        \
        g_assert_true(visit_type_##type(v_, "p", &got_, &error_abort)); \
        g_assert_true(got_ == (value));                                 \
    } while (0)

#define check_in_error(type, ctype, text, msg) do {                     \
        g_autoptr(Visitor) v_ = string_input_visitor_new(text);         \
        ctype got_ = 0;                                                 \
        Error *err_ = NULL;                                             \
                                                                        \
        g_assert_false(visit_type_##type(v_, "p", &got_, &err_));       \
        check_error(err_, msg);                                         \
    } while (0)

static void test_in_scalars(void)
{
    g_autoptr(Visitor) v = string_input_visitor_new("text");
    g_autofree char *str = NULL;

    check_in(int, int64_t, "-5", -5);
    check_in(uint8, uint8_t, "0xff", 255);
    check_in(size, uint64_t, "1.5M", 1572864);
    check_in(bool, bool, "off", false);
    check_in(bool, bool, "y", true);
    check_in(number, double, "2.5", 2.5);
    check_in(Color, Color, "blue", COLOR_BLUE);
    visit_type_str(v, "p", &str, &error_abort);
    g_assert_cmpstr(str, ==, "text");
}

static void test_in_errors(void)
{
    check_in_error(int, int64_t, "5x", "Invalid parameter type for 'p', "
                                       "expected: int64");
    check_in_error(uint8, uint8_t, "256", "Parameter 'p' expects uint8_t");
    check_in_error(bool, bool, "maybe", "Parameter 'p' expects 'on' or "
                                        "'off'");
    check_in_error(number, double, "inf", "Invalid parameter type for 'p', "
                                          "expected: number");
    check_in_error(Color, Color, "pink", "Parameter 'p' does not accept "
                                         "value 'pink'");
    check_in_error(Point, Point *, "x", "Parameter 'p' cannot be given as "
                                        "text");
}

static void check_list(const char *text, const char *expected)
{
    g_autoptr(Visitor) v = string_input_visitor_new(text);
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(intList) list = NULL;
    intList *l;

    visit_type_intList(v, "p", &list, &error_abort);
    for (l = list; l; l = l->next) {
        g_string_append_printf(got, "%" PRId64 " ", l->value);
    }
    g_assert_cmpstr(got->str, ==, expected);
}

static void test_in_list(void)
{
    check_list("", "");
    check_list("7", "7 ");
    check_list("1,4-7,2", "1 4 5 6 7 2 ");
    check_list("-2-1", "-2 -1 0 1 ");
    check_list("9223372036854775807", "9223372036854775807 ");
    check_in_error(intList, intList *, "1,",
                   "Parameter 'null' expects list of int64 values or "
                   "ranges");
    check_in_error(intList, intList *, "2-1",
                   "Parameter 'null' expects list of int64 values or "
                   "ranges");
    check_in_error(intList, intList *, "0-65536",
                   "Parameter 'null' expects list of int64 values or "
                   "ranges");
    check_in_error(intList, intList *, "1 2",
                   "Parameter 'null' expects list of int64 values or "
                   "ranges");
    check_in_error(uint64List, uint64List *, "1,-x",
                   "Parameter 'null' expects list of uint64 values or "
                   "ranges");
}

#define check_out(type, value, human, text) do {                        \
        char *got_;                                                     \
        Visitor *v_ = string_output_visitor_new(human, &got_);          \
                                                                        \
        visit_type_##type(v_, "p", value, &error_abort);                \
        visit_complete(v_, &got_);                                      \
        visit_free(v_);                                                 \
        g_assert_cmpstr(got_, ==, text);                                \
        g_free(got_);                                                   \
    } while (0)

static void test_out_scalars(void)
{
    char *str = (char *)"s", *null = NULL;

    check_out(int, &(int64_t) { -1 }, false, "-1");
    check_out(int, &(int64_t) { 16 }, true, "16 (0x10)");
    check_out(uint64, &(uint64_t) { UINT64_MAX }, false,
              "18446744073709551615");
    check_out(size, &(uint64_t) { 1 * MiB }, false, "1048576");
    check_out(size, &(uint64_t) { 1 * MiB }, true, "1048576 (1 MiB)");
    check_out(bool, &(bool) { true }, false, "true");
    check_out(str, &str, false, "s");
    check_out(str, &str, true, "\"s\"");
    check_out(str, &null, true, "<null>");
    check_out(number, &(double) { 0.5 }, false, "0.5");
    check_out(Color, &(Color) { COLOR_RED }, false, "red");
}

static void test_out_list(void)
{
    g_autoptr(intList) list = NULL;
    g_autoptr(uint64List) big = NULL;
    intList **tail = &list;
    Point *p = &(Point) { 1, 2 };

    check_out(intList, &list, true, "");
    QAPI_LIST_APPEND(tail, -1);
    QAPI_LIST_APPEND(tail, 0);
    QAPI_LIST_APPEND(tail, 1);
    QAPI_LIST_APPEND(tail, 9);
    check_out(intList, &list, false, "-1-1,9");
    check_out(intList, &list->next, true, "0-1,9 (0x0-0x1,0x9)");
    QAPI_LIST_PREPEND(big, 0);
    QAPI_LIST_PREPEND(big, UINT64_MAX);
    check_out(uint64List, &big, false, "18446744073709551615,0");
    check_out(Point, &p, false, "<omitted>");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/string/in/scalars", test_in_scalars);
    g_test_add_func("/string/in/errors", test_in_errors);
    g_test_add_func("/string/in/list", test_in_list);
    g_test_add_func("/string/out/scalars", test_out_scalars);
    g_test_add_func("/string/out/list", test_out_list);
    return g_test_run();
}
