/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted disks: opening in any format, and the encryption of sectors.
 *
 * A cipher of the library serves one thread at a time.  A disk has as many of
 * them (engines) as threads worked on it at the same time so far.
 */
#include "qemu/osdep.h"
#include "block-internal.h"
#include "block/aio.h"
#include "block/thread-pool.h"
#include "crypto/secret.h"
#include "qapi/error.h"
#include "qemu/thread.h"

#define SECTOR QCRYPTO_BLOCK_SECTOR

/* Fewer bytes are not worth a change of threads. */
#define MIN_WORKER_BYTES    (16 * 1024)

struct QCryptoBlock {
    /* Immutable after open */
    QCryptoBlockFormat format;
    QCryptoBlockCipher cipher;
    uint64_t payload_offset;
    uint8_t *key;               /* NULL: no data are looked at */
    size_t key_len;
    char *key_secret;           /* ID of the secret; may be NULL */

    QemuMutex lock;             /* all below */
    LuksHeader luks;
    GPtrArray *idle;            /* engines that nobody uses */
};

/* ---- Slow work ---- */

int qcrypto_run_slow(int (*fn)(void *opaque), void *opaque)
{
    if (!qemu_in_coroutine()) {
        return fn(opaque);
    }
    return thread_pool_submit_co(
        aio_get_thread_pool(qemu_get_current_aio_context()), fn, opaque);
}

/* ---- Engines ---- */

void qcrypto_engine_free(QCryptoEngine *e)
{
    if (e) {
        qcrypto_cipher_free(e->cipher);
        qcrypto_ivgen_free(e->ivgen);
        g_free(e);
    }
}

QCryptoEngine *qcrypto_engine_new(const QCryptoBlockCipher *c,
                                  const uint8_t *key, size_t key_len,
                                  Error **errp)
{
    QCryptoEngine *e = g_new0(QCryptoEngine, 1);

    e->iv_len = qcrypto_cipher_iv_len(c->alg, c->mode);
    e->cipher = qcrypto_cipher_new(c->alg, c->mode, key, key_len, errp);
    if (e->cipher) {
        e->ivgen = qcrypto_ivgen_new(c->ivgen, c->ivgen_alg, c->ivgen_hash,
                                     key, key_len, errp);
    }
    if (!e->ivgen) {
        qcrypto_engine_free(e);
        return NULL;
    }
    return e;
}

int qcrypto_engine_crypt(QCryptoEngine *e, bool encrypt, uint64_t sector,
                         const void *in, void *out, size_t len, Error **errp)
{
    uint8_t iv[QCRYPTO_MAX_BLOCK];

    for (size_t pos = 0; pos < len; pos += SECTOR, sector++) {
        if (e->iv_len &&
            qcrypto_ivgen_calculate(e->ivgen, sector, iv, e->iv_len,
                                    errp) < 0) {
            return -1;
        }
        if (qcrypto_cipher_crypt(e->cipher, encrypt, e->iv_len ? iv : NULL,
                                 (const uint8_t *)in + pos,
                                 (uint8_t *)out + pos, SECTOR, errp) < 0) {
            return -1;
        }
    }
    return 0;
}

static QCryptoEngine *get_engine(QCryptoBlock *block)
{
    QCryptoEngine *e = NULL;

    qemu_mutex_lock(&block->lock);
    if (block->idle->len) {
        e = g_ptr_array_steal_index_fast(block->idle, block->idle->len - 1);
    }
    qemu_mutex_unlock(&block->lock);
    return e ?: qcrypto_engine_new(&block->cipher, block->key, block->key_len,
                                   NULL);
}

static void put_engine(QCryptoBlock *block, QCryptoEngine *e)
{
    qemu_mutex_lock(&block->lock);
    g_ptr_array_add(block->idle, e);
    qemu_mutex_unlock(&block->lock);
}

/* ---- Sectors ---- */

/* A part of a vector that is being worked through. */
typedef struct Walk {
    const struct iovec *iov;
    size_t skip;                /* bytes of ->iov that were done */
} Walk;

/* Whole sectors that are in one piece here, bytes. */
static size_t walk_piece(Walk *w, uint8_t **p, size_t max)
{
    while (w->skip >= w->iov->iov_len) {
        w->skip -= w->iov->iov_len;
        w->iov++;
    }
    *p = (uint8_t *)w->iov->iov_base + w->skip;
    return QEMU_ALIGN_DOWN(MIN(w->iov->iov_len - w->skip, max), SECTOR);
}

/* The sector at @w to @buf, or the other way round; it is in pieces. */
static void walk_copy(Walk w, uint8_t *buf, bool to_buf)
{
    size_t left = SECTOR;

    while (left) {
        uint8_t *p;
        size_t n;

        walk_piece(&w, &p, 0);
        n = MIN(left, w.iov->iov_len - w.skip);
        memcpy(to_buf ? buf : p, to_buf ? p : buf, n);
        buf += n;
        left -= n;
        w.skip += n;
    }
}

int qcrypto_block_decrypt(QCryptoBlock *block, uint64_t offset,
                          QEMUIOVector *qiov, size_t qiov_offset,
                          size_t bytes)
{
    QCryptoEngine *e = get_engine(block);
    Walk w = { qiov->iov, qiov_offset };
    uint8_t one[SECTOR];
    int ret = e ? 0 : -1;

    while (ret == 0 && bytes) {
        uint8_t *p;
        size_t n = walk_piece(&w, &p, bytes);

        if (n) {
            ret = qcrypto_engine_crypt(e, false, offset / SECTOR, p, p, n,
                                       NULL);
        } else {
            n = SECTOR;
            walk_copy(w, one, true);
            ret = qcrypto_engine_crypt(e, false, offset / SECTOR, one, one, n,
                                       NULL);
            walk_copy(w, one, false);
        }
        w.skip += n;
        offset += n;
        bytes -= n;
    }
    if (e) {
        put_engine(block, e);
    }
    return ret < 0 ? -EIO : 0;
}

int qcrypto_block_encrypt(QCryptoBlock *block, uint64_t offset,
                          QEMUIOVector *qiov, size_t qiov_offset,
                          void *out, size_t bytes)
{
    QCryptoEngine *e = get_engine(block);
    Walk w = { qiov->iov, qiov_offset };
    uint8_t *to = out;
    int ret = e ? 0 : -1;

    while (ret == 0 && bytes) {
        uint8_t *p;
        size_t n = walk_piece(&w, &p, bytes);

        if (!n) {
            n = SECTOR;
            walk_copy(w, to, true);
            p = to;
        }
        ret = qcrypto_engine_crypt(e, true, offset / SECTOR, p, to, n, NULL);
        w.skip += n;
        to += n;
        offset += n;
        bytes -= n;
    }
    if (e) {
        put_engine(block, e);
    }
    return ret < 0 ? -EIO : 0;
}

typedef struct CryptJob {
    QCryptoBlock *block;
    uint64_t offset;
    QEMUIOVector *qiov;
    size_t qiov_offset;
    void *out;                  /* NULL: decrypt */
    size_t bytes;
} CryptJob;

static int crypt_job(void *opaque)
{
    CryptJob *job = opaque;

    return job->out
        ? qcrypto_block_encrypt(job->block, job->offset, job->qiov,
                                job->qiov_offset, job->out, job->bytes)
        : qcrypto_block_decrypt(job->block, job->offset, job->qiov,
                                job->qiov_offset, job->bytes);
}

static int coroutine_fn co_crypt(CryptJob *job)
{
    return job->bytes < MIN_WORKER_BYTES ? crypt_job(job)
                                         : qcrypto_run_slow(crypt_job, job);
}

int coroutine_fn qcrypto_block_co_decrypt(QCryptoBlock *block, uint64_t offset,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset, size_t bytes)
{
    CryptJob job = { block, offset, qiov, qiov_offset, NULL, bytes };

    return co_crypt(&job);
}

int coroutine_fn qcrypto_block_co_encrypt(QCryptoBlock *block, uint64_t offset,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset, void *out,
                                          size_t bytes)
{
    CryptJob job = { block, offset, qiov, qiov_offset, out, bytes };

    return co_crypt(&job);
}

/* ---- AES of qcow2: the key is the pass phrase ---- */

static bool aes_open(QCryptoBlock *block, const char *prefix,
                     QCryptoBlockFlags flags, Error **errp)
{
    uint8_t *secret;
    size_t len;

    block->cipher.alg = QCRYPTO_CIPHER_ALG_AES_128;
    block->cipher.mode = QCRYPTO_CIPHER_MODE_CBC;
    block->cipher.ivgen = QCRYPTO_IVGEN_ALG_PLAIN64;
    block->key_len = 16;
    if (!block->key_secret) {
        if (flags & QCRYPTO_BLOCK_NO_IO) {
            return true;
        }
        error_setg(errp, "Parameter '%skey-secret' is required for cipher",
                   prefix);
        return false;
    }
    if (!qcrypto_available(errp) ||
        qcrypto_secret_lookup(block->key_secret, &secret, &len, errp) < 0) {
        return false;
    }
    block->key = g_malloc0(block->key_len);
    memcpy(block->key, secret, MIN(len, block->key_len));
    qcrypto_free_key(secret, len);
    return true;
}

/* ---- Open and create ---- */

bool qcrypto_block_has_format(QCryptoBlockFormat format, const uint8_t *buf,
                              size_t len)
{
    return format == QCRYPTO_BLOCK_FORMAT_LUKS && luks_probe(buf, len);
}

static QCryptoBlock *block_new(QCryptoBlockFormat format,
                               const char *key_secret)
{
    QCryptoBlock *block = g_new0(QCryptoBlock, 1);

    block->format = format;
    block->key_secret = g_strdup(key_secret);
    block->idle = g_ptr_array_new_with_free_func(
        (GDestroyNotify)qcrypto_engine_free);
    qemu_mutex_init(&block->lock);
    return block;
}

void qcrypto_block_free(QCryptoBlock *block)
{
    if (block) {
        g_ptr_array_free(block->idle, true);
        qcrypto_free_key(block->key, block->key_len);
        g_free(block->key_secret);
        qemu_mutex_destroy(&block->lock);
        g_free(block);
    }
}

/* The header, or what there is instead of it, was read or made. */
static QCryptoBlock *block_ready(QCryptoBlock *block, bool ok, Error **errp)
{
    QCryptoEngine *e;

    if (ok && block->format == QCRYPTO_BLOCK_FORMAT_LUKS) {
        block->cipher = block->luks.cipher;
        block->key_len = block->luks.key_len;
        block->payload_offset = (uint64_t)block->luks.payload_sector * SECTOR;
    }
    if (ok && block->key) {
        /* The first one shows whether there can be any. */
        e = qcrypto_engine_new(&block->cipher, block->key, block->key_len,
                               errp);
        ok = e != NULL;
        if (ok) {
            put_engine(block, e);
        }
    }
    if (!ok) {
        qcrypto_block_free(block);
        return NULL;
    }
    return block;
}

QCryptoBlock *qcrypto_block_open(QCryptoBlockFormat format,
                                 const char *key_secret, const char *prefix,
                                 const QCryptoBlockIO *io,
                                 QCryptoBlockFlags flags, Error **errp)
{
    QCryptoBlock *block = block_new(format, key_secret);
    bool ok;

    ok = format == QCRYPTO_BLOCK_FORMAT_LUKS
        ? luks_open(io, key_secret, prefix, flags, &block->luks, &block->key,
                    errp) == 0
        : aes_open(block, prefix, flags, errp);
    return block_ready(block, ok, errp);
}

QCryptoBlock *qcrypto_block_create(const QCryptoBlockCreateOptions *options,
                                   const char *prefix,
                                   const QCryptoBlockIO *io, Error **errp)
{
    bool luks = options->format == QCRYPTO_BLOCK_FORMAT_LUKS;
    QCryptoBlock *block = block_new(options->format,
                                    luks ? options->u.luks.key_secret
                                         : options->u.qcow.key_secret);
    bool ok;

    ok = luks ? luks_create(&options->u.luks, prefix, io, &block->luks,
                            &block->key, errp) == 0
              : aes_open(block, prefix, 0, errp);
    return block_ready(block, ok, errp);
}

bool qcrypto_block_measure(const QCryptoBlockCreateOptions *options,
                           const char *prefix, uint64_t *header_len,
                           Error **errp)
{
    const char *secret = options->format == QCRYPTO_BLOCK_FORMAT_LUKS
        ? options->u.luks.key_secret : options->u.qcow.key_secret;
    uint8_t *phrase;
    size_t phrase_len;
    LuksHeader h;

    *header_len = 0;
    if (!secret) {
        error_setg(errp, "Parameter '%skey-secret' is required for cipher",
                   prefix);
        return false;
    }
    if (qcrypto_secret_lookup(secret, &phrase, &phrase_len, errp) < 0) {
        return false;
    }
    qcrypto_free_key(phrase, phrase_len);
    if (options->format == QCRYPTO_BLOCK_FORMAT_LUKS) {
        if (!luks_header_init(&options->u.luks, &h, errp)) {
            return false;
        }
        *header_len = (uint64_t)h.payload_sector * SECTOR;
    }
    return true;
}

int qcrypto_block_amend(QCryptoBlock *block, const QCryptoBlockIO *io,
                        const QCryptoBlockAmendOptions *options, bool force,
                        Error **errp)
{
    LuksHeader header = block->luks;
    int ret;

    if (options->format != block->format ||
        block->format != QCRYPTO_BLOCK_FORMAT_LUKS) {
        error_setg(errp, "Cannot amend encryption format");
        return -EINVAL;
    }
    ret = luks_amend(io, block->key_secret, &options->u.luks, force, &header,
                     errp);
    /* Also if it failed half-way: this is what is in the image now. */
    qemu_mutex_lock(&block->lock);
    block->luks = header;
    qemu_mutex_unlock(&block->lock);
    return ret;
}

/* ---- Information ---- */

QCryptoBlockFormat qcrypto_block_format(const QCryptoBlock *block)
{
    return block->format;
}

uint64_t qcrypto_block_payload_offset(const QCryptoBlock *block)
{
    return block->payload_offset;
}

QCryptoBlockInfoLUKS *qcrypto_block_luks_info(QCryptoBlock *block)
{
    QCryptoBlockInfoLUKS *info = NULL;

    if (block->format == QCRYPTO_BLOCK_FORMAT_LUKS) {
        qemu_mutex_lock(&block->lock);
        info = luks_header_info(&block->luks);
        qemu_mutex_unlock(&block->lock);
    }
    return info;
}
