#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qemu.blockjob.progress: bars, lines, tables, JSON."""
import fcntl
import io
import json
import os
import pty
import struct
import termios
import unittest
from unittest import mock

from qemu.blockjob.jobs import Snapshot
from qemu.blockjob.progress import (JsonView, LineView, TerminalView, View,
                                    bar, choose, line, table)

MIB = 1 << 20


def job(offset=42, **more):
    members = {'id': 'mirror0', 'type': 'mirror', 'status': 'running',
               'phase': 'copy', 'offset': offset * MIB, 'len': 100 * MIB}
    members.update(more)
    return Snapshot(**members)


FULL = {'dirty': 58 * MIB, 'rate': 10 * MIB, 'eta': 6}


class TestBar(unittest.TestCase):
    def test_ends(self):
        self.assertEqual(bar(0, 12), '[>         ]')
        self.assertEqual(bar(50, 12), '[=====>    ]')
        self.assertEqual(bar(99, 12), '[=========>]')
        self.assertEqual(bar(100, 12), '[==========]')

    def test_width(self):
        for width in range(3, 50):
            for percent in range(101):
                self.assertEqual(len(bar(percent, width)), width)


class TestLine(unittest.TestCase):
    def test_all(self):
        self.assertEqual(
            line(job(**FULL), 100),
            'mirror0 copy [===============>                    ]  42%  '
            '42.0M/100M  10.0M/s  ETA 0:06  dirty 58.0M')

    def test_never_wider(self):
        for width in range(1, 200):
            for status in ('running', 'standby'):
                text = line(job(status=status, **FULL), width)
                self.assertLessEqual(len(text), width)

    def test_narrow(self):
        self.assertEqual(line(job(**FULL), 38),
                         'mirror0 copy [==>   ]  42%  42.0M/100M')
        self.assertEqual(line(job(**FULL), 37),
                         'mirror0 copy [=======>         ]  42%')
        self.assertEqual(line(job(**FULL), 20), 'mirror0 copy  42%')
        self.assertEqual(line(job(**FULL), 9), 'mirror0 c')

    def test_what_is_not_known_is_left_out(self):
        self.assertEqual(line(job(), 50),
                         'mirror0 copy [=======>          ]  42%  42.0M/100M')

    def test_the_state_that_matters(self):
        for status, word in (('paused', 'paused'), ('ready', 'ready'),
                             ('running', 'copy'), ('pending', 'pending')):
            with self.subTest(status):
                text = line(job(status=status), 80)
                self.assertTrue(text.startswith(f'mirror0 {word} ['), text)


class TestLineView(unittest.TestCase):
    def test_only_what_is_new(self):
        out = io.StringIO()
        view = LineView(out)
        for offset in (0, 1, 9, 10, 11, 19, 20):
            view.update([job(offset)])
        view.update([job(20, status='paused')])
        view.update([job(20, status='paused')])
        self.assertEqual(out.getvalue().splitlines(), [
            'mirror0 copy    0%  0B/100M',
            'mirror0 copy   10%  10.0M/100M',
            'mirror0 copy   20%  20.0M/100M',
            'mirror0 paused   20%  20.0M/100M'])

    def test_jobs_do_not_hide_each_other(self):
        out = io.StringIO()
        view = LineView(out)
        for _ in range(2):
            view.update([job(5), job(5, id='other')])
        self.assertEqual(len(out.getvalue().splitlines()), 2)


class TestJsonView(unittest.TestCase):
    def test_one_object_a_line(self):
        out = io.StringIO()
        view = JsonView(out)
        view.update([job()])
        view.update([job()])
        view.event({'event': 'X', 'data': {'text': 'a\nb'}})
        view.say('for people')
        view.result({'result': 'done', 'id': 'mirror0'})
        lines = [json.loads(text) for text in out.getvalue().splitlines()]
        self.assertEqual([list(entry)[0] for entry in lines],
                         ['progress', 'event', 'result'])
        self.assertEqual(lines[0]['progress']['offset'], 42 * MIB)


class TestTerminalView(unittest.TestCase):
    """On a pseudo-terminal."""

    def setUp(self):
        self.master, slave = pty.openpty()
        self.out = os.fdopen(slave, 'w')

    def tearDown(self):
        self.out.close()
        os.close(self.master)

    def shown(self):
        """All that was written since; what is written last marks the end."""
        self.out.write('\0')
        self.out.flush()
        text = b''
        while not text.endswith(b'\0'):
            text += os.read(self.master, 65536)
        return text[:-1].decode()

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack('HHHH', rows, columns, 0, 0))

    def test_one_line_is_drawn_again(self):
        self.resize(60)
        view = TerminalView(self.out)
        view.update([job(1)])
        view.update([job(2)])
        view.close()
        first, second = (line(job(i), 59) for i in (1, 2))
        self.assertEqual(self.shown(),
                         f'\033[J{first}\r\033[J{second}\r\n')

    def test_width_of_the_moment(self):
        view = TerminalView(self.out)
        for columns in (100, 40, 70):
            self.resize(columns)
            view.update([job(**FULL)])
            text = self.shown().split('\033[J')[-1]
            self.assertEqual(text, line(job(**FULL), columns - 1))

    def test_unknown_width(self):
        view = TerminalView(self.out)
        self.resize(0, 0)
        view.update([job(**FULL)])
        self.assertTrue(self.shown().endswith(line(job(**FULL), 79)))

    def test_several_jobs(self):
        self.resize(60)
        view = TerminalView(self.out)
        both = [job(1), job(2, id='other')]
        view.update(both)
        self.shown()
        view.update(both)
        self.assertTrue(self.shown().startswith('\033[1A\r\033[J'))

    def test_more_jobs_than_lines(self):
        self.resize(60, 4)
        view = TerminalView(self.out)
        view.update([job(id=f'j{i}') for i in range(10)])
        self.assertEqual(self.shown().count('\n'), 2)

    def test_text_between(self):
        self.resize(60)
        view = TerminalView(self.out)
        view.update([job(1)])
        self.shown()
        view.say('something')
        view.update([job(1)])
        self.assertEqual(self.shown(), '\r\033[Jsomething\r\n\033[J' +
                         line(job(1), 59))


class TestChoose(unittest.TestCase):
    def test_by_output_and_options(self):
        out = io.StringIO()
        self.assertIsInstance(choose(out, True, False), JsonView)
        self.assertIsInstance(choose(out, False, False), LineView)
        self.assertIs(type(choose(out, False, True)), View)

    def test_by_terminal(self):
        out = mock.Mock(isatty=lambda: True)
        for term, view in (('xterm', TerminalView), ('dumb', LineView)):
            with mock.patch.dict(os.environ, TERM=term):
                self.assertIsInstance(choose(out, False, False), view)


class TestTable(unittest.TestCase):
    def test_columns(self):
        self.assertEqual(table([job(**FULL), job(0, id='a')]), [
            'ID       TYPE    STATUS   PHASE  DONE   OF    DIRTY  RATE     LEFT',
            'mirror0  mirror  running  copy   42.0M  100M  58.0M  10.0M/s  0:06',
            'a        mirror  running  copy   0B     100M  -      -        -'])


if __name__ == '__main__':
    unittest.main()
