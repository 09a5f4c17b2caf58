/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted disks with their header in memory: key slots, damaged headers,
 * the encryption of vectors that are cut anywhere.
 */
#include "qemu/osdep.h"
#include "crypto/block.h"
#include "crypto/cipher.h"
#include "crypto/secret.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qom/object_interfaces.h"

#define HEADER_MAX (3 * 1024 * 1024)
#define SECTOR QCRYPTO_BLOCK_SECTOR

/* ---- A header in memory ---- */

typedef struct Store {
    uint8_t *data;
    size_t len;                 /* init was called with it */
    uint64_t most_read;         /* end of the last byte that was read */
    int fail_writes;            /* the n-th one from now on fails; 0: none */
} Store;

static int store_read(void *opaque, uint64_t offset, void *buf, size_t len,
                      Error **errp)
{
    Store *s = opaque;

    s->most_read = MAX(s->most_read, offset + len);
    if (offset + len > HEADER_MAX) {
        error_setg(errp, "There is nothing to read");
        return -EIO;
    }
    memcpy(buf, s->data + offset, len);
    return 0;
}

static int store_write(void *opaque, uint64_t offset, const void *buf,
                       size_t len, Error **errp)
{
    Store *s = opaque;

    g_assert_cmpint(offset + len, <=, HEADER_MAX);
    if (s->fail_writes && --s->fail_writes == 0) {
        error_setg(errp, "No write at %" PRIu64, offset);
        return -ENOSPC;
    }
    memcpy(s->data + offset, buf, len);
    return 0;
}

static int store_init(void *opaque, uint64_t len, Error **errp)
{
    Store *s = opaque;

    g_assert_cmpint(len, <=, HEADER_MAX);
    s->len = len;
    return 0;
}

static QCryptoBlockIO store_io(Store *s)
{
    QCryptoBlockIO io = { store_read, store_write, store_init, s };

    return io;
}

static void add_secret(const char *id, const char *data)
{
    g_autofree char *options = g_strdup_printf("secret,id=%s,data=%s", id,
                                               data);

    user_creatable_add_from_str(options, &error_abort);
}

static QCryptoBlockCreateOptions luks_options(const char *secret)
{
    QCryptoBlockCreateOptions o = { .format = QCRYPTO_BLOCK_FORMAT_LUKS };

    o.u.luks.has_key_secret = secret != NULL;
    o.u.luks.key_secret = (char *)secret;
    o.u.luks.has_iter_time = true;
    o.u.luks.iter_time = 1;
    return o;
}

static QCryptoBlock *make(Store *s, const QCryptoBlockCreateOptions *o)
{
    QCryptoBlockIO io = store_io(s);

    s->data = g_malloc0(HEADER_MAX);
    return qcrypto_block_create(o, "", &io, &error_abort);
}

static QCryptoBlock *open_with(Store *s, const char *secret, Error **errp)
{
    QCryptoBlockIO io = store_io(s);

    return qcrypto_block_open(QCRYPTO_BLOCK_FORMAT_LUKS, secret, "encrypt.",
                              &io, 0, errp);
}

static void check_error(Error *err, const char *text)
{
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void cannot_open(Store *s, const char *secret, const char *text)
{
    Error *err = NULL;

    g_assert_null(open_with(s, secret, &err));
    check_error(err, text);
}

/* ---- Data ---- */

/* A vector over @buf that is cut at odd places. */
static void cut(QEMUIOVector *qiov, uint8_t *buf, size_t len)
{
    static const size_t steps[] = { 1, 700, 511, 2048, 13, 512, 512, 3000 };
    size_t pos = 0;

    qemu_iovec_init(qiov, 16);
    for (size_t i = 0; pos < len; i++) {
        size_t n = MIN(steps[i % ARRAY_SIZE(steps)], len - pos);

        qemu_iovec_add(qiov, buf + pos, n);
        pos += n;
    }
}

/* What one encrypts the other decrypts, in vectors cut or not. */
static void check_same_key(QCryptoBlock *a, QCryptoBlock *b)
{
    const size_t len = 20 * SECTOR;
    g_autofree uint8_t *plain = g_malloc(len + 7);
    g_autofree uint8_t *out = g_malloc(len), *whole = g_malloc(len);
    g_autofree uint8_t *back = g_malloc0(len + 7);
    QEMUIOVector qiov, one = QEMU_IOVEC_INIT_BUF(one, plain + 7, len);

    for (size_t i = 0; i < len; i++) {
        plain[7 + i] = i * 31 + i / 256;
    }
    cut(&qiov, plain, len + 7);
    g_assert_cmpint(qcrypto_block_encrypt(a, 5 * SECTOR, &qiov, 7, out, len),
                    ==, 0);
    g_assert_cmpint(qcrypto_block_encrypt(b, 5 * SECTOR, &one, 0, whole, len),
                    ==, 0);
    g_assert_cmpmem(out, len, whole, len);
    g_assert_true(memcmp(out, plain + 7, len) != 0);
    qemu_iovec_destroy(&qiov);
    memcpy(back + 7, out, len);
    cut(&qiov, back, len + 7);
    g_assert_cmpint(qcrypto_block_decrypt(b, 5 * SECTOR, &qiov, 7, len), ==,
                    0);
    g_assert_cmpmem(back + 7, len, plain + 7, len);
    qemu_iovec_destroy(&qiov);
}

static void test_all_ciphers(void)
{
    for (int alg = 0; alg < QCRYPTO_CIPHER_ALG__MAX; alg++) {
        for (int mode = 0; mode < QCRYPTO_CIPHER_MODE__MAX; mode++) {
            for (int iv = 0; iv < QCRYPTO_IVGEN_ALG__MAX; iv++) {
                QCryptoBlockCreateOptions o = luks_options("one");
                QCryptoBlock *a, *b;
                Store s = { 0 };

                o.u.luks.has_cipher_alg = o.u.luks.has_cipher_mode = true;
                o.u.luks.has_ivgen_alg = true;
                o.u.luks.cipher_alg = alg;
                o.u.luks.cipher_mode = mode;
                o.u.luks.ivgen_alg = iv;
                if (alg == QCRYPTO_CIPHER_ALG_DES ||
                    alg == QCRYPTO_CIPHER_ALG_3DES ||
                    !qcrypto_cipher_supports(alg, mode) ||
                    (alg == QCRYPTO_CIPHER_ALG_CAST5_128 &&
                     iv == QCRYPTO_IVGEN_ALG_ESSIV) ||
                    (iv == QCRYPTO_IVGEN_ALG_PLAIN && mode != alg % 4)) {
                    continue;
                }
                a = make(&s, &o);
                b = open_with(&s, "one", &error_abort);
                g_assert_cmpint(qcrypto_block_payload_offset(a), ==, s.len);
                g_assert_cmpint(qcrypto_block_payload_offset(b), ==, s.len);
                check_same_key(a, b);
                qcrypto_block_free(a);
                qcrypto_block_free(b);
                g_free(s.data);
            }
        }
    }
}

/* ---- Key slots ---- */

static QCryptoBlockAmendOptions amend_options(bool active)
{
    QCryptoBlockAmendOptions o = { .format = QCRYPTO_BLOCK_FORMAT_LUKS };

    o.u.luks.state = active ? Q_CRYPTO_BLOCK_LUKS_KEYSLOT_STATE_ACTIVE
                            : Q_CRYPTO_BLOCK_LUKS_KEYSLOT_STATE_INACTIVE;
    o.u.luks.has_iter_time = active;
    o.u.luks.iter_time = 1;
    return o;
}

static void add_key(QCryptoBlock *block, Store *s, const char *secret,
                    Error **errp)
{
    QCryptoBlockAmendOptions o = amend_options(true);
    QCryptoBlockIO io = store_io(s);

    o.u.luks.has_new_secret = true;
    o.u.luks.new_secret = (char *)secret;
    qcrypto_block_amend(block, &io, &o, false, errp);
}

static void erase_key(QCryptoBlock *block, Store *s, const char *secret,
                      bool force, Error **errp)
{
    QCryptoBlockAmendOptions o = amend_options(false);
    QCryptoBlockIO io = store_io(s);

    o.u.luks.has_old_secret = true;
    o.u.luks.old_secret = (char *)secret;
    qcrypto_block_amend(block, &io, &o, force, errp);
}

static void test_slots(void)
{
    QCryptoBlockCreateOptions o = luks_options("one");
    Store s = { 0 };
    QCryptoBlock *a = make(&s, &o), *b;
    Error *err = NULL;

    cannot_open(&s, "two", "Invalid password, cannot unlock any keyslot");
    cannot_open(&s, "three", "No secret with id 'three'");
    cannot_open(&s, NULL, "Parameter 'encrypt.key-secret' is required for "
                "cipher");
    add_key(a, &s, "two", &error_abort);
    b = open_with(&s, "two", &error_abort);
    check_same_key(a, b);
    qcrypto_block_free(b);
    erase_key(a, &s, "one", false, &error_abort);
    cannot_open(&s, "one", "Invalid password, cannot unlock any keyslot");
    b = open_with(&s, "two", &error_abort);
    check_same_key(a, b);
    erase_key(b, &s, "two", false, &err);
    check_error(err, "All the active keyslots match the (old) password that "
                "was given and erasing them will erase all the data in the "
                "image irreversibly - refusing operation");
    erase_key(b, &s, "two", true, &error_abort);
    cannot_open(&s, "two", "Invalid password, cannot unlock any keyslot");
    qcrypto_block_free(a);
    qcrypto_block_free(b);
    g_free(s.data);
}

static bool slot_active(QCryptoBlock *block, unsigned i)
{
    g_autoptr(QCryptoBlockInfoLUKS) info = qcrypto_block_luks_info(block);
    QCryptoBlockInfoLUKSSlotList *e = info->slots;

    while (i--) {
        e = e->next;
    }
    return e->value->active;
}

/* A slot whose key could not be written stays free; what was erased is
 * gone even if the header could not be written. */
static void test_failed_writes(void)
{
    QCryptoBlockCreateOptions o = luks_options("one");
    Store s = { 0 };
    QCryptoBlock *a = make(&s, &o), *b;
    Error *err = NULL;

    s.fail_writes = 1;
    add_key(a, &s, "two", &err);
    check_error(err, "No write at 262144");
    err = NULL;
    g_assert_false(slot_active(a, 1));
    s.fail_writes = 2;
    add_key(a, &s, "two", &err);
    check_error(err, "No write at 0");
    err = NULL;
    g_assert_false(slot_active(a, 1));
    cannot_open(&s, "two", "Invalid password, cannot unlock any keyslot");
    s.fail_writes = 0;
    add_key(a, &s, "two", &error_abort);
    g_assert_true(slot_active(a, 1));
    s.fail_writes = 2;
    erase_key(a, &s, "two", false, &err);
    check_error(err, "No write at 0");
    g_assert_true(slot_active(a, 1));
    cannot_open(&s, "two", "Invalid password, cannot unlock any keyslot");
    b = open_with(&s, "one", &error_abort);
    check_same_key(a, b);
    qcrypto_block_free(a);
    qcrypto_block_free(b);
    g_free(s.data);
}

/* ---- Damaged headers ---- */

static void check_damage(Store *s, size_t at, const void *data, size_t len,
                         const char *text)
{
    g_autofree uint8_t *old = g_memdup2(s->data, 592);

    memcpy(s->data + at, data, len);
    s->most_read = 0;
    cannot_open(s, "one", text);
    /* Nothing outside of the header made it look elsewhere. */
    g_assert_cmpint(s->most_read, <=, s->len);
    memcpy(s->data, old, 592);
}

static void check_number(Store *s, size_t at, uint32_t value, const char *text)
{
    uint8_t n[4];

    stl_be_p(n, value);
    check_damage(s, at, n, 4, text);
}

static void test_damaged(void)
{
    QCryptoBlockCreateOptions o = luks_options("one");
    static const char long_name[32] = "no zero byte within thirty-two b";
    Store s = { 0 };
    QCryptoBlock *a = make(&s, &o);

    qcrypto_block_free(a);
    check_damage(&s, 0, "X", 1, "Volume is not in LUKS format");
    check_damage(&s, 6, "\0\2", 2, "LUKS version 2 is not supported");
    check_damage(&s, 8, long_name, 32,
                 "LUKS header cipher name is not NUL terminated");
    check_damage(&s, 40, long_name, 32,
                 "LUKS header cipher mode is not NUL terminated");
    check_damage(&s, 72, long_name, 32,
                 "LUKS header hash spec is not NUL terminated");
    check_damage(&s, 8, "foo", 4,
                 "Algorithm 'foo' with key size 32 bytes not supported");
    check_damage(&s, 40, "xts", 4,
                 "Unexpected cipher mode string format 'xts'");
    check_damage(&s, 40, "xts-essiv", 10,
                 "Missing IV generator hash specification");
    check_damage(&s, 40, "xts-essiv:md4", 14,
                 "Hash algorithm 'md4' not supported");
    check_damage(&s, 40, "foo-plain", 10, "Cipher mode 'foo' not supported");
    check_damage(&s, 40, "xts-foo", 8, "IV generator 'foo' not supported");
    check_damage(&s, 72, "foo", 4, "Hash algorithm 'foo' not supported");
    check_number(&s, 104, 7, "LUKS payload is overlapping with the header");
    check_number(&s, 104, 8,
                 "Keyslot 0 is overlapping with the encrypted payload");
    check_number(&s, 108, 0,
                 "Algorithm 'aes' with key size 0 bytes not supported");
    check_number(&s, 108, 0xfffffff0, "Algorithm 'aes' with key size "
                 "2147483640 bytes not supported");
    check_number(&s, 164, 0, "LUKS key iteration count is zero");
    check_number(&s, 164, UINT32_MAX, "LUKS key iteration count 4294967295 is "
                 "larger than 268435456");
    check_number(&s, 208, 1,
                 "Keyslot 0 state (active/disable) is corrupted");
    check_number(&s, 212, 0, "Keyslot 0 iteration count is zero");
    check_number(&s, 212, UINT32_MAX, "Keyslot 0 iteration count 4294967295 "
                 "is larger than 268435456");
    check_number(&s, 248, 1,
                 "Keyslot 0 is overlapping with the LUKS header");
    check_number(&s, 248, UINT32_MAX,
                 "Keyslot 0 is overlapping with the encrypted payload");
    check_number(&s, 252, 3999,
                 "Keyslot 0 is corrupted (stripes 3999 != 4000)");
    check_number(&s, 296, 9, "Keyslots 0 and 1 are overlapping in the header");
    g_free(s.data);
}

/* ---- AES of qcow2 ---- */

static void test_aes(void)
{
    QCryptoBlock *a, *b;
    Error *err = NULL;

    a = qcrypto_block_open(QCRYPTO_BLOCK_FORMAT_QCOW, "one", "encrypt.", NULL,
                           0, &error_abort);
    b = qcrypto_block_open(QCRYPTO_BLOCK_FORMAT_QCOW, "one", "encrypt.", NULL,
                           0, &error_abort);
    check_same_key(a, b);
    g_assert_cmpint(qcrypto_block_payload_offset(a), ==, 0);
    g_assert_null(qcrypto_block_luks_info(a));
    qcrypto_block_free(a);
    qcrypto_block_free(b);
    g_assert_null(qcrypto_block_open(QCRYPTO_BLOCK_FORMAT_QCOW, NULL,
                                     "encrypt.", NULL, 0, &err));
    check_error(err, "Parameter 'encrypt.key-secret' is required for cipher");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qcrypto_available(NULL)) {
        printf("1..0 # SKIP built without libgcrypt\n");
        return 77;
    }
    user_creatable_init();
    add_secret("one", "first pass phrase");
    add_secret("two", "");
    g_test_add_func("/crypto-block/all-ciphers", test_all_ciphers);
    g_test_add_func("/crypto-block/slots", test_slots);
    g_test_add_func("/crypto-block/failed-writes", test_failed_writes);
    g_test_add_func("/crypto-block/damaged", test_damaged);
    g_test_add_func("/crypto-block/aes", test_aes);
    return g_test_run();
}
