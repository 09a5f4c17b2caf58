/*
 * SPDX-License-Identifier: MIT
 *
 * What all generated visitors and marshallers have in common.
 */
#include "qemu/osdep.h"
#include "qapi/visit-generated.h"
#include "qapi/dealloc-visitor.h"
#include "qapi/error.h"
#include "qapi/qmp-event.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"

/* What an input visitor has built before it failed goes away. */
static void drop_partial(Visitor *v, void **obj, QapiFree *free_obj)
{
    if (visit_is_input(v)) {
        free_obj(*obj);
        *obj = NULL;
    }
}

bool qapi_visit_object(Visitor *v, const char *name, void **obj, size_t size,
                       QapiVisitMembers *members, QapiFree *free_obj,
                       Error **errp)
{
    bool ok = true;

    if (!visit_start_struct(v, name, obj, size, errp)) {
        return false;
    }
    /* Only the dealloc visitor meets objects that are not there. */
    if (*obj) {
        ok = members(v, *obj, errp) && visit_check_struct(v, errp);
    }
    visit_end_struct(v, obj);
    if (!ok) {
        drop_partial(v, obj, free_obj);
    }
    return ok;
}

bool qapi_visit_in_place(Visitor *v, const char *name, void *obj,
                         QapiVisitMembers *members, Error **errp)
{
    bool ok;

    if (!visit_start_struct(v, name, NULL, 0, errp)) {
        return false;
    }
    ok = members(v, obj, errp) && visit_check_struct(v, errp);
    visit_end_struct(v, NULL);
    return ok;
}

bool qapi_visit_list(Visitor *v, const char *name, GenericList **list,
                     size_t size, QapiVisitMembers *link, QapiFree *free_list,
                     Error **errp)
{
    GenericList *tail;
    bool ok = true;

    if (!visit_start_list(v, name, list, size, errp)) {
        return false;
    }
    for (tail = *list; tail && ok; tail = visit_next_list(v, tail, size)) {
        ok = link(v, tail, errp);
        if (!ok) {
            break;
        }
    }
    ok = ok && visit_check_list(v, errp);
    visit_end_list(v, (void **)list);
    if (!ok) {
        drop_partial(v, (void **)list, free_list);
    }
    return ok;
}

bool qapi_visit_alternate(Visitor *v, const char *name, GenericAlternate **obj,
                          size_t size, QapiVisitValue *value,
                          QapiFree *free_obj, Error **errp)
{
    bool ok = true;

    if (!visit_start_alternate(v, name, obj, size, errp)) {
        return false;
    }
    if (*obj && (*obj)->type == QTYPE_NONE) {
        /* Input that failed before it knew the type */
        assert(visit_is_dealloc(v));
    } else if (*obj) {
        ok = value(v, name, *obj, errp);
    }
    visit_end_alternate(v, (void **)obj);
    if (!ok) {
        drop_partial(v, (void **)obj, free_obj);
    }
    return ok;
}

bool qapi_args_parse(QDict *args, void *arg, QapiVisitMembers *members,
                     Error **errp)
{
    Visitor *v = qobject_input_visitor_new(QOBJECT(args));
    bool ok = false;

    if (visit_start_struct(v, NULL, NULL, 0, errp)) {
        ok = (!members || members(v, arg, errp)) &&
             visit_check_struct(v, errp);
        visit_end_struct(v, NULL);
    }
    visit_free(v);
    return ok;
}

void qapi_args_free(void *arg, QapiVisitMembers *members)
{
    Visitor *v;

    if (members) {
        v = qapi_dealloc_visitor_new();
        visit_start_struct(v, NULL, NULL, 0, NULL);
        members(v, arg, NULL);
        visit_end_struct(v, NULL);
        visit_free(v);
    }
}

QObject *qapi_return_value(void *value, QapiVisitMembers *visit)
{
    QObject *ret;
    Visitor *v = qobject_output_visitor_new(&ret);

    visit(v, value, &error_abort);
    visit_complete(v, &ret);
    visit_free(v);
    v = qapi_dealloc_visitor_new();
    visit(v, value, NULL);
    visit_free(v);
    return ret;
}

void qapi_event_send(unsigned event, const char *name, void *data,
                     QapiVisitMembers *members)
{
    QapiEventEmit *emit = qapi_event_get_emitter();
    QDict *qmp;

    if (!emit) {
        return;
    }
    qmp = qmp_event_build_dict(name);
    if (members) {
        QObject *obj;
        Visitor *v = qobject_output_visitor_new(&obj);

        visit_start_struct(v, name, NULL, 0, &error_abort);
        members(v, data, &error_abort);
        visit_check_struct(v, &error_abort);
        visit_end_struct(v, NULL);
        visit_complete(v, &obj);
        visit_free(v);
        /* Events whose data are all optional and missing have none. */
        if (qdict_size(qobject_to(QDict, obj))) {
            qdict_put_obj(qmp, "data", obj);
        } else {
            qobject_unref(obj);
        }
    }
    emit(event, qmp);
    qobject_unref(qmp);
}
