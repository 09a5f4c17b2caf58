/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img amend: change options of an image that exists.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"

/* ->amend_opts of the format, or NULL after a message. */
static QemuOptsList *amend_list(BlockDriver *drv)
{
    if (!drv->amend_opts) {
        error_report("Format driver '%s' does not support option amendment",
                     drv->format_name);
        return NULL;
    }
    return qemu_opts_append(NULL, drv->amend_opts);
}

static int print_amend_options(const char *fmt)
{
    BlockDriver *drv = bdrv_find_format(fmt);
    QemuOptsList *list;

    if (!drv) {
        error_report("Unknown file format '%s'", fmt);
        return 1;
    }
    list = amend_list(drv);
    if (!list) {
        return 1;
    }
    printf("Amend options for '%s':\n", fmt);
    qemu_opts_print_help(list, false);
    g_free(list);
    return 0;
}

static bool is_create_option(BlockDriver *drv, const char *text)
{
    QemuOptsList *list = qemu_opts_append(NULL, drv->create_opts);
    QemuOpts *opts = qemu_opts_create(list, NULL, 0, &error_abort);
    bool ok = qemu_opts_do_parse(opts, text, NULL, NULL);

    qemu_opts_del(opts);
    g_free(list);
    return ok;
}

static bool amend(BlockBackend *blk, QemuOptsList *list, const char *text,
                  bool force)
{
    BlockDriverState *bs = blk_bs(blk);
    QemuOpts *opts = qemu_opts_create(list, NULL, 0, &error_abort);
    Error *err = NULL;
    bool ok = false;

    if (!qemu_opts_do_parse(opts, text, NULL, &err)) {
        if (is_create_option(bs->drv, text)) {
            error_append_hint(&err, "This option is only supported for image "
                              "creation\n");
        }
    } else if (bs->drv->bdrv_amend_options(bs, opts, force, &err) >= 0) {
        uint64_t size = qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0);

        ok = !size || blk_truncate(blk, size, false, PREALLOC_MODE_OFF, 0,
                                   &err) >= 0;
    }
    if (!ok) {
        error_report_err(err);
    }
    qemu_opts_del(opts);
    return ok;
}

int img_amend(int argc, char **argv)
{
    enum { OPT_FORCE = 1000 };
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force", no_argument, NULL, OPT_FORCE },
        { NULL }
    };
    g_autofree char *text = NULL;
    const char *cache = "writeback", *filename;
    ImgOptions o = { NULL };
    ImgOpen how = { .flags = BDRV_O_RDWR | BDRV_O_RESIZE };
    QemuOptsList *list = NULL;
    BlockBackend *blk;
    bool ok = false, force = false;
    int c;

    while ((c = img_getopt(argc, argv, ":o:t:pf:q", options, &o)) != -1) {
        if (c == 't') {
            cache = optarg;
        } else if (c == OPT_FORCE) {
            force = true;
        } else if (c == 'o' && !img_accumulate_options(&text, optarg)) {
            return 1;
        }
    }
    if (!text) {
        img_usage_error("Must specify options (-o)");
    }
    if (o.fmt && img_is_help_option(text)) {
        return print_amend_options(o.fmt);
    }
    filename = optind == argc - 1 ? argv[argc - 1] : NULL;
    if (!filename) {
        error_report("Expecting one image file name");
        return 1;
    }
    if (!img_parse_cache(cache, "cache", &how.flags, &how.writethrough)) {
        return 1;
    }
    how.fmt = o.fmt;
    how.image_opts = o.image_opts;
    how.quiet = o.quiet;
    blk = img_open(&how, filename);
    if (!blk) {
        return 1;
    }
    if (img_is_help_option(text)) {
        ok = print_amend_options(bdrv_get_format_name(blk_bs(blk))) == 0;
    } else {
        list = amend_list(blk_bs(blk)->drv);
        img_progress(&o, 0, 1);
        ok = list && amend(blk, list, text, force);
        if (ok) {
            img_progress(&o, 1, 1);
        }
        img_progress_end(&o);
    }
    g_free(list);
    blk_unref(blk);
    return !ok;
}
