/*
 * SPDX-License-Identifier: MIT
 *
 * Coroutines in one thread without an event loop: control flow, the pool,
 * mutexes, readers-writer locks, queues.
 */
#include "qemu/osdep.h"
#include <math.h>
#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/coroutine_int.h"

/* Each step appends a letter; tests compare the whole story. */
static GString *story;

static void story_begin(void)
{
    story = g_string_new(NULL);
}

static void tell(const char *s)
{
    g_string_append(story, s);
}

static void story_end(const char *expected)
{
    g_assert_cmpstr(story->str, ==, expected);
    g_string_free(story, true);
    story = NULL;
}

/* ---- Control flow ---- */

static void coroutine_fn three_steps(void *opaque)
{
    g_assert_true(qemu_in_coroutine());
    tell("a");
    qemu_coroutine_yield();
    tell("b");
    qemu_coroutine_yield();
    tell("c");
    *(bool *)opaque = true;
}

static void test_yield(void)
{
    bool done = false;
    Coroutine *co = qemu_coroutine_create(three_steps, &done);

    story_begin();
    g_assert_false(qemu_in_coroutine());
    while (!done) {
        g_assert_false(qemu_coroutine_entered(co));
        qemu_coroutine_enter(co);
        tell(".");
    }
    g_assert_false(qemu_in_coroutine());
    story_end("a.b.c.");
}

static void coroutine_fn check_self(void *opaque)
{
    g_assert_true(qemu_coroutine_self() == *(Coroutine **)opaque);
    qemu_coroutine_yield();
    g_assert_true(qemu_coroutine_self() == *(Coroutine **)opaque);
}

static void test_self(void)
{
    Coroutine *leader = qemu_coroutine_self();
    Coroutine *co;

    co = qemu_coroutine_create(check_self, &co);
    qemu_coroutine_enter(co);
    g_assert_true(qemu_coroutine_self() == leader);
    qemu_coroutine_enter(co);
    g_assert_true(qemu_coroutine_self() == leader);
}

typedef struct Nest {
    Coroutine *parent;
    int depth;
    int max;
} Nest;

static void coroutine_fn nest_fn(void *opaque)
{
    Nest *n = opaque;

    /* Who waits for us counts as entered. */
    g_assert_true(!n->parent || qemu_coroutine_entered(n->parent));
    if (++n->depth < n->max) {
        n->parent = qemu_coroutine_self();
        qemu_coroutine_enter(qemu_coroutine_create(nest_fn, n));
    }
    g_assert_true(qemu_coroutine_entered(qemu_coroutine_self()));
}

static void test_nesting(void)
{
    Nest n = { .max = 200 };

    qemu_coroutine_enter(qemu_coroutine_create(nest_fn, &n));
    g_assert_cmpint(n.depth, ==, n.max);
}

/* Floating-point state and callee-saved registers survive switches. */
static void coroutine_fn compute(void *opaque)
{
    double *sum = opaque;
    double x = *sum;
    long a = 1, b = 2, c = 3, d = 4, e = 5;

    for (int i = 0; i < 100; i++) {
        x = x * 1.0000001 + sqrt(i);
        a += b;
        b += c;
        c += d;
        d += e;
        qemu_coroutine_yield();
    }
    *sum = x + a + b + c + d + e;
}

static void test_registers(void)
{
    double one = 1, expected = 1, two = 1;
    Coroutine *co[2];
    long a = 1, b = 2, c = 3, d = 4, e = 5;

    for (int i = 0; i < 100; i++) {
        expected = expected * 1.0000001 + sqrt(i);
        a += b;
        b += c;
        c += d;
        d += e;
    }
    expected += a + b + c + d + e;
    co[0] = qemu_coroutine_create(compute, &one);
    co[1] = qemu_coroutine_create(compute, &two);
    for (int i = 0; i <= 100; i++) {
        qemu_coroutine_enter(co[0]);
        qemu_coroutine_enter(co[1]);
    }
    g_assert_cmpfloat(one, ==, expected);
    g_assert_cmpfloat(two, ==, expected);
}

/* ---- Chains of wake-ups ---- */

typedef struct PingPong {
    Coroutine *co[2];
    uintptr_t stack[2];
    int left;
} PingPong;

static void coroutine_fn ping_fn(void *opaque)
{
    PingPong *p = opaque;
    int me = p->co[1] == qemu_coroutine_self();
    char here;

    p->stack[me] = (uintptr_t)&here;
    while (p->left-- > 0) {
        aio_co_enter(NULL, p->co[!me]);
        qemu_coroutine_yield();
        g_assert_true(p->stack[me] == (uintptr_t)&here);
    }
}

/* Two coroutines that enter each other a million times stay on the ground. */
static void test_mutual_enter(void)
{
    PingPong p = { .left = 1000000 };

    p.co[0] = qemu_coroutine_create(ping_fn, &p);
    p.co[1] = qemu_coroutine_create(ping_fn, &p);
    qemu_coroutine_enter(p.co[0]);
    g_assert_cmpint(p.left, <, 0);
    /* One has ended; the other one may wait for it still. */
    if (p.left == -1) {
        qemu_coroutine_enter(p.co[1]);
    }
}

static void coroutine_fn tell_fn(void *opaque)
{
    tell(opaque);
}

static void coroutine_fn wake_two(void *opaque)
{
    aio_co_enter(NULL, qemu_coroutine_create(tell_fn, (void *)"1"));
    aio_co_enter(NULL, qemu_coroutine_create(tell_fn, (void *)"2"));
    tell("x");
    qemu_coroutine_yield();
    tell("y");
}

static void test_woken_run_after_yield(void)
{
    Coroutine *co = qemu_coroutine_create(wake_two, NULL);

    story_begin();
    qemu_coroutine_enter(co);
    tell("-");
    qemu_coroutine_enter(co);
    story_end("x12-y");
}

/* ---- Pool ---- */

static void coroutine_fn enter_other(void *opaque)
{
    qemu_coroutine_enter(opaque);
}

static void coroutine_fn yield_once(void *opaque)
{
    qemu_coroutine_yield();
}

/* Nobody looks at an ended coroutine that lies in the pool. */
static void test_pool_is_not_touched(void)
{
    Coroutine *inner, *outer;
    Coroutine saved;

    if (!CONFIG_COROUTINE_POOL) {
        g_test_skip("no pool of coroutines in this build");
        return;
    }
    inner = qemu_coroutine_create(yield_once, NULL);
    outer = qemu_coroutine_create(enter_other, inner);
    qemu_coroutine_enter(outer);
    saved = *outer;
    memset(outer, 0xff, sizeof(*outer));
    qemu_coroutine_enter(inner);
    *outer = saved;
}

static void coroutine_fn nothing(void *opaque)
{
}

static void test_pool_reuses(void)
{
    Coroutine *first = qemu_coroutine_create(nothing, NULL);
    Coroutine *second;

    if (!CONFIG_COROUTINE_POOL) {
        g_test_skip("no pool of coroutines in this build");
        qemu_coroutine_enter(first);
        return;
    }
    qemu_coroutine_enter(first);
    second = qemu_coroutine_create(nothing, NULL);
    g_assert_true(first == second);
    qemu_coroutine_enter(second);
}

/* More than the pool holds: created, ended, created again. */
static void test_pool_overflow(void)
{
    enum { N = 2000 };
    Coroutine **co = g_new(Coroutine *, N);

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            co[i] = qemu_coroutine_create(yield_once, NULL);
            qemu_coroutine_enter(co[i]);
        }
        for (int i = 0; i < N; i++) {
            qemu_coroutine_enter(co[i]);
        }
    }
    g_free(co);
}

static void *pool_thread(void *opaque)
{
    test_pool_overflow();
    return NULL;
}

static void test_pool_of_ended_thread(void)
{
    QemuThread thread;

    qemu_thread_create(&thread, NULL, pool_thread, NULL, QEMU_THREAD_JOINABLE);
    qemu_thread_join(&thread);
    test_pool_overflow();
}

/* ---- CoMutex ---- */

static CoMutex mutex;
static int inside;

static void coroutine_fn mutex_fn(void *opaque)
{
    qemu_co_mutex_lock(&mutex);
    qemu_co_mutex_assert_locked(&mutex);
    g_assert_cmpint(inside++, ==, 0);
    tell(opaque);
    qemu_coroutine_yield();
    inside--;
    tell("u");
    qemu_co_mutex_unlock(&mutex);
    tell("e");
}

static void test_mutex_fifo(void)
{
    static const char *names[] = { "1", "2", "3" };
    Coroutine *co[3];

    story_begin();
    qemu_co_mutex_init(&mutex);
    for (int i = 0; i < 3; i++) {
        co[i] = qemu_coroutine_create(mutex_fn, (void *)names[i]);
        qemu_coroutine_enter(co[i]);
    }
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(inside, ==, 1);
        tell(" ");
        qemu_coroutine_enter(co[i]);
    }
    g_assert_cmpint(inside, ==, 0);
    /* The next one starts when the one that unlocks has ended. */
    story_end("1 ue2 ue3 ue");
}

static void coroutine_fn mutex_barge(void *opaque)
{
    qemu_co_mutex_lock(&mutex);
    tell("A");
    qemu_coroutine_yield();
    qemu_co_mutex_unlock(&mutex);
    /* Somebody waits, so this must not overtake. */
    qemu_co_mutex_lock(&mutex);
    tell("C");
    qemu_co_mutex_unlock(&mutex);
}

static void coroutine_fn mutex_once(void *opaque)
{
    qemu_co_mutex_lock(&mutex);
    tell(opaque);
    qemu_co_mutex_unlock(&mutex);
}

static void test_mutex_no_overtaking(void)
{
    Coroutine *a = qemu_coroutine_create(mutex_barge, NULL);

    story_begin();
    qemu_co_mutex_init(&mutex);
    qemu_coroutine_enter(a);
    qemu_coroutine_enter(qemu_coroutine_create(mutex_once, (void *)"B"));
    qemu_coroutine_enter(a);
    story_end("ABC");
}

/* ---- CoRwlock ---- */

static CoRwlock rwlock;

typedef enum {
    RW_READ,
    RW_WRITE,
    RW_UPGRADE,
    RW_DOWNGRADE,
} RWKind;

typedef struct RWActor {
    RWKind kind;
    const char *name;
    bool done;
} RWActor;

static void coroutine_fn rw_fn(void *opaque)
{
    RWActor *a = opaque;

    if (a->kind == RW_READ || a->kind == RW_UPGRADE) {
        qemu_co_rwlock_rdlock(&rwlock);
    } else {
        qemu_co_rwlock_wrlock(&rwlock);
    }
    tell(a->name);
    qemu_coroutine_yield();
    if (a->kind == RW_UPGRADE) {
        qemu_co_rwlock_upgrade(&rwlock);
        tell("^");
        tell(a->name);
        qemu_coroutine_yield();
    } else if (a->kind == RW_DOWNGRADE) {
        qemu_co_rwlock_downgrade(&rwlock);
        tell("v");
        tell(a->name);
        qemu_coroutine_yield();
    }
    qemu_co_rwlock_unlock(&rwlock);
    a->done = true;
}

static Coroutine *rw_start(RWActor *a)
{
    Coroutine *co = qemu_coroutine_create(rw_fn, a);

    qemu_coroutine_enter(co);
    return co;
}

/* Readers share; one that comes after a writer waits behind it. */
static void test_rwlock_fair(void)
{
    RWActor r1 = { RW_READ, "a" }, r2 = { RW_READ, "b" };
    RWActor w = { RW_WRITE, "W" }, r3 = { RW_READ, "c" };
    RWActor r4 = { RW_READ, "d" };
    Coroutine *c1, *c2, *cw, *c3, *c4;

    story_begin();
    qemu_co_rwlock_init(&rwlock);
    c1 = rw_start(&r1);
    c2 = rw_start(&r2);
    cw = rw_start(&w);
    c3 = rw_start(&r3);
    c4 = rw_start(&r4);
    tell(" ");
    qemu_coroutine_enter(c1);
    tell(" ");
    qemu_coroutine_enter(c2);
    tell(" ");
    qemu_coroutine_enter(cw);
    qemu_coroutine_enter(c3);
    qemu_coroutine_enter(c4);
    g_assert_true(r1.done && r2.done && w.done && r3.done && r4.done);
    story_end("ab  W cd");
}

static void test_rwlock_upgrade(void)
{
    RWActor u = { RW_UPGRADE, "u" }, r = { RW_READ, "r" };
    RWActor w = { RW_WRITE, "W" };
    Coroutine *cu, *cr, *cw;

    /* Alone: at once. */
    story_begin();
    qemu_co_rwlock_init(&rwlock);
    cu = rw_start(&u);
    qemu_coroutine_enter(cu);
    qemu_coroutine_enter(cu);
    g_assert_true(u.done);
    story_end("u^u");

    /* With others: after them. */
    u.done = false;
    story_begin();
    cu = rw_start(&u);
    cr = rw_start(&r);
    cw = rw_start(&w);
    qemu_coroutine_enter(cu);
    tell(" ");
    qemu_coroutine_enter(cr);
    tell(" ");
    qemu_coroutine_enter(cw);
    qemu_coroutine_enter(cu);
    g_assert_true(u.done && r.done && w.done);
    story_end("ur W ^u");
}

static void test_rwlock_downgrade(void)
{
    RWActor d = { RW_DOWNGRADE, "d" }, r = { RW_READ, "r" };
    RWActor w = { RW_WRITE, "W" };
    Coroutine *cd, *cr, *cw;

    story_begin();
    qemu_co_rwlock_init(&rwlock);
    cd = rw_start(&d);
    cr = rw_start(&r);
    cw = rw_start(&w);
    qemu_coroutine_enter(cd);
    qemu_coroutine_enter(cd);
    tell(" ");
    qemu_coroutine_enter(cr);
    qemu_coroutine_enter(cw);
    g_assert_true(d.done && r.done && w.done);
    story_end("dvdr W");
}

/* ---- CoQueue ---- */

static CoQueue queue;

static void coroutine_fn queue_fn(void *opaque)
{
    qemu_co_queue_wait(&queue, NULL);
    tell(opaque);
}

static void coroutine_fn queue_front_fn(void *opaque)
{
    qemu_co_queue_wait_flags(&queue, NULL, CO_QUEUE_WAIT_FRONT);
    tell(opaque);
}

static void coroutine_fn queue_locked_fn(void *opaque)
{
    qemu_co_mutex_lock(&mutex);
    qemu_co_queue_wait(&queue, &mutex);
    qemu_co_mutex_assert_locked(&mutex);
    tell(opaque);
    qemu_co_mutex_unlock(&mutex);
}

static void coroutine_fn queue_wake_locked_fn(void *opaque)
{
    qemu_co_mutex_lock(&mutex);
    qemu_co_queue_restart_all(&queue);
    tell("w");
    qemu_co_mutex_unlock(&mutex);
}

static void test_queue(void)
{
    story_begin();
    qemu_co_queue_init(&queue);
    g_assert_true(qemu_co_queue_empty(&queue));
    g_assert_false(qemu_co_queue_next(&queue));
    qemu_coroutine_enter(qemu_coroutine_create(queue_fn, (void *)"2"));
    qemu_coroutine_enter(qemu_coroutine_create(queue_fn, (void *)"3"));
    qemu_coroutine_enter(qemu_coroutine_create(queue_fn, (void *)"4"));
    qemu_coroutine_enter(qemu_coroutine_create(queue_front_fn, (void *)"1"));
    g_assert_true(qemu_co_enter_next(&queue, NULL));
    tell(".");
    g_assert_true(qemu_co_queue_next(&queue));
    tell(".");
    qemu_co_enter_all(&queue, NULL);
    g_assert_true(qemu_co_queue_empty(&queue));
    story_end("1.2.34");
}

static void test_queue_with_mutex(void)
{
    story_begin();
    qemu_co_queue_init(&queue);
    qemu_co_mutex_init(&mutex);
    qemu_coroutine_enter(qemu_coroutine_create(queue_locked_fn, (void *)"1"));
    qemu_coroutine_enter(qemu_coroutine_create(queue_locked_fn, (void *)"2"));
    qemu_coroutine_enter(qemu_coroutine_create(queue_wake_locked_fn, NULL));
    story_end("w12");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/coroutine/yield", test_yield);
    g_test_add_func("/coroutine/self", test_self);
    g_test_add_func("/coroutine/nesting", test_nesting);
    g_test_add_func("/coroutine/registers", test_registers);
    g_test_add_func("/coroutine/mutual-enter", test_mutual_enter);
    g_test_add_func("/coroutine/woken-after-yield",
                    test_woken_run_after_yield);
    g_test_add_func("/coroutine/pool/not-touched", test_pool_is_not_touched);
    g_test_add_func("/coroutine/pool/reuse", test_pool_reuses);
    g_test_add_func("/coroutine/pool/overflow", test_pool_overflow);
    g_test_add_func("/coroutine/pool/ended-thread", test_pool_of_ended_thread);
    g_test_add_func("/coroutine/mutex/fifo", test_mutex_fifo);
    g_test_add_func("/coroutine/mutex/no-overtaking",
                    test_mutex_no_overtaking);
    g_test_add_func("/coroutine/rwlock/fair", test_rwlock_fair);
    g_test_add_func("/coroutine/rwlock/upgrade", test_rwlock_upgrade);
    g_test_add_func("/coroutine/rwlock/downgrade", test_rwlock_downgrade);
    g_test_add_func("/coroutine/queue/order", test_queue);
    g_test_add_func("/coroutine/queue/mutex", test_queue_with_mutex);
    return g_test_run();
}
