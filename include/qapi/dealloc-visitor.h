/*
 * SPDX-License-Identifier: MIT
 *
 * A visitor that frees what it visits, also if it is not complete.
 */
#ifndef QAPI_DEALLOC_VISITOR_H
#define QAPI_DEALLOC_VISITOR_H

#include "qapi/visitor.h"

Visitor *qapi_dealloc_visitor_new(void);

#endif
