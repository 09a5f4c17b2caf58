/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: block-latency-histogram-set.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block.h"
#include "sysemu/block-backend.h"

/* What is asked for one kind of requests. */
typedef struct HistogramRequest {
    enum BlockAcctType type;
    const char *name;
    bool given;
    uint64List *boundaries;
} HistogramRequest;

void qmp_block_latency_histogram_set(
    const char *id, bool has_boundaries, uint64List *boundaries,
    bool has_boundaries_read, uint64List *boundaries_read,
    bool has_boundaries_write, uint64List *boundaries_write,
    bool has_boundaries_flush, uint64List *boundaries_flush, Error **errp)
{
    HistogramRequest requests[] = {
        { BLOCK_ACCT_READ, "read", has_boundaries_read, boundaries_read },
        { BLOCK_ACCT_WRITE, "write", has_boundaries_write, boundaries_write },
        { BLOCK_ACCT_FLUSH, "flush", has_boundaries_flush, boundaries_flush },
    };
    BlockBackend *blk = blk_by_qdev_id(id, errp);
    bool any = false;
    size_t i;

    if (!blk) {
        return;
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++) {
        HistogramRequest *r = &requests[i];

        if (!r->given && has_boundaries) {
            r->given = true;
            r->boundaries = boundaries;
        }
        if (!block_latency_histogram_valid(r->boundaries)) {
            error_setg(errp, "Device '%s' set %s boundaries fail", id,
                       r->name);
            return;
        }
        any |= r->given;
    }
    if (!any) {
        block_latency_histograms_clear(blk_get_stats(blk));
        return;
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++) {
        if (requests[i].given) {
            block_latency_histogram_set(blk_get_stats(blk), requests[i].type,
                                        requests[i].boundaries);
        }
    }
}
