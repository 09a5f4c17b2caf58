/*
 * SPDX-License-Identifier: MIT
 *
 * Commands for people that are about disks.  All but qemu-io and the
 * information commands are thin fronts of QMP commands.
 */
#include "qemu/osdep.h"
#include "block/block-hmp-cmds.h"
#include "block/block_int.h"
#include "block/qapi.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-commands-block.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/util.h"
#include "qemu-io.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"

/* ---- qemu-io ---- */

/* The backend that @name means: a device's own or, for a node, one for this
 * command. */
static BlockBackend *find_backend(const char *name, Error **errp)
{
    BlockBackend *blk = blk_by_name(name);
    BlockDriverState *bs;

    if (blk) {
        blk_ref(blk);
        return blk;
    }
    bs = bdrv_lookup_bs(NULL, name, NULL);
    if (!bs) {
        error_setg(errp, "Cannot find device='' nor node-name='%s'", name);
        return NULL;
    }
    return blk_new_with_bs(bs, 0, BLK_PERM_ALL, errp);
}

static void hmp_qemu_io(Monitor *mon, const QDict *qdict)
{
    const char *name = qdict_get_str(qdict, "device");
    Error *err = NULL;
    BlockBackend *blk;
    AioContext *ctx;

    if (qdict_get_try_bool(qdict, "qdev", false)) {
        blk = blk_by_qdev_id(name, &err);
        if (blk) {
            blk_ref(blk);
        }
    } else {
        blk = find_backend(name, &err);
    }
    if (blk) {
        ctx = blk_get_aio_context(blk);
        aio_context_acquire(ctx);
        qemuio_command(blk, qdict_get_str(qdict, "command"));
        blk_unref(blk);
        aio_context_release(ctx);
    }
    hmp_handle_error(mon, err);
}

/* ---- Jobs ---- */

static void hmp_block_job_set_speed(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_job_set_speed(qdict_get_str(qdict, "device"),
                            qdict_get_int(qdict, "speed"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_block_job_cancel(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_job_cancel(qdict_get_str(qdict, "device"), true,
                         qdict_get_try_bool(qdict, "force", false), &err);
    hmp_handle_error(mon, err);
}

static void hmp_block_job_pause(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_job_pause(qdict_get_str(qdict, "device"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_block_job_resume(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_job_resume(qdict_get_str(qdict, "device"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_block_job_complete(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_job_complete(qdict_get_str(qdict, "device"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_drive_mirror(Monitor *mon, const QDict *qdict)
{
    bool reuse = qdict_get_try_bool(qdict, "reuse", false);
    bool full = qdict_get_try_bool(qdict, "full", false);
    DriveMirror arg = {
        .device = (char *)qdict_get_str(qdict, "device"),
        .target = (char *)qdict_get_str(qdict, "target"),
        .has_format = qdict_haskey(qdict, "format"),
        .format = (char *)qdict_get_try_str(qdict, "format"),
        .sync = full ? MIRROR_SYNC_MODE_FULL : MIRROR_SYNC_MODE_TOP,
        .has_mode = true,
        .mode = reuse ? NEW_IMAGE_MODE_EXISTING
                      : NEW_IMAGE_MODE_ABSOLUTE_PATHS,
    };
    Error *err = NULL;

    qmp_drive_mirror(&arg, &err);
    hmp_handle_error(mon, err);
}

static void hmp_drive_backup(Monitor *mon, const QDict *qdict)
{
    bool reuse = qdict_get_try_bool(qdict, "reuse", false);
    bool full = qdict_get_try_bool(qdict, "full", false);
    DriveBackup arg = {
        .device = (char *)qdict_get_str(qdict, "device"),
        .target = (char *)qdict_get_str(qdict, "target"),
        .has_format = qdict_haskey(qdict, "format"),
        .format = (char *)qdict_get_try_str(qdict, "format"),
        .sync = full ? MIRROR_SYNC_MODE_FULL : MIRROR_SYNC_MODE_TOP,
        .has_mode = true,
        .mode = reuse ? NEW_IMAGE_MODE_EXISTING
                      : NEW_IMAGE_MODE_ABSOLUTE_PATHS,
        .has_compress = true,
        .compress = qdict_get_try_bool(qdict, "compress", false),
    };
    Error *err = NULL;

    qmp_drive_backup(&arg, &err);
    hmp_handle_error(mon, err);
}

static void hmp_block_stream(Monitor *mon, const QDict *qdict)
{
    BlockStream arg = {
        .has_job_id = true,
        .job_id = (char *)qdict_get_str(qdict, "device"),
        .device = (char *)qdict_get_str(qdict, "device"),
        .has_base = qdict_haskey(qdict, "base"),
        .base = (char *)qdict_get_try_str(qdict, "base"),
        .has_speed = qdict_haskey(qdict, "speed"),
        .speed = qdict_get_try_int(qdict, "speed", 0),
    };
    Error *err = NULL;

    qmp_block_stream(&arg, &err);
    hmp_handle_error(mon, err);
}

/* ---- Snapshots ---- */

static void hmp_snapshot_blkdev(Monitor *mon, const QDict *qdict)
{
    const char *file = qdict_get_try_str(qdict, "snapshot-file");
    bool reuse = qdict_get_try_bool(qdict, "reuse", false);
    BlockdevSnapshotSync arg = {
        .has_device = true,
        .device = (char *)qdict_get_str(qdict, "device"),
        .snapshot_file = (char *)file,
        .has_format = qdict_haskey(qdict, "format"),
        .format = (char *)qdict_get_try_str(qdict, "format"),
        .has_mode = true,
        .mode = reuse ? NEW_IMAGE_MODE_EXISTING
                      : NEW_IMAGE_MODE_ABSOLUTE_PATHS,
    };
    Error *err = NULL;

    if (file) {
        qmp_blockdev_snapshot_sync(&arg, &err);
    } else {
        error_setg(&err, QERR_MISSING_PARAMETER, "snapshot-file");
    }
    hmp_handle_error(mon, err);
}

static void hmp_snapshot_blkdev_internal(Monitor *mon, const QDict *qdict)
{
    BlockdevSnapshotInternal arg = {
        .device = (char *)qdict_get_str(qdict, "device"),
        .name = (char *)qdict_get_str(qdict, "name"),
    };
    Error *err = NULL;

    qmp_blockdev_snapshot_internal_sync(&arg, &err);
    hmp_handle_error(mon, err);
}

static void hmp_snapshot_delete_blkdev_internal(Monitor *mon,
                                                const QDict *qdict)
{
    const char *id = qdict_get_try_str(qdict, "id");
    Error *err = NULL;

    qapi_free_SnapshotInfo(qmp_blockdev_snapshot_delete_internal_sync(
        qdict_get_str(qdict, "device"), id, id, true,
        qdict_get_str(qdict, "name"), &err));
    hmp_handle_error(mon, err);
}

/* ---- Drives and their media ---- */

/* A node, which the monitor owns then, from the options of -blockdev. */
static void add_node(const char *text, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&qemu_drive_opts, text, false, errp);
    QDict *options;

    if (!opts) {
        return;
    }
    options = qemu_opts_to_qdict(opts, NULL);
    qemu_opts_del(opts);
    if (qdict_get_try_str(options, "node-name")) {
        blockdev_open_for_monitor(options, errp);
    } else {
        error_setg(errp, "'node-name' needs to be specified");
        qobject_unref(options);
    }
}

/* A drive for a device that is still to come; false with @errp. */
static bool add_drive(const char *text, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&qemu_drive_opts, text, false, errp);
    DriveInfo *dinfo = opts ? drive_new(opts, IF_NONE, errp) : NULL;

    if (!dinfo) {
        qemu_opts_del(opts);
        return false;
    }
    if (dinfo->type != IF_NONE) {
        error_setg(errp, "Can't hot-add drive to type %d", dinfo->type);
        drive_auto_del(dinfo->blk);
        return false;
    }
    return true;
}

static void hmp_drive_add(Monitor *mon, const QDict *qdict)
{
    const char *text = qdict_get_str(qdict, "opts");
    Error *err = NULL;

    if (qdict_get_try_bool(qdict, "node", false)) {
        add_node(text, &err);
    } else if (add_drive(text, &err)) {
        monitor_printf(mon, "OK\n");
    }
    if (err) {
        error_report_err(err);
    }
}

static void hmp_drive_del(Monitor *mon, const QDict *qdict)
{
    const char *id = qdict_get_str(qdict, "id");
    Error *err = NULL;

    if (!blk_by_name(id) && bdrv_find_node(id)) {
        qmp_blockdev_del(id, &err);
    } else {
        drive_del(id, &err);
    }
    if (err) {
        error_report_err(err);
    }
}

static void hmp_eject(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_eject(true, qdict_get_str(qdict, "device"), false, NULL, true,
              qdict_get_try_bool(qdict, "force", false), &err);
    hmp_handle_error(mon, err);
}

static void hmp_change(Monitor *mon, const QDict *qdict)
{
    const char *mode = qdict_get_try_str(qdict, "read-only-mode");
    const char *format = qdict_get_try_str(qdict, "format");
    Error *err = NULL;
    int ro;

    ro = qapi_enum_parse(&BlockdevChangeReadOnlyMode_lookup, mode,
                         BLOCKDEV_CHANGE_READ_ONLY_MODE_RETAIN, &err);
    if (!err) {
        qmp_blockdev_change_medium(true, qdict_get_str(qdict, "device"),
                                   false, NULL,
                                   qdict_get_str(qdict, "target"),
                                   format != NULL, format, true,
                                   qdict_get_try_bool(qdict, "force", false),
                                   true, ro, &err);
    }
    hmp_handle_error(mon, err);
}

static void hmp_block_set_io_throttle(Monitor *mon, const QDict *qdict)
{
    char *name = (char *)qdict_get_str(qdict, "device");
    bool is_drive = blk_by_name(name);
    BlockIOThrottle arg = {
        .has_device = is_drive,
        .device = name,
        .has_id = !is_drive,
        .id = name,
        .bps = qdict_get_int(qdict, "bps"),
        .bps_rd = qdict_get_int(qdict, "bps_rd"),
        .bps_wr = qdict_get_int(qdict, "bps_wr"),
        .iops = qdict_get_int(qdict, "iops"),
        .iops_rd = qdict_get_int(qdict, "iops_rd"),
        .iops_wr = qdict_get_int(qdict, "iops_wr"),
    };
    Error *err = NULL;

    qmp_block_set_io_throttle(&arg, &err);
    hmp_handle_error(mon, err);
}

/* ---- Disks ---- */

static int commit_backend(BlockBackend *blk)
{
    AioContext *ctx = blk_get_aio_context(blk);
    int ret;

    aio_context_acquire(ctx);
    ret = bdrv_commit(bdrv_skip_implicit_filters(blk_bs(blk)));
    aio_context_release(ctx);
    return ret;
}

static void hmp_commit(Monitor *mon, const QDict *qdict)
{
    const char *device = qdict_get_str(qdict, "device");
    BlockBackend *blk;
    int ret = 0;

    if (!strcmp(device, "all")) {
        for (blk = blk_next(NULL); blk && ret >= 0; blk = blk_next(blk)) {
            if (blk_bs(blk) &&
                bdrv_cow_bs(bdrv_skip_implicit_filters(blk_bs(blk)))) {
                ret = commit_backend(blk);
            }
        }
    } else {
        blk = blk_by_name(device);
        if (!blk) {
            monitor_printf(mon, "Device '%s' not found\n", device);
            return;
        }
        if (!blk_bs(blk)) {
            monitor_printf(mon, "Device '%s' has no medium\n", device);
            return;
        }
        ret = commit_backend(blk);
    }
    if (ret < 0) {
        monitor_printf(mon, "'commit' error for '%s': %s\n", device,
                       strerror(-ret));
    }
}

static void hmp_info_block_jobs(Monitor *mon, const QDict *qdict)
{
    BlockJobInfoList *list = qmp_query_block_jobs(false, false,
                                                  &error_abort), *l;

    if (!list) {
        monitor_printf(mon, "No active jobs\n");
    }
    for (l = list; l; l = l->next) {
        BlockJobInfo *i = l->value;

        if (!strcmp(i->type, "stream")) {
            monitor_printf(mon, "Streaming device %s: Completed %" PRId64
                           " of %" PRId64 " bytes, speed limit %" PRId64
                           " bytes/s\n", i->device, i->offset, i->len,
                           i->speed);
        } else {
            monitor_printf(mon, "Type %s, device %s: Completed %" PRId64
                           " of %" PRId64 " bytes, speed limit %" PRId64
                           " bytes/s\n", i->type, i->device, i->offset,
                           i->len, i->speed);
        }
    }
    qapi_free_BlockJobInfoList(list);
}

static void hmp_block_resize(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    qmp_block_resize(true, qdict_get_str(qdict, "device"), false, NULL,
                     qdict_get_int(qdict, "size"), &err);
    hmp_handle_error(mon, err);
}

static void hmp_info_blockstats(Monitor *mon, const QDict *qdict)
{
    BlockStatsList *list = qmp_query_blockstats(false, false, NULL), *l;

    for (l = list; l; l = l->next) {
        const BlockDeviceStats *s = l->value->stats;

        if (!l->value->has_device) {
            continue;
        }
        monitor_printf(mon, "%s: rd_bytes=%" PRId64 " wr_bytes=%" PRId64
                       " rd_operations=%" PRId64 " wr_operations=%" PRId64
                       " flush_operations=%" PRId64 " wr_total_time_ns=%"
                       PRId64 " rd_total_time_ns=%" PRId64
                       " flush_total_time_ns=%" PRId64 " rd_merged=%" PRId64
                       " wr_merged=%" PRId64 " idle_time_ns=%" PRId64 "\n",
                       l->value->device, s->rd_bytes, s->wr_bytes,
                       s->rd_operations, s->wr_operations,
                       s->flush_operations, s->wr_total_time_ns,
                       s->rd_total_time_ns, s->flush_total_time_ns,
                       s->rd_merged, s->wr_merged, s->idle_time_ns);
    }
    qapi_free_BlockStatsList(list);
}

/* The file and the driver of a node. */
static void print_file(Monitor *mon, const BlockDeviceInfo *d)
{
    monitor_printf(mon, ": %s (%s%s%s)\n", d->file, d->drv,
                   d->ro ? ", read-only" : "",
                   d->encrypted ? ", encrypted" : "");
}

static void print_limits(Monitor *mon, const BlockDeviceInfo *d)
{
    if (!d->bps && !d->bps_rd && !d->bps_wr &&
        !d->iops && !d->iops_rd && !d->iops_wr) {
        return;
    }
    monitor_printf(mon, "    I/O throttling:   bps=%" PRId64 " bps_rd=%" PRId64
                   " bps_wr=%" PRId64 " bps_max=%" PRId64 " bps_rd_max=%"
                   PRId64 " bps_wr_max=%" PRId64, d->bps, d->bps_rd,
                   d->bps_wr, d->bps_max, d->bps_rd_max, d->bps_wr_max);
    monitor_printf(mon, " iops=%" PRId64 " iops_rd=%" PRId64 " iops_wr=%"
                   PRId64 " iops_max=%" PRId64 " iops_rd_max=%" PRId64
                   " iops_wr_max=%" PRId64 " iops_size=%" PRId64
                   " group=%s\n", d->iops, d->iops_rd, d->iops_wr,
                   d->iops_max, d->iops_rd_max, d->iops_wr_max,
                   d->iops_size, d->group);
}

static void print_node(Monitor *mon, const BlockDeviceInfo *d)
{
    monitor_printf(mon, "    Cache mode:       %s%s%s\n",
                   d->cache->writeback ? "writeback" : "writethrough",
                   d->cache->direct ? ", direct" : "",
                   d->cache->no_flush ? ", ignore flushes" : "");
    if (d->has_backing_file) {
        monitor_printf(mon, "    Backing file:     %s (chain depth: %" PRId64
                       ")\n", d->backing_file, d->backing_file_depth);
    }
    if (d->detect_zeroes != BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF) {
        monitor_printf(mon, "    Detect zeroes:    %s\n",
                       BlockdevDetectZeroesOptions_str(d->detect_zeroes));
    }
    print_limits(mon, d);
}

/* The image, and those below it. */
static void print_images(Monitor *mon, const BlockDeviceInfo *d)
{
    monitor_printf(mon, "\nImages:\n");
    for (ImageInfo *i = d->image; i;
         i = i->has_backing_image ? i->backing_image : NULL) {
        g_autofree char *text = bdrv_image_info_text(i);

        monitor_puts(mon, text);
    }
}

static void info_nodes(Monitor *mon, const char *only, bool verbose)
{
    BlockDeviceInfoList *list, *l;

    list = qmp_query_named_block_nodes(false, false, NULL);
    for (l = list; l; l = l->next) {
        BlockDeviceInfo *d = l->value;

        if (only && strcmp(only, d->node_name)) {
            continue;
        }
        if (l != list) {
            monitor_printf(mon, "\n");
        }
        monitor_printf(mon, "%s", d->node_name);
        print_file(mon, d);
        print_node(mon, d);
        if (verbose) {
            print_images(mon, d);
        }
    }
    qapi_free_BlockDeviceInfoList(list);
}

static void print_disk(Monitor *mon, const BlockInfo *i, bool verbose)
{
    const BlockDeviceInfo *d = i->has_inserted ? i->inserted : NULL;

    /* Without a name, it is called after its node or else its device. */
    if (!*i->device) {
        monitor_printf(mon, "%s", d && d->has_node_name ? d->node_name
                                                        : i->qdev ?: "");
    } else {
        monitor_printf(mon, "%s", i->device);
        if (d && d->has_node_name) {
            monitor_printf(mon, " (%s)", d->node_name);
        }
    }
    if (d) {
        print_file(mon, d);
    } else {
        monitor_printf(mon, ": [not inserted]\n");
    }
    if (i->has_qdev) {
        monitor_printf(mon, "    Attached to:      %s\n", i->qdev);
    }
    if (i->removable) {
        monitor_printf(mon, "    Removable device: %slocked, tray %s\n",
                       i->locked ? "" : "not ",
                       i->has_tray_open && i->tray_open ? "open" : "closed");
    }
    if (d) {
        print_node(mon, d);
        if (verbose) {
            print_images(mon, d);
        }
    }
}

static void hmp_info_block(Monitor *mon, const QDict *qdict)
{
    const char *only = qdict_get_try_str(qdict, "device");
    bool verbose = qdict_get_try_bool(qdict, "verbose", false);
    BlockInfoList *list, *l;

    if (qdict_get_try_bool(qdict, "nodes", false)) {
        info_nodes(mon, only, verbose);
        return;
    }
    list = qmp_query_block(NULL);
    for (l = list; l; l = l->next) {
        BlockInfo *i = l->value;

        if (only && strcmp(only, i->device)) {
            continue;
        }
        if (l != list) {
            monitor_printf(mon, "\n");
        }
        print_disk(mon, i, verbose);
    }
    qapi_free_BlockInfoList(list);
    if (only) {
        info_nodes(mon, only, verbose);
    }
}

static const HMPCommand commands[] = {
    { "block_job_cancel", "force:-f,device:B", "[-f] device",
      "stop a running job (-f: without waiting for its target)",
      hmp_block_job_cancel },
    { "block_job_complete", "device:B", "device",
      "let a job that is ready complete", hmp_block_job_complete },
    { "block_job_pause", "device:B", "device", "pause a job",
      hmp_block_job_pause },
    { "block_job_resume", "device:B", "device", "let a paused job go on",
      hmp_block_job_resume },
    { "block_job_set_speed", "device:B,speed:o", "device speed",
      "limit the speed of a job", hmp_block_job_set_speed },
    { "block_set_io_throttle",
      "device:B,bps:l,bps_rd:l,bps_wr:l,iops:l,iops_rd:l,iops_wr:l",
      "device bps bps_rd bps_wr iops iops_rd iops_wr",
      "limit bytes and requests per second", hmp_block_set_io_throttle },
    { "block_resize", "device:B,size:o", "device size",
      "change the length of a disk", hmp_block_resize },
    { "block_stream", "device:B,speed:o?,base:s?", "device [speed [base]]",
      "copy what backing files have into a disk", hmp_block_stream },
    { "change", "device:B,target:F,format:s?,read-only-mode:s?",
      "device filename [format [read-only-mode]]",
      "put another medium into a drive", hmp_change },
    { "commit", "device:B", "device|all",
      "move changes of a disk into its backing file", hmp_commit },
    { "drive_add", "node:-n,pci_addr:s,opts:s", "[-n] slot options",
      "add a drive for devices to come (-n: a node)", hmp_drive_add },
    { "drive_backup",
      "reuse:-n,full:-f,compress:-c,device:B,target:s,format:s?",
      "[-n] [-f] [-c] device target [format]",
      "copy a disk as it is now to an image (-n: which exists, -f: whole, "
      "-c: compressed)", hmp_drive_backup },
    { "drive_del", "id:B", "device", "take a drive away", hmp_drive_del },
    { "drive_mirror", "reuse:-n,full:-f,device:B,target:s,format:s?",
      "[-n] [-f] device target [format]",
      "mirror a disk to an image (-n: which exists, -f: whole)",
      hmp_drive_mirror },
    { "eject", "force:-f,device:B", "[-f] device",
      "take the medium out of a drive (-f: although it is locked)",
      hmp_eject },
    { "qemu-io", "qdev:-d,device:B,command:s", "[-d] [device] \"[command]\"",
      "run a command of qemu-io on a disk", hmp_qemu_io },
    { "snapshot_blkdev", "reuse:-n,device:B,snapshot-file:s?,format:s?",
      "[-n] device [new-image-file] [format]",
      "put an overlay above a disk (-n: which exists)",
      hmp_snapshot_blkdev },
    { "snapshot_blkdev_internal", "device:B,name:s", "device name",
      "take a snapshot inside a disk's image", hmp_snapshot_blkdev_internal },
    { "snapshot_delete_blkdev_internal", "device:B,name:s,id:s?",
      "device name [id]", "delete a snapshot inside a disk's image",
      hmp_snapshot_delete_blkdev_internal },
    { NULL }
};

static const HMPCommand info_commands[] = {
    { "block", "nodes:-n,verbose:-v,device:B?", "[-n] [-v] [device]",
      "show the disks (-n: the named nodes, -v: with their images)",
      hmp_info_block },
    { "block-jobs", "", "", "show what jobs have done", hmp_info_block_jobs },
    { "blockstats", "", "", "show what was read and written",
      hmp_info_blockstats },
    { NULL }
};

void block_hmp_init(void)
{
    hmp_register_commands(commands);
    hmp_register_info_commands(info_commands);
}
