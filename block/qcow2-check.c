/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: checking and repairing an image.
 *
 *   1. Count how often each host cluster is referred to (qcow2-check-refs.c).
 *   2. Compare that with the reference counts, and correct these.  If there is
 *      no place for a count they are built anew behind all that is in use.
 *   3. Compare the COPIED flags with the counts.
 *
 * Nothing is changed that was not asked for in `fix`; what is changed is
 * written in an order that a crash leaves an image that is not worse.
 */
#include "qemu/osdep.h"
#include "block/qcow2-check.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

/* ---- Counts ---- */

typedef struct Compare {
    Qcow2Check *c;
    BdrvCheckResult *res;
    bool fix_leaks;
    bool fix_errors;
    bool quiet_leaks;           /* after a rebuild they are expected */
    bool rebuild;               /* set if a count has no place */
    uint64_t highest;
} Compare;

static int coroutine_fn repair_count(Compare *cmp, uint64_t cluster,
                                     uint64_t have, uint64_t want, bool leak)
{
    bool fix = leak ? cmp->fix_leaks : cmp->fix_errors;
    int ret;

    if (!leak || !cmp->quiet_leaks || fix) {
        fprintf(stderr, "%s cluster %" PRIu64 " refcount=%" PRIu64
                " reference=%" PRIu64 "\n",
                fix ? "Repairing" : leak ? "Leaked" : "ERROR",
                cluster, have, want);
    }
    if (fix) {
        ret = qcow2_refcount_set(cmp->c->bs, cluster, want);
        if (ret == 0) {
            *(leak ? &cmp->res->leaks_fixed : &cmp->res->corruptions_fixed) +=
                1;
            return 0;
        }
        if (ret != -ENOENT) {
            return ret;
        }
    }
    *(leak ? &cmp->res->leaks : &cmp->res->corruptions) += 1;
    return 0;
}

static int coroutine_fn compare_cluster(Compare *cmp, uint64_t cluster)
{
    BlockDriverState *bs = cmp->c->bs;
    uint64_t want = qcow2_check_count(cmp->c, cluster), have;
    int ret;

    ret = qcow2_refcount(bs, cluster, &have);
    if (ret < 0) {
        fprintf(stderr, "Can't get refcount for cluster %" PRIu64 ": %s\n",
                cluster, strerror(-ret));
        cmp->res->check_errors++;
        return 0;
    }
    if (have || want) {
        cmp->highest = MAX(cmp->highest, cluster);
    }
    if (have == 0 && want > 0) {
        cmp->rebuild = true;
    }
    return have == want ? 0
                        : repair_count(cmp, cluster, have, want, have > want);
}

static int coroutine_fn compare_counts(Compare *cmp)
{
    g_autoptr(GArray) pages = qcow2_check_pages(cmp->c);
    guint i;
    int ret = 0;

    for (i = 0; i < pages->len && ret == 0; i++) {
        uint64_t first = g_array_index(pages, uint64_t, i) *
                         QCOW2_CHECK_PAGE, k;

        for (k = 0; k < QCOW2_CHECK_PAGE && ret == 0 &&
                    first + k < cmp->c->file_clusters; k++) {
            ret = compare_cluster(cmp, first + k);
        }
    }
    return ret;
}

/* ---- New reference counts ---- */

/* How many regions, blocks and clusters of the table are needed. */
typedef struct Rebuild {
    uint64_t first;             /* cluster where they begin */
    uint64_t table_clusters;
    uint64_t *table;
    uint64_t regions;
    GHashTable *used;           /* those in which something is counted */
    uint64_t next;              /* free cluster for a block */
} Rebuild;

static void add_region(GHashTable *regions, uint64_t region)
{
    g_hash_table_add(regions, (gpointer)(uintptr_t)region);
}

/* Regions in which something is counted, those of the new tables included.
 * The table may turn out to be larger than tables can be. */
static uint64_t plan_rebuild(Qcow2Check *c, Rebuild *r)
{
    Qcow2State *s = c->bs->opaque;
    g_autoptr(GArray) pages = qcow2_check_pages(c);
    uint64_t per_cluster = s->cluster_size / sizeof(uint64_t);
    uint64_t max_region = 0, clusters, before, i, k;

    for (i = 0; i < pages->len; i++) {
        uint64_t first = g_array_index(pages, uint64_t, i) * QCOW2_CHECK_PAGE;

        for (k = first; k < first + QCOW2_CHECK_PAGE; k++) {
            if (qcow2_check_count(c, k)) {
                add_region(r->used, k >> s->refblock_bits);
                max_region = MAX(max_region, k >> s->refblock_bits);
            }
        }
    }
    do {
        before = g_hash_table_size(r->used);
        max_region = MAX(max_region,
                         (r->first + before) >> s->refblock_bits);
        r->table_clusters = DIV_ROUND_UP(max_region + 1, per_cluster);
        if (r->table_clusters > QCOW2_MAX_REFTABLE >> s->cluster_bits) {
            break;      /* the caller gives up */
        }
        clusters = before + r->table_clusters;
        for (k = 0; k < clusters; k++) {
            uint64_t region = (r->first + k) >> s->refblock_bits;

            add_region(r->used, region);
            max_region = MAX(max_region, region);
        }
    } while (g_hash_table_size(r->used) != before ||
             r->table_clusters != DIV_ROUND_UP(max_region + 1, per_cluster));
    r->regions = max_region + 1;
    return before;
}

/* The block of region @i to its place; nothing if it would be empty. */
static int coroutine_fn write_block(Qcow2Check *c, Rebuild *r, uint64_t i,
                                    void *buf)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    uint64_t base = i << s->refblock_bits, k, count;
    bool used = false;

    memset(buf, 0, s->cluster_size);
    for (k = 0; k < 1ULL << s->refblock_bits; k++) {
        count = qcow2_check_count(c, base + k);
        if (count > s->refcount_max) {
            return -EINVAL;
        }
        if (count) {
            qcow2_refcount_set_raw(buf, s->hdr.refcount_order, k, count);
            used = true;
        }
    }
    if (!used) {
        return 0;
    }
    r->table[i] = r->next++ << s->cluster_bits;
    return bdrv_co_pwrite(bs->file, r->table[i], s->cluster_size, buf, 0);
}

static int coroutine_fn write_table(Qcow2Check *c, Rebuild *r)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    uint64_t bytes = r->table_clusters << s->cluster_bits, i;
    g_autofree uint64_t *disk = g_try_malloc0(bytes);
    Qcow2Header old = s->hdr;
    int ret;

    if (!disk) {
        return -ENOMEM;
    }
    for (i = 0; i < r->regions; i++) {
        disk[i] = cpu_to_be64(r->table[i]);
    }
    ret = bdrv_co_pwrite(bs->file, r->next << s->cluster_bits, bytes, disk, 0);
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file->bs);
    }
    if (ret >= 0) {
        s->hdr.reftable_offset = r->next << s->cluster_bits;
        s->hdr.reftable_clusters = r->table_clusters;
        ret = qcow2_header_write(bs);
    }
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file->bs);
    }
    if (ret < 0) {
        /* Who has changed more of it writes the old one again. */
        s->hdr = old;
        s->header_unsure = true;
    }
    return ret;
}

/* After a rebuild that has failed; ->hdr is what it was before. */
static void coroutine_fn restore_header(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    if (s->header_unsure) {
        qcow2_header_restore(bs);
    }
}

static int coroutine_fn rebuild_refs(Qcow2Check *c)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
    Rebuild r = { .first = c->file_clusters, .used = used };
    uint64_t blocks, i, k;
    void *buf;
    int ret = 0;

    blocks = plan_rebuild(c, &r);
    if (r.table_clusters << s->cluster_bits > QCOW2_MAX_REFTABLE) {
        return -EFBIG;
    }
    for (k = 0; k < blocks + r.table_clusters; k++) {
        qcow2_check_add(c, (r.first + k) << s->cluster_bits, s->cluster_size);
    }
    r.next = r.first;
    qcow2_host_written(s, (r.first + blocks + r.table_clusters) <<
                          s->cluster_bits);
    r.table = g_new0(uint64_t, r.regions);
    buf = qemu_blockalign(bs->file->bs, s->cluster_size);
    for (i = 0; i < r.regions && ret >= 0; i++) {
        if (g_hash_table_contains(used, (gpointer)(uintptr_t)i)) {
            ret = write_block(c, &r, i, buf);
        }
    }
    qemu_vfree(buf);
    if (ret >= 0) {
        ret = write_table(c, &r);
    }
    g_free(r.table);
    if (ret < 0) {
        return ret;
    }
    /* From now on the new ones count. */
    qcow2_cache_clear(s->ref_cache);
    g_clear_pointer(&s->reftable, g_free);
    ret = qcow2_refs_load(bs, NULL);
    qcow2_overlap_rebuild(s);
    if (ret == 0) {
        /* If it was for them that the image was found to be damaged. */
        s->broken = false;
    }
    return ret;
}

/* The old structures are not referred to any more. */
static int coroutine_fn free_old_refs(BlockDriverState *bs,
                                      BdrvCheckResult *res)
{
    BdrvCheckResult ignored = { 0 };
    Qcow2Check c;
    Compare cmp = {
        .c = &c,
        .res = &ignored,
        .fix_leaks = true,
        .quiet_leaks = true,
    };
    int ret;

    qcow2_check_init(&c, bs, &ignored, true);
    ret = qcow2_check_count_all(&c);
    if (ret == 0) {
        ret = compare_counts(&cmp);
    }
    qcow2_check_clear(&c);
    res->image_end_offset = (cmp.highest + 1) <<
                            ((Qcow2State *)bs->opaque)->cluster_bits;
    return ret;
}

/* ---- Counts of another width ---- */

/* A cluster that is referred to more often than @max times; 0: none. */
static uint64_t find_count_above(Qcow2Check *c, uint64_t max)
{
    g_autoptr(GArray) pages = qcow2_check_pages(c);
    uint64_t i, k, first;

    for (i = 0; i < pages->len; i++) {
        first = g_array_index(pages, uint64_t, i) * QCOW2_CHECK_PAGE;
        for (k = first; k < first + QCOW2_CHECK_PAGE; k++) {
            if (qcow2_check_count(c, k) > max) {
                return k;
            }
        }
    }
    return 0;
}

/* Blocks and table lose the reference that the header was. */
static int coroutine_fn drop_refs(BlockDriverState *bs, const Qcow2Header *hdr,
                                  const uint64_t *table, uint64_t entries)
{
    Qcow2State *s = bs->opaque;
    uint64_t i;
    int ret;

    ret = qcow2_refcount_add(bs, hdr->reftable_offset >> s->cluster_bits,
                             hdr->reftable_clusters, -1, QCOW2_FREE_OTHER);
    for (i = 0; i < entries && ret == 0; i++) {
        uint64_t block = table[i] & QCOW2_REFTABLE_OFFSET;

        if (block) {
            ret = qcow2_refcount_add(bs, block >> s->cluster_bits, 1, -1,
                                     QCOW2_FREE_OTHER);
        }
    }
    return ret;
}

static void set_order(Qcow2State *s, unsigned order, unsigned version)
{
    s->hdr.refcount_order = order;
    s->hdr.version = version;
    qcow2_set_geometry(s);
}

/* The image is as @c has counted it. */
static int coroutine_fn rebuild_as(Qcow2Check *c, unsigned order,
                                   Error **errp)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    uint64_t max = order == 6 ? INT64_MAX : (1ULL << (1U << order)) - 1;
    uint64_t entries = s->reftable_size, cluster = find_count_above(c, max);
    g_autofree uint64_t *table = NULL;
    Qcow2Header old = s->hdr;
    int ret;

    if (cluster) {
        error_setg(errp, "Cannot decrease refcount entry width to %d bits: "
                   "Cluster at offset %#" PRIx64 " has a refcount of %" PRIu64,
                   1 << order, cluster << s->cluster_bits,
                   qcow2_check_count(c, cluster));
        return -EINVAL;
    }
    table = g_memdup2(s->reftable, entries * sizeof(*table));
    set_order(s, order, 3);
    ret = rebuild_refs(c);
    if (ret < 0) {
        set_order(s, old.refcount_order, old.version);
        restore_header(bs);
    } else {
        ret = drop_refs(bs, &old, table, entries);
    }
    if (ret == 0) {
        ret = qcow2_sync(bs);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to write reference counts of %d "
                         "bits to '%s'", 1 << order, bs->filename);
    }
    return ret;
}

int coroutine_fn qcow2_set_refcount_order(BlockDriverState *bs, unsigned order,
                                          Error **errp)
{
    BdrvCheckResult res = { 0 };
    Qcow2State *s = bs->opaque;
    Qcow2Check c;
    int ret;

    ret = qcow2_sync(bs);
    if (ret == 0) {
        ret = qcow2_end_grow_ahead(bs);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to flush '%s'", bs->filename);
        return ret;
    }
    qcow2_cache_clear(s->l2_cache);
    qcow2_check_init(&c, bs, &res, true);
    ret = qcow2_check_count_all(&c);
    if (ret < 0 || res.corruptions || res.check_errors) {
        error_setg(errp, "Image '%s' is damaged; check and repair it first",
                   bs->filename);
        ret = ret < 0 ? ret : -EINVAL;
    } else {
        ret = rebuild_as(&c, order, errp);
    }
    qcow2_check_clear(&c);
    return ret;
}

/* ---- Flags ---- */

typedef struct FlagCheck {
    BlockDriverState *bs;
    BdrvCheckResult *res;
    bool fix;
} FlagCheck;

/* Should @e have the flag?  1: it is wrong. */
static int coroutine_fn flag_is_wrong(FlagCheck *f, uint64_t e,
                                      uint64_t *count)
{
    Qcow2State *s = f->bs->opaque;
    uint64_t host = e & QCOW2_ENTRY_OFFSET;

    if (!host || qcow2_in_cluster(s, host) ||
        qcow2_refcount(f->bs, host >> s->cluster_bits, count) < 0) {
        return 0;               /* told already */
    }
    return (*count == 1) != !!(e & QCOW2_COPIED);
}

static void count_flag(FlagCheck *f)
{
    *(f->fix ? &f->res->corruptions_fixed : &f->res->corruptions) += 1;
}

static int coroutine_fn check_l2_flags(FlagCheck *f, uint64_t table,
                                       uint64_t *buf)
{
    BlockDriverState *bs = f->bs;
    Qcow2State *s = bs->opaque;
    unsigned n = 1U << s->l2_bits, i;
    uint64_t count;
    bool changed = false;
    int ret;

    ret = bdrv_co_pread(bs->file, table, s->cluster_size, buf, 0);
    if (ret < 0) {
        fprintf(stderr, "ERROR: I/O error in check_oflag_copied: %s\n",
                strerror(-ret));
        f->res->check_errors++;
        return 0;
    }
    for (i = 0; i < n; i++) {
        uint64_t e = be64_to_cpu(buf[i * s->entry_words]);

        if ((e & QCOW2_COMPRESSED_FLAG) || qcow2_has_data_file(bs) ||
            !flag_is_wrong(f, e, &count)) {
            continue;
        }
        fprintf(stderr, "%s OFLAG_COPIED data cluster: l2_entry=%" PRIx64
                " refcount=%" PRIu64 "\n", f->fix ? "Repairing" : "ERROR", e,
                count);
        count_flag(f);
        buf[i * s->entry_words] = cpu_to_be64(e ^ QCOW2_COPIED);
        changed = true;
    }
    if (!changed || !f->fix) {
        return 0;
    }
    ret = qcow2_overlap_check(bs, QCOW2_SECTION_ACTIVE_L2, table,
                              s->cluster_size);
    return ret < 0 ? ret
        : bdrv_co_pwrite(bs->file, table, s->cluster_size, buf, 0);
}

static int coroutine_fn check_flags(FlagCheck *f)
{
    BlockDriverState *bs = f->bs;
    Qcow2State *s = bs->opaque;
    void *buf = qemu_blockalign(bs->file->bs, s->cluster_size);
    uint64_t count;
    uint32_t i;
    int ret = 0;

    for (i = 0; i < s->hdr.l1_size && ret >= 0; i++) {
        uint64_t e = s->l1[i], table = e & QCOW2_ENTRY_OFFSET;

        if (!table || qcow2_in_cluster(s, table)) {
            continue;
        }
        if (flag_is_wrong(f, e, &count)) {
            fprintf(stderr, "%s OFLAG_COPIED L2 cluster: l1_index=%" PRIu32
                    " l1_entry=%" PRIx64 " refcount=%" PRIu64 "\n",
                    f->fix ? "Repairing" : "ERROR", i, e, count);
            count_flag(f);
            if (f->fix) {
                s->l1[i] = e ^ QCOW2_COPIED;
                qcow2_l1_dirty(s, i);
            }
        }
        if (table < (uint64_t)s->file_end) {
            ret = check_l2_flags(f, table, buf);
        }
    }
    qemu_vfree(buf);
    return ret < 0 ? ret : 0;
}

/* ---- All together ---- */

static int coroutine_fn check_counts(Qcow2Check *c, BdrvCheckResult *res,
                                     BdrvCheckMode fix)
{
    Compare cmp = { .c = c, .res = res };
    BdrvCheckResult before = *res;
    int ret;

    /* Look first: whether they can be corrected one by one shows then. */
    ret = compare_counts(&cmp);
    res->image_end_offset = (cmp.highest + 1) <<
                            ((Qcow2State *)c->bs->opaque)->cluster_bits;
    if (ret < 0 || !fix) {
        return ret;
    }
    if (cmp.rebuild || c->refs_damaged) {
        if (!(fix & BDRV_FIX_ERRORS)) {
            fprintf(stderr, "ERROR need to rebuild refcount structures\n");
            return -EIO;
        }
        fprintf(stderr, "Rebuilding refcount structure\n");
        ret = rebuild_refs(c);
        if (ret < 0) {
            restore_header(c->bs);
            error_report("ERROR writing refblock: %s", strerror(-ret));
            return ret;
        }
        res->corruptions_fixed += res->corruptions - before.corruptions +
                                  c->refs_damaged;
        res->leaks_fixed += res->leaks - before.leaks;
        res->corruptions = before.corruptions - c->refs_damaged;
        res->leaks = before.leaks;
        res->check_errors = before.check_errors;
        return free_old_refs(c->bs, res);
    }
    if (res->leaks == before.leaks && res->corruptions == before.corruptions) {
        return 0;
    }
    *res = before;
    cmp = (Compare) {
        .c = c,
        .res = res,
        .fix_leaks = true,
        .fix_errors = fix & BDRV_FIX_ERRORS,
    };
    ret = compare_counts(&cmp);
    res->image_end_offset = (cmp.highest + 1) <<
                            ((Qcow2State *)c->bs->opaque)->cluster_bits;
    return ret;
}

/* What was repaired is on the disk; the marks in the header can go. */
static int coroutine_fn conclude(BlockDriverState *bs, BdrvCheckResult *res,
                                 BdrvCheckMode fix)
{
    Qcow2State *s = bs->opaque;
    int ret;

    s->free_hint = 0;
    ret = qcow2_sync(bs);
    qcow2_cache_clear(s->l2_cache);
    if (ret == 0 && (fix & BDRV_FIX_ERRORS) && !res->corruptions &&
        !res->check_errors) {
        ret = qcow2_mark_clean(bs);
        if (ret == 0 && (s->hdr.incompatible & QCOW2_INCOMPAT_CORRUPT)) {
            s->hdr.incompatible &= ~QCOW2_INCOMPAT_CORRUPT;
            ret = qcow2_header_write_features(bs);
        }
    }
    return ret;
}

int coroutine_fn qcow2_check_locked(BlockDriverState *bs, BdrvCheckResult *res,
                                    BdrvCheckMode fix)
{
    FlagCheck flags = { .bs = bs, .res = res };
    Qcow2State *s = bs->opaque;
    Qcow2Check c;
    int ret = 0;

    if (qcow2_is_open_rw(bs)) {
        ret = qcow2_sync(bs);
        if (ret < 0) {
            return ret;
        }
        qcow2_cache_clear(s->l2_cache);
    }
    qcow2_check_init(&c, bs, res, false);
    ret = qcow2_check_count_all(&c);
    if (ret == 0) {
        ret = check_counts(&c, res, fix);
    }
    qcow2_check_clear(&c);
    if (ret == 0) {
        flags.fix = (fix & BDRV_FIX_ERRORS) ||
                    ((fix & BDRV_FIX_LEAKS) && !res->corruptions &&
                     !res->check_errors && !res->leaks);
        ret = check_flags(&flags);
    }
    if (fix && qcow2_is_open_rw(bs)) {
        int ret2 = conclude(bs, res, fix);

        ret = ret < 0 ? ret : ret2;
    }
    return ret;
}

int coroutine_fn qcow2_co_check(BlockDriverState *bs, BdrvCheckResult *result,
                                BdrvCheckMode fix)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    qemu_co_mutex_lock(&s->lock);
    ret = qcow2_check_locked(bs, result, fix);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}
