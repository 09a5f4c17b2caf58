/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: is a place that is about to be written metadata of another kind?  A
 * damaged image may have handed it out twice.
 *
 * Tables with a place of their own are compared with the range.  L2 tables and
 * refcount blocks are clusters of which there may be very many: they are
 * looked up in a hash table (->meta_clusters: cluster number to section).
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"

static const char *section_name(Qcow2Section section)
{
    switch (section) {
    case QCOW2_SECTION_HEADER:
        return "qcow2_header";
    case QCOW2_SECTION_ACTIVE_L1:
        return "active L1 table";
    case QCOW2_SECTION_ACTIVE_L2:
        return "active L2 table";
    case QCOW2_SECTION_REFBLOCK:
        return "refcount block";
    case QCOW2_SECTION_REFTABLE:
        return "refcount table";
    case QCOW2_SECTION_SNAPSHOT_TABLE:
        return "snapshot table";
    case QCOW2_SECTION_INACTIVE_L1:
        return "inactive L1 table";
    case QCOW2_SECTION_INACTIVE_L2:
        return "inactive L2 table";
    case QCOW2_SECTION_BITMAP_DIRECTORY:
        return "bitmap directory";
    }
    g_assert_not_reached();
}

/* ---- Clusters of metadata ---- */

static inline gpointer cluster_key(const Qcow2State *s, uint64_t offset)
{
    return (gpointer)(uintptr_t)(offset >> s->cluster_bits);
}

void qcow2_overlap_add(Qcow2State *s, uint64_t offset, Qcow2Section section)
{
    if (offset) {
        g_hash_table_insert(s->meta_clusters, cluster_key(s, offset),
                            GUINT_TO_POINTER(section));
    }
}

void qcow2_overlap_remove(Qcow2State *s, uint64_t offset)
{
    g_hash_table_remove(s->meta_clusters, cluster_key(s, offset));
}

void qcow2_overlap_rebuild(Qcow2State *s)
{
    uint64_t i;

    if (s->meta_clusters) {
        g_hash_table_remove_all(s->meta_clusters);
    } else {
        s->meta_clusters = g_hash_table_new(g_direct_hash, g_direct_equal);
    }
    for (i = 0; i < s->hdr.l1_size; i++) {
        qcow2_overlap_add(s, s->l1[i] & QCOW2_ENTRY_OFFSET,
                          QCOW2_SECTION_ACTIVE_L2);
    }
    for (i = 0; i < s->reftable_size; i++) {
        qcow2_overlap_add(s, s->reftable[i] & QCOW2_REFTABLE_OFFSET,
                          QCOW2_SECTION_REFBLOCK);
    }
}

static unsigned hit_clusters(Qcow2State *s, unsigned mask, uint64_t offset,
                             uint64_t bytes)
{
    uint64_t c = offset >> s->cluster_bits;
    uint64_t last = (offset + bytes - 1) >> s->cluster_bits;

    for (; c <= last; c++) {
        gpointer v = g_hash_table_lookup(s->meta_clusters,
                                         (gpointer)(uintptr_t)c);

        if (GPOINTER_TO_UINT(v) & mask) {
            return GPOINTER_TO_UINT(v) & mask;
        }
    }
    return 0;
}

/* ---- Tables ---- */

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a_len && b_len && a < b + b_len && b < a + a_len;
}

/* One section for which the table at @table stands, or 0. */
static unsigned hit_tables(BlockDriverState *bs, unsigned mask,
                           uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    const struct {
        Qcow2Section section;
        uint64_t offset;
        uint64_t bytes;
    } tables[] = {
        { QCOW2_SECTION_HEADER, 0, s->cluster_size },
        { QCOW2_SECTION_ACTIVE_L1, s->hdr.l1_offset,
          s->hdr.l1_size * sizeof(uint64_t) },
        { QCOW2_SECTION_REFTABLE, s->hdr.reftable_offset,
          s->reftable_size * sizeof(uint64_t) },
        { QCOW2_SECTION_SNAPSHOT_TABLE, s->hdr.snapshots_offset,
          s->snapshots_bytes },
        { QCOW2_SECTION_BITMAP_DIRECTORY, s->bitmaps.directory_offset,
          s->bitmaps.nb_bitmaps ? s->bitmaps.directory_size : 0 },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(tables); i++) {
        if ((mask & tables[i].section) &&
            overlaps(offset, bytes, tables[i].offset, tables[i].bytes)) {
            return tables[i].section;
        }
    }
    return 0;
}

/* Result: section, 0 or -errno. */
static int coroutine_fn hit_snapshots(BlockDriverState *bs, unsigned mask,
                                      uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    unsigned i;
    uint32_t j;

    for (i = 0; i < s->nb_snapshots; i++) {
        Qcow2Snapshot *sn = &s->snapshots[i];

        if ((mask & QCOW2_SECTION_INACTIVE_L1) &&
            overlaps(offset, bytes, sn->l1_offset,
                     sn->l1_size * sizeof(uint64_t))) {
            return QCOW2_SECTION_INACTIVE_L1;
        }
        if (mask & QCOW2_SECTION_INACTIVE_L2) {
            g_autofree uint64_t *l1 = NULL;
            int ret = qcow2_read_l1(bs, sn->l1_offset, sn->l1_size, &l1);

            if (ret < 0) {
                return ret;
            }
            for (j = 0; j < sn->l1_size; j++) {
                uint64_t l2 = l1[j] & QCOW2_ENTRY_OFFSET;

                if (l2 && overlaps(offset, bytes, l2, s->cluster_size)) {
                    return QCOW2_SECTION_INACTIVE_L2;
                }
            }
        }
    }
    return 0;
}

int coroutine_fn qcow2_overlap_check(BlockDriverState *bs, unsigned ignore,
                                     uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = bs->opaque;
    unsigned mask = s->opt.overlap_checks & ~ignore;
    int hit = 0;

    if (!mask || !bytes) {
        return 0;
    }
    hit = hit_tables(bs, mask, offset, bytes);
    if (!hit && (mask & (QCOW2_SECTION_ACTIVE_L2 | QCOW2_SECTION_REFBLOCK))) {
        hit = hit_clusters(s, mask, offset, bytes);
    }
    if (!hit && s->nb_snapshots && (mask & (QCOW2_SECTION_INACTIVE_L1 |
                                            QCOW2_SECTION_INACTIVE_L2))) {
        hit = hit_snapshots(bs, mask, offset, bytes);
    }
    if (hit < 0) {
        return hit;
    }
    if (hit) {
        qcow2_corrupt(bs, true, offset, bytes, "Preventing invalid write on "
                      "metadata (overlaps with %s)", section_name(hit));
        return -EIO;
    }
    return 0;
}
