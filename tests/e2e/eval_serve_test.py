"""nemo-eval's scores are those of the server: the log-likelihoods of its samples, asked again through /v1/completions with
echo and logprobs, are the same numbers to the last bit, in fp32 and in bf16.

The questions are those of the oracles (HellaSwag, MMLU) on their tiny model where $NEMO_SHARED/evaldata is, and a task of our
own on the demo model everywhere.
"""
import json
import os
import struct

from common import Context, check
from server import Server

PROFILES = (['--backend', 'reference', '--dtype-profile', 'fp32'], ['--dtype-profile', 'megatron'])
OWN_TASK = """tasks:
  - name: speakers
    kind: multiple_choice
    data: {files: [speakers.jsonl]}
    question: '{{line}}'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc, acc_norm]
"""
OWN_ROWS = [{'line': 'To be, or not to be: so said', 'names': ['ROMEO', 'the prince of Denmark', 'GLOUCESTER'], 'right': 'ROMEO'},
            {'line': 'KING RICHARD III:\nA horse!', 'names': ['A horse!', 'My kingdom', 'O'], 'right': 'O'}]


def own_task(c):
    data = c.path('own')
    os.mkdir(data)
    with open(f'{data}/task.yaml', 'w') as f:
        f.write(OWN_TASK)
    with open(f'{data}/speakers.jsonl', 'w') as f:
        f.writelines(json.dumps(row) + '\n' for row in OWN_ROWS)
    return (os.path.join(c.tests, 'data', 'shakespeare.nemo'),
            ['--data', data, '--task-file', f'{data}/task.yaml', '--tasks', 'speakers'])


def oracle_tasks(c):
    evaldata = os.path.join(os.environ.get('NEMO_SHARED', os.path.join(c.tests, '..', '..', 'shared')), 'evaldata')
    if not os.path.exists(evaldata):
        print("the evaluation data is not beside the project (NEMO_SHARED): the oracles' questions are left out")
        return None
    model = c.path('model')
    os.mkdir(model)
    for name in os.listdir(f'{evaldata}/oracle/model/hf'):
        os.symlink(f'{evaldata}/oracle/model/hf/{name}', f'{model}/{name}')
    os.symlink(f'{evaldata}/oracle/model/tokenizer.model', f'{model}/tokenizer.model')
    return model, ['--data', evaldata, '--tasks', 'hellaswag,mmlu_anatomy', '--limit', '3']


def samples_of(c, model, flags):
    """[(context, continuation, log-likelihood, greedy)] of everything nemo-eval asked."""
    out = c.path(f'out{len(os.listdir(c.dir))}')
    c.run('nemo-eval', model, *flags, '--output', out)
    asked = []
    for name in sorted(os.listdir(out)):
        if not name.startswith('samples_'):
            continue
        with open(f'{out}/{name}') as f:
            for sample in map(json.loads, f):
                for arguments, response in zip(sample['arguments'].values(), sample['resps'], strict=True):
                    asked.append((arguments['arg_0'], arguments['arg_1'], *response[0]))
    return asked


def score(server, context, continuation):
    """The sum over the continuation's tokens, and whether each was the likeliest; None where a token is of both texts."""
    answer = server.complete(model='x', prompt=context + continuation, max_tokens=1, temperature=0, echo=True, logprobs=1)
    logprobs = answer['choices'][0]['logprobs']
    tokens = list(zip(logprobs['text_offset'], logprobs['token_logprobs'], logprobs['top_logprobs'], strict=True))[:-1]
    scored = [token for token in tokens if token[0] >= len(context)]
    if scored[0][0] != len(context):
        return None
    ll = sum(lp for _, lp, _ in scored)
    if len(scored) == 1:  # nemo-eval reads single tokens from a row of floats
        ll = struct.unpack('f', struct.pack('f', ll))[0]
    return ll, all(lp == max(top.values()) for _, lp, top in scored)


def check_scores(c, model, eval_flags):
    for profile in PROFILES:
        asked, compared = samples_of(c, model, [*eval_flags, *profile]), 0
        with Server(c, *profile, source=model) as server:
            for context, continuation, ll, greedy in asked:
                found = score(server, context, continuation)
                if found is None:
                    continue
                check(found == (float(ll), greedy in (True, 'True')),
                      f'{profile}: {context!r} {continuation!r}: nemo-eval has {ll}, {greedy}, the server {found}')
                compared += 1
        check(compared > len(asked) // 2, f'only {compared} of {len(asked)} could be compared')
        print(f'{os.path.basename(model)} {profile[-1]}: {compared} of {len(asked)} scores equal the server\'s')


with Context() as c:
    check_scores(c, *own_task(c))
    oracle = oracle_tasks(c)
    if oracle:
        check_scores(c, *oracle)
