# SPDX-License-Identifier: MIT
"""Runs scripts and compares what they print with what they should.

1. A script runs in its own folder, session and, with -j, scratch folder.
2. Output is compared line by line; blanks at the ends of lines do not count.
3. What a script started must be gone when it ends.
4. An old .out.bad is removed before a run, a new one is written on failure."""
import concurrent.futures
import contextlib
import datetime
import difflib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PASS, FAIL, NOTRUN, TODO = 'pass', 'fail', 'not run', 'dry run'
COLORS = {PASS: '\033[32m', FAIL: '\033[1;31m', NOTRUN: '\033[33m', TODO: ''}
TIMEOUT = 600
# How long what was started may take to go away after the script.
GRACE = 2


class Result:
    def __init__(self, test, status, text='', casenotrun=''):
        self.test = test
        self.status = status
        self.text = text
        self.casenotrun = casenotrun
        self.diff = []
        self.seconds = 0.0
        self.start = self.end = datetime.datetime.now()


def read(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as f:
            return f.read()
    except OSError:
        return ''


def remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def differences(expected, actual, names):
    """Lines of a unified diff; blanks at line ends do not count."""
    before, after = ([line.rstrip() for line in text.splitlines()]
                     for text in (expected, actual))
    return list(difflib.unified_diff(before, after, *names, lineterm=''))


class Group:
    """The processes of one script."""

    def __init__(self, leader):
        self.id = leader

    def kill(self, number=signal.SIGKILL):
        try:
            os.killpg(self.id, number)
            return True
        except (ProcessLookupError, PermissionError):
            return False

    def gone(self, seconds):
        end = time.monotonic() + seconds
        while self.kill(0):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


class Runner:
    def __init__(self, environment, options):
        self.environment = environment
        self.env = environment.env
        self.options = options
        self.output = self.env['OUTPUT_DIR']

    def reference(self, test):
        """The first reference output that exists, or None."""
        suffixes = [f'.out.{self.environment.fmt}',
                    f".{self.env['QEMU_DEFAULT_MACHINE']}.out", '.out']
        if self.env['CACHEMODE'] == 'none':
            suffixes.insert(0, '.out.nocache')
        for suffix in suffixes:
            if os.path.exists(test.path + suffix):
                return test.path + suffix
        return None

    def side_file(self, test, suffix):
        return os.path.join(self.output,
                            os.path.basename(test.name) + suffix)

    def command(self, test):
        with open(test.path, 'rb') as f:
            shebang = f.readline().decode(errors='replace')
        if 'python' in shebang:
            args = [self.env['PYTHON'], test.path]
        else:
            args = [test.path] if os.access(test.path, os.X_OK) else \
                ['bash', test.path]
        if self.options.d:
            args.append('-d')
        return args

    def execute(self, test, env):
        """Exit status, output, and whether something was left behind."""
        with tempfile.TemporaryFile() as out:
            # Not a pipe: what is left behind must not keep it open.
            proc = subprocess.Popen(self.command(test), env=env,
                                    cwd=os.path.dirname(test.path),
                                    stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT,
                                    start_new_session=True)
            group = Group(proc.pid)
            note = ''
            try:
                proc.wait(float(env.get('IOTESTS_TIMEOUT', TIMEOUT)))
            except subprocess.TimeoutExpired:
                note = 'timed out'
                group.kill()
                proc.wait()
            except KeyboardInterrupt:
                group.kill()
                raise
            if not note and not group.gone(GRACE):
                note = 'left processes behind'
                group.kill()
            out.seek(0)
            text = out.read().decode(errors='backslashreplace')
            return proc.returncode, text, note

    def private_environment(self, test):
        """With -j each script has folders of its own."""
        env = dict(self.env)
        if self.options.j > 1:
            name = test.name.replace(os.sep, '_')
            for var in ('TEST_DIR', 'SOCK_DIR'):
                env[var] = os.path.join(env[var], name)
                os.makedirs(env[var], exist_ok=True)
        return env

    def judge(self, test):
        reference = self.reference(test)
        if reference is None:
            return Result(test, NOTRUN, 'no reference output')
        bad, notrun, casenotrun = (
            self.side_file(test, suffix)
            for suffix in ('.out.bad', '.notrun', '.casenotrun'))
        for path in (bad, notrun, casenotrun):
            remove(path)
        env = self.private_environment(test)
        status, text, note = self.execute(test, env)
        if self.options.j > 1:
            for var in ('TEST_DIR', 'SOCK_DIR'):
                shutil.rmtree(env[var], ignore_errors=True)
        skipped = read(casenotrun)
        if os.path.exists(notrun):
            return Result(test, NOTRUN, read(notrun).strip())
        result = Result(test, PASS, '', skipped.strip())
        result.diff = differences(read(reference), text, (reference, bad))
        if note or status != 0 or result.diff:
            result.status = FAIL
            result.text = note or (f'failed, exit status {status}' if status
                                   else 'output mismatch (see ' + bad + ')')
            with open(bad, 'w', encoding='utf-8') as f:
                f.write(text)
        return result

    def run(self, test):
        if self.options.n:
            return Result(test, TODO)
        start = datetime.datetime.now()
        clock = time.monotonic()
        result = self.judge(test)
        result.start, result.end = start, datetime.datetime.now()
        result.seconds = time.monotonic() - clock
        return result

    # Reporting

    def color(self, status):
        on = self.options.color == 'on' or (
            self.options.color == 'auto' and sys.stdout.isatty())
        return f'{COLORS[status]}{status:<9}\033[0m' if on else f'{status:<9}'

    def show(self, result, number):
        name = os.path.basename(result.test.name)
        if self.options.n:
            print(name)
            return
        if self.options.tap:
            self.show_tap(result, number)
            return
        times = ''
        if self.options.T or result.status != NOTRUN:
            times = (f'[{result.start:%H:%M:%S}] [{result.end:%H:%M:%S}]'
                     f' {result.seconds:6.1f}s')
        print(f'{name:<26} {self.color(result.status)} {times:<30} '
              f'{result.text}'.rstrip())
        for line in result.casenotrun.splitlines():
            print(f'    {line}')
        if result.diff:
            print('\n'.join(result.diff))
        sys.stdout.flush()

    @staticmethod
    def show_tap(result, number):
        name = os.path.basename(result.test.name)
        ok = 'not ok' if result.status == FAIL else 'ok'
        skip = f' # SKIP {result.text}' if result.status == NOTRUN else ''
        print(f'{ok} {number} {name}{skip}')
        for line in result.diff:
            print('# ' + line)
        sys.stdout.flush()

    def results(self, tests):
        if self.options.j == 1 or self.options.n:
            yield from map(self.run, tests)
            return
        with concurrent.futures.ThreadPoolExecutor(self.options.j) as pool:
            jobs = [pool.submit(self.run, test) for test in tests]
            for job in concurrent.futures.as_completed(jobs):
                yield job.result()

    def summary(self, results):
        names = {status: [os.path.basename(r.test.name) for r in results
                          if r.status == status]
                 for status in (PASS, FAIL, NOTRUN)}
        cases = [os.path.basename(r.test.name) for r in results
                 if r.casenotrun]
        if names[NOTRUN]:
            print('Not run:', ' '.join(sorted(names[NOTRUN])))
        if cases:
            print('Some cases not run in:', ' '.join(sorted(cases)))
        ran = len(names[PASS]) + len(names[FAIL])
        if names[FAIL]:
            print('Failures:', ' '.join(sorted(names[FAIL])))
            print(f'Failed {len(names[FAIL])} of {ran} iotests')
        else:
            print(f'Passed all {ran} iotests')
        print(f'{len(names[PASS])} passed, {len(names[FAIL])} failed, '
              f'{len(names[NOTRUN])} skipped')
        return not names[FAIL]

    def run_all(self, tests):
        """True if nothing failed."""
        quiet = self.options.n or self.options.tap
        if not quiet:
            print(self.environment.table() + '\n')
        if self.options.tap:
            print(f'1..{len(tests)}')
        done = []
        for number, result in enumerate(self.results(tests), 1):
            done.append(result)
            self.show(result, number)
        if quiet:
            return not any(r.status == FAIL for r in done)
        return self.summary(done)
