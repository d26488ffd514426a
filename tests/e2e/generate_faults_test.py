"""A rank that dies in the middle of a generation ends the whole job within seconds, with a message that says who died
and what the others were doing; also where the launcher leaves the survivors alone."""
import os
import shutil
import signal
import subprocess
import time

from common import Context, check, skip
from processes import children_of, ranks_left

SECONDS = 10


def kill_one(c, mpirun, victim, flags, recovery):
    environ = dict(os.environ, OMPI_MCA_orte_enable_recovery='1' if recovery else '0')
    command = [mpirun, '-n', '4', '--oversubscribe', os.path.join(c.bin, 'nemo-generate'), c.source(), *flags, '--stream',
               '--greedy', '--tokens-to-generate', '900', '--min-tokens-to-generate', '900']
    for i in range(20):
        command += ['--prompt', f'KING {i}:']
    with open(c.path('stderr'), 'w+') as stderr:
        job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=environ)
        try:
            check(job.stdout.read(40), 'no text came')
            ranks = children_of(job.pid)
            check(sorted(ranks) == [0, 1, 2, 3], ranks)
            begin = time.monotonic()
            os.kill(ranks[victim], signal.SIGKILL)
            job.communicate(timeout=SECONDS)
            elapsed = time.monotonic() - begin
            # A launcher that recovers has no failure to tell.
            check(recovery or job.returncode != 0, f'{flags}, rank {victim}: exit 0')
            left = ranks_left(ranks, begin + SECONDS)
            check(not left, f'{flags}, rank {victim}: ranks {left} still run')
        except subprocess.TimeoutExpired:
            check(False, f'{flags}, rank {victim}, recovery {recovery}: still running after {SECONDS} s')
        finally:
            job.kill()
            job.communicate()
        stderr.seek(0)
        text = stderr.read()
    # Rank 0 tells it for all; where it is the one that died the launcher does.
    if recovery and victim != 0:
        check(f'rank {victim} (process {ranks[victim]}) has died; rank ' in text, text)
    return elapsed


with Context() as c:
    c.checkpoint = 'shakespeare'
    mpirun = shutil.which('mpirun')
    if not mpirun:
        skip('mpirun is not installed')
    slowest = 0
    for flags in (['--tp', '2', '--pp', '2'], ['--tp', '4']):
        for victim in (2, 0):
            for recovery in (False, True):
                slowest = max(slowest, kill_one(c, mpirun, victim, flags, recovery))
    print(f'the slowest end took {slowest:.1f} s')
