# SPDX-License-Identifier: MIT
"""Test cases about a disk in use, its copy, and what must be on both.

1. `self.model` is what a guest has written, kept in memory; nothing that is
   under test takes part in it.
2. Guest writes go through the device ("drive0"), so that they pass whatever
   a job has put above the node.
3. The contents of an image are read by an independent program where there is
   one, never by the process that has written it."""
import os
import random
import subprocess

import iotests

KIB = 1024
MIB = 1024 * 1024


def have_reference():
    try:
        subprocess.run([iotests.ref_qemu_img, '--version'], check=True,
                       stdout=subprocess.DEVNULL)
        return True
    except (OSError, subprocess.SubprocessError):
        return False


def contents(path, fmt=iotests.imgfmt):
    """All bytes that a guest would see."""
    if fmt == 'raw':
        with open(path, 'rb') as f:
            return f.read()
    with iotests.FilePath('contents.raw') as raw:
        args = ['convert', '-U', '-f', fmt, '-O', 'raw', path, raw]
        if have_reference():
            iotests.reference_img(*args)
        else:
            iotests.qemu_img(*args)
        return contents(raw, 'raw')


def check_image(path, fmt=iotests.imgfmt):
    """Metadata, as an independent program sees them."""
    if fmt != 'raw':
        if have_reference():
            iotests.reference_img('check', '-f', fmt, path)
        else:
            iotests.qemu_img('check', '-f', fmt, path)


def check_crashed(case, path, fmt=iotests.imgfmt):
    """An image whose user was killed: leaked clusters are the price of it,
    but nothing else."""
    if fmt == 'raw':
        return
    res = iotests.reference_img('check', '-f', fmt, path, check=False) \
        if have_reference() else iotests.qemu_img('check', '-f', fmt, path,
                                                  check=False)
    case.assertIn(res.returncode, (0, 3), res.stdout)


def assert_old_or_new(case, path, old, new, fmt=iotests.imgfmt):
    """Each sector is what it was at the last flush, or what was written to
    it after that."""
    found = contents(path, fmt)
    case.assertEqual(len(found), len(old.data))
    if old.first_difference(found) is None:
        return
    for at in range(0, len(found), 512):
        sector = found[at:at + 512]
        if sector != old.data[at:at + 512]:
            case.assertEqual(sector, new.data[at:at + 512], f'sector at {at}')


class Model:
    """What is on a disk."""

    def __init__(self, size):
        self.data = bytearray(size)

    def write(self, at, length, pattern):
        self.data[at:at + length] = bytes([pattern]) * length

    def first_difference(self, other):
        """None, or (offset, ours, theirs)."""
        if bytes(self.data) == bytes(other):
            return None
        for at, pair in enumerate(zip(self.data, other)):
            if pair[0] != pair[1]:
                return (at,) + pair
        return (min(len(self.data), len(other)), 'length', len(other))


class DiskTestCase(iotests.QMPTestCase):
    """One disk with data on it and room for copies."""

    size = 4 * MIB
    # Options of nodes on top of the source's and the target's file.
    source_filter = None
    target_filter = None

    def setUp(self):
        self.random = random.Random(20240229)
        self.model = Model(self.size)
        self.paths = []
        self.src = self.path('src.img')
        self.dst = self.path('dst.img')
        iotests.create_test_image(self.src, self.size)
        iotests.create_test_image(self.dst, self.size)
        self.fill()
        self.vm = iotests.VM()
        self.vm.add_drive_raw(self.drive_options())
        self.add_options()
        self.vm.launch()

    def tearDown(self):
        self.vm.shutdown()
        for path in self.paths:
            iotests.try_remove(path)

    def path(self, name):
        path = os.path.join(iotests.test_dir, iotests.file_pattern(name))
        self.paths.append(path)
        return path

    def add_options(self):
        """For what a case adds to the command line."""

    def drive_options(self):
        node = self.node_options('src', self.src, self.source_filter)
        node.update(self.drive_extra())
        return 'if=none,id=drive0,' + iotests.VM.qmp_to_opts(node)

    @staticmethod
    def drive_extra():
        return {}

    @staticmethod
    def node_options(name, path, filter_options=None, fmt=None):
        """A format node `name` over `name`-file, with or without blkdebug
        (`name`-debug) between them."""
        proto = {'driver': 'file', 'filename': path,
                 'node-name': name + '-file'}
        if filter_options is not None:
            proto = dict(filter_options, driver='blkdebug', image=proto)
            proto['node-name'] = name + '-debug'
        return {'driver': fmt or iotests.imgfmt, 'node-name': name,
                'file': proto}

    def fill(self):
        """Data here and there, and a hole in the middle."""
        commands = []
        for _ in range(24):
            length = self.random.choice((512, 4096, 65536, 100 * 512))
            at = self.random.randrange(0, (self.size - length) // 512) * 512
            if self.size // 3 < at < self.size // 2:
                continue
            pattern = self.random.randrange(1, 256)
            commands += ['-c', f'write -P {pattern} {at} {length}']
            self.model.write(at, length, pattern)
        iotests.qemu_io(*commands, self.src)

    # Things that are done

    def ok(self, result):
        self.assert_qmp(result, 'return', {})

    def add_target(self, path=None, name='dst', fmt=None, **more):
        options = self.node_options(name, path or self.dst,
                                    self.target_filter, fmt)
        options.update(more)
        self.ok(self.vm.qmp('blockdev-add', **options))

    def mirror(self, **more):
        options = {'job_id': 'job0', 'device': 'drive0', 'target': 'dst',
                   'sync': 'full'}
        options.update(more)
        self.ok(self.vm.qmp('blockdev-mirror', **options))

    def guest(self, command, expected=None):
        """A request by the disk's user; fails unless it succeeds, or unless
        its result has `expected` in it."""
        text = self.vm.qemu_io_result('drive0', command)
        if expected is None:
            for word in ('failed', 'error', 'Error', 'invalid'):
                self.assertNotIn(word, text, command)
        else:
            self.assertIn(expected, text, command)
        return text

    def guest_write(self, at, length, pattern):
        self.guest(f'write -P {pattern} {at} {length}')
        self.model.write(at, length, pattern)

    def guest_writes(self, count, seed=1):
        """Writes, zeroes and discards of all kinds of places."""
        rnd = random.Random(seed)
        for _ in range(count):
            length = rnd.choice((512, 1024, 4096, 65536, 3 * 512, 70000))
            length = length // 512 * 512
            at = rnd.randrange(0, (self.size - length) // 512) * 512
            if rnd.random() < 0.2:
                self.guest(f'write -z {at} {length}')
                self.model.write(at, length, 0)
            else:
                self.guest_write(at, length, rnd.randrange(1, 256))

    # What is checked

    def assert_model(self, path, fmt=None, text=None):
        """Every byte of an image that nobody writes to."""
        fmt = fmt or iotests.imgfmt
        check_image(path, fmt)
        found = self.model.first_difference(contents(path, fmt))
        self.assertIsNone(found, text or os.path.basename(path))

    def assert_both(self):
        """After the emulator has ended: both sides are what was written."""
        self.vm.shutdown()
        self.assert_model(self.src)
        self.assert_model(self.dst)

    def next_event(self, name, job='job0'):
        key = 'id' if name in ('JOB_STATUS_CHANGE',
                               'BLOCK_JOB_PENDING') else 'device'
        event = self.vm.event_wait(name, 60.0, {'data': {key: job}})
        return event['data']

    def wait_status(self, status, job='job0'):
        self.vm.event_wait('JOB_STATUS_CHANGE', 60.0,
                           {'data': {'id': job, 'status': status}})
