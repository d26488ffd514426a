"""tools/gpu-torch.py on the processor: the rows of a small report of nemo-bench, done by torch, and set beside ours."""
import contextlib
import io
import json
import os
import runpy

from common import Context, check

TINY = """num_layers: 2
hidden_size: 64
ffn_hidden_size: 256
num_attention_heads: 4
num_query_groups: 2
kv_channels: 16
max_position_embeddings: 128
vocab_size: 1000
padded_vocab_size: 1024
"""


def records(path, kind):
    with open(path) as f:
        return [r for r in map(json.loads, f) if r['record'] == kind]


def main():
    with Context() as context:
        script = runpy.run_path(os.path.join(context.tests, '..', 'tools', 'gpu-torch.py'))['main']
        model, ours, torch = (context.path(name) for name in ('tiny.yaml', 'ours.jsonl', 'torch.jsonl'))

        def run(*arguments, expect=0):
            """In this process: torch takes seconds to import."""
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    code = script(list(arguments))
                except SystemExit as end:
                    code = end.code
            check(code == expect, f'gpu-torch.py {arguments}: exit {code}, expected {expect}: {said.getvalue()}')
            return said.getvalue()

        with open(model, 'w') as f:
            f.write(TINY)
        context.run('nemo-bench', 'kernels', '--model', model, '--tokens', '1,3', '--batches', '2', '--lengths', '70', '--runs', '1',
                    '--max-seconds', '0', '--no-peer', '--no-check', '--threads', '1', '--json-file', ours)
        run(ours, torch, '--device', 'cpu', '--runs', '2')
        here, there = records(ours, 'row'), records(torch, 'row')
        left_out = [r['name'] for r in here if r['operation'] == 'rope_append']
        check([r['name'] for r in there] == [r['name'] for r in here if r['name'] not in left_out], 'other rows')
        check(len(there) > 15 and all(r['seconds']['median'] > 0 for r in there), 'no times')
        notes = records(torch, 'run')[0]['notes']
        check(notes == ['torch has no call for ' + ', '.join(left_out)], f'notes: {notes}')

        # What gpu-check.sh prints.
        table = context.run('nemo-bench', 'compare', torch, ours)
        check('linear/fc1/m3' in table and 'attention/prefill/len3' in table, table)

        run(ours, torch, '--device', 'cpu', '--runs', '1', '--filter', 'fc2')
        check([r['name'] for r in records(torch, 'row')] == ['linear/fc2/m1', 'linear/fc2/m3'], 'the filter')
        check('sees no CUDA device' in run(ours, torch, expect=4), 'a device where there is none')
        check('no report' in run(__file__, torch, '--device', 'cpu', expect=3), 'no report')
        run(ours, torch, '--runs', '0', expect=2)


main()
