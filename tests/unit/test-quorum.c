/*
 * SPDX-License-Identifier: MIT
 *
 * quorum: votes, errors, what is put right, requests at the same time,
 * children that come and go.  Numbers are those of the invariants in
 * block/quorum.c.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qapi/qmp/qdict.h"

#define N 3

typedef struct Fixture {
    BlockDriverState *nodes[N];
    BlockDriverState *bs;
    BlockBackend *blk;
} Fixture;

static BlockDriverState *open_quorum(int n, const char *key, const char *value,
                                     Error **errp)
{
    QDict *options = qdict_new();
    int i;

    qdict_put_str(options, "driver", "quorum");
    qdict_put_str(options, "node-name", "quorum");
    qdict_put_str(options, "vote-threshold", "2");
    if (key) {
        qdict_put_str(options, key, value);
    }
    for (i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("children.%d", i);
        g_autofree char *node = g_strdup_printf("node%d", i);

        qdict_put_str(options, name, node);
    }
    return bdrv_open(NULL, NULL, options, BDRV_O_RDWR, errp);
}

static void setup(Fixture *f, int n, const char *key, const char *value)
{
    int i;

    memset(f, 0, sizeof(*f));
    for (i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("node%d", i);

        f->nodes[i] = mem_node(name);
        mem_fill(f->nodes[i], 0, MEM_LENGTH, 1);
    }
    f->bs = open_quorum(n, key, value, &error_abort);
    f->blk = mem_blk(f->bs);
}

static void clear_logs(Fixture *f)
{
    int i;

    for (i = 0; i < N && f->nodes[i]; i++) {
        g_free(mem_log(f->nodes[i]));
    }
}

static void teardown(Fixture *f)
{
    int i;

    blk_unref(f->blk);
    bdrv_unref(f->bs);
    for (i = 0; i < N; i++) {
        bdrv_unref(f->nodes[i]);
    }
}

static void check_node(BlockDriverState *bs, int64_t offset, int64_t bytes,
                       int byte)
{
    BlockBackend *blk = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);

    g_assert_cmpint(blk_insert_bs(blk, bs, &error_abort), ==, 0);
    mem_check(blk, offset, bytes, byte);
    blk_unref(blk);
}

static void votes(void)
{
    Fixture f;

    setup(&f, 3, NULL, NULL);
    mem_fill(f.nodes[0], 512, 512, 2);
    mem_check(f.blk, 0, 4096, 1);
    mem_check(f.blk, 700, 100, 1);
    mem_fill(f.nodes[2], 512, 512, 2);
    mem_check(f.blk, 512, 512, 2);
    mem_fill(f.nodes[1], 512, 512, 3);
    mem_fill(f.nodes[2], 512, 512, 4);
    g_assert_cmpint(mem_do(f.blk, 'r', 512, 512, 0, 0), ==, -EIO);
    mem_check(f.blk, 0, 512, 1);
    /* Nothing was written to any of them. */
    check_node(f.nodes[0], 512, 512, 2);
    check_node(f.nodes[1], 512, 512, 3);
    teardown(&f);
}

static void errors(void)
{
    Fixture f;

    setup(&f, 3, NULL, NULL);
    mem_state(f.nodes[1])->fail = "rwzf";
    mem_check(f.blk, 0, 4096, 1);
    g_assert_cmpint(mem_do(f.blk, 'w', 0, 4096, 5, 0), ==, 0);
    g_assert_cmpint(mem_do(f.blk, 'z', 4096, 4096, 0, 0), ==, 0);
    g_assert_cmpint(mem_do(f.blk, 'f', 0, 0, 0, 0), ==, 0);
    mem_state(f.nodes[0])->fail = "rwzf";
    g_assert_cmpint(mem_do(f.blk, 'r', 0, 4096, 0, 0), ==, -EIO);
    g_assert_cmpint(mem_do(f.blk, 'w', 0, 4096, 0, 0), ==, -EIO);
    g_assert_cmpint(mem_do(f.blk, 'z', 0, 4096, 0, 0), ==, -EIO);
    g_assert_cmpint(mem_do(f.blk, 'f', 0, 0, 0, 0), ==, -EIO);
    mem_state(f.nodes[0])->fail = "";
    mem_state(f.nodes[1])->fail = "";
    check_node(f.nodes[0], 4096, 4096, 0);
    check_node(f.nodes[1], 0, 8192, 1);
    teardown(&f);
}

static void fifo(void)
{
    Fixture f;

    setup(&f, 3, "read-pattern", "fifo");
    mem_fill(f.nodes[0], 0, 512, 2);
    mem_check(f.blk, 0, 512, 2);
    mem_state(f.nodes[0])->fail = "r";
    mem_check(f.blk, 0, 512, 1);
    mem_expect_log(f.nodes[2], "");
    mem_state(f.nodes[1])->fail = "r";
    mem_state(f.nodes[2])->fail = "r";
    g_assert_cmpint(mem_do(f.blk, 'r', 0, 512, 0, 0), ==, -EIO);
    teardown(&f);
}

static void rewrite(void)
{
    Fixture f;

    setup(&f, 3, "rewrite-corrupted", "on");
    mem_fill(f.nodes[1], 1024, 512, 2);
    mem_check(f.blk, 0, 4096, 1);
    check_node(f.nodes[1], 0, 4096, 1);
    clear_logs(&f);
    mem_check(f.blk, 0, 4096, 1);
    mem_expect_log(f.nodes[1], "r0+4096");
    /* There is no majority that could be written. */
    mem_fill(f.nodes[1], 1024, 512, 2);
    mem_fill(f.nodes[2], 1024, 512, 3);
    g_assert_cmpint(mem_do(f.blk, 'r', 0, 4096, 0, 0), ==, -EIO);
    check_node(f.nodes[1], 1024, 512, 2);
    check_node(f.nodes[2], 1024, 512, 3);
    teardown(&f);
}

/* Invariant 4 */
static void write_meanwhile(void)
{
    MemRequest *write, *read;
    Fixture f;

    setup(&f, 3, "rewrite-corrupted", "on");
    mem_state(f.nodes[1])->hold = "w";
    write = mem_start(f.blk, 'w', 4096, 4096, 7, 0);
    g_assert_false(mem_done(write));
    /* Two have new data, one has old: that is no corruption. */
    read = mem_start(f.blk, 'r', 4096, 4096, 7, 0);
    g_assert_false(mem_done(read));
    clear_logs(&f);
    mem_release(f.nodes[1]);
    g_assert_cmpint(mem_finish(write), ==, 0);
    g_assert_cmpint(mem_finish(read), ==, 0);
    mem_expect_log(f.nodes[0], "r4096+4096");
    mem_expect_log(f.nodes[1], "r4096+4096");
    teardown(&f);
}

/* Of two that overlap all children get the same one first. */
static void overlapping_writes(void)
{
    MemRequest *first, *second, *other;
    Fixture f;

    setup(&f, 3, NULL, NULL);
    clear_logs(&f);
    mem_state(f.nodes[1])->hold = "w";
    first = mem_start(f.blk, 'w', 4096, 4096, 7, 0);
    second = mem_start(f.blk, 'w', 2048, 4096, 8, 0);
    mem_expect_log(f.nodes[0], "w4096+4096");
    mem_expect_log(f.nodes[1], "w4096+4096");
    /* Those that don't overlap go on. */
    other = mem_start(f.blk, 'w', 65536, 512, 9, 0);
    mem_expect_log(f.nodes[0], "w65536+512");
    mem_release(f.nodes[1]);
    g_assert_cmpint(mem_finish(first), ==, 0);
    g_assert_cmpint(mem_finish(second), ==, 0);
    g_assert_cmpint(mem_finish(other), ==, 0);
    mem_expect_log(f.nodes[0], "w2048+4096");
    mem_check(f.blk, 2048, 4096, 8);
    mem_check(f.blk, 6144, 2048, 7);
    teardown(&f);
}

/* All children get a request at once. */
static void parallel(void)
{
    MemRequest *req;
    Fixture f;
    int i;

    setup(&f, 3, NULL, NULL);
    for (i = 0; i < N; i++) {
        mem_state(f.nodes[i])->hold = "w";
    }
    req = mem_start(f.blk, 'w', 0, 512, 9, 0);
    for (i = 0; i < N; i++) {
        g_assert_cmpint(mem_state(f.nodes[i])->held, ==, 1);
        mem_release(f.nodes[i]);
        g_assert(mem_done(req) == (i == N - 1));
    }
    g_assert_cmpint(mem_finish(req), ==, 0);
    for (i = 0; i < N; i++) {
        mem_state(f.nodes[i])->hold = "r";
    }
    req = mem_start(f.blk, 'r', 0, 512, 9, 0);
    for (i = 0; i < N; i++) {
        g_assert_cmpint(mem_state(f.nodes[i])->held, ==, 1);
        mem_release(f.nodes[i]);
    }
    g_assert_cmpint(mem_finish(req), ==, 0);
    teardown(&f);
}

typedef struct Status {
    BlockDriverState *bs;
    int64_t offset;
    int64_t pnum;
    int ret;
} Status;

static void status_entry(void *opaque)
{
    Status *s = opaque;

    s->ret = bdrv_co_block_status(s->bs, s->offset, MEM_LENGTH - s->offset,
                                  &s->pnum, NULL, NULL);
}

static void check_status(Fixture *f, int64_t offset, int64_t end, bool zero)
{
    Status s = { .bs = f->bs, .offset = offset };

    mem_run_co(status_entry, &s);
    g_assert_cmpint(s.ret, >=, 0);
    g_assert_true(!!(s.ret & BDRV_BLOCK_ZERO) == zero);
    g_assert_cmpint(offset + s.pnum, ==, end);
}

static void block_status(void)
{
    BlockDriverState *nodes[N];
    Fixture f = { 0 };
    int i;

    for (i = 0; i < N; i++) {
        g_autofree char *name = g_strdup_printf("node%d", i);

        nodes[i] = f.nodes[i] = mem_node(name);
    }
    mem_fill(nodes[0], 65536, 65536, 1);
    mem_fill(nodes[1], 65536, 65536, 1);
    mem_fill(nodes[2], 0, 4096, 1);
    f.bs = open_quorum(N, NULL, NULL, &error_abort);
    f.blk = mem_blk(f.bs);
    check_status(&f, 0, 4096, false);
    check_status(&f, 4096, 65536, true);
    check_status(&f, 65536, 131072, false);
    check_status(&f, 131072, MEM_LENGTH, true);
    mem_check(f.blk, 4096, 4096, 0);
    teardown(&f);
}

/* Nobody else may write to a child, or resize it. */
static void permissions(void)
{
    BlockBackend *other = blk_new(BLK_PERM_WRITE, BLK_PERM_ALL);
    Error *err = NULL;
    Fixture f;

    setup(&f, 2, NULL, NULL);
    g_assert_cmpint(blk_insert_bs(other, f.nodes[0], &err), <, 0);
    error_free(err);
    blk_unref(other);
    other = blk_new(BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL);
    g_assert_cmpint(blk_insert_bs(other, f.nodes[0], &error_abort), ==, 0);
    /* Node 0 can't change abruptly while somebody else reads it. */
    g_assert_false(bdrv_recurse_can_replace(f.bs, f.nodes[0]));
    g_assert_true(bdrv_recurse_can_replace(f.bs, f.nodes[1]));
    blk_unref(other);
    g_assert_true(bdrv_recurse_can_replace(f.bs, f.nodes[0]));
    teardown(&f);
}

static BdrvChild *child_at(Fixture *f, const char *name)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &f->bs->children, next) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

/* Invariants 2 and 3 */
static void change_children(void)
{
    BlockDriver *drv;
    Error *err = NULL;
    MemRequest *req;
    Fixture f;

    setup(&f, 2, NULL, NULL);
    drv = f.bs->drv;
    f.nodes[2] = mem_node("node2");
    mem_fill(f.nodes[2], 0, MEM_LENGTH, 1);

    /* The write that is in flight does not see the new one. */
    req = mem_start(f.blk, 'w', 0, 512, 4, 0);
    drv->bdrv_add_child(f.bs, f.nodes[2], &error_abort);
    g_assert_cmpint(mem_finish(req), ==, 0);
    g_assert_nonnull(child_at(&f, "children.2"));
    mem_check(f.blk, 0, 512, 4);
    g_assert_cmpint(mem_do(f.blk, 'w', 512, 512, 5, 0), ==, 0);
    check_node(f.nodes[2], 512, 512, 5);
    check_node(f.nodes[2], 0, 512, 1);

    drv->bdrv_del_child(f.bs, child_at(&f, "children.2"), &error_abort);
    drv->bdrv_add_child(f.bs, f.nodes[2], &error_abort);
    drv->bdrv_del_child(f.bs, child_at(&f, "children.0"), &error_abort);
    g_assert_null(child_at(&f, "children.0"));
    g_assert_cmpint(mem_do(f.blk, 'w', 512, 512, 6, 0), ==, 0);
    check_node(f.nodes[0], 512, 512, 5);
    check_node(f.nodes[2], 512, 512, 6);
    drv->bdrv_del_child(f.bs, child_at(&f, "children.1"), &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "The number of children cannot "
                    "be lower than the vote threshold 2");
    error_free(err);
    drv->bdrv_add_child(f.bs, f.nodes[0], &error_abort);
    g_assert_nonnull(child_at(&f, "children.3"));
    g_assert_cmpint(blk_getlength(f.blk), ==, MEM_LENGTH);
    teardown(&f);
}

static void lengths_differ(void)
{
    Error *err = NULL;
    Fixture f = { 0 };

    f.nodes[0] = mem_node("node0");
    f.nodes[1] = mem_node("node1");
    mem_set_length(f.nodes[1], MEM_LENGTH / 2);
    g_assert_null(open_quorum(2, NULL, NULL, &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Could not refresh total sector count: Input/output "
                    "error");
    error_free(err);
    bdrv_unref(f.nodes[0]);
    bdrv_unref(f.nodes[1]);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/quorum/votes", votes);
    g_test_add_func("/quorum/errors", errors);
    g_test_add_func("/quorum/fifo", fifo);
    g_test_add_func("/quorum/rewrite", rewrite);
    g_test_add_func("/quorum/write-meanwhile", write_meanwhile);
    g_test_add_func("/quorum/overlapping-writes", overlapping_writes);
    g_test_add_func("/quorum/parallel", parallel);
    g_test_add_func("/quorum/block-status", block_status);
    g_test_add_func("/quorum/permissions", permissions);
    g_test_add_func("/quorum/change-children", change_children);
    g_test_add_func("/quorum/lengths-differ", lengths_differ);
    return g_test_run();
}
