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
 *   3. Following waiting_for never leads back: nobody waits for a request that
 *      waits itself.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/io-internal.h"

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
        .start_ns = -1,
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
    qemu_co_queue_restart_all(&req->wait_queue);
}

static bool overlaps(const BdrvTrackedRequest *req, int64_t offset,
                     int64_t bytes)
{
    return offset < req->overlap_offset + req->overlap_bytes &&
           req->overlap_offset < offset + bytes;
}

/* The request that @self has to wait for, or NULL. */
static BdrvTrackedRequest *find_conflict(BdrvTrackedRequest *self)
{
    BdrvTrackedRequest *req;

    QLIST_FOREACH(req, &self->bs->tracked_requests, list) {
        if (req == self || (!req->serialising && !self->serialising) ||
            !overlaps(req, self->overlap_offset, self->overlap_bytes)) {
            continue;
        }
        /* A coroutine that waits for itself would wait forever. */
        assert(qemu_coroutine_self() != req->co);
        /* What waits already waits for us, or will look again after us. */
        if (!req->waiting_for) {
            return req;
        }
    }
    return NULL;
}

bool coroutine_fn bdrv_wait_serialising_requests(BdrvTrackedRequest *self)
{
    BdrvTrackedRequest *req;
    bool waited = false;

    if (!atomic_read(&self->bs->serialising_in_flight)) {
        return false;
    }
    while ((req = find_conflict(self))) {
        self->waiting_for = req;
        qemu_co_queue_wait(&req->wait_queue, NULL);
        self->waiting_for = NULL;
        waited = true;
    }
    return waited;
}

void coroutine_fn bdrv_make_request_serialising(BdrvTrackedRequest *req,
                                                uint64_t align)
{
    int64_t start = QEMU_ALIGN_DOWN(req->offset, align);
    int64_t end = QEMU_ALIGN_UP(req->offset + req->bytes, align);

    if (!req->serialising) {
        atomic_inc(&req->bs->serialising_in_flight);
        req->serialising = true;
    }
    start = MIN(start, req->overlap_offset);
    end = MAX(end, req->overlap_offset + req->overlap_bytes);
    req->overlap_offset = start;
    req->overlap_bytes = end - start;
    bdrv_wait_serialising_requests(req);
}

BdrvTrackedRequest *coroutine_fn bdrv_co_get_self_request(BlockDriverState *bs)
{
    BdrvTrackedRequest *req;
    Coroutine *self = qemu_coroutine_self();

    QLIST_FOREACH(req, &bs->tracked_requests, list) {
        if (req->co == self) {
            return req;
        }
    }
    return NULL;
}
