/*
 * SPDX-License-Identifier: MIT
 *
 * JSON: what is read, what is written, and which errors are reported.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/json-parser.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"

/* ---- Values ---- */

/* @in, read and written again, is @out. */
static void check(const char *in, const char *out)
{
    g_autoptr(QObject) obj = qobject_from_json(in, &error_abort);
    g_autoptr(GString) text = qobject_to_json(obj);

    g_assert_cmpstr(text->str, ==, out);
}

static void check_error(const char *in, const char *expected)
{
    Error *err = NULL;
    QObject *obj = qobject_from_json(in, &err);

    g_assert_null(obj);
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, expected);
    error_free(err);
}

static void test_keywords(void)
{
    check("true", "true");
    check(" false ", "false");
    check("\tnull\r\n", "null");
    check_error("nul", "JSON parse error, invalid keyword 'nul'");
    check_error("nullnull", "JSON parse error, invalid keyword 'nullnull'");
    check_error("True", "JSON parse error, stray 'T'");
}

static void test_numbers(void)
{
    check("0", "0");
    check("-0", "0");
    check("-12", "-12");
    check("9223372036854775807", "9223372036854775807");
    check("-9223372036854775808", "-9223372036854775808");
    check("18446744073709551615", "18446744073709551615");
    check("18446744073709551616", "1.8446744073709552e+19");
    check("-9223372036854775809", "-9.2233720368547758e+18");
    check("0.1", "0.10000000000000001");
    check("1.0", "1");
    check("-0.0", "-0");
    check("1e5", "100000");
    check("1.5E-7", "1.4999999999999999e-07");
    check("2e+3", "2000");
}

static void test_malformed_numbers(void)
{
    check_error("01", "JSON parse error, stray '01'");
    check_error("-01", "JSON parse error, stray '-01'");
    check_error("-", "JSON parse error, stray '-'");
    check_error("-}", "JSON parse error, stray '-}'");
    check_error("+1", "JSON parse error, stray '+'");
    check_error(".5", "JSON parse error, stray '.'");
    check_error("1.", "JSON parse error, stray '1.'");
    check_error("1.e5", "JSON parse error, stray '1.e'");
    check_error("1ex", "JSON parse error, stray '1ex'");
    check_error("1e+", "JSON parse error, stray '1e+'");
    check_error("0x10", "Expecting at most one JSON value");
}

static void test_strings(void)
{
    check("\"\"", "\"\"");
    check("'single \"quotes\"'", "\"single \\\"quotes\\\"\"");
    check("\"it's\"", "\"it's\"");
    check("'it\\'s'", "\"it's\"");
    check("\"\\b\\f\\n\\r\\t\\\\\\/\\\"\"", "\"\\b\\f\\n\\r\\t\\\\/\\\"\"");
    check("\"<>&\x7f\"", "\"<>&\\u007F\"");
    check("\"\\u0001\"", "\"\\u0001\"");
    check("\"a\\u00e9b\"", "\"a\\u00E9b\"");
    check("\"\xc3\xa9\"", "\"\\u00E9\"");
    check("\"\\ud834\\uDD1E\"", "\"\\uD834\\uDD1E\"");
    check("\"\xf0\x9d\x84\x9e\"", "\"\\uD834\\uDD1E\"");
    /* A zero character, which C strings do not have */
    check("\"a\\u0000b\"", "\"a\\u0000b\"");
    check("\"\xc0\x80\"", "\"\\u0000\"");
}

static void test_malformed_strings(void)
{
    check_error("\"abc", "JSON parse error, stray '\"abc'");
    check_error("'abc\\", "JSON parse error, stray ''abc\\'");
    check_error("\"a\tb\"", "JSON parse error, stray '\"a\t'");
    check_error("-1e999", "JSON parse error, number out of range '-1e999'");
    check_error("\"\\x\"", "JSON parse error, invalid escape sequence in "
                           "string");
    check_error("\"\\uqqqq\"", "JSON parse error, \\uqqqq is not a valid "
                               "Unicode character");
    check_error("\"\\u12\"", "JSON parse error, \\u12\" is not a valid "
                             "Unicode character");
    check_error("\"\\u\"", "JSON parse error, \\u\" is not a valid Unicode "
                           "character");
    check_error("\"\\ud800\"", "JSON parse error, \\ud800 is not a valid "
                               "Unicode character");
    check_error("\"\\ud834\\u0041\"", "JSON parse error, \\ud834 is not a "
                                      "valid Unicode character");
    check_error("\"\\udc00x\"", "JSON parse error, \\udc00 is not a valid "
                                "Unicode character");
    check_error("\"\\ufffe\"", "JSON parse error, \\ufffe is not a valid "
                               "Unicode character");
    check_error("\"\\ufdd0\"", "JSON parse error, \\ufdd0 is not a valid "
                               "Unicode character");
    check_error("\"\\ud83f\\udfff\"", "JSON parse error, \\ud83f\\udfff is "
                                      "not a valid Unicode character");
}

static void test_utf8(void)
{
    static const char *const bad[] = {
        "\x80", "\xc2", "\xc1\xbf", "\xe0\x80\x80", "\xe2\x82", "\xf0\x9d",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xfc\x84\x80\x80\x80\x80", "\xef\xbf\xbf", "\xef\xb7\x90", NULL
    };
    int i;

    for (i = 0; bad[i]; i++) {
        g_autofree char *json = g_strdup_printf("\"%s\"", bad[i]);

        check_error(json,
                    "JSON parse error, invalid UTF-8 sequence in string");
    }
}

/* Malformed sequences in strings of ours are written as one U+FFFD each. */
static void test_write_malformed(void)
{
    static const struct {
        const char *str, *json;
    } cases[] = {
        { "\xe2\x82(", "\"\\uFFFD(\"" },
        { "\xe2\x82\x82\xe2(\xc0\x80\xf5" "a",
          "\"\\u2082\\uFFFD(\\u0000\\uFFFDa\"" },
        { "\xc1\xbf\xef\xbf\xbf\xed\xa0\x80", "\"\\uFFFD\\uFFFD\\uFFFD\"" },
        { "\xfc\x84\x80\x80\x80\x80(", "\"\\uFFFD(\"" },
        { "\x80\x81(", "\"\\uFFFD\\uFFFD(\"" },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autoptr(QString) s = qstring_from_str(cases[i].str);
        g_autoptr(GString) text = qobject_to_json(QOBJECT(s));

        g_assert_cmpstr(text->str, ==, cases[i].json);
    }
}

static void test_objects(void)
{
    check("{}", "{}");
    check("{'a':1,'b':[]}", "{\"a\": 1, \"b\": []}");
    check("[ ]", "[]");
    check("[1,[2,{'x':null}],'y']", "[1, [2, {\"x\": null}], \"y\"]");
    check_error("{", "JSON parse error, premature EOI");
    check_error("[1", "JSON parse error, premature EOI");
    check_error("{'a':1", "JSON parse error, premature EOI");
    check_error("}", "JSON parse error, expecting value");
    check_error("{]", "JSON parse error, expecting value");
    check_error("[1}", "JSON parse error, expected separator in list");
    check_error("[1 2]", "JSON parse error, expected separator in list");
    check_error("[1,]", "JSON parse error, expecting value");
    check_error("{'a':1]", "JSON parse error, expected separator in dict");
    check_error("{'a' 1}", "JSON parse error, missing : in object pair");
    check_error("{'a':}", "JSON parse error, expecting value");
    check_error("{'a':1,}", "JSON parse error, expecting value");
    check_error("{,}", "JSON parse error, expecting value");
    check_error("{a:1}", "JSON parse error, invalid keyword 'a'");
    check_error("{1:2}", "JSON parse error, key is not a string in object");
    check_error("{'a':1,'a':2}", "JSON parse error, duplicate key");
}

static void test_one_value(void)
{
    check_error("", "Expecting a JSON value");
    check_error(" \n", "Expecting a JSON value");
    check_error("{} {}", "Expecting at most one JSON value");
    check_error("{}@", "Expecting at most one JSON value");
    check_error("{}}", "Expecting at most one JSON value");
    check_error("]1", "JSON parse error, expecting value");
}

static void test_pretty(void)
{
    g_autoptr(QObject) obj =
        qobject_from_json("{'id':{'a':[]},'return':[1,{}]}", &error_abort);
    g_autoptr(GString) text = qobject_to_json_pretty(obj, true);

    g_assert_cmpstr(text->str, ==,
                    "{\n"
                    "    \"return\": [\n"
                    "        1,\n"
                    "        {\n"
                    "        }\n"
                    "    ],\n"
                    "    \"id\": {\n"
                    "        \"a\": [\n"
                    "        ]\n"
                    "    }\n"
                    "}");
}

static void test_interpolation(void)
{
    g_autoptr(QDict) d = qdict_from_jsonf_nofail(
        "{'s': %s, 'd': %d, 'ld': %ld, 'lld': %lld, 'u': %u, 'lu': %lu,"
        " 'llu': %llu, 'i': %i, 'f': %f, 'p': %p, 'x': '100%%', %s: %"
        PRId64 "}",
        "a'b", -1, -2L, -3LL, 4U, 5UL, ULLONG_MAX, true, 0.5, qlist_new(),
        "key", INT64_MIN);
    g_autoptr(QObject) expected = qobject_from_json(
        "{'s': 'a\\'b', 'd': -1, 'ld': -2, 'lld': -3, 'u': 4, 'lu': 5,"
        " 'llu': 18446744073709551615, 'i': true, 'f': 0.5, 'p': [],"
        " 'x': '100%', 'key': -9223372036854775808}", &error_abort);

    g_assert_true(qobject_is_equal(QOBJECT(d), expected));
    /* Only there */
    check_error("%d", "JSON parse error, stray '%'");
    check("'%d'", "\"%d\"");
}

/* ---- The stream ---- */

typedef struct Stream {
    JSONMessageParser parser;
    GString *got;           /* messages and errors */
} Stream;

static void take(void *opaque, QObject *json, Error *err)
{
    Stream *s = opaque;

    g_assert_true(!json != !err);
    if (s->got->len) {
        g_string_append(s->got, " | ");
    }
    if (json) {
        g_autoptr(GString) text = qobject_to_json(json);

        g_string_append(s->got, text->str);
        qobject_unref(json);
    } else {
        const char *msg = error_get_pretty(err);

        g_string_append(s->got, g_str_has_prefix(msg, "JSON parse error, ")
                                ? msg + strlen("JSON parse error, ") : msg);
        error_free(err);
    }
}

static void stream_init(Stream *s)
{
    s->got = g_string_new(NULL);
    json_message_parser_init(&s->parser, take, s, NULL);
}

static void stream_free(Stream *s)
{
    json_message_parser_destroy(&s->parser);
    g_string_free(s->got, TRUE);
}

/* @in gives @expected in pieces of any size. */
static void check_stream_len(const char *in, size_t len, const char *expected)
{
    size_t piece, i;

    for (piece = 1; piece <= len + 1; piece++) {
        Stream s;

        stream_init(&s);
        for (i = 0; i < len; i += piece) {
            json_message_parser_feed(&s.parser, in + i, MIN(piece, len - i));
        }
        g_assert_cmpstr(s.got->str, ==, expected);
        stream_free(&s);
    }
}

static void check_stream(const char *in, const char *expected)
{
    check_stream_len(in, strlen(in), expected);
}

static void test_stream(void)
{
    check_stream("{'a':\n[1,\n2]} {'b':true}[]\"x\" 5 null ",
                 "{\"a\": [1, 2]} | {\"b\": true} | [] | \"x\" | 5 | null");
    check_stream("1abc ", "1 | invalid keyword 'abc'");
    check_stream("1-2 ", "1 | -2");
    check_stream("1.5.5\n", "1.5 | stray '.'");
    check_stream("::", "expecting value | expecting value");
    check_stream("[1,2}]", "expected separator in list | expecting value");
    /* Unfinished messages are not reported. */
    check_stream("{'a':[}", "");
    check_stream("1", "");
}

static void test_recovery(void)
{
    check_stream("@ 5 'x' abc", "stray '@'");
    check_stream("@\n5 ", "stray '@' | 5");
    check_stream("@\r5 ", "stray '@' | 5");
    check_stream("@\t5 ", "stray '@'");
    check_stream("@,5 ", "stray '@' | expecting value | 5");
    check_stream("@[5]", "stray '@' | [5]");
    check_stream("@]5 ", "stray '@' | expecting value | 5");
    check_stream("@\x01" "5 ", "stray '@' | stray '\x01'");
    check_stream("@\xfe" "5 ", "stray '@' | stray '\xfe'");
    check_stream_len("@\0005", 3, "stray '@' | stray ''");
    check_stream("@@5\n@6", "stray '@' | stray '@'");
    check_stream("{'a':\x07}", "stray '\x07' | expecting value");
    check_stream("\xc3\xa9 1", "stray '\xc3'");
    check_stream("'abc\n5 ", "stray ''abc\n'");
}

/* 0xFF throws away what came before it. */
static void test_resynchronize(void)
{
    check_stream("{'a':[{\xff{'b':1}", "stray '\xff' | {\"b\": 1}");
    check_stream("{'a':'x\xff\n{'b':1}", "stray ''x\xff' | {\"b\": 1}");
}

static void test_flush(void)
{
    Stream s;

    stream_init(&s);
    json_message_parser_feed(&s.parser, "12", 2);
    json_message_parser_flush(&s.parser);
    json_message_parser_feed(&s.parser, "[3", 2);
    json_message_parser_flush(&s.parser);
    json_message_parser_feed(&s.parser, "4 '", 3);
    json_message_parser_flush(&s.parser);
    json_message_parser_feed(&s.parser, "{}", 2);
    g_assert_cmpstr(s.got->str, ==,
                    "12 | premature EOI | 4 | stray ''' | {}");
    stream_free(&s);
}

/* ---- Limits ---- */

static void feed_many(Stream *s, const char *piece, int n)
{
    while (n-- > 0) {
        json_message_parser_feed(&s->parser, piece, strlen(piece));
    }
}

static void test_depth(void)
{
    Stream s;

    stream_init(&s);
    feed_many(&s, "[", 1024);
    feed_many(&s, "]", 1024);
    g_assert_true(g_str_has_prefix(s.got->str, "[[[["));
    g_string_truncate(s.got, 0);
    feed_many(&s, "[", 1025);
    g_assert_cmpstr(s.got->str, ==, "JSON nesting depth limit exceeded");
    g_string_truncate(s.got, 0);
    feed_many(&s, "7 ", 1);
    g_assert_cmpstr(s.got->str, ==, "7");
    stream_free(&s);
}

static void test_token_count(void)
{
    Stream s;

    stream_init(&s);
    feed_many(&s, "[", 1);
    feed_many(&s, "1,", 1 * MiB - 1);
    g_assert_cmpstr(s.got->str, ==, "");
    feed_many(&s, "1,", 1);
    g_assert_cmpstr(s.got->str, ==, "JSON token count limit exceeded");
    stream_free(&s);
}

static void check_size_limit(const char *start)
{
    g_autofree char *kilo = g_strnfill(1024, 'x');
    Stream s;

    stream_init(&s);
    feed_many(&s, start, 1);
    feed_many(&s, kilo, 64 * KiB - 1);
    g_assert_cmpstr(s.got->str, ==, "");
    feed_many(&s, kilo, 1);
    g_assert_cmpstr(s.got->str, ==, "JSON token size limit exceeded");
    g_string_truncate(s.got, 0);
    feed_many(&s, "\n", 1);
    g_string_truncate(s.got, 0);
    feed_many(&s, "{} ", 1);
    g_assert_cmpstr(s.got->str, ==, "{}");
    stream_free(&s);
}

static void test_size(void)
{
    check_size_limit("['");
    check_size_limit("[1,a");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/keywords", test_keywords);
    g_test_add_func("/json/numbers", test_numbers);
    g_test_add_func("/json/numbers/malformed", test_malformed_numbers);
    g_test_add_func("/json/strings", test_strings);
    g_test_add_func("/json/strings/malformed", test_malformed_strings);
    g_test_add_func("/json/strings/utf8", test_utf8);
    g_test_add_func("/json/strings/write-malformed", test_write_malformed);
    g_test_add_func("/json/objects", test_objects);
    g_test_add_func("/json/one-value", test_one_value);
    g_test_add_func("/json/pretty", test_pretty);
    g_test_add_func("/json/interpolation", test_interpolation);
    g_test_add_func("/json/stream", test_stream);
    g_test_add_func("/json/recovery", test_recovery);
    g_test_add_func("/json/resynchronize", test_resynchronize);
    g_test_add_func("/json/flush", test_flush);
    g_test_add_func("/json/limits/depth", test_depth);
    g_test_add_func("/json/limits/count", test_token_count);
    g_test_add_func("/json/limits/size", test_size);
    return g_test_run();
}
