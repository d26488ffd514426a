"""A Slurm of two nodes on this machine, for one test: munged, slurmctld and two slurmd of our own, on loopback only.

Needs root and Debian's packages (slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge); nothing of a Slurm that may
be installed here is touched. Facts: slurm.conf(5), munged(8). Both nodes are one host, so Open MPI may not use shared memory
between ranks, which it would believe to be of one node: pml ob1 over btl tcp.
"""
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

from common import check, skip

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'srun', 'sbatch', 'sinfo', 'squeue', 'scontrol', 'scancel')
NODES = ('n1', 'n2')
CPUS = 16  # claimed by each node: more ranks than cores are fine for a test
GPUS = 8  # claimed too, so that scripts for such nodes run as they are; their device files lead nowhere

CONF = """ClusterName=nemo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={dir}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
StateSaveLocation={dir}/state
SlurmctldPidFile={dir}/slurmctld.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdSpoolDir={dir}/spool.%n
SlurmdPidFile={dir}/slurmd.%n.pid
SlurmdLogFile={dir}/slurmd.%n.log
TmpFS={dir}/tmp.%n
GresTypes=gpu
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs={cpus} RealMemory=2000 Gres=gpu:{gpus}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def reason_to_skip():
    if os.geteuid() != 0:
        return 'not root, who alone may run slurmd'
    missing = [p for p in PROGRAMS if shutil.which(p, path=search_path()) is None]
    return 'not installed: ' + ' '.join(missing) if missing else None


def search_path():
    return os.environ.get('PATH', '') + ':/usr/sbin:/sbin'


def free_ports(count):
    """The first of `count` consecutive ports of loopback that nobody has."""
    for first in range(20000 + os.getpid() % 20000, 60000, count):
        taken = []
        try:
            for port in range(first, first + count):
                taken.append(socket.socket())
                taken[-1].bind(('127.0.0.1', port))
            return first
        except OSError:
            pass
        finally:
            for s in taken:
                s.close()
    skip(f'no {count} free ports')


class Cluster:
    """Up inside of `with`; its processes are ended by their ids."""

    def __init__(self, directory):
        reason = reason_to_skip()
        if reason:
            skip(f'no Slurm: {reason}')
        self.dir, self.processes = directory, []
        self.env = dict(os.environ, PATH=search_path(), SLURM_CONF=os.path.join(directory, 'slurm.conf'),
                        OMPI_MCA_pml='ob1', OMPI_MCA_btl='tcp,self', OMPI_MCA_mpi_yield_when_idle='1')

    def __enter__(self):
        os.makedirs(self.dir, mode=0o755)
        for name in ('state', *(f'{what}.{n}' for what in ('spool', 'tmp') for n in NODES)):
            os.mkdir(os.path.join(self.dir, name))
        port = free_ports(3)
        with open(self.env['SLURM_CONF'], 'w') as f:
            f.write(CONF.format(host=socket.gethostname().split('.')[0], port=port, first=port + 1, last=port + 2, dir=self.dir,
                                cpus=CPUS, gpus=GPUS))
        for index in range(GPUS):
            os.mknod(os.path.join(self.dir, f'gpu{index}'), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        with open(os.path.join(self.dir, 'gres.conf'), 'w') as f:
            f.write(f'NodeName=n[1-2] Name=gpu File={self.dir}/gpu[0-{GPUS - 1}]\n')
        key = os.path.join(self.dir, 'munge.key')
        with open(key, 'wb') as f:
            f.write(os.urandom(1024))
        os.chmod(key, 0o400)
        try:
            self.start('munged', '--foreground', '--force', f'--key-file={key}', f'--socket={self.dir}/munge.socket',
                       f'--pid-file={self.dir}/munged.pid', f'--log-file={self.dir}/munged.log',
                       f'--seed-file={self.dir}/munge.seed')
            self.wait_for('munged', lambda: os.path.exists(f'{self.dir}/munge.socket'))
            self.start('slurmctld', '-D', '-f', self.env['SLURM_CONF'])
            for node in NODES:
                self.start('slurmd', '-D', '-N', node, '-f', self.env['SLURM_CONF'])
            self.wait_for('nodes', self.nodes_are_idle)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, *command):
        log = open(os.path.join(self.dir, f'{command[0]}.{len(self.processes)}.out'), 'wb')
        with log:
            self.processes.append(subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def nodes_are_idle(self):
        done = subprocess.run(['sinfo', '-h', '-N', '-o', '%t'], env=self.env, capture_output=True, text=True)
        return done.stdout.split() == ['idle'] * len(NODES)

    def wait_for(self, what, ready, seconds=60):
        deadline = time.monotonic() + seconds
        while not ready():
            check(time.monotonic() < deadline, f'Slurm: {what} not up after {seconds} s\n{self.logs()}')
            time.sleep(0.1)

    def logs(self):
        text = ''
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(('.log', '.out')):
                with open(os.path.join(self.dir, name), errors='replace') as f:
                    text += f'--- {name}\n{f.read()[-1500:]}\n'
        return text

    def srun(self, ranks, *command, flags=()):
        """The command line that runs `ranks` processes, half of them on each node."""
        return ['srun', '--mpi=pmix', '-N', str(len(NODES)), f'--ntasks-per-node={ranks // len(NODES)}', *flags, *command]

    def run(self, ranks, *command, seconds=300):
        done = subprocess.run(self.srun(ranks, *command), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)
        check(done.returncode == 0, f'{" ".join(command)}\nexit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}')
        return done.stdout

    def submit(self, script, *args, flags=(), **settings):
        """The id of a new job; its output goes to JOB.out in the cluster's folder. Settings are variables of its environment."""
        done = subprocess.run(['sbatch', '--parsable', f'--output={self.dir}/%j.out', *flags, script, *args], capture_output=True,
                              text=True, env=dict(self.env, **settings))
        check(done.returncode == 0, f'sbatch {script}: {done.stderr}')
        return done.stdout.strip()

    def output_of(self, job):
        try:
            with open(os.path.join(self.dir, f'{job}.out'), errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def state_of(self, job):
        """(RUNNING, COMPLETED, ...; the batch script's exit code)."""
        done = subprocess.run(['scontrol', 'show', 'job', job], capture_output=True, text=True, env=self.env)
        facts = dict(word.split('=', 1) for word in done.stdout.split() if '=' in word)
        return facts['JobState'], int(facts['ExitCode'].split(':')[0])

    def wait_for_end(self, job, seconds):
        """state_of the job once it has one that lasts."""
        deadline = time.monotonic() + seconds
        while self.state_of(job)[0] in ('PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING'):
            check(time.monotonic() < deadline,
                  f'job {job} still runs after {seconds} s\n{self.output_of(job)}\n{self.logs()}')
            time.sleep(0.1)
        return self.state_of(job)

    def processes_of(self, job):
        """Those whose environment says that they belong to the job."""
        found = []
        for entry in os.listdir('/proc'):
            try:
                with open(f'/proc/{entry}/environ', 'rb') as f:
                    environment = f.read().split(b'\0')
            except OSError:
                continue
            if f'SLURM_JOB_ID={job}'.encode() in environment and f'SLURM_CONF={self.env["SLURM_CONF"]}'.encode() in environment:
                found.append(int(entry))
        return found

    def rank_pid(self, rank, program):
        """The process of `rank` of the one step that runs, by what Slurm put into its environment."""
        for entry in os.listdir('/proc'):
            try:
                with open(f'/proc/{entry}/environ', 'rb') as f:
                    environment = f.read().split(b'\0')
                if os.path.basename(os.readlink(f'/proc/{entry}/exe')) != program:
                    continue
            except OSError:
                continue
            if f'SLURM_PROCID={rank}'.encode() in environment and f'SLURM_CONF={self.env["SLURM_CONF"]}'.encode() in environment:
                return int(entry)
        return None

    def kill_rank(self, rank, program):
        pid = self.rank_pid(rank, program)
        check(pid is not None, f'no rank {rank} of {program} runs')
        os.kill(pid, signal.SIGKILL)
