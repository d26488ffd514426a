"""Every rank's tensors have the sha256 that an independent script computed from the Hugging Face weights."""
import hashlib
import json
import os

from common import Context, check

SOURCES = {'tiny': 'tiny_zarr_tp2pp2.nemo', 'odd': 'odd_zarr_tp2pp3.nemo', 'tied': 'tied_zarr_tp1pp2.nemo'}

with Context() as c:
    with open(os.path.join(c.tests, 'golden', 'reference_sha256.json')) as f:
        reference = json.load(f)
    compared = 0
    for layout in reference.values():
        if layout['model'] not in SOURCES:
            continue
        flags = ['--tp', layout['tp'], '--pp', layout['pp']]
        if layout['kv'] == 'replicated':
            flags.append('--kv-duplicate')
        out = c.path(f"{layout['model']}_{layout['tp']}_{layout['pp']}")
        c.run('nemo-convert', os.path.join(c.tests, 'golden', 'nemo', SOURCES[layout['model']]), out, *flags)
        with open(os.path.join(out, 'manifest.json')) as f:
            manifest = json.load(f)
        found = {}
        for tensor in manifest['tensors']:
            for shard in tensor['shards']:
                with open(os.path.join(out, shard['file']), 'rb') as f:
                    f.seek(shard['byte_offset'])
                    digest = hashlib.sha256(f.read(shard['bytes'])).hexdigest()
                rank = shard['file'].split('.')[0]
                found.setdefault(rank, {})[shard.get('stored_name', tensor['name'])] = digest
        for rank, tensors in layout['ranks'].items():
            tp, pp = (part[2:] for part in rank.split('_'))
            mine = found[f'tp_rank_{int(tp):02}_pp_rank_{int(pp):03}']
            for name, expected in tensors.items():
                # A tied output layer is left out where the same rank holds the embedding.
                if name not in mine and layout['model'] == 'tied' and layout['pp'] == 1:
                    name_here = 'embedding.word_embeddings.weight'
                else:
                    name_here = name
                check(mine.get(name_here) == expected['sha256'], f'{out} {rank} {name}: not the reference bytes')
                compared += 1
    check(compared > 1000, f'only {compared} tensors compared')
    print(f'{compared} rank tensors equal the reference')
