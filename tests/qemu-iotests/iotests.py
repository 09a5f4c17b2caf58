# SPDX-License-Identifier: MIT
"""What Python scripts use: programs, emulators under control, test cases,
and a log whose text does not differ from run to run.

1. A script is either literal (it prints, ./check compares: script_main) or
   a set of unittest cases whose report is compared (main).
2. A requirement that is not met ends a script by notrun(), a case by
   case_skip(); neither is a failure.
3. Files of FilePath and processes of VM are gone when their block ends."""
import argparse
import atexit
import contextlib
import filecmp
import functools
import json
import logging
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time
import unittest
from typing import Any, TextIO, cast

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)),
                             '..', '..', 'python'))

# pylint: disable=wrong-import-position
from qemu.machine import qtest                              # noqa: E402
from qemu.qmp import QEMUMonitorProtocol                    # noqa: E402
from qemu.utils import VerboseProcessError                  # noqa: E402
from harness.filters import *                               # noqa: E402,F403
from harness.filters import (                               # noqa: E402
    filter_img_info, filter_nbd_exports, filter_qemu_io, filter_qmp_event,
    filter_testfiles, on_values)


def _words(name):
    return shlex.split(os.environ.get(name, ''))


def _program(name, default):
    return os.environ.get(name) or default


test_dir = os.environ.get('TEST_DIR', '')
sock_dir = os.environ.get('SOCK_DIR', '')
output_dir = os.environ.get('OUTPUT_DIR', '.')
imgfmt = os.environ.get('IMGFMT', 'raw')
imgproto = os.environ.get('IMGPROTO', 'file')
imgopts = os.environ.get('IMGOPTS', '')
cachemode = os.environ.get('CACHEMODE', 'writeback')
aiomode = os.environ.get('AIOMODE', 'threads')
qemu_default_machine = os.environ.get('QEMU_DEFAULT_MACHINE', '')
qemu_prog = _program('QEMU_PROG', 'qemu-system-e2k')
qemu_opts = _words('QEMU_OPTIONS')
qemu_img_prog = _program('QEMU_IMG_PROG', 'qemu-img')
qemu_img_args = [qemu_img_prog] + _words('QEMU_IMG_OPTIONS')
qemu_io_prog = _program('QEMU_IO_PROG', 'qemu-io')
qemu_io_args = [qemu_io_prog] + _words('QEMU_IO_OPTIONS')
qemu_io_args_no_fmt = [qemu_io_prog] + _words('QEMU_IO_OPTIONS_NO_FMT')
qemu_nbd_prog = _program('QEMU_NBD_PROG', 'qemu-nbd')
qemu_nbd_args = [qemu_nbd_prog] + _words('QEMU_NBD_OPTIONS')
qsd_prog = _program('QSD_PROG', 'qemu-storage-daemon')
qemu_valgrind = ['valgrind', '--quiet', '--error-exitcode=99'] \
    if os.environ.get('VALGRIND_QEMU') == 'y' else []
qemu_gdb = ['gdbserver'] + _words('GDB_OPTIONS') \
    if os.environ.get('GDB_OPTIONS') else []
qemu_print = bool(os.environ.get('PRINT_QEMU_OUTPUT'))
socket_scm_helper = os.environ.get('SOCKET_SCM_HELPER', '')
# A peer that was built by somebody else, to compare with.
ref_qemu_img = os.environ.get('REF_QEMU_IMG', 'qemu-img')
debug = bool(os.environ.get('IOTESTS_DEBUG'))

luks_default_secret_object = 'secret,id=keysec0,data=' + \
    os.environ.get('IMGKEYSECRET', '')
luks_default_key_secret_opt = 'key-secret=keysec0'

test_logger = logging.getLogger('qemu.iotests')
test_logger.setLevel(logging.INFO)
test_logger.propagate = False


# ---- Not running ----

def _side_file(suffix):
    name = os.path.basename(sys.argv[0]) or 'unknown'
    return os.path.join(output_dir, name + suffix)


def notrun(reason):
    """Ends the script; ./check counts it as skipped."""
    with open(_side_file('.notrun'), 'w', encoding='utf-8') as f:
        f.write(reason + '\n')
    test_logger.warning('%s not run: %s', sys.argv[0], reason)
    sys.exit(0)


def case_notrun(reason):
    """A part of the script is left out; ./check reports it."""
    with open(_side_file('.casenotrun'), 'a', encoding='utf-8') as f:
        f.write(f'[case not run] {reason}\n')


def require_program(*paths):
    for path in paths:
        if not (os.path.isfile(path) and os.access(path, os.X_OK)):
            notrun(f'{os.path.basename(path)} was not built')


def require_reference():
    """A qemu-img of somebody else, or the script is skipped."""
    try:
        _tool([ref_qemu_img, '--version'], check=True)
    except (OSError, subprocess.SubprocessError):
        notrun('there is no other qemu-img to compare with '
               '(set REF_QEMU_IMG)')


# ---- Programs ----

def _tool(args, check=True, combine_stdio=True, **more):
    """CompletedProcess with text; VerboseProcessError if it failed.  An end
    by a signal is always an error."""
    if os.path.isabs(args[0]):
        require_program(args[0])
    res = subprocess.run(
        args, stdin=more.pop('stdin', subprocess.DEVNULL), text=True,
        stdout=subprocess.PIPE, errors='backslashreplace',
        stderr=subprocess.STDOUT if combine_stdio else subprocess.PIPE,
        timeout=more.pop('timeout', 120), check=False, **more)
    if (check and res.returncode) or res.returncode < 0:
        raise VerboseProcessError(res.returncode, args, res.stdout,
                                  res.stderr)
    return res


def qemu_tool(*args, check=True, combine_stdio=True):
    return _tool(list(args), check, combine_stdio)


def qemu_tool_popen(args, **more):
    require_program(args[0])
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            **more)


def qemu_img_create_prepare_args(args):
    """With -o IMGOPTS, and a key for luks."""
    if not args or args[0] != 'create':
        return list(args)
    p = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    p.add_argument('-f')
    known, _ = p.parse_known_args(args[1:])
    result = ['create']
    options = []
    if known.f == imgfmt and imgopts:
        options.append(imgopts)
    if known.f == 'luks' and 'key-secret' not in ' '.join(args):
        result += ['--object', luks_default_secret_object]
        options.append(luks_default_key_secret_opt)
    for option in options:
        result += ['-o', option]
    return result + list(args[1:])


def qemu_img(*args, check=True, combine_stdio=True):
    full = qemu_img_args + qemu_img_create_prepare_args(args)
    return _tool(qemu_valgrind + full, check, combine_stdio)


def qemu_img_create(*args):
    return qemu_img('create', *args)


def qemu_img_pipe_and_status(*args):
    res = qemu_img(*args, check=False)
    return res.stdout, res.returncode


def qemu_img_pipe(*args):
    """What it printed, be its status what it may."""
    return qemu_img(*args, check=False).stdout


def qemu_img_verbose(*args):
    """It prints straight into the output of the script."""
    sys.stdout.flush()
    return subprocess.call(qemu_img_args + list(args))


def qemu_img_json(*args):
    """The JSON that it printed, even if it failed."""
    res = qemu_img(*args, check=False, combine_stdio=False)
    try:
        return json.loads(res.stdout)
    except ValueError:
        raise VerboseProcessError(res.returncode, args, res.stdout,
                                  res.stderr) from None


def qemu_img_measure(*args):
    return qemu_img_json('measure', '--output', 'json', *args)


def qemu_img_check(*args):
    return qemu_img_json('check', '--output', 'json', *args)


def qemu_img_info(*args):
    return qemu_img_json('info', '--output', 'json', *args)


def qemu_img_map(*args):
    return qemu_img_json('map', '--output', 'json', *args)


def qemu_img_log(*args, check=True):
    res = qemu_img(*args, check=check)
    log(res.stdout, filters=[filter_testfiles])
    return res


def img_info_log(filename, filter_path=None, use_image_opts=False,
                 extra_args=(), check=True):
    args = ['info', '--image-opts' if use_image_opts else '-f']
    if not use_image_opts:
        args.append(imgfmt)
    res = qemu_img(*args, *extra_args, filename, check=check)
    log(filter_img_info(res.stdout, filter_path or filename))


def reference_img(*args, check=True):
    """The same by the qemu-img of somebody else."""
    return _tool([ref_qemu_img] + list(args), check)


def qemu_io_wrap_args(args):
    """The whole command line; a format in `args` replaces the usual one."""
    words = list(args)
    own = '-f' in words or '--image-opts' in words
    return (qemu_io_args_no_fmt if own else qemu_io_args) + words


def qemu_io_popen(*args):
    return qemu_tool_popen(qemu_io_wrap_args(args))


def qemu_io(*args, check=True, combine_stdio=True):
    return _tool(qemu_valgrind + qemu_io_wrap_args(args), check,
                 combine_stdio)


def qemu_io_that_dies(*args):
    """For a program that ends amid a request, whose memory is not leaked: the
    result has status, standard output and error."""
    env = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')
    return subprocess.run([qemu_io_prog] + list(args), env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, encoding='utf-8')


def qemu_io_pipe_and_status(*args):
    res = qemu_io(*args, check=False)
    return res.stdout, res.returncode


def qemu_io_silent(*args):
    return qemu_io(*args, check=False).returncode


def qemu_io_silent_check(*args):
    res = qemu_io(*args, check=False)
    return res.returncode == 0 and 'Pattern verification' not in res.stdout


def qemu_io_log(*args, check=True):
    res = qemu_io(*args, check=check)
    log(res.stdout, filters=[filter_testfiles, filter_qemu_io])
    return res


class QemuIoInteractive:
    """A qemu-io that stays open and takes commands."""

    PROMPT = 'qemu-io> '

    def __init__(self, *args):
        args = qemu_io_wrap_args(args)
        require_program(args[0])
        self._p = subprocess.Popen(args, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.STDOUT, bufsize=0)
        first = self._read()
        if first:
            raise ValueError(f'qemu-io said: {first}')

    def _read(self):
        """All up to the next prompt, or to the end."""
        text = ''
        while not text.endswith(self.PROMPT):
            c = self._p.stdout.read(1)
            if not c:
                return text
            text += c
        return text[:-len(self.PROMPT)]

    def cmd(self, text):
        """What it prints about a command."""
        self._p.stdin.write(text.strip() + '\n')
        self._p.stdin.flush()
        return self._read()

    def close(self):
        """Waits for its end."""
        if self._p.poll() is None:
            self._p.communicate('q\n', timeout=30)


def qemu_nbd(*args):
    """The status of a server that went into the background."""
    require_program(qemu_nbd_prog)
    return subprocess.call(qemu_nbd_args + ['--fork'] + list(args),
                           timeout=60)


def qemu_nbd_early_pipe(*args, connect_stderr=True):
    """Status and output; the output is "" if it came up."""
    require_program(qemu_nbd_prog)
    res = subprocess.run(
        qemu_nbd_args + ['--fork'] + list(args), text=True, check=False,
        stdout=subprocess.PIPE, timeout=60,
        stderr=subprocess.STDOUT if connect_stderr else None)
    return res.returncode, res.stdout if res.returncode else ''


def qemu_nbd_list_log(*args):
    res = _tool([qemu_nbd_prog, '-L'] + list(args), check=False)
    log(res.stdout, filters=[filter_testfiles, filter_nbd_exports])
    return res.stdout


@contextlib.contextmanager
def qemu_nbd_popen(*args):
    """A server as long as the block lasts."""
    require_program(qemu_nbd_prog)
    pid_file = file_path('qemu_nbd_popen-nbd-pid-file')
    try_remove(pid_file)
    cmd = qemu_nbd_args + ['--persistent', '--pid-file', pid_file] + \
        list(args)
    log('Start NBD server')
    with subprocess.Popen(cmd) as proc:
        try:
            while not os.path.exists(pid_file):
                if proc.poll() is not None:
                    raise RuntimeError('qemu-nbd ended: ' + ' '.join(cmd))
                time.sleep(0.01)
            yield
        finally:
            if os.path.exists(pid_file):
                os.remove(pid_file)
            log('Kill NBD server')
            proc.kill()
            proc.wait()


# ---- Images ----

def create_image(name, size):
    """A raw image whose sectors hold their own number."""
    with open(name, 'wb') as f:
        for sector in range((size + 511) // 512):
            data = struct.pack('>l504xl', sector, sector)
            f.write(data[:size - sector * 512])


def image_size(img):
    return qemu_img_info('-f', imgfmt, img)['virtual-size']


def compare_images(img1, img2, fmt1=imgfmt, fmt2=imgfmt):
    """True if they are the same to a guest."""
    if (fmt1, fmt2) == ('raw', 'raw'):
        # Nothing of ours takes part in it.
        return filecmp.cmp(img1, img2, shallow=False)
    try:
        qemu_img('compare', '-f', fmt1, '-F', fmt2, img1, img2)
        return True
    except VerboseProcessError as e:
        if e.returncode == 1:
            return False
        raise


def create_test_image(path, size, fmt=imgfmt, *options):
    """An empty image, without qemu-img if it is raw."""
    if fmt == 'raw':
        with open(path, 'wb') as f:
            f.truncate(size)
    else:
        qemu_img('create', '-f', fmt, *options, path, str(size))


# ---- Log ----

def _as_text(msg, indent):
    if isinstance(msg, (dict, list)):
        return json.dumps(msg, sort_keys=True, indent=indent)
    return str(msg)


def log(msg, filters=(), indent=None):
    """Prints text, or JSON with sorted keys, through filters."""
    for text_filter in filters:
        msg = text_filter(msg)
    test_logger.info('%s', _as_text(msg, indent))


def activate_logging():
    """What log() gets goes to standard output."""
    if test_logger.handlers:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter('%(message)s'))
    test_logger.addHandler(handler)


@contextlib.contextmanager
def change_log_level(logger_name, level=logging.CRITICAL):
    logger = logging.getLogger(logger_name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


# ---- Files and time ----

def file_pattern(name):
    return f'{os.getpid()}-{name}'


def try_remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


class FilePath:
    """with FilePath('a', 'b') as (a, b): paths in the scratch folder, which
    are removed at the end.  One name gives one path."""

    def __init__(self, *names, base_dir=None):
        base = base_dir or test_dir
        self.paths = [os.path.join(base, file_pattern(n)) for n in names]

    def __enter__(self):
        return self.paths[0] if len(self.paths) == 1 else self.paths

    def __exit__(self, *what):
        for path in self.paths:
            try_remove(path)
        return False


def file_path(*names, base_dir=None):
    """The same until the script ends."""
    base = base_dir or test_dir
    paths = [os.path.join(base, file_pattern(n)) for n in names]
    for path in paths:
        atexit.register(try_remove, path)
    return paths[0] if len(paths) == 1 else paths


def remote_filename(path):
    if imgproto == 'file':
        return path
    raise NotImplementedError(f'protocol {imgproto}')


class Timeout:
    """with Timeout(3, 'text'): an error if the block takes longer."""

    def __init__(self, seconds, errmsg='Timeout'):
        self.seconds = seconds
        self.errmsg = errmsg

    def __enter__(self):
        if not qemu_gdb and not qemu_valgrind:
            signal.signal(signal.SIGALRM, self.timeout)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *what):
        signal.setitimer(signal.ITIMER_REAL, 0)
        return False

    def timeout(self, _signum, _frame):
        raise TimeoutError(self.errmsg)


# ---- The emulator ----

def _flatten(value, prefix=''):
    """Nested options as dotted keys."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {prefix: value}
    flat = {}
    for key, inner in value.items():
        flat.update(_flatten(inner, f'{prefix}.{key}' if prefix else
                             str(key)))
    return flat


def _option_text(value):
    if isinstance(value, bool):
        return 'on' if value else 'off'
    return str(value).replace(',', ',,')


class VM(qtest.QEMUQtestMachine):
    """The emulator with the options that ./check found."""

    def __init__(self, path_suffix=''):
        name = f'qemu{path_suffix}-{os.getpid()}'
        wrapper = qemu_gdb or qemu_valgrind
        super().__init__(qemu_prog, list(qemu_opts), wrapper=wrapper,
                         name=name, base_temp_dir=test_dir,
                         sock_dir=sock_dir or None,
                         qmp_timer=None if wrapper else 60)
        self._num_drives = 0

    def launch(self):
        require_program(self._binary)
        super().launch()

    def _post_shutdown(self):
        super()._post_shutdown()
        if qemu_print and self._iolog:
            sys.stdout.write(self._iolog)

    # Command line

    def add_object(self, opts):
        self._args += ['-object', opts]
        return self

    def add_device(self, opts):
        self._args += ['-device', opts]
        return self

    def add_drive_raw(self, opts):
        self._args += ['-drive', opts]
        return self

    def add_drive(self, path, opts='', interface='virtio', img_format=None):
        img_format = img_format or imgfmt
        words = [f'if={interface}', f'id=drive{self._num_drives}']
        if path is not None:
            words += [f'file={path}', f'format={img_format}',
                      f'cache={cachemode}', f'aio={aiomode}']
        if opts:
            words.append(opts)
        if img_format == 'luks' and 'key-secret' not in opts:
            if luks_default_secret_object not in self._args:
                self.add_object(luks_default_secret_object)
            words.append(luks_default_key_secret_opt)
        self._args += ['-drive', ','.join(words)]
        self._num_drives += 1
        return self

    def add_blockdev(self, opts):
        """A string, a list of strings, or nested options."""
        if isinstance(opts, dict):
            opts = self.qmp_to_opts(opts)
        elif isinstance(opts, list):
            opts = ','.join(opts)
        self._args += ['-blockdev', opts]
        return self

    def add_incoming(self, addr):
        self._args += ['-incoming', addr]
        return self

    @staticmethod
    def flatten_qmp_object(obj, output=None, basestr=''):
        output = {} if output is None else output
        output.update(_flatten(obj, basestr.rstrip('.')))
        return output

    @staticmethod
    def qmp_to_opts(obj):
        return ','.join(f'{k}={_option_text(v)}'
                        for k, v in _flatten(obj).items())

    # HMP

    def hmp(self, command_line, use_log=False):
        cmd = 'human-monitor-command'
        if use_log:
            return self.qmp_log(cmd, command_line=command_line)
        return self.qmp(cmd, command_line=command_line)

    def hmp_qemu_io(self, drive, cmd, use_log=False, qdev=False):
        """The result of `cmd` goes to the emulator's output: see
        qemu_io_result() to have it."""
        d = '-d ' if qdev else ''
        return self.hmp(f'qemu-io {d}{drive} "{cmd}"', use_log=use_log)

    def qemu_io_result(self, drive, cmd, qdev=False):
        """What `cmd` printed; errors of the monitor count as printed."""
        before = len(self.get_log() or '')
        reply = self.hmp_qemu_io(drive, cmd, qdev=qdev)
        error = reply.get('return', reply.get('error', {}).get('desc', ''))
        return (self.get_log() or '')[before:] + error.rstrip('\r\n')

    def pause_drive(self, drive, event=None):
        """Requests of this kind (both, by default) stop at blkdebug."""
        for name in [event] if event else ['read_aio', 'write_aio']:
            self.hmp_qemu_io(drive, f'break {name} bp_{drive}')

    def resume_drive(self, drive):
        self.hmp_qemu_io(drive, f'remove_break bp_{drive}')

    # QMP

    def get_qmp_events_filtered(self, wait=60.0):
        return [filter_qmp_event(e) for e in self.get_qmp_events(wait=wait)]

    def qmp_log(self, cmd, filters=(), indent=None, **kwargs):
        full = {'execute': cmd}
        if kwargs:
            full['arguments'] = self._qmp_args(True, kwargs)
        log(full, filters, indent=indent)
        result = self.qmp(cmd, **kwargs)
        log(result, filters, indent=indent)
        return result

    def _end_job(self, job, pre_finalize, cancel, use_log):
        if pre_finalize:
            pre_finalize()
        verb = 'job-cancel' if cancel else 'job-finalize'
        (self.qmp_log if use_log else self.qmp)(verb, id=job)

    def run_job(self, job, auto_finalize=True, auto_dismiss=False,
                pre_finalize=None, cancel=False, wait=60.0, use_log=True):
        """Leads a job to its end by the events that it sends; returns the
        text of its error, or None."""
        send = self.qmp_log if use_log else self.qmp
        names = ('JOB_STATUS_CHANGE', 'BLOCK_JOB_COMPLETED',
                 'BLOCK_JOB_CANCELLED', 'BLOCK_JOB_READY',
                 'BLOCK_JOB_PENDING')
        events = [('JOB_STATUS_CHANGE', {'data': {'id': job}})] + \
            [(n, {'data': {'device': job}}) for n in names[1:-1]] + \
            [(names[-1], {'data': {'id': job}})]
        error = None
        while True:
            event = self.events_wait(events, timeout=wait)
            if event['event'] != 'JOB_STATUS_CHANGE':
                if use_log:
                    log(filter_qmp_event(event))
                continue
            status = event['data']['status']
            if status == 'aborting':
                for j in self.qmp('query-jobs')['return']:
                    if j['id'] == job:
                        error = j.get('error')
                        if use_log and error:
                            log(f'Job failed: {error}')
            elif status == 'ready':
                send('job-complete', id=job)
            elif status == 'pending' and not auto_finalize:
                self._end_job(job, pre_finalize, cancel, use_log)
            elif status == 'concluded' and not auto_dismiss:
                send('job-dismiss', id=job)
            elif status == 'null':
                return error

    def blockdev_create(self, options, job_id='job0', filters=None):
        if filters is None:
            filters = [lambda msg: on_values(msg, filter_testfiles)]
        result = self.qmp_log('blockdev-create', filters=filters,
                              job_id=job_id, options=options)
        if 'return' in result:
            self.run_job(job_id)
            log('')

    def enable_migration_events(self, name):
        log(f'Enabling migration QMP events on {name}...')
        log(self.qmp('migrate-set-capabilities', capabilities=[
            {'capability': 'events', 'state': True}]))

    def wait_migration(self, expect_runstate):
        while True:
            event = self.event_wait('MIGRATION')
            log(event, filters=[filter_qmp_event])
            if event['data']['status'] in ('completed', 'failed'):
                break
        if expect_runstate is not None:
            self.wait_for_runstate(expect_runstate)
        return event['data']['status'] == 'completed'

    def wait_for_runstate(self, runstate):
        while self.qmp('query-status')['return']['status'] != runstate:
            time.sleep(0.01)

    def node_info(self, node_name):
        nodes = self.qmp('query-named-block-nodes')['return']
        return next((n for n in nodes if n['node-name'] == node_name), None)

    def job_info(self, job):
        """The entry of query-block-jobs, or None."""
        jobs = self.qmp('query-block-jobs')['return']
        return next((j for j in jobs if j['device'] == job), None)

    def query_bitmaps(self):
        nodes = self.qmp('query-named-block-nodes')['return']
        return {n['node-name']: n['dirty-bitmaps'] for n in nodes
                if 'dirty-bitmaps' in n}

    def get_bitmap(self, node_name, bitmap_name, recording=None,
                   bitmaps=None):
        if bitmaps is None:
            bitmaps = self.query_bitmaps()
        for bitmap in bitmaps.get(node_name, ()):
            if bitmap.get('name', '') == bitmap_name and \
                    recording in (None, bitmap.get('recording')):
                return bitmap
        return None

    def check_bitmap_status(self, node_name, bitmap_name, fields):
        ret = self.get_bitmap(node_name, bitmap_name)
        return ret is not None and fields.items() <= ret.items()

    # The graph

    def _graph(self):
        graph = self.qmp('x-debug-query-block-graph')['return']
        names = {n['id']: n['name'] or f"({n['type']})"
                 for n in graph['nodes']}
        return [(names[e['parent']], e['name'], names[e['child']])
                for e in graph['edges']]

    def assert_edges_list(self, edges):
        """`edges`: (parent, name of the edge, child)."""
        assert set(edges) == set(self._graph()), self._graph()

    def assert_block_path(self, root, path, expected_node, graph=None):
        """From a node or device along "/edge/edge" one gets to a node."""
        edges = graph or self._graph()
        node = root
        for name in filter(None, path.split('/')):
            found = [c for p, n, c in edges if p == node and n == name]
            assert found, f'no edge {name} below {node}'
            node = found[0]
        assert node == expected_node, f'{node}, not {expected_node}'


class QemuStorageDaemon:
    """The storage daemon with a QMP connection."""

    class _Protocol(QEMUMonitorProtocol):
        def qmp(self, cmd, **args):
            return self.cmd(cmd, {k.replace('_', '-'): v
                                  for k, v in args.items()})

    def __init__(self, *args, instance_id='a', qmp=False, stderr=None):
        require_program(qsd_prog)
        stem = f'{os.getpid()}-qsd-{instance_id}'
        self.pidfile = os.path.join(test_dir, stem + '.pid')
        self._path = os.path.join(sock_dir, stem + '.sock')
        self._qmp = None
        full = [qsd_prog] + list(args) + ['--pidfile', self.pidfile]
        if qmp:
            self._qmp = self._Protocol(self._path, server=True)
            full += ['--chardev', f'socket,id=qmp-sock,path={self._path}',
                     '--monitor', 'chardev=qmp-sock']
        self._p = subprocess.Popen(full, stderr=stderr)
        if self._qmp is not None:
            self._qmp.accept()
        while not os.path.exists(self.pidfile):
            if self._p.poll() is not None:
                raise RuntimeError('it ended: ' + ' '.join(full))
            time.sleep(0.01)

    def qmp(self, cmd, args=None):
        return self._qmp.cmd(cmd, args)

    def get_qmp(self):
        return self._qmp

    @property
    def pid(self):
        return self._p.pid

    def stop(self, kill_signal=signal.SIGTERM):
        self._p.send_signal(kill_signal)
        status = self._p.wait(30)
        if self._qmp is not None:
            self._qmp.close()
            try_remove(self._path)
        try_remove(self.pidfile)
        self._p = None
        return status

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self._p is not None:
            self.stop()


# ---- Cases ----

INDEX = re.compile(r'([^\[]+)\[([^\]]+)\]')


class QMPTestCase(unittest.TestCase):
    """Checks on replies, and common ways to lead jobs."""

    vm: Any = None      # a VM, most often

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.maxDiff = None

    def dictpath(self, d, path):
        """d['a']['b'][0] for "a/b[0]"."""
        for component in path.split('/'):
            match = INDEX.match(component)
            index = 0
            if match:
                component, index = match.group(1), int(match.group(2))
            if not isinstance(d, dict) or component not in d:
                self.fail(f'failed path traversal for "{path}" in "{d}"')
            d = d[component]
            if match:
                if not isinstance(d, list) or index >= len(d):
                    self.fail(f'invalid index "{index}" in path "{path}" '
                              f'in "{d}"')
                d = d[index]
        return d

    def assert_qmp_absent(self, d, path):
        try:
            found = self.dictpath(d, path)
        except AssertionError:
            return
        self.fail(f'path "{path}" has value "{found}"')

    def assert_qmp(self, d, path, value):
        """`value`: what is there, or a list of possibilities."""
        found = self.dictpath(d, path)
        if isinstance(value, list) and not isinstance(found, list):
            self.assertIn(found, value, f'"{path}" in {d}')
        else:
            self.assertEqual(found, value, f'"{path}" in {d}')

    def assert_qmp_error(self, result, desc, error_class='GenericError'):
        self.assert_qmp(result, 'error/class', error_class)
        self.assert_qmp(result, 'error/desc', desc)

    def assert_no_active_block_jobs(self):
        self.assert_qmp(self.vm.qmp('query-block-jobs'), 'return', [])

    def assert_has_block_node(self, node_name=None, file_name=None):
        nodes = self.vm.qmp('query-named-block-nodes')['return']
        for node in nodes:
            if node_name in (None, node.get('node-name')) and \
                    file_name in (None, node.get('file')):
                return
        self.fail(f'no node {node_name} {file_name} in {nodes}')

    def assert_json_filename_equal(self, json_filename, reference):
        self.assertEqual(json_filename[:5], 'json:')
        self.assertEqual(
            VM.flatten_qmp_object(json.loads(json_filename[5:])),
            VM.flatten_qmp_object(reference))

    def _event_of(self, drive, *names, wait=60.0):
        return self.vm.events_wait(
            [(n, {'data': {'device': drive}}) for n in names], timeout=wait)

    def cancel_and_wait(self, drive='drive0', force=False, resume=False,
                        wait=60.0):
        result = self.vm.qmp('block-job-cancel', device=drive, force=force)
        self.assert_qmp(result, 'return', {})
        if resume:
            self.vm.resume_drive(drive)
        event = self._event_of(drive, 'BLOCK_JOB_COMPLETED',
                               'BLOCK_JOB_CANCELLED', wait=wait)
        self.wait_job_gone(drive, wait)
        self.assert_no_active_block_jobs()
        return event

    def wait_job_gone(self, job, wait=60.0):
        match = {'data': {'id': job, 'status': 'null'}}
        self.vm.event_wait('JOB_STATUS_CHANGE', wait, match)

    def wait_until_completed(self, drive='drive0', check_offset=True,
                             wait=60.0, error=None):
        event = self._event_of(drive, 'BLOCK_JOB_COMPLETED',
                               'BLOCK_JOB_CANCELLED', wait=wait)
        self.assertEqual(event['event'], 'BLOCK_JOB_COMPLETED', event)
        if error is None:
            self.assert_qmp_absent(event, 'data/error')
            if check_offset:
                self.assert_qmp(event, 'data/offset', event['data']['len'])
        else:
            self.assert_qmp(event, 'data/error', error)
        self.wait_job_gone(drive, wait)
        self.assert_no_active_block_jobs()
        return event

    def wait_ready(self, drive='drive0'):
        event = self._event_of(drive, 'BLOCK_JOB_READY')
        self.assertIn(event['data']['type'], ('mirror', 'commit'))
        return event

    def wait_ready_and_cancel(self, drive='drive0'):
        self.wait_ready(drive)
        event = self.cancel_and_wait(drive)
        self.assertEqual(event['event'], 'BLOCK_JOB_COMPLETED')
        self.assert_qmp(event, 'data/type', 'mirror')
        self.assert_qmp(event, 'data/offset', event['data']['len'])

    def complete_and_wait(self, drive='drive0', wait_ready=True,
                          completion_error=None):
        if wait_ready:
            self.wait_ready(drive)
        result = self.vm.qmp('block-job-complete', device=drive)
        self.assert_qmp(result, 'return', {})
        event = self.wait_until_completed(drive, error=completion_error,
                                          check_offset=not completion_error)
        self.assertIn(event['data']['type'], ('mirror', 'commit'))
        return event

    def pause_wait(self, job_id='job0'):
        with Timeout(3, 'Timeout waiting for job to pause'):
            while True:
                job = self.vm.job_info(job_id)
                self.assertIsNotNone(job, f'no job {job_id}')
                if job['paused'] and not job['busy']:
                    return job
                time.sleep(0.005)

    def pause_job(self, job_id='job0', wait=True):
        result = self.vm.qmp('block-job-pause', device=job_id)
        self.assert_qmp(result, 'return', {})
        return self.pause_wait(job_id) if wait else result

    def case_skip(self, reason):
        case_notrun(f'{self.id()}: {reason}')
        self.skipTest(reason)


# ---- Requirements ----

def _verify(what, value, supported, unsupported):
    if value in unsupported or (supported and value not in supported):
        notrun(f'not suitable for this {what}: {value}')


def _verify_formats(supported, unsupported):
    if 'generic' in supported and \
            os.environ.get('IMGFMT_GENERIC', 'true') == 'true':
        supported = ()
    _verify('image format', imgfmt, supported, unsupported)
    if imgfmt == 'luks':
        verify_working_luks()


def verify_platform(supported=('linux',), unsupported=()):
    if any(sys.platform.startswith(p) for p in unsupported) or not any(
            sys.platform.startswith(p) for p in supported or ('linux',)):
        notrun(f'not suitable for this OS: {sys.platform}')


def verify_virtio_blk():
    out = qemu_pipe('-M', 'none', '-device', 'help')
    if 'virtio-blk' not in out:
        notrun('missing virtio-blk in QEMU binary')


@functools.lru_cache()
def has_working_luks():
    """Whether one can be created, and why not."""
    path = os.path.join(test_dir, file_pattern('luks-test'))
    out, status = qemu_img_pipe_and_status(
        'create', '-f', 'luks', '--object', luks_default_secret_object,
        '-o', luks_default_key_secret_opt, '-o', 'iter-time=10', path, '1G')
    try_remove(path)
    return status == 0, out.strip()


def verify_working_luks():
    working, reason = has_working_luks()
    if not working:
        notrun(reason)


def qemu_pipe(*args):
    """What the emulator prints and exits."""
    require_program(qemu_prog)
    return _tool([qemu_prog] + qemu_opts + list(args), check=False).stdout


@functools.lru_cache()
def supported_formats(read_only=False):
    line = qemu_pipe('-drive', 'format=help').splitlines()[int(read_only)]
    return line.split(':')[1].split()


def supports_quorum():
    return 'quorum' in qemu_img_pipe('--help')


def verify_quorum():
    if not supports_quorum():
        notrun('quorum support missing')


def skip_if_unsupported(required_formats=(), read_only=False):
    """A decorator of cases: skips unless all these drivers are there."""
    def decorate(func):
        @functools.wraps(func)
        def wrapper(case, *args, **kwargs):
            wanted = required_formats(case) if callable(required_formats) \
                else required_formats
            missing = set(wanted) - set(supported_formats(read_only))
            if missing:
                case.case_skip(f'{case}: formats {sorted(missing)} are not '
                               'supported')
            return func(case, *args, **kwargs)
        return wrapper
    return decorate


def skip_if_user_is_root(func):
    @functools.wraps(func)
    def wrapper(case, *args, **kwargs):
        if os.getuid() == 0:
            case.case_skip(f'{case}: cannot be run as root')
        return func(case, *args, **kwargs)
    return wrapper


# ---- The end of every script ----

class _Report:
    """unittest's report without what differs from run to run."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        text = re.sub(r'Ran (\d+) tests? in [\d.]+s', r'Ran \1 tests', text)
        text = re.sub(r' \(skipped=\d+\)|, skipped=\d+|skipped=\d+, ', '', text)
        self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


class _Result(unittest.TextTestResult):
    def addSkip(self, test, reason):
        # The output must be the same whether or not a case can be run.
        super(unittest.TextTestResult, self).addSkip(test, reason)
        if not self.showAll:
            self.stream.write('.')
            self.stream.flush()


def execute_unittest(argv, debug_output=False):
    runner = unittest.TextTestRunner(
        stream=sys.stderr if debug_output else cast(TextIO,
                                                    _Report(sys.stderr)),
        descriptions=True, verbosity=2 if debug_output else 1,
        resultclass=_Result)
    unittest.main(argv=argv, testRunner=runner, exit=True,
                  warnings=None if sys.warnoptions else 'ignore')


def script_initialize(supported_fmts=(), supported_platforms=(),
                      supported_cache_modes=(), supported_aio_modes=(),
                      unsupported_fmts=(), supported_protocols=(),
                      unsupported_protocols=(), required_fmts=(),
                      unsupported_imgopts=()):
    """Ends the script unless the requirements are met; true if -d."""
    show = '-d' in sys.argv
    if show:
        sys.argv.remove('-d')
    logging.basicConfig(level=logging.DEBUG if show else logging.WARNING)
    for name in ('TEST_DIR', 'QEMU_DEFAULT_MACHINE'):
        if name not in os.environ:
            sys.stderr.write('Please run this test via the "check" script\n')
            sys.exit(os.EX_USAGE)
    _verify_formats(supported_fmts, unsupported_fmts)
    _verify('protocol', imgproto, supported_protocols, unsupported_protocols)
    if any(re.search(o, imgopts) for o in unsupported_imgopts if o):
        notrun(f'not suitable for these options: {imgopts}')
    verify_platform(supported_platforms)
    if supported_cache_modes:
        _verify('cache mode', cachemode, supported_cache_modes, ())
    if supported_aio_modes:
        _verify('aio mode', aiomode, supported_aio_modes, ())
    missing = set(required_fmts) - set(supported_formats() if required_fmts
                                       else ())
    if missing:
        notrun('formats that are not supported: ' +
               ' '.join(sorted(missing)))
    return show


def execute_test(*args, test_function=None, **kwargs):
    show = script_initialize(*args, **kwargs)
    if test_function:
        test_function()
    else:
        execute_unittest(sys.argv, show)


def script_main(test_function, *args, **kwargs):
    """A literal script: what test_function logs is compared."""
    activate_logging()
    execute_test(*args, test_function=test_function, **kwargs)


def main(*args, **kwargs):
    """All cases of the script."""
    execute_test(*args, **kwargs)
