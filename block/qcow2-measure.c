/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: how large the file of a new image gets, by the layout that
 * qcow2-create.c and the allocation of clusters lead to.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"
#include "qemu/option.h"

/* ---- Metadata ---- */

/* Bytes of refcount blocks and table that count @clusters and themselves. */
static uint64_t refs_bytes(const Qcow2State *s, uint64_t clusters)
{
    uint64_t per_block = 1ULL << s->refblock_bits;
    uint64_t per_table = s->cluster_size / sizeof(uint64_t);
    uint64_t blocks = 0, table = 0, n = 0, last;

    do {
        last = n;
        blocks = DIV_ROUND_UP(clusters + n, per_block);
        table = DIV_ROUND_UP(blocks, per_table);
        n = blocks + table;
    } while (n != last);
    return n << s->cluster_bits;
}

static uint64_t metadata_bytes(const Qcow2State *s, uint64_t size)
{
    uint64_t l2_tables = qcow2_l1_entries(s, size);
    uint64_t l1 = qcow2_cluster_up(s, l2_tables * sizeof(uint64_t));
    uint64_t meta = s->cluster_size + (l2_tables << s->cluster_bits) + l1;

    return meta + refs_bytes(s, (meta + size) >> s->cluster_bits);
}

/* ---- Data ---- */

/* Bytes of the clusters for which there are data in @bs. */
static int64_t data_bytes(const Qcow2State *s, BlockDriverState *bs,
                          int64_t size)
{
    int64_t offset = 0, sum = 0, n;
    int ret;

    while (offset < size) {
        int64_t from, to;

        ret = bdrv_block_status_above(bs, NULL, offset, size - offset, &n,
                                      NULL, NULL);
        if (ret < 0) {
            return ret;
        }
        if ((ret & BDRV_BLOCK_ZERO) || !(ret & BDRV_BLOCK_DATA) ||
            !(ret & BDRV_BLOCK_ALLOCATED)) {
            offset += n;
            continue;
        }
        from = qcow2_cluster_down(s, offset);
        to = MIN(qcow2_cluster_up(s, offset + n), qcow2_cluster_up(s, size));
        sum += to - from;
        offset = to;
    }
    return sum;
}

/* ---- Options ---- */

static bool take_geometry(QemuOpts *opts, Qcow2State *s, Error **errp)
{
    uint64_t cluster = qemu_opt_get_size(opts, BLOCK_OPT_CLUSTER_SIZE,
                                         64 * KiB);
    uint64_t bits = qemu_opt_get_number(opts, BLOCK_OPT_REFCOUNT_BITS, 16);

    if (cluster < 1ULL << QCOW2_MIN_CLUSTER_BITS ||
        cluster > 1ULL << QCOW2_MAX_CLUSTER_BITS || !is_power_of_2(cluster)) {
        error_setg(errp, "Cluster size must be a power of two between %d and "
                   "%dk", 1 << QCOW2_MIN_CLUSTER_BITS,
                   1 << (QCOW2_MAX_CLUSTER_BITS - 10));
        return false;
    }
    if (bits == 0 || bits > 64 || !is_power_of_2(bits)) {
        error_setg(errp, "Refcount width must be a power of two and may not "
                   "exceed 64 bits");
        return false;
    }
    s->hdr.cluster_bits = ctz64(cluster);
    s->hdr.refcount_order = ctz64(bits);
    if (qemu_opt_get_bool(opts, BLOCK_OPT_EXTL2, false)) {
        s->hdr.incompatible |= QCOW2_INCOMPAT_EXTL2;
    }
    qcow2_set_geometry(s);
    return true;
}

static bool takes_all_space(QemuOpts *opts, bool *all, Error **errp)
{
    const char *value = qemu_opt_get(opts, BLOCK_OPT_PREALLOC);
    Error *local_err = NULL;
    int mode;

    mode = qapi_enum_parse(&PreallocMode_lookup, value, PREALLOC_MODE_OFF,
                           &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return false;
    }
    *all = mode == PREALLOC_MODE_FALLOC || mode == PREALLOC_MODE_FULL;
    return true;
}

/* Bytes of the header with keys of an encrypted image. */
static bool takes_keys(QemuOpts *opts, uint64_t *bytes, Error **errp)
{
    g_autoptr(QCryptoBlockCreateOptions) crypto = NULL;

    *bytes = 0;
    if (!qcow2_crypto_parse_create(opts, &crypto, errp)) {
        return false;
    }
    return !crypto || crypto->format != QCRYPTO_BLOCK_FORMAT_LUKS ||
           qcrypto_block_measure(crypto, "encrypt.", bytes, errp);
}

BlockMeasureInfo *qcow2_measure(QemuOpts *opts, BlockDriverState *in_bs,
                                Error **errp)
{
    bool backing = qemu_opt_get(opts, BLOCK_OPT_BACKING_FILE);
    Qcow2State s = { 0 };
    BlockMeasureInfo *info;
    int64_t size, data = 0;
    uint64_t keys;
    bool all;

    if (!take_geometry(opts, &s, errp) ||
        !takes_all_space(opts, &all, errp) ||
        !takes_keys(opts, &keys, errp)) {
        return NULL;
    }
    size = in_bs ? bdrv_getlength(in_bs)
                 : qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0);
    if (size < 0) {
        error_setg_errno(errp, -size, "Unable to get image virtual_size");
        return NULL;
    }
    if (size > BDRV_MAX_LENGTH ||
        qcow2_l1_entries(&s, size) > QCOW2_MAX_L1_BYTES / sizeof(uint64_t)) {
        error_setg(errp, "The image size is too large (try using a larger "
                   "cluster size)");
        return NULL;
    }
    if (in_bs) {
        data = backing ? (int64_t)qcow2_cluster_up(&s, size)
                       : data_bytes(&s, in_bs, size);
        if (data < 0) {
            error_setg_errno(errp, -data, "Unable to get block status");
            return NULL;
        }
    }
    size = qcow2_cluster_up(&s, size);
    info = g_new0(BlockMeasureInfo, 1);
    keys = qcow2_cluster_up(&s, keys);
    info->fully_allocated = metadata_bytes(&s, size) + keys + size;
    info->required = all ? info->fully_allocated
                         : info->fully_allocated - size + data;
    if (in_bs && bdrv_supports_persistent_dirty_bitmap(in_bs)) {
        info->has_bitmaps = true;
        info->bitmaps = qcow2_bitmaps_measure(in_bs, s.cluster_size);
    }
    return info;
}
