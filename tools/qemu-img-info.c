/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img info and qemu-img snapshot: what is known about images and their
 * internal snapshots.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "block/qapi.h"
#include "block/snapshot.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/cutils.h"

/* ---- Text for people ---- */

static void dump_snapshot(const QEMUSnapshotInfo *sn)
{
    g_autofree char *row = bdrv_snapshot_row(sn);

    printf("%s\n", row);
}

static void dump_info(ImageInfo *info)
{
    g_autofree char *text = bdrv_image_info_text(info);

    printf("%s", text);
}

/* ---- info ---- */

/* Information about the image, and what the next one down is called. */
static ImageInfo *info_of(const ImgOpen *how, const char *name)
{
    BlockBackend *blk = img_open(how, name);
    ImageInfo *info = NULL;
    Error *err = NULL;

    if (!blk) {
        return NULL;
    }
    bdrv_query_image_info(blk_bs(blk), &info, &err);
    blk_unref(blk);
    if (err) {
        error_report_err(err);
    }
    return info;
}

static void info_free(gpointer info)
{
    qapi_free_ImageInfo(info);
}

/* ImageInfo of the image and, for a chain, of all below; NULL on error. */
static GPtrArray *collect(ImgOpen how, const char *name, bool chain)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *list = g_ptr_array_new_with_free_func(info_free);

    for (;;) {
        ImageInfo *info;

        if (g_hash_table_contains(seen, name)) {
            error_report("Backing file '%s' creates an infinite loop.", name);
            break;
        }
        g_hash_table_add(seen, (gpointer)name);
        info = info_of(&how, name);
        if (!info) {
            break;
        }
        g_ptr_array_add(list, info);
        if (!chain || !info->has_backing_filename) {
            return list;
        }
        if (!info->has_full_backing_filename) {
            error_report("Could not determine the backing file name of '%s'",
                         name);
            break;
        }
        name = info->full_backing_filename;
        how.image_opts = false;
        how.fmt = info->has_backing_filename_format
                  ? info->backing_filename_format : NULL;
    }
    g_ptr_array_unref(list);
    return NULL;
}

static QObject *info_to_qobject(ImageInfo *info)
{
    QObject *obj = NULL;
    Visitor *v = qobject_output_visitor_new(&obj);

    visit_type_ImageInfo(v, NULL, &info, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    return obj;
}

static void print_infos_json(GPtrArray *list, bool chain)
{
    QList *all;
    guint i;

    if (!chain) {
        img_print_json(info_to_qobject(g_ptr_array_index(list, 0)));
        return;
    }
    all = qlist_new();
    for (i = 0; i < list->len; i++) {
        qlist_append_obj(all, info_to_qobject(g_ptr_array_index(list, i)));
    }
    img_print_json(QOBJECT(all));
}

int img_info(int argc, char **argv)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' },
        { "output", required_argument, NULL, IMG_OPT_OUTPUT },
        { "backing-chain", no_argument, NULL, IMG_OPT_BACKING_CHAIN },
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    ImgOptions o = { NULL };
    GPtrArray *list;
    bool chain = false;
    ImgOpen how;
    guint i;
    int c;

    while ((c = img_getopt(argc, argv, ":f:U", options, &o)) != -1) {
        chain |= c == IMG_OPT_BACKING_CHAIN;
    }
    how = (ImgOpen) {
        .fmt = o.fmt,
        .image_opts = o.image_opts,
        .force_share = o.force_share,
        .flags = BDRV_O_NO_BACKING | BDRV_O_NO_IO,
    };
    list = collect(how, img_one_name(argc, argv), chain);
    if (!list) {
        return 1;
    }
    if (o.json) {
        print_infos_json(list, chain);
    }
    for (i = 0; !o.json && i < list->len; i++) {
        if (i) {
            printf("\n");
        }
        dump_info(g_ptr_array_index(list, i));
    }
    g_ptr_array_unref(list);
    return 0;
}

/* ---- snapshot ---- */

static int list_snapshots(BlockDriverState *bs)
{
    g_autofree QEMUSnapshotInfo *table = NULL;
    int n = bdrv_snapshot_list(bs, &table), i;

    if (n > 0) {
        printf("Snapshot list:\n");
        dump_snapshot(NULL);
        for (i = 0; i < n; i++) {
            dump_snapshot(&table[i]);
        }
    }
    return 0;
}

static int create_snapshot(BlockDriverState *bs, const char *name)
{
    QEMUSnapshotInfo sn = { 0 };
    int64_t now = g_get_real_time();
    int ret;

    pstrcpy(sn.name, sizeof(sn.name), name);
    sn.date_sec = now / G_USEC_PER_SEC;
    sn.date_nsec = now % G_USEC_PER_SEC * 1000;
    ret = bdrv_snapshot_create(bs, &sn);
    if (ret < 0) {
        error_report("Could not create snapshot '%s': %d (%s)", name, ret,
                     strerror(-ret));
    }
    return ret < 0;
}

static int apply_snapshot(BlockDriverState *bs, const char *name)
{
    Error *err = NULL;

    if (bdrv_snapshot_goto(bs, name, &err) < 0) {
        error_reportf_err(err, "Could not apply snapshot '%s': ", name);
        return 1;
    }
    return 0;
}

static int delete_snapshot(BlockDriverState *bs, const char *name)
{
    QEMUSnapshotInfo sn;
    Error *err = NULL;

    if (bdrv_snapshot_find(bs, &sn, name) < 0) {
        error_report("Could not delete snapshot '%s': snapshot not found",
                     name);
        return 1;
    }
    if (bdrv_snapshot_delete(bs, sn.id_str, sn.name, &err) < 0) {
        error_reportf_err(err, "Could not delete snapshot '%s': ", name);
        return 1;
    }
    return 0;
}

int img_snapshot(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    ImgOptions o = { NULL };
    const char *snapshot = NULL;
    BlockBackend *blk;
    int action = 0, c, ret;
    ImgOpen how;

    while ((c = img_getopt(argc, argv, ":la:c:d:qU", options, &o)) != -1) {
        if (action) {
            img_usage_error("Cannot mix '-l', '-a', '-c', '-d'");
        }
        action = c;
        snapshot = optarg;
    }
    how = (ImgOpen) {
        .image_opts = o.image_opts,
        .force_share = o.force_share,
        .quiet = o.quiet,
        .flags = BDRV_O_UNMAP | (action && action != 'l' ? BDRV_O_RDWR : 0),
    };
    blk = img_open(&how, img_one_name(argc, argv));
    if (!blk) {
        return 1;
    }
    switch (action) {
    case 'a':
        ret = apply_snapshot(blk_bs(blk), snapshot);
        break;
    case 'c':
        ret = create_snapshot(blk_bs(blk), snapshot);
        break;
    case 'd':
        ret = delete_snapshot(blk_bs(blk), snapshot);
        break;
    case 'l':
        ret = list_snapshots(blk_bs(blk));
        break;
    default:
        ret = 0;
        break;
    }
    blk_unref(blk);
    return ret;
}
