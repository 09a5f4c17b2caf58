/*
 * SPDX-License-Identifier: MIT
 *
 * Alignments that a file opened with O_DIRECT asks for.  The kernel is asked;
 * where it does not know, small reads tell.
 */
#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include "block/file-posix-internal.h"

#define PROBE_MAX       4096u   /* works everywhere */
#define PROBE_MIN       512u

static bool ask_statx(int fd, uint32_t *request, size_t *memory)
{
#ifdef STATX_DIOALIGN
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        (st.stx_mask & STATX_DIOALIGN) &&
        is_power_of_2(st.stx_dio_offset_align) &&
        is_power_of_2(st.stx_dio_mem_align)) {
        *request = st.stx_dio_offset_align;
        *memory = st.stx_dio_mem_align;
        return true;
    }
#endif
    return false;
}

/* Does a read of @bytes into @buf succeed?  Any error but the one for a bad
 * alignment counts as success: it will be told when it matters. */
static bool read_is_aligned(int fd, void *buf, size_t bytes, off_t offset,
                            ssize_t *got)
{
    do {
        *got = pread(fd, buf, bytes, offset);
    } while (*got < 0 && errno == EINTR);
    return *got >= 0 || errno != EINVAL;
}

/*
 * The smallest request that can be read.  A read that gets nothing proves
 * nothing: at the end of the file and in holes some file systems do not look
 * at the alignment.
 */
static uint32_t try_request(int fd, uint8_t *buf)
{
    uint32_t align;
    ssize_t got;

    for (align = PROBE_MIN; align < PROBE_MAX; align *= 2) {
        if (read_is_aligned(fd, buf, align, align, &got) && got == align) {
            return align;
        }
    }
    return PROBE_MAX;
}

static size_t try_memory(int fd, uint8_t *buf, uint32_t request)
{
    size_t align;
    ssize_t got;

    for (align = PROBE_MIN; align < PROBE_MAX; align *= 2) {
        if (read_is_aligned(fd, buf + align, request, 0, &got) && got > 0) {
            return align;
        }
    }
    return PROBE_MAX;
}

void file_probe_alignment(int fd, mode_t type, uint32_t *request,
                          size_t *memory)
{
    uint8_t *buf;
    int sector = 0;

    if (ask_statx(fd, request, memory)) {
        return;
    }
    buf = qemu_memalign(PROBE_MAX, 2 * PROBE_MAX);
    if (S_ISBLK(type) && ioctl(fd, BLKSSZGET, &sector) == 0 &&
        is_power_of_2(sector)) {
        *request = sector;
    } else {
        *request = try_request(fd, buf);
    }
    *memory = try_memory(fd, buf, *request);
    qemu_vfree(buf);
}
