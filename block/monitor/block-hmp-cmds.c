/*
 * SPDX-License-Identifier: MIT
 *
 * Commands for people that are about disks.  All but qemu-io and the
 * information commands are thin fronts of QMP commands.
 */
#include "qemu/osdep.h"
#include "block/block-hmp-cmds.h"
#include "block/block_int.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qemu-io.h"
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

/* The file and the driver of a node. */
static void print_file(Monitor *mon, const BlockDeviceInfo *d)
{
    monitor_printf(mon, ": %s (%s%s%s)\n", d->file, d->drv,
                   d->ro ? ", read-only" : "",
                   d->encrypted ? ", encrypted" : "");
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
}

static void info_nodes(Monitor *mon, const char *only)
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
    }
    qapi_free_BlockDeviceInfoList(list);
}

static void print_disk(Monitor *mon, const BlockInfo *i)
{
    const BlockDeviceInfo *d = i->has_inserted ? i->inserted : NULL;

    monitor_printf(mon, "%s", i->device);
    if (d && d->has_node_name) {
        monitor_printf(mon, "%s(%s)", *i->device ? " " : "", d->node_name);
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
    }
}

static void hmp_info_block(Monitor *mon, const QDict *qdict)
{
    const char *only = qdict_get_try_str(qdict, "device");
    BlockInfoList *list, *l;

    if (qdict_get_try_bool(qdict, "nodes", false)) {
        info_nodes(mon, only);
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
        print_disk(mon, i);
    }
    qapi_free_BlockInfoList(list);
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
    { "block_resize", "device:B,size:o", "device size",
      "change the length of a disk", hmp_block_resize },
    { "block_stream", "device:B,speed:o?,base:s?", "device [speed [base]]",
      "copy what backing files have into a disk", hmp_block_stream },
    { "commit", "device:B", "device|all",
      "move changes of a disk into its backing file", hmp_commit },
    { "drive_mirror", "reuse:-n,full:-f,device:B,target:s,format:s?",
      "[-n] [-f] device target [format]",
      "mirror a disk to an image (-n: which exists, -f: whole)",
      hmp_drive_mirror },
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
      "show the disks (-n: the named nodes)", hmp_info_block },
    { "block-jobs", "", "", "show what jobs have done", hmp_info_block_jobs },
    { NULL }
};

void block_hmp_init(void)
{
    hmp_register_commands(commands);
    hmp_register_info_commands(info_commands);
}
