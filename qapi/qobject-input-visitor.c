/*
 * SPDX-License-Identifier: MIT
 *
 * From QObjects to C, with types checked.
 *
 * Two flavours: strict, where scalars have their JSON type, and keyval, where
 * all scalars are strings.  Error messages name the whole path of the value.
 *
 * Invariant: the stack has an entry for each dict or list that is being
 * visited; that of a dict knows which of its keys were not visited yet.
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

typedef struct StackEntry {
    const char *name;           /* in the one around it */
    QObject *obj;
    void *qapi;                 /* for checks */
    GHashTable *unvisited;      /* dicts: keys */
    const QListEntry *entry;    /* lists: the next one */
    unsigned index;             /* lists: of the one before; -1 at first */
    QSLIST_ENTRY(StackEntry) node;
} StackEntry;

typedef struct QObjectInputVisitor {
    Visitor visitor;
    QObject *root;
    bool keyval;
    QSLIST_HEAD(, StackEntry) stack;
    GString *errname;           /* of the last message */
} QObjectInputVisitor;

static QObjectInputVisitor *to_qiv(Visitor *v)
{
    return container_of(v, QObjectInputVisitor, visitor);
}

/* ---- Paths ---- */

/* The whole name of member @name of the entry @skip levels up. */
static const char *full_name_up(QObjectInputVisitor *qiv, const char *name,
                                int skip)
{
    StackEntry *e;
    char buf[32];

    if (!qiv->errname) {
        qiv->errname = g_string_new("");
    }
    g_string_truncate(qiv->errname, 0);
    QSLIST_FOREACH(e, &qiv->stack, node) {
        if (skip) {
            skip--;
        } else if (qobject_type(e->obj) == QTYPE_QDICT) {
            g_string_prepend(qiv->errname, name ? name : "<anonymous>");
            g_string_prepend_c(qiv->errname, '.');
        } else {
            snprintf(buf, sizeof(buf), qiv->keyval ? ".%u" : "[%u]",
                     e->index);
            g_string_prepend(qiv->errname, buf);
        }
        name = e->name;
    }
    if (name) {
        g_string_prepend(qiv->errname, name);
    } else if (qiv->errname->str[0] == '.') {
        g_string_erase(qiv->errname, 0, 1);
    } else if (!qiv->errname->len) {
        return "<anonymous>";
    }
    return qiv->errname->str;
}

static const char *full_name(QObjectInputVisitor *qiv, const char *name)
{
    return full_name_up(qiv, name, 0);
}

/* ---- Finding values ---- */

/* The value for @name, NULL if there is none; @consume: it is visited. */
static QObject *try_get(QObjectInputVisitor *qiv, const char *name,
                        bool consume)
{
    StackEntry *top = QSLIST_FIRST(&qiv->stack);
    QObject *ret;

    if (!top) {
        assert(qiv->root);
        return qiv->root;
    }
    if (qobject_type(top->obj) == QTYPE_QDICT) {
        assert(name);
        ret = qdict_get(qobject_to(QDict, top->obj), name);
        if (ret && consume && top->unvisited) {
            g_hash_table_remove(top->unvisited, name);
        }
        return ret;
    }
    assert(!name);
    ret = top->entry ? qlist_entry_obj(top->entry) : NULL;
    if (consume && top->entry) {
        top->entry = qlist_next(top->entry);
        top->index++;
    }
    return ret;
}

static QObject *get(QObjectInputVisitor *qiv, const char *name, bool consume,
                    Error **errp)
{
    QObject *obj = try_get(qiv, name, consume);

    if (!obj) {
        error_setg(errp, QERR_MISSING_PARAMETER, full_name(qiv, name));
    }
    return obj;
}

static bool wrong_type(QObjectInputVisitor *qiv, const char *name,
                       const char *expected, Error **errp)
{
    error_setg(errp, QERR_INVALID_PARAMETER_TYPE, full_name(qiv, name),
               expected);
    return false;
}

/* A scalar of the keyval flavour. */
static const char *get_keyval(QObjectInputVisitor *qiv, const char *name,
                              const char *expected, Error **errp)
{
    QObject *obj = get(qiv, name, true, errp);

    if (!obj) {
        return NULL;
    }
    if (qobject_type(obj) != QTYPE_QSTRING) {
        if (qobject_type(obj) == QTYPE_QDICT ||
            qobject_type(obj) == QTYPE_QLIST) {
            error_setg(errp, "Parameters '%s.*' are unexpected",
                       full_name(qiv, name));
        } else {
            wrong_type(qiv, name, expected, errp);
        }
        return NULL;
    }
    return qstring_get_str(qobject_to(QString, obj));
}

/* ---- Dicts and lists ---- */

static StackEntry *push(QObjectInputVisitor *qiv, const char *name,
                        QObject *obj, void *qapi)
{
    StackEntry *e = g_new0(StackEntry, 1);
    QDict *dict = qobject_to(QDict, obj);
    QList *list = qobject_to(QList, obj);
    const QDictEntry *de;

    e->name = name;
    e->obj = obj;
    e->qapi = qapi;
    if (dict) {
        e->unvisited = g_hash_table_new(g_str_hash, g_str_equal);
        for (de = qdict_first(dict); de; de = qdict_next(dict, de)) {
            g_hash_table_add(e->unvisited, de->key);
        }
    } else {
        e->entry = qlist_first(list);
        e->index = -1;
    }
    QSLIST_INSERT_HEAD(&qiv->stack, e, node);
    return e;
}

static void input_pop(Visitor *v, void **obj)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    StackEntry *e = QSLIST_FIRST(&qiv->stack);

    assert(e && e->qapi == obj);
    QSLIST_REMOVE_HEAD(&qiv->stack, node);
    if (e->unvisited) {
        g_hash_table_unref(e->unvisited);
    }
    g_free(e);
}

static bool input_start_struct(Visitor *v, const char *name, void **obj,
                               size_t size, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);

    if (obj) {
        *obj = NULL;
    }
    if (!qobj) {
        return false;
    }
    if (qobject_type(qobj) != QTYPE_QDICT) {
        return wrong_type(qiv, name, "object", errp);
    }
    push(qiv, name, qobj, obj);
    if (obj) {
        *obj = g_malloc0(size);
    }
    return true;
}

static bool input_check_struct(Visitor *v, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    StackEntry *e = QSLIST_FIRST(&qiv->stack);
    const QDictEntry *de;
    QDict *dict = qobject_to(QDict, e->obj);

    for (de = qdict_first(dict); de; de = qdict_next(dict, de)) {
        if (g_hash_table_contains(e->unvisited, de->key)) {
            error_setg(errp, "Parameter '%s' is unexpected",
                       full_name(qiv, de->key));
            return false;
        }
    }
    return true;
}

static bool input_start_list(Visitor *v, const char *name, GenericList **list,
                             size_t size, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    StackEntry *e;

    if (list) {
        *list = NULL;
    }
    if (!qobj) {
        return false;
    }
    if (qobject_type(qobj) != QTYPE_QLIST) {
        return wrong_type(qiv, name, "array", errp);
    }
    e = push(qiv, name, qobj, list);
    if (list && e->entry) {
        *list = g_malloc0(size);
    }
    return true;
}

static GenericList *input_next_list(Visitor *v, GenericList *tail,
                                    size_t size)
{
    StackEntry *e = QSLIST_FIRST(&to_qiv(v)->stack);

    if (!e->entry) {
        return NULL;
    }
    tail->next = g_malloc0(size);
    return tail->next;
}

static bool input_check_list(Visitor *v, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    StackEntry *e = QSLIST_FIRST(&qiv->stack);

    if (e->entry) {
        error_setg(errp, "Only %u list elements expected in %s",
                   e->index + 1, full_name_up(qiv, NULL, 1));
        return false;
    }
    return true;
}

static bool input_start_alternate(Visitor *v, const char *name,
                                  GenericAlternate **obj, size_t size,
                                  Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, false, errp);

    if (!qobj) {
        *obj = NULL;
        return false;
    }
    *obj = g_malloc0(size);
    (*obj)->type = qobject_type(qobj);
    return true;
}

static void input_optional(Visitor *v, const char *name, bool *present)
{
    *present = try_get(to_qiv(v), name, false) != NULL;
}

/* ---- Scalars with types ---- */

static bool input_int64(Visitor *v, const char *name, int64_t *obj,
                        Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    QNum *qnum = qobject_to(QNum, qobj);

    if (!qobj) {
        return false;
    }
    if (!qnum || !qnum_get_try_int(qnum, obj)) {
        return wrong_type(qiv, name, "integer", errp);
    }
    return true;
}

static bool input_uint64(Visitor *v, const char *name, uint64_t *obj,
                         Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    QNum *qnum = qobject_to(QNum, qobj);
    int64_t val;

    if (!qobj) {
        return false;
    }
    if (qnum && qnum_get_try_uint(qnum, obj)) {
        return true;
    }
    /* Negative numbers have always been accepted. */
    if (qnum && qnum_get_try_int(qnum, &val)) {
        *obj = val;
        return true;
    }
    return wrong_type(qiv, name, "uint64", errp);
}

static bool input_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    QBool *qbool = qobject_to(QBool, qobj);

    if (!qobj) {
        return false;
    }
    if (!qbool) {
        return wrong_type(qiv, name, "boolean", errp);
    }
    *obj = qbool_get_bool(qbool);
    return true;
}

static bool input_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    QString *qstr = qobject_to(QString, qobj);

    *obj = NULL;
    if (!qobj) {
        return false;
    }
    if (!qstr) {
        return wrong_type(qiv, name, "string", errp);
    }
    *obj = g_strdup(qstring_get_str(qstr));
    return true;
}

static bool input_number(Visitor *v, const char *name, double *obj,
                         Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);
    QNum *qnum = qobject_to(QNum, qobj);

    if (!qobj) {
        return false;
    }
    if (!qnum) {
        return wrong_type(qiv, name, "number", errp);
    }
    *obj = qnum_get_double(qnum);
    return true;
}

static bool input_any(Visitor *v, const char *name, QObject **obj,
                      Error **errp)
{
    QObject *qobj = get(to_qiv(v), name, true, errp);

    *obj = qobject_ref(qobj);
    return qobj != NULL;
}

static bool input_null(Visitor *v, const char *name, QNull **obj,
                       Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    QObject *qobj = get(qiv, name, true, errp);

    *obj = NULL;
    if (!qobj) {
        return false;
    }
    if (qobject_type(qobj) != QTYPE_QNULL) {
        return wrong_type(qiv, name, "null", errp);
    }
    *obj = qnull();
    return true;
}

/* ---- Scalars as strings ---- */

static bool keyval_int64(Visitor *v, const char *name, int64_t *obj,
                         Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    const char *str = get_keyval(qiv, name, "number", errp);

    if (!str) {
        return false;
    }
    if (qemu_strtoi64(str, NULL, 0, obj) < 0) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, full_name(qiv, name),
                   "integer");
        return false;
    }
    return true;
}

static bool keyval_uint64(Visitor *v, const char *name, uint64_t *obj,
                          Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    const char *str = get_keyval(qiv, name, "number", errp);

    if (!str) {
        return false;
    }
    if (qemu_strtou64(str, NULL, 0, obj) < 0) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, full_name(qiv, name),
                   "integer");
        return false;
    }
    return true;
}

static bool keyval_size(Visitor *v, const char *name, uint64_t *obj,
                        Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    const char *str = get_keyval(qiv, name, "size", errp);

    if (!str) {
        return false;
    }
    if (qemu_strtosz(str, NULL, obj) < 0) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, full_name(qiv, name),
                   "size");
        return false;
    }
    return true;
}

static bool keyval_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    const char *str = get_keyval(qiv, name, "boolean", errp);

    return str && qapi_bool_parse(full_name(qiv, name), str, obj, errp);
}

static bool keyval_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    *obj = g_strdup(get_keyval(to_qiv(v), name, "string", errp));
    return *obj != NULL;
}

static bool keyval_number(Visitor *v, const char *name, double *obj,
                          Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    const char *str = get_keyval(qiv, name, "number", errp);

    if (!str) {
        return false;
    }
    if (qemu_strtod_finite(str, NULL, obj) < 0) {
        return wrong_type(qiv, name, "number", errp);
    }
    return true;
}

/* ---- Both ---- */

static bool input_enum(Visitor *v, const char *name, int *obj,
                       const QEnumLookup *lookup, Error **errp)
{
    QObjectInputVisitor *qiv = to_qiv(v);
    g_autofree char *str = NULL;
    int value;

    if (!(qiv->keyval ? keyval_str : input_str)(v, name, &str, errp)) {
        return false;
    }
    value = qapi_enum_parse(lookup, str, -1, NULL);
    if (value < 0) {
        error_setg(errp, "Parameter '%s' does not accept value '%s'",
                   full_name(qiv, name), str);
        return false;
    }
    *obj = value;
    return true;
}

static void input_free(Visitor *v)
{
    QObjectInputVisitor *qiv = to_qiv(v);

    while (!QSLIST_EMPTY(&qiv->stack)) {
        input_pop(v, QSLIST_FIRST(&qiv->stack)->qapi);
    }
    qobject_unref(qiv->root);
    if (qiv->errname) {
        g_string_free(qiv->errname, TRUE);
    }
    g_free(qiv);
}

#define INPUT_COMMON                                    \
    .type = VISITOR_INPUT,                              \
    .start_struct = input_start_struct,                 \
    .check_struct = input_check_struct,                 \
    .end_struct = input_pop,                            \
    .start_list = input_start_list,                     \
    .next_list = input_next_list,                       \
    .check_list = input_check_list,                     \
    .end_list = input_pop,                              \
    .start_alternate = input_start_alternate,           \
    .optional = input_optional,                         \
    .type_enum = input_enum,                            \
    .type_any = input_any,                              \
    .type_null = input_null,                            \
    .free = input_free

static const VisitorClass strict_class = {
    INPUT_COMMON,
    .type_int64 = input_int64,
    .type_uint64 = input_uint64,
    .type_bool = input_bool,
    .type_str = input_str,
    .type_number = input_number,
};

static const VisitorClass keyval_class = {
    INPUT_COMMON,
    .type_int64 = keyval_int64,
    .type_uint64 = keyval_uint64,
    .type_size = keyval_size,
    .type_bool = keyval_bool,
    .type_str = keyval_str,
    .type_number = keyval_number,
};

static Visitor *input_new(QObject *obj, bool keyval)
{
    QObjectInputVisitor *qiv = g_new0(QObjectInputVisitor, 1);

    assert(obj);
    qiv->visitor.ops = keyval ? &keyval_class : &strict_class;
    qiv->keyval = keyval;
    qiv->root = qobject_ref(obj);
    QSLIST_INIT(&qiv->stack);
    return &qiv->visitor;
}

Visitor *qobject_input_visitor_new(QObject *obj)
{
    return input_new(obj, false);
}

Visitor *qobject_input_visitor_new_keyval(QObject *obj)
{
    return input_new(obj, true);
}

Visitor *qobject_input_visitor_new_str(const char *str,
                                       const char *implied_key, Error **errp)
{
    Visitor *v;

    if (*str == '{') {
        g_autoptr(QObject) obj = qobject_from_json(str, errp);

        return obj ? qobject_input_visitor_new(obj) : NULL;
    }
    {
        QDict *args = keyval_parse(str, implied_key, NULL, errp);

        if (!args) {
            return NULL;
        }
        v = qobject_input_visitor_new_keyval(QOBJECT(args));
        qobject_unref(args);
    }
    return v;
}
