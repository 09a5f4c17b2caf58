/*
 * SPDX-License-Identifier: MIT
 *
 * The driver qcow2: opening, closing and reopening images, and what can be
 * asked about them.
 *
 * An image is opened in two steps around its data file: the header is parsed,
 * then, when its children are there, the tables are loaded.  The second half
 * (load_tables, unload_tables) is all that depends on nobody else writing to
 * the image; it is done anew when the image comes back from another process.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "block/dirty-bitmap.h"
#include "block/snapshot.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qemu/error-report.h"

/* ---- Running with the lock ---- */

typedef struct LockedCall {
    BlockDriverState *bs;
    int coroutine_fn (*fn)(BlockDriverState *bs, void *opaque);
    void *opaque;
} LockedCall;

static int coroutine_fn locked_call(void *opaque)
{
    LockedCall *c = opaque;
    Qcow2State *s = c->bs->opaque;
    int ret;

    qemu_co_mutex_lock(&s->lock);
    ret = c->fn(c->bs, c->opaque);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

int qcow2_run_locked(BlockDriverState *bs,
                     int coroutine_fn (*fn)(BlockDriverState *bs,
                                            void *opaque),
                     void *opaque)
{
    LockedCall call = { bs, fn, opaque };

    return bdrv_run_co(bdrv_get_aio_context(bs), locked_call, &call);
}

/* ---- Tables ---- */

static void unload_tables(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    qcow2_snapshots_free(s);
    qcow2_bitmaps_free(s);
    g_clear_pointer(&s->l1, g_free);
    g_clear_pointer(&s->reftable, g_free);
    g_clear_pointer(&s->meta_clusters, g_hash_table_destroy);
    if (s->frees) {
        g_array_set_size(s->frees, 0);
    }
    s->frees_clusters = 0;
    s->reftable_size = 0;
    s->file_ahead = 0;
    s->l1_dirty_from = s->l1_dirty_to = 0;
    s->reftable_dirty_from = s->reftable_dirty_to = 0;
    s->pack_pos = 0;
}

static int coroutine_fn load_tables(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    ret = qcow2_l1_load(bs, errp);
    if (ret == 0) {
        ret = qcow2_refs_load(bs, errp);
    }
    if (ret == 0) {
        ret = qcow2_snapshots_load(bs, errp);
    }
    if (ret == 0) {
        ret = qcow2_bitmaps_read_directory(bs, errp);
    }
    if (ret == 0) {
        qcow2_overlap_rebuild(s);
    }
    return ret;
}

/* The image was not closed properly: refcounts may be too low. */
static int coroutine_fn repair_dirty(BlockDriverState *bs, Error **errp)
{
    BdrvCheckResult result = { 0 };
    int ret;

    ret = qcow2_check_locked(bs, &result, BDRV_FIX_ERRORS | BDRV_FIX_LEAKS);
    if (ret == 0 && result.check_errors) {
        ret = -EIO;
    }
    if (ret == 0) {
        ret = qcow2_mark_clean(bs);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not repair dirty image");
    }
    return ret;
}

/* What must be done before the first write. */
static int coroutine_fn prepare_writing(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->hdr.autoclear & ~QCOW2_AUTOCLEAR_KNOWN) {
        s->hdr.autoclear &= QCOW2_AUTOCLEAR_KNOWN;
        ret = qcow2_header_write(bs);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Could not update qcow2 header");
            return ret;
        }
    }
    if ((s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY) &&
        !(bs->open_flags & BDRV_O_CHECK)) {
        return repair_dirty(bs, errp);
    }
    return 0;
}

/* ---- Open ---- */

typedef struct OpenCall {
    BlockDriverState *bs;
    Error **errp;
    const char *key_secret;     /* may be NULL */
} OpenCall;

static int coroutine_fn read_header(BlockDriverState *bs, void *opaque)
{
    OpenCall *c = opaque;
    int ret;

    ret = qcow2_header_read(bs, c->errp);
    return ret < 0 ? ret : qcow2_header_read_extensions(bs, c->errp);
}

static int coroutine_fn finish_open(BlockDriverState *bs, void *opaque)
{
    OpenCall *c = opaque;
    int ret;

    ret = load_tables(bs, c->errp);
    if (ret == 0 && qcow2_is_open_rw(bs)) {
        ret = prepare_writing(bs, c->errp);
    }
    return ret;
}

static int coroutine_fn open_crypto(BlockDriverState *bs, void *opaque)
{
    OpenCall *c = opaque;

    return qcow2_crypto_open(bs, c->key_secret,
                             bs->open_flags & BDRV_O_NO_IO, c->errp);
}

static int coroutine_fn load_bitmaps(BlockDriverState *bs, void *opaque)
{
    OpenCall *c = opaque;

    /* Who only looks at the image needs to know just which there are. */
    return bs->open_flags & (BDRV_O_CHECK | BDRV_O_INACTIVE)
           ? 0 : qcow2_bitmaps_load(bs, c->errp);
}

static int open_data_file(BlockDriverState *bs, QDict *options, Error **errp)
{
    Qcow2State *s = bs->opaque;
    bool external = s->hdr.incompatible & QCOW2_INCOMPAT_DATA_FILE;
    g_autofree char *name = NULL;
    Error *local_err = NULL;
    BdrvChild *c;

    if (external && s->data_file_name && !qdict_haskey(options, "data-file") &&
        !qdict_haskey(options, "data-file.filename")) {
        name = bdrv_get_full_backing_filename_from_filename(
            bs->file->bs->filename, s->data_file_name, &local_err);
        if (local_err) {
            error_propagate(errp, local_err);
            return -EINVAL;
        }
    }
    c = bdrv_open_child(external ? name : NULL, options, "data-file", bs,
                        &child_file, true, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return -EINVAL;
    }
    s->data_file = c;
    if (external && !c) {
        error_setg(errp, "'data-file' is required for this image");
        return -EINVAL;
    }
    if (!external && c) {
        error_setg(errp, "'data-file' can only be set for images with an "
                   "external data file");
        return -EINVAL;
    }
    if (!external && qcow2_data_file_is_raw(s)) {
        error_setg(errp, "data-file-raw requires a data file");
        return -EINVAL;
    }
    return 0;
}

/* What the node tells about itself. */
static void publish(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    bs->total_sectors = s->hdr.size / BDRV_SECTOR_SIZE;
    bdrv_set_string(&bs->backing_file, s->backing_name ?: "");
    bdrv_set_string(&bs->backing_format, s->backing_format ?: "");
    bs->supported_zero_flags = s->hdr.version >= 3
        ? BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK : 0;
    bs->supported_truncate_flags = BDRV_REQ_ZERO_WRITE;
}

static void state_init(Qcow2State *s)
{
    qemu_co_mutex_init(&s->lock);
    qemu_co_mutex_init(&s->crypto_lock);
    qemu_co_queue_init(&s->comp_queue);
    QLIST_INIT(&s->unknown_exts);
    QLIST_INIT(&s->in_flight);
    s->frees = g_array_new(false, false, sizeof(Qcow2Free));
}

static void state_free(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;

    qcow2_clean_timer_stop(bs);
    unload_tables(bs);
    qcow2_cache_free(s->l2_cache);
    qcow2_cache_free(s->ref_cache);
    s->l2_cache = s->ref_cache = NULL;
    qcow2_header_free(s);
    qcow2_crypto_close(s);
    g_array_free(s->frees, true);
    s->frees = NULL;
    qemu_vfree(s->zeroes);
    s->zeroes = NULL;
}

static int open_image(BlockDriverState *bs, QDict *options, int flags,
                      Error **errp)
{
    g_autofree char *key_secret =
        g_strdup(qdict_get_try_str(options, QCOW2_OPT_KEY_SECRET));
    OpenCall call = { bs, errp, key_secret };
    Qcow2Options opt;
    int ret;

    ret = qcow2_run_locked(bs, read_header, &call);
    if (ret == 0) {
        ret = open_data_file(bs, options, errp);
    }
    if (ret == 0) {
        ret = qcow2_options_parse(bs, options, flags, &opt, errp);
    }
    if (ret == 0) {
        ret = qcow2_run_locked(bs, open_crypto, &call);
    }
    if (ret < 0) {
        return ret;
    }
    qcow2_options_apply(bs, &opt);
    ret = qcow2_run_locked(bs, finish_open, &call);
    if (ret < 0) {
        return ret;
    }
    publish(bs);
    ret = qcow2_run_locked(bs, load_bitmaps, &call);
    if (ret < 0) {
        bdrv_release_named_dirty_bitmaps(bs);
        return ret;
    }
    qcow2_clean_timer_start(bs, bdrv_get_aio_context(bs));
    return 0;
}

static int qcow2_open(BlockDriverState *bs, QDict *options, int flags,
                      Error **errp)
{
    int ret;

    ret = bdrv_open_file_child(NULL, options, "file", bs, errp);
    if (ret < 0) {
        return ret;
    }
    state_init(bs->opaque);
    ret = open_image(bs, options, flags, errp);
    if (ret < 0) {
        state_free(bs);
    }
    return ret;
}

static int qcow2_probe(const uint8_t *buf, int buf_size, const char *filename)
{
    return buf_size >= QCOW2_V2_HEADER_LENGTH &&
           (uint32_t)ldl_be_p(buf) == QCOW2_MAGIC &&
           (uint32_t)ldl_be_p(buf + 4) >= 2 ? 100 : 0;
}

/* ---- Close ---- */

/* All that is in memory only goes to the disk. */
static int coroutine_fn store_all(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    Error *err = NULL;
    int ret;

    if (s->broken) {
        return 0;
    }
    if (qcow2_bitmaps_store(bs, &err) < 0) {
        /* In the image they are marked as in use: nobody will believe them. */
        error_reportf_err(err, "Lost persistent bitmaps during inactivation "
                          "of node '%s': ", bdrv_get_device_or_node_name(bs));
    }
    ret = qcow2_write_back(bs);
    if (ret == 0) {
        /* If that fails the file is longer than need be: no harm. */
        qcow2_end_grow_ahead(bs);
        ret = qcow2_mark_clean(bs);
    }
    return ret;
}

static int qcow2_inactivate(BlockDriverState *bs)
{
    BdrvDirtyBitmap *bitmap, *next;
    int ret;

    if (!qcow2_is_open_rw(bs)) {
        if (bdrv_is_read_only(bs) && qcow2_bitmaps_pending(bs)) {
            error_report("Lost persistent bitmaps during inactivation of node "
                         "'%s': No write access",
                         bdrv_get_device_or_node_name(bs));
        }
        return 0;
    }
    ret = qcow2_run_locked(bs, store_all, NULL);
    /* They are loaded again if the image comes back. */
    for (bitmap = bdrv_dirty_bitmap_first(bs); bitmap; bitmap = next) {
        next = bdrv_dirty_bitmap_next(bitmap);
        if (bdrv_dirty_bitmap_get_persistence(bitmap)) {
            bdrv_release_dirty_bitmap(bitmap);
        }
    }
    if (ret < 0) {
        error_report("Failed to write the metadata of '%s': %s",
                     bs->file->bs->filename, strerror(-ret));
    }
    return ret;
}

static void qcow2_close(BlockDriverState *bs)
{
    /* Nobody is left who could do something about an error. */
    qcow2_inactivate(bs);
    state_free(bs);
}

/* ---- Coming back from another process ---- */

static int coroutine_fn qcow2_co_invalidate_cache(BlockDriverState *bs,
                                                  Error **errp)
{
    Qcow2State *s = bs->opaque;
    OpenCall call = { bs, errp };
    int ret;

    qemu_co_mutex_lock(&s->lock);
    unload_tables(bs);
    qcow2_cache_clear(s->l2_cache);
    qcow2_cache_clear(s->ref_cache);
    qcow2_header_free(s);
    s->unknown_fields_size = 0;
    memset(&s->bitmaps, 0, sizeof(s->bitmaps));
    s->broken = false;
    ret = read_header(bs, &call);
    if (ret == 0 && !s->crypto != !s->hdr.crypt_method) {
        error_setg(errp, "Whether data are encrypted has changed");
        ret = -EINVAL;
    }
    if (ret == 0) {
        ret = finish_open(bs, &call);
    }
    /* Tables that were not loaded must not be asked. */
    s->broken = ret < 0;
    qemu_co_mutex_unlock(&s->lock);
    if (ret < 0) {
        error_prepend(errp, "Could not reopen qcow2 layer: ");
        return ret;
    }
    publish(bs);
    qemu_co_mutex_lock(&s->lock);
    ret = load_bitmaps(bs, &call);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

/* ---- Reopen ---- */

/* What the driver keeps from prepare to commit or abort. */
typedef struct Reopen {
    Qcow2Options opt;
    bool to_ro;                 /* it was writable until now */
    bool to_rw;
    Error **errp;
} Reopen;

static int coroutine_fn sync_all(BlockDriverState *bs, void *opaque)
{
    Reopen *r = opaque;
    int ret = 0;

    if (r->to_ro) {
        ret = qcow2_bitmaps_store(bs, r->errp);
        if (ret < 0) {
            return ret;
        }
    }
    /* The caches are going to be replaced. */
    ret = qcow2_sync(bs);
    if (ret == 0) {
        qcow2_end_grow_ahead(bs);
    }
    if (ret == 0 && (r->to_ro || !r->opt.lazy_refcounts)) {
        ret = qcow2_mark_clean(bs);
    }
    if (ret < 0) {
        error_setg_errno(r->errp, -ret, "Failed to flush the caches");
    }
    return ret;
}

static int coroutine_fn mark_in_use(BlockDriverState *bs, void *opaque)
{
    return qcow2_bitmaps_mark_in_use(bs);
}

/* They may be stored, but the image stays writable. */
static void back_in_use(BlockDriverState *bs)
{
    if (qcow2_run_locked(bs, mark_in_use, NULL) < 0) {
        error_report("%s: Failed to mark dirty bitmaps as in use",
                     bdrv_get_node_name(bs));
    }
}

static int check_reopen_rw(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;

    if (s->hdr.incompatible & QCOW2_INCOMPAT_CORRUPT) {
        error_setg(errp, "qcow2: Image is corrupt; cannot be opened "
                   "read/write");
        return -EACCES;
    }
    if (s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY) {
        error_setg(errp, "qcow2: Image was not closed properly; it is repaired "
                   "when it is opened read/write at first");
        return -EACCES;
    }
    return 0;
}

static int qcow2_reopen_prepare(BDRVReopenState *state,
                                BlockReopenQueue *queue, Error **errp)
{
    BlockDriverState *bs = state->bs;
    Reopen *r = g_new0(Reopen, 1);
    bool rw = state->flags & BDRV_O_RDWR;
    int ret;

    r->to_ro = !rw && qcow2_is_open_rw(bs);
    r->to_rw = rw && !(bs->open_flags & BDRV_O_RDWR);
    r->errp = errp;
    ret = qcow2_options_parse(bs, state->options, state->flags, &r->opt, errp);
    if (ret == 0 && r->to_rw) {
        ret = check_reopen_rw(bs, errp);
    }
    if (ret == 0 && qcow2_is_open_rw(bs)) {
        ret = qcow2_run_locked(bs, sync_all, r);
    }
    if (ret < 0) {
        if (r->to_ro) {
            back_in_use(bs);
        }
        g_free(r);
        return ret;
    }
    state->opaque = r;
    return 0;
}

static void qcow2_reopen_commit(BDRVReopenState *state)
{
    Reopen *r = state->opaque;
    BdrvDirtyBitmap *bitmap;

    qcow2_clean_timer_stop(state->bs);
    qcow2_options_apply(state->bs, &r->opt);
    qcow2_clean_timer_start(state->bs, bdrv_get_aio_context(state->bs));
    FOR_EACH_DIRTY_BITMAP(state->bs, bitmap) {
        if (r->to_ro && bdrv_dirty_bitmap_get_persistence(bitmap)) {
            bdrv_dirty_bitmap_set_readonly(bitmap, true);
        }
    }
}

/* The image can be written to now.  If that fails bitmaps stay read-only, and
 * so writes are refused. */
static void qcow2_reopen_commit_post(BDRVReopenState *state)
{
    Reopen *r = state->opaque;

    if (r->to_rw &&
        qcow2_run_locked(state->bs, mark_in_use, NULL) < 0) {
        error_report("%s: Failed to make dirty bitmaps writable",
                     bdrv_get_node_name(state->bs));
    }
    g_clear_pointer(&state->opaque, g_free);
}

static void qcow2_reopen_abort(BDRVReopenState *state)
{
    Reopen *r = state->opaque;

    if (r->to_ro) {
        back_in_use(state->bs);
    }
    g_clear_pointer(&state->opaque, g_free);
}

/* ---- Flush ---- */

static int coroutine_fn qcow2_co_flush_to_os(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int ret;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    qemu_co_mutex_lock(&s->lock);
    ret = qcow2_flush_to_os(bs);
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

/* ---- The backing file ---- */

typedef struct BackingCall {
    const char *file;
    const char *format;
} BackingCall;

static int coroutine_fn store_backing(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    BackingCall *c = opaque;
    char *old_name = s->backing_name, *old_format = s->backing_format;
    int ret;

    s->backing_name = g_strdup(c->file);
    s->backing_format = g_strdup(c->format);
    ret = qcow2_header_write(bs);
    if (ret == 0) {
        /* The old one may be deleted as soon as it is not needed here. */
        ret = qcow2_barrier(bs);
    }
    if (ret < 0) {
        g_free(s->backing_name);
        g_free(s->backing_format);
        s->backing_name = old_name;
        s->backing_format = old_format;
        qcow2_header_restore(bs);
        return ret;
    }
    g_free(old_name);
    g_free(old_format);
    return 0;
}

static int qcow2_change_backing_file(BlockDriverState *bs,
                                     const char *backing_file,
                                     const char *backing_fmt)
{
    Qcow2State *s = bs->opaque;
    BackingCall call = { backing_file, backing_fmt };

    if (s->broken) {
        return -ENOMEDIUM;
    }
    if (backing_file && *backing_file && qcow2_data_file_is_raw(s)) {
        return -EINVAL;         /* all of it is in the data file */
    }
    if ((backing_file && strlen(backing_file) > QCOW2_MAX_BACKING_NAME) ||
        (backing_fmt && strlen(backing_fmt) >= 16)) {
        return -EINVAL;
    }
    return qcow2_run_locked(bs, store_backing, &call);
}

/* ---- Information ---- */

static void qcow2_refresh_limits(BlockDriverState *bs, Error **errp)
{
    Qcow2State *s = bs->opaque;

    bs->bl.pwrite_zeroes_alignment = s->subcluster_size;
    bs->bl.pdiscard_alignment = s->cluster_size;
    if (s->crypto) {
        bs->bl.request_alignment = MAX(bs->bl.request_alignment,
                                       QCRYPTO_BLOCK_SECTOR);
    }
}

static int qcow2_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    Qcow2State *s = bs->opaque;

    bdi->cluster_size = s->cluster_size;
    bdi->subcluster_size = s->subcluster_size;
    bdi->vm_state_offset = qcow2_vm_state_offset(s);
    bdi->is_dirty = s->hdr.incompatible & QCOW2_INCOMPAT_DIRTY;
    return 0;
}

static ImageInfoSpecific *qcow2_get_specific_info(BlockDriverState *bs,
                                                  Error **errp)
{
    Qcow2State *s = bs->opaque;
    ImageInfoSpecificQCow2 *q = g_new0(ImageInfoSpecificQCow2, 1);
    ImageInfoSpecific *info = g_new0(ImageInfoSpecific, 1);

    q->compat = g_strdup(s->hdr.version < 3 ? "0.10" : "1.1");
    q->refcount_bits = 1 << s->hdr.refcount_order;
    q->compression_type = s->hdr.compression;
    if (s->hdr.version >= 3) {
        q->has_lazy_refcounts = true;
        q->lazy_refcounts = s->hdr.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS;
        q->has_corrupt = true;
        q->corrupt = s->hdr.incompatible & QCOW2_INCOMPAT_CORRUPT;
        q->has_extended_l2 = true;
        q->extended_l2 = qcow2_has_subclusters(s);
        q->has_data_file = s->data_file_name != NULL;
        q->data_file = g_strdup(s->data_file_name);
        q->has_data_file_raw = qcow2_has_data_file(bs);
        q->data_file_raw = qcow2_data_file_is_raw(s);
        q->bitmaps = qcow2_bitmaps_info(bs);
        q->has_bitmaps = q->bitmaps != NULL;
    }
    q->encrypt = qcow2_crypto_info(s);
    q->has_encrypt = q->encrypt != NULL;
    info->type = IMAGE_INFO_SPECIFIC_KIND_QCOW2;
    info->u.qcow2.data = q;
    return info;
}

/* Is a new image zero?  Space that was reserved beforehand is as the file. */
static int qcow2_has_zero_init(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    uint32_t i;

    for (i = 0; i < s->hdr.l1_size; i++) {
        if (s->l1[i] & QCOW2_ENTRY_OFFSET) {
            return !s->crypto && bdrv_has_zero_init(qcow2_data(bs)->bs);
        }
    }
    return 1;
}

/* ---- Children and contexts ---- */

static void qcow2_child_perm(BlockDriverState *bs, BdrvChild *c,
                             const BdrvChildRole *role,
                             BlockReopenQueue *reopen_queue,
                             uint64_t parent_perm, uint64_t parent_shared,
                             uint64_t *nperm, uint64_t *nshared)
{
    if (!strcmp(c->name, "data-file")) {
        bdrv_data_default_perms(bs, c, role, reopen_queue, parent_perm,
                                parent_shared, nperm, nshared);
    } else {
        bdrv_format_default_perms(bs, c, role, reopen_queue, parent_perm,
                                  parent_shared, nperm, nshared);
    }
}

static void qcow2_detach_aio_context(BlockDriverState *bs)
{
    qcow2_clean_timer_stop(bs);
}

static void qcow2_attach_aio_context(BlockDriverState *bs,
                                     AioContext *new_context)
{
    qcow2_clean_timer_start(bs, new_context);
}

static const char *const qcow2_strong_opts[] = {
    "data-file",
    "encrypt.",
    NULL
};

BlockDriver bdrv_qcow2 = {
    .format_name                = "qcow2",
    .instance_size              = sizeof(Qcow2State),
    .is_format                  = true,
    .supports_backing           = true,
    .mutable_opts               = qcow2_mutable_opts,
    .strong_runtime_opts        = qcow2_strong_opts,
    .create_opts                = &qcow2_create_opts,
    .amend_opts                 = &qcow2_amend_opts,

    .bdrv_probe                 = qcow2_probe,
    .bdrv_open                  = qcow2_open,
    .bdrv_close                 = qcow2_close,
    .bdrv_reopen_prepare        = qcow2_reopen_prepare,
    .bdrv_reopen_commit         = qcow2_reopen_commit,
    .bdrv_reopen_commit_post    = qcow2_reopen_commit_post,
    .bdrv_reopen_abort          = qcow2_reopen_abort,
    .bdrv_inactivate            = qcow2_inactivate,
    .bdrv_co_invalidate_cache   = qcow2_co_invalidate_cache,
    .bdrv_child_perm            = qcow2_child_perm,
    .bdrv_detach_aio_context    = qcow2_detach_aio_context,
    .bdrv_attach_aio_context    = qcow2_attach_aio_context,

    .bdrv_co_create             = qcow2_co_create,
    .bdrv_co_create_opts        = qcow2_co_create_opts,
    .bdrv_measure               = qcow2_measure,
    .bdrv_co_truncate           = qcow2_co_truncate,
    .bdrv_make_empty            = qcow2_make_empty,
    .bdrv_amend_options         = qcow2_amend_options,
    .bdrv_co_amend              = qcow2_co_amend,
    .bdrv_change_backing_file   = qcow2_change_backing_file,

    .bdrv_co_preadv_part        = qcow2_co_preadv_part,
    .bdrv_co_pwritev_part       = qcow2_co_pwritev_part,
    .bdrv_co_pwritev_compressed_part = qcow2_co_pwritev_compressed_part,
    .bdrv_co_pwrite_zeroes      = qcow2_co_pwrite_zeroes,
    .bdrv_co_pdiscard           = qcow2_co_pdiscard,
    .bdrv_co_block_status       = qcow2_co_block_status,
    .bdrv_co_copy_range_from    = qcow2_co_copy_range_from,
    .bdrv_co_copy_range_to      = qcow2_co_copy_range_to,
    .bdrv_co_flush_to_os        = qcow2_co_flush_to_os,
    .bdrv_save_vmstate          = qcow2_save_vmstate,
    .bdrv_load_vmstate          = qcow2_load_vmstate,
    .bdrv_co_check              = qcow2_co_check,

    .bdrv_refresh_limits        = qcow2_refresh_limits,
    .bdrv_get_info              = qcow2_get_info,
    .bdrv_get_specific_info     = qcow2_get_specific_info,
    .bdrv_has_zero_init         = qcow2_has_zero_init,

    .bdrv_supports_persistent_dirty_bitmap =
        qcow2_supports_persistent_dirty_bitmap,
    .bdrv_co_can_store_new_dirty_bitmap = qcow2_co_can_store_new_dirty_bitmap,
    .bdrv_co_remove_persistent_dirty_bitmap =
        qcow2_co_remove_persistent_dirty_bitmap,

    .bdrv_snapshot_create       = qcow2_snapshot_create,
    .bdrv_snapshot_goto         = qcow2_snapshot_goto,
    .bdrv_snapshot_delete       = qcow2_snapshot_delete,
    .bdrv_snapshot_list         = qcow2_snapshot_list,
    .bdrv_snapshot_load_tmp     = qcow2_snapshot_load_tmp,
};
