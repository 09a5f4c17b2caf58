/*
 * SPDX-License-Identifier: MIT
 *
 * An input visitor over one string: a scalar, or a list of integers and
 * ranges like "1,4-7".
 */
#ifndef STRING_INPUT_VISITOR_H
#define STRING_INPUT_VISITOR_H

#include "qapi/visitor.h"

/* @str must outlive the visitor. */
Visitor *string_input_visitor_new(const char *str);

#endif
