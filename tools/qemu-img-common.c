/*
 * SPDX-License-Identifier: MIT
 *
 * What the subcommands of qemu-img share: options, opening images, progress.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "block/snapshot.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qemu/cutils.h"
#include "qom/object_interfaces.h"

/* ---- Options ---- */

void img_usage_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vreport(fmt, ap);
    va_end(ap);
    error_printf("Try 'qemu-img --help' for more information\n");
    exit(1);
}

static void take_output_format(ImgOptions *o, const char *value)
{
    if (!strcmp(value, "json")) {
        o->json = true;
    } else if (strcmp(value, "human")) {
        error_report("--output must be used with human or json as argument.");
        exit(1);
    }
}

int img_getopt(int argc, char **argv, const char *short_opts,
               const struct option *long_opts, ImgOptions *o)
{
    int c;

    for (;;) {
        c = getopt_long(argc, argv, short_opts, long_opts, NULL);
        switch (c) {
        case ':':
            img_usage_error("missing argument for option '%s'",
                            argv[optind - 1]);
        case '?':
            img_usage_error("unrecognized option '%s'", argv[optind - 1]);
        case 'f':
            o->fmt = optarg;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'p':
            o->progress = true;
            break;
        case 'U':
            o->force_share = true;
            break;
        case IMG_OPT_OUTPUT:
            take_output_format(o, optarg);
            break;
        case IMG_OPT_OBJECT:
            user_creatable_process_cmdline(optarg);
            break;
        case IMG_OPT_IMAGE_OPTS:
            o->image_opts = true;
            break;
        default:
            return c;
        }
    }
}

const char *img_one_name(int argc, char **argv)
{
    if (optind != argc - 1) {
        img_usage_error("Expecting one image file name");
    }
    return argv[optind];
}

bool img_parse_cache(const char *cache, const char *what, int *flags,
                     bool *writethrough)
{
    if (bdrv_parse_cache_mode(cache, flags, writethrough) < 0) {
        error_report("Invalid %s option: %s", what, cache);
        return false;
    }
    return true;
}

int64_t img_parse_size(const char *text)
{
    uint64_t value;
    int ret = qemu_strtosz(text, NULL, &value);

    if (ret < 0) {
        return ret;
    }
    return value > INT64_MAX ? -ERANGE : (int64_t)value;
}

int64_t img_parse_size_noisily(const char *what, const char *text, int64_t min,
                               int64_t max)
{
    int64_t value = img_parse_size(text);

    if (value >= 0 && value >= min && value <= max) {
        return value;
    }
    if (value == -ERANGE || value >= 0) {
        error_report("Invalid %s specified. Must be between %" PRId64 " and %"
                     PRId64 ".", what, min, max);
        return -ERANGE;
    }
    error_report("Invalid %s specified. You may use k, M, G, T, P or E "
                 "suffixes for", what);
    error_report("kilobytes, megabytes, gigabytes, terabytes, petabytes and "
                 "exabytes.");
    return value;
}

bool img_accumulate_options(char **options, const char *more)
{
    char *joined;

    if (!is_valid_option_list(more)) {
        error_report("Invalid option list: %s", more);
        return false;
    }
    joined = *options ? g_strconcat(*options, ",", more, NULL)
                      : g_strdup(more);
    g_free(*options);
    *options = joined;
    return true;
}

bool img_is_help_option(const char *options)
{
    return options && has_help_option(options);
}

int img_print_format_options(const char *filename, const char *fmt)
{
    QemuOptsList *list = NULL;
    BlockDriver *drv = bdrv_find_format(fmt), *proto = NULL;

    if (!drv) {
        error_report("Unknown file format '%s'", fmt);
        return 1;
    }
    if (!drv->create_opts) {
        error_report("Format driver '%s' does not support image creation",
                     fmt);
        return 1;
    }
    list = qemu_opts_append(list, drv->create_opts);
    if (filename) {
        Error *err = NULL;

        proto = bdrv_find_protocol(filename, true, &err);
        if (!proto) {
            error_report_err(err);
            g_free(list);
            return 1;
        }
        if (proto->create_opts) {
            list = qemu_opts_append(list, proto->create_opts);
        }
    }
    if (filename) {
        printf("Supported options:\n");
    } else {
        printf("Supported %s options:\n", fmt);
    }
    qemu_opts_print_help(list, false);
    if (!filename) {
        printf("\nThe protocol level may support further options.\n"
               "Specify the target filename to include those options.\n");
    }
    g_free(list);
    return 0;
}

/* ---- Opening ---- */

static QDict *open_options(const ImgOpen *how, const char *name)
{
    QDict *options;
    Error *err = NULL;

    if (!how->image_opts) {
        options = qdict_new();
        if (how->fmt) {
            qdict_put_str(options, "driver", how->fmt);
        }
        return options;
    }
    if (how->fmt) {
        error_report("--image-opts and --format are mutually exclusive");
        return NULL;
    }
    options = keyval_parse(name, "file", NULL, &err);
    if (!options) {
        error_report_err(err);
        return NULL;
    }
    qdict_flatten(options);
    return options;
}

BlockBackend *img_open(const ImgOpen *how, const char *name)
{
    QDict *options = open_options(how, name);
    BlockBackend *blk;
    Error *err = NULL;

    if (!options) {
        return NULL;
    }
    if (how->force_share) {
        if (qdict_get_try_str(options, BDRV_OPT_FORCE_SHARE) &&
            strcmp(qdict_get_str(options, BDRV_OPT_FORCE_SHARE), "on")) {
            error_report("--force-share/-U conflicts with image options");
            qobject_unref(options);
            return NULL;
        }
        qdict_put_str(options, BDRV_OPT_FORCE_SHARE, "on");
    }
    if (how->more) {
        qdict_join(options, how->more, true);
    }
    blk = blk_new_open(how->image_opts ? NULL : name, NULL, options,
                       how->flags, &err);
    if (!blk) {
        error_reportf_err(err, "Could not open '%s': ", name);
        return NULL;
    }
    blk_set_enable_write_cache(blk, !how->writethrough);
    return blk;
}

static QemuOptsList snapshot_opts = {
    .name = "snapshot",
    .head = QTAILQ_HEAD_INITIALIZER(snapshot_opts.head),
    .desc = {
        {
            .name = SNAPSHOT_OPT_ID,
            .type = QEMU_OPT_STRING,
        }, {
            .name = SNAPSHOT_OPT_NAME,
            .type = QEMU_OPT_STRING,
        },
        { }
    },
};

bool img_load_snapshot(BlockDriverState *bs, const char *param)
{
    QemuOpts *opts = NULL;
    Error *err = NULL;

    if (strstart(param, "snapshot.", NULL)) {
        opts = qemu_opts_parse_noisily(&snapshot_opts, param, false);
        if (!opts) {
            error_report("Failed in parsing snapshot param '%s'", param);
            return false;
        }
        bdrv_snapshot_load_tmp(bs, qemu_opt_get(opts, SNAPSHOT_OPT_ID),
                               qemu_opt_get(opts, SNAPSHOT_OPT_NAME), &err);
        qemu_opts_del(opts);
    } else {
        bdrv_snapshot_load_tmp_by_id_or_name(bs, param, &err);
    }
    if (err) {
        error_reportf_err(err, "Failed to load snapshot: ");
        return false;
    }
    return true;
}

/* ---- Output ---- */

void img_print_json(QObject *obj)
{
    GString *text = qobject_to_json_pretty(obj, true);

    printf("%s\n", text->str);
    g_string_free(text, true);
    qobject_unref(obj);
}

/* Steps of one per cent at least, as a terminal is slow. */
void img_progress(const ImgOptions *o, uint64_t done, uint64_t total)
{
    static double told = -100;
    double percent = total ? 100.0 * done / total : 100;

    if (!o->progress || o->quiet || (percent < told + 1 && done < total)) {
        return;
    }
    told = percent;
    printf("    (%3.2f/100%%)\r", percent);
    fflush(stdout);
}

void img_progress_end(const ImgOptions *o)
{
    if (o->progress && !o->quiet) {
        printf("\n");
    }
}
