# SPDX-License-Identifier: MIT
"""Every kind of block job, as a table, for tests that do the same with all of
them: a chain of three images (base, mid, top), and one more (dst).

1. `shown[name]` is what a user of an image sees before the job.
2. A job reads the images of its roles "source" and "base", which it must not
   change, and writes to that of its role "target"."""
import collections
import os
import random
import shutil
import subprocess

import iotests
from disktest import KIB, MIB, Model

CHAIN = ('base', 'mid', 'top')
IMAGES = CHAIN + ('dst',)
SIZE = 2 * MIB

# When it is clear that a job won't succeed.
MANY_ERRORS = 30
MANY_STOPS = 3

# command, arguments, names of the arguments for error policies; then which
# image has which role, and which image's data the target has at the end.
Job = collections.namedtuple('Job', 'command arguments policies roles result')

JOBS = {
    'mirror': Job('blockdev-mirror',
                  {'device': 'top', 'target': 'dst', 'sync': 'full',
                   'granularity': 64 * KIB, 'buf-size': 128 * KIB},
                  ('on-source-error', 'on-target-error'),
                  {'source': 'top', 'base': 'mid', 'target': 'dst'}, 'top'),
    'mirror, write-blocking': Job(
        'blockdev-mirror',
        {'device': 'top', 'target': 'dst', 'sync': 'full',
         'copy-mode': 'write-blocking'},
        ('on-source-error', 'on-target-error'),
        {'source': 'top', 'base': 'mid', 'target': 'dst'}, 'top'),
    'backup': Job('blockdev-backup',
                  {'device': 'top', 'target': 'dst', 'sync': 'full'},
                  ('on-source-error', 'on-target-error'),
                  {'source': 'top', 'base': 'mid', 'target': 'dst'}, 'top'),
    'stream': Job('block-stream', {'device': 'top'}, ('on-error',),
                  {'source': 'mid', 'base': 'base', 'target': 'top'}, 'top'),
    'commit': Job('block-commit', {'device': 'top', 'top-node': 'mid',
                   'base-node': 'base'},
                  ('on-error',), {'source': 'mid', 'target': 'base'}, 'mid'),
    'active commit': Job('block-commit',
                         {'device': 'top', 'base-node': 'base'},
                         ('on-error',),
                         {'source': 'mid', 'base': 'top', 'target': 'base'},
                         'top'),
}


class Images:
    """A set of images, kept aside so that each run gets fresh ones; each
    with a persistent bitmap if its name is given."""

    def __init__(self, size=SIZE, seed=1, bitmap=None):
        self.size = size
        self.bitmap = bitmap
        self.random = random.Random(seed)
        self.shown = {}
        for name in IMAGES:
            self._make(name)

    @staticmethod
    def path(name):
        return os.path.join(iotests.test_dir,
                            iotests.file_pattern(f'{name}.img'))

    def _make(self, name):
        at = CHAIN.index(name) if name in CHAIN else 0
        below = CHAIN[at - 1] if at else None
        link = ['-b', self.path(below), '-F', 'qcow2'] if below else []
        iotests.qemu_img('create', '-q', '-f', 'qcow2', *link,
                         self.path(name), str(self.size))
        model = Model(self.size)
        if below:
            model.data[:] = self.shown[below].data
        commands = []
        for _ in range(12):
            commands += ['-c', self._write(model)]
        iotests.qemu_io('-f', 'qcow2', *commands, self.path(name))
        self.shown[name] = model
        if self.bitmap:
            iotests.qemu_img('bitmap', '--add', '-f', 'qcow2',
                             self.path(name), self.bitmap)
        shutil.copyfile(self.path(name), self.path(name) + '.orig')

    def _write(self, model):
        rnd = self.random
        length = rnd.choice((4 * KIB, 64 * KIB, 128 * KIB))
        at = rnd.randrange(0, (self.size - length) // 4096) * 4096
        if rnd.random() < 0.25:
            at, length = at // 65536 * 65536, 64 * KIB
            model.write(at, length, 0)
            return f'write -z {at} {length}'
        pattern = rnd.randrange(1, 256)
        model.write(at, length, pattern)
        return f'write -P {pattern} {at} {length}'

    def fresh(self):
        for name in IMAGES:
            shutil.copyfile(self.path(name) + '.orig', self.path(name))

    def same_bytes(self, name):
        """Whether nobody has written to the file."""
        with open(self.path(name), 'rb') as a, \
                open(self.path(name) + '.orig', 'rb') as b:
            return a.read() == b.read()

    def remove(self):
        for name in IMAGES:
            iotests.try_remove(self.path(name))
            iotests.try_remove(self.path(name) + '.orig')


def node_options(name, rules=None, above=False):
    """A qcow2 node over a file, with or without blkdebug between them, or
    above."""
    proto = {'driver': 'file', 'filename': Images.path(name)}
    if rules and not above:
        proto = dict(rules, driver='blkdebug', image=proto)
    options = {'driver': 'qcow2', 'node-name': name, 'discard': 'unmap',
               'file': proto}
    if name in CHAIN[1:]:
        options['backing'] = CHAIN[CHAIN.index(name) - 1]
    if name in CHAIN[:-1] and not above:
        options['read-only'] = True
    if rules and above:
        del options['node-name']
        return dict(rules, driver='blkdebug', image=options,
                    **{'node-name': name})
    return options


class Runner:
    """Jobs in a storage daemon."""

    def __init__(self):
        # It tells about each error in the metadata.
        self.qsd = iotests.QemuStorageDaemon(qmp=True,
                                             stderr=subprocess.DEVNULL)

    def command(self, name, **args):
        reply = self.qsd.qmp(name, args)
        assert 'return' in reply, (name, args, reply)
        return reply['return']

    def add_nodes(self, rules):
        """`rules`: name of an image -> options of blkdebug, and whether
        it is above the image."""
        for name in IMAGES:
            self.command('blockdev-add',
                         **node_options(name, *rules.get(name, ())))

    def delete_nodes(self):
        """All are free again, and nothing else is left."""
        for name in reversed(IMAGES):
            self.command('blockdev-del', **{'node-name': name})
        left = self.command('query-named-block-nodes')
        assert not left, left
        assert not self.command('query-jobs')

    def start(self, job, policy=None, **more):
        args = dict(job.arguments, **{'job-id': 'job0'}, **more)
        if policy:
            args.update({name: policy for name in job.policies})
        self.command(job.command, **args)

    def event(self):
        return self.qsd.get_qmp().pull_event(wait=60.0)

    def lead(self):
        """To its end: paused jobs are resumed, and those that fail again and
        again cancelled.  (how it ended, its error, errors told)"""
        end = error = None
        told = paused = 0
        while True:
            event = self.event()
            name, data = event['event'], event.get('data', {})
            if name == 'BLOCK_JOB_READY':
                # It may have failed in the meantime.
                self.qsd.qmp('job-complete', {'id': 'job0'})
            elif name == 'BLOCK_JOB_ERROR':
                told += 1
                if told == MANY_ERRORS:
                    self.qsd.qmp('job-cancel', {'id': 'job0'})
            elif name in ('BLOCK_JOB_COMPLETED', 'BLOCK_JOB_CANCELLED'):
                end, error = name[len('BLOCK_JOB_'):], data.get('error')
            elif data.get('status') == 'paused':
                paused += 1
                if paused == MANY_STOPS:
                    self.qsd.qmp('job-cancel', {'id': 'job0'})
                else:
                    self.qsd.qmp('block-job-resume', {'device': 'job0'})
            elif data.get('status') == 'null':
                return end, error, told

    def close(self):
        assert self.qsd.stop() == 0
