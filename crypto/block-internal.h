/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted disks: what the formats share.
 */
#ifndef QCRYPTO_BLOCK_INTERNAL_H
#define QCRYPTO_BLOCK_INTERNAL_H

#include "crypto/block.h"
#include "crypto/cipher.h"
#include "crypto/ivgen.h"

/* How sectors are encrypted. */
typedef struct QCryptoBlockCipher {
    QCryptoCipherAlgorithm alg;
    QCryptoCipherMode mode;
    QCryptoIVGenAlgorithm ivgen;
    QCryptoHashAlgorithm ivgen_hash;        /* ESSIV */
    QCryptoCipherAlgorithm ivgen_alg;       /* ESSIV */
} QCryptoBlockCipher;

/* ---- luks-header.c ---- */

#define LUKS_SLOTS              8
#define LUKS_STRIPES            4000
#define LUKS_SALT_LEN           32
#define LUKS_DIGEST_LEN         20
#define LUKS_UUID_LEN           40
#define LUKS_NAME_LEN           32
#define LUKS_HEADER_LEN         592     /* as it is on the disk */
#define LUKS_ALIGN              4096    /* of all that follows */
#define LUKS_MIN_ITERATIONS     1000
/* No header makes us compute for longer than that; it is more than half a
 * minute of a fast machine. */
#define LUKS_MAX_ITERATIONS     (1U << 28)

typedef struct LuksSlot {
    bool active;
    uint32_t iterations;
    uint8_t salt[LUKS_SALT_LEN];
    uint32_t key_sector;        /* where the split key is */
    uint32_t stripes;
} LuksSlot;

typedef struct LuksHeader {
    QCryptoBlockCipher cipher;
    QCryptoHashAlgorithm hash;
    uint32_t payload_sector;
    uint32_t key_len;           /* bytes */
    uint8_t digest[LUKS_DIGEST_LEN];    /* of the key */
    uint8_t digest_salt[LUKS_SALT_LEN];
    uint32_t digest_iterations;
    char uuid[LUKS_UUID_LEN + 1];
    LuksSlot slots[LUKS_SLOTS];
} LuksHeader;

/* Bytes of a split key, whole sectors. */
static inline uint64_t luks_split_len(const LuksHeader *h, uint32_t stripes)
{
    return ROUND_UP((uint64_t)h->key_len * stripes, QCRYPTO_BLOCK_SECTOR);
}

bool luks_probe(const uint8_t *buf, size_t len);
/* From LUKS_HEADER_LEN bytes, all of them checked.  False with @errp. */
bool luks_header_decode(const uint8_t *buf, LuksHeader *h, Error **errp);
void luks_header_encode(const LuksHeader *h, uint8_t *buf);
/* A new header with room for all slots, none of which is in use. */
bool luks_header_init(const QCryptoBlockCreateOptionsLUKS *o, LuksHeader *h,
                      Error **errp);
QCryptoBlockInfoLUKS *luks_header_info(const LuksHeader *h);

/* ---- block-luks.c ---- */

/* On success *@key is to be freed with qcrypto_free_key(); NULL with NO_IO. */
int luks_open(const QCryptoBlockIO *io, const char *key_secret,
              const char *prefix, QCryptoBlockFlags flags, LuksHeader *h,
              uint8_t **key, Error **errp);
int luks_create(const QCryptoBlockCreateOptionsLUKS *o, const char *prefix,
                const QCryptoBlockIO *io, LuksHeader *h, uint8_t **key,
                Error **errp);
int luks_amend(const QCryptoBlockIO *io, const char *key_secret,
               const QCryptoBlockAmendOptionsLUKS *o, bool force,
               LuksHeader *h, Error **errp);

/* ---- block.c ---- */

/* Run @fn(@opaque) where it holds up nobody. */
int qcrypto_run_slow(int (*fn)(void *opaque), void *opaque);

/* The cipher and vectors for one thread. */
typedef struct QCryptoEngine {
    QCryptoCipher *cipher;
    QCryptoIVGen *ivgen;
    size_t iv_len;
} QCryptoEngine;

QCryptoEngine *qcrypto_engine_new(const QCryptoBlockCipher *c,
                                  const uint8_t *key, size_t key_len,
                                  Error **errp);
void qcrypto_engine_free(QCryptoEngine *e);
/* Whole sectors; @sector is the number of the first one. */
int qcrypto_engine_crypt(QCryptoEngine *e, bool encrypt, uint64_t sector,
                         const void *in, void *out, size_t len, Error **errp);

#endif /* QCRYPTO_BLOCK_INTERNAL_H */
