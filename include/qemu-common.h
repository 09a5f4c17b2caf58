/*
 * SPDX-License-Identifier: MIT
 *
 * Kept for programs that include it; what it had is in osdep.h and cutils.h.
 */
#ifndef QEMU_COMMON_H
#define QEMU_COMMON_H

#include "qemu/osdep.h"
#include "qemu/cutils.h"

#endif
