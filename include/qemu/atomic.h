/*
 * SPDX-License-Identifier: MIT
 *
 * Atomic operations on aligned objects of up to pointer size, by address.
 * atomic_read/_set are relaxed; the others are sequentially consistent.
 */
#ifndef QEMU_ATOMIC_H
#define QEMU_ATOMIC_H

#define barrier()       __asm__ volatile("" ::: "memory")
#define smp_mb()        __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_mb_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_mb_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_rmb()       smp_mb_acquire()
#define smp_wmb()       smp_mb_release()

#define atomic_read(p)          __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_set(p, v)        __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_load_acquire(p)  __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_mb_read(p)       __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define atomic_mb_set(p, v)     ((void)__atomic_exchange_n(p, v, \
                                                           __ATOMIC_SEQ_CST))
#define atomic_rcu_read(p)      __atomic_load_n(p, __ATOMIC_CONSUME)
#define atomic_rcu_set(p, v)    __atomic_store_n(p, v, __ATOMIC_RELEASE)

#define atomic_xchg(p, v)       __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
/* Returns the old value. */
#define atomic_cmpxchg(p, old, new) ({                              \
        typeof(*(p)) cmpxchg_old_ = (old);                          \
        (void)__atomic_compare_exchange_n(p, &cmpxchg_old_, new,    \
                                          false, __ATOMIC_SEQ_CST,  \
                                          __ATOMIC_SEQ_CST);        \
        cmpxchg_old_; })

/* Return the old value. */
#define atomic_fetch_inc(p)     __atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST)
#define atomic_fetch_dec(p)     __atomic_fetch_sub(p, 1, __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, n)  __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, n)  __atomic_fetch_sub(p, n, __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, n)  __atomic_fetch_and(p, n, __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, n)   __atomic_fetch_or(p, n, __ATOMIC_SEQ_CST)

/* Return the new value. */
#define atomic_inc_fetch(p)     __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST)
#define atomic_dec_fetch(p)     __atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST)

#define atomic_inc(p)           ((void)atomic_fetch_inc(p))
#define atomic_dec(p)           ((void)atomic_fetch_dec(p))
#define atomic_add(p, n)        ((void)atomic_fetch_add(p, n))
#define atomic_sub(p, n)        ((void)atomic_fetch_sub(p, n))
#define atomic_and(p, n)        ((void)atomic_fetch_and(p, n))
#define atomic_or(p, n)         ((void)atomic_fetch_or(p, n))

#endif
