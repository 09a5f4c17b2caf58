/*
 * SPDX-License-Identifier: MIT
 *
 * I/O vectors: each operation next to the same one on a flat buffer.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"

#define ROUNDS 500

/* A vector over random pieces of one allocation each, some of them empty. */
typedef struct Scattered {
    struct iovec *iov;
    unsigned cnt;
    size_t size;
} Scattered;

static void scattered_init(Scattered *s)
{
    unsigned i;

    s->cnt = g_test_rand_int_range(1, 9);
    s->iov = g_new(struct iovec, s->cnt);
    s->size = 0;
    for (i = 0; i < s->cnt; i++) {
        size_t len = g_test_rand_int_range(0, 3)
            ? g_test_rand_int_range(1, 40) : 0;

        s->iov[i].iov_base = g_malloc0(MAX(len, 1));
        s->iov[i].iov_len = len;
        s->size += len;
    }
}

static void scattered_destroy(Scattered *s)
{
    while (s->cnt--) {
        g_free(s->iov[s->cnt].iov_base);
    }
    g_free(s->iov);
}

static void fill(uint8_t *buf, size_t len)
{
    while (len--) {
        buf[len] = g_test_rand_int();
    }
}

static void rand_part(size_t size, size_t *offset, size_t *bytes)
{
    *offset = g_test_rand_int_range(0, size + 1);
    *bytes = g_test_rand_int_range(0, size - *offset + 1);
}

static void scatter(Scattered *s, uint8_t *flat)
{
    fill(flat, s->size);
    g_assert_cmpuint(iov_from_buf(s->iov, s->cnt, 0, flat, s->size), ==,
                     s->size);
}

static void assert_holds(const struct iovec *iov, unsigned cnt,
                         const uint8_t *flat, size_t size)
{
    uint8_t got[1024];

    g_assert_cmpuint(iov_size(iov, cnt), ==, size);
    g_assert_cmpuint(iov_to_buf(iov, cnt, 0, got, size), ==, size);
    g_assert_cmpmem(got, size, flat, size);
}

static void copy_parts(Scattered *s, uint8_t *flat)
{
    size_t offset, bytes;
    uint8_t part[1024];

    rand_part(s->size, &offset, &bytes);
    fill(part, bytes);
    memcpy(flat + offset, part, bytes);
    g_assert_cmpuint(iov_from_buf(s->iov, s->cnt, offset, part, bytes), ==,
                     bytes);
    assert_holds(s->iov, s->cnt, flat, s->size);

    rand_part(s->size, &offset, &bytes);
    g_assert_cmpuint(iov_to_buf(s->iov, s->cnt, offset, part, bytes), ==,
                     bytes);
    g_assert_cmpmem(part, bytes, flat + offset, bytes);

    rand_part(s->size, &offset, &bytes);
    memset(flat + offset, 0x5a, bytes);
    g_assert_cmpuint(iov_memset(s->iov, s->cnt, offset, 0x5a, bytes), ==,
                     bytes);
    assert_holds(s->iov, s->cnt, flat, s->size);
}

/* What is beyond the end is left out. */
static void copy_beyond(Scattered *s, uint8_t *flat)
{
    uint8_t part[1024];
    size_t offset = g_test_rand_int_range(0, s->size + 1);

    g_assert_cmpuint(iov_to_buf(s->iov, s->cnt, offset, part, sizeof(part)),
                     ==, s->size - offset);
    g_assert_cmpmem(part, s->size - offset, flat + offset, s->size - offset);
}

static void take_part(Scattered *s, uint8_t *flat)
{
    struct iovec part[16];
    size_t offset, bytes;
    unsigned n;

    rand_part(s->size, &offset, &bytes);
    n = iov_copy(part, ARRAY_SIZE(part), s->iov, s->cnt, offset, bytes);
    g_assert_cmpuint(n, <=, s->cnt);
    assert_holds(part, n, flat + offset, bytes);
}

static void drop_ends(Scattered *s, uint8_t *flat)
{
    struct iovec copy[16], *iov = copy;
    size_t front, back;
    unsigned cnt = s->cnt;

    memcpy(copy, s->iov, cnt * sizeof(*iov));
    rand_part(s->size, &front, &back);
    g_assert_cmpuint(iov_discard_front(&iov, &cnt, front), ==, front);
    g_assert_cmpuint(iov_discard_back(iov, &cnt, back), ==, back);
    assert_holds(iov, cnt, flat + front, s->size - front - back);
    g_assert_cmpuint(iov_discard_front(&iov, &cnt, 5000), ==,
                     s->size - front - back);
    g_assert_cmpuint(cnt, ==, 0);
}

static void test_arrays(void)
{
    uint8_t flat[1024];
    Scattered s;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        scattered_init(&s);
        scatter(&s, flat);
        copy_parts(&s, flat);
        copy_beyond(&s, flat);
        take_part(&s, flat);
        drop_ends(&s, flat);
        scattered_destroy(&s);
    }
}

/* ---- QEMUIOVector ---- */

static void slice(QEMUIOVector *qiov, uint8_t *flat)
{
    size_t offset, bytes, head, tail;
    struct iovec *iov;
    QEMUIOVector part;
    int niov;

    rand_part(qiov->size, &offset, &bytes);
    qemu_iovec_init_slice(&part, qiov, offset, bytes);
    assert_holds(part.iov, part.niov, flat + offset, bytes);
    g_assert_cmpuint(part.size, ==, bytes);
    qemu_iovec_destroy(&part);

    qemu_iovec_init(&part, 1);
    qemu_iovec_concat(&part, qiov, offset, bytes);
    qemu_iovec_add(&part, flat, 3);
    g_assert_cmpuint(part.size, ==, bytes + 3);
    g_assert_cmpuint(iov_size(part.iov, part.niov), ==, bytes + 3);
    qemu_iovec_discard_back(&part, 3);
    assert_holds(part.iov, part.niov, flat + offset, bytes);
    qemu_iovec_reset(&part);
    g_assert_cmpuint(part.size, ==, 0);
    g_assert_cmpint(part.niov, ==, 0);
    qemu_iovec_destroy(&part);

    if (bytes) {
        iov = qemu_iovec_slice(qiov, offset, bytes, &head, &tail, &niov);
        g_assert_cmpuint(iov_size(iov, niov), ==, head + bytes + tail);
        g_assert_cmpint(qemu_iovec_subvec_niov(qiov, offset, bytes), ==, niov);
        g_assert_cmpuint(head, <, iov[0].iov_len);
        g_assert_cmpuint(tail, <, iov[niov - 1].iov_len);
    }
}

static void compare(QEMUIOVector *qiov, uint8_t *flat)
{
    QEMUIOVector twin;
    uint8_t buf[1024], byte;
    size_t at;

    qemu_iovec_init(&twin, qiov->niov);
    qemu_iovec_clone(&twin, qiov, buf);
    g_assert_cmpint(twin.niov, ==, qiov->niov);
    qemu_iovec_from_buf(&twin, 0, flat, qiov->size);
    g_assert_cmpint(qemu_iovec_compare(qiov, &twin), ==, -1);
    at = g_test_rand_int_range(0, qiov->size);
    byte = ~flat[at];
    qemu_iovec_from_buf(&twin, at, &byte, 1);
    g_assert_cmpint(qemu_iovec_compare(qiov, &twin), ==, at);
    qemu_iovec_destroy(&twin);
}

static void zeroes(QEMUIOVector *qiov)
{
    size_t offset, bytes;
    uint8_t one = 1;

    qemu_iovec_memset(qiov, 0, 1, qiov->size);
    rand_part(qiov->size, &offset, &bytes);
    qemu_iovec_memset(qiov, offset, 0, bytes);
    g_assert_true(qemu_iovec_is_zero(qiov, offset, bytes));
    g_assert_cmpint(qemu_iovec_is_zero(qiov, 0, qiov->size), ==,
                    bytes == qiov->size);
    if (bytes) {
        qemu_iovec_from_buf(qiov, offset + bytes - 1, &one, 1);
        g_assert_false(qemu_iovec_is_zero(qiov, offset, bytes));
    }
}

static void test_vectors(void)
{
    uint8_t flat[1024];
    QEMUIOVector qiov;
    Scattered s;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        scattered_init(&s);
        scatter(&s, flat);
        qemu_iovec_init_external(&qiov, s.iov, s.cnt);
        g_assert_cmpuint(qiov.size, ==, s.size);
        g_assert_true(qiov.iov == s.iov);
        slice(&qiov, flat);
        if (s.size) {
            compare(&qiov, flat);
            zeroes(&qiov);
        }
        scattered_destroy(&s);
    }
}

/* One buffer needs no array of its own. */
static void test_one_buffer(void)
{
    uint8_t buf[100] = { 0 }, got[10];
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, 100), part;

    qemu_iovec_memset(&qiov, 10, 7, 5);
    g_assert_cmpint(buf[9] + buf[10] + buf[14] + buf[15], ==, 14);
    g_assert_true(qemu_iovec_buf(&qiov) == buf);
    qemu_iovec_init_slice(&part, &qiov, 12, 10);
    g_assert_true(qemu_iovec_buf(&part) == buf + 12);
    g_assert_cmpuint(qemu_iovec_to_buf(&part, 0, got, 10), ==, 10);
    g_assert_cmpmem(got, 10, buf + 12, 10);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iov/arrays", test_arrays);
    g_test_add_func("/iov/vectors", test_vectors);
    g_test_add_func("/iov/one-buffer", test_one_buffer);
    return g_test_run();
}
