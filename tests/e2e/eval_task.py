"""Tasks of the tests' own for nemo-eval: choices and generated text, with prompts of several lengths."""
import json
import os

from common import tree_bytes

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
NAMES = 'speakers,verse'
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


def arguments(c, source, output, *flags):
    return [source, '--task-file', c.path('tasks.yaml'), '--tasks', NAMES, '--data', c.path('rows'), '--threads', '1',
            '--output', c.path(output), *flags]


def results(c, output):
    """Every file but the journal, and the journal's lines, which stand in the order of the answers."""
    files = tree_bytes(c.path(output))
    journal = files.pop('journal.jsonl')
    return files, sorted(journal.splitlines())
