/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: counting what refers to host clusters, for the check of an image.
 *
 * Counts are kept in pages, so that memory is used for what is in the file and
 * not for its length.
 */
#include "qemu/osdep.h"
#include "block/qcow2-check.h"

/* ---- Pages ---- */

void qcow2_check_init(Qcow2Check *c, BlockDriverState *bs,
                      BdrvCheckResult *res, bool quiet)
{
    *c = (Qcow2Check) {
        .bs = bs,
        .res = res,
        .quiet = quiet,
        .pages = g_hash_table_new_full(NULL, NULL, NULL, g_free),
    };
}

void qcow2_check_clear(Qcow2Check *c)
{
    g_clear_pointer(&c->pages, g_hash_table_destroy);
}

static gpointer page_key(uint64_t cluster)
{
    return (gpointer)(uintptr_t)(cluster / QCOW2_CHECK_PAGE);
}

uint64_t qcow2_check_count(Qcow2Check *c, uint64_t cluster)
{
    uint32_t *page = g_hash_table_lookup(c->pages, page_key(cluster));

    return page ? page[cluster % QCOW2_CHECK_PAGE] : 0;
}

void qcow2_check_add(Qcow2Check *c, uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = c->bs->opaque;
    uint64_t i = offset >> s->cluster_bits;
    uint64_t end = qcow2_clusters(s, offset + bytes);

    for (; i < end; i++) {
        uint32_t *page = g_hash_table_lookup(c->pages, page_key(i));

        if (!page) {
            page = g_new0(uint32_t, QCOW2_CHECK_PAGE);
            g_hash_table_insert(c->pages, page_key(i), page);
        }
        page[i % QCOW2_CHECK_PAGE]++;
    }
}

static int compare_u64(gconstpointer a, gconstpointer b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

GArray *qcow2_check_pages(Qcow2Check *c)
{
    Qcow2State *s = c->bs->opaque;
    uint64_t per_region = MAX((1ULL << s->refblock_bits) / QCOW2_CHECK_PAGE,
                              1);
    uint64_t max_page = c->file_clusters / QCOW2_CHECK_PAGE;
    GArray *list = g_array_new(false, false, sizeof(uint64_t));
    GHashTableIter it;
    gpointer key;
    uint64_t i, k, page;
    guint n, kept;

    g_hash_table_iter_init(&it, c->pages);
    while (g_hash_table_iter_next(&it, &key, NULL)) {
        page = (uintptr_t)key;
        g_array_append_val(list, page);
    }
    for (i = 0; i < s->reftable_size; i++) {
        page = (i << s->refblock_bits) / QCOW2_CHECK_PAGE;
        if (!(s->reftable[i] & QCOW2_REFTABLE_OFFSET) || page > max_page) {
            continue;
        }
        for (k = 0; k < per_region && page <= max_page; k++, page++) {
            g_array_append_val(list, page);
        }
    }
    g_array_sort(list, compare_u64);
    for (n = 0, kept = 0; n < list->len; n++) {
        page = g_array_index(list, uint64_t, n);
        if (!n || page != g_array_index(list, uint64_t, kept - 1)) {
            g_array_index(list, uint64_t, kept++) = page;
        }
    }
    g_array_set_size(list, kept);
    return list;
}

/* ---- References ---- */

static void G_GNUC_PRINTF(2, 3) corruption(Qcow2Check *c, const char *fmt, ...)
{
    va_list ap;

    c->res->corruptions++;
    if (!c->quiet) {
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
    }
}

/* A range in the file; what is far behind its end is an error. */
static void count_range(Qcow2Check *c, uint64_t offset, uint64_t bytes)
{
    Qcow2State *s = c->bs->opaque;

    if (!bytes) {
        return;
    }
    if (offset + bytes < offset ||
        offset + bytes > (c->file_clusters + 1) << s->cluster_bits ||
        offset >> s->cluster_bits >= c->file_clusters) {
        corruption(c, "ERROR: counting reference for region exceeding the end "
                   "of the file by one cluster or more: offset 0x%" PRIx64
                   " size 0x%" PRIx64 "\n", offset, bytes);
        return;
    }
    qcow2_check_add(c, offset, bytes);
}

static int coroutine_fn count_for_bitmaps(void *opaque, uint64_t offset,
                                          uint64_t bytes)
{
    count_range(opaque, offset, bytes);
    return 0;
}

/* ---- Data ---- */

/* One L1 table and what is below. */
typedef struct Tree {
    Qcow2Check *c;
    bool active;                /* it also tells about fragmentation */
    uint64_t next_host;
    uint64_t *buf;              /* an L2 table */
} Tree;

static void note_fragments(Tree *t, uint64_t host, bool compressed)
{
    Qcow2State *s = t->c->bs->opaque;
    BlockFragInfo *bfi = &t->c->res->bfi;

    if (!t->active) {
        return;
    }
    bfi->allocated_clusters++;
    if (compressed) {
        bfi->compressed_clusters++;
        bfi->fragmented_clusters++;
        return;
    }
    if (t->next_host && host != t->next_host) {
        bfi->fragmented_clusters++;
    }
    t->next_host = host + s->cluster_size;
}

static void count_compressed(Tree *t, uint64_t e)
{
    Qcow2State *s = t->c->bs->opaque;
    uint64_t host, bytes;

    if (qcow2_has_data_file(t->c->bs)) {
        corruption(t->c, "ERROR compressed cluster %" PRIx64 " found in image "
                   "with external data file\n", e);
        return;
    }
    if (e & QCOW2_COPIED) {
        corruption(t->c, "ERROR: coffset=%" PRIx64 ": copied flag must never "
                   "be set for compressed clusters\n",
                   (uint64_t)(e & QCOW2_ENTRY_OFFSET));
    }
    qcow2_compressed_place(s, e, &host, &bytes);
    count_range(t->c, QEMU_ALIGN_DOWN(host, QCOW2_SECTOR), bytes +
                host % QCOW2_SECTOR);
    note_fragments(t, host, true);
}

static void count_entry(Tree *t, Qcow2Entry entry)
{
    BlockDriverState *bs = t->c->bs;
    Qcow2State *s = bs->opaque;
    uint64_t host = entry.e & QCOW2_ENTRY_OFFSET;
    uint64_t reserved = QCOW2_L2_RESERVED;

    if (entry.e & QCOW2_COMPRESSED_FLAG) {
        count_compressed(t, entry.e);
        return;
    }
    if (qcow2_has_subclusters(s)) {
        uint32_t allocated = entry.bitmap, zero = entry.bitmap >> 32;

        reserved |= QCOW2_ZERO_FLAG;
        if ((allocated & zero) || (allocated && !host &&
                                   !qcow2_has_data_file(bs))) {
            corruption(t->c, "ERROR offset=%" PRIx64 ": Allocated subclusters "
                       "are not valid: bitmap %" PRIx64 "\n", host,
                       entry.bitmap);
        }
    }
    if (entry.e & reserved) {
        corruption(t->c, "ERROR found l2 entry with reserved bits set: %"
                   PRIx64 "\n", entry.e);
    }
    if (!host && !(qcow2_has_data_file(bs) && (entry.e & QCOW2_COPIED))) {
        return;
    }
    if (qcow2_in_cluster(s, host)) {
        corruption(t->c, "ERROR offset=%" PRIx64 ": %s cluster is not "
                   "properly aligned; L2 entry corrupted.\n", host,
                   !qcow2_has_subclusters(s) && (entry.e & QCOW2_ZERO_FLAG)
                   ? "Preallocated zero" : "Data");
    }
    note_fragments(t, host, false);
    if (!qcow2_has_data_file(bs)) {
        count_range(t->c, host, s->cluster_size);
    }
}

static void coroutine_fn count_l2(Tree *t, uint64_t table)
{
    BlockDriverState *bs = t->c->bs;
    Qcow2State *s = bs->opaque;
    unsigned n = 1U << s->l2_bits, i;
    int ret;

    ret = bdrv_co_pread(bs->file, table, s->cluster_size, t->buf, 0);
    if (ret < 0) {
        fprintf(stderr, "ERROR: I/O error in check_refcounts_l2\n");
        t->c->res->check_errors++;
        return;
    }
    for (i = 0; i < n; i++) {
        Qcow2Entry entry = { .e = be64_to_cpu(t->buf[i * s->entry_words]) };

        if (s->entry_words == 2) {
            entry.bitmap = be64_to_cpu(t->buf[i * 2 + 1]);
        }
        count_entry(t, entry);
    }
}

static int coroutine_fn count_tree(Qcow2Check *c, uint64_t l1_offset,
                                   const uint64_t *l1, uint32_t l1_size,
                                   bool active)
{
    Qcow2State *s = c->bs->opaque;
    Tree t = {
        .c = c,
        .active = active,
        .buf = qemu_try_blockalign(c->bs->file->bs, s->cluster_size),
    };
    uint32_t i;

    if (!t.buf) {
        return -ENOMEM;
    }
    count_range(c, l1_offset, l1_size * sizeof(uint64_t));
    for (i = 0; i < l1_size; i++) {
        uint64_t table = l1[i] & QCOW2_ENTRY_OFFSET;

        if (!table) {
            continue;
        }
        if (l1[i] & QCOW2_L1_RESERVED) {
            corruption(c, "ERROR found L1 entry with reserved bits set: %"
                       PRIx64 "\n", l1[i]);
        }
        if (qcow2_in_cluster(s, table)) {
            corruption(c, "ERROR l2_offset=%" PRIx64 ": Table is not cluster "
                       "aligned; L1 entry corrupted\n", table);
        }
        count_range(c, table, s->cluster_size);
        if (table >> s->cluster_bits < c->file_clusters) {
            count_l2(&t, table);
        }
    }
    qemu_vfree(t.buf);
    return 0;
}

static int coroutine_fn count_snapshots(Qcow2Check *c)
{
    Qcow2State *s = c->bs->opaque;
    unsigned i;
    int ret = 0;

    for (i = 0; i < s->nb_snapshots && ret == 0; i++) {
        Qcow2Snapshot *sn = &s->snapshots[i];
        g_autofree uint64_t *l1 = NULL;

        ret = qcow2_read_l1(c->bs, sn->l1_offset, sn->l1_size, &l1);
        if (ret < 0) {
            fprintf(stderr, "ERROR snapshot %s (%s) l1_offset=%#" PRIx64 ": "
                    "L1 table can't be read: %s\n", sn->id, sn->name,
                    sn->l1_offset, strerror(-ret));
            c->res->check_errors++;
            return ret;
        }
        ret = count_tree(c, sn->l1_offset, l1, sn->l1_size, false);
    }
    count_range(c, s->hdr.snapshots_offset, s->snapshots_bytes);
    return ret;
}

/* ---- The reference counts themselves ---- */

static void count_refs(Qcow2Check *c)
{
    Qcow2State *s = c->bs->opaque;
    uint64_t i;

    count_range(c, s->hdr.reftable_offset,
                s->reftable_size * sizeof(uint64_t));
    for (i = 0; i < s->reftable_size; i++) {
        uint64_t block = s->reftable[i] & QCOW2_REFTABLE_OFFSET;

        if (s->reftable[i] & ~QCOW2_REFTABLE_OFFSET) {
            corruption(c, "ERROR refcount table entry %" PRIu64 " has "
                       "reserved bits set\n", i);
            c->refs_damaged++;
        }
        if (!block) {
            continue;
        }
        if (qcow2_in_cluster(s, block)) {
            corruption(c, "ERROR refcount block %" PRIu64 " is not cluster "
                       "aligned; refcount table entry corrupted\n", i);
        } else if (block >> s->cluster_bits >= c->file_clusters) {
            corruption(c, "ERROR refcount block %" PRIu64 " is outside "
                       "image\n", i);
        } else {
            qcow2_check_add(c, block, s->cluster_size);
            if (qcow2_check_count(c, block >> s->cluster_bits) == 1) {
                continue;
            }
            corruption(c, "ERROR refcount block %" PRIu64 " refcount=%"
                       PRIu64 "\n", i,
                       qcow2_check_count(c, block >> s->cluster_bits));
        }
        c->refs_damaged++;
    }
}

int coroutine_fn qcow2_check_count_all(Qcow2Check *c)
{
    BlockDriverState *bs = c->bs;
    Qcow2State *s = bs->opaque;
    int64_t length = bdrv_getlength(bs->file->bs);
    int ret;

    if (length < 0) {
        c->res->check_errors++;
        return length;
    }
    c->file_clusters = qcow2_clusters(s, length);
    c->res->bfi.total_clusters = qcow2_clusters(s, s->hdr.size);
    count_range(c, 0, s->cluster_size);
    ret = count_tree(c, s->hdr.l1_offset, s->l1, s->hdr.l1_size, true);
    if (ret == 0) {
        ret = count_snapshots(c);
    }
    if (ret == 0) {
        ret = qcow2_bitmaps_count(bs, c->res, count_for_bitmaps, c);
    }
    if (ret == 0 && s->crypto_offset) {
        count_range(c, s->crypto_offset, s->crypto_length);
    }
    if (ret == 0) {
        count_refs(c);
    }
    return ret;
}
