/*
 * SPDX-License-Identifier: MIT
 *
 * Locks of all kinds behind one type, and locks that end with their block.
 */
#include "qemu/osdep.h"
#include "qemu/coroutine.h"
#include "qemu/lockable.h"
#include "qemu/thread.h"

static QemuMutex mutex;
static QemuRecMutex rec;
static QemuSpin spin;
static CoMutex co_mutex;

static bool mutex_is_free(void)
{
    if (qemu_mutex_trylock(&mutex)) {
        return false;
    }
    qemu_mutex_unlock(&mutex);
    return true;
}

static void test_null(void)
{
    QemuMutex *no_mutex = NULL;
    CoMutex *no_co_mutex = NULL;
    QemuSpin *no_spin = NULL;
    QemuLockable *no_lockable = NULL;

    g_assert_null(QEMU_MAKE_LOCKABLE(no_mutex));
    g_assert_null(QEMU_MAKE_LOCKABLE(no_co_mutex));
    g_assert_null(QEMU_MAKE_LOCKABLE(no_spin));
    g_assert_null(QEMU_MAKE_LOCKABLE(no_lockable));
    g_assert_null(QEMU_MAKE_LOCKABLE(NULL));
}

static void test_mutex(void)
{
    QemuLockable *x = QEMU_MAKE_LOCKABLE(&mutex);
    QemuLockable *y = QEMU_MAKE_LOCKABLE(x);

    g_assert_true(x == y);
    g_assert_true(x->object == &mutex);
    qemu_lockable_lock(x);
    g_assert_false(mutex_is_free());
    qemu_lockable_unlock(y);
    g_assert_true(mutex_is_free());
}

static void test_spin(void)
{
    QemuLockable *x = QEMU_MAKE_LOCKABLE(&spin);

    qemu_lockable_lock(x);
    g_assert_true(qemu_spin_locked(&spin));
    g_assert_true(qemu_spin_trylock(&spin));
    qemu_lockable_unlock(x);
    g_assert_false(qemu_spin_locked(&spin));
}

static void test_recursive(void)
{
    QemuLockable *x = QEMU_MAKE_LOCKABLE(&rec);

    qemu_lockable_lock(x);
    qemu_lockable_lock(x);
    qemu_lockable_unlock(x);
    qemu_lockable_unlock(x);
}

static void coroutine_fn co_mutex_fn(void *opaque)
{
    QemuLockable *x = QEMU_MAKE_LOCKABLE(&co_mutex);

    qemu_lockable_lock(x);
    g_assert_cmpint(co_mutex.locked, ==, 1);
    qemu_lockable_unlock(x);
    g_assert_cmpint(co_mutex.locked, ==, 0);
    WITH_QEMU_LOCK_GUARD(&co_mutex) {
        qemu_co_mutex_assert_locked(&co_mutex);
    }
    *(bool *)opaque = true;
}

static void test_co_mutex(void)
{
    bool done = false;

    qemu_coroutine_enter(qemu_coroutine_create(co_mutex_fn, &done));
    g_assert_true(done);
}

static int guarded_return(void)
{
    QEMU_LOCK_GUARD(&mutex);
    if (mutex_is_free()) {
        return 0;
    }
    return 1;
}

static int with_return(void)
{
    WITH_QEMU_LOCK_GUARD(&mutex) {
        return mutex_is_free() ? 0 : 1;
    }
    return 0;
}

static void test_guard(void)
{
    int rounds = 0;

    g_assert_cmpint(guarded_return(), ==, 1);
    g_assert_true(mutex_is_free());
    g_assert_cmpint(with_return(), ==, 1);
    g_assert_true(mutex_is_free());
    WITH_QEMU_LOCK_GUARD(&mutex) {
        rounds++;
        g_assert_false(mutex_is_free());
    }
    g_assert_cmpint(rounds, ==, 1);
    g_assert_true(mutex_is_free());
    WITH_QEMU_LOCK_GUARD(&mutex) {
        break;
    }
    g_assert_true(mutex_is_free());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_mutex_init(&mutex);
    qemu_rec_mutex_init(&rec);
    qemu_spin_init(&spin);
    qemu_co_mutex_init(&co_mutex);
    g_test_add_func("/lockable/null", test_null);
    g_test_add_func("/lockable/mutex", test_mutex);
    g_test_add_func("/lockable/spin", test_spin);
    g_test_add_func("/lockable/recursive", test_recursive);
    g_test_add_func("/lockable/co-mutex", test_co_mutex);
    g_test_add_func("/lockable/guard", test_guard);
    return g_test_run();
}
