/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: the header, its extensions and the name of the backing file.  All of
 * them are in the first cluster:
 *
 *     header | unknown fields | extensions | end mark | name of backing file
 *
 * Invariants
 *   1. What we don't know, fields and extensions, is written back unchanged.
 *   2. ->hdr has nothing that was not checked.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

/* ---- The fixed part ---- */

static void decode(const uint8_t *buf, Qcow2Header *h)
{
    h->version = ldl_be_p(buf + 4);
    h->backing_offset = ldq_be_p(buf + 8);
    h->backing_length = ldl_be_p(buf + 16);
    h->cluster_bits = ldl_be_p(buf + 20);
    h->size = ldq_be_p(buf + 24);
    h->crypt_method = ldl_be_p(buf + 32);
    h->l1_size = ldl_be_p(buf + 36);
    h->l1_offset = ldq_be_p(buf + 40);
    h->reftable_offset = ldq_be_p(buf + 48);
    h->reftable_clusters = ldl_be_p(buf + 56);
    h->nb_snapshots = ldl_be_p(buf + 60);
    h->snapshots_offset = ldq_be_p(buf + 64);
    h->refcount_order = 4;
    h->header_length = QCOW2_V2_HEADER_LENGTH;
    h->compression = QCOW2_COMPRESSION_TYPE_ZLIB;
    if (h->version < 3) {
        return;
    }
    h->incompatible = ldq_be_p(buf + 72);
    h->compatible = ldq_be_p(buf + 80);
    h->autoclear = ldq_be_p(buf + 88);
    h->refcount_order = ldl_be_p(buf + 96);
    h->header_length = ldl_be_p(buf + 100);
    if (h->header_length > QCOW2_V3_HEADER_MIN) {
        h->compression = buf[104];
    }
}

void qcow2_header_encode(const Qcow2Header *h, uint8_t *buf)
{
    memset(buf, 0, QCOW2_HEADER_LENGTH);
    stl_be_p(buf, QCOW2_MAGIC);
    stl_be_p(buf + 4, h->version);
    stq_be_p(buf + 8, h->backing_offset);
    stl_be_p(buf + 16, h->backing_length);
    stl_be_p(buf + 20, h->cluster_bits);
    stq_be_p(buf + 24, h->size);
    stl_be_p(buf + 32, h->crypt_method);
    stl_be_p(buf + 36, h->l1_size);
    stq_be_p(buf + 40, h->l1_offset);
    stq_be_p(buf + 48, h->reftable_offset);
    stl_be_p(buf + 56, h->reftable_clusters);
    stl_be_p(buf + 60, h->nb_snapshots);
    stq_be_p(buf + 64, h->snapshots_offset);
    if (h->version >= 3) {
        stq_be_p(buf + 72, h->incompatible);
        stq_be_p(buf + 80, h->compatible);
        stq_be_p(buf + 88, h->autoclear);
        stl_be_p(buf + 96, h->refcount_order);
        stl_be_p(buf + 100, h->header_length);
        buf[104] = h->compression;
    }
}

void qcow2_set_geometry(Qcow2State *s)
{
    bool extl2 = s->hdr.incompatible & QCOW2_INCOMPAT_EXTL2;

    s->cluster_bits = s->hdr.cluster_bits;
    s->cluster_size = 1ULL << s->cluster_bits;
    s->subclusters = extl2 ? QCOW2_SUBCLUSTERS : 1;
    s->subcluster_size = s->cluster_size / s->subclusters;
    s->subcluster_bits = ctz64(s->subcluster_size);
    s->entry_words = extl2 ? 2 : 1;
    s->l2_bits = s->cluster_bits - (extl2 ? 4 : 3);
    /* bytes of a block * 8 / bits of a count */
    s->refblock_bits = s->cluster_bits + 3 - s->hdr.refcount_order;
    s->refcount_max = s->hdr.refcount_order == 6
        ? INT64_MAX : (1ULL << (1U << s->hdr.refcount_order)) - 1;
}

/* ---- Checks ---- */

/* Names of features, from the table in the image. */
static char *unknown_features(uint64_t features, const uint8_t *table,
                              uint32_t table_bytes)
{
    GString *text = g_string_new(NULL);
    uint32_t i;

    for (i = 0; table && i + 48 <= table_bytes; i += 48) {
        if (table[i] == 0 && table[i + 1] < 64 &&
            (features & (1ULL << table[i + 1]))) {
            g_string_append_printf(text, "%s%.46s", text->len ? ", " : "",
                                   table + i + 2);
            features &= ~(1ULL << table[i + 1]);
        }
    }
    if (features) {
        g_string_append_printf(text, "%sUnknown incompatible feature: %"
                               PRIx64, text->len ? ", " : "", features);
    }
    return g_string_free(text, false);
}

static int check_layout(Qcow2Header *h, Error **errp)
{
    uint64_t cluster_size;

    if (h->version < 2 || h->version > 3) {
        error_setg(errp, "Unsupported qcow2 version %" PRIu32, h->version);
        return -ENOTSUP;
    }
    if (h->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
        h->cluster_bits > QCOW2_MAX_CLUSTER_BITS) {
        error_setg(errp, "Unsupported cluster size: 2^%" PRIu32,
                   h->cluster_bits);
        return -EINVAL;
    }
    cluster_size = 1ULL << h->cluster_bits;
    if (h->version >= 3 && h->header_length < QCOW2_V3_HEADER_MIN) {
        error_setg(errp, "qcow2 header too short");
        return -EINVAL;
    }
    if (h->header_length > cluster_size) {
        error_setg(errp, "qcow2 header exceeds cluster size");
        return -EINVAL;
    }
    if (h->backing_offset > cluster_size) {
        error_setg(errp, "Invalid backing file offset");
        return -EINVAL;
    }
    return 0;
}

static int check_compression(Qcow2Header *h, Error **errp)
{
    bool bit = h->incompatible & QCOW2_INCOMPAT_COMPRESSION;

    switch (h->compression) {
    case QCOW2_COMPRESSION_TYPE_ZLIB:
#ifdef CONFIG_ZSTD
    case QCOW2_COMPRESSION_TYPE_ZSTD:
#endif
        break;
    default:
        error_setg(errp, "qcow2: unknown compression type: %u",
                   h->compression);
        return -ENOTSUP;
    }
    if (h->compression == QCOW2_COMPRESSION_TYPE_ZLIB && bit) {
        error_setg(errp, "qcow2: Compression type incompatible feature bit "
                   "must not be set");
        return -EINVAL;
    }
    if (h->compression != QCOW2_COMPRESSION_TYPE_ZLIB && !bit) {
        error_setg(errp, "qcow2: Compression type incompatible feature bit "
                   "must be set");
        return -EINVAL;
    }
    return 0;
}

static int check_features(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2Header *h = &s->hdr;
    uint64_t subcluster = (1ULL << h->cluster_bits) / QCOW2_SUBCLUSTERS;

    if ((h->incompatible & QCOW2_INCOMPAT_CORRUPT) &&
        !(bs->open_flags & BDRV_O_CHECK) &&
        (bs->open_flags & BDRV_O_RDWR)) {
        error_setg(errp, "qcow2: Image is corrupt; cannot be opened "
                   "read/write");
        return -EACCES;
    }
    if ((h->incompatible & QCOW2_INCOMPAT_EXTL2) &&
        subcluster < QCOW2_MIN_SUBCLUSTER) {
        error_setg(errp, "Unsupported subcluster size: %" PRIu64, subcluster);
        return -EINVAL;
    }
    if (h->refcount_order > 6) {
        error_setg(errp, "Reference count entry width too large; may not "
                   "exceed 64 bits");
        return -EINVAL;
    }
    if (h->crypt_method > QCOW2_CRYPT_LUKS) {
        error_setg(errp, "Unsupported encryption method %" PRIu32,
                   h->crypt_method);
        return -EINVAL;
    }
    return 0;
}

int qcow2_check_table(BlockDriverState *bs, uint64_t offset, uint64_t entries,
                      size_t entry_len, int64_t max_bytes, const char *name,
                      Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t bytes;

    if (entries > max_bytes / entry_len) {
        error_setg(errp, "%s too large", name);
        return -EFBIG;
    }
    bytes = entries * entry_len;
    if (offset > INT64_MAX - bytes || qcow2_in_cluster(s, offset)) {
        error_setg(errp, "%s offset invalid", name);
        return -EINVAL;
    }
    return 0;
}

static int check_size(Qcow2Header *h, Qcow2State *s, Error **errp)
{
    uint64_t need;

    if (h->size > BDRV_MAX_LENGTH ||
        (need = qcow2_l1_entries(s, h->size)) > INT_MAX) {
        error_setg(errp, "Image is too big");
        return -EFBIG;
    }
    if (h->l1_size < need) {
        error_setg(errp, "L1 table is too small");
        return -EINVAL;
    }
    s->l1_vm_state = need;
    return 0;
}

static int check_tables(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2Header *h = &s->hdr;
    int ret;

    if (h->reftable_clusters == 0 && !(bs->open_flags & BDRV_O_CHECK)) {
        error_setg(errp, "Image does not contain a reference count table");
        return -EINVAL;
    }
    ret = qcow2_check_table(bs, h->reftable_offset, h->reftable_clusters,
                            s->cluster_size, QCOW2_MAX_REFTABLE,
                            "Reference count table", errp);
    if (ret == 0 && !(bs->open_flags & BDRV_O_CHECK)) {
        ret = qcow2_check_table(bs, h->snapshots_offset, h->nb_snapshots, 40,
                                40LL * QCOW2_MAX_SNAPSHOTS, "Snapshot table",
                                errp);
    }
    if (ret == 0) {
        ret = qcow2_check_table(bs, h->l1_offset, h->l1_size,
                                sizeof(uint64_t), QCOW2_MAX_L1_BYTES,
                                "Active L1 table", errp);
    }
    return ret < 0 ? ret : check_size(h, s, errp);
}

/* ---- Reading ---- */

/* Find the table of features, before anything else is believed. */
static char *coroutine_fn explain_features(BlockDriverState *bs,
                                           uint64_t features)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos = s->hdr.header_length;
    uint64_t end = s->hdr.backing_offset ? s->hdr.backing_offset
                                         : 1ULL << s->hdr.cluster_bits;
    uint8_t head[8];

    while (pos + sizeof(head) <= end &&
           bdrv_co_pread(bs->file, pos, sizeof(head), head, 0) >= 0) {
        uint32_t magic = ldl_be_p(head), length = ldl_be_p(head + 4);

        pos += sizeof(head);
        if (magic == QCOW2_EXT_END || length > end - pos) {
            break;
        }
        if (magic == QCOW2_EXT_FEATURE_TABLE) {
            g_autofree uint8_t *table = g_malloc0(length + 1);

            if (bdrv_co_pread(bs->file, pos, length, table, 0) < 0) {
                break;
            }
            return unknown_features(features, table, length);
        }
        pos += ROUND_UP((uint64_t)length, 8);
    }
    return unknown_features(features, NULL, 0);
}

/* The header of version 3 may be longer than we know. */
static int coroutine_fn read_unknown_fields(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->hdr.header_length <= QCOW2_HEADER_LENGTH) {
        return 0;
    }
    s->unknown_fields_size = s->hdr.header_length - QCOW2_HEADER_LENGTH;
    s->unknown_fields = g_malloc(s->unknown_fields_size);
    ret = bdrv_co_pread(bs->file, QCOW2_HEADER_LENGTH, s->unknown_fields_size,
                        s->unknown_fields, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read unknown header fields");
    }
    return ret;
}

int coroutine_fn qcow2_header_read(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint8_t buf[QCOW2_HEADER_LENGTH];
    uint64_t unknown;
    int ret;

    ret = bdrv_co_pread(bs->file, 0, sizeof(buf), buf, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read qcow2 header");
        return ret;
    }
    if ((uint32_t)ldl_be_p(buf) != QCOW2_MAGIC) {
        error_setg(errp, "Image is not in qcow2 format");
        return -EINVAL;
    }
    decode(buf, &s->hdr);
    ret = check_layout(&s->hdr, errp);
    if (ret == 0) {
        ret = read_unknown_fields(bs, errp);
    }
    if (ret < 0) {
        return ret;
    }
    unknown = s->hdr.incompatible & ~QCOW2_INCOMPAT_KNOWN;
    if (unknown) {
        g_autofree char *names = explain_features(bs, unknown);

        error_setg(errp, "Unsupported qcow2 feature(s): %s", names);
        return -ENOTSUP;
    }
    ret = check_compression(&s->hdr, errp);
    if (ret == 0) {
        ret = check_features(bs, errp);
    }
    if (ret < 0) {
        return ret;
    }
    qcow2_set_geometry(s);
    return check_tables(bs, errp);
}

/* ---- Extensions ---- */

static int read_bitmaps_ext(BlockDriverState *bs, const uint8_t *data,
                            uint32_t length, Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2BitmapsExt ext;
    uint64_t max = 1024ULL * QCOW2_MAX_BITMAPS;

    if (length != 24) {
        error_setg(errp, "bitmaps_ext: Invalid extension length");
        return -EINVAL;
    }
    if (!(s->hdr.autoclear & QCOW2_AUTOCLEAR_BITMAPS)) {
        warn_report("%s", s->hdr.version < 3
                    ? "This qcow2 v2 image contains bitmaps, but they may "
                      "have been modified by a program without persistent "
                      "bitmap support; so now they must all be considered "
                      "inconsistent"
                    : "a program lacking bitmap support modified this file, "
                      "so all bitmaps are now considered inconsistent");
        fprintf(stderr, "Some clusters may be leaked, run 'qemu-img check -r' "
                "on the image file to fix.\n");
        return 0;
    }
    ext.nb_bitmaps = ldl_be_p(data);
    ext.directory_size = ldq_be_p(data + 8);
    ext.directory_offset = ldq_be_p(data + 16);
    if (ldl_be_p(data + 4) != 0) {
        error_setg(errp, "bitmaps_ext: Reserved field is not zero");
        return -EINVAL;
    }
    if (ext.nb_bitmaps > QCOW2_MAX_BITMAPS) {
        error_setg(errp, "bitmaps_ext: Image has %" PRIu32 " bitmaps, "
                   "exceeding the QEMU supported maximum of %d",
                   ext.nb_bitmaps, QCOW2_MAX_BITMAPS);
        return -EINVAL;
    }
    if (ext.nb_bitmaps == 0) {
        error_setg(errp, "found bitmaps extension with zero bitmaps");
        return -EINVAL;
    }
    if (qcow2_in_cluster(s, ext.directory_offset) ||
        ext.directory_offset > INT64_MAX - max) {
        error_setg(errp, "bitmaps_ext: invalid bitmap directory offset");
        return -EINVAL;
    }
    if (ext.directory_size > max) {
        error_setg(errp, "bitmaps_ext: bitmap directory size (%" PRIu64
                   ") exceeds the maximum supported size (%d)",
                   ext.directory_size, (int)max);
        return -EINVAL;
    }
    s->bitmaps = ext;
    return 0;
}

static int take_extension(BlockDriverState *bs, uint32_t magic,
                          uint32_t length, const uint8_t *data, Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2Extension *ext;

    switch (magic) {
    case QCOW2_EXT_BACKING_FORMAT:
        if (length >= 16) {
            error_setg(errp, "ERROR: ext_backing_format: len=%" PRIu32
                       " too large (>=16)", length);
            return -EINVAL;
        }
        g_free(s->backing_format);
        s->backing_format = g_strndup((const char *)data, length);
        return 0;
    case QCOW2_EXT_FEATURE_TABLE:
        return 0;               /* we write our own */
    case QCOW2_EXT_CRYPTO:
        return qcow2_crypto_parse_ext(bs, data, length, errp) ? 0 : -EINVAL;
    case QCOW2_EXT_BITMAPS:
        return read_bitmaps_ext(bs, data, length, errp);
    case QCOW2_EXT_DATA_FILE:
        g_free(s->data_file_name);
        s->data_file_name = g_strndup((const char *)data, length);
        return 0;
    default:
        ext = g_new0(Qcow2Extension, 1);
        ext->magic = magic;
        ext->length = length;
        ext->data = g_memdup2(data, length);
        QLIST_INSERT_HEAD(&s->unknown_exts, ext, next);
        return 0;
    }
}

static int coroutine_fn read_all_extensions(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos = s->hdr.header_length;
    uint64_t end = s->hdr.backing_offset ? s->hdr.backing_offset
                                         : s->cluster_size;
    g_autofree uint8_t *all = NULL;
    uint64_t base = pos;
    int ret;

    if (pos >= end) {
        return 0;
    }
    all = g_try_malloc(end - base);
    if (!all) {
        error_setg(errp, "No memory for %" PRIu64 " bytes of header "
                   "extensions", end - base);
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, base, end - base, all, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "qcow2_read_extension: ERROR: pread fail "
                         "from offset %" PRIu64, base);
        return ret;
    }
    while (end - pos >= 8) {
        uint32_t magic = ldl_be_p(all + (pos - base));
        uint32_t length = ldl_be_p(all + (pos - base) + 4);

        pos += 8;
        if (length > end - pos) {
            error_setg(errp, "Header extension too large");
            return -EINVAL;
        }
        if (magic == QCOW2_EXT_END) {
            break;
        }
        ret = take_extension(bs, magic, length, all + (pos - base), errp);
        if (ret < 0) {
            return ret;
        }
        pos += MIN(ROUND_UP((uint64_t)length, 8), end - pos);
    }
    return 0;
}

static int coroutine_fn read_backing_name(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint32_t length = s->hdr.backing_length;
    int ret;

    if (!s->hdr.backing_offset) {
        return 0;
    }
    if (length > MIN(QCOW2_MAX_BACKING_NAME,
                     s->cluster_size - s->hdr.backing_offset)) {
        error_setg(errp, "Backing file name too long");
        return -EINVAL;
    }
    s->backing_name = g_malloc0(length + 1);
    ret = length ? bdrv_co_pread(bs->file, s->hdr.backing_offset, length,
                                 s->backing_name, 0) : 0;
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read backing file name");
    }
    return ret;
}

int coroutine_fn qcow2_header_read_extensions(BlockDriverState *bs,
                                              Error **errp)
{
    int ret = read_all_extensions(bs, errp);

    return ret < 0 ? ret : read_backing_name(bs, errp);
}

void qcow2_header_free(Qcow2State *s)
{
    Qcow2Extension *ext, *next;

    QLIST_FOREACH_SAFE(ext, &s->unknown_exts, next, next) {
        QLIST_REMOVE(ext, next);
        g_free(ext->data);
        g_free(ext);
    }
    g_clear_pointer(&s->unknown_fields, g_free);
    g_clear_pointer(&s->data_file_name, g_free);
    g_clear_pointer(&s->backing_name, g_free);
    g_clear_pointer(&s->backing_format, g_free);
}

/* ---- Writing ---- */

static const struct {
    uint8_t type;
    uint8_t bit;
    const char *name;
} feature_names[] = {
    { 0, 0, "dirty bit" },
    { 0, 1, "corrupt bit" },
    { 0, 2, "external data file" },
    { 0, 3, "compression type" },
    { 0, 4, "extended L2 entries" },
    { 1, 0, "lazy refcounts" },
    { 2, 0, "bitmaps" },
    { 2, 1, "raw external data" },
};

#define FEATURE_TABLE_BYTES (ARRAY_SIZE(feature_names) * 48)

static void put_extension(GByteArray *out, uint32_t magic, const void *data,
                          uint32_t length)
{
    static const uint8_t padding[8];
    uint8_t head[8];

    stl_be_p(head, magic);
    stl_be_p(head + 4, length);
    g_byte_array_append(out, head, sizeof(head));
    if (length) {
        g_byte_array_append(out, data, length);
        g_byte_array_append(out, padding, -length & 7);
    }
}

static void put_feature_table(GByteArray *out)
{
    uint8_t table[FEATURE_TABLE_BYTES] = { 0 };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(feature_names); i++) {
        table[i * 48] = feature_names[i].type;
        table[i * 48 + 1] = feature_names[i].bit;
        g_strlcpy((char *)table + i * 48 + 2, feature_names[i].name, 46);
    }
    put_extension(out, QCOW2_EXT_FEATURE_TABLE, table, sizeof(table));
}

static void put_bitmaps(GByteArray *out, const Qcow2BitmapsExt *ext)
{
    uint8_t data[24] = { 0 };

    stl_be_p(data, ext->nb_bitmaps);
    stq_be_p(data + 8, ext->directory_size);
    stq_be_p(data + 16, ext->directory_offset);
    put_extension(out, QCOW2_EXT_BITMAPS, data, sizeof(data));
}

static void put_crypto(GByteArray *out, const Qcow2State *s)
{
    uint8_t data[16];

    qcow2_crypto_encode_ext(s, data);
    put_extension(out, QCOW2_EXT_CRYPTO, data, sizeof(data));
}

/* Everything between the fixed part and the name of the backing file. */
static void put_extensions(Qcow2State *s, GByteArray *out)
{
    Qcow2Extension *ext;

    if (s->backing_format && *s->backing_format) {
        put_extension(out, QCOW2_EXT_BACKING_FORMAT, s->backing_format,
                      strlen(s->backing_format));
    }
    if ((s->hdr.incompatible & QCOW2_INCOMPAT_DATA_FILE) &&
        s->data_file_name) {
        put_extension(out, QCOW2_EXT_DATA_FILE, s->data_file_name,
                      strlen(s->data_file_name));
    }
    if (s->crypto_offset) {
        put_crypto(out, s);
    }
    /* It explains only; small clusters have no room for it. */
    if (s->hdr.version >= 3 &&
        out->len + FEATURE_TABLE_BYTES + 16 < s->cluster_size) {
        put_feature_table(out);
    }
    if (s->bitmaps.nb_bitmaps) {
        put_bitmaps(out, &s->bitmaps);
    }
    QLIST_FOREACH(ext, &s->unknown_exts, next) {
        put_extension(out, ext->magic, ext->data, ext->length);
    }
    put_extension(out, QCOW2_EXT_END, NULL, 0);
}

int coroutine_fn qcow2_header_write(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    g_autoptr(GByteArray) out = g_byte_array_new();
    static const uint8_t padding[QCOW2_SECTOR];
    uint8_t fixed[QCOW2_HEADER_LENGTH] = { 0 };
    Qcow2Header h = s->hdr;
    int ret;

    h.header_length = h.version < 3 ? QCOW2_V2_HEADER_LENGTH
                    : QCOW2_HEADER_LENGTH + s->unknown_fields_size;
    g_byte_array_append(out, fixed, h.version < 3 ? QCOW2_V2_HEADER_LENGTH
                                                  : QCOW2_HEADER_LENGTH);
    if (h.version >= 3 && s->unknown_fields_size) {
        g_byte_array_append(out, s->unknown_fields, s->unknown_fields_size);
    }
    put_extensions(s, out);
    h.backing_offset = 0;
    h.backing_length = 0;
    if (s->backing_name && *s->backing_name) {
        h.backing_offset = out->len;
        h.backing_length = strlen(s->backing_name);
        g_byte_array_append(out, (const uint8_t *)s->backing_name,
                            h.backing_length);
    }
    if (out->len > s->cluster_size) {
        return -ENOSPC;
    }
    qcow2_header_encode(&h, fixed);
    memcpy(out->data, fixed, MIN(h.header_length, sizeof(fixed)));
    g_byte_array_append(out, padding, -out->len % QCOW2_SECTOR);
    ret = bdrv_co_pwrite(bs->file, 0, out->len, out->data, 0);
    s->header_unsure = ret < 0;
    if (ret < 0) {
        return ret;
    }
    s->hdr = h;
    return 0;
}

bool coroutine_fn qcow2_header_restore(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    if (qcow2_header_write(bs) < 0 || qcow2_barrier(bs) < 0) {
        s->header_unsure = true;
    }
    return !s->header_unsure;
}

int coroutine_fn qcow2_header_write_features(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint8_t buf[24];

    if (s->hdr.version < 3) {
        return 0;
    }
    stq_be_p(buf, s->hdr.incompatible);
    stq_be_p(buf + 8, s->hdr.compatible);
    stq_be_p(buf + 16, s->hdr.autoclear);
    return bdrv_co_pwrite_sync(bs->file, 72, sizeof(buf), buf, 0);
}
