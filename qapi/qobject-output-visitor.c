/*
 * SPDX-License-Identifier: MIT
 *
 * From C to QObjects.
 *
 * Invariant: stack[0] is the innermost dict or list that is being filled; all
 * of them are owned by the one around them, the outermost by root.
 */
#include "qemu/osdep.h"
#include "qapi/qobject-output-visitor.h"
#include "qapi/visitor-impl.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"

typedef struct QObjectOutputVisitor {
    Visitor visitor;
    GSList *stack;
    QObject *root;
    QObject **result;
} QObjectOutputVisitor;

static QObjectOutputVisitor *to_qov(Visitor *v)
{
    return container_of(v, QObjectOutputVisitor, visitor);
}

/* Takes over @value. */
static void output_add(QObjectOutputVisitor *qov, const char *name,
                       QObject *value)
{
    QObject *cur = qov->stack ? qov->stack->data : NULL;

    if (!cur) {
        assert(!qov->root);
        qov->root = value;
    } else if (qobject_type(cur) == QTYPE_QDICT) {
        assert(name);
        qdict_put_obj(qobject_to(QDict, cur), name, value);
    } else {
        assert(!name);
        qlist_append_obj(qobject_to(QList, cur), value);
    }
}

static bool output_start_struct(Visitor *v, const char *name, void **obj,
                                size_t size, Error **errp)
{
    QObjectOutputVisitor *qov = to_qov(v);
    QDict *dict = qdict_new();

    output_add(qov, name, QOBJECT(dict));
    qov->stack = g_slist_prepend(qov->stack, dict);
    return true;
}

static void output_pop(Visitor *v, void **obj)
{
    QObjectOutputVisitor *qov = to_qov(v);

    qov->stack = g_slist_delete_link(qov->stack, qov->stack);
}

static bool output_start_list(Visitor *v, const char *name,
                              GenericList **list, size_t size, Error **errp)
{
    QObjectOutputVisitor *qov = to_qov(v);
    QList *qlist = qlist_new();

    output_add(qov, name, QOBJECT(qlist));
    qov->stack = g_slist_prepend(qov->stack, qlist);
    return true;
}

static GenericList *output_next_list(Visitor *v, GenericList *tail,
                                     size_t size)
{
    return tail->next;
}

static bool output_int64(Visitor *v, const char *name, int64_t *obj,
                         Error **errp)
{
    output_add(to_qov(v), name, QOBJECT(qnum_from_int(*obj)));
    return true;
}

static bool output_uint64(Visitor *v, const char *name, uint64_t *obj,
                          Error **errp)
{
    output_add(to_qov(v), name, QOBJECT(qnum_from_uint(*obj)));
    return true;
}

static bool output_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    output_add(to_qov(v), name, QOBJECT(qbool_from_bool(*obj)));
    return true;
}

static bool output_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    output_add(to_qov(v), name,
               QOBJECT(qstring_from_str(*obj ? *obj : "")));
    return true;
}

static bool output_number(Visitor *v, const char *name, double *obj,
                          Error **errp)
{
    output_add(to_qov(v), name, QOBJECT(qnum_from_double(*obj)));
    return true;
}

static bool output_any(Visitor *v, const char *name, QObject **obj,
                       Error **errp)
{
    output_add(to_qov(v), name, qobject_ref(*obj));
    return true;
}

static bool output_null(Visitor *v, const char *name, QNull **obj,
                        Error **errp)
{
    output_add(to_qov(v), name, QOBJECT(qnull()));
    return true;
}

static void output_complete(Visitor *v, void *opaque)
{
    QObjectOutputVisitor *qov = to_qov(v);

    assert(qov->root && !qov->stack && opaque == qov->result);
    *qov->result = g_steal_pointer(&qov->root);
}

static void output_free(Visitor *v)
{
    QObjectOutputVisitor *qov = to_qov(v);

    g_slist_free(qov->stack);
    qobject_unref(qov->root);
    g_free(qov);
}

static const VisitorClass output_class = {
    .type = VISITOR_OUTPUT,
    .start_struct = output_start_struct,
    .end_struct = output_pop,
    .start_list = output_start_list,
    .next_list = output_next_list,
    .end_list = output_pop,
    .type_int64 = output_int64,
    .type_uint64 = output_uint64,
    .type_bool = output_bool,
    .type_str = output_str,
    .type_number = output_number,
    .type_any = output_any,
    .type_null = output_null,
    .complete = output_complete,
    .free = output_free,
};

Visitor *qobject_output_visitor_new(QObject **result)
{
    QObjectOutputVisitor *qov = g_new0(QObjectOutputVisitor, 1);

    qov->visitor.ops = &output_class;
    qov->result = result;
    *result = NULL;
    return &qov->visitor;
}
