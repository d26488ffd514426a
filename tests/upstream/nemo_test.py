"""Weights of .nemo checkpoints, opened with what Megatron Core opens them with: torch.load, zarr, tensorstore, its own loader.

Each reader is first tried on a checkpoint that Megatron Core wrote, then on what nemo-convert --to nemo makes of it.
"""
import io
import os
import tarfile

import numpy as np
import tensorstore
import torch
import zarr

from common import Context, check
from truth import canonical, pad_rows, same_bits, stacked

PREFIX = 'model.'
THEIRS = [
    # a checkpoint of upstream, its model, what --container calls the form of its weights
    ('odd_zarr_tp2pp3.nemo', 'odd', 'zarr'),
    ('tied_legacy_pp2.nemo', 'tied', 'torch'),
]
OURS = [
    # what we convert, its model, the layout
    ('tiny_zarr_tp1pp1.nemo', 'tiny', ['--tp', '2', '--pp', '2']),
    ('tied_legacy_pp2.nemo', 'tied', ['--pp', '2']),
]


def unpack(archive, directory):
    """Of a .nemo archive; a directory is one already."""
    if os.path.isdir(archive):
        return archive
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter='data')
    return directory


def read_zarr(directory):
    """{name: tensor} of every array below `directory` that is not a byte string. The metadata by zarr, the elements by
    tensorstore, which knows bfloat16."""
    out = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if not os.path.exists(os.path.join(path, '.zarray')) or name.endswith('_extra_state'):
            continue
        array = zarr.open(path, mode='r')
        spec = {'driver': 'zarr', 'kvstore': {'driver': 'file', 'path': path}}
        values = tensorstore.open(spec, open=True).result().read().result()
        check(array.shape == values.shape, f'{path}: shape {array.shape} by zarr, {values.shape} by tensorstore')
        out[name.removeprefix(PREFIX)] = torch.from_numpy(np.ascontiguousarray(values).view(np.int16)).view(torch.bfloat16)
    return out


def read_by_megatron(directory, wanted):
    """The tensors of `wanted` ({name: tensor of its shape}) through megatron.core.dist_checkpointing."""
    from megatron.core import dist_checkpointing
    if not torch.distributed.is_initialized():
        store = torch.distributed.FileStore(os.path.join(os.path.dirname(directory), 'store'), 1)
        torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    sharded = {name: dist_checkpointing.ShardedTensor.from_rank_offsets(PREFIX + name, torch.empty_like(tensor))
               for name, tensor in wanted.items()}
    return {name: value for name, value in dist_checkpointing.load(sharded, directory).items() if torch.is_tensor(value)}


def without_padding(tensors, truth):
    """Vocabulary rows beyond the tokenizer's may hold anything in what others wrote."""
    return {name: value[:truth[name].shape[0]] if name in truth and value.dim() == 2 else value
            for name, value in tensors.items()}


def check_equal(what, tensors, truth):
    check(tensors.keys() == truth.keys(), f'{what}: {sorted(tensors.keys() ^ truth.keys())}')
    for name, value in tensors.items():
        check(same_bits(value, truth[name]), f'{what}: {name} differs')


def check_zarr(directory, truth):
    weights = os.path.join(directory, 'model_weights')
    read = read_zarr(weights)
    check_equal(f'{directory} by tensorstore', without_padding(read, truth), truth)
    check_equal(f'{directory} by Megatron Core', without_padding(read_by_megatron(weights, read), truth), truth)
    return read


def rank_files(directory):
    """Paths below `directory`, pipeline stage after pipeline stage: [[path of each tensor rank]]."""
    found = {}
    for root, _, names in os.walk(directory):
        for name in names:
            if name == 'model_weights.ckpt':
                folder = os.path.relpath(root, directory)
                tp, pp = (int(x) for x in folder[len('tp_rank_'):].split('_pp_rank_')) if '_pp_rank_' in folder else (
                    int(folder.split('_')[-1]) if folder.startswith('mp_rank_') else 0, 0)
                found[pp, tp] = os.path.join(root, name)
    return [[found[pp, tp] for p, tp in sorted(found) if p == pp] for pp in sorted({pp for pp, _ in found})]


def join_ranks(directory, truth):
    """Each rank's file by torch.load, joined as Megatron splits: along the one axis that is shorter than the whole."""
    out, first_layer = {}, 0
    for stage in rank_files(directory):
        ranks = [torch.load(path, weights_only=True, map_location='cpu') for path in stage]
        layers = set()
        for name in ranks[0]:
            parts = name.removeprefix(PREFIX).split('.')
            if name.endswith('_extra_state') or not torch.is_tensor(ranks[0][name]):
                continue
            if parts[:2] == ['decoder', 'layers']:
                layers.add(int(parts[2]))
                parts[2] = str(int(parts[2]) + first_layer)
            whole, values = '.'.join(parts), [rank[name] for rank in ranks]
            axis = next((a for a in range(values[0].dim()) if whole in truth and len(values) > 1
                         and a != 0 and values[0].shape[a] != truth[whole].shape[a]), 0)
            split = len(values) > 1 and values[0].dim() == 2
            if not split:
                check(all(same_bits(v, values[0]) for v in values), f'{directory}: copies of {whole} differ')
            out[whole] = torch.cat(values, axis) if split else values[0]
        first_layer += len(layers)
    return out


def check_torch(directory, truth):
    joined = join_ranks(directory, truth)
    copy = joined.pop('output_layer.weight', None) if 'output_layer.weight' not in truth else None
    if copy is not None:  # the last stage's copy of a shared embedding
        check(same_bits(copy, joined['embedding.word_embeddings.weight']), f'{directory}: the copy of the embedding differs')
    check_equal(f'{directory} by torch.load', without_padding(joined, truth), truth)
    return joined


CHECKS = {'zarr': lambda directory, truth: check_zarr(directory, stacked(truth)), 'torch': check_torch}


def check_padding(tensors, truth):
    """What we write beyond the tokenizer's rows is zeros."""
    for name in ('embedding.word_embeddings.weight', 'output_layer.weight'):
        if name in tensors and name in truth:
            check(same_bits(tensors[name], pad_rows(truth[name], tensors[name].shape[0])), f'{name}: rows of padding')


def main():
    torch.serialization.add_safe_globals([io.BytesIO])  # Transformer Engine's extra states
    with Context() as c:
        golden = os.path.join(c.tests, 'golden')
        for archive, model, form in THEIRS:
            truth = canonical(os.path.join(golden, 'models', model, 'hf'))
            CHECKS[form](unpack(os.path.join(golden, 'nemo', archive), c.path(f'{form}_theirs')), truth)
            print(f'{archive}, as upstream wrote it: {len(truth)} tensors equal')
        for archive, model, layout in OURS:
            truth = canonical(os.path.join(golden, 'models', model, 'hf'))
            for form in CHECKS:
                for name in (f'{model}_{form}.nemo', f'{model}_{form}'):
                    out = c.path(name)
                    c.run('nemo-convert', os.path.join(golden, 'nemo', archive), out, '--to', 'nemo', '--container', form, *layout)
                    check_padding(CHECKS[form](unpack(out, out + '_unpacked'), truth), truth)
                    print(f'{name} {" ".join(layout)}: {len(truth)} tensors equal')


main()
