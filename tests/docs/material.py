"""The folder in which a page's commands run: the repository as a reader has it, with small things for large ones."""
import json
import re
import shutil

# What a model of the shape of another one needs to be tried in no time.
TINY = '''num_layers: 2
hidden_size: 64
ffn_hidden_size: 256
num_attention_heads: 8
num_query_groups: 8
kv_channels: 8
max_position_embeddings: 2048
vocab_size: 1024
padded_vocab_size: 1024
'''

# What stands before the examples of the tools' own pages, which have no room for remarks.
BEFORE_PAGES = {
    'docs/tools/nemo-bench.md': 'nemo-bench io --size 1MiB --runs 1 --json-file before.json; cp before.json after.json',
    'docs/tools/nemo-generate.md': 'nemo-convert model.nemo shards --tp 2 --pp 2',
    'docs/tools/nemo-reshard.md': 'nemo-convert model.nemo shards-tp8-pp2 --tp 8 --pp 2',
    'docs/tools/nemo-validate.md': 'nemo-convert model.nemo shards',
}


def prepare(folder, root, bin_dir):
    for name in ('CMakePresets.json', 'bootstrap.sh', 'docs', 'formats', 'kernels', 'libcore', 'tests', 'tools'):
        (folder / name).symlink_to(root / name)
    shutil.copytree(root / 'configs', folder / 'configs')
    (folder / 'configs/models/nemotron4-340b.yaml').write_text(TINY)
    (folder / 'build/cpu').mkdir(parents=True)
    (folder / 'build/cpu/bin').symlink_to(bin_dir)
    (folder / 'build/cpu/lib').symlink_to(bin_dir.parent / 'lib')
    (folder / 'scratch').mkdir()
    demo = root / 'tests/data/shakespeare.nemo'
    (folder / 'models').mkdir()
    for name in ('model.nemo', 'Nemotron-4-340B-Base.nemo', 'Nemotron-4-340B-Instruct.nemo', 'models/Nemotron-4-340B-Instruct.nemo'):
        (folder / name).symlink_to(demo)
    evaluation_data(folder / 'evaldata', root)


def evaluation_data(folder, root):
    """Two rows of each set, in the files of their authors."""
    def lines(path, rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows))

    subjects = re.findall(r'\{subject: (\w+)', (root / 'configs/eval/mmlu.yaml').read_text())
    for subject in subjects:
        for split, rows in (('dev', 5), ('test', 1)):
            path = folder / f'mmlu/data/{split}/{subject}_{split}.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('Who speaks?,ROMEO,JULIET,a king,nobody,A\n' * rows)
    for name in ('hellaswag_val', 'hellaswag_train'):
        lines(folder / f'hellaswag/{name}.jsonl', [
            {'ind': i, 'activity_label': 'Speaking', 'ctx_a': 'The king stands.', 'ctx_b': 'he', 'ctx': 'The king stands. he',
             'split': 'val', 'split_type': 'indomain', 'label': i, 'endings': ['speaks.', 'sits.', 'goes.', 'sleeps.'],
             'source_id': 'none'} for i in range(2)])
    for name in ('dev', 'train_xl'):
        lines(folder / f'winogrande/{name}.jsonl', [
            {'qID': str(i), 'sentence': 'Romeo loves Juliet, for _ is fair.', 'option1': 'Romeo', 'option2': 'Juliet', 'answer': '2'}
            for i in range(2)])
    for name in ('Test', 'Train'):
        lines(folder / f'arc/ARC-Challenge-{name}.jsonl', [
            {'id': str(i), 'answerKey': 'B', 'question': {'stem': 'Who is a king?', 'choices': [
                {'text': t, 'label': l} for t, l in zip(('Juliet', 'Richard', 'the nurse', 'nobody'), 'ABCD')]}} for i in range(2)])
