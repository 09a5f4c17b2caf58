# SPDX-License-Identifier: MIT
"""Sizes and times as people write and read them."""
import re

SUFFIXES = ('', 'K', 'M', 'G', 'T', 'P', 'E')
_SIZE = re.compile(r'(\d+(?:\.\d+)?)\s*([KMGTPE]?)(?:i?B)?(?:/s)?$', re.I)
LIMIT = 1 << 63


def parse_size(text: str) -> int:
    """Bytes of "512", "64k", "1.5G", "100MiB", "20M/s"; all suffixes are
    powers of 1024.  ValueError says what is wrong."""
    match = _SIZE.match(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a size, such as 512, 64K or 1.5G")
    number, suffix = match.groups()
    scale: int = 1 << 10 * SUFFIXES.index(suffix.upper())
    whole, _, fraction = number.partition('.')
    digits: int = 10 ** len(fraction)
    bytes_of_all, rest = divmod(int(whole + fraction) * scale, digits)
    if rest:
        raise ValueError(f"'{text}' is not a whole number of bytes")
    if bytes_of_all >= LIMIT:
        raise ValueError(f"'{text}' is too large")
    return bytes_of_all


def format_size(count: int) -> str:
    """At most five characters, three digits where there are so many: 0B,
    1023B, 1.00K, 99.9M, 1023G."""
    if count < 0:
        return '-' + format_size(-count)
    value = float(count)
    for suffix in SUFFIXES:
        if round(value) < 1024 or suffix == SUFFIXES[-1]:
            break
        value /= 1024
    if not suffix:
        return f'{count}B'
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f'{value:.{digits}f}{suffix}'


def format_rate(rate: int) -> str:
    """Of bytes a second."""
    return format_size(rate) + '/s'


def format_time(seconds: int) -> str:
    """0:07, 12:05, 3:00:00, 2d 4h."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f'{days}d {hour}h'
    if hours:
        return f'{hours}:{minute:02}:{second:02}'
    return f'{minute}:{second:02}'
