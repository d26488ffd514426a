"""The tensors of a .nemo by the standard library alone: tarfile, zipfile, an unpickler that builds nothing, JSON.

Not our own reader: what it says of an archive is another's word. tests/upstream/nemo_check.py has torch's and zarr's.
"""
import io
import json
import os
import pickle
import re
import tarfile
import zipfile

from common import check


def members(path):
    """{name without "./": bytes} of an archive or a directory."""
    out = {}
    if os.path.isdir(path):
        for root, _, files in os.walk(path):
            for name in files:
                full = os.path.join(root, name)
                with open(full, 'rb') as f:
                    out[os.path.relpath(full, path)] = f.read()
        return out
    with tarfile.open(path, 'r:') as tar:
        for member in tar:
            check(member.name == '.' or member.name.startswith('./'), f'{path}: {member.name}')
            check(member.isdir() or member.isreg(), f'{path}: {member.name} is neither file nor folder')
            if member.isreg():
                name = member.name[2:]
                check(name not in out, f'{path}: {name} twice')
                out[name] = tar.extractfile(member).read()
    return out


class _Rebuilt:
    """What a global of the pickle gives when it is called: its arguments."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *args):
        return (self.name, *args)


class _Unpickler(pickle.Unpickler):
    ALLOWED = {('torch._utils', '_rebuild_tensor_v2'), ('torch', 'BFloat16Storage'), ('collections', 'OrderedDict')}

    def find_class(self, module, name):
        check((module, name) in self.ALLOWED, f'the pickle asks for {module}.{name}')
        return _Rebuilt(name)

    def persistent_load(self, pid):
        return pid


def state_dict(blob):
    """{key: (shape, bytes)} of a torch file of dense bf16 tensors; other values are None. zipfile compares the CRC-32s."""
    archive = zipfile.ZipFile(io.BytesIO(blob))
    check(archive.testzip() is None, 'a checksum of the torch file is wrong')
    root = archive.namelist()[0].split('/')[0]
    out = {}
    for key, value in _Unpickler(io.BytesIO(archive.read(f'{root}/data.pkl'))).load().items():
        if value is None:
            out[key] = None
            continue
        kind, storage, offset, shape, strides, *_ = value
        count, dense = 1, []
        for extent in reversed(shape):
            dense.insert(0, count)
            count *= extent
        check(kind == '_rebuild_tensor_v2' and offset == 0 and tuple(dense) == strides, f'{key}: {value}')
        check(storage[0] == 'storage' and storage[1].name == 'BFloat16Storage' and storage[4] == count, f'{key}: {storage}')
        data = archive.read(f'{root}/data/{storage[2]}')
        check(len(data) == 2 * count, f'{key}: {len(data)} bytes')
        out[key] = (tuple(shape), data)
    return out


def rank_tensors(files, tp, pp, layers):
    """{(tp_rank, pp_rank): {canonical name: (shape, bytes)}} of rank files."""
    out = {}
    for t in range(tp):
        for p in range(pp):
            folder = '' if tp * pp == 1 else f'mp_rank_{t:02d}/' if pp == 1 else f'tp_rank_{t:02d}_pp_rank_{p:03d}/'
            tensors = {}
            for key, value in state_dict(files[folder + 'model_weights.ckpt']).items():
                if key.endswith('_extra_state'):
                    check(value is None, key)
                    continue
                check(key.startswith('model.'), key)
                name = re.sub(r'(?<=^decoder\.layers\.)\d+', lambda m: str(int(m[0]) + p * layers // pp), key[6:])
                tensors[name] = value
            out[t, p] = tensors
    return out


def chunks(files):
    """{(canonical name, index of the tensor-parallel rank): (shape, bytes)} of zarr arrays, a chunk for each."""
    out = {}
    for name in files:
        if not name.endswith('/.zarray'):
            continue
        meta = json.loads(files[name])
        check(meta['dtype'] == 'bfloat16' and meta['compressor'] is None and meta['zarr_format'] == 2, name)
        key = name.split('/')[1]
        check(key.startswith('model.'), key)
        grid = [s // c for s, c in zip(meta['shape'], meta['chunks'])]
        index = [0] * len(grid)
        stacked = key.startswith('model.decoder.layers.')
        while index is not None:
            data = files[f'model_weights/{key}/{".".join(map(str, index))}']
            size = 2
            for extent in meta['chunks']:
                size *= extent
            check(len(data) == size, f'{name} {index}: {len(data)} bytes')
            canonical, shape = key[6:], meta['chunks']
            if stacked:
                check(shape[0] == 1, name)
                canonical = canonical.replace('layers.', f'layers.{index[0]}.', 1)
                shape = shape[1:]
            out[canonical, max(index[1 if stacked else 0:])] = (tuple(shape), data)
            for axis in reversed(range(len(grid) + 1)):
                if axis == 0:
                    index = None
                    break
                index[axis - 1] += 1
                if index[axis - 1] < grid[axis - 1]:
                    break
                index[axis - 1] = 0
    return out
