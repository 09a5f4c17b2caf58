/*
 * SPDX-License-Identifier: MIT
 *
 * What qobject.c needs to know of QDicts.
 */
#ifndef QOBJECT_INTERNAL_H
#define QOBJECT_INTERNAL_H

#include "qapi/qmp/qdict.h"

void qdict_destroy_entries(QDict *qdict);
bool qdict_is_equal(const QDict *x, const QDict *y);

#endif
