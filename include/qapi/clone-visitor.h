/*
 * SPDX-License-Identifier: MIT
 *
 * Deep copies of generated types.
 */
#ifndef QAPI_CLONE_VISITOR_H
#define QAPI_CLONE_VISITOR_H

#include "qapi/error.h"
#include "qapi/visitor.h"

/* Visited objects become copies of themselves, in place: whoever visits starts
 * from a pointer to, or the bytes of, the original. */
Visitor *qapi_clone_visitor_new(void);

/* A copy of @src, which is a @type * (a list, struct, union or alternate); to
 * be freed with qapi_free_TYPE(). NULL gives NULL. */
#define QAPI_CLONE(type, src) ({                                        \
        type *clone_ = (type *)(src);                                   \
        if (clone_) {                                                   \
            Visitor *clone_visitor_ = qapi_clone_visitor_new();         \
            visit_type_##type(clone_visitor_, NULL, &clone_,            \
                              &error_abort);                            \
            visit_free(clone_visitor_);                                 \
        }                                                               \
        clone_;                                                         \
    })

/* Copy all members of @src to @dst, both @type *, without allocating @dst. */
#define QAPI_CLONE_MEMBERS(type, dst, src) do {                         \
        type *clone_ = (dst);                                           \
        Visitor *clone_visitor_ = qapi_clone_visitor_new();             \
        *clone_ = *(src);                                               \
        visit_type_##type##_members(clone_visitor_, clone_,             \
                                    &error_abort);                      \
        visit_free(clone_visitor_);                                     \
    } while (0)

#endif
