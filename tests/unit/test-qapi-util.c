/*
 * SPDX-License-Identifier: MIT
 *
 * Names of enumerations, booleans as text, names of the schema language.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/util.h"
#include "test-qapi-types-test-schema.h"

static void test_enum_parse(void)
{
    Error *err = NULL;

    g_assert_cmpint(qapi_enum_parse(&Color_lookup, "blue", -1,
                                    &error_abort), ==, COLOR_BLUE);
    g_assert_cmpint(qapi_enum_parse(&Color_lookup, NULL, 7, &error_abort),
                    ==, 7);
    g_assert_cmpint(qapi_enum_parse(&Color_lookup, "Blue", -1, NULL), ==,
                    -1);
    g_assert_cmpint(qapi_enum_parse(&Color_lookup, "pink", -1, &err), ==,
                    -1);
    check_error(err, "invalid parameter value: pink");
    g_assert_cmpstr(Color_str(COLOR_LIGHT_GREEN), ==, "light-green");
    g_assert_cmpint(Color_lookup.size, ==, COLOR__MAX);
    g_assert_cmpstr(QType_str(QTYPE_QDICT), ==, "qdict");
}

static void check_bool(const char *text, bool expected)
{
    bool got = !expected;

    g_assert_true(qapi_bool_parse("p", text, &got, &error_abort));
    g_assert_cmpint(got, ==, expected);
}

static void test_bool_parse(void)
{
    Error *err = NULL;
    bool b;

    check_bool("on", true);
    check_bool("yes", true);
    check_bool("true", true);
    check_bool("y", true);
    check_bool("off", false);
    check_bool("no", false);
    check_bool("false", false);
    check_bool("n", false);
    g_assert_false(qapi_bool_parse("p", "1", &b, &err));
    check_error(err, "Parameter 'p' expects 'on' or 'off'");
}

static void test_names(void)
{
    g_assert_cmpint(parse_qapi_name("a", true), ==, 1);
    g_assert_cmpint(parse_qapi_name("a-b_c1", true), ==, 6);
    g_assert_cmpint(parse_qapi_name("a.b", false), ==, 1);
    g_assert_cmpint(parse_qapi_name("a.b", true), ==, -1);
    g_assert_cmpint(parse_qapi_name("", false), ==, -1);
    g_assert_cmpint(parse_qapi_name("1a", false), ==, -1);
    g_assert_cmpint(parse_qapi_name("-a", false), ==, -1);
    g_assert_cmpint(parse_qapi_name("_a", false), ==, -1);
    g_assert_cmpint(parse_qapi_name("__org.example_a", true), ==, 15);
    g_assert_cmpint(parse_qapi_name("__org.example", false), ==, -1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qapi/enum-parse", test_enum_parse);
    g_test_add_func("/qapi/bool-parse", test_bool_parse);
    g_test_add_func("/qapi/names", test_names);
    return g_test_run();
}
