/*
 * SPDX-License-Identifier: MIT
 *
 * I/O vectors.
 *
 * Invariant: qiov->size is the sum of the lengths of qiov->niov elements.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/iov.h"

/* ---- Plain arrays ---- */

size_t iov_size(const struct iovec *iov, unsigned iov_cnt)
{
    size_t size = 0;
    unsigned i;

    for (i = 0; i < iov_cnt; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

/* Calls @fn for each contiguous part of the range; @done is its offset in the
 * range. */
typedef void IovPartFn(void *part, size_t len, size_t done, void *opaque);

static size_t iov_walk(const struct iovec *iov, unsigned iov_cnt,
                       size_t offset, size_t bytes, IovPartFn *fn,
                       void *opaque)
{
    size_t done = 0;
    unsigned i;

    for (i = 0; i < iov_cnt && done < bytes; i++) {
        size_t len;

        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        len = MIN(iov[i].iov_len - offset, bytes - done);
        fn((char *)iov[i].iov_base + offset, len, done, opaque);
        done += len;
        offset = 0;
    }
    /* The range begins within the vector. */
    assert(offset == 0 || !bytes);
    return done;
}

static void part_from_buf(void *part, size_t len, size_t done, void *opaque)
{
    memcpy(part, (const char *)opaque + done, len);
}

static void part_to_buf(void *part, size_t len, size_t done, void *opaque)
{
    memcpy((char *)opaque + done, part, len);
}

static void part_memset(void *part, size_t len, size_t done, void *opaque)
{
    memset(part, *(int *)opaque, len);
}

size_t iov_from_buf(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                    const void *buf, size_t bytes)
{
    return iov_walk(iov, iov_cnt, offset, bytes, part_from_buf, (void *)buf);
}

size_t iov_to_buf(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                  void *buf, size_t bytes)
{
    return iov_walk(iov, iov_cnt, offset, bytes, part_to_buf, buf);
}

size_t iov_memset(const struct iovec *iov, unsigned iov_cnt, size_t offset,
                  int fillc, size_t bytes)
{
    return iov_walk(iov, iov_cnt, offset, bytes, part_memset, &fillc);
}

unsigned iov_copy(struct iovec *dst_iov, unsigned dst_iov_cnt,
                  const struct iovec *iov, unsigned iov_cnt,
                  size_t offset, size_t bytes)
{
    unsigned i, n = 0;

    for (i = 0; i < iov_cnt && n < dst_iov_cnt && bytes; i++) {
        size_t len;

        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        len = MIN(iov[i].iov_len - offset, bytes);
        dst_iov[n++] = (struct iovec) {
            .iov_base = (char *)iov[i].iov_base + offset,
            .iov_len = len,
        };
        bytes -= len;
        offset = 0;
    }
    return n;
}

size_t iov_discard_front(struct iovec **iov, unsigned *iov_cnt, size_t bytes)
{
    size_t total = 0;

    while (*iov_cnt && bytes) {
        size_t len = MIN((*iov)->iov_len, bytes);

        total += len;
        bytes -= len;
        if (len < (*iov)->iov_len) {
            (*iov)->iov_base = (char *)(*iov)->iov_base + len;
            (*iov)->iov_len -= len;
            break;
        }
        (*iov)++;
        (*iov_cnt)--;
    }
    return total;
}

size_t iov_discard_back(struct iovec *iov, unsigned *iov_cnt, size_t bytes)
{
    size_t total = 0;

    while (*iov_cnt && bytes) {
        struct iovec *last = &iov[*iov_cnt - 1];
        size_t len = MIN(last->iov_len, bytes);

        total += len;
        bytes -= len;
        last->iov_len -= len;
        if (last->iov_len) {
            break;
        }
        (*iov_cnt)--;
    }
    return total;
}

/* ---- QEMUIOVector ---- */

void qemu_iovec_init(QEMUIOVector *qiov, int alloc_hint)
{
    *qiov = (QEMUIOVector) {
        .iov = g_new(struct iovec, alloc_hint),
        .nalloc = alloc_hint,
    };
}

void qemu_iovec_init_external(QEMUIOVector *qiov, struct iovec *iov, int niov)
{
    *qiov = (QEMUIOVector) {
        .iov = iov,
        .niov = niov,
        .nalloc = -1,
        .size = iov_size(iov, niov),
    };
}

struct iovec *qemu_iovec_slice(QEMUIOVector *qiov, size_t offset, size_t len,
                               size_t *head, size_t *tail, int *niov)
{
    struct iovec *first = qiov->iov;
    struct iovec *iov;
    size_t end;

    assert(offset + len <= qiov->size);
    if (!len) {
        *head = *tail = *niov = 0;
        return first;
    }
    while (offset >= first->iov_len) {
        offset -= first->iov_len;
        first++;
    }
    *head = offset;
    end = offset + len;
    for (iov = first; end > iov->iov_len; iov++) {
        end -= iov->iov_len;
    }
    *tail = iov->iov_len - end;
    *niov = iov - first + 1;
    return first;
}

int qemu_iovec_subvec_niov(QEMUIOVector *qiov, size_t offset, size_t len)
{
    size_t head, tail;
    int niov;

    qemu_iovec_slice(qiov, offset, len, &head, &tail, &niov);
    return niov;
}

void qemu_iovec_init_slice(QEMUIOVector *qiov, QEMUIOVector *source,
                           size_t offset, size_t len)
{
    size_t head, tail;
    int niov;
    struct iovec *first = qemu_iovec_slice(source, offset, len, &head, &tail,
                                           &niov);

    if (niov == 1) {
        qemu_iovec_init_buf(qiov, (char *)first->iov_base + head, len);
    } else if (!head && !tail) {
        qemu_iovec_init_external(qiov, first, niov);
    } else {
        qemu_iovec_init(qiov, niov);
        qemu_iovec_concat_iov(qiov, first, niov, head, len);
    }
}

void qemu_iovec_add(QEMUIOVector *qiov, void *base, size_t len)
{
    assert(qiov->nalloc != -1);
    if (qiov->niov == qiov->nalloc) {
        qiov->nalloc = 2 * qiov->nalloc + 1;
        qiov->iov = g_renew(struct iovec, qiov->iov, qiov->nalloc);
    }
    qiov->iov[qiov->niov++] = (struct iovec) { base, len };
    qiov->size += len;
}

size_t qemu_iovec_concat_iov(QEMUIOVector *dst, struct iovec *src_iov,
                             unsigned src_cnt, size_t soffset, size_t sbytes)
{
    size_t before = dst->size;
    unsigned i;

    if (!sbytes) {
        return 0;
    }
    for (i = 0; i < src_cnt && sbytes; i++) {
        size_t len;

        if (soffset >= src_iov[i].iov_len) {
            soffset -= src_iov[i].iov_len;
            continue;
        }
        len = MIN(src_iov[i].iov_len - soffset, sbytes);
        qemu_iovec_add(dst, (char *)src_iov[i].iov_base + soffset, len);
        sbytes -= len;
        soffset = 0;
    }
    assert(soffset == 0);
    return dst->size - before;
}

void qemu_iovec_concat(QEMUIOVector *dst, QEMUIOVector *src, size_t soffset,
                       size_t sbytes)
{
    qemu_iovec_concat_iov(dst, src->iov, src->niov, soffset, sbytes);
}

static void part_is_zero(void *part, size_t len, size_t done, void *opaque)
{
    bool *zero = opaque;

    *zero = *zero && buffer_is_zero(part, len);
}

bool qemu_iovec_is_zero(QEMUIOVector *qiov, size_t offset, size_t bytes)
{
    bool zero = true;

    assert(offset + bytes <= qiov->size);
    iov_walk(qiov->iov, qiov->niov, offset, bytes, part_is_zero, &zero);
    return zero;
}

void qemu_iovec_destroy(QEMUIOVector *qiov)
{
    if (qiov->nalloc != -1) {
        g_free(qiov->iov);
    }
    memset(qiov, 0, sizeof(*qiov));
}

void qemu_iovec_reset(QEMUIOVector *qiov)
{
    assert(qiov->nalloc != -1);
    qiov->niov = 0;
    qiov->size = 0;
}

size_t qemu_iovec_to_buf(QEMUIOVector *qiov, size_t offset, void *buf,
                         size_t bytes)
{
    return iov_to_buf(qiov->iov, qiov->niov, offset, buf, bytes);
}

size_t qemu_iovec_from_buf(QEMUIOVector *qiov, size_t offset, const void *buf,
                           size_t bytes)
{
    return iov_from_buf(qiov->iov, qiov->niov, offset, buf, bytes);
}

size_t qemu_iovec_memset(QEMUIOVector *qiov, size_t offset, int fillc,
                         size_t bytes)
{
    return iov_memset(qiov->iov, qiov->niov, offset, fillc, bytes);
}

ssize_t qemu_iovec_compare(QEMUIOVector *a, QEMUIOVector *b)
{
    size_t done = 0, ai = 0, bi = 0, aoff = 0, boff = 0;

    assert(a->niov == b->niov);
    while (ai < a->niov && bi < b->niov) {
        const char *p = (char *)a->iov[ai].iov_base + aoff;
        const char *q = (char *)b->iov[bi].iov_base + boff;
        size_t i, len = MIN(a->iov[ai].iov_len - aoff,
                            b->iov[bi].iov_len - boff);

        if (memcmp(p, q, len)) {
            for (i = 0; p[i] == q[i]; i++) {
                /* find the place */
            }
            return done + i;
        }
        done += len;
        aoff += len;
        boff += len;
        if (aoff == a->iov[ai].iov_len) {
            ai++;
            aoff = 0;
        }
        if (boff == b->iov[bi].iov_len) {
            bi++;
            boff = 0;
        }
    }
    return -1;
}

void qemu_iovec_clone(QEMUIOVector *dest, const QEMUIOVector *src, void *buf)
{
    char *p = buf;
    int i;

    for (i = 0; i < src->niov; i++) {
        qemu_iovec_add(dest, p, src->iov[i].iov_len);
        p += src->iov[i].iov_len;
    }
}

void qemu_iovec_discard_back(QEMUIOVector *qiov, size_t bytes)
{
    unsigned niov = qiov->niov;
    size_t total = iov_discard_back(qiov->iov, &niov, bytes);

    assert(total == bytes);
    qiov->niov = niov;
    qiov->size -= bytes;
}
