/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: file descriptors that a client has passed, by name (getfd) and in sets
 * (add-fd).  "/dev/fdset/N" as the name of a file stands for a duplicate of
 * the descriptor in set N that was opened in the same way.
 *
 * Invariant: a set has at least one descriptor.
 */
#include "qemu/osdep.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qmp/qerror.h"
#include "qemu/sockets.h"
#include "qemu/thread.h"
#include "sysemu/fds.h"

typedef struct Fdset {
    int64_t id;
    GPtrArray *fds;             /* of FdsetFdInfo */
    QTAILQ_ENTRY(Fdset) next;
} Fdset;

/* By rising ID; opened from worker threads, too. */
static QTAILQ_HEAD(, Fdset) fdsets = QTAILQ_HEAD_INITIALIZER(fdsets);
static QemuMutex lock;
/* Name to descriptor; main thread. */
static GHashTable *named_fds;

static int take_fd(Error **errp)
{
    int fd = monitor_take_msgfd(monitor_cur());

    if (fd < 0) {
        error_setg(errp, "No file descriptor supplied via SCM_RIGHTS");
    }
    return fd;
}

/* ---- By name ---- */

static void close_fd(gpointer fd)
{
    close(GPOINTER_TO_INT(fd));
}

void qmp_getfd(const char *fdname, Error **errp)
{
    int fd = take_fd(errp);

    if (fd < 0) {
        return;
    }
    if (g_ascii_isdigit(fdname[0])) {
        close(fd);
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "fdname",
                   "a name not starting with a digit");
        return;
    }
    g_hash_table_replace(named_fds, g_strdup(fdname), GINT_TO_POINTER(fd));
}

void qmp_closefd(const char *fdname, Error **errp)
{
    if (!g_hash_table_remove(named_fds, fdname)) {
        error_setg(errp, "File descriptor named '%s' not found", fdname);
    }
}

/*
 * For socket addresses.  What a client of a monitor names is a descriptor that
 * it has passed, which is then used up; elsewhere there are numbers only.
 */
static int take_named_fd(const char *name, Error **errp)
{
    gpointer key, fd;

    if (!monitor_cur()) {
        return -1;
    }
    if (!g_hash_table_steal_extended(named_fds, name, &key, &fd)) {
        error_setg(errp, "File descriptor named '%s' has not been found",
                   name);
        return -1;
    }
    g_free(key);
    return GPOINTER_TO_INT(fd);
}

/* ---- Sets ---- */

static void free_fd(gpointer opaque)
{
    FdsetFdInfo *info = opaque;

    close(info->fd);
    qapi_free_FdsetFdInfo(info);
}

static Fdset *find_set(int64_t id)
{
    Fdset *set;

    QTAILQ_FOREACH(set, &fdsets, next) {
        if (set->id == id) {
            return set;
        }
    }
    return NULL;
}

static Fdset *new_set(int64_t id)
{
    Fdset *set = g_new(Fdset, 1), *other;

    set->id = id;
    set->fds = g_ptr_array_new_with_free_func(free_fd);
    QTAILQ_FOREACH(other, &fdsets, next) {
        if (other->id > id) {
            QTAILQ_INSERT_BEFORE(other, set, next);
            return set;
        }
    }
    QTAILQ_INSERT_TAIL(&fdsets, set, next);
    return set;
}

static int64_t free_id(void)
{
    int64_t id = 0;

    while (find_set(id)) {
        id++;
    }
    return id;
}

int64_t fdset_add(int fd, int64_t id, const char *opaque)
{
    FdsetFdInfo *info = g_new0(FdsetFdInfo, 1);
    Fdset *set;

    info->fd = fd;
    info->has_opaque = opaque;
    info->opaque = g_strdup(opaque);
    qemu_mutex_lock(&lock);
    if (id < 0) {
        id = free_id();
    }
    set = find_set(id) ?: new_set(id);
    g_ptr_array_add(set->fds, info);
    qemu_mutex_unlock(&lock);
    return id;
}

AddfdInfo *qmp_add_fd(bool has_fdset_id, int64_t fdset_id, bool has_opaque,
                      const char *opaque, Error **errp)
{
    int fd = take_fd(errp);
    AddfdInfo *info;

    if (fd < 0) {
        return NULL;
    }
    if (has_fdset_id && fdset_id < 0) {
        close(fd);
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "fdset-id",
                   "a non-negative value");
        return NULL;
    }
    info = g_new0(AddfdInfo, 1);
    info->fd = fd;
    info->fdset_id = fdset_add(fd, has_fdset_id ? fdset_id : -1,
                               has_opaque ? opaque : NULL);
    return info;
}

/* From @set, or all with @fd < 0; was there any? */
static bool remove_fds(Fdset *set, int64_t fd)
{
    bool found = false;
    guint i = 0;

    while (i < set->fds->len) {
        FdsetFdInfo *info = g_ptr_array_index(set->fds, i);

        if (fd < 0 || info->fd == fd) {
            found = true;
            g_ptr_array_remove_index(set->fds, i);
        } else {
            i++;
        }
    }
    if (!set->fds->len) {
        QTAILQ_REMOVE(&fdsets, set, next);
        g_ptr_array_free(set->fds, true);
        g_free(set);
    }
    return found;
}

void qmp_remove_fd(int64_t fdset_id, bool has_fd, int64_t fd, Error **errp)
{
    bool found = false;
    Fdset *set;

    qemu_mutex_lock(&lock);
    set = find_set(fdset_id);
    if (set && !(has_fd && fd < 0)) {
        found = remove_fds(set, has_fd ? fd : -1);
    }
    qemu_mutex_unlock(&lock);
    if (!found && has_fd) {
        error_setg(errp, "File descriptor named 'fdset-id:%" PRId64 ", fd:%"
                   PRId64 "' not found", fdset_id, fd);
    } else if (!found) {
        error_setg(errp, "File descriptor named 'fdset-id:%" PRId64 "' not "
                   "found", fdset_id);
    }
}

static FdsetInfo *set_info(Fdset *set)
{
    FdsetInfo *info = g_new0(FdsetInfo, 1);
    FdsetFdInfoList **tail = &info->fds;
    guint i;

    info->fdset_id = set->id;
    for (i = 0; i < set->fds->len; i++) {
        const FdsetFdInfo *from = g_ptr_array_index(set->fds, i);
        FdsetFdInfo *fd = g_new0(FdsetFdInfo, 1);

        fd->fd = from->fd;
        fd->has_opaque = from->has_opaque;
        fd->opaque = g_strdup(from->opaque);
        QAPI_LIST_APPEND(tail, fd);
    }
    return info;
}

/* The highest ID first, as it has always been. */
FdsetInfoList *qmp_query_fdsets(Error **errp)
{
    FdsetInfoList *head = NULL;
    Fdset *set;

    qemu_mutex_lock(&lock);
    QTAILQ_FOREACH(set, &fdsets, next) {
        QAPI_LIST_PREPEND(head, set_info(set));
    }
    qemu_mutex_unlock(&lock);
    return head;
}

/* ---- Opening ---- */

/* A duplicate that is used with @flags; -1 with errno. */
static int dup_with_flags(int fd, int old_flags, int flags)
{
    int copy = qemu_dup(fd);

    if (copy >= 0 && ((old_flags ^ flags) & O_DIRECT) &&
        fcntl(copy, F_SETFL,
              (old_flags & ~O_DIRECT) | (flags & O_DIRECT)) < 0) {
        int err = errno;

        close(copy);
        errno = err;
        return -1;
    }
    return copy;
}

static int fdset_open(int64_t id, int flags)
{
    Fdset *set;
    guint i;
    int copy = -1;

    qemu_mutex_lock(&lock);
    set = find_set(id);
    errno = set ? EACCES : ENOENT;
    for (i = 0; set && i < set->fds->len; i++) {
        FdsetFdInfo *info = g_ptr_array_index(set->fds, i);
        int old_flags = fcntl(info->fd, F_GETFL);

        if (old_flags >= 0 && (old_flags & O_ACCMODE) == (flags & O_ACCMODE)) {
            copy = dup_with_flags(info->fd, old_flags, flags);
            break;
        }
        errno = EACCES;
    }
    qemu_mutex_unlock(&lock);
    return copy;
}

void fds_init(void)
{
    qemu_mutex_init(&lock);
    named_fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                      close_fd);
    qemu_set_fdset_hooks(fdset_open, NULL);
    socket_set_named_fd_hook(take_named_fd);
}
