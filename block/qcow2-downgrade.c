/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: what an image of version 3 has to lose to be one of version 2.
 *
 * Version 2 has no zero clusters.  Without a backing file they read the same
 * if they are not allocated; else they become clusters full of zeroes.  An L2
 * table may be shared by snapshots, and then its entries stand for as many
 * references as the table itself has.
 *
 * Order: new clusters and their counts are on the disk before the table that
 * refers to them; what a table does not refer to any more is freed after it.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "qapi/error.h"

bool qcow2_can_downgrade(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    /* An image that is marked as dirty is going to be cleaned. */
    uint64_t features = s->hdr.incompatible & ~QCOW2_INCOMPAT_DIRTY;

    if (qcow2_has_data_file(bs)) {
        error_setg(errp, "Cannot downgrade an image with a data file");
        return false;
    }
    if (features) {
        error_setg(errp, "Cannot downgrade an image with incompatible "
                   "features %#" PRIx64 " set", features);
        return false;
    }
    if (s->crypto && s->backing_name && *s->backing_name) {
        error_setg(errp, "Cannot downgrade an encrypted image with a backing "
                   "file");
        return false;
    }
    if (s->bitmaps.nb_bitmaps) {
        error_setg(errp, "Cannot downgrade an image with bitmaps");
        error_append_hint(errp, "You can use 'qemu-img bitmap --remove' "
                          "first.\n");
        return false;
    }
    return true;
}

typedef struct Expand {
    BlockDriverState *bs;
    bool has_backing;
    GHashTable *seen;           /* offsets of tables */
    /* The table at hand */
    uint64_t *buf;
    uint64_t refs;              /* references to it */
    GArray *gained;             /* offsets of clusters, one for a reference */
    GArray *lost;
} Expand;

static void note_refs(GArray *list, uint64_t host, uint64_t refs)
{
    for (; host && refs > 0; refs--) {
        g_array_append_val(list, host);
    }
}

/* A cluster with as many references as the table; offset or -errno. */
static int64_t coroutine_fn alloc_shared(Expand *x)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    int64_t host = qcow2_alloc_bytes(bs, s->cluster_size);
    uint64_t i;
    int ret = 0;

    if (host >= 0) {
        note_refs(x->gained, host, 1);
    }
    for (i = 1; host >= 0 && i < x->refs && ret == 0; i++) {
        ret = qcow2_refcount_add(bs, host >> s->cluster_bits, 1, 1,
                                 QCOW2_FREE_NEVER);
        if (ret == 0) {
            note_refs(x->gained, host, 1);
        }
    }
    return ret < 0 ? ret : host;
}

/* The entry in place of @e, which is one of zeroes. */
static int coroutine_fn expand_entry(Expand *x, uint64_t *e)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    uint64_t old = *e & QCOW2_ENTRY_OFFSET, count = 0;
    int64_t host = old;
    int ret = 0;

    if (!x->has_backing) {
        note_refs(x->lost, old, x->refs);
        *e = 0;
        return 0;
    }
    if (old) {
        ret = qcow2_refcount(bs, old >> s->cluster_bits, &count);
    }
    if (ret == 0 && (!old || count != x->refs)) {
        /* None, or one that others use as well. */
        host = alloc_shared(x);
        ret = MIN(host, 0);
    }
    if (ret == 0) {
        ret = qcow2_overlap_check(bs, 0, host, s->cluster_size);
    }
    if (ret < 0) {
        return ret;
    }
    qcow2_host_written(s, host + s->cluster_size);
    ret = bdrv_co_pwrite_zeroes(bs->file, host, s->cluster_size, 0);
    if (ret < 0) {
        return ret;
    }
    if (host != old) {
        note_refs(x->lost, old, x->refs);
    }
    *e = host | (x->refs == 1 ? QCOW2_COPIED : 0);
    return 0;
}

static int coroutine_fn write_table(Expand *x, uint64_t table)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    int ret = qcow2_write_refs(bs);

    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret == 0) {
        ret = qcow2_overlap_check(bs, QCOW2_SECTION_ACTIVE_L2 |
                                  QCOW2_SECTION_INACTIVE_L2, table,
                                  s->cluster_size);
    }
    if (ret < 0) {
        return ret;
    }
    s->maps_unstable = true;
    ret = bdrv_co_pwrite(bs->file, table, s->cluster_size, x->buf, 0);
    if (ret < 0) {
        /* It may refer to either, now. */
        g_array_set_size(x->gained, 0);
        g_array_set_size(x->lost, 0);
    }
    return ret;
}

/* The table is written, or it is not: who loses references? */
static int coroutine_fn settle(Expand *x, int ret)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    GArray *list = ret < 0 ? x->gained : x->lost;
    guint i;

    for (i = 0; i < list->len; i++) {
        qcow2_free_later(bs, g_array_index(list, uint64_t, i),
                         s->cluster_size, QCOW2_FREE_OTHER);
    }
    g_array_set_size(x->gained, 0);
    g_array_set_size(x->lost, 0);
    return ret < 0 ? ret : qcow2_limit_frees(bs);
}

static int coroutine_fn expand_table(Expand *x, uint64_t table)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    bool changed = false;
    uint64_t e;
    unsigned i;
    int ret;

    if (qcow2_in_cluster(s, table)) {
        return -EIO;
    }
    ret = qcow2_refcount(bs, table >> s->cluster_bits, &x->refs);
    if (ret == 0) {
        ret = bdrv_co_pread(bs->file, table, s->cluster_size, x->buf, 0);
    }
    for (i = 0; i < 1U << s->l2_bits && ret >= 0; i++) {
        e = be64_to_cpu(x->buf[i]);
        if (!(e & QCOW2_COMPRESSED_FLAG) && (e & QCOW2_ZERO_FLAG)) {
            ret = expand_entry(x, &e);
            x->buf[i] = cpu_to_be64(e);
            changed = true;
        }
    }
    if (ret >= 0 && changed) {
        ret = write_table(x, table);
    }
    return settle(x, ret);
}

static int coroutine_fn expand_tree(Expand *x, const uint64_t *l1,
                                    uint32_t entries)
{
    uint32_t i;
    int ret = 0;

    for (i = 0; i < entries && ret >= 0; i++) {
        uint64_t table = l1[i] & QCOW2_ENTRY_OFFSET;

        if (table && g_hash_table_add(x->seen, (gpointer)(uintptr_t)table)) {
            ret = expand_table(x, table);
        }
    }
    return ret;
}

static int coroutine_fn expand_all(Expand *x)
{
    BlockDriverState *bs = x->bs;
    Qcow2State *s = bs->opaque;
    unsigned i;
    int ret;

    ret = qcow2_sync(bs);
    if (ret < 0) {
        return ret;
    }
    /* Tables are changed behind its back. */
    qcow2_cache_clear(s->l2_cache);
    ret = expand_tree(x, s->l1, s->hdr.l1_size);
    for (i = 0; i < s->nb_snapshots && ret >= 0; i++) {
        g_autofree uint64_t *l1 = NULL;

        ret = qcow2_read_l1(bs, s->snapshots[i].l1_offset,
                            s->snapshots[i].l1_size, &l1);
        if (ret == 0) {
            ret = expand_tree(x, l1, s->snapshots[i].l1_size);
        }
    }
    return ret < 0 ? ret : qcow2_sync(bs);
}

int coroutine_fn qcow2_expand_zero_clusters(BlockDriverState *bs, Error **errp)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    Qcow2State *s = bs->opaque;
    Expand x = {
        .bs = bs,
        .seen = seen,
        .buf = qemu_blockalign(bs->file->bs, s->cluster_size),
        .has_backing = s->backing_name && *s->backing_name,
        .gained = g_array_new(false, false, sizeof(uint64_t)),
        .lost = g_array_new(false, false, sizeof(uint64_t)),
    };
    int ret = expand_all(&x);

    g_array_free(x.gained, true);
    g_array_free(x.lost, true);
    qemu_vfree(x.buf);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to replace the zero clusters of "
                         "'%s'", bs->filename);
    }
    return MIN(ret, 0);
}
