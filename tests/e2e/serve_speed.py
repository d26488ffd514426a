"""How much of the engine's speed a `nemo-generate --serve` hands on: the same requests as one file for the tool, and from
--clients connections, in turns. Prints JSON. Not a test: what it says depends on the machine.

--source SRC --clients N --requests N --words N --tokens N --rounds N --threads N; with --stream on the answers are streamed."""
import argparse
import json
import os
import queue
import random
import resource
import shutil
import subprocess
import threading
import time

from common import check
from server import WORDS, Files, Server


def make_requests(args):
    """Prompts of mixed lengths up to --words, with between half of and all --tokens to generate."""
    rng = random.Random(5)
    return [{'prompt': ' '.join(rng.choice(WORDS) for _ in range(max(1, int(args.words * rng.choice([0.05, 0.1, 0.5, 1]))))), 'tokens': rng.randint(args.tokens // 2, args.tokens)}
            for _ in range(args.requests)]


def batch_speed(files, args, requests):
    """(generated tokens per second, CPU seconds, texts) of the tool; the first without its start."""
    path = files.path('prompts.jsonl')
    with open(path, 'w') as f:
        for request in requests:
            f.write(json.dumps({'prompt': request['prompt'], 'tokens_to_generate': request['tokens'],
                                'min_tokens_to_generate': request['tokens']}) + '\n')
    command = [os.path.join(files.bin, 'nemo-generate'), files.source(), '--prompts', path, '--greedy', '--json',
               '--threads', str(args.threads), '--max-batch-size', str(args.clients), '--prefix-cache', 'off']
    # In a session of its own, as the server is: some kernels share the processors out by session.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    texts = [sentence[len(request['prompt']):] for sentence, request in zip(answer['sentences'], requests)]
    return answer['timing']['tokens_per_second'], cpu, texts


def serve_speed(server, args, requests):
    """(generated tokens per second, texts) of as many clients as there are places in the batch."""
    todo = queue.SimpleQueue()
    for i in range(len(requests)):
        todo.put(i)
    texts, faults = [None] * len(requests), []

    def client():
        while not faults:
            try:
                i = todo.get_nowait()
            except queue.Empty:
                return
            fields = {'prompt': requests[i]['prompt'], 'max_tokens': requests[i]['tokens'], 'min_tokens': requests[i]['tokens'], 'temperature': 0}
            try:
                if args.stream == 'on':
                    events = server.stream('/v1/completions', fields)
                    texts[i] = ''.join(e['choices'][0]['text'] for e in events)
                else:
                    texts[i] = server.complete(**fields)['choices'][0]['text']
            except BaseException as error:
                faults.append(error)

    begin = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(args.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not faults, faults[:1])
    return sum(r['tokens'] for r in requests) / (time.monotonic() - begin), texts


def cpu_of(server):
    """CPU seconds of all its threads."""
    with open(f'/proc/{server.process.pid}/stat') as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def run(args):
    files = Files(args.bin, args.source)
    requests = make_requests(args)
    rounds = []
    try:
        # With the cache the server would know the prompts of the round before.
        flags = ['--threads', args.threads, '--max-batch-size', args.clients, '--prefix-cache', 'off']
        with Server(files, *flags, wait=600) as server:
            serve_speed(server, args, requests[:args.clients])  # warms up
            _, start_cpu, _ = batch_speed(files, args, [{'prompt': 'now', 'tokens': 1}])
            for _ in range(args.rounds):
                batch, batch_cpu, wanted = batch_speed(files, args, requests)
                before, cpu = server.metrics(), cpu_of(server)
                served, texts = serve_speed(server, args, requests)
                cpu, after = cpu_of(server) - cpu, server.metrics()
                check(texts == wanted, 'answers differ')
                steps = after['nemo_steps_total'] - before['nemo_steps_total']
                step = after['nemo_step_seconds_total'] - before['nemo_step_seconds_total']
                own = after['nemo_loop_cpu_seconds_total'] - before['nemo_loop_cpu_seconds_total']
                rounds.append({'batch': round(batch, 1), 'served': round(served, 1), 'ratio': round(served / batch, 3),
                               'batch_cpu': round(batch_cpu - start_cpu, 2), 'served_cpu': round(cpu, 2), 'steps': steps,
                               'step_us': round(1e6 * step / steps, 1), 'loop_cpu_us': round(1e6 * own / steps, 1),
                               'load': os.getloadavg()[0]})
                print(json.dumps(rounds[-1]), flush=True)
    finally:
        shutil.rmtree(files.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', required=True)
    parser.add_argument('--source', required=True)
    for name, default in (('clients', 32), ('requests', 128), ('words', 80), ('tokens', 100), ('rounds', 3), ('threads', 1)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--stream', choices=['on', 'off'], default='off')
    run(parser.parse_args())


main()
