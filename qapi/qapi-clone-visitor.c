/*
 * SPDX-License-Identifier: MIT
 *
 * Deep copies: the copy starts as a copy of the bytes, then each pointer in
 * it is replaced by one to a copy.
 */
#include "qemu/osdep.h"
#include "qapi/clone-visitor.h"
#include "qapi/visitor-impl.h"
#include "qapi/qmp/qnull.h"

static bool clone_start_struct(Visitor *v, const char *name, void **obj,
                               size_t size, Error **errp)
{
    if (obj) {
        *obj = g_memdup2(*obj, size);
    }
    return true;
}

static bool clone_start_list(Visitor *v, const char *name, GenericList **list,
                             size_t size, Error **errp)
{
    if (*list) {
        *list = g_memdup2(*list, size);
    }
    return true;
}

static GenericList *clone_next_list(Visitor *v, GenericList *tail,
                                    size_t size)
{
    if (tail->next) {
        tail->next = g_memdup2(tail->next, size);
    }
    return tail->next;
}

static bool clone_start_alternate(Visitor *v, const char *name,
                                  GenericAlternate **obj, size_t size,
                                  Error **errp)
{
    *obj = g_memdup2(*obj, size);
    return true;
}

static bool clone_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    /* NULL stands for "". */
    *obj = g_strdup(*obj ? *obj : "");
    return true;
}

static bool clone_any(Visitor *v, const char *name, QObject **obj,
                      Error **errp)
{
    qobject_ref(*obj);
    return true;
}

static bool clone_null(Visitor *v, const char *name, QNull **obj,
                       Error **errp)
{
    *obj = qnull();
    return true;
}

static void clone_free(Visitor *v)
{
    g_free(v);
}

static const VisitorClass clone_class = {
    .type = VISITOR_CLONE,
    .start_struct = clone_start_struct,
    .start_list = clone_start_list,
    .next_list = clone_next_list,
    .start_alternate = clone_start_alternate,
    .type_str = clone_str,
    .type_any = clone_any,
    .type_null = clone_null,
    .free = clone_free,
};

Visitor *qapi_clone_visitor_new(void)
{
    Visitor *v = g_new0(Visitor, 1);

    v->ops = &clone_class;
    return v;
}
