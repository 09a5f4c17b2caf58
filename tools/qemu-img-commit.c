/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img commit: what an overlay, and all layers below it down to a base,
 * have is written to the base.
 *
 * Nobody uses the images, so that the layers above the base are opened one by
 * one, each without what is below it: a range comes from the topmost layer
 * that has it, and the base is an image of its own that may be written.
 *
 * Invariants
 *   1. ->pos only grows; pieces do not overlap.
 *   2. The overlay is emptied only after the base was flushed.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qemu/coroutine.h"
#include "qemu/ratelimit.h"
#include "qemu/units.h"

#define COROUTINES  8
#define DATA_CHUNK  (1 * MiB)
#define ZERO_CHUNK  (1 * GiB)

typedef struct Layer {
    BlockBackend *blk;
    char *name;
    char *fmt;
    int64_t length;
} Layer;

typedef struct Commit {
    ImgOptions o;
    const char *cache;
    const char *base_name;      /* NULL: the backing file */
    int64_t rate;
    bool drop;                  /* leave the overlay as it is */

    GArray *layers;             /* Layer, topmost first; the last: the base */
    BlockBackend *base;

    CoMutex lock;               /* of ->pos */
    int64_t pos;
    int64_t done;
    int running;
    int ret;
    RateLimit limit;
} Commit;

typedef struct Piece {
    Layer *from;
    int64_t offset;
    int64_t bytes;
    bool zero;
} Piece;

static Layer *layer_at(Commit *c, guint i)
{
    return &g_array_index(c->layers, Layer, i);
}

/* ---- Copying ---- */

/*
 * Who has what is at ->pos: p->from is NULL if only the base does.  p->bytes
 * is how far that is so.
 */
static int coroutine_fn find_piece(Commit *c, Piece *p)
{
    guint i;

    p->offset = c->pos;
    p->bytes = layer_at(c, 0)->length - c->pos;
    p->from = NULL;
    for (i = 0; i + 1 < c->layers->len; i++) {
        Layer *l = layer_at(c, i);
        int64_t n;
        int ret;

        if (c->pos >= l->length) {
            /* What is behind the end of a layer hides what is below it. */
            p->from = l;
            p->zero = true;
            return 0;
        }
        ret = bdrv_co_block_status_above(blk_bs(l->blk), NULL, c->pos,
                                         MIN(p->bytes, l->length - c->pos), &n,
                                         NULL, NULL);
        if (ret < 0) {
            return ret;
        }
        p->bytes = n;
        if (ret & BDRV_BLOCK_ALLOCATED) {
            p->from = l;
            p->zero = ret & BDRV_BLOCK_ZERO;
            return 0;
        }
    }
    return 0;
}

/* 1: *p is to be copied; 0: nothing is left; or -errno. */
static int coroutine_fn take_piece(Commit *c, Piece *p)
{
    int ret = 0;

    qemu_co_mutex_lock(&c->lock);
    while (ret == 0 && c->ret == 0 && c->pos < layer_at(c, 0)->length) {
        ret = find_piece(c, p);
        if (ret < 0) {
            break;
        }
        if (p->from) {
            p->bytes = MIN(p->bytes, p->zero ? ZERO_CHUNK : DATA_CHUNK);
            ret = 1;
        } else {
            c->done += p->bytes;
        }
        c->pos += p->bytes;
    }
    qemu_co_mutex_unlock(&c->lock);
    return ret;
}

static int coroutine_fn copy_piece(Commit *c, const Piece *p, uint8_t *buf)
{
    int ret;

    if (p->zero) {
        return blk_co_pwrite_zeroes(c->base, p->offset, p->bytes,
                                    BDRV_REQ_MAY_UNMAP);
    }
    ret = blk_co_pread(p->from->blk, p->offset, p->bytes, buf, 0);
    return ret < 0 ? ret
                   : blk_co_pwrite(c->base, p->offset, p->bytes, buf, 0);
}

static void coroutine_fn commit_entry(void *opaque)
{
    Commit *c = opaque;
    uint8_t *buf = blk_blockalign(c->base, DATA_CHUNK);
    Piece p;
    int ret;

    while ((ret = take_piece(c, &p)) > 0) {
        ret = copy_piece(c, &p, buf);
        if (ret < 0) {
            break;
        }
        c->done += p.bytes;
        img_progress(&c->o, c->done, layer_at(c, 0)->length);
        if (c->rate && !p.zero) {
            int64_t delay = ratelimit_calculate_delay(&c->limit, p.bytes);

            if (delay) {
                qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, delay);
            }
        }
    }
    if (ret < 0 && c->ret == 0) {
        c->ret = ret;
    }
    qemu_vfree(buf);
    c->running--;
}

static int copy_all(Commit *c)
{
    int i;

    if (c->rate) {
        ratelimit_set_speed(&c->limit, c->rate, 100000000);
    }
    qemu_co_mutex_init(&c->lock);
    img_progress(&c->o, 0, layer_at(c, 0)->length);
    c->running = COROUTINES;
    for (i = 0; i < COROUTINES; i++) {
        qemu_coroutine_enter(qemu_coroutine_create(commit_entry, c));
    }
    while (c->running) {
        aio_poll(qemu_get_aio_context(), true);
    }
    return c->ret < 0 ? c->ret : blk_flush(c->base);
}

/* ---- Images ---- */

static void layer_clear(gpointer layer)
{
    Layer *l = layer;

    blk_unref(l->blk);
    g_free(l->name);
    g_free(l->fmt);
}

/* Names and formats of all layers from the overlay down to the base. */
static bool find_layers(Commit *c, const ImgOpen *how, const char *filename)
{
    BlockBackend *blk = img_open(how, filename);
    BlockDriverState *bs, *base;

    if (!blk) {
        return false;
    }
    bs = bdrv_skip_filters(blk_bs(blk));
    base = bdrv_backing_chain_next(bs);
    if (c->base_name) {
        base = bdrv_find_backing_image(bs, c->base_name);
        if (!base) {
            error_report("Did not find '%s' in the backing chain of '%s'",
                         c->base_name, filename);
        }
    } else if (!base) {
        error_report("Image does not have a backing file");
    }
    while (base && bs) {
        Layer l = { NULL };

        bdrv_refresh_filename(bs);
        l.name = g_strdup(bs->filename);
        l.fmt = g_strdup(bdrv_get_format_name(bs));
        g_array_append_val(c->layers, l);
        bs = bs == base ? NULL : bdrv_backing_chain_next(bs);
    }
    blk_unref(blk);
    return base != NULL;
}

static bool open_layers(Commit *c, const ImgOpen *top, const char *filename)
{
    guint i, last = c->layers->len - 1;

    for (i = 0; i <= last; i++) {
        Layer *l = layer_at(c, i);
        ImgOpen how = {
            .fmt = l->fmt,
            .flags = top->flags,
            .writethrough = top->writethrough,
        };

        if (i == 0) {
            how = *top;
        } else if (i < last) {
            how.flags &= ~BDRV_O_RDWR;
        }
        if (i < last) {
            how.flags |= BDRV_O_NO_BACKING;
        } else {
            how.flags |= BDRV_O_RESIZE;
        }
        l->blk = img_open(&how, i ? l->name : filename);
        if (!l->blk) {
            return false;
        }
        l->length = blk_getlength(l->blk);
        if (l->length < 0) {
            error_report("Could not get size of %s: %s", l->name,
                         strerror(-l->length));
            return false;
        }
    }
    c->base = layer_at(c, last)->blk;
    return true;
}

static bool empty_overlay(Commit *c)
{
    BlockBackend *top = layer_at(c, 0)->blk;
    Error *err = NULL;
    int ret = blk_make_empty(top, &err);

    if (ret == -ENOTSUP) {
        error_free(err);        /* it stays as it is, which does no harm */
        return true;
    }
    if (ret < 0) {
        error_reportf_err(err, "Could not empty %s: ", layer_at(c, 0)->name);
    }
    return ret >= 0;
}

static bool commit(Commit *c, const char *filename)
{
    ImgOpen how = {
        .fmt = c->o.fmt,
        .image_opts = c->o.image_opts,
        .quiet = c->o.quiet,
    };
    int64_t length;
    int ret = 0;

    if (!img_parse_cache(c->cache, "cache", &how.flags, &how.writethrough) ||
        !find_layers(c, &how, filename)) {
        return false;
    }
    how.flags |= BDRV_O_RDWR | BDRV_O_UNMAP;
    if (!open_layers(c, &how, filename)) {
        return false;
    }
    length = layer_at(c, 0)->length;
    if (length > layer_at(c, c->layers->len - 1)->length) {
        ret = blk_truncate(c->base, length, false, PREALLOC_MODE_OFF, 0, NULL);
    }
    if (ret >= 0) {
        ret = copy_all(c);
        img_progress_end(&c->o);
    }
    if (ret < 0) {
        error_report("Block job failed: %s", strerror(-ret));
        return false;
    }
    return c->drop || empty_overlay(c);
}

int img_commit(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { NULL }
    };
    Commit c = { .cache = "writeback" };
    const char *filename;
    bool ok;
    int opt;

    while ((opt = img_getopt(argc, argv, ":f:t:b:dpqr:", options,
                             &c.o)) != -1) {
        switch (opt) {
        case 't': c.cache = optarg; break;
        case 'd': c.drop = true; break;
        case 'b':
            /* Layers in between need the overlay. */
            c.base_name = optarg;
            c.drop = true;
            break;
        case 'r':
            c.rate = img_parse_size_noisily("rate limit", optarg, 0,
                                            INT64_MAX);
            if (c.rate < 0) {
                return 1;
            }
            break;
        }
    }
    filename = img_one_name(argc, argv);
    c.layers = g_array_new(false, true, sizeof(Layer));
    g_array_set_clear_func(c.layers, layer_clear);
    ok = commit(&c, filename);
    g_array_unref(c.layers);
    if (ok && !c.o.quiet) {
        printf("Image committed.\n");
    }
    return !ok;
}
