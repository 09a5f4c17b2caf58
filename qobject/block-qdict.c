/*
 * SPDX-License-Identifier: MIT
 *
 * QDicts as trees of options: flat, with dotted keys, and nested.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qobject-input-visitor.h"
#include "qemu/cutils.h"
#include "qapi/error.h"

void qdict_copy_default(QDict *dst, QDict *src, const char *key)
{
    QObject *val = qdict_get(src, key);

    if (val && !qdict_haskey(dst, key)) {
        qdict_put_obj(dst, key, qobject_ref(val));
    }
}

void qdict_set_default_str(QDict *dst, const char *key, const char *val)
{
    if (!qdict_haskey(dst, key)) {
        qdict_put_str(dst, key, val);
    }
}

void qdict_join(QDict *dest, QDict *src, bool overwrite)
{
    g_autoptr(QDict) all = qdict_clone_shallow(src);
    const QDictEntry *e;

    for (e = qdict_first(all); e; e = qdict_next(all, e)) {
        if (overwrite || !qdict_haskey(dest, e->key)) {
            qdict_put_obj(dest, e->key, qobject_ref(e->value));
            qdict_del(src, e->key);
        }
    }
}

/* ---- Flatten ---- */

static void flatten_into(QDict *target, const char *key, QObject *value)
{
    QDict *dict = qobject_to(QDict, value);
    QList *list = qobject_to(QList, value);
    const QDictEntry *e;
    QListEntry *le;
    int i = 0;

    if (dict && qdict_size(dict)) {
        for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
            g_autofree char *sub = g_strdup_printf("%s.%s", key, e->key);

            flatten_into(target, sub, e->value);
        }
    } else if (list && !qlist_empty(list)) {
        QLIST_FOREACH_ENTRY(list, le) {
            g_autofree char *sub = g_strdup_printf("%s.%d", key, i++);

            flatten_into(target, sub, le->value);
        }
    } else {
        /* Empty ones stay: they tell something too. */
        qdict_put_obj(target, key, qobject_ref(value));
    }
}

static bool is_nested(QObject *value)
{
    QDict *dict = qobject_to(QDict, value);
    QList *list = qobject_to(QList, value);

    return (dict && qdict_size(dict)) || (list && !qlist_empty(list));
}

void qdict_flatten(QDict *qdict)
{
    g_autoptr(QDict) all = qdict_clone_shallow(qdict);
    const QDictEntry *e;

    for (e = qdict_first(all); e; e = qdict_next(all, e)) {
        if (is_nested(e->value)) {
            qdict_del(qdict, e->key);
        }
    }
    for (e = qdict_first(all); e; e = qdict_next(all, e)) {
        if (is_nested(e->value)) {
            flatten_into(qdict, e->key, e->value);
        }
    }
}

void qdict_extract_subqdict(QDict *src, QDict **dst, const char *start)
{
    g_autoptr(QDict) all = qdict_clone_shallow(src);
    const QDictEntry *e;
    const char *rest;

    if (dst) {
        *dst = qdict_new();
    }
    for (e = qdict_first(all); e; e = qdict_next(all, e)) {
        if (strstart(e->key, start, &rest)) {
            if (dst) {
                qdict_put_obj(*dst, rest, qobject_ref(e->value));
            }
            qdict_del(src, e->key);
        }
    }
}

/* ---- Arrays ---- */

static bool has_prefix(const QDict *src, const char *start)
{
    const QDictEntry *e;

    for (e = qdict_first(src); e; e = qdict_next(src, e)) {
        if (strstart(e->key, start, NULL)) {
            return true;
        }
    }
    return false;
}

void qdict_array_split(QDict *src, QList **dst)
{
    unsigned i;

    *dst = qlist_new();
    for (i = 0; i < UINT_MAX; i++) {
        g_autofree char *key = g_strdup_printf("%u", i);
        g_autofree char *prefix = g_strdup_printf("%u.", i);
        QObject *scalar = qdict_get(src, key);
        bool nested = has_prefix(src, prefix);

        /* One or the other */
        if (!scalar == !nested) {
            return;
        }
        if (scalar) {
            qlist_append_obj(*dst, qobject_ref(scalar));
            qdict_del(src, key);
        } else {
            QDict *sub;

            qdict_extract_subqdict(src, &sub, prefix);
            qlist_append(*dst, sub);
        }
    }
}

int qdict_array_entries(QDict *src, const char *subqdict)
{
    size_t sub_len = strlen(subqdict), seen = 0, in_sub = 0;
    const QDictEntry *e;
    int i;

    for (e = qdict_first(src); e; e = qdict_next(src, e)) {
        in_sub += strstart(e->key, subqdict, NULL);
    }
    for (i = 0; i < INT_MAX; i++) {
        g_autofree char *key = g_strdup_printf("%s%d", subqdict, i);
        g_autofree char *prefix = g_strdup_printf("%s%d.", subqdict, i);
        size_t before = seen;

        for (e = qdict_first(src); e; e = qdict_next(src, e)) {
            if (!strcmp(e->key, key) || strstart(e->key, prefix, NULL)) {
                seen++;
            }
        }
        if (seen == before) {
            break;
        }
    }
    /* Options of the array as a whole? For "" all others are allowed. */
    return sub_len && seen != in_sub ? -EINVAL : i;
}

/* ---- Crumple ---- */

/* The first part of @key up to a single dot, ".." standing for one; *rest is
 * what follows, or NULL. */
static char *split_key(const char *key, const char **rest)
{
    GString *s = g_string_new(NULL);

    while (*key && (*key != '.' || key[1] == '.')) {
        key += *key == '.';
        g_string_append_c(s, *key++);
    }
    *rest = *key ? key + 1 : NULL;
    return g_string_free(s, FALSE);
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

/* 1: keys are the numbers of a list, 0: none is, -1 with @errp: mixed. */
static int is_list(const QDict *dict, Error **errp)
{
    const QDictEntry *e;
    size_t numbers = 0, i;

    for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        numbers += is_number(e->key);
    }
    if (!numbers) {
        return 0;
    }
    if (numbers != qdict_size(dict)) {
        error_setg(errp, "Cannot mix list and non-list keys");
        return -1;
    }
    for (i = 0; i < numbers; i++) {
        g_autofree char *key = g_strdup_printf("%zu", i);

        if (!qdict_haskey(dict, key)) {
            error_setg(errp, "Key '%zu' of the list is missing", i);
            return -1;
        }
    }
    return 1;
}

static QObject *listify(const QDict *dict)
{
    QList *list = qlist_new();
    size_t i;

    for (i = 0; i < qdict_size(dict); i++) {
        g_autofree char *key = g_strdup_printf("%zu", i);

        qlist_append_obj(list, qobject_ref(qdict_get(dict, key)));
    }
    return QOBJECT(list);
}

/* Group by the first part of the keys. */
static QDict *nest_once(const QDict *src, Error **errp)
{
    g_autoptr(QDict) nested = qdict_new();
    const QDictEntry *e;

    for (e = qdict_first(src); e; e = qdict_next(src, e)) {
        const char *rest;
        g_autofree char *prefix = split_key(e->key, &rest);
        QObject *old = qdict_get(nested, prefix);

        if (is_nested(e->value)) {
            error_setg(errp, "Value %s is not flat", e->key);
            return NULL;
        }
        if (old && (!rest || qobject_type(old) != QTYPE_QDICT)) {
            error_setg(errp, "Cannot mix scalar and non-scalar keys");
            return NULL;
        }
        if (!rest) {
            qdict_put_obj(nested, prefix, qobject_ref(e->value));
            continue;
        }
        if (!old) {
            old = QOBJECT(qdict_new());
            qdict_put_obj(nested, prefix, old);
        }
        qdict_put_obj(qobject_to(QDict, old), rest, qobject_ref(e->value));
    }
    return g_steal_pointer(&nested);
}

QObject *qdict_crumple(const QDict *src, Error **errp)
{
    g_autoptr(QDict) nested = nest_once(src, errp);
    g_autoptr(QDict) done = NULL;
    const QDictEntry *e;
    int list;

    if (!nested) {
        return NULL;
    }
    done = qdict_new();
    for (e = qdict_first(nested); e; e = qdict_next(nested, e)) {
        QDict *sub = qobject_to(QDict, e->value);
        QObject *val = sub && qdict_size(sub) ? qdict_crumple(sub, errp)
                                              : qobject_ref(e->value);

        if (!val) {
            return NULL;
        }
        qdict_put_obj(done, e->key, val);
    }
    list = is_list(done, errp);
    if (list < 0) {
        return NULL;
    }
    return list ? listify(done) : QOBJECT(g_steal_pointer(&done));
}

bool qdict_rename_keys(QDict *qdict, const QDictRenames *renames, Error **errp)
{
    for (; renames->from; renames++) {
        QObject *val = qdict_get(qdict, renames->from);

        if (!val) {
            continue;
        }
        if (qdict_haskey(qdict, renames->to)) {
            error_setg(errp, "'%s' and its alias '%s' can't be used at the "
                       "same time", renames->to, renames->from);
            return false;
        }
        qdict_put_obj(qdict, renames->to, qobject_ref(val));
        qdict_del(qdict, renames->from);
    }
    return true;
}

/* ---- Visiting ---- */

/* Scalars other than strings, which block options may be, as strings. */
static QObject *stringify_scalars(QObject *obj)
{
    QBool *qbool = qobject_to(QBool, obj);
    QNum *qnum = qobject_to(QNum, obj);
    QDict *dict = qobject_to(QDict, obj);
    QList *list = qobject_to(QList, obj);

    if (qbool) {
        return QOBJECT(qstring_from_str(qbool_get_bool(qbool) ? "on"
                                                              : "off"));
    }
    if (qnum) {
        g_autofree char *s = qnum_to_string(qnum);

        return QOBJECT(qstring_from_str(s));
    }
    if (dict) {
        QDict *copy = qdict_new();
        const QDictEntry *e;

        for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
            qdict_put_obj(copy, e->key, stringify_scalars(e->value));
        }
        return QOBJECT(copy);
    }
    if (list) {
        QList *copy = qlist_new();
        QListEntry *e;

        QLIST_FOREACH_ENTRY(list, e) {
            qlist_append_obj(copy, stringify_scalars(e->value));
        }
        return QOBJECT(copy);
    }
    return qobject_ref(obj);
}

Visitor *qobject_input_visitor_new_flat_confused(QDict *qdict, Error **errp)
{
    g_autoptr(QDict) flat = qdict_clone_shallow(qdict);
    g_autoptr(QObject) crumpled = NULL;
    g_autoptr(QObject) strings = NULL;

    qdict_flatten(flat);
    crumpled = qdict_crumple(flat, errp);
    if (!crumpled) {
        return NULL;
    }
    strings = stringify_scalars(crumpled);
    return qobject_input_visitor_new_keyval(strings);
}
