/*
 * SPDX-License-Identifier: MIT
 *
 * Nodes, images and statistics as QAPI objects: query-block,
 * query-named-block-nodes, query-blockstats; the image information of
 * qemu-img.
 */
#include "qemu/osdep.h"
#include "block/qapi.h"
#include "block/block_int.h"
#include "block/throttle-groups.h"
#include "block/write-threshold.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qemu/cutils.h"

/* ---- Images ---- */

SnapshotInfo *bdrv_snapshot_info(const QEMUSnapshotInfo *sn)
{
    SnapshotInfo *info = g_new0(SnapshotInfo, 1);

    info->id = g_strdup(sn->id_str);
    info->name = g_strdup(sn->name);
    info->vm_state_size = sn->vm_state_size;
    info->date_sec = sn->date_sec;
    info->date_nsec = sn->date_nsec;
    info->vm_clock_sec = sn->vm_clock_nsec / NANOSECONDS_PER_SECOND;
    info->vm_clock_nsec = sn->vm_clock_nsec % NANOSECONDS_PER_SECOND;
    info->has_icount = sn->icount != -1ULL;
    info->icount = info->has_icount ? sn->icount : 0;
    return info;
}

#define SNAPSHOT_ROW "%-9s %-16s %8s%20s%13s%11s"

char *bdrv_snapshot_row(const QEMUSnapshotInfo *sn)
{
    g_autofree char *size = NULL;
    g_autofree char *clock = NULL;
    g_autofree char *icount = NULL;
    char date[64];
    struct tm tm;
    uint64_t secs;
    time_t when;

    if (!sn) {
        return g_strdup_printf(SNAPSHOT_ROW, "ID", "TAG", "VM SIZE", "DATE",
                               "VM CLOCK", "ICOUNT");
    }
    size = size_to_str(sn->vm_state_size);
    secs = sn->vm_clock_nsec / NANOSECONDS_PER_SECOND;
    clock = g_strdup_printf("%02d:%02d:%02d.%03d", (int)(secs / 3600),
                            (int)(secs / 60 % 60), (int)(secs % 60),
                            (int)(sn->vm_clock_nsec / 1000000 % 1000));
    icount = sn->icount == -1ULL ? g_strdup("")
           : g_strdup_printf("%" PRIu64, sn->icount);
    when = sn->date_sec;
    localtime_r(&when, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    return g_strdup_printf(SNAPSHOT_ROW, sn->id_str, sn->name, size, date,
                           clock, icount);
}

int bdrv_query_snapshot_info_list(BlockDriverState *bs,
                                  SnapshotInfoList **p_list, Error **errp)
{
    SnapshotInfoList *head = NULL, **tail = &head;
    g_autofree QEMUSnapshotInfo *sn_tab = NULL;
    int i, n;

    n = bdrv_snapshot_list(bs, &sn_tab);
    if (n < 0) {
        const char *dev = bdrv_get_device_name(bs);

        if (n == -ENOMEDIUM) {
            error_setg(errp, "Device '%s' is not inserted", dev);
        } else if (n == -ENOTSUP) {
            error_setg(errp, "Device '%s' does not support internal "
                       "snapshots", dev);
        } else {
            error_setg_errno(errp, -n, "Can't list snapshots of device '%s'",
                             dev);
        }
        return n;
    }
    for (i = 0; i < n; i++) {
        QAPI_LIST_APPEND(tail, bdrv_snapshot_info(&sn_tab[i]));
    }
    *p_list = head;
    return 0;
}

static void image_info_backing(BlockDriverState *bs, ImageInfo *info)
{
    char *full;

    if (!*bs->backing_file) {
        return;
    }
    info->has_backing_filename = true;
    info->backing_filename = g_strdup(bs->backing_file);
    full = bdrv_get_full_backing_filename(bs, NULL);
    if (full) {
        info->has_full_backing_filename = true;
        info->full_backing_filename = full;
    }
    if (*bs->backing_format) {
        info->has_backing_filename_format = true;
        info->backing_filename_format = g_strdup(bs->backing_format);
    }
}

void bdrv_query_image_info(BlockDriverState *bs, ImageInfo **p_info,
                           Error **errp)
{
    ImageInfo *info;
    BlockDriverInfo bdi;
    Error *local_err = NULL;
    int64_t size = bdrv_getlength(bs);
    int ret;

    if (size < 0) {
        error_setg_errno(errp, -size, "Can't get image size '%s'",
                         bs->exact_filename);
        return;
    }
    bdrv_refresh_filename(bs);
    info = g_new0(ImageInfo, 1);
    info->filename = g_strdup(bs->filename);
    info->format = g_strdup(bdrv_get_format_name(bs));
    info->virtual_size = size;
    info->actual_size = bdrv_get_allocated_file_size(bs);
    info->has_actual_size = info->actual_size >= 0;
    info->has_encrypted = info->encrypted = bs->encrypted;
    if (bdrv_get_info(bs, &bdi) >= 0) {
        info->cluster_size = bdi.cluster_size;
        info->has_cluster_size = bdi.cluster_size != 0;
        info->dirty_flag = bdi.is_dirty;
        info->has_dirty_flag = true;
    }
    info->format_specific = bdrv_get_specific_info(bs, &local_err);
    info->has_format_specific = info->format_specific != NULL;
    if (local_err) {
        goto fail;
    }
    image_info_backing(bs, info);
    ret = bdrv_query_snapshot_info_list(bs, &info->snapshots, &local_err);
    if (ret == 0) {
        info->has_snapshots = info->snapshots != NULL;
    } else if (ret == -ENOMEDIUM || ret == -ENOTSUP) {
        error_free(local_err);
        local_err = NULL;
    } else {
        goto fail;
    }
    *p_info = info;
    return;
fail:
    error_propagate(errp, local_err);
    qapi_free_ImageInfo(info);
}

/* ---- Nodes ---- */

static void device_info_limits(BlockBackend *blk, BlockDeviceInfo *info)
{
    ThrottleGroupMember *tgm = &blk_get_public(blk)->throttle_group_member;
    ThrottleConfig cfg;
    const LeakyBucket *b = cfg.buckets;

    if (!tgm->throttle_state) {
        return;
    }
    throttle_group_get_config(tgm, &cfg);
    info->bps = b[THROTTLE_BPS_TOTAL].avg;
    info->bps_rd = b[THROTTLE_BPS_READ].avg;
    info->bps_wr = b[THROTTLE_BPS_WRITE].avg;
    info->iops = b[THROTTLE_OPS_TOTAL].avg;
    info->iops_rd = b[THROTTLE_OPS_READ].avg;
    info->iops_wr = b[THROTTLE_OPS_WRITE].avg;

#define LIMIT(bucket, name)                                              \
    do {                                                                 \
        info->has_##name##_max = b[bucket].max != 0;                     \
        info->name##_max = b[bucket].max;                                \
        info->has_##name##_max_length = info->has_##name##_max;          \
        info->name##_max_length = b[bucket].burst_length;                \
    } while (0)
    LIMIT(THROTTLE_BPS_TOTAL, bps);
    LIMIT(THROTTLE_BPS_READ, bps_rd);
    LIMIT(THROTTLE_BPS_WRITE, bps_wr);
    LIMIT(THROTTLE_OPS_TOTAL, iops);
    LIMIT(THROTTLE_OPS_READ, iops_rd);
    LIMIT(THROTTLE_OPS_WRITE, iops_wr);
#undef LIMIT
    info->has_iops_size = cfg.op_size != 0;
    info->iops_size = cfg.op_size;
    info->has_group = true;
    info->group = g_strdup(throttle_group_get_name(tgm));
}

/* The images from @bs down, @flat: one of them.  @backend: as a backend's
 * users see it, without implicit filters. */
static bool device_info_images(BlockDriverState *bs, bool flat, bool backend,
                               ImageInfo **p_info, Error **errp)
{
    Error *local_err = NULL;

    for (;;) {
        bdrv_query_image_info(bs, p_info, &local_err);
        if (local_err) {
            error_propagate(errp, local_err);
            return false;
        }
        bs = flat ? NULL : bdrv_filter_or_cow_bs(bs);
        if (backend) {
            bs = bdrv_skip_implicit_filters(bs);
        }
        if (!bs) {
            return true;
        }
        (*p_info)->has_backing_image = true;
        p_info = &(*p_info)->backing_image;
    }
}

BlockDeviceInfo *bdrv_block_device_info(BlockBackend *blk,
                                        BlockDriverState *bs, bool flat,
                                        Error **errp)
{
    BlockDeviceInfo *info;
    BlockDriverState *backing;

    if (!bs->drv) {
        error_setg(errp, "Block device %s is ejected", bs->node_name);
        return NULL;
    }
    bdrv_refresh_filename(bs);
    info = g_new0(BlockDeviceInfo, 1);
    info->file = g_strdup(bs->filename);
    info->ro = bdrv_is_read_only(bs);
    info->drv = g_strdup(bs->drv->format_name);
    info->encrypted = bs->encrypted;
    info->cache = g_new(BlockdevCacheInfo, 1);
    *info->cache = (BlockdevCacheInfo) {
        .writeback = blk ? blk_enable_write_cache(blk) : true,
        .direct = bs->open_flags & BDRV_O_NOCACHE,
        .no_flush = bs->open_flags & BDRV_O_NO_FLUSH,
    };
    if (*bs->node_name) {
        info->has_node_name = true;
        info->node_name = g_strdup(bs->node_name);
    }
    backing = bdrv_cow_bs(bs);
    if (backing) {
        info->has_backing_file = true;
        info->backing_file = g_strdup(backing->filename);
    }
    info->dirty_bitmaps = bdrv_query_dirty_bitmaps(bs);
    info->has_dirty_bitmaps = info->dirty_bitmaps != NULL;
    info->detect_zeroes = bs->detect_zeroes;
    if (blk) {
        device_info_limits(blk, info);
    }
    info->write_threshold = bdrv_write_threshold_get(bs);
    /* Flat answers stay above the first image. */
    info->backing_file_depth = flat ? 0 : bdrv_get_backing_file_depth(bs);
    if (!device_info_images(bs, flat, blk, &info->image, errp)) {
        qapi_free_BlockDeviceInfo(info);
        return NULL;
    }
    return info;
}

BlockDeviceInfoList *bdrv_named_nodes_list(bool flat, Error **errp)
{
    BlockDeviceInfoList *list = NULL;
    BlockDriverState *bs = NULL;

    /* Newest first */
    while ((bs = bdrv_next_node(bs))) {
        AioContext *ctx = bdrv_get_aio_context(bs);
        BlockDeviceInfo *info;

        aio_context_acquire(ctx);
        info = bdrv_block_device_info(NULL, bs, flat, errp);
        aio_context_release(ctx);
        if (!info) {
            qapi_free_BlockDeviceInfoList(list);
            return NULL;
        }
        QAPI_LIST_PREPEND(list, info);
    }
    return list;
}

BlockDeviceInfoList *qmp_query_named_block_nodes(bool has_flat, bool flat,
                                                 Error **errp)
{
    return bdrv_named_nodes_list(has_flat && flat, errp);
}

/* ---- Backends ---- */

static BlockInfo *block_info(BlockBackend *blk, Error **errp)
{
    BlockInfo *info = g_new0(BlockInfo, 1);
    BlockDriverState *bs = blk_bs(blk);
    char *qdev = blk_get_attached_dev_id(blk);

    bs = bs ? bdrv_skip_implicit_filters(bs) : NULL;
    info->device = g_strdup(blk_name(blk));
    info->type = g_strdup("unknown");
    info->locked = blk_dev_is_medium_locked(blk);
    info->removable = blk_dev_has_removable_media(blk);
    info->has_qdev = *qdev != '\0';
    info->qdev = info->has_qdev ? g_strdup(qdev) : NULL;
    g_free(qdev);
    info->has_tray_open = blk_dev_has_tray(blk);
    info->tray_open = info->has_tray_open && blk_dev_is_tray_open(blk);
    info->has_io_status = blk_iostatus_is_enabled(blk);
    info->io_status = blk_iostatus(blk);
    if (bs && bs->drv) {
        info->inserted = bdrv_block_device_info(blk, bs, false, errp);
        if (!info->inserted) {
            qapi_free_BlockInfo(info);
            return NULL;
        }
        info->has_inserted = true;
    }
    return info;
}

BlockInfoList *qmp_query_block(Error **errp)
{
    BlockInfoList *head = NULL, **tail = &head;
    BlockBackend *blk = NULL;

    while ((blk = blk_all_next(blk))) {
        AioContext *ctx;
        BlockInfo *info;

        if (!*blk_name(blk) && !blk_get_attached_dev(blk)) {
            continue;
        }
        ctx = blk_get_aio_context(blk);
        aio_context_acquire(ctx);
        info = block_info(blk, errp);
        aio_context_release(ctx);
        if (!info) {
            qapi_free_BlockInfoList(head);
            return NULL;
        }
        QAPI_LIST_APPEND(tail, info);
    }
    return head;
}

/* ---- Statistics ---- */

/* NULL if none is kept. */
static BlockLatencyHistogramInfo *histogram(const BlockLatencyHistogram *h)
{
    BlockLatencyHistogramInfo *info;
    uint64List **boundaries, **bins;
    unsigned i;

    if (!h->nbins) {
        return NULL;
    }
    info = g_new0(BlockLatencyHistogramInfo, 1);
    boundaries = &info->boundaries;
    bins = &info->bins;
    for (i = 0; i < h->nbins; i++) {
        QAPI_LIST_APPEND(bins, h->bins[i]);
        if (i < h->nbins - 1) {
            QAPI_LIST_APPEND(boundaries, h->boundaries[i]);
        }
    }
    return info;
}

static BlockDeviceTimedStats *timed_stats(BlockAcctTimedStats *timed)
{
    TimedAverage *rd = &timed->latency[BLOCK_ACCT_READ];
    TimedAverage *wr = &timed->latency[BLOCK_ACCT_WRITE];
    TimedAverage *fl = &timed->latency[BLOCK_ACCT_FLUSH];
    BlockDeviceTimedStats *info = g_new0(BlockDeviceTimedStats, 1);

    info->interval_length = timed->interval_length;
    info->min_rd_latency_ns = timed_average_min(rd);
    info->max_rd_latency_ns = timed_average_max(rd);
    info->avg_rd_latency_ns = timed_average_avg(rd);
    info->min_wr_latency_ns = timed_average_min(wr);
    info->max_wr_latency_ns = timed_average_max(wr);
    info->avg_wr_latency_ns = timed_average_avg(wr);
    info->min_flush_latency_ns = timed_average_min(fl);
    info->max_flush_latency_ns = timed_average_max(fl);
    info->avg_flush_latency_ns = timed_average_avg(fl);
    info->avg_rd_queue_depth = block_acct_queue_depth(timed, BLOCK_ACCT_READ);
    info->avg_wr_queue_depth = block_acct_queue_depth(timed, BLOCK_ACCT_WRITE);
    return info;
}

static void blk_stats(BlockDeviceStats *ds, BlockBackend *blk)
{
    BlockAcctStats *stats = blk_get_stats(blk);
    BlockDeviceTimedStatsList **tail = &ds->timed_stats;
    BlockAcctTimedStats *timed;

    qemu_mutex_lock(&stats->lock);
    QSIMPLEQ_FOREACH(timed, &stats->intervals, entries) {
        QAPI_LIST_APPEND(tail, timed_stats(timed));
    }
    ds->rd_bytes = stats->nr_bytes[BLOCK_ACCT_READ];
    ds->wr_bytes = stats->nr_bytes[BLOCK_ACCT_WRITE];
    ds->unmap_bytes = stats->nr_bytes[BLOCK_ACCT_UNMAP];
    ds->rd_operations = stats->nr_ops[BLOCK_ACCT_READ];
    ds->wr_operations = stats->nr_ops[BLOCK_ACCT_WRITE];
    ds->unmap_operations = stats->nr_ops[BLOCK_ACCT_UNMAP];
    ds->flush_operations = stats->nr_ops[BLOCK_ACCT_FLUSH];
    ds->rd_latency_histogram = histogram(&stats->latency[BLOCK_ACCT_READ]);
    ds->has_rd_latency_histogram = ds->rd_latency_histogram;
    ds->wr_latency_histogram = histogram(&stats->latency[BLOCK_ACCT_WRITE]);
    ds->has_wr_latency_histogram = ds->wr_latency_histogram;
    ds->flush_latency_histogram = histogram(&stats->latency[BLOCK_ACCT_FLUSH]);
    ds->has_flush_latency_histogram = ds->flush_latency_histogram;
    ds->failed_rd_operations = stats->failed_ops[BLOCK_ACCT_READ];
    ds->failed_wr_operations = stats->failed_ops[BLOCK_ACCT_WRITE];
    ds->failed_flush_operations = stats->failed_ops[BLOCK_ACCT_FLUSH];
    ds->failed_unmap_operations = stats->failed_ops[BLOCK_ACCT_UNMAP];
    ds->invalid_rd_operations = stats->invalid_ops[BLOCK_ACCT_READ];
    ds->invalid_wr_operations = stats->invalid_ops[BLOCK_ACCT_WRITE];
    ds->invalid_flush_operations = stats->invalid_ops[BLOCK_ACCT_FLUSH];
    ds->invalid_unmap_operations = stats->invalid_ops[BLOCK_ACCT_UNMAP];
    ds->rd_merged = stats->merged[BLOCK_ACCT_READ];
    ds->wr_merged = stats->merged[BLOCK_ACCT_WRITE];
    ds->unmap_merged = stats->merged[BLOCK_ACCT_UNMAP];
    ds->rd_total_time_ns = stats->total_time_ns[BLOCK_ACCT_READ];
    ds->wr_total_time_ns = stats->total_time_ns[BLOCK_ACCT_WRITE];
    ds->flush_total_time_ns = stats->total_time_ns[BLOCK_ACCT_FLUSH];
    ds->unmap_total_time_ns = stats->total_time_ns[BLOCK_ACCT_UNMAP];
    ds->has_idle_time_ns = stats->last_access_time_ns > 0;
    qemu_mutex_unlock(&stats->lock);
    if (ds->has_idle_time_ns) {
        ds->idle_time_ns = block_acct_idle_time_ns(stats);
    }
    ds->account_invalid = stats->account_invalid;
    ds->account_failed = stats->account_failed;
}

/* Of @bs and what is below it; @backend: as a backend's users see it,
 * without implicit filters. */
static BlockStats *bds_stats(BlockDriverState *bs, bool backend)
{
    BlockStats *s = g_new0(BlockStats, 1);
    BlockDriverState *parent, *backing;

    s->stats = g_new0(BlockDeviceStats, 1);
    if (!bs) {
        return s;
    }
    if (backend) {
        bs = bdrv_skip_implicit_filters(bs);
    }
    if (*bs->node_name) {
        s->has_node_name = true;
        s->node_name = g_strdup(bs->node_name);
    }
    s->stats->wr_highest_offset = atomic_read(&bs->wr_highest_offset);
    s->driver_specific = bdrv_get_specific_stats(bs);
    s->has_driver_specific = s->driver_specific != NULL;
    parent = bdrv_primary_bs(bs);
    if (parent) {
        s->has_parent = true;
        s->parent = bds_stats(parent, backend);
    }
    /* What a filter passes requests on to shows twice, as in QEMU 7.2. */
    backing = bdrv_filter_or_cow_bs(bs);
    if (backend && backing) {
        s->has_backing = true;
        s->backing = bds_stats(backing, backend);
    }
    return s;
}

static BlockStatsList *stats_of_nodes(void)
{
    BlockStatsList *head = NULL, **tail = &head;
    BlockDriverState *bs = NULL;

    while ((bs = bdrv_next_node(bs))) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        QAPI_LIST_APPEND(tail, bds_stats(bs, false));
        aio_context_release(ctx);
    }
    return head;
}

BlockStatsList *qmp_query_blockstats(bool has_query_nodes, bool query_nodes,
                                     Error **errp)
{
    BlockStatsList *head = NULL, **tail = &head;
    BlockBackend *blk = NULL;

    if (has_query_nodes && query_nodes) {
        return stats_of_nodes();
    }
    while ((blk = blk_all_next(blk))) {
        AioContext *ctx;
        BlockStats *s;

        if (!*blk_name(blk) && !blk_get_attached_dev(blk)) {
            continue;
        }
        ctx = blk_get_aio_context(blk);
        aio_context_acquire(ctx);
        s = bds_stats(blk_bs(blk), true);
        s->has_device = true;
        s->device = g_strdup(blk_name(blk));
        s->qdev = blk_get_attached_dev_id(blk);
        s->has_qdev = *s->qdev != '\0';
        if (!s->has_qdev) {
            g_clear_pointer(&s->qdev, g_free);
        }
        blk_stats(s->stats, blk);
        aio_context_release(ctx);
        QAPI_LIST_APPEND(tail, s);
    }
    return head;
}
