#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A live mirror, shown: make a qcow2 disk with files on it, mirror it to
another image with scripts/qmp/blockjob while a guest writes to it, switch the
guest over to the copy, and prove that nothing was lost.

The guest's writes are simulated by the emulator's monitor command "qemu-io",
through a QMP connection of its own; what it wrote is kept here, so that the
copy can be compared with it."""
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'python'))

# pylint: disable=wrong-import-position
from qemu.qmp import QEMUMonitorProtocol                    # noqa: E402

SIZE = 64 << 20
BLOCK = 64 << 10
PAUSE = 0.02    # seconds between two writes of the guest
TOOL = os.path.join(HERE, 'qmp', 'blockjob')


class Guest:
    """Writes to the disk, and knows what must be on it."""

    def __init__(self, qmp: QEMUMonitorProtocol, contents: bytes) -> None:
        self.qmp = qmp
        self.model = bytearray(contents)
        self.random = random.Random(1)
        self.writes = 0

    def write(self) -> None:
        """One block of one byte, anywhere."""
        at = self.random.randrange(0, SIZE // BLOCK) * BLOCK
        byte = self.random.randrange(1, 256)
        error = self.qmp.command('human-monitor-command', **{
            'command-line':
            f'qemu-io disk0 "write -q -P {byte} {at} {BLOCK}"'})
        if error:
            sys.exit(f'The guest cannot write: {error}')
        self.model[at:at + BLOCK] = bytes([byte]) * BLOCK
        self.writes += 1

    def write_while(self, process: 'subprocess.Popen[bytes]') -> int:
        """Until the process ends; returns its exit status."""
        while True:
            try:
                return process.wait(PAUSE)
            except subprocess.TimeoutExpired:
                self.write()


def run(*args: str) -> None:
    """A command that prints nothing of interest."""
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def make_disk(qemu_img: str, raw: str, disk: str) -> bytes:
    """A file system with the files of this source tree's scripts; returns
    its bytes."""
    run('mke2fs', '-q', '-t', 'ext4', '-d', HERE, raw, f'{SIZE >> 20}M')
    run(qemu_img, 'convert', '-f', 'raw', '-O', 'qcow2', raw, disk)
    with open(raw, 'rb') as f:
        return f.read()


def start(emulator: str, disk: str, guest: QEMUMonitorProtocol,
          sock: str) -> 'subprocess.Popen[bytes]':
    """An emulator with the disk "disk0", which connects to `guest`; it listens
    on `sock` once it has."""
    process = subprocess.Popen(
        [emulator, '-accel', 'qtest', '-nodefaults', '-display', 'none',
         '-chardev', f'socket,id=qmp,path={sock},server=on,wait=off',
         '-mon', 'chardev=qmp,mode=control',
         '-chardev', f'socket,id=guest,path={guest.address}',
         '-mon', 'chardev=guest,mode=control',
         '-drive', f'if=virtio,id=disk0,format=qcow2,file={disk}'])
    guest.accept()
    return process


def mirror(guest: Guest, folder: str, sock: str, copy: str) -> None:
    """What a person types, while the guest goes on."""
    arguments = ['mirror', 'disk0', os.path.basename(copy), '--speed', '10M',
                 '--complete']
    print('$ blockjob -s', os.path.basename(sock), *arguments, flush=True)
    tool = subprocess.Popen([sys.executable, TOOL, '-s', sock, *arguments],
                            cwd=folder)
    status = guest.write_while(tool)
    if status != 0:
        sys.exit(f'blockjob failed with exit status {status}.')
    info = guest.qmp.command('query-block')[0]
    if info['inserted']['file'] != copy:
        sys.exit(f"disk0 is still {info['inserted']['file']}.")
    print(f'disk0 is {os.path.basename(copy)} now.')


def main() -> None:
    """The folder with the programs is the only argument."""
    build = sys.argv[1]
    qemu_img = os.path.join(build, 'qemu-img')
    with tempfile.TemporaryDirectory() as folder:
        raw, disk, copy, sock, other = (os.path.join(folder, n) for n in (
            'disk.raw', 'disk.qcow2', 'copy.qcow2', 'qmp.sock', 'guest.sock'))
        contents = make_disk(qemu_img, raw, disk)
        with QEMUMonitorProtocol(other, server=True) as qmp:
            process = start(os.path.join(build, 'qemu-system-e2k'), disk, qmp,
                            sock)
            guest = Guest(qmp, contents)
            for _ in range(600):
                guest.write()
            mirror(guest, folder, sock, copy)
            for _ in range(50):     # to the copy alone
                guest.write()
            qmp.command('quit')
            process.wait()
        run(qemu_img, 'check', '-f', 'qcow2', copy)
        run(qemu_img, 'convert', '-f', 'qcow2', '-O', 'raw', copy, raw)
        with open(raw, 'rb') as f:
            if f.read() != guest.model:
                sys.exit('The copy is not what the guest has written.')
    print(f'Mirrored a disk in use while the guest made {guest.writes} '
          'writes;\nthe copy is what the guest has written, byte by byte.')


if __name__ == '__main__':
    main()
