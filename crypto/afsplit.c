/*
 * SPDX-License-Identifier: MIT
 *
 * The anti-forensic splitter, as the LUKS on-disk format specification has it:
 * all stripes but the last are random; the last one is the key, XORed with
 * what the others were mixed to.
 */
#include "qemu/osdep.h"
#include "crypto/afsplit.h"
#include "qapi/error.h"
#include "qemu/bswap.h"

static void xor(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] ^= from[i];
    }
}

/* Each piece of @block as long as a digest becomes the digest of its number
 * and itself; of the last one only the beginning may be needed. */
static int diffuse(QCryptoHashAlgorithm hash, uint8_t *block, size_t len,
                   Error **errp)
{
    size_t piece = qcrypto_hash_digest_len(hash);
    uint8_t digest[QCRYPTO_MAX_DIGEST], number[4];
    int ret = 0;

    for (size_t pos = 0; ret == 0 && pos < len; pos += piece) {
        size_t n = MIN(piece, len - pos);

        stl_be_p(number, pos / piece);
        ret = qcrypto_hash_bytes(hash, number, sizeof(number), block + pos, n,
                                 digest, errp);
        memcpy(block + pos, digest, ret == 0 ? n : 0);
    }
    explicit_bzero(digest, sizeof(digest));
    return ret;
}

/* Mix the first @n stripes into @block, which starts out as zeroes. */
static int mix(QCryptoHashAlgorithm hash, size_t len, uint32_t n,
               const uint8_t *stripes, uint8_t *block, Error **errp)
{
    int ret = 0;

    memset(block, 0, len);
    for (uint32_t i = 0; ret == 0 && i < n; i++) {
        xor(block, stripes + i * len, len);
        ret = diffuse(hash, block, len, errp);
    }
    return ret;
}

int qcrypto_afsplit_encode(QCryptoHashAlgorithm hash, size_t len,
                           uint32_t stripes, const uint8_t *key, uint8_t *out,
                           Error **errp)
{
    uint8_t *last = out + (stripes - 1) * len;

    if (qcrypto_random_bytes(out, last - out, errp) < 0 ||
        mix(hash, len, stripes - 1, out, last, errp) < 0) {
        return -1;
    }
    xor(last, key, len);
    return 0;
}

int qcrypto_afsplit_decode(QCryptoHashAlgorithm hash, size_t len,
                           uint32_t stripes, const uint8_t *in, uint8_t *key,
                           Error **errp)
{
    if (mix(hash, len, stripes - 1, in, key, errp) < 0) {
        return -1;
    }
    xor(key, in + (stripes - 1) * len, len);
    return 0;
}
