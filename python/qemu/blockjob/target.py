# SPDX-License-Identifier: MIT
"""The image that a job writes to.

1. A file that is there is never overwritten unless the user says so; whether
   it is there, the server is asked.
2. If the job cannot be started, the nodes that were added are removed, and a
   file that was made is deleted, where it can be seen from here."""
import contextlib
import os
from typing import Any, Dict, Iterable, List, Optional

from .connection import Server
from .outcome import Refused

# Drivers whose disks are the bytes of a file.
PLAIN = ('raw', 'file', 'host_device')
ABSENT = os.strerror(2)


class Disk:
    """What is known of the node whose data are copied."""

    def __init__(self, info: Dict[str, Any]) -> None:
        image = info['image']
        self.size: int = image['virtual-size']
        self.filename: str = image['filename']
        self.format: str = info['drv']
        # What a copy is made as, unless the user wants something else.
        self.copy_format = 'raw' if self.format in PLAIN else 'qcow2'
        backing = image.get('backing-image')
        self.backing_file = backing and backing['filename']
        self.backing_format = backing and backing['format']


def find_disk(server: Server, name: str) -> Disk:
    """By the name of a node or of a device."""
    for info in server.command('query-named-block-nodes'):
        if info['node-name'] == name:
            return Disk(info)
    for device in server.command('query-block'):
        if device['device'] == name and 'inserted' in device:
            return Disk(device['inserted'])
    raise Refused(f"There is no node or device '{name}'")


def node_names(job_id: str) -> List[str]:
    """Of the nodes for a job's target: format and file."""
    return [f'{job_id}-target', f'{job_id}-target-file']


def remove_nodes(server: Server, names: Iterable[str]) -> List[str]:
    """In that order; the rest, from the first on that is in use."""
    rest = list(names)
    with contextlib.suppress(Refused):
        while rest:
            server.command('blockdev-del', {'node-name': rest[0]})
            rest.pop(0)
    return rest


class Target:
    """A file on the server's side that becomes a node."""

    def __init__(self, server: Server, path: str, job_id: str) -> None:
        self._server = server
        self._path = os.path.abspath(path) if server.local else path
        self._job_id = job_id
        self._nodes: List[str] = []     # that are there, the upper one first
        self._created = False
        self.node, self._file = node_names(job_id)

    def create(self, disk: Disk, fmt: str, overwrite: bool,
               backing: Optional[Dict[str, str]]) -> None:
        """A new image as large as the disk.  `backing`: members of the
        options of blockdev-create."""
        if not overwrite:
            self._must_not_exist()
            self._created = self._server.local and \
                not os.path.lexists(self._path)
        self._run({'driver': 'file', 'filename': self._path,
                   'size': disk.size if fmt == 'raw' else 0})
        self._add_file()
        if fmt != 'raw':
            self._run({'driver': fmt, 'file': self._file, 'size': disk.size,
                       **(backing or {})})

    def reuse(self) -> None:
        """An image that is there."""
        self._add_file()

    def open(self, fmt: str, backing: Dict[str, Any]) -> None:
        """The node for the job.  `backing`: a member of the options of
        blockdev-add, or nothing."""
        self._add({'driver': fmt, 'node-name': self.node,
                   'file': self._file, **backing})

    def remove(self) -> None:
        """The nodes, as far as nobody uses them."""
        self._nodes = remove_nodes(self._server, self._nodes)

    def undo(self) -> None:
        """As if there had been nothing."""
        self.remove()
        if self._created and not self._nodes:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _add(self, options: Dict[str, Any]) -> None:
        self._server.command('blockdev-add', options)
        self._nodes.insert(0, options['node-name'])

    def _add_file(self) -> None:
        self._add({'driver': 'file', 'node-name': self._file,
                   'filename': self._path})

    def _must_not_exist(self) -> None:
        try:
            self._add({'driver': 'file', 'node-name': self._file,
                       'filename': self._path, 'read-only': True})
        except Refused as e:
            if str(e).endswith(ABSENT):
                return
            raise
        self.remove()
        raise Refused(f"'{self._path}' exists; --overwrite replaces it, "
                      '--reuse writes to the image as it is')

    def _run(self, options: Dict[str, Any]) -> None:
        """Creates something, and waits for it."""
        job_id = f'{self._job_id}-create'
        self._server.command('blockdev-create', {'job-id': job_id,
                                                 'options': options})
        error = self._server.concluded(job_id).get('error')
        self._server.command('job-dismiss', {'id': job_id})
        if error:
            raise Refused(f"Cannot create '{self._path}': {error}")
