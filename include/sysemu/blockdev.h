/*
 * SPDX-License-Identifier: MIT
 *
 * What the programs and the monitor commands share about drives and nodes.
 * Main thread.
 */
#ifndef SYSEMU_BLOCKDEV_H
#define SYSEMU_BLOCKDEV_H

#include "block/block.h"
#include "qemu/throttle.h"

/* Interfaces of -drive; IF_NONE has no device of its own. */
typedef enum {
    IF_DEFAULT = -1,
    IF_NONE = 0,
    IF_IDE, IF_SCSI, IF_FLOPPY, IF_PFLASH, IF_MTD, IF_SD, IF_VIRTIO, IF_XEN,
    IF_COUNT
} BlockInterfaceType;

/* A drive made by -drive. */
typedef struct DriveInfo {
    BlockInterfaceType type;
    int bus;
    int unit;
    bool media_cd;
    bool is_default;
    QemuOpts *opts;
    BlockBackend *blk;
    QTAILQ_ENTRY(DriveInfo) next;
} DriveInfo;

extern QemuOptsList qemu_drive_opts;
extern QemuOptsList qemu_common_drive_opts;

/* From -drive's options: the backend, which the monitor owns then.  NULL with
 * @errp.  Takes over @all_opts on success. */
DriveInfo *drive_new(QemuOpts *all_opts, BlockInterfaceType default_type,
                     Error **errp);
/* Take options of I/O limits out of @options; *group is g_free()d by the
 * caller, NULL if none was named. */
bool drive_parse_throttling(QDict *options, ThrottleConfig *cfg, char **group,
                            Error **errp);
DriveInfo *drive_get(BlockInterfaceType type, int bus, int unit);
DriveInfo *drive_next(DriveInfo *dinfo);
DriveInfo *blk_legacy_dinfo(BlockBackend *blk);
/* The front end of @blk is gone: if -drive made it, its jobs are cancelled and
 * it goes, too. */
void drive_auto_del(BlockBackend *blk);
/* Take the drive @id away from its device, which stays, and from the monitor.
 * The ID is free again when the device is gone. */
void drive_del(const char *id, Error **errp);
void drive_free_all(void);

/* The root node that a command's @name (device or node) means. */
BlockDriverState *qmp_get_root_bs(const char *name, Error **errp);
/* A backend by device name or qdev ID; one of them must be given. */
BlockBackend *qmp_get_blk(const char *blk_name, const char *qdev_id,
                          Error **errp);
/* A node of the monitor's, from flat options, which are consumed. */
BlockDriverState *blockdev_open_for_monitor(QDict *qdict, Error **errp);
/* Unreference all nodes that the monitor owns. */
void blockdev_close_all_bdrv_states(void);

#endif
