/*
 * SPDX-License-Identifier: MIT
 *
 * A visitor that passes all on to another one, under another name.
 */
#ifndef FORWARD_VISITOR_H
#define FORWARD_VISITOR_H

#include "qapi/visitor.h"

/* At the outermost level @from is visited in @target as @to; other names are
 * not there. @target is not owned, and all three outlive the visitor. */
Visitor *visitor_forward_field(Visitor *target, const char *from,
                               const char *to);

#endif
