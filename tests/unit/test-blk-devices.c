/*
 * SPDX-License-Identifier: MIT
 *
 * Which backend the name of a device means: its ID, its path, or the end of
 * its path.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"

static BlockBackend *device(const char *id)
{
    BlockBackend *blk = blk_new(0, BLK_PERM_ALL);

    g_assert_cmpint(blk_attach_dev(blk, blk), ==, 0);
    blk_set_dev_id(blk, id);
    return blk;
}

/* Drops the caller's reference, too. */
static void unplug(BlockBackend *blk)
{
    blk_detach_dev(blk, blk);
    blk_unref(blk);
}

static void expect_none(const char *id)
{
    g_autofree char *text = g_strdup_printf("Device '%s' not found", id);
    Error *err = NULL;

    g_assert_null(blk_by_qdev_id(id, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void test_id(void)
{
    BlockBackend *blk = device("disk");

    g_assert_true(blk_by_qdev_id("disk", &error_abort) == blk);
    g_assert_true(blk_by_qdev_id("peripheral/disk", &error_abort) == blk);
    g_assert_true(blk_by_qdev_id("/machine/peripheral/disk",
                                 &error_abort) == blk);
    expect_none("isk");
    expect_none("/disk");
    expect_none("peripheral");
    expect_none("/machine/peripheral/disk/virtio-backend");
    unplug(blk);
    expect_none("disk");
}

static void test_path(void)
{
    BlockBackend *a = device("/machine/peripheral/a/virtio-backend");
    BlockBackend *b = device("/machine/peripheral-anon/device[0]");

    g_assert_true(blk_by_qdev_id("a", &error_abort) == a);
    g_assert_true(blk_by_qdev_id("a/virtio-backend", &error_abort) == a);
    g_assert_true(blk_by_qdev_id("/machine/peripheral/a/virtio-backend",
                                 &error_abort) == a);
    g_assert_true(blk_by_qdev_id("device[0]", &error_abort) == b);
    g_assert_true(blk_by_qdev_id("/machine/peripheral-anon/device[0]",
                                 &error_abort) == b);
    expect_none("/machine/peripheral/device[0]");
    unplug(a);
    unplug(b);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/blk-devices/id", test_id);
    g_test_add_func("/blk-devices/path", test_path);
    return g_test_run();
}
