/*
 * SPDX-License-Identifier: MIT
 *
 * The filter preallocate: what is reserved and when it is given back, that
 * users see the used length and their data, also where the file refuses.
 */
#include "qemu/osdep.h"
#include <sys/stat.h>
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"

#define STEP    (64 * KiB)
/* A write up to @end makes the file this long. */
#define RESERVED(end) ROUND_UP((end) + MiB, STEP)

typedef struct Fixture {
    char *path;
    BlockBackend *blk;
} Fixture;

static int64_t file_size(const Fixture *f)
{
    struct stat st;

    g_assert_cmpint(stat(f->path, &st), ==, 0);
    return st.st_size;
}

static void open_again(Fixture *f, int flags)
{
    f->blk = test_open(flags, &error_abort, "driver", "preallocate",
                       "node-name", "filter", "prealloc-align", "64k",
                       "prealloc-size", "1M", "file.driver", "file",
                       "file.filename", f->path, NULL);
    blk_set_allow_write_beyond_eof(f->blk, true);
}

static void setup(Fixture *f, int64_t size)
{
    f->path = test_new_file(size);
    open_again(f, BDRV_O_RDWR | BDRV_O_RESIZE);
}

static void teardown(Fixture *f)
{
    blk_unref(f->blk);
    test_remove_file(f->path);
}

static void reserve_and_give_back(void)
{
    struct stat st;
    Fixture f;

    setup(&f, 1000);
    g_assert_cmpint(file_size(&f), ==, 1000);
    g_assert_cmpint(test_write(f.blk, 0, 512, 1), ==, 0);
    g_assert_cmpint(file_size(&f), ==, 1000);

    g_assert_cmpint(test_write(f.blk, 8192, 4096, 2), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(12288));
    g_assert_cmpint(stat(f.path, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, >=, MiB);
    g_assert_cmpint(blk_getlength(f.blk), ==, 12288);
    /* Within what is reserved. */
    g_assert_cmpint(test_write(f.blk, MiB, 512, 3), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(12288));
    g_assert_cmpint(blk_getlength(f.blk), ==, MiB + 512);
    /* Over its end. */
    g_assert_cmpint(test_write(f.blk, 2 * MiB - 512, 1024, 4), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(2 * MiB + 512));

    blk_unref(f.blk);
    g_assert_cmpint(file_size(&f), ==, 2 * MiB + 512);
    open_again(&f, 0);
    test_check(f.blk, 0, 512, 1);
    test_check(f.blk, 512, 8192 - 512, 0);
    test_check(f.blk, 8192, 4096, 2);
    test_check(f.blk, 12288, MiB - 12288, 0);
    test_check(f.blk, MiB, 512, 3);
    test_check(f.blk, 2 * MiB - 512, 1024, 4);
    g_assert_cmpint(file_size(&f), ==, 2 * MiB + 512);
    teardown(&f);
}

static void zeroes(void)
{
    Fixture f;

    setup(&f, STEP);
    /* Old data are zeroed, new space has nothing else. */
    g_assert_cmpint(test_write(f.blk, 0, STEP, 7), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, STEP - 512, 1024, 0), ==, 0);
    g_assert_cmpint(blk_getlength(f.blk), ==, STEP + 512);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 2 * STEP, STEP, 0), ==, 0);
    g_assert_cmpint(blk_getlength(f.blk), ==, 3 * STEP);
    /* Between the zeroes, then zeroes where data are. */
    g_assert_cmpint(test_write(f.blk, 2 * STEP + 512, 512, 8), ==, 0);
    g_assert_cmpint(test_write(f.blk, 3 * STEP, STEP, 9), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 3 * STEP + 512, 512, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 4 * STEP, STEP, BDRV_REQ_FUA),
                    ==, 0);
    blk_unref(f.blk);
    g_assert_cmpint(file_size(&f), ==, 5 * STEP);
    open_again(&f, 0);
    test_check(f.blk, STEP - 512, STEP + 512, 0);
    test_check(f.blk, 2 * STEP, 512, 0);
    test_check(f.blk, 2 * STEP + 512, 512, 8);
    test_check(f.blk, 2 * STEP + 1024, STEP - 1024, 0);
    test_check(f.blk, 3 * STEP, 512, 9);
    test_check(f.blk, 3 * STEP + 512, 512, 0);
    test_check(f.blk, 3 * STEP + 1024, STEP - 1024, 9);
    test_check(f.blk, 4 * STEP, STEP, 0);
    teardown(&f);
}

static void truncate_to(Fixture *f, int64_t length, PreallocMode mode)
{
    g_assert_cmpint(blk_truncate(f->blk, length, true, mode, 0, &error_abort),
                    ==, 0);
    g_assert_cmpint(blk_getlength(f->blk), ==, length);
}

static void change_length(void)
{
    Fixture f;

    setup(&f, 0);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    /* Growing takes what is reserved. */
    truncate_to(&f, 2 * STEP, PREALLOC_MODE_OFF);
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP));
    truncate_to(&f, 3 * STEP, PREALLOC_MODE_FALLOC);
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP));
    test_check(f.blk, STEP, 2 * STEP, 0);
    /* Shrinking forgets the data, also if it grows again. */
    g_assert_cmpint(test_write(f.blk, STEP, 2 * STEP, 2), ==, 0);
    truncate_to(&f, STEP, PREALLOC_MODE_OFF);
    g_assert_cmpint(file_size(&f), ==, STEP);
    truncate_to(&f, 3 * STEP, PREALLOC_MODE_OFF);
    test_check(f.blk, STEP, 2 * STEP, 0);
    /* Farther than what is reserved, and with data. */
    g_assert_cmpint(test_write(f.blk, 3 * STEP, 512, 3), ==, 0);
    truncate_to(&f, 4 * MiB, PREALLOC_MODE_OFF);
    g_assert_cmpint(file_size(&f), ==, 4 * MiB);
    g_assert_cmpint(test_write(f.blk, 4 * MiB, 512, 4), ==, 0);
    truncate_to(&f, 4 * MiB + STEP, PREALLOC_MODE_FULL);
    g_assert_cmpint(file_size(&f), ==, 4 * MiB + STEP);
    test_check(f.blk, 3 * STEP, 512, 3);
    test_check(f.blk, 4 * MiB, 512, 4);
    test_check(f.blk, 4 * MiB + 512, STEP - 512, 0);
    teardown(&f);
}

static const uint64_t grow = BLK_PERM_WRITE | BLK_PERM_RESIZE;

static void set_perm(Fixture *f, uint64_t perm)
{
    g_assert_cmpint(blk_set_perm(f->blk, perm, BLK_PERM_ALL, &error_abort), ==,
                    0);
}

/* Nobody can use the space any more. */
static void permissions(void)
{
    BlockDriverState *bs;
    Fixture f;

    setup(&f, 0);
    bs = blk_bs(f.blk);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    g_assert_cmpint(bs->file->perm & grow, ==, grow);
    g_assert_cmpint(bs->file->shared_perm & grow, ==, 0);
    set_perm(&f, BLK_PERM_CONSISTENT_READ);
    g_assert_cmpint(bs->file->perm & grow, ==, 0);
    g_assert_cmpint(bs->file->shared_perm & grow, ==, grow);
    g_assert_cmpint(file_size(&f), ==, STEP);
    g_assert_cmpint(blk_getlength(f.blk), ==, STEP);

    set_perm(&f, grow);
    g_assert_cmpint(test_write(f.blk, STEP, STEP, 2), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(2 * STEP));
    /* A user that can write, but not make it longer. */
    set_perm(&f, BLK_PERM_WRITE);
    g_assert_cmpint(file_size(&f), ==, 2 * STEP);
    g_assert_cmpint(test_write(f.blk, 0, 2 * STEP, 3), ==, 0);
    g_assert_cmpint(file_size(&f), ==, 2 * STEP);
    teardown(&f);
}

static void coroutine_fn drop_perm(void *opaque)
{
    set_perm(opaque, 0);
}

static void coroutine_fn drop_and_take_perm(void *opaque)
{
    set_perm(opaque, 0);
    set_perm(opaque, grow);
}

/* There it is done a bit later, or not at all if it is of use again. */
static void permissions_in_coroutine(void)
{
    BlockDriverState *bs;
    Fixture f;

    setup(&f, 0);
    bs = blk_bs(f.blk);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    test_run_co(drop_and_take_perm, &f);
    while (aio_poll(qemu_get_aio_context(), false)) {
    }
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP));

    test_run_co(drop_perm, &f);
    while (bs->file->perm & grow) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(file_size(&f), ==, STEP);
    g_assert_cmpint(bs->file->shared_perm & grow, ==, grow);
    teardown(&f);
}

static void reopen(void)
{
    QDict *options;
    BlockDriverState *bs;
    Fixture f;

    setup(&f, 0);
    bs = blk_bs(f.blk);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP));
    options = test_options("prealloc-align", "512", "prealloc-size", "0",
                           NULL);
    g_assert_cmpint(bdrv_reopen(bs, options, true, &error_abort), ==, 0);
    g_assert_cmpint(test_write(f.blk, RESERVED(STEP), 1000, 2), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP) + 1024);
    set_perm(&f, 0);
    g_assert_cmpint(bdrv_reopen_set_read_only(bs, true, &error_abort), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP) + 1000);
    teardown(&f);
}

static void refused_reopen(void)
{
    Error *err = NULL;
    Fixture f;

    setup(&f, 0);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    g_assert_cmpint(bdrv_reopen(blk_bs(f.blk),
                                test_options("prealloc-align", "1000", NULL),
                                true, &err), <, 0);
    test_assert_error(err, "prealloc-align parameter of preallocate filter is "
                      "not aligned to 512");
    g_assert_cmpint(file_size(&f), ==, RESERVED(STEP));
    g_assert_cmpint(test_write(f.blk, 4 * MiB, 512, 1), ==, 0);
    g_assert_cmpint(file_size(&f), ==, RESERVED(4 * MiB + 512));
    teardown(&f);
}

/* The file can't reserve space: writes go on as if there were no filter. */
static void not_supported(void)
{
    Fixture f = { .path = test_new_file(0) };

    f.blk = test_open(BDRV_O_RDWR | BDRV_O_RESIZE, &error_abort,
                      "driver", "preallocate", "file.driver", "blkdebug",
                      "file.image.driver", "file",
                      "file.image.filename", f.path,
                      "file.inject-error.0.event", "none",
                      "file.inject-error.0.iotype", "write-zeroes",
                      "file.inject-error.0.errno", "95", NULL);
    blk_set_allow_write_beyond_eof(f.blk, true);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    g_assert_cmpint(file_size(&f), ==, STEP);
    g_assert_cmpint(test_write(f.blk, 3 * STEP, STEP, 2), ==, 0);
    g_assert_cmpint(file_size(&f), ==, 4 * STEP);
    g_assert_cmpint(blk_getlength(f.blk), ==, 4 * STEP);
    test_check(f.blk, STEP, 2 * STEP, 0);
    truncate_to(&f, 5 * STEP, PREALLOC_MODE_OFF);
    g_assert_cmpint(file_size(&f), ==, 5 * STEP);
    blk_unref(f.blk);
    g_assert_cmpint(file_size(&f), ==, 5 * STEP);
    test_remove_file(f.path);
}

static void too_large(void)
{
    Fixture f = { .path = test_new_file(0) };

    f.blk = test_open(BDRV_O_RDWR | BDRV_O_RESIZE, &error_abort,
                      "driver", "preallocate",
                      "prealloc-size", "18446744073709551615",
                      "file.driver", "file", "file.filename", f.path, NULL);
    blk_set_allow_write_beyond_eof(f.blk, true);
    g_assert_cmpint(test_write(f.blk, 0, STEP, 1), ==, 0);
    g_assert_cmpint(file_size(&f), ==, STEP);
    teardown(&f);
}

#define PARALLEL 32

typedef struct Parallel {
    uint8_t buf[STEP];
    QEMUIOVector qiov;
    int ret;
} Parallel;

static void parallel_done(void *opaque, int ret)
{
    ((Parallel *)opaque)->ret = ret;
}

/* Many writes that extend the file at the same time. */
static void parallel(void)
{
    g_autofree Parallel *p = g_new(Parallel, PARALLEL);
    Fixture f;
    int i;

    setup(&f, 0);
    for (i = 0; i < PARALLEL; i++) {
        int at = i * 7 % PARALLEL;

        memset(p[i].buf, at + 1, STEP);
        qemu_iovec_init_buf(&p[i].qiov, p[i].buf, STEP);
        p[i].ret = -EINPROGRESS;
        blk_aio_pwritev(f.blk, at * STEP, &p[i].qiov, 0, parallel_done, &p[i]);
    }
    for (i = 0; i < PARALLEL; i++) {
        while (p[i].ret == -EINPROGRESS) {
            aio_poll(qemu_get_aio_context(), true);
        }
        g_assert_cmpint(p[i].ret, ==, 0);
    }
    blk_unref(f.blk);
    g_assert_cmpint(file_size(&f), ==, PARALLEL * STEP);
    open_again(&f, 0);
    for (i = 0; i < PARALLEL; i++) {
        test_check(f.blk, i * STEP, STEP, i + 1);
    }
    teardown(&f);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    g_test_add_func("/preallocate/reserve-and-give-back",
                    reserve_and_give_back);
    g_test_add_func("/preallocate/zeroes", zeroes);
    g_test_add_func("/preallocate/truncate", change_length);
    g_test_add_func("/preallocate/permissions", permissions);
    g_test_add_func("/preallocate/permissions-in-coroutine",
                    permissions_in_coroutine);
    g_test_add_func("/preallocate/reopen", reopen);
    g_test_add_func("/preallocate/refused-reopen", refused_reopen);
    g_test_add_func("/preallocate/not-supported", not_supported);
    g_test_add_func("/preallocate/too-large", too_large);
    g_test_add_func("/preallocate/parallel", parallel);
    return g_test_run();
}
