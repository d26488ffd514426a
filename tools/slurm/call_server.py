#!/usr/bin/env python3
"""Asks a server of nemo-generate for text, as the client of Nemotron's model card does: PUT /generate.

Python 3.8; the package requests where it is installed, else the standard library. Exit codes: 0 answered; 1 the server refused
the request and says why; 2 wrong usage; 4 no answer.
"""
import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request

try:
    import requests
except ImportError:
    requests = None

QUESTION = 'Write a poem on NVIDIA in the style of Shakespeare'
# Nemotron's dialogue: a system turn, the user's, and the beginning of the answer.
TEMPLATE = '<extra_id_0>System\n\n<extra_id_1>User\n{prompt}\n<extra_id_1>Assistant\n'
END_STRINGS = ['<|endoftext|>', '<extra_id_1>', '\x11', '<extra_id_1>User']


class NoAnswer(Exception):
    """The server cannot be reached, or hung up."""


def put(url, body, key):
    """(status, text) of a PUT; `body` is sent as JSON unless it is None. Never through a proxy: servers of jobs are near."""
    headers = {'Content-Type': 'application/json', **({'Authorization': f'Bearer {key}'} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    if requests is not None:
        session = requests.Session()
        session.trust_env = False
        try:
            answer = session.put(url, data=data, headers=headers)
            return answer.status_code, answer.content.decode('utf-8', 'replace')
        except requests.RequestException as e:
            raise NoAnswer(e) from None
    request = urllib.request.Request(url, data=data, headers=headers, method='PUT')
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, answer.read().decode('utf-8', 'replace')
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode('utf-8', 'replace')
    except (OSError, ValueError) as e:
        raise NoAnswer(e) from None


def wait_for_server(base, key, seconds):
    """Until PUT / gets any answer: before, the model is still loading and nobody listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            put(base, None, key)
            return
        except NoAnswer:
            if time.monotonic() >= deadline:
                raise
        time.sleep(1)


def generate(base, key, prompts, flags):
    """The sentences, each its prompt and what the model goes on with. ValueError: the server's reason against it."""
    status, text = put(base + '/generate', {
        'sentences': prompts,
        'tokens_to_generate': flags.tokens_to_generate,
        'min_tokens_to_generate': 1,
        'temperature': flags.temperature,
        'top_k': flags.top_k,
        'top_p': flags.top_p,
        'greedy': not flags.sample,
        'add_BOS': False,
        'repetition_penalty': flags.repetition_penalty,
        'all_probs': False,
        'end_strings': END_STRINGS,
        **({} if flags.seed is None else {'random_seed': flags.seed}),
    }, key)
    try:
        answer = json.loads(text)
    except ValueError:
        answer = text
    # A refusal is a bare text with status 200 where it is NeMo's, and has another status where it is not.
    if status != 200 or not isinstance(answer, dict) or 'sentences' not in answer:
        raise ValueError(f'{status}: {answer if isinstance(answer, str) else json.dumps(answer)}')
    return answer['sentences']


def continuation(sentence, prompt):
    text = sentence[len(prompt):] if sentence.startswith(prompt) else sentence
    for end in END_STRINGS:
        if text.endswith(end):
            text = text[:-len(end)]
    return text


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--host', default=os.environ.get('NEMO_HOST', '127.0.0.1'))
    parser.add_argument('--port', type=int, default=int(os.environ.get('NEMO_PORT', '1424')))
    parser.add_argument('--api-key-file', default=os.environ.get('NEMO_API_KEY_FILE'), help='its first line is the key')
    parser.add_argument('--wait', type=float, default=0, metavar='SECONDS', help='for a server that is still loading (0)')
    parser.add_argument('--prompt', action='append', metavar='TEXT', help=f'may be repeated ({QUESTION!r})')
    parser.add_argument('--plain', action='store_true', help='send prompts as they are, without the marks of a dialogue')
    parser.add_argument('--tokens-to-generate', type=int, default=1024, metavar='N', help='(1024)')
    parser.add_argument('--sample', action='store_true', help='draw tokens; without it, the likeliest each time')
    parser.add_argument('--temperature', type=float, default=1.0, metavar='T', help='(1.0)')
    parser.add_argument('--top-k', type=int, default=0, metavar='K', help='(0: all)')
    parser.add_argument('--top-p', type=float, default=1.0, metavar='P', help='(1.0)')
    parser.add_argument('--repetition-penalty', type=float, default=1.0, metavar='X', help='(1.0)')
    parser.add_argument('--seed', type=int, metavar='N', help='for sampling that can be repeated')
    return parser.parse_args()


def main():
    flags = arguments()
    base = f'http://{flags.host}:{flags.port}'
    key = None
    if flags.api_key_file:
        with open(flags.api_key_file) as file:
            key = file.readline().strip()
    prompts = flags.prompt or [QUESTION]
    if not flags.plain:
        prompts = [TEMPLATE.format(prompt=prompt) for prompt in prompts]
    try:
        wait_for_server(base, key, flags.wait)
        for sentence, prompt in zip(generate(base, key, prompts, flags), prompts):
            print(continuation(sentence, prompt), flush=True)
    except NoAnswer as e:
        print(f'call_server.py: no answer from {base}: {e}', file=sys.stderr)
        return 4
    except ValueError as e:
        print(f'call_server.py: the server refused the request: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
