/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img compare: do two images show the same?  And qemu-img rebase, which
 * compares an overlay's old and new backing file to keep what differs.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qapi/qmp/qdict.h"
#include "qom/object_interfaces.h"
#include "qemu/cutils.h"
#include "qemu/units.h"

#define CHUNK (1 * MiB)

/* ---- compare ---- */

enum { COMPARE_OPT_OBJECT = 512 };

enum { SAME = 0, DIFFERENT = 1, FAILED = 2, STATUS_FAILED = 3 };

typedef struct Compare {
    ImgOptions o;
    const char *name[2];
    BlockBackend *blk[2];
    int64_t length[2];
    uint8_t *buf[2];
    bool strict;
} Compare;

static int read_error(const Compare *c, int i, int64_t offset, int ret)
{
    error_report("Error while reading offset %" PRId64 " of %s: %s", offset,
                 c->name[i], strerror(-ret));
    return 4;
}

static int mismatch(const Compare *c, int64_t offset)
{
    if (!c->o.quiet) {
        printf("Content mismatch at offset %" PRId64 "!\n", offset);
    }
    return DIFFERENT;
}

/* The first byte, rounded to sectors, in which the buffers differ; -1: none.
 * @b is NULL: differ from zeroes. */
static int64_t first_difference(const uint8_t *a, const uint8_t *b, int64_t n)
{
    int64_t i, step;

    for (i = 0; i < n; i += step) {
        step = MIN(n - i, (int64_t)BDRV_SECTOR_SIZE);
        if (b ? memcmp(a + i, b + i, step) != 0
              : !buffer_is_zero(a + i, step)) {
            return i;
        }
    }
    return -1;
}

/* Data of image @i against zeroes. */
static int must_be_zero(Compare *c, int i, int64_t offset, int64_t bytes)
{
    int64_t end = offset + bytes, n, diff;

    for (; offset < end; offset += n) {
        int ret;

        n = MIN(end - offset, CHUNK);
        ret = blk_pread(c->blk[i], offset, n, c->buf[i], 0);
        if (ret < 0) {
            return read_error(c, i, offset, ret);
        }
        diff = first_difference(c->buf[i], NULL, n);
        if (diff >= 0) {
            return mismatch(c, offset + diff);
        }
    }
    return SAME;
}

static int must_be_equal(Compare *c, int64_t offset, int64_t bytes)
{
    int64_t end = offset + bytes, n, diff;
    int i, ret;

    for (; offset < end; offset += n) {
        n = MIN(end - offset, CHUNK);
        for (i = 0; i < 2; i++) {
            ret = blk_pread(c->blk[i], offset, n, c->buf[i], 0);
            if (ret < 0) {
                return read_error(c, i, offset, ret);
            }
        }
        diff = first_difference(c->buf[0], c->buf[1], n);
        if (diff >= 0) {
            return mismatch(c, offset + diff);
        }
    }
    return SAME;
}

static int status_at(Compare *c, int i, int64_t offset, int64_t bytes,
                     int64_t *n)
{
    int ret = bdrv_block_status_above(blk_bs(c->blk[i]), NULL, offset, bytes,
                                      n, NULL, NULL);

    if (ret < 0) {
        error_report("Sector allocation test failed for %s", c->name[i]);
    }
    return ret;
}

static int compare_common(Compare *c, int64_t common, int64_t total)
{
    int64_t offset = 0, n[2], bytes;
    int status[2], i, ret = SAME;

    for (; offset < common && ret == SAME; offset += bytes) {
        bool zero[2];

        bytes = common - offset;
        for (i = 0; i < 2; i++) {
            status[i] = status_at(c, i, offset, bytes, &n[i]);
            if (status[i] < 0) {
                return STATUS_FAILED;
            }
            bytes = MIN(bytes, n[i]);
        }
        for (i = 0; i < 2; i++) {
            zero[i] = (status[i] & BDRV_BLOCK_ZERO) ||
                      !(status[i] & BDRV_BLOCK_DATA);
        }
        if (c->strict && ((status[0] ^ status[1]) & ~BDRV_BLOCK_OFFSET_VALID &
                          (BDRV_BLOCK_ZERO | BDRV_BLOCK_DATA))) {
            if (!c->o.quiet) {
                printf("Strict mode: Offset %" PRId64 " block status "
                       "mismatch!\n", offset);
            }
            return DIFFERENT;
        }
        if (zero[0] != zero[1]) {
            ret = must_be_zero(c, zero[0], offset, bytes);
        } else if (!zero[0]) {
            ret = must_be_equal(c, offset, bytes);
        }
        img_progress(&c->o, offset + bytes, total);
    }
    return ret;
}

/* What only the longer image has. */
static int compare_rest(Compare *c, int64_t offset, int longer)
{
    int ret = SAME;
    int64_t n;

    while (offset < c->length[longer] && ret == SAME) {
        int status = status_at(c, longer, offset, c->length[longer] - offset,
                               &n);

        if (status < 0) {
            return STATUS_FAILED;
        }
        if ((status & BDRV_BLOCK_DATA) && !(status & BDRV_BLOCK_ZERO)) {
            ret = must_be_zero(c, longer, offset, n);
        }
        offset += n;
    }
    return ret;
}

static int compare(Compare *c)
{
    int64_t common = MIN(c->length[0], c->length[1]);
    int64_t total = MAX(c->length[0], c->length[1]);
    int ret;

    if (c->strict && common != total) {
        if (!c->o.quiet) {
            printf("Strict mode: Image size mismatch!\n");
        }
        return DIFFERENT;
    }
    img_progress(&c->o, 0, total);
    ret = compare_common(c, common, total);
    if (ret == SAME && common != total) {
        if (!c->o.quiet) {
            printf("Warning: Image size mismatch!\n");
        }
        ret = compare_rest(c, common, c->length[1] > c->length[0]);
    }
    if (ret == SAME) {
        img_progress(&c->o, total, total);
        if (!c->o.quiet) {
            printf("Images are identical.\n");
        }
    }
    img_progress_end(&c->o);
    return ret;
}

/* 1 would say that the images differ. */
static bool make_object(const char *str)
{
    Error *err = NULL;

    if (user_creatable_print_help_from_str(str)) {
        exit(SAME);
    }
    if (!user_creatable_add_from_str(str, &err)) {
        error_report_err(err);
        return false;
    }
    return true;
}

int img_compare(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, COMPARE_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    const char *cache = "writeback", *fmt2 = NULL;
    Compare c = { { NULL } };
    ImgOpen how = { NULL };
    int opt, i, ret = FAILED;

    while ((opt = img_getopt(argc, argv, ":f:F:T:pqsU", options,
                             &c.o)) != -1) {
        switch (opt) {
        case 'F': fmt2 = optarg; break;
        case 'T': cache = optarg; break;
        case 's': c.strict = true; break;
        case COMPARE_OPT_OBJECT:
            if (!make_object(optarg)) {
                return FAILED;
            }
            break;
        }
    }
    if (optind != argc - 2) {
        img_usage_error("Expecting two image file names");
    }
    if (!img_parse_cache(cache, "source cache", &how.flags,
                         &how.writethrough)) {
        return FAILED;
    }
    how.image_opts = c.o.image_opts;
    how.force_share = c.o.force_share;
    for (i = 0; i < 2; i++) {
        c.name[i] = argv[optind + i];
        how.fmt = i ? fmt2 : c.o.fmt;
        c.blk[i] = img_open(&how, c.name[i]);
        c.length[i] = c.blk[i] ? blk_getlength(c.blk[i]) : 0;
        if (!c.blk[i]) {
            goto out;
        }
        if (c.length[i] < 0) {
            error_report("Can't get size of %s: %s", c.name[i],
                         strerror(-c.length[i]));
            ret = 4;
            goto out;
        }
        c.buf[i] = blk_blockalign(c.blk[i], CHUNK);
    }
    ret = compare(&c);
out:
    for (i = 0; i < 2; i++) {
        qemu_vfree(c.buf[i]);
        blk_unref(c.blk[i]);
    }
    return ret;
}

/* ---- rebase ---- */

typedef struct Rebase {
    ImgOptions o;
    const char *backing;        /* "": none */
    const char *backing_fmt;
    BlockBackend *blk;
    BlockBackend *old;          /* NULL: none */
    BlockBackend *new;
} Rebase;

/* Read [offset, offset + bytes) of @blk; zeroes behind its end. */
static int read_or_zero(BlockBackend *blk, int64_t offset, int64_t bytes,
                        uint8_t *buf)
{
    int64_t length = blk ? blk_getlength(blk) : 0;
    int64_t have = length < 0 ? 0 : CLAMP(length - offset, 0, bytes);

    if (length < 0) {
        return length;
    }
    memset(buf + have, 0, bytes - have);
    return have ? blk_pread(blk, offset, have, buf, 0) : 0;
}

/* Copy what differs in a range that the overlay does not have itself. */
static int keep_differences(Rebase *r, int64_t offset, int64_t bytes,
                            uint8_t *old, uint8_t *new)
{
    int64_t end = offset + bytes, n, i, run;
    int ret;

    for (; offset < end; offset += n) {
        n = MIN(end - offset, CHUNK);
        ret = read_or_zero(r->old, offset, n, old);
        if (ret >= 0) {
            ret = read_or_zero(r->new, offset, n, new);
        }
        if (ret < 0) {
            error_report("error while reading from a backing file: %s",
                         strerror(-ret));
            return ret;
        }
        for (i = 0; i < n; i += run) {
            bool same;

            run = MIN(n - i, 4096);
            same = !memcmp(old + i, new + i, run);
            while (i + run < n && run < CHUNK) {
                int64_t m = MIN(n - i - run, 4096);

                if (!memcmp(old + i + run, new + i + run, m) != same) {
                    break;
                }
                run += m;
            }
            ret = same ? 0
                : buffer_is_zero(old + i, run)
                ? blk_pwrite_zeroes(r->blk, offset + i, run, 0)
                : blk_pwrite(r->blk, offset + i, run, old + i, 0);
            if (ret < 0) {
                error_report("Error while writing to COW image: %s",
                             strerror(-ret));
                return ret;
            }
        }
    }
    return 0;
}

static int rebase_data(Rebase *r)
{
    BlockDriverState *bs = bdrv_skip_filters(blk_bs(r->blk));
    int64_t length = blk_getlength(r->blk), offset = 0, n;
    uint8_t *old = blk_blockalign(r->blk, CHUNK);
    uint8_t *new = blk_blockalign(r->blk, CHUNK);
    int ret = 0;

    for (; offset < length && ret >= 0; offset += n) {
        ret = bdrv_is_allocated(bs, offset, length - offset, &n);
        if (ret < 0) {
            error_report("error while reading image metadata: %s",
                         strerror(-ret));
        } else if (ret == 0) {
            ret = keep_differences(r, offset, n, old, new);
        }
        img_progress(&r->o, offset + n, length);
    }
    qemu_vfree(old);
    qemu_vfree(new);
    return ret < 0 ? ret : 0;
}

static BlockBackend *open_new_backing(const Rebase *r, const char *name)
{
    QDict *options = qdict_new();
    BlockBackend *blk;
    Error *err = NULL;

    if (r->backing_fmt) {
        qdict_put_str(options, "driver", r->backing_fmt);
    }
    blk = blk_new_open(name, NULL, options, 0, &err);
    if (!blk) {
        error_reportf_err(err, "Could not open new backing file '%s': ",
                          r->backing);
    }
    return blk;
}

/* The old and the new backing file, as far as there are any. */
static bool open_backings(Rebase *r, const char *filename)
{
    BlockDriverState *bs = blk_bs(r->blk), *cow = bdrv_cow_bs(bs);
    g_autofree char *name = NULL;
    Error *err = NULL;

    if (cow) {
        r->old = blk_new_with_bs(cow, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL,
                                 &err);
        if (!r->old) {
            error_reportf_err(err, "Could not reuse old backing file '%s': ",
                              bs->backing_file);
            return false;
        }
    }
    if (!*r->backing) {
        return true;
    }
    name = bdrv_get_full_backing_filename_from_filename(filename, r->backing,
                                                        &err);
    if (!name) {
        error_reportf_err(err, "Could not resolve backing filename: ");
        return false;
    }
    r->new = open_new_backing(r, name);
    return r->new != NULL;
}

static int change_backing(Rebase *r, bool unsafe)
{
    BlockDriverState *bs = bdrv_skip_filters(blk_bs(r->blk));
    int ret;

    ret = *r->backing
        ? bdrv_change_backing_file(bs, r->backing, r->backing_fmt, true)
        : bdrv_change_backing_file(bs, NULL, NULL, false);
    if (ret == -ENOSPC) {
        error_report("Could not change the backing file to '%s': No space "
                     "left in the file header", r->backing);
    } else if (ret == -EINVAL && *r->backing && !r->backing_fmt) {
        error_report("Could not change the backing file to '%s': backing "
                     "format must be specified", r->backing);
    } else if (ret < 0) {
        error_report("Could not change the backing file to '%s': %s",
                     r->backing, strerror(-ret));
    }
    return ret;
}

int img_rebase(int argc, char **argv)
{
    static const struct option options[] = {
        { "object", required_argument, NULL, IMG_OPT_OBJECT },
        { "image-opts", no_argument, NULL, IMG_OPT_IMAGE_OPTS },
        { "force-share", no_argument, NULL, 'U' },
        { NULL }
    };
    const char *cache = "writeback", *src_cache = "writeback", *filename;
    ImgOpen how = { .flags = BDRV_O_RDWR | BDRV_O_UNMAP };
    bool unsafe = false, ignored;
    int opt, src_flags = 0, ret = 1;
    Rebase r = { { NULL } };

    while ((opt = img_getopt(argc, argv, ":f:F:b:upt:T:qU", options,
                             &r.o)) != -1) {
        switch (opt) {
        case 'b': r.backing = optarg; break;
        case 'F': r.backing_fmt = optarg; break;
        case 'u': unsafe = true; break;
        case 't': cache = optarg; break;
        case 'T': src_cache = optarg; break;
        }
    }
    filename = img_one_name(argc, argv);
    if (!r.backing) {
        img_usage_error("Must specify backing file (-b) or use unsafe mode "
                        "(-u)");
    }
    how.flags |= unsafe ? BDRV_O_NO_BACKING : 0;
    if (!img_parse_cache(cache, "cache", &how.flags, &how.writethrough) ||
        !img_parse_cache(src_cache, "source cache", &src_flags, &ignored)) {
        return 1;
    }
    how.fmt = r.o.fmt;
    how.image_opts = r.o.image_opts;
    how.force_share = false;
    r.blk = img_open(&how, filename);
    if (!r.blk) {
        return 1;
    }
    if (r.backing_fmt && !bdrv_find_format(r.backing_fmt)) {
        error_report("Invalid format name: '%s'", r.backing_fmt);
        blk_unref(r.blk);
        return 1;
    }
    if (unsafe || (open_backings(&r, filename) &&
                   rebase_data(&r) == 0 && blk_flush(r.blk) == 0)) {
        ret = change_backing(&r, unsafe) < 0;
    }
    img_progress_end(&r.o);
    blk_unref(r.new);
    blk_unref(r.old);
    blk_unref(r.blk);
    return ret;
}
