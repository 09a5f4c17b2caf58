/*
 * SPDX-License-Identifier: MIT
 *
 * Strings, numbers in strings, buffers.
 */
#ifndef QEMU_CUTILS_H
#define QEMU_CUTILS_H

#include "qemu/osdep.h"

/* Copy; always terminated, cut at @buf_size bytes. */
void pstrcpy(char *buf, int buf_size, const char *str);
char *pstrcat(char *buf, int buf_size, const char *s);
/* Pad with zero bytes or @pad, not terminated if @str fills it. */
void strpadcpy(char *buf, int buf_size, const char *str, char pad);
/* Does @str begin with @val?  *ptr (if not NULL) is what follows. */
int strstart(const char *str, const char *val, const char **ptr);
int stristart(const char *str, const char *val, const char **ptr);
int qemu_strnlen(const char *s, int max_len);

/*
 * Whole numbers.  0, -EINVAL (no number, or text behind it and @endptr is
 * NULL) or -ERANGE (*result is the nearest).  @base as for strtol().
 */
int qemu_strtoi(const char *nptr, const char **endptr, int base, int *result);
int qemu_strtoui(const char *nptr, const char **endptr, int base,
                 unsigned *result);
int qemu_strtol(const char *nptr, const char **endptr, int base, long *result);
int qemu_strtoul(const char *nptr, const char **endptr, int base,
                 unsigned long *result);
int qemu_strtoi64(const char *nptr, const char **endptr, int base,
                  int64_t *result);
int qemu_strtou64(const char *nptr, const char **endptr, int base,
                  uint64_t *result);
int qemu_strtod(const char *nptr, const char **endptr, double *result);
int qemu_strtod_finite(const char *nptr, const char **endptr, double *result);
/* No sign, no blanks: -EINVAL or -ERANGE. */
int parse_uint(const char *s, unsigned long long *value, char **endptr,
               int base);
int parse_uint_full(const char *s, unsigned long long *value, int base);

/*
 * Sizes: a number, which may have a fraction if a unit follows, and a unit B,
 * K, M, G, T, P, E (powers of 1024, lower case too).  Without a unit: bytes,
 * or MiB.  0, -EINVAL or -ERANGE.
 */
int qemu_strtosz(const char *nptr, const char **end, uint64_t *result);
int qemu_strtosz_MiB(const char *nptr, const char **end, uint64_t *result);
int qemu_strtosz_metric(const char *nptr, const char **end, uint64_t *result);

/* "1.5 GiB": at most four significant digits; g_free(). */
char *size_to_str(uint64_t val);

/* Fast. */
bool buffer_is_zero(const void *buf, size_t len);

/* Lines of 16 bytes "PREFIX: 0000: xx xx ...  text". */
void qemu_hexdump(FILE *fp, const char *prefix, const void *bufptr,
                  size_t size);

#endif
