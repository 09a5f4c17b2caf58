/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img dd: a part of an image becomes a new one.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qemu/units.h"

#define CHUNK (1 * MiB)

typedef struct Dd {
    ImgOptions o;
    const char *out_fmt;
    const char *in;
    const char *out;
    int64_t bs;                 /* bytes of a block */
    int64_t skip;               /* blocks */
    int64_t count;              /* blocks; -1: all */
} Dd;

static bool parse_operand(Dd *d, const char *text)
{
    const char *value = strchr(text, '=');
    size_t len = value ? (size_t)(value++ - text) : strlen(text);
    g_autofree char *name = g_strndup(text, len);

    if (!value) {
        /* falls to the end */
    } else if (!strcmp(name, "if")) {
        d->in = value;
        return true;
    } else if (!strcmp(name, "of")) {
        d->out = value;
        return true;
    } else if (!strcmp(name, "bs")) {
        d->bs = img_parse_size_noisily("bs", value, 1, INT_MAX);
        return d->bs >= 0;
    } else if (!strcmp(name, "count")) {
        d->count = img_parse_size_noisily("count", value, 0, INT64_MAX);
        return d->count >= 0;
    } else if (!strcmp(name, "skip")) {
        d->skip = img_parse_size_noisily("skip", value, 0, INT64_MAX);
        return d->skip >= 0;
    }
    error_report("unrecognized operand %s", name);
    return false;
}

/* a * b, or INT64_MAX if that is more. */
static int64_t times(int64_t a, int64_t b)
{
    return b && a > INT64_MAX / b ? INT64_MAX : a * b;
}

static bool create_output(const Dd *d, int64_t size)
{
    BlockDriver *drv = bdrv_find_format(d->out_fmt), *proto;
    QemuOptsList *list = NULL;
    Error *err = NULL;
    QemuOpts *opts;
    int ret;

    if (!drv) {
        error_report("Unknown file format");
        return false;
    }
    proto = bdrv_find_protocol(d->out, true, &err);
    if (!proto) {
        error_report_err(err);
        return false;
    }
    if (!drv->create_opts || !proto->create_opts) {
        error_report("%s driver '%s' does not support image creation",
                     drv->create_opts ? "Protocol" : "Format",
                     drv->create_opts ? proto->format_name
                                      : drv->format_name);
        return false;
    }
    list = qemu_opts_append(list, drv->create_opts);
    list = qemu_opts_append(list, proto->create_opts);
    opts = qemu_opts_create(list, NULL, 0, &error_abort);
    qemu_opt_set_number(opts, BLOCK_OPT_SIZE, size, &error_abort);
    ret = bdrv_create(drv, d->out, opts, &err);
    if (ret < 0) {
        error_reportf_err(err, "%s: error while creating output image of type "
                          "'%s': ", d->out, d->out_fmt);
    }
    qemu_opts_del(opts);
    g_free(list);
    return ret >= 0;
}

/* Copy @bytes from @start to the beginning of an empty image. */
static bool copy(BlockBackend *in, BlockBackend *out, int64_t start,
                 int64_t bytes)
{
    bool empty = bdrv_has_zero_init(blk_bs(out)) == 1;
    uint8_t *buf = blk_blockalign(out, CHUNK);
    int64_t pos = 0, n;
    int ret = 0;

    for (; pos < bytes && ret >= 0; pos += n) {
        ret = bdrv_block_status_above(blk_bs(in), NULL, start + pos,
                                      bytes - pos, &n, NULL, NULL);
        if (ret < 0) {
            error_report("error while reading block status at offset %" PRIi64
                         ": %s", start + pos, strerror(-ret));
            break;
        }
        if ((ret & BDRV_BLOCK_ZERO) || !(ret & BDRV_BLOCK_DATA)) {
            ret = empty ? 0 : blk_pwrite_zeroes(out, pos, n,
                                                BDRV_REQ_MAY_UNMAP);
        } else {
            n = MIN(n, CHUNK);
            ret = blk_pread(in, start + pos, n, buf, 0);
            if (ret < 0) {
                error_report("error while reading from input image file: %s",
                             strerror(-ret));
                break;
            }
            ret = blk_pwrite(out, pos, n, buf, 0);
        }
        if (ret < 0) {
            error_report("error while writing to output image file: %s",
                         strerror(-ret));
        }
    }
    qemu_vfree(buf);
    return ret >= 0;
}

static bool dd(const Dd *d, BlockBackend *in)
{
    ImgOpen how = { .fmt = d->out_fmt, .flags = BDRV_O_RDWR | BDRV_O_RESIZE };
    int64_t length = blk_getlength(in), start = times(d->skip, d->bs), bytes;
    BlockBackend *out;
    bool ok;

    if (length < 0) {
        error_report("Failed to get size for '%s'", d->in);
        return false;
    }
    if (start > length) {
        error_report("%s: cannot skip to specified offset", d->in);
    }
    bytes = MAX(length - start, 0);
    if (d->count >= 0) {
        bytes = MIN(bytes, times(d->count, d->bs));
    }
    if (!create_output(d, bytes)) {
        return false;
    }
    out = img_open(&how, d->out);
    ok = out && copy(in, out, start, bytes);
    blk_unref(out);
    return ok;
}

int img_dd(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    Dd d = { .out_fmt = "raw", .bs = 512, .count = -1 };
    BlockBackend *in;
    ImgOpen how;
    bool ok;
    int c;

    while ((c = img_getopt(argc, argv, ":f:O:U", options, &d.o)) != -1) {
        if (c == 'O') {
            d.out_fmt = optarg;
        }
    }
    for (; optind < argc; optind++) {
        if (!parse_operand(&d, argv[optind])) {
            return 1;
        }
    }
    if (!d.in || !d.out) {
        error_report("Must specify both input and output files");
        return 1;
    }
    how = (ImgOpen) {
        .fmt = d.o.fmt,
        .image_opts = d.o.image_opts,
        .force_share = d.o.force_share,
    };
    in = img_open(&how, d.in);
    ok = in && dd(&d, in);
    blk_unref(in);
    return !ok;
}
