/*
 * SPDX-License-Identifier: MIT
 *
 * A block driver for tests of the request path: images in memory that keep a
 * log of requests and hold them back if told so.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qemu/main-loop.h"

void mem_test_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    qemu_init_main_loop(&error_abort);
    bdrv_init();
}

MemState *mem_state(BlockDriverState *bs)
{
    assert(bs->drv == &mem_format);
    return bs->opaque;
}

/* ---- Life ---- */

static int mem_open(BlockDriverState *bs, QDict *options, int flags,
                    Error **errp)
{
    MemState *s = bs->opaque;

    s->length = MEM_LENGTH;
    s->data = g_malloc0(MEM_LENGTH);
    s->allocated = g_malloc0(MEM_LENGTH / MEM_UNIT);
    s->log = g_string_new(NULL);
    s->hold = s->fail = "";
    qemu_co_queue_init(&s->queue);
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP | BDRV_REQ_WRITE_UNCHANGED |
                               BDRV_REQ_NO_FALLBACK;
    bs->supported_truncate_flags = BDRV_REQ_ZERO_WRITE;
    return 0;
}

static void mem_close(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    g_free(s->data);
    g_free(s->allocated);
    g_free(s->header);
    g_string_free(s->log, true);
}

void mem_set_length(BlockDriverState *bs, int64_t length)
{
    MemState *s = mem_state(bs);

    g_free(s->data);
    g_free(s->allocated);
    s->length = length;
    s->data = g_malloc0(length);
    s->allocated = g_malloc0(DIV_ROUND_UP(length, MEM_UNIT));
    bdrv_refresh_total_sectors(bs, 0);
}

static int64_t mem_getlength(BlockDriverState *bs)
{
    return mem_state(bs)->length;
}

static int mem_get_info(BlockDriverState *bs, BlockDriverInfo *bdi)
{
    bdi->cluster_size = mem_state(bs)->cluster_size;
    return 0;
}

static void mem_refresh_limits(BlockDriverState *bs, Error **errp)
{
    const BlockLimits *l = &mem_state(bs)->limits;

    bs->bl.request_alignment = MAX(l->request_alignment, 1);
    bs->bl.max_transfer = l->max_transfer;
    bs->bl.max_pwrite_zeroes = l->max_pwrite_zeroes;
    bs->bl.pwrite_zeroes_alignment = l->pwrite_zeroes_alignment;
    bs->bl.max_pdiscard = l->max_pdiscard;
    bs->bl.pdiscard_alignment = l->pdiscard_alignment;
    if (l->max_iov) {
        bs->bl.max_iov = l->max_iov;
    }
}

static int mem_change_backing_file(BlockDriverState *bs,
                                   const char *backing_file,
                                   const char *backing_fmt)
{
    MemState *s = bs->opaque;

    g_free(s->header);
    s->header = g_strdup_printf("%s (%s)", backing_file ? backing_file : "-",
                                backing_fmt ? backing_fmt : "-");
    return 0;
}

/* ---- Requests ---- */

static int coroutine_fn enter_request(BlockDriverState *bs, char op,
                                      int64_t offset, int64_t bytes, int flags)
{
    MemState *s = bs->opaque;
    int64_t align = bs->bl.request_alignment;

    g_string_append_printf(s->log, "%s%c", s->log->len ? " " : "", op);
    if (!strchr("of", op)) {
        g_string_append_printf(s->log, "%" PRId64 "+%" PRId64, offset, bytes);
    }
    g_string_append_printf(s->log, "%s%s%s%s",
                           flags & BDRV_REQ_FUA ? "f" : "",
                           flags & BDRV_REQ_MAY_UNMAP ? "u" : "",
                           flags & BDRV_REQ_WRITE_UNCHANGED ? "=" : "",
                           flags & BDRV_REQ_NO_FALLBACK ? "n" : "");
    if (strchr("rwzd", op)) {
        g_assert_true(QEMU_IS_ALIGNED(offset | bytes, align));
    }
    if (strchr(s->hold, op)) {
        atomic_inc(&s->held);
        qemu_co_queue_wait(&s->queue, NULL);
        atomic_dec(&s->held);
    }
    return strchr(s->fail, op) ? -EIO : 0;
}

static BlockDriverState *mem_backing(BlockDriverState *bs)
{
    return bs->backing ? bs->backing->bs : NULL;
}

static int coroutine_fn read_unit(BlockDriverState *bs, int64_t offset,
                                  int64_t bytes, QEMUIOVector *qiov,
                                  size_t at)
{
    MemState *s = bs->opaque;

    if (offset >= s->length) {
        qemu_iovec_memset(qiov, at, 0, bytes);
    } else if (s->allocated[offset / MEM_UNIT]) {
        qemu_iovec_from_buf(qiov, at, s->data + offset, bytes);
    } else if (mem_backing(bs)) {
        return bdrv_co_preadv_part(bs->backing, offset, bytes, qiov, at, 0);
    } else {
        qemu_iovec_memset(qiov, at, 0, bytes);
    }
    return 0;
}

static int coroutine_fn mem_co_preadv_part(BlockDriverState *bs,
                                           int64_t offset, int64_t bytes,
                                           QEMUIOVector *qiov,
                                           size_t qiov_offset,
                                           BdrvRequestFlags flags)
{
    int ret = enter_request(bs, 'r', offset, bytes, flags);
    int64_t done = 0;

    while (ret >= 0 && done < bytes) {
        int64_t n = MIN(MEM_UNIT - (offset + done) % MEM_UNIT, bytes - done);

        ret = read_unit(bs, offset + done, n, qiov, qiov_offset + done);
        done += n;
    }
    return ret;
}

/* Make the units of the range this node's, with what they show now. */
static void allocate(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    MemState *s = bs->opaque;
    int64_t i;

    for (i = offset / MEM_UNIT; i * MEM_UNIT < offset + bytes; i++) {
        if (!s->allocated[i]) {
            memset(s->data + i * MEM_UNIT, 0, MEM_UNIT);
            s->allocated[i] = true;
        }
    }
}

static int coroutine_fn mem_co_pwritev_part(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            QEMUIOVector *qiov,
                                            size_t qiov_offset,
                                            BdrvRequestFlags flags)
{
    MemState *s = bs->opaque;
    int ret = enter_request(bs, 'w', offset, bytes, flags);

    if (ret < 0) {
        return ret;
    }
    if (offset + bytes > s->length) {
        int64_t new_length = QEMU_ALIGN_UP(offset + bytes, MEM_UNIT);

        s->data = g_realloc(s->data, new_length);
        s->allocated = g_realloc(s->allocated, new_length / MEM_UNIT);
        memset(s->data + s->length, 0, new_length - s->length);
        memset(s->allocated + s->length / MEM_UNIT, 0,
               (new_length - s->length) / MEM_UNIT);
        s->length = new_length;
    }
    allocate(bs, offset, bytes);
    qemu_iovec_to_buf(qiov, qiov_offset, s->data + offset, bytes);
    return 0;
}

static int coroutine_fn mem_co_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             BdrvRequestFlags flags)
{
    MemState *s = bs->opaque;
    int ret = enter_request(bs, 'z', offset, bytes, flags);

    if (ret < 0) {
        return ret;
    }
    if (s->no_zeroes ||
        !QEMU_IS_ALIGNED(offset | bytes,
                         MAX(s->limits.pwrite_zeroes_alignment, 1))) {
        return -ENOTSUP;
    }
    allocate(bs, offset, bytes);
    memset(s->data + offset, 0, bytes);
    return 0;
}

static int coroutine_fn mem_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes)
{
    MemState *s = bs->opaque;
    int ret = enter_request(bs, 'd', offset, bytes, 0);

    if (ret < 0) {
        return ret;
    }
    if (!QEMU_IS_ALIGNED(offset | bytes,
                         MAX(s->limits.pdiscard_alignment, MEM_UNIT))) {
        return -ENOTSUP;
    }
    memset(s->allocated + offset / MEM_UNIT, 0, bytes / MEM_UNIT);
    return 0;
}

/* The source reads; the target, as it can look into the other, copies. */
static int coroutine_fn mem_co_copy_range_from(BlockDriverState *bs,
                                               BdrvChild *src, int64_t offset,
                                               BdrvChild *dst,
                                               int64_t dst_offset,
                                               int64_t bytes,
                                               BdrvRequestFlags read_flags,
                                               BdrvRequestFlags write_flags)
{
    int ret = enter_request(bs, 'r', offset, bytes, read_flags);

    return ret < 0 ? ret : bdrv_co_copy_range_to(src, offset, dst, dst_offset,
                                                 bytes, read_flags,
                                                 write_flags);
}

static int coroutine_fn mem_co_copy_range_to(BlockDriverState *bs,
                                             BdrvChild *src,
                                             int64_t src_offset,
                                             BdrvChild *dst, int64_t offset,
                                             int64_t bytes,
                                             BdrvRequestFlags read_flags,
                                             BdrvRequestFlags write_flags)
{
    MemState *s = bs->opaque;
    int ret;

    s->copies++;
    if (s->no_copies) {
        return -ENOTSUP;
    }
    ret = enter_request(bs, 'w', offset, bytes, write_flags);
    if (ret >= 0) {
        allocate(bs, offset, bytes);
        memcpy(s->data + offset, mem_state(src->bs)->data + src_offset, bytes);
    }
    return ret;
}

static int coroutine_fn mem_co_flush_to_os(BlockDriverState *bs)
{
    return enter_request(bs, 'o', 0, 0, 0);
}

static int coroutine_fn mem_co_flush_to_disk(BlockDriverState *bs)
{
    return enter_request(bs, 'f', 0, 0, 0);
}

static int coroutine_fn mem_co_truncate(BlockDriverState *bs, int64_t offset,
                                        bool exact, PreallocMode prealloc,
                                        BdrvRequestFlags flags, Error **errp)
{
    MemState *s = bs->opaque;
    int64_t units = DIV_ROUND_UP(offset, MEM_UNIT);
    int64_t old_units = DIV_ROUND_UP(s->length, MEM_UNIT);
    int ret = enter_request(bs, 't', offset, 0, flags);

    if (ret < 0) {
        error_setg(errp, "truncation fails");
        return ret;
    }
    s->data = g_realloc(s->data, units * MEM_UNIT);
    s->allocated = g_realloc(s->allocated, units);
    if (units > old_units) {
        memset(s->data + old_units * MEM_UNIT, 0,
               (units - old_units) * MEM_UNIT);
        memset(s->allocated + old_units, !!(flags & BDRV_REQ_ZERO_WRITE),
               units - old_units);
    }
    s->length = offset;
    return 0;
}

static int coroutine_fn mem_co_block_status(BlockDriverState *bs,
                                            bool want_zero, int64_t offset,
                                            int64_t bytes, int64_t *pnum,
                                            int64_t *map,
                                            BlockDriverState **file)
{
    MemState *s = bs->opaque;
    int64_t units = DIV_ROUND_UP(s->length, MEM_UNIT);
    int64_t i = offset / MEM_UNIT, j = i + 1;
    int ret = enter_request(bs, 's', offset, bytes, 0);

    if (ret < 0) {
        return ret;
    }
    while (j < units && s->allocated[j] == s->allocated[i]) {
        j++;
    }
    *pnum = MIN(MAX(j * MEM_UNIT, offset + 1) - offset, bytes);
    *map = offset;
    *file = bs;
    if (s->allocated[i]) {
        return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    }
    return s->raw_status ? BDRV_BLOCK_ZERO | BDRV_BLOCK_OFFSET_VALID : 0;
}

/* ---- Drain ---- */

static void wake_bh(void *opaque)
{
    aio_co_wake(opaque);
}

static void coroutine_fn mem_drain_hook(BlockDriverState *bs, int delta)
{
    MemState *s = bs->opaque;

    if (s->slow_drain) {
        aio_bh_schedule_oneshot(qemu_get_current_aio_context(), wake_bh,
                                qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    atomic_add(&s->drained, delta);
}

static void coroutine_fn mem_co_drain_begin(BlockDriverState *bs)
{
    mem_drain_hook(bs, 1);
}

static void coroutine_fn mem_co_drain_end(BlockDriverState *bs)
{
    mem_drain_hook(bs, -1);
}

BlockDriver mem_format = {
    .format_name            = "test-mem",
    .instance_size          = sizeof(MemState),
    .is_format              = true,
    .supports_backing       = true,
    .bdrv_open              = mem_open,
    .bdrv_close             = mem_close,
    .bdrv_child_perm        = bdrv_default_perms,
    .bdrv_getlength         = mem_getlength,
    .bdrv_get_info          = mem_get_info,
    .bdrv_change_backing_file = mem_change_backing_file,
    .bdrv_refresh_limits    = mem_refresh_limits,
    .bdrv_co_preadv_part    = mem_co_preadv_part,
    .bdrv_co_pwritev_part   = mem_co_pwritev_part,
    .bdrv_co_pwrite_zeroes  = mem_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = mem_co_pdiscard,
    .bdrv_co_copy_range_from = mem_co_copy_range_from,
    .bdrv_co_copy_range_to  = mem_co_copy_range_to,
    .bdrv_co_flush_to_os    = mem_co_flush_to_os,
    .bdrv_co_flush_to_disk  = mem_co_flush_to_disk,
    .bdrv_co_truncate       = mem_co_truncate,
    .bdrv_co_block_status   = mem_co_block_status,
    .bdrv_co_drain_begin    = mem_co_drain_begin,
    .bdrv_co_drain_end      = mem_co_drain_end,
};

/* ---- The filter ---- */

static int64_t filter_getlength(BlockDriverState *bs)
{
    return bs->file ? bdrv_getlength(bs->file->bs) : 0;
}

static int coroutine_fn filter_co_preadv_part(BlockDriverState *bs,
                                              int64_t offset, int64_t bytes,
                                              QEMUIOVector *qiov,
                                              size_t qiov_offset,
                                              BdrvRequestFlags flags)
{
    return bdrv_co_preadv_part(bs->file, offset, bytes, qiov, qiov_offset,
                               flags);
}

static int coroutine_fn filter_co_pwritev_part(BlockDriverState *bs,
                                               int64_t offset, int64_t bytes,
                                               QEMUIOVector *qiov,
                                               size_t qiov_offset,
                                               BdrvRequestFlags flags)
{
    return bdrv_co_pwritev_part(bs->file, offset, bytes, qiov, qiov_offset,
                                flags);
}

BlockDriver mem_filter = {
    .format_name            = "test-mem-filter",
    .is_filter              = true,
    .bdrv_child_perm        = bdrv_default_perms,
    .bdrv_getlength         = filter_getlength,
    .bdrv_co_preadv_part    = filter_co_preadv_part,
    .bdrv_co_pwritev_part   = filter_co_pwritev_part,
};

/* ---- For tests ---- */

BlockDriverState *mem_node(const char *name)
{
    return bdrv_new_open_driver(&mem_format, name,
                                BDRV_O_RDWR | BDRV_O_UNMAP, &error_abort);
}

BlockDriverState *mem_filter_node(const char *name, BlockDriverState *below)
{
    BlockDriverState *bs = bdrv_new_open_driver(&mem_filter, name,
                                                BDRV_O_RDWR, &error_abort);

    bdrv_set_file_or_backing_check(bs, below, false, &error_abort);
    bdrv_refresh_total_sectors(bs, 0);
    return bs;
}

void mem_fill(BlockDriverState *bs, int64_t offset, int64_t bytes, int byte)
{
    allocate(bs, offset, bytes);
    memset(mem_state(bs)->data + offset, byte, bytes);
}

bool mem_is_allocated(BlockDriverState *bs, int64_t offset)
{
    return mem_state(bs)->allocated[offset / MEM_UNIT];
}

char *mem_log(BlockDriverState *bs)
{
    MemState *s = mem_state(bs);
    char *log = g_string_free(s->log, false);

    s->log = g_string_new(NULL);
    return log;
}

void mem_expect_log(BlockDriverState *bs, const char *expected)
{
    g_autofree char *log = mem_log(bs);

    g_assert_cmpstr(log, ==, expected);
}

static void coroutine_fn release_entry(void *opaque)
{
    qemu_co_queue_restart_all(&mem_state(opaque)->queue);
}

void mem_release(BlockDriverState *bs)
{
    mem_state(bs)->hold = "";
    bdrv_coroutine_enter(bs, qemu_coroutine_create(release_entry, bs));
}

BlockBackend *mem_blk(BlockDriverState *bs)
{
    return blk_new_with_bs(bs, BLK_PERM_ALL & ~(uint64_t)BLK_PERM_GRAPH_MOD,
                           BLK_PERM_ALL, &error_abort);
}

static int coroutine_fn run_request(MemRequest *req)
{
    QEMUIOVector local = QEMU_IOVEC_INIT_BUF(local, req->buf, req->bytes);
    QEMUIOVector *qiov = req->qiov ? req->qiov : &local;

    switch (req->op) {
    case 'r':
        return blk_co_preadv(req->blk, req->offset, req->bytes, qiov,
                             req->flags);
    case 'w':
        return blk_co_pwritev(req->blk, req->offset, req->bytes, qiov,
                              req->flags);
    case 'z':
        return blk_co_pwrite_zeroes(req->blk, req->offset, req->bytes,
                                    req->flags);
    case 'd':
        return blk_co_pdiscard(req->blk, req->offset, req->bytes);
    case 'f':
        return blk_co_flush(req->blk);
    default:
        g_assert_not_reached();
    }
}

static void coroutine_fn request_entry(void *opaque)
{
    MemRequest *req = opaque;
    int ret = run_request(req);

    atomic_mb_set(&req->ret, MIN(ret, 0));
    aio_wait_kick();
}

static MemRequest *start_request(const MemRequest *template)
{
    MemRequest *req = g_memdup2(template, sizeof(*template));

    req->ret = -EINPROGRESS;
    aio_co_enter(blk_get_aio_context(req->blk),
                 qemu_coroutine_create(request_entry, req));
    return req;
}

MemRequest *mem_start(BlockBackend *blk, char op, int64_t offset,
                      int64_t bytes, int byte, BdrvRequestFlags flags)
{
    MemRequest req = {
        .blk = blk,
        .op = op,
        .offset = offset,
        .bytes = bytes,
        .byte = byte,
        .flags = flags,
    };

    if (strchr("rw", op)) {
        req.buf = g_malloc(bytes);
        memset(req.buf, op == 'w' ? byte : ~byte, bytes);
    }
    return start_request(&req);
}

int mem_do_vector(BlockBackend *blk, char op, int64_t offset,
                  QEMUIOVector *qiov)
{
    return mem_finish(start_request(&(MemRequest) {
        .blk = blk,
        .op = op,
        .offset = offset,
        .bytes = qiov->size,
        .qiov = qiov,
    }));
}

bool mem_done(const MemRequest *req)
{
    return atomic_mb_read(&req->ret) != -EINPROGRESS;
}

int mem_finish(MemRequest *req)
{
    int ret;

    AIO_WAIT_WHILE(blk_get_aio_context(req->blk), !mem_done(req));
    ret = req->ret;
    if (req->op == 'r' && req->buf && ret == 0) {
        int64_t i;

        for (i = 0; i < req->bytes; i++) {
            if (req->buf[i] != req->byte) {
                g_error("byte %" PRId64 " is %02x instead of %02x",
                        req->offset + i, req->buf[i], req->byte);
            }
        }
    }
    g_free(req->buf);
    g_free(req);
    return ret;
}

int mem_do(BlockBackend *blk, char op, int64_t offset, int64_t bytes,
           int byte, BdrvRequestFlags flags)
{
    return mem_finish(mem_start(blk, op, offset, bytes, byte, flags));
}

void mem_check(BlockBackend *blk, int64_t offset, int64_t bytes, int byte)
{
    g_assert_cmpint(mem_do(blk, 'r', offset, bytes, byte, 0), ==, 0);
}

typedef struct RunCo {
    void (*fn)(void *opaque);
    void *opaque;
    bool done;
} RunCo;

static void coroutine_fn run_co_entry(void *opaque)
{
    RunCo *run = opaque;

    run->fn(run->opaque);
    run->done = true;
    aio_wait_kick();
}

void mem_run_co(void (*fn)(void *opaque), void *opaque)
{
    RunCo run = { .fn = fn, .opaque = opaque };

    qemu_coroutine_enter(qemu_coroutine_create(run_co_entry, &run));
    AIO_WAIT_WHILE(NULL, !run.done);
}
