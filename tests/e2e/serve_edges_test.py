"""nemo-generate --serve at its edges: signals while it loads and while it drains, little memory, a client that does not read."""
import json
import os
import re
import signal
import subprocess
import threading
import time

from common import Context, check
from server import Server, raw_request, read_all

LONG = {'sentences': ['Now is the winter'], 'tokens_to_generate': 900, 'min_tokens_to_generate': 900, 'greedy': True}


def a_signal_while_the_model_is_read_ends_it(c):
    """At whatever moment of its start: the exit code is the signal's, and nothing is left."""
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2):
        log_path = c.path('loading.log')
        with open(log_path, 'w') as log:
            process = subprocess.Popen([os.path.join(c.bin, 'nemo-generate'), c.source(), '--serve', '--port', '0', '--tp', '2'],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            # From here on the weights are read.
            while process.poll() is None and not re.search('will listen', open(log_path).read()):
                time.sleep(0.001)
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
            check(code == 143, f'exit {code} when stopped after {delay} s:\n{open(log_path).read()}')
        finally:
            process.kill()
            process.wait()


def a_second_signal_ends_a_drain(c):
    with Server(c, '--drain-timeout', 600) as server:
        many = dict(LONG, sentences=['Now is'] * 64)
        connection = server.open(raw_request('PUT', '/generate', json.dumps(many).encode()))
        server.wait_for('it runs', lambda m: m['nemo_running'] > 0)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        check(server.process.poll() is None, 'the first signal ended it')
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(10)
        check(code in (143, -signal.SIGTERM), f'exit {code}')
        check(read_all(connection) == b'', 'half an answer')


def with_little_memory_the_answers_are_the_same(c):
    requests = [{'sentences': [text], 'tokens_to_generate': 120 + 30 * i, 'min_tokens_to_generate': 120 + 30 * i, 'greedy': i % 2 == 0,
                 'random_seed': i, 'compute_logprob': i % 3 == 0, 'end_strings': []}
                for i, text in enumerate(['To be, or not to be', 'My lord,', 'O Romeo,', 'What', 'The quality', 'KING HENRY:', 'Now is', 'If'])]
    # Six pages of 64 tokens for eight sequences of two to six pages.
    with Server(c, '--max-batch-size', 8, '--max-sequence-tokens', 384, '--kv-memory', '%dKiB' % kv_kib(c, 6)) as server:
        alone = [server.generate(**fields) for fields in requests]
        check(server.metrics()['nemo_kv_pages'] == 6, server.metrics())
        check(server.metrics()['nemo_preemptions_total'] == 0, 'one alone made room')
        results = [None] * len(requests)

        def ask(i):
            results[i] = server.generate(**requests[i])

        threads = [threading.Thread(target=ask, args=[i]) for i in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(results == alone, [i for i in range(len(requests)) if results[i] != alone[i]])
        check(server.metrics()['nemo_preemptions_total'] > 0, 'nobody made room')
        check(server.metrics()['nemo_kv_pages_used'] == 0, 'pages are lost')


def kv_kib(c, pages):
    """Keys and values of 64 tokens in bf16, of all layers."""
    model = c.run_json('nemo-inspect', c.source())['model']
    per_token = 2 * 2 * model['num_layers'] * model['num_query_groups'] * model['kv_channels']
    return pages * 64 * per_token // 1024


def a_client_that_does_not_read_costs_little(c):
    """A stream whose answers nobody reads; others are answered as before."""
    with Server(c, '--max-batch-size', 16) as server:
        want = server.generate(sentences=['My lord,'], tokens_to_generate=8, greedy=True)
        body = json.dumps({'prompt': 'Now', 'max_tokens': 900, 'min_tokens': 900, 'temperature': 0, 'stream': True, 'n': 8, 'logprobs': 20}).encode()
        connection = server.open(raw_request('POST', '/v1/completions', body))
        server.wait_for('it runs', lambda m: m['nemo_running'] > 0)
        for _ in range(3):
            check(server.generate(sentences=['My lord,'], tokens_to_generate=8, greedy=True) == want, 'another answer')
        connection.close()
        server.wait_for('it is given up', lambda m: m['nemo_running'] == 0 and m['nemo_queue_length'] == 0)


def main():
    with Context() as c:
        for test in (a_signal_while_the_model_is_read_ends_it, a_second_signal_ends_a_drain, with_little_memory_the_answers_are_the_same,
                     a_client_that_does_not_read_costs_little):
            begin = time.monotonic()
            test(c)
            print(f'{test.__name__}: {time.monotonic() - begin:.1f} s', flush=True)


main()
