/*
 * SPDX-License-Identifier: MIT
 *
 * The switch between two stacks in assembly: saves what the calling convention
 * lets a callee keep, exchanges the stack pointers, and returns on the other
 * stack.  No system call: the signal mask is the thread's, and so are the
 * control words of the floating-point unit, which nothing here changes.
 */
#include "qemu/osdep.h"
#include "coroutine-switch.h"

/* In the assembly below: stores the stack pointer at @save, takes @sp. */
void co_switch_stacks(void **save, void *sp);
/* Where a new stack begins; never called from C. */
void co_switch_first(void);

#if defined(__x86_64__)

/*
 * A saved frame, from the stack pointer upwards: r15, r14, r13, r12, rbx, rbp,
 * return address.
 */
enum {
    FRAME_R15, FRAME_R14, FRAME_R13, FRAME_R12, FRAME_RBX, FRAME_RBP,
    FRAME_RETURN,
    FRAME_WORDS,
    FRAME_OPAQUE = FRAME_RBX,
    FRAME_ENTRY = FRAME_R12,
};

__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl co_switch_stacks\n"
    ".hidden co_switch_stacks\n"
    ".type co_switch_stacks, @function\n"
    "co_switch_stacks:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size co_switch_stacks, . - co_switch_stacks\n"
    ".p2align 4\n"
    ".globl co_switch_first\n"
    ".hidden co_switch_first\n"
    ".type co_switch_first, @function\n"
    "co_switch_first:\n"
    "    .cfi_startproc\n"
    "    .cfi_undefined rip\n"
    "    movq %rbx, %rdi\n"
    "    call *%r12\n"
    "    ud2\n"
    "    .cfi_endproc\n"
    ".size co_switch_first, . - co_switch_first\n");

#elif defined(__aarch64__)

/* A saved frame: x19-x28, x29 (frame pointer), x30 (return), d8-d15. */
enum {
    FRAME_X19, FRAME_X20,
    FRAME_X29 = 10, FRAME_X30,
    FRAME_D8 = 12,
    FRAME_WORDS = 20,
    FRAME_OPAQUE = FRAME_X19,
    FRAME_ENTRY = FRAME_X20,
    FRAME_RETURN = FRAME_X30,
};

__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl co_switch_stacks\n"
    ".hidden co_switch_stacks\n"
    ".type co_switch_stacks, %function\n"
    "co_switch_stacks:\n"
    "    sub sp, sp, #160\n"
    "    stp x19, x20, [sp, #0]\n"
    "    stp x21, x22, [sp, #16]\n"
    "    stp x23, x24, [sp, #32]\n"
    "    stp x25, x26, [sp, #48]\n"
    "    stp x27, x28, [sp, #64]\n"
    "    stp x29, x30, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]\n"
    "    stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]\n"
    "    stp d14, d15, [sp, #144]\n"
    "    mov x9, sp\n"
    "    str x9, [x0]\n"
    "    mov sp, x1\n"
    "    ldp x19, x20, [sp, #0]\n"
    "    ldp x21, x22, [sp, #16]\n"
    "    ldp x23, x24, [sp, #32]\n"
    "    ldp x25, x26, [sp, #48]\n"
    "    ldp x27, x28, [sp, #64]\n"
    "    ldp x29, x30, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]\n"
    "    ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]\n"
    "    ldp d14, d15, [sp, #144]\n"
    "    add sp, sp, #160\n"
    "    ret\n"
    ".size co_switch_stacks, . - co_switch_stacks\n"
    ".p2align 4\n"
    ".globl co_switch_first\n"
    ".hidden co_switch_first\n"
    ".type co_switch_first, %function\n"
    "co_switch_first:\n"
    "    .cfi_startproc\n"
    "    .cfi_undefined x30\n"
    "    mov x0, x19\n"
    "    blr x20\n"
    "    brk #1\n"
    "    .cfi_endproc\n"
    ".size co_switch_first, . - co_switch_first\n");

#endif

void co_switch_prepare(CoSwitchPoint *point, void *stack, size_t size,
                       CoSwitchEntry *entry, void *opaque)
{
    /* co_switch_first starts with the stack pointer just above the frame. */
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)63;
    uint64_t *frame = (uint64_t *)top - FRAME_WORDS;

    memset(frame, 0, FRAME_WORDS * sizeof(*frame));
    frame[FRAME_OPAQUE] = (uintptr_t)opaque;
    frame[FRAME_ENTRY] = (uintptr_t)entry;
    frame[FRAME_RETURN] = (uintptr_t)co_switch_first;
    point->sp = frame;
}

void co_switch_to(CoSwitchPoint *from, CoSwitchPoint *to)
{
    co_switch_stacks(&from->sp, to->sp);
}
