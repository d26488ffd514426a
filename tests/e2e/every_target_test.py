"""Every checkpoint of the material becomes every target in TP x PP of 1x1, 2x2, 4x2, 1x4 and 8x1, equals its source element
by element, and comes back to the very files that a direct conversion gives.

The checkpoints are those beside the project; without them, those in tests/golden.
"""
import os
import shutil

from common import MODELS, Context, check, tree_bytes

MODELS.setdefault('mha', {'layers': 4, 'heads': 4, 'groups': 4})
LAYOUTS = ((1, 1), (2, 2), (4, 2), (1, 4), (8, 1))
# name, flags, whether it has ranks
TARGETS = (
    ('hdf5', ['--container', 'hdf5'], True),
    ('zstd', ['--compress', 'zstd'], True),
    ('safetensors', ['--container', 'safetensors'], True),
    ('nemo_zarr', ['--to', 'nemo', '--container', 'zarr'], True),
    ('nemo_torch', ['--to', 'nemo', '--container', 'torch'], True),
    ('megatron', ['--to', 'megatron'], True),
    ('hf', ['--to', 'hf'], False),
)


def fits(model, tp, pp):
    m = MODELS[model]
    return m['heads'] % tp == 0 and (m['groups'] % tp == 0 or tp % m['groups'] == 0) and m['layers'] % pp == 0


def rank_files(directory):
    return {name: data for name, data in tree_bytes(directory).items() if name.startswith('tp_rank_')}


def checkpoints(tests):
    shared = os.environ.get('NEMO_SHARED', os.path.join(tests, '..', '..', 'shared'))
    for root in (os.path.join(shared, 'fixtures', 'nemo'), os.path.join(tests, 'golden', 'nemo')):
        if os.path.isdir(root):
            return [os.path.join(root, name) for name in sorted(os.listdir(root)) if name.split('_')[0] in MODELS]
    return []


with Context() as c:
    proofs, sources = 0, checkpoints(c.tests)
    check(sources, 'no checkpoints')
    for source in sources:
        model = os.path.basename(source).split('_')[0]
        direct = c.path('direct')
        c.run('nemo-convert', source, direct)
        expected = rank_files(direct)
        for name, flags, has_ranks in TARGETS:
            for tp, pp in LAYOUTS if has_ranks else ((1, 1),):
                layout = ['--tp', tp, '--pp', pp] if has_ranks else []
                out, back = c.path('out'), c.path('back')
                if not fits(model, tp, pp):
                    c.run('nemo-convert', source, out, *flags, *layout, expect=2)
                    continue
                c.run('nemo-convert', source, out, *flags, *layout)
                verdict = c.run_json('nemo-validate', out, source)
                check(verdict['ok'] and verdict['tensors'] > 0, f'{source} as {name} {tp}x{pp}: {verdict}')
                c.run('nemo-convert', out, back, '--container', 'hdf5', '--compress', 'none')
                check(rank_files(back) == expected, f'{source} as {name} {tp}x{pp}: other files come back')
                shutil.rmtree(out)
                shutil.rmtree(back)
                proofs += 1
        shutil.rmtree(direct)
    print(f'{len(sources)} checkpoints, {proofs} outputs equal to their source and back to the same files')
