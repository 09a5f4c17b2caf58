/*
 * SPDX-License-Identifier: MIT
 *
 * QObjects from and to JSON text.
 */
#ifndef QJSON_H
#define QJSON_H

#include "qapi/qmp/qobject.h"

/* One value, with nothing after it. NULL with @errp. */
QObject *qobject_from_json(const char *string, Error **errp);
/* The same with % interpolation: %s, %d, %ld, %lld, %PRId64, %u..., %f, %i
 * (a bool), %p (a QObject *, taken over). Malformed: abort. */
QObject *qobject_from_vjsonf_nofail(const char *string, va_list ap)
    GCC_FMT_ATTR(1, 0);
QObject *qobject_from_jsonf_nofail(const char *string, ...)
    GCC_FMT_ATTR(1, 2);
QDict *qdict_from_vjsonf_nofail(const char *string, va_list ap)
    GCC_FMT_ATTR(1, 0);
QDict *qdict_from_jsonf_nofail(const char *string, ...) GCC_FMT_ATTR(1, 2);

GString *qobject_to_json(const QObject *obj);
GString *qobject_to_json_pretty(const QObject *obj, bool pretty);

#endif
