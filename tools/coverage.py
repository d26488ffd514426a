#!/usr/bin/env python3
"""Line coverage of libcore and formats by the tests: builds with gcov's counters, runs the tests, prints a table.

A line counts once, however many programs and templates it was compiled into; it is covered when any of them ran it.
Of GCC's tools only gcov is needed. docs/analysis.md tells how it is used.
"""
import argparse
import collections
import concurrent.futures
import gzip
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXIT_BELOW, EXIT_USAGE, EXIT_FAILED = 1, 2, 4


class Failed(Exception):
    """A command did not do its part."""


def run(*command):
    print('$ ' + shlex.join(str(word) for word in command), flush=True)
    if subprocess.run([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        raise Failed(f'{command[0]} stopped')


def measure(build, targets, tests, jobs):
    run('cmake', '-S', ROOT, '-B', build, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DNEMO_CUDA=OFF',
        '-DNEMO_HARDENING=OFF', '-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O0 -g1 -DNDEBUG', '-DCMAKE_CXX_FLAGS=--coverage')
    run('cmake', '--build', build, '-j', jobs, *(['--target', *targets] if targets else []))
    for counters in build.rglob('*.gcda'):
        counters.unlink()
    # A test that fails because its program is slow now has counted as well; the usual run says who fails.
    subprocess.run(['ctest', '--test-dir', str(build), '-j', str(jobs), '-R', tests, '--timeout', '1800'], check=False)


def lines_of(counters, folders):
    """{(file, line): was it run} of one object file, for sources below `folders`."""
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(['gcov', '--json-format', '--object-directory', str(counters.parent), str(counters)],
                              cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f'gcov {counters}: {done.stderr.strip()}')
        lines = {}
        for report in pathlib.Path(scratch).glob('*.gcov.json.gz'):
            with gzip.open(report) as f:
                content = json.load(f)
            for file in content['files']:
                # Names are those of the repository (-ffile-prefix-map) or whole ones.
                name = os.path.relpath(os.path.join(ROOT, file['file']), ROOT)
                if not name.startswith(folders):
                    continue
                for line in file['lines']:
                    key = (name, line['line_number'])
                    lines[key] = lines.get(key, False) or line['count'] > 0
        return lines


def gather(build, folders, jobs):
    lines = {}
    notes = sorted(build.rglob('*.gcno'))
    if not notes:
        raise Failed(f'no counters in {build}; was it built?')
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(lambda note: lines_of(note, folders), notes):
            for key, was_run in part.items():
                lines[key] = lines.get(key, False) or was_run
    return lines


def table(lines, depth):
    """Rows (folder, covered, all), folders cut after `depth` names."""
    counts = collections.defaultdict(lambda: [0, 0])
    for (name, _), was_run in lines.items():
        folder = '/'.join(pathlib.PurePath(name).parent.parts[:depth])
        counts[folder][0] += was_run
        counts[folder][1] += 1
    return [(folder, *counts[folder]) for folder in sorted(counts)]


def missed(lines, limit):
    """The files with most lines that nothing ran."""
    files = collections.Counter(name for (name, _), was_run in lines.items() if not was_run)
    return files.most_common(limit)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog='Exit codes: 0 done; 1 a top folder is below the limit; 2 wrong usage; '
                                            '4 the build or gcov failed')
    parser.add_argument('--build', default='build/coverage', help='where to build (default: build/coverage)')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='at the same time (default: one per core)')
    parser.add_argument('--limit', type=float, default=90, help='percent that each FOLDER must have (default: 90)')
    parser.add_argument('--target', action='append', default=[], help='what to build, several times (default: all)')
    parser.add_argument('--tests', default='.', help='which tests to run, as of ctest -R (default: all)')
    parser.add_argument('--no-run', action='store_true', help='only read the counters that are there')
    parser.add_argument('--missed', type=int, default=15, help='how many files to list by lines that nothing ran')
    parser.add_argument('folders', nargs='*', metavar='FOLDER', default=['libcore', 'formats'])
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    folders = tuple(folder.rstrip('/') + '/' for folder in options.folders)
    for folder in folders:
        if not (ROOT / folder).is_dir():
            parser.error(f'there is no folder {folder}')
    try:
        if not options.no_run:
            measure(build, options.target, options.tests, options.jobs)
        lines = gather(build, folders, options.jobs)
    except Failed as failure:
        print(f'coverage.py: {failure}', file=sys.stderr)
        return EXIT_FAILED
    print(f'{"folder":32} {"covered":>8} {"lines":>8}  percent')
    for folder, covered, count in table(lines, 2):
        print(f'{folder:32} {covered:8} {count:8}  {100 * covered / count:6.1f}')
    is_below = False
    for folder in folders:
        mine = [was_run for (name, _), was_run in lines.items() if name.startswith(folder)]
        percent = 100 * sum(mine) / len(mine) if mine else 0.0
        is_below |= percent < options.limit
        print(f'{folder:32} {sum(mine):8} {len(mine):8}  {percent:6.1f}  (at least {options.limit:g})')
    for name, count in missed(lines, options.missed):
        print(f'not run: {count:5} lines of {name}')
    return EXIT_BELOW if is_below else 0


if __name__ == '__main__':
    sys.exit(main())
