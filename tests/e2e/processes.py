"""Ranks that a launcher started, seen from outside."""
import os
import time


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
