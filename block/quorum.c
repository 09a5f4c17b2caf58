/*
 * SPDX-License-Identifier: MIT
 *
 * quorum: a disk whose content is on several children.  Writes go to all of
 * them; reads are made from all of them and decided by the majority (pattern
 * "quorum"), or made from the first that succeeds ("fifo").
 *
 * Invariants
 *   1. 1 <= threshold <= num_children; with blkverify both are 2.
 *   2. ->children changes in drained sections only, so that all requests see
 *      the same children from their start to their end.
 *   3. Children are named "children.N"; no name below next_index is given
 *      again but that of the child that was added last.
 *   4. Nothing overlaps a write while it runs: all children get writes in the
 *      same order, and a read, with what it puts right, finds them all of the
 *      same age.
 *
 * Discards are not passed on: afterwards children may differ.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qapi/qapi-events-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qemu/option.h"

#define QUORUM_THRESHOLD    "vote-threshold"
#define QUORUM_BLKVERIFY    "blkverify"
#define QUORUM_REWRITE      "rewrite-corrupted"
#define QUORUM_PATTERN      "read-pattern"

typedef struct QuorumState {
    /* Immutable */
    int threshold;
    bool blkverify;
    bool rewrite;
    QuorumReadPattern pattern;

    /* Main thread, drained */
    BdrvChild **children;
    int num_children;
    unsigned next_index;
} QuorumState;

typedef struct QuorumRequest QuorumRequest;

/* What one child does for a request. */
typedef struct QuorumPart {
    QuorumRequest *req;
    BdrvChild *child;
    uint8_t *buf;               /* reads */
    int votes;                  /* reads: for the content of this part */
    int same_as;                /* ... the first part that has it, too */
    int ret;
} QuorumPart;

struct QuorumRequest {
    BlockDriverState *bs;
    QuorumOpType type;
    int64_t offset;
    int64_t bytes;
    QEMUIOVector *qiov;         /* writes; NULL: zeroes */
    size_t qiov_offset;
    BdrvRequestFlags flags;

    int coroutine_fn (*fn)(QuorumPart *part);
    int n;
    QuorumPart parts[];
};

/* ---- Events ---- */

static void sectors_of(const QuorumRequest *req, int64_t *first,
                       int64_t *count)
{
    *first = req->offset / BDRV_SECTOR_SIZE;
    *count = DIV_ROUND_UP(req->offset + req->bytes, BDRV_SECTOR_SIZE) - *first;
}

/* @ret < 0: it failed, else what it read is wrong. */
static void report_bad(const QuorumRequest *req, BdrvChild *child, int ret)
{
    int64_t first, count;

    sectors_of(req, &first, &count);
    qapi_event_send_quorum_report_bad(req->type, ret < 0,
                                      ret < 0 ? strerror(-ret) : NULL,
                                      child->bs->node_name, first, count,
                                      &error_abort);
}

static void report_failure(const QuorumRequest *req)
{
    int64_t first, count;

    sectors_of(req, &first, &count);
    qapi_event_send_quorum_failure(bdrv_get_device_or_node_name(req->bs),
                                   first, count, &error_abort);
}

/* ---- All children at once ---- */

static QuorumRequest *request_new(BlockDriverState *bs, QuorumOpType type,
                                  int64_t offset, int64_t bytes,
                                  BdrvRequestFlags flags,
                                  int coroutine_fn (*fn)(QuorumPart *part))
{
    QuorumState *s = bs->opaque;
    QuorumRequest *req = g_malloc0(sizeof(*req) +
                                   s->num_children * sizeof(req->parts[0]));
    int i;

    req->bs = bs;
    req->type = type;
    req->offset = offset;
    req->bytes = bytes;
    req->flags = flags;
    req->fn = fn;
    req->n = s->num_children;
    for (i = 0; i < req->n; i++) {
        req->parts[i].req = req;
        req->parts[i].child = s->children[i];
    }
    return req;
}

static void request_free(QuorumRequest *req)
{
    int i;

    for (i = 0; i < req->n; i++) {
        qemu_vfree(req->parts[i].buf);
    }
    g_free(req);
}

static void coroutine_fn run_part(void *opaque)
{
    QuorumPart *part = opaque;

    part->ret = part->req->fn(part);
}

static void coroutine_fn run_parts(QuorumRequest *req)
{
    qemu_co_run_all(run_part, req->parts, sizeof(req->parts[0]), req->n);
}

/* The error of most parts; of several the last one's. */
static int common_error(const QuorumRequest *req)
{
    int best = -EIO, best_votes = 0;
    int i, j;

    for (i = req->n - 1; i >= 0; i--) {
        int votes = 0;

        if (req->parts[i].ret >= 0) {
            continue;
        }
        for (j = 0; j < req->n; j++) {
            votes += req->parts[j].ret == req->parts[i].ret;
        }
        if (votes > best_votes) {
            best = req->parts[i].ret;
            best_votes = votes;
        }
    }
    return best;
}

/* Tells who failed; 0 if enough have not. */
static int check_errors(QuorumRequest *req)
{
    QuorumState *s = req->bs->opaque;
    int i, good = 0;

    for (i = 0; i < req->n; i++) {
        if (req->parts[i].ret < 0) {
            report_bad(req, req->parts[i].child, req->parts[i].ret);
        } else {
            good++;
        }
    }
    if (good >= s->threshold) {
        return 0;
    }
    report_failure(req);
    return common_error(req);
}

/* ---- Reads ---- */

static int coroutine_fn read_part(QuorumPart *part)
{
    QuorumRequest *req = part->req;
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, part->buf, req->bytes);

    return bdrv_co_preadv(part->child, req->offset, req->bytes, &qiov,
                          req->flags);
}

static bool alloc_buffers(QuorumRequest *req)
{
    int i;

    for (i = 0; i < req->n; i++) {
        QuorumPart *part = &req->parts[i];

        part->buf = qemu_try_blockalign(part->child->bs, req->bytes);
        if (!part->buf) {
            return false;
        }
    }
    return true;
}

/* Who agrees with whom?  Returns how many contents there are. */
static int count_votes(QuorumRequest *req)
{
    int contents = 0;
    int i, j;

    for (i = 0; i < req->n; i++) {
        QuorumPart *part = &req->parts[i];

        part->votes = 0;
        if (part->ret < 0) {
            continue;
        }
        for (j = 0; j < i; j++) {
            QuorumPart *other = &req->parts[j];

            if (other->votes > 0 &&
                !memcmp(part->buf, other->buf, req->bytes)) {
                break;
            }
        }
        part->same_as = j;
        req->parts[j].votes++;
        contents += j == i;
    }
    return contents;
}

static void verify_failed(const QuorumRequest *req)
{
    const QuorumPart *a = &req->parts[0], *b = &req->parts[1];
    int64_t at = 0;

    while (a->buf[at] == b->buf[at]) {
        at++;
    }
    /* Not for a monitor: that ends, too. */
    fprintf(stderr, "quorum: offset=%" PRId64 " bytes=%" PRId64
            " contents mismatch at offset %" PRId64 "\n",
            req->offset, req->bytes, req->offset + at);
    exit(EXIT_FAILURE);
}

/* Of several with as many votes the last */
static const QuorumPart *winner_of(const QuorumRequest *req)
{
    const QuorumPart *best = &req->parts[0];
    int i;

    for (i = 1; i < req->n; i++) {
        if (req->parts[i].votes >= best->votes) {
            best = &req->parts[i];
        }
    }
    return best;
}

/* Errors don't matter: that it is wrong was told, and it stays so. */
static void coroutine_fn put_right(QuorumRequest *req, BdrvChild *child,
                                   const QuorumPart *winner)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, winner->buf, req->bytes);

    bdrv_co_pwritev(child, req->offset, req->bytes, &qiov, 0);
}

static void coroutine_fn handle_losers(QuorumRequest *req,
                                       const QuorumPart *winner)
{
    QuorumState *s = req->bs->opaque;
    int i;

    for (i = 0; i < req->n; i++) {
        const QuorumPart *part = &req->parts[i];

        if (part->ret < 0 || &req->parts[part->same_as] == winner) {
            continue;
        }
        report_bad(req, part->child, 0);
        if (s->rewrite) {
            put_right(req, part->child, winner);
        }
    }
}

static int coroutine_fn read_and_vote(QuorumRequest *req, QEMUIOVector *qiov,
                                      size_t qiov_offset)
{
    QuorumState *s = req->bs->opaque;
    const QuorumPart *winner;
    int contents, ret;

    if (!alloc_buffers(req)) {
        return -ENOMEM;
    }
    run_parts(req);
    contents = count_votes(req);
    ret = check_errors(req);
    if (ret < 0) {
        return ret;
    }
    if (contents > 1 && s->blkverify) {
        verify_failed(req);
    }
    winner = winner_of(req);
    if (winner->votes < s->threshold) {
        report_failure(req);
        return -EIO;
    }
    if (contents > 1) {
        handle_losers(req, winner);
    }
    qemu_iovec_from_buf(qiov, qiov_offset, winner->buf, req->bytes);
    return 0;
}

/* From the first child that succeeds */
static int coroutine_fn read_fifo(QuorumRequest *req, QEMUIOVector *qiov,
                                  size_t qiov_offset)
{
    int i, ret = -EIO;

    for (i = 0; i < req->n; i++) {
        BdrvChild *child = req->parts[i].child;

        ret = bdrv_co_preadv_part(child, req->offset, req->bytes, qiov,
                                  qiov_offset, req->flags);
        if (ret >= 0) {
            return ret;
        }
        report_bad(req, child, ret);
    }
    return ret;
}

static int coroutine_fn quorum_preadv(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, QEMUIOVector *qiov,
                                      size_t qiov_offset,
                                      BdrvRequestFlags flags)
{
    QuorumState *s = bs->opaque;
    QuorumRequest *req = request_new(bs, QUORUM_OP_TYPE_READ, offset, bytes,
                                     flags, read_part);
    int ret;

    if (s->pattern == QUORUM_READ_PATTERN_FIFO) {
        ret = read_fifo(req, qiov, qiov_offset);
    } else {
        ret = read_and_vote(req, qiov, qiov_offset);
    }
    request_free(req);
    return ret;
}

/* ---- Writes and flushes ---- */

static int coroutine_fn write_part(QuorumPart *part)
{
    QuorumRequest *req = part->req;

    if (!req->qiov) {
        return bdrv_co_pwrite_zeroes(part->child, req->offset, req->bytes,
                                     req->flags);
    }
    return bdrv_co_pwritev_part(part->child, req->offset, req->bytes,
                                req->qiov, req->qiov_offset, req->flags);
}

static int coroutine_fn quorum_pwritev(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, QEMUIOVector *qiov,
                                       size_t qiov_offset,
                                       BdrvRequestFlags flags)
{
    QuorumRequest *req = request_new(bs, QUORUM_OP_TYPE_WRITE, offset, bytes,
                                     flags, write_part);
    int ret;

    req->qiov = qiov;
    req->qiov_offset = qiov_offset;
    bdrv_co_serialise_self(bs);
    run_parts(req);
    ret = check_errors(req);
    request_free(req);
    return ret;
}

static int coroutine_fn quorum_pwrite_zeroes(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             BdrvRequestFlags flags)
{
    return quorum_pwritev(bs, offset, bytes, NULL, 0, flags);
}

static int coroutine_fn flush_part(QuorumPart *part)
{
    return bdrv_co_flush(part->child->bs);
}

static int coroutine_fn quorum_flush(BlockDriverState *bs)
{
    QuorumRequest *req = request_new(bs, QUORUM_OP_TYPE_FLUSH, 0, 0, 0,
                                     flush_part);
    int ret;

    run_parts(req);
    ret = check_errors(req);
    request_free(req);
    return ret;
}

/* ---- Block status and length ---- */

/* Zeroes are what all children know to be zeroes. */
static int coroutine_fn quorum_block_status(BlockDriverState *bs,
                                            bool want_zero, int64_t offset,
                                            int64_t bytes, int64_t *pnum,
                                            int64_t *map,
                                            BlockDriverState **file)
{
    QuorumState *s = bs->opaque;
    int64_t zeroes = bytes;
    int i;

    *pnum = bytes;
    if (!want_zero) {
        return BDRV_BLOCK_DATA;
    }
    for (i = 0; i < s->num_children; i++) {
        int64_t n;
        int ret = bdrv_co_block_status_above(s->children[i]->bs, NULL, offset,
                                             bytes, &n, NULL, NULL);

        if (ret < 0) {
            /* Reads will tell. */
            return BDRV_BLOCK_DATA;
        }
        if (n > 0 && !(ret & BDRV_BLOCK_ZERO)) {
            *pnum = n;
            return BDRV_BLOCK_DATA;
        }
        if (n > 0) {
            zeroes = MIN(zeroes, n);
        }
    }
    *pnum = zeroes;
    return BDRV_BLOCK_ZERO;
}

static int64_t quorum_getlength(BlockDriverState *bs)
{
    QuorumState *s = bs->opaque;
    int64_t length = bdrv_getlength(s->children[0]->bs);
    int i;

    for (i = 1; i < s->num_children && length >= 0; i++) {
        int64_t other = bdrv_getlength(s->children[i]->bs);

        if (other < 0) {
            return other;
        }
        if (other != length) {
            return -EIO;
        }
    }
    return length;
}

/* ---- Options ---- */

static QemuOptsList quorum_runtime_opts = {
    .name = "quorum",
    .head = QTAILQ_HEAD_INITIALIZER(quorum_runtime_opts.head),
    .desc = {
        {
            .name = QUORUM_THRESHOLD,
            .type = QEMU_OPT_NUMBER,
            .help = "how many children have to agree",
        }, {
            .name = QUORUM_BLKVERIFY,
            .type = QEMU_OPT_BOOL,
            .help = "end the program if two children differ",
        }, {
            .name = QUORUM_REWRITE,
            .type = QEMU_OPT_BOOL,
            .help = "put right what children have wrong",
        }, {
            .name = QUORUM_PATTERN,
            .type = QEMU_OPT_STRING,
            .help = "quorum: decide by vote; fifo: the first child",
        },
        { /* end of list */ }
    },
};

static bool take_threshold(QuorumState *s, QemuOpts *opts, int num_children,
                           Error **errp)
{
    int64_t threshold = qemu_opt_get_number(opts, QUORUM_THRESHOLD, 0);

    if (threshold < 1) {
        error_setg(errp, "Parameter 'vote-threshold' expects a value >= 1");
        return false;
    }
    if (threshold > num_children) {
        error_setg(errp, "threshold may not exceed children count");
        return false;
    }
    s->threshold = threshold;
    return true;
}

static bool take_options(QuorumState *s, QemuOpts *opts, int num_children,
                         Error **errp)
{
    const char *pattern = qemu_opt_get(opts, QUORUM_PATTERN);
    int parsed = QUORUM_READ_PATTERN_QUORUM;

    if (!take_threshold(s, opts, num_children, errp)) {
        return false;
    }
    if (pattern) {
        parsed = qapi_enum_parse(&QuorumReadPattern_lookup, pattern, -1, NULL);
        if (parsed < 0) {
            error_setg(errp, "Please set read-pattern as fifo or quorum");
            return false;
        }
    }
    s->pattern = parsed;
    if (s->pattern == QUORUM_READ_PATTERN_FIFO) {
        return true;
    }
    s->blkverify = qemu_opt_get_bool(opts, QUORUM_BLKVERIFY, false);
    if (s->blkverify && (num_children != 2 || s->threshold != 2)) {
        error_setg(errp, "blkverify=on can only be set if there are exactly "
                   "two files and vote-threshold is 2");
        return false;
    }
    s->rewrite = qemu_opt_get_bool(opts, QUORUM_REWRITE, false);
    if (s->rewrite && s->blkverify) {
        error_setg(errp, "rewrite-corrupted=on cannot be used with "
                   "blkverify=on");
        return false;
    }
    return true;
}

static bool parse_options(QuorumState *s, QDict *options, int num_children,
                          Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&quorum_runtime_opts, NULL, 0,
                                      &error_abort);
    bool ok = qemu_opts_absorb_qdict(opts, options, errp) &&
              take_options(s, opts, num_children, errp);

    qemu_opts_del(opts);
    return ok;
}

/* ---- Open and close ---- */

/* What all children can do by themselves.  That one of them could only write
 * zeroes as data must not count as its error: no NO_FALLBACK. */
static void refresh_flags(BlockDriverState *bs)
{
    QuorumState *s = bs->opaque;
    unsigned write = BDRV_REQ_FUA;
    unsigned zero = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP;
    int i;

    for (i = 0; i < s->num_children; i++) {
        write &= s->children[i]->bs->supported_write_flags;
        zero &= s->children[i]->bs->supported_zero_flags;
    }
    bs->supported_write_flags = write | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = zero | BDRV_REQ_WRITE_UNCHANGED;
}

static int open_children(BlockDriverState *bs, QDict *options, int n,
                         Error **errp)
{
    QuorumState *s = bs->opaque;

    s->children = g_new0(BdrvChild *, n);
    while (s->num_children < n) {
        g_autofree char *name = g_strdup_printf("children.%d",
                                                s->num_children);
        BdrvChild *child = bdrv_open_child(NULL, options, name, bs,
                                           &child_format, false, errp);

        if (!child) {
            return -EINVAL;
        }
        s->children[s->num_children++] = child;
    }
    s->next_index = n;
    return 0;
}

static void quorum_close(BlockDriverState *bs)
{
    QuorumState *s = bs->opaque;

    g_clear_pointer(&s->children, g_free);
}

static int quorum_open(BlockDriverState *bs, QDict *options, int flags,
                       Error **errp)
{
    QuorumState *s = bs->opaque;
    int n = qdict_array_entries(options, "children.");
    int ret;

    if (n < 0) {
        error_setg(errp, "Option children is not a valid array");
        return -EINVAL;
    }
    if (n < 1) {
        error_setg(errp, "Number of provided children must be 1 or more");
        return -EINVAL;
    }
    if (!parse_options(s, options, n, errp)) {
        return -EINVAL;
    }
    if (s->rewrite && !(flags & BDRV_O_RDWR)) {
        error_setg(errp, "Block node is read-only");
        return -EACCES;
    }
    ret = open_children(bs, options, n, errp);
    if (ret < 0) {
        quorum_close(bs);
        return ret;
    }
    refresh_flags(bs);
    return 0;
}

/* ---- Children that come and go ---- */

static void quorum_add_child(BlockDriverState *bs, BlockDriverState *child_bs,
                             Error **errp)
{
    QuorumState *s = bs->opaque;
    g_autofree char *name = g_strdup_printf("children.%u", s->next_index);
    BdrvChild *child;

    if (s->blkverify) {
        error_setg(errp, "Cannot add a child to a quorum in blkverify mode");
        return;
    }
    bdrv_drained_begin(bs);
    bdrv_ref(child_bs);
    child = bdrv_attach_child(bs, child_bs, name, &child_format, errp);
    if (child) {
        s->children = g_renew(BdrvChild *, s->children, s->num_children + 1);
        s->children[s->num_children++] = child;
        s->next_index++;
        refresh_flags(bs);
    }
    bdrv_drained_end(bs);
}

static void quorum_del_child(BlockDriverState *bs, BdrvChild *child,
                             Error **errp)
{
    QuorumState *s = bs->opaque;
    g_autofree char *last = g_strdup_printf("children.%u", s->next_index - 1);
    int i = 0;

    if (s->num_children <= s->threshold) {
        error_setg(errp, "The number of children cannot be lower than the "
                   "vote threshold %d", s->threshold);
        return;
    }
    while (s->children[i] != child) {
        i++;
        assert(i < s->num_children);
    }
    bdrv_drained_begin(bs);
    s->num_children--;
    memmove(&s->children[i], &s->children[i + 1],
            (s->num_children - i) * sizeof(s->children[0]));
    if (!strcmp(child->name, last)) {
        s->next_index--;
    }
    bdrv_unref_child(bs, child);
    refresh_flags(bs);
    bdrv_drained_end(bs);
}

/* ---- The graph ---- */

static void quorum_child_perm(BlockDriverState *bs, BdrvChild *c,
                              const BdrvChildRole *role,
                              BlockReopenQueue *reopen_queue,
                              uint64_t perm, uint64_t shared,
                              uint64_t *nperm, uint64_t *nshared)
{
    QuorumState *s = bs->opaque;

    bdrv_filter_default_perms(bs, c, role, reopen_queue, perm, shared, nperm,
                              nshared);
    if (s->rewrite) {
        *nperm |= BLK_PERM_WRITE;
    }
    /* Who writes to one child makes it differ from the others. */
    *nshared &= ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
}

/* Does anybody read @bs besides what we have above it? */
static bool has_other_reader(BlockDriverState *bs)
{
    unsigned readers = 0;
    BdrvChild *c;

    QLIST_FOREACH(c, &bs->parents, next_parent) {
        readers += !!(c->perm & BLK_PERM_CONSISTENT_READ);
    }
    return readers > 1;
}

/* A child may change abruptly: it is outvoted.  Other users of it, or of a
 * filter on the way, must not see that. */
static bool quorum_recurse_can_replace(BlockDriverState *bs,
                                       BlockDriverState *to_replace)
{
    QuorumState *s = bs->opaque;
    int i;

    for (i = 0; i < s->num_children; i++) {
        BlockDriverState *node = s->children[i]->bs;

        if (!bdrv_recurse_can_replace(node, to_replace)) {
            continue;
        }
        while (node && node != to_replace && !has_other_reader(node)) {
            node = bdrv_filter_bs(node);
        }
        /* NULL: below another quorum, which has looked. */
        if (!node || (node == to_replace && !has_other_reader(node))) {
            return true;
        }
    }
    return false;
}

static void quorum_gather_child_options(BlockDriverState *bs, QDict *target,
                                        bool backing_overridden)
{
    QuorumState *s = bs->opaque;
    QList *list = qlist_new();
    int i;

    for (i = 0; i < s->num_children; i++) {
        qlist_append(list,
                     qobject_ref(s->children[i]->bs->full_open_options));
    }
    qdict_put(target, "children", list);
}

static char *quorum_dirname(BlockDriverState *bs, Error **errp)
{
    error_setg(errp, "Cannot generate a base directory for quorum nodes");
    return NULL;
}

static const char *const quorum_strong_opts[] = {
    QUORUM_THRESHOLD, QUORUM_BLKVERIFY, QUORUM_REWRITE, QUORUM_PATTERN, NULL
};

BlockDriver bdrv_quorum = {
    .format_name = "quorum",
    .instance_size = sizeof(QuorumState),
    .strong_runtime_opts = quorum_strong_opts,
    .bdrv_open = quorum_open,
    .bdrv_close = quorum_close,
    .bdrv_gather_child_options = quorum_gather_child_options,
    .bdrv_dirname = quorum_dirname,
    .bdrv_child_perm = quorum_child_perm,
    .bdrv_recurse_can_replace = quorum_recurse_can_replace,
    .bdrv_add_child = quorum_add_child,
    .bdrv_del_child = quorum_del_child,
    .bdrv_getlength = quorum_getlength,
    .bdrv_co_preadv_part = quorum_preadv,
    .bdrv_co_pwritev_part = quorum_pwritev,
    .bdrv_co_pwrite_zeroes = quorum_pwrite_zeroes,
    .bdrv_co_flush = quorum_flush,
    .bdrv_co_block_status = quorum_block_status,
};
