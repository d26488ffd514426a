"""The server's APIs over HTTP: the model card's calls, streams through curl, stop strings, log-probabilities."""
import json
import shutil
import subprocess

from common import Context, check
from server import Server

CARD_ENDS = ['<|endoftext|>', '<extra_id_1>', '\x11', '<extra_id_1>User']


def url_of(server):
    return f'http://127.0.0.1:{server.port}'


def ask(server, method, path, body=None):
    """(status, content type, text)"""
    status, headers, text = server.call(method, path, body)
    return status, headers['Content-Type'], text.decode()


def ask_json(server, method, path, body=None):
    status, _, text = ask(server, method, path, body)
    check(status == 200, f'{method} {path}: {status}: {text[:500]}')
    return json.loads(text)


def answers_the_model_card(server):
    """The waiting loop's probe, and the request of the card's script."""
    status, kind, _ = ask(server, 'PUT', '/')
    check(status == 404 and kind == 'text/html; charset=utf-8', f'PUT /: {status} {kind}')
    prompt = 'Write a poem on NVIDIA in the style of Shakespeare'
    answer = ask_json(server, 'PUT', '/generate', {
        'sentences': [prompt], 'tokens_to_generate': 1024, 'temperature': 1.0, 'add_BOS': False, 'top_k': 0, 'top_p': 1.0,
        'greedy': True, 'all_probs': False, 'repetition_penalty': 1.0, 'min_tokens_to_generate': 1, 'end_strings': CARD_ENDS})
    check(sorted(answer) == ['logprob', 'offsets', 'sentences', 'token_ids', 'tokens'], sorted(answer))
    check(answer['sentences'][0].startswith(prompt) and len(answer['sentences'][0]) > len(prompt) + 10, answer['sentences'])
    check(len(answer['token_ids'][0]) == len(answer['tokens'][0]) == len(answer['offsets'][0]), 'lists of different lengths')
    status, _, text = ask(server, 'PUT', '/generate', {'sentences': ['a'], 'tokens_to_generate': 0})
    check((status, text) == (200, '"tokens_to_generate must be an integer greater than 0"\n'), f'{status} {text}')


def says_the_same_as_the_tool(context, server):
    """Greedy text and log-probabilities of NeMo's API, of OpenAI's, and of the command line: equal, to the last bit."""
    prompts = ['To be, or not', 'My lord,']
    tool = json.loads(context.run('nemo-generate', context.source(), *sum((['--prompt', p] for p in prompts), []), '--greedy',
                                  '--tokens-to-generate', 24, '--logprobs', '--json'))
    nemo = ask_json(server, 'PUT', '/generate', {'sentences': prompts, 'tokens_to_generate': 24, 'greedy': True, 'compute_logprob': True})
    openai = ask_json(server, 'POST', '/v1/completions', {
        'prompt': prompts, 'max_tokens': 24, 'temperature': 0, 'echo': True, 'logprobs': 1})
    for i in range(len(prompts)):
        check(nemo['sentences'][i] == tool['sentences'][i] == openai['choices'][i]['text'], f'prompt {i}: texts differ')
        check(nemo['logprob'][i] == tool['logprob'][i] == openai['choices'][i]['logprobs']['token_logprobs'][1:],
              f'prompt {i}: log-probabilities differ')


def events_of(text):
    lines = [line for line in text.split('\n') if line]
    check(all(line.startswith('data: ') for line in lines) and lines[-1] == 'data: [DONE]', text[-300:])
    return [json.loads(line[len('data: '):]) for line in lines[:-1]]


def streams_through_curl(server):
    body = {'prompt': 'ROMEO:', 'max_tokens': 30, 'temperature': 0, 'stop': ['\n\n'], 'logprobs': 2}
    whole = ask_json(server, 'POST', '/v1/completions', body)['choices'][0]
    curl = shutil.which('curl')
    if curl is None:
        print('no curl: that part is left out')
        return
    done = subprocess.run([curl, '-sN', url_of(server) + '/v1/completions', '-H', 'Content-Type: application/json',
                           '-d', json.dumps({**body, 'stream': True})], capture_output=True, text=True, timeout=120, check=True)
    choices = [event['choices'][0] for event in events_of(done.stdout)]
    check(''.join(c['text'] for c in choices) == whole['text'], 'the stream says something else than the whole answer')
    check(sum((c['logprobs']['token_logprobs'] for c in choices), []) == whole['logprobs']['token_logprobs'], 'log-probabilities')
    check(choices[-1]['finish_reason'] == whole['finish_reason'], choices[-1])
    check('\n\n' not in whole['text'], whole['text'])


def seeds_repeat_and_choices_differ(server):
    body = {'prompt': ['To be', 'My lord'], 'max_tokens': 20, 'n': 3, 'seed': 11}
    first, again = (ask_json(server, 'POST', '/v1/completions', body)['choices'] for _ in range(2))
    texts = [c['text'] for c in first]
    check(texts == [c['text'] for c in again], 'the same seed gave other texts')
    check(len(set(texts[:3])) > 1, f'choices are all the same: {texts[:3]}')
    alone = ask_json(server, 'POST', '/v1/completions', {**body, 'prompt': 'My lord'})['choices']
    check(texts[3:] == [c['text'] for c in alone], 'a prompt of a list is not drawn as it would be alone')


def chats(server):
    answer = ask_json(server, 'POST', '/v1/chat/completions', {
        'messages': [{'role': 'user', 'content': 'Who are you?'}], 'max_tokens': 20, 'temperature': 0})
    check(answer['choices'][0]['message']['role'] == 'assistant', answer)
    check(answer['usage']['completion_tokens'] <= 20, answer['usage'])


def has_nemos_errors_where_told(context):
    with Server(context, '--strict') as server:
        status, kind, text = ask(server, 'PUT', '/generate', {'sentences': ['a'], 'greedy': 1})
        check((status, kind) == (400, 'application/json'), f'{status} {kind}')
        check(json.loads(text) == {'message': 'greedy must be a boolean value'}, text)
    with Server(context, '--nemo-only') as server:
        answer = ask_json(server, 'POST', '/v1/completions', {'prompt': 'My lord', 'max_tokens': 4})
        check(answer['model'] == 'nemo model' and answer['usage']['prompt_tokens'] == 2, answer)
        check(ask(server, 'GET', '/v1/models')[0] == 404, 'NeMo lists no models')


def main():
    with Context() as context:
        with Server(context) as server:
            answers_the_model_card(server)
            says_the_same_as_the_tool(context, server)
            streams_through_curl(server)
            seeds_repeat_and_choices_differ(server)
            chats(server)
        has_nemos_errors_where_told(context)


main()
