"""Two nodes of Slurm: conversion by several ranks, the same tokens for every layout, replicas, a rank that dies."""
import json
import os
import shutil
import subprocess
import time

from common import Context, check, tree_bytes
from slurm_cluster import Cluster

PROMPTS = ['Write a poem on NVIDIA in the style of Shakespeare', 'KING', 'To be, or not to be: that is the question:\n']
LAYOUTS = [(2, 1), (1, 2), (2, 2), (4, 1), (8, 1), (2, 3)]


def answer(text):
    out = json.loads(text)
    out.pop('timing')
    return out


def generate(c, source, *flags):
    args = [os.path.join(c.bin, 'nemo-generate'), source, '--json', '--tokens-to-generate', '12', '--logprobs', *map(str, flags)]
    for prompt in PROMPTS:
        args += ['--prompt', prompt]
    return args


def convert(c, cluster, source):
    """Four ranks write the files that one process writes."""
    flags = ['--tp', '4', '--pp', '2']
    c.run('nemo-convert', source, c.path('one'), *flags)
    cluster.run(4, os.path.join(c.bin, 'nemo-convert'), source, c.path('four'), *flags)
    check(tree_bytes(c.path('four')) == tree_bytes(c.path('one')), 'conversion by four ranks on two nodes: other bytes')


def layouts(c, cluster, source):
    runs = 0
    for sampling, chunk in (['--greedy'], []), (['--temperature', '0.8', '--top-k', '40', '--seed', '7'], ['--prefill-chunk', 7]):
        expected = answer(subprocess.run(generate(c, source, *sampling), capture_output=True, text=True, check=True).stdout)
        for tp, pp in LAYOUTS:
            found = answer(cluster.run(tp * pp, *generate(c, source, '--tp', tp, '--pp', pp, *sampling, *chunk)))
            check(found == expected, f'TP{tp} x PP{pp}, {sampling}, on two nodes: other tokens or log-probabilities')
            runs += 1
    return runs


def replicas(c, cluster, source):
    """Two replicas of nemo-eval, a node for each or both on both, write the files of one; they meet in one folder."""
    os.mkdir(c.path('rows'))
    with open(c.path('tasks.yaml'), 'w') as f:
        f.write('tasks: [{name: texts, kind: perplexity, data: {files: [rows.jsonl]}, target: "{{text}}", metrics: [byte_perplexity]}]')
    with open(os.path.join(c.path('rows'), 'rows.jsonl'), 'w') as f:
        for i in range(30):
            f.write(json.dumps({'text': f'Act {i}, a room. What news, my lord?'}) + '\n')
    flags = [source, '--task-file', c.path('tasks.yaml'), '--tasks', 'texts', '--data', c.path('rows'), '--threads', '1']
    c.run('nemo-eval', *flags, '--output', c.path('scores'))
    for layout in (['--tp', '2'], ['--pp', '2', '--dp', '2']):
        cluster.run(4, os.path.join(c.bin, 'nemo-eval'), *flags, *layout, '--output', c.path('shared'))
        expected, found = tree_bytes(c.path('scores')), tree_bytes(c.path('shared'))
        lines, more = expected.pop('journal.jsonl'), found.pop('journal.jsonl')
        check(found == expected and sorted(more.splitlines()) == sorted(lines.splitlines()), f'{layout} on two nodes: other scores')
        shutil.rmtree(c.path('shared'))


def dead_rank(c, cluster, source):
    """One rank is killed while it generates: the step ends within seconds, and says who is gone."""
    command = [os.path.join(c.bin, 'nemo-generate'), source, '--tp', '2', '--pp', '2', '--greedy', '--threads', '1',
               '--tokens-to-generate', '900', '--min-tokens-to-generate', '900', *(['--prompt', 'KING'] * 200)]
    step = subprocess.Popen(cluster.srun(4, *command, flags=['--kill-on-bad-exit=1']), env=cluster.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cluster.wait_for('rank 2', lambda: cluster.rank_pid(2, 'nemo-generate') is not None)
    time.sleep(1)  # beyond MPI_Init, before the last token
    start = time.monotonic()
    cluster.kill_rank(2, 'nemo-generate')
    try:
        _, said = step.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        step.kill()
        check(False, 'a rank died and the step still runs after a minute')
    seconds = time.monotonic() - start
    check(step.returncode != 0, f'a rank died and the step says 0\n{said}')
    check(seconds < 10, f'a rank died and the step ran for another {seconds:.0f} s\n{said}')
    check('task 2' in said or 'rank 2' in said, f'nobody names the dead rank:\n{said}')
    return seconds


with Context() as c:
    source = os.path.join(c.tests, 'data', 'shakespeare.nemo')
    with Cluster(c.path('slurm')) as cluster:
        convert(c, cluster, source)
        runs = layouts(c, cluster, source)
        replicas(c, cluster, source)
        seconds = dead_rank(c, cluster, source)
    print(f'two nodes: 4 ranks convert as one does; {runs} runs of nemo-generate agree to the bit; replicas of nemo-eval do; '
          f'a dead rank ends the step in {seconds:.1f} s')
