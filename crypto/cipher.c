/*
 * SPDX-License-Identifier: MIT
 *
 * Ciphers and digests: what does not depend on the library.
 */
#include "qemu/osdep.h"
#include <time.h>
#include "crypto/cipher.h"
#include "qapi/error.h"

static const uint8_t digest_len[QCRYPTO_HASH_ALG__MAX] = {
    [QCRYPTO_HASH_ALG_MD5] = 16,
    [QCRYPTO_HASH_ALG_SHA1] = 20,
    [QCRYPTO_HASH_ALG_SHA224] = 28,
    [QCRYPTO_HASH_ALG_SHA256] = 32,
    [QCRYPTO_HASH_ALG_SHA384] = 48,
    [QCRYPTO_HASH_ALG_SHA512] = 64,
    [QCRYPTO_HASH_ALG_RIPEMD160] = 20,
};

static const struct {
    uint8_t key;
    uint8_t block;
} cipher_len[QCRYPTO_CIPHER_ALG__MAX] = {
    [QCRYPTO_CIPHER_ALG_AES_128] = { 16, 16 },
    [QCRYPTO_CIPHER_ALG_AES_192] = { 24, 16 },
    [QCRYPTO_CIPHER_ALG_AES_256] = { 32, 16 },
    [QCRYPTO_CIPHER_ALG_DES] = { 8, 8 },
    [QCRYPTO_CIPHER_ALG_3DES] = { 24, 8 },
    [QCRYPTO_CIPHER_ALG_CAST5_128] = { 16, 8 },
    [QCRYPTO_CIPHER_ALG_SERPENT_128] = { 16, 16 },
    [QCRYPTO_CIPHER_ALG_SERPENT_192] = { 24, 16 },
    [QCRYPTO_CIPHER_ALG_SERPENT_256] = { 32, 16 },
    [QCRYPTO_CIPHER_ALG_TWOFISH_128] = { 16, 16 },
    [QCRYPTO_CIPHER_ALG_TWOFISH_192] = { 24, 16 },
    [QCRYPTO_CIPHER_ALG_TWOFISH_256] = { 32, 16 },
};

size_t qcrypto_hash_digest_len(QCryptoHashAlgorithm alg)
{
    return digest_len[alg];
}

size_t qcrypto_cipher_block_len(QCryptoCipherAlgorithm alg)
{
    return cipher_len[alg].block;
}

size_t qcrypto_cipher_key_len(QCryptoCipherAlgorithm alg,
                              QCryptoCipherMode mode)
{
    return cipher_len[alg].key * (mode == QCRYPTO_CIPHER_MODE_XTS ? 2 : 1);
}

size_t qcrypto_cipher_iv_len(QCryptoCipherAlgorithm alg,
                             QCryptoCipherMode mode)
{
    return mode == QCRYPTO_CIPHER_MODE_ECB ? 0 : cipher_len[alg].block;
}

void qcrypto_free_key(void *key, size_t len)
{
    if (key) {
        explicit_bzero(key, len);
        g_free(key);
    }
}

/* CPU time of this thread, ns. */
static uint64_t cpu_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t qcrypto_pbkdf2_measure(QCryptoHashAlgorithm alg, size_t out_len,
                                uint64_t ms, Error **errp)
{
    /* Long enough to be more than noise, short enough not to be felt. */
    const uint64_t enough = 10 * 1000 * 1000;
    g_autofree uint8_t *out = g_malloc(out_len);
    QCryptoPBKDF2 in = {
        .alg = alg, .key = "benchmark", .key_len = 9, .salt = "salt",
        .salt_len = 4,
    };
    uint64_t n, ns;
    double wanted;

    for (n = 1024; ; n *= 2) {
        uint64_t start = cpu_time();

        in.iterations = n;
        if (qcrypto_pbkdf2(&in, out, out_len, errp) < 0) {
            return 0;
        }
        ns = cpu_time() - start;
        if (ns >= enough || n >= 1ULL << 30) {
            break;
        }
    }
    wanted = (double)n * ms * 1000000 / MAX(ns, 1);
    return wanted < 1 ? 1 : wanted > 1e18 ? UINT64_MAX : (uint64_t)wanted;
}
