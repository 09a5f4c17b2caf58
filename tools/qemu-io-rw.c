/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-io: commands that read, write and discard, at once or asynchronously.
 */
#include "qemu/osdep.h"
#include "qemu-io.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"

#define DEFAULT_PATTERN 0xcd

/* A request as its options and arguments describe it. */
typedef struct IORequest {
    const char *name;
    BlockBackend *blk;
    bool is_write;
    bool quiet;             /* -q */
    bool machine;           /* -C */
    bool verbose;           /* -v */
    bool vmstate;           /* -b */
    bool zeroes;            /* -z */
    bool compressed;        /* -c */
    bool invalid;           /* -i */
    bool has_pattern;       /* -P */
    int pattern;
    const char *source;     /* -s FILE of writes */
    int64_t pattern_offset; /* -s and -l of reads */
    int64_t pattern_count;
    bool has_pattern_range;
    BdrvRequestFlags flags;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector qiov;
    uint8_t *buf;           /* of all vectors */
    void *mem;              /* what to free */
    int64_t start_ns;
    BlockAcctCookie acct;
} IORequest;

/* ---- Output ---- */

/* The short form is that of less than a second. */
static void print_time(char *s, size_t size, double t, bool machine)
{
    int h = t / 3600, m = fmod(t / 60, 60);
    double sec = fmod(t, 60);

    if (machine || t >= 1) {
        snprintf(s, size, "%d:%02d:%05.2f", h, m, sec);
    } else {
        snprintf(s, size, "%05.2f sec", sec);
    }
}

static void print_report(IORequest *r, const char *op, int64_t bytes,
                         int64_t total)
{
    double t = (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - r->start_ns) / 1e9;
    g_autofree char *size = qemuio_size_str(total);
    g_autofree char *rate = qemuio_size_str(total / t);
    char when[64];

    print_time(when, sizeof(when), t, r->machine);
    if (r->machine) {
        printf("%" PRId64 ",1,%s,%.3f,%.3f\n", total, when, total / t, 1 / t);
        return;
    }
    printf("%s %" PRId64 "/%" PRId64 " bytes at offset %" PRId64 "\n", op,
           total, bytes, r->offset);
    printf("%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n", size, when, rate,
           1 / t);
}

static void dump(const uint8_t *buf, int64_t offset, int64_t len)
{
    int64_t i;
    int j;

    for (i = 0; i < len; i += 16) {
        printf("%08" PRIx64 ":  ", offset + i);
        for (j = 0; j < 16 && i + j < len; j++) {
            printf("%02x ", buf[i + j]);
        }
        putchar(' ');
        for (j = 0; j < 16 && i + j < len; j++) {
            putchar(g_ascii_isalnum(buf[i + j]) ? buf[i + j] : '.');
        }
        putchar('\n');
    }
}

/* ---- Options ---- */

static int parse_pattern(const char *arg)
{
    char *end;
    long v = strtol(arg, &end, 0);

    if (end == arg || *end || v < 0 || v > 0xff) {
        printf("%s is not a valid pattern byte\n", arg);
        return -EINVAL;
    }
    return v;
}

/* One option; reads and writes share most of them. */
static int parse_option(IORequest *r, int c)
{
    switch (c) {
    case 'b': r->vmstate = true; break;
    case 'c': r->compressed = true; break;
    case 'C': r->machine = true; break;
    case 'f': r->flags |= BDRV_REQ_FUA; break;
    case 'i': r->invalid = true; break;
    case 'n': r->flags |= BDRV_REQ_NO_FALLBACK; break;
    case 'p': break;
    case 'q': r->quiet = true; break;
    case 'u': r->flags |= BDRV_REQ_MAY_UNMAP; break;
    case 'v': r->verbose = true; break;
    case 'z': r->zeroes = true; break;
    case 'P':
        r->has_pattern = true;
        r->pattern = parse_pattern(optarg);
        return MIN(r->pattern, 0);
    case 'l':
        r->has_pattern_range = true;
        r->pattern_count = qemuio_parse_size(optarg);
        return MIN(r->pattern_count, 0);
    case 's':
        if (r->is_write) {
            r->source = optarg;
            break;
        }
        r->has_pattern_range = true;
        r->pattern_offset = qemuio_parse_size(optarg);
        return MIN(r->pattern_offset, 0);
    default:
        return qemuio_usage(r->name);
    }
    return 0;
}

static int parse_options(IORequest *r, int argc, char **argv,
                         const char *options)
{
    int c, ret;

    while ((c = getopt(argc, argv, options)) != -1) {
        ret = parse_option(r, c);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* Do the options go together? */
static int check_write_options(IORequest *r)
{
    if (r->vmstate && r->zeroes) {
        printf("-b and -z cannot be specified at the same time\n");
        return -EINVAL;
    }
    if ((r->vmstate || r->compressed) && (r->flags & BDRV_REQ_FUA)) {
        printf("-f and -b or -c cannot be specified at the same time\n");
        return -EINVAL;
    }
    if ((r->flags & BDRV_REQ_NO_FALLBACK) && !r->zeroes) {
        printf("-n requires -z to be specified\n");
        return -EINVAL;
    }
    if ((r->flags & BDRV_REQ_MAY_UNMAP) && !r->zeroes) {
        printf("-u requires -z to be specified\n");
        return -EINVAL;
    }
    if (r->zeroes + r->has_pattern + !!r->source > 1) {
        printf("Only one of -z, -P, and -s can be specified at the same "
               "time\n");
        return -EINVAL;
    }
    return 0;
}

/* An offset and a length. */
static int parse_range(IORequest *r, int argc, char **argv)
{
    if (argc - optind != 2) {
        return qemuio_usage(r->name);
    }
    r->offset = qemuio_parse_size(argv[optind]);
    if (r->offset < 0) {
        return r->offset;
    }
    r->bytes = qemuio_parse_size(argv[optind + 1]);
    if (r->bytes < 0) {
        return r->bytes;
    }
    if (r->bytes > BDRV_REQUEST_MAX_BYTES &&
        !(r->flags & BDRV_REQ_NO_FALLBACK)) {
        printf("length cannot exceed %" PRIu64 "%s, given %s\n",
               (uint64_t)BDRV_REQUEST_MAX_BYTES,
               r->is_write ? " without -n" : "", argv[optind + 1]);
        return -EINVAL;
    }
    return 0;
}

/* An offset and the lengths of one or more buffers. */
static int parse_vector(IORequest *r, int argc, char **argv)
{
    int i;

    if (argc - optind < 2) {
        return qemuio_usage(r->name);
    }
    r->offset = qemuio_parse_size(argv[optind]);
    if (r->offset < 0) {
        return r->offset;
    }
    for (i = optind + 1; i < argc; i++) {
        int64_t len = qemuio_parse_size(argv[i]);

        if (len < 0) {
            return len;
        }
        if (len > BDRV_REQUEST_MAX_BYTES) {
            printf("Argument '%s' exceeds maximum size %" PRIu64 "\n",
                   argv[i], (uint64_t)BDRV_REQUEST_MAX_BYTES);
            return -EINVAL;
        }
        if (len > BDRV_REQUEST_MAX_BYTES - r->bytes) {
            printf("The total number of bytes exceed the maximum size %"
                   PRIu64 "\n", (uint64_t)BDRV_REQUEST_MAX_BYTES);
            return -EINVAL;
        }
        r->bytes += len;
    }
    return 0;
}

/* Of a request without buffers: no limit to the length. */
static int parse_zeroes(IORequest *r, int argc, char **argv)
{
    if (argc - optind > 2) {
        printf("-z supports only a single length parameter\n");
        return -EINVAL;
    }
    r->offset = qemuio_parse_size(argv[optind]);
    if (r->offset < 0) {
        return r->offset;
    }
    r->bytes = qemuio_parse_size(argv[optind + 1]);
    return MIN(r->bytes, 0);
}

/* ---- Buffers ---- */

/* Fill with what the file begins with, repeated if it is too short. */
static int fill_from_file(IORequest *r)
{
    FILE *f = fopen(r->source, "r");
    int64_t i, len;

    if (!f) {
        fprintf(stderr, "%s: %s\n", r->source, strerror(errno));
        return -errno;
    }
    len = fread(r->buf, 1, r->bytes, f);
    if (ferror(f)) {
        len = -errno;
        fprintf(stderr, "%s: %s\n", r->source, strerror(-len));
    } else if (!len && r->bytes) {
        len = -EINVAL;
        fprintf(stderr, "%s: file is empty\n", r->source);
    }
    fclose(f);
    for (i = len; i > 0 && i < r->bytes; i++) {
        r->buf[i] = r->buf[i - len];
    }
    return MIN(len, 0);
}

static int make_buffer(IORequest *r, int argc, char **argv)
{
    uint8_t *p;
    int i;

    qemu_iovec_init(&r->qiov, argc - optind);
    r->mem = blk_try_blockalign(r->blk, r->bytes + 16);
    if (!r->mem) {
        printf("cannot allocate %" PRId64 " bytes\n", r->bytes);
        return -ENOMEM;
    }
    r->buf = (uint8_t *)r->mem + (qemuio_misalign ? 16 : 0);
    memset(r->buf, r->is_write && r->has_pattern ? r->pattern
           : r->is_write ? DEFAULT_PATTERN : 0xab, r->bytes);
    for (i = optind + 1, p = r->buf; i < argc; i++) {
        int64_t len = qemuio_parse_size(argv[i]);

        qemu_iovec_add(&r->qiov, p, len);
        p += len;
    }
    return r->source ? fill_from_file(r) : 0;
}

static void free_request(IORequest *r)
{
    qemu_iovec_destroy(&r->qiov);
    qemu_vfree(r->mem);
}

/* ---- Results ---- */

/* After a read of the whole range. */
static int check_pattern(IORequest *r)
{
    int64_t i, count = r->pattern_count ? r->pattern_count
                                        : r->bytes - r->pattern_offset;

    if (!r->has_pattern) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (r->buf[r->pattern_offset + i] != r->pattern) {
            printf("Pattern verification failed at offset %" PRId64 ", %"
                   PRId64 " bytes\n", r->offset + r->pattern_offset, count);
            return -EINVAL;
        }
    }
    return 0;
}

static int finish(IORequest *r, int ret)
{
    const char *name = r->name[0] == 'a' ? r->name
                                         : r->is_write ? "write" : "read";
    int check;

    if (ret < 0) {
        printf("%s failed: %s\n", name, strerror(-ret));
        return ret;
    }
    check = r->is_write ? 0 : check_pattern(r);
    if (!r->quiet) {
        if (r->verbose) {
            dump(r->buf, r->offset, r->bytes);
        }
        print_report(r, r->is_write ? "wrote" : "read", r->bytes, r->bytes);
    }
    return check;
}

/* ---- Requests at once ---- */

static void done_cb(void *opaque, int ret)
{
    *(int *)opaque = ret;
}

static int wait_vector(IORequest *r)
{
    int ret = INT_MAX;

    if (r->is_write) {
        blk_aio_pwritev(r->blk, r->offset, &r->qiov, r->flags, done_cb, &ret);
    } else {
        blk_aio_preadv(r->blk, r->offset, &r->qiov, 0, done_cb, &ret);
    }
    AIO_WAIT_WHILE(blk_get_aio_context(r->blk), ret == INT_MAX);
    return ret;
}

static int submit(IORequest *r)
{
    if (r->vmstate) {
        int ret = r->is_write
            ? blk_save_vmstate(r->blk, r->buf, r->offset, r->bytes)
            : blk_load_vmstate(r->blk, r->buf, r->offset, r->bytes);

        return MIN(ret, 0);
    }
    if (r->zeroes) {
        return blk_pwrite_zeroes(r->blk, r->offset, r->bytes, r->flags);
    }
    if (r->compressed) {
        return blk_pwrite_compressed(r->blk, r->offset, r->bytes, r->buf);
    }
    return wait_vector(r);
}

static int rw_common(IORequest *r, int argc, char **argv, const char *options,
                     bool vectored)
{
    int ret = parse_options(r, argc, argv, options);

    if (ret == 0 && r->is_write) {
        ret = check_write_options(r);
    }
    if (ret == 0) {
        ret = vectored ? parse_vector(r, argc, argv)
                       : parse_range(r, argc, argv);
    }
    if (ret < 0) {
        return ret;
    }
    if (!r->is_write && ((!r->has_pattern && r->has_pattern_range) ||
                         r->pattern_offset > r->bytes ||
                         r->pattern_count > r->bytes - r->pattern_offset)) {
        if (!r->has_pattern) {
            return qemuio_usage(r->name);
        }
        printf("pattern verification range exceeds end of read data\n");
        return -EINVAL;
    }
    if (r->vmstate && ((r->offset | r->bytes) & 511)) {
        printf("%" PRId64 " is not a sector-aligned value for '%s'\n",
               r->offset & 511 ? r->offset : r->bytes,
               r->offset & 511 ? "offset" : "count");
        return -EINVAL;
    }
    if (!r->zeroes) {
        ret = make_buffer(r, argc, argv);
    }
    if (ret == 0) {
        r->start_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
        ret = finish(r, submit(r));
    }
    free_request(r);
    return ret;
}

static int read_f(BlockBackend *blk, int argc, char **argv)
{
    IORequest r = { .name = argv[0], .blk = blk };

    r.name = "read";
    return rw_common(&r, argc, argv, "bCl:pP:qs:v", false);
}

static int readv_f(BlockBackend *blk, int argc, char **argv)
{
    IORequest r = { .name = "readv", .blk = blk };

    return rw_common(&r, argc, argv, "CP:qv", true);
}

static int write_f(BlockBackend *blk, int argc, char **argv)
{
    IORequest r = { .name = "write", .blk = blk, .is_write = true };

    return rw_common(&r, argc, argv, "bcCfnpP:qs:uz", false);
}

static int writev_f(BlockBackend *blk, int argc, char **argv)
{
    IORequest r = { .name = "writev", .blk = blk, .is_write = true };

    return rw_common(&r, argc, argv, "CfP:q", true);
}

/* ---- Asynchronous requests ---- */

static void aio_done(void *opaque, int ret)
{
    IORequest *r = opaque;

    if (ret < 0) {
        block_acct_failed(blk_get_stats(r->blk), &r->acct);
    } else {
        block_acct_done(blk_get_stats(r->blk), &r->acct);
    }
    finish(r, ret);
    fflush(stdout);
    free_request(r);
    g_free(r);
}

static int aio_common(BlockBackend *blk, int argc, char **argv,
                      const char *name, bool is_write)
{
    IORequest *r = g_new0(IORequest, 1);
    int ret;

    r->name = name;
    r->blk = blk;
    r->is_write = is_write;
    ret = parse_options(r, argc, argv, is_write ? "CfiP:quz" : "CiP:qv");
    if (ret == 0 && is_write) {
        ret = check_write_options(r);
    }
    if (ret == 0 && r->invalid) {
        printf("injecting invalid %s request\n", is_write ? "write" : "read");
        block_acct_invalid(blk_get_stats(blk), is_write ? BLOCK_ACCT_WRITE
                                                        : BLOCK_ACCT_READ);
        g_free(r);
        return 0;
    }
    if (ret == 0) {
        ret = r->zeroes ? parse_zeroes(r, argc, argv)
                        : parse_vector(r, argc, argv);
    }
    if (ret == 0 && !r->zeroes) {
        ret = make_buffer(r, argc, argv);
    }
    if (ret < 0) {
        free_request(r);
        g_free(r);
        return ret;
    }
    r->start_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    block_acct_start(blk_get_stats(blk), &r->acct, r->bytes,
                     is_write ? BLOCK_ACCT_WRITE : BLOCK_ACCT_READ);
    if (r->zeroes) {
        blk_aio_pwrite_zeroes(blk, r->offset, r->bytes, r->flags, aio_done, r);
    } else if (is_write) {
        blk_aio_pwritev(blk, r->offset, &r->qiov, r->flags, aio_done, r);
    } else {
        blk_aio_preadv(blk, r->offset, &r->qiov, 0, aio_done, r);
    }
    return 0;
}

static int aio_read_f(BlockBackend *blk, int argc, char **argv)
{
    return aio_common(blk, argc, argv, "aio_read", false);
}

static int aio_write_f(BlockBackend *blk, int argc, char **argv)
{
    return aio_common(blk, argc, argv, "aio_write", true);
}

static int aio_flush_f(BlockBackend *blk, int argc, char **argv)
{
    BlockAcctCookie cookie;

    block_acct_start(blk_get_stats(blk), &cookie, 0, BLOCK_ACCT_FLUSH);
    blk_drain_all();
    block_acct_done(blk_get_stats(blk), &cookie);
    return 0;
}

/* ---- Discard ---- */

static int discard_f(BlockBackend *blk, int argc, char **argv)
{
    IORequest r = { .name = "discard", .blk = blk };
    int ret = parse_options(&r, argc, argv, "Cq");

    if (ret == 0) {
        ret = parse_range(&r, argc, argv);
    }
    if (ret < 0) {
        return ret;
    }
    r.start_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    ret = blk_pdiscard(blk, r.offset, r.bytes);
    if (ret < 0) {
        printf("discard failed: %s\n", strerror(-ret));
        return ret;
    }
    if (!r.quiet) {
        print_report(&r, "discard", r.bytes, r.bytes);
    }
    return 0;
}

const QemuIOCommand qemuio_rw_commands[] = {
    { "read", "r", read_f, 2, -1,
      "[-abCqv] [-P pattern [-s off] [-l len]] off len",
      "reads a number of bytes at a specified offset",
      .help = "Reads from the image; data is shown with -v only.\n"
      "  -b  from the VM state instead of the disk\n"
      "  -C  statistics as comma-separated values\n"
      "  -P  check that every byte has this value ...\n"
      "  -s  ... from this offset of the data on\n"
      "  -l  ... for so many bytes\n"
      "  -p  ignored\n"
      "  -q  no statistics\n"
      "  -v  show the data\n"
      "Example: read -v 512 1k" },
    { "readv", NULL, readv_f, 2, -1, "[-Cqv] [-P pattern] off len [len..]",
      "reads a number of bytes at a specified offset",
      .help = "Like read, into one buffer for each length.\n"
      "  -C  statistics as comma-separated values\n"
      "  -P  check that every byte has this value\n"
      "  -q  no statistics\n"
      "  -v  show the data\n"
      "Example: readv -v 512 1k 1k" },
    { "write", "w", write_f, 2, -1,
      "[-bcCfnquz] [-P pattern | -s source_file] off len",
      "writes a number of bytes at a specified offset",
      .help = "Writes to the image: bytes 0xcd, unless told otherwise.\n"
      "  -b  to the VM state instead of the disk\n"
      "  -c  compressed\n"
      "  -C  statistics as comma-separated values\n"
      "  -f  wait until the data is on stable storage\n"
      "  -n  with -z: fail if it would have to write data\n"
      "  -p  ignored\n"
      "  -P  bytes of this value\n"
      "  -q  no statistics\n"
      "  -s  what this file begins with, repeated if it is shorter\n"
      "  -u  with -z: give up the space if possible\n"
      "  -z  zeroes, by a request for zeroes\n"
      "Example: write -P 0xa5 512 1k",
      .perm = BLK_PERM_WRITE },
    { "writev", NULL, writev_f, 2, -1, "[-Cfq] [-P pattern] off len [len..]",
      "writes a number of bytes at a specified offset",
      .help = "Like write, from one buffer for each length.\n"
      "  -C  statistics as comma-separated values\n"
      "  -f  wait until the data is on stable storage\n"
      "  -P  bytes of this value instead of 0xcd\n"
      "  -q  no statistics\n"
      "Example: writev 512 1k 1k",
      .perm = BLK_PERM_WRITE },
    { "aio_read", NULL, aio_read_f, 2, -1,
      "[-Ciqv] [-P pattern] off len [len..]",
      "asynchronously reads a number of bytes",
      .help = "Like readv, but returns before the request is done and succeeds even if\n"
      "the request fails; aio_flush waits for it.\n"
      "  -C  statistics as comma-separated values\n"
      "  -i  only count an invalid request\n"
      "  -P  check that every byte has this value\n"
      "  -q  no statistics\n"
      "  -v  show the data\n"
      "Example: aio_read -v 512 1k 1k" },
    { "aio_write", NULL, aio_write_f, 2, -1,
      "[-Cfiquz] [-P pattern] off len [len..]",
      "asynchronously writes a number of bytes",
      .help = "Like writev, but returns before the request is done and succeeds even if\n"
      "the request fails; aio_flush waits for it.\n"
      "  -C  statistics as comma-separated values\n"
      "  -f  wait until the data is on stable storage\n"
      "  -i  only count an invalid request\n"
      "  -P  bytes of this value instead of 0xcd\n"
      "  -q  no statistics\n"
      "  -u  with -z: give up the space if possible\n"
      "  -z  zeroes, by a request for zeroes\n"
      "Example: aio_write 512 1k 1k",
      .perm = BLK_PERM_WRITE },
    { "aio_flush", NULL, aio_flush_f, 0, 0, NULL,
      "completes all outstanding aio requests" },
    { "discard", "d", discard_f, 2, -1, "[-Cq] off len",
      "discards a number of bytes at a specified offset",
      .help = "Tells the image that the data in the range is not needed any more.\n"
      "  -C  statistics as comma-separated values\n"
      "  -q  no statistics\n"
      "Example: discard 64k 1M",
      .perm = BLK_PERM_WRITE },
    { NULL }
};
