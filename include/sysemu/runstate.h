/*
 * SPDX-License-Identifier: MIT
 *
 * What the machine is doing, and requests to change that.  Main thread,
 * except for requests, which any thread may make.
 */
#ifndef SYSEMU_RUNSTATE_H
#define SYSEMU_RUNSTATE_H

#include "qapi/qapi-types-run-state.h"
#include "qemu/queue.h"

typedef void VMChangeStateHandler(void *opaque, bool running, RunState state);
typedef struct VMChangeStateEntry VMChangeStateEntry;

/*
 * Called when the machine starts, in the order of registration, and when it
 * stops, in the reverse order.
 */
VMChangeStateEntry *
qemu_add_vm_change_state_handler(VMChangeStateHandler *cb, void *opaque);
void qemu_del_vm_change_state_handler(VMChangeStateEntry *e);

bool runstate_check(RunState state);
bool runstate_is_running(void);
RunState runstate_get(void);
/* Asserts that this follows the present state. */
void runstate_set(RunState new_state);

void vm_start(void);
/* Waits for requests that run, and flushes; 0 or -errno of the flush. */
int vm_stop(RunState state);
/* The same at the end of the program, without an event. */
void vm_shutdown(void);

/* The main loop does it soon. */
void qemu_system_reset_request(ShutdownCause reason);
void qemu_system_shutdown_request(ShutdownCause reason);
void qemu_system_vmstop_request(RunState state);

typedef void QEMUResetHandler(void *opaque);
/* Called when the machine is reset, in the order of registration. */
void qemu_register_reset(QEMUResetHandler *func, void *opaque);
void qemu_unregister_reset(QEMUResetHandler *func, void *opaque);

/* -no-reboot, -no-shutdown. */
void qemu_set_no_reboot(void);
void qemu_set_no_shutdown(void);

/* Runs until the end is asked for; what the program exits with. */
int qemu_main_loop(void);

#endif /* SYSEMU_RUNSTATE_H */
