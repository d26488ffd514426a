"""Several programs a problem: pass@k is what Python makes of the programs in the samples file, and the same programs come on
every layout, with any number of replicas, and after a stop."""
import json
import math
import os

from common import Context, check, skip, tree_bytes

TASK = r'''
tasks:
  - name: lengths
    kind: code
    data: {files: [rows.jsonl]}
    question: '{{prompt}}'
    target: 'assert'
    program: "text = r\"\"\"{{completion}} \"\"\"\nassert len(text) % {{divisor}} == 0\n"
    until: ["\n\n"]
    max_tokens: 10
    metrics: ['pass@1', 'pass@10', 'pass@100']
'''
NUM_SAMPLES = 12


def passes(program):
    try:
        exec(program, {})
    except AssertionError:
        return False
    return True


def pass_at_k(n, c, k):
    """One minus the share of the draws of k that hold no correct one."""
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def arguments(c, output, *flags):
    return [os.path.join(c.tests, 'data', 'shakespeare.nemo'), '--task-file', c.path('task.yaml'), '--tasks', 'lengths', '--data',
            c.path('rows'), '--allow-code-execution', '--output', c.path(output), '--force', *flags]


def evaluate(c, output, *flags):
    c.run('nemo-eval', *arguments(c, output, *flags))
    files = tree_bytes(c.path(output))
    files.pop('journal.jsonl')
    return files


def rows_of(files):
    return [json.loads(line) for line in files['samples_lengths.jsonl'].splitlines()]


with Context() as c:
    os.mkdir(c.path('rows'))
    with open(c.path('task.yaml'), 'w') as f:
        f.write(TASK)
    with open(os.path.join(c.path('rows'), 'rows.jsonl'), 'w') as f:
        for i, prompt in enumerate(('ROMEO:\n', 'KING:\n', 'To be, or', 'Nurse:\n')):
            f.write(json.dumps({'prompt': prompt, 'divisor': (2, 3, 4, 1)[i]}) + '\n')
    c.run('nemo-eval', *arguments(c, 'one', '--num-samples', '2', '--temperature', '0'), expect=2)
    try:
        first = evaluate(c, 'several', '--num-samples', str(NUM_SAMPLES))
    except SystemExit:
        c.run('nemo-eval', *arguments(c, 'none'), expect=3)
        skip('programs cannot be run in a sandbox here')

    sums = {1: 0, 10: 0}
    for row in rows_of(first):
        programs = row['filtered_resps']
        check(len(programs) == NUM_SAMPLES and len(row['resps'][0]) == NUM_SAMPLES, row)
        check(len(set(programs)) > NUM_SAMPLES // 2, f'the programs are hardly different: {programs}')
        correct = sum(map(passes, programs))
        for k in sums:
            expected = pass_at_k(NUM_SAMPLES, correct, k)
            check(math.isclose(row[f'pass@{k}'], expected, abs_tol=1e-12), f'pass@{k} of {correct}: {row[f"pass@{k}"]}, not {expected}')
            sums[k] += expected
    results = json.loads(first['results.json'])
    for k, total in sums.items():
        found = results['results']['lengths'][f'pass@{k},none']
        check(math.isclose(found, total / 4, abs_tol=1e-12), f'pass@{k}: {found}, not {total / 4}')
    check('pass@100,none' not in results['results']['lengths'], 'pass@100 of 12 programs')
    check(results['configs']['lengths']['repeats'] == NUM_SAMPLES, results['configs'])

    for flags in (['--tp', '2', '--max-batch-size', '3'], ['--dp', '3'], ['--pp', '2', '--dp', '2', '--prefix-cache', 'off']):
        check(evaluate(c, 'other', '--num-samples', str(NUM_SAMPLES), *flags) == first, f'{flags}: other programs')
    with open(os.path.join(c.path('other'), 'journal.jsonl'), 'r+b') as f:
        f.truncate(len(f.read()) * 2 // 3)
    c.run('nemo-eval', *[flag if flag != '--force' else '--resume' for flag in
                         arguments(c, 'other', '--num-samples', str(NUM_SAMPLES))])
    again = tree_bytes(c.path('other'))
    again.pop('journal.jsonl')
    check(again == first, 'after a stop: other files')
    seeded = evaluate(c, 'other', '--num-samples', str(NUM_SAMPLES), '--seed', '7')
    check(rows_of(seeded)[0]['resps'] != rows_of(first)[0]['resps'], 'another seed gives the same programs')
    greedy = rows_of(evaluate(c, 'other'))
    check(all(len(row['resps'][0]) == 1 and row['metrics'] == ['pass@1'] for row in greedy), greedy[0])
    print(f'pass@1 {sums[1] / 4:.3f}, pass@10 {sums[10] / 4:.3f} of {NUM_SAMPLES} programs for each of 4 problems')
