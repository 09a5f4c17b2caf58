/*
 * SPDX-License-Identifier: MIT
 *
 * QemuOpts from and to QDicts.
 */
#include "qemu/osdep.h"
#include "qemu/option.h"
#include "qapi/error.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"

/* A scalar as it would stand on a command line; false if it is none. */
static bool scalar_to_str(QObject *obj, char **str)
{
    switch (qobject_type(obj)) {
    case QTYPE_QSTRING:
        *str = g_strdup(qstring_get_str(qobject_to(QString, obj)));
        return true;
    case QTYPE_QNUM:
        *str = qnum_to_string(qobject_to(QNum, obj));
        return true;
    case QTYPE_QBOOL:
        *str = g_strdup(qbool_get_bool(qobject_to(QBool, obj)) ? "on" : "off");
        return true;
    default:
        return false;
    }
}

static bool opts_set_obj(QemuOpts *opts, const char *name, QObject *obj,
                         Error **errp)
{
    g_autofree char *str = NULL;

    /* What has no form as an option is left out. */
    return !scalar_to_str(obj, &str) || qemu_opt_set(opts, name, str, errp);
}

QemuOpts *qemu_opts_from_qdict(QemuOptsList *list, const QDict *qdict,
                               Error **errp)
{
    QemuOpts *opts = qemu_opts_create(list, qdict_get_try_str(qdict, "id"), 1,
                                      errp);
    const QDictEntry *e;

    if (!opts) {
        return NULL;
    }
    for (e = qdict_first(qdict); e; e = qdict_next(qdict, e)) {
        if (strcmp(qdict_entry_key(e), "id") &&
            !opts_set_obj(opts, qdict_entry_key(e), qdict_entry_value(e),
                          errp)) {
            qemu_opts_del(opts);
            return NULL;
        }
    }
    return opts;
}

static bool list_knows(const QemuOptsList *list, const char *name)
{
    const QemuOptDesc *desc;

    for (desc = list->desc; desc->name; desc++) {
        if (!strcmp(desc->name, name)) {
            return true;
        }
    }
    return !list->desc[0].name;
}

bool qemu_opts_absorb_qdict(QemuOpts *opts, QDict *qdict, Error **errp)
{
    const QDictEntry *e, *next;

    for (e = qdict_first(qdict); e; e = next) {
        g_autofree char *key = g_strdup(qdict_entry_key(e));

        next = qdict_next(qdict, e);
        if (!list_knows(opts->list, key)) {
            continue;
        }
        if (!opts_set_obj(opts, key, qdict_entry_value(e), errp)) {
            return false;
        }
        qdict_del(qdict, key);
        /* Entries may have moved: begin again. */
        next = qdict_first(qdict);
        while (next && !list_knows(opts->list, qdict_entry_key(next))) {
            next = qdict_next(qdict, next);
        }
    }
    return true;
}

QDict *qemu_opts_to_qdict_filtered(QemuOpts *opts, QDict *qdict,
                                   QemuOptsList *list, bool del)
{
    QemuOpt *opt, *next;

    if (!qdict) {
        qdict = qdict_new();
    }
    if (qemu_opts_id(opts)) {
        qdict_put_str(qdict, "id", qemu_opts_id(opts));
    }
    QTAILQ_FOREACH_SAFE(opt, &opts->head, next, next) {
        if (list && !list_knows(list, opt->name)) {
            continue;
        }
        qdict_put_str(qdict, opt->name, opt->str);
        if (del) {
            QTAILQ_REMOVE(&opts->head, opt, next);
            g_free(opt->name);
            g_free(opt->str);
            g_free(opt);
        }
    }
    return qdict;
}

QDict *qemu_opts_to_qdict(QemuOpts *opts, QDict *qdict)
{
    return qemu_opts_to_qdict_filtered(opts, qdict, NULL, false);
}
