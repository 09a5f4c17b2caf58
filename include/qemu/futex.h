/*
 * SPDX-License-Identifier: MIT
 *
 * Waiting for a word of memory to change, and waking those who wait (Linux).
 * The word is 32 bits wide and shared by the threads of one process only.
 */
#ifndef QEMU_FUTEX_H
#define QEMU_FUTEX_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>
#include <stdlib.h>

/* Wakes up to @n threads that wait on @f. */
static inline void qemu_futex_wake(void *f, int n)
{
    syscall(SYS_futex, f, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/*
 * Sleeps while the word at @f equals @val.  Returns when it differs, or after
 * a wake-up on it; the caller looks at the word again.
 */
static inline void qemu_futex_wait(void *f, unsigned val)
{
    while (syscall(SYS_futex, f, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0) < 0) {
        if (errno == EAGAIN) {
            return;
        }
        if (errno != EINTR) {
            abort();
        }
    }
}

#endif /* QEMU_FUTEX_H */
