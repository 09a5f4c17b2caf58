/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: new images.
 *
 * A new image begins as one with a disk of no bytes: header, refcount table
 * and refcount block, one cluster each.  It is opened and gets its size, its
 * backing file and its space as any image would.
 */
#include "qemu/osdep.h"
#include "block/crypto.h"
#include "block/qcow2.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"
#include "sysemu/block-backend.h"

#define DEFAULT_CLUSTER_SIZE    (64 * KiB)
#define DEFAULT_REFCOUNT_BITS   16
/* Clusters of an image without disk: header, refcount table and block. */
#define EMPTY_CLUSTERS          3

QemuOptsList qcow2_create_opts = {
    .name = "qcow2-create-opts",
    .head = QTAILQ_HEAD_INITIALIZER(qcow2_create_opts.head),
    .desc = {
        {
            .name = BLOCK_OPT_ENCRYPT,
            .type = QEMU_OPT_BOOL,
            .help = "Encrypt the image with format 'aes'. (Deprecated in "
                    "favor of encrypt.format=aes)",
        }, {
            .name = BLOCK_OPT_ENCRYPT_FORMAT,
            .type = QEMU_OPT_STRING,
            .help = "Encrypt the image, format choices: 'aes', 'luks'",
        },
        BLOCK_CRYPTO_CREATE_OPTS("encrypt.", "ID of secret providing qcow AES "
                                 "key or LUKS passphrase"),
        {
            .name = BLOCK_OPT_CLUSTER_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "qcow2 cluster size",
            .def_value_str = stringify(65536),
        }, {
            .name = BLOCK_OPT_EXTL2,
            .type = QEMU_OPT_BOOL,
            .help = "Extended L2 tables",
            .def_value_str = "off",
        }, {
            .name = BLOCK_OPT_PREALLOC,
            .type = QEMU_OPT_STRING,
            .help = "Preallocation mode (allowed values: off, metadata, "
                    "falloc, full)",
        }, {
            .name = BLOCK_OPT_COMPRESSION_TYPE,
            .type = QEMU_OPT_STRING,
            .help = "Compression method used for image cluster compression",
            .def_value_str = "zlib",
        }, {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size",
        }, {
            .name = BLOCK_OPT_COMPAT_LEVEL,
            .type = QEMU_OPT_STRING,
            .help = "Compatibility level (v2 [0.10] or v3 [1.1])",
        }, {
            .name = BLOCK_OPT_BACKING_FILE,
            .type = QEMU_OPT_STRING,
            .help = "File name of a base image",
        }, {
            .name = BLOCK_OPT_BACKING_FMT,
            .type = QEMU_OPT_STRING,
            .help = "Image format of the base image",
        }, {
            .name = BLOCK_OPT_DATA_FILE,
            .type = QEMU_OPT_STRING,
            .help = "File name of an external data file",
        }, {
            .name = BLOCK_OPT_DATA_FILE_RAW,
            .type = QEMU_OPT_BOOL,
            .help = "The external data file must stay valid as a raw image",
        }, {
            .name = BLOCK_OPT_LAZY_REFCOUNTS,
            .type = QEMU_OPT_BOOL,
            .help = "Postpone refcount updates",
            .def_value_str = "off",
        }, {
            .name = BLOCK_OPT_REFCOUNT_BITS,
            .type = QEMU_OPT_NUMBER,
            .help = "Width of a reference count entry in bits",
            .def_value_str = "16",
        },
        { /* end of list */ }
    },
};

/* ---- What is wanted, checked ---- */

typedef struct NewImage {
    Qcow2Header hdr;            /* of the image without disk */
    uint64_t size;
    PreallocMode prealloc;
} NewImage;

static bool check_v3_only(const BlockdevCreateOptionsQcow2 *o, Error **errp)
{
    if (o->has_lazy_refcounts && o->lazy_refcounts) {
        error_setg(errp, "Lazy refcounts only supported with compatibility "
                   "level 1.1 and above (use version=v3 or greater)");
        return false;
    }
    if (o->has_refcount_bits && o->refcount_bits != DEFAULT_REFCOUNT_BITS) {
        error_setg(errp, "Different refcount widths than 16 bits require "
                   "compatibility level 1.1 or above (use version=v3 or "
                   "greater)");
        return false;
    }
    if (o->has_data_file) {
        error_setg(errp, "External data files are only supported with "
                   "compatibility level 1.1 and above (use version=v3 or "
                   "greater)");
        return false;
    }
    if (o->has_extended_l2 && o->extended_l2) {
        error_setg(errp, "Extended L2 entries are only supported with "
                   "compatibility level 1.1 and above (use version=v3 or "
                   "greater)");
        return false;
    }
    if (o->has_compression_type &&
        o->compression_type != QCOW2_COMPRESSION_TYPE_ZLIB) {
        error_setg(errp, "Non-zlib compression type is only supported with "
                   "compatibility level 1.1 and above (use version=v3 or "
                   "greater)");
        return false;
    }
    return true;
}

static bool check_combinations(const BlockdevCreateOptionsQcow2 *o,
                               const NewImage *img, Error **errp)
{
    bool extl2 = img->hdr.incompatible & QCOW2_INCOMPAT_EXTL2;
    uint64_t header;

    if (extl2 && 1ULL << img->hdr.cluster_bits <
                 QCOW2_SUBCLUSTERS * QCOW2_MIN_SUBCLUSTER) {
        error_setg(errp, "Extended L2 entries are only supported with cluster "
                   "sizes of at least %d bytes",
                   QCOW2_SUBCLUSTERS * QCOW2_MIN_SUBCLUSTER);
        return false;
    }
    if (img->prealloc != PREALLOC_MODE_OFF && o->has_backing_file && !extl2) {
        error_setg(errp, "Backing file and preallocation can only be used at "
                   "the same time if extended_l2 is on");
        return false;
    }
    if (o->has_backing_fmt && !o->has_backing_file) {
        error_setg(errp, "Backing format cannot be used without backing file");
        return false;
    }
    if (o->has_data_file_raw && o->data_file_raw && !o->has_data_file) {
        error_setg(errp, "data-file-raw requires data-file");
        return false;
    }
    if (o->has_data_file_raw && o->data_file_raw && o->has_backing_file) {
        error_setg(errp, "Backing file and data-file-raw cannot be used at "
                   "the same time");
        return false;
    }
    if (o->has_backing_file &&
        strlen(o->backing_file) > QCOW2_MAX_BACKING_NAME) {
        error_setg(errp, "Could not assign backing file '%s' with format "
                   "'%s': Invalid argument", o->backing_file,
                   o->has_backing_fmt ? BlockdevDriver_str(o->backing_fmt)
                                      : "");
        return false;
    }
    if (o->has_encrypt &&
        !qcrypto_block_measure(o->encrypt, "encrypt.", &header, errp)) {
        return false;
    }
    return true;
}

static void set_features(const BlockdevCreateOptionsQcow2 *o, NewImage *img)
{
    Qcow2Header *h = &img->hdr;

    if (o->has_data_file) {
        h->incompatible |= QCOW2_INCOMPAT_DATA_FILE;
        if (o->has_data_file_raw && o->data_file_raw) {
            h->autoclear |= QCOW2_AUTOCLEAR_DATA_RAW;
            /* All of the disk must have its place. */
            if (img->prealloc == PREALLOC_MODE_OFF) {
                img->prealloc = PREALLOC_MODE_METADATA;
            }
        }
    }
    if (o->has_lazy_refcounts && o->lazy_refcounts) {
        h->compatible |= QCOW2_COMPAT_LAZY_REFCOUNTS;
    }
    if (o->has_compression_type) {
        h->compression = o->compression_type;
        if (o->compression_type != QCOW2_COMPRESSION_TYPE_ZLIB) {
            h->incompatible |= QCOW2_INCOMPAT_COMPRESSION;
        }
    }
}

static bool check_options(const BlockdevCreateOptionsQcow2 *o, NewImage *img,
                          Error **errp)
{
    uint64_t cluster = o->has_cluster_size ? o->cluster_size
                                           : DEFAULT_CLUSTER_SIZE;
    int64_t bits = o->has_refcount_bits ? o->refcount_bits
                                        : DEFAULT_REFCOUNT_BITS;
    Qcow2Header *h = &img->hdr;

    memset(img, 0, sizeof(*img));
    if (o->size % BDRV_SECTOR_SIZE) {
        error_setg(errp, "Image size must be a multiple of %llu bytes",
                   BDRV_SECTOR_SIZE);
        return false;
    }
    if (cluster < 1ULL << QCOW2_MIN_CLUSTER_BITS ||
        cluster > 1ULL << QCOW2_MAX_CLUSTER_BITS || !is_power_of_2(cluster)) {
        error_setg(errp, "Cluster size must be a power of two between %d and "
                   "%dk", 1 << QCOW2_MIN_CLUSTER_BITS,
                   1 << (QCOW2_MAX_CLUSTER_BITS - 10));
        return false;
    }
    if (bits <= 0 || bits > 64 || !is_power_of_2(bits)) {
        error_setg(errp, "Refcount width must be a power of two and may not "
                   "exceed 64 bits");
        return false;
    }
    img->size = o->size;
    img->prealloc = o->has_preallocation ? o->preallocation
                                         : PREALLOC_MODE_OFF;
    h->version = o->has_version && o->version == BLOCKDEV_QCOW2_VERSION_V2
                 ? 2 : 3;
    h->cluster_bits = ctz64(cluster);
    h->refcount_order = ctz64(bits);
    h->header_length = h->version < 3 ? QCOW2_V2_HEADER_LENGTH
                                      : QCOW2_HEADER_LENGTH;
    h->reftable_offset = cluster;
    h->reftable_clusters = 1;
    if (o->has_extended_l2 && o->extended_l2) {
        h->incompatible |= QCOW2_INCOMPAT_EXTL2;
    }
    if ((h->version < 3 && !check_v3_only(o, errp)) ||
        !check_combinations(o, img, errp)) {
        return false;
    }
    set_features(o, img);
    return true;
}

/* 0 or -errno: what growing the image to that size would fail with. */
static int check_size(const NewImage *img, Error **errp)
{
    Qcow2State geometry = { .hdr = img->hdr };

    qcow2_set_geometry(&geometry);
    if (img->size > INT64_MAX) {
        error_setg(errp, "Could not resize image: Image size cannot be "
                   "negative");
        return -EINVAL;
    }
    if (img->size > BDRV_MAX_LENGTH ||
        qcow2_l1_entries(&geometry, img->size) >
        QCOW2_MAX_L1_BYTES / sizeof(uint64_t)) {
        error_setg(errp, "Could not resize image: Failed to grow the L1 "
                   "table: File too large");
        return -EFBIG;
    }
    return 0;
}

/* ---- The image without disk ---- */

/* Header with what is told about the data file; the rest of the extensions
 * come when the header is written again. */
static void encode_header(const NewImage *img, const char *data_file,
                          uint8_t *buf, size_t size)
{
    qcow2_header_encode(&img->hdr, buf);
    if (data_file && strlen(data_file) + QCOW2_HEADER_LENGTH + 24 <= size) {
        uint8_t *p = buf + img->hdr.header_length;

        stl_be_p(p, QCOW2_EXT_DATA_FILE);
        stl_be_p(p + 4, strlen(data_file));
        memcpy(p + 8, data_file, strlen(data_file));
    }
}

static int coroutine_fn write_empty(BlockBackend *blk, const NewImage *img,
                                    const char *data_file, Error **errp)
{
    size_t cluster = 1ULL << img->hdr.cluster_bits;
    size_t head_size = MIN(cluster, 4096);
    uint64_t refblock = cluster * 2;
    g_autofree uint8_t *buf = g_malloc0(head_size);
    unsigned i;
    int ret;

    /* Whatever was there before: tables must not be read from it. */
    ret = blk_co_pwrite_zeroes(blk, 0, cluster * EMPTY_CLUSTERS, 0);
    if (ret >= 0) {
        encode_header(img, data_file, buf, head_size);
        ret = blk_co_pwrite(blk, 0, head_size, buf, 0);
    }
    if (ret >= 0) {
        memset(buf, 0, head_size);
        stq_be_p(buf, refblock);
        ret = blk_co_pwrite(blk, cluster, BDRV_SECTOR_SIZE, buf, 0);
    }
    if (ret >= 0) {
        memset(buf, 0, head_size);
        for (i = 0; i < EMPTY_CLUSTERS; i++) {
            qcow2_refcount_set_raw(buf, img->hdr.refcount_order, i, 1);
        }
        ret = blk_co_pwrite(blk, refblock, BDRV_SECTOR_SIZE, buf, 0);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not write qcow2 header");
    }
    return ret;
}

/* ---- The image ---- */

/* Open it; barriers are of no use before it is complete. */
static BlockBackend *open_new(BlockDriverState *file, BlockDriverState *data,
                              Error **errp)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "qcow2");
    qdict_put_str(options, "file", bdrv_get_node_name(file));
    if (data) {
        qdict_put_str(options, "data-file", bdrv_get_node_name(data));
    }
    return blk_new_open(NULL, NULL, options,
                        BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_NO_FLUSH |
                        BDRV_O_NO_BACKING, errp);
}

static int coroutine_fn complete_image(BlockBackend *blk, const NewImage *img,
                                       const BlockdevCreateOptionsQcow2 *o,
                                       Error **errp)
{
    Qcow2CryptoCreate crypto = { o->encrypt, errp };
    BlockDriverState *bs = blk_bs(blk);
    int ret;

    if (o->has_encrypt) {
        ret = qcow2_run_locked(bs, qcow2_crypto_create, &crypto);
        if (ret < 0) {
            return ret;
        }
    }
    ret = blk_co_truncate(blk, img->size, false, img->prealloc, 0, errp);
    if (ret < 0) {
        error_prepend(errp, "Could not resize image: ");
        return ret;
    }
    ret = bdrv_change_backing_file(bs, o->has_backing_file ? o->backing_file
                                                           : NULL,
                                   o->has_backing_fmt
                                   ? BlockdevDriver_str(o->backing_fmt)
                                   : NULL, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not assign backing file '%s' with "
                         "format '%s'", o->backing_file ?: "",
                         o->has_backing_fmt
                         ? BlockdevDriver_str(o->backing_fmt) : "");
        return ret;
    }
    ret = blk_co_flush(blk);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not flush the new image");
    }
    return ret;
}

static BlockBackend *own(BlockDriverState *bs, Error **errp)
{
    BlockBackend *blk = blk_new_with_bs(bs, BLK_PERM_WRITE | BLK_PERM_RESIZE,
                                        BLK_PERM_ALL, errp);

    if (blk) {
        blk_set_allow_write_beyond_eof(blk, true);
    }
    return blk;
}

/* The header and what must be there with it.  Nothing is written unless both
 * nodes can be written to. */
static int coroutine_fn begin_image(BlockDriverState *file,
                                    BlockDriverState *data,
                                    const NewImage *img, Error **errp)
{
    BlockBackend *blk = own(file, errp), *data_blk = NULL;
    int ret = blk ? 0 : -EPERM;

    if (blk && data) {
        data_blk = own(data, errp);
        ret = data_blk ? 0 : -EPERM;
    }
    if (ret == 0) {
        ret = write_empty(blk, img, data ? data->filename : NULL, errp);
    }
    blk_unref(data_blk);
    blk_unref(blk);
    return ret;
}

/* @file and, if it is not NULL, @data are empty. */
static int coroutine_fn create_in(BlockDriverState *file,
                                  BlockDriverState *data, const NewImage *img,
                                  const BlockdevCreateOptionsQcow2 *o,
                                  Error **errp)
{
    BlockBackend *blk;
    int ret = begin_image(file, data, img, errp);

    if (ret < 0) {
        return ret;
    }
    blk = open_new(file, data, errp);
    if (!blk) {
        return -EIO;
    }
    ret = complete_image(blk, img, o, errp);
    blk_unref(blk);
    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_flush(file);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not flush the new image");
    }
    return ret;
}

int coroutine_fn qcow2_co_create(BlockdevCreateOptions *opts, Error **errp)
{
    BlockdevCreateOptionsQcow2 *o = &opts->u.qcow2;
    BlockDriverState *file, *data = NULL;
    NewImage img;
    int ret;

    assert(opts->driver == BLOCKDEV_DRIVER_QCOW2);
    if (!check_options(o, &img, errp)) {
        return -EINVAL;
    }
    ret = check_size(&img, errp);
    if (ret < 0) {
        return ret;
    }
    file = bdrv_open_blockdev_ref(o->file, errp);
    if (!file) {
        return -EIO;
    }
    if (o->has_data_file) {
        data = bdrv_open_blockdev_ref(o->data_file, errp);
        if (!data) {
            bdrv_unref(file);
            return -EIO;
        }
    }
    ret = create_in(file, data, &img, o, errp);
    bdrv_unref(data);
    bdrv_unref(file);
    return ret;
}

/* ---- From the options of a command line ---- */

static bool parse_enum(const QEnumLookup *lookup, const char *name,
                       const char *value, int *out, Error **errp)
{
    int i = qapi_enum_parse(lookup, value, -1, NULL);

    if (i < 0) {
        error_setg(errp, "Parameter '%s' does not accept value '%s'", name,
                   value);
        return false;
    }
    *out = i;
    return true;
}

static bool take_version(QemuOpts *opts, BlockdevCreateOptionsQcow2 *o,
                         Error **errp)
{
    const char *value = qemu_opt_get(opts, BLOCK_OPT_COMPAT_LEVEL);
    int v = BLOCKDEV_QCOW2_VERSION_V3;

    if (!value || !strcmp(value, "1.1")) {
        value = "v3";
    } else if (!strcmp(value, "0.10")) {
        value = "v2";
    }
    if (!parse_enum(&BlockdevQcow2Version_lookup, "version", value, &v,
                    errp)) {
        return false;
    }
    o->has_version = true;
    o->version = v;
    return true;
}

static bool take_enums(QemuOpts *opts, BlockdevCreateOptionsQcow2 *o,
                       Error **errp)
{
    const char *value;
    int v;

    if (!take_version(opts, o, errp)) {
        return false;
    }
    value = qemu_opt_get(opts, BLOCK_OPT_BACKING_FMT);
    if (value) {
        if (!parse_enum(&BlockdevDriver_lookup, "backing-fmt", value, &v,
                        errp)) {
            return false;
        }
        o->has_backing_fmt = true;
        o->backing_fmt = v;
    }
    value = qemu_opt_get(opts, BLOCK_OPT_PREALLOC);
    if (value) {
        if (!parse_enum(&PreallocMode_lookup, "preallocation", value, &v,
                        errp)) {
            return false;
        }
        o->has_preallocation = true;
        o->preallocation = v;
    }
    value = qemu_opt_get(opts, BLOCK_OPT_COMPRESSION_TYPE);
    if (value) {
        if (!parse_enum(&Qcow2CompressionType_lookup, "compression-type",
                        value, &v, errp)) {
            return false;
        }
        o->has_compression_type = true;
        o->compression_type = v;
    }
    return true;
}

/* Strings in @o are those of @opts, and not to be freed. */
static bool take_options(QemuOpts *opts, BlockdevCreateOptionsQcow2 *o,
                         Error **errp)
{
    o->size = ROUND_UP(qemu_opt_get_size(opts, BLOCK_OPT_SIZE, 0),
                       BDRV_SECTOR_SIZE);
    o->has_cluster_size = true;
    o->cluster_size = qemu_opt_get_size(opts, BLOCK_OPT_CLUSTER_SIZE,
                                        DEFAULT_CLUSTER_SIZE);
    o->has_refcount_bits = true;
    o->refcount_bits = qemu_opt_get_number(opts, BLOCK_OPT_REFCOUNT_BITS,
                                           DEFAULT_REFCOUNT_BITS);
    o->has_extended_l2 = true;
    o->extended_l2 = qemu_opt_get_bool(opts, BLOCK_OPT_EXTL2, false);
    o->has_lazy_refcounts = true;
    o->lazy_refcounts = qemu_opt_get_bool(opts, BLOCK_OPT_LAZY_REFCOUNTS,
                                          false);
    o->backing_file = (char *)qemu_opt_get(opts, BLOCK_OPT_BACKING_FILE);
    o->has_backing_file = o->backing_file != NULL;
    o->has_data_file = qemu_opt_get(opts, BLOCK_OPT_DATA_FILE) != NULL;
    o->has_data_file_raw = qemu_opt_find(opts, BLOCK_OPT_DATA_FILE_RAW);
    o->data_file_raw = qemu_opt_get_bool(opts, BLOCK_OPT_DATA_FILE_RAW, false);
    return take_enums(opts, o, errp);
}

/* Make the protocol level of @filename and open it. */
static BlockDriverState *create_protocol(const char *filename, QemuOpts *opts,
                                         Error **errp)
{
    if (bdrv_create_file(filename, opts, errp) < 0) {
        return NULL;
    }
    return bdrv_open(filename, NULL, NULL,
                     BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_PROTOCOL, errp);
}

/* What was made in vain does not stay behind as half an image. */
static void coroutine_fn delete_protocol(BlockDriverState *bs)
{
    if (bs) {
        bdrv_co_delete_file(bs, NULL);
    }
}

int coroutine_fn qcow2_co_create_opts(BlockDriver *drv, const char *filename,
                                      QemuOpts *opts, Error **errp)
{
    BlockdevCreateOptionsQcow2 o = { 0 };
    BlockDriverState *file, *data = NULL;
    g_autofree char *data_name = NULL;
    g_autoptr(QCryptoBlockCreateOptions) crypto = NULL;
    NewImage img;
    int ret;

    if (!take_options(opts, &o, errp) ||
        !qcow2_crypto_parse_create(opts, &crypto, errp)) {
        return -EINVAL;
    }
    o.encrypt = crypto;
    o.has_encrypt = crypto != NULL;
    if (!check_options(&o, &img, errp)) {
        return -EINVAL;
    }
    ret = check_size(&img, errp);
    if (ret < 0) {
        return ret;
    }
    data_name = g_strdup(qemu_opt_get(opts, BLOCK_OPT_DATA_FILE));
    /* The protocol's file is as long as what is in it. */
    qemu_opt_unset(opts, BLOCK_OPT_SIZE);
    qemu_opt_unset(opts, BLOCK_OPT_PREALLOC);
    file = create_protocol(filename, opts, errp);
    if (!file) {
        return -EIO;
    }
    if (data_name) {
        data = create_protocol(data_name, opts, errp);
    }
    ret = data_name && !data ? -EIO : create_in(file, data, &img, &o, errp);
    if (ret < 0) {
        delete_protocol(data);
        delete_protocol(file);
    }
    bdrv_unref(data);
    bdrv_unref(file);
    return ret;
}
