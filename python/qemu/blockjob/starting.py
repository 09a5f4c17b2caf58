# SPDX-License-Identifier: MIT
"""The commands that start jobs: mirror, backup, commit, stream."""
import argparse
import itertools
from typing import Any, Dict, List, Optional

from .connection import Server
from .outcome import Exit, Usage
from .progress import View
from .target import Disk, Target, find_disk, node_names
from .watching import Job, Watcher

# Options of this command that are arguments of QMP by the same name.
PASSED = {
    'mirror': ('sync', 'speed', 'granularity', 'buf_size', 'copy_mode',
               'replaces', 'bitmap', 'bitmap_mode', 'on_source_error',
               'on_target_error', 'filter_node_name'),
    'backup': ('sync', 'speed', 'bitmap', 'bitmap_mode', 'compress',
               'on_source_error', 'on_target_error', 'filter_node_name'),
    'commit': ('speed', 'base_node', 'top_node', 'backing_file', 'on_error',
               'filter_node_name'),
    'stream': ('speed', 'base_node', 'bottom', 'backing_file', 'on_error',
               'filter_node_name'),
}
QMP_NAMES = {'mirror': 'blockdev-mirror', 'backup': 'blockdev-backup',
             'commit': 'block-commit', 'stream': 'block-stream'}


def free_id(server: Server, kind: str) -> str:
    """mirror0, mirror1, ...: the first that neither a job has nor the node
    of a target that is still there."""
    jobs = {info['id'] for info in server.jobs()}
    nodes = {info['node-name'] for info in
             server.command('query-named-block-nodes', {'flat': True})}
    return next(name for name in (f'{kind}{i}' for i in itertools.count())
                if name not in jobs and nodes.isdisjoint(node_names(name)))


def arguments(args: argparse.Namespace, job_id: str) -> Dict[str, Any]:
    """Those of the QMP command, without the target."""
    result = {'job-id': job_id, 'device': args.node}
    for name in PASSED[args.command]:
        value = getattr(args, name)
        if value is not None:
            result[name.replace('_', '-')] = value
    if args.manual_finalize:
        result['auto-finalize'] = False
    if args.keep:
        result['auto-dismiss'] = False
    return result


def check(args: argparse.Namespace) -> None:
    """What argparse cannot tell."""
    if args.command not in ('mirror', 'backup'):
        return
    if (args.target is None) == (args.target_node is None):
        raise Usage(f'{args.command}: give either FILE or --target-node')
    if args.target_node and (args.reuse or args.overwrite or args.format):
        raise Usage('--format, --reuse and --overwrite are about FILE, not '
                    'about --target-node')
    if args.command == 'mirror' and args.sync == 'none' and args.target:
        raise Usage('mirror --sync none needs --target-node, a node above '
                    'an image that has all other data')


def make_target(server: Server, args: argparse.Namespace,
                target: Target) -> None:
    """Makes or opens the file that a user has named."""
    disk = find_disk(server, args.node)
    fmt = args.format or disk.copy_format
    header, option = backing_of(args, disk)
    if header and fmt == 'raw':
        raise Usage(f"--sync {args.sync} needs a format with backing files, "
                    "not 'raw'")
    if args.reuse:
        target.reuse()
    else:
        target.create(disk, fmt, args.overwrite, header)
    target.open(fmt, option)


def backing_of(args: argparse.Namespace, disk: Disk) -> Any:
    """Below the new image: (options to create, options to open)."""
    if args.sync == 'top' and disk.backing_file:
        return {'backing-file': disk.backing_file,
                'backing-fmt': disk.backing_format}, {}
    if args.sync == 'none':
        return {'backing-file': disk.filename,
                'backing-fmt': disk.format}, {'backing': args.node}
    return {}, {}


class Starter:
    """One run of a command that starts a job."""

    def __init__(self, server: Server, view: View,
                 args: argparse.Namespace) -> None:
        check(args)
        self._server = server
        self._view = view
        self._args = args
        self._job_id = args.job_id or free_id(server, args.command)
        self._target: Optional[Target] = None
        if getattr(args, 'target', None):
            self._target = Target(server, args.target, self._job_id)

    def run(self) -> List[Job]:
        """Starts it and waits, unless it shall be left alone."""
        try:
            self._start()
        except BaseException:
            if self._target:
                self._target.undo()
            raise
        if self._args.detach:
            return [self._detached()]
        jobs = Watcher(self._server, self._view, self._at_ready(),
                       self._args.on_interrupt).watch([self._job_id])
        self._clean_up(jobs[0])
        return jobs

    def _start(self) -> None:
        options = arguments(self._args, self._job_id)
        if self._target:
            make_target(self._server, self._args, self._target)
            options['target'] = self._target.node
        elif getattr(self._args, 'target_node', None):
            options['target'] = self._args.target_node
        self._server.command(QMP_NAMES[self._args.command], options)

    def _detached(self) -> Job:
        job = Job(self._job_id)
        job.settle(Exit.DONE, 'detached')
        return job

    def _at_ready(self) -> str:
        return getattr(self._args, 'at_ready', None) or 'leave'

    def _clean_up(self, job: Job) -> None:
        """The target's nodes stay only if the disk's user has them now, or
        if the job goes on."""
        switched = job.may_have_switched and self._at_ready() != 'stop'
        if self._target and job.over and not switched:
            self._target.remove()


def start(server: Server, view: View, args: argparse.Namespace) -> List[Job]:
    """The commands mirror, backup, commit and stream."""
    return Starter(server, view, args).run()
