/*
 * SPDX-License-Identifier: MIT
 *
 * The drivers null-co and null-aio: disks that forget what is written and
 * cost nothing, to measure what lies above them.  With null-co a request
 * without latency ends at once; with null-aio it always waits for one
 * iteration of the event loop.  No request allocates memory.
 *
 * Invariant: the state does not change after open.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"
#include "qemu/units.h"

#define NULL_OPT_SIZE    "size"
#define NULL_OPT_LATENCY "latency-ns"
#define NULL_OPT_ZEROES  "read-zeroes"

typedef struct NullState {
    int64_t length;         /* bytes */
    int64_t latency_ns;     /* of each request */
    bool read_zeroes;       /* else a read leaves the buffer alone */
    bool defer;             /* null-aio */
} NullState;

static QemuOptsList null_options = {
    .name = "null",
    .head = QTAILQ_HEAD_INITIALIZER(null_options.head),
    .desc = {
        {
            .name = NULL_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "length of the disk",
        }, {
            .name = NULL_OPT_LATENCY,
            .type = QEMU_OPT_NUMBER,
            .help = "nanoseconds that each request takes",
        }, {
            .name = NULL_OPT_ZEROES,
            .type = QEMU_OPT_BOOL,
            .help = "reads give zeroes",
        },
        { /* end of list */ }
    },
};

static void null_check_filename(const char *filename, const char *wanted,
                                Error **errp)
{
    if (strcmp(filename, wanted)) {
        error_setg(errp, "The only allowed filename for this driver is '%s'",
                   wanted);
    }
}

static void null_co_parse_filename(const char *filename, QDict *options,
                                   Error **errp)
{
    null_check_filename(filename, "null-co://", errp);
}

static void null_aio_parse_filename(const char *filename, QDict *options,
                                    Error **errp)
{
    null_check_filename(filename, "null-aio://", errp);
}

static int null_open_common(BlockDriverState *bs, QDict *options, bool defer,
                            Error **errp)
{
    NullState *s = bs->opaque;
    QemuOpts *opts = qemu_opts_create(&null_options, NULL, 0, &error_abort);
    uint64_t length;
    int ret = -EINVAL;

    if (!qemu_opts_absorb_qdict(opts, options, errp)) {
        goto out;
    }
    length = qemu_opt_get_size(opts, NULL_OPT_SIZE, 1 * GiB);
    if (length > BDRV_MAX_LENGTH) {
        error_setg(errp, "size is too large: %" PRIu64 " bytes", length);
        goto out;
    }
    s->length = length;
    s->latency_ns = qemu_opt_get_number(opts, NULL_OPT_LATENCY, 0);
    if (s->latency_ns < 0) {
        error_setg(errp, "latency-ns is invalid");
        goto out;
    }
    s->read_zeroes = qemu_opt_get_bool(opts, NULL_OPT_ZEROES, false);
    s->defer = defer;
    bs->supported_write_flags = BDRV_REQ_FUA;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP |
                               BDRV_REQ_NO_FALLBACK;
    ret = 0;
out:
    qemu_opts_del(opts);
    return ret;
}

static int null_co_open(BlockDriverState *bs, QDict *options, int flags,
                        Error **errp)
{
    return null_open_common(bs, options, false, errp);
}

static int null_aio_open(BlockDriverState *bs, QDict *options, int flags,
                         Error **errp)
{
    return null_open_common(bs, options, true, errp);
}

static int null_reopen_prepare(BDRVReopenState *reopen_state,
                               BlockReopenQueue *queue, Error **errp)
{
    return 0;
}

static int64_t null_getlength(BlockDriverState *bs)
{
    NullState *s = bs->opaque;

    return s->length;
}

static int64_t null_get_allocated_file_size(BlockDriverState *bs)
{
    return 0;
}

/* The time that a request takes. */
static int coroutine_fn null_co_work(BlockDriverState *bs)
{
    NullState *s = bs->opaque;

    if (s->latency_ns) {
        qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, s->latency_ns);
    } else if (s->defer) {
        aio_co_schedule(qemu_get_current_aio_context(),
                        qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    return 0;
}

static int coroutine_fn null_co_preadv_part(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags)
{
    NullState *s = bs->opaque;

    if (s->read_zeroes) {
        qemu_iovec_memset(qiov, qiov_offset, 0, bytes);
    }
    return null_co_work(bs);
}

static int coroutine_fn null_co_pwritev_part(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             QEMUIOVector *qiov,
                                             size_t qiov_offset,
                                             BdrvRequestFlags flags)
{
    return null_co_work(bs);
}

static int coroutine_fn null_co_pwrite_zeroes(BlockDriverState *bs,
                                              int64_t offset, int64_t bytes,
                                              BdrvRequestFlags flags)
{
    return null_co_work(bs);
}

static int coroutine_fn null_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes)
{
    return null_co_work(bs);
}

static int coroutine_fn null_co_flush(BlockDriverState *bs)
{
    return null_co_work(bs);
}

static int coroutine_fn null_co_block_status(BlockDriverState *bs,
                                             bool want_zero, int64_t offset,
                                             int64_t bytes, int64_t *pnum,
                                             int64_t *map,
                                             BlockDriverState **file)
{
    NullState *s = bs->opaque;

    *pnum = bytes;
    *map = offset;
    *file = bs;
    return BDRV_BLOCK_OFFSET_VALID | (s->read_zeroes ? BDRV_BLOCK_ZERO : 0);
}

/* The short name tells all unless other options were given. */
static void null_refresh_filename(BlockDriverState *bs)
{
    g_autofree char *name = NULL;
    const QDictEntry *e;

    for (e = qdict_first(bs->full_open_options); e;
         e = qdict_next(bs->full_open_options, e)) {
        const char *key = qdict_entry_key(e);

        if (strcmp(key, "driver") && strcmp(key, "filename")) {
            return;
        }
    }
    name = g_strdup_printf("%s://", bs->drv->format_name);
    bdrv_set_string(&bs->exact_filename, name);
}

static const char *const null_strong_options[] = {
    NULL_OPT_SIZE,
    NULL_OPT_ZEROES,
    NULL
};

BlockDriver bdrv_null_co = {
    .format_name            = "null-co",
    .protocol_name          = "null-co",
    .instance_size          = sizeof(NullState),
    .strong_runtime_opts    = null_strong_options,
    .bdrv_parse_filename    = null_co_parse_filename,
    .bdrv_open              = null_co_open,
    .bdrv_reopen_prepare    = null_reopen_prepare,
    .bdrv_refresh_filename  = null_refresh_filename,
    .bdrv_getlength         = null_getlength,
    .bdrv_get_allocated_file_size = null_get_allocated_file_size,
    .bdrv_co_preadv_part    = null_co_preadv_part,
    .bdrv_co_pwritev_part   = null_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = null_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = null_co_pdiscard,
    .bdrv_co_flush          = null_co_flush,
    .bdrv_co_block_status   = null_co_block_status,
};

BlockDriver bdrv_null_aio = {
    .format_name            = "null-aio",
    .protocol_name          = "null-aio",
    .instance_size          = sizeof(NullState),
    .strong_runtime_opts    = null_strong_options,
    .bdrv_parse_filename    = null_aio_parse_filename,
    .bdrv_open              = null_aio_open,
    .bdrv_reopen_prepare    = null_reopen_prepare,
    .bdrv_refresh_filename  = null_refresh_filename,
    .bdrv_getlength         = null_getlength,
    .bdrv_get_allocated_file_size = null_get_allocated_file_size,
    .bdrv_co_preadv_part    = null_co_preadv_part,
    .bdrv_co_pwritev_part   = null_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = null_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = null_co_pdiscard,
    .bdrv_co_flush          = null_co_flush,
    .bdrv_co_block_status   = null_co_block_status,
};
