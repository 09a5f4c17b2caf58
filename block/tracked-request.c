/*
 * SPDX-License-Identifier: MIT
 *
 * Requests in flight on a node, and making those that overlap wait for each
 * other where it matters: read-modify-write cycles, copy on read, truncation.
 *
 * All requests of a node run in its AioContext; the lists need no lock.
 *
 * Invariants
 *   1. A request is in bs->tracked_requests from begin to end.
 *   2. serialising_in_flight is the number of serialising ones.
 *   3. waiting_for leads to a request in the list, and never back: nobody
 *      waits for a request that waits for him.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/io-internal.h"
#include "qemu/timer.h"

void bdrv_tracked_request_begin(BdrvTrackedRequest *req, BlockDriverState *bs,
                                int64_t offset, int64_t bytes,
                                enum BdrvTrackedRequestType type)
{
    *req = (BdrvTrackedRequest) {
        .bs = bs,
        .offset = offset,
        .bytes = bytes,
        .type = type,
        .overlap_offset = offset,
        .overlap_bytes = bytes,
        .start_ns = get_clock_coarse(),
        .co = qemu_coroutine_self(),
    };
    qemu_co_queue_init(&req->wait_queue);
    QLIST_INSERT_HEAD(&bs->tracked_requests, req, list);
}

void coroutine_fn bdrv_tracked_request_end(BdrvTrackedRequest *req)
{
    if (req->serialising) {
        atomic_dec(&req->bs->serialising_in_flight);
    }
    QLIST_REMOVE(req, list);
    if (!qemu_co_queue_empty(&req->wait_queue)) {
        BdrvTrackedRequest *other;

        QLIST_FOREACH(other, &req->bs->tracked_requests, list) {
            if (other->waiting_for == req) {
                other->waiting_for = NULL;
            }
        }
        qemu_co_queue_restart_all(&req->wait_queue);
    }
}

/* Are the two not allowed to run at the same time? */
static bool in_conflict(const BdrvTrackedRequest *a,
                        const BdrvTrackedRequest *b)
{
    return a != b && (a->serialising || b->serialising) &&
           a->overlap_offset < b->overlap_offset + b->overlap_bytes &&
           b->overlap_offset < a->overlap_offset + a->overlap_bytes;
}

static bool waits_for(const BdrvTrackedRequest *req,
                      const BdrvTrackedRequest *other)
{
    while (req && req != other) {
        req = req->waiting_for;
    }
    return req;
}

/* A request that @self has to wait for, or NULL.  One that waits for @self
 * looks again before it goes on.  To others that wait themselves @self gives
 * way, or they could wait forever. */
static BdrvTrackedRequest *find_obstacle(const BdrvTrackedRequest *self)
{
    BdrvTrackedRequest *req;

    QLIST_FOREACH(req, &self->bs->tracked_requests, list) {
        if (in_conflict(self, req) && !waits_for(req, self)) {
            /* This coroutine would wait for itself, forever. */
            assert(req->co != qemu_coroutine_self());
            return req;
        }
    }
    return NULL;
}

bool coroutine_fn bdrv_wait_serialising_requests(BdrvTrackedRequest *self)
{
    bool waited = false;

    if (likely(!atomic_read(&self->bs->serialising_in_flight))) {
        return false;
    }
    while ((self->waiting_for = find_obstacle(self))) {
        qemu_co_queue_wait(&self->waiting_for->wait_queue, NULL);
        waited = true;
    }
    return waited;
}

/* Does not wait yet. */
static void set_serialising(BdrvTrackedRequest *req, uint64_t align)
{
    int64_t end = MAX(req->overlap_offset + req->overlap_bytes,
                      QEMU_ALIGN_UP(req->offset + req->bytes, align));

    if (!req->serialising) {
        atomic_inc(&req->bs->serialising_in_flight);
        req->serialising = true;
    }
    req->overlap_offset = MIN(req->overlap_offset,
                              QEMU_ALIGN_DOWN(req->offset, align));
    req->overlap_bytes = end - req->overlap_offset;
}

void coroutine_fn bdrv_make_request_serialising(BdrvTrackedRequest *req,
                                                uint64_t align)
{
    set_serialising(req, align);
    bdrv_wait_serialising_requests(req);
}

bool bdrv_try_make_request_serialising(BdrvTrackedRequest *req,
                                       uint64_t align)
{
    bool was_serialising = req->serialising;
    int64_t offset = req->overlap_offset, bytes = req->overlap_bytes;
    BdrvTrackedRequest *other;

    set_serialising(req, align);
    /* Those that wait are in the way as well: they came first. */
    QLIST_FOREACH(other, &req->bs->tracked_requests, list) {
        if (in_conflict(req, other)) {
            req->overlap_offset = offset;
            req->overlap_bytes = bytes;
            if (!was_serialising) {
                req->serialising = false;
                atomic_dec(&req->bs->serialising_in_flight);
            }
            return false;
        }
    }
    return true;
}

BdrvTrackedRequest *coroutine_fn bdrv_co_get_self_request(BlockDriverState *bs)
{
    Coroutine *self = qemu_coroutine_self();
    BdrvTrackedRequest *req;

    QLIST_FOREACH(req, &bs->tracked_requests, list) {
        if (req->co == self) {
            break;
        }
    }
    return req;
}

void coroutine_fn bdrv_co_serialise_self(BlockDriverState *bs)
{
    BdrvTrackedRequest *self = bdrv_co_get_self_request(bs);

    if (self) {
        bdrv_make_request_serialising(self, bs->bl.request_alignment);
    }
}
