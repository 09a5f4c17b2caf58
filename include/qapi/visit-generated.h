/*
 * SPDX-License-Identifier: MIT
 *
 * What all generated visitors and marshallers have in common.
 */
#ifndef QAPI_VISIT_GENERATED_H
#define QAPI_VISIT_GENERATED_H

#include "qapi/visitor.h"
#include "qapi/qmp/qdict.h"

/* Visits the members of @obj, or the value in a list's link. */
typedef bool QapiVisitMembers(Visitor *v, void *obj, Error **errp);
/* Visits the value of an alternate. */
typedef bool QapiVisitValue(Visitor *v, const char *name, void *obj,
                            Error **errp);
typedef void QapiFree(void *obj);

bool qapi_visit_object(Visitor *v, const char *name, void **obj, size_t size,
                       QapiVisitMembers *members, QapiFree *free_obj,
                       Error **errp);
/* An object that exists already, such as a branch of an alternate. */
bool qapi_visit_in_place(Visitor *v, const char *name, void *obj,
                         QapiVisitMembers *members, Error **errp);
bool qapi_visit_list(Visitor *v, const char *name, GenericList **list,
                     size_t size, QapiVisitMembers *link, QapiFree *free_list,
                     Error **errp);
bool qapi_visit_alternate(Visitor *v, const char *name, GenericAlternate **obj,
                          size_t size, QapiVisitValue *value,
                          QapiFree *free_obj, Error **errp);

/* Arguments of a command into @arg; with @members NULL there must be none. */
bool qapi_args_parse(QDict *args, void *arg, QapiVisitMembers *members,
                     Error **errp);
void qapi_args_free(void *arg, QapiVisitMembers *members);
/* What a handler returned as QObject; *@value is freed. */
QObject *qapi_return_value(void *value, QapiVisitMembers *visit);
/* Build an event and give it to the emitter, if there is one. */
void qapi_event_send(unsigned event, const char *name, void *data,
                     QapiVisitMembers *members);

#endif
