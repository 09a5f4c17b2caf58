/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: taking, reverting to and deleting internal snapshots.
 *
 * A snapshot is a copy of the L1 table; everything below is shared with the
 * disk until it is written to, which reference counts tell.
 *
 * Order on the disk: counts go up before a table refers to clusters once more,
 * and down after no table does.  A crash in between leaks clusters.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "block/snapshot.h"
#include "qapi/error.h"

/* ---- Everything below an L1 table ---- */

/* Adding to counts, run by run; it can be undone. */
typedef struct RefWalk {
    BlockDriverState *bs;
    int delta;
    uint64_t done;              /* clusters counted so far */
    uint64_t limit;             /* stop after that many */
    uint64_t run_first;
    uint64_t run_count;
} RefWalk;

static int coroutine_fn walk_flush(RefWalk *w)
{
    uint64_t count = MIN(w->run_count, w->limit - w->done);
    int ret = 0;

    if (count && w->delta) {
        if (w->delta > 0) {
            ret = qcow2_refcount_add(w->bs, w->run_first, count, 1,
                                     QCOW2_FREE_NEVER);
        } else {
            Qcow2State *s = w->bs->opaque;

            qcow2_free_later(w->bs, w->run_first << s->cluster_bits,
                             count << s->cluster_bits, QCOW2_FREE_SNAPSHOT);
        }
    }
    if (ret == 0) {
        w->done += count;
    }
    w->run_count = 0;
    return ret;
}

static int coroutine_fn walk_add(RefWalk *w, uint64_t first, uint64_t count)
{
    int ret = 0;

    if (w->run_count && w->run_first + w->run_count == first) {
        w->run_count += count;
        return 0;
    }
    ret = walk_flush(w);
    w->run_first = first;
    w->run_count = count;
    return ret;
}

/* The clusters that entry @e of a slice refers to. */
static int coroutine_fn walk_entry(RefWalk *w, uint64_t e)
{
    Qcow2State *s = w->bs->opaque;
    uint64_t host = e & QCOW2_ENTRY_OFFSET, bytes = s->cluster_size;

    if (e & QCOW2_COMPRESSED_FLAG) {
        qcow2_compressed_place(s, e, &host, &bytes);
        host = QEMU_ALIGN_DOWN(host, QCOW2_SECTOR);
    } else if (!host || qcow2_has_data_file(w->bs)) {
        return 0;
    } else if (qcow2_in_cluster(s, host)) {
        qcow2_corrupt(w->bs, true, -1, -1, "Cluster allocation offset %#"
                      PRIx64 " unaligned", host);
        return -EIO;
    }
    return walk_add(w, host >> s->cluster_bits,
                    qcow2_clusters(s, host + bytes) -
                    (host >> s->cluster_bits));
}

static int coroutine_fn walk_table(RefWalk *w, uint64_t table)
{
    Qcow2State *s = w->bs->opaque;
    uint64_t pos;
    int ret = 0;

    for (pos = 0; pos < s->cluster_size && ret == 0;
         pos += s->opt.slice_size) {
        Qcow2Slice *l2;
        unsigned i;

        ret = qcow2_cache_get(s->l2_cache, table + pos, &l2);
        if (ret < 0) {
            return ret;
        }
        for (i = 0; i < 1U << s->slice_bits && ret == 0; i++) {
            ret = walk_entry(w, qcow2_entry_get(s, l2, i).e);
        }
        qcow2_cache_put(l2);
    }
    return ret;
}

static int coroutine_fn walk_tree(RefWalk *w, const uint64_t *l1,
                                  uint32_t l1_size)
{
    Qcow2State *s = w->bs->opaque;
    uint32_t i;
    int ret = 0;

    for (i = 0; i < l1_size && ret == 0 && w->done < w->limit; i++) {
        uint64_t table = l1[i] & QCOW2_ENTRY_OFFSET;

        if (!table) {
            continue;
        }
        if (qcow2_in_cluster(s, table)) {
            qcow2_corrupt(w->bs, true, -1, -1, "L2 table offset %#" PRIx64
                          " unaligned (L1 index: %#" PRIx32 ")", table, i);
            return -EIO;
        }
        ret = w->delta < 0 ? qcow2_limit_frees(w->bs) : 0;
        if (ret == 0) {
            ret = walk_table(w, table);
        }
        if (ret == 0) {
            ret = walk_add(w, table >> s->cluster_bits, 1);
        }
    }
    return ret < 0 ? ret : walk_flush(w);
}

/* All clusters below @l1 get one more user; none if it fails. */
static int coroutine_fn ref_tree(BlockDriverState *bs, const uint64_t *l1,
                                 uint32_t l1_size)
{
    RefWalk w = { .bs = bs, .delta = 1, .limit = UINT64_MAX };
    int ret = walk_tree(&w, l1, l1_size);

    if (ret < 0 && w.done) {
        RefWalk undo = { .bs = bs, .delta = -1, .limit = w.done };

        walk_tree(&undo, l1, l1_size);
    }
    return ret;
}

/* One less, once no table on the disk refers to them. */
static int coroutine_fn unref_tree(BlockDriverState *bs, const uint64_t *l1,
                                   uint32_t l1_size)
{
    RefWalk w = { .bs = bs, .delta = -1, .limit = UINT64_MAX };

    return walk_tree(&w, l1, l1_size);
}

/* ---- The flags that say "refcount is one" ---- */

/* What @e should be like. */
static int coroutine_fn with_copied(BlockDriverState *bs, uint64_t *e)
{
    Qcow2State *s = bs->opaque;
    uint64_t host = *e & QCOW2_ENTRY_OFFSET, count;
    int ret;

    if (!host || (*e & QCOW2_COMPRESSED_FLAG)) {
        return 0;
    }
    ret = qcow2_refcount(bs, host >> s->cluster_bits, &count);
    if (ret == 0) {
        *e = count == 1 ? *e | QCOW2_COPIED : *e & ~QCOW2_COPIED;
    }
    return ret;
}

static int coroutine_fn refresh_slice(BlockDriverState *bs, Qcow2Slice *l2)
{
    Qcow2State *s = bs->opaque;
    unsigned i;

    for (i = 0; i < 1U << s->slice_bits; i++) {
        Qcow2Entry entry = qcow2_entry_get(s, l2, i);
        uint64_t old = entry.e;
        int ret = qcow2_has_data_file(bs) ? 0 : with_copied(bs, &entry.e);

        if (ret < 0) {
            return ret;
        }
        if (entry.e != old) {
            qcow2_entry_set(s, l2, i, entry);
        }
    }
    return 0;
}

/* The active L1 table and all below it. */
static int coroutine_fn refresh_copied(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos;
    uint32_t i;
    int ret;

    for (i = 0; i < s->hdr.l1_size; i++) {
        uint64_t e = s->l1[i], table = e & QCOW2_ENTRY_OFFSET;

        if (!table) {
            continue;
        }
        ret = with_copied(bs, &e);
        for (pos = 0; pos < s->cluster_size && ret == 0;
             pos += s->opt.slice_size) {
            Qcow2Slice *l2;

            ret = qcow2_cache_get(s->l2_cache, table + pos, &l2);
            if (ret == 0) {
                ret = refresh_slice(bs, l2);
                qcow2_cache_put(l2);
            }
        }
        if (ret < 0) {
            return ret;
        }
        if (e != s->l1[i]) {
            s->l1[i] = e;
            qcow2_l1_dirty(s, i);
        }
    }
    return 0;
}

/* ---- Finding ---- */

static int find_snapshot(Qcow2State *s, const char *id, const char *name)
{
    unsigned i;

    for (i = 0; i < s->nb_snapshots; i++) {
        if ((!id || !strcmp(s->snapshots[i].id, id)) &&
            (!name || !strcmp(s->snapshots[i].name, name))) {
            return i;
        }
    }
    return -ENOENT;
}

static int find_id_or_name(Qcow2State *s, const char *id_or_name)
{
    int i = find_snapshot(s, id_or_name, NULL);

    return i >= 0 ? i : find_snapshot(s, NULL, id_or_name);
}

static void choose_id(Qcow2State *s, char *id, size_t size)
{
    unsigned long max = 0;
    unsigned i;

    for (i = 0; i < s->nb_snapshots; i++) {
        max = MAX(max, strtoul(s->snapshots[i].id, NULL, 10));
    }
    snprintf(id, size, "%lu", max + 1);
}

/* Nothing that was begun is in the way. */
static void coroutine_fn wait_for_writes(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    Qcow2Alloc *a;

    while ((a = QLIST_FIRST(&s->in_flight))) {
        qemu_co_queue_wait(&a->waiters, &s->lock);
    }
}

/* ---- Create ---- */

/* A copy of the active L1 table in the file; its offset. */
static int64_t coroutine_fn copy_l1(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int64_t offset = qcow2_alloc_bytes(bs, s->hdr.l1_size * sizeof(uint64_t));
    int ret;

    if (offset < 0) {
        return offset;
    }
    ret = qcow2_write_l1(bs, offset, s->l1, s->hdr.l1_size);
    if (ret < 0) {
        qcow2_free_unused(bs, offset, qcow2_clusters(s, s->hdr.l1_size *
                                                        sizeof(uint64_t)));
        return ret;
    }
    return offset;
}

static void append_snapshot(Qcow2State *s, const QEMUSnapshotInfo *info,
                            uint64_t l1_offset)
{
    Qcow2Snapshot *sn;

    s->snapshots = g_renew(Qcow2Snapshot, s->snapshots, s->nb_snapshots + 1);
    sn = &s->snapshots[s->nb_snapshots++];
    *sn = (Qcow2Snapshot) {
        .l1_offset = l1_offset,
        .l1_size = s->hdr.l1_size,
        .date_sec = info->date_sec,
        .date_nsec = info->date_nsec,
        .vm_clock_nsec = info->vm_clock_nsec,
        .vm_state_size = info->vm_state_size,
        .disk_size = s->hdr.size,
        .icount = info->icount,
        .id = g_strdup(info->id_str),
        .name = g_strdup(info->name),
    };
}

static int coroutine_fn create_locked(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    QEMUSnapshotInfo *info = opaque;
    uint64_t l1_bytes = s->hdr.l1_size * sizeof(uint64_t);
    int64_t l1_offset;
    int ret;

    if (s->nb_snapshots >= QCOW2_MAX_SNAPSHOTS) {
        return -EFBIG;
    }
    choose_id(s, info->id_str, sizeof(info->id_str));
    wait_for_writes(bs);
    ret = qcow2_write_back(bs);
    if (ret == 0) {
        ret = ref_tree(bs, s->l1, s->hdr.l1_size);
    }
    if (ret < 0) {
        return ret;
    }
    /* From here on nothing that both use is written in place. */
    ret = refresh_copied(bs);
    l1_offset = ret < 0 ? ret : copy_l1(bs);
    if (l1_offset < 0) {
        ret = l1_offset;
        goto undo;
    }
    append_snapshot(s, info, l1_offset);
    ret = qcow2_write_back(bs);
    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret == 0) {
        ret = qcow2_snapshots_store(bs);
    }
    if (ret < 0) {
        qcow2_snapshot_clear(&s->snapshots[--s->nb_snapshots]);
        if (s->header_unsure) {
            return ret;         /* the image may have it */
        }
        qcow2_free_unused(bs, l1_offset, qcow2_clusters(s, l1_bytes));
        goto undo;
    }
    /* The VM state is the snapshot's alone. */
    ret = qcow2_discard_range(bs, qcow2_vm_state_offset(s),
                              qcow2_cluster_up(s, info->vm_state_size),
                              QCOW2_FREE_NEVER, true);
    return ret < 0 ? ret : qcow2_sync(bs);

undo:
    unref_tree(bs, s->l1, s->hdr.l1_size);
    if (qcow2_write_back(bs) == 0) {
        refresh_copied(bs);
    }
    return ret;
}

int qcow2_snapshot_create(BlockDriverState *bs, QEMUSnapshotInfo *sn_info)
{
    Qcow2State *s = bs->opaque;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    if (qcow2_has_data_file(bs)) {
        return -ENOTSUP;
    }
    memset(sn_info->id_str, 0, sizeof(sn_info->id_str));
    return qcow2_run_locked(bs, create_locked, sn_info);
}

/* ---- Revert ---- */

/* The snapshot's L1 table becomes the active one, at a new place. */
static int coroutine_fn switch_l1(BlockDriverState *bs, uint64_t *l1,
                                  uint32_t entries, uint64_t disk_size)
{
    Qcow2State *s = bs->opaque;
    Qcow2Header old = s->hdr;
    int64_t offset = qcow2_alloc_bytes(bs, entries * sizeof(uint64_t));
    int ret;

    if (offset < 0) {
        return offset;
    }
    ret = qcow2_write_l1(bs, offset, l1, entries);
    if (ret == 0) {
        ret = qcow2_write_refs(bs);
    }
    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret == 0) {
        s->hdr.l1_offset = offset;
        s->hdr.l1_size = entries;
        s->hdr.size = disk_size;
        s->maps_unstable = true;
        ret = qcow2_header_write(bs);
    }
    if (ret < 0) {
        s->hdr = old;
        if (qcow2_header_restore(bs)) {
            qcow2_free_unused(bs, offset,
                              qcow2_clusters(s, entries * sizeof(uint64_t)));
        }
        return ret;
    }
    qcow2_free_later(bs, old.l1_offset, old.l1_size * sizeof(uint64_t),
                     QCOW2_FREE_OTHER);
    return 0;
}

static int coroutine_fn goto_locked(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    int i = find_id_or_name(s, opaque);
    g_autofree uint64_t *new_l1 = NULL;
    g_autofree uint64_t *old_l1 = NULL;
    uint32_t old_size = s->hdr.l1_size, entries;
    Qcow2Snapshot *sn;
    int ret;

    if (i < 0) {
        return i;
    }
    sn = &s->snapshots[i];
    entries = MAX(sn->l1_size, qcow2_l1_entries(s, sn->disk_size));
    if (entries > QCOW2_MAX_L1_BYTES / sizeof(uint64_t)) {
        return -EFBIG;
    }
    wait_for_writes(bs);
    ret = qcow2_write_back(bs);
    if (ret == 0) {
        ret = qcow2_read_l1(bs, sn->l1_offset, sn->l1_size, &new_l1);
    }
    if (ret < 0) {
        return ret;
    }
    new_l1 = g_renew(uint64_t, new_l1, MAX(entries, 1));
    memset(new_l1 + sn->l1_size, 0,
           (entries - sn->l1_size) * sizeof(uint64_t));
    ret = ref_tree(bs, new_l1, entries);
    if (ret < 0) {
        return ret;
    }
    for (i = 0; i < entries; i++) {
        new_l1[i] &= ~QCOW2_COPIED;
    }
    ret = switch_l1(bs, new_l1, entries, sn->disk_size);
    if (ret < 0) {
        if (!s->header_unsure) {
            unref_tree(bs, new_l1, entries);
        }
        return ret;
    }
    old_l1 = g_steal_pointer(&s->l1);
    s->l1 = g_steal_pointer(&new_l1);
    s->l1_vm_state = qcow2_l1_entries(s, s->hdr.size);
    ret = qcow2_barrier(bs);
    if (ret == 0) {
        ret = unref_tree(bs, old_l1, old_size);
    }
    if (ret == 0) {
        ret = qcow2_write_back(bs);
    }
    if (ret == 0) {
        qcow2_overlap_rebuild(s);
        ret = refresh_copied(bs);
    }
    return ret < 0 ? ret : qcow2_sync(bs);
}

int qcow2_snapshot_goto(BlockDriverState *bs, const char *snapshot_id)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    if (qcow2_has_data_file(bs)) {
        return -ENOTSUP;
    }
    ret = qcow2_run_locked(bs, goto_locked, (void *)snapshot_id);
    bs->total_sectors = s->hdr.size / BDRV_SECTOR_SIZE;
    return ret;
}

/* ---- Load for reading ---- */

typedef struct LoadCall {
    const char *id;
    const char *name;
    Error **errp;
} LoadCall;

/* Nothing is written to the file: only this node's view of it changes. */
static int coroutine_fn load_tmp_locked(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    LoadCall *c = opaque;
    int i = find_snapshot(s, c->id, c->name), ret;
    g_autofree uint64_t *l1 = NULL;
    const Qcow2Snapshot *sn;
    uint64_t entries;

    if (i < 0) {
        error_setg(c->errp, "Can't find snapshot");
        return i;
    }
    sn = &s->snapshots[i];
    entries = MAX(sn->l1_size, qcow2_l1_entries(s, sn->disk_size));
    ret = entries > QCOW2_MAX_L1_BYTES / sizeof(uint64_t) ? -EFBIG
        : qcow2_read_l1(bs, sn->l1_offset, sn->l1_size, &l1);
    if (ret < 0) {
        error_setg_errno(c->errp, -ret, "Failed to read the L1 table of "
                         "snapshot '%s'", sn->name);
        return ret;
    }
    l1 = g_renew(uint64_t, l1, MAX(entries, 1));
    memset(l1 + sn->l1_size, 0, (entries - sn->l1_size) * sizeof(uint64_t));
    g_free(s->l1);
    s->l1 = g_steal_pointer(&l1);
    s->hdr.l1_offset = sn->l1_offset;
    s->hdr.l1_size = entries;
    s->hdr.size = sn->disk_size;
    s->l1_vm_state = qcow2_l1_entries(s, s->hdr.size);
    return 0;
}

int qcow2_snapshot_load_tmp(BlockDriverState *bs, const char *snapshot_id,
                            const char *name, Error **errp)
{
    Qcow2State *s = bs->opaque;
    LoadCall c = { snapshot_id, name, errp };
    int ret;

    assert(bdrv_is_read_only(bs));
    ret = qcow2_run_locked(bs, load_tmp_locked, &c);
    bs->total_sectors = s->hdr.size / BDRV_SECTOR_SIZE;
    return ret;
}

/* ---- Delete ---- */

typedef struct DeleteCall {
    const char *id;
    const char *name;
    Error **errp;
} DeleteCall;

static int coroutine_fn delete_locked(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    DeleteCall *c = opaque;
    int i = find_snapshot(s, c->id, c->name), ret;
    g_autofree uint64_t *l1 = NULL;
    Qcow2Snapshot sn;

    if (i < 0) {
        error_setg(c->errp, "Can't find the snapshot");
        return i;
    }
    sn = s->snapshots[i];
    ret = qcow2_write_back(bs);
    if (ret == 0) {
        ret = qcow2_read_l1(bs, sn.l1_offset, sn.l1_size, &l1);
    }
    if (ret < 0) {
        error_setg_errno(c->errp, -ret, "Failed to read the snapshot's L1 "
                         "table");
        return ret;
    }
    memmove(s->snapshots + i, s->snapshots + i + 1,
            (s->nb_snapshots - i - 1) * sizeof(sn));
    s->nb_snapshots--;
    ret = qcow2_snapshots_store(bs);
    if (ret < 0) {
        memmove(s->snapshots + i + 1, s->snapshots + i,
                (s->nb_snapshots - i) * sizeof(sn));
        s->snapshots[i] = sn;
        s->nb_snapshots++;
        error_setg_errno(c->errp, -ret,
                         "Failed to remove snapshot from snapshot list");
        return ret;
    }
    ret = unref_tree(bs, l1, sn.l1_size);
    if (ret == 0 && sn.l1_size) {
        qcow2_free_later(bs, sn.l1_offset, sn.l1_size * sizeof(uint64_t),
                         QCOW2_FREE_SNAPSHOT);
    }
    qcow2_snapshot_clear(&sn);
    if (ret == 0) {
        ret = qcow2_write_back(bs);
    }
    if (ret == 0) {
        ret = refresh_copied(bs);
    }
    if (ret == 0) {
        ret = qcow2_sync(bs);
    }
    if (ret < 0) {
        error_setg_errno(c->errp, -ret, "Failed to free the snapshot's "
                         "clusters");
    }
    return ret;
}

int qcow2_snapshot_delete(BlockDriverState *bs, const char *snapshot_id,
                          const char *name, Error **errp)
{
    Qcow2State *s = bs->opaque;
    DeleteCall call = { snapshot_id, name, errp };

    if (s->broken) {
        error_setg(errp, "Image '%s' is corrupt", bs->filename);
        return -ENOMEDIUM;
    }
    return qcow2_run_locked(bs, delete_locked, &call);
}
