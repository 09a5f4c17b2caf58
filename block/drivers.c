/*
 * SPDX-License-Identifier: MIT
 *
 * The table of the block drivers that are part of the library.  It names each
 * of them, so that whatever links bdrv_init() gets them all.
 */
#include "qemu/osdep.h"
#include "block/block_int.h"

#define BLOCK_DRIVERS(D) \
    /* protocols */      \
    D(bdrv_file)         \
    D(bdrv_host_device)  \
    D(bdrv_null_co)      \
    D(bdrv_null_aio)     \
    /* formats */        \
    D(bdrv_crypto_luks)  \
    D(bdrv_qcow2)        \
    D(bdrv_raw)          \
    /* filters */        \
    D(bdrv_blkdebug)     \
    D(bdrv_blklogwrites) \
    D(bdrv_blkverify)    \
    D(bdrv_compress)     \
    D(bdrv_copy_before_write) \
    D(bdrv_copy_on_read) \
    D(bdrv_preallocate)  \
    D(bdrv_quorum)       \
    D(bdrv_snapshot_access) \
    D(bdrv_throttle)

#define DECLARE_DRIVER(name) extern BlockDriver name;
BLOCK_DRIVERS(DECLARE_DRIVER)

#define DRIVER_ADDRESS(name) &name,
static BlockDriver *const builtin_drivers[] = {
    BLOCK_DRIVERS(DRIVER_ADDRESS)
};

void bdrv_init(void)
{
    static bool done;
    size_t i;

    if (done) {
        return;
    }
    done = true;
    for (i = 0; i < ARRAY_SIZE(builtin_drivers); i++) {
        bdrv_register(builtin_drivers[i]);
    }
}
