/*
 * SPDX-License-Identifier: MIT
 *
 * What the unit tests of block drivers share: nodes from lists of options,
 * temporary files, programs to compare with.
 */
#ifndef TESTS_DRIVER_TEST_UTIL_H
#define TESTS_DRIVER_TEST_UTIL_H

#include "block/block_int.h"
#include "sysemu/block-backend.h"
#include "qapi/error.h"

/* Main loop and drivers; then g_test_init(). */
void driver_test_init(int *argc, char ***argv);

/*
 * A backend on a new node; the options are pairs of strings with a NULL at
 * the end.  NULL with @errp.
 */
BlockBackend *test_open(int flags, Error **errp, ...) G_GNUC_NULL_TERMINATED;
/* The options alone. */
QDict *test_options(const char *key, ...) G_GNUC_NULL_TERMINATED;
/* @err must be set and its text be @text; frees it. */
void test_assert_error(Error *err, const char *text);

/* A new file of @bytes zeroes (a hole); removed by test_remove_file(). */
char *test_new_file(int64_t bytes);
void test_remove_file(char *path);

/* Runs @entry(@opaque) in a coroutine and polls until it has ended. */
void test_run_co(CoroutineEntry *entry, void *opaque);

/* Writes, or reads and compares, @bytes of @pattern. */
int test_write(BlockBackend *blk, int64_t offset, int64_t bytes, int pattern);
void test_check(BlockBackend *blk, int64_t offset, int64_t bytes,
                int pattern);

#endif
