# Stopped at any moment: all of it or nothing, and the exit code says which.
for delay in 0.00 0.01 0.02 0.04 0.08; do
  nemo-convert data/shakespeare.nemo shards --tp 2 --pp 2 >/dev/null 2>log &
  pid=$!
  sleep $delay
  kill -TERM $pid 2>/dev/null
  wait $pid
  code=$?
  if ((code == 0)); then
    nemo-validate shards --level checksums >/dev/null || echo "exit 0, and the shards are not whole"
    rm -r shards
  elif ((code != 143)); then
    echo "exit $code"
    cat log
  fi
  [[ $(echo *) == "data golden log" ]] || ls -R
done
