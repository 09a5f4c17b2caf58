/*
 * SPDX-License-Identifier: MIT
 *
 * The list of block drivers, and how one is found: by name, by the protocol
 * prefix of a file name, by looking at the first bytes of an image.
 *
 * Invariant: a driver is in the list once; names are unique.  Drivers are
 * static objects that are never removed.  Main thread only.
 */
#include "qemu/osdep.h"
#include "block/graph-internal.h"
#include "qapi/error.h"

static QLIST_HEAD(, BlockDriver) drivers = QLIST_HEAD_INITIALIZER(drivers);

static bool driver_is_registered(const BlockDriver *drv)
{
    BlockDriver *d;

    QLIST_FOREACH(d, &drivers, list) {
        if (d == drv) {
            return true;
        }
    }
    return false;
}

void bdrv_register(BlockDriver *bdrv)
{
    assert(bdrv->format_name);
    if (!driver_is_registered(bdrv)) {
        QLIST_INSERT_HEAD(&drivers, bdrv, list);
    }
}

BlockDriver *bdrv_find_format(const char *format_name)
{
    BlockDriver *d;

    QLIST_FOREACH(d, &drivers, list) {
        if (!strcmp(d->format_name, format_name)) {
            return d;
        }
    }
    return NULL;
}

/* The driver that is sure enough that @filename is one of its devices. */
static BlockDriver *driver_of_device(const char *filename)
{
    BlockDriver *d, *best = NULL;
    int best_score = 0;

    QLIST_FOREACH(d, &drivers, list) {
        int score = d->bdrv_probe_device ? d->bdrv_probe_device(filename) : 0;

        if (score > best_score) {
            best_score = score;
            best = d;
        }
    }
    return best;
}

BlockDriver *bdrv_find_protocol(const char *filename,
                                bool allow_protocol_prefix, Error **errp)
{
    g_autofree char *prefix = NULL;
    BlockDriver *d;

    /* A device wins even if its path looks as if it had a protocol. */
    d = driver_of_device(filename);
    if (d) {
        return d;
    }
    if (!allow_protocol_prefix || !path_has_protocol(filename)) {
        return bdrv_find_format("file");
    }

    prefix = g_strndup(filename, strchr(filename, ':') - filename);
    QLIST_FOREACH(d, &drivers, list) {
        if (d->protocol_name && !strcmp(d->protocol_name, prefix)) {
            return d;
        }
    }
    error_setg(errp, "Unknown protocol '%s'", prefix);
    return NULL;
}

BlockDriver *bdrv_probe_all(const uint8_t *buf, int buf_size,
                            const char *filename)
{
    BlockDriver *d, *best = NULL;
    int best_score = 0;

    QLIST_FOREACH(d, &drivers, list) {
        int score = d->bdrv_probe ? d->bdrv_probe(buf, buf_size, filename)
                                  : 0;

        if (score > best_score) {
            best_score = score;
            best = d;
        }
    }
    return best;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void bdrv_iterate_format(void (*it)(void *opaque, const char *name),
                         void *opaque, bool read_only)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    BlockDriver *d;
    guint i;

    QLIST_FOREACH(d, &drivers, list) {
        if (bdrv_is_whitelisted(d, read_only)) {
            g_ptr_array_add(names, (gpointer)d->format_name);
        }
    }
    g_ptr_array_sort(names, compare_names);
    for (i = 0; i < names->len; i++) {
        it(opaque, g_ptr_array_index(names, i));
    }
}

bool bdrv_uses_whitelist(void)
{
    return false;
}

int bdrv_is_whitelisted(BlockDriver *drv, bool read_only)
{
    return 1;
}
