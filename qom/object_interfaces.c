/*
 * SPDX-License-Identifier: MIT
 *
 * Objects that users make, from options to a completed object in /objects.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-qom.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qemu/error-report.h"
#include "qemu/id.h"
#include "qemu/option.h"
#include "qom/object_interfaces.h"

/* ---- Making and removing ---- */

/* Sets all of @props on @obj. */
static bool set_properties(Object *obj, QDict *props, Error **errp)
{
    const QDictEntry *e;
    Visitor *v = qobject_input_visitor_new(QOBJECT(props));
    bool ok = visit_start_struct(v, NULL, NULL, 0, errp);

    for (e = qdict_first(props); ok && e; e = qdict_next(props, e)) {
        ok = object_property_set(obj, qdict_entry_key(e), v, errp);
    }
    visit_free(v);
    return ok;
}

static QDict *options_to_qdict(ObjectOptions *options)
{
    QObject *qobj;
    Visitor *v = qobject_output_visitor_new(&qobj);
    QDict *dict;

    visit_type_ObjectOptions(v, NULL, &options, &error_abort);
    visit_complete(v, &qobj);
    visit_free(v);
    dict = qobject_to(QDict, qobj);
    qdict_del(dict, "qom-type");
    qdict_del(dict, "id");
    return dict;
}

bool user_creatable_add_qapi(ObjectOptions *options, Error **errp)
{
    const char *type = ObjectType_str(options->qom_type);
    ObjectClass *klass = object_class_by_name(type);
    Object *objects = object_get_objects_root();
    Object *obj;
    QDict *props;
    bool ok;

    if (!klass || !klass->info->user_creatable) {
        error_setg(errp, "invalid object type: %s", type);
        return false;
    }
    if (!id_wellformed(options->id)) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "id", "an identifier");
        error_append_hint(errp, "Identifiers consist of letters, digits, "
                          "'-', '.', '_', starting with a letter.\n");
        return false;
    }
    props = options_to_qdict(options);
    obj = object_new(klass);
    ok = set_properties(obj, props, errp) &&
         object_property_add_child(objects, options->id, obj, errp);
    if (ok && !object_complete(obj, errp)) {
        object_unparent(obj);
        ok = false;
    }
    object_unref(obj);
    qobject_unref(props);
    return ok;
}

bool user_creatable_del(const char *id, Error **errp)
{
    Object *obj = object_get_child(object_get_objects_root(), id);

    if (!obj) {
        error_setg(errp, "object '%s' not found", id);
        return false;
    }
    if (!object_can_be_deleted(obj)) {
        error_setg(errp, "object '%s' is in use, can not be deleted", id);
        return false;
    }
    object_unparent(obj);
    return true;
}

void user_creatable_cleanup(void)
{
    GPtrArray *all = object_get_objects_root()->children;

    while (all->len) {
        object_unparent(g_ptr_array_index(all, all->len - 1));
    }
}

/* ---- The command line ---- */

ObjectOptions *user_creatable_parse_str(const char *str, Error **errp)
{
    ObjectOptions *options = NULL;
    Visitor *v = qobject_input_visitor_new_str(str, "qom-type", errp);

    if (v) {
        visit_type_ObjectOptions(v, NULL, &options, errp);
        visit_free(v);
    }
    return options;
}

bool user_creatable_add_from_str(const char *str, Error **errp)
{
    ObjectOptions *options = user_creatable_parse_str(str, errp);
    bool ok = options && user_creatable_add_qapi(options, errp);

    qapi_free_ObjectOptions(options);
    return ok;
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prints and frees what was collected, in alphabetic order. */
static void print_sorted(GPtrArray *lines)
{
    g_ptr_array_sort(lines, compare_strings);
    for (guint i = 0; i < lines->len; i++) {
        printf("  %s\n", (char *)g_ptr_array_index(lines, i));
    }
    g_ptr_array_free(lines, true);
}

static void collect_type(ObjectClass *klass, void *opaque)
{
    if (klass->info->user_creatable) {
        g_ptr_array_add(opaque, g_strdup(object_class_get_name(klass)));
    }
}

static void collect_property(const ObjectProperty *prop, void *opaque)
{
    if (prop->set) {
        g_ptr_array_add(opaque,
                        g_strdup_printf("%s=<%s>%s%s", prop->name, prop->type,
                                        prop->description ? " - " : "",
                                        prop->description ?: ""));
    }
}

static void print_types(void)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

    printf("List of user creatable objects:\n");
    object_class_foreach(collect_type, lines);
    print_sorted(lines);
}

static void print_properties(ObjectClass *klass)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

    object_class_property_foreach(klass, collect_property, lines);
    if (lines->len) {
        printf("%s options:\n", object_class_get_name(klass));
    } else {
        printf("There are no options for %s.\n",
               object_class_get_name(klass));
    }
    print_sorted(lines);
}

bool user_creatable_print_help_from_str(const char *str)
{
    QDict *args;
    bool help = false;
    const char *type;
    ObjectClass *klass;

    if (str[0] == '{') {
        return false;
    }
    args = keyval_parse(str, "qom-type", &help, NULL);
    if (help) {
        type = args ? qdict_get_try_str(args, "qom-type") : NULL;
        klass = type ? object_class_by_name(type) : NULL;
        if (klass && klass->info->user_creatable) {
            print_properties(klass);
        } else {
            print_types();
        }
    }
    qobject_unref(args);
    return help;
}

void user_creatable_process_cmdline(const char *str)
{
    Error *err = NULL;

    if (user_creatable_print_help_from_str(str)) {
        exit(0);
    }
    if (!user_creatable_add_from_str(str, &err)) {
        error_report_err(err);
        exit(1);
    }
}
