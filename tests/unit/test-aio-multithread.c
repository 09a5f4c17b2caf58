/*
 * SPDX-License-Identifier: MIT
 *
 * Event loops of several threads: scheduling across them, coroutine locks
 * between them, the lock of a context.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "block/aio.h"
#include "block/aio-wait.h"
#include "iothread.h"
#include "qemu/co-shared-resource.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"

enum { NUM_CONTEXTS = 4 };

static IOThread *threads[NUM_CONTEXTS];
static AioContext *ctx[NUM_CONTEXTS];

static void threads_start(void)
{
    for (int i = 0; i < NUM_CONTEXTS; i++) {
        threads[i] = iothread_new();
        ctx[i] = iothread_get_aio_context(threads[i]);
    }
}

static void threads_join(void)
{
    for (int i = 0; i < NUM_CONTEXTS; i++) {
        iothread_join(threads[i]);
    }
}

static void count_cb(void *opaque)
{
    ++*(int *)opaque;
}

/* BHs and coroutine locks order what the test's coroutines count. */
typedef struct Workers {
    int running;                /* atomic */
    int rounds;
    CoMutex mutex;
    CoRwlock rwlock;
    CoQueue queue;
    SharedResource *shres;
    int value;
    int readers;                /* atomic */
    int writers;                /* atomic */
} Workers;

static void run_workers(Workers *w, CoroutineEntry *entry, int per_context)
{
    w->running = NUM_CONTEXTS * per_context;
    for (int i = 0; i < NUM_CONTEXTS * per_context; i++) {
        aio_co_schedule(ctx[i % NUM_CONTEXTS],
                        qemu_coroutine_create(entry, w));
    }
    AIO_WAIT_WHILE(NULL, atomic_mb_read(&w->running) > 0);
}

static void worker_ends(Workers *w)
{
    if (__atomic_sub_fetch(&w->running, 1, __ATOMIC_SEQ_CST) == 0) {
        aio_wait_kick();
    }
}

static void yield_to_loop(void)
{
    aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
    qemu_coroutine_yield();
}

/* ---- Starting and stopping ---- */

static void test_lifecycle(void)
{
    int n[NUM_CONTEXTS] = { 0 };

    threads_start();
    for (int i = 0; i < NUM_CONTEXTS; i++) {
        aio_wait_bh_oneshot(ctx[i], count_cb, &n[i]);
        g_assert_cmpint(n[i], ==, 1);
    }
    threads_join();
}

/* ---- Moving between contexts ---- */

static void coroutine_fn travel_fn(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        AioContext *next = ctx[i % NUM_CONTEXTS];

        aio_co_reschedule_self(next);
        g_assert_true(qemu_get_current_aio_context() == next);
        g_assert_true(qemu_coroutine_get_aio_context(qemu_coroutine_self()) ==
                      next);
    }
    worker_ends(w);
}

static void test_reschedule_self(void)
{
    Workers w = { .rounds = 2000 };

    threads_start();
    run_workers(&w, travel_fn, 2);
    threads_join();
}

/* The other loop may see the coroutine before it has been left here. */
static void coroutine_fn schedule_away_fn(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        aio_co_schedule(ctx[i % NUM_CONTEXTS], qemu_coroutine_self());
        qemu_coroutine_yield();
        g_assert_true(qemu_get_current_aio_context() ==
                      ctx[i % NUM_CONTEXTS]);
    }
    worker_ends(w);
}

static void test_schedule_away(void)
{
    Workers w = { .rounds = 2000 };

    threads_start();
    run_workers(&w, schedule_away_fn, 2);
    threads_join();
}

/* ---- Waking each other ---- */

static Coroutine *parked[NUM_CONTEXTS];     /* atomic */
static bool wake_stop;                      /* atomic */

/* Wakes one that is parked; false if it is time to stop. */
static bool wake_another(int me, unsigned *pick)
{
    Coroutine *self = qemu_coroutine_self();
    Coroutine *co;

    atomic_mb_set(&parked[me], self);
    do {
        *pick = *pick * 1103515245 + 12345;
        co = atomic_xchg(&parked[(*pick >> 16) % NUM_CONTEXTS], NULL);
        if (!co && atomic_mb_read(&wake_stop)) {
            if (!atomic_xchg(&parked[me], NULL)) {
                /* Who took us out wakes us. */
                qemu_coroutine_yield();
            }
            return false;
        }
    } while (!co);
    if (co == self) {
        yield_to_loop();
    } else {
        aio_co_wake(co);
        qemu_coroutine_yield();
    }
    return true;
}

static void coroutine_fn wake_others_fn(void *opaque)
{
    Workers *w = opaque;
    AioContext *mine = qemu_get_current_aio_context();
    int me = 0;
    unsigned pick = 1;

    while (ctx[me] != mine) {
        me++;
    }
    for (int i = 0; i < w->rounds && !atomic_mb_read(&wake_stop); i++) {
        if (!wake_another(me, &pick)) {
            break;
        }
        g_assert_true(qemu_get_current_aio_context() == mine);
    }
    atomic_mb_set(&wake_stop, true);
    /* The rest must not sleep for ever. */
    for (int i = 0; i < NUM_CONTEXTS; i++) {
        Coroutine *co = atomic_xchg(&parked[i], NULL);

        if (co) {
            aio_co_wake(co);
        }
    }
    worker_ends(w);
}

static void test_wake_across(void)
{
    Workers w = { .rounds = 3000 };

    atomic_mb_set(&wake_stop, false);
    threads_start();
    run_workers(&w, wake_others_fn, 1);
    for (int i = 0; i < NUM_CONTEXTS; i++) {
        g_assert_null(parked[i]);
    }
    threads_join();
}

/* ---- Locks ---- */

static void coroutine_fn mutex_fn(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        qemu_co_mutex_lock(&w->mutex);
        w->value++;
        if (i % 16 == 0) {
            int seen = w->value;

            yield_to_loop();
            g_assert_cmpint(w->value, ==, seen);
        }
        qemu_co_mutex_unlock(&w->mutex);
        if (i % 64 == 0) {
            yield_to_loop();
        }
    }
    worker_ends(w);
}

static void test_mutex(void)
{
    Workers w = { .rounds = 2000 };

    qemu_co_mutex_init(&w.mutex);
    threads_start();
    run_workers(&w, mutex_fn, 4);
    threads_join();
    g_assert_cmpint(w.value, ==, 4 * NUM_CONTEXTS * w.rounds);
}

static void coroutine_fn rwlock_fn(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        if (i % 4) {
            qemu_co_rwlock_rdlock(&w->rwlock);
            atomic_inc(&w->readers);
            g_assert_cmpint(atomic_mb_read(&w->writers), ==, 0);
            if (i % 8 == 1) {
                yield_to_loop();
            }
            atomic_dec(&w->readers);
            if (i % 5 == 0) {
                qemu_co_rwlock_upgrade(&w->rwlock);
                g_assert_cmpint(atomic_mb_read(&w->readers), ==, 0);
                w->value++;
            }
        } else {
            qemu_co_rwlock_wrlock(&w->rwlock);
            atomic_inc(&w->writers);
            g_assert_cmpint(atomic_mb_read(&w->writers), ==, 1);
            g_assert_cmpint(atomic_mb_read(&w->readers), ==, 0);
            w->value++;
            atomic_dec(&w->writers);
            if (i % 8 == 0) {
                qemu_co_rwlock_downgrade(&w->rwlock);
                g_assert_cmpint(atomic_mb_read(&w->writers), ==, 0);
            }
        }
        qemu_co_rwlock_unlock(&w->rwlock);
    }
    worker_ends(w);
}

static void test_rwlock(void)
{
    Workers w = { .rounds = 1000 };
    int writes = 0;

    for (int i = 0; i < w.rounds; i++) {
        writes += i % 4 == 0 || i % 5 == 0;
    }
    qemu_co_rwlock_init(&w.rwlock);
    threads_start();
    run_workers(&w, rwlock_fn, 3);
    threads_join();
    g_assert_cmpint(w.value, ==, 3 * NUM_CONTEXTS * writes);
}

static void coroutine_fn shres_fn(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        int n = 1 + i % 3;

        co_get_from_shres(w->shres, n);
        g_assert_cmpint(__atomic_add_fetch(&w->value, n, __ATOMIC_SEQ_CST),
                        <=, 4);
        if (i % 8 == 0) {
            yield_to_loop();
        }
        __atomic_sub_fetch(&w->value, n, __ATOMIC_SEQ_CST);
        co_put_to_shres(w->shres, n);
    }
    worker_ends(w);
}

static void test_shared_resource(void)
{
    Workers w = { .rounds = 1000, .shres = shres_create(4) };

    threads_start();
    run_workers(&w, shres_fn, 2);
    threads_join();
    shres_destroy(w.shres);
}

/* ---- BHs and notifications from elsewhere ---- */

typedef struct Flood {
    QEMUBH *bh;
    int sent;                   /* atomic */
    int seen;                   /* home thread */
    int ran;                    /* home thread */
} Flood;

static void flood_cb(void *opaque)
{
    Flood *f = opaque;

    f->seen = atomic_mb_read(&f->sent);
    f->ran++;
}

static void *flood_thread(void *opaque)
{
    Flood *f = opaque;

    for (int i = 0; i < 20000; i++) {
        atomic_inc(&f->sent);
        qemu_bh_schedule(f->bh);
    }
    return NULL;
}

/* Whenever a schedule comes, the BH runs after it: no wake-up is lost. */
static void test_bh_flood(void)
{
    AioContext *main_ctx = qemu_get_aio_context();
    Flood f = { .sent = 0 };
    QemuThread senders[3];

    f.bh = aio_bh_new(main_ctx, flood_cb, &f);
    for (int i = 0; i < 3; i++) {
        qemu_thread_create(&senders[i], "sender", flood_thread, &f,
                           QEMU_THREAD_JOINABLE);
    }
    while (f.seen < 3 * 20000) {
        aio_poll(main_ctx, true);
    }
    for (int i = 0; i < 3; i++) {
        qemu_thread_join(&senders[i]);
    }
    g_assert_cmpint(f.ran, >, 0);
    qemu_bh_delete(f.bh);
    while (aio_poll(main_ctx, false)) {
        /* until nothing is left */
    }
}

/* ---- The lock of a context ---- */

typedef struct LockTest {
    AioContext *ctx;
    EventNotifier e;
    QemuEvent go;
    bool acquired;              /* atomic */
} LockTest;

static void clear_notifier(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
}

static void *set_and_acquire(void *opaque)
{
    LockTest *t = opaque;

    qemu_event_wait(&t->go);
    event_notifier_set(&t->e);
    aio_context_acquire(t->ctx);
    atomic_mb_set(&t->acquired, true);
    aio_context_release(t->ctx);
    return NULL;
}

/* A poll that makes progress keeps the lock. */
static void test_lock_is_kept(void)
{
    LockTest t = { .ctx = qemu_get_aio_context() };
    QemuThread thread;

    qemu_event_init(&t.go, false);
    g_assert_cmpint(event_notifier_init(&t.e, false), ==, 0);
    aio_set_event_notifier(t.ctx, &t.e, false, clear_notifier, NULL);
    while (aio_poll(t.ctx, false)) {
        /* until nothing is left */
    }
    qemu_thread_create(&thread, "acquire", set_and_acquire, &t,
                       QEMU_THREAD_JOINABLE);
    aio_context_acquire(t.ctx);
    qemu_event_set(&t.go);
    while (!aio_poll(t.ctx, true)) {
        g_assert_false(atomic_mb_read(&t.acquired));
    }
    g_assert_false(atomic_mb_read(&t.acquired));
    aio_context_release(t.ctx);
    qemu_thread_join(&thread);
    g_assert_true(t.acquired);
    aio_set_event_notifier(t.ctx, &t.e, false, NULL, NULL);
    event_notifier_cleanup(&t.e);
    qemu_event_destroy(&t.go);
}

static void *just_acquire(void *opaque)
{
    LockTest *t = opaque;

    aio_context_acquire(t->ctx);
    atomic_mb_set(&t->acquired, true);
    aio_context_release(t->ctx);
    return NULL;
}

/* An owner that has nothing to do but block lets others through. */
static void test_lock_gets_through(void)
{
    LockTest t = { .ctx = qemu_get_aio_context() };
    QemuThread thread;

    aio_context_acquire(t.ctx);
    aio_context_acquire(t.ctx);
    qemu_thread_create(&thread, "acquire", just_acquire, &t,
                       QEMU_THREAD_JOINABLE);
    while (!atomic_mb_read(&t.acquired)) {
        aio_poll(t.ctx, true);
    }
    /* All levels are there again. */
    aio_context_release(t.ctx);
    aio_context_release(t.ctx);
    qemu_thread_join(&thread);
}

static void need_lock_cb(void *opaque)
{
    LockTest *t = opaque;

    aio_context_acquire(t->ctx);
    atomic_mb_set(&t->acquired, true);
    aio_context_release(t->ctx);
    aio_wait_kick();
}

/* Who waits in the main thread does not keep the context to itself. */
static void test_wait_releases_lock(void)
{
    LockTest t = { .acquired = false };

    threads_start();
    t.ctx = ctx[0];
    aio_context_acquire(t.ctx);
    aio_bh_schedule_oneshot(t.ctx, need_lock_cb, &t);
    AIO_WAIT_WHILE(t.ctx, !atomic_mb_read(&t.acquired));
    aio_context_release(t.ctx);
    threads_join();
}

static void *contend(void *opaque)
{
    Workers *w = opaque;

    for (int i = 0; i < w->rounds; i++) {
        aio_context_acquire(ctx[0]);
        aio_context_acquire(ctx[0]);
        w->value++;
        aio_context_release(ctx[0]);
        aio_context_release(ctx[0]);
    }
    return NULL;
}

static void test_lock_excludes(void)
{
    Workers w = { .rounds = 20000 };
    QemuThread t[3];

    threads_start();
    for (int i = 0; i < 3; i++) {
        qemu_thread_create(&t[i], "contend", contend, &w,
                           QEMU_THREAD_JOINABLE);
    }
    for (int i = 0; i < 3; i++) {
        qemu_thread_join(&t[i]);
    }
    threads_join();
    g_assert_cmpint(w.value, ==, 3 * w.rounds);
}

/* ---- Handlers set from another thread ---- */

static void *toggle_handlers(void *opaque)
{
    EventNotifier e;

    g_assert_cmpint(event_notifier_init(&e, true), ==, 0);
    for (int i = 0; i < 2000; i++) {
        aio_set_event_notifier(opaque, &e, i % 2, clear_notifier, NULL);
        event_notifier_set(&e);
        if (i % 8 == 0) {
            aio_disable_external(opaque);
            aio_enable_external(opaque);
        }
        aio_set_event_notifier(opaque, &e, false, NULL, NULL);
    }
    event_notifier_cleanup(&e);
    return NULL;
}

static void test_handlers_from_elsewhere(void)
{
    QemuThread t[2];

    threads_start();
    for (int i = 0; i < 2; i++) {
        qemu_thread_create(&t[i], "toggle", toggle_handlers, ctx[0],
                           QEMU_THREAD_JOINABLE);
    }
    for (int i = 0; i < 2; i++) {
        qemu_thread_join(&t[i]);
    }
    threads_join();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    g_test_add_func("/aio/multi/lifecycle", test_lifecycle);
    g_test_add_func("/aio/multi/reschedule-self", test_reschedule_self);
    g_test_add_func("/aio/multi/schedule-away", test_schedule_away);
    g_test_add_func("/aio/multi/wake-across", test_wake_across);
    g_test_add_func("/aio/multi/mutex", test_mutex);
    g_test_add_func("/aio/multi/rwlock", test_rwlock);
    g_test_add_func("/aio/multi/shared-resource", test_shared_resource);
    g_test_add_func("/aio/multi/bh-flood", test_bh_flood);
    g_test_add_func("/aio/multi/lock/kept", test_lock_is_kept);
    g_test_add_func("/aio/multi/lock/gets-through", test_lock_gets_through);
    g_test_add_func("/aio/multi/lock/wait-releases", test_wait_releases_lock);
    g_test_add_func("/aio/multi/lock/excludes", test_lock_excludes);
    g_test_add_func("/aio/multi/handlers", test_handlers_from_elsewhere);
    return g_test_run();
}
