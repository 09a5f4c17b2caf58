/*
 * SPDX-License-Identifier: MIT
 *
 * Op blockers: kinds of operations that somebody forbids on a node, each with
 * a reason for the user.
 *
 * Invariant: a blocker stands in the list once for each bdrv_op_block() that
 * has not been undone; the newest comes first, and is the one that is told.
 * Reasons belong to those who block.  Main thread.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"

typedef struct BdrvOpBlocker BdrvOpBlocker;

struct BdrvOpBlocker {
    BlockOpType op;
    Error *reason;
    BdrvOpBlocker *next;
};

bool bdrv_op_is_blocked(BlockDriverState *bs, BlockOpType op, Error **errp)
{
    BdrvOpBlocker *b;

    assert((int)op >= 0 && op < BLOCK_OP_TYPE_MAX);
    for (b = bs->op_blockers; b; b = b->next) {
        if (b->op == op) {
            error_propagate_prepend(errp, error_copy(b->reason),
                                    "Node '%s' is busy: ",
                                    bdrv_get_device_or_node_name(bs));
            return true;
        }
    }
    return false;
}

void bdrv_op_block(BlockDriverState *bs, BlockOpType op, Error *reason)
{
    BdrvOpBlocker *b = g_new0(BdrvOpBlocker, 1);

    assert((int)op >= 0 && op < BLOCK_OP_TYPE_MAX);
    b->op = op;
    b->reason = reason;
    b->next = bs->op_blockers;
    bs->op_blockers = b;
}

void bdrv_op_unblock(BlockDriverState *bs, BlockOpType op, Error *reason)
{
    BdrvOpBlocker **link = &bs->op_blockers;

    assert((int)op >= 0 && op < BLOCK_OP_TYPE_MAX);
    while (*link) {
        BdrvOpBlocker *b = *link;

        if (b->op == op && b->reason == reason) {
            *link = b->next;
            g_free(b);
        } else {
            link = &b->next;
        }
    }
}

void bdrv_op_block_all(BlockDriverState *bs, Error *reason)
{
    int op;

    for (op = 0; op < BLOCK_OP_TYPE_MAX; op++) {
        bdrv_op_block(bs, op, reason);
    }
}

void bdrv_op_unblock_all(BlockDriverState *bs, Error *reason)
{
    int op;

    for (op = 0; op < BLOCK_OP_TYPE_MAX; op++) {
        bdrv_op_unblock(bs, op, reason);
    }
}

bool bdrv_op_blocker_is_empty(BlockDriverState *bs)
{
    return !bs->op_blockers;
}
