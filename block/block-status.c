/*
 * SPDX-License-Identifier: MIT
 *
 * Where a node's data are, extent by extent.
 *
 * A driver answers with the longest extent it can tell cheaply; here answers
 * of formats and files below them are put together, and layers of a backing
 * chain.  Nothing is done in proportion to lengths.
 */
#include "qemu/osdep.h"
#include "block/io-internal.h"

/* ---- One layer ---- */

int coroutine_fn bdrv_co_default_block_status(BlockDriverState *bs,
        bool want_zero, int64_t offset, int64_t bytes, int64_t *pnum,
        int64_t *map, BlockDriverState **file)
{
    BdrvChild *child = bdrv_filter_child(bs);

    *pnum = bytes;
    *map = offset;
    if (child) {
        *file = child->bs;
        return BDRV_BLOCK_RAW | BDRV_BLOCK_OFFSET_VALID;
    }
    *file = bs;
    return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
}

/*
 * The last run of data of a node that has none below it: asking the kernel
 * again and again, cluster by cluster, would be slow.  Only data are kept, so
 * writes of data change nothing; what zeroes or discards calls
 * bdrv_status_cache_drop().
 */
struct BdrvStatusCache {
    int64_t start;
    int64_t end;        /* start if there is none */
};

void bdrv_status_cache_drop(BlockDriverState *bs, int64_t offset,
                            int64_t bytes)
{
    struct BdrvStatusCache *cache = bs->status_cache;

    if (cache && offset < cache->end && cache->start - offset < bytes) {
        cache->end = cache->start;
    }
}

static bool cached_data(BlockDriverState *bs, int64_t offset, int64_t *pnum)
{
    struct BdrvStatusCache *cache = bs->status_cache;

    if (!cache || offset < cache->start || offset >= cache->end) {
        return false;
    }
    *pnum = cache->end - offset;
    return true;
}

static void cache_data(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    if (!bs->status_cache) {
        bs->status_cache = g_new(struct BdrvStatusCache, 1);
    }
    bs->status_cache->start = offset;
    bs->status_cache->end = offset + bytes;
}

/* The driver's answer for an aligned range, cut to [offset, offset+bytes). */
static int coroutine_fn ask_driver(BlockDriverState *bs, bool want_zero,
                                   int64_t offset, int64_t bytes,
                                   int64_t *pnum, int64_t *map,
                                   BlockDriverState **file)
{
    int64_t align = bs->bl.request_alignment;
    int64_t start = QEMU_ALIGN_DOWN(offset, align);
    int64_t len = QEMU_ALIGN_UP(offset + bytes, align) - start;
    const int data_here = BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    int ret;

    if (!bs->drv->bdrv_co_block_status) {
        ret = bdrv_co_default_block_status(bs, want_zero, start, len, pnum,
                                           map, file);
    } else if (want_zero && cached_data(bs, start, pnum)) {
        *map = start;
        *file = bs;
        ret = data_here;
    } else {
        bool to_cache = want_zero && QLIST_EMPTY(&bs->children);

        if (to_cache) {
            /* It costs no more to ask how far it goes. */
            len = QEMU_ALIGN_UP(MAX(offset + bytes, bdrv_getlength(bs)),
                                align) - start;
        }
        ret = bs->drv->bdrv_co_block_status(bs, want_zero, start, len, pnum,
                                            map, file);
        if (to_cache && ret == data_here && *file == bs && *map == start) {
            cache_data(bs, start, *pnum);
        }
    }
    if (ret < 0) {
        return ret;
    }
    assert(*pnum > offset - start);
    *pnum = MIN(*pnum - (offset - start), bytes);
    if (ret & BDRV_BLOCK_OFFSET_VALID) {
        *map += offset - start;
    }
    return ret;
}

/* The file below may know that the data of a format are zeroes. */
static int coroutine_fn ask_below(BlockDriverState *bs, int ret,
                                  int64_t *pnum, int64_t map,
                                  BlockDriverState *file)
{
    int64_t file_pnum;
    int r;

    if (!(ret & BDRV_BLOCK_RECURSE) || !(ret & BDRV_BLOCK_DATA) ||
        !(ret & BDRV_BLOCK_OFFSET_VALID) || (ret & BDRV_BLOCK_ZERO) ||
        !file || file == bs) {
        return ret;
    }
    r = bdrv_co_block_status(file, map, *pnum, &file_pnum, NULL, NULL);
    if (r < 0) {
        return ret;
    }
    if ((r & BDRV_BLOCK_EOF) && (!file_pnum || (r & BDRV_BLOCK_ZERO))) {
        /* Beyond the end of the file there are zeroes. */
        return ret | BDRV_BLOCK_ZERO;
    }
    if (file_pnum) {
        *pnum = file_pnum;
        ret |= r & BDRV_BLOCK_ZERO;
    }
    return ret;
}

static int coroutine_fn status_of_layer(BlockDriverState *bs, bool want_zero,
                                        int64_t offset, int64_t bytes,
                                        int64_t *pnum, int64_t *map,
                                        BlockDriverState **file)
{
    int64_t total = bdrv_getlength(bs), local_map = 0;
    BlockDriverState *local_file = NULL;
    bool eof;
    int ret;

    *pnum = 0;
    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (total < 0) {
        return total;
    }
    if (offset >= total) {
        ret = BDRV_BLOCK_EOF;
        goto out;
    }
    bytes = MIN(bytes, total - offset);
    if (!bytes) {
        ret = 0;
        goto out;
    }
    bdrv_inc_in_flight(bs);
    ret = ask_driver(bs, want_zero, offset, bytes, pnum, &local_map,
                     &local_file);
    if (ret >= 0 && (ret & BDRV_BLOCK_RAW)) {
        assert(ret & BDRV_BLOCK_OFFSET_VALID && local_file);
        ret = status_of_layer(local_file, want_zero, local_map, *pnum, pnum,
                              &local_map, &local_file);
        /* The end of what is below need not be ours. */
        ret = ret < 0 ? ret : ret & ~BDRV_BLOCK_EOF;
        if (ret >= 0 && *pnum == 0) {
            *pnum = bytes;
            ret |= BDRV_BLOCK_ZERO;
        }
    } else if (ret >= 0) {
        if (ret & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO)) {
            ret |= BDRV_BLOCK_ALLOCATED;
        } else if (bs->drv->supports_backing) {
            BlockDriverState *cow = bdrv_cow_bs(bs);
            int64_t cow_len = cow ? bdrv_getlength(cow) : 0;

            if (!cow) {
                ret |= BDRV_BLOCK_ZERO;
            } else if (want_zero && cow_len >= 0 && offset >= cow_len) {
                ret |= BDRV_BLOCK_ZERO;
            }
        }
        if (want_zero) {
            ret = ask_below(bs, ret, pnum, local_map, local_file);
        }
    }
    bdrv_dec_in_flight(bs);
    eof = ret >= 0 && offset + *pnum == total;
    ret |= eof ? BDRV_BLOCK_EOF : 0;
out:
    if (ret >= 0 && map) {
        *map = local_map;
    }
    if (ret >= 0 && file) {
        *file = local_file;
    }
    return ret;
}

/* ---- Chains ---- */

/* A part of a chain: from top down to base. */
typedef struct ChainRange {
    BlockDriverState *top;
    BlockDriverState *base;
    bool include_base;
    bool want_zero;
    int depth;          /* result: how far down the answer was; 1 is top */
} ChainRange;

/* What the part shows. */
static int coroutine_fn status_of_chain(ChainRange *range, int64_t offset,
                                        int64_t bytes, int64_t *pnum,
                                        int64_t *map, BlockDriverState **file)
{
    BlockDriverState *bs = range->top, *base = range->base;
    bool include_base = range->include_base, want_zero = range->want_zero;
    int *depth = &range->depth;
    int64_t eof = 0;
    int ret;

    *depth = 0;
    if (!include_base && bs == base) {
        *pnum = bytes;
        return 0;
    }
    ret = status_of_layer(bs, want_zero, offset, bytes, pnum, map, file);
    ++*depth;
    if (ret < 0 || *pnum == 0 || (ret & BDRV_BLOCK_ALLOCATED) || bs == base) {
        return ret;
    }
    if (ret & BDRV_BLOCK_EOF) {
        eof = offset + *pnum;
    }
    bytes = *pnum;
    while ((bs = bdrv_filter_or_cow_bs(bs)) && (include_base || bs != base)) {
        ret = status_of_layer(bs, want_zero, offset, bytes, pnum, map, file);
        ++*depth;
        if (ret < 0) {
            return ret;
        }
        if (*pnum == 0) {
            /* It is shorter: zeroes, as if this layer had them. */
            assert(ret & BDRV_BLOCK_EOF);
            *pnum = bytes;
            if (file) {
                *file = bs;
            }
            ret = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
            break;
        }
        if (ret & BDRV_BLOCK_ALLOCATED) {
            /* The end of a layer below need not be that of the top. */
            ret &= ~BDRV_BLOCK_EOF;
            break;
        }
        bytes = MIN(bytes, *pnum);
        *pnum = bytes;
        ret &= ~BDRV_BLOCK_EOF;
        if (bs == base) {
            break;
        }
    }
    if (offset + *pnum == eof) {
        ret |= BDRV_BLOCK_EOF;
    }
    return ret;
}

int coroutine_fn bdrv_co_block_status_above(BlockDriverState *bs,
                                            BlockDriverState *base,
                                            int64_t offset, int64_t bytes,
                                            int64_t *pnum, int64_t *map,
                                            BlockDriverState **file)
{
    ChainRange range = { .top = bs, .base = base, .want_zero = true };

    return status_of_chain(&range, offset, bytes, pnum, map, file);
}

int coroutine_fn bdrv_co_block_status(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *pnum,
                                      int64_t *map, BlockDriverState **file)
{
    return status_of_layer(bs, true, offset, bytes, pnum, map, file);
}

int coroutine_fn bdrv_co_is_zero_fast(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes)
{
    int64_t pnum;
    int ret;

    if (!bytes) {
        return 1;
    }
    ret = bdrv_co_block_status_above(bs, NULL, offset, bytes, &pnum, NULL,
                                     NULL);
    if (ret < 0) {
        return ret;
    }
    return pnum == bytes && (ret & BDRV_BLOCK_ZERO);
}

int coroutine_fn bdrv_co_is_allocated(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *pnum)
{
    int64_t dummy;
    int ret = status_of_layer(bs, false, offset, bytes, pnum ? pnum : &dummy,
                              NULL, NULL);

    return ret < 0 ? ret : !!(ret & BDRV_BLOCK_ALLOCATED);
}

int coroutine_fn bdrv_co_is_allocated_above(BlockDriverState *top,
                                            BlockDriverState *base,
                                            bool include_base, int64_t offset,
                                            int64_t bytes, int64_t *pnum)
{
    ChainRange range = {
        .top = top,
        .base = base,
        .include_base = include_base,
    };
    int ret = status_of_chain(&range, offset, bytes, pnum, NULL, NULL);

    if (ret < 0) {
        return ret;
    }
    return ret & BDRV_BLOCK_ALLOCATED ? range.depth : 0;
}
