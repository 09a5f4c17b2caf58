/*
 * SPDX-License-Identifier: MIT
 *
 * The object "throttle-group": limits under a name that nodes and devices
 * refer to.
 *
 * 1. Before completion the limits are in @cfg, afterwards in the group, on
 *    which the object holds a reference.
 * 2. A group that someone else refers to stays until they are gone.
 */
#include "qemu/osdep.h"
#include "block/throttle-groups.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qom/throttle-group.h"

typedef struct ThrottleGroupObject {
    Object parent_obj;
    ThrottleConfig cfg;
    ThrottleState *group;       /* NULL before completion */
} ThrottleGroupObject;

/* What of a bucket a limit is. */
typedef enum { AVERAGE, MAXIMUM, LENGTH, OP_SIZE } LimitKind;

/* The limits as a table: where each is, in ThrottleLimits and in a config. */
typedef struct Limit {
    const char *name;           /* of the property, with "x-" */
    BucketType bucket;
    LimitKind kind;
    size_t has_offset;
    size_t offset;
} Limit;

#define LIMIT(name_, field_, bucket_, kind_)                            \
    { .name = "x-" name_, .bucket = bucket_, .kind = kind_,             \
      .has_offset = offsetof(ThrottleLimits, has_##field_),             \
      .offset = offsetof(ThrottleLimits, field_) }

#define BUCKET_LIMITS(name_, field_, bucket_)                           \
    LIMIT(name_, field_, bucket_, AVERAGE),                             \
    LIMIT(name_ "-max", field_##_max, bucket_, MAXIMUM),                \
    LIMIT(name_ "-max-length", field_##_max_length, bucket_, LENGTH)

static const Limit limits[] = {
    BUCKET_LIMITS("iops-total", iops_total, THROTTLE_OPS_TOTAL),
    BUCKET_LIMITS("iops-read", iops_read, THROTTLE_OPS_READ),
    BUCKET_LIMITS("iops-write", iops_write, THROTTLE_OPS_WRITE),
    BUCKET_LIMITS("bps-total", bps_total, THROTTLE_BPS_TOTAL),
    BUCKET_LIMITS("bps-read", bps_read, THROTTLE_BPS_READ),
    BUCKET_LIMITS("bps-write", bps_write, THROTTLE_BPS_WRITE),
    LIMIT("iops-size", iops_size, 0, OP_SIZE),
};

static uint64_t *config_field(ThrottleConfig *cfg, const Limit *limit)
{
    LeakyBucket *bucket = &cfg->buckets[limit->bucket];

    switch (limit->kind) {
    case AVERAGE:
        return &bucket->avg;
    case MAXIMUM:
        return &bucket->max;
    case LENGTH:
        return &bucket->burst_length;
    default:
        return &cfg->op_size;
    }
}

static bool check_length(const Limit *limit, const char *name, int64_t value,
                         Error **errp)
{
    if (limit->kind == LENGTH && value > UINT32_MAX) {
        error_setg(errp, "%s value must be in the range [0, %u]", name,
                   UINT32_MAX);
        return false;
    }
    return true;
}

static void get_config(ThrottleGroupObject *tg, ThrottleConfig *cfg)
{
    if (tg->group) {
        throttle_group_get_limits(tg->group, cfg);
    } else {
        *cfg = tg->cfg;
    }
}

/* ---- All limits at once ---- */

static bool get_limits(Object *obj, const ObjectProperty *prop, Visitor *v,
                       Error **errp)
{
    ThrottleLimits values = { 0 }, *p = &values;
    ThrottleConfig cfg;

    get_config((ThrottleGroupObject *)obj, &cfg);
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        *(bool *)((char *)&values + limits[i].has_offset) = true;
        *(int64_t *)((char *)&values + limits[i].offset) =
            *config_field(&cfg, &limits[i]);
    }
    return visit_type_ThrottleLimits(v, prop->name, &p, errp);
}

/* What is not given stays as it is. */
static bool set_limits(Object *obj, const ObjectProperty *prop, Visitor *v,
                       Error **errp)
{
    ThrottleGroupObject *tg = (ThrottleGroupObject *)obj;
    g_autoptr(ThrottleLimits) values = NULL;
    ThrottleConfig cfg;

    if (!visit_type_ThrottleLimits(v, prop->name, &values, errp)) {
        return false;
    }
    get_config(tg, &cfg);
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        int64_t value = *(int64_t *)((char *)values + limits[i].offset);

        if (!*(bool *)((char *)values + limits[i].has_offset)) {
            continue;
        }
        if (!check_length(&limits[i], limits[i].name + strlen("x-"), value,
                          errp)) {
            return false;
        }
        *config_field(&cfg, &limits[i]) = value;
    }
    if (!throttle_is_valid(&cfg, errp)) {
        return false;
    }
    if (tg->group) {
        throttle_group_set_limits(tg->group, &cfg);
    } else {
        tg->cfg = cfg;
    }
    return true;
}

/* ---- One by one; prop->offset is the index in the table ---- */

static bool get_limit(Object *obj, const ObjectProperty *prop, Visitor *v,
                      Error **errp)
{
    ThrottleConfig cfg;
    int64_t value;

    get_config((ThrottleGroupObject *)obj, &cfg);
    value = *config_field(&cfg, &limits[prop->offset]);
    return visit_type_int64(v, prop->name, &value, errp);
}

static bool set_limit(Object *obj, const ObjectProperty *prop, Visitor *v,
                      Error **errp)
{
    ThrottleGroupObject *tg = (ThrottleGroupObject *)obj;
    const Limit *limit = &limits[prop->offset];
    int64_t value;

    if (tg->group) {
        error_setg(errp, "Property cannot be set after initialization");
        return false;
    }
    if (!visit_type_int64(v, prop->name, &value, errp)) {
        return false;
    }
    if (value < 0) {
        error_setg(errp, "Property values cannot be negative");
        return false;
    }
    if (!check_length(limit, prop->name, value, errp)) {
        return false;
    }
    *config_field(&tg->cfg, limit) = value;
    return true;
}

/* ---- Life ---- */

static void throttle_group_obj_init(Object *obj)
{
    throttle_config_init(&((ThrottleGroupObject *)obj)->cfg);
}

static bool throttle_group_obj_complete(Object *obj, Error **errp)
{
    ThrottleGroupObject *tg = (ThrottleGroupObject *)obj;

    if (throttle_group_exists(obj->id)) {
        error_setg(errp, "A group with this name already exists");
        return false;
    }
    if (!throttle_is_valid(&tg->cfg, errp)) {
        return false;
    }
    tg->group = throttle_group_incref(obj->id);
    throttle_group_set_limits(tg->group, &tg->cfg);
    return true;
}

static bool throttle_group_obj_can_be_deleted(Object *obj)
{
    return !throttle_group_is_shared(((ThrottleGroupObject *)obj)->group);
}

static void throttle_group_obj_finalize(Object *obj)
{
    ThrottleGroupObject *tg = (ThrottleGroupObject *)obj;

    if (tg->group) {
        throttle_group_unref(tg->group);
    }
}

#define X_LIMIT(index_, name_)                                      \
    { .name = "x-" name_, .type = "int", .get = get_limit,          \
      .set = set_limit, .offset = index_ }

#define X_BUCKET(first_, name_)                                     \
    X_LIMIT(first_, name_), X_LIMIT(first_ + 1, name_ "-max"),      \
    X_LIMIT(first_ + 2, name_ "-max-length")

static const ObjectProperty throttle_group_properties[] = {
    { .name = "limits", .type = "ThrottleLimits",
      .get = get_limits, .set = set_limits },
    X_BUCKET(0, "iops-total"),
    X_BUCKET(3, "iops-read"),
    X_BUCKET(6, "iops-write"),
    X_BUCKET(9, "bps-total"),
    X_BUCKET(12, "bps-read"),
    X_BUCKET(15, "bps-write"),
    X_LIMIT(18, "iops-size"),
    { 0 },
};

const TypeInfo throttle_group_info = {
    .name = TYPE_THROTTLE_GROUP,
    .instance_size = sizeof(ThrottleGroupObject),
    .user_creatable = true,
    .properties = throttle_group_properties,
    .instance_init = throttle_group_obj_init,
    .instance_finalize = throttle_group_obj_finalize,
    .complete = throttle_group_obj_complete,
    .can_be_deleted = throttle_group_obj_can_be_deleted,
};
