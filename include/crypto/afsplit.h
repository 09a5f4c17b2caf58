/*
 * SPDX-License-Identifier: MIT
 *
 * The anti-forensic splitter of LUKS: a key is spread over many stripes, all
 * of which are needed to get it back.
 */
#ifndef QCRYPTO_AFSPLIT_H
#define QCRYPTO_AFSPLIT_H

#include "crypto/cipher.h"

/* @key of @len bytes into @stripes * @len bytes at @out. 0, or -1 with
 * @errp. */
int qcrypto_afsplit_encode(QCryptoHashAlgorithm hash, size_t len,
                           uint32_t stripes, const uint8_t *key, uint8_t *out,
                           Error **errp);

/* The reverse. */
int qcrypto_afsplit_decode(QCryptoHashAlgorithm hash, size_t len,
                           uint32_t stripes, const uint8_t *in, uint8_t *key,
                           Error **errp);

#endif /* QCRYPTO_AFSPLIT_H */
