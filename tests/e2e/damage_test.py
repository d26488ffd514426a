"""One flipped byte anywhere in a shard makes nemo-validate say no, and name tensor and index where it is data."""
import json
import os
import random

from common import Context, check

with Context() as c:
    source = os.path.join(c.tests, 'golden', 'nemo', 'tied_zarr_tp1pp2.nemo')
    rng = random.Random(20240614)
    flips = named = 0
    for container, *flags in (('hdf5',), ('safetensors',), ('hdf5', '--compress', 'zstd')):
        out = c.path(container + ''.join(flags))
        c.run('nemo-convert', source, out, '--container', container, '--pp', 2, *flags)
        with open(os.path.join(out, 'manifest.json')) as f:
            manifest = json.load(f)
        places = [(s['file'], s['byte_offset'], s['bytes'], t['name']) for t in manifest['tensors'] for s in t['shards']]
        files = sorted({p[0] for p in places})
        spots = []
        for file in files:
            size = os.path.getsize(os.path.join(out, file))
            spots += [(file, 0), (file, size - 1)] + [(file, rng.randrange(size)) for _ in range(40)]
            spots += [(f, offset + rng.randrange(length)) for f, offset, length, _ in places if f == file]
        for file, position in spots:
            path = os.path.join(out, file)
            with open(path, 'r+b') as f:
                f.seek(position)
                byte = f.read(1)[0]
                f.seek(position)
                f.write(bytes([byte ^ (1 << rng.randrange(8))]))
            verdict = c.run_json('nemo-validate', out, source, expect=1)
            check(not verdict['ok'], f'{file} byte {position}')
            c.run('nemo-validate', out, expect=1)
            tensor = next((t for f, o, n, t in places if f == file and o <= position < o + n), None)
            if tensor:
                text = json.dumps(verdict)
                check(tensor in text, f'{file} byte {position}: {tensor} is not named in {text}')
                # A chunk may not decode at all, or decode to the same elements.
                padding = not verdict['different']
                check(not padding or flags or tensor in ('embedding.word_embeddings.weight', 'output_layer.weight'), text)
                check(padding or verdict['different'][0]['index'], text)
                named += 1
            with open(path, 'r+b') as f:
                f.seek(position)
                f.write(bytes([byte]))
            flips += 1
        c.run('nemo-validate', out, source)
    print(f'{flips} flips found, {named} of them in tensors')
