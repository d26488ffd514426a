"""A -> B -> A by nemo-reshard is byte-identical, manifest included, for every pair of layouts, in both containers and
compressed: container and compression stay unless told."""
import shutil

from common import Context, check, layouts_of, tree_bytes

with Context() as c:
    source = c.source()
    layouts = [row for row in layouts_of(c.model) if row[3]]
    pairs = 0
    for container, *more in (('hdf5',), ('safetensors',), ('hdf5', '--compress', 'zstd')):
        for a, flags_a, _, _ in layouts:
            first = c.path(f'{container}_{a}')
            c.run('nemo-convert', source, first, '--container', container, *more, *flags_a)
            expected = tree_bytes(first)
            for b, flags_b, _, _ in layouts:
                if a == b:
                    continue
                there, back = c.path('there'), c.path('back')
                c.run('nemo-reshard', first, there, *flags_b)
                c.run('nemo-reshard', there, back, *flags_a)
                actual = tree_bytes(back)
                check(sorted(actual) == sorted(expected), f'{a} -> {b} -> {a}: other files: {sorted(actual)}')
                for name, data in expected.items():
                    check(actual[name] == data, f'{container} {more} {a} -> {b} -> {a}: {name} differs')
                shutil.rmtree(there)
                shutil.rmtree(back)
                pairs += 1
            shutil.rmtree(first)
    print(f'{c.checkpoint}: {pairs} round trips byte-identical')
