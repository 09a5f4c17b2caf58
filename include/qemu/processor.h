/*
 * SPDX-License-Identifier: MIT
 *
 * Hints for the processor in loops that wait for another thread.
 */
#ifndef QEMU_PROCESSOR_H
#define QEMU_PROCESSOR_H

/* Says that the surrounding loop spins; also a compiler barrier. */
#if defined(__i386__) || defined(__x86_64__)
#define cpu_relax() __asm__ __volatile__("pause" ::: "memory")
#elif defined(__aarch64__)
#define cpu_relax() __asm__ __volatile__("yield" ::: "memory")
#else
#define cpu_relax() __asm__ __volatile__("" ::: "memory")
#endif

#endif /* QEMU_PROCESSOR_H */
