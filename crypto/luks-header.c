/*
 * SPDX-License-Identifier: MIT
 *
 * The header of LUKS version 1 ("LUKS On-Disk Format Specification"):
 *
 *     name, mode, digest | payload, key length | digest of the key | UUID |
 *     8 slots: state, iterations, salt, place of the split key, stripes
 *
 * All numbers are big-endian, places are numbers of sectors of 512 bytes.
 *
 * Invariant: a decoded header has algorithms that we know, a key as long as
 * they need, slots that overlap neither the header nor each other nor the
 * payload, and counts of iterations up to LUKS_MAX_ITERATIONS.
 */
#include "qemu/osdep.h"
#include "block-internal.h"
#include "qapi/error.h"
#include "qemu/bswap.h"

#define SECTOR QCRYPTO_BLOCK_SECTOR
#define HEADER_SECTORS (LUKS_ALIGN / SECTOR)

static const uint8_t magic[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };

enum {
    AT_VERSION = 6,
    AT_CIPHER = 8,
    AT_MODE = 40,
    AT_HASH = 72,
    AT_PAYLOAD = 104,
    AT_KEY_LEN = 108,
    AT_DIGEST = 112,
    AT_DIGEST_SALT = 132,
    AT_DIGEST_ITERATIONS = 164,
    AT_UUID = 168,
    AT_SLOTS = 208,
    SLOT_LEN = 48,
    SLOT_ACTIVE = 0x00ac71f3,
    SLOT_INACTIVE = 0x0000dead,
};

/* ---- Names ---- */

static const struct {
    const char *name;
    QCryptoCipherAlgorithm alg;
} ciphers[] = {
    { "aes", QCRYPTO_CIPHER_ALG_AES_128 },
    { "aes", QCRYPTO_CIPHER_ALG_AES_192 },
    { "aes", QCRYPTO_CIPHER_ALG_AES_256 },
    { "cast5", QCRYPTO_CIPHER_ALG_CAST5_128 },
    { "serpent", QCRYPTO_CIPHER_ALG_SERPENT_128 },
    { "serpent", QCRYPTO_CIPHER_ALG_SERPENT_192 },
    { "serpent", QCRYPTO_CIPHER_ALG_SERPENT_256 },
    { "twofish", QCRYPTO_CIPHER_ALG_TWOFISH_128 },
    { "twofish", QCRYPTO_CIPHER_ALG_TWOFISH_192 },
    { "twofish", QCRYPTO_CIPHER_ALG_TWOFISH_256 },
};

/* NULL: LUKS has no name for it. */
static const char *cipher_name(QCryptoCipherAlgorithm alg)
{
    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
        if (ciphers[i].alg == alg) {
            return ciphers[i].name;
        }
    }
    return NULL;
}

static bool find_cipher(const char *name, QCryptoBlockCipher *c,
                        uint32_t key_len, Error **errp)
{
    unsigned keys = c->mode == QCRYPTO_CIPHER_MODE_XTS ? 2 : 1;

    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
        if (!strcmp(ciphers[i].name, name) &&
            qcrypto_cipher_key_len(ciphers[i].alg, c->mode) == key_len) {
            c->alg = ciphers[i].alg;
            return true;
        }
    }
    error_setg(errp, "Algorithm '%s' with key size %" PRIu32 " bytes not "
               "supported", name, key_len / keys);
    return false;
}

static bool find_name(const QEnumLookup *lookup, const char *name,
                      const char *what, int *out, Error **errp)
{
    *out = qapi_enum_parse(lookup, name, -1, NULL);
    if (*out < 0) {
        error_setg(errp, "%s '%s' not supported", what, name);
        return false;
    }
    return true;
}

/* MODE-IVGEN or MODE-IVGEN:HASH */
static bool parse_mode(const char *text, QCryptoBlockCipher *c, Error **errp)
{
    g_autofree char *mode = g_strdup(text);
    char *ivgen = strchr(mode, '-');
    char *hash;
    int m, g, h = QCRYPTO_HASH_ALG_SHA256;

    if (!ivgen) {
        error_setg(errp, "Unexpected cipher mode string format '%s'", text);
        return false;
    }
    *ivgen++ = 0;
    hash = strchr(ivgen, ':');
    if (hash) {
        *hash++ = 0;
    }
    if ((hash && !find_name(&QCryptoHashAlgorithm_lookup, hash,
                            "Hash algorithm", &h, errp)) ||
        !find_name(&QCryptoCipherMode_lookup, mode, "Cipher mode", &m,
                   errp) ||
        !find_name(&QCryptoIVGenAlgorithm_lookup, ivgen, "IV generator", &g,
                   errp)) {
        return false;
    }
    if (g == QCRYPTO_IVGEN_ALG_ESSIV && !hash) {
        error_setg(errp, "Missing IV generator hash specification");
        return false;
    }
    c->mode = m;
    c->ivgen = g;
    c->ivgen_hash = h;
    return true;
}

/* Can sectors be encrypted like that? */
static bool check_algorithms(LuksHeader *h, Error **errp)
{
    QCryptoBlockCipher *c = &h->cipher;

    if (!qcrypto_available(errp)) {
        return false;
    }
    if (c->ivgen == QCRYPTO_IVGEN_ALG_ESSIV &&
        !qcrypto_essiv_cipher(c->alg, c->ivgen_hash, &c->ivgen_alg, errp)) {
        return false;
    }
    if (!qcrypto_hash_supports(h->hash)) {
        error_setg(errp, "Hash algorithm '%s' not supported",
                   QCryptoHashAlgorithm_str(h->hash));
        return false;
    }
    if (!qcrypto_cipher_supports(c->alg, c->mode)) {
        if (c->mode == QCRYPTO_CIPHER_MODE_XTS &&
            qcrypto_cipher_supports(c->alg, QCRYPTO_CIPHER_MODE_CBC)) {
            error_setg(errp, "Unsupported cipher mode %s",
                       QCryptoCipherMode_str(c->mode));
        } else {
            error_setg(errp, "Algorithm '%s' not supported",
                       QCryptoCipherAlgorithm_str(c->alg));
        }
        return false;
    }
    return true;
}

/* ---- Checks ---- */

static bool check_slot(const LuksHeader *h, size_t i, uint32_t state,
                       Error **errp)
{
    const LuksSlot *s = &h->slots[i];
    uint64_t end = s->key_sector + luks_split_len(h, LUKS_STRIPES) / SECTOR;

    if (s->stripes != LUKS_STRIPES) {
        error_setg(errp, "Keyslot %zu is corrupted (stripes %" PRIu32 " != "
                   "%d)", i, s->stripes, LUKS_STRIPES);
        return false;
    }
    if (s->key_sector < HEADER_SECTORS) {
        error_setg(errp, "Keyslot %zu is overlapping with the LUKS header", i);
        return false;
    }
    if (state != SLOT_ACTIVE && state != SLOT_INACTIVE) {
        error_setg(errp, "Keyslot %zu state (active/disable) is corrupted",
                   i);
        return false;
    }
    if (s->active && s->iterations == 0) {
        error_setg(errp, "Keyslot %zu iteration count is zero", i);
        return false;
    }
    if (s->active && s->iterations > LUKS_MAX_ITERATIONS) {
        error_setg(errp, "Keyslot %zu iteration count %" PRIu32 " is larger "
                   "than %u", i, s->iterations, LUKS_MAX_ITERATIONS);
        return false;
    }
    if (h->payload_sector < end) {
        error_setg(errp, "Keyslot %zu is overlapping with the encrypted "
                   "payload", i);
        return false;
    }
    return true;
}

static bool check_overlaps(const LuksHeader *h, size_t i, Error **errp)
{
    uint64_t len = luks_split_len(h, LUKS_STRIPES) / SECTOR;
    uint64_t a = h->slots[i].key_sector;

    for (size_t j = i + 1; j < LUKS_SLOTS; j++) {
        uint64_t b = h->slots[j].key_sector;
        uint64_t b_len = luks_split_len(h, h->slots[j].stripes) / SECTOR;

        if (a < b + b_len && b < a + len) {
            error_setg(errp, "Keyslots %zu and %zu are overlapping in the "
                       "header", i, j);
            return false;
        }
    }
    return true;
}

static bool check_fixed(const LuksHeader *h, Error **errp)
{
    if (h->payload_sector < HEADER_SECTORS) {
        error_setg(errp, "LUKS payload is overlapping with the header");
        return false;
    }
    if (h->digest_iterations == 0) {
        error_setg(errp, "LUKS key iteration count is zero");
        return false;
    }
    if (h->digest_iterations > LUKS_MAX_ITERATIONS) {
        error_setg(errp, "LUKS key iteration count %" PRIu32 " is larger than "
                   "%u", h->digest_iterations, LUKS_MAX_ITERATIONS);
        return false;
    }
    return true;
}

/* ---- Decoding ---- */

bool luks_probe(const uint8_t *buf, size_t len)
{
    return len >= AT_VERSION + 2 && !memcmp(buf, magic, sizeof(magic)) &&
           lduw_be_p(buf + AT_VERSION) == 1;
}

static const char *get_name(const uint8_t *buf, const char *what, Error **errp)
{
    if (!memchr(buf, 0, LUKS_NAME_LEN)) {
        error_setg(errp, "LUKS header %s is not NUL terminated", what);
        return NULL;
    }
    return (const char *)buf;
}

static bool decode_algorithms(const uint8_t *buf, LuksHeader *h, Error **errp)
{
    const char *name = get_name(buf + AT_CIPHER, "cipher name", errp);
    const char *mode = name ? get_name(buf + AT_MODE, "cipher mode", errp)
                            : NULL;
    const char *hash = mode ? get_name(buf + AT_HASH, "hash spec", errp)
                            : NULL;
    int v;

    if (!hash || !parse_mode(mode, &h->cipher, errp) ||
        !find_cipher(name, &h->cipher, h->key_len, errp) ||
        !find_name(&QCryptoHashAlgorithm_lookup, hash, "Hash algorithm", &v,
                   errp)) {
        return false;
    }
    h->hash = v;
    return check_algorithms(h, errp);
}

bool luks_header_decode(const uint8_t *buf, LuksHeader *h, Error **errp)
{
    uint32_t states[LUKS_SLOTS];

    memset(h, 0, sizeof(*h));
    if (memcmp(buf, magic, sizeof(magic))) {
        error_setg(errp, "Volume is not in LUKS format");
        return false;
    }
    if (lduw_be_p(buf + AT_VERSION) != 1) {
        error_setg(errp, "LUKS version %d is not supported",
                   lduw_be_p(buf + AT_VERSION));
        return false;
    }
    h->payload_sector = ldl_be_p(buf + AT_PAYLOAD);
    h->key_len = ldl_be_p(buf + AT_KEY_LEN);
    memcpy(h->digest, buf + AT_DIGEST, LUKS_DIGEST_LEN);
    memcpy(h->digest_salt, buf + AT_DIGEST_SALT, LUKS_SALT_LEN);
    h->digest_iterations = ldl_be_p(buf + AT_DIGEST_ITERATIONS);
    memcpy(h->uuid, buf + AT_UUID, LUKS_UUID_LEN);
    if (!check_fixed(h, errp) || !decode_algorithms(buf, h, errp)) {
        return false;
    }
    for (size_t i = 0; i < LUKS_SLOTS; i++) {
        const uint8_t *p = buf + AT_SLOTS + i * SLOT_LEN;
        LuksSlot *s = &h->slots[i];

        s->active = (uint32_t)ldl_be_p(p) == SLOT_ACTIVE;
        s->iterations = ldl_be_p(p + 4);
        memcpy(s->salt, p + 8, LUKS_SALT_LEN);
        s->key_sector = ldl_be_p(p + 40);
        s->stripes = ldl_be_p(p + 44);
        states[i] = ldl_be_p(p);
    }
    for (size_t i = 0; i < LUKS_SLOTS; i++) {
        if (!check_slot(h, i, states[i], errp) ||
            !check_overlaps(h, i, errp)) {
            return false;
        }
    }
    return true;
}

/* ---- Encoding ---- */

void luks_header_encode(const LuksHeader *h, uint8_t *buf)
{
    const QCryptoBlockCipher *c = &h->cipher;
    g_autofree char *mode = g_strdup_printf(
        "%s-%s%s%s", QCryptoCipherMode_str(c->mode),
        QCryptoIVGenAlgorithm_str(c->ivgen),
        c->ivgen == QCRYPTO_IVGEN_ALG_ESSIV ? ":" : "",
        c->ivgen == QCRYPTO_IVGEN_ALG_ESSIV
        ? QCryptoHashAlgorithm_str(c->ivgen_hash) : "");

    memset(buf, 0, LUKS_HEADER_LEN);
    memcpy(buf, magic, sizeof(magic));
    stw_be_p(buf + AT_VERSION, 1);
    g_strlcpy((char *)buf + AT_CIPHER, cipher_name(c->alg), LUKS_NAME_LEN);
    g_strlcpy((char *)buf + AT_MODE, mode, LUKS_NAME_LEN);
    g_strlcpy((char *)buf + AT_HASH, QCryptoHashAlgorithm_str(h->hash),
              LUKS_NAME_LEN);
    stl_be_p(buf + AT_PAYLOAD, h->payload_sector);
    stl_be_p(buf + AT_KEY_LEN, h->key_len);
    memcpy(buf + AT_DIGEST, h->digest, LUKS_DIGEST_LEN);
    memcpy(buf + AT_DIGEST_SALT, h->digest_salt, LUKS_SALT_LEN);
    stl_be_p(buf + AT_DIGEST_ITERATIONS, h->digest_iterations);
    memcpy(buf + AT_UUID, h->uuid, LUKS_UUID_LEN);
    for (size_t i = 0; i < LUKS_SLOTS; i++) {
        const LuksSlot *s = &h->slots[i];
        uint8_t *p = buf + AT_SLOTS + i * SLOT_LEN;

        stl_be_p(p, s->active ? SLOT_ACTIVE : SLOT_INACTIVE);
        stl_be_p(p + 4, s->iterations);
        memcpy(p + 8, s->salt, LUKS_SALT_LEN);
        stl_be_p(p + 40, s->key_sector);
        stl_be_p(p + 44, s->stripes);
    }
}

/* ---- New headers ---- */

bool luks_header_init(const QCryptoBlockCreateOptionsLUKS *o, LuksHeader *h,
                      Error **errp)
{
    QCryptoBlockCipher *c = &h->cipher;
    g_autofree char *uuid = g_uuid_string_random();
    uint32_t sectors;

    memset(h, 0, sizeof(*h));
    c->alg = o->has_cipher_alg ? o->cipher_alg : QCRYPTO_CIPHER_ALG_AES_256;
    c->mode = o->has_cipher_mode ? o->cipher_mode : QCRYPTO_CIPHER_MODE_XTS;
    c->ivgen = o->has_ivgen_alg ? o->ivgen_alg : QCRYPTO_IVGEN_ALG_PLAIN64;
    c->ivgen_hash = o->has_ivgen_hash_alg ? o->ivgen_hash_alg
                                          : QCRYPTO_HASH_ALG_SHA256;
    h->hash = o->has_hash_alg ? o->hash_alg : QCRYPTO_HASH_ALG_SHA256;
    if (!cipher_name(c->alg)) {
        error_setg(errp, "Algorithm '%s' not supported",
                   QCryptoCipherAlgorithm_str(c->alg));
        return false;
    }
    if (!check_algorithms(h, errp)) {
        return false;
    }
    h->key_len = qcrypto_cipher_key_len(c->alg, c->mode);
    g_strlcpy(h->uuid, uuid, sizeof(h->uuid));
    sectors = ROUND_UP(luks_split_len(h, LUKS_STRIPES), LUKS_ALIGN) / SECTOR;
    for (size_t i = 0; i < LUKS_SLOTS; i++) {
        h->slots[i].key_sector = HEADER_SECTORS + i * sectors;
        h->slots[i].stripes = LUKS_STRIPES;
    }
    h->payload_sector = HEADER_SECTORS + LUKS_SLOTS * sectors;
    return true;
}

/* ---- Information ---- */

QCryptoBlockInfoLUKS *luks_header_info(const LuksHeader *h)
{
    QCryptoBlockInfoLUKS *info = g_new0(QCryptoBlockInfoLUKS, 1);
    QCryptoBlockInfoLUKSSlotList **tail = &info->slots;

    info->cipher_alg = h->cipher.alg;
    info->cipher_mode = h->cipher.mode;
    info->ivgen_alg = h->cipher.ivgen;
    info->has_ivgen_hash_alg = h->cipher.ivgen == QCRYPTO_IVGEN_ALG_ESSIV;
    info->ivgen_hash_alg = h->cipher.ivgen_hash;
    info->hash_alg = h->hash;
    info->payload_offset = (int64_t)h->payload_sector * SECTOR;
    info->master_key_iters = h->digest_iterations;
    info->uuid = g_strdup(h->uuid);
    for (size_t i = 0; i < LUKS_SLOTS; i++) {
        const LuksSlot *s = &h->slots[i];
        QCryptoBlockInfoLUKSSlot *slot = g_new0(QCryptoBlockInfoLUKSSlot, 1);

        slot->active = s->active;
        slot->key_offset = (int64_t)s->key_sector * SECTOR;
        slot->has_iters = slot->has_stripes = s->active;
        slot->iters = s->iterations;
        slot->stripes = s->stripes;
        QAPI_LIST_APPEND(tail, slot);
    }
    return info;
}
