/*
 * SPDX-License-Identifier: MIT
 *
 * Event notifiers: an eventfd where the kernel has it, else a pipe.
 *
 * Invariant: rfd == wfd exactly for an eventfd; both are -1 after cleanup.
 */
#include "qemu/osdep.h"
#ifdef CONFIG_LINUX
#include <sys/eventfd.h>
#endif
#include "qemu/event_notifier.h"

static int notifier_open_pipe(EventNotifier *e)
{
    int fds[2];

    if (pipe(fds) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
    }
    e->rfd = fds[0];
    e->wfd = fds[1];
    return 0;
}

int event_notifier_init(EventNotifier *e, int active)
{
    int ret;

    e->rfd = e->wfd = -1;
#ifdef CONFIG_LINUX
    e->rfd = e->wfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (e->rfd < 0 && errno != ENOSYS) {
        return -errno;
    }
#endif
    if (e->rfd < 0) {
        ret = notifier_open_pipe(e);
        if (ret < 0) {
            return ret;
        }
    }
    return active ? event_notifier_set(e) : 0;
}

void event_notifier_init_fd(EventNotifier *e, int fd)
{
    e->rfd = e->wfd = fd;
}

void event_notifier_cleanup(EventNotifier *e)
{
    if (e->wfd != e->rfd && e->wfd >= 0) {
        close(e->wfd);
    }
    if (e->rfd >= 0) {
        close(e->rfd);
    }
    e->rfd = e->wfd = -1;
}

int event_notifier_get_fd(const EventNotifier *e)
{
    return e->rfd;
}

int event_notifier_get_wfd(const EventNotifier *e)
{
    return e->wfd;
}

int event_notifier_set(EventNotifier *e)
{
    static const uint64_t one = 1;
    ssize_t n;

    if (e->wfd < 0) {
        return -EINVAL;
    }
    do {
        n = write(e->wfd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);

    /* A full counter or pipe is set already. */
    return n < 0 && errno != EAGAIN ? -errno : 0;
}

int event_notifier_test_and_clear(EventNotifier *e)
{
    uint64_t buf[64];
    ssize_t n;
    int was_set = 0;

    if (e->rfd < 0) {
        return 0;
    }
    if (e->rfd == e->wfd) {
        do {
            n = read(e->rfd, buf, sizeof(buf[0]));
        } while (n < 0 && errno == EINTR);
        return n > 0;
    }
    /* A pipe holds as many bytes as were ever written. */
    do {
        n = read(e->rfd, buf, sizeof(buf));
        was_set |= n > 0;
    } while (n == sizeof(buf) || (n < 0 && errno == EINTR));
    return was_set;
}
