"""nemo-generate against transformers' stored figures: logits (the accuracy rule), greedy tokens, log-probabilities.

The rule for bf16: our rms logit error to the fp32 reference is at most 1.05 x that of the reference's own bf16 run on the same
weights, and our argmax agrees at least as often. A shift of a whole row means nothing, so rows are compared as
log-probabilities. Greedy tokens are the oracle's wherever its margin exceeds that run's largest error. The profile fp32 is held
to the oracle's own digits: FP32_ERROR.
"""
import json
import math
import os

from common import Context, check, read_safetensors


# Two programs that add the same fp32 numbers in different orders (fixtures/README.md: about 1e-4 in a logit), and the oracle's
# six decimals.
FP32_ERROR = 1e-4
FP32 = ['--backend', 'reference', '--dtype-profile', 'fp32']


def log_softmax(row):
    top = max(row)
    total = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - total for x in row]


def argmax(row):
    return max(range(len(row)), key=lambda i: (row[i], -i))


def generate(c, source, prompts, tokens, extra=()):
    args = [source, '--greedy', '--tokens-to-generate', tokens, '--logprobs', *extra]
    for prompt in prompts:
        args += ['--prompt', prompt]
    return c.run_json('nemo-generate', *args)


def check_greedy(name, ids, new_ids, oracle_ids, margins, bf16_error):
    """Agreement up to the first step where the oracle itself was within bf16's error."""
    check(new_ids[:len(ids)] == ids, f'{name}: the prompt was tokenised as {new_ids[:len(ids)]}, expected {ids}')
    agreed = 0
    for mine, oracle, margin in zip(new_ids[len(ids):], oracle_ids, margins):
        if mine != oracle:
            check(margin <= bf16_error, f'{name}: step {agreed}: token {mine}, oracle {oracle} by a margin of {margin}')
            break
        agreed += 1
    return agreed


def check_rule(c, oracle, tensors, texts, profile):
    """The accuracy rule for one rounding profile. `hf` rounds where the reference does, so its argmax is counted in every
    row; `megatron` rounds elsewhere, and only rows count whose two best logits bf16 can tell apart."""
    full = generate(c, c.source(), texts, 1, ['--all-probs', '--dtype-profile', profile])
    square_ours = square_bf16 = count = rows = right_ours = right_bf16 = 0
    vocab = oracle['vocab_size']
    for i, prompt in enumerate(oracle['prompts']):
        want = log_softmax(tensors[prompt['name'] + '.last_logits_fp32'][1][:vocab])
        bf16 = log_softmax(tensors[prompt['name'] + '.last_logits_bf16'][1][:vocab])
        ours = full['full_logprob'][i][len(prompt['ids']) - 1][:vocab]
        square_ours += sum((a - b) ** 2 for a, b in zip(ours, want))
        square_bf16 += sum((a - b) ** 2 for a, b in zip(bf16, want))
        count += vocab
        if profile == 'hf' or sorted(want)[-1] - sorted(want)[-2] > prompt['max_abs_bf16_minus_fp32']:
            rows += 1
            right_ours += argmax(ours) == argmax(want)
            right_bf16 += argmax(bf16) == argmax(want)
    ours, bf16 = math.sqrt(square_ours / count), math.sqrt(square_bf16 / count)
    check(ours <= 1.05 * bf16, f'{profile}: rms error {ours:.5f}, the reference in bf16 has {bf16:.5f}')
    check(right_ours >= right_bf16, f'{profile}: argmax agrees {right_ours} times, the reference in bf16 {right_bf16}')
    print(f'{c.checkpoint} {profile}: rms logit error {ours:.5f}, reference bf16 {bf16:.5f} ({ours / bf16:.3f} x); '
          f'argmax {right_ours} and {right_bf16} of {rows} rows')


def check_fp32(c, oracle, tensors, texts):
    """Every log-probability of the prompts, and the whole last row."""
    out = generate(c, c.source(), texts, 1, ['--all-probs', *FP32])
    worst = 0
    for i, prompt in enumerate(oracle['prompts']):
        want = log_softmax(tensors[prompt['name'] + '.last_logits_fp32'][1][:oracle['vocab_size']])
        ours = out['full_logprob'][i][len(prompt['ids']) - 1][:len(want)]
        worst = max([worst, *(abs(a - b) for a, b in zip(ours, want))])
        worst = max([worst, *(abs(a - b) for a, b in zip(out['logprob'][i], prompt['prompt_token_logprobs']))])
    check(worst <= FP32_ERROR, f'fp32: a log-probability is {worst} away from the reference')
    print(f'{c.checkpoint} fp32: largest difference of a log-probability {worst:.1e}')


def fixture(c):
    with open(os.path.join(c.tests, 'golden', 'models', c.model, 'oracle.json')) as f:
        oracle = json.load(f)
    tensors = read_safetensors(os.path.join(c.tests, 'golden', 'models', c.model, 'oracle.safetensors'))
    texts = [p['text'] if p['text'] is not None else p['decoded'] for p in oracle['prompts']]
    for profile in ('megatron', 'hf'):
        check_rule(c, oracle, tensors, texts, profile)
    check_fp32(c, oracle, tensors, texts)
    out = generate(c, c.source(), texts, 24)
    agreed = 0
    for i, prompt in enumerate(oracle['prompts']):
        error = prompt['max_abs_bf16_minus_fp32']
        for position, expected in enumerate(prompt['prompt_token_logprobs']):
            check(abs(out['logprob'][i][position] - expected) < max(0.25, 3 * error),
                  f"{prompt['name']} position {position}: {out['logprob'][i][position]}, oracle {expected}")
        agreed += check_greedy(prompt['name'], prompt['ids'], out['token_ids'][i], prompt['greedy32_ids'],
                               prompt['greedy32_margin'], error)
    print(f'{c.checkpoint}: {agreed} greedy tokens agree')


def demo(c):
    with open(os.path.join(c.tests, 'data', 'shakespeare.oracle.json')) as f:
        prompts = json.load(f)['prompts']
    agreed, worst = 0, 0
    for prompt in prompts:
        extra = ['--add-bos'] if prompt['add_BOS'] else []
        exact = generate(c, c.source(), [prompt['text']], 1, [*extra, *FP32])
        worst = max([worst, *(abs(a - b) for a, b in zip(exact['logprob'][0], prompt['prompt_logprobs_fp32']))])
        out = generate(c, c.source(), [prompt['text']], 64, extra)
        error = prompt['max_abs_logit_bf16_minus_fp32']
        for position, expected in enumerate(prompt['prompt_logprobs_fp32']):
            check(abs(out['logprob'][0][position] - expected) < 3 * error + 0.05,
                  f"{prompt['name']} position {position}: {out['logprob'][0][position]}, oracle {expected}")
        oracle = prompt['greedy64_fp32']
        agreed += check_greedy(prompt['name'], prompt['ids'], out['token_ids'][0], oracle['ids'], oracle['margins'], error)
    check(worst <= FP32_ERROR, f'fp32: a log-probability is {worst} away from the reference')
    print(f'{c.checkpoint}: {agreed} greedy tokens of {len(prompts)} prompts agree with the fp32 oracle; '
          f'in fp32 the largest difference of a log-probability is {worst:.1e}')


with Context() as c:
    demo(c) if c.checkpoint == 'shakespeare' else fixture(c)
