/*
 * SPDX-License-Identifier: MIT
 *
 * Read-copy-update: readers that never wait, writers that wait until nobody
 * can still see what they took out of a shared structure.
 *
 * Each thread that reads registers first; the main thread is registered from
 * the start.  Read sections nest and must not block for long.
 */
#ifndef QEMU_RCU_H
#define QEMU_RCU_H

void rcu_register_thread(void);
/* Outside any read section. */
void rcu_unregister_thread(void);

void rcu_read_lock(void);
void rcu_read_unlock(void);

/*
 * Returns when all read sections that had begun before the call have ended.
 * Never within a read section.
 */
void synchronize_rcu(void);

#endif /* QEMU_RCU_H */
