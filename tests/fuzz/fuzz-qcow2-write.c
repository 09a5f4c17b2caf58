/*
 * SPDX-License-Identifier: MIT
 *
 * The input is a qcow2 image: it is opened for writing, read, written, grown,
 * checked, then closed and, if that went well, repaired.
 *
 * 1. Nothing but the input is opened: a backing file is left out, and so is
 *    the whole image if its data is in another file.
 * 2. No node is left behind.
 * 3. Repairing does not make it fail to open.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/bswap.h"

#define INCOMPATIBLE_OFFSET 72
#define EXTERNAL_DATA (1 << 2)
#define MAX_GROWN (64 * 1024 * 1024)

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
    return blk_new_open(NULL, NULL, options,
                        BDRV_O_RDWR | BDRV_O_RESIZE | BDRV_O_UNMAP, NULL);
}

static void use_image(BlockBackend *blk)
{
    BdrvCheckResult result = { 0 };
    int64_t length = blk_getlength(blk);

    fuzz_read(blk);
    fuzz_write(blk);
    if (length >= 0 && length < MAX_GROWN) {
        blk_truncate(blk, length + 4096, false, PREALLOC_MODE_OFF, 0, NULL);
        fuzz_write(blk);
    }
    bdrv_check(blk_bs(blk), &result, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    BlockBackend *blk;
    int fd;

    if (size > INCOMPATIBLE_OFFSET + 8 &&
        ldq_be_p(data + INCOMPATIBLE_OFFSET) & EXTERNAL_DATA) {
        return 0;
    }
    fd = fuzz_file(data, size, path);
    blk = open_image(path);
    if (blk) {
        use_image(blk);
        blk_unref(blk);
        blk = open_image(path);
    }
    if (blk) {
        BdrvCheckResult result = { 0 };
        bool good;

        good = bdrv_check(blk_bs(blk), &result,
                          BDRV_FIX_ERRORS | BDRV_FIX_LEAKS) == 0 &&
               !result.check_errors;
        blk_unref(blk);
        blk = good ? open_image(path) : NULL;
        g_assert_true(!good || blk);
        blk_unref(blk);
    }
    fuzz_settle();
    g_assert_null(bdrv_next_node(NULL));
    close(fd);
    return 0;
}
