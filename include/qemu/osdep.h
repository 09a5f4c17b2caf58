/*
 * SPDX-License-Identifier: MIT
 *
 * First include of every C file: configuration, libc, GLib, and helpers that
 * are wanted everywhere.
 */
#ifndef QEMU_OSDEP_H
#define QEMU_OSDEP_H

#include "config-host.h"
#include "qemu/compiler.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <inttypes.h>
#include <sys/types.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <limits.h>
#include <unistd.h>
#include <time.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <assert.h>
#include <signal.h>
#include <math.h>

#include "glib-compat.h"
#include "qemu/typedefs.h"
#include "qemu/units.h"

#ifndef ECANCELED
#define ECANCELED 4097
#endif
#ifndef ENOMEDIUM
#define ENOMEDIUM ENODEV
#endif
#ifndef ENOTSUP
#define ENOTSUP 4096
#endif
#ifndef IOV_MAX
#define IOV_MAX 1024
#endif
#ifndef O_BINARY
#define O_BINARY 0
#endif

#undef MIN
#undef MAX
#define MIN(a, b) ({                                    \
        typeof(1 ? (a) : (b)) min_a_ = (a), min_b_ = (b); \
        min_a_ < min_b_ ? min_a_ : min_b_; })
#define MAX(a, b) ({                                    \
        typeof(1 ? (a) : (b)) max_a_ = (a), max_b_ = (b); \
        max_a_ > max_b_ ? max_a_ : max_b_; })
/* For constant expressions. */
#define MIN_CONST(a, b) ((a) < (b) ? (a) : (b))
#define MAX_CONST(a, b) ((a) > (b) ? (a) : (b))
/* The smaller one that is not 0. */
#define MIN_NON_ZERO(a, b) ({                           \
        typeof(1 ? (a) : (b)) nz_a_ = (a), nz_b_ = (b); \
        nz_a_ == 0 ? nz_b_                              \
                   : (nz_b_ == 0 || nz_b_ > nz_a_) ? nz_a_ : nz_b_; })

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
/* Multiples of any @m */
#define QEMU_ALIGN_DOWN(n, m) ((n) / (m) * (m))
#define QEMU_ALIGN_UP(n, m)   QEMU_ALIGN_DOWN((n) + (m) - 1, (m))
#define QEMU_IS_ALIGNED(n, m) (((n) % (m)) == 0)
#define QEMU_ALIGN_PTR_DOWN(p, n) \
    ((typeof(p))QEMU_ALIGN_DOWN((uintptr_t)(p), (n)))
#define QEMU_ALIGN_PTR_UP(p, n) \
    ((typeof(p))QEMU_ALIGN_UP((uintptr_t)(p), (n)))
#define QEMU_PTR_IS_ALIGNED(p, n) QEMU_IS_ALIGNED((uintptr_t)(p), (n))
/* Multiples of a power of two @d */
#define ROUND_DOWN(n, d) ((n) & -(0 ? (n) : (d)))
#define ROUND_UP(n, d)   ROUND_DOWN((n) + (d) - 1, (d))

static inline bool is_power_of_2(uint64_t value)
{
    return value && !(value & (value - 1));
}

/* ---- Memory ---- */

/* Like malloc() with an alignment (a power of two); NULL if there is none. */
void *qemu_try_memalign(size_t alignment, size_t size);
/* The same; aborts if there is none. */
void *qemu_memalign(size_t alignment, size_t size);
/* Frees what the two above gave; NULL is fine. */
void qemu_vfree(void *ptr);
static inline void qemu_cleanup_generic_vfree(void *p)
{
    qemu_vfree(*(void **)p);
}
#define QEMU_AUTO_VFREE __attribute__((cleanup(qemu_cleanup_generic_vfree)))
size_t qemu_real_host_page_size(void);

/* ---- Files ---- */

/* open() with O_CLOEXEC; "/dev/fdset/N" duplicates a descriptor of set N.
 * The old form returns -1 with errno; the others set @errp. */
int qemu_open_old(const char *name, int flags, ...);
int qemu_open(const char *name, int flags, Error **errp);
int qemu_create(const char *name, int flags, mode_t mode, Error **errp);
int qemu_close(int fd);
int qemu_dup(int fd);
int qemu_unlink(const char *name);
ssize_t qemu_write_full(int fd, const void *buf, size_t count)
    QEMU_WARN_UNUSED_RESULT;
void qemu_set_cloexec(int fd);
int qemu_fdatasync(int fd);
/* How file descriptor sets are looked up: @open_fd returns a new descriptor
 * (or -1 with errno), @close_fd is told of each close, may be NULL. */
void qemu_set_fdset_hooks(int (*open_fd)(int64_t set, int flags),
                          void (*close_fd)(int fd));

/* Open file description locks on a range; 0 or -errno. */
int qemu_lock_fd(int fd, int64_t start, int64_t len, bool exclusive);
int qemu_unlock_fd(int fd, int64_t start, int64_t len);
/* -EAGAIN if somebody else holds a lock that conflicts. */
int qemu_lock_fd_test(int fd, int64_t start, int64_t len, bool exclusive);
bool qemu_has_ofd_lock(void);

bool qemu_write_pidfile(const char *path, Error **errp);
int qemu_socket(int domain, int type, int protocol);

/* Temporary file; the name is put into @filename. 0 or -errno. */
int get_tmp_filename(char *filename, int size);

#endif
