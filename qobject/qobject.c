/*
 * SPDX-License-Identifier: MIT
 *
 * Scalars and arrays of JSON, and what all kinds share.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qobject.h"
#include "qapi/qmp/qstring.h"
#include "qobject-internal.h"

QNull qnull_ = { .base = { .type = QTYPE_QNULL, .refcnt = 1 } };

#define DEFINE_UNREF(type, func)        \
    void func(type *q)                  \
    {                                   \
        qobject_unref(q);               \
    }
DEFINE_UNREF(QNull, qnull_unref)
DEFINE_UNREF(QBool, qbool_unref)
DEFINE_UNREF(QNum, qnum_unref)
DEFINE_UNREF(QString, qstring_unref)
DEFINE_UNREF(QList, qlist_unref)
DEFINE_UNREF(QDict, qdict_unref)

void qobject_destroy(QObject *obj)
{
    switch (qobject_type(obj)) {
    case QTYPE_QNULL:
        /* The one object has a reference of its own. */
        g_assert_not_reached();
    case QTYPE_QSTRING:
        g_free((char *)qobject_to(QString, obj)->string);
        break;
    case QTYPE_QDICT:
        qdict_destroy_entries(qobject_to(QDict, obj));
        break;
    case QTYPE_QLIST:
        while (!qlist_empty(qobject_to(QList, obj))) {
            qobject_unref(qlist_pop(qobject_to(QList, obj)));
        }
        break;
    default:
        break;
    }
    g_free(obj);
}

/* ---- Booleans ---- */

QBool *qbool_from_bool(bool value)
{
    QBool *qb = g_new(QBool, 1);

    qobject_init(QOBJECT(qb), QTYPE_QBOOL);
    qb->value = value;
    return qb;
}

bool qbool_get_bool(const QBool *qb)
{
    return qb->value;
}

/* ---- Numbers ---- */

static QNum *qnum_new(QNumKind kind)
{
    QNum *qn = g_new(QNum, 1);

    qobject_init(QOBJECT(qn), QTYPE_QNUM);
    qn->kind = kind;
    return qn;
}

QNum *qnum_from_int(int64_t value)
{
    QNum *qn = qnum_new(QNUM_I64);

    qn->u.i64 = value;
    return qn;
}

QNum *qnum_from_uint(uint64_t value)
{
    QNum *qn = qnum_new(QNUM_U64);

    qn->u.u64 = value;
    return qn;
}

QNum *qnum_from_double(double value)
{
    QNum *qn = qnum_new(QNUM_DOUBLE);

    qn->u.dbl = value;
    return qn;
}

bool qnum_get_try_int(const QNum *qn, int64_t *val)
{
    switch (qn->kind) {
    case QNUM_I64:
        *val = qn->u.i64;
        return true;
    case QNUM_U64:
        *val = qn->u.u64;
        return qn->u.u64 <= INT64_MAX;
    default:
        return false;
    }
}

bool qnum_get_try_uint(const QNum *qn, uint64_t *val)
{
    switch (qn->kind) {
    case QNUM_I64:
        *val = qn->u.i64;
        return qn->u.i64 >= 0;
    case QNUM_U64:
        *val = qn->u.u64;
        return true;
    default:
        return false;
    }
}

int64_t qnum_get_int(const QNum *qn)
{
    int64_t val;
    bool ok = qnum_get_try_int(qn, &val);

    assert(ok);
    return val;
}

uint64_t qnum_get_uint(const QNum *qn)
{
    uint64_t val;
    bool ok = qnum_get_try_uint(qn, &val);

    assert(ok);
    return val;
}

double qnum_get_double(QNum *qn)
{
    switch (qn->kind) {
    case QNUM_I64:
        return qn->u.i64;
    case QNUM_U64:
        return qn->u.u64;
    default:
        return qn->u.dbl;
    }
}

char *qnum_to_string(QNum *qn)
{
    switch (qn->kind) {
    case QNUM_I64:
        return g_strdup_printf("%" PRId64, qn->u.i64);
    case QNUM_U64:
        return g_strdup_printf("%" PRIu64, qn->u.u64);
    default:
        /* Enough digits to read the same number again */
        return g_strdup_printf("%.17g", qn->u.dbl);
    }
}

static bool qnum_is_equal(const QNum *x, const QNum *y)
{
    int64_t xi = 0, yi = 0;
    uint64_t xu, yu;
    bool x_is_int = qnum_get_try_int(x, &xi);
    bool y_is_int = qnum_get_try_int(y, &yi);

    if (x_is_int || y_is_int) {
        return x_is_int && y_is_int && xi == yi;
    }
    if (x->kind != y->kind) {
        return false;
    }
    if (x->kind == QNUM_DOUBLE) {
        return x->u.dbl == y->u.dbl;
    }
    return qnum_get_try_uint(x, &xu) && qnum_get_try_uint(y, &yu) && xu == yu;
}

/* ---- Strings ---- */

static QString *qstring_take(char *str)
{
    QString *qs = g_new(QString, 1);

    qobject_init(QOBJECT(qs), QTYPE_QSTRING);
    qs->string = str;
    return qs;
}

QString *qstring_new(void)
{
    return qstring_from_str("");
}

QString *qstring_from_str(const char *str)
{
    return qstring_take(g_strdup(str));
}

QString *qstring_from_substr(const char *str, size_t start, size_t end)
{
    assert(start <= end);
    return qstring_take(g_strndup(str + start, end - start));
}

QString *qstring_from_gstring(GString *gstr)
{
    return qstring_take(g_string_free(gstr, FALSE));
}

const char *qstring_get_str(const QString *qstring)
{
    return qstring->string;
}

/* ---- Arrays ---- */

QList *qlist_new(void)
{
    QList *qlist = g_new(QList, 1);

    qobject_init(QOBJECT(qlist), QTYPE_QLIST);
    QTAILQ_INIT(&qlist->head);
    return qlist;
}

QList *qlist_copy(QList *src)
{
    QList *copy = qlist_new();
    QListEntry *e;

    QLIST_FOREACH_ENTRY(src, e) {
        qlist_append_obj(copy, qobject_ref(e->value));
    }
    return copy;
}

void qlist_append_obj(QList *qlist, QObject *value)
{
    QListEntry *e = g_new(QListEntry, 1);

    e->value = value;
    QTAILQ_INSERT_TAIL(&qlist->head, e, next);
}

void qlist_append_bool(QList *qlist, bool value)
{
    qlist_append(qlist, qbool_from_bool(value));
}

void qlist_append_int(QList *qlist, int64_t value)
{
    qlist_append(qlist, qnum_from_int(value));
}

void qlist_append_str(QList *qlist, const char *value)
{
    qlist_append(qlist, qstring_from_str(value));
}

void qlist_append_null(QList *qlist)
{
    qlist_append(qlist, qnull());
}

QObject *qlist_pop(QList *qlist)
{
    QListEntry *e = QTAILQ_FIRST(&qlist->head);
    QObject *value;

    if (!e) {
        return NULL;
    }
    QTAILQ_REMOVE(&qlist->head, e, next);
    value = e->value;
    g_free(e);
    return value;
}

QObject *qlist_peek(QList *qlist)
{
    QListEntry *e = QTAILQ_FIRST(&qlist->head);

    return e ? e->value : NULL;
}

int qlist_empty(const QList *qlist)
{
    return QTAILQ_EMPTY(&qlist->head);
}

size_t qlist_size(const QList *qlist)
{
    QListEntry *e;
    size_t n = 0;

    QLIST_FOREACH_ENTRY(qlist, e) {
        n++;
    }
    return n;
}

static bool qlist_is_equal(const QList *x, const QList *y)
{
    const QListEntry *a = qlist_first(x), *b = qlist_first(y);

    while (a && b) {
        if (!qobject_is_equal(a->value, b->value)) {
            return false;
        }
        a = qlist_next(a);
        b = qlist_next(b);
    }
    return !a && !b;
}

/* ---- All kinds ---- */

bool qobject_is_equal(const QObject *x, const QObject *y)
{
    if (x == y) {
        return true;
    }
    if (!x || !y || qobject_type(x) != qobject_type(y)) {
        return false;
    }
    switch (qobject_type(x)) {
    case QTYPE_QNULL:
        return true;
    case QTYPE_QNUM:
        return qnum_is_equal(qobject_to(QNum, x), qobject_to(QNum, y));
    case QTYPE_QSTRING:
        return !strcmp(qobject_to(QString, x)->string,
                       qobject_to(QString, y)->string);
    case QTYPE_QBOOL:
        return qobject_to(QBool, x)->value == qobject_to(QBool, y)->value;
    case QTYPE_QLIST:
        return qlist_is_equal(qobject_to(QList, x), qobject_to(QList, y));
    case QTYPE_QDICT:
        return qdict_is_equal(qobject_to(QDict, x), qobject_to(QDict, y));
    default:
        g_assert_not_reached();
    }
}
