"""Ranks that a launcher started, seen from outside; and what is to happen when one of them dies."""
import os
import signal
import subprocess
import time

from common import check

RANKS = 4
SECONDS = 10  # a job whose rank has died ends within them


def rank_of(pid):
    with open(f'/proc/{pid}/environ', 'rb') as f:
        for entry in f.read().split(b'\0'):
            if entry.startswith(b'OMPI_COMM_WORLD_RANK='):
                return int(entry.partition(b'=')[2])
    return None


def children_of(parent):
    """{rank: pid} of the ranks that `parent` started."""
    ranks = {}
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat') as f:
                stat = f.read()
            if int(stat.rpartition(')')[2].split()[1]) == parent:
                rank = rank_of(name)
                if rank is not None:
                    ranks[rank] = int(name)
        except OSError:
            pass  # it has just ended
    return ranks


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def ranks_left(ranks, until):
    """Ranks (by number, of their processes) that still run at the time `until` (monotonic). A launcher may be gone a
    moment before the last of them."""
    while any(map(is_running, ranks.values())) and time.monotonic() < until:
        time.sleep(0.02)
    return [rank for rank, pid in ranks.items() if is_running(pid)]


def kill_rank(c, mpirun, victim, recovery, wait_until_busy, tool, *args):
    """Runs the tool on four ranks and kills one of them once `wait_until_busy(job)` returns. The others end within SECONDS,
    also where the launcher leaves them alone (`recovery`), and say who died. Returns how long that took."""
    environ = dict(os.environ, OMPI_MCA_orte_enable_recovery='1' if recovery else '0')
    command = [mpirun, '-n', str(RANKS), '--oversubscribe', os.path.join(c.bin, tool), *args]
    what = f'{" ".join(args)[:200]}: rank {victim} died, recovery {recovery}'
    with open(c.path('stderr'), 'w+') as stderr:
        job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=environ)
        try:
            wait_until_busy(job)
            ranks = children_of(job.pid)
            check(sorted(ranks) == list(range(RANKS)), ranks)
            begin = time.monotonic()
            os.kill(ranks[victim], signal.SIGKILL)
            job.communicate(timeout=SECONDS)
            elapsed = time.monotonic() - begin
            # A launcher that recovers has no failure to tell.
            check(recovery or job.returncode != 0, f'{what}: exit 0')
            left = ranks_left(ranks, begin + SECONDS)
            check(not left, f'{what}: ranks {left} still run')
        except subprocess.TimeoutExpired:
            check(False, f'{what}: still running after {SECONDS} s')
        finally:
            job.kill()
            job.communicate()
        stderr.seek(0)
        text = stderr.read()
    # Rank 0 tells it for all; where it is the one that died the launcher does.
    if recovery and victim != 0:
        check(f'rank {victim} (process {ranks[victim]}) has died; rank ' in text, text)
    return elapsed
