/*
 * SPDX-License-Identifier: MIT
 *
 * The life of files: making them, changing their length, deleting them.  All
 * of it runs in workers of the thread pool.
 */
#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/fs.h>
#include "block/file-posix-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "qemu/units.h"

#define DEFAULT_EXTENT_SIZE_HINT (1 * MiB)
#define FILL_CHUNK               (1 * MiB)

QemuOptsList file_create_opts = {
    .name = "raw-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(file_create_opts.head),
    .desc = {
        {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size",
        }, {
            .name = BLOCK_OPT_NOCOW,
            .type = QEMU_OPT_BOOL,
            .help = "Turn off copy-on-write (valid only on btrfs)",
        }, {
            .name = BLOCK_OPT_PREALLOC,
            .type = QEMU_OPT_STRING,
            .help = "Preallocation mode (allowed values: off, falloc, full)",
        }, {
            .name = BLOCK_OPT_EXTENT_SIZE_HINT,
            .type = QEMU_OPT_SIZE,
            .help = "Extent size hint for the image file, 0 to disable",
        },
        { /* end of list */ }
    },
};

/* ---- Length ---- */

/* Write zeroes from @from up to @to and wait until they are on the disk. */
static int file_fill(int fd, int64_t from, int64_t to, Error **errp)
{
    g_autofree void *zeroes = g_malloc0(FILL_CHUNK);
    int64_t pos = from;

    while (pos < to) {
        ssize_t n = pwrite(fd, zeroes, MIN(FILL_CHUNK, to - pos), pos);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            int ret = n ? -errno : -EIO;

            error_setg_errno(errp, -ret,
                             "Could not write zeros for preallocation");
            return ret;
        }
        pos += n;
    }
    if (fsync(fd) < 0) {
        int ret = -errno;

        error_setg_errno(errp, -ret, "Could not flush file to disk");
        return ret;
    }
    return 0;
}

static int file_set_length(int fd, int64_t length, Error **errp)
{
    if (ftruncate(fd, length) < 0) {
        int ret = -errno;

        error_setg_errno(errp, -ret, "Could not resize file");
        return ret;
    }
    return 0;
}

/*
 * Users find out what a file system wants for direct I/O by reading the start
 * of a file, and a hole tells nothing: a new file has its first block.  It is
 * no error if it has not.
 */
static void file_write_first_block(int fd, int64_t length)
{
    static const uint8_t zeroes[4096] __attribute__((aligned(4096)));
    size_t n = length >= sizeof(zeroes) ? sizeof(zeroes)
                                        : MIN(length, BDRV_SECTOR_SIZE);

    while (n && pwrite(fd, zeroes, n, 0) < 0 && errno == EINTR) {
    }
}

/* Give a file that is @from bytes long @to bytes, with space reserved. */
static int file_preallocate(int fd, int64_t from, int64_t to,
                            PreallocMode prealloc, Error **errp)
{
    int ret;

    switch (prealloc) {
    case PREALLOC_MODE_FALLOC:
        if (to == from) {
            return 0;
        }
        do {
            ret = -posix_fallocate(fd, from, to - from);
        } while (ret == -EINTR);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Could not preallocate data");
        } else if (from == 0) {
            /* Space without data looks like a hole. */
            file_write_first_block(fd, to);
        }
        return ret;
    case PREALLOC_MODE_FULL:
        ret = file_set_length(fd, to, errp);
        return ret < 0 ? ret : file_fill(fd, from, to, errp);
    default:
        error_setg(errp, "Unsupported preallocation mode: %s",
                   PreallocMode_str(prealloc));
        return -ENOTSUP;
    }
}

/*
 * Change the length of a regular file to @length; if that fails it has the
 * old one.
 */
static int file_resize(int fd, int64_t length, PreallocMode prealloc,
                       Error **errp)
{
    struct stat st;
    int ret;

    if (fstat(fd, &st) < 0) {
        ret = -errno;
        error_setg_errno(errp, -ret, "Could not stat file");
        return ret;
    }
    if (prealloc == PREALLOC_MODE_OFF) {
        ret = file_set_length(fd, length, errp);
        if (ret == 0 && st.st_size == 0) {
            file_write_first_block(fd, length);
        }
        return ret;
    }
    if (length < st.st_size) {
        error_setg(errp, "Preallocation can't be used for shrinking files");
        return -EINVAL;
    }
    ret = file_preallocate(fd, st.st_size, length, prealloc, errp);
    if (ret < 0 && ret != -ENOTSUP && ftruncate(fd, st.st_size) < 0) {
        error_report("Failed to restore old file length: %s",
                     strerror(errno));
    }
    return ret;
}

typedef struct FileResize {
    int fd;
    int64_t length;
    PreallocMode prealloc;
    Error **errp;
} FileResize;

static int file_resize_worker(void *opaque)
{
    FileResize *r = opaque;

    return file_resize(r->fd, r->length, r->prealloc, r->errp);
}

int coroutine_fn file_co_truncate(BlockDriverState *bs, int64_t offset,
                                  bool exact, PreallocMode prealloc,
                                  BdrvRequestFlags flags, Error **errp)
{
    FilePosixState *s = bs->opaque;
    FileResize resize = {
        .fd = s->fd,
        .length = offset,
        .prealloc = prealloc,
        .errp = errp,
    };
    int64_t present;

    if (S_ISREG(s->type)) {
        return file_co_run(file_resize_worker, &resize);
    }
    if (prealloc != PREALLOC_MODE_OFF) {
        error_setg(errp, "Preallocation mode '%s' unsupported for this "
                   "non-regular file", PreallocMode_str(prealloc));
        return -ENOTSUP;
    }
    present = file_getlength(bs);
    if (present < 0) {
        error_setg_errno(errp, -present,
                         "Failed to inquire current file size");
        return present;
    }
    if (offset > present) {
        error_setg(errp, "Cannot grow device files");
        return -EINVAL;
    }
    if (offset < present && exact) {
        error_setg(errp, "Cannot resize device files");
        return -ENOTSUP;
    }
    return 0;
}

/* ---- Creation ---- */

/* Attributes of a new, empty file; those that it can't have don't matter. */
static void file_set_attributes(int fd, BlockdevCreateOptionsFile *opts)
{
    uint32_t hint = opts->has_extent_size_hint ? opts->extent_size_hint
                                               : DEFAULT_EXTENT_SIZE_HINT;

#if defined(FS_IOC_FSSETXATTR) && defined(FS_XFLAG_EXTSIZE)
    if (hint) {
        struct fsxattr attr = {
            .fsx_xflags = FS_XFLAG_EXTSIZE,
            .fsx_extsize = hint,
        };

        if (ioctl(fd, FS_IOC_FSSETXATTR, &attr) < 0 &&
            opts->has_extent_size_hint && errno == EINVAL) {
            warn_report("Failed to set extent size hint: %s",
                        strerror(errno));
        }
    }
#endif
#ifdef FS_NOCOW_FL
    if (opts->has_nocow && opts->nocow) {
        int attr = 0;

        if (ioctl(fd, FS_IOC_GETFLAGS, &attr) == 0) {
            attr |= FS_NOCOW_FL;
            (void)!ioctl(fd, FS_IOC_SETFLAGS, &attr);
        }
    }
#endif
}

/* Nobody else may use the file as an image of a fixed length meanwhile. */
static int file_create_locked(int fd, BlockdevCreateOptionsFile *opts,
                              Error **errp)
{
    const uint64_t used = BLK_PERM_WRITE | BLK_PERM_RESIZE;
    const uint64_t unshared = BLK_PERM_RESIZE;
    FileLocks locks = { 0 };
    int ret;

    if (qemu_has_ofd_lock()) {
        ret = file_locks_take(fd, &locks, used, unshared, errp);
        if (ret == 0) {
            ret = file_locks_check(fd, opts->filename, used, unshared, errp);
        }
        if (ret < 0) {
            goto out;
        }
    }
    /* Old contents go; also the attributes are for empty files. */
    ret = file_set_length(fd, 0, errp);
    if (ret < 0) {
        goto out;
    }
    file_set_attributes(fd, opts);
    ret = file_resize(fd, opts->size,
                      opts->has_preallocation ? opts->preallocation
                                              : PREALLOC_MODE_OFF, errp);
out:
    file_locks_trim(fd, &locks, 0, 0);
    return ret;
}

typedef struct FileCreate {
    BlockdevCreateOptionsFile *opts;
    Error **errp;
} FileCreate;

static int file_create_worker(void *opaque)
{
    FileCreate *c = opaque;
    int fd, ret;

    fd = qemu_create(c->opts->filename, O_RDWR, 0644, c->errp);
    if (fd < 0) {
        return -errno;
    }
    ret = file_create_locked(fd, c->opts, c->errp);
    if (qemu_close(fd) < 0 && ret == 0) {
        ret = -errno;
        error_setg_errno(c->errp, -ret, "Could not close the new file");
    }
    return ret;
}

int coroutine_fn file_co_create(BlockdevCreateOptions *opts, Error **errp)
{
    FileCreate create = { .opts = &opts->u.file, .errp = errp };

    assert(opts->driver == BLOCKDEV_DRIVER_FILE);
    if (opts->u.file.has_preallocation &&
        opts->u.file.preallocation == PREALLOC_MODE_METADATA) {
        error_setg(errp, "Unsupported preallocation mode: %s",
                   PreallocMode_str(opts->u.file.preallocation));
        return -EINVAL;
    }
    if (opts->u.file.has_extent_size_hint &&
        opts->u.file.extent_size_hint > UINT32_MAX) {
        error_setg(errp, "Extent size hint is too large");
        return -EINVAL;
    }
    return file_co_run(file_create_worker, &create);
}

int coroutine_fn file_co_create_opts(BlockDriver *drv, const char *filename,
                                     QemuOpts *opts, Error **errp)
{
    g_autofree char *prealloc = NULL;
    BlockdevCreateOptions create;
    BlockdevCreateOptionsFile *file = &create.u.file;
    Error *local_err = NULL;
    int mode;

    strstart(filename, "file:", &filename);
    prealloc = qemu_opt_get_del(opts, BLOCK_OPT_PREALLOC);
    mode = qapi_enum_parse(&PreallocMode_lookup, prealloc, PREALLOC_MODE_OFF,
                           &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    create = (BlockdevCreateOptions) { .driver = BLOCKDEV_DRIVER_FILE };
    file->filename = (char *)filename;
    file->size = ROUND_UP(qemu_opt_get_size_del(opts, BLOCK_OPT_SIZE, 0),
                          BDRV_SECTOR_SIZE);
    file->has_preallocation = true;
    file->preallocation = mode;
    if (qemu_opt_get(opts, BLOCK_OPT_NOCOW)) {
        file->has_nocow = true;
        file->nocow = qemu_opt_get_bool_del(opts, BLOCK_OPT_NOCOW, false);
    }
    if (qemu_opt_get(opts, BLOCK_OPT_EXTENT_SIZE_HINT)) {
        file->has_extent_size_hint = true;
        file->extent_size_hint =
            qemu_opt_get_size_del(opts, BLOCK_OPT_EXTENT_SIZE_HINT, 0);
    }
    return file_co_create(&create, errp);
}

/* ---- Deletion ---- */

static int file_unlink_worker(void *opaque)
{
    FilePosixState *s = opaque;

    return unlink(s->filename) < 0 ? -errno : 0;
}

int coroutine_fn file_co_delete(BlockDriverState *bs, Error **errp)
{
    FilePosixState *s = bs->opaque;
    int ret;

    if (!S_ISREG(s->type)) {
        error_setg(errp, "%s is not a regular file", s->filename);
        return -ENOENT;
    }
    ret = file_co_run(file_unlink_worker, s);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Error when deleting file %s",
                         s->filename);
    }
    return ret;
}
