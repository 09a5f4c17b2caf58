/*
 * SPDX-License-Identifier: MIT
 *
 * Deep copies of generated types.
 */
#ifndef QAPI_CLONE_VISITOR_H
#define QAPI_CLONE_VISITOR_H

#include "qapi/visitor.h"

/* A copy of @src, which is a @type * (a list, struct, union or alternate), not
 * NULL; to be freed with qapi_free_TYPE(). */
#define QAPI_CLONE(type, src) \
    ((type *)qapi_clone((src), (bool (*)(Visitor *, const char *, void **, \
                                         Error **))visit_type_##type))

/* Copy all members of @src to @dst, both @type *, without allocating. */
#define QAPI_CLONE_MEMBERS(type, dst, src) \
    qapi_clone_members((dst), (src), sizeof(type), \
                       (bool (*)(Visitor *, void *, \
                                 Error **))visit_type_##type##_members)

/* For the macros. */
void *qapi_clone(const void *src, bool (*visit_type)(Visitor *, const char *,
                                                     void **, Error **));
void qapi_clone_members(void *dst, const void *src, size_t size,
                        bool (*visit_members)(Visitor *, void *, Error **));

#endif
