# SPDX-License-Identifier: MIT
"""Fields of qcow2 files, to look at them and to break them.

Offsets and widths are those of the published format."""
import struct

# name: (offset, bytes)
HEADER = {
    'magic': (0, 4), 'version': (4, 4), 'backing_file_offset': (8, 8),
    'backing_file_size': (16, 4), 'cluster_bits': (20, 4), 'size': (24, 8),
    'crypt_method': (32, 4), 'l1_size': (36, 4), 'l1_table_offset': (40, 8),
    'refcount_table_offset': (48, 8), 'refcount_table_clusters': (56, 4),
    'nb_snapshots': (60, 4), 'snapshots_offset': (64, 8),
    'incompatible_features': (72, 8), 'compatible_features': (80, 8),
    'autoclear_features': (88, 8), 'refcount_order': (96, 4),
    'header_length': (100, 4), 'compression_type': (104, 1),
}
FORMATS = {1: '>B', 2: '>H', 4: '>I', 8: '>Q'}


class Qcow2File:
    def __init__(self, path):
        self.path = path

    def read(self, offset, length):
        with open(self.path, 'rb') as f:
            f.seek(offset)
            return f.read(length)

    def write(self, offset, data):
        with open(self.path, 'r+b') as f:
            f.seek(offset)
            f.write(data)

    def number(self, offset, width=8):
        return struct.unpack(FORMATS[width], self.read(offset, width))[0]

    def put(self, offset, value, width=8):
        self.write(offset, struct.pack(FORMATS[width], value))

    def get_field(self, name):
        return self.number(*HEADER[name])

    def set_field(self, name, value):
        offset, width = HEADER[name]
        self.put(offset, value, width)

    def cluster_size(self):
        return 1 << self.get_field('cluster_bits')

    def l1(self, index=0):
        """The place of an entry of the L1 table."""
        return self.get_field('l1_table_offset') + 8 * index

    def l2(self, index=0):
        """The place of an entry of the first L2 table."""
        table = self.number(self.l1()) & 0x00fffffffffffe00
        return table + 8 * index

    def refcount_block(self):
        return self.number(self.get_field('refcount_table_offset'))

    def refcount(self, cluster):
        """The place of a 16 bit reference count of the first block."""
        return self.refcount_block() + 2 * cluster
