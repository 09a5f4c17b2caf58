/*
 * SPDX-License-Identifier: MIT
 *
 * JSON objects.
 *
 * Iteration has an order that clients see: by bucket, which is a hash of the
 * key; within a bucket the key that was put last comes first.  Putting
 * another value for a key keeps its place.
 */
#ifndef QDICT_H
#define QDICT_H

#include "qapi/qmp/qobject.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qstring.h"

typedef struct QDictEntry {
    char *key;
    QObject *value;
    uint32_t bucket;
} QDictEntry;

struct QDict {
    struct QObjectBase_ base;
    QDictEntry **entries;   /* in the order of iteration */
    uint32_t size;
    uint32_t nalloc;
};

QDict *qdict_new(void);
void qdict_unref(QDict *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QDict, qdict_unref)

/* ---- Iteration. An entry stays valid, and can be gone on from, until its key
 * is deleted; one that is put meanwhile may or may not be seen. ---- */
static inline const char *qdict_entry_key(const QDictEntry *entry)
{
    return entry->key;
}

static inline QObject *qdict_entry_value(const QDictEntry *entry)
{
    return entry->value;
}

const QDictEntry *qdict_first(const QDict *qdict);
const QDictEntry *qdict_next(const QDict *qdict, const QDictEntry *entry);

static inline size_t qdict_size(const QDict *qdict)
{
    return qdict->size;
}

/* ---- Put: takes over the reference ---- */
void qdict_put_obj(QDict *qdict, const char *key, QObject *value);
#define qdict_put(qdict, key, obj) qdict_put_obj(qdict, key, QOBJECT(obj))
void qdict_put_bool(QDict *qdict, const char *key, bool value);
void qdict_put_int(QDict *qdict, const char *key, int64_t value);
void qdict_put_null(QDict *qdict, const char *key);
void qdict_put_str(QDict *qdict, const char *key, const char *value);
void qdict_del(QDict *qdict, const char *key);

/* ---- Get: the reference stays the dict's. Without "try" it must be
 * there and have the type. ---- */
int qdict_haskey(const QDict *qdict, const char *key);
QObject *qdict_get(const QDict *qdict, const char *key);
/* The dict's own copy of @key; NULL if it is not there. */
const char *qdict_get_key(const QDict *qdict, const char *key);
double qdict_get_double(const QDict *qdict, const char *key);
int64_t qdict_get_int(const QDict *qdict, const char *key);
bool qdict_get_bool(const QDict *qdict, const char *key);
QList *qdict_get_qlist(const QDict *qdict, const char *key);
QDict *qdict_get_qdict(const QDict *qdict, const char *key);
const char *qdict_get_str(const QDict *qdict, const char *key);
int64_t qdict_get_try_int(const QDict *qdict, const char *key,
                          int64_t def_value);
bool qdict_get_try_bool(const QDict *qdict, const char *key, bool def_value);
const char *qdict_get_try_str(const QDict *qdict, const char *key);

/* ---- Whole dicts ---- */
QDict *qdict_clone_shallow(const QDict *src);

/* ---- For option trees (block-qdict.c) ---- */
void qdict_copy_default(QDict *dst, QDict *src, const char *key);
void qdict_set_default_str(QDict *dst, const char *key, const char *val);
/* Move what is in @src to @dest; what @dest has stays unless @overwrite. */
void qdict_join(QDict *dest, QDict *src, bool overwrite);
/* "a": {"b": 1} becomes "a.b": 1, lists "a.0". */
void qdict_flatten(QDict *qdict);
/* Move all "START..." out, without START; *dst may be NULL with @dst NULL to
 * throw them away. */
void qdict_extract_subqdict(QDict *src, QDict **dst, const char *start);
/* Move "0.x", "1.x", ... or "0", "1", ... out into a list. */
void qdict_array_split(QDict *src, QList **dst);
/* How many elements PREFIX0, PREFIX1... there are; -EINVAL if there are other
 * keys below @subqdict. */
int qdict_array_entries(QDict *src, const char *subqdict);
/* The inverse of flatten; NULL with @errp. */
QObject *qdict_crumple(const QDict *src, Error **errp);
typedef struct QDictRenames {
    const char *from;
    const char *to;
} QDictRenames;
bool qdict_rename_keys(QDict *qdict, const QDictRenames *renames,
                       Error **errp);
/* An input visitor for @qdict, flat or not, with strings or typed scalars. */
Visitor *qobject_input_visitor_new_flat_confused(QDict *qdict, Error **errp);

#endif
