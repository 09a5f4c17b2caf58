/*
 * SPDX-License-Identifier: MIT
 *
 * The object "throttle-group".
 */
#ifndef QOM_THROTTLE_GROUP_H
#define QOM_THROTTLE_GROUP_H

#include "qom/object.h"

#define TYPE_THROTTLE_GROUP "throttle-group"

extern const TypeInfo throttle_group_info;

#endif /* QOM_THROTTLE_GROUP_H */
