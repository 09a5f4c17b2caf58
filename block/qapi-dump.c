/*
 * SPDX-License-Identifier: MIT
 *
 * What is known about an image, as text for people: "qemu-img info", the
 * command "info" of qemu-io and the monitor's "info block -v" show it.
 */
#include "qemu/osdep.h"
#include "block/qapi.h"
#include "block/snapshot.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/cutils.h"

static void dump_object(GString *out, int indent, const QObject *obj);

static void dump_label(GString *out, int indent, const char *key,
                       bool composite)
{
    const char *p;

    g_string_append_printf(out, "%*s", indent * 4, "");
    for (p = key; *p; p++) {
        g_string_append_c(out, *p == '-' ? ' ' : *p);
    }
    g_string_append_printf(out, ":%s", composite ? "\n" : " ");
}

static bool is_composite(const QObject *obj)
{
    QType type = qobject_type(obj);

    return type == QTYPE_QDICT || type == QTYPE_QLIST;
}

static void dump_dict(GString *out, int indent, const QDict *dict)
{
    const QDictEntry *e;

    for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        const QObject *value = qdict_entry_value(e);

        dump_label(out, indent, qdict_entry_key(e), is_composite(value));
        dump_object(out, indent + 1, value);
        if (!is_composite(value)) {
            g_string_append(out, "\n");
        }
    }
}

static void dump_list(GString *out, int indent, const QList *list)
{
    const QListEntry *e;
    int i = 0;

    QLIST_FOREACH_ENTRY(list, e) {
        const QObject *value = qlist_entry_obj(e);

        g_string_append_printf(out, "%*s[%d]:%s", indent * 4, "", i++,
                               is_composite(value) ? "\n" : " ");
        dump_object(out, indent + 1, value);
        if (!is_composite(value)) {
            g_string_append(out, "\n");
        }
    }
}

static void dump_object(GString *out, int indent, const QObject *obj)
{
    char *text;

    switch (qobject_type(obj)) {
    case QTYPE_QDICT:
        dump_dict(out, indent, qobject_to(QDict, obj));
        break;
    case QTYPE_QLIST:
        dump_list(out, indent, qobject_to(QList, obj));
        break;
    case QTYPE_QSTRING:
        g_string_append(out, qstring_get_str(qobject_to(QString, obj)));
        break;
    case QTYPE_QBOOL:
        g_string_append(out, qbool_get_bool(qobject_to(QBool, obj)) ? "true"
                                                                    : "false");
        break;
    case QTYPE_QNUM:
        text = qnum_to_string(qobject_to(QNum, obj));
        g_string_append(out, text);
        g_free(text);
        break;
    default:
        break;
    }
}

static void dump_specific(GString *out, ImageInfoSpecific *specific)
{
    QObject *obj = NULL, *data;
    Visitor *v = qobject_output_visitor_new(&obj);

    visit_type_ImageInfoSpecific(v, NULL, &specific, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    data = qdict_get(qobject_to(QDict, obj), "data");
    if (qdict_size(qobject_to(QDict, data))) {
        g_string_append(out, "Format specific information:\n");
        dump_object(out, 1, data);
    }
    qobject_unref(obj);
}

void bdrv_image_info_specific_dump(ImageInfoSpecific *specific)
{
    g_autoptr(GString) out = g_string_new(NULL);

    dump_specific(out, specific);
    printf("%s", out->str);
}

/* ---- The whole ---- */

static void dump_snapshot(GString *out, const QEMUSnapshotInfo *sn)
{
    g_autofree char *row = bdrv_snapshot_row(sn);

    g_string_append_printf(out, "%s\n", row);
}

static void dump_snapshots(GString *out, SnapshotInfoList *list)
{
    g_string_append(out, "Snapshot list:\n");
    dump_snapshot(out, NULL);
    for (; list; list = list->next) {
        const SnapshotInfo *s = list->value;
        QEMUSnapshotInfo sn = {
            .vm_state_size = s->vm_state_size,
            .date_sec = s->date_sec,
            .date_nsec = s->date_nsec,
            .vm_clock_nsec = s->vm_clock_sec * 1000000000ULL +
                             s->vm_clock_nsec,
            .icount = s->has_icount ? s->icount : -1ULL,
        };

        pstrcpy(sn.id_str, sizeof(sn.id_str), s->id);
        pstrcpy(sn.name, sizeof(sn.name), s->name);
        dump_snapshot(out, &sn);
    }
}

static void dump_backing(GString *out, const ImageInfo *info)
{
    if (!info->has_backing_filename) {
        return;
    }
    g_string_append_printf(out, "backing file: %s", info->backing_filename);
    if (!info->has_full_backing_filename) {
        g_string_append(out, " (cannot determine actual path)");
    } else if (strcmp(info->backing_filename, info->full_backing_filename)) {
        g_string_append_printf(out, " (actual path: %s)",
                               info->full_backing_filename);
    }
    g_string_append(out, "\n");
    if (info->has_backing_filename_format) {
        g_string_append_printf(out, "backing file format: %s\n",
                               info->backing_filename_format);
    }
}

char *bdrv_image_info_text(ImageInfo *info)
{
    GString *out = g_string_new(NULL);
    g_autofree char *size = size_to_str(info->virtual_size);
    g_autofree char *used = info->has_actual_size
        ? size_to_str(info->actual_size) : g_strdup("unavailable");

    g_string_append_printf(out, "image: %s\nfile format: %s\n"
                           "virtual size: %s (%" PRId64 " bytes)\n"
                           "disk size: %s\n", info->filename, info->format,
                           size, info->virtual_size, used);
    if (info->has_encrypted && info->encrypted) {
        g_string_append(out, "encrypted: yes\n");
    }
    if (info->has_cluster_size) {
        g_string_append_printf(out, "cluster_size: %" PRId64 "\n",
                               info->cluster_size);
    }
    if (info->has_dirty_flag && info->dirty_flag) {
        g_string_append(out, "cleanly shut down: no\n");
    }
    dump_backing(out, info);
    if (info->has_snapshots) {
        dump_snapshots(out, info->snapshots);
    }
    if (info->has_format_specific) {
        dump_specific(out, info->format_specific);
    }
    return g_string_free(out, false);
}
