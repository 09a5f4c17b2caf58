/*
 * SPDX-License-Identifier: MIT
 *
 * File descriptors that were passed to the emulator.  Main thread.
 */
#ifndef SYSEMU_FDS_H
#define SYSEMU_FDS_H

/* Before files are opened. */
void fds_init(void);
/*
 * Take over @fd into set @id, a new one if @id is negative.  @opaque (may be
 * NULL) is what query-fdsets shows with it.  Returns the set's ID.
 */
int64_t fdset_add(int fd, int64_t id, const char *opaque);

#endif
