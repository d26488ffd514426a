"""nemo-generate as batches and terminals use it: JSON lines in and out, kill -9 and SIGINT, streams.

A batch's lines hold what --json prints, whatever the layout; a run that was killed at any moment and resumed leaves
the file of an undisturbed run; a streamed text is the final text and valid UTF-8 after every write.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import time

from common import Context, check

KILLS = 6
TEXTS = ['Write a poem on NVIDIA in the style of Shakespeare', 'KING', 'To be, or not to be: that is the question:\n',
         'Zwölf Boxkämpfer', '日本語の文章', 'ไทย', '🙂🙃', ' leading blank', 'a\ttab', 'x']


def write_lines(path, values):
    with open(path, 'w') as f:
        f.writelines(json.dumps(value) + '\n' for value in values)


def read_bytes(path):
    with open(path, 'rb') as f:
        return f.read()


def check_columns(c, source):
    """Each line is its prompt's part of what --json prints."""
    prompts, out = c.path('columns.jsonl'), c.path('columns.out.jsonl')
    write_lines(prompts, [{'prompt': text, 'compute_logprob': i % 2 == 0, 'random_seed': 5 if i % 3 == 0 else None,
                           'tokens_to_generate': 3 + i} for i, text in enumerate(TEXTS)])
    flags = [source, '--prompts', prompts, '--temperature', 0.9, '--seed', 11]
    expected = c.run_json('nemo-generate', *flags)
    launchers = [([], []), (['--tp', 2, '--pp', 2], [])]
    mpirun = shutil.which('mpirun')
    if mpirun:
        launchers.append((['--tp', 2], [mpirun, '-n', '2', '--oversubscribe']))
    for extra, launcher in launchers:
        c.run('nemo-generate', *flags, *extra, '--output', out, '--force', launcher=launcher)
        lines = [json.loads(line) for line in read_bytes(out).splitlines()]
        check([line['index'] for line in lines] == list(range(len(TEXTS))), 'the order of the prompts')
        for many, one in (('sentences', 'sentence'), ('tokens', 'tokens'), ('token_ids', 'token_ids'),
                          ('logprob', 'logprob'), ('offsets', 'offsets')):
            check([line[one] for line in lines] == expected[many], f'{one} {extra}')
        for i, line in enumerate(lines):
            check(line['seed'] == (5 if i % 3 == 0 else 11), f'seed of {i}')
            generated = len(line['token_ids']) - line['prompt_tokens']
            check(generated == 3 + i or line['finish_reason'] == 'stop', f'length of {i}')
            check((line['logprob'] is None) == (i % 2 == 1), f'logprob of {i}')
            check(len(line['tokens']) == len(line['token_ids']) == len(line['offsets']), f'columns of {i}')
        check(lines[0]['sentence'] == c.run_json('nemo-generate', source, '--prompt', TEXTS[0], '--temperature', 0.9,
                                                 '--seed', 5, '--tokens-to-generate', 3)['sentences'][0],
              'a line with a seed of its own is what it would be alone')


def batch_command(c, source, prompts, out, *extra):
    return [os.path.join(c.bin, 'nemo-generate'), source, '--prompts', prompts, '--output', out, '--seed', '3',
            '--tokens-to-generate', '100', '--threads', '1', *extra]


def stop_when(command, done, signal_number):
    """Runs `command`, sends the signal as soon as `done` says so. The exit code."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and not done():
        time.sleep(0.001)
    if process.poll() is None:
        process.send_signal(signal_number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()


def check_stops(c, source):
    prompts, out, whole = c.path('stops.jsonl'), c.path('stops.out.jsonl'), c.path('whole.jsonl')
    write_lines(prompts, [f'{text} {i}' for i in range(2) for text in TEXTS])
    subprocess.run(batch_command(c, source, prompts, whole, '--quiet'), check=True, timeout=300)
    expected = read_bytes(whole)
    rng = random.Random(5)
    kills = 0
    for _ in range(KILLS):
        # From one place to another of the same batch, until it is done.
        while not os.path.exists(out):
            size = rng.randrange(len(expected) // 2)
            start = os.path.getsize(out + '.partial') if os.path.exists(out + '.partial') else 0

            def far_enough():
                return os.path.exists(out + '.partial') and os.path.getsize(out + '.partial') > start + size

            layout = rng.choice([[], ['--tp', '2'], ['--max-batch-size', '3']])
            code, err = stop_when(batch_command(c, source, prompts, out, '--resume', *layout), far_enough, signal.SIGKILL)
            check(code in (0, -signal.SIGKILL), f'exit {code}: {err}')
            kills += code != 0
            if code != 0 and rng.random() < 0.5:
                # A crash of the machine may lose the end as well.
                os.truncate(out + '.partial', rng.randrange(os.path.getsize(out + '.partial') + 1))
        check(read_bytes(out) == expected, 'a killed and resumed batch has the bytes of an undisturbed one')
        check(not os.path.exists(out + '.partial'), 'nothing is left beside the file')
        os.remove(out)
    check(kills >= KILLS, f'only {kills} runs were killed')

    for number in (signal.SIGINT, signal.SIGTERM):
        def some():
            return os.path.exists(out + '.partial') and read_bytes(out + '.partial').count(b'\n') >= 2

        code, err = stop_when(batch_command(c, source, prompts, out), some, number)
        check(code == 128 + number, f'exit {code}: {err}')
        check('answers are kept' in err and 'stopped by signal' in err, err)
        kept = read_bytes(out + '.partial')
        check(kept.endswith(b'\n') and kept.count(b'\n') >= 2, 'whole lines are kept')
        subprocess.run(batch_command(c, source, prompts, out, '--resume', '--quiet'), check=True, timeout=300)
        check(read_bytes(out) == expected, 'a stopped and resumed batch has the bytes of an undisturbed one')
        os.remove(out)
    print(f'{kills} kills')


def check_stream(c, source):
    """Temperature 3: a model this small then says bytes that are no characters, and characters of several bytes."""
    runs = 0
    for seed in range(2):
        for text in TEXTS:
            for end in ([], ['--end-string', 'e'], ['--end-string', '\n', '--end-string', 'th']):
                command = [os.path.join(c.bin, 'nemo-generate'), source, '--prompt', text, '--temperature', '3', '--seed',
                           str(seed), '--tokens-to-generate', '40', *end]
                expected = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
                process = subprocess.Popen([*command, '--stream'], stdout=subprocess.PIPE)
                got = b''
                while True:
                    part = os.read(process.stdout.fileno(), 1 << 16)
                    if not part:
                        break
                    got += part
                    got.decode()  # what is on the terminal by now is text
                check(process.wait() == 0 and got == expected, f'{command}: {got} is not {expected}')
                runs += 1
    print(f'{runs} streams')


with Context() as c:
    source = c.source()
    check_columns(c, source)
    check_stops(c, source)
    check_stream(c, source)
