/*
 * SPDX-License-Identifier: MIT
 *
 * Types, properties and the tree of objects.
 *
 * 1. A GType exists only for types that were asked for; its class data is the
 *    TypeInfo.
 * 2. An object in the tree has an id and a parent; the parent holds the one
 *    reference that keeps it alive.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"
#include "qom/object.h"

static GPtrArray *type_infos;       /* of const TypeInfo */
static Object *root;

/* ---- Types ---- */

static GType type_get(const TypeInfo *info);

static void container_init(Object *obj)
{
    obj->children = g_ptr_array_new();
}

static void container_finalize(Object *obj)
{
    g_ptr_array_free(obj->children, true);
}

static const TypeInfo object_info = {
    .name = TYPE_OBJECT,
    .instance_size = sizeof(Object),
    .abstract = true,
};

static const TypeInfo container_info = {
    .name = TYPE_CONTAINER,
    .instance_init = container_init,
    .instance_finalize = container_finalize,
};

static void types_setup(void)
{
    if (!type_infos) {
        type_infos = g_ptr_array_new();
        g_ptr_array_add(type_infos, (void *)&object_info);
        g_ptr_array_add(type_infos, (void *)&container_info);
    }
}

static const TypeInfo *type_find(const char *name)
{
    types_setup();
    for (guint i = 0; i < type_infos->len; i++) {
        const TypeInfo *info = g_ptr_array_index(type_infos, i);

        if (!strcmp(info->name, name)) {
            return info;
        }
    }
    return NULL;
}

void type_register_static(const TypeInfo *info)
{
    if (!type_find(info->name)) {
        g_ptr_array_add(type_infos, (void *)info);
    }
}

static const TypeInfo *type_parent(const TypeInfo *info)
{
    if (info == &object_info) {
        return NULL;
    }
    return info->parent ? type_find(info->parent) : &object_info;
}

static void finalize_instance(GObject *gobj)
{
    Object *obj = (Object *)gobj;
    const TypeInfo *info = object_get_class(obj)->info;

    for (; info; info = type_parent(info)) {
        if (info->instance_finalize) {
            info->instance_finalize(obj);
        }
    }
    g_free(obj->id);
    ((GObjectClass *)g_type_class_peek(G_TYPE_OBJECT))->finalize(gobj);
}

static void init_class(gpointer g_class, gpointer data)
{
    ((GObjectClass *)g_class)->finalize = finalize_instance;
    ((ObjectClass *)g_class)->info = data;
}

/*
 * GObject calls this for each level of a type, the root's first; which level
 * it is cannot be seen from the instance, but from the class.
 */
static void init_instance(GTypeInstance *instance, gpointer g_class)
{
    const TypeInfo *leaf = ((ObjectClass *)g_class)->info;
    GType level = G_TYPE_FROM_INSTANCE(instance);
    const TypeInfo *info;

    for (info = leaf; info; info = type_parent(info)) {
        if (g_type_from_name(info->name) == level) {
            if (info->instance_init) {
                info->instance_init((Object *)instance);
            }
            return;
        }
    }
}

static GType type_get(const TypeInfo *info)
{
    GType type = g_type_from_name(info->name);
    const TypeInfo *parent = type_parent(info), *p;
    size_t size = info->instance_size;
    GTypeInfo gti;

    if (type) {
        return type;
    }
    for (p = parent; !size; p = type_parent(p)) {
        size = p->instance_size;
    }
    gti = (GTypeInfo) {
        .class_size = sizeof(ObjectClass),
        .class_init = init_class,
        .class_data = info,
        .instance_size = size,
        .instance_init = init_instance,
    };
    return g_type_register_static(parent ? type_get(parent) : G_TYPE_OBJECT,
                                  info->name, &gti,
                                  info->abstract ? G_TYPE_FLAG_ABSTRACT : 0);
}

ObjectClass *object_class_by_name(const char *name)
{
    const TypeInfo *info = type_find(name);

    /* Classes stay, so the reference is never given back. */
    return info ? g_type_class_ref(type_get(info)) : NULL;
}

bool object_class_is_a(ObjectClass *klass, const char *name)
{
    for (const TypeInfo *t = klass->info; t; t = type_parent(t)) {
        if (!strcmp(t->name, name)) {
            return true;
        }
    }
    return false;
}

void object_class_foreach(void (*fn)(ObjectClass *klass, void *opaque),
                          void *opaque)
{
    types_setup();
    for (guint i = 0; i < type_infos->len; i++) {
        const TypeInfo *info = g_ptr_array_index(type_infos, i);

        fn(object_class_by_name(info->name), opaque);
    }
}

const char *object_class_get_name(ObjectClass *klass)
{
    return klass->info->name;
}

ObjectClass *object_class_get_parent(ObjectClass *klass)
{
    const TypeInfo *parent = type_parent(klass->info);

    return parent ? object_class_by_name(parent->name) : NULL;
}

/* ---- Objects ---- */

Object *object_new(ObjectClass *klass)
{
    return g_object_new(G_TYPE_FROM_CLASS(klass), NULL);
}

ObjectClass *object_get_class(Object *obj)
{
    return (ObjectClass *)G_OBJECT_GET_CLASS(obj);
}

const char *object_get_typename(Object *obj)
{
    return object_class_get_name(object_get_class(obj));
}

void object_ref(Object *obj)
{
    g_object_ref(obj);
}

void object_unref(Object *obj)
{
    if (obj) {
        g_object_unref(obj);
    }
}

Object *object_dynamic_cast(Object *obj, const char *name)
{
    return obj && object_class_is_a(object_get_class(obj), name) ? obj : NULL;
}

bool object_complete(Object *obj, Error **errp)
{
    const TypeInfo *t = object_get_class(obj)->info;

    for (; t; t = type_parent(t)) {
        if (t->complete) {
            return t->complete(obj, errp);
        }
    }
    return true;
}

bool object_can_be_deleted(Object *obj)
{
    const TypeInfo *t = object_get_class(obj)->info;

    for (; t; t = type_parent(t)) {
        if (t->can_be_deleted) {
            return t->can_be_deleted(obj);
        }
    }
    return true;
}

/* ---- The tree ---- */

Object *object_get_root(void)
{
    if (!root) {
        Object *objects;

        root = object_new(object_class_by_name(TYPE_CONTAINER));
        objects = object_new(object_class_by_name(TYPE_CONTAINER));
        object_property_add_child(root, "objects", objects, &error_abort);
        object_unref(objects);
    }
    return root;
}

Object *object_get_objects_root(void)
{
    return object_get_child(object_get_root(), "objects");
}

bool object_property_add_child(Object *container, const char *id, Object *obj,
                               Error **errp)
{
    if (!strcmp(id, "type") || object_get_child(container, id)) {
        error_setg(errp, "attempt to add duplicate property '%s' to object "
                   "(type '%s')", id, object_get_typename(container));
        return false;
    }
    object_ref(obj);
    obj->id = g_strdup(id);
    obj->parent = container;
    g_ptr_array_add(container->children, obj);
    return true;
}

void object_unparent(Object *obj)
{
    if (obj->parent) {
        g_ptr_array_remove(obj->parent->children, obj);
        obj->parent = NULL;
        g_clear_pointer(&obj->id, g_free);
        object_unref(obj);
    }
}

Object *object_get_child(Object *container, const char *id)
{
    for (guint i = 0; container->children && i < container->children->len;
         i++) {
        Object *child = g_ptr_array_index(container->children, i);

        if (!strcmp(child->id, id)) {
            return child;
        }
    }
    return NULL;
}

/* Follows @parts from @obj on; NULL if that leads nowhere. */
static Object *walk(Object *obj, char **parts)
{
    for (; obj && *parts; parts++) {
        if (**parts) {
            obj = object_get_child(obj, *parts);
        }
    }
    return obj;
}

/* Counts the objects that @parts lead to from @obj or anything below it. */
static unsigned walk_anywhere(Object *obj, char **parts, Object **found)
{
    Object *end = walk(obj, parts);
    unsigned n = 0;

    if (end) {
        *found = end;
        n++;
    }
    for (guint i = 0; obj->children && i < obj->children->len; i++) {
        n += walk_anywhere(g_ptr_array_index(obj->children, i), parts, found);
    }
    return n;
}

Object *object_resolve_path(const char *path, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    Object *found = NULL;

    if (path[0] == '/') {
        found = walk(object_get_root(), parts);
    } else if (path[0]) {
        unsigned n = walk_anywhere(object_get_root(), parts, &found);

        if (n > 1) {
            error_setg(errp, "Path '%s' does not uniquely identify an object",
                       path);
            return NULL;
        }
    }
    if (!found) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND,
                  "Device '%s' not found", path);
    }
    return found;
}

char *object_get_canonical_path(Object *obj)
{
    GString *path = g_string_new(NULL);

    for (; obj && obj->parent; obj = obj->parent) {
        g_string_prepend(path, obj->id);
        g_string_prepend_c(path, '/');
    }
    if (!path->len) {
        g_string_append_c(path, '/');
    }
    return g_string_free(path, false);
}

/* ---- Properties ---- */

static bool get_type_property(Object *obj, const ObjectProperty *prop,
                              Visitor *v, Error **errp)
{
    char *name = (char *)object_get_typename(obj);

    return visit_type_str(v, prop->name, &name, errp);
}

static const ObjectProperty type_property = {
    .name = "type", .type = "string", .get = get_type_property,
};

static void properties_of(const TypeInfo *info,
                          void (*fn)(const ObjectProperty *prop, void *opaque),
                          void *opaque)
{
    const TypeInfo *parent = type_parent(info);

    if (parent) {
        properties_of(parent, fn, opaque);
    } else {
        fn(&type_property, opaque);
    }
    for (const ObjectProperty *p = info->properties; p && p->name; p++) {
        fn(p, opaque);
    }
}

void object_class_property_foreach(ObjectClass *klass,
                                   void (*fn)(const ObjectProperty *prop,
                                              void *opaque),
                                   void *opaque)
{
    properties_of(klass->info, fn, opaque);
}

static const ObjectProperty *find_property(Object *obj, const char *name)
{
    const TypeInfo *info = object_get_class(obj)->info;

    if (!strcmp(name, type_property.name)) {
        return &type_property;
    }
    for (; info; info = type_parent(info)) {
        for (const ObjectProperty *p = info->properties; p && p->name; p++) {
            if (!strcmp(p->name, name)) {
                return p;
            }
        }
    }
    return NULL;
}

static bool property_error(Object *obj, const char *name, const char *what,
                           Error **errp)
{
    error_setg(errp, "Property '%s.%s' %s", object_get_typename(obj), name,
               what);
    return false;
}

bool object_property_get(Object *obj, const char *name, Visitor *v,
                         Error **errp)
{
    const ObjectProperty *prop = find_property(obj, name);
    Object *child;

    if (prop) {
        return prop->get ? prop->get(obj, prop, v, errp)
                         : property_error(obj, name, "is not readable", errp);
    }
    child = object_get_child(obj, name);
    if (child) {
        g_autofree char *path = object_get_canonical_path(child);

        return visit_type_str(v, name, &path, errp);
    }
    return property_error(obj, name, "not found", errp);
}

bool object_property_set(Object *obj, const char *name, Visitor *v,
                         Error **errp)
{
    const ObjectProperty *prop = find_property(obj, name);

    if (prop && prop->set) {
        return prop->set(obj, prop, v, errp);
    }
    return property_error(obj, name,
                          prop || object_get_child(obj, name)
                          ? "is not writable" : "not found", errp);
}
