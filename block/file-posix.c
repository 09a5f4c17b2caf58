/*
 * SPDX-License-Identifier: MIT
 *
 * The driver file: an image in a file of the host.  This file opens nodes and
 * follows reopens and permission changes; host-device.c uses it, too.
 *
 * A node with auto-read-only=on has its file open for writing only while it
 * has a user that writes; everything else is said in file-posix-internal.h.
 */
#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include "block/file-posix-internal.h"
#include "block/raw-aio.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"

#define FILE_OPT_CHECK_DROPPED "x-check-cache-dropped"

#define FILE_WRITE_PERMS \
    (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED | BLK_PERM_RESIZE)

static QemuOptsList file_runtime_opts = {
    .name = "file",
    .head = QTAILQ_HEAD_INITIALIZER(file_runtime_opts.head),
    .desc = {
        {
            .name = "filename",
            .type = QEMU_OPT_STRING,
            .help = "path of the file",
        }, {
            .name = "aio",
            .type = QEMU_OPT_STRING,
            .help = "how requests are made (threads, native, io_uring)",
        }, {
            .name = "aio-max-batch",
            .type = QEMU_OPT_NUMBER,
            .help = "most requests submitted at once (0: the default)",
        }, {
            .name = "locking",
            .type = QEMU_OPT_STRING,
            .help = "lock the image (on, off, auto)",
        }, {
            .name = "pr-manager",
            .type = QEMU_OPT_STRING,
            .help = "ID of a persistent reservation manager",
        }, {
            .name = "drop-cache",
            .type = QEMU_OPT_BOOL,
            .help = "forget cached pages when another host had the image",
        }, {
            .name = FILE_OPT_CHECK_DROPPED,
            .type = QEMU_OPT_BOOL,
            .help = "check that they are gone, for tests",
        },
        { /* end of list */ }
    },
};

const char *const file_mutable_opts[] = { FILE_OPT_CHECK_DROPPED, NULL };
const char *const file_strong_opts[] = { "filename", NULL };

/* ---- Flags ---- */

/* O_* for a node with the flags @bdrv_flags; @writers: somebody writes. */
static int file_wanted_flags(int bdrv_flags, bool writers)
{
    int flags = O_BINARY;

    if ((bdrv_flags & BDRV_O_RDWR) &&
        (writers || !(bdrv_flags & BDRV_O_AUTO_RDONLY))) {
        flags |= O_RDWR;
    } else {
        flags |= O_RDONLY;
    }
    if (bdrv_flags & BDRV_O_NOCACHE) {
        flags |= O_DIRECT;
    }
    return flags;
}

/* ---- Options ---- */

static int file_parse_engine(FilePosixState *s, QemuOpts *opts,
                             int bdrv_flags, Error **errp)
{
    Error *local_err = NULL;
    BlockdevAioOptions aio = BLOCKDEV_AIO_OPTIONS_THREADS;

    if (bdrv_flags & BDRV_O_NATIVE_AIO) {
        aio = BLOCKDEV_AIO_OPTIONS_NATIVE;
    } else if (bdrv_flags & BDRV_O_IO_URING) {
        aio = BLOCKDEV_AIO_OPTIONS_IO_URING;
    }
    aio = qapi_enum_parse(&BlockdevAioOptions_lookup,
                          qemu_opt_get(opts, "aio"), aio, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }

    s->engine = FILE_ENGINE_THREADS;
    switch (aio) {
    case BLOCKDEV_AIO_OPTIONS_NATIVE:
#ifndef CONFIG_LINUX_AIO
        error_setg(errp, "aio=native was specified, but is not supported "
                   "in this build.");
        return -EINVAL;
#endif
        if (!(bdrv_flags & BDRV_O_NOCACHE)) {
            error_setg(errp, "aio=native was specified, but it requires "
                       "cache.direct=on, which was not specified.");
            return -EINVAL;
        }
        s->engine = FILE_ENGINE_NATIVE;
        break;
    case BLOCKDEV_AIO_OPTIONS_IO_URING:
#ifndef CONFIG_LINUX_IO_URING
        error_setg(errp, "aio=io_uring was specified, but is not supported "
                   "in this build.");
        return -EINVAL;
#endif
        s->engine = FILE_ENGINE_IO_URING;
        break;
    default:
        break;
    }
    return 0;
}

static int file_parse_locking(FilePosixState *s, QemuOpts *opts, Error **errp)
{
    Error *local_err = NULL;
    OnOffAuto locking;

    locking = qapi_enum_parse(&OnOffAuto_lookup, qemu_opt_get(opts, "locking"),
                              ON_OFF_AUTO_AUTO, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    s->use_lock = locking != ON_OFF_AUTO_OFF;
    if (s->use_lock && !qemu_has_ofd_lock()) {
        if (locking == ON_OFF_AUTO_ON) {
            warn_report("File lock requested but OFD locking syscall is "
                        "unavailable, the image is not locked");
        }
        s->use_lock = false;
    }
    return 0;
}

static int file_parse_options(FilePosixState *s, QemuOpts *opts,
                              int bdrv_flags, bool device, Error **errp)
{
    const char *name;
    int64_t batch;
    int ret;

    name = qemu_opt_get(opts, "filename");
    if (!name) {
        error_setg(errp, "The '%s' block driver requires a file name",
                   device ? "host_device" : "file");
        return -EINVAL;
    }
    s->filename = g_strdup(name);

    ret = file_parse_engine(s, opts, bdrv_flags, errp);
    if (ret < 0) {
        return ret;
    }
    ret = file_parse_locking(s, opts, errp);
    if (ret < 0) {
        return ret;
    }
    name = qemu_opt_get(opts, "pr-manager");
    if (name) {
        error_setg(errp, "No persistent reservation manager with id '%s'",
                   name);
        return -EINVAL;
    }
    batch = qemu_opt_get_number(opts, "aio-max-batch", 0);
    if (batch < 0) {
        error_setg(errp, "Parameter 'aio-max-batch' expects a non-negative "
                   "value");
        return -EINVAL;
    }
    s->aio_max_batch = batch;
    s->drop_cache = qemu_opt_get_bool(opts, "drop-cache", true);
    s->check_cache_dropped = qemu_opt_get_bool(opts, FILE_OPT_CHECK_DROPPED,
                                               false);
    return 0;
}

/* ---- Open and close ---- */

/* Make the engine of @ctx ready. */
static int file_setup_engine(FilePosixState *s, AioContext *ctx, Error **errp)
{
#ifdef CONFIG_LINUX_AIO
    if (s->engine == FILE_ENGINE_NATIVE && !aio_setup_linux_aio(ctx, errp)) {
        error_prepend(errp, "Unable to use native AIO: ");
        return -EINVAL;
    }
#endif
#ifdef CONFIG_LINUX_IO_URING
    if (s->engine == FILE_ENGINE_IO_URING &&
        !aio_setup_linux_io_uring(ctx, errp)) {
        error_prepend(errp, "Unable to use io_uring: ");
        return -EINVAL;
    }
#endif
    return 0;
}

void file_attach_aio_context(BlockDriverState *bs, AioContext *new_context)
{
    FilePosixState *s = bs->opaque;
    Error *local_err = NULL;

    if (file_setup_engine(s, new_context, &local_err) < 0) {
        error_prepend(&local_err, "Falling back to thread pool: ");
        error_report_err(local_err);
        s->engine = FILE_ENGINE_THREADS;
    }
}

static int file_check_type(FilePosixState *s, bool device, Error **errp)
{
    struct stat st;

    if (fstat(s->fd, &st) < 0) {
        int ret = -errno;

        error_setg_errno(errp, -ret, "Could not stat file");
        return ret;
    }
    s->type = st.st_mode & S_IFMT;
    if (device) {
        if (!S_ISCHR(s->type) && !S_ISBLK(s->type)) {
            error_setg(errp, "'host_device' driver requires '%s' to be "
                       "either a character or block device", s->filename);
            return -EINVAL;
        }
    } else if (!S_ISREG(s->type)) {
        error_setg(errp, "'file' driver requires '%s' to be a regular file",
                   s->filename);
        return -EINVAL;
    }
    return 0;
}

static void file_init_features(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;

    s->features = FILE_CAN_ALL;
    if (S_ISREG(s->type)) {
        s->features &= ~(FILE_CAN_DISCARD | FILE_CAN_ZEROOUT);
        /* A longer file reads as zeroes where it has grown. */
        bs->supported_truncate_flags = BDRV_REQ_ZERO_WRITE;
    } else {
        s->features &= ~(FILE_CAN_SEEK_DATA | FILE_CAN_COPY_RANGE |
                         FILE_CAN_ZERO_RANGE | FILE_CAN_ALLOCATE);
    }
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK;
}

int file_open_common(BlockDriverState *bs, QDict *options, int bdrv_flags,
                     bool device, Error **errp)
{
    FilePosixState *s = bs->opaque;
    QemuOpts *opts;
    int ret;

    s->fd = -1;
    s->next_fd = -1;
    s->shared = BLK_PERM_ALL;

    opts = qemu_opts_create(&file_runtime_opts, NULL, 0, &error_abort);
    if (!qemu_opts_absorb_qdict(opts, options, errp)) {
        ret = -EINVAL;
        goto out;
    }
    ret = file_parse_options(s, opts, bdrv_flags, device, errp);
    if (ret < 0) {
        goto out;
    }

    s->open_flags = file_wanted_flags(bdrv_flags, false);
    s->fd = qemu_open(s->filename, s->open_flags, errp);
    if (s->fd < 0) {
        ret = errno == EROFS ? -EACCES : -errno;
        goto out;
    }
    ret = file_check_type(s, device, errp);
    if (ret < 0) {
        goto out;
    }
    file_init_features(bs);
    ret = file_setup_engine(s, bdrv_get_aio_context(bs), errp);
out:
    qemu_opts_del(opts);
    if (ret < 0) {
        file_close(bs);
    }
    return ret;
}

void file_close(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;

    if (s->fd >= 0) {
        qemu_close(s->fd);
        s->fd = -1;
    }
    g_free(s->filename);
    s->filename = NULL;
}

/* ---- Changing the open file ---- */

/*
 * Open the file of the node again with other flags; a new descriptor.  It is
 * the same file even if it was renamed, replaced or deleted meanwhile.
 */
static int file_open_again(FilePosixState *s, int open_flags, Error **errp)
{
    g_autofree char *path = NULL;
    int fd;

    if (strstart(s->filename, "/dev/fdset/", NULL)) {
        return qemu_open(s->filename, open_flags, errp);
    }
    path = g_strdup_printf("/proc/self/fd/%d", s->fd);
    fd = qemu_open_old(path, open_flags);
    if (fd < 0 && errno == ENOENT) {
        return qemu_open(s->filename, open_flags, errp);
    }
    if (fd < 0) {
        int err = errno;

        error_setg_file_open(errp, err, s->filename);
        errno = err;
    }
    return fd;
}

/* Put @fd in the place of the node's open file, with the same locks. */
static void file_switch_fd(FilePosixState *s, int fd, int open_flags)
{
    FileLocks locks = { 0 };
    Error *local_err = NULL;

    if (file_locks_take(fd, &locks, s->locks.used, s->locks.unshared,
                        &local_err) < 0) {
        warn_report_err(local_err);
    }
    if (dup3(fd, s->fd, O_CLOEXEC) < 0) {
        /* Both are valid: it can't fail, and there is no way back. */
        error_report("Could not replace a file descriptor: %s",
                     strerror(errno));
        abort();
    }
    qemu_close(fd);
    s->locks = locks;
    s->open_flags = open_flags;
}

/* ---- Reopen ---- */

int file_reopen_prepare(BDRVReopenState *state, BlockReopenQueue *queue,
                        Error **errp)
{
    FilePosixState *s = state->bs->opaque;
    QDict *options = qdict_clone_shallow(state->options);
    QemuOpts *opts;
    FileReopen *r;
    int ret = 0;

    opts = qemu_opts_create(&file_runtime_opts, NULL, 0, &error_abort);
    if (!qemu_opts_absorb_qdict(opts, options, errp)) {
        ret = -EINVAL;
        goto out;
    }
    r = g_new0(FileReopen, 1);
    r->fd = -1;
    r->bdrv_flags = state->flags;
    r->drop_cache = qemu_opt_get_bool(opts, "drop-cache", true);
    r->check_cache_dropped = qemu_opt_get_bool(opts, FILE_OPT_CHECK_DROPPED,
                                               false);
    /* The rest can't change: the caller compares what is left. */
    qdict_del(state->options, "drop-cache");
    qdict_del(state->options, FILE_OPT_CHECK_DROPPED);

    r->open_flags = file_wanted_flags(state->flags,
                                      s->perm & FILE_WRITE_PERMS);
    if (s->engine == FILE_ENGINE_NATIVE && qemu_opt_get(opts, "aio") &&
        !(r->open_flags & O_DIRECT)) {
        error_setg(errp, "aio=native was specified, but it requires "
                   "cache.direct=on, which was not specified.");
        ret = -EINVAL;
    } else if (r->open_flags != s->open_flags) {
        r->fd = file_open_again(s, r->open_flags, errp);
        ret = r->fd < 0 ? -errno : 0;
    }
    if (ret < 0) {
        g_free(r);
        goto out;
    }
    s->reopen = r;
    state->opaque = r;
out:
    qemu_opts_del(opts);
    qobject_unref(options);
    return ret;
}

void file_reopen_commit(BDRVReopenState *state)
{
    FilePosixState *s = state->bs->opaque;
    FileReopen *r = state->opaque;

    s->drop_cache = r->drop_cache;
    s->check_cache_dropped = r->check_cache_dropped;
    if (r->fd >= 0) {
        file_switch_fd(s, r->fd, r->open_flags);
    }
    s->reopen = NULL;
    state->opaque = NULL;
    g_free(r);
}

void file_reopen_abort(BDRVReopenState *state)
{
    FilePosixState *s = state->bs->opaque;
    FileReopen *r = state->opaque;

    if (!r) {
        return;
    }
    if (r->fd >= 0) {
        qemu_close(r->fd);
    }
    s->reopen = NULL;
    state->opaque = NULL;
    g_free(r);
}

/* ---- Permissions ---- */

/* Open the file for reading or for writing as the users will need it. */
static int file_prepare_access(BlockDriverState *bs, bool writers,
                               Error **errp)
{
    FilePosixState *s = bs->opaque;
    FileReopen *r = s->reopen;
    int wanted = file_wanted_flags(r ? r->bdrv_flags : bs->open_flags,
                                   writers);
    int present = r ? r->open_flags : s->open_flags;
    int fd;

    if (wanted == present) {
        return 0;
    }
    if (r && wanted == s->open_flags) {
        fd = -1;        /* back to what there is */
    } else {
        fd = file_open_again(s, wanted, errp);
        if (fd < 0) {
            return -errno;
        }
    }
    if (r) {
        if (r->fd >= 0) {
            qemu_close(r->fd);
        }
        r->fd = fd;
        r->open_flags = wanted;
    } else {
        s->next_fd = fd;
        s->next_open_flags = wanted;
    }
    return 0;
}

static int file_prepare_locks(FilePosixState *s, uint64_t perm,
                              uint64_t shared, Error **errp)
{
    int ret;

    if (!s->use_lock) {
        return 0;
    }
    if (!(perm & ~s->locks.used) && !(~shared & BLK_PERM_ALL &
                                      ~s->locks.unshared)) {
        return 0;       /* nothing that others were not told already */
    }
    ret = file_locks_take(s->fd, &s->locks, perm, ~shared & BLK_PERM_ALL,
                          errp);
    if (ret == 0) {
        ret = file_locks_check(s->fd, s->filename, perm,
                               ~shared & BLK_PERM_ALL, errp);
    }
    return ret;
}

/* Keep the locks only that the permissions in force need. */
static void file_settle_locks(FilePosixState *s)
{
    if (s->use_lock) {
        file_locks_trim(s->fd, &s->locks, s->perm, ~s->shared & BLK_PERM_ALL);
    }
}

int file_check_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                    Error **errp)
{
    FilePosixState *s = bs->opaque;
    int ret;

    assert(s->next_fd < 0);
    ret = file_prepare_access(bs, perm & FILE_WRITE_PERMS, errp);
    if (ret < 0) {
        return ret;
    }
    ret = file_prepare_locks(s, perm, shared, errp);
    if (ret < 0) {
        file_abort_perm_update(bs);
    }
    return ret;
}

void file_set_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared)
{
    FilePosixState *s = bs->opaque;

    s->perm = perm;
    s->shared = shared;
    if (s->next_fd >= 0) {
        file_switch_fd(s, s->next_fd, s->next_open_flags);
        s->next_fd = -1;
    }
    file_settle_locks(s);
}

void file_abort_perm_update(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;

    if (s->next_fd >= 0) {
        qemu_close(s->next_fd);
        s->next_fd = -1;
    }
    file_settle_locks(s);
}

/* ---- What the file is like ---- */

/* File systems on which a copy can refer to the same blocks, or is made by a
 * server.  On others the kernel copies through the page cache. */
static bool file_system_shares_extents(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0) {
        return false;
    }
    switch ((uint32_t)fs.f_type) {
    case 0x9123683e:            /* btrfs */
    case 0x58465342:            /* XFS */
    case 0xca451a4e:            /* bcachefs */
    case 0x7461636f:            /* OCFS2 */
    case 0x2fc12fc1:            /* ZFS */
    case 0x6969:                /* NFS */
    case 0xff534d42:            /* CIFS */
    case 0xfe534d42:            /* SMB2 */
        return true;
    default:
        return false;
    }
}

void file_refresh_limits(BlockDriverState *bs, Error **errp)
{
    FilePosixState *s = bs->opaque;
    uint32_t request = 1;
    size_t memory = 1;

    if (file_is_direct(s)) {
        file_probe_alignment(s->fd, s->type, &request, &memory);
    }
    bs->bl.request_alignment = request;
    bs->bl.min_mem_alignment = memory;
    bs->bl.opt_mem_alignment = MAX(memory, qemu_real_host_page_size());
    bs->bl.max_iov = IOV_MAX;
    bs->bl.shares_extents = file_system_shares_extents(s->fd);
    s->needs_alignment = file_is_direct(s);
}

int file_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    /* A file is never dirty, and has no clusters. */
    return 0;
}

int64_t file_getlength(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;
    int64_t length = lseek(s->fd, 0, SEEK_END);

    return length < 0 ? -errno : length;
}

int64_t file_get_allocated_file_size(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;
    struct stat st;

    if (fstat(s->fd, &st) < 0) {
        return -errno;
    }
    return (int64_t)st.st_blocks * 512;
}

BlockStatsSpecific *file_get_specific_stats(BlockDriverState *bs)
{
    FilePosixState *s = bs->opaque;
    BlockStatsSpecific *stats = g_new0(BlockStatsSpecific, 1);
    BlockStatsSpecificFile counts = {
        .discard_nb_ok = atomic_read(&s->discards_ok),
        .discard_nb_failed = atomic_read(&s->discards_failed),
        .discard_bytes_ok = atomic_read(&s->discarded_bytes),
    };

    if (S_ISREG(s->type)) {
        stats->driver = BLOCKDEV_DRIVER_FILE;
        stats->u.file = counts;
    } else {
        stats->driver = BLOCKDEV_DRIVER_HOST_DEVICE;
        stats->u.host_device = counts;
    }
    return stats;
}

/* ---- The image comes from another host ---- */

/* Are pages of the file in the cache of this host?  For tests. */
static bool file_is_cached(int fd, int64_t length)
{
    const size_t window = 128 * 1024 * 1024;
    size_t page = qemu_real_host_page_size();
    g_autofree unsigned char *vec = g_malloc(window / page);
    bool cached = false;
    int64_t pos;

    for (pos = 0; pos < length && !cached; pos += window) {
        size_t bytes = MIN(window, length - pos);
        size_t i;
        void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, pos);

        if (map == MAP_FAILED) {
            return false;
        }
        if (mincore(map, bytes, vec) == 0) {
            for (i = 0; i < DIV_ROUND_UP(bytes, page) && !cached; i++) {
                cached = vec[i] & 1;
            }
        }
        munmap(map, bytes);
    }
    return cached;
}

static int file_drop_cache_worker(void *opaque)
{
    FilePosixState *s = opaque;
    int ret;

    if (qemu_fdatasync(s->fd) < 0) {
        return -errno;
    }
    ret = -posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
    if (ret == 0 && s->check_cache_dropped &&
        file_is_cached(s->fd, lseek(s->fd, 0, SEEK_END))) {
        ret = -EBUSY;
    }
    return ret;
}

int coroutine_fn file_co_invalidate_cache(BlockDriverState *bs, Error **errp)
{
    FilePosixState *s = bs->opaque;
    int ret;

    if (!s->drop_cache || file_is_direct(s)) {
        return 0;
    }
    ret = file_co_run(file_drop_cache_worker, s);
    if (ret == -EBUSY) {
        error_setg(errp, "page cache still in use!");
    } else if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not drop the cached pages of "
                         "'%s'", s->filename);
    }
    return ret;
}

/* ---- The driver ---- */

static void file_parse_filename(const char *filename, QDict *options,
                                Error **errp)
{
    bdrv_parse_filename_strip_prefix(filename, "file:", options);
}

static int file_open(BlockDriverState *bs, QDict *options, int flags,
                     Error **errp)
{
    return file_open_common(bs, options, flags, false, errp);
}

static int file_has_zero_init(BlockDriverState *bs)
{
    return 1;
}

BlockDriver bdrv_file = {
    .format_name            = "file",
    .protocol_name          = "file",
    .instance_size          = sizeof(FilePosixState),
    .bdrv_needs_filename    = true,
    .mutable_opts           = file_mutable_opts,
    .strong_runtime_opts    = file_strong_opts,
    .create_opts            = &file_create_opts,
    .bdrv_parse_filename    = file_parse_filename,
    .bdrv_open              = file_open,
    .bdrv_close             = file_close,
    .bdrv_reopen_prepare    = file_reopen_prepare,
    .bdrv_reopen_commit     = file_reopen_commit,
    .bdrv_reopen_abort      = file_reopen_abort,
    .bdrv_co_create         = file_co_create,
    .bdrv_co_create_opts    = file_co_create_opts,
    .bdrv_co_delete_file    = file_co_delete,
    .bdrv_refresh_limits    = file_refresh_limits,
    .bdrv_check_perm        = file_check_perm,
    .bdrv_set_perm          = file_set_perm,
    .bdrv_abort_perm_update = file_abort_perm_update,
    .bdrv_co_preadv_part    = file_co_preadv_part,
    .bdrv_co_pwritev_part   = file_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = file_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = file_co_pdiscard,
    .bdrv_co_copy_range_from = file_co_copy_range_from,
    .bdrv_co_copy_range_to  = file_co_copy_range_to,
    .bdrv_co_block_status   = file_co_block_status,
    .bdrv_co_flush_to_disk  = file_co_flush_to_disk,
    .bdrv_co_truncate       = file_co_truncate,
    .bdrv_co_invalidate_cache = file_co_invalidate_cache,
    .bdrv_getlength         = file_getlength,
    .bdrv_get_info          = file_get_info,
    .bdrv_get_allocated_file_size = file_get_allocated_file_size,
    .bdrv_get_specific_stats = file_get_specific_stats,
    .bdrv_has_zero_init     = file_has_zero_init,
    .bdrv_attach_aio_context = file_attach_aio_context,
};
