/*
 * SPDX-License-Identifier: MIT
 *
 * JSON strings, UTF-8.
 */
#ifndef QSTRING_H
#define QSTRING_H

#include "qapi/qmp/qobject.h"

struct QString {
    struct QObjectBase_ base;
    const char *string;
};

QString *qstring_new(void);
QString *qstring_from_str(const char *str);
/* Characters @start to @end, exclusive. */
QString *qstring_from_substr(const char *str, size_t start, size_t end);
/* Take over @gstr. */
QString *qstring_from_gstring(GString *gstr);
const char *qstring_get_str(const QString *qstring);
void qstring_unref(QString *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QString, qstring_unref)

#endif
