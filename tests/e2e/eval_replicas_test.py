"""Replicas of nemo-eval as processes: the files of one replica; a rank that dies ends the whole job within seconds, also
where the launcher leaves the survivors alone; and what all of them had answered is gone on with in another layout."""
import json
import os
import shutil
import time

from common import Context, check, skip, tree_bytes
from processes import kill_rank

TASKS = '''
tasks:
  - name: speakers
    kind: multiple_choice
    data: {files: [rows.jsonl]}
    question: '{{line}}'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc, acc_norm]
  - name: verse
    kind: generate_until
    data: {files: [rows.jsonl]}
    question: "{{right}}:\\n{{line}}"
    target: '{{line}}'
    until: ["\\n\\n"]
    max_tokens: 100
    metrics: [exact_match]
'''
SPEAKERS = ['ROMEO', 'JULIET', 'KING RICHARD', 'DUKE VINCENTIO', 'Nurse']


def write_task(c, num_rows):
    os.mkdir(c.path('rows'))
    with open(c.path('tasks.yaml'), 'w') as f:
        f.write(TASKS)
    with open(os.path.join(c.path('rows'), 'rows.jsonl'), 'w') as f:
        for i in range(num_rows):
            names = SPEAKERS[i % 3:i % 3 + 2 + i % 2]
            line = f'{"What news, my lord? " * (i % 4)}Act {i}, a room.'
            f.write(json.dumps({'line': line, 'names': names, 'right': names[0]}) + '\n')


def arguments(c, output, *flags):
    return [c.source(), '--task-file', c.path('tasks.yaml'), '--tasks', 'speakers,verse',
            '--data', c.path('rows'), '--threads', '1', '--output', c.path(output), *flags]


def results(c, output):
    """Every file but the journal, whose lines stand in the order of the answers."""
    files = tree_bytes(c.path(output))
    journal = files.pop('journal.jsonl')
    return files, sorted(journal.splitlines())


def num_answers(c, output):
    total = 0
    for name in os.listdir(c.path(output)) if os.path.isdir(c.path(output)) else ():
        if name.startswith('journal.jsonl'):
            with open(os.path.join(c.path(output), name), 'rb') as f:
                total += max(0, f.read().count(b'\n') - 1)
    return total


def kill_one(c, mpirun, victim, flags, recovery, whole):
    """Kills a rank in the middle and goes on with one replica."""
    shutil.rmtree(c.path('killed'), ignore_errors=True)
    what = f'{flags}, rank {victim}, recovery {recovery}'

    def has_answered(job):
        limit = time.monotonic() + 120
        while num_answers(c, 'killed') < len(whole[1]) // 4:
            check(job.poll() is None and time.monotonic() < limit, f'{what}: no answers came')
            time.sleep(0.01)

    elapsed = kill_rank(c, mpirun, victim, recovery, has_answered, 'nemo-eval', *arguments(c, 'killed', *flags))
    check(not os.path.exists(os.path.join(c.path('killed'), 'results.json')), f'{what}: results of a run that died')
    kept = num_answers(c, 'killed')
    c.run('nemo-eval', *arguments(c, 'killed', '--resume'))
    check(f'{kept} samples are kept' in c.stderr, f'{what}: of {kept} answers not all were kept\n{c.stderr}')
    check(results(c, 'killed') == whole, f'{what}: the files differ from those of an undisturbed run')
    return elapsed


with Context() as c:
    c.checkpoint = 'shakespeare'
    mpirun = shutil.which('mpirun')
    if not mpirun:
        skip('mpirun is not installed')
    write_task(c, 60)
    c.run('nemo-eval', *arguments(c, 'whole'))
    whole = results(c, 'whole')
    for flags in (['--tp', '2'], ['--dp', '2', '--pp', '2'], []):
        c.run('nemo-eval', *arguments(c, 'processes', '--force', *flags), launcher=[mpirun, '-n', '4', '--oversubscribe'])
        check(results(c, 'processes') == whole, f'{flags} on 4 processes: other files than one replica writes')
    slowest = 0
    for victim, flags, recovery in ((3, ['--tp', '2'], False), (0, ['--tp', '2'], True), (2, [], True)):
        slowest = max(slowest, kill_one(c, mpirun, victim, flags, recovery, whole))
    print(f'the slowest end took {slowest:.1f} s')
