/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: query-qmp-schema.  Its result is data of the program's, so there is no
 * marshaller.
 */
#include "qemu/osdep.h"
#include "monitor-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-introspect.h"

void qmp_marshal_query_qmp_schema(QDict *args, QObject **ret, Error **errp)
{
    const QDictEntry *e = qdict_first(args);

    if (e) {
        error_setg(errp, "Parameter '%s' is unexpected", qdict_entry_key(e));
        return;
    }
    *ret = monitor_get_schema();
}
