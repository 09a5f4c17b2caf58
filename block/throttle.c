/*
 * SPDX-License-Identifier: MIT
 *
 * throttle: a filter whose requests obey the limits of a throttle group.
 *
 * Invariants
 *   1. While the node is open it is a member of exactly one group, which
 *      somebody else, an object or a drive, had made before.
 *   2. While the node is drained its requests pass without limits, those that
 *      wait already included.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/throttle-groups.h"
#include "qapi/error.h"
#include "qemu/option.h"

#define THROTTLE_GROUP  "throttle-group"

static QemuOptsList throttle_runtime_opts = {
    .name = "throttle",
    .head = QTAILQ_HEAD_INITIALIZER(throttle_runtime_opts.head),
    .desc = {
        {
            .name = THROTTLE_GROUP,
            .type = QEMU_OPT_STRING,
            .help = "the object with the limits",
        },
        { /* end of list */ }
    },
};

/* ---- Options ---- */

/* The name of the group, which exists; NULL with @errp. */
static char *throttle_parse(QDict *options, Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&throttle_runtime_opts, NULL, 0,
                                      &error_abort);
    g_autofree char *group = NULL;

    if (qemu_opts_absorb_qdict(opts, options, errp)) {
        group = qemu_opt_get_del(opts, THROTTLE_GROUP);
        if (!group) {
            error_setg(errp, "Please specify a throttle group");
        } else if (!throttle_group_exists(group)) {
            error_setg(errp, "Throttle group '%s' does not exist", group);
            g_clear_pointer(&group, g_free);
        }
    }
    qemu_opts_del(opts);
    return g_steal_pointer(&group);
}

static int throttle_open(BlockDriverState *bs, QDict *options, int flags,
                         Error **errp)
{
    ThrottleGroupMember *tgm = bs->opaque;
    g_autofree char *group = NULL;
    BlockDriverState *below;
    int ret = bdrv_open_file_child(NULL, options, "file", bs, errp);

    if (ret < 0) {
        return ret;
    }
    group = throttle_parse(options, errp);
    if (!group) {
        return -EINVAL;
    }
    below = bs->file->bs;
    bs->supported_read_flags = below->supported_read_flags;
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
                                below->supported_write_flags;
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
                               below->supported_zero_flags;
    throttle_group_register_tgm(tgm, group, bdrv_get_aio_context(bs));
    return 0;
}

static void throttle_close(BlockDriverState *bs)
{
    throttle_group_unregister_tgm(bs->opaque);
}

/* The group is kept from prepare until it is decided who joins it. */
static int throttle_reopen_prepare(BDRVReopenState *state,
                                   BlockReopenQueue *queue, Error **errp)
{
    g_autofree char *group = throttle_parse(state->options, errp);

    if (!group) {
        return -EINVAL;
    }
    state->opaque = throttle_group_incref(group);
    return 0;
}

static void throttle_reopen_abort(BDRVReopenState *state)
{
    throttle_group_unref(g_steal_pointer(&state->opaque));
}

static void throttle_reopen_commit(BDRVReopenState *state)
{
    ThrottleGroupMember *tgm = state->bs->opaque;
    ThrottleState *group = state->opaque;

    if (group != tgm->throttle_state) {
        g_autofree char *name = g_strdup(throttle_group_name(group));

        throttle_group_unregister_tgm(tgm);
        throttle_group_register_tgm(tgm, name,
                                    bdrv_get_aio_context(state->bs));
    }
    throttle_reopen_abort(state);
}

/* ---- Requests ---- */

static int64_t throttle_getlength(BlockDriverState *bs)
{
    return bdrv_getlength(bs->file->bs);
}

static int coroutine_fn throttle_preadv(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, QEMUIOVector *qiov,
                                        size_t qiov_offset,
                                        BdrvRequestFlags flags)
{
    throttle_group_co_io_limits_intercept(bs->opaque, bytes, false);
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn throttle_pwritev(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    throttle_group_co_io_limits_intercept(bs->opaque, bytes, true);
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags);
}

static int coroutine_fn throttle_pwritev_compressed(BlockDriverState *bs,
                                                    int64_t offset,
                                                    int64_t bytes,
                                                    QEMUIOVector *qiov,
                                                    size_t qiov_offset)
{
    return throttle_pwritev(bs, offset, bytes, qiov, qiov_offset,
                            BDRV_REQ_WRITE_COMPRESSED);
}

static int coroutine_fn throttle_pwrite_zeroes(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               BdrvRequestFlags flags)
{
    throttle_group_co_io_limits_intercept(bs->opaque, bytes, true);
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn throttle_pdiscard(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes)
{
    throttle_group_co_io_limits_intercept(bs->opaque, bytes, true);
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

/* ---- Event loop and drain ---- */

static void throttle_detach_aio_context(BlockDriverState *bs)
{
    throttle_group_detach_aio_context(bs->opaque);
}

static void throttle_attach_aio_context(BlockDriverState *bs,
                                        AioContext *new_context)
{
    throttle_group_attach_aio_context(bs->opaque, new_context);
}

static void coroutine_fn throttle_drain_begin(BlockDriverState *bs)
{
    ThrottleGroupMember *tgm = bs->opaque;

    if (atomic_fetch_inc(&tgm->io_limits_disabled) == 0) {
        throttle_group_restart_tgm(tgm);
    }
}

static void coroutine_fn throttle_drain_end(BlockDriverState *bs)
{
    ThrottleGroupMember *tgm = bs->opaque;

    assert(atomic_read(&tgm->io_limits_disabled) > 0);
    atomic_dec(&tgm->io_limits_disabled);
}

static const char *const throttle_strong_opts[] = { THROTTLE_GROUP, NULL };

BlockDriver bdrv_throttle = {
    .format_name = "throttle",
    .instance_size = sizeof(ThrottleGroupMember),
    .is_filter = true,
    .strong_runtime_opts = throttle_strong_opts,
    .bdrv_open = throttle_open,
    .bdrv_close = throttle_close,
    .bdrv_reopen_prepare = throttle_reopen_prepare,
    .bdrv_reopen_commit = throttle_reopen_commit,
    .bdrv_reopen_abort = throttle_reopen_abort,
    .bdrv_getlength = throttle_getlength,
    .bdrv_co_preadv_part = throttle_preadv,
    .bdrv_co_pwritev_part = throttle_pwritev,
    .bdrv_co_pwritev_compressed_part = throttle_pwritev_compressed,
    .bdrv_co_pwrite_zeroes = throttle_pwrite_zeroes,
    .bdrv_co_pdiscard = throttle_pdiscard,
    .bdrv_detach_aio_context = throttle_detach_aio_context,
    .bdrv_attach_aio_context = throttle_attach_aio_context,
    .bdrv_co_drain_begin = throttle_drain_begin,
    .bdrv_co_drain_end = throttle_drain_end,
};
