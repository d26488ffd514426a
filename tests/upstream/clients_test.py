"""The server through the clients that others wrote: openai's package, and requests as the model card uses it."""
import json
import os

import openai
import requests

from common import Context, check
from server import Server


def url_of(server):
    return f'http://127.0.0.1:{server.port}'


def card_client(server):
    """As the model card's script calls it, in our words."""
    answer = requests.put(f'{url_of(server)}/generate', data=json.dumps({
        'sentences': ['Write a poem on NVIDIA in the style of Shakespeare'], 'tokens_to_generate': 1024, 'temperature': 1.0,
        'add_BOS': False, 'top_k': 0, 'top_p': 1.0, 'greedy': True, 'all_probs': False, 'repetition_penalty': 1.0,
        'min_tokens_to_generate': 1, 'end_strings': ['<|endoftext|>', '<extra_id_1>', '\x11', '<extra_id_1>User'],
    }), headers={'Content-Type': 'application/json'}, timeout=120)
    sentence = answer.json()['sentences'][0]
    check(len(sentence) > 60, sentence)


def openai_client(server):
    client = openai.OpenAI(base_url=url_of(server) + '/v1', api_key='none', max_retries=0)
    name = client.models.list().data[0].id
    check(client.models.retrieve(name).id == name, name)
    plain = client.completions.create(model=name, prompt='To be', max_tokens=12, temperature=0, logprobs=2, echo=True)
    choice = plain.choices[0]
    check(choice.text.startswith('To be') and choice.finish_reason == 'length', choice)
    check(len(choice.logprobs.tokens) == plain.usage.total_tokens, plain.usage)
    streamed = list(client.completions.create(model=name, prompt='To be', max_tokens=12, temperature=0, stream=True,
                                              stream_options={'include_usage': True}))
    check('To be' + ''.join(e.choices[0].text for e in streamed if e.choices) == choice.text, streamed)
    check(streamed[-1].usage == plain.usage, streamed[-1])
    messages = [{'role': 'system', 'content': 'Speak.'}, {'role': 'user', 'content': 'Who goes there?'}]
    chat = client.chat.completions.create(model=name, messages=messages, max_tokens=12, temperature=0, logprobs=True, top_logprobs=1)
    check(len(chat.choices[0].logprobs.content) > 0, chat)
    deltas = client.chat.completions.create(model=name, messages=messages, max_tokens=12, temperature=0, stream=True)
    said = ''.join(e.choices[0].delta.content or '' for e in deltas)
    check(said == chat.choices[0].message.content, f'{said!r} is not {chat.choices[0].message.content!r}')
    for wrong, error in (({'best_of': 3}, openai.BadRequestError), ({'max_tokens': 10**6}, openai.BadRequestError)):
        try:
            client.completions.create(model=name, prompt='a', **wrong)
            check(False, f'{wrong} was accepted')
        except error as refusal:
            check(refusal.body['message'] != '', refusal)


def main():
    with Context() as context:
        with Server(context, source=os.path.join(context.tests, 'data', 'shakespeare.nemo')) as server:
            card_client(server)
            openai_client(server)


main()
