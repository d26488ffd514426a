"""The server through the clients that others wrote: openai's package, requests as the model card uses it, and lm_eval.

lm_eval runs its own task definitions on the data and the tiny model beside the project ($NEMO_SHARED/evaldata). Its scores
through HTTP are those of nemo-generate --logprobs to the last bit, and those of the stored harness run up to rounding.
"""
import json
import math
import os
import subprocess
import sys

import openai
import pyarrow  # comes with lm_eval
import requests

from common import Context, check
from server import Server

# Rounding to bf16 between operations, which our runtime does and the stored run (fp32 throughout) does not: the rms of one
# log-probability's difference on this model (0.025 to 0.030 were measured), and how many of them a sum may be off.
RMS_OF_ONE, SIGMAS = 0.04, 5

TASKS = {
    'hellaswag': ('hellaswag/hellaswag.yaml', 'validation', 'hellaswag_0shot'),
    'winogrande': ('winogrande/default.yaml', 'validation', 'winogrande_0shot'),
    'arc_challenge': ('arc/arc_challenge.yaml', 'test', 'arc_challenge_0shot'),
}


def url_of(server):
    return f'http://127.0.0.1:{server.port}'


def card_client(server):
    """As the model card's script calls it, in our words."""
    answer = requests.put(f'{url_of(server)}/generate', data=json.dumps({
        'sentences': ['Write a poem on NVIDIA in the style of Shakespeare'], 'tokens_to_generate': 1024, 'temperature': 1.0,
        'add_BOS': False, 'top_k': 0, 'top_p': 1.0, 'greedy': True, 'all_probs': False, 'repetition_penalty': 1.0,
        'min_tokens_to_generate': 1, 'end_strings': ['<|endoftext|>', '<extra_id_1>', '\x11', '<extra_id_1>User'],
    }), headers={'Content-Type': 'application/json'}, timeout=120)
    sentence = answer.json()['sentences'][0]
    check(len(sentence) > 60, sentence)


def openai_client(server):
    client = openai.OpenAI(base_url=url_of(server) + '/v1', api_key='none', max_retries=0)
    name = client.models.list().data[0].id
    check(client.models.retrieve(name).id == name, name)
    plain = client.completions.create(model=name, prompt='To be', max_tokens=12, temperature=0, logprobs=2, echo=True)
    choice = plain.choices[0]
    check(choice.text.startswith('To be') and choice.finish_reason == 'length', choice)
    check(len(choice.logprobs.tokens) == plain.usage.total_tokens, plain.usage)
    streamed = list(client.completions.create(model=name, prompt='To be', max_tokens=12, temperature=0, stream=True,
                                              stream_options={'include_usage': True}))
    check('To be' + ''.join(e.choices[0].text for e in streamed if e.choices) == choice.text, streamed)
    check(streamed[-1].usage == plain.usage, streamed[-1])
    messages = [{'role': 'system', 'content': 'Speak.'}, {'role': 'user', 'content': 'Who goes there?'}]
    chat = client.chat.completions.create(model=name, messages=messages, max_tokens=12, temperature=0, logprobs=True, top_logprobs=1)
    check(len(chat.choices[0].logprobs.content) > 0, chat)
    deltas = client.chat.completions.create(model=name, messages=messages, max_tokens=12, temperature=0, stream=True)
    said = ''.join(e.choices[0].delta.content or '' for e in deltas)
    check(said == chat.choices[0].message.content, f'{said!r} is not {chat.choices[0].message.content!r}')
    for wrong, error in (({'best_of': 3}, openai.BadRequestError), ({'max_tokens': 10**6}, openai.BadRequestError)):
        try:
            client.completions.create(model=name, prompt='a', **wrong)
            check(False, f'{wrong} was accepted')
        except error as refusal:
            check(refusal.body['message'] != '', refusal)


# ---- lm_eval ----

def zstd_lines(path):
    with pyarrow.input_stream(path, compression='zstd') as f:
        return [json.loads(line) for line in f.read().decode().split('\n') if line]


def rows_of(task, evaldata):
    """The documents of a task as the hub's copies have them."""
    if task == 'hellaswag':
        return zstd_lines(f'{evaldata}/hellaswag/hellaswag_val.jsonl.zst')
    if task == 'winogrande':
        with open(f'{evaldata}/winogrande/dev.jsonl') as f:
            return [json.loads(line) for line in f]
    with open(f'{evaldata}/arc/ARC-Challenge-Test.letters.jsonl') as f:
        rows = [json.loads(line) for line in f]
    return [{'id': r['id'], 'question': r['question']['stem'], 'answerKey': r['answerKey'],
             'choices': {key: [c[key] for c in r['question']['choices']] for key in ('text', 'label')}} for r in rows]


def write_tasks(folder, evaldata, indices):
    """lm_eval's own definitions, with the data read from files that hold the documents of `indices` only."""
    import lm_eval
    theirs = os.path.join(os.path.dirname(lm_eval.__file__), 'tasks')
    for task, (definition, split, _) in TASKS.items():
        rows = rows_of(task, evaldata)
        with open(f'{folder}/{task}.jsonl', 'w') as f:
            f.writelines(json.dumps(rows[i]) + '\n' for i in indices[task])
        lines = [f'include: {theirs}/{definition}', f'task: nemo_{task}', 'dataset_path: json', 'dataset_name: null',
                 f'dataset_kwargs: {{data_files: {{{split}: {folder}/{task}.jsonl}}}}', 'training_split: null',
                 f'{"validation_split" if split == "test" else "test_split"}: null', 'tag: null']
        with open(f'{folder}/nemo_{task}.yaml', 'w') as f:
            f.write('\n'.join(lines) + '\n')


def run_lm_eval(server, folder, *more):
    """The samples of each task: [(document, [(log-likelihood, greedy)])]."""
    out = f'{folder}/out{len(os.listdir(folder))}'
    command = [sys.executable, '-m', 'lm_eval', '--model', 'local-completions', '--model_args',
               f'base_url={url_of(server)}/v1/completions,model=x,max_length=511,tokenizer_backend=auto' + (f',{more[0]}' if more else ''),
               '--batch_size', '1' if more else '7', '--include_path', folder, '--tasks', ','.join(f'nemo_{t}' for t in TASKS),
               '--log_samples', '--output_path', out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600,
                          env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_DATASETS_OFFLINE': '1', 'HF_HOME': f'{folder}/hf'})
    check(done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:])
    found = {}
    for root, _, names in os.walk(out):
        for name in names:
            if name.startswith('samples_nemo_'):
                with open(os.path.join(root, name)) as f:
                    samples = [json.loads(line) for line in f]
                task = name[len('samples_nemo_'):].rsplit('_', 1)[0]
                found[task] = [[[float(ll), greedy == 'True'] for ll, greedy in (map(str, r) for r in s['filtered_resps'])]
                               for s in sorted(samples, key=lambda s: s['doc_id'])]
    check(sorted(found) == sorted(TASKS), sorted(found))
    return found


def check_against_the_harness(task, ours, documents):
    """The stored run's sums, up to the rounding of that many tokens."""
    worst, total, count = 0.0, 0.0, 0
    for sums, document in zip(ours, documents, strict=True):
        for (ll, _), request in zip(sums, document['requests'], strict=True):
            tokens = len(request['cont_ids'])
            difference = abs(ll - request['ll']) / math.sqrt(tokens)
            worst, total, count = max(worst, difference), total + difference**2, count + 1
    rms = math.sqrt(total / count)
    print(f'{task}: {count} sums; differences from the stored fp32 run by sqrt(tokens): rms {rms:.4f}, largest {worst:.4f}')
    check(rms <= RMS_OF_ONE and worst <= SIGMAS * RMS_OF_ONE, f'{task}: too far from the stored run')


def check_against_the_tool(context, model, ours, documents):
    """What nemo-generate says of the same ids in this process: equal doubles, summed in the same order."""
    prompts = context.path('prompts.jsonl')
    texts = [(request.get('context', document.get('context')), request) for document in documents for request in document['requests']]
    with open(prompts, 'w') as f:
        f.writelines(json.dumps({'prompt': text + request['continuation'], 'compute_logprob': True, 'tokens_to_generate': 1,
                                 'greedy': True}) + '\n' for text, request in texts)
    answer = json.loads(context.run('nemo-generate', model, '--prompts', prompts, '--dtype-profile', 'hf', '--json'))
    sums = [pair for document in ours for pair in document]
    compared = 0
    for (text, request), (ll, _), ids, logprob in zip(texts, sums, answer['token_ids'], answer['logprob'], strict=True):
        begin = len(ids) - 1 - len(request['cont_ids'])
        if begin != request['n_ctx'] or ids[begin:-1] != request['cont_ids']:
            continue  # the tokenizer joins context and continuation; the harness feeds them apart
        check(sum(logprob[begin - 1:-1]) == ll, f'{text!r}: {sum(logprob[begin - 1:-1])} by nemo-generate, {ll} by lm_eval')
        compared += 1
    check(compared > len(sums) // 2, f'only {compared} of {len(sums)} could be compared')


def lm_eval_client(context):
    evaldata = os.path.join(os.environ.get('NEMO_SHARED', os.path.join(context.tests, '..', '..', 'shared')), 'evaldata')
    if not os.path.exists(evaldata):
        print('the evaluation data is not beside the project (NEMO_SHARED): lm_eval is left out')
        return
    stored = {task: zstd_lines(f'{evaldata}/oracle/{run}.jsonl.zst')[1:] for task, (_, _, run) in TASKS.items()}
    folder, model = context.path('tasks'), context.path('model')
    os.mkdir(folder)
    write_tasks(folder, evaldata, {task: [d['doc_index'] for d in documents] for task, documents in stored.items()})
    os.mkdir(model)
    for name in os.listdir(f'{evaldata}/oracle/model/hf'):
        os.symlink(f'{evaldata}/oracle/model/hf/{name}', f'{model}/{name}')
    os.symlink(f'{evaldata}/oracle/model/tokenizer.model', f'{model}/tokenizer.model')
    with Server(context, '--dtype-profile', 'hf', source=model) as server:
        ours = run_lm_eval(server, folder)
        check(run_lm_eval(server, folder, 'num_concurrent=4') == ours, 'four connections at once gave other scores')
    for task, documents in stored.items():
        check_against_the_harness(task, ours[task], documents)
    for task, documents in stored.items():
        check_against_the_tool(context, model, ours[task], documents)


def main():
    with Context() as context:
        with Server(context, source=os.path.join(context.tests, 'data', 'shakespeare.nemo')) as server:
            card_client(server)
            openai_client(server)
        lm_eval_client(context)


main()
