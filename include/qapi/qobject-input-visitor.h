/*
 * SPDX-License-Identifier: MIT
 *
 * Input visitors over QObjects.
 *
 * Strict: members that nobody asks for, and wrong types, are errors, which
 * name the place in full ("options[0].file.x").
 */
#ifndef QOBJECT_INPUT_VISITOR_H
#define QOBJECT_INPUT_VISITOR_H

#include "qapi/qmp/qobject.h"
#include "qapi/visitor.h"

/* Scalars have their JSON type. The visitor holds a reference to @obj. */
Visitor *qobject_input_visitor_new(QObject *obj);
/* Scalars are strings, as keyval_parse() makes them. */
Visitor *qobject_input_visitor_new_keyval(QObject *obj);
/* For an option argument: JSON if it starts with "{", else key=value,...;
 * @implied_key: the key of a first part without one, or NULL. */
Visitor *qobject_input_visitor_new_str(const char *str,
                                       const char *implied_key, Error **errp);

#endif
