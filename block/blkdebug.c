/*
 * SPDX-License-Identifier: MIT
 *
 * The filter blkdebug, for tests: makes requests fail, makes them wait at
 * chosen points, and gives the node below other limits, all by rules that are
 * bound to the events (BLKDBG_*) that go through the node.
 *
 * Invariants, under ->lock
 *   1. A rule that is active is in the list of its event, too.
 *   2. A request in ->suspended waits in its coroutine until as many rules as
 *      its park counts were resumed.
 */
#include "qemu/osdep.h"
#include "block/blkdebug-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qstring.h"
#include "qemu/cutils.h"
#include "qemu/lockable.h"
#include "qemu/option.h"

bool bdrv_debug_verbose = true;

/* A coroutine that waits at break points. */
struct BlkdebugPark {
    Coroutine *co;
    unsigned breaks;        /* not resumed yet */
};

typedef struct BlkdebugState {
    /* Immutable after open */
    char *config_file;      /* NULL: none */
    uint64_t align;         /* limits: bytes, 0 = those of the child */
    uint64_t max_transfer;
    uint64_t opt_write_zero;
    uint64_t max_write_zero;
    uint64_t opt_discard;
    uint64_t max_discard;
    uint64_t take_child_perms;
    uint64_t unshare_child_perms;

    QemuMutex lock;
    /* Under lock */
    int state;
    BlkdebugRuleList rules[BLKDBG__MAX];
    BlkdebugRuleList active;
    BlkdebugRuleList suspended;
} BlkdebugState;

static QemuOptsList blkdebug_runtime_opts = {
    .name = "blkdebug",
    .head = QTAILQ_HEAD_INITIALIZER(blkdebug_runtime_opts.head),
    .desc = {
        {
            .name = "config",
            .type = QEMU_OPT_STRING,
            .help = "file with rules",
        }, {
            .name = "x-image",
            .type = QEMU_OPT_STRING,
            .help = "file name of the node below (internal)",
        }, {
            .name = "align",
            .type = QEMU_OPT_SIZE,
            .help = "alignment of requests",
        }, {
            .name = "max-transfer",
            .type = QEMU_OPT_SIZE,
            .help = "largest read or write",
        }, {
            .name = "opt-write-zero",
            .type = QEMU_OPT_SIZE,
            .help = "alignment of writes of zeroes",
        }, {
            .name = "max-write-zero",
            .type = QEMU_OPT_SIZE,
            .help = "largest write of zeroes",
        }, {
            .name = "opt-discard",
            .type = QEMU_OPT_SIZE,
            .help = "alignment of discards",
        }, {
            .name = "max-discard",
            .type = QEMU_OPT_SIZE,
            .help = "largest discard",
        },
        { /* end of list */ }
    },
};

static const char *const blkdebug_strong_opts[] = {
    "config",
    "inject-error.",
    "set-state.",
    "align",
    "max-transfer",
    "opt-write-zero",
    "max-write-zero",
    "opt-discard",
    "max-discard",
    NULL
};

/* ---- Open ---- */

/* "blkdebug:CONFIG:IMAGE", or just IMAGE. */
static void blkdebug_parse_filename(const char *filename, QDict *options,
                                    Error **errp)
{
    const char *rest, *image;

    if (!strstart(filename, "blkdebug:", &rest)) {
        qdict_put_str(options, "x-image", filename);
        return;
    }
    image = strchr(rest, ':');
    if (!image) {
        error_setg(errp, "blkdebug requires both config file and image path");
        return;
    }
    if (image != rest) {
        qdict_put(options, "config",
                  qstring_from_substr(rest, 0, image - rest));
    }
    qdict_put_str(options, "x-image", image + 1);
}

/*
 * The size option @name; it must be a multiple of @unit and less than 2 GiB,
 * and, with @power, a power of two.
 */
static int blkdebug_parse_limit(QemuOpts *opts, const char *name,
                                uint64_t unit, bool power, uint64_t *value,
                                Error **errp)
{
    *value = qemu_opt_get_size(opts, name, 0);
    if (*value >= INT_MAX || !QEMU_IS_ALIGNED(*value, unit) ||
        (power && *value && !is_power_of_2(*value))) {
        error_setg(errp, "Cannot meet constraints with %s %" PRIu64, name,
                   *value);
        return -EINVAL;
    }
    return 0;
}

static int blkdebug_parse_limits(BlkdebugState *s, QemuOpts *opts,
                                 Error **errp)
{
    uint64_t align;

    if (blkdebug_parse_limit(opts, "align", 1, true, &s->align, errp) < 0) {
        return -EINVAL;
    }
    align = MAX(s->align, 1);
    if (blkdebug_parse_limit(opts, "max-transfer", align, false,
                             &s->max_transfer, errp) < 0 ||
        blkdebug_parse_limit(opts, "opt-write-zero", align, false,
                             &s->opt_write_zero, errp) < 0 ||
        blkdebug_parse_limit(opts, "max-write-zero",
                             MAX(s->opt_write_zero, align), false,
                             &s->max_write_zero, errp) < 0 ||
        blkdebug_parse_limit(opts, "opt-discard", align, false,
                             &s->opt_discard, errp) < 0 ||
        blkdebug_parse_limit(opts, "max-discard", MAX(s->opt_discard, align),
                             false, &s->max_discard, errp) < 0) {
        return -EINVAL;
    }
    return 0;
}

/* Take the list @prefix + number of permissions out of @options. */
static int blkdebug_parse_perms(QDict *options, const char *prefix,
                                uint64_t *perms, Error **errp)
{
    Error *local_err = NULL;
    QDict *all = NULL;
    QList *list = NULL;
    const QListEntry *e;
    int ret = 0;

    *perms = 0;
    qdict_extract_subqdict(options, &all, prefix);
    qdict_array_split(all, &list);
    QLIST_FOREACH_ENTRY(list, e) {
        QString *name = qobject_to(QString, qlist_entry_obj(e));
        int perm;

        if (!name) {
            error_setg(errp, "'%s' expects a list of permissions", prefix);
            ret = -EINVAL;
            break;
        }
        perm = qapi_enum_parse(&BlockPermission_lookup,
                               qstring_get_str(name), 0, &local_err);
        if (local_err) {
            error_free(local_err);
            error_setg(errp, "Parameter '%.*s' does not accept value '%s'",
                       (int)strlen(prefix) - 1, prefix,
                       qstring_get_str(name));
            ret = -EINVAL;
            break;
        }
        *perms |= bdrv_qapi_perm_to_blk_perm(perm);
    }
    if (ret == 0 && qdict_size(all)) {
        error_setg(errp, "Unused option '%s%s'", prefix,
                   qdict_entry_key(qdict_first(all)));
        ret = -EINVAL;
    }
    qobject_unref(list);
    qobject_unref(all);
    return ret;
}

/* Put the rules just read into the lists of their events. */
static void blkdebug_sort_rules(BlkdebugState *s, BlkdebugRuleList *rules)
{
    BlkdebugRule *rule, *next;

    QTAILQ_FOREACH_SAFE(rule, rules, next, next) {
        QTAILQ_REMOVE(rules, rule, next);
        QTAILQ_INSERT_TAIL(&s->rules[rule->event], rule, next);
    }
}

static void blkdebug_init_state(BlkdebugState *s)
{
    int event;

    qemu_mutex_init(&s->lock);
    s->state = 1;
    for (event = 0; event < BLKDBG__MAX; event++) {
        QTAILQ_INIT(&s->rules[event]);
    }
    QTAILQ_INIT(&s->active);
    QTAILQ_INIT(&s->suspended);
}

static void blkdebug_close(BlockDriverState *bs)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugRule *rule, *next;
    int event;

    assert(QTAILQ_EMPTY(&s->suspended));
    for (event = 0; event < BLKDBG__MAX; event++) {
        QTAILQ_FOREACH_SAFE(rule, &s->rules[event], next, next) {
            blkdebug_rule_free(rule);
        }
    }
    g_free(s->config_file);
    qemu_mutex_destroy(&s->lock);
}

static int blkdebug_parse_options(BlkdebugState *s, QemuOpts *opts,
                                  QDict *options, Error **errp)
{
    BlkdebugRuleList rules = QTAILQ_HEAD_INITIALIZER(rules);
    int ret;

    s->config_file = g_strdup(qemu_opt_get(opts, "config"));
    ret = blkdebug_read_config(s->config_file, options, &rules, errp);
    if (ret < 0) {
        return ret;
    }
    blkdebug_sort_rules(s, &rules);

    ret = blkdebug_parse_perms(options, "take-child-perms.",
                               &s->take_child_perms, errp);
    if (ret < 0) {
        return ret;
    }
    return blkdebug_parse_perms(options, "unshare-child-perms.",
                                &s->unshare_child_perms, errp);
}

static int blkdebug_open(BlockDriverState *bs, QDict *options, int flags,
                         Error **errp)
{
    BlkdebugState *s = bs->opaque;
    QemuOpts *opts;
    int ret;

    blkdebug_init_state(s);
    opts = qemu_opts_create(&blkdebug_runtime_opts, NULL, 0, &error_abort);
    if (!qemu_opts_absorb_qdict(opts, options, errp)) {
        ret = -EINVAL;
        goto out;
    }
    ret = blkdebug_parse_options(s, opts, options, errp);
    if (ret < 0) {
        goto out;
    }
    ret = bdrv_open_file_child(qemu_opt_get(opts, "x-image"), options,
                               "image", bs, errp);
    if (ret < 0) {
        goto out;
    }
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & bs->file->bs->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         bs->file->bs->supported_zero_flags);
    ret = blkdebug_parse_limits(s, opts, errp);
    if (ret == 0) {
        /* What is to happen in any case happens from now on. */
        bdrv_debug_event(bs, BLKDBG_NONE);
    }
out:
    qemu_opts_del(opts);
    if (ret < 0) {
        blkdebug_close(bs);
    }
    return ret;
}

static int blkdebug_reopen_prepare(BDRVReopenState *reopen_state,
                                   BlockReopenQueue *queue, Error **errp)
{
    return 0;
}

/* ---- Events ---- */

static void blkdebug_activate(BlkdebugState *s, BlkdebugRule *rule)
{
    if (!rule->active) {
        rule->active = true;
        QTAILQ_INSERT_TAIL(&s->active, rule, next_active);
    }
}

static void blkdebug_deactivate_all(BlkdebugState *s)
{
    BlkdebugRule *rule;

    while ((rule = QTAILQ_FIRST(&s->active))) {
        QTAILQ_REMOVE(&s->active, rule, next_active);
        rule->active = false;
    }
}

static void blkdebug_say(const char *what, const char *tag)
{
    if (bdrv_debug_verbose) {
        printf("blkdebug: %s request '%s'\n", what, tag);
    }
}

/* A break point is reached; it does not act a second time. */
static void blkdebug_suspend(BlkdebugState *s, BlkdebugRule *rule,
                             BlkdebugPark *park)
{
    QTAILQ_REMOVE(&s->rules[rule->event], rule, next);
    QTAILQ_INSERT_TAIL(&s->suspended, rule, next);
    rule->park = park;
    park->breaks++;
    blkdebug_say("Suspended", rule->tag);
}

/*
 * Follow the rules of @event.  All of them see the state that the node was in
 * when the event came.  Errors injected by this event replace those that
 * earlier ones injected.
 */
static void blkdebug_follow_rules(BlkdebugState *s, BlkdebugEvent event,
                                  BlkdebugPark *park)
{
    BlkdebugRule *rule, *next;
    int new_state = s->state;
    bool injected = false;

    QTAILQ_FOREACH_SAFE(rule, &s->rules[event], next, next) {
        if (rule->state && rule->state != s->state) {
            continue;
        }
        switch (rule->kind) {
        case BLKDEBUG_RULE_INJECT_ERROR:
            if (!injected) {
                blkdebug_deactivate_all(s);
                injected = true;
            }
            blkdebug_activate(s, rule);
            break;
        case BLKDEBUG_RULE_SET_STATE:
            new_state = rule->new_state;
            break;
        case BLKDEBUG_RULE_BREAK:
            if (park) {
                blkdebug_suspend(s, rule, park);
            }
            break;
        }
    }
    s->state = new_state;
}

static void blkdebug_debug_event(BlockDriverState *bs, BlkdebugEvent event)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugPark park = { 0 };
    bool can_wait = qemu_in_coroutine();
    bool suspended;

    assert((unsigned)event < BLKDBG__MAX);
    if (can_wait) {
        park.co = qemu_coroutine_self();
    }
    qemu_mutex_lock(&s->lock);
    blkdebug_follow_rules(s, event, can_wait ? &park : NULL);
    suspended = park.breaks > 0;
    qemu_mutex_unlock(&s->lock);

    if (suspended) {
        /* Whoever resumes the last break point wakes us, exactly once. */
        qemu_coroutine_yield();
    }
}

/* ---- Break points ---- */

static int blkdebug_debug_breakpoint(BlockDriverState *bs, const char *event,
                                     const char *tag)
{
    BlkdebugState *s = bs->opaque;
    int nr = qapi_enum_parse(&BlkdebugEvent_lookup, event, -1, NULL);
    BlkdebugRule *rule;

    if (nr < 0) {
        return -ENOENT;
    }
    rule = g_new0(BlkdebugRule, 1);
    rule->kind = BLKDEBUG_RULE_BREAK;
    rule->event = nr;
    rule->tag = g_strdup(tag);
    QEMU_LOCK_GUARD(&s->lock);
    QTAILQ_INSERT_TAIL(&s->rules[nr], rule, next);
    return 0;
}

/*
 * Resume one request with @tag; false if there is none.  Called without the
 * lock, since the request may go on at once.
 */
static bool blkdebug_resume_one(BlkdebugState *s, const char *tag)
{
    BlkdebugRule *rule;
    Coroutine *co = NULL;

    qemu_mutex_lock(&s->lock);
    QTAILQ_FOREACH(rule, &s->suspended, next) {
        if (!strcmp(rule->tag, tag)) {
            break;
        }
    }
    if (rule) {
        QTAILQ_REMOVE(&s->suspended, rule, next);
        blkdebug_say("Resuming", rule->tag);
        if (--rule->park->breaks == 0) {
            co = rule->park->co;
        }
    }
    qemu_mutex_unlock(&s->lock);

    if (!rule) {
        return false;
    }
    blkdebug_rule_free(rule);
    if (co) {
        aio_co_wake(co);
    }
    return true;
}

static int blkdebug_debug_resume(BlockDriverState *bs, const char *tag)
{
    return blkdebug_resume_one(bs->opaque, tag) ? 0 : -ENOENT;
}

static int blkdebug_debug_remove_breakpoint(BlockDriverState *bs,
                                            const char *tag)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugRule *rule, *next;
    int ret = -ENOENT;
    int event;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        for (event = 0; event < BLKDBG__MAX; event++) {
            QTAILQ_FOREACH_SAFE(rule, &s->rules[event], next, next) {
                if (rule->kind == BLKDEBUG_RULE_BREAK &&
                    !strcmp(rule->tag, tag)) {
                    QTAILQ_REMOVE(&s->rules[event], rule, next);
                    blkdebug_rule_free(rule);
                    ret = 0;
                }
            }
        }
    }
    while (blkdebug_resume_one(s, tag)) {
        ret = 0;
    }
    return ret;
}

static bool blkdebug_debug_is_suspended(BlockDriverState *bs, const char *tag)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugRule *rule;

    QEMU_LOCK_GUARD(&s->lock);
    QTAILQ_FOREACH(rule, &s->suspended, next) {
        if (!strcmp(rule->tag, tag)) {
            return true;
        }
    }
    return false;
}

/* ---- Requests ---- */

/*
 * The error that an active rule has for a request, 0 if none.  A flush has
 * no offset: only rules without a sector catch it.
 */
static int coroutine_fn blkdebug_check(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, BlkdebugIOType iotype)
{
    BlkdebugState *s = bs->opaque;
    bool immediately = true;
    int error = 0;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        BlkdebugRule *rule;

        QTAILQ_FOREACH(rule, &s->active, next_active) {
            if ((rule->iotypes & (1u << iotype)) &&
                (rule->offset == -1 ||
                 (rule->offset >= offset &&
                  rule->offset - offset < bytes))) {
                break;
            }
        }
        if (!rule || rule->error <= 0) {
            return 0;
        }
        immediately = rule->immediately;
        error = rule->error;
        if (rule->once) {
            QTAILQ_REMOVE(&s->active, rule, next_active);
            QTAILQ_REMOVE(&s->rules[rule->event], rule, next);
            blkdebug_rule_free(rule);
        }
    }
    if (!immediately) {
        aio_co_schedule(qemu_get_current_aio_context(),
                        qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    return -error;
}

static int coroutine_fn blkdebug_co_preadv_part(BlockDriverState *bs,
                                                int64_t offset, int64_t bytes,
                                                QEMUIOVector *qiov,
                                                size_t qiov_offset,
                                                BdrvRequestFlags flags)
{
    int ret = blkdebug_check(bs, offset, bytes, BLKDEBUG_IO_TYPE_READ);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn blkdebug_co_pwritev_part(BlockDriverState *bs,
                                                 int64_t offset,
                                                 int64_t bytes,
                                                 QEMUIOVector *qiov,
                                                 size_t qiov_offset,
                                                 BdrvRequestFlags flags)
{
    int ret = blkdebug_check(bs, offset, bytes, BLKDEBUG_IO_TYPE_WRITE);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags);
}

static int coroutine_fn blkdebug_co_pwrite_zeroes(BlockDriverState *bs,
                                                  int64_t offset,
                                                  int64_t bytes,
                                                  BdrvRequestFlags flags)
{
    int ret;

    /* A device whose unit is larger would ignore the request. */
    if (bytes < MAX(bs->bl.request_alignment, bs->bl.pwrite_zeroes_alignment)) {
        return -ENOTSUP;
    }
    assert(!bs->bl.max_pwrite_zeroes || bytes <= bs->bl.max_pwrite_zeroes);
    ret = blkdebug_check(bs, offset, bytes, BLKDEBUG_IO_TYPE_WRITE_ZEROES);
    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn blkdebug_co_pdiscard(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes)
{
    int ret;

    if (bytes < bs->bl.pdiscard_alignment) {
        return -ENOTSUP;
    }
    assert(!bs->bl.max_pdiscard || bytes <= bs->bl.max_pdiscard);
    ret = blkdebug_check(bs, offset, bytes, BLKDEBUG_IO_TYPE_DISCARD);
    if (ret < 0) {
        return ret;
    }
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

/* The node below is flushed by the caller. */
static int coroutine_fn blkdebug_co_flush_to_disk(BlockDriverState *bs)
{
    return blkdebug_check(bs, 0, 0, BLKDEBUG_IO_TYPE_FLUSH);
}

static int coroutine_fn blkdebug_co_block_status(BlockDriverState *bs,
                                                 bool want_zero,
                                                 int64_t offset,
                                                 int64_t bytes, int64_t *pnum,
                                                 int64_t *map,
                                                 BlockDriverState **file)
{
    int ret = blkdebug_check(bs, offset, bytes,
                             BLKDEBUG_IO_TYPE_BLOCK_STATUS);

    if (ret < 0) {
        return ret;
    }
    return bdrv_co_default_block_status(bs, want_zero, offset, bytes, pnum,
                                        map, file);
}

static int coroutine_fn blkdebug_co_truncate(BlockDriverState *bs,
                                             int64_t offset, bool exact,
                                             PreallocMode prealloc,
                                             BdrvRequestFlags flags,
                                             Error **errp)
{
    return bdrv_co_truncate(bs->file, offset, exact, prealloc, flags, errp);
}

/* ---- What the node is like ---- */

static int64_t blkdebug_getlength(BlockDriverState *bs)
{
    return bdrv_getlength(bs->file->bs);
}

static int64_t blkdebug_get_allocated_file_size(BlockDriverState *bs)
{
    return -ENOTSUP;
}

static void blkdebug_child_perm(BlockDriverState *bs, BdrvChild *c,
                                const BdrvChildRole *role,
                                BlockReopenQueue *reopen_queue,
                                uint64_t parent_perm, uint64_t parent_shared,
                                uint64_t *nperm, uint64_t *nshared)
{
    BlkdebugState *s = bs->opaque;

    bdrv_default_perms(bs, c, role, reopen_queue, parent_perm, parent_shared,
                       nperm, nshared);
    *nperm |= s->take_child_perms;
    *nshared &= ~s->unshare_child_perms;
}

static void blkdebug_refresh_limits(BlockDriverState *bs, Error **errp)
{
    BlkdebugState *s = bs->opaque;

    if (s->align) {
        bs->bl.request_alignment = s->align;
    }
    if (s->max_transfer) {
        bs->bl.max_transfer = s->max_transfer;
    }
    if (s->opt_write_zero) {
        bs->bl.pwrite_zeroes_alignment = s->opt_write_zero;
    }
    if (s->max_write_zero) {
        bs->bl.max_pwrite_zeroes = s->max_write_zero;
    }
    if (s->opt_discard) {
        bs->bl.pdiscard_alignment = s->opt_discard;
    }
    if (s->max_discard) {
        bs->bl.max_pdiscard = s->max_discard;
    }
}

/* The short form holds the config file and the image, nothing else. */
static void blkdebug_refresh_filename(BlockDriverState *bs)
{
    BlkdebugState *s = bs->opaque;
    g_autofree char *name = NULL;
    const QDictEntry *e;

    if (!*bs->file->bs->exact_filename) {
        return;
    }
    for (e = qdict_first(bs->full_open_options); e;
         e = qdict_next(bs->full_open_options, e)) {
        const char *key = qdict_entry_key(e);

        if (strcmp(key, "config") && strcmp(key, "image") &&
            strcmp(key, "driver")) {
            return;
        }
    }
    name = g_strdup_printf("blkdebug:%s:%s",
                           s->config_file ? s->config_file : "",
                           bs->file->bs->exact_filename);
    bdrv_set_string(&bs->exact_filename, name);
}

BlockDriver bdrv_blkdebug = {
    .format_name            = "blkdebug",
    .protocol_name          = "blkdebug",
    .instance_size          = sizeof(BlkdebugState),
    .is_filter              = true,
    .strong_runtime_opts    = blkdebug_strong_opts,
    .bdrv_parse_filename    = blkdebug_parse_filename,
    .bdrv_open              = blkdebug_open,
    .bdrv_close             = blkdebug_close,
    .bdrv_reopen_prepare    = blkdebug_reopen_prepare,
    .bdrv_child_perm        = blkdebug_child_perm,
    .bdrv_refresh_filename  = blkdebug_refresh_filename,
    .bdrv_refresh_limits    = blkdebug_refresh_limits,
    .bdrv_getlength         = blkdebug_getlength,
    .bdrv_get_allocated_file_size = blkdebug_get_allocated_file_size,
    .bdrv_co_preadv_part    = blkdebug_co_preadv_part,
    .bdrv_co_pwritev_part   = blkdebug_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = blkdebug_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = blkdebug_co_pdiscard,
    .bdrv_co_flush_to_disk  = blkdebug_co_flush_to_disk,
    .bdrv_co_block_status   = blkdebug_co_block_status,
    .bdrv_co_truncate       = blkdebug_co_truncate,
    .bdrv_debug_event       = blkdebug_debug_event,
    .bdrv_debug_breakpoint  = blkdebug_debug_breakpoint,
    .bdrv_debug_remove_breakpoint = blkdebug_debug_remove_breakpoint,
    .bdrv_debug_resume      = blkdebug_debug_resume,
    .bdrv_debug_is_suspended = blkdebug_debug_is_suspended,
};
