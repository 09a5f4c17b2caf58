/*
 * SPDX-License-Identifier: MIT
 *
 * The drivers null-co and null-aio.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"

static void test_length(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "null-co", NULL);

    g_assert_cmpint(blk_getlength(blk), ==, 1 * GiB);
    blk_unref(blk);

    blk = test_open(BDRV_O_RDWR, &error_abort, "driver", "null-aio",
                    "size", "64k", NULL);
    g_assert_cmpint(blk_getlength(blk), ==, 64 * KiB);
    blk_unref(blk);
}

static void test_read_zeroes(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "null-co", "read-zeroes", "on",
                                  NULL);
    int64_t pnum;

    g_assert_cmpint(test_write(blk, 0, 4096, 0x11), ==, 0);
    test_check(blk, 0, 4096, 0);
    g_assert_cmpint(bdrv_block_status(blk_bs(blk), 0, 1 * MiB, &pnum, NULL,
                                      NULL) & BDRV_BLOCK_ZERO, !=, 0);
    g_assert_cmpint(pnum, ==, 1 * MiB);
    blk_unref(blk);
}

static void test_buffer_untouched(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "null-co", NULL);
    uint8_t buf[512];

    memset(buf, 0x5a, sizeof(buf));
    g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(buf[0], ==, 0x5a);
    g_assert_cmpint(buf[511], ==, 0x5a);
    blk_unref(blk);
}

static void count_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    ++*(int *)opaque;
}

/* null-aio ends a request in a later iteration, null-co at once. */
static void test_asynchronous(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "null-aio", NULL);
    uint8_t buf[512] = { 0 };
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, sizeof(buf));
    int done = 0;
    int i;

    for (i = 0; i < 4; i++) {
        blk_aio_preadv(blk, i * 512, &qiov, 0, count_done, &done);
    }
    g_assert_cmpint(done, ==, 0);
    while (done < 4) {
        aio_poll(qemu_get_aio_context(), true);
    }
    blk_unref(blk);
}

static void coroutine_fn read_without_yield(void *opaque)
{
    BlockBackend *blk = opaque;
    uint8_t buf[512];
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, sizeof(buf));

    g_assert_cmpint(bdrv_co_preadv(blk_root(blk), 0, 512, &qiov, 0), ==, 0);
    g_assert_cmpint(bdrv_co_pwritev(blk_root(blk), 0, 512, &qiov, 0), ==, 0);
}

static void test_synchronous(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort, "driver",
                                  "null-co", "read-zeroes", "on", NULL);
    Coroutine *co = qemu_coroutine_create(read_without_yield, blk);

    /* If it yielded, nobody would enter it again before the node is gone. */
    qemu_coroutine_enter(co);
    g_assert_cmpint(atomic_read(&blk_bs(blk)->in_flight), ==, 0);
    blk_unref(blk);
}

static void test_latency(void)
{
    BlockBackend *blk = test_open(BDRV_O_RDWR, &error_abort,
                                  "driver", "null-co",
                                  "latency-ns", "1000000", NULL);
    uint8_t buf[512] = { 0 };
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, sizeof(buf));
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    int done = 0;

    blk_aio_preadv(blk, 0, &qiov, 0, count_done, &done);
    g_assert_cmpint(done, ==, 0);
    while (!done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start, >=,
                    1000000);
    blk_unref(blk);
}

static void test_bad_options(void)
{
    Error *err = NULL;

    g_assert_null(test_open(0, &err, "driver", "null-co", "latency-ns", "-1",
                            NULL));
    test_assert_error(err, "latency-ns is invalid");
    err = NULL;
    g_assert_null(test_open(0, &err, "driver", "null-co", "size", "-1",
                            NULL));
    test_assert_error(err, "Parameter 'size' expects a non-negative number "
                      "below 2^64");
    err = NULL;
    g_assert_null(blk_new_open("null-co://x", NULL, NULL, 0, &err));
    test_assert_error(err, "The only allowed filename for this driver is "
                      "'null-co://'");
}

static void test_filename(void)
{
    BlockBackend *blk = blk_new_open("null-aio://", NULL,
                                     test_options("driver", "null-aio", NULL),
                                     0, &error_abort);

    bdrv_refresh_filename(blk_bs(blk));
    g_assert_cmpstr(blk_bs(blk)->filename, ==, "null-aio://");
    blk_unref(blk);

    blk = test_open(0, &error_abort, "driver", "null-co", "size", "512",
                    NULL);
    bdrv_refresh_filename(blk_bs(blk));
    g_assert_true(g_str_has_prefix(blk_bs(blk)->filename, "json:"));
    blk_unref(blk);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    g_test_add_func("/null/length", test_length);
    g_test_add_func("/null/read-zeroes", test_read_zeroes);
    g_test_add_func("/null/buffer-untouched", test_buffer_untouched);
    g_test_add_func("/null/asynchronous", test_asynchronous);
    g_test_add_func("/null/synchronous", test_synchronous);
    g_test_add_func("/null/latency", test_latency);
    g_test_add_func("/null/bad-options", test_bad_options);
    g_test_add_func("/null/filename", test_filename);
    return g_test_run();
}
