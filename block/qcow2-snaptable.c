/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: the table of internal snapshots, as it is in the file and in memory.
 *
 * An entry has a fixed part, "extra data" of variable length, the ID and the
 * name; it is padded to a multiple of 8 bytes.  Extra data that we don't know
 * are kept.
 *
 * A changed table is written to a new place, then the header is made to point
 * to it: the old table is whole until then.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "block/snapshot.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

#define FIXED_BYTES     40
#define KNOWN_EXTRA     24      /* vm state size, disk size, icount */

void qcow2_snapshot_clear(Qcow2Snapshot *sn)
{
    g_free(sn->id);
    g_free(sn->name);
    g_free(sn->unknown_extra);
    memset(sn, 0, sizeof(*sn));
}

void qcow2_snapshots_free(Qcow2State *s)
{
    unsigned i;

    for (i = 0; i < s->nb_snapshots; i++) {
        qcow2_snapshot_clear(&s->snapshots[i]);
    }
    g_clear_pointer(&s->snapshots, g_free);
    s->nb_snapshots = 0;
    s->snapshots_bytes = 0;
}

/* ---- Reading ---- */

static void decode_extra(Qcow2Snapshot *sn, const uint8_t *extra)
{
    if (sn->extra_size >= 8) {
        sn->vm_state_size = ldq_be_p(extra);
    }
    if (sn->extra_size >= 16) {
        sn->disk_size = ldq_be_p(extra + 8);
    }
    if (sn->extra_size >= 24) {
        sn->icount = ldq_be_p(extra + 16);
    }
    if (sn->extra_size > KNOWN_EXTRA) {
        sn->unknown_extra = g_memdup2(extra + KNOWN_EXTRA,
                                      sn->extra_size - KNOWN_EXTRA);
    }
}

/* The entry at *@pos, which becomes that of the next. */
static int coroutine_fn load_one(BlockDriverState *bs, unsigned index,
                                 uint64_t *pos, Error **errp)
{
    Qcow2State *s = bs->opaque;
    Qcow2Snapshot *sn = &s->snapshots[index];
    g_autofree uint8_t *rest = NULL;
    uint8_t fixed[FIXED_BYTES];
    uint16_t id_size, name_size;
    uint64_t bytes;
    int ret;

    ret = bdrv_co_pread(bs->file, *pos, sizeof(fixed), fixed, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to read snapshot table");
        return ret;
    }
    sn->l1_offset = ldq_be_p(fixed);
    sn->l1_size = ldl_be_p(fixed + 8);
    id_size = lduw_be_p(fixed + 12);
    name_size = lduw_be_p(fixed + 14);
    sn->date_sec = ldl_be_p(fixed + 16);
    sn->date_nsec = ldl_be_p(fixed + 20);
    sn->vm_clock_nsec = ldq_be_p(fixed + 24);
    sn->vm_state_size = (uint32_t)ldl_be_p(fixed + 32);
    sn->extra_size = ldl_be_p(fixed + 36);
    sn->disk_size = s->hdr.size;
    sn->icount = -1ULL;
    if (sn->extra_size > QCOW2_MAX_SNAP_EXTRA) {
        error_setg(errp, "Too much extra metadata in snapshot table entry %u",
                   index);
        return -EINVAL;
    }
    bytes = (uint64_t)sn->extra_size + id_size + name_size;
    rest = g_malloc(bytes + 1);
    ret = bdrv_co_pread(bs->file, *pos + FIXED_BYTES, bytes, rest, 0);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Failed to read snapshot table");
        return ret;
    }
    decode_extra(sn, rest);
    sn->id = g_strndup((char *)rest + sn->extra_size, id_size);
    sn->name = g_strndup((char *)rest + sn->extra_size + id_size, name_size);
    *pos += QEMU_ALIGN_UP(FIXED_BYTES + bytes, 8);
    return qcow2_check_table(bs, sn->l1_offset, sn->l1_size, sizeof(uint64_t),
                             QCOW2_MAX_L1_BYTES, "Snapshot L1 table", errp);
}

int coroutine_fn qcow2_snapshots_load(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t pos = s->hdr.snapshots_offset;
    unsigned i;
    int ret;

    if (!s->hdr.nb_snapshots) {
        return 0;
    }
    ret = qcow2_check_table(bs, pos, s->hdr.nb_snapshots, FIXED_BYTES,
                            (int64_t)FIXED_BYTES * QCOW2_MAX_SNAPSHOTS,
                            "Snapshot table", errp);
    if (ret < 0) {
        return ret;
    }
    s->snapshots = g_new0(Qcow2Snapshot, s->hdr.nb_snapshots);
    s->nb_snapshots = s->hdr.nb_snapshots;
    for (i = 0; i < s->nb_snapshots; i++) {
        ret = load_one(bs, i, &pos, errp);
        if (ret == 0 && pos - s->hdr.snapshots_offset > QCOW2_MAX_SNAPTABLE) {
            error_setg(errp, "Snapshot table is too big");
            ret = -EFBIG;
        }
        if (ret < 0) {
            error_prepend(errp, "Could not read snapshots: ");
            qcow2_snapshots_free(s);
            return ret;
        }
    }
    s->snapshots_bytes = pos - s->hdr.snapshots_offset;
    return 0;
}

/* ---- Writing ---- */

static void encode_one(const Qcow2Snapshot *sn, GByteArray *out)
{
    static const uint8_t padding[8];
    uint32_t extra_size = MAX(sn->extra_size, KNOWN_EXTRA);
    uint8_t fixed[FIXED_BYTES], extra[KNOWN_EXTRA];

    stq_be_p(fixed, sn->l1_offset);
    stl_be_p(fixed + 8, sn->l1_size);
    stw_be_p(fixed + 12, strlen(sn->id));
    stw_be_p(fixed + 14, strlen(sn->name));
    stl_be_p(fixed + 16, sn->date_sec);
    stl_be_p(fixed + 20, sn->date_nsec);
    stq_be_p(fixed + 24, sn->vm_clock_nsec);
    stl_be_p(fixed + 32, sn->vm_state_size > UINT32_MAX
                         ? 0 : sn->vm_state_size);
    stl_be_p(fixed + 36, extra_size);
    stq_be_p(extra, sn->vm_state_size);
    stq_be_p(extra + 8, sn->disk_size);
    stq_be_p(extra + 16, sn->icount);
    g_byte_array_append(out, fixed, sizeof(fixed));
    g_byte_array_append(out, extra, sizeof(extra));
    if (sn->unknown_extra) {
        g_byte_array_append(out, sn->unknown_extra, extra_size - KNOWN_EXTRA);
    }
    g_byte_array_append(out, (const uint8_t *)sn->id, strlen(sn->id));
    g_byte_array_append(out, (const uint8_t *)sn->name, strlen(sn->name));
    g_byte_array_append(out, padding, -out->len & 7);
}

/* The encoded table at a new place, safe on the disk; 0 if it is empty. */
static int64_t coroutine_fn write_table(BlockDriverState *bs, GByteArray *out)
{
    Qcow2State *s = bs->opaque;
    int64_t offset;
    int ret;

    if (!out->len) {
        return 0;
    }
    if (out->len > QCOW2_MAX_SNAPTABLE) {
        return -EFBIG;
    }
    offset = qcow2_alloc_bytes(bs, out->len);
    if (offset < 0) {
        return offset;
    }
    ret = qcow2_overlap_check(bs, 0, offset, out->len);
    if (ret == 0) {
        qcow2_host_written(s, offset + out->len);
        ret = bdrv_co_pwrite(bs->file, offset, out->len, out->data, 0);
    }
    if (ret >= 0) {
        ret = qcow2_write_refs(bs);
    }
    if (ret >= 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret < 0) {
        qcow2_free_unused(bs, offset, qcow2_clusters(s, out->len));
        return ret;
    }
    return offset;
}

int coroutine_fn qcow2_snapshots_store(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint64_t old_offset = s->hdr.snapshots_offset;
    uint32_t old_nb = s->hdr.nb_snapshots;
    int64_t offset;
    unsigned i;
    int ret;

    for (i = 0; i < s->nb_snapshots; i++) {
        encode_one(&s->snapshots[i], out);
    }
    offset = write_table(bs, out);
    if (offset < 0) {
        return offset;
    }
    s->hdr.snapshots_offset = offset;
    s->hdr.nb_snapshots = s->nb_snapshots;
    s->maps_unstable = true;
    ret = qcow2_header_write(bs);
    if (ret == 0) {
        ret = qcow2_barrier(bs);
    }
    if (ret < 0) {
        s->hdr.snapshots_offset = old_offset;
        s->hdr.nb_snapshots = old_nb;
        if (qcow2_header_restore(bs) && out->len) {
            qcow2_free_unused(bs, offset, qcow2_clusters(s, out->len));
        }
        return ret;
    }
    if (s->snapshots_bytes) {
        qcow2_free_later(bs, old_offset, s->snapshots_bytes,
                         QCOW2_FREE_SNAPSHOT);
    }
    s->snapshots_bytes = out->len;
    return 0;
}

/* ---- For users ---- */

int qcow2_snapshot_list(BlockDriverState *bs, QEMUSnapshotInfo **psn)
{
    Qcow2State *s = bs->opaque;
    unsigned i;

    *psn = NULL;
    if (!s->nb_snapshots) {
        return 0;
    }
    *psn = g_new0(QEMUSnapshotInfo, s->nb_snapshots);
    for (i = 0; i < s->nb_snapshots; i++) {
        const Qcow2Snapshot *sn = &s->snapshots[i];
        QEMUSnapshotInfo *info = &(*psn)[i];

        pstrcpy(info->id_str, sizeof(info->id_str), sn->id);
        pstrcpy(info->name, sizeof(info->name), sn->name);
        info->vm_state_size = sn->vm_state_size;
        info->date_sec = sn->date_sec;
        info->date_nsec = sn->date_nsec;
        info->vm_clock_nsec = sn->vm_clock_nsec;
        info->icount = sn->icount;
    }
    return s->nb_snapshots;
}
