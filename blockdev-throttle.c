/*
 * SPDX-License-Identifier: MIT
 *
 * I/O limits of drives: the options throttling.* of -drive, with their old
 * names, and the command block_set_io_throttle.
 */
#include "qemu/osdep.h"
#include "block/throttle-groups.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"

/* X(name of the option, old name, bucket) */
#define BUCKETS(X)                                      \
    X("bps-total", "bps", THROTTLE_BPS_TOTAL)           \
    X("bps-read", "bps_rd", THROTTLE_BPS_READ)          \
    X("bps-write", "bps_wr", THROTTLE_BPS_WRITE)        \
    X("iops-total", "iops", THROTTLE_OPS_TOTAL)         \
    X("iops-read", "iops_rd", THROTTLE_OPS_READ)        \
    X("iops-write", "iops_wr", THROTTLE_OPS_WRITE)

static QemuOptsList throttle_opts = {
    .name = "drive-throttling",
    .head = QTAILQ_HEAD_INITIALIZER(throttle_opts.head),
    .desc = {
#define DESCRIBE(name_, old, bucket)                                        \
        { .name = "throttling." name_, .type = QEMU_OPT_NUMBER },           \
        { .name = "throttling." name_ "-max", .type = QEMU_OPT_NUMBER },    \
        { .name = "throttling." name_ "-max-length",                        \
          .type = QEMU_OPT_NUMBER },
        BUCKETS(DESCRIBE)
        { .name = "throttling.iops-size", .type = QEMU_OPT_NUMBER },
        { .name = "throttling.group", .type = QEMU_OPT_STRING },
        { /* end of list */ }
    },
};

static const struct {
    const char *old;
    const char *name;
} aliases[] = {
#define ALIAS(name, old, bucket)                        \
    { old, "throttling." name },                        \
    { old "_max", "throttling." name "-max" },
    BUCKETS(ALIAS)
    { "iops_size", "throttling.iops-size" },
};

/* ---- -drive ---- */

static bool rename_aliases(QDict *options, Error **errp)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(aliases); i++) {
        const char *value = qdict_get_try_str(options, aliases[i].old);

        if (!value) {
            continue;
        }
        if (qdict_haskey(options, aliases[i].name)) {
            error_setg(errp, "'%s' and its alias '%s' can't be used at the "
                       "same time", aliases[i].name, aliases[i].old);
            return false;
        }
        qdict_put_str(options, aliases[i].name, value);
        qdict_del(options, aliases[i].old);
    }
    return true;
}

static void take_limits(QemuOpts *opts, ThrottleConfig *cfg)
{
    throttle_config_init(cfg);
#define TAKE(name, old, bucket)                                             \
    cfg->buckets[bucket].avg =                                              \
        qemu_opt_get_number(opts, "throttling." name, 0);                   \
    cfg->buckets[bucket].max =                                              \
        qemu_opt_get_number(opts, "throttling." name "-max", 0);            \
    cfg->buckets[bucket].burst_length =                                     \
        qemu_opt_get_number(opts, "throttling." name "-max-length", 1);
    BUCKETS(TAKE)
    cfg->op_size = qemu_opt_get_number(opts, "throttling.iops-size", 0);
}

bool drive_parse_throttling(QDict *options, ThrottleConfig *cfg, char **group,
                            Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&throttle_opts, NULL, 0, &error_abort);
    bool ok = rename_aliases(options, errp) &&
              qemu_opts_absorb_qdict(opts, options, errp);

    if (ok) {
        take_limits(opts, cfg);
        *group = g_strdup(qemu_opt_get(opts, "throttling.group"));
        ok = throttle_is_valid(cfg, errp);
        if (!ok) {
            g_clear_pointer(group, g_free);
        }
    }
    qemu_opts_del(opts);
    return ok;
}

/* ---- block_set_io_throttle ---- */

static void take_arguments(const BlockIOThrottle *arg, ThrottleConfig *cfg)
{
    LeakyBucket *b = cfg->buckets;

    throttle_config_init(cfg);
#define ARGUMENT(bucket, member)                                            \
    b[bucket].avg = arg->member;                                            \
    if (arg->has_##member##_max) {                                          \
        b[bucket].max = arg->member##_max;                                  \
    }                                                                       \
    if (arg->has_##member##_max_length) {                                   \
        b[bucket].burst_length = arg->member##_max_length;                  \
    }
    ARGUMENT(THROTTLE_BPS_TOTAL, bps)
    ARGUMENT(THROTTLE_BPS_READ, bps_rd)
    ARGUMENT(THROTTLE_BPS_WRITE, bps_wr)
    ARGUMENT(THROTTLE_OPS_TOTAL, iops)
    ARGUMENT(THROTTLE_OPS_READ, iops_rd)
    ARGUMENT(THROTTLE_OPS_WRITE, iops_wr)
    if (arg->has_iops_size) {
        cfg->op_size = arg->iops_size;
    }
}

static void set_limits(BlockBackend *blk, const BlockIOThrottle *arg,
                       Error **errp)
{
    const char *device = arg->has_device ? arg->device : arg->id;
    ThrottleConfig cfg;

    if (!blk_bs(blk)) {
        error_setg(errp, "Device has no medium");
        return;
    }
    take_arguments(arg, &cfg);
    if (!throttle_is_valid(&cfg, errp)) {
        return;
    }
    if (!throttle_enabled(&cfg)) {
        if (blk_get_public(blk)->throttle_group_member.throttle_state) {
            blk_io_limits_disable(blk);
        }
        return;
    }
    if (!blk_get_public(blk)->throttle_group_member.throttle_state) {
        blk_io_limits_enable(blk, arg->has_group ? arg->group : device);
    } else if (arg->has_group) {
        blk_io_limits_update_group(blk, arg->group);
    }
    blk_set_io_limits(blk, &cfg);
}

void qmp_block_set_io_throttle(BlockIOThrottle *arg, Error **errp)
{
    BlockBackend *blk;
    AioContext *ctx;

    blk = qmp_get_blk(arg->has_device ? arg->device : NULL,
                      arg->has_id ? arg->id : NULL, errp);
    if (!blk) {
        return;
    }
    ctx = blk_get_aio_context(blk);
    aio_context_acquire(ctx);
    set_limits(blk, arg, errp);
    aio_context_release(ctx);
}
