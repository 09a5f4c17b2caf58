/*
 * SPDX-License-Identifier: MIT
 *
 * Block drivers without images, and snapshots of the graph, for tests of the
 * graph.
 */
#include "qemu/osdep.h"
#include "graph-test-util.h"
#include "qapi/error.h"
#include "qemu/iov.h"

TestHookCounts test_hooks;
const char *test_refuse_perm_of;

static int64_t plain_getlength(BlockDriverState *bs)
{
    return 1024 * 1024;
}

static int coroutine_fn plain_co_preadv(BlockDriverState *bs, uint64_t offset,
                                        uint64_t bytes, QEMUIOVector *qiov,
                                        int flags)
{
    qemu_iovec_memset(qiov, 0, 0, bytes);
    return 0;
}

static int coroutine_fn plain_co_pwritev(BlockDriverState *bs,
                                         uint64_t offset, uint64_t bytes,
                                         QEMUIOVector *qiov, int flags)
{
    return 0;
}

static void plain_close(BlockDriverState *bs)
{
    test_hooks.close++;
}

static int plain_check_perm(BlockDriverState *bs, uint64_t perm,
                            uint64_t shared, Error **errp)
{
    test_hooks.check_perm++;
    if (test_refuse_perm_of && !strcmp(test_refuse_perm_of, bs->node_name)) {
        error_setg(errp, "refused by '%s'", bs->node_name);
        return -EPERM;
    }
    return 0;
}

static void plain_set_perm(BlockDriverState *bs, uint64_t perm,
                           uint64_t shared)
{
    test_hooks.set_perm++;
}

static void plain_abort_perm_update(BlockDriverState *bs)
{
    test_hooks.abort_perm++;
}

static void plain_detach_aio_context(BlockDriverState *bs)
{
    test_hooks.detach_ctx++;
}

static void plain_attach_aio_context(BlockDriverState *bs, AioContext *ctx)
{
    test_hooks.attach_ctx++;
}

static int plain_change_backing_file(BlockDriverState *bs, const char *file,
                                     const char *fmt)
{
    return 0;
}

BlockDriver test_plain = {
    .format_name              = "test-plain",
    .is_format                = true,
    .supports_backing         = true,
    .bdrv_close               = plain_close,
    .bdrv_getlength           = plain_getlength,
    .bdrv_co_preadv           = plain_co_preadv,
    .bdrv_co_pwritev          = plain_co_pwritev,
    .bdrv_child_perm          = bdrv_default_perms,
    .bdrv_check_perm          = plain_check_perm,
    .bdrv_set_perm            = plain_set_perm,
    .bdrv_abort_perm_update   = plain_abort_perm_update,
    .bdrv_detach_aio_context  = plain_detach_aio_context,
    .bdrv_attach_aio_context  = plain_attach_aio_context,
    .bdrv_change_backing_file = plain_change_backing_file,
};

BlockDriver test_filter = {
    .format_name     = "test-filter",
    .is_filter       = true,
    .bdrv_getlength  = plain_getlength,
    .bdrv_co_preadv  = plain_co_preadv,
    .bdrv_co_pwritev = plain_co_pwritev,
};

BlockDriver test_backing_filter = {
    .format_name               = "test-backing-filter",
    .is_filter                 = true,
    .filtered_child_is_backing = true,
    .bdrv_getlength            = plain_getlength,
    .bdrv_co_preadv            = plain_co_preadv,
    .bdrv_co_pwritev           = plain_co_pwritev,
};

static void exclusive_child_perm(BlockDriverState *bs, BdrvChild *c,
                                 const BdrvChildRole *role,
                                 BlockReopenQueue *q, uint64_t perm,
                                 uint64_t shared, uint64_t *nperm,
                                 uint64_t *nshared)
{
    *nperm = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE;
    *nshared = BLK_PERM_ALL & ~(uint64_t)BLK_PERM_WRITE;
}

BlockDriver test_exclusive = {
    .format_name     = "test-exclusive",
    .bdrv_getlength  = plain_getlength,
    .bdrv_co_preadv  = plain_co_preadv,
    .bdrv_co_pwritev = plain_co_pwritev,
    .bdrv_child_perm = exclusive_child_perm,
};

BlockDriverState *test_node(BlockDriver *drv, const char *name)
{
    return bdrv_new_open_driver(drv, name, BDRV_O_RDWR, &error_abort);
}

static const char *name_or_none(BdrvChild *c)
{
    return c ? c->bs->node_name : "-";
}

char *test_graph_text(void)
{
    GString *s = g_string_new(NULL);
    BlockDriverState *bs = NULL;
    BdrvChild *c;

    while ((bs = bdrv_next_node(bs))) {
        g_string_append_printf(s, "%s ref=%d file=%s backing=%s heir=%s "
                               "perm=%" PRIx64 "/%" PRIx64 " blocked=%d\n",
                               bs->node_name, bs->refcnt,
                               name_or_none(bs->file),
                               name_or_none(bs->backing),
                               bs->inherits_from
                               ? bs->inherits_from->node_name : "-",
                               bs->cumulative_perm, bs->cumulative_shared,
                               !bdrv_op_blocker_is_empty(bs));
        QLIST_FOREACH(c, &bs->children, next) {
            g_string_append_printf(s, "  %s -> %s %" PRIx64 "/%" PRIx64
                                   " drained %d\n", c->name,
                                   c->bs->node_name, c->perm, c->shared_perm,
                                   c->quiesced_parent);
        }
        QLIST_FOREACH(c, &bs->parents, next_parent) {
            g_autofree char *user = c->role->get_parent_desc(c);

            g_string_append_printf(s, "  by %s\n", user);
        }
    }
    return g_string_free(s, false);
}

void test_expect_error(Error **err, const char *expected)
{
    g_assert_nonnull(*err);
    g_assert_cmpstr(error_get_pretty(*err), ==, expected);
    error_free(*err);
    *err = NULL;
}

void test_expect_no_nodes(void)
{
    g_assert_null(bdrv_next_all_states(NULL));
}
