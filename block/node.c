/*
 * SPDX-License-Identifier: MIT
 *
 * Questions about one node: what it is, how long, how much space it takes, and
 * what its driver says about it.
 *
 * Invariant: bs->total_sectors is the length that the driver told last, in
 * sectors, rounded up; it is 0 without a driver.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

const char *bdrv_get_format_name(BlockDriverState *bs)
{
    return bs->drv ? bs->drv->format_name : NULL;
}

int bdrv_get_flags(BlockDriverState *bs)
{
    return bs->open_flags;
}

bool bdrv_is_read_only(BlockDriverState *bs)
{
    return !(bs->open_flags & BDRV_O_RDWR);
}

bool bdrv_is_writable(BlockDriverState *bs)
{
    return (bs->open_flags & (BDRV_O_RDWR | BDRV_O_INACTIVE)) == BDRV_O_RDWR;
}

bool bdrv_is_sg(BlockDriverState *bs)
{
    return bs->sg;
}

bool bdrv_is_inserted(BlockDriverState *bs)
{
    BdrvChild *c;

    if (!bs->drv) {
        return false;
    }
    QLIST_FOREACH(c, &bs->children, next) {
        if (!bdrv_is_inserted(c->bs)) {
            return false;
        }
    }
    return true;
}

bool bdrv_is_encrypted(BlockDriverState *bs)
{
    for (; bs; bs = bdrv_cow_bs(bs)) {
        if (bs->encrypted) {
            return true;
        }
    }
    return false;
}

/* ---- Length ---- */

int bdrv_refresh_total_sectors(BlockDriverState *bs, int64_t hint)
{
    BlockDriver *drv = bs->drv;

    if (!drv) {
        return -ENOMEDIUM;
    }
    if (bs->sg) {
        return 0;
    }
    if (drv->bdrv_getlength) {
        int64_t length = drv->bdrv_getlength(bs);

        if (length < 0) {
            return length;
        }
        hint = DIV_ROUND_UP(length, BDRV_SECTOR_SIZE);
    }
    bs->total_sectors = hint;
    if (bs->total_sectors > BDRV_MAX_LENGTH / (int64_t)BDRV_SECTOR_SIZE) {
        return -EFBIG;
    }
    return 0;
}

int64_t bdrv_nb_sectors(BlockDriverState *bs)
{
    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (bs->bl.has_variable_length || bs->drv->has_variable_length) {
        int ret = bdrv_refresh_total_sectors(bs, bs->total_sectors);

        if (ret < 0) {
            return ret;
        }
    }
    return bs->total_sectors;
}

int64_t bdrv_getlength(BlockDriverState *bs)
{
    int64_t sectors = bdrv_nb_sectors(bs);

    if (sectors < 0) {
        return sectors;
    }
    if (sectors > INT64_MAX / (int64_t)BDRV_SECTOR_SIZE) {
        return -EFBIG;
    }
    return sectors * BDRV_SECTOR_SIZE;
}

int64_t bdrv_get_allocated_file_size(BlockDriverState *bs)
{
    BdrvChild *c;
    int64_t sum = 0;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (bs->drv->bdrv_get_allocated_file_size) {
        return bs->drv->bdrv_get_allocated_file_size(bs);
    }
    if (bs->drv->protocol_name && !bs->drv->is_filter) {
        return -ENOTSUP;
    }
    if (bs->drv->is_filter) {
        return bdrv_filter_bs(bs)
            ? bdrv_get_allocated_file_size(bdrv_filter_bs(bs)) : -ENOMEDIUM;
    }
    /* Formats: everything but the backing chain belongs to the image. */
    QLIST_FOREACH(c, &bs->children, next) {
        int64_t size;

        if (c->role == &child_backing) {
            continue;
        }
        size = bdrv_get_allocated_file_size(c->bs);
        if (size < 0) {
            return size;
        }
        sum += size;
    }
    return sum;
}

/* ---- What the driver says ---- */

int bdrv_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    int ret;

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (!bs->drv->bdrv_get_info) {
        BlockDriverState *filtered = bdrv_filter_bs(bs);

        return filtered ? bdrv_get_info(filtered, bdi) : -ENOTSUP;
    }
    memset(bdi, 0, sizeof(*bdi));
    ret = bs->drv->bdrv_get_info(bs, bdi);
    if (ret >= 0 && !bdi->subcluster_size) {
        bdi->subcluster_size = bdi->cluster_size;
    }
    return ret;
}

ImageInfoSpecific *bdrv_get_specific_info(BlockDriverState *bs, Error **errp)
{
    return bs->drv && bs->drv->bdrv_get_specific_info
        ? bs->drv->bdrv_get_specific_info(bs, errp) : NULL;
}

BlockStatsSpecific *bdrv_get_specific_stats(BlockDriverState *bs)
{
    return bs->drv && bs->drv->bdrv_get_specific_stats
        ? bs->drv->bdrv_get_specific_stats(bs) : NULL;
}

int bdrv_has_zero_init_1(BlockDriverState *bs)
{
    return 1;
}

int bdrv_has_zero_init(BlockDriverState *bs)
{
    BlockDriverState *filtered;

    if (!bs->drv) {
        return 0;
    }
    /* What an overlay does not have, its backing node shows. */
    if (bdrv_cow_child(bs)) {
        return 0;
    }
    if (bs->drv->bdrv_has_zero_init) {
        return bs->drv->bdrv_has_zero_init(bs);
    }
    filtered = bdrv_filter_bs(bs);
    return filtered ? bdrv_has_zero_init(filtered) : 0;
}

bool bdrv_can_write_zeroes_with_unmap(BlockDriverState *bs)
{
    return (bs->open_flags & BDRV_O_UNMAP) &&
           (bs->supported_zero_flags & BDRV_REQ_MAY_UNMAP);
}

bool bdrv_supports_persistent_dirty_bitmap(BlockDriverState *bs)
{
    return bs->drv && bs->drv->bdrv_supports_persistent_dirty_bitmap &&
           bs->drv->bdrv_supports_persistent_dirty_bitmap(bs);
}

BlockMeasureInfo *bdrv_measure(BlockDriver *drv, QemuOpts *opts,
                               BlockDriverState *in_bs, Error **errp)
{
    if (!drv->bdrv_measure) {
        error_setg(errp, "Block driver '%s' does not support size measurement",
                   drv->format_name);
        return NULL;
    }
    return drv->bdrv_measure(opts, in_bs, errp);
}

/* ---- Consistency ---- */

typedef struct CheckCall {
    BlockDriverState *bs;
    BdrvCheckResult *res;
    BdrvCheckMode fix;
} CheckCall;

static int coroutine_fn check_call(void *opaque)
{
    CheckCall *c = opaque;
    int ret;

    bdrv_inc_in_flight(c->bs);
    ret = c->bs->drv->bdrv_co_check(c->bs, c->res, c->fix);
    bdrv_dec_in_flight(c->bs);
    return ret;
}

int bdrv_check(BlockDriverState *bs, BdrvCheckResult *res, BdrvCheckMode fix)
{
    CheckCall call = { bs, res, fix };

    if (!bs->drv) {
        return -ENOMEDIUM;
    }
    if (!bs->drv->bdrv_co_check) {
        return -ENOTSUP;
    }
    memset(res, 0, sizeof(*res));
    return bdrv_run_co(bdrv_get_aio_context(bs), check_call, &call);
}

/* ---- Read-only ---- */

int bdrv_can_set_read_only(BlockDriverState *bs, bool read_only,
                           bool ignore_allow_rdw, Error **errp)
{
    if (read_only) {
        if (atomic_read(&bs->copy_on_read)) {
            error_setg(errp,
                       "Can't set node '%s' to r/o with copy-on-read enabled",
                       bdrv_get_device_or_node_name(bs));
            return -EINVAL;
        }
    } else if (!(bs->open_flags & BDRV_O_ALLOW_RDWR) && !ignore_allow_rdw) {
        error_setg(errp, "Node '%s' is read only",
                   bdrv_get_device_or_node_name(bs));
        return -EPERM;
    }
    return 0;
}

int bdrv_apply_auto_read_only(BlockDriverState *bs, const char *errmsg,
                              Error **errp)
{
    if (!(bs->open_flags & BDRV_O_RDWR)) {
        return 0;
    }
    if (!(bs->open_flags & BDRV_O_AUTO_RDONLY) ||
        bdrv_can_set_read_only(bs, true, false, NULL) < 0) {
        error_setg(errp, "%s", errmsg ? errmsg : "Image is read-only");
        return -EACCES;
    }
    bs->open_flags &= ~BDRV_O_RDWR;
    return 0;
}

void bdrv_enable_copy_on_read(BlockDriverState *bs)
{
    atomic_inc(&bs->copy_on_read);
}

void bdrv_disable_copy_on_read(BlockDriverState *bs)
{
    assert(atomic_read(&bs->copy_on_read) > 0);
    atomic_dec(&bs->copy_on_read);
}

/* ---- Media: no driver of ours has a tray ---- */

void bdrv_eject(BlockDriverState *bs, bool eject_flag)
{
}

void bdrv_lock_medium(BlockDriverState *bs, bool locked)
{
}
