"""A server for the time of a test: nemo-generate --serve on a free port. Standard library only."""
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from common import check

START_SECONDS, STOP_SECONDS = 120, 60


class ServedModel:
    """with ServedModel(context, checkpoint) as server: server.url is where it answers."""

    def __init__(self, context, checkpoint, *flags):
        self.log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [os.path.join(context.bin, 'nemo-generate'), checkpoint, '--serve', '--port', '0', '--json', *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = None

    def __enter__(self):
        """What it prints when it is ready is one JSON object, perhaps on several lines."""
        os.set_blocking(self.process.stdout.fileno(), False)
        text, deadline = '', time.monotonic() + START_SECONDS
        while self.url is None:
            check(time.monotonic() < deadline and self.process.poll() is None, f'no server: {text}\n{self.errors()}')
            text += self.process.stdout.read() or ''
            try:
                self.url = json.loads(text)['url'].rstrip('/')
            except json.JSONDecodeError:
                time.sleep(0.05)
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = 'none in time'
        if kind is not None:
            print(self.errors())
        else:
            check(code == 143, f'stopped by SIGTERM: exit {code}, expected 143\n{self.errors()}')
        self.process.stdout.close()
        self.log.close()

    def errors(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def ask(self, method, path, body=None, headers=None):
        """(status, content type, body) of a request; `body` is sent as JSON unless it is text."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        request = urllib.request.Request(self.url + path, data, {'Content-Type': 'application/json', **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers['Content-Type'], answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers['Content-Type'], answer.read().decode()

    def ask_json(self, method, path, body=None, expect=200):
        status, _, text = self.ask(method, path, body)
        check(status == expect, f'{method} {path}: {status}, expected {expect}: {text[:500]}')
        return json.loads(text)
