/*
 * SPDX-License-Identifier: MIT
 *
 * What the machine is doing.
 *
 * 1. @current changes in runstate_set() only, along the edges of @allowed.
 * 2. Requests are flags that the main loop looks at after each iteration, so
 *    that nothing is stopped from inside of what it stops.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qapi-commands-run-state.h"
#include "qapi/qapi-events-run-state.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "sysemu/block-backend.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"

#define FROM(state) [RUN_STATE_##state]
#define TO(state) (1u << RUN_STATE_##state)

/* States in which the machine rests can all be left in the same ways. */
#define RESTING (TO(RUNNING) | TO(FINISH_MIGRATE) | TO(PRELAUNCH) | \
                 TO(PAUSED) | TO(SHUTDOWN))

static const unsigned allowed[RUN_STATE__MAX] = {
    FROM(PRELAUNCH) = TO(RUNNING) | TO(FINISH_MIGRATE) | TO(INMIGRATE) |
                      TO(PAUSED) | TO(SHUTDOWN),
    FROM(INMIGRATE) = RESTING | TO(POSTMIGRATE) | TO(IO_ERROR) |
                      TO(INTERNAL_ERROR),
    FROM(RUNNING) = TO(DEBUG) | TO(INTERNAL_ERROR) | TO(IO_ERROR) |
                    TO(PAUSED) | TO(FINISH_MIGRATE) | TO(RESTORE_VM) |
                    TO(SAVE_VM) | TO(SHUTDOWN) | TO(WATCHDOG) |
                    TO(GUEST_PANICKED) | TO(SUSPENDED),
    FROM(PAUSED) = RESTING | TO(POSTMIGRATE) | TO(RESTORE_VM) | TO(SAVE_VM),
    FROM(POSTMIGRATE) = RESTING,
    FROM(IO_ERROR) = RESTING,
    FROM(INTERNAL_ERROR) = RESTING,
    FROM(DEBUG) = RESTING,
    FROM(WATCHDOG) = RESTING,
    FROM(GUEST_PANICKED) = RESTING | TO(DEBUG),
    FROM(SUSPENDED) = RESTING,
    FROM(SHUTDOWN) = RESTING,
    FROM(SAVE_VM) = TO(RUNNING) | TO(SHUTDOWN),
    FROM(RESTORE_VM) = TO(RUNNING) | TO(PRELAUNCH) | TO(PAUSED) |
                       TO(SHUTDOWN),
    FROM(FINISH_MIGRATE) = RESTING | TO(POSTMIGRATE) | TO(COLO),
    FROM(COLO) = RESTING,
};

static RunState current = RUN_STATE_PRELAUNCH;

/* Atomic; requests. */
static int reset_requested;         /* a ShutdownCause, 0 for none */
static int shutdown_requested;
static int vmstop_requested = RUN_STATE__MAX;   /* a RunState */

static bool no_reboot;
static bool no_shutdown;

struct VMChangeStateEntry {
    VMChangeStateHandler *cb;
    void *opaque;
    QTAILQ_ENTRY(VMChangeStateEntry) next;
};

static QTAILQ_HEAD(StateHandlers, VMChangeStateEntry) handlers =
    QTAILQ_HEAD_INITIALIZER(handlers);

typedef struct ResetEntry {
    QEMUResetHandler *func;
    void *opaque;
    QTAILQ_ENTRY(ResetEntry) next;
} ResetEntry;

static QTAILQ_HEAD(, ResetEntry) reset_handlers =
    QTAILQ_HEAD_INITIALIZER(reset_handlers);

/* ---- The state ---- */

RunState runstate_get(void)
{
    return current;
}

bool runstate_check(RunState state)
{
    return current == state;
}

bool runstate_is_running(void)
{
    return runstate_check(RUN_STATE_RUNNING);
}

void runstate_set(RunState new_state)
{
    if (current == new_state) {
        return;
    }
    if (!(allowed[current] & (1u << new_state))) {
        error_report("invalid runstate transition: '%s' -> '%s'",
                     RunState_str(current), RunState_str(new_state));
        abort();
    }
    current = new_state;
}

VMChangeStateEntry *
qemu_add_vm_change_state_handler(VMChangeStateHandler *cb, void *opaque)
{
    VMChangeStateEntry *e = g_new0(VMChangeStateEntry, 1);

    e->cb = cb;
    e->opaque = opaque;
    QTAILQ_INSERT_TAIL(&handlers, e, next);
    return e;
}

void qemu_del_vm_change_state_handler(VMChangeStateEntry *e)
{
    QTAILQ_REMOVE(&handlers, e, next);
    g_free(e);
}

static void notify_handlers(bool running, RunState state)
{
    VMChangeStateEntry *e, *next;

    if (running) {
        QTAILQ_FOREACH_SAFE(e, &handlers, next, next) {
            e->cb(e->opaque, running, state);
        }
    } else {
        for (e = QTAILQ_LAST(&handlers); e; e = next) {
            next = QTAILQ_PREV(e, next);
            e->cb(e->opaque, running, state);
        }
    }
}

void vm_start(void)
{
    if (runstate_is_running()) {
        return;
    }
    runstate_set(RUN_STATE_RUNNING);
    qapi_event_send_resume(&error_abort);
    notify_handlers(true, RUN_STATE_RUNNING);
}

static int do_vm_stop(RunState state, bool send_event)
{
    bool was_running = runstate_is_running();

    if (was_running) {
        runstate_set(state);
        notify_handlers(false, state);
        if (send_event) {
            qapi_event_send_stop(&error_abort);
        }
    }
    bdrv_drain_all();
    return bdrv_flush_all();
}

int vm_stop(RunState state)
{
    return do_vm_stop(state, true);
}

void vm_shutdown(void)
{
    do_vm_stop(RUN_STATE_SHUTDOWN, false);
}

/* ---- Requests ---- */

void qemu_register_reset(QEMUResetHandler *func, void *opaque)
{
    ResetEntry *e = g_new0(ResetEntry, 1);

    e->func = func;
    e->opaque = opaque;
    QTAILQ_INSERT_TAIL(&reset_handlers, e, next);
}

void qemu_unregister_reset(QEMUResetHandler *func, void *opaque)
{
    ResetEntry *e;

    QTAILQ_FOREACH(e, &reset_handlers, next) {
        if (e->func == func && e->opaque == opaque) {
            QTAILQ_REMOVE(&reset_handlers, e, next);
            g_free(e);
            return;
        }
    }
}

void qemu_set_no_reboot(void)
{
    no_reboot = true;
}

void qemu_set_no_shutdown(void)
{
    no_shutdown = true;
}

void qemu_system_reset_request(ShutdownCause reason)
{
    if (no_reboot && reason != SHUTDOWN_CAUSE_SUBSYSTEM_RESET) {
        atomic_set(&shutdown_requested, reason);
    } else {
        atomic_set(&reset_requested, reason);
    }
    qemu_notify_event();
}

void qemu_system_shutdown_request(ShutdownCause reason)
{
    atomic_set(&shutdown_requested, reason);
    qemu_notify_event();
}

void qemu_system_vmstop_request(RunState state)
{
    atomic_set(&vmstop_requested, state);
    qemu_notify_event();
}

static bool caused_by_guest(ShutdownCause reason)
{
    return reason >= SHUTDOWN_CAUSE_GUEST_SHUTDOWN &&
           reason <= SHUTDOWN_CAUSE_GUEST_PANIC;
}

static void system_reset(ShutdownCause reason)
{
    ResetEntry *e, *next;

    QTAILQ_FOREACH_SAFE(e, &reset_handlers, next, next) {
        e->func(e->opaque);
    }
    if (reason != SHUTDOWN_CAUSE_SUBSYSTEM_RESET) {
        qapi_event_send_reset(caused_by_guest(reason), reason, &error_abort);
    }
    if (!runstate_is_running() && !runstate_check(RUN_STATE_INMIGRATE) &&
        !runstate_check(RUN_STATE_FINISH_MIGRATE)) {
        runstate_set(RUN_STATE_PRELAUNCH);
    }
}

/* Whether the machine shall stay there after a shutdown. */
static bool stay(ShutdownCause reason)
{
    return no_shutdown && reason != SHUTDOWN_CAUSE_HOST_QMP_QUIT &&
           reason != SHUTDOWN_CAUSE_HOST_SIGNAL;
}

/* Does what was asked for; true at the end of the program. */
static bool handle_requests(void)
{
    int reason = atomic_xchg(&shutdown_requested, SHUTDOWN_CAUSE_NONE);
    int state;

    if (reason != SHUTDOWN_CAUSE_NONE) {
        qapi_event_send_shutdown(caused_by_guest(reason), reason,
                                 &error_abort);
        if (!stay(reason)) {
            return true;
        }
        vm_stop(RUN_STATE_SHUTDOWN);
    }
    reason = atomic_xchg(&reset_requested, SHUTDOWN_CAUSE_NONE);
    if (reason != SHUTDOWN_CAUSE_NONE) {
        bdrv_drain_all();
        system_reset(reason);
    }
    state = atomic_xchg(&vmstop_requested, RUN_STATE__MAX);
    if (state != RUN_STATE__MAX) {
        vm_stop(state);
    }
    return false;
}

int qemu_main_loop(void)
{
    while (!handle_requests()) {
        main_loop_wait(false);
    }
    return EXIT_SUCCESS;
}

/* ---- QMP ---- */

StatusInfo *qmp_query_status(Error **errp)
{
    StatusInfo *info = g_new0(StatusInfo, 1);

    info->running = runstate_is_running();
    info->status = current;
    return info;
}

void qmp_stop(Error **errp)
{
    if (runstate_check(RUN_STATE_INMIGRATE)) {
        autostart = false;
    } else {
        vm_stop(RUN_STATE_PAUSED);
    }
}

void qmp_cont(Error **errp)
{
    BlockBackend *blk;

    if (runstate_check(RUN_STATE_INMIGRATE)) {
        autostart = true;
        return;
    }
    if (runstate_check(RUN_STATE_FINISH_MIGRATE)) {
        error_setg(errp, "Migration is not finalized yet");
        return;
    }
    if (runstate_check(RUN_STATE_SHUTDOWN) ||
        runstate_check(RUN_STATE_INTERNAL_ERROR)) {
        error_setg(errp, "Resetting the Virtual Machine is required");
        return;
    }
    /* What has failed is tried again. */
    for (blk = blk_next(NULL); blk; blk = blk_next(blk)) {
        blk_iostatus_reset(blk);
    }
    if (machine_prepare_start(errp)) {
        vm_start();
    }
}

void qmp_set_action(bool has_reboot, RebootAction reboot, bool has_shutdown,
                    ShutdownAction shutdown, bool has_panic,
                    PanicAction panic, bool has_watchdog,
                    WatchdogAction watchdog, Error **errp)
{
    if (has_reboot) {
        no_reboot = reboot == REBOOT_ACTION_SHUTDOWN;
    }
    if (has_shutdown) {
        no_shutdown = shutdown == SHUTDOWN_ACTION_PAUSE;
    }
}

/* There is no guest that would do something about it. */
void qmp_system_powerdown(Error **errp)
{
    qapi_event_send_powerdown(&error_abort);
}

void qmp_system_reset(Error **errp)
{
    qemu_system_reset_request(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
}
