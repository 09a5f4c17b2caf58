/*
 * SPDX-License-Identifier: MIT
 *
 * Freeing C objects, complete or not.
 */
#include "qemu/osdep.h"
#include "qapi/dealloc-visitor.h"
#include "qapi/visitor-impl.h"
#include "qapi/qmp/qnull.h"

static bool dealloc_start_struct(Visitor *v, const char *name, void **obj,
                                 size_t size, Error **errp)
{
    return true;
}

static void dealloc_end_struct(Visitor *v, void **obj)
{
    if (obj) {
        g_free(*obj);
        *obj = NULL;
    }
}

static bool dealloc_start_list(Visitor *v, const char *name,
                               GenericList **list, size_t size, Error **errp)
{
    return true;
}

static GenericList *dealloc_next_list(Visitor *v, GenericList *tail,
                                      size_t size)
{
    GenericList *next = tail->next;

    g_free(tail);
    return next;
}

static void dealloc_end_list(Visitor *v, void **list)
{
    /* The links went one by one. */
    if (list) {
        *list = NULL;
    }
}

static bool dealloc_str(Visitor *v, const char *name, char **obj,
                        Error **errp)
{
    g_clear_pointer(obj, g_free);
    return true;
}

static bool dealloc_any(Visitor *v, const char *name, QObject **obj,
                        Error **errp)
{
    qobject_unref(*obj);
    *obj = NULL;
    return true;
}

static bool dealloc_null(Visitor *v, const char *name, QNull **obj,
                         Error **errp)
{
    qobject_unref(*obj);
    *obj = NULL;
    return true;
}

static void dealloc_free(Visitor *v)
{
    g_free(v);
}

static const VisitorClass dealloc_class = {
    .type = VISITOR_DEALLOC,
    .start_struct = dealloc_start_struct,
    .end_struct = dealloc_end_struct,
    .start_list = dealloc_start_list,
    .next_list = dealloc_next_list,
    .end_list = dealloc_end_list,
    .end_alternate = dealloc_end_struct,
    .type_str = dealloc_str,
    .type_any = dealloc_any,
    .type_null = dealloc_null,
    .free = dealloc_free,
};

Visitor *qapi_dealloc_visitor_new(void)
{
    Visitor *v = g_new0(Visitor, 1);

    v->ops = &dealloc_class;
    return v;
}
