/*
 * SPDX-License-Identifier: MIT
 *
 * QObject: the base of JSON values, with reference counts.
 *
 * Objects of a type embed it as their first member "base".  References may be
 * passed between threads, but each object is used by one thread at a time.
 */
#ifndef QOBJECT_H
#define QOBJECT_H

#include "qemu/osdep.h"

typedef enum QType {
    QTYPE_NONE,             /* sentinel */
    QTYPE_QNULL,
    QTYPE_QNUM,
    QTYPE_QSTRING,
    QTYPE_QDICT,
    QTYPE_QLIST,
    QTYPE_QBOOL,
    QTYPE__MAX
} QType;

struct QObjectBase_ {
    QType type;
    size_t refcnt;
};

struct QObject {
    struct QObjectBase_ base;
};

/* The object as QObject *; NULL stays NULL. */
#define QOBJECT(obj) ({                                             \
        typeof(obj) qobject_obj_ = (obj);                           \
        qobject_obj_ ? (QObject *)&qobject_obj_->base : NULL;       \
    })

static inline void qobject_init(QObject *obj, QType type)
{
    assert(type > QTYPE_NONE && type < QTYPE__MAX);
    obj->base.refcnt = 1;
    obj->base.type = type;
}

static inline QObject *qobject_ref_impl(QObject *obj)
{
    if (obj) {
        obj->base.refcnt++;
    }
    return obj;
}

/* Free the object; for qobject_unref(). */
void qobject_destroy(QObject *obj);
bool qobject_is_equal(const QObject *x, const QObject *y);

static inline void qobject_unref_impl(QObject *obj)
{
    assert(!obj || obj->base.refcnt);
    if (obj && --obj->base.refcnt == 0) {
        qobject_destroy(obj);
    }
}

/* Add a reference; returns its argument. NULL is allowed. */
#define qobject_ref(obj) ({                                         \
        typeof(obj) qobject_ref_ = (obj);                           \
        qobject_ref_impl(QOBJECT(qobject_ref_));                    \
        qobject_ref_;                                               \
    })
/* Drop one; NULL is allowed. */
#define qobject_unref(obj) qobject_unref_impl(QOBJECT(obj))

static inline QType qobject_type(const QObject *obj)
{
    assert(obj->base.type > QTYPE_NONE && obj->base.type < QTYPE__MAX);
    return obj->base.type;
}

static inline QObject *qobject_check_type(const QObject *obj, QType type)
{
    return obj && qobject_type(obj) == type ? (QObject *)obj : NULL;
}

/* @obj as a @type * if it is one, else NULL. */
#define qobject_to(type, obj) \
    ((type *)qobject_check_type((obj), glue(QTYPE_OF_, type)))

#define QTYPE_OF_QNull   QTYPE_QNULL
#define QTYPE_OF_QNum    QTYPE_QNUM
#define QTYPE_OF_QString QTYPE_QSTRING
#define QTYPE_OF_QDict   QTYPE_QDICT
#define QTYPE_OF_QList   QTYPE_QLIST
#define QTYPE_OF_QBool   QTYPE_QBOOL

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QObject, qobject_unref_impl)

#endif
