/*
 * SPDX-License-Identifier: MIT
 *
 * bdrv_img_create(): an image as `qemu-img create` makes it, with the size
 * taken from the backing image and a line that says what is created.
 *
 * Invariant: nothing is created, nor a line printed, before all options have
 * been checked.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qemu/option.h"

/* What is going to be created. */
typedef struct ImgCreate {
    const char *filename;
    const char *fmt;
    BlockDriver *drv;
    BlockDriver *proto_drv;
    QemuOptsList *list;
    QemuOpts *opts;
    int flags;
} ImgCreate;

static bool find_drivers(ImgCreate *ic, Error **errp)
{
    ic->drv = bdrv_find_format(ic->fmt);
    if (!ic->drv) {
        error_setg(errp, "Unknown file format '%s'", ic->fmt);
        return false;
    }
    ic->proto_drv = bdrv_find_protocol(ic->filename, true, errp);
    if (!ic->proto_drv) {
        return false;
    }
    if (!ic->drv->create_opts) {
        error_setg(errp, "Format driver '%s' does not support image creation",
                   ic->drv->format_name);
        return false;
    }
    if (!ic->proto_drv->create_opts) {
        error_setg(errp, "Protocol driver '%s' does not support image "
                   "creation", ic->proto_drv->format_name);
        return false;
    }
    ic->list = qemu_opts_append(NULL, ic->drv->create_opts);
    ic->list = qemu_opts_append(ic->list, ic->proto_drv->create_opts);
    ic->opts = qemu_opts_create(ic->list, NULL, 0, &error_abort);
    return true;
}

static bool parse_options(ImgCreate *ic, const char *base_filename,
                          const char *base_fmt, const char *options,
                          uint64_t img_size, Error **errp)
{
    const char *backing;

    if (options && !qemu_opts_do_parse(ic->opts, options, NULL, errp)) {
        return false;
    }
    if (img_size != UINT64_MAX) {
        if (qemu_opt_get(ic->opts, BLOCK_OPT_SIZE)) {
            error_setg(errp, "The image size must be specified only once");
            return false;
        }
        qemu_opt_set_number(ic->opts, BLOCK_OPT_SIZE, img_size, &error_abort);
    }
    if (base_filename &&
        !qemu_opt_set(ic->opts, BLOCK_OPT_BACKING_FILE, base_filename, NULL)) {
        error_setg(errp, "Backing file not supported for file format '%s'",
                   ic->fmt);
        return false;
    }
    if (base_fmt &&
        !qemu_opt_set(ic->opts, BLOCK_OPT_BACKING_FMT, base_fmt, NULL)) {
        error_setg(errp, "Backing file format not supported for file format "
                   "'%s'", ic->fmt);
        return false;
    }
    backing = qemu_opt_get(ic->opts, BLOCK_OPT_BACKING_FILE);
    if (backing && !*backing) {
        error_setg(errp, "Expected backing file name, got empty string");
        return false;
    }
    if (backing && !strcmp(ic->filename, backing)) {
        error_setg(errp, "Error: Trying to create an image with the same "
                   "filename as the backing file");
        return false;
    }
    return true;
}

static BlockDriverState *open_backing(ImgCreate *ic, const char *name,
                                      const char *fmt, Error **errp)
{
    QDict *options = qdict_new();

    if (fmt) {
        qdict_put_str(options, "driver", fmt);
    }
    qdict_put_bool(options, BDRV_OPT_FORCE_SHARE, true);
    return bdrv_open(name, NULL, options,
                     ic->flags & ~(BDRV_O_RDWR | BDRV_O_SNAPSHOT |
                                   BDRV_O_NO_BACKING), errp);
}

/* Look at the backing image: it must be there, its format be named, and it
 * tells the size if nobody else does. */
static bool check_backing(ImgCreate *ic, const char *backing, bool need_size,
                          Error **errp)
{
    const char *fmt = qemu_opt_get(ic->opts, BLOCK_OPT_BACKING_FMT);
    g_autofree char *full = NULL;
    Error *local_err = NULL;
    BlockDriverState *bs;
    bool ok = false;

    full = bdrv_get_full_backing_filename_from_filename(ic->filename, backing,
                                                        &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    bs = open_backing(ic, full, fmt, errp);
    if (!bs) {
        error_append_hint(errp, "Could not open backing image.\n");
        return false;
    }
    if (!fmt) {
        error_setg(errp, "Backing file specified without backing format");
        error_append_hint(errp, "Detected format of %s.",
                          bs->drv->format_name);
    } else if (need_size) {
        int64_t size = bdrv_getlength(bs);

        if (size < 0) {
            error_setg_errno(errp, -size, "Could not get size of '%s'", full);
        } else {
            qemu_opt_set_number(ic->opts, BLOCK_OPT_SIZE, size, &error_abort);
            ok = true;
        }
    } else {
        ok = true;
    }
    bdrv_unref(bs);
    return ok;
}

static bool settle_backing_and_size(ImgCreate *ic, Error **errp)
{
    const char *backing = qemu_opt_get(ic->opts, BLOCK_OPT_BACKING_FILE);
    int64_t size = qemu_opt_get_size(ic->opts, BLOCK_OPT_SIZE, -1);

    if (backing && !(ic->flags & BDRV_O_NO_BACKING)) {
        return check_backing(ic, backing, size == -1, errp);
    }
    if (backing && !qemu_opt_get(ic->opts, BLOCK_OPT_BACKING_FMT)) {
        error_setg(errp, "Backing file specified without backing format");
        return false;
    }
    if (size == -1) {
        error_setg(errp, "Image creation needs a size parameter");
        return false;
    }
    return true;
}

static void create_image(ImgCreate *ic, bool quiet, Error **errp)
{
    Error *local_err = NULL;
    int ret;

    if (!quiet) {
        printf("Formatting '%s', fmt=%s ", ic->filename, ic->fmt);
        qemu_opts_print(ic->opts, " ");
        printf("\n");
        fflush(stdout);
    }
    ret = bdrv_create(ic->drv, ic->filename, ic->opts, &local_err);
    if (ret == -EFBIG) {
        bool has_clusters = qemu_opt_get_size(ic->opts, BLOCK_OPT_CLUSTER_SIZE,
                                              0) != 0;

        error_free(local_err);
        local_err = NULL;
        error_setg(&local_err, "The image size is too large for file format "
                   "'%s'%s", ic->fmt,
                   has_clusters ? " (try using a larger cluster size)" : "");
    }
    error_propagate(errp, local_err);
}

void bdrv_img_create(const char *filename, const char *fmt,
                     const char *base_filename, const char *base_fmt,
                     char *options, uint64_t img_size, int flags, bool quiet,
                     Error **errp)
{
    ImgCreate ic = { .filename = filename, .fmt = fmt, .flags = flags };

    if (find_drivers(&ic, errp) &&
        parse_options(&ic, base_filename, base_fmt, options, img_size,
                      errp) &&
        settle_backing_and_size(&ic, errp)) {
        create_image(&ic, quiet, errp);
    }
    qemu_opts_del(ic.opts);
    g_free(ic.list);
}
