/*
 * SPDX-License-Identifier: MIT
 *
 * Handing images over to another process and taking them back.
 *
 * An inactive node (BDRV_O_INACTIVE) belongs to somebody else: it holds no
 * permissions that keep others out, its caches are clean, nobody may write.
 *
 * Invariants
 *   1. A node is inactivated after all of its parents and activated after all
 *      of its children.
 *   2. If one step fails, what was done before stays done; the caller takes
 *      everything back with bdrv_invalidate_cache_all().
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

/* ---- Activation ---- */

typedef struct InvalidateCall {
    BlockDriverState *bs;
    Error **errp;
} InvalidateCall;

static int coroutine_fn invalidate_call(void *opaque)
{
    InvalidateCall *c = opaque;
    int ret;

    bdrv_inc_in_flight(c->bs);
    ret = c->bs->drv->bdrv_co_invalidate_cache(c->bs, c->errp);
    bdrv_dec_in_flight(c->bs);
    return ret;
}

static int invalidate_driver(BlockDriverState *bs, Error **errp)
{
    InvalidateCall call = { bs, errp };

    if (!bs->drv->bdrv_co_invalidate_cache) {
        return 0;
    }
    return bdrv_run_co(bdrv_get_aio_context(bs), invalidate_call, &call);
}

static int activate_self(BlockDriverState *bs, Error **errp)
{
    BdrvDirtyBitmap *bitmap;
    BdrvChild *c, *next;
    int ret;

    bs->open_flags &= ~BDRV_O_INACTIVE;
    ret = bdrv_refresh_perms(bs, NULL, errp);
    if (ret == 0) {
        ret = invalidate_driver(bs, errp);
    }
    if (ret == 0) {
        FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
            bdrv_dirty_bitmap_skip_store(bitmap, false);
        }
        ret = bdrv_refresh_total_sectors(bs, bs->total_sectors);
        if (ret < 0) {
            error_setg_errno(errp, -ret,
                             "Could not refresh total sector count");
        }
    }
    if (ret < 0) {
        bs->open_flags |= BDRV_O_INACTIVE;
        bdrv_refresh_perms_loosened(bs);
        return ret;
    }
    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c->role->activate) {
            ret = c->role->activate(c, errp);
            if (ret < 0) {
                bs->open_flags |= BDRV_O_INACTIVE;
                return ret;
            }
        }
    }
    return 0;
}

int bdrv_activate(BlockDriverState *bs, Error **errp)
{
    BdrvChild *c;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    QLIST_FOREACH(c, &bs->children, next) {
        Error *local_err = NULL;

        bdrv_activate(c->bs, &local_err);
        if (local_err) {
            error_propagate(errp, local_err);
            return -EINVAL;
        }
    }
    return bs->open_flags & BDRV_O_INACTIVE ? activate_self(bs, errp) : 0;
}

void bdrv_invalidate_cache_all(Error **errp)
{
    BdrvNextIterator it;
    BlockDriverState *bs;

    for (bs = bdrv_first(&it); bs; bs = bdrv_next(&it)) {
        AioContext *ctx = bdrv_get_aio_context(bs);
        int ret;

        aio_context_acquire(ctx);
        ret = bdrv_activate(bs, errp);
        aio_context_release(ctx);
        if (ret < 0 && ret != -ENOMEDIUM) {
            bdrv_next_cleanup(&it);
            return;
        }
    }
}

/* ---- Inactivation ---- */

static bool has_active_parent(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        BlockDriverState *parent = bdrv_child_parent_bs(c);

        if (parent && !(parent->open_flags & BDRV_O_INACTIVE)) {
            return true;
        }
    }
    return false;
}

static int inactivate_parents(BlockDriverState *bs)
{
    BdrvChild *c, *next;

    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        int ret = c->role->inactivate ? c->role->inactivate(c) : 0;

        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static int inactivate_recurse(BlockDriverState *bs)
{
    uint64_t perm, shared;
    BdrvChild *c;
    int ret;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    /* It comes again from its last active parent. */
    if (has_active_parent(bs) || (bs->open_flags & BDRV_O_INACTIVE)) {
        return 0;
    }
    if (bs->drv->bdrv_inactivate) {
        ret = bs->drv->bdrv_inactivate(bs);
        if (ret < 0) {
            return ret;
        }
    }
    ret = inactivate_parents(bs);
    if (ret < 0) {
        return ret;
    }
    bdrv_get_cumulative_perm(bs, &perm, &shared);
    if (perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)) {
        /* Somebody has not been told, and would go on writing. */
        return -EPERM;
    }
    bs->open_flags |= BDRV_O_INACTIVE;
    bdrv_refresh_perms_loosened(bs);
    QLIST_FOREACH(c, &bs->children, next) {
        ret = inactivate_recurse(c->bs);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int bdrv_inactivate_all(void)
{
    BdrvNextIterator it;
    BlockDriverState *bs;

    for (bs = bdrv_first(&it); bs; bs = bdrv_next(&it)) {
        AioContext *ctx = bdrv_get_aio_context(bs);
        int ret = 0;

        aio_context_acquire(ctx);
        if (!has_active_parent(bs)) {
            bdrv_flush(bs);
            ret = inactivate_recurse(bs);
        }
        aio_context_release(ctx);
        if (ret < 0 && ret != -ENOMEDIUM) {
            bdrv_next_cleanup(&it);
            return ret;
        }
    }
    return 0;
}
