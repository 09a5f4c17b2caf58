/*
 * SPDX-License-Identifier: MIT
 *
 * Opening nodes.
 *
 * A node is opened in steps: work out the options (json: file names, what the
 * parent passes on, flags), find the protocol, open the file below if only its
 * content tells the format, find the driver, let it open, look at what nobody
 * has understood.  Each step takes what it understands out of one QDict; what
 * is left in the end is an error.
 *
 * Invariants
 *   1. A failed step drops the node: it is not attached to anything yet.
 *   2. bs->options has every option in force, bs->explicit_options what the
 *      user gave for this node itself; neither has those of children.
 *   3. Backing chains are opened level by level (open-backing.c), never by
 *      recursion; children nest at most MAX_NESTING deep.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qstring.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qapi/qapi-visit-block-core.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"

#define MAX_NESTING 200

/* A node on its way. */
typedef struct NodeOpening {
    BlockDriverState *bs;
    BlockDriver *drv;           /* NULL: not known yet */
    QDict *options;             /* not understood yet */
    int flags;
    BlockDriverState *file;     /* opened for probing; a reference */
    QDict *backing;             /* options of the backing node */
} NodeOpening;

/* ---- Drivers ---- */

static int driver_open(BlockDriverState *bs, BlockDriver *drv, QDict *options,
                       int flags, Error **errp)
{
    Error *local_err = NULL;
    int ret = 0;

    bs->drv = drv;
    bs->opaque = g_malloc0(drv->instance_size);
    if (drv->bdrv_open) {
        ret = drv->bdrv_open(bs, options, flags, &local_err);
    }
    if (ret >= 0) {
        return 0;
    }
    if (local_err) {
        error_propagate(errp, local_err);
    } else if (*bs->filename) {
        error_setg_errno(errp, -ret, "Could not open '%s'", bs->filename);
    } else {
        error_setg_errno(errp, -ret, "Could not open image");
    }
    /* There is nothing that the driver could close. */
    bs->drv = NULL;
    return ret;
}

/* The driver opens the node, which has its options and flags already. */
static int node_open_driver(BlockDriverState *bs, BlockDriver *drv,
                            const char *node_name, QDict *options,
                            int flags, Error **errp)
{
    Error *local_err = NULL;
    int ret;

    if (!bdrv_assign_node_name(bs, node_name, errp)) {
        return -EINVAL;
    }
    ret = driver_open(bs, drv, options, flags, errp);
    if (ret < 0) {
        return ret;
    }
    if (!*bs->auto_backing_file) {
        bdrv_set_string(&bs->auto_backing_file, bs->backing_file);
    }
    ret = bdrv_refresh_total_sectors(bs, bs->total_sectors);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not refresh total sector count");
        return ret;
    }
    ret = bdrv_refresh_perms(bs, NULL, errp);
    if (ret < 0) {
        return ret;
    }
    bdrv_refresh_limits(bs, NULL, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    bdrv_drain_driver_opened(bs);
    return 0;
}

BlockDriverState *bdrv_new_open_driver_opts(BlockDriver *drv,
                                            const char *node_name,
                                            QDict *options, int flags,
                                            Error **errp)
{
    BlockDriverState *bs = bdrv_new();
    QDict *rest;
    int ret;

    if (drv->is_filter) {
        flags |= BDRV_O_UNMAP;
    }
    bs->open_flags = flags;
    bs->options = options ? options : qdict_new();
    bs->explicit_options = qdict_clone_shallow(bs->options);
    rest = qdict_clone_shallow(bs->options);
    ret = node_open_driver(bs, drv, node_name, rest, flags, errp);
    if (ret == 0 && qdict_size(rest)) {
        error_setg(errp, "Block driver '%s' does not support the option '%s'",
                   drv->format_name, qdict_entry_key(qdict_first(rest)));
        ret = -EINVAL;
    }
    qobject_unref(rest);
    if (ret < 0) {
        bdrv_unref(bs);
        return NULL;
    }
    return bs;
}

BlockDriverState *bdrv_new_open_driver(BlockDriver *drv, const char *node_name,
                                       int flags, Error **errp)
{
    return bdrv_new_open_driver_opts(drv, node_name, NULL, flags, errp);
}

/* ---- Probing ---- */

static char *probe_parent_desc(BdrvChild *c)
{
    return g_strdup("format probing");
}

static const BdrvChildRole child_probe = {
    .get_parent_desc = probe_parent_desc,
};

/* The driver for the content of @file, which a user calls @filename. */
static BlockDriver *probe_format(BlockDriverState *file, const char *filename,
                                 Error **errp)
{
    uint8_t buf[BLOCK_PROBE_BUF_SIZE] = { 0 };
    int64_t len = bdrv_getlength(file);
    BlockDriver *drv;
    BdrvChild *c;
    int ret;

    if (file->sg || !bdrv_is_inserted(file) || len == 0) {
        return bdrv_find_format("raw");
    }
    if (len < 0) {
        error_setg_errno(errp, -len, "Could not get length of '%s'",
                         filename);
        return NULL;
    }

    bdrv_ref(file);
    c = bdrv_root_attach_child(file, "probe", &child_probe,
                               BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, NULL,
                               errp);
    if (!c) {
        return NULL;
    }
    ret = bdrv_pread(c, 0, MIN(len, (int64_t)sizeof(buf)), buf, 0);
    bdrv_root_unref_child(c);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read image for determining "
                         "its format");
        return NULL;
    }
    drv = bdrv_probe_all(buf, sizeof(buf), filename);
    if (!drv) {
        error_setg(errp, "Could not determine image format: No compatible "
                   "driver found");
    }
    return drv;
}

static void warn_if_guessed_raw(BlockDriverState *bs)
{
    if (!bs->probed || strcmp(bs->drv->format_name, "raw") ||
        bdrv_is_read_only(bs) || !bs->file) {
        return;
    }
    bdrv_refresh_filename(bs->file->bs);
    fprintf(stderr,
            "WARNING: Image format was not specified for '%s' and probing "
            "guessed raw.\n"
            "         Automatically detecting the format is dangerous for raw "
            "images, write operations on block 0 will be restricted.\n"
            "         Specify the 'raw' format explicitly to remove the "
            "restrictions.\n",
            bs->file->bs->filename);
}

/* ---- Options ---- */

/* Which driver, and what a file name says to a protocol. */
static int settle_driver(NodeOpening *o, const char *filename, Error **errp)
{
    const char *name = qdict_get_try_str(o->options, "driver");
    bool parse = false;
    Error *local_err = NULL;

    if (name) {
        o->drv = bdrv_find_format(name);
        if (!o->drv) {
            error_setg(errp, "Unknown driver '%s'", name);
            return -EINVAL;
        }
        /* The user may ask for a protocol where a format is usual. */
        if (o->drv->protocol_name) {
            o->flags |= BDRV_O_PROTOCOL;
        } else {
            o->flags &= ~BDRV_O_PROTOCOL;
        }
    }
    bdrv_options_from_flags(o->options, o->flags);
    if (!(o->flags & BDRV_O_PROTOCOL)) {
        return 0;
    }

    if (filename) {
        if (qdict_haskey(o->options, "filename")) {
            error_setg(errp, "Can't specify 'file' and 'filename' options at "
                       "the same time");
            return -EINVAL;
        }
        qdict_put_str(o->options, "filename", filename);
        parse = true;
    }
    filename = qdict_get_try_str(o->options, "filename");
    if (!o->drv) {
        if (!filename) {
            error_setg(errp, "Must specify either driver or file");
            return -EINVAL;
        }
        o->drv = bdrv_find_protocol(filename, parse, errp);
        if (!o->drv) {
            return -EINVAL;
        }
        qdict_put_str(o->options, "driver", o->drv->format_name);
    }
    if (parse && o->drv->bdrv_parse_filename) {
        g_autofree char *copy = g_strdup(filename);

        o->drv->bdrv_parse_filename(copy, o->options, &local_err);
        if (local_err) {
            error_propagate(errp, local_err);
            return -EINVAL;
        }
        if (!o->drv->bdrv_needs_filename) {
            qdict_del(o->options, "filename");
        }
    }
    return 0;
}

/* read-only and the flags that follow from it, before all options are
 * parsed. */
static void settle_read_only(NodeOpening *o)
{
    const char *s = qdict_get_try_str(o->options, BDRV_OPT_READ_ONLY);

    if ((s && !strcmp(s, "on")) ||
        qdict_get_try_bool(o->options, BDRV_OPT_READ_ONLY, false)) {
        o->flags &= ~BDRV_O_RDWR;
    } else {
        o->flags |= BDRV_O_RDWR | BDRV_O_ALLOW_RDWR;
    }
}

/* A null or empty backing option: the node has no backing node. */
static void settle_no_backing(NodeOpening *o)
{
    QObject *obj = qdict_get(o->options, "backing");
    const char *s = qdict_get_try_str(o->options, "backing");

    if (!obj || !(qobject_to(QNull, obj) || (s && !*s))) {
        return;
    }
    if (s) {
        warn_report("Use of \"backing\": \"\" is deprecated; "
                    "use \"backing\": null instead");
    }
    o->flags |= BDRV_O_NO_BACKING;
    qdict_del(o->bs->explicit_options, "backing");
    qdict_del(o->bs->options, "backing");
    qdict_del(o->options, "backing");
}

/* What is asked for the backing node ("backing", "backing.*") is not ours. */
static void split_off_backing(NodeOpening *o)
{
    const QDictEntry *e;

    if (o->flags & BDRV_O_NO_BACKING) {
        return;
    }
    o->backing = qdict_new();
    for (e = qdict_first(o->options); e; e = qdict_next(o->options, e)) {
        const char *name = qdict_entry_key(e);

        if (!strcmp(name, "backing") || strstart(name, "backing.", NULL)) {
            qdict_put_obj(o->backing, name,
                          qobject_ref(qdict_entry_value(e)));
        }
    }
    for (e = qdict_first(o->backing); e; e = qdict_next(o->backing, e)) {
        qdict_del(o->options, qdict_entry_key(e));
    }
}

/* The options that every node has: flags of the node. */
static int apply_common_options(BlockDriverState *bs, QemuOpts *opts,
                                Error **errp)
{
    const char *discard = qemu_opt_get(opts, BDRV_OPT_DISCARD);
    Error *local_err = NULL;

    bs->force_share = qemu_opt_get_bool(opts, BDRV_OPT_FORCE_SHARE, false);
    bdrv_flags_from_opts(&bs->open_flags, opts);
    if (bs->force_share && (bs->open_flags & BDRV_O_RDWR)) {
        error_setg(errp, BDRV_OPT_FORCE_SHARE
                   "=on can only be used with read-only images");
        return -EINVAL;
    }
    if (discard && bdrv_parse_discard_flags(discard, &bs->open_flags) < 0) {
        error_setg(errp, "Invalid discard option");
        return -EINVAL;
    }
    bs->detect_zeroes = bdrv_parse_detect_zeroes_opt(opts, bs->open_flags,
                                                     &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    if (bs->open_flags & BDRV_O_COPY_ON_READ) {
        if (!(bs->open_flags & BDRV_O_RDWR)) {
            error_setg(errp, "Can't use copy-on-read on read-only device");
            return -EINVAL;
        }
        bdrv_enable_copy_on_read(bs);
    }
    return 0;
}

/* With driver and, maybe, the file below known: open. */
static int open_common(NodeOpening *o, Error **errp)
{
    BlockDriverState *bs = o->bs;
    g_autofree char *node_name = NULL;
    g_autofree char *filename = NULL;
    QemuOpts *opts = qemu_opts_create(&bdrv_runtime_opts, NULL, 0,
                                      &error_abort);
    int ret = -EINVAL;

    bs->open_flags = o->flags;
    if (!qemu_opts_absorb_qdict(opts, o->options, errp)) {
        goto out;
    }
    ret = apply_common_options(bs, opts, errp);
    if (ret < 0) {
        goto out;
    }
    if (o->file) {
        bdrv_refresh_filename(o->file);
        filename = g_strdup(o->file->filename);
    } else {
        filename = g_strdup(qdict_get_try_str(o->options, "filename"));
    }
    if (o->drv->bdrv_needs_filename && (!filename || !*filename)) {
        error_setg(errp, "The '%s' block driver requires a file name",
                   o->drv->format_name);
        ret = -EINVAL;
        goto out;
    }
    bdrv_set_string(&bs->filename, filename);
    bdrv_set_string(&bs->exact_filename, filename);
    node_name = g_strdup(qemu_opt_get(opts, "node-name"));
    ret = node_open_driver(bs, o->drv, node_name, o->options, bs->open_flags,
                           errp);
    if (ret == 0 && (bs->open_flags & BDRV_O_TEMPORARY) &&
        o->drv->protocol_name && filename) {
        unlink(filename);
    }
out:
    qemu_opts_del(opts);
    return ret;
}

/* Options of children are theirs. */
static void forget_child_options(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->children, next) {
        g_autofree char *prefix = g_strconcat(c->name, ".", NULL);

        qdict_extract_subqdict(bs->explicit_options, NULL, prefix);
        qdict_extract_subqdict(bs->options, NULL, prefix);
        qdict_del(bs->explicit_options, c->name);
        qdict_del(bs->options, c->name);
    }
    qdict_extract_subqdict(bs->explicit_options, NULL, "backing.");
    qdict_extract_subqdict(bs->options, NULL, "backing.");
    qdict_del(bs->explicit_options, "backing");
    qdict_del(bs->options, "backing");
}

static int refuse_unknown_options(NodeOpening *o, Error **errp)
{
    const QDictEntry *e = qdict_first(o->options);

    if (!e) {
        return 0;
    }
    if (o->flags & BDRV_O_PROTOCOL) {
        error_setg(errp, "Block protocol '%s' doesn't support the option "
                   "'%s'", o->drv->format_name, qdict_entry_key(e));
    } else {
        error_setg(errp, "Block format '%s' does not support the option '%s'",
                   o->drv->format_name, qdict_entry_key(e));
    }
    return -EINVAL;
}

/* ---- The file below ---- */

/*
 * It comes before the node above: its content may tell the format, and users
 * see nodes in this order.  The driver finds it under its node name.
 */
static int open_file_first(NodeOpening *o, const char *filename, Error **errp)
{
    BdrvOpenRequest req = {
        .filename  = filename,
        .reference = qdict_get_try_str(o->options, "file"),
        .parent    = o->bs,
        .role      = &child_file,
    };

    if (o->flags & BDRV_O_PROTOCOL) {
        return 0;
    }
    qdict_extract_subqdict(o->options, &req.options, "file.");
    if (!filename && !req.reference && !qdict_size(req.options)) {
        qobject_unref(req.options);
        return 0;
    }
    o->file = bdrv_open_request(&req, errp);
    if (!o->file) {
        return -EINVAL;
    }
    qdict_put_str(o->options, "file", o->file->node_name);
    return 0;
}

static int find_driver_by_content(NodeOpening *o, const char *filename,
                                  Error **errp)
{
    if (o->drv) {
        return 0;
    }
    if (!o->file) {
        error_setg(errp, "Must specify either driver or file");
        return -EINVAL;
    }
    if (!filename) {
        bdrv_refresh_filename(o->file);
        filename = o->file->filename;
    }
    o->bs->probed = true;
    o->drv = probe_format(o->file, filename, errp);
    if (!o->drv) {
        return -EINVAL;
    }
    /* A reopen must not guess again. */
    qdict_put_str(o->bs->options, "driver", o->drv->format_name);
    qdict_put_str(o->options, "driver", o->drv->format_name);
    return 0;
}

/* ---- A node ---- */

/* All steps; @filename may be NULL. */
static int open_steps(NodeOpening *o, const BdrvOpenRequest *req,
                      const char *filename, Error **errp)
{
    BlockDriverState *bs = o->bs;
    int ret;

    bs->explicit_options = qdict_clone_shallow(o->options);
    if (req->role) {
        bs->inherits_from = req->parent;
        req->role->inherit_options(&o->flags, o->options,
                                   req->parent->open_flags,
                                   req->parent->options);
    }
    ret = settle_driver(o, filename, errp);
    if (ret < 0) {
        return ret;
    }
    settle_read_only(o);
    bs->open_flags = o->flags;
    bs->options = qdict_clone_shallow(o->options);
    settle_no_backing(o);
    split_off_backing(o);

    ret = open_file_first(o, filename, errp);
    if (ret == 0) {
        ret = find_driver_by_content(o, filename, errp);
    }
    if (ret == 0) {
        ret = open_common(o, errp);
    }
    if (ret < 0) {
        return ret;
    }
    warn_if_guessed_raw(bs);
    forget_child_options(bs);
    ret = refuse_unknown_options(o, errp);
    if (ret < 0) {
        return ret;
    }
    bdrv_change_media_notify(bs, true);
    return 0;
}

static BlockDriverState *open_reference(const BdrvOpenRequest *req,
                                        Error **errp)
{
    BlockDriverState *bs;
    bool more = req->filename || (req->options && qdict_size(req->options));

    qobject_unref(req->options);
    if (more) {
        error_setg(errp, "Cannot reference an existing block device with "
                   "additional options or a new filename");
        return NULL;
    }
    bs = bdrv_lookup_bs(req->reference, req->reference, errp);
    if (bs) {
        bdrv_ref(bs);
    }
    return bs;
}

BlockDriverState *bdrv_open_layer(const BdrvOpenRequest *req,
                                  QDict **backing_options, Error **errp)
{
    static int nesting;
    NodeOpening o = { .options = req->options, .flags = req->flags };
    const char *filename = req->filename;
    int ret = -EINVAL;

    *backing_options = NULL;
    if (req->reference) {
        return open_reference(req, errp);
    }
    if (!o.options) {
        o.options = qdict_new();
    }
    if (filename && strstart(filename, "json:", NULL)) {
        QDict *json = bdrv_parse_json_filename(filename, errp);

        if (!json) {
            qobject_unref(o.options);
            return NULL;
        }
        /* What was given beside the name counts more. */
        qdict_join(o.options, json, false);
        qobject_unref(json);
        filename = NULL;
    }

    o.bs = bdrv_new();
    if (nesting == MAX_NESTING) {
        error_setg(errp, "Block nodes are nested too deeply (limit is %d)",
                   MAX_NESTING);
    } else {
        nesting++;
        ret = open_steps(&o, req, filename, errp);
        nesting--;
    }
    qobject_unref(o.options);
    bdrv_unref(o.file);
    if (ret < 0) {
        qobject_unref(o.backing);
        bdrv_unref(o.bs);
        return NULL;
    }
    *backing_options = o.backing;
    return o.bs;
}

BlockDriverState *bdrv_open_request(const BdrvOpenRequest *req, Error **errp)
{
    QDict *backing = NULL;
    BlockDriverState *bs = bdrv_open_layer(req, &backing, errp);

    if (bs && backing && bdrv_open_backing_chain(bs, backing, errp) < 0) {
        bdrv_unref(bs);
        return NULL;
    }
    if (bs) {
        bdrv_refresh_filename_self(bs);
    }
    return bs;
}

/* ---- Children ---- */

BdrvChild *bdrv_open_child(const char *filename, QDict *options,
                           const char *bdref_key, BlockDriverState *parent,
                           const BdrvChildRole *child_role, bool allow_none,
                           Error **errp)
{
    BdrvOpenRequest req = {
        .filename = filename,
        .parent   = parent,
        .role     = child_role,
    };
    g_autofree char *prefix = g_strconcat(bdref_key, ".", NULL);
    g_autofree char *reference = NULL;
    BlockDriverState *bs;

    qdict_extract_subqdict(options, &req.options, prefix);
    reference = g_strdup(qdict_get_try_str(options, bdref_key));
    req.reference = reference;
    if (!filename && !reference && !qdict_size(req.options)) {
        if (!allow_none) {
            error_setg(errp, "A block device must be specified for \"%s\"",
                       bdref_key);
        }
        qobject_unref(req.options);
        qdict_del(options, bdref_key);
        return NULL;
    }
    bs = bdrv_open_request(&req, errp);
    qdict_del(options, bdref_key);
    return bs ? bdrv_attach_child(parent, bs, bdref_key, child_role, errp)
              : NULL;
}

int bdrv_open_file_child(const char *filename, QDict *options,
                         const char *bdref_key, BlockDriverState *parent,
                         Error **errp)
{
    parent->file = bdrv_open_child(filename, options, bdref_key, parent,
                                   &child_file, false, errp);
    return parent->file ? 0 : -EINVAL;
}

BlockDriverState *bdrv_open_blockdev_ref(BlockdevRef *ref, Error **errp)
{
    BdrvOpenRequest req = { .flags = 0 };
    BlockdevOptions *def;
    QObject *obj = NULL;
    Visitor *v;

    if (ref->type == QTYPE_QSTRING) {
        req.reference = ref->u.reference;
        return bdrv_open_request(&req, errp);
    }
    def = &ref->u.definition;
    v = qobject_output_visitor_new(&obj);
    visit_type_BlockdevOptions(v, NULL, &def, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    req.options = qobject_to(QDict, obj);
    qdict_flatten(req.options);
    /* As with blockdev-add, the defaults of a command line don't apply. */
    qdict_set_default_str(req.options, BDRV_OPT_CACHE_DIRECT, "off");
    qdict_set_default_str(req.options, BDRV_OPT_CACHE_NO_FLUSH, "off");
    qdict_set_default_str(req.options, BDRV_OPT_READ_ONLY, "off");
    qdict_set_default_str(req.options, BDRV_OPT_AUTO_READ_ONLY, "off");
    return bdrv_open_request(&req, errp);
}
