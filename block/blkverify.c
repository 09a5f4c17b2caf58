/*
 * SPDX-License-Identifier: MIT
 *
 * blkverify: a test's filter.  What is written goes to an image under test
 * and to a raw copy; what is read comes from both, and if they differ, in
 * content or success, the program ends with a message.
 *
 * Nothing overlaps a write while it runs, else both could rightly differ: in
 * the order of two writes, or in how much of one a read sees.  Nor are
 * discards passed on, after which the content is not defined.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/cutils.h"
#include "qemu/option.h"

/* How parse_filename tells the names to open */
#define OPT_RAW     "x-raw"
#define OPT_IMAGE   "x-image"

typedef struct BlkverifyState {
    BdrvChild *test;            /* the raw copy is bs->file */
} BlkverifyState;

enum { RAW, TEST, SIDES };

typedef struct BlkverifySide {
    struct BlkverifyRequest *req;
    BdrvChild *child;
    uint8_t *buf;               /* reads */
    int ret;
} BlkverifySide;

typedef struct BlkverifyRequest {
    bool is_write;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;         /* writes; NULL: zeroes */
    size_t qiov_offset;
    BdrvRequestFlags flags;
    BlkverifySide sides[SIDES];
} BlkverifyRequest;

/* ---- Options ---- */

static void blkverify_parse_filename(const char *filename, QDict *options,
                                     Error **errp)
{
    const char *raw, *image;

    if (!strstart(filename, "blkverify:", &raw)) {
        qdict_put_str(options, OPT_IMAGE, filename);
        return;
    }
    image = strchr(raw, ':');
    if (!image) {
        error_setg(errp, "blkverify requires raw copy and original image "
                   "path");
        return;
    }
    qdict_put(options, OPT_RAW, qstring_from_substr(raw, 0, image - raw));
    qdict_put_str(options, OPT_IMAGE, image + 1);
}

static QemuOptsList blkverify_runtime_opts = {
    .name = "blkverify",
    .head = QTAILQ_HEAD_INITIALIZER(blkverify_runtime_opts.head),
    .desc = {
        {
            .name = OPT_RAW,
            .type = QEMU_OPT_STRING,
            .help = "[internal use only, will be removed]",
        }, {
            .name = OPT_IMAGE,
            .type = QEMU_OPT_STRING,
            .help = "[internal use only, will be removed]",
        },
        { /* end of list */ }
    },
};

static int open_children(BlockDriverState *bs, QDict *options, QemuOpts *opts,
                         Error **errp)
{
    BlkverifyState *s = bs->opaque;
    int ret = bdrv_open_file_child(qemu_opt_get(opts, OPT_RAW), options, "raw",
                                   bs, errp);

    if (ret < 0) {
        return ret;
    }
    s->test = bdrv_open_child(qemu_opt_get(opts, OPT_IMAGE), options, "test",
                              bs, &child_format, false, errp);
    return s->test ? 0 : -EINVAL;
}

static int blkverify_open(BlockDriverState *bs, QDict *options, int flags,
                          Error **errp)
{
    BlkverifyState *s = bs->opaque;
    QemuOpts *opts = qemu_opts_create(&blkverify_runtime_opts, NULL, 0,
                                      &error_abort);
    int ret = -EINVAL;

    if (qemu_opts_absorb_qdict(opts, options, errp)) {
        ret = open_children(bs, options, opts, errp);
    }
    qemu_opts_del(opts);
    if (ret < 0) {
        return ret;
    }
    /* Neither side may refuse what the other does: no NO_FALLBACK. */
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & bs->file->bs->supported_write_flags &
         s->test->bs->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP) &
         bs->file->bs->supported_zero_flags &
         s->test->bs->supported_zero_flags);
    return 0;
}

/* ---- Requests ---- */

static void G_GNUC_NORETURN G_GNUC_PRINTF(2, 3)
differ(const BlkverifyRequest *req, const char *fmt, ...)
{
    va_list ap;

    /* Not for a monitor: that ends, too. */
    fprintf(stderr, "blkverify: %s offset=%" PRId64 " bytes=%" PRId64 " ",
            req->is_write ? "write" : "read", req->offset, req->bytes);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static void coroutine_fn run_side(void *opaque)
{
    BlkverifySide *side = opaque;
    BlkverifyRequest *req = side->req;

    if (!req->is_write) {
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, side->buf, req->bytes);

        side->ret = bdrv_co_preadv(side->child, req->offset, req->bytes, &qiov,
                                   req->flags);
    } else if (!req->qiov) {
        side->ret = bdrv_co_pwrite_zeroes(side->child, req->offset, req->bytes,
                                          req->flags);
    } else {
        side->ret = bdrv_co_pwritev_part(side->child, req->offset, req->bytes,
                                         req->qiov, req->qiov_offset,
                                         req->flags);
    }
}

/* Both sides' common result */
static int coroutine_fn run(BlockDriverState *bs, BlkverifyRequest *req)
{
    BlkverifyState *s = bs->opaque;
    BlkverifySide *raw = &req->sides[RAW], *test = &req->sides[TEST];

    raw->req = test->req = req;
    raw->child = bs->file;
    test->child = s->test;
    qemu_co_run_all(run_side, req->sides, sizeof(req->sides[0]), SIDES);
    if (raw->ret != test->ret) {
        differ(req, "return value mismatch %d != %d", test->ret, raw->ret);
    }
    return test->ret;
}

static bool same_content(const BlkverifyRequest *req)
{
    return !memcmp(req->sides[RAW].buf, req->sides[TEST].buf, req->bytes);
}

static int coroutine_fn run_read(BlockDriverState *bs, BlkverifyRequest *req)
{
    int64_t at = 0;
    int ret = run(bs, req);

    if (ret >= 0 && !same_content(req)) {
        while (req->sides[RAW].buf[at] == req->sides[TEST].buf[at]) {
            at++;
        }
        differ(req, "contents mismatch at offset %" PRId64, req->offset + at);
    }
    return ret;
}

static int coroutine_fn blkverify_preadv(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    BlkverifyRequest req = {
        .offset = offset,
        .bytes = bytes,
        .flags = flags,
    };
    int ret = -ENOMEM;
    int i;

    for (i = 0; i < SIDES; i++) {
        req.sides[i].buf = qemu_try_blockalign(bs, bytes);
    }
    if (req.sides[RAW].buf && req.sides[TEST].buf) {
        ret = run_read(bs, &req);
    }
    if (ret >= 0) {
        qemu_iovec_from_buf(qiov, qiov_offset, req.sides[TEST].buf, bytes);
    }
    for (i = 0; i < SIDES; i++) {
        qemu_vfree(req.sides[i].buf);
    }
    return ret;
}

static int coroutine_fn blkverify_pwritev(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset,
                                          BdrvRequestFlags flags)
{
    BlkverifyRequest req = {
        .is_write = true,
        .offset = offset,
        .bytes = bytes,
        .qiov = qiov,
        .qiov_offset = qiov_offset,
        .flags = flags,
    };

    bdrv_co_serialise_self(bs);
    return run(bs, &req);
}

static int coroutine_fn blkverify_pwrite_zeroes(BlockDriverState *bs,
                                                int64_t offset, int64_t bytes,
                                                BdrvRequestFlags flags)
{
    return blkverify_pwritev(bs, offset, bytes, NULL, 0, flags);
}

/* The raw copy need not survive a crash. */
static int coroutine_fn blkverify_flush(BlockDriverState *bs)
{
    BlkverifyState *s = bs->opaque;

    return bdrv_co_flush(s->test->bs);
}

/* ---- The node ---- */

static int64_t blkverify_getlength(BlockDriverState *bs)
{
    BlkverifyState *s = bs->opaque;

    return bdrv_getlength(s->test->bs);
}

static int64_t blkverify_get_allocated_file_size(BlockDriverState *bs)
{
    return -ENOTSUP;
}

static void blkverify_child_perm(BlockDriverState *bs, BdrvChild *c,
                                 const BdrvChildRole *role,
                                 BlockReopenQueue *reopen_queue,
                                 uint64_t perm, uint64_t shared,
                                 uint64_t *nperm, uint64_t *nshared)
{
    if (role == &child_file) {
        bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared,
                                  nperm, nshared);
    } else {
        bdrv_data_default_perms(bs, c, role, reopen_queue, perm, shared,
                                nperm, nshared);
    }
}

/* Both sides have the node's content: the program had ended otherwise. */
static bool blkverify_recurse_can_replace(BlockDriverState *bs,
                                          BlockDriverState *to_replace)
{
    BlkverifyState *s = bs->opaque;

    return bdrv_recurse_can_replace(bs->file->bs, to_replace) ||
           bdrv_recurse_can_replace(s->test->bs, to_replace);
}

static void blkverify_refresh_filename(BlockDriverState *bs)
{
    BlkverifyState *s = bs->opaque;
    const char *raw = bs->file->bs->exact_filename;
    const char *test = s->test->bs->exact_filename;

    if (*raw && *test) {
        g_autofree char *name = g_strdup_printf("blkverify:%s:%s", raw, test);

        bdrv_set_string(&bs->exact_filename, name);
    }
}

BlockDriver bdrv_blkverify = {
    .format_name = "blkverify",
    .protocol_name = "blkverify",
    .instance_size = sizeof(BlkverifyState),
    .is_filter = true,
    .bdrv_parse_filename = blkverify_parse_filename,
    .bdrv_open = blkverify_open,
    .bdrv_child_perm = blkverify_child_perm,
    .bdrv_refresh_filename = blkverify_refresh_filename,
    .bdrv_recurse_can_replace = blkverify_recurse_can_replace,
    .bdrv_getlength = blkverify_getlength,
    .bdrv_get_allocated_file_size = blkverify_get_allocated_file_size,
    .bdrv_co_preadv_part = blkverify_preadv,
    .bdrv_co_pwritev_part = blkverify_pwritev,
    .bdrv_co_pwrite_zeroes = blkverify_pwrite_zeroes,
    .bdrv_co_flush = blkverify_flush,
};
