/*
 * SPDX-License-Identifier: MIT
 *
 * -drive: from its options to a BlockBackend that the monitor owns.
 *
 * Options that are not of the drive itself are the node's.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/blockjob.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qstring.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/option.h"

static QTAILQ_HEAD(, DriveInfo) drives = QTAILQ_HEAD_INITIALIZER(drives);

static const char *const if_names[IF_COUNT] = {
    [IF_NONE]   = "none",
    [IF_IDE]    = "ide",
    [IF_SCSI]   = "scsi",
    [IF_FLOPPY] = "floppy",
    [IF_PFLASH] = "pflash",
    [IF_MTD]    = "mtd",
    [IF_SD]     = "sd",
    [IF_VIRTIO] = "virtio",
    [IF_XEN]    = "xen",
};

/* Units on a bus; 0: there are no buses. */
static const int if_units[IF_COUNT] = {
    [IF_IDE]  = 2,
    [IF_SCSI] = 7,
};

/* ---- Options ---- */

QemuOptsList qemu_drive_opts = {
    .name = "drive",
    .head = QTAILQ_HEAD_INITIALIZER(qemu_drive_opts.head),
    /* Any: what is not known here is the node's. */
    .desc = { { NULL } },
};

QemuOptsList qemu_common_drive_opts = {
    .name = "drive",
    .head = QTAILQ_HEAD_INITIALIZER(qemu_common_drive_opts.head),
    .desc = {
        { "if", QEMU_OPT_STRING, "interface" },
        { "bus", QEMU_OPT_NUMBER, "bus number" },
        { "unit", QEMU_OPT_NUMBER, "unit number" },
        { "index", QEMU_OPT_NUMBER, "index number" },
        { "media", QEMU_OPT_STRING, "disk or cdrom" },
        { "id", QEMU_OPT_STRING, "name of the device" },
        { "file", QEMU_OPT_STRING, "name of the image file" },
        { "format", QEMU_OPT_STRING, "format of the image" },
        { "cache", QEMU_OPT_STRING, "writeback, none, writethrough, unsafe "
                                    "or directsync" },
        { "cache.writeback", QEMU_OPT_BOOL, "writes may be cached" },
        { "aio", QEMU_OPT_STRING, "threads, native or io_uring" },
        { "snapshot", QEMU_OPT_BOOL, "write to a temporary image" },
        { "readonly", QEMU_OPT_BOOL, "old name of read-only" },
        { "read-only", QEMU_OPT_BOOL, "open the image read-only" },
        { "copy-on-read", QEMU_OPT_BOOL, "store what is read from the "
                                         "backing file" },
        { "rerror", QEMU_OPT_STRING, "what to do about read errors" },
        { "werror", QEMU_OPT_STRING, "what to do about write errors" },
        { "stats-account-invalid", QEMU_OPT_BOOL, "count times of invalid "
                                                  "requests" },
        { "stats-account-failed", QEMU_OPT_BOOL, "count times of failed "
                                                 "requests" },
        { "discard", QEMU_OPT_STRING, "what to do about discards" },
        { "detect-zeroes", QEMU_OPT_STRING, "what to do about writes of "
                                            "zeroes" },
        { NULL }
    },
};

/* What -drive itself takes; the rest of the options goes to the node. */
static QemuOptsList drive_own_opts = {
    .name = "drive",
    .head = QTAILQ_HEAD_INITIALIZER(drive_own_opts.head),
    .desc = {
        { "if", QEMU_OPT_STRING },
        { "bus", QEMU_OPT_NUMBER },
        { "unit", QEMU_OPT_NUMBER },
        { "index", QEMU_OPT_NUMBER },
        { "media", QEMU_OPT_STRING },
        { "file", QEMU_OPT_STRING },
        { "format", QEMU_OPT_STRING },
        { "cache", QEMU_OPT_STRING },
        { "cache.writeback", QEMU_OPT_BOOL },
        { "aio", QEMU_OPT_STRING },
        { "snapshot", QEMU_OPT_BOOL },
        { "copy-on-read", QEMU_OPT_BOOL },
        { "rerror", QEMU_OPT_STRING },
        { "werror", QEMU_OPT_STRING },
        { "stats-account-invalid", QEMU_OPT_BOOL },
        { "stats-account-failed", QEMU_OPT_BOOL },
        { NULL }
    },
};

/* ---- Parts of a drive's options ---- */

static bool parse_interface(QemuOpts *opts, BlockInterfaceType def,
                            DriveInfo *dinfo, Error **errp)
{
    const char *name = qemu_opt_get(opts, "if");
    int i;

    dinfo->type = def == IF_DEFAULT ? IF_NONE : def;
    if (!name) {
        return true;
    }
    for (i = 0; i < IF_COUNT; i++) {
        if (!strcmp(name, if_names[i])) {
            dinfo->type = i;
            return true;
        }
    }
    error_setg(errp, "unsupported bus type '%s'", name);
    return false;
}

static bool parse_place(QemuOpts *opts, DriveInfo *dinfo, Error **errp)
{
    int units = if_units[dinfo->type];
    int index = qemu_opt_get_number(opts, "index", -1);
    int unit = qemu_opt_get_number(opts, "unit", -1);
    bool any_unit = unit < 0 && index < 0;

    dinfo->bus = qemu_opt_get_number(opts, "bus", 0);
    dinfo->unit = MAX(unit, 0);
    if (index >= 0) {
        if (qemu_opt_get(opts, "bus") || qemu_opt_get(opts, "unit")) {
            error_setg(errp, "index cannot be used with bus and unit");
            return false;
        }
        dinfo->bus = units ? index / units : 0;
        dinfo->unit = units ? index % units : index;
    }
    /* The first that is free */
    while (any_unit && drive_get(dinfo->type, dinfo->bus, dinfo->unit)) {
        if (units && ++dinfo->unit >= units) {
            dinfo->unit -= units;
            dinfo->bus++;
        } else if (!units) {
            dinfo->unit++;
        }
    }
    if (units && dinfo->unit >= units) {
        error_setg(errp, "unit %d too big (max is %d)", dinfo->unit,
                   units - 1);
        return false;
    }
    if (drive_get(dinfo->type, dinfo->bus, dinfo->unit)) {
        error_setg(errp, "drive with bus=%d, unit=%d (index=%d) exists",
                   dinfo->bus, dinfo->unit, index);
        return false;
    }
    return true;
}

static bool parse_media(QemuOpts *opts, DriveInfo *dinfo, Error **errp)
{
    const char *media = qemu_opt_get(opts, "media");

    if (media && strcmp(media, "disk") && strcmp(media, "cdrom")) {
        error_setg(errp, "'%s' invalid media", media);
        return false;
    }
    dinfo->media_cd = media && !strcmp(media, "cdrom");
    return true;
}

static bool parse_error_action(const char *value, bool is_read,
                               BlockdevOnError *action, Error **errp)
{
    static const struct {
        const char *name;
        BlockdevOnError action;
    } actions[] = {
        { "ignore", BLOCKDEV_ON_ERROR_IGNORE },
        { "enospc", BLOCKDEV_ON_ERROR_ENOSPC },
        { "stop", BLOCKDEV_ON_ERROR_STOP },
        { "report", BLOCKDEV_ON_ERROR_REPORT },
    };
    int i;

    if (!value) {
        return true;
    }
    for (i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!strcmp(value, actions[i].name) &&
            !(is_read && actions[i].action == BLOCKDEV_ON_ERROR_ENOSPC)) {
            *action = actions[i].action;
            return true;
        }
    }
    error_setg(errp, "'%s' invalid %s error action", value,
               is_read ? "read" : "write");
    return false;
}

/* cache=MODE as single options; those given singly win. */
static bool parse_cache(QemuOpts *opts, QDict *bs_opts, bool *writethrough,
                        Error **errp)
{
    const char *mode = qemu_opt_get(opts, "cache");
    int flags = 0;

    *writethrough = false;
    if (mode) {
        if (bdrv_parse_cache_mode(mode, &flags, writethrough)) {
            error_setg(errp, "invalid cache option");
            return false;
        }
        qdict_set_default_str(bs_opts, BDRV_OPT_CACHE_DIRECT,
                              flags & BDRV_O_NOCACHE ? "on" : "off");
        qdict_set_default_str(bs_opts, BDRV_OPT_CACHE_NO_FLUSH,
                              flags & BDRV_O_NO_FLUSH ? "on" : "off");
    }
    qdict_set_default_str(bs_opts, BDRV_OPT_CACHE_DIRECT, "off");
    qdict_set_default_str(bs_opts, BDRV_OPT_CACHE_NO_FLUSH, "off");
    *writethrough = !qemu_opt_get_bool(opts, BDRV_OPT_CACHE_WB,
                                       !*writethrough);
    return true;
}

/* "none0", "ide0-hd0", "scsi0-cd2", ... */
static char *default_name(const DriveInfo *dinfo)
{
    if (!if_units[dinfo->type]) {
        return g_strdup_printf("%s%s%d", if_names[dinfo->type],
                               dinfo->media_cd ? "-cd" : "", dinfo->unit);
    }
    return g_strdup_printf("%s%d-%s%d", if_names[dinfo->type], dinfo->bus,
                           dinfo->media_cd ? "cd" : "hd", dinfo->unit);
}

/* ---- The drive ---- */

/* Is there anything but options that an empty drive may have, too? */
static bool describes_node(const QDict *bs_opts)
{
    static const char *const harmless[] = {
        BDRV_OPT_READ_ONLY, BDRV_OPT_AUTO_READ_ONLY, BDRV_OPT_CACHE_DIRECT,
        BDRV_OPT_CACHE_NO_FLUSH, BDRV_OPT_DISCARD, "detect-zeroes",
    };
    size_t n = qdict_size(bs_opts);

    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        n -= qdict_haskey(bs_opts, harmless[i]);
    }
    return n > 0;
}

/* An old name of one of the node's options. */
static bool rename_readonly(QDict *bs_opts, Error **errp)
{
    const char *value = qdict_get_try_str(bs_opts, "readonly");

    if (!value) {
        return true;
    }
    if (qdict_haskey(bs_opts, BDRV_OPT_READ_ONLY)) {
        error_setg(errp, "'" BDRV_OPT_READ_ONLY "' and its alias 'readonly' "
                   "can't be used at the same time");
        return false;
    }
    qdict_put_str(bs_opts, BDRV_OPT_READ_ONLY, value);
    qdict_del(bs_opts, "readonly");
    return true;
}

static BlockBackend *open_backend(QemuOpts *opts, QDict *bs_opts,
                                  const DriveInfo *dinfo, Error **errp)
{
    const char *file = qemu_opt_get(opts, "file");
    const char *format = qemu_opt_get(opts, "format");
    const char *aio = qemu_opt_get(opts, "aio");
    bool has_medium = (file && *file) || format || describes_node(bs_opts);
    int flags = BDRV_O_RDWR;
    BlockBackend *blk;
    BlockDriverState *bs;
    bool writethrough;

    if (aio && bdrv_parse_aio(aio, &flags) < 0) {
        error_setg(errp, "invalid aio option");
        qobject_unref(bs_opts);
        return NULL;
    }
    if (format) {
        if (qdict_haskey(bs_opts, "driver")) {
            error_setg(errp, "Cannot specify both 'driver' and 'format'");
            qobject_unref(bs_opts);
            return NULL;
        }
        qdict_put_str(bs_opts, "driver", format);
    }
    if (!parse_cache(opts, bs_opts, &writethrough, errp)) {
        qobject_unref(bs_opts);
        return NULL;
    }
    qdict_set_default_str(bs_opts, BDRV_OPT_READ_ONLY,
                          dinfo->media_cd ? "on" : "off");
    qdict_set_default_str(bs_opts, BDRV_OPT_AUTO_READ_ONLY, "on");
    if (qemu_opt_get_bool(opts, "snapshot", false)) {
        flags |= BDRV_O_SNAPSHOT;
    }
    if (qemu_opt_get_bool(opts, "copy-on-read", false)) {
        flags |= BDRV_O_COPY_ON_READ;
    }
    /* Who looks at a disk through its drive wants data that make sense. */
    blk = blk_new(has_medium ? BLK_PERM_CONSISTENT_READ : 0, BLK_PERM_ALL);
    blk_set_enable_write_cache(blk, !writethrough);
    if (!has_medium) {
        /* A drive without a medium */
        blk_get_root_state(blk)->open_flags = flags;
        qobject_unref(bs_opts);
        return blk;
    }
    bs = bdrv_open(file && *file ? file : NULL, NULL, bs_opts, flags, errp);
    if (!bs || blk_insert_bs(blk, bs, errp) < 0) {
        bdrv_unref(bs);
        blk_unref(blk);
        return NULL;
    }
    bdrv_unref(bs);
    return blk;
}

static bool set_error_actions(QemuOpts *opts, BlockBackend *blk, Error **errp)
{
    BlockdevOnError on_read = BLOCKDEV_ON_ERROR_REPORT;
    BlockdevOnError on_write = BLOCKDEV_ON_ERROR_ENOSPC;

    if (!parse_error_action(qemu_opt_get(opts, "rerror"), true, &on_read,
                            errp) ||
        !parse_error_action(qemu_opt_get(opts, "werror"), false, &on_write,
                            errp)) {
        return false;
    }
    blk_set_on_error(blk, on_read, on_write);
    return true;
}

/* Take "stats-intervals.0" and so on out of @options: lengths in seconds. */
static bool parse_intervals(QDict *options, GArray *intervals, Error **errp)
{
    QDict *rest;
    QList *list;
    const QListEntry *e;
    bool ok = true;

    qdict_extract_subqdict(options, &rest, "stats-intervals.");
    qdict_array_split(rest, &list);
    if (qdict_size(rest)) {
        error_setg(errp, "Invalid option stats-intervals.%s",
                   qdict_entry_key(qdict_first(rest)));
        ok = false;
    }
    QLIST_FOREACH_ENTRY(list, e) {
        QString *value = qobject_to(QString, qlist_entry_obj(e));
        const char *text = value ? qstring_get_str(value) : "";
        unsigned long long seconds;

        if (ok && (parse_uint_full(text, &seconds, 10) < 0 || !seconds ||
                   seconds > UINT_MAX)) {
            error_setg(errp, "Invalid interval length: %s", text);
            ok = false;
        }
        g_array_append_vals(intervals, &(unsigned){ seconds }, 1);
    }
    qobject_unref(rest);
    qobject_unref(list);
    return ok;
}

static void set_statistics(QemuOpts *opts, const GArray *intervals,
                           BlockBackend *blk)
{
    BlockAcctStats *stats = blk_get_stats(blk);
    guint i;

    block_acct_setup(stats,
                     qemu_opt_get_bool(opts, "stats-account-invalid", true),
                     qemu_opt_get_bool(opts, "stats-account-failed", true));
    for (i = 0; i < intervals->len; i++) {
        block_acct_add_interval(stats, g_array_index(intervals, unsigned, i));
    }
}

DriveInfo *drive_new(QemuOpts *all_opts, BlockInterfaceType default_type,
                     Error **errp)
{
    QDict *bs_opts = qemu_opts_to_qdict(all_opts, NULL);
    g_autofree char *name = g_strdup(qdict_get_try_str(bs_opts, "id"));
    g_autofree char *group = NULL;
    g_autoptr(GArray) intervals = g_array_new(FALSE, FALSE, sizeof(unsigned));
    DriveInfo *dinfo = g_new0(DriveInfo, 1);
    ThrottleConfig cfg;
    QemuOpts *opts = qemu_opts_create(&drive_own_opts, NULL, 0, &error_abort);

    qdict_del(bs_opts, "id");
    if (!rename_readonly(bs_opts, errp) ||
        !qemu_opts_absorb_qdict(opts, bs_opts, errp) ||
        !parse_interface(opts, default_type, dinfo, errp) ||
        !parse_media(opts, dinfo, errp) ||
        !parse_place(opts, dinfo, errp) ||
        !parse_intervals(bs_opts, intervals, errp) ||
        !drive_parse_throttling(bs_opts, &cfg, &group, errp)) {
        qobject_unref(bs_opts);
        goto fail;
    }
    if (!name) {
        name = default_name(dinfo);
    }
    dinfo->blk = open_backend(opts, bs_opts, dinfo, errp);
    if (!dinfo->blk) {
        goto fail;
    }
    if (!set_error_actions(opts, dinfo->blk, errp) ||
        !monitor_add_blk(dinfo->blk, name, errp)) {
        blk_unref(dinfo->blk);
        goto fail;
    }
    set_statistics(opts, intervals, dinfo->blk);
    if (throttle_enabled(&cfg)) {
        blk_io_limits_enable(dinfo->blk, group ? group : name);
        blk_set_io_limits(dinfo->blk, &cfg);
    }
    qemu_opts_del(opts);
    dinfo->opts = all_opts;
    QTAILQ_INSERT_TAIL(&drives, dinfo, next);
    return dinfo;
fail:
    qemu_opts_del(opts);
    g_free(dinfo);
    return NULL;
}

DriveInfo *drive_get(BlockInterfaceType type, int bus, int unit)
{
    DriveInfo *dinfo;

    QTAILQ_FOREACH(dinfo, &drives, next) {
        if (dinfo->type == type && dinfo->bus == bus && dinfo->unit == unit) {
            return dinfo;
        }
    }
    return NULL;
}

DriveInfo *drive_next(DriveInfo *dinfo)
{
    return dinfo ? QTAILQ_NEXT(dinfo, next) : QTAILQ_FIRST(&drives);
}

DriveInfo *blk_legacy_dinfo(BlockBackend *blk)
{
    DriveInfo *dinfo;

    QTAILQ_FOREACH(dinfo, &drives, next) {
        if (dinfo->blk == blk) {
            return dinfo;
        }
    }
    return NULL;
}

static void drive_free(DriveInfo *dinfo)
{
    QTAILQ_REMOVE(&drives, dinfo, next);
    monitor_remove_blk(dinfo->blk);
    blk_unref(dinfo->blk);
    qemu_opts_del(dinfo->opts);
    g_free(dinfo);
}

static bool job_has_node(BlockJob *job, BlockDriverState *bs)
{
    GSList *l;

    for (l = job->nodes; l; l = l->next) {
        if (((BdrvChild *)l->data)->bs == bs) {
            return bs;
        }
    }
    return false;
}

void drive_auto_del(BlockBackend *blk)
{
    DriveInfo *dinfo = blk_legacy_dinfo(blk);
    BlockJob *job, *next;

    if (!dinfo) {
        return;
    }
    for (job = block_job_next(NULL); job; job = next) {
        AioContext *ctx = blk_get_aio_context(job->blk);

        next = block_job_next(job);
        aio_context_acquire(ctx);
        if (job_has_node(job, blk_bs(blk))) {
            block_job_cancel(job, false);
        }
        aio_context_release(ctx);
    }
    drive_free(dinfo);
}

void drive_del(const char *id, Error **errp)
{
    BlockBackend *blk = blk_by_name(id);
    DriveInfo *dinfo = blk ? blk_legacy_dinfo(blk) : NULL;
    AioContext *ctx;

    if (!dinfo) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found",
                  id);
        return;
    }
    ctx = blk_get_aio_context(blk);
    aio_context_acquire(ctx);
    if (blk_op_is_blocked(blk, BLOCK_OP_TYPE_DRIVE_DEL, errp)) {
        aio_context_release(ctx);
        return;
    }
    if (blk_bs(blk)) {
        blk_remove_bs(blk);
    }
    aio_context_release(ctx);
    monitor_remove_blk(blk);
    if (blk_get_attached_dev(blk)) {
        /* Nobody can give it a medium that would let requests go on. */
        blk_set_on_error(blk, BLOCKDEV_ON_ERROR_REPORT,
                         BLOCKDEV_ON_ERROR_REPORT);
    } else {
        drive_free(dinfo);
    }
}

void drive_free_all(void)
{
    DriveInfo *dinfo;

    while ((dinfo = QTAILQ_FIRST(&drives))) {
        drive_free(dinfo);
    }
}
