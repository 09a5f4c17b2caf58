/*
 * SPDX-License-Identifier: MIT
 *
 * The object "iothread": a thread that runs an AioContext of its own and, if
 * somebody needs one, a GMainContext along with it.
 *
 * 1. The context exists as long as the object, the thread from completion to
 *    the end of the object.
 * 2. @worker is set once, in the main thread; the thread goes over to it at
 *    its next turn and never back.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "sysemu/event-loop-base.h"
#include "sysemu/iothread.h"

struct IOThread {
    EventLoopBase parent_obj;
    /* Main thread. */
    int64_t poll_max_ns;
    int64_t poll_grow;
    int64_t poll_shrink;
    QemuThread thread;
    bool started;
    /* Under the lock. */
    QemuMutex lock;
    QemuCond cond;
    int thread_id;              /* 0 until the thread runs */
    /* The thread's own. */
    bool stopping;
    /* Atomic. */
    GMainContext *worker;
};

/* ---- The thread ---- */

static void *iothread_run(void *opaque)
{
    IOThread *iothread = opaque;
    AioContext *ctx = iothread->parent_obj.ctx;
    GMainContext *worker = NULL;

    rcu_register_thread();
    qemu_set_current_aio_context(ctx);
    qemu_mutex_lock(&iothread->lock);
    iothread->thread_id = qemu_get_thread_id();
    qemu_cond_signal(&iothread->cond);
    qemu_mutex_unlock(&iothread->lock);

    while (!iothread->stopping) {
        if (!worker) {
            worker = atomic_load_acquire(&iothread->worker);
            if (worker) {
                g_main_context_push_thread_default(worker);
            }
        }
        if (worker) {
            g_main_context_iteration(worker, true);
        } else {
            aio_poll(ctx, true);
        }
    }
    if (worker) {
        g_main_context_pop_thread_default(worker);
    }
    rcu_unregister_thread();
    return NULL;
}

/* Does nothing; that it was scheduled wakes the thread up. */
static void wake_up(void *opaque)
{
}

GMainContext *iothread_get_g_main_context(IOThread *iothread)
{
    if (!iothread->worker) {
        GMainContext *worker = g_main_context_new();
        GSource *source = aio_get_g_source(iothread->parent_obj.ctx);

        g_source_attach(source, worker);
        g_source_unref(source);
        atomic_store_release(&iothread->worker, worker);
        aio_bh_schedule_oneshot(iothread->parent_obj.ctx, wake_up, NULL);
    }
    return iothread->worker;
}

static void stop_running(void *opaque)
{
    IOThread *iothread = opaque;

    iothread->stopping = true;
}

static void iothread_stop(IOThread *iothread)
{
    if (iothread->started) {
        aio_bh_schedule_oneshot(iothread->parent_obj.ctx, stop_running,
                                iothread);
        qemu_thread_join(&iothread->thread);
        iothread->started = false;
    }
}

/* ---- The object ---- */

static bool apply_poll_params(IOThread *iothread, Error **errp)
{
    ERRP_GUARD();

    if (iothread->parent_obj.ctx) {
        aio_context_set_poll_params(iothread->parent_obj.ctx,
                                    iothread->poll_max_ns, iothread->poll_grow,
                                    iothread->poll_shrink, errp);
    }
    return !*errp;
}

static bool set_poll_param(Object *obj, const ObjectProperty *prop,
                           Visitor *v, Error **errp)
{
    return event_loop_visit_int(obj, prop, v, errp) &&
           apply_poll_params((IOThread *)obj, errp);
}

static void iothread_instance_init(Object *obj)
{
    IOThread *iothread = (IOThread *)obj;

    iothread->poll_max_ns = IOTHREAD_POLL_MAX_NS;
    qemu_mutex_init(&iothread->lock);
    qemu_cond_init(&iothread->cond);
}

static bool iothread_start(IOThread *iothread, const char *name, Error **errp)
{
    g_autofree char *thread_name = g_strdup_printf("IO %s", name);

    iothread->parent_obj.ctx = aio_context_new(errp);
    if (!iothread->parent_obj.ctx ||
        !event_loop_base_apply(&iothread->parent_obj, errp) ||
        !apply_poll_params(iothread, errp)) {
        return false;
    }
    qemu_thread_create(&iothread->thread, thread_name, iothread_run, iothread,
                       QEMU_THREAD_JOINABLE);
    iothread->started = true;
    qemu_mutex_lock(&iothread->lock);
    while (!iothread->thread_id) {
        qemu_cond_wait(&iothread->cond, &iothread->lock);
    }
    qemu_mutex_unlock(&iothread->lock);
    return true;
}

static bool iothread_complete(Object *obj, Error **errp)
{
    return iothread_start((IOThread *)obj, obj->id, errp);
}

/* Nodes would be left without anybody who runs their requests. */
static bool iothread_can_be_deleted(Object *obj)
{
    AioContext *ctx = ((IOThread *)obj)->parent_obj.ctx;
    BlockDriverState *bs = NULL;

    while ((bs = bdrv_next_all_states(bs))) {
        if (bdrv_get_aio_context(bs) == ctx) {
            return false;
        }
    }
    return true;
}

static void iothread_finalize(Object *obj)
{
    IOThread *iothread = (IOThread *)obj;
    AioContext *ctx = iothread->parent_obj.ctx;

    iothread_stop(iothread);
    if (iothread->worker) {
        GSource *source = aio_get_g_source(ctx);

        /* In no other context: the thread is the only one that ran it. */
        g_source_destroy(source);
        g_source_unref(source);
        g_main_context_unref(iothread->worker);
    }
    if (ctx) {
        aio_context_unref(ctx);
    }
    qemu_cond_destroy(&iothread->cond);
    qemu_mutex_destroy(&iothread->lock);
}

#define POLL_INT(name_, field_)                                     \
    { .name = name_, .type = "int", .get = event_loop_get_int,      \
      .set = set_poll_param, .offset = offsetof(IOThread, field_) }

static const ObjectProperty iothread_properties[] = {
    POLL_INT("poll-max-ns", poll_max_ns),
    POLL_INT("poll-grow", poll_grow),
    POLL_INT("poll-shrink", poll_shrink),
    { 0 },
};

const TypeInfo iothread_info = {
    .name = TYPE_IOTHREAD,
    .parent = TYPE_EVENT_LOOP_BASE,
    .instance_size = sizeof(IOThread),
    .user_creatable = true,
    .properties = iothread_properties,
    .instance_init = iothread_instance_init,
    .instance_finalize = iothread_finalize,
    .complete = iothread_complete,
    .can_be_deleted = iothread_can_be_deleted,
};

/* ---- For users of threads ---- */

AioContext *iothread_get_aio_context(IOThread *iothread)
{
    return iothread->parent_obj.ctx;
}

char *iothread_get_id(IOThread *iothread)
{
    return g_strdup(((Object *)iothread)->id);
}

IOThread *iothread_by_id(const char *id)
{
    Object *obj = object_get_child(object_get_objects_root(), id);

    return (IOThread *)object_dynamic_cast(obj, TYPE_IOTHREAD);
}

IOThread *iothread_create(const char *name, Error **errp)
{
    Object *obj;

    type_register_static(&event_loop_base_info);
    type_register_static(&iothread_info);
    obj = object_new(object_class_by_name(TYPE_IOTHREAD));
    ((IOThread *)obj)->poll_max_ns = 0;
    if (!iothread_start((IOThread *)obj, name, errp)) {
        object_unref(obj);
        return NULL;
    }
    return (IOThread *)obj;
}

void iothread_destroy(IOThread *iothread)
{
    object_unref((Object *)iothread);
}

void iothread_get_params(IOThread *iothread, IOThreadParams *params)
{
    *params = (IOThreadParams) {
        .thread_id = iothread->thread_id,
        .poll_max_ns = iothread->poll_max_ns,
        .poll_grow = iothread->poll_grow,
        .poll_shrink = iothread->poll_shrink,
        .aio_max_batch = iothread->parent_obj.aio_max_batch,
    };
}
