/*
 * SPDX-License-Identifier: MIT
 *
 * The protocol by which a test controls the emulator's clock.  Main thread.
 */
#ifndef SYSEMU_QTEST_H
#define SYSEMU_QTEST_H

/* -accel qtest was given: virtual time stands still. */
bool qtest_enabled(void);
void qtest_enable(void);

/*
 * Serves the protocol on a character device in short form; @log names a file
 * for a transcript, NULL for none.  False with @errp.
 */
bool qtest_server_init(const char *chrdev, const char *log, Error **errp);
void qtest_server_cleanup(void);

#endif /* SYSEMU_QTEST_H */
