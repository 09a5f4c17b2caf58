/*
 * SPDX-License-Identifier: MIT
 *
 * What requests a node can take, buffers for them, and hooks of blkdebug.
 *
 * A node's limits are those of its children together, as far as its driver
 * does not say otherwise.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

/* ---- Limits ---- */

static void merge_limits(BlockLimits *dst, const BlockLimits *src)
{
    dst->pdiscard_alignment = MAX(dst->pdiscard_alignment,
                                  src->pdiscard_alignment);
    dst->opt_transfer = MAX(dst->opt_transfer, src->opt_transfer);
    dst->max_transfer = MIN_NON_ZERO(dst->max_transfer, src->max_transfer);
    dst->max_hw_transfer = MIN_NON_ZERO(dst->max_hw_transfer,
                                        src->max_hw_transfer);
    dst->max_hw_iov = MIN_NON_ZERO(dst->max_hw_iov, src->max_hw_iov);
    dst->opt_mem_alignment = MAX(dst->opt_mem_alignment,
                                 src->opt_mem_alignment);
    dst->min_mem_alignment = MAX(dst->min_mem_alignment,
                                 src->min_mem_alignment);
    dst->max_iov = MIN_NON_ZERO(dst->max_iov, src->max_iov);
}

typedef struct LimitsEntry {
    BlockDriverState *bs;
    BlockLimits old;
} LimitsEntry;

static void limits_abort(void *opaque)
{
    LimitsEntry *e = opaque;

    e->bs->bl = e->old;
}

static TransactionActionDrv limits_drv = {
    .abort = limits_abort,
    .clean = g_free,
};

void bdrv_refresh_limits(BlockDriverState *bs, Transaction *tran, Error **errp)
{
    ERRP_GUARD();
    BlockDriver *drv = bs->drv;
    bool has_limits = false;
    BdrvChild *c;

    if (tran) {
        LimitsEntry *e = g_new0(LimitsEntry, 1);

        e->bs = bs;
        e->old = bs->bl;
        tran_add(tran, &limits_drv, e);
    }
    memset(&bs->bl, 0, sizeof(bs->bl));
    if (!drv) {
        return;
    }
    /* Drivers of ours take requests of any bytes; files decide by
     * themselves. */
    bs->bl.request_alignment = 1;
    QLIST_FOREACH(c, &bs->children, next) {
        merge_limits(&bs->bl, &c->bs->bl);
        has_limits = true;
        bs->bl.has_variable_length |= c == bdrv_primary_child(bs) &&
                                      c->bs->bl.has_variable_length;
    }
    if (!has_limits) {
        bs->bl.min_mem_alignment = 512;
        bs->bl.opt_mem_alignment = qemu_real_host_page_size();
        bs->bl.max_iov = IOV_MAX;
    }
    if (drv->bdrv_refresh_limits) {
        drv->bdrv_refresh_limits(bs, errp);
        if (*errp) {
            return;
        }
    }
    if (bs->bl.request_alignment > BDRV_MAX_ALIGNMENT) {
        error_setg(errp, "Driver requires too large request alignment");
    }
}

/* ---- Buffers ---- */

size_t bdrv_opt_mem_align(BlockDriverState *bs)
{
    return bs && bs->drv ? bs->bl.opt_mem_alignment
                         : MAX(4096, qemu_real_host_page_size());
}

size_t bdrv_min_mem_align(BlockDriverState *bs)
{
    return bs && bs->drv ? bs->bl.min_mem_alignment
                         : MAX(4096, qemu_real_host_page_size());
}

void *qemu_blockalign(BlockDriverState *bs, size_t size)
{
    return qemu_memalign(bdrv_opt_mem_align(bs), size);
}

void *qemu_blockalign0(BlockDriverState *bs, size_t size)
{
    return memset(qemu_blockalign(bs, size), 0, size);
}

void *qemu_try_blockalign(BlockDriverState *bs, size_t size)
{
    /* Room for one byte at least, so that NULL means failure. */
    return qemu_try_memalign(bdrv_opt_mem_align(bs), MAX(size, 1));
}

void *qemu_try_blockalign0(BlockDriverState *bs, size_t size)
{
    void *mem = qemu_try_blockalign(bs, size);

    return mem ? memset(mem, 0, size) : NULL;
}

bool bdrv_qiov_is_aligned(BlockDriverState *bs, QEMUIOVector *qiov)
{
    size_t align = bdrv_min_mem_align(bs);
    int i;

    for (i = 0; i < qiov->niov; i++) {
        if ((uintptr_t)qiov->iov[i].iov_base % align ||
            qiov->iov[i].iov_len % align) {
            return false;
        }
    }
    return true;
}

uint32_t bdrv_get_request_alignment(BlockDriverState *bs)
{
    return bs->bl.request_alignment;
}

int64_t bdrv_cluster_size_or(BlockDriverState *bs, int64_t fallback)
{
    BlockDriverInfo bdi;

    return bdrv_get_info(bs, &bdi) >= 0 && bdi.cluster_size
           ? MAX(bdi.cluster_size, fallback) : fallback;
}

void bdrv_round_to_clusters(BlockDriverState *bs, int64_t offset,
                            int64_t bytes, int64_t *cluster_offset,
                            int64_t *cluster_bytes)
{
    int64_t c = bdrv_cluster_size_or(bs, bs->bl.request_alignment);

    *cluster_offset = QEMU_ALIGN_DOWN(offset, c);
    *cluster_bytes = QEMU_ALIGN_UP(offset - *cluster_offset + bytes, c);
}

/* ---- blkdebug ---- */

/* The next node down that may have the hooks. */
static BlockDriverState *below(BlockDriverState *bs)
{
    return bdrv_primary_bs(bs);
}

void bdrv_debug_event(BlockDriverState *bs, BlkdebugEvent event)
{
    if (likely(!bs->drv || !bs->drv->bdrv_debug_event)) {
        return;
    }
    bs->drv->bdrv_debug_event(bs, event);
}

int bdrv_debug_breakpoint(BlockDriverState *bs, const char *event,
                          const char *tag)
{
    while (bs && bs->drv && !bs->drv->bdrv_debug_breakpoint) {
        bs = below(bs);
    }
    return bs && bs->drv ? bs->drv->bdrv_debug_breakpoint(bs, event, tag)
                         : -ENOTSUP;
}

int bdrv_debug_remove_breakpoint(BlockDriverState *bs, const char *tag)
{
    while (bs && bs->drv && !bs->drv->bdrv_debug_remove_breakpoint) {
        bs = below(bs);
    }
    return bs && bs->drv ? bs->drv->bdrv_debug_remove_breakpoint(bs, tag)
                         : -ENOTSUP;
}

int bdrv_debug_resume(BlockDriverState *bs, const char *tag)
{
    while (bs && bs->drv && !bs->drv->bdrv_debug_resume) {
        bs = below(bs);
    }
    return bs && bs->drv ? bs->drv->bdrv_debug_resume(bs, tag) : -ENOTSUP;
}

bool bdrv_debug_is_suspended(BlockDriverState *bs, const char *tag)
{
    while (bs && bs->drv && !bs->drv->bdrv_debug_is_suspended) {
        bs = below(bs);
    }
    return bs && bs->drv && bs->drv->bdrv_debug_is_suspended(bs, tag);
}

/* ---- AIO control blocks ---- */

void bdrv_aio_cancel_async(BlockAIOCB *acb)
{
    if (acb->aiocb_info->cancel_async) {
        acb->aiocb_info->cancel_async(acb);
    }
}

void bdrv_aio_cancel(BlockAIOCB *acb)
{
    qemu_aio_ref(acb);
    bdrv_aio_cancel_async(acb);
    while (acb->refcnt > 1) {
        AioContext *ctx = acb->aiocb_info->get_aio_context
            ? acb->aiocb_info->get_aio_context(acb)
            : acb->bs ? bdrv_get_aio_context(acb->bs)
                      : qemu_get_current_aio_context();

        aio_poll(ctx, true);
    }
    qemu_aio_unref(acb);
}
