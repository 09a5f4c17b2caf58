#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qemu.blockjob.jobs: what is known of a job, and estimates."""
import unittest

from qemu.blockjob.jobs import Meter, snapshot, verb


def info(**more):
    """As query-jobs of QEMU 7.2 says it."""
    return {'id': 'j', 'type': 'mirror', 'status': 'running',
            'current-progress': 0, 'total-progress': 1000, **more}


class Clock:
    """Time that passes when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class TestMeter(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.meter = Meter(self.clock)

    def after(self, seconds, offset):
        self.clock.now += seconds
        return self.meter.rate(offset)

    def test_one_moment_says_nothing(self):
        self.assertIsNone(self.after(0, 500))
        self.assertIsNone(self.after(0, 600))

    def test_steady(self):
        self.after(0, 0)
        for i in range(1, 30):
            self.assertEqual(self.after(1, 100 * i), 100)

    def test_only_the_last_seconds_count(self):
        self.after(0, 0)
        self.after(1, 1000000)
        for _ in range(5):
            rate = self.after(1, 1000000)
        self.assertEqual(rate, 0)

    def test_a_gap_is_averaged(self):
        self.after(0, 0)
        self.assertEqual(self.after(100, 1000), 10)

    def test_it_starts_anew(self):
        self.after(0, 1000)
        self.after(1, 2000)
        self.assertIsNone(self.after(1, 0))
        self.assertEqual(self.after(1, 50), 50)


class TestSnapshot(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.meter = Meter(self.clock)

    def test_the_server_is_believed(self):
        job = snapshot(info(**{'phase': 'sync', 'dirty-bytes': 7, 'rate': 5,
                               'eta': 2}), self.meter)
        self.assertEqual((job.phase, job.dirty, job.rate, job.eta),
                         ('sync', 7, 5, 2))

    def test_what_it_leaves_out_is_not_made_up(self):
        snapshot(info(phase='copy', rate=5), self.meter)
        self.clock.now += 1
        job = snapshot(info(**{'phase': 'copy', 'rate': 5,
                               'current-progress': 100}), self.meter)
        self.assertEqual((job.rate, job.eta, job.dirty), (5, None, None))

    def test_estimate(self):
        job = snapshot(info(), self.meter)
        self.assertEqual((job.phase, job.rate, job.eta),
                         ('copy', None, None))
        self.clock.now += 2
        job = snapshot(info(**{'current-progress': 100}), self.meter)
        self.assertEqual((job.rate, job.eta), (50, 18))

    def test_no_time_left_where_it_stands_still(self):
        snapshot(info(), self.meter)
        self.clock.now += 1
        job = snapshot(info(status='paused', **{'current-progress': 100}),
                       self.meter)
        self.assertEqual((job.rate, job.eta), (100, None))

    def test_phases_of_states(self):
        for status, phase in (('created', 'created'), ('running', 'copy'),
                              ('ready', 'sync'), ('standby', 'sync'),
                              ('pending', 'finish'), ('concluded', 'over')):
            with self.subTest(status):
                self.assertEqual(snapshot(info(status=status)).phase, phase)

    def test_percent(self):
        for offset, length, status, percent in (
                (0, 1000, 'running', 0), (999, 1000, 'running', 99),
                (1000, 1000, 'ready', 100), (1001, 1000, 'ready', 100),
                (0, 0, 'running', 0), (0, 0, 'ready', 100)):
            with self.subTest((offset, length, status)):
                job = snapshot(info(status=status, **{
                    'current-progress': offset, 'total-progress': length}))
                self.assertEqual(job.percent, percent)

    def test_json_has_what_is_known(self):
        self.assertEqual(snapshot(info()).as_json(), {
            'id': 'j', 'type': 'mirror', 'status': 'running',
            'phase': 'copy', 'offset': 0, 'len': 1000})


class TestVerb(unittest.TestCase):
    def test_block_jobs_and_others(self):
        for kind, what, command in (
                ('mirror', 'stop', ('block-job-cancel',
                                    {'device': 'j', 'force': False})),
                ('mirror', 'kill', ('block-job-cancel',
                                    {'device': 'j', 'force': True})),
                ('create', 'kill', ('job-cancel', {'id': 'j'})),
                ('mirror', 'complete', ('job-complete', {'id': 'j'}))):
            with self.subTest((kind, what)):
                self.assertEqual(verb(kind, 'j', what), command)


if __name__ == '__main__':
    unittest.main()
