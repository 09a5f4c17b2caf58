/*
 * SPDX-License-Identifier: MIT
 *
 * Searching arrays of bits, a word at a time.
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"

/* Search for a set bit after inverting with @invert (0 or ~0). */
static unsigned long find_next(const unsigned long *addr, unsigned long size,
                               unsigned long offset, unsigned long invert)
{
    unsigned long i, word;

    if (offset >= size) {
        return size;
    }
    i = BIT_WORD(offset);
    word = (addr[i] ^ invert) & (~0UL << (offset % BITS_PER_LONG));
    while (!word) {
        if (++i * BITS_PER_LONG >= size) {
            return size;
        }
        word = addr[i] ^ invert;
    }
    return MIN(i * BITS_PER_LONG + __builtin_ctzl(word), size);
}

unsigned long find_next_bit(const unsigned long *addr, unsigned long size,
                            unsigned long offset)
{
    return find_next(addr, size, offset, 0);
}

unsigned long find_next_zero_bit(const unsigned long *addr,
                                 unsigned long size, unsigned long offset)
{
    return find_next(addr, size, offset, ~0UL);
}
