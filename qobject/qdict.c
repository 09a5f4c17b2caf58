/*
 * SPDX-License-Identifier: MIT
 *
 * JSON objects: a sorted array of entries.
 *
 * Invariant: entries are sorted by bucket; those of one bucket by the time
 * they were put, latest first.  Keys are unique.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qdict.h"
#include "qobject-internal.h"

#define QDICT_BUCKETS 512

/* The order in which members appear on the wire hangs on this function. */
static uint32_t bucket_of(const char *key)
{
    size_t len = strlen(key), i;
    uint32_t v = 0x238f13afU * (uint32_t)len;

    for (i = 0; i < len; i++) {
        v += (uint32_t)(unsigned char)key[i] << (5 * i % 24);
    }
    return (1103515243U * v + 12345U) % QDICT_BUCKETS;
}

/* Index of the first entry of @bucket or a later one. */
static uint32_t lower_bound(const QDict *qdict, uint32_t bucket)
{
    uint32_t lo = 0, hi = qdict->size;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;

        if (qdict->entries[mid]->bucket < bucket) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Index of the entry of @key; -1 if there is none. */
static int64_t find(const QDict *qdict, const char *key)
{
    uint32_t bucket = bucket_of(key), i;

    for (i = lower_bound(qdict, bucket);
         i < qdict->size && qdict->entries[i]->bucket == bucket; i++) {
        if (!strcmp(qdict->entries[i]->key, key)) {
            return i;
        }
    }
    return -1;
}

QDict *qdict_new(void)
{
    QDict *qdict = g_new0(QDict, 1);

    qobject_init(QOBJECT(qdict), QTYPE_QDICT);
    return qdict;
}

static void entry_free(QDictEntry *e)
{
    g_free(e->key);
    qobject_unref(e->value);
    g_free(e);
}

void qdict_destroy_entries(QDict *qdict)
{
    uint32_t i;

    for (i = 0; i < qdict->size; i++) {
        entry_free(qdict->entries[i]);
    }
    g_free(qdict->entries);
}

/* ---- Iteration ---- */

const QDictEntry *qdict_first(const QDict *qdict)
{
    return qdict->size ? qdict->entries[0] : NULL;
}

const QDictEntry *qdict_next(const QDict *qdict, const QDictEntry *entry)
{
    uint32_t i = lower_bound(qdict, entry->bucket);

    while (qdict->entries[i] != entry) {
        i++;
        assert(i < qdict->size);
    }
    return i + 1 < qdict->size ? qdict->entries[i + 1] : NULL;
}

/* ---- Put and delete ---- */

void qdict_put_obj(QDict *qdict, const char *key, QObject *value)
{
    int64_t at = find(qdict, key);
    QDictEntry *e;
    uint32_t i;

    if (at >= 0) {
        e = qdict->entries[at];
        qobject_unref(e->value);
        e->value = value;
        return;
    }
    e = g_new(QDictEntry, 1);
    *e = (QDictEntry) {
        .key = g_strdup(key),
        .value = value,
        .bucket = bucket_of(key),
    };
    if (qdict->size == qdict->nalloc) {
        qdict->nalloc = MAX(4, 2 * qdict->nalloc);
        qdict->entries = g_renew(QDictEntry *, qdict->entries,
                                 qdict->nalloc);
    }
    i = lower_bound(qdict, e->bucket);
    memmove(&qdict->entries[i + 1], &qdict->entries[i],
            (qdict->size - i) * sizeof(e));
    qdict->entries[i] = e;
    qdict->size++;
}

void qdict_put_bool(QDict *qdict, const char *key, bool value)
{
    qdict_put(qdict, key, qbool_from_bool(value));
}

void qdict_put_int(QDict *qdict, const char *key, int64_t value)
{
    qdict_put(qdict, key, qnum_from_int(value));
}

void qdict_put_str(QDict *qdict, const char *key, const char *value)
{
    qdict_put(qdict, key, qstring_from_str(value));
}

void qdict_put_null(QDict *qdict, const char *key)
{
    qdict_put(qdict, key, qnull());
}

void qdict_del(QDict *qdict, const char *key)
{
    int64_t at = find(qdict, key);

    if (at >= 0) {
        QDictEntry *e = qdict->entries[at];

        qdict->size--;
        memmove(&qdict->entries[at], &qdict->entries[at + 1],
                (qdict->size - at) * sizeof(e));
        entry_free(e);
    }
}

/* ---- Get ---- */

QObject *qdict_get(const QDict *qdict, const char *key)
{
    int64_t at = find(qdict, key);

    return at >= 0 ? qdict->entries[at]->value : NULL;
}

const char *qdict_get_key(const QDict *qdict, const char *key)
{
    int64_t at = find(qdict, key);

    return at >= 0 ? qdict->entries[at]->key : NULL;
}

int qdict_haskey(const QDict *qdict, const char *key)
{
    return find(qdict, key) >= 0;
}

double qdict_get_double(const QDict *qdict, const char *key)
{
    return qnum_get_double(qobject_to(QNum, qdict_get(qdict, key)));
}

int64_t qdict_get_int(const QDict *qdict, const char *key)
{
    return qnum_get_int(qobject_to(QNum, qdict_get(qdict, key)));
}

bool qdict_get_bool(const QDict *qdict, const char *key)
{
    return qbool_get_bool(qobject_to(QBool, qdict_get(qdict, key)));
}

QList *qdict_get_qlist(const QDict *qdict, const char *key)
{
    return qobject_to(QList, qdict_get(qdict, key));
}

QDict *qdict_get_qdict(const QDict *qdict, const char *key)
{
    return qobject_to(QDict, qdict_get(qdict, key));
}

const char *qdict_get_str(const QDict *qdict, const char *key)
{
    return qstring_get_str(qobject_to(QString, qdict_get(qdict, key)));
}

int64_t qdict_get_try_int(const QDict *qdict, const char *key,
                          int64_t def_value)
{
    QNum *qnum = qobject_to(QNum, qdict_get(qdict, key));
    int64_t val;

    return qnum && qnum_get_try_int(qnum, &val) ? val : def_value;
}

bool qdict_get_try_bool(const QDict *qdict, const char *key, bool def_value)
{
    QBool *qbool = qobject_to(QBool, qdict_get(qdict, key));

    return qbool ? qbool_get_bool(qbool) : def_value;
}

const char *qdict_get_try_str(const QDict *qdict, const char *key)
{
    QString *qstr = qobject_to(QString, qdict_get(qdict, key));

    return qstr ? qstring_get_str(qstr) : NULL;
}

/* ---- Whole dicts ---- */

bool qdict_is_equal(const QDict *x, const QDict *y)
{
    const QDictEntry *e;

    if (qdict_size(x) != qdict_size(y)) {
        return false;
    }
    for (e = qdict_first(x); e; e = qdict_next(x, e)) {
        QObject *other = qdict_get(y, e->key);

        if (!other || !qobject_is_equal(e->value, other)) {
            return false;
        }
    }
    return true;
}

QDict *qdict_clone_shallow(const QDict *src)
{
    QDict *dest = qdict_new();
    uint32_t i;

    /* Backwards, so that equal buckets keep their order */
    for (i = src->size; i-- > 0; ) {
        qdict_put_obj(dest, src->entries[i]->key,
                      qobject_ref(src->entries[i]->value));
    }
    return dest;
}
