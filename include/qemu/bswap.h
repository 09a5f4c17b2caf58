/*
 * SPDX-License-Identifier: MIT
 *
 * Byte orders, on values and in memory that need not be aligned.
 */
#ifndef QEMU_BSWAP_H
#define QEMU_BSWAP_H

#include "qemu/osdep.h"

static inline uint16_t bswap16(uint16_t x) { return __builtin_bswap16(x); }
static inline uint32_t bswap32(uint32_t x) { return __builtin_bswap32(x); }
static inline uint64_t bswap64(uint64_t x) { return __builtin_bswap64(x); }

/* Hosts are little-endian (the build checks). */
#define BSWAP_CONVERT_(bits)                                                \
    static inline uint##bits##_t be##bits##_to_cpu(uint##bits##_t v)        \
    { return bswap##bits(v); }                                              \
    static inline uint##bits##_t cpu_to_be##bits(uint##bits##_t v)          \
    { return bswap##bits(v); }                                              \
    static inline uint##bits##_t le##bits##_to_cpu(uint##bits##_t v)        \
    { return v; }                                                           \
    static inline uint##bits##_t cpu_to_le##bits(uint##bits##_t v)          \
    { return v; }                                                           \
    static inline void be##bits##_to_cpus(uint##bits##_t *p)                \
    { *p = bswap##bits(*p); }                                               \
    static inline void cpu_to_be##bits##s(uint##bits##_t *p)                \
    { *p = bswap##bits(*p); }                                               \
    static inline void le##bits##_to_cpus(uint##bits##_t *p)                \
    { (void)p; }                                                            \
    static inline void cpu_to_le##bits##s(uint##bits##_t *p)                \
    { (void)p; }

BSWAP_CONVERT_(16)
BSWAP_CONVERT_(32)
BSWAP_CONVERT_(64)
#undef BSWAP_CONVERT_

/* ldX_be_p(ptr), stX_le_p(ptr, value): X is uw (16), l (32) or q (64) bits. */
#define BSWAP_MEMORY_(ld, st, type, bits)                                   \
    static inline type ld##_be_p(const void *ptr)                           \
    { uint##bits##_t v; memcpy(&v, ptr, sizeof(v)); return bswap##bits(v); } \
    static inline type ld##_le_p(const void *ptr)                           \
    { uint##bits##_t v; memcpy(&v, ptr, sizeof(v)); return v; }             \
    static inline void st##_be_p(void *ptr, uint##bits##_t v)               \
    { v = bswap##bits(v); memcpy(ptr, &v, sizeof(v)); }                     \
    static inline void st##_le_p(void *ptr, uint##bits##_t v)               \
    { memcpy(ptr, &v, sizeof(v)); }

BSWAP_MEMORY_(lduw, stw, int, 16)
BSWAP_MEMORY_(ldl, stl, int, 32)
BSWAP_MEMORY_(ldq, stq, uint64_t, 64)
#undef BSWAP_MEMORY_

static inline int ldub_p(const void *ptr) { return *(const uint8_t *)ptr; }
static inline void stb_p(void *ptr, uint8_t v) { *(uint8_t *)ptr = v; }

#endif
