/*
 * SPDX-License-Identifier: MIT
 *
 * Changing options of nodes that are in use.
 *
 * A queue has an entry for every node that is affected: those that were asked
 * for, and below them the children that inherit options.  All entries are
 * prepared, then the permissions of the graph as it will be are checked; only
 * then anything is committed.
 *
 * Invariants
 *   1. Every node of a queue is drained from the moment it is queued until the
 *      queue is freed.
 *   2. An entry comes after those of the nodes it inherits from.
 *   3. bs->options and bs->open_flags change at commit only; until then
 *      bdrv_reopen_flags() tells what they will be.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qobject.h"
#include "qapi/qmp/qstring.h"
#include "qemu/option.h"

/* ---- The queue ---- */

static BlockReopenQueueEntry *queue_find(BlockReopenQueue *q,
                                         BlockDriverState *bs)
{
    BlockReopenQueueEntry *e;

    if (q) {
        QTAILQ_FOREACH(e, q, entry) {
            if (e->state.bs == bs) {
                return e;
            }
        }
    }
    return NULL;
}

int bdrv_reopen_flags(BlockReopenQueue *q, BlockDriverState *bs)
{
    BlockReopenQueueEntry *e = queue_find(q, bs);

    return e ? e->state.flags : bs->open_flags;
}

static BlockReopenQueueEntry *queue_add(BlockReopenQueue *q,
                                        BlockDriverState *bs)
{
    BlockReopenQueueEntry *e = g_new0(BlockReopenQueueEntry, 1);

    bdrv_ref(bs);
    bdrv_drained_begin(bs);
    e->state.bs = bs;
    QTAILQ_INSERT_TAIL(q, e, entry);
    return e;
}

void bdrv_reopen_queue_free(BlockReopenQueue *bs_queue)
{
    BlockReopenQueueEntry *e;

    if (!bs_queue) {
        return;
    }
    while ((e = QTAILQ_FIRST(bs_queue))) {
        QTAILQ_REMOVE(bs_queue, e, entry);
        bdrv_drained_end(e->state.bs);
        bdrv_unref(e->state.bs);
        qobject_unref(e->state.explicit_options);
        qobject_unref(e->state.options);
        g_free(e);
    }
    g_free(bs_queue);
}

/* ---- Options of an entry ---- */

/* Add those of @old that @options lacks. */
static void join_options(BlockDriverState *bs, QDict *options, QDict *old)
{
    QDict *copy;

    if (!old) {
        return;
    }
    copy = qdict_clone_shallow(old);
    if (bs->drv && bs->drv->bdrv_join_options) {
        bs->drv->bdrv_join_options(options, copy);
    } else {
        qdict_join(options, copy, false);
    }
    qobject_unref(copy);
}

/* What a node inherits from when it is reopened. */
typedef struct Heritage {
    const BdrvChildRole *role;
    int flags;
    QDict *options;
} Heritage;

static int flags_after(BlockDriverState *bs, int flags, QDict *options)
{
    QemuOpts *opts = qemu_opts_create(&bdrv_runtime_opts, NULL, 0,
                                      &error_abort);
    QDict *copy = qdict_clone_shallow(options);

    /* Errors are found again, and told, in prepare. */
    qemu_opts_absorb_qdict(opts, copy, NULL);
    bdrv_flags_from_opts(&flags, opts);
    qemu_opts_del(opts);
    qobject_unref(copy);

    flags &= ~BDRV_O_PROTOCOL;
    flags |= bs->open_flags & BDRV_O_PROTOCOL;
    if (flags & BDRV_O_RDWR) {
        flags |= BDRV_O_ALLOW_RDWR;
    }
    return flags;
}

static void queue_node(BlockReopenQueue *q, BlockDriverState *bs,
                       QDict *options, const Heritage *from, bool keep_old);

/* The children that inherit options from the node of @state. */
static void queue_children(BlockReopenQueue *q, BDRVReopenState *state,
                           bool keep_old)
{
    BlockDriverState *bs = state->bs;
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->children, next) {
        Heritage from = { c->role, state->flags, state->options };
        g_autofree char *prefix = NULL;
        QDict *child_options = NULL;
        bool child_keeps = keep_old;

        if (c->bs->inherits_from != bs || !c->role->inherit_options) {
            continue;
        }
        if (qdict_haskey(state->options, c->name)) {
            const char *ref = qdict_get_try_str(state->options, c->name);

            /* It goes away; or it is named and stays as it is. */
            if (!ref || strcmp(ref, c->bs->node_name)) {
                continue;
            }
            child_keeps = true;
        }
        prefix = g_strconcat(c->name, ".", NULL);
        qdict_extract_subqdict(state->explicit_options, NULL, prefix);
        qdict_extract_subqdict(state->options, &child_options, prefix);
        queue_node(q, c->bs, child_options, &from, child_keeps);
    }
}

static void queue_node(BlockReopenQueue *q, BlockDriverState *bs,
                       QDict *options, const Heritage *from, bool keep_old)
{
    BlockReopenQueueEntry *e = queue_find(q, bs);
    BDRVReopenState *state;
    int flags = bs->open_flags;

    if (!options) {
        options = qdict_new();
    }
    if (e) {
        /* Asked for twice: the last word counts. */
        join_options(bs, options, e->state.explicit_options);
        qobject_unref(e->state.explicit_options);
        qobject_unref(e->state.options);
    } else {
        e = queue_add(q, bs);
    }
    state = &e->state;
    if (keep_old) {
        join_options(bs, options, bs->explicit_options);
    }
    state->backing_missing = !keep_old && !qdict_haskey(options, "backing") &&
                             !qdict_haskey(options, "backing.driver");
    state->explicit_options = qdict_clone_shallow(options);
    if (from) {
        from->role->inherit_options(&flags, options, from->flags,
                                    from->options);
        /* Only what is not an option is the node's own. */
        flags |= bs->open_flags & (BDRV_O_NO_BACKING | BDRV_O_INACTIVE);
    }
    if (keep_old) {
        join_options(bs, options, bs->options);
    }
    state->options = options;
    state->flags = flags_after(bs, flags, options);
    state->detect_zeroes = bs->detect_zeroes;
    queue_children(q, state, keep_old);
}

BlockReopenQueue *bdrv_reopen_queue(BlockReopenQueue *bs_queue,
                                    BlockDriverState *bs, QDict *options,
                                    bool keep_old_opts)
{
    if (!bs_queue) {
        bs_queue = g_new0(BlockReopenQueue, 1);
        QTAILQ_INIT(bs_queue);
    }
    /* Drained one by one, nodes could lose children while others are waited
     * for. */
    bdrv_ref(bs);
    bdrv_subtree_drained_begin(bs);
    queue_node(bs_queue, bs, options, NULL, keep_old_opts);
    bdrv_subtree_drained_end(bs);
    bdrv_unref(bs);
    return bs_queue;
}

/* ---- Prepare ---- */

/* Options that may be left out although they were given at open. */
static const char *const resettable_options[] = {
    "node-name", BDRV_OPT_DISCARD, BDRV_OPT_CACHE_DIRECT,
    BDRV_OPT_CACHE_NO_FLUSH, BDRV_OPT_READ_ONLY, BDRV_OPT_AUTO_READ_ONLY,
    "detect-zeroes", NULL,
};

static bool is_one_of(const char *name, const char *const *list)
{
    for (; list && *list; list++) {
        if (!strcmp(name, *list)) {
            return true;
        }
    }
    return false;
}

static bool check_left_out_options(BDRVReopenState *state, Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(state->bs->options); e;
         e = qdict_next(state->bs->options, e)) {
        const char *name = qdict_entry_key(e);

        if (!is_one_of(name, resettable_options) &&
            !is_one_of(name, state->bs->drv->mutable_opts) &&
            !qdict_haskey(state->options, name)) {
            error_setg(errp, "Option '%s' cannot be reset to its default "
                       "value", name);
            return false;
        }
    }
    return true;
}

/* Parse the options of all nodes out of @rest, into @state. */
static int prepare_common_options(BDRVReopenState *state, QDict *rest,
                                  Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&bdrv_runtime_opts, NULL, 0,
                                      &error_abort);
    g_autofree char *discard = NULL;
    Error *local_err = NULL;
    int ret = -EINVAL;

    if (!qemu_opts_absorb_qdict(opts, rest, errp)) {
        goto out;
    }
    bdrv_flags_from_opts(&state->flags, opts);
    discard = qemu_opt_get_del(opts, BDRV_OPT_DISCARD);
    state->flags &= ~BDRV_O_UNMAP;
    if (discard && bdrv_parse_discard_flags(discard, &state->flags) < 0) {
        error_setg(errp, "Invalid discard option");
        goto out;
    }
    state->detect_zeroes = bdrv_parse_detect_zeroes_opt(opts, state->flags,
                                                        &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        goto out;
    }
    /* Those that are left can't change. */
    qemu_opts_to_qdict(opts, rest);
    ret = 0;
out:
    qemu_opts_del(opts);
    return ret;
}

static bool same_value(QObject *a, QObject *b)
{
    return a && b && qobject_is_equal(a, b);
}

/* Is option @name, now @value, what it was? */
static bool option_is_unchanged(BlockDriverState *bs, const char *name,
                                QObject *value)
{
    QString *str = qobject_to(QString, value);
    const char *s = str ? qstring_get_str(str) : NULL;
    BdrvChild *c;

    if (s && !strcmp(name, "node-name") && !strcmp(s, bs->node_name)) {
        return true;
    }
    if (s && !strcmp(name, "driver") && !strcmp(s, bs->drv->format_name)) {
        return true;
    }
    QLIST_FOREACH(c, &bs->children, next) {
        if (s && !strcmp(name, c->name)) {
            return !strcmp(s, c->bs->node_name);
        }
    }
    return same_value(value, qdict_get(bs->options, name));
}

static bool check_unknown_options(BDRVReopenState *state, QDict *rest,
                                  Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(rest); e; e = qdict_next(rest, e)) {
        if (!option_is_unchanged(state->bs, qdict_entry_key(e),
                                 qdict_entry_value(e))) {
            error_setg(errp, "Cannot change the option '%s'",
                       qdict_entry_key(e));
            return false;
        }
    }
    return true;
}

/* May the child of @bs change from @old to @new?  1: there is nothing to do,
 * 0: yes, or -errno. */
static int check_child_change(BlockDriverState *bs, BlockDriverState *old,
                              BlockDriverState *new, const char *name,
                              Error **errp)
{
    if (new && bdrv_is_below(new, bs)) {
        error_setg(errp, "Making '%s' a %s child of '%s' would create a cycle",
                   new->node_name, name, bs->node_name);
        return -EINVAL;
    }
    if (old == new || (old && bdrv_skip_implicit_filters(old) == new)) {
        return 1;
    }
    if (old && old->implicit) {
        error_setg(errp, "Cannot replace implicit %s child of %s", name,
                   bs->node_name);
        return -EPERM;
    }
    if (bs->drv->is_filter && !old) {
        error_setg(errp, "'%s' is a %s filter node that does not support a %s "
                   "child", bs->node_name, bs->drv->format_name, name);
        return -EINVAL;
    }
    if (!strcmp(name, "file") && !old) {
        error_setg(errp, "Cannot set file child to format node without file "
                   "child");
        return -EINVAL;
    }
    if (!strcmp(name, "backing") && !bs->drv->is_filter &&
        !bs->drv->supports_backing) {
        error_setg(errp, "Driver '%s' of node '%s' does not support backing "
                   "files", bs->drv->format_name, bs->node_name);
        return -EINVAL;
    }
    return 0;
}

/* "file" or "backing" in the options: a node name, or null to detach. */
static int prepare_child(BDRVReopenState *state, QDict *rest, bool is_backing,
                         GSList **perm_nodes, Transaction *tran, Error **errp)
{
    const char *name = is_backing ? "backing" : "file";
    BlockDriverState *bs = state->bs;
    BdrvChild *c = is_backing ? bs->backing : bs->file;
    BlockDriverState *old = c ? c->bs : NULL, *new = NULL;
    QObject *value = qdict_get(rest, name);
    int ret;

    if (!value) {
        return 0;
    }
    if (!qobject_to(QNull, value)) {
        new = bdrv_lookup_bs(NULL, qdict_get_try_str(rest, name), errp);
        if (!new) {
            return -EINVAL;
        }
    } else if (!is_backing) {
        error_setg(errp, "Node '%s' can't be without a file child",
                   bs->node_name);
        return -EINVAL;
    }
    ret = check_child_change(bs, old, new, name, errp);
    if (ret < 0) {
        return ret;
    }
    qdict_del(rest, name);
    if (ret > 0) {
        return 0;
    }
    if (is_backing) {
        state->old_backing_bs = old;
    } else {
        state->old_file_bs = old;
    }
    if (old) {
        *perm_nodes = g_slist_prepend(*perm_nodes, old);
    }
    return bdrv_set_file_or_backing_tran(bs, new, is_backing, tran, errp);
}

static void driver_prepare_abort(void *opaque)
{
    BDRVReopenState *state = opaque;

    if (state->bs->drv->bdrv_reopen_abort) {
        state->bs->drv->bdrv_reopen_abort(state);
    }
}

static const TransactionActionDrv driver_prepare_drv = {
    .abort = driver_prepare_abort,
};

static int prepare_driver(BDRVReopenState *state, BlockReopenQueue *q,
                          QDict *rest, Transaction *tran, Error **errp)
{
    BlockDriver *drv = state->bs->drv;
    QDict *all = state->options;
    Error *local_err = NULL;
    int ret;

    if (!drv->bdrv_reopen_prepare) {
        error_setg(errp, "Block format '%s' used by node '%s' does not "
                   "support reopening files", drv->format_name,
                   bdrv_get_device_or_node_name(state->bs));
        return -ENOTSUP;
    }
    if (!check_left_out_options(state, errp)) {
        return -EINVAL;
    }
    /* It takes what it understands out of state->options. */
    state->options = rest;
    ret = drv->bdrv_reopen_prepare(state, q, &local_err);
    state->options = all;
    if (ret < 0) {
        if (local_err) {
            error_propagate(errp, local_err);
        } else {
            bdrv_refresh_filename(state->bs);
            error_setg(errp, "failed while preparing to reopen image '%s'",
                       state->bs->filename);
        }
        return ret;
    }
    tran_add(tran, &driver_prepare_drv, state);
    return 0;
}

static int prepare_entry(BDRVReopenState *state, BlockReopenQueue *q,
                         GSList **perm_nodes, Transaction *tran, Error **errp)
{
    BlockDriverState *bs = state->bs;
    QDict *rest;
    int ret;

    if (!bs->drv) {
        error_setg(errp, "Node '%s' is ejected", bs->node_name);
        return -ENOMEDIUM;
    }
    rest = qdict_clone_shallow(state->options);
    ret = prepare_common_options(state, rest, errp);
    if (ret == 0) {
        ret = bdrv_can_set_read_only(bs, !(state->flags & BDRV_O_RDWR), true,
                                     errp);
    }
    if (ret == 0) {
        ret = prepare_driver(state, q, rest, tran, errp);
    }
    /* Without one, open or named in the image, there is nothing to tell. */
    if (ret == 0 && bs->drv->supports_backing && state->backing_missing &&
        (bs->backing || (bs->backing_file && *bs->backing_file))) {
        error_setg(errp, "backing is missing for '%s'", bs->node_name);
        ret = -EINVAL;
    }
    if (ret == 0) {
        ret = prepare_child(state, rest, true, perm_nodes, tran, errp);
    }
    if (ret == 0) {
        ret = prepare_child(state, rest, false, perm_nodes, tran, errp);
    }
    if (ret == 0 && !check_unknown_options(state, rest, errp)) {
        ret = -EINVAL;
    }
    qobject_unref(rest);
    return ret;
}

/* ---- Commit ---- */

static void commit_entry(BDRVReopenState *state)
{
    BlockDriverState *bs = state->bs;
    BdrvChild *c;

    if (bs->drv->bdrv_reopen_commit) {
        bs->drv->bdrv_reopen_commit(state);
    }
    qobject_unref(bs->explicit_options);
    qobject_unref(bs->options);
    bs->explicit_options = qobject_ref(state->explicit_options);
    bs->options = qobject_ref(state->options);
    bs->open_flags = state->flags;
    bs->detect_zeroes = state->detect_zeroes;

    QLIST_FOREACH(c, &bs->children, next) {
        qdict_del(bs->explicit_options, c->name);
        qdict_del(bs->options, c->name);
    }
    /* null, if it has no backing node any more */
    qdict_del(bs->explicit_options, "backing");
    qdict_del(bs->options, "backing");
    bdrv_refresh_limits(bs, NULL, NULL);
}

static int queue_prepare(BlockReopenQueue *q, Transaction *tran, Error **errp)
{
    g_autoptr(GSList) perm_nodes = NULL;
    BlockReopenQueueEntry *e;
    int ret;

    QTAILQ_FOREACH(e, q, entry) {
        ret = bdrv_flush(e->state.bs);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Error flushing drive");
            return ret;
        }
    }
    QTAILQ_FOREACH(e, q, entry) {
        ret = prepare_entry(&e->state, q, &perm_nodes, tran, errp);
        if (ret < 0) {
            return ret;
        }
        e->prepared = true;
        perm_nodes = g_slist_prepend(perm_nodes, e->state.bs);
    }
    return bdrv_list_refresh_perms(perm_nodes, q, tran, errp);
}

int bdrv_reopen_multiple(BlockReopenQueue *bs_queue, Error **errp)
{
    Transaction *tran = tran_new();
    BlockReopenQueueEntry *e;
    int ret;

    bdrv_assert_graph();
    ret = queue_prepare(bs_queue, tran, errp);
    if (ret < 0) {
        tran_abort(tran);
        bdrv_reopen_queue_free(bs_queue);
        return ret;
    }

    /* Children first: formats may write to them as they commit. */
    QTAILQ_FOREACH_REVERSE(e, bs_queue, entry) {
        commit_entry(&e->state);
    }
    tran_commit(tran);
    QTAILQ_FOREACH_REVERSE(e, bs_queue, entry) {
        BlockDriver *drv = e->state.bs->drv;

        if (drv->bdrv_reopen_commit_post) {
            drv->bdrv_reopen_commit_post(&e->state);
        }
    }
    bdrv_reopen_queue_free(bs_queue);
    bdrv_assert_graph();
    return 0;
}

int bdrv_reopen(BlockDriverState *bs, QDict *opts, bool keep_old_opts,
                Error **errp)
{
    return bdrv_reopen_multiple(bdrv_reopen_queue(NULL, bs, opts,
                                                  keep_old_opts), errp);
}

int bdrv_reopen_set_read_only(BlockDriverState *bs, bool read_only,
                              Error **errp)
{
    QDict *opts = qdict_new();

    qdict_put_bool(opts, BDRV_OPT_READ_ONLY, read_only);
    return bdrv_reopen(bs, opts, true, errp);
}
