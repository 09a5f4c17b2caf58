# SPDX-License-Identifier: MIT
#
# Test cases of jobs whose target takes a request and does not answer.
import iotests
from disktest import DiskTestCase


class DeadTargetCase(DiskTestCase):
    target_filter = {}

    def add_dead_target(self, event='write_aio'):
        """A target 'dst' that hangs at its first `event`, if any."""
        path = self.path('dead.raw')
        iotests.qemu_img('create', '-q', '-f', 'raw', path, str(self.size))
        self.add_target(path, fmt='raw')
        if event:
            self.break_at(event)

    def break_at(self, event):
        self.vm.hmp_qemu_io('dst', f'break {event} A')

    def resume(self):
        self.vm.hmp_qemu_io('dst', 'resume A')

    def wait_hanging(self, operation='write'):
        """Until such a request to the target is in flight."""
        while not any(o.get('node') == 'dst' and o.get('operation') == operation
                      for o in self.vm.qmp('x-job-explain',
                                           id='job0')['return']):
            pass

    def drivers(self):
        return [n['drv']
                for n in self.vm.qmp('query-named-block-nodes')['return']]

    def forced_cancel(self):
        self.ok(self.vm.qmp('block-job-cancel', device='job0', force=True))
        self.next_event('BLOCK_JOB_CANCELLED')
        self.wait_status('null')

    def target_comes_back(self):
        """What was in flight ends; only then may the target go."""
        self.assert_qmp(self.vm.qmp('blockdev-del', node_name='dst'),
                        'error/class', 'GenericError')
        self.resume()
        while 'error' in self.vm.qmp('blockdev-del', node_name='dst'):
            pass
        self.vm.shutdown()
        self.assert_model(self.src)
