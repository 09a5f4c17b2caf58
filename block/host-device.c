/*
 * SPDX-License-Identifier: MIT
 *
 * The driver host_device: an image on a block or character device of the
 * host.  It differs from a file in what its length is, in how it is created
 * (it exists already) and in the calls for zeroes and discards.
 */
#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/fs.h>
#include "block/file-posix-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/option.h"

static int host_device_probe(const char *filename)
{
    struct stat st;

    if (stat(filename, &st) < 0) {
        return 0;
    }
    return S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode) ? 100 : 0;
}

static void host_device_parse_filename(const char *filename, QDict *options,
                                       Error **errp)
{
    bdrv_parse_filename_strip_prefix(filename, "host_device:", options);
}

/* A device that is set read-only can be opened for writing nevertheless. */
static int host_device_check_writable(FilePosixState *s, Error **errp)
{
    int readonly = 0;

    if ((s->open_flags & O_ACCMODE) == O_RDONLY || !S_ISBLK(s->type)) {
        return 0;
    }
    if (ioctl(s->fd, BLKROGET, &readonly) < 0) {
        int ret = -errno;

        error_setg_errno(errp, -ret, "The device '%s' does not tell if it is "
                         "read-only", s->filename);
        return ret;
    }
    if (readonly) {
        error_setg(errp, "The device is not writable");
        return -EACCES;
    }
    return 0;
}

static int host_device_open(BlockDriverState *bs, QDict *options, int flags,
                            Error **errp)
{
    int ret = file_open_common(bs, options, flags, true, errp);

    if (ret < 0) {
        return ret;
    }
    ret = host_device_check_writable(bs->opaque, errp);
    if (ret < 0) {
        file_close(bs);
    }
    return ret;
}

BlockDriver bdrv_host_device = {
    .format_name            = "host_device",
    .protocol_name          = "host_device",
    .instance_size          = sizeof(FilePosixState),
    .bdrv_needs_filename    = true,
    .mutable_opts           = file_mutable_opts,
    .strong_runtime_opts    = file_strong_opts,
    .create_opts            = &bdrv_create_opts_simple,
    .bdrv_probe_device      = host_device_probe,
    .bdrv_parse_filename    = host_device_parse_filename,
    .bdrv_open              = host_device_open,
    .bdrv_close             = file_close,
    .bdrv_reopen_prepare    = file_reopen_prepare,
    .bdrv_reopen_commit     = file_reopen_commit,
    .bdrv_reopen_abort      = file_reopen_abort,
    .bdrv_co_create_opts    = bdrv_co_create_opts_simple,
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
    .bdrv_co_flush_to_disk  = file_co_flush_to_disk,
    .bdrv_co_truncate       = file_co_truncate,
    .bdrv_co_invalidate_cache = file_co_invalidate_cache,
    .bdrv_getlength         = file_getlength,
    .bdrv_get_info          = file_get_info,
    .bdrv_get_allocated_file_size = file_get_allocated_file_size,
    .bdrv_get_specific_stats = file_get_specific_stats,
    .bdrv_attach_aio_context = file_attach_aio_context,
};
