/*
 * SPDX-License-Identifier: MIT
 *
 * Programs that go into the background.
 */
#ifndef QEMU_DAEMONIZE_H
#define QEMU_DAEMONIZE_H

/*
 * Goes on in a child process without terminal.  The parent waits until the
 * child calls os_setup_post(), and exits with 0 then, or with 1 if the child
 * ends before.  Before any thread is made; exits with 1 if it fails.
 */
void os_daemonize(void);
bool is_daemonized(void);

/* After initialisation: lets the parent go, and standard streams too. */
void os_setup_post(void);

#endif /* QEMU_DAEMONIZE_H */
