/*
 * SPDX-License-Identifier: MIT
 *
 * The main loop: iterates the default GMainContext, whose sources are the main
 * AioContext and whatever monitors and character devices attach.
 *
 * The iteration is spelled out (prepare, query, poll, check, dispatch) rather
 * than left to GLib because GLib rounds timeouts up to milliseconds.
 *
 * Signals are written as bytes into a pipe by their handlers, so that what is
 * done about them runs as a file descriptor handler.
 */
#include "qemu/osdep.h"
#include <signal.h>
#include "qapi/error.h"
#include "block/aio.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"

/* Rounds of BHs that follow an iteration before descriptors are looked at. */
#define MAX_BH_ROUNDS 16

static AioContext *main_aio_context;    /* written once */
static GArray *main_pollfds;            /* main thread */

/* ---- Which thread ---- */

/* Its address tells threads apart. */
static __thread char thread_tag;
static const void *main_thread_tag;     /* atomic */

static void __attribute__((constructor)) main_thread_constructor(void)
{
    __atomic_store_n(&main_thread_tag, (const void *)&thread_tag,
                     __ATOMIC_RELAXED);
}

bool qemu_in_main_thread(void)
{
    return __atomic_load_n(&main_thread_tag, __ATOMIC_RELAXED) == &thread_tag;
}

/* ---- Signals ---- */

#define MAX_SIGNALS 65

typedef struct SignalAction {
    IOHandler *handler;
    void *opaque;
} SignalAction;

static SignalAction signal_actions[MAX_SIGNALS];
static int signal_pipe[2] = { -1, -1 };
/* Atomic: who sent each signal last, 0 for the kernel. */
static int signal_senders[MAX_SIGNALS];

static void signal_arrived(int signum, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    uint8_t byte = signum;
    ssize_t n;

    /* A process, and not a timer, a terminal, ... */
    atomic_set(&signal_senders[signum],
               info->si_code == SI_USER || info->si_code == SI_TKILL ||
               info->si_code == SI_QUEUE ? info->si_pid : 0);
    /* A full pipe has enough for the loop to wake up. */
    n = write(signal_pipe[1], &byte, 1);
    (void)n;
    errno = saved_errno;
}

static void signal_pipe_readable(void *opaque)
{
    uint8_t bytes[64];
    ssize_t n = read(signal_pipe[0], bytes, sizeof(bytes));

    for (ssize_t i = 0; i < n; i++) {
        SignalAction action = signal_actions[bytes[i]];

        if (action.handler) {
            action.handler(action.opaque);
        }
    }
}

static void signal_pipe_open(void)
{
    if (pipe(signal_pipe) < 0) {
        fprintf(stderr, "cannot create the pipe for signals: %s\n",
                strerror(errno));
        abort();
    }
    for (int i = 0; i < 2; i++) {
        fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
    }
    qemu_set_fd_handler(signal_pipe[0], signal_pipe_readable, NULL, NULL);
}

void qemu_set_signal_handler(int signum, IOHandler *handler, void *opaque)
{
    struct sigaction act = {
        .sa_flags = SA_RESTART,
    };
    sigset_t set;

    assert(signum > 0 && signum < MAX_SIGNALS);
    if (signal_pipe[0] < 0) {
        signal_pipe_open();
    }
    signal_actions[signum] = (SignalAction) {
        .handler = handler,
        .opaque = opaque,
    };
    if (handler) {
        act.sa_sigaction = signal_arrived;
        act.sa_flags |= SA_SIGINFO;
    } else {
        act.sa_handler = SIG_DFL;
    }
    sigemptyset(&act.sa_mask);
    sigaction(signum, &act, NULL);

    /* It may have been blocked by the parent. */
    sigemptyset(&set);
    sigaddset(&set, signum);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

pid_t qemu_signal_sender(int signum)
{
    return atomic_read(&signal_senders[signum]);
}

/* ---- The loop ---- */

AioContext *qemu_get_aio_context(void)
{
    return main_aio_context;
}

void qemu_notify_event(void)
{
    if (main_aio_context) {
        aio_notify(main_aio_context);
    }
}

static void main_timers_notify(void *opaque, QEMUClockType type)
{
    if (main_aio_context) {
        aio_changed(main_aio_context);
    }
}

int qemu_init_main_loop(Error **errp)
{
    GSource *source;

    if (main_aio_context) {
        return 0;
    }
    __atomic_store_n(&main_thread_tag, (const void *)&thread_tag,
                     __ATOMIC_RELAXED);
    init_clocks(main_timers_notify);
    /* A peer that closes its end is an error of the write. */
    signal(SIGPIPE, SIG_IGN);

    main_aio_context = aio_context_new(errp);
    if (!main_aio_context) {
        return -EMFILE;
    }
    main_pollfds = g_array_new(FALSE, FALSE, sizeof(GPollFD));
    source = aio_get_g_source(main_aio_context);
    g_source_attach(source, NULL);
    g_source_unref(source);
    return 0;
}

QEMUBH *qemu_bh_new(QEMUBHFunc *cb, void *opaque)
{
    return aio_bh_new(main_aio_context, cb, opaque);
}

void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque)
{
    aio_set_fd_handler(main_aio_context, fd, false, fd_read, fd_write, NULL,
                       opaque);
}

/* Fills main_pollfds; *@timeout in ns. */
static int main_loop_query(GMainContext *context, int priority,
                           int64_t *timeout)
{
    int n, ms;

    for (;;) {
        n = g_main_context_query(context, priority, &ms,
                                 (GPollFD *)main_pollfds->data,
                                 main_pollfds->len);
        if (n <= main_pollfds->len) {
            break;
        }
        g_array_set_size(main_pollfds, n);
    }
    *timeout = ms < 0 ? -1 : (int64_t)ms * SCALE_MS;
    return n;
}

static void main_loop_iterate(GMainContext *context, bool block)
{
    int64_t timeout;
    int priority, n;
    GPollFD *fds;

    g_main_context_prepare(context, &priority);
    n = main_loop_query(context, priority, &timeout);
    fds = (GPollFD *)main_pollfds->data;
    if (!block) {
        timeout = 0;
    } else if (timeout != 0) {
        timeout = qemu_soonest_timeout(timeout,
                timerlistgroup_deadline_ns(&main_loop_tlg));
        /* The same as in GLib's timeout, but exact. */
        timeout = qemu_soonest_timeout(timeout,
                timerlistgroup_deadline_ns(&main_aio_context->tlg));
    }
    if (qemu_poll_ns(fds, n, timeout) < 0) {
        for (int i = 0; i < n; i++) {
            fds[i].revents = 0;
        }
    }
    /* A handler may iterate, and so replace the array. */
    if (g_main_context_check(context, priority, fds, n)) {
        g_main_context_dispatch(context);
    }
}

void main_loop_wait(int nonblocking)
{
    GMainContext *context = g_main_context_default();

    if (!g_main_context_acquire(context)) {
        /* Two threads cannot be the main thread. */
        abort();
    }
    main_loop_iterate(context, !nonblocking);
    qemu_clock_run_all_timers();

    /* What became ready by that needs no look at descriptors. */
    for (int i = 0; i < MAX_BH_ROUNDS; i++) {
        if (!aio_bh_poll(main_aio_context)) {
            break;
        }
    }
    g_main_context_release(context);
}
