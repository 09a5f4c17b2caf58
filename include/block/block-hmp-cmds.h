/*
 * SPDX-License-Identifier: MIT
 *
 * Commands for people that are about disks.
 */
#ifndef BLOCK_BLOCK_HMP_CMDS_H
#define BLOCK_BLOCK_HMP_CMDS_H

/* Adds them to the monitor's tables; main thread, once. */
void block_hmp_init(void);

#endif
