/*
 * SPDX-License-Identifier: MIT
 *
 * Options that every node takes, and how they go with the BDRV_O_* flags.
 *
 * Invariant: for a node that is open, bs->options and bs->open_flags say the
 * same about cache mode and read-only, except that the driver may have fallen
 * back to read-only (auto-read-only).
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"
#include "qapi/qmp/qjson.h"
#include "qemu/cutils.h"
#include "qemu/option.h"

#define OPTION(name_, type_, help_) \
    { .name = name_, .type = QEMU_OPT_##type_, .help = help_ }

QemuOptsList bdrv_runtime_opts = {
    .name = "block-node",
    .head = QTAILQ_HEAD_INITIALIZER(bdrv_runtime_opts.head),
    .desc = {
        OPTION("driver", STRING, "driver of the node"),
        OPTION("node-name", STRING, "name of the node"),
        OPTION(BDRV_OPT_READ_ONLY, BOOL, "nobody writes through the node"),
        OPTION(BDRV_OPT_AUTO_READ_ONLY, BOOL,
               "fall back to read-only where writing is not possible"),
        OPTION(BDRV_OPT_CACHE_DIRECT, BOOL, "go past the host's page cache"),
        OPTION(BDRV_OPT_CACHE_NO_FLUSH, BOOL,
               "take flushes for done without doing them"),
        OPTION(BDRV_OPT_DISCARD, STRING,
               "discards: ignore (off) or unmap (on)"),
        OPTION("detect-zeroes", STRING,
               "look for zeroes in what is written: off, on, unmap"),
        OPTION(BDRV_OPT_FORCE_SHARE, BOOL,
               "let others write to the image of a read-only node"),
        { /* end */ }
    },
};

/* ---- Modes of command lines ---- */

static const struct {
    const char *name;
    int flags;
    bool writethrough;
} cache_modes[] = {
    { "off",          BDRV_O_NOCACHE,                     false },
    { "none",         BDRV_O_NOCACHE,                     false },
    { "directsync",   BDRV_O_NOCACHE,                     true },
    { "writeback",    0,                                  false },
    { "unsafe",       BDRV_O_NO_FLUSH,                    false },
    { "writethrough", 0,                                  true },
};

int bdrv_parse_cache_mode(const char *mode, int *flags, bool *writethrough)
{
    size_t i;

    *flags &= ~BDRV_O_CACHE_MASK;
    for (i = 0; i < ARRAY_SIZE(cache_modes); i++) {
        if (!strcmp(mode, cache_modes[i].name)) {
            *flags |= cache_modes[i].flags;
            *writethrough = cache_modes[i].writethrough;
            return 0;
        }
    }
    return -1;
}

int bdrv_parse_discard_flags(const char *mode, int *flags)
{
    *flags &= ~BDRV_O_UNMAP;
    if (!strcmp(mode, "on") || !strcmp(mode, "unmap")) {
        *flags |= BDRV_O_UNMAP;
    } else if (strcmp(mode, "off") && strcmp(mode, "ignore")) {
        return -1;
    }
    return 0;
}

int bdrv_parse_aio(const char *mode, int *flags)
{
    if (!strcmp(mode, "threads")) {
        return 0;
    }
    if (!strcmp(mode, "native")) {
        *flags |= BDRV_O_NATIVE_AIO;
        return 0;
    }
#ifdef CONFIG_LINUX_IO_URING
    if (!strcmp(mode, "io_uring")) {
        *flags |= BDRV_O_IO_URING;
        return 0;
    }
#endif
    return -1;
}

/* ---- Flags and options ---- */

static const struct {
    const char *option;
    int flag;
    bool inverted;              /* "on" means that the flag is not set */
} option_flags[] = {
    { BDRV_OPT_CACHE_NO_FLUSH, BDRV_O_NO_FLUSH,     false },
    { BDRV_OPT_CACHE_DIRECT,   BDRV_O_NOCACHE,      false },
    { BDRV_OPT_READ_ONLY,      BDRV_O_RDWR,         true },
    { BDRV_OPT_AUTO_READ_ONLY, BDRV_O_AUTO_RDONLY,  false },
};

void bdrv_flags_from_opts(int *flags, QemuOpts *opts)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(option_flags); i++) {
        bool on = qemu_opt_get_bool_del(opts, option_flags[i].option, false);

        if (on != option_flags[i].inverted) {
            *flags |= option_flags[i].flag;
        } else {
            *flags &= ~option_flags[i].flag;
        }
    }
}

void bdrv_options_from_flags(QDict *options, int flags)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(option_flags); i++) {
        bool on = !!(flags & option_flags[i].flag) != option_flags[i].inverted;

        qdict_set_default_str(options, option_flags[i].option,
                              on ? "on" : "off");
    }
}

BlockdevDetectZeroesOptions bdrv_parse_detect_zeroes_opt(QemuOpts *opts,
                                                         int flags,
                                                         Error **errp)
{
    g_autofree char *value = qemu_opt_get_del(opts, "detect-zeroes");
    Error *local_err = NULL;
    int mode;

    mode = qapi_enum_parse(&BlockdevDetectZeroesOptions_lookup, value,
                           BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF, &local_err);
    if (local_err) {
        error_propagate(errp, local_err);
        return BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF;
    }
    if (mode == BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP &&
        !(flags & BDRV_O_UNMAP)) {
        error_setg(errp, "setting detect-zeroes to unmap is not allowed "
                   "without setting discard operation to unmap");
    }
    return mode;
}

/* ---- Options in file names ---- */

QDict *bdrv_parse_json_filename(const char *filename, Error **errp)
{
    const char *json;
    QObject *obj;
    QDict *options;

    if (!strstart(filename, "json:", &json)) {
        g_assert_not_reached();
    }
    obj = qobject_from_json(json, errp);
    if (!obj) {
        error_prepend(errp, "Could not parse the JSON options: ");
        return NULL;
    }
    options = qobject_to(QDict, obj);
    if (!options) {
        qobject_unref(obj);
        error_setg(errp, "Invalid JSON object given");
        return NULL;
    }
    qdict_flatten(options);
    return options;
}
