/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: the options of an open image, and the caches that they size.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"
#include "qemu/timer.h"

#define DEFAULT_L2_CACHE        (32 * MiB)
#define DEFAULT_SLICE           4096
#define DEFAULT_CLEAN_INTERVAL  600
/* A refcount block describes much, and what it describes is near. */
#define MIN_REFBLOCKS           4
#define MIN_L2_TABLES           2

#define OPT_LAZY_REFCOUNTS      "lazy-refcounts"
#define OPT_DISCARD_REQUEST     "pass-discard-request"
#define OPT_DISCARD_SNAPSHOT    "pass-discard-snapshot"
#define OPT_DISCARD_OTHER       "pass-discard-other"
#define OPT_OVERLAP             "overlap-check"
#define OPT_OVERLAP_TEMPLATE    "overlap-check.template"
#define OPT_CACHE_SIZE          "cache-size"
#define OPT_L2_CACHE_SIZE       "l2-cache-size"
#define OPT_L2_CACHE_ENTRY      "l2-cache-entry-size"
#define OPT_REFCOUNT_CACHE_SIZE "refcount-cache-size"
#define OPT_CLEAN_INTERVAL      "cache-clean-interval"
#define OPT_ENCRYPT_FORMAT      "encrypt.format"

#define OVERLAP_FLAGS(F)                                    \
    F("main-header", QCOW2_SECTION_HEADER)                  \
    F("active-l1", QCOW2_SECTION_ACTIVE_L1)                 \
    F("active-l2", QCOW2_SECTION_ACTIVE_L2)                 \
    F("refcount-table", QCOW2_SECTION_REFTABLE)             \
    F("refcount-block", QCOW2_SECTION_REFBLOCK)             \
    F("snapshot-table", QCOW2_SECTION_SNAPSHOT_TABLE)       \
    F("inactive-l1", QCOW2_SECTION_INACTIVE_L1)             \
    F("inactive-l2", QCOW2_SECTION_INACTIVE_L2)             \
    F("bitmap-directory", QCOW2_SECTION_BITMAP_DIRECTORY)

static const struct {
    const char *option;
    Qcow2Section section;
} overlap_flags[] = {
#define FLAG_ROW(name, section) { OPT_OVERLAP "." name, section },
    OVERLAP_FLAGS(FLAG_ROW)
};

static const struct {
    const char *name;
    unsigned sections;
} overlap_templates[] = {
    { "none", 0 },
    { "constant", QCOW2_CHECK_CONSTANT },
    { "cached", QCOW2_CHECK_CACHED },
    { "all", QCOW2_CHECK_ALL },
};

QemuOptsList qcow2_runtime_opts = {
    .name = "qcow2",
    .head = QTAILQ_HEAD_INITIALIZER(qcow2_runtime_opts.head),
    .desc = {
        {
            .name = OPT_LAZY_REFCOUNTS,
            .type = QEMU_OPT_BOOL,
            .help = "write reference counts late",
        }, {
            .name = OPT_DISCARD_REQUEST,
            .type = QEMU_OPT_BOOL,
            .help = "pass on discards of the guest",
        }, {
            .name = OPT_DISCARD_SNAPSHOT,
            .type = QEMU_OPT_BOOL,
            .help = "discard what a deleted snapshot used",
        }, {
            .name = OPT_DISCARD_OTHER,
            .type = QEMU_OPT_BOOL,
            .help = "discard what gets free otherwise",
        }, {
            .name = OPT_OVERLAP,
            .type = QEMU_OPT_STRING,
            .help = "checks of places before they are written to (none, "
                    "constant, cached, all)",
        }, {
            .name = OPT_OVERLAP_TEMPLATE,
            .type = QEMU_OPT_STRING,
            .help = "the checks to begin with (none, constant, cached, all)",
        },
#define FLAG_OPT(name_, section) {                          \
            .name = OPT_OVERLAP "." name_,                  \
            .type = QEMU_OPT_BOOL,                          \
            .help = "check against this kind of metadata",  \
        },
        OVERLAP_FLAGS(FLAG_OPT)
        {
            .name = OPT_CACHE_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "memory for all caches of metadata",
        }, {
            .name = OPT_L2_CACHE_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "memory for L2 tables",
        }, {
            .name = OPT_L2_CACHE_ENTRY,
            .type = QEMU_OPT_SIZE,
            .help = "size of an entry of that cache",
        }, {
            .name = OPT_REFCOUNT_CACHE_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "memory for refcount blocks",
        }, {
            .name = OPT_CLEAN_INTERVAL,
            .type = QEMU_OPT_NUMBER,
            .help = "seconds after which unused cache entries are dropped",
        }, {
            .name = OPT_ENCRYPT_FORMAT,
            .type = QEMU_OPT_STRING,
            .help = "how the image is encrypted",
        }, {
            .name = QCOW2_OPT_KEY_SECRET,
            .type = QEMU_OPT_STRING,
            .help = "ID of the secret with the key or pass phrase",
        },
        { /* end of list */ }
    },
};

const char *const qcow2_mutable_opts[] = {
    OPT_LAZY_REFCOUNTS,
    OPT_DISCARD_REQUEST,
    OPT_DISCARD_SNAPSHOT,
    OPT_DISCARD_OTHER,
    OPT_OVERLAP,
    OPT_OVERLAP_TEMPLATE,
#define FLAG_NAME(name, section) OPT_OVERLAP "." name,
    OVERLAP_FLAGS(FLAG_NAME)
    OPT_CACHE_SIZE,
    OPT_L2_CACHE_SIZE,
    OPT_L2_CACHE_ENTRY,
    OPT_REFCOUNT_CACHE_SIZE,
    OPT_CLEAN_INTERVAL,
    NULL
};

/* ---- Sizes of the caches ---- */

/* What the whole disk needs, and so the most that is of use. */
static uint64_t l2_bytes_of_disk(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint64_t clusters = qcow2_clusters(s, s->hdr.size);

    return QEMU_ALIGN_UP(clusters * s->entry_words * sizeof(uint64_t),
                         s->cluster_size);
}

/* -1ULL: not given */
static bool given(uint64_t value)
{
    return value != UINT64_MAX;
}

static bool split_cache(uint64_t total, uint64_t disk_needs, uint64_t *l2,
                        uint64_t *refs, uint64_t min_refs, Error **errp)
{
    if (!given(total)) {
        return true;
    }
    if (given(*l2) && given(*refs)) {
        error_setg(errp, OPT_CACHE_SIZE ", " OPT_L2_CACHE_SIZE " and "
                   OPT_REFCOUNT_CACHE_SIZE " may not be set at the same "
                   "time");
        return false;
    }
    if (given(*l2) && *l2 > total) {
        error_setg(errp, OPT_L2_CACHE_SIZE " may not exceed " OPT_CACHE_SIZE);
        return false;
    }
    if (given(*refs) && *refs > total) {
        error_setg(errp, OPT_REFCOUNT_CACHE_SIZE " may not exceed "
                   OPT_CACHE_SIZE);
        return false;
    }
    if (given(*l2)) {
        *refs = total - *l2;
    } else if (given(*refs)) {
        *l2 = total - *refs;
    } else if (total >= disk_needs + min_refs) {
        *l2 = disk_needs;
        *refs = total - disk_needs;
    } else {
        *refs = MIN(total, min_refs);
        *l2 = total - *refs;
    }
    return true;
}

static bool parse_cache_sizes(BlockDriverState *bs, QemuOpts *opts,
                              Qcow2Options *opt, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t min_refs = MIN_REFBLOCKS * s->cluster_size;
    uint64_t disk_needs = l2_bytes_of_disk(bs);
    uint64_t total, l2, refs, slice;

    total = qemu_opt_find(opts, OPT_CACHE_SIZE)
        ? qemu_opt_get_size(opts, OPT_CACHE_SIZE, 0) : UINT64_MAX;
    l2 = qemu_opt_find(opts, OPT_L2_CACHE_SIZE)
        ? qemu_opt_get_size(opts, OPT_L2_CACHE_SIZE, 0) : UINT64_MAX;
    refs = qemu_opt_find(opts, OPT_REFCOUNT_CACHE_SIZE)
        ? qemu_opt_get_size(opts, OPT_REFCOUNT_CACHE_SIZE, 0) : UINT64_MAX;
    if (!split_cache(total, disk_needs, &l2, &refs, min_refs, errp)) {
        return false;
    }
    if (!given(l2)) {
        l2 = DEFAULT_L2_CACHE;
    }
    if (!given(refs)) {
        refs = min_refs;
    }
    slice = qemu_opt_get_size(opts, OPT_L2_CACHE_ENTRY,
                              MIN(DEFAULT_SLICE, s->cluster_size));
    if (slice < QCOW2_SECTOR || slice > s->cluster_size ||
        !is_power_of_2(slice)) {
        error_setg(errp, "L2 cache entry size must be a power of two between "
                   "%d and the cluster size (%" PRIu64 ")", QCOW2_SECTOR,
                   s->cluster_size);
        return false;
    }
    l2 = MIN(MAX(l2, MIN_L2_TABLES * s->cluster_size),
             MAX(disk_needs, MIN_L2_TABLES * s->cluster_size));
    refs = MAX(refs, min_refs);
    if (refs / s->cluster_size > INT_MAX) {
        error_setg(errp, "Refcount cache size too big");
        return false;
    }
    opt->l2_cache_size = l2;
    opt->refcount_cache_size = refs;
    opt->slice_size = slice;
    return true;
}

/* ---- The other options ---- */

static bool parse_overlap(QemuOpts *opts, Qcow2Options *opt, Error **errp)
{
    const char *mode = qemu_opt_get(opts, OPT_OVERLAP);
    const char *template = qemu_opt_get(opts, OPT_OVERLAP_TEMPLATE);
    unsigned sections = QCOW2_CHECK_CACHED;
    size_t i;

    if (mode && template && strcmp(mode, template)) {
        error_setg(errp, "Conflicting values for qcow2 options '" OPT_OVERLAP
                   "' ('%s') and '" OPT_OVERLAP_TEMPLATE "' ('%s')", mode,
                   template);
        return false;
    }
    mode = mode ?: template;
    if (mode) {
        for (i = 0; i < ARRAY_SIZE(overlap_templates); i++) {
            if (!strcmp(mode, overlap_templates[i].name)) {
                break;
            }
        }
        if (i == ARRAY_SIZE(overlap_templates)) {
            error_setg(errp, "Unsupported value '%s' for qcow2 option '"
                       OPT_OVERLAP "'. Allowed are any of the following: "
                       "none, constant, cached, all", mode);
            return false;
        }
        sections = overlap_templates[i].sections;
    }
    for (i = 0; i < ARRAY_SIZE(overlap_flags); i++) {
        unsigned bit = overlap_flags[i].section;

        if (qemu_opt_get_bool(opts, overlap_flags[i].option,
                              sections & bit)) {
            sections |= bit;
        } else {
            sections &= ~bit;
        }
    }
    opt->overlap_checks = sections;
    return true;
}

static bool parse_rest(BlockDriverState *bs, QemuOpts *opts, int flags,
                       Qcow2Options *opt, Error **errp)
{
    Qcow2State *s = bs->opaque;
    const char *encryption = qemu_opt_get(opts, OPT_ENCRYPT_FORMAT);
    uint64_t interval;

    interval = qemu_opt_get_number(opts, OPT_CLEAN_INTERVAL,
                                   DEFAULT_CLEAN_INTERVAL);
    if (interval > UINT_MAX) {
        error_setg(errp, "Cache clean interval too big");
        return false;
    }
    opt->clean_interval = interval;
    opt->lazy_refcounts =
        qemu_opt_get_bool(opts, OPT_LAZY_REFCOUNTS,
                          s->hdr.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS);
    if (opt->lazy_refcounts && s->hdr.version < 3) {
        error_setg(errp, "Lazy refcounts require a qcow2 image with at least "
                   "qemu 1.1 compatibility level");
        return false;
    }
    opt->pass_discard[QCOW2_FREE_NEVER] = false;
    opt->pass_discard[QCOW2_FREE_ALWAYS] = true;
    opt->pass_discard[QCOW2_FREE_REQUEST] =
        qemu_opt_get_bool(opts, OPT_DISCARD_REQUEST, flags & BDRV_O_UNMAP);
    opt->pass_discard[QCOW2_FREE_SNAPSHOT] =
        qemu_opt_get_bool(opts, OPT_DISCARD_SNAPSHOT, true);
    opt->pass_discard[QCOW2_FREE_OTHER] =
        qemu_opt_get_bool(opts, OPT_DISCARD_OTHER, false);
    return qcow2_crypto_check_format(bs, encryption, errp) &&
           parse_overlap(opts, opt, errp);
}

int qcow2_options_parse(BlockDriverState *bs, QDict *options, int flags,
                        Qcow2Options *opt, Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&qcow2_runtime_opts, NULL, 0,
                                      &error_abort);
    bool ok = qemu_opts_absorb_qdict(opts, options, errp) &&
              parse_cache_sizes(bs, opts, opt, errp) &&
              parse_rest(bs, opts, flags, opt, errp);

    qemu_opts_del(opts);
    return ok ? 0 : -EINVAL;
}

/* ---- Making them work ---- */

void qcow2_options_apply(BlockDriverState *bs, const Qcow2Options *opt)
{
    Qcow2State *s = bs->opaque;

    qcow2_cache_free(s->l2_cache);
    qcow2_cache_free(s->ref_cache);
    s->opt = *opt;
    s->slice_bits = ctz32(opt->slice_size) -
                    ctz32(s->entry_words * sizeof(uint64_t));
    s->l2_cache = qcow2_cache_new(bs, true,
                                  opt->l2_cache_size / opt->slice_size,
                                  opt->slice_size);
    s->ref_cache = qcow2_cache_new(bs, false,
                                   opt->refcount_cache_size / s->cluster_size,
                                   s->cluster_size);
}

/* ---- Caches get smaller when they are not used ---- */

static void clean_timer_cb(void *opaque)
{
    BlockDriverState *bs = opaque;
    Qcow2State *s = bs->opaque;

    qcow2_cache_clean(s->l2_cache);
    qcow2_cache_clean(s->ref_cache);
    timer_mod(s->clean_timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) +
              (int64_t)s->opt.clean_interval * 1000);
}

void qcow2_clean_timer_start(BlockDriverState *bs, AioContext *ctx)
{
    Qcow2State *s = bs->opaque;

    if (s->opt.clean_interval) {
        s->clean_timer = aio_timer_new(ctx, QEMU_CLOCK_VIRTUAL, SCALE_MS,
                                       clean_timer_cb, bs);
        timer_mod(s->clean_timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) +
                  (int64_t)s->opt.clean_interval * 1000);
    }
}

void qcow2_clean_timer_stop(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    if (s->clean_timer) {
        timer_free(s->clean_timer);
        s->clean_timer = NULL;
    }
}
