"""Ranks that a launcher started, seen from outside."""
import os


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
