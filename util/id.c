/*
 * SPDX-License-Identifier: MIT
 *
 * Names of objects.
 */
#include "qemu/osdep.h"
#include "qemu/id.h"

bool id_wellformed(const char *id)
{
    if (!g_ascii_isalpha(*id)) {
        return false;
    }
    while (*++id) {
        if (!g_ascii_isalnum(*id) && !strchr("-._", *id)) {
            return false;
        }
    }
    return true;
}

static const char *const subsystem_names[ID_MAX] = {
    [ID_QDEV]  = "qdev",
    [ID_BLOCK] = "block",
    [ID_CHR]   = "chr",
    [ID_NET]   = "net",
};

char *id_generate(IdSubSystems id)
{
    static uint64_t counters[ID_MAX];

    assert(id < ID_MAX);
    /* Two random digits keep clients from relying on the numbers. */
    return g_strdup_printf("#%s%" PRIu64 "%02d", subsystem_names[id],
                           counters[id]++, g_random_int_range(0, 100));
}
