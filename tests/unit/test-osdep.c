/*
 * SPDX-License-Identifier: MIT
 *
 * Memory, files, locks on files; notifiers between threads; modules.
 */
#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/socket.h>
#include "qapi/error.h"
#include "qemu/event_notifier.h"
#include "qemu/module.h"

static char *dir;

static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static void assert_text(Error *err, const char *text)
{
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void assert_close_on_exec(int fd)
{
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, !=, 0);
}

/* ---- Arithmetic ---- */

static void test_arithmetic(void)
{
    g_assert_cmpint(MIN_NON_ZERO(0, 5), ==, 5);
    g_assert_cmpint(MIN_NON_ZERO(7, 0), ==, 7);
    g_assert_cmpint(MIN_NON_ZERO(7, 5), ==, 5);
    g_assert_cmpint(DIV_ROUND_UP(9, 4), ==, 3);
    g_assert_cmpint(QEMU_ALIGN_UP(10, 3), ==, 12);
    g_assert_cmpint(QEMU_ALIGN_DOWN(11, 3), ==, 9);
    /* A narrow divisor does not cut a wide number. */
    g_assert_cmpuint(ROUND_UP(0x100000001ULL, 8u), ==, 0x100000008ULL);
    g_assert_cmpuint(ROUND_DOWN(0x10000000fULL, 8u), ==, 0x100000008ULL);
    g_assert_true(is_power_of_2(1) && is_power_of_2(1ULL << 63));
    g_assert_false(is_power_of_2(0) || is_power_of_2(6));
}

static void test_memory(void)
{
    size_t align;

    for (align = 8; align <= 2 << 20; align *= 4) {
        QEMU_AUTO_VFREE char *p = qemu_memalign(align, 100);

        g_assert_true(QEMU_PTR_IS_ALIGNED(p, align));
        memset(p, 1, 100);
    }
    qemu_vfree(NULL);
    g_assert_true(is_power_of_2(qemu_real_host_page_size()));
}

/* ---- Files ---- */

static void test_open(void)
{
    g_autofree char *path = path_of("open");
    g_autofree char *none = g_strdup_printf("Could not open '%s': "
                                            "No such file or directory", path);
    g_autofree char *there = g_strdup_printf("Could not create '%s': "
                                             "File exists", path);
    Error *err = NULL;
    int fd;

    g_assert_cmpint(qemu_open(path, O_RDONLY, &err), ==, -1);
    assert_text(err, none);
    err = NULL;
    fd = qemu_create(path, O_RDWR | O_EXCL, 0600, &error_abort);
    assert_close_on_exec(fd);
    g_assert_cmpint(qemu_write_full(fd, "abc", 3), ==, 3);
    g_assert_cmpint(qemu_fdatasync(fd), ==, 0);
    g_assert_cmpint(qemu_create(path, O_RDWR | O_EXCL, 0600, &err), ==, -1);
    assert_text(err, there);
    g_assert_cmpint(qemu_close(fd), ==, 0);

    fd = qemu_open(path, O_RDONLY, &error_abort);
    assert_close_on_exec(fd);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 3);
    g_assert_cmpint(qemu_close(fd), ==, 0);
    g_assert_cmpint(qemu_unlink(path), ==, 0);
    g_assert_cmpint(qemu_unlink(path), ==, -1);
}

static void test_descriptors(void)
{
    int fd = dup(0), copy;

    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, 0);
    copy = qemu_dup(fd);
    assert_close_on_exec(copy);
    qemu_set_cloexec(fd);
    assert_close_on_exec(fd);
    close(fd);
    close(copy);
    fd = qemu_socket(AF_UNIX, SOCK_STREAM, 0);
    assert_close_on_exec(fd);
    close(fd);
    g_assert_cmpint(qemu_write_full(-1, "x", 1), <, 1);
}

static void test_temporary(void)
{
    char name[PATH_MAX];

    g_assert_cmpint(get_tmp_filename(name, sizeof(name)), ==, 0);
    g_assert_true(g_file_test(name, G_FILE_TEST_EXISTS));
    g_assert_cmpint(unlink(name), ==, 0);
}

/* ---- Locks ---- */

/* Locks belong to the open file: two of them are like two processes. */
static void test_locks(void)
{
    g_autofree char *path = path_of("lock");
    int a = qemu_create(path, O_RDWR, 0600, &error_abort);
    int b = qemu_open(path, O_RDWR, &error_abort);

    g_assert_cmpint(qemu_lock_fd(a, 100, 1, false), ==, 0);
    g_assert_cmpint(qemu_lock_fd_test(b, 100, 1, true), ==, -EAGAIN);
    g_assert_cmpint(qemu_lock_fd_test(b, 100, 1, false), ==, 0);
    g_assert_cmpint(qemu_lock_fd_test(b, 101, 1, true), ==, 0);
    g_assert_cmpint(qemu_lock_fd(b, 100, 1, false), ==, 0);
    g_assert_cmpint(qemu_lock_fd(a, 100, 1, true), ==, -EAGAIN);
    g_assert_cmpint(qemu_unlock_fd(b, 100, 1), ==, 0);
    g_assert_cmpint(qemu_lock_fd(a, 100, 1, true), ==, 0);
    g_assert_cmpint(qemu_lock_fd_test(b, 100, 1, false), ==, -EAGAIN);
    close(a);
    g_assert_cmpint(qemu_lock_fd_test(b, 100, 1, true), ==, 0);
    close(b);
    unlink(path);
}

static void test_pidfile(void)
{
    g_autofree char *path = path_of("pid");
    g_autofree char *text = NULL;

    g_assert_true(qemu_write_pidfile(path, &error_abort));
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpint(atoi(text), ==, getpid());
    unlink(path);
}

/* ---- Notifiers ---- */

static void test_notifier(void)
{
    EventNotifier e;

    g_assert_cmpint(event_notifier_init(&e, false), ==, 0);
    g_assert_false(event_notifier_test_and_clear(&e));
    event_notifier_set(&e);
    event_notifier_set(&e);
    g_assert_true(event_notifier_test_and_clear(&e));
    g_assert_false(event_notifier_test_and_clear(&e));
    event_notifier_cleanup(&e);
    g_assert_cmpint(event_notifier_init(&e, true), ==, 0);
    g_assert_true(event_notifier_test_and_clear(&e));
    event_notifier_cleanup(&e);
}

static void *set_thread(void *opaque)
{
    event_notifier_set(opaque);
    return NULL;
}

static void test_notifier_thread(void)
{
    EventNotifier e;
    struct pollfd pfd = { .events = POLLIN };
    GThread *thread;

    event_notifier_init(&e, false);
    pfd.fd = event_notifier_get_fd(&e);
    g_assert_cmpint(poll(&pfd, 1, 0), ==, 0);
    thread = g_thread_new("setter", set_thread, &e);
    g_assert_cmpint(poll(&pfd, 1, -1), ==, 1);
    g_assert_true(event_notifier_test_and_clear(&e));
    g_thread_join(thread);
    event_notifier_cleanup(&e);
}

/* ---- Modules ---- */

static GString *called;

static void init_opts_1(void)
{
    g_string_append_c(called, '1');
}

static void init_opts_2(void)
{
    g_string_append_c(called, '2');
}

static void init_trace(void)
{
    g_string_append_c(called, 't');
}

static void test_modules(void)
{
    called = g_string_new(NULL);
    register_module_init(init_opts_1, MODULE_INIT_OPTS);
    register_module_init(init_trace, MODULE_INIT_TRACE);
    register_module_init(init_opts_2, MODULE_INIT_OPTS);
    module_call_init(MODULE_INIT_OPTS);
    g_assert_cmpstr(called->str, ==, "12");
    module_call_init(MODULE_INIT_OPTS);
    g_assert_cmpstr(called->str, ==, "12");
    module_call_init(MODULE_INIT_TRACE);
    g_assert_cmpstr(called->str, ==, "12t");
    g_string_free(called, true);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    dir = g_dir_make_tmp("test-osdep-XXXXXX", NULL);
    g_test_add_func("/osdep/arithmetic", test_arithmetic);
    g_test_add_func("/osdep/memory", test_memory);
    g_test_add_func("/osdep/open", test_open);
    g_test_add_func("/osdep/descriptors", test_descriptors);
    g_test_add_func("/osdep/temporary", test_temporary);
    g_test_add_func("/osdep/locks", test_locks);
    g_test_add_func("/osdep/pidfile", test_pidfile);
    g_test_add_func("/event-notifier/set", test_notifier);
    g_test_add_func("/event-notifier/thread", test_notifier_thread);
    g_test_add_func("/module/order", test_modules);
    ret = g_test_run();
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
