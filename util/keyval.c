/*
 * SPDX-License-Identifier: MIT
 *
 * Command lines of QAPI types: "a.b=x,c.0=y" as a tree.
 *
 * First everything goes into nested QDicts; then QDicts whose keys are all
 * numbers become QLists.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/option.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qstring.h"

#define MAX_FRAGMENT 127

/* Length of the fragment at @s: a list index or a name; 0 if malformed. */
static size_t fragment_length(const char *s, size_t max)
{
    size_t len = 0;

    if (max && g_ascii_isdigit(*s)) {
        while (len < max && g_ascii_isdigit(s[len])) {
            len++;
        }
        return len;
    }
    /* Names of downstream extensions begin with "__". */
    if (max && (g_ascii_isalpha(*s) || *s == '_')) {
        while (len < max && (g_ascii_isalnum(s[len]) || s[len] == '-' ||
                             s[len] == '_')) {
            len++;
        }
    }
    return len;
}

/* Put @value at @key below @root; consumes @value. */
static bool put_value(QDict *root, const char *key, size_t key_len,
                      QString *value, Error **errp)
{
    const char *p = key, *end = key + key_len;
    QDict *cur = root;

    for (;;) {
        size_t len = fragment_length(p, end - p);
        g_autofree char *name = g_strndup(p, len);
        QObject *old;

        if (!len || len > MAX_FRAGMENT || (p + len < end && p[len] != '.') ||
            (p == key && g_ascii_isdigit(*p))) {
            error_setg(errp, "Invalid parameter '%.*s'", (int)key_len, key);
            qobject_unref(value);
            return false;
        }
        p += len;
        old = qdict_get(cur, name);
        if (p == end) {
            if (old && qobject_type(old) == QTYPE_QDICT) {
                error_setg(errp, "Parameters '%.*s.*' used inconsistently",
                           (int)key_len, key);
                qobject_unref(value);
                return false;
            }
            qdict_put_obj(cur, name, QOBJECT(value));
            return true;
        }
        if (old && qobject_type(old) != QTYPE_QDICT) {
            error_setg(errp, "Parameters '%.*s.*' used inconsistently",
                       (int)(p - key), key);
            qobject_unref(value);
            return false;
        }
        if (!old) {
            QDict *sub = qdict_new();

            qdict_put_obj(cur, name, QOBJECT(sub));
            cur = sub;
        } else {
            cur = qobject_to(QDict, old);
        }
        p++;
    }
}

/* One "key=value" or implied value; returns what follows, NULL on error. */
static const char *parse_one(QDict *qdict, const char *params,
                             const char *implied_key, bool *help, Error **errp)
{
    size_t len = strcspn(params, "=,");
    g_autofree char *value = NULL;
    const char *key = params, *p;

    if (params[len] != '=') {
        p = get_opt_value(params, &value);
        if (!strcmp(value, "help") || !strcmp(value, "?")) {
            *help = true;
            return *p ? p + 1 : p;
        }
        if (!implied_key) {
            if (!len) {
                error_setg(errp, "Invalid parameter ''");
            } else {
                error_setg(errp, "No implicit parameter name for value '%s'",
                           value);
            }
            return NULL;
        }
        key = implied_key;
        len = strlen(key);
    } else {
        if (!len) {
            error_setg(errp, "Invalid parameter ''");
            return NULL;
        }
        p = get_opt_value(params + len + 1, &value);
    }
    if (!put_value(qdict, key, len, qstring_from_str(value), errp)) {
        return NULL;
    }
    return *p ? p + 1 : p;
}

/* ---- Lists ---- */

static char *join_path(GSList *path)
{
    GString *s = g_string_new(NULL);

    for (; path; path = path->next) {
        g_string_prepend(s, path->data);
        if (path->next) {
            g_string_prepend_c(s, '.');
        }
    }
    return g_string_free(s, FALSE);
}

/* The elements of @qdict, whose keys are numbers, as a list. */
static QObject *listify_numbers(QDict *qdict, GSList *path, Error **errp)
{
    size_t n = qdict_size(qdict), i;
    QList *list = qlist_new();

    for (i = 0; i < n; i++) {
        g_autofree char *key = g_strdup_printf("%zu", i);
        QObject *elem = qdict_get(qdict, key);

        if (!elem) {
            g_autofree char *prefix = join_path(path);

            error_setg(errp, "Parameter '%s%s%zu' missing", prefix,
                       *prefix ? "." : "", i);
            qobject_unref(list);
            return NULL;
        }
        qlist_append_obj(list, qobject_ref(elem));
    }
    return QOBJECT(list);
}

/* @qdict with lists where keys are numbers; a new reference. */
static QObject *listify(QDict *qdict, GSList *path, Error **errp)
{
    const QDictEntry *e;
    bool has_index = false, has_name = false;

    for (e = qdict_first(qdict); e; e = qdict_next(qdict, e)) {
        const char *key = qdict_entry_key(e);
        QDict *sub = qobject_to(QDict, qdict_entry_value(e));

        if (g_ascii_isdigit(*key)) {
            has_index = true;
        } else {
            has_name = true;
        }
        if (sub) {
            GSList here = { (gpointer)key, path };
            QObject *val = listify(sub, &here, errp);

            if (!val) {
                return NULL;
            }
            if (val == QOBJECT(sub)) {
                qobject_unref(val);
            } else {
                /* The key keeps its place: iteration goes on. */
                qdict_put_obj(qdict, key, val);
            }
        }
    }
    if (has_index && has_name) {
        g_autofree char *prefix = join_path(path);

        error_setg(errp, "Parameters '%s%s*' used inconsistently", prefix,
                   *prefix ? "." : "");
        return NULL;
    }
    return has_index ? listify_numbers(qdict, path, errp)
                     : QOBJECT(qobject_ref(qdict));
}

/* ---- Interface ---- */

QDict *keyval_parse_into(QDict *qdict, const char *params,
                         const char *implied_key, bool *p_help, Error **errp)
{
    const char *p = params;
    QObject *listified;
    bool help = false;

    while (*p) {
        p = parse_one(qdict, p, implied_key, &help, errp);
        if (!p) {
            return NULL;
        }
        implied_key = NULL;
    }
    if (p_help) {
        *p_help = help;
    } else if (help) {
        error_setg(errp, "Help is not available for this option");
        return NULL;
    }
    listified = listify(qdict, NULL, errp);
    if (!listified) {
        return NULL;
    }
    if (listified != QOBJECT(qdict)) {
        error_setg(errp, "Parameters '*' used inconsistently");
        qobject_unref(listified);
        return NULL;
    }
    qobject_unref(listified);
    return qdict;
}

QDict *keyval_parse(const char *params, const char *implied_key, bool *p_help,
                    Error **errp)
{
    QDict *qdict = qdict_new();

    if (!keyval_parse_into(qdict, params, implied_key, p_help, errp)) {
        qobject_unref(qdict);
        return NULL;
    }
    return qdict;
}

void keyval_merge(QDict *old, const QDict *new, Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(new); e; e = qdict_next(new, e)) {
        const char *key = qdict_entry_key(e);
        QObject *value = qdict_entry_value(e);
        QObject *former = qdict_get(old, key);
        QDict *sub = qobject_to(QDict, value);

        if (!former || qobject_type(former) == QTYPE_QSTRING) {
            if (former && qobject_type(value) != QTYPE_QSTRING) {
                error_setg(errp, "Parameter '%s%s' used inconsistently", key,
                           sub ? ".*" : ".0");
                return;
            }
            qdict_put_obj(old, key, qobject_ref(value));
        } else if (qobject_type(former) != qobject_type(value)) {
            error_setg(errp, "Parameter '%s' used inconsistently", key);
            return;
        } else if (sub) {
            Error *local_err = NULL;

            keyval_merge(qobject_to(QDict, former), sub, &local_err);
            if (local_err) {
                error_propagate(errp, local_err);
                return;
            }
        } else {
            QListEntry *elem;
            QList *list = qobject_to(QList, former);

            QLIST_FOREACH_ENTRY(qobject_to(QList, value), elem) {
                qlist_append_obj(list, qobject_ref(qlist_entry_obj(elem)));
            }
        }
    }
}
