/*
 * SPDX-License-Identifier: MIT
 *
 * Snapshots of the whole machine: inside of the images of its disks, and what
 * the machine itself has to remember in one of them.  Main thread.
 */
#ifndef SYSEMU_SAVEVM_H
#define SYSEMU_SAVEVM_H

#include "block/snapshot.h"
#include "qapi/qapi-builtin-types.h"

/* Which disks, and which of them has the state of the machine. */
typedef struct SnapshotDisks {
    const strList *devices;     /* node names; NULL with all: all writable */
    bool all;
    const char *vmstate;        /* node name; NULL: the first of them */
} SnapshotDisks;

/* These disks, with references; all of them can have snapshots.  NULL with
 * @errp. */
GPtrArray *snapshot_disks(const SnapshotDisks *which, Error **errp);
/* On how many of @disks is there a snapshot @name? */
guint snapshot_count(GPtrArray *disks, const char *name);

/*
 * Take a snapshot of all disks; the machine rests in the meantime.  One that
 * has this name already is an error, or with @overwrite deleted.  @name may
 * be NULL for one that tells the time.
 */
bool save_snapshot(const char *name, bool overwrite,
                   const SnapshotDisks *which, Error **errp);
/* Back to it; the machine rests, and stays so unless the caller starts it. */
bool load_snapshot(const char *name, const SnapshotDisks *which, Error **errp);
/* From all disks that have it. */
bool delete_snapshot(const char *name, const SnapshotDisks *which,
                     Error **errp);

/* savevm, loadvm, delvm, info snapshots */
void savevm_hmp_init(void);

#endif
