#!/usr/bin/env python3
"""What nemo-generate writes, scored by transformers: the same model, the same tokens.

gpu-parity.py NEMO_GENERATE HF_MODEL [flags of nemo-generate]: generates greedily with
log-probabilities, runs the same tokens through transformers (bf16, on a GPU where torch sees one),
and compares. Exit 1: the log-probabilities are further apart than bf16 leaves open, or transformers
would have chosen other tokens where its choice was clear.
"""
import json
import subprocess
import sys

import torch
import transformers

PROMPTS = ["To be, or not to be", "Write a poem on NVIDIA in the style of Shakespeare"]
MEAN_DIFFERENCE = 0.03  # of log-probabilities; two bf16 implementations differ by about 0.01
CLEAR_MARGIN = 0.25  # between the first and the second choice, in log-probability


def generate(program, model, flags):
    command = [program, model, "--json", "--logprobs", "--greedy", "--tokens-to-generate", "48",
               "--min-tokens-to-generate", "48", *flags]
    for prompt in PROMPTS:
        command += ["--prompt", prompt]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    program, model_path, *flags = sys.argv[1:]
    answer = generate(program, model_path, flags)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.bfloat16).to(device)
    total = count = clear_misses = 0
    for ids, ours in zip(answer["token_ids"], answer["logprob"]):
        with torch.no_grad():
            logits = model(torch.tensor([ids], device=device)).logits[0].float()
        theirs = torch.log_softmax(logits, dim=-1)
        for position in range(1, len(ids)):
            score = ours[position - 1]
            if score is None:
                continue
            total += abs(theirs[position - 1, ids[position]].item() - score)
            count += 1
        generated = len(ids) - 48
        for position in range(max(generated, 1), len(ids)):
            best = torch.topk(theirs[position - 1], 2)
            is_clear = (best.values[0] - best.values[1]).item() > CLEAR_MARGIN
            clear_misses += is_clear and best.indices[0].item() != ids[position]
    mean = total / max(count, 1)
    print(f"{count} log-probabilities on {device}: mean difference {mean:.4f}; "
          f"{clear_misses} clear choices of transformers {transformers.__version__} were not ours")
    return 0 if count > 0 and mean <= MEAN_DIFFERENCE and clear_misses == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
