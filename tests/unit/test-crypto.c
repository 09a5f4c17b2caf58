/*
 * SPDX-License-Identifier: MIT
 *
 * Ciphers, digests, key derivation, vectors and the splitter, with published
 * values: FIPS 197, NIST SP 800-38A, IEEE 1619, RFC 2144, RFC 1321, RFC 6070,
 * RFC 7914, and the submissions of Serpent (whose tables have the bytes in
 * reverse order) and Twofish to the contest for AES.
 */
#include "qemu/osdep.h"
#include "crypto/afsplit.h"
#include "crypto/cipher.h"
#include "crypto/ivgen.h"
#include "qapi/error.h"

static uint8_t *from_hex(const char *hex, size_t *len)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = g_malloc(n + 1);

    for (size_t i = 0; i < n; i++) {
        p[i] = g_ascii_xdigit_value(hex[2 * i]) * 16 +
               g_ascii_xdigit_value(hex[2 * i + 1]);
    }
    *len = n;
    return p;
}

static void check_hex(const uint8_t *data, size_t len, const char *hex)
{
    size_t n;
    g_autofree uint8_t *want = from_hex(hex, &n);

    g_assert_cmpmem(data, len, want, n);
}

/* ---- Ciphers ---- */

typedef struct CipherVector {
    QCryptoCipherAlgorithm alg;
    QCryptoCipherMode mode;
    const char *key;
    const char *iv;
    const char *plain;
    const char *crypt;
} CipherVector;

static const CipherVector vectors[] = {
    { QCRYPTO_CIPHER_ALG_AES_128, QCRYPTO_CIPHER_MODE_ECB,
      "000102030405060708090a0b0c0d0e0f", NULL,
      "00112233445566778899aabbccddeeff",
      "69c4e0d86a7b0430d8cdb78070b4c55a" },
    { QCRYPTO_CIPHER_ALG_AES_192, QCRYPTO_CIPHER_MODE_ECB,
      "000102030405060708090a0b0c0d0e0f1011121314151617", NULL,
      "00112233445566778899aabbccddeeff",
      "dda97ca4864cdfe06eaf70a0ec0d7191" },
    { QCRYPTO_CIPHER_ALG_AES_256, QCRYPTO_CIPHER_MODE_ECB,
      "000102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1e1f", NULL,
      "00112233445566778899aabbccddeeff",
      "8ea2b7ca516745bfeafc49904b496089" },
    { QCRYPTO_CIPHER_ALG_AES_128, QCRYPTO_CIPHER_MODE_CBC,
      "2b7e151628aed2a6abf7158809cf4f3c",
      "000102030405060708090a0b0c0d0e0f",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" },
    { QCRYPTO_CIPHER_ALG_AES_128, QCRYPTO_CIPHER_MODE_CTR,
      "2b7e151628aed2a6abf7158809cf4f3c",
      "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
      "6bc1bee22e409f96e93d7e117393172a",
      "874d6191b620e3261bef6864990db6ce" },
    { QCRYPTO_CIPHER_ALG_AES_128, QCRYPTO_CIPHER_MODE_XTS,
      "1111111111111111111111111111111122222222222222222222222222222222",
      "33333333330000000000000000000000",
      "4444444444444444444444444444444444444444444444444444444444444444",
      "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0" },
    { QCRYPTO_CIPHER_ALG_CAST5_128, QCRYPTO_CIPHER_MODE_ECB,
      "0123456712345678234567893456789a", NULL, "0123456789abcdef",
      "238b4fe5847e44b2" },
    { QCRYPTO_CIPHER_ALG_SERPENT_128, QCRYPTO_CIPHER_MODE_ECB,
      "00000000000000000000000000000080", NULL,
      "00000000000000000000000000000000",
      "ddd26b98a5ffd82c05345a9dadbfaf49" },
    { QCRYPTO_CIPHER_ALG_TWOFISH_128, QCRYPTO_CIPHER_MODE_ECB,
      "00000000000000000000000000000000", NULL,
      "00000000000000000000000000000000",
      "9f589f5cf6122c32b6bfec2f2ae8c35a" },
    { QCRYPTO_CIPHER_ALG_TWOFISH_256, QCRYPTO_CIPHER_MODE_ECB,
      "0000000000000000000000000000000000000000000000000000000000000000",
      NULL, "00000000000000000000000000000000",
      "57ff739d4dc92c1bd7fc01700cc8216f" },
};

static void check_vector(const CipherVector *t)
{
    size_t key_len, iv_len = 0, len, crypt_len;
    g_autofree uint8_t *key = from_hex(t->key, &key_len);
    g_autofree uint8_t *iv = t->iv ? from_hex(t->iv, &iv_len) : NULL;
    g_autofree uint8_t *plain = from_hex(t->plain, &len);
    g_autofree uint8_t *crypt = from_hex(t->crypt, &crypt_len);
    g_autofree uint8_t *out = g_malloc(len);
    QCryptoCipher *c;

    g_assert_true(qcrypto_cipher_supports(t->alg, t->mode));
    g_assert_cmpint(qcrypto_cipher_key_len(t->alg, t->mode), ==, key_len);
    g_assert_cmpint(qcrypto_cipher_iv_len(t->alg, t->mode), ==, iv_len);
    g_assert_cmpint(len, ==, crypt_len);
    c = qcrypto_cipher_new(t->alg, t->mode, key, key_len, &error_abort);
    /* From one buffer to another, and in place. */
    qcrypto_cipher_crypt(c, true, iv, plain, out, len, &error_abort);
    g_assert_cmpmem(out, len, crypt, len);
    qcrypto_cipher_crypt(c, false, iv, out, out, len, &error_abort);
    g_assert_cmpmem(out, len, plain, len);
    qcrypto_cipher_free(c);
}

static void test_ciphers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        check_vector(&vectors[i]);
    }
}

static void check_error(Error *err, const char *text)
{
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_cipher_errors(void)
{
    uint8_t key[64] = { 0 }, data[20];
    Error *err = NULL;
    QCryptoCipher *c;

    g_assert_null(qcrypto_cipher_new(QCRYPTO_CIPHER_ALG_AES_128,
                                     QCRYPTO_CIPHER_MODE_CBC, key, 15, &err));
    check_error(err, "Cipher key length 15 should be 16");
    err = NULL;
    g_assert_false(qcrypto_cipher_supports(QCRYPTO_CIPHER_ALG_CAST5_128,
                                           QCRYPTO_CIPHER_MODE_XTS));
    g_assert_null(qcrypto_cipher_new(QCRYPTO_CIPHER_ALG_CAST5_128,
                                     QCRYPTO_CIPHER_MODE_XTS, key, 32, &err));
    check_error(err, "Unsupported cipher mode xts");
    err = NULL;
    c = qcrypto_cipher_new(QCRYPTO_CIPHER_ALG_AES_128,
                           QCRYPTO_CIPHER_MODE_ECB, key, 16, &error_abort);
    g_assert_cmpint(qcrypto_cipher_crypt(c, true, NULL, data, data, 20, &err),
                    ==, -1);
    check_error(err, "Length 20 must be a multiple of block size 16");
    qcrypto_cipher_free(c);
}

/* ---- Digests and keys ---- */

static void test_hashes(void)
{
    static const struct {
        QCryptoHashAlgorithm alg;
        const char *digest;
    } t[] = {
        { QCRYPTO_HASH_ALG_MD5, "900150983cd24fb0d6963f7d28e17f72" },
        { QCRYPTO_HASH_ALG_SHA1,
          "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { QCRYPTO_HASH_ALG_SHA224,
          "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
        { QCRYPTO_HASH_ALG_SHA256,
          "ba7816bf8f01cfea414140de5dae2223"
          "b00361a396177a9cb410ff61f20015ad" },
        { QCRYPTO_HASH_ALG_RIPEMD160,
          "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
    };
    uint8_t out[QCRYPTO_MAX_DIGEST];

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        qcrypto_hash_bytes(t[i].alg, "a", 1, "bc", 2, out, &error_abort);
        check_hex(out, qcrypto_hash_digest_len(t[i].alg), t[i].digest);
        qcrypto_hash_bytes(t[i].alg, NULL, 0, "abc", 3, out, &error_abort);
        check_hex(out, qcrypto_hash_digest_len(t[i].alg), t[i].digest);
    }
}

static void test_pbkdf2(void)
{
    static const struct {
        QCryptoHashAlgorithm alg;
        const char *key;
        const char *salt;
        unsigned iterations;
        const char *out;
    } t[] = {
        { QCRYPTO_HASH_ALG_SHA1, "password", "salt", 1,
          "0c60c80f961f0e71f3a9b524af6012062fe037a6" },
        { QCRYPTO_HASH_ALG_SHA1, "password", "salt", 4096,
          "4b007901b765489abead49d926f721d065a429c1" },
        { QCRYPTO_HASH_ALG_SHA1, "passwordPASSWORDpassword",
          "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
          "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038" },
        { QCRYPTO_HASH_ALG_SHA256, "passwd", "salt", 1,
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
          "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
          },
    };
    QCryptoPBKDF2 in = { 0 };
    uint8_t out[64];
    Error *err = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
        size_t len = strlen(t[i].out) / 2;

        in = (QCryptoPBKDF2) {
            .alg = t[i].alg, .key = t[i].key, .key_len = strlen(t[i].key),
            .salt = t[i].salt, .salt_len = strlen(t[i].salt),
            .iterations = t[i].iterations,
        };
        qcrypto_pbkdf2(&in, out, len, &error_abort);
        check_hex(out, len, t[i].out);
    }
    in.iterations = 0;
    g_assert_cmpint(qcrypto_pbkdf2(&in, out, 20, &err), ==, -1);
    check_error(err, "PBKDF iterations 0 out of range");
}

/* A pass phrase may be empty. */
static void test_pbkdf2_empty(void)
{
    QCryptoPBKDF2 in = {
        .alg = QCRYPTO_HASH_ALG_SHA1, .key = "", .salt = "salt", .salt_len = 4,
        .iterations = 1,
    };
    uint8_t out[20];

    qcrypto_pbkdf2(&in, out, 20, &error_abort);
    check_hex(out, 20, "a33dddc30478185515311f8752895d36ea4363a2");
}

static void test_measure(void)
{
    uint64_t n = qcrypto_pbkdf2_measure(QCRYPTO_HASH_ALG_SHA1, 20, 1000,
                                        &error_abort);

    g_assert_cmpint(n, >, 0);
    g_assert_cmpint(qcrypto_pbkdf2_measure(QCRYPTO_HASH_ALG_SHA1, 20, 0,
                                           &error_abort), ==, 1);
    /* Too much to count. */
    g_assert_true(qcrypto_pbkdf2_measure(QCRYPTO_HASH_ALG_SHA1, 20, UINT64_MAX,
                                         &error_abort) == UINT64_MAX);
}

/* ---- Vectors of sectors ---- */

static void check_iv(QCryptoIVGenAlgorithm alg, uint64_t sector,
                     const char *hex)
{
    uint8_t key[16] = { 0 }, iv[16];
    QCryptoIVGen *gen;

    gen = qcrypto_ivgen_new(alg, QCRYPTO_CIPHER_ALG_AES_256,
                            QCRYPTO_HASH_ALG_SHA256, key, sizeof(key),
                            &error_abort);
    qcrypto_ivgen_calculate(gen, sector, iv, sizeof(iv), &error_abort);
    check_hex(iv, sizeof(iv), hex);
    qcrypto_ivgen_free(gen);
}

static void test_ivgen(void)
{
    check_iv(QCRYPTO_IVGEN_ALG_PLAIN, 0x123456789aULL,
             "9a785634000000000000000000000000");
    check_iv(QCRYPTO_IVGEN_ALG_PLAIN64, 0x123456789aULL,
             "9a785634120000000000000000000000");
    /* AES-256, with the digest of 16 zero bytes as its key. */
    check_iv(QCRYPTO_IVGEN_ALG_ESSIV, 0x123456789aULL,
             "913e5cd6d5bf37df73c3c6ba3cd80397");
}

static void test_essiv_cipher(void)
{
    QCryptoCipherAlgorithm alg;
    Error *err = NULL;

    g_assert_true(qcrypto_essiv_cipher(QCRYPTO_CIPHER_ALG_AES_128,
                                       QCRYPTO_HASH_ALG_SHA256, &alg,
                                       &error_abort));
    g_assert_cmpint(alg, ==, QCRYPTO_CIPHER_ALG_AES_256);
    g_assert_true(qcrypto_essiv_cipher(QCRYPTO_CIPHER_ALG_TWOFISH_256,
                                       QCRYPTO_HASH_ALG_MD5, &alg,
                                       &error_abort));
    g_assert_cmpint(alg, ==, QCRYPTO_CIPHER_ALG_TWOFISH_128);
    g_assert_false(qcrypto_essiv_cipher(QCRYPTO_CIPHER_ALG_SERPENT_128,
                                        QCRYPTO_HASH_ALG_SHA1, &alg, &err));
    check_error(err, "No Serpent cipher with key size 20 available");
    err = NULL;
    g_assert_false(qcrypto_essiv_cipher(QCRYPTO_CIPHER_ALG_CAST5_128,
                                        QCRYPTO_HASH_ALG_SHA256, &alg, &err));
    check_error(err, "Cipher cast5-128 not supported with essiv");
}

/* ---- Splitter ---- */

/* Two stripes: what the first is mixed to is a digest that can be computed by
 * other means; the second one is zero. */
static void test_afsplit_known(void)
{
    uint8_t in[80] = { 0 }, key[40];

    qcrypto_afsplit_decode(QCRYPTO_HASH_ALG_SHA1, 20, 2, in, key,
                           &error_abort);
    check_hex(key, 20, "d3399b7262fb56cb9ed053d68db9291c410839c4");
    /* Two pieces, each with its number. */
    qcrypto_afsplit_decode(QCRYPTO_HASH_ALG_SHA1, 40, 2, in, key,
                           &error_abort);
    check_hex(key, 40, "d3399b7262fb56cb9ed053d68db9291c410839c4"
              "c691e95be15f22b2ffce72258e6ca87c48439070");
    /* The last piece is short. */
    qcrypto_afsplit_decode(QCRYPTO_HASH_ALG_SHA1, 25, 2, in, key,
                           &error_abort);
    check_hex(key, 25, "d3399b7262fb56cb9ed053d68db9291c410839c4ea96533fb7");
}

static void test_afsplit(void)
{
    const size_t len = 37;
    const uint32_t stripes = 50;
    g_autofree uint8_t *split = g_malloc(len * stripes);
    uint8_t key[37], back[37];

    for (size_t i = 0; i < len; i++) {
        key[i] = i * 7;
    }
    qcrypto_afsplit_encode(QCRYPTO_HASH_ALG_SHA256, len, stripes, key, split,
                           &error_abort);
    qcrypto_afsplit_decode(QCRYPTO_HASH_ALG_SHA256, len, stripes, split, back,
                           &error_abort);
    g_assert_cmpmem(key, len, back, len);
    /* One bit anywhere is enough to lose it. */
    split[3] ^= 1;
    qcrypto_afsplit_decode(QCRYPTO_HASH_ALG_SHA256, len, stripes, split, back,
                           &error_abort);
    g_assert_true(memcmp(key, back, len) != 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qcrypto_available(NULL)) {
        printf("1..0 # SKIP built without libgcrypt\n");
        return 77;
    }
    g_test_add_func("/crypto/ciphers", test_ciphers);
    g_test_add_func("/crypto/cipher-errors", test_cipher_errors);
    g_test_add_func("/crypto/hashes", test_hashes);
    g_test_add_func("/crypto/pbkdf2", test_pbkdf2);
    g_test_add_func("/crypto/pbkdf2-empty", test_pbkdf2_empty);
    g_test_add_func("/crypto/pbkdf2-measure", test_measure);
    g_test_add_func("/crypto/ivgen", test_ivgen);
    g_test_add_func("/crypto/essiv-cipher", test_essiv_cipher);
    g_test_add_func("/crypto/afsplit-known", test_afsplit_known);
    g_test_add_func("/crypto/afsplit", test_afsplit);
    return g_test_run();
}
