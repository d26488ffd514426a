"""transformers loads what nemo-convert --to hf writes, as it is, and computes what it computes of its own files.

Weights: the same logits to the bit as of the Hugging Face directory that the archive was made of, and those of the stored
oracle; greedy tokens too. Tokenizer: the ids of SentencePiece. One file and many.
"""
import json
import os
import random

import sentencepiece
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import Context, check

CASES = [
    # archive, model, tokenizer, flags, number of weight files
    ('tiny_zarr_tp2pp2.nemo', 'tiny', 'bpe2048', [], 1),
    ('tiny_zarr_tp2pp2.nemo', 'tiny', 'bpe2048', ['--max-shard-size', '200KB'], 4),
    ('odd_realnemo_zarr.nemo', 'odd', 'bpe1100', ['--max-shard-size', '300KB'], None),
    ('tied_legacy_pp2.nemo', 'tied', 'bpe1100', [], 1),
]
FP32_TOLERANCE = 1e-4  # of a logit: another processor sums in another order
MIN_MARGIN = 1e-3  # between the best two logits, for a greedy token to count
CONTROL_PIECES = ('<s>', '</s>', '<unk>', '<pad>')


def load(directory, dtype):
    model, info = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, output_loading_info=True)
    for kind, keys in info.items():
        check(not keys, f'{directory}: {kind}: {keys}')
    return model.eval()


def check_logits(ours, theirs, oracle, stored):
    """Two models of fp32 on every prompt; greedy tokens of the first."""
    worst = 0
    for prompt in oracle['prompts']:
        name, ids = prompt['name'], torch.tensor([prompt['ids']])
        with torch.no_grad():
            mine, yours = ours(ids).logits, theirs(ids).logits
        check(torch.equal(mine, yours), f'{name}: other logits than of the original files')
        error = (mine[0, -1] - stored[f'{name}.last_logits_fp32']).abs().max().item()
        check(error <= FP32_TOLERANCE, f'{name}: a logit differs from the oracle by {error}')
        worst = max(worst, error)
        new = ours.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=8,
                            max_new_tokens=8, eos_token_id=None)[0, ids.shape[1]:].tolist()
        for i, (mine, yours) in enumerate(zip(new, prompt['greedy32_ids'])):
            if prompt['greedy32_margin'][i] < MIN_MARGIN:
                break
            check(mine == yours, f'{name}: greedy token {i} is {mine}, the oracle says {yours}')
    return worst


def check_bf16(ours, theirs, oracle):
    for prompt in oracle['prompts']:
        ids = torch.tensor([prompt['ids']])
        with torch.no_grad():
            check(torch.equal(ours(ids).logits, theirs(ids).logits), f'{prompt["name"]}: other logits in bfloat16')


def check_tokenizer(directory, oracle):
    """Control pieces in a text are themselves to transformers and plain characters to SentencePiece: not compared."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    compared = 0
    for case in oracle['encode']:
        if any(piece in case['text'] for piece in CONTROL_PIECES):
            continue
        ids = tokenizer.encode(case['text'], add_special_tokens=False)
        check(ids == case['ids'], f'{case["text"]!r} became {ids}, SentencePiece says {case["ids"]}')
        text = tokenizer.decode(case['ids'])
        check(text == case['decoded'], f'{case["ids"]} became {text!r}, SentencePiece says {case["decoded"]!r}')
        compared += 1
    check(compared >= 50, f'only {compared} texts compared')
    return compared + check_random_texts(tokenizer, sentencepiece.SentencePieceProcessor(
        model_file=os.path.join(directory, 'tokenizer.model')))


def check_random_texts(tokenizer, model, count=1000):
    parts = [*'abcdefghijklmnopqrstuvwxyz ETAOIN 0123456789 .,!?', '  ', '\n', '\t', 'é', 'ñ', '日', '本', 'ไ', '😀', '▁',
             *(model.id_to_piece(i) for i in range(model.get_piece_size()) if model.id_to_piece(i).startswith(('<|', '<extra')))]
    random.seed(1)
    for _ in range(count):
        text = ''.join(random.choices(parts, k=random.randrange(60)))
        ids, expected = tokenizer.encode(text, add_special_tokens=False), model.encode(text)
        check(ids == expected, f'{text!r} became {ids}, SentencePiece says {expected}')
        check(tokenizer.decode(ids) == model.decode(ids), f'{ids} became {tokenizer.decode(ids)!r}')
    return count


def main():
    with Context() as c:
        for archive, model, tokenizer, flags, num_files in CASES:
            golden = os.path.join(c.tests, 'golden')
            out = c.path(f'{model}{len(flags)}')
            c.run('nemo-convert', os.path.join(golden, 'nemo', archive), out, '--to', 'hf', *flags)
            files = [name for name in os.listdir(out) if name.endswith('.safetensors')]
            check(len(files) == num_files if num_files else len(files) > 1, f'{archive} {flags}: {files}')
            folder = os.path.join(golden, 'models', model)
            with open(os.path.join(folder, 'oracle.json')) as f:
                oracle = json.load(f)
            theirs = os.path.join(folder, 'hf')
            worst = check_logits(load(out, torch.float32), load(theirs, torch.float32), oracle,
                                 load_file(os.path.join(folder, 'oracle.safetensors')))
            check_bf16(load(out, torch.bfloat16), load(theirs, torch.bfloat16), oracle)
            with open(os.path.join(golden, 'tokenizers', f'{tokenizer}.oracle.json')) as f:
                texts = check_tokenizer(out, json.load(f))
            print(f'{archive} in {len(files)} files: logits equal, {worst:.1e} from the oracle; {texts} texts tokenised alike')


main()
