/*
 * SPDX-License-Identifier: MIT
 *
 * An output visitor that makes a QObject.
 */
#ifndef QOBJECT_OUTPUT_VISITOR_H
#define QOBJECT_OUTPUT_VISITOR_H

#include "qapi/qmp/qobject.h"
#include "qapi/visitor.h"

/* visit_complete() puts a new reference into *result. */
Visitor *qobject_output_visitor_new(QObject **result);

#endif
