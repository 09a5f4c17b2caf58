/*
 * SPDX-License-Identifier: MIT
 *
 * The input is the header of a LUKS volume; zeroes follow.  It is opened
 * without its keys and described, then opened with a passphrase.
 *
 * 1. Counts of iterations are cut down before keys are derived, since it is
 *    not an error to take long.
 * 2. No node is left behind.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qmp/qdict.h"
#include "qemu/bswap.h"
#include "qom/object_interfaces.h"

#define VOLUME_LEN (3 * 1024 * 1024)
#define HEADER_LEN 592
#define DIGEST_ITERATIONS 164
#define SLOT_ITERATIONS 212
#define SLOT_LEN 48
#define MAX_ITERATIONS 100

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_block_init();
    user_creatable_init();
    user_creatable_add_from_str("secret,id=sec0,data=pass", &error_abort);
    return 0;
}

static void limit(uint8_t *count)
{
    stl_be_p(count, MIN((uint32_t)ldl_be_p(count), MAX_ITERATIONS));
}

static void limit_iterations(uint8_t *data)
{
    int at;

    limit(data + DIGEST_ITERATIONS);
    for (at = SLOT_ITERATIONS; at < HEADER_LEN; at += SLOT_LEN) {
        limit(data + at);
    }
}

static void open_and_describe(const uint8_t *data, size_t size, int flags)
{
    char path[32];
    int fd = fuzz_file(data, size, path);
    QDict *options = qdict_new();
    BlockBackend *blk;

    g_assert_cmpint(ftruncate(fd, VOLUME_LEN), ==, 0);
    qdict_put_str(options, "driver", "luks");
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", path);
    qdict_put_str(options, "key-secret", "sec0");
    blk = blk_new_open(NULL, NULL, options, flags, NULL);
    if (blk) {
        qapi_free_ImageInfoSpecific(bdrv_get_specific_info(blk_bs(blk), NULL));
        if (!(flags & BDRV_O_NO_IO)) {
            fuzz_read(blk);
        }
        blk_unref(blk);
    }
    fuzz_settle();
    g_assert_null(bdrv_next_node(NULL));
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_and_describe(data, size, BDRV_O_NO_IO);
    if (size >= HEADER_LEN) {
        g_autofree uint8_t *quick = g_memdup2(data, size);

        limit_iterations(quick);
        open_and_describe(quick, size, 0);
    }
    return 0;
}
