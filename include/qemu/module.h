/*
 * SPDX-License-Identifier: MIT
 *
 * Initialisers that register themselves before main() and run when a program
 * asks for their kind.
 */
#ifndef QEMU_MODULE_H
#define QEMU_MODULE_H

typedef enum {
    MODULE_INIT_BLOCK,
    MODULE_INIT_OPTS,
    MODULE_INIT_QOM,
    MODULE_INIT_TRACE,
    MODULE_INIT_MAX
} module_init_type;

#define module_init(function, type)                                     \
    static void __attribute__((constructor)) register_##function(void)  \
    {                                                                   \
        register_module_init(function, type);                           \
    }

#define block_init(function) module_init(function, MODULE_INIT_BLOCK)
#define opts_init(function)  module_init(function, MODULE_INIT_OPTS)
#define type_init(function)  module_init(function, MODULE_INIT_QOM)
#define trace_init(function) module_init(function, MODULE_INIT_TRACE)

void register_module_init(void (*fn)(void), module_init_type type);
/* Run the initialisers of a kind, each once, in order of registration. */
void module_call_init(module_init_type type);

#endif
