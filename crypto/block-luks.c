/*
 * SPDX-License-Identifier: MIT
 *
 * LUKS version 1: key slots.  The key of the disk is in each slot that is in
 * use, split (crypto/afsplit.c) and encrypted with a key that is derived from
 * a pass phrase.  Whether it is the right one tells a digest in the header.
 *
 * Invariants
 *   1. Keys and pass phrases are wiped before their memory is freed.
 *   2. What a slot held is overwritten before the header says that the slot is
 *      free; the header says that it is in use after its key was written.
 *   3. The header in memory is what was written last.
 */
#include "qemu/osdep.h"
#include "block-internal.h"
#include "crypto/afsplit.h"
#include "crypto/secret.h"
#include "qapi/error.h"

#define SECTOR QCRYPTO_BLOCK_SECTOR
#define DEFAULT_ITER_MS 2000

typedef struct Phrase {
    uint8_t *data;
    size_t len;
} Phrase;

static int get_phrase(const char *id, Phrase *p, Error **errp)
{
    return qcrypto_secret_lookup(id, &p->data, &p->len, errp) < 0 ? -EINVAL
                                                                  : 0;
}

static void free_phrase(Phrase *p)
{
    qcrypto_free_key(p->data, p->len);
    p->data = NULL;
}

/* What @id, NULL if it is missing, says. */
static int require_phrase(const char *id, const char *prefix, Phrase *p,
                          Error **errp)
{
    if (!id) {
        error_setg(errp, "Parameter '%skey-secret' is required for cipher",
                   prefix);
        return -EINVAL;
    }
    return get_phrase(id, p, errp);
}

/* ---- In a worker ---- */

/* Something slow about one slot. */
typedef struct SlotJob {
    LuksHeader *h;
    LuksSlot *slot;
    const Phrase *phrase;
    uint8_t *key;               /* of the disk, h->key_len */
    uint8_t *split;             /* luks_split_len() bytes */
    uint64_t iter_ms;           /* storing */
    bool with_digest;           /* storing: make that of the key, too */
    Error **errp;
} SlotJob;

/* Encrypt or decrypt the split key with the key of the slot. */
static int crypt_split(SlotJob *job, bool encrypt)
{
    LuksHeader *h = job->h;
    uint8_t *slot_key = g_malloc(h->key_len);
    QCryptoPBKDF2 in = {
        .alg = h->hash,
        .key = job->phrase->data, .key_len = job->phrase->len,
        .salt = job->slot->salt, .salt_len = LUKS_SALT_LEN,
        .iterations = job->slot->iterations,
    };
    QCryptoEngine *e = NULL;
    int ret;

    ret = qcrypto_pbkdf2(&in, slot_key, h->key_len, job->errp);
    if (ret == 0) {
        e = qcrypto_engine_new(&h->cipher, slot_key, h->key_len, job->errp);
        ret = e ? qcrypto_engine_crypt(e, encrypt, 0, job->split, job->split,
                                       luks_split_len(h, LUKS_STRIPES),
                                       job->errp) : -1;
    }
    qcrypto_engine_free(e);
    qcrypto_free_key(slot_key, h->key_len);
    return ret;
}

static int key_digest(const LuksHeader *h, const uint8_t *key, uint8_t *digest,
                      Error **errp)
{
    QCryptoPBKDF2 in = {
        .alg = h->hash, .key = key, .key_len = h->key_len,
        .salt = h->digest_salt, .salt_len = LUKS_SALT_LEN,
        .iterations = h->digest_iterations,
    };

    return qcrypto_pbkdf2(&in, digest, LUKS_DIGEST_LEN, errp);
}

/* 1: ->key is the key; 0: wrong pass phrase. */
static int load_job(void *opaque)
{
    SlotJob *job = opaque;
    LuksHeader *h = job->h;
    uint8_t digest[LUKS_DIGEST_LEN];

    if (crypt_split(job, false) < 0 ||
        qcrypto_afsplit_decode(h->hash, h->key_len, LUKS_STRIPES, job->split,
                               job->key, job->errp) < 0 ||
        key_digest(h, job->key, digest, job->errp) < 0) {
        return -EIO;
    }
    return !memcmp(digest, h->digest, sizeof(digest));
}

/* Iterations that take @ms; the time of making @len bytes. */
static int pick_iterations(const LuksHeader *h, size_t len, uint64_t ms,
                           uint32_t *out, Error **errp)
{
    uint64_t n = qcrypto_pbkdf2_measure(h->hash, len, ms, errp);

    if (n == 0) {
        return -EIO;
    }
    if (n > LUKS_MAX_ITERATIONS) {
        error_setg(errp, "PBKDF iterations %" PRIu64 " larger than %u", n,
                   LUKS_MAX_ITERATIONS);
        return -EINVAL;
    }
    *out = MAX(n, LUKS_MIN_ITERATIONS);
    return 0;
}

static int store_job(void *opaque)
{
    SlotJob *job = opaque;
    LuksHeader *h = job->h;
    LuksSlot *slot = job->slot;
    int ret = 0;

    if (job->with_digest) {
        if (qcrypto_random_bytes(h->digest_salt, LUKS_SALT_LEN,
                                 job->errp) < 0) {
            return -EIO;
        }
        ret = pick_iterations(h, LUKS_DIGEST_LEN, job->iter_ms / 8,
                              &h->digest_iterations, job->errp);
        if (ret < 0) {
            return ret;
        }
        ret = key_digest(h, job->key, h->digest, job->errp);
    }
    if (ret < 0 ||
        qcrypto_random_bytes(slot->salt, LUKS_SALT_LEN, job->errp) < 0) {
        return -EIO;
    }
    ret = pick_iterations(h, h->key_len, job->iter_ms, &slot->iterations,
                          job->errp);
    if (ret < 0) {
        return ret;
    }
    if (qcrypto_afsplit_encode(h->hash, h->key_len, LUKS_STRIPES, job->key,
                               job->split, job->errp) < 0) {
        return -EIO;
    }
    return crypt_split(job, true) < 0 ? -EIO : 0;
}

/* ---- Slots ---- */

/* 1 with the key of the disk in @key, 0, or -errno. */
static int load_slot(const QCryptoBlockIO *io, LuksHeader *h, unsigned i,
                     const Phrase *phrase, uint8_t *key, Error **errp)
{
    LuksSlot *slot = &h->slots[i];
    uint64_t len = luks_split_len(h, LUKS_STRIPES);
    SlotJob job = { .h = h, .slot = slot, .phrase = phrase, .key = key,
                    .errp = errp };
    int ret;

    if (!slot->active) {
        return 0;
    }
    job.split = g_malloc(len);
    ret = io->read(io->opaque, (uint64_t)slot->key_sector * SECTOR, job.split,
                   len, errp);
    if (ret >= 0) {
        ret = qcrypto_run_slow(load_job, &job);
    }
    qcrypto_free_key(job.split, len);
    return ret;
}

/* The key of the disk from the first slot that @phrase opens. */
static int find_key(const QCryptoBlockIO *io, LuksHeader *h,
                    const Phrase *phrase, uint8_t **key, Error **errp)
{
    int ret = 0;

    *key = g_malloc0(h->key_len);
    for (unsigned i = 0; ret == 0 && i < LUKS_SLOTS; i++) {
        ret = load_slot(io, h, i, phrase, *key, errp);
    }
    if (ret > 0) {
        return 0;
    }
    if (ret == 0) {
        error_setg(errp, "Invalid password, cannot unlock any keyslot");
        ret = -EPERM;
    }
    qcrypto_free_key(*key, h->key_len);
    *key = NULL;
    return ret;
}

static int write_header(const QCryptoBlockIO *io, const LuksHeader *h,
                        Error **errp)
{
    uint8_t buf[LUKS_HEADER_LEN];

    luks_header_encode(h, buf);
    return io->write(io->opaque, 0, buf, sizeof(buf), errp);
}

/* Put the key into slot @i.  @h, the header to be, is changed. */
static int store_slot(const QCryptoBlockIO *io, LuksHeader *h, unsigned i,
                      const SlotJob *what, Error **errp)
{
    SlotJob job = *what;
    uint64_t len = luks_split_len(h, LUKS_STRIPES);
    int ret;

    job.h = h;
    job.slot = &h->slots[i];
    job.split = g_malloc0(len);
    job.errp = errp;
    ret = qcrypto_run_slow(store_job, &job);
    if (ret == 0) {
        ret = io->write(io->opaque, (uint64_t)job.slot->key_sector * SECTOR,
                        job.split, len, errp);
    }
    qcrypto_free_key(job.split, len);
    if (ret < 0) {
        return ret;
    }
    job.slot->active = true;
    return write_header(io, h, errp);
}

/* Invariant 2. */
static int erase_slot(const QCryptoBlockIO *io, LuksHeader *h, unsigned i,
                      Error **errp)
{
    LuksSlot *slot = &h->slots[i];
    uint64_t len = luks_split_len(h, LUKS_STRIPES);
    LuksHeader next = *h;
    g_autofree uint8_t *noise = g_malloc(len);
    int ret;

    if (qcrypto_random_bytes(noise, len, errp) < 0) {
        return -EIO;
    }
    ret = io->write(io->opaque, (uint64_t)slot->key_sector * SECTOR, noise,
                    len, errp);
    if (ret < 0) {
        return ret;
    }
    next.slots[i].active = false;
    next.slots[i].iterations = 0;
    memset(next.slots[i].salt, 0, LUKS_SALT_LEN);
    ret = write_header(io, &next, errp);
    if (ret == 0) {
        *h = next;
    }
    return ret;
}

/* ---- Open, create ---- */

int luks_open(const QCryptoBlockIO *io, const char *key_secret,
              const char *prefix, QCryptoBlockFlags flags, LuksHeader *h,
              uint8_t **key, Error **errp)
{
    uint8_t buf[LUKS_HEADER_LEN];
    Phrase phrase = { NULL };
    int ret;

    *key = NULL;
    if (!(flags & QCRYPTO_BLOCK_NO_IO)) {
        ret = require_phrase(key_secret, prefix, &phrase, errp);
        if (ret < 0) {
            return ret;
        }
    }
    ret = io->read(io->opaque, 0, buf, sizeof(buf), errp);
    if (ret >= 0 && !luks_header_decode(buf, h, errp)) {
        ret = -EINVAL;
    }
    if (ret >= 0 && phrase.data) {
        ret = find_key(io, h, &phrase, key, errp);
    }
    free_phrase(&phrase);
    return ret < 0 ? ret : 0;
}

int luks_create(const QCryptoBlockCreateOptionsLUKS *o, const char *prefix,
                const QCryptoBlockIO *io, LuksHeader *h, uint8_t **key,
                Error **errp)
{
    Phrase phrase = { NULL };
    SlotJob job = { .phrase = &phrase, .with_digest = true };
    int ret;

    *key = NULL;
    job.iter_ms = o->has_iter_time ? o->iter_time : DEFAULT_ITER_MS;
    ret = require_phrase(o->key_secret, prefix, &phrase, errp);
    if (ret < 0) {
        return ret;
    }
    if (!luks_header_init(o, h, errp)) {
        free_phrase(&phrase);
        return -EINVAL;
    }
    *key = g_malloc(h->key_len);
    ret = qcrypto_random_bytes(*key, h->key_len, errp) < 0 ? -EIO : 0;
    if (ret == 0) {
        ret = io->init(io->opaque, (uint64_t)h->payload_sector * SECTOR, errp);
    }
    if (ret == 0) {
        job.key = *key;
        ret = store_slot(io, h, 0, &job, errp);
    }
    free_phrase(&phrase);
    if (ret < 0) {
        qcrypto_free_key(*key, h->key_len);
        *key = NULL;
    }
    return ret;
}

/* ---- Amend ---- */

static unsigned count_active(const LuksHeader *h)
{
    unsigned n = 0;

    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        n += h->slots[i].active;
    }
    return n;
}

static int check_slot_number(const QCryptoBlockAmendOptionsLUKS *o,
                             Error **errp)
{
    if (o->has_keyslot && (o->keyslot < 0 || o->keyslot >= LUKS_SLOTS)) {
        error_setg(errp, "Invalid keyslot %" PRIu32 " specified, must be "
                   "between 0 and %d", (uint32_t)o->keyslot, LUKS_SLOTS - 1);
        return -EINVAL;
    }
    return 0;
}

/* The slot that a new key is to go to, or -errno. */
static int pick_slot(const LuksHeader *h,
                     const QCryptoBlockAmendOptionsLUKS *o, bool force,
                     Error **errp)
{
    if (o->has_keyslot) {
        if (h->slots[o->keyslot].active && !force) {
            error_setg(errp, "Refusing to overwrite active keyslot %d - "
                       "please erase it first", (int)o->keyslot);
            return -EINVAL;
        }
        return o->keyslot;
    }
    for (int i = 0; i < LUKS_SLOTS; i++) {
        if (!h->slots[i].active) {
            return i;
        }
    }
    error_setg(errp, "Can't add a keyslot - all keyslots are in use");
    return -EINVAL;
}

static int amend_add(const QCryptoBlockIO *io, const char *key_secret,
                     const QCryptoBlockAmendOptionsLUKS *o, bool force,
                     LuksHeader *h, Error **errp)
{
    Phrase old = { NULL }, new = { NULL };
    SlotJob job = { .phrase = &new };
    uint8_t *key = NULL;
    LuksHeader next = *h;
    int i, ret;

    if (!o->has_new_secret) {
        error_setg(errp, "'new-secret' is required to activate a keyslot");
        return -EINVAL;
    }
    if (o->has_old_secret) {
        error_setg(errp, "'old-secret' must not be given when activating "
                   "keyslots");
        return -EINVAL;
    }
    ret = check_slot_number(o, errp);
    i = ret < 0 ? ret : pick_slot(h, o, force, errp);
    if (i < 0) {
        return i;
    }
    job.iter_ms = o->has_iter_time ? o->iter_time : DEFAULT_ITER_MS;
    ret = require_phrase(o->has_secret ? o->secret : key_secret, "", &old,
                         errp);
    if (ret == 0) {
        ret = get_phrase(o->new_secret, &new, errp);
    }
    if (ret == 0) {
        ret = find_key(io, h, &old, &key, errp);
    }
    if (ret == 0) {
        job.key = key;
        ret = store_slot(io, &next, i, &job, errp);
    }
    if (ret == 0) {
        *h = next;
    }
    qcrypto_free_key(key, h->key_len);
    free_phrase(&old);
    free_phrase(&new);
    return ret;
}

/* The slots that @old opens, one of them (@only) or all (-1); 0 or -errno. */
static int match_slots(const QCryptoBlockIO *io, LuksHeader *h, int only,
                       const Phrase *old, bool *match, Error **errp)
{
    uint8_t *key = g_malloc(h->key_len);
    int ret = 0;

    for (int i = 0; ret >= 0 && i < LUKS_SLOTS; i++) {
        match[i] = false;
        if (only < 0 || only == i) {
            ret = load_slot(io, h, i, old, key, errp);
            match[i] = ret > 0;
        }
    }
    qcrypto_free_key(key, h->key_len);
    return MIN(ret, 0);
}

/* Which slots are to be erased? 0 or -errno. */
static int pick_erased(const QCryptoBlockIO *io, LuksHeader *h,
                       const QCryptoBlockAmendOptionsLUKS *o, bool force,
                       bool *erase, Error **errp)
{
    int only = o->has_keyslot ? o->keyslot : -1;
    Phrase old = { NULL };
    unsigned n = 0;
    int ret = 0;

    memset(erase, 0, LUKS_SLOTS * sizeof(*erase));
    if (o->has_old_secret) {
        ret = get_phrase(o->old_secret, &old, errp);
        if (ret == 0) {
            ret = match_slots(io, h, only, &old, erase, errp);
        }
        free_phrase(&old);
        if (ret < 0) {
            return ret;
        }
    }
    if (only >= 0) {
        if (o->has_old_secret && !erase[only]) {
            error_setg(errp, "Given keyslot %d doesn't contain the given old "
                       "password for erase operation", only);
            return -EINVAL;
        }
        if (!h->slots[only].active && !force) {
            error_setg(errp, "Given keyslot %d is already erased (inactive) ",
                       only);
            return -EINVAL;
        }
        erase[only] = true;
        if (h->slots[only].active && count_active(h) == 1 && !force) {
            error_setg(errp, "Attempt to erase the only active keyslot %d "
                       "which will erase all the data in the image "
                       "irreversibly - refusing operation", only);
            return -EINVAL;
        }
        return 0;
    }
    for (unsigned i = 0; i < LUKS_SLOTS; i++) {
        n += erase[i];
    }
    if (n == 0) {
        error_setg(errp, "No keyslots match given (old) password for erase "
                   "operation");
        return -EINVAL;
    }
    if (n == count_active(h) && !force) {
        error_setg(errp, "All the active keyslots match the (old) password "
                   "that was given and erasing them will erase all the data "
                   "in the image irreversibly - refusing operation");
        return -EINVAL;
    }
    return 0;
}

static int amend_erase(const QCryptoBlockIO *io,
                       const QCryptoBlockAmendOptionsLUKS *o, bool force,
                       LuksHeader *h, Error **errp)
{
    bool erase[LUKS_SLOTS];
    int ret;

    if (o->has_new_secret) {
        error_setg(errp, "'new-secret' must not be given when erasing "
                   "keyslots");
        return -EINVAL;
    }
    if (o->has_iter_time) {
        error_setg(errp, "'iter-time' must not be given when erasing "
                   "keyslots");
        return -EINVAL;
    }
    if (!o->has_keyslot && !o->has_old_secret) {
        error_setg(errp, "To erase keyslot(s), either explicit keyslot index "
                   "or the password currently contained in them must be "
                   "given");
        return -EINVAL;
    }
    ret = check_slot_number(o, errp);
    if (ret == 0) {
        ret = pick_erased(io, h, o, force, erase, errp);
    }
    for (unsigned i = 0; ret == 0 && i < LUKS_SLOTS; i++) {
        if (erase[i]) {
            ret = erase_slot(io, h, i, errp);
        }
    }
    return ret;
}

int luks_amend(const QCryptoBlockIO *io, const char *key_secret,
               const QCryptoBlockAmendOptionsLUKS *o, bool force,
               LuksHeader *h, Error **errp)
{
    return o->state == Q_CRYPTO_BLOCK_LUKS_KEYSLOT_STATE_ACTIVE
        ? amend_add(io, key_secret, o, force, h, errp)
        : amend_erase(io, o, force, h, errp);
}
