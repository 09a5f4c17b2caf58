/*
 * SPDX-License-Identifier: MIT
 *
 * Hierarchical bitmaps.
 *
 * Invariants
 *   1. words[LAST] holds the stored bits; bits at and after hb->bits are 0.
 *   2. For each level l < LAST: bit i of words[l] is set exactly if word i of
 *      words[l + 1] is not 0.
 *   3. hb->count is the number of bits that are set in words[LAST].
 */
#include "qemu/osdep.h"
#include "qemu/hbitmap.h"
#include "qemu/bswap.h"
#include "qapi/error.h"

#define LAST (HBITMAP_LEVELS - 1)

struct HBitmap {
    uint64_t size;              /* items */
    uint64_t bits;              /* stored: groups of items */
    uint64_t count;
    int granularity;
    HBitmap *meta;
    uint64_t nr[HBITMAP_LEVELS]; /* words of each level */
    unsigned long *words[HBITMAP_LEVELS];
};

/* ---- Life ---- */

/* Words of each level for @bits stored bits. */
static void level_sizes(uint64_t bits, uint64_t nr[HBITMAP_LEVELS])
{
    int l;

    for (l = LAST; l >= 0; l--) {
        bits = MAX(DIV_ROUND_UP(bits, BITS_PER_LONG), 1);
        nr[l] = bits;
    }
    assert(nr[0] == 1);
}

static uint64_t bits_for(uint64_t size, int granularity)
{
    uint64_t bits = size >> granularity;

    if (size & ((1ULL << granularity) - 1)) {
        bits++;
    }
    assert(bits <= 1ULL << HBITMAP_LOG_MAX_SIZE);
    return bits;
}

HBitmap *hbitmap_alloc(uint64_t size, int granularity)
{
    HBitmap *hb = g_new0(HBitmap, 1);
    int l;

    assert(granularity >= 0 && granularity < 64);
    hb->size = size;
    hb->granularity = granularity;
    hb->bits = bits_for(size, granularity);
    level_sizes(hb->bits, hb->nr);
    for (l = 0; l < HBITMAP_LEVELS; l++) {
        hb->words[l] = g_new0(unsigned long, hb->nr[l]);
    }
    return hb;
}

void hbitmap_free(HBitmap *hb)
{
    int l;

    if (!hb) {
        return;
    }
    assert(!hb->meta);
    for (l = 0; l < HBITMAP_LEVELS; l++) {
        g_free(hb->words[l]);
    }
    g_free(hb);
}

/* ---- Single values ---- */

bool hbitmap_empty(const HBitmap *hb)
{
    return hb->count == 0;
}

int hbitmap_granularity(const HBitmap *hb)
{
    return hb->granularity;
}

uint64_t hbitmap_count(const HBitmap *hb)
{
    return hb->count << hb->granularity;
}

bool hbitmap_get(const HBitmap *hb, uint64_t item)
{
    uint64_t bit = item >> hb->granularity;

    assert(bit < hb->bits);
    return test_bit(bit, hb->words[LAST]);
}

/* ---- Searching ---- */

/* The first set stored bit from @bit on; hb->bits if there is none. */
static uint64_t next_set(const HBitmap *hb, uint64_t bit)
{
    int l = LAST;

    if (bit >= hb->bits) {
        return hb->bits;
    }
    /* Up, to the right, until there is something */
    for (;;) {
        unsigned long word = hb->words[l][bit / BITS_PER_LONG] &
                             (~0UL << (bit % BITS_PER_LONG));

        if (word) {
            bit = bit / BITS_PER_LONG * BITS_PER_LONG + __builtin_ctzl(word);
            break;
        }
        bit = bit / BITS_PER_LONG + 1;
        if (--l < 0 || bit >= hb->nr[l + 1]) {
            return hb->bits;
        }
    }
    /* and down again, to the left */
    while (l < LAST) {
        l++;
        bit = bit * BITS_PER_LONG + __builtin_ctzl(hb->words[l][bit]);
    }
    return bit;
}

void hbitmap_iter_init(HBitmapIter *hbi, const HBitmap *hb, uint64_t first)
{
    *hbi = (HBitmapIter) {
        .hb = hb,
        .granularity = hb->granularity,
        .pos = first >> hb->granularity,
    };
}

int64_t hbitmap_iter_next(HBitmapIter *hbi)
{
    uint64_t bit = next_set(hbi->hb, hbi->pos);

    if (bit >= hbi->hb->bits) {
        hbi->pos = hbi->hb->bits;
        return -1;
    }
    hbi->pos = bit + 1;
    return bit << hbi->granularity;
}

int64_t hbitmap_next_zero(const HBitmap *hb, uint64_t start)
{
    uint64_t bit = start >> hb->granularity;

    if (start >= hb->size) {
        return -1;
    }
    bit = find_next_zero_bit(hb->words[LAST], hb->bits, bit);
    if (bit >= hb->bits) {
        return -1;
    }
    return MAX(bit << hb->granularity, start);
}

int64_t hbitmap_next_dirty(const HBitmap *hb, int64_t start, int64_t count)
{
    uint64_t bit, item, end;

    assert(start >= 0 && count >= 0);
    if (start >= hb->size || !count) {
        return -1;
    }
    end = count > hb->size - start ? hb->size : start + count;
    bit = next_set(hb, start >> hb->granularity);
    if (bit >= hb->bits) {
        return -1;
    }
    item = MAX(bit << hb->granularity, (uint64_t)start);
    return item < end ? (int64_t)item : -1;
}

bool hbitmap_next_dirty_area(const HBitmap *hb, int64_t start, int64_t end,
                             int64_t max_dirty_count, int64_t *dirty_start,
                             int64_t *dirty_count)
{
    int64_t first, zero;

    assert(start >= 0 && end >= 0 && max_dirty_count > 0);
    end = MIN(end, hb->size);
    if (start >= end) {
        return false;
    }
    first = hbitmap_next_dirty(hb, start, end - start);
    if (first < 0) {
        return false;
    }
    end = first + MIN(end - first, max_dirty_count);
    /* Not further than we want to know */
    zero = (int64_t)find_next_zero_bit(hb->words[LAST],
                                       bits_for(end, hb->granularity),
                                       first >> hb->granularity)
           << hb->granularity;
    *dirty_start = first;
    *dirty_count = MIN(zero, end) - first;
    return true;
}

bool hbitmap_status(const HBitmap *hb, int64_t start, int64_t count,
                    int64_t *pnum)
{
    int64_t next;

    assert(start >= 0 && count > 0 && start + count <= hb->size);
    next = hbitmap_next_dirty(hb, start, count);
    if (next == -1) {
        *pnum = count;
        return false;
    }
    if (next > start) {
        *pnum = next - start;
        return false;
    }
    hbitmap_next_dirty_area(hb, start, start + count, INT64_MAX, &next, pnum);
    return true;
}

/* ---- Changing ---- */

/* A word of stored bits changes from @old to @new. */
static void note_change(HBitmap *hb, uint64_t word, unsigned long old,
                        unsigned long new)
{
    unsigned long changed = old ^ new;

    hb->count += __builtin_popcountl(new);
    hb->count -= __builtin_popcountl(old);
    while (hb->meta && changed) {
        int bit = __builtin_ctzl(changed);

        hbitmap_set(hb->meta, (word * BITS_PER_LONG + bit) << hb->granularity,
                    1);
        changed &= changed - 1;
    }
}

/* The bits of word @word that lie in [first, last]. */
static unsigned long mask_in_word(uint64_t word, uint64_t first,
                                  uint64_t last)
{
    unsigned long mask = ~0UL;

    if (word == first / BITS_PER_LONG) {
        mask &= ~0UL << (first % BITS_PER_LONG);
    }
    if (word == last / BITS_PER_LONG) {
        mask &= ~0UL >> (BITS_PER_LONG - 1 - last % BITS_PER_LONG);
    }
    return mask;
}

static void set_bits(HBitmap *hb, uint64_t first, uint64_t last)
{
    int l;

    for (l = LAST; l >= 0; l--) {
        uint64_t w0 = first / BITS_PER_LONG, w1 = last / BITS_PER_LONG, w;
        bool new_words = false;

        for (w = w0; w <= w1; w++) {
            unsigned long old = hb->words[l][w];
            unsigned long new = old | mask_in_word(w, first, last);

            hb->words[l][w] = new;
            new_words |= !old;
            if (l == LAST && old != new) {
                note_change(hb, w, old, new);
            }
        }
        if (!new_words) {
            return;
        }
        first = w0;
        last = w1;
    }
}

static void clear_bits(HBitmap *hb, uint64_t first, uint64_t last)
{
    int l;

    for (l = LAST; l >= 0; l--) {
        uint64_t w0 = first / BITS_PER_LONG, w1 = last / BITS_PER_LONG, w;

        for (w = w0; w <= w1; w++) {
            unsigned long old = hb->words[l][w];
            unsigned long new = old & ~mask_in_word(w, first, last);

            if (old != new) {
                hb->words[l][w] = new;
                if (l == LAST) {
                    note_change(hb, w, old, new);
                }
            }
        }
        /* Words in between are empty now; those at the ends perhaps. */
        if (hb->words[l][w0]) {
            w0++;
        }
        if (w1 >= w0 && hb->words[l][w1]) {
            if (w1 == 0) {
                return;
            }
            w1--;
        }
        if (w0 > w1) {
            return;
        }
        first = w0;
        last = w1;
    }
}

void hbitmap_set(HBitmap *hb, uint64_t start, uint64_t count)
{
    uint64_t first, last;

    if (!count) {
        return;
    }
    first = start >> hb->granularity;
    last = (start + count - 1) >> hb->granularity;
    assert(last < hb->bits);
    set_bits(hb, first, last);
}

/* Clear [first, last], passing over what is clear already. */
static void clear_range(HBitmap *hb, uint64_t first, uint64_t last)
{
    /* A sparse bitmap must not be read wholly to be cleared. */
    while (hb->count && (first = next_set(hb, first)) <= last &&
           first < hb->bits) {
        uint64_t end = MIN(last, first | (BITS_PER_LONG * 64 - 1));

        clear_bits(hb, first, end);
        first = end + 1;
    }
}

void hbitmap_reset(HBitmap *hb, uint64_t start, uint64_t count)
{
    uint64_t first, last;

    if (!count) {
        return;
    }
    first = start >> hb->granularity;
    last = (start + count - 1) >> hb->granularity;
    assert(last < hb->bits);
    clear_range(hb, first, last);
}

void hbitmap_reset_all(HBitmap *hb)
{
    if (hb->bits) {
        clear_range(hb, 0, hb->bits - 1);
    }
}

void hbitmap_truncate(HBitmap *hb, uint64_t size)
{
    uint64_t bits = bits_for(size, hb->granularity);
    uint64_t nr[HBITMAP_LEVELS];
    int l;

    if (bits < hb->bits) {
        clear_range(hb, bits, hb->bits - 1);
    }
    hb->size = size;
    if (bits != hb->bits) {
        hb->bits = bits;
        level_sizes(bits, nr);
        for (l = 0; l < HBITMAP_LEVELS; l++) {
            if (nr[l] == hb->nr[l]) {
                continue;
            }
            hb->words[l] = g_renew(unsigned long, hb->words[l], nr[l]);
            if (nr[l] > hb->nr[l]) {
                memset(&hb->words[l][hb->nr[l]], 0,
                       (nr[l] - hb->nr[l]) * sizeof(unsigned long));
            }
            hb->nr[l] = nr[l];
        }
    }
    if (hb->meta) {
        hbitmap_truncate(hb->meta, hb->bits << hb->granularity);
    }
}

/* ---- Whole bitmaps ---- */

/* Set in @dst what is set in @src, run by run. */
static void merge_into(HBitmap *dst, const HBitmap *src)
{
    int64_t offset = 0, count;

    while (hbitmap_next_dirty_area(src, offset, src->size, INT64_MAX, &offset,
                                   &count)) {
        hbitmap_set(dst, offset, count);
        offset += count;
    }
}

bool hbitmap_merge(const HBitmap *a, const HBitmap *b, HBitmap *result)
{
    if (a->size != result->size || b->size != result->size) {
        return false;
    }
    if (a != result && b != result) {
        hbitmap_reset_all(result);
    }
    if (a != result) {
        merge_into(result, a);
    }
    if (b != result) {
        merge_into(result, b);
    }
    return true;
}

char *hbitmap_sha256(const HBitmap *bitmap, Error **errp)
{
    size_t len = bitmap->bits / BITS_PER_LONG * sizeof(unsigned long);

    if (bitmap->bits % BITS_PER_LONG) {
        len += sizeof(unsigned long);
    }
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                       (const guchar *)bitmap->words[LAST],
                                       len);
}

/* ---- Serialisation ---- */

bool hbitmap_is_serializable(const HBitmap *hb)
{
    /* The alignment must be a number of items. */
    return hb->granularity < 58;
}

uint64_t hbitmap_serialization_align(const HBitmap *hb)
{
    assert(hbitmap_is_serializable(hb));
    /* 64 bits, so that the format is the same on all hosts */
    return UINT64_C(64) << hb->granularity;
}

/* The words that hold the range; returns how many. */
static uint64_t serial_words(const HBitmap *hb, uint64_t start,
                             uint64_t count, unsigned long **first)
{
    uint64_t last = start + count - 1;
    uint64_t align = hbitmap_serialization_align(hb);

    assert((start & (align - 1)) == 0);
    assert(last >> hb->granularity < hb->bits);
    if ((last >> hb->granularity) != hb->bits - 1) {
        assert((count & (align - 1)) == 0);
    }
    start = (start >> hb->granularity) / BITS_PER_LONG;
    last = (last >> hb->granularity) / BITS_PER_LONG;
    *first = &hb->words[LAST][start];
    return last - start + 1;
}

uint64_t hbitmap_serialization_size(const HBitmap *hb, uint64_t start,
                                    uint64_t count)
{
    unsigned long *first;

    return count ? serial_words(hb, start, count, &first) *
                   sizeof(unsigned long)
                 : 0;
}

void hbitmap_serialize_part(const HBitmap *hb, uint8_t *buf, uint64_t start,
                            uint64_t count)
{
    unsigned long *first;

    if (count) {
        uint64_t n = serial_words(hb, start, count, &first);

        memcpy(buf, first, n * sizeof(unsigned long));
    }
}

void hbitmap_deserialize_part(HBitmap *hb, uint8_t *buf, uint64_t start,
                              uint64_t count, bool finish)
{
    unsigned long *first;

    if (count) {
        uint64_t n = serial_words(hb, start, count, &first);

        memcpy(first, buf, n * sizeof(unsigned long));
    }
    if (finish) {
        hbitmap_deserialize_finish(hb);
    }
}

static void deserialize_fill(HBitmap *hb, uint64_t start, uint64_t count,
                             int byte)
{
    unsigned long *first;

    if (count) {
        uint64_t n = serial_words(hb, start, count, &first);

        memset(first, byte, n * sizeof(unsigned long));
    }
}

void hbitmap_deserialize_zeroes(HBitmap *hb, uint64_t start, uint64_t count,
                                bool finish)
{
    deserialize_fill(hb, start, count, 0);
    if (finish) {
        hbitmap_deserialize_finish(hb);
    }
}

void hbitmap_deserialize_ones(HBitmap *hb, uint64_t start, uint64_t count,
                              bool finish)
{
    deserialize_fill(hb, start, count, 0xff);
    if (finish) {
        hbitmap_deserialize_finish(hb);
    }
}

void hbitmap_deserialize_finish(HBitmap *hb)
{
    uint64_t i;
    int l;

    /* Who serialized may have left anything behind the end. */
    if (hb->bits % BITS_PER_LONG) {
        hb->words[LAST][hb->nr[LAST] - 1] &=
            ~0UL >> (BITS_PER_LONG - hb->bits % BITS_PER_LONG);
    }
    hb->count = 0;
    for (i = 0; i < hb->nr[LAST]; i++) {
        hb->count += __builtin_popcountl(hb->words[LAST][i]);
    }
    for (l = LAST - 1; l >= 0; l--) {
        memset(hb->words[l], 0, hb->nr[l] * sizeof(unsigned long));
        for (i = 0; i < hb->nr[l + 1]; i++) {
            if (hb->words[l + 1][i]) {
                set_bit(i, hb->words[l]);
            }
        }
    }
}

/* ---- Meta bitmaps ---- */

HBitmap *hbitmap_create_meta(HBitmap *hb, int chunk_size)
{
    assert(is_power_of_2(chunk_size) && !hb->meta);
    hb->meta = hbitmap_alloc(hb->bits << hb->granularity,
                             hb->granularity + ctz32(chunk_size));
    return hb->meta;
}

void hbitmap_free_meta(HBitmap *hb)
{
    assert(hb->meta);
    hbitmap_free(hb->meta);
    hb->meta = NULL;
}
