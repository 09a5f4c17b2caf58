/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: bitmaps that are stored in the image.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"

#define ENTRY_FIXED_BYTES   24
#define TABLE_ENTRY_OFFSET  0x00fffffffffffe00ULL

/* ---- The directory ---- */

static int coroutine_fn read_directory(BlockDriverState *bs, uint8_t **dir)
{
    Qcow2State *s = bs->opaque;
    int ret;

    *dir = g_try_malloc(MAX(s->bitmaps.directory_size, 1));
    if (!*dir) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, s->bitmaps.directory_offset,
                        s->bitmaps.directory_size, *dir, 0);
    if (ret < 0) {
        g_clear_pointer(dir, g_free);
        return ret;
    }
    return 0;
}

/* The entry at @pos; its length in the directory, 0 if it is not valid. */
static uint64_t parse_entry(const uint8_t *dir, uint64_t size, uint64_t pos,
                            Qcow2BitmapEntry *e)
{
    uint64_t bytes;

    if (size - pos < ENTRY_FIXED_BYTES) {
        return 0;
    }
    dir += pos;
    e->table_offset = ldq_be_p(dir);
    e->table_size = ldl_be_p(dir + 8);
    e->flags = ldl_be_p(dir + 12);
    e->type = dir[16];
    e->granularity_bits = dir[17];
    e->name_size = lduw_be_p(dir + 18);
    e->extra_size = ldl_be_p(dir + 20);
    bytes = QEMU_ALIGN_UP(ENTRY_FIXED_BYTES + (uint64_t)e->extra_size +
                          e->name_size, 8);
    if (bytes > size - pos) {
        return 0;
    }
    e->extra = dir + ENTRY_FIXED_BYTES;
    e->name = (const char *)e->extra + e->extra_size;
    return bytes;
}

/* ---- The check of the image ---- */

static int coroutine_fn count_table(BlockDriverState *bs,
                                    const Qcow2BitmapEntry *e,
                                    Qcow2CountFn *count, void *opaque)
{
    Qcow2State *s = bs->opaque;
    uint64_t bytes = (uint64_t)e->table_size * sizeof(uint64_t);
    g_autofree uint64_t *table = NULL;
    uint32_t i;
    int ret;

    if (bytes > QCOW2_MAX_L1_BYTES) {
        return -EFBIG;
    }
    ret = count(opaque, e->table_offset, bytes);
    table = g_try_malloc(MAX(bytes, 1));
    if (!table) {
        return -ENOMEM;
    }
    if (ret == 0) {
        ret = bdrv_co_pread(bs->file, e->table_offset, bytes, table, 0);
    }
    for (i = 0; i < e->table_size && ret >= 0; i++) {
        uint64_t offset = be64_to_cpu(table[i]) & TABLE_ENTRY_OFFSET;

        if (offset) {
            ret = count(opaque, offset, s->cluster_size);
        }
    }
    return ret < 0 ? ret : 0;
}

int coroutine_fn qcow2_bitmaps_count(BlockDriverState *bs,
                                     BdrvCheckResult *res, Qcow2CountFn *count,
                                     void *opaque)
{
    Qcow2State *s = bs->opaque;
    g_autofree uint8_t *dir = NULL;
    uint64_t pos = 0, bytes;
    uint32_t i;
    int ret;

    if (!s->bitmaps.nb_bitmaps) {
        return 0;
    }
    ret = count(opaque, s->bitmaps.directory_offset,
                s->bitmaps.directory_size);
    if (ret == 0) {
        ret = read_directory(bs, &dir);
    }
    for (i = 0; i < s->bitmaps.nb_bitmaps && ret == 0; i++) {
        Qcow2BitmapEntry e;

        bytes = parse_entry(dir, s->bitmaps.directory_size, pos, &e);
        if (!bytes) {
            fprintf(stderr, "ERROR bitmap directory entry %" PRIu32 " is not "
                    "valid\n", i);
            res->corruptions++;
            /* What it refers to must not be taken for leaks. */
            return -EINVAL;
        }
        ret = count_table(bs, &e, count, opaque);
        pos += bytes;
    }
    if (ret < 0) {
        fprintf(stderr, "ERROR bitmaps can't be read: %s\n", strerror(-ret));
        res->check_errors++;
    }
    return ret;
}
