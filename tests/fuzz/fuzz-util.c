/*
 * SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include <sys/mman.h>

#define PIECE 2048
#define MAX_PIECES 64

void fuzz_block_init(void)
{
    qemu_init_main_loop(&error_abort);
    bdrv_init();
}

int fuzz_file(const uint8_t *data, size_t size, char *path)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(qemu_write_full(fd, data, size), ==, size);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

void fuzz_settle(void)
{
    while (aio_poll(qemu_get_aio_context(), false)) {
        /* more may follow */
    }
}

/* The size of a disk can be any: its ends and its middle are looked at. */
void fuzz_read(BlockBackend *blk)
{
    BlockDriverState *bs = blk_bs(blk);
    int64_t length = blk_getlength(blk);
    g_autofree uint8_t *buf = g_malloc(PIECE);
    int64_t pos = 0, starts[] = { 0, length / 2, length - PIECE };
    int i;

    for (i = 0; i < ARRAY_SIZE(starts); i++) {
        int64_t offset = MAX(0, starts[i]);
        int64_t bytes = MIN(PIECE, length - offset);

        if (bytes > 0) {
            blk_pread(blk, offset, bytes, buf, 0);
        }
    }
    for (i = 0; i < MAX_PIECES && pos < length; i++) {
        int64_t pnum = 0;

        if (bdrv_block_status(bs, pos, length - pos, &pnum, NULL,
                              NULL) < 0) {
            break;
        }
        g_assert_cmpint(pnum, >, 0);
        pos += pnum;
    }
}

void fuzz_write(BlockBackend *blk)
{
    int64_t length = blk_getlength(blk);
    g_autofree uint8_t *buf = g_malloc(PIECE);

    memset(buf, 0x5a, PIECE);
    blk_pwrite(blk, 512, PIECE, buf, 0);
    blk_pwrite(blk, MAX(0, length - PIECE), PIECE, buf, 0);
    blk_pwrite_zeroes(blk, 0, PIECE, BDRV_REQ_MAY_UNMAP);
    blk_pdiscard(blk, PIECE, PIECE);
    blk_flush(blk);
}
