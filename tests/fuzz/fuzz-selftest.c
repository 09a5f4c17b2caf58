/*
 * SPDX-License-Identifier: MIT
 *
 * A target that fails as its input says, for the test of the runner.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"

static void *volatile kept;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

static void lose(void)
{
    kept = g_malloc(32);
    kept = NULL;
}

/* Nobody can do without it: the compiler does not see the use. */
static void use_memory(size_t size)
{
    kept = g_malloc(size);
    memset(kept, 1, size);
    g_free(kept);
    kept = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) {
        return 0;
    }
    switch (data[0]) {
    case 'a':
        fprintf(stderr, "about to abort\n");
        abort();
    case 'h':
        for (;;) {
            pause();
        }
    case 'l':
        lose();
        break;
    case 'm':
        use_memory(64 * 1024 * 1024);
        break;
    case 'n':
        break;
    default:
        /* made of a seed that starts with "n" */
        abort();
    }
    return 0;
}
