/*
 * SPDX-License-Identifier: MIT
 *
 * qcow2: change options of an existing image.
 *
 * All that is wanted is looked at before anything changes.
 */
#include "qemu/osdep.h"
#include "block/crypto.h"
#include "block/qcow2.h"
#include "qapi/error.h"
#include "qemu/option.h"

QemuOptsList qcow2_amend_opts = {
    .name = "qcow2-amend-opts",
    .head = QTAILQ_HEAD_INITIALIZER(qcow2_amend_opts.head),
    .desc = {
        BLOCK_CRYPTO_AMEND_OPTS("encrypt."),
        {
            .name = BLOCK_OPT_BACKING_FILE,
            .type = QEMU_OPT_STRING,
            .help = "File name of a base image",
        }, {
            .name = BLOCK_OPT_BACKING_FMT,
            .type = QEMU_OPT_STRING,
            .help = "Image format of the base image",
        }, {
            .name = BLOCK_OPT_COMPAT_LEVEL,
            .type = QEMU_OPT_STRING,
            .help = "Compatibility level (v2 [0.10] or v3 [1.1])",
        }, {
            .name = BLOCK_OPT_DATA_FILE,
            .type = QEMU_OPT_STRING,
            .help = "File name of an external data file",
        }, {
            .name = BLOCK_OPT_DATA_FILE_RAW,
            .type = QEMU_OPT_BOOL,
            .help = "The external data file must stay valid as a raw image",
        }, {
            .name = BLOCK_OPT_LAZY_REFCOUNTS,
            .type = QEMU_OPT_BOOL,
            .help = "Postpone refcount updates",
        }, {
            .name = BLOCK_OPT_REFCOUNT_BITS,
            .type = QEMU_OPT_NUMBER,
            .help = "Width of a reference count entry in bits",
        }, {
            .name = BLOCK_OPT_SIZE,
            .type = QEMU_OPT_SIZE,
            .help = "Virtual disk size",
        },
        { /* end of list */ }
    },
};

/* What the header is to be. */
typedef struct Amend {
    Qcow2Header hdr;
    const char *data_file;      /* NULL: as it is */
    Error **errp;
} Amend;

static bool take_version(BlockDriverState *bs, QemuOpts *opts, Amend *a,
                         Error **errp)
{
    Qcow2State *s = bs->opaque;
    const char *compat = qemu_opt_get(opts, BLOCK_OPT_COMPAT_LEVEL);

    if (!compat) {
        return true;
    }
    if (!strcmp(compat, "0.10") || !strcmp(compat, "v2")) {
        a->hdr.version = 2;
    } else if (!strcmp(compat, "1.1") || !strcmp(compat, "v3")) {
        a->hdr.version = 3;
    } else {
        error_setg(errp, "Unknown compatibility level %s", compat);
        return false;
    }
    return a->hdr.version >= s->hdr.version || qcow2_can_downgrade(bs, errp);
}

static bool check_backing(BlockDriverState *bs, QemuOpts *opts, Error **errp)
{
    Qcow2State *s = bs->opaque;
    const char *file = qemu_opt_get(opts, BLOCK_OPT_BACKING_FILE);
    const char *fmt = qemu_opt_get(opts, BLOCK_OPT_BACKING_FMT);

    if ((file && strcmp(file, s->backing_name ?: "")) ||
        (fmt && strcmp(fmt, bs->backing_format))) {
        error_setg(errp, "Cannot amend the backing file");
        error_append_hint(errp, "You can use 'qemu-img rebase' instead.\n");
        return false;
    }
    return true;
}

static bool take_refcounts(Qcow2State *s, QemuOpts *opts, Amend *a,
                           Error **errp)
{
    uint64_t now = 1U << s->hdr.refcount_order;
    uint64_t bits = qemu_opt_get_number(opts, BLOCK_OPT_REFCOUNT_BITS, now);

    if (!is_power_of_2(bits) || bits > 64) {
        error_setg(errp, "Refcount width must be a power of two and may not "
                   "exceed 64 bits");
        return false;
    }
    if (bits != 16 && a->hdr.version < 3 &&
        !qemu_opt_get(opts, BLOCK_OPT_REFCOUNT_BITS)) {
        error_setg(errp, "compat=0.10 requires refcount_bits=16");
        return false;
    }
    if (bits != 16 && a->hdr.version < 3) {
        error_setg(errp, "Refcount widths other than 16 bits require "
                   "compatibility level 1.1 or above (use compat=1.1 or "
                   "greater)");
        return false;
    }
    a->hdr.refcount_order = ctz64(bits);
    return true;
}

static bool take_features(BlockDriverState *bs, QemuOpts *opts, Amend *a,
                          Error **errp)
{
    Qcow2State *s = bs->opaque;
    bool was_raw = qcow2_data_file_is_raw(s);
    bool was_lazy = s->hdr.compatible & QCOW2_COMPAT_LAZY_REFCOUNTS;
    bool lazy = qemu_opt_get_bool(opts, BLOCK_OPT_LAZY_REFCOUNTS,
                                  was_lazy && a->hdr.version >= 3);
    bool raw = qemu_opt_get_bool(opts, BLOCK_OPT_DATA_FILE_RAW, was_raw);

    a->data_file = qemu_opt_get(opts, BLOCK_OPT_DATA_FILE);
    if (a->data_file && !qcow2_has_data_file(bs)) {
        error_setg(errp, "data-file can only be set for images that use an "
                   "external data file");
        return false;
    }
    if (raw && !was_raw) {
        error_setg(errp, "data-file-raw cannot be set on existing images");
        return false;
    }
    if (!raw) {
        a->hdr.autoclear &= ~QCOW2_AUTOCLEAR_DATA_RAW;
    }
    if (lazy && a->hdr.version < 3) {
        error_setg(errp, "Lazy refcounts only supported with compatibility "
                   "level 1.1 and above (use compat=1.1 or greater)");
        return false;
    }
    a->hdr.compatible &= ~QCOW2_COMPAT_LAZY_REFCOUNTS;
    a->hdr.compatible |= lazy ? QCOW2_COMPAT_LAZY_REFCOUNTS : 0;
    return true;
}

/* The header as it is wanted; all else has been done for it. */
static int coroutine_fn store_header(BlockDriverState *bs, const Amend *a)
{
    Qcow2State *s = bs->opaque;
    Qcow2Header old = s->hdr;
    char *old_name = NULL;
    int ret;

    s->hdr.version = a->hdr.version;
    s->hdr.compatible = a->hdr.compatible;
    s->hdr.autoclear = a->hdr.autoclear;
    if (s->hdr.version < 3) {
        s->hdr.compatible = s->hdr.autoclear = 0;
        s->opt.lazy_refcounts = false;
    }
    if (a->data_file) {
        old_name = s->data_file_name;
        s->data_file_name = *a->data_file ? g_strdup(a->data_file) : NULL;
    }
    ret = qcow2_header_write(bs);
    if (ret < 0) {
        s->hdr = old;
        if (a->data_file) {
            g_free(s->data_file_name);
            s->data_file_name = g_steal_pointer(&old_name);
        }
        qcow2_header_restore(bs);
    } else {
        s->maps_unstable = true;
        ret = qcow2_barrier(bs);
    }
    g_free(old_name);
    return ret;
}

static int coroutine_fn amend_locked(BlockDriverState *bs, void *opaque)
{
    Qcow2State *s = bs->opaque;
    Amend *a = opaque;
    int ret = qcow2_mark_clean(bs);

    if (ret == 0) {
        ret = qcow2_sync(bs);
    }
    if (ret == 0 && a->hdr.refcount_order != s->hdr.refcount_order) {
        ret = qcow2_set_refcount_order(bs, a->hdr.refcount_order, a->errp);
    }
    if (ret == 0 && a->hdr.version < s->hdr.version) {
        ret = qcow2_expand_zero_clusters(bs, a->errp);
    }
    return ret < 0 ? ret : store_header(bs, a);
}

int qcow2_amend_options(BlockDriverState *bs, QemuOpts *opts, bool force,
                        Error **errp)
{
    ERRP_GUARD();
    Qcow2State *s = bs->opaque;
    Amend a = { .hdr = s->hdr, .errp = errp };
    g_autoptr(QCryptoBlockAmendOptions) crypto = NULL;
    int ret;

    if (s->broken) {
        error_setg(errp, "Image '%s' is corrupt", bs->filename);
        return -ENOMEDIUM;
    }
    if (!take_version(bs, opts, &a, errp) || !check_backing(bs, opts, errp) ||
        !take_refcounts(s, opts, &a, errp) ||
        !take_features(bs, opts, &a, errp)) {
        return -EINVAL;
    }
    if (qcow2_crypto_has_options(opts)) {
        crypto = qcow2_crypto_parse_amend(bs, opts, errp);
        ret = crypto ? qcow2_crypto_amend(bs, crypto, force, errp) : -EINVAL;
        if (ret < 0) {
            return ret;
        }
    }
    ret = qcow2_run_locked(bs, amend_locked, &a);
    if (ret < 0 && !*errp) {
        error_setg_errno(errp, -ret, "Failed to update the header of '%s'",
                         bs->filename);
    }
    return ret;
}
