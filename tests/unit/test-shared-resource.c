/*
 * SPDX-License-Identifier: MIT
 *
 * Something limited that coroutines share.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qapi/error.h"
#include "qemu/co-shared-resource.h"
#include "qemu/main-loop.h"

typedef struct Taker {
    SharedResource *s;
    uint64_t n;
    bool has;
} Taker;

static void coroutine_fn take_entry(void *opaque)
{
    Taker *t = opaque;

    co_get_from_shres(t->s, t->n);
    t->has = true;
}

static void coroutine_fn put_entry(void *opaque)
{
    Taker *t = opaque;

    t->has = false;
    co_put_to_shres(t->s, t->n);
}

static void run(CoroutineEntry *entry, Taker *t)
{
    qemu_coroutine_enter(qemu_coroutine_create(entry, t));
    while (aio_poll(qemu_get_aio_context(), false)) {
    }
}

static void test_take_and_wait(void)
{
    SharedResource *s = shres_create(10);
    Taker a = { s, 6 }, b = { s, 5 }, c = { s, 4 };

    run(take_entry, &a);
    run(take_entry, &b);
    run(take_entry, &c);
    g_assert_true(a.has && !b.has);
    /* Whether c may pass b is open; in the end all get theirs. */
    run(put_entry, &a);
    g_assert_true(b.has && c.has);
    run(put_entry, &b);
    run(put_entry, &c);
    run(take_entry, &a);
    g_assert_true(a.has);
    run(put_entry, &a);
    shres_destroy(s);
}

static void test_whole(void)
{
    SharedResource *s = shres_create(3);
    Taker all = { s, 3 }, one = { s, 1 };

    run(take_entry, &all);
    run(take_entry, &one);
    g_assert_true(all.has && !one.has);
    run(put_entry, &all);
    g_assert_true(one.has);
    run(take_entry, &all);
    g_assert_false(all.has);
    run(put_entry, &one);
    g_assert_true(all.has);
    run(put_entry, &all);
    shres_destroy(s);
}

static void test_try(void)
{
    SharedResource *s = shres_create(3);
    Taker t = { s, 2, true };

    g_assert_true(co_try_get_from_shres(s, 2));
    g_assert_false(co_try_get_from_shres(s, 2));
    g_assert_true(co_try_get_from_shres(s, 1));
    g_assert_false(co_try_get_from_shres(s, 1));
    run(put_entry, &t);
    g_assert_true(co_try_get_from_shres(s, 1));
    run(put_entry, &t);
    shres_destroy(s);
    shres_destroy(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    g_test_add_func("/shared-resource/take-and-wait", test_take_and_wait);
    g_test_add_func("/shared-resource/whole", test_whole);
    g_test_add_func("/shared-resource/try", test_try);
    return g_test_run();
}
