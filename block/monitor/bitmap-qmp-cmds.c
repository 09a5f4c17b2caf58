/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: block-dirty-bitmap-*.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qmp/qerror.h"

/* Node and bitmap of a command; NULL with @errp. */
static BdrvDirtyBitmap *find_bitmap(const char *node, const char *name,
                                    BlockDriverState **pbs, Error **errp)
{
    BlockDriverState *bs = bdrv_lookup_bs(node, node, NULL);
    BdrvDirtyBitmap *bitmap;

    if (!bs) {
        error_setg(errp, "Node '%s' not found", node);
        return NULL;
    }
    bitmap = bdrv_find_dirty_bitmap(bs, name);
    if (!bitmap) {
        error_setg(errp, "Dirty bitmap '%s' not found", name);
        return NULL;
    }
    if (pbs) {
        *pbs = bs;
    }
    return bitmap;
}

void qmp_block_dirty_bitmap_add(const char *node, const char *name,
                                bool has_granularity, uint32_t granularity,
                                bool has_persistent, bool persistent,
                                bool has_disabled, bool disabled,
                                Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap;
    AioContext *ctx;

    if (!*name) {
        error_setg(errp, "Bitmap name cannot be empty");
        return;
    }
    bs = bdrv_lookup_bs(node, node, errp);
    if (!bs) {
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (has_granularity) {
        if (granularity < 512 || !is_power_of_2(granularity)) {
            error_setg(errp, "Granularity must be power of 2 and at least 512");
            goto out;
        }
    } else {
        granularity = bdrv_get_default_bitmap_granularity(bs);
    }
    /* If there is one already, creating it says so. */
    if (has_persistent && persistent && !bdrv_find_dirty_bitmap(bs, name) &&
        !bdrv_can_store_new_dirty_bitmap(bs, name, granularity, errp)) {
        goto out;
    }
    bitmap = bdrv_create_dirty_bitmap(bs, granularity, name, errp);
    if (!bitmap) {
        goto out;
    }
    if (has_disabled && disabled) {
        bdrv_disable_dirty_bitmap(bitmap);
    }
    bdrv_dirty_bitmap_set_persistence(bitmap, has_persistent && persistent);
out:
    aio_context_release(ctx);
}

void qmp_block_dirty_bitmap_remove(const char *node, const char *name,
                                   Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *bitmap = find_bitmap(node, name, &bs, errp);
    AioContext *ctx;

    if (!bitmap) {
        return;
    }
    ctx = bdrv_get_aio_context(bs);
    aio_context_acquire(ctx);
    if (bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_BUSY | BDRV_BITMAP_RO,
                                errp) == 0 &&
        (!bdrv_dirty_bitmap_get_persistence(bitmap) ||
         bdrv_remove_persistent_dirty_bitmap(bs, name, errp) >= 0)) {
        bdrv_release_dirty_bitmap(bitmap);
    }
    aio_context_release(ctx);
}

void qmp_block_dirty_bitmap_clear(const char *node, const char *name,
                                  Error **errp)
{
    BdrvDirtyBitmap *bitmap = find_bitmap(node, name, NULL, errp);

    if (bitmap && !bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_DEFAULT,
                                           errp)) {
        bdrv_clear_dirty_bitmap(bitmap, NULL);
    }
}

void qmp_block_dirty_bitmap_enable(const char *node, const char *name,
                                   Error **errp)
{
    BdrvDirtyBitmap *bitmap = find_bitmap(node, name, NULL, errp);

    if (bitmap && !bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_ALLOW_RO,
                                           errp)) {
        bdrv_enable_dirty_bitmap(bitmap);
    }
}

void qmp_block_dirty_bitmap_disable(const char *node, const char *name,
                                    Error **errp)
{
    BdrvDirtyBitmap *bitmap = find_bitmap(node, name, NULL, errp);

    if (bitmap && !bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_ALLOW_RO,
                                           errp)) {
        bdrv_disable_dirty_bitmap(bitmap);
    }
}

/* The bitmap that one element of the list of sources means. */
static BdrvDirtyBitmap *merge_source(BlockDriverState *bs,
                                     BlockDirtyBitmapOrStr *src,
                                     Error **errp)
{
    BdrvDirtyBitmap *bitmap;

    if (src->type == QTYPE_QDICT) {
        bitmap = find_bitmap(src->u.external.node, src->u.external.name, NULL,
                             errp);
    } else {
        bitmap = bdrv_find_dirty_bitmap(bs, src->u.local);
        if (!bitmap) {
            error_setg(errp, "Dirty bitmap '%s' not found", src->u.local);
        }
    }
    return bitmap;
}

void qmp_block_dirty_bitmap_merge(const char *node, const char *target,
                                  BlockDirtyBitmapOrStrList *bitmaps,
                                  Error **errp)
{
    BlockDriverState *bs;
    BdrvDirtyBitmap *dst = find_bitmap(node, target, &bs, errp);
    BdrvDirtyBitmap *sum, *src;

    if (!dst || bdrv_dirty_bitmap_check(dst, BDRV_BITMAP_DEFAULT, errp) < 0) {
        return;
    }
    /* All or nothing: first into one of our own. */
    sum = bdrv_create_dirty_bitmap(bs, bdrv_dirty_bitmap_granularity(dst),
                                   NULL, errp);
    if (!sum) {
        return;
    }
    bdrv_disable_dirty_bitmap(sum);
    for (; bitmaps; bitmaps = bitmaps->next) {
        src = merge_source(bs, bitmaps->value, errp);
        if (!src || !bdrv_merge_dirty_bitmap(sum, src, NULL, errp)) {
            goto out;
        }
    }
    bdrv_merge_dirty_bitmap(dst, sum, NULL, errp);
out:
    bdrv_release_dirty_bitmap(sum);
}

BlockDirtyBitmapSha256 *qmp_x_debug_block_dirty_bitmap_sha256(
    const char *node, const char *name, Error **errp)
{
    BdrvDirtyBitmap *bitmap = find_bitmap(node, name, NULL, errp);
    BlockDirtyBitmapSha256 *ret;
    char *sha256;

    if (!bitmap) {
        return NULL;
    }
    sha256 = bdrv_dirty_bitmap_sha256(bitmap, errp);
    if (!sha256) {
        return NULL;
    }
    ret = g_new(BlockDirtyBitmapSha256, 1);
    ret->sha256 = sha256;
    return ret;
}
