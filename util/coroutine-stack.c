/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines with a stack of their own: memory, the running one of each
 * thread, and what sanitizers must know about the switch.
 *
 * A stack is mapped lazily, so only touched pages cost memory; the page below
 * it faults.
 *
 * Invariants
 *   1. thread_current is the coroutine that runs in the thread, NULL for the
 *      thread itself before the first switch.
 *   2. A coroutine may continue in another thread: no address of a
 *      thread-local variable is kept across a switch.  Hence the functions
 *      that are not inlined, with a barrier that forbids to merge two calls.
 */
#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qemu/coroutine_int.h"
#include "coroutine-switch.h"

#if defined(__SANITIZE_ADDRESS__)
#define STACK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define STACK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STACK_TSAN 1
#endif
#endif

#ifdef STACK_ASAN
#include <sanitizer/asan_interface.h>
#endif

#ifdef STACK_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

/* Virtual size; sanitizers make frames larger. */
#ifdef STACK_ASAN
#define STACK_SIZE (4 * 1024 * 1024)
#else
#define STACK_SIZE (1024 * 1024)
#endif

typedef struct StackCoroutine {
    Coroutine base;

    /* where it stands while it does not run */
    CoSwitchPoint point;
    /* why the one that switched to it did so; set before each switch */
    CoroutineAction action;

    /* usable stack; NULL for the object that stands for a thread */
    void *stack;
    size_t size;
#ifdef STACK_ASAN
    void *fake_stack;
    const void *asan_bottom;
    size_t asan_size;
    struct StackCoroutine *switched_from;
#endif
#ifdef STACK_TSAN
    void *tsan_fiber;
#endif
} StackCoroutine;

static __thread StackCoroutine thread_leader;
static __thread Coroutine *thread_current;

#define NOT_INLINED __attribute__((noinline))
#define FORGET_ADDRESSES() __asm__ __volatile__("" ::: "memory")

static NOT_INLINED Coroutine *get_current(void)
{
    FORGET_ADDRESSES();
    return thread_current;
}

static NOT_INLINED void set_current(Coroutine *co)
{
    FORGET_ADDRESSES();
    thread_current = co;
}

static NOT_INLINED Coroutine *get_leader(void)
{
    FORGET_ADDRESSES();
    return &thread_leader.base;
}

/* ---- Sanitizers ---- */

static void announce_switch(StackCoroutine *from, StackCoroutine *to,
                            bool ends)
{
#ifdef STACK_ASAN
    to->switched_from = from;
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack,
                                   to->stack ?: to->asan_bottom,
                                   to->stack ? to->size : to->asan_size);
#endif
#ifdef STACK_TSAN
    if (!from->stack && !from->tsan_fiber) {
        from->tsan_fiber = __tsan_get_current_fiber();
    }
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
}

static void switch_arrived(StackCoroutine *self)
{
#ifdef STACK_ASAN
    const void *bottom;
    size_t size;
    StackCoroutine *from = self->switched_from;

    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
    if (!from->stack) {
        /* The stack of a thread is known only once it has been left. */
        from->asan_bottom = bottom;
        from->asan_size = size;
    }
#endif
}

/* ---- Memory ---- */

static void *stack_map(size_t size)
{
    size_t guard = getpagesize();
    char *p;

    p = mmap(NULL, size + guard, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE) < 0) {
        fprintf(stderr, "cannot map %zu bytes for the stack of a coroutine: "
                "%s\n", size, strerror(errno));
        abort();
    }
    return p + guard;
}

static void stack_unmap(void *stack, size_t size)
{
    size_t guard = getpagesize();

#ifdef STACK_ASAN
    ASAN_UNPOISON_MEMORY_REGION(stack, size);
#endif
    munmap((char *)stack - guard, size + guard);
}

/* Runs on the new stack: one turn for each time the object is used. */
static void stack_main(void *opaque)
{
    StackCoroutine *self = opaque;
    Coroutine *co = &self->base;

    switch_arrived(self);
    for (;;) {
        co->entry(co->entry_arg);
        qemu_coroutine_switch(co, co->caller, COROUTINE_TERMINATE);
    }
}

Coroutine *qemu_coroutine_new(void)
{
    StackCoroutine *self = g_new0(StackCoroutine, 1);

    self->size = STACK_SIZE;
    self->stack = stack_map(self->size);
#ifdef STACK_TSAN
    self->tsan_fiber = __tsan_create_fiber(0);
#endif
    co_switch_prepare(&self->point, self->stack, self->size, stack_main,
                      self);
    return &self->base;
}

void qemu_coroutine_delete(Coroutine *co)
{
    StackCoroutine *self = container_of(co, StackCoroutine, base);

#ifdef STACK_TSAN
    __tsan_destroy_fiber(self->tsan_fiber);
#endif
    stack_unmap(self->stack, self->size);
    g_free(self);
}

/* ---- Switch ---- */

CoroutineAction NOT_INLINED
qemu_coroutine_switch(Coroutine *from_, Coroutine *to_, CoroutineAction action)
{
    StackCoroutine *from = container_of(from_, StackCoroutine, base);
    StackCoroutine *to = container_of(to_, StackCoroutine, base);

    set_current(to_);
    to->action = action;
    /*
     * The object is reused with its stack, so for AddressSanitizer, too, an
     * end is no more than a pause.
     */
    announce_switch(from, to, false);
    co_switch_to(&from->point, &to->point);
    switch_arrived(from);
    return from->action;
}

Coroutine *qemu_coroutine_self(void)
{
    Coroutine *co = get_current();

    if (!co) {
        co = get_leader();
        set_current(co);
    }
    return co;
}

bool qemu_in_coroutine(void)
{
    Coroutine *co = get_current();

    return co && co->caller;
}
