/*
 * SPDX-License-Identifier: MIT
 *
 * The JSON reader's third step: values, by recursive descent.
 *
 * Invariants:
 * 1. next <= count; parsing functions leave it behind what they have used.
 * 2. A function that returns NULL or false has set err; the first one counts.
 * 3. The streamer's limit on nesting bounds the recursion.
 */
#include "qemu/osdep.h"
#include <math.h>
#include "json-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"

typedef struct JSONParse {
    const char *text;
    const JSONToken *tokens;
    size_t count;
    size_t next;
    va_list *ap;
    Error *err;
} JSONParse;

static QObject *parse_value(JSONParse *ps);

static QObject * GCC_FMT_ATTR(2, 3)
fail(JSONParse *ps, const char *fmt, ...)
{
    va_list ap;

    if (!ps->err) {
        g_autofree char *msg = NULL;

        va_start(ap, fmt);
        msg = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        error_setg(&ps->err, "JSON parse error, %s", msg);
    }
    return NULL;
}

/* The type of the token at hand. */
static JSONTokenType peek(JSONParse *ps)
{
    return ps->next < ps->count ? ps->tokens[ps->next].type : JSON_END;
}

/* Its text; goes on to the next one. */
static const char *take(JSONParse *ps)
{
    return ps->text + ps->tokens[ps->next++].start;
}

/* Is it punctuation @c?  Then it is taken. */
static bool accept(JSONParse *ps, JSONTokenType c)
{
    if (peek(ps) == c) {
        take(ps);
        return true;
    }
    return false;
}

/* Something is wrong with the token at hand: it is @msg, or not there. */
static QObject *unexpected(JSONParse *ps, const char *msg)
{
    return fail(ps, "%s", peek(ps) == JSON_END ? "premature EOI" : msg);
}

/* ---- Strings ---- */

/* The number in four hexadecimal digits; -1 if they are not. */
static int hex4(const char *s)
{
    int value = 0, i;

    for (i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(s[i]);

        if (digit < 0) {
            return -1;
        }
        value = 16 * value + digit;
    }
    return value;
}

/* @s points behind "\u". Returns what follows the escape, or NULL. */
static const char *unicode_escape(JSONParse *ps, const char *s, GString *out)
{
    int c = hex4(s), len = 4;

    if (c < 0) {
        fail(ps, "\\u%.4s is not a valid Unicode character", s);
        return NULL;
    }
    if (c >= 0xd800 && c <= 0xdbff && s[4] == '\\' && s[5] == 'u') {
        int low = hex4(s + 6);

        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            len = 10;
        }
    }
    if (!json_is_character(c)) {
        fail(ps, "\\u%.*s is not a valid Unicode character", len, s);
        return NULL;
    }
    json_utf8_append(out, c);
    return s + len;
}

/* @s points behind a backslash. */
static const char *escape(JSONParse *ps, const char *s, GString *out)
{
    static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
    const char *found;

    if (*s == 'u') {
        return unicode_escape(ps, s + 1, out);
    }
    found = strchr(from, *s);
    if (!found) {
        fail(ps, "invalid escape sequence in string");
        return NULL;
    }
    g_string_append_c(out, to[found - from]);
    return s + 1;
}

static const char *character(JSONParse *ps, const char *s, GString *out)
{
    int c;

    if (*s == '%' && ps->ap && *++s != '%') {
        fail(ps, "can't interpolate into string");
        return NULL;
    }
    c = json_utf8_next(&s);
    if (c < 0) {
        fail(ps, "invalid UTF-8 sequence in string");
        return NULL;
    }
    json_utf8_append(out, c);
    return s;
}

/* The string in token text @s, whose first and last character are the same
 * quote (the lexer sees to it). */
static QString *parse_string(JSONParse *ps, const char *s)
{
    GString *out = g_string_new(NULL);
    char quote = *s++;

    while (s && *s != quote) {
        s = *s == '\\' ? escape(ps, s + 1, out) : character(ps, s, out);
    }
    if (!s) {
        g_string_free(out, TRUE);
        return NULL;
    }
    return qstring_from_gstring(out);
}

/* ---- Other scalars ---- */

static QObject *parse_keyword(JSONParse *ps, const char *word)
{
    if (!strcmp(word, "null")) {
        return QOBJECT(qnull());
    }
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        return QOBJECT(qbool_from_bool(*word == 't'));
    }
    return fail(ps, "invalid keyword '%s'", word);
}

/* JSON has no text for what does not fit. */
static QObject *parse_float(JSONParse *ps, const char *digits)
{
    double d = g_ascii_strtod(digits, NULL);

    return isfinite(d) ? QOBJECT(qnum_from_double(d))
                       : fail(ps, "number out of range '%.32s'", digits);
}

/* Integers beyond 64 bits become doubles, as far as those go. */
static QObject *parse_integer(JSONParse *ps, const char *digits)
{
    char *end;
    int64_t i;
    uint64_t u;

    errno = 0;
    i = g_ascii_strtoll(digits, &end, 10);
    if (!errno) {
        return QOBJECT(qnum_from_int(i));
    }
    errno = 0;
    u = g_ascii_strtoull(digits, &end, 10);
    if (!errno && *digits != '-') {
        return QOBJECT(qnum_from_uint(u));
    }
    return parse_float(ps, digits);
}

static QObject *parse_interpolation(JSONParse *ps, const char *spec)
{
    const char *conv = spec + 1;
    int longs = 0;

    while (*conv == 'l' && longs < 2) {
        conv++;
        longs++;
    }
    if (!*conv || conv[1] || (longs && *conv != 'd' && *conv != 'u')) {
        return fail(ps, "invalid interpolation '%s'", spec);
    }
    switch (*conv) {
    case 'p': {
        QObject *obj = va_arg(*ps->ap, QObject *);

        return obj ? obj : fail(ps, "NULL for interpolation '%s'", spec);
    }
    case 's':
        return QOBJECT(qstring_from_str(va_arg(*ps->ap, const char *)));
    case 'i':
        return QOBJECT(qbool_from_bool(va_arg(*ps->ap, int)));
    case 'f':
        return QOBJECT(qnum_from_double(va_arg(*ps->ap, double)));
    case 'd':
        return QOBJECT(qnum_from_int(
            longs == 0 ? va_arg(*ps->ap, int) :
            longs == 1 ? va_arg(*ps->ap, long) :
                         va_arg(*ps->ap, long long)));
    case 'u':
        return QOBJECT(qnum_from_uint(
            longs == 0 ? va_arg(*ps->ap, unsigned) :
            longs == 1 ? va_arg(*ps->ap, unsigned long) :
                         va_arg(*ps->ap, unsigned long long)));
    default:
        return fail(ps, "invalid interpolation '%s'", spec);
    }
}

/* ---- Objects and arrays, behind their opening bracket ---- */

/* The key at hand: a string, or what is interpolated as one. */
static QString *parse_key(JSONParse *ps)
{
    QObject *key = parse_value(ps);

    if (key && qobject_type(key) != QTYPE_QSTRING) {
        qobject_unref(key);
        fail(ps, "key is not a string in object");
        return NULL;
    }
    return qobject_to(QString, key);
}

static bool parse_member(JSONParse *ps, QDict *dict)
{
    g_autoptr(QString) key = parse_key(ps);
    QObject *value;

    if (!key) {
        return false;
    }
    if (!accept(ps, ':')) {
        unexpected(ps, "missing : in object pair");
        return false;
    }
    value = parse_value(ps);
    if (!value) {
        return false;
    }
    if (qdict_haskey(dict, qstring_get_str(key))) {
        qobject_unref(value);
        fail(ps, "duplicate key");
        return false;
    }
    qdict_put_obj(dict, qstring_get_str(key), value);
    return true;
}

static QObject *parse_object(JSONParse *ps)
{
    g_autoptr(QDict) dict = qdict_new();

    if (accept(ps, '}')) {
        return QOBJECT(g_steal_pointer(&dict));
    }
    do {
        if (!parse_member(ps, dict)) {
            return NULL;
        }
    } while (accept(ps, ','));
    if (!accept(ps, '}')) {
        return unexpected(ps, "expected separator in dict");
    }
    return QOBJECT(g_steal_pointer(&dict));
}

static QObject *parse_array(JSONParse *ps)
{
    g_autoptr(QList) list = qlist_new();

    if (accept(ps, ']')) {
        return QOBJECT(g_steal_pointer(&list));
    }
    do {
        QObject *value = parse_value(ps);

        if (!value) {
            return NULL;
        }
        qlist_append_obj(list, value);
    } while (accept(ps, ','));
    if (!accept(ps, ']')) {
        return unexpected(ps, "expected separator in list");
    }
    return QOBJECT(g_steal_pointer(&list));
}

static QObject *parse_value(JSONParse *ps)
{
    switch ((int)peek(ps)) {
    case '{':
        take(ps);
        return parse_object(ps);
    case '[':
        take(ps);
        return parse_array(ps);
    case JSON_STRING:
        return QOBJECT(parse_string(ps, take(ps)));
    case JSON_INTEGER:
        return parse_integer(ps, take(ps));
    case JSON_FLOAT:
        return parse_float(ps, take(ps));
    case JSON_KEYWORD:
        return parse_keyword(ps, take(ps));
    case JSON_INTERP:
        return parse_interpolation(ps, take(ps));
    default:
        return unexpected(ps, "expecting value");
    }
}

QObject *json_parser_parse(const char *text, const JSONToken *tokens,
                           size_t count, va_list *ap, Error **errp)
{
    JSONParse ps = {
        .text = text,
        .tokens = tokens,
        .count = count,
        .ap = ap,
    };
    QObject *value = parse_value(&ps);

    error_propagate(errp, ps.err);
    return value;
}
