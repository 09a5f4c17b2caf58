/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: dirty bitmaps that are stored in the image.
 *
 * The directory of bitmaps is in memory (->bitmap_list) as long as the image
 * is open.  The contents are loaded into bitmaps of the node, and stored when
 * the image is closed or becomes read-only.
 *
 * Invariants
 *   1. Whenever the image may be written to, the entries on the disk of all
 *      bitmaps that were loaded are marked as in use: after a crash nobody
 *      believes them.
 *   2. A directory is complete, and its bitmaps are on stable storage, before
 *      the header points to it; the old one is freed after that.  Only flags
 *      are changed in place.
 *   3. Entries that were in use when the image was opened are kept as they
 *      are; their bitmaps are inconsistent and may only be removed.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "block/dirty-bitmap.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

#define ENTRY_FIXED_BYTES   24
#define TABLE_OFFSET        0x00fffffffffffe00ULL
#define TABLE_RESERVED      0xff000000000001feULL
#define TABLE_ALL_ONES      1ULL
#define TYPE_DIRTY_TRACKING 1
#define MIN_GRANULARITY     9
#define MAX_GRANULARITY     31
#define MAX_TABLE_ENTRIES   0x8000000
#define MAX_DIRECTORY       (1024ULL * QCOW2_MAX_BITMAPS)
/* A bitmap in memory must not take more. */
#define MAX_BITMAP_BYTES    0x20000000ULL

/* ---- Entries ---- */

static void entry_free(gpointer p)
{
    Qcow2Bitmap *e = p;

    g_free(e->name);
    g_free(e->extra);
    g_free(e);
}

void qcow2_bitmaps_free(Qcow2State *s)
{
    g_clear_pointer(&s->bitmap_list, g_ptr_array_unref);
}

static Qcow2Bitmap *find_entry(Qcow2State *s, const char *name)
{
    guint i;

    for (i = 0; s->bitmap_list && i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);

        if (!strcmp(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

/* Bytes of the bits of a bitmap for a disk of @size bytes. */
static uint64_t bits_bytes(uint64_t size, unsigned granularity_bits)
{
    uint64_t bits = (size >> granularity_bits) +
                    !!(size & ((1ULL << granularity_bits) - 1));

    return DIV_ROUND_UP(bits, 8);
}

static bool entry_is_valid(BlockDriverState *bs, const Qcow2Bitmap *e,
                           uint8_t type)
{
    Qcow2State *s = bs->opaque;
    uint64_t bytes;

    if (type != TYPE_DIRTY_TRACKING ||
        e->granularity_bits < MIN_GRANULARITY ||
        e->granularity_bits > MAX_GRANULARITY ||
        !e->table_offset || qcow2_in_cluster(s, e->table_offset) ||
        !e->table_size || e->table_size > MAX_TABLE_ENTRIES ||
        (e->flags & ~(QCOW2_BITMAP_IN_USE | QCOW2_BITMAP_AUTO |
                      QCOW2_BITMAP_EXTRA_OK))) {
        return false;
    }
    bytes = (uint64_t)e->table_size << s->cluster_bits;
    if (bytes > MAX_BITMAP_BYTES + s->cluster_size) {
        return false;
    }
    /* Whoever has resized the disk without knowing of bitmaps left a table of
     * another size; such an entry is not to be believed. */
    return (e->flags & QCOW2_BITMAP_IN_USE) ||
           qcow2_clusters(s, bits_bytes(s->hdr.size, e->granularity_bits)) ==
           e->table_size;
}

/* The entry at *@pos of the directory; NULL: it is damaged. */
static Qcow2Bitmap *parse_entry(BlockDriverState *bs, const uint8_t *dir,
                                uint64_t size, uint64_t *pos, Error **errp)
{
    const uint8_t *p = dir + *pos;
    uint64_t left = size - *pos, bytes;
    uint32_t name_size;
    Qcow2Bitmap *e;

    if (left < ENTRY_FIXED_BYTES) {
        error_setg(errp, left ? "Broken bitmap directory"
                   : "Less bitmaps found than specified in header extension");
        return NULL;
    }
    e = g_new0(Qcow2Bitmap, 1);
    e->table_offset = ldq_be_p(p);
    e->table_size = ldl_be_p(p + 8);
    e->flags = ldl_be_p(p + 12);
    e->granularity_bits = p[17];
    name_size = lduw_be_p(p + 18) & 0xffff;
    e->extra_size = ldl_be_p(p + 20);
    bytes = QEMU_ALIGN_UP(ENTRY_FIXED_BYTES + (uint64_t)e->extra_size +
                          name_size, 8);
    if (bytes > left) {
        error_setg(errp, "Broken bitmap directory");
        entry_free(e);
        return NULL;
    }
    e->extra = g_memdup2(p + ENTRY_FIXED_BYTES, e->extra_size);
    e->name = g_strndup((const char *)p + ENTRY_FIXED_BYTES + e->extra_size,
                        name_size);
    if (e->extra_size && !(e->flags & QCOW2_BITMAP_EXTRA_OK)) {
        error_setg(errp, "Bitmap extra data is not supported");
    } else if (!name_size || strlen(e->name) != name_size ||
               name_size > BDRV_BITMAP_MAX_NAME_SIZE ||
               !entry_is_valid(bs, e, p[16])) {
        error_setg(errp, "Bitmap '%s' doesn't satisfy the constraints",
                   e->name);
    } else if (find_entry(bs->opaque, e->name)) {
        error_setg(errp, "Bitmap already exists: %s", e->name);
    } else {
        *pos += bytes;
        return e;
    }
    entry_free(e);
    return NULL;
}

static void encode_entry(const Qcow2Bitmap *e, GByteArray *out)
{
    static const uint8_t padding[8];
    uint8_t fixed[ENTRY_FIXED_BYTES];

    stq_be_p(fixed, e->table_offset);
    stl_be_p(fixed + 8, e->table_size);
    stl_be_p(fixed + 12, e->flags);
    fixed[16] = TYPE_DIRTY_TRACKING;
    fixed[17] = e->granularity_bits;
    stw_be_p(fixed + 18, strlen(e->name));
    stl_be_p(fixed + 20, e->extra_size);
    g_byte_array_append(out, fixed, sizeof(fixed));
    if (e->extra_size) {
        g_byte_array_append(out, e->extra, e->extra_size);
    }
    g_byte_array_append(out, (const uint8_t *)e->name, strlen(e->name));
    g_byte_array_append(out, padding, -out->len & 7);
}

/* ---- The directory ---- */

int coroutine_fn qcow2_bitmaps_read_directory(BlockDriverState *bs,
                                              Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t size = s->bitmaps.directory_size, pos = 0;
    g_autofree uint8_t *dir = NULL;
    uint32_t i;
    int ret;

    qcow2_bitmaps_free(s);
    s->bitmap_list = g_ptr_array_new_with_free_func(entry_free);
    if (!s->bitmaps.nb_bitmaps) {
        return 0;
    }
    if (!size) {
        error_setg(errp, "Requested bitmap directory size is zero");
        return -EINVAL;
    }
    dir = g_try_malloc(size);
    if (!dir) {
        error_setg(errp, "Failed to allocate space for bitmap directory");
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, s->bitmaps.directory_offset, size, dir, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to read bitmap directory");
        return ret;
    }
    for (i = 0; i < s->bitmaps.nb_bitmaps; i++) {
        Qcow2Bitmap *e = parse_entry(bs, dir, size, &pos, errp);

        if (!e) {
            return -EINVAL;
        }
        g_ptr_array_add(s->bitmap_list, e);
    }
    if (pos != size) {
        error_setg(errp, "More bitmaps found than specified in header "
                   "extension");
        return -EINVAL;
    }
    return 0;
}

static GByteArray *encode_directory(Qcow2State *s)
{
    GByteArray *out = g_byte_array_new();
    guint i;

    for (i = 0; i < s->bitmap_list->len; i++) {
        encode_entry(g_ptr_array_index(s->bitmap_list, i), out);
    }
    return out;
}

/* Only flags have changed.  Those of an entry are in one sector, and an entry
 * is right with the old ones or the new ones. */
static int coroutine_fn update_directory(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    g_autoptr(GByteArray) out = encode_directory(s);
    int ret;

    assert(out->len == s->bitmaps.directory_size);
    ret = qcow2_overlap_check(bs, QCOW2_SECTION_BITMAP_DIRECTORY,
                              s->bitmaps.directory_offset, out->len);
    if (ret >= 0) {
        ret = bdrv_co_pwrite(bs->file, s->bitmaps.directory_offset, out->len,
                             out->data, 0);
    }
    return ret < 0 ? ret : qcow2_barrier(bs);
}

/* Write ->bitmap_list to a new place and switch over to it. */
static int coroutine_fn store_directory(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    g_autoptr(GByteArray) out = encode_directory(s);
    Qcow2BitmapsExt old = s->bitmaps, new = { 0 };
    uint64_t old_autoclear = s->hdr.autoclear;
    bool switched = false;
    int64_t offset = 0;
    int ret = 0;

    if (out->len > MAX_DIRECTORY) {
        return -EFBIG;
    }
    if (out->len) {
        offset = qcow2_alloc_bytes(bs, out->len);
        if (offset < 0) {
            return offset;
        }
        ret = qcow2_overlap_check(bs, 0, offset, out->len);
        if (ret == 0) {
            qcow2_host_written(s, offset + out->len);
            ret = bdrv_co_pwrite(bs->file, offset, out->len, out->data, 0);
        }
        new = (Qcow2BitmapsExt) { s->bitmap_list->len, out->len, offset };
    }
    if (ret >= 0) {
        ret = qcow2_write_refs(bs);
    }
    if (ret >= 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret >= 0) {
        s->bitmaps = new;
        s->hdr.autoclear &= ~QCOW2_AUTOCLEAR_BITMAPS;
        s->hdr.autoclear |= new.nb_bitmaps ? QCOW2_AUTOCLEAR_BITMAPS : 0;
        switched = true;
        ret = qcow2_header_write(bs);
        if (ret >= 0) {
            ret = qcow2_barrier(bs);
        }
    }
    if (ret < 0) {
        s->bitmaps = old;
        s->hdr.autoclear = old_autoclear;
        if (switched && !qcow2_header_restore(bs)) {
            return ret;
        }
        if (offset > 0) {
            qcow2_free_unused(bs, offset, qcow2_clusters(s, out->len));
        }
        return ret;
    }
    if (old.nb_bitmaps) {
        qcow2_free_later(bs, old.directory_offset, old.directory_size,
                         QCOW2_FREE_OTHER);
    }
    return 0;
}

/* ---- Tables ---- */

static int coroutine_fn read_table(BlockDriverState *bs, const Qcow2Bitmap *e,
                                   uint64_t **table)
{
    uint64_t bytes = (uint64_t)e->table_size * sizeof(uint64_t);
    uint32_t i;
    int ret;

    *table = g_try_malloc(MAX(bytes, 1));
    if (!*table) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, e->table_offset, bytes, *table, 0);
    for (i = 0; i < e->table_size && ret >= 0; i++) {
        be64_to_cpus(&(*table)[i]);
        if (((*table)[i] & TABLE_RESERVED) ||
            (((*table)[i] & TABLE_OFFSET) && ((*table)[i] & 1)) ||
            qcow2_in_cluster(bs->opaque, (*table)[i] & TABLE_OFFSET)) {
            ret = -EINVAL;
        }
    }
    if (ret < 0) {
        g_clear_pointer(table, g_free);
    }
    return ret < 0 ? ret : 0;
}

/* What @e refers to is free as soon as the directory does not have it. */
static void coroutine_fn free_contents(BlockDriverState *bs,
                                       const Qcow2Bitmap *e)
{
    Qcow2State *s = bs->opaque;
    g_autofree uint64_t *table = NULL;
    uint32_t i;

    if (!e->table_offset || read_table(bs, e, &table) < 0) {
        return;                 /* a leak */
    }
    for (i = 0; i < e->table_size; i++) {
        if (table[i] & TABLE_OFFSET) {
            qcow2_free_later(bs, table[i] & TABLE_OFFSET, s->cluster_size,
                             QCOW2_FREE_OTHER);
        }
    }
    qcow2_free_later(bs, e->table_offset, e->table_size * sizeof(uint64_t),
                     QCOW2_FREE_OTHER);
}

/* ---- Loading ---- */

static int coroutine_fn load_contents(BlockDriverState *bs,
                                      const Qcow2Bitmap *e,
                                      BdrvDirtyBitmap *bitmap)
{
    Qcow2State *s = bs->opaque;
    uint64_t size = bdrv_dirty_bitmap_size(bitmap), offset = 0, n;
    uint64_t step = bdrv_dirty_bitmap_serialization_coverage(s->cluster_size,
                                                             bitmap);
    g_autofree uint64_t *table = NULL;
    g_autofree uint8_t *buf = g_malloc(s->cluster_size);
    uint32_t i;
    int ret;

    ret = read_table(bs, e, &table);
    for (i = 0; i < e->table_size && offset < size && ret >= 0; i++) {
        n = MIN(size - offset, step);
        if (table[i] & TABLE_OFFSET) {
            ret = bdrv_co_pread(bs->file, table[i] & TABLE_OFFSET,
                                s->cluster_size, buf, 0);
            if (ret >= 0) {
                bdrv_dirty_bitmap_deserialize_part(bitmap, buf, offset, n,
                                                   false);
            }
        } else if (table[i] & TABLE_ALL_ONES) {
            bdrv_dirty_bitmap_deserialize_ones(bitmap, offset, n, false);
        } else {
            bdrv_dirty_bitmap_deserialize_zeroes(bitmap, offset, n, false);
        }
        offset += n;
    }
    if (ret >= 0) {
        bdrv_dirty_bitmap_deserialize_finish(bitmap);
    }
    return ret < 0 ? ret : 0;
}

static int coroutine_fn load_one(BlockDriverState *bs, const Qcow2Bitmap *e,
                                 Error **errp)
{
    BdrvDirtyBitmap *bitmap;
    int ret = 0;

    bitmap = bdrv_create_dirty_bitmap(bs, 1U << e->granularity_bits, e->name,
                                      errp);
    if (!bitmap) {
        return -EINVAL;
    }
    bdrv_dirty_bitmap_set_persistence(bitmap, true);
    if (e->flags & QCOW2_BITMAP_IN_USE) {
        bdrv_dirty_bitmap_set_inconsistent(bitmap);
        bdrv_dirty_bitmap_set_readonly(bitmap, !qcow2_is_open_rw(bs));
        return 0;
    }
    ret = load_contents(bs, e, bitmap);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read bitmap '%s' from image",
                         e->name);
        bdrv_release_dirty_bitmap(bitmap);
        return ret;
    }
    if (!(e->flags & QCOW2_BITMAP_AUTO)) {
        bdrv_disable_dirty_bitmap(bitmap);
    }
    if (!qcow2_is_open_rw(bs)) {
        bdrv_dirty_bitmap_set_readonly(bitmap, true);
    }
    return 0;
}

int coroutine_fn qcow2_bitmaps_mark_in_use(BlockDriverState *bs)
{
    g_autoptr(GHashTable) marked = g_hash_table_new(NULL, NULL);
    Qcow2State *s = bs->opaque;
    BdrvDirtyBitmap *bitmap;
    Qcow2Bitmap *e;
    int ret = 0;

    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        e = bdrv_dirty_bitmap_get_persistence(bitmap)
            ? find_entry(s, bdrv_dirty_bitmap_name(bitmap)) : NULL;
        if (e && !(e->flags & QCOW2_BITMAP_IN_USE)) {
            e->flags |= QCOW2_BITMAP_IN_USE;
            g_hash_table_insert(marked, bitmap, e);
        }
    }
    if (s->header_unsure) {
        ret = store_directory(bs);
    } else if (g_hash_table_size(marked)) {
        ret = update_directory(bs);
    }
    if (ret < 0) {
        /* The image has them as valid: no writes until that has changed. */
        FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
            e = g_hash_table_lookup(marked, bitmap);
            if (e) {
                e->flags &= ~QCOW2_BITMAP_IN_USE;
                bdrv_dirty_bitmap_set_readonly(bitmap, true);
            }
        }
        return ret;
    }
    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        if (bdrv_dirty_bitmap_get_persistence(bitmap)) {
            bdrv_dirty_bitmap_set_readonly(bitmap, false);
        }
    }
    return 0;
}

int coroutine_fn qcow2_bitmaps_load(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    guint i;
    int ret;

    for (i = 0; i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);

        /* It may be there already: a node that was inactive. */
        if (bdrv_find_dirty_bitmap(bs, e->name)) {
            continue;
        }
        ret = load_one(bs, e, errp);
        if (ret < 0) {
            return ret;
        }
    }
    if (!s->bitmap_list->len || !qcow2_is_open_rw(bs)) {
        return 0;
    }
    ret = qcow2_bitmaps_mark_in_use(bs);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Can't update bitmap directory");
    }
    return ret;
}

/* ---- Storing ---- */

/* One cluster of bits: its table entry, or -errno. */
static int64_t coroutine_fn store_cluster(BlockDriverState *bs,
                                          BdrvDirtyBitmap *bitmap,
                                          uint64_t offset, uint64_t n,
                                          uint8_t *buf)
{
    Qcow2State *s = bs->opaque;
    int64_t place;
    int ret;

    if (bdrv_dirty_bitmap_next_dirty(bitmap, offset, n) < 0) {
        return 0;
    }
    if (bdrv_dirty_bitmap_next_zero(bitmap, offset, n) < 0) {
        return TABLE_ALL_ONES;
    }
    place = qcow2_alloc_bytes(bs, s->cluster_size);
    if (place < 0) {
        return place;
    }
    memset(buf, 0, s->cluster_size);
    bdrv_dirty_bitmap_serialize_part(bitmap, buf, offset, n);
    ret = qcow2_overlap_check(bs, 0, place, s->cluster_size);
    if (ret == 0) {
        qcow2_host_written(s, place + s->cluster_size);
        ret = bdrv_co_pwrite(bs->file, place, s->cluster_size, buf, 0);
    }
    if (ret < 0) {
        qcow2_free_unused(bs, place, 1);
        return ret;
    }
    return place;
}

static void coroutine_fn drop_clusters(BlockDriverState *bs,
                                       const uint64_t *table, uint32_t n)
{
    while (n-- > 0) {
        if (table[n] & TABLE_OFFSET) {
            qcow2_free_unused(bs, table[n] & TABLE_OFFSET, 1);
        }
    }
}

static int coroutine_fn write_bitmap_table(BlockDriverState *bs,
                                           const uint64_t *table,
                                           Qcow2Bitmap *e)
{
    Qcow2State *s = bs->opaque;
    uint64_t bytes = (uint64_t)e->table_size * sizeof(uint64_t);
    int64_t place = qcow2_alloc_bytes(bs, bytes);
    int ret;

    if (place < 0) {
        return place;
    }
    ret = qcow2_write_l1(bs, place, table, e->table_size);
    if (ret < 0) {
        qcow2_free_unused(bs, place, qcow2_clusters(s, bytes));
        return ret;
    }
    e->table_offset = place;
    return 0;
}

/* The contents of @bitmap at a new place; @e gets its table. */
static int coroutine_fn store_contents(BlockDriverState *bs,
                                       BdrvDirtyBitmap *bitmap, Qcow2Bitmap *e)
{
    Qcow2State *s = bs->opaque;
    uint64_t size = bdrv_dirty_bitmap_size(bitmap), offset;
    uint64_t step = bdrv_dirty_bitmap_serialization_coverage(s->cluster_size,
                                                             bitmap);
    g_autofree uint64_t *table = NULL;
    g_autofree uint8_t *buf = g_malloc(s->cluster_size);
    uint32_t i = 0;
    int64_t entry;
    int ret;

    e->table_size = MAX(qcow2_clusters(s, bits_bytes(size,
                                                     e->granularity_bits)),
                        1);
    table = g_try_new0(uint64_t, e->table_size);
    if (!table) {
        return -ENOMEM;
    }
    for (offset = 0; offset < size; offset += step, i++) {
        entry = store_cluster(bs, bitmap, offset, MIN(size - offset, step),
                              buf);
        if (entry < 0) {
            drop_clusters(bs, table, i);
            return entry;
        }
        table[i] = entry;
    }
    ret = write_bitmap_table(bs, table, e);
    if (ret < 0) {
        drop_clusters(bs, table, e->table_size);
    }
    return ret;
}

static bool must_store(BdrvDirtyBitmap *bitmap)
{
    return bdrv_dirty_bitmap_name(bitmap) &&
           bdrv_dirty_bitmap_get_persistence(bitmap) &&
           !bdrv_dirty_bitmap_inconsistent(bitmap) &&
           !bdrv_dirty_bitmap_readonly(bitmap);
}

/* The entry that is to be in the new directory. */
static Qcow2Bitmap *new_entry(Qcow2State *s, BdrvDirtyBitmap *bitmap)
{
    const char *name = bdrv_dirty_bitmap_name(bitmap);
    Qcow2Bitmap *old = find_entry(s, name);
    Qcow2Bitmap *e = g_new0(Qcow2Bitmap, 1);

    e->name = g_strdup(name);
    e->granularity_bits = ctz32(bdrv_dirty_bitmap_granularity(bitmap));
    e->flags = bdrv_dirty_bitmap_enabled(bitmap) ? QCOW2_BITMAP_AUTO : 0;
    if (old && old->extra_size) {
        e->flags |= QCOW2_BITMAP_EXTRA_OK;
        e->extra_size = old->extra_size;
        e->extra = g_memdup2(old->extra, old->extra_size);
    }
    return e;
}

bool qcow2_bitmaps_pending(BlockDriverState *bs)
{
    BdrvDirtyBitmap *bitmap;

    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        if (must_store(bitmap)) {
            return true;
        }
    }
    return false;
}

/* Entries that stay as they are, and new ones for all bitmaps to be stored. */
static int coroutine_fn build_list(BlockDriverState *bs, GPtrArray *list,
                                   GPtrArray *stored, Error **errp)
{
    Qcow2State *s = bs->opaque;
    BdrvDirtyBitmap *bitmap;
    guint i;
    int ret;

    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        Qcow2Bitmap *e;

        if (!must_store(bitmap)) {
            continue;
        }
        e = new_entry(s, bitmap);
        ret = store_contents(bs, bitmap, e);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Failed to store bitmap '%s'",
                             e->name);
            entry_free(e);
            return ret;
        }
        g_ptr_array_add(stored, e);
    }
    for (i = 0; i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);

        bitmap = bdrv_find_dirty_bitmap(bs, e->name);
        if (!bitmap || !must_store(bitmap)) {
            g_ptr_array_add(list, e);
        }
    }
    return 0;
}

static gboolean same_name(gconstpointer a, gconstpointer b)
{
    return !strcmp(((const Qcow2Bitmap *)a)->name,
                   ((const Qcow2Bitmap *)b)->name);
}

/* All entries in their former order, then the new ones. */
static GPtrArray *merge_lists(GPtrArray *old, GPtrArray *kept,
                              GPtrArray *stored)
{
    GPtrArray *all = g_ptr_array_new();
    guint i, at;

    for (i = 0; i < old->len; i++) {
        gpointer e = g_ptr_array_index(old, i);

        if (g_ptr_array_find(kept, e, NULL)) {
            g_ptr_array_add(all, e);
        } else if (g_ptr_array_find_with_equal_func(stored, e, same_name,
                                                    &at)) {
            g_ptr_array_add(all, g_ptr_array_index(stored, at));
        }
    }
    for (i = 0; i < stored->len; i++) {
        gpointer e = g_ptr_array_index(stored, i);

        if (!g_ptr_array_find(all, e, NULL)) {
            g_ptr_array_add(all, e);
        }
    }
    return all;
}

int coroutine_fn qcow2_bitmaps_store(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    GPtrArray *old = s->bitmap_list, *kept, *stored;
    guint i;
    int ret;

    kept = g_ptr_array_new();
    stored = g_ptr_array_new();
    ret = build_list(bs, kept, stored, errp);
    if (ret == 0 && stored->len) {
        GPtrArray *all = merge_lists(old, kept, stored);

        s->bitmap_list = all;
        ret = store_directory(bs);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Failed to store the bitmap "
                             "directory");
            s->bitmap_list = old;
            g_ptr_array_unref(all);
        }
    }
    if (ret < 0 || !stored->len) {
        for (i = 0; i < stored->len; i++) {
            if (!s->header_unsure) {
                free_contents(bs, g_ptr_array_index(stored, i));
            }
            entry_free(g_ptr_array_index(stored, i));
        }
        goto out;
    }
    g_ptr_array_set_free_func(s->bitmap_list, entry_free);
    g_ptr_array_set_free_func(old, NULL);
    for (i = 0; i < old->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(old, i);

        if (!g_ptr_array_find(kept, e, NULL)) {
            free_contents(bs, e);
            entry_free(e);
        }
    }
    g_ptr_array_unref(old);
    ret = qcow2_write_back(bs);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to write the tables of the "
                         "image");
    }
out:
    g_ptr_array_unref(kept);
    g_ptr_array_unref(stored);
    return ret;
}

/* ---- For users ---- */

bool qcow2_supports_persistent_dirty_bitmap(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    return s->hdr.version >= 3;
}

bool coroutine_fn qcow2_co_can_store_new_dirty_bitmap(BlockDriverState *bs,
                                                      const char *name,
                                                      uint32_t granularity,
                                                      Error **errp)
{
    Qcow2State *s = bs->opaque;
    BdrvDirtyBitmap *bitmap;
    uint64_t directory = 0, count = 0;
    guint i;

    if (s->hdr.version < 3) {
        error_setg(errp, "Cannot store dirty bitmaps in qcow2 v2 files");
        goto fail;
    }
    if (strlen(name) > BDRV_BITMAP_MAX_NAME_SIZE) {
        error_setg(errp, "Name length exceeds maximum (%d characters)",
                   BDRV_BITMAP_MAX_NAME_SIZE);
        goto fail;
    }
    if (granularity < 1U << MIN_GRANULARITY ||
        granularity > 1U << MAX_GRANULARITY) {
        error_setg(errp, "Granularity must be between %u and %u bytes",
                   1U << MIN_GRANULARITY, 1U << MAX_GRANULARITY);
        goto fail;
    }
    if (bits_bytes(s->hdr.size, ctz32(granularity)) > MAX_BITMAP_BYTES) {
        error_setg(errp, "Too much space will be occupied by the bitmap. Use "
                   "larger granularity");
        goto fail;
    }
    if (find_entry(s, name)) {
        error_setg(errp, "Bitmap already exists: %s", name);
        goto fail;
    }
    for (i = 0; i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);

        count++;
        directory += ENTRY_FIXED_BYTES + 8 + e->extra_size + strlen(e->name);
    }
    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        const char *other = bdrv_dirty_bitmap_name(bitmap);

        if (other && bdrv_dirty_bitmap_get_persistence(bitmap) &&
            !find_entry(s, other)) {
            count++;
            directory += ENTRY_FIXED_BYTES + 8 + strlen(other);
        }
    }
    if (count >= QCOW2_MAX_BITMAPS) {
        error_setg(errp, "Maximum number of persistent bitmaps is already "
                   "reached");
        goto fail;
    }
    if (directory + ENTRY_FIXED_BYTES + 8 + strlen(name) > MAX_DIRECTORY) {
        error_setg(errp, "Not enough space in the bitmap directory");
        goto fail;
    }
    return true;
fail:
    error_prepend(errp, "Can't make bitmap '%s' persistent in '%s': ", name,
                  bdrv_get_device_or_node_name(bs));
    return false;
}

int coroutine_fn qcow2_co_remove_persistent_dirty_bitmap(BlockDriverState *bs,
                                                         const char *name,
                                                         Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2Bitmap *e;
    int ret = 0;

    qemu_co_mutex_lock(&s->lock);
    e = find_entry(s, name);
    if (e) {
        g_ptr_array_set_free_func(s->bitmap_list, NULL);
        g_ptr_array_remove(s->bitmap_list, e);
        g_ptr_array_set_free_func(s->bitmap_list, entry_free);
        ret = store_directory(bs);
        if (ret < 0) {
            g_ptr_array_add(s->bitmap_list, e);
            error_setg_errno(errp, -ret, "Failed to update bitmap extension");
        } else {
            free_contents(bs, e);
            entry_free(e);
            ret = qcow2_write_back(bs);
        }
    }
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

bool qcow2_bitmaps_can_resize(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    guint i;

    /* Their tables would not fit to the disk any more. */
    for (i = 0; i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);
        BdrvDirtyBitmap *bitmap = bdrv_find_dirty_bitmap(bs, e->name);

        if (!bitmap) {
            error_setg(errp, "Bitmap '%s' is not loaded", e->name);
            return false;
        }
        if (bdrv_dirty_bitmap_check(bitmap, BDRV_BITMAP_DEFAULT, errp) < 0) {
            return false;
        }
    }
    return true;
}

Qcow2BitmapInfoList *qcow2_bitmaps_info(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    Qcow2BitmapInfoList *head = NULL, **tail = &head;
    guint i;

    for (i = 0; s->bitmap_list && i < s->bitmap_list->len; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);
        Qcow2BitmapInfo *info = g_new0(Qcow2BitmapInfo, 1);
        Qcow2BitmapInfoFlagsList **flags = &info->flags;

        info->name = g_strdup(e->name);
        info->granularity = 1U << e->granularity_bits;
        if (e->flags & QCOW2_BITMAP_IN_USE) {
            QAPI_LIST_APPEND(flags, QCOW2_BITMAP_INFO_FLAGS_IN_USE);
        }
        if (e->flags & QCOW2_BITMAP_AUTO) {
            QAPI_LIST_APPEND(flags, QCOW2_BITMAP_INFO_FLAGS_AUTO);
        }
        QAPI_LIST_APPEND(tail, info);
    }
    return head;
}

uint64_t qcow2_bitmaps_measure(BlockDriverState *bs, uint64_t cluster_size)
{
    uint64_t total = 0, directory = 0;
    int64_t size = bdrv_getlength(bs);
    BdrvDirtyBitmap *bitmap;

    FOR_EACH_DIRTY_BITMAP(bs, bitmap) {
        uint64_t bytes, clusters;

        if (!bdrv_dirty_bitmap_get_persistence(bitmap)) {
            continue;
        }
        bytes = bits_bytes(size,
                           ctz32(bdrv_dirty_bitmap_granularity(bitmap)));
        clusters = DIV_ROUND_UP(bytes, cluster_size);
        total += clusters * cluster_size;
        total += ROUND_UP(clusters * sizeof(uint64_t), cluster_size);
        directory += ROUND_UP(strlen(bdrv_dirty_bitmap_name(bitmap)) +
                              ENTRY_FIXED_BYTES, 8);
    }
    return total + ROUND_UP(directory, cluster_size);
}

/* ---- The check of the image ---- */

int coroutine_fn qcow2_bitmaps_count(BlockDriverState *bs,
                                     BdrvCheckResult *res, Qcow2CountFn *count,
                                     void *opaque)
{
    Qcow2State *s = bs->opaque;
    guint i;
    uint32_t k;
    int ret;

    if (!s->bitmaps.nb_bitmaps) {
        return 0;
    }
    ret = count(opaque, s->bitmaps.directory_offset,
                s->bitmaps.directory_size);
    for (i = 0; i < s->bitmap_list->len && ret == 0; i++) {
        Qcow2Bitmap *e = g_ptr_array_index(s->bitmap_list, i);
        g_autofree uint64_t *table = NULL;

        ret = count(opaque, e->table_offset,
                    (uint64_t)e->table_size * sizeof(uint64_t));
        if (ret == 0) {
            ret = read_table(bs, e, &table);
        }
        if (ret == -EINVAL) {
            fprintf(stderr, "ERROR the table of bitmap '%s' is not valid\n",
                    e->name);
            res->corruptions++;
            ret = 0;
            continue;
        }
        for (k = 0; k < e->table_size && ret == 0; k++) {
            if (table[k] & TABLE_OFFSET) {
                ret = count(opaque, table[k] & TABLE_OFFSET, s->cluster_size);
            }
        }
    }
    if (ret < 0) {
        fprintf(stderr, "ERROR bitmaps can't be read: %s\n", strerror(-ret));
        res->check_errors++;
    }
    return ret;
}
