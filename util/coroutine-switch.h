/*
 * SPDX-License-Identifier: MIT
 *
 * The switch between two stacks of a thread.
 */
#ifndef UTIL_COROUTINE_SWITCH_H
#define UTIL_COROUTINE_SWITCH_H

#if (defined(__x86_64__) || defined(__aarch64__)) && \
    !defined(CONFIG_COROUTINE_UCONTEXT)

/* The stack pointer; the registers lie on the stack. */
typedef struct CoSwitchPoint {
    void *sp;
} CoSwitchPoint;

#else

#include <setjmp.h>
#include <ucontext.h>

typedef struct CoSwitchPoint {
    jmp_buf env;
    /* until it runs first */
    ucontext_t *start;
} CoSwitchPoint;

#endif

typedef void CoSwitchEntry(void *opaque);

/*
 * Makes @point so that the first switch to it calls @entry(@opaque), which
 * must not return, on the @size bytes at @stack.
 */
void co_switch_prepare(CoSwitchPoint *point, void *stack, size_t size,
                       CoSwitchEntry *entry, void *opaque);

/* Leaves the caller at @from, returns when somebody switches to @from. */
void co_switch_to(CoSwitchPoint *from, CoSwitchPoint *to);

#endif /* UTIL_COROUTINE_SWITCH_H */
