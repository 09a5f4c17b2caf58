/*
 * SPDX-License-Identifier: MIT
 *
 * Ciphers, digests and key derivation by libgcrypt.
 */
#include "qemu/osdep.h"
#include <gcrypt.h>
#include "crypto/cipher.h"
#include "qapi/error.h"

/* Numbers of the library; 0: it does not have it. */
static const int hash_ids[QCRYPTO_HASH_ALG__MAX] = {
    [QCRYPTO_HASH_ALG_MD5] = GCRY_MD_MD5,
    [QCRYPTO_HASH_ALG_SHA1] = GCRY_MD_SHA1,
    [QCRYPTO_HASH_ALG_SHA224] = GCRY_MD_SHA224,
    [QCRYPTO_HASH_ALG_SHA256] = GCRY_MD_SHA256,
    [QCRYPTO_HASH_ALG_SHA384] = GCRY_MD_SHA384,
    [QCRYPTO_HASH_ALG_SHA512] = GCRY_MD_SHA512,
    [QCRYPTO_HASH_ALG_RIPEMD160] = GCRY_MD_RMD160,
};

static const int cipher_ids[QCRYPTO_CIPHER_ALG__MAX] = {
    [QCRYPTO_CIPHER_ALG_AES_128] = GCRY_CIPHER_AES128,
    [QCRYPTO_CIPHER_ALG_AES_192] = GCRY_CIPHER_AES192,
    [QCRYPTO_CIPHER_ALG_AES_256] = GCRY_CIPHER_AES256,
    [QCRYPTO_CIPHER_ALG_DES] = GCRY_CIPHER_DES,
    [QCRYPTO_CIPHER_ALG_3DES] = GCRY_CIPHER_3DES,
    [QCRYPTO_CIPHER_ALG_CAST5_128] = GCRY_CIPHER_CAST5,
    [QCRYPTO_CIPHER_ALG_SERPENT_128] = GCRY_CIPHER_SERPENT128,
    [QCRYPTO_CIPHER_ALG_SERPENT_192] = GCRY_CIPHER_SERPENT192,
    [QCRYPTO_CIPHER_ALG_SERPENT_256] = GCRY_CIPHER_SERPENT256,
    [QCRYPTO_CIPHER_ALG_TWOFISH_128] = GCRY_CIPHER_TWOFISH128,
    [QCRYPTO_CIPHER_ALG_TWOFISH_256] = GCRY_CIPHER_TWOFISH,
};

static const int mode_ids[QCRYPTO_CIPHER_MODE__MAX] = {
    [QCRYPTO_CIPHER_MODE_ECB] = GCRY_CIPHER_MODE_ECB,
    [QCRYPTO_CIPHER_MODE_CBC] = GCRY_CIPHER_MODE_CBC,
    [QCRYPTO_CIPHER_MODE_XTS] = GCRY_CIPHER_MODE_XTS,
    [QCRYPTO_CIPHER_MODE_CTR] = GCRY_CIPHER_MODE_CTR,
};

struct QCryptoCipher {
    gcry_cipher_hd_t handle;
    QCryptoCipherMode mode;
    size_t block;
    size_t iv_len;
};

/* ---- Library ---- */

static void init_once(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
            gcry_check_version(NULL);
            /* Its pool of locked memory is small; keys are wiped by us. */
            gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
            gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
        g_once_init_leave(&done, 1);
    }
}

bool qcrypto_available(Error **errp)
{
    init_once();
    return true;
}

int qcrypto_random_bytes(void *buf, size_t len, Error **errp)
{
    init_once();
    gcry_randomize(buf, len, GCRY_STRONG_RANDOM);
    return 0;
}

/* ---- Digests ---- */

bool qcrypto_hash_supports(QCryptoHashAlgorithm alg)
{
    init_once();
    return hash_ids[alg] && gcry_md_test_algo(hash_ids[alg]) == 0;
}

static bool check_hash(QCryptoHashAlgorithm alg, Error **errp)
{
    if (qcrypto_hash_supports(alg)) {
        return true;
    }
    error_setg(errp, "Unknown hash algorithm %s",
               QCryptoHashAlgorithm_str(alg));
    return false;
}

int qcrypto_hash_bytes(QCryptoHashAlgorithm alg, const void *prefix,
                       size_t prefix_len, const void *data, size_t len,
                       uint8_t *out, Error **errp)
{
    gcry_buffer_t parts[] = {
        { .data = (void *)prefix, .len = prefix_len },
        { .data = (void *)data, .len = len },
    };
    gcry_error_t err;

    if (!check_hash(alg, errp)) {
        return -1;
    }
    err = gcry_md_hash_buffers(hash_ids[alg], 0, out, parts, 2);
    if (err) {
        error_setg(errp, "Could not compute a digest %s: %s",
                   QCryptoHashAlgorithm_str(alg), gcry_strerror(err));
        return -1;
    }
    return 0;
}

/* ---- PBKDF2 ---- */

int qcrypto_pbkdf2(const QCryptoPBKDF2 *in, uint8_t *out, size_t len,
                   Error **errp)
{
    gcry_error_t err;

    if (!check_hash(in->alg, errp)) {
        return -1;
    }
    if (in->iterations == 0 || in->iterations > ULONG_MAX) {
        error_setg(errp, "PBKDF iterations %" PRIu64 " out of range",
                   in->iterations);
        return -1;
    }
    err = gcry_kdf_derive(in->key, in->key_len, GCRY_KDF_PBKDF2,
                          hash_ids[in->alg], in->salt, in->salt_len,
                          in->iterations, len, out);
    if (err) {
        error_setg(errp, "Unable to derive a key from the password: %s",
                   gcry_strerror(err));
        return -1;
    }
    return 0;
}

/* ---- Ciphers ---- */

bool qcrypto_cipher_supports(QCryptoCipherAlgorithm alg,
                             QCryptoCipherMode mode)
{
    init_once();
    /* XTS is defined for blocks of 16 bytes. */
    return cipher_ids[alg] &&
           (mode != QCRYPTO_CIPHER_MODE_XTS ||
            qcrypto_cipher_block_len(alg) == 16) &&
           gcry_cipher_test_algo(cipher_ids[alg]) == 0;
}

static bool check_cipher(QCryptoCipherAlgorithm alg, QCryptoCipherMode mode,
                         size_t key_len, Error **errp)
{
    if (!qcrypto_cipher_supports(alg, mode)) {
        if (mode == QCRYPTO_CIPHER_MODE_XTS && cipher_ids[alg]) {
            error_setg(errp, "Unsupported cipher mode %s",
                       QCryptoCipherMode_str(mode));
        } else {
            error_setg(errp, "Unsupported cipher algorithm %s with %s mode",
                       QCryptoCipherAlgorithm_str(alg),
                       QCryptoCipherMode_str(mode));
        }
        return false;
    }
    if (key_len != qcrypto_cipher_key_len(alg, mode)) {
        error_setg(errp, "Cipher key length %zu should be %zu", key_len,
                   qcrypto_cipher_key_len(alg, mode));
        return false;
    }
    return true;
}

QCryptoCipher *qcrypto_cipher_new(QCryptoCipherAlgorithm alg,
                                  QCryptoCipherMode mode, const uint8_t *key,
                                  size_t key_len, Error **errp)
{
    QCryptoCipher *c;
    gcry_error_t err;

    if (!check_cipher(alg, mode, key_len, errp)) {
        return NULL;
    }
    c = g_new0(QCryptoCipher, 1);
    c->mode = mode;
    c->block = qcrypto_cipher_block_len(alg);
    c->iv_len = qcrypto_cipher_iv_len(alg, mode);
    err = gcry_cipher_open(&c->handle, cipher_ids[alg], mode_ids[mode], 0);
    if (!err) {
        err = gcry_cipher_setkey(c->handle, key, key_len);
        /* A random key may be a weak one; the header says what is used. */
        if (gcry_err_code(err) == GPG_ERR_WEAK_KEY) {
            err = 0;
        }
    }
    if (err) {
        error_setg(errp, "Could not initialise cipher %s: %s",
                   QCryptoCipherAlgorithm_str(alg), gcry_strerror(err));
        qcrypto_cipher_free(c);
        return NULL;
    }
    return c;
}

void qcrypto_cipher_free(QCryptoCipher *cipher)
{
    if (cipher) {
        /* It wipes the key. */
        gcry_cipher_close(cipher->handle);
        g_free(cipher);
    }
}

int qcrypto_cipher_crypt(QCryptoCipher *cipher, bool encrypt,
                         const uint8_t *iv, const void *in, void *out,
                         size_t len, Error **errp)
{
    gcry_error_t err = 0;

    if (len % cipher->block) {
        error_setg(errp, "Length %zu must be a multiple of block size %zu",
                   len, cipher->block);
        return -1;
    }
    if (cipher->mode == QCRYPTO_CIPHER_MODE_CTR) {
        err = gcry_cipher_setctr(cipher->handle, iv, cipher->iv_len);
    } else if (cipher->iv_len) {
        err = gcry_cipher_setiv(cipher->handle, iv, cipher->iv_len);
    }
    if (!err) {
        /* In place it wants no second buffer. */
        const void *src = in == out ? NULL : in;
        size_t src_len = in == out ? 0 : len;

        err = encrypt
            ? gcry_cipher_encrypt(cipher->handle, out, len, src, src_len)
            : gcry_cipher_decrypt(cipher->handle, out, len, src, src_len);
    }
    if (err) {
        error_setg(errp, "Cannot %s data: %s", encrypt ? "encrypt" : "decrypt",
                   gcry_strerror(err));
        return -1;
    }
    return 0;
}
