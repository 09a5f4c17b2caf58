#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""qemu.blockjob.units: sizes and times."""
import unittest

from qemu.blockjob.units import (format_rate, format_size, format_time,
                                 parse_size)

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class TestParseSize(unittest.TestCase):
    def test_suffixes(self):
        for text, size in (('0', 0), ('512', 512), ('64k', 64 * KIB),
                           ('64K', 64 * KIB), ('1.5G', 3 * GIB // 2),
                           ('100MiB', 100 * MIB), ('100MB', 100 * MIB),
                           ('20M/s', 20 * MIB), (' 7 T ', 7 * KIB * GIB),
                           ('1P', 1 << 50), ('7E', 7 << 60), ('3B', 3)):
            with self.subTest(text):
                self.assertEqual(parse_size(text), size)

    def test_fractions_are_exact(self):
        self.assertEqual(parse_size('0.5K'), 512)
        with self.assertRaisesRegex(ValueError, 'whole number'):
            parse_size('0.1K')
        # Too many digits for a float.
        self.assertEqual(parse_size('9007199254740993'), 9007199254740993)

    def test_bad(self):
        for text in ('', 'K', '-1', '1X', '1KK', '1..5K', 'ten', '0x10',
                     '1e3', '.5G'):
            with self.subTest(text):
                with self.assertRaisesRegex(ValueError, 'is not a size'):
                    parse_size(text)

    def test_too_large(self):
        self.assertEqual(parse_size('9223372036854775807'), (1 << 63) - 1)
        for text in ('9223372036854775808', '8E', '99999P'):
            with self.subTest(text):
                with self.assertRaisesRegex(ValueError, 'too large'):
                    parse_size(text)


class TestFormat(unittest.TestCase):
    def test_size(self):
        for size, text in ((0, '0B'), (1023, '1023B'), (1024, '1.00K'),
                           (1536, '1.50K'), (10 * KIB, '10.0K'),
                           (100 * KIB, '100K'), (1023 * KIB, '1023K'),
                           (MIB - 1, '1.00M'), (MIB, '1.00M'),
                           (10 * MIB - 1, '10.0M'), (100 * MIB - 1, '100M'),
                           (4 << 60, '4.00E'), (-2048, '-2.00K')):
            with self.subTest(size):
                self.assertEqual(format_size(size), text)

    def test_size_is_short(self):
        size = 1
        while size < 1 << 63:
            for near in (size - 1, size, size + 1):
                self.assertLessEqual(len(format_size(near)), 5)
            size *= 2

    def test_rate(self):
        self.assertEqual(format_rate(98 * MIB + MIB // 3), '98.3M/s')

    def test_time(self):
        for seconds, text in ((0, '0:00'), (7, '0:07'), (725, '12:05'),
                              (3600, '1:00:00'), (10 * 3600 + 61, '10:01:01'),
                              (86399, '23:59:59'), (86400, '1d 0h'),
                              (187200, '2d 4h')):
            with self.subTest(seconds):
                self.assertEqual(format_time(seconds), text)


if __name__ == '__main__':
    unittest.main()
