/*
 * SPDX-License-Identifier: MIT
 *
 * Requests from outside coroutines, in any thread that may wait, and drivers
 * that have only the hooks of the C API.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "iothread.h"
#include "qemu/main-loop.h"

static void check_all_forms(BlockDriverState *bs, BdrvChild *c)
{
    uint8_t b[512], zeroes[512] = { 0 };
    int64_t pnum, map;
    BlockDriverState *file;

    memset(b, 9, sizeof(b));
    g_assert_cmpint(bdrv_pwrite(c, 512, 512, b, 0), ==, 0);
    memset(b, 0, sizeof(b));
    g_assert_cmpint(bdrv_pread(c, 512, 512, b, 0), ==, 0);
    g_assert_cmpint(b[0], ==, 9);
    g_assert_cmpint(b[511], ==, 9);
    g_assert_cmpint(bdrv_flush(bs), ==, 0);
    g_assert_cmpint(bdrv_pwrite_sync(c, 0, 512, zeroes, 0), ==, 0);
    g_assert_cmpint(bdrv_is_allocated(bs, 0, 4096, &pnum), ==, 1);
    g_assert_cmpint(pnum, ==, 1024);
    g_assert_cmpint(bdrv_is_allocated_above(bs, NULL, false, 0, 4096, &pnum),
                    ==, 1);
    g_assert_cmpint(bdrv_block_status(bs, 512, 4096, &pnum, &map, &file), ==,
                    BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID |
                    BDRV_BLOCK_ALLOCATED);
    g_assert_cmpint(pnum, ==, 512);
    g_assert_cmpint(map, ==, 512);
    g_assert_true(file == bs);
    g_assert_cmpint(bdrv_pwrite_zeroes(c, 0, 1024, 0), ==, 0);
    g_assert_cmpint(bdrv_pread(c, 512, 512, b, 0), ==, 0);
    g_assert_cmpmem(b, 512, zeroes, 512);
    g_assert_cmpint(bdrv_pdiscard(c, 0, 1024), ==, 0);
    g_assert_cmpint(bdrv_is_allocated(bs, 0, 4096, &pnum), ==, 0);
    g_assert_cmpint(bdrv_truncate(c, 65536, false, PREALLOC_MODE_OFF, 0,
                                  &error_abort), ==, 0);
    g_assert_cmpint(bdrv_getlength(bs), ==, 65536);
}

static void test_main_thread(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    check_all_forms(bs, blk_root(blk));
    blk_unref(blk);
    bdrv_unref(bs);
}

static void coroutine_fn forms_in_coroutine(void *opaque)
{
    BlockBackend *blk = opaque;

    check_all_forms(blk_bs(blk), blk_root(blk));
}

static void test_coroutine(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    mem_run_co(forms_in_coroutine, blk);
    blk_unref(blk);
    bdrv_unref(bs);
}

static void forms_bh(void *opaque)
{
    BlockBackend *blk = opaque;

    check_all_forms(blk_bs(blk), blk_root(blk));
}

/* The node lives in an iothread: requests of the main thread, and of the
 * iothread itself outside coroutines. */
static void test_iothread(const void *opaque)
{
    bool inside = GPOINTER_TO_INT(opaque);
    IOThread *thread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(thread);
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    blk_set_aio_context(blk, ctx, &error_abort);
    if (inside) {
        aio_wait_bh_oneshot(ctx, forms_bh, blk);
        aio_context_acquire(ctx);
    } else {
        aio_context_acquire(ctx);
        check_all_forms(bs, blk_root(blk));
    }
    blk_set_aio_context(blk, qemu_get_aio_context(), &error_abort);
    aio_context_release(ctx);
    blk_unref(blk);
    bdrv_unref(bs);
    iothread_join(thread);
}

static void test_errors(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    BdrvChild *c = blk_root(blk);
    Error *err = NULL;
    char b[512] = { 0 };
    int64_t pnum;

    mem_state(bs)->fail = "rwzdft";
    g_assert_cmpint(bdrv_pread(c, 0, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite(c, 0, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite_sync(c, 0, 512, b, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pwrite_zeroes(c, 0, 512, 0), ==, -EIO);
    g_assert_cmpint(bdrv_pdiscard(c, 0, 512), ==, -EIO);
    g_assert_cmpint(bdrv_flush(bs), ==, -EIO);
    g_assert_cmpint(bdrv_truncate(c, 512, false, PREALLOC_MODE_OFF, 0, &err),
                    ==, -EIO);
    g_assert_nonnull(err);
    error_free(err);
    mem_state(bs)->fail = "s";
    g_assert_cmpint(bdrv_block_status(bs, 0, 512, &pnum, NULL, NULL), ==,
                    -EIO);
    g_assert_cmpint(bdrv_save_vmstate(bs, (uint8_t *)b, 0, 512), ==,
                    -ENOTSUP);
    g_assert_cmpint(bdrv_load_vmstate(bs, (uint8_t *)b, 0, 512), ==,
                    -ENOTSUP);
    g_assert_cmpint(bs->in_flight, ==, 0);
    blk_unref(blk);
    bdrv_unref(bs);
}

/* Only what is not zero already is zeroed. */
static void test_make_zero(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    g_autofree char *log = NULL;

    mem_fill(bs, 4096, 512, 1);
    mem_fill(bs, 65536, 1024, 1);
    g_assert_cmpint(bdrv_make_zero(blk_root(blk), 0), ==, 0);
    log = mem_log(bs);
    g_assert_nonnull(strstr(log, "z4096+512"));
    g_assert_nonnull(strstr(log, "z65536+1024"));
    g_assert_null(strstr(log, "z0+"));
    g_assert_null(strchr(log, 'w'));
    mem_check(blk, 0, MEM_LENGTH, 0);
    mem_state(bs)->fail = "z";
    g_assert_cmpint(bdrv_make_zero(blk_root(blk), 0), ==, -EIO);
    blk_unref(blk);
    bdrv_unref(bs);
}

/* ---- Drivers without the _part hooks ---- */

static int coroutine_fn plain_co_preadv(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        int flags)
{
    g_assert_cmpint(qiov->size, ==, bytes);
    qemu_iovec_memset(qiov, 0, offset / 512, bytes);
    return 0;
}

static int64_t plain_getlength(BlockDriverState *bs)
{
    return 65536;
}

static BlockDriver plain_driver = {
    .format_name = "test-plain",
    .bdrv_getlength = plain_getlength,
    .bdrv_co_preadv = plain_co_preadv,
};

static void test_plain_driver(void)
{
    BlockDriverState *bs = bdrv_new_open_driver(&plain_driver, "plain",
                                                BDRV_O_RDWR, &error_abort);
    BlockBackend *blk = mem_blk(bs);
    BdrvChild *c = blk_root(blk);
    Error *err = NULL;
    char b[512] = { 0 };

    mem_check(blk, 1024, 512, 2);
    g_assert_cmpint(bdrv_pwrite(c, 0, 512, b, 0), ==, -ENOTSUP);
    g_assert_cmpint(bdrv_pdiscard(c, 0, 512), ==, 0);
    g_assert_cmpint(bdrv_flush(bs), ==, 0);
    g_assert_cmpint(bdrv_truncate(c, 512, false, PREALLOC_MODE_OFF, 0, &err),
                    ==, -ENOTSUP);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Image format driver does not support resize");
    error_free(err);
    blk_unref(blk);
    bdrv_unref(bs);
}

/* Such a driver gets vectors that begin where the request does. */
static void test_plain_driver_parts(void)
{
    BlockDriverState *bs = bdrv_new_open_driver(&plain_driver, "plain",
                                                BDRV_O_RDWR, &error_abort);
    BlockBackend *blk = mem_blk(bs);
    uint8_t b[3 * 512];
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, b, sizeof(b));

    bs->bl.max_transfer = 512;
    g_assert_cmpint(mem_do_vector(blk, 'r', 2048, &qiov), ==, 0);
    g_assert_cmpint(b[0], ==, 4);
    g_assert_cmpint(b[511], ==, 4);
    g_assert_cmpint(b[512], ==, 5);
    g_assert_cmpint(b[1535], ==, 6);
    blk_unref(blk);
    bdrv_unref(bs);
}

/* ---- What blkdebug is told ---- */

static GString *events;

static void log_event(BlockDriverState *bs, BlkdebugEvent event)
{
    g_string_append_printf(events, "%s%s", events->len ? " " : "",
                           BlkdebugEvent_str(event));
}

static void expect_events(const char *expected)
{
    g_assert_cmpstr(events->str, ==, expected);
    g_string_truncate(events, 0);
}

static void test_events(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    mem_state(bs)->limits.request_alignment = 4096;
    bdrv_refresh_limits(bs, NULL, &error_abort);
    events = g_string_new(NULL);
    mem_format.bdrv_debug_event = log_event;
    mem_do(blk, 'w', 0, 4096, 1, 0);
    expect_events("pwritev pwritev_done");
    mem_do(blk, 'w', 100, 8000, 1, 0);
    expect_events("pwritev_rmw_head pwritev_rmw_after_head pwritev_rmw_tail "
                  "pwritev_rmw_after_tail pwritev pwritev_done");
    mem_do(blk, 'z', 0, 4096, 0, 0);
    expect_events("pwritev_zero pwritev_done");
    mem_do(blk, 'f', 0, 0, 0, 0);
    expect_events("flush_to_os flush_to_disk");
    mem_do(blk, 'f', 0, 0, 0, 0);
    expect_events("flush_to_os");
    mem_format.bdrv_debug_event = NULL;
    g_string_free(events, true);
    blk_unref(blk);
    bdrv_unref(bs);
}

static void release_and_drain(void *opaque)
{
    BlockDriverState *bs = opaque;

    mem_release(bs);
    bdrv_drained_begin(bs);
    bdrv_drained_end(bs);
}

/* What runs while a request is waited for, once that is done, drains. */
static void test_nested_drain(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);
    uint8_t buf[MEM_UNIT];

    mem_state(bs)->hold = "r";
    aio_bh_schedule_oneshot(qemu_get_aio_context(), release_and_drain, bs);
    g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf, 0), ==, 0);
    blk_unref(blk);
    bdrv_unref(bs);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/block-sync/main-thread", test_main_thread);
    g_test_add_func("/block-sync/coroutine", test_coroutine);
    g_test_add_data_func("/block-sync/iothread/from-outside",
                         GINT_TO_POINTER(false), test_iothread);
    g_test_add_data_func("/block-sync/iothread/from-inside",
                         GINT_TO_POINTER(true), test_iothread);
    g_test_add_func("/block-sync/errors", test_errors);
    g_test_add_func("/block-sync/make-zero", test_make_zero);
    g_test_add_func("/block-sync/plain-driver", test_plain_driver);
    g_test_add_func("/block-sync/plain-driver-parts",
                    test_plain_driver_parts);
    g_test_add_func("/block-sync/events", test_events);
    g_test_add_func("/block-sync/nested-drain", test_nested_drain);
    return g_test_run();
}
