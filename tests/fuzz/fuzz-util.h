/*
 * SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share, and what they offer to their drivers: libFuzzer
 * or standalone.c.
 */
#ifndef FUZZ_UTIL_H
#define FUZZ_UTIL_H

#include "sysemu/block-backend.h"

/* Of the target; both may be called by one thread only.  The second is called
 * once before the first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Main loop and block drivers. */
void fuzz_block_init(void);

/* A file in memory with these bytes, to be opened as @path, which is of at
 * least 32 bytes.  Return: its descriptor, for close(). */
int fuzz_file(const uint8_t *data, size_t size, char *path);

/* Let callbacks run that were put off to the main loop. */
void fuzz_settle(void);

/* Read a few ranges and the status of all. Errors are fine. */
void fuzz_read(BlockBackend *blk);

/* One block, zeroes and a discard, then a flush. Errors are fine. */
void fuzz_write(BlockBackend *blk);

#endif
