/*
 * SPDX-License-Identifier: MIT
 *
 * Helpers of the unit tests of block drivers.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"

void driver_test_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    qemu_init_main_loop(&error_abort);
    bdrv_init();
}

static QDict *options_from_list(const char *key, va_list ap)
{
    QDict *options = qdict_new();

    while (key) {
        qdict_put_str(options, key, va_arg(ap, const char *));
        key = va_arg(ap, const char *);
    }
    return options;
}

QDict *test_options(const char *key, ...)
{
    QDict *options;
    va_list ap;

    va_start(ap, key);
    options = options_from_list(key, ap);
    va_end(ap);
    return options;
}

BlockBackend *test_open(int flags, Error **errp, ...)
{
    QDict *options;
    va_list ap;

    va_start(ap, errp);
    options = options_from_list(va_arg(ap, const char *), ap);
    va_end(ap);
    return blk_new_open(NULL, NULL, options, flags, errp);
}

void test_assert_error(Error *err, const char *text)
{
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

char *test_new_file(int64_t bytes)
{
    char *path = g_build_filename(g_get_tmp_dir(), "driver-test-XXXXXX", NULL);
    int fd = g_mkstemp(path);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, bytes), ==, 0);
    close(fd);
    return path;
}

void test_remove_file(char *path)
{
    unlink(path);
    g_free(path);
}

typedef struct TestCo {
    CoroutineEntry *entry;
    void *opaque;
    bool done;
} TestCo;

static void coroutine_fn test_co_entry(void *opaque)
{
    TestCo *t = opaque;

    t->entry(t->opaque);
    t->done = true;
}

void test_run_co(CoroutineEntry *entry, void *opaque)
{
    TestCo t = { .entry = entry, .opaque = opaque };

    qemu_coroutine_enter(qemu_coroutine_create(test_co_entry, &t));
    while (!t.done) {
        aio_poll(qemu_get_aio_context(), true);
    }
}

int test_write(BlockBackend *blk, int64_t offset, int64_t bytes, int pattern)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, pattern, bytes);
    return blk_pwrite(blk, offset, bytes, buf, 0);
}

void test_check(BlockBackend *blk, int64_t offset, int64_t bytes, int pattern)
{
    g_autofree uint8_t *buf = g_malloc(bytes);
    int64_t i;

    memset(buf, ~pattern, bytes);
    g_assert_cmpint(blk_pread(blk, offset, bytes, buf, 0), ==, 0);
    for (i = 0; i < bytes; i++) {
        if (buf[i] != (uint8_t)pattern) {
            g_error("byte %" PRId64 " is %02x, not %02x", offset + i, buf[i],
                    (uint8_t)pattern);
        }
    }
}
