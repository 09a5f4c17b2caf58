/*
 * SPDX-License-Identifier: MIT
 *
 * What the files of the block core's graph side share: block.c and
 * block/{graph,graph-walk,perm,open,reopen,options,filename,...}.c.
 * Everything here belongs to the main thread.
 */
#ifndef BLOCK_GRAPH_INTERNAL_H
#define BLOCK_GRAPH_INTERNAL_H

#include "block/block_int.h"
#include "qapi/qmp/qdict.h"

/* ---- block.c: nodes ---- */

/*
 * Give @bs a name and put it in the list of named nodes; a name is made if
 * @node_name is NULL.  False with @errp if it can't be used.
 */
bool bdrv_assign_node_name(BlockDriverState *bs, const char *node_name,
                           Error **errp);
/* Root node of device @name in *bs (NULL: no medium); false: no device. */
bool bdrv_find_device(const char *name, BlockDriverState **bs);
/* Tell the parents that the medium was loaded or is gone. */
void bdrv_change_media_notify(BlockDriverState *bs, bool load);

/* ---- driver-registry.c ---- */

/* The driver that claims the image most strongly, or NULL. */
BlockDriver *bdrv_probe_all(const uint8_t *buf, int buf_size,
                            const char *filename);

/* ---- graph.c: edges ---- */

/* The parent if it is a node, else NULL. */
static inline BlockDriverState *bdrv_child_parent_bs(const BdrvChild *c)
{
    return c->role->parent_is_bds ? c->opaque : NULL;
}

/*
 * Remove all edges below @bs and hand their references to the caller: the
 * nodes are prepended to @list.  For bdrv_close(): permissions are lost, not
 * refused.
 */
GSList *bdrv_detach_all_children(BlockDriverState *bs, GSList *list);
/* Set a pointer field of a node now, back to its old value on abort. */
void bdrv_tran_set_pointer(void **field, void *value, Transaction *tran);
/* All nodes below @bs, @bs included; g_hash_table_unref(). */
GHashTable *bdrv_collect_subtree(BlockDriverState *bs);

/* ---- perm.c ---- */

/* Set what an edge asks for, back on abort; nothing is checked. */
void bdrv_child_set_perm_tran(BdrvChild *c, uint64_t perm, uint64_t shared,
                              Transaction *tran);
/* Refresh after users went away: it can't be refused. */
void bdrv_refresh_perms_loosened(BlockDriverState *bs);

/* ---- options.c ---- */

/* BDRV_O_* in *flags from the options of a node in @opts. */
void bdrv_flags_from_opts(int *flags, QemuOpts *opts);
/* Options that @options lacks, from @flags. */
void bdrv_options_from_flags(QDict *options, int flags);
/* The detect-zeroes mode of @opts, checked against @flags. */
BlockdevDetectZeroesOptions bdrv_parse_detect_zeroes_opt(QemuOpts *opts,
                                                         int flags,
                                                         Error **errp);
/* The options in a json: file name, flattened; NULL with @errp. */
QDict *bdrv_parse_json_filename(const char *filename, Error **errp);

/* ---- filename.c ---- */

/* bdrv_refresh_filename() for a node whose children are up to date. */
void bdrv_refresh_filename_self(BlockDriverState *bs);

/* ---- open.c, open-backing.c ---- */

/* A node to open: what bdrv_open() was given and from where it inherits. */
typedef struct BdrvOpenRequest {
    const char *filename;       /* or NULL */
    const char *reference;      /* or NULL */
    QDict *options;             /* consumed; may be NULL */
    int flags;
    BlockDriverState *parent;   /* NULL: for a user outside the graph */
    const BdrvChildRole *role;  /* NULL without @parent */
} BdrvOpenRequest;

/*
 * Open a node without its backing chain.  *backing_options gets the options
 * "backing" and "backing.*" that were given (its own reference); NULL if the
 * node was opened before (by reference) or takes no backing node.
 */
BlockDriverState *bdrv_open_layer(const BdrvOpenRequest *req,
                                  QDict **backing_options, Error **errp);
/* Open the whole chain below @bs, which was just opened, level by level;
 * @backing_options is consumed. */
int bdrv_open_backing_chain(BlockDriverState *bs, QDict *backing_options,
                            Error **errp);
/* bdrv_open() for a child of @req->parent. */
BlockDriverState *bdrv_open_request(const BdrvOpenRequest *req, Error **errp);

/* ---- reopen.c ---- */

/* The flags that @bs will have once @q is done; @q may be NULL. */
int bdrv_reopen_flags(BlockReopenQueue *q, BlockDriverState *bs);

/* ---- aio-context.c ---- */

/* The drained sections of @bs keep external handlers of its context from
 * running: that goes to @ctx, or (@hold false) from it. */
void bdrv_aio_context_hold_external(BlockDriverState *bs, AioContext *ctx,
                                    bool hold);

/* Make the two nodes share an AioContext: moves one of them. */
int bdrv_join_aio_contexts(BlockDriverState *parent, BlockDriverState *child,
                           Transaction *tran, Error **errp);

#endif
