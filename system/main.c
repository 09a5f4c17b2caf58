/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-system-e2k: machines with disks, but without CPUs.
 */
#include "qemu/osdep.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"

int main(int argc, char **argv)
{
    int status;

    qemu_init(argc, argv);
    status = qemu_main_loop();
    qemu_cleanup();
    return status;
}
