# Stopped at any moment: all of it, or a state that --resume makes the same bytes of; the exit code
# says which.
nemo-convert data/shakespeare.nemo whole --tp 2 --pp 2 >/dev/null
for delay in 0.00 0.01 0.02 0.04 0.06 0.08 0.10; do
  nemo-convert data/shakespeare.nemo shards --tp 2 --pp 2 >/dev/null 2>log &
  pid=$!
  sleep $delay
  kill -TERM $pid 2>/dev/null
  wait $pid
  code=$?
  if ((code == 143)); then
    [[ ! -e shards ]] || echo "stopped, and the destination stands"
    nemo-convert data/shakespeare.nemo shards --tp 2 --pp 2 --resume >/dev/null || echo "not resumed"
  elif ((code != 0)); then
    echo "exit $code"
    cat log
  fi
  diff -r whole shards
  rm -r shards
  [[ $(echo *) == "data golden log whole" ]] || ls -R
done
