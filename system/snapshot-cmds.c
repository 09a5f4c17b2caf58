/*
 * SPDX-License-Identifier: MIT
 *
 * Snapshots of the whole machine as clients and people ask for them: the jobs
 * snapshot-save, -load and -delete; savevm, loadvm, delvm, info snapshots.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "block/blockjob_int.h"
#include "block/qapi.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qmp/qdict.h"
#include "qemu/cutils.h"
#include "sysemu/runstate.h"
#include "sysemu/savevm.h"

/* The machine goes on after a success only: after a failure disks may be of
 * different times. */
static bool load_and_go_on(const char *name, const SnapshotDisks *which,
                           Error **errp)
{
    bool running = runstate_is_running();
    bool ok;

    vm_stop(RUN_STATE_RESTORE_VM);
    ok = load_snapshot(name, which, errp);
    if (ok && running) {
        vm_start();
    }
    return ok;
}

/* ---- Jobs ---- */

typedef struct SnapshotJob {
    BlockJob common;
    char *tag;
    char *vmstate;
    strList *devices;
} SnapshotJob;

/* Stopping the machine and draining are nothing for a coroutine. */
static void snapshot_job_work(BlockJob *job, void *opaque)
{
    SnapshotJob *s = container_of(job, SnapshotJob, common);
    SnapshotDisks which = { .devices = s->devices, .vmstate = s->vmstate };
    Error *err = NULL;
    bool ok;

    if (job->driver->job_type == BLOCK_JOB_TYPE_SNAPSHOT_SAVE) {
        ok = save_snapshot(s->tag, false, &which, &err);
    } else if (job->driver->job_type == BLOCK_JOB_TYPE_SNAPSHOT_LOAD) {
        ok = load_and_go_on(s->tag, &which, &err);
    } else {
        ok = delete_snapshot(s->tag, &which, &err);
    }
    if (!ok) {
        block_job_take_error(job, err);
    }
    block_job_progress_update(job, 1);
    block_job_completed(job, ok ? 0 : -EIO);
}

static void coroutine_fn snapshot_job_run(void *opaque)
{
    SnapshotJob *s = opaque;

    block_job_progress_set_remaining(&s->common, 1);
    block_job_defer_to_main_loop(&s->common, snapshot_job_work, NULL);
}

static void snapshot_job_clean(BlockJob *job)
{
    SnapshotJob *s = container_of(job, SnapshotJob, common);

    g_free(s->tag);
    g_free(s->vmstate);
    qapi_free_strList(s->devices);
}

#define SNAPSHOT_JOB_DRIVER(type)       \
    {                                   \
        .instance_size = sizeof(SnapshotJob), \
        .job_type = (type),             \
        .job_commands_only = true,      \
        .start = snapshot_job_run,      \
        .clean = snapshot_job_clean,    \
    }

static const BlockJobDriver save_driver =
    SNAPSHOT_JOB_DRIVER(BLOCK_JOB_TYPE_SNAPSHOT_SAVE);
static const BlockJobDriver load_driver =
    SNAPSHOT_JOB_DRIVER(BLOCK_JOB_TYPE_SNAPSHOT_LOAD);
static const BlockJobDriver delete_driver =
    SNAPSHOT_JOB_DRIVER(BLOCK_JOB_TYPE_SNAPSHOT_DELETE);

static void start_job(const BlockJobDriver *driver, const char *job_id,
                      const char *tag, const char *vmstate, strList *devices,
                      Error **errp)
{
    SnapshotJob *s = block_job_create(job_id, driver, NULL, NULL, 0,
                                      BLK_PERM_ALL, 0,
                                      BLOCK_JOB_MANUAL_DISMISS, NULL, NULL,
                                      errp);

    if (!s) {
        return;
    }
    s->tag = g_strdup(tag);
    s->vmstate = g_strdup(vmstate);
    s->devices = devices ? QAPI_CLONE(strList, devices) : NULL;
    block_job_start(&s->common);
}

void qmp_snapshot_save(const char *job_id, const char *tag,
                       const char *vmstate, strList *devices, Error **errp)
{
    start_job(&save_driver, job_id, tag, vmstate, devices, errp);
}

void qmp_snapshot_load(const char *job_id, const char *tag,
                       const char *vmstate, strList *devices, Error **errp)
{
    start_job(&load_driver, job_id, tag, vmstate, devices, errp);
}

void qmp_snapshot_delete(const char *job_id, const char *tag, strList *devices,
                         Error **errp)
{
    start_job(&delete_driver, job_id, tag, NULL, devices, errp);
}

/* ---- Commands for people ---- */

static const SnapshotDisks all_disks = { .all = true };

static void hmp_savevm(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    save_snapshot(qdict_get_try_str(qdict, "name"), true, &all_disks, &err);
    hmp_handle_error(mon, err);
}

static void hmp_loadvm(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    load_and_go_on(qdict_get_str(qdict, "name"), &all_disks, &err);
    hmp_handle_error(mon, err);
}

static void hmp_delvm(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;

    delete_snapshot(qdict_get_str(qdict, "name"), &all_disks, &err);
    hmp_handle_error(mon, err);
}

static void print_row(Monitor *mon, const QEMUSnapshotInfo *sn)
{
    g_autofree char *row = bdrv_snapshot_row(sn);

    monitor_printf(mon, "%s\n", row);
}

/* Those of @bs that are on @wanted of all disks, or on less if @wanted is 0,
 * under @title; true if there is one. */
static bool print_snapshots(Monitor *mon, GPtrArray *disks,
                            BlockDriverState *bs, bool complete,
                            const char *title)
{
    g_autofree QEMUSnapshotInfo *tab = NULL;
    int n = bdrv_snapshot_list(bs, &tab);
    bool any = false;
    int i;

    for (i = 0; i < n; i++) {
        if ((snapshot_count(disks, tab[i].name) == disks->len) != complete) {
            continue;
        }
        if (!any) {
            monitor_printf(mon, "%s\n", title);
            print_row(mon, NULL);
            any = true;
        }
        if (complete) {
            /* It has another ID on each disk. */
            pstrcpy(tab[i].id_str, sizeof(tab[i].id_str), "--");
        }
        print_row(mon, &tab[i]);
    }
    return any;
}

static void hmp_info_snapshots(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(GPtrArray) disks = snapshot_disks(&all_disks, &err);
    bool any = false;
    guint i;

    if (!disks) {
        hmp_handle_error(mon, err);
        return;
    }
    if (disks->len) {
        any = print_snapshots(mon, disks, g_ptr_array_index(disks, 0), true,
                              "List of snapshots present on all disks:");
    }
    for (i = 0; i < disks->len; i++) {
        BlockDriverState *bs = g_ptr_array_index(disks, i);
        g_autofree char *title =
            g_strdup_printf("%sList of partial (non-loadable) snapshots on "
                            "'%s':", any ? "\n" : "",
                            bdrv_get_device_or_node_name(bs));

        any |= print_snapshots(mon, disks, bs, false, title);
    }
    if (!any) {
        monitor_printf(mon, "There is no snapshot available.\n");
    }
}

static const HMPCommand commands[] = {
    { "delvm", "name:s", "tag", "delete a snapshot of the machine",
      hmp_delvm },
    { "loadvm", "name:s", "tag", "go back to a snapshot of the machine",
      hmp_loadvm },
    { "savevm", "name:s?", "[tag]", "take a snapshot of the machine",
      hmp_savevm },
    { 0 },
};

static const HMPCommand info_commands[] = {
    { "snapshots", "", "", "show the snapshots of the machine",
      hmp_info_snapshots },
    { 0 },
};

void savevm_hmp_init(void)
{
    hmp_register_commands(commands);
    hmp_register_info_commands(info_commands);
}
