"""The layout of Nemotron-4-340B, 96 layers and 8 query groups of 12 heads, with tiny widths: two nodes of Slurm convert it to
TP8 x PP4 with 32 ranks and generate with 32 ranks; files and tokens are those of one process, to the bit. Figures: docs/scaling.md.
"""
import json
import os
import random
import re
import tarfile
import time

from common import Context, check, tree_bytes
from slurm_cluster import Cluster

LAYERS, GROUPS, HEADS, CHANNELS, HIDDEN, FFN = 96, 8, 96, 4, 64, 256
TP, PP, SAVED_TP = 8, 4, 8  # SAVED_TP: the chunks of the released archive
TENSORS = [  # name after decoder.layers., shape, axis that tensor parallelism divides
    ('self_attention.linear_qkv.layer_norm_weight', (HIDDEN,), None),
    ('self_attention.linear_qkv.layer_norm_bias', (HIDDEN,), None),
    ('self_attention.linear_qkv.weight', ((HEADS + 2 * GROUPS) * CHANNELS, HIDDEN), 0),
    ('self_attention.linear_proj.weight', (HIDDEN, HEADS * CHANNELS), 1),
    ('mlp.linear_fc1.layer_norm_weight', (HIDDEN,), None),
    ('mlp.linear_fc1.layer_norm_bias', (HIDDEN,), None),
    ('mlp.linear_fc1.weight', (FFN, HIDDEN), 0),
    ('mlp.linear_fc2.weight', (HIDDEN, FFN), 1),
]
# The upper byte of a BF16 value decides its sign and about its size: 0.03 to 0.12, either sign.
UPPER = bytes((0x3d, 0xbd)[i & 1] for i in range(256))


def weights(rng, count):
    data = bytearray(rng.randbytes(2 * count))
    data[1::2] = data[1::2].translate(UPPER)
    return bytes(data)


def write_array(folder, name, shape, axis, layers, rng):
    """A zarr array as Megatron Core writes it: a chunk for each layer and tensor-parallel rank."""
    lead = [layers] if layers else []
    cut = [n // SAVED_TP if a == axis else n for a, n in enumerate(shape)]
    os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, name, '.zarray'), 'w') as f:
        json.dump({'chunks': [1] * len(lead) + cut, 'compressor': None, 'dtype': 'bfloat16', 'fill_value': None, 'filters': None,
                   'order': 'C', 'shape': [*lead, *shape], 'zarr_format': 2}, f)
    count = 1
    for extent in cut:
        count *= extent
    for layer in range(layers or 1):
        for rank in range(1 if axis is None else SAVED_TP):
            grid = [layer] * len(lead) + [rank if a == axis else 0 for a in range(len(shape))]
            with open(os.path.join(folder, name, '.'.join(map(str, grid))), 'wb') as f:
                f.write(weights(rng, count))


def write_checkpoint(demo, folder):
    """The demo model's archive with other sizes and weights."""
    sizes = {'num_layers': LAYERS, 'hidden_size': HIDDEN, 'ffn_hidden_size': FFN, 'num_attention_heads': HEADS, 'kv_channels': CHANNELS,
             'num_query_groups': GROUPS, 'tensor_model_parallel_size': SAVED_TP, 'pipeline_model_parallel_size': PP}
    os.makedirs(os.path.join(folder, 'model_weights'))
    with tarfile.open(demo) as tar:
        for member in tar:
            if member.isreg() and '/model.' not in member.name:
                data = tar.extractfile(member).read()
                if member.name.endswith('model_config.yaml'):
                    text = data.decode()
                    for key, value in sizes.items():
                        text, found = re.subn(rf'(?m)^{key}: .*$', f'{key}: {value}', text)
                        check(found == 1, f'{key} in the demo model: {found} times')
                    data = text.encode()
                with open(os.path.join(folder, member.name), 'wb') as f:
                    f.write(data)
            elif member.name.endswith('/model.embedding.word_embeddings.weight/.zarray'):
                vocabulary = json.load(tar.extractfile(member))['shape'][0]
    rng, root = random.Random(340), os.path.join(folder, 'model_weights')
    for name, shape, axis in TENSORS:
        write_array(root, f'model.decoder.layers.{name}', shape, axis, LAYERS, rng)
    for name in ('embedding.word_embeddings.weight', 'output_layer.weight'):
        write_array(root, f'model.{name}', (vocabulary, HIDDEN), 0, 0, rng)
    for name in ('weight', 'bias'):
        write_array(root, f'model.decoder.final_layernorm.{name}', (HIDDEN,), None, 0, rng)


def timed(run, *args, **options):
    start = time.monotonic()
    return run(*args, **options), time.monotonic() - start


def answer(text):
    out = json.loads(text)
    out.pop('timing')
    return out


with Context() as c:
    source = c.path('saved')
    write_checkpoint(os.path.join(c.tests, 'data', 'shakespeare.nemo'), source)
    flags = ['--tp', str(TP), '--pp', str(PP)]
    generate = ['--json', '--greedy', '--logprobs', '--tokens-to-generate', '3', '--threads', '1', '--prompt', 'To be, or not to be']
    c.run('nemo-convert', source, c.path('one'), *flags)
    expected = answer(c.run('nemo-generate', source, *generate))
    check(len(set(expected['logprob'][0])) > 3, f'no model to tell ranks apart by: {expected}')
    with Cluster(c.path('slurm')) as cluster:
        _, converting = timed(cluster.run, TP * PP, os.path.join(c.bin, 'nemo-convert'), source, c.path('all'), *flags, '--threads', '1')
        check(tree_bytes(c.path('all')) == tree_bytes(c.path('one')), 'conversion by 32 ranks on two nodes: other bytes')
        text, generating = timed(cluster.run, TP * PP, os.path.join(c.bin, 'nemo-generate'), c.path('all'), *generate, *flags)
        check(answer(text) == expected, f'TP{TP} x PP{PP} on two nodes: other tokens or log-probabilities\n{text}\n{expected}')
    print(f'32 ranks on two nodes: converted in {converting:.1f} s, generated in {generating:.1f} s, both as one process does')
