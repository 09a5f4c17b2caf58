/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: encryption of the data.  A LUKS header is kept in clusters of its
 * own, which a header extension tells; its sectors are numbered by where they
 * are in the file.  The older way, "aes", has no header; its sectors are
 * numbered by where they are on the disk.  Metadata are never encrypted.
 *
 * Invariants
 *   1. ->crypto is set if the header says that data are encrypted, and no data
 *      are read or written but by the functions of this file.
 *   2. ->crypto_lock is held while the LUKS header is changed.
 */
#include "qemu/osdep.h"
#include "block/crypto.h"
#include "block/qcow2.h"
#include "qapi/error.h"

#define EXTENSION_BYTES 16

/* ---- The header extension ---- */

bool qcow2_crypto_parse_ext(BlockDriverState *bs, const uint8_t *data,
                            uint32_t length, Error **errp)
{
    Qcow2State *s = bs->opaque;

    if (s->hdr.crypt_method != QCOW2_CRYPT_LUKS) {
        error_setg(errp, "CRYPTO header extension only expected with LUKS "
                   "encryption method");
        return false;
    }
    if (length != EXTENSION_BYTES) {
        error_setg(errp, "CRYPTO header extension size %" PRIu32 ", but "
                   "expected size %d", length, EXTENSION_BYTES);
        return false;
    }
    s->crypto_offset = ldq_be_p(data);
    s->crypto_length = ldq_be_p(data + 8);
    if (qcow2_in_cluster(s, s->crypto_offset)) {
        error_setg(errp, "Encryption header offset '%" PRIu64 "' is not a "
                   "multiple of cluster size '%" PRIu64 "'", s->crypto_offset,
                   s->cluster_size);
        return false;
    }
    if (s->crypto_offset > INT64_MAX - QCOW2_MAX_CRYPTO ||
        s->crypto_length > QCOW2_MAX_CRYPTO) {
        error_setg(errp, "Encryption header of %" PRIu64 " bytes at offset %"
                   PRIu64 " is too large", s->crypto_length,
                   s->crypto_offset);
        return false;
    }
    return true;
}

void qcow2_crypto_encode_ext(const Qcow2State *s, uint8_t *data)
{
    stq_be_p(data, s->crypto_offset);
    stq_be_p(data + 8, s->crypto_length);
}

/* ---- The LUKS header ---- */

static bool in_header(const Qcow2State *s, uint64_t offset, size_t len,
                      Error **errp)
{
    if (offset > s->crypto_length || len > s->crypto_length - offset) {
        error_setg(errp, "Request for data outside of extension header");
        return false;
    }
    return true;
}

static int coroutine_fn read_header(void *opaque, uint64_t offset, void *buf,
                                    size_t len, Error **errp)
{
    BlockDriverState *bs = opaque;
    Qcow2State *s = bs->opaque;

    return in_header(s, offset, len, errp)
        ? block_crypto_co_read(bs->file, s->crypto_offset + offset, buf, len,
                               errp)
        : -EINVAL;
}

static int coroutine_fn write_header(void *opaque, uint64_t offset,
                                     const void *buf, size_t len,
                                     Error **errp)
{
    BlockDriverState *bs = opaque;
    Qcow2State *s = bs->opaque;

    return in_header(s, offset, len, errp)
        ? block_crypto_co_write(bs->file, s->crypto_offset + offset, buf, len,
                                errp)
        : -EINVAL;
}

/* Clusters for a new header; ->lock is held. */
static int coroutine_fn init_header(void *opaque, uint64_t len, Error **errp)
{
    BlockDriverState *bs = opaque;
    Qcow2State *s = bs->opaque;
    int64_t offset = qcow2_alloc_bytes(bs, len);
    int ret = MIN(offset, 0);

    if (ret == 0) {
        qcow2_host_written(s, qcow2_cluster_up(s, offset + len));
        /* The key slots that are free, too, have nothing in them. */
        ret = bdrv_co_pwrite_zeroes(bs->file, offset,
                                    qcow2_cluster_up(s, len), 0);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Cannot allocate cluster for LUKS header "
                         "size %" PRIu64, len);
        return ret;
    }
    s->crypto_offset = offset;
    s->crypto_length = len;
    return 0;
}

static QCryptoBlockIO header_io(BlockDriverState *bs)
{
    QCryptoBlockIO io = { read_header, write_header, init_header, bs };

    return io;
}

/* ---- Open and create ---- */

static const char *format_name(const Qcow2State *s)
{
    return s->hdr.crypt_method == QCOW2_CRYPT_AES ? "aes" : "luks";
}

bool qcow2_crypto_check_format(BlockDriverState *bs, const char *format,
                               Error **errp)
{
    Qcow2State *s = bs->opaque;

    if (!format) {
        return true;
    }
    if (!s->hdr.crypt_method) {
        error_setg(errp, "No encryption in image header, but options "
                   "specified format '%s'", format);
        return false;
    }
    if (strcmp(format, format_name(s))) {
        error_setg(errp, "Header reported '%s' encryption format but options "
                   "specify '%s'", format_name(s), format);
        return false;
    }
    return true;
}

int coroutine_fn qcow2_crypto_open(BlockDriverState *bs,
                                   const char *key_secret, bool no_io,
                                   Error **errp)
{
    Qcow2State *s = bs->opaque;
    bool luks = s->hdr.crypt_method == QCOW2_CRYPT_LUKS;
    QCryptoBlockIO io = header_io(bs);

    if (!s->hdr.crypt_method) {
        return 0;
    }
    if (luks && !s->crypto_offset) {
        error_setg(errp, "Missing CRYPTO header for crypt method %d",
                   QCOW2_CRYPT_LUKS);
        return -EINVAL;
    }
    s->crypto = qcrypto_block_open(luks ? QCRYPTO_BLOCK_FORMAT_LUKS
                                        : QCRYPTO_BLOCK_FORMAT_QCOW,
                                   key_secret, "encrypt.", &io,
                                   no_io ? QCRYPTO_BLOCK_NO_IO : 0, errp);
    bs->encrypted = s->crypto != NULL;
    return s->crypto ? 0 : -EINVAL;
}

static int is_crypto_option(void *opaque, const char *name, const char *value,
                            Error **errp)
{
    return g_str_has_prefix(name, "encrypt.");
}

bool qcow2_crypto_has_options(QemuOpts *opts)
{
    return qemu_opt_foreach(opts, is_crypto_option, NULL, &error_abort);
}

bool qcow2_crypto_parse_create(QemuOpts *opts, QCryptoBlockCreateOptions **out,
                               Error **errp)
{
    const char *format = qemu_opt_get(opts, BLOCK_OPT_ENCRYPT_FORMAT);

    *out = NULL;
    if (qemu_opt_find(opts, BLOCK_OPT_ENCRYPT)) {
        if (format) {
            error_setg(errp, "'" BLOCK_OPT_ENCRYPT_FORMAT "' and its alias '"
                       BLOCK_OPT_ENCRYPT "' can't be used at the same time");
            return false;
        }
        if (qemu_opt_get_bool(opts, BLOCK_OPT_ENCRYPT, false)) {
            format = "aes";
        }
    }
    if (!format && !qcow2_crypto_has_options(opts)) {
        return true;
    }
    /* The schema's name of it. */
    if (format && !strcmp(format, "aes")) {
        format = "qcow";
    }
    *out = block_crypto_parse_create(format, opts, "encrypt.", errp);
    return *out != NULL;
}

int coroutine_fn qcow2_crypto_create(BlockDriverState *bs, void *opaque)
{
    Qcow2CryptoCreate *c = opaque;
    Qcow2State *s = bs->opaque;
    QCryptoBlockIO io = header_io(bs);
    int ret;

    s->crypto = qcrypto_block_create(c->options, "encrypt.", &io, c->errp);
    if (!s->crypto) {
        return -EINVAL;
    }
    bs->encrypted = true;
    s->hdr.crypt_method = c->options->format == QCRYPTO_BLOCK_FORMAT_LUKS
                          ? QCOW2_CRYPT_LUKS : QCOW2_CRYPT_AES;
    ret = qcow2_header_write(bs);
    if (ret < 0) {
        error_setg_errno(c->errp, -ret, "Cannot write encryption header");
    }
    return ret;
}

void qcow2_crypto_close(Qcow2State *s)
{
    g_clear_pointer(&s->crypto, qcrypto_block_free);
}

/* ---- Data ---- */

/* The number that the first byte of an extent has for the cipher. */
static uint64_t crypto_position(const Qcow2State *s, uint64_t guest,
                                uint64_t host)
{
    return s->hdr.crypt_method == QCOW2_CRYPT_LUKS ? host : guest;
}

int coroutine_fn qcow2_data_preadv(BlockDriverState *bs, uint64_t guest,
                                   uint64_t host, uint64_t bytes,
                                   QEMUIOVector *qiov, size_t qiov_offset)
{
    Qcow2State *s = bs->opaque;
    int ret;

    ret = bdrv_co_preadv_part(qcow2_data(bs), host, bytes, qiov, qiov_offset,
                              0);
    if (ret < 0 || !s->crypto) {
        return ret;
    }
    return qcrypto_block_co_decrypt(s->crypto, crypto_position(s, guest, host),
                                    qiov, qiov_offset, bytes);
}

int coroutine_fn qcow2_data_pwritev(BlockDriverState *bs, uint64_t guest,
                                    uint64_t host, uint64_t bytes,
                                    QEMUIOVector *qiov, size_t qiov_offset)
{
    Qcow2State *s = bs->opaque;

    if (!s->crypto) {
        return bdrv_co_pwritev_part(qcow2_data(bs), host, bytes, qiov,
                                    qiov_offset, 0);
    }
    return block_crypto_co_pwritev(s->crypto, qcow2_data(bs),
                                   crypto_position(s, guest, host), host,
                                   bytes, qiov, qiov_offset, 0);
}

/* ---- Amend ---- */

static int coroutine_fn amend(BlockDriverState *bs,
                              const QCryptoBlockAmendOptions *options,
                              bool force, Error **errp)
{
    Qcow2State *s = bs->opaque;
    QCryptoBlockIO io = header_io(bs);
    int ret;

    if (bdrv_is_read_only(bs)) {
        error_setg(errp, "Block node is read-only");
        return -EACCES;
    }
    qemu_co_mutex_lock(&s->crypto_lock);
    ret = qcrypto_block_amend(s->crypto, &io, options, force, errp);
    qemu_co_mutex_unlock(&s->crypto_lock);
    return ret;
}

int coroutine_fn qcow2_co_amend(BlockDriverState *bs,
                                BlockdevAmendOptions *opts, bool force,
                                Error **errp)
{
    BlockdevAmendOptionsQcow2 *o = &opts->u.qcow2;
    Qcow2State *s = bs->opaque;

    if (!o->has_encrypt) {
        return 0;
    }
    if (!s->crypto) {
        error_setg(errp, "image is not encrypted, can't amend");
        return -EOPNOTSUPP;
    }
    if (o->encrypt->format != QCRYPTO_BLOCK_FORMAT_LUKS) {
        error_setg(errp, "Amend can't be used to change the qcow2 encryption "
                   "format");
        return -EOPNOTSUPP;
    }
    if (s->hdr.crypt_method != QCOW2_CRYPT_LUKS) {
        error_setg(errp, "Only LUKS encryption options can be amended for "
                   "qcow2 with blockdev-amend");
        return -EOPNOTSUPP;
    }
    return amend(bs, o->encrypt, force, errp);
}

QCryptoBlockAmendOptions *
qcow2_crypto_parse_amend(BlockDriverState *bs, QemuOpts *opts, Error **errp)
{
    Qcow2State *s = bs->opaque;

    if (!s->crypto) {
        error_setg(errp, "Can't amend encryption options - encryption not "
                   "present");
        return NULL;
    }
    if (s->hdr.crypt_method != QCOW2_CRYPT_LUKS) {
        error_setg(errp, "Only LUKS encryption options can be amended");
        return NULL;
    }
    return block_crypto_parse_amend("luks", opts, "encrypt.", errp);
}

typedef struct AmendCall {
    BlockDriverState *bs;
    const QCryptoBlockAmendOptions *options;
    bool force;
    Error **errp;
} AmendCall;

static int coroutine_fn amend_call(void *opaque)
{
    AmendCall *c = opaque;

    return amend(c->bs, c->options, c->force, c->errp);
}

int qcow2_crypto_amend(BlockDriverState *bs,
                       const QCryptoBlockAmendOptions *options, bool force,
                       Error **errp)
{
    AmendCall call = { bs, options, force, errp };

    return bdrv_run_co(bdrv_get_aio_context(bs), amend_call, &call);
}

/* ---- Information ---- */

ImageInfoSpecificQCow2Encryption *qcow2_crypto_info(Qcow2State *s)
{
    ImageInfoSpecificQCow2Encryption *info;
    g_autofree QCryptoBlockInfoLUKS *luks = NULL;

    if (!s->crypto) {
        return NULL;
    }
    info = g_new0(ImageInfoSpecificQCow2Encryption, 1);
    luks = qcrypto_block_luks_info(s->crypto);
    if (luks) {
        info->format = BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_LUKS;
        /* What it points to changes hands. */
        info->u.luks = *luks;
    } else {
        info->format = BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_AES;
    }
    return info;
}
