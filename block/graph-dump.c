/*
 * SPDX-License-Identifier: MIT
 *
 * The whole graph as a QAPI object: backends, jobs, nodes and edges, for
 * x-debug-query-block-graph.
 *
 * It belongs to the QMP glue: it looks down on the core, backends and jobs.
 * Numbers are given in the order in which objects are met, so the same graph
 * has the same numbers every time.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "sysemu/block-backend.h"

typedef struct GraphDump {
    XDbgBlockGraph *graph;
    GHashTable *ids;            /* object -> number, from 1 */
} GraphDump;

static uint64_t dump_id(GraphDump *d, void *object)
{
    uintptr_t id = (uintptr_t)g_hash_table_lookup(d->ids, object);

    if (!id) {
        id = g_hash_table_size(d->ids) + 1;
        g_hash_table_insert(d->ids, object, (void *)id);
    }
    return id;
}

static void dump_node(GraphDump *d, void *object, XDbgBlockGraphNodeType type,
                      const char *name)
{
    XDbgBlockGraphNode *n = g_new0(XDbgBlockGraphNode, 1);

    n->id = dump_id(d, object);
    n->type = type;
    n->name = g_strdup(name);
    QAPI_LIST_PREPEND(d->graph->nodes, n);
}

static BlockPermissionList *dump_perm(uint64_t perm)
{
    BlockPermissionList *list = NULL;
    int i;

    for (i = 0; i < BLOCK_PERMISSION__MAX; i++) {
        if (perm & bdrv_qapi_perm_to_blk_perm(i)) {
            QAPI_LIST_PREPEND(list, i);
        }
    }
    return list;
}

static void dump_edge(GraphDump *d, void *parent, const BdrvChild *c)
{
    XDbgBlockGraphEdge *e = g_new0(XDbgBlockGraphEdge, 1);

    e->parent = dump_id(d, parent);
    e->child = dump_id(d, c->bs);
    e->name = g_strdup(c->name);
    e->perm = dump_perm(c->perm);
    e->shared_perm = dump_perm(c->shared_perm);
    QAPI_LIST_PREPEND(d->graph->edges, e);
}

static void dump_backends(GraphDump *d)
{
    BlockBackend *blk = NULL;

    while ((blk = blk_all_next(blk))) {
        g_autofree char *name = g_strdup(blk_name(blk));

        if (!*name) {
            g_free(name);
            name = blk_get_attached_dev_id(blk);
        }
        /* Not those of jobs without a node. */
        if (*name || blk_root(blk)) {
            dump_node(d, blk, X_DBG_BLOCK_GRAPH_NODE_TYPE_BLOCK_BACKEND, name);
        }
        if (blk_root(blk)) {
            dump_edge(d, blk, blk_root(blk));
        }
    }
}

static void dump_jobs(GraphDump *d)
{
    BlockJob *job = NULL;
    GSList *l;

    while ((job = block_job_next(job))) {
        if (block_job_is_internal(job) || job->driver->job_commands_only) {
            continue;
        }
        dump_node(d, job, X_DBG_BLOCK_GRAPH_NODE_TYPE_BLOCK_JOB, job->id);
        for (l = job->nodes; l; l = l->next) {
            dump_edge(d, job, l->data);
        }
    }
}

static void dump_block_nodes(GraphDump *d)
{
    BlockDriverState *bs = NULL;
    BdrvChild *c;

    while ((bs = bdrv_next_node(bs))) {
        dump_node(d, bs, X_DBG_BLOCK_GRAPH_NODE_TYPE_BLOCK_DRIVER,
                  bs->node_name);
        QLIST_FOREACH(c, &bs->children, next) {
            dump_edge(d, bs, c);
        }
    }
}

XDbgBlockGraph *bdrv_get_xdbg_block_graph(Error **errp)
{
    GraphDump d = {
        .graph = g_new0(XDbgBlockGraph, 1),
        .ids = g_hash_table_new(NULL, NULL),
    };

    dump_backends(&d);
    dump_jobs(&d);
    dump_block_nodes(&d);
    g_hash_table_unref(d.ids);
    return d.graph;
}
