# SPDX-License-Identifier: MIT
"""Replace what differs from run to run, so that output can be compared.

A filter of text takes and returns a string.  Those named filter_qmp... take
any value that JSON can express; on_values() makes one from a text filter."""
import os
import re

TEST_DIR = os.environ.get('TEST_DIR', '')
SOCK_DIR = os.environ.get('SOCK_DIR', '')
IMGFMT = os.environ.get('IMGFMT', 'raw')


def on_values(value, text_filter):
    """`value` with text_filter applied to every string in it."""
    if isinstance(value, str):
        return text_filter(value)
    if isinstance(value, list):
        return [on_values(v, text_filter) for v in value]
    if isinstance(value, dict):
        return {k: on_values(v, text_filter) for k, v in value.items()}
    return value


def filter_qmp(msg, text_filter):
    """The same under its older signature: text_filter(key, value)."""
    def walk(key, value):
        if isinstance(value, (list, dict)):
            return filter_qmp(value, text_filter)
        return text_filter(key, value)

    if isinstance(msg, list):
        return [walk(None, v) for v in msg]
    if isinstance(msg, dict):
        return {k: walk(k, v) for k, v in msg.items()}
    return text_filter(None, msg)


def filter_test_dir(text):
    return text.replace(TEST_DIR, 'TEST_DIR') if TEST_DIR else text


def filter_sock_dir(text):
    return text.replace(SOCK_DIR, 'SOCK_DIR') if SOCK_DIR else text


def filter_pid(text):
    return re.sub(rf'\b{os.getpid()}-', 'PID-', text)


def filter_testfiles(text):
    """Paths below the scratch folders, and the number in file names."""
    return filter_pid(filter_sock_dir(filter_test_dir(text)))


def filter_win32(text):
    return text.replace('\r', '')


def filter_qemu_io(text):
    text = filter_win32(text)
    text = re.sub(r'\d+ ops; \d+:\d\d:\d\d\.\d+ \([^)]*\)',
                  'X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)', text)
    return re.sub(
        r'(\d+) ops; [\d.]+ sec \([^)]*\)',
        'X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)', text)


def filter_chown(text):
    return re.sub(r'chown \d+:\d+', 'chown UID:GID', text)


def filter_qmp_event(event):
    """An event whose time does not matter."""
    event = dict(event)
    if 'timestamp' in event:
        event['timestamp'] = {'seconds': 'SECS', 'microseconds': 'USECS'}
    return event


def filter_generated_node_ids(text):
    return re.sub(r'#block\d+', 'NODE_NAME', text)


def filter_qmp_generated_node_ids(msg):
    return on_values(msg, filter_generated_node_ids)


def filter_qmp_testfiles(msg):
    return on_values(msg, filter_testfiles)


def filter_virtio_scsi(text):
    return re.sub(r'(virtio-scsi)-(ccw|pci)', r'\1', text)


def filter_qmp_virtio_scsi(msg):
    return on_values(msg, filter_virtio_scsi)


def filter_imgfmt(text):
    return text.replace(IMGFMT, 'IMGFMT')


def filter_qmp_imgfmt(msg):
    return on_values(msg, filter_imgfmt)


def filter_nbd_exports(text):
    return re.sub(r'((min|opt|max) block): [0-9]+', r'\1: XXX', text)


# Lines of "qemu-img info" that say nothing about the image's content.
VOLATILE = ('disk size:', 'actual-size:', 'Child node')
MASKED = ((re.compile(r'iters: \d+'), 'iters: XXX'),
          (re.compile(r'uuid: [-a-f0-9]+'),
           'uuid: XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX'),
          (re.compile(r'cid: [0-9]+'), 'cid: XXXXXXXXXX'))


def filter_img_info(output, filename, drop_child_info=True):
    lines = []
    for line in output.splitlines():
        if any(word in line for word in VOLATILE[:2]):
            continue
        if drop_child_info and VOLATILE[2] in line:
            break
        line = line.replace(filename, 'TEST_IMG')
        line = filter_testfiles(line).replace(IMGFMT, 'IMGFMT')
        for pattern, text in MASKED:
            line = pattern.sub(text, line)
        lines.append(line)
    return '\n'.join(lines)
