"""One flipped bit anywhere in a checkpoint that torch wrote: no conversion and no check lets it pass, and nothing is left.

Entries of torch's zip files beyond 1 MiB are proved while they are read (docs/formats/torch.md), so the bit may lie where
only the last read comes, or in vocabulary rows that no output has.
"""
import io
import os
import re
import struct
import tarfile
import zipfile

import torch

from common import Context, check

HIDDEN, FFN, HEADS, GROUPS, LAYERS, ROWS = 512, 2048, 8, 4, 2, 4096
SIZES = {'num_layers': LAYERS, 'hidden_size': HIDDEN, 'ffn_hidden_size': FFN, 'num_attention_heads': HEADS,
         'num_query_groups': GROUPS, 'kv_channels': 'null', 'tensor_model_parallel_size': 1,
         'pipeline_model_parallel_size': 1}
BASE = 'tiny_zarr_tp1pp1.nemo'  # its configuration with other sizes, and its tokenizer of 2048 pieces


def weights():
    """Random, in the order in which torch.save numbers them."""
    torch.manual_seed(7)
    head = HIDDEN // HEADS
    out = {'embedding.word_embeddings.weight': torch.randn(ROWS, HIDDEN)}
    for i in range(LAYERS):
        layer = f'decoder.layers.{i}.'
        out[layer + 'self_attention.linear_qkv.weight'] = torch.randn((HEADS + 2 * GROUPS) * head, HIDDEN)
        out[layer + 'self_attention.linear_proj.weight'] = torch.randn(HIDDEN, HIDDEN)
        out[layer + 'mlp.linear_fc1.weight'] = torch.randn(FFN, HIDDEN)
        out[layer + 'mlp.linear_fc2.weight'] = torch.randn(HIDDEN, FFN)
        for norm in ('self_attention.linear_qkv.layer_norm_', 'mlp.linear_fc1.layer_norm_'):
            out[layer + norm + 'weight'], out[layer + norm + 'bias'] = torch.randn(HIDDEN), torch.randn(HIDDEN)
    out['decoder.final_layernorm.weight'], out['decoder.final_layernorm.bias'] = torch.randn(HIDDEN), torch.randn(HIDDEN)
    out['output_layer.weight'] = torch.randn(ROWS, HIDDEN)
    return {'model.' + name: tensor.bfloat16() for name, tensor in out.items()}


def write_archive(base, path):
    """Returns {name: (where its bytes begin in the archive, how many)}."""
    state = weights()
    torch.save(state, path + '.ckpt')
    with tarfile.open(base) as old, tarfile.open(path, 'w') as new:
        for member in old.getmembers():
            if member.isfile() and member.name.endswith(('.yaml', '.model')):
                data = old.extractfile(member).read()
                for name, value in SIZES.items() if member.name.endswith('.yaml') else ():
                    data, count = re.subn(rf'(?m)^{name}: .*$'.encode(), f'{name}: {value}'.encode(), data)
                    check(count == 1, f'{base}: {count} lines with {name}')
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        new.add(path + '.ckpt', './model_weights.ckpt')
    os.remove(path + '.ckpt')
    places = {}
    with open(path, 'rb') as f, tarfile.open(path) as archive:
        member = archive.getmember('./model_weights.ckpt')
        entries, begin = zipfile.ZipFile(archive.extractfile(member)), member.offset_data
        for number, (name, tensor) in enumerate(state.items()):
            entry = next(e for e in entries.infolist() if e.filename.endswith(f'/data/{number}'))
            check(entry.file_size == tensor.numel() * 2, f'{name}: {entry.file_size} bytes')
            f.seek(begin + entry.header_offset + 26)
            name_size, extra_size = struct.unpack('<HH', f.read(4))
            places[name] = begin + entry.header_offset + 30 + name_size + extra_size, entry.file_size
    return places


def flip(path, position):
    with open(path, 'r+b') as f:
        f.seek(position)
        byte = f.read(1)[0]
        f.seek(position)
        f.write(bytes([byte ^ 4]))


def spots(places):
    """(what, position) of a byte in every kind of entry: first, last, in rows that outputs leave out."""
    for name in ('model.embedding.word_embeddings.weight', 'model.output_layer.weight',
                 'model.decoder.layers.1.mlp.linear_fc2.weight', 'model.decoder.layers.0.self_attention.linear_proj.weight',
                 'model.decoder.layers.1.mlp.linear_fc1.layer_norm_bias'):
        begin, size = places[name]
        for position in (0, size // 2 + 1, size - 1):
            yield f'{name} byte {position}', begin + position


def main():
    with Context() as c:
        source = c.path('x.nemo')
        places = write_archive(os.path.join(c.tests, 'golden', 'nemo', BASE), source)
        intact = c.path('intact')
        c.run('nemo-convert', source, intact, '--tp', 2, '--container', 'safetensors')
        c.run('nemo-validate', source, intact)
        before, count = sorted(os.listdir(c.dir)), 0
        for what, position in spots(places):
            flip(source, position)
            for flags in (['--to', 'hf'], ['--tp', 2, '--pp', 2], ['--tp', 4, '--container', 'safetensors']):
                c.run('nemo-convert', source, c.path('out'), *flags, expect=3)
                check('CRC-32' in c.stderr and '/data/' in c.stderr, f'{what} {flags}: {c.stderr}')
                check(sorted(os.listdir(c.dir)) == before, f'{what} {flags}: left {sorted(os.listdir(c.dir))}')
            for command in (['nemo-validate', source], ['nemo-validate', source, intact], ['nemo-inspect', source, '--stats']):
                c.run(*command, expect=3)
                check('CRC-32' in c.stderr, f'{what}: {command}: {c.stderr}')
            flip(source, position)
            count += 1
        c.run('nemo-validate', source, intact)
        print(f'{count} flipped bits found by 3 conversions and 3 checks each')


main()
