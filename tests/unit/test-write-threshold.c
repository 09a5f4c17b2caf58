/*
 * SPDX-License-Identifier: MIT
 *
 * The event when writes reach beyond an offset.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "block/write-threshold.h"
#include "qapi/qmp-event.h"
#include "qapi/qmp/qdict.h"

static int events;
static QDict *last;

static void emit(unsigned event, QDict *qdict)
{
    events++;
    qobject_unref(last);
    last = qobject_ref(qdict);
}

static void expect_event(int64_t exceeded, int64_t threshold)
{
    QDict *data = qdict_get_qdict(last, "data");

    g_assert_cmpint(events, ==, 1);
    events = 0;
    g_assert_cmpstr(qdict_get_str(last, "event"), ==,
                    "BLOCK_WRITE_THRESHOLD");
    g_assert_cmpstr(qdict_get_str(data, "node-name"), ==, "node");
    g_assert_cmpint(qdict_get_int(data, "amount-exceeded"), ==, exceeded);
    g_assert_cmpint(qdict_get_int(data, "write-threshold"), ==, threshold);
}

static void test_exceeded(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    g_assert_cmpint(bdrv_write_threshold_get(bs), ==, 0);
    mem_do(blk, 'w', 0, 65536, 1, 0);
    bdrv_write_threshold_set(bs, 65536);
    g_assert_cmpint(bdrv_write_threshold_get(bs), ==, 65536);
    /* Up to it is not beyond it; reading does not matter. */
    mem_do(blk, 'w', 0, 65536, 1, 0);
    mem_do(blk, 'r', 131072, 4096, 0, 0);
    g_assert_cmpint(events, ==, 0);
    mem_do(blk, 'w', 65000, 1000, 1, 0);
    expect_event(464, 65536);
    /* Once */
    g_assert_cmpint(bdrv_write_threshold_get(bs), ==, 0);
    mem_do(blk, 'w', 131072, 1000, 1, 0);
    g_assert_cmpint(events, ==, 0);
    blk_unref(blk);
    bdrv_unref(bs);
}

static void test_far_beyond(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    bdrv_write_threshold_set(bs, 4096);
    mem_do(blk, 'z', 8192, 4096, 0, 0);
    expect_event(8192, 4096);
    bdrv_write_threshold_set(bs, 4096);
    mem_do(blk, 'd', 8192, 4096, 0, 0);
    expect_event(8192, 4096);
    bdrv_write_threshold_set(bs, 4096);
    bdrv_write_threshold_set(bs, 0);
    mem_do(blk, 'w', 8192, 4096, 0, 0);
    g_assert_cmpint(events, ==, 0);
    blk_unref(blk);
    bdrv_unref(bs);
}

int main(int argc, char **argv)
{
    int ret;

    mem_test_init(&argc, &argv);
    qapi_event_set_emitter(emit);
    g_test_add_func("/write-threshold/exceeded", test_exceeded);
    g_test_add_func("/write-threshold/far-beyond", test_far_beyond);
    ret = g_test_run();
    qapi_event_set_emitter(NULL);
    qobject_unref(last);
    return ret;
}
