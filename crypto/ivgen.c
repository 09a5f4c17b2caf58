/*
 * SPDX-License-Identifier: MIT
 *
 * Initialisation vectors of sectors: the number of the sector in little
 * endian (plain64), cut to 32 bits (plain), or encrypted with a digest of the
 * disk's key (essiv).
 */
#include "qemu/osdep.h"
#include "crypto/ivgen.h"
#include "qapi/error.h"
#include "qemu/bswap.h"

struct QCryptoIVGen {
    QCryptoIVGenAlgorithm alg;
    QCryptoCipher *essiv;
};

/* Ciphers of one family, which differ in the length of the key. */
static const QCryptoCipherAlgorithm families[][3] = {
    { QCRYPTO_CIPHER_ALG_AES_128, QCRYPTO_CIPHER_ALG_AES_192,
      QCRYPTO_CIPHER_ALG_AES_256 },
    { QCRYPTO_CIPHER_ALG_SERPENT_128, QCRYPTO_CIPHER_ALG_SERPENT_192,
      QCRYPTO_CIPHER_ALG_SERPENT_256 },
    { QCRYPTO_CIPHER_ALG_TWOFISH_128, QCRYPTO_CIPHER_ALG_TWOFISH_192,
      QCRYPTO_CIPHER_ALG_TWOFISH_256 },
};

bool qcrypto_essiv_cipher(QCryptoCipherAlgorithm cipher,
                          QCryptoHashAlgorithm hash,
                          QCryptoCipherAlgorithm *out, Error **errp)
{
    size_t len = qcrypto_hash_digest_len(hash);
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        const QCryptoCipherAlgorithm *f = families[i];

        if (cipher != f[0] && cipher != f[1] && cipher != f[2]) {
            continue;
        }
        known = true;
        for (size_t j = 0; j < 3; j++) {
            if (qcrypto_cipher_key_len(f[j], QCRYPTO_CIPHER_MODE_ECB) == len) {
                *out = f[j];
                return true;
            }
        }
    }
    if (known) {
        error_setg(errp, "No %s cipher with key size %zu available",
                   cipher <= QCRYPTO_CIPHER_ALG_AES_256 ? "AES" :
                   cipher >= QCRYPTO_CIPHER_ALG_TWOFISH_128 ? "Twofish" :
                   "Serpent", len);
    } else {
        error_setg(errp, "Cipher %s not supported with essiv",
                   QCryptoCipherAlgorithm_str(cipher));
    }
    return false;
}

QCryptoIVGen *qcrypto_ivgen_new(QCryptoIVGenAlgorithm alg,
                                QCryptoCipherAlgorithm cipher,
                                QCryptoHashAlgorithm hash, const uint8_t *key,
                                size_t key_len, Error **errp)
{
    QCryptoIVGen *gen = g_new0(QCryptoIVGen, 1);
    uint8_t salt[QCRYPTO_MAX_DIGEST];

    gen->alg = alg;
    if (alg == QCRYPTO_IVGEN_ALG_ESSIV) {
        if (qcrypto_hash_bytes(hash, NULL, 0, key, key_len, salt, errp) == 0) {
            gen->essiv = qcrypto_cipher_new(cipher, QCRYPTO_CIPHER_MODE_ECB,
                                            salt,
                                            qcrypto_hash_digest_len(hash),
                                            errp);
        }
        explicit_bzero(salt, sizeof(salt));
        if (!gen->essiv) {
            g_free(gen);
            return NULL;
        }
    }
    return gen;
}

void qcrypto_ivgen_free(QCryptoIVGen *gen)
{
    if (gen) {
        qcrypto_cipher_free(gen->essiv);
        g_free(gen);
    }
}

int qcrypto_ivgen_calculate(QCryptoIVGen *gen, uint64_t sector, uint8_t *iv,
                            size_t len, Error **errp)
{
    uint8_t number[8];

    stq_le_p(number, gen->alg == QCRYPTO_IVGEN_ALG_PLAIN ? (uint32_t)sector
                                                         : sector);
    memset(iv, 0, len);
    memcpy(iv, number, MIN(len, sizeof(number)));
    if (gen->alg == QCRYPTO_IVGEN_ALG_ESSIV) {
        return qcrypto_cipher_crypt(gen->essiv, true, NULL, iv, iv, len, errp);
    }
    return 0;
}
