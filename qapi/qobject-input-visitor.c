/*
 * SPDX-License-Identifier: MIT
 *
 * From QObjects to C, with types checked.
 *
 * Two flavours: strict, where scalars have their JSON type, and keyval, where
 * all scalars are strings.
 *
 * Invariants:
 * 1. levels holds the dicts and lists that are being visited, from the root
 *    inwards; the visitor's reference to the root keeps all of them.
 * 2. A level's taken has each key that was visited once; the keys are the
 *    dict's own.
 */
#include "qemu/osdep.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/visitor-impl.h"
#include "qapi/error.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qemu/cutils.h"
#include "qemu/option.h"

typedef struct InputLevel {
    const char *name;           /* of the whole in its parent, if a dict */
    QDict *dict;                /* one of these two */
    QList *list;
    GPtrArray *taken;           /* dict: keys */
    const QListEntry *next;     /* list: to be visited next */
    int64_t index;              /* list: of the last one; -1 at first */
} InputLevel;

typedef struct InputVisitor {
    Visitor visitor;
    /* Immutable after creation */
    QObject *root;
    bool keyval;
    /* Where we are */
    GArray *levels;
} InputVisitor;

static InputVisitor *input_visitor(Visitor *v)
{
    return container_of(v, InputVisitor, visitor);
}

static InputLevel *innermost(InputVisitor *iv)
{
    return iv->levels->len
           ? &g_array_index(iv->levels, InputLevel, iv->levels->len - 1)
           : NULL;
}

/* ---- Names for messages ---- */

/* Behind @path comes what is called @name within @level. */
static void add_to_path(InputVisitor *iv, GString *path,
                        const InputLevel *level, const char *name)
{
    if (level && level->list) {
        g_string_append_printf(path, iv->keyval ? ".%" PRId64
                                                : "[%" PRId64 "]",
                               level->index);
    } else if (name) {
        g_string_append_printf(path, "%s%s", path->len ? "." : "", name);
    }
}

/* All of the way to the value that is called @name where we are; g_free(). */
static char *path_to(InputVisitor *iv, const char *name)
{
    GString *path = g_string_new(NULL);
    const InputLevel *around = NULL;
    unsigned i;

    for (i = 0; i < iv->levels->len; i++) {
        const InputLevel *level = &g_array_index(iv->levels, InputLevel, i);

        add_to_path(iv, path, around, level->name);
        around = level;
    }
    add_to_path(iv, path, around, name);
    if (!path->len) {
        g_string_append(path, "<anonymous>");
    }
    return g_string_free(path, FALSE);
}

/* The functions below return false, for the caller's convenience. */

static bool wrong_type(InputVisitor *iv, const char *name,
                       const char *expected, Error **errp)
{
    g_autofree char *path = path_to(iv, name);

    error_setg(errp, QERR_INVALID_PARAMETER_TYPE, path, expected);
    return false;
}

static bool wrong_value(InputVisitor *iv, const char *name,
                        const char *expected, Error **errp)
{
    g_autofree char *path = path_to(iv, name);

    error_setg(errp, QERR_INVALID_PARAMETER_VALUE, path, expected);
    return false;
}

/* ---- Finding values ---- */

/* The value that is called @name where we are, or NULL. */
static QObject *look(InputVisitor *iv, const char *name)
{
    InputLevel *level = innermost(iv);

    if (!level) {
        return iv->root;
    }
    if (level->dict) {
        return qdict_get(level->dict, name);
    }
    return level->next ? qlist_entry_obj(level->next) : NULL;
}

static void mark_taken(InputLevel *level, const char *name)
{
    const char *key = qdict_get_key(level->dict, name);

    if (!g_ptr_array_find(level->taken, key, NULL)) {
        g_ptr_array_add(level->taken, (void *)key);
    }
}

/* The same, counted as visited; NULL with @errp. */
static QObject *take(InputVisitor *iv, const char *name, Error **errp)
{
    InputLevel *level = innermost(iv);
    QObject *value = look(iv, name);

    if (level && level->list) {
        level->index++;
    }
    if (!value) {
        g_autofree char *path = path_to(iv, name);

        error_setg(errp, QERR_MISSING_PARAMETER, path);
        return NULL;
    }
    if (level && level->dict) {
        mark_taken(level, name);
    } else if (level) {
        level->next = qlist_next(level->next);
    }
    return value;
}

/* Likewise, if it is a @type; else NULL with @errp, which calls the type
 * @expected. */
static QObject *take_type(InputVisitor *iv, const char *name, QType type,
                          const char *expected, Error **errp)
{
    QObject *value = take(iv, name, errp);

    if (value && qobject_type(value) != type) {
        wrong_type(iv, name, expected, errp);
        return NULL;
    }
    return value;
}

/* ---- Structs and lists ---- */

static void enter(InputVisitor *iv, const char *name, QObject *whole)
{
    InputLevel level = {
        .name = name,
        .dict = qobject_to(QDict, whole),
        .list = qobject_to(QList, whole),
        .index = -1,
    };

    if (level.dict) {
        level.taken = g_ptr_array_new();
    } else {
        level.next = qlist_first(level.list);
    }
    g_array_append_val(iv->levels, level);
}

static void leave(InputVisitor *iv)
{
    InputLevel *level = innermost(iv);

    if (level->taken) {
        g_ptr_array_unref(level->taken);
    }
    g_array_set_size(iv->levels, iv->levels->len - 1);
}

static void input_end(Visitor *v, void **obj)
{
    leave(input_visitor(v));
}

static bool input_start_struct(Visitor *v, const char *name, void **obj,
                               size_t size, Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    QObject *dict = take_type(iv, name, QTYPE_QDICT, "object", errp);

    if (!dict) {
        return false;
    }
    enter(iv, name, dict);
    if (obj) {
        *obj = g_malloc0(size);
    }
    return true;
}

static bool input_check_struct(Visitor *v, Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    InputLevel *level = innermost(iv);
    const QDictEntry *e = qdict_first(level->dict);
    g_autofree char *path = NULL;

    if (level->taken->len == qdict_size(level->dict)) {
        return true;
    }
    while (g_ptr_array_find(level->taken, qdict_entry_key(e), NULL)) {
        e = qdict_next(level->dict, e);
    }
    path = path_to(iv, qdict_entry_key(e));
    error_setg(errp, "Parameter '%s' is unexpected", path);
    return false;
}

static bool input_start_list(Visitor *v, const char *name, GenericList **list,
                             size_t size, Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    QObject *qlist = take_type(iv, name, QTYPE_QLIST, "array", errp);

    if (!qlist) {
        return false;
    }
    enter(iv, name, qlist);
    if (list) {
        *list = innermost(iv)->next ? g_malloc0(size) : NULL;
    }
    return true;
}

static GenericList *input_next_list(Visitor *v, GenericList *tail,
                                    size_t size)
{
    if (innermost(input_visitor(v))->next) {
        tail->next = g_malloc0(size);
    }
    return tail->next;
}

static bool input_check_list(Visitor *v, Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    InputLevel *level = innermost(iv);
    g_autofree char *path = NULL;

    if (!level->next) {
        return true;
    }
    level->index++;
    path = path_to(iv, NULL);
    error_setg(errp, "Parameter '%s' is unexpected", path);
    return false;
}

static bool input_start_alternate(Visitor *v, const char *name,
                                  GenericAlternate **obj, size_t size,
                                  Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    QObject *value = look(iv, name);

    if (!value) {
        take(iv, name, errp);
        return false;
    }
    *obj = g_malloc0(size);
    (*obj)->type = qobject_type(value);
    return true;
}

static void input_optional(Visitor *v, const char *name, bool *present)
{
    *present = look(input_visitor(v), name) != NULL;
}

/* ---- Scalars of the strict flavour ---- */

static bool strict_int64(Visitor *v, const char *name, int64_t *obj,
                         Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    QObject *value = take_type(iv, name, QTYPE_QNUM, "integer", errp);

    if (!value) {
        return false;
    }
    return qnum_get_try_int(qobject_to(QNum, value), obj) ||
           wrong_type(iv, name, "integer", errp);
}

static bool strict_uint64(Visitor *v, const char *name, uint64_t *obj,
                          Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    QNum *num = NULL;
    QObject *value = take(iv, name, errp);
    int64_t negative;

    if (!value) {
        return false;
    }
    num = qobject_to(QNum, value);
    if (num && qnum_get_try_uint(num, obj)) {
        return true;
    }
    /* Clients may say -1 where they mean the largest number. */
    if (num && qnum_get_try_int(num, &negative)) {
        *obj = negative;
        return true;
    }
    return wrong_value(iv, name, "uint64", errp);
}

static bool strict_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    QObject *value = take_type(input_visitor(v), name, QTYPE_QBOOL,
                               "boolean", errp);

    if (value) {
        *obj = qbool_get_bool(qobject_to(QBool, value));
    }
    return value != NULL;
}

static bool strict_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    QObject *value = take_type(input_visitor(v), name, QTYPE_QSTRING,
                               "string", errp);

    *obj = value ? g_strdup(qstring_get_str(qobject_to(QString, value)))
                 : NULL;
    return value != NULL;
}

static bool strict_number(Visitor *v, const char *name, double *obj,
                          Error **errp)
{
    QObject *value = take_type(input_visitor(v), name, QTYPE_QNUM, "number",
                               errp);

    if (value) {
        *obj = qnum_get_double(qobject_to(QNum, value));
    }
    return value != NULL;
}

static bool strict_null(Visitor *v, const char *name, QNull **obj,
                        Error **errp)
{
    QObject *value = take_type(input_visitor(v), name, QTYPE_QNULL, "null",
                               errp);

    *obj = value ? qnull() : NULL;
    return value != NULL;
}

static bool input_any(Visitor *v, const char *name, QObject **obj,
                      Error **errp)
{
    *obj = qobject_ref(take(input_visitor(v), name, errp));
    return *obj != NULL;
}

/* ---- Scalars of the keyval flavour ---- */

/* The text of the scalar @name; NULL with @errp. */
static const char *take_text(InputVisitor *iv, const char *name,
                             const char *expected, Error **errp)
{
    QObject *value = take(iv, name, errp);
    QString *text = qobject_to(QString, value);

    if (value && !text) {
        g_autofree char *path = path_to(iv, name);

        if (qobject_type(value) == QTYPE_QDICT ||
            qobject_type(value) == QTYPE_QLIST) {
            error_setg(errp, "Parameters '%s.*' are unexpected", path);
        } else {
            wrong_type(iv, name, expected, errp);
        }
    }
    return text ? qstring_get_str(text) : NULL;
}

static bool keyval_int64(Visitor *v, const char *name, int64_t *obj,
                         Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "integer", errp);

    return text && (qemu_strtoi64(text, NULL, 0, obj) == 0 ||
                    wrong_value(iv, name, "integer", errp));
}

static bool keyval_uint64(Visitor *v, const char *name, uint64_t *obj,
                          Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "integer", errp);

    return text && (qemu_strtou64(text, NULL, 0, obj) == 0 ||
                    wrong_value(iv, name, "integer", errp));
}

static bool keyval_size(Visitor *v, const char *name, uint64_t *obj,
                        Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "size", errp);

    return text && (qemu_strtosz(text, NULL, obj) == 0 ||
                    wrong_value(iv, name, "size", errp));
}

static bool keyval_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "boolean", errp);
    g_autofree char *path = NULL;

    if (!text) {
        return false;
    }
    path = path_to(iv, name);
    return qapi_bool_parse(path, text, obj, errp);
}

static bool keyval_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    *obj = g_strdup(take_text(input_visitor(v), name, "string", errp));
    return *obj != NULL;
}

static bool keyval_number(Visitor *v, const char *name, double *obj,
                          Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "number", errp);

    return text && (qemu_strtod_finite(text, NULL, obj) == 0 ||
                    wrong_type(iv, name, "number", errp));
}

/* The only text that means null is none. */
static bool keyval_null(Visitor *v, const char *name, QNull **obj,
                        Error **errp)
{
    InputVisitor *iv = input_visitor(v);
    const char *text = take_text(iv, name, "null", errp);

    *obj = text && !*text ? qnull() : NULL;
    return *obj || (text && wrong_type(iv, name, "null", errp));
}

/* ---- The visitors ---- */

static void input_free(Visitor *v)
{
    InputVisitor *iv = input_visitor(v);

    while (iv->levels->len) {
        leave(iv);
    }
    g_array_unref(iv->levels);
    qobject_unref(iv->root);
    g_free(iv);
}

#define BOTH_FLAVOURS                                   \
    .type = VISITOR_INPUT,                              \
    .start_struct = input_start_struct,                 \
    .check_struct = input_check_struct,                 \
    .end_struct = input_end,                            \
    .start_list = input_start_list,                     \
    .next_list = input_next_list,                       \
    .check_list = input_check_list,                     \
    .end_list = input_end,                              \
    .start_alternate = input_start_alternate,           \
    .optional = input_optional,                         \
    .type_any = input_any,                              \
    .free = input_free

static const VisitorClass strict_flavour = {
    BOTH_FLAVOURS,
    .type_int64 = strict_int64,
    .type_uint64 = strict_uint64,
    .type_bool = strict_bool,
    .type_str = strict_str,
    .type_number = strict_number,
    .type_null = strict_null,
};

static const VisitorClass keyval_flavour = {
    BOTH_FLAVOURS,
    .type_int64 = keyval_int64,
    .type_uint64 = keyval_uint64,
    .type_size = keyval_size,
    .type_bool = keyval_bool,
    .type_str = keyval_str,
    .type_number = keyval_number,
    .type_null = keyval_null,
};

static Visitor *input_visitor_new(QObject *obj, bool keyval)
{
    InputVisitor *iv = g_new0(InputVisitor, 1);

    assert(obj);
    iv->visitor.ops = keyval ? &keyval_flavour : &strict_flavour;
    iv->keyval = keyval;
    iv->root = qobject_ref(obj);
    iv->levels = g_array_new(FALSE, FALSE, sizeof(InputLevel));
    return &iv->visitor;
}

Visitor *qobject_input_visitor_new(QObject *obj)
{
    return input_visitor_new(obj, false);
}

Visitor *qobject_input_visitor_new_keyval(QObject *obj)
{
    return input_visitor_new(obj, true);
}

Visitor *qobject_input_visitor_new_str(const char *str,
                                       const char *implied_key, Error **errp)
{
    bool is_json = *str == '{';
    g_autoptr(QObject) args =
        is_json ? qobject_from_json(str, errp)
                : QOBJECT(keyval_parse(str, implied_key, NULL, errp));

    return args ? input_visitor_new(args, !is_json) : NULL;
}
