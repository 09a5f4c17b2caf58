/*
 * SPDX-License-Identifier: MIT
 *
 * Files, descriptors, aligned memory.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include <sys/socket.h>

/* ---- Memory ---- */

void *qemu_try_memalign(size_t alignment, size_t size)
{
    void *ptr;

    alignment = MAX(alignment, sizeof(void *));
    assert(is_power_of_2(alignment));
    if (posix_memalign(&ptr, alignment, MAX(size, 1))) {
        return NULL;
    }
    return ptr;
}

void *qemu_memalign(size_t alignment, size_t size)
{
    void *ptr = qemu_try_memalign(alignment, size);

    if (!ptr) {
        fprintf(stderr, "qemu_memalign: failed to allocate %zu bytes "
                "aligned to %zu\n", size, alignment);
        abort();
    }
    return ptr;
}

void qemu_vfree(void *ptr)
{
    free(ptr);
}

size_t qemu_real_host_page_size(void)
{
    static size_t size;

    if (!size) {
        size = getpagesize();
    }
    return size;
}

/* ---- Files ---- */

static int (*fdset_open)(int64_t set, int flags);
static void (*fdset_close)(int fd);

void qemu_set_fdset_hooks(int (*open_fd)(int64_t set, int flags),
                          void (*close_fd)(int fd))
{
    fdset_open = open_fd;
    fdset_close = close_fd;
}

static int open_any(const char *name, int flags, mode_t mode, Error **errp)
{
    const char *set;
    int fd;

    if (strstart(name, "/dev/fdset/", &set)) {
        int64_t id;

        if (qemu_strtoi64(set, NULL, 10, &id) < 0 || id < 0) {
            error_setg(errp, "Could not parse fdset %s", name);
            errno = EINVAL;
            return -1;
        }
        fd = -1;
        errno = ENOENT;
        if (fdset_open) {
            fd = fdset_open(id, flags);
        }
        if (fd < 0) {
            error_setg_errno(errp, errno, "Could not dup FD for %s flags %x",
                             name, flags);
        }
        return fd;
    }
    fd = open(name, flags | O_CLOEXEC, mode);
    if (fd < 0) {
        error_setg_errno(errp, errno, "Could not %s '%s'",
                         flags & O_CREAT ? "create" : "open", name);
    }
    return fd;
}

int qemu_open_old(const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    return open_any(name, flags, mode, NULL);
}

int qemu_open(const char *name, int flags, Error **errp)
{
    assert(!(flags & O_CREAT));
    return open_any(name, flags, 0, errp);
}

int qemu_create(const char *name, int flags, mode_t mode, Error **errp)
{
    return open_any(name, flags | O_CREAT, mode, errp);
}

int qemu_close(int fd)
{
    if (fdset_close) {
        fdset_close(fd);
    }
    return close(fd);
}

int qemu_dup(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int qemu_unlink(const char *name)
{
    return strstart(name, "/dev/fdset/", NULL) ? 0 : unlink(name);
}

ssize_t qemu_write_full(int fd, const void *buf, size_t count)
{
    size_t done = 0;

    while (done < count) {
        ssize_t n = write(fd, (const char *)buf + done, count - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
        done += n;
    }
    return done;
}

void qemu_set_cloexec(int fd)
{
    int f = fcntl(fd, F_GETFD);

    assert(f != -1);
    f = fcntl(fd, F_SETFD, f | FD_CLOEXEC);
    assert(f != -1);
}

int qemu_fdatasync(int fd)
{
    return fdatasync(fd);
}

int qemu_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_CLOEXEC, protocol);
}

/* ---- Locks ---- */

static int lock_command(int fd, int64_t start, int64_t len, short type)
{
    struct flock fl = {
        .l_whence = SEEK_SET,
        .l_start = start,
        .l_len = len,
        .l_type = type,
    };
    int ret;

    do {
        ret = fcntl(fd, F_OFD_SETLK, &fl);
    } while (ret < 0 && errno == EINTR);
    return ret < 0 ? -errno : 0;
}

int qemu_lock_fd(int fd, int64_t start, int64_t len, bool exclusive)
{
    return lock_command(fd, start, len, exclusive ? F_WRLCK : F_RDLCK);
}

int qemu_unlock_fd(int fd, int64_t start, int64_t len)
{
    return lock_command(fd, start, len, F_UNLCK);
}

int qemu_lock_fd_test(int fd, int64_t start, int64_t len, bool exclusive)
{
    struct flock fl = {
        .l_whence = SEEK_SET,
        .l_start = start,
        .l_len = len,
        .l_type = exclusive ? F_WRLCK : F_RDLCK,
    };

    if (fcntl(fd, F_OFD_GETLK, &fl) < 0) {
        return -errno;
    }
    return fl.l_type == F_UNLCK ? 0 : -EAGAIN;
}

bool qemu_has_ofd_lock(void)
{
    static int known = -1;

    if (known < 0) {
        struct flock fl = { .l_whence = SEEK_SET, .l_type = F_WRLCK };
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        known = fd >= 0 && fcntl(fd, F_OFD_GETLK, &fl) == 0;
        if (fd >= 0) {
            close(fd);
        }
    }
    return known;
}

/* ---- Others ---- */

bool qemu_write_pidfile(const char *path, Error **errp)
{
    g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
    int fd = qemu_create(path, O_WRONLY, S_IRUSR | S_IWUSR, errp);

    if (fd < 0) {
        return false;
    }
    /* Whoever holds the lock lives. */
    if (lockf(fd, F_TLOCK, 0) < 0) {
        error_setg_errno(errp, errno, "Cannot lock pid file %s", path);
        close(fd);
        return false;
    }
    if (ftruncate(fd, 0) < 0 ||
        qemu_write_full(fd, pid, strlen(pid)) != strlen(pid)) {
        error_setg_errno(errp, errno, "Failed to write pid file %s", path);
        close(fd);
        return false;
    }
    /* The descriptor stays open, and with it the lock. */
    return true;
}

int get_tmp_filename(char *filename, int size)
{
    const char *dir = g_getenv("TMPDIR");
    int fd;

    if (!dir) {
        dir = "/var/tmp";
    }
    if (snprintf(filename, size, "%s/vl.XXXXXX", dir) >= size) {
        return -EOVERFLOW;
    }
    fd = mkstemp(filename);
    if (fd < 0) {
        return -errno;
    }
    if (close(fd) != 0) {
        unlink(filename);
        return -errno;
    }
    return 0;
}
