# SPDX-License-Identifier: MIT
"""The commands for jobs that are there."""
import argparse
from typing import Any, Dict, List

from .connection import Server
from .jobs import Snapshot, snapshot, verb
from .outcome import Refused
from .progress import View, table
from .target import node_names, remove_nodes
from .watching import Job, Watcher

# For a server that has no x-job-explain: what can be told from the state.
STATES = {
    'created': ('not-started', 'the job has not been started'),
    'paused': ('user', 'the job is paused; it waits for "resume"'),
    'standby': ('user', 'the job is paused; it waits for "resume"'),
    'ready': ('complete', 'the job is ready; it waits for "complete"'),
    'waiting': ('transaction',
                'the job waits for the others of its transaction'),
    'pending': ('finalize',
                'the job has done its work; it waits for "finalize"'),
    'concluded': ('dismiss', 'the job has ended; it waits for "dismiss"'),
}


def list_jobs(server: Server, view: View,
              args: argparse.Namespace) -> List[Job]:
    """list"""
    jobs = [snapshot(info) for info in server.jobs()]
    if args.json:
        for job in jobs:
            view.result(job.as_json())
    elif jobs:
        view.say('\n'.join(table(jobs)))
    else:
        view.say('There are no jobs.')
    return []


def watch(server: Server, view: View, args: argparse.Namespace) -> List[Job]:
    """watch [ID...]"""
    ids = args.id or [info['id'] for info in server.jobs()]
    return wait(server, view, args, ids, args.until_ready)


def wait(server: Server, view: View, args: argparse.Namespace,
         ids: List[str], until_ready: bool = False) -> List[Job]:
    """Waits, and tidies up after jobs that were started with --detach."""
    jobs = Watcher(server, view, 'leave' if until_ready else 'wait',
                   args.on_interrupt).watch(ids)
    for job in jobs:
        if job.over and not job.may_have_switched:
            remove_nodes(server, node_names(job.id))
    return jobs


def simple(server: Server, view: View, args: argparse.Namespace) -> List[Job]:
    """pause, resume, dismiss ID"""
    server.job(args.id)     # 7.2 does not say which job there is not
    server.command(*verb('', args.id, args.command))
    view.result({'result': 'accepted', 'id': args.id})
    return []


def ending(server: Server, view: View, args: argparse.Namespace) -> List[Job]:
    """complete, cancel, finalize ID, and what comes of it."""
    what = args.command
    if what == 'cancel':
        what = 'kill' if args.force else 'stop'
    kind = server.job(args.id)['type']
    server.command(*verb(kind, args.id, what))
    if args.wait:
        return wait(server, view, args, [args.id])
    view.result({'result': 'accepted', 'id': args.id})
    return []


def set_speed(server: Server, view: View,
              args: argparse.Namespace) -> List[Job]:
    """set-speed ID RATE"""
    server.command('block-job-set-speed',
                   {'device': args.id, 'speed': args.speed})
    view.result({'result': 'accepted', 'id': args.id})
    return []


def explain(server: Server, view: View,
            args: argparse.Namespace) -> List[Job]:
    """explain ID"""
    try:
        obstacles = server.command('x-job-explain', {'id': args.id})
    except Refused as e:
        if e.error_class != 'CommandNotFound':
            raise
        obstacles = guess(snapshot(server.job(args.id)))
    if args.json:
        view.result({'result': 'explained', 'id': args.id,
                     'obstacles': obstacles})
    else:
        texts = [o['text'] for o in obstacles] or ['nothing holds it up']
        view.say('\n'.join(f'{args.id}: {text}' for text in texts))
    return []


def guess(job: Snapshot) -> List[Dict[str, Any]]:
    """The obstacles that a state means."""
    if job.status not in STATES:
        return []
    reason, text = STATES[job.status]
    return [{'reason': reason, 'text': text}]
