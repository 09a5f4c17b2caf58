/*
 * SPDX-License-Identifier: MIT
 *
 * What the compiler offers, under short names.
 */
#ifndef QEMU_COMPILER_H
#define QEMU_COMPILER_H

#define QEMU_PACKED         __attribute__((packed))
#define QEMU_ALIGNED(n)     __attribute__((aligned(n)))
#define QEMU_NORETURN       __attribute__((noreturn))
#define QEMU_WARN_UNUSED_RESULT __attribute__((warn_unused_result))
#define QEMU_NONNULL        __attribute__((nonnull))
#define QEMU_ALWAYS_INLINE  __attribute__((always_inline))
#define QEMU_NOINLINE       __attribute__((noinline))
#define QEMU_FALLTHROUGH    __attribute__((fallthrough))

#ifndef likely
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

/* The struct of which @ptr is member @member. */
#ifndef container_of
#define container_of(ptr, type, member) ({                          \
        const typeof(((type *)0)->member) *member_ptr_ = (ptr);     \
        (type *)((char *)member_ptr_ - offsetof(type, member)); })
#endif

#define typeof_field(type, field) typeof(((type *)0)->field)
#define sizeof_field(type, field) sizeof(((type *)0)->field)

#define stringify(s)    stringify_(s)
#define stringify_(s)   #s
#define glue(a, b)      glue_(a, b)
#define glue_(a, b)     a##b

#define QEMU_BUILD_BUG_MSG(x, msg) _Static_assert(!(x), msg)
#define QEMU_BUILD_BUG_ON(x)       QEMU_BUILD_BUG_MSG(x, "not: " #x)
/* 0, or a build error if @x. */
#define QEMU_BUILD_BUG_ON_ZERO(x) \
    (sizeof(struct { int : (x) ? -1 : 1; }) * 0)

#define GCC_FMT_ATTR(n, m) __attribute__((format(gnu_printf, n, m)))
#ifdef __clang__
#undef GCC_FMT_ATTR
#define GCC_FMT_ATTR(n, m) __attribute__((format(printf, n, m)))
#endif

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define QEMU_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define QEMU_TSAN 1
#endif

#endif
