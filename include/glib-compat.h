/*
 * SPDX-License-Identifier: MIT
 *
 * GLib, in the version that we need.
 */
#ifndef QEMU_GLIB_COMPAT_H
#define QEMU_GLIB_COMPAT_H

#define GLIB_VERSION_MIN_REQUIRED GLIB_VERSION_2_66
#include <glib.h>
#include <glib-unix.h>

#endif
