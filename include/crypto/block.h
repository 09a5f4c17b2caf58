/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted disks: the header with the keys, and the encryption of sectors.
 * Formats: LUKS version 1 ("LUKS On-Disk Format Specification", 1.2.3), and
 * what qcow2 calls AES.
 *
 * Functions that read or write the header do so through a QCryptoBlockIO.  In
 * a coroutine they leave what takes long, the derivation of keys, to worker
 * threads.  The same goes for qcrypto_block_co_*().
 */
#ifndef QCRYPTO_BLOCK_H
#define QCRYPTO_BLOCK_H

#include "qapi/qapi-types-crypto.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"

#define QCRYPTO_BLOCK_SECTOR    512

/* Where the header is: offsets from its start.  0, or -errno with @errp. */
typedef struct QCryptoBlockIO {
    int (*read)(void *opaque, uint64_t offset, void *buf, size_t len,
                Error **errp);
    int (*write)(void *opaque, uint64_t offset, const void *buf, size_t len,
                 Error **errp);
    /* Only when it is made: there shall be room for a header of @len bytes. */
    int (*init)(void *opaque, uint64_t len, Error **errp);
    void *opaque;
} QCryptoBlockIO;

typedef enum QCryptoBlockFlags {
    QCRYPTO_BLOCK_NO_IO = 1,    /* no data are going to be looked at: no key */
} QCryptoBlockFlags;

typedef struct QCryptoBlock QCryptoBlock;

/* Does a file that starts with the @len bytes at @buf have such a header? */
bool qcrypto_block_has_format(QCryptoBlockFormat format, const uint8_t *buf,
                              size_t len);

/*
 * Read the header and get the key, with the secret @key_secret (NULL: not
 * given).  @prefix is what precedes the names of options in messages.  NULL
 * with @errp.
 */
QCryptoBlock *qcrypto_block_open(QCryptoBlockFormat format,
                                 const char *key_secret, const char *prefix,
                                 const QCryptoBlockIO *io,
                                 QCryptoBlockFlags flags, Error **errp);

/* Make a new key and a header.  NULL with @errp. */
QCryptoBlock *qcrypto_block_create(const QCryptoBlockCreateOptions *options,
                                   const char *prefix,
                                   const QCryptoBlockIO *io, Error **errp);

/* Bytes of the header that qcrypto_block_create() would make.  False with
 * @errp if it can't. */
bool qcrypto_block_measure(const QCryptoBlockCreateOptions *options,
                           const char *prefix, uint64_t *header_len,
                           Error **errp);

/* Change key slots, one caller at a time. @force: also if nobody gets in
 * afterwards.  0, or -errno with @errp. */
int qcrypto_block_amend(QCryptoBlock *block, const QCryptoBlockIO *io,
                        const QCryptoBlockAmendOptions *options, bool force,
                        Error **errp);

void qcrypto_block_free(QCryptoBlock *block);

QCryptoBlockFormat qcrypto_block_format(const QCryptoBlock *block);
/* Where the data start, bytes. */
uint64_t qcrypto_block_payload_offset(const QCryptoBlock *block);
/* NULL if it has another format than LUKS. */
QCryptoBlockInfoLUKS *qcrypto_block_luks_info(QCryptoBlock *block);

/*
 * Sectors: @offset, which the vectors depend on, and @bytes are multiples of
 * QCRYPTO_BLOCK_SECTOR.  Decrypt in place; encrypt into @out.  Any number of
 * threads may do that at the same time.  0 or -EIO.
 */
int qcrypto_block_decrypt(QCryptoBlock *block, uint64_t offset,
                          QEMUIOVector *qiov, size_t qiov_offset,
                          size_t bytes);
int qcrypto_block_encrypt(QCryptoBlock *block, uint64_t offset,
                          QEMUIOVector *qiov, size_t qiov_offset,
                          void *out, size_t bytes);
/* The same; may yield. */
int coroutine_fn qcrypto_block_co_decrypt(QCryptoBlock *block, uint64_t offset,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset, size_t bytes);
int coroutine_fn qcrypto_block_co_encrypt(QCryptoBlock *block, uint64_t offset,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset, void *out,
                                          size_t bytes);

#endif /* QCRYPTO_BLOCK_H */
