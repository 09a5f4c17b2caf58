# SPDX-License-Identifier: MIT
"""What tests of encrypted images share: pass phrases, and the other qemu-img
for interchange."""
import os

import iotests

PHRASES = {'one': 'the first one', 'two': 'the second one', 'bad': 'none',
           'three': 'the third one'}
FAST = 'iter-time=1'


def secrets():
    """Options of a tool that make all of them."""
    result = []
    for key, value in PHRASES.items():
        result += ['--object', f'secret,id={key},data={value}']
    return result


def require_encryption():
    """Skip the script where encryption is not built in."""
    path = iotests.file_path('probe.luks')
    res = ours('create', '-f', 'luks', '-o', 'key-secret=one,' + FAST, path,
               '64k', check=False)
    iotests.try_remove(path)
    if res.returncode:
        iotests.notrun(res.stdout.strip().splitlines()[-1])


def ours(*args, check=True):
    """qemu-img with all secrets, and no other options."""
    return iotests.qemu_tool(iotests.qemu_img_prog, args[0], *secrets(),
                             *args[1:], check=check)


def theirs(*args, check=True):
    """The same by somebody else.  It measures the time of the derivation of
    keys so coarsely that it may have to try again."""
    for _ in range(200):
        res = iotests.reference_img(args[0], *secrets(), *args[1:],
                                    check=False)
        if 'accurate CPU usage' not in res.stdout:
            break
    if check and res.returncode:
        raise AssertionError(f'{args}: {res.stdout}')
    return res


def node(path, secret=None, fmt='luks'):
    """A node as --image-opts wants it."""
    text = f'driver={fmt},file.filename={path}'
    if secret:
        key = 'key-secret' if fmt == 'luks' else 'encrypt.key-secret'
        text += f',{key}={secret}'
    return text


def contents(tool, path, secret, fmt='luks'):
    """All of the disk as `tool`, ours or theirs, sees it."""
    raw = path + '.raw'
    try:
        tool('convert', '-O', 'raw', '--image-opts', node(path, secret, fmt),
             raw)
        with open(raw, 'rb') as f:
            return f.read()
    finally:
        if os.path.exists(raw):
            os.remove(raw)


def first_error(res):
    """What a tool that failed said, without its name."""
    assert res.returncode, res.stdout
    line = res.stdout.strip().splitlines()[-1]
    return line.split('qemu-img: ', 1)[-1]
