/*
 * SPDX-License-Identifier: MIT
 *
 * One type for all kinds of locks, and locks that are released by leaving a
 * block.
 */
#ifndef QEMU_LOCKABLE_H
#define QEMU_LOCKABLE_H

#include "qemu/coroutine.h"
#include "qemu/thread.h"

typedef void QemuLockUnlockFunc(void *);

struct QemuLockable {
    void *object;
    QemuLockUnlockFunc *lock;
    QemuLockUnlockFunc *unlock;
};

#define QEMU_LOCKABLE_FUNCS_(type, prefix)                      \
    static inline void prefix##_lockable_lock(void *lock)       \
    {                                                           \
        prefix##_lock((type *)lock);                            \
    }                                                           \
    static inline void prefix##_lockable_unlock(void *lock)     \
    {                                                           \
        prefix##_unlock((type *)lock);                          \
    }

QEMU_LOCKABLE_FUNCS_(QemuMutex, qemu_mutex)
QEMU_LOCKABLE_FUNCS_(QemuRecMutex, qemu_rec_mutex)
QEMU_LOCKABLE_FUNCS_(QemuSpin, qemu_spin)
QEMU_LOCKABLE_FUNCS_(CoMutex, qemu_co_mutex)

static inline QemuLockable *qemu_lockable_or_null(void *object,
                                                  QemuLockable *lockable)
{
    return object ? lockable : NULL;
}

/* Of a void pointer only NULL is a lock: "no lock". */
static inline QemuLockable *qemu_lockable_null_only(void *object)
{
    assert(!object);
    return NULL;
}

#define QEMU_LOCKABLE_OF_(x, prefix)                            \
    qemu_lockable_or_null((void *)(x), &(QemuLockable) {        \
        .object = (void *)(x),                                  \
        .lock = prefix##_lockable_lock,                         \
        .unlock = prefix##_lockable_unlock,                     \
    })

/*
 * Wraps a QemuMutex *, QemuRecMutex *, CoMutex *, QemuSpin * or
 * QemuLockable * as a QemuLockable *, which lives as long as the enclosing
 * block.  NULL gives NULL.  Other types do not compile.  @x is evaluated more
 * than once.
 */
#define QEMU_MAKE_LOCKABLE(x)                                   \
    _Generic((x),                                               \
             QemuLockable *: (x),                               \
             QemuMutex *: QEMU_LOCKABLE_OF_(x, qemu_mutex),     \
             QemuRecMutex *:                                    \
                 QEMU_LOCKABLE_OF_(x, qemu_rec_mutex),          \
             CoMutex *: QEMU_LOCKABLE_OF_(x, qemu_co_mutex),    \
             QemuSpin *: QEMU_LOCKABLE_OF_(x, qemu_spin),       \
             void *: qemu_lockable_null_only((void *)(x)))

static inline void qemu_lockable_lock(QemuLockable *x)
{
    x->lock(x->object);
}

static inline void qemu_lockable_unlock(QemuLockable *x)
{
    x->unlock(x->object);
}

static inline QemuLockable *qemu_lockable_auto_lock(QemuLockable *x)
{
    qemu_lockable_lock(x);
    return x;
}

static inline void qemu_lockable_auto_unlock(QemuLockable *x)
{
    if (x) {
        qemu_lockable_unlock(x);
    }
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuLockable, qemu_lockable_auto_unlock)

#define QEMU_LOCK_GUARD_NAME2_(n) qemu_lock_guard_##n
#define QEMU_LOCK_GUARD_NAME_(n) QEMU_LOCK_GUARD_NAME2_(n)

/* Takes the lock @x and releases it at the end of the enclosing block. */
#define QEMU_LOCK_GUARD(x)                                              \
    g_autoptr(QemuLockable)                                             \
    QEMU_LOCK_GUARD_NAME_(__COUNTER__) G_GNUC_UNUSED =                  \
        qemu_lockable_auto_lock(QEMU_MAKE_LOCKABLE((x)))

#define QEMU_WITH_LOCK_GUARD_(x, var)                                   \
    for (g_autoptr(QemuLockable) var =                                  \
             qemu_lockable_auto_lock(QEMU_MAKE_LOCKABLE((x)));          \
         var;                                                           \
         qemu_lockable_auto_unlock(var), var = NULL)

/*
 * Holds the lock @x during the statement or block that follows; return and
 * goto out of it release the lock as well.
 */
#define WITH_QEMU_LOCK_GUARD(x) \
    QEMU_WITH_LOCK_GUARD_((x), QEMU_LOCK_GUARD_NAME_(__COUNTER__))

#endif /* QEMU_LOCKABLE_H */
