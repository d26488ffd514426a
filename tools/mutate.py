#!/usr/bin/env python3
"""Breaks the code on purpose, one line at a time, and expects a test to notice.

Each mutation of tests/house/mutations.txt is written into its source file, the tests named with it are built and run,
and the file is put back. A mutation that all of them pass has survived: it wants a test, or a line `= REASON` that
says why nothing can notice it. docs/analysis.md tells what was seen.
"""
import argparse
import collections
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / 'tests/house/mutations.txt'
EXIT_SURVIVED, EXIT_USAGE, EXIT_ENVIRONMENT = 1, 2, 4

Mutation = collections.namedtuple('Mutation', 'line file tests old new reason')


class BadList(Exception):
    """What is wrong with the list, and where."""


def parse(text):
    """FILE: TEST..., then pairs of lines `- OLD` and `+ NEW`, each with an optional `= REASON`."""
    mutations, file, tests, old = [], None, [], None
    for number, line in enumerate(text.splitlines(), 1):
        mark, rest = line[:2], line[2:]
        if not line.strip() or line.startswith('#'):
            continue
        if mark == '- ' and file and old is None:
            old = rest
        elif mark == '+ ' and old is not None:
            mutations.append(Mutation(number, file, tests, old, rest, None))
            old = None
        elif mark == '= ' and mutations and old is None:
            mutations[-1] = mutations[-1]._replace(reason=rest)
        elif re.fullmatch(r'[\w./-]+: [\w ]+', line) and old is None:
            file, _, names = line.partition(': ')
            tests = names.split()
        else:
            raise BadList(f'{LIST.name}:{number}: not FILE: TEST..., - OLD, + NEW or = REASON in its place')
    if old is not None:
        raise BadList(f'{LIST.name}: ends behind a line "- "')
    for m in mutations:
        path = ROOT / m.file
        count = path.read_text().count(m.old) if path.is_file() else 0
        if count != 1 or m.old == m.new:
            raise BadList(f'{LIST.name}:{m.line}: "{m.old}" stands {count} times in {m.file}, and must once')
    return mutations


def run(command, log, seconds):
    """True when the command ends with 0. One that does not end in time has noticed."""
    with open(log, 'ab') as out:
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT)
        try:
            return process.wait(timeout=seconds) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False


def verdict(mutation, build, jobs, log):
    """`killed`, `survived`, or `does not build` of one mutation that is in its file."""
    if not run(['cmake', '--build', build, '-j', jobs, '--target', *mutation.tests], log, 3600):
        return 'does not build'
    pattern = f'^({"|".join(mutation.tests)})(_[0-9]+)?$'
    passed = run(['ctest', '--test-dir', build, '-R', pattern, '--stop-on-failure', '--output-on-failure',
                  '--no-tests=error', '--timeout', '300'], log, 1800)
    return 'survived' if passed else 'killed'


def with_mutation(mutation, *args):
    path = ROOT / mutation.file
    original = path.read_bytes()
    try:
        path.write_bytes(original.replace(mutation.old.encode(), mutation.new.encode()))
        return verdict(mutation, *args)
    finally:
        path.write_bytes(original)


def interrupt(number, _):
    raise KeyboardInterrupt(f'signal {number}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog='Exit codes: 0 all were noticed; 1 one survived or does not build; '
                                            '2 wrong usage or list; 4 no build')
    parser.add_argument('--build', default='build/cpu', help='a configured build (default: build/cpu)')
    parser.add_argument('--jobs', type=int, default=2, help='parallel compilations (default: 2)')
    parser.add_argument('--check', action='store_true', help='only see that each mutation has its place')
    parser.add_argument('only', nargs='*', metavar='TEXT', help='only mutations whose file or test has this text')
    options = parser.parse_args()
    try:
        mutations = parse(LIST.read_text())
    except BadList as error:
        print(f'mutate.py: {error}', file=sys.stderr)
        return EXIT_USAGE
    if options.check:
        print(f'{len(mutations)} mutations have their place')
        return 0
    build = (ROOT / options.build).resolve()
    if not (build / 'CMakeCache.txt').is_file():
        print(f'mutate.py: {options.build} is no configured build: cmake --preset cpu', file=sys.stderr)
        return EXIT_ENVIRONMENT
    signal.signal(signal.SIGTERM, interrupt)
    log = build / 'mutate.log'
    log.write_bytes(b'')
    counts = collections.Counter()
    for m in mutations:
        if options.only and not any(text in m.file or text in m.tests for text in options.only):
            continue
        start = time.monotonic()
        result = 'explained' if m.reason else with_mutation(m, build, options.jobs, log)
        counts[result] += 1
        print(f'{result:15} {time.monotonic() - start:6.1f} s  {m.file}:  {m.old}  ->  {m.new}', flush=True)
    print(', '.join(f'{count} {result}' for result, count in sorted(counts.items())) + f' (log: {log})')
    return EXIT_SURVIVED if counts['survived'] or counts['does not build'] else 0


if __name__ == '__main__':
    sys.exit(main())
