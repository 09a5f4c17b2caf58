/*
 * SPDX-License-Identifier: MIT
 *
 * Requests for callers outside coroutines: the coroutine form is run in one,
 * and the node's AioContext is polled until it has ended.  Inside coroutines
 * it is called directly.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

typedef struct SyncCall SyncCall;
typedef int coroutine_fn SyncFn(SyncCall *call);

/* Arguments of any of the requests below. */
struct SyncCall {
    SyncFn *fn;
    BlockDriverState *bs;       /* whose context is polled */
    BlockDriverState *base;
    BdrvChild *child;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;
    BdrvRequestFlags flags;
    bool exact;
    bool include_base;
    PreallocMode prealloc;
    int64_t *pnum;
    int64_t *map;
    BlockDriverState **file;
    Error **errp;
};

/* ---- Running in a coroutine ---- */

typedef struct CoRun {
    int coroutine_fn (*fn)(void *opaque);
    void *opaque;
    int ret;
    bool done;
} CoRun;

static void coroutine_fn co_run_entry(void *opaque)
{
    CoRun *run = opaque;

    run->ret = run->fn(run->opaque);
    atomic_mb_set(&run->done, true);
    aio_wait_kick();
}

int bdrv_run_co(AioContext *ctx, int coroutine_fn (*fn)(void *opaque),
                void *opaque)
{
    CoRun run = { .fn = fn, .opaque = opaque };

    if (qemu_in_coroutine()) {
        return fn(opaque);
    }
    aio_co_enter(ctx, qemu_coroutine_create(co_run_entry, &run));
    AIO_WAIT_WHILE(ctx, !atomic_mb_read(&run.done));
    return run.ret;
}

static int coroutine_fn sync_call(void *opaque)
{
    SyncCall *call = opaque;

    return call->fn(call);
}

static int run_sync(SyncCall *call)
{
    return bdrv_run_co(bdrv_get_aio_context(call->bs), sync_call, call);
}

/* ---- Data ---- */

static int coroutine_fn sync_read(SyncCall *c)
{
    return bdrv_co_preadv(c->child, c->offset, c->bytes, c->qiov, c->flags);
}

static int coroutine_fn sync_write(SyncCall *c)
{
    return bdrv_co_pwritev(c->child, c->offset, c->bytes, c->qiov, c->flags);
}

static int coroutine_fn sync_discard(SyncCall *c)
{
    return bdrv_co_pdiscard(c->child, c->offset, c->bytes);
}

static int coroutine_fn sync_flush(SyncCall *c)
{
    return bdrv_co_flush(c->bs);
}

static int coroutine_fn sync_truncate(SyncCall *c)
{
    return bdrv_co_truncate(c->child, c->offset, c->exact, c->prealloc,
                            c->flags, c->errp);
}

int bdrv_pread(BdrvChild *child, int64_t offset, int64_t bytes, void *buf,
               BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);

    return run_sync(&(SyncCall) {
        .fn = sync_read, .bs = child->bs, .child = child, .offset = offset,
        .bytes = bytes, .qiov = &qiov, .flags = flags,
    });
}

int bdrv_pwrite(BdrvChild *child, int64_t offset, int64_t bytes,
                const void *buf, BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);

    return run_sync(&(SyncCall) {
        .fn = sync_write, .bs = child->bs, .child = child, .offset = offset,
        .bytes = bytes, .qiov = &qiov, .flags = flags,
    });
}

int bdrv_pwrite_sync(BdrvChild *child, int64_t offset, int64_t bytes,
                     const void *buf, BdrvRequestFlags flags)
{
    int ret = bdrv_pwrite(child, offset, bytes, buf, flags);

    return ret < 0 ? ret : bdrv_flush(child->bs);
}

int bdrv_pwrite_zeroes(BdrvChild *child, int64_t offset, int64_t bytes,
                       BdrvRequestFlags flags)
{
    return run_sync(&(SyncCall) {
        .fn = sync_write, .bs = child->bs, .child = child, .offset = offset,
        .bytes = bytes, .flags = flags | BDRV_REQ_ZERO_WRITE,
    });
}

int bdrv_pdiscard(BdrvChild *child, int64_t offset, int64_t bytes)
{
    return run_sync(&(SyncCall) {
        .fn = sync_discard, .bs = child->bs, .child = child, .offset = offset,
        .bytes = bytes,
    });
}

int bdrv_flush(BlockDriverState *bs)
{
    return run_sync(&(SyncCall) { .fn = sync_flush, .bs = bs });
}

int bdrv_truncate(BdrvChild *child, int64_t offset, bool exact,
                  PreallocMode prealloc, BdrvRequestFlags flags, Error **errp)
{
    return run_sync(&(SyncCall) {
        .fn = sync_truncate, .bs = child->bs, .child = child,
        .offset = offset, .exact = exact, .prealloc = prealloc,
        .flags = flags, .errp = errp,
    });
}

int bdrv_flush_all(void)
{
    BdrvNextIterator it;
    BlockDriverState *bs;
    int result = 0;

    for (bs = bdrv_first(&it); bs; bs = bdrv_next(&it)) {
        AioContext *ctx = bdrv_get_aio_context(bs);
        int ret;

        aio_context_acquire(ctx);
        ret = bdrv_flush(bs);
        aio_context_release(ctx);
        result = result < 0 ? result : ret;
    }
    return result;
}

int bdrv_make_zero(BdrvChild *child, BdrvRequestFlags flags)
{
    BlockDriverState *bs = child->bs;
    int64_t len = bdrv_getlength(bs), offset = 0;

    if (len < 0) {
        return len;
    }
    while (offset < len) {
        int64_t pnum;
        int ret = bdrv_block_status(bs, offset, len - offset, &pnum, NULL,
                                    NULL);

        if (ret < 0) {
            return ret;
        }
        if (!(ret & BDRV_BLOCK_ZERO)) {
            ret = bdrv_pwrite_zeroes(child, offset, pnum, flags);
            if (ret < 0) {
                return ret;
            }
        }
        offset += pnum;
    }
    return 0;
}

int bdrv_make_empty(BdrvChild *c, Error **errp)
{
    BlockDriver *drv = c->bs->drv;
    int ret;

    assert(c->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED));
    if (!drv->bdrv_make_empty) {
        error_setg(errp, "%s does not support emptying of block device files",
                   drv->format_name);
        return -ENOTSUP;
    }
    ret = drv->bdrv_make_empty(c->bs);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to empty %s", c->bs->filename);
    }
    return ret;
}

/* ---- Block status ---- */

static int coroutine_fn sync_status(SyncCall *c)
{
    return bdrv_co_block_status(c->bs, c->offset, c->bytes, c->pnum, c->map,
                                c->file);
}

static int coroutine_fn sync_status_above(SyncCall *c)
{
    return bdrv_co_block_status_above(c->bs, c->base, c->offset, c->bytes,
                                      c->pnum, c->map, c->file);
}

static int coroutine_fn sync_allocated(SyncCall *c)
{
    return bdrv_co_is_allocated(c->bs, c->offset, c->bytes, c->pnum);
}

static int coroutine_fn sync_allocated_above(SyncCall *c)
{
    return bdrv_co_is_allocated_above(c->bs, c->base, c->include_base,
                                      c->offset, c->bytes, c->pnum);
}

int bdrv_block_status(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      int64_t *pnum, int64_t *map, BlockDriverState **file)
{
    return run_sync(&(SyncCall) {
        .fn = sync_status, .bs = bs, .offset = offset, .bytes = bytes,
        .pnum = pnum, .map = map, .file = file,
    });
}

int bdrv_block_status_above(BlockDriverState *bs, BlockDriverState *base,
                            int64_t offset, int64_t bytes, int64_t *pnum,
                            int64_t *map, BlockDriverState **file)
{
    return run_sync(&(SyncCall) {
        .fn = sync_status_above, .bs = bs, .base = base, .offset = offset,
        .bytes = bytes, .pnum = pnum, .map = map, .file = file,
    });
}

int bdrv_is_allocated(BlockDriverState *bs, int64_t offset, int64_t bytes,
                      int64_t *pnum)
{
    return run_sync(&(SyncCall) {
        .fn = sync_allocated, .bs = bs, .offset = offset, .bytes = bytes,
        .pnum = pnum,
    });
}

int bdrv_is_allocated_above(BlockDriverState *top, BlockDriverState *base,
                            bool include_base, int64_t offset, int64_t bytes,
                            int64_t *pnum)
{
    return run_sync(&(SyncCall) {
        .fn = sync_allocated_above, .bs = top, .base = base,
        .include_base = include_base, .offset = offset, .bytes = bytes,
        .pnum = pnum,
    });
}

/* ---- VM state ---- */

static int coroutine_fn sync_save_vmstate(SyncCall *c)
{
    BlockDriver *drv = c->bs->drv;
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(c->bs);
    if (drv && drv->bdrv_save_vmstate) {
        ret = drv->bdrv_save_vmstate(c->bs, c->qiov, c->offset);
    }
    bdrv_dec_in_flight(c->bs);
    return ret;
}

static int coroutine_fn sync_load_vmstate(SyncCall *c)
{
    BlockDriver *drv = c->bs->drv;
    int ret = -ENOTSUP;

    bdrv_inc_in_flight(c->bs);
    if (drv && drv->bdrv_load_vmstate) {
        ret = drv->bdrv_load_vmstate(c->bs, c->qiov, c->offset);
    }
    bdrv_dec_in_flight(c->bs);
    return ret;
}

static BlockDriverState *vmstate_node(BlockDriverState *bs, bool load)
{
    while (bs->drv && !(load ? bs->drv->bdrv_load_vmstate
                             : bs->drv->bdrv_save_vmstate) &&
           bdrv_primary_bs(bs)) {
        bs = bdrv_primary_bs(bs);
    }
    return bs;
}

int bdrv_save_vmstate(BlockDriverState *bs, const uint8_t *buf, int64_t pos,
                      int size)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, size);
    int ret = run_sync(&(SyncCall) {
        .fn = sync_save_vmstate, .bs = vmstate_node(bs, false), .offset = pos,
        .qiov = &qiov,
    });

    return ret < 0 ? ret : size;
}

int bdrv_load_vmstate(BlockDriverState *bs, uint8_t *buf, int64_t pos,
                      int size)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, size);
    int ret = run_sync(&(SyncCall) {
        .fn = sync_load_vmstate, .bs = vmstate_node(bs, true), .offset = pos,
        .qiov = &qiov,
    });

    return ret < 0 ? ret : size;
}
