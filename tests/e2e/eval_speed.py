"""nemo-eval against `lm_eval --model hf`, each as a whole program on one thread, in turns: the same model, tokens and questions.
Prints JSON. Not a test: what it says depends on the machine.

--bin DIR --source DIR --data EVALDATA --peer-python PYTHON --questions texts|fewshot --number N --dtype float32|bfloat16
--pairs N --isa NAME --batch-size N

SRC is a folder that both read (safetensors of transformers beside tokenizer.model), PYTHON one with lm_eval[hf] 0.4.13.
`texts`: passages of 8 to --words words, made of MMLU's questions, every token but the first few of each is scored.
`fewshot`: the first N questions of --subject of MMLU with its 5 examples, as both programs' own task asks them."""
import argparse
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from common import check

# lm_eval's own command line under two stopwatches: where the model is made, and where it answers.
PEER = '''
import json, sys, time
import torch
torch.set_num_threads(1)
torch.set_num_interop_threads(1)
from lm_eval.__main__ import cli_evaluate
from lm_eval.models.huggingface import HFLM
times = {}
def timed(name, what):
    def run(*args, **kwargs):
        begin = time.perf_counter(), time.process_time()
        result = what(*args, **kwargs)
        times[name] = time.perf_counter() - begin[0]
        times[name + "_cpu"] = time.process_time() - begin[1]
        return result
    return run
HFLM._create_model = timed("load", HFLM._create_model)
HFLM.loglikelihood = timed("answer", HFLM.loglikelihood)
cli_evaluate()
print("times", json.dumps(times))
'''
OURS = re.compile(r'([0-9]+) prompt tokens, ([0-9]+) of them .* loading took ([0-9.]+) s, answering ([0-9.]+) s')


class Questions:
    """Tasks and data of both programs, in a folder of their own."""

    def __init__(self, args):
        self.args, self.dir = args, tempfile.mkdtemp(prefix='nemo_eval_speed_')
        self.texts() if args.questions == 'texts' else self.fewshot()

    def path(self, name):
        return os.path.join(self.dir, name)

    def rows(self, split, subject):
        with open(f'{self.args.data}/mmlu/data/{split}/{subject}_{split}.csv', newline='', encoding='utf-8') as f:
            return list(csv.reader(f))

    def write_rows(self, name, rows):
        with open(self.path(name), 'w') as f:
            f.writelines(json.dumps(row) + '\n' for row in rows)

    def write_peer_task(self, text):
        os.mkdir(self.path('tasks'))
        with open(self.path('tasks/peer.yaml'), 'w') as f:
            f.write(f'task: peer\ndataset_path: json\n{text}')

    def texts(self):
        subjects = sorted(name[:-len('_test.csv')] for name in os.listdir(f'{self.args.data}/mmlu/data/test'))
        rows = []
        for i in range(self.args.number):
            questions = self.rows('test', subjects[i % len(subjects)])
            # Several in a row, of which a part is kept: lengths spread over the whole range.
            words = ' '.join(' '.join(q[:5]) for q in questions[i // len(subjects):][:8]).split()
            size = 8 + (self.args.words - 8) * (i * 37 % self.args.number) // max(1, self.args.number - 1)
            rows.append({'begin': ' '.join(words[:3]), 'rest': ' '.join(words[3:size])})
        self.write_rows('rows.jsonl', rows)
        self.write_peer_task(f'dataset_kwargs: {{data_files: {{test: {self.path("rows.jsonl")}}}}}\ntest_split: test\n'
                             'output_type: multiple_choice\ndoc_to_text: "{{begin}}"\ndoc_to_choice: "{{[rest]}}"\ndoc_to_target: 0\n'
                             'metric_list: [{metric: acc}]\n')
        with open(self.path('ours.yaml'), 'w') as f:
            f.write('tasks: [{name: texts, kind: multiple_choice, data: {files: [rows.jsonl]}, question: "{{begin}}", '
                    'choices: ["{{rest}}"], gold: "{{rest}}", gold_among: ["{{rest}}"], metrics: [acc]}]\n')
        self.name, self.flags = 'texts', ['--task-file', self.path('ours.yaml'), '--data', self.dir]

    def fewshot(self):
        subject = self.args.subject
        for split in ('dev', 'test'):
            rows = self.rows(split, subject)[:5 if split == 'dev' else self.args.number]
            self.write_rows(f'{split}.jsonl', [{'question': r[0], 'choices': r[1:5], 'answer': 'ABCD'.index(r[5])} for r in rows])
        self.write_peer_task(f'dataset_kwargs: {{data_files: {{dev: {self.path("dev.jsonl")}, test: {self.path("test.jsonl")}}}}}\n'
                             'test_split: test\nfewshot_split: dev\nnum_fewshot: 5\nfewshot_config: {sampler: first_n}\noutput_type: multiple_choice\n'
                             'description: "The following are multiple choice questions (with answers) about '
                             f'{subject.replace("_", " ")}.\\n\\n"\n'
                             r'doc_to_text: "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"'
                             '\ndoc_to_choice: ["A", "B", "C", "D"]\ndoc_to_target: answer\nmetric_list: [{metric: acc}]\n')
        self.name, self.flags = f'mmlu_{subject}', ['--num-fewshot', '5', '--limit', str(self.args.number), '--data', self.args.data]


def run(command, **environ):
    """(what it said on both channels, wall and CPU seconds of all its threads)."""
    with tempfile.TemporaryFile('w+') as log:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environ})
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        said = log.read()
    check(process.returncode == 0, f'{command[:3]}: exit {process.returncode}\n{said[-3000:]}')
    return said, {'wall': wall, 'cpu': used.ru_utime + used.ru_stime}


def answers_in(folder, pattern):
    """The log-likelihoods of every question, in the order of the rows."""
    paths = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names if re.match(pattern, name)]
    check(len(paths) == 1, paths)
    with open(paths[0]) as f:
        samples = sorted(map(json.loads, f), key=lambda s: s['doc_id'])
    return [[float(r[0]) for r in s['filtered_resps']] for s in samples]


def ours(args, questions):
    folder = questions.path('ours')
    said, used = run([os.path.join(args.bin, 'nemo-eval'), args.source, '--tasks', questions.name, *questions.flags, '--threads', '1',
                      '--isa', args.isa, '--output', folder, '--force', '-v'])
    found = OURS.search(said)
    check(found, said[-2000:])
    used.update(tokens=int(found[1]), known=int(found[2]), load=float(found[3]), answer=float(found[4]))
    return used, answers_in(folder, 'samples_')


def peer(args, questions):
    folder = questions.path('peer')
    shutil.rmtree(folder, ignore_errors=True)
    said, used = run([args.peer_python, '-c', PEER, '--model', 'hf', '--model_args', f'pretrained={args.source},dtype={args.dtype}', '--device', 'cpu',
                      '--batch_size', str(args.batch_size), '--include_path', questions.path('tasks'), '--tasks', 'peer', '--log_samples',
                      '--output_path', folder],
                     OMP_NUM_THREADS='1', HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_HOME=questions.path('hf'))
    used.update(json.loads(said.split('times ')[-1].splitlines()[0]))
    return used, answers_in(folder, 'samples_')


def main(args):
    questions = Questions(args)
    ratios = {name: [] for name in ('wall', 'cpu', 'answer')}
    try:
        for _ in range(args.pairs):
            load = os.getloadavg()[0]
            (mine, my_answers), (theirs, their_answers) = ours(args, questions), peer(args, questions)
            check([len(a) for a in my_answers] == [len(a) for a in their_answers], 'other questions were answered')
            distance = max(abs(a - b) for mine_, theirs_ in zip(my_answers, their_answers) for a, b in zip(mine_, theirs_))
            for name, values in ratios.items():
                values.append(theirs[name] / mine[name])
            print(json.dumps({'ours': {k: round(v, 2) for k, v in mine.items()}, 'peer': {k: round(v, 2) for k, v in theirs.items()},
                              'ratio': {k: round(v[-1], 3) for k, v in ratios.items()}, 'distance': round(distance, 3),
                              'load': [load, os.getloadavg()[0]]}), flush=True)
        print(json.dumps({'median': {k: round(statistics.median(v), 3) for k, v in ratios.items()}}))
    finally:
        shutil.rmtree(questions.dir, ignore_errors=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for required in ('bin', 'source', 'data', 'peer-python'):
        parser.add_argument(f'--{required}', required=True)
    parser.add_argument('--questions', choices=['texts', 'fewshot'], default='texts')
    parser.add_argument('--subject', default='sociology')
    parser.add_argument('--dtype', default='float32')
    parser.add_argument('--isa', default='auto')
    for name, default in (('number', 64), ('words', 64), ('pairs', 1), ('batch-size', 8)):
        parser.add_argument(f'--{name}', type=int, default=default)
    main(parser.parse_args())
