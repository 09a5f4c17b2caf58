/*
 * SPDX-License-Identifier: MIT
 *
 * Visitors: what is the same for all of them.
 */
#include "qemu/osdep.h"
#include "qapi/visitor-impl.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"

bool visit_start_struct(Visitor *v, const char *name, void **obj, size_t size,
                        Error **errp)
{
    if (obj) {
        assert(size);
        assert(v->ops->type != VISITOR_OUTPUT || *obj);
    }
    if (!v->ops->start_struct(v, name, obj, size, errp)) {
        if (obj && v->ops->type == VISITOR_INPUT) {
            *obj = NULL;
        }
        return false;
    }
    return true;
}

bool visit_check_struct(Visitor *v, Error **errp)
{
    return !v->ops->check_struct || v->ops->check_struct(v, errp);
}

void visit_end_struct(Visitor *v, void **obj)
{
    if (v->ops->end_struct) {
        v->ops->end_struct(v, obj);
    }
}

bool visit_start_list(Visitor *v, const char *name, GenericList **list,
                      size_t size, Error **errp)
{
    assert(!list || size >= sizeof(GenericList));
    if (!v->ops->start_list(v, name, list, size, errp)) {
        if (list && v->ops->type == VISITOR_INPUT) {
            *list = NULL;
        }
        return false;
    }
    return true;
}

GenericList *visit_next_list(Visitor *v, GenericList *tail, size_t size)
{
    assert(tail && size >= sizeof(GenericList));
    return v->ops->next_list(v, tail, size);
}

bool visit_check_list(Visitor *v, Error **errp)
{
    return !v->ops->check_list || v->ops->check_list(v, errp);
}

void visit_end_list(Visitor *v, void **list)
{
    if (v->ops->end_list) {
        v->ops->end_list(v, list);
    }
}

bool visit_start_alternate(Visitor *v, const char *name,
                           GenericAlternate **obj, size_t size, Error **errp)
{
    assert(obj && size >= sizeof(GenericAlternate));
    if (!v->ops->start_alternate) {
        return true;
    }
    if (!v->ops->start_alternate(v, name, obj, size, errp)) {
        if (v->ops->type == VISITOR_INPUT) {
            *obj = NULL;
        }
        return false;
    }
    return true;
}

void visit_end_alternate(Visitor *v, void **obj)
{
    if (v->ops->end_alternate) {
        v->ops->end_alternate(v, obj);
    }
}

bool visit_optional(Visitor *v, const char *name, bool *present)
{
    if (v->ops->optional) {
        v->ops->optional(v, name, present);
    }
    return *present;
}

bool visit_is_input(Visitor *v)
{
    return v->ops->type == VISITOR_INPUT;
}

bool visit_is_dealloc(Visitor *v)
{
    return v->ops->type == VISITOR_DEALLOC;
}

void visit_complete(Visitor *v, void *opaque)
{
    if (v->ops->complete) {
        v->ops->complete(v, opaque);
    }
}

void visit_free(Visitor *v)
{
    if (v) {
        v->ops->free(v);
    }
}

/* ---- Scalars ---- */

bool visit_type_enum(Visitor *v, const char *name, int *obj,
                     const QEnumLookup *lookup, Error **errp)
{
    g_autofree char *str = NULL;
    int value;

    if (v->ops->type == VISITOR_OUTPUT) {
        str = g_strdup(qapi_enum_lookup(lookup, *obj));
        return v->ops->type_str(v, name, &str, errp);
    }
    if (v->ops->type != VISITOR_INPUT) {
        return true;
    }
    if (!v->ops->type_str(v, name, &str, errp)) {
        return false;
    }
    value = qapi_enum_parse(lookup, str, -1, NULL);
    if (value < 0) {
        error_setg(errp, "Parameter '%s' does not accept value '%s'",
                   name ? name : "null", str);
        return false;
    }
    *obj = value;
    return true;
}

static bool visit_signed(Visitor *v, const char *name, int64_t *obj,
                         int64_t min, int64_t max, const char *type,
                         Error **errp)
{
    int64_t value = *obj;

    if (v->ops->type_int64 && !v->ops->type_int64(v, name, &value, errp)) {
        return false;
    }
    if (value < min || value > max) {
        assert(v->ops->type == VISITOR_INPUT);
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name ? name : "null",
                   type);
        return false;
    }
    *obj = value;
    return true;
}

static bool visit_unsigned(Visitor *v, const char *name, uint64_t *obj,
                           uint64_t max, const char *type, Error **errp)
{
    uint64_t value = *obj;

    if (v->ops->type_uint64 && !v->ops->type_uint64(v, name, &value, errp)) {
        return false;
    }
    if (value > max) {
        assert(v->ops->type == VISITOR_INPUT);
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name ? name : "null",
                   type);
        return false;
    }
    *obj = value;
    return true;
}

#define VISIT_INTEGER(func, ctype, wide, helper, ...)                   \
    bool func(Visitor *v, const char *name, ctype *obj, Error **errp)   \
    {                                                                   \
        wide value = *obj;                                              \
        bool ok = helper(v, name, &value, __VA_ARGS__, #ctype, errp);   \
                                                                        \
        *obj = value;                                                   \
        return ok;                                                      \
    }
VISIT_INTEGER(visit_type_int, int64_t, int64_t, visit_signed, INT64_MIN,
              INT64_MAX)
VISIT_INTEGER(visit_type_int8, int8_t, int64_t, visit_signed, INT8_MIN,
              INT8_MAX)
VISIT_INTEGER(visit_type_int16, int16_t, int64_t, visit_signed, INT16_MIN,
              INT16_MAX)
VISIT_INTEGER(visit_type_int32, int32_t, int64_t, visit_signed, INT32_MIN,
              INT32_MAX)
VISIT_INTEGER(visit_type_int64, int64_t, int64_t, visit_signed, INT64_MIN,
              INT64_MAX)
VISIT_INTEGER(visit_type_uint8, uint8_t, uint64_t, visit_unsigned, UINT8_MAX)
VISIT_INTEGER(visit_type_uint16, uint16_t, uint64_t, visit_unsigned,
              UINT16_MAX)
VISIT_INTEGER(visit_type_uint32, uint32_t, uint64_t, visit_unsigned,
              UINT32_MAX)
VISIT_INTEGER(visit_type_uint64, uint64_t, uint64_t, visit_unsigned,
              UINT64_MAX)

bool visit_type_size(Visitor *v, const char *name, uint64_t *obj, Error **errp)
{
    return v->ops->type_size ? v->ops->type_size(v, name, obj, errp)
                             : visit_type_uint64(v, name, obj, errp);
}

bool visit_type_bool(Visitor *v, const char *name, bool *obj, Error **errp)
{
    return !v->ops->type_bool || v->ops->type_bool(v, name, obj, errp);
}

bool visit_type_str(Visitor *v, const char *name, char **obj, Error **errp)
{
    return v->ops->type_str(v, name, obj, errp);
}

bool visit_type_number(Visitor *v, const char *name, double *obj, Error **errp)
{
    return !v->ops->type_number || v->ops->type_number(v, name, obj, errp);
}

bool visit_type_any(Visitor *v, const char *name, QObject **obj, Error **errp)
{
    return v->ops->type_any(v, name, obj, errp);
}

bool visit_type_null(Visitor *v, const char *name, QNull **obj, Error **errp)
{
    return v->ops->type_null(v, name, obj, errp);
}
