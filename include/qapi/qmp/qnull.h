/*
 * SPDX-License-Identifier: MIT
 *
 * JSON null: one object for all.
 */
#ifndef QNULL_H
#define QNULL_H

#include "qapi/qmp/qobject.h"

struct QNull {
    struct QObjectBase_ base;
};

extern QNull qnull_;

/* A new reference. */
static inline QNull *qnull(void)
{
    return qobject_ref(&qnull_);
}

void qnull_unref(QNull *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QNull, qnull_unref)

#endif
