/*
 * SPDX-License-Identifier: MIT
 *
 * An output visitor that writes a scalar, or a list of integers, as text.
 */
#ifndef STRING_OUTPUT_VISITOR_H
#define STRING_OUTPUT_VISITOR_H

#include "qapi/visitor.h"

/* visit_complete() puts the text into *result; g_free(). @human: strings in
 * quotes, integers also in hexadecimal, sizes also with a suffix. */
Visitor *string_output_visitor_new(bool human, char **result);

#endif
