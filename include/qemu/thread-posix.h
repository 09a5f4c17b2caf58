/*
 * SPDX-License-Identifier: MIT
 *
 * The thread types on POSIX hosts.  All are allocated by their users.
 */
#ifndef QEMU_THREAD_POSIX_H
#define QEMU_THREAD_POSIX_H

#include <pthread.h>

struct QemuMutex {
    pthread_mutex_t lock;
    bool initialized;
};

/* A mutex that its owner may take again. */
struct QemuRecMutex {
    QemuMutex m;
};

struct QemuCond {
    pthread_cond_t cond;
    bool initialized;
};

struct QemuEvent {
#ifndef CONFIG_LINUX
    pthread_mutex_t lock;
    pthread_cond_t cond;
#endif
    unsigned value;
    bool initialized;
};

struct QemuThread {
    pthread_t thread;
};

#endif /* QEMU_THREAD_POSIX_H */
