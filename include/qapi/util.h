/*
 * SPDX-License-Identifier: MIT
 *
 * What generated types are made of: names of enumerations, list links.
 */
#ifndef QAPI_UTIL_H
#define QAPI_UTIL_H

#include "qemu/osdep.h"

/* Features of commands and enumeration members with a meaning to the code,
 * as bit numbers. */
typedef enum {
    QAPI_DEPRECATED,
    QAPI_UNSTABLE,
} QapiSpecialFeature;

typedef struct QEnumLookup {
    const char *const *array;       /* by value; no holes */
    const unsigned char *special_features; /* the same, or NULL: none */
    int size;
} QEnumLookup;

/* Every generated list starts with its link, every alternate with its type:
 * visitors build them without knowing the rest. */
typedef struct GenericList {
    struct GenericList *next;
    char padding[];
} GenericList;

typedef struct GenericAlternate {
    int type;               /* a QType */
    char padding[];
} GenericAlternate;

/* The name of @val, which must be one of @lookup. */
const char *qapi_enum_lookup(const QEnumLookup *lookup, int val);
/* The value of name @buf; @def if @buf is NULL; -1 with @errp becomes @def
 * too: the caller that allows all values of int looks at @errp. */
int qapi_enum_parse(const QEnumLookup *lookup, const char *buf, int def,
                    Error **errp);
/* "on", "yes", "true", "y" and their contraries. */
bool qapi_bool_parse(const char *name, const char *value, bool *obj,
                     Error **errp);
/* The length of the name that @str starts with: letters, digits, - and _, a
 * letter first ("complete": that must be all of it), with a reverse domain
 * name before it if there is "__". -1 if there is none. */
int parse_qapi_name(const char *str, bool complete);

/* Put @element at the front of @list. */
#define QAPI_LIST_PREPEND(list, element) do {           \
        typeof(list) new_link_ = g_new0(typeof(*(list)), 1); \
        new_link_->value = (element);                   \
        new_link_->next = (list);                       \
        (list) = new_link_;                             \
    } while (0)

/* Put @element where @tail points, the address of the last link (at first the
 * address of the list), and advance @tail. */
#define QAPI_LIST_APPEND(tail, element) do {            \
        *(tail) = g_malloc0(sizeof(**(tail)));          \
        (*(tail))->value = (element);                   \
        (tail) = &(*(tail))->next;                      \
    } while (0)

#define QAPI_LIST_LENGTH(list) ({                       \
        size_t list_length_ = 0;                        \
        typeof_strip_const_(list) list_at_;             \
        for (list_at_ = (list); list_at_; list_at_ = list_at_->next) { \
            list_length_++;                             \
        }                                               \
        list_length_;                                   \
    })
#define typeof_strip_const_(list) typeof((list)->next)

#endif
