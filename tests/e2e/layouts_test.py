"""Each layout in each container: converts, and proves equal to its source; impossible layouts are refused."""
import os

from common import Context, check, layouts_of

with Context(on_disk=True) as c:
    source = c.source()
    legal_layouts = 0
    for name, flags, world_size, legal in layouts_of(c.model):
        for container in ('hdf5', 'safetensors'):
            out = c.path(f'{name}_{container}')
            if not legal:
                c.run('nemo-convert', source, out, '--container', container, *flags, expect=2)
                check('nearest size that works' in c.stderr, f'{name}: no advice in: {c.stderr}')
                check(not os.path.exists(out), f'{out} was left behind')
                continue
            legal_layouts += 1
            c.run('nemo-convert', source, out, '--container', container, *flags)
            ranks = [f for f in os.listdir(out) if f.startswith('tp_rank_')]
            check(len(ranks) == world_size, f'{name}: {len(ranks)} rank files')
            verdict = c.run_json('nemo-validate', out, source)
            check(verdict['ok'] and verdict['tensors'] > 0, f'{name}: {verdict}')
            c.run('nemo-validate', out)
    check(not [f for f in os.listdir(c.dir) if 'partial' in f], f'left behind: {os.listdir(c.dir)}')
    print(f'{c.checkpoint}: {legal_layouts} conversions proved')
