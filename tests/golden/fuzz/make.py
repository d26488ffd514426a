"""Writes the seeds of the fuzz targets into the folders beside this file: small inputs of each kind, and inputs made to hurt.

They are no oracles, and torch does not write the same bytes twice. Made with torch 2.15 for the files of torch.save and of its
distributed checkpoints; with the path of nemo-convert the shard sets (native_*) that it makes of HF_FILES below. zstd_frames/
has frames of our own encoder: 4200 bfloat16 weights, 300 pairs at level 5.
Run: python make.py [NEMO-CONVERT]
"""
import argparse
import collections
import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import shutil
import tarfile
import tempfile
import zipfile

import torch
import torch.distributed.checkpoint as dcp

LAYERS, HIDDEN, FFN, HEADS, GROUPS, HEAD, VOCAB = 1, 4, 4, 2, 1, 2, 4
HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)


def write(target, name, data):
    folder = os.path.join(HERE, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def tree(files):
    return b'\n'.join(b'=== ' + name.encode() + b'\n' + (data if isinstance(data, bytes) else data.encode())
                      for name, data in sorted(files.items()))


def folder_files(path):
    found = {}
    for root, _, names in os.walk(path):
        for name in names:
            full = os.path.join(root, name)
            with open(full, 'rb') as f:
                found[os.path.relpath(full, path)] = f.read()
    return found


# ---- the model ----

QKV = (HEADS + 2 * GROUPS) * HEAD
SHAPES = {'embedding.word_embeddings.weight': (VOCAB, HIDDEN), 'decoder.final_layernorm.weight': (HIDDEN,),
          'decoder.final_layernorm.bias': (HIDDEN,), 'output_layer.weight': (VOCAB, HIDDEN)}
LAYER = {'self_attention.linear_qkv.layer_norm_weight': (HIDDEN,), 'self_attention.linear_qkv.layer_norm_bias': (HIDDEN,),
         'self_attention.linear_qkv.weight': (QKV, HIDDEN), 'self_attention.linear_proj.weight': (HIDDEN, HEADS * HEAD),
         'mlp.linear_fc1.layer_norm_weight': (HIDDEN,), 'mlp.linear_fc1.layer_norm_bias': (HIDDEN,),
         'mlp.linear_fc1.weight': (FFN, HIDDEN), 'mlp.linear_fc2.weight': (HIDDEN, FFN)}
SHAPES.update({f'decoder.layers.{i}.{name}': shape for i in range(LAYERS) for name, shape in LAYER.items()})
STATE = collections.OrderedDict((name, torch.randn(shape).to(torch.bfloat16)) for name, shape in SHAPES.items())


def raw(tensor):
    return tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.dim() else b'\0\0'


def saved(obj, **options):
    out = io.BytesIO()
    torch.save(obj, out, **options)
    return out.getvalue()


CONFIG = f'''encoder_seq_length: 16
num_layers: {LAYERS}
hidden_size: {HIDDEN}
ffn_hidden_size: {FFN}
num_attention_heads: {HEADS}
num_query_groups: {GROUPS}
kv_channels: {HEAD}
normalization: layernorm1p
activation: squared-relu
position_embedding_type: rope
rotary_percentage: 1.0
share_embeddings_and_output_weights: false
bias: false
'''
CONFIG_WORDS = '''model:
  encoder_seq_length: 16
  max_position_embeddings: ${.encoder_seq_length}
  num_layers: 1
  hidden_size: 4
  ffn_hidden_size: ${multiply:4, ${.hidden_size}}
  num_attention_heads: ${divide_ceil:${.hidden_size}, 2}
  kv_channels: null
  normalization: layernorm
  activation: squared-relu
  position_embedding_type: rope
  tensor_model_parallel_size: ${oc.select:trainer.devices,1}
  tokenizer: {library: sentencepiece, tokenizer_model: "nemo:${model.hash}_t.model"}
  hash: 'ab'
  window_size: null
  data_prefix: \\${x}
'''
CONFIG2 = f'''_target_: nemo.collections.llm.gpt.model.nemotron.NemotronModel
config:
  _target_: nemo.collections.llm.gpt.model.nemotron.NemotronConfig
  activation_func: {{_call_: false, _target_: nemo.collections.llm.fn.activation.squared_relu}}
  ffn_hidden_size: {FFN}
  hidden_size: {HIDDEN}
  kv_channels: {HEAD}
  layernorm_zero_centered_gamma: true
  normalization: LayerNorm
  num_attention_heads: {HEADS}
  num_layers: {LAYERS}
  num_query_groups: {GROUPS}
  position_embedding_type: rope
  rotary_percent: 1.0
  seq_length: 16
  share_embeddings_and_output_weights: false
tokenizer: {{_target_: a.b.SomeTokenizer, model_path: x.model}}
'''


# ---- text ----

write('json', 'plain', '{"a": [1, -2, 3.5e-3, true, false, null, "\\u00e9\\n"], "b": {"c": {}, "d": []}, "e": 18446744073709551615}')
write('json', 'deep', '[' * 199 + ']' * 199)
write('json', 'numbers', '[0,1]')
write('yaml', 'plain', CONFIG)
write('yaml', 'kinds', 'a: &x [1, 0x1f, 1e-5, .inf, ~, yes, "no", \'q\']\nb: *x\nc: {d: |\n  text\n  more\n}\ne: >-\n  folded\n? f\n: g\n')
write('yaml', 'bomb', 'a: &a [x,x,x,x,x,x,x,x,x]\n' + ''.join(
    f'{n}: &{n} [{",".join(["*" + p] * 9)}]\n' for p, n in zip('abcdefgh', 'bcdefghi')))
write('yaml', 'long_text_many_aliases', 'a: &a ' + 'x' * 1500 + '\nb: [' + ','.join(['*a'] * 800) + ']\n')
write('nemo_config', 'plain', CONFIG)
write('nemo_config', 'interpolations', CONFIG_WORDS)
write('nemo_config', 'doubling_text', CONFIG + 'window_size: ${a0}\n' + ''.join(
    f'a{i}: ${{a{i + 1}}}${{a{i + 1}}}\n' for i in range(12)) + 'a12: xyz\n')
write('nemo_config', 'many_copies_of_a_mapping', CONFIG + 'big: {' + ','.join(f'k{i}: {i}' for i in range(150)) +
      '}\nwindow_size: "${multiply:' + ','.join(['${big}'] * 200) + '}"\n')
write('nemo_config', 'many_paths_through_a_mapping', CONFIG + 'p: ${big}\nbig: {q: 1, ' + ','.join(
    f'k{i}: {i}' for i in range(150)) + '}\nwindow_size: "' + '${p.q}' * 300 + '"\n')
write('nemo_config', 'cycle', CONFIG + 'window_size: ${a}\na: ${b}\nb: ${a}\n')
write('nemo2_config', 'plain', CONFIG2)

HF = {'architectures': ['NemotronForCausalLM'], 'model_type': 'nemotron', 'attention_bias': False, 'head_dim': HEAD, 'hidden_act': 'relu2',
      'hidden_size': HIDDEN, 'intermediate_size': FFN, 'max_position_embeddings': 16, 'norm_eps': 1e-05, 'num_attention_heads': HEADS,
      'num_hidden_layers': LAYERS, 'num_key_value_heads': GROUPS, 'rope_parameters': {'partial_rotary_factor': 1.0, 'rope_theta': 10000.0},
      'tie_word_embeddings': False, 'vocab_size': VOCAB}
OLD = {k: v for k, v in HF.items() if k != 'rope_parameters'} | {'rope_theta': 500, 'partial_rotary_factor': 1, 'rope_scaling': None}
write('hf_config', 'version_5', json.dumps(HF))
write('hf_config', 'version_4', json.dumps(OLD, indent=2))
write('hf_index', 'plain', json.dumps({'metadata': {'total_size': 24, 'total_parameters': 12}, 'weight_map': {
    'a': 'model-00001-of-00002.safetensors', 'b': 'model-00002-of-00002.safetensors'}}))


# ---- containers ----

def safetensors(tensors, metadata=None):
    header, data = ({'__metadata__': metadata} if metadata else {}), b''
    for name, tensor in tensors.items():
        dtype = {torch.bfloat16: 'BF16', torch.float32: 'F32'}[tensor.dtype]
        part = raw(tensor)
        header[name] = {'dtype': dtype, 'shape': list(tensor.shape), 'data_offsets': [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + data


SMALL = {'a': torch.randn(2, 3).to(torch.bfloat16), 'b': torch.randn(5), 'c': torch.zeros(0, 4), 'd': torch.tensor(1.0).to(torch.bfloat16)}
write('safetensors', 'plain', safetensors(SMALL, {'format': 'pt'}))
write('safetensors', 'empty', struct.pack('<Q', 2) + b'{}')


def zarr(tensor, chunks, separator='.'):
    grid = [-(-s // c) for s, c in zip(tensor.shape, chunks)]
    meta = {'zarr_format': 2, 'shape': list(tensor.shape), 'chunks': list(chunks), 'dtype': 'bfloat16', 'compressor': None,
            'fill_value': None, 'filters': None, 'order': 'C'}
    if separator != '.':
        meta['dimension_separator'] = separator
    files = {'.zarray': json.dumps(meta)}
    for flat in range(torch.Size(grid).numel()):
        index, rest = [], flat
        for g in reversed(grid):
            index.insert(0, rest % g)
            rest //= g
        padded = torch.zeros(chunks, dtype=torch.bfloat16)
        part = tensor[tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks))]
        padded[tuple(slice(0, s) for s in part.shape)] = part
        files[separator.join(map(str, index)) or '0'] = raw(padded)
    return files


A = torch.randn(3, 5).to(torch.bfloat16)
write('zarr', 'chunks', tree({f'a.b/{k}': v for k, v in zarr(A, (2, 3)).items()} | {f'c/{k}': v for k, v in zarr(A[0], (5,)).items()}))
write('zarr', 'slashes', tree({f'a/{k}': v for k, v in zarr(A, (2, 3), '/').items()}))


def archive(files, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue().rstrip(b'\0') + b'\0' * 1024


MEMBERS = {'./model_config.yaml': b'a: 1\n', './model_weights/x/0.0': b'12345'}
LONG = {'./' + 'd' * 90 + '/' + 'n' * 120: b'x'}
write('tar', 'ustar', archive(MEMBERS, tarfile.USTAR_FORMAT))
write('tar', 'gnu_long', archive(LONG, tarfile.GNU_FORMAT))
write('tar', 'pax_long', archive(LONG, tarfile.PAX_FORMAT))
write('gzip', 'one_member', gzip.compress(archive(MEMBERS, tarfile.USTAR_FORMAT), mtime=0))
write('gzip', 'two_members', gzip.compress(b'first', mtime=0) + gzip.compress(b'second' * 100, mtime=0) + b'\0' * 16)
write('gzip', 'stored', gzip.compress(bytes(range(256)), compresslevel=0, mtime=0))
write('gzip', 'zeros', gzip.compress(bytes(3 << 20), mtime=0))


# ---- pickles and torch files ----

STATE_SMALL = collections.OrderedDict(a=A, b=A.t(), c=torch.nn.Parameter(A[0]), n={'inner': {'w': A[1]}}, step=3)
write('torch_zip', 'small', saved(STATE_SMALL))
write('torch_stream', 'small', saved(STATE_SMALL, _use_new_zipfile_serialization=False))
STREAM = saved(collections.OrderedDict(a=A[0]), _use_new_zipfile_serialization=False)
write('torch_stream', 'one_tensor', STREAM)
write('pickle', 'state_dict', zipfile.ZipFile(io.BytesIO(saved(STATE_SMALL))).read('archive/data.pkl'))
for protocol in (2, 3, 4, 5):
    write('pickle', f'values_{protocol}', pickle.dumps(
        [None, True, 1, 300, 70000, -5, 2**40, 2**70, 0.5, 'text', b'bytes', (1, 2, 3, 4), {'k': {1, 2}}, frozenset({3}), bytearray(b'x'),
         collections.OrderedDict(a=1)], protocol=protocol))
write('pickle', 'cycle', b'\x80\x02]q\x00h\x00a.')
write('pickle', 'many_small_tuples', b'\x80\x02(' + b'N\x85' * 500 + b't.')


def zip_of(pickled, storages):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as z:
        for name, data in [('data.pkl', pickled)] + [('data/' + key, data) for key, data in storages.items()]:
            z.writestr(zipfile.ZipInfo('archive/' + name), data)
    return out.getvalue()


def text(s):
    return b'X' + struct.pack('<I', len(s)) + s.encode()


STORAGE = b'(' + text('storage') + b'ctorch\nFloatStorage\n' + text('0') + text('cpu') + b'K\x01tQ'


def tensor(shape, strides):
    return b'ctorch._utils\n_rebuild_tensor_v2\n(' + STORAGE + b'K\x00' + shape + strides + b'\x89}tR'


# A tensor and a key that stand in many places: the file is small, what is made of it need not be.
write('torch_zip', 'many_axes', zip_of(b'\x80\x02}(' + b''.join(
    text(f'k{i}') + (tensor(b'(' + b'K\x01' * 300 + b'tq\x01', b'h\x01') + b'q\x02' if i == 0 else b'h\x02') for i in range(300)) + b'u.',
    {'0': bytes(4)}))
write('torch_zip', 'long_prefix', zip_of(b'\x80\x02}(' + text('p' * 3000) + b'}(' + b''.join(
    text(f'k{i}') + (tensor(b')', b')') + b'q\x02' if i == 0 else b'h\x02') for i in range(400)) + b'uu.', {'0': bytes(4)}))
NEST = b'}(' + b''.join(text(str(i)) + (tensor(b')', b')') + b'q\x02' if i == 0 else b'h\x02') for i in range(6)) + b'u'
for level in range(7):
    NEST = b'}(' + text('0') + NEST + b'q' + bytes([3 + level]) + b''.join(text(str(i)) + b'h' + bytes([3 + level]) for i in range(1, 6)) + b'u'
write('torch_zip', 'shared_dicts', zip_of(b'\x80\x02' + NEST + b'.', {'0': bytes(4)}))
write('torch_stream', 'one_key_many_times', STREAM[:15] + pickle.dumps(1001, 2) + pickle.dumps(
    dict(protocol_version=1001, little_endian=True, type_sizes={}), 2) + pickle.dumps({}, 2) +
    b'\x80\x02](' + text('k' * 3000) + b'q\x01' + b'h\x01' * 3000 + b'e.')

ARGS = argparse.Namespace(
    num_layers=LAYERS, hidden_size=HIDDEN, ffn_hidden_size=FFN, num_attention_heads=HEADS, kv_channels=HEAD, group_query_attention=True,
    num_query_groups=GROUPS, max_position_embeddings=16, vocab_size=None, position_embedding_type='rope', rotary_percent=1.0,
    normalization='LayerNorm', norm_epsilon=1e-05, apply_layernorm_1p=True, untie_embeddings_and_output_weights=True, squared_relu=True,
    swiglu=False, num_experts=None, tensor_model_parallel_size=1, pipeline_model_parallel_size=1)
write('megatron_args', 'plain', pickle.dumps({'args': ARGS, 'checkpoint_version': 3.0}, 2))
write('megatron_args', 'protocol_4', pickle.dumps({'args': ARGS}, 4))


def distributed(state):
    with tempfile.TemporaryDirectory() as folder:
        dcp.save(state, checkpoint_id=folder, no_dist=True)
        return folder_files(folder)


write('dcp', 'plain', tree(distributed({'a': A, 'b': A[0].clone()})))


def metadata(chunks, places, names):
    """A .metadata by hand: `names` share one list of chunks; `places` are the pairs of an object, which may repeat."""
    m = b'ctorch.distributed.checkpoint.metadata\n'
    size = b'ctorch\nSize\n(K\x01\x85tR'
    chunk = m + b'ChunkStorageMetadata\n)\x81}(' + text('offsets') + b'K\x00\x85' + text('sizes') + b'K\x01\x85ub'
    properties = m + b'TensorProperties\n)\x81(ctorch\nfloat32\ntb'
    stored = (m + b'TensorStorageMetadata\n)\x81}(' + text('properties') + properties + text('size') + size + text('chunks') + b'](' +
              chunk + b'q\x05' + b'h\x05' * (chunks - 1) + b'eub')
    info = b'cx\n_StorageInfo\n)\x81}(' + text('relative_path') + text('__0_0.distcp') + text('offset') + b'K\x00' + text('length') + b'K\x00ub'
    index = lambda name: m + b'MetadataIndex\n)\x81}(' + text('fqn') + name + text('offset') + b'K\x00\x85ub'  # noqa: E731
    entries = b''.join(text(n) + (stored + b'q\x06' if i == 0 else b'h\x06') for i, n in enumerate(names))
    where = b''.join(index(text(n)) + (info + b'q\x07' if i == 0 else b'h\x07') for i, n in enumerate(names[:places]))
    return (b'\x80\x02' + m + b'Metadata\n)\x81}(' + text('state_dict_metadata') + b'}(' + entries + b'u' + text('storage_data') + b'}(' + where +
            b'uub.')


NAMES = [f't{i}' for i in range(40)]
write('dcp', 'one_list_of_chunks_for_all', tree({'.metadata': metadata(400, 40, NAMES), '__0_0.distcp': b''}))
repeated = metadata(1, 1, ['t' * 3000])
at = repeated.index(text('t' * 3000))
key = text('t' * 3000)
entries_end = repeated.index(b'u' + text('storage_data'))
once = repeated[at + len(key):entries_end]
twice = repeated[:at].replace(b'}(' + text('state_dict_metadata') + b'}(', b'}(' + text('state_dict_metadata') + b'cx\nY\n)\x81(')
write('dcp', 'one_name_many_times', tree({'.metadata': twice + key + b'q\x08' + once + b'h\x08h\x06' * 1500 + repeated[entries_end:],
                                          '__0_0.distcp': b''}))


# ---- checkpoints ----

def stacked(prefix):
    arrays = {}
    for name, value in STATE.items():
        if name.startswith('decoder.layers.'):
            arrays['model.decoder.layers.' + name.split('.', 3)[3]] = value.unsqueeze(0)
        else:
            arrays['model.' + name] = value
    return {f'{prefix}{key}/{k}': v for key, value in arrays.items() for k, v in zarr(value, tuple(value.shape)).items()}


META = '{"sharded_backend": "%s", "sharded_backend_version": 1, "common_backend": "torch", "common_backend_version": 1}'
DCP = distributed({'model.' + name: value for name, value in STATE.items()})
LEGACY = saved({'state_dict': collections.OrderedDict(('model.' + name, value) for name, value in STATE.items())})
write('nemo_tree', 'zarr', tree({'model_config.yaml': CONFIG, 'model_weights/metadata.json': META % 'zarr',
                                 'model_weights/common.pt': saved({'iteration': 1})} | stacked('model_weights/')))
write('nemo_tree', 'torch_dist', tree({'model_config.yaml': CONFIG, 'model_weights/metadata.json': META % 'torch_dist'} |
                                      {'model_weights/' + k: v for k, v in DCP.items()}))
write('nemo_tree', 'one_rank', tree({'model_config.yaml': CONFIG, 'model_weights.ckpt': LEGACY}))
HALVES = []
TWO_GROUPS = STATE | {'decoder.layers.0.self_attention.linear_qkv.weight': torch.randn((HEADS + 4) * HEAD, HIDDEN).to(torch.bfloat16)}
for rank in range(2):
    part = collections.OrderedDict()
    for name, value in TWO_GROUPS.items():
        axis = 0 if 'embed' in name or 'output' in name or 'linear_fc1.weight' in name or 'qkv.weight' in name else 1
        half = 'norm' not in name
        part['model.' + name] = value.chunk(2, axis)[rank].clone() if half else value
    HALVES.append(saved(part))
write('nemo_tree', 'two_ranks', tree({'model_config.yaml': CONFIG.replace('groups: 1', 'groups: 2') + 'tensor_model_parallel_size: 2\n',
                                      'mp_rank_00/model_weights.ckpt': HALVES[0], 'mp_rank_01/model_weights.ckpt': HALVES[1]}))
FAR = {k.replace('model.decoder.layers.', 'model.decoder.layers.99999.'): v for k, v in stacked('model_weights/').items()}
write('nemo_tree', 'a_far_layer', tree({'model_config.yaml': CONFIG.replace('num_layers: 1', 'num_layers: 100000'),
                                        'model_weights/metadata.json': META % 'zarr'} | FAR))
write('nemo_tree', 'a_far_layer_of_a_rank', tree({
    'model_config.yaml': CONFIG.replace('num_layers: 1', 'num_layers: 100000'),
    'model_weights.ckpt': saved(collections.OrderedDict((n.replace('layers.0.', 'layers.99999.'), v) for n, v in STATE.items()))}))

write('checkpoint', 'nemo2', tree({'context/model.yaml': CONFIG2, 'weights/metadata.json': META % 'zarr'} | stacked('weights/')))
write('checkpoint', 'megatron', tree({'latest_checkpointed_iteration.txt': '5', 'iter_0000005/mp_rank_00/model_optim_rng.pt': saved(
    {'args': ARGS, 'checkpoint_version': 3.0, 'model': STATE})}))
HF_STATE, QKV_W = {}, STATE['decoder.layers.0.self_attention.linear_qkv.weight']
for ours, theirs in (('embedding.word_embeddings.weight', 'model.embed_tokens.weight'), ('decoder.final_layernorm.weight', 'model.norm.weight'),
                     ('decoder.final_layernorm.bias', 'model.norm.bias'), ('output_layer.weight', 'lm_head.weight')):
    HF_STATE[theirs] = STATE[ours]
for ours, theirs in (('self_attention.linear_qkv.layer_norm_weight', 'input_layernorm.weight'),
                     ('self_attention.linear_qkv.layer_norm_bias', 'input_layernorm.bias'),
                     ('self_attention.linear_proj.weight', 'self_attn.o_proj.weight'),
                     ('mlp.linear_fc1.layer_norm_weight', 'post_attention_layernorm.weight'),
                     ('mlp.linear_fc1.layer_norm_bias', 'post_attention_layernorm.bias'), ('mlp.linear_fc1.weight', 'mlp.up_proj.weight'),
                     ('mlp.linear_fc2.weight', 'mlp.down_proj.weight')):
    HF_STATE['model.layers.0.' + theirs] = STATE['decoder.layers.0.' + ours]
for i, x in enumerate('qkv'):
    rows = (slice(0, HEADS * HEAD), slice(HEADS * HEAD, HEADS * HEAD + HEAD), slice(HEADS * HEAD + HEAD, None))[i]
    HF_STATE[f'model.layers.0.self_attn.{x}_proj.weight'] = QKV_W[rows]
HF_FILES = {'config.json': json.dumps(HF), 'model.safetensors': safetensors(HF_STATE, {'format': 'pt'})}
write('checkpoint', 'hf', tree(HF_FILES))
NAMES = sorted(HF_STATE)
SHARDS = [NAMES[:8], NAMES[8:]]
FILE = 'model-0000%d-of-00002.safetensors'
write('checkpoint', 'hf_shards', tree({'config.json': json.dumps(HF), 'model.safetensors.index.json': json.dumps(
    {'metadata': {'total_size': 1}, 'weight_map': {n: FILE % (i + 1) for i, s in enumerate(SHARDS) for n in s}})} | {
        FILE % (i + 1): safetensors({n: HF_STATE[n] for n in s}) for i, s in enumerate(SHARDS)}))

# Element size 2, entropy coding only; a frame by numcodecs 0.15.2.
write('zstd', 'weights', b'\x01\x00' + raw(torch.randn(300).to(torch.bfloat16)))
write('zstd', 'long_weights', b'\x01\x00' + raw(0.02 * torch.randn(6000).to(torch.bfloat16)))
write('zstd', 'one_value', b'\x01\x00' + bytes(200))
write('zstd', 'frame', b'\x00\x01' + bytes.fromhex('28b52ffd60180075000028000061626302002e1d357e0258'))


# ---- what stands beside weights ----

write('eval_data', 'csv', 'csv question,A,B,answer\n"a ""b"", c",1,"two\nlines",A\r\nplain,,x,B\n')
write('eval_data', 'tsv', 'tsv question,answer\n"a\t1\n\u554f\u984c\t2,125\r\n')
write('eval_data', 'jsonl', 'jsonl\n{"a": 1, "b": ["x", {"c": null}]}\n\n{"a": "\\ud834\\udd1e", "d": 1e300}\n')
write('eval_data', 'json', 'json examples\n{"canary": "x", "examples": [{"input": "a\\nb", "target": "(A)"}, {}]}')
write('eval_data', 'csv_many_rows', 'csv a\n' + 'x\n' * 300)
write('eval_data', 'tsv_many_fields', 'tsv a\n' + '\t' * 400)
write('eval_data', 'csv_open_quote', 'csv a,b\n1,"2' + '""' * 200)
JOURNAL_HEAD = '{"nemo_eval_journal":1,"run":"key"}\n'
write('eval_journal', 'plain', JOURNAL_HEAD + '{"task":"mmlu","doc":3,"responses":[[-8.25,false],[-0.3333333333333333,true]]}\n'
      '{"task":"humaneval","doc":0,"responses":["    return 1\\n","\\u554f"]}\n')
write('eval_journal', 'torn', JOURNAL_HEAD + '{"task":"a","doc":1,"responses":[[-1,true]]}\n{"task":"a","doc":2,"resp')
write('eval_journal', 'another_run', JOURNAL_HEAD.replace('key', 'other'))
write('eval_journal', 'one_sample_many_times', JOURNAL_HEAD + '{"task":"a","doc":1,"responses":[[1,true]]}\n' * 30)
write('eval_journal', 'no_responses', JOURNAL_HEAD + ''.join('{"task":"","doc":%d,"responses":[]}\n' % i for i in range(30)))
CHOICE = """  - name: %s
    kind: multiple_choice
    data: {files: [rows.jsonl]}
    question: '{{line | replace("be", "do") | strip}}'
    choices: {each: names, value: '{{letter}} {{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc, acc_norm]
"""
write('eval_task', 'choices', 'tasks:\n' + CHOICE % 'plain' + 'groups: [{name: all, members: [plain], metrics: ["acc,none"]}]\n')
write('eval_task', 'generate', r"""tasks:
  - name: g
    kind: generate_until
    data: {files: [rows.jsonl], where: {number: 7}}
    fewshot: {samples: [{line: a, right: b, input: c}], draw: random, others_only: false}
    num_fewshot: 1
    fields: {short: '{{line | before(",") | lower}}', all: {each: names, value: '{{item}}', join: '; '}}
    question: "{{short}} {{all}} {{inner.text}}"
    target: '{{right | capitalize}}'
    until: ["\n"]
    filters:
      - {name: a, steps: [{regex: {pattern: 'answer is (\(.\))'}}, strip]}
      - {name: b, take: last, steps: [{choice: {pattern: '[A-Z]', ignore_case: true}}]}
      - {name: c, steps: [{map: {patterns: {'(?i)fig': yes}, ignore_case: true}}]}
      - {name: d, steps: [{number: {pattern: '-?[0-9]+'}}]}
      - {name: e, steps: [word_order]}
    metrics: [exact_match: {ignore_case: true, ignore_punctuation: true, ignore: [',', '\$']}]
""")
write('eval_task', 'code', """tasks:
  - {name: c, kind: code, data: {files: [r.jsonl]}, question: '{{line}}', target: x, program: '{{line}}{{completion}}', metrics: ['pass@1', 'pass@10']}
  - {name: p, kind: perplexity, data: {files: [r.jsonl]}, target: '{{line | remove("[aeiou]") | drop(2)}}', metrics: [byte_perplexity, word_perplexity]}
""")
write('eval_task', 'loop', 'tables: {t: [{n: a, d: [x]}, {n: b, d: [y, z]}]}\ntasks:\n' + (CHOICE % "'${n}'").replace(
    'data:', 'for_each: t\n    until: ${d}\n    data:'))
# Each of these was meant to become gigabytes.
write('eval_task', 'fields_that_double', """tasks:
  - name: d
    kind: perplexity
    data: {files: [rows.jsonl]}
    fields: {a: '{{line}}{{line}}', %s}
    target: '{{z}}'
    metrics: [byte_perplexity]
""" % ', '.join("%s: '{{%s}}{{%s}}'" % (b, a, a) for a, b in zip('abcdefghijklmnopqrstuvwxy', 'bcdefghijklmnopqrstuvwxyz')))
write('eval_task', 'replaced_by_more', """tasks:
  - name: r
    kind: perplexity
    data: {files: [rows.jsonl]}
    target: '{{line%s}}'
    metrics: [byte_perplexity]
""" % (' | replace("o", "oooooooooooooooooooo")' * 10))
write('eval_task', 'a_long_row_many_times', 'tables: {t: [{v: %s}]}\ntasks:\n  - {for_each: t, name: [%s]}\n' % (
    'x' * 900, ','.join(['"${v}"'] * 150)))
write('eval_task', 'many_rows', 'tables: {t: [%s]}\ntasks:\n' % ','.join(['{}'] * 150) + (CHOICE % 'm').replace('data:', 'for_each: t\n    data:'))
write('journal', 'plain', '\n'.join(['{"journal":1,"conversion":"key"}', json.dumps(
    {'file': 'a', 'tensor': 't', 'xxh3': '0' * 32, 'offset': 4096, 'bytes': 32, 'note': 'n'}), json.dumps(
    {'file': 'a', 'size': 4128, 'metadata_xxh3': 'f' * 32}), '{"file": "b", "tens']))


def varint(value):
    out = b''
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


PIECES = b''.join(field(1, field(1, piece.encode()) + b'\x15' + struct.pack('<f', -i) + b'\x18\x01') for i, piece in enumerate(('<unk>', 'a', 'b')))
TRIE = struct.pack('<256I', *([256 << 10] + [0x80000000] * 255)) * 2
write('sentencepiece_model', 'pieces', PIECES + field(2, b'\x18\x02'))
write('sentencepiece_model', 'normaliser', PIECES + field(3, field(1, b'nmt') + field(2, struct.pack('<I', len(TRIE)) + TRIE + b'x\0')))


# ---- golden files of other formats' tests ----

for name in ('zip.pt', 'zip64.pt', 'compressed.pt'):
    shutil.copy(f'{HERE}/../torch/{name}', f'{HERE}/torch_zip/golden_{name}')
shutil.copy(f'{HERE}/../torch/stream.pt', f'{HERE}/torch_stream/golden_stream.pt')
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(f'{HERE}/../hostile/hostile.tar.xz') as tar:
        tar.extractall(folder)
    for archive_name in sorted(os.listdir(folder + '/hostile_public')):
        case = archive_name.split('.')[0]
        if not case.startswith(('cfg_groups', 'cfg_wrong', 'yaml_', 'pickle_')):
            continue
        with tarfile.open(f'{folder}/hostile_public/{archive_name}') as tar:
            for member in tar:
                base = os.path.basename(member.name)
                data = tar.extractfile(member).read() if member.isfile() else b''
                if base == 'model_config.yaml' and not case.startswith('pickle_') and len(data) < 6000:
                    write('nemo_config', 'hostile_' + case, data)
                if base == 'model_weights.ckpt' and case.startswith('pickle_'):
                    inside = zipfile.ZipFile(io.BytesIO(data))
                    pickled = inside.read(next(n for n in inside.namelist() if n.endswith('data.pkl')))
                    if len(pickled) < 8000:
                        write('pickle', 'hostile_' + case, pickled.replace(b'/tmp', b'/var'))

if len(sys.argv) > 1:
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + '/hf')
        for name, data in HF_FILES.items():
            with open(f'{folder}/hf/{name}', 'wb') as f:
                f.write(data if isinstance(data, bytes) else data.encode())
        for kind, flags in (('safetensors', ['--container', 'safetensors']), ('hdf5', []), ('zstd', ['--compress', 'zstd'])):
            out = f'{folder}/{kind}'
            subprocess.run([sys.argv[1], folder + '/hf', out, *flags], check=True, stdout=subprocess.DEVNULL)
            files = folder_files(out)
            write('checkpoint', 'native_' + kind, tree(files))
            write('manifest', 'plain' if kind == 'hdf5' else kind, files['manifest.json'])
