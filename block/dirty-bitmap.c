/*
 * SPDX-License-Identifier: MIT
 *
 * Dirty bitmaps.
 *
 * Invariants
 *   1. bitmap->bitmap has the length of the node, except between a change of
 *      the length and bdrv_dirty_bitmap_truncate().
 *   2. A bitmap with a successor is busy and not enabled; the successor, which
 *      is anonymous, records in its place.
 *   3. A readonly or inconsistent bitmap's bits do not change.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

struct BdrvDirtyBitmap {
    /* Immutable */
    BlockDriverState *bs;
    char *name;                 /* NULL: anonymous */

    /* Main thread */
    BdrvDirtyBitmap *successor;
    bool busy;
    bool readonly;
    bool persistent;
    bool inconsistent;
    bool skip_store;

    /* Under bs->dirty_bitmap_mutex */
    HBitmap *bitmap;
    bool disabled;
    int64_t size;               /* bytes */
    int active_iterators;
    QLIST_ENTRY(BdrvDirtyBitmap) list;
};

struct BdrvDirtyBitmapIter {
    HBitmapIter hbi;
    BdrvDirtyBitmap *bitmap;
};

void bdrv_dirty_bitmap_lock(BdrvDirtyBitmap *bitmap)
{
    qemu_mutex_lock(&bitmap->bs->dirty_bitmap_mutex);
}

void bdrv_dirty_bitmap_unlock(BdrvDirtyBitmap *bitmap)
{
    qemu_mutex_unlock(&bitmap->bs->dirty_bitmap_mutex);
}

/* ---- Life ---- */

BdrvDirtyBitmap *bdrv_find_dirty_bitmap(BlockDriverState *bs,
                                        const char *name)
{
    BdrvDirtyBitmap *bm;

    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        if (bm->name && !strcmp(name, bm->name)) {
            return bm;
        }
    }
    return NULL;
}

BdrvDirtyBitmap *bdrv_create_dirty_bitmap(BlockDriverState *bs,
                                          uint32_t granularity,
                                          const char *name, Error **errp)
{
    BdrvDirtyBitmap *bitmap;
    int64_t size;

    assert(is_power_of_2(granularity) && granularity >= BDRV_SECTOR_SIZE);
    if (name) {
        if (bdrv_find_dirty_bitmap(bs, name)) {
            error_setg(errp, "Bitmap already exists: %s", name);
            return NULL;
        }
        if (strlen(name) > BDRV_BITMAP_MAX_NAME_SIZE) {
            error_setg(errp, "Bitmap name too long: %s", name);
            return NULL;
        }
    }
    size = bdrv_getlength(bs);
    if (size < 0) {
        error_setg_errno(errp, -size, "could not get length of device '%s'",
                         bdrv_get_device_or_node_name(bs));
        return NULL;
    }
    bitmap = g_new0(BdrvDirtyBitmap, 1);
    bitmap->bs = bs;
    bitmap->bitmap = hbitmap_alloc(size, ctz32(granularity));
    bitmap->size = size;
    bitmap->name = g_strdup(name);
    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    QLIST_INSERT_HEAD(&bs->dirty_bitmaps, bitmap, list);
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
    return bitmap;
}

/* Mutex held. */
static void release_locked(BdrvDirtyBitmap *bitmap)
{
    assert(!bitmap->active_iterators && !bitmap->busy && !bitmap->successor);
    QLIST_REMOVE(bitmap, list);
    hbitmap_free(bitmap->bitmap);
    g_free(bitmap->name);
    g_free(bitmap);
}

void bdrv_release_dirty_bitmap(BdrvDirtyBitmap *bitmap)
{
    BlockDriverState *bs = bitmap->bs;

    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    release_locked(bitmap);
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
}

void bdrv_release_named_dirty_bitmaps(BlockDriverState *bs)
{
    BdrvDirtyBitmap *bm, *next;

    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    QLIST_FOREACH_SAFE(bm, &bs->dirty_bitmaps, list, next) {
        if (bm->name) {
            release_locked(bm);
        }
    }
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
}

BdrvDirtyBitmap *bdrv_dirty_bitmap_first(BlockDriverState *bs)
{
    return QLIST_FIRST(&bs->dirty_bitmaps);
}

BdrvDirtyBitmap *bdrv_dirty_bitmap_next(BdrvDirtyBitmap *bitmap)
{
    return QLIST_NEXT(bitmap, list);
}

int bdrv_dirty_bitmap_check(const BdrvDirtyBitmap *bitmap, uint32_t flags,
                            Error **errp)
{
    if ((flags & BDRV_BITMAP_BUSY) && bitmap->busy) {
        error_setg(errp, "Bitmap '%s' is currently in use by another"
                   " operation and cannot be used", bitmap->name);
        return -1;
    }
    if ((flags & BDRV_BITMAP_RO) && bitmap->readonly) {
        error_setg(errp, "Bitmap '%s' is readonly and cannot be modified",
                   bitmap->name);
        return -1;
    }
    if ((flags & BDRV_BITMAP_INCONSISTENT) && bitmap->inconsistent) {
        error_setg(errp, "Bitmap '%s' is inconsistent and cannot be used",
                   bitmap->name);
        error_append_hint(errp, "Try block-dirty-bitmap-remove to delete"
                          " this bitmap from disk\n");
        return -1;
    }
    return 0;
}

uint32_t bdrv_get_default_bitmap_granularity(BlockDriverState *bs)
{
    BlockDriverInfo bdi;

    if (bdrv_get_info(bs, &bdi) >= 0 && bdi.cluster_size > 0) {
        return MAX(4096, bdi.cluster_size);
    }
    return 65536;
}

BlockDirtyInfoList *bdrv_query_dirty_bitmaps(BlockDriverState *bs)
{
    BlockDirtyInfoList *head = NULL, **tail = &head;
    BdrvDirtyBitmap *bm;

    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        BlockDirtyInfo *info = g_new0(BlockDirtyInfo, 1);

        info->count = hbitmap_count(bm->bitmap);
        info->granularity = bdrv_dirty_bitmap_granularity(bm);
        info->has_name = bm->name != NULL;
        info->name = g_strdup(bm->name);
        info->recording = bdrv_dirty_bitmap_recording(bm);
        info->busy = bm->busy;
        info->persistent = bm->persistent;
        info->has_inconsistent = bm->inconsistent;
        info->inconsistent = bm->inconsistent;
        QAPI_LIST_APPEND(tail, info);
    }
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
    return head;
}

/* ---- Successors ---- */

int bdrv_dirty_bitmap_create_successor(BdrvDirtyBitmap *bitmap, Error **errp)
{
    BdrvDirtyBitmap *child;

    if (bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_BUSY, errp)) {
        return -1;
    }
    if (bitmap->successor) {
        error_setg(errp, "Cannot create a successor for a bitmap that already "
                   "has one");
        return -1;
    }
    child = bdrv_create_dirty_bitmap(bitmap->bs,
                                     bdrv_dirty_bitmap_granularity(bitmap),
                                     NULL, errp);
    if (!child) {
        return -1;
    }
    bdrv_dirty_bitmap_lock(bitmap);
    /* It records if the bitmap did. */
    child->disabled = bitmap->disabled;
    bitmap->disabled = true;
    bitmap->successor = child;
    bitmap->busy = true;
    bdrv_dirty_bitmap_unlock(bitmap);
    return 0;
}

bool bdrv_dirty_bitmap_has_successor(BdrvDirtyBitmap *bitmap)
{
    return bitmap->successor;
}

void bdrv_dirty_bitmap_enable_successor(BdrvDirtyBitmap *bitmap)
{
    bdrv_enable_dirty_bitmap(bitmap->successor);
}

BdrvDirtyBitmap *bdrv_dirty_bitmap_abdicate(BdrvDirtyBitmap *bitmap,
                                            Error **errp)
{
    BdrvDirtyBitmap *heir = bitmap->successor;

    if (!heir) {
        error_setg(errp, "Cannot relinquish control if there's no successor "
                   "present");
        return NULL;
    }
    qemu_mutex_lock(&heir->bs->dirty_bitmap_mutex);
    heir->name = g_steal_pointer(&bitmap->name);
    heir->persistent = bitmap->persistent;
    bitmap->successor = NULL;
    bitmap->busy = false;
    release_locked(bitmap);
    qemu_mutex_unlock(&heir->bs->dirty_bitmap_mutex);
    return heir;
}

BdrvDirtyBitmap *bdrv_reclaim_dirty_bitmap(BdrvDirtyBitmap *bitmap,
                                           Error **errp)
{
    BdrvDirtyBitmap *successor = bitmap->successor;

    if (!successor) {
        error_setg(errp, "Cannot reclaim a successor when none is present");
        return NULL;
    }
    qemu_mutex_lock(&bitmap->bs->dirty_bitmap_mutex);
    if (!hbitmap_merge(bitmap->bitmap, successor->bitmap, bitmap->bitmap)) {
        qemu_mutex_unlock(&bitmap->bs->dirty_bitmap_mutex);
        error_setg(errp, "Merging of parent and successor bitmap failed");
        return NULL;
    }
    bitmap->disabled = successor->disabled;
    bitmap->busy = false;
    bitmap->successor = NULL;
    release_locked(successor);
    qemu_mutex_unlock(&bitmap->bs->dirty_bitmap_mutex);
    return bitmap;
}

/* ---- States ---- */

void bdrv_enable_dirty_bitmap_locked(BdrvDirtyBitmap *bitmap)
{
    bitmap->disabled = false;
}

void bdrv_enable_dirty_bitmap(BdrvDirtyBitmap *bitmap)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bdrv_enable_dirty_bitmap_locked(bitmap);
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_disable_dirty_bitmap(BdrvDirtyBitmap *bitmap)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->disabled = true;
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_dirty_bitmap_set_busy(BdrvDirtyBitmap *bitmap, bool busy)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->busy = busy;
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_dirty_bitmap_set_readonly(BdrvDirtyBitmap *bitmap, bool value)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->readonly = value;
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_dirty_bitmap_set_persistence(BdrvDirtyBitmap *bitmap,
                                       bool persistent)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->persistent = persistent;
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_dirty_bitmap_set_inconsistent(BdrvDirtyBitmap *bitmap)
{
    bdrv_dirty_bitmap_lock(bitmap);
    assert(bitmap->persistent);
    bitmap->inconsistent = true;
    bitmap->disabled = true;
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_dirty_bitmap_skip_store(BdrvDirtyBitmap *bitmap, bool skip)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->skip_store = skip;
    bdrv_dirty_bitmap_unlock(bitmap);
}

bool bdrv_dirty_bitmap_enabled(BdrvDirtyBitmap *bitmap)
{
    return !bitmap->disabled;
}

bool bdrv_dirty_bitmap_recording(BdrvDirtyBitmap *bitmap)
{
    return !bitmap->disabled ||
           (bitmap->successor && !bitmap->successor->disabled);
}

bool bdrv_dirty_bitmap_readonly(const BdrvDirtyBitmap *bitmap)
{
    return bitmap->readonly;
}

bool bdrv_dirty_bitmap_get_persistence(BdrvDirtyBitmap *bitmap)
{
    return bitmap->persistent && !bitmap->skip_store;
}

bool bdrv_dirty_bitmap_inconsistent(const BdrvDirtyBitmap *bitmap)
{
    return bitmap->inconsistent;
}

bool bdrv_has_readonly_bitmaps(BlockDriverState *bs)
{
    BdrvDirtyBitmap *bm;

    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        if (bm->readonly) {
            return true;
        }
    }
    return false;
}

bool bdrv_has_named_bitmaps(BlockDriverState *bs)
{
    BdrvDirtyBitmap *bm;

    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        if (bm->name) {
            return true;
        }
    }
    return false;
}

const char *bdrv_dirty_bitmap_name(const BdrvDirtyBitmap *bitmap)
{
    return bitmap->name;
}

int64_t bdrv_dirty_bitmap_size(const BdrvDirtyBitmap *bitmap)
{
    return bitmap->size;
}

uint32_t bdrv_dirty_bitmap_granularity(const BdrvDirtyBitmap *bitmap)
{
    return BDRV_SECTOR_SIZE << (hbitmap_granularity(bitmap->bitmap) -
                                BDRV_SECTOR_BITS);
}

char *bdrv_dirty_bitmap_sha256(const BdrvDirtyBitmap *bitmap, Error **errp)
{
    return hbitmap_sha256(bitmap->bitmap, errp);
}

/* ---- Persistence, by the driver ---- */

/* What the driver's hooks are asked about */
typedef struct StoredBitmap {
    BlockDriverState *bs;
    const char *name;
    uint32_t granularity;
    Error **errp;
} StoredBitmap;

static int coroutine_fn can_store(void *opaque)
{
    StoredBitmap *b = opaque;
    BlockDriver *drv = b->bs->drv;

    return drv->bdrv_co_can_store_new_dirty_bitmap(b->bs, b->name,
                                                   b->granularity, b->errp);
}

bool bdrv_can_store_new_dirty_bitmap(BlockDriverState *bs, const char *name,
                                     uint32_t granularity, Error **errp)
{
    StoredBitmap b = { bs, name, granularity, errp };

    if (!bs->drv || !bs->drv->bdrv_co_can_store_new_dirty_bitmap) {
        error_setg_errno(errp, bs->drv ? ENOTSUP : ENOMEDIUM,
                         "Can't store persistent bitmaps to %s",
                         bdrv_get_device_or_node_name(bs));
        return false;
    }
    return bdrv_run_co(bdrv_get_aio_context(bs), can_store, &b);
}

int coroutine_fn bdrv_co_remove_persistent_dirty_bitmap(BlockDriverState *bs,
                                                        const char *name,
                                                        Error **errp)
{
    return bs->drv && bs->drv->bdrv_co_remove_persistent_dirty_bitmap
        ? bs->drv->bdrv_co_remove_persistent_dirty_bitmap(bs, name, errp) : 0;
}

static int coroutine_fn remove_stored(void *opaque)
{
    StoredBitmap *b = opaque;

    return bdrv_co_remove_persistent_dirty_bitmap(b->bs, b->name, b->errp);
}

int bdrv_remove_persistent_dirty_bitmap(BlockDriverState *bs,
                                        const char *name, Error **errp)
{
    StoredBitmap b = { bs, name, 0, errp };

    return bdrv_run_co(bdrv_get_aio_context(bs), remove_stored, &b);
}

/* ---- Bits ---- */

bool bdrv_dirty_bitmap_get_locked(BdrvDirtyBitmap *bitmap, int64_t offset)
{
    return hbitmap_get(bitmap->bitmap, offset);
}

bool bdrv_dirty_bitmap_get(BdrvDirtyBitmap *bitmap, int64_t offset)
{
    bool ret;

    bdrv_dirty_bitmap_lock(bitmap);
    ret = bdrv_dirty_bitmap_get_locked(bitmap, offset);
    bdrv_dirty_bitmap_unlock(bitmap);
    return ret;
}

void bdrv_set_dirty_bitmap_locked(BdrvDirtyBitmap *bitmap, int64_t offset,
                                  int64_t bytes)
{
    assert(!bitmap->readonly);
    hbitmap_set(bitmap->bitmap, offset, bytes);
}

void bdrv_set_dirty_bitmap(BdrvDirtyBitmap *bitmap, int64_t offset,
                           int64_t bytes)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bdrv_set_dirty_bitmap_locked(bitmap, offset, bytes);
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_reset_dirty_bitmap_locked(BdrvDirtyBitmap *bitmap, int64_t offset,
                                    int64_t bytes)
{
    assert(!bitmap->readonly);
    hbitmap_reset(bitmap->bitmap, offset, bytes);
}

void bdrv_reset_dirty_bitmap(BdrvDirtyBitmap *bitmap, int64_t offset,
                             int64_t bytes)
{
    bdrv_dirty_bitmap_lock(bitmap);
    bdrv_reset_dirty_bitmap_locked(bitmap, offset, bytes);
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_clear_dirty_bitmap(BdrvDirtyBitmap *bitmap, HBitmap **out)
{
    assert(!bitmap->readonly);
    bdrv_dirty_bitmap_lock(bitmap);
    if (!out) {
        hbitmap_reset_all(bitmap->bitmap);
    } else {
        *out = bitmap->bitmap;
        bitmap->bitmap = hbitmap_alloc(bitmap->size,
                                       hbitmap_granularity(*out));
    }
    bdrv_dirty_bitmap_unlock(bitmap);
}

void bdrv_restore_dirty_bitmap(BdrvDirtyBitmap *bitmap, HBitmap *backup)
{
    HBitmap *old = bitmap->bitmap;

    assert(!bitmap->readonly);
    bdrv_dirty_bitmap_lock(bitmap);
    bitmap->bitmap = backup;
    bdrv_dirty_bitmap_unlock(bitmap);
    hbitmap_free(old);
}

bool bdrv_merge_dirty_bitmap(BdrvDirtyBitmap *dest, const BdrvDirtyBitmap *src,
                             HBitmap **backup, Error **errp)
{
    bool other = src->bs != dest->bs, ok;

    if (bdrv_dirty_bitmap_check(dest, BDRV_BITMAP_DEFAULT, errp) ||
        bdrv_dirty_bitmap_check(src, BDRV_BITMAP_ALLOW_RO, errp)) {
        return false;
    }
    if (dest->size != src->size) {
        error_setg(errp, "Bitmaps are of different sizes (destination size is "
                   "%" PRId64 ", source size is %" PRId64 ") and can't be "
                   "merged", dest->size, src->size);
        return false;
    }
    qemu_mutex_lock(&dest->bs->dirty_bitmap_mutex);
    if (other) {
        qemu_mutex_lock(&src->bs->dirty_bitmap_mutex);
    }
    if (backup) {
        *backup = dest->bitmap;
        dest->bitmap = hbitmap_alloc(dest->size,
                                     hbitmap_granularity(*backup));
        ok = hbitmap_merge(*backup, src->bitmap, dest->bitmap);
    } else {
        ok = hbitmap_merge(dest->bitmap, src->bitmap, dest->bitmap);
    }
    if (other) {
        qemu_mutex_unlock(&src->bs->dirty_bitmap_mutex);
    }
    qemu_mutex_unlock(&dest->bs->dirty_bitmap_mutex);
    assert(ok);
    return true;
}

void bdrv_set_dirty(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    BdrvDirtyBitmap *bm;

    if (likely(QLIST_EMPTY_ATOMIC(&bs->dirty_bitmaps))) {
        return;
    }
    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        if (!bm->disabled) {
            int64_t end = MIN(offset + bytes, bm->size);

            assert(!bm->readonly);
            if (offset < end) {
                hbitmap_set(bm->bitmap, offset, end - offset);
            }
        }
    }
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
}

void bdrv_dirty_bitmap_truncate(BlockDriverState *bs, int64_t bytes)
{
    BdrvDirtyBitmap *bm;

    qemu_mutex_lock(&bs->dirty_bitmap_mutex);
    QLIST_FOREACH(bm, &bs->dirty_bitmaps, list) {
        assert(!bm->active_iterators);
        hbitmap_truncate(bm->bitmap, bytes);
        bm->size = bytes;
    }
    qemu_mutex_unlock(&bs->dirty_bitmap_mutex);
}

/* ---- Searching ---- */

int64_t bdrv_get_dirty_count(BdrvDirtyBitmap *bitmap)
{
    return hbitmap_count(bitmap->bitmap);
}

int64_t bdrv_dirty_bitmap_next_dirty(BdrvDirtyBitmap *bitmap, int64_t offset,
                                     int64_t bytes)
{
    return hbitmap_next_dirty(bitmap->bitmap, offset, bytes);
}

int64_t bdrv_dirty_bitmap_next_zero(BdrvDirtyBitmap *bitmap, int64_t offset,
                                    int64_t bytes)
{
    int64_t zero = hbitmap_next_zero(bitmap->bitmap, offset);

    return zero >= 0 && zero - offset < bytes ? zero : -1;
}

bool bdrv_dirty_bitmap_next_dirty_area(BdrvDirtyBitmap *bitmap, int64_t start,
                                       int64_t end, int64_t max_dirty_count,
                                       int64_t *dirty_start,
                                       int64_t *dirty_count)
{
    bool ret;

    bdrv_dirty_bitmap_lock(bitmap);
    ret = hbitmap_next_dirty_area(bitmap->bitmap, start, end, max_dirty_count,
                                  dirty_start, dirty_count);
    bdrv_dirty_bitmap_unlock(bitmap);
    return ret;
}

bool bdrv_dirty_bitmap_status(BdrvDirtyBitmap *bitmap, int64_t offset,
                              int64_t bytes, int64_t *count)
{
    return hbitmap_status(bitmap->bitmap, offset, bytes, count);
}

BdrvDirtyBitmapIter *bdrv_dirty_iter_new(BdrvDirtyBitmap *bitmap)
{
    BdrvDirtyBitmapIter *iter = g_new(BdrvDirtyBitmapIter, 1);

    hbitmap_iter_init(&iter->hbi, bitmap->bitmap, 0);
    iter->bitmap = bitmap;
    bitmap->active_iterators++;
    return iter;
}

void bdrv_dirty_iter_free(BdrvDirtyBitmapIter *iter)
{
    if (iter) {
        assert(iter->bitmap->active_iterators > 0);
        iter->bitmap->active_iterators--;
        g_free(iter);
    }
}

int64_t bdrv_dirty_iter_next(BdrvDirtyBitmapIter *iter)
{
    return hbitmap_iter_next(&iter->hbi);
}

void bdrv_set_dirty_iter(BdrvDirtyBitmapIter *iter, int64_t offset)
{
    hbitmap_iter_init(&iter->hbi, iter->hbi.hb, offset);
}

/* ---- Serialisation ---- */

uint64_t bdrv_dirty_bitmap_serialization_size(const BdrvDirtyBitmap *bitmap,
                                              uint64_t offset, uint64_t bytes)
{
    return hbitmap_serialization_size(bitmap->bitmap, offset, bytes);
}

uint64_t bdrv_dirty_bitmap_serialization_align(const BdrvDirtyBitmap *bitmap)
{
    return hbitmap_serialization_align(bitmap->bitmap);
}

uint64_t bdrv_dirty_bitmap_serialization_coverage(int serialized_chunk_size,
                                                  const BdrvDirtyBitmap *b)
{
    uint64_t granularity = bdrv_dirty_bitmap_granularity(b);
    uint64_t limit = granularity * (serialized_chunk_size << 3);

    assert(QEMU_IS_ALIGNED(limit, bdrv_dirty_bitmap_serialization_align(b)));
    return limit;
}

void bdrv_dirty_bitmap_serialize_part(const BdrvDirtyBitmap *bitmap,
                                      uint8_t *buf, uint64_t offset,
                                      uint64_t bytes)
{
    hbitmap_serialize_part(bitmap->bitmap, buf, offset, bytes);
}

void bdrv_dirty_bitmap_deserialize_part(BdrvDirtyBitmap *bitmap, uint8_t *buf,
                                        uint64_t offset, uint64_t bytes,
                                        bool finish)
{
    hbitmap_deserialize_part(bitmap->bitmap, buf, offset, bytes, finish);
}

void bdrv_dirty_bitmap_deserialize_zeroes(BdrvDirtyBitmap *bitmap,
                                          uint64_t offset, uint64_t bytes,
                                          bool finish)
{
    hbitmap_deserialize_zeroes(bitmap->bitmap, offset, bytes, finish);
}

void bdrv_dirty_bitmap_deserialize_ones(BdrvDirtyBitmap *bitmap,
                                        uint64_t offset, uint64_t bytes,
                                        bool finish)
{
    hbitmap_deserialize_ones(bitmap->bitmap, offset, bytes, finish);
}

void bdrv_dirty_bitmap_deserialize_finish(BdrvDirtyBitmap *bitmap)
{
    hbitmap_deserialize_finish(bitmap->bitmap);
}
