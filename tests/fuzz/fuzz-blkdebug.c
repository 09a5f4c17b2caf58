/*
 * SPDX-License-Identifier: MIT
 *
 * The input is a configuration file of blkdebug or, behind a "@", options
 * key=value,...; a disk with such a node is then read and written.
 *
 * 1. The options do not reach nodes other than that of blkdebug.
 * 2. No node is left behind.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/option.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_block_init();
    return 0;
}

static bool may_be_set(const char *key)
{
    static const char *const prefixes[] = {
        "align", "inject-error", "max-", "opt-", "set-state",
        "take-child-perms", "unshare-child-perms",
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (g_str_has_prefix(key, prefixes[i])) {
            return true;
        }
    }
    return false;
}

static void add_options(QDict *options, const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    QDict *given = keyval_parse(text, NULL, NULL, NULL);
    const QDictEntry *e;

    if (!given) {
        return;
    }
    for (e = qdict_first(given); e; e = qdict_next(given, e)) {
        if (may_be_set(qdict_entry_key(e))) {
            qdict_put_obj(options, qdict_entry_key(e),
                          qobject_ref(qdict_entry_value(e)));
        }
    }
    qobject_unref(given);
    qdict_flatten(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    QDict *options = qdict_new();
    BlockBackend *blk;
    char path[32];
    int fd = -1;

    qdict_put_str(options, "driver", "blkdebug");
    qdict_put_str(options, "image.driver", "null-co");
    qdict_put_str(options, "image.size", "65536");
    qdict_put_str(options, "image.read-zeroes", "on");
    if (size && data[0] == '@') {
        add_options(options, data + 1, size - 1);
    } else {
        fd = fuzz_file(data, size, path);
        qdict_put_str(options, "config", path);
    }
    blk = blk_new_open(NULL, NULL, options,
                       BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_UNMAP, NULL);
    if (blk) {
        fuzz_read(blk);
        fuzz_write(blk);
        fuzz_read(blk);
        blk_unref(blk);
    }
    fuzz_settle();
    g_assert_null(bdrv_next_node(NULL));
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}
