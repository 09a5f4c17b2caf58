/*
 * SPDX-License-Identifier: MIT
 *
 * Opening what belongs to a node besides its own image: the backing chain, and
 * the temporary overlay of snapshot=on.
 *
 * A chain is opened from the top down, one level in each round of a loop:
 * every node is attached before its own backing node is looked for, so that
 * neither the stack nor the permission passes grow with the length.
 *
 * Invariant: within one chain no image is opened twice by way of the names in
 * image headers.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qstring.h"
#include "qemu/option.h"

#define MAX_CHAIN_LENGTH 4096

/* ---- Backing chains ---- */

/* What to open below @bs. */
typedef struct BackingRequest {
    char *filename;             /* from the image header, complete; or NULL */
    char *reference;
    QDict *options;
    bool implicit;              /* nothing but the header asks for it */
} BackingRequest;

static void backing_request_clear(BackingRequest *r)
{
    g_free(r->filename);
    g_free(r->reference);
    qobject_unref(r->options);
}

/* Work out @r from the header of @bs and @options; false with @errp. */
static bool backing_request_make(BackingRequest *r, BlockDriverState *bs,
                                 QDict *options, const char *key, Error **errp)
{
    g_autofree char *prefix = g_strconcat(key, ".", NULL);
    Error *local_err = NULL;

    memset(r, 0, sizeof(*r));
    qdict_extract_subqdict(options, &r->options, prefix);
    r->reference = g_strdup(qdict_get_try_str(options, key));
    qdict_del(options, key);
    if (r->reference || qdict_haskey(r->options, "file.filename")) {
        return true;
    }
    r->implicit = !qdict_size(r->options) &&
                  !strcmp(bs->auto_backing_file, bs->backing_file);
    r->filename = bdrv_get_full_backing_filename(bs, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    return true;
}

/* Is there anything to open? */
static bool backing_request_is_empty(const BackingRequest *r)
{
    return !r->filename && !r->reference && !qdict_size(r->options);
}

/* The node below @bs, without its own backing node; the options for that go
 * to @rest. */
static BlockDriverState *open_one_backing(BlockDriverState *bs,
                                          BackingRequest *r, QDict **rest,
                                          Error **errp)
{
    BdrvOpenRequest req = {
        .filename  = r->filename,
        .reference = r->reference,
        .options   = r->options,
        .parent    = bs,
        .role      = &child_backing,
    };

    if (!r->reference && *bs->backing_format &&
        !qdict_haskey(r->options, "driver")) {
        qdict_put_str(r->options, "driver", bs->backing_format);
    }
    r->options = NULL;
    return bdrv_open_layer(&req, rest, errp);
}

/* False with @errp if @filename occurs for the second time. */
static bool note_filename(GHashTable *seen, const char *filename,
                          Error **errp)
{
    if (filename && !g_hash_table_add(seen, g_strdup(filename))) {
        error_setg(errp, "Backing file '%s' occurs twice in one backing chain",
                   filename);
        return false;
    }
    if (g_hash_table_size(seen) > MAX_CHAIN_LENGTH) {
        error_setg(errp, "Backing chain has more than %d images",
                   MAX_CHAIN_LENGTH);
        return false;
    }
    return true;
}

/* A chain on its way down. */
typedef struct ChainOpening {
    BlockDriverState *bs;       /* the lowest node so far */
    QDict *rest;                /* its options for the next one, or NULL */
    GHashTable *seen;           /* names that image headers gave */
    GSList *implicit;           /* nodes that only headers connect */
    int depth;
} ChainOpening;

/* Open and attach one level.  1: done, 0: there is nothing (more), or
 * -errno. */
static int open_level(ChainOpening *o, Error **errp)
{
    BlockDriverState *bs = o->bs, *below = NULL;
    QDict *options = o->rest;
    BackingRequest r;
    int ret = -EINVAL;

    o->rest = NULL;
    if (!backing_request_make(&r, bs, options, "backing", errp)) {
        goto out;
    }
    if (backing_request_is_empty(&r)) {
        ret = 0;
        goto out;
    }
    if (!bs->drv || !bs->drv->supports_backing) {
        error_setg(errp, "Driver doesn't support backing files");
        goto out;
    }
    if (note_filename(o->seen, r.filename, errp)) {
        below = open_one_backing(bs, &r, &o->rest, errp);
    }
    if (!below) {
        bs->open_flags |= BDRV_O_NO_BACKING;
        error_prepend(errp, "Could not open backing file: ");
        goto out;
    }
    ret = bdrv_set_backing_hd_check(bs, below, errp);
    bdrv_unref(below);
    if (ret == 0) {
        if (r.implicit) {
            o->implicit = g_slist_prepend(o->implicit, bs);
        }
        o->bs = below;
        ret = 1;
    }
out:
    backing_request_clear(&r);
    qobject_unref(options);
    return ret;
}

/* From the bottom up: what the header says leads to the node that we have, so
 * nothing is overridden. */
static void note_implicit_names(ChainOpening *o)
{
    GSList *l;

    bdrv_refresh_filename(o->bs);
    for (l = o->implicit; l; l = l->next) {
        BlockDriverState *bs = l->data;

        bdrv_refresh_filename_self(bs->backing->bs);
        bdrv_set_string(&bs->auto_backing_file, bs->backing->bs->filename);
    }
}

int bdrv_open_backing_chain(BlockDriverState *bs, QDict *backing_options,
                            Error **errp)
{
    ChainOpening o = {
        .bs = bs,
        .rest = backing_options,
        .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
    int ret = 1;

    note_filename(o.seen, bs->filename, NULL);
    while (ret > 0 && o.rest) {
        ret = open_level(&o, errp);
        o.depth++;
    }
    qobject_unref(o.rest);
    if (ret >= 0) {
        note_implicit_names(&o);
    }
    /* One prefix for each level, as if they had been opened recursively. */
    while (ret < 0 && --o.depth > 0) {
        error_prepend(errp, "Could not open backing file: ");
    }
    g_hash_table_unref(o.seen);
    g_slist_free(o.implicit);
    return MIN(ret, 0);
}

int bdrv_open_backing_file(BlockDriverState *bs, QDict *parent_options,
                           const char *bdref_key, Error **errp)
{
    g_autofree char *prefix = g_strconcat(bdref_key, ".", NULL);
    QDict *options = qdict_new();
    QDict *sub = NULL;
    const QDictEntry *e;
    QObject *ref;

    if (bs->backing) {
        qobject_unref(options);
        return 0;
    }
    bs->open_flags &= ~BDRV_O_NO_BACKING;
    if (parent_options) {
        qdict_extract_subqdict(parent_options, &sub, prefix);
        for (e = qdict_first(sub); e; e = qdict_next(sub, e)) {
            g_autofree char *name = g_strconcat("backing.",
                                                qdict_entry_key(e), NULL);

            qdict_put_obj(options, name, qobject_ref(qdict_entry_value(e)));
        }
        qobject_unref(sub);
        ref = qdict_get(parent_options, bdref_key);
        if (ref) {
            qdict_put_obj(options, "backing", qobject_ref(ref));
            qdict_del(parent_options, bdref_key);
        }
    }
    return bdrv_open_backing_chain(bs, options, errp);
}

/* ---- snapshot=on ---- */

/* Options and flags of the overlay; those of the image below are changed to
 * what a backing node has. */
static QDict *temp_overlay_options(QDict *options, int *flags,
                                   int *overlay_flags)
{
    QDict *overlay = qdict_new();

    *overlay_flags = (*flags & ~(BDRV_O_SNAPSHOT | BDRV_O_NATIVE_AIO)) |
                     BDRV_O_TEMPORARY;
    /* The file is lost with the process anyway. */
    qdict_set_default_str(overlay, BDRV_OPT_CACHE_DIRECT, "off");
    qdict_set_default_str(overlay, BDRV_OPT_CACHE_NO_FLUSH, "on");
    qdict_copy_default(overlay, options, BDRV_OPT_READ_ONLY);
    qdict_copy_default(overlay, options, BDRV_OPT_DISCARD);

    *flags &= ~(BDRV_O_SNAPSHOT | BDRV_O_COPY_ON_READ);
    qdict_del(options, BDRV_OPT_READ_ONLY);
    qdict_put_str(options, BDRV_OPT_READ_ONLY, "on");
    qdict_set_default_str(options, BDRV_OPT_AUTO_READ_ONLY, "off");
    return overlay;
}

static char *create_temp_file(Error **errp)
{
    const char *dir = getenv("TMPDIR");
    char *path = g_strdup_printf("%s/vl.XXXXXX", dir ? dir : "/var/tmp");
    int fd = mkstemp(path);

    if (fd < 0) {
        error_setg_errno(errp, errno, "Could not open temporary file '%s'",
                         path);
        g_free(path);
        return NULL;
    }
    close(fd);
    return path;
}

/* An empty qcow2 image of @size bytes at @path. */
static int create_temp_image(const char *path, int64_t size, Error **errp)
{
    BlockDriver *drv = bdrv_find_format("qcow2");
    QemuOpts *opts;
    int ret;

    if (!drv) {
        error_setg(errp, "Driver 'qcow2' for temporary overlays is missing");
        return -ENOTSUP;
    }
    opts = qemu_opts_create(drv->create_opts, NULL, 0, &error_abort);
    qemu_opt_set_number(opts, BLOCK_OPT_SIZE, size, &error_abort);
    ret = bdrv_create(drv, path, opts, errp);
    qemu_opts_del(opts);
    if (ret < 0) {
        error_prepend(errp, "Could not create temporary overlay '%s': ", path);
    }
    return ret;
}

/* Put a temporary overlay on @bs; consumes @options and, if it succeeds, the
 * caller's reference on @bs. */
static BlockDriverState *append_temp_overlay(BlockDriverState *bs, int flags,
                                             QDict *options, Error **errp)
{
    g_autofree char *path = NULL;
    BlockDriverState *overlay = NULL;
    int64_t size = bdrv_getlength(bs);

    if (size < 0) {
        error_setg_errno(errp, -size, "Could not get image size");
        goto fail;
    }
    path = create_temp_file(errp);
    if (!path) {
        goto fail;
    }
    if (create_temp_image(path, size, errp) < 0) {
        unlink(path);
        goto fail;
    }
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", path);
    qdict_put_str(options, "driver", "qcow2");
    overlay = bdrv_open(NULL, NULL, options, flags, errp);
    options = NULL;
    if (!overlay) {
        unlink(path);
        goto fail;
    }
    if (bdrv_append(overlay, bs, errp) < 0) {
        bdrv_unref(overlay);
        return NULL;
    }
    bdrv_unref(bs);
    return overlay;
fail:
    qobject_unref(options);
    return NULL;
}

BlockDriverState *bdrv_open(const char *filename, const char *reference,
                            QDict *options, int flags, Error **errp)
{
    BdrvOpenRequest req = {
        .filename  = filename,
        .reference = reference,
        .options   = options ? options : qdict_new(),
        .flags     = flags,
    };
    QDict *overlay_options = NULL;
    int overlay_flags = 0;
    BlockDriverState *bs, *overlay;

    if (flags & BDRV_O_SNAPSHOT) {
        overlay_options = temp_overlay_options(req.options, &req.flags,
                                               &overlay_flags);
    }
    bs = bdrv_open_request(&req, errp);
    if (!bs || !overlay_options) {
        qobject_unref(overlay_options);
        return bs;
    }
    overlay = append_temp_overlay(bs, overlay_flags, overlay_options, errp);
    if (!overlay) {
        bdrv_unref(bs);
    }
    return overlay;
}
