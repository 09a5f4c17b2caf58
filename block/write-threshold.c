/*
 * SPDX-License-Identifier: MIT
 *
 * An event when writes reach beyond an offset.
 */
#include "qemu/osdep.h"
#include "block/write-threshold.h"
#include "qapi/error.h"
#include "qapi/qapi-events-block-core.h"

void bdrv_write_threshold_set(BlockDriverState *bs, uint64_t threshold_bytes)
{
    bs->write_threshold_offset = threshold_bytes;
}

uint64_t bdrv_write_threshold_get(const BlockDriverState *bs)
{
    return bs->write_threshold_offset;
}

void bdrv_write_threshold_check_write(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes)
{
    uint64_t threshold = bs->write_threshold_offset;
    uint64_t end = offset + bytes;

    if (threshold && end > threshold) {
        bs->write_threshold_offset = 0;
        qapi_event_send_block_write_threshold(bs->node_name, end - threshold,
                                              threshold, &error_abort);
    }
}
