"""A rank that dies in the middle of a generation ends the whole job within seconds, with a message that says who died
and what the others were doing; also where the launcher leaves the survivors alone."""
import shutil

from common import Context, check, skip
from processes import kill_rank

LONG = ['--stream', '--greedy', '--tokens-to-generate', '900', '--min-tokens-to-generate', '900',
        *(word for i in range(20) for word in ('--prompt', f'KING {i}:'))]


def has_spoken(job):
    check(job.stdout.read(40), 'no text came')


with Context() as c:
    c.checkpoint = 'shakespeare'
    mpirun = shutil.which('mpirun')
    if not mpirun:
        skip('mpirun is not installed')
    slowest = 0
    for flags in (['--tp', '2', '--pp', '2'], ['--tp', '4']):
        for victim in (2, 0):
            for recovery in (False, True):
                slowest = max(slowest, kill_rank(c, mpirun, victim, recovery, has_spoken, 'nemo-generate', c.source(), *flags, *LONG))
    print(f'the slowest end took {slowest:.1f} s')
