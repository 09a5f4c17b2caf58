/*
 * SPDX-License-Identifier: MIT
 *
 * Strings.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qstring.h"

static void test_make(void)
{
    g_autoptr(QString) empty = qstring_new();
    g_autoptr(QString) copy = qstring_from_str("copy");

    g_assert_cmpstr(qstring_get_str(empty), ==, "");
    g_assert_cmpstr(qstring_get_str(copy), ==, "copy");
}

static void test_substr(void)
{
    g_autoptr(QString) middle = qstring_from_substr("virtualization", 3, 9);
    g_autoptr(QString) none = qstring_from_substr("x", 1, 1);

    g_assert_cmpstr(qstring_get_str(middle), ==, "tualiz");
    g_assert_cmpstr(qstring_get_str(none), ==, "");
}

static void test_gstring(void)
{
    g_autoptr(QString) s = qstring_from_gstring(g_string_new("taken"));

    g_assert_cmpstr(qstring_get_str(s), ==, "taken");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qstring/make", test_make);
    g_test_add_func("/qstring/substr", test_substr);
    g_test_add_func("/qstring/gstring", test_gstring);
    return g_test_run();
}
