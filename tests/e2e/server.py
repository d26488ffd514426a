"""A `nemo-generate --serve` for the time of a test, and an HTTP client that shows what arrives. Standard library only."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from common import check

# Prompts of load and speed are made of these.
WORDS = 'now is the winter of our discontent made glorious summer by this sun York and all clouds that lour upon house'.split()


class Files:
    """What Server wants to know of a test, without one."""

    def __init__(self, bin_dir, source):
        self.bin, self.dir, self.source_path = bin_dir, tempfile.mkdtemp(prefix='nemo_load_'), source

    def path(self, name):
        return os.path.join(self.dir, name)

    def source(self):
        return self.source_path


class Server:
    """Starts, waits until it listens; `stop` sends a signal and gives the exit code. Used in a `with`."""

    def __init__(self, c, *args, launcher=(), source=None, wait=60):
        self.log_path = c.path(f'serve{time.monotonic_ns()}.log')
        command = [*launcher, os.path.join(c.bin, 'nemo-generate'), source or c.source(), '--serve', '--port', '0', *map(str, args)]
        with open(self.log_path, 'w') as log:
            # A group of its own: whatever is left of it can be ended at the end.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            self.port = self._wait_for_port(wait)
        except BaseException:
            self._end()
            raise

    def _wait_for_port(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            match = re.search(r': listening on http://127\.0\.0\.1:(\d+)', self.log())
            if match:
                return int(match.group(1))
            check(self.process.poll() is None, f'the server ended with {self.process.returncode}:\n{self.log()}')
            time.sleep(0.05)
        check(False, f'the server did not listen within {seconds} s:\n{self.log()}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def log(self):
        with open(self.log_path, errors='replace') as f:
            return f.read()

    def log_lines(self):
        """The lines of the request log."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith('{')]

    def stop(self, signal_number=signal.SIGTERM, timeout=60):
        self.process.send_signal(signal_number)
        return self.process.wait(timeout)

    def call(self, method, path, body=None, headers=(), timeout=120):
        """(status, headers, body) of one request on a connection of its own. A dict is sent as JSON."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            headers = dict(headers)
            if isinstance(body, dict):
                headers.setdefault('Content-Type', 'application/json')
                body = json.dumps(body)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def generate(self, **fields):
        """The answer of PUT /generate, which must be one."""
        status, _, body = self.call('PUT', '/generate', fields)
        check(status == 200, f'{status}: {body}')
        answer = json.loads(body)
        check(isinstance(answer, dict), f'refused: {answer}')
        return answer

    def complete(self, **fields):
        """The answer of POST /v1/completions, which must be one."""
        status, _, body = self.call('POST', '/v1/completions', fields)
        check(status == 200, f'{status}: {body}')
        return json.loads(body)

    def stream(self, path, fields):
        """The events of a streamed answer, the last one the text [DONE]."""
        status, headers, body = self.call('POST', path, dict(fields, stream=True))
        check(status == 200 and headers['Content-Type'].startswith('text/event-stream'), f'{status} {headers}: {body}')
        events = [line[6:] for line in body.decode().split('\n\n') if line.startswith('data: ')]
        check(events and events[-1] == '[DONE]', body)
        return [json.loads(event) for event in events[:-1]]

    def metrics(self):
        """{name with labels: number}"""
        status, _, body = self.call('GET', '/metrics')
        check(status == 200, f'{status}: {body}')
        rows = (line.rpartition(' ') for line in body.decode().splitlines() if not line.startswith('#'))
        return {name: float(number) for name, _, number in rows}

    def wait_for(self, what, condition, seconds=20):
        """Waits until `condition(metrics)`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition(self.metrics()):
                return
            time.sleep(0.05)
        check(False, f'{what}: not within {seconds} s; {self.metrics()}\n{self.log()[-3000:]}')

    def open(self, data=b''):
        """A bare connection that has sent `data`."""
        connection = socket.create_connection(('127.0.0.1', self.port), timeout=60)
        connection.sendall(data)
        return connection


def raw_request(method, path, body, headers=()):
    """The bytes of a request."""
    rows = [f'{method} {path} HTTP/1.1', 'Host: x', 'Content-Type: application/json', f'Content-Length: {len(body)}', *headers]
    return '\r\n'.join(rows).encode() + b'\r\n\r\n' + body


def read_all(connection):
    """What the server says until it closes the connection."""
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b''.join(parts)
