/*
 * SPDX-License-Identifier: MIT
 *
 * I/O vectors.  A QEMUIOVector with one buffer needs no allocation.
 */
#ifndef QEMU_IOV_H
#define QEMU_IOV_H

#include "qemu/osdep.h"

/* ---- Plain arrays of struct iovec ---- */

size_t iov_size(const struct iovec *iov, unsigned iov_cnt);
/* Copy between @buf and the vector from @offset on; returns how much. */
size_t iov_from_buf(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                    const void *buf, size_t bytes);
size_t iov_to_buf(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                  void *buf, size_t bytes);
size_t iov_memset(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                  int fillc, size_t bytes);
/* A part of the vector as vector; returns the number of elements. */
unsigned iov_copy(struct iovec *dst_iov, unsigned dst_iov_cnt,
                  const struct iovec *iov, unsigned iov_cnt,
                  size_t offset, size_t bytes);
size_t iov_discard_front(struct iovec **iov, unsigned *iov_cnt, size_t bytes);
size_t iov_discard_back(struct iovec *iov, unsigned *iov_cnt, size_t bytes);

/* ---- QEMUIOVector ---- */

struct QEMUIOVector {
    struct iovec *iov;
    int niov;
    int nalloc;             /* -1: iov is not ours */
    size_t size;            /* sum of the lengths */
    struct iovec local_iov; /* for one buffer */
};

#define QEMU_IOVEC_INIT_BUF(self, buf, len)             \
    {                                                   \
        .iov = &(self).local_iov,                       \
        .niov = 1,                                      \
        .nalloc = -1,                                   \
        .size = (len),                                  \
        .local_iov = {                                  \
            .iov_base = (void *)(buf),                  \
            .iov_len = (len),                           \
        },                                              \
    }

static inline void qemu_iovec_init_buf(QEMUIOVector *qiov, void *buf,
                                       size_t len)
{
    *qiov = (QEMUIOVector) QEMU_IOVEC_INIT_BUF(*qiov, buf, len);
}

static inline void *qemu_iovec_buf(QEMUIOVector *qiov)
{
    assert(qiov->niov == 1);
    return qiov->iov[0].iov_base;
}

void qemu_iovec_init(QEMUIOVector *qiov, int alloc_hint);
void qemu_iovec_init_external(QEMUIOVector *qiov, struct iovec *iov, int niov);
/* [offset, offset + len) of @source, whose array is used where possible. */
void qemu_iovec_init_slice(QEMUIOVector *qiov, QEMUIOVector *source,
                           size_t offset, size_t len);
void qemu_iovec_add(QEMUIOVector *qiov, void *base, size_t len);
void qemu_iovec_concat(QEMUIOVector *dst, QEMUIOVector *src, size_t soffset,
                       size_t sbytes);
size_t qemu_iovec_concat_iov(QEMUIOVector *dst, struct iovec *src_iov,
                             unsigned src_cnt, size_t soffset, size_t sbytes);
bool qemu_iovec_is_zero(QEMUIOVector *qiov, size_t offset, size_t bytes);
void qemu_iovec_destroy(QEMUIOVector *qiov);
void qemu_iovec_reset(QEMUIOVector *qiov);
size_t qemu_iovec_to_buf(QEMUIOVector *qiov, size_t offset, void *buf,
                         size_t bytes);
size_t qemu_iovec_from_buf(QEMUIOVector *qiov, size_t offset, const void *buf,
                           size_t bytes);
size_t qemu_iovec_memset(QEMUIOVector *qiov, size_t offset, int fillc,
                         size_t bytes);
/* Offset of the first difference, -1 if there is none. */
ssize_t qemu_iovec_compare(QEMUIOVector *a, QEMUIOVector *b);
/* The same layout in buffer @buf. */
void qemu_iovec_clone(QEMUIOVector *dest, const QEMUIOVector *src, void *buf);
void qemu_iovec_discard_back(QEMUIOVector *qiov, size_t bytes);
/* The elements that [offset, offset + len) touches: first one, number; *head
 * and *tail bytes of them are outside. */
struct iovec *qemu_iovec_slice(QEMUIOVector *qiov, size_t offset, size_t len,
                               size_t *head, size_t *tail, int *niov);
int qemu_iovec_subvec_niov(QEMUIOVector *qiov, size_t offset, size_t len);

#endif
