#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qemu.blockjob.watching: how jobs end, as a server's messages come."""
import os
import signal
import unittest

from qemu.blockjob.outcome import Exit, Refused
from qemu.blockjob.progress import View
from qemu.blockjob.watching import CANCELLED, Watcher


def info(status='running', job_id='j', **more):
    return {'id': job_id, 'type': 'mirror', 'status': status,
            'current-progress': 1, 'total-progress': 2, **more}


def changed(status, job_id='j'):
    return {'event': 'JOB_STATUS_CHANGE',
            'data': {'id': job_id, 'status': status}}


def over(name, job_id='j', **more):
    return {'event': name, 'data': {'device': job_id, 'type': 'mirror',
                                    'offset': 2, 'len': 2, **more}}


class Script:
    """A server whose answers to query-jobs are given, each with the events
    that come before it.  The last answer stays.  `on_wait` is called when the
    watcher waits."""

    def __init__(self, *answers, on_wait=lambda: None):
        self._answers = list(answers)
        self._events = []
        self._on_wait = on_wait
        self.commands = []

    def jobs(self):
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        *events, jobs = answer
        self._events += events
        return jobs

    def command(self, name, arguments):
        self.commands.append((name, arguments))

    def next_event(self):
        return self._events.pop(0) if self._events else None

    def wait(self, _also, _timeout):
        self._on_wait()


def watch(server, *ids, **more):
    return Watcher(server, View(), **more).watch(ids or ['j'])


class TestEnds(unittest.TestCase):
    def check(self, server, status, error=None, **more):
        job, = watch(server, **more)
        self.assertEqual((job.status, job.error), (status, error))
        return job

    def test_completed(self):
        self.check(Script([[info()]], [over('BLOCK_JOB_COMPLETED'), []]),
                   Exit.DONE)

    def test_failed(self):
        self.check(Script([[info()]], [
            changed('aborting'), over('BLOCK_JOB_COMPLETED', error='no'),
            changed('concluded'), changed('null'), []]), Exit.FAILED, 'no')

    def test_failed_before_the_first_question(self):
        self.check(Script([over('BLOCK_JOB_COMPLETED', error='no'), []]),
                   Exit.FAILED, 'no')

    def test_cancelled(self):
        self.check(Script([over('BLOCK_JOB_CANCELLED'), []]),
                   Exit.CANCELLED)

    def test_concluded_and_kept(self):
        for error, status in ((None, Exit.DONE), ('no', Exit.FAILED),
                              (CANCELLED, Exit.CANCELLED)):
            more = {'error': error} if error else {}
            self.check(Script([[info('concluded', **more)]]), status,
                       error if status == Exit.FAILED else None)

    def test_dismissed_by_somebody(self):
        self.check(Script([[info()]], [changed('null'), []]), Exit.DONE)
        self.check(Script([[info()]], [changed('aborting'), []]),
                   Exit.FAILED, 'the reason is not known')

    def test_never_there(self):
        with self.assertRaisesRegex(Refused, "Job 'j' not found"):
            watch(Script([over('BLOCK_JOB_COMPLETED', 'other'), []]))

    def test_several(self):
        jobs = watch(Script(
            [[info(), info(job_id='k')]],
            [over('BLOCK_JOB_COMPLETED'), [info(job_id='k')]],
            [over('BLOCK_JOB_CANCELLED', 'k'), []]), 'j', 'k')
        self.assertEqual([job.status for job in jobs],
                         [Exit.DONE, Exit.CANCELLED])


class TestReady(unittest.TestCase):
    def test_left(self):
        job, = watch(Script([[info('ready')]]), at_ready='leave')
        self.assertEqual(job.result, 'ready')

    def test_asked_once(self):
        for at_ready, command in (
                ('complete', ('job-complete', {'id': 'j'})),
                ('stop', ('block-job-cancel', {'device': 'j',
                                               'force': False}))):
            server = Script([[info()]], [[info('ready')]], [[info('ready')]],
                            [over('BLOCK_JOB_COMPLETED'), []])
            job, = watch(server, at_ready=at_ready)
            self.assertEqual(server.commands, [command])
            self.assertEqual(job.status, Exit.DONE)

    def test_somebody_else_completes(self):
        server = Script([[info('ready')]], [over('BLOCK_JOB_COMPLETED'), []])
        watch(server)
        self.assertEqual(server.commands, [])

    def test_pending(self):
        job, = watch(Script([[info('pending')]]), at_ready='complete')
        self.assertEqual((job.status, job.result), (Exit.DONE, 'pending'))


class TestInterrupt(unittest.TestCase):
    @staticmethod
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    def test_detach(self):
        server = Script([[info()]], on_wait=self.interrupt)
        job, = watch(server)
        self.assertEqual(job.status, Exit.DETACHED)
        self.assertEqual(server.commands, [])

    def test_cancel_once_then_the_hard_way(self):
        server = Script([[info()]], on_wait=self.interrupt)
        with self.assertRaises(KeyboardInterrupt):
            watch(server, on_interrupt='cancel')
        self.assertEqual(server.commands, [
            ('block-job-cancel', {'device': 'j', 'force': True})])

    def test_signals_are_as_before(self):
        before = signal.getsignal(signal.SIGINT)
        watch(Script([[info('ready')]]), at_ready='leave')
        self.assertIs(signal.getsignal(signal.SIGINT), before)


if __name__ == '__main__':
    unittest.main()
