/*
 * SPDX-License-Identifier: MIT
 *
 * The format luks: a header with keys, then the disk, sector by sector
 * encrypted.
 *
 * Data are read into the memory of who asked for them and decrypted there;
 * what is written is encrypted into a buffer, as that memory must not change.
 *
 * Invariant: ->amend_lock is held while the header is changed.
 */
#include "qemu/osdep.h"
#include "block/crypto.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-crypto.h"
#include "qapi/qmp/qdict.h"
#include "qemu/units.h"
#include "sysemu/block-backend.h"

#define MAX_BUFFER (1 * MiB)

typedef struct LuksState {
    QCryptoBlock *block;        /* immutable after open */
    CoMutex amend_lock;
} LuksState;

static QemuOptsList luks_runtime_opts = {
    .name = "crypto",
    .head = QTAILQ_HEAD_INITIALIZER(luks_runtime_opts.head),
    .desc = {
        BLOCK_CRYPTO_OPT("", "key-secret", QEMU_OPT_STRING,
                         "ID of the secret that provides the keyslot "
                         "passphrase"),
        { /* end of list */ }
    },
};

static QemuOptsList luks_create_opts = {
    .name = "luks-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(luks_create_opts.head),
    .desc = {
        {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size",
        },
        BLOCK_CRYPTO_CREATE_OPTS("", "ID of the secret that provides the "
                                 "keyslot passphrase"),
        { /* end of list */ }
    },
};

static QemuOptsList luks_amend_opts = {
    .name = "luks-amend-opts",
    .head = QTAILQ_HEAD_INITIALIZER(luks_amend_opts.head),
    .desc = {
        BLOCK_CRYPTO_AMEND_OPTS(""),
        { /* end of list */ }
    },
};

static const char *const luks_strong_opts[] = { "key-secret", NULL };

/* ---- The header in the file ---- */

int coroutine_fn block_crypto_co_read(BdrvChild *child, uint64_t offset,
                                      void *buf, size_t len, Error **errp)
{
    int ret = bdrv_co_pread(child, offset, len, buf, 0);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read encryption header");
    }
    return ret;
}

int coroutine_fn block_crypto_co_write(BdrvChild *child, uint64_t offset,
                                       const void *buf, size_t len,
                                       Error **errp)
{
    int ret = bdrv_co_pwrite_sync(child, offset, len, buf, 0);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not write encryption header");
    }
    return ret;
}

static int coroutine_fn read_header(void *opaque, uint64_t offset, void *buf,
                                    size_t len, Error **errp)
{
    BlockDriverState *bs = opaque;

    return block_crypto_co_read(bs->file, offset, buf, len, errp);
}

static int coroutine_fn write_header(void *opaque, uint64_t offset,
                                     const void *buf, size_t len,
                                     Error **errp)
{
    BlockDriverState *bs = opaque;

    return block_crypto_co_write(bs->file, offset, buf, len, errp);
}

static QCryptoBlockIO header_io(BlockDriverState *bs)
{
    QCryptoBlockIO io = {
        .read = read_header, .write = write_header, .opaque = bs,
    };

    return io;
}

/* ---- Open ---- */

static int luks_probe_image(const uint8_t *buf, int buf_size,
                            const char *filename)
{
    return qcrypto_block_has_format(QCRYPTO_BLOCK_FORMAT_LUKS, buf, buf_size)
           ? 100 : 0;
}

typedef struct OpenCall {
    BlockDriverState *bs;
    const char *key_secret;
    int flags;
    Error **errp;
} OpenCall;

static int coroutine_fn open_header(void *opaque)
{
    OpenCall *c = opaque;
    LuksState *s = c->bs->opaque;
    QCryptoBlockIO io = header_io(c->bs);

    s->block = qcrypto_block_open(QCRYPTO_BLOCK_FORMAT_LUKS, c->key_secret, "",
                                  &io, c->flags & BDRV_O_NO_IO
                                       ? QCRYPTO_BLOCK_NO_IO : 0, c->errp);
    return s->block ? 0 : -EIO;
}

static int luks_open_image(BlockDriverState *bs, QDict *options, int flags,
                           Error **errp)
{
    LuksState *s = bs->opaque;
    OpenCall call = { .bs = bs, .flags = flags, .errp = errp };
    QemuOpts *opts;
    int ret;

    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    qemu_co_mutex_init(&s->amend_lock);
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & bs->file->bs->supported_write_flags);
    opts = qemu_opts_create(&luks_runtime_opts, NULL, 0, &error_abort);
    if (qemu_opts_absorb_qdict(opts, options, errp)) {
        call.key_secret = qemu_opt_get(opts, "key-secret");
        ret = bdrv_run_co(bdrv_get_aio_context(bs), open_header, &call);
    } else {
        ret = -EINVAL;
    }
    qemu_opts_del(opts);
    bs->encrypted = ret == 0;
    return ret;
}

static void luks_close(BlockDriverState *bs)
{
    LuksState *s = bs->opaque;

    qcrypto_block_free(s->block);
}

/* The key can't change; all else is the file's. */
static int luks_reopen_prepare(BDRVReopenState *state, BlockReopenQueue *queue,
                               Error **errp)
{
    return 0;
}

/* ---- Requests ---- */

static void luks_refresh_limits(BlockDriverState *bs, Error **errp)
{
    bs->bl.request_alignment = MAX(bs->bl.request_alignment,
                                   QCRYPTO_BLOCK_SECTOR);
}

static int coroutine_fn luks_co_preadv_part(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags)
{
    LuksState *s = bs->opaque;
    int ret;

    ret = bdrv_co_preadv_part(bs->file,
                              offset + qcrypto_block_payload_offset(s->block),
                              bytes, qiov, qiov_offset, 0);
    return ret < 0 ? ret : qcrypto_block_co_decrypt(s->block, offset, qiov,
                                                    qiov_offset, bytes);
}

int coroutine_fn block_crypto_co_pwritev(QCryptoBlock *block, BdrvChild *child,
                                         uint64_t iv_offset, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags)
{
    void *buf = qemu_try_blockalign(child->bs, MIN(bytes, MAX_BUFFER));
    int ret = buf ? 0 : -ENOMEM;

    while (ret >= 0 && bytes) {
        int64_t n = MIN(bytes, MAX_BUFFER);

        ret = qcrypto_block_co_encrypt(block, iv_offset, qiov, qiov_offset,
                                       buf, n);
        if (ret == 0) {
            ret = bdrv_co_pwrite(child, offset, n, buf, flags);
        }
        iv_offset += n;
        offset += n;
        qiov_offset += n;
        bytes -= n;
    }
    qemu_vfree(buf);
    return ret;
}

static int coroutine_fn luks_co_pwritev_part(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             QEMUIOVector *qiov,
                                             size_t qiov_offset,
                                             BdrvRequestFlags flags)
{
    LuksState *s = bs->opaque;

    return block_crypto_co_pwritev(s->block, bs->file, offset, offset +
                                   qcrypto_block_payload_offset(s->block),
                                   bytes, qiov, qiov_offset, flags);
}

/* What the file has there, also a hole, is not what the disk has. */
static int coroutine_fn luks_co_block_status(BlockDriverState *bs,
                                             bool want_zero, int64_t offset,
                                             int64_t bytes, int64_t *pnum,
                                             int64_t *map,
                                             BlockDriverState **file)
{
    *pnum = bytes;
    return BDRV_BLOCK_DATA;
}

/* ---- Length ---- */

static int64_t luks_getlength(BlockDriverState *bs)
{
    LuksState *s = bs->opaque;
    int64_t length = bdrv_getlength(bs->file->bs);

    if (length < 0) {
        return length;
    }
    length -= qcrypto_block_payload_offset(s->block);
    return length < 0 ? -EIO : length;
}

static int coroutine_fn luks_co_truncate(BlockDriverState *bs, int64_t offset,
                                         bool exact, PreallocMode prealloc,
                                         BdrvRequestFlags flags, Error **errp)
{
    LuksState *s = bs->opaque;
    uint64_t payload = qcrypto_block_payload_offset(s->block);

    if (offset > INT64_MAX - (int64_t)payload) {
        error_setg(errp, "The requested file size is too large");
        return -EFBIG;
    }
    return bdrv_co_truncate(bs->file, offset + payload, exact, prealloc, 0,
                            errp);
}

/* ---- Create ---- */

typedef struct CreateCall {
    BlockBackend *blk;
    int64_t size;
    PreallocMode prealloc;
} CreateCall;

static int coroutine_fn create_init(void *opaque, uint64_t len, Error **errp)
{
    CreateCall *c = opaque;

    if (c->size > INT64_MAX - (int64_t)len) {
        error_setg(errp, "The requested file size is too large");
        return -EFBIG;
    }
    return blk_co_truncate(c->blk, c->size + len, false, c->prealloc, 0, errp);
}

static int coroutine_fn create_write(void *opaque, uint64_t offset,
                                     const void *buf, size_t len,
                                     Error **errp)
{
    CreateCall *c = opaque;
    int ret = blk_co_pwrite(c->blk, offset, len, buf, 0);

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not write encryption header");
    }
    return ret;
}

static int coroutine_fn create_in(BlockDriverState *file, int64_t size,
                                  PreallocMode prealloc,
                                  const QCryptoBlockCreateOptions *o,
                                  Error **errp)
{
    CreateCall call = { .size = size, .prealloc = prealloc };
    QCryptoBlockIO io = {
        .write = create_write, .init = create_init, .opaque = &call,
    };
    QCryptoBlock *block;
    int ret = 0;

    call.blk = blk_new_with_bs(file, BLK_PERM_WRITE | BLK_PERM_RESIZE,
                               BLK_PERM_ALL, errp);
    if (!call.blk) {
        return -EPERM;
    }
    block = qcrypto_block_create(o, "", &io, errp);
    if (block) {
        ret = blk_co_flush(call.blk);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Could not flush the new image");
        }
    }
    blk_unref(call.blk);
    qcrypto_block_free(block);
    return block ? ret : -EIO;
}

static int coroutine_fn luks_co_create(BlockdevCreateOptions *opts,
                                       Error **errp)
{
    BlockdevCreateOptionsLUKS *luks = &opts->u.luks;
    QCryptoBlockCreateOptions o = {
        .format = QCRYPTO_BLOCK_FORMAT_LUKS,
        .u.luks = *qapi_BlockdevCreateOptionsLUKS_base(luks),
    };
    BlockDriverState *file;
    uint64_t header;
    int ret;

    if (!qcrypto_block_measure(&o, "", &header, errp)) {
        return -EINVAL;
    }
    file = bdrv_open_blockdev_ref(luks->file, errp);
    if (!file) {
        return -EIO;
    }
    ret = create_in(file, luks->size, luks->has_preallocation
                    ? luks->preallocation : PREALLOC_MODE_OFF, &o, errp);
    bdrv_unref(file);
    return ret;
}

/* The file is made; what becomes of it if that was in vain? */
static int coroutine_fn create_in_file(const char *filename, int64_t size,
                                       PreallocMode prealloc,
                                       const QCryptoBlockCreateOptions *o,
                                       Error **errp)
{
    BlockDriverState *file;
    int ret;

    file = bdrv_open(filename, NULL, NULL,
                     BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_PROTOCOL, errp);
    if (!file) {
        return -EIO;
    }
    ret = create_in(file, size, prealloc, o, errp);
    if (ret < 0) {
        bdrv_co_delete_file(file, NULL);
    }
    bdrv_unref(file);
    return ret;
}

static int coroutine_fn luks_co_create_opts(BlockDriver *drv,
                                            const char *filename,
                                            QemuOpts *opts, Error **errp)
{
    g_autoptr(QCryptoBlockCreateOptions) o = NULL;
    Error *local_err = NULL;
    uint64_t header;
    int64_t size;
    int prealloc, ret;

    size = ROUND_UP(qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0),
                    BDRV_SECTOR_SIZE);
    prealloc = qapi_enum_parse(&PreallocMode_lookup,
                               qemu_opt_get(opts, BLOCK_OPT_PREALLOC),
                               PREALLOC_MODE_OFF, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    o = block_crypto_parse_create("luks", opts, "", errp);
    if (!o || !qcrypto_block_measure(o, "", &header, errp)) {
        return -EINVAL;
    }
    /* The file gets its length when that of the header is known. */
    qemu_opt_unset(opts, BLOCK_OPT_SIZE);
    qemu_opt_unset(opts, BLOCK_OPT_PREALLOC);
    ret = bdrv_create_file(filename, opts, errp);
    return ret < 0 ? ret : create_in_file(filename, size, prealloc, o, errp);
}

static BlockMeasureInfo *luks_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                      Error **errp)
{
    g_autoptr(QCryptoBlockCreateOptions) o = NULL;
    BlockMeasureInfo *info;
    uint64_t header;
    int64_t size;

    o = block_crypto_parse_create("luks", opts, "", errp);
    if (!o || !qcrypto_block_measure(o, "", &header, errp)) {
        return NULL;
    }
    size = in_bs ? bdrv_getlength(in_bs)
                 : ROUND_UP(qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0),
                            BDRV_SECTOR_SIZE);
    if (size < 0) {
        error_setg_errno(errp, -size, "Unable to get image size");
        return NULL;
    }
    info = g_new0(BlockMeasureInfo, 1);
    info->required = size + header;
    info->fully_allocated = size + header;
    return info;
}

/* ---- Amend ---- */

typedef struct AmendCall {
    BlockDriverState *bs;
    const QCryptoBlockAmendOptions *opts;
    bool force;
    Error **errp;
} AmendCall;

static int coroutine_fn amend_call(void *opaque)
{
    AmendCall *c = opaque;
    LuksState *s = c->bs->opaque;
    QCryptoBlockIO io = header_io(c->bs);
    int ret;

    if (bdrv_is_read_only(c->bs)) {
        error_setg(c->errp, "Block node is read-only");
        return -EACCES;
    }
    qemu_co_mutex_lock(&s->amend_lock);
    ret = qcrypto_block_amend(s->block, &io, c->opts, c->force, c->errp);
    qemu_co_mutex_unlock(&s->amend_lock);
    return ret;
}

static int luks_amend_options(BlockDriverState *bs, QemuOpts *opts, bool force,
                              Error **errp)
{
    g_autoptr(QCryptoBlockAmendOptions) o = NULL;
    AmendCall call = { .bs = bs, .force = force, .errp = errp };

    o = block_crypto_parse_amend("luks", opts, "", errp);
    if (!o) {
        return -EINVAL;
    }
    call.opts = o;
    return bdrv_run_co(bdrv_get_aio_context(bs), amend_call, &call);
}

static int coroutine_fn luks_co_amend(BlockDriverState *bs,
                                      BlockdevAmendOptions *opts, bool force,
                                      Error **errp)
{
    QCryptoBlockAmendOptions o = {
        .format = QCRYPTO_BLOCK_FORMAT_LUKS,
        .u.luks = *qapi_BlockdevAmendOptionsLUKS_base(&opts->u.luks),
    };
    AmendCall call = { bs, &o, force, errp };

    return amend_call(&call);
}

/* ---- Information ---- */

static int luks_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    return bdrv_get_info(bs->file->bs, bdi);
}

static ImageInfoSpecific *luks_get_specific_info(BlockDriverState *bs,
                                                 Error **errp)
{
    LuksState *s = bs->opaque;
    ImageInfoSpecific *info = g_new0(ImageInfoSpecific, 1);

    info->type = IMAGE_INFO_SPECIFIC_KIND_LUKS;
    info->u.luks.data = qcrypto_block_luks_info(s->block);
    return info;
}

BlockDriver bdrv_crypto_luks = {
    .format_name            = "luks",
    .instance_size          = sizeof(LuksState),
    .is_format              = true,
    .strong_runtime_opts    = luks_strong_opts,
    .create_opts            = &luks_create_opts,
    .amend_opts             = &luks_amend_opts,
    .bdrv_probe             = luks_probe_image,
    .bdrv_open              = luks_open_image,
    .bdrv_close             = luks_close,
    .bdrv_reopen_prepare    = luks_reopen_prepare,
    .bdrv_co_create         = luks_co_create,
    .bdrv_co_create_opts    = luks_co_create_opts,
    .bdrv_measure           = luks_measure,
    .bdrv_amend_options     = luks_amend_options,
    .bdrv_co_amend          = luks_co_amend,
    .bdrv_refresh_limits    = luks_refresh_limits,
    .bdrv_co_preadv_part    = luks_co_preadv_part,
    .bdrv_co_pwritev_part   = luks_co_pwritev_part,
    .bdrv_co_block_status   = luks_co_block_status,
    .bdrv_co_truncate       = luks_co_truncate,
    .bdrv_getlength         = luks_getlength,
    .bdrv_get_info          = luks_get_info,
    .bdrv_get_specific_info = luks_get_specific_info,
};
