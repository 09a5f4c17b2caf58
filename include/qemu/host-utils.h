/*
 * SPDX-License-Identifier: MIT
 *
 * Counting bits and wide arithmetic.
 */
#ifndef QEMU_HOST_UTILS_H
#define QEMU_HOST_UTILS_H

#include "qemu/osdep.h"

/* Leading and trailing zero bits; the width for 0. */
static inline int clz32(uint32_t v) { return v ? __builtin_clz(v) : 32; }
static inline int clz64(uint64_t v) { return v ? __builtin_clzll(v) : 64; }
static inline int ctz32(uint32_t v) { return v ? __builtin_ctz(v) : 32; }
static inline int ctz64(uint64_t v) { return v ? __builtin_ctzll(v) : 64; }
static inline int ctpop32(uint32_t v) { return __builtin_popcount(v); }
static inline int ctpop64(uint64_t v) { return __builtin_popcountll(v); }
static inline int ctpopl(unsigned long v) { return __builtin_popcountl(v); }

/* a * b / c without overflow in between. */
static inline uint64_t muldiv64(uint64_t a, uint32_t b, uint32_t c)
{
    return (__int128)a * b / c;
}

/* The power of 2 at or below @v; 0 for 0. */
static inline uint64_t pow2floor(uint64_t v)
{
    return v ? 1ULL << (63 - clz64(v)) : 0;
}

/* The power of 2 at or above @v; 0 if it does not fit. */
static inline uint64_t pow2ceil(uint64_t v)
{
    if (v > 1ULL << 63) {
        return 0;
    }
    return v <= 1 ? 1 : 1ULL << (64 - clz64(v - 1));
}

#endif
