/*
 * SPDX-License-Identifier: MIT
 *
 * What a visitor has to bring.
 */
#ifndef QAPI_VISITOR_IMPL_H
#define QAPI_VISITOR_IMPL_H

#include "qapi/visitor.h"

typedef enum VisitorType {
    VISITOR_INPUT,
    VISITOR_OUTPUT,
    VISITOR_CLONE,
    VISITOR_DEALLOC,
} VisitorType;

/* Functions mean what the visit_ function of their name does. Those marked
 * "optional" may be NULL, which does nothing and succeeds. */
typedef struct VisitorClass {
    VisitorType type;
    bool (*start_struct)(Visitor *v, const char *name, void **obj,
                         size_t size, Error **errp);
    bool (*check_struct)(Visitor *v, Error **errp);         /* optional */
    void (*end_struct)(Visitor *v, void **obj);             /* optional */
    bool (*start_list)(Visitor *v, const char *name, GenericList **list,
                       size_t size, Error **errp);
    GenericList *(*next_list)(Visitor *v, GenericList *tail, size_t size);
    bool (*check_list)(Visitor *v, Error **errp);           /* optional */
    void (*end_list)(Visitor *v, void **list);              /* optional */
    bool (*start_alternate)(Visitor *v, const char *name,   /* optional */
                            GenericAlternate **obj, size_t size,
                            Error **errp);
    void (*end_alternate)(Visitor *v, void **obj);          /* optional */
    void (*optional)(Visitor *v, const char *name, bool *present); /* opt. */
    /* Scalars without pointers are optional: visitors that neither make nor
     * use values have nothing to do. All smaller integers go through the
     * first two, enumerations through type_str. */
    bool (*type_int64)(Visitor *v, const char *name, int64_t *obj,
                       Error **errp);
    bool (*type_uint64)(Visitor *v, const char *name, uint64_t *obj,
                        Error **errp);
    /* Else type_uint64 */
    bool (*type_size)(Visitor *v, const char *name, uint64_t *obj,
                      Error **errp);
    bool (*type_bool)(Visitor *v, const char *name, bool *obj, Error **errp);
    bool (*type_number)(Visitor *v, const char *name, double *obj,
                        Error **errp);
    bool (*type_str)(Visitor *v, const char *name, char **obj, Error **errp);
    bool (*type_any)(Visitor *v, const char *name, QObject **obj,
                     Error **errp);
    bool (*type_null)(Visitor *v, const char *name, QNull **obj,
                      Error **errp);
    void (*complete)(Visitor *v, void *opaque);             /* optional */
    void (*free)(Visitor *v);
} VisitorClass;

struct Visitor {
    const VisitorClass *ops;
};

#endif
