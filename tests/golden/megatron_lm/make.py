"""Writes iter_0000500: models/micro as Megatron-LM keeps it on TP2 x PP2, by Python's pickle and zipfile (see ../torch/make.py).

Names and sizes follow megatron/training/checkpointing.py and arguments.py, the cutting megatron/core/tensor_parallel; the
weights are those of ../models/micro/hf, padded with rows of ones. Run with CPython 3.11 in this folder.
"""
import argparse
import collections
import enum
import json
import os
import struct
import sys
import types

sys.dont_write_bytecode = True
sys.path.insert(0, '../torch')
from make import Storage, Tensor, stand_in, torch, write_zip  # noqa: E402

TP, PP, LAYERS, HIDDEN, FFN, HEADS, GROUPS, HEAD, VOCAB = 2, 2, 2, 32, 64, 4, 2, 8, 1100
PADDED = 1280

with open('../models/micro/hf/model.safetensors', 'rb') as f:
    size = struct.unpack('<Q', f.read(8))[0]
    header, data = json.loads(f.read(size)), f.read()


def rows(name):
    begin, end = header[name]['data_offsets']
    count = header[name]['shape'][0]
    step = (end - begin) // count
    return [data[begin + i * step:begin + (i + 1) * step] for i in range(count)]


def split_rows(matrix, rank):
    part = len(matrix) // TP
    return matrix[rank * part:(rank + 1) * part]


def split_columns(matrix, rank):
    part = len(matrix[0]) // TP
    return [row[rank * part:(rank + 1) * part] for row in matrix]


def qkv(layer):
    q, k, v = (rows(f'model.layers.{layer}.self_attn.{x}_proj.weight') for x in 'qkv')
    per_group, out = HEADS // GROUPS * HEAD, []
    for g in range(GROUPS):
        out += q[g * per_group:(g + 1) * per_group] + k[g * HEAD:(g + 1) * HEAD] + v[g * HEAD:(g + 1) * HEAD]
    return out


def vocabulary(name):
    return rows(name) + [b'\x80\x3f' * HIDDEN] * (PADDED - VOCAB)


class File:
    def __init__(self):
        self.model, self.next_key = collections.OrderedDict(), 0

    def storage(self, kind, raw, item):
        self.next_key += 1
        return Storage(kind, len(raw) // item, str(self.next_key - 1), data=raw)

    def add(self, name, matrix, vector=False):
        raw = b''.join(matrix)
        columns = len(matrix[0]) // 2
        shape, strides = ((len(raw) // 2,), (1,)) if vector else ((len(matrix), columns), (columns, 1))
        self.model[name] = Tensor(self.storage('BFloat16Storage', raw, 2), 0, shape, strides)


class ModelType(enum.Enum):
    encoder_or_decoder = 1


enums = types.ModuleType('megatron.core.enums')
for package in ('megatron', 'megatron.core'):
    sys.modules[package] = types.ModuleType(package)
sys.modules['megatron.core.enums'] = enums
ModelType.__module__, enums.ModelType = 'megatron.core.enums', ModelType
ARGS = argparse.Namespace(
    num_layers=LAYERS, hidden_size=HIDDEN, ffn_hidden_size=FFN, num_attention_heads=HEADS, kv_channels=HEAD,
    group_query_attention=True, num_query_groups=GROUPS, max_position_embeddings=512, vocab_size=None, padded_vocab_size=PADDED,
    make_vocab_size_divisible_by=128, position_embedding_type='rope', rotary_percent=0.5, rotary_base=10000,
    rotary_seq_len_interpolation_factor=None, rotary_interleaved=False, normalization='LayerNorm', norm_epsilon=1e-05,
    apply_layernorm_1p=True, untie_embeddings_and_output_weights=True, squared_relu=True, swiglu=False, add_bias_linear=False,
    add_qkv_bias=False, qk_layernorm=False, num_experts=None, window_size=None, tensor_model_parallel_size=TP,
    pipeline_model_parallel_size=PP, virtual_pipeline_model_parallel_size=None, model_type=ModelType.encoder_or_decoder,
    params_dtype=stand_in(torch, 'float32'), seed=1234, tokenizer_model='/somewhere/tokenizer.model', bf16=True)

for tp in range(TP):
    for pp in range(PP):
        f = File()
        if pp == 0:
            f.add('embedding.word_embeddings.weight', split_rows(vocabulary('model.embed_tokens.weight'), tp))
        hf, mc = f'model.layers.{pp}.', 'decoder.layers.0.'
        for kind in ('weight', 'bias'):
            f.add(mc + 'self_attention.linear_qkv.layer_norm_' + kind, rows(f'{hf}input_layernorm.{kind}'), True)
            f.add(mc + 'mlp.linear_fc1.layer_norm_' + kind, rows(f'{hf}post_attention_layernorm.{kind}'), True)
        f.add(mc + 'self_attention.linear_proj.weight', split_columns(rows(hf + 'self_attn.o_proj.weight'), tp))
        f.add(mc + 'self_attention.linear_qkv.weight', split_rows(qkv(pp), tp))
        f.model[mc + 'self_attention.linear_qkv._extra_state'] = None
        f.add(mc + 'mlp.linear_fc1.weight', split_rows(rows(hf + 'mlp.up_proj.weight'), tp))
        f.add(mc + 'mlp.linear_fc2.weight', split_columns(rows(hf + 'mlp.down_proj.weight'), tp))
        if pp == PP - 1:
            for kind in ('weight', 'bias'):
                f.add('decoder.final_layernorm.' + kind, rows('model.norm.' + kind), True)
            f.add('output_layer.weight', split_rows(vocabulary('lm_head.weight'), tp))
        moment = Tensor(f.storage('FloatStorage', bytes(16), 4), 0, (4,), (1,))
        saved = {'args': ARGS, 'checkpoint_version': 3.0, 'iteration': 500, 'model': f.model,
                 'optimizer': {'optimizer': {'state': {0: {'step': 7, 'exp_avg': moment}}, 'param_groups': []}},
                 'rng_state': [{'random_rng_state': (3, tuple(range(4)), None)}], 'num_floating_point_operations_so_far': 2**70}
        folder = f'iter_0000500/mp_rank_{tp:02d}_{pp:03d}'
        os.makedirs(folder, exist_ok=True)
        write_zip(folder + '/model_optim_rng.pt', saved)
with open('latest_checkpointed_iteration.txt', 'w') as f:
    f.write('500')
