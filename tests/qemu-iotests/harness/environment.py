# SPDX-License-Identifier: MIT
"""The environment that I/O tests see: programs, folders, image format.

1. A variable that is set by the caller wins over what is found.
2. A program that does not exist still has a path; only tests that run it
   are skipped (see iotests.require_program and common.rc)."""
import glob
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile

# Formats that qemu-img cannot read or write fully.
GENERIC = ('raw', 'qcow2', 'qcow', 'qed', 'vdi', 'vmdk', 'vpc', 'vhdx',
           'luks', 'parallels')
FORMATS = GENERIC + ('bochs', 'cloop', 'dmg')

DEFAULT_CACHE = 'writeback'
DEFAULT_AIO = 'threads'
EXTRA_OPTS = {'luks': 'iter-time=10', 'vmdk': 'zeroed_grain=on'}
# Programs whose default machine cannot be used without a device tree etc.
MACHINES = {'aarch64': 'virt', 'arm': 'virt', 'avr': 'mega2560',
            'm68k': 'virt', 'rx': 'gdbsim-r5f562n8',
            'tricore': 'tricore_testboard'}

# In the order in which the table at the start of a run shows them.
SHOWN = ('QEMU', 'QEMU_IMG', 'QEMU_IO', 'QEMU_NBD', 'QSD', 'IMGFMT',
         'IMGPROTO', 'PLATFORM', 'TEST_DIR', 'SOCK_DIR', 'GDB_OPTIONS',
         'VALGRIND_QEMU', 'PRINT_QEMU_OUTPUT')


def executable(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)


def find_build(start):
    """The build folder: two levels above the link through which ./check was
    started, or, below the source tree, the one where programs are."""
    own = os.path.dirname(os.path.dirname(start))
    candidates = [os.environ['BUILD_DIR']] if 'BUILD_DIR' in os.environ else []
    candidates += [own, os.path.join(own, 'build')]
    for folder in candidates:
        found = glob.glob(os.path.join(folder, 'qemu-system-*'))
        if any(executable(f) for f in found):
            return os.path.abspath(folder)
    return os.path.abspath(candidates[0])


class Environment:
    """Variables of one run; `env` is what scripts get."""

    def __init__(self, source, start, options):
        self.source = source
        self.build = find_build(start)
        self.options = options
        self.own_sock_dir = None
        self.env = dict(os.environ)
        self.set_format()
        self.set_folders()
        self.set_programs()
        self.set_options()

    def default(self, name, value):
        if not self.env.get(name):
            self.env[name] = value
        return self.env[name]

    def set_format(self):
        opts = self.options
        self.fmt = self.env['IMGFMT'] = opts.format
        self.env['IMGPROTO'] = opts.protocol
        self.env['IMGFMT_GENERIC'] = \
            'true' if opts.format in GENERIC else 'false'
        image_options = opts.o or self.env.get('IMGOPTS', '')
        extra = EXTRA_OPTS.get(opts.format)
        if extra and extra.split('=')[0] not in image_options:
            image_options = ','.join(filter(None, (image_options, extra)))
        self.env['IMGOPTS'] = image_options
        self.env['IMGOPTSSYNTAX'] = \
            'true' if opts.format == 'luks' else 'false'
        if opts.format == 'luks':
            self.env['IMGKEYSECRET'] = '123456'
        self.env['CACHEMODE'] = opts.c or DEFAULT_CACHE
        self.env['CACHEMODE_IS_DEFAULT'] = 'false' if opts.c else 'true'
        self.env['AIOMODE'] = opts.i or DEFAULT_AIO
        if opts.misalign:
            self.env['MISALIGN'] = '--misalign'

    def set_folders(self):
        scratch = self.default('TEST_DIR',
                               os.path.join(os.getcwd(), 'scratch'))
        self.env['TEST_DIR'] = os.path.abspath(scratch)
        os.makedirs(self.env['TEST_DIR'], exist_ok=True)
        if self.env.get('SOCK_DIR'):
            self.env['SOCK_DIR'] = os.path.abspath(self.env['SOCK_DIR'])
            os.makedirs(self.env['SOCK_DIR'], exist_ok=True)
        else:
            self.own_sock_dir = tempfile.mkdtemp(prefix='iotests-')
            self.env['SOCK_DIR'] = self.own_sock_dir
        self.default('OUTPUT_DIR', os.getcwd())
        os.makedirs(self.env['OUTPUT_DIR'], exist_ok=True)
        self.default('SAMPLE_IMG_DIR',
                     os.path.join(self.source, 'sample_images'))
        path = [self.source,
                os.path.join(self.source, '..', '..', 'python')]
        self.env['PYTHONPATH'] = os.pathsep.join(
            [os.path.normpath(p) for p in path] +
            list(filter(None, [self.env.get('PYTHONPATH')])))
        self.default('PYTHON', sys.executable)

    def find_emulator(self):
        name = os.path.join(self.build, 'qemu-system-' + platform.machine())
        if executable(name):
            return name
        pattern = os.path.join(self.build, 'qemu-system-*')
        found = [f for f in sorted(glob.glob(pattern)) if executable(f)]
        return found[0] if found else os.path.join(self.build,
                                                   'qemu-system-e2k')

    def set_programs(self):
        build = self.build
        found = {
            'QEMU_PROG': self.find_emulator(),
            'QEMU_IMG_PROG': os.path.join(build, 'qemu-img'),
            'QEMU_IO_PROG': os.path.join(build, 'qemu-io'),
            'QEMU_NBD_PROG': os.path.join(build, 'qemu-nbd'),
            'QSD_PROG': os.path.join(build, 'storage-daemon',
                                     'qemu-storage-daemon'),
            'SOCKET_SCM_HELPER': os.path.join(build, 'socket_scm_helper'),
        }
        for name, path in found.items():
            path = self.default(name, path)
            if os.sep not in path:
                path = shutil.which(path) or path
            self.env[name] = os.path.abspath(path)
        if not executable(self.env['SOCKET_SCM_HELPER']):
            self.env['SOCKET_SCM_HELPER'] = ''

    def missing_programs(self):
        return [name for name in ('QEMU_PROG', 'QEMU_IMG_PROG',
                                  'QEMU_IO_PROG', 'QEMU_NBD_PROG', 'QSD_PROG')
                if not executable(self.env[name])]

    def default_machine(self):
        """Name of the default machine; empty if there is none."""
        prog = self.env['QEMU_PROG']
        if not executable(prog):
            return ''
        lines = subprocess.run([prog, '-machine', 'help'], check=True,
                               stdin=subprocess.DEVNULL, timeout=60,
                               capture_output=True,
                               text=True).stdout.splitlines()
        default = next((line.split()[0] for line in lines
                        if line.endswith(' (default)')), '')
        alias = f' (alias of {default})'
        return next((line.split()[0] for line in lines
                     if default and line.endswith(alias)), default)

    def set_options(self):
        opts = self.options
        target = os.path.basename(self.env['QEMU_PROG']).split('-')[-1]
        machine = MACHINES.get(target)
        self.default('QEMU_OPTIONS',
                     '-nodefaults -display none -accel qtest' +
                     (f' -machine {machine}' if machine else ''))
        self.env['QEMU_DEFAULT_MACHINE'] = self.default_machine()
        cache = f"--cache {self.env['CACHEMODE']} --aio {self.env['AIOMODE']}"
        if opts.misalign:
            cache += ' --misalign'
        self.default('QEMU_IO_OPTIONS_NO_FMT', cache)
        if self.env['IMGOPTSSYNTAX'] == 'true':
            self.default('QEMU_IO_OPTIONS', cache)
        else:
            self.default('QEMU_IO_OPTIONS', f'{cache} -f {self.fmt}')
        for name in ('QEMU_IMG_OPTIONS', 'QEMU_NBD_OPTIONS'):
            self.env.setdefault(name, '')
        self.env['MALLOC_PERTURB_'] = os.environ.get('MALLOC_PERTURB_', '101')
        if opts.valgrind:
            self.env['VALGRIND_QEMU'] = 'y'
        else:
            self.env.pop('VALGRIND_QEMU', None)
        if opts.gdb:
            self.env['GDB_OPTIONS'] = os.environ.get('GDB_OPTIONS') or \
                'localhost:12345'
        else:
            self.env.pop('GDB_OPTIONS', None)
        if opts.p:
            self.env['PRINT_QEMU_OUTPUT'] = 'y'
        if opts.d:
            self.env['IOTESTS_DEBUG'] = 'y'

    def table(self):
        env = dict(self.env)
        env['PLATFORM'] = ' '.join((platform.system(), platform.machine(),
                                    platform.release()))
        for name, prog, options in (
                ('QEMU', 'QEMU_PROG', 'QEMU_OPTIONS'),
                ('QEMU_IMG', 'QEMU_IMG_PROG', 'QEMU_IMG_OPTIONS'),
                ('QEMU_IO', 'QEMU_IO_PROG', 'QEMU_IO_OPTIONS'),
                ('QEMU_NBD', 'QEMU_NBD_PROG', 'QEMU_NBD_OPTIONS'),
                ('QSD', 'QSD_PROG', None)):
            words = [shlex.quote(env[prog]), env.get(options or '', '')]
            env[name] = ' '.join(filter(None, words))
            if prog in self.missing_programs():
                env[name] += '   (does not exist: its tests are skipped)'
        return '\n'.join(f'{name:13} -- {env.get(name, "")}'
                         for name in SHOWN if env.get(name))

    def close(self):
        if self.own_sock_dir:
            shutil.rmtree(self.own_sock_dir, ignore_errors=True)
