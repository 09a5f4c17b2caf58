/*
 * SPDX-License-Identifier: MIT
 *
 * The filter copy-on-read, for jobs that put one above their node.
 */
#ifndef BLOCK_COPY_ON_READ_H
#define BLOCK_COPY_ON_READ_H

#include "block/block_int.h"

/* Main thread: put a filter above @bs that keeps what the chain down to node
 * @bottom has.  Returns it with a reference, or NULL with @errp. @node_name
 * may be NULL: invisible to users. */
BlockDriverState *bdrv_cor_filter_append(BlockDriverState *bs,
                                         const char *bottom,
                                         const char *node_name, Error **errp);
/* Main thread: take it away and drop the reference. */
void bdrv_cor_filter_drop(BlockDriverState *filter);

#endif
