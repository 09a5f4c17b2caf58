# SPDX-License-Identifier: MIT
"""Arguments and main().  The manual is docs/tools/blockjob.rst."""
import argparse
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import starting, verbs
from .connection import Server
from .outcome import Exit, ToolError, Usage
from .progress import View, choose
from .units import parse_size
from .watching import Job

SOCKET = 'BLOCKJOB_SOCKET'
SYNCS = ('full', 'top', 'none', 'incremental', 'bitmap')
ERRORS = ('report', 'ignore', 'stop', 'enospc', 'auto')
Command = Callable[[Server, View, argparse.Namespace], List[Job]]

EPILOG = f'''\
Sizes take the suffixes K, M, G, T, P and E, powers of 1024: 64K, 1.5G.

exit status:
  0  done, or the job is ready, or the server has accepted the command
  1  a job has failed
  2  the command line makes no sense
  3  no connection to the server
  4  a job was cancelled
  5  the server refused a command
  6  interrupted; the jobs go on

environment:
  {SOCKET}  the server, where there is no -s

"blockjob COMMAND --help" tells more about a command.
'''


def size(text: str) -> int:
    """For argparse."""
    try:
        return parse_size(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def global_options() -> argparse.ArgumentParser:
    """Those that stand before a command or behind it: what stands behind it
    does not undo what stands before."""
    parser = argparse.ArgumentParser(add_help=False,
                                     argument_default=argparse.SUPPRESS)
    parser.add_argument('-s', '--socket', metavar='SOCKET|HOST:PORT',
                        help='QMP socket of the server')
    parser.add_argument('--json', action='store_true',
                        help='print one JSON object a line')
    parser.add_argument('-q', '--quiet', action='store_true',
                        help='print errors only')
    return parser


def interrupt_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--on-interrupt', choices=('detach', 'cancel'),
                        default='detach',
                        help='what Ctrl-C does: leave the jobs alone, or '
                        'cancel them (default: %(default)s)')


def job_options(parser: argparse.ArgumentParser) -> None:
    """Those that all commands have that start a job."""
    parser.add_argument('node', metavar='NODE',
                        help='the disk: a node or a device')
    parser.add_argument('--job-id', metavar='ID',
                        help='name of the job (default: the first free one '
                        'of mirror0, mirror1, ...)')
    parser.add_argument('--speed', type=size, metavar='SIZE',
                        help='at most that much a second')
    parser.add_argument('--filter-node-name', metavar='NAME',
                        help='name of the node that the job puts above the '
                        'disk')
    parser.add_argument('--manual-finalize', action='store_true',
                        help='the last step waits for "finalize"')
    parser.add_argument('--keep', action='store_true',
                        help='the job stays until "dismiss" when it has '
                        'ended')
    parser.add_argument('--detach', action='store_true',
                        help='do not wait')
    interrupt_option(parser)


def error_options(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(f'--{name}', choices=ERRORS,
                            help='what to do on an I/O error')


def ready_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--complete', dest='at_ready', action='store_const',
                       const='complete',
                       help='when all is copied, switch over')
    group.add_argument('--stop', dest='at_ready', action='store_const',
                       const='stop',
                       help='when all is copied, end without switching over')


def target_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('target', nargs='?', metavar='FILE',
                        help='the image to make and to write to')
    parser.add_argument('--target-node', metavar='NODE',
                        help='write to this node instead of FILE')
    parser.add_argument('--format', metavar='FORMAT',
                        help='of FILE (default: raw for raw disks, else '
                        'qcow2)')
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--reuse', action='store_true',
                       help='FILE is an image that is there')
    group.add_argument('--overwrite', action='store_true',
                       help='FILE may be there, and is replaced')
    parser.add_argument('--sync', choices=SYNCS, default='full',
                        help='what to copy (default: %(default)s)')
    error_options(parser, 'on-source-error', 'on-target-error')


def bitmap_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--bitmap', metavar='NAME',
                        help='says what has changed')
    parser.add_argument('--bitmap-mode',
                        choices=('on-success', 'never', 'always'),
                        help='when the bitmap is cleared')


def mirror_parser(parser: argparse.ArgumentParser) -> None:
    target_options(parser)
    bitmap_options(parser)
    parser.add_argument('--granularity', type=size, metavar='SIZE',
                        help='unit in which changes are noted')
    parser.add_argument('--buf-size', type=size, metavar='SIZE',
                        help='at most that much in flight')
    parser.add_argument('--copy-mode',
                        choices=('background', 'write-blocking'),
                        help='whether writes wait for the copy')
    parser.add_argument('--replaces', metavar='NODE',
                        help='the node whose users switch over')
    ready_options(parser)


def backup_parser(parser: argparse.ArgumentParser) -> None:
    target_options(parser)
    bitmap_options(parser)
    parser.add_argument('--compress', action='store_true', default=None,
                        help='compress the copy')


def commit_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--top-node', metavar='NODE',
                        help='the overlay to commit (default: the disk)')
    parser.add_argument('--base-node', metavar='NODE',
                        help='the image to commit to (default: the lowest)')
    parser.add_argument('--backing-file', metavar='NAME',
                        help='written into the overlay of the top node')
    error_options(parser, 'on-error')
    ready_options(parser)


def stream_parser(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--base-node', metavar='NODE',
                       help='the image to stay below (default: none)')
    group.add_argument('--bottom', metavar='NODE',
                       help='the last image to copy from')
    parser.add_argument('--backing-file', metavar='NAME',
                        help='written into the disk')
    error_options(parser, 'on-error')


def id_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('id', metavar='ID', help='the job')


def ending_parser(parser: argparse.ArgumentParser) -> None:
    id_parser(parser)
    parser.add_argument('--wait', action='store_true',
                        help='until the job has ended')
    interrupt_option(parser)


def cancel_parser(parser: argparse.ArgumentParser) -> None:
    ending_parser(parser)
    parser.add_argument('--force', action='store_true',
                        help='at once; without it, a mirror that is ready '
                        'ends with a copy of that moment')


def watch_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('id', nargs='*', metavar='ID',
                        help='the jobs (default: all)')
    parser.add_argument('--until-ready', action='store_true',
                        help='until the jobs are ready')
    interrupt_option(parser)


def speed_parser(parser: argparse.ArgumentParser) -> None:
    id_parser(parser)
    parser.add_argument('speed', type=size, metavar='SIZE',
                        help='at most that much a second; 0: no limit')


def no_more(_parser: argparse.ArgumentParser) -> None:
    pass


# Name: (what --help says, what adds the arguments, what does it)
COMMANDS: Dict[str, Any] = {
    'mirror': ('copy a disk in use, and keep the copy up to date',
               mirror_parser, starting.start),
    'backup': ('copy a disk in use as it is now', backup_parser,
               starting.start),
    'commit': ('copy an overlay into the image below it', commit_parser,
               starting.start),
    'stream': ('copy into a disk what it has from images below it',
               stream_parser, starting.start),
    'list': ('show all jobs', no_more, verbs.list_jobs),
    'watch': ('show jobs at work until they end', watch_parser, verbs.watch),
    'pause': ('pause a job', id_parser, verbs.simple),
    'resume': ('let a paused job go on', id_parser, verbs.simple),
    'cancel': ('end a job', cancel_parser, verbs.ending),
    'complete': ('let a ready job switch over', ending_parser, verbs.ending),
    'finalize': ('let a job do its last step', ending_parser, verbs.ending),
    'dismiss': ('remove a job that has ended', id_parser, verbs.simple),
    'set-speed': ('limit how fast a job is', speed_parser, verbs.set_speed),
    'explain': ('say what a job waits for', id_parser, verbs.explain),
}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='blockjob', allow_abbrev=False, parents=[global_options()],
        description='Block jobs of a running emulator or storage daemon.',
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(socket=os.environ.get(SOCKET), json=False,
                        quiet=False)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND',
                                     required=True)
    for name, (text, add_arguments, _) in COMMANDS.items():
        sub = commands.add_parser(
            name, help=text, allow_abbrev=False, parents=[global_options()],
            description=text[0].upper() + text[1:] + '.')
        if name in starting.QMP_NAMES:
            job_options(sub)
        add_arguments(sub)
    return parser


def complain(text: str) -> None:
    print(f'blockjob: {text}', file=sys.stderr)


def report(view: View, jobs: Sequence[Job]) -> Exit:
    """Says how the jobs have ended; the worst of them counts."""
    view.close()
    for job in jobs:
        view.result(job.as_json())
        if job.result in ('failed', 'cancelled'):
            complain(str(job))
        else:
            view.say(str(job))
    statuses = {job.status for job in jobs}
    for status in (Exit.FAILED, Exit.CANCELLED, Exit.DETACHED):
        if status in statuses:
            return status
    return Exit.DONE


def run(args: argparse.Namespace, view: View) -> Exit:
    if args.socket is None:
        raise Usage(f'give the server with -s or in {SOCKET}')
    command: Command = COMMANDS[args.command][2]
    with Server(args.socket) as server:
        return report(view, command(server, view, args))


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    args = make_parser().parse_args(argv)
    view = choose(sys.stdout, args.json, args.quiet)
    try:
        return run(args, view)
    except ToolError as e:
        view.close()
        view.result({'result': 'error', 'error': str(e)})
        complain(str(e))
        return e.status
    except BrokenPipeError:
        # Nobody reads; keep Python from complaining about it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DETACHED
    except KeyboardInterrupt:
        view.close()
        complain('interrupted')
        return Exit.DETACHED
