/*
 * SPDX-License-Identifier: MIT
 *
 * No library for ciphers: this program knows of encryption and can't do it.
 */
#include "qemu/osdep.h"
#include "crypto/cipher.h"
#include "qapi/error.h"

bool qcrypto_available(Error **errp)
{
    error_setg(errp, "Encryption is not built in: this program was built "
               "without libgcrypt");
    return false;
}

int qcrypto_random_bytes(void *buf, size_t len, Error **errp)
{
    qcrypto_available(errp);
    return -1;
}

bool qcrypto_hash_supports(QCryptoHashAlgorithm alg)
{
    return false;
}

int qcrypto_hash_bytes(QCryptoHashAlgorithm alg, const void *prefix,
                       size_t prefix_len, const void *data, size_t len,
                       uint8_t *out, Error **errp)
{
    qcrypto_available(errp);
    return -1;
}

int qcrypto_pbkdf2(const QCryptoPBKDF2 *in, uint8_t *out, size_t len,
                   Error **errp)
{
    qcrypto_available(errp);
    return -1;
}

bool qcrypto_cipher_supports(QCryptoCipherAlgorithm alg,
                             QCryptoCipherMode mode)
{
    return false;
}

QCryptoCipher *qcrypto_cipher_new(QCryptoCipherAlgorithm alg,
                                  QCryptoCipherMode mode, const uint8_t *key,
                                  size_t key_len, Error **errp)
{
    qcrypto_available(errp);
    return NULL;
}

void qcrypto_cipher_free(QCryptoCipher *cipher)
{
}

int qcrypto_cipher_crypt(QCryptoCipher *cipher, bool encrypt,
                         const uint8_t *iv, const void *in, void *out,
                         size_t len, Error **errp)
{
    qcrypto_available(errp);
    return -1;
}
