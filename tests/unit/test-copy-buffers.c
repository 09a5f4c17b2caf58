/*
 * SPDX-License-Identifier: MIT
 *
 * Buffers of copies: where they lie, and who waits for them.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "block/copy-buffers.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"

#define MAX_BUFS 4096

typedef struct Taker {
    CopyBufferUser user;
    int64_t size;           /* of each buffer */
    int want;
    int have;
    char *bufs[MAX_BUFS];
} Taker;

/* Takes buffers until it has as many as it wants. */
static void coroutine_fn take_entry(void *opaque)
{
    Taker *t = opaque;

    while (t->have < t->want) {
        char *buf = copy_buffer_get(&t->user, 4096, t->size);

        g_assert_true(QEMU_PTR_IS_ALIGNED(buf, 4096));
        t->bufs[t->have++] = buf;
    }
}

static void coroutine_fn put_one_entry(void *opaque)
{
    Taker *t = opaque;

    copy_buffer_put(&t->user, t->bufs[--t->have], t->size);
}

static void take(Taker *t, int want)
{
    t->want = want;
    qemu_coroutine_enter(qemu_coroutine_create(take_entry, t));
}

/* Whoever waits has gone on when this returns. */
static void put_one(Taker *t)
{
    qemu_coroutine_enter(qemu_coroutine_create(put_one_entry, t));
    while (aio_poll(qemu_get_aio_context(), false)) {
    }
}

static void put_all(Taker *t)
{
    while (t->have) {
        put_one(t);
    }
    g_assert_cmpint(t->user.used, ==, 0);
}

static Taker *taker_new(int64_t size)
{
    Taker *t = g_new0(Taker, 1);

    t->size = size;
    return t;
}

static void test_budget(void)
{
    g_autofree Taker *rich = taker_new(MiB), *poor = taker_new(MiB);
    int limit;

    copy_buffers_ref();
    /* It waits for the one that is too many. */
    take(rich, MAX_BUFS);
    limit = rich->have;
    g_assert_cmpint(limit, >=, 16);
    g_assert_cmpint(limit, <, MAX_BUFS);
    rich->want = limit + 1;

    /* One who has nothing starves nobody and is not starved. */
    take(poor, 2);
    g_assert_cmpint(poor->have, ==, 1);

    put_one(rich);
    g_assert_cmpint(rich->have + poor->have, ==, limit);
    put_one(rich);
    g_assert_cmpint(rich->have + poor->have, ==, limit);
    put_one(rich);
    put_one(rich);
    g_assert_cmpint(poor->have, ==, 2);
    rich->want = 0;
    put_all(poor);
    put_all(rich);
    copy_buffers_unref();
}

static void test_apart(void)
{
    static const int64_t sizes[] = {
        1, 4096, 65536, 65537, 300 * KiB, MiB, MiB + 1, 3 * MiB,
    };
    Taker *t[ARRAY_SIZE(sizes)];
    int i, j, k;

    copy_buffers_ref();
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        t[i] = taker_new(sizes[i]);
    }
    for (j = 1; j <= 3; j++) {
        for (i = 0; i < ARRAY_SIZE(sizes); i++) {
            take(t[i], j);
            memset(t[i]->bufs[j - 1], i * 16 + j, sizes[i]);
        }
        /* Holes of all sizes, for the next round to fill */
        if (j == 2) {
            for (i = 0; i < ARRAY_SIZE(sizes); i++) {
                put_one(t[i]);
            }
            for (i = ARRAY_SIZE(sizes) - 1; i >= 0; i--) {
                take(t[i], 2);
                memset(t[i]->bufs[1], i * 16 + 2, sizes[i]);
            }
        }
    }
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (j = 0; j < 3; j++) {
            for (k = 0; k < sizes[i]; k++) {
                g_assert_cmphex((uint8_t)t[i]->bufs[j][k], ==, i * 16 + j + 1);
            }
        }
        put_all(t[i]);
        g_free(t[i]);
    }
    copy_buffers_unref();
}

/* More than all memory for copies, aligned to more than a huge page */
static void coroutine_fn large_entry(void *opaque)
{
    CopyBufferUser user = { 0 };
    char *buf = copy_buffer_get(&user, 4 * MiB, 200 * MiB);

    g_assert_true(QEMU_PTR_IS_ALIGNED(buf, 4 * MiB));
    buf[200 * MiB - 1] = 1;
    copy_buffer_put(&user, buf, 200 * MiB);
    *(bool *)opaque = true;
}

static void test_large(void)
{
    bool done = false;

    copy_buffers_ref();
    qemu_coroutine_enter(qemu_coroutine_create(large_entry, &done));
    copy_buffers_unref();
    g_assert_true(done);
}

int main(int argc, char **argv)
{
    qemu_init_main_loop(&error_abort);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy-buffers/budget", test_budget);
    g_test_add_func("/copy-buffers/apart", test_apart);
    g_test_add_func("/copy-buffers/large", test_large);
    return g_test_run();
}
