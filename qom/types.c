/*
 * SPDX-License-Identifier: MIT
 *
 * The types that programs offer to their users.
 */
#include "qemu/osdep.h"
#include "crypto/secret.h"
#include "qom/object_interfaces.h"
#include "qom/throttle-group.h"
#include "sysemu/event-loop-base.h"
#include "sysemu/iothread.h"

void user_creatable_init(void)
{
    static const TypeInfo *const types[] = {
        &event_loop_base_info,
        &main_loop_info,
        &iothread_info,
        &qcrypto_secret_info,
        &throttle_group_info,
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        type_register_static(types[i]);
    }
}
