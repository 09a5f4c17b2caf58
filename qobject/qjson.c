/*
 * SPDX-License-Identifier: MIT
 *
 * Values from whole JSON texts.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qjson.h"
#include "qapi/error.h"
#include "qapi/qmp/json-parser.h"
#include "qapi/qmp/qdict.h"

/* At most one of them is set. */
typedef struct WholeText {
    QObject *value;
    Error *err;
} WholeText;

static void take_message(void *opaque, QObject *json, Error *err)
{
    WholeText *whole = opaque;

    if (!whole->value && !whole->err) {
        whole->value = json;
        whole->err = err;
        return;
    }
    qobject_unref(json);
    error_free(err);
    /* The first error is the one to tell. */
    if (whole->value) {
        g_clear_pointer(&whole->value, qobject_unref_impl);
        error_setg(&whole->err, "Expecting at most one JSON value");
    }
}

static QObject *parse_text(const char *string, va_list *ap, Error **errp)
{
    JSONMessageParser parser;
    WholeText whole = { NULL, NULL };

    json_message_parser_init(&parser, take_message, &whole, ap);
    json_message_parser_feed(&parser, string, strlen(string));
    json_message_parser_flush(&parser);
    json_message_parser_destroy(&parser);
    if (!whole.value && !whole.err) {
        error_setg(&whole.err, "Expecting a JSON value");
    }
    error_propagate(errp, whole.err);
    return whole.value;
}

QObject *qobject_from_json(const char *string, Error **errp)
{
    return parse_text(string, NULL, errp);
}

QObject *qobject_from_vjsonf_nofail(const char *string, va_list ap)
{
    QObject *obj;
    va_list copy;

    /* A va_list parameter may be an array, whose address is not a va_list *. */
    va_copy(copy, ap);
    obj = parse_text(string, &copy, &error_abort);
    va_end(copy);
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
