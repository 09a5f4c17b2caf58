/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: trays of removable devices, and the media in them.  A device without
 * a tray (a floppy) has its medium changed at any time; where there is a tray
 * it must be open.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block.h"
#include "qapi/qmp/qdict.h"

/* How a command names a device: the one or the other. */
typedef struct DeviceName {
    const char *device;
    const char *id;
} DeviceName;

static const char *shown_name(DeviceName name)
{
    return name.device ? name.device : name.id;
}

/* The removable device; NULL with @errp. */
static BlockBackend *find_removable(DeviceName name, Error **errp)
{
    BlockBackend *blk = qmp_get_blk(name.device, name.id, errp);

    if (blk && !blk_dev_has_removable_media(blk)) {
        error_setg(errp, "Device '%s' is not removable", shown_name(name));
        return NULL;
    }
    return blk;
}

/* ---- Trays ---- */

/*
 * Open the tray if there is one.  The guest is asked to if it has locked the
 * medium; then the tray may still be closed: -EINPROGRESS with @errp.
 */
static int open_tray(DeviceName name, bool force, Error **errp)
{
    BlockBackend *blk = find_removable(name, errp);
    bool locked;

    if (!blk) {
        return -ENODEV;
    }
    if (!blk_dev_has_tray(blk) || blk_dev_is_tray_open(blk)) {
        return 0;
    }
    locked = blk_dev_is_medium_locked(blk);
    if (locked) {
        blk_dev_eject_request(blk, force);
    }
    if (!locked || force) {
        blk_dev_change_media_cb(blk, false, &error_abort);
    }
    if (locked && !force) {
        error_setg(errp, "Device '%s' is locked and force was not specified, "
                   "wait for tray to open and try again", shown_name(name));
        return -EINPROGRESS;
    }
    return 0;
}

static void close_tray(DeviceName name, Error **errp)
{
    BlockBackend *blk = find_removable(name, errp);

    if (blk && blk_dev_has_tray(blk) && blk_dev_is_tray_open(blk)) {
        blk_dev_change_media_cb(blk, true, errp);
    }
}

void qmp_blockdev_open_tray(bool has_device, const char *device, bool has_id,
                            const char *id, bool has_force, bool force,
                            Error **errp)
{
    DeviceName name = { has_device ? device : NULL, has_id ? id : NULL };
    Error *local_err = NULL;

    if (open_tray(name, has_force && force, &local_err) == -EINPROGRESS) {
        /* It was asked for, and an event tells when it has happened. */
        error_free(local_err);
    } else {
        error_propagate(errp, local_err);
    }
}

void qmp_blockdev_close_tray(bool has_device, const char *device, bool has_id,
                             const char *id, Error **errp)
{
    close_tray((DeviceName){ has_device ? device : NULL, has_id ? id : NULL },
               errp);
}

/* ---- Media ---- */

static void remove_medium(DeviceName name, Error **errp)
{
    BlockBackend *blk = find_removable(name, errp);
    BlockDriverState *bs;
    AioContext *ctx;

    if (!blk) {
        return;
    }
    if (blk_dev_has_tray(blk) && !blk_dev_is_tray_open(blk)) {
        error_setg(errp, "Tray of device '%s' is not open", shown_name(name));
        return;
    }
    bs = blk_bs(blk);
    if (!bs) {
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (!bdrv_op_is_blocked(bs, BLOCK_OP_TYPE_EJECT, errp)) {
        blk_remove_bs(blk);
        if (!blk_dev_has_tray(blk)) {
            blk_dev_change_media_cb(blk, false, &error_abort);
        }
    }
    aio_context_release(ctx);
}

static void insert_medium(BlockBackend *blk, BlockDriverState *bs,
                          Error **errp)
{
    Error *local_err = NULL;
    AioContext *ctx;
    int ret;

    if (!blk_dev_has_removable_media(blk)) {
        error_setg(errp, "Device is not removable");
        return;
    }
    if (blk_dev_has_tray(blk) && !blk_dev_is_tray_open(blk)) {
        error_setg(errp, "Tray of the device is not open");
        return;
    }
    if (blk_bs(blk)) {
        error_setg(errp, "There already is a medium in the device");
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    ret = blk_insert_bs(blk, bs, errp);
    aio_context_release(ctx);
    if (ret < 0 || blk_dev_has_tray(blk)) {
        return;
    }
    blk_dev_change_media_cb(blk, true, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        blk_remove_bs(blk);
    }
}

void qmp_blockdev_remove_medium(const char *id, Error **errp)
{
    remove_medium((DeviceName){ NULL, id }, errp);
}

void qmp_blockdev_insert_medium(const char *id, const char *node_name,
                                Error **errp)
{
    BlockBackend *blk = qmp_get_blk(NULL, id, errp);
    BlockDriverState *bs;

    if (!blk) {
        return;
    }
    bs = bdrv_find_node(node_name);
    if (!bs) {
        error_setg(errp, "Node '%s' not found", node_name);
        return;
    }
    if (bdrv_has_blk(bs)) {
        error_setg(errp, "Node '%s' is already in use", node_name);
        return;
    }
    insert_medium(blk, bs, errp);
}

void qmp_eject(bool has_device, const char *device, bool has_id,
               const char *id, bool has_force, bool force, Error **errp)
{
    DeviceName name = { has_device ? device : NULL, has_id ? id : NULL };

    if (open_tray(name, has_force && force, errp) == 0) {
        remove_medium(name, errp);
    }
}

/* ---- Another medium ---- */

static BlockDriverState *open_medium(BlockBackend *blk, const char *filename,
                                     const char *format,
                                     BlockdevChangeReadOnlyMode mode,
                                     Error **errp)
{
    BlockBackendRootState *state = blk_get_root_state(blk);
    QDict *options = qdict_new();
    int flags;

    if (blk_bs(blk)) {
        blk_update_root_state(blk);
    }
    flags = state->open_flags & ~(BDRV_O_TEMPORARY | BDRV_O_SNAPSHOT |
                                  BDRV_O_NO_BACKING | BDRV_O_PROTOCOL |
                                  BDRV_O_AUTO_RDONLY);
    if (mode == BLOCKDEV_CHANGE_READ_ONLY_MODE_READ_ONLY) {
        flags &= ~BDRV_O_RDWR;
    } else if (mode == BLOCKDEV_CHANGE_READ_ONLY_MODE_READ_WRITE) {
        flags |= BDRV_O_RDWR;
    }
    qdict_put_str(options, "detect-zeroes",
                  BlockdevDetectZeroesOptions_str(state->detect_zeroes));
    if (format) {
        qdict_put_str(options, "driver", format);
    }
    return bdrv_open(filename, NULL, options, flags, errp);
}

static void put_in(DeviceName name, BlockBackend *blk, BlockDriverState *bs,
                   bool force, Error **errp)
{
    Error *local_err = NULL;

    if (open_tray(name, force, errp) < 0) {
        return;
    }
    remove_medium(name, &local_err);
    if (!local_err) {
        insert_medium(blk, bs, &local_err);
    }
    if (local_err) {
        error_propagate(errp, local_err);
        return;
    }
    close_tray(name, errp);
}

void qmp_blockdev_change_medium(bool has_device, const char *device,
                                bool has_id, const char *id,
                                const char *filename, bool has_format,
                                const char *format, bool has_force, bool force,
                                bool has_read_only_mode,
                                BlockdevChangeReadOnlyMode read_only_mode,
                                Error **errp)
{
    DeviceName name = { has_device ? device : NULL, has_id ? id : NULL };
    BlockBackend *blk = qmp_get_blk(name.device, name.id, errp);
    BlockDriverState *bs;

    if (!blk) {
        return;
    }
    if (!has_read_only_mode) {
        read_only_mode = BLOCKDEV_CHANGE_READ_ONLY_MODE_RETAIN;
    }
    bs = open_medium(blk, filename, has_format ? format : NULL, read_only_mode,
                     errp);
    if (bs) {
        put_in(name, blk, bs, has_force && force, errp);
        bdrv_unref(bs);
    }
}
