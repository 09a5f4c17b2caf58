/*
 * SPDX-License-Identifier: MIT
 *
 * Hierarchical bitmaps: sets of items, quick to search however sparse.
 *
 * Items are numbered from 0 to size - 1.  One bit is stored for each aligned
 * group of 2^granularity items; a range sets or clears all groups that it
 * touches.  No locking inside.
 */
#ifndef QEMU_HBITMAP_H
#define QEMU_HBITMAP_H

#include "qemu/bitops.h"
#include "qemu/host-utils.h"

typedef struct HBitmapIter HBitmapIter;

#define BITS_PER_LEVEL       (BITS_PER_LONG == 32 ? 5 : 6)
/* 2^41 bits of 512 bytes are the largest disk. */
#define HBITMAP_LOG_MAX_SIZE (BITS_PER_LONG == 32 ? 34 : 41)
#define HBITMAP_LEVELS       ((HBITMAP_LOG_MAX_SIZE / BITS_PER_LEVEL) + 1)

struct HBitmapIter {
    const HBitmap *hb;
    int granularity;
    size_t pos;             /* the bit from which the search goes on */
    unsigned long cur[HBITMAP_LEVELS]; /* layout of the C API; not used */
};

/* All clear. Memory is taken as bits are set, as far as the host does so. */
HBitmap *hbitmap_alloc(uint64_t size, int granularity);
void hbitmap_free(HBitmap *hb);
/* The new part is clear. Ends iterations. */
void hbitmap_truncate(HBitmap *hb, uint64_t size);
bool hbitmap_empty(const HBitmap *hb);
int hbitmap_granularity(const HBitmap *hb);
/* Items in groups that are set. */
uint64_t hbitmap_count(const HBitmap *hb);
void hbitmap_set(HBitmap *hb, uint64_t start, uint64_t count);
void hbitmap_reset(HBitmap *hb, uint64_t start, uint64_t count);
void hbitmap_reset_all(HBitmap *hb);
bool hbitmap_get(const HBitmap *hb, uint64_t item);

/* Set groups from the one with item @first on. */
void hbitmap_iter_init(HBitmapIter *hbi, const HBitmap *hb, uint64_t first);
/* First item of the next one, -1 at the end. Groups that were cleared since
 * the last step are left out. */
int64_t hbitmap_iter_next(HBitmapIter *hbi);
/* First clear item from @start on, -1 if there is none. */
int64_t hbitmap_next_zero(const HBitmap *hb, uint64_t start);
/* First set item in [start, start + count), -1 if there is none. */
int64_t hbitmap_next_dirty(const HBitmap *hb, int64_t start, int64_t count);
/* The first run of set items in [start, end), cut at @max_dirty_count. */
bool hbitmap_next_dirty_area(const HBitmap *hb, int64_t start, int64_t end,
                             int64_t max_dirty_count, int64_t *dirty_start,
                             int64_t *dirty_count);
/* Is @start set, and for how many items of @count does this hold? */
bool hbitmap_status(const HBitmap *hb, int64_t start, int64_t count,
                    int64_t *pnum);
/* @result = @a | @b, which may be one of them.  Same size; granularities may
 * differ. False, and nothing done, if the sizes do. */
bool hbitmap_merge(const HBitmap *a, const HBitmap *b, HBitmap *result);
/* Of the stored bits, hexadecimal; g_free(). */
char *hbitmap_sha256(const HBitmap *bitmap, Error **errp);

/* Little-endian longs of the stored bits; starts and, but for the end of the
 * bitmap, counts are multiples of hbitmap_serialization_align(). */
bool hbitmap_is_serializable(const HBitmap *hb);
uint64_t hbitmap_serialization_align(const HBitmap *hb);
uint64_t hbitmap_serialization_size(const HBitmap *hb, uint64_t start,
                                    uint64_t count);
void hbitmap_serialize_part(const HBitmap *hb, uint8_t *buf, uint64_t start,
                            uint64_t count);
/* Until the last one, with @finish, the bitmap can't be used otherwise. */
void hbitmap_deserialize_part(HBitmap *hb, uint8_t *buf, uint64_t start,
                              uint64_t count, bool finish);
void hbitmap_deserialize_zeroes(HBitmap *hb, uint64_t start, uint64_t count,
                                bool finish);
void hbitmap_deserialize_ones(HBitmap *hb, uint64_t start, uint64_t count,
                              bool finish);
void hbitmap_deserialize_finish(HBitmap *hb);

/* A second bitmap whose bits are set when a stored bit of @hb changes: one
 * for @chunk_size (a power of two) bits; in items of @hb. */
HBitmap *hbitmap_create_meta(HBitmap *hb, int chunk_size);
void hbitmap_free_meta(HBitmap *hb);

#endif
