"""Loads a distributed checkpoint that nemo-convert --to megatron wrote, with torch's and with Megatron Core's own loaders, and
compares every element with the Hugging Face files of the same model.

    dcp_check.py CHECKPOINT HF_DIRECTORY [--tp N] [--pp N] [--loader torch|megatron]

torch: torch.distributed.checkpoint reads everything, whole. megatron: one process per rank of TP x PP builds a GPTModel
and lets megatron.core.dist_checkpointing fill it. Neither needs a GPU or Transformer Engine. Exit code 1: something differs.
"""
import argparse
import os
import sys

import torch

from truth import canonical, pad_rows, same_bits, stacked

VOCABULARY = ('embedding.word_embeddings.weight', 'output_layer.weight')


def expected(hf, rows):
    """Megatron Core's names, layer by layer, and what belongs there; vocabulary tensors have `rows` rows."""
    return {name: pad_rows(value, rows) if name in VOCABULARY else value for name, value in canonical(hf).items()}


def save_directory(checkpoint):
    with open(os.path.join(checkpoint, 'latest_checkpointed_iteration.txt')) as f:
        assert f.read() == 'release'
    return os.path.join(checkpoint, 'release')


def load_common(save):
    torch.serialization.add_safe_globals([argparse.Namespace])
    return torch.load(os.path.join(save, 'common.pt'), weights_only=True)


def check_torch(save, hf):
    from torch.distributed.checkpoint import FileSystemReader
    from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
    from torch.distributed.checkpoint.state_dict_loader import _load_state_dict
    loaded = {}
    _load_state_dict(loaded, storage_reader=FileSystemReader(save), planner=_EmptyStateDictLoadPlanner(), no_dist=True)
    tensors = {name: value for name, value in loaded.items() if torch.is_tensor(value)}
    assert all(value == [None] for name, value in loaded.items() if '._extra_state/' in name)
    wanted = stacked(expected(hf, load_common(save)['args'].padded_vocab_size))
    assert tensors.keys() == wanted.keys(), tensors.keys() ^ wanted.keys()
    for name, value in wanted.items():
        assert same_bits(value, tensors[name]), name
    print(f'torch {torch.__version__}: {len(wanted)} tensors are equal')


def build_model(args, tp, pp):
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


def check_rank(rank, save, hf, tp, pp, port):
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
    model = build_model(args, tp, pp)
    loaded = dist_checkpointing.load({'model': model.sharded_state_dict()}, save)
    assert loaded['checkpoint_version'] == 3.0 and loaded['iteration'] == 0
    model.load_state_dict(loaded['model'])
    wanted, tied = expected(hf, args.padded_vocab_size), not args.untie_embeddings_and_output_weights
    first_layer = parallel_state.get_pipeline_model_parallel_rank() * (args.num_layers // pp)
    tp_rank = parallel_state.get_tensor_model_parallel_rank()
    for name, parameter in model.named_parameters():
        whole = wanted[global_name(name, first_layer, tied)]
        axes = [axis for axis in range(whole.dim()) if whole.shape[axis] != parameter.shape[axis]]
        part = whole.chunk(tp, axes[0])[tp_rank] if axes else whole
        # Norms of torch are kept in float32, which holds every bfloat16.
        assert same_bits(part.to(parameter.dtype), parameter.data), name
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
    save = save_directory(flags.checkpoint)
    if flags.loader == 'torch':
        check_torch(save, flags.hf)
    else:
        torch.multiprocessing.spawn(check_rank, (save, flags.hf, flags.tp, flags.pp, flags.port), flags.tp * flags.pp)


if __name__ == '__main__':
    sys.exit(main())
