/*
 * SPDX-License-Identifier: MIT
 *
 * Characters in JSON strings.
 *
 * Our strings end with a zero byte; a zero character within them is the
 * sequence C0 80.
 */
#include "qemu/osdep.h"
#include "json-internal.h"

bool json_is_character(int codepoint)
{
    if (codepoint < 0 || codepoint > 0x10ffff) {
        return false;
    }
    if (codepoint >= 0xd800 && codepoint <= 0xdfff) {
        return false;
    }
    if (codepoint >= 0xfdd0 && codepoint <= 0xfdef) {
        return false;
    }
    return (codepoint & 0xfffe) != 0xfffe;
}

/* Bytes of a sequence by its first one; 0 for one that starts none. */
static int sequence_length(unsigned char lead)
{
    int ones = __builtin_clz(~((unsigned)lead << 24));

    return ones == 0 ? 1 : ones == 1 || ones > 6 ? 0 : ones;
}

/* The lowest number that needs @len bytes */
static int lowest_of_length(int len)
{
    static const int lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };

    return len < ARRAY_SIZE(lowest) ? lowest[len] : INT_MAX;
}

int json_utf8_next(const char **str)
{
    const unsigned char *p = (const unsigned char *)*str;
    int len = sequence_length(*p), i;
    int64_t c;

    if (len <= 1) {
        ++*str;
        return len ? *p : -1;
    }
    c = *p & (0x7f >> len);
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *str += i;
            return -1;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *str += len;
    if (p[0] == 0xc0 && p[1] == 0x80) {
        return 0;
    }
    return c >= lowest_of_length(len) && json_is_character(c) ? c : -1;
}

void json_utf8_append(GString *str, int codepoint)
{
    if (codepoint) {
        g_string_append_unichar(str, codepoint);
    } else {
        g_string_append(str, "\xc0\x80");
    }
}
