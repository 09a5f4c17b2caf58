/*
 * SPDX-License-Identifier: MIT
 *
 * What objects have in common that stand for an event loop.
 */
#ifndef EVENT_LOOP_BASE_H
#define EVENT_LOOP_BASE_H

#include "block/aio.h"
#include "qom/object.h"

#define TYPE_EVENT_LOOP_BASE "event-loop-base"
#define TYPE_MAIN_LOOP "main-loop"

typedef struct EventLoopBase {
    Object parent_obj;
    /* The loop; NULL until it exists.  Then properties apply at once. */
    AioContext *ctx;
    int64_t aio_max_batch;
    int64_t thread_pool_min;
    int64_t thread_pool_max;
} EventLoopBase;

extern const TypeInfo event_loop_base_info;
extern const TypeInfo main_loop_info;

/* Passes the properties on to the loop; false with @errp. */
bool event_loop_base_apply(EventLoopBase *base, Error **errp);

/*
 * Accessors for a property that is an int64_t at prop->offset of the object
 * and may not be negative.
 */
bool event_loop_get_int(Object *obj, const ObjectProperty *prop, Visitor *v,
                        Error **errp);
bool event_loop_visit_int(Object *obj, const ObjectProperty *prop, Visitor *v,
                          Error **errp);

#endif /* EVENT_LOOP_BASE_H */
