# SPDX-License-Identifier: MIT
"""What is measured.

1. Both sides get the same images: sources are made once, by the programs of
   "theirs", and whatever a run writes to is made anew before it.
2. A run that does not copy what it should is an error: what was written is
   compared with the source, by the programs of "theirs", when the daemon has
   ended and time is not measured any more."""
import dataclasses
import functools
import json
import os
import random
import shutil
import subprocess
import time
from typing import Any, Callable, Dict, List

from programs import MIB, BenchError, Cost, Daemon, Programs

CLUSTER = 64 << 10
SPARSE_SIZE = 4 << 40
SPARSE_CLUSTERS = 256
NULL_SIZE = 64 << 30


@dataclasses.dataclass
class Bench:
    """Where and how all scenarios run."""

    folder: str
    maker: Programs         # makes and compares images
    size: int               # bytes of data of the large disks
    disks: int              # of "many"
    depth: int              # of "chain"
    aio: str
    cached: bool            # no O_DIRECT anywhere

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    @property
    def piece(self) -> int:
        """Bytes of data in each image of "many" and "chain"."""
        return max(self.size // 512 // CLUSTER, 1) * CLUSTER

    # ---- Images ----

    def source(self, fmt: str) -> str:
        """The disk that is copied, full of data."""
        path = self.path('source.' + fmt)
        if not os.path.exists(path):
            if fmt == 'raw':
                write_data(path, self.size, 1)
            else:
                self.maker.img('convert', '-f', 'raw', '-O', fmt,
                               self.source('raw'), path)
            settle(path)
        return path

    def new(self, name: str, fmt: str, size: int, *options: str) -> str:
        """An empty image."""
        path = self.path(name)
        if os.path.exists(path):
            os.unlink(path)
        self.maker.img('create', '-q', '-f', fmt, *options, path, str(size))
        return path

    def overlay(self, name: str, below: str) -> str:
        path = self.path(name)
        self.maker.img('create', '-q', '-f', 'qcow2', '-b', below, '-F',
                       'qcow2', path)
        return path

    def same(self, one: str, one_format: str, other: str,
             other_format: str) -> None:
        self.maker.img('compare', '-q', '-f', one_format, '-F',
                       other_format, one, other)

    # ---- Nodes ----

    def add(self, daemon: Daemon, node: str, fmt: str, path: str,
            cached: bool = False, **more: Any) -> None:
        direct = not (cached or self.cached)
        cache = {'cache': {'direct': True}} if direct else {}
        aio = {'aio': self.aio} if direct else {}
        daemon.command('blockdev-add', driver=fmt, node_name=node,
                       file={'driver': 'file', 'filename': path, **cache,
                             **aio}, **cache, **more)


def write_data(path: str, size: int, seed: int) -> None:
    """Data that no two places of a disk share."""
    block = random.Random(seed).randbytes(min(size, MIB))
    with open(path, 'wb') as f:
        for offset in range(0, size, len(block)):
            f.write(offset.to_bytes(8, 'big') + block[8:])
        f.truncate(size)


def settle(*paths: str) -> None:
    """What was written before a run does not disturb it."""
    for path in paths:
        with open(path, 'rb') as f:
            os.fsync(f.fileno())


def remove(*paths: str) -> None:
    for path in paths:
        os.unlink(path)


# ---- Jobs ----

def start(daemon: Daemon, command: str, job_id: str, **options: Any) -> None:
    daemon.command(command, job_id=job_id, auto_dismiss=False, **options)


def finish(daemon: Daemon, job_id: str) -> None:
    daemon.wait_event('JOB_STATUS_CHANGE', id=job_id, status='concluded')
    for job in daemon.command('query-jobs'):
        if job['id'] == job_id and 'error' in job:
            raise BenchError(f"{job_id} failed: {job['error']}")
    daemon.command('job-dismiss', id=job_id)


def run_job(daemon: Daemon, command: str, completes: bool = False,
            **options: Any) -> Cost:
    """From the command to the end; `completes`: it gets ready before."""
    def work() -> None:
        start(daemon, command, 'job', **options)
        if completes:
            daemon.wait_event('BLOCK_JOB_READY', device='job')
            daemon.command('job-complete', id='job')
        finish(daemon, 'job')

    return daemon.measure(work)


# ---- Scenarios: what one run does and costs ----

def copy(bench: Bench, side: Programs, command: str, source_format: str,
         fmt: str, cached: bool = False) -> Cost:
    """Mirror or backup of a disk that is full."""
    source = bench.source(source_format)
    target = bench.new('target', fmt, bench.size)
    with Daemon(side) as daemon:
        bench.add(daemon, 's', source_format, source, cached)
        bench.add(daemon, 't', fmt, target, cached)
        cost = run_job(daemon, command, command == 'blockdev-mirror',
                       device='s', target='t', sync='full')
    bench.same(source, source_format, target, fmt)
    remove(target)
    return cost


def sparse_image(bench: Bench) -> Dict[int, int]:
    """Where there is what in the image of mirror_sparse()."""
    return {i * (SPARSE_SIZE // SPARSE_CLUSTERS): i % 255 + 1
            for i in range(SPARSE_CLUSTERS)}


def exercise(bench: Bench, what: str, path: str,
             image: Dict[int, int]) -> None:
    """Writes or reads and compares clusters of one pattern each."""
    commands: List[str] = []
    for offset, pattern in image.items():
        commands += ['-c', f'{what} -q -P {pattern} {offset} {CLUSTER}']
    bench.maker.run('qemu-io', '-f', 'qcow2', *commands, path)


def mirror_sparse(bench: Bench, side: Programs) -> Cost:
    """Little data in a large disk: none but these may be copied."""
    source, image = bench.path('sparse.qcow2'), sparse_image(bench)
    if not os.path.exists(source):
        bench.new('sparse.qcow2', 'qcow2', SPARSE_SIZE)
        exercise(bench, 'write', source, image)
        settle(source)
    target = bench.new('target', 'qcow2', SPARSE_SIZE)
    with Daemon(side) as daemon:
        bench.add(daemon, 's', 'qcow2', source)
        bench.add(daemon, 't', 'qcow2', target)
        cost = run_job(daemon, 'blockdev-mirror', True, device='s',
                       target='t', sync='full')
    exercise(bench, 'read', target, image)
    if allocated(bench, target) != SPARSE_CLUSTERS:
        raise BenchError('more was copied than there is')
    remove(target)
    return cost


def allocated(bench: Bench, path: str) -> int:
    """Clusters with data."""
    report = subprocess.run(
        [bench.maker.path('qemu-img'), 'check', '--output=json', path],
        check=True, stdout=subprocess.PIPE).stdout
    return int(json.loads(report)['allocated-clusters'])


def mirror_null(_bench: Bench, side: Programs) -> Cost:
    """What the job itself costs, where I/O costs nothing."""
    with Daemon(side) as daemon:
        for node in 'st':
            daemon.command('blockdev-add', driver='null-co', node_name=node,
                           size=NULL_SIZE, read_zeroes=False)
        return run_job(daemon, 'blockdev-mirror', True, device='s',
                       target='t', sync='full')


def mirror_many(bench: Bench, side: Programs) -> Cost:
    """Small disks, all at once."""
    pairs = [(many_source(bench, i),
              bench.new(f'target{i}', 'qcow2', bench.piece * 4))
             for i in range(bench.disks)]
    settle(*(path for pair in pairs for path in pair))

    def work() -> None:
        for i in range(bench.disks):
            start(daemon, 'blockdev-mirror', f'job{i}', device=f's{i}',
                  target=f't{i}', sync='full')
        ready = set()
        while len(ready) < bench.disks:
            job = daemon.wait_event('BLOCK_JOB_READY')['device']
            ready.add(job)
            daemon.command('job-complete', id=job)
        for i in range(bench.disks):
            finish(daemon, f'job{i}')

    with Daemon(side) as daemon:
        for i, (source, target) in enumerate(pairs):
            bench.add(daemon, f's{i}', 'qcow2', source)
            bench.add(daemon, f't{i}', 'qcow2', target)
        cost = daemon.measure(work)
    for source, target in pairs:
        bench.same(source, 'qcow2', target, 'qcow2')
        remove(target)
    return cost


def many_source(bench: Bench, number: int) -> str:
    """A quarter of it is data."""
    path = bench.path(f'source{number}.qcow2')
    if not os.path.exists(path):
        raw = bench.path('raw')
        write_data(raw, bench.piece, number)
        os.truncate(raw, bench.piece * 4)
        bench.maker.img('convert', '-f', 'raw', '-O', 'qcow2', raw, path)
        remove(raw)
    return path


def stream(bench: Bench, side: Programs) -> Cost:
    return stream_from(bench, side, bench.source('qcow2'))


def stream_from(bench: Bench, side: Programs, below: str) -> Cost:
    """All of a chain into an overlay."""
    top = bench.overlay('target', below)
    with Daemon(side) as daemon:
        bench.add(daemon, 'top', 'qcow2', top)
        cost = run_job(daemon, 'block-stream', device='top')
    # By itself: the comparison must not see what is below.
    bench.maker.img('rebase', '-u', '-f', 'qcow2', '-b', '', top)
    bench.same(below, 'qcow2', top, 'qcow2')
    remove(top)
    return cost


def stream_chain(bench: Bench, side: Programs) -> Cost:
    """Some data in each of many images."""
    below = ''
    for i in range(bench.depth):
        path = bench.path(f'chain{i}.qcow2')
        if not os.path.exists(path):
            if below:
                bench.overlay(f'chain{i}.qcow2', below)
            else:
                bench.new(f'chain{i}.qcow2', 'qcow2',
                          bench.piece * bench.depth * 2)
            # Half of it covers what the image below has.
            bench.maker.run('qemu-io', '-f', 'qcow2', '-c',
                            f'write -q -P {i % 255 + 1} '
                            f'{i * bench.piece // 2} {bench.piece}', path)
            settle(path)
        below = path
    return stream_from(bench, side, below)


def commit(bench: Bench, side: Programs, active: bool) -> Cost:
    """An overlay that is full into an empty image."""
    base = bench.new('base', 'qcow2', bench.size)
    full = bench.path('full')
    shutil.copyfile(bench.source('qcow2'), full)
    bench.maker.img('rebase', '-u', '-f', 'qcow2', '-b', base, '-F', 'qcow2',
                    full)
    top = bench.overlay('top', full)
    settle(base, full, top)
    with Daemon(side) as daemon:
        bench.add(daemon, 'base', 'qcow2', base)
        bench.add(daemon, 'full', 'qcow2', full, backing='base')
        if active:
            cost = run_job(daemon, 'block-commit', True, device='full',
                           base_node='base')
        else:
            bench.add(daemon, 'top', 'qcow2', top, backing='full')
            cost = run_job(daemon, 'block-commit', device='top',
                           top_node='full', base_node='base')
    bench.same(bench.source('qcow2'), 'qcow2', base, 'qcow2')
    remove(top, full, base)
    return cost


def start_up(_bench: Bench, side: Programs) -> Cost:
    """From the start of the process until QMP has been agreed upon."""
    with Daemon(side) as daemon:
        return Cost(time.monotonic() - daemon.started, daemon.cpu(),
                    daemon.peak_memory())


MIRROR, BACKUP = 'blockdev-mirror', 'blockdev-backup'

SCENARIOS: Dict[str, Callable[[Bench, Programs], Cost]] = {
    'mirror raw': functools.partial(
        copy, command=MIRROR, source_format='raw', fmt='raw'),
    'mirror raw cached': functools.partial(
        copy, command=MIRROR, source_format='raw', fmt='raw', cached=True),
    'mirror qcow2': functools.partial(
        copy, command=MIRROR, source_format='qcow2', fmt='qcow2'),
    'mirror raw to qcow2': functools.partial(
        copy, command=MIRROR, source_format='raw', fmt='qcow2'),
    'mirror sparse 4T': mirror_sparse,
    'mirror null-co 64G': mirror_null,
    'mirror many': mirror_many,
    'backup raw': functools.partial(
        copy, command=BACKUP, source_format='raw', fmt='raw'),
    'backup qcow2': functools.partial(
        copy, command=BACKUP, source_format='qcow2', fmt='qcow2'),
    'stream qcow2': stream,
    'stream chain': stream_chain,
    'commit qcow2': functools.partial(commit, active=False),
    'commit active qcow2': functools.partial(commit, active=True),
    'start-up': start_up,
}
