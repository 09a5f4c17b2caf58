/*
 * SPDX-License-Identifier: MIT
 *
 * blkdebug: injected errors, states, break points, limits, permissions.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"

/* raw over blkdebug over null-co with the given options of blkdebug */
static BlockBackend *open_debug_opts(QDict *blkdebug, Error **errp)
{
    QDict *options = test_options("driver", "raw", "file.driver", "blkdebug",
                                  "file.image.driver", "null-co",
                                  "file.image.read-zeroes", "on", NULL);
    const QDictEntry *e;

    for (e = qdict_first(blkdebug); e; e = qdict_next(blkdebug, e)) {
        g_autofree char *key = g_strconcat("file.", qdict_entry_key(e), NULL);

        qdict_put_str(options, key,
                      qdict_get_str(blkdebug, qdict_entry_key(e)));
    }
    qobject_unref(blkdebug);
    return blk_new_open(NULL, NULL, options,
                        BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_UNMAP, errp);
}

static int do_read(BlockBackend *blk, int64_t offset)
{
    uint8_t buf[512];

    return blk_pread(blk, offset, sizeof(buf), buf, 0);
}

static void test_inject(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("inject-error.0.event", "read_aio", NULL), &error_abort);

    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    g_assert_cmpint(do_read(blk, 0), ==, -EIO);
    g_assert_cmpint(do_read(blk, 4096), ==, -EIO);
    /* The error stays for all kinds of requests. */
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, -EIO);
    blk_unref(blk);
}

static void test_sector_and_errno(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("inject-error.0.event", "none",
                     "inject-error.0.sector", "8",
                     "inject-error.0.errno", "28", NULL), &error_abort);
    uint8_t buf[8192];

    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_cmpint(do_read(blk, 4096), ==, -ENOSPC);
    g_assert_cmpint(do_read(blk, 4608), ==, 0);
    g_assert_cmpint(blk_pread(blk, 512, sizeof(buf), buf, 0), ==, -ENOSPC);
    /* A flush touches no sector. */
    g_assert_cmpint(blk_flush(blk), ==, 0);
    blk_unref(blk);
}

static void test_once(gconstpointer immediately)
{
    BlockBackend *blk = open_debug_opts(
        test_options("inject-error.0.event", "read_aio",
                     "inject-error.0.once", "on",
                     "inject-error.0.immediately", immediately, NULL),
        &error_abort);

    g_assert_cmpint(do_read(blk, 0), ==, -EIO);
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    blk_unref(blk);
}

static int do_status(BlockBackend *blk)
{
    int64_t pnum;

    return bdrv_block_status(blk_bs(blk), 0, 4096, &pnum, NULL, NULL);
}

static void check_iotype(const char *iotype, const char *hit)
{
    QDict *options = test_options("inject-error.0.event", "none", NULL);
    BlockBackend *blk;
    int expected[6], i;
    static const char *const names[] = { "read", "write", "write-zeroes",
                                         "discard", "flush",
                                         "block-status" };

    if (iotype) {
        qdict_put_str(options, "inject-error.0.iotype", iotype);
    }
    blk = open_debug_opts(options, &error_abort);
    for (i = 0; i < 6; i++) {
        expected[i] = strstr(hit, names[i]) &&
                      (strcmp(hit, "write-zeroes") || i != 1) ? -EIO : 0;
    }
    g_assert_cmpint(do_read(blk, 0), ==, expected[0]);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, expected[1]);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 512, 0), ==, expected[2]);
    g_assert_cmpint(blk_pdiscard(blk, 0, 512), ==, expected[3]);
    g_assert_cmpint(blk_flush(blk), ==, expected[4]);
    g_assert_cmpint(MIN(0, do_status(blk)), ==, expected[5]);
    blk_unref(blk);
}

static void test_iotypes(void)
{
    check_iotype(NULL, "read write write-zeroes discard flush");
    check_iotype("read", "read");
    check_iotype("write", "write");
    check_iotype("write-zeroes", "write-zeroes");
    check_iotype("discard", "discard");
    check_iotype("flush", "flush");
    check_iotype("block-status", "block-status");
}

/* A rule looks at the state from before the event. */
static void test_states(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("set-state.0.event", "read_aio",
                     "set-state.0.state", "1",
                     "set-state.0.new_state", "2",
                     "inject-error.0.event", "read_aio",
                     "inject-error.0.state", "2",
                     "inject-error.0.once", "on",
                     "inject-error.0.errno", "28", NULL), &error_abort);

    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_cmpint(do_read(blk, 0), ==, -ENOSPC);
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    blk_unref(blk);
}

/* What one event injects takes the place of what was injected before. */
static void test_replaced(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("inject-error.0.event", "none",
                     "inject-error.0.sector", "0",
                     "inject-error.1.event", "read_aio",
                     "inject-error.1.sector", "8", NULL), &error_abort);

    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, -EIO);
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    g_assert_cmpint(do_read(blk, 4096), ==, -EIO);
    blk_unref(blk);
}

static void test_config_file(void)
{
    static const char config[] =
        "# comment\n"
        "[inject-error]\n"
        "event = \"write_aio\"\n"
        "errno = \"5\"\n"
        "once = \"on\"\n"
        "\n"
        "[set-state]\n"
        "event = \"read_aio\"\n"
        "new_state = \"7\"\n"
        "[inject-error]\n"
        "event = \"flush_to_disk\"\n"
        "state = \"7\"\n"
        "errno = \"28\"\n";
    char *path = test_new_file(0), *image = test_new_file(64 * KiB);
    g_autofree char *name = g_strdup_printf("blkdebug:%s:%s", path, image);
    BlockBackend *blk;

    g_assert_true(g_file_set_contents(path, config, -1, NULL));
    blk = blk_new_open(name, NULL, test_options("driver", "raw", NULL),
                       BDRV_O_RDWR, &error_abort);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, -EIO);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, -ENOSPC);

    bdrv_refresh_filename(blk_bs(blk));
    g_assert_cmpstr(blk_bs(blk)->filename, ==, name);
    blk_unref(blk);
    test_remove_file(path);
    test_remove_file(image);
}

/* ---- Break points ---- */

typedef struct Request {
    int ret;
    bool done;
} Request;

static void request_done(void *opaque, int ret)
{
    Request *r = opaque;

    r->ret = ret;
    r->done = true;
}

static void test_break(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("align", "512", NULL), &error_abort);
    BlockDriverState *bs = blk_bs(blk);
    uint8_t buf[512];
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, sizeof(buf));
    Request a = { 0 }, b = { 0 };

    bdrv_debug_verbose = false;
    g_assert_cmpint(bdrv_debug_breakpoint(bs, "no-event", "A"), ==, -ENOENT);
    g_assert_cmpint(bdrv_debug_breakpoint(bs, "read_aio", "A"), ==, 0);
    g_assert_false(bdrv_debug_is_suspended(bs, "A"));
    g_assert_cmpint(bdrv_debug_resume(bs, "A"), ==, -ENOENT);

    blk_aio_preadv(blk, 0, &qiov, 0, request_done, &a);
    while (!bdrv_debug_is_suspended(bs, "A")) {
        aio_poll(qemu_get_aio_context(), true);
    }
    /* A break point acts once. */
    g_assert_cmpint(do_read(blk, 0), ==, 0);
    g_assert_false(a.done);
    g_assert_cmpint(bdrv_debug_resume(bs, "B"), ==, -ENOENT);
    g_assert_cmpint(bdrv_debug_resume(bs, "A"), ==, 0);
    while (!a.done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(a.ret, ==, 0);
    g_assert_false(bdrv_debug_is_suspended(bs, "A"));

    /* Two on one event: both must be resumed; removing one resumes. */
    g_assert_cmpint(bdrv_debug_breakpoint(bs, "write_aio", "A"), ==, 0);
    g_assert_cmpint(bdrv_debug_breakpoint(bs, "write_aio", "B"), ==, 0);
    blk_aio_pwritev(blk, 0, &qiov, 0, request_done, &b);
    while (!bdrv_debug_is_suspended(bs, "A")) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_true(bdrv_debug_is_suspended(bs, "B"));
    g_assert_cmpint(bdrv_debug_resume(bs, "B"), ==, 0);
    g_assert_false(b.done);
    g_assert_cmpint(bdrv_debug_remove_breakpoint(bs, "A"), ==, 0);
    while (!b.done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(bdrv_debug_remove_breakpoint(bs, "A"), ==, -ENOENT);

    /* One that nobody reached is simply removed. */
    g_assert_cmpint(bdrv_debug_breakpoint(bs, "write_aio", "C"), ==, 0);
    g_assert_cmpint(bdrv_debug_remove_breakpoint(bs, "C"), ==, 0);
    g_assert_cmpint(test_write(blk, 0, 512, 1), ==, 0);
    blk_unref(blk);
}

/* ---- Limits and permissions ---- */

static void test_limits(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("align", "4096", "max-transfer", "8192",
                     "opt-write-zero", "8192", "max-write-zero", "16384",
                     "opt-discard", "12288", "max-discard", "24576", NULL),
        &error_abort);
    BlockLimits *bl = &blk_bs(blk)->file->bs->bl;

    g_assert_cmpint(bl->request_alignment, ==, 4096);
    g_assert_cmpint(bl->max_transfer, ==, 8192);
    g_assert_cmpint(bl->pwrite_zeroes_alignment, ==, 8192);
    g_assert_cmpint(bl->max_pwrite_zeroes, ==, 16384);
    g_assert_cmpint(bl->pdiscard_alignment, ==, 12288);
    g_assert_cmpint(bl->max_pdiscard, ==, 24576);
    g_assert_cmpint(test_write(blk, 100, 100000, 1), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 100, 100000, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 4096, 100000), ==, 0);
    blk_unref(blk);
}

static void check_error(const char *text, QDict *options)
{
    Error *err = NULL;

    g_assert_null(open_debug_opts(options, &err));
    test_assert_error(err, text);
}

static void test_errors(void)
{
    Error *err = NULL;

    check_error("Cannot meet constraints with align 3",
                test_options("align", "3", NULL));
    check_error("Cannot meet constraints with max-transfer 100",
                test_options("align", "512", "max-transfer", "100", NULL));
    check_error("Cannot meet constraints with max-write-zero 1536",
                test_options("align", "512", "opt-write-zero", "1024",
                             "max-write-zero", "1536", NULL));
    check_error("Cannot meet constraints with opt-discard 100",
                test_options("align", "512", "opt-discard", "100", NULL));
    check_error("Missing event name for rule",
                test_options("inject-error.0.errno", "5", NULL));
    check_error("invalid parameter value: x",
                test_options("inject-error.0.event", "x", NULL));
    check_error("Parameter 'sector' expects a number",
                test_options("inject-error.0.event", "none",
                             "inject-error.0.sector", "x", NULL));
    check_error("[inject-error] section doesn't support the option 'foo'",
                test_options("inject-error.0.event", "none",
                             "inject-error.0.foo", "x", NULL));
    check_error("Unused option '1.event' for [inject-error]",
                test_options("inject-error.1.event", "none", NULL));
    check_error("Could not read blkdebug config file: No such file or "
                "directory", test_options("config", "/nonexistent", NULL));
    g_assert_null(blk_new_open("blkdebug:x", NULL, NULL, 0, &err));
    test_assert_error(err, "blkdebug requires both config file and image "
                      "path");
}

static void test_permissions(void)
{
    BlockBackend *blk = open_debug_opts(
        test_options("take-child-perms.0", "resize",
                     "unshare-child-perms.0", "write",
                     "unshare-child-perms.1", "resize", NULL), &error_abort);
    BdrvChild *image = blk_bs(blk)->file->bs->file;

    g_assert_cmpstr(image->name, ==, "image");
    blk_set_perm(blk, 0, BLK_PERM_ALL, &error_abort);
    g_assert_cmphex(image->perm & BLK_PERM_RESIZE, ==, BLK_PERM_RESIZE);
    g_assert_cmphex(image->shared_perm & (BLK_PERM_WRITE | BLK_PERM_RESIZE),
                    ==, 0);
    blk_unref(blk);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    g_test_add_func("/blkdebug/inject", test_inject);
    g_test_add_func("/blkdebug/sector-and-errno", test_sector_and_errno);
    g_test_add_data_func("/blkdebug/once/later", "off", test_once);
    g_test_add_data_func("/blkdebug/once/immediately", "on", test_once);
    g_test_add_func("/blkdebug/iotypes", test_iotypes);
    g_test_add_func("/blkdebug/states", test_states);
    g_test_add_func("/blkdebug/replaced", test_replaced);
    g_test_add_func("/blkdebug/config-file", test_config_file);
    g_test_add_func("/blkdebug/break", test_break);
    g_test_add_func("/blkdebug/limits", test_limits);
    g_test_add_func("/blkdebug/errors", test_errors);
    g_test_add_func("/blkdebug/permissions", test_permissions);
    return g_test_run();
}
