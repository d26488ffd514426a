"""The server through lm_eval's own client, local-completions, with lm_eval's own task definitions, on the data and the tiny
model beside the project ($NEMO_SHARED/evaldata).

With --backend reference --dtype-profile fp32 its scores are those of the stored harness run, which computed in fp32: every
log-likelihood within TOLERANCE, every metric equal. In a bf16 profile they are those of nemo-generate --logprobs to the bit.
"""
import json
import os
import subprocess
import sys

from common import Context, check, skip
from server import Server

try:
    import lm_eval
    import lm_eval.models.api_models  # what lm_eval[api] brings
    import pyarrow  # comes with lm_eval
except ImportError as missing:
    skip(f'lm_eval[api] is not installed here: {missing}')

TOLERANCE = 1e-3  # of a sum of log-probabilities: two programs that add fp32 numbers in different orders

TASKS = {
    'hellaswag': ('hellaswag/hellaswag.yaml', 'validation', 'hellaswag_0shot'),
    'winogrande': ('winogrande/default.yaml', 'validation', 'winogrande_0shot'),
    'arc_challenge': ('arc/arc_challenge.yaml', 'test', 'arc_challenge_0shot'),
}


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
    """The samples of each task, [[[log-likelihood, greedy] of each request] of each document], and its metrics."""
    out = f'{folder}/out{len(os.listdir(folder))}'
    command = [sys.executable, '-m', 'lm_eval', '--model', 'local-completions', '--model_args',
               f'base_url=http://127.0.0.1:{server.port}/v1/completions,model=x,max_length=511,tokenizer_backend=auto' + (f',{more[0]}' if more else ''),
               '--batch_size', '1' if more else '7', '--include_path', folder, '--tasks', ','.join(f'nemo_{t}' for t in TASKS),
               '--log_samples', '--output_path', out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600,
                          env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_DATASETS_OFFLINE': '1', 'HF_HOME': f'{folder}/hf'})
    check(done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:])
    found, metrics = {}, {}
    for root, _, names in os.walk(out):
        for name in names:
            if name.startswith('results_'):
                with open(os.path.join(root, name)) as f:
                    metrics = {task[len('nemo_'):]: scores for task, scores in json.load(f)['results'].items()}
            if name.startswith('samples_nemo_'):
                with open(os.path.join(root, name)) as f:
                    samples = [json.loads(line) for line in f]
                task = name[len('samples_nemo_'):].rsplit('_', 1)[0]
                found[task] = [[[float(ll), greedy == 'True'] for ll, greedy in (map(str, r) for r in s['filtered_resps'])]
                               for s in sorted(samples, key=lambda s: s['doc_id'])]
    check(sorted(found) == sorted(metrics) == sorted(TASKS), (sorted(found), sorted(metrics)))
    return found, metrics


def check_against_the_harness(task, ours, metrics, stored):
    """The stored run's sums within TOLERANCE, and what it makes of them to the last digit."""
    head, documents = stored[0], stored[1:]
    worst, count = 0.0, 0
    for sums, document in zip(ours, documents, strict=True):
        for (ll, greedy), request in zip(sums, document['requests'], strict=True):
            worst, count = max(worst, abs(ll - request['ll'])), count + 1
            check(greedy == request['is_greedy'], f"{task} {document['doc_index']}: greedy is {greedy}")
    print(f'{task}: {count} sums, at most {worst:.2e} from the stored run')
    check(worst <= TOLERANCE, f'{task}: a sum is {worst} away from the stored run')
    for name, value in head['results'][task].items():
        if ',' in name:
            check(metrics[name] == value, f'{task} {name}: {metrics[name]}, stored {value}')


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


def main(context):
    evaldata = os.path.join(os.environ.get('NEMO_SHARED', os.path.join(context.tests, '..', '..', 'shared')), 'evaldata')
    if not os.path.exists(evaldata):
        skip('the evaluation data is not beside the project (NEMO_SHARED)')
    stored = {task: zstd_lines(f'{evaldata}/oracle/{run}.jsonl.zst') for task, (_, _, run) in TASKS.items()}
    folder, model = context.path('tasks'), context.path('model')
    os.mkdir(folder)
    write_tasks(folder, evaldata, {task: [d['doc_index'] for d in lines[1:]] for task, lines in stored.items()})
    os.mkdir(model)
    for name in os.listdir(f'{evaldata}/oracle/model/hf'):
        os.symlink(f'{evaldata}/oracle/model/hf/{name}', f'{model}/{name}')
    os.symlink(f'{evaldata}/oracle/model/tokenizer.model', f'{model}/tokenizer.model')
    with Server(context, '--backend', 'reference', '--dtype-profile', 'fp32', source=model) as server:
        exact, metrics = run_lm_eval(server, folder)
    for task, lines in stored.items():
        check_against_the_harness(task, exact[task], metrics[task], lines)
    with Server(context, '--dtype-profile', 'hf', source=model) as server:
        ours, _ = run_lm_eval(server, folder)
        check(run_lm_eval(server, folder, 'num_concurrent=4')[0] == ours, 'four connections at once gave other scores')
    for task, lines in stored.items():
        check_against_the_tool(context, model, ours[task], lines[1:])


with Context() as c:
    main(c)
