/*
 * SPDX-License-Identifier: MIT
 *
 * Linux AIO and io_uring: data, ends of files, errors, many at once.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "block/raw-aio.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"

enum { BLOCK = 4096, NUM_BLOCKS = 300 };

typedef int coroutine_fn SubmitFn(int fd, uint64_t offset, QEMUIOVector *qiov,
                                  int type);

typedef struct Engine {
    const char *name;
    SubmitFn *submit;
    bool available;
    Error *err;
} Engine;

static AioContext *ctx;

#ifdef CONFIG_LINUX_AIO
static int coroutine_fn submit_laio(int fd, uint64_t offset,
                                    QEMUIOVector *qiov, int type)
{
    return laio_co_submit(fd, offset, qiov, type, 0);
}

static int coroutine_fn submit_laio_batch_of_3(int fd, uint64_t offset,
                                               QEMUIOVector *qiov, int type)
{
    return laio_co_submit(fd, offset, qiov, type, 3);
}
#endif

/* ---- One request ---- */

typedef struct Request {
    Engine *engine;
    int fd;
    uint64_t offset;
    int type;
    void *buf;
    size_t len;
    /* where the vector is cut in two; 0: not */
    size_t cut;
    int ret;
    int *left;
} Request;

static void coroutine_fn request_fn(void *opaque)
{
    Request *r = opaque;
    struct iovec iov[2] = {
        { .iov_base = r->buf, .iov_len = r->cut ?: r->len },
        { .iov_base = (char *)r->buf + r->cut, .iov_len = r->len - r->cut },
    };
    QEMUIOVector qiov;

    qemu_iovec_init_external(&qiov, iov, r->cut ? 2 : 1);
    r->ret = r->engine->submit(r->fd, r->offset,
                               r->type & QEMU_AIO_FLUSH ? NULL : &qiov,
                               r->type);
    --*r->left;
}

static void run_requests(Request *r, int n)
{
    int left = n;

    for (int i = 0; i < n; i++) {
        r[i].left = &left;
        qemu_coroutine_enter(qemu_coroutine_create(request_fn, &r[i]));
    }
    while (left) {
        aio_poll(ctx, true);
    }
}

static int run_one(Engine *e, int fd, int type, uint64_t offset, void *buf,
                   size_t len, size_t cut)
{
    Request r = {
        .engine = e, .fd = fd, .type = type, .offset = offset, .buf = buf,
        .len = len, .cut = cut,
    };

    run_requests(&r, 1);
    return r.ret;
}

/* ---- Tests ---- */

static int temp_file(void)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("test-io-engines-XXXXXX", &name, NULL);

    g_assert_cmpint(fd, >=, 0);
    unlink(name);
    return fd;
}

static void fill(char *buf, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        buf[i] = seed >> 16;
    }
}

static bool have(Engine *e)
{
    if (!e->available) {
        g_test_skip(error_get_pretty(e->err));
    }
    return e->available;
}

static void test_data(const void *opaque)
{
    Engine *e = (Engine *)opaque;
    g_autofree char *data = g_malloc(BLOCK * NUM_BLOCKS);
    g_autofree char *back = g_malloc0(BLOCK * NUM_BLOCKS);
    Request r[NUM_BLOCKS];
    int fd;

    if (!have(e)) {
        return;
    }
    fd = temp_file();
    fill(data, BLOCK * NUM_BLOCKS, 1);
    /* More at once than a batch, or the ring, takes. */
    for (int i = 0; i < NUM_BLOCKS; i++) {
        r[i] = (Request) {
            .engine = e, .fd = fd, .type = QEMU_AIO_WRITE,
            .offset = (uint64_t)i * BLOCK, .buf = data + i * BLOCK,
            .len = BLOCK, .cut = i % 2 ? 512 * (i % 7) : 0,
        };
    }
    run_requests(r, NUM_BLOCKS);
    g_assert_cmpint(pread(fd, back, BLOCK * NUM_BLOCKS, 0), ==,
                    BLOCK * NUM_BLOCKS);
    g_assert_cmpmem(data, BLOCK * NUM_BLOCKS, back, BLOCK * NUM_BLOCKS);

    memset(back, 0, BLOCK * NUM_BLOCKS);
    for (int i = 0; i < NUM_BLOCKS; i++) {
        g_assert_cmpint(r[i].ret, ==, 0);
        r[i].type = QEMU_AIO_READ;
        r[i].buf = back + i * BLOCK;
    }
    run_requests(r, NUM_BLOCKS);
    g_assert_cmpmem(data, BLOCK * NUM_BLOCKS, back, BLOCK * NUM_BLOCKS);
    for (int i = 0; i < NUM_BLOCKS; i++) {
        g_assert_cmpint(r[i].ret, ==, 0);
    }
    close(fd);
}

/* What lies beyond the end of a file reads as zeroes. */
static void test_eof(const void *opaque)
{
    Engine *e = (Engine *)opaque;
    char data[1000], back[4096], zero[4096] = { 0 };
    int fd;

    if (!have(e)) {
        return;
    }
    fd = temp_file();
    fill(data, sizeof(data), 2);
    g_assert_cmpint(pwrite(fd, data, sizeof(data), 0), ==, sizeof(data));

    memset(back, 0xaa, sizeof(back));
    g_assert_cmpint(run_one(e, fd, QEMU_AIO_READ, 0, back, 4096, 700), ==, 0);
    g_assert_cmpmem(back, 1000, data, 1000);
    g_assert_cmpmem(back + 1000, 3096, zero, 3096);

    memset(back, 0xaa, sizeof(back));
    g_assert_cmpint(run_one(e, fd, QEMU_AIO_READ, 8192, back, 4096, 0), ==, 0);
    g_assert_cmpmem(back, 4096, zero, 4096);
    close(fd);
}

static void test_errors(const void *opaque)
{
    Engine *e = (Engine *)opaque;
    char buf[512] = { 0 };
    int fd;

    if (!have(e)) {
        return;
    }
    g_assert_cmpint(run_one(e, -1, QEMU_AIO_READ, 0, buf, 512, 0), ==, -EBADF);
    fd = open("/dev/null", O_RDONLY);
    g_assert_cmpint(run_one(e, fd, QEMU_AIO_WRITE, 0, buf, 512, 0), ==,
                    -EBADF);
    close(fd);
    fd = open("/", O_RDONLY);
    g_assert_cmpint(run_one(e, fd, QEMU_AIO_READ, 0, buf, 512, 0), <, 0);
    close(fd);
}

static void test_flush(const void *opaque)
{
    Engine *e = (Engine *)opaque;
    int fd;

    if (!have(e)) {
        return;
    }
    fd = temp_file();
#ifdef CONFIG_LINUX_AIO
    if (e->submit == submit_laio && !laio_has_fdsync(fd)) {
        g_test_skip("this kernel has no asynchronous fdatasync");
        close(fd);
        return;
    }
#endif
    g_assert_cmpint(run_one(e, fd, QEMU_AIO_FLUSH, 0, NULL, 0, 0), ==, 0);
    close(fd);
}

/* A bad one among good ones hurts nobody else. */
static void test_mixed(const void *opaque)
{
    Engine *e = (Engine *)opaque;
    char buf[9][512];
    Request r[9];
    int fd;

    if (!have(e)) {
        return;
    }
    fd = temp_file();
    memset(buf, 0x5a, sizeof(buf));
    for (int i = 0; i < 9; i++) {
        r[i] = (Request) {
            .engine = e, .fd = i % 3 == 1 ? -1 : fd, .type = QEMU_AIO_WRITE,
            .offset = i * 512, .buf = buf[i], .len = 512,
        };
    }
    run_requests(r, 9);
    for (int i = 0; i < 9; i++) {
        g_assert_cmpint(r[i].ret, ==, i % 3 == 1 ? -EBADF : 0);
    }
    close(fd);
}

/* ---- Short requests ---- */

static void test_advance(void)
{
    char buf[100], zero[100] = { 0 };
    struct iovec iov[2] = {
        { .iov_base = buf, .iov_len = 60 },
        { .iov_base = buf + 60, .iov_len = 40 },
    };
    QEMUIOVector qiov;
    RawAIOProgress read = { .qiov = &qiov, .type = QEMU_AIO_READ };
    RawAIOProgress write = { .qiov = &qiov, .type = QEMU_AIO_WRITE };
    RawAIOProgress flush = { .type = QEMU_AIO_FLUSH };
    int ret;

    qemu_iovec_init_external(&qiov, iov, 2);
    memset(buf, 1, sizeof(buf));

    g_assert_false(raw_aio_advance(&read, 10, &ret));
    g_assert_cmpint(raw_aio_qiov(&read)->size, ==, 90);
    g_assert_true(raw_aio_qiov(&read)->iov[0].iov_base == buf + 10);
    g_assert_false(raw_aio_advance(&read, 60, &ret));
    g_assert_cmpint(raw_aio_qiov(&read)->niov, ==, 1);
    g_assert_true(raw_aio_qiov(&read)->iov[0].iov_base == buf + 70);
    g_assert_true(raw_aio_advance(&read, 0, &ret));
    g_assert_cmpint(ret, ==, 0);
    g_assert_cmpint(buf[69], ==, 1);
    g_assert_cmpmem(buf + 70, 30, zero, 30);

    g_assert_false(raw_aio_advance(&write, 99, &ret));
    g_assert_true(raw_aio_advance(&write, 0, &ret));
    g_assert_cmpint(ret, ==, -ENOSPC);

    g_assert_true(raw_aio_advance(&flush, 0, &ret));
    g_assert_cmpint(ret, ==, 0);
    flush.done = 0;
    g_assert_true(raw_aio_advance(&flush, -EIO, &ret));
    g_assert_cmpint(ret, ==, -EIO);
}

static void add_tests(Engine *e)
{
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {
        { "data", test_data },
        { "eof", test_eof },
        { "errors", test_errors },
        { "flush", test_flush },
        { "mixed", test_mixed },
    };

    for (int i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("/io-engines/%s/%s", e->name,
                                                tests[i].name);

        g_test_add_data_func(path, e, tests[i].func);
    }
}

int main(int argc, char **argv)
{
#ifdef CONFIG_LINUX_AIO
    Engine laio = { .name = "linux-aio", .submit = submit_laio };
    Engine laio3 = {
        .name = "linux-aio-batch", .submit = submit_laio_batch_of_3,
    };
#endif
#ifdef CONFIG_LINUX_IO_URING
    Engine luring = { .name = "io_uring", .submit = luring_co_submit };
#endif

    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    ctx = qemu_get_aio_context();
    g_test_add_func("/io-engines/advance", test_advance);
#ifdef CONFIG_LINUX_AIO
    laio.available = aio_setup_linux_aio(ctx, &laio.err) != NULL;
    laio3.available = laio.available;
    laio3.err = laio.err;
    add_tests(&laio);
    add_tests(&laio3);
#endif
#ifdef CONFIG_LINUX_IO_URING
    luring.available = aio_setup_linux_io_uring(ctx, &luring.err) != NULL;
    add_tests(&luring);
#endif
    return g_test_run();
}
