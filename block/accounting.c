/*
 * SPDX-License-Identifier: MIT
 *
 * Statistics of a BlockBackend.
 *
 * Invariant: all counters change under stats->lock.
 */
#include "qemu/osdep.h"
#include "block/accounting.h"
#include "qemu/timer.h"

/* Of a request, by a clock that may stand still while it runs. */
#define VIRTUAL_LATENCY_NS SCALE_MS

/* Written before there are any statistics. */
static QEMUClockType acct_clock = QEMU_CLOCK_REALTIME;

void block_acct_set_clock(QEMUClockType type)
{
    acct_clock = type;
}

void block_acct_init(BlockAcctStats *stats)
{
    qemu_mutex_init(&stats->lock);
    QSIMPLEQ_INIT(&stats->intervals);
    stats->account_invalid = true;
    stats->account_failed = true;
}

void block_acct_setup(BlockAcctStats *stats, bool account_invalid,
                      bool account_failed)
{
    stats->account_invalid = account_invalid;
    stats->account_failed = account_failed;
}

void block_acct_cleanup(BlockAcctStats *stats)
{
    BlockAcctTimedStats *timed, *next;

    QSIMPLEQ_FOREACH_SAFE(timed, &stats->intervals, entries, next) {
        g_free(timed);
    }
    block_latency_histograms_clear(stats);
    qemu_mutex_destroy(&stats->lock);
}

/* ---- Latency histograms ---- */

bool block_latency_histogram_valid(const uint64List *boundaries)
{
    uint64_t last = 0;

    for (; boundaries; boundaries = boundaries->next) {
        if (boundaries->value <= last) {
            return false;
        }
        last = boundaries->value;
    }
    return true;
}

static void histogram_free(BlockLatencyHistogram *h)
{
    g_free(h->boundaries);
    g_free(h->bins);
    *h = (BlockLatencyHistogram) { 0 };
}

void block_latency_histogram_set(BlockAcctStats *stats, enum BlockAcctType type,
                                 const uint64List *boundaries)
{
    BlockLatencyHistogram *h = &stats->latency[type];
    const uint64List *l;
    unsigned n = 0;

    qemu_mutex_lock(&stats->lock);
    histogram_free(h);
    for (l = boundaries; l; l = l->next) {
        n++;
    }
    h->nbins = n + 1;
    h->boundaries = g_new(uint64_t, n);
    h->bins = g_new0(uint64_t, h->nbins);
    for (n = 0, l = boundaries; l; l = l->next) {
        h->boundaries[n++] = l->value;
    }
    qemu_mutex_unlock(&stats->lock);
}

void block_latency_histograms_clear(BlockAcctStats *stats)
{
    size_t i;

    qemu_mutex_lock(&stats->lock);
    for (i = 0; i < BLOCK_MAX_IOTYPE; i++) {
        histogram_free(&stats->latency[i]);
    }
    qemu_mutex_unlock(&stats->lock);
}

/* The bin is the number of boundaries that are not above @latency. */
static void histogram_account(BlockLatencyHistogram *h, uint64_t latency)
{
    unsigned low = 0, high = h->nbins - 1;

    if (!h->nbins) {
        return;
    }
    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (h->boundaries[mid] <= latency) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    h->bins[low]++;
}

/* ---- Intervals ---- */

void block_acct_add_interval(BlockAcctStats *stats, unsigned interval_length)
{
    BlockAcctTimedStats *timed = g_new0(BlockAcctTimedStats, 1);
    size_t i;

    assert(interval_length > 0);
    timed->interval_length = interval_length;
    for (i = 0; i < BLOCK_MAX_IOTYPE; i++) {
        timed_average_init(&timed->latency[i], acct_clock,
                           (uint64_t)interval_length *
                           NANOSECONDS_PER_SECOND);
    }
    qemu_mutex_lock(&stats->lock);
    QSIMPLEQ_INSERT_TAIL(&stats->intervals, timed, entries);
    qemu_mutex_unlock(&stats->lock);
}

double block_acct_queue_depth(BlockAcctTimedStats *timed,
                              enum BlockAcctType type)
{
    uint64_t elapsed;
    uint64_t sum = timed_average_sum(&timed->latency[type], &elapsed);

    return (double)sum / elapsed;
}

static void intervals_account(BlockAcctStats *stats, enum BlockAcctType type,
                              uint64_t latency)
{
    BlockAcctTimedStats *timed;

    QSIMPLEQ_FOREACH(timed, &stats->intervals, entries) {
        timed_average_account(&timed->latency[type], latency);
    }
}

/* ---- Requests ---- */

static int64_t acct_now(void)
{
    return qemu_clock_get_ns(acct_clock);
}

void block_acct_start(BlockAcctStats *stats, BlockAcctCookie *cookie,
                      int64_t bytes, enum BlockAcctType type)
{
    assert(type < BLOCK_MAX_IOTYPE);
    *cookie = (BlockAcctCookie) {
        .bytes = bytes,
        .start_time_ns = acct_now(),
        .type = type,
    };
}

static void acct_finish(BlockAcctStats *stats, BlockAcctCookie *cookie,
                        bool failed)
{
    int64_t now = acct_now();
    int64_t latency = acct_clock == QEMU_CLOCK_VIRTUAL
                      ? VIRTUAL_LATENCY_NS : now - cookie->start_time_ns;

    if (cookie->type == BLOCK_ACCT_NONE) {
        return;
    }
    qemu_mutex_lock(&stats->lock);
    if (failed) {
        stats->failed_ops[cookie->type]++;
    } else {
        stats->nr_bytes[cookie->type] += cookie->bytes;
        stats->nr_ops[cookie->type]++;
    }
    histogram_account(&stats->latency[cookie->type], latency);
    if (!failed || stats->account_failed) {
        stats->total_time_ns[cookie->type] += latency;
        intervals_account(stats, cookie->type, latency);
        stats->last_access_time_ns = now;
    }
    qemu_mutex_unlock(&stats->lock);
    cookie->type = BLOCK_ACCT_NONE;
}

void block_acct_done(BlockAcctStats *stats, BlockAcctCookie *cookie)
{
    acct_finish(stats, cookie, false);
}

void block_acct_failed(BlockAcctStats *stats, BlockAcctCookie *cookie)
{
    acct_finish(stats, cookie, true);
}

void block_acct_invalid(BlockAcctStats *stats, enum BlockAcctType type)
{
    assert(type < BLOCK_MAX_IOTYPE);
    qemu_mutex_lock(&stats->lock);
    stats->invalid_ops[type]++;
    if (stats->account_invalid) {
        stats->last_access_time_ns = acct_now();
    }
    qemu_mutex_unlock(&stats->lock);
}

void block_acct_merge_done(BlockAcctStats *stats, enum BlockAcctType type,
                           int num_requests)
{
    assert(type < BLOCK_MAX_IOTYPE);
    qemu_mutex_lock(&stats->lock);
    stats->merged[type] += num_requests;
    qemu_mutex_unlock(&stats->lock);
}

int64_t block_acct_idle_time_ns(BlockAcctStats *stats)
{
    return acct_now() - stats->last_access_time_ns;
}
