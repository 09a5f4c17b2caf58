/*
 * SPDX-License-Identifier: MIT
 *
 * Symmetric ciphers, digests, key derivation and random bytes: what the
 * encryption of disks needs of a library (crypto/backend-*.c).  Without a
 * library all of them fail with an error that says so.
 *
 * Different objects may be used by different threads at the same time, one
 * object by one thread.
 */
#ifndef QCRYPTO_CIPHER_H
#define QCRYPTO_CIPHER_H

#include "qapi/qapi-types-crypto.h"

/* Longest digest and longest block of a cipher, bytes. */
#define QCRYPTO_MAX_DIGEST      64
#define QCRYPTO_MAX_BLOCK       16

/* ---- Library ---- */

/* Is there a library?  False with @errp if this program has none. */
bool qcrypto_available(Error **errp);

/* @len bytes that nobody can guess. 0, or -1 with @errp. */
int qcrypto_random_bytes(void *buf, size_t len, Error **errp);

/* Wipe @len bytes and free them; NULL is fine. */
void qcrypto_free_key(void *key, size_t len);

/* ---- Digests ---- */

bool qcrypto_hash_supports(QCryptoHashAlgorithm alg);

/* Bytes of a digest. */
size_t qcrypto_hash_digest_len(QCryptoHashAlgorithm alg);

/* The digest of @prefix, which may be empty, followed by @data, in @out, which
 * has room for it. 0, or -1 with @errp. */
int qcrypto_hash_bytes(QCryptoHashAlgorithm alg, const void *prefix,
                       size_t prefix_len, const void *data, size_t len,
                       uint8_t *out, Error **errp);

/* ---- PBKDF2 (RFC 8018) ---- */

typedef struct QCryptoPBKDF2 {
    QCryptoHashAlgorithm alg;
    const void *key;            /* the pass phrase */
    size_t key_len;
    const void *salt;
    size_t salt_len;
    uint64_t iterations;
} QCryptoPBKDF2;

/* @len bytes in @out.  Takes long: time is in proportion to in->iterations *
 * @len. 0, or -1 with @errp. */
int qcrypto_pbkdf2(const QCryptoPBKDF2 *in, uint8_t *out, size_t len,
                   Error **errp);

/* Iterations that make qcrypto_pbkdf2() take @ms of CPU time here, at least 1;
 * 0 with @errp. */
uint64_t qcrypto_pbkdf2_measure(QCryptoHashAlgorithm alg, size_t out_len,
                                uint64_t ms, Error **errp);

/* ---- Ciphers ---- */

typedef struct QCryptoCipher QCryptoCipher;

bool qcrypto_cipher_supports(QCryptoCipherAlgorithm alg,
                             QCryptoCipherMode mode);

/* Bytes of a block; of a key (in mode XTS there are two); of an
 * initialisation vector, 0 if there is none. */
size_t qcrypto_cipher_block_len(QCryptoCipherAlgorithm alg);
size_t qcrypto_cipher_key_len(QCryptoCipherAlgorithm alg,
                              QCryptoCipherMode mode);
size_t qcrypto_cipher_iv_len(QCryptoCipherAlgorithm alg,
                             QCryptoCipherMode mode);

/* NULL with @errp. */
QCryptoCipher *qcrypto_cipher_new(QCryptoCipherAlgorithm alg,
                                  QCryptoCipherMode mode, const uint8_t *key,
                                  size_t key_len, Error **errp);
void qcrypto_cipher_free(QCryptoCipher *cipher);

/*
 * Encrypt (decrypt) @len bytes, whole blocks, from @in to @out, which are the
 * same or do not overlap.  @iv has the length that belongs to algorithm and
 * mode, NULL if there is none. 0, or -1 with @errp.
 */
int qcrypto_cipher_crypt(QCryptoCipher *cipher, bool encrypt,
                         const uint8_t *iv, const void *in, void *out,
                         size_t len, Error **errp);

#endif /* QCRYPTO_CIPHER_H */
