#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A live mirror, shown: make a disk with files on it, mirror it to another
image over QMP, switch over, and compare the two byte by byte."""
import filecmp
import json
import os
import socket
import subprocess
import sys
import tempfile


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
            sys.exit('The daemon closed the connection.')
        return json.loads(line)

    def command(self, name, **arguments):
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


def make_disk(path):
    """A file system with the files of this source tree's scripts."""
    source = os.path.dirname(os.path.abspath(__file__))
    subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-d', source, path, '64M'],
                   check=True)


def node(name, path):
    return {'driver': 'raw', 'node-name': name,
            'file': {'driver': 'file', 'filename': path}}


def main():
    daemon = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        disk, copy = (os.path.join(folder, n) for n in ('disk.img',
                                                        'copy.img'))
        make_disk(disk)
        with open(copy, 'wb') as f:
            f.truncate(os.path.getsize(disk))
        ours, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        with subprocess.Popen(
                [daemon, '--chardev', f'socket,id=c,fd={theirs.fileno()}',
                 '--monitor', 'chardev=c'], close_fds=False) as proc:
            theirs.close()
            qmp = Qmp(ours)
            qmp.command('blockdev-add', **node('disk', disk))
            qmp.command('blockdev-add', **node('copy', copy))
            qmp.command('blockdev-mirror', **{
                'job-id': 'mirror0', 'device': 'disk', 'target': 'copy',
                'sync': 'full', 'copy-mode': 'write-blocking'})
            qmp.wait('BLOCK_JOB_READY')
            qmp.command('job-complete', id='mirror0')
            done = qmp.wait('BLOCK_JOB_COMPLETED')
            qmp.command('quit')
            proc.wait()
        if 'error' in done:
            sys.exit(f"The job failed: {done['error']}")
        if not filecmp.cmp(disk, copy, shallow=False):
            sys.exit('The copy differs from the disk.')
        print(f"Mirrored {done['offset']} bytes of data; the copy is "
              "identical to the disk.")


if __name__ == '__main__':
    main()
