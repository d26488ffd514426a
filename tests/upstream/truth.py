"""What the tensors of a checkpoint must be: the Hugging Face files of the same model, under Megatron Core's names."""
import json
import os

import torch
from safetensors.torch import load_file


def read_hf(directory):
    """(config, {name: tensor}) of a directory with one model.safetensors."""
    with open(os.path.join(directory, 'config.json')) as f:
        config = json.load(f)
    return config, load_file(os.path.join(directory, 'model.safetensors'))


def fuse_qkv(q, k, v, groups):
    """Rows of query group after query group: its query heads, its key head, its value head."""
    hidden = q.shape[1]
    return torch.cat([x.view(groups, -1, hidden) for x in (q, k, v)], 1).reshape(-1, hidden)


def canonical(directory):
    """{Megatron Core's name: tensor}, layers numbered, the vocabulary as the tokenizer has it."""
    config, hf = read_hf(directory)
    out = {'embedding.word_embeddings.weight': hf['model.embed_tokens.weight'],
           'decoder.final_layernorm.weight': hf['model.norm.weight'],
           'decoder.final_layernorm.bias': hf['model.norm.bias']}
    if not config['tie_word_embeddings']:
        out['output_layer.weight'] = hf['lm_head.weight']
    for i in range(config['num_hidden_layers']):
        ours, theirs = f'decoder.layers.{i}.', f'model.layers.{i}.'
        for kind in ('weight', 'bias'):
            out[f'{ours}self_attention.linear_qkv.layer_norm_{kind}'] = hf[f'{theirs}input_layernorm.{kind}']
            out[f'{ours}mlp.linear_fc1.layer_norm_{kind}'] = hf[f'{theirs}post_attention_layernorm.{kind}']
        q, k, v = (hf[f'{theirs}self_attn.{x}_proj.weight'] for x in 'qkv')
        out[f'{ours}self_attention.linear_qkv.weight'] = fuse_qkv(q, k, v, config['num_key_value_heads'])
        out[f'{ours}self_attention.linear_proj.weight'] = hf[f'{theirs}self_attn.o_proj.weight']
        out[f'{ours}mlp.linear_fc1.weight'] = hf[f'{theirs}mlp.up_proj.weight']
        out[f'{ours}mlp.linear_fc2.weight'] = hf[f'{theirs}mlp.down_proj.weight']
    return out


def stacked(tensors):
    """The same with the layers of each kind as one tensor, as distributed checkpoints have them."""
    out, layers = {}, {}
    for name, tensor in tensors.items():
        parts = name.split('.')
        if name.startswith('decoder.layers.'):
            layers.setdefault('.'.join(parts[:2] + parts[3:]), {})[int(parts[2])] = tensor
        else:
            out[name] = tensor
    for name, by_layer in layers.items():
        out[name] = torch.stack([by_layer[i] for i in range(len(by_layer))])
    return out


def pad_rows(tensor, rows):
    """Vocabulary rows beyond the tokenizer's are zeros."""
    return torch.cat([tensor, tensor.new_zeros(rows - tensor.shape[0], *tensor.shape[1:])])


def same_bits(a, b):
    return (a.dtype == b.dtype and a.shape == b.shape
            and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8)))
