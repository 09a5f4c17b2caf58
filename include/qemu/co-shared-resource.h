/*
 * SPDX-License-Identifier: MIT
 *
 * A limited amount of something (bytes of memory, say) that coroutines share:
 * each takes a part and gives it back; who asks for more than is left waits.
 * Works between threads.
 */
#ifndef QEMU_CO_SHARED_RESOURCE_H
#define QEMU_CO_SHARED_RESOURCE_H

#include "qemu/coroutine.h"

typedef struct SharedResource SharedResource;

/* A resource of @total units. */
SharedResource *shres_create(uint64_t total);

/* All units must have been given back.  NULL is fine. */
void shres_destroy(SharedResource *s);

/* Takes @n units if they are there at once; @n <= total. */
bool co_try_get_from_shres(SharedResource *s, uint64_t n);

/* Takes @n units, yielding until they are there; @n <= total. */
void coroutine_fn co_get_from_shres(SharedResource *s, uint64_t n);

/* Gives @n units back and wakes those that wait. */
void coroutine_fn co_put_to_shres(SharedResource *s, uint64_t n);

#endif /* QEMU_CO_SHARED_RESOURCE_H */
