"""Tokens and log-probabilities are bit-identical for every layout, as threads and under mpirun."""
import shutil

from common import Context, check, layouts_of

PROMPTS = ['Write a poem on NVIDIA in the style of Shakespeare', 'KING', 'To be, or not to be: that is the question:\n']
SAMPLING = {
    'greedy': ['--greedy'],
    'sampled': ['--temperature', '0.8', '--top-k', '40', '--seed', '7'],
}


def answer(c, source, flags, sampling, launcher=()):
    args = [source, '--tokens-to-generate', 12, '--logprobs', *flags, *SAMPLING[sampling]]
    for prompt in PROMPTS:
        args += ['--prompt', prompt]
    out = c.run_json('nemo-generate', *args, launcher=launcher)
    out.pop('timing')
    return out


with Context() as c:
    source = c.source()
    # The same weights from a converted shard set, so that the path of a user is the one under test.
    shards = c.path('shards')
    c.run('nemo-convert', source, shards, '--pp', 2)
    mpirun = shutil.which('mpirun')
    runs = 0
    for sampling in SAMPLING:
        expected = answer(c, source, [], sampling)
        check(all(expected[k] for k in ('sentences', 'tokens', 'token_ids', 'logprob', 'offsets')), expected)
        for name, flags, world_size, legal in layouts_of(c.model):
            if not legal:
                c.run('nemo-generate', source, '--prompt', 'KING', *flags, expect=2)
                continue
            check(answer(c, shards, flags, sampling) == expected, f'{name} as threads, {sampling}')
            runs += 1
            if mpirun and world_size == 4:
                launcher = [mpirun, '-n', '4', '--oversubscribe']
                check(answer(c, source, flags, sampling, launcher) == expected, f'{name} under mpirun, {sampling}')
                runs += 1
        for extra in (['--prefill-chunk', 1], ['--prefill-chunk', 7], ['--isa', 'scalar'], ['--backend', 'reference']):
            check(answer(c, shards, extra, sampling) == expected, f'{extra}, {sampling}')
            runs += 1
    print(f'{c.checkpoint}: {runs} runs agree to the bit' + ('' if mpirun else '; mpirun is not installed, processes not tried'))
