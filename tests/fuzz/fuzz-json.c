/*
 * SPDX-License-Identifier: MIT
 *
 * The input is the text of a QMP client: it is read in pieces, and each value
 * is converted to the types of the arguments of commands, and back.  The
 * same text is then read as the argument of an option.
 *
 * 1. What is written of a value can be read, unless it has a number that is
 *    infinite.  It reads as that value, but for numbers like 1e5, which are
 *    written as integers; from then on, as the very same.
 * 2. A conversion has either a result or an error; what it gives can be
 *    converted back to a value, and that has the same result.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qapi-visit-char.h"
#include "qapi/qapi-visit-introspect.h"
#include "qapi/qapi-visit-qom.h"
#include "qapi/qapi-visit-sockets.h"
#include "qapi/qmp/json-parser.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/option.h"

#define PIECE 7

/* One of the types; the generated functions differ only in the pointer. */
typedef struct FuzzType {
    bool (*visit)(Visitor *v, const char *name, void **obj, Error **errp);
    void (*free)(void *obj);
} FuzzType;

#define FUZZ_TYPE(T)                                                        \
    static bool visit_##T(Visitor *v, const char *name, void **obj,         \
                          Error **errp)                                     \
    {                                                                       \
        return visit_type_##T(v, name, (T **)obj, errp);                    \
    }                                                                       \
    static void free_##T(void *obj)                                         \
    {                                                                       \
        qapi_free_##T(obj);                                                 \
    }

FUZZ_TYPE(BlockDirtyBitmapMerge)
FUZZ_TYPE(BlockdevCreateOptions)
FUZZ_TYPE(BlockdevOptions)
FUZZ_TYPE(BlockdevRef)
FUZZ_TYPE(ChardevBackend)
FUZZ_TYPE(ImageInfo)
FUZZ_TYPE(ObjectOptions)
FUZZ_TYPE(SchemaInfo)
FUZZ_TYPE(SocketAddress)

#define ENTRY(T) { visit_##T, free_##T }

static const FuzzType types[] = {
    ENTRY(BlockDirtyBitmapMerge),
    ENTRY(BlockdevCreateOptions),
    ENTRY(BlockdevOptions),
    ENTRY(BlockdevRef),
    ENTRY(ChardevBackend),
    ENTRY(ImageInfo),
    ENTRY(ObjectOptions),
    ENTRY(SchemaInfo),
    ENTRY(SocketAddress),
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

/* The result as a value again, or NULL.  @v is freed. */
static QObject *convert(const FuzzType *type, Visitor *v)
{
    void *result = NULL;
    Error *err = NULL;
    QObject *back = NULL;
    Visitor *out;

    if (!type->visit(v, NULL, &result, &err)) {
        g_assert_nonnull(err);
        g_assert_null(result);
        error_free(err);
        visit_free(v);
        return NULL;
    }
    g_assert_null(err);
    visit_free(v);
    out = qobject_output_visitor_new(&back);
    type->visit(out, NULL, &result, &error_abort);
    visit_complete(out, &back);
    visit_free(out);
    type->free(result);
    return back;
}

static void convert_value(QObject *value)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        QObject *back = convert(&types[i], qobject_input_visitor_new(value));
        QObject *again;

        if (back) {
            again = convert(&types[i], qobject_input_visitor_new(back));
            g_assert_true(qobject_is_equal(back, again));
            qobject_unref(back);
            qobject_unref(again);
        }
    }
}

/* The text can change: the order of members does. */
static QObject *write_and_read(QObject *value, bool pretty)
{
    GString *text = qobject_to_json_pretty(value, pretty);
    Error *err = NULL;
    QObject *back = qobject_from_json(text->str, &err);

    if (err && !strstr(text->str, "inf")) {
        g_error("not read again: %s", text->str);
    }
    error_free(err);
    g_string_free(text, true);
    return back;
}

static void check_writing(QObject *value)
{
    g_autoptr(QObject) first = write_and_read(value, false);
    g_autoptr(QObject) second = NULL;

    if (first) {
        second = write_and_read(first, true);
        g_assert_true(qobject_is_equal(first, second));
    }
}

static void take_value(void *opaque, QObject *value, Error *err)
{
    g_assert_true(!value == !!err);
    error_free(err);
    if (value) {
        check_writing(value);
        convert_value(value);
        qobject_unref(value);
    }
}

static void read_messages(const uint8_t *data, size_t size)
{
    JSONMessageParser parser;
    size_t pos;

    json_message_parser_init(&parser, take_value, NULL, NULL);
    for (pos = 0; pos < size; pos += PIECE) {
        json_message_parser_feed(&parser, (const char *)data + pos,
                                 MIN(PIECE, size - pos));
    }
    json_message_parser_flush(&parser);
    json_message_parser_destroy(&parser);
}

static void read_option(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    int i;

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        Error *err = NULL;
        Visitor *v = qobject_input_visitor_new_str(text, "driver", &err);

        g_assert_true(!v == !!err);
        error_free(err);
        if (v) {
            qobject_unref(convert(&types[i], v));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_messages(data, size);
    read_option(data, size);
    return 0;
}
