"""The page of an evaluation as people use it, in a headless Chromium: bars, order of a group's tasks, the browser of samples. It is
opened from the disk, and its script must not fail."""
import json
import os
from pathlib import Path

import chromium
from common import Context, check, skip

TASKS = r'''
tables:
  subjects: [{name: alpha, divisor: A}, {name: beta, divisor: B}, {name: gamma, divisor: C}]
tasks:
  - name: 'subject_${name}'
    alias: '${name}'
    for_each: subjects
    kind: multiple_choice
    groups: [subjects]
    data: {files: [rows.jsonl], where: {subject: '${name}'}}
    question: '{{line}}'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc]
  - name: verse
    kind: generate_until
    data: {files: [rows.jsonl]}
    question: "{{right}}:\n"
    target: '{{line}}'
    until: ["\n\n"]
    max_tokens: 6
    filters: [{name: first_word, steps: [{regex: {pattern: '\w+'}}]}, {name: whole}]
    metrics: [exact_match]
groups:
  - {name: subjects, metrics: ['acc,none']}
'''
DOWN, VISIBLE_ITEMS = 40, 'document.querySelectorAll("#list li").length'


def make_report(c):
    os.mkdir(c.path('rows'))
    with open(c.path('tasks.yaml'), 'w') as f:
        f.write(TASKS)
    with open(os.path.join(c.path('rows'), 'rows.jsonl'), 'w') as f:
        for i in range(24):
            # What a page must not take for its own markup is part of a sample.
            f.write(json.dumps({'subject': ('alpha', 'beta', 'gamma')[i % 3], 'line': f'Line {i}: </script><b id="b{i}">&amp;',
                                'names': ['ROMEO', 'KING', 'a rose'][:2 + i % 2], 'right': ('ROMEO', 'KING')[i // 3 % 2]}) + '\n')
    c.run('nemo-eval', os.path.join(c.tests, 'data', 'shakespeare.nemo'), '--task-file', c.path('tasks.yaml'), '--tasks',
          'subjects,verse', '--data', c.path('rows'), '--output', c.path('scores'))
    samples = {}
    for name in ('subject_alpha', 'subject_beta', 'subject_gamma', 'verse'):
        with open(os.path.join(c.path('scores'), f'samples_{name}.jsonl')) as f:
            samples[name] = [json.loads(line) for line in f]
    with open(os.path.join(c.path('scores'), 'results.json')) as f:
        return json.load(f)['results'], samples


def choose(page, element, value):
    page.evaluate(f'(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event("change")); }})'
                  f'(document.getElementById("{element}"))')


def search(page, words):
    page.evaluate(f'(e => {{ e.value = {json.dumps(words)}; e.dispatchEvent(new Event("input")); }})'
                  '(document.getElementById("search"))')


def shown(page):
    return page.evaluate('document.getElementById("sample").innerText')


def browses_samples(page, samples):
    """What the list and the sample show is what the files hold."""
    tasks = page.evaluate('[...document.getElementById("task").options].map(o => o.text)')
    check(tasks == list(samples), tasks)
    for name, rows in samples.items():
        choose(page, 'task', name)
        filters = list(dict.fromkeys(row['filter'] for row in rows))
        check(page.evaluate('document.getElementById("filter").parentElement.hidden') == (len(filters) < 2), f'{name}: {filters}')
        for one in filters:
            if len(filters) > 1:
                choose(page, 'filter', one)
            mine = [row for row in rows if row['filter'] == one]
            right = [row for row in mine if row[row['metrics'][0]] == 1]
            for want, expected in (('all', mine), ('right', right), ('wrong', [r for r in mine if r not in right])):
                choose(page, 'show', want)
                found = page.evaluate('[...document.querySelectorAll("#list li")].map(li => +li.textContent)')
                check(found == [row['doc_id'] for row in expected], f'{name} {one} {want}: {found}')
                text = shown(page)
                check(f'document {expected[0]["doc_id"]}' in text if expected else 'No sample' in text, text)
            choose(page, 'show', 'all')


def shows_texts_as_texts(page, samples):
    choose(page, 'task', 'subject_beta')
    row = samples['subject_beta'][0]
    text = shown(page)
    check('</script><b id="b1">&amp;' in text, f'the prompt is not shown as it is: {text}')
    check(page.evaluate('document.getElementById("b1") === null'), 'a sample became markup')
    for i, (logprob, _) in enumerate(resp[0] for resp in row['resps']):
        check(f'{logprob:.3f}' in text, f'choice {i}: no {logprob:.3f} in {text}')
    check(page.evaluate('document.querySelectorAll("#sample tr.gold").length') == 1, 'no right choice is marked')


def searches(page):
    choose(page, 'task', 'verse')
    search(page, 'king:')
    found = page.evaluate(VISIBLE_ITEMS)
    check(0 < found < 24, f'{found} samples with KING')
    search(page, 'no such text')
    check(page.evaluate(VISIBLE_ITEMS) == 0 and 'No sample' in shown(page), shown(page))
    search(page, '')
    check(page.evaluate(VISIBLE_ITEMS) == 24, 'an empty search hides samples')


def moves_by_keyboard_and_pointer(page):
    choose(page, 'task', 'verse')
    page.evaluate('document.getElementById("list").focus()')
    for _ in range(2):
        page.press('ArrowDown', windowsVirtualKeyCode=DOWN)
    check('document 2' in shown(page), shown(page))
    page.click('#list li:nth-child(6)')
    check('document 5' in shown(page), shown(page))
    check(page.evaluate('document.querySelectorAll("#list li.current").length') == 1, 'several samples are marked')


def orders_a_group(page, results):
    """The tasks of the group by file, score and name; a click on one opens its samples."""
    rows = '[...document.querySelectorAll("section .bars .row")].map(r => r.dataset.task)'
    names = ['subject_alpha', 'subject_beta', 'subject_gamma']
    check(page.evaluate(rows) == names, page.evaluate(rows))

    def order(value):
        page.evaluate(f'(e => {{ e.value = "{value}"; e.dispatchEvent(new Event("change")); }})'
                      '(document.querySelector("select.order"))')
        return page.evaluate(rows)
    by_score = sorted(names, key=lambda name: -results[name]['acc,none'])
    check(len(set(results[name]['acc,none'] for name in names)) > 1, 'all tasks have one score, which orders nothing')
    check(order('score') == by_score, f'{order("score")} is not {by_score}')
    check(order('name') == names and order('file') == names, order('name'))
    page.click('section .bars .row[data-task="subject_gamma"] .label')
    check(page.evaluate('document.getElementById("task").value') == 'subject_gamma', 'a click on a task does not open its samples')
    check('subject_gamma' in shown(page), shown(page))


with Context() as c:
    binary = chromium.find()
    if binary is None:
        skip('no chromium')
    results, samples = make_report(c)
    with chromium.Browser(binary) as page:
        page.open(Path(c.path('scores'), 'report.html').as_uri())
        check('Evaluation of' in page.evaluate('document.title'), page.evaluate('document.title'))
        browses_samples(page, samples)
        shows_texts_as_texts(page, samples)
        searches(page)
        moves_by_keyboard_and_pointer(page)
        orders_a_group(page, results)
        if 'NEMO_SCREENSHOT' in os.environ:
            page.screenshot(os.environ['NEMO_SCREENSHOT'])
        page.resize(360, 740, 2, True)
        wide = page.evaluate('[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("article") && '
                             'e.getBoundingClientRect().right > 361).map(e => e.tagName + "." + e.className)')
        check(page.evaluate('document.documentElement.scrollWidth') <= 360, f'wider than a phone: {wide}')
        check(not page.errors, page.errors)
    print(f'{sum(map(len, samples.values()))} samples of {len(samples)} tasks')
