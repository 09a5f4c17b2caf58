/*
 * SPDX-License-Identifier: MIT
 *
 * A flag that file descriptor monitors can wait for: an eventfd, or a pipe
 * where there is none.  Set and clear work from any thread.
 */
#ifndef QEMU_EVENT_NOTIFIER_H
#define QEMU_EVENT_NOTIFIER_H


struct EventNotifier {
    int rfd;
    int wfd;
};

typedef void EventNotifierHandler(EventNotifier *);

/* Opens the descriptors; @active: already set.  0 or -errno. */
int event_notifier_init(EventNotifier *e, int active);
/* Closes them; harmless for one that was cleaned up before. */
void event_notifier_cleanup(EventNotifier *e);
/* Wraps an eventfd that the caller has; cleanup closes it. */
void event_notifier_init_fd(EventNotifier *e, int fd);
/* The end to wait on, readable while the notifier is set. */
int event_notifier_get_fd(const EventNotifier *e);
/* The end to write to. */
int event_notifier_get_wfd(const EventNotifier *e);
/* 0 or -errno. */
int event_notifier_set(EventNotifier *e);
/* Non-zero if it was set. */
int event_notifier_test_and_clear(EventNotifier *e);

#endif /* QEMU_EVENT_NOTIFIER_H */
