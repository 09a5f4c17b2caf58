/*
 * SPDX-License-Identifier: MIT
 *
 * The filter copy-on-read: what is kept with and without "bottom", what
 * passes through, refused options, the frozen chain.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qapi/qmp/qdict.h"

#define PART 65536

typedef struct Chain {
    BlockDriverState *top;
    BlockDriverState *mid;
    BlockDriverState *base;
    BlockDriverState *filter;
    BlockBackend *guest;
} Chain;

static BlockDriverState *open_filter(const char *bottom, Error **errp)
{
    QDict *opts = qdict_new();

    qdict_put_str(opts, "driver", "copy-on-read");
    qdict_put_str(opts, "node-name", "filter");
    qdict_put_str(opts, "file", "top");
    if (bottom) {
        qdict_put_str(opts, "bottom", bottom);
    }
    return bdrv_open(NULL, NULL, opts, BDRV_O_RDWR, errp);
}

static void setup(Chain *c, const char *bottom)
{
    c->top = mem_node("top");
    c->mid = mem_node("mid");
    c->base = mem_node("base");
    mem_fill(c->top, 0, PART, 0x10);
    mem_fill(c->mid, PART, PART, 0x11);
    mem_fill(c->base, 2 * PART, PART, 0x12);
    bdrv_set_backing_hd(c->mid, c->base, &error_abort);
    bdrv_set_backing_hd(c->top, c->mid, &error_abort);
    c->filter = open_filter(bottom, &error_abort);
    c->guest = blk_new_with_bs(c->filter,
                               BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                               BLK_PERM_ALL, &error_abort);
}

static void teardown(Chain *c)
{
    blk_unref(c->guest);
    bdrv_unref(c->filter);
    bdrv_unref(c->top);
    bdrv_unref(c->mid);
    bdrv_unref(c->base);
    g_assert_null(bdrv_next_all_states(NULL));
}

static void read_all(Chain *c)
{
    mem_check(c->guest, 0, PART, 0x10);
    mem_check(c->guest, PART, PART, 0x11);
    mem_check(c->guest, 2 * PART, PART, 0x12);
    mem_check(c->guest, 3 * PART, PART, 0);
}

static void test_whole(void)
{
    Chain c;

    setup(&c, NULL);
    read_all(&c);
    g_assert_true(mem_is_allocated(c.top, PART));
    g_assert_true(mem_is_allocated(c.top, 2 * PART));
    g_assert_true(mem_is_allocated(c.top, 3 * PART));
    g_assert_false(mem_is_allocated(c.top, 4 * PART));
    read_all(&c);
    teardown(&c);
}

static void test_bottom(void)
{
    Chain c;

    setup(&c, "mid");
    /* One read over parts of all kinds. */
    g_assert_cmpint(mem_do(c.guest, 'w', PART - 512, 512, 0x10, 0), ==, 0);
    read_all(&c);
    g_assert_true(mem_is_allocated(c.top, PART));
    g_assert_false(mem_is_allocated(c.top, 2 * PART));
    g_assert_false(mem_is_allocated(c.top, 3 * PART));
    read_all(&c);
    teardown(&c);
}

static void test_bottom_is_top(void)
{
    Chain c;

    setup(&c, "top");
    read_all(&c);
    g_assert_false(mem_is_allocated(c.top, PART));
    teardown(&c);
}

static void test_read_over_borders(void)
{
    g_autofree uint8_t *buf = g_malloc(3 * PART);
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, 2 * PART);
    Chain c;

    setup(&c, "mid");
    g_assert_cmpint(mem_do_vector(c.guest, 'r', PART / 2, &qiov), ==, 0);
    g_assert_cmpint(buf[PART / 2 - 1], ==, 0x10);
    g_assert_cmpint(buf[PART / 2], ==, 0x11);
    g_assert_cmpint(buf[3 * PART / 2 - 1], ==, 0x11);
    g_assert_cmpint(buf[3 * PART / 2], ==, 0x12);
    g_assert_true(mem_is_allocated(c.top, PART));
    g_assert_false(mem_is_allocated(c.top, 2 * PART));
    teardown(&c);
}

static void test_writes_pass(void)
{
    Chain c;

    setup(&c, "mid");
    g_assert_cmpint(mem_do(c.guest, 'w', 2 * PART, PART, 0x55, 0), ==, 0);
    g_assert_cmpint(mem_do(c.guest, 'z', PART, PART, 0, 0), ==, 0);
    mem_check(c.guest, 2 * PART, PART, 0x55);
    mem_check(c.guest, PART, PART, 0);
    teardown(&c);
}

static void test_frozen(void)
{
    Error *err = NULL;
    Chain c;

    setup(&c, "mid");
    g_assert_cmpint(bdrv_set_backing_hd_check(c.top, NULL, &err), <, 0);
    error_free(err);
    /* Below the bottom the chain may change. */
    bdrv_set_backing_hd(c.mid, NULL, &error_abort);
    teardown(&c);
}

static void expect_refusal(const char *bottom, const char *message)
{
    Error *err = NULL;

    g_assert_null(open_filter(bottom, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, message);
    error_free(err);
}

static void test_refused(void)
{
    BlockDriverState *top = mem_node("top"), *other = mem_node("other");
    BlockDriverState *filter = mem_filter_node("pass", top);

    expect_refusal("nothing", "Bottom node 'nothing' not found");
    expect_refusal("pass", "Bottom node 'pass' is a filter");
    expect_refusal("other",
                   "Node 'other' is not in the backing chain of 'top'");
    bdrv_unref(filter);
    bdrv_unref(other);
    bdrv_unref(top);
    g_assert_null(bdrv_next_all_states(NULL));
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/copy-on-read/whole-chain", test_whole);
    g_test_add_func("/copy-on-read/bottom", test_bottom);
    g_test_add_func("/copy-on-read/bottom-is-top", test_bottom_is_top);
    g_test_add_func("/copy-on-read/over-borders", test_read_over_borders);
    g_test_add_func("/copy-on-read/writes-pass", test_writes_pass);
    g_test_add_func("/copy-on-read/frozen", test_frozen);
    g_test_add_func("/copy-on-read/refused", test_refused);
    return g_test_run();
}
