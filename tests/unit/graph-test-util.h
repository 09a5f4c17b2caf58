/*
 * SPDX-License-Identifier: MIT
 *
 * Block drivers without images, and snapshots of the graph, for tests of the
 * graph.
 */
#ifndef GRAPH_TEST_UTIL_H
#define GRAPH_TEST_UTIL_H

#include "block/block_int.h"

/* A format: 1 MiB of zeroes; takes a backing node. */
extern BlockDriver test_plain;
/* A filter over "file", and one over "backing". */
extern BlockDriver test_filter;
extern BlockDriver test_backing_filter;
/* Like test_plain, but wants its children for itself: reads and writes them,
 * and lets nobody write. */
extern BlockDriver test_exclusive;

/* How often hooks of test_plain's nodes have been called, all together. */
typedef struct TestHookCounts {
    int check_perm;
    int set_perm;
    int abort_perm;
    int detach_ctx;
    int attach_ctx;
    int close;
} TestHookCounts;
extern TestHookCounts test_hooks;
/* If not NULL, check_perm fails for the node of this name. */
extern const char *test_refuse_perm_of;

/* A read-write node of @drv. */
BlockDriverState *test_node(BlockDriver *drv, const char *name);
/* All nodes, edges in their order, permissions and links as text. */
char *test_graph_text(void);
/* @err is set and reads @expected; frees it. */
void test_expect_error(Error **err, const char *expected);
/* No node is left. */
void test_expect_no_nodes(void);

#endif
