#!/usr/bin/env python3
"""Makes mgsm.jsonl: what lm-evaluation-harness asks and takes out of answers in each of MGSM's 11 languages and three forms.

  make_mgsm.py > mgsm.jsonl       with lm_eval[hf] 0.4.13, transformers 5.23, datasets 5.2; needs no network (HF_DATASETS_OFFLINE=1)

The task definitions are the harness' own; the row, the example and the responses are made up here: the example's answer shows
how many characters are cut off it, the responses have the language's phrase once, twice, with a comma, and not at all."""
import glob
import json
import os
import re
import tempfile

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

FORMS = ['native_cot', 'en_cot', 'direct']
ROW = {'question': '1005 + 6?', 'answer': None, 'answer_number': 1011}
EXAMPLE = {'question': 'LABEL: 5 + 6?', 'answer': 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ 11.', 'answer_number': 11}


def task_of(path, folder):
    config = load_yaml(path, resolve_func=True)
    config.update(dataset_path='json', dataset_name=None,
                  dataset_kwargs={'data_files': {'train': f'{folder}/train.jsonl', 'test': f'{folder}/test.jsonl'}})
    return ConfigurableTask(config=config)


def phrase(task):
    """What the first filter looks for, with room for a number."""
    pattern = task.config.filter_list[0]['filter'][0].get('regex_pattern', '')
    return re.sub(r'\(.*\)', '{}', pattern) or '{}'


def responses(text):
    return [text.format('1011'), f'1005 + 6 = 1011. {text.format("1,011")}', f'{text.format("-7")} {text.format("1011")}',
            'The answer is 1011.', ' 1011 ', '1,011.', '$1011, 12', 'x']


def judged(task, document, response):
    instance = Instance('generate_until', document, ('', {}), 0)
    instance.resps = [response]
    for one in task._filters:
        one.apply([instance])
    return [{'filter': name, 'filtered': filtered, 'exact_match': task.process_results(document, [filtered])['exact_match']}
            for name, filtered in instance.filtered_resps.items()]


def main():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, row in ('train', EXAMPLE), ('test', ROW):
            with open(f'{folder}/{name}.jsonl', 'w') as f:
                f.write(json.dumps(row) + '\n')
        theirs = os.path.join(os.path.dirname(lm_eval.__file__), 'tasks', 'mgsm')
        for form in FORMS:
            for path in sorted(glob.glob(f'{theirs}/{form}/mgsm_{form}_*.yaml')):
                task = task_of(path, folder)
                document = task.eval_docs[0]
                texts = responses(phrase(task))
                rows.append({'task': task.config.task, 'prompt': task.fewshot_context(document, 1), 'target': str(task.doc_to_target(document)),
                             'until': task.config.generation_kwargs['until'],
                             'answers': [{'response': text, **verdict} for text in texts for verdict in judged(task, document, text)]})
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


main()
