/*
 * SPDX-License-Identifier: MIT
 *
 * Going into the background, seen by the parent only when all is well.
 */
#include "qemu/osdep.h"
#include "qemu/daemonize.h"
#include "qemu/error-report.h"
#include <sys/wait.h>

static int ready_pipe = -1;
static bool daemonized;

bool is_daemonized(void)
{
    return daemonized;
}

/* The parent's part: one byte means success. */
static void wait_for_child(int fd)
{
    char status;
    ssize_t n;

    do {
        n = read(fd, &status, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

void os_daemonize(void)
{
    int fds[2];
    pid_t pid;

    fflush(NULL);
    if (pipe(fds) < 0 || (pid = fork()) < 0) {
        error_report("cannot daemonize: %s", strerror(errno));
        exit(1);
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(fds[0]);
    }
    close(fds[0]);
    setsid();
    /* Without being the leader it cannot get a terminal again. */
    pid = fork();
    if (pid != 0) {
        _exit(pid > 0 ? 0 : 1);
    }
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    ready_pipe = fds[1];
    daemonized = true;
    umask(027);
    signal(SIGTSTP, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGTTIN, SIG_IGN);
}

void os_setup_post(void)
{
    char ok = 0;
    int null;
    ssize_t n;

    if (!daemonized) {
        return;
    }
    if (chdir("/") < 0) {
        error_report("not able to chdir to /: %s", strerror(errno));
        exit(1);
    }
    fflush(NULL);
    null = open("/dev/null", O_RDWR);
    if (null < 0) {
        error_report("Could not open '/dev/null': %s", strerror(errno));
        exit(1);
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        dup2(null, fd);
    }
    if (null > STDERR_FILENO) {
        close(null);
    }
    do {
        n = write(ready_pipe, &ok, 1);
    } while (n < 0 && errno == EINTR);
    close(ready_pipe);
    ready_pipe = -1;
}
