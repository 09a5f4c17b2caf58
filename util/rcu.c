/*
 * SPDX-License-Identifier: MIT
 *
 * Read-copy-update with one word for each reader.
 *
 * A reader in a section shows the number of the period in which the section
 * began; a writer starts a new period and waits for all readers that show an
 * older one.
 *
 * Invariants
 *   1. rcu_reader.period is 0 outside read sections.
 *   2. The list of readers changes under rcu_mutex only.
 */
#include "qemu/osdep.h"
#include "qemu/queue.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"

typedef struct RCUReader {
    /* atomic, written by its thread */
    uint64_t period;
    /* its thread's */
    unsigned depth;
    bool registered;
    QLIST_ENTRY(RCUReader) next;
} RCUReader;

static __thread RCUReader rcu_reader;

/* Lock order: rcu_sync_mutex before rcu_mutex. */
static QemuMutex rcu_sync_mutex;        /* one writer at a time */
static QemuMutex rcu_mutex;
static QLIST_HEAD(, RCUReader) rcu_readers;
static uint64_t rcu_period = 1;         /* atomic */

static void __attribute__((constructor)) rcu_init(void)
{
    qemu_mutex_init(&rcu_sync_mutex);
    qemu_mutex_init(&rcu_mutex);
    rcu_register_thread();
}

void rcu_register_thread(void)
{
    assert(!rcu_reader.registered);
    rcu_reader.registered = true;
    qemu_mutex_lock(&rcu_mutex);
    QLIST_INSERT_HEAD(&rcu_readers, &rcu_reader, next);
    qemu_mutex_unlock(&rcu_mutex);
}

void rcu_unregister_thread(void)
{
    assert(rcu_reader.registered && !rcu_reader.depth);
    qemu_mutex_lock(&rcu_mutex);
    QLIST_REMOVE(&rcu_reader, next);
    qemu_mutex_unlock(&rcu_mutex);
    rcu_reader.registered = false;
}

void rcu_read_lock(void)
{
    assert(rcu_reader.registered);
    if (rcu_reader.depth++ == 0) {
        /* An exchange, so that no later load passes it. */
        __atomic_exchange_n(&rcu_reader.period,
                            __atomic_load_n(&rcu_period, __ATOMIC_SEQ_CST),
                            __ATOMIC_SEQ_CST);
    }
}

void rcu_read_unlock(void)
{
    assert(rcu_reader.depth > 0);
    if (--rcu_reader.depth == 0) {
        __atomic_store_n(&rcu_reader.period, 0, __ATOMIC_RELEASE);
    }
}

/* True if a reader is still in a section that began before @period. */
static bool rcu_old_readers(uint64_t period)
{
    RCUReader *r;
    bool found = false;

    qemu_mutex_lock(&rcu_mutex);
    QLIST_FOREACH(r, &rcu_readers, next) {
        uint64_t p = __atomic_load_n(&r->period, __ATOMIC_SEQ_CST);

        if (p && p < period) {
            found = true;
            break;
        }
    }
    qemu_mutex_unlock(&rcu_mutex);
    return found;
}

void synchronize_rcu(void)
{
    uint64_t period;
    unsigned spins = 0;

    assert(!rcu_reader.depth);
    qemu_mutex_lock(&rcu_sync_mutex);
    period = __atomic_add_fetch(&rcu_period, 1, __ATOMIC_SEQ_CST);
    while (rcu_old_readers(period)) {
        if (++spins < 100) {
            cpu_relax();
        } else {
            g_usleep(100);
        }
    }
    qemu_mutex_unlock(&rcu_sync_mutex);
}
