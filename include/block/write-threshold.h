/*
 * SPDX-License-Identifier: MIT
 *
 * An event when writes reach beyond an offset; then it is off again.
 */
#ifndef BLOCK_WRITE_THRESHOLD_H
#define BLOCK_WRITE_THRESHOLD_H

#include "block/block_int.h"

/* @threshold_bytes 0: off. */
void bdrv_write_threshold_set(BlockDriverState *bs, uint64_t threshold_bytes);
uint64_t bdrv_write_threshold_get(const BlockDriverState *bs);

#endif
