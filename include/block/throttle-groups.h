/*
 * SPDX-License-Identifier: MIT
 *
 * Throttle groups: members (backends, throttle nodes) that share one set of
 * I/O limits.  A member's requests run in its AioContext; the group's state
 * is under its own lock.
 */
#ifndef BLOCK_THROTTLE_GROUPS_H
#define BLOCK_THROTTLE_GROUPS_H

#include "qemu/coroutine.h"
#include "qemu/throttle.h"
#include "block/block_int.h"

typedef struct ThrottleGroupMember {
    AioContext *aio_context;
    /* Protects throttled_reqs. */
    CoMutex throttled_reqs_lock;
    CoQueue throttled_reqs[2];      /* [0] reads, [1] writes */
    /* Atomic; > 0: requests pass without limits (drain). */
    unsigned int io_limits_disabled;
    /* Under the group's lock. */
    ThrottleState *throttle_state;  /* the group's; NULL: in no group */
    ThrottleTimers throttle_timers;
    unsigned pending_reqs[2];
    QLIST_ENTRY(ThrottleGroupMember) round_robin;
    unsigned restart_pending;       /* atomic; restarts not yet run */
} ThrottleGroupMember;

/* Clock of the groups made from now on (qtest: VIRTUAL). Main thread. */
void throttle_groups_set_clock(QEMUClockType type);
const char *throttle_group_name(ThrottleState *ts);
const char *throttle_group_get_name(ThrottleGroupMember *tgm);
bool throttle_group_exists(const char *name);
/* A reference on the named group (made if it is new). */
ThrottleState *throttle_group_incref(const char *name);
void throttle_group_unref(ThrottleState *ts);
/* True if there are references besides the caller's. */
bool throttle_group_is_shared(ThrottleState *ts);
/* The limits of a group that need not have members. Main thread. */
void throttle_group_set_limits(ThrottleState *ts, ThrottleConfig *cfg);
void throttle_group_get_limits(ThrottleState *ts, ThrottleConfig *cfg);
void throttle_group_config(ThrottleGroupMember *tgm, ThrottleConfig *cfg);
void throttle_group_get_config(ThrottleGroupMember *tgm, ThrottleConfig *cfg);
void throttle_group_register_tgm(ThrottleGroupMember *tgm,
                                 const char *groupname, AioContext *ctx);
void throttle_group_unregister_tgm(ThrottleGroupMember *tgm);
void throttle_group_restart_tgm(ThrottleGroupMember *tgm);
/* Wait for the request's turn, then account it. */
void coroutine_fn throttle_group_co_io_limits_intercept(
    ThrottleGroupMember *tgm, int64_t bytes, bool is_write);
void throttle_group_attach_aio_context(ThrottleGroupMember *tgm,
                                       AioContext *new_context);
void throttle_group_detach_aio_context(ThrottleGroupMember *tgm);

#endif
