/*
 * SPDX-License-Identifier: MIT
 *
 * Creating and deleting images: drivers' hooks from a coroutine or the main
 * thread, and what stands in for drivers that can't create.
 *
 * Invariant: bdrv_create() and bdrv_create_file() leave an error in errp
 * whenever they fail.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qemu/option.h"

/* ---- bdrv_create() ---- */

int coroutine_fn bdrv_co_create(BlockDriver *drv, const char *filename,
                                QemuOpts *opts, Error **errp)
{
    Error *local_err = NULL;
    int ret;

    if (!drv->bdrv_co_create_opts) {
        error_setg(errp, "Driver '%s' does not support image creation",
                   drv->format_name);
        return -ENOTSUP;
    }
    ret = drv->bdrv_co_create_opts(drv, filename, opts, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
    } else if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not create image");
    }
    return ret;
}

typedef struct CreateCall {
    BlockDriver *drv;
    const char *filename;
    QemuOpts *opts;
    Error **errp;
} CreateCall;

static int coroutine_fn create_call(void *opaque)
{
    CreateCall *c = opaque;

    return bdrv_co_create(c->drv, c->filename, c->opts, c->errp);
}

int bdrv_create(BlockDriver *drv, const char *filename, QemuOpts *opts,
                Error **errp)
{
    CreateCall call = { drv, filename, opts, errp };

    return bdrv_run_co(qemu_get_aio_context(), create_call, &call);
}

static bool list_has_option(const QemuOptsList *list, const char *name)
{
    const QemuOptDesc *d;

    for (d = list->desc; d->name; d++) {
        if (!strcmp(d->name, name)) {
            return true;
        }
    }
    return false;
}

/* The options in @opts that @list knows, as options of that list. */
static QemuOpts *select_options(QemuOptsList *list, QemuOpts *opts,
                                Error **errp)
{
    QDict *all = qemu_opts_to_qdict(opts, NULL);
    QDict *known = qdict_new();
    const QDictEntry *e;
    QemuOpts *selected;

    for (e = qdict_first(all); e; e = qdict_next(all, e)) {
        if (list_has_option(list, qdict_entry_key(e))) {
            qdict_put_obj(known, qdict_entry_key(e),
                          qobject_ref(qdict_entry_value(e)));
        }
    }
    selected = qemu_opts_from_qdict(list, known, errp);
    qobject_unref(known);
    qobject_unref(all);
    return selected;
}

int bdrv_create_file(const char *filename, QemuOpts *opts, Error **errp)
{
    BlockDriver *drv = bdrv_find_protocol(filename, true, errp);
    QemuOpts *own;
    int ret;

    if (!drv) {
        return -ENOENT;
    }
    if (!drv->create_opts) {
        error_setg(errp, "Driver '%s' does not support image creation",
                   drv->format_name);
        return -ENOTSUP;
    }
    own = select_options(drv->create_opts, opts, errp);
    if (!own) {
        return -EINVAL;
    }
    ret = bdrv_create(drv, filename, own, errp);
    qemu_opts_del(own);
    return ret;
}

/* ---- Protocols whose "files" exist already ---- */

QemuOptsList bdrv_create_opts_simple = {
    .name = "block-create-existing",
    .head = QTAILQ_HEAD_INITIALIZER(bdrv_create_opts_simple.head),
    .desc = {
        {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size in bytes",
        },
        {
            .name = BLOCK_OPT_PREALLOC,
            .type = QEMU_OPT_STRING,
            .help = "Must be off: there is nothing to allocate",
        },
        { /* end of list */ }
    },
};

static char *creator_desc(BdrvChild *c)
{
    return g_strdup("image creation");
}

static const BdrvChildRole child_creator = {
    .get_parent_desc = creator_desc,
};

/* Make the node as long as asked; it may stay longer. */
static int coroutine_fn fit_to_size(BdrvChild *c, int64_t size,
                                    PreallocMode prealloc, Error **errp)
{
    Error *local_err = NULL;
    int64_t have;
    int ret;

    ret = bdrv_co_truncate(c, size, false, prealloc, 0, &local_err);
    if (ret != -ENOTSUP) {
        error_propagate(errp, local_err);
        return ret;
    }
    have = bdrv_getlength(c->bs);
    if (have < 0) {
        error_free(local_err);
        error_setg_errno(errp, -have, "Failed to inquire the new image file's "
                         "length");
        return have;
    }
    if (have < size) {
        error_propagate(errp, local_err);
        return -ENOTSUP;
    }
    error_free(local_err);
    return 0;
}

/* Nobody shall take what was there for an image. */
static int coroutine_fn wipe_first_sector(BdrvChild *c, Error **errp)
{
    int64_t len = bdrv_getlength(c->bs);
    int ret;

    ret = bdrv_co_pwrite_zeroes(c, 0, CLAMP(len, 0,
                                            (int64_t)BDRV_SECTOR_SIZE),
                                BDRV_REQ_MAY_UNMAP);
    if (ret < 0) {
        error_setg_errno(errp, -ret,
                         "Failed to clear the new image's first sector");
    }
    return ret;
}

int coroutine_fn bdrv_co_create_opts_simple(BlockDriver *drv,
                                            const char *filename,
                                            QemuOpts *opts, Error **errp)
{
    int64_t size = qemu_opt_get_size_del(opts, BLOCK_OPT_SIZE, 0);
    g_autofree char *mode = qemu_opt_get_del(opts, BLOCK_OPT_PREALLOC);
    Error *local_err = NULL;
    QDict *options = qdict_new();
    BlockDriverState *bs;
    BdrvChild *c;
    int prealloc, ret;

    prealloc = qapi_enum_parse(&PreallocMode_lookup, mode, PREALLOC_MODE_OFF,
                               &local_err);
    if (local_err) {
        qobject_unref(options);
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    if (prealloc != PREALLOC_MODE_OFF) {
        qobject_unref(options);
        error_setg(errp, "Unsupported preallocation mode '%s'",
                   PreallocMode_str(prealloc));
        return -ENOTSUP;
    }

    qdict_put_str(options, "driver", drv->format_name);
    bs = bdrv_open(filename, NULL, options, BDRV_O_RDWR | BDRV_O_RESIZE, errp);
    if (!bs) {
        error_prepend(errp, "Protocol driver '%s' does not support image "
                      "creation, and opening the image failed: ",
                      drv->format_name);
        return -EINVAL;
    }
    c = bdrv_root_attach_child(bs, "create", &child_creator,
                               BLK_PERM_WRITE | BLK_PERM_RESIZE, BLK_PERM_ALL,
                               NULL, errp);
    if (!c) {
        return -EPERM;
    }
    ret = fit_to_size(c, size, prealloc, errp);
    if (ret == 0) {
        ret = wipe_first_sector(c, errp);
    }
    bdrv_root_unref_child(c);
    return ret;
}

/* ---- Deletion ---- */

int coroutine_fn bdrv_co_delete_file(BlockDriverState *bs, Error **errp)
{
    Error *local_err = NULL;
    int ret;

    if (!bs->drv) {
        error_setg(errp, "Block node '%s' is not opened", bs->filename);
        return -ENOMEDIUM;
    }
    if (!bs->drv->bdrv_co_delete_file) {
        error_setg(errp, "Driver '%s' does not support image deletion",
                   bs->drv->format_name);
        return -ENOTSUP;
    }
    ret = bs->drv->bdrv_co_delete_file(bs, &local_err);
    if (ret < 0) {
        error_propagate(errp, local_err);
    }
    return ret;
}
