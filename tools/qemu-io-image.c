/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-io: commands on the image as a whole, breakpoints, and others.
 */
#include "qemu/osdep.h"
#include "qemu-io.h"
#include "block/block_int.h"
#include "block/qapi.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"
#include "qemu/timer.h"

static int flush_f(BlockBackend *blk, int argc, char **argv)
{
    return blk_flush(blk);
}

static int truncate_f(BlockBackend *blk, int argc, char **argv)
{
    PreallocMode prealloc = PREALLOC_MODE_OFF;
    Error *err = NULL;
    int64_t offset;
    int c, ret;

    while ((c = getopt(argc, argv, "m:")) != -1) {
        if (c != 'm') {
            return qemuio_usage("truncate");
        }
        prealloc = qapi_enum_parse(&PreallocMode_lookup, optarg, -1, NULL);
        if ((int)prealloc < 0) {
            error_report("Invalid preallocation mode '%s'", optarg);
            return -EINVAL;
        }
    }
    if (optind != argc - 1) {
        return qemuio_usage("truncate");
    }
    offset = qemuio_parse_size(argv[optind]);
    if (offset < 0) {
        return offset;
    }
    ret = blk_truncate(blk, offset, false, prealloc, 0, &err);
    if (ret < 0) {
        error_report_err(err);
    }
    return ret;
}

static int length_f(BlockBackend *blk, int argc, char **argv)
{
    int64_t size = blk_getlength(blk);
    g_autofree char *s = NULL;

    if (size < 0) {
        printf("getlength: %s\n", strerror(-size));
        return size;
    }
    s = qemuio_size_str(size);
    printf("%s\n", s);
    return 0;
}

static int info_f(BlockBackend *blk, int argc, char **argv)
{
    BlockDriverState *bs = blk_bs(blk);
    BlockDriverInfo bdi = { 0 };
    ImageInfoSpecific *specific;
    Error *err = NULL;
    g_autofree char *cluster = NULL, *vmstate = NULL;
    int ret;

    printf("format name: %s\n", bdrv_get_format_name(bs));
    ret = bdrv_get_info(bs, &bdi);
    if (ret < 0) {
        return ret;
    }
    cluster = qemuio_size_str(bdi.cluster_size);
    vmstate = qemuio_size_str(bdi.vm_state_offset);
    printf("cluster size: %s\nvm state offset: %s\n", cluster, vmstate);
    specific = bdrv_get_specific_info(bs, &err);
    if (err) {
        error_report_err(err);
        return -EIO;
    }
    if (specific) {
        bdrv_image_info_specific_dump(specific);
        qapi_free_ImageInfoSpecific(specific);
    }
    return 0;
}

static int alloc_f(BlockBackend *blk, int argc, char **argv)
{
    BlockDriverState *bs = blk_bs(blk);
    int64_t start, offset, count = BDRV_SECTOR_SIZE, done = 0, left, num;
    g_autofree char *s = NULL;
    int ret;

    start = offset = qemuio_parse_size(argv[1]);
    if (offset < 0) {
        return offset;
    }
    if (argc == 3) {
        count = qemuio_parse_size(argv[2]);
        if (count < 0) {
            return count;
        }
    }
    for (left = count; left; left -= num, offset += num) {
        ret = bdrv_is_allocated(bs, offset, left, &num);
        if (ret < 0) {
            printf("is_allocated failed: %s\n", strerror(-ret));
            return ret;
        }
        if (!num) {
            break;      /* the end of the image */
        }
        done += ret ? num : 0;
    }
    count -= left;
    s = qemuio_size_str(start);
    printf("%" PRId64 "/%" PRId64 " bytes allocated at offset %s\n", done,
           count, s);
    return 0;
}

/* The longest range of one kind from @offset on. */
static int same_allocation(BlockDriverState *bs, int64_t offset, int64_t bytes,
                           int64_t *pnum)
{
    int64_t num;
    int first = bdrv_is_allocated(bs, offset, bytes, &num), ret = first;

    if (first < 0) {
        return first;
    }
    *pnum = num;
    while (num && *pnum < bytes) {
        ret = bdrv_is_allocated(bs, offset + *pnum, bytes - *pnum, &num);
        if (ret != first || !num) {
            break;
        }
        *pnum += num;
    }
    return first;
}

static int map_f(BlockBackend *blk, int argc, char **argv)
{
    int64_t offset = 0, num, left = blk_getlength(blk);

    if (left < 0) {
        printf("Failed to query image length: %s\n", strerror(-left));
        return left;
    }
    while (left) {
        int ret = same_allocation(blk_bs(blk), offset, left, &num);
        g_autofree char *size = NULL, *where = NULL;

        if (ret < 0) {
            error_report("Failed to get allocation status: %s",
                         strerror(-ret));
            return ret;
        }
        if (!num) {
            printf("Unexpected end of image\n");
            return -EIO;
        }
        size = qemuio_size_str(num);
        where = qemuio_size_str(offset);
        printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s (0x%"
               PRIx64 ")\n", size, num, ret ? "   " : "not", where, offset);
        offset += num;
        left -= num;
    }
    return 0;
}

/* What the options of "reopen" ask for. */
typedef struct ReopenRequest {
    int flags;
    bool writethrough;
    bool has_rw;
    bool read_only;
    bool has_cache;
    QDict *opts;
} ReopenRequest;

static int parse_reopen_option(ReopenRequest *r, int c)
{
    Error *err = NULL;
    QDict *more;

    switch (c) {
    case 'c':
        r->has_cache = true;
        if (bdrv_parse_cache_mode(optarg, &r->flags, &r->writethrough) < 0) {
            error_report("Invalid cache option: %s", optarg);
            return -EINVAL;
        }
        return 0;
    case 'o':
        more = keyval_parse(optarg, NULL, NULL, &err);
        if (!more) {
            error_report_err(err);
            return -EINVAL;
        }
        qdict_flatten(more);
        qdict_join(r->opts, more, true);
        qobject_unref(more);
        return 0;
    case 'r':
    case 'w':
        if (r->has_rw) {
            error_report("Only one -r/-w option may be given");
            return -EINVAL;
        }
        r->has_rw = true;
        r->read_only = c == 'r';
        return 0;
    default:
        return qemuio_usage("reopen");
    }
}

/* Options of their own say it in one place only. */
static int merge_reopen_options(ReopenRequest *r)
{
    if (r->has_rw) {
        if (qdict_haskey(r->opts, BDRV_OPT_READ_ONLY)) {
            error_report("Cannot set both -r/-w and '" BDRV_OPT_READ_ONLY
                         "'");
            return -EINVAL;
        }
        qdict_put_str(r->opts, BDRV_OPT_READ_ONLY,
                      r->read_only ? "on" : "off");
    }
    if (r->has_cache) {
        if (qdict_haskey(r->opts, BDRV_OPT_CACHE_DIRECT) ||
            qdict_haskey(r->opts, BDRV_OPT_CACHE_NO_FLUSH)) {
            error_report("Cannot set both -c and the cache options");
            return -EINVAL;
        }
        qdict_put_str(r->opts, BDRV_OPT_CACHE_DIRECT,
                      r->flags & BDRV_O_NOCACHE ? "on" : "off");
        qdict_put_str(r->opts, BDRV_OPT_CACHE_NO_FLUSH,
                      r->flags & BDRV_O_NO_FLUSH ? "on" : "off");
    }
    return 0;
}

/* Takes over r->opts. */
static int reopen(BlockBackend *blk, ReopenRequest *r)
{
    uint64_t perm, shared;
    Error *err = NULL;

    if (r->has_rw && r->read_only) {
        blk_get_perm(blk, &perm, &shared);
        blk_set_perm(blk, perm & ~(BLK_PERM_WRITE | BLK_PERM_RESIZE), shared,
                     &error_abort);
    }
    if (r->has_cache) {
        blk_set_enable_write_cache(blk, !r->writethrough);
    }
    if (bdrv_reopen(blk_bs(blk), r->opts, true, &err) < 0) {
        error_report_err(err);
        return -EINVAL;
    }
    return 0;
}

static int reopen_f(BlockBackend *blk, int argc, char **argv)
{
    ReopenRequest r = {
        .flags = blk_bs(blk)->open_flags,
        .writethrough = !blk_enable_write_cache(blk),
        .opts = qdict_new(),
    };
    int c, ret = 0;

    while (ret == 0 && (c = getopt(argc, argv, "c:o:rw")) != -1) {
        ret = parse_reopen_option(&r, c);
    }
    if (ret == 0 && optind != argc) {
        ret = qemuio_usage("reopen");
    }
    if (ret == 0) {
        ret = merge_reopen_options(&r);
    }
    if (ret < 0) {
        qobject_unref(r.opts);
        return ret;
    }
    return reopen(blk, &r);
}

/* ---- Breakpoints ---- */

static int break_f(BlockBackend *blk, int argc, char **argv)
{
    int ret = bdrv_debug_breakpoint(blk_bs(blk), argv[1], argv[2]);

    if (ret < 0) {
        printf("Could not set breakpoint: %s\n", strerror(-ret));
    }
    return ret;
}

static int remove_break_f(BlockBackend *blk, int argc, char **argv)
{
    int ret = bdrv_debug_remove_breakpoint(blk_bs(blk), argv[1]);

    if (ret < 0) {
        printf("Could not remove breakpoint %s: %s\n", argv[1],
               strerror(-ret));
    }
    return ret;
}

static int resume_f(BlockBackend *blk, int argc, char **argv)
{
    int ret = bdrv_debug_resume(blk_bs(blk), argv[1]);

    if (ret < 0) {
        printf("Could not resume request: %s\n", strerror(-ret));
    }
    return ret;
}

static int wait_break_f(BlockBackend *blk, int argc, char **argv)
{
    while (!bdrv_debug_is_suspended(blk_bs(blk), argv[1])) {
        aio_poll(blk_get_aio_context(blk), true);
    }
    return 0;
}

/* ---- Others ---- */

static int abort_f(BlockBackend *blk, int argc, char **argv)
{
    abort();
}

static int sigraise_f(BlockBackend *blk, int argc, char **argv)
{
    int64_t sig = qemuio_parse_size(argv[1]);

    if (sig < 0) {
        return sig;
    }
    if (sig > NSIG) {
        printf("signal argument '%s' is too large to be a valid signal\n",
               argv[1]);
        return -EINVAL;
    }
    /* What was written so far shall be seen. */
    fflush(stdout);
    raise(sig);
    return 0;
}

static void sleep_cb(void *opaque)
{
    *(bool *)opaque = true;
}

static int sleep_f(BlockBackend *blk, int argc, char **argv)
{
    QEMUTimer *timer;
    bool expired = false;
    long ms;
    char *end;

    errno = 0;
    ms = strtol(argv[1], &end, 0);
    if (errno || end == argv[1] || *end || ms < 0) {
        printf("%s is not a valid number\n", argv[1]);
        return -EINVAL;
    }
    timer = timer_new_ns(QEMU_CLOCK_REALTIME, sleep_cb, &expired);
    timer_mod(timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + SCALE_MS * ms);
    while (!expired) {
        main_loop_wait(false);
    }
    timer_free(timer);
    return 0;
}

const QemuIOCommand qemuio_image_commands[] = {
    { "abort", NULL, abort_f, 0, 0, NULL,
      "simulate a program crash using abort(3)", .nofile = true,
      .no_monitor = true },
    { "alloc", NULL, alloc_f, 1, 2, "offset [count]",
      "checks if offset is allocated in the file" },
    { "break", NULL, break_f, 2, 2, "event tag",
      "sets a breakpoint on event and tags the stopped request as tag" },
    { "flush", "f", flush_f, 0, 0, NULL,
      "flush all in-core file state to disk" },
    { "info", "i", info_f, 0, 0, NULL,
      "prints information about the current file" },
    { "length", "l", length_f, 0, 0, NULL,
      "gets the length of the current file" },
    { "map", NULL, map_f, 0, 0, "", "prints the allocated areas of a file" },
    { "remove_break", NULL, remove_break_f, 1, 1, "tag",
      "remove a breakpoint by tag" },
    { "reopen", NULL, reopen_f, 0, -1, "[(-r|-w)] [-c cache] [-o options]",
      "reopens an image with new options",
      .help = "Opens the image anew, with other options.\n"
      "  -c  cache mode\n"
      "  -o  options of the block driver\n"
      "  -r  read-only\n"
      "  -w  read-write\n"
      "Example: reopen -o lazy-refcounts=on" },
    { "resume", NULL, resume_f, 1, 1, "tag",
      "resumes the request tagged as tag" },
    { "sigraise", NULL, sigraise_f, 1, 1, "signal", "raises a signal",
      .help = "Sends the program the signal with this number.\n"
      "Example: sigraise 15",
      .nofile = true, .no_monitor = true },
    { "sleep", NULL, sleep_f, 1, 1, NULL,
      "waits for the given value in milliseconds", .nofile = true },
    { "truncate", "t", truncate_f, 1, 3, "[-m prealloc_mode] off",
      "truncates the current file at the given offset",
      .perm = BLK_PERM_WRITE | BLK_PERM_RESIZE },
    { "wait_break", NULL, wait_break_f, 1, 1, "tag",
      "waits for the suspension of a request" },
    { NULL }
};
