# Every command once, at tiny sizes: what it prints and leaves, not how fast it is.
cat >tiny.yaml <<'YAML'
num_layers: 2
hidden_size: 64
ffn_hidden_size: 256
num_attention_heads: 4
num_query_groups: 2
kv_channels: 16
max_position_embeddings: 128
vocab_size: 1000
padded_vocab_size: 1024
YAML
names() { grep -o '"name":"[^"]*"' "$1"; }

echo "'*': 0" >anything.yaml
nemo-bench kernels --model tiny.yaml --layout 2,1 --tokens 1,3 --batches 2 --lengths 70 --runs 2 \
  --max-seconds 1 --no-peer --threads 2 --json-file kernels.json --html kernels.html \
  --min-fraction anything.yaml >table
echo "exit $?"
names kernels.json
echo "$(grep -c '"error":0.0' kernels.json) rows with the bits of the reference"
echo "$(grep -c '<svg' kernels.html) plots, $(grep -c '<tr>' kernels.html) lines of the table"
grep -o '^limits\|^machine\|^name  ' table

nemo-bench model tiny.yaml --layout 2,2 -p 20 -n 6 -b 1,3 -r 2 --prefill-chunk 8 --check --json-file model.json >table
echo "exit $?"
names model.json
grep -o '^metric [^ ]* \|^note     check.*' table
nemo-bench model data/shakespeare.nemo -p 8 -n 4 -b 2 -r 1 | sed -n 's/^\(metric [^ ]*\) .*/\1/p'
sed 's/128/1024/' tiny.yaml >long.yaml
nemo-bench model long.yaml --layout 2,2 -p 0 -n 0 --questions 2 -r 1 | sed -n 's/^\(metric [^ ]*\) .*/\1/p'

nemo-bench io --size 1MiB --block 64KiB --jobs 2 --runs 1 --backend cpu --json | grep -o '"name": "[a-z]*/\(ours\|cpu\)"'
# A device, none, or a build that knows of none: one line says which.
nemo-bench io --size 1MiB --runs 1 --backend cuda >table 2>&1
grep -c "^load/cuda \|no row load/cuda: no CUDA device\|unknown backend 'cuda'" table
ls

nemo-bench collectives --ranks 2,3 -b 4 -e 1KiB -f 256 --runs 2 --json-file collectives.json >/dev/null
names collectives.json
run nemo-bench collectives --runs 1 -e 1KiB --filter broadcast --min-fraction anything.yaml >table
