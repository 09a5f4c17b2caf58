# SPDX-License-Identifier: MIT
"""Test cases about a backing chain: image 0 is the base, the last one is the
disk "drive0"; node nI shows image I, over the node nI-file.

1. `self.shown[I]` is what a user of image I sees, kept in memory.
2. A job must not write to images whose data it only reads: `self.files()`
   remembers the bytes of files, `assert_untouched()` compares them."""
import hashlib
import os
import random

import iotests
from disktest import DiskTestCase, KIB, MIB, Model, check_image, contents


class ChainTestCase(DiskTestCase):
    depth = 4
    size = 4 * MIB
    # Sizes of single images, options of blkdebug nodes: number -> value.
    sizes = {}
    filters = {}
    read_only = True

    def setUp(self):
        self.random = random.Random(20240513)
        self.paths = [self.img(i) for i in range(self.depth)]
        self.top = self.depth - 1
        self.shown = []
        for i in range(self.depth):
            self.make_image(i)
        self.model = self.shown[self.top]
        self.launch()

    def img(self, i):
        return os.path.join(iotests.test_dir,
                            iotests.file_pattern(f'chain{i}.img'))

    def size_of(self, i):
        return self.sizes.get(i, self.size)

    def make_image(self, i):
        args = ['-b', self.img(i - 1), '-F', 'qcow2'] if i else []
        iotests.qemu_img('create', '-q', '-f', 'qcow2', *args, self.img(i),
                         str(self.size_of(i)))
        model = Model(self.size_of(i))
        if i:
            both = min(self.size_of(i - 1), self.size_of(i))
            model.data[:both] = self.shown[i - 1].data[:both]
        commands = []
        for _ in range(self.pieces(i)):
            commands += ['-c', self.random_write(model)]
        if commands:
            iotests.qemu_io(*commands, self.img(i))
        self.shown.append(model)

    def pieces(self, _i):
        """How many writes an image gets."""
        return 10

    def random_write(self, model):
        """A command of qemu-io; its effect is in `model`."""
        size = len(model.data)
        length = self.random.choice((512, 4 * KIB, 64 * KIB, 100 * 512,
                                     192 * KIB))
        at = self.random.randrange(0, (size - length) // 512) * 512
        if self.random.random() < 0.2:
            model.write(at, length, 0)
            return f'write -z {at} {length}'
        pattern = self.random.randrange(1, 256)
        model.write(at, length, pattern)
        return f'write -P {pattern} {at} {length}'

    # The emulator

    def chain_options(self, i):
        node = self.node_options(f'n{i}', self.img(i), self.filters.get(i),
                                 fmt='qcow2')
        if i:
            node['backing'] = f'n{i - 1}'
        if i != self.top and self.read_only:
            node['read-only'] = True
        return node

    def launch(self):
        self.vm = iotests.VM()
        for i in range(self.top):
            self.vm.add_blockdev(self.chain_options(i))
        self.vm.add_drive_raw('if=none,id=drive0,' + iotests.VM.qmp_to_opts(
            self.chain_options(self.top)))
        self.vm.launch()

    def again(self, filters=None):
        """A new chain and a new emulator."""
        self.tearDown()
        self.filters = filters or {}
        self.setUp()

    def start(self, command, **more):
        options = {'job_id': 'job0', 'device': 'drive0'}
        options.update(more)
        self.ok(self.vm.qmp(command, **options))

    def stream(self, **more):
        self.start('block-stream', **more)

    def commit(self, **more):
        self.start('block-commit', **more)

    def run_stream(self, **more):
        self.stream(**more)
        return self.wait_until_completed(more.get('job_id', 'job0'))

    def run_commit(self, **more):
        self.commit(**more)
        return self.wait_until_completed(more.get('job_id', 'job0'))

    def query_node(self, name):
        return self.vm.node_info(name)

    def assert_backing(self, *names):
        """The nodes from drive0 down."""
        graph = [e for e in self.vm._graph() if e[1] in ('root', 'backing')]
        found, node = [], 'drive0'
        while node:
            node = next((c for p, _, c in graph if p == node), None)
            if node:
                found.append(node)
        self.assertEqual(found, list(names))

    # Files

    def files(self, *numbers):
        found = {}
        for i in numbers:
            with open(self.img(i), 'rb') as f:
                found[i] = hashlib.sha256(f.read()).digest()
        return found

    def assert_untouched(self, before):
        self.assertEqual(self.files(*before), before)

    def backing_of(self, i):
        """The link in the image's header, as a number if it is ours."""
        info = iotests.qemu_img_info('-f', 'qcow2', '-U', self.img(i))
        name = info.get('backing-filename')
        for n in range(self.depth):
            if name == self.img(n):
                return n
        return name

    def assert_links(self, **links):
        """n3=1: the backing file of image 3 is image 1."""
        for name, expected in links.items():
            self.assertEqual(self.backing_of(int(name[1:])), expected, name)

    def assert_shows(self, *numbers, text=''):
        """Every byte of these images, for those whom nobody writes to."""
        for i in numbers:
            check_image(self.img(i), 'qcow2')
            found = self.shown[i].first_difference(
                contents(self.img(i), 'qcow2'))
            self.assertIsNone(found, f'image {i} {text}')
