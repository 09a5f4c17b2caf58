/*
 * SPDX-License-Identifier: MIT
 *
 * The switch between two stacks for hosts without an assembly one: makecontext
 * to get onto a new stack, _setjmp and _longjmp from then on, as these leave
 * the signal mask alone and so make no system call.
 */
/* The C library's checks take a jump to another stack for an error. */
#undef _FORTIFY_SOURCE

#include "qemu/osdep.h"
#include "coroutine-switch.h"

/* An int at a time is all that makecontext() passes. */
static void start_here(unsigned entry_lo, unsigned entry_hi,
                       unsigned opaque_lo, unsigned opaque_hi)
{
    CoSwitchEntry *entry;
    void *opaque;

    entry = (CoSwitchEntry *)(uintptr_t)
            (entry_lo | (uint64_t)entry_hi << 32);
    opaque = (void *)(uintptr_t)(opaque_lo | (uint64_t)opaque_hi << 32);
    entry(opaque);
    abort();
}

void co_switch_prepare(CoSwitchPoint *point, void *stack, size_t size,
                       CoSwitchEntry *entry, void *opaque)
{
    uint64_t e = (uintptr_t)entry;
    uint64_t o = (uintptr_t)opaque;
    ucontext_t *uc = g_new0(ucontext_t, 1);

    if (getcontext(uc) < 0) {
        abort();
    }
    uc->uc_stack.ss_sp = stack;
    uc->uc_stack.ss_size = size;
    makecontext(uc, (void (*)(void))start_here, 4, (unsigned)e,
                (unsigned)(e >> 32), (unsigned)o, (unsigned)(o >> 32));
    point->start = uc;
}

void co_switch_to(CoSwitchPoint *from, CoSwitchPoint *to)
{
    ucontext_t first;

    if (_setjmp(from->env)) {
        return;
    }
    if (!to->start) {
        _longjmp(to->env, 1);
    }
    /* The context is not needed once its registers are loaded. */
    first = *to->start;
    g_free(to->start);
    to->start = NULL;
    setcontext(&first);
    abort();
}
