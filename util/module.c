/*
 * SPDX-License-Identifier: MIT
 *
 * Lists of initialisers.
 *
 * Invariant: an initialiser that has run is not in its list any more.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"

static GSList *init_lists[MODULE_INIT_MAX];

void register_module_init(void (*fn)(void), module_init_type type)
{
    assert(type < MODULE_INIT_MAX);
    init_lists[type] = g_slist_append(init_lists[type], (gpointer)fn);
}

void module_call_init(module_init_type type)
{
    assert(type < MODULE_INIT_MAX);
    while (init_lists[type]) {
        void (*fn)(void) = (void (*)(void))init_lists[type]->data;

        init_lists[type] = g_slist_delete_link(init_lists[type],
                                               init_lists[type]);
        fn();
    }
}
