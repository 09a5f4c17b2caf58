/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img check and qemu-img map.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qobject-output-visitor.h"

/* ---- check ---- */

enum {
    CHECK_OK = 0,
    CHECK_FAILED = 1,
    CHECK_CORRUPT = 2,
    CHECK_LEAKS = 3,
    CHECK_UNSUPPORTED = 63,
};

static int run_check(BlockDriverState *bs, const char *filename,
                     const char *fmt, int fix, ImageCheck *check)
{
    BdrvCheckResult r = { 0 };
    int ret = bdrv_check(bs, &r, fix);

    if (ret < 0) {
        return ret;
    }
    *check = (ImageCheck) {
        .filename = g_strdup(filename),
        .format = g_strdup(bdrv_get_format_name(bs)),
        .check_errors = r.check_errors,
        .corruptions = r.corruptions,
        .has_corruptions = r.corruptions != 0,
        .leaks = r.leaks,
        .has_leaks = r.leaks != 0,
        .corruptions_fixed = r.corruptions_fixed,
        .has_corruptions_fixed = r.corruptions_fixed != 0,
        .leaks_fixed = r.leaks_fixed,
        .has_leaks_fixed = r.leaks_fixed != 0,
        .image_end_offset = r.image_end_offset,
        .has_image_end_offset = r.image_end_offset != 0,
        .total_clusters = r.bfi.total_clusters,
        .has_total_clusters = r.bfi.total_clusters != 0,
        .allocated_clusters = r.bfi.allocated_clusters,
        .has_allocated_clusters = r.bfi.allocated_clusters != 0,
        .fragmented_clusters = r.bfi.fragmented_clusters,
        .has_fragmented_clusters = r.bfi.fragmented_clusters != 0,
        .compressed_clusters = r.bfi.compressed_clusters,
        .has_compressed_clusters = r.bfi.compressed_clusters != 0,
    };
    return 0;
}

static void check_clear(ImageCheck *check)
{
    g_free(check->filename);
    g_free(check->format);
    *check = (ImageCheck) { NULL };
}

static void print_check(const ImageCheck *c)
{
    if (!c->corruptions && !c->leaks && !c->check_errors) {
        printf("No errors were found on the image.\n");
    }
    if (c->corruptions) {
        printf("\n%" PRId64 " errors were found on the image.\n"
               "Data may be corrupted, or further writes to the image may "
               "corrupt it.\n", c->corruptions);
    }
    if (c->leaks) {
        printf("\n%" PRId64 " leaked clusters were found on the image.\n"
               "This means waste of disk space, but no harm to data.\n",
               c->leaks);
    }
    if (c->check_errors) {
        printf("\n%" PRId64 " internal errors have occurred during the "
               "check.\n", c->check_errors);
    }
    if (c->total_clusters && c->allocated_clusters) {
        printf("%" PRId64 "/%" PRId64 " = %0.2f%% allocated, %0.2f%% "
               "fragmented, %0.2f%% compressed clusters\n",
               c->allocated_clusters, c->total_clusters,
               c->allocated_clusters * 100.0 / c->total_clusters,
               c->fragmented_clusters * 100.0 / c->allocated_clusters,
               c->compressed_clusters * 100.0 / c->allocated_clusters);
    }
    if (c->image_end_offset) {
        printf("Image end offset: %" PRId64 "\n", c->image_end_offset);
    }
}

static void print_check_json(ImageCheck *check)
{
    QObject *obj = NULL;
    Visitor *v = qobject_output_visitor_new(&obj);

    visit_type_ImageCheck(v, NULL, &check, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    img_print_json(obj);
}

/* A repaired image is looked at once more. */
static int check_again(BlockDriverState *bs, const char *filename,
                       const ImgOptions *o, ImageCheck *check)
{
    int64_t leaks_fixed = check->leaks_fixed;
    int64_t corruptions_fixed = check->corruptions_fixed;
    int ret;

    if (!leaks_fixed && !corruptions_fixed) {
        return 0;
    }
    if (!o->quiet && !o->json) {
        printf("The following inconsistencies were found and repaired:\n\n"
               "    %" PRId64 " leaked clusters\n"
               "    %" PRId64 " corruptions\n\n"
               "Double checking the fixed image now...\n", leaks_fixed,
               corruptions_fixed);
        fflush(stdout);
    }
    check_clear(check);
    ret = run_check(bs, filename, o->fmt, 0, check);
    check->leaks_fixed = leaks_fixed;
    check->has_leaks_fixed = leaks_fixed != 0;
    check->corruptions_fixed = corruptions_fixed;
    check->has_corruptions_fixed = corruptions_fixed != 0;
    return ret;
}

static int check_image(BlockDriverState *bs, const char *filename,
                       const ImgOptions *o, int fix)
{
    ImageCheck check = { NULL };
    int ret;

    ret = run_check(bs, filename, o->fmt, fix, &check);
    if (ret == -ENOTSUP) {
        error_report("This image format does not support checks");
        return CHECK_UNSUPPORTED;
    }
    if (ret == 0) {
        ret = check_again(bs, filename, o, &check);
    }
    if (ret < 0) {
        error_report("Check failed: %s", strerror(-ret));
        check_clear(&check);
        return CHECK_FAILED;
    }
    if (o->quiet) {
        /* Only the exit status tells. */
    } else if (o->json) {
        print_check_json(&check);
    } else {
        print_check(&check);
    }
    if (check.check_errors) {
        error_report("Check failed");
        ret = CHECK_FAILED;
    } else {
        ret = check.corruptions ? CHECK_CORRUPT
            : check.leaks ? CHECK_LEAKS : CHECK_OK;
    }
    check_clear(&check);
    return ret;
}

int img_check(int argc, char **argv)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' },
        { "repair", required_argument, NULL, 'r' },
        { "output", required_argument, NULL, IMG_OPT_OUTPUT },
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    const char *cache = "writeback", *filename;
    ImgOptions o = { NULL };
    BlockBackend *blk;
    int c, fix = 0, ret;
    ImgOpen how = { NULL };

    while ((c = img_getopt(argc, argv, ":f:r:T:qU", options, &o)) != -1) {
        switch (c) {
        case 'T':
            cache = optarg;
            break;
        case 'r':
            if (!strcmp(optarg, "leaks")) {
                fix = BDRV_FIX_LEAKS;
            } else if (!strcmp(optarg, "all")) {
                fix = BDRV_FIX_LEAKS | BDRV_FIX_ERRORS;
            } else {
                img_usage_error("Unknown option value for -r (expecting "
                                "'leaks' or 'all'): %s", optarg);
            }
            break;
        }
    }
    filename = img_one_name(argc, argv);
    how.flags = BDRV_O_UNMAP | BDRV_O_CHECK | (fix ? BDRV_O_RDWR : 0);
    if (!img_parse_cache(cache, "source cache", &how.flags,
                         &how.writethrough)) {
        return 1;
    }
    how.fmt = o.fmt;
    how.image_opts = o.image_opts;
    how.force_share = o.force_share;
    blk = img_open(&how, filename);
    if (!blk) {
        return 1;
    }
    ret = check_image(blk_bs(blk), filename, &o, fix);
    blk_unref(blk);
    return ret;
}

/* ---- map ---- */

static int print_human_entry(const MapEntry *e)
{
    if (e->data && !e->has_offset) {
        error_report("File contains external, encrypted or compressed "
                     "clusters.");
        return -1;
    }
    if (e->data && !e->zero) {
        printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", e->start,
               e->length, e->has_offset ? e->offset : 0,
               e->has_filename ? e->filename : "");
    }
    return 0;
}

static void print_json_entry(const MapEntry *e, bool last)
{
    printf("{ \"start\": %" PRId64 ", \"length\": %" PRId64 ", \"depth\": %"
           PRId64 ", \"present\": %s, \"zero\": %s, \"data\": %s", e->start,
           e->length, e->depth, e->present ? "true" : "false",
           e->zero ? "true" : "false", e->data ? "true" : "false");
    if (e->has_offset) {
        printf(", \"offset\": %" PRId64, e->offset);
    }
    printf("}%s\n", last ? "]" : ",");
}

static int print_entry(const MapEntry *e, bool json, bool last)
{
    if (!json) {
        return print_human_entry(e);
    }
    print_json_entry(e, last);
    return 0;
}

/* The extent at @offset. */
static int get_entry(BlockDriverState *bs, int64_t offset, int64_t bytes,
                     MapEntry *e)
{
    BlockDriverState *file = NULL;
    int64_t map = 0, n = 0;
    int depth = 0, ret;

    /* Find the layer that has it. */
    for (;;) {
        bs = bdrv_skip_filters(bs);
        ret = bdrv_block_status(bs, offset, bytes, &n, &map, &file);
        if (ret < 0) {
            return ret;
        }
        assert(n);
        if (ret & (BDRV_BLOCK_ZERO | BDRV_BLOCK_DATA)) {
            break;
        }
        if (!bdrv_cow_bs(bs)) {
            ret = 0;
            break;
        }
        bs = bdrv_cow_bs(bs);
        bytes = n;
        depth++;
    }
    if (file) {
        bdrv_refresh_filename(file);
    }
    *e = (MapEntry) {
        .start = offset,
        .length = n,
        .depth = depth,
        .data = ret & BDRV_BLOCK_DATA,
        .zero = ret & BDRV_BLOCK_ZERO,
        .present = ret & BDRV_BLOCK_ALLOCATED,
        .has_offset = ret & BDRV_BLOCK_OFFSET_VALID,
        .offset = map,
        .has_filename = file && (ret & BDRV_BLOCK_OFFSET_VALID),
        .filename = file ? g_strdup(file->filename) : NULL,
    };
    return 0;
}

static bool can_merge(const MapEntry *a, const MapEntry *b)
{
    return a->length && a->zero == b->zero && a->data == b->data &&
           a->present == b->present && a->depth == b->depth &&
           a->has_offset == b->has_offset &&
           a->has_filename == b->has_filename &&
           (!a->has_filename || !strcmp(a->filename, b->filename)) &&
           (!a->has_offset || a->offset + a->length == b->offset);
}

static int print_map(BlockBackend *blk, bool json, int64_t start, int64_t end)
{
    MapEntry current = { .start = start }, next;
    int ret = 0;

    printf("%s", json ? "[" : "Offset          Length          Mapped to"
                              "       File\n");
    while (start < end) {
        ret = get_entry(blk_bs(blk), start, end - start, &next);
        if (ret < 0) {
            error_report("Could not read file metadata: %s",
                         strerror(-ret));
            return 1;
        }
        start += next.length;
        if (can_merge(&current, &next)) {
            current.length += next.length;
            g_free(next.filename);
            continue;
        }
        ret = current.length ? print_entry(&current, json, false) : 0;
        g_free(current.filename);
        current = next;
        if (ret < 0) {
            break;
        }
    }
    if (ret == 0 && (current.length || json)) {
        ret = print_entry(&current, json, true);
    }
    g_free(current.filename);
    return ret < 0;
}

int img_map(int argc, char **argv)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' },
        { "output", required_argument, NULL, IMG_OPT_OUTPUT },
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { "start-offset", required_argument, NULL, IMG_OPT_START_OFFSET },
        { "max-length", required_argument, NULL, IMG_OPT_MAX_LENGTH },
        { NULL }
    };
    int64_t start = 0, max = -1, length;
    ImgOptions o = { NULL };
    BlockBackend *blk;
    ImgOpen how;
    int c, ret;

    while ((c = img_getopt(argc, argv, ":f:s:l:U", options, &o)) != -1) {
        if (c == 's' || c == IMG_OPT_START_OFFSET) {
            start = img_parse_size_noisily("start offset", optarg, 0,
                                           INT64_MAX);
        } else if (c == 'l' || c == IMG_OPT_MAX_LENGTH) {
            max = img_parse_size_noisily("max length", optarg, 0, INT64_MAX);
            start = max < 0 ? -1 : start;
        }
        if (start < 0) {
            return 1;
        }
    }
    how = (ImgOpen) {
        .fmt = o.fmt,
        .image_opts = o.image_opts,
        .force_share = o.force_share,
    };
    blk = img_open(&how, img_one_name(argc, argv));
    if (!blk) {
        return 1;
    }
    length = blk_getlength(blk);
    if (length < 0) {
        error_report("Failed to get size for '%s'", argv[optind]);
        ret = 1;
    } else {
        if (max >= 0) {
            length = MIN(length, start + MIN(max, INT64_MAX - start));
        }
        ret = print_map(blk, o.json, start, length);
    }
    blk_unref(blk);
    return ret;
}
