/*
 * SPDX-License-Identifier: MIT
 *
 * The input is a qcow2 image: it is opened for reading, read, checked, then
 * closed.
 *
 * 1. Nothing but the input is opened: a backing file is left out.
 * 2. No node is left behind.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_block_init();
    return 0;
}

static BlockBackend *open_image(const char *path)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "qcow2");
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", path);
    qdict_put_null(options, "backing");
    return blk_new_open(NULL, NULL, options, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = fuzz_file(data, size, path);
    BlockBackend *blk = open_image(path);

    if (blk) {
        BdrvCheckResult result = { 0 };

        fuzz_read(blk);
        bdrv_check(blk_bs(blk), &result, 0);
        blk_unref(blk);
    }
    fuzz_settle();
    g_assert_null(bdrv_next_node(NULL));
    close(fd);
    return 0;
}
