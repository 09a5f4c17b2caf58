/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img convert: one or several images, one after the other, become one.
 *
 * Several coroutines take pieces of the sources in ascending order and read
 * them at the same time.  They begin to write in the same order, so that the
 * target is laid out like the source, and do not wait for each other's writes.
 *
 * Invariants
 *   1. ->pos only grows; pieces do not overlap.
 *   2. Piece number n begins to write after piece n - 1 did (unless -W).
 *   3. What is known to be zero, or to come from the target's backing file, is
 *      neither read nor, if the target shows it already, written.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "block/snapshot.h"
#include "qapi/qmp/qdict.h"
#include "qemu/coroutine.h"
#include "qemu/cutils.h"
#include "qemu/ratelimit.h"
#include "qemu/units.h"

#define MAX_COROUTINES      16
#define DEFAULT_COROUTINES  8
#define DATA_CHUNK          (1 * MiB)
#define ZERO_CHUNK          (1 * GiB)
#define DEFAULT_SPARSE      4096
#define MAX_SPARSE          (16 * MiB)

typedef enum PieceKind { PIECE_DATA, PIECE_ZERO, PIECE_BACKING } PieceKind;

typedef struct Source {
    BlockBackend *blk;
    int64_t start;              /* in the target */
    int64_t end;
} Source;

typedef struct Convert {
    /* The command line */
    ImgOptions o;
    const char *out_fmt;
    const char *cache;
    const char *src_cache;
    const char *backing;
    const char *backing_fmt;
    const char *snapshot;
    char *options;
    int64_t sparse;             /* smallest run of zeroes; 0: write them all */
    int64_t rate;
    int ncoroutines;
    bool target_image_opts;
    bool no_create;
    bool target_is_zero;
    bool compressed;
    bool out_of_order;
    bool offload;
    bool salvage;
    bool bitmaps;
    bool skip_broken;
    QDict *secrets;             /* options that open the new image */

    /* What is copied */
    Source *src;
    int nsrc;
    BlockBackend *target;
    int64_t total;
    int64_t chunk;              /* most bytes of a piece with data */
    int64_t unit;               /* zeroes are looked for in such steps */

    /* While it runs */
    CoMutex lock;               /* of the next three */
    int64_t pos;
    int64_t extent_end;
    PieceKind extent_kind;
    uint64_t next_number;       /* of the next piece */
    uint64_t turn;              /* the piece that may begin to write */
    CoQueue turns;
    int64_t done;
    int running;
    int ret;
    RateLimit limit;
} Convert;

typedef struct Piece {
    Source *src;
    int64_t offset;             /* in the target */
    int64_t bytes;
    PieceKind kind;
    uint64_t number;
} Piece;

/* ---- What to copy next ---- */

static Source *source_at(Convert *c, int64_t pos)
{
    Source *src = c->src;

    while (pos >= src->end) {
        src++;
    }
    return src;
}

/* Find out what there is at ->pos. */
static int coroutine_fn find_extent(Convert *c)
{
    Source *src = source_at(c, c->pos);
    BlockDriverState *bs = blk_bs(src->blk), *base = NULL;
    int64_t n;
    int ret;

    if (c->backing) {
        base = bdrv_cow_bs(bdrv_skip_filters(bs));
    }
    ret = bdrv_co_block_status_above(bs, base, c->pos - src->start,
                                     src->end - c->pos, &n, NULL, NULL);
    if (ret < 0) {
        if (!c->salvage) {
            error_report("error while reading block status at offset %" PRIu64
                         ": %s", c->pos, strerror(-ret));
            return ret;
        }
        ret = BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;
        n = MIN(src->end - c->pos, BDRV_SECTOR_SIZE);
    }
    if (n == 0) {
        n = src->end - c->pos;  /* beyond the end: zeroes */
        ret |= BDRV_BLOCK_ZERO;
    }
    c->extent_end = c->pos + n;
    if (c->backing && !(ret & (BDRV_BLOCK_ZERO | BDRV_BLOCK_DATA))) {
        c->extent_kind = PIECE_BACKING;
    } else if ((ret & BDRV_BLOCK_DATA) || !c->sparse) {
        c->extent_kind = ret & BDRV_BLOCK_ZERO && c->sparse ? PIECE_ZERO
                                                            : PIECE_DATA;
    } else {
        c->extent_kind = PIECE_ZERO;
    }
    return 0;
}

/* 1: *p is to be done; 0: nothing is left; or -errno. */
static int coroutine_fn take_piece(Convert *c, Piece *p)
{
    int ret = 0;

    qemu_co_mutex_lock(&c->lock);
    if (c->ret == 0 && c->pos < c->total) {
        if (c->pos >= c->extent_end) {
            ret = find_extent(c);
        }
        if (ret == 0) {
            p->src = source_at(c, c->pos);
            p->offset = c->pos;
            p->kind = c->extent_kind;
            p->bytes = MIN(c->extent_end - c->pos,
                           p->kind == PIECE_DATA ? c->chunk : ZERO_CHUNK);
            if (c->compressed && c->pos + p->bytes < c->total) {
                /* Whole clusters: a mixed one is data. */
                int64_t end = QEMU_ALIGN_DOWN(c->pos + p->bytes, c->chunk);

                if (end <= c->pos) {
                    p->kind = PIECE_DATA;
                    end = c->pos + MIN(c->chunk, c->total - c->pos);
                }
                p->bytes = end - c->pos;
            }
            p->number = c->next_number++;
            c->pos += p->bytes;
            ret = 1;
        }
    }
    qemu_co_mutex_unlock(&c->lock);
    return ret;
}

/* ---- Reading ---- */

/* Sector by sector; what can't be read is zero. */
static void coroutine_fn salvage(BlockBackend *blk, int64_t offset,
                                 int64_t bytes, uint8_t *buf)
{
    int64_t n;

    for (; bytes > 0; offset += n, buf += n, bytes -= n) {
        int ret;

        n = MIN(bytes, (int64_t)BDRV_SECTOR_SIZE);
        ret = blk_co_pread(blk, offset, n, buf, 0);
        if (ret < 0) {
            warn_report("error while reading offset %" PRIu64 ": %s", offset,
                        strerror(-ret));
            memset(buf, 0, n);
        }
    }
}

/* A piece may cross from one source to the next with -c. */
static int coroutine_fn read_piece(Convert *c, Piece *p, uint8_t *buf)
{
    int64_t pos = p->offset, end = p->offset + p->bytes;

    while (pos < end) {
        Source *src = source_at(c, pos);
        int64_t n = MIN(end, src->end) - pos;
        int ret = blk_co_pread(src->blk, pos - src->start, n, buf, 0);

        if (ret < 0 && c->salvage) {
            salvage(src->blk, pos - src->start, n, buf);
        } else if (ret < 0) {
            error_report("error while reading at byte %" PRId64 ": %s", pos,
                         strerror(-ret));
            return ret;
        }
        pos += n;
        buf += n;
    }
    return 0;
}

/* ---- Writing ---- */

static int coroutine_fn write_zeroes(Convert *c, int64_t offset, int64_t bytes)
{
    if (c->target_is_zero && !c->backing) {
        return 0;
    }
    return blk_co_pwrite_zeroes(c->target, offset, bytes,
                                c->sparse ? BDRV_REQ_MAY_UNMAP : 0);
}

/* Bytes of @buf that are zero, or that are not, as *zero says; runs of zeroes
 * that are too short count as data. */
static int64_t next_run(const Convert *c, const uint8_t *buf, int64_t bytes,
                        bool *zero)
{
    int64_t n = MIN(c->unit, bytes), m;

    *zero = buffer_is_zero(buf, n);
    while (n < bytes) {
        m = MIN(c->unit, bytes - n);
        if (buffer_is_zero(buf + n, m) != *zero) {
            break;
        }
        n += m;
    }
    return n;
}

static int coroutine_fn write_data(Convert *c, const Piece *p, uint8_t *buf)
{
    int64_t pos = 0, n;
    int ret = 0;

    if (c->compressed) {
        if (c->sparse && buffer_is_zero(buf, p->bytes)) {
            return write_zeroes(c, p->offset, p->bytes);
        }
        return blk_co_pwrite(c->target, p->offset, p->bytes, buf,
                             BDRV_REQ_WRITE_COMPRESSED);
    }
    if (!c->sparse) {
        return blk_co_pwrite(c->target, p->offset, p->bytes, buf, 0);
    }
    for (; pos < p->bytes && ret >= 0; pos += n) {
        bool zero;

        n = next_run(c, buf + pos, p->bytes - pos, &zero);
        ret = zero ? write_zeroes(c, p->offset + pos, n)
                   : blk_co_pwrite(c->target, p->offset + pos, n, buf + pos,
                                   0);
    }
    return ret;
}

static void coroutine_fn wait_for_turn(Convert *c, uint64_t number)
{
    while (!c->out_of_order && c->turn != number && c->ret == 0) {
        qemu_co_queue_wait(&c->turns, NULL);
    }
}

/* The request of this piece is on its way when the next coroutine runs. */
static void coroutine_fn pass_turn(Convert *c, uint64_t number)
{
    c->turn = number + 1;
    qemu_co_queue_restart_all(&c->turns);
}

static int coroutine_fn copy_offloaded(Convert *c, const Piece *p)
{
    return blk_co_copy_range(p->src->blk, p->offset - p->src->start,
                             c->target, p->offset, p->bytes, 0, 0);
}

static int coroutine_fn do_piece(Convert *c, Piece *p, uint8_t *buf)
{
    bool offloaded = false;
    int ret = 0;

    if (p->kind == PIECE_DATA && c->offload) {
        offloaded = copy_offloaded(c, p) >= 0;
        if (!offloaded) {
            c->offload = false; /* not possible here: the usual way */
        }
    }
    if (p->kind == PIECE_DATA && !offloaded) {
        ret = read_piece(c, p, buf);
    }
    wait_for_turn(c, p->number);
    pass_turn(c, p->number);
    if (ret < 0 || c->ret < 0 || offloaded || p->kind == PIECE_BACKING) {
        return ret;
    }
    ret = p->kind == PIECE_ZERO ? write_zeroes(c, p->offset, p->bytes)
                                : write_data(c, p, buf);
    if (ret < 0) {
        error_report("error while writing at byte %" PRId64 ": %s", p->offset,
                     strerror(-ret));
    }
    return ret;
}

static void coroutine_fn convert_entry(void *opaque)
{
    Convert *c = opaque;
    uint8_t *buf = blk_blockalign(c->target, c->chunk);
    Piece p;
    int ret;

    while ((ret = take_piece(c, &p)) > 0) {
        ret = do_piece(c, &p, buf);
        if (ret < 0) {
            break;
        }
        c->done += p.bytes;
        img_progress(&c->o, c->done, c->total);
        if (c->rate && p.kind == PIECE_DATA) {
            int64_t delay = ratelimit_calculate_delay(&c->limit, p.bytes);

            if (delay) {
                qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, delay);
            }
        }
    }
    if (ret < 0 && c->ret == 0) {
        c->ret = ret;
    }
    qemu_co_queue_restart_all(&c->turns);
    qemu_vfree(buf);
    c->running--;
}

static int convert_data(Convert *c)
{
    BlockDriverInfo bdi;
    int i;

    c->chunk = DATA_CHUNK;
    c->unit = MAX(c->sparse, (int64_t)blk_get_request_alignment(c->target));
    if (c->compressed) {
        if (bdrv_get_info(blk_bs(c->target), &bdi) < 0 || !bdi.cluster_size) {
            error_report("could not get block driver info");
            return -ENOTSUP;
        }
        c->chunk = bdi.cluster_size;
    }
    if (c->rate) {
        ratelimit_set_speed(&c->limit, c->rate, 100000000);
    }
    qemu_co_mutex_init(&c->lock);
    qemu_co_queue_init(&c->turns);
    img_progress(&c->o, 0, c->total);
    c->running = c->ncoroutines;
    for (i = 0; i < c->ncoroutines; i++) {
        qemu_coroutine_enter(qemu_coroutine_create(convert_entry, c));
    }
    while (c->running) {
        aio_poll(qemu_get_aio_context(), true);
    }
    if (c->ret == 0 && c->compressed) {
        c->ret = blk_flush(c->target);
        if (c->ret < 0) {
            error_report("error while flushing the target: %s",
                         strerror(-c->ret));
        }
    }
    return c->ret;
}

/* ---- Sources ---- */

static bool open_sources(Convert *c, char **names)
{
    ImgOpen how = {
        .fmt = c->o.fmt,
        .image_opts = c->o.image_opts,
        .force_share = c->o.force_share,
        .quiet = c->o.quiet,
        .flags = BDRV_O_NO_SHARE,       /* nor may it be the target */
    };
    int i;

    if (!img_parse_cache(c->src_cache, "source cache", &how.flags,
                         &how.writethrough)) {
        return false;
    }
    c->src = g_new0(Source, c->nsrc);
    for (i = 0; i < c->nsrc; i++) {
        Source *s = &c->src[i];
        int64_t length;

        s->blk = img_open(&how, names[i]);
        if (!s->blk) {
            return false;
        }
        if (c->snapshot && !img_load_snapshot(blk_bs(s->blk), c->snapshot)) {
            return false;
        }
        length = blk_getlength(s->blk);
        if (length < 0) {
            error_report("Could not get size of %s: %s", names[i],
                         strerror(-length));
            return false;
        }
        s->start = c->total;
        c->total += length;
        s->end = c->total;
    }
    return !c->bitmaps ||
           img_can_copy_bitmaps(blk_bs(c->src[0].blk), c->skip_broken);
}

/* ---- The target ---- */

static QemuOpts *target_options(Convert *c, BlockDriver *drv,
                                BlockDriver *proto, QemuOptsList **list)
{
    Error *err = NULL;
    QemuOpts *opts;

    *list = qemu_opts_append(NULL, drv->create_opts);
    *list = qemu_opts_append(*list, proto->create_opts);
    opts = qemu_opts_create(*list, NULL, 0, &error_abort);
    if (c->options && !qemu_opts_do_parse(opts, c->options, NULL, &err)) {
        error_report_err(err);
        goto fail;
    }
    if (!qemu_opt_get(opts, BLOCK_OPT_SIZE)) {
        qemu_opt_set_number(opts, BLOCK_OPT_SIZE, c->total, &error_abort);
    }
    if (c->backing && !qemu_opt_set(opts, BLOCK_OPT_BACKING_FILE, c->backing,
                                    NULL)) {
        error_report("Backing file not supported for file format '%s'",
                     c->out_fmt);
        goto fail;
    }
    if (c->backing_fmt && !qemu_opt_set(opts, BLOCK_OPT_BACKING_FMT,
                                        c->backing_fmt, NULL)) {
        error_report("Backing file format not supported for file format '%s'",
                     c->out_fmt);
        goto fail;
    }
    c->backing = qemu_opt_get(opts, BLOCK_OPT_BACKING_FILE);
    if (c->backing && !qemu_opt_get(opts, BLOCK_OPT_BACKING_FMT)) {
        error_report("Use of backing file requires explicit backing format");
        goto fail;
    }
    if (c->compressed &&
        (qemu_opt_get_bool(opts, BLOCK_OPT_ENCRYPT, false) ||
         qemu_opt_get(opts, BLOCK_OPT_ENCRYPT_FORMAT))) {
        error_report("Compression and encryption not supported at the same "
                     "time");
        goto fail;
    }
    if (c->compressed && qemu_opt_get(opts, BLOCK_OPT_PREALLOC) &&
        strcmp(qemu_opt_get(opts, BLOCK_OPT_PREALLOC), "off")) {
        error_report("Compression and preallocation not supported at the same "
                     "time");
        goto fail;
    }
    return opts;
fail:
    qemu_opts_del(opts);
    return NULL;
}

/* What the new image was encrypted with it is opened with. */
static int take_secret(void *opaque, const char *name, const char *value,
                       Error **errp)
{
    if (g_str_has_suffix(name, "key-secret")) {
        qdict_put_str(opaque, name, value);
    }
    return 0;
}

/* Names in @opts must stay valid for the rest: ->backing is one of them. */
static bool create_target(Convert *c, const char *name)
{
    BlockDriver *drv = bdrv_find_format(c->out_fmt), *proto;
    QemuOptsList *list = NULL;
    Error *err = NULL;
    QemuOpts *opts;
    int ret;

    if (!drv) {
        error_report("Unknown file format '%s'", c->out_fmt);
        return false;
    }
    proto = bdrv_find_protocol(name, true, &err);
    if (!proto) {
        error_report_err(err);
        return false;
    }
    if (c->compressed && !drv->bdrv_co_pwritev_compressed_part) {
        error_report("Compression not supported for this file format");
        return false;
    }
    if (c->no_create) {
        return true;
    }
    if (!drv->create_opts || !proto->create_opts) {
        error_report("%s driver '%s' does not support image creation",
                     drv->create_opts ? "Protocol" : "Format",
                     drv->create_opts ? proto->format_name
                                      : drv->format_name);
        return false;
    }
    opts = target_options(c, drv, proto, &list);
    if (!opts) {
        g_free(list);
        return false;
    }
    c->backing = g_strdup(c->backing);
    c->secrets = qdict_new();
    qemu_opt_foreach(opts, take_secret, c->secrets, &error_abort);
    ret = bdrv_create(drv, name, opts, &err);
    qemu_opts_del(opts);
    g_free(list);
    if (ret < 0) {
        error_reportf_err(err, "%s: error while converting %s: ", name,
                          c->out_fmt);
    }
    return ret >= 0;
}

static bool open_target(Convert *c, const char *name)
{
    ImgOpen how = {
        .fmt = c->target_image_opts ? NULL : c->out_fmt,
        .image_opts = c->target_image_opts,
        .flags = BDRV_O_RDWR | BDRV_O_UNMAP,
        .more = c->secrets,
    };
    int64_t length;

    if (!img_parse_cache(c->cache, "cache", &how.flags, &how.writethrough)) {
        return false;
    }
    if (c->backing && !c->no_create) {
        /* It is not read: what is not copied shows through later. */
        how.flags |= BDRV_O_NO_BACKING;
    }
    c->target = img_open(&how, name);
    if (!c->target) {
        return false;
    }
    if (c->compressed && !blk_bs(c->target)->drv->
                         bdrv_co_pwritev_compressed_part) {
        error_report("Compression not supported for this file format");
        return false;
    }
    if (c->bitmaps &&
        !bdrv_supports_persistent_dirty_bitmap(blk_bs(c->target))) {
        error_report("Format driver '%s' does not support bitmaps",
                     blk_bs(c->target)->drv->format_name);
        return false;
    }
    length = blk_getlength(c->target);
    if (length < 0) {
        error_report("Could not get size of %s: %s", name, strerror(-length));
        return false;
    }
    if (c->no_create && length < c->total) {
        error_report("output file is smaller than input file");
        return false;
    }
    if (!c->no_create && !c->backing) {
        c->target_is_zero = bdrv_has_zero_init(blk_bs(c->target)) == 1;
    }
    return true;
}

/* ---- The command ---- */

static void parse_number(const char *text, int *ncoroutines)
{
    unsigned long n;

    if (qemu_strtoul(text, NULL, 0, &n) < 0 || n < 1 || n > MAX_COROUTINES) {
        error_report("Invalid number of coroutines. Allowed number of "
                     "coroutines is between 1 and %d", MAX_COROUTINES);
        exit(1);
    }
    *ncoroutines = n;
}

static void parse_size_option(const char *what, int64_t *value)
{
    *value = img_parse_size_noisily(what, optarg, 0, INT64_MAX);
    if (*value < 0) {
        exit(1);
    }
}

static void parse_one(Convert *c, int opt)
{
    switch (opt) {
    case 'O': c->out_fmt = optarg; break;
    case 'B': c->backing = optarg; break;
    case 'F': c->backing_fmt = optarg; break;
    case 'C': c->offload = true; break;
    case 'c': c->compressed = true; break;
    case 'l': c->snapshot = optarg; break;
    case 't': c->cache = optarg; break;
    case 'T': c->src_cache = optarg; break;
    case 'W': c->out_of_order = true; break;
    case 'n': c->no_create = true; break;
    case 'm': parse_number(optarg, &c->ncoroutines); break;
    case 'S':
        parse_size_option("buffer size for sparse output", &c->sparse);
        if (c->sparse % BDRV_SECTOR_SIZE || c->sparse > MAX_SPARSE) {
            error_report("Invalid buffer size for sparse output specified. "
                         "Valid sizes are multiples of %llu up to %llu. "
                         "Select 0 to disable sparse detection (fully "
                         "allocates output).", BDRV_SECTOR_SIZE,
                         (unsigned long long)MAX_SPARSE);
            exit(1);
        }
        break;
    case 'r': parse_size_option("rate limit", &c->rate); break;
    case 'o':
        if (!img_accumulate_options(&c->options, optarg)) {
            exit(1);
        }
        break;
    case IMG_OPT_TARGET_IMAGE_OPTS: c->target_image_opts = true; break;
    case IMG_OPT_TARGET_IS_ZERO: c->target_is_zero = true; break;
    case IMG_OPT_SALVAGE: c->salvage = true; break;
    case IMG_OPT_BITMAPS: c->bitmaps = true; break;
    case IMG_OPT_SKIP_BROKEN: c->skip_broken = true; break;
    }
}

static const char *conflict_of(const Convert *c)
{
    if (c->no_create && c->options) {
        return "-o has no effect when skipping image creation";
    }
    if (c->target_image_opts && !c->no_create) {
        return "--target-image-opts requires use of -n flag";
    }
    if (c->target_is_zero && !c->no_create) {
        return "--target-is-zero requires use of -n flag";
    }
    if (c->offload && c->compressed) {
        return "Cannot enable copy offloading when -c is used";
    }
    if (c->offload && c->sparse != DEFAULT_SPARSE) {
        return "Cannot enable copy offloading when -S is used";
    }
    if (c->offload && c->salvage) {
        return "Cannot use copy offloading in salvaging mode";
    }
    if (c->skip_broken && !c->bitmaps) {
        return "Use of --skip-broken-bitmaps requires --bitmaps";
    }
    if (c->bitmaps && c->nsrc > 1) {
        return "Copying bitmaps only possible with single source";
    }
    if (c->backing && c->nsrc > 1) {
        return "Having a backing file for the target makes no sense when "
               "concatenating multiple input images";
    }
    return NULL;
}

static int convert(Convert *c, char **names)
{
    const char *target = names[c->nsrc], *conflict = conflict_of(c);
    char *backing = NULL;
    int i, ret = 1;

    if (conflict) {
        error_report("%s", conflict);
        return 1;
    }
    if (open_sources(c, names) && create_target(c, target)) {
        backing = c->no_create ? NULL : (char *)c->backing;
        ret = open_target(c, target) && convert_data(c) == 0 &&
              (!c->bitmaps || img_copy_bitmaps(blk_bs(c->src[0].blk),
                                               blk_bs(c->target),
                                               c->skip_broken)) ? 0 : 1;
        if (ret == 0) {
            img_progress(&c->o, c->total, c->total);
        }
        img_progress_end(&c->o);
    }
    g_free(backing);
    qobject_unref(c->secrets);
    blk_unref(c->target);
    for (i = 0; c->src && i < c->nsrc; i++) {
        blk_unref(c->src[i].blk);
    }
    g_free(c->src);
    return ret;
}

int img_convert(int argc, char **argv)
{
    static const struct option options[] = {
        { "bitmaps", no_argument, NULL, IMG_OPT_BITMAPS },
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "salvage", no_argument, NULL, IMG_OPT_SALVAGE },
        { "skip-broken-bitmaps", no_argument, NULL, IMG_OPT_SKIP_BROKEN },
        { "source-image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "target-image-opts", no_argument, NULL, IMG_OPT_TARGET_IMAGE_OPTS },
        { "target-is-zero", no_argument, NULL, IMG_OPT_TARGET_IS_ZERO },
        { NULL }
    };
    Convert c = {
        .out_fmt = "raw",
        .cache = "unsafe",
        .src_cache = "writeback",
        .sparse = DEFAULT_SPARSE,
        .ncoroutines = DEFAULT_COROUTINES,
    };
    int opt, ret;

    while ((opt = img_getopt(argc, argv, ":f:O:B:F:Cco:l:S:pt:T:qnm:WUr:",
                             options, &c.o)) != -1) {
        parse_one(&c, opt);
    }
    if (img_is_help_option(c.options)) {
        ret = img_print_format_options(optind < argc ? argv[argc - 1] : NULL,
                                       c.out_fmt);
    } else if (argc - optind < 2) {
        error_report("Must specify image file name");
        ret = 1;
    } else {
        c.nsrc = argc - optind - 1;
        ret = convert(&c, argv + optind);
    }
    g_free(c.options);
    return ret;
}
