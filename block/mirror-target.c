/*
 * SPDX-License-Identifier: MIT
 *
 * What a mirror job writes to.
 *
 * A job that is cancelled by force does not wait for its target: it abandons
 * it.  Requests that the target has taken and does not answer then outlive the
 * job, and with them the backend, which keeps the target in use.
 *
 * Invariant: requests touch the job only while !abandoned, which they check
 * again after each wait.
 */
#include "qemu/osdep.h"
#include "block/mirror-internal.h"

/* A function that sends requests, in a coroutine of its own. */
struct MirrorTargetCall {
    MirrorTarget *target;
    MirrorTargetFunc *func;
    void *arg;
    GDestroyNotify arg_unref;
    int refs;                   /* caller and coroutine */
    int ret;
    bool ended;
    Coroutine *waiter;          /* the caller, if it waits */
    QLIST_ENTRY(MirrorTargetCall) entry;
};

MirrorTarget *mirror_target_new(MirrorJob *job, BlockBackend *blk)
{
    MirrorTarget *t = g_new0(MirrorTarget, 1);

    t->job = job;
    t->blk = blk;
    t->refs = 1;
    QLIST_INIT(&t->calls);
    return t;
}

static void target_unref(MirrorTarget *t)
{
    if (--t->refs == 0) {
        block_copy_state_free(t->copy);
        blk_unref(t->blk);
        g_free(t);
    }
}

static bool target_is_idle(MirrorTarget *t)
{
    return QLIST_EMPTY(&t->calls) && !(t->copy && block_copy_busy(t->copy));
}

/* Main thread: has the last request of an abandoned target ended? */
static void target_release_bh(void *opaque)
{
    MirrorTarget *t = opaque;
    AioContext *ctx = blk_get_aio_context(t->blk);

    aio_context_acquire(ctx);
    if (t->dropped && target_is_idle(t)) {
        t->dropped = false;
        target_unref(t);
    }
    target_unref(t);
    aio_context_release(ctx);
}

void mirror_target_request_done(MirrorTarget *t)
{
    if (t->dropped) {
        t->refs++;
        aio_bh_schedule_oneshot(qemu_get_aio_context(), target_release_bh, t);
    }
}

void mirror_target_drop(MirrorTarget *t)
{
    if (target_is_idle(t)) {
        target_unref(t);
    } else {
        assert(t->abandoned);
        t->dropped = true;
    }
}

static void call_unref(MirrorTargetCall *call)
{
    if (--call->refs == 0) {
        g_free(call);
    }
}

/* At most once per wait. */
static void call_wake(MirrorTargetCall *call)
{
    Coroutine *co = call->waiter;

    call->waiter = NULL;
    if (co) {
        aio_co_wake(co);
    }
}

static void coroutine_fn call_entry(void *opaque)
{
    MirrorTargetCall *call = opaque;

    call->ret = call->func(call->target, call->arg);
    call->ended = true;
    QLIST_REMOVE(call, entry);
    if (call->arg_unref) {
        call->arg_unref(call->arg);
    }
    mirror_target_request_done(call->target);
    call_wake(call);
    call_unref(call);
}

int coroutine_fn mirror_target_call(MirrorTarget *t, MirrorTargetFunc *func,
                                    void *arg, GDestroyNotify arg_unref)
{
    MirrorTargetCall *call;
    int ret;

    if (t->abandoned) {
        if (arg_unref) {
            arg_unref(arg);
        }
        return -ECANCELED;
    }
    call = g_new(MirrorTargetCall, 1);
    *call = (MirrorTargetCall) {
        .target = t,
        .func = func,
        .arg = arg,
        .arg_unref = arg_unref,
        .refs = 2,
    };
    QLIST_INSERT_HEAD(&t->calls, call, entry);
    qemu_coroutine_enter(qemu_coroutine_create(call_entry, call));
    if (!call->ended && !t->abandoned) {
        call->waiter = qemu_coroutine_self();
        qemu_coroutine_yield();
    }
    ret = call->ended ? call->ret : -ECANCELED;
    call_unref(call);
    return ret;
}

static MirrorTargetCall *next_waited_for(MirrorTarget *t)
{
    MirrorTargetCall *call;

    QLIST_FOREACH(call, &t->calls, entry) {
        if (call->waiter) {
            return call;
        }
    }
    return NULL;
}

void mirror_target_abandon(MirrorTarget *t)
{
    MirrorTargetCall *call;

    t->abandoned = true;
    block_copy_abandon(t->copy);
    while ((call = next_waited_for(t))) {
        call_wake(call);
    }
}
