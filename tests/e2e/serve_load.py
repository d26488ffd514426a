"""Load on a `nemo-generate --serve`: clients of mixed lengths through both APIs for some seconds, among them such that
hang up, send too much, nonsense, or slowly. Each answer must be that of the same request alone. Prints JSON.

--clients N --seconds S --tp T --pp P --max-batch-size B; without --faulty on: only clients that behave."""
import argparse
import json
import os
import random
import shutil
import threading
import time

from common import check
from server import WORDS, Files, Server, raw_request, read_all


def make_requests(rng, count):
    """(method, path, fields) of good requests, short and long, greedy and drawn, in both APIs."""
    out = []
    for i in range(count):
        text = ' '.join(rng.choice(WORDS) for _ in range(rng.choice([1, 3, 10, 40, 120])))
        tokens = rng.choice([1, 4, 16, 40, 100])
        if i % 2:
            fields = {'prompt': text, 'max_tokens': tokens, 'temperature': rng.choice([0, 0.8]), 'seed': i, 'stream': i % 4 == 1}
            out.append(('POST', '/v1/completions', fields))
        else:
            fields = {'sentences': [text] * rng.choice([1, 1, 2]), 'tokens_to_generate': tokens, 'greedy': i % 3 == 0, 'random_seed': i,
                      'compute_logprob': i % 5 == 0, 'end_strings': []}
            out.append(('PUT', '/generate', fields))
    return out


def answer_of(server, request):
    """(status, what must be equal, generated tokens)"""
    method, path, fields = request
    status, _, body = server.call(method, path, fields)
    if status != 200:
        return status, None, 0
    if fields.get('stream'):
        events = [line[6:] for line in body.decode().split('\n\n') if line.startswith('data: ')]
        check(events[-1] == '[DONE]', body[-300:])
        choices = [json.loads(event)['choices'][0] for event in events[:-1]]
        return status, [''.join(c['text'] for c in choices), choices[-1]['finish_reason']], 0
    answer = json.loads(body)
    if 'sentences' in answer:
        return status, answer, 0
    return status, [answer['choices'][0]['text'], answer['choices'][0]['finish_reason']], answer['usage']['completion_tokens']


class Load:
    def __init__(self, server, requests, wanted, args):
        self.server, self.requests, self.wanted, self.args = server, requests, wanted, args
        self.lock = threading.Lock()
        self.counts, self.faults = {}, []
        self.end = time.monotonic() + args.seconds

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def client(self, number):
        rng = random.Random(number)
        while time.monotonic() < self.end and not self.faults:
            try:
                if self.args.faulty == 'on' and rng.random() < 0.15:
                    self.misbehave(rng)
                else:
                    self.behave(rng)
            except Exception as error:  # whatever it is, the run has failed
                self.faults.append(f'client {number}: {error!r}')

    def behave(self, rng):
        index = rng.randrange(len(self.requests))
        status, got, _ = answer_of(self.server, self.requests[index])
        if status == 429:
            self.count('429')
            time.sleep(0.2)
            return
        if status != 200 or got != self.wanted[index]:
            self.faults.append(f'{self.requests[index]}: {status} {str(got)[:400]} instead of {str(self.wanted[index])[:400]}')
        self.count('answered')

    def misbehave(self, rng):
        method, path, fields = self.requests[rng.randrange(len(self.requests))]
        body = json.dumps(fields).encode()
        kind = rng.choice(['hangs up', 'too large', 'nonsense', 'half', 'slow'])
        if kind == 'too large':
            said = read_all(self.server.open(raw_request(method, path, b'', ['X: y']).replace(b'Content-Length: 0', b'Content-Length: 99999999')))
            if b' 413 ' not in said:
                self.faults.append(f'too large: {said[:200]}')
        elif kind == 'nonsense':
            said = read_all(self.server.open(rng.randbytes(200) + b'\r\n\r\n'))
            if said and not said.startswith(b'HTTP/1.1 4'):
                self.faults.append(f'nonsense: {said[:200]}')
        else:
            data = raw_request(method, path, body)
            connection = self.server.open(data[:-5] if kind != 'hangs up' else data)
            if kind == 'slow':
                for byte in data[-5:]:
                    time.sleep(0.2)
                    connection.sendall(bytes([byte]))
                if not connection.recv(9).startswith(b'HTTP/1.1'):
                    self.faults.append('a slow sender got no answer')
            else:
                time.sleep(rng.random() * 0.3)
            connection.close()
        self.count(kind)


def resident_mib(server):
    with open(f'/proc/{server.process.pid}/statm') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20


def run(args):
    files = Files(args.bin, os.path.join(args.tests, 'data', 'shakespeare.nemo'))
    flags = ['--tp', args.tp, '--pp', args.pp, '--max-batch-size', args.max_batch_size, '--max-request-bytes', 65536]
    try:
        with Server(files, *flags) as server:
            requests = make_requests(random.Random(1), args.requests)
            wanted = [answer_of(server, request)[1] for request in requests]
            check(all(want is not None for want in wanted), 'a request alone has no answer')
            load = Load(server, requests, wanted, args)
            before, memory = server.metrics(), []
            begin = time.monotonic()
            threads = [threading.Thread(target=load.client, args=[i]) for i in range(args.clients)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                time.sleep(min(5, args.seconds / 10))
                memory.append(round(resident_mib(server), 1))
            seconds = time.monotonic() - begin
            for thread in threads:
                thread.join()
            check(not load.faults, '\n'.join(load.faults[:5]) + '\n' + server.log()[-2000:])
            check(load.counts.get('answered', 0) > 0, 'nothing was answered')
            server.wait_for('everything ends', lambda m: m['nemo_running'] == 0 and m['nemo_queue_length'] == 0)
            after = server.metrics()
            check(after['nemo_kv_pages_used'] == 0, 'pages are lost')
            check(server.stop() == 143, server.log()[-2000:])
            return report(args, load, before, after, seconds, memory)
    finally:
        shutil.rmtree(files.dir, ignore_errors=True)


def report(args, load, before, after, seconds, memory):
    def grown(name):
        return after[name] - before[name]

    # After the first quarter every buffer has had its size: from there on memory stays.
    settled = memory[len(memory) // 4:]
    check(len(settled) < 8 or settled[-1] < 1.1 * settled[0] + 32, f'memory grows: {memory}')
    steps = grown('nemo_steps_total')
    step, own = grown('nemo_step_seconds_total'), grown('nemo_loop_cpu_seconds_total')
    return {'clients': args.clients, 'seconds': round(seconds, 1), 'layout': f'TP{args.tp} x PP{args.pp}', 'counts': load.counts,
            'hang_ups': grown('nemo_hang_ups_total'), 'generated_tokens_per_second': round(grown('nemo_generated_tokens_total') / seconds, 1),
            'prompt_tokens_per_second': round(grown('nemo_prompt_tokens_total') / seconds, 1), 'steps': steps,
            'step_us': round(1e6 * step / steps, 1), 'loop_cpu_us_per_step': round(1e6 * own / steps, 2), 'memory_mib': [memory[0], max(memory), memory[-1]]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', required=True)
    parser.add_argument('--tests', required=True)
    for name, default in (('clients', 8), ('seconds', 15), ('requests', 60), ('tp', 1), ('pp', 1), ('max-batch-size', 8)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--faulty', choices=['on', 'off'], default='on')
    print(json.dumps(run(parser.parse_args()), indent=1))


main()
