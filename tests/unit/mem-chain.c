/*
 * SPDX-License-Identifier: MIT
 *
 * Chains of images in memory.
 */
#include "qemu/osdep.h"
#include "mem-chain.h"
#include "qemu/main-loop.h"

void chain_setup(Chain *c)
{
    int i;

    for (i = 0; i < DEPTH; i++) {
        g_autofree char *name = g_strdup_printf("l%d", i);

        c->layer[i] = mem_node(name);
        mem_state(c->layer[i])->cluster_size = 65536;
        mem_fill(c->layer[i], i * PART, PART, 0x10 + i);
    }
    for (i = 0; i + 1 < DEPTH; i++) {
        bdrv_set_backing_hd(c->layer[i], c->layer[i + 1], &error_abort);
    }
    c->guest = blk_new_with_bs(c->layer[0],
                               BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                               BLK_PERM_CONSISTENT_READ | BLK_PERM_GRAPH_MOD |
                               BLK_PERM_WRITE_UNCHANGED, &error_abort);
}

void chain_teardown(Chain *c)
{
    int i;

    g_assert_null(block_job_next(NULL));
    blk_unref(c->guest);
    for (i = 0; i < DEPTH; i++) {
        bdrv_unref(c->layer[i]);
    }
    g_assert_null(bdrv_next_all_states(NULL));
}

void chain_check_content(Chain *c)
{
    int i;

    for (i = 0; i < DEPTH; i++) {
        mem_check(c->guest, i * PART, PART, 0x10 + i);
    }
    mem_check(c->guest, DEPTH * PART, MEM_LENGTH - DEPTH * PART, 0);
}

void wait_job_gone(const char *id)
{
    while (block_job_get(id)) {
        aio_poll(qemu_get_aio_context(), true);
    }
}
