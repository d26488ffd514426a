"""nemo-eval writes the same files whatever computes them. Replicas as processes: the files of one replica; a rank that dies
ends the whole job within seconds, also where the launcher leaves the survivors alone; and what all of them had answered is
gone on with in another layout."""
import os
import shutil
import time

from common import Context, check, skip
from eval_task import arguments, results, write_task
from processes import kill_rank


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

    elapsed = kill_rank(c, mpirun, victim, recovery, has_answered, 'nemo-eval', *arguments(c, c.source(), 'killed', *flags))
    check(not os.path.exists(os.path.join(c.path('killed'), 'results.json')), f'{what}: results of a run that died')
    kept = num_answers(c, 'killed')
    c.run('nemo-eval', *arguments(c, c.source(), 'killed', '--resume'))
    check(f'{kept} samples are kept' in c.stderr, f'{what}: of {kept} answers not all were kept\n{c.stderr}')
    check(results(c, 'killed') == whole, f'{what}: the files differ from those of an undisturbed run')
    return elapsed


def every_way(c):
    """However it is computed, and however many questions stand side by side: the same files."""
    small = ['--limit', '5', '--max-gen-tokens', '6', '--force']
    c.run('nemo-eval', *arguments(c, c.source(), 'small', *small))
    wanted = results(c, 'small')
    for flags in (['--isa', 'scalar'], ['--backend', 'reference'], ['--max-batch-size', '1'], ['--prefill-chunk', '7'], ['--prefix-cache', 'off'],
                  ['--tp', '2', '--pp', '3', '--max-batch-size', '5'], ['--tp', '4', '--prefill-chunk', '3']):
        c.run('nemo-eval', *arguments(c, c.source(), 'small', *small, *flags))
        check(results(c, 'small') == wanted, f'{flags}: other files')


with Context() as c:
    c.checkpoint = 'shakespeare'
    mpirun = shutil.which('mpirun')
    if not mpirun:
        skip('mpirun is not installed')
    write_task(c, 60)
    every_way(c)
    c.run('nemo-eval', *arguments(c, c.source(), 'whole'))
    whole = results(c, 'whole')
    for flags in (['--tp', '2'], ['--dp', '2', '--pp', '2'], []):
        c.run('nemo-eval', *arguments(c, c.source(), 'processes', '--force', *flags), launcher=[mpirun, '-n', '4', '--oversubscribe'])
        check(results(c, 'processes') == whole, f'{flags} on 4 processes: other files than one replica writes')
    slowest = 0
    for victim, flags, recovery in ((3, ['--tp', '2'], False), (0, ['--tp', '2'], True), (2, [], True)):
        slowest = max(slowest, kill_one(c, mpirun, victim, flags, recovery, whole))
    print(f'the slowest end took {slowest:.1f} s')
