/*
 * SPDX-License-Identifier: MIT
 *
 * Numbers: ranges of the integer kinds, text.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qnum.h"

static void test_signed(void)
{
    g_autoptr(QNum) n = qnum_from_int(-42);
    int64_t i = 0;
    uint64_t u = 0;

    g_assert_true(qnum_get_try_int(n, &i));
    g_assert_cmpint(i, ==, -42);
    g_assert_false(qnum_get_try_uint(n, &u));
    g_assert_cmpfloat(qnum_get_double(n), ==, -42.0);
}

static void test_small_unsigned(void)
{
    g_autoptr(QNum) n = qnum_from_uint(INT64_MAX);

    g_assert_cmpint(qnum_get_int(n), ==, INT64_MAX);
    g_assert_cmpuint(qnum_get_uint(n), ==, INT64_MAX);
}

static void test_large_unsigned(void)
{
    g_autoptr(QNum) n = qnum_from_uint((uint64_t)INT64_MAX + 1);
    int64_t i;

    g_assert_false(qnum_get_try_int(n, &i));
    g_assert_cmpuint(qnum_get_uint(n), ==, (uint64_t)INT64_MAX + 1);
}

static void test_double(void)
{
    g_autoptr(QNum) n = qnum_from_double(1.0);
    int64_t i;
    uint64_t u;

    g_assert_cmpfloat(qnum_get_double(n), ==, 1.0);
    /* A double is no integer, whatever its value. */
    g_assert_false(qnum_get_try_int(n, &i));
    g_assert_false(qnum_get_try_uint(n, &u));
}

static void check_text(QNum *n, const char *expected)
{
    g_autofree char *text = qnum_to_string(n);

    g_assert_cmpstr(text, ==, expected);
    qobject_unref(n);
}

static void test_text(void)
{
    check_text(qnum_from_int(INT64_MIN), "-9223372036854775808");
    check_text(qnum_from_uint(UINT64_MAX), "18446744073709551615");
    check_text(qnum_from_double(0.1), "0.10000000000000001");
    check_text(qnum_from_double(1), "1");
    check_text(qnum_from_double(-0.0), "-0");
    check_text(qnum_from_double(1e300), "1.0000000000000001e+300");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qnum/signed", test_signed);
    g_test_add_func("/qnum/unsigned/small", test_small_unsigned);
    g_test_add_func("/qnum/unsigned/large", test_large_unsigned);
    g_test_add_func("/qnum/double", test_double);
    g_test_add_func("/qnum/text", test_text);
    return g_test_run();
}
