/*
 * SPDX-License-Identifier: MIT
 *
 * Which layer of a part of a backing chain has the data, extent by extent,
 * for jobs that go through the whole of it.
 *
 * Context: the AioContext of the nodes.  The links of the part are frozen, and
 * nobody writes to its layers but, maybe, the first.
 */
#ifndef BLOCK_CHAIN_MAP_H
#define BLOCK_CHAIN_MAP_H

#include "block/block_int.h"

typedef struct ChainMap ChainMap;

typedef struct ChainExtent {
    int64_t bytes;          /* its length, > 0 */
    int layer;              /* 0 is the first one; -1: none has data here */
    BdrvChild *source;      /* to read it from that layer; NULL: none */
    bool zero;              /* it reads as zeroes */
} ChainExtent;

/* The layers from the node that @top leads to down to @bottom, which is
 * included; filters belong to the layer below them. Main thread. */
ChainMap *chain_map_new(BdrvChild *top, BlockDriverState *bottom);
void chain_map_free(ChainMap *m);

/* The extent at @offset, cut to @bytes (> 0); 0 or -errno. */
int coroutine_fn chain_map_find(ChainMap *m, int64_t offset, int64_t bytes,
                                ChainExtent *e);

#endif
