/*
 * SPDX-License-Identifier: MIT
 *
 * Which layer of a chain has the data.  Each layer is asked once for each of
 * its extents, not once for each extent of the chain, so that many layers
 * cost little.
 *
 * Invariant: [start, end) of a layer holds one answer of its driver; the
 * first layer's may be out of date, as it may be written to.
 */
#include "qemu/osdep.h"
#include "block/chain-map.h"

typedef enum LayerKind {
    LAYER_NONE,             /* nothing: look below */
    LAYER_DATA,
    LAYER_ZERO,
} LayerKind;

typedef struct ChainLayer {
    BdrvChild *edge;        /* to read from */
    BlockDriverState *bs;   /* the node with the data, no filter */
    int64_t start;
    int64_t end;
    LayerKind kind;
} ChainLayer;

struct ChainMap {
    GArray *layers;         /* of ChainLayer */
};

ChainMap *chain_map_new(BdrvChild *top, BlockDriverState *bottom)
{
    ChainMap *m = g_new0(ChainMap, 1);
    BdrvChild *c;

    m->layers = g_array_new(false, false, sizeof(ChainLayer));
    for (c = top; c; ) {
        ChainLayer layer = { .edge = c, .bs = bdrv_skip_filters(c->bs) };

        g_array_append_val(m->layers, layer);
        c = layer.bs == bottom ? NULL : bdrv_cow_child(layer.bs);
    }
    return m;
}

void chain_map_free(ChainMap *m)
{
    if (m) {
        g_array_free(m->layers, true);
        g_free(m);
    }
}

static int coroutine_fn layer_ask(ChainLayer *l, int64_t offset, int64_t bytes)
{
    int64_t n;
    int ret = bdrv_co_is_allocated(l->bs, offset, bytes, &n);

    if (ret < 0) {
        return ret;
    }
    l->start = offset;
    if (n == 0) {
        /* Behind its end there are zeroes. */
        l->kind = LAYER_ZERO;
        l->end = INT64_MAX;
        return 0;
    }
    l->kind = LAYER_NONE;
    if (ret) {
        int64_t len = n;

        ret = bdrv_co_block_status(l->bs, offset, len, &n, NULL, NULL);
        if (ret < 0 || n == 0) {
            /* Reading will tell. */
            n = len;
            ret = 0;
        }
        l->kind = ret & BDRV_BLOCK_ZERO ? LAYER_ZERO : LAYER_DATA;
    }
    l->end = offset + n;
    return 0;
}

int coroutine_fn chain_map_find(ChainMap *m, int64_t offset, int64_t bytes,
                                ChainExtent *e)
{
    unsigned i;

    *e = (ChainExtent) { .bytes = bytes, .layer = -1 };
    for (i = 0; i < m->layers->len; i++) {
        ChainLayer *l = &g_array_index(m->layers, ChainLayer, i);

        if (offset < l->start || offset >= l->end) {
            int ret = layer_ask(l, offset, bytes);

            if (ret < 0) {
                return ret;
            }
        }
        e->bytes = MIN(e->bytes, l->end - offset);
        if (l->kind != LAYER_NONE) {
            e->layer = i;
            e->source = l->edge;
            e->zero = l->kind == LAYER_ZERO;
            break;
        }
    }
    return 0;
}
