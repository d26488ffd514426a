"""Runs the commands of every Markdown file, and compares what they print with what the page says.

A block's language says what it is:

  ```sh        commands. All of a page's run one after the other, in one shell and one folder that looks like the repository, with the
               tools in PATH. `model.nemo` is there (the demo model); stand_ins() lists what else stands for something small. A line with
               --serve runs in the background until the next one or the end of the page.
  ```console   `$ COMMAND`, and below it what that prints on standard output.
  ```text      no commands: layouts, grammars, output. Other languages (yaml, json, cmake, cpp) too.

Remarks in front of a block change that; readers do not see them:

  <!-- not run: REASON -->   it is only checked: the shell's grammar, tools and their flags, files of the repository
  <!-- before: COMMANDS -->  what the reader has done before
  <!-- needs: PROGRAM -->    not run where that is not installed; `slurm`: the page runs beside a cluster of two nodes of its own, where the test may
                             start one
  <!-- exits: N -->          the last command ends so
  <!-- prints -->            in front of a text block: the commands of the block before print it

In what is printed a line `...` stands for any lines, `...` in a line for anything; times, speeds and memory are not compared.

NEMO_UPDATE=1 writes into the pages what is printed, where it differs: read it before committing it.

usage: commands_test.py --bin DIR --root DIR [PAGE...]
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parent.parent / 'e2e'))
import markdown
import material
import slurm_cluster

TOOLS = ('nemo-bench', 'nemo-convert', 'nemo-eval', 'nemo-generate', 'nemo-inspect', 'nemo-reshard', 'nemo-validate')
REMARKS = ('not run', 'before', 'needs', 'exits', 'prints')
NO_COMMANDS = ('text', 'yaml', 'json', 'cmake', 'cpp', 'diff')
# Programs of others that pages may call. A word that is not here, no tool and no file of the repository is a mistake of the page.
OTHERS = '''apt-get bash cat cd cmake cmp cp cpack ctest curl cut dd diff docker du echo enroot export find for do done git grep gzip h5dump head
ls mkdir mpirun mv od printf python3 rm rmdir sbatch scancel sed seq sh sha256sum sinfo sleep sort squeue srun stat tail tar test touch tr
true until wc while xxd zcat'''.split()
# These never run from here: they change the machine, or ask one that is not there.
NEVER_RUN = ('./bootstrap.sh', 'apt-get', 'docker', 'enroot', 'sudo')
OF_SLURM = ('sbatch', 'scancel', 'squeue', 'srun')
LAUNCHERS = ('mpirun', 'srun', 'sudo', 'exec', 'time', 'until', 'while', 'do', 'if', 'then')
NUMBERS = re.compile(r'\b\d[\d.,]* (?:us|ms|s|[kMGT]?B/s|tok/s|tokens/s|[kMGT]?B(?= (?:resident|planned|of buffers|free)))\b')
MARK = '\x1e'
PAGE_SECONDS = 400


@dataclass
class Unit:
    """Commands that run together, and what they print."""
    line: int
    script: str
    prints: str = None
    exits: int = 0
    prints_line: int = 0  # of the page, where `prints` begins
    slurm: bool = False


class Problem(Exception):
    pass


# ---------------------------------------------------------------------------- without running


def commands_of(text):
    """Simple commands as lists of words: without redirections, joined lines taken apart at ; & | and newlines."""
    text = re.sub(r"<<-?\s*(['\"]?)(\w+)\1(.*?)\n.*?\n\2(?=\n|$)", r'\3', text, flags=re.S)  # here-documents
    text = re.sub(r'\$\(([^()]*)\)', r' ; \1 ; ', text.replace('\\\n', ' '))
    # A text in quotes may go over several lines.
    lexer = shlex.shlex(text.replace('\n', '\n; '), posix=True, punctuation_chars=';&|()<>')
    lexer.whitespace_split = True
    lexer.commenters = '#'
    words, redirected = [], False
    for token in lexer:
        if set(token) <= set(';&|()') and token:
            if words:
                yield words
            words = []
        elif set(token) <= set('<>') and token:
            redirected = True
            if words and words[-1].isdigit():
                words.pop()
        elif redirected:
            redirected = False
        else:
            words.append(token)
    if words:
        yield words


class Checks:
    """What can be said of commands without running them."""

    def __init__(self, bin_dir, root):
        self.bin, self.root, self.helps = bin_dir, root, {}
        with open(root / 'CMakePresets.json', encoding='utf-8') as f:
            presets = json.load(f)
        self.presets = {p['name'] for kind in ('configurePresets', 'buildPresets', 'testPresets') for p in presets.get(kind, ())}

    def flags(self, *command):
        if command not in self.helps:
            shown = subprocess.run([*command, '--help'], capture_output=True, text=True, timeout=60)
            if shown.returncode:
                raise Problem(f'{shlex.join(map(str, command))} --help: exit {shown.returncode}: {shown.stderr.strip()}')
            self.helps[command] = set(re.findall(r'(?<![\w-])--?[A-Za-z][\w-]*', shown.stdout))
        return self.helps[command]

    def block(self, text):
        grammar = subprocess.run(['bash', '-n'], input=text, capture_output=True, text=True)
        if grammar.returncode:
            raise Problem(grammar.stderr.strip())
        for words in commands_of(text):
            self.command(words)

    def command(self, words):
        while words and re.match(r'\w+=', words[0]):
            words = words[1:]
        if not words:
            return
        name = next((i for i, w in enumerate(words) if os.path.basename(w) in TOOLS), None)
        if name is not None and (name == 0 or words[0] in LAUNCHERS):
            return self.tool(os.path.basename(words[name]), words[name + 1:])
        first = words[0]
        if first == './bootstrap.sh':
            known = self.flags(self.root / 'bootstrap.sh') | {'demo', 'test', 'build'}
            unknown = [w for w in words[1:] if re.match(r'--|[a-z]', w) and w not in known]
            if unknown:
                raise Problem(f'{first} has no {unknown[0]}')
        elif first in ('cmake', 'ctest') and '--preset' in words:
            preset = words[words.index('--preset') + 1]
            if preset not in self.presets:
                raise Problem(f'CMakePresets.json has no preset {preset}')
        elif '/' in first and not first.startswith(('build/', '/', 'gpu-check/')):
            if not (self.root / first).exists():
                raise Problem(f'{first}: there is no such file')
        elif '/' not in first and first not in OTHERS and first not in ('[[', '{', '}', 'kill', 'wait', 'if', 'then', 'fi', 'else', 'set'):
            raise Problem(f'{first}: no tool, no file of the repository, and no program that pages are known to call')
        if first == 'python3' and len(words) > 1 and (self.root / words[1]).is_file():
            known = self.flags(first, self.root / words[1])
            for word in words[2:]:
                if word.startswith('--') and word not in known:
                    raise Problem(f'{words[1]} has no flag {word}')
        for word in words[1:]:
            if re.match(r'(cmake|configs|docs|formats|kernels|libcore|tests|tools)/[\w./-]+$', word) and not (self.root / word).exists():
                raise Problem(f'{word}: there is no such file')

    def tool(self, name, arguments):
        command = [self.bin / name]
        if not (self.bin / name).exists():
            raise Problem(f'{name} was not built')
        if arguments and arguments[0] in ('completion', 'manual'):
            return
        if name == 'nemo-bench' and arguments and not arguments[0].startswith('-'):
            command.append(arguments[0])
        known = self.flags(*command)
        for word in arguments:
            flag = re.match(r'(--[A-Za-z][\w-]*|-[A-Za-z])', word)
            # NeMo's spellings with underscores are aliases.
            if flag and flag[1] not in known and flag[1].replace('_', '-') not in known:
                raise Problem(f'{name} has no flag {flag[1]}')


# ---------------------------------------------------------------------------- what a page runs


def stand_ins(text, port):
    """Small or possible things for what is large or elsewhere."""
    text = text.replace('127.0.0.1:1424', f'127.0.0.1:{port}').replace('localhost:1424', f'127.0.0.1:{port}')
    text = text.replace('/scratch', 'scratch').replace('4GiB', '4MiB').replace('64MiB', '64KiB').replace('--tp 16', '--tp 4')
    text = re.sub(r'(?<![\w.])/models/', 'models/', text)
    text = re.sub(r'nemo-bench +(kernels)(?!.*--runs)', r'nemo-bench \1 --runs 2 --max-seconds 0.1 --no-peer', text)
    text = re.sub(r'nemo-bench +(io|collectives)(?!.*--runs)', r'nemo-bench \1 --runs 2', text)
    lines = []
    for line in text.replace('\\\n', ' ').split('\n'):
        if ' --serve' in line and not line.startswith('#'):
            line = re.sub(r'--port +0\b', '', line)
            line = re.sub(r' --serve\b', f' --serve --port {port}' if '--port' not in line else ' --serve', line)
            line = f'serve {line}'
        lines.append(line)
    return '\n'.join(lines)


def units_of(page, name, checks, port):
    """(units to run, [(line, reason)] of what is not run). Problem: a block that breaks the rules above."""
    units, not_run, last_ran = [], [], False
    for line, text in page.codes():
        if re.match(r'(?:%s) ' % '|'.join(TOOLS), text) and not re.search(r'[|[(…]|\.\.\.', text):
            try:
                checks.block(text)
            except (Problem, ValueError) as problem:
                raise Problem(f'{name}:{line}: `{text}`: {problem}') from None
    if name in material.BEFORE_PAGES:
        units.append(Unit(1, material.BEFORE_PAGES[name]))
    for block in page.blocks:
        try:
            remarks = dict((r.partition(':')[0].strip(), r.partition(':')[2].strip()) for r in block.remarks
                           if r.partition(':')[0].strip() in REMARKS)
            if block.language in ('sh', 'console'):
                last_ran = block_units(block, remarks, checks, port, units, not_run)
            elif block.language in NO_COMMANDS:
                if 'prints' in remarks and last_ran:
                    units[-1].prints, units[-1].prints_line = block.text, block.line + 1
                elif 'prints' not in remarks and not name.startswith('docs/tools/'):
                    look_for_commands(block.text)
            else:
                raise Problem(f'a block needs a language: sh, console (both are run), or one of {", ".join(NO_COMMANDS)}; '
                              f'it has "{block.language}"')
        except (Problem, ValueError) as problem:
            raise Problem(f'{name}:{block.line}: {problem}') from None
    return units, not_run


def look_for_commands(text):
    for line in text.split('\n'):
        words = line.split()
        if words[:1] == ['$']:
            words = words[1:]
        if not words or re.search(r'\[flags\]|\|', line):
            continue
        if words[0] in TOOLS + ('cmake', 'ctest', 'apt-get', 'mpirun', 'srun', 'sbatch', 'curl', 'docker', './bootstrap.sh'):
            raise Problem(f'a command in a block of text: {line}')


def block_units(block, remarks, checks, port, units, not_run):
    sessions = [(block.text, None)] if block.language == 'sh' else sessions_of(block.text)
    for script, _ in sessions:
        checks.block(script)
    missing = [text for text in map(lack_of, remarks.get('needs', '').split()) if text]
    if 'not run' in remarks or missing:
        reason = remarks.get('not run') or (missing[0] if missing else '')
        if not reason:
            raise Problem('<!-- not run: --> needs a reason')
        not_run.append((block.line, reason))
        return False
    for script, _ in sessions:
        for words in commands_of(script):
            if words[0] in NEVER_RUN or (words[0] in OF_SLURM and 'slurm' not in remarks.get('needs', '')):
                raise Problem(f'{words[0]} does not run in a test; put "<!-- not run: REASON -->" in front of the block')
    if 'before' in remarks:
        units.append(Unit(block.line, stand_ins(remarks['before'], port)))
    line = block.line + 1
    for script, prints in sessions:
        first = line + script.count('\n') + 1
        units.append(Unit(line, stand_ins(script, port), prints, prints_line=first))
        line = first + (prints or '').count('\n')
    units[-1].slurm = 'slurm' in remarks.get('needs', '')
    units[-1].exits = int(remarks.get('exits', 0))
    return True


def lack_of(program):
    """Why it cannot be used; empty: it can."""
    if program == 'slurm':
        reason = slurm_cluster.reason_to_skip()
        return f'no Slurm: {reason}' if reason else ''
    return '' if shutil.which(program) else f'{program} is not installed'


def sessions_of(text):
    """[(command, what it prints)] of a console block."""
    sessions = []
    for line in text.rstrip('\n').split('\n'):
        if line.startswith('$ '):
            sessions.append([line[2:], ''])
        elif not sessions:
            raise Problem(f'a console block begins with "$ COMMAND", not with: {line}')
        elif sessions[-1][0].endswith('\\') and not sessions[-1][1]:
            sessions[-1][0] += '\n' + line
        else:
            sessions[-1][1] += line + '\n'
    return sessions


PROLOGUE = r'''
set -eE -o pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
unit() { printf '\n\036%s\n' "$1"; printf '\n\036%s\n' "$1" >&2; }
server=
stop_server() {
  if [[ $server ]]; then kill "$server"; wait "$server" || true; fi
  server=
}
serve() {
  stop_server
  "$@" >server.out 2>server.err &
  server=$!
  for _ in $(seq 600); do
    if curl -s -o server.health "http://127.0.0.1:$DOCS_PORT/v1/health"; then return 0; fi
    if ! kill -0 "$server" 2>/dev/null; then cat server.err >&2; return 1; fi
    sleep 0.1
  done
  cat server.err >&2
  return 1
}
'''


def script_of(units):
    script = PROLOGUE
    for i, unit in enumerate(units):
        script += f'unit {i}\n'
        if unit.exits:
            script += f'code=0\n(set +e\n{unit.script}\n) || code=$?\n[[ $code == {unit.exits} ]] || {{ echo "exit $code" >&2; exit 1; }}\n'
        else:
            script += unit.script + '\n'
    return script + f'unit {len(units)}\n'


def parts_of(output):
    return {int(part.split('\n', 1)[0]): part.split('\n', 1)[1][:-1] for part in output.split('\n' + MARK)[1:]}


def differs(expected, got):
    """None, or the first lines that differ."""
    want = [NUMBERS.sub('#', line.rstrip()) for line in expected.strip('\n').split('\n')]
    have = [NUMBERS.sub('#', line.rstrip()) for line in got.strip('\n').split('\n')]
    pattern = ''
    for line in want:
        pattern += r'(?:.*\n)*?' if line.strip() == '...' else '.*?'.join(re.escape(p) for p in line.split('...')) + '\n'
    if re.fullmatch(pattern, '\n'.join(have) + '\n'):
        return None
    for w, h in zip(want, have):
        if w.strip() == '...' or not re.fullmatch('.*?'.join(re.escape(p) for p in w.split('...')), h):
            return f'the page says:    {w}\n    it prints: {h}\n\nall of it:\n{got}'
    return f'the page has {len(want)} lines, {len(have)} are printed:\n{got}'


def update(path, units, outs):
    lines = path.read_text(encoding='utf-8').split('\n')
    for i, unit in reversed(list(enumerate(units))):
        if unit.prints is not None and differs(unit.prints, outs[i]):
            lines[unit.prints_line - 1:unit.prints_line - 1 + unit.prints.count('\n')] = outs[i].strip('\n').split('\n')
    path.write_text('\n'.join(lines), encoding='utf-8')


def run_page(name, page, args, checks):
    """(name, units, compared, not run, problem)."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    try:
        units, not_run = units_of(page, name, checks, port)
    except Problem as problem:
        return name, 0, 0, [], str(problem)
    if not units:
        return name, 0, 0, not_run, None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='nemo_docs_'))
        material.prepare(Path(folder), Path(args.root), Path(args.bin))
        environment = {k: v for k, v in os.environ.items() if not k.startswith('NEMO_')}
        environment |= {'PATH': f'{args.bin}:{environment["PATH"]}', 'NO_COLOR': '1', 'DOCS_PORT': str(port), 'NEMO_PORT': str(port), 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
                        'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1',
                        'OMPI_MCA_rmaps_base_oversubscribe': '1', 'OMPI_MCA_mpi_yield_when_idle': '1',
                        'PRTE_MCA_rmaps_default_mapping_policy': ':oversubscribe'}
        if any(unit.slurm for unit in units):
            cluster = stack.enter_context(slurm_cluster.Cluster(os.path.join(folder, 'cluster')))
            environment |= {**cluster.env, **environment, 'PATH': f'{args.bin}:{cluster.env["PATH"]}'}
        process = subprocess.Popen(['bash', '-c', script_of(units)], cwd=folder, env=environment, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='replace')
        try:
            out, err = process.communicate(timeout=PAGE_SECONDS)
            late = ''
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            late = f' (stopped after {PAGE_SECONDS} s)'
    outs, errs = parts_of(out), parts_of(err)
    last = max(outs, default=0)
    if os.environ.get('NEMO_UPDATE') and last == len(units):
        update(page.path, units, outs)
        return name, len(units), 0, not_run, None
    if last < len(units):
        unit = units[last]
        return name, last, 0, not_run, (f'{name}:{unit.line}: exit {process.returncode}{late}\n    {unit.script.strip()}\n'
                                        f'{outs.get(last, "")[-2000:]}\n{errs.get(last, err)[-3000:]}')
    for i, unit in enumerate(units):
        if unit.prints is not None:
            difference = differs(unit.prints, outs[i])
            if difference:
                return name, i, 0, not_run, f'{name}:{unit.line}: {unit.script.strip()}\n    {difference}\n{errs.get(i, "")[-1500:]}'
    return name, len(units), sum(u.prints is not None for u in units), not_run, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', required=True)
    parser.add_argument('--root', required=True)
    parser.add_argument('pages', nargs='*')
    args = parser.parse_args()
    args.bin, args.root = os.path.abspath(args.bin), os.path.abspath(args.root)
    for program in ('bash', 'curl', 'mpirun'):
        if not shutil.which(program):
            print(f'skipped: there is no {program}')
            return 77
    checks = Checks(Path(args.bin), Path(args.root))
    pages = {n: p for n, p in markdown.pages(Path(args.root)).items() if not args.pages or n in args.pages}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda item: run_page(*item, args, checks), pages.items()))
    problems = [problem for *_, problem in results if problem]
    not_run = [(name, line, reason) for name, _, _, reasons, _ in results for line, reason in reasons]
    for name, line, reason in not_run:
        print(f'not run: {name}:{line}: {reason}')
    print(f'{len(pages)} pages: {sum(r[1] for r in results)} pieces of blocks run, {sum(r[2] for r in results)} outputs compared, '
          f'{len(not_run)} blocks only checked, {len(problems)} problems')
    for problem in problems:
        print(f'\n{problem}')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
