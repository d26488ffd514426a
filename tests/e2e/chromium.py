"""A headless Chromium driven over its DevTools protocol, through two pipes (--remote-debugging-pipe).

Standard library only. https://chromedevtools.github.io/devtools-protocol/
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


def find():
    """The path of a Chromium or Chrome, None where there is none."""
    names = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
    return next((path for path in map(shutil.which, names) if path), None)


class Browser:
    """One page. Every wait has a limit; what the page logs as errors is in `errors`."""

    def __init__(self, binary, width=1200, height=900):
        self.profile = tempfile.mkdtemp(prefix='nemo_chromium_')
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        # The protocol's descriptors are 3 and 4. Root needs --no-sandbox; the pages are our own.
        command = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ['sh', '-c', command, binary, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
             '--no-first-run', '--disable-background-networking', '--disable-extensions', '--hide-scrollbars',
             f'--user-data-dir={self.profile}', f'--window-size={width},{height}', '--remote-debugging-pipe', 'about:blank'],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.received, self.next_id, self.errors, self.session = b'', 0, [], None
        target = next(t for t in self.call('Target.getTargets')['targetInfos'] if t['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log'):
            self.call(f'{domain}.enable')
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.writer)
        os.close(self.reader)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, timeout=30, **params):
        self.next_id += 1
        message = {'id': self.next_id, 'method': method, 'params': params}
        if self.session:
            message['sessionId'] = self.session
        os.write(self.writer, json.dumps(message).encode() + b'\0')
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline)
            if answer is None:
                raise AssertionError(f'no answer to {method} within {timeout} s')
            if answer.get('id') == message['id']:
                if 'error' in answer:
                    raise AssertionError(f'{method}: {answer["error"]}')
                return answer['result']
            self.note(answer)

    def receive(self, deadline):
        """The next message; None at the deadline."""
        while b'\0' not in self.received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reader], [], [], left)[0]:
                return None
            data = os.read(self.reader, 1 << 16)
            if not data:
                raise AssertionError(f'{self.process.args[3]} has ended')
            self.received += data
        message, self.received = self.received.split(b'\0', 1)
        return json.loads(message)

    def note(self, event):
        if event.get('method') == 'Runtime.exceptionThrown':
            details = event['params']['exceptionDetails']
            self.errors.append(details.get('exception', {}).get('description', details['text']))
        if event.get('method') == 'Log.entryAdded' and event['params']['entry']['level'] == 'error':
            entry = event['params']['entry']
            self.errors.append(f'{entry["text"]} ({entry.get("url", "")})')

    def open(self, url):
        self.call('Page.navigate', url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression):
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in result:
            raise AssertionError(f'{expression}: {result["exceptionDetails"]["exception"]["description"]}')
        return result['result'].get('value')

    def wait(self, expression, timeout=60):
        """Until the expression is true."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if self.evaluate(expression):
                    return
            except AssertionError as error:  # between two documents
                if 'context' not in str(error):
                    raise
            time.sleep(0.05)
        raise AssertionError(f'not within {timeout} s: {expression}\n{self.evaluate("document.body.innerText")}\n{self.errors}')

    def type(self, text):
        """Into what has the focus."""
        self.call('Input.insertText', text=text)

    def press(self, key, modifiers=0, **more):
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, code=key, modifiers=modifiers, **more)

    def click(self, selector):
        """With the pointer, in the middle of the element, which must be what is there."""
        self.evaluate(f'document.querySelector({json.dumps(selector)}).scrollIntoView({{block: "center"}})')
        box = self.evaluate(f'document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()')
        x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
        for kind in ('mouseMoved', 'mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', clickCount=1)

    def resize(self, width, height, scale=1, mobile=False):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=scale, mobile=mobile)

    def dark(self, on):
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': 'dark' if on else 'light'}])

    def screenshot(self, path):
        data = self.call('Page.captureScreenshot', format='png')['data']
        with open(path, 'wb') as f:
            f.write(base64.b64decode(data))
