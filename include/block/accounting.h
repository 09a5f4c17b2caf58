/*
 * SPDX-License-Identifier: MIT
 *
 * Statistics of a BlockBackend: operations, bytes, time, failures.  Any
 * thread; a lock inside.
 */
#ifndef BLOCK_ACCOUNTING_H
#define BLOCK_ACCOUNTING_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timed-average.h"
#include "qapi/qapi-builtin-types.h"
#include "qapi/qapi-types-common.h"

enum BlockAcctType {
    BLOCK_ACCT_NONE = 0,
    BLOCK_ACCT_READ,
    BLOCK_ACCT_WRITE,
    BLOCK_ACCT_FLUSH,
    BLOCK_ACCT_UNMAP,
    BLOCK_MAX_IOTYPE,
};

/* One request, from block_acct_start() to _done() or _failed(). */
typedef struct BlockAcctCookie {
    int64_t bytes;
    int64_t start_time_ns;
    enum BlockAcctType type;
} BlockAcctCookie;

/* How many requests took how long.  Bin i counts latencies from
 * boundaries[i - 1] (0 for the first) up to, not including, boundaries[i]. */
typedef struct BlockLatencyHistogram {
    unsigned nbins;             /* 0: none is kept */
    uint64_t *boundaries;       /* nbins - 1, rising, ns */
    uint64_t *bins;
} BlockLatencyHistogram;

/* What requests took over the latest interval of one length. */
typedef struct BlockAcctTimedStats {
    unsigned interval_length;   /* s */
    TimedAverage latency[BLOCK_MAX_IOTYPE];     /* ns */
    QSIMPLEQ_ENTRY(BlockAcctTimedStats) entries;
} BlockAcctTimedStats;

typedef struct BlockAcctStats {
    QemuMutex lock;
    uint64_t nr_bytes[BLOCK_MAX_IOTYPE];
    uint64_t nr_ops[BLOCK_MAX_IOTYPE];
    uint64_t invalid_ops[BLOCK_MAX_IOTYPE];
    uint64_t failed_ops[BLOCK_MAX_IOTYPE];
    uint64_t total_time_ns[BLOCK_MAX_IOTYPE];
    uint64_t merged[BLOCK_MAX_IOTYPE];
    int64_t last_access_time_ns;
    bool account_invalid;
    bool account_failed;
    BlockLatencyHistogram latency[BLOCK_MAX_IOTYPE];
    QSIMPLEQ_HEAD(, BlockAcctTimedStats) intervals;
} BlockAcctStats;

/*
 * Time is measured by @type from now on; before there are any statistics.
 * QEMU_CLOCK_VIRTUAL is for tests: it may stand still while a request runs,
 * and each request counts as 1 ms, as in QEMU 7.2.
 */
void block_acct_set_clock(QEMUClockType type);
void block_acct_init(BlockAcctStats *stats);
void block_acct_setup(BlockAcctStats *stats, bool account_invalid,
                      bool account_failed);
void block_acct_cleanup(BlockAcctStats *stats);
void block_acct_start(BlockAcctStats *stats, BlockAcctCookie *cookie,
                      int64_t bytes, enum BlockAcctType type);
void block_acct_done(BlockAcctStats *stats, BlockAcctCookie *cookie);
void block_acct_failed(BlockAcctStats *stats, BlockAcctCookie *cookie);
void block_acct_invalid(BlockAcctStats *stats, enum BlockAcctType type);
void block_acct_merge_done(BlockAcctStats *stats, enum BlockAcctType type,
                           int num_requests);
/* Can a histogram have these @boundaries: above 0, each above the last? */
bool block_latency_histogram_valid(const uint64List *boundaries);
/* A new histogram of requests of @type from now on; *boundaries must be
 * valid. */
void block_latency_histogram_set(BlockAcctStats *stats, enum BlockAcctType type,
                                 const uint64List *boundaries);
/* Keep none any more. */
void block_latency_histograms_clear(BlockAcctStats *stats);
/* Keep statistics of the latest @interval_length seconds, 1 at least. */
void block_acct_add_interval(BlockAcctStats *stats, unsigned interval_length);
/* How many requests of @type were in flight on average; stats->lock is held. */
double block_acct_queue_depth(BlockAcctTimedStats *timed,
                              enum BlockAcctType type);
int64_t block_acct_idle_time_ns(BlockAcctStats *stats);

#endif
