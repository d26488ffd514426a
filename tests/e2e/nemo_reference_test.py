"""Rank files and chunks of a .nemo have the sha256 that an independent script computed from the Hugging Face weights."""
import hashlib
import json
import os

from common import MODELS, Context, check
from nemo_files import chunks, members, rank_tensors

SOURCES = {'tiny': 'tiny_zarr_tp2pp2.nemo', 'odd': 'odd_zarr_tp2pp3.nemo', 'tied': 'tied_zarr_tp1pp2.nemo'}


def find(tensors, name):
    """A tied output layer is left out where the same rank holds the embedding, and in arrays."""
    if name not in tensors and name == 'output_layer.weight':
        name = 'embedding.word_embeddings.weight'
    return tensors[name]


with Context() as c:
    with open(os.path.join(c.tests, 'golden', 'reference_sha256.json')) as f:
        reference = json.load(f)
    compared = 0
    for layout in reference.values():
        # NeMo's ranks have each row once: no heads are copied.
        if layout['model'] not in SOURCES or layout['kv'] == 'replicated':
            continue
        tp, pp = layout['tp'], layout['pp']
        source = os.path.join(c.tests, 'golden', 'nemo', SOURCES[layout['model']])
        found = {}
        for container in ('torch', 'zarr'):
            out = c.path(f"{layout['model']}_{tp}_{pp}_{container}.nemo")
            c.run('nemo-convert', source, out, '--to', 'nemo', '--container', container, '--tp', tp, '--pp', pp)
            found[container] = members(out)
        ranks = rank_tensors(found['torch'], tp, pp, MODELS[layout['model']]['layers'])
        arrays = chunks(found['zarr'])
        for rank, tensors in layout['ranks'].items():
            t, p = (int(part[2:]) for part in rank.split('_'))
            own_chunks = {name: data for (name, index), data in arrays.items() if index == t}
            own_chunks = {**{name: data for (name, index), data in arrays.items() if index == 0}, **own_chunks}
            for name, expected in tensors.items():
                for where, data in (('rank file', find(ranks[t, p], name)), ('chunk', find(own_chunks, name))):
                    check(list(data[0]) == expected['shape'], f'{rank} {name}: {where} of {data[0]}')
                    check(hashlib.sha256(data[1]).hexdigest() == expected['sha256'],
                          f"{layout['model']} {rank} {name}: the {where} has not the reference bytes")
                    compared += 1
    check(compared > 1000, f'only {compared} tensors compared')
    print(f'{compared} tensors equal the reference')
