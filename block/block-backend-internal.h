/*
 * SPDX-License-Identifier: MIT
 *
 * The inside of a BlockBackend, for block-backend.c (life, root node,
 * properties) and block-backend-io.c (requests).
 */
#ifndef BLOCK_BACKEND_INTERNAL_H
#define BLOCK_BACKEND_INTERNAL_H

#include "sysemu/block-backend.h"

typedef struct BlkAioNotifier {
    void (*attached_aio_context)(AioContext *new_context, void *opaque);
    void (*detach_aio_context)(void *opaque);
    void *opaque;
    QLIST_ENTRY(BlkAioNotifier) list;
} BlkAioNotifier;

struct BlockBackend {
    /* Main thread only */
    char *name;                 /* NULL: not monitor-owned */
    int refcnt;
    BdrvChild *root;            /* NULL: no medium; changes while drained */
    AioContext *ctx;            /* where requests run without a root */
    QTAILQ_ENTRY(BlockBackend) link;         /* all */
    QTAILQ_ENTRY(BlockBackend) monitor_link; /* those with a name */
    void *dev;
    char *dev_id;
    const BlockDevOps *dev_ops;
    void *dev_opaque;
    BlockBackendRootState root_state;
    uint64_t perm;
    uint64_t shared_perm;
    bool disable_perm;          /* the root is inactive */
    bool force_allow_inactivate;
    bool allow_aio_context_change;
    bool moving;                /* blk_set_aio_context() is at work */
    NotifierList remove_bs_notifiers;
    NotifierList insert_bs_notifiers;
    QLIST_HEAD(, BlkAioNotifier) aio_notifiers;
    BlockdevOnError on_read_error;
    BlockdevOnError on_write_error;
    bool iostatus_enabled;
    BlockDeviceIoStatus iostatus;

    /* Set while there are no requests, read by them */
    BlockBackendPublic public;
    bool enable_write_cache;
    bool allow_write_beyond_eof;
    bool disable_request_queuing;

    /* Under its own lock */
    BlockAcctStats stats;

    /* Atomic */
    unsigned in_flight;
    int quiesce_counter;

    /* Requests that wait for the end of drain; under queue_lock, a leaf */
    QemuMutex queue_lock;
    CoQueue queued_requests;
};

/* Are requests in flight, other than those whose callback is asking? */
bool blk_is_busy(BlockBackend *blk);

#endif
