/*
 * SPDX-License-Identifier: MIT
 *
 * From a scalar or a list of integers to a string.
 *
 * Structs have no text; inside them nothing is written.
 */
#include "qemu/osdep.h"
#include "qapi/string-output-visitor.h"
#include "qapi/visitor-impl.h"
#include "qemu/cutils.h"

typedef struct Range {
    uint64_t low;
    uint64_t high;
} Range;

typedef struct StringOutputVisitor {
    Visitor visitor;
    /* Immutable after creation */
    bool human;
    char **result;
    /* State */
    GString *text;
    GArray *ranges;             /* of Range, in a list */
    bool is_signed;             /* are they? */
    int structs;                /* how deep we are in them */
} StringOutputVisitor;

static StringOutputVisitor *string_visitor(Visitor *v)
{
    return container_of(v, StringOutputVisitor, visitor);
}

static void GCC_FMT_ATTR(2, 3)
write_text(StringOutputVisitor *sov, const char *fmt, ...)
{
    va_list ap;

    if (!sov->structs) {
        va_start(ap, fmt);
        g_string_append_vprintf(sov->text, fmt, ap);
        va_end(ap);
    }
}

static bool string_out_start_struct(Visitor *v, const char *name, void **obj,
                                    size_t size, Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    write_text(sov, "<omitted>");
    sov->structs++;
    return true;
}

static void string_out_end_struct(Visitor *v, void **obj)
{
    string_visitor(v)->structs--;
}

/* ---- Lists: runs of integers become ranges ---- */

static bool string_out_start_list(Visitor *v, const char *name,
                                  GenericList **list, size_t size,
                                  Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (!sov->ranges) {
        sov->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    }
    return true;
}

static GenericList *string_out_next_list(Visitor *v, GenericList *tail,
                                         size_t size)
{
    return tail->next;
}

static void add_to_ranges(StringOutputVisitor *sov, uint64_t value,
                          bool is_signed)
{
    /* After which none follows */
    uint64_t top = is_signed ? INT64_MAX : UINT64_MAX;
    GArray *ranges = sov->ranges;
    Range *last = ranges->len
                  ? &g_array_index(ranges, Range, ranges->len - 1) : NULL;
    Range one = { value, value };

    sov->is_signed = is_signed;
    if (last && last->high != top && last->high + 1 == value) {
        last->high = value;
    } else {
        g_array_append_val(ranges, one);
    }
}

static void write_number(StringOutputVisitor *sov, uint64_t value, bool hex)
{
    if (hex) {
        write_text(sov, "0x%" PRIx64, value);
    } else if (sov->is_signed) {
        write_text(sov, "%" PRId64, (int64_t)value);
    } else {
        write_text(sov, "%" PRIu64, value);
    }
}

static void write_ranges(StringOutputVisitor *sov, bool hex)
{
    guint i;

    for (i = 0; i < sov->ranges->len; i++) {
        const Range *r = &g_array_index(sov->ranges, Range, i);

        write_text(sov, "%s", i ? "," : "");
        write_number(sov, r->low, hex);
        if (r->low != r->high) {
            write_text(sov, "-");
            write_number(sov, r->high, hex);
        }
    }
}

static void string_out_end_list(Visitor *v, void **list)
{
    StringOutputVisitor *sov = string_visitor(v);

    write_ranges(sov, false);
    if (sov->human && sov->ranges->len) {
        write_text(sov, " (");
        write_ranges(sov, true);
        write_text(sov, ")");
    }
    g_clear_pointer(&sov->ranges, g_array_unref);
}

/* ---- Scalars ---- */

static bool string_out_uint64(Visitor *v, const char *name, uint64_t *obj,
                              Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (sov->ranges) {
        add_to_ranges(sov, *obj, false);
        return true;
    }
    write_text(sov, "%" PRIu64, *obj);
    if (sov->human) {
        write_text(sov, " (0x%" PRIx64 ")", *obj);
    }
    return true;
}

static bool string_out_int64(Visitor *v, const char *name, int64_t *obj,
                             Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (sov->ranges) {
        add_to_ranges(sov, *obj, true);
        return true;
    }
    write_text(sov, "%" PRId64, *obj);
    if (sov->human) {
        write_text(sov, " (0x%" PRIx64 ")", *obj);
    }
    return true;
}

static bool string_out_size(Visitor *v, const char *name, uint64_t *obj,
                            Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (sov->ranges) {
        add_to_ranges(sov, *obj, false);
        return true;
    }
    write_text(sov, "%" PRIu64, *obj);
    if (sov->human) {
        g_autofree char *size = size_to_str(*obj);

        write_text(sov, " (%s)", size);
    }
    return true;
}

static bool string_out_bool(Visitor *v, const char *name, bool *obj,
                            Error **errp)
{
    write_text(string_visitor(v), "%s", *obj ? "true" : "false");
    return true;
}

static bool string_out_str(Visitor *v, const char *name, char **obj,
                           Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (sov->human) {
        write_text(sov, *obj ? "\"%s\"" : "%s", *obj ? *obj : "<null>");
    } else {
        write_text(sov, "%s", *obj ? *obj : "");
    }
    return true;
}

static bool string_out_number(Visitor *v, const char *name, double *obj,
                              Error **errp)
{
    write_text(string_visitor(v), "%.17g", *obj);
    return true;
}

static bool string_out_any(Visitor *v, const char *name, QObject **obj,
                           Error **errp)
{
    write_text(string_visitor(v), "<omitted>");
    return true;
}

static bool string_out_null(Visitor *v, const char *name, QNull **obj,
                            Error **errp)
{
    StringOutputVisitor *sov = string_visitor(v);

    write_text(sov, "%s", sov->human ? "<null>" : "");
    return true;
}

static void string_out_complete(Visitor *v, void *opaque)
{
    StringOutputVisitor *sov = string_visitor(v);

    assert(opaque == sov->result);
    *sov->result = g_string_free(g_steal_pointer(&sov->text), FALSE);
}

static void string_out_free(Visitor *v)
{
    StringOutputVisitor *sov = string_visitor(v);

    if (sov->text) {
        g_string_free(sov->text, TRUE);
    }
    g_clear_pointer(&sov->ranges, g_array_unref);
    g_free(sov);
}

static const VisitorClass string_output_class = {
    .type = VISITOR_OUTPUT,
    .start_struct = string_out_start_struct,
    .end_struct = string_out_end_struct,
    .start_list = string_out_start_list,
    .next_list = string_out_next_list,
    .end_list = string_out_end_list,
    .type_int64 = string_out_int64,
    .type_uint64 = string_out_uint64,
    .type_size = string_out_size,
    .type_bool = string_out_bool,
    .type_str = string_out_str,
    .type_number = string_out_number,
    .type_any = string_out_any,
    .type_null = string_out_null,
    .complete = string_out_complete,
    .free = string_out_free,
};

Visitor *string_output_visitor_new(bool human, char **result)
{
    StringOutputVisitor *sov = g_new0(StringOutputVisitor, 1);

    sov->visitor.ops = &string_output_class;
    sov->human = human;
    sov->result = result;
    sov->text = g_string_new(NULL);
    *result = NULL;
    return &sov->visitor;
}
