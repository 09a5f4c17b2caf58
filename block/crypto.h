/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted images: options on command lines, for all formats that have
 * encryption.
 */
#ifndef BLOCK_CRYPTO_H
#define BLOCK_CRYPTO_H

#include "block/block_int.h"
#include "crypto/block.h"
#include "qemu/option.h"

/* Rows of tables of options; @prefix is "" or "encrypt.". */
#define BLOCK_CRYPTO_OPT(prefix, suffix, kind, text) \
    { .name = prefix suffix, .type = kind, .help = text }
#define BLOCK_CRYPTO_CREATE_OPTS(prefix, secret_text)                       \
    BLOCK_CRYPTO_OPT(prefix, "key-secret", QEMU_OPT_STRING, secret_text),   \
    BLOCK_CRYPTO_OPT(prefix, "cipher-alg", QEMU_OPT_STRING,                 \
                     "Name of encryption cipher algorithm"),                \
    BLOCK_CRYPTO_OPT(prefix, "cipher-mode", QEMU_OPT_STRING,                \
                     "Name of encryption cipher mode"),                     \
    BLOCK_CRYPTO_OPT(prefix, "ivgen-alg", QEMU_OPT_STRING,                  \
                     "Name of IV generator algorithm"),                     \
    BLOCK_CRYPTO_OPT(prefix, "ivgen-hash-alg", QEMU_OPT_STRING,             \
                     "Name of IV generator hash algorithm"),                \
    BLOCK_CRYPTO_OPT(prefix, "hash-alg", QEMU_OPT_STRING,                   \
                     "Name of encryption hash algorithm"),                  \
    BLOCK_CRYPTO_OPT(prefix, "iter-time", QEMU_OPT_NUMBER,                  \
                     "Time to spend in PBKDF in milliseconds")
#define BLOCK_CRYPTO_AMEND_OPTS(prefix)                                     \
    BLOCK_CRYPTO_OPT(prefix, "state", QEMU_OPT_STRING,                      \
                     "Select new state of affected keyslots "               \
                     "(active/inactive)"),                                  \
    BLOCK_CRYPTO_OPT(prefix, "keyslot", QEMU_OPT_NUMBER,                    \
                     "Select a single keyslot to modify explicitly"),       \
    BLOCK_CRYPTO_OPT(prefix, "old-secret", QEMU_OPT_STRING,                 \
                     "Select all keyslots that match this password"),       \
    BLOCK_CRYPTO_OPT(prefix, "new-secret", QEMU_OPT_STRING,                 \
                     "New secret to set in the matching keyslots. "         \
                     "Empty string to erase"),                              \
    BLOCK_CRYPTO_OPT(prefix, "iter-time", QEMU_OPT_NUMBER,                  \
                     "Time to spend in PBKDF in milliseconds")

/* Which of @opts are ours: those that start with @prefix.  @format is what the
 * schema calls it, "luks" or "qcow", or NULL for an error that says that it is
 * missing.  NULL with @errp. */
QCryptoBlockCreateOptions *
block_crypto_parse_create(const char *format, QemuOpts *opts,
                          const char *prefix, Error **errp);
QCryptoBlockAmendOptions *
block_crypto_parse_amend(const char *format, QemuOpts *opts,
                         const char *prefix, Error **errp);

/* A part of the header with keys; 0, or -errno with @errp. Writing flushes. */
int coroutine_fn block_crypto_co_read(BdrvChild *child, uint64_t offset,
                                      void *buf, size_t len, Error **errp);
int coroutine_fn block_crypto_co_write(BdrvChild *child, uint64_t offset,
                                       const void *buf, size_t len,
                                       Error **errp);

/* Write @bytes, whole sectors, encrypted at the offset @iv_offset, to @child
 * at @offset.  What is written passes through a buffer of limited size. */
int coroutine_fn block_crypto_co_pwritev(QCryptoBlock *block, BdrvChild *child,
                                         uint64_t iv_offset, int64_t offset,
                                         int64_t bytes, QEMUIOVector *qiov,
                                         size_t qiov_offset,
                                         BdrvRequestFlags flags);

#endif
