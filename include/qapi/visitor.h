/*
 * SPDX-License-Identifier: MIT
 *
 * Visitors: one walk over a generated type, for many purposes.
 *
 * The generated visit_type_FOO() call the functions below for each member in
 * turn; the visitor decides what happens.  Input visitors build the object
 * out of something (JSON, a string), output visitors make something of it,
 * the clone visitor copies, the dealloc visitor frees.  A virtual walk, with
 * obj == NULL, has no C object at all.
 *
 * @name: the member's key; NULL within a list and (mostly) at the root.
 *
 * Errors: functions that return bool return false with @errp.  Only input
 * visitors fail.  The object that an input visitor has built so far is freed
 * by the generated code; *obj is NULL then.  A visitor is used for one root,
 * and not after an error except for visit_free().
 */
#ifndef QAPI_VISITOR_H
#define QAPI_VISITOR_H

#include "qapi/qapi-builtin-types.h"

/* ---- Structures ---- */

/* Start object *obj of @size bytes (input: allocates it). After success
 * follow the members, visit_check_struct() if they all went well, and in any
 * case visit_end_struct(). obj == NULL: no C object. */
bool visit_start_struct(Visitor *v, const char *name, void **obj, size_t size,
                        Error **errp);
/* Input: nothing is left that was not visited. */
bool visit_check_struct(Visitor *v, Error **errp);
/* @obj as given to visit_start_struct(). */
void visit_end_struct(Visitor *v, void **obj);

/* ---- Lists ---- */

/* Likewise; *list gets the first link, of @size bytes, or NULL. */
bool visit_start_list(Visitor *v, const char *name, GenericList **list,
                      size_t size, Error **errp);
/* The link after @tail, NULL if there is none. */
GenericList *visit_next_list(Visitor *v, GenericList *tail, size_t size);
/* Input: all of the list was visited. For virtual walks. */
bool visit_check_list(Visitor *v, Error **errp);
void visit_end_list(Visitor *v, void **list);

/* ---- Alternates ---- */

/* Input: allocates *obj and sets its type. */
bool visit_start_alternate(Visitor *v, const char *name,
                           GenericAlternate **obj, size_t size, Error **errp);
void visit_end_alternate(Visitor *v, void **obj);

/* ---- Members ---- */

/* Is @name there? Input: *present becomes the answer. Returns *present. */
bool visit_optional(Visitor *v, const char *name, bool *present);

/* ---- Scalars ---- */

bool visit_type_enum(Visitor *v, const char *name, int *obj,
                     const QEnumLookup *lookup, Error **errp);
bool visit_type_int(Visitor *v, const char *name, int64_t *obj, Error **errp);
bool visit_type_uint8(Visitor *v, const char *name, uint8_t *obj,
                      Error **errp);
bool visit_type_uint16(Visitor *v, const char *name, uint16_t *obj,
                       Error **errp);
bool visit_type_uint32(Visitor *v, const char *name, uint32_t *obj,
                       Error **errp);
bool visit_type_uint64(Visitor *v, const char *name, uint64_t *obj,
                       Error **errp);
bool visit_type_int8(Visitor *v, const char *name, int8_t *obj, Error **errp);
bool visit_type_int16(Visitor *v, const char *name, int16_t *obj,
                      Error **errp);
bool visit_type_int32(Visitor *v, const char *name, int32_t *obj,
                      Error **errp);
bool visit_type_int64(Visitor *v, const char *name, int64_t *obj,
                      Error **errp);
/* Bytes; where numbers are text they may have a suffix like "64k". */
bool visit_type_size(Visitor *v, const char *name, uint64_t *obj,
                     Error **errp);
bool visit_type_bool(Visitor *v, const char *name, bool *obj, Error **errp);
/* Output: NULL counts as "". */
bool visit_type_str(Visitor *v, const char *name, char **obj, Error **errp);
bool visit_type_number(Visitor *v, const char *name, double *obj,
                       Error **errp);
bool visit_type_any(Visitor *v, const char *name, QObject **obj,
                    Error **errp);
bool visit_type_null(Visitor *v, const char *name, QNull **obj, Error **errp);

/* ---- The visitor ---- */

bool visit_is_input(Visitor *v);
bool visit_is_dealloc(Visitor *v);
/* Output: hand the result over to where the visitor was told to at its
 * creation; @opaque is that place again. */
void visit_complete(Visitor *v, void *opaque);
/* NULL is allowed. */
void visit_free(Visitor *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Visitor, visit_free)

#endif
