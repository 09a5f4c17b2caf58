/*
 * SPDX-License-Identifier: MIT
 *
 * How the rules of a blkdebug node are read: from the file given by the
 * option config, with sections [inject-error] and [set-state], and from the
 * options inject-error.* and set-state.* (a list, or a single rule).
 *
 * Between calls the two groups of options are empty.
 */
#include "qemu/osdep.h"
#include "block/blkdebug-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qemu/config-file.h"
#include "qemu/option.h"

static QemuOptsList inject_error_opts = {
    .name = "inject-error",
    .head = QTAILQ_HEAD_INITIALIZER(inject_error_opts.head),
    .desc = {
        { .name = "event", .type = QEMU_OPT_STRING },
        { .name = "state", .type = QEMU_OPT_NUMBER },
        { .name = "iotype", .type = QEMU_OPT_STRING },
        { .name = "errno", .type = QEMU_OPT_NUMBER },
        { .name = "sector", .type = QEMU_OPT_NUMBER },
        { .name = "once", .type = QEMU_OPT_BOOL },
        { .name = "immediately", .type = QEMU_OPT_BOOL },
        { /* end of list */ }
    },
};

static QemuOptsList set_state_opts = {
    .name = "set-state",
    .head = QTAILQ_HEAD_INITIALIZER(set_state_opts.head),
    .desc = {
        { .name = "event", .type = QEMU_OPT_STRING },
        { .name = "state", .type = QEMU_OPT_NUMBER },
        { .name = "new_state", .type = QEMU_OPT_NUMBER },
        { /* end of list */ }
    },
};

static QemuOptsList *rule_groups[] = {
    &inject_error_opts,
    &set_state_opts,
    NULL
};

void blkdebug_rule_free(BlkdebugRule *rule)
{
    g_free(rule->tag);
    g_free(rule);
}

/* ---- From options to rules ---- */

static int parse_inject_error(QemuOpts *opts, BlkdebugRule *rule, Error **errp)
{
    const char *iotype = qemu_opt_get(opts, "iotype");
    Error *local_err = NULL;
    int64_t sector;

    /* Block status fails only when it is asked for. */
    rule->iotypes = ((1u << BLKDEBUG_IO_TYPE__MAX) - 1) &
                    ~(1u << BLKDEBUG_IO_TYPE_BLOCK_STATUS);
    if (iotype) {
        int type = qapi_enum_parse(&BlkdebugIOType_lookup, iotype, 0,
                                   &local_err);
        if (local_err) {
            error_propagate(errp, local_err);
            return -EINVAL;
        }
        rule->iotypes = 1u << type;
    }
    rule->error = qemu_opt_get_number(opts, "errno", EIO);
    sector = qemu_opt_get_number(opts, "sector", -1);
    rule->offset = sector == -1 ? -1 : sector * (int64_t)BDRV_SECTOR_SIZE;
    rule->once = qemu_opt_get_bool(opts, "once", false);
    rule->immediately = qemu_opt_get_bool(opts, "immediately", false);
    return 0;
}

/* A rule from one section, or NULL. */
static BlkdebugRule *parse_rule(QemuOpts *opts, BlkdebugRuleKind kind,
                                Error **errp)
{
    const char *event = qemu_opt_get(opts, "event");
    Error *local_err = NULL;
    BlkdebugRule *rule;
    int nr;

    if (!event) {
        error_setg(errp, "Missing event name for rule");
        return NULL;
    }
    nr = qapi_enum_parse(&BlkdebugEvent_lookup, event, 0, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return NULL;
    }
    rule = g_new0(BlkdebugRule, 1);
    rule->kind = kind;
    rule->event = nr;
    rule->state = qemu_opt_get_number(opts, "state", 0);
    if (kind == BLKDEBUG_RULE_SET_STATE) {
        rule->new_state = qemu_opt_get_number(opts, "new_state", 0);
    } else if (parse_inject_error(opts, rule, errp) < 0) {
        blkdebug_rule_free(rule);
        return NULL;
    }
    return rule;
}

static int parse_group(QemuOptsList *group, BlkdebugRuleKind kind,
                       BlkdebugRuleList *rules, Error **errp)
{
    QemuOpts *opts;

    QTAILQ_FOREACH(opts, &group->head, next) {
        BlkdebugRule *rule = parse_rule(opts, kind, errp);

        if (!rule) {
            return -EINVAL;
        }
        QTAILQ_INSERT_TAIL(rules, rule, next);
    }
    return 0;
}

/* ---- From the node's options to sections ---- */

/* Make a section of @group from what @options knows of it. */
static int absorb_section(QemuOptsList *group, QDict *options, Error **errp)
{
    QemuOpts *opts = qemu_opts_create(group, NULL, 0, &error_abort);

    return qemu_opts_absorb_qdict(opts, options, errp) ? 0 : -EINVAL;
}

/* The sections of a list; each of its elements must be consumed. */
static int absorb_list(QemuOptsList *group, QList *list, Error **errp)
{
    const QListEntry *e;

    QLIST_FOREACH_ENTRY(list, e) {
        QDict *section = qobject_to(QDict, qlist_entry_obj(e));

        if (!section) {
            error_setg(errp, "[%s] section (index %d) does not consist of "
                       "keys", group->name, 0);
            return -EINVAL;
        }
        if (absorb_section(group, section, errp) < 0) {
            return -EINVAL;
        }
        if (qdict_size(section)) {
            error_setg(errp, "[%s] section doesn't support the option '%s'",
                       group->name, qdict_entry_key(qdict_first(section)));
            return -EINVAL;
        }
    }
    return 0;
}

static int absorb_group(QemuOptsList *group, QDict *options, Error **errp)
{
    g_autofree char *prefix = g_strdup_printf("%s.", group->name);
    QDict *all = NULL;
    QList *list = NULL;
    int ret = 0;

    qdict_extract_subqdict(options, &all, prefix);
    if (!qdict_size(all)) {
        goto out;
    }
    qdict_array_split(all, &list);
    ret = qlist_empty(list) ? absorb_section(group, all, errp)
                            : absorb_list(group, list, errp);
    if (ret == 0 && qdict_size(all)) {
        error_setg(errp, "Unused option '%s' for [%s]",
                   qdict_entry_key(qdict_first(all)), group->name);
        ret = -EINVAL;
    }
out:
    qobject_unref(list);
    qobject_unref(all);
    return ret;
}

/* ---- Both ---- */

static int read_file(const char *filename, Error **errp)
{
    FILE *f = fopen(filename, "r");
    int ret;

    if (!f) {
        ret = -errno;
        error_setg_errno(errp, -ret, "Could not read blkdebug config file");
        return ret;
    }
    ret = qemu_config_parse(f, rule_groups, filename, errp);
    fclose(f);
    return ret < 0 ? ret : 0;
}

int blkdebug_read_config(const char *filename, QDict *options,
                         BlkdebugRuleList *rules, Error **errp)
{
    BlkdebugRuleList found = QTAILQ_HEAD_INITIALIZER(found);
    BlkdebugRule *rule, *next;
    size_t i;
    int ret = 0;

    if (filename) {
        ret = read_file(filename, errp);
    }
    for (i = 0; rule_groups[i] && ret == 0; i++) {
        ret = absorb_group(rule_groups[i], options, errp);
    }
    if (ret == 0) {
        ret = parse_group(&inject_error_opts, BLKDEBUG_RULE_INJECT_ERROR,
                          &found, errp);
    }
    if (ret == 0) {
        ret = parse_group(&set_state_opts, BLKDEBUG_RULE_SET_STATE, &found,
                          errp);
    }
    QTAILQ_FOREACH_SAFE(rule, &found, next, next) {
        QTAILQ_REMOVE(&found, rule, next);
        if (ret == 0) {
            QTAILQ_INSERT_TAIL(rules, rule, next);
        } else {
            blkdebug_rule_free(rule);
        }
    }
    for (i = 0; rule_groups[i]; i++) {
        qemu_opts_reset(rule_groups[i]);
    }
    return ret;
}
