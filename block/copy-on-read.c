/*
 * SPDX-License-Identifier: MIT
 *
 * copy-on-read: a filter that lets its node keep what is read from the node's
 * backing chain.  With the option "bottom" only what the chain down to that
 * node (included) has is kept; the rest is passed on.
 *
 * Invariant: while ->chain_frozen, the links from the filter down to
 * ->bottom are frozen, so that ->bottom stays in the chain.
 */
#include "qemu/osdep.h"
#include "block/copy-on-read.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"

typedef struct CorState {
    BlockDriverState *bottom;   /* a reference; NULL: the whole chain */
    bool chain_frozen;
} CorState;

/* ---- Open and close ---- */

static bool cor_find_bottom(BlockDriverState *bs, const char *name,
                            Error **errp)
{
    CorState *s = bs->opaque;
    BlockDriverState *bottom = bdrv_find_node(name);

    if (!bottom) {
        error_setg(errp, "Bottom node '%s' not found", name);
        return false;
    }
    if (!bottom->drv) {
        error_setg(errp, "Bottom node '%s' not opened", name);
        return false;
    }
    if (bottom->drv->is_filter) {
        error_setg(errp, "Bottom node '%s' is a filter", name);
        return false;
    }
    if (!bdrv_chain_contains(bs, bottom)) {
        error_setg(errp, "Node '%s' is not in the backing chain of '%s'",
                   name, bs->file->bs->node_name);
        return false;
    }
    if (bdrv_freeze_backing_chain(bs, bottom, errp) < 0) {
        return false;
    }
    s->chain_frozen = true;
    bdrv_ref(bottom);
    s->bottom = bottom;
    return true;
}

static int cor_open(BlockDriverState *bs, QDict *options, int flags,
                    Error **errp)
{
    g_autofree char *bottom = g_strdup(qdict_get_try_str(options, "bottom"));
    BlockDriverState *below;
    int ret = bdrv_open_file_child(NULL, options, "file", bs, errp);

    if (ret < 0) {
        return ret;
    }
    below = bs->file->bs;
    bs->supported_read_flags = BDRV_REQ_PREFETCH;
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED |
        (BDRV_REQ_FUA & below->supported_write_flags);
    bs->supported_zero_flags = BDRV_REQ_WRITE_UNCHANGED |
        ((BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK) &
         below->supported_zero_flags);
    qdict_del(options, "bottom");
    return !bottom || cor_find_bottom(bs, bottom, errp) ? 0 : -EINVAL;
}

static void cor_thaw(BlockDriverState *bs)
{
    CorState *s = bs->opaque;

    if (s->chain_frozen) {
        s->chain_frozen = false;
        bdrv_unfreeze_backing_chain(bs, s->bottom);
    }
}

static void cor_close(BlockDriverState *bs)
{
    CorState *s = bs->opaque;

    cor_thaw(bs);
    bdrv_unref(s->bottom);
    s->bottom = NULL;
}

static void cor_child_perm(BlockDriverState *bs, BdrvChild *c,
                           const BdrvChildRole *role,
                           BlockReopenQueue *reopen_queue,
                           uint64_t perm, uint64_t shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    if (!(bs->open_flags & BDRV_O_INACTIVE)) {
        *nperm |= BLK_PERM_WRITE_UNCHANGED;
    }
}

static int64_t cor_getlength(BlockDriverState *bs)
{
    return bs->file ? bdrv_getlength(bs->file->bs) : 0;
}

/* ---- Requests ---- */

/* Is [offset, offset + *n), which is cut to one kind, to be copied? */
static bool coroutine_fn cor_wants(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, int64_t *n)
{
    CorState *s = bs->opaque;
    BlockDriverState *node = bdrv_skip_filters(bs->file->bs);
    int ret;

    *n = bytes;
    if (!s->bottom) {
        return true;
    }
    if (node == s->bottom) {
        return false;
    }
    ret = bdrv_co_is_allocated(node, offset, bytes, n);
    if (ret > 0 && *n > 0) {
        return false;
    }
    if (ret < 0 || *n == 0) {
        *n = bytes;
        return false;
    }
    ret = bdrv_co_is_allocated_above(bdrv_backing_chain_next(node), s->bottom,
                                     true, offset, *n, n);
    if (*n == 0) {
        *n = bytes;
    }
    return ret > 0;
}

static int coroutine_fn cor_preadv(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, QEMUIOVector *qiov,
                                   size_t qiov_offset, BdrvRequestFlags flags)
{
    int64_t done = 0;

    while (done < bytes) {
        int64_t n;
        BdrvRequestFlags piece_flags = flags;
        bool copy = cor_wants(bs, offset + done, bytes - done, &n);
        int ret = 0;

        if (copy) {
            piece_flags |= BDRV_REQ_COPY_ON_READ;
        }
        /* A prefetch of what is not copied has nothing to do. */
        if (copy || !(flags & BDRV_REQ_PREFETCH)) {
            ret = bdrv_co_preadv_part(bs->file, offset + done, n, qiov,
                                      qiov_offset + done, piece_flags);
        }
        if (ret < 0) {
            return ret;
        }
        done += n;
    }
    return 0;
}

static int coroutine_fn cor_pwritev(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes, QEMUIOVector *qiov,
                                    size_t qiov_offset, BdrvRequestFlags flags)
{
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags);
}

static int coroutine_fn cor_pwrite_zeroes(BlockDriverState *bs,
                                          int64_t offset, int64_t bytes,
                                          BdrvRequestFlags flags)
{
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn cor_pdiscard(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes)
{
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

static int coroutine_fn cor_pwritev_compressed(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               QEMUIOVector *qiov,
                                               size_t qiov_offset)
{
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                BDRV_REQ_WRITE_COMPRESSED);
}

BlockDriver bdrv_copy_on_read = {
    .format_name = "copy-on-read",
    .instance_size = sizeof(CorState),
    .is_filter = true,
    .bdrv_open = cor_open,
    .bdrv_close = cor_close,
    .bdrv_child_perm = cor_child_perm,
    .bdrv_getlength = cor_getlength,
    .bdrv_co_preadv_part = cor_preadv,
    .bdrv_co_pwritev_part = cor_pwritev,
    .bdrv_co_pwrite_zeroes = cor_pwrite_zeroes,
    .bdrv_co_pdiscard = cor_pdiscard,
    .bdrv_co_pwritev_compressed_part = cor_pwritev_compressed,
};

/* ---- For jobs ---- */

BlockDriverState *bdrv_cor_filter_append(BlockDriverState *bs,
                                         const char *bottom,
                                         const char *node_name, Error **errp)
{
    QDict *opts = qdict_new();
    BlockDriverState *filter;

    qdict_put_str(opts, "driver", "copy-on-read");
    qdict_put_str(opts, "file", bs->node_name);
    qdict_put_str(opts, "bottom", bottom);
    if (node_name) {
        qdict_put_str(opts, "node-name", node_name);
    }
    filter = bdrv_insert_node(bs, opts, BDRV_O_RDWR, errp);
    if (filter) {
        filter->implicit = !node_name;
    }
    return filter;
}

void bdrv_cor_filter_drop(BlockDriverState *filter)
{
    cor_thaw(filter);
    bdrv_drop_filter(filter, &error_abort);
    bdrv_unref(filter);
}
