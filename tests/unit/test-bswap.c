/*
 * SPDX-License-Identifier: MIT
 *
 * Byte orders, of values and of memory that is not aligned.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"

#define V16 0x8123
#define V32 0x81234567U
#define V64 0x8123456789abcdefULL

static const uint8_t big[] = {
    0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef
};
static const uint8_t little[] = {
    0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x81
};

/* How a value lies in memory is what the conversions are about. */
#define CHECK_ORDER(order, bits, bytes)                                     \
    do {                                                                    \
        uint##bits##_t v = cpu_to_##order##bits(V##bits), w = V##bits;      \
                                                                            \
        g_assert_cmpmem(&v, sizeof(v), bytes, bits / 8);                    \
        g_assert_cmphex(order##bits##_to_cpu(v), ==, V##bits);              \
        cpu_to_##order##bits##s(&w);                                        \
        g_assert_cmphex(w, ==, v);                                          \
        order##bits##_to_cpus(&w);                                          \
        g_assert_cmphex(w, ==, V##bits);                                    \
    } while (0)

static void test_values(void)
{
    CHECK_ORDER(be, 16, big);
    CHECK_ORDER(be, 32, big);
    CHECK_ORDER(be, 64, big);
    CHECK_ORDER(le, 16, little + 6);
    CHECK_ORDER(le, 32, little + 4);
    CHECK_ORDER(le, 64, little);
}

static void test_swap(void)
{
    g_assert_cmphex(bswap16(V16), ==, 0x2381);
    g_assert_cmphex(bswap32(V32), ==, 0x67452381);
    g_assert_cmphex(bswap64(V64), ==, 0xefcdab8967452381ULL);
}

/* Store at every alignment, with sentinels on both sides, and load. */
#define CHECK_MEMORY(name, order, type, value, bytes)                       \
    do {                                                                    \
        uint8_t buf[24];                                                    \
        size_t len = sizeof(type);                                          \
                                                                            \
        for (int at = 1; at <= 8; at++) {                                   \
            memset(buf, 0x5a, sizeof(buf));                                 \
            st##name##_##order##_p(buf + at, value);                        \
            g_assert_cmpmem(buf + at, len, bytes, len);                     \
            g_assert_cmphex(buf[at - 1], ==, 0x5a);                         \
            g_assert_cmphex(buf[at + len], ==, 0x5a);                       \
        }                                                                   \
    } while (0)

static void test_store(void)
{
    CHECK_MEMORY(w, be, uint16_t, V16, big);
    CHECK_MEMORY(l, be, uint32_t, V32, big);
    CHECK_MEMORY(q, be, uint64_t, V64, big);
    CHECK_MEMORY(w, le, uint16_t, V16, little + 6);
    CHECK_MEMORY(l, le, uint32_t, V32, little + 4);
    CHECK_MEMORY(q, le, uint64_t, V64, little);
}

/* 16 bits are loaded without a sign, 32 bits with that of an int. */
static void test_load(void)
{
    uint8_t buf[24];

    for (int at = 1; at <= 8; at++) {
        memcpy(buf + at, big, sizeof(big));
        g_assert_cmpint(lduw_be_p(buf + at), ==, V16);
        g_assert_cmpint(ldl_be_p(buf + at), ==, (int)V32);
        g_assert_cmphex(ldq_be_p(buf + at), ==, V64);
        g_assert_cmpint(ldub_p(buf + at), ==, 0x81);
        memcpy(buf + at, little, sizeof(little));
        g_assert_cmpint(lduw_le_p(buf + at), ==, 0xcdef);
        g_assert_cmpint(ldl_le_p(buf + at), ==, (int)0x89abcdefU);
        g_assert_cmphex(ldq_le_p(buf + at), ==, V64);
        stb_p(buf + at, 0xfe);
        g_assert_cmpint(ldub_p(buf + at), ==, 0xfe);
        g_assert_cmphex(buf[at + 1], ==, little[1]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bswap/swap", test_swap);
    g_test_add_func("/bswap/values", test_values);
    g_test_add_func("/bswap/store", test_store);
    g_test_add_func("/bswap/load", test_load);
    return g_test_run();
}
