/*
 * SPDX-License-Identifier: MIT
 *
 * Holes in files: writing zeroes without data, discarding, and finding out
 * where data are.  An operation that the kernel turns down for good on a file
 * is not tried again.  Everything that may touch the disk runs in workers.
 */
#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include "block/file-posix-internal.h"

typedef struct FileRange {
    FilePosixState *s;
    int64_t offset;
    int64_t bytes;
    bool unmap;             /* zeroes: holes are welcome */
    bool fast_only;         /* zeroes: fail rather than write them */
} FileRange;

/* Errors by which an operation tells that it is not there. */
static int file_translate_errno(int err)
{
    switch (err) {
    case ENODEV:
    case ENOSYS:
    case EOPNOTSUPP:
    case ENOTTY:
        return -ENOTSUP;
    default:
        return -err;
    }
}

/* fallocate() with @mode on the range, unless @feature is known to lack. */
static int file_fallocate(FileRange *r, FileFeature feature, int mode)
{
    int ret;

    if (!file_can(r->s, feature)) {
        return -ENOTSUP;
    }
    do {
        ret = fallocate(r->s->fd, mode, r->offset, r->bytes);
    } while (ret < 0 && errno == EINTR);
    if (ret == 0) {
        return 0;
    }
    ret = file_translate_errno(errno);
    if (ret == -ENOTSUP) {
        file_cannot(r->s, feature);
    }
    return ret;
}

/* A device's operation on the range. */
static int file_range_ioctl(FileRange *r, FileFeature feature,
                            unsigned long request)
{
    uint64_t range[2] = { r->offset, r->bytes };
    int ret;

    if (!file_can(r->s, feature)) {
        return -ENOTSUP;
    }
    do {
        ret = ioctl(r->s->fd, request, range);
    } while (ret < 0 && errno == EINTR);
    if (ret == 0) {
        return 0;
    }
    ret = file_translate_errno(errno);
    if (ret == -ENOTSUP) {
        file_cannot(r->s, feature);
    }
    return ret;
}

static int file_punch_hole(FileRange *r)
{
    return file_fallocate(r, FILE_CAN_PUNCH_HOLE,
                          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

/* ---- Zeroes ---- */

static int file_zero_device(FileRange *r)
{
    int ret = -ENOTSUP;

    if (r->unmap) {
        /* Fails unless the device can do it without being written to. */
        ret = file_punch_hole(r);
    }
    if (ret == -ENOTSUP && !r->fast_only) {
        ret = file_range_ioctl(r, FILE_CAN_ZEROOUT, BLKZEROOUT);
    }
    return ret;
}

static int file_zero_regular(FileRange *r)
{
    struct stat st;
    int ret;

    if (fstat(r->s->fd, &st) < 0) {
        return -errno;
    }
    /* A hole can't make the file longer. */
    if (r->unmap && r->offset + r->bytes <= st.st_size) {
        ret = file_punch_hole(r);
        if (ret != -ENOTSUP) {
            return ret;
        }
    }
    ret = file_fallocate(r, FILE_CAN_ZERO_RANGE, FALLOC_FL_ZERO_RANGE);
    if (ret != -ENOTSUP && ret != -EINVAL) {
        return ret;
    }
    /* The same in two steps: drop what is there, then reserve space. */
    if (r->offset < st.st_size) {
        ret = file_punch_hole(r);
        if (ret < 0) {
            return ret;
        }
    }
    return file_fallocate(r, FILE_CAN_ALLOCATE, 0);
}

static int file_zero_worker(void *opaque)
{
    FileRange *r = opaque;

    return S_ISREG(r->s->type) ? file_zero_regular(r) : file_zero_device(r);
}

int coroutine_fn file_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, BdrvRequestFlags flags)
{
    FileRange range = {
        .s = bs->opaque,
        .offset = offset,
        .bytes = bytes,
        .unmap = flags & BDRV_REQ_MAY_UNMAP,
        .fast_only = flags & BDRV_REQ_NO_FALLBACK,
    };

    return file_co_run(file_zero_worker, &range);
}

/* ---- Discards ---- */

static int file_discard_worker(void *opaque)
{
    FileRange *r = opaque;

    if (S_ISBLK(r->s->type)) {
        return file_range_ioctl(r, FILE_CAN_DISCARD, BLKDISCARD);
    }
    return file_punch_hole(r);
}

int coroutine_fn file_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                  int64_t bytes)
{
    FilePosixState *s = bs->opaque;
    FileRange range = { .s = s, .offset = offset, .bytes = bytes };
    int ret = file_co_run(file_discard_worker, &range);

    if (ret < 0) {
        __atomic_add_fetch(&s->discards_failed, 1, __ATOMIC_RELAXED);
    } else {
        __atomic_add_fetch(&s->discards_ok, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&s->discarded_bytes, bytes, __ATOMIC_RELAXED);
    }
    return ret;
}

/* ---- Where the data are ---- */

typedef struct FileExtent {
    FilePosixState *s;
    int64_t offset;
    bool data;
    int64_t end;            /* INT64_MAX: no end known */
} FileExtent;

/*
 * The extent at ->offset.  Where the file system can't tell, or the file
 * changes meanwhile, it is data.
 */
static int file_extent_worker(void *opaque)
{
    FileExtent *e = opaque;
    int fd = e->s->fd;
    off_t pos = lseek(fd, e->offset, SEEK_DATA);

    e->data = true;
    e->end = INT64_MAX;
    if (pos < 0) {
        if (errno == ENXIO) {
            e->data = false;        /* nothing but a hole up to the end */
        } else if (errno == EINVAL || errno == EOPNOTSUPP) {
            file_cannot(e->s, FILE_CAN_SEEK_DATA);
        }
        return 0;
    }
    if (pos > e->offset) {
        e->data = false;
        e->end = pos;
        return 0;
    }
    pos = lseek(fd, e->offset, SEEK_HOLE);
    if (pos > e->offset) {
        e->end = pos;
    }
    return 0;
}

int coroutine_fn file_co_block_status(BlockDriverState *bs, bool want_zero,
                                      int64_t offset, int64_t bytes,
                                      int64_t *pnum, int64_t *map,
                                      BlockDriverState **file)
{
    FilePosixState *s = bs->opaque;
    FileExtent extent = { .s = s, .offset = offset, .data = true,
                          .end = INT64_MAX };
    uint32_t align = bs->bl.request_alignment;

    *map = offset;
    *file = bs;
    *pnum = bytes;
    if (!want_zero || !file_can(s, FILE_CAN_SEEK_DATA)) {
        return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    }
    file_co_run(file_extent_worker, &extent);
    if (!extent.data && extent.end - offset < align) {
        /* A hole smaller than what can be asked about. */
        extent.data = true;
        extent.end = offset + align;
    }
    if (extent.end != INT64_MAX) {
        /* The partial unit, as at the end of the file, counts as data. */
        int64_t length = extent.end - offset;

        length = extent.data ? ROUND_UP(length, align)
                             : QEMU_ALIGN_DOWN(length, align);
        *pnum = MIN(bytes, length);
    }
    return (extent.data ? BDRV_BLOCK_DATA : BDRV_BLOCK_ZERO) |
           BDRV_BLOCK_OFFSET_VALID;
}
