/*
 * SPDX-License-Identifier: MIT
 *
 * blklogwrites: a filter that keeps a log of all that is written, from which
 * the disk can be made again as it was at any moment, to test what file
 * systems and databases do after a crash.
 *
 * The log has the format of the Linux target dm-log-writes, version 1, little
 * endian, in sectors of a size that its superblock tells:
 *
 *      superblock  magic, version, number of entries: 64 bits each; sector
 *                  size: 32 bits
 *      entry       first sector, number of sectors, flags, length of a mark:
 *                  64 bits each; then the data in whole sectors, if any
 *
 * Invariants
 *   1. Under ->lock entries are appended one after the other: before
 *      ->log_sector there are ->nr_entries complete ones.
 *   2. The superblock never counts an entry that is not complete.
 *   3. What a request did is logged before the request ends, and after it was
 *      done: requests that depend on each other are in the log in their order,
 *      and what failed is not in it.
 *   4. Nothing overlaps a write while it runs: the log has the order in which
 *      they were made.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/option.h"

#define LOG_MAGIC       0x6a736677736872ULL
#define LOG_VERSION     1

#define LOG_FLUSH       (1u << 0)
#define LOG_FUA         (1u << 1)
#define LOG_DISCARD     (1u << 2)
#define LOG_MARK        (1u << 3)

#define LOG_MIN_SECTOR  64
#define LOG_MAX_SECTOR  (8 * 1024 * 1024)
#define LOG_INTERVAL    4096

#define OPT_APPEND      "log-append"
#define OPT_SECTOR_SIZE "log-sector-size"
#define OPT_INTERVAL    "log-super-update-interval"

typedef struct QEMU_PACKED LogSuper {
    uint64_t magic;
    uint64_t version;
    uint64_t nr_entries;
    uint32_t sector_size;
} LogSuper;

typedef struct QEMU_PACKED LogEntry {
    uint64_t sector;
    uint64_t nr_sectors;
    uint64_t flags;
    uint64_t data_len;
} LogEntry;

typedef struct LogState {
    /* Immutable */
    BdrvChild *log;
    uint32_t sector_size;
    uint64_t interval;          /* entries from one superblock to the next */

    CoMutex lock;
    /* Under lock */
    uint64_t log_sector;        /* where the next entry goes */
    uint64_t nr_entries;
    uint64_t written_entries;   /* as the superblock has it */
    bool has_super;
} LogState;

/* ---- Options ---- */

static QemuOptsList log_runtime_opts = {
    .name = "blklogwrites",
    .head = QTAILQ_HEAD_INITIALIZER(log_runtime_opts.head),
    .desc = {
        {
            .name = OPT_APPEND,
            .type = QEMU_OPT_BOOL,
            .help = "go on with the log that there is",
        }, {
            .name = OPT_SECTOR_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "size of a sector of a new log (default: 512)",
        }, {
            .name = OPT_INTERVAL,
            .type = QEMU_OPT_NUMBER,
            .help = "number of entries between updates of the superblock",
        },
        { /* end of list */ }
    },
};

static bool set_sector_size(LogState *s, uint64_t size, Error **errp)
{
    if (!is_power_of_2(size) || size < LOG_MIN_SECTOR ||
        size > LOG_MAX_SECTOR) {
        error_setg(errp, "Invalid log sector size %" PRIu64, size);
        return false;
    }
    s->sector_size = size;
    return true;
}

static bool take_options(LogState *s, QemuOpts *opts, bool *append,
                         Error **errp)
{
    *append = qemu_opt_get_bool(opts, OPT_APPEND, false);
    if (*append && qemu_opt_get(opts, OPT_SECTOR_SIZE)) {
        error_setg(errp, "log-append and log-sector-size are mutually "
                   "exclusive");
        return false;
    }
    s->interval = qemu_opt_get_number(opts, OPT_INTERVAL, LOG_INTERVAL);
    if (!s->interval) {
        error_setg(errp, "Invalid log superblock update interval %" PRIu64,
                   s->interval);
        return false;
    }
    return set_sector_size(s, qemu_opt_get_size(opts, OPT_SECTOR_SIZE,
                                                BDRV_SECTOR_SIZE), errp);
}

static bool parse_options(LogState *s, QDict *options, bool *append,
                          Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&log_runtime_opts, NULL, 0,
                                      &error_abort);
    bool ok = qemu_opts_absorb_qdict(opts, options, errp) &&
              take_options(s, opts, append, errp);

    qemu_opts_del(opts);
    return ok;
}

/* ---- The log that there is ---- */

/* How many sectors of data follow the entry?  -1 if it can't be. */
static int64_t data_sectors(const LogState *s, const LogEntry *entry)
{
    uint64_t flags = le64_to_cpu(entry->flags);
    uint64_t sectors = le64_to_cpu(entry->nr_sectors);

    if (flags & LOG_DISCARD) {
        return 0;
    }
    if (flags & LOG_MARK) {
        sectors = DIV_ROUND_UP(le64_to_cpu(entry->data_len), s->sector_size);
    }
    return sectors <= INT64_MAX / s->sector_size ? sectors : -1;
}

/* Step over all entries.  All of them start before the end of the file, which
 * bounds the loop. */
static int find_end(LogState *s, Error **errp)
{
    int64_t length = bdrv_getlength(s->log->bs);
    uint64_t i;

    if (length < 0) {
        error_setg_errno(errp, -length, "Could not get the length of the log");
        return length;
    }
    s->log_sector = 1;
    for (i = 0; i < s->nr_entries; i++) {
        int64_t offset = s->log_sector * s->sector_size;
        int64_t sectors;
        LogEntry entry;
        int ret;

        if (offset >= length) {
            error_setg(errp, "Log ends before entry %" PRIu64 " of %" PRIu64,
                       i, s->nr_entries);
            return -EINVAL;
        }
        ret = bdrv_pread(s->log, offset, sizeof(entry), &entry, 0);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Could not read log entry %" PRIu64,
                             i);
            return ret;
        }
        sectors = data_sectors(s, &entry);
        if (sectors < 0 ||
            sectors > BDRV_MAX_LENGTH / s->sector_size - s->log_sector) {
            error_setg(errp, "Invalid log entry %" PRIu64, i);
            return -EINVAL;
        }
        s->log_sector += 1 + sectors;
    }
    return 0;
}

/* Nothing but zeroes is an empty log. */
static int read_log(LogState *s, Error **errp)
{
    LogSuper super;
    int ret = bdrv_pread(s->log, 0, sizeof(super), &super, 0);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read log superblock");
        return ret;
    }
    if (buffer_is_zero(&super, sizeof(super))) {
        return 0;
    }
    if (le64_to_cpu(super.magic) != LOG_MAGIC) {
        error_setg(errp, "Invalid log superblock magic");
        return -EINVAL;
    }
    if (le64_to_cpu(super.version) != LOG_VERSION) {
        error_setg(errp, "Unsupported log version %" PRIu64,
                   le64_to_cpu(super.version));
        return -EINVAL;
    }
    if (!set_sector_size(s, le32_to_cpu(super.sector_size), errp)) {
        return -EINVAL;
    }
    s->nr_entries = le64_to_cpu(super.nr_entries);
    s->written_entries = s->nr_entries;
    s->has_super = true;
    return find_end(s, errp);
}

/* ---- Appending; lock held ---- */

static int coroutine_fn write_super(LogState *s)
{
    g_autofree uint8_t *sector = g_malloc0(s->sector_size);
    LogSuper *super = (LogSuper *)sector;
    int ret;

    super->magic = cpu_to_le64(LOG_MAGIC);
    super->version = cpu_to_le64(LOG_VERSION);
    super->nr_entries = cpu_to_le64(s->nr_entries);
    super->sector_size = cpu_to_le32(s->sector_size);
    ret = bdrv_co_pwrite(s->log, 0, s->sector_size, sector, 0);
    if (ret >= 0) {
        s->written_entries = s->nr_entries;
        s->has_super = true;
    }
    return ret;
}

/* @qiov: the data, from @qiov_offset, for all sectors of the entry; NULL:
 * zeroes. */
static int coroutine_fn write_data(LogState *s, uint64_t nr_sectors,
                                   QEMUIOVector *qiov, size_t qiov_offset)
{
    int64_t offset = (s->log_sector + 1) * s->sector_size;
    int64_t bytes = nr_sectors * s->sector_size;

    if (!qiov) {
        return bdrv_co_pwrite_zeroes(s->log, offset, bytes, 0);
    }
    return bdrv_co_pwritev_part(s->log, offset, bytes, qiov, qiov_offset, 0);
}

static int coroutine_fn write_entry(LogState *s, uint64_t sector,
                                    uint64_t nr_sectors, unsigned flags)
{
    g_autofree uint8_t *buf = g_malloc0(s->sector_size);
    LogEntry *entry = (LogEntry *)buf;

    entry->sector = cpu_to_le64(sector);
    entry->nr_sectors = cpu_to_le64(nr_sectors);
    entry->flags = cpu_to_le64(flags);
    return bdrv_co_pwrite(s->log, s->log_sector * s->sector_size,
                          s->sector_size, buf, 0);
}

/* A range of bytes of the disk, in sectors */
typedef struct LogRequest {
    int64_t offset;
    int64_t bytes;
    unsigned flags;             /* LOG_* */
    QEMUIOVector *qiov;
    size_t qiov_offset;
} LogRequest;

static int coroutine_fn append_locked(LogState *s, const LogRequest *req)
{
    uint64_t nr_sectors = req->bytes / s->sector_size;
    bool has_data = nr_sectors && !(req->flags & LOG_DISCARD);
    int ret = 0;

    if (!s->has_super) {
        /* An old log must not be taken for this one. */
        ret = write_super(s);
    }
    if (ret >= 0 && has_data) {
        ret = write_data(s, nr_sectors, req->qiov, req->qiov_offset);
    }
    if (ret >= 0) {
        ret = write_entry(s, req->offset / s->sector_size, nr_sectors,
                          req->flags);
    }
    if (ret < 0) {
        return ret;
    }
    s->log_sector += 1 + (has_data ? nr_sectors : 0);
    s->nr_entries++;
    if ((req->flags & LOG_FLUSH) ||
        s->nr_entries - s->written_entries >= s->interval) {
        ret = write_super(s);
    }
    return ret;
}

static int coroutine_fn append(BlockDriverState *bs, const LogRequest *req)
{
    LogState *s = bs->opaque;
    int ret;

    qemu_co_mutex_lock(&s->lock);
    ret = append_locked(s, req);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

/* ---- Requests ---- */

static int coroutine_fn log_preadv(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, QEMUIOVector *qiov,
                                   size_t qiov_offset, BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn log_pwritev(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    LogRequest req = {
        .offset = offset,
        .bytes = bytes,
        .flags = flags & BDRV_REQ_FUA ? LOG_FUA : 0,
        .qiov = qiov,
        .qiov_offset = qiov_offset,
    };
    int ret;

    bdrv_co_serialise_self(bs);
    ret = bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
    return ret < 0 ? ret : append(bs, &req);
}

static int coroutine_fn log_pwrite_zeroes(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          BdrvRequestFlags flags)
{
    LogRequest req = {
        .offset = offset,
        .bytes = bytes,
        .flags = flags & BDRV_REQ_FUA ? LOG_FUA : 0,
    };
    int ret;

    bdrv_co_serialise_self(bs);
    ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
    return ret < 0 ? ret : append(bs, &req);
}

/* The log knows whole sectors only; what is beside them stays. */
static int coroutine_fn log_pdiscard(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes)
{
    LogState *s = bs->opaque;
    LogRequest req = {
        .offset = QEMU_ALIGN_UP(offset, s->sector_size),
        .flags = LOG_DISCARD,
    };
    int ret;

    req.bytes = QEMU_ALIGN_DOWN(offset + bytes, s->sector_size) - req.offset;
    if (req.bytes <= 0) {
        return 0;
    }
    bdrv_co_serialise_self(bs);
    ret = bdrv_co_pdiscard(bs->file, req.offset, req.bytes);
    return ret < 0 ? ret : append(bs, &req);
}

/* Something was written since the last one.  The log's own flush follows. */
static int coroutine_fn log_flush_to_disk(BlockDriverState *bs)
{
    LogRequest req = { .flags = LOG_FLUSH };
    int ret = bdrv_co_flush(bs->file->bs);

    return ret < 0 ? ret : append(bs, &req);
}

/* ---- The node ---- */

static int log_open(BlockDriverState *bs, QDict *options, int flags,
                    Error **errp)
{
    LogState *s = bs->opaque;
    BlockDriverState *below;
    bool append;
    int ret;

    if (!parse_options(s, options, &append, errp)) {
        return -EINVAL;
    }
    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    s->log = bdrv_open_child(NULL, options, "log", bs, &child_file, false,
                             errp);
    if (!s->log) {
        return -EINVAL;
    }
    qemu_co_mutex_init(&s->lock);
    s->log_sector = 1;
    if (append) {
        ret = read_log(s, errp);
        if (ret < 0) {
            return ret;
        }
    }
    below = bs->file->bs;
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & below->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         below->supported_zero_flags);
    return 0;
}

static void log_refresh_limits(BlockDriverState *bs, Error **errp)
{
    LogState *s = bs->opaque;

    bs->bl.request_alignment = MAX(bs->bl.request_alignment, s->sector_size);
}

static int64_t log_getlength(BlockDriverState *bs)
{
    return bdrv_getlength(bs->file->bs);
}

static int64_t log_get_allocated_file_size(BlockDriverState *bs)
{
    return bdrv_get_allocated_file_size(bs->file->bs);
}

static void log_child_perm(BlockDriverState *bs, BdrvChild *c,
                           const BdrvChildRole *role,
                           BlockReopenQueue *reopen_queue,
                           uint64_t perm, uint64_t shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    if (!strcmp(c->name, "log")) {
        bdrv_format_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
    } else {
        bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
    }
}

static const char *const log_strong_opts[] = {
    OPT_APPEND, OPT_SECTOR_SIZE, NULL
};

BlockDriver bdrv_blklogwrites = {
    .format_name = "blklogwrites",
    .instance_size = sizeof(LogState),
    .is_filter = true,
    .strong_runtime_opts = log_strong_opts,
    .bdrv_open = log_open,
    .bdrv_refresh_limits = log_refresh_limits,
    .bdrv_child_perm = log_child_perm,
    .bdrv_getlength = log_getlength,
    .bdrv_get_allocated_file_size = log_get_allocated_file_size,
    .bdrv_co_preadv_part = log_preadv,
    .bdrv_co_pwritev_part = log_pwritev,
    .bdrv_co_pwrite_zeroes = log_pwrite_zeroes,
    .bdrv_co_pdiscard = log_pdiscard,
    .bdrv_co_flush_to_disk = log_flush_to_disk,
};
