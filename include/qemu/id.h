/*
 * SPDX-License-Identifier: MIT
 *
 * Names of objects that users choose, and those that we make up.
 */
#ifndef QEMU_ID_H
#define QEMU_ID_H

typedef enum IdSubSystems {
    ID_QDEV,
    ID_BLOCK,
    ID_CHR,
    ID_NET,
    ID_MAX
} IdSubSystems;

/* A name that no user can choose, unique in the process; g_free(). */
char *id_generate(IdSubSystems id);
/* An ASCII letter, then letters, digits and "-._"? */
bool id_wellformed(const char *id);

#endif
