/*
 * SPDX-License-Identifier: MIT
 *
 * Initialisation vectors of sectors.
 */
#ifndef QCRYPTO_IVGEN_H
#define QCRYPTO_IVGEN_H

#include "crypto/cipher.h"

typedef struct QCryptoIVGen QCryptoIVGen;

/*
 * Is ESSIV possible with @cipher, whose key is a digest @hash, and which
 * cipher is it?  False with @errp.
 */
bool qcrypto_essiv_cipher(QCryptoCipherAlgorithm cipher,
                          QCryptoHashAlgorithm hash,
                          QCryptoCipherAlgorithm *out, Error **errp);

/*
 * @cipher (one that qcrypto_essiv_cipher() told) and @hash only matter to
 * ESSIV, as does @key, that of the disk. NULL with @errp.
 */
QCryptoIVGen *qcrypto_ivgen_new(QCryptoIVGenAlgorithm alg,
                                QCryptoCipherAlgorithm cipher,
                                QCryptoHashAlgorithm hash, const uint8_t *key,
                                size_t key_len, Error **errp);
void qcrypto_ivgen_free(QCryptoIVGen *gen);

/* The vector of @sector, @len bytes. 0, or -1 with @errp. */
int qcrypto_ivgen_calculate(QCryptoIVGen *gen, uint64_t sector, uint8_t *iv,
                            size_t len, Error **errp);

#endif /* QCRYPTO_IVGEN_H */
