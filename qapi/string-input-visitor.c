/*
 * SPDX-License-Identifier: MIT
 *
 * From a string to a scalar or a list of integers.
 *
 * Invariant: in a list, low..high are integers that were read and are still
 * to be visited, if in_range; rest is what follows them.
 */
#include "qemu/osdep.h"
#include "qapi/string-input-visitor.h"
#include "qapi/visitor-impl.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qnull.h"
#include "qemu/cutils.h"

/* So many elements one range may have. */
#define RANGE_MAX 65536

typedef struct StringInputVisitor {
    Visitor visitor;
    const char *text;
    bool in_list;
    const char *rest;
    bool in_range;
    /* Two's complement: signed and unsigned ranges are told apart by whoever
     * visits. */
    uint64_t low;
    uint64_t high;
} StringInputVisitor;

static StringInputVisitor *string_visitor(Visitor *v)
{
    return container_of(v, StringInputVisitor, visitor);
}

static bool wrong_type(const char *name, const char *expected, Error **errp)
{
    error_setg(errp, QERR_INVALID_PARAMETER_TYPE, name ? name : "null",
               expected);
    return false;
}

static bool wrong_value(const char *name, const char *expected, Error **errp)
{
    error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name ? name : "null",
               expected);
    return false;
}

/* ---- Lists ---- */

static bool string_in_start_struct(Visitor *v, const char *name, void **obj,
                                   size_t size, Error **errp)
{
    error_setg(errp, "Parameter '%s' cannot be given as text",
               name ? name : "null");
    return false;
}

static bool string_in_start_list(Visitor *v, const char *name,
                                 GenericList **list, size_t size,
                                 Error **errp)
{
    StringInputVisitor *siv = string_visitor(v);

    assert(list && !siv->in_list);
    siv->in_list = true;
    siv->in_range = false;
    siv->rest = siv->text;
    *list = *siv->rest ? g_malloc0(size) : NULL;
    return true;
}

static GenericList *string_in_next_list(Visitor *v, GenericList *tail,
                                        size_t size)
{
    StringInputVisitor *siv = string_visitor(v);

    if (siv->in_range || *siv->rest) {
        tail->next = g_malloc0(size);
    }
    return tail->next;
}

static bool string_in_check_list(Visitor *v, Error **errp)
{
    StringInputVisitor *siv = string_visitor(v);

    if (siv->in_range || *siv->rest) {
        error_setg(errp, "Fewer list elements expected");
        return false;
    }
    return true;
}

static void string_in_end_list(Visitor *v, void **list)
{
    string_visitor(v)->in_list = false;
}

static int parse_number(const char *str, const char **end, bool is_signed,
                        uint64_t *value)
{
    int64_t num;
    int ret;

    if (!is_signed) {
        return qemu_strtou64(str, end, 0, value);
    }
    ret = qemu_strtoi64(str, end, 0, &num);
    *value = num;
    return ret;
}

/* "N" or "N-M" and a comma at rest. */
static bool read_range(StringInputVisitor *siv, bool is_signed)
{
    const char *p = siv->rest;

    if (parse_number(p, &p, is_signed, &siv->low) < 0) {
        return false;
    }
    siv->high = siv->low;
    if (*p == '-') {
        if (parse_number(p + 1, &p, is_signed, &siv->high) < 0 ||
            (is_signed ? (int64_t)siv->high < (int64_t)siv->low
                       : siv->high < siv->low) ||
            siv->high - siv->low >= RANGE_MAX) {
            return false;
        }
    }
    if (*p == ',' ? !p[1] : *p) {
        return false;
    }
    siv->rest = *p ? p + 1 : p;
    siv->in_range = true;
    return true;
}

static bool next_integer(StringInputVisitor *siv, bool is_signed,
                         uint64_t *value)
{
    if (!siv->in_range && !read_range(siv, is_signed)) {
        return false;
    }
    *value = siv->low;
    siv->in_range = siv->low++ != siv->high;
    return true;
}

/* ---- Scalars ---- */

static bool string_in_int64(Visitor *v, const char *name, int64_t *obj,
                            Error **errp)
{
    StringInputVisitor *siv = string_visitor(v);
    uint64_t value;

    if (siv->in_list) {
        if (!next_integer(siv, true, &value)) {
            return wrong_value(name, "list of int64 values or ranges", errp);
        }
        *obj = value;
        return true;
    }
    return qemu_strtoi64(siv->text, NULL, 0, obj) == 0 ||
           wrong_type(name, "int64", errp);
}

static bool string_in_uint64(Visitor *v, const char *name, uint64_t *obj,
                             Error **errp)
{
    StringInputVisitor *siv = string_visitor(v);

    if (siv->in_list) {
        return next_integer(siv, false, obj) ||
               wrong_value(name, "list of uint64 values or ranges", errp);
    }
    return qemu_strtou64(siv->text, NULL, 0, obj) == 0 ||
           wrong_type(name, "uint64", errp);
}

static bool string_in_size(Visitor *v, const char *name, uint64_t *obj,
                           Error **errp)
{
    return qemu_strtosz(string_visitor(v)->text, NULL, obj) == 0 ||
           wrong_value(name, "a size value representible as uint64", errp);
}

static bool string_in_bool(Visitor *v, const char *name, bool *obj,
                           Error **errp)
{
    return qapi_bool_parse(name ? name : "null", string_visitor(v)->text, obj,
                           errp);
}

static bool string_in_str(Visitor *v, const char *name, char **obj,
                          Error **errp)
{
    *obj = g_strdup(string_visitor(v)->text);
    return true;
}

static bool string_in_number(Visitor *v, const char *name, double *obj,
                             Error **errp)
{
    return qemu_strtod_finite(string_visitor(v)->text, NULL, obj) == 0 ||
           wrong_type(name, "number", errp);
}

static bool string_in_any(Visitor *v, const char *name, QObject **obj,
                          Error **errp)
{
    *obj = NULL;
    return string_in_start_struct(v, name, NULL, 0, errp);
}

static bool string_in_null(Visitor *v, const char *name, QNull **obj,
                           Error **errp)
{
    *obj = *string_visitor(v)->text ? NULL : qnull();
    return *obj || wrong_type(name, "null", errp);
}

static void string_in_free(Visitor *v)
{
    g_free(string_visitor(v));
}

static const VisitorClass string_input_class = {
    .type = VISITOR_INPUT,
    .start_struct = string_in_start_struct,
    .start_list = string_in_start_list,
    .next_list = string_in_next_list,
    .check_list = string_in_check_list,
    .end_list = string_in_end_list,
    .type_int64 = string_in_int64,
    .type_uint64 = string_in_uint64,
    .type_size = string_in_size,
    .type_bool = string_in_bool,
    .type_str = string_in_str,
    .type_number = string_in_number,
    .type_any = string_in_any,
    .type_null = string_in_null,
    .free = string_in_free,
};

Visitor *string_input_visitor_new(const char *str)
{
    StringInputVisitor *siv = g_new0(StringInputVisitor, 1);

    siv->visitor.ops = &string_input_class;
    siv->text = siv->rest = str;
    return &siv->visitor;
}
