/*
 * SPDX-License-Identifier: MIT
 *
 * File names: paths and protocol prefixes, names relative to an image, and the
 * name under which users see a node.
 *
 * Invariants, after bdrv_refresh_filename(bs)
 *   1. bs->full_open_options opens the same content again, with everything
 *      that "strong" options decide, through all children that are not found
 *      by themselves.
 *   2. bs->exact_filename, if not empty, does so as a plain file name.
 *   3. bs->filename is the exact name, or else "json:" and the options.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qnull.h"
#include "qapi/qmp/qstring.h"
#include "qemu/cutils.h"

/* ---- Paths ---- */

int path_has_protocol(const char *path)
{
    return path[strcspn(path, ":/")] == ':';
}

int path_is_absolute(const char *path)
{
    return *path == '/';
}

char *path_combine(const char *base_path, const char *filename)
{
    const char *rest, *slash;

    if (path_is_absolute(filename)) {
        return g_strdup(filename);
    }
    rest = path_has_protocol(base_path) ? strchr(base_path, ':') + 1
                                        : base_path;
    slash = strrchr(rest, '/');
    if (slash) {
        rest = slash + 1;
    }
    return g_strdup_printf("%.*s%s", (int)(rest - base_path), base_path,
                           filename);
}

void bdrv_parse_filename_strip_prefix(const char *filename, const char *prefix,
                                      QDict *options)
{
    const char *path;

    if (strstart(filename, prefix, &path)) {
        /* What follows must not be taken for a protocol in its turn. */
        g_autofree char *plain = g_strconcat(path_has_protocol(path) ? "./"
                                                                     : "",
                                             path, NULL);

        qdict_put_str(options, "filename", plain);
    }
}

/* A name that does not depend on where it is written. */
static bool name_is_complete(const char *name)
{
    return path_has_protocol(name) || path_is_absolute(name);
}

char *bdrv_get_full_backing_filename_from_filename(const char *backed,
                                                   const char *backing,
                                                   Error **errp)
{
    if (!*backing) {
        return NULL;
    }
    if (name_is_complete(backing)) {
        return g_strdup(backing);
    }
    if (!*backed || strstart(backed, "json:", NULL)) {
        error_setg(errp, "Cannot use relative backing file names for '%s'",
                   backed);
        return NULL;
    }
    return path_combine(backed, backing);
}

char *bdrv_dirname(BlockDriverState *bs, Error **errp)
{
    BlockDriver *drv = bs->drv;
    BlockDriverState *below;

    if (!drv) {
        error_setg(errp, "Node '%s' is ejected", bs->node_name);
        return NULL;
    }
    if (drv->bdrv_dirname) {
        return drv->bdrv_dirname(bs, errp);
    }
    below = bdrv_primary_bs(bs);
    if (below) {
        return bdrv_dirname(below, errp);
    }
    bdrv_refresh_filename(bs);
    if (*bs->exact_filename) {
        return path_combine(bs->exact_filename, "");
    }
    error_setg(errp, "Cannot generate a base directory for %s nodes",
               drv->format_name);
    return NULL;
}

char *bdrv_get_full_backing_filename(BlockDriverState *bs, Error **errp)
{
    g_autofree char *dir = NULL;

    if (!*bs->backing_file) {
        return NULL;
    }
    if (name_is_complete(bs->backing_file)) {
        return g_strdup(bs->backing_file);
    }
    dir = bdrv_dirname(bs, errp);
    return dir ? g_strconcat(dir, bs->backing_file, NULL) : NULL;
}

const char *bdrv_get_backing_filename(BlockDriverState *bs)
{
    return bs->backing_file;
}

void bdrv_get_backing_filename_copy(BlockDriverState *bs, char *filename,
                                    int filename_size)
{
    pstrcpy(filename, filename_size, bs->backing_file);
}

/* ---- The name of a node ---- */

bool bdrv_is_backing_overridden(BlockDriverState *bs)
{
    if (!bs->backing) {
        /* The header's backing file, if there is one, was left out. */
        return *bs->auto_backing_file;
    }
    return strcmp(bs->auto_backing_file,
                  bdrv_skip_implicit_filters(bs->backing->bs)->filename) != 0;
}

/* Does option @name belong to strong option @strong?  That may be a prefix
 * that ends in '.'. */
static bool is_strong(const char *name, const char *strong)
{
    size_t len = strlen(strong);

    return strong[len - 1] == '.' ? !strncmp(name, strong, len)
                                  : !strcmp(name, strong);
}

/* Copy the options that decide about the content; are there any but the
 * driver? */
static bool copy_strong_options(BlockDriverState *bs, QDict *target)
{
    const char *const *strong;
    const QDictEntry *e;
    bool found = false;

    if (bs->options && bs->drv->strong_runtime_opts) {
        for (e = qdict_first(bs->options); e; e = qdict_next(bs->options, e)) {
            const char *name = qdict_entry_key(e);

            for (strong = bs->drv->strong_runtime_opts; *strong; strong++) {
                if (is_strong(name, *strong)) {
                    qdict_put_obj(target, name,
                                  qobject_ref(qdict_entry_value(e)));
                    found = true;
                    break;
                }
            }
        }
    }
    qdict_put_str(target, "driver", bs->drv->format_name);
    return found;
}

void bdrv_gather_child_options_default(BlockDriverState *bs, QDict *target,
                                       bool backing_overridden)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->children, next) {
        if (c == bs->backing && !backing_overridden) {
            continue;
        }
        if (c->bs->full_open_options) {
            qdict_put(target, c->name, qobject_ref(c->bs->full_open_options));
        }
    }
    if (backing_overridden && !bs->backing) {
        qdict_put_null(target, "backing");
    }
}

/* A filter that its user does not know of looks like what it filters. */
static void look_like(BlockDriverState *bs, BlockDriverState *below)
{
    bdrv_set_string(&bs->exact_filename, below->exact_filename);
    bdrv_set_string(&bs->filename, below->filename);
    qobject_unref(bs->full_open_options);
    bs->full_open_options = below->full_open_options;
    if (bs->full_open_options) {
        qobject_ref(bs->full_open_options);
    }
}

/* Opening the name of bs->file with this driver gives this node. */
static bool file_name_suffices(BlockDriverState *bs)
{
    BlockDriverState *file = bs->file->bs;

    return !bs->drv->is_filter && file->drv && file->drv->protocol_name &&
           *file->exact_filename;
}

static void set_json_filename(BlockDriverState *bs)
{
    GString *json = qobject_to_json(QOBJECT(bs->full_open_options));

    g_string_prepend(json, "json:");
    g_free(bs->filename);
    bs->filename = g_string_free(json, false);
}

void bdrv_refresh_filename(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->children, next) {
        bdrv_refresh_filename(c->bs);
    }
    bdrv_refresh_filename_self(bs);
}

void bdrv_refresh_filename_self(BlockDriverState *bs)
{
    BlockDriver *drv = bs->drv;
    bool overridden, needs_options;
    QDict *options;

    if (!drv) {
        return;
    }
    if (bs->implicit && bdrv_filter_bs(bs)) {
        look_like(bs, bdrv_filter_bs(bs));
        return;
    }

    /* Without I/O the backing file was not opened, which says nothing. */
    overridden = !(bs->open_flags & BDRV_O_NO_IO) &&
                 bdrv_is_backing_overridden(bs);
    options = qdict_new();
    needs_options = copy_strong_options(bs, options) || overridden;
    if (drv->bdrv_gather_child_options) {
        drv->bdrv_gather_child_options(bs, options, overridden);
    } else {
        bdrv_gather_child_options_default(bs, options, overridden);
    }
    qobject_unref(bs->full_open_options);
    bs->full_open_options = options;

    if (drv->bdrv_refresh_filename) {
        bdrv_set_string(&bs->exact_filename, NULL);
        drv->bdrv_refresh_filename(bs);
    } else if (bs->file) {
        bdrv_set_string(&bs->exact_filename,
                        needs_options || !file_name_suffices(bs)
                        ? NULL : bs->file->bs->exact_filename);
    }

    if (*bs->exact_filename) {
        bdrv_set_string(&bs->filename, bs->exact_filename);
    } else {
        set_json_filename(bs);
    }
}
