/*
 * SPDX-License-Identifier: MIT
 *
 * Ranges of arrays of bits, a word at a time.
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"

/* The bits of [start, start + nr) that lie in the word of @start. */
static unsigned long first_word_mask(long start, long nr)
{
    unsigned long shift = start % BITS_PER_LONG;
    unsigned long n = MIN((unsigned long)nr, BITS_PER_LONG - shift);

    return (~0UL >> (BITS_PER_LONG - n)) << shift;
}

static void fill(unsigned long *map, long start, long nr, bool value)
{
    while (nr > 0) {
        unsigned long mask = first_word_mask(start, nr);
        int n = ctpopl(mask);

        if (value) {
            map[BIT_WORD(start)] |= mask;
        } else {
            map[BIT_WORD(start)] &= ~mask;
        }
        start += n;
        nr -= n;
    }
}

void bitmap_set(unsigned long *map, long start, long nr)
{
    fill(map, start, nr, true);
}

void bitmap_clear(unsigned long *map, long start, long nr)
{
    fill(map, start, nr, false);
}

unsigned long bitmap_find_next_zero_area(const unsigned long *map,
                                         unsigned long size,
                                         unsigned long start,
                                         unsigned long nr,
                                         unsigned long align_mask)
{
    for (;;) {
        unsigned long used;

        start = find_next_zero_bit(map, size, start);
        start = (start + align_mask) & ~align_mask;
        if (start >= size || size - start < nr) {
            return size;
        }
        used = find_next_bit(map, start + nr, start);
        if (used == start + nr) {
            return start;
        }
        start = used + 1;
    }
}

long bitmap_count_one(const unsigned long *map, long nbits)
{
    long i, n = 0;

    for (i = 0; i < nbits / BITS_PER_LONG; i++) {
        n += ctpopl(map[i]);
    }
    if (nbits % BITS_PER_LONG) {
        n += ctpopl(map[i] & first_word_mask(0, nbits % BITS_PER_LONG));
    }
    return n;
}
