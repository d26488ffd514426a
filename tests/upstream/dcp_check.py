"""Loads a distributed checkpoint that nemo-convert --to megatron wrote, with torch's and with Megatron Core's own loaders, and
compares every element with the Hugging Face files of the same model.

    dcp_check.py CHECKPOINT HF_DIRECTORY [--tp N] [--pp N] [--loader torch|megatron]

torch: torch.distributed.checkpoint reads everything, whole. megatron: one process per rank of TP x PP builds a GPTModel
and lets megatron.core.dist_checkpointing fill it. Neither needs a GPU or Transformer Engine. Exit code 1: something differs.
"""
import argparse
import json
import os
import struct
import sys

import torch

PREFIX = 'model.layers.'


def read_safetensors(path):
    with open(path, 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
        data = bytearray(f.read())
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        assert entry['dtype'] == 'BF16', name
        begin, end = entry['data_offsets']
        tensors[name] = torch.frombuffer(data[begin:end], dtype=torch.bfloat16).reshape(entry['shape'])
    return tensors


def load_hf(directory):
    with open(os.path.join(directory, 'config.json')) as f:
        config = json.load(f)
    tensors = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith('.safetensors'):
            tensors.update(read_safetensors(os.path.join(directory, name)))
    return config, tensors


def fused_qkv(hf, layer, config):
    """Rows of query group after query group: its query heads, its key head, its value head."""
    groups, head = config['num_key_value_heads'], config['head_dim']
    q, k, v = (hf[f'{PREFIX}{layer}.self_attn.{x}_proj.weight'] for x in 'qkv')
    parts = [q.view(groups, -1, config['hidden_size']), k.view(groups, head, -1), v.view(groups, head, -1)]
    return torch.cat(parts, 1).reshape(-1, config['hidden_size'])


def padded(matrix, rows):
    return torch.cat([matrix, torch.zeros(rows - matrix.shape[0], matrix.shape[1], dtype=matrix.dtype)])


def truth(config, hf, rows):
    """Megatron Core's names, layer by layer, and what belongs there."""
    out = {'embedding.word_embeddings.weight': padded(hf['model.embed_tokens.weight'], rows)}
    for kind in ('weight', 'bias'):
        out[f'decoder.final_layernorm.{kind}'] = hf[f'model.norm.{kind}']
    if not config['tie_word_embeddings']:
        out['output_layer.weight'] = padded(hf['lm_head.weight'], rows)
    for layer in range(config['num_hidden_layers']):
        name, theirs = f'decoder.layers.{layer}.', f'{PREFIX}{layer}.'
        out[name + 'self_attention.linear_qkv.weight'] = fused_qkv(hf, layer, config)
        out[name + 'self_attention.linear_proj.weight'] = hf[theirs + 'self_attn.o_proj.weight']
        out[name + 'mlp.linear_fc1.weight'] = hf[theirs + 'mlp.up_proj.weight']
        out[name + 'mlp.linear_fc2.weight'] = hf[theirs + 'mlp.down_proj.weight']
        for kind in ('weight', 'bias'):
            out[name + 'self_attention.linear_qkv.layer_norm_' + kind] = hf[f'{theirs}input_layernorm.{kind}']
            out[name + 'mlp.linear_fc1.layer_norm_' + kind] = hf[f'{theirs}post_attention_layernorm.{kind}']
    return out


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.contiguous().view(torch.int16), b.contiguous().view(torch.int16))


def save_directory(checkpoint):
    with open(os.path.join(checkpoint, 'latest_checkpointed_iteration.txt')) as f:
        assert f.read() == 'release'
    return os.path.join(checkpoint, 'release')


def load_common(save):
    torch.serialization.add_safe_globals([argparse.Namespace])
    return torch.load(os.path.join(save, 'common.pt'), weights_only=True)


def check_torch(save, config, hf):
    from torch.distributed.checkpoint import FileSystemReader
    from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
    from torch.distributed.checkpoint.state_dict_loader import _load_state_dict
    loaded = {}
    _load_state_dict(loaded, storage_reader=FileSystemReader(save), planner=_EmptyStateDictLoadPlanner(), no_dist=True)
    tensors = {name: value for name, value in loaded.items() if torch.is_tensor(value)}
    assert all(value == [None] for name, value in loaded.items() if '._extra_state/' in name)
    stacked = {}
    for name, value in truth(config, hf, load_common(save)['args'].padded_vocab_size).items():
        parts = name.split('.')
        if name.startswith('decoder.layers.'):
            stacked.setdefault('.'.join(parts[:2] + parts[3:]), []).append(value)
        else:
            stacked[name] = value
    stacked = {name: torch.stack(value) if isinstance(value, list) else value for name, value in stacked.items()}
    assert tensors.keys() == stacked.keys(), tensors.keys() ^ stacked.keys()
    for name, value in stacked.items():
        assert same(value, tensors[name]), name
    print(f'torch {torch.__version__}: {len(stacked)} tensors are equal')


def build_model(config, args, tp, pp):
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer.transformer_config import TransformerConfig
    # Without Transformer Engine or Apex a layer norm cannot be zero-centred; nothing is computed here.
    transformer = TransformerConfig(
        num_layers=args.num_layers, hidden_size=args.hidden_size, num_attention_heads=args.num_attention_heads,
        num_query_groups=args.num_query_groups, kv_channels=args.kv_channels, ffn_hidden_size=args.ffn_hidden_size,
        add_bias_linear=args.add_bias_linear, normalization=args.normalization, tensor_model_parallel_size=tp,
        pipeline_model_parallel_size=pp, use_cpu_initialization=True, perform_initialization=False, bf16=True,
        params_dtype=torch.bfloat16, pipeline_dtype=torch.bfloat16)
    return GPTModel(
        config=transformer, transformer_layer_spec=get_gpt_layer_local_spec(), vocab_size=args.padded_vocab_size,
        max_sequence_length=args.max_position_embeddings, position_embedding_type=args.position_embedding_type,
        rotary_percent=args.rotary_percent, share_embeddings_and_output_weights=not args.untie_embeddings_and_output_weights,
        pre_process=parallel_state.is_pipeline_first_stage(), post_process=parallel_state.is_pipeline_last_stage())


def global_name(name, first_layer, tied):
    """Of a parameter of a stage: the layer's number in the model, the norms where Transformer Engine keeps them."""
    if name.startswith('decoder.layers.'):
        parts = name.split('.')
        parts[2] = str(int(parts[2]) + first_layer)
        name = '.'.join(parts)
    for theirs, ours in (('input_layernorm.', 'self_attention.linear_qkv.layer_norm_'),
                         ('pre_mlp_layernorm.', 'mlp.linear_fc1.layer_norm_')):
        name = name.replace(theirs, ours)
    return 'embedding.word_embeddings.weight' if tied and name == 'output_layer.weight' else name


def check_rank(rank, save, config, hf, tp, pp, port):
    import torch.distributed as dist
    import megatron.core
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(tp * pp))
    torch.set_num_threads(1)
    if not torch.cuda.is_available():
        torch.cuda.synchronize = lambda *a, **k: None
        torch.cuda.current_device = lambda: 'cpu'
        torch.Tensor.cuda = lambda self, *a, **k: self
    dist.init_process_group('gloo', rank=rank, world_size=tp * pp)
    from megatron.core import dist_checkpointing, parallel_state
    parallel_state.initialize_model_parallel(tp, pp)
    args = dist_checkpointing.load_common_state_dict(save)['args']
    model = build_model(config, args, tp, pp)
    loaded = dist_checkpointing.load({'model': model.sharded_state_dict()}, save)
    assert loaded['checkpoint_version'] == 3.0 and loaded['iteration'] == 0
    model.load_state_dict(loaded['model'])
    expected = truth(config, hf, args.padded_vocab_size)
    first_layer = parallel_state.get_pipeline_model_parallel_rank() * (args.num_layers // pp)
    tp_rank = parallel_state.get_tensor_model_parallel_rank()
    for name, parameter in model.named_parameters():
        whole = expected[global_name(name, first_layer, config['tie_word_embeddings'])]
        axes = [axis for axis in range(whole.dim()) if whole.shape[axis] != parameter.shape[axis]]
        part = whole.chunk(tp, axes[0])[tp_rank] if axes else whole
        # Norms of torch are kept in float32, which holds every bfloat16.
        assert same(part.to(parameter.dtype), parameter.data), name
    dist.barrier()
    if rank == 0:
        print(f'megatron-core {megatron.core.__version__}: TP{tp} x PP{pp}, every parameter of every rank is equal')
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('checkpoint')
    parser.add_argument('hf')
    parser.add_argument('--tp', type=int, default=1)
    parser.add_argument('--pp', type=int, default=1)
    parser.add_argument('--port', type=int, default=29511)
    parser.add_argument('--loader', choices=['torch', 'megatron'], default='torch')
    flags = parser.parse_args()
    config, hf = load_hf(flags.hf)
    save = save_directory(flags.checkpoint)
    if flags.loader == 'torch':
        check_torch(save, config, hf)
    else:
        torch.multiprocessing.spawn(check_rank, (save, config, hf, flags.tp, flags.pp, flags.port), flags.tp * flags.pp)


if __name__ == '__main__':
    sys.exit(main())
