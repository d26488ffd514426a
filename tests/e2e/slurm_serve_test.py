"""The batch scripts of tools/slurm on two nodes: the card's example from sbatch to the poem, and what can go wrong on the way."""
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from common import Context, check, skip
from eval_task import NAMES, arguments, results, write_task
from slurm_cluster import Cluster, free_ports

PROMPT = 'Write a poem on NVIDIA in the style of Shakespeare'
FOUR_RANKS = ['--ntasks-per-node=2']  # TP2 x PP2; as they are, the scripts take TP8 x PP2
ALL_DAY = ['--plain', *(['--prompt', 'KING'] * 100), '--tokens-to-generate', '900']


class Scripts:
    """tools/slurm of this checkout, run by one cluster."""

    def __init__(self, c, cluster):
        self.c, self.cluster = c, cluster
        self.home = os.path.dirname(os.path.abspath(c.tests))
        self.model = os.path.join(c.tests, 'data', 'shakespeare.nemo')
        self.port = 0

    def path(self, name):
        return os.path.join(self.home, 'tools', 'slurm', name)

    def submit(self, script, *args, flags=(), **settings):
        self.port = free_ports(1)
        settings = {'NEMO_HOME': self.home, 'NEMO_BIN': self.c.bin, 'NEMO_BACKEND': 'cpu', 'NEMO_PORT': str(self.port),
                    'NEMO_FLAGS': '--threads 1', **settings}
        return self.cluster.submit(self.path(script), *map(str, args), flags=flags, **settings)

    def expect(self, job, state, *words, code=None, seconds=240):
        """The job ends in `state`, its output has the words, and none of its processes is left."""
        found, exit_code = self.cluster.wait_for_end(job, seconds)
        output = self.cluster.output_of(job)
        check(found == state, f'job {job} is {found}, not {state}\n{output}')
        check(code is None or code == exit_code, f'job {job} ended with exit code {exit_code}, not {code}\n{output}')
        for word in words:
            check(word in output, f'job {job} does not say {word!r}:\n{output}')
        left = self.cluster.processes_of(job)
        check(not left, f'job {job} left processes behind: {left}')
        return output

    def answers(self):
        try:
            urllib.request.urlopen(urllib.request.Request(f'http://127.0.0.1:{self.port}/', method='PUT')).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def wait_for_answer(self, job):
        def ready():
            check(self.cluster.state_of(job)[0] in ('PENDING', 'RUNNING'), f'job {job} ended\n{self.cluster.output_of(job)}')
            return self.answers()
        self.cluster.wait_for('the server', ready, seconds=240)


def poem(s):
    """The card's example, and that the poem is the one that the model writes without server and cluster."""
    expected = s.c.run('nemo-generate', s.model, '--prompt', PROMPT, '--greedy', '--tokens-to-generate', '60')[len(PROMPT):].strip()
    check(len(expected) > 60, f'the model has little to say: {expected!r}')
    client = ['--plain', '--prompt', PROMPT, '--tokens-to-generate', '60']
    for flags in FOUR_RANKS, []:
        job = s.submit('generation.sbatch', s.model, *client, flags=flags)
        output = s.expect(job, 'COMPLETED', 'the model answers at', code=0)
        check(expected in output, f'{flags}: other verse than {expected!r}:\n{output}')


def client_of_the_card(s):
    """A server that stays, asked from outside in the card's way, with requests and without; then the job is cancelled."""
    job = s.submit('serve.sh', s.model, flags=['--nodes=2', *FOUR_RANKS])
    s.wait_for_answer(job)
    command = [s.path('call_server.py'), '--port', str(s.port), '--wait', '10', '--tokens-to-generate', '20']
    hide = 'import runpy, sys; sys.modules["requests"] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")'
    texts = [subprocess.run(start + command, capture_output=True, text=True, check=True).stdout
             for start in ([os.environ.get('NEMO_TEST_PYTHON', sys.executable)], [sys.executable, '-c', hide])]
    check(texts[0] == texts[1] and texts[0].strip(), f'requests and urllib get different answers: {texts}')
    refused = subprocess.run([sys.executable, *command, '--temperature', '1000'], capture_output=True, text=True)
    check(refused.returncode == 1 and 'temperature must be' in refused.stderr, f'no refusal: {refused}')
    subprocess.run(['scancel', job], env=s.cluster.env, check=True)
    s.expect(job, 'CANCELLED')


def stopped(s):
    """SIGTERM to the script, as at the end of the job's time: the server is drained, and nothing is left."""
    job = s.submit('serve.sh', s.model, flags=['--nodes=2', *FOUR_RANKS])
    s.wait_for_answer(job)
    subprocess.run(['scancel', '--batch', '--signal=TERM', job], env=s.cluster.env, check=True)
    s.expect(job, 'FAILED', code=143)


def dead_rank(s):
    """One rank is killed while the client waits for its answer."""
    job = s.submit('generation.sbatch', s.model, *ALL_DAY, flags=FOUR_RANKS)
    s.wait_for_answer(job)
    time.sleep(1)  # the client has asked
    start = time.monotonic()
    s.cluster.kill_rank(2, 'nemo-generate')
    output = s.expect(job, 'FAILED', 'before its client did')
    seconds = time.monotonic() - start
    check(seconds < 20, f'a rank died and the job ran for another {seconds:.0f} s\n{output}')
    check('task 2' in output or 'rank 2' in output, f'nobody names the dead rank:\n{output}')
    return seconds


def no_server(s):
    """The server does not come up: the script says so at once, and passes on why."""
    job = s.submit('generation.sbatch', s.c.path('absent.nemo'), flags=FOUR_RANKS)
    s.expect(job, 'FAILED', 'absent.nemo', 'before it answered', seconds=60)

    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        job = s.submit('generation.sbatch', s.model, flags=FOUR_RANKS, NEMO_PORT=str(other.getsockname()[1]))
        s.expect(job, 'FAILED', 'NEMO_PORT', seconds=60)

    os.mkdir(s.c.path('slow'))
    with open(s.c.path('slow/nemo-generate'), 'w') as f:
        f.write('#!/bin/sh\nexec sleep 1000\n')
    os.chmod(s.c.path('slow/nemo-generate'), 0o755)
    job = s.submit('generation.sbatch', s.model, flags=FOUR_RANKS, NEMO_BIN=s.c.path('slow'), NEMO_WAIT_SECONDS='2')
    s.expect(job, 'FAILED', 'no answer from', code=4, seconds=60)

    job = s.cluster.submit(s.path('generation.sbatch'), 'model.nemo', NEMO_HOME=s.c.dir)
    s.expect(job, 'FAILED', 'serve.sh', seconds=60)


def conversion(s):
    """Converts on several ranks and proves the result."""
    target = s.c.path('shards')
    job = s.submit('conversion.sbatch', s.model, target, NEMO_TP='2', NEMO_PP='2', flags=['--cpus-per-task=1'])
    s.expect(job, 'COMPLETED', code=0)
    check(os.path.exists(os.path.join(target, 'manifest.json')), 'the conversion job wrote no manifest')


def evaluation(s):
    """Scores on four ranks are those of one process; a job submitted again takes up what the first one left; replicas."""
    if not os.path.exists(os.path.join(s.c.bin, 'nemo-eval')):
        print('this build has no nemo-eval: evaluation.sbatch is not tried')
        return
    write_task(s.c, 12)
    flags = ['--task-file', s.c.path('tasks.yaml'), '--max-gen-tokens', '12']
    s.c.run('nemo-eval', *arguments(s.c, s.model, 'whole', *flags[2:]))
    whole = results(s.c, 'whole')

    def submit(output, *words, **layout):
        job = s.submit('evaluation.sbatch', s.model, s.c.path('rows'), s.c.path(output), *flags, flags=FOUR_RANKS,
                       NEMO_TASKS=NAMES, **layout)
        s.expect(job, 'COMPLETED', 'speakers', *words, code=0)
        check(results(s.c, output) == whole, f'{layout}: evaluation.sbatch gives other files than one process')

    submit('scores')
    os.remove(s.c.path('scores/results.json'))
    with open(s.c.path('scores/journal.jsonl'), 'r+b') as f:
        lines = f.readlines()
        f.truncate(sum(map(len, lines[:10])))
    submit('scores', '9 samples are kept', NEMO_TP='1', NEMO_PP='2')


with Context() as c:
    if shutil.which('curl') is None:
        skip('curl is not installed')
    with Cluster(c.path('slurm')) as cluster:
        scripts = Scripts(c, cluster)
        conversion(scripts)
        no_server(scripts)
        poem(scripts)
        client_of_the_card(scripts)
        stopped(scripts)
        seconds = dead_rank(scripts)
        evaluation(scripts)
    print(f'tools/slurm: a poem from 4 and from 16 ranks on two nodes, no process left; a dead rank ends the job in {seconds:.1f} s; '
          'scores of four ranks are those of one process')
