/*
 * SPDX-License-Identifier: MIT
 *
 * Read-copy-update, and the events and futexes that threads wait with.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#ifdef CONFIG_LINUX
#include "qemu/futex.h"
#endif

enum { NUM_READERS = 3, NUM_VERSIONS = 300 };

typedef struct Version {
    int a;
    int b;
} Version;

static Version *shared;         /* atomic pointer */
static int stop;                /* atomic */
static int reads;               /* atomic */

static void *reader(void *opaque)
{
    rcu_register_thread();
    while (!atomic_mb_read(&stop)) {
        Version *v;

        rcu_read_lock();
        rcu_read_lock();
        v = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
        rcu_read_unlock();
        g_assert_cmpint(v->a, ==, v->b);
        g_assert_cmpint(v->a, >, 0);
        rcu_read_unlock();
        atomic_inc(&reads);
    }
    rcu_unregister_thread();
    return NULL;
}

/* What a reader sees stays whole until the reader is done with it. */
static void test_readers_and_writer(void)
{
    QemuThread t[NUM_READERS];

    shared = g_new(Version, 1);
    *shared = (Version) { 1, 1 };
    atomic_mb_set(&stop, 0);
    for (int i = 0; i < NUM_READERS; i++) {
        qemu_thread_create(&t[i], "reader", reader, NULL,
                           QEMU_THREAD_JOINABLE);
    }
    for (int i = 2; i < NUM_VERSIONS; i++) {
        Version *v = g_new(Version, 1);
        Version *old;

        *v = (Version) { i, i };
        old = __atomic_exchange_n(&shared, v, __ATOMIC_SEQ_CST);
        synchronize_rcu();
        *old = (Version) { -1, -2 };
        g_free(old);
    }
    while (!atomic_mb_read(&reads)) {
        g_usleep(100);
    }
    atomic_mb_set(&stop, 1);
    for (int i = 0; i < NUM_READERS; i++) {
        qemu_thread_join(&t[i]);
    }
    g_free(shared);
}

typedef struct Turn {
    QemuEvent ev[2];
    int value;
} Turn;

static void *turn_thread(void *opaque)
{
    Turn *turn = opaque;

    for (int i = 0; i < 2000; i++) {
        qemu_event_wait(&turn->ev[0]);
        qemu_event_reset(&turn->ev[0]);
        g_assert_cmpint(turn->value++ % 2, ==, 0);
        qemu_event_set(&turn->ev[1]);
    }
    return turn;
}

/* Two threads take turns; each sees what the other wrote. */
static void test_event(void)
{
    Turn turn = { .value = 0 };
    QemuThread t;

    qemu_event_init(&turn.ev[0], false);
    qemu_event_init(&turn.ev[1], true);
    qemu_thread_create(&t, NULL, turn_thread, &turn, QEMU_THREAD_JOINABLE);
    for (int i = 0; i < 2000; i++) {
        qemu_event_wait(&turn.ev[1]);
        qemu_event_reset(&turn.ev[1]);
        if (i) {
            g_assert_cmpint(turn.value++ % 2, ==, 1);
        }
        qemu_event_set(&turn.ev[0]);
    }
    g_assert_true(qemu_thread_join(&t) == &turn);
    g_assert_cmpint(turn.value, ==, 3999);
    qemu_event_wait(&turn.ev[1]);
    qemu_event_destroy(&turn.ev[0]);
    qemu_event_destroy(&turn.ev[1]);
}

typedef struct Cond {
    QemuMutex mutex;
    QemuCond cond;
    bool ready;
} Cond;

static void *cond_thread(void *opaque)
{
    Cond *c = opaque;

    qemu_mutex_lock(&c->mutex);
    c->ready = true;
    qemu_cond_broadcast(&c->cond);
    qemu_mutex_unlock(&c->mutex);
    return NULL;
}

static void test_cond(void)
{
    Cond c = { .ready = false };
    QemuThread t;

    qemu_mutex_init(&c.mutex);
    qemu_cond_init(&c.cond);
    qemu_mutex_lock(&c.mutex);
    g_assert_cmpint(qemu_mutex_trylock(&c.mutex), ==, -EBUSY);
    g_assert_false(qemu_cond_timedwait(&c.cond, &c.mutex, 1));
    qemu_thread_create(&t, "a name that is much too long for the kernel",
                       cond_thread, &c, QEMU_THREAD_JOINABLE);
    while (!c.ready) {
        qemu_cond_wait(&c.cond, &c.mutex);
    }
    qemu_mutex_unlock(&c.mutex);
    g_assert_null(qemu_thread_join(&t));
    qemu_cond_destroy(&c.cond);
    qemu_mutex_destroy(&c.mutex);
}

#ifdef CONFIG_LINUX
static unsigned word;           /* atomic */

static void *futex_thread(void *opaque)
{
    while (!atomic_mb_read(&word)) {
        qemu_futex_wait(&word, 0);
    }
    return NULL;
}

static void test_futex(void)
{
    QemuThread t;

    qemu_thread_create(&t, "futex", futex_thread, NULL, QEMU_THREAD_JOINABLE);
    atomic_mb_set(&word, 1);
    qemu_futex_wake(&word, 1);
    qemu_thread_join(&t);
}
#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rcu/readers-and-writer", test_readers_and_writer);
    g_test_add_func("/thread/event", test_event);
    g_test_add_func("/thread/cond", test_cond);
#ifdef CONFIG_LINUX
    g_test_add_func("/thread/futex", test_futex);
#endif
    return g_test_run();
}
