/*
 * SPDX-License-Identifier: MIT
 *
 * What a driver tells of an image, as text for people: "qemu-img info" and the
 * command "info" of qemu-io show it.
 */
#include "qemu/osdep.h"
#include "block/qapi.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qapi/qobject-output-visitor.h"

static void dump_object(int indent, const QObject *obj);

static void dump_label(int indent, const char *key, bool composite)
{
    const char *p;

    printf("%*s", indent * 4, "");
    for (p = key; *p; p++) {
        putchar(*p == '-' ? ' ' : *p);
    }
    printf(":%s", composite ? "\n" : " ");
}

static bool is_composite(const QObject *obj)
{
    QType type = qobject_type(obj);

    return type == QTYPE_QDICT || type == QTYPE_QLIST;
}

static void dump_dict(int indent, const QDict *dict)
{
    const QDictEntry *e;

    for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        const QObject *value = qdict_entry_value(e);

        dump_label(indent, qdict_entry_key(e), is_composite(value));
        dump_object(indent + 1, value);
        if (!is_composite(value)) {
            printf("\n");
        }
    }
}

static void dump_list(int indent, const QList *list)
{
    const QListEntry *e;
    int i = 0;

    QLIST_FOREACH_ENTRY(list, e) {
        const QObject *value = qlist_entry_obj(e);

        printf("%*s[%d]:%s", indent * 4, "", i++,
               is_composite(value) ? "\n" : " ");
        dump_object(indent + 1, value);
        if (!is_composite(value)) {
            printf("\n");
        }
    }
}

static void dump_object(int indent, const QObject *obj)
{
    char *text;

    switch (qobject_type(obj)) {
    case QTYPE_QDICT:
        dump_dict(indent, qobject_to(QDict, obj));
        break;
    case QTYPE_QLIST:
        dump_list(indent, qobject_to(QList, obj));
        break;
    case QTYPE_QSTRING:
        printf("%s", qstring_get_str(qobject_to(QString, obj)));
        break;
    case QTYPE_QBOOL:
        printf("%s", qbool_get_bool(qobject_to(QBool, obj)) ? "true"
                                                            : "false");
        break;
    case QTYPE_QNUM:
        text = qnum_to_string(qobject_to(QNum, obj));
        printf("%s", text);
        g_free(text);
        break;
    default:
        break;
    }
}

void bdrv_image_info_specific_dump(ImageInfoSpecific *specific)
{
    QObject *obj = NULL, *data;
    Visitor *v = qobject_output_visitor_new(&obj);

    visit_type_ImageInfoSpecific(v, NULL, &specific, &error_abort);
    visit_complete(v, &obj);
    visit_free(v);
    data = qdict_get(qobject_to(QDict, obj), "data");
    if (qdict_size(qobject_to(QDict, data))) {
        printf("Format specific information:\n");
        dump_object(1, data);
    }
    qobject_unref(obj);
}
