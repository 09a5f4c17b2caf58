/*
 * SPDX-License-Identifier: MIT
 *
 * Nodes of the block graph: how they come and go, their names, the lists of
 * them, and simple questions about one.
 *
 * Invariants
 *   1. Every node is in all_nodes from bdrv_new() until it is freed, in
 *      creation order.
 *   2. A node with a name is in named_nodes and, under that name, in
 *      nodes_by_name; nobody else has the name, neither node nor device.
 *   3. A node is freed when its last reference goes; then it has no parents.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/id.h"
#include "qemu/main-loop.h"

static QTAILQ_HEAD(, BlockDriverState) all_nodes =
    QTAILQ_HEAD_INITIALIZER(all_nodes);
static QTAILQ_HEAD(, BlockDriverState) named_nodes =
    QTAILQ_HEAD_INITIALIZER(named_nodes);
static QTAILQ_HEAD(, BlockDriverState) monitor_nodes =
    QTAILQ_HEAD_INITIALIZER(monitor_nodes);
static GHashTable *nodes_by_name;

static const BdrvDeviceHooks *device_hooks;
static void (*close_all_hook)(void);

/* ---- Hooks of upper layers ---- */

void bdrv_register_device_hooks(const BdrvDeviceHooks *hooks)
{
    assert(!device_hooks);
    device_hooks = hooks;
}

bool bdrv_find_device(const char *name, BlockDriverState **bs)
{
    return device_hooks && device_hooks->find(name, bs);
}

void bdrv_register_close_all_hook(void (*hook)(void))
{
    assert(!close_all_hook);
    close_all_hook = hook;
}

/* ---- Names ---- */

static bool node_name_is_usable(const BlockDriverState *bs, const char *name,
                                Error **errp)
{
    BlockDriverState *unused;

    if (!id_wellformed(name)) {
        error_setg(errp, "Invalid node-name: '%s'", name);
        return false;
    }
    if (bdrv_find_device(name, &unused)) {
        error_setg(errp, "node-name=%s is conflicting with a device id", name);
        return false;
    }
    if (bdrv_find_node(name)) {
        error_setg(errp, "Duplicate nodes with node-name='%s'", name);
        return false;
    }
    if (strlen(name) >= sizeof(bs->node_name)) {
        error_setg(errp, "Node name too long");
        return false;
    }
    return true;
}

bool bdrv_assign_node_name(BlockDriverState *bs, const char *node_name,
                           Error **errp)
{
    g_autofree char *generated = NULL;

    assert(!bs->node_name[0]);
    if (!node_name) {
        node_name = generated = id_generate(ID_BLOCK);
    } else if (!node_name_is_usable(bs, node_name, errp)) {
        return false;
    }
    pstrcpy(bs->node_name, sizeof(bs->node_name), node_name);

    if (!nodes_by_name) {
        nodes_by_name = g_hash_table_new(g_str_hash, g_str_equal);
    }
    g_hash_table_insert(nodes_by_name, bs->node_name, bs);
    QTAILQ_INSERT_TAIL(&named_nodes, bs, node_list);
    return true;
}

BlockDriverState *bdrv_find_node(const char *node_name)
{
    assert(node_name);
    return nodes_by_name ? g_hash_table_lookup(nodes_by_name, node_name)
                         : NULL;
}

BlockDriverState *bdrv_lookup_bs(const char *device, const char *node_name,
                                 Error **errp)
{
    BlockDriverState *bs;

    if (device && bdrv_find_device(device, &bs)) {
        if (!bs) {
            error_setg(errp, "Device '%s' has no medium", device);
        }
        return bs;
    }
    bs = node_name ? bdrv_find_node(node_name) : NULL;
    if (!bs) {
        error_setg(errp, "Cannot find device='%s' nor node-name='%s'",
                   device ? device : "", node_name ? node_name : "");
    }
    return bs;
}

const char *bdrv_get_node_name(const BlockDriverState *bs)
{
    return bs->node_name;
}

const char *bdrv_get_device_name(const BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        const char *name = c->role->get_name ? c->role->get_name(c) : NULL;

        if (name && *name) {
            return name;
        }
    }
    return "";
}

const char *bdrv_get_device_or_node_name(const BlockDriverState *bs)
{
    const char *name = bdrv_get_device_name(bs);

    return *name ? name : bs->node_name;
}

/* ---- Lists ---- */

BlockDriverState *bdrv_next_node(BlockDriverState *bs)
{
    return bs ? QTAILQ_NEXT(bs, node_list) : QTAILQ_FIRST(&named_nodes);
}

BlockDriverState *bdrv_next_all_states(BlockDriverState *bs)
{
    return bs ? QTAILQ_NEXT(bs, bs_list) : QTAILQ_FIRST(&all_nodes);
}

bool bdrv_is_monitor_owned(BlockDriverState *bs)
{
    return bs->monitor_owned;
}

void bdrv_set_monitor_owned(BlockDriverState *bs)
{
    if (!bs->monitor_owned) {
        bs->monitor_owned = true;
        QTAILQ_INSERT_TAIL(&monitor_nodes, bs, monitor_list);
    }
}

void bdrv_unset_monitor_owned(BlockDriverState *bs)
{
    if (bs->monitor_owned) {
        bs->monitor_owned = false;
        QTAILQ_REMOVE(&monitor_nodes, bs, monitor_list);
    }
}

BlockDriverState *bdrv_next_monitor_owned(BlockDriverState *bs)
{
    return bs ? QTAILQ_NEXT(bs, monitor_list) : QTAILQ_FIRST(&monitor_nodes);
}

/* Is there a user that is no node? */
static bool has_user_outside_graph(BlockDriverState *bs)
{
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        if (!c->role->parent_is_bds) {
            return true;
        }
    }
    return false;
}

/* The iterator keeps a reference on the node that it has returned, so the
 * caller may let that node go. */
static BlockDriverState *iterator_advance(BdrvNextIterator *it,
                                          BlockDriverState *bs)
{
    BlockDriverState *old = it->bs;

    while (bs && !has_user_outside_graph(bs) && !bs->monitor_owned) {
        bs = bdrv_next_all_states(bs);
    }
    if (bs) {
        bdrv_ref(bs);
    }
    it->bs = bs;
    bdrv_unref(old);
    return bs;
}

BlockDriverState *bdrv_first(BdrvNextIterator *it)
{
    *it = (BdrvNextIterator) { .phase = BDRV_NEXT_BACKEND_ROOTS };
    return iterator_advance(it, bdrv_next_all_states(NULL));
}

BlockDriverState *bdrv_next(BdrvNextIterator *it)
{
    assert(it->bs);
    return iterator_advance(it, bdrv_next_all_states(it->bs));
}

void bdrv_next_cleanup(BdrvNextIterator *it)
{
    bdrv_unref(it->bs);
    it->bs = NULL;
}

/* ---- Life ---- */

void bdrv_set_string(char **field, const char *value)
{
    char *copy = g_strdup(value ? value : "");

    g_free(*field);
    *field = copy;
}

BlockDriverState *bdrv_new(void)
{
    BlockDriverState *bs = g_new0(BlockDriverState, 1);

    bs->refcnt = 1;
    bs->filename = g_strdup("");
    bs->exact_filename = g_strdup("");
    bs->backing_file = g_strdup("");
    bs->auto_backing_file = g_strdup("");
    bs->backing_format = g_strdup("");
    bs->cumulative_shared = BLK_PERM_ALL;
    bs->bl.request_alignment = 1;
    bs->aio_context = qemu_get_aio_context();
    bs->enable_write_cache = true;
    QLIST_INIT(&bs->children);
    QLIST_INIT(&bs->parents);
    QLIST_INIT(&bs->aio_notifiers);
    QLIST_INIT(&bs->dirty_bitmaps);
    QLIST_INIT(&bs->tracked_requests);
    qemu_co_queue_init(&bs->flush_queue);
    qemu_mutex_init(&bs->dirty_bitmap_mutex);
    QTAILQ_INSERT_TAIL(&all_nodes, bs, bs_list);
    bdrv_drain_node_created(bs);
    return bs;
}

void bdrv_ref(BlockDriverState *bs)
{
    assert(bs->refcnt > 0);
    bs->refcnt++;
}

static void close_driver(BlockDriverState *bs)
{
    if (!bs->drv) {
        return;
    }
    if (bs->drv->bdrv_close) {
        bs->drv->bdrv_close(bs);
    }
    bs->drv = NULL;
}

/*
 * Take the node apart: no requests, no driver, no children.  The references on
 * the children are prepended to @orphans.
 */
static GSList *node_close(BlockDriverState *bs, GSList *orphans)
{
    BdrvAioNotifier *n, *next;

    bdrv_drained_begin(bs);
    if (bs->drv && !(bs->open_flags & BDRV_O_INACTIVE)) {
        bdrv_flush(bs);
        bdrv_drain(bs);     /* the flush, and what it has started */
    }
    bdrv_change_media_notify(bs, false);
    close_driver(bs);
    orphans = bdrv_detach_all_children(bs, orphans);

    g_clear_pointer(&bs->opaque, g_free);
    atomic_set(&bs->copy_on_read, 0);
    bdrv_set_string(&bs->backing_file, NULL);
    bdrv_set_string(&bs->backing_format, NULL);
    bdrv_set_string(&bs->auto_backing_file, NULL);
    bdrv_set_string(&bs->filename, NULL);
    bdrv_set_string(&bs->exact_filename, NULL);
    bs->total_sectors = 0;
    bs->encrypted = false;
    bs->sg = false;
    qobject_unref(bs->options);
    bs->options = NULL;
    qobject_unref(bs->explicit_options);
    bs->explicit_options = NULL;
    qobject_unref(bs->full_open_options);
    bs->full_open_options = NULL;
    bdrv_release_named_dirty_bitmaps(bs);
    assert(QLIST_EMPTY(&bs->dirty_bitmaps));

    QLIST_FOREACH_SAFE(n, &bs->aio_notifiers, list, next) {
        g_free(n);
    }
    QLIST_INIT(&bs->aio_notifiers);
    bdrv_drained_end(bs);
    return orphans;
}

static void node_free(BlockDriverState *bs)
{
    BlockDriverState *n;

    assert(!bs->job);
    assert(bdrv_op_blocker_is_empty(bs));
    assert(QLIST_EMPTY(&bs->parents));
    assert(QLIST_EMPTY(&bs->children));
    assert(!bs->in_flight);

    QTAILQ_FOREACH(n, &all_nodes, bs_list) {
        if (n->inherits_from == bs) {
            n->inherits_from = NULL;
        }
    }
    /* Sections that are open end without it. */
    bdrv_aio_context_hold_external(bs, bs->aio_context, false);
    QTAILQ_REMOVE(&all_nodes, bs, bs_list);
    qemu_mutex_destroy(&bs->dirty_bitmap_mutex);
    g_free(bs->filename);
    g_free(bs->exact_filename);
    g_free(bs->backing_file);
    g_free(bs->auto_backing_file);
    g_free(bs->backing_format);
    g_free(bs->status_cache);
    error_free(bs->backing_blocker);
    g_free(bs);
}

/* Drop one reference; prepends those that a closed node has held. */
static GSList *node_put(BlockDriverState *bs, GSList *orphans)
{
    assert(bs->refcnt > 0);
    if (bs->refcnt == 1) {
        /* Nobody can find it any more, and what polls while it is being
         * closed may take a reference for a moment. */
        if (bs->node_name[0]) {
            QTAILQ_REMOVE(&named_nodes, bs, node_list);
            g_hash_table_remove(nodes_by_name, bs->node_name);
        }
        bdrv_unset_monitor_owned(bs);
        orphans = node_close(bs, orphans);
        /* Up to here messages tell its name. */
        bs->node_name[0] = '\0';
    }
    if (--bs->refcnt == 0) {
        node_free(bs);
    }
    return orphans;
}

void bdrv_unref(BlockDriverState *bs)
{
    GSList *list = bs ? g_slist_prepend(NULL, bs) : NULL;

    /* A loop, not a recursion: chains can be long. */
    while (list) {
        bs = list->data;
        list = g_slist_delete_link(list, list);
        list = node_put(bs, list);
    }
}

void bdrv_close_all(void)
{
    BlockDriverState *bs;

    if (close_all_hook) {
        close_all_hook();
    }
    bdrv_drain_all_begin();
    bdrv_drain_all_end();
    bdrv_flush_all();
    if (device_hooks) {
        device_hooks->remove_all_roots();
    }

    while ((bs = bdrv_next_monitor_owned(NULL))) {
        AioContext *ctx = bdrv_get_aio_context(bs);

        aio_context_acquire(ctx);
        bdrv_unset_monitor_owned(bs);
        bdrv_unref(bs);
        aio_context_release(ctx);
    }
}

void bdrv_change_media_notify(BlockDriverState *bs, bool load)
{
    BdrvChild *c, *next;

    QLIST_FOREACH_SAFE(c, &bs->parents, next_parent, next) {
        if (c->role->change_media) {
            c->role->change_media(c, load);
        }
    }
}
