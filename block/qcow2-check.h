/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: counting what refers to host clusters, for the check of an image.
 * All of it with ->lock held.
 */
#ifndef BLOCK_QCOW2_CHECK_H
#define BLOCK_QCOW2_CHECK_H

#include "block/qcow2.h"

/* Clusters whose counts are kept together. */
#define QCOW2_CHECK_PAGE 4096

typedef struct Qcow2Check {
    BlockDriverState *bs;
    BdrvCheckResult *res;       /* what is wrong goes here */
    bool quiet;                 /* don't tell what was told before */
    uint64_t file_clusters;     /* in the file, rounded up */
    unsigned refs_damaged;      /* entries of the refcount table */
    GHashTable *pages;          /* page number to uint32_t[QCOW2_CHECK_PAGE] */
} Qcow2Check;

void qcow2_check_init(Qcow2Check *c, BlockDriverState *bs,
                      BdrvCheckResult *res, bool quiet);
void qcow2_check_clear(Qcow2Check *c);
/* Count all references.  Errors of the image go to ->res; -errno is for those
 * that make going on useless. */
int coroutine_fn qcow2_check_count_all(Qcow2Check *c);
/* One reference to each cluster of the range, wherever it is. */
void qcow2_check_add(Qcow2Check *c, uint64_t offset, uint64_t bytes);
uint64_t qcow2_check_count(Qcow2Check *c, uint64_t cluster);
/* Numbers of all pages with a count in memory or in the image; ascending. */
GArray *qcow2_check_pages(Qcow2Check *c);

#endif
