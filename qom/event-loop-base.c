/*
 * SPDX-License-Identifier: MIT
 *
 * Properties of every event loop, and the object for the main one.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "sysemu/event-loop-base.h"

enum { DEFAULT_POOL_MAX = 64 };

bool event_loop_base_apply(EventLoopBase *base, Error **errp)
{
    ERRP_GUARD();

    if (!base->ctx) {
        return true;
    }
    aio_context_set_thread_pool_params(base->ctx, base->thread_pool_min,
                                       base->thread_pool_max, errp);
    if (*errp) {
        return false;
    }
    aio_context_set_aio_params(base->ctx, base->aio_max_batch);
    return true;
}

bool event_loop_get_int(Object *obj, const ObjectProperty *prop, Visitor *v,
                        Error **errp)
{
    int64_t value = *(int64_t *)((char *)obj + prop->offset);

    return visit_type_int64(v, prop->name, &value, errp);
}

bool event_loop_visit_int(Object *obj, const ObjectProperty *prop, Visitor *v,
                          Error **errp)
{
    int64_t value;

    if (!visit_type_int64(v, prop->name, &value, errp)) {
        return false;
    }
    if (value < 0) {
        error_setg(errp, "%s value must be in range [0, %" PRId64 "]",
                   prop->name, INT64_MAX);
        return false;
    }
    *(int64_t *)((char *)obj + prop->offset) = value;
    return true;
}

static bool set_int(Object *obj, const ObjectProperty *prop, Visitor *v,
                    Error **errp)
{
    int64_t *field = (int64_t *)((char *)obj + prop->offset);
    int64_t old = *field;

    if (!event_loop_visit_int(obj, prop, v, errp)) {
        return false;
    }
    if (!event_loop_base_apply((EventLoopBase *)obj, errp)) {
        *field = old;
        return false;
    }
    return true;
}

#define LOOP_INT(name_, field_)                                     \
    { .name = name_, .type = "int", .get = event_loop_get_int,      \
      .set = set_int, .offset = offsetof(EventLoopBase, field_) }

static const ObjectProperty event_loop_properties[] = {
    LOOP_INT("aio-max-batch", aio_max_batch),
    LOOP_INT("thread-pool-min", thread_pool_min),
    LOOP_INT("thread-pool-max", thread_pool_max),
    { 0 },
};

static void event_loop_init(Object *obj)
{
    ((EventLoopBase *)obj)->thread_pool_max = DEFAULT_POOL_MAX;
}

const TypeInfo event_loop_base_info = {
    .name = TYPE_EVENT_LOOP_BASE,
    .instance_size = sizeof(EventLoopBase),
    .abstract = true,
    .properties = event_loop_properties,
    .instance_init = event_loop_init,
};

/* ---- The main loop; one object at most, which stays ---- */

static Object *the_main_loop;

static bool main_loop_complete(Object *obj, Error **errp)
{
    EventLoopBase *base = (EventLoopBase *)obj;

    if (the_main_loop) {
        error_setg(errp, "only one main-loop instance allowed");
        return false;
    }
    base->ctx = qemu_get_aio_context();
    if (!event_loop_base_apply(base, errp)) {
        return false;
    }
    the_main_loop = obj;
    return true;
}

static bool main_loop_can_be_deleted(Object *obj)
{
    return false;
}

static void main_loop_finalize(Object *obj)
{
    if (the_main_loop == obj) {
        the_main_loop = NULL;
    }
}

const TypeInfo main_loop_info = {
    .name = TYPE_MAIN_LOOP,
    .parent = TYPE_EVENT_LOOP_BASE,
    .user_creatable = true,
    .complete = main_loop_complete,
    .can_be_deleted = main_loop_can_be_deleted,
    .instance_finalize = main_loop_finalize,
};
