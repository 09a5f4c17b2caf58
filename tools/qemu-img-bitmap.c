/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img bitmap: persistent dirty bitmaps of an image, and how convert
 * copies them.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qapi/qapi-commands-block-core.h"

/* ---- bitmap ---- */

typedef enum BitmapAction {
    ACT_ADD = 1000,             /* values of long options */
    ACT_REMOVE,
    ACT_CLEAR,
    ACT_ENABLE,
    ACT_DISABLE,
    ACT_MERGE,
} BitmapAction;

static const char *const action_names[] = {
    [ACT_ADD - ACT_ADD] = "add",
    [ACT_REMOVE - ACT_ADD] = "remove",
    [ACT_CLEAR - ACT_ADD] = "clear",
    [ACT_ENABLE - ACT_ADD] = "enable",
    [ACT_DISABLE - ACT_ADD] = "disable",
    [ACT_MERGE - ACT_ADD] = "merge",
};

typedef struct Step {
    BitmapAction action;
    const char *source;         /* of a merge */
} Step;

typedef struct BitmapCommand {
    ImgOptions o;
    GArray *steps;              /* Step, in the order of the command line */
    const char *source_file;
    const char *source_fmt;
    int64_t granularity;        /* 0: default */
    bool add;
    bool merge;
    const char *name;
} BitmapCommand;

static void merge(const char *node, const char *name, const char *source_node,
                  const char *source, Error **errp)
{
    BlockDirtyBitmapOrStr value = {
        .type = QTYPE_QDICT,
        .u.external = { .node = (char *)source_node, .name = (char *)source },
    };
    BlockDirtyBitmapOrStrList list = { .value = &value };

    qmp_block_dirty_bitmap_merge(node, name, &list, errp);
}

static void run_step(const BitmapCommand *b, const Step *step,
                     const char *node, const char *source_node, Error **errp)
{
    switch (step->action) {
    case ACT_ADD:
        qmp_block_dirty_bitmap_add(node, b->name, b->granularity != 0,
                                   b->granularity, true, true, false, false,
                                   errp);
        break;
    case ACT_REMOVE:
        qmp_block_dirty_bitmap_remove(node, b->name, errp);
        break;
    case ACT_CLEAR:
        qmp_block_dirty_bitmap_clear(node, b->name, errp);
        break;
    case ACT_ENABLE:
        qmp_block_dirty_bitmap_enable(node, b->name, errp);
        break;
    case ACT_DISABLE:
        qmp_block_dirty_bitmap_disable(node, b->name, errp);
        break;
    case ACT_MERGE:
        merge(node, b->name, source_node, step->source, errp);
        break;
    }
}

static int run_steps(const BitmapCommand *b, BlockDriverState *bs,
                     BlockDriverState *source)
{
    guint i;

    for (i = 0; i < b->steps->len; i++) {
        const Step *step = &g_array_index(b->steps, Step, i);
        Error *err = NULL;

        run_step(b, step, bdrv_get_node_name(bs), bdrv_get_node_name(source),
                 &err);
        if (err) {
            error_reportf_err(err, "Operation %s on bitmap %s failed: ",
                              action_names[step->action - ACT_ADD], b->name);
            return 1;
        }
    }
    return 0;
}

static int run_bitmap(const BitmapCommand *b, const char *filename)
{
    ImgOpen how = {
        .fmt = b->o.fmt,
        .image_opts = b->o.image_opts,
        .flags = BDRV_O_RDWR,
    };
    ImgOpen source_how = { .fmt = b->source_fmt, .flags = BDRV_O_NO_IO };
    BlockBackend *blk = img_open(&how, filename), *source = NULL;
    int ret = 1;

    if (blk && b->source_file) {
        source = img_open(&source_how, b->source_file);
    }
    if (blk && (source || !b->source_file)) {
        ret = run_steps(b, blk_bs(blk), blk_bs(source ? source : blk));
    }
    blk_unref(source);
    blk_unref(blk);
    return ret;
}

/* The message of what is wrong with the command line, or NULL. */
static const char *usage_of(const BitmapCommand *b, int operands)
{
    if (b->steps->len == 0) {
        return "Need at least one of --add, --remove, --clear, --enable, "
               "--disable, or --merge";
    }
    if (operands != 2) {
        return "Expecting filename and bitmap name";
    }
    if (b->granularity && !b->add) {
        return "granularity only supported with --add";
    }
    if (b->source_fmt && !b->source_file) {
        return "-F only supported with -b";
    }
    if (b->source_file && !b->merge) {
        return "Merge bitmap source file only supported with --merge";
    }
    return NULL;
}

static bool parse_bitmap_option(BitmapCommand *b, int c)
{
    Step step = { .action = c, .source = optarg };

    switch (c) {
    case 'b':
        b->source_file = optarg;
        return true;
    case 'F':
        b->source_fmt = optarg;
        return true;
    case 'g':
        b->granularity = img_parse_size_noisily("granularity", optarg, 1,
                                                UINT32_MAX);
        return b->granularity > 0;
    default:
        b->add |= c == ACT_ADD;
        b->merge |= c == ACT_MERGE;
        g_array_append_val(b->steps, step);
        return true;
    }
}

int img_bitmap(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "add", no_argument, NULL, ACT_ADD },
        { "remove", no_argument, NULL, ACT_REMOVE },
        { "clear", no_argument, NULL, ACT_CLEAR },
        { "enable", no_argument, NULL, ACT_ENABLE },
        { "disable", no_argument, NULL, ACT_DISABLE },
        { "merge", required_argument, NULL, ACT_MERGE },
        { "granularity", required_argument, NULL, 'g' },
        { "source-file", required_argument, NULL, 'b' },
        { "source-format", required_argument, NULL, 'F' },
        { NULL }
    };
    BitmapCommand b = { { NULL } };
    const char *usage = NULL;
    bool ok = true;
    int c, ret = 1;

    b.steps = g_array_new(false, false, sizeof(Step));
    while (ok && (c = img_getopt(argc, argv, ":b:f:F:g:", options,
                                 &b.o)) != -1) {
        ok = parse_bitmap_option(&b, c);
    }
    if (ok) {
        usage = usage_of(&b, argc - optind);
    }
    if (usage) {
        error_report("%s", usage);
    } else if (ok) {
        b.name = argv[optind + 1];
        ret = run_bitmap(&b, argv[optind]);
    }
    g_array_unref(b.steps);
    return ret;
}

/* ---- For convert ---- */

bool img_can_copy_bitmaps(BlockDriverState *from, bool skip_broken)
{
    BdrvDirtyBitmap *bm;

    if (!bdrv_supports_persistent_dirty_bitmap(from)) {
        error_report("Source lacks bitmap support");
        return false;
    }
    FOR_EACH_DIRTY_BITMAP(from, bm) {
        if (bdrv_dirty_bitmap_get_persistence(bm) && !skip_broken &&
            bdrv_dirty_bitmap_inconsistent(bm)) {
            error_report("Cannot copy inconsistent bitmap '%s'",
                         bdrv_dirty_bitmap_name(bm));
            error_printf("Try --skip-broken-bitmaps, or use 'qemu-img bitmap "
                         "--remove' to delete it\n");
            return false;
        }
    }
    return true;
}

static bool copy_bitmap(BlockDriverState *from, BlockDriverState *to,
                        BdrvDirtyBitmap *bm)
{
    const char *name = bdrv_dirty_bitmap_name(bm);
    const char *node = bdrv_get_node_name(to);
    Error *err = NULL;

    /* Disabled for now: nothing is to be added to what is copied. */
    qmp_block_dirty_bitmap_add(node, name, true,
                               bdrv_dirty_bitmap_granularity(bm), true, true,
                               true, true, &err);
    if (err) {
        error_reportf_err(err, "Failed to create bitmap %s: ", name);
        return false;
    }
    merge(node, name, bdrv_get_node_name(from), name, &err);
    if (err) {
        error_reportf_err(err, "Failed to populate bitmap %s: ", name);
        qmp_block_dirty_bitmap_remove(node, name, NULL);
        return false;
    }
    if (bdrv_dirty_bitmap_enabled(bm)) {
        qmp_block_dirty_bitmap_enable(node, name, &error_abort);
    }
    return true;
}

bool img_copy_bitmaps(BlockDriverState *from, BlockDriverState *to,
                      bool skip_broken)
{
    BdrvDirtyBitmap *bm;

    FOR_EACH_DIRTY_BITMAP(from, bm) {
        if (!bdrv_dirty_bitmap_get_persistence(bm)) {
            continue;
        }
        if (skip_broken && bdrv_dirty_bitmap_inconsistent(bm)) {
            warn_report("Skipping inconsistent bitmap '%s'",
                        bdrv_dirty_bitmap_name(bm));
        } else if (!copy_bitmap(from, to, bm)) {
            return false;
        }
    }
    return true;
}
