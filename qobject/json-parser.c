/*
 * SPDX-License-Identifier: MIT
 *
 * The JSON reader's third step: values, by recursive descent.
 *
 * The streamer's limit on nesting bounds the recursion.
 */
#include "qemu/osdep.h"
#include "json-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"

typedef struct ParserState {
    GQueue *tokens;
    va_list *ap;
    JSONToken *current;     /* taken from the queue */
    Error *err;
} ParserState;

static QObject *parse_value(ParserState *ps);

static QObject * GCC_FMT_ATTR(2, 3)
fail(ParserState *ps, const char *fmt, ...)
{
    g_autofree char *msg = NULL;
    va_list ap;

    if (!ps->err) {
        va_start(ap, fmt);
        msg = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        error_setg(&ps->err, "JSON parse error, %s", msg);
    }
    return NULL;
}

/* The next token; NULL at the end. Valid until the next call. */
static JSONToken *next_token(ParserState *ps)
{
    g_free(ps->current);
    ps->current = g_queue_pop_head(ps->tokens);
    return ps->current;
}

static JSONToken *peek_token(ParserState *ps)
{
    return g_queue_peek_head(ps->tokens);
}

/* ---- Strings ---- */

static int parse_hex4(const char *s)
{
    int v = 0, i;

    for (i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(s[i]);

        if (digit < 0) {
            return -1;
        }
        v = v << 4 | digit;
    }
    return v;
}

/* After "\u" at @p; appends and returns what follows, NULL on error. */
static const char *parse_unicode_escape(ParserState *ps, const char *p,
                                        GString *out)
{
    const char *start = p - 2;
    int c = parse_hex4(p), low;

    if (c < 0) {
        fail(ps, "invalid hex escape in string");
        return NULL;
    }
    p += 4;
    if (c >= 0xd800 && c <= 0xdbff && p[0] == '\\' && p[1] == 'u') {
        low = parse_hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
            p += 6;
        }
    }
    if ((c >= 0xd800 && c <= 0xdfff) || (c & 0xfffe) == 0xfffe ||
        (c >= 0xfdd0 && c <= 0xfdef)) {
        fail(ps, "%.*s is not a valid Unicode character", (int)(p - start),
             start);
        return NULL;
    }
    if (c) {
        g_string_append_unichar(out, c);
    } else {
        g_string_append(out, "\xc0\x80");
    }
    return p;
}

static QString *parse_string(ParserState *ps, const char *text)
{
    static const char escapes[] = "\"\"''\\\\//b\bf\fn\nr\rt\t";
    GString *out = g_string_new(NULL);
    const char *p = text + 1, *e;

    /* The lexer has seen to it that the string ends with its quote. */
    while (*p != *text) {
        if (*p == '\\') {
            p++;
            if (*p == 'u') {
                p = parse_unicode_escape(ps, p + 1, out);
                if (!p) {
                    goto fail;
                }
                continue;
            }
            for (e = escapes; *e && *e != *p; e += 2) {
                /* search */
            }
            if (!*e) {
                fail(ps, "invalid escape sequence in string");
                goto fail;
            }
            g_string_append_c(out, e[1]);
            p++;
        } else if (*p == '%' && ps->ap) {
            if (*++p != '%') {
                fail(ps, "can't interpolate into string");
                goto fail;
            }
            g_string_append_c(out, *p++);
        } else {
            gunichar c = g_utf8_get_char_validated(p, -1);

            if (c == (gunichar)-1 || c == (gunichar)-2) {
                fail(ps, "invalid UTF-8 sequence in string");
                goto fail;
            }
            g_string_append_unichar(out, c);
            p = g_utf8_next_char(p);
        }
    }
    return qstring_from_gstring(out);
fail:
    g_string_free(out, TRUE);
    return NULL;
}

/* ---- Scalars ---- */

static QObject *parse_keyword(ParserState *ps, const char *word)
{
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        return QOBJECT(qbool_from_bool(*word == 't'));
    }
    if (!strcmp(word, "null")) {
        return QOBJECT(qnull());
    }
    return fail(ps, "invalid keyword '%s'", word);
}

static QObject *parse_number(const JSONToken *token)
{
    if (token->type == JSON_INTEGER) {
        int64_t i;
        uint64_t u;

        errno = 0;
        i = strtoll(token->str, NULL, 10);
        if (!errno) {
            return QOBJECT(qnum_from_int(i));
        }
        if (token->str[0] != '-') {
            errno = 0;
            u = strtoull(token->str, NULL, 10);
            if (!errno) {
                return QOBJECT(qnum_from_uint(u));
            }
        }
        /* Beyond integers: as good as it gets */
    }
    return QOBJECT(qnum_from_double(g_ascii_strtod(token->str, NULL)));
}

static QObject *parse_interpolation(ParserState *ps, const char *spec)
{
    if (!strcmp(spec, "%p")) {
        return va_arg(*ps->ap, QObject *);
    }
    if (!strcmp(spec, "%i")) {
        return QOBJECT(qbool_from_bool(va_arg(*ps->ap, int)));
    }
    if (!strcmp(spec, "%d")) {
        return QOBJECT(qnum_from_int(va_arg(*ps->ap, int)));
    }
    if (!strcmp(spec, "%ld")) {
        return QOBJECT(qnum_from_int(va_arg(*ps->ap, long)));
    }
    if (!strcmp(spec, "%lld")) {
        return QOBJECT(qnum_from_int(va_arg(*ps->ap, long long)));
    }
    if (!strcmp(spec, "%u")) {
        return QOBJECT(qnum_from_uint(va_arg(*ps->ap, unsigned)));
    }
    if (!strcmp(spec, "%lu")) {
        return QOBJECT(qnum_from_uint(va_arg(*ps->ap, unsigned long)));
    }
    if (!strcmp(spec, "%llu")) {
        return QOBJECT(qnum_from_uint(va_arg(*ps->ap, unsigned long long)));
    }
    if (!strcmp(spec, "%s")) {
        return QOBJECT(qstring_from_str(va_arg(*ps->ap, const char *)));
    }
    if (!strcmp(spec, "%f")) {
        return QOBJECT(qnum_from_double(va_arg(*ps->ap, double)));
    }
    return fail(ps, "invalid interpolation '%s'", spec);
}

/* ---- Objects and arrays ---- */

/* "KEY: VALUE" into @dict. */
static bool parse_pair(ParserState *ps, QDict *dict)
{
    g_autoptr(QString) key = NULL;
    JSONToken *token;
    QObject *value;

    token = peek_token(ps);
    if (!token) {
        fail(ps, "premature EOI");
        return false;
    }
    if (token->type != JSON_STRING) {
        g_autoptr(QObject) other = parse_value(ps);

        if (other) {
            fail(ps, "key is not a string in object");
        }
        return false;
    }
    key = parse_string(ps, next_token(ps)->str);
    if (!key) {
        return false;
    }
    token = next_token(ps);
    if (!token) {
        fail(ps, "premature EOI");
        return false;
    }
    if (token->type != JSON_COLON) {
        fail(ps, "missing : in object pair");
        return false;
    }
    value = parse_value(ps);
    if (!value) {
        fail(ps, "Missing value in dict");
        return false;
    }
    if (qdict_haskey(dict, qstring_get_str(key))) {
        fail(ps, "duplicate key");
        qobject_unref(value);
        return false;
    }
    qdict_put_obj(dict, qstring_get_str(key), value);
    return true;
}

static QObject *parse_object(ParserState *ps)
{
    g_autoptr(QDict) dict = qdict_new();
    JSONToken *token = peek_token(ps);

    if (token && token->type == JSON_RCURLY) {
        next_token(ps);
        return QOBJECT(g_steal_pointer(&dict));
    }
    for (;;) {
        if (!parse_pair(ps, dict)) {
            return NULL;
        }
        token = next_token(ps);
        if (!token) {
            return fail(ps, "premature EOI");
        }
        if (token->type == JSON_RCURLY) {
            return QOBJECT(g_steal_pointer(&dict));
        }
        if (token->type != JSON_COMMA) {
            return fail(ps, "expected separator in dict");
        }
    }
}

static QObject *parse_array(ParserState *ps)
{
    g_autoptr(QList) list = qlist_new();
    JSONToken *token = peek_token(ps);

    if (token && token->type == JSON_RSQUARE) {
        next_token(ps);
        return QOBJECT(g_steal_pointer(&list));
    }
    for (;;) {
        QObject *value = parse_value(ps);

        if (!value) {
            return fail(ps, "expecting value");
        }
        qlist_append_obj(list, value);
        token = next_token(ps);
        if (!token) {
            return fail(ps, "premature EOI");
        }
        if (token->type == JSON_RSQUARE) {
            return QOBJECT(g_steal_pointer(&list));
        }
        if (token->type != JSON_COMMA) {
            return fail(ps, "expected separator in list");
        }
    }
}

static QObject *parse_value(ParserState *ps)
{
    JSONToken *token = next_token(ps);

    if (!token) {
        return fail(ps, "premature EOI");
    }
    switch (token->type) {
    case JSON_LCURLY:
        return parse_object(ps);
    case JSON_LSQUARE:
        return parse_array(ps);
    case JSON_INTERP:
        return parse_interpolation(ps, token->str);
    case JSON_STRING:
        return QOBJECT(parse_string(ps, token->str));
    case JSON_INTEGER:
    case JSON_FLOAT:
        return parse_number(token);
    case JSON_KEYWORD:
        return parse_keyword(ps, token->str);
    default:
        return fail(ps, "expecting value");
    }
}

QObject *json_parser_parse(GQueue *tokens, va_list *ap, Error **errp)
{
    ParserState ps = { .tokens = tokens, .ap = ap };
    QObject *value = parse_value(&ps);

    g_free(ps.current);
    error_propagate(errp, ps.err);
    return value;
}

/* ---- Whole texts ---- */

typedef struct ParseAll {
    QObject *result;
    Error *err;
} ParseAll;

static void take_message(void *opaque, QObject *json, Error *err)
{
    ParseAll *all = opaque;

    assert(!json != !err);
    if (all->result || all->err) {
        /* There must be one only. */
        if (json && !all->err) {
            error_setg(&all->err, "Expecting at most one JSON value");
        }
        qobject_unref(json);
        qobject_unref(all->result);
        all->result = NULL;
        error_free(err);
        return;
    }
    all->result = json;
    all->err = err;
}

static QObject *parse_all(const char *string, va_list *ap, Error **errp)
{
    JSONMessageParser parser;
    ParseAll all = { NULL, NULL };

    json_message_parser_init(&parser, take_message, &all, ap);
    json_message_parser_feed(&parser, string, strlen(string));
    json_message_parser_flush(&parser);
    json_message_parser_destroy(&parser);
    if (!all.result && !all.err) {
        error_setg(&all.err, "Expecting a JSON value");
    }
    error_propagate(errp, all.err);
    return all.result;
}

QObject *qobject_from_json(const char *string, Error **errp)
{
    return parse_all(string, NULL, errp);
}

QObject *qobject_from_vjsonf_nofail(const char *string, va_list ap)
{
    QObject *obj;
    va_list copy;

    va_copy(copy, ap);
    obj = parse_all(string, &copy, &error_abort);
    va_end(copy);
    assert(obj);
    return obj;
}

QObject *qobject_from_jsonf_nofail(const char *string, ...)
{
    QObject *obj;
    va_list ap;

    va_start(ap, string);
    obj = qobject_from_vjsonf_nofail(string, ap);
    va_end(ap);
    return obj;
}

QDict *qdict_from_vjsonf_nofail(const char *string, va_list ap)
{
    QDict *qdict = qobject_to(QDict, qobject_from_vjsonf_nofail(string, ap));

    assert(qdict);
    return qdict;
}

QDict *qdict_from_jsonf_nofail(const char *string, ...)
{
    QDict *qdict;
    va_list ap;

    va_start(ap, string);
    qdict = qdict_from_vjsonf_nofail(string, ap);
    va_end(ap);
    return qdict;
}
