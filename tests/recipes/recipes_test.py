"""The recipes of CONTRIBUTING.md: each is followed once, in a copy of the sources, and what it adds is used.

New files lie in tree/ under the names that they get. What a recipe changes in files that are there is a row of CHANGES: a line that
is found, and the lines that are put before or behind it. Only the files that a recipe writes or changes are compiled (without
optimization); they are linked in front of the libraries of the build, whose own copies of them the linker then does not take.

usage: recipes_test.py --build DIR --root DIR
"""
import argparse
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BEFORE, BEHIND, INSTEAD = 'before', 'behind', 'instead'
# (recipe, file, where, a line of it, lines to put there)
CHANGES = [
    ('source and target format', 'formats/registry.cc', BEFORE, '#include "formats/format.h"', ['#include "formats/flat/flat.h"']),
    ('source and target format', 'formats/registry.cc', BEHIND, 'const struct Format kFormats[] = {', [
        '    {.name = "flat",',
        '     .description = "two files",',
        '     .sniff = SniffFlat,',
        '     .open = OpenFlat,',
        '     .target = {.containers = {"safetensors"}},',
        '     .plan = PlanFlat,',
        '     .create = CreateFlatTarget,',
        '     .verify = nullptr},']),
    ('architecture', 'libcore/model/registry.cc', BEFORE, '#include "libcore/model/nemotron.h"', ['#include "libcore/model/bare.h"']),
    ('architecture', 'libcore/model/registry.cc', BEHIND, '    {"nemotron", CheckNemotron, NemotronTensors},',
     ['    {"bare", CheckBare, BareTensors},']),
    ('kernel variant', 'kernels/cpu/isa.h', BEHIND, 'extern const IsaKernels kScalarKernels;', ['extern const IsaKernels kPlainKernels;']),
    ('kernel variant', 'kernels/cpu/backend.cc', BEHIND, '    &kScalarKernels,', ['    &kPlainKernels,']),
    ('operation', 'libcore/runtime/backend.h', BEFORE, '/// One function per operation. A null field: this backend lacks it, and the suite says so.',
     ['struct ScaleArgs {', '  float* data;', '  int64_t count;', '  float factor;', '};', '']),
    ('operation', 'libcore/runtime/backend.h', BEHIND, '  Status (*head_stats)(class Backend&, const HeadStatsArgs&);',
     ['  Status (*scale)(class Backend&, const ScaleArgs&);']),
    ('operation', 'kernels/reference/op_tables.h', BEHIND, '#include "kernels/reference/rope_op.h"', ['#include "kernels/reference/scale_op.h"']),
    ('operation', 'kernels/reference/op_tables.h', BEHIND, '    .head_stats = HeadStats,', ['    .scale = Scale,']),
    ('collective', 'tools/nemo-bench/comm/rows.cc', BEFORE, 'template <typename T>', [
        'class Reversed final : public FloatRun {',
        ' public:',
        '  using FloatRun::FloatRun;',
        '  Status Run() override {',
        '    return world_.Broadcast(std::as_writable_bytes(std::span(data_)), static_cast<int>(size_ - 1));',
        '  }',
        '  int64_t CountWrong() const override {',
        '    return Count(data_, [&](int64_t i) { return ValueOf(size_ - 1, i); });',
        '  }',
        '};',
        '']),
    ('collective', 'tools/nemo-bench/comm/rows.cc', BEHIND, 'constexpr CollectiveRow kRows[] = {',
     ['    {"last", "the last rank\'s data on every rank", Prepare<Reversed>, [](double) { return 1.0; }},']),
    ('eval kind', 'libcore/eval/registry.h', BEHIND, 'extern const KindRow kPerplexity;      // kind_perplexity.cc', ['extern const KindRow kLength;']),
    ('eval kind', 'libcore/eval/registry.cc', INSTEAD,
     '  static const KindRow kinds[] = {kMultipleChoice, kGenerateUntil, kPerplexity, kCode};',
     ['  static const KindRow kinds[] = {kMultipleChoice, kGenerateUntil, kPerplexity, kCode, kLength};']),
    ('subcommand', 'tools/nemo-bench/main.cc', BEHIND, '#include "tools/nemo-bench/compare.h"', ['#include "tools/nemo-bench/count.h"']),
    ('subcommand', 'tools/nemo-bench/main.cc', BEHIND, '  nemo::CompareOptions compare;', ['  nemo::CountOptions count;']),
    ('subcommand', 'tools/nemo-bench/main.cc', BEFORE, '       {"compare", "two reports side by side", nemo::CompareTool(&compare)}}};',
     ['       {"count", "the rows of a report", nemo::CountTool(&count)},']),
    ('flag of all tools', 'tools/common/tool.h', BEHIND, '  std::string config;', ['  std::string label;']),
    ('flag of all tools', 'tools/common/tool.cc', BEFORE, '          {.name = "json",', [
        '          {.name = "label",',
        '           .value = "TEXT",',
        '           .help = "a name for the run",',
        '           .set = SetText(&options->label)},']),
]

# What is compiled: sources that are new or changed, and those that include a changed header whose structs they fill.
COMPILED = '''formats/flat/source.cc formats/flat/target.cc formats/registry.cc libcore/model/bare.cc libcore/model/registry.cc
kernels/cpu/isa_plain.cc kernels/cpu/backend.cc kernels/reference/portable.cc kernels/reference/fused.cc kernels/reference/backend.cc
kernels/backend_check.cc tools/nemo-bench/comm/rows.cc libcore/eval/kind_length.cc libcore/eval/registry.cc tools/nemo-bench/count.cc
tools/nemo-bench/main.cc tools/common/tool.cc'''.split()

# Which of them go into which program of the build.
PROGRAMS = {
    'nemo-convert': 'formats/flat/source.cc formats/flat/target.cc formats/registry.cc libcore/model/bare.cc libcore/model/registry.cc',
    'nemo-validate': 'formats/flat/source.cc formats/flat/target.cc formats/registry.cc libcore/model/bare.cc libcore/model/registry.cc '
                     'tools/common/tool.cc',
    'nemo-eval': 'libcore/eval/kind_length.cc libcore/eval/registry.cc',
    'nemo-bench': 'tools/nemo-bench/comm/rows.cc tools/nemo-bench/count.cc tools/nemo-bench/main.cc',
    'backend_check': 'kernels/backend_check.cc kernels/reference/portable.cc kernels/reference/fused.cc kernels/reference/backend.cc '
                   'kernels/cpu/isa_plain.cc kernels/cpu/backend.cc',
}
PRECOMPILED = '''#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/value.h"
'''


class Failure(Exception):
    pass


def run(command, cwd, code=0):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, errors='replace')
    if done.returncode != code:
        raise Failure(f'{shlex.join(str(w) for w in command)[-1500:]}\nexit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}')
    return done.stdout


def expect(found, text):
    if found not in text:
        raise Failure(f'"{found}" is not in:\n{text[-3000:]}')


class Workshop:
    """A copy of the sources with all recipes followed, and what is built of it."""

    def __init__(self, folder, build, root):
        self.folder, self.build, self.tree = folder, build, folder / 'tree'
        for name in ('libcore', 'formats', 'kernels', 'tools', 'configs'):
            shutil.copytree(root / name, self.tree / name, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copytree(root / 'tests/recipes/tree', self.tree, dirs_exist_ok=True)
        for recipe, file, where, line, added in CHANGES:
            self.change(recipe, self.tree / file, where, line, added)
        with open(build / 'compile_commands.json', encoding='utf-8') as f:
            commands = {entry['file']: entry['command'] for entry in json.load(f)}
        words = shlex.split(commands[str(root / 'formats/registry.cc')])
        kept = [w for w in words[1:] if w.startswith(('-D', '-std', '-f', '-W')) and not w.startswith(('-ffile-prefix-map', '-Winvalid-pch'))]
        # ccache, where it is the launcher, is the first word.
        compiler = words[:2] if os.path.basename(words[0]) == 'ccache' else words[:1]
        self.compiler = [*compiler[-1:], *kept, '-O0', f'-I{self.tree}', *[w for w in words if w.startswith(('-I', '-isystem')) and w != f'-I{root}']]

    @staticmethod
    def change(recipe, path, where, line, added):
        lines = path.read_text(encoding='utf-8').split('\n')
        if line not in lines:
            raise Failure(f'{recipe}: {path.name} has no line "{line}"; mend CHANGES in tests/recipes/recipes_test.py, and CONTRIBUTING.md where it '
                          'does not fit any more')
        at = lines.index(line)
        begin, end = at + (where == BEHIND), at + (where != BEFORE)
        path.write_text('\n'.join(lines[:begin] + added + lines[end:]), encoding='utf-8')

    def object_of(self, source):
        return self.folder / (source.replace('/', '_') + '.o')

    def compile_all(self):
        header = self.folder / 'precompiled.h'
        header.write_text(PRECOMPILED)
        run([*self.compiler, '-x', 'c++-header', header, '-o', f'{header}.gch'], self.folder)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.compile, COMPILED))

    def compile(self, source):
        flags = ['-include', self.folder / 'precompiled.h'] if 'g++' in self.compiler[0] or 'c++' in self.compiler[0] else []
        # fused.cc sets an instruction set between its includes.
        if source.endswith('fused.cc'):
            flags = []
        run([*self.compiler, *flags, '-c', self.tree / source, '-o', self.object_of(source)], self.folder)

    def link(self, program):
        model = program if program.startswith('nemo-') else 'nemo-inspect'
        command = run(['ninja', '-t', 'commands', f'bin/{model}'], self.build).strip().split('\n')[-1]
        words = shlex.split(command)
        words = words[words.index('&&') + 1:]
        words = words[:words.index('&&')]
        sources = PROGRAMS[program].split()
        replaced = {os.path.basename(s) + '.o' for s in sources if s.startswith(f'tools/{program}/') and s.count('/') == 2}
        at = words.index('-o')
        objects = [w for w in words[:at] if w.endswith('.o')]
        first = words.index(objects[0])
        kept = [w for w in objects if os.path.basename(w) not in replaced] if program == model else []
        words = [*words[:first], *(self.object_of(s) for s in sources), *kept, '-o', self.folder / program, *words[at + 2:]]
        run(words, self.build)


# ---------------------------------------------------------------------------- each recipe is used


def target_format(shop, demo):
    run([shop.folder / 'nemo-convert', demo, 'flat', '--to', 'flat'], shop.folder)
    if sorted(os.listdir(shop.folder / 'flat')) != ['all.safetensors', 'model.yaml']:
        raise Failure('the target wrote something else')


def source_format(shop, demo):
    expect('equal: 52 tensors', run([shop.folder / 'nemo-validate', 'flat', demo], shop.folder))
    run([shop.folder / 'nemo-convert', 'flat', 'again', '--tp', '2', '--pp', '2'], shop.folder)
    expect('equal: 52 tensors', run([shop.folder / 'nemo-validate', 'again', demo], shop.folder))


def architecture(shop, _):
    shutil.copytree(shop.folder / 'flat', shop.folder / 'bare')
    path = shop.folder / 'bare/model.yaml'
    path.write_text(path.read_text().replace('"nemotron"', '"bare"'))
    # 6 layers have two biases each, the last norm one.
    expect('target      shards: native (hdf5), TP2 x PP1', run([shop.folder / 'nemo-convert', 'bare', 'shards', '--tp', '2'], shop.folder))
    expect('equal: 39 tensors', run([shop.folder / 'nemo-validate', 'shards', 'bare'], shop.folder))


def model(shop, _):
    out = run([shop.build / 'bin/nemo-bench', 'model', shop.tree / 'configs/models/mine.yaml', '--layout', '2,2', '-p', '4', '-n', '2', '-b', '1',
               '-r', '1', '--check'], shop.folder)
    expect('metric prefill_4_wall', out)


def kernel_variant(shop, _):
    # The flag --isa has a list of its own; the row is asked for by name.
    expect('plain: the bits of scalar\n', run([shop.folder / 'backend_check'], shop.folder))


def operation(shop, _):
    out = run([shop.folder / 'backend_check'], shop.folder)
    expect('cpu lacks it\nreference: 2 4 6\n', out)


def collective(shop, _):
    out = run([shop.folder / 'nemo-bench', 'collectives', '--filter', 'last*', '--ranks', '3', '-b', '8', '-e', '64', '-f', '8', '--runs', '2'],
              shop.folder)
    expect('last/', out)


def eval_task(shop, demo):
    out = run([shop.build / 'bin/nemo-eval', demo, '--task-file', shop.tree / 'tasks/speakers.yaml', '--tasks', 'speakers', '--data',
               shop.tree / 'tasks'], shop.folder)
    expect('speakers', out)


def eval_kind(shop, demo):
    out = run([shop.folder / 'nemo-eval', demo, '--task-file', shop.tree / 'tasks/lengths.yaml', '--tasks', 'lengths', '--data', shop.tree / 'tasks'],
              shop.folder)
    expect('exact_match', out)


def subcommand(shop, _):
    run([shop.folder / 'nemo-bench', 'io', '.', '--size', '1MiB', '--runs', '1', '--json-file', 'io.json'], shop.folder)
    expect(' rows', run([shop.folder / 'nemo-bench', 'count', 'io.json'], shop.folder))
    expect('count ', run([shop.folder / 'nemo-bench', '--help'], shop.folder))
    expect('count', run([shop.folder / 'nemo-bench', 'completion', 'bash'], shop.folder))


def common_flag(shop, demo):
    expect('--label TEXT', run([shop.folder / 'nemo-validate', '--help'], shop.folder))
    expect('label', run([shop.folder / 'nemo-validate', 'completion', 'zsh'], shop.folder))
    run([shop.folder / 'nemo-validate', demo, '--level', 'index', '--label', 'mine'], shop.folder)
    run([shop.folder / 'nemo-validate', demo, '--labell', 'mine'], shop.folder, code=2)


RECIPES = (target_format, source_format, architecture, model, kernel_variant, operation, collective, eval_task, eval_kind, subcommand, common_flag)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--root', type=Path, required=True)
    args = parser.parse_args()
    build, root = args.build.resolve(), args.root.resolve()
    if not shutil.which('ninja') or not (build / 'build.ninja').exists():
        print('skipped: the build is not one of ninja')
        return 77
    demo, failed = root / 'tests/data/shakespeare.nemo', 0
    with tempfile.TemporaryDirectory(prefix='nemo_recipes_') as folder:
        try:
            shop = Workshop(Path(folder).resolve(), build, root)
            shop.compile_all()
            for program in PROGRAMS:
                shop.link(program)
        except Failure as failure:
            print(f'FAILED: {failure}')
            return 1
        for recipe in RECIPES:
            try:
                recipe(shop, demo)
                print(f'ok: {recipe.__name__}')
            except Failure as failure:
                failed += 1
                print(f'FAILED: {recipe.__name__}: {failure}')
    times = os.times()
    print(f'{len(RECIPES)} recipes, {failed} failed; {times.children_user + times.children_system:.0f} s of CPU time')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
