"""Native shard sets, opened with the packages that users have: safetensors, h5py, and hdf5plugin where data are compressed.

Every shard must hold the bits of its box of the Hugging Face model, whatever the container.
"""
import json
import os

import h5py
import hdf5plugin  # noqa: F401 (h5py finds the zstd filter through it)
import numpy as np
import torch
from safetensors import safe_open

from common import Context, check
from truth import canonical, pad_rows, same_bits

CASES = [
    # archive, model, layout
    ('tiny_zarr_tp2pp2.nemo', 'tiny', ['--tp', '2', '--pp', '2']),
    ('odd_realnemo_zarr.nemo', 'odd', ['--tp', '2', '--pp', '3']),
]
CONTAINERS = [('safetensors', []), ('hdf5', []), ('hdf5', ['--compress', 'zstd'])]


def read_safetensors(path):
    with safe_open(path, 'pt') as f:
        return {name: f.get_tensor(name) for name in f.keys()}


def read_hdf5(path):
    """h5py shows the bfloat16 type as float32, with the same values; so NaN payloads are not compared here."""
    with h5py.File(path) as f:
        return {name: torch.from_numpy(f[name][...].astype(np.float32)).bfloat16() for name in f}


def is_compressed(path):
    with h5py.File(path) as f:
        return any(str(hdf5plugin.Zstd.filter_id) in f[name]._filters for name in f)


def box(offset, extent):
    return tuple(slice(o, o + n) for o, n in zip(offset, extent))


def check_set(directory, truth):
    """Returns how many shards there were."""
    with open(os.path.join(directory, 'manifest.json')) as f:
        manifest = json.load(f)
    read, count, files = {'.h5': read_hdf5, '.safetensors': read_safetensors}, 0, {}
    for tensor in manifest['tensors']:
        whole = truth[tensor['name']]
        if whole.shape[0] < tensor['shape'][0]:
            whole = pad_rows(whole, tensor['shape'][0])
        for shard in tensor['shards']:
            path = os.path.join(directory, shard['file'])
            if path not in files:
                files[path] = read[os.path.splitext(path)[1]](path)
            values = files[path][shard['stored_name']]
            for part in shard['parts']:
                check(same_bits(values[box(part['local'], part['extent'])], whole[box(part['offset'], part['extent'])]),
                      f'{path}: {tensor["name"]} differs')
            count += 1
    check(count == sum(map(len, files.values())), f'{directory}: tensors that the manifest does not list')
    check({t['name'] for t in manifest['tensors']} == set(truth), f'{directory}: {len(manifest["tensors"])} tensors')
    return count


def main():
    with Context() as c:
        for archive, model, layout in CASES:
            truth = canonical(os.path.join(c.tests, 'golden', 'models', model, 'hf'))
            for container, flags in CONTAINERS:
                out = c.path('_'.join([model, container, *flags]))
                c.run('nemo-convert', os.path.join(c.tests, 'golden', 'nemo', archive), out, '--container', container, *layout, *flags)
                shards = check_set(out, truth)
                for name in os.listdir(out):
                    if name.endswith('.h5'):
                        check(is_compressed(os.path.join(out, name)) == bool(flags), f'{name}: compressed, or not')
                print(f'{archive} {" ".join(layout)} {container} {" ".join(flags)}: {shards} shards equal')


main()
