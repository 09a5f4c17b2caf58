/*
 * SPDX-License-Identifier: MIT
 *
 * A transaction about several disks is about one moment: a writer that goes
 * from disk to disk finds each write in all copies of disks that it went to
 * later, or in none of them.  What can be seen from outside is in the I/O
 * tests.
 */
#include "qemu/osdep.h"
#include "driver-test-util.h"
#include "sysemu/iothread.h"
#include "qapi/qapi-commands-transaction.h"
#include "qemu/main-loop.h"

#define DISKS 3

typedef struct Setup {
    char *path[DISKS];
    char *top[DISKS];
    BlockBackend *blk[DISKS];
    IOThread *io[DISKS];
    uint64_t written;           /* rounds over all disks */
    bool stop;
    bool ended;
} Setup;

/* Number n to each of the disks, then n + 1. */
static void coroutine_fn writer(void *opaque)
{
    Setup *t = opaque;
    uint64_t sector[512 / sizeof(uint64_t)] = { 0 };
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, sector, sizeof(sector));
    int i;

    while (!atomic_read(&t->stop)) {
        sector[0]++;
        for (i = 0; i < DISKS; i++) {
            aio_co_reschedule_self(blk_get_aio_context(t->blk[i]));
            g_assert_cmpint(blk_co_pwritev(t->blk[i], 0, sizeof(sector), &qiov,
                                           0), ==, 0);
        }
        atomic_set(&t->written, sector[0]);
    }
    aio_co_reschedule_self(qemu_get_aio_context());
    t->ended = true;
}

static void wait_written(Setup *t, uint64_t more)
{
    uint64_t n = atomic_read(&t->written) + more;

    while (atomic_read(&t->written) < n) {
        aio_poll(qemu_get_aio_context(), false);
    }
}

static void setup(Setup *t, bool threads)
{
    Coroutine *co = qemu_coroutine_create(writer, t);
    int i;

    for (i = 0; i < DISKS; i++) {
        g_autofree char *name = g_strdup_printf("disk%d", i);

        t->path[i] = test_new_file(64 * KiB);
        t->top[i] = test_new_file(0);
        t->blk[i] = test_open(BDRV_O_RDWR, &error_abort, "driver", "raw",
                              "file.driver", "file",
                              "file.filename", t->path[i], NULL);
        monitor_add_blk(t->blk[i], name, &error_abort);
        blk_set_allow_aio_context_change(t->blk[i], true);
        if (threads) {
            t->io[i] = iothread_create(name, &error_abort);
            blk_set_aio_context(t->blk[i], iothread_get_aio_context(t->io[i]),
                                &error_abort);
        }
    }
    qemu_coroutine_enter(co);
    wait_written(t, 5);
}

static void teardown(Setup *t)
{
    int i;

    atomic_set(&t->stop, true);
    while (!t->ended) {
        aio_poll(qemu_get_aio_context(), true);
    }
    for (i = 0; i < DISKS; i++) {
        if (t->io[i]) {
            blk_set_aio_context(t->blk[i], qemu_get_aio_context(),
                                &error_abort);
            iothread_destroy(t->io[i]);
        }
        monitor_remove_blk(t->blk[i]);
        blk_unref(t->blk[i]);
        test_remove_file(t->path[i]);
        test_remove_file(t->top[i]);
    }
    g_assert_null(bdrv_next_all_states(NULL));
}

/* What the file below the overlay of disk @i has. */
static uint64_t frozen(Setup *t, int i)
{
    g_autofree char *data = NULL;
    uint64_t n;
    gsize length;

    g_assert_true(g_file_get_contents(t->path[i], &data, &length, NULL));
    g_assert_cmpint(length, ==, 64 * KiB);
    memcpy(&n, data, sizeof(n));
    return n;
}

static void snapshot_all(Setup *t, const int *order, bool abort)
{
    BlockdevSnapshotSync args[DISKS];
    TransactionAction actions[DISKS + 1];
    TransactionActionList list[DISKS + 1];
    char *names[DISKS];
    Error *err = NULL;
    int i;

    for (i = 0; i < DISKS; i++) {
        names[i] = g_strdup_printf("disk%d", order[i]);
        args[i] = (BlockdevSnapshotSync) {
            .has_device = true, .device = names[i],
            .snapshot_file = t->top[order[i]],
        };
        actions[i] = (TransactionAction) {
            .type = TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_SYNC,
            .u.blockdev_snapshot_sync.data = &args[i],
        };
        list[i].value = &actions[i];
        list[i].next = i < DISKS - 1 || abort ? &list[i + 1] : NULL;
    }
    actions[DISKS] = (TransactionAction) {
        .type = TRANSACTION_ACTION_KIND_ABORT,
    };
    list[DISKS] = (TransactionActionList) { .value = &actions[DISKS] };
    qmp_transaction(list, false, NULL, &err);
    if (abort) {
        test_assert_error(err, "Transaction aborted using Abort action");
    } else {
        g_assert_null(err);
    }
    for (i = 0; i < DISKS; i++) {
        g_free(names[i]);
    }
}

static void check_frozen(Setup *t)
{
    uint64_t n[DISKS];
    int i;

    for (i = 0; i < DISKS; i++) {
        n[i] = frozen(t, i);
        g_assert_cmpuint(n[i], <=, n[0]);
        g_assert_cmpuint(n[i], >=, n[0] - 1);
        g_assert_cmpuint(n[i], <=, n[MAX(i, 1) - 1]);
    }
    /* The writer has gone on, elsewhere. */
    wait_written(t, 3);
    for (i = 0; i < DISKS; i++) {
        g_assert_cmpuint(frozen(t, i), ==, n[i]);
    }
}

static void one_moment(bool threads)
{
    static const int orders[][DISKS] = {
        { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(orders); i++) {
        Setup t = { .written = 0 };

        setup(&t, threads);
        snapshot_all(&t, orders[i], false);
        check_frozen(&t);
        teardown(&t);
    }
}

static void test_main_thread(void)
{
    one_moment(false);
}

static void test_iothreads(void)
{
    one_moment(true);
}

/* No write that was held back is lost, nor goes to an overlay. */
static void undone(bool threads)
{
    static const int order[DISKS] = { 0, 1, 2 };
    Setup t = { .written = 0 };
    uint64_t n;
    int i;

    setup(&t, threads);
    for (i = 0; i < 3; i++) {
        snapshot_all(&t, order, true);
        wait_written(&t, 2);
    }
    atomic_set(&t.stop, true);
    while (!t.ended) {
        aio_poll(qemu_get_aio_context(), true);
    }
    n = t.written;
    for (i = 0; i < DISKS; i++) {
        g_assert_cmpuint(frozen(&t, i), ==, n);
    }
    teardown(&t);
}

static void test_undone(void)
{
    undone(false);
}

static void test_undone_iothreads(void)
{
    undone(true);
}

/* ---- Bitmaps ---- */

static uint8_t sector[512];
static QEMUIOVector sector_qiov = QEMU_IOVEC_INIT_BUF(sector_qiov, sector,
                                                      sizeof(sector));
static bool write_done;

static void write_cb(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    write_done = true;
}

static void write_bh(void *opaque)
{
    blk_aio_pwritev(opaque, 32 * KiB, &sector_qiov, 0, write_cb, NULL);
}

/* @action on the bitmap b of disk0, a snapshot of disk1, abort. */
static void abort_after(TransactionAction *action, char *snapshot_file)
{
    BlockdevSnapshotSync snapshot = { .has_device = true,
                                      .device = (char *)"disk1",
                                      .snapshot_file = snapshot_file };
    TransactionAction snapshot_action = {
        .type = TRANSACTION_ACTION_KIND_BLOCKDEV_SNAPSHOT_SYNC,
        .u.blockdev_snapshot_sync.data = &snapshot,
    };
    TransactionAction abort_action = { .type = TRANSACTION_ACTION_KIND_ABORT };
    TransactionActionList list[] = {
        { &list[1], action }, { &list[2], &snapshot_action },
        { NULL, &abort_action },
    };
    Error *err = NULL;

    qmp_transaction(list, false, NULL, &err);
    test_assert_error(err, "Transaction aborted using Abort action");
}

/* What is written while a transaction works is in the bitmap, if what was done
 * to that is undone. */
static void test_bitmap_undone(const void *opaque)
{
    BlockDirtyBitmap bitmap = { .node = (char *)"disk0", .name = (char *)"b" };
    BlockDirtyBitmapOrStr source = { .type = QTYPE_QSTRING,
                                     .u.local = (char *)"empty" };
    BlockDirtyBitmapOrStrList sources = { .value = &source };
    BlockDirtyBitmapMerge merge = { .node = bitmap.node,
                                    .target = bitmap.name,
                                    .bitmaps = &sources };
    TransactionAction action = { .type = GPOINTER_TO_INT(opaque) };
    g_autofree char *file = test_new_file(0);
    BlockBackend *blk[2];
    BdrvDirtyBitmap *b, *empty;
    int i;

    for (i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("disk%d", i);

        blk[i] = test_open(BDRV_O_RDWR, &error_abort, "driver", "null-co",
                           NULL);
        monitor_add_blk(blk[i], name, &error_abort);
    }
    b = bdrv_create_dirty_bitmap(blk_bs(blk[0]), 512, "b", &error_abort);
    empty = bdrv_create_dirty_bitmap(blk_bs(blk[0]), 512, "empty",
                                     &error_abort);
    bdrv_disable_dirty_bitmap(empty);
    bdrv_set_dirty_bitmap(b, 0, 512);
    if (action.type == TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_MERGE) {
        action.u.block_dirty_bitmap_merge.data = &merge;
    } else {
        action.u.block_dirty_bitmap_clear.data = &bitmap;
    }

    write_done = false;
    aio_bh_schedule_oneshot(qemu_get_aio_context(), write_bh, blk[0]);
    abort_after(&action, file);
    while (!write_done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    g_assert_cmpint(bdrv_get_dirty_count(b), ==, 1024);

    bdrv_release_dirty_bitmap(b);
    bdrv_release_dirty_bitmap(empty);
    for (i = 0; i < 2; i++) {
        monitor_remove_blk(blk[i]);
        blk_unref(blk[i]);
    }
    unlink(file);
}

static void add_bitmap_undone(TransactionActionKind kind)
{
    g_autofree char *path = g_strdup_printf("/transaction/undone/%s",
                                            TransactionActionKind_str(kind));

    g_test_add_data_func(path, GINT_TO_POINTER(kind), test_bitmap_undone);
}

int main(int argc, char **argv)
{
    driver_test_init(&argc, &argv);
    g_test_add_func("/transaction/one-moment", test_main_thread);
    g_test_add_func("/transaction/one-moment/iothreads", test_iothreads);
    g_test_add_func("/transaction/undone", test_undone);
    g_test_add_func("/transaction/undone/iothreads", test_undone_iothreads);
    add_bitmap_undone(TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_CLEAR);
    add_bitmap_undone(TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_DISABLE);
    add_bitmap_undone(TRANSACTION_ACTION_KIND_BLOCK_DIRTY_BITMAP_MERGE);
    return g_test_run();
}
