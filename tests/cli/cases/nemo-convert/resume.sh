# A stopped run is neither forgotten nor overwritten by accident, and only the same conversion goes
# on with it.
nemo-convert data/shakespeare.nemo whole --tp 2 >/dev/null
# Killed as soon as three tensors are noted; tried again where the run was quicker than the look.
for _ in $(seq 50); do
  nemo-convert data/shakespeare.nemo shards --tp 2 --jobs 1 >/dev/null 2>&1 &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    [[ -e shards.journal ]] && (($(wc -l <shards.journal) > 3)) && break
  done
  kill -KILL $pid 2>/dev/null
  wait $pid 2>/dev/null
  [[ -e shards ]] || break
  rm -r shards
done
run nemo-convert data/shakespeare.nemo shards --tp 2
run nemo-convert data/shakespeare.nemo shards --tp 1 --resume
nemo-convert data/shakespeare.nemo shards --tp 2 --resume | grep -c resumed
run diff -r whole shards
run ls
run nemo-convert data/shakespeare.nemo shards --tp 2 --resume
