/*
 * SPDX-License-Identifier: MIT
 *
 * Locks on image files: which bytes are locked, conflicts with others, and
 * what happens when permissions and flags change.  The last tests hold an
 * image against the distribution's programs, if they are installed.
 */
#include "qemu/osdep.h"
#include <sys/wait.h>
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"

#define USED     100
#define UNSHARED 200

#define BIT_WRITE 1     /* number of BLK_PERM_WRITE's bit */

/* Is byte @offset of the file locked by any other open file? */
static bool is_locked(const char *path, int offset)
{
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    int fd = open(path, O_RDWR);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &lock), ==, 0);
    close(fd);
    return lock.l_type != F_UNLCK;
}

/* A bit for each locked byte from @base on. */
static unsigned locked_mask(const char *path, int base)
{
    unsigned mask = 0;
    int bit;

    for (bit = 0; bit < 8; bit++) {
        mask |= is_locked(path, base + bit) << bit;
    }
    return mask;
}

/* Lock a byte as another program does; the descriptor. */
static int foreign_lock(const char *path, int offset)
{
    struct flock lock = {
        .l_type = F_RDLCK,
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    int fd = open(path, O_RDONLY);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
    return fd;
}

static BlockBackend *open_file(const char *path, Error **errp)
{
    return test_open(BDRV_O_RDWR, errp, "driver", "file", "filename", path,
                     NULL);
}

static void assert_lock_error(Error *err, const char *text)
{
    g_assert_nonnull(err);
    g_assert_nonnull(strstr(error_get_pretty(err), text));
    error_free(err);
}

static void test_bytes(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *blk = open_file(path, &error_abort);

    g_assert_cmphex(locked_mask(path, USED), ==,
                    BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, 0);

    blk_set_perm(blk, BLK_PERM_WRITE | BLK_PERM_RESIZE,
                 BLK_PERM_ALL & ~(BLK_PERM_WRITE | BLK_PERM_RESIZE),
                 &error_abort);
    g_assert_cmphex(locked_mask(path, USED), ==,
                    BLK_PERM_WRITE | BLK_PERM_RESIZE);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==,
                    BLK_PERM_WRITE | BLK_PERM_RESIZE);

    blk_set_perm(blk, 0, BLK_PERM_ALL, &error_abort);
    g_assert_cmphex(locked_mask(path, USED), ==, 0);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, 0);

    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL, &error_abort);
    blk_unref(blk);
    g_assert_cmphex(locked_mask(path, USED), ==, 0);
    test_remove_file(path);
}

static void test_conflict_unshared(void)
{
    char *path = test_new_file(64 * KiB);
    int fd = foreign_lock(path, UNSHARED + BIT_WRITE);
    Error *err = NULL;
    BlockBackend *blk;

    g_assert_null(open_file(path, &err));
    assert_lock_error(err, "Failed to get \"write\" lock");

    /* Readers are welcome. */
    blk = test_open(0, &error_abort, "driver", "file", "filename", path,
                    NULL);
    test_check(blk, 0, 512, 0);
    blk_unref(blk);
    close(fd);
    blk = open_file(path, &error_abort);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_conflict_used(void)
{
    char *path = test_new_file(64 * KiB);
    int fd = foreign_lock(path, USED + BIT_WRITE);
    BlockBackend *blk = open_file(path, &error_abort);
    Error *err = NULL;

    g_assert_cmpint(blk_set_perm(blk, BLK_PERM_WRITE,
                                 BLK_PERM_ALL & ~BLK_PERM_WRITE, &err), <, 0);
    assert_lock_error(err, "Failed to get shared \"write\" lock");
    /* Nothing is left of the attempt. */
    close(fd);
    g_assert_cmphex(locked_mask(path, USED), ==,
                    BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, 0);
    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL & ~BLK_PERM_WRITE,
                 &error_abort);
    blk_unref(blk);
    test_remove_file(path);
}

/* Two nodes of one process are two users, too. */
static void test_same_process(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *a = open_file(path, &error_abort);
    Error *err = NULL;

    blk_set_perm(a, BLK_PERM_WRITE, BLK_PERM_ALL & ~BLK_PERM_RESIZE,
                 &error_abort);
    g_assert_null(test_open(BDRV_O_RDWR | BDRV_O_RESIZE, &err,
                            "driver", "file", "filename", path, NULL));
    assert_lock_error(err, "Failed to get \"resize\" lock");
    blk_unref(a);
    test_remove_file(path);
}

static void test_locking_off(void)
{
    char *path = test_new_file(64 * KiB);
    int fd = foreign_lock(path, UNSHARED + BIT_WRITE);
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "file", "filename", path,
                                  "locking", "off", NULL);

    g_assert_cmphex(locked_mask(path, USED), ==, 0);
    blk_unref(blk);
    close(fd);
    test_remove_file(path);
}

static void test_reopen_keeps_locks(void)
{
    char *path = test_new_file(64 * KiB);
    BlockBackend *blk = open_file(path, &error_abort);
    BlockDriverState *bs = blk_bs(blk);

    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ,
                 BLK_PERM_ALL & ~BLK_PERM_RESIZE, &error_abort);
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, true, &error_abort), ==, 0);
    g_assert_cmphex(locked_mask(path, USED), ==, BLK_PERM_CONSISTENT_READ);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, BLK_PERM_RESIZE);
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, false, &error_abort), ==,
                    0);
    g_assert_cmphex(locked_mask(path, USED), ==, BLK_PERM_CONSISTENT_READ);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, BLK_PERM_RESIZE);
    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL, &error_abort);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    blk_unref(blk);
    test_remove_file(path);
}

/* With auto-read-only the file is open for writing only with a writer, and
 * the locks follow to the other open file. */
static void test_auto_read_only(void)
{
    char *path = test_new_file(64 * KiB);
    QDict *options = test_options("driver", "file", "filename", path,
                                  "read-only", "off", "auto-read-only", "on",
                                  NULL);
    BlockDriverState *bs = bdrv_open(NULL, NULL, options, BDRV_O_RDWR,
                                     &error_abort);
    BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ,
                                BLK_PERM_ALL & ~BLK_PERM_RESIZE);

    blk_insert_bs(blk, bs, &error_abort);
    bdrv_unref(bs);
    g_assert_cmphex(locked_mask(path, USED), ==, BLK_PERM_CONSISTENT_READ);
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                 BLK_PERM_ALL & ~BLK_PERM_RESIZE, &error_abort);
    g_assert_cmphex(locked_mask(path, USED), ==,
                    BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, BLK_PERM_RESIZE);
    g_assert_cmpint(test_write(blk, 0, 512, 7), ==, 0);
    blk_set_perm(blk, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, &error_abort);
    g_assert_cmphex(locked_mask(path, USED), ==, BLK_PERM_CONSISTENT_READ);
    g_assert_cmphex(locked_mask(path, UNSHARED), ==, 0);
    test_check(blk, 0, 512, 7);
    blk_unref(blk);
    test_remove_file(path);
}

static void test_create_refused(void)
{
    char *path = test_new_file(64 * KiB);
    int fd = foreign_lock(path, UNSHARED + BIT_WRITE);
    QemuOpts *opts = qemu_opts_create(bdrv_find_format("file")->create_opts,
                                      NULL, 0, &error_abort);
    Error *err = NULL;
    struct stat st;

    qemu_opt_set_number(opts, "size", 1 * MiB, &error_abort);
    g_assert_cmpint(bdrv_create(bdrv_find_format("file"), path, opts, &err),
                    <, 0);
    assert_lock_error(err, "Failed to get \"write\" lock");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 64 * KiB);
    close(fd);
    qemu_opts_del(opts);
    test_remove_file(path);
}

/* ---- The distribution's programs ---- */

/* Run qemu-io's @command on a raw image; its whole output. */
static char *run_qemu_io(const char *path, const char *command)
{
    const char *argv[] = { "/usr/bin/qemu-io", "-f", "raw", "-c", command,
                           path, NULL };
    char *out = NULL, *err = NULL, *all;

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL,
                               &out, &err, NULL, NULL));
    all = g_strconcat(out, err, NULL);
    g_free(out);
    g_free(err);
    return all;
}

static bool skip_without_qemu_io(void)
{
    if (g_file_test("/usr/bin/qemu-io", G_FILE_TEST_IS_EXECUTABLE)) {
        return false;
    }
    g_test_skip("/usr/bin/qemu-io is not installed");
    return true;
}

static void test_others_respect_us(void)
{
    g_autofree char *out = NULL;
    g_autofree char *out2 = NULL;
    char *path;
    BlockBackend *blk;

    if (skip_without_qemu_io()) {
        return;
    }
    path = test_new_file(64 * KiB);
    blk = open_file(path, &error_abort);
    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL & ~BLK_PERM_WRITE,
                 &error_abort);
    out = run_qemu_io(path, "read 0 512");
    g_assert_nonnull(strstr(out, "Failed to get \"write\" lock"));
    blk_unref(blk);
    out2 = run_qemu_io(path, "read 0 512");
    g_assert_nonnull(strstr(out2, "read 512/512 bytes"));
    test_remove_file(path);
}

static void test_we_respect_others(void)
{
    static const char *const argv[] = { "/usr/bin/qemu-io", "-f", "raw",
                                        NULL, NULL };
    const char *args[ARRAY_SIZE(argv)];
    Error *err = NULL;
    char *path, got[64];
    BlockBackend *blk;
    GPid pid;
    int in, out;

    if (skip_without_qemu_io()) {
        return;
    }
    path = test_new_file(64 * KiB);
    memcpy(args, argv, sizeof(args));
    args[3] = path;
    g_assert_true(g_spawn_async_with_pipes(NULL, (char **)args, NULL,
                                           G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                           NULL, &pid, &in, &out, NULL,
                                           NULL));
    /* It answers when it has opened the image. */
    g_assert_cmpint(write(in, "length\n", 7), ==, 7);
    g_assert_cmpint(read(out, got, sizeof(got)), >, 0);

    blk = open_file(path, &error_abort);
    g_assert_cmpint(blk_set_perm(blk, BLK_PERM_WRITE,
                                 BLK_PERM_ALL & ~BLK_PERM_WRITE, &err), <, 0);
    assert_lock_error(err, "Failed to get shared \"write\" lock");
    g_assert_cmpint(write(in, "quit\n", 5), ==, 5);
    close(in);
    while (read(out, got, sizeof(got)) > 0) {
        /* until it has ended */
    }
    close(out);
    waitpid(pid, NULL, 0);
    g_spawn_close_pid(pid);
    blk_set_perm(blk, BLK_PERM_WRITE, BLK_PERM_ALL & ~BLK_PERM_WRITE,
                 &error_abort);
    blk_unref(blk);
    test_remove_file(path);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    if (!qemu_has_ofd_lock()) {
        return 77;
    }
    g_test_add_func("/locking/bytes", test_bytes);
    g_test_add_func("/locking/conflict/unshared", test_conflict_unshared);
    g_test_add_func("/locking/conflict/used", test_conflict_used);
    g_test_add_func("/locking/same-process", test_same_process);
    g_test_add_func("/locking/off", test_locking_off);
    g_test_add_func("/locking/reopen", test_reopen_keeps_locks);
    g_test_add_func("/locking/auto-read-only", test_auto_read_only);
    g_test_add_func("/locking/create-refused", test_create_refused);
    g_test_add_func("/locking/others-respect-us", test_others_respect_us);
    g_test_add_func("/locking/we-respect-others", test_we_respect_others);
    return g_test_run();
}
