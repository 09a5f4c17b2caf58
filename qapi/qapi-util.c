/*
 * SPDX-License-Identifier: MIT
 *
 * Enumerations, booleans and names in text.
 */
#include "qemu/osdep.h"
#include "qapi/util.h"
#include "qapi/error.h"
#include "qemu/option.h"

const char *qapi_enum_lookup(const QEnumLookup *lookup, int val)
{
    assert(val >= 0 && val < lookup->size);
    return lookup->array[val];
}

int qapi_enum_parse(const QEnumLookup *lookup, const char *buf, int def,
                    Error **errp)
{
    int i;

    if (!buf) {
        return def;
    }
    for (i = 0; i < lookup->size; i++) {
        if (!strcmp(buf, lookup->array[i])) {
            return i;
        }
    }
    error_setg(errp, "invalid parameter value: %s", buf);
    return def;
}

bool qapi_bool_parse(const char *name, const char *value, bool *obj,
                     Error **errp)
{
    return parse_option_bool(name, value, obj, errp);
}

int parse_qapi_name(const char *str, bool complete)
{
    const char *p = str;

    /* Downstream extensions: __RFQDN_ */
    if (*p == '_') {
        if (*++p != '_') {
            return -1;
        }
        for (p++; g_ascii_isalnum(*p) || *p == '-' || *p == '.'; p++) {
            /* the domain */
        }
        if (*p++ != '_') {
            return -1;
        }
    }
    if (!g_ascii_isalpha(*p)) {
        return -1;
    }
    while (g_ascii_isalnum(*p) || *p == '-' || *p == '_') {
        p++;
    }
    return complete && *p ? -1 : p - str;
}
