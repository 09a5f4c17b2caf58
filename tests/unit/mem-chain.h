/*
 * SPDX-License-Identifier: MIT
 *
 * A chain of images in memory for tests of jobs on chains, and a guest above
 * it.
 */
#ifndef MEM_CHAIN_H
#define MEM_CHAIN_H

#include "mem-driver.h"
#include "block/blockjob_int.h"

#define DEPTH 5
#define PART  (MEM_LENGTH / DEPTH / 65536 * 65536)

/* Layer 0 is the active one.  Layer N, a node "lN", has part N, filled with
 * 0x10 + N; nobody has what follows the last part. */
typedef struct Chain {
    BlockDriverState *layer[DEPTH];
    BlockBackend *guest;
} Chain;

void chain_setup(Chain *c);

/* There must be no job any more, and no other nodes. */
void chain_teardown(Chain *c);

/* The guest sees all parts as they were at first. */
void chain_check_content(Chain *c);

/* Run the main loop until there is no such job. */
void wait_job_gone(const char *id);

#endif
