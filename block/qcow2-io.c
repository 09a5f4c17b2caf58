/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: requests for data.  A request is cut into extents; if there are
 * several, some of them are worked on at the same time.
 *
 * ->lock is taken to look at or to change the maps, and is not held while data
 * are read or written.
 */
#include "qemu/osdep.h"
#include "block/qcow2.h"
#include "block/aio.h"
#include "qapi/error.h"

/* Extents of one request on which is worked at the same time. */
#define MAX_PARTS 8

/* ---- Parts of a request ---- */

typedef struct Request Request;

/* One extent. */
typedef struct Part {
    Request *req;
    int coroutine_fn (*fn)(struct Part *part);
    uint64_t offset;            /* of the guest */
    Qcow2Run run;
    Qcow2Alloc alloc;           /* writes */
    size_t qiov_offset;
} Part;

struct Request {
    BlockDriverState *bs;
    QEMUIOVector *qiov;
    int ret;
    unsigned running;
    Coroutine *waiter;          /* the request's, if it waits for parts */
};

static void coroutine_fn part_entry(void *opaque)
{
    Part *part = opaque;
    Request *req = part->req;
    int ret = part->fn(part);

    if (ret < 0 && req->ret == 0) {
        req->ret = ret;
    }
    g_free(part);
    req->running--;
    if (req->waiter) {
        Coroutine *co = req->waiter;

        req->waiter = NULL;
        aio_co_wake(co);
    }
}

/* Wait until at most @n parts are left. */
static void coroutine_fn wait_for_parts(Request *req, unsigned n)
{
    while (req->running > n) {
        req->waiter = qemu_coroutine_self();
        qemu_coroutine_yield();
    }
}

/*
 * Work on @part: @last says that nothing follows; alone it needs no coroutine
 * of its own.
 */
static void coroutine_fn run_part(Part *part, bool last)
{
    Request *req = part->req;
    Qcow2State *s = req->bs->opaque;
    Part *copy;
    int ret;

    if (last && !req->running) {
        ret = part->fn(part);
        if (ret < 0 && req->ret == 0) {
            req->ret = ret;
        }
        return;
    }
    copy = g_memdup2(part, sizeof(*part));
    if (part->alloc.nclusters) {
        /* Nobody can have waited for it yet. */
        qcow2_alloc_end(s, &part->alloc);
        qcow2_alloc_begin(s, &copy->alloc);
    }
    wait_for_parts(req, MAX_PARTS - 1);
    req->running++;
    qemu_coroutine_enter(qemu_coroutine_create(part_entry, copy));
}

/* Work on the extent of @part, which is the next one of the request. */
static void coroutine_fn next_part(Part *part, int64_t *offset, int64_t *bytes,
                                   size_t *qiov_offset)
{
    part->offset = *offset;
    part->qiov_offset = *qiov_offset;
    *offset += part->run.bytes;
    *qiov_offset += part->run.bytes;
    *bytes -= part->run.bytes;
    run_part(part, *bytes == 0);
}

/* ---- Reads ---- */

static int coroutine_fn read_backing(BlockDriverState *bs, uint64_t offset,
                                     uint64_t bytes, QEMUIOVector *qiov,
                                     size_t qiov_offset)
{
    if (!bs->backing) {
        qemu_iovec_memset(qiov, qiov_offset, 0, bytes);
        return 0;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_READ_BACKING_AIO);
    return bdrv_co_preadv_part(bs->backing, offset, bytes, qiov, qiov_offset,
                               0);
}

static int coroutine_fn read_part(Part *part)
{
    BlockDriverState *bs = part->req->bs;
    QEMUIOVector *qiov = part->req->qiov;
    Qcow2Run *run = &part->run;

    switch (run->kind) {
    case QCOW2_UNALLOCATED:
    case QCOW2_UNALLOCATED_HOST:
        return read_backing(bs, part->offset, run->bytes, qiov,
                            part->qiov_offset);
    case QCOW2_ZERO:
    case QCOW2_ZERO_HOST:
        qemu_iovec_memset(qiov, part->qiov_offset, 0, run->bytes);
        return 0;
    case QCOW2_COMPRESSED:
        return qcow2_read_compressed(bs, run->entry, part->offset, run->bytes,
                                     qiov, part->qiov_offset);
    case QCOW2_DATA:
        BLKDBG_EVENT(bs->file, BLKDBG_READ_AIO);
        return qcow2_data_preadv(bs, part->offset, run->host, run->bytes, qiov,
                                 part->qiov_offset);
    default:
        g_assert_not_reached();
    }
}

int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    Qcow2State *s = bs->opaque;
    Request req = { .bs = bs, .qiov = qiov };
    Part part = { .req = &req, .fn = read_part };
    int ret = s->broken ? -ENOMEDIUM : 0;

    while (ret == 0 && bytes > 0 && req.ret == 0) {
        qemu_co_mutex_lock(&s->lock);
        ret = qcow2_map(bs, offset, bytes, &part.run);
        qemu_co_mutex_unlock(&s->lock);
        if (ret < 0) {
            break;
        }
        next_part(&part, &offset, &bytes, &qiov_offset);
    }
    wait_for_parts(&req, 0);
    return ret < 0 ? ret : req.ret;
}

/* ---- Copy on write ---- */

/* What the guest sees at @offset, into @buf. */
static int coroutine_fn read_old(BlockDriverState *bs, uint64_t offset,
                                 uint64_t bytes, void *buf)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);

    return qcow2_co_preadv_part(bs, offset, bytes, &qiov, 0, 0);
}

/* The bytes to put before and behind new data. */
typedef struct CopyOnWrite {
    uint64_t head_bytes;
    uint64_t tail_bytes;
    void *head;
    void *tail;
    void *buf;                  /* to be freed */
} CopyOnWrite;

static int coroutine_fn cow_prepare(BlockDriverState *bs, const Qcow2Alloc *a,
                                    CopyOnWrite *cow)
{
    Qcow2State *s = bs->opaque;
    uint64_t read_head, read_tail;
    int ret = 0;

    memset(cow, 0, sizeof(*cow));
    cow->head_bytes = a->data_from - a->from;
    cow->tail_bytes = a->to - a->data_to;
    if (a->host_is_zero) {
        cow->head_bytes = a->head_is_zero ? 0 : cow->head_bytes;
        cow->tail_bytes = a->tail_is_zero ? 0 : cow->tail_bytes;
    }
    if (!cow->head_bytes && !cow->tail_bytes) {
        return 0;
    }
    read_head = a->head_is_zero ? 0 : cow->head_bytes;
    read_tail = a->tail_is_zero ? 0 : cow->tail_bytes;
    if (!s->zeroes && (read_head < cow->head_bytes ||
                       read_tail < cow->tail_bytes)) {
        s->zeroes = qemu_try_blockalign0(qcow2_data(bs)->bs, s->cluster_size);
        if (!s->zeroes) {
            return -ENOMEM;
        }
    }
    cow->head = cow->tail = s->zeroes;
    if (!read_head && !read_tail) {
        return 0;
    }
    cow->buf = qemu_try_blockalign(qcow2_data(bs)->bs, read_head + read_tail);
    if (!cow->buf) {
        return -ENOMEM;
    }
    BLKDBG_EVENT(bs->file, BLKDBG_COW_READ);
    if (read_head) {
        cow->head = cow->buf;
        ret = read_old(bs, a->guest + a->from, read_head, cow->head);
    }
    if (read_tail && ret == 0) {
        cow->tail = (uint8_t *)cow->buf + read_head;
        ret = read_old(bs, a->guest + a->data_to, read_tail, cow->tail);
    }
    return ret;
}

static int coroutine_fn write_buf(BlockDriverState *bs, const Qcow2Alloc *a,
                                  uint64_t from, uint64_t bytes, void *buf)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);

    return qcow2_data_pwritev(bs, a->guest + from, a->host + from, bytes,
                              &qiov, 0);
}

/* Head and tail, each in a request of its own. */
static int coroutine_fn write_copies(BlockDriverState *bs, const Qcow2Alloc *a,
                                     const CopyOnWrite *cow)
{
    int ret = 0;

    if (cow->head_bytes) {
        ret = write_buf(bs, a, a->data_from - cow->head_bytes,
                        cow->head_bytes, cow->head);
    }
    if (ret >= 0 && cow->tail_bytes) {
        ret = write_buf(bs, a, a->data_to, cow->tail_bytes, cow->tail);
    }
    return ret;
}

/* Head, new data and tail in one request, if the vector is not too long. */
static int coroutine_fn write_with_copies(BlockDriverState *bs,
                                          const Qcow2Alloc *a,
                                          const CopyOnWrite *cow,
                                          QEMUIOVector *qiov,
                                          size_t qiov_offset)
{
    uint64_t bytes = a->data_to - a->data_from;
    uint64_t start = a->host + a->data_from - cow->head_bytes;
    QEMUIOVector all;
    int niov = qemu_iovec_subvec_niov(qiov, qiov_offset, bytes);
    int ret;

    BLKDBG_EVENT(bs->file, BLKDBG_COW_WRITE);
    if (niov + 2 > IOV_MAX) {
        ret = write_copies(bs, a, cow);
        return ret < 0 ? ret
            : qcow2_data_pwritev(bs, a->guest + a->data_from,
                                 a->host + a->data_from, bytes, qiov,
                                 qiov_offset);
    }
    qemu_iovec_init(&all, niov + 2);
    if (cow->head_bytes) {
        qemu_iovec_add(&all, cow->head, cow->head_bytes);
    }
    qemu_iovec_concat(&all, qiov, qiov_offset, bytes);
    if (cow->tail_bytes) {
        qemu_iovec_add(&all, cow->tail, cow->tail_bytes);
    }
    BLKDBG_EVENT(bs->file, BLKDBG_WRITE_AIO);
    ret = qcow2_data_pwritev(bs, a->guest + a->data_from - cow->head_bytes,
                             start, all.size, &all, 0);
    qemu_iovec_destroy(&all);
    return ret;
}

/* ---- Writes ---- */

/* The data were written, or not: change the maps. */
static int coroutine_fn finish_alloc(BlockDriverState *bs, Qcow2Alloc *a,
                                     int ret)
{
    Qcow2State *s = bs->opaque;

    qemu_co_mutex_lock(&s->lock);
    if (ret < 0) {
        qcow2_alloc_abort(bs, a);
    } else {
        ret = qcow2_alloc_done(bs, a);
    }
    qemu_co_mutex_unlock(&s->lock);
    return ret;
}

static int coroutine_fn write_part(Part *part)
{
    BlockDriverState *bs = part->req->bs;
    Qcow2Alloc *a = &part->alloc;
    Qcow2Run *run = &part->run;
    CopyOnWrite cow;
    int ret;

    if (!a->nclusters) {
        BLKDBG_EVENT(bs->file, BLKDBG_WRITE_AIO);
        return qcow2_data_pwritev(bs, part->offset, run->host, run->bytes,
                                  part->req->qiov, part->qiov_offset);
    }
    ret = cow_prepare(bs, a, &cow);
    if (ret >= 0 && (cow.head_bytes || cow.tail_bytes)) {
        ret = write_with_copies(bs, a, &cow, part->req->qiov,
                                part->qiov_offset);
    } else if (ret >= 0) {
        BLKDBG_EVENT(bs->file, BLKDBG_WRITE_AIO);
        ret = qcow2_data_pwritev(bs, part->offset, run->host, run->bytes,
                                 part->req->qiov, part->qiov_offset);
    }
    qemu_vfree(cow.buf);
    return finish_alloc(bs, a, ret);
}

int coroutine_fn qcow2_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, QEMUIOVector *qiov,
                                       size_t qiov_offset,
                                       BdrvRequestFlags flags)
{
    Qcow2State *s = bs->opaque;
    Request req = { .bs = bs, .qiov = qiov };
    Part part = { .req = &req, .fn = write_part };
    int ret = s->broken ? -ENOMEDIUM : 0;

    while (ret == 0 && bytes > 0 && req.ret == 0) {
        qemu_co_mutex_lock(&s->lock);
        ret = qcow2_map_write(bs, offset, bytes, &part.alloc, &part.run);
        qemu_co_mutex_unlock(&s->lock);
        if (ret < 0) {
            break;
        }
        next_part(&part, &offset, &bytes, &qiov_offset);
    }
    wait_for_parts(&req, 0);
    return ret < 0 ? ret : req.ret;
}

/* ---- Compressed writes ---- */

static int coroutine_fn compress_part(Part *part)
{
    return qcow2_write_compressed(part->req->bs, part->offset, part->run.bytes,
                                  part->req->qiov, part->qiov_offset);
}

int coroutine_fn qcow2_co_pwritev_compressed_part(BlockDriverState *bs,
                                                  int64_t offset,
                                                  int64_t bytes,
                                                  QEMUIOVector *qiov,
                                                  size_t qiov_offset)
{
    Qcow2State *s = bs->opaque;
    int64_t disk_end = bs->total_sectors * (int64_t)BDRV_SECTOR_SIZE;
    Request req = { .bs = bs, .qiov = qiov };
    Part part = { .req = &req, .fn = compress_part };

    if (s->broken) {
        return -ENOMEDIUM;
    }
    if (qcow2_has_data_file(bs) || s->crypto) {
        return -ENOTSUP;
    }
    if (qcow2_in_cluster(s, offset) ||
        (qcow2_in_cluster(s, bytes) && offset + bytes != disk_end)) {
        return -EINVAL;
    }
    while (bytes > 0 && req.ret == 0) {
        part.run.bytes = MIN(bytes, (int64_t)s->cluster_size);
        next_part(&part, &offset, &bytes, &qiov_offset);
    }
    wait_for_parts(&req, 0);
    return req.ret;
}

/* ---- VM state: behind the disk ---- */

typedef struct VmStateCall {
    BlockDriverState *bs;
    QEMUIOVector *qiov;
    int64_t pos;
    bool save;
} VmStateCall;

/* Ciphers want whole sectors: those that @bytes at @offset are a part of. */
static int coroutine_fn vmstate_sectors(VmStateCall *c, uint64_t offset)
{
    uint64_t start = QEMU_ALIGN_DOWN(offset, QCRYPTO_BLOCK_SECTOR);
    uint64_t end = QEMU_ALIGN_UP(offset + c->qiov->size, QCRYPTO_BLOCK_SECTOR);
    uint8_t *buf = qemu_try_blockalign(c->bs, end - start);
    int ret;

    if (!buf) {
        return -ENOMEM;
    }
    ret = read_old(c->bs, start, end - start, buf);
    if (ret >= 0 && c->save) {
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, end - start);

        qemu_iovec_to_buf(c->qiov, 0, buf + (offset - start), c->qiov->size);
        ret = qcow2_co_pwritev_part(c->bs, start, end - start, &qiov, 0, 0);
    } else if (ret >= 0) {
        qemu_iovec_from_buf(c->qiov, 0, buf + (offset - start),
                            c->qiov->size);
    }
    qemu_vfree(buf);
    return ret;
}

static int coroutine_fn vmstate_call(void *opaque)
{
    VmStateCall *c = opaque;
    Qcow2State *s = c->bs->opaque;
    uint64_t base = qcow2_vm_state_offset(s);
    int ret;

    if (c->pos < 0 || c->pos > INT64_MAX - base - c->qiov->size) {
        return -EFBIG;
    }
    bdrv_inc_in_flight(c->bs);
    BLKDBG_EVENT(c->bs->file, c->save ? BLKDBG_VMSTATE_SAVE
                                      : BLKDBG_VMSTATE_LOAD);
    if (s->crypto && !QEMU_IS_ALIGNED(c->pos | c->qiov->size,
                                      QCRYPTO_BLOCK_SECTOR)) {
        ret = vmstate_sectors(c, base + c->pos);
    } else if (c->save) {
        ret = qcow2_co_pwritev_part(c->bs, base + c->pos, c->qiov->size,
                                    c->qiov, 0, 0);
    } else {
        ret = qcow2_co_preadv_part(c->bs, base + c->pos, c->qiov->size,
                                   c->qiov, 0, 0);
    }
    if (c->save) {
        atomic_inc(&c->bs->write_gen);
    }
    bdrv_dec_in_flight(c->bs);
    return ret;
}

int qcow2_save_vmstate(BlockDriverState *bs, QEMUIOVector *qiov, int64_t pos)
{
    VmStateCall call = { bs, qiov, pos, true };

    return bdrv_run_co(bdrv_get_aio_context(bs), vmstate_call, &call);
}

int qcow2_load_vmstate(BlockDriverState *bs, QEMUIOVector *qiov, int64_t pos)
{
    VmStateCall call = { bs, qiov, pos, false };

    return bdrv_run_co(bdrv_get_aio_context(bs), vmstate_call, &call);
}

/* ---- Block status ---- */

/* Much of what the maps say is data may be holes (preallocation). */
static bool file_is_sparse(BlockDriverState *bs)
{
    Qcow2State *s = bs->opaque;
    int64_t used, length;

    if (!s->sparse_checked) {
        s->sparse_checked = true;
        used = bdrv_get_allocated_file_size(qcow2_data(bs)->bs);
        length = bdrv_getlength(qcow2_data(bs)->bs);
        if (!qcow2_has_data_file(bs)) {
            length = MIN(length, (int64_t)s->file_end);
        }
        s->sparse = used >= 0 && length > 0 && used < length - length / 10;
    }
    return s->sparse;
}

/* Compressed clusters in a row. */
static int coroutine_fn more_compressed(BlockDriverState *bs, uint64_t offset,
                                        uint64_t max, Qcow2Run *run)
{
    Qcow2Run next = { 0 };
    int ret = 0;

    while (ret == 0 && run->kind == QCOW2_COMPRESSED && run->bytes < max) {
        ret = qcow2_map(bs, offset + run->bytes, max - run->bytes, &next);
        if (ret < 0 || next.kind != QCOW2_COMPRESSED) {
            break;
        }
        run->bytes += next.bytes;
    }
    return 0;
}

int coroutine_fn qcow2_co_block_status(BlockDriverState *bs, bool want_zero,
                                       int64_t offset, int64_t bytes,
                                       int64_t *pnum, int64_t *map,
                                       BlockDriverState **file)
{
    Qcow2State *s = bs->opaque;
    int status = 0, ret;
    Qcow2Run run;

    if (s->broken) {
        return -ENOMEDIUM;
    }
    qemu_co_mutex_lock(&s->lock);
    ret = qcow2_map(bs, offset, bytes, &run);
    if (ret == 0) {
        ret = more_compressed(bs, offset, bytes, &run);
    }
    qemu_co_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    *pnum = run.bytes;
    /* What is in the file there is not what the guest sees, if encrypted. */
    if (qcow2_kind_has_host(run.kind) && !s->crypto) {
        *map = run.host;
        *file = qcow2_data(bs)->bs;
        status |= BDRV_BLOCK_OFFSET_VALID;
    }
    switch (run.kind) {
    case QCOW2_ZERO:
    case QCOW2_ZERO_HOST:
        status |= BDRV_BLOCK_ZERO;
        break;
    case QCOW2_COMPRESSED:
        status |= BDRV_BLOCK_DATA | BDRV_BLOCK_COMPRESSED;
        break;
    case QCOW2_DATA:
        status |= BDRV_BLOCK_DATA;
        if (want_zero && !s->crypto && file_is_sparse(bs)) {
            status |= BDRV_BLOCK_RECURSE;
        }
        break;
    default:
        break;
    }
    return status;
}

/* ---- Offloaded copies ---- */

int coroutine_fn qcow2_co_copy_range_from(BlockDriverState *bs, BdrvChild *src,
                                          int64_t src_offset, BdrvChild *dst,
                                          int64_t dst_offset, int64_t bytes,
                                          BdrvRequestFlags read_flags,
                                          BdrvRequestFlags write_flags)
{
    Qcow2State *s = bs->opaque;
    int ret = s->broken ? -ENOMEDIUM : s->crypto ? -ENOTSUP : 0;
    Qcow2Run run;

    while (bytes > 0 && ret >= 0) {
        qemu_co_mutex_lock(&s->lock);
        ret = qcow2_map(bs, src_offset, bytes, &run);
        qemu_co_mutex_unlock(&s->lock);
        if (ret < 0) {
            break;
        }
        if (run.kind == QCOW2_COMPRESSED) {
            ret = -ENOTSUP;
        } else if (run.kind == QCOW2_DATA) {
            ret = bdrv_co_copy_range_from(qcow2_data(bs), run.host, dst,
                                          dst_offset, run.bytes, read_flags,
                                          write_flags);
        } else if (bs->backing && (run.kind == QCOW2_UNALLOCATED ||
                                   run.kind == QCOW2_UNALLOCATED_HOST)) {
            int64_t len = bdrv_getlength(bs->backing->bs);

            if (len < 0) {
                ret = len;
            } else if (src_offset < len) {
                run.bytes = MIN(run.bytes, (uint64_t)(len - src_offset));
                ret = bdrv_co_copy_range_from(bs->backing, src_offset, dst,
                                              dst_offset, run.bytes,
                                              read_flags, write_flags);
            } else {
                ret = bdrv_co_pwrite_zeroes(dst, dst_offset, run.bytes,
                                            write_flags);
            }
        } else {
            ret = bdrv_co_pwrite_zeroes(dst, dst_offset, run.bytes,
                                        write_flags);
        }
        src_offset += run.bytes;
        dst_offset += run.bytes;
        bytes -= run.bytes;
    }
    return ret < 0 ? ret : 0;
}

/* What stands around the place where the data will be copied to. */
static int coroutine_fn write_copies_alone(BlockDriverState *bs,
                                           const Qcow2Alloc *a)
{
    CopyOnWrite cow;
    int ret = cow_prepare(bs, a, &cow);

    if (ret >= 0) {
        ret = write_copies(bs, a, &cow);
    }
    qemu_vfree(cow.buf);
    return ret;
}

int coroutine_fn qcow2_co_copy_range_to(BlockDriverState *bs, BdrvChild *src,
                                        int64_t src_offset, BdrvChild *dst,
                                        int64_t dst_offset, int64_t bytes,
                                        BdrvRequestFlags read_flags,
                                        BdrvRequestFlags write_flags)
{
    Qcow2State *s = bs->opaque;
    int ret = s->broken ? -ENOMEDIUM : s->crypto ? -ENOTSUP : 0;

    while (bytes > 0 && ret >= 0) {
        Qcow2Alloc a;
        Qcow2Run run;

        qemu_co_mutex_lock(&s->lock);
        ret = qcow2_map_write(bs, dst_offset, bytes, &a, &run);
        qemu_co_mutex_unlock(&s->lock);
        if (ret < 0) {
            break;
        }
        ret = a.nclusters ? write_copies_alone(bs, &a) : 0;
        if (ret >= 0) {
            ret = bdrv_co_copy_range_to(src, src_offset, qcow2_data(bs),
                                        run.host, run.bytes, read_flags,
                                        write_flags);
        }
        if (a.nclusters) {
            ret = finish_alloc(bs, &a, ret);
        }
        src_offset += run.bytes;
        dst_offset += run.bytes;
        bytes -= run.bytes;
    }
    return ret < 0 ? ret : 0;
}

/* ---- Preallocation ---- */

/*
 * The clusters of @a read as zeroes although nothing is written to them.  In
 * encrypted images they are marked so; version 2 has no such mark, and what
 * they read as is not defined.
 */
static int coroutine_fn link_without_data(BlockDriverState *bs, Qcow2Alloc *a,
                                          PreallocMode mode)
{
    Qcow2State *s = bs->opaque;
    uint64_t guest = a->guest;
    uint64_t bytes = (uint64_t)a->nclusters << s->cluster_bits;
    int ret = 0;

    if (!a->host_is_zero && !s->crypto) {
        qemu_co_mutex_unlock(&s->lock);
        ret = bdrv_co_pwrite_zeroes(qcow2_data(bs), a->host, bytes,
                                    mode == PREALLOC_MODE_METADATA
                                    ? BDRV_REQ_MAY_UNMAP : 0);
        qemu_co_mutex_lock(&s->lock);
    }
    if (ret < 0) {
        qcow2_alloc_abort(bs, a);
        return ret;
    }
    a->no_data = true;
    a->from = a->data_from;
    a->to = a->data_to;
    ret = qcow2_alloc_done(bs, a);
    if (ret == 0 && s->crypto && s->hdr.version >= 3) {
        ret = qcow2_zero_range(bs, guest, bytes, 0);
    }
    return ret;
}

int coroutine_fn qcow2_preallocate(BlockDriverState *bs, uint64_t offset,
                                   uint64_t bytes, PreallocMode mode,
                                   Error **errp)
{
    Qcow2State *s = bs->opaque;
    uint64_t end = 0, length;
    int64_t file_length;
    int ret = 0;

    while (bytes > 0) {
        Qcow2Alloc a;
        Qcow2Run run;

        qemu_co_mutex_lock(&s->lock);
        ret = qcow2_map_write(bs, offset, MIN(bytes, 1 * GiB), &a, &run);
        if (ret < 0) {
            error_setg_errno(errp, -ret, "Allocating clusters failed");
        } else if (a.nclusters) {
            ret = link_without_data(bs, &a, mode);
            if (ret < 0) {
                error_setg_errno(errp, -ret, "Mapping clusters failed");
            }
        }
        qemu_co_mutex_unlock(&s->lock);
        if (ret < 0) {
            return ret;
        }
        end = MAX(end, run.host + run.bytes);
        offset += run.bytes;
        bytes -= run.bytes;
    }
    /* The file must be long enough for what it seems to have; the modes that
     * reserve space do it here, for metadata that were appended, too. */
    qemu_co_mutex_lock(&s->lock);
    ret = qcow2_end_grow_ahead(bs);
    qemu_co_mutex_unlock(&s->lock);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "Could not set the length of the file");
        return ret;
    }
    file_length = bdrv_getlength(qcow2_data(bs)->bs);
    if (file_length < 0) {
        error_setg_errno(errp, -file_length, "Could not get file size");
        return file_length;
    }
    length = QEMU_ALIGN_UP(end, s->cluster_size);
    if (end && (int64_t)length > file_length) {
        mode = mode == PREALLOC_MODE_METADATA ? PREALLOC_MODE_OFF : mode;
        ret = bdrv_co_truncate(qcow2_data(bs), length, false, mode, 0, errp);
    }
    return ret;
}
