"""A checkpoint as .nemo in both forms, packed and unpacked, in each layout: equal to its source, and back to the same shards."""
import os
import shutil

from common import Context, check, layout_of, layouts_of
from nemo_files import members


def rank_files(directory):
    out = {}
    for name in os.listdir(directory):
        if name.startswith('tp_rank_') or name == 'tokenizer.model':
            with open(os.path.join(directory, name), 'rb') as f:
                out[name] = f.read()
    return out


with Context() as c:
    source = c.source()
    written = 0
    for name, flags, world_size, legal in [*layouts_of(c.model), layout_of(c.model, 1, 4)]:
        expected = c.path('expected')
        if legal:
            c.run('nemo-convert', source, expected, *flags)
        for container in ('zarr', 'torch'):
            archive, folder = c.path('archive.nemo'), c.path('folder')
            to_nemo = ['--to', 'nemo', '--container', container, *flags]
            if not legal or name == 'uneven':
                for out in (archive, folder):
                    c.run('nemo-convert', source, out, *to_nemo, expect=2)
                continue
            c.run('nemo-convert', source, archive, *to_nemo)
            c.run('nemo-convert', source, folder, *to_nemo)
            check(members(archive) == members(folder), f'{name} {container}: archive and directory differ')
            for out in (archive, folder):
                verdict = c.run_json('nemo-validate', out, source)
                check(verdict['ok'] and verdict['tensors'] > 0, f'{name} {container} {out}: {verdict}')
                inspected = c.run_json('nemo-inspect', out)
                layout = {k: inspected['layout'][k] for k in ('tp', 'pp')}
                check([str(v) for v in layout.values()] == [flags[1], flags[3]], f'{name} {container} {out}: {layout}')
                back = c.path('back')
                c.run('nemo-convert', out, back, *flags)
                check(rank_files(back) == rank_files(expected), f'{name} {container} {out}: other shards come back')
                shutil.rmtree(back)
                written += 1
            again = c.path('again.nemo')
            c.run('nemo-reshard', folder, again, *flags)
            with open(archive, 'rb') as a, open(again, 'rb') as b:
                check(a.read() == b.read(), f'{name} {container}: written again, the archive is another')
            os.remove(again)
            os.remove(archive)
            shutil.rmtree(folder)
        if legal:
            shutil.rmtree(expected)
    check(not os.listdir(c.dir), f'left behind: {os.listdir(c.dir)}')
    print(f'{c.checkpoint}: {written} written and proved')
