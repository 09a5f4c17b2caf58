/*
 * SPDX-License-Identifier: MIT
 *
 * Whatever is written by a visitor is read back as the same.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qapi/string-input-visitor.h"
#include "qapi/string-output-visitor.h"
#include "test-qapi-visit-test-schema.h"

/* @json, read and written as a @type, is @json. */
#define check_round_trip(type, json) do {                               \
        g_autoptr(QObject) obj_ = qobject_from_json(json, &error_abort); \
        g_autoptr(Visitor) in_ = qobject_input_visitor_new(obj_);       \
        QObject *ret_;                                                  \
        g_autoptr(Visitor) out_ = qobject_output_visitor_new(&ret_);    \
        type *value_ = NULL;                                            \
                                                                        \
        visit_type_##type(in_, NULL, &value_, &error_abort);            \
        visit_type_##type(out_, NULL, &value_, &error_abort);           \
        visit_complete(out_, &ret_);                                    \
        qapi_free_##type(value_);                                       \
        check_json(ret_, json);                                         \
    } while (0)

static void test_qobject(void)
{
    check_round_trip(Scalars, "{'int': -1, 'i8': -128, 'i16': -32768,"
        " 'i32': -2147483648, 'i64': -9223372036854775808, 'u8': 255,"
        " 'u16': 65535, 'u32': 4294967295, 'u64': 18446744073709551615,"
        " 'size': 18446744073709551615, 'bool': true, 'str': '\\u0000\\n',"
        " 'number': 0.1, 'color': 'red', 'any': {'x': [null]},"
        " 'null': null}");
    check_round_trip(Lists, "{'ints': [1, -2], 'strs': ['', 'a'],"
        " 'u16s': [], 'bools': [true, false], 'colors': ['blue', 'red'],"
        " 'structs': [{'x': 1, 'y': 2}], 'eithers': ['a', 1,"
        " {'x': 3, 'y': 4}]}");
    check_round_trip(Options, "{}");
    check_round_trip(Options, "{'sub': {'sub': {'sub': {'list': [{}]}}}}");
    check_round_trip(Shape, "{'color': 'red', 'x': 1, 'y': 2}");
    check_round_trip(EitherList, "['x', 1, {'x': 1, 'y': 2}]");
}

static void check_string(int64_t value)
{
    char *text;
    Visitor *out = string_output_visitor_new(false, &text);
    Visitor *in;
    int64_t got = 0;

    visit_type_int(out, NULL, &value, &error_abort);
    visit_complete(out, &text);
    visit_free(out);
    in = string_input_visitor_new(text);
    visit_type_int(in, NULL, &got, &error_abort);
    visit_free(in);
    g_free(text);
    g_assert_cmpint(got, ==, value);
}

static void test_string(void)
{
    check_string(0);
    check_string(-1);
    check_string(INT64_MIN);
    check_string(INT64_MAX);
}

static void test_number_text(void)
{
    static const double values[] = { 0.1, 1e-300, 1.7976931348623157e308,
                                     -2.2250738585072014e-308, 1.0 / 3 };
    int i;

    for (i = 0; i < ARRAY_SIZE(values); i++) {
        g_autoptr(QNum) num = qnum_from_double(values[i]);
        g_autofree char *text = qnum_to_string(num);
        g_autoptr(QObject) back = qobject_from_json(text, &error_abort);

        g_assert_true(qnum_get_double(qobject_to(QNum, back)) == values[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/serialization/qobject", test_qobject);
    g_test_add_func("/serialization/string", test_string);
    g_test_add_func("/serialization/number", test_number_text);
    return g_test_run();
}
