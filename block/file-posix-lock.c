/*
 * SPDX-License-Identifier: MIT
 *
 * Locks by which processes that have an image file open tell each other what
 * they do with it.  Each permission has two bytes of the file: one is locked
 * by those that use the permission, the other one by those that do not let
 * anybody else use it.  All locks are shared ones, so that taking them never
 * fails because of others; a conflict is found by testing whether somebody
 * holds the opposite byte.  The offsets are the same in all programs of the
 * family and must not change.
 *
 * The locks belong to the open file (F_OFD_SETLK), not to the process.
 */
#include "qemu/osdep.h"
#include "block/file-posix-internal.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

#define LOCK_BYTE_USED      100     /* + number of the permission's bit */
#define LOCK_BYTE_UNSHARED  200

#define PERM_BITS 5
QEMU_BUILD_BUG_ON(BLK_PERM_ALL != (1 << PERM_BITS) - 1);

/* Lock the bytes at @base of the bits in @wanted that *@held lacks. */
static int take_bytes(int fd, uint64_t *held, uint64_t wanted, int base,
                      Error **errp)
{
    int bit;

    for (bit = 0; bit < PERM_BITS; bit++) {
        uint64_t mask = 1ull << bit;
        int ret;

        if (!(wanted & ~*held & mask)) {
            continue;
        }
        ret = qemu_lock_fd(fd, base + bit, 1, false);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Failed to lock byte %d",
                             base + bit);
            return ret;
        }
        *held |= mask;
    }
    return 0;
}

static void trim_bytes(int fd, uint64_t *held, uint64_t wanted, int base)
{
    int bit;

    for (bit = 0; bit < PERM_BITS; bit++) {
        uint64_t mask = 1ull << bit;
        int ret;

        if (!(*held & ~wanted & mask)) {
            continue;
        }
        ret = qemu_unlock_fd(fd, base + bit, 1);
        if (ret < 0) {
            warn_report("Failed to unlock byte %d: %s", base + bit,
                        strerror(-ret));
            continue;
        }
        *held &= ~mask;
    }
}

int file_locks_take(int fd, FileLocks *held, uint64_t used, uint64_t unshared,
                    Error **errp)
{
    int ret = take_bytes(fd, &held->used, used, LOCK_BYTE_USED, errp);

    if (ret < 0) {
        return ret;
    }
    return take_bytes(fd, &held->unshared, unshared, LOCK_BYTE_UNSHARED,
                      errp);
}

void file_locks_trim(int fd, FileLocks *held, uint64_t used,
                     uint64_t unshared)
{
    trim_bytes(fd, &held->used, used, LOCK_BYTE_USED);
    trim_bytes(fd, &held->unshared, unshared, LOCK_BYTE_UNSHARED);
}

/* Does another open file hold one of the bytes at @base for @perms? */
static int check_bytes(int fd, const char *filename, uint64_t perms, int base,
                       const char *kind, Error **errp)
{
    int bit;

    for (bit = 0; bit < PERM_BITS; bit++) {
        g_autofree char *name = NULL;
        int ret;

        if (!(perms & (1ull << bit))) {
            continue;
        }
        ret = qemu_lock_fd_test(fd, base + bit, 1, true);
        if (!ret) {
            continue;
        }
        name = bdrv_perm_names(1ull << bit);
        error_setg(errp, "Failed to get %s\"%s\" lock", kind, name);
        error_append_hint(errp, "Is another process using the image [%s]?\n",
                          filename);
        return ret;
    }
    return 0;
}

int file_locks_check(int fd, const char *filename, uint64_t used,
                     uint64_t unshared, Error **errp)
{
    int ret = check_bytes(fd, filename, used, LOCK_BYTE_UNSHARED, "", errp);

    if (ret < 0) {
        return ret;
    }
    return check_bytes(fd, filename, unshared, LOCK_BYTE_USED, "shared ",
                       errp);
}
