#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A live mirror, shown: make a qcow2 disk with files on it, mirror it to
another image over QMP while a guest writes to it, switch the guest over to the
copy, and prove that nothing was lost.

The guest's writes are simulated by the emulator's monitor command "qemu-io";
what it wrote is kept here, so that the copy can be compared with it."""
import json
import os
import random
import socket
import subprocess
import sys
import tempfile

SIZE = 64 << 20
BLOCK = 64 << 10


class Qmp:
    """One QMP connection."""

    def __init__(self, sock):
        self.file = sock.makefile('rwb', buffering=0)
        self.events = []
        self.receive()
        self.command('qmp_capabilities')

    def receive(self):
        line = self.file.readline()
        if not line:
            sys.exit('The emulator closed the connection.')
        return json.loads(line)

    def command(self, name, show=True, **arguments):
        if show:
            print(f'-> {name} {json.dumps(arguments) if arguments else ""}')
        self.file.write(json.dumps({'execute': name,
                                    'arguments': arguments}).encode() + b'\n')
        while True:
            reply = self.receive()
            if 'event' in reply:
                self.keep(reply)
            elif 'error' in reply:
                sys.exit(f"{name}: {reply['error']['desc']}")
            else:
                return reply['return']

    def keep(self, event):
        print(f"   {event['event']} {json.dumps(event.get('data', {}))}")
        self.events.append(event)

    def wait(self, name):
        while True:
            for i, event in enumerate(self.events):
                if event['event'] == name:
                    return self.events.pop(i)['data']
            self.keep(self.receive())


class Guest:
    """Writes to the disk, and knows what must be on it."""

    def __init__(self, qmp, contents):
        self.qmp = qmp
        self.model = bytearray(contents)
        self.random = random.Random(1)
        self.writes = 0

    def write(self, count):
        for _ in range(count):
            at = self.random.randrange(0, SIZE // BLOCK) * BLOCK
            byte = self.random.randrange(1, 256)
            self.qmp.command('human-monitor-command', show=False, **{
                'command-line':
                f'qemu-io disk0 "write -q -P {byte} {at} {BLOCK}"'})
            self.model[at:at + BLOCK] = bytes([byte]) * BLOCK
            self.writes += 1


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def make_disk(qemu_img, raw, disk):
    """A file system with the files of this source tree's scripts."""
    source = os.path.dirname(os.path.abspath(__file__))
    run('mke2fs', '-q', '-t', 'ext4', '-d', source, raw, f'{SIZE >> 20}M')
    run(qemu_img, 'convert', '-f', 'raw', '-O', 'qcow2', raw, disk)
    with open(raw, 'rb') as f:
        return f.read()


def start(emulator, disk):
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    process = subprocess.Popen(
        [emulator, '-accel', 'qtest', '-nodefaults', '-display', 'none',
         '-chardev', f'socket,id=qmp,fd={theirs.fileno()}',
         '-mon', 'chardev=qmp,mode=control',
         '-drive', f'if=virtio,id=disk0,format=qcow2,file={disk}'],
        close_fds=False)
    theirs.close()
    return process, Qmp(ours)


def mirror(qmp, guest, copy):
    qmp.command('drive-mirror', **{
        'job-id': 'mirror0', 'device': 'disk0', 'target': copy,
        'format': 'qcow2', 'sync': 'full'})
    guest.write(50)
    qmp.wait('BLOCK_JOB_READY')
    guest.write(50)
    print(f'   (the guest has made {guest.writes} writes by now)')
    qmp.command('job-complete', id='mirror0')
    done = qmp.wait('BLOCK_JOB_COMPLETED')
    if 'error' in done:
        sys.exit(f"The job failed: {done['error']}")
    info = qmp.command('query-block', show=False)[0]
    print(f"   disk0 is {os.path.basename(info['inserted']['file'])} now")
    guest.write(50)             # to the copy alone
    return done['offset']


def main():
    build = sys.argv[1]
    qemu_img = os.path.join(build, 'qemu-img')
    with tempfile.TemporaryDirectory() as folder:
        raw, disk, copy = (os.path.join(folder, n) for n in (
            'disk.raw', 'disk.qcow2', 'copy.qcow2'))
        contents = make_disk(qemu_img, raw, disk)
        process, qmp = start(os.path.join(build, 'qemu-system-e2k'), disk)
        guest = Guest(qmp, contents)
        guest.write(50)
        moved = mirror(qmp, guest, copy)
        qmp.command('quit')
        process.wait()
        run(qemu_img, 'check', '-f', 'qcow2', copy)
        run(qemu_img, 'convert', '-f', 'qcow2', '-O', 'raw', copy, raw)
        with open(raw, 'rb') as f:
            if f.read() != guest.model:
                sys.exit('The copy is not what the guest has written.')
    print(f'Mirrored {moved} bytes of data while the guest made '
          f'{guest.writes} writes;\nthe copy is what the guest has written, '
          'byte by byte.')


if __name__ == '__main__':
    main()
