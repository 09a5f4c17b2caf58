/*
 * SPDX-License-Identifier: MIT
 *
 * Snapshots of the whole machine.
 *
 * Each disk has its part as a snapshot inside its image; one of them has, in
 * the area that its format keeps for that, what the machine has to remember.
 * There's no CPU and no memory, so that it is little (big endian):
 *
 *      0   8 bytes     "qemublks"
 *      8   32 bits     version: 1
 *     12   32 bits     length of all of this: 24
 *     16   64 bits     time of the machine's clock, ns
 *
 * Invariants:
 *   1. Nothing is changed before all disks have been checked.
 *   2. A snapshot that could not be taken of all disks is taken of none.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "sysemu/block-backend.h"
#include "sysemu/runstate.h"
#include "sysemu/savevm.h"

#define STATE_MAGIC "qemublks"
#define STATE_VERSION 1
#define STATE_BYTES 24

/* ---- Which disks ---- */

static void disk_unref(gpointer bs)
{
    bdrv_unref(bs);
}

static void add_disk(GPtrArray *disks, BlockDriverState *bs)
{
    if (!g_ptr_array_find(disks, bs, NULL)) {
        bdrv_ref(bs);
        g_ptr_array_add(disks, bs);
    }
}

/* What somebody may write to, but not what is below others. */
static void add_all_disks(GPtrArray *disks)
{
    BdrvNextIterator it;
    BlockDriverState *bs;

    for (bs = bdrv_first(&it); bs; bs = bdrv_next(&it)) {
        if (bdrv_is_inserted(bs) && !bdrv_is_read_only(bs) &&
            (bdrv_has_blk(bs) || QLIST_EMPTY(&bs->parents))) {
            add_disk(disks, bs);
        }
    }
}

GPtrArray *snapshot_disks(const SnapshotDisks *which, Error **errp)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new_with_free_func(disk_unref);
    const strList *l;
    guint i;

    if (which->all) {
        add_all_disks(disks);
    } else if (!which->devices) {
        error_setg(errp, "At least one device is required for snapshot");
        return NULL;
    }
    for (l = which->all ? NULL : which->devices; l; l = l->next) {
        BlockDriverState *bs = bdrv_find_node(l->value);

        if (!bs) {
            error_setg(errp, "No block device node '%s'", l->value);
            return NULL;
        }
        add_disk(disks, bs);
    }
    for (i = 0; i < disks->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);

        if (!bdrv_can_snapshot(bs)) {
            error_setg(errp, "Device '%s' is writable but does not support "
                       "snapshots", bdrv_get_device_or_node_name(bs));
            return NULL;
        }
    }
    return g_steal_pointer(&disks);
}

/* Is there a job, say, that must not see snapshots come and go? */
static bool check_blockers(GPtrArray *disks, BlockOpType op, Error **errp)
{
    guint i;

    for (i = 0; i < disks->len; i++) {
        if (bdrv_op_is_blocked(g_ptr_array_index(disks, i), op, errp)) {
            return false;
        }
    }
    return true;
}

static BlockDriverState *find_state_disk(GPtrArray *disks, const char *name,
                                         Error **errp)
{
    guint i;

    for (i = 0; i < disks->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);

        if (!name || !strcmp(name, bdrv_get_node_name(bs))) {
            return bs;
        }
    }
    if (name) {
        error_setg(errp, "vmstate block device '%s' does not exist", name);
    } else {
        error_setg(errp, "No block device supports snapshots");
    }
    return NULL;
}

guint snapshot_count(GPtrArray *disks, const char *name)
{
    QEMUSnapshotInfo sn;
    guint i, n = 0;

    for (i = 0; i < disks->len; i++) {
        n += bdrv_snapshot_find(g_ptr_array_index(disks, i), &sn, name) == 0;
    }
    return n;
}

/* ---- What the machine has to remember ---- */

static bool write_state(BlockDriverState *bs, int64_t clock, Error **errp)
{
    uint8_t buf[STATE_BYTES] = STATE_MAGIC;
    int ret;

    stl_be_p(buf + 8, STATE_VERSION);
    stl_be_p(buf + 12, STATE_BYTES);
    stq_be_p(buf + 16, clock);
    ret = bdrv_save_vmstate(bs, buf, 0, sizeof(buf));
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not write the state of the machine "
                         "to '%s'", bdrv_get_device_or_node_name(bs));
    }
    return ret >= 0;
}

/* The clock goes on from where it is: nobody has seen its time. */
static bool check_state(BlockDriverState *bs, Error **errp)
{
    const char *disk = bdrv_get_device_or_node_name(bs);
    uint8_t buf[STATE_BYTES];
    int ret = bdrv_load_vmstate(bs, buf, 0, sizeof(buf));

    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not read the state of the machine "
                         "from '%s'", disk);
        return false;
    }
    if (memcmp(buf, STATE_MAGIC, strlen(STATE_MAGIC))) {
        error_setg(errp, "The state of the machine on '%s' was saved by "
                   "another program", disk);
        return false;
    }
    if ((uint32_t)ldl_be_p(buf + 8) != STATE_VERSION ||
        (uint32_t)ldl_be_p(buf + 12) != STATE_BYTES) {
        error_setg(errp, "The state of the machine on '%s' has version %"
                   PRIu32 ", of which nothing is known here", disk,
                   (uint32_t)ldl_be_p(buf + 8));
        return false;
    }
    return true;
}

/* ---- All disks at once ---- */

static bool delete_from(GPtrArray *disks, guint n, const char *name,
                        Error **errp)
{
    guint i;

    for (i = 0; i < n; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);
        AioContext *ctx = bdrv_get_aio_context(bs);
        QEMUSnapshotInfo sn;
        int ret = 0;

        aio_context_acquire(ctx);
        if (bdrv_snapshot_find(bs, &sn, name) == 0) {
            ret = bdrv_snapshot_delete(bs, sn.id_str, sn.name, errp);
        }
        aio_context_release(ctx);
        if (ret < 0) {
            error_prepend(errp, "Could not delete snapshot '%s' on '%s': ",
                          name, bdrv_get_device_or_node_name(bs));
            return false;
        }
    }
    return true;
}

/* @template for each of @disks, the state of the machine being on @state. */
static bool create_on(GPtrArray *disks, BlockDriverState *state,
                      const QEMUSnapshotInfo *template, Error **errp)
{
    guint i;

    for (i = 0; i < disks->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);
        AioContext *ctx = bdrv_get_aio_context(bs);
        QEMUSnapshotInfo sn = *template;
        int ret;

        sn.vm_state_size = bs == state ? STATE_BYTES : 0;
        aio_context_acquire(ctx);
        ret = bdrv_snapshot_create(bs, &sn);
        aio_context_release(ctx);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Could not create snapshot '%s' on "
                             "'%s'", sn.name,
                             bdrv_get_device_or_node_name(bs));
            delete_from(disks, i, sn.name, NULL);
            return false;
        }
    }
    return true;
}

static void describe(QEMUSnapshotInfo *sn, const char *name)
{
    int64_t now = g_get_real_time();
    time_t seconds = now / G_USEC_PER_SEC;
    struct tm tm;

    *sn = (QEMUSnapshotInfo) {
        .date_sec = seconds,
        .date_nsec = now % G_USEC_PER_SEC * 1000,
        .vm_clock_nsec = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL),
        .icount = -1ULL,
    };
    if (name) {
        pstrcpy(sn->name, sizeof(sn->name), name);
    } else {
        localtime_r(&seconds, &tm);
        strftime(sn->name, sizeof(sn->name), "vm-%Y%m%d%H%M%S", &tm);
    }
}

bool save_snapshot(const char *name, bool overwrite,
                   const SnapshotDisks *which, Error **errp)
{
    g_autoptr(GPtrArray) disks = snapshot_disks(which, errp);
    bool running = runstate_is_running();
    BlockDriverState *state;
    QEMUSnapshotInfo sn;
    bool ok;

    if (!disks ||
        !check_blockers(disks, BLOCK_OP_TYPE_INTERNAL_SNAPSHOT, errp)) {
        return false;
    }
    if (name && !overwrite && snapshot_count(disks, name)) {
        error_setg(errp, "Snapshot '%s' already exists in one or more devices",
                   name);
        return false;
    }
    state = find_state_disk(disks, which->vmstate, errp);
    if (!state) {
        return false;
    }
    vm_stop(RUN_STATE_SAVE_VM);
    bdrv_drain_all_begin();
    describe(&sn, name);
    ok = delete_from(disks, disks->len, sn.name, errp) &&
         write_state(state, sn.vm_clock_nsec, errp) &&
         create_on(disks, state, &sn, errp);
    bdrv_drain_all_end();
    if (running) {
        vm_start();
    }
    return ok;
}

static bool go_to(GPtrArray *disks, const char *name, Error **errp)
{
    guint i;

    for (i = 0; i < disks->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);
        AioContext *ctx = bdrv_get_aio_context(bs);
        int ret;

        aio_context_acquire(ctx);
        ret = bdrv_snapshot_goto(bs, name, errp);
        aio_context_release(ctx);
        if (ret < 0) {
            error_prepend(errp, "Could not load snapshot '%s' on '%s': ", name,
                          bdrv_get_device_or_node_name(bs));
            return false;
        }
    }
    return true;
}

bool load_snapshot(const char *name, const SnapshotDisks *which, Error **errp)
{
    g_autoptr(GPtrArray) disks = snapshot_disks(which, errp);
    BlockDriverState *state;
    QEMUSnapshotInfo sn;
    bool ok;

    if (!disks ||
        !check_blockers(disks, BLOCK_OP_TYPE_INTERNAL_SNAPSHOT, errp)) {
        return false;
    }
    if (snapshot_count(disks, name) < disks->len) {
        error_setg(errp, "Snapshot '%s' does not exist in one or more devices",
                   name);
        return false;
    }
    state = find_state_disk(disks, which->vmstate, errp);
    if (!state) {
        return false;
    }
    if (bdrv_snapshot_find(state, &sn, name) < 0 || !sn.vm_state_size) {
        error_setg(errp, "This is a disk-only snapshot. Revert to it  offline "
                   "using qemu-img");
        return false;
    }
    bdrv_drain_all_begin();
    ok = go_to(disks, name, errp);
    bdrv_drain_all_end();
    return ok && check_state(state, errp);
}

bool delete_snapshot(const char *name, const SnapshotDisks *which,
                     Error **errp)
{
    g_autoptr(GPtrArray) disks = snapshot_disks(which, errp);

    return disks &&
           check_blockers(disks, BLOCK_OP_TYPE_INTERNAL_SNAPSHOT_DELETE,
                          errp) &&
           delete_from(disks, disks->len, name, errp);
}
