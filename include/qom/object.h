/*
 * SPDX-License-Identifier: MIT
 *
 * Objects that users make by type name and set up by properties, which are
 * read and written through visitors.  GObject does types, inheritance and
 * references; GType names are the names that users see.
 *
 * Types are described by a TypeInfo each and become GTypes when they are first
 * asked for, so that a program pays only for those in use.  Main thread only,
 * except for references.
 */
#ifndef QEMU_OBJECT_H
#define QEMU_OBJECT_H

#include <glib-object.h>
#include "qapi/visitor.h"

typedef struct Object Object;
typedef struct ObjectClass ObjectClass;
typedef struct ObjectProperty ObjectProperty;
typedef struct TypeInfo TypeInfo;

#define TYPE_OBJECT "object"
#define TYPE_CONTAINER "container"

struct Object {
    GObject parent_obj;
    /* Name below its parent; NULL outside of the tree. */
    char *id;
    /* Where it is in the tree; no reference. */
    Object *parent;
    /* Of containers: what they hold, with a reference each; else NULL. */
    GPtrArray *children;
};

struct ObjectClass {
    GObjectClass parent_class;
    const TypeInfo *info;
};

/*
 * @get stores the value through an output visitor; NULL: cannot be read.
 * @set takes it from an input visitor; NULL: cannot be written.  Both return
 * false with @errp.  @offset is for accessors that serve several properties.
 */
struct ObjectProperty {
    const char *name;
    const char *type;               /* as qom-list tells it */
    const char *description;        /* or NULL */
    bool (*get)(Object *obj, const ObjectProperty *prop, Visitor *v,
                Error **errp);
    bool (*set)(Object *obj, const ObjectProperty *prop, Visitor *v,
                Error **errp);
    size_t offset;
};

/* All callbacks are optional and run in the main thread. */
struct TypeInfo {
    const char *name;
    const char *parent;             /* NULL: TYPE_OBJECT */
    size_t instance_size;           /* 0: the parent's */
    bool abstract;
    bool user_creatable;
    const ObjectProperty *properties;   /* ends with one without name */
    void (*instance_init)(Object *obj);
    /* After the last reference is gone; derived types come first. */
    void (*instance_finalize)(Object *obj);
    /* All properties are set: start working.  False: it is thrown away. */
    bool (*complete)(Object *obj, Error **errp);
    /* Before it leaves the tree; false: something still uses it. */
    bool (*can_be_deleted)(Object *obj);
};

/* Makes a type known; @info stays valid for good.  Twice is no harm. */
void type_register_static(const TypeInfo *info);

/* The class of a type; NULL if there is none of this name. */
ObjectClass *object_class_by_name(const char *name);

/* True if @klass is the type @name or derived from it. */
bool object_class_is_a(ObjectClass *klass, const char *name);

/* Calls @fn for each type that is known, abstract ones included. */
void object_class_foreach(void (*fn)(ObjectClass *klass, void *opaque),
                          void *opaque);

const char *object_class_get_name(ObjectClass *klass);
/* NULL for the root of all types. */
ObjectClass *object_class_get_parent(ObjectClass *klass);

/* Calls @fn for each property, those of the parents first. */
void object_class_property_foreach(ObjectClass *klass,
                                   void (*fn)(const ObjectProperty *prop,
                                              void *opaque),
                                   void *opaque);

/* A new object with one reference, outside of the tree. */
Object *object_new(ObjectClass *klass);
ObjectClass *object_get_class(Object *obj);
const char *object_get_typename(Object *obj);
void object_ref(Object *obj);
void object_unref(Object *obj);

/* @obj if it is of type @name or derived from it, else NULL. */
Object *object_dynamic_cast(Object *obj, const char *name);

/* Run @complete and @can_be_deleted of the nearest type that has them. */
bool object_complete(Object *obj, Error **errp);
bool object_can_be_deleted(Object *obj);

/* The container /objects. */
Object *object_get_objects_root(void);
/* The root of the tree. */
Object *object_get_root(void);

/*
 * Puts @obj into @container as @id and takes a reference.  False with @errp
 * if the name is taken.
 */
bool object_property_add_child(Object *container, const char *id, Object *obj,
                               Error **errp);

/* Takes @obj out of its container and drops the container's reference. */
void object_unparent(Object *obj);

/* What @container holds as @id, or NULL; no reference. */
Object *object_get_child(Object *container, const char *id);

/*
 * The object at @path: absolute, or its last parts if they are unique.  NULL
 * with @errp (class DeviceNotFound).  No reference.
 */
Object *object_resolve_path(const char *path, Error **errp);

/* "/objects/ID"; the caller frees it. */
char *object_get_canonical_path(Object *obj);

/* Accessors through visitors, with the errors that users see. */
bool object_property_get(Object *obj, const char *name, Visitor *v,
                         Error **errp);
bool object_property_set(Object *obj, const char *name, Visitor *v,
                         Error **errp);

#endif /* QEMU_OBJECT_H */
