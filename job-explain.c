/*
 * SPDX-License-Identifier: MIT
 *
 * QMP: x-job-explain, what a job waits for.
 *
 * Reasons that lie in the job's state come first, then drained nodes, then
 * for each node below the job its oldest request in flight, and its flush.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "blockjob-internal.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-job.h"
#include "qemu/timer.h"

static JobObstacle *G_GNUC_PRINTF(3, 4)
add_obstacle(GPtrArray *list, JobObstacleReason reason, const char *fmt, ...)
{
    JobObstacle *o = g_new0(JobObstacle, 1);
    va_list ap;

    o->reason = reason;
    va_start(ap, fmt);
    o->text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_ptr_array_add(list, o);
    return o;
}

/* ---- The job's state ---- */

static void explain_pause(BlockJob *job, GPtrArray *list)
{
    if (job->status == BLOCK_JOB_STATUS_CREATED) {
        add_obstacle(list, JOB_OBSTACLE_REASON_NOT_STARTED,
                     "the job has not been started");
    }
    if (job->user_paused && job->iostatus != BLOCK_DEVICE_IO_STATUS_OK) {
        add_obstacle(list, JOB_OBSTACLE_REASON_ERROR,
                     "%s has paused the job; it waits for job-resume",
                     job->iostatus == BLOCK_DEVICE_IO_STATUS_NOSPACE
                     ? "lack of space" : "an I/O error");
    } else if (job->user_paused) {
        add_obstacle(list, JOB_OBSTACLE_REASON_USER,
                     "a user has paused the job; it waits for job-resume");
    }
}

static void explain_state(BlockJob *job, GPtrArray *list)
{
    switch (job->status) {
    case BLOCK_JOB_STATUS_READY:
        add_obstacle(list, JOB_OBSTACLE_REASON_COMPLETE,
                     "the job is ready; it waits for job-complete");
        break;
    case BLOCK_JOB_STATUS_WAITING:
        add_obstacle(list, JOB_OBSTACLE_REASON_TRANSACTION,
                     "the job waits for the others of its transaction");
        break;
    case BLOCK_JOB_STATUS_PENDING:
        add_obstacle(list, JOB_OBSTACLE_REASON_FINALIZE,
                     "the job has done its work; it waits for job-finalize");
        break;
    case BLOCK_JOB_STATUS_CONCLUDED:
        add_obstacle(list, JOB_OBSTACLE_REASON_DISMISS,
                     "the job has ended; it waits for job-dismiss");
        break;
    default:
        break;
    }
    if (block_job_throttled(job)) {
        add_obstacle(list, JOB_OBSTACLE_REASON_SPEED,
                     "the job keeps to its limit of %" PRId64 " bytes/s",
                     job->speed);
    }
}

/* ---- Its nodes ---- */

static void add_node(GPtrArray *nodes, BlockDriverState *bs)
{
    BdrvChild *c;

    if (g_ptr_array_find(nodes, bs, NULL)) {
        return;
    }
    g_ptr_array_add(nodes, bs);
    QLIST_FOREACH(c, &bs->children, next) {
        add_node(nodes, c->bs);
    }
}

static GPtrArray *nodes_of(BlockJob *job)
{
    GPtrArray *nodes = g_ptr_array_new();
    GSList *l;

    if (blk_bs(job->blk)) {
        add_node(nodes, blk_bs(job->blk));
    }
    for (l = job->nodes; l; l = l->next) {
        BdrvChild *c = l->data;

        add_node(nodes, c->bs);
    }
    return nodes;
}

static void explain_drain(BlockDriverState *bs, GPtrArray *list)
{
    const char *by = bdrv_drained_by(bs);
    JobObstacle *o;

    if (!bdrv_is_quiesced(bs)) {
        return;
    }
    o = add_obstacle(list, JOB_OBSTACLE_REASON_DRAIN,
                     "node '%s' is drained%s%s%s", bs->node_name,
                     by ? " by " : "", by ? by : "", by ? "()" : "");
    o->has_node = true;
    o->node = g_strdup(bs->node_name);
    o->has_by = by;
    o->by = g_strdup(by);
}

static BdrvTrackedRequest *oldest_request(BlockDriverState *bs)
{
    BdrvTrackedRequest *req, *oldest = NULL;

    QLIST_FOREACH(req, &bs->tracked_requests, list) {
        /* New ones come first in the list. */
        if (!oldest || req->start_ns <= oldest->start_ns) {
            oldest = req;
        }
    }
    return oldest;
}

static const char *driver_name(BlockDriverState *bs)
{
    return bs->drv ? bs->drv->format_name : "no driver";
}

/* An entry for a request that was started at @start_ns. */
static JobObstacle *G_GNUC_PRINTF(5, 6)
add_request(GPtrArray *list, BlockDriverState *bs, const char *operation,
            int64_t start_ns, const char *fmt, ...)
{
    int64_t age = MAX(get_clock_coarse() - start_ns, 0);
    unsigned n = atomic_read(&bs->in_flight);
    g_autofree char *what = NULL;
    JobObstacle *o;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    o = add_obstacle(list, JOB_OBSTACLE_REASON_REQUEST,
                     "node '%s' (%s) has been at a %s%s for %.1f s; "
                     "%u in flight there", bs->node_name, driver_name(bs),
                     operation, what, age / 1e9, n);
    o->has_node = o->has_driver = o->has_operation = true;
    o->node = g_strdup(bs->node_name);
    o->driver = g_strdup(driver_name(bs));
    o->operation = g_strdup(operation);
    o->has_age = o->has_in_flight = true;
    o->age = age;
    o->in_flight = n;
    return o;
}

static void explain_flush(BlockDriverState *bs, GPtrArray *list)
{
    if (bs->active_flush_req) {
        add_request(list, bs, "flush", bs->flush_start_ns, "%s", "");
    }
}

static void explain_requests(BlockDriverState *bs, GPtrArray *list)
{
    static const char *const operations[] = {
        [BDRV_TRACKED_READ] = "read",
        [BDRV_TRACKED_WRITE] = "write",
        [BDRV_TRACKED_DISCARD] = "discard",
        [BDRV_TRACKED_TRUNCATE] = "truncate",
    };
    BdrvTrackedRequest *req = oldest_request(bs);
    JobObstacle *o;

    if (req) {
        o = add_request(list, bs, operations[req->type], req->start_ns,
                        " of %" PRId64 " bytes at %" PRId64, req->bytes,
                        req->offset);
        o->has_offset = o->has_bytes = true;
        o->offset = req->offset;
        o->bytes = req->bytes;
    }
}

static int by_age(gconstpointer a, gconstpointer b)
{
    const JobObstacle *x = *(JobObstacle *const *)a;
    const JobObstacle *y = *(JobObstacle *const *)b;

    return (y->age > x->age) - (y->age < x->age);
}

static void explain_nodes(BlockJob *job, GPtrArray *list)
{
    g_autoptr(GPtrArray) nodes = nodes_of(job);
    g_autoptr(GPtrArray) requests = g_ptr_array_new();
    guint i;

    for (i = 0; i < nodes->len; i++) {
        explain_drain(g_ptr_array_index(nodes, i), list);
        explain_requests(g_ptr_array_index(nodes, i), requests);
        explain_flush(g_ptr_array_index(nodes, i), requests);
    }
    g_ptr_array_sort(requests, by_age);
    for (i = 0; i < requests->len; i++) {
        g_ptr_array_add(list, g_ptr_array_index(requests, i));
    }
}

/* ---- The command ---- */

JobObstacleList *qmp_x_job_explain(const char *id, Error **errp)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    JobObstacleList *head = NULL, **tail = &head;
    BlockJob *job = block_job_get(id);
    AioContext *ctx;
    guint i;

    if (!job) {
        error_setg(errp, "Job '%s' not found", id);
        return NULL;
    }
    ctx = blk_get_aio_context(job->blk);
    aio_context_acquire(ctx);
    explain_pause(job, list);
    explain_state(job, list);
    explain_nodes(job, list);
    aio_context_release(ctx);
    for (i = 0; i < list->len; i++) {
        QAPI_LIST_APPEND(tail, (JobObstacle *)g_ptr_array_index(list, i));
    }
    return head;
}
