/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img bench: how long do many equal requests take?
 *
 * Invariants
 *   1. At most ->depth requests are in flight, flushes not counted.
 *   2. Unless ->no_drain, nothing else is in flight while a flush is.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qemu/cutils.h"
#include "qemu/iov.h"
#include "qemu/timer.h"

typedef struct Bench {
    ImgOptions o;
    /* The command line */
    int count;
    int depth;
    int flush_interval;         /* 0: never */
    int64_t offset;             /* of the next request */
    int64_t bufsize;
    int64_t step;
    int pattern;
    bool no_drain;
    bool write;

    BlockBackend *blk;
    int64_t length;
    QEMUIOVector qiov;
    int left;                   /* requests that were not sent yet */
    int in_flight;
    int flushes;                /* in flight */
    int since_flush;            /* requests sent since the last one */
} Bench;

static void pump(Bench *b);

static void must_succeed(int ret)
{
    if (ret < 0) {
        error_report("Failed request: %s", strerror(-ret));
        exit(EXIT_FAILURE);
    }
}

static void flush_done(void *opaque, int ret)
{
    Bench *b = opaque;

    must_succeed(ret);
    b->flushes--;
    pump(b);
}

static void request_done(void *opaque, int ret)
{
    Bench *b = opaque;

    must_succeed(ret);
    b->in_flight--;
    pump(b);
}

static void send_request(Bench *b)
{
    int64_t offset = b->offset;

    b->in_flight++;
    b->left--;
    b->since_flush++;
    b->offset += b->step;
    if (b->length > 0) {
        b->offset %= b->length;
    }
    if (b->write) {
        blk_aio_pwritev(b->blk, offset, &b->qiov, 0, request_done, b);
    } else {
        blk_aio_preadv(b->blk, offset, &b->qiov, 0, request_done, b);
    }
}

/* Send what may be sent now. */
static void pump(Bench *b)
{
    for (;;) {
        bool due = b->flush_interval && b->since_flush == b->flush_interval;

        if (due && !b->no_drain && b->in_flight) {
            return;
        }
        if (due) {
            b->since_flush = 0;
            b->flushes++;
            blk_aio_flush(b->blk, flush_done, b);
        }
        if ((b->flushes && !b->no_drain) || !b->left ||
            b->in_flight == b->depth) {
            return;
        }
        send_request(b);
    }
}

static int run_bench(Bench *b)
{
    uint8_t *buf = blk_blockalign(b->blk, MAX(b->bufsize, 1));
    int64_t start;

    memset(buf, b->pattern, b->bufsize);
    qemu_iovec_init_buf(&b->qiov, buf, b->bufsize);
    printf("Sending %d %s requests, %" PRId64 " bytes each, %d in parallel "
           "(starting at offset %" PRId64 ", step size %" PRId64 ")\n",
           b->count, b->write ? "write" : "read", b->bufsize, b->depth,
           b->offset, b->step);
    if (b->flush_interval) {
        printf("Sending flush every %d requests\n", b->flush_interval);
    }
    b->left = b->count;
    start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    pump(b);
    while (b->left || b->in_flight || b->flushes) {
        aio_poll(qemu_get_aio_context(), true);
    }
    printf("Run completed in %3.3f seconds.\n",
           (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start) / 1e9);
    qemu_vfree(buf);
    return 0;
}

/* ---- The command line ---- */

enum { OPT_FLUSH_INTERVAL = 1000, OPT_NO_DRAIN, OPT_PATTERN };

static bool parse_int(const char *what, unsigned long min, unsigned long max,
                      int *value)
{
    unsigned long n;

    if (qemu_strtoul(optarg, NULL, 0, &n) < 0 || n < min || n > max) {
        error_report("Invalid %s specified", what);
        return false;
    }
    *value = n;
    return true;
}

static bool parse_bytes(const char *what, int64_t max, int64_t *value)
{
    *value = img_parse_size_noisily(what, optarg, 0, max);
    return *value >= 0;
}

static bool parse_bench_option(Bench *b, int c, ImgOpen *how)
{
    switch (c) {
    case 'c':
        return parse_int("request count", 0, INT_MAX, &b->count);
    case 'd':
        return parse_int("queue depth", 1, INT_MAX, &b->depth);
    case 'n':
        how->flags |= BDRV_O_NATIVE_AIO;
        return true;
    case 'i':
        if (bdrv_parse_aio(optarg, &how->flags) < 0) {
            error_report("Invalid aio option: %s", optarg);
            return false;
        }
        return true;
    case 'o':
        return parse_bytes("offset", INT64_MAX, &b->offset);
    case 's':
        return parse_bytes("buffer size", INT_MAX, &b->bufsize);
    case 'S':
        return parse_bytes("step_size", INT_MAX, &b->step);
    case 't':
        if (bdrv_parse_cache_mode(optarg, &how->flags,
                                  &how->writethrough) < 0) {
            error_report("Invalid cache mode");
            return false;
        }
        return true;
    case 'w':
        b->write = true;
        how->flags |= BDRV_O_RDWR;
        return true;
    case OPT_PATTERN:
        return parse_int("pattern byte", 0, 0xff, &b->pattern);
    case OPT_FLUSH_INTERVAL:
        return parse_int("flush interval", 0, INT_MAX, &b->flush_interval);
    case OPT_NO_DRAIN:
        b->no_drain = true;
        return true;
    }
    return false;
}

int img_bench(int argc, char **argv)
{
    static const struct option options[] = {
        { "flush-interval", required_argument, NULL, OPT_FLUSH_INTERVAL },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { "pattern", required_argument, NULL, OPT_PATTERN },
        { "no-drain", no_argument, NULL, OPT_NO_DRAIN },
        { NULL }
    };
    Bench b = { .count = 75000, .depth = 64, .bufsize = 4096 };
    ImgOpen how = { NULL };
    int c, ret;

    while ((c = img_getopt(argc, argv, ":c:d:f:ni:o:qs:S:t:wU", options,
                           &b.o)) != -1) {
        if (!parse_bench_option(&b, c, &how)) {
            return 1;
        }
    }
    img_one_name(argc, argv);
    if (!b.write && b.flush_interval) {
        error_report("--flush-interval is only available in write tests");
        return 1;
    }
    if (b.flush_interval && b.flush_interval < b.depth) {
        error_report("Flush interval can't be smaller than depth");
        return 1;
    }
    how.fmt = b.o.fmt;
    how.image_opts = b.o.image_opts;
    how.force_share = b.o.force_share;
    how.quiet = b.o.quiet;
    b.step = b.step ? b.step : b.bufsize;
    b.blk = img_open(&how, argv[optind]);
    if (!b.blk) {
        return 1;
    }
    b.length = blk_getlength(b.blk);
    ret = b.length < 0 ? 1 : run_bench(&b);
    if (b.length < 0) {
        error_report("Could not get size of %s: %s", argv[optind],
                     strerror(-b.length));
    }
    blk_unref(b.blk);
    return ret;
}
