/*
 * SPDX-License-Identifier: MIT
 *
 * JSON arrays.
 */
#ifndef QLIST_H
#define QLIST_H

#include "qapi/qmp/qobject.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qstring.h"
#include "qemu/queue.h"

typedef struct QListEntry {
    QObject *value;
    QTAILQ_ENTRY(QListEntry) next;
} QListEntry;

struct QList {
    struct QObjectBase_ base;
    QTAILQ_HEAD(, QListEntry) head;
};

/* Append; takes over the reference. */
#define qlist_append(qlist, obj) qlist_append_obj(qlist, QOBJECT(obj))

QList *qlist_new(void);
QList *qlist_copy(QList *src);
void qlist_append_obj(QList *qlist, QObject *obj);
void qlist_append_bool(QList *qlist, bool value);
void qlist_append_int(QList *qlist, int64_t value);
void qlist_append_null(QList *qlist);
void qlist_append_str(QList *qlist, const char *value);
/* The first element, taken out; NULL if there is none. */
QObject *qlist_pop(QList *qlist);
/* The first element, which stays the list's. */
QObject *qlist_peek(QList *qlist);
int qlist_empty(const QList *qlist);
size_t qlist_size(const QList *qlist);
void qlist_unref(QList *q);

static inline const QListEntry *qlist_first(const QList *qlist)
{
    return QTAILQ_FIRST(&qlist->head);
}

static inline const QListEntry *qlist_next(const QListEntry *entry)
{
    return QTAILQ_NEXT(entry, next);
}

static inline QObject *qlist_entry_obj(const QListEntry *entry)
{
    return entry->value;
}

#define QLIST_FOREACH_ENTRY(qlist, var) \
    for ((var) = QTAILQ_FIRST(&(qlist)->head); (var); \
         (var) = QTAILQ_NEXT((var), next))

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QList, qlist_unref)

#endif
