/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img create, resize and measure.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "block/snapshot.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qobject-output-visitor.h"

/* ---- create ---- */

int img_create(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { NULL }
    };
    ImgOptions o = { .fmt = "raw" };
    const char *base = NULL, *base_fmt = NULL, *filename;
    g_autofree char *list = NULL;
    int64_t size = -1;
    Error *err = NULL;
    int c, flags = 0;

    while ((c = img_getopt(argc, argv, ":F:b:f:o:qu", options, &o)) != -1) {
        switch (c) {
        case 'F': base_fmt = optarg; break;
        case 'b': base = optarg; break;
        case 'u': flags |= BDRV_O_NO_BACKING; break;
        case 'o':
            if (!img_accumulate_options(&list, optarg)) {
                return 1;
            }
            break;
        }
    }
    filename = optind < argc ? argv[optind++] : NULL;
    if (img_is_help_option(list)) {
        return img_print_format_options(filename, o.fmt);
    }
    if (!filename) {
        img_usage_error("Expecting image file name");
    }
    if (optind < argc) {
        size = img_parse_size_noisily("image size", argv[optind++], 0,
                                      INT64_MAX);
        if (size < 0) {
            return 1;
        }
    }
    if (optind < argc) {
        img_usage_error("Unexpected argument: %s", argv[optind]);
    }
    bdrv_img_create(filename, o.fmt, base, base_fmt, list,
                    size < 0 ? UINT64_MAX : (uint64_t)size, flags, o.quiet,
                    &err);
    if (err) {
        error_reportf_err(err, "%s: ", filename);
        return 1;
    }
    return 0;
}

/* ---- resize ---- */

/* "+SIZE", "-SIZE" or "SIZE": the sign is taken off. */
static bool parse_new_size(const char *text, int *sign, int64_t *size)
{
    Error *err = NULL;
    uint64_t value;

    *sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;
    if (!parse_option_size("size", text + !!*sign, &value, &err)) {
        error_report_err(err);
        return false;
    }
    *size = MIN(value, (uint64_t)INT64_MAX);
    return true;
}

static int resize_image(BlockBackend *blk, const ImgOptions *o, int64_t size,
                        PreallocMode prealloc, bool shrink)
{
    int64_t current = blk_getlength(blk), now;
    Error *err = NULL;

    if (size <= 0) {
        error_report("New image size must be positive");
        return 1;
    }
    if (size <= current && prealloc != PREALLOC_MODE_OFF) {
        error_report("Preallocation can only be used for growing images");
        return 1;
    }
    if (size < current && !shrink) {
        error_report("Use the --shrink option to perform a shrink operation.");
        warn_report("Shrinking an image will delete all data beyond the "
                    "shrunken image's end. Before performing such an "
                    "operation, make sure there is no important data there.");
        return 1;
    }
    if (blk_truncate(blk, size, false, prealloc, 0, &err) < 0) {
        error_report_err(err);
        return 1;
    }
    if (o->quiet) {
        return 0;
    }
    now = blk_getlength(blk);
    if (now >= 0 && now != size) {
        warn_report("Image should have been resized to %" PRIi64 " bytes, but "
                    "was resized to %" PRIi64 " bytes", size, now);
    }
    printf("Image resized.\n");
    return 0;
}

int img_resize(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "preallocation", required_argument, NULL, IMG_OPT_PREALLOCATION },
        { "shrink", no_argument, NULL, IMG_OPT_SHRINK },
        { NULL }
    };
    int prealloc = PREALLOC_MODE_OFF, c, sign, ret;
    const char *size_text;
    ImgOptions o = { NULL };
    bool shrink = false;
    BlockBackend *blk;
    int64_t size, current;
    ImgOpen how;

    /* The size comes last and may look like an option. */
    if (argc < 3) {
        img_usage_error("Not enough arguments");
    }
    size_text = argv[--argc];
    while ((c = img_getopt(argc, argv, ":f:q", options, &o)) != -1) {
        if (c == IMG_OPT_SHRINK) {
            shrink = true;
        } else if (c == IMG_OPT_PREALLOCATION) {
            prealloc = qapi_enum_parse(&PreallocMode_lookup, optarg,
                                       PREALLOC_MODE__MAX, NULL);
            if (prealloc == PREALLOC_MODE__MAX) {
                error_report("Invalid preallocation mode '%s'", optarg);
                return 1;
            }
        }
    }
    if (optind != argc - 1) {
        img_usage_error("Expecting image file name and size");
    }
    if (!parse_new_size(size_text, &sign, &size)) {
        return 1;
    }
    how = (ImgOpen) {
        .fmt = o.fmt,
        .image_opts = o.image_opts,
        .quiet = o.quiet,
        .flags = BDRV_O_RDWR | BDRV_O_RESIZE,
    };
    blk = img_open(&how, argv[optind]);
    if (!blk) {
        return 1;
    }
    current = blk_getlength(blk);
    if (current < 0) {
        error_report("Failed to inquire current image length: %s",
                     strerror(-current));
        ret = 1;
    } else {
        if (sign) {
            size = sign < 0 ? current - size
                            : current + MIN(size, INT64_MAX - current);
        }
        ret = resize_image(blk, &o, size, prealloc, shrink);
    }
    blk_unref(blk);
    return ret;
}

/* ---- measure ---- */

typedef struct Measure {
    ImgOptions o;
    const char *out_fmt;
    char *list;
    const char *snapshot;
    int64_t size;               /* -1: that of the image */
} Measure;

static void print_measure(const Measure *m, BlockMeasureInfo *info)
{
    QObject *obj = NULL;
    Visitor *v;

    if (!m->o.json) {
        printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64
               "\n", info->required, info->fully_allocated);
        if (info->has_bitmaps) {
            printf("bitmaps size: %" PRIu64 "\n", info->bitmaps);
        }
        return;
    }
    v = qobject_output_visitor_new(&obj);
    visit_type_BlockMeasureInfo(v, NULL, &info, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    img_print_json(obj);
}

static int measure(const Measure *m, BlockBackend *in)
{
    BlockDriver *drv = bdrv_find_format(m->out_fmt), *file;
    BlockMeasureInfo *info = NULL;
    QemuOptsList *list = NULL;
    Error *err = NULL;
    QemuOpts *opts;

    if (!drv) {
        error_report("Unknown file format '%s'", m->out_fmt);
        return 1;
    }
    if (!drv->create_opts) {
        error_report("Format driver '%s' does not support image creation",
                     drv->format_name);
        return 1;
    }
    file = bdrv_find_format("file");
    list = qemu_opts_append(list, drv->create_opts);
    list = qemu_opts_append(list, file->create_opts);
    opts = qemu_opts_create(list, NULL, 0, &error_abort);
    if (m->list && !qemu_opts_do_parse(opts, m->list, NULL, &err)) {
        error_report_err(err);
        err = NULL;
        error_report("Invalid options for file format '%s'", m->out_fmt);
    } else if (m->size < 0 ||
               qemu_opt_set_number(opts, BLOCK_OPT_SIZE, m->size, &err)) {
        info = bdrv_measure(drv, opts, in ? blk_bs(in) : NULL, &err);
    }
    if (info) {
        print_measure(m, info);
    } else if (err) {
        error_report_err(err);
    }
    qapi_free_BlockMeasureInfo(info);
    qemu_opts_del(opts);
    g_free(list);
    return info ? 0 : 1;
}

static void parse_measure(int argc, char **argv, Measure *m)
{
    static const struct option options[] = {
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "output", required_argument, NULL, IMG_OPT_OUTPUT },
        { "size", required_argument, NULL, IMG_OPT_SIZE },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    int c;

    while ((c = img_getopt(argc, argv, ":f:l:o:O:U", options,
                           &m->o)) != -1) {
        switch (c) {
        case 'l': m->snapshot = optarg; break;
        case 'O': m->out_fmt = optarg; break;
        case 'o':
            if (!img_accumulate_options(&m->list, optarg)) {
                exit(1);
            }
            break;
        case IMG_OPT_SIZE:
            m->size = img_parse_size_noisily("image size", optarg, 0,
                                             INT64_MAX);
            if (m->size < 0) {
                exit(1);
            }
            break;
        }
    }
}

int img_measure(int argc, char **argv)
{
    Measure m = { .out_fmt = "raw", .size = -1 };
    const char *name = NULL;
    BlockBackend *in = NULL;
    int ret = 1;

    parse_measure(argc, argv, &m);
    if (argc - optind > 1) {
        img_usage_error("At most one filename argument is allowed.");
    }
    name = argv[optind];
    if (!name && (m.o.image_opts || m.o.fmt || m.snapshot)) {
        error_report("--image-opts, -f, and -l require a filename argument.");
    } else if (!name && m.size < 0) {
        error_report("Either --size N or one filename must be specified.");
    } else if (name && m.size >= 0) {
        error_report("--size N cannot be used together with a filename.");
    } else if (name) {
        ImgOpen how = {
            .fmt = m.o.fmt,
            .image_opts = m.o.image_opts,
            .force_share = m.o.force_share,
        };

        in = img_open(&how, name);
        ret = in && (!m.snapshot || img_load_snapshot(blk_bs(in), m.snapshot))
              ? measure(&m, in) : 1;
    } else {
        ret = measure(&m, NULL);
    }
    blk_unref(in);
    g_free(m.list);
    return ret;
}
