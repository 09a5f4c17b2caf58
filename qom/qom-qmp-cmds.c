/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: object-add, object-del and what looks at objects and types.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-qom.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qobject-output-visitor.h"
#include "qom/object_interfaces.h"

void qmp_object_add(ObjectOptions *options, Error **errp)
{
    user_creatable_add_qapi(options, errp);
}

void qmp_object_del(const char *id, Error **errp)
{
    user_creatable_del(id, errp);
}

QObject *qmp_qom_get(const char *path, const char *property, Error **errp)
{
    Object *obj = object_resolve_path(path, errp);
    QObject *ret = NULL;
    Visitor *v;

    if (!obj) {
        return NULL;
    }
    v = qobject_output_visitor_new(&ret);
    if (object_property_get(obj, property, v, errp)) {
        visit_complete(v, &ret);
    }
    visit_free(v);
    return ret;
}

void qmp_qom_set(const char *path, const char *property, QObject *value,
                 Error **errp)
{
    Object *obj = object_resolve_path(path, errp);
    QDict *wrapper;
    Visitor *v;

    if (!obj) {
        return;
    }
    /* Inside of an object, the value has a name that errors can show. */
    wrapper = qdict_new();
    qdict_put_obj(wrapper, property, qobject_ref(value));
    v = qobject_input_visitor_new(QOBJECT(wrapper));
    if (visit_start_struct(v, NULL, NULL, 0, errp)) {
        object_property_set(obj, property, v, errp);
    }
    visit_free(v);
    qobject_unref(wrapper);
}

/* ---- Lists ---- */

typedef struct PropertyList {
    ObjectPropertyInfoList *head;
    ObjectPropertyInfoList **tail;
} PropertyList;

static ObjectPropertyInfo *append_property(PropertyList *list,
                                           const char *name)
{
    ObjectPropertyInfo *info = g_new0(ObjectPropertyInfo, 1);

    info->name = g_strdup(name);
    QAPI_LIST_APPEND(list->tail, info);
    return info;
}

static void list_property(const ObjectProperty *prop, void *opaque)
{
    ObjectPropertyInfo *info = append_property(opaque, prop->name);

    info->type = g_strdup(prop->type);
    info->has_description = prop->description != NULL;
    info->description = g_strdup(prop->description);
}

ObjectPropertyInfoList *qmp_qom_list(const char *path, Error **errp)
{
    Object *obj = object_resolve_path(path, errp);
    PropertyList list = { .tail = &list.head };

    if (!obj) {
        return NULL;
    }
    object_class_property_foreach(object_get_class(obj), list_property, &list);
    for (guint i = 0; obj->children && i < obj->children->len; i++) {
        Object *child = g_ptr_array_index(obj->children, i);
        ObjectPropertyInfo *info = append_property(&list, child->id);

        info->type = g_strdup_printf("child<%s>", object_get_typename(child));
    }
    return list.head;
}

ObjectPropertyInfoList *qmp_qom_list_properties(const char *typename,
                                                Error **errp)
{
    ObjectClass *klass = object_class_by_name(typename);
    PropertyList list = { .tail = &list.head };

    if (!klass) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Class '%s' not found",
                  typename);
        return NULL;
    }
    object_class_property_foreach(klass, list_property, &list);
    return list.head;
}

typedef struct TypeList {
    ObjectTypeInfoList *head;
    const char *implements;
    bool abstract;
} TypeList;

/* Whether @klass is, or implements, @name; "user-creatable" is no type. */
static bool implements(ObjectClass *klass, const char *name)
{
    return !strcmp(name, "user-creatable") ? klass->info->user_creatable
                                           : object_class_is_a(klass, name);
}

static void list_type(ObjectClass *klass, void *opaque)
{
    TypeList *list = opaque;
    ObjectClass *parent = object_class_get_parent(klass);
    ObjectTypeInfo *info;

    if ((klass->info->abstract && !list->abstract) ||
        (list->implements && !implements(klass, list->implements))) {
        return;
    }
    info = g_new0(ObjectTypeInfo, 1);
    info->name = g_strdup(object_class_get_name(klass));
    info->has_abstract = info->abstract = klass->info->abstract;
    if (parent) {
        info->has_parent = true;
        info->parent = g_strdup(object_class_get_name(parent));
    }
    QAPI_LIST_PREPEND(list->head, info);
}

ObjectTypeInfoList *qmp_qom_list_types(bool has_implements,
                                       const char *implements_name,
                                       bool has_abstract, bool abstract,
                                       Error **errp)
{
    TypeList list = {
        .implements = has_implements ? implements_name : NULL,
        .abstract = has_abstract && abstract,
    };

    object_class_foreach(list_type, &list);
    return list.head;
}
