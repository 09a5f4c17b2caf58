/*
 * SPDX-License-Identifier: MIT
 *
 * Strings, numbers in strings, buffers.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"

/* ---- Strings ---- */

void pstrcpy(char *buf, int buf_size, const char *str)
{
    if (buf_size > 0) {
        g_strlcpy(buf, str, buf_size);
    }
}

char *pstrcat(char *buf, int buf_size, const char *s)
{
    int len = strlen(buf);

    if (len < buf_size) {
        pstrcpy(buf + len, buf_size - len, s);
    }
    return buf;
}

void strpadcpy(char *buf, int buf_size, const char *str, char pad)
{
    int len = qemu_strnlen(str, buf_size);

    memcpy(buf, str, len);
    memset(buf + len, pad, buf_size - len);
}

int strstart(const char *str, const char *val, const char **ptr)
{
    size_t len = strlen(val);

    if (strncmp(str, val, len)) {
        return 0;
    }
    if (ptr) {
        *ptr = str + len;
    }
    return 1;
}

int stristart(const char *str, const char *val, const char **ptr)
{
    size_t len = strlen(val);

    if (g_ascii_strncasecmp(str, val, len)) {
        return 0;
    }
    if (ptr) {
        *ptr = str + len;
    }
    return 1;
}

int qemu_strnlen(const char *s, int max_len)
{
    return strnlen(s, max_len);
}

/* ---- Whole numbers ---- */

/* What strtoX() said: @ep is where it stopped, @range that it was too big. */
static int check_strto(const char *nptr, const char **endptr, const char *ep,
                       bool range)
{
    if (endptr) {
        *endptr = ep;
    }
    if (ep == nptr || (!endptr && *ep)) {
        return -EINVAL;
    }
    return range ? -ERANGE : 0;
}

/* Signed in [@min, @max]. */
static int strto_signed(const char *nptr, const char **endptr, int base,
                        int64_t min, int64_t max, int64_t *result)
{
    char *ep;
    long long v;
    bool range;

    if (!nptr) {
        if (endptr) {
            *endptr = nptr;
        }
        *result = 0;
        return -EINVAL;
    }
    errno = 0;
    v = strtoll(nptr, &ep, base);
    range = errno == ERANGE || v < min || v > max;
    *result = v < min ? min : v > max ? max : v;
    return check_strto(nptr, endptr, ep, range);
}

/* Unsigned up to @max; a minus sign wraps, as with strtoul(). */
static int strto_unsigned(const char *nptr, const char **endptr, int base,
                          uint64_t max, uint64_t *result)
{
    const char *p = nptr;
    char *ep;
    unsigned long long v;
    bool negative, range;

    if (!nptr) {
        if (endptr) {
            *endptr = nptr;
        }
        *result = 0;
        return -EINVAL;
    }
    while (isspace((unsigned char)*p)) {
        p++;
    }
    negative = *p == '-';
    errno = 0;
    v = strtoull(nptr, &ep, base);
    range = errno == ERANGE;
    if (negative && !range) {
        /* Magnitudes up to @max wrap around there. */
        if (-v > max) {
            range = true;
        }
        v &= max;
    } else if (v > max) {
        range = true;
    }
    *result = range ? max : v;
    return check_strto(nptr, endptr, ep, range);
}

int qemu_strtoi(const char *nptr, const char **endptr, int base, int *result)
{
    int64_t v;
    int ret = strto_signed(nptr, endptr, base, INT_MIN, INT_MAX, &v);

    *result = v;
    return ret;
}

int qemu_strtoui(const char *nptr, const char **endptr, int base,
                 unsigned *result)
{
    uint64_t v;
    int ret = strto_unsigned(nptr, endptr, base, UINT_MAX, &v);

    *result = v;
    return ret;
}

int qemu_strtol(const char *nptr, const char **endptr, int base, long *result)
{
    int64_t v;
    int ret = strto_signed(nptr, endptr, base, LONG_MIN, LONG_MAX, &v);

    *result = v;
    return ret;
}

int qemu_strtoul(const char *nptr, const char **endptr, int base,
                 unsigned long *result)
{
    uint64_t v;
    int ret = strto_unsigned(nptr, endptr, base, ULONG_MAX, &v);

    *result = v;
    return ret;
}

int qemu_strtoi64(const char *nptr, const char **endptr, int base,
                  int64_t *result)
{
    return strto_signed(nptr, endptr, base, INT64_MIN, INT64_MAX, result);
}

int qemu_strtou64(const char *nptr, const char **endptr, int base,
                  uint64_t *result)
{
    return strto_unsigned(nptr, endptr, base, UINT64_MAX, result);
}

int qemu_strtod(const char *nptr, const char **endptr, double *result)
{
    char *ep;

    if (!nptr) {
        if (endptr) {
            *endptr = nptr;
        }
        return -EINVAL;
    }
    errno = 0;
    *result = strtod(nptr, &ep);
    return check_strto(nptr, endptr, ep, errno == ERANGE);
}

int qemu_strtod_finite(const char *nptr, const char **endptr, double *result)
{
    double v;
    int ret = qemu_strtod(nptr, endptr, &v);

    if (!ret && !isfinite(v)) {
        if (endptr) {
            *endptr = nptr;
        }
        return -EINVAL;
    }
    if (ret != -EINVAL) {
        *result = v;
    }
    return ret;
}

int parse_uint(const char *s, unsigned long long *value, char **endptr,
               int base)
{
    char *ep = (char *)s;
    int ret = -EINVAL;

    *value = 0;
    if (s && g_ascii_isdigit(*s)) {
        errno = 0;
        *value = strtoull(s, &ep, base);
        ret = errno ? -ERANGE : 0;
    }
    if (endptr) {
        *endptr = ep;
    }
    return ret;
}

int parse_uint_full(const char *s, unsigned long long *value, int base)
{
    char *ep;
    int ret = parse_uint(s, value, &ep, base);

    if (!ret && *ep) {
        *value = 0;
        return -EINVAL;
    }
    return ret;
}

/* ---- Sizes ---- */

/* Factor of a unit, 0 if there is none of this name. */
static uint64_t unit_factor(char unit, uint64_t step)
{
    const char *units = "BKMGTPE";
    const char *p = unit ? strchr(units, g_ascii_toupper(unit)) : NULL;
    uint64_t factor = 1;
    int n = p ? p - units : -1;

    if (n < 0) {
        return 0;
    }
    while (n--) {
        factor *= step;
    }
    return factor;
}

/* The digits after the point, as a fraction of @factor. */
static long double parse_fraction(const char **p)
{
    long double fraction = 0, scale = 0.1L;

    while (g_ascii_isdigit(**p)) {
        fraction += (**p - '0') * scale;
        scale /= 10;
        (*p)++;
    }
    return fraction;
}

static int do_strtosz(const char *nptr, const char **end, char default_unit,
                      uint64_t step, uint64_t *result)
{
    const char *p = nptr;
    unsigned long long whole;
    long double fraction = 0;
    uint64_t factor;
    char *ep;
    int ret = -EINVAL;
    bool hex;

    *result = 0;
    if (!p) {
        goto out;
    }
    while (g_ascii_isspace(*p)) {
        p++;
    }
    if (*p == '+') {
        p++;
    }
    if (!g_ascii_isdigit(*p)) {
        p = nptr;
        goto out;
    }
    hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    errno = 0;
    whole = strtoull(p, &ep, hex ? 16 : 10);
    p = ep;
    if (errno == ERANGE) {
        ret = -ERANGE;
        goto out;
    }
    if (*p == '.' && !hex) {
        p++;
        fraction = parse_fraction(&p);
    }
    factor = unit_factor(*p, step);
    if (factor && !(hex && g_ascii_isxdigit(*p))) {
        if (hex) {
            warn_report("Using a multiplier suffix on hex numbers is "
                        "deprecated: %s", nptr);
        }
        p++;
    } else {
        factor = unit_factor(default_unit, step);
    }
    if (fraction > 0 && factor == 1) {
        /* There are no parts of bytes. */
        p = nptr;
        goto out;
    }
    if (whole > UINT64_MAX / factor) {
        ret = -ERANGE;
        goto out;
    }
    *result = whole * factor;
    if (*result > UINT64_MAX - (uint64_t)(fraction * factor)) {
        ret = -ERANGE;
        goto out;
    }
    *result += (uint64_t)(fraction * factor);
    ret = 0;
out:
    if (end) {
        *end = p;
    } else if (!ret && *p) {
        ret = -EINVAL;
    }
    if (ret) {
        *result = 0;
    }
    return ret;
}

int qemu_strtosz(const char *nptr, const char **end, uint64_t *result)
{
    return do_strtosz(nptr, end, 'B', 1024, result);
}

int qemu_strtosz_MiB(const char *nptr, const char **end, uint64_t *result)
{
    return do_strtosz(nptr, end, 'M', 1024, result);
}

int qemu_strtosz_metric(const char *nptr, const char **end, uint64_t *result)
{
    return do_strtosz(nptr, end, 'B', 1000, result);
}

char *size_to_str(uint64_t val)
{
    static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi",
                                         "Ei" };
    double v = val;
    int i = 0;

    /* 1000 of a unit are too many for four digits. */
    while (v >= 1000 && i < ARRAY_SIZE(units) - 1) {
        v /= 1024;
        i++;
    }
    return g_strdup_printf("%0.3g %sB", v, units[i]);
}

/* ---- Buffers ---- */

void qemu_hexdump(FILE *fp, const char *prefix, const void *bufptr,
                  size_t size)
{
    const unsigned char *buf = bufptr;
    size_t i, j;

    for (i = 0; i < size; i += 16) {
        size_t n = MIN(size - i, 16);

        fprintf(fp, "%s: %04zx:", prefix, i);
        for (j = 0; j < 16; j++) {
            if (j < n) {
                fprintf(fp, "%s%02x", j % 4 ? " " : "  ", buf[i + j]);
            } else {
                fprintf(fp, "%s  ", j % 4 ? " " : "  ");
            }
        }
        fputs("   ", fp);
        for (j = 0; j < n; j++) {
            fputc(g_ascii_isprint(buf[i + j]) ? buf[i + j] : '.', fp);
        }
        fputc('\n', fp);
    }
}

/* Words at a time; the compiler makes vectors of the inner loop. */
static bool words_are_zero(const uint64_t *p, size_t n)
{
    while (n >= 32) {
        uint64_t any = 0;
        int i;

        for (i = 0; i < 32; i++) {
            any |= p[i];
        }
        if (any) {
            return false;
        }
        p += 32;
        n -= 32;
    }
    while (n--) {
        if (*p++) {
            return false;
        }
    }
    return true;
}

bool buffer_is_zero(const void *buf, size_t len)
{
    const char *p = buf;
    const char *end = p + len;

    /* Data mostly shows at the ends or in the middle. */
    if (!len || p[0] || end[-1] || p[len / 2]) {
        return !len;
    }
    while (p < end && (uintptr_t)p % sizeof(uint64_t)) {
        if (*p++) {
            return false;
        }
    }
    if (!words_are_zero((const uint64_t *)p, (end - p) / sizeof(uint64_t))) {
        return false;
    }
    for (p = end - (end - p) % sizeof(uint64_t); p < end; p++) {
        if (*p) {
            return false;
        }
    }
    return true;
}
