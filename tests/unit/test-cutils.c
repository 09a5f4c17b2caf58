/*
 * SPDX-License-Identifier: MIT
 *
 * Strings, numbers, sizes; names; buffers of zeroes.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/id.h"
#include "qemu/units.h"
#include <math.h>

/* ---- Strings ---- */

static void test_strings(void)
{
    const char *rest = NULL;
    char buf[6];

    pstrcpy(buf, sizeof(buf), "abcdefgh");
    g_assert_cmpstr(buf, ==, "abcde");
    pstrcpy(buf, 3, "xyz");
    g_assert_cmpstr(buf, ==, "xy");
    g_assert_true(pstrcat(buf, sizeof(buf), "12345") == buf);
    g_assert_cmpstr(buf, ==, "xy123");
    strpadcpy(buf, 5, "ab", '.');
    g_assert_cmpmem(buf, 5, "ab...", 5);
    strpadcpy(buf, 3, "abcdef", '.');
    g_assert_cmpmem(buf, 5, "abc..", 5);
    g_assert_cmpint(qemu_strnlen("abc", 2), ==, 2);
    g_assert_cmpint(qemu_strnlen("abc", 9), ==, 3);

    g_assert_true(strstart("json:{}", "json:", &rest));
    g_assert_cmpstr(rest, ==, "{}");
    g_assert_false(strstart("jso", "json:", &rest));
    g_assert_false(strstart("JSON:", "json:", NULL));
    g_assert_true(stristart("JSON:x", "json:", &rest));
    g_assert_cmpstr(rest, ==, "x");
}

static void test_ids(void)
{
    static const char *const good[] = { "a", "Z9", "a-b.c_d" };
    static const char *const bad[] = { "", "1a", "-a", "_a", ".a", "a b",
                                       "a/b", "#a", "\xc3\xa4", "a\xc3\xa4" };
    g_autofree char *one = id_generate(ID_BLOCK);
    g_autofree char *two = id_generate(ID_BLOCK);
    size_t i;

    for (i = 0; i < ARRAY_SIZE(good); i++) {
        g_assert_true(id_wellformed(good[i]));
    }
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_assert_false(id_wellformed(bad[i]));
    }
    g_assert_true(g_str_has_prefix(one, "#block"));
    g_assert_false(id_wellformed(one));
    g_assert_cmpstr(one, !=, two);
}

/* ---- Whole numbers ---- */

/* What is left is @rest; NULL: nothing was read. */
static void assert_i64(const char *s, int base, int ret, int64_t value,
                       const char *rest)
{
    const char *end = "?";
    int64_t v = 77;

    g_assert_cmpint(qemu_strtoi64(s, &end, base, &v), ==, ret);
    g_assert_cmpint(v, ==, value);
    g_assert_cmpstr(end, ==, rest ? rest : s);
    g_assert_cmpint(qemu_strtoi64(s, NULL, base, &v), ==,
                    ret == -EINVAL || *end ? -EINVAL : ret);
}

static void test_signed(void)
{
    int v;
    long l;

    assert_i64("123", 0, 0, 123, "");
    assert_i64(" -12x", 10, 0, -12, "x");
    assert_i64("0x1f", 0, 0, 31, "");
    assert_i64("0x1f", 10, 0, 0, "x1f");
    assert_i64("012", 0, 0, 10, "");
    assert_i64("12", 8, 0, 10, "");
    assert_i64("9223372036854775807", 0, 0, INT64_MAX, "");
    assert_i64("9223372036854775808", 0, -ERANGE, INT64_MAX, "");
    assert_i64("-9223372036854775809z", 0, -ERANGE, INT64_MIN, "z");
    assert_i64("", 0, -EINVAL, 0, NULL);
    assert_i64("x", 0, -EINVAL, 0, NULL);
    assert_i64("  +", 0, -EINVAL, 0, NULL);
    assert_i64(NULL, 0, -EINVAL, 0, NULL);

    g_assert_cmpint(qemu_strtoi("2147483647", NULL, 0, &v), ==, 0);
    g_assert_cmpint(v, ==, INT_MAX);
    g_assert_cmpint(qemu_strtoi("2147483648", NULL, 0, &v), ==, -ERANGE);
    g_assert_cmpint(v, ==, INT_MAX);
    g_assert_cmpint(qemu_strtoi("-2147483649", NULL, 0, &v), ==, -ERANGE);
    g_assert_cmpint(v, ==, INT_MIN);
    g_assert_cmpint(qemu_strtol("-5", NULL, 0, &l), ==, 0);
    g_assert_cmpint(l, ==, -5);
}

static void test_unsigned(void)
{
    const char *end;
    uint64_t u64;
    unsigned u;
    unsigned long ul;

    g_assert_cmpint(qemu_strtou64("18446744073709551615", NULL, 0, &u64), ==,
                    0);
    g_assert_cmpuint(u64, ==, UINT64_MAX);
    g_assert_cmpint(qemu_strtou64("18446744073709551616 ", &end, 0, &u64), ==,
                    -ERANGE);
    g_assert_cmpuint(u64, ==, UINT64_MAX);
    g_assert_cmpstr(end, ==, " ");
    g_assert_cmpint(qemu_strtou64("-1", NULL, 0, &u64), ==, 0);
    g_assert_cmpuint(u64, ==, UINT64_MAX);
    g_assert_cmpint(qemu_strtou64("-", NULL, 0, &u64), ==, -EINVAL);
    g_assert_cmpint(qemu_strtou64(NULL, &end, 0, &u64), ==, -EINVAL);
    g_assert_null(end);
    g_assert_cmpint(qemu_strtoui("4294967295", NULL, 0, &u), ==, 0);
    g_assert_cmpuint(u, ==, UINT_MAX);
    g_assert_cmpint(qemu_strtoui("4294967296", NULL, 0, &u), ==, -ERANGE);
    g_assert_cmpuint(u, ==, UINT_MAX);
    g_assert_cmpint(qemu_strtoul("0xfff", NULL, 16, &ul), ==, 0);
    g_assert_cmpuint(ul, ==, 0xfff);
}

static void test_plain_unsigned(void)
{
    unsigned long long v;
    char *end;

    g_assert_cmpint(parse_uint("123abc", &v, &end, 0), ==, 0);
    g_assert_cmpuint(v, ==, 123);
    g_assert_cmpstr(end, ==, "abc");
    g_assert_cmpint(parse_uint_full("123abc", &v, 0), ==, -EINVAL);
    g_assert_cmpuint(v, ==, 0);
    g_assert_cmpint(parse_uint_full("0x10", &v, 0), ==, 0);
    g_assert_cmpuint(v, ==, 16);
    g_assert_cmpint(parse_uint("-1", &v, &end, 0), ==, -EINVAL);
    g_assert_cmpstr(end, ==, "-1");
    g_assert_cmpint(parse_uint("", &v, &end, 0), ==, -EINVAL);
    g_assert_cmpint(parse_uint_full("99999999999999999999", &v, 0), ==,
                    -ERANGE);
    g_assert_cmpuint(v, ==, ULLONG_MAX);
}

static void test_floats(void)
{
    const char *end;
    double v = 0;

    g_assert_cmpint(qemu_strtod("1.5e2x", &end, &v), ==, 0);
    g_assert_cmpfloat(v, ==, 150);
    g_assert_cmpstr(end, ==, "x");
    g_assert_cmpint(qemu_strtod("1.5e2x", NULL, &v), ==, -EINVAL);
    g_assert_cmpint(qemu_strtod("inf", NULL, &v), ==, 0);
    g_assert_true(isinf(v));
    v = 7;
    g_assert_cmpint(qemu_strtod_finite("inf", &end, &v), ==, -EINVAL);
    g_assert_cmpstr(end, ==, "inf");
    g_assert_cmpint(qemu_strtod_finite("nan", &end, &v), ==, -EINVAL);
    g_assert_cmpint(qemu_strtod_finite("", &end, &v), ==, -EINVAL);
    g_assert_cmpfloat(v, ==, 7);
    g_assert_cmpint(qemu_strtod_finite("-0.25", NULL, &v), ==, 0);
    g_assert_cmpfloat(v, ==, -0.25);
    g_assert_cmpint(qemu_strtod_finite("1e999", NULL, &v), ==, -ERANGE);
}

/* ---- Sizes ---- */

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        { "0", 0 }, { "00", 0 }, { "08", 8 }, { "512", 512 }, { "+1", 1 },
        { " 3k", 3 * KiB }, { "0x10", 16 }, { "0xB", 11 }, { "1b", 1 },
        { "2K", 2 * KiB }, { "2M", 2 * MiB }, { "2g", 2 * GiB },
        { "2T", 2 * TiB }, { "2p", 2 * PiB }, { "2E", 2 * EiB },
        { "1.5k", 1536 }, { "0.5M", 512 * KiB }, { "1.0", 1 },
        { "1.M", MiB }, { "9007199254740993", 9007199254740993 },
        { "18446744073709551615", UINT64_MAX },
    };
    static const char *const bad[] = {
        "", "k", "-1", "1 k", "1kb", "1x", ".5k", "1.5", "1.5b", "0x",
        "0x1.5k", "+-1", "++1", "one",
    };
    static const char *const large[] = { "16E", "18446744073709551616",
                                         "18014398509481984k" };
    uint64_t v;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(good); i++) {
        g_assert_cmpint(qemu_strtosz(good[i].text, NULL, &v), ==, 0);
        g_assert_cmpuint(v, ==, good[i].value);
    }
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_assert_cmpint(qemu_strtosz(bad[i], NULL, &v), ==, -EINVAL);
    }
    for (i = 0; i < ARRAY_SIZE(large); i++) {
        g_assert_cmpint(qemu_strtosz(large[i], NULL, &v), ==, -ERANGE);
    }
    g_assert_cmpint(qemu_strtosz(NULL, NULL, &v), ==, -EINVAL);
}

static void test_units(void)
{
    const char *end;
    uint64_t v;

    g_assert_cmpint(qemu_strtosz_MiB("3", NULL, &v), ==, 0);
    g_assert_cmpuint(v, ==, 3 * MiB);
    g_assert_cmpint(qemu_strtosz_MiB("3B", NULL, &v), ==, 0);
    g_assert_cmpuint(v, ==, 3);
    g_assert_cmpint(qemu_strtosz_metric("12.345M", NULL, &v), ==, 0);
    g_assert_cmpuint(v, ==, 12345000);
    g_assert_cmpint(qemu_strtosz("12k,x", &end, &v), ==, 0);
    g_assert_cmpuint(v, ==, 12 * KiB);
    g_assert_cmpstr(end, ==, ",x");
    g_assert_cmpint(qemu_strtosz("x12", &end, &v), ==, -EINVAL);
    g_assert_cmpstr(end, ==, "x12");
}

static void test_size_to_str(void)
{
    static const struct {
        uint64_t value;
        const char *text;
    } cases[] = {
        { 0, "0 B" }, { 512, "512 B" }, { 999, "999 B" },
        { 1000, "0.977 KiB" }, { 1024, "1 KiB" }, { 1536, "1.5 KiB" },
        { 10 * GiB, "10 GiB" }, { UINT64_MAX, "16 EiB" },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *text = size_to_str(cases[i].value);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

/* ---- Buffers ---- */

/* One byte anywhere counts; what lies around does not. */
static void test_zeroes(void)
{
    static const size_t lens[] = { 0, 1, 7, 8, 63, 64, 65, 255, 256, 257,
                                   4096, 4099 };
    uint8_t buf[5000];
    size_t i, len, at, start;

    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        len = lens[i];
        for (start = 1; start < 70; start += 17) {
            memset(buf, 0xff, sizeof(buf));
            memset(buf + start, 0, len);
            g_assert_true(buffer_is_zero(buf + start, len));
            for (at = 0; at < len; at += 1 + at / 3) {
                buf[start + at] = 0x80;
                g_assert_false(buffer_is_zero(buf + start, len));
                buf[start + at] = 0;
            }
            if (len) {
                buf[start + len - 1] = 1;
                g_assert_false(buffer_is_zero(buf + start, len));
            }
        }
    }
}

static void test_hexdump(void)
{
    g_autofree char *text = NULL;
    size_t size;
    FILE *fp = open_memstream(&text, &size);

    qemu_hexdump(fp, "p", "0123456789abcdef\x01Z", 18);
    fclose(fp);
    g_assert_true(g_str_has_prefix(text, "p: 0000:  30 31 32 33  34 "));
    g_assert_nonnull(strstr(text, "0123456789abcdef\np: 0010:  01 5a"));
    g_assert_true(g_str_has_suffix(text, "   .Z\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cutils/strings", test_strings);
    g_test_add_func("/cutils/ids", test_ids);
    g_test_add_func("/cutils/signed", test_signed);
    g_test_add_func("/cutils/unsigned", test_unsigned);
    g_test_add_func("/cutils/plain-unsigned", test_plain_unsigned);
    g_test_add_func("/cutils/floats", test_floats);
    g_test_add_func("/cutils/sizes", test_sizes);
    g_test_add_func("/cutils/units", test_units);
    g_test_add_func("/cutils/size-to-str", test_size_to_str);
    g_test_add_func("/cutils/zeroes", test_zeroes);
    g_test_add_func("/cutils/hexdump", test_hexdump);
    return g_test_run();
}
