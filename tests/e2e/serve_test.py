"""nemo-generate --serve as its clients see it: answers equal to those of nemo-generate alone, limits, keys, hang-ups.

Argument: one (a rank), threads (TP2 x PP2 in one process), processes (mpirun, TP2)."""
import base64
import json
import os
import shutil
import signal
import threading
import time

from common import Context, check, skip
from processes import children_of, is_running
from server import Server, raw_request, read_all

PROMPTS = ['To be, or not to be', 'My lord,', 'KING HENRY:\nOnce more', 'O Romeo,', 'What', 'The quality of mercy is not']
LAYOUTS = {'one': [], 'threads': ['--tp', 2, '--pp', 2], 'processes': ['--tp', 2]}
LONG = {'sentences': ['Now is the winter'], 'tokens_to_generate': 900, 'min_tokens_to_generate': 900, 'greedy': True}


def answers_equal_those_of_the_tool_alone(c, start):
    flags = ['--greedy', '--tokens-to-generate', 24, '--logprobs']
    for prompt in PROMPTS:
        flags += ['--prompt', prompt]
    want = c.run_json('nemo-generate', c.source, *flags)
    with start('--max-batch-size', 4) as server:
        fields = {'tokens_to_generate': 24, 'greedy': True, 'compute_logprob': True, 'end_strings': []}
        results = [None] * len(PROMPTS)

        def ask(i):
            results[i] = server.generate(sentences=[PROMPTS[i]], **fields)

        threads = [threading.Thread(target=ask, args=[i]) for i in range(len(PROMPTS))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, answer in enumerate(results):
            check(answer is not None, f'prompt {i} has no answer')
            for key in ('sentences', 'tokens', 'token_ids', 'logprob', 'offsets'):
                check(answer[key] == [want[key][i]], f'{key} of prompt {i}: {answer[key]} is not {want[key][i]}')
        for prompt, sentence in zip(PROMPTS, want['sentences']):
            options = {'prompt': prompt, 'max_tokens': 24, 'temperature': 0}
            text = server.complete(**options)['choices'][0]['text']
            check(prompt + text == sentence, f'{text!r} does not continue to {sentence!r}')
            events = server.stream('/v1/completions', options)
            parts = ''.join(event['choices'][0]['text'] for event in events if event['choices'])
            check(parts == text, f'{parts!r} is not {text!r}')
        drawn = {'sentences': ['My lord,'], 'tokens_to_generate': 24, 'random_seed': 7, 'end_strings': []}
        alone = c.run_json('nemo-generate', c.source, '--prompt', 'My lord,', '--tokens-to-generate', 24, '--seed', 7)
        check(server.generate(**drawn)['sentences'] == alone['sentences'], 'drawn text differs')
        check(server.stop() == c.stopped, server.log())
        lines = server.log_lines()
        check(all('My lord' not in json.dumps(line) for line in lines), 'the log tells prompts')
        check(sum(line['path'] == '/generate' and line['status'] == 200 for line in lines) == len(PROMPTS) + 1, lines)


def a_client_that_hangs_up_is_forgotten(c, start):
    with start() as server:
        whole = server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode()))
        streamed = server.open(raw_request('POST', '/v1/completions', json.dumps(
            {'prompt': 'Now', 'max_tokens': 900, 'min_tokens': 900, 'temperature': 0, 'stream': True}).encode()))
        check(streamed.recv(100).startswith(b'HTTP/1.1 200'), 'no stream')
        server.wait_for('both run', lambda m: m['nemo_running'] == 2)
        whole.close()
        streamed.close()
        server.wait_for('both are given up', lambda m: m['nemo_hang_ups_total'] == 2 and m['nemo_running'] == 0)
        check(server.metrics()['nemo_kv_pages_used'] == 0, 'pages are lost')
        check(server.generate(sentences=['O'], tokens_to_generate=4)['sentences'], 'no answer afterwards')


def limits_hold(c, start):
    with start('--max-request-bytes', 4096, '--max-queue', 1, '--max-batch-size', 1, '--read-timeout', 1,
               '--max-sequence-tokens', 1000, '--max-connections', 8) as server:
        for path, method in (('/generate', 'PUT'), ('/v1/completions', 'POST')):
            status, _, body = server.call(method, path, b'{"prompt": "' + b'x' * 5000 + b'"}', {'Content-Type': 'application/json'})
            check(status == 413 and b'4096' in body, f'{status}: {body}')
        chunked = server.open(b'PUT /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
                              + b'1000\r\n' + b'x' * 4096 + b'\r\n1000\r\n' + b'x' * 4096 + b'\r\n0\r\n\r\n')
        check(read_all(chunked).startswith(b'HTTP/1.1 413'), 'a body in chunks has no limit')
        # Slow senders: of a head, of a body.
        for data in (b'PUT /gen', raw_request('PUT', '/generate', b'x' * 100)[:-50]):
            begin = time.monotonic()
            said = read_all(server.open(data))
            check(time.monotonic() - begin < 30, 'a slow sender is kept')
            check(said == b'' or b' 408 ' in said or b' 400 ' in said, said)
        status, _, body = server.call('POST', '/v1/completions', {'prompt': 'O', 'max_tokens': 2000})
        check(status == 400 and 'error' in json.loads(body), f'{status}: {body}')
        # One runs, one waits, the third has to come again.
        busy = [server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode()))]
        server.wait_for('one runs', lambda m: m['nemo_running'] == 1)
        busy.append(server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode())))
        server.wait_for('one waits', lambda m: m['nemo_queue_length'] == 1)
        status, headers, body = server.call('POST', '/v1/completions', {'prompt': 'O', 'max_tokens': 2})
        check(status == 429 and headers['Retry-After'] and 'error' in json.loads(body), f'{status} {headers}: {body}')
        status, headers, _ = server.call('PUT', '/generate', {'sentences': ['O']})
        check(status == 429 and headers['Retry-After'], status)
        for connection in busy:
            connection.close()
        server.wait_for('room again', lambda m: m['nemo_running'] == 0 and m['nemo_queue_length'] == 0)
        # More clients than the server takes: they are told, and those who were first go on.
        crowd = [server.open() for _ in range(8)]
        time.sleep(0.5)
        check(b' 503 ' in read_all(server.open(b'GET /health HTTP/1.1\r\n\r\n')), 'nobody is sent away')
        crowd[0].sendall(b'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n')
        check(b' 200 ' in read_all(crowd[0]), 'a client was forgotten')


def bad_requests_hurt_nobody(c, start):
    with start() as server:
        want = server.generate(sentences=['My lord,'], tokens_to_generate=8, greedy=True)
        for data in (b'\x00\x01\x02\r\n\r\n', b'GET\r\n\r\n', b'FOO / HTTP/1.1\r\n\r\n', b'GET /' + b'a' * 20000 + b' HTTP/1.1\r\n\r\n',
                     b'PUT /generate HTTP/1.1\r\nContent-Length: -5\r\n\r\n', b'PUT /generate HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n',
                     b'PUT /generate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
                     b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 50000 + b'\r\n',
                     b'POST /v1/completions HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n\r\n--x--',
                     raw_request('PUT', '/generate', b'{"sentences": ["\xff"]}', ['Content-Encoding: gzip'])):
            connection = server.open()
            try:
                connection.sendall(data)
                connection.shutdown(1)
            except OSError:
                pass  # it has said no already
            said = read_all(connection)
            check(said == b'' or said.startswith(b'HTTP/1.1 4'), (data[:60], said[:300]))
        for body in (b'', b'{', b'[]', b'{"sentences": 5}', b'[' * 100000, b'\xff\xfe', b'{"sentences": ["a"], "tokens_to_generate": 1e9}'):
            for method, path in (('PUT', '/generate'), ('POST', '/v1/completions'), ('POST', '/v1/chat/completions')):
                status, _, said = server.call(method, path, body, {'Content-Type': 'application/json'})
                check(400 <= status < 600 or said.startswith(b'"'), f'{path} {body[:40]}: {status} {said[:200]}')
        check(server.generate(sentences=['My lord,'], tokens_to_generate=8, greedy=True) == want, 'another answer')
        status, headers, _ = server.call('GET', '/health', headers={'X-Request-Id': 'mine-1'})
        check(status == 200 and headers['X-Request-Id'] == 'mine-1', headers)
        status, headers, _ = server.call('GET', '/health', headers={'X-Request-Id': 'a b"'})
        check(headers['X-Request-Id'].startswith('req-'), headers)


def keys_open_every_route(c, start):
    keys = c.path('keys')
    with open(keys, 'w') as f:
        f.write('# for tests\nsecret-1\n\nsecret-2\n')
    with start('--api-key-file', keys) as server:
        routes = [('GET', '/health'), ('GET', '/metrics'), ('GET', '/'), ('PUT', '/'), ('PUT', '/generate'), ('POST', '/v1/completions'),
                  ('GET', '/v1/models'), ('GET', '/tokenizer_info'), ('DELETE', '/nothing')]
        for key in (None, 'Bearer ', 'Bearer secret', 'Bearer secret-11', 'Basic secret-1', 'Bearer # for tests'):
            for method, path in routes:
                status, headers, _ = server.call(method, path, headers={'Authorization': key} if key else {})
                scheme = 'Basic realm="nemo-generate"' if (method, path) == ('GET', '/') else 'Bearer'
                check(status == 401 and headers['WWW-Authenticate'] == scheme, f'{key} {path}: {status}')
        basic = 'Basic ' + base64.b64encode(b'anybody:secret-2').decode()
        for key in ('Bearer secret-1', 'bearer secret-2', basic):
            check(server.call('GET', '/v1/models', headers={'Authorization': key})[0] == 200, key)


def a_signal_lets_what_runs_finish(c, start):
    for number in (signal.SIGTERM, signal.SIGINT):
        with start() as server:
            connection = server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode(), ['Connection: close']))
            idle = server.open()
            server.wait_for('it runs', lambda m: m['nemo_running'] == 1)
            code = server.stop(number)
            said = read_all(connection)
            check(code == 128 + number, f'exit {code}\n{server.log()}')
            check(said.startswith(b'HTTP/1.1 200') and len(json.loads(said.partition(b'\r\n\r\n')[2])['token_ids'][0]) > 900, said[:300])
            check(read_all(idle) == b'', 'an idle client was told something')


def a_drain_ends_in_time(c, start):
    with start('--drain-timeout', 0) as server:
        connection = server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode(), ['Connection: close']))
        server.wait_for('it runs', lambda m: m['nemo_running'] == 1)
        check(server.stop() == 143, server.log())
        check(read_all(connection).startswith(b'HTTP/1.1 503'), 'no 503')


def a_port_in_use_is_refused_at_once(c, start):
    with start() as server:
        c.run('nemo-generate', c.source, '--serve', '--port', server.port, expect=4)
        check('another program listens there' in c.stderr, c.stderr)


def a_drain_of_processes_finishes_what_runs(c, start):
    """As srun does it: every rank gets the signal, and has more to do than it waits for a stopped peer otherwise."""
    with start('--drain-timeout', 300) as server:
        asked = {'sentences': ['Now is'] * 16, 'tokens_to_generate': 900, 'min_tokens_to_generate': 900, 'greedy': True}
        connection = server.open(raw_request('PUT', '/generate', json.dumps(asked).encode(), ['Connection: close']))
        connection.settimeout(300)
        server.wait_for('it runs', lambda m: m['nemo_running'] > 0)
        begin = time.monotonic()
        for pid in children_of(server.process.pid).values():
            os.kill(pid, signal.SIGTERM)
        said = read_all(connection)
        check(said.startswith(b'HTTP/1.1 200'), (said[:300], server.log()))
        print(f'the drain took {time.monotonic() - begin:.1f} s')
        check(server.process.wait(60) != 0, 'exit 0')
        check('MPI_ABORT' not in server.log(), server.log())


def a_rank_that_dies_ends_the_job(c, start):
    # With recovery the launcher leaves the survivors alone, and its exit code says nothing: all that is seen is ours.
    for is_busy, recovery in ((True, True), (False, True), (True, False)):
        os.environ['OMPI_MCA_orte_enable_recovery'] = str(int(recovery))
        with start() as server:
            connection = server.open(raw_request('PUT', '/generate', json.dumps(LONG).encode(), ['Connection: close']) if is_busy else b'')
            if is_busy:
                server.wait_for('it runs', lambda m: m['nemo_running'] == 1)
            ranks = children_of(server.process.pid)
            os.kill(ranks[1], signal.SIGKILL)
            said = read_all(connection)
            code = server.process.wait(60)
            check(not is_running(ranks[0]), 'rank 0 goes on')
            check(recovery or code != 0, 'exit 0')
            if recovery:
                check(said.startswith(b'HTTP/1.1 503') if is_busy else said == b'', said[:300])
                check('rank 1 ' in server.log() and 'has died' in server.log(), server.log())
    del os.environ['OMPI_MCA_orte_enable_recovery']


def main():
    with Context() as c:
        kind, c.checkpoint = c.checkpoint, 'shakespeare'
        source = c.source()
        c.source, launcher = source, []
        c.stopped = 143
        if kind == 'processes':
            mpirun = shutil.which('mpirun') or skip('no mpirun')
            launcher = [mpirun, '-n', '2', '--oversubscribe']
            c.stopped = 1  # mpirun's own exit code after a signal

        def start(*args):
            return Server(c, *LAYOUTS[kind], *args, launcher=launcher, source=source)

        tests = [answers_equal_those_of_the_tool_alone, a_client_that_hangs_up_is_forgotten]
        if kind == 'one':
            tests += [limits_hold, bad_requests_hurt_nobody, keys_open_every_route, a_drain_ends_in_time, a_port_in_use_is_refused_at_once]
        if kind == 'processes':
            tests += [a_drain_of_processes_finishes_what_runs, a_rank_that_dies_ends_the_job]
        else:
            tests.append(a_signal_lets_what_runs_finish)
        for test in tests:
            begin = time.monotonic()
            test(c, start)
            print(f'{test.__name__}: {time.monotonic() - begin:.1f} s', flush=True)


main()
